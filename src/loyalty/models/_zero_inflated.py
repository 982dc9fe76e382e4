"""The zero-inflated log-normal law: its mean, quantiles and scores, and the slopes by which trees learn it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, ndtr, ndtri

Floats = NDArray[np.float64]

#: In standard deviations of all log spend: how far a client's mean may lie from the middle, and between which two its
#: own standard deviation. Nobody is less sure than all are together; chosen on earlier cutoffs, as without it a few
#: wholesalers whose mean explodes decide the total (experiments/value_comparison.md).
FARTHEST_MEAN, NARROWEST, WIDEST = 4.0, 0.1, 1.0
#: Largest logarithm of an amount, so that none overflows.
_LARGEST = 700.0


def slopes(scores: Floats, spends: NDArray[np.bool_], size: Floats) -> tuple[Floats, Floats]:
    """Differentiate the negative log-likelihood of each row by its three scores.

    Parameters
    ----------
    scores : array of shape (n_rows, 3)
        Log-odds of spending, mean and log standard deviation of the size of what is spent.
    spends : array of bool of shape (n_rows,)
        Who spent anything.
    size : array of shape (n_rows,)
        Logarithm of the spend, in any unit; not looked at where nothing is spent.

    Returns
    -------
    gradient, hessian : array of shape (n_rows, 3)
        First derivatives, and a positive diagonal to divide them by.

    Notes
    -----
    With the score η, the mean μ, τ = log σ, p = 1 / (1 + exp(−η)) and r = (μ − size) / σ, the loss of a row [1]_ is
    log(1 + exp(η)) where nothing is spent, and log(1 + exp(−η)) + τ + r² / 2 (and what no score changes) where
    something is. So

    =========  ==============  ======================  ==================
    score      first           second, exact           second, expected
    =========  ==============  ======================  ==================
    η          p − [spends]    p (1 − p)               the same
    μ          r / σ           1 / σ²                  the same
    τ          1 − r²          2 r²                    2
    =========  ==============  ======================  ==================

    the last two lines where something is spent, else 0. The exact second derivative by τ vanishes where an amount is
    foretold exactly, and a step divided by it has no bound; the expected one (Fisher information) makes steps too long
    where amounts are missed by far. Their mean, 1 + r², is used: with m the mean of r² in a leaf, the step is then
    (m − 1) / (m + 1) = tanh(log(m) / 2), and log(m) / 2 is the step to the minimum. It never goes too far.

    Beyond its bounds a score has the slopes it has at the bound.

    References
    ----------
    .. [1] Wang, Liu and Miao (2019), "A Deep Probabilistic Model for Customer Lifetime Value Prediction",
       arXiv:1912.07753, equation 4.

    Examples
    --------
    An amount one standard deviation above the mean draws the mean up and leaves the standard deviation as it is; where
    nothing was spent, only the chance is told anything:

    >>> gradient, _ = slopes(np.zeros((2, 3)), np.array([True, False]), np.array([1.0, 0.0]))
    >>> gradient.tolist()
    [[-0.5, -1.0, 0.0], [0.5, 0.0, 0.0]]
    """
    chance, mean, log_sd = bounded(scores)
    precision = np.exp(-log_sd)
    distance = np.where(spends, mean - size, 0.0) * precision
    squared = distance**2
    gradient = np.column_stack([chance - spends, distance * precision, np.where(spends, 1.0 - squared, 0.0)])
    hessian = np.column_stack(
        [chance * (1.0 - chance), np.where(spends, precision**2, 0.0), np.where(spends, 1.0 + squared, 0.0)]
    )
    return gradient, hessian


def bounded(scores: Floats) -> tuple[Floats, Floats, Floats]:
    """Return chance, mean and log standard deviation, within bounds."""
    return (
        expit(scores[:, 0]),
        np.clip(scores[:, 1], -FARTHEST_MEAN, FARTHEST_MEAN),
        np.clip(scores[:, 2], np.log(NARROWEST), np.log(WIDEST)),
    )


@dataclass(frozen=True)
class ZeroInflatedLaw:
    """What each client may spend: nothing, or an amount whose logarithm is normal.

    Attributes
    ----------
    chance : array of shape (n_clients,)
        Probability of spending anything.
    log_mean, log_sd : array of shape (n_clients,)
        Mean and standard deviation of the logarithm of what is then spent; `log_sd` above 0.

    Examples
    --------
    Of who spends with a chance of 0.4, the median is nothing; half of the rest spend more than e:

    >>> law = ZeroInflatedLaw(chance=np.array([0.4]), log_mean=np.array([1.0]), log_sd=np.array([0.5]))
    >>> law.quantiles([0.5, 0.6, 0.8]).round(3).tolist()
    [[0.0, 0.0, 2.718]]
    """

    chance: Floats
    log_mean: Floats
    log_sd: Floats

    def __len__(self) -> int:
        return len(self.chance)

    def mean_if_spending(self) -> Floats:
        """Return the mean of what is spent by those who spend: above the median, by exp(log_sd² / 2)."""
        mean: Floats = np.exp(np.minimum(self.log_mean + self.log_sd**2 / 2, _LARGEST))
        return mean

    def mean(self) -> Floats:
        """Return the mean spend, shape (n_clients,)."""
        return self.chance * self.mean_if_spending()

    def quantiles(self, levels: ArrayLike) -> Floats:
        """Return the quantiles of the spend, shape (n_clients, n_levels).

        Parameters
        ----------
        levels : array-like of shape (n_levels,)
            Each strictly between 0 and 1.

        Raises
        ------
        ValueError
            If a level is not.
        """
        level = np.atleast_1d(np.asarray(levels, dtype=float))
        if not ((level > 0) & (level < 1)).all():
            raise ValueError(f"`levels` must lie strictly between 0 and 1, as [0.5, 0.9]; got {levels!r}.")
        beyond = level - (1.0 - self.chance[:, None])
        share = np.clip(beyond / np.maximum(self.chance[:, None], 1e-300), 1e-300, 1.0 - 1e-16)
        size = self.log_mean[:, None] + self.log_sd[:, None] * ndtri(share)
        spent: Floats = np.where(beyond > 0, np.exp(np.minimum(size, _LARGEST)), 0.0)
        return spent

    def crps(self, spend: ArrayLike) -> Floats:
        """Score the law of each client by what the client spent: continuous ranked probability score, in money.

        Notes
        -----
        With X and X' independent of this law, it is E|X − spend| − E|X − X'| / 2 [1]_: 0 for certainty that was right,
        the absolute error for certainty that was wrong. In expectation only the true law minimises it. Both means
        have closed forms, those of the log-normal being in [2]_.

        References
        ----------
        .. [1] Gneiting and Raftery (2007), "Strictly Proper Scoring Rules, Prediction, and Estimation", Journal of the
           American Statistical Association 102(477), equation 21.
        .. [2] Baran and Lerch (2015), "Log-normal distribution based Ensemble Model Output Statistics models for
           probabilistic wind-speed forecasting", Quarterly Journal of the Royal Meteorological Society 141(691).
        """
        true = np.asarray(spend, dtype=float)
        mean, chance = self.mean_if_spending(), self.chance
        place = (np.log(np.maximum(true, 1e-300)) - self.log_mean) / self.log_sd
        # E|S - y| of a spend S above 0; of y below 0, S is above it for sure.
        apart = np.where(
            true > 0, true * (2 * ndtr(place) - 1) + mean * (1 - 2 * ndtr(place - self.log_sd)), mean - true
        )
        between = 2 * mean * (2 * ndtr(self.log_sd / np.sqrt(2)) - 1)
        missed = (1 - chance) * np.abs(true) + chance * apart
        score: Floats = missed - chance * (1 - chance) * mean - chance**2 * between / 2
        return score
