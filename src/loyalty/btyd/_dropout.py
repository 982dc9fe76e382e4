"""Means over the dropout probability of clients still active, exact to about ten digits for any parameters.

A client active at T with x repeat purchases has a purchase rate λ ~ Gamma(k, α + T), k = r + x, and a dropout
probability p ~ Beta(a, β), β = b + x, independent of each other. With λ integrated out, what is wanted is the mean of
some decreasing function g of p. Two exact steps make the integral harmless at both ends, also for a or β near 0:

- integration by parts, E[g] under Beta(a, β) = E[g − (1 − p) g′ / (a + β)] under Beta(a + 1, β);
- g(1) is set aside, so that what remains falls to 0 as p → 1 and can be taken under Beta(a + 1, β + 1).

On the logit scale the integrand is then analytic and falls off exponentially on both sides, where the trapezoid rule
converges geometrically. Every term is positive: nothing cancels.
"""

from collections.abc import Callable

import numpy as np

from loyalty.btyd._likelihood import Codes, Floats

_TAIL = 34.0  # e**-34 is below rounding
_LARGEST_STEP = 0.25
_BLOCK = 2_048  # rows worked on at once


def purchases_while_active(reach: Floats, k: Floats, *, a: float, beta: Floats) -> Floats:
    """Mean number of purchases in a horizon of an active client.

    Parameters
    ----------
    reach : ndarray of shape (n,)
        horizon / (α + T).
    k, beta : ndarray of shape (n,)
        r + frequency and b + frequency.
    a : float
        Dropout parameter.
    """
    at_one = -np.expm1(-k * np.log1p(reach))

    def remainder(rows: Codes, p: Floats, stay: Floats) -> Floats:
        odds, shape = reach[rows, None] * p, k[rows, None]
        log_none = -shape * np.log1p(odds)
        one_or_more = -np.expm1(log_none)
        steepness = _two_or_more(odds, shape, log_none) / (p * p * (a + beta[rows, None]))
        return np.maximum(one_or_more / p - at_one[rows, None], 0.0) / stay + steepness

    never_leaving = k * reach
    return np.minimum(at_one + _mean_of_remainder(remainder, never_leaving, a=a, beta=beta), never_leaving)


def chance_of_purchase(gap: Floats, reach: Floats, k: Floats, *, a: float, beta: Floats) -> Floats:
    """Chance that an active client outlasts the gap and then buys within the horizon.

    Parameters
    ----------
    gap, reach : ndarray of shape (n,)
        gap / (α + T) and horizon / (α + T).
    k, beta : ndarray of shape (n,)
        r + frequency and b + frequency.
    a : float
        Dropout parameter.
    """

    def value(p: Floats | float, g: Floats, h: Floats, shape: Floats) -> tuple[Floats, Floats]:
        waited = 1.0 + p * g
        lasting, window = np.exp(-shape * np.log(waited)), np.log1p(h / waited)
        steepness = -shape * g / waited * lasting * np.expm1(-(shape + 1.0) * window)
        return -lasting * np.expm1(-shape * window), steepness

    def remainder(rows: Codes, p: Floats, stay: Floats) -> Floats:
        g, h, shape, total = gap[rows, None], reach[rows, None], k[rows, None], a + beta[rows, None]
        here, steepness = value(p, g, h, shape)
        return np.maximum(here - value(1.0, g, h, shape)[0], 0.0) / stay + steepness / total

    at_one = value(1.0, gap, reach, k)[0]
    return np.clip(at_one + _mean_of_remainder(remainder, k * gap, a=a, beta=beta), 0.0, 1.0)


def _two_or_more(odds: Floats, shape: Floats, log_none: Floats) -> Floats:
    """Chance of two or more events, negative binomial with `shape` and success odds `odds`."""
    z = odds / (1.0 + odds)
    direct = -np.expm1(log_none + np.log1p(shape * z))
    # For rare events the direct form loses digits; four terms of the series are then exact.
    series = 1.0 + (shape + 2) * z / 3 * (1.0 + (shape + 3) * z / 4 * (1.0 + (shape + 4) * z / 5))
    rare = shape * (shape + 1.0) / 2.0 * z * z * np.exp(log_none) * series
    return np.where((shape + 1.0) * z < 1e-3, rare, direct)


def _mean_of_remainder(
    remainder: Callable[[Codes, Floats, Floats], Floats], knee: Floats, *, a: float, beta: Floats
) -> Floats:
    """Mean of `remainder` × (1 − p) under Beta(a + 1, beta); the remainder is flat for p well below 1 / knee."""
    left, right = a + 1.0, beta + 1.0
    middle = np.log(left / right)
    width = np.sqrt(1.0 / left + 1.0 / right)
    low = np.minimum(middle, -np.log(np.maximum(knee, 1e-300))) - _TAIL / left
    if a > 1.0:  # The weight alone then outruns the 1 / p² of the remainder.
        low = np.maximum(low, middle - _TAIL / (a - 1.0))
    low, high = low - 8.0 * width, middle + _TAIL / right + 8.0 * width
    nodes = np.ceil((high - low) / np.minimum(_LARGEST_STEP, width / 1.8)).astype(np.int64) + 1
    mean = np.empty(len(beta))
    order = np.argsort(nodes, kind="stable")
    for start in range(0, len(order), _BLOCK):
        rows = order[start : start + _BLOCK]  # These need about equally many nodes.
        place = np.linspace(0.0, 1.0, int(nodes[rows].max()))
        u = np.exp(-(low[rows, None] + (high - low)[rows, None] * place))
        p = 1.0 / (1.0 + u)
        weight = -left * np.log1p(u) - right[rows, None] * np.log1p(1.0 / u)
        weight = np.exp(weight - weight.max(axis=1, keepdims=True))
        values = remainder(rows, p, u * p)
        mean[rows] = (weight * values).sum(axis=1) / weight.sum(axis=1)
    return beta / (left + beta) * mean
