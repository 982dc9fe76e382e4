"""Exact SHAP values of the calibrated log-odds."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loyalty.models.churn import ChurnModel
from loyalty.models.trees import feature_names

if TYPE_CHECKING:
    import shap

__all__ = ["as_numbers", "shap_values"]

Floats = NDArray[np.float64]


def shap_values(model: ChurnModel, X: pd.DataFrame) -> "shap.Explanation":
    """Divide each client's log-odds among the features, exactly.

    The values are LightGBM's own path-dependent TreeSHAP [1]_ times the calibrator's slope, so that base value
    plus the sum over features is the calibrated log-odds of churn.

    Parameters
    ----------
    model : ChurnModel
        Fitted.
    X : DataFrame of shape (n_rows, n_features)
        The rows to explain, in the columns of the fit.

    Returns
    -------
    shap.Explanation
        `values` of shape (n_rows, n_features) and `base_values` of shape (n_rows,), in log-odds; shap's own plots
        take it. Of categories the `data` are NaN.

    References
    ----------
    .. [1] Lundberg, Erion et al. (2020), "From local explanations to global understanding with explainable AI for
       trees", Nature Machine Intelligence 2, 56-67.

    Examples
    --------
    >>> from scipy.special import expit
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"days_since_last": rng.integers(1, 200, 400), "frequency": rng.integers(0, 9, 400)})
    >>> model = ChurnModel(n_estimators=30).fit(X, X.days_since_last > 100)
    >>> explained = shap_values(model, X)
    >>> log_odds = explained.base_values + explained.values.sum(axis=1)
    >>> bool(np.allclose(expit(log_odds), model.predict_proba(X)[:, 1]))
    True
    """
    import shap  # takes seconds, and only notebooks draw with it

    names = feature_names(model)
    parts = model.contributions(X[names])
    return shap.Explanation(
        values=parts[:, :-1], base_values=parts[:, -1], data=as_numbers(model, X), feature_names=names
    )


def as_numbers(model: ChurnModel, X: pd.DataFrame) -> Floats:
    """Take the features as numbers, categories as NaN."""
    features = X[feature_names(model)]
    return features.assign(**dict.fromkeys(model.columns_.levels, np.nan)).to_numpy(dtype=float)
