"""Time: cutoffs, observation windows, gap, horizon, and splits that are proved instead of trusted.

Everything is half-open. At a cutoff, known is what happened strictly before it; the outcome is what happens in
``[cutoff + gap, cutoff + gap + horizon)``. All instants inside the package are UTC, written without a zone.
"""

import datetime as dt
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Real
from typing import overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = [
    "LeakError",
    "Outcome",
    "Split",
    "as_cutoffs",
    "as_duration",
    "as_instant",
    "days_since_1970",
    "prove_split",
    "rolling_origins",
    "written_instant",
]

Instant = str | dt.date | pd.Timestamp
Duration = str | dt.timedelta | pd.Timedelta

#: About how many rows a model learns from, a client at a training cutoff being one. More cost time and memory, and
#: teach little: see experiments/drawn_clients.md.
ROWS_AT_MOST = 300_000

_DURATION = re.compile(r"\s*(\d{1,5})\s*([dw])\s*")
_BEGINS_WITH_A_YEAR = re.compile(r"\s*\d{4}[-/]?\d{1,2}[-/]?\d{1,2}")
_DAYS = {"d": 1, "w": 7}
_EPOCH = pd.Timestamp("1970-01-01")
_MICROSECOND = pd.Timedelta(microseconds=1)
_MICROSECONDS_OF_A_DAY = 86_400_000_000


class LeakError(ValueError):
    """A training label's horizon reaches past the cutoff that is to be predicted."""


def as_instant(value: Instant, *, name: str) -> pd.Timestamp:
    """Read one instant; a zoned one becomes UTC, a naive one is taken as UTC.

    Parameters
    ----------
    value : str, date or Timestamp
        What the caller wrote.
    name : str
        The public argument it came in, for the error.

    Raises
    ------
    ValueError
        If it cannot be read as a date or time.

    Examples
    --------
    >>> as_instant("2024-03-01T09:00+09:00", name="cutoff")
    Timestamp('2024-03-01 00:00:00')
    """
    refusal = f"`{name}` must be a date such as '2024-03-01'; got {value!r}."
    # Not "now", whose meaning changes; not 20240301, which would be nanoseconds.
    dated = _BEGINS_WITH_A_YEAR.match(value) if isinstance(value, str) else isinstance(value, dt.date | np.datetime64)
    if not dated:
        raise ValueError(refusal)
    try:
        instant = pd.Timestamp(value)
    except (ValueError, TypeError) as error:
        raise ValueError(refusal) from error
    if pd.isna(instant):
        raise ValueError(refusal)
    return (instant.tz_convert("UTC").tz_localize(None) if instant.tzinfo else instant).as_unit("us")


def as_duration(value: Duration, *, name: str) -> pd.Timedelta:
    """Read a length of time in whole days: ``"90d"``, ``"13w"`` or a timedelta.

    Raises
    ------
    ValueError
        If it is not a whole, non-negative number of days or weeks.

    Examples
    --------
    >>> as_duration("2w", name="horizon")
    Timedelta('14 days 00:00:00')
    """
    if isinstance(value, str):
        match = _DURATION.fullmatch(value)
        if match is None:
            raise ValueError(f"`{name}` must be a number of days or weeks such as '90d' or '13w'; got {value!r}.")
        return pd.Timedelta(days=int(match[1]) * _DAYS[match[2]])
    if isinstance(value, Real):  # would be nanoseconds
        raise ValueError(f"`{name}` must say its unit, such as '90d' or '13w'; got {value!r}.")
    try:
        length = pd.Timedelta(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"`{name}` must be a number of days such as '90d'; got {value!r}.") from error
    if pd.isna(length) or length < pd.Timedelta(0) or length % pd.Timedelta(days=1) != pd.Timedelta(0):
        raise ValueError(f"`{name}` must be a whole, non-negative number of days; got {value!r}.")
    return length


def as_cutoffs(values: Instant | Iterable[Instant], *, name: str = "cutoffs") -> tuple[pd.Timestamp, ...]:
    """Read one cutoff or several, in ascending order, each once.

    Raises
    ------
    ValueError
        If there is none, or one stands twice.

    Examples
    --------
    >>> as_cutoffs(["2024-02-01", "2024-01-01"])
    (Timestamp('2024-01-01 00:00:00'), Timestamp('2024-02-01 00:00:00'))
    """
    listed = list(values) if isinstance(values, Iterable) and not isinstance(values, str) else [values]
    cutoffs = sorted(as_instant(value, name=name) for value in listed)
    if not cutoffs:
        raise ValueError(f"`{name}` must hold at least one date; a cutoff never has a default.")
    for earlier, later in itertools.pairwise(cutoffs):
        if earlier == later:
            raise ValueError(f"`{name}` holds {written_instant(later)} twice.")
    return tuple(cutoffs)


@overload
def days_since_1970(at: pd.Timestamp) -> float: ...
@overload
def days_since_1970(at: pd.DatetimeIndex) -> NDArray[np.float64]: ...
def days_since_1970(at: pd.Timestamp | pd.DatetimeIndex) -> float | NDArray[np.float64]:
    """Count the days from 1970-01-01 to an instant, or to each of several, the day's part included.

    Parameters
    ----------
    at : Timestamp or DatetimeIndex of shape (n_instants,)
        In UTC, without a zone.

    Returns
    -------
    float or ndarray of shape (n_instants,)
        Whole microseconds divided once, so that it is the same number however the instant is kept.

    Examples
    --------
    >>> days_since_1970(pd.Timestamp("1970-01-02 12:00")), days_since_1970(pd.Timestamp("1969-12-31"))
    (1.5, -1.0)
    """
    if isinstance(at, pd.DatetimeIndex):
        return np.asarray((at - _EPOCH) // _MICROSECOND) / _MICROSECONDS_OF_A_DAY
    return float((at - _EPOCH) // _MICROSECOND / _MICROSECONDS_OF_A_DAY)


def written_instant(instant: pd.Timestamp) -> str:
    """Write a midnight as its date, and any other instant in full.

    Examples
    --------
    >>> written_instant(pd.Timestamp("2024-03-01")), written_instant(pd.Timestamp("2024-03-01 06:00"))
    ('2024-03-01', '2024-03-01 06:00:00')
    """
    return f"{instant:%Y-%m-%d}" if instant == instant.normalize() else str(instant)


@dataclass(frozen=True)
class Outcome:
    """What is predicted, and when it is decided.

    Attributes
    ----------
    horizon : Timedelta
        Length of the outcome window.
    gap : Timedelta
        Time between the cutoff and the window, in which the company acts.

    Examples
    --------
    >>> outcome = Outcome.of(horizon="90d", gap="7d")
    >>> outcome.window(pd.Timestamp("2024-01-01"))
    (Timestamp('2024-01-08 00:00:00'), Timestamp('2024-04-07 00:00:00'))
    """

    horizon: pd.Timedelta
    gap: pd.Timedelta

    @classmethod
    def of(cls, *, horizon: Duration, gap: Duration = "0d") -> "Outcome":
        """Read both lengths; the horizon must be at least one day."""
        length = as_duration(horizon, name="horizon")
        if length < pd.Timedelta(days=1):
            raise ValueError(f"`horizon` must be at least one day; got {horizon!r}.")
        return cls(horizon=length, gap=as_duration(gap, name="gap"))

    @property
    def reach(self) -> pd.Timedelta:
        """From the cutoff to the end of its outcome window."""
        return self.gap + self.horizon

    def window(self, cutoff: pd.Timestamp) -> tuple[pd.Timestamp, pd.Timestamp]:
        """Start and (excluded) end of the outcome window of `cutoff`."""
        return cutoff + self.gap, cutoff + self.reach


@dataclass(frozen=True)
class Split:
    """Cutoffs to learn from, and the later one they are judged at."""

    train: tuple[pd.Timestamp, ...]
    test: pd.Timestamp


def prove_split(split: Split, outcome: Outcome) -> Split:
    """Return `split` if every training outcome was decided by its test cutoff.

    Raises
    ------
    LeakError
        Naming the first training cutoff whose horizon passes the test cutoff.

    Examples
    --------
    >>> split = Split(train=(pd.Timestamp("2024-01-02"),), test=pd.Timestamp("2024-01-31"))
    >>> prove_split(split, Outcome.of(horizon="30d"))
    Traceback (most recent call last):
    ...
    loyalty.timeline.LeakError: the outcome of training cutoff 2024-01-02 is decided on 2024-02-01,
    after the test cutoff 2024-01-31.
    """
    for cutoff in split.train:
        end = cutoff + outcome.reach
        if end > split.test:
            raise LeakError(
                f"the outcome of training cutoff {written_instant(cutoff)} is decided on {written_instant(end)}, "
                f"after the test cutoff {written_instant(split.test)}."
            )
    return split


def rolling_origins(
    test: Iterable[Instant],
    *,
    outcome: Outcome,
    first: Instant,
    every: Duration,
    at_most: int | None = 24,
    observed_until: Instant | None = None,
) -> tuple[Split, ...]:
    """Lay training cutoffs behind each test cutoff, as late as the outcome allows.

    The latest training cutoff of a test cutoff ``t`` is ``t - gap - horizon``; the others follow backwards
    in steps of `every`, none before `first`.

    Parameters
    ----------
    test : iterable of str, date or Timestamp
        The cutoffs to predict.
    outcome : Outcome
        Gap and horizon.
    first : str, date or Timestamp
        No training cutoff lies before this.
    every : str or timedelta
        Distance between training cutoffs.
    at_most : int or None, default=24
        How many training cutoffs a test cutoff has at the most, the latest ones; None for all.
    observed_until : str, date or Timestamp, optional
        Up to when outcomes were recorded; by default up to each test cutoff.

    Raises
    ------
    ValueError
        If a test cutoff has no room for a training cutoff.

    Examples
    --------
    >>> split, = rolling_origins(["2024-06-01"], outcome=Outcome.of(horizon="30d"), first="2024-03-05", every="30d")
    >>> [f"{cutoff:%Y-%m-%d}" for cutoff in split.train]
    ['2024-04-02', '2024-05-02']
    """
    start, step = as_instant(first, name="first"), as_duration(every, name="every")
    if step < pd.Timedelta(days=1):
        raise ValueError(f"`every` must be at least one day; got {every!r}.")
    if at_most is not None and at_most < 1:
        raise ValueError(f"`at_most` must be at least 1; got {at_most!r}.")
    splits = []
    for cutoff in as_cutoffs(test, name="test"):
        decided_by = (
            cutoff if observed_until is None else min(cutoff, as_instant(observed_until, name="observed_until"))
        )
        latest = decided_by - outcome.reach
        if latest < start:
            raise ValueError(
                f"test cutoff {cutoff:%Y-%m-%d} leaves nothing to learn from: with a gap and horizon of "
                f"{outcome.reach.days} days its latest training cutoff would be {latest:%Y-%m-%d}, "
                f"before {start:%Y-%m-%d}. Choose a later test cutoff, a shorter horizon, or an earlier first one."
            )
        count = (latest - start) // step + 1
        count = count if at_most is None else min(at_most, count)
        train = tuple(latest - step * i for i in reversed(range(count)))
        splits.append(prove_split(Split(train=train, test=cutoff), outcome))
    return tuple(splits)
