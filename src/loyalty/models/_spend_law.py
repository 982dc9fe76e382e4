"""The law of a client's spend: nothing, something or less than nothing, and the nested intervals that it has."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

Floats = NDArray[np.float64]
Rows = NDArray[np.int_]

#: Quantiles of a buyer's spend that trees are grown for; between and beyond them the law is log-normal.
LEVELS = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
_SCORES = norm.ppf(LEVELS)
#: What each of them stands for in a mean: the levels that are nearest to it.
_WEIGHTS = np.array([0.15, 0.225, 0.25, 0.225, 0.15])
#: Keeps neighbouring quantiles apart, so that each amount has one place among them.
_APART = 1e-6


@dataclass(frozen=True)
class SpendLaw:
    """What each client may spend: nothing, something, or less than nothing, on the scale of log(1 + spend).

    Attributes
    ----------
    nothing : array of shape (n_clients,)
        Probability of not spending, refunds included.
    sizes : array of shape (n_clients, 5)
        Quantiles 0.05, 0.25, 0.5, 0.75 and 0.95 of log(1 + spend) of those who spend, rising.
    refund_share : float
        Probability of a negative spend, of everybody.
    refund_sizes : array of shape (5,)
        The same quantiles of the refunds.

    Examples
    --------
    Who buys nothing in nine of ten cases has an interval of a point if one in ten may be missed, and not if fewer:

    >>> sizes = np.log1p([[0.5, 1.0, 2.0, 4.0, 8.0]])
    >>> law = SpendLaw(nothing=np.array([0.9]), sizes=sizes, refund_share=0.0, refund_sizes=np.zeros(5))
    >>> [law.interval(np.array([misses])).round(3).tolist() for misses in (0.1, 0.05)]
    [[[0.0, 0.0]], [[0.0, 2.0]]]
    """

    nothing: Floats
    sizes: Floats
    refund_share: float
    refund_sizes: Floats

    def __len__(self) -> int:
        return len(self.nothing)

    def mean(self) -> Floats:
        """Approximate the mean spend, good enough to tell groups."""
        spent: Floats = np.expm1(np.maximum(self.sizes, 0.0)) @ _WEIGHTS
        return (1 - self.nothing) * spent

    def moved(self, purchase_probability: Floats, expected: Floats) -> "SpendLaw":
        """Take over who buys and how much on average from another forecast, and keep the shape; NaN moves nothing.

        Examples
        --------
        Twice as likely and four times as much: of those who buy, everybody spends twice as much.

        >>> sizes = np.log1p([[0.5, 1.0, 2.0, 4.0, 8.0]])
        >>> law = SpendLaw(nothing=np.array([0.8]), sizes=sizes, refund_share=0.0, refund_sizes=np.zeros(5))
        >>> moved = law.moved(np.array([0.4]), 4 * law.mean())
        >>> moved.nothing, np.expm1(moved.sizes).round(3)
        (array([0.6]), array([[ 1.,  2.,  4.,  8., 16.]]))
        """
        told = np.maximum(1 - purchase_probability, self.refund_share)
        law = replace(self, nothing=np.where(np.isnan(told), self.nothing, told))
        mean = law.mean()
        known = (mean > 0) & ~np.isnan(expected)
        times = (expected[known] / mean[known])[:, None]
        sizes = self.sizes.copy()
        sizes[known] = apart(np.log1p(times * np.expm1(np.maximum(sizes[known], 0.0))))
        return replace(law, sizes=sizes)

    def score(self, spend: Floats) -> Floats:
        """Find the largest rate of misses whose interval still holds the spend of each client."""
        place = _place(np.log1p(np.maximum(spend, 0.0)), self.sizes)
        above, below = (1 - self.nothing) * norm.sf(place), self.nothing + (1 - self.nothing) * norm.cdf(place)
        twice = 2 * above
        # Strictly: a tiny amount has, but for rounding, less above it than all that is bought.
        held = np.where(above > self.nothing, twice, np.minimum(twice, above + self.refund_share))
        bought = np.minimum(held, 2 * below)
        refunded = np.zeros(len(spend))
        if self.refund_share:
            refunds = np.broadcast_to(self.refund_sizes, self.sizes.shape)
            refunded = 2 * self.refund_share * norm.sf(_place(np.log1p(np.maximum(-spend, 0.0)), refunds))
        scores = np.select([spend > 0, spend == 0], [bought, 2 * self.nothing], refunded)
        return np.minimum(scores, 1.0)

    def interval(self, misses: Floats) -> Floats:
        """Return the interval of each client at its rate of misses, shape (n_clients, 2)."""
        half, buys = misses / 2, np.maximum(1 - self.nothing, 1e-300)
        above = np.maximum(half, np.minimum(misses - self.refund_share, self.nothing)) / buys
        below = (half - self.nothing) / buys
        upper = np.where(above >= 1, 0.0, self._spent(norm.isf(np.clip(above, 1e-300, 1.0)), self.sizes))
        lower = np.where(below <= 0, 0.0, self._spent(norm.ppf(np.clip(below, 1e-300, 1.0)), self.sizes))
        if self.refund_share:
            refunds = np.broadcast_to(self.refund_sizes, self.sizes.shape)
            deep = -self._spent(norm.isf(np.clip(half / self.refund_share, 1e-300, 1.0)), refunds)
            lower = np.where(half < self.refund_share, deep, lower)
        ends = np.column_stack([np.minimum(lower, upper), upper])
        return np.where(misses[:, None] > 0, ends, np.array([-np.inf, np.inf]))

    def quantiles(self, levels: Floats) -> Floats:
        """Return the quantiles of the spend of each client, shape (n_clients, n_levels); levels within (0, 1)."""
        refunds = np.broadcast_to(self.refund_sizes, self.sizes.shape)
        columns = []
        for level in levels:
            if level < self.refund_share:
                columns.append(-self._spent(np.full(len(self), norm.isf(level / self.refund_share)), refunds))
                continue
            share = (level - self.nothing) / np.maximum(1 - self.nothing, 1e-300)
            spent = self._spent(norm.ppf(np.clip(share, 1e-300, 1 - 1e-16)), self.sizes)
            columns.append(np.where(share > 0, spent, 0.0))
        return np.column_stack(columns)

    @staticmethod
    def _spent(score: Floats, sizes: Floats) -> Floats:
        """Read off the amount at a normal score, along straight lines through the quantiles and beyond them."""
        piece = np.clip(np.searchsorted(_SCORES, score) - 1, 0, len(_SCORES) - 2)
        start, slope = _line(piece, sizes)
        amount: Floats = np.expm1(np.maximum(start + slope * np.clip(score - _SCORES[piece], -40.0, 40.0), 0.0))
        return amount


def _line(piece: Rows, sizes: Floats) -> tuple[Floats, Floats]:
    """Return where the line that goes on from each client's chosen quantile begins, and its slope."""
    row = np.arange(len(sizes))
    start = sizes[row, piece]
    return start, (sizes[row, piece + 1] - start) / np.diff(_SCORES)[piece]


def _place(size: Floats, sizes: Floats) -> Floats:
    """Find the normal score of an amount among the quantiles of its client."""
    piece = np.clip(np.count_nonzero(size[:, None] > sizes, axis=1) - 1, 0, len(_SCORES) - 2)
    start, slope = _line(piece, sizes)
    return _SCORES[piece] + (size - start) / slope


def apart(quantiles: Floats) -> Floats:
    """Part quantiles that are equal, by next to nothing."""
    return quantiles + _APART * np.arange(quantiles.shape[-1])
