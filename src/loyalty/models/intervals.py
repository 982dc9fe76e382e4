"""Intervals: between which two amounts a client's net spend within the horizon will lie, and how often that is kept."""

import json
from functools import partial
from pathlib import Path
from typing import Any, Self

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, column_or_1d

from loyalty.models._spend_law import LEVELS, SpendLaw, apart
from loyalty.models.categories import freeze_columns, read_columns, restore_columns, written_columns
from loyalty.models.holding_out import HeldOut, hold_out, one_for_each
from loyalty.models.trees import (
    TREE_PARAMETERS,
    model_text,
    row_settings,
    side_by_side,
    threads,
    write_json,
    written_duration,
)
from loyalty.models.value import FORECAST
from loyalty.timeline import Duration

Floats = NDArray[np.float64]
Rows = NDArray[np.int_]

#: Fewer refunds than this have no quantiles that would not be the refunds of single clients.
_FEWEST_REFUNDS = 20
#: Groups of similar clients at the most, and held-out rows in each of them at the least.
_GROUPS, _FEWEST_IN_GROUP = 10, 200
#: The text between two models in one file; LightGBM never writes it.
_BETWEEN = "\f\n"
#: What the levels of categories are called in the file, where `levels` are the rates of misses.
_CATEGORIES = "category_levels"


class SpendIntervals(BaseEstimator):
    """An interval of each client's net spend within the horizon, and how often it holds.

    A conformalised quantile regression [1]_ for spend, which is mostly zero. One set of trees gives the probability of
    buying nothing, five more the quantiles of what a buyer spends. Together they are a law of the spend, and each law
    has a family of nested intervals, from a single amount to the whole line, one for each rate of misses `a`:

    - it begins at the quantile `a` / 2, which is 0 where nothing is bought with at least that probability, and below 0
      only where `a` / 2 is less than the share of refunds;
    - where it begins at 0, what is not missed below may be missed above, but no more than the probability of buying
      nothing, since otherwise the intervals would not be nested;
    - so a client who neither buys nor returns anything with a probability of at least 1 - `a` has [0, 0].

    Which `a` keeps the coverage is learned from rows that the trees have not seen: of their scores, the largest `a`
    whose interval still holds the true spend [2]_, the ``floor((1 - coverage) (n + 1))``-th smallest is taken, within
    tenths of the law's mean, so that the coverage is right in each of them [3]_.

    Trees carry on the level of the cutoffs they have seen. A `forecast` that knows better, such as that of
    `ValueModel`, moves the law before all this: the probability of buying is then the forecast's, and all that a client
    may spend is multiplied by one number that makes the law's mean the expected value.

    Columns may hold categories, which are read as `ChurnModel` reads them: levels are frozen at the fit, and one that
    was not there then, or that fewer than ten clients had, is none of the known ones, with a warning.

    Parameters
    ----------
    coverage : float, default=0.9
        Share of clients whose spend shall lie within their interval, strictly between 0 and 1.
    num_leaves : int, default=7
        Leaves per tree.
    n_estimators : int, default=80
        Trees in each of the six sets.
    learning_rate : float, default=0.1
        Shrinkage of each tree.
    min_child_samples : int, default=100
        Fewest rows in a leaf, but never more than a twentieth of all rows.
    embargo : str or timedelta, optional
        Time a cutoff's outcome takes to be decided, gap and horizon together; see `ChurnModel`.
    random_state : int, default=0
        Seed handed to LightGBM, and of the folds where there are any.
    n_jobs : int, optional
        Threads; by default one up to a million rows, else all cores. The result does not depend on it.

    Attributes
    ----------
    boosters_ : tuple of lightgbm.Booster
        The trees: the log-odds of buying nothing, then the quantiles of a buyer's spend, as log(1 + spend / `unit_`).
    unit_ : float
        Mean spend of the buyers, which money is measured in.
    refund_share_ : float
        Share of rows with a negative spend; 0 if they are too few to tell their size.
    refund_sizes_ : ndarray
        Quantiles of the refunds, on the scale of the trees.
    takes_forecast_ : bool
        Whether a forecast was given to move the laws.
    edges_ : ndarray
        Where one group of means ends and the next begins, in units.
    levels_ : ndarray
        The rate of misses `a` of each group.
    held_out_ : {"cutoffs", "clients", "rows"}
        What the levels were learned from; see Notes.
    held_out_coverage_ : dict of Timestamp to float
        Coverage at each held-out cutoff with these levels; empty for rows without a cutoff.
    columns_ : Columns
        The columns, and the frozen levels of those that hold categories.
    feature_names_in_ : ndarray of str
        The columns, in order.

    See Also
    --------
    coverage_table : Whether the promise is kept, by segment.
    loyalty.models.portfolio.portfolio_interval : The interval of a total; the intervals of clients do not add up to it.

    Notes
    -----
    The rows that set the levels are, in this order,

    ``cutoffs``
        the last three cutoffs, each seen by trees grown only on cutoffs decided by then;
    ``clients``
        where no cutoff was decided by another, or there is only one: the clients of the latest cutoff, in three folds,
        seen by trees grown on other clients at the first half of the cutoffs before it. Their outcomes overlap in
        time, so a drift shorter than the horizon is all they tell: what widens an interval is widened further by the
        root of horizon over the time between, as errors of a random walk grow;
    ``rows``
        without cutoffs: three folds of all rows. Through time nothing is then promised.

    Exact coverage needs rows that can be exchanged. Cutoffs cannot: what was off at the last few is partly of their
    season. Of what held-out cutoffs tell, `a` is therefore moved, on the scale of its logarithm, only by the share
    n / (n + 4) that `n` cutoffs can tell of a lasting error; by folds of rows, all of it. At a single cutoff the
    coverage still moves with the season: `held_out_coverage_` tells by how much, and
    ``experiments/interval_coverage.md`` what that comes to on public data.

    Where more than `coverage` of a group buy nothing, coverage is their share and cannot be less.

    With fewer than 1 / (1 - coverage) - 1 held-out rows no bounded interval has the coverage: it is infinite.

    References
    ----------
    .. [1] Romano, Patterson and Candès (2019), "Conformalized Quantile Regression", NeurIPS 32.
    .. [2] Gupta, Kuchibhotla and Ramdas (2022), "Nested Conformal Prediction and Quantile Out-of-bag Ensemble
       Methods", Pattern Recognition 127.
    .. [3] Vovk, Gammerman and Shafer (2005), "Algorithmic Learning in a Random World", Springer, section 4.5 (Mondrian
       conformal predictors).

    Examples
    --------
    Who has been silent for long buys nothing, and is promised just that:

    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"days_since_last": rng.integers(1, 200, 2000).astype(float)})
    >>> spend = np.where(X.days_since_last < 100, rng.gamma(2.0, 50.0, 2000), 0.0)
    >>> model = SpendIntervals(n_estimators=60).fit(X, spend)
    >>> (recent, silent) = model.predict(pd.DataFrame({"days_since_last": [20.0, 180.0]}))
    >>> silent.tolist(), bool(0 < recent[0] < 30 < 200 < recent[1])
    ([0.0, 0.0], True)
    """

    def __init__(
        self,
        *,
        coverage: float = 0.9,
        num_leaves: int = 7,
        n_estimators: int = 80,
        learning_rate: float = 0.1,
        min_child_samples: int = 100,
        embargo: Duration | None = None,
        random_state: int = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.coverage = coverage
        self.num_leaves = num_leaves
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.min_child_samples = min_child_samples
        self.embargo = embargo
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: pd.DataFrame, y: ArrayLike, *, forecast: pd.DataFrame | None = None) -> Self:
        """Grow the trees and learn which intervals keep the coverage.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, n_features)
            A panel, indexed by client and `cutoff`; or a plain frame or array of one row per client.
        y : array-like of shape (n_rows,)
            Net spend within the horizon.
        forecast : DataFrame of shape (n_rows, 2), optional
            `purchase_probability` and `expected_value` of each row by a model that has not seen it, to move the laws:
            see `loyalty.models.holding_out.held_out_forecast`. Only held-out rows are looked at; where a number is
            NaN, the trees stand. If given, `predict` asks for one too.

        Raises
        ------
        ValueError
            If `coverage` is not strictly between 0 and 1, `forecast` is not such a table, or a category is refused as
            `ChurnModel` refuses it.

        Warns
        -----
        UserWarning
            If there are several cutoffs and nothing says how long an outcome takes to be decided.
        """
        if not 0 < self.coverage < 1:
            raise ValueError(f"`coverage` must lie strictly between 0 and 1, as 0.9; got {self.coverage!r}.")
        values, spend = freeze_columns(self, X, y, y_numeric=True)
        held_out = hold_out(X, embargo=self.embargo, random_state=self.random_state)
        spend = np.asarray(spend, dtype=float)
        buyers = spend[spend > 0]
        self.unit_ = float(buyers.mean()) if len(buyers) else 1.0
        refunds = spend[spend < 0]
        enough = len(refunds) >= _FEWEST_REFUNDS
        self.refund_share_ = len(refunds) / len(spend) if enough else 0.0
        self.refund_sizes_ = apart(np.quantile(self._log(-refunds), LEVELS) if enough else np.zeros(len(LEVELS)))
        self.takes_forecast_ = forecast is not None
        told = None if forecast is None else _columns_of(forecast, X, len(spend))
        learned_from = [np.arange(len(spend)), *(seen for seen, _ in held_out.pairs)]
        grown = side_by_side([partial(self._grow, values[rows], spend[rows]) for rows in learned_from], rows=len(spend))
        self.boosters_ = grown[0]
        laws = [
            self._law(boosters, values[held], None if told is None else told[held])
            for boosters, (_, held) in zip(grown[1:], held_out.pairs, strict=True)
        ]
        rows = np.concatenate([held for _, held in held_out.pairs]) if laws else np.empty(0, dtype=np.int_)
        self._learn_levels(held_out, rows, spend[rows], laws)
        return self

    def predict(self, X: pd.DataFrame, *, forecast: pd.DataFrame | None = None) -> Floats:
        """Return the lower and upper end of each row's interval, both of them within it, shape (n_rows, 2).

        Parameters
        ----------
        X : DataFrame of shape (n_rows, n_features)
            The columns of the fit.
        forecast : DataFrame of shape (n_rows, 2), optional
            `purchase_probability` and `expected_value` of each row, as from `ValueModel.forecast`, if the fit was given
            a forecast.

        Raises
        ------
        ValueError
            If the columns are not those of the fit, in their order and of their kind, or a forecast is given to one of
            `fit` and `predict` only.

        Warns
        -----
        UserWarning
            If a category has a level that was not known at the fit.
        """
        check_is_fitted(self)
        values = read_columns(self, X)
        if (forecast is not None) != self.takes_forecast_:
            raise ValueError(
                "`forecast` must be given to both `fit` and `predict` or to neither; this model was fitted "
                f"{'with' if self.takes_forecast_ else 'without'} one."
            )
        law = self._law(self.boosters_, values, None if forecast is None else _columns_of(forecast, X, len(values)))
        return self.unit_ * law.interval(self.levels_[np.searchsorted(self.edges_, law.mean())])

    def predict_quantiles(self, X: pd.DataFrame, levels: ArrayLike) -> Floats:
        """Return quantiles of the spend of each row, as the trees tell them, shape (n_rows, n_levels).

        The median of a client who buys with less than an even chance is 0. Nothing here is widened for a coverage: for
        that there is `predict`.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, n_features)
            The columns of the fit.
        levels : array-like of shape (n_levels,)
            Each strictly between 0 and 1. Between and beyond those that trees were grown for (0.05, 0.25, 0.5, 0.75
            and 0.95 of a buyer's spend) the law is log-normal.

        Raises
        ------
        ValueError
            If the columns are not those of the fit, in their order and of their kind, or a level is 0, 1 or beyond.

        Warns
        -----
        UserWarning
            If a category has a level that was not known at the fit.
        """
        check_is_fitted(self)
        values = read_columns(self, X)
        level = np.atleast_1d(np.asarray(levels, dtype=float))
        if not ((level > 0) & (level < 1)).all():
            raise ValueError(f"`levels` must lie strictly between 0 and 1, as [0.5, 0.9]; got {levels!r}.")
        return self.unit_ * self._law(self.boosters_, values).quantiles(level)

    def notes(self) -> list[str]:
        """Say what is worth knowing of how far the coverage can be relied on."""
        check_is_fitted(self)
        said = {
            "cutoffs": [],
            "clients": [
                "No training cutoff was decided by another, so none could be held out in time: the intervals of spend "
                "are set by clients held out at the latest one, and a change within the horizon may lower coverage."
            ],
            "rows": ["The rows have no cutoff: the coverage of the intervals of spend is not checked through time."],
        }[self.held_out_]
        if (self.levels_ == 0).any():
            said = [*said, "Too few rows could be held out for a bounded interval of spend with this coverage."]
        return said

    def save(self, folder: Path) -> None:
        """Write ``intervals.txt`` (the trees) and ``intervals.json`` (all else) into `folder`; no pickle, no client."""
        check_is_fitted(self)
        kept = {
            "parameters": self.get_params() | {"embargo": written_duration(self.embargo)},
            **written_columns(self, key=_CATEGORIES),
            "unit": self.unit_,
            "refund_share": self.refund_share_,
            "refund_sizes": self.refund_sizes_.tolist(),
            "takes_forecast": self.takes_forecast_,
            "edges": self.edges_.tolist(),
            "levels": self.levels_.tolist(),
            "held_out": self.held_out_,
            "held_out_coverage": {f"{cutoff}": share for cutoff, share in self.held_out_coverage_.items()},
        }
        write_json(kept, folder / "intervals.json")
        (folder / "intervals.txt").write_text(_BETWEEN.join(map(model_text, self.boosters_)), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        kept = json.loads((folder / "intervals.json").read_text(encoding="utf-8"))
        model = cls(**kept["parameters"])
        texts = (folder / "intervals.txt").read_text(encoding="utf-8").split(_BETWEEN)
        model.boosters_ = tuple(lgb.Booster(model_str=text) for text in texts)
        restore_columns(model, kept, key=_CATEGORIES)
        model.unit_, model.refund_share_ = kept["unit"], kept["refund_share"]
        model.refund_sizes_ = np.array(kept["refund_sizes"], dtype=float)
        model.takes_forecast_ = kept["takes_forecast"]
        model.edges_, model.levels_ = np.array(kept["edges"], dtype=float), np.array(kept["levels"], dtype=float)
        model.held_out_ = kept["held_out"]
        model.held_out_coverage_ = {pd.Timestamp(at): share for at, share in kept["held_out_coverage"].items()}
        return model

    def _log(self, amount: Floats) -> Floats:
        return np.log1p(amount / self.unit_)

    def _grow(self, values: Floats, spend: Floats) -> tuple[lgb.Booster, ...]:
        parameters = {
            **TREE_PARAMETERS,
            "num_leaves": self.num_leaves,
            "learning_rate": self.learning_rate,
            "seed": self.random_state,
            "num_threads": threads(self.n_jobs, len(values)),
        }
        bought = spend > 0
        nothing = {
            **parameters,
            "objective": "binary",
            **row_settings(self.min_child_samples, len(spend)),
        }
        # Where nobody buys there is no law of what buyers spend, nor is it asked for; trees of all rows stand in.
        rows = np.flatnonzero(bought) if bought.any() else np.arange(len(spend))
        size = self._log(np.clip(spend[rows], 0.0, None))
        buying = {
            **parameters,
            "objective": "quantile",
            **row_settings(self.min_child_samples, len(rows)),
        }
        return (
            lgb.train(nothing, lgb.Dataset(values, (~bought).astype(int)), self.n_estimators),
            *(
                lgb.train({**buying, "alpha": float(level)}, lgb.Dataset(values[rows], size), self.n_estimators)
                for level in LEVELS
            ),
        )

    def _law(self, boosters: tuple[lgb.Booster, ...], values: Floats, forecast: Floats | None = None) -> SpendLaw:
        told = [np.asarray(b.predict(values, num_threads=threads(self.n_jobs, len(values)))) for b in boosters]
        law = SpendLaw(
            nothing=np.maximum(told[0], self.refund_share_),
            sizes=apart(np.sort(np.column_stack(told[1:]), axis=1)),
            refund_share=self.refund_share_,
            refund_sizes=self.refund_sizes_,
        )
        return law if forecast is None else law.moved(forecast[:, 0], forecast[:, 1] / self.unit_)

    def _learn_levels(self, held_out: HeldOut, rows: Rows, spend: Floats, laws: list[SpendLaw]) -> None:
        """Find the rate of misses of each group of means."""
        scores = _joined(
            [law.score(part) for law, part in zip(laws, _split_like(spend / self.unit_, laws), strict=True)]
        )
        by = _joined([law.mean() for law in laws])
        self.edges_ = _edges(by)
        group = np.searchsorted(self.edges_, by)
        misses = 1 - self.coverage
        found = [conformal_level(scores[group == g], self.coverage) for g in range(len(self.edges_) + 1)]
        self.levels_ = np.array([held_out.trusted(level, misses) for level in found])
        self.held_out_ = held_out.through
        cutoffs = held_out.cutoffs
        kept = scores >= self.levels_[group]
        self.held_out_coverage_ = (
            {} if cutoffs is None else {at: float(kept[cutoffs[rows] == at].mean()) for at in cutoffs[rows].unique()}
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.target_tags.required = True
        return tags


def _edges(means: Floats) -> Floats:
    """Part rows by their means into groups of about the same size; where many have the same mean, into fewer."""
    groups = int(np.clip(len(means) // _FEWEST_IN_GROUP, 1, _GROUPS))
    kept, begun = [], 0
    for edge in np.quantile(means, np.linspace(0, 1, groups + 1)[1:-1]) if groups > 1 else ():
        below = int(np.count_nonzero(means <= edge))
        if min(below - begun, len(means) - below) >= _FEWEST_IN_GROUP // 2:
            kept.append(edge)
            begun = below
    return np.array(kept, dtype=float)


def _columns_of(forecast: pd.DataFrame, X: pd.DataFrame, rows: int) -> Floats:
    """Read the two columns of a forecast for the rows of a table."""
    if not (isinstance(forecast, pd.DataFrame) and set(FORECAST) <= set(forecast)):
        raise ValueError(
            f"`forecast` must be a DataFrame with {' and '.join(f'`{name}`' for name in FORECAST)}, as from "
            "`ValueModel.forecast`."
        )
    if isinstance(X, pd.DataFrame) and len(forecast) == rows and not forecast.index.equals(X.index):
        raise ValueError("`forecast` must have the rows of `X` in their order, with the same index.")
    return np.column_stack([one_for_each(forecast[name], rows, "forecast") for name in FORECAST])


def _joined(parts: list[Floats]) -> Floats:
    return np.concatenate(parts) if parts else np.empty(0)


def _split_like(rows: Floats, parts: list[SpendLaw]) -> list[Floats]:
    return np.split(rows, np.cumsum([len(part) for part in parts])[:-1]) if parts else []


def conformal_level(scores: Floats, coverage: float) -> float:
    """Return the rate of misses at which the next score is as high or higher with this probability at least.

    Parameters
    ----------
    scores : array of shape (n_rows,)
        Of rows that can be exchanged with the next: see `SpendLaw.score`.
    coverage : float
        Between 0 and 1.

    Returns
    -------
    float
        The ``floor((1 - coverage) (n + 1))``-th smallest score [1]_; 0, which every score reaches, if that is none.

    References
    ----------
    .. [1] Vovk, Gammerman and Shafer (2005), "Algorithmic Learning in a Random World", Springer.

    Examples
    --------
    The smallest of nine is reached by the tenth in nine of ten cases; of eight, by the ninth in eight of nine only:

    >>> nine = np.arange(1, 10) / 10
    >>> conformal_level(nine, 0.9), conformal_level(nine[:8], 0.9)
    (0.1, 0.0)
    """
    # What decimals leave behind, as in (1 - 0.9) * 10, must not cost a rank.
    rank = int(np.floor((1 - coverage) * (len(scores) + 1) + 1e-9))
    return float(np.partition(scores, rank - 1)[rank - 1]) if rank else 0.0


def coverage_table(
    value: ArrayLike, lower: ArrayLike, upper: ArrayLike, *, by: ArrayLike | None = None, bins: int | None = None
) -> pd.DataFrame:
    """Count how often what happened lay within its interval, group by group.

    Parameters
    ----------
    value, lower, upper : array-like of shape (n_clients,)
        What each client spent, and its interval, both ends included.
    by : array-like of shape (n_clients,), optional
        The group of each client, or, with `bins`, a number such as the predicted value. One group by default.
    bins : int, optional
        How many groups of equal size to make of `by`, the lowest first, ties in row order.

    Returns
    -------
    DataFrame
        One row per group: ``clients``; ``coverage``, the share within; ``below`` and ``above``, the shares that missed
        on either side; ``width``, the mean; ``points``, the share of intervals that are a single amount.

    Raises
    ------
    ValueError
        If the arrays differ in length or hold NaN, an interval ends before it begins, or `bins` is below 1 or without
        `by`.

    Examples
    --------
    The end belongs to the interval; one cent more does not:

    >>> coverage_table([0, 10, 10.01], [0, 0, 0], [0, 10, 10], by=["silent", "active", "active"])
            clients  coverage  below  above  width  points
    active        2       0.5    0.0    0.5   10.0     0.0
    silent        1       1.0    0.0    0.0    0.0     1.0
    """
    spent = np.asarray(column_or_1d(value), dtype=float)
    low, high = one_for_each(lower, len(spent), "lower"), one_for_each(upper, len(spent), "upper")
    if np.isnan([spent, low, high]).any() or (low > high).any():
        raise ValueError("`value`, `lower` and `upper` must be known for every client, `lower` not above `upper`.")
    if bins is not None and (bins < 1 or by is None):
        raise ValueError(f"`bins` must be 1 or more and needs `by`, the number to make groups of; got {bins!r}.")
    group = np.asarray(np.zeros(len(spent), dtype=int) if by is None else by)
    if group.shape != spent.shape:
        raise ValueError(f"`by` must have one entry a row; got {len(group):,} for {len(spent):,} rows.")
    if bins is not None:
        rank = np.empty(len(spent), dtype=int)
        rank[np.argsort(group, kind="stable")] = np.arange(len(spent))
        group = rank * bins // max(len(spent), 1)
    within = (spent >= low) & (spent <= high)
    told = {"coverage": within, "below": spent < low, "above": spent > high, "width": high - low, "points": low == high}
    table = pd.DataFrame({name: np.asarray(column, dtype=float) for name, column in told.items()}).groupby(group)
    means = table.mean()
    means.insert(0, "clients", table.size())
    return means
