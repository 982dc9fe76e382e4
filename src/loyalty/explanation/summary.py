"""What a run keeps of why: drivers, themes, segments, cutoffs and changes, in plain JSON."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from loyalty.explanation.changes import Between, composition_changes
from loyalty.explanation.drivers import actions_of, drivers_of, themes_of
from loyalty.explanation.parts import Parts, sample_clients
from loyalty.explanation.stability import driver_stability, drivers_over_time
from loyalty.features import CATALOGUE
from loyalty.models.churn import ChurnModel

__all__ = ["summarise", "summarise_cutoffs"]

#: Of how many clients drivers are the means at the most; see `sample_clients`.
_CLIENTS = 20_000
#: How many drivers are kept of all clients, and of each segment.
_DRIVERS, _OF_A_SEGMENT = 12, 5


def summarise(
    model: ChurnModel, now: pd.DataFrame, *, before: pd.DataFrame, segment: pd.Series
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Gather what moves the risk of the clients who stand now, and what changed since an earlier cutoff.

    Parameters
    ----------
    model : ChurnModel
        Fitted.
    now, before : DataFrame
        Panels of one cutoff each; `before` may have no rows.
    segment : Series
        Of each row of `now`, indexed as `now`.

    Returns
    -------
    table : DataFrame
        The whole of `driver_table`, of at most 20,000 clients.
    told : dict
        `drivers`, the first twelve rows of `driver_table`; `themes`, `theme_table`; `actionable`, `action_table`;
        `drivers_by_segment`, the first five drivers of each segment that is large enough to be told of; `changed`,
        None where nobody stands at both cutoffs, else `composition` (`composition_changes` of all clients), and of the
        clients in the sample `themes` and the first twelve `drivers` (`portfolio_changes`). Rows that name a
        `feature` also have `meaning_en` and `meaning_ko`; what is not known is None.
    """
    names = list(model.feature_names_in_)
    here, there = sample_clients(now[names], _CLIENTS), before[names]
    then = there[_ids(there).isin(_ids(here))]
    parts = Parts.of(model, pd.concat([here, then]))
    standing = parts.take(np.arange(len(here)))
    table = drivers_of(standing)
    by_segment = drivers_of(standing, by=segment.loc[here.index])
    told: dict[str, Any] = {
        "drivers": _records(table.head(_DRIVERS)),
        "themes": _records(themes_of(standing)),
        "actionable": _records(actions_of(standing)),
        "drivers_by_segment": _records(
            by_segment.dropna(subset="mean_abs_shap").groupby("segment").head(_OF_A_SEGMENT)
        ),
        "changed": None,
    }
    if len(then):
        both = _ids(then)
        rows = np.arange(len(here), len(here) + len(then)), pd.Index(_ids(here)).get_indexer(both)
        between = Between(parts.take(rows[0]), parts.take(rows[1]), both)
        risks = [pd.Series(model.predict_proba(X)[:, 1], index=X.index) for X in (there, now[names])]
        told["changed"] = {
            "composition": _records(composition_changes(*risks)),
            "themes": _records(between.of_all("theme")),
            "drivers": _records(between.of_all("driver").head(_DRIVERS)),
        }
    return table, told


def summarise_cutoffs(tables: Mapping[pd.Timestamp, pd.DataFrame]) -> dict[str, Any]:
    """Gather how the drivers came and went from cutoff to cutoff.

    Parameters
    ----------
    tables : mapping of cutoff to DataFrame
        From `driver_table`.

    Returns
    -------
    dict
        `drivers_over_time`, the rows of `loyalty.drivers_over_time` of the drivers that were among the first twelve at
        any cutoff; `driver_stability`, those of `loyalty.driver_stability`.
    """
    over_time = drivers_over_time(tables)
    first = over_time.loc[over_time["rank"] <= _DRIVERS, "driver"]
    kept = over_time[over_time["driver"].isin(first)].drop(columns="level")
    return {"drivers_over_time": _records(kept), "driver_stability": _records(driver_stability(over_time))}


def _ids(panel: pd.DataFrame) -> pd.Index:
    return panel.index.get_level_values("client_id")


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Write the rows of a table in plain JSON, with the meaning of the features they name."""
    for name in table.columns[table.dtypes.map(lambda dtype: dtype.kind == "M")]:
        table = table.assign(**{name: table[name].dt.strftime("%Y-%m-%d")})
    plain = table.astype(object).where(table.notna(), None)
    rows = [dict(zip(plain.columns, row, strict=True)) for row in plain.to_numpy()]
    for row in rows:
        if (known := CATALOGUE.get(row.get("feature", ""))) is not None:
            row |= {f"meaning_{language}": said for language, said in known.meaning.items()}
    return rows
