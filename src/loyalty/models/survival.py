"""Survival: when a client will leave, period by period."""

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import StratifiedKFold
from sklearn.utils.validation import check_is_fitted

from loyalty.models._survival_baselines import (
    KaplanMeier,
    SurvivalCurves,
    WeibullModel,
    check_durations,
    lives_of,
    medians_of,
)
from loyalty.models.calibration import PlattScaling, fit_platt
from loyalty.models.categories import freeze_columns, read_columns, restore_columns, written_columns
from loyalty.models.trees import (
    TREE_PARAMETERS,
    cutoffs_of,
    held_out_in_time,
    model_text,
    row_settings,
    threads,
    write_json,
    written_duration,
)
from loyalty.timeline import Duration, as_duration

__all__ = ["KaplanMeier", "SurvivalModel", "WeibullModel"]

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

_FOLDS = 5
#: Numbers of the person-period table that exist at a time.
_BLOCK_NUMBERS = 4_000_000


class PersonPeriods(lgb.Sequence):
    """The table of clients x periods, whose rows exist only while they are looked at.

    LightGBM reads it block by block and keeps one byte a number. A row holds the features, the number of the period,
    and what the changing features are in it.

    Parameters
    ----------
    values : array of shape (n_rows, n_features)
        Features of each client.
    changing : sequence of array of shape (n_rows, n_periods)
        Features that change from period to period.
    rows : array of shape (n_chosen,)
        Which rows of `values` take part.
    lives : array of shape (n_chosen,)
        For how many periods each of them does.

    Examples
    --------
    A client observed for no period has no row:

    >>> table = PersonPeriods(np.array([[7.0], [8.0], [9.0]]), [], np.arange(3), np.array([2, 0, 1]))
    >>> table[0:3]
    array([[7., 1.],
           [7., 2.],
           [9., 1.]])
    """

    def __init__(self, values: Floats, changing: Sequence[Floats], rows: Whole, lives: Whole) -> None:
        self.values, self.changing, self.rows, self.lives = values, changing, rows, lives
        self.ends = np.cumsum(lives)
        self.batch_size = max(1, _BLOCK_NUMBERS // (values.shape[1] + 1 + len(changing)))
        self._start, self._block = 0, np.empty((0, 0))

    def __len__(self) -> int:
        return int(self.ends[-1]) if len(self.ends) else 0

    def __getitem__(self, index: Any) -> Floats:
        if isinstance(index, slice):
            return self._read(*index.indices(len(self))[:2])
        # LightGBM asks for single rows in ascending order.
        if not self._start <= index < self._start + len(self._block):
            self._start = int(index)
            self._block = self._read(self._start, min(self._start + 1024, len(self)))
        return self._block[index - self._start]

    def left(self, churned: Whole) -> Floats:
        """Mark the row of the period in which each client left."""
        target = np.zeros(len(self))
        target[self.ends[churned == 1] - 1] = 1
        return target

    def _read(self, start: int, stop: int) -> Floats:
        number = np.arange(start, max(start, stop))
        chosen = np.searchsorted(self.ends, number, side="right")
        period = number - self.ends[chosen] + self.lives[chosen]
        row = self.rows[chosen]
        moving = [column[row, period] for column in self.changing]
        return np.column_stack([self.values[row], period + 1.0, *moving])


@dataclass(frozen=True)
class _Fold:
    """Lives to learn from as they were known once, and rows to calibrate on."""

    seen: Whole
    lives: Whole
    left: Whole
    held_out: Whole


class SurvivalModel(SurvivalCurves):
    """Chance of staying through each of the next periods, when some clients are known for a part of them only.

    A discrete-time hazard model [1]_ [2]_: one set of gradient-boosted trees tells, from a client's features and the
    number of the period, the probability of leaving in that period of those who stayed so far. Every client counts
    in each period it was observed for, which is the exact likelihood of lives cut short by the end of the recording;
    later cutoffs of a panel may be observed for fewer periods. Nothing forces the hazard to rise or fall with time.

    The log-odds of the hazards are calibrated out of time, as those of `ChurnModel` are: for the last few cutoffs,
    trees grown on earlier ones, and only on the periods decided by then, predict, and one logistic (Platt)
    calibrator is fitted on these predictions.

    Columns may hold categories, which are read as `ChurnModel` reads them: levels are frozen at the fit, and one that
    was not there then, or that fewer than ten clients had, is none of the known ones, with a warning.

    Parameters
    ----------
    num_leaves : int, default=7
        Leaves per tree.
    n_estimators : int, default=300
        Number of trees.
    learning_rate : float, default=0.03
        Shrinkage of each tree.
    min_child_samples : int, default=100
        Fewest periods of clients in a leaf, but never more than a twentieth of all.
    period : str or timedelta, optional
        Length of a period; by default what `build_durations` noted in ``duration.attrs``. Without it a panel of
        several cutoffs is not calibrated, since nothing tells what was decided when; a warning says so.
    silence : str or timedelta, optional
        How long after its end a period is decided; by default what `build_durations` noted, or else at once.
    random_state : int, default=0
        Seed handed to LightGBM.
    n_jobs : int, optional
        Threads; by default one up to a million periods of clients, else all cores. The result does not depend on it.

    Attributes
    ----------
    periods_ : int
        The longest duration learned from; no curve goes further.
    booster_ : lightgbm.Booster
        The trees.
    calibration_ : PlattScaling
        Slope and level of the calibrator.
    calibration_cutoffs_ : tuple of Timestamp
        The cutoffs it was fitted on. Empty for a frame without cutoffs, which is calibrated by cross-validation,
        and where no period of an earlier cutoff was decided in time: the log-odds then stand as they are.
    changing_ : tuple of str
        Names of the features that change from period to period.
    columns_ : Columns
        The columns, and the frozen levels of those that hold categories.
    feature_names_in_ : ndarray of str
        The columns, in order.

    See Also
    --------
    loyalty.labels.build_durations : The lives it learns from.
    KaplanMeier, WeibullModel : What it has to beat.

    References
    ----------
    .. [1] Cox (1972), "Regression Models and Life-Tables", Journal of the Royal Statistical Society B 34(2), section 6.
    .. [2] Singer and Willett (1993), "It's About Time: Using Discrete-Time Survival Analysis to Study Duration and the
       Timing of Events", Journal of Educational Statistics 18(2).

    Examples
    --------
    Half of those who have been silent leave in every period, and nobody else. Whether the other half of clients
    leaves after the third period is not known:

    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"silent": np.arange(1000) % 2})
    >>> life = np.where(X.silent == 1, rng.geometric(0.5, 1000), 4)
    >>> model = SurvivalModel().fit(X, np.minimum(life, 3), life <= 3)
    >>> model.predict_survival(X[:2]).round(1)
    array([[1. , 1. , 1. ],
           [0.5, 0.2, 0.1]])
    >>> model.median_remaining_life(X[:2])
    array([inf,  1.])
    """

    def __init__(
        self,
        *,
        num_leaves: int = 7,
        n_estimators: int = 300,
        learning_rate: float = 0.03,
        min_child_samples: int = 100,
        period: Duration | None = None,
        silence: Duration | None = None,
        random_state: int = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.num_leaves = num_leaves
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.min_child_samples = min_child_samples
        self.period = period
        self.silence = silence
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(
        self,
        X: pd.DataFrame,
        duration: ArrayLike,
        churned: ArrayLike,
        *,
        changing: Mapping[str, ArrayLike] | None = None,
    ) -> Self:
        """Grow the trees and calibrate them.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, n_features)
            A panel, indexed by client and `cutoff`; or a plain frame or array of one row per client.
        duration : array-like of shape (n_rows,)
            Whole periods: of a client who left, the number of the period in which it did, from 1 on; of any other,
            how many periods it was seen to stay. 0 tells nothing and is allowed.
        churned : array-like of shape (n_rows,)
            1 for a client who left, 0 for one who was not seen to.
        changing : mapping of str to array-like of shape (n_rows, n_periods), optional
            Features that change from period to period and are known beforehand for all of them, such as the season
            or the months until a contract can be ended. What only becomes known later is no feature.

        Raises
        ------
        ValueError
            If durations and outcomes do not fit together, nobody leaves, nobody stays through any period, or a category
            is refused as `ChurnModel` refuses it.

        Warns
        -----
        UserWarning
            If there are several cutoffs and nothing says how long a period is.
        """
        cutoffs = cutoffs_of(X)
        values = freeze_columns(self, X)
        lives, left = check_durations(X, duration, churned, rows=len(values))
        if not 0 < left.sum() < lives.sum():
            said = "nobody left" if not left.any() else "nobody stayed through any period"
            raise ValueError(f"`duration` and `churned` must hold both leaving and staying; {said} (1 class).")
        self.periods_ = int(lives.max())
        self.changing_ = tuple(changing or {})
        moving = _changing(changing or {}, rows=len(values), periods=self.periods_)
        folds = self._folds(cutoffs, lives, left, *self._lengths(duration))
        margins, outcomes, judged = [], [], []
        for fold in folds:
            until = int(fold.lives.max())
            booster = self._grow(PersonPeriods(values, moving, fold.seen, fold.lives), fold.left)
            table = PersonPeriods(values, moving, fold.held_out, np.minimum(lives[fold.held_out], until))
            margins.append(self._margin(booster, table))
            outcomes.append(table.left(left[fold.held_out] * (lives[fold.held_out] <= until)))
            judged.append(len(table))
        self.calibration_ = PlattScaling()
        if folds:
            group = np.repeat(np.arange(len(folds)), judged)
            target = np.concatenate(outcomes).astype(np.int64)
            self.calibration_ = fit_platt(np.concatenate(margins), target, group, through_time=cutoffs is not None)
        self.calibration_cutoffs_ = () if cutoffs is None else tuple(cutoffs[fold.held_out[0]] for fold in folds)
        self.booster_ = self._grow(PersonPeriods(values, moving, np.arange(len(values)), lives), left)
        return self

    def predict_hazard(
        self, X: pd.DataFrame, periods: int | None = None, *, changing: Mapping[str, ArrayLike] | None = None
    ) -> Floats:
        """Return the probability of leaving in each period of those who stayed so far, shape (n_rows, periods).

        Parameters
        ----------
        X : DataFrame of shape (n_rows, n_features)
            The columns of the fit, in their order.
        periods : int, optional
            How far to look; by default to the longest duration learned from, which is the furthest.
        changing : mapping of str to array-like of shape (n_rows, n_periods), optional
            The changing features of the fit, for these rows.

        Raises
        ------
        ValueError
            If the columns are not those of the fit, in their order and of their kind, or `periods` goes too far.

        Warns
        -----
        UserWarning
            If a category has a level that was not known at the fit.
        """
        wanted = self._periods(periods)
        values = read_columns(self, X)
        given = changing or {}
        if set(given) != set(self.changing_):
            raise ValueError(
                f"`changing` must hold the features of the fit, {list(self.changing_)}; got {list(given)}."
            )
        moving = _changing({name: given[name] for name in self.changing_}, rows=len(values), periods=wanted)
        table = PersonPeriods(values, moving, np.arange(len(values)), np.full(len(values), wanted))
        return self.calibration_(self._margin(self.booster_, table)).reshape(len(values), wanted)

    def predict_survival(
        self, X: pd.DataFrame, periods: int | None = None, *, changing: Mapping[str, ArrayLike] | None = None
    ) -> Floats:
        """Return the probability of staying through each period, shape (n_rows, periods); it never rises.

        Takes and raises what `predict_hazard` does.
        """
        stays = 1 - self.predict_hazard(X, periods, changing=changing)
        return np.cumprod(stays, axis=1, dtype=np.float64)

    def median_remaining_life(self, X: pd.DataFrame, *, changing: Mapping[str, ArrayLike] | None = None) -> Floats:
        """Return the period by whose end half of such clients have left, shape (n_rows,).

        Infinite where more than half stay through the longest duration learned from: all that is known is that the
        median is longer, and so it sorts.
        """
        return medians_of(self.predict_survival(X, changing=changing))

    def expected_remaining_life(
        self, X: pd.DataFrame, periods: int | None = None, *, changing: Mapping[str, ArrayLike] | None = None
    ) -> Floats:
        """Return the mean of the life until `periods`, shape (n_rows,).

        It is the restricted mean of ``min(duration, periods)``; the period in which a client leaves counts in full.
        """
        return lives_of(self.predict_survival(X, periods, changing=changing))

    def save(self, folder: Path) -> None:
        """Write ``survival.txt`` (the trees) and ``survival.json`` (all else) into `folder`; no pickle, no client."""
        check_is_fitted(self)
        lengths = {name: written_duration(getattr(self, name), name=name) for name in ("period", "silence")}
        kept = {
            "parameters": self.get_params() | lengths,
            **written_columns(self),
            "changing": list(self.changing_),
            "periods": self.periods_,
            "calibration": {"slope": self.calibration_.slope, "level": self.calibration_.level},
            "calibration_cutoffs": [str(cutoff) for cutoff in self.calibration_cutoffs_],
        }
        write_json(kept, folder / "survival.json")
        (folder / "survival.txt").write_text(model_text(self.booster_), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        kept = json.loads((folder / "survival.json").read_text(encoding="utf-8"))
        model = cls(**kept["parameters"])
        model.booster_ = lgb.Booster(model_str=(folder / "survival.txt").read_text(encoding="utf-8"))
        restore_columns(model, kept)
        model.changing_ = tuple(kept["changing"])
        model.periods_ = kept["periods"]
        model.calibration_ = PlattScaling(**kept["calibration"])
        model.calibration_cutoffs_ = tuple(pd.Timestamp(cutoff) for cutoff in kept["calibration_cutoffs"])
        return model

    def _lengths(self, duration: ArrayLike) -> tuple[pd.Timedelta | None, pd.Timedelta]:
        """Read period and silence given, or those that durations carry."""
        notes = duration.attrs if isinstance(duration, pd.Series) else {}
        lengths = [
            pd.Timedelta(days=notes[f"{name}_days"])
            if given is None and f"{name}_days" in notes
            else (None if given is None else as_duration(given, name=name))
            for name, given in (("period", self.period), ("silence", self.silence))
        ]
        period, silence = lengths
        if period is not None and period < pd.Timedelta(days=1):
            raise ValueError(f"`period` must be at least one day; got {self.period!r}.")
        return period, pd.Timedelta(0) if silence is None else silence

    def _folds(
        self,
        cutoffs: pd.DatetimeIndex | None,
        lives: Whole,
        left: Whole,
        period: pd.Timedelta | None,
        silence: pd.Timedelta,
    ) -> list[_Fold]:
        """Pair lives as they were known with later (or, without cutoffs, other) rows to calibrate on."""
        folds = []
        if cutoffs is None:
            groups = min(_FOLDS, int(np.bincount(left, minlength=2).min()))
            if groups >= 2:
                splitter = StratifiedKFold(groups, shuffle=True, random_state=self.random_state)
                pairs = list(splitter.split(np.zeros(len(left)), left))
                folds = [_Fold(seen, lives[seen], left[seen], held_out) for seen, held_out in pairs]
        elif period is not None:
            for seen, held_out in held_out_in_time(cutoffs, embargo=period + silence):
                decided = np.asarray((cutoffs[held_out[0]] - silence - cutoffs[seen]) // period, dtype=np.int64)
                by_then = np.minimum(lives[seen], decided)
                folds.append(_Fold(seen, by_then, left[seen] * (lives[seen] <= decided), held_out))
        elif len(cutoffs.unique()) > 1:
            warnings.warn(
                "`period` is not known, since `duration` does not come from `build_durations`: the hazards are not "
                "calibrated. Give its length, as '30d'.",
                UserWarning,
                stacklevel=3,
            )
        return [fold for fold in folds if 0 < fold.left.sum() < fold.lives.sum() and lives[fold.held_out].any()]

    def _margin(self, booster: lgb.Booster, table: PersonPeriods) -> Floats:
        """Predict the log-odds of a table block by block."""
        parts = [np.empty(0)]
        for start in range(0, len(table), table.batch_size):
            block = table[start : start + table.batch_size]
            parts.append(
                np.asarray(booster.predict(block, raw_score=True, num_threads=threads(self.n_jobs, len(table))))
            )
        return np.concatenate(parts)

    def _grow(self, table: PersonPeriods, left: Whole) -> lgb.Booster:
        parameters = {
            **TREE_PARAMETERS,
            "objective": "binary",
            "num_leaves": self.num_leaves,
            "learning_rate": self.learning_rate,
            **row_settings(self.min_child_samples, len(table)),
            "seed": self.random_state,
            "num_threads": threads(self.n_jobs, len(table)),
        }
        return lgb.train(parameters, lgb.Dataset(table, table.left(left)), self.n_estimators)


def _changing(changing: Mapping[str, ArrayLike], *, rows: int, periods: int) -> list[Floats]:
    """Check the features that change from period to period."""
    arrays = []
    for name, given in changing.items():
        array = np.asarray(given, dtype=float)
        if array.ndim != 2 or array.shape[0] != rows or array.shape[1] < periods:
            raise ValueError(
                f"`changing` must have {rows} rows and at least {periods} periods in {name!r}; got {array.shape}."
            )
        if np.isinf(array).any():
            raise ValueError(f"`changing` must not hold infinity in {name!r}.")
        arrays.append(array)
    return arrays
