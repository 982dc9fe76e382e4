"""Calibration: make a margin mean what it says, at cutoffs never seen."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

#: How far the slope may stray from 1 before the data must insist (standard deviation of its prior).
_SLOPE_PRIOR = 0.5
#: Variance of the errors that come and go with the season, over that of those which last from cutoff to cutoff.
_PASSING_OVER_LASTING = 4.0


@dataclass(frozen=True)
class PlattScaling:
    """A logistic calibrator: probability = expit(level + slope × margin).

    Attributes
    ----------
    slope : float
        Below 1 where the margins were too sure of themselves.
    level : float
        What is added in log-odds.

    References
    ----------
    .. [1] Platt (1999), "Probabilistic outputs for support vector machines and comparisons to regularized
       likelihood methods", Advances in Large Margin Classifiers, 61-74.

    Examples
    --------
    >>> PlattScaling(slope=0.5, level=0.0)(np.array([-2.0, 0.0, 2.0])).round(3).tolist()
    [0.269, 0.5, 0.731]
    """

    slope: float = 1.0
    level: float = 0.0

    def __call__(self, margin: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn margins into probabilities."""
        return expit(self.level + self.slope * np.asarray(margin, dtype=float))


def fit_platt(
    margin: NDArray[np.float64], churned: NDArray[np.int_], group: NDArray[np.int_], *, through_time: bool
) -> PlattScaling:
    """Fit slope and level on held-out margins.

    Every group (a cutoff or a fold) has a level of its own, so that the slope is learned within groups. What is
    off at one cutoff is partly of its season and will not be off at the next: through time, slope and level are
    moved from 1 and 0 only by the share that `n` cutoffs can tell of a lasting error, n / (n + 4), the mean of a
    random effect. Between folds nothing passes, and the fitted values stand.

    Parameters
    ----------
    margin : array of shape (n_rows,)
        Log-odds predicted by trees that have not seen these rows.
    churned : array of shape (n_rows,)
        0 or 1.
    group : array of shape (n_rows,)
        0, 1, …: the cutoff or fold of each row.
    through_time : bool
        Whether groups are cutoffs.
    """
    groups = int(group.max()) + 1

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        slope, levels = parameters[0], parameters[1:]
        eta = levels[group] + slope * margin
        error = expit(eta) - churned
        value = float(np.sum(np.logaddexp(0.0, eta) - churned * eta)) + 0.5 * ((slope - 1) / _SLOPE_PRIOR) ** 2
        value += 0.5 * float(np.sum(levels**2))  # a weak prior: a group of one class has a level too
        at_slope = float(error @ margin) + (slope - 1) / _SLOPE_PRIOR**2
        at_levels = np.bincount(group, weights=error, minlength=groups) + levels
        return value, np.concatenate([[at_slope], at_levels])

    start = np.concatenate([[1.0], np.zeros(groups)])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0.05, 5.0)] + [(-10.0, 10.0)] * groups)
    lasting = groups / (groups + _PASSING_OVER_LASTING) if through_time else 1.0
    slope, level = float(found.x[0]), float(np.mean(found.x[1:]))
    return PlattScaling(slope=1 + lasting * (slope - 1), level=lasting * level)
