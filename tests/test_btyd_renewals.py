"""BG/BB and the shifted beta-geometric against published figures, slow oracles, simulation and extremes."""

from itertools import product

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import approx_fprime
from sklearn.exceptions import NotFittedError

from loyalty.btyd import BetaGeometricBetaBinomial, ShiftedBetaGeometric
from loyalty.btyd._likelihood import (
    ContractRows,
    PurchaseRows,
    contract_log_likelihood,
    opportunity_log_likelihood,
)
from test_btyd import between
from test_btyd_lifetime import model_with

# Fader, Hardie and Shang (2010), table 1: donors of 1995 by gifts in six years, year of the last, and their number.
DONORS = np.array(
    [
        (0, 0, 3464), (1, 1, 1091), (1, 2, 277), (1, 3, 129), (1, 4, 78), (1, 5, 119), (1, 6, 129), (2, 2, 613),
        (2, 3, 255), (2, 4, 155), (2, 5, 173), (2, 6, 234), (3, 3, 322), (3, 4, 181), (3, 5, 225), (3, 6, 357),
        (4, 4, 240), (4, 5, 284), (4, 6, 512), (5, 5, 335), (5, 6, 728), (6, 6, 1203),
    ]
)  # fmt: skip
DONATING = {"alpha": 1.204, "beta": 0.750, "gamma": 0.657, "delta": 2.783}
HIGH_END = [1000, 869, 743, 653, 593, 551, 517, 491]
REGULAR = [1000, 631, 468, 382, 326, 289, 262, 241]
STAYING = {"alpha": 0.668, "beta": 3.806}


# Published figures ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def donors():
    x, tx = (np.repeat(column, DONORS[:, 2]) for column in DONORS.T[:2])
    return BetaGeometricBetaBinomial().fit(x, tx, np.full(len(x), 6))


def test_published_bg_bb_parameters_of_the_donors(donors):
    assert donors.n_clients_ == 11_104
    assert_allclose(list(donors.parameters_.values()), list(DONATING.values()), rtol=0, atol=5e-4)
    assert donors.log_likelihood_ == pytest.approx(-33225.6, abs=0.05)
    assert donors.converged_
    assert donors.message_ == "The most likely parameters were found."


def test_published_predictions_for_the_donors(donors):
    """Table 6 of the paper: active in the seventh year; its spreadsheet: 12884.2 gifts in the five years to come."""
    alive = donors.probability_alive([0, 2, 6], [0, 4, 6], [6, 6, 6])
    assert_allclose(alive, [0.11, 0.59, 0.93], rtol=0, atol=5e-3)
    x, tx, n = DONORS.T
    expected = donors.expected_purchases(5, x, tx, np.full(len(x), 6))
    assert n @ expected == pytest.approx(12884.2, abs=0.5)


@pytest.mark.parametrize(
    ("cohort", "alpha", "beta"), [(HIGH_END, 0.668, 3.806), (REGULAR, 0.704, 1.182)], ids=["high end", "regular"]
)
def test_published_parameters_of_seven_years_of_renewals(cohort, alpha, beta):
    model = ShiftedBetaGeometric().fit_cohorts(cohort)
    assert model.alpha_ == pytest.approx(alpha, abs=5e-4)
    assert model.beta_ == pytest.approx(beta, abs=5e-4)
    assert model.n_clients_ == 1000
    assert model.converged_
    assert model.survival_gap_ < 0.02
    assert model.message_ == "The most likely parameters were found."


def test_residual_lifetime_of_the_high_end():
    """Equation 6 of Fader and Hardie (2010) in mpmath; 7.530 after seven renewals at 10 %."""
    model = model_with(ShiftedBetaGeometric(), **STAYING)
    made = np.arange(9)
    got = model.discounted_residual_lifetime(np.log(1.1), made)
    a, b = STAYING.values()
    exact = [
        float((b + m) / (a + b + m) * mp.hyp2f1(1, b + m + 1, a + b + m + 1, 1 / mp.mpf("1.1"))) for m in made.tolist()
    ]
    assert_allclose(got, exact, rtol=1e-11)
    assert got[7] == pytest.approx(7.530, abs=5e-4)
    assert model.discounted_lifetime(np.log(1.1)) == pytest.approx(float(mp.hyp2f1(1, b, a + b, 1 / mp.mpf("1.1"))))


# BG/BB ---------------------------------------------------------------------------------------------------------------


def exact_opportunity_likelihood(x, tx, n, alpha, beta, gamma, delta):
    """Equation 5 of the paper, with beta functions written out."""
    a, b, c, d = map(mp.mpf, (alpha, beta, gamma, delta))
    active = mp.beta(a + x, b + n - x) * mp.beta(c, d + n)
    left = mp.fsum(mp.beta(a + x, b + tx - x + i) * mp.beta(c + 1, d + tx + i) for i in range(n - tx))
    return (active + left) / (mp.beta(a, b) * mp.beta(c, d))


OPPORTUNITY_POINTS = [
    tuple(DONATING.values()),
    (1e-4, 1e4, 1e4, 1e-4),
    (30.0, 0.01, 1e-3, 200.0),
    (1e4, 1e4, 1e-4, 1e-4),
]
CHANCES = [(0, 0, 0), (0, 0, 6), (1, 1, 6), (3, 4, 6), (6, 6, 6), (200, 250, 365)]


@pytest.mark.parametrize("point", OPPORTUNITY_POINTS)
def test_bg_bb_likelihood_equals_its_definition(point):
    for chance in CHANCES:
        with mp.workdps(60):
            expected = float(mp.log(exact_opportunity_likelihood(*chance, *point)))
        rows = PurchaseRows.of(*(np.array([float(value)]) for value in chance))
        assert opportunity_log_likelihood(np.log(point), rows)[0] == pytest.approx(expected, rel=1e-10, abs=1e-10)


@pytest.mark.parametrize(
    ("likelihood", "rows", "points"),
    [
        (opportunity_log_likelihood, PurchaseRows.of(*np.array(CHANCES, float).T), OPPORTUNITY_POINTS),
        (
            contract_log_likelihood,
            ContractRows.of(*np.array([(0, 1, 5), (3, 0, 2), (40, 1, 0.5), (7, 1, 9)], float).T),
            [(0.7, 1.2), (1e-3, 1e4), (1e4, 1e-3)],
        ),
    ],
    ids=["opportunities", "contracts"],
)
def test_gradients_are_the_slopes_of_the_likelihood(likelihood, rows, points):
    for point in points:
        theta = np.log(point)
        up, down = (approx_fprime(theta, lambda t: likelihood(t, rows)[0], step) for step in (2e-6, -2e-6))
        gradient = likelihood(theta, rows)[1]
        assert_allclose(gradient, (up + down) / 2, rtol=2e-6, atol=1e-7 * np.abs(gradient).max())


def test_bg_bb_predictions_add_up_over_all_that_can_happen():
    """The chance of each way of taking the next four opportunities, from likelihoods of whole histories alone."""
    model = model_with(BetaGeometricBetaBinomial(), **DONATING)
    x, tx, n, gap, horizon = 2, 3, 5, 1, 3
    point = tuple(DONATING.values())
    so_far = exact_opportunity_likelihood(x, tx, n, *point)
    silent, purchases, total = 0.0, 0.0, 0.0
    for taken in product((0, 1), repeat=gap + horizon):
        last = max((n + i + 1 for i, one in enumerate(taken) if one), default=tx)
        chance = float(exact_opportunity_likelihood(x + sum(taken), last, n + len(taken), *point) / so_far)
        total += chance
        purchases += chance * sum(taken[gap:])
        silent += chance * (sum(taken[gap:]) == 0)
    history = [x], [tx], [n]
    assert total == pytest.approx(1.0, rel=1e-12)
    assert model.expected_purchases(horizon, *history, gap=gap)[0] == pytest.approx(purchases, rel=1e-11)
    assert model.probability_no_purchase(horizon, *history, gap=gap)[0] == pytest.approx(silent, rel=1e-11)
    active = mp.beta(1.204 + x, 0.750 + n - x) * mp.beta(0.657, 2.783 + n + 1) / mp.beta(1.204, 0.750)
    alive = float(active / mp.beta(0.657, 2.783) / so_far)
    assert model.probability_alive(*history)[0] == pytest.approx(alive, rel=1e-11)


def test_bg_bb_discounted_purchases_are_the_sum_of_all_to_come():
    model = model_with(BetaGeometricBetaBinomial(), **DONATING)
    history = [0, 3, 6], [0, 4, 6], [6, 6, 6]
    for rate in (0.05, 0.4):
        ahead = range(int(40 / rate))
        expected = sum(np.exp(-rate * (j + 1)) * model.expected_purchases(1, *history, gap=j) for j in ahead)
        assert_allclose(model.discounted_purchases(rate, *history), expected, rtol=1e-10)


def simulate_opportunities(n, rng, *, alpha, beta, gamma, delta, until):
    buying, leaving = rng.beta(alpha, beta, n), rng.beta(gamma, delta, n)
    active = np.cumsum(rng.random((n, until)) < leaving[:, None], axis=1) == 0
    return active & (rng.random((n, until)) < buying[:, None]), active


def test_bg_bb_recovers_simulated_clients_and_foretells_them():
    rng, n = np.random.default_rng(1), 30_000
    taken, active = simulate_opportunities(n, rng, **DONATING, until=14)
    seen = rng.integers(3, 9, n)  # clients began at different times
    known = taken & (np.arange(14) < seen[:, None])
    x, tx = known.sum(axis=1), np.max(known * np.arange(1, 15), axis=1)
    model = BetaGeometricBetaBinomial().fit(x, tx, seen)
    assert model.converged_
    assert model.repeat_ratio_ == pytest.approx(1.0, abs=0.02)
    for name, truth in DONATING.items():
        assert abs(model.parameters_[name] - truth) <= 4 * model.standard_errors_[name]
    truth = model_with(BetaGeometricBetaBinomial(), **DONATING)
    ahead = (np.arange(14) >= seen[:, None] + 1) & (np.arange(14) < seen[:, None] + 4)
    outcomes = {
        "alive": (truth.probability_alive(x, tx, seen), active[np.arange(n), seen]),
        "silent": (truth.probability_no_purchase(3, x, tx, seen, gap=1), ~(taken & ahead).any(axis=1)),
        "purchases": (truth.expected_purchases(3, x, tx, seen, gap=1), (taken & ahead).sum(axis=1)),
    }
    for name, (predicted, happened) in outcomes.items():
        for group in (x == 0, x == 1, (x > 1) & (tx < seen - 1), (x > 1) & (tx >= seen - 1)):
            error = happened[group] - predicted[group]
            assert abs(error.mean()) <= 4 * error.std() / np.sqrt(group.sum()), name


shape = between(1e-4, 1e4)


@st.composite
def chances(draw):
    n = draw(st.one_of(st.integers(0, 10), st.integers(0, 400)))
    tx = draw(st.integers(0, n))
    x = draw(st.integers(1, tx)) if tx else 0
    return [x], [tx], [n]


@settings(max_examples=120, deadline=None)
@given(
    chance=chances(),
    point=st.tuples(shape, shape, shape, shape),
    horizon=st.integers(0, 50),
    gap=st.integers(0, 50),
    rate=between(1e-9, 1e3),
)
def test_bg_bb_stays_within_reason_at_extremes(chance, point, horizon, gap, rate):
    model = model_with(BetaGeometricBetaBinomial(), **dict(zip(DONATING, point, strict=True)))
    alive = model.probability_alive(*chance)[0]
    silent = model.probability_no_purchase(horizon, *chance, gap=gap)[0]
    purchases = model.expected_purchases(horizon, *chance, gap=gap)[0]
    assert 0 <= alive <= 1
    assert 0 <= silent <= 1
    assert 1 - silent <= purchases * (1 + 1e-9) + 1e-12
    assert purchases <= horizon * (1 - silent) * (1 + 1e-9) + 1e-12
    value = model.discounted_purchases(rate, *chance)[0]
    assert 0 <= value <= 1 / np.expm1(rate) * (1 + 1e-9) if rate < 700 else value >= 0
    value, gradient = opportunity_log_likelihood(np.log(point), PurchaseRows.of(*np.array(chance, float)))
    assert np.all(np.isfinite([value, *gradient]))


@settings(max_examples=20, deadline=None)
@given(chance=chances())
def test_any_possible_client_can_be_fitted(chance):
    model = BetaGeometricBetaBinomial().fit(*chance)
    assert np.all(np.isfinite([*model.parameters_.values(), model.log_likelihood_]))
    assert not model.converged_


@pytest.mark.parametrize(
    ("history", "message"),
    [
        (([1], [1], [1, 2]), "lengths `frequency` 1, `recency` 1, `opportunities` 2"),
        (([1], [1.5], [2]), "`recency` must be a whole number"),
        (([1], [1], [2.5]), "`opportunities` must be a whole number"),
        (([2], [1], [2]), "`recency` must be at least `frequency`"),
        (([1], [3], [2]), "`recency` must be at most `opportunities`"),
        (([0], [1], [2]), "`recency` must be 0 where `frequency` is 0"),
        (([1], [1], [1e9]), "`opportunities` must be at most 1e\\+06"),
    ],
)
def test_impossible_opportunities_are_refused(history, message):
    with pytest.raises(ValueError, match=message):
        BetaGeometricBetaBinomial().fit(*history)
    with pytest.raises(ValueError, match=message):
        model_with(BetaGeometricBetaBinomial(), **DONATING).probability_alive(*history)


@pytest.mark.parametrize("length", [-1, 1.5, np.nan, 1e9, "3"])
def test_impossible_numbers_of_opportunities_are_refused(length):
    model = model_with(BetaGeometricBetaBinomial(), **DONATING)
    for predict in (model.probability_no_purchase, model.expected_purchases):
        with pytest.raises(ValueError, match="`horizon` must be a whole number"):
            predict(length, [1], [1], [2])
        with pytest.raises(ValueError, match="`gap` must be a whole number"):
            predict(1, [1], [1], [2], gap=length)


# Contracts -----------------------------------------------------------------------------------------------------------


def test_renewals_follow_the_paper():
    """Equations 5 to 8: the chance of leaving at each renewal by recursion, survival and retention from it."""
    a, b = STAYING.values()
    model = model_with(ShiftedBetaGeometric(), **STAYING)
    leaving = [a / (a + b)]
    for t in range(2, 13):
        leaving.append(leaving[-1] * (b + t - 2) / (a + b + t - 1))
    survival = 1 - np.cumsum(leaving)
    times = np.arange(1, 13)
    assert_allclose(model.survival(times), survival, rtol=1e-12)
    assert_allclose(model.retention_rate(times), survival / np.append(1, survival[:-1]), rtol=1e-12)
    assert_allclose(model.survival([3, 0], renewals=4), [survival[6] / survival[3], 1.0], rtol=1e-12)
    rows = ContractRows.of(*np.array([(3, 1, 10), (12, 0, 4)], float).T)
    likelihood = 10 * np.log(leaving[3]) + 4 * np.log(survival[11])
    assert contract_log_likelihood(np.log([a, b]), rows)[0] == pytest.approx(likelihood, rel=1e-12)
    assert model.expected_renewals(3, [0, 4], gap=2) == pytest.approx(
        [survival[2:5].sum(), survival[6:9].sum() / survival[3]], rel=1e-12
    )


def test_cohorts_and_single_clients_are_one():
    """Two cohorts, one of them younger; clients one by one; and rows with counts."""
    cohorts = ShiftedBetaGeometric().fit_cohorts([50, 30, 24], [40, 28])
    renewals = np.repeat([0, 1, 2, 0, 1], [20, 6, 24, 12, 28])
    lost = np.repeat([1, 1, 0, 1, 0], [20, 6, 24, 12, 28])
    clients = ShiftedBetaGeometric().fit(renewals, lost)
    rows = ShiftedBetaGeometric().fit([0, 1, 2, 1], [1, 1, 0, 0], [32, 6, 24, 28])
    assert cohorts.parameters_ == clients.parameters_ == rows.parameters_
    assert cohorts.n_clients_ == clients.n_clients_ == 90
    # At the first renewal 90 were asked and 58 made it, at the second 30 and 24: the younger cohort was not asked yet.
    times, shares = ContractRows.of(renewals.astype(float), lost.astype(float), np.ones(90)).survival()
    assert_array_equal(times, [1, 2])
    assert_allclose(shares, [58 / 90, 58 / 90 * 24 / 30])


def test_censored_renewals_recover_the_truth():
    rng, n = np.random.default_rng(2), 40_000
    stay = rng.geometric(rng.beta(0.7, 1.2, n)) - 1
    seen = rng.integers(1, 12, n)
    model = ShiftedBetaGeometric().fit(np.minimum(stay, seen), stay < seen)
    assert abs(model.alpha_ - 0.7) <= 4 * model.standard_errors_["alpha"]
    assert abs(model.beta_ - 1.2) <= 4 * model.standard_errors_["beta"]
    assert model.standard_errors_["beta"] < 0.05
    assert model.survival_gap_ < 0.01


def test_discounted_lifetimes_are_sums_over_survival():
    model = model_with(ShiftedBetaGeometric(), **STAYING)
    for rate in (0.05, 0.5):
        times = np.arange(int(45 / rate))
        paid = np.exp(-rate * times) @ model.survival(times)
        assert model.discounted_lifetime(rate) == pytest.approx(paid, rel=1e-11)
        residual = np.exp(-rate * times) @ model.survival(times + 1, renewals=5)
        assert model.discounted_residual_lifetime(rate, [5])[0] == pytest.approx(residual, rel=1e-11)


def test_standard_errors_of_a_contract_equal_the_exact_information():
    model = ShiftedBetaGeometric().fit_cohorts(REGULAR)
    left = -np.diff(REGULAR)
    with mp.workdps(30):

        def likelihood(a, b):
            lost = mp.fsum(
                int(count) * mp.log(mp.beta(a + 1, b + m) / mp.beta(a, b)) for m, count in enumerate(left.tolist())
            )
            return lost + REGULAR[-1] * mp.log(mp.beta(a, b + 7) / mp.beta(a, b))

        at = (mp.mpf(model.alpha_), mp.mpf(model.beta_))
        information = mp.matrix([[-mp.diff(likelihood, at, (i + j, 2 - i - j)) for j in (0, 1)] for i in (0, 1)])
        # Of order (0, 2), (1, 1) and (2, 0): by beta twice, by both, by alpha twice.
        covariance = information**-1
        expected = [float(mp.sqrt(covariance[1, 1])), float(mp.sqrt(covariance[0, 0]))]
    assert_allclose(list(model.standard_errors_.values()), expected, rtol=1e-5)


@pytest.mark.parametrize("left", [[900, 500, 480, 470, 465], [600, 590, 300, 290, 280]], ids=["longer", "sooner"])
def test_a_gap_is_one_on_either_side(left):
    model = ShiftedBetaGeometric().fit_cohorts([1000, *left])
    gaps = model.survival(np.arange(1, 6)) - np.array(left) / 1000
    assert model.survival_gap_ == pytest.approx(np.abs(gaps).max())


def test_contracts_that_do_not_fit_are_said_in_words():
    """A retention that falls with time, which no mixture of constant chances can follow."""
    model = ShiftedBetaGeometric().fit_cohorts([1000, 990, 960, 850, 500, 100])
    assert not model.converged_
    assert "does not describe these clients well" in model.message_
    assert "clients hardly differ in their chance of leaving" in model.message_
    assert "Not identified" in model.message_
    assert model.survival_gap_ > 0.1
    never = ShiftedBetaGeometric().fit([3, 4, 5], [0, 0, 0])
    assert "hardly anyone leaves" in never.message_
    assert never.survival_gap_ == 0.0


@settings(max_examples=100, deadline=None)
@given(alpha=between(1e-4, 1e6), beta=between(1e-4, 1e6), rate=between(1e-9, 100.0), made=st.integers(0, 10**6 - 2))
def test_contracts_stay_within_reason_at_extremes(alpha, beta, rate, made):
    model = model_with(ShiftedBetaGeometric(), alpha=alpha, beta=beta)
    survival = model.survival([0, 1, 10, 10**6], renewals=made)
    assert survival[0] == 1.0
    assert np.all((survival >= 0) & (survival <= 1))
    assert np.all(np.diff(survival) <= 0)
    residual = model.discounted_residual_lifetime(rate, [made, made + 1])
    rates = model.retention_rate([made + 1, made + 2])
    assert rates[0] <= rates[1] <= 1
    assert np.all(residual >= rates * (1 - 1e-9))
    assert np.all(residual <= 1 / -np.expm1(-rate) * (1 + 1e-9))
    assert residual[0] <= residual[1] * (1 + 1e-9)


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 1), between(1e-3, 1e6)), min_size=1, max_size=5))
def test_any_possible_contracts_can_be_fitted(rows):
    model = ShiftedBetaGeometric().fit(*np.array(rows, float).T)
    assert np.all(np.isfinite([*model.parameters_.values(), model.log_likelihood_]))
    assert np.isfinite(model.discounted_lifetime(0.1))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([], []), "`renewals` must hold at least 1 client; got none in 0 rows"),
        (([1], [0], [0]), "got none in 1 rows"),
        (([1.5], [1]), "`renewals` must be a whole number, 0 or more; got 1.5 in row 0"),
        (([-1], [1]), "`renewals` must be a whole number, 0 or more"),
        (([np.inf], [1]), "`renewals` must be finite"),
        (([1], [2]), "`lost` must be 0 or 1; got 2"),
        (([1], [1], [-3]), "`counts` must be finite and 0 or more"),
        (([1, 2], [1]), "lengths `renewals` 2, `lost` 1"),
    ],
)
def test_impossible_contracts_are_refused(columns, message):
    with pytest.raises(ValueError, match=message):
        ShiftedBetaGeometric().fit(*columns)


def test_impossible_questions_about_contracts_are_refused():
    with pytest.raises(ValueError, match="`cohorts` must be at most the number before it; got 31 in row 2"):
        ShiftedBetaGeometric().fit_cohorts([50, 30, 31])
    with pytest.raises(ValueError, match="at least 1 client"):
        ShiftedBetaGeometric().fit_cohorts()
    with pytest.raises(NotFittedError):
        ShiftedBetaGeometric().survival([1])
    model = model_with(ShiftedBetaGeometric(), **STAYING)
    with pytest.raises(ValueError, match="`periods` must be 1 or more"):
        model.retention_rate([0])
    with pytest.raises(ValueError, match="`periods` must be a whole number"):
        model.survival([0.5])
    with pytest.raises(ValueError, match="`rate` must be a finite number above 0"):
        model.discounted_lifetime(0.0)
    with pytest.raises(ValueError, match="`horizon` must be a whole number"):
        model.expected_renewals(0.5, [1])
