"""Numbers behind the buy-till-you-die models: rows merged, and likelihoods with their gradients.

Everything runs in logs and on distinct rows with their counts; no hypergeometric function is called.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import digamma, gammaln

from loyalty.btyd import _discrete, _lifetime
from loyalty.btyd._dropout import log_odds_gone
from loyalty.btyd._frozen import Floats

Codes = NDArray[np.int64]

_BLOCK = 8_192  # rows worked on at once: they stay in the cache, and BLAS in one thread


def distinct_rows(*columns: Floats) -> tuple[Codes, Codes, Codes]:
    """Find equal rows by hashing.

    Returns
    -------
    first, inverse, counts : ndarray
        Where each distinct row first stands, which distinct row each row is, and how often each occurs.
    """
    inverse: Codes = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        codes, levels = pd.factorize(column)
        # Codes are below the number of rows, so their product stays far below 2**63.
        inverse = pd.factorize(inverse * len(levels) + codes)[0].astype(np.int64)
    # Codes are numbered as they appear, so a new one is a new maximum.
    first = np.flatnonzero(np.diff(np.maximum.accumulate(inverse), prepend=-1)).astype(np.int64)
    return first, inverse, np.bincount(inverse).astype(np.int64)


def rising(base: Floats | float, steps: Floats | float) -> tuple[Floats, Floats]:
    """Return ``log Γ(base + steps) − log Γ(base)`` and its derivative by `base`.

    From 20 on, Stirling's series is subtracted term by term, so that nothing is lost where `base` dwarfs `steps`.
    """
    low, step = np.broadcast_arrays(np.asarray(base, np.float64), np.asarray(steps, np.float64))
    high = low + step
    log_ratio = gammaln(high) - gammaln(low)
    slope = digamma(high) - digamma(low)
    large = low >= 20.0
    if np.any(large):
        c, n, d = low[large], step[large], high[large]
        log_ratio[large] = (c - 0.5) * np.log1p(n / c) + n * (np.log(d) - 1.0) + _stirling(d) - _stirling(c)
        slope[large] = np.log1p(n / c) + _stirling_slope(d) - _stirling_slope(c)
    return log_ratio, slope


def _stirling(z: Floats) -> Floats:
    square = 1.0 / (z * z)
    return (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188)))) / z


def _stirling_slope(z: Floats) -> Floats:
    square = 1.0 / (z * z)
    tail = 1 / 12 - square * (1 / 120 - square * (1 / 252 - square * (1 / 240 - square / 132)))
    return -0.5 / z - square * tail


@dataclass(frozen=True)
class PurchaseRows:
    """Distinct (frequency, recency, T) with counts, in sorted order, so that the order of clients cannot matter."""

    frequency: Floats
    recency: Floats
    T: Floats
    counts: Floats
    levels: Floats
    level: Codes

    @classmethod
    def build(cls, frequency: Floats, recency: Floats, T: Floats, counts: Floats) -> Self:
        """Index the few distinct frequencies, on which alone gamma functions are worked out."""
        levels, level = np.unique(frequency, return_inverse=True)
        return cls(frequency, recency, T, counts, levels, level)

    @classmethod
    def of(cls, frequency: Floats, recency: Floats, T: Floats) -> Self:
        """Merge equal clients."""
        first, _, counts = distinct_rows(frequency, recency, T)
        x, tx, t = frequency[first], recency[first], T[first]
        order = np.lexsort((t, tx, x))
        return cls.build(x[order], tx[order], t[order], counts[order].astype(np.float64))

    def thinned(self, limit: int) -> Self:
        """Return at most `limit` rows, evenly spaced."""
        pick = slice(None, None, -(-len(self.counts) // limit))
        return self.build(self.frequency[pick], self.recency[pick], self.T[pick], self.counts[pick])

    def rescaled(self, scale: float) -> Self:
        """Return the rows with times divided by `scale`."""
        return self.build(self.frequency, self.recency / scale, self.T / scale, self.counts)


@dataclass(frozen=True)
class SpendRows:
    """Distinct (frequency, monetary) with counts, in sorted order."""

    frequency: Floats
    monetary: Floats
    counts: Floats
    levels: Floats
    level: Codes

    @classmethod
    def build(cls, frequency: Floats, monetary: Floats, counts: Floats) -> Self:
        """Index the few distinct frequencies."""
        levels, level = np.unique(frequency, return_inverse=True)
        return cls(frequency, monetary, counts, levels, level)

    @classmethod
    def of(cls, frequency: Floats, monetary: Floats) -> Self:
        """Merge equal clients."""
        first, _, counts = distinct_rows(frequency, monetary)
        x, z = frequency[first], monetary[first]
        order = np.lexsort((z, x))
        return cls.build(x[order], z[order], counts[order].astype(np.float64))

    def thinned(self, limit: int) -> Self:
        """Return at most `limit` rows, evenly spaced."""
        pick = slice(None, None, -(-len(self.counts) // limit))
        return self.build(self.frequency[pick], self.monetary[pick], self.counts[pick])

    def rescaled(self, scale: float) -> Self:
        """Return the rows with money divided by `scale`."""
        return self.build(self.frequency, self.monetary / scale, self.counts)


@dataclass(frozen=True)
class ContractRows:
    """Distinct (renewals, lost) with counts, in sorted order."""

    renewals: Floats
    lost: Floats
    counts: Floats

    @classmethod
    def of(cls, renewals: Floats, lost: Floats, counts: Floats) -> Self:
        """Merge equal clients."""
        first, inverse, _ = distinct_rows(renewals, lost)
        merged: Floats = np.bincount(inverse, weights=counts).astype(np.float64)
        m, gone = renewals[first], lost[first]
        order = np.lexsort((gone, m))
        return cls(m[order], gone[order], merged[order])

    def thinned(self, limit: int) -> Self:
        """Return all rows, as there are never many."""
        return self

    def survival(self) -> tuple[Floats, Floats]:
        """Return the numbers of renewals that some client was lost at, and the share still there (Kaplan-Meier)."""
        times, at = np.unique(self.renewals, return_inverse=True)
        lost = np.bincount(at, weights=self.lost * self.counts)
        seen = np.bincount(at, weights=self.counts)
        asked = np.cumsum(seen[::-1])[::-1] - (seen - lost)  # A client who is not lost was not asked again yet.
        some = lost > 0
        shares: Floats = np.cumprod(1.0 - lost[some] / asked[some]).astype(np.float64)
        return times[some] + 1.0, shares


def purchase_log_likelihood(log_parameters: Floats, rows: PurchaseRows, first: float = 0.0) -> tuple[float, Floats]:
    """BG/NBD log-likelihood and its gradient by ``log(r, alpha, a, b)``; of MBG/NBD, where `first` is 1."""
    r, alpha, a, b = np.exp(log_parameters)
    at_level = np.bincount(rows.level, weights=rows.counts)
    rate, rate_r = rising(r, rows.levels)
    (stay, stay_b), (trial, trial_ab) = (rising(c, rows.levels + first) for c in (b, a + b))
    likelihood = at_level @ (rate + stay - trial)
    gradient = np.array(
        [r * (at_level @ rate_r), 0.0, -a * (at_level @ trial_ab), b * (at_level @ (stay_b - trial_ab))]
    )
    for start in range(0, len(rows.counts), _BLOCK):
        block = slice(start, start + _BLOCK)
        n, x, tx, T = rows.counts[block], rows.frequency[block], rows.recency[block], rows.T[block]
        exposure = alpha + T
        log_growth = np.log(exposure / alpha)
        likelihood -= n @ ((r + x) * log_growth) + (n @ x) * log_parameters[1]
        gradient[0] -= r * (n @ log_growth)
        gradient[1] += n @ ((r * T - x * alpha) / exposure)

        could_leave = slice(int(np.searchsorted(x + first, 0.5)), None)  # Rows are sorted by frequency.
        n, x, tx, T = n[could_leave], x[could_leave], tx[could_leave], T[could_leave]
        odds = log_odds_gone(x, tx, T, r=r, alpha=alpha, a=a, b=b, first=first)
        small = np.exp(-np.abs(odds))
        likelihood += n @ (np.maximum(odds, 0.0) + np.log(1.0 + small))
        gone = n * np.where(odds > 0, 1.0, small) / (1.0 + small)
        gradient[0] += r * (gone @ np.log((alpha + T) / (alpha + tx)))
        gradient[1] -= alpha * (gone @ ((r + x) * (T - tx) / ((alpha + T) * (alpha + tx))))
        gradient[2] += gone.sum()
        gradient[3] -= b * (gone @ (1.0 / (b + (x - 1.0 + first))))
    return float(likelihood), gradient


def lifetime_log_likelihood(log_parameters: Floats, rows: PurchaseRows) -> tuple[float, Floats]:
    """Pareto/NBD log-likelihood and its gradient by ``log(r, alpha, s, beta)``."""
    parameters = np.exp(log_parameters)
    at_level = np.bincount(rows.level, weights=rows.counts)
    rate, rate_r = rising(parameters[0], rows.levels)
    columns = rows.counts, rows.frequency, rows.recency, rows.T
    likelihood, gradient = _lifetime.log_likelihood_of_leaving(*columns, *parameters)
    gradient[0] += at_level @ rate_r
    return float(likelihood + at_level @ rate), parameters * gradient


def spend_log_likelihood(log_parameters: Floats, rows: SpendRows) -> tuple[float, Floats]:
    """Gamma-Gamma log-likelihood and its gradient by ``log(p, q, v)``."""
    p, q, v = np.exp(log_parameters)
    at_level = np.bincount(rows.level, weights=rows.counts)
    shape, shape_slope = rising(p * rows.levels, q)
    likelihood = at_level @ (shape - gammaln(q))
    by_p = at_level @ (rows.levels * shape_slope)
    by_q = at_level @ (digamma(p * rows.levels + q) - digamma(q))
    by_log_v = 0.0
    for start in range(0, len(rows.counts), _BLOCK):
        block = slice(start, start + _BLOCK)
        n, x, z = rows.counts[block], rows.frequency[block], rows.monetary[block]
        ratio = x * z / v
        above = np.log1p(ratio)
        below = np.log1p(1.0 / ratio)
        likelihood -= n @ (q * above + p * x * below + np.log(z))
        by_p -= n @ (x * below)
        by_q -= n @ above
        by_log_v += n @ ((q * ratio - p * x) / (1.0 + ratio))
    return float(likelihood), np.array([p * by_p, q * by_q, by_log_v])


def rising_table(alpha: float, beta: float, gamma: float, delta: float, *, steps: int) -> tuple[Floats, Floats]:
    """Return ``log (base)_m`` for m = 0, …, steps and bases α, β, α + β, δ, γ + δ, and the derivatives by the base."""
    bases = np.array([alpha, beta, alpha + beta, delta, gamma + delta])
    return rising(bases[:, None], np.arange(steps + 1.0))


def opportunity_log_likelihood(log_parameters: Floats, rows: PurchaseRows) -> tuple[float, Floats]:
    """BG/BB log-likelihood and its gradient by ``log(alpha, beta, gamma, delta)``; T counts opportunities."""
    parameters = np.exp(log_parameters)
    logs, slopes = rising_table(*parameters, steps=int(rows.T.max()) + 1)
    columns = rows.counts, rows.frequency, rows.recency, rows.T
    likelihood, gradient = _discrete.log_likelihood(*columns, parameters[2], logs, slopes)
    return float(likelihood), parameters * gradient


def contract_log_likelihood(log_parameters: Floats, rows: ContractRows) -> tuple[float, Floats]:
    """Shifted beta-geometric log-likelihood and its gradient by ``log(alpha, beta)``."""
    alpha, beta = np.exp(log_parameters)
    stayed, stayed_slope = rising(beta, rows.renewals)
    asked, asked_slope = rising(alpha + beta, rows.renewals + rows.lost)
    lost = rows.counts @ rows.lost
    likelihood = rows.counts @ (stayed - asked) + lost * log_parameters[0]
    gradient = [lost - alpha * (rows.counts @ asked_slope), beta * (rows.counts @ (stayed_slope - asked_slope))]
    return float(likelihood), np.array(gradient)
