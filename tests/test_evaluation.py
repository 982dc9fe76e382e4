"""The figures by which models are judged: against the protocols' judge, scikit-learn, and arithmetic written out."""

import importlib.util
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from scipy.stats import norm, spearmanr
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from loyalty.evaluation import (
    calibration_table,
    churn_metrics,
    gain_curve,
    interval_metrics,
    share_interval,
    value_metrics,
)

JUDGE = Path(__file__).parents[2] / "shared" / "protocols" / "judge.py"


@pytest.fixture(scope="module")
def judge():
    if not JUDGE.exists():
        pytest.skip(f"the protocols' judge is not beside the repository ({JUDGE})")
    spec = importlib.util.spec_from_file_location("judge", JUDGE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def outcomes(seed, clients, *, ties=False):
    """Outcomes and predictions that have something to do with each other; heavy-tailed spend with zeros and refunds."""
    rng = np.random.default_rng(seed)
    probability = rng.beta(1.5, 1.5, clients)
    if ties:
        probability = probability.round(1)
    churned = (rng.random(clients) < probability).astype(int)
    churned[:2] = 0, 1
    value = np.where(churned == 1, 0, rng.lognormal(3, 1.5, clients)) - 5 * (rng.random(clients) < 0.05)
    expected = rng.lognormal(2, 1, clients) * (1.2 - probability)
    return churned, probability, value, expected.round(0) if ties else expected


@pytest.mark.parametrize("clients", [2, 7, 10, 11, 101, 1003])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_equals_the_judge_of_the_protocols(judge, clients, ties, seed):
    churned, probability, value, expected = outcomes(seed, clients, ties=ties)
    theirs = judge.figures(
        pd.DataFrame({"churned": churned, "churn_probability": probability, "value": value, "expected_value": expected})
    )
    ours = churn_metrics(churned, probability) | value_metrics(value, expected)
    assert set(ours) == set(theirs) | {"lift_top_20", "found_top_20"}
    assert {name: round(ours[name], 5) for name in theirs} == pytest.approx(theirs, abs=1.1e-5)


@pytest.mark.parametrize("clients", [2, 3, 9, 10, 11, 21, 31, 71, 1001])
@pytest.mark.parametrize("seed", range(4))
def test_value_figures_equal_the_judge_to_the_last_digits_also_where_ranks_fall_on_the_edges(judge, clients, seed):
    _, _, value, expected = outcomes(seed, clients, ties=seed % 2 == 0)
    ours = value_metrics(value, expected)
    assert ours["gini"] == pytest.approx(judge.gini(value, expected), rel=1e-12)
    assert ours["decile_mape"] == pytest.approx(judge.decile_mape(value, expected), rel=1e-12)


@pytest.mark.parametrize("ties", [False, True])
def test_churn_figures_equal_scikit_learn(ties):
    churned, probability, value, expected = outcomes(1, 500, ties=ties)
    metrics = churn_metrics(churned, probability)
    clipped = np.clip(probability, 1e-9, 1 - 1e-9)
    assert metrics["auc"] == pytest.approx(roc_auc_score(churned, probability), rel=1e-12)
    assert metrics["log_loss"] == pytest.approx(log_loss(churned, clipped), rel=1e-12)
    assert metrics["brier"] == pytest.approx(brier_score_loss(churned, clipped), rel=1e-12)
    assert value_metrics(value, expected)["spearman"] == pytest.approx(spearmanr(value, expected)[0], rel=1e-12)


def test_churn_figures_by_hand():
    metrics = churn_metrics([1, 1, 0, 0, 0], [0.9, 0.3, 0.5, 0.3, 0.1])
    assert metrics == pytest.approx(
        {
            "clients": 5,
            "churn_rate": 2 / 5,
            # leaver 0.9 beats 0.5, 0.3, 0.1; leaver 0.3 loses to 0.5, ties with 0.3, beats 0.1: (3 + 0 + 1/2 + 1) of 6
            "auc": 4.5 / 6,
            "log_loss": -(math.log(0.9) + math.log(0.3) + math.log(0.5) + math.log(0.7) + math.log(0.9)) / 5,
            # 0.1² + 0.7² + 0.5² + 0.3² + 0.1² = 0.01 + 0.49 + 0.25 + 0.09 + 0.01
            "brier": 0.85 / 5,
            # (0.9 + 0.3 + 0.5 + 0.3 + 0.1) / 5 - 2/5 = 0.42 - 0.40
            "mean_error": 0.02,
            # the riskiest 20 % of five is one client, a leaver: churn rate 1 against 2/5, and one leaver of two
            "lift_top_20": 1 / (2 / 5),
            "found_top_20": 1 / 2,
        }
    )


def test_value_figures_by_hand():
    metrics = value_metrics([0, 30, 10, -20], [10, 20, 20, 0])
    assert metrics == pytest.approx(
        {
            # |0-10| + |30-20| + |10-20| + |-20-0|
            "mae": 50 / 4,
            # ranks 2 4 3 1 and 2 3½ 3½ 1; deviations from 2½: -½ 1½ ½ -1½ and -½ 1 1 -1½
            # products ¼ + 3/2 + ½ + 9/4 = 4½ over sqrt((¼+9/4+¼+9/4) · (¼+1+1+9/4)) = sqrt(5 · 4½)
            "spearman": 4.5 / math.sqrt(5 * 4.5),
            # spends 0 30 10 0; predicted order 30 10 0 0 is the perfect one
            "gini": 1.0,
            # every client is a group; those with a positive mean: |20-30|/30 and |20-10|/10
            "decile_mape": (1 / 3 + 1) / 2,
            # 50 predicted against 20
            "total_error": 50 / 20 - 1,
        }
    )


def test_gini_of_a_swapped_pair_by_hand():
    # captured in predicted order 10, 30: shares 1/4, 1: 2 · 5/8 - 1 = 1/4; perfect 3/4, 1: 2 · 7/8 - 1 = 3/4
    assert value_metrics([30, 10], [1, 2])["gini"] == pytest.approx((1 / 4) / (3 / 4))


def test_deciles_average_within_the_group_before_the_error():
    # twenty clients in order of prediction: each tenth holds two, true 1 and 3, predicted 2 and 2: no error within it
    assert value_metrics([1, 3] * 10, np.full(20, 2.0))["decile_mape"] == 0
    # one client alone is one group: |3 - 4| / 4
    assert value_metrics([4], [3])["decile_mape"] == pytest.approx(1 / 4)


def test_perfect_and_reversed_orders():
    churned = [0, 0, 0, 1, 1]
    assert churn_metrics(churned, [0.1, 0.2, 0.3, 0.8, 0.9])["auc"] == 1
    assert churn_metrics(churned, [0.9, 0.8, 0.3, 0.2, 0.1])["auc"] == 0
    assert value_metrics([1, 2, 4], [10, 20, 40])["gini"] == 1


def test_a_certain_mistake_costs_much_but_not_infinity():
    # certain and right costs nothing; certain and wrong costs -ln(1e-9)
    assert churn_metrics([1, 0], [1, 1])["log_loss"] == pytest.approx(-math.log(1e-9) / 2, rel=1e-6)


@pytest.mark.parametrize(("outcome", "found"), [(0, math.nan), (1, 0.2)])
def test_one_class_only_has_no_order_to_judge_but_keeps_its_proper_scores(outcome, found):
    metrics = churn_metrics([outcome] * 5, [0.5, 0.4, 0.3, 0.2, 0.1])
    assert math.isnan(metrics["auc"])
    # if all left, the riskiest fifth holds a fifth of them and the lift is 1; if none left there is nobody to find
    assert metrics["found_top_20"] == pytest.approx(found, nan_ok=True)
    assert metrics["lift_top_20"] == pytest.approx(found / 0.2, nan_ok=True)
    assert all(math.isfinite(metrics[name]) for name in ("log_loss", "brier", "mean_error", "churn_rate"))


def test_a_constant_probability_ranks_like_chance():
    metrics = churn_metrics([1, 0, 0, 1, 0], [0.3] * 5)
    # every pair is a tie: 1/2; a random fifth holds a fifth of the leavers: lift 1
    assert (metrics["auc"], metrics["found_top_20"], metrics["lift_top_20"]) == pytest.approx((0.5, 0.2, 1))


def test_nothing_spent_and_constant_predictions():
    nothing = value_metrics([0, 0, 0], [1, 2, 3])
    assert {name for name, figure in nothing.items() if math.isnan(figure)} == {
        "spearman",
        "gini",
        "decile_mape",
        "total_error",
    }
    assert nothing["mae"] == 2
    constant = value_metrics([1, 2, 3], [2, 2, 2])
    assert {name for name, figure in constant.items() if math.isnan(figure)} == {"spearman"}
    # purchases and refunds that cancel: no total to be off from, but 10 captured of 10
    cancelled = value_metrics([10, -10], [5, 0])
    assert math.isnan(cancelled["total_error"])
    assert cancelled["gini"] == 1


def test_gain_curve_by_hand():
    # riskiest first: leaver, then two tied with one leaver between them, then a stayer; 1/8 is half of the first client
    gain = gain_curve([0, 1, 1, 0], [0.1, 0.9, 0.5, 0.5], [1, 0, 1 / 8, 1 / 4, 3 / 8, 1 / 2, 3 / 4])
    assert gain == pytest.approx([1, 0, 1 / 4, 1 / 2, 5 / 8, 3 / 4, 1])
    assert np.isnan(gain_curve([0, 0], [0.1, 0.9], [0, 1])).all()


def test_gain_of_tied_clients_is_the_mean_over_their_orders():
    rng = np.random.default_rng(0)
    churned, probability = rng.integers(0, 2, 40), rng.integers(0, 4, 40) / 4
    counts = np.arange(41)
    draws = np.empty((4000, 41))
    for draw in draws:  # oracle: break the ties at random and count
        order = np.lexsort((rng.random(40), -probability))
        draw[:] = np.append(0, churned[order].cumsum()) / churned.sum()
    # standard error of the mean of 4,000 draws is below 0.0015
    assert gain_curve(churned, probability, counts / 40) == pytest.approx(draws.mean(axis=0), abs=0.006)


churn_cases = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 8).map(lambda eighths: eighths / 8)), min_size=1, max_size=40
)


@settings(max_examples=60, deadline=None)
@given(rows=churn_cases, seed=st.integers(0, 99))
def test_row_order_never_matters_for_churn(rows, seed):
    churned, probability = np.array(rows).T
    order = np.random.default_rng(seed).permutation(len(rows))
    shuffled = churned[order], probability[order]
    shares = np.linspace(0, 1, 7)
    assert churn_metrics(*shuffled) == pytest.approx(churn_metrics(churned, probability), nan_ok=True)
    np.testing.assert_allclose(gain_curve(*shuffled, shares), gain_curve(churned, probability, shares))
    assert_frame_equal(calibration_table(*shuffled), calibration_table(churned, probability))


@settings(max_examples=60, deadline=None)
@given(rows=churn_cases, bins=st.integers(1, 12))
def test_calibration_table_accounts_for_every_client_and_leaver(rows, bins):
    churned, probability = np.array(rows).T
    table = calibration_table(churned, probability, bins=bins)
    assert table["clients"].sum() == len(rows)
    assert 1 <= len(table) <= bins
    assert (table["clients"] * table["observed"]).sum() == pytest.approx(churned.sum())
    assert (table["clients"] * table["predicted"]).sum() == pytest.approx(probability.sum())
    assert table["predicted"].is_monotonic_increasing
    for value in set(probability):  # oracle: no group boundary runs through equal probabilities
        assert len({int((table["predicted"] < p).sum()) for p in probability if p == value}) == 1


def test_calibration_groups_are_equal_where_nothing_is_tied():
    probability = np.random.default_rng(0).permutation(np.arange(1, 201) / 201)
    table = calibration_table(np.arange(200) % 2, probability)
    assert table.columns.tolist() == ["predicted", "observed", "clients", "lower", "upper"]
    assert table["clients"].tolist() == [20] * 10
    # the safest twenty have 1/201 … 20/201: mean 10.5/201
    assert table["predicted"].iloc[0] == pytest.approx(10.5 / 201)


def test_calibration_of_a_constant_is_one_group():
    table = calibration_table([1, 0, 0, 0], [0.4] * 4)
    assert table[["predicted", "observed", "clients"]].to_numpy().tolist() == [[pytest.approx(0.4), 0.25, 4]]
    assert table[["lower", "upper"]].to_numpy().tolist() == [[*map(float, np.ravel(share_interval([1], [4])))]]


def test_intervals_of_shares_are_those_published():
    # Newcombe (1998), Statistics in Medicine 17(8), table I, method 3: Wilson's without continuity correction
    lower, upper = share_interval([81, 15, 0, 1], [263, 148, 20, 29])
    assert lower.round(4).tolist() == [0.2553, 0.0624, 0, 0.0061]
    assert upper.round(4).tolist() == [0.3662, 0.1605, 0.1611, 0.1718]


@given(size=st.integers(1, 500), share=st.floats(0, 1), level=st.floats(0.5, 0.999))
def test_intervals_of_shares_solve_their_equation(size, share, level):
    """A bound is a share from which what was seen lies just so many deviations away; mirrored for who stayed."""
    found = round(share * size)
    (lower,), (upper,) = share_interval([found], [size], level=level)
    assert 0 <= lower <= found / size <= upper <= 1
    for bound in {lower, upper} - {found / size}:
        z = norm.ppf(0.5 + level / 2)
        assert (found / size - bound) ** 2 == pytest.approx(z**2 * bound * (1 - bound) / size, abs=1e-9)
    mirrored = share_interval([size - found], [size], level=level)
    assert (1 - mirrored[1][0], 1 - mirrored[0][0]) == pytest.approx((lower, upper))


def test_a_group_of_nobody_has_no_interval():
    assert np.isnan(share_interval([0], [0])).all()


def test_interval_metrics_by_hand():
    # within: 0 (at both ends), 5 (between), 7 (at the upper end); not 8
    told = interval_metrics([0, 5, 7, 8], [0, 4, 1, 0], [0, 6, 7, 7])
    assert told == {"coverage": 3 / 4, "interval_width": (0 + 2 + 6 + 7) / 4}


def test_inputs_are_left_alone_and_may_be_series_of_any_index_and_type():
    churned = pd.Series([True, False, True], index=[7, 8, 9])
    probability = pd.Series([0.9, 0.2, 0.4], index=["c", "a", "b"])
    kept = churned.copy(), probability.copy()
    assert churn_metrics(churned, probability) == churn_metrics([1, 0, 1], [0.9, 0.2, 0.4])
    assert churn_metrics(churned.astype("Int64"), probability.astype("Float64"))["auc"] == 1
    pd.testing.assert_series_equal(churned, kept[0])
    pd.testing.assert_series_equal(probability, kept[1])
    before = np.array([1.0, 2.0])
    value_metrics(before, before)
    assert before.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: churn_metrics([1, 0], [0.5]), "2 in `churned` and 1 in `churn_probability`"),
        (lambda: churn_metrics([], []), "`churned` must hold at least one entry"),
        (lambda: churn_metrics([1, 2], [0.5, 0.5]), r"`churned` must be 1 \(left\) or 0.*got 2 at position 1"),
        (
            lambda: churn_metrics([1, 0], [0.5, 70]),
            r"`churn_probability` must lie within \[0, 1\].*got 70 at position 1",
        ),
        (lambda: churn_metrics([1, 0], [math.nan, 0.5]), "`churn_probability` must be finite.*got nan at position 0"),
        (lambda: churn_metrics([[1], [0]], [0.5, 0.5]), r"`churned` must be one-dimensional; got shape \(2, 1\)"),
        (lambda: churn_metrics(["yes", "no"], [0.5, 0.5]), "`churned` must hold numbers"),
        (
            lambda: churn_metrics(pd.Series([1, None], dtype="Int64"), [0.5, 0.5]),
            "`churned` must (be finite|hold numbers)",
        ),
        (
            lambda: value_metrics([1, 2], [1, math.inf]),
            "`expected_value` must be finite.*got inf at position 1 and 1 such",
        ),
        (lambda: churn_metrics([1, 0], [0.5, -0.1]), r"`churn_probability` must lie within \[0, 1\].*got -0\.1"),
        (lambda: share_interval([3], [2]), "`found` must not exceed `clients`"),
        (lambda: share_interval([0.5], [2]), "`found` must be a whole number, 0 or more; got 0.5"),
        (lambda: share_interval([1], [2], level=95), "`level` must lie between 0 and 1.*got 95"),
        (lambda: interval_metrics([1, 2], [0, 3], [1, 2]), "`value_lower` must not exceed.*got 3 and 2 at position 1"),
        (lambda: interval_metrics([1], [math.nan], [2]), "`value_lower` must not be missing"),
        (lambda: gain_curve([1, 0], [0.5, 0.2], [0, 20]), r"`contacted` must lie within \[0, 1\].*got 20"),
        (lambda: calibration_table([1, 0], [0.5, 0.2], bins=0), "`bins` must be a whole number.*got 0"),
        (lambda: calibration_table([1, 0], [0.5, 0.2], bins=2.5), "`bins` must be a whole number.*got 2.5"),
    ],
)
def test_bad_input_is_refused_in_the_callers_words(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_one_error_lists_every_problem():
    with pytest.raises(ValueError, match=r"`churned`.*`churn_probability`.*3 in `churned` and 2"):
        churn_metrics([1, 5, 0], [math.inf, 0.5])


def test_an_interval_without_end_holds_everything_and_has_no_width():
    assert interval_metrics([5.0, 5.0], [-np.inf, 0.0], [np.inf, 4.0]) == {"coverage": 0.5, "interval_width": 4.0}
    told = interval_metrics([5.0], [-np.inf], [np.inf])
    assert told["coverage"] == 1.0
    assert np.isnan(told["interval_width"])
    with pytest.raises(ValueError, match="`value_upper` must not be missing"):
        interval_metrics([5.0], [0.0], [np.nan])
