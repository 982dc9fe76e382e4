"""Setting: what is predicted, for whom, and from which cutoffs one learns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from loyalty.checks import is_whole_number
from loyalty.histories import Histories, OutcomeKind, at_instant
from loyalty.timeline import (
    ROWS_AT_MOST,
    Duration,
    Instant,
    Outcome,
    Split,
    as_cutoffs,
    as_duration,
    as_instant,
    rolling_origins,
)

if TYPE_CHECKING:
    import ibis

__all__ = ["WARM_UP", "YEAR", "Setting", "first_known"]

YEAR = pd.Timedelta(days=365)

#: Before a client base has a little history there is nothing to learn from.
WARM_UP = pd.Timedelta(days=60)
#: A horizon of which so large a part, as one in ten, was without any purchase is not learned from.
_MUCH = 10


@dataclass(frozen=True)
class Setting:
    """What is predicted, for whom, and from which cutoffs one learns.

    Attributes
    ----------
    outcome : Outcome
        Gap and horizon.
    kind : {"non-contractual", "contractual"}
        What leaving means.
    active : Timedelta or None
        Population: clients with a purchase within this long before the cutoff; all ever seen if None.
    every : Timedelta
        Distance between training cutoffs.
    first : Timestamp or None
        No training cutoff before this. If None, 60 days after the first purchase, or half the way from it to the
        latest possible training cutoff where that is earlier.
    at_most : int
        Training cutoffs per test cutoff at the most, the latest ones.
    rows_at_most : int
        Rows learned from for a test cutoff, a client at a training cutoff being one: where there would be more, clients
        are drawn so that about as many are left, a few hundredths more or fewer.
    """

    outcome: Outcome
    kind: OutcomeKind
    active: pd.Timedelta | None
    every: pd.Timedelta
    first: pd.Timestamp | None
    at_most: int
    rows_at_most: int

    @classmethod
    def of(
        cls,
        *,
        horizon: Duration,
        gap: Duration = "0d",
        kind: OutcomeKind = "non-contractual",
        active: Duration | None = None,
        every: Duration = "30d",
        first: Instant | None = None,
        at_most: int = 24,
        rows_at_most: int = ROWS_AT_MOST,
    ) -> "Setting":
        """Read a setting as it is written in a call or a config."""
        if not is_whole_number(rows_at_most, least=1):
            raise ValueError(f"`rows_at_most` must be a whole number of at least 1; got {rows_at_most!r}.")
        return cls(
            outcome=Outcome.of(horizon=horizon, gap=gap),
            kind=kind,
            active=None if active is None else as_duration(active, name="active"),
            every=as_duration(every, name="every"),
            first=None if first is None else as_instant(first, name="first"),
            at_most=at_most,
            rows_at_most=int(rows_at_most),
        )

    def count(self, histories: Histories, cutoff: pd.Timestamp) -> int:
        """Count the clients who stand at a cutoff."""
        return int(histories.population(cutoff=cutoff, kind=self.kind, active=self.active).count().execute())

    def ever(self, histories: Histories) -> "ibis.Table":
        """Name the clients who ever bought or, where contracts tell who leaves, held one."""
        histories._check_kind(self.kind)
        return histories.tables["purchases" if self.kind == "non-contractual" else "contracts"].select("client_id")

    def share(self, histories: Histories, cutoffs: Sequence[pd.Timestamp]) -> float:
        """Tell of which share of the clients there are about as many rows at these cutoffs as may be learned from."""
        if self.ever(histories).client_id.nunique().execute() * len(cutoffs) <= self.rows_at_most:
            return 1.0
        return min(1.0, self.rows_at_most / max(1, sum(self.count(histories, cutoff) for cutoff in cutoffs)))

    def splits(self, histories: Histories, cutoffs: Iterable[Instant]) -> tuple[Split, ...]:
        """Lay the training cutoffs behind each of `cutoffs`, but for those about a time when the shop was closed.

        Where a time without any purchase, as `Histories.closed` tells, holds a tenth of their horizon or more,
        everybody looked like a leaver; and for as long after it, but no longer than a horizon, many were silent because
        of it. Nothing is learned from either, unless there is nothing else.

        Raises
        ------
        ValueError
            If a test cutoff has no room for a training cutoff.
        """
        # One by one: an early purchase reported after one test cutoff must not move its training cutoffs.
        return tuple(self._lay(histories, cutoff)[0] for cutoff in as_cutoffs(cutoffs))

    def anniversaries(self, histories: Histories, cutoff: pd.Timestamp) -> list[pd.Timestamp]:
        """Name the instants n times 365 days before a cutoff, as far back as training cutoffs may lie; oldest first."""
        first = self._first(histories, cutoff) if self.first is None else self.first
        years = range(1, max((cutoff - first) // YEAR, 0) + 1)
        return [cutoff - number * YEAR for number in reversed(years)]

    def was_open(
        self, histories: Histories, spells: Iterable[tuple[pd.Timestamp, pd.Timestamp]], *, cutoff: pd.Timestamp
    ) -> list[bool]:
        """Tell in which spells clients bought as ever, as far as was known at a cutoff: see `splits`.

        Not in one of which the shop was closed for a tenth, or that begins soon after it was.
        """
        closed = self._closed(histories, cutoff)
        return [
            closed is None or _is_open(start, closed, Outcome(horizon=end - start, gap=pd.Timedelta(0)))
            for start, end in spells
        ]

    def unevenness(self, histories: Histories, splits: Iterable[Split]) -> str:
        """Say so if the horizons learned from and tested at hold more or fewer purchases or ends by the calendar."""
        stood = {when for split in splits for when in (*split.train, split.test)}
        return histories.unevenness(sorted(stood), outcome=self.outcome, kind=self.kind)

    def goes_on(self, histories: Histories, cutoff: pd.Timestamp) -> str:
        """Say so if the histories go on beyond the horizon of a cutoff to be scored, which then lies in the past."""
        after = (histories.observed_until - cutoff).days
        if cutoff + self.outcome.reach >= histories.observed_until:
            return ""
        return (
            f"The score cutoff {cutoff:%Y-%m-%d} lies {after} days before the end of what was recorded: clients are "
            "scored as they stood then."
        )

    def left_out(self, histories: Histories, splits: Iterable[Split]) -> list[str]:
        """Say whether training cutoffs are left out because the shop was closed, or learned from all the same."""
        said = [self._lay(histories, split.test)[1] for split in splits]
        return [note for note in dict.fromkeys(said) if note]

    def reopened(self, histories: Histories, cutoffs: Iterable[pd.Timestamp]) -> list[str]:
        """Say which cutoffs lie so soon after the shop was closed that many have been silent because of it."""
        said = []
        for cutoff in cutoffs:
            closed = self._closed(histories, cutoff)
            if closed is not None and _is_soon_after(cutoff, closed, self.outcome):
                said.append(
                    f"Nothing was bought between {closed[0]:%Y-%m-%d} and {closed[1]:%Y-%m-%d}: at {cutoff:%Y-%m-%d} "
                    "whoever has not bought since has been silent for long, and more are told to leave than will."
                )
        return said

    def _lay(self, histories: Histories, cutoff: pd.Timestamp) -> tuple[Split, str]:
        """Lay the training cutoffs behind one, and say so if the shop was closed about some of them."""
        lay = partial(
            rolling_origins,
            [cutoff],
            outcome=self.outcome,
            first=self._first(histories, cutoff) if self.first is None else self.first,
            every=self.every,
            observed_until=histories.observed_until,
        )
        (split,) = lay(at_most=self.at_most)
        closed = self._closed(histories, cutoff)
        if closed is None or all(_is_open(when, closed, self.outcome) for when in split.train):
            return split, ""
        (whole,) = lay(at_most=None)
        train = tuple(when for when in whole.train if _is_open(when, closed, self.outcome))
        said = f"Nothing was bought between {closed[0]:%Y-%m-%d} and {closed[1]:%Y-%m-%d}: training cutoffs with "
        if not train:
            return split, f"{said}that in their horizon, or soon after it, are learned from, as there are no others."
        split = replace(split, train=train[-self.at_most :])
        return split, f"{said}a tenth of their horizon in it, or soon after it, are left out."

    def _closed(self, histories: Histories, cutoff: pd.Timestamp) -> tuple[pd.Timestamp, pd.Timestamp] | None:
        """Tell when the shop was closed, as far as it matters: contracts run on while nothing is bought."""
        return histories.closed(cutoff) if self.kind == "non-contractual" else None

    def _first(self, histories: Histories, cutoff: pd.Timestamp) -> pd.Timestamp:
        """Let the client base have a little history, or, where all of it is short, half of what there is."""
        first = first_known(histories, cutoff)
        latest = min(cutoff, histories.observed_until) - self.outcome.reach
        return first + max(min(WARM_UP, (latest - first) / 2), pd.Timedelta(0))


def _is_open(cutoff: pd.Timestamp, closed: tuple[pd.Timestamp, pd.Timestamp], outcome: Outcome) -> bool:
    """Tell whether clients could buy in nearly all of the horizon, and had been able to before the cutoff."""
    last, again = closed
    start, end = outcome.window(cutoff)
    missing = min(end, again) - max(start, last + pd.Timedelta(days=1))
    return missing < outcome.horizon / _MUCH and not _is_soon_after(cutoff, closed, outcome)


def _is_soon_after(cutoff: pd.Timestamp, closed: tuple[pd.Timestamp, pd.Timestamp], outcome: Outcome) -> bool:
    """Tell whether many were silent because of it: as long after it as it took, but no longer than a horizon."""
    last, again = closed
    return last <= cutoff < again + min(again - last, outcome.horizon)


def first_known(histories: Histories, cutoff: pd.Timestamp) -> pd.Timestamp:
    """When the first purchase was made, as far as was known before `cutoff`."""
    at = at_instant(cutoff)
    first = histories.purchases.filter(lambda t: t.known_at < at).event_time.min().execute()
    if pd.isna(first):
        raise ValueError(
            f"test cutoff {cutoff:%Y-%m-%d} leaves nothing to learn from: no purchase was known before it; the first "
            f"was made on {histories.first_event:%Y-%m-%d}. Choose a later test cutoff."
        )
    return pd.Timestamp(first).as_unit("us")
