"""Curves of survival as numbers: led through a known chance, carried on, and read in days."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["carry_on", "days_until", "lead_through", "median_days"]

Floats = NDArray[np.float64]

#: Beyond what is known of contracts, the mean hazard of so many days before goes on.
_DAYS_CARRIED_ON = 365
#: A chance to stay is never less, and there is so much risk on any day.
_HARDLY = 1e-9


def lead_through(
    curves: Floats, stay: Floats, window: tuple[int, int], *, period: int, times: ArrayLike = 1.0
) -> Floats:
    """Lead curves of survival through the chance to stay within a window of days, from its beginning to its end.

    Hazards are multiplied by `times`, one number a period; within the window by another one, a client's own, for the
    curve to meet the chance. A curve known for less than the window is told to the end of it.

    >>> lead_through(np.array([[0.9, 0.81, 0.729]]), np.array([0.5]), (0, 30), period=30).round(3)
    array([[0.5  , 0.45 , 0.405]])
    """
    opens, closes = window
    whole = carry_on(curves, closes, period)
    risk = -np.log(np.maximum(whole, _HARDLY)) + _HARDLY * period * np.arange(whole.shape[1])  # never flat
    risk = np.column_stack([np.zeros(len(risk)), np.cumsum(np.diff(risk, axis=1) * times, axis=1)])
    before, until = (_between(risk, day / period)[:, None] for day in (opens, closes))
    own = -np.log(np.maximum(stay, _HARDLY))[:, None] / (until - before)
    led = np.minimum(risk, before) + own * (np.clip(risk, before, until) - before) + np.maximum(risk - until, 0.0)
    return np.exp(-led)[:, 1 : 1 + max(curves.shape[1], closes // period)]


def _between(values: Floats, place: float) -> Floats:
    """Read each row at a place between two columns."""
    left = min(int(place), values.shape[1] - 2)
    return values[:, left] + (place - left) * (values[:, left + 1] - values[:, left])


def carry_on(curves: Floats, until: float, period: int) -> Floats:
    """Begin curves of survival at 1, and carry the retention of their last year on until so many days."""
    whole = np.column_stack([np.ones(len(curves)), curves])
    known = curves.shape[1]
    beyond = int(np.ceil(until / period)) - known
    if beyond <= 0:
        return whole
    back = min(known, max(1, round(_DAYS_CARRIED_ON / period)))
    start, last = whole[:, known - back], whole[:, known]
    retention = np.divide(last, start, out=np.zeros_like(last), where=start > 0) ** (1.0 / back)
    return np.column_stack([whole, last[:, None] * np.power.outer(retention, np.arange(1, beyond + 1))])


def days_until(days: Floats, curves: Floats, period: int) -> Floats:
    """Mean number of days in force until each of `days`; between periods, curves are straight lines.

    >>> days_until(np.array([30.0, 45.0, 60.0]), np.array([[1.0, 0.5, 0.0]]), 30)
    array([[22.5  , 28.125, 30.   ]])
    """
    whole = period * np.cumsum((curves[:, :-1] + curves[:, 1:]) / 2.0, axis=1)
    whole = np.column_stack([np.zeros(len(curves)), whole])
    at = np.minimum((days // period).astype(np.int64), curves.shape[1] - 2)
    part = days / period - at
    fall = curves[:, at + 1] - curves[:, at]
    return whole[:, at] + period * (part * curves[:, at] + part**2 / 2.0 * fall)


def median_days(curves: Floats, period: int) -> Floats:
    """Find the day by which half have left; NaN where that was never seen.

    >>> median_days(np.array([[0.75, 0.25], [0.9, 0.8]]), 30)
    array([45., nan])
    """
    whole = np.column_stack([np.ones(len(curves)), curves])
    gone = whole <= 0.5
    at = gone.argmax(axis=1)  # 0 where it was never seen, as all begin at 1
    rows = np.arange(len(curves))
    above, below = whole[rows, at - 1], whole[rows, at]
    with np.errstate(divide="ignore", invalid="ignore"):
        days = period * (at - 1 + (above - 0.5) / (above - below))
    return np.where(gone.any(axis=1), days, np.nan)
