"""SHAP values: whichever way they are worked out, they are LightGBM's own."""

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty.models import shapley
from loyalty.models.shapley import tree_shares

ROWS = 2_600  # enough for WOODELF


def trees(values, outcome, rounds=20, **parameters):
    chosen = {"objective": "binary", "verbose": -1, "num_leaves": 7, "min_data_in_leaf": 5, "deterministic": True}
    return lgb.train(chosen | parameters, lgb.Dataset(values, outcome), rounds)


def table(seed, rows=ROWS, columns=5, missing=0.1):
    rng = np.random.default_rng(seed)
    values = np.column_stack(
        [rng.normal(size=(rows, columns - 2)), rng.integers(0, 4, rows), rng.exponential(1e6, rows)]
    )
    values[rng.random(values.shape) < missing] = np.nan
    odds = np.nan_to_num(values[:, 0]) - np.nan_to_num(values[:, columns - 2])
    return values, (odds + rng.logistic(size=rows) > 0).astype(int)


def lightgbms(booster, values):
    return booster.predict(values, pred_contrib=True, num_threads=1)


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    missing=st.sampled_from([0.0, 0.3, 0.95]),
    rounds=st.integers(1, 30),
    leaves=st.integers(2, 31),
    extra=st.booleans(),
)
def test_are_those_of_lightgbm(seed, missing, rounds, leaves, extra):
    values, outcome = table(seed, missing=missing)
    values[::97, 0], values[::89, 1] = np.inf, -np.inf
    booster = trees(values, outcome, rounds, num_leaves=leaves, extra_trees=extra)
    assert np.abs(tree_shares(booster, values) - lightgbms(booster, values)).max() < 1e-4


def test_thresholds_are_not_rounded():
    """Values that lie a rounding of single precision from where the trees split."""
    values, outcome = table(0, missing=0.0)
    booster = trees(values, outcome)
    split = [t for t in booster.trees_to_dataframe().dropna(subset="threshold").itertuples() if t.decision_type == "<="]
    near = np.repeat(values[:1], ROWS, axis=0)
    for row in range(ROWS):
        node = split[row % len(split)]
        column = int(node.split_feature.removeprefix("Column_"))
        near[row, column] = np.nextafter(float(node.threshold), np.inf if row % 2 else -np.inf)
    assert np.abs(tree_shares(booster, near) - lightgbms(booster, near)).max() < 1e-4


@pytest.mark.parametrize("wrong", ["all", "a few"])
def test_what_does_not_agree_is_worked_out_by_lightgbm(wrong, monkeypatch):
    values, outcome = table(1)
    booster = trees(values, outcome)
    right = shapley._by_woodelf(booster, values)
    off = right.copy()
    if wrong == "all":
        off[:, [0, 1]] = off[:, [1, 0]]  # the sums stay right
    else:
        off[7, 0] += 0.01  # between the rows that are compared
    monkeypatch.setattr(shapley, "_by_woodelf", lambda *_: off)
    assert np.abs(tree_shares(booster, values) - lightgbms(booster, values)).max() < 1e-4


def test_few_rows_are_those_of_many():
    values, outcome = table(2)
    booster = trees(values, outcome)
    assert tree_shares(booster, values)[:50] == pytest.approx(tree_shares(booster, values[:50]), abs=1e-5)


def test_trees_that_never_split_leave_all_to_the_base(capfd):
    booster = trees(np.zeros((ROWS, 2)), np.arange(ROWS) % 2)
    shares = tree_shares(booster, np.zeros((ROWS, 2)))
    assert shares == pytest.approx(np.zeros((ROWS, 3)))
    capfd.readouterr()  # LightGBM warns on standard error
