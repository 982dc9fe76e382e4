"""Predictions of BG/NBD and Pareto/NBD from parameters found before: pure, fast, for a client alone as among others."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

# Numba comes in with the first prediction: those who only import the name need not wait for it.


def probability_alive(
    frequency: ArrayLike, recency: ArrayLike, T: ArrayLike, *, parameters: Mapping[str, float]
) -> Floats:
    """Probability that each client is still active at T.

    Parameters
    ----------
    frequency : array-like of shape (n_clients,)
        Purchase days after the first; whole numbers.
    recency : array-like of shape (n_clients,)
        Time from first to last purchase; 0 exactly where `frequency` is 0.
    T : array-like of shape (n_clients,)
        Time from first purchase to the cutoff; at least `recency`.
    parameters : mapping of str to float
        r, alpha, a and b of BG/NBD, or r, alpha, s and beta of Pareto/NBD, such as `ParetoNBD.parameters_`; `alpha` and
        `beta` are in the time unit of the data.

    Returns
    -------
    ndarray of shape (n_clients,)
        1 where `frequency` is 0 and the model is BG/NBD, in which clients leave only after a repeat purchase. NaN where
        a number is missing or the three cannot be one client's.

    Raises
    ------
    ValueError
        If the columns differ in length, or a parameter is missing or not positive.

    See Also
    --------
    BetaGeometricNBD, ParetoNBD : Find the parameters.

    Examples
    --------
    >>> parameters = {"r": 0.2426, "alpha": 4.414, "a": 0.793, "b": 2.426}
    >>> probability_alive([2, 0, 2], [30.43, 0.0, np.nan], [38.86, 38.86, 38.86], parameters=parameters).round(4)
    array([0.7266, 1.    ,    nan])
    """
    kernels, settings = _model(parameters)
    return kernels.probability_alive(*_histories(frequency, recency, T), *settings)


def expected_purchases(
    frequency: ArrayLike,
    recency: ArrayLike,
    T: ArrayLike,
    *,
    parameters: Mapping[str, float],
    horizon: float,
    gap: float = 0.0,
) -> Floats:
    """Mean number of purchases of each client in ``(T + gap, T + gap + horizon]``.

    Parameters
    ----------
    frequency, recency, T : array-like of shape (n_clients,)
        As for `probability_alive`.
    parameters : mapping of str to float
        As for `probability_alive`.
    horizon : float
        Length of the outcome window, in the time unit of the data.
    gap : float, default=0
        Time left out before the window.

    Returns
    -------
    ndarray of shape (n_clients,)
        Finite, at least 0, and never above what a client certain to stay would buy. NaN where a number is missing or
        the three cannot be one client's.

    Raises
    ------
    ValueError
        If the columns differ in length, a parameter is missing or not positive, or `horizon` or `gap` is negative.

    Notes
    -----
    Worked out as sums of positive terms (see `loyalty.btyd._dropout` and `loyalty.btyd._lifetime`), not through the
    hypergeometric functions of the papers, which fail for heavy buyers and at extreme parameters.

    Examples
    --------
    The client of the paper, 39 weeks ahead:

    >>> parameters = {"r": 0.2426, "alpha": 4.414, "a": 0.793, "b": 2.426}
    >>> expected_purchases([2], [30.43], [38.86], parameters=parameters, horizon=39).round(3)
    array([1.226])
    """
    kernels, settings = _model(parameters)
    lengths = length("horizon", horizon), length("gap", gap)
    return kernels.expected_purchases(*lengths, *_histories(frequency, recency, T), *settings)


def probability_no_purchase(
    frequency: ArrayLike,
    recency: ArrayLike,
    T: ArrayLike,
    *,
    parameters: Mapping[str, float],
    horizon: float,
    gap: float = 0.0,
) -> Floats:
    """Probability that each client does not buy in ``(T + gap, T + gap + horizon]``.

    Parameters
    ----------
    frequency, recency, T : array-like of shape (n_clients,)
        As for `probability_alive`.
    parameters : mapping of str to float
        As for `probability_alive`.
    horizon : float
        Length of the outcome window, in the time unit of the data.
    gap : float, default=0
        Time left out before the window. Purchases in the gap are allowed, and the client may leave after each.

    Returns
    -------
    ndarray of shape (n_clients,)
        Probabilities of silence. NaN where a number is missing or the three cannot be one client's.

    Raises
    ------
    ValueError
        If the columns differ in length, a parameter is missing or not positive, or `horizon` or `gap` is negative.

    Examples
    --------
    Nobody buys in no time:

    >>> parameters = {"r": 0.2426, "alpha": 4.414, "a": 0.793, "b": 2.426}
    >>> probability_no_purchase([2, 2], [30.43, 1.0], [38.86, 38.86], parameters=parameters, horizon=0)
    array([1., 1.])
    """
    kernels, settings = _model(parameters)
    lengths = length("horizon", horizon), length("gap", gap)
    return kernels.probability_no_purchase(*lengths, *_histories(frequency, recency, T), *settings)


def expected_spend(frequency: ArrayLike, monetary: ArrayLike, *, parameters: Mapping[str, float]) -> Floats:
    """Mean spend of each client on a future purchase day.

    Parameters
    ----------
    frequency : array-like of shape (n_clients,)
        Purchase days after the first; whole numbers.
    monetary : array-like of shape (n_clients,)
        Mean spend on those days; not looked at where there is none. Refunds that outweigh it count as 0.
    parameters : mapping of str to float
        p, q and v, such as `GammaGamma.parameters_`; q is above 1.

    Returns
    -------
    ndarray of shape (n_clients,)
        The mean over clients where `frequency` is 0. NaN where a number that is needed is missing.

    See Also
    --------
    GammaGamma : Finds the parameters.

    Examples
    --------
    >>> parameters = {"p": 6.25, "q": 3.74, "v": 15.44}
    >>> expected_spend([0, 2, 2], [np.nan, 30.0, np.nan], parameters=parameters).round(2)
    array([35.22, 30.94,   nan])
    """
    x = np.asarray(frequency, dtype=np.float64)
    z = np.where(x == 0, 0.0, np.maximum(np.asarray(monetary, dtype=np.float64), 0.0))
    p, q, v = (float(parameters[name]) for name in ("p", "q", "v"))
    return p * (v + x * z) / (p * x + (q - 1.0))


def length(name: str, value: float) -> float:
    """Return a horizon or gap as a float, or raise ValueError."""
    if not (isinstance(value, int | float | np.integer | np.floating) and 0.0 <= value < np.inf):
        raise ValueError(
            f"`{name}` must be a finite number, 0 or more, in the time unit of the data; got {value!r}. "
            "Convert a length of time to a number first."
        )
    return float(value)


def columns(frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Contiguous and writeable, so that nothing is compiled a second time for another layout."""
    x, tx, t = (np.require(column, np.float64, ["C", "W"]) for column in (frequency, recency, T))
    if not (x.ndim == 1 and x.shape == tx.shape == t.shape):
        got = f"{x.shape}, {tx.shape}, {t.shape}"
        raise ValueError(
            f"`frequency`, `recency` and `T` must have one value per client; got shapes {got}. "
            "Take them from one table."
        )
    return x, tx, t


def _histories(frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return the columns, with NaN throughout where a number is missing or the three cannot be one client's."""
    x, tx, t = columns(frequency, recency, T)
    possible = np.isfinite(x) & (x == np.floor(x)) & np.isfinite(t) & (tx <= t)
    possible &= ((x == 0) & (tx == 0)) | ((x > 0) & (tx > 0))
    return np.where(possible, x, np.nan), np.where(possible, tx, np.nan), np.where(possible, t, np.nan)


def _model(parameters: Mapping[str, float]) -> tuple[Any, tuple[float, ...]]:
    """Tell by the parameters which model they are of: its compiled predictions, and what these take."""
    from loyalty.btyd import _dropout, _lifetime

    if {"s", "beta"} & set(parameters):
        return _lifetime, _values(parameters, "r", "alpha", "s", "beta")
    return _dropout, (*_values(parameters, "r", "alpha", "a", "b"), 0.0)


def _values(parameters: Mapping[str, float], *names: str) -> tuple[float, ...]:
    values = {name: parameters.get(name, np.nan) for name in names}
    for name, value in values.items():
        if not 0.0 < value < np.inf:
            raise ValueError(
                f"`parameters` must hold a positive number for {name!r}; got {value!r}. "
                "Take `parameters_` of a fitted model."
            )
    return tuple(float(value) for value in values.values())
