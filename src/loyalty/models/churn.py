"""Churn: the calibrated probability that a client leaves within the horizon."""

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Self

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import StratifiedKFold
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from loyalty.models.calibration import (
    PlattScaling,
    error_to_come,
    fit_anchored,
    fit_platt,
    level_errors,
    log_odds,
    share_to_come,
    towards,
)
from loyalty.models.categories import as_they_stand, freeze_columns, read_columns, restore_columns, written_columns
from loyalty.models.line import Line, fit_line
from loyalty.models.rehearsal import perform, rehearse
from loyalty.models.shapley import tree_interactions, tree_shares
from loyalty.models.trees import (
    TREE_PARAMETERS,
    cutoffs_of,
    embargo_of,
    held_out_in_time,
    model_text,
    row_settings,
    side_by_side,
    threads,
    write_json,
    written_duration,
)
from loyalty.timeline import Duration

_FOLDS = 5
#: Leaves, trees, learning rate and fewest rows of a leaf for panels of many cutoffs.
PANEL_DEFAULTS = {"num_leaves": 7, "n_estimators": 300, "learning_rate": 0.02, "min_child_samples": 100}


class ChurnModel(ClassifierMixin, BaseEstimator):
    """Calibrated probability that a client leaves within the horizon.

    Gradient-boosted trees on a panel of many cutoffs. Their log-odds are calibrated out of time: for the last few
    cutoffs, trees grown only on cutoffs whose outcomes were decided by then predict, and a logistic (Platt)
    calibrator is fitted on these predictions. The trees that are kept are then grown on all rows.

    A column may hold a second opinion, a probability that comes from a model of its own: the `anchor`. Calibration then
    weighs the trees and the anchor against each other, and sets the level half way between theirs for the clients as
    they stand now, which holds where the trees have not seen a season or an age of the client base yet. What the anchor
    was off in the same season of years past is expected of it again in part, and so is what it was always off by.

    Where there is none, as of contracts, the shares who left at the cutoffs before may be the second opinion, of the
    level alone (`past_shares`). It is set half way between that of the trees and what is to be expected by the last
    year of those shares, the season of years past, and how they grew (`share_to_come`); nearer to the latter the surer
    its season is, since trees know a season by the two or three cutoffs that they saw in it.

    Trees stand still beyond what they have seen, and a client base that grows older goes beyond it: a panel of half a
    year knows nobody who has been silent for ten months. So trees may start from a line in the logarithms of the
    columns named in `extrapolate`, which goes on where they do not.

    A plain frame of one row per client has no cutoffs, and is calibrated by five-fold cross-validation. Such frames
    differ far more in what they can teach than panels do, so there the held-out folds also say how far to grow: first
    trees of a single split each, the effects of single columns, then larger trees as long as they help. See
    `loyalty.models.rehearsal`.

    Columns may hold categories (of type category, str, or object holding text; booleans are the numbers 0 and 1). Their
    levels are frozen at the fit, by name. A level that was not there then, or that fewer than ten clients had, is read
    as none of the known ones, with one warning that names column and level: a script that scores every night must not
    stop because of a new tariff, nor take it for an old one. A column of another kind than at the fit is an error.

    Parameters
    ----------
    num_leaves : int, optional
        Leaves per tree.
    n_estimators : int, optional
        Number of trees.
    learning_rate : float, optional
        Shrinkage of each tree.
    min_child_samples : int, optional
        Fewest rows in a leaf, but never more than a twentieth of all rows. By default these four are 7, 300, 0.02 and
        100; but if none of them is given and `X` has no cutoffs, the folds choose, as said above.
    monotone : mapping of str to {-1, 1}, optional
        Columns with which the churn probability may only rise (1) or only fall (-1), all else equal. Not for
        categories.
    anchor : str, optional
        The column that holds a second opinion, such as `silence_probability`. Only for panels.
    past_shares : bool, default=False
        Whether the shares who left at past cutoffs are a second opinion of the level. Only for panels, and not beside
        an anchor.
    extrapolate : sequence of str, optional
        The columns of numbers whose effect goes on beyond what the panel has seen, such as `days_since_last`,
        `frequency` and `T`. Only for panels.
    embargo : str or timedelta, optional
        Time a cutoff's outcome takes to be decided, gap and horizon together: trees that calibrate at a cutoff
        see only cutoffs at least this much earlier. By default what `build_panel` noted in ``X.attrs``;
        without that note, with a warning, none.
    random_state : int, default=0
        Seed handed to LightGBM.
    n_jobs : int, optional
        Threads; by default one up to a million rows, else all cores. The result does not depend on it.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The two outcomes, the last one being churn; ``[0, 1]`` from `build_labels`.
    booster_ : lightgbm.Booster
        The trees.
    line_ : Line
        Where the trees start from.
    calibration_ : PlattScaling
        Slope and level of the calibrator, and the weight of the anchor.
    anchor_mean_ : float
        Mean log-odds of the anchor over the rows learned from; 0 without one.
    calibration_cutoffs_ : tuple of Timestamp
        The cutoffs it was fitted on. Empty for a frame without cutoffs, which is calibrated by cross-validation,
        and where no cutoff lies `embargo` after another, where the log-odds stand as they are.
    typical_ : ndarray of shape (n_features,)
        Median of each number, and commonest level of each category, over the rows learned from.
    columns_ : Columns
        The columns, and the frozen levels of those that hold categories.
    feature_names_in_ : ndarray of str
        The columns, in order.

    See Also
    --------
    loyalty.build_panel : The rows it learns from.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> index = pd.MultiIndex.from_product(
    ...     [range(200), pd.to_datetime(["2024-01-01", "2024-04-01"])], names=["client_id", "cutoff"]
    ... )
    >>> X = pd.DataFrame({"days_since_last": rng.integers(1, 200, len(index))}, index=index)
    >>> y = (X.days_since_last > 100).astype(int)
    >>> model = ChurnModel(embargo="90d").fit(X, y)
    >>> model.calibration_cutoffs_
    (Timestamp('2024-04-01 00:00:00'),)
    >>> early, late = model.predict_proba(X.iloc[[0, 1]].assign(days_since_last=[5, 195]))[:, 1]
    >>> bool(early < 0.1 < 0.9 < late)
    True
    """

    def __init__(
        self,
        *,
        num_leaves: int | None = None,
        n_estimators: int | None = None,
        learning_rate: float | None = None,
        min_child_samples: int | None = None,
        monotone: Mapping[str, int] | None = None,
        anchor: str | None = None,
        past_shares: bool = False,
        extrapolate: Sequence[str] | None = None,
        embargo: Duration | None = None,
        random_state: int = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.num_leaves = num_leaves
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.min_child_samples = min_child_samples
        self.monotone = monotone
        self.anchor = anchor
        self.past_shares = past_shares
        self.extrapolate = extrapolate
        self.embargo = embargo
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: pd.DataFrame, y: ArrayLike, *, latest: pd.DataFrame | None = None) -> Self:
        """Grow the trees and calibrate them.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, n_features)
            A panel, indexed by client and `cutoff`; or a plain frame or array of one row per client.
        y : array-like of shape (n_rows,)
            Who churned.
        latest : DataFrame of shape (n_latest, n_features), optional
            The clients as they stand now, whose outcomes are not known yet: beside an anchor or past shares, the level
            is set on them. By default the rows of the latest cutoff.

        Raises
        ------
        ValueError
            If there are not exactly two outcomes; if `anchor` or `extrapolate` names no column of numbers of a panel,
            or `monotone` none of a table; if `past_shares` are asked of no panel, or beside an anchor; if `anchor`
            holds anything but probabilities; if `latest` is not a panel as `X` is; if a category has more than 255
            levels, or none that ten clients have.

        Warns
        -----
        UserWarning
            If there are several cutoffs and nothing says how long an outcome takes to be decided.
        """
        cutoffs = cutoffs_of(X)
        values, target = freeze_columns(self, X, y)
        check_classification_targets(target)
        self.classes_, codes = np.unique(target, return_inverse=True)
        if len(self.classes_) != 2:
            raise ValueError(
                f"Only binary classification is supported: `y` must hold exactly two outcomes; "
                f"got {len(self.classes_)} class{'' if len(self.classes_) == 1 else 'es'}."
            )
        self._check_panel_columns(cutoffs)
        self._check_monotone()
        self._check_anchor(values)
        folds = self._folds(cutoffs, codes, embargo_of(X, self.embargo))
        held_out_rows = [held_out for _, held_out in folds]
        if cutoffs is None and folds and all(getattr(self, name) is None for name in PANEL_DEFAULTS):
            stages, margins = rehearse(values, codes, folds, self._shared(len(values)))
            self.booster_, self.line_ = perform(values, codes, stages, self._shared(len(values))), Line()
        else:
            learned_from = [np.arange(len(codes)), *(seen for seen, _ in folds)]
            work = [partial(self._grow, values[rows], codes[rows]) for rows in learned_from]
            (self.booster_, self.line_), *grown = side_by_side(work, rows=len(codes))
            margins = [self._margin(*trees, values[rows]) for trees, rows in zip(grown, held_out_rows, strict=True)]
        rows = np.concatenate([*held_out_rows, np.empty(0, np.int64)])
        group = np.repeat(np.arange(len(folds)), [len(held_out) for held_out in held_out_rows])
        margin = np.concatenate([*margins, np.empty(0)])
        self.calibration_, self.anchor_mean_ = PlattScaling(), 0.0
        if self.anchor is not None and cutoffs is not None:
            told = self._anchor(values, self._margin(self.booster_, self.line_, values))
            self.anchor_mean_ = float(told.mean())
            when, now, own = self._as_they_stand(X, values, latest)
            self.calibration_ = fit_anchored(
                margin,
                self._anchor(values[rows], margin),
                codes[rows],
                group,
                latest=(own, self._anchor(now, own)),
                error=error_to_come(level_errors(told, codes, cutoffs), now=when),
            )
        elif folds:
            self.calibration_ = fit_platt(margin, codes[rows], group, through_time=cutoffs is not None)
        if self.past_shares and cutoffs is not None:
            when, _, own = self._as_they_stand(X, values, latest)
            share, sure = share_to_come(codes, cutoffs, now=when)
            self.calibration_ = towards(self.calibration_, own, share, sure=sure)
        self.calibration_cutoffs_ = () if cutoffs is None else tuple(cutoffs[held_out[0]] for held_out in held_out_rows)
        self.typical_ = self.columns_.typical(values)
        return self

    def predict_proba(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Return probabilities of shape (n_rows, 2), churn in the last column.

        Raises
        ------
        ValueError
            If the columns are not those of the fit, in their order and of their kind.

        Warns
        -----
        UserWarning
            If a category has a level that was not known at the fit.
        """
        check_is_fitted(self)
        churn = self.predict_read(read_columns(self, X))
        return np.column_stack([1 - churn, churn])

    def predict_read(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the churn probability of rows that `read_columns` has written for the trees, shape (n_rows,)."""
        margin = self._margin(self.booster_, self.line_, values)
        return self.calibration_(margin, self._anchor(values, margin))

    def predict(self, X: pd.DataFrame) -> NDArray[Any]:
        """Return the likelier outcome of each row."""
        likelier = (self.predict_proba(X)[:, 1] > 0.5).astype(int)
        return self.classes_[likelier]

    def predict_margin(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Return the log-odds of line and trees, before calibration."""
        check_is_fitted(self)
        return self._margin(self.booster_, self.line_, read_columns(self, X))

    def contributions(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Divide the calibrated log-odds of each row among the features.

        Returns
        -------
        ndarray of shape (n_rows, n_features + 1)
            Exact TreeSHAP values, the base value in the last column; each row adds up to its log-odds. What the anchor
            adds beyond its mean is that column's; where it is missing, line and trees speak for it. What the line has
            of a column beyond its mean is that column's too.
        """
        check_is_fitted(self)
        values = read_columns(self, X)
        slopes, beyond, level = self._calibrated(values)
        parts = tree_shares(self.booster_, values, n_jobs=self.n_jobs)
        parts[:, self.line_.columns] += self.line_.parts(values)
        parts[:, -1] += self.line_.level
        parts *= slopes[:, None]
        if self.anchor is not None:
            parts[:, self._anchor_column()] += beyond
        parts[:, -1] += level
        return np.column_stack([self.columns_.add_up(parts[:, :-1]), parts[:, -1]])

    def interactions(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Divide the calibrated log-odds of each row among the features and their pairs.

        Returns
        -------
        ndarray of shape (n_rows, n_features, n_features)
            Exact SHAP interaction values, as `tree_interactions` says; each row of a matrix adds up to what
            `contributions` gives that feature. What anchor and line add, they add alone.

        Raises
        ------
        ValueError
            If they take more than 1 GiB.
        """
        check_is_fitted(self)
        values = read_columns(self, X)
        slopes, beyond, _ = self._calibrated(values)
        pairs = tree_interactions(self.booster_, values)
        pairs[:, self.line_.columns, self.line_.columns] += self.line_.parts(values)
        pairs *= slopes[:, None, None]
        if self.anchor is not None:
            column = self._anchor_column()
            pairs[:, column, column] += beyond
        return self.columns_.add_up(self.columns_.add_up(pairs).swapaxes(1, 2))

    def _calibrated(
        self, values: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Tell what the calibrator makes of each row: the slope, the anchor's own part, and the level."""
        slope, weight, level = self.calibration_.slope, self.calibration_.weight, self.calibration_.level
        if self.anchor is None:
            return np.full(len(values), slope), np.zeros(len(values)), np.full(len(values), level)
        told = values[:, self._anchor_column()]
        missing = np.isnan(told)
        beyond = np.where(missing, 0.0, log_odds(told, np.zeros(len(values))) - self.anchor_mean_)
        return slope + weight * missing, weight * beyond, level + weight * self.anchor_mean_ * ~missing

    def _check_monotone(self) -> None:
        for name, direction in (self.monotone or {}).items():
            if name not in getattr(self, "feature_names_in_", ()) or name in self.columns_.levels:
                raise ValueError(f"`monotone` names {name!r}, which is not a column of numbers.")
            if direction not in (-1, 1):
                raise ValueError(f"`monotone` must be 1 or -1 for each column; got {direction!r} for {name!r}.")

    def _check_anchor(self, values: NDArray[np.float64]) -> None:
        if self.anchor is None:
            return
        told = values[:, self._anchor_column()]
        if ((told < 0) | (told > 1)).any():
            raise ValueError(
                f"`anchor` must hold probabilities of leaving, from 0 to 1; {self.anchor!r} goes from "
                f"{np.nanmin(told):g} to {np.nanmax(told):g}."
            )

    def _check_panel_columns(self, cutoffs: pd.DatetimeIndex | None) -> None:
        known = set() if cutoffs is None else set(getattr(self, "feature_names_in_", ())) - set(self.columns_.levels)
        given = {"anchor": [] if self.anchor is None else [self.anchor], "extrapolate": self.extrapolate or []}
        for parameter, names in given.items():
            for name in names:
                if name not in known:
                    raise ValueError(
                        f"`{parameter}` names {name!r}, which is not a column of numbers of a panel with cutoffs."
                    )
        if self.past_shares and cutoffs is None:
            raise ValueError("`past_shares` needs a panel with cutoffs.")
        if self.past_shares and self.anchor is not None:
            raise ValueError(
                f"`past_shares` is no second opinion beside the `anchor` {self.anchor!r}; give one of them."
            )

    def _anchor_column(self) -> int:
        assert self.anchor is not None  # noqa: S101 - the callers have looked
        return self.columns_.first(self.anchor)

    def _anchor(self, values: NDArray[np.float64], margin: NDArray[np.float64]) -> NDArray[np.float64]:
        """Read the second opinion in log-odds: where it is missing, or there is none, what line and trees say."""
        return margin if self.anchor is None else log_odds(values[:, self._anchor_column()], margin)

    def save(self, folder: Path, *, name: str = "churn") -> None:
        """Write ``churn.txt`` (the trees) and ``churn.json`` (all else) into `folder`; no pickle, no client."""
        check_is_fitted(self)
        kept = {
            "parameters": self.get_params()
            | {
                "embargo": written_duration(self.embargo),
                "monotone": None if self.monotone is None else dict(self.monotone),
                "extrapolate": None if self.extrapolate is None else list(self.extrapolate),
            },
            # Here levels have a place even where there are none, as in bundles written before.
            **({"features": [], "levels": {}} | written_columns(self)),
            "typical": [None if value != value else value for value in self.typical_.tolist()],
            "classes": self.classes_.tolist(),
            "line": asdict(self.line_),
            "calibration": asdict(self.calibration_),
            "anchor_mean": self.anchor_mean_,
            "calibration_cutoffs": [str(cutoff) for cutoff in self.calibration_cutoffs_],
        }
        write_json(kept, folder / f"{name}.json")
        (folder / f"{name}.txt").write_text(model_text(self.booster_), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, *, name: str = "churn") -> Self:
        """Read what `save` wrote."""
        kept = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        model = cls(**kept["parameters"])
        model.booster_ = lgb.Booster(model_str=(folder / f"{name}.txt").read_text(encoding="utf-8"))
        restore_columns(model, kept)
        typical = [np.nan if value is None else value for value in kept["typical"]]
        model.typical_ = np.array(typical, dtype=object if model.columns_.levels else float)
        model.classes_ = np.array(kept["classes"])
        model.line_ = Line.read(kept["line"])
        model.calibration_ = PlattScaling(**kept["calibration"])
        model.anchor_mean_ = kept["anchor_mean"]
        model.calibration_cutoffs_ = tuple(pd.Timestamp(cutoff) for cutoff in kept["calibration_cutoffs"])
        return model

    def _folds(
        self, cutoffs: pd.DatetimeIndex | None, codes: NDArray[np.int_], embargo: pd.Timedelta | None
    ) -> list[tuple[NDArray[np.int_], NDArray[np.int_]]]:
        """Pair rows to learn from with later (or, without cutoffs, other) rows to calibrate on."""
        if cutoffs is not None:
            if embargo is None and len(cutoffs.unique()) > 1:
                warnings.warn(
                    "`embargo` is not known, since `X` has several cutoffs and does not come from `build_panel`: "
                    "outcomes are taken to be decided by the next cutoff. Give gap and horizon together, as '90d'.",
                    UserWarning,
                    stacklevel=3,
                )
            embargo = pd.Timedelta(0) if embargo is None else embargo
            pairs = held_out_in_time(cutoffs, embargo=embargo)
            return [(seen, held_out) for seen, held_out in pairs if len(np.unique(codes[seen])) == 2]
        folds = min(_FOLDS, int(np.bincount(codes).min()))
        if folds < 2:
            return []
        splitter = StratifiedKFold(folds, shuffle=True, random_state=self.random_state)
        return list(splitter.split(np.zeros(len(codes)), codes))

    def _as_they_stand(
        self, X: pd.DataFrame, values: NDArray[np.float64], latest: pd.DataFrame | None
    ) -> tuple[pd.Timestamp, NDArray[np.float64], NDArray[np.float64]]:
        """Tell when the clients stand as they do now, their columns as the trees read them, and their margins."""
        standing, now = as_they_stand(self, X, values, latest)
        cutoffs = cutoffs_of(standing)
        if cutoffs is None:
            raise ValueError("`latest` must be a panel, with `cutoff` in its index as `X` has it.")
        return cutoffs.max(), now, self._margin(self.booster_, self.line_, now)

    def _margin(self, booster: lgb.Booster, line: Line, values: NDArray[np.float64]) -> NDArray[np.float64]:
        trees = booster.predict(values, raw_score=True, num_threads=threads(self.n_jobs, len(values)))
        return line(values) + np.asarray(trees)

    def _grow(self, values: NDArray[np.float64], codes: NDArray[np.int_]) -> tuple[lgb.Booster, Line]:
        given = {name: getattr(self, name) for name in PANEL_DEFAULTS}
        chosen: dict[str, Any] = {
            name: PANEL_DEFAULTS[name] if value is None else value for name, value in given.items()
        }
        parameters = {
            **self._shared(len(values)),
            "num_leaves": chosen["num_leaves"],
            "learning_rate": chosen["learning_rate"],
            **row_settings(chosen["min_child_samples"], len(codes)),
        }
        line, start = Line(), None
        if self.extrapolate:
            named = list(dict.fromkeys(self.extrapolate))
            columns = [self.columns_.first(name) for name in named]
            directions = [(self.monotone or {}).get(name, 0) for name in named]
            line = fit_line(values, codes, columns, directions)
            start = line(values)
        return lgb.train(parameters, lgb.Dataset(values, codes, init_score=start), chosen["n_estimators"]), line

    def _shared(self, rows: int) -> dict[str, Any]:
        """Set what does not depend on how far the trees grow."""
        parameters = {
            **TREE_PARAMETERS,
            "objective": "binary",
            "seed": self.random_state,
            "num_threads": threads(self.n_jobs, rows),
        }
        if self.monotone:
            constraints = [0] * len(self.columns_.owner)
            for name, direction in self.monotone.items():
                constraints[self.columns_.first(name)] = direction
            parameters["monotone_constraints"] = constraints
        return parameters

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.classifier_tags.multi_class = False
        return tags
