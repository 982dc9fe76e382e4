"""What a purchase day is worth."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from loyalty.btyd import _frozen
from loyalty.btyd._border import check_spend
from loyalty.btyd._frozen import Floats
from loyalty.btyd._likelihood import SpendRows, spend_log_likelihood
from loyalty.btyd._maximum import maximise

# v in units of the mean spend, so that pence do not matter.
_BOUNDS = {"p": (1e-3, 1e4), "q": (1.05, 1e4), "v": (1e-6, 1e6)}
_MEANINGS = {
    ("p", "lower"): "one client's spend varies beyond what the model can hold",
    ("p", "upper"): "one client's spend hardly varies",
    ("q", "lower"): "spend is so unequal that its mean would be infinite",
    ("q", "upper"): "clients hardly differ in what they spend",
    ("v", "lower"): "clients' spend does not settle on a scale",
    ("v", "upper"): "clients hardly differ in what they spend",
}


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
    standard_errors_ : dict of str to float
        Of each parameter, from the observed information; NaN where it lies on a bound or is not identified.

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
        x, z = check_spend(frequency, monetary)
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
            bounds=_BOUNDS,
        )
        self.p_, self.q_, self.v_ = (float(value) for value in found.parameters)
        self.v_ *= scale
        self.log_likelihood_ = found.log_likelihood - float(clients * np.log(scale))
        self.n_clients_ = int(clients)
        self.converged_ = found.settled and not found.at_bounds
        self.standard_errors_ = found.standard_errors(self.parameters_)
        self.message_ = found.describe(self.parameters_, _MEANINGS)
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
        x, z = check_spend(frequency, monetary)
        return _frozen.expected_spend(x, z, parameters=self.parameters_)
