"""What the tests of a theme share: a history as tables, the panel of it by either compiler, and the comparison."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

import worlds
from loyalty.features import Feature, build_panel
from loyalty.features.in_ibis import Compiler
from loyalty.features.panel import Plan
from loyalty.histories import Histories
from oracles.history import DAY, History
from worlds import CUTOFFS, MICROSECOND, NUDGES

__all__ = [
    "CUTOFFS", "MICROSECOND", "NUDGES", "OUTCOME", "assert_equal", "assert_same", "drawn", "each_cutoff", "frames_of",
    "instants", "later_facts", "panel_in_ibis", "panel_of", "reports",
]  # fmt: skip

OUTCOME = {"horizon": "45d", "gap": "3d"}

drawn = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
each_cutoff = pytest.mark.parametrize("cutoff", CUTOFFS, ids=["midnight", "midday", "mid-second"])


def frames_of(history: History, *, without: Collection[str] = ()) -> dict[str, pd.DataFrame]:
    """Write the tables that hold a row, in all their columns but those named `table.column`."""
    frames = worlds.frames_of(history)
    gone = {name: [column for column in frame if f"{name}.{column}" in without] for name, frame in frames.items()}
    return {name: frame.drop(columns=gone[name]) for name, frame in frames.items()}


def panel_of(
    history: History, cutoffs: Any, features: Sequence[Feature], *, without: Collection[str] = (), **options: Any
) -> pd.DataFrame:
    """Compute a panel of a history."""
    histories = Histories(**frames_of(history, without=without))
    return build_panel(histories, cutoffs=cutoffs, features=features, **{**OUTCOME, **options})


def panel_in_ibis(
    history: History, cutoff: datetime, features: Sequence[Feature], *, without: Collection[str] = (), **options: Any
) -> pd.DataFrame:
    """Compute the same by the other compiler, on DuckDB."""
    histories = Histories(**frames_of(history, without=without))
    plan = Plan.of(histories, cutoffs=cutoff, features=features, **{**OUTCOME, **options})
    start, end = plan.outcome.window(plan.cutoffs[0])
    compiler = Compiler(histories.tables, plan.cutoffs[0], start + (end - start) / 2, plan.learned)
    return (
        compiler.snapshot(plan.standing, plan.features).execute().set_index(["client_id", "cutoff"]).astype("float64")
    )


def assert_equal(panel: pd.DataFrame, told: Mapping[Any, Mapping[str, float]]) -> None:
    """Compare a panel with what was told of each client, and name what differs."""
    assert not np.isinf(panel.to_numpy()).any()
    wrong = []
    for (client, _), row in panel.iterrows():
        assert set(told[client]) == set(panel.columns), set(told[client]) ^ set(panel.columns)
        for name, is_ in row.items():
            if not np.isclose(is_, told[client][name], rtol=1e-9, atol=1e-10, equal_nan=True):
                wrong.append(f"{name}: {client!r} has {is_!r}, and was told {told[client][name]!r}")
    assert not wrong, "\n".join(wrong)


def assert_same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    """Compare the panels of two compilers."""
    pd.testing.assert_frame_equal(
        one, other, check_index_type=False, check_column_type=False, rtol=1e-9, atol=1e-10, check_exact=False
    )


def instants(cutoff: datetime, edges: Iterable[float], *, oldest: float, newest: float = -60) -> st.SearchStrategy:
    """Draw a time at or beside an edge, which is so many days before the cutoff, or any."""
    on_edge = st.builds(
        lambda days, nudge: cutoff - days * DAY + nudge, st.sampled_from(tuple(edges)), st.sampled_from(NUDGES)
    )
    return on_edge | st.datetimes(cutoff - oldest * DAY, cutoff - newest * DAY)


def reports(cutoff: datetime, since: datetime) -> st.SearchStrategy:
    """Draw when a row became known: at once, later, or just when the cutoff falls."""
    later = st.integers(0, 60).map(lambda days: since + days * DAY)
    return st.none() | later | st.sampled_from(NUDGES).map(lambda nudge: max(since, cutoff + nudge))


def later_facts(cutoff: datetime, since: datetime) -> st.SearchStrategy:
    """Draw the date of a later fact: none, any, or just when the cutoff falls."""
    later = st.integers(0, 500).map(lambda days: since + days * DAY)
    return st.none() | later | st.sampled_from(NUDGES).map(lambda nudge: max(since, cutoff + nudge))
