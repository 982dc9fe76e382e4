"""Exact SHAP values and interactions of the calibrated log-odds, and their values on the scale of probabilities."""

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from loyalty.models.categories import as_floats, level_text
from loyalty.models.churn import ChurnModel
from loyalty.models.trees import feature_names

if TYPE_CHECKING:
    import shap

__all__ = ["Scale", "as_numbers", "shap_interactions", "shap_values"]

Scale = Literal["log-odds", "probability"]
Floats = NDArray[np.float64]

#: What an explanation's `output_names` says: which scale its values are on.
_OUTPUT = {"log-odds": "log-odds of churn", "probability": "probability of churn"}
#: Below this change of log-odds its slope stands for the logistic curve.
_FLAT = 1e-6


def shap_values(model: ChurnModel, X: pd.DataFrame, *, scale: Scale = "log-odds") -> "shap.Explanation":
    """Divide each client's log-odds, or probability, of churn among the features, exactly.

    In log-odds these are path-dependent TreeSHAP values [1]_ times the calibrator's slope, so that base value plus the
    sum over features is the calibrated log-odds. On the scale of probabilities they are the Aumann-Shapley values [2]_
    of the probability as a function of these parts: as all parts grow together from nothing to what they are, each
    is given what it adds. They are the parts times one number per client, (p - p0) / (log-odds - base log-odds), with
    p0 the probability of the base log-odds; so base value plus the sum is the probability p, and for one client
    signs and ranks are the same on both scales. Between clients they need not be: where the probability is near 0
    or 1, little moves it.

    Parameters
    ----------
    model : ChurnModel
        Fitted.
    X : DataFrame of shape (n_rows, n_features)
        The rows to explain, in the columns of the fit.
    scale : {"log-odds", "probability"}, default="log-odds"
        What the values add up to. Probabilities run from 0 to 1.

    Returns
    -------
    shap.Explanation
        `values` of shape (n_rows, n_features) and `base_values` of shape (n_rows,), which shap's own plots take;
        `output_names` says the scale. Of categories the `data` are the numbers of their levels, and `display_data`
        their names.

    Raises
    ------
    ValueError
        If the scale is not known.

    References
    ----------
    .. [1] Lundberg, Erion et al. (2020), "From local explanations to global understanding with explainable AI for
       trees", Nature Machine Intelligence 2, 56-67.
    .. [2] Aumann and Shapley (1974), "Values of Non-Atomic Games", Princeton; for models, Sundararajan, Taly and Yan
       (2017), "Axiomatic attribution for deep networks", ICML. The same factor carries SHAP values through a model's
       output in Chen, Lundberg and Lee (2022), "Explaining a series of models by propagating Shapley values", Nature
       Communications 13, 4512.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"days_since_last": rng.integers(1, 200, 400), "frequency": rng.integers(0, 9, 400)})
    >>> model = ChurnModel(n_estimators=30).fit(X, X.days_since_last > 100)
    >>> explained = shap_values(model, X, scale="probability")
    >>> probability = explained.base_values + explained.values.sum(axis=1)
    >>> bool(np.allclose(probability, model.predict_proba(X)[:, 1]))
    True
    >>> explained.output_names
    'probability of churn'
    """
    if scale not in _OUTPUT:
        raise ValueError(f"`scale` must be 'log-odds' or 'probability'; got {scale!r}.")
    parts = model.contributions(X[feature_names(model)])
    values, base = parts[:, :-1], parts[:, -1]
    if scale == "probability":
        values, base = _in_probability(values, base)
    return _explanation(model, X, values, base, scale)


def shap_interactions(model: ChurnModel, X: pd.DataFrame) -> "shap.Explanation":
    """Divide each client's log-odds of churn among the features and their pairs, exactly.

    Parameters
    ----------
    model : ChurnModel
        Fitted.
    X : DataFrame of shape (n_rows, n_features)
        The rows to explain, in the columns of the fit. Of 200 features, about 3,000 rows at most.

    Returns
    -------
    shap.Explanation
        `values` of shape (n_rows, n_features, n_features): SHAP interaction values [1]_ in log-odds. Symmetric; half of
        what two features do together stands in either place, on the diagonal what one does alone; each row adds up to
        the feature's SHAP value.

    Raises
    ------
    ValueError
        If they take more than 1 GiB.

    References
    ----------
    .. [1] Lundberg, Erion et al. (2020), "From local explanations to global understanding with explainable AI for
       trees", Nature Machine Intelligence 2, 56-67.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"days_since_last": rng.integers(1, 200, 400), "frequency": rng.integers(0, 9, 400)})
    >>> model = ChurnModel(n_estimators=30).fit(X, X.days_since_last > 100)
    >>> pairs = shap_interactions(model, X.head())
    >>> pairs.values.shape
    (5, 2, 2)
    >>> bool(np.allclose(pairs.values.sum(axis=2), shap_values(model, X.head()).values))
    True
    """
    features = X[feature_names(model)]
    pairs = model.interactions(features)
    base = model.contributions(features)[:, -1]
    return _explanation(model, X, pairs, base, "log-odds")


def as_numbers(model: ChurnModel, X: pd.DataFrame) -> Floats:
    """Take the features as numbers, categories as NaN."""
    missing, levels = np.full(len(X), np.nan), model.columns_.levels
    return np.column_stack([missing if name in levels else as_floats(X[name]) for name in feature_names(model)])


def _in_probability(parts: Floats, base: Floats) -> tuple[Floats, Floats]:
    """Carry parts and base value from log-odds over to probabilities."""
    change = parts.sum(axis=1)
    flat = np.abs(change) < _FLAT
    middle = expit(base + change / 2)
    steep = (expit(base + change) - expit(base)) / np.where(flat, 1.0, change)
    return parts * np.where(flat, middle * (1 - middle), steep)[:, None], expit(base)


def _explanation(model: ChurnModel, X: pd.DataFrame, values: Floats, base: Floats, scale: Scale) -> "shap.Explanation":
    import shap  # takes seconds, and only notebooks draw with it

    names, data, shown = feature_names(model), as_numbers(model, X), None
    if model.columns_.levels:
        shown = X[names].to_numpy(dtype=object)
        for name, levels in model.columns_.levels.items():
            data[:, names.index(name)] = _numbered(X[name], levels)
    return shap.Explanation(
        values=values, base_values=base, data=data, display_data=shown, feature_names=names, output_names=_OUTPUT[scale]
    )


def _numbered(column: pd.Series, levels: tuple[str, ...]) -> Floats:
    """Give levels their place in the model's order, those it does not know the place after; NaN where missing."""
    number = {level: float(i) for i, level in enumerate(levels)}
    return np.array(
        [np.nan if pd.isna(level) else number.get(level_text(level), float(len(levels))) for level in column]
    )
