"""What one client with chances to buy one after the other will do (BG/BB): compiled, in logs, all terms positive.

At each of n opportunities a client still active buys with probability p ~ Beta(α, β); before each he may have left
with probability θ ~ Beta(γ, δ). Having bought x times, the last time at opportunity tx, he left after one j of
tx, …, n − 1 or is active still. All gamma functions stand at whole steps from few bases: they come in tables of
``log (base)_m``.
"""

import numpy as np

from loyalty.btyd._frozen import Floats
from loyalty.compiled import compiled_when_called


@compiled_when_called
def log_likelihood(
    counts: Floats,
    frequency: Floats,
    recency: Floats,
    opportunities: Floats,
    gamma: float,
    logs: Floats,
    slopes: Floats,
) -> tuple[float, Floats]:
    """Sum of log-likelihoods over rows and its gradient by α, β, γ and δ.

    `logs` holds ``log (base)_m`` for the bases α, β, α + β, δ and γ + δ in its rows; `slopes` its derivatives by them.
    """
    value, gradient = 0.0, np.zeros(4)
    bought, passed, tried, stayed, risked = logs
    bought_slope, passed_slope, tried_slope, stayed_slope, risked_slope = slopes
    for row in range(len(counts)):
        x, n = int(frequency[row]), int(opportunities[row])
        gone = _left_after(frequency[row], recency[row], opportunities[row], gamma, logs)
        # Likelihoods are taken relative to the largest, the last of which is that of being active still.
        active = passed[n - x] - tried[n] + stayed[n] - risked[n]
        top = max(0.0, gone.max()) if len(gone) else 0.0
        weight = np.exp(-top)
        total = weight
        by_beta, by_alpha = weight * (passed_slope[n - x] - tried_slope[n]), weight * -tried_slope[n]
        by_gamma, by_delta = weight * -risked_slope[n], weight * (stayed_slope[n] - risked_slope[n])
        for i in range(len(gone)):
            j = n - len(gone) + i
            weight = np.exp(gone[i] - top)
            total += weight
            by_alpha -= weight * tried_slope[j]
            by_beta += weight * (passed_slope[j - x] - tried_slope[j])
            by_gamma += weight * (1.0 / gamma - risked_slope[j + 1])
            by_delta += weight * (stayed_slope[j] - risked_slope[j + 1])
        value += counts[row] * (bought[x] + active + top + np.log(total))
        gradient[0] += counts[row] * (bought_slope[x] + by_alpha / total)
        gradient[1] += counts[row] * by_beta / total
        gradient[2] += counts[row] * by_gamma / total
        gradient[3] += counts[row] * by_delta / total
    return value, gradient


@compiled_when_called
def probability_active(frequency: Floats, recency: Floats, opportunities: Floats, gamma: float, logs: Floats) -> Floats:
    """Probability that each client was still active at the last of his opportunities."""
    chances = np.empty(len(frequency))
    for row in range(len(frequency)):
        chances[row] = 1.0 / (
            1.0 + np.exp(_left_after(frequency[row], recency[row], opportunities[row], gamma, logs)).sum()
        )
    return chances


@compiled_when_called
def _left_after(x: float, tx: float, n: float, gamma: float, logs: Floats) -> Floats:
    """Log odds of having left after each opportunity from the last purchase on, against being active still."""
    _, passed, tried, stayed, risked = logs
    x_, tx_, n_ = int(x), int(tx), int(n)
    active = passed[n_ - x_] - tried[n_] + stayed[n_] - risked[n_]
    gone = np.empty(n_ - tx_)
    for i in range(n_ - tx_):
        j = tx_ + i
        gone[i] = passed[j - x_] - tried[j] + np.log(gamma) + stayed[j] - risked[j + 1] - active
    return gone


@compiled_when_called
def outlook(
    horizon: int,
    gap: int,
    frequency: Floats,
    opportunities: Floats,
    alpha: float,
    beta: float,
    gamma: float,
    delta: float,
) -> tuple[Floats, Floats]:
    """Mean purchases, and chance of any, of an active client at the `horizon` opportunities after the next `gap`."""
    purchases, chances = np.empty(len(frequency)), np.empty(len(frequency))
    for row in range(len(frequency)):
        x, n = frequency[row], opportunities[row]
        buying, passing, staying = alpha + x, beta + (n - x), delta + n
        stay, silent, active, any_purchase = 1.0, 1.0, 0.0, 0.0
        for j in range(gap + horizon):
            stay *= (staying + j) / (gamma + staying + j)
            if j >= gap:
                active += stay
                tries = passing + (j - gap)
                any_purchase += stay * silent * buying / (buying + tries)
                silent *= tries / (buying + tries)
        purchases[row] = active * buying / (buying + passing)
        chances[row] = any_purchase
    return purchases, chances
