"""Labels: the only reader of what happens at or after a cutoff."""

import warnings
from collections.abc import Callable, Iterable
from typing import Any

import ibis
import pandas as pd
from numpy.typing import NDArray

from loyalty.checks import is_whole_number
from loyalty.histories import Histories, OutcomeKind, at_instant
from loyalty.timeline import Duration, Instant, Outcome, as_cutoffs, as_duration, as_instant

__all__ = ["CensoredHorizonWarning", "build_durations", "build_labels", "build_spend"]


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
    clients: Iterable[Any] | None = None,
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
    clients : iterable of client ids, optional
        Keep only these.

    Returns
    -------
    DataFrame
        `churned` (0 or 1) and `value` (net spend in the window, refunds taken off); indexed by `client_id` and
        `cutoff`, sorted by cutoff and client, in the rows of `build_panel`.

    Raises
    ------
    ValueError
        If every cutoff's horizon is censored, or one of `clients` is not of their kind.

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
    only = None if clients is None else histories.client_ids(clients)
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
        rows = _of_clients(labels.select("client_id", "churned", "value").execute(), only)
        parts.append(rows.assign(cutoff=cutoff))
    joined = pd.concat(parts, ignore_index=True).astype({"churned": "int8", "value": "float64"})
    joined["cutoff"] = joined["cutoff"].astype("datetime64[us]")
    return joined.set_index(["client_id", "cutoff"])


def build_spend(
    histories: Histories,
    *,
    cutoffs: Instant | Iterable[Instant],
    period: Duration,
    until: Duration,
    gap: Duration = "0d",
    kind: OutcomeKind = "non-contractual",
    active: Duration | None = None,
    known_before: Instant | None = None,
    clients: Iterable[Any] | None = None,
) -> pd.DataFrame:
    """Add up what every client at every cutoff spent in one period after another.

    Period ``k`` of a cutoff begins `gap` and ``k - 1`` periods after it; the last ends at `until`, if that is sooner.

    Parameters
    ----------
    histories : Histories
        What was recorded, up to `Histories.observed_until`.
    cutoffs : str, date, Timestamp or iterable of them
        Where we stand.
    period : str or timedelta
        Length of a period.
    until : str or timedelta
        How long after the gap to follow a client.
    gap, kind, active, known_before, clients
        As in `build_labels`.

    Returns
    -------
    DataFrame
        Net spend, a column a period, named by the days from the gap to its end; NaN where the period is not over, so
        that no cutoff is dropped. Indexed by `client_id` and `cutoff`, sorted by cutoff and client, in the rows that
        `build_labels` would have.

    Raises
    ------
    ValueError
        If `period` or `until` is shorter than a day, or one of `clients` is not of their kind.

    Examples
    --------
    Of 75 days the third period of 30 has 15. Bob's purchase on 2 March is the first of his second; the third is not
    over:

    >>> import pandas as pd
    >>> bills = pd.DataFrame({
    ...     "client_id": ["ann", "bob", "bob"], "event_time": ["2024-01-05", "2024-01-09", "2024-03-02"],
    ...     "amount": [10.0, 5.0, 7.0],
    ... })
    >>> histories = Histories(bills, observed_until="2024-04-15")
    >>> build_spend(histories, cutoffs="2024-02-01", period="30d", until="75d")
                           30   60  75
    client_id cutoff
    ann       2024-02-01  0.0  0.0 NaN
    bob       2024-02-01  0.0  7.0 NaN
    """
    length, whole = as_duration(period, name="period"), as_duration(until, name="until")
    for name, given in (("period", length), ("until", whole)):
        if given < pd.Timedelta(days=1):
            raise ValueError(f"`{name}` must be at least one day; got {given.days} days.")
    starts = [number * length for number in range(-(-whole // length))]
    ends = [min(start + length, whole) for start in starts]
    outcome = Outcome.of(horizon=period, gap=gap)
    known = None if known_before is None else as_instant(known_before, name="known_before")
    seen_to = histories.observed_until if known is None else min(histories.observed_until, known)
    only = None if clients is None else histories.client_ids(clients)
    parts = []
    for cutoff in as_cutoffs(cutoffs):
        rows = histories.population(cutoff=cutoff, kind=kind, active=active)
        if kind == "contractual":
            rows = rows.semi_join(_contract_ended(histories, cutoff, outcome, known), "client_id")
        there = pd.Index(_of_clients(rows.order_by("client_id").select("client_id").execute(), only)["client_id"])
        opens = outcome.window(cutoff)[0]
        paid = _paid(histories, opens, length, opens + whole, known).semi_join(rows, "client_id")
        told = _of_clients(paid.execute(), only)
        spend = told.pivot_table(index="client_id", columns="period", values="value", aggfunc="sum")
        spend = spend.reindex(index=there, columns=range(len(starts))).fillna(0.0)
        spend.columns = pd.Index([end.days for end in ends])
        spend.loc[:, [opens + end > seen_to for end in ends]] = float("nan")
        parts.append(spend.assign(cutoff=cutoff))
    joined = pd.concat(parts).astype({"cutoff": "datetime64[us]"})
    return joined.set_index("cutoff", append=True)


def _paid(
    histories: Histories, opens: pd.Timestamp, length: pd.Timedelta, end: pd.Timestamp, known: pd.Timestamp | None
) -> ibis.Table:
    """Add up what each client spent in each period from an instant on, the first being 0."""
    microseconds = length // pd.Timedelta(microseconds=1)
    begun = _inside(histories, opens, end, known).mutate(
        period=lambda t: t.event_time.delta(at_instant(opens), unit="microsecond") // microseconds
    )
    return begun.group_by("client_id", "period").aggregate(value=lambda t: t.amount.sum())


def _of_clients(rows: pd.DataFrame, only: NDArray[Any] | None) -> pd.DataFrame:
    return rows if only is None else rows[rows["client_id"].isin(only)]


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


def _value(histories: Histories, cutoff: pd.Timestamp, outcome: Outcome, known: pd.Timestamp | None) -> ibis.Table:
    """Add up the window: whether anything was bought, and the net spend."""
    inside = _inside(histories, *outcome.window(cutoff), known)
    return inside.group_by("client_id").aggregate(
        bought=lambda t: (t.amount > 0).max().cast("int8"), value=lambda t: t.amount.sum()
    )


def _inside(histories: Histories, start: pd.Timestamp, end: pd.Timestamp, known: pd.Timestamp | None) -> ibis.Table:
    """Take the purchases from one instant up to another, all or those known before a third."""
    inside = histories.purchases.filter(
        lambda t: (t.event_time >= at_instant(start)) & (t.event_time < at_instant(end))
    )
    return inside if known is None else inside.filter(lambda t: t.known_at < at_instant(known))


def _contract_ended(
    histories: Histories, cutoff: pd.Timestamp, outcome: Outcome, known: pd.Timestamp | None
) -> ibis.Table:
    """Say of each contract holder whether the last contract ends in the window; leave out whom the gap takes."""
    opens, closes = outcome.window(cutoff)
    contracts = _contracts(histories, known)
    by_client = contracts.group_by("client_id").aggregate(
        open_=lambda t: _in_force(t, opens).max(), close=lambda t: _in_force(t, closes).max()
    )
    return by_client.filter(lambda t: t.open_).select("client_id", churned=lambda t: 1 - t.close.cast("int8"))


def build_durations(
    histories: Histories,
    *,
    cutoffs: Instant | Iterable[Instant],
    period: Duration,
    periods: int,
    kind: OutcomeKind = "non-contractual",
    silence: Duration | None = None,
    active: Duration | None = None,
    known_before: Instant | None = None,
    clients: Iterable[Any] | None = None,
) -> pd.DataFrame:
    """Tell, for every client at every cutoff, in which period the client leaves, or for how long nobody can tell yet.

    Period ``k`` of a cutoff is ``[cutoff + (k - 1) * period, cutoff + k * period)``. Only periods that are decided
    for all clients count: one that is not over would know of those who left in it and not of those who stayed.
    Censoring therefore depends on the cutoff alone. There is no gap; a curve is read from any period on.

    Parameters
    ----------
    histories : Histories
        What was recorded, up to `Histories.observed_until`.
    cutoffs : str, date, Timestamp or iterable of them
        Where we stand. Later ones may be observed for fewer periods; one without any decided period is dropped, with
        a warning.
    period : str or timedelta
        Length of a period, at least a day.
    periods : int
        How many periods to follow a client at the most.
    kind : {"non-contractual", "contractual"}
        Contractual: a client leaves in the first period at whose end no contract is in force. A lapse within one
        period is none; a return after a longer one comes too late, or those observed for longer would leave less
        often. Non-contractual: a client leaves with the last purchase (a row with a positive amount) before the
        first silence of at least `silence`; where that purchase lies before the cutoff, in period 1. A period is
        decided when `silence` has passed since its end.
    silence : str or timedelta, optional
        How long a non-contractual client buys nothing, once gone. A client of whom no purchase within this long was
        known at the cutoff is gone by then and left out.
    active : str or timedelta, optional
        Keep only clients with a row in `purchases` within this long before the cutoff.
    known_before : str, date or Timestamp, optional
        Stand here and see only what was known before: the durations that a model for this cutoff may learn from.
        Late reports are missing in them, as they were then.
    clients : iterable of client ids, optional
        Keep only these.

    Returns
    -------
    DataFrame
        `duration` (the period in which the client left, or how many decided periods the client stayed) and `churned`
        (1 or 0 likewise); indexed by `client_id` and `cutoff`, sorted by cutoff and client, a part of the rows of
        `build_panel`. Its ``attrs`` note ``period_days`` and ``silence_days``.

    Raises
    ------
    ValueError
        If no cutoff has a decided period, or `silence` is missing, or given where contracts tell who has left, or one
        of `clients` is not of their kind.

    Warns
    -----
    CensoredHorizonWarning
        Naming the cutoffs that were dropped.

    Examples
    --------
    From the purchase on 2 February to that on 3 March 30 days pass, a silence. Bob comes back one day earlier and
    is followed until the end of the last period that is decided:

    >>> import pandas as pd
    >>> bills = pd.DataFrame({
    ...     "client_id": ["ann", "ann", "ann", "bob", "bob"],
    ...     "event_time": ["2024-01-30", "2024-02-02", "2024-03-03", "2024-01-30", "2024-02-28"],
    ...     "amount": 9.0,
    ... })
    >>> histories = Histories(bills, observed_until="2024-03-26")
    >>> build_durations(histories, cutoffs="2024-02-01", period="1d", periods=30, silence="30d")
                          duration  churned
    client_id cutoff
    ann       2024-02-01         2        1
    bob       2024-02-01        24        0
    """
    length, quiet = _lengths(period, periods, kind, silence)
    known = None if known_before is None else as_instant(known_before, name="known_before")
    seen_to = histories.observed_until if known is None else min(histories.observed_until, known)
    asked = as_cutoffs(cutoffs)
    followed = {cutoff: min(int(periods), (seen_to - quiet - cutoff) // length) for cutoff in asked}
    decided = tuple(cutoff for cutoff in asked if followed[cutoff] > 0)
    first = Outcome(horizon=length + quiet, gap=pd.Timedelta(0))
    only = None if clients is None else histories.client_ids(clients)
    _tell_censored([cutoff for cutoff in asked if cutoff not in decided], decided, first, seen_to)
    parts = []
    for cutoff in decided:
        population = histories.population(cutoff=cutoff, kind=kind, active=active)
        ends = [cutoff + k * length for k in range(1, followed[cutoff] + 1)]
        if kind == "contractual":
            left = _coverage_ended(histories, cutoff, ends, known)
        else:
            left = _fell_silent(histories, cutoff, ends, quiet, known)
        told = population.inner_join(left, "client_id").order_by("client_id").select("client_id", "left_in")
        rows = _of_clients(told.execute(), only)
        stayed = rows["left_in"] > len(ends)
        parts.append(
            pd.DataFrame(
                {
                    "client_id": rows["client_id"],
                    "cutoff": cutoff,
                    "duration": rows["left_in"].clip(upper=len(ends)).astype("int32"),
                    "churned": (~stayed).astype("int8"),
                }
            )
        )
    joined = pd.concat(parts, ignore_index=True)
    joined["cutoff"] = joined["cutoff"].astype("datetime64[us]")
    table = joined.set_index(["client_id", "cutoff"])
    table.attrs.update(period_days=length.days, silence_days=quiet.days)
    return table


def _lengths(
    period: Duration, periods: int, kind: OutcomeKind, silence: Duration | None
) -> tuple[pd.Timedelta, pd.Timedelta]:
    """Check the options of `build_durations`; return a period, and the time until it is decided."""
    length = as_duration(period, name="period")
    if length < pd.Timedelta(days=1):
        raise ValueError(f"`period` must be at least one day; got {period!r}.")
    if not is_whole_number(periods, least=1):
        raise ValueError(f"`periods` must be a whole number of at least 1; got {periods!r}.")
    if kind == "contractual":
        if silence is not None:
            raise ValueError(f"`silence` has no meaning where `kind` is 'contractual'; got {silence!r}. Leave it out.")
        return length, pd.Timedelta(0)
    quiet = pd.Timedelta(0) if silence is None else as_duration(silence, name="silence")
    if quiet < pd.Timedelta(days=1):
        raise ValueError(f"`silence` must be at least one day where `kind` is 'non-contractual'; got {silence!r}.")
    return length, quiet


def _contracts(histories: Histories, known: pd.Timestamp | None) -> ibis.Table:
    """Take the contracts known before an instant, or all; one without an end has none."""
    contracts = histories.tables["contracts"]
    if known is not None:
        contracts = contracts.filter(lambda t: t.known_at < at_instant(known))
    return contracts if "end" in contracts.columns else contracts.mutate(end=ibis.null("timestamp(6)"))


def _in_force(contract: Any, instant: pd.Timestamp) -> Any:
    """Say whether a contract covers an instant; one that ends at it still does."""
    at = at_instant(instant)
    return (contract.start < at) & (contract.end.isnull() | (contract.end >= at))  # noqa: PD003 - Ibis, not pandas


def _first_period_not(stays: Callable[[int], Any], ends: list[pd.Timestamp]) -> Any:
    """Find the first period at whose end a client does not stay; one more than there are for who always stays."""
    beyond = len(ends) + 1
    return ibis.least(
        ibis.literal(beyond, "int32"), *(stays(k).ifelse(beyond, k + 1).cast("int32") for k in range(len(ends)))
    )


def _coverage_ended(
    histories: Histories, cutoff: pd.Timestamp, ends: list[pd.Timestamp], known: pd.Timestamp | None
) -> ibis.Table:
    """Find the first period at whose end a holder has no contract in force."""
    contracts = _contracts(histories, known)
    covered = {f"covered_{k}": lambda t, end=end: _in_force(t, end).max() for k, end in enumerate(ends)}
    by_client = contracts.group_by("client_id").aggregate(open_=lambda t: _in_force(t, cutoff).max(), **covered)
    return by_client.filter(lambda t: t.open_).select(
        "client_id", left_in=lambda t: _first_period_not(lambda k: t[f"covered_{k}"], ends)
    )


def _fell_silent(
    histories: Histories,
    cutoff: pd.Timestamp,
    ends: list[pd.Timestamp],
    quiet: pd.Timedelta,
    known: pd.Timestamp | None,
) -> ibis.Table:
    """Find the period of the last purchase before the first silence that was not complete at the cutoff."""
    since = at_instant(cutoff - quiet)
    bought = histories.purchases.filter(lambda t: (t.amount > 0) & (t.event_time > since))
    present = bought.filter(lambda t: t.known_at < at_instant(cutoff)).select("client_id").distinct()
    if known is not None:
        bought = bought.filter(lambda t: t.known_at < at_instant(known))
    in_order = ibis.window(group_by="client_id", order_by="event_time")
    followed = bought.mutate(next_time=lambda t: t.event_time.lead().over(in_order))
    back = ibis.interval(days=quiet.days)
    last = followed.filter(lambda t: t.next_time.isnull() | (t.next_time >= t.event_time + back))  # noqa: PD003
    by_client = last.group_by("client_id").aggregate(last_time=lambda t: t.event_time.min())
    return by_client.semi_join(present, "client_id").select(
        "client_id", left_in=lambda t: _first_period_not(lambda k: t.last_time >= at_instant(ends[k]), ends)
    )
