"""How curves of staying are judged: arithmetic written out, loops over pairs, and scikit-survival."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sksurv import metrics

from loyalty.evaluation import churn_metrics, survival_by_period, survival_metrics


def judged(seed, clients=200, periods=8, *, ties=False, cut=True):
    """Lives, some of them cut short, and curves that have something to do with them and cross."""
    rng = np.random.default_rng(seed)
    hazard = rng.beta(1.5, 8, clients).clip(0, 0.5)[:, None] * rng.uniform(0.5, 1.5, (clients, periods))
    leaves = rng.random((clients, periods)) < hazard
    life = np.where(leaves.any(axis=1), leaves.argmax(axis=1) + 1, periods + 1)
    seen = rng.integers(1, periods + 1, clients) if cut else np.full(clients, periods)
    curves = np.cumprod(1 - hazard * rng.uniform(0.7, 1.3, (clients, periods)), axis=1)
    curves = np.floor(curves * 5) / 5 if ties else curves
    return np.minimum(life, seen), (life <= seen).astype(int), curves


def known_to(lives, left, period):
    """Kaplan and Meier's share of lives followed to the end of a period, as a loop; leaving comes before losing."""
    share = 1.0
    for k in range(period + 1):
        still = [(life, out) for life, out in zip(lives, left, strict=True) if life > k or (life == k and not out)]
        lost = sum(life == k for life, _ in still)
        share *= 1 - lost / len(still) if still else 1.0
    return share


def oracle(lives, left, curves):
    """The table as a loop over clients and pairs."""
    rows, observed = [], 1.0
    for k in range(1, min(curves.shape[1], max(lives)) + 1):
        at_risk = sum(life >= k for life in lives)
        observed *= 1 - sum(life == k and out for life, out in zip(lives, left, strict=True)) / at_risk
        squares, pairs, right = 0.0, 0.0, 0.0
        for i, life in enumerate(lives):
            if left[i] and life <= k:
                weight = 1 / known_to(lives, left, life - 1)
                squares += weight * curves[i][k - 1] ** 2
                for j, other in enumerate(lives):
                    if other > k or (other == k and not left[j]):
                        pairs += weight
                        gap = curves[j][k - 1] - curves[i][k - 1]
                        right += weight * (1.0 if gap > 0 else 0.5 if gap == 0 else 0.0)
            elif life >= k:
                squares += (1 - curves[i][k - 1]) ** 2 / known_to(lives, left, k - 1)
        rows.append(
            (at_risk, np.mean(curves[:, k - 1]), observed, squares / len(lives), right / pairs if pairs else math.nan)
        )
    return rows


def concordance_oracle(lives, left, curves):
    """Harrell's and Uno's share, as a loop over pairs."""
    periods = min(curves.shape[1], max(lives))
    life = [round(sum(curve[:periods]), 9) for curve in curves.tolist()]
    right, pairs = [0.0, 0.0], [0.0, 0.0]
    for i, first in enumerate(lives):
        for j, second in enumerate(lives):
            if left[i] and first <= periods and (first < second or (first == second and not left[j])):
                for n, weight in enumerate((1.0, known_to(lives, left, first - 1) ** -2)):
                    pairs[n] += weight
                    right[n] += weight * (1.0 if life[i] < life[j] else 0.5 if life[i] == life[j] else 0.0)
    return [r / p if p else math.nan for r, p in zip(right, pairs, strict=True)]


steps = st.lists(st.integers(0, 4), min_size=3, max_size=3).map(lambda s: np.sort(np.array(s) / 4)[::-1].tolist())
cases = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1), steps), min_size=1, max_size=14).map(
    lambda rows: [(life, left if life else 0, curve) for life, left, curve in rows]
).filter(lambda rows: any(row[0] for row in rows))  # fmt: skip


@settings(max_examples=150)
@given(rows=cases)
def test_is_that_of_a_loop_over_pairs(rows):
    lives, left, curves = (np.array(column) for column in zip(*rows, strict=True))
    table = survival_by_period(lives, left, curves)
    expected = oracle(lives, left, curves)
    assert table.index.tolist() == list(range(1, len(expected) + 1))
    np.testing.assert_allclose(table.to_numpy(), np.array(expected), rtol=1e-9, atol=1e-12)
    metrics = survival_metrics(lives, left, curves)
    harrell, uno = concordance_oracle(lives, left, curves)
    assert metrics["concordance"] == pytest.approx(harrell, nan_ok=True)
    assert metrics["concordance_uno"] == pytest.approx(uno, nan_ok=True)


@settings(max_examples=60)
@given(rows=cases, seed=st.integers(0, 99))
def test_row_order_never_matters(rows, seed):
    lives, left, curves = (np.array(column) for column in zip(*rows, strict=True))
    order = np.random.default_rng(seed).permutation(len(rows))
    shuffled = survival_metrics(lives[order], left[order], curves[order])
    assert shuffled == pytest.approx(survival_metrics(lives, left, curves), nan_ok=True)


def test_by_hand():
    #                 leaves in 1, lost after 1, leaves in 2, stays through 2
    lives, left = [1, 1, 2, 2], [1, 0, 1, 0]
    curves = [[0.6, 0.3], [0.9, 0.8], [0.5, 0.5], [0.8, 0.4]]
    table = survival_by_period(lives, left, curves)
    assert table["at_risk"].tolist() == [4, 2]
    assert table["predicted"].tolist() == pytest.approx([2.8 / 4, 2.0 / 4])
    # one of four leaves, then one of two: 3/4, 3/4 · 1/2
    assert table["observed"].tolist() == pytest.approx([3 / 4, 3 / 8])
    # the fate of all is known by the end of period 1: 0.6² + 0.1² + 0.5² + 0.2², over 4
    # after period 1 one of the three who stayed is lost, so 2/3 are followed into period 2 and weigh 3/2 each; who left
    # in period 1 weighs 1: 0.3² + 3/2 (0.5² + 0.6²), over 4
    brier = [(0.36 + 0.01 + 0.25 + 0.04) / 4, (0.09 + 1.5 * (0.25 + 0.36)) / 4]
    assert table["brier"].tolist() == pytest.approx(brier)
    # period 1: 0.6 lies below 0.9 and 0.8, above 0.5. Period 2 against 0.4: 0.3 below (1), 0.5 above (weight 3/2)
    assert table["auc"].tolist() == pytest.approx([2 / 3, 1 / 2.5])
    assert survival_metrics(lives, left, curves) == pytest.approx(
        {
            "clients": 4,
            "periods": 2,
            "churn_share": 5 / 8,
            "integrated_brier": sum(brier) / 2,
            # shares that leave in the periods: 1/4 and 3/8
            "auc": (1 / 4 * 2 / 3 + 3 / 8 * 1 / 2.5) / (5 / 8),
            # lives expected: 0.9, 1.7, 1.0, 1.2. The first is below all three; the third below the fourth: 4 of 4
            "concordance": 1,
            "concordance_uno": 1,
            # predicted to have left by the end of period 2: 1/2
            "mean_error": 1 / 2 - 5 / 8,
        }
    )


def test_pairs_lost_to_sight_weigh_in_unos_concordance():
    # the wrong pair is of period 2, where each weighs (3/2)² for those who were lost
    metrics = survival_metrics([1, 1, 2, 2], [1, 0, 1, 0], [[0.1, 0.1], [0.9, 0.9], [0.8, 0.8], [0.5, 0.5]])
    assert metrics["concordance"] == pytest.approx(3 / 4)
    assert metrics["concordance_uno"] == pytest.approx(3 / (3 + 9 / 4))


def test_where_nothing_is_cut_short_each_period_is_an_ordinary_outcome():
    lives, left, curves = judged(0, cut=False)
    table = survival_by_period(lives, left, curves)
    for k in range(1, 9):
        gone = (left == 1) & (lives <= k)
        metrics = churn_metrics(gone, 1 - curves[:, k - 1])
        assert table.loc[k, "brier"] == pytest.approx(metrics["brier"], rel=1e-9)
        assert table.loc[k, "auc"] == pytest.approx(metrics["auc"], rel=1e-12)
        assert 1 - table.loc[k, "observed"] == pytest.approx(metrics["churn_rate"], rel=1e-9)
    whole = survival_metrics(lives, left, curves)
    assert whole["concordance"] == pytest.approx(whole["concordance_uno"], rel=1e-12)


def test_lives_cut_short_by_chance_do_not_move_the_figures():
    """Half of 20,000 lives are cut short; Brier score, areas and shares stay within what chance allows."""
    lives, left, curves = judged(1, 20_000, cut=False)
    seen = np.random.default_rng(2).integers(1, 15, 20_000)
    cut = survival_by_period(np.minimum(lives, seen), left * (lives <= seen), curves)
    whole = survival_by_period(lives, left, curves)
    assert (left * (lives > seen)).sum() > 1000
    for column, tolerance in (("observed", 0.015), ("brier", 0.006), ("auc", 0.02)):
        np.testing.assert_allclose(cut[column], whole[column], atol=tolerance)


def test_the_truth_has_the_least_brier_score():
    rng = np.random.default_rng(4)
    hazard = rng.choice([0.05, 0.3], 5000)
    life, seen = rng.geometric(hazard), rng.integers(1, 7, 5000)
    curves = (1 - hazard)[:, None] ** np.arange(1, 7)
    scores = [
        survival_metrics(np.minimum(life, seen), life <= seen, curve)["integrated_brier"]
        for curve in (curves, curves**1.3, curves**0.75, np.tile(curves.mean(axis=0), (5000, 1)))
    ]
    assert scores[0] == min(scores)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_equals_scikit_survival(seed, ties):
    """Their time is continuous: who stayed through a period is lost half a period later."""
    lives, left, curves = judged(seed, ties=ties)
    time = lives + 0.5 * (left == 0)
    known = np.array(list(zip(left == 1, time, strict=True)), dtype=[("left", bool), ("time", float)])
    whole = survival_by_period(lives, left, curves)
    times = np.arange(1.0, 8.0)  # their last time must lie before the last of all
    ours = survival_metrics(lives, left, curves[:, :7])
    _, brier = metrics.brier_score(known, known, curves[:, :7], times)
    assert whole["brier"].to_numpy()[:7] == pytest.approx(brier, rel=1e-9)
    auc, mean = metrics.cumulative_dynamic_auc(known, known, 1 - curves[:, :7], times)
    assert whole["auc"].to_numpy()[:7] == pytest.approx(auc, rel=1e-9)
    assert ours["auc"] == pytest.approx(mean, rel=1e-9)
    risk = -curves[:, :7].sum(axis=1)
    inside = known.copy()
    inside["left"] &= time <= 7  # Harrell's has no end; ours ends with the curves
    assert ours["concordance"] == pytest.approx(metrics.concordance_index_censored(inside["left"], time, risk)[0])
    uno = metrics.concordance_index_ipcw(known, known, risk, tau=7.25)[0]
    assert ours["concordance_uno"] == pytest.approx(uno, rel=1e-9)


@pytest.mark.parametrize(
    ("lives", "left", "missing"),
    [
        ([2, 2, 2], [0, 0, 0], {"auc", "concordance", "concordance_uno"}),  # nobody left
        ([1, 1, 1], [1, 1, 1], {"auc", "concordance", "concordance_uno"}),  # all left at once
        ([1, 1, 2], [0, 0, 1], {"auc", "concordance", "concordance_uno"}),  # the last one left, and no other is known
        ([1, 2, 2], [1, 0, 0], set()),
        ([1, 2, 3], [1, 1, 1], set()),  # in period 3 all have left: that period has no area
    ],
)
def test_what_cannot_be_told_is_nan(lives, left, missing):
    curves = np.array([[0.5, 0.4, 0.3], [0.6, 0.5, 0.4], [0.7, 0.6, 0.5]])
    metrics = survival_metrics(lives, left, curves)
    assert {name for name, figure in metrics.items() if math.isnan(figure)} == missing
    table = survival_by_period(lives, left, curves)
    assert len(table) == metrics["periods"] == max(lives)
    assert not table.drop(columns="auc").isna().any().any()


def test_a_constant_curve_ranks_like_chance():
    lives, left, _ = judged(0)
    metrics = survival_metrics(lives, left, np.tile(np.linspace(0.9, 0.3, 8), (200, 1)))
    assert [metrics[name] for name in ("auc", "concordance", "concordance_uno")] == pytest.approx([0.5, 0.5, 0.5])


def test_inputs_are_left_alone_and_may_be_series_of_any_index_and_type():
    lives, left = pd.Series([1, 2, 2], index=list("abc")), pd.Series([True, False, True], index=[7, 8, 9])
    curves = pd.DataFrame([[0.5, 0.4], [0.9, 0.8], [0.7, 0.6]])
    kept = lives.copy(), left.copy(), curves.copy()
    expected = survival_metrics([1, 2, 2], [1, 0, 1], curves.to_numpy().tolist())
    assert survival_metrics(lives, left, curves) == expected
    assert survival_metrics(lives.astype("Int64"), left.astype("boolean"), curves) == expected
    pd.testing.assert_series_equal(lives, kept[0])
    pd.testing.assert_series_equal(left, kept[1])
    pd.testing.assert_frame_equal(curves, kept[2])


GOOD = ([1, 2], [1, 0], [[0.5, 0.4], [0.9, 0.8]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({0: [1, 2.5]}, "`duration` must be a whole number of periods, 0 or more; got 2.5 at position 1"),
        ({0: [1, -1]}, "`duration` must be a whole number of periods, 0 or more; got -1"),
        ({0: [1, math.nan]}, "`duration` must be finite"),
        ({0: [1]}, "1 in `duration` and 2 in `churned`"),
        ({0: [0, 2]}, "`duration` must be at least 1 where `churned` is 1"),
        ({0: [0, 0], 1: [0, 0]}, "nobody was observed for a period"),
        ({1: [1, 2]}, r"`churned` must be 1 \(left\) or 0"),
        ({2: [[0.5, 0.4]]}, "`survival` must have one row a client; got 1 for 2 durations"),
        ({2: [0.5, 0.4]}, r"`survival` must have a row a client and a column a period; got shape \(2,\)"),
        ({2: [[], []]}, r"`survival` must have a row a client and a column a period; got shape \(2, 0\)"),
        ({2: [["a", "b"], ["c", "d"]]}, "`survival` must hold numbers"),
        ({2: [[0.5, 0.4], [1.2, 0.8]]}, r"`survival` must lie within \[0, 1\]"),
        ({2: [[0.5, math.nan], [0.9, 0.8]]}, r"`survival` must lie within \[0, 1\] and be finite"),
        ({2: [[0.5, 0.6], [0.9, 0.8]]}, "`survival` must never rise"),
    ],
)
def test_bad_input_is_refused_in_the_callers_words(change, message):
    given = [change.get(i, value) for i, value in enumerate(GOOD)]
    for judge in (survival_metrics, survival_by_period):
        with pytest.raises(ValueError, match=message):
            judge(*given)


def test_one_error_lists_every_problem():
    with pytest.raises(
        ValueError, match=r"`duration` must be a whole.*`churned` must be 1.*`survival` must never rise"
    ):
        survival_metrics([1, 0.5], [3, 0], [[0.5, 0.6], [0.9, 0.8]])
