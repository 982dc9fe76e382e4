"""Labels: the only reader of what happens at or after a cutoff."""

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pandas as pd

from loyalty.histories import Histories, OutcomeKind, at_instant
from loyalty.timeline import Duration, Instant, Outcome, as_cutoffs, as_instant

if TYPE_CHECKING:
    import ibis

__all__ = ["CensoredHorizonWarning", "build_labels"]


class CensoredHorizonWarning(UserWarning):
    """A cutoff was dropped, because its horizon reaches past what was recorded."""


def build_labels(
    histories: Histories,
    *,
    cutoffs: Instant | Iterable[Instant],
    horizon: Duration,
    gap: Duration = "0d",
    kind: OutcomeKind = "non-contractual",
    active: Duration | None = None,
    known_before: Instant | None = None,
) -> pd.DataFrame:
    """Tell, for every client at every cutoff, who left and what was spent.

    The outcome of a cutoff is decided in ``[cutoff + gap, cutoff + gap + horizon)``. A cutoff whose window is not
    over when the recording ends is dropped, with a warning.

    Parameters
    ----------
    histories : Histories
        What was recorded, up to `Histories.observed_until`.
    cutoffs : str, date, Timestamp or iterable of them
        Where we stand.
    horizon, gap : str or timedelta
        Length of the outcome window, and the time before it opens.
    kind : {"non-contractual", "contractual"}
        Non-contractual: churned means no purchase (a row with a positive amount) in the window. Contractual: a
        contract ends in the window and none is in force when it closes; a client whose last contract already
        ends in the gap has no outcome and is left out.
    active : str or timedelta, optional
        Keep only clients with a purchase within this long before the cutoff.
    known_before : str, date or Timestamp, optional
        Stand here and see only what was known before: the labels that a model for this cutoff may learn from.
        Late reports are missing in them, as they were then.

    Returns
    -------
    DataFrame
        `churned` (0 or 1) and `value` (net spend in the window, refunds taken off); indexed by `client_id` and
        `cutoff`, sorted by cutoff and client, in the rows of `build_panel`.

    Raises
    ------
    ValueError
        If every cutoff's horizon is censored.

    Warns
    -----
    CensoredHorizonWarning
        Naming the cutoffs that were dropped.

    Examples
    --------
    Bob's purchase on 1 March falls just outside the 29 days of February:

    >>> import pandas as pd
    >>> bills = pd.DataFrame({
    ...     "client_id": ["ann", "ann", "bob", "bob"],
    ...     "event_time": ["2024-01-05", "2024-02-29", "2024-01-09", "2024-03-01"],
    ...     "amount": [10.0, 20.0, 5.0, 7.0],
    ... })
    >>> build_labels(Histories(bills), cutoffs="2024-02-01", horizon="29d")
                          churned  value
    client_id cutoff
    ann       2024-02-01        0   20.0
    bob       2024-02-01        1    0.0
    """
    outcome = Outcome.of(horizon=horizon, gap=gap)
    until = histories.observed_until
    seen_to = until if known_before is None else min(until, as_instant(known_before, name="known_before"))
    asked = as_cutoffs(cutoffs)
    decided = tuple(cutoff for cutoff in asked if outcome.window(cutoff)[1] <= seen_to)
    _tell_censored([cutoff for cutoff in asked if cutoff not in decided], decided, outcome, seen_to)
    known = None if known_before is None else as_instant(known_before, name="known_before")
    parts = []
    for cutoff in decided:
        population = histories.population(cutoff=cutoff, kind=kind, active=active)
        value = _value(histories, cutoff, outcome, known)
        if kind == "non-contractual":
            labels = population.left_join(value, "client_id").mutate(churned=lambda t: 1 - t.bought.fill_null(0))
        else:
            ended = _contract_ended(histories, cutoff, outcome, known)
            labels = population.inner_join(ended, "client_id").left_join(value, "client_id")
        labels = labels.mutate(value=lambda t: t.value.fill_null(0.0)).order_by("client_id")
        parts.append(labels.select("client_id", "churned", "value").execute().assign(cutoff=cutoff))
    joined = pd.concat(parts, ignore_index=True).astype({"churned": "int8", "value": "float64"})
    joined["cutoff"] = joined["cutoff"].astype("datetime64[us]")
    return joined.set_index(["client_id", "cutoff"])


def _tell_censored(
    dropped: list[pd.Timestamp], decided: tuple[pd.Timestamp, ...], outcome: Outcome, seen_to: pd.Timestamp
) -> None:
    if not dropped:
        return
    names = ", ".join(f"{cutoff:%Y-%m-%d}" for cutoff in dropped)
    said = (
        f"the outcome of {names} is decided up to {outcome.reach.days} days later, but known only to {seen_to:%Y-%m-%d}"
    )
    if not decided:
        raise ValueError(f"`cutoffs`: {said}; none is left. Choose earlier cutoffs or a shorter horizon.")
    warnings.warn(f"{said}: dropped.", CensoredHorizonWarning, stacklevel=3)


def _value(histories: Histories, cutoff: pd.Timestamp, outcome: Outcome, known: pd.Timestamp | None) -> "ibis.Table":
    """Add up the window: whether anything was bought, and the net spend."""
    start, end = outcome.window(cutoff)
    inside = histories.purchases.filter(
        lambda t: (t.event_time >= at_instant(start)) & (t.event_time < at_instant(end))
    )
    if known is not None:
        inside = inside.filter(lambda t: t.known_at < at_instant(known))
    return inside.group_by("client_id").aggregate(
        bought=lambda t: (t.amount > 0).max().cast("int8"), value=lambda t: t.amount.sum()
    )


def _contract_ended(
    histories: Histories, cutoff: pd.Timestamp, outcome: Outcome, known: pd.Timestamp | None
) -> "ibis.Table":
    """Say of each contract holder whether the last contract ends in the window; leave out whom the gap takes."""
    opens, closes = outcome.window(cutoff)
    contracts = histories.tables["contracts"]
    if known is not None:
        contracts = contracts.filter(lambda t: t.known_at < at_instant(known))
    if "end" not in contracts.columns:
        import ibis

        contracts = contracts.mutate(end=ibis.null("timestamp(6)"))

    def in_force(t: Any, instant: pd.Timestamp) -> Any:
        return (t.start < at_instant(instant)) & (t.end.isnull() | (t.end >= at_instant(instant)))  # noqa: PD003 - Ibis, not pandas

    by_client = contracts.group_by("client_id").aggregate(
        open_=lambda t: in_force(t, opens).max(), close=lambda t: in_force(t, closes).max()
    )
    return by_client.filter(lambda t: t.open_).select("client_id", churned=lambda t: 1 - t.close.cast("int8"))
