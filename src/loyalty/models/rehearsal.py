"""How far trees should grow on a table without dates: rehearsed on folds, whose held-out rows say when to stop.

Tables of one row a client differ far more in what they can teach than panels do: of some no more can be learned than
the effect of each column by itself, others are full of interactions. So trees grow in two stages. Those of the first
have a single split, and add up effects of single columns; the second goes on from there with larger trees, either
cautious or quick ones, whichever the held-out rows favour. That the effects of single columns come first, and
interactions only as far as they help, follows Lou et al. [1]_.

References
----------
.. [1] Lou, Caruana, Gehrke and Hooker (2013), "Accurate intelligible models with pairwise interactions", KDD '13,
   623-631.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from loyalty.models.trees import row_settings

Floats = NDArray[np.float64]
Ints = NDArray[np.int_]

#: Rounds between two looks at the held-out rows, and the looks without a gain after which growing ends.
_STEP, _PATIENCE = 25, 3


@dataclass(frozen=True)
class Stage:
    """Trees of one kind.

    Attributes
    ----------
    num_leaves, min_child_samples, learning_rate, lambda_l2, extra_trees
        LightGBM's settings by those names; the leaves hold a twentieth of all rows at the most.
    rounds : int
        The most trees.
    """

    num_leaves: int
    min_child_samples: int
    learning_rate: float
    lambda_l2: float
    extra_trees: bool
    rounds: int

    def settings(self, shared: Mapping[str, Any], rows: int, columns: int) -> dict[str, Any]:
        """Write it as LightGBM reads it, for so many rows and columns."""
        return {
            **shared,
            # A tree that is shown a single column finds no interactions.
            "feature_fraction": max(shared["feature_fraction"], min(1.0, 2 / columns)),
            "num_leaves": self.num_leaves,
            **row_settings(self.min_child_samples, rows),
            "learning_rate": self.learning_rate,
            "lambda_l2": self.lambda_l2,
            "extra_trees": self.extra_trees,
        }


# Chosen on folds of Telco and Iranian churn other than those reported: see experiments/plain_tables.md.
_SINGLE = Stage(2, 100, 0.05, 5.0, extra_trees=True, rounds=500)
_TOGETHER = (
    Stage(8, 100, 0.02, 5.0, extra_trees=False, rounds=500),
    Stage(31, 5, 0.05, 1.0, extra_trees=False, rounds=1000),
)


@dataclass(frozen=True)
class Rehearsed:
    """What the folds say of a stage.

    Attributes
    ----------
    stage : Stage
        The kind of trees.
    rounds : int
        How many of them predict the held-out rows best.
    loss : float
        Log loss of the held-out rows then.
    seen, held_out : list of array
        Log-odds of the rows that each fold learned from, and of those it held out.
    """

    stage: Stage
    rounds: int
    loss: float
    seen: list[Floats]
    held_out: list[Floats]


def rehearse(
    values: Floats, codes: Ints, folds: Sequence[tuple[Ints, Ints]], shared: Mapping[str, Any]
) -> tuple[list[Rehearsed], list[Floats]]:
    """Choose the two stages on folds.

    Parameters
    ----------
    values : array of shape (n_rows, n_features)
        What trees read.
    codes : array of shape (n_rows,)
        0 or 1.
    folds : sequence of (array, array)
        Row numbers to learn from and to hold out.
    shared : mapping
        LightGBM's settings that hold for both stages.

    Returns
    -------
    stages : list of Rehearsed
        One or two, with at least one tree in all; the second only where it helped.
    margins : list of array
        Log-odds of the held-out rows, fold by fold.
    """
    first = _grow_together(_SINGLE, values, codes, folds, shared, before=None)
    second = min(
        (_grow_together(stage, values, codes, folds, shared, before=first) for stage in _TOGETHER),
        key=lambda rehearsed: rehearsed.loss,
    )
    stages = [first, second] if second.rounds else [first]
    return stages, stages[-1].held_out


def perform(values: Floats, codes: Ints, stages: Sequence[Rehearsed], shared: Mapping[str, Any]) -> lgb.Booster:
    """Grow the stages on all rows, each from where the one before it ended."""
    booster = None
    for rehearsed in stages:
        booster = lgb.train(
            rehearsed.stage.settings(shared, *values.shape),
            lgb.Dataset(values, codes, free_raw_data=False),
            rehearsed.rounds,
            init_model=booster,
        )
    assert booster is not None  # noqa: S101 - there is always a first stage
    return booster


def _grow_together(
    stage: Stage,
    values: Floats,
    codes: Ints,
    folds: Sequence[tuple[Ints, Ints]],
    shared: Mapping[str, Any],
    *,
    before: Rehearsed | None,
) -> Rehearsed:
    """Grow the trees of all folds step by step, until their held-out rows have nothing more to gain."""
    boosters = [
        lgb.Booster(
            stage.settings(shared, len(seen), values.shape[1]),
            lgb.Dataset(values[seen], codes[seen], init_score=None if before is None else before.seen[fold]),
        )
        for fold, (seen, _) in enumerate(folds)
    ]
    margins = [np.zeros(len(held_out)) for _, held_out in folds] if before is None else before.held_out
    best_rounds, best_loss, best = 0, np.inf if before is None else before.loss, margins
    # A round that finds nothing to split adds no tree, so that there may be fewer trees than rounds.
    trees = best_trees = [0] * len(boosters)
    for done in range(0, stage.rounds, _STEP):
        for booster in boosters:
            for _ in range(_STEP):
                booster.update()
        known, trees = trees, [booster.current_iteration() for booster in boosters]
        margins = [
            margin + _margin(booster, values[held_out], shared, trees=(start, end))
            for margin, booster, (_, held_out), start, end in zip(margins, boosters, folds, known, trees, strict=True)
        ]
        loss = _log_loss(margins, codes, folds)
        if loss < best_loss:
            best_rounds, best_loss, best, best_trees = done + _STEP, loss, margins, trees
        elif done + _STEP - best_rounds >= _PATIENCE * _STEP:
            break
    if not best_rounds and before is not None:
        return Rehearsed(stage, 0, best_loss, before.seen, before.held_out)
    grown = [
        _margin(booster, values[seen], shared, trees=(0, number))
        for booster, (seen, _), number in zip(boosters, folds, best_trees, strict=True)
    ]
    if before is not None:
        grown = [there + more for there, more in zip(before.seen, grown, strict=True)]
    return Rehearsed(stage, best_rounds, best_loss, grown, best)


def _margin(booster: lgb.Booster, values: Floats, shared: Mapping[str, Any], *, trees: tuple[int, int]) -> Floats:
    """Add up the trees from the first number to before the second."""
    start, end = trees
    if start == end:  # LightGBM would take no number for all
        return np.zeros(len(values))
    # LightGBM has one number of threads for all that it does: a look must not change it for the rounds that follow.
    told = booster.predict(
        values, raw_score=True, start_iteration=start, num_iteration=end - start, num_threads=shared["num_threads"]
    )
    return np.asarray(told)


def _log_loss(margins: Sequence[Floats], codes: Ints, folds: Sequence[tuple[Ints, Ints]]) -> float:
    total = sum(
        float(np.sum(np.logaddexp(0.0, margin) - codes[held_out] * margin))
        for margin, (_, held_out) in zip(margins, folds, strict=True)
    )
    return total / sum(len(held_out) for _, held_out in folds)
