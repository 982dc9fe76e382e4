"""Contracts that are renewed or not: how long clients stay, and what a stay is still worth."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from loyalty.btyd import _dropout
from loyalty.btyd._border import check_columns, check_contracts, check_numbers, check_periods, check_rate, refuse
from loyalty.btyd._frozen import Floats
from loyalty.btyd._likelihood import ContractRows, contract_log_likelihood, rising
from loyalty.btyd._maximum import maximise

_BOUNDS = {"alpha": (1e-4, 1e6), "beta": (1e-4, 1e6)}
_MEANINGS = {
    ("alpha", "lower"): "hardly anyone leaves",
    ("alpha", "upper"): "clients hardly differ in their chance of leaving",
    ("beta", "lower"): "hardly anyone renews",
    ("beta", "upper"): "clients hardly differ in their chance of leaving, or hardly anyone leaves",
}
_MISFIT = 0.05  # of all clients


class ShiftedBetaGeometric(BaseEstimator):
    """Shifted beta-geometric: how many clients are still there after each renewal of a contract.

    At every renewal a client leaves with his own probability; these follow a beta distribution over clients [1]_. So
    those likely to leave go first, and the retention rate of those who remain rises, though nobody changes.

    Attributes
    ----------
    alpha_, beta_ : float
        Beta distribution of the probability of leaving at a renewal.
    standard_errors_ : dict of str to float
        Of each parameter, from the observed information; NaN where it lies on a bound or is not identified.
    log_likelihood_ : float
        At the maximum.
    n_clients_ : int
        Clients fitted on.
    survival_gap_ : float
        Largest difference between the share of clients that was still there after a renewal, those not yet observed so
        far left out (Kaplan-Meier), and the share the model expects.
    converged_ : bool
        Whether the maximum was found away from every bound.
    message_ : str
        How the fit went, in words; also says when the model does not describe the clients.

    Notes
    -----
    Parameters are kept between 1e-4 and 1e6. A retention rate that falls with time cannot be followed: `beta_` then
    tends to its bound, and `message_` says so.

    References
    ----------
    .. [1] Fader and Hardie (2007), "How to Project Customer Retention", Journal of Interactive Marketing 21(1), 76-90.
    .. [2] Fader and Hardie (2010), "Customer-Base Valuation in a Contractual Setting: The Perils of Ignoring
       Heterogeneity", Marketing Science 29(1), 85-93.

    Examples
    --------
    The "regular" clients of [1]_, in per mille of those who began, and the retention rates to come:

    >>> model = ShiftedBetaGeometric().fit_cohorts([1000, 631, 468, 382, 326, 289, 262, 241])
    >>> {name: round(value, 3) for name, value in model.parameters_.items()}
    {'alpha': 0.704, 'beta': 1.182}
    >>> model.retention_rate([1, 7, 12]).round(3)
    array([0.627, 0.911, 0.945])
    """

    alpha_: float
    beta_: float

    def fit(self, renewals: ArrayLike, lost: ArrayLike, counts: ArrayLike | None = None) -> Self:
        """Find the most likely parameters.

        Parameters
        ----------
        renewals : array-like of shape (n_rows,)
            How often a client has renewed.
        lost : array-like of shape (n_rows,)
            1 where he did not renew once more, 0 where that is not known yet (right-censored).
        counts : array-like of shape (n_rows,), optional
            How many clients each row stands for; 1 each by default.

        Returns
        -------
        ShiftedBetaGeometric
            The fitted model.

        Raises
        ------
        ValueError
            If there is no client, or a row is impossible.
        """
        rows = ContractRows.of(*check_contracts(renewals, lost, counts))
        starts = [(1.0, 2.0), (0.3, 3.0), (3.0, 30.0)]
        found = maximise(contract_log_likelihood, rows, starts=starts, bounds=_BOUNDS)
        self.alpha_, self.beta_ = (float(value) for value in found.parameters)
        self.standard_errors_ = found.standard_errors(self.parameters_)
        self.log_likelihood_ = found.log_likelihood
        self.n_clients_ = int(rows.counts.sum())
        times, shares = rows.survival()
        self.survival_gap_ = float(np.max(np.abs(self.survival(times) - shares), initial=0.0))
        self.converged_ = found.settled and not found.at_bounds
        self.message_ = found.describe(self.parameters_, _MEANINGS) + self._describe_misfit()
        return self

    def fit_cohorts(self, *cohorts: ArrayLike) -> Self:
        """Find the most likely parameters from the number of clients of each cohort still there.

        Parameters
        ----------
        *cohorts : array-like of shape (n_renewals + 1,)
            Clients who began, and those left after the first renewal, the second, and so on. Cohorts may differ in
            length: the younger, the fewer renewals are known.

        Returns
        -------
        ShiftedBetaGeometric
            The fitted model.

        Raises
        ------
        ValueError
            If a cohort grows, or nobody is in any.
        """
        rows = [_leavers(check_numbers("cohorts", cohort)) for cohort in cohorts]
        return self.fit(*(np.concatenate(column) for column in zip(*rows, strict=True))) if rows else self.fit([], [])

    @property
    def parameters_(self) -> dict[str, float]:
        """The fitted parameters by name."""
        return {"alpha": self.alpha_, "beta": self.beta_}

    def survival(self, periods: ArrayLike, *, renewals: ArrayLike = 0) -> Floats:
        """Share of clients who make the next `periods` renewals, among those who made `renewals`.

        Parameters
        ----------
        periods : array-like of shape (n,)
            Renewals to come.
        renewals : int or array-like of shape (n,), default=0
            Renewals made.

        Returns
        -------
        ndarray of shape (n,)
            1 where `periods` is 0.

        Raises
        ------
        ValueError
            If either is no number of periods.
        """
        ahead, made = self._checked(periods=periods, renewals=renewals)
        stays, trials = (rising(base + made, ahead)[0] for base in (self.beta_, self.alpha_ + self.beta_))
        return np.exp(stays - trials)

    def retention_rate(self, periods: ArrayLike) -> Floats:
        """Share of the clients asked for the 1st, 2nd, … renewal who make it.

        Parameters
        ----------
        periods : array-like of shape (n,)
            Number of the renewal, from 1 on.

        Returns
        -------
        ndarray of shape (n,)
            Rates, rising with `periods`.

        Raises
        ------
        ValueError
            If one is no number of a renewal.
        """
        (number,) = self._checked(periods=periods)
        refuse("periods", number, number < 1, "1 or more", "The first renewal is number 1.")
        return (self.beta_ + (number - 1.0)) / (self.alpha_ + self.beta_ + (number - 1.0))

    def expected_renewals(self, horizon: int, renewals: ArrayLike, *, gap: int = 0) -> Floats:
        """Mean number of renewals each client makes out of `horizon` after the next `gap`.

        Parameters
        ----------
        horizon : int
            Renewals due in the outcome window.
        renewals : array-like of shape (n_clients,)
            Renewals made by clients still there.
        gap : int, default=0
            Renewals due before the window.

        Returns
        -------
        ndarray of shape (n_clients,)
            From 0 to `horizon`.

        Raises
        ------
        ValueError
            If one is no number of periods.
        """
        (made,) = self._checked(renewals=renewals)
        check_periods("horizon", np.array([horizon], dtype=np.float64))
        check_periods("gap", np.array([gap], dtype=np.float64))
        distinct, inverse = np.unique(made, return_inverse=True)
        ahead = np.arange(gap + 1.0, gap + horizon + 1.0)
        return np.array([self.survival(ahead, renewals=of).sum() for of in distinct])[inverse]

    def discounted_lifetime(self, rate: float) -> float:
        """Mean number of periods a new client pays for, each discounted to his beginning (DEL).

        Parameters
        ----------
        rate : float
            Continuous discount rate a period: ``log(1 + d)`` for d from one to the next.

        Returns
        -------
        float
            At least 1: the first period is paid at once.

        Raises
        ------
        ValueError
            If `rate` is not above 0: without discount the sum may be infinite.
        """
        return 1.0 + float(self._stays(rate, np.zeros(1))[0])

    def discounted_residual_lifetime(self, rate: float, renewals: ArrayLike) -> Floats:
        """Mean number of periods clients still pay for, discounted to just before the next renewal is due (DERL).

        Parameters
        ----------
        rate : float
            Continuous discount rate a period: ``log(1 + d)`` for d from one to the next.
        renewals : array-like of shape (n_clients,)
            Renewals made by clients still there.

        Returns
        -------
        ndarray of shape (n_clients,)
            Rising with `renewals` [2]_; the next period, if he renews, is not discounted.

        Raises
        ------
        ValueError
            If one is no number of periods, or `rate` is not above 0.
        """
        (made,) = self._checked(renewals=renewals)
        distinct, inverse = np.unique(made, return_inverse=True)
        return (np.exp(check_rate(rate)) * self._stays(rate, distinct))[inverse]

    def _stays(self, rate: float, made: Floats) -> Floats:
        check_is_fitted(self)
        return _dropout.discounted_stays(check_rate(rate), self.alpha_, self.beta_ + made)

    def _checked(self, **columns: ArrayLike) -> list[Floats]:
        check_is_fitted(self)
        shape = np.broadcast_shapes(*(np.shape(values) for values in columns.values()))
        numbers = check_columns(**{name: np.broadcast_to(values, shape) for name, values in columns.items()})
        for name, values in zip(columns, numbers, strict=True):
            check_periods(name, values)
        return numbers

    def _describe_misfit(self) -> str:
        if self.survival_gap_ <= _MISFIT:
            return ""
        return (
            f" Up to {self.survival_gap_:.0%} of the clients stay longer or leave sooner than the model expects: "
            "it does not describe these clients well."
        )


def _leavers(cohort: Floats) -> tuple[Floats, Floats, Floats]:
    """Rows of renewals, lost and counts from the clients left after each renewal."""
    refuse("cohorts", cohort, ~np.isfinite(cohort) | (cohort < 0), "finite and 0 or more", "Count the clients left.")
    growing = np.diff(cohort, prepend=np.inf) > 0
    refuse("cohorts", cohort, growing, "at most the number before it", "Count only clients who began together.")
    left = -np.diff(cohort)
    made = np.arange(len(cohort), dtype=np.float64)
    lost = np.append(np.ones(len(left)), np.zeros(len(cohort[-1:])))
    return made, lost, np.append(left, cohort[-1:])
