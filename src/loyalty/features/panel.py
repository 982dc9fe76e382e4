"""The engine room: histories and cutoffs in, one row per client and cutoff out.

Each cutoff is computed from the rows known strictly before it and from nothing else; the filter stands in one
place, `_known`, and every feature is an expression over what it lets through.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence

import ibis
import pandas as pd

from loyalty.features import breadth, promotion, rhythm, value
from loyalty.features.catalogue import Feature, catalogue
from loyalty.histories import Histories, OutcomeKind, at_instant
from loyalty.timeline import Duration, Instant, Outcome, as_cutoffs

#: Every feature by name, in the order of the panel's columns.
CATALOGUE: Mapping[str, Feature] = catalogue(rhythm.FEATURES, value.FEATURES, breadth.FEATURES, promotion.FEATURES)

_MICROSECONDS = 86_400e6  # of a day


def choose_features(histories: Histories, names: Iterable[str] | None = None) -> tuple[Feature, ...]:
    """Pick features by name, or all that the columns of these histories allow.

    Raises
    ------
    ValueError
        If a name is not in the catalogue or stands twice, or the histories lack a column it needs.

    Examples
    --------
    >>> import pandas as pd
    >>> bills = pd.DataFrame({"client_id": [1], "event_time": ["2024-01-01"], "amount": [5.0]})
    >>> choose_features(Histories(bills), ["days_since_lst"])
    Traceback (most recent call last):
    ...
    ValueError: `features` names 'days_since_lst', which is not in the catalogue. Did you mean 'days_since_last'?
    """
    if names is None:
        return tuple(feature for feature in CATALOGUE.values() if not _missing(histories, feature))
    chosen = []
    for name in names:
        if name not in CATALOGUE:
            close = difflib.get_close_matches(name, CATALOGUE, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else " See docs/features.md."
            raise ValueError(f"`features` names {name!r}, which is not in the catalogue.{hint}")
        chosen.append(CATALOGUE[name])
    return _computable(histories, chosen)


def _computable(histories: Histories, features: Iterable[Feature]) -> tuple[Feature, ...]:
    """Return the features if each stands once and has the columns it needs."""
    chosen: dict[str, Feature] = {}
    for feature in features:
        if feature.name in chosen:
            raise ValueError(f"`features` names {feature.name!r} twice; name it once.")
        if missing := _missing(histories, feature):
            raise ValueError(
                f"the feature {feature.name!r} needs the column purchases.{missing[0]}, which is not there. "
                "Map the column, or leave the feature out of `features`."
            )
        chosen[feature.name] = feature
    return tuple(chosen.values())


def _missing(histories: Histories, feature: Feature) -> list[str]:
    return [column for column in feature.needs if column not in histories.purchases.columns]


def build_panel(
    histories: Histories,
    *,
    cutoffs: Instant | Iterable[Instant],
    horizon: Duration,
    gap: Duration = "0d",
    kind: OutcomeKind = "non-contractual",
    active: Duration | None = None,
    features: Sequence[Feature] | None = None,
    on_step: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Compute the features of every client at every cutoff.

    Parameters
    ----------
    histories : Histories
        What is known.
    cutoffs : str, date, Timestamp or iterable of them
        Where we stand. Only rows with ``known_at < cutoff`` are seen.
    horizon, gap : str or timedelta
        The outcome window that will be predicted; it sets the season of the row and reads no event.
    kind : {"non-contractual", "contractual"}
        Who stands at a cutoff: see `Histories.population`.
    active : str or timedelta, optional
        Keep only clients with a purchase within this long before the cutoff.
    features : sequence of Feature, optional
        Which to compute, and in which order; by default all that the histories' columns allow.
    on_step : callable, optional
        Told after each cutoff, in words.

    Returns
    -------
    DataFrame
        Float columns, one a feature; indexed by `client_id` and `cutoff`, sorted by cutoff and client.
        NaN where a feature has no value, as the gap of a client who bought once.

    Raises
    ------
    ValueError
        If a feature stands twice, or the histories lack a column it needs.

    Examples
    --------
    Bob's second purchase is made at the cutoff, so it is not seen:

    >>> import pandas as pd
    >>> bills = pd.DataFrame({
    ...     "client_id": ["ann", "ann", "bob", "bob"],
    ...     "event_time": ["2024-01-01", "2024-01-11", "2024-01-21", "2024-01-31"],
    ...     "amount": [10.0, 20.0, 5.0, 7.0],
    ... })
    >>> panel = build_panel(Histories(bills), cutoffs="2024-01-31", horizon="30d")
    >>> panel[["frequency", "recency", "T", "amount_sum"]]
                          frequency  recency     T  amount_sum
    client_id cutoff
    ann       2024-01-31        1.0     10.0  30.0        30.0
    bob       2024-01-31        0.0      0.0  10.0         5.0
    """
    outcome = Outcome.of(horizon=horizon, gap=gap)
    chosen = choose_features(histories) if features is None else _computable(histories, features)
    snapshots = []
    for cutoff in as_cutoffs(cutoffs):
        population = histories.population(cutoff=cutoff, kind=kind, active=active)
        snapshot = _snapshot(histories, population, cutoff, outcome, chosen).execute()
        snapshots.append(snapshot.astype(dict.fromkeys([f.name for f in chosen], "float64")))
        if on_step is not None:
            on_step(f"features at {cutoff:%Y-%m-%d}")
    panel = pd.concat(snapshots, ignore_index=True)
    panel["cutoff"] = panel["cutoff"].astype("datetime64[us]")
    panel = panel.set_index(["client_id", "cutoff"])
    panel.attrs["reach_days"] = outcome.reach.days  # so that a model knows when these rows' outcomes are decided
    return panel


def _snapshot(
    histories: Histories, population: ibis.Table, cutoff: pd.Timestamp, outcome: Outcome, features: Sequence[Feature]
) -> ibis.Table:
    """Lay out one cutoff: the population, joined by what each grain says of it."""
    computed = _with_inputs(features)
    known = _known(histories, cutoff)
    row = population
    for grain, table in (("purchases", known), ("purchase_days", _purchase_days(known, cutoff))):
        aggregates = {f.name: f.expression(table) for f in computed if f.grain == grain}
        if aggregates:
            told = table.group_by("client_id").aggregate(**aggregates)
            row = row.left_join(told, "client_id").drop("client_id_right")
    start, end = outcome.window(cutoff)
    told_of = {f.name: _or_empty(f, row[f.name]) for f in computed if f.grain != "snapshot"}
    row = row.select("client_id", **told_of, horizon_middle=at_instant(start + (end - start) / 2))
    columns = {f.name: _or_empty(f, f.expression(row)) if f.grain == "snapshot" else row[f.name] for f in features}
    return row.select("client_id", cutoff=at_instant(cutoff), **columns).order_by("client_id")


def _known(histories: Histories, cutoff: pd.Timestamp) -> ibis.Table:
    """Let through the purchases known strictly before the cutoff, with their age."""
    return histories.purchases.filter(lambda t: t.known_at < at_instant(cutoff)).mutate(
        age_days=lambda t: _age_days(t.event_time, cutoff)
    )


def _purchase_days(known: ibis.Table, cutoff: pd.Timestamp) -> ibis.Table:
    """Merge the purchases of one client and day; refunds and gifts are no purchases."""
    bought = known.filter(lambda t: t.amount > 0).mutate(day=lambda t: t.event_time.truncate("D"))
    days = bought.group_by("client_id", "day").aggregate(amount=lambda t: t.amount.sum(), lines=lambda t: t.count())
    by_client = ibis.window(group_by="client_id", order_by="day")
    return days.mutate(
        age_days=lambda t: _age_days(t.day, cutoff),
        gap_days=lambda t: t.day.delta(t.day.lag().over(by_client), unit="day"),
    )


def _age_days(time: ibis.Value, cutoff: pd.Timestamp) -> ibis.Value:
    # In whole microseconds: a window's edge is exact, and 30 days are 30.0.
    return time.delta(at_instant(cutoff), unit="microsecond") / -_MICROSECONDS


def _or_empty(feature: Feature, value: ibis.Value) -> ibis.Value:
    return value if feature.empty is None else value.fill_null(feature.empty)


def _with_inputs(features: Sequence[Feature]) -> tuple[Feature, ...]:
    """Add what a snapshot feature is computed from, when it was not asked for itself."""
    if not any(f.grain == "snapshot" for f in features):
        return tuple(features)
    asked = {f.name: f for f in features}
    inputs = {f.name: f for f in CATALOGUE.values() if f.grain != "snapshot" and not f.needs}
    return tuple((inputs | asked).values())
