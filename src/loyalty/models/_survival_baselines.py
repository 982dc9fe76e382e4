"""Survival curves: what all of them share, and two baselines without trees."""

from abc import abstractmethod
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import ndtri
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from loyalty.checks import is_whole_number
from loyalty.models.categories import freeze_columns, read_columns

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

#: Log-hazards are kept this close to 0; nobody's life is told apart beyond.
_LOG_HAZARD = 50.0
#: The logarithm of the Weibull shape is kept within ± this.
_LOG_SHAPE = 3.0


def check_durations(X: ArrayLike, duration: ArrayLike, churned: ArrayLike, *, rows: int) -> tuple[Whole, Whole]:
    """Read what is known of the lives of `rows` clients.

    Raises
    ------
    ValueError
        If there is not one whole duration and one 0 or 1 a row, in the order of `X`, or a client left in no period.
    """
    arrays = {}
    for name, given in (("duration", duration), ("churned", churned)):
        if isinstance(X, pd.DataFrame) and isinstance(given, pd.Series) and not given.index.equals(X.index):
            raise ValueError(f"`{name}` must have the rows of `X` in their order. Take X.loc[{name}.index].")
        array = np.asarray(given)
        if array.shape != (rows,):
            raise ValueError(f"`{name}` must have one entry for each of the {rows} rows of `X`; got {array.shape}.")
        arrays[name] = array.astype(float)
    lives, left = arrays["duration"], arrays["churned"]
    bad = ~((lives >= 0) & (lives < 2**31) & (np.floor(lives) == lives))
    if bad.any():
        at = int(np.argmax(bad))
        raise ValueError(f"`duration` must hold whole periods, 0 or more; got {lives[at]:g} at position {at}.")
    bad = ~np.isin(left, (0, 1))
    if bad.any():
        at = int(np.argmax(bad))
        raise ValueError(f"`churned` must be 1 (left) or 0 (not seen to leave); got {left[at]:g} at position {at}.")
    bad = (left == 1) & (lives == 0)
    if bad.any():
        at = int(np.argmax(bad))
        raise ValueError(
            f"`duration` must be at least 1 where `churned` is 1: it is the period in which a client left; got 0 at "
            f"position {at}."
        )
    return lives.astype(np.int64), left.astype(np.int64)


def count_lives(duration: Whole, churned: Whole) -> tuple[Whole, Whole]:
    """Count, for every period from the first to the longest duration, who was at risk and who left."""
    periods = int(duration.max(initial=0))
    ended = np.bincount(duration, minlength=periods + 1)
    at_risk = ended[::-1].cumsum()[::-1][1:]
    left = np.bincount(duration[churned == 1], minlength=periods + 1)[1:]
    return at_risk, left


class SurvivalCurves(BaseEstimator):
    """What can be read off any model's survival curves.

    Attributes
    ----------
    periods_ : int
        The longest duration learned from.
    """

    periods_: int
    #: Whether the curve can be drawn past the longest duration.
    _goes_on = False

    @abstractmethod
    def predict_survival(self, X: pd.DataFrame, periods: int | None = None) -> Floats:
        """Return the probability of staying through each period, shape (n_rows, periods)."""

    def predict_hazard(self, X: pd.DataFrame, periods: int | None = None) -> Floats:
        """Return the probability of leaving in each period of those who stayed so far, shape (n_rows, periods).

        NaN where nobody is left to leave.
        """
        return hazards_of(self.predict_survival(X, periods))

    def median_remaining_life(self, X: pd.DataFrame) -> Floats:
        """Return the period by whose end half of such clients have left, shape (n_rows,).

        Infinite where more than half stay through the longest duration learned from: all that is known is that the
        median is longer, and so it sorts.
        """
        return medians_of(self.predict_survival(X))

    def expected_remaining_life(self, X: pd.DataFrame, periods: int | None = None) -> Floats:
        """Return the mean of the life until `periods`, shape (n_rows,).

        It is the restricted mean of ``min(duration, periods)``; the period in which a client leaves counts in full.
        """
        return lives_of(self.predict_survival(X, periods))

    def _periods(self, periods: int | None) -> int:
        """Check how far a curve is asked for."""
        check_is_fitted(self)
        if periods is None:
            return self.periods_
        if not is_whole_number(periods, least=1):
            raise ValueError(f"`periods` must be a whole number of at least 1; got {periods!r}.")
        if periods > self.periods_ and not self._goes_on:
            raise ValueError(
                f"`periods` must be at most {self.periods_}, the longest duration learned from; got {periods}. "
                "Learn from earlier cutoffs as well, or take a model of known form."
            )
        return int(periods)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.target_tags.required = True
        tags.target_tags.positive_only = True
        return tags


def hazards_of(survival: Floats) -> Floats:
    """Turn curves into hazards; NaN where nobody is left."""
    before = np.column_stack([np.ones(len(survival)), survival[:, :-1]])
    with np.errstate(invalid="ignore"):
        return 1 - survival / before


def medians_of(survival: Floats) -> Floats:
    """Find the first period at whose end half have left, or infinity."""
    half = survival <= 0.5
    return np.where(half.any(axis=1), half.argmax(axis=1) + 1.0, np.inf)


def lives_of(survival: Floats) -> Floats:
    """Add up a curve from 1, at the cutoff, to the beginning of its last period."""
    return 1 + survival[:, :-1].sum(axis=1)


class KaplanMeier(SurvivalCurves):
    """The survival curve of all clients together, which needs no features.

    Attributes
    ----------
    survival_ : ndarray of shape (n_periods,)
        Share that stays through each period [1]_.
    variance_ : ndarray of shape (n_periods,)
        Its variance [2]_; NaN once the share is 0.
    at_risk_, left_ : ndarray of shape (n_periods,)
        How many were observed in each period, and how many of them left in it.
    periods_ : int
        The longest duration.

    References
    ----------
    .. [1] Kaplan and Meier (1958), "Nonparametric Estimation from Incomplete Observations", Journal of the American
       Statistical Association 53(282).
    .. [2] Greenwood (1926), "The Natural Duration of Cancer", Reports on Public Health and Medical Subjects 33.

    Examples
    --------
    Who was not seen to leave counts as long as observed, including in the last period: of four clients one leaves in
    period 1; of the two who are then observed in period 2, one does.

    >>> X = np.zeros((4, 1))
    >>> KaplanMeier().fit(X, [1, 1, 2, 2], [1, 0, 1, 0]).predict_survival(X[:1])
    array([[0.75 , 0.375]])
    """

    def fit(self, X: pd.DataFrame, duration: ArrayLike, churned: ArrayLike) -> Self:
        """Count who stays.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, n_features)
            Any table with a row a client; only its rows are looked at.
        duration, churned : array-like of shape (n_rows,)
            As `SurvivalModel.fit` takes them.
        """
        values = freeze_columns(self, X, ensure_min_samples=1)
        self.at_risk_, self.left_ = count_lives(*check_durations(X, duration, churned, rows=len(values)))
        if not len(self.at_risk_):
            raise ValueError("`duration` must be at least 1 for somebody: nobody was observed for a period.")
        self.periods_ = len(self.at_risk_)
        self.survival_ = np.cumprod(1 - self.left_ / self.at_risk_)
        stayed = self.at_risk_ - self.left_
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.cumsum(self.left_ / (self.at_risk_ * stayed))
            self.variance_ = np.where(self.survival_ > 0, self.survival_**2 * terms, np.nan)
        return self

    def predict_survival(self, X: pd.DataFrame, periods: int | None = None) -> Floats:
        """Return the one curve for each row, shape (n_rows, periods).

        Raises
        ------
        ValueError
            If `periods` passes the longest duration.
        """
        wanted = self._periods(periods)
        values = read_columns(self, X)
        return np.tile(self.survival_[:wanted], (len(values), 1))

    def interval(self, *, coverage: float = 0.95) -> pd.DataFrame:
        """Say how sure the curve is.

        Returns
        -------
        DataFrame
            One row a period: `at_risk`, `left`, `survival`, `standard_error`, and `lower` and `upper` of an interval
            that is symmetric on the scale of log(-log(survival)), and so stays within 0 and 1 [1]_. NaN while
            nobody has left and once nobody is left.

        Raises
        ------
        ValueError
            If `coverage` does not lie between 0 and 1.

        References
        ----------
        .. [1] Kalbfleisch and Prentice (2002), "The Statistical Analysis of Failure Time Data", 2nd edition, Wiley,
           section 1.4.

        Examples
        --------
        >>> KaplanMeier().fit(np.zeros((4, 1)), [1, 2, 3, 3], [0, 1, 0, 0]).interval().round(3)
                at_risk  left  survival  standard_error  lower  upper
        period
        1             4     0     1.000           0.000    NaN    NaN
        2             3     1     0.667           0.272  0.054  0.945
        3             2     0     0.667           0.272  0.054  0.945
        """
        check_is_fitted(self)
        if not 0 < coverage < 1:
            raise ValueError(f"`coverage` must lie strictly between 0 and 1; got {coverage!r}.")
        error = np.sqrt(self.variance_)
        inside = (self.survival_ > 0) & (self.survival_ < 1)
        share = np.where(inside, self.survival_, np.nan)
        width = ndtri((1 + coverage) / 2) * error / (share * -np.log(share))
        return pd.DataFrame(
            {
                "at_risk": self.at_risk_,
                "left": self.left_,
                "survival": self.survival_,
                "standard_error": error,
                "lower": share ** np.exp(width),
                "upper": share ** np.exp(-width),
            },
            index=pd.RangeIndex(1, self.periods_ + 1, name="period"),
        )


class WeibullModel(SurvivalCurves):
    """Accelerated failure time: every feature stretches or shrinks one Weibull law of life [1]_.

    ``S(t) = exp(-(t / scale) ** shape)`` with ``log scale`` linear in the features, which are standardised, missing
    ones being replaced by their median. A category is a feature for each of its levels, 0 or 1. Fitted by maximum
    likelihood, with the chance of leaving within the period and not at its end: durations are whole periods. The ridge
    keeps features that say the same from running away.

    Parameters
    ----------
    ridge : float, default=1.0
        Half of it times the squares of the coefficients is taken off the log-likelihood.

    Attributes
    ----------
    coefficients_ : ndarray of shape (n_features,)
        What one standard deviation more of a feature adds to the logarithm of the scale; levels of a category in the
        order of `columns_`.
    intercept_ : float
        Logarithm of the scale, in periods, of a client with average features.
    shape_ : float
        Above 1 the hazard rises with time, below it falls.
    median_, mean_, deviation_ : ndarray of shape (n_features,)
        What replaces a missing value, and what standardises.
    columns_ : Columns
        The columns, and the frozen levels of those that hold categories.
    periods_ : int
        The longest duration learned from; the curve goes on beyond it.

    References
    ----------
    .. [1] Kalbfleisch and Prentice (2002), "The Statistical Analysis of Failure Time Data", 2nd edition, Wiley,
       sections 2.3 and 3.7.

    Examples
    --------
    Without features' help, and with half leaving in every period, lives are geometric and the shape is 1:

    >>> X = np.zeros((16, 1))
    >>> duration = [1] * 8 + [2] * 4 + [3] * 2 + [3] * 2
    >>> model = WeibullModel().fit(X, duration, [1] * 14 + [0] * 2)
    >>> model.predict_survival(X[:1], 4).round(2).tolist(), round(model.shape_, 3)
    ([[0.5, 0.25, 0.13, 0.06]], 1.0)
    """

    _goes_on = True

    def __init__(self, *, ridge: float = 1.0) -> None:
        self.ridge = ridge

    def fit(self, X: pd.DataFrame, duration: ArrayLike, churned: ArrayLike) -> Self:
        """Find the most likely coefficients and shape.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, n_features)
            A panel or any table of features.
        duration, churned : array-like of shape (n_rows,)
            As `SurvivalModel.fit` takes them.

        Raises
        ------
        ValueError
            If nobody left, `ridge` is negative, or a category is refused as `ChurnModel` refuses it.
        """
        if not self.ridge >= 0:
            raise ValueError(f"`ridge` must be 0 or more; got {self.ridge!r}.")
        values = freeze_columns(self, X, ensure_min_samples=1)
        lives, left = check_durations(X, duration, churned, rows=len(values))
        if not left.any():
            raise ValueError("`churned` must hold somebody who left; got 1 class, 0.")
        table = pd.DataFrame(values)
        self.median_ = table.median().fillna(0.0).to_numpy()
        filled = np.where(np.isnan(values), self.median_, values)
        self.mean_, spread = filled.mean(axis=0), filled.std(axis=0)
        self.deviation_ = np.where(spread > 1e-12 * np.maximum(1.0, np.abs(self.mean_)), spread, 1.0)
        self.periods_ = int(lives.max())
        start = np.zeros(values.shape[1] + 2)
        start[-2] = np.log(lives.sum() / left.sum())
        bounds = [(None, None)] * (len(start) - 1) + [(-_LOG_SHAPE, _LOG_SHAPE)]
        scaled = self._standardised(values)
        found = minimize(
            weibull_loss,
            start,
            args=(scaled, lives.astype(float), left == 1, self.ridge),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": 2000, "gtol": 1e-8, "ftol": 1e-13},
        )
        self.coefficients_, self.intercept_, log_shape = found.x[:-2], float(found.x[-2]), float(found.x[-1])
        self.shape_ = float(np.exp(log_shape))
        return self

    def predict_survival(self, X: pd.DataFrame, periods: int | None = None) -> Floats:
        """Return the probability of staying through each period, shape (n_rows, periods).

        By default up to the longest duration learned from; further on the form of the law is all that speaks.
        """
        wanted = self._periods(periods)
        values = read_columns(self, X)
        level = self.intercept_ + self._standardised(values) @ self.coefficients_
        log_time = np.log(np.arange(1, wanted + 1))
        hazard = np.exp(np.clip(self.shape_ * (log_time - level[:, None]), -_LOG_HAZARD, _LOG_HAZARD))
        return np.exp(-hazard)

    def _standardised(self, values: Floats) -> Floats:
        filled = np.where(np.isnan(values), self.median_, values)
        return (filled - self.mean_) / self.deviation_


def weibull_loss(
    parameters: Floats, scaled: Floats, lives: Floats, left: NDArray[np.bool_], ridge: float
) -> tuple[float, Floats]:
    """Return minus the mean log-likelihood, with the ridge, and its gradient.

    Parameters
    ----------
    parameters : array of shape (n_features + 2,)
        Coefficients, intercept, logarithm of the shape.
    scaled : array of shape (n_rows, n_features)
        Standardised features.
    lives, left : array of shape (n_rows,)
        Duration, and whether the client left within its last period.
    ridge : float
        Weight of the squared coefficients.

    Notes
    -----
    With cumulative hazard ``H(t) = exp(shape * (log t - level))``, whoever left in period ``d`` contributes
    ``log(exp(-H(d - 1)) - exp(-H(d)))``, whoever was observed for ``d`` periods ``-H(d)``.
    """
    coefficients, intercept, log_shape = parameters[:-2], parameters[-2], parameters[-1]
    shape = np.exp(log_shape)
    level = intercept + scaled @ coefficients
    (early, early_log), (late, late_log) = (_cumulative(time, level, shape) for time in (lives - left, lives))
    within = np.where(left, np.maximum(late - early, 1e-300), 1.0)
    likelihood = -early + np.where(left, np.log(-np.expm1(-within)), 0.0)
    # What one more unit of hazard before and within the last period is worth; expm1 of much is infinite.
    with np.errstate(over="ignore"):
        pull = np.where(left, 1 / np.expm1(within), 0.0)
    by_early, by_late = -1 - pull, pull
    # H changes by -shape * H with the level, and by shape * (log t - level) * H with the logarithm of the shape.
    at_level = -shape * (by_early * early + by_late * late)
    at_shape = by_early * early * early_log + by_late * late * late_log
    rows = len(lives)
    value = -float(likelihood.sum()) + 0.5 * ridge * float(coefficients @ coefficients)
    slope = np.concatenate(
        [-(scaled.T @ at_level) + ridge * coefficients, [-float(at_level.sum())], [-float(at_shape.sum())]]
    )
    return value / rows, slope / rows


def _cumulative(time: Floats, level: Floats, shape: float) -> tuple[Floats, Floats]:
    """Return the cumulative hazard by a time, and its logarithm; by time 0 both count as 0."""
    begun = time > 0
    log_hazard = np.clip(shape * (np.log(np.where(begun, time, 1.0)) - level), -_LOG_HAZARD, _LOG_HAZARD)
    return np.where(begun, np.exp(log_hazard), 0.0), np.where(begun, log_hazard, 0.0)
