"""Value: what a client is expected to spend within the horizon."""

import json
from pathlib import Path
from typing import Any, Self

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from loyalty.models.trees import TREE_PARAMETERS, feature_names, leaf_size, model_text, threads

#: The least share of the spend that refunds beyond a client's own purchases can leave of the predictions.
_LEAST_KEPT = 0.5


class ValueModel(RegressorMixin, BaseEstimator):
    """Expected net spend within the horizon: mostly zero, heavy in the tail, never negative.

    Gradient-boosted trees with Tweedie deviance [1]_, whose compound Poisson-Gamma law has a mass at zero and a
    heavy tail. A client whose refunds outweigh the purchases counts as zero while learning; what that adds is
    taken off all predictions again, so that predicted and realised totals agree on the rows learned from. At most
    half is taken off: one large order that came back must not make everybody else worthless.

    Parameters
    ----------
    variance_power : float, default=1.5
        Power of the mean that the variance follows, between 1 (counts) and 2 (a pure Gamma).
    num_leaves : int, default=7
        Leaves per tree.
    n_estimators : int, default=300
        Number of trees.
    learning_rate : float, default=0.03
        Shrinkage of each tree.
    min_child_samples : int, default=100
        Fewest rows in a leaf, but never more than a twentieth of all rows.
    random_state : int, default=0
        Seed handed to LightGBM.
    n_jobs : int, optional
        Threads; by default one up to a million rows, else all cores. The result does not depend on it.

    Attributes
    ----------
    booster_ : lightgbm.Booster
        The trees, on a log scale.
    scale_ : float
        Realised over predicted total on the rows learned from.
    feature_names_in_ : ndarray of str
        The columns, in order.

    References
    ----------
    .. [1] Jørgensen (1987), "Exponential dispersion models", Journal of the Royal Statistical Society B 49(2),
       127-162.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"amount_sum_90d": rng.gamma(2.0, 50.0, 2000)})
    >>> spend = X.amount_sum_90d * rng.binomial(1, 0.5, 2000)
    >>> model = ValueModel().fit(X, spend)
    >>> bool(abs(model.predict(X).sum() / spend.sum() - 1) < 1e-9)
    True
    """

    def __init__(
        self,
        *,
        variance_power: float = 1.5,
        num_leaves: int = 7,
        n_estimators: int = 300,
        learning_rate: float = 0.03,
        min_child_samples: int = 100,
        random_state: int = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.variance_power = variance_power
        self.num_leaves = num_leaves
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.min_child_samples = min_child_samples
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: pd.DataFrame, y: ArrayLike) -> Self:
        """Grow the trees.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, n_features)
            A panel or any table of features.
        y : array-like of shape (n_rows,)
            Net spend within the horizon.

        Raises
        ------
        ValueError
            If `variance_power` is not strictly between 1 and 2.
        """
        if not 1 < self.variance_power < 2:
            raise ValueError(f"`variance_power` must lie strictly between 1 and 2; got {self.variance_power!r}.")
        values, spend = validate_data(
            self, X, y, dtype="float64", ensure_all_finite="allow-nan", ensure_min_samples=2, y_numeric=True
        )
        spend = np.asarray(spend, dtype=float)
        # Money has no natural unit; in units of the mean spend, LightGBM's absolute defaults fit any currency.
        positive = np.clip(spend, 0.0, None)
        anything = bool(positive.any())
        # LightGBM refuses a target of zeros only; trees of a constant, times a scale of zero, predict them.
        target = positive / positive.mean() if anything else np.ones_like(positive)
        parameters = {
            **TREE_PARAMETERS,
            "objective": "tweedie",
            "tweedie_variance_power": self.variance_power,
            "num_leaves": self.num_leaves,
            "learning_rate": self.learning_rate,
            "min_data_in_leaf": leaf_size(self.min_child_samples, len(spend)),
            "seed": self.random_state,
            "num_threads": threads(self.n_jobs, len(values)),
        }
        self.booster_ = lgb.train(parameters, lgb.Dataset(values, target), self.n_estimators)
        predicted = float(
            np.asarray(self.booster_.predict(values, num_threads=threads(self.n_jobs, len(values)))).sum()
        )
        gross = float(positive.sum())
        self.scale_ = max(float(spend.sum()), _LEAST_KEPT * gross) / predicted if anything else 0.0
        return self

    def predict(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Return the expected net spend of each row, shape (n_rows,).

        Raises
        ------
        ValueError
            If the columns are not those of the fit, in their order.
        """
        check_is_fitted(self)
        values = validate_data(self, X, dtype="float64", ensure_all_finite="allow-nan", reset=False)
        return self.scale_ * np.asarray(self.booster_.predict(values, num_threads=threads(self.n_jobs, len(values))))

    def save(self, folder: Path) -> None:
        """Write ``value.txt`` (the trees) and ``value.json`` (all else) into `folder`; no pickle, no client."""
        check_is_fitted(self)
        kept = {"parameters": self.get_params(), "features": feature_names(self), "scale": self.scale_}
        (folder / "value.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        (folder / "value.txt").write_text(model_text(self.booster_), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        kept = json.loads((folder / "value.json").read_text(encoding="utf-8"))
        model = cls(**kept["parameters"])
        model.booster_ = lgb.Booster(model_str=(folder / "value.txt").read_text(encoding="utf-8"))
        model.feature_names_in_ = np.array(kept["features"], dtype=object)
        model.n_features_in_ = len(kept["features"])
        model.scale_ = kept["scale"]
        return model

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        # Net spend cannot be predicted below zero: on a target that is, R² is poor by design.
        tags.regressor_tags.poor_score = True
        return tags
