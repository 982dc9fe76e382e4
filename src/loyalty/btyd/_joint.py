"""Purchases and spend together."""

from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from loyalty.btyd._border import check_columns
from loyalty.btyd._frozen import Floats
from loyalty.btyd._purchases import BetaGeometricNBD, ModifiedBetaGeometricNBD, ParetoNBD, PurchaseModel
from loyalty.btyd._spend import GammaGamma

_MODELS: dict[str, type[PurchaseModel]] = {
    "bg/nbd": BetaGeometricNBD,
    "mbg/nbd": ModifiedBetaGeometricNBD,
    "pareto/nbd": ParetoNBD,
}


class BuyTillYouDie(BaseEstimator):
    """A model of purchases and Gamma-Gamma together: who falls silent, and what each client will spend.

    Parameters
    ----------
    purchases : {"bg/nbd", "mbg/nbd", "pareto/nbd"}, default="bg/nbd"
        The model of purchases.

    Attributes
    ----------
    purchases_ : BetaGeometricNBD, ModifiedBetaGeometricNBD or ParetoNBD
        The fitted model of purchases.
    spend_ : GammaGamma
        The fitted model of spend per purchase day.
    parameters_ : dict of str to float
        r, alpha, a, b (or s, beta), p, q, v.
    standard_errors_ : dict of str to float
        Of each parameter; NaN where it lies on a bound or is not identified.
    converged_ : bool
        Whether both fits found their maximum away from every bound.
    message_ : str
        How the two fits went, in words.

    See Also
    --------
    BetaGeometricNBD, ModifiedBetaGeometricNBD, ParetoNBD : Purchases alone.
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

    In the long run he is worth less than one who still buys, and the more so the less is kept of his spend:

    >>> worth = model.long_run_value(0.001, 0.3, frequency, recency, T, monetary)
    >>> bool(worth[1] < worth[0])
    True
    """

    def __init__(self, purchases: Literal["bg/nbd", "mbg/nbd", "pareto/nbd"] = "bg/nbd") -> None:
        self.purchases = purchases

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
            If a client's history is impossible, nobody has spent anything on a repeat purchase, or there is no model
            of that name.
        """
        if self.purchases not in _MODELS:
            raise ValueError(f"`purchases` must be one of {', '.join(map(repr, _MODELS))}; got {self.purchases!r}.")
        check_columns(frequency=frequency, recency=recency, T=T, monetary=monetary)
        self.spend_ = GammaGamma().fit(frequency, monetary)
        self.purchases_ = _MODELS[self.purchases]().fit(frequency, recency, T)
        self.converged_ = self.purchases_.converged_ and self.spend_.converged_
        self.message_ = f"Purchases: {self.purchases_.message_} Spend: {self.spend_.message_}"
        return self

    @property
    def parameters_(self) -> dict[str, float]:
        """The fitted parameters of both models by name."""
        return {**self.purchases_.parameters_, **self.spend_.parameters_}

    @property
    def standard_errors_(self) -> dict[str, float]:
        """Standard errors of the parameters of both models by name."""
        return {**self.purchases_.standard_errors_, **self.spend_.standard_errors_}

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
        check_columns(frequency=frequency, recency=recency, T=T, monetary=monetary)
        silent = self.purchases_.probability_no_purchase(horizon, frequency, recency, T, gap=gap)
        purchases = self.purchases_.expected_purchases(horizon, frequency, recency, T, gap=gap)
        return silent, purchases * self.spend_.expected_spend(frequency, monetary)

    def long_run_value(
        self, rate: float, margin: float, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike, monetary: ArrayLike
    ) -> Floats:
        """Discounted margin of all purchases each client has still to make after T.

        Parameters
        ----------
        rate : float
            Continuous discount rate per time unit of the data: ``log(1 + d) / 365.25`` in days for d a year.
        margin : float
            Share of spend that is kept, from 0 to 1.
        frequency, recency, T, monetary : array-like of shape (n_clients,)
            As for `fit`; a negative `monetary` (refunds) counts as 0.

        Returns
        -------
        ndarray of shape (n_clients,)
            Discounted purchases times expected spend times margin, in the currency of the data.

        Raises
        ------
        ValueError
            If a client's history is impossible, `rate` is not above 0, or `margin` is not from 0 to 1.
        """
        check_is_fitted(self)
        if not (isinstance(margin, int | float | np.integer | np.floating) and 0.0 <= margin <= 1.0):
            raise ValueError(f"`margin` must be a share from 0 to 1; got {margin!r}. Divide margin by spend.")
        check_columns(frequency=frequency, recency=recency, T=T, monetary=monetary)
        purchases = self.purchases_.discounted_purchases(rate, frequency, recency, T)
        return purchases * self.spend_.expected_spend(frequency, monetary) * float(margin)
