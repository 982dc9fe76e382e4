"""A panel where the tables live: the same features on Spark, in PostgreSQL, or wherever else Ibis speaks to."""

from collections.abc import Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, get_args

from loyalty.features.catalogue import choose_features, computable
from loyalty.features.feature import Feature
from loyalty.features.panel import standing
from loyalty.histories import TABLES, OutcomeKind
from loyalty.timeline import Duration, Instant, Outcome, as_cutoffs, as_duration

if TYPE_CHECKING:
    import ibis


def lay_panel(
    tables: Mapping[str, "ibis.Table"],
    *,
    cutoffs: Instant | Iterable[Instant],
    horizon: Duration,
    gap: Duration = "0d",
    kind: OutcomeKind = "non-contractual",
    active: Duration | None = None,
    features: Sequence[Feature] | None = None,
    learned: Mapping[str, Any] | None = None,
) -> "ibis.Table":
    """Write the panel of `build_panel` as one Ibis table over tables of a database; nothing is computed yet.

    Parameters
    ----------
    tables : mapping of table name to ibis.Table
        `purchases` and as many others as there are, in the canonical columns of ``data/README.md``, all in one
        database; times in UTC. They are taken as they are; it is `Histories` that checks a table, and copies it.
    cutoffs, horizon, gap, kind, active, features, learned
        As for `build_panel`. Features that ask fitted models need a database that calls Python: DuckDB or Spark.

    Returns
    -------
    ibis.Table
        `client_id`, `cutoff` and one column a feature. Execute it, or let the database write it.

    Raises
    ------
    ValueError
        If a table lacks a column that must be there or that a feature needs, or `kind` asks for contracts that are not
        there.

    Notes
    -----
    The values are those of `build_panel` within 1e-9. Texts decide ties by their bytes here and by the collation there.

    Examples
    --------
    >>> import ibis
    >>> import pandas as pd
    >>> bills = ibis.memtable(pd.DataFrame({
    ...     "client_id": ["ann", "ann", "bob"],
    ...     "event_time": pd.to_datetime(["2024-01-01", "2024-01-11", "2024-01-31"]),
    ...     "amount": [10.0, 20.0, 7.0],
    ... }))
    >>> panel = lay_panel({"purchases": bills}, cutoffs="2024-01-31", horizon="30d")
    >>> panel.select("client_id", "recency").execute()
      client_id  recency
    0       ann     10.0
    """
    import ibis

    from loyalty.features.in_ibis import Compiler

    if kind not in get_args(OutcomeKind):
        raise ValueError(f"`kind` must be 'non-contractual' or 'contractual'; got {kind!r}.")
    if kind == "contractual" and "contracts" not in tables:
        raise ValueError("`kind` 'contractual' needs the table `contracts`.")
    known = {name: _canonical(name, table) for name, table in tables.items()}
    models = learned or {}
    there: Any = SimpleNamespace(columns={name: tuple(table.columns) for name, table in known.items()})
    chosen = choose_features(there, models=models) if features is None else computable(there, features, models=models)
    outcome = Outcome.of(horizon=horizon, gap=gap)
    stand = standing(kind=kind, active=None if active is None else as_duration(active, name="active"))
    snapshots = []
    for cutoff in as_cutoffs(cutoffs):
        start, end = outcome.window(cutoff)
        snapshots.append(Compiler(known, cutoff, start + (end - start) / 2, models).snapshot(stand, chosen))
    return snapshots[0] if len(snapshots) == 1 else ibis.union(*snapshots)


def _canonical(name: str, table: "ibis.Table") -> "ibis.Table":
    """Refuse a table without its columns, and let `known_at` be there."""
    if name not in TABLES:
        raise ValueError(f"`tables` names {name!r}, which is none of {', '.join(TABLES)}.")
    lacking = [column.name for column in TABLES[name].columns if column.required and column.name not in table.columns]
    if lacking:
        raise ValueError(
            f"`tables`: {name} lacks the column {lacking[0]!r}. Rename yours: table.rename({lacking[0]}=...)."
        )
    time = table[TABLES[name].time]
    return table.mutate(known_at=table.known_at.fill_null(time) if "known_at" in table.columns else time)
