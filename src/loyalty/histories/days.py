"""The days of what happened: whether they end too early, stand apart, or fall unevenly into the horizons."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

#: Days without a purchase that are nothing unusual in any trade; and around holidays.
_WEEK, _HOLIDAYS = 7, 14
#: A pause so many times as long as the next longest is none of a shop's own rhythm.
_OUT_OF_RHYTHM = 3
#: Days with purchases from which on their rhythm can be told.
MONTH = 30
#: From so long on a rhythm may be one of the year.
YEAR = pd.Timedelta(days=365)
#: Purchases are told in lumps, as once a month, where days with any are so rare, and bear so many rows each.
_DAYS_A_LUMP, _ROWS_A_LUMP = 5, 30
#: Horizons that hold fewer lumps than this share of the fullest are not alike.
_ALIKE = 0.8
#: How far back the rhythm of a shop is looked for: long enough to hold what happens once a year.
_LATELY = pd.Timedelta(days=2 * 366)

_DAY = 86_400_000_000  # microseconds
#: A contract that becomes known so long after its start, in microseconds, was not entered when it was made.
LATE = MONTH * _DAY
#: Of fewer contracts with an end, or without, nothing is told of when they become known.
_FEW_CONTRACTS = 20
#: A renewal is far from the start of a contract if it is so many times as far as the most that was left of any.
_SEVERAL = 1.5
#: So many dates may be wrong ones.
_STRAY = 0.01
#: Days between the first and the last that are ticked off and not sorted.
_TICKED = 10_000_000

#: Days on which something happened, each once, in order.
Days = pd.Series


def distinct_days(times: NDArray[np.int64]) -> NDArray[np.int64]:
    """List the day of each of these times, in microseconds since 1970, once and in order."""
    days = times // _DAY
    if len(days) == 0 or (span := int(days.max() - (least := int(days.min()))) + 1) > _TICKED:
        return np.unique(days)
    there = np.zeros(span, bool)
    there[days - least] = True
    return np.flatnonzero(there) + least


def odd_days(days: Days) -> list[str]:
    """Tell of days that stand apart, where a wrong date would do harm, or a time without any.

    A last day far from the rest makes outcomes look decided that are not; a first one makes clients look old; and where
    nobody could buy, everybody looks like a leaver.
    """
    if len(days) <= MONTH:
        return []
    said = []
    pauses = days.diff().dt.days.to_numpy()[1:]
    if pauses[-1] > max(_WEEK, 2 * _longest_pause(days.iloc[:-1])):
        said.append(
            f"purchases: the last day, {days.iloc[-1]:%Y-%m-%d}, comes {pauses[-1]:.0f} days after the one before; "
            "if it is a wrong date, outcomes look decided that are not."
        )
    if closed := closed_days(days.iloc[:-1]):
        said.append(
            f"purchases: there is none between {closed[0]:%Y-%m-%d} and {closed[1]:%Y-%m-%d}; if dates before that are "
            "wrong, their clients look older than they are; if nothing was sold then, all looked like leavers."
        )
    return said


def late_ends(late: NDArray[np.bool_], ended: NDArray[np.bool_]) -> list[str]:
    """Say so if contracts with an end mostly became known late, towards the end, and the others did not."""
    if min(ended.sum(), (~ended).sum()) < _FEW_CONTRACTS or late[ended].mean() < 0.5 or late[~ended].mean() > 0.1:
        return []
    others = int(late[~ended].sum())
    return [
        f"contracts: {int(late[ended].sum()):,} of {int(ended.sum()):,} with an end became known more than a month "
        f"after their start and nearer to their end, of the others {others:,} late: until then their clients are not "
        "there. If `known_at` is when notice was given, leave it out here and tell the notice as a row of contacts or "
        "events."
    ]


def moved_renewals(start: NDArray[np.int64], end: NDArray[np.int64], renews: NDArray[np.int64]) -> list[str]:
    """Say so if the renewals of ended contracts, in microseconds, seem to have been moved on for as long as they ran.

    Then no more is left of any than a term, however long ago it started: of those who left within their first term, and
    of those whose renewal lies several terms after the start. One in a hundred may be otherwise. Those that ended on
    the day of their renewal say nothing.
    """
    agreed, left = renews - start, renews - end
    far = np.abs(left) > _WEEK * _DAY
    if not far.any() or np.quantile(left[far], _STRAY) < 0:
        return []
    most = np.quantile(left[far], 1 - _STRAY)
    between = far & (left > 0) & (left <= most)
    moved = between & (agreed > _SEVERAL * most)
    if min(moved.sum(), (between & ~moved).sum()) < _FEW_CONTRACTS:
        return []
    return [
        f"contracts: {int(moved.sum()):,} ended before a `renews_at` far from their start, and of none was more left "
        f"than {most / _DAY:.0f} days: if the date is moved on at each renewal, it tells who stayed, and at the "
        "next cutoff it will not. Bring it as it was agreed when the row began, or leave it out."
    ]


def closed_days(days: Days, *, at_least: int = 0) -> tuple[pd.Timestamp, pd.Timestamp] | None:
    """Find a time without purchases that is none of a shop's own rhythm: the last day before it and the first after.

    Longer than two weeks and three times as long as the next longest, as where a shop was closed, or a month of its
    data is missing; with more days before it than `at_least`.
    """
    if len(days) <= MONTH:
        return None
    pauses = days.diff().dt.days.to_numpy()[1:]
    longest = int(pauses.argmax())
    if pauses[longest] <= max(_HOLIDAYS, _OUT_OF_RHYTHM * np.sort(pauses)[-2]) or longest < at_least:
        return None
    return days.iloc[longest], days.iloc[longest + 1]


def stale_days(days: Days, cutoff: pd.Timestamp, *, what: str, so: str) -> str:
    """Say so if the days of something known at a cutoff end long before it, and what follows."""
    if days.empty:
        return ""
    silent = (cutoff - days.iloc[-1]).days
    if silent <= max(_WEEK, 2 * _longest_pause(days)):
        return ""
    return f"The {what} known at {cutoff:%Y-%m-%d} end on {days.iloc[-1]:%Y-%m-%d}, {silent} days before: {so}."


def uneven_days(days: Days, windows: Sequence[tuple[pd.Timestamp, pd.Timestamp]], *, rows: int) -> str:
    """Say so if days are lumps of rows, of which one window holds more than another; `windows` are of one length."""
    held = [int(days.between(*window, inclusive="left").sum()) for window in windows]
    if not held or rows < _ROWS_A_LUMP * len(days):
        return ""
    length, most, least = (windows[0][1] - windows[0][0]).days, max(held), min(held)
    if most * _DAYS_A_LUMP > length or least >= _ALIKE * most:
        return ""
    return (
        f"Horizons of {length} days hold from {least} to {most} of the days with purchases: what is told in lumps, as "
        "once a month, falls into them by the calendar, and spend with it. Date such rows in the middle of what they "
        "tell, with `known_at` at its end, or choose horizon and cutoffs that hold as many."
    )


def _longest_pause(days: Days) -> int:
    """Count the days from one to the next, where they are most, in the last two years: what is long for a shop."""
    lately = days[days >= days.iloc[-1] - _LATELY]
    return int(lately.diff().dt.days.max()) if len(lately) > 1 else 0
