"""Fitting: the models whose parameters the predictions take.

`BetaGeometricNBD` says who is still a client and how often he will buy, `GammaGamma` what a purchase day is worth,
`BuyTillYouDie` joins the two.
"""

from collections.abc import Mapping
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from loyalty.btyd import _frozen
from loyalty.btyd._dropout import purchases_from_start
from loyalty.btyd._frozen import Floats
from loyalty.btyd._likelihood import (
    Maximum,
    PurchaseRows,
    SpendRows,
    maximise,
    purchase_log_likelihood,
    spend_log_likelihood,
)

# In units of the mean T (alpha) and of the mean spend (v), so that neither days nor pence matter.
_PURCHASE_BOUNDS = {"r": (1e-4, 1e4), "alpha": (1e-6, 1e6), "a": (1e-4, 1e4), "b": (1e-4, 1e4)}
_SPEND_BOUNDS = {"p": (1e-3, 1e4), "q": (1.05, 1e4), "v": (1e-6, 1e6)}

_MEANINGS = {
    ("r", "lower"): "hardly anyone buys again",
    ("r", "upper"): "clients hardly differ in how often they buy",
    ("alpha", "lower"): "purchases are too frequent for the time unit to resolve",
    ("alpha", "upper"): "clients hardly differ in how often they buy, or hardly anyone buys again",
    ("a", "lower"): "hardly anyone leaves after a purchase",
    ("a", "upper"): "clients hardly differ in their chance of leaving",
    ("b", "lower"): "hardly anyone stays after a repeat purchase",
    ("b", "upper"): "clients hardly differ in their chance of leaving, or hardly anyone leaves",
    ("p", "lower"): "one client's spend varies beyond what the model can hold",
    ("p", "upper"): "one client's spend hardly varies",
    ("q", "lower"): "spend is so unequal that its mean would be infinite",
    ("q", "upper"): "clients hardly differ in what they spend",
    ("v", "lower"): "clients' spend does not settle on a scale",
    ("v", "upper"): "clients hardly differ in what they spend",
}
_MISFIT = 0.2
_KNOTS = 2_000  # the expectation is smooth in T: between so many ages a straight line will do


class BetaGeometricNBD(BaseEstimator):
    """BG/NBD: how often clients buy, and whether they still do.

    While active, a client buys at random with his own rate; after every repeat purchase he leaves for good with his
    own probability. Rates follow a gamma, leaving probabilities a beta distribution over clients [1]_.

    Attributes
    ----------
    r_, alpha_ : float
        Shape and rate of the gamma distribution of purchase rates; `alpha_` is in the time unit of the data.
    a_, b_ : float
        Beta distribution of the probability of leaving after a repeat purchase.
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

    r_: float
    alpha_: float
    a_: float
    b_: float

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
        BetaGeometricNBD
            The fitted model.

        Raises
        ------
        ValueError
            If there is no client, or a client's history is impossible.
        """
        rows = PurchaseRows.of(*_check_history(frequency, recency, T))
        clients = rows.counts.sum()
        scale = float((rows.counts * rows.T).sum() / clients) or 1.0  # Sums, as a long dot product wakes BLAS threads.
        scaled = rows.rescaled(scale)
        repeats = float((rows.counts * rows.frequency).sum())
        rate = max(repeats / clients, 1e-3)
        found = maximise(
            purchase_log_likelihood,
            scaled,
            starts=[(0.3, 0.3 / rate, 0.8, 2.5), (1.0, 1.0 / rate, 0.1, 1.0), (3.0, 3.0 / rate, 0.1, 10.0)],
            bounds=_PURCHASE_BOUNDS,
        )
        self.r_, self.alpha_, self.a_, self.b_ = (float(value) for value in found.parameters)
        self.alpha_ *= scale
        self.log_likelihood_ = found.log_likelihood - repeats * float(np.log(scale))
        self.n_clients_ = int(clients)
        self.repeat_ratio_ = self._expected_from_start(rows) / repeats if repeats else float("nan")
        self.converged_ = found.settled and not found.at_bounds and repeats > 0
        self.message_ = _describe(found, self.parameters_) + self._describe_misfit()
        return self

    @property
    def parameters_(self) -> dict[str, float]:
        """The fitted parameters by name."""
        return {"r": self.r_, "alpha": self.alpha_, "a": self.a_, "b": self.b_}

    def probability_alive(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Floats:
        """Probability that each client is still active at T.

        Parameters
        ----------
        frequency, recency, T : array-like of shape (n_clients,)
            As for `fit`.

        Returns
        -------
        ndarray of shape (n_clients,)
            1 where `frequency` is 0.

        Raises
        ------
        ValueError
            If a client's history is impossible.
        """
        check_is_fitted(self)
        return _frozen.probability_alive(*_check_history(frequency, recency, T), parameters=self.parameters_)

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
            Time left out before the window. Purchases in the gap are allowed, and the client may leave after each.

        Returns
        -------
        ndarray of shape (n_clients,)
            Probabilities of silence.

        Raises
        ------
        ValueError
            If a client's history is impossible, or `horizon` or `gap` is negative.
        """
        check_is_fitted(self)
        history = _check_history(frequency, recency, T)
        return _frozen.probability_no_purchase(*history, parameters=self.parameters_, horizon=horizon, gap=gap)

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
        check_is_fitted(self)
        history = _check_history(frequency, recency, T)
        return _frozen.expected_purchases(*history, parameters=self.parameters_, horizon=horizon, gap=gap)

    def _expected_from_start(self, rows: PurchaseRows) -> float:
        """Sum over clients of the purchases expected of a new client until T."""
        knots = np.unique(rows.T)
        knots = knots[np.unique(np.linspace(0, len(knots) - 1, _KNOTS).astype(np.int64))]
        expected = purchases_from_start(knots, **self.parameters_)
        return float((rows.counts * np.interp(rows.T, knots, expected)).sum())

    def _describe_misfit(self) -> str:
        if np.isnan(self.repeat_ratio_):
            return " Nobody has bought again, so nothing is known of who leaves."
        if abs(self.repeat_ratio_ - 1.0) <= _MISFIT:
            return ""
        return (
            f" The model expects {self.repeat_ratio_:.2f} times the repeat purchases that were made: "
            "it does not describe these clients well."
        )


class GammaGamma(BaseEstimator):
    """Gamma-Gamma: what a client spends on a purchase day.

    A client's spend varies around his own mean, and means vary over clients, independently of how often they
    buy [1]_ [2]_.

    Attributes
    ----------
    p_ : float
        Shape of a client's spend around his own mean.
    q_, v_ : float
        Shape and rate of the gamma distribution over clients; `v_` is in the currency of the data.
    log_likelihood_ : float
        At the maximum, in the currency of the data.
    n_clients_ : int
        Clients fitted on: those with `frequency` > 0 and `monetary` > 0.
    converged_ : bool
        Whether the maximum was found away from every bound.
    message_ : str
        How the fit went, in words.

    Notes
    -----
    Parameters are kept within ``1e-3 ≤ p ≤ 1e4``, ``1.05 ≤ q ≤ 1e4`` and ``1e-6 ≤ v / m ≤ 1e6``, where m
    is the geometric mean of `monetary`. At q ≤ 1 the mean spend over clients would be infinite, hence the lower
    bound; a fit on it says so in `message_`.

    References
    ----------
    .. [1] Fader, Hardie and Lee (2005), "RFM and CLV: Using Iso-Value Curves for Customer Base Analysis", Journal of
       Marketing Research 42(4), 415-430.
    .. [2] Fader and Hardie (2013), "The Gamma-Gamma Model of Monetary Value".

    Examples
    --------
    Clients are drawn to the mean, the less so the more purchases speak for them; without any they get the mean:

    >>> model = GammaGamma().fit([1, 2, 4, 3, 6, 2], [10.0, 25.0, 30.0, 8.0, 14.0, 60.0])
    >>> none, one, many = model.expected_spend([0, 1, 50], [0.0, 60.0, 60.0])
    >>> bool(none < one < many < 60.0)
    True
    """

    p_: float
    q_: float
    v_: float

    def fit(self, frequency: ArrayLike, monetary: ArrayLike) -> Self:
        """Find the most likely parameters.

        Parameters
        ----------
        frequency : array-like of shape (n_clients,)
            Purchase days after the first; whole numbers.
        monetary : array-like of shape (n_clients,)
            Mean spend on those days. Only clients with `frequency` > 0 and `monetary` > 0 are used, as the model
            knows no refunds; where `frequency` is 0, anything may stand here.

        Returns
        -------
        GammaGamma
            The fitted model.

        Raises
        ------
        ValueError
            If no client can be used, or a value is impossible.
        """
        x, z = _check_spend(frequency, monetary)
        used = (x > 0) & (z > 0)
        if not used.any():
            raise ValueError(
                "`frequency` and `monetary` must both be above 0 for at least 1 client, to learn spend from repeat "
                f"purchases; got 0 of {len(x)}. Take a longer history or a later cutoff."
            )
        rows = SpendRows.of(x[used], z[used])
        clients = rows.counts.sum()
        # The mean of logs cannot overflow, and one enormous client does not move it much.
        scale = float(np.exp((rows.counts * np.log(rows.monetary)).sum() / clients))
        found = maximise(
            spend_log_likelihood,
            rows.rescaled(scale),
            starts=[(5.0, 4.0, 0.6), (1.0, 2.0, 1.0), (2.0, 20.0, 10.0)],
            bounds=_SPEND_BOUNDS,
        )
        self.p_, self.q_, self.v_ = (float(value) for value in found.parameters)
        self.v_ *= scale
        self.log_likelihood_ = found.log_likelihood - float(clients * np.log(scale))
        self.n_clients_ = int(clients)
        self.converged_ = found.settled and not found.at_bounds
        self.message_ = _describe(found, self.parameters_)
        return self

    @property
    def parameters_(self) -> dict[str, float]:
        """The fitted parameters by name."""
        return {"p": self.p_, "q": self.q_, "v": self.v_}

    def expected_spend(self, frequency: ArrayLike, monetary: ArrayLike) -> Floats:
        """Mean spend of each client on a future purchase day.

        Parameters
        ----------
        frequency, monetary : array-like of shape (n_clients,)
            As for `fit`. Where `frequency` is 0, `monetary` is not looked at and the mean over clients,
            ``p v / (q - 1)``, is returned; a negative `monetary` (refunds) counts as 0.

        Returns
        -------
        ndarray of shape (n_clients,)
            Positive spends.

        Raises
        ------
        ValueError
            If a value is impossible.
        """
        check_is_fitted(self)
        x, z = _check_spend(frequency, monetary)
        return self.p_ * (self.v_ + x * np.maximum(z, 0.0)) / (self.p_ * x + (self.q_ - 1.0))


class BuyTillYouDie(BaseEstimator):
    """BG/NBD and Gamma-Gamma together: who falls silent, and what each client will spend.

    Attributes
    ----------
    purchases_ : BetaGeometricNBD
        The fitted model of purchases.
    spend_ : GammaGamma
        The fitted model of spend per purchase day.
    parameters_ : dict of str to float
        r, alpha, a, b, p, q, v.
    converged_ : bool
        Whether both fits found their maximum away from every bound.
    message_ : str
        How the two fits went, in words.

    See Also
    --------
    BetaGeometricNBD : Purchases alone.
    GammaGamma : Spend alone.

    Examples
    --------
    >>> frequency, recency, T = [5, 5, 0, 0, 1, 2], [50, 10, 0, 0, 9, 30], [60, 60, 30, 60, 60, 60]
    >>> monetary = [20.0, 20.0, 0.0, 0.0, 35.0, 10.0]
    >>> model = BuyTillYouDie().fit(frequency, recency, T, monetary)

    The second client has bought and spent as the first, but not of late:

    >>> silent, value = model.predict(30, frequency, recency, T, monetary)
    >>> bool(silent[1] > silent[0]), bool(value[1] < value[0])
    (True, True)
    """

    def fit(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike, monetary: ArrayLike) -> Self:
        """Fit both models.

        Parameters
        ----------
        frequency, recency, T : array-like of shape (n_clients,)
            As for `BetaGeometricNBD.fit`.
        monetary : array-like of shape (n_clients,)
            As for `GammaGamma.fit`.

        Returns
        -------
        BuyTillYouDie
            The fitted model.

        Raises
        ------
        ValueError
            If a client's history is impossible, or nobody has spent anything on a repeat purchase.
        """
        _check_columns(frequency=frequency, recency=recency, T=T, monetary=monetary)
        self.spend_ = GammaGamma().fit(frequency, monetary)
        self.purchases_ = BetaGeometricNBD().fit(frequency, recency, T)
        self.converged_ = self.purchases_.converged_ and self.spend_.converged_
        self.message_ = f"Purchases: {self.purchases_.message_} Spend: {self.spend_.message_}"
        return self

    @property
    def parameters_(self) -> dict[str, float]:
        """The fitted parameters of both models by name."""
        return {**self.purchases_.parameters_, **self.spend_.parameters_}

    def predict(
        self,
        horizon: float,
        frequency: ArrayLike,
        recency: ArrayLike,
        T: ArrayLike,
        monetary: ArrayLike,
        *,
        gap: float = 0.0,
    ) -> tuple[Floats, Floats]:
        """Chance of silence and expected spend in ``(T + gap, T + gap + horizon]``.

        Parameters
        ----------
        horizon : float
            Length of the outcome window, in the time unit of the data.
        frequency, recency, T, monetary : array-like of shape (n_clients,)
            As for `fit`; a negative `monetary` (refunds) counts as 0.
        gap : float, default=0
            Time left out before the window.

        Returns
        -------
        probability_no_purchase, expected_value : ndarray of shape (n_clients,)
            Probability of no purchase, and purchases expected times spend expected of each.

        Raises
        ------
        ValueError
            If a client's history is impossible, or `horizon` or `gap` is negative.
        """
        check_is_fitted(self)
        _check_columns(frequency=frequency, recency=recency, T=T, monetary=monetary)
        silent = self.purchases_.probability_no_purchase(horizon, frequency, recency, T, gap=gap)
        purchases = self.purchases_.expected_purchases(horizon, frequency, recency, T, gap=gap)
        return silent, purchases * self.spend_.expected_spend(frequency, monetary)


def _describe(found: Maximum, parameters: Mapping[str, float]) -> str:
    if not found.settled:
        return "The search for the most likely parameters did not settle; they are the best found."
    if not found.at_bounds:
        return "The most likely parameters were found."
    met = "; ".join(f"{name} = {parameters[name]:.4g}: {_MEANINGS[name, side]}" for name, side in found.at_bounds)
    return f"The fit met a bound ({met})."


def _check_numbers(name: str, values: ArrayLike) -> Floats:
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`{name}` must hold numbers only ({error}). Convert or drop what is not a number.") from None
    if numbers.ndim != 1:
        raise ValueError(f"`{name}` must have one dimension, one value a client; got shape {numbers.shape}.")
    return numbers


def _check_columns(**columns: ArrayLike) -> list[Floats]:
    numbers = {name: _check_numbers(name, values) for name, values in columns.items()}
    if len({len(values) for values in numbers.values()}) > 1:
        got = ", ".join(f"`{name}` {len(values)}" for name, values in numbers.items())
        raise ValueError(f"All columns must have one value per client; got lengths {got}. Take them from one table.")
    return list(numbers.values())


def _refuse(name: str, values: Floats, wrong: NDArray[np.bool_], rule: str, remedy: str) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"`{name}` must be {rule}; got {values[row]:g} in row {row} ({int(wrong.sum())} such rows). {remedy}"
        )


def _check_frequency(frequency: Floats) -> None:
    if len(frequency) == 0:
        raise ValueError("`frequency` must hold at least 1 client; got none. Take an earlier start or a later cutoff.")
    _refuse("frequency", frequency, ~np.isfinite(frequency), "finite", "Drop such clients.")
    _refuse("frequency", frequency, frequency < 0, "0 or more", "Count the purchase days after the first.")
    whole = frequency == np.floor(frequency)
    _refuse("frequency", frequency, ~whole, "a whole number", "Count the purchase days after the first.")


def _check_history(frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> tuple[Floats, Floats, Floats]:
    x, tx, t = _check_columns(frequency=frequency, recency=recency, T=T)
    _check_frequency(x)
    for name, values in (("recency", tx), ("T", t)):
        _refuse(name, values, ~np.isfinite(values), "finite", "Drop such clients.")
        _refuse(name, values, values < 0, "0 or more", "Count time from the client's first purchase.")
    _refuse("recency", tx, tx > t, "at most `T`", "Drop purchases at or after the cutoff.")
    _refuse("recency", tx, (x == 0) & (tx > 0), "0 where `frequency` is 0", "Count time from first to last purchase.")
    once = (x > 0) & (tx == 0)
    _refuse("recency", tx, once, "above 0 where `frequency` is above 0", "Count purchases of the same day once.")
    return x, tx, t


def _check_spend(frequency: ArrayLike, monetary: ArrayLike) -> tuple[Floats, Floats]:
    x, z = _check_columns(frequency=frequency, monetary=monetary)
    _check_frequency(x)
    wrong = (x > 0) & ~np.isfinite(z)
    _refuse("monetary", z, wrong, "finite where `frequency` is above 0", "Give the mean spend per repeat purchase day.")
    return x, np.where(x > 0, z, 0.0)
