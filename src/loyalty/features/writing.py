"""A panel in files: built part by part, taken up again where it was interrupted, whole or not there."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from loyalty.features.feature import Feature, IbisFormula
from loyalty.features.panel import Market, OnStep, Plan
from loyalty.files import replace_file
from loyalty.histories import Histories, OutcomeKind
from loyalty.timeline import Duration, Instant

#: What the panel is, beside its parts.
_DESCRIPTION = "_panel.json"


def write_panel(
    histories: Histories,
    out: str | Path,
    *,
    cutoffs: Instant | Iterable[Instant],
    horizon: Duration,
    gap: Duration = "0d",
    kind: OutcomeKind = "non-contractual",
    active: Duration | None = None,
    features: Sequence[Feature] | None = None,
    learned: Mapping[str, Any] | None = None,
    market: Market | None = None,
    on_begin: Callable[[int], None] | None = None,
    on_step: OnStep | None = None,
) -> Path:
    """Compute the features of every client at every cutoff into a folder of Parquet files.

    The rows are those of `build_panel`. Parts of the clients are computed one after the other and kept in
    ``<out>.partial`` until all are there; then the folder gets its name. An interrupted build of the same panel goes on
    with the first part that is not finished.

    Parameters
    ----------
    histories : Histories
        What is known.
    out : str or Path
        The folder to make; it must not be there yet.
    cutoffs, horizon, gap, kind, active, features, learned, market
        As for `build_panel`.
    on_begin, on_step : callable, optional
        Told how many steps there will be, and after each part, in words.

    Returns
    -------
    Path
        The folder: ``part-00000.parquet`` and so on, with the columns `client_id`, `cutoff` and one a feature, sorted
        by cutoff and client within each; and ``_panel.json``, which says what was computed.

    Raises
    ------
    ValueError
        As for `build_panel`, or if `out` is there already.

    See Also
    --------
    read_panel : Read it back.

    Examples
    --------
    >>> import tempfile
    >>> bills = pd.DataFrame({"client_id": ["ann", "bob"], "event_time": ["2024-01-01", "2024-01-09"], "amount": 5.0})
    >>> out = Path(tempfile.mkdtemp()) / "panel"
    >>> written = write_panel(Histories(bills), out, cutoffs=["2024-01-05", "2024-02-01"], horizon="30d")
    >>> read_panel(written, columns=["amount_sum"])
                          amount_sum
    client_id cutoff
    ann       2024-01-05         5.0
              2024-02-01         5.0
    bob       2024-02-01         5.0
    """
    out = Path(out)
    if out.exists():
        raise ValueError(f"`out` {str(out)!r} is there already. Remove it, or choose another folder.")
    plan = Plan.of(
        histories,
        cutoffs=cutoffs,
        horizon=horizon,
        gap=gap,
        kind=kind,
        active=active,
        features=features,
        learned=learned,
        market=market,
    )
    partial = out.with_name(f"{out.name}.partial")
    description = _describe(plan, kind, active)
    if on_begin is not None:
        on_begin(len(plan.bounds))
    _begin(partial, description, on_step)
    for number in range(len(plan.bounds)):
        path = partial / f"part-{number:05d}.parquet"
        if not path.exists():
            _write_part(plan, number, path)
        if on_step is not None:
            on_step(f"features{plan.which(number)}")
    partial.replace(out)
    return out


def read_panel(folder: str | Path, *, columns: Iterable[str] | None = None) -> pd.DataFrame:
    """Read a panel that `write_panel` wrote.

    Parameters
    ----------
    folder : str or Path
        What `write_panel` returned.
    columns : iterable of str, optional
        The features to read; by default all.

    Returns
    -------
    DataFrame
        As of `build_panel`, sorted by cutoff and client.

    Raises
    ------
    ValueError
        If there is no finished panel.
    """
    folder = Path(folder)
    if not (folder / _DESCRIPTION).is_file():
        raise ValueError(f"there is no panel in {str(folder)!r}; write_panel(...) makes one.")
    description = json.loads((folder / _DESCRIPTION).read_text(encoding="utf-8"))
    wanted = None if columns is None else ["client_id", "cutoff", *columns]
    table = pq.read_table(folder, columns=wanted)
    panel = table.to_pandas().set_index(["client_id", "cutoff"])
    # Each part is sorted by cutoff, and the parts by client.
    panel = panel.sort_index(level="cutoff", kind="stable", sort_remaining=False)
    panel.attrs["reach_days"] = description["reach_days"]
    return panel


def _describe(plan: Plan, kind: OutcomeKind, active: Duration | None) -> dict[str, Any]:
    """Say what is computed, so that only parts of the same panel are put together."""
    learned = getattr(plan.learned, "to_text", lambda: repr(sorted(plan.learned)))()
    return {
        "loyalty": version("loyalty"),
        "histories": plan.histories._stamp(),
        "features": {feature.name: _formula(feature) for feature in plan.features},
        "cutoffs": [cutoff.isoformat() for cutoff in plan.cutoffs],
        "horizon": str(plan.outcome.horizon),
        "gap": str(plan.outcome.gap),
        "reach_days": plan.outcome.reach.days,
        "kind": kind,
        "active": None if active is None else str(active),
        "learned": hashlib.sha256(learned.encode()).hexdigest(),
        "market": hashlib.sha256(repr(plan.market).encode()).hexdigest(),
        "parts": len(plan.bounds),
    }


def _formula(feature: Feature) -> str:
    if not isinstance(feature.formula, IbisFormula):
        return str(feature.formula)
    code = feature.formula.aggregate.__code__
    return f"{feature.formula} {hashlib.sha256(code.co_code + repr(code.co_consts).encode()).hexdigest()}"


def _begin(partial: Path, description: Mapping[str, Any], on_step: OnStep | None) -> None:
    """Take up an interrupted build of the same panel, or begin anew."""
    described = partial / _DESCRIPTION
    text = json.dumps(description, indent=1, ensure_ascii=False)
    if described.is_file() and described.read_text(encoding="utf-8") == text:
        if on_step is not None:
            on_step(f"going on with {partial.name}: {len(list(partial.glob('part-*.parquet')))} parts are finished")
        return
    if partial.exists():
        shutil.rmtree(partial)
        if on_step is not None:
            on_step(f"{partial.name} is of another panel: begun anew")
    partial.mkdir(parents=True)
    described.write_text(text, encoding="utf-8")


def _write_part(plan: Plan, number: int, path: Path) -> None:
    part = plan.part(number)
    names = [feature.name for feature in plan.features]
    ids_are = pa.int64() if part.clients.dtype.kind in "iu" else pa.string()
    schema = pa.schema(
        [("client_id", ids_are), ("cutoff", pa.timestamp("us")), *((name, pa.float64()) for name in names)]
    )

    def write(unfinished: Path) -> None:
        # Nine parts in ten of what zstd saves, at half of its time.
        options: dict[str, Any] = {"compression": "snappy", "use_dictionary": ["cutoff"]}
        with pq.ParquetWriter(unfinished, schema, **options) as file:
            for cutoff in plan.cutoffs:
                ids, values = plan.rows(part, cutoff)
                times = np.full(len(ids), cutoff.to_datetime64().astype("datetime64[us]"))
                columns = [ids, times, *values.T]
                arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
                file.write_table(pa.Table.from_arrays(arrays, schema=schema))

    replace_file(path, write)
