"""Zero-inflated log-normal: whether a client spends, how much, and how surely, by one set of trees."""

import json
from pathlib import Path
from typing import Any, Self

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import logit
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from loyalty.models._zero_inflated import Floats, ZeroInflatedLaw, bounded, slopes
from loyalty.models.categories import freeze_columns, read_columns, restore_columns, written_columns
from loyalty.models.trees import TREE_PARAMETERS, model_text, row_settings, threads, write_json

__all__ = ["ZeroInflatedLaw", "ZeroInflatedLogNormal"]

#: The least share of the spend that refunds beyond a client's own purchases can leave of the predictions.
_LEAST_KEPT = 0.5
#: Equal amounts have no spread; they are given this one, of their logarithm.
_LEAST_SPREAD = 1e-6


class ZeroInflatedLogNormal(RegressorMixin, BaseEstimator):
    """Law of each client's spend: nothing with some probability, else log-normal (ZILN).

    One ensemble of gradient-boosted trees with three outputs [1]_: the log-odds of spending anything, and the mean and
    the log standard deviation of the logarithm of what is then spent. All three are learned together by maximum
    likelihood, beginning with the one law of all rows. Beside the mean it gives quantiles, and so how sure it is.

    The mean of a log-normal is exp(mean + sd² / 2), and a standard deviation a little too large makes it far too large.
    So, counted in standard deviations of all log spend, a client's mean stays within 4 of the middle, and its own
    standard deviation between 0.1 and 1; and the means are scaled to the realised total of the rows learned from.

    Columns may hold categories, which are read as `ChurnModel` reads them: levels are frozen at the fit, and one that
    was not there then, or that fewer than ten clients had, is none of the known ones, with a warning.

    Parameters
    ----------
    num_leaves : int, default=7
        Leaves per tree.
    n_estimators : int, default=300
        Number of trees for each output.
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
    booster_ : lightgbm.Booster or None
        The trees; None where nobody spent anything, or no column can be split: all rows then have one law.
    share_ : float
        Share of rows that spent anything, drawn towards one half as if by one row more of each.
    unit_ : float
        Geometric mean of what was spent by those who did: the middle.
    spread_ : float
        Standard deviation of its logarithm.
    scale_ : float
        Realised over predicted total, on the rows learned from. Refunds lower it; half of the spend is always left.
    columns_ : Columns
        The columns, and the frozen levels of those that hold categories.
    feature_names_in_ : ndarray of str
        The columns, in order.

    See Also
    --------
    loyalty.models.value.ValueModel : The mean alone, in two parts that are learned apart.
    loyalty.models.intervals.SpendIntervals : Intervals whose coverage is checked through time.

    Notes
    -----
    The loss, its derivatives and the Hessian used are in `loyalty.models._zero_inflated.slopes`. Net spend of zero and
    below counts as nothing spent.

    The chance is not calibrated through time, as that of `ChurnModel` is; nor are the quantiles. How this law does
    beside others: ``experiments/value_comparison.md``.

    References
    ----------
    .. [1] Wang, Liu and Miao (2019), "A Deep Probabilistic Model for Customer Lifetime Value Prediction",
       arXiv:1912.07753.

    Examples
    --------
    Fewer than half buy, half of them for more than 10. So the median of the spend is 0; the mean is not:

    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"days_since_last": rng.integers(1, 200, 4000)})
    >>> spend = rng.binomial(1, 0.45, 4000) * rng.lognormal(np.log(10.0), 0.5, 4000)
    >>> model = ZeroInflatedLogNormal(n_estimators=100).fit(X, spend)
    >>> client = pd.DataFrame({"days_since_last": [30]})
    >>> model.predict_quantiles(client, [0.5, 0.775]).round(-1).tolist()
    [[0.0, 10.0]]
    >>> bool(4.5 < model.predict(client)[0] < 6)
    True
    """

    def __init__(
        self,
        *,
        num_leaves: int = 7,
        n_estimators: int = 300,
        learning_rate: float = 0.03,
        min_child_samples: int = 100,
        random_state: int = 0,
        n_jobs: int | None = None,
    ) -> None:
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
        """
        values, spend = freeze_columns(self, X, y, y_numeric=True)
        spend = np.asarray(spend, dtype=float)
        spends = spend > 0
        self.booster_, self.share_, self.unit_, self.spread_, self.scale_ = None, 0.0, 1.0, 1.0, 0.0
        if not spends.any():
            return self
        self.share_ = (float(spends.sum()) + 1.0) / (len(spend) + 2.0)
        logs = np.log(spend[spends])
        self.unit_ = float(np.exp(logs.mean()))
        self.spread_ = max(float(logs.std()), _LEAST_SPREAD)
        size = np.zeros(len(spend))
        size[spends] = (logs - logs.mean()) / self.spread_
        self.booster_ = self._grow(values, spends, size)
        kept = max(float(spend.sum()), _LEAST_KEPT * float(spend[spends].sum()))
        self.scale_ = kept / float(self._law(values).mean().sum())
        return self

    def predict(self, X: pd.DataFrame) -> Floats:
        """Return the expected net spend of each row, shape (n_rows,): the mean of its law, times `scale_`.

        Raises
        ------
        ValueError
            If the columns are not those of the fit, in their order and of their kind.
        """
        mean = self.predict_law(X).mean()
        return self.scale_ * mean

    def predict_quantiles(self, X: pd.DataFrame, levels: ArrayLike) -> Floats:
        """Return quantiles of the spend of each row, shape (n_rows, n_levels); 0 up to the chance of spending nothing.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, n_features)
            The columns of the fit.
        levels : array-like of shape (n_levels,)
            Each strictly between 0 and 1.

        Raises
        ------
        ValueError
            If the columns are not those of the fit, in their order and of their kind, or a level is 0, 1 or beyond.
        """
        return self.predict_law(X).quantiles(levels)

    def spend_probability(self, X: pd.DataFrame) -> Floats:
        """Return the probability that each row spends anything, shape (n_rows,)."""
        return self.predict_law(X).chance

    def predict_law(self, X: pd.DataFrame) -> ZeroInflatedLaw:
        """Return the law of the spend of each row, in money; `scale_`, which is of the mean alone, is not in it."""
        check_is_fitted(self)
        values = read_columns(self, X)
        return self._law(values)

    def _law(self, values: Floats) -> ZeroInflatedLaw:
        if self.share_ == 0:
            nothing = np.zeros(len(values))
            return ZeroInflatedLaw(chance=nothing, log_mean=nothing, log_sd=nothing + 1.0)
        scores = np.tile(self._start(), (len(values), 1))
        if self.booster_ is not None:
            scores += np.asarray(self.booster_.predict(values, num_threads=threads(self.n_jobs, len(values))))
        chance, mean, log_sd = bounded(scores)
        return ZeroInflatedLaw(
            chance=chance,
            log_mean=np.log(self.unit_) + self.spread_ * mean,
            log_sd=self.spread_ * np.exp(log_sd),
        )

    def _grow(self, values: Floats, spends: NDArray[np.bool_], size: Floats) -> lgb.Booster | None:
        """Grow the trees, unless no column can be split."""

        def objective(scores: Floats, _: lgb.Dataset) -> tuple[Floats, Floats]:
            return slopes(scores, spends, size)  # closed over, since LightGBM keeps labels in single precision

        parameters = {
            **TREE_PARAMETERS,
            "objective": "none",
            "num_class": 3,
            "num_leaves": self.num_leaves,
            "learning_rate": self.learning_rate,
            **row_settings(self.min_child_samples, len(values)),
            "seed": self.random_state,
            "num_threads": threads(self.n_jobs, len(values)),
        }
        start = np.tile(self._start(), (len(values), 1))
        data = lgb.Dataset(values, spends, init_score=start, params=parameters).construct()
        # LightGBM has no bins for a column that it cannot split, and without any it fails on an objective of ours.
        if not any(data.feature_num_bin(column) for column in range(data.num_feature())):
            return None
        return lgb.train({**parameters, "objective": objective}, data, self.n_estimators)

    def _start(self) -> Floats:
        """Return the scores of the law of all rows, which LightGBM does not keep with the trees."""
        return np.array([logit(self.share_), 0.0, 0.0])

    def save(self, folder: Path) -> None:
        """Write ``ziln.txt`` (the trees) and ``ziln.json`` (all else) into `folder`; no pickle, no client."""
        check_is_fitted(self)
        kept = {
            "parameters": self.get_params(),
            **written_columns(self),
            "share": self.share_,
            "unit": self.unit_,
            "spread": self.spread_,
            "scale": self.scale_,
        }
        trees = "" if self.booster_ is None else model_text(self.booster_)
        write_json(kept, folder / "ziln.json")
        (folder / "ziln.txt").write_text(trees, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        kept = json.loads((folder / "ziln.json").read_text(encoding="utf-8"))
        trees = (folder / "ziln.txt").read_text(encoding="utf-8")
        model = cls(**kept["parameters"])
        model.booster_ = lgb.Booster(model_str=trees) if trees else None
        restore_columns(model, kept)
        model.share_, model.unit_ = kept["share"], kept["unit"]
        model.spread_, model.scale_ = kept["spread"], kept["scale"]
        return model

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        # Net spend cannot be predicted below zero: on a target that is, R² is poor by design.
        tags.regressor_tags.poor_score = True
        return tags
