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
#: Contracts end in lumps where so many times as many end on some days as on any, but at least so many, and most do so.
_TIMES_A_DAY, _ENDS_A_LUMP, _MOST = 5, 5, 0.5
#: Lumps farther apart are those of a season, as at the end of a year.
_A_MONTH_APART = 35
#: Horizons that hold fewer lumps than this share of the fullest are not alike.
_ALIKE = 0.8
#: How far back the rhythm of a shop is looked for: long enough to hold what happens once a year.
_LATELY = pd.Timedelta(days=2 * 366)

DAY = 86_400_000_000  # microseconds
#: Days between the first and the last that are ticked off and not sorted.
_TICKED = 10_000_000

#: Days on which something happened, each once, in order.
Days = pd.Series


def distinct_days(times: NDArray[np.int64]) -> NDArray[np.int64]:
    """List the day of each of these times, in microseconds since 1970, once and in order."""
    days = times // DAY
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


def uneven_purchases(days: Days, windows: Sequence[tuple[pd.Timestamp, pd.Timestamp]], *, rows: int) -> str:
    """Say so if purchases are told in lumps, of which one window holds more than another."""
    held = _uneven(days, windows) if rows >= _ROWS_A_LUMP * len(days) else ""
    return held and (
        f"{held} with purchases: what is told in lumps, as once a month, falls into them by the calendar, and spend "
        "with it. Date such rows in the middle of what they tell, with `known_at` at its end, or choose horizon and "
        "cutoffs that hold as many."
    )


def uneven_ends(ends: Days, windows: Sequence[tuple[pd.Timestamp, pd.Timestamp]]) -> str:
    """Say so if most contracts end on some days, as the last of a month, of which one window holds more than another.

    `ends` has a day for each contract, in order.
    """
    if ends.empty:
        return ""
    on_a_day = ends.value_counts().sort_index()
    usual = len(ends) / ((ends.iloc[-1] - ends.iloc[0]).days + 1)
    lumps = on_a_day[on_a_day >= max(_TIMES_A_DAY * usual, _ENDS_A_LUMP)]
    apart = pd.Series(lumps.index).diff().dt.days.median()
    if lumps.sum() <= _MOST * len(ends) or not apart <= _A_MONTH_APART:
        return ""
    held = _uneven(pd.Series(lumps.index), [window for window in windows if window[0] >= lumps.index[0]])
    return held and (
        f"{held} on which most contracts end, the last of them {lumps.index[-1]:%Y-%m-%d}: the calendar decides who "
        "leaves within one. Let cutoffs lie half way between such days, as on the 15th where contracts end with a "
        "month, and let `horizon` and `every` be whole months (30d, 61d, 91d)."
    )


def _uneven(days: Days, windows: Sequence[tuple[pd.Timestamp, pd.Timestamp]]) -> str:
    """Begin to say how many of these rare days windows hold, which are of one length; empty if they hold as many."""
    held = [int(days.between(*window, inclusive="left").sum()) for window in windows]
    if not held:
        return ""
    length, most, least = (windows[0][1] - windows[0][0]).days, max(held), min(held)
    if most * _DAYS_A_LUMP > length or least >= _ALIKE * most:
        return ""
    return f"Horizons of {length} days hold from {least} to {most} of the days"


def _longest_pause(days: Days) -> int:
    """Count the days from one to the next, where they are most, in the last two years: what is long for a shop."""
    lately = days[days >= days.iloc[-1] - _LATELY]
    return int(lately.diff().dt.days.max()) if len(lately) > 1 else 0
