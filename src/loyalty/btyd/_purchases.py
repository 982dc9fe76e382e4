"""Models of purchases at any time: who is still a client, and how often he will buy.

All are fitted on frequency, recency and T, and predict from them. They differ in when a client may leave: after a
repeat purchase (`BetaGeometricNBD`), after any purchase (`ModifiedBetaGeometricNBD`), at any time (`ParetoNBD`).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from loyalty.btyd import _dropout, _lifetime
from loyalty.btyd._border import check_history, check_rate
from loyalty.btyd._frozen import Floats, columns, length
from loyalty.btyd._likelihood import PurchaseRows, distinct_rows, lifetime_log_likelihood, purchase_log_likelihood
from loyalty.btyd._maximum import maximise

_MEANINGS = {
    ("r", "lower"): "hardly anyone buys again",
    ("r", "upper"): "clients hardly differ in how often they buy",
    ("alpha", "lower"): "purchases are too frequent for the time unit to resolve",
    ("alpha", "upper"): "clients hardly differ in how often they buy, or hardly anyone buys again",
    ("a", "lower"): "hardly anyone leaves after a purchase",
    ("a", "upper"): "clients hardly differ in their chance of leaving",
    ("b", "lower"): "hardly anyone stays after a repeat purchase",
    ("b", "upper"): "clients hardly differ in their chance of leaving, or hardly anyone leaves",
    ("s", "lower"): "clients leave at once or hardly ever",
    ("s", "upper"): "clients hardly differ in how soon they leave",
    ("beta", "lower"): "clients who leave do so too soon for the time unit to resolve",
    ("beta", "upper"): "clients hardly differ in how soon they leave, or hardly anyone leaves",
}
_MISFIT = 0.2
_KNOTS = 2_000  # the expectation is smooth in T: between so many ages a straight line will do

History = tuple[Floats, Floats, Floats]


def describe_misfit(repeat_ratio: float) -> str:
    """Say it where a model expects far more or fewer repeat purchases than were made, or there were none."""
    if np.isnan(repeat_ratio):
        return " Nobody has bought again, so nothing is known of who leaves."
    if abs(repeat_ratio - 1.0) <= _MISFIT:
        return ""
    return (
        f" The model expects {repeat_ratio:.2f} times the repeat purchases that were made: "
        "it does not describe these clients well."
    )


class PurchaseModel(BaseEstimator, ABC):
    """What all models of frequency, recency and T have in common: fitting, and the checks before predictions."""

    # In units of the mean T (alpha and beta), so that days or weeks do not matter.
    _bounds: ClassVar[Mapping[str, tuple[float, float]]]

    standard_errors_: dict[str, float]
    log_likelihood_: float
    n_clients_: int
    repeat_ratio_: float
    converged_: bool
    message_: str

    def fit(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Self:
        """Find the most likely parameters.

        Parameters
        ----------
        frequency : array-like of shape (n_clients,)
            Purchase days after the first; whole numbers.
        recency : array-like of shape (n_clients,)
            Time from first to last purchase; 0 exactly where `frequency` is 0.
        T : array-like of shape (n_clients,)
            Time from first purchase to the cutoff; at least `recency`.

        Returns
        -------
        self
            The fitted model.

        Raises
        ------
        ValueError
            If there is no client, or a client's history is impossible.
        """
        rows = PurchaseRows.of(*check_history(frequency, recency, T))
        clients = rows.counts.sum()
        scale = float((rows.counts * rows.T).sum() / clients) or 1.0  # Sums, as a long dot product wakes BLAS threads.
        repeats = float((rows.counts * rows.frequency).sum())
        starts = self._starts(max(repeats / clients, 1e-3))
        found = maximise(self._log_likelihood, rows.rescaled(scale), starts=starts, bounds=self._bounds)
        for name, value in zip(self._bounds, found.parameters, strict=True):
            setattr(self, f"{name}_", float(value) * (scale if name in ("alpha", "beta") else 1.0))
        self.standard_errors_ = found.standard_errors(self.parameters_)
        self.log_likelihood_ = found.log_likelihood - repeats * float(np.log(scale))
        self.n_clients_ = int(clients)
        self.repeat_ratio_ = self._expected_of_new_clients(rows) / repeats if repeats else float("nan")
        self.converged_ = found.settled and not found.at_bounds and repeats > 0
        self.message_ = found.describe(self.parameters_, _MEANINGS) + describe_misfit(self.repeat_ratio_)
        return self

    @property
    def parameters_(self) -> dict[str, float]:
        """The fitted parameters by name."""
        return {name: getattr(self, f"{name}_") for name in self._bounds}

    def probability_alive(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Floats:
        """Probability that each client is still active at T.

        Parameters
        ----------
        frequency, recency, T : array-like of shape (n_clients,)
            As for `fit`.

        Returns
        -------
        ndarray of shape (n_clients,)
            Probabilities. Under BG/NBD 1 where `frequency` is 0.

        Raises
        ------
        ValueError
            If a client's history is impossible.
        """
        return self._alive(self._checked(frequency, recency, T))

    def probability_no_purchase(
        self, horizon: float, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike, *, gap: float = 0.0
    ) -> Floats:
        """Probability that each client does not buy in ``(T + gap, T + gap + horizon]``.

        Parameters
        ----------
        horizon : float
            Length of the outcome window, in the time unit of the data.
        frequency, recency, T : array-like of shape (n_clients,)
            As for `fit`.
        gap : float, default=0
            Time left out before the window. Purchases in the gap are allowed, and the client may leave in it.

        Returns
        -------
        ndarray of shape (n_clients,)
            Probabilities of silence.

        Raises
        ------
        ValueError
            If a client's history is impossible, or `horizon` or `gap` is negative.
        """
        history = self._checked(frequency, recency, T)
        return self._silent(length("horizon", horizon), length("gap", gap), history)

    def expected_purchases(
        self, horizon: float, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike, *, gap: float = 0.0
    ) -> Floats:
        """Mean number of purchases of each client in ``(T + gap, T + gap + horizon]``.

        Parameters
        ----------
        horizon : float
            Length of the outcome window, in the time unit of the data.
        frequency, recency, T : array-like of shape (n_clients,)
            As for `fit`.
        gap : float, default=0
            Time left out before the window.

        Returns
        -------
        ndarray of shape (n_clients,)
            Finite, at least 0, and never above what a client certain to stay would buy.

        Raises
        ------
        ValueError
            If a client's history is impossible, or `horizon` or `gap` is negative.
        """
        history = self._checked(frequency, recency, T)
        return self._expected(length("horizon", horizon), length("gap", gap), history)

    def discounted_purchases(self, rate: float, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Floats:
        """Mean number of all purchases each client has still to make after T, each discounted from its day to T.

        In the literature, discounted expected residual transactions (DERT).

        Parameters
        ----------
        rate : float
            Continuous discount rate per time unit of the data: ``log(1 + d) / 52`` in weeks for d a year.
        frequency, recency, T : array-like of shape (n_clients,)
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
        history = self._checked(frequency, recency, T)
        x, _, t = history
        first, inverse, _ = distinct_rows(x, t)  # of those still active, the last purchase says nothing more
        worth = self._discounted(check_rate(rate), x[first], t[first])
        return self._alive(history) * worth[inverse]

    def _checked(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> History:
        check_is_fitted(self)
        return columns(*check_history(frequency, recency, T))

    def _expected_of_new_clients(self, rows: PurchaseRows) -> float:
        """Sum over clients of the purchases expected of a new client until T."""
        knots = np.unique(rows.T)
        knots = knots[np.unique(np.linspace(0, len(knots) - 1, _KNOTS).astype(np.int64))]
        return float((rows.counts * np.interp(rows.T, knots, self._from_start(knots))).sum())

    # What each model says for itself.

    @abstractmethod
    def _starts(self, rate: float) -> list[tuple[float, ...]]:
        """Where to begin the search."""

    @abstractmethod
    def _log_likelihood(self, log_parameters: Floats, rows: PurchaseRows) -> tuple[float, Floats]:
        """Log-likelihood and its gradient by the logarithms of the parameters."""

    @abstractmethod
    def _alive(self, history: History) -> Floats:
        """Probability of being active at T."""

    @abstractmethod
    def _silent(self, horizon: float, gap: float, history: History) -> Floats:
        """Probability of no purchase in the window."""

    @abstractmethod
    def _expected(self, horizon: float, gap: float, history: History) -> Floats:
        """Mean number of purchases in the window."""

    @abstractmethod
    def _from_start(self, T: Floats) -> Floats:
        """Purchases expected of a new client until each T."""

    @abstractmethod
    def _discounted(self, rate: float, frequency: Floats, T: Floats) -> Floats:
        """Discounted purchases of an active client from T on."""


class BetaGeometricNBD(PurchaseModel):
    """BG/NBD: how often clients buy, and whether they still do.

    While active, a client buys at random with his own rate; after every repeat purchase he leaves for good with his
    own probability. Rates follow a gamma, leaving probabilities a beta distribution over clients [1]_.

    Attributes
    ----------
    r_, alpha_ : float
        Shape and rate of the gamma distribution of purchase rates; `alpha_` is in the time unit of the data.
    a_, b_ : float
        Beta distribution of the probability of leaving after a repeat purchase.
    standard_errors_ : dict of str to float
        Of each parameter, from the observed information; NaN where it lies on a bound or is not identified.
    log_likelihood_ : float
        At the maximum, in the time unit of the data.
    n_clients_ : int
        Clients fitted on.
    repeat_ratio_ : float
        Repeat purchases the fitted model expects of these clients until T, over those they made. Far from 1 the model
        does not describe these clients. NaN where nobody bought again.
    converged_ : bool
        Whether the maximum was found away from every bound.
    message_ : str
        How the fit went, in words; also says when the model does not describe the clients.

    Notes
    -----
    Times may be in any unit, the same throughout. Days with several purchases count once. Parameters are kept within
    ``1e-4 ≤ r, a, b ≤ 1e4`` and ``1e-6 ≤ alpha / mean(T) ≤ 1e6``; a fit on a bound is usable, and said in `message_`.
    Someone who never bought again is always taken to be active: leaving is possible only after a repeat purchase.

    `discounted_purchases` has no closed form. Given a client's rate λ and probability of leaving p it is
    ``λ / (δ + p λ)``, a geometric series; its mean over both is worked out numerically, to about ten digits, once for
    each distinct pair of frequency and T.

    References
    ----------
    .. [1] Fader, Hardie and Lee (2005), "'Counting Your Customers' the Easy Way: An Alternative to the Pareto/NBD
       Model", Marketing Science 24(2), 275-284.

    Examples
    --------
    Two regular clients, one of them silent of late, and some who came once:

    >>> model = BetaGeometricNBD().fit([5, 5, 0, 0, 1, 2], [50, 10, 0, 0, 9, 30], [60, 60, 30, 60, 60, 60])
    >>> alive = model.probability_alive([5, 5, 0], [50, 10, 0], [60, 60, 60])
    >>> bool(alive[0] > alive[1]), float(alive[2])
    (True, 1.0)
    """

    _bounds: ClassVar[Mapping[str, tuple[float, float]]] = {
        "r": (1e-4, 1e4),
        "alpha": (1e-6, 1e6),
        "a": (1e-4, 1e4),
        "b": (1e-4, 1e4),
    }
    _first: ClassVar[float] = 0.0  # 1 where a client may leave after his first purchase too

    r_: float
    alpha_: float
    a_: float
    b_: float

    def _starts(self, rate: float) -> list[tuple[float, ...]]:
        return [(0.3, 0.3 / rate, 0.8, 2.5), (1.0, 1.0 / rate, 0.1, 1.0), (3.0, 3.0 / rate, 0.1, 10.0)]

    def _log_likelihood(self, log_parameters: Floats, rows: PurchaseRows) -> tuple[float, Floats]:
        return purchase_log_likelihood(log_parameters, rows, self._first)

    def _settings(self) -> tuple[float, float, float, float, float]:
        return self.r_, self.alpha_, self.a_, self.b_, self._first

    def _alive(self, history: History) -> Floats:
        return _dropout.probability_alive(*history, *self._settings())

    def _silent(self, horizon: float, gap: float, history: History) -> Floats:
        return _dropout.probability_no_purchase(horizon, gap, *history, *self._settings())

    def _expected(self, horizon: float, gap: float, history: History) -> Floats:
        return _dropout.expected_purchases(horizon, gap, *history, *self._settings())

    def _from_start(self, T: Floats) -> Floats:
        return _dropout.purchases_from_start(T, *self._settings())

    def _discounted(self, rate: float, frequency: Floats, T: Floats) -> Floats:
        return _dropout.discounted_while_active(rate, frequency, T, *self._settings())


class ModifiedBetaGeometricNBD(BetaGeometricNBD):
    """MBG/NBD: as BG/NBD, but a client may leave after his very first purchase as well.

    So someone who never bought again need not be active, which BG/NBD takes for granted [1]_.

    Attributes
    ----------
    r_, alpha_ : float
        Shape and rate of the gamma distribution of purchase rates; `alpha_` is in the time unit of the data.
    a_, b_ : float
        Beta distribution of the probability of leaving after any purchase.
    standard_errors_ : dict of str to float
        Of each parameter, from the observed information; NaN where it lies on a bound or is not identified.
    log_likelihood_, n_clients_, repeat_ratio_, converged_, message_
        As for `BetaGeometricNBD`.

    See Also
    --------
    BetaGeometricNBD : Bounds, units and the way all is worked out are the same.

    References
    ----------
    .. [1] Batislam, Denizel and Filiztekin (2007), "Empirical Validation and Comparison of Models for Customer Base
       Analysis", International Journal of Research in Marketing 24(3), 201-209.

    Examples
    --------
    Two clients who came once, one of them long ago:

    >>> model = ModifiedBetaGeometricNBD().fit([5, 5, 0, 0, 1, 2], [50, 10, 0, 0, 9, 30], [60, 60, 30, 60, 60, 60])
    >>> alive = model.probability_alive([0, 0], [0, 0], [1, 60])
    >>> bool(1 > alive[0] > alive[1])
    True
    """

    _first: ClassVar[float] = 1.0


class ParetoNBD(PurchaseModel):
    """Pareto/NBD: how often clients buy, and whether they still do, where they may leave at any time.

    While active, a client buys at random with his own rate; he leaves for good after a lifetime with his own rate of
    leaving. Both rates follow gamma distributions over clients [1]_ [2]_.

    Attributes
    ----------
    r_, alpha_ : float
        Shape and rate of the gamma distribution of purchase rates; `alpha_` is in the time unit of the data.
    s_, beta_ : float
        Shape and rate of the gamma distribution of rates of leaving; `beta_` is in the time unit of the data.
    standard_errors_ : dict of str to float
        Of each parameter, from the observed information; NaN where it lies on a bound or is not identified.
    log_likelihood_ : float
        At the maximum, in the time unit of the data.
    n_clients_ : int
        Clients fitted on.
    repeat_ratio_ : float
        Repeat purchases the fitted model expects of these clients until T, over those they made. Far from 1 the model
        does not describe these clients. NaN where nobody bought again.
    converged_ : bool
        Whether the maximum was found away from every bound.
    message_ : str
        How the fit went, in words; also says when the model does not describe the clients.

    Notes
    -----
    Times may be in any unit, the same throughout. Days with several purchases count once. Parameters are kept within
    ``1e-4 ≤ r, s ≤ 1e4`` and ``1e-6 ≤ alpha / mean(T), beta / mean(T) ≤ 1e6``; a fit on a bound is usable, and said in
    `message_`. Where clients hardly leave, as in grocery, `s_` and `beta_` tend to a bound.

    No hypergeometric function is called: likelihood and predictions rest on one integral with a positive integrand (see
    `loyalty.btyd._lifetime`), and so do the long-run purchases of [3]_.

    References
    ----------
    .. [1] Schmittlein, Morrison and Colombo (1987), "Counting Your Customers: Who Are They and What Will They Do
       Next?", Management Science 33(1), 1-24.
    .. [2] Fader and Hardie (2005), "A Note on Deriving the Pareto/NBD Model and Related Expressions".
    .. [3] Fader, Hardie and Lee (2005), "RFM and CLV: Using Iso-Value Curves for Customer Base Analysis", Journal of
       Marketing Research 42(4), 415-430.

    Examples
    --------
    Two regular clients, one of them silent of late, and some who came once:

    >>> model = ParetoNBD().fit([5, 5, 0, 0, 1, 2], [50, 10, 0, 0, 9, 30], [60, 60, 30, 60, 60, 60])
    >>> alive = model.probability_alive([5, 5, 5], [50, 10, 60], [60, 60, 60])
    >>> bool(alive[0] > alive[1]), float(alive[2])
    (True, 1.0)
    """

    _bounds: ClassVar[Mapping[str, tuple[float, float]]] = {
        "r": (1e-4, 1e4),
        "alpha": (1e-6, 1e6),
        "s": (1e-4, 1e4),
        "beta": (1e-6, 1e6),
    }

    r_: float
    alpha_: float
    s_: float
    beta_: float

    def _starts(self, rate: float) -> list[tuple[float, ...]]:
        return [(0.5, 0.5 / rate, 0.6, 0.5), (1.0, 1.0 / rate, 0.1, 1.0), (3.0, 3.0 / rate, 2.0, 10.0)]

    def _log_likelihood(self, log_parameters: Floats, rows: PurchaseRows) -> tuple[float, Floats]:
        return lifetime_log_likelihood(log_parameters, rows)

    def _settings(self) -> tuple[float, float, float, float]:
        return self.r_, self.alpha_, self.s_, self.beta_

    def _alive(self, history: History) -> Floats:
        return _lifetime.probability_alive(*history, *self._settings())

    def _silent(self, horizon: float, gap: float, history: History) -> Floats:
        return _lifetime.probability_no_purchase(horizon, gap, *history, *self._settings())

    def _expected(self, horizon: float, gap: float, history: History) -> Floats:
        return _lifetime.expected_purchases(horizon, gap, *history, *self._settings())

    def _from_start(self, T: Floats) -> Floats:
        return _lifetime.purchases_from_start(T, *self._settings())

    def _discounted(self, rate: float, frequency: Floats, T: Floats) -> Floats:
        return _lifetime.discounted_while_active(rate, frequency, T, *self._settings())
