"""SHAP values and interactions: LightGBM's own, those of the definition, and never taken on trust."""

from itertools import combinations
from math import factorial

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loyalty.models import _leaf_games, shapley
from loyalty.models.shapley import tree_interactions, tree_shares

ROWS = 600  # enough for tables


def trees(values, outcome, rounds=20, **parameters):
    chosen = {"objective": "binary", "verbose": -1, "num_leaves": 7, "min_data_in_leaf": 5, "deterministic": True}
    return lgb.train(chosen | {"num_threads": 1} | parameters, lgb.Dataset(values, outcome), rounds)


def table(seed, rows=ROWS, columns=5, missing=0.1):
    """Some columns of normal numbers, one of few values, one of none but zero, one of large amounts."""
    rng = np.random.default_rng(seed)
    values = np.column_stack(
        [
            rng.normal(size=(rows, columns - 3)),
            rng.integers(-1, 3, rows),
            np.zeros(rows),
            rng.exponential(1e6, rows),
        ]
    )
    values[rng.random(values.shape) < missing] = np.nan
    odds = np.nan_to_num(values[:, 0]) - np.nan_to_num(values[:, columns - 3])
    return values, (odds + rng.logistic(size=rows) > 0).astype(int)


def lightgbms(booster, values):
    return booster.predict(values, pred_contrib=True, num_threads=1)


def looked_up(booster, values):
    """The tables alone, without LightGBM to put them right."""
    return shapley._looked_up(*_leaf_games.read_games(booster), values, 1)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    missing=st.sampled_from([0.0, 0.3, 0.95]),
    rounds=st.integers(1, 20),
    leaves=st.integers(2, 31),
    columns=st.integers(4, 16),
    parameters=st.fixed_dictionaries(
        {},
        optional={
            "extra_trees": st.booleans(),
            "use_missing": st.just(False),
            "zero_as_missing": st.just(True),
            "max_depth": st.integers(1, 4),
            "bagging_fraction": st.just(0.5),
            "bagging_freq": st.just(1),
            "boosting": st.just("dart"),
        },
    ),
)
@example(seed=0, missing=0.3, rounds=20, leaves=31, columns=16, parameters={"extra_trees": True})
def test_are_those_of_lightgbm(seed, missing, rounds, leaves, columns, parameters):
    values, outcome = table(seed, columns=columns, missing=missing)
    booster = trees(values, outcome, rounds, num_leaves=leaves, **parameters)
    asked, _ = table(seed + 1, columns=columns, missing=0.2)  # missing also where nothing was
    asked[::7, 0], asked[::5, 1], asked[::11, 1] = np.inf, -np.inf, 0.0
    asked[::3, 0], asked[1::13, 0] = 1e-36, -1e-36  # zero to LightGBM where zero is missing
    theirs = lightgbms(booster, asked)
    assert np.abs(looked_up(booster, asked) - theirs).max() < 1e-12
    assert np.abs(tree_shares(booster, asked) - theirs).max() < 1e-12


def test_paths_too_long_for_a_table_are_worked_out(monkeypatch):
    monkeypatch.setattr(_leaf_games, "SPLITS_TOGETHER", 4)
    values, outcome = table(0, columns=16)
    booster = trees(values, outcome, 3, num_leaves=31, min_data_in_leaf=1)
    games, _ = _leaf_games.read_games(booster)
    assert {0} < set(games.table_sizes().tolist())  # some have a table, others not
    assert np.abs(looked_up(booster, values) - lightgbms(booster, values)).max() < 1e-12


@pytest.mark.parametrize("parameters", [{}, {"zero_as_missing": True}, {"use_missing": False}])
def test_thresholds_are_not_rounded(parameters):
    """Values that lie a rounding from where the trees split."""
    values, outcome = table(0, missing=0.0)
    booster = trees(values, outcome, **parameters)
    games, _ = _leaf_games.read_games(booster)
    near = np.repeat(values[:1], ROWS, axis=0)
    for row in range(ROWS):
        split = row // 3 % len(games.threshold)
        threshold = games.threshold[split]
        sides = (threshold, np.nextafter(threshold, -np.inf), np.nextafter(threshold, np.inf))
        near[row, games.split_column[split]] = sides[row % 3]
    assert np.abs(looked_up(booster, near) - lightgbms(booster, near)).max() < 1e-12


def expected(node, row, known):
    """The mean of a tree for a row of which only some columns are known."""
    if "leaf_value" in node:
        return node["leaf_value"]
    left, right = node["left_child"], node["right_child"]
    if node["split_feature"] in known:
        value = row[node["split_feature"]]
        goes_left = node["default_left"] if np.isnan(value) else value <= node["threshold"]
        return expected(left if goes_left else right, row, known)
    rows = [child.get("internal_count", child.get("leaf_count")) for child in (left, right)]
    return (rows[0] * expected(left, row, known) + rows[1] * expected(right, row, known)) / sum(rows)


@pytest.fixture(scope="module")
def worth():
    """Small trees, some rows, and what every set of columns is worth to each."""
    values, outcome = table(3, columns=5, missing=0.2)
    booster = trees(values, outcome, 4, num_leaves=8)
    grown = [tree["tree_structure"] for tree in booster.dump_model()["tree_info"]]
    subsets = [frozenset(s) for size in range(6) for s in combinations(range(5), size)]
    games = [{s: sum(expected(tree, row, s) for tree in grown) for s in subsets} for row in values[:6]]
    return booster, values[:6], games


class TestAgainstTheDefinition:
    """Shapley's formula over all subsets of columns, of the game that path-dependent TreeSHAP plays."""

    def test_values(self, worth):
        booster, rows, games = worth
        for row, game in zip(looked_up(booster, rows), games, strict=True):
            for i in range(5):
                weighted = sum(
                    factorial(len(s)) * factorial(4 - len(s)) / factorial(5) * (game[s | {i}] - game[s])
                    for s in game
                    if i not in s
                )
                assert row[i] == pytest.approx(weighted, abs=1e-12)
            assert row[-1] == pytest.approx(game[frozenset()], abs=1e-12)

    def test_interactions(self, worth):
        booster, rows, games = worth
        told = tree_interactions(booster, rows)
        assert np.abs(told[:, 0, 1]).max() > 1e-3
        for pairs, game in zip(told, games, strict=True):
            for i, j in combinations(range(5), 2):
                weighted = sum(
                    factorial(len(s)) * factorial(3 - len(s)) / (2 * factorial(4))
                    * (game[s | {i, j}] - game[s | {i}] - game[s | {j}] + game[s])
                    for s in game
                    if not s & {i, j}
                )  # fmt: skip
                assert pairs[i, j] == pytest.approx(weighted, abs=1e-12)


class TestInteractions:
    @settings(max_examples=8, deadline=None)
    @given(seed=st.integers(0, 10_000), leaves=st.integers(2, 31), columns=st.integers(4, 16))
    def test_are_symmetric_and_add_up(self, seed, leaves, columns):
        values, outcome = table(seed, columns=columns)
        booster = trees(values, outcome, 5, num_leaves=leaves)
        pairs = tree_interactions(booster, values[:40])
        assert np.array_equal(pairs, pairs.swapaxes(1, 2))
        assert np.abs(pairs.sum(axis=2) - lightgbms(booster, values[:40])[:, :-1]).max() < 1e-12

    def test_too_many_are_refused(self):
        values, outcome = table(0)
        booster = trees(values, outcome, 2)
        with pytest.raises(ValueError, match=r"of 6,000,000 rows, 5 columns .* take 1\.1 GiB.* Ask for 5,368,709 rows"):
            tree_interactions(booster, np.broadcast_to(values[:1], (6_000_000, 5)))

    def test_trees_of_another_kind_are_refused(self):
        values, outcome = table(0, missing=0.0)
        with pytest.raises(ValueError, match="splits of numbers and plain leaves only"):
            tree_interactions(trees(values, outcome, linear_tree=True), values[:3])

    def test_what_does_not_add_up_is_an_error(self, monkeypatch):
        values, outcome = table(1)
        booster = trees(values, outcome)
        monkeypatch.setattr(shapley, "interact", lambda *arguments: None)
        with pytest.raises(RuntimeError, match="do not add up"):
            tree_interactions(booster, values[:5])


@pytest.mark.parametrize("wrong", ["all", "a few"])
def test_what_does_not_agree_is_worked_out_by_lightgbm(wrong, monkeypatch):
    values, outcome = table(1)
    booster = trees(values, outcome)
    off = looked_up(booster, values)
    if wrong == "all":
        off[:, [0, 1]] = off[:, [1, 0]]  # the sums stay right
    else:
        off[7, 0] += 0.01  # between the rows that are compared
    monkeypatch.setattr(shapley, "_looked_up", lambda *_: off)
    assert np.array_equal(tree_shares(booster, values), lightgbms(booster, values)) or wrong == "a few"
    assert np.abs(tree_shares(booster, values) - lightgbms(booster, values)).max() < 1e-12


def test_a_corrupted_table_is_noticed(monkeypatch):
    values, outcome = table(1)
    booster = trees(values, outcome)
    right = shapley.tabulate

    def corrupted(*arguments):
        found = right(*arguments)
        found[::3] += 0.01
        return found

    monkeypatch.setattr(shapley, "tabulate", corrupted)
    assert np.abs(looked_up(booster, values) - lightgbms(booster, values)).max() > 1e-3
    assert np.array_equal(tree_shares(booster, values), lightgbms(booster, values))


class TestTreesOfAnotherKind:
    @pytest.mark.parametrize("kind", ["categorical", "forest"])
    def test_are_left_to_lightgbm(self, kind):
        values, outcome = table(4, missing=0.0)
        if kind == "categorical":
            values[:, 2] += 1
            data = lgb.Dataset(values, outcome, categorical_feature=[2])
            booster = lgb.train({"objective": "binary", "verbose": -1, "min_data_per_group": 5}, data, 10)
        else:
            booster = trees(values, outcome, boosting="rf", bagging_fraction=0.5, bagging_freq=1)
        assert _leaf_games.read_games(booster) is None
        assert np.array_equal(tree_shares(booster, values), lightgbms(booster, values))


@pytest.mark.parametrize("n_jobs", [1, 2, 0])
def test_blocks_and_threads_change_no_bit(n_jobs, monkeypatch):
    values, outcome = table(2, rows=3_000)
    booster = trees(values, outcome)
    whole = tree_shares(booster, values, n_jobs=1)
    monkeypatch.setattr(shapley, "_COPIED", 5 * 700)
    monkeypatch.setattr(shapley, "_TABLE", 300)
    assert np.array_equal(tree_shares(booster, values, n_jobs=n_jobs), whole)
    assert np.array_equal(tree_shares(booster, values[1_000:1_900]), whole[1_000:1_900])


def test_few_rows_are_those_of_many():
    values, outcome = table(2)
    booster = trees(values, outcome)
    assert tree_shares(booster, values)[:50] == pytest.approx(tree_shares(booster, values[:50]), abs=1e-12)


def test_trees_that_never_split_leave_all_to_the_base(capfd):
    booster = trees(np.zeros((ROWS, 2)), np.arange(ROWS) % 4 == 0)
    shares = tree_shares(booster, np.zeros((ROWS, 2)))
    assert shares == pytest.approx(lightgbms(booster, np.zeros((ROWS, 2))))
    assert tree_interactions(booster, np.zeros((3, 2))) == pytest.approx(np.zeros((3, 2, 2)))
    capfd.readouterr()  # LightGBM warns on standard error
