"""Value: what a client is expected to spend within the horizon."""

import json
from pathlib import Path
from typing import Any, Literal, Self, get_args

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from loyalty.models.calibration import YEAR, error_to_come, lasting_share
from loyalty.models.categories import as_they_stand, freeze_columns, read_columns, restore_columns, written_columns
from loyalty.models.churn import ChurnModel
from loyalty.models.trees import (
    TREE_PARAMETERS,
    cutoffs_of,
    embargo_of,
    model_text,
    row_settings,
    threads,
    write_json,
    written_duration,
)
from loyalty.timeline import Duration

#: What `ValueModel.forecast` tells of each row.
FORECAST = ("purchase_probability", "expected_value")
#: The law that spend follows.
Law = Literal["lognormal", "gamma", "tweedie"]

#: The least share of the spend that refunds beyond a client's own purchases can leave of the predictions.
_LEAST_KEPT = 0.5
#: Trees of the mean are grown upon those of logarithms. Chosen on earlier cutoffs: see
#: experiments/value_comparison.md.
_MEAN_TREES_PER_LOG_TREE = 1 / 3
#: Trees of all clients, their leaves and the fewest rows of one, beside those of buyers. Chosen on earlier cutoffs, as
#: their weight in the logarithm of spend: see experiments/value_comparison.md.
_WHOLE_TREES, _WHOLE_LEAVES, _WHOLE_LEAF_SIZE = 2 / 3, 2, 1 / 5
_WHOLE_WEIGHT = 0.4
#: On fewer rows they learn more of chance than of clients.
_WHOLE_ROWS = 2000
#: They begin at no smaller probability to buy: the gradient of one who buys against such odds outgrows all others.
_LEAST_CHANCE = 0.01
#: Weight of the anchor in the logarithm of a client's spend. Chosen on earlier cutoffs: see experiments/README.md.
_ANCHOR_WEIGHT = 0.3
#: How much of the slope of spend over the anchor, in logarithms, goes on where trees stand still. Chosen on earlier
#: cutoffs: see experiments/extrapolation.md.
_SHARE = 0.25
#: No spend rises faster with an opinion than with its square, whatever a few rows say.
_STEEPEST = 2.0
#: Clients of whom more is expected than this share of all, and than so many times the mean, are no example for others.
_GIANT_SHARE, _GIANT_MEANS = 0.1, 50.0
#: Opinions that differ by less than this in the logarithm say the same of everybody.
_ALIKE = 1e-6
_OBJECTIVES: dict[Law, dict[str, Any]] = {
    "gamma": {"objective": "gamma"},
    "tweedie": {"objective": "tweedie", "tweedie_variance_power": 1.5},
}
#: Of all clients. Thresholds are the best that there are, not drawn, so that these trees err otherwise than the others.
_WHOLE_OBJECTIVE: dict[str, Any] = {"objective": "tweedie", "tweedie_variance_power": 1.3, "extra_trees": False}


class ValueModel(RegressorMixin, BaseEstimator):
    """Expected net spend within the horizon: mostly zero, heavy in the tail, never negative.

    In two parts [1]_: the probability that a client spends anything, calibrated through time, times the spend to be
    expected if so, by gradient-boosted trees of a log-normal (or Gamma) law grown on those who did. What refunds take
    off the spend of all is taken off every prediction, so that predicted and realised totals agree on the rows learned
    from where the probabilities do. At most half is taken off: one large order that came back must not make everybody
    else worthless.

    Trees of logarithms order clients best, but tell the mean only where all are as steady as each other: of two clients
    with the same mean of logarithms, the less steady one spends more on average [2]_. So a third as many trees of the
    mean itself (a Poisson quasi-likelihood, which asks no more of spend than that) are grown upon those of a log-normal
    law. All of these have seen buyers alone, and nobody has learned from the product of both parts. So on 2,000 rows or
    more, other trees are grown beside them on the spend of all, those who bought nothing included, upon the probability
    to buy. Both expectations meet at a weighted geometric mean that keeps the sum of the first: forecasts that err
    otherwise err less together [4]_.

    A column may hold a second opinion of the spend of those who buy, the `anchor`, by a model that knows how clients
    drop out and keeps to long-run rates. Of a client's own spend the trees know more, and the two meet at a weighted
    geometric mean; of the sum over all clients the second opinion does, since trees carry on the level of the seasons
    they have seen. So the sum over the clients as they stand now is the anchor's, moved by what it was off at the
    cutoffs learned from as far as that can be told to last, and by what it was off in the same season of years past.
    Nor do trees tell the few apart who spend more than all but a handful, which the second opinion does: those of
    buyers tell spend over a small power of it. Of a client who would spend more than a tenth of what all would, if they
    buy, and more than fifty times the mean, the second opinion alone speaks: nothing is learned from such a giant, or
    it would be spread over everybody else.

    A Tweedie law [3]_ needs no second part and takes no anchor: its compound Poisson-Gamma has a mass at zero.

    Columns may hold categories, which are read as `ChurnModel` reads them: levels are frozen at the fit, and one that
    was not there then, or that fewer than ten clients had, is none of the known ones, with a warning.

    Parameters
    ----------
    law : {"lognormal", "gamma", "tweedie"}, default="lognormal"
        The law of spend.
    num_leaves : int, default=7
        Leaves per tree; of all clients, twice as many.
    n_estimators : int, default=300
        Number of trees; a log-normal law has a third as many more, of the mean, and two thirds as many of all clients.
    learning_rate : float, default=0.03
        Shrinkage of each tree.
    min_child_samples : int, default=100
        Fewest rows in a leaf, but never more than a twentieth of all rows; of all clients, a fifth of it.
    anchor : str, optional
        The column with the second opinion, such as `amount_expected_if_buying`.
    embargo : str or timedelta, optional
        Time a cutoff's outcome takes to be decided, as for `ChurnModel`, if one is fitted for the first part.
    random_state : int, default=0
        Seed handed to LightGBM.
    n_jobs : int, optional
        Threads; by default one up to a million rows, else all cores. The result does not depend on it.

    Attributes
    ----------
    booster_ : lightgbm.Booster or None
        The trees, of buyers but for a Tweedie law; None where nobody spent anything.
    whole_ : lightgbm.Booster or None
        The trees of all clients, buyers or not; None but for a log-normal law on 2,000 rows or more.
    whole_scale_ : float
        What brings the sum of both kinds of trees to that of the trees of buyers, on the rows learned from.
    scale_ : float
        Realised over predicted total of those who spent anything, on the rows learned from.
    power_ : float
        The trees of buyers tell spend over the anchor's to this power; 0 without one.
    giant_ : float
        Of a row whose anchor is more, the anchor alone speaks; infinite without an anchor.
    drift_ : float
        True over anchor's sum, as far as it is expected to last and of the season; 1 without an anchor.
    level_ : float
        What every other prediction is multiplied by to bring their sum to the anchor's; 1 without one.
    unit_ : float
        What the trees count in: the mean spend of those who spent anything; for a Tweedie law, of all.
    purchase_ : ChurnModel or None
        Who spends nothing; None for a Tweedie law, and where nobody or everybody spent something.
    columns_ : Columns
        The columns, and the frozen levels of those that hold categories.
    feature_names_in_ : ndarray of str
        The columns, in order.

    References
    ----------
    .. [1] Mullahy (1986), "Specification and testing of some modified count data models", Journal of Econometrics
       33(3), 341-365.
    .. [2] Santos Silva and Tenreyro (2006), "The log of gravity", Review of Economics and Statistics 88(4), 641-658.
    .. [3] Jørgensen (1987), "Exponential dispersion models", Journal of the Royal Statistical Society B 49(2),
       127-162.
    .. [4] Bates and Granger (1969), "The combination of forecasts", Operational Research Quarterly 20(4), 451-468.

    Examples
    --------
    A client who spent twice as much is expected to:

    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"amount_sum_90d": rng.gamma(2.0, 50.0, 2000)})
    >>> spend = X.amount_sum_90d * rng.binomial(1, 0.5, 2000)
    >>> low, high = ValueModel().fit(X, spend).predict(pd.DataFrame({"amount_sum_90d": [60.0, 120.0]}))
    >>> bool(1.8 < high / low < 2.2), bool(27 < low < 33)
    (True, True)
    """

    def __init__(
        self,
        *,
        law: Law = "lognormal",
        num_leaves: int = 7,
        n_estimators: int = 300,
        learning_rate: float = 0.03,
        min_child_samples: int = 100,
        anchor: str | None = None,
        embargo: Duration | None = None,
        random_state: int = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.law = law
        self.num_leaves = num_leaves
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.min_child_samples = min_child_samples
        self.anchor = anchor
        self.embargo = embargo
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(
        self,
        X: pd.DataFrame,
        y: ArrayLike,
        *,
        purchase: ChurnModel | None = None,
        latest: pd.DataFrame | None = None,
    ) -> Self:
        """Grow the trees and set the level.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, n_features)
            A panel or any table of features.
        y : array-like of shape (n_rows,)
            Net spend within the horizon.
        purchase : ChurnModel, optional
            Fitted on who buys nothing in the same horizon, to be used for the first part. By default one is fitted.
        latest : DataFrame of shape (n_latest, n_features), optional
            The clients as they stand now, whose outcomes are not known yet: beside an anchor, the level is set on
            them. By default the rows of the latest cutoff, or all without cutoffs.

        Raises
        ------
        ValueError
            If there is no such law, `anchor` names no column of numbers, or a category is refused as `ChurnModel`
            refuses it.
        """
        if self.law not in get_args(Law):
            raise ValueError(f"`law` must be one of {', '.join(map(repr, get_args(Law)))}; got {self.law!r}.")
        values, spend = freeze_columns(self, X, y, y_numeric=True)
        named = getattr(self, "feature_names_in_", ())
        if self.anchor is not None and (self.anchor not in named or self.anchor in self.columns_.levels):
            raise ValueError(f"`anchor` names {self.anchor!r}, which is not a column of numbers.")
        spend = np.asarray(spend, dtype=float)
        spends = spend > 0
        self.booster_, self.whole_, self.purchase_ = None, None, None
        self.scale_, self.unit_, self.power_ = 0.0, 1.0, 0.0
        self.giant_, self.drift_, self.level_, self.whole_scale_ = np.inf, 1.0, 1.0, 1.0
        if not spends.any():
            return self
        if self.law != "tweedie":
            self.purchase_ = purchase
            if purchase is None and not spends.all():
                own = ChurnModel(embargo=self.embargo, random_state=self.random_state, n_jobs=self.n_jobs)
                self.purchase_ = own.fit(X, (~spends).astype(int))
        if self._asks_anchor:
            now, standing = as_they_stand(self, X, values, latest)
            self.giant_ = self._find_giant(standing, values[spends])
        example = ~self._giants(values)
        # Money has no natural unit; in units of the mean spend, LightGBM's absolute defaults fit any currency.
        learned = example & spends if self.law != "tweedie" else example
        positive = np.clip(spend, 0.0, None)
        self.unit_ = float(positive[learned].mean())
        target = positive[learned] / self.unit_
        if self._asks_anchor:
            self.power_ = self._find_power(values[learned], target)
            target /= self._anchor_factor(values[learned])
        self.booster_ = self._grow(values[learned], target)
        predicted = float(self._conditional(values[learned]).sum())
        kept = max(float(spend[example].sum()), _LEAST_KEPT * float(positive[learned].sum()))
        self.scale_ = kept / predicted
        if self.law == "lognormal" and example.sum() >= _WHOLE_ROWS:
            buys = self._buys(X, values, warn=False)[example]
            self.whole_ = self._grow_whole(values[example], positive[example] / self.unit_, buys)
            of_buyers = self.scale_ * self._conditional(values[example])
            mixed = self._mix(of_buyers, values[example], buys)
            self.whole_scale_ = float((buys * of_buyers).sum() / (buys * mixed).sum())
        if self._asks_anchor:
            self._find_level(X, values, spend, now, standing, warn=latest is not None)
        return self

    def predict(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Return the expected net spend of each row, shape (n_rows,).

        Raises
        ------
        ValueError
            If the columns are not those of the fit, in their order and of their kind.

        Warns
        -----
        UserWarning
            If a category has a level that was not known at the fit.
        """
        return self.forecast(X)["expected_value"].to_numpy()

    def forecast(self, X: pd.DataFrame) -> pd.DataFrame:
        """Tell both parts of what is expected, for those who go on from there, such as `SpendIntervals`.

        The value over the probability is what a buyer spends; trees of all clients move it by what the probability
        misses as well.

        Returns
        -------
        DataFrame of shape (n_rows, 2)
            `purchase_probability`, that a row spends anything, NaN for a Tweedie law, which does not ask; and
            `expected_value`, which `predict` returns.

        Examples
        --------
        Half of them buy, for a hundred:

        >>> X = pd.DataFrame({"visits": np.zeros(2000)})
        >>> ValueModel().fit(X, np.tile([0.0, 100.0], 1000)).forecast(X.head(1)).round(3)
           purchase_probability  expected_value
        0                   0.5            50.0
        """
        check_is_fitted(self)
        values = read_columns(self, X)
        buys = self._buys(X, values)
        told = {FORECAST[0]: buys, FORECAST[1]: self._expect(values, buys)}
        if self.booster_ is None:
            told[FORECAST[0]] = np.zeros(len(values))
        elif self.law == "tweedie":
            told[FORECAST[0]] = np.full(len(values), np.nan)
        return pd.DataFrame(told, index=X.index if isinstance(X, pd.DataFrame) else None)

    def _expect(self, values: NDArray[np.float64], buys: NDArray[np.float64]) -> NDArray[np.float64]:
        """Expect the spend of each row, given the probability that it buys anything."""
        if self.booster_ is None:
            return np.zeros(len(values))
        spend = self._mix(self.scale_ * self._conditional(values), values, buys)
        if self._asks_anchor:
            told = self._if_buying(values)
            # Where there is no opinion, or none that a mean of logarithms could use, the trees stand alone.
            other = np.where(told > 0, told, spend)
            spend = self.level_ * spend ** (1 - _ANCHOR_WEIGHT) * other**_ANCHOR_WEIGHT
            spend = np.where(self._giants(values), self.drift_ * told, spend)
        return spend * buys

    def _buys(self, X: pd.DataFrame, values: NDArray[np.float64], *, warn: bool = True) -> NDArray[np.float64]:
        """Tell how probable it is that each row, read as `values`, buys anything; 1 where that is not asked."""
        if self.purchase_ is None:
            return np.ones(len(values))
        if self.purchase_.columns_ != self.columns_:
            values = read_columns(self.purchase_, X, warn=warn)
        return 1 - self.purchase_.predict_read(values)

    @property
    def _asks_anchor(self) -> bool:
        return self.anchor is not None and self.law != "tweedie"

    def _if_buying(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        assert self.anchor is not None  # noqa: S101 - the callers have looked
        return values[:, self.columns_.first(self.anchor)]

    def _find_power(self, values: NDArray[np.float64], target: NDArray[np.float64]) -> float:
        """Find how spend rises with the anchor, in logarithms, and take a part of it."""
        told = self._if_buying(values)
        known = told > 0
        opinion, spend = np.log(told[known]), np.log(target[known])
        if not len(opinion) or opinion.max() - opinion.min() < _ALIKE:
            return 0.0
        slope = float(np.polyfit(opinion, spend, 1)[0])
        return _SHARE * min(max(slope, 0.0), _STEEPEST)

    def _anchor_factor(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Tell by what factor the spend of each row goes on with the anchor; 1 where there is no opinion."""
        if not self.power_:
            return np.ones(len(values))
        told = self._if_buying(values) / self.unit_
        return np.where(told > 0, told, 1.0) ** self.power_

    def _find_giant(self, standing: NDArray[np.float64], spent: NDArray[np.float64]) -> float:
        """Find the anchor above which a client is no example for others; infinite if none would be left."""
        told = self._if_buying(standing)
        told = told[told > 0]
        if not len(told):
            return np.inf
        giant = float(told.sum()) * max(_GIANT_SHARE, _GIANT_MEANS / len(told))
        return giant if (self._if_buying(spent) <= giant).any() else np.inf

    def _giants(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell of which rows the anchor alone speaks."""
        return self._if_buying(values) > self.giant_ if self._asks_anchor else np.zeros(len(values), dtype=bool)

    def _find_level(
        self,
        X: pd.DataFrame,
        values: NDArray[np.float64],
        spend: NDArray[np.float64],
        now: pd.DataFrame,
        standing: NDArray[np.float64],
        *,
        warn: bool,
    ) -> None:
        """Find what brings the sum of the predictions to that of the anchor, which is moved by its lasting error."""
        own = self._expect(standing, self._buys(now, standing, warn=warn))
        told = self._opinion(now, standing)
        known = (told > 0) & ~self._giants(standing)
        if not (own[known].sum() > 0 and known.any()):
            return
        said = self._opinion(X, values)
        said[self._giants(values)] = np.nan
        self.drift_ = float(np.exp(self._error_to_come(X, spend, said, cutoffs_of(now))))
        self.level_ = self.drift_ * float(told[known].sum() / own[known].sum())

    def _error_to_come(
        self,
        X: pd.DataFrame,
        spend: NDArray[np.float64],
        told: NDArray[np.float64],
        now: pd.DatetimeIndex | None,
    ) -> float:
        """Estimate how far, in logarithms, the anchor's sum will fall short of the true one.

        Of the mean over the cutoffs learned from, the share is taken that as many years can tell to last, since cutoffs
        within one year share its seasons; or more, if whole years agree on it.
        """
        cutoffs = cutoffs_of(X)
        if cutoffs is None or now is None:
            return 0.0
        known = told > 0
        sums = pd.DataFrame({"spend": spend[known], "told": told[known]}).groupby(cutoffs[known]).sum()
        sums = sums[sums["spend"] > 0]
        if sums.empty:
            return 0.0
        years = (sums.index[-1] - sums.index[0] + (embargo_of(X, self.embargo) or pd.Timedelta(0))) / YEAR
        errors = np.log(sums["spend"]) - np.log(sums["told"])
        return error_to_come(errors, now=now.max(), at_least=lasting_share(years))

    def _opinion(self, X: pd.DataFrame, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Expect the spend of each row as the anchor does; NaN where it has no opinion."""
        if_buying = self._if_buying(values)
        silent = None if self.purchase_ is None else self.purchase_.anchor
        buys = self._buys(X, values, warn=False) if silent is None else 1 - X[silent].to_numpy(dtype=float)
        return buys * if_buying

    def _grow(self, values: NDArray[np.float64], target: NDArray[np.float64]) -> lgb.Booster:
        """Grow trees whose sum is the logarithm of what is expected, up to a constant."""
        if self.law != "lognormal":
            return self._train(values, target, self.n_estimators, **_OBJECTIVES[self.law])
        trees = self._train(values, np.log(target), self.n_estimators, objective="regression")
        more = round(_MEAN_TREES_PER_LOG_TREE * self.n_estimators)
        if not more:
            return trees
        # What all are off by alike is left to the scale, and the trees find who differs.
        alike = float(np.exp(self._sums(trees, values)).sum() / target.sum())
        return self._train(values, alike * target, more, upon=trees, objective="poisson")

    def _grow_whole(
        self, values: NDArray[np.float64], target: NDArray[np.float64], buys: NDArray[np.float64]
    ) -> lgb.Booster:
        """Grow trees on buyers and others whose sum is the logarithm of spend over the probability to buy."""
        chance = np.maximum(buys, _LEAST_CHANCE)
        start = np.log(chance * (target.sum() / chance.sum()))
        rounds = max(1, round(_WHOLE_TREES * self.n_estimators))
        settings = {
            **_WHOLE_OBJECTIVE,
            "num_leaves": _WHOLE_LEAVES * self.num_leaves,
            **row_settings(round(_WHOLE_LEAF_SIZE * self.min_child_samples), len(target)),
        }
        return self._train(values, target, rounds, start=start, **settings)

    def _train(
        self,
        values: NDArray[np.float64],
        target: NDArray[np.float64],
        rounds: int,
        upon: lgb.Booster | None = None,
        start: NDArray[np.float64] | None = None,
        **settings: Any,
    ) -> lgb.Booster:
        parameters = {
            **TREE_PARAMETERS,
            "num_leaves": self.num_leaves,
            "learning_rate": self.learning_rate,
            **row_settings(self.min_child_samples, len(target)),
            "seed": self.random_state,
            "num_threads": threads(self.n_jobs, len(values)),
            **settings,
        }
        return lgb.train(parameters, lgb.Dataset(values, target, init_score=start), rounds, init_model=upon)

    def _conditional(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Say what the trees expect of those they were grown on, before scaling."""
        assert self.booster_ is not None  # noqa: S101 - the callers have looked
        return self.unit_ * self._anchor_factor(values) * np.exp(self._sums(self.booster_, values))

    def _mix(
        self, of_buyers: NDArray[np.float64], values: NDArray[np.float64], buys: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Mix what the trees of buyers say with those of all clients, whose word is over the probability to buy."""
        if self.whole_ is None:
            return of_buyers
        # Upon the least chance the trees tell what is spent over it; where nobody buys, the product is nothing.
        begun = np.maximum(buys, _LEAST_CHANCE) / np.where(buys > 0, buys, 1.0)
        whole = self.unit_ * begun * np.exp(self._sums(self.whole_, values))
        mixed: NDArray[np.float64] = self.whole_scale_ * of_buyers ** (1 - _WHOLE_WEIGHT) * whole**_WHOLE_WEIGHT
        return mixed

    def _sums(self, trees: lgb.Booster, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(trees.predict(values, raw_score=True, num_threads=threads(self.n_jobs, len(values))))

    def save(self, folder: Path, *, name: str = "value", beside: ChurnModel | None = None) -> None:
        """Write the trees (``value.txt``, ``value_whole.txt``) and ``value.json`` (all else) into `folder`.

        No pickle is written, and nothing of a client. Another `name` stands in the place of ``value``.

        The model of who spends nothing goes into ``purchase.txt`` and ``purchase.json``, unless it is the one that is
        kept `beside` this one.
        """
        check_is_fitted(self)
        own = self.purchase_ is not None and self.purchase_ is not beside
        kept = {
            "parameters": self.get_params() | {"embargo": written_duration(self.embargo)},
            **written_columns(self),
            "scale": self.scale_,
            "unit": self.unit_,
            "power": self.power_,
            "giant": None if np.isinf(self.giant_) else self.giant_,
            "drift": self.drift_,
            "level": self.level_,
            "whole_scale": self.whole_scale_,
            "purchase": None if self.purchase_ is None else "own" if own else "beside",
        }
        write_json(kept, folder / f"{name}.json")
        for file, booster in ((name, self.booster_), (f"{name}_whole", self.whole_)):
            trees = "" if booster is None else model_text(booster)
            (folder / f"{file}.txt").write_text(trees, encoding="utf-8")
        if self.purchase_ is not None and own:
            self.purchase_.save(folder, name="purchase")

    @classmethod
    def load(cls, folder: Path, *, name: str = "value", beside: ChurnModel | None = None) -> Self:
        """Read what `save` wrote; `name` and `beside` are what was given to it by those names."""
        kept = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        model = cls(**kept["parameters"])
        texts = [(folder / file).read_text(encoding="utf-8") for file in (f"{name}.txt", f"{name}_whole.txt")]
        model.booster_, model.whole_ = (lgb.Booster(model_str=trees) if trees else None for trees in texts)
        restore_columns(model, kept)
        model.scale_, model.unit_, model.level_ = kept["scale"], kept["unit"], kept["level"]
        model.power_, model.drift_ = kept["power"], kept["drift"]
        model.whole_scale_ = kept["whole_scale"]
        model.giant_ = np.inf if kept["giant"] is None else kept["giant"]
        model.purchase_ = None
        if kept["purchase"] == "own":
            model.purchase_ = ChurnModel.load(folder, name="purchase")
        elif kept["purchase"] == "beside":
            assert beside is not None  # noqa: S101 - the bundle keeps it
            model.purchase_ = beside
        return model

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        # Net spend cannot be predicted below zero: on a target that is, R² is poor by design.
        tags.regressor_tags.poor_score = True
        return tags
