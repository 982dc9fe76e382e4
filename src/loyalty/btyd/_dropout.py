"""What one client who may leave after any purchase will do: compiled, and exact to about ten digits.

BG/NBD lets a client leave after every repeat purchase (`first` is 0), MBG/NBD after the first one too (`first` is 1).
An active client of either has stayed ``x + first`` times, which is all the difference it makes.

A client active at T with x repeat purchases has a purchase rate λ ~ Gamma(k, α + T), k = r + x, and a dropout
probability p ~ Beta(a, β), β = b + x + first, independent of each other. If he could not leave, his purchases N in a
horizon would be negative binomial with shape k and success odds ``horizon / (α + T)``; he outlasts n of them with
chance ``s(n) = E (1 − p)**n = (β)_n / (a + β)_n``. So he makes ``Σ P(N = n) (s(0) + … + s(n − 1))`` purchases, and
after a gap with N in it he buys with chance ``Σ P(N = n) s(n) P(any more | n)``. Every term is positive: nothing
cancels. A sum stops where a geometric bound on all that is left no longer matters.

A sum too long, of thousands of purchases, gives way to the mean over p of a decreasing function g. Two exact steps make
that integral harmless at both ends, also for a or β near 0:

- integration by parts, E[g] under Beta(a, β) = E[g − (1 − p) g′ / (a + β)] under Beta(a + 1, β);
- g(1) is set aside, so that what remains falls to 0 as p → 1 and can be taken under Beta(a + 1, β + 1).

On the logit scale the integrand is then analytic and falls off exponentially on both sides, where the trapezoid rule
converges geometrically.

All purchases to come, discounted at rate δ, are worth λ / (δ + p λ) on average: a geometric series over purchases, each
discounted by λ / (δ + λ). This is decreasing in p, so that its mean over p is found in the same way, with its mean over
λ taken inside by the trapezoid rule on the log scale.

Each client is worked out by himself: his numbers are the same to the last bit, alone or among others. His history is
possible, or NaN throughout, as his numbers are then; `loyalty.btyd._border` and `_frozen` see to that. Numba looks for
changes in this file only when it reuses what it compiled; so nothing here calls compiled code of another file.
"""

from typing import Any

import numpy as np

from loyalty.btyd._frozen import Floats
from loyalty.compiled import compiled_when_called

_SMALL = 1e-13  # of a sum: what may be left out
_LONGEST_SUM = 2_000
_NO_UNDERFLOW = -600.0  # the logarithm of a first term that later ones can still be built on
_TAIL = 34.0  # e**-34 is below rounding
_LARGEST_STEP = 0.25
# Numbers are cut here, so that no finite input overflows; no client comes near them.
_MOST_PURCHASES = 2.0**53
_LONGEST_REACH = 1e100


def log_odds_gone(
    frequency: Floats, recency: Floats, T: Floats, r: float, alpha: float, a: float, b: float, first: float
) -> Floats:
    """Log odds that a client who could leave has left by T."""
    silence = np.log((alpha + T) / (alpha + recency))
    return np.log(a / (b + (frequency - 1.0 + first))) + (r + frequency) * silence


_log_odds_gone: Any = compiled_when_called(log_odds_gone)


@compiled_when_called
def probability_alive(
    frequency: Floats, recency: Floats, T: Floats, r: float, alpha: float, a: float, b: float, first: float
) -> Floats:
    """Probability that each client is still active at T."""
    chances = np.empty(len(T))
    for row in range(len(T)):
        chances[row] = _logistic(-_odds(frequency[row], recency[row], T[row], r, alpha, a, b, first))
    return chances


@compiled_when_called
def expected_purchases(
    horizon: float,
    gap: float,
    frequency: Floats,
    recency: Floats,
    T: Floats,
    r: float,
    alpha: float,
    a: float,
    b: float,
    first: float,
) -> Floats:
    """Mean number of purchases of each client in ``(T + gap, T + gap + horizon]``."""
    purchases = np.empty(len(T))
    for row in range(len(T)):
        alive = _logistic(-_odds(frequency[row], recency[row], T[row], r, alpha, a, b, first))
        purchases[row] = alive
        if alive > 0.0:
            k, beta, exposure = _posterior(frequency[row], T[row], r, alpha, b, first)
            active = purchases_while_active(_reach(gap + horizon, exposure), k, a, beta)
            if gap > 0.0:
                active = max(active - purchases_while_active(_reach(gap, exposure), k, a, beta), 0.0)
            purchases[row] = alive * active
    return purchases


@compiled_when_called
def probability_no_purchase(
    horizon: float,
    gap: float,
    frequency: Floats,
    recency: Floats,
    T: Floats,
    r: float,
    alpha: float,
    a: float,
    b: float,
    first: float,
) -> Floats:
    """Probability that each client does not buy in ``(T + gap, T + gap + horizon]``."""
    chances = np.empty(len(T))
    for row in range(len(T)):
        odds = _odds(frequency[row], recency[row], T[row], r, alpha, a, b, first)
        chances[row] = odds
        if not np.isnan(odds):
            k, beta, exposure = _posterior(frequency[row], T[row], r, alpha, b, first)
            reach = _reach(horizon, exposure)
            if gap > 0.0:
                silent = 1.0 - chance_of_purchase(_reach(gap, exposure), reach, k, a, beta)
            else:
                silent = np.exp(-k * np.log1p(reach))
            chances[row] = min(_logistic(odds) + _logistic(-odds) * silent, 1.0)  # the sum may round to above 1
    return chances


@compiled_when_called
def purchases_from_start(T: Floats, r: float, alpha: float, a: float, b: float, first: float) -> Floats:
    """Mean number of repeat purchases of a new client until each T."""
    purchases = np.empty(len(T))
    staying = b / (a + b) if first else 1.0
    for row in range(len(T)):
        purchases[row] = staying * purchases_while_active(_reach(T[row], alpha), r, a, b + first)
    return purchases


@compiled_when_called
def discounted_while_active(
    rate: float, frequency: Floats, T: Floats, r: float, alpha: float, a: float, b: float, first: float
) -> Floats:
    """Mean of all purchases to come of each active client, discounted at `rate`."""
    purchases = np.empty(len(T))
    for row in range(len(T)):
        k, beta, exposure = _posterior(frequency[row], T[row], r, alpha, b, first)
        purchases[row] = discounted_purchases(_reach(rate * exposure, 1.0), k, a, beta)
    return purchases


@compiled_when_called
def _odds(x: float, tx: float, T: float, r: float, alpha: float, a: float, b: float, first: float) -> float:
    """Log odds that any client has left."""
    if x + first == 0.0:
        return -np.inf
    return _log_odds_gone(x, tx, T, r, alpha, a, b, first)


@compiled_when_called
def _logistic(log_odds: float) -> float:
    return 1.0 / (1.0 + np.exp(-log_odds))


@compiled_when_called
def _posterior(x: float, T: float, r: float, alpha: float, b: float, first: float) -> tuple[float, float, float]:
    bought = min(x, _MOST_PURCHASES)
    return r + bought, b + (bought + first), alpha + T


@compiled_when_called
def _reach(length: float, exposure: float) -> float:
    return min(length / exposure, _LONGEST_REACH)


@compiled_when_called
def purchases_while_active(reach: float, k: float, a: float, beta: float) -> float:
    """Mean number of purchases of an active client in a horizon; `reach` is horizon / (α + T)."""
    never_leaving = k * reach
    log_none = -k * np.log1p(reach)
    if log_none > _NO_UNDERFLOW:
        z = reach / (1.0 + reach)
        chance, growth = np.exp(log_none), z * k
        stay, through, total = 1.0, 0.0, 0.0
        for n in range(_LONGEST_SUM):
            chance *= growth  # of n + 1 purchases, if he cannot leave
            through += stay
            total += chance * through
            stay *= (beta + n) / (a + beta + n)
            growth = z * (k + (n + 1.0)) / (n + 2.0)
            if _is_small(chance, max(growth, z), through, stay, total):
                return min(total, never_leaving)
    at_one = -np.expm1(log_none)
    rest = _mean_of_remainder(True, never_leaving, at_one, 0.0, reach, k, a, beta)
    return min(at_one + rest, never_leaving)


@compiled_when_called
def chance_of_purchase(gap: float, reach: float, k: float, a: float, beta: float) -> float:
    """Chance that an active client outlasts the gap and then buys; `gap` and `reach` are lengths / (α + T)."""
    log_none = -k * np.log1p(gap)
    if log_none > _NO_UNDERFLOW:
        z, later = gap / (1.0 + gap), reach / (1.0 + gap)
        chance, growth = np.exp(log_none), z * k
        none = np.exp(-k * np.log1p(later))  # no purchase in the horizon after n in the gap
        stay, bought = 1.0, -np.expm1(-k * np.log1p(later))
        total = chance * bought
        for n in range(_LONGEST_SUM):
            chance *= growth
            stay *= (beta + n) / (a + beta + n)
            bought = min(bought + none * (later / (1.0 + later)), 1.0)
            none /= 1.0 + later
            total += chance * stay * bought
            growth = z * (k + (n + 1.0)) / (n + 2.0)
            if _is_small(chance, max(growth, z), stay * bought, stay * none, total):
                return min(total, 1.0)
    at_one = _chance_at(1.0, gap, reach, k)[0]
    rest = _mean_of_remainder(False, k * gap, at_one, gap, reach, k, a, beta)
    return min(at_one + rest, 1.0)


@compiled_when_called
def _is_small(chance: float, growth: float, value: float, slope: float, total: float) -> bool:
    """Whether all later terms together hardly matter: chances × `growth` each time, values + at most `slope`."""
    rest = 1.0 - growth
    return rest > 0.0 and chance * growth * (value * rest + slope) <= _SMALL * total * rest * rest


@compiled_when_called
def _remainder(
    counting: bool, p: float, stay: float, at_one: float, gap: float, reach: float, k: float, total: float
) -> float:
    """Of the purchases in the horizon if `counting`, else of the chance of one after the gap; `stay` is 1 − p."""
    if counting:
        log_none = -k * np.log1p(reach * p)
        here = -np.expm1(log_none) / p
        steepness = two_or_more(reach * p, k, log_none) / (p * p)
    else:
        here, steepness = _chance_at(p, gap, reach, k)
    return max(here - at_one, 0.0) / stay + steepness / total


@compiled_when_called
def _chance_at(p: float, gap: float, reach: float, k: float) -> tuple[float, float]:
    waited = 1.0 + p * gap
    lasting, window = np.exp(-k * np.log(waited)), np.log1p(reach / waited)
    steepness = -k * gap / waited * lasting * np.expm1(-(k + 1.0) * window)
    return -lasting * np.expm1(-k * window), steepness


@compiled_when_called
def two_or_more(odds: float, shape: float, log_none: float) -> float:
    """Chance of two or more events, negative binomial with `shape` and success odds `odds`."""
    z = odds / (1.0 + odds)
    if (shape + 1.0) * z >= 1e-3:
        return -np.expm1(log_none + np.log1p(shape * z))
    # For rare events the direct form loses digits; four terms of the series are then exact.
    series = 1.0 + (shape + 2) * z / 3 * (1.0 + (shape + 3) * z / 4 * (1.0 + (shape + 4) * z / 5))
    return shape * (shape + 1.0) / 2.0 * z * z * np.exp(log_none) * series


@compiled_when_called
def _mean_of_remainder(
    counting: bool, knee: float, at_one: float, gap: float, reach: float, k: float, a: float, beta: float
) -> float:
    """Mean of the remainder × (1 − p) under Beta(a + 1, beta); the remainder is flat for p well below 1 / knee."""
    nodes, heights = _over_dropout(knee, a, beta)
    weights, values = 0.0, 0.0
    for step in range(len(nodes)):
        u, weight = nodes[step], heights[step]
        p = 1.0 / (1.0 + u)
        weights += weight
        values += weight * _remainder(counting, p, u * p, at_one, gap, reach, k, a + beta)
    return beta / (a + 1.0 + beta) * values / weights


@compiled_when_called
def _over_dropout(knee: float, a: float, beta: float) -> tuple[Floats, Floats]:
    """Odds of staying (1 − p) / p and weights of Beta(a + 1, beta + 1), even on the logit scale."""
    left, right = a + 1.0, beta + 1.0
    middle = np.log(left / right)
    width = np.sqrt(1.0 / left + 1.0 / right)
    low = min(middle, -np.log(max(knee, 1e-300))) - _TAIL / left
    if a > 1.0:  # The weight alone then outruns the 1 / p² of the remainder.
        low = max(low, middle - _TAIL / (a - 1.0))
    low, high = low - 8.0 * width, middle + _TAIL / right + 8.0 * width
    steps = int(np.ceil((high - low) / min(_LARGEST_STEP, width / 1.8)))
    top = -left * np.log1p(right / left) - right * np.log1p(left / right)
    nodes, weights = np.empty(steps + 1), np.empty(steps + 1)
    for step in range(steps + 1):
        u = np.exp(-(low + (high - low) * (step / steps)))
        nodes[step] = u
        weights[step] = np.exp(-left * np.log1p(u) - right * np.log1p(1.0 / u) - top)
    return nodes, weights


@compiled_when_called
def discounted_purchases(rate: float, k: float, a: float, beta: float) -> float:
    """Mean of all purchases to come of an active client; `rate` is the discount rate × (α + T).

    With X ~ Gamma(k + 1) in place of λ, the mean at p is k E 1 / (rate + p X).
    """
    rate = max(rate, 1.0 / _LONGEST_REACH)
    rates, chances = _over_rates(rate, k)
    return k * _mean_inverse(rate, rates, chances, k / rate, a, beta)


@compiled_when_called
def discounted_stays(rate: float, a: float, beta: Floats) -> Floats:
    """Sum over n ≥ 1 of E (1 − p)**n, discounted by n × `rate`, for each β; that is E (1 − p) / (e**rate − 1 + p)."""
    stays = np.empty(len(beta))
    one, cost = np.ones(1), max(np.expm1(rate), 1.0 / _LONGEST_REACH)
    for row in range(len(beta)):
        stays[row] = beta[row] / (a + beta[row]) * _mean_inverse(cost, one, one, 1.0 / cost, a, beta[row] + 1.0)
    return stays


@compiled_when_called
def _mean_inverse(rate: float, rates: Floats, chances: Floats, knee: float, a: float, beta: float) -> float:
    """Mean over p and X of 1 / (rate + p X), X among `rates`; its fall from p to 1 is taken where nothing cancels."""
    at_one = 0.0
    inverse = np.empty(len(rates))
    for i in range(len(rates)):
        inverse[i] = 1.0 / (rate + rates[i])
        at_one += chances[i] * inverse[i]
    nodes, heights = _over_dropout(knee, a, beta)
    weights, values = 0.0, 0.0
    for step in range(len(nodes)):
        p = 1.0 / (1.0 + nodes[step])
        remainder = 0.0
        for i in range(len(rates)):
            here = 1.0 / (rate + p * rates[i])
            remainder += chances[i] * rates[i] * here * (inverse[i] + here / (a + beta))
        weights += heights[step]
        values += heights[step] * remainder
    return at_one + beta / (a + 1.0 + beta) * values / weights


@compiled_when_called
def _over_rates(rate: float, k: float) -> tuple[Floats, Floats]:
    """Nodes and weights of Gamma(k + 1), even on the log scale, for means of what falls like 1 / X above `rate`."""
    left = k + 1.0
    middle, width = np.log(left), 1.0 / np.sqrt(left)
    low = max(min(middle, np.log(rate)) - _TAIL / left, middle - _TAIL / k) - 8.0 * width
    high = middle + np.log1p(_TAIL / left + 9.0 * width)
    steps = int(np.ceil((high - low) / min(_LARGEST_STEP, width / 1.8)))
    nodes, weights = np.empty(steps + 1), np.empty(steps + 1)
    for step in range(steps + 1):
        above = low + (high - low) * (step / steps) - middle
        nodes[step] = left * np.exp(above)
        weights[step] = np.exp(-left * (np.expm1(above) - above))
    return nodes, weights / weights.sum()
