"""What one client with a lifetime of his own will do (Pareto/NBD): compiled, and exact to about ten digits.

A client with x repeat purchases until T has a purchase rate λ ~ Gamma(r, α) and leaves at a rate μ ~ Gamma(s, β),
independent of each other. All that is asked of him comes down to one integral with a positive integrand,

    I(p, A; q, B; w) = ∫ (1 + v / A)**−p (1 + v / B)**−q dv  over 0 < v < w.

The log odds that he has left since his last purchase are those of ``s I(r + x, α + tx; s + 1, β + tx; T − tx)``; an
active client buys within w with chance ``k / A I(k + 1, A; s, B; w)``, k = r + x, A = α + T, B = β + T. The textbook
writes them with hypergeometric functions, which fail for heavy buyers and at extreme parameters.

With c the smaller of A and B and ``v = c (e**u − 1)`` the integrand is log-concave in u, whatever the parameters, and
bends on a scale of about 1. So its peak is known in closed form, Newton's method finds from outside where it no longer
matters, and Gauss-Legendre panels between take it, more of them the deeper it falls. The slopes of the integral by the
parameters are means under the same weights.

Each client is worked out by himself, from a history that is possible or NaN throughout. Nothing here calls compiled
code of another file (see `loyalty.btyd._dropout`).
"""

import numpy as np

from loyalty.btyd._frozen import Floats
from loyalty.compiled import compiled_when_called

_FEW_NODES, _FEW_WEIGHTS = np.polynomial.legendre.leggauss(6)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_DEEPEST = 38.0  # e**-38 is below rounding
# The integral has ten digits and more where no panel is wider, and falls by no more in logs, than this.
_FEW_NODES_FALL, _FEW_NODES_WIDTH = 3.0, 0.6
_FALL, _WIDTH = 14.0, 2.0
_LARGEST_STEP = 0.25
# Numbers are cut here, so that no finite input overflows; no client comes near them.
_MOST_PURCHASES = 2.0**53
_LONGEST_REACH = 1e100


@compiled_when_called
def probability_alive(
    frequency: Floats, recency: Floats, T: Floats, r: float, alpha: float, s: float, beta: float
) -> Floats:
    """Probability that each client is still active at T."""
    chances = np.empty(len(T))
    for row in range(len(T)):
        chances[row] = 1.0 / (1.0 + np.exp(_log_odds_gone(frequency[row], recency[row], T[row], r, alpha, s, beta)[0]))
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
    s: float,
    beta: float,
) -> Floats:
    """Mean number of purchases of each client in ``(T + gap, T + gap + horizon]``."""
    purchases = probability_alive(frequency, recency, T, r, alpha, s, beta)
    for row in range(len(T)):
        reach = _time_active(gap, horizon, s, beta + T[row]) / (alpha + T[row])
        purchases[row] *= _shape(frequency[row], r) * min(reach, _LONGEST_REACH)
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
    s: float,
    beta: float,
) -> Floats:
    """Probability that each client does not buy in ``(T + gap, T + gap + horizon]``."""
    chances = probability_alive(frequency, recency, T, r, alpha, s, beta)
    for row in range(len(T)):
        k, exposure, waited = _shape(frequency[row], r), alpha + T[row], beta + T[row] + gap
        lasting = s * _log_growth(gap, beta + T[row])
        buying = np.log(k / exposure) - lasting + _log_integral(k + 1.0, exposure, s, waited, horizon)[0]
        chances[row] = 1.0 - chances[row] * np.exp(min(buying, 0.0))
    return chances


@compiled_when_called
def purchases_from_start(T: Floats, r: float, alpha: float, s: float, beta: float) -> Floats:
    """Mean number of repeat purchases of a new client until each T."""
    purchases = np.empty(len(T))
    for row in range(len(T)):
        purchases[row] = r / alpha * _time_active(0.0, T[row], s, beta)
    return purchases


@compiled_when_called
def discounted_while_active(
    rate: float, frequency: Floats, T: Floats, r: float, alpha: float, s: float, beta: float
) -> Floats:
    """Mean of all purchases to come of each active client, discounted at `rate`."""
    purchases = np.empty(len(T))
    for row in range(len(T)):
        exposure = beta + T[row]
        active = exposure / (alpha + T[row]) * discounted_power(rate * exposure, s)
        purchases[row] = _shape(frequency[row], r) * active
    return purchases


@compiled_when_called
def log_likelihood_of_leaving(
    counts: Floats, frequency: Floats, recency: Floats, T: Floats, r: float, alpha: float, s: float, beta: float
) -> tuple[float, Floats]:
    """Sum over rows of all of the log-likelihood but log Γ(r + x) / Γ(r), and its gradient by the parameters.

    What rounding takes from the sum is given back (Neumaier): a search that cannot see the last digits does not end.
    """
    value, lost, gradient = 0.0, 0.0, np.zeros(4)
    for row in range(len(T)):
        n, x, t = counts[row], frequency[row], T[row]
        bought, stayed = np.log1p(t / alpha), np.log1p(t / beta)
        odds, by_r, by_alpha, by_s, by_beta = _log_odds_gone(x, recency[row], t, r, alpha, s, beta)
        small = np.exp(-abs(odds))
        gone = (1.0 if odds > 0.0 else small) / (1.0 + small)
        term = n * (max(odds, 0.0) + np.log1p(small) - (r + x) * bought - x * np.log(alpha) - s * stayed)
        added = value + term
        lost += (value - added) + term if abs(value) >= abs(term) else (term - added) + value
        value = added
        gradient[0] += n * (gone * by_r - bought)
        gradient[1] += n * (gone * by_alpha + (r * t / alpha - x) / (alpha + t))
        gradient[2] += n * (gone * by_s - stayed)
        gradient[3] += n * (gone * by_beta + s * t / beta / (beta + t))
    return value + lost, gradient


@compiled_when_called
def _log_odds_gone(
    x: float, tx: float, T: float, r: float, alpha: float, s: float, beta: float
) -> tuple[float, float, float, float, float]:
    """Log odds that a client has left by T, and their slopes by r, alpha, s and beta."""
    k, silence = _shape(x, r), T - tx
    if silence <= 0.0:
        return -np.inf, 0.0, 0.0, 0.0, 0.0
    log_integral, buying, leaving, exposure, risk = _log_integral(k, alpha + tx, s + 1.0, beta + tx, silence)
    bought, stayed = _log_growth(silence, alpha + tx), _log_growth(silence, beta + tx)
    odds = np.log(s / (beta + tx)) + k * bought + s * stayed + log_integral
    by_alpha = k * (1.0 / (alpha + T) - exposure)
    by_beta = s / (beta + T) - (s + 1.0) * risk
    return odds, bought - buying, by_alpha, 1.0 / s + stayed - leaving, by_beta


@compiled_when_called
def _shape(x: float, r: float) -> float:
    return r + min(x, _MOST_PURCHASES)


@compiled_when_called
def _log_growth(length: float, exposure: float) -> float:
    return np.log1p(min(length / exposure, _LONGEST_REACH))


@compiled_when_called
def _time_active(gap: float, horizon: float, s: float, exposure: float) -> float:
    """Mean time in ``(gap, gap + horizon]`` that an active client is still active; `exposure` is β + T."""
    waited, window = _log_growth(gap, exposure), _log_growth(horizon, exposure + gap)
    grown = (1.0 - s) * window
    growth = np.expm1(grown) / grown if grown != 0.0 else 1.0
    return exposure * np.exp((1.0 - s) * waited) * window * growth


@compiled_when_called
def discounted_power(rate: float, s: float) -> float:
    """Integral of ``exp(−rate w) (1 + w)**−s`` over w > 0, by the trapezoid rule in log w."""
    rate = min(max(rate, 1.0 / _LONGEST_REACH), _LONGEST_REACH)
    low = -np.log1p(rate + s) - _DEEPEST
    high = np.log(60.0 / rate)
    if 230.0 * (s - 1.0) > 60.0:  # The power alone then ends it, perhaps before.
        high = min(high, np.log(np.expm1(60.0 / (s - 1.0))))
    steps = int(np.ceil((high - low) / _LARGEST_STEP))
    step = (high - low) / steps
    total = 0.0
    for i in range(steps + 1):
        w = np.exp(low + i * step)
        total += w * np.exp(-rate * w - s * np.log1p(w))
    return total * step


@compiled_when_called
def _log_integral(p: float, A: float, q: float, B: float, w: float) -> tuple[float, float, float, float, float]:
    """Return log I(p, A; q, B; w) and, weighted by its integrand, the means of what its slopes are made of.

    These are the means of log(1 + v / A), log(1 + v / B), 1 / (A + v) and 1 / (B + v).
    """
    if A <= B:
        return _log_integral_ordered(p, A, q, B, w)
    value, log_b, log_a, inverse_b, inverse_a = _log_integral_ordered(q, B, p, A, w)
    return value, log_a, log_b, inverse_a, inverse_b


@compiled_when_called
def _log_integral_ordered(p: float, c: float, q: float, C: float, w: float) -> tuple[float, float, float, float, float]:
    """Work out the same, where c ≤ C."""
    low, high, ratio = 0.0, _log_growth(w, c), c / C
    if high <= 0.0:
        return -np.inf, 0.0, 0.0, 1.0 / c, 1.0 / C
    peak = _peak(1.0 - p, q, ratio, high)
    if peak == 0.0:  # Being log-concave it lies below its tangent there.
        high = min(high, (_DEEPEST + 1.0) / (p + q * ratio - 1.0))
    top = _log_integrand(peak, p, q, ratio)
    low, rise = _where_it_matters(low, top, p, q, ratio)
    high, fall = _where_it_matters(high, top, p, q, ratio)
    fall = max(rise, fall)
    nodes, weights, panels = _FEW_NODES, _FEW_WEIGHTS, 1
    if fall > _FEW_NODES_FALL or high - low > _FEW_NODES_WIDTH:
        nodes, weights = _NODES, _WEIGHTS
        panels = int(np.ceil(max((high - low) / _WIDTH, fall / _FALL)))
    half = (high - low) / panels / 2.0
    total, logs, other_logs, inverses, other_inverses = 0.0, 0.0, 0.0, 0.0, 0.0
    for panel in range(panels):
        middle = low + (2 * panel + 1) * half
        for node in range(len(nodes)):
            u = middle + half * nodes[node]
            growth = np.expm1(u)
            other = np.log1p(ratio * growth)
            weight = weights[node] * np.exp((1.0 - p) * u - q * other - top)
            total += weight
            logs += weight * u
            other_logs += weight * other
            inverses += weight / (1.0 + growth)
            other_inverses += weight / (1.0 + ratio * growth)
    value = np.log(c * total * half) + top
    return value, logs / total, other_logs / total, inverses / total / c, other_inverses / total / C


@compiled_when_called
def _log_integrand(u: float, p: float, q: float, ratio: float) -> float:
    return (1.0 - p) * u - q * np.log1p(ratio * np.expm1(u)) if u > 0.0 else 0.0


@compiled_when_called
def _peak(rise: float, q: float, ratio: float, end: float) -> float:
    """Where the integrand is largest: its log-slope is ``rise − q σ``, σ growing from `ratio` towards 1."""
    if rise <= q * ratio:
        return 0.0
    if rise >= q:
        return end
    share = rise / q
    return min(np.log(share * (1.0 - ratio) / (ratio * (1.0 - share))), end)


@compiled_when_called
def _where_it_matters(end: float, top: float, p: float, q: float, ratio: float) -> tuple[float, float]:
    """Move an end of the range inwards until the integrand matters; Newton's method never passes that point.

    Return that end and how far below the peak the integrand lies there, in logs.
    """
    depth = top - _log_integrand(end, p, q, ratio)
    for _ in range(100):
        if depth <= _DEEPEST:
            break
        grown = ratio * np.exp(end)
        end += (depth - _DEEPEST + 0.5) / (1.0 - p - q * grown / (1.0 - ratio + grown))
        depth = top - _log_integrand(end, p, q, ratio)
    return end, depth
