"""Purchases at set opportunities, of which each is taken or not: a yearly gift, a weekly issue, a cruise a season."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from loyalty.btyd import _discrete, _dropout
from loyalty.btyd._border import check_count, check_opportunities, check_rate
from loyalty.btyd._frozen import Floats
from loyalty.btyd._likelihood import PurchaseRows, distinct_rows, opportunity_log_likelihood, rising_table
from loyalty.btyd._maximum import maximise
from loyalty.btyd._purchases import describe_misfit

_BOUNDS = {"alpha": (1e-4, 1e4), "beta": (1e-4, 1e4), "gamma": (1e-4, 1e4), "delta": (1e-4, 1e4)}
_MEANINGS = {
    ("alpha", "lower"): "most clients hardly ever take an opportunity",
    ("alpha", "upper"): "clients hardly differ in how often they buy",
    ("beta", "lower"): "most active clients take every opportunity",
    ("beta", "upper"): "clients hardly differ in how often they buy, or hardly anyone buys",
    ("gamma", "lower"): "hardly anyone leaves",
    ("gamma", "upper"): "clients hardly differ in their chance of leaving",
    ("delta", "lower"): "hardly anyone stays",
    ("delta", "upper"): "clients hardly differ in their chance of leaving, or hardly anyone leaves",
}


class BetaGeometricBetaBinomial(BaseEstimator):
    """BG/BB: whether clients take the next opportunity to buy, and whether they are still there to take it.

    Before each opportunity a client leaves for good with his own probability; while active, he takes each with his own
    probability. Both follow beta distributions over clients [1]_.

    Attributes
    ----------
    alpha_, beta_ : float
        Beta distribution of the probability of buying at an opportunity.
    gamma_, delta_ : float
        Beta distribution of the probability of leaving before an opportunity.
    standard_errors_ : dict of str to float
        Of each parameter, from the observed information; NaN where it lies on a bound or is not identified.
    log_likelihood_ : float
        At the maximum.
    n_clients_ : int
        Clients fitted on.
    repeat_ratio_ : float
        Purchases the fitted model expects of these clients, over those they made. Far from 1 the model does not
        describe these clients. NaN where nobody bought again.
    converged_ : bool
        Whether the maximum was found away from every bound.
    message_ : str
        How the fit went, in words; also says when the model does not describe the clients.

    Notes
    -----
    Opportunities are counted after the first purchase: `frequency` of them were taken, the last of these was number
    `recency`, and there have been `opportunities` in all until the cutoff. Parameters are kept between 1e-4 and 1e4.

    References
    ----------
    .. [1] Fader, Hardie and Shang (2010), "Customer-Base Analysis in a Discrete-Time Noncontractual Setting", Marketing
       Science 29(6), 1086-1108.

    Examples
    --------
    Of six opportunities each took three; one the last three, one the first, one every other:

    >>> model = BetaGeometricBetaBinomial().fit([3, 3, 3, 0, 1, 6], [6, 3, 5, 0, 1, 6], [6, 6, 6, 6, 6, 6])
    >>> late, early, even = model.probability_alive([3, 3, 3], [6, 3, 5], [6, 6, 6])
    >>> bool(late > even > early)
    True
    """

    alpha_: float
    beta_: float
    gamma_: float
    delta_: float

    def fit(self, frequency: ArrayLike, recency: ArrayLike, opportunities: ArrayLike) -> Self:
        """Find the most likely parameters.

        Parameters
        ----------
        frequency : array-like of shape (n_clients,)
            Opportunities taken after the first purchase.
        recency : array-like of shape (n_clients,)
            Number of the last opportunity taken; 0 exactly where `frequency` is 0.
        opportunities : array-like of shape (n_clients,)
            Opportunities there have been since the first purchase, until the cutoff.

        Returns
        -------
        BetaGeometricBetaBinomial
            The fitted model.

        Raises
        ------
        ValueError
            If there is no client, or a client's history is impossible.
        """
        rows = PurchaseRows.of(*check_opportunities(frequency, recency, opportunities))
        starts = [(1.0, 1.0, 0.5, 3.0), (0.3, 1.0, 0.1, 1.0), (3.0, 10.0, 2.0, 20.0)]
        found = maximise(opportunity_log_likelihood, rows, starts=starts, bounds=_BOUNDS)
        self.alpha_, self.beta_, self.gamma_, self.delta_ = (float(value) for value in found.parameters)
        self.standard_errors_ = found.standard_errors(self.parameters_)
        self.log_likelihood_ = found.log_likelihood
        self.n_clients_ = int(rows.counts.sum())
        repeats = float((rows.counts * rows.frequency).sum())
        self.repeat_ratio_ = self._expected_of_new_clients(rows) / repeats if repeats else float("nan")
        self.converged_ = found.settled and not found.at_bounds and repeats > 0
        self.message_ = found.describe(self.parameters_, _MEANINGS) + describe_misfit(self.repeat_ratio_)
        return self

    @property
    def parameters_(self) -> dict[str, float]:
        """The fitted parameters by name."""
        return {"alpha": self.alpha_, "beta": self.beta_, "gamma": self.gamma_, "delta": self.delta_}

    def probability_alive(self, frequency: ArrayLike, recency: ArrayLike, opportunities: ArrayLike) -> Floats:
        """Probability that each client will still be active at the next opportunity.

        Parameters
        ----------
        frequency, recency, opportunities : array-like of shape (n_clients,)
            As for `fit`.

        Returns
        -------
        ndarray of shape (n_clients,)
            Below 1: before each opportunity a client may leave.

        Raises
        ------
        ValueError
            If a client's history is impossible.
        """
        rows, inverse = self._distinct(frequency, recency, opportunities)
        n = rows[2]
        return (self._active(rows) * (self.delta_ + n) / (self.gamma_ + self.delta_ + n))[inverse]

    def probability_no_purchase(
        self, horizon: int, frequency: ArrayLike, recency: ArrayLike, opportunities: ArrayLike, *, gap: int = 0
    ) -> Floats:
        """Probability that each client takes none of `horizon` opportunities after the next `gap`.

        Parameters
        ----------
        horizon : int
            Opportunities in the outcome window.
        frequency, recency, opportunities : array-like of shape (n_clients,)
            As for `fit`.
        gap : int, default=0
            Opportunities left out before the window. Purchases in the gap are allowed, and the client may leave in it.

        Returns
        -------
        ndarray of shape (n_clients,)
            Probabilities of silence.

        Raises
        ------
        ValueError
            If a client's history is impossible, or `horizon` or `gap` is no number of opportunities.
        """
        rows, inverse = self._distinct(frequency, recency, opportunities)
        return (1.0 - np.minimum(self._active(rows) * self._outlook(horizon, gap, rows)[1], 1.0))[inverse]

    def expected_purchases(
        self, horizon: int, frequency: ArrayLike, recency: ArrayLike, opportunities: ArrayLike, *, gap: int = 0
    ) -> Floats:
        """Mean number of purchases of each client at `horizon` opportunities after the next `gap`.

        Parameters
        ----------
        horizon : int
            Opportunities in the outcome window.
        frequency, recency, opportunities : array-like of shape (n_clients,)
            As for `fit`.
        gap : int, default=0
            Opportunities left out before the window.

        Returns
        -------
        ndarray of shape (n_clients,)
            From 0 to `horizon`.

        Raises
        ------
        ValueError
            If a client's history is impossible, or `horizon` or `gap` is no number of opportunities.
        """
        rows, inverse = self._distinct(frequency, recency, opportunities)
        return (self._active(rows) * self._outlook(horizon, gap, rows)[0])[inverse]

    def discounted_purchases(
        self, rate: float, frequency: ArrayLike, recency: ArrayLike, opportunities: ArrayLike
    ) -> Floats:
        """Mean number of all purchases each client has still to make, each discounted to the last opportunity.

        Parameters
        ----------
        rate : float
            Continuous discount rate an opportunity: ``log(1 + d)`` for d from one to the next.
        frequency, recency, opportunities : array-like of shape (n_clients,)
            As for `fit`.

        Returns
        -------
        ndarray of shape (n_clients,)
            Finite and at least 0.

        Raises
        ------
        ValueError
            If a client's history is impossible, or `rate` is not above 0: without discount the sum may be infinite.
        """
        rows, inverse = self._distinct(frequency, recency, opportunities)
        x, _, n = rows
        lengths, of = np.unique(n, return_inverse=True)
        stays = _dropout.discounted_stays(check_rate(rate), self.gamma_, self.delta_ + lengths)[of]
        return (self._active(rows) * (self.alpha_ + x) / (self.alpha_ + self.beta_ + n) * stays)[inverse]

    def _distinct(
        self, frequency: ArrayLike, recency: ArrayLike, opportunities: ArrayLike
    ) -> tuple[tuple[Floats, Floats, Floats], np.ndarray]:
        check_is_fitted(self)
        x, tx, n = check_opportunities(frequency, recency, opportunities)
        first, inverse, _ = distinct_rows(x, tx, n)
        return (x[first], tx[first], n[first]), inverse

    def _active(self, rows: tuple[Floats, Floats, Floats]) -> Floats:
        logs, _ = rising_table(*self.parameters_.values(), steps=int(rows[2].max()) + 1)
        return _discrete.probability_active(*rows, self.gamma_, logs)

    def _outlook(self, horizon: int, gap: int, rows: tuple[Floats, Floats, Floats]) -> tuple[Floats, Floats]:
        lengths = check_count("horizon", horizon), check_count("gap", gap)
        return _discrete.outlook(*lengths, rows[0], rows[2], *self.parameters_.values())

    def _expected_of_new_clients(self, rows: PurchaseRows) -> float:
        lengths, at = np.unique(rows.T, return_inverse=True)
        nothing = np.zeros(1)
        expected = [_discrete.outlook(int(n), 0, nothing, nothing, *self.parameters_.values())[0][0] for n in lengths]
        return float((rows.counts * np.array(expected)[at]).sum())
