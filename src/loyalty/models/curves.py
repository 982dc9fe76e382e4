"""Curves of survival: how likely clients are to stay, day by day, as cumulative risk."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Curves"]

Floats = NDArray[np.float64]

#: Beyond what is known, the mean hazard of so many days before goes on.
_DAYS_CARRIED_ON = 365
#: Nobody's chance to stay is reckoned as less.
_HARDLY = 1e-300
#: The least risk of a day, so that none is too flat to be multiplied.
_FLAT = 1e-9


@dataclass(frozen=True)
class Curves:
    """The cumulative risk of clients to leave, -log of the chance to stay, at some days; between them hazards are even.

    Attributes
    ----------
    days : ndarray of shape (n_days,)
        From 0 on.
    risk : ndarray of shape (n_clients, n_days)
        0 at the first of them, and never falling.

    Examples
    --------
    A fifth leaves in the first month and in the second, of whom half are led to leave within the first:

    >>> curves = Curves.of(np.array([[0.8, 0.64]]), period=30)
    >>> curves.through(np.array([0.5]), opens=0, closes=30).stay([15, 30, 60]).round(3)
    array([[0.707, 0.5  , 0.4  ]])
    """

    days: Floats
    risk: Floats

    @classmethod
    def of(cls, survival: ArrayLike, *, period: int) -> Self:
        """Take the chances to stay through each of so many periods, of so many days, a row a client."""
        known = np.asarray(survival, dtype=float)
        risk = -np.log(np.maximum(np.column_stack([np.ones(len(known)), known]), _HARDLY))
        return cls(period * np.arange(known.shape[1] + 1.0), risk)

    def carry_on(self, until: float) -> Self:
        """Tell more days, until at least so many: the mean hazard of the last year that is known goes on."""
        step, known = self.days[1], len(self.days) - 1
        beyond = int(np.ceil(until / step)) - known
        if beyond <= 0:
            return self
        back = min(known, max(1, round(_DAYS_CARRIED_ON / step)))
        hazard = (self.risk[:, [-1]] - self.risk[:, [-1 - back]]) / back
        more = np.arange(1.0, beyond + 1)
        return replace(
            self,
            days=np.concatenate([self.days, self.days[-1] + step * more]),
            risk=np.column_stack([self.risk, self.risk[:, [-1]] + hazard * more]),
        )

    def times(self, factors: Floats) -> Self:
        """Multiply the hazards between each two days, by a number for all clients or a row a client."""
        risk = np.cumsum(np.diff(self.risk, axis=1) * factors, axis=1)
        return replace(self, risk=np.column_stack([np.zeros(len(risk)), risk]))

    def through(self, stay: Floats, *, opens: int, closes: int) -> Self:
        """Lead each curve through the chance to stay from one day to a later one, both of which are told.

        The hazards of a client are multiplied by one number between them, and stay as they are elsewhere.
        """
        days = np.union1d(self.days, [opens, closes])
        risk = self._at(days) + _FLAT * days
        before, until = (risk[:, [int(np.searchsorted(days, day))]] for day in (opens, closes))
        own = -np.log(np.maximum(stay, _HARDLY))[:, None] / (until - before)
        led = np.minimum(risk, before) + own * (np.clip(risk, before, until) - before) + np.maximum(risk - until, 0.0)
        return replace(self, days=days, risk=led)

    def stay(self, days: ArrayLike) -> Floats:
        """Tell the chance to stay until each of some days that are told: a row a client."""
        return np.exp(-self._at(np.asarray(days, dtype=float)))

    def in_force(self, edges: Floats) -> Floats:
        """Tell for which share of each spell between two days contracts are in force, in expectation.

        Examples
        --------
        Of a month over which half leave at an even hazard:

        >>> Curves.of(np.array([[0.5]]), period=30).in_force(np.array([0.0, 30.0])).round(3)
        array([[0.721]])
        """
        days = np.union1d(self.days, edges)
        risk = self._at(days)
        first, rise, length = np.exp(-risk[:, :-1]), np.diff(risk, axis=1), np.diff(days)
        # The mean of exp(-rise x) for x from 0 to 1, which is 1 where nothing rises.
        mean = np.divide(-np.expm1(-rise), rise, out=np.ones_like(rise), where=rise > 0)
        until = np.column_stack([np.zeros(len(risk)), np.cumsum(length * first * mean, axis=1)])
        return np.diff(until[:, np.searchsorted(days, edges)], axis=1) / np.diff(edges)

    def median_days(self, until: float) -> Floats:
        """Find the day by which half have left; NaN where that is later than so many days.

        Examples
        --------
        >>> Curves.of(np.array([[0.75, 0.25], [0.9, 0.8]]), period=30).median_days(60).round(1)
        array([41.1,  nan])
        """
        half = np.log(2.0)
        gone = self.risk >= half
        at = np.maximum(gone.argmax(axis=1), 1)  # 0 where it is never told, as all begin at 0
        rows = np.arange(len(self.risk))
        above, below = self.risk[rows, at - 1], self.risk[rows, at]
        with np.errstate(divide="ignore", invalid="ignore"):
            part = (half - above) / (below - above)
        days = self.days[at - 1] + part * (self.days[at] - self.days[at - 1])
        return np.where(gone.any(axis=1) & (days <= until), days, np.nan)

    def _at(self, days: Floats) -> Floats:
        """Read the risk between the days that are told."""
        left = np.clip(np.searchsorted(self.days, days, side="right") - 1, 0, len(self.days) - 2)
        part = (days - self.days[left]) / (self.days[left + 1] - self.days[left])
        return self.risk[:, left] + part * (self.risk[:, left + 1] - self.risk[:, left])
