"""Exact SHAP values of boosted trees, by whichever of two ways is quicker."""

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loyalty.models.trees import threads

Floats = NDArray[np.float64]

#: With fewer rows than this, LightGBM is done before WOODELF has prepared the trees.
_ROWS_FOR_WOODELF = 2_500
#: Rows on which each model's values are compared one by one, and how far they may lie apart in log-odds.
_COMPARED = 100
_TOLERANCE = 1e-4


def tree_shares(booster: lgb.Booster, values: Floats, *, n_jobs: int | None = None) -> Floats:
    """Divide what the trees say of each row among its features.

    LightGBM works out path-dependent TreeSHAP values [1]_ row by row. WOODELF [2]_ prepares all that the trees can say
    once, which takes about half a second, and is then several times as quick, the more so the larger the trees. It is
    used for larger tables, and not trusted: its values are compared with LightGBM's on some rows of every table, and
    each row must add up to what the trees say of it. What does not agree is worked out by LightGBM.

    Parameters
    ----------
    booster : lightgbm.Booster
        Trees with one output.
    values : array of shape (n_rows, n_features)
        NaN where a value is missing.
    n_jobs : int, optional
        Threads; by default one up to a million rows, else all cores.

    Returns
    -------
    ndarray of shape (n_rows, n_features + 1)
        The base value in the last column; each row adds up to the raw score.

    References
    ----------
    .. [1] Lundberg, Erion et al. (2020), "From local explanations to global understanding with explainable AI for
       trees", Nature Machine Intelligence 2, 56-67.
    .. [2] Nadel and Wettenstein (2026), "From Decision Trees to Boolean Logic: A Fast and Unified SHAP Algorithm",
       AAAI.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(3_000, 2))
    >>> booster = lgb.train({"objective": "binary", "verbose": -1}, lgb.Dataset(X, X[:, 0] > 0), 5)
    >>> shares = tree_shares(booster, X)
    >>> bool(np.allclose(shares.sum(axis=1), booster.predict(X, raw_score=True)))
    True
    """
    if len(values) < _ROWS_FOR_WOODELF:
        return _by_lightgbm(booster, values, n_jobs)
    shares = _by_woodelf(booster, values)
    compared = np.linspace(0, len(values) - 1, _COMPARED).astype(np.int64)
    if not _agree(shares[compared], _by_lightgbm(booster, values[compared], n_jobs)):
        return _by_lightgbm(booster, values, n_jobs)
    score = np.asarray(booster.predict(values, raw_score=True, num_threads=threads(n_jobs, len(values))))
    astray = np.flatnonzero(~(np.abs(shares.sum(axis=1) - score) <= _TOLERANCE))
    if len(astray):
        shares[astray] = _by_lightgbm(booster, values[astray], n_jobs)
    return shares


def _agree(ours: Floats, theirs: Floats) -> bool:
    return bool((np.abs(ours - theirs) <= _TOLERANCE).all())


def _by_lightgbm(booster: lgb.Booster, values: Floats, n_jobs: int | None) -> Floats:
    return np.asarray(booster.predict(values, pred_contrib=True, num_threads=threads(n_jobs, len(values))))


def _by_woodelf(booster: lgb.Booster, values: Floats) -> Floats:
    from woodelf.explainer import WoodelfExplainer  # takes half a second, which scoring a few clients need not wait for

    explainer = WoodelfExplainer(booster, feature_perturbation="tree_path_dependent")
    shares = explainer.shap_values(pd.DataFrame(values, columns=booster.feature_name()), verbose=False)
    return np.column_stack([shares, np.full(len(values), float(np.ravel(explainer.expected_value)[0]))])
