"""BG/NBD and Gamma-Gamma against mpmath, simulation, published figures and extremes."""

import subprocess
import sys
from functools import cache
from pathlib import Path

import mpmath as mp
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import approx_fprime
from sklearn.exceptions import NotFittedError

import loyalty.btyd
from loyalty.btyd import (
    BetaGeometricNBD,
    BuyTillYouDie,
    GammaGamma,
    _dropout,
    expected_purchases,
    probability_alive,
    probability_no_purchase,
)
from loyalty.btyd._dropout import chance_of_purchase, purchases_while_active, two_or_more
from loyalty.btyd._likelihood import (
    PurchaseRows,
    SpendRows,
    distinct_rows,
    purchase_log_likelihood,
    rising,
    spend_log_likelihood,
)

SHARED = Path(__file__).parents[1] / ".." / "shared" / "data"
CDNOW = {"r": 0.2426, "alpha": 4.414, "a": 0.793, "b": 2.426}


def purchases_model(*, r, alpha, a, b):
    """A model with given parameters, without fitting."""
    model = BetaGeometricNBD()
    model.r_, model.alpha_, model.a_, model.b_ = r, alpha, a, b
    return model


def simulate(n, rng, *, r, alpha, a, b, T, until, first=False):
    """Each client's purchase times in (0, until], his first purchase at 0, and whether he is still active at T.

    If `first`, he may leave after that first purchase too.
    """
    rate, leaving = rng.gamma(r, 1 / alpha, n), rng.beta(a, b, n)
    times, alive = [], np.ones(n, bool)
    for i in range(n):
        mine, now = [], 0.0
        alive[i] = not (first and rng.random() < leaving[i])
        while alive[i]:
            now += rng.exponential(1 / rate[i])
            if now > until:
                break
            mine.append(now)
            if rng.random() < leaving[i]:
                alive[i] = now > T
                break
        times.append(np.array(mine))
    return times, alive


def summarise(times, T):
    known = [t[t <= T] for t in times]
    x = np.array([len(t) for t in known], float)
    return x, np.array([t[-1] if len(t) else 0.0 for t in known]), np.full(len(times), T)


@cache
def read_cdnow():
    """Frequency, recency, T in days and mean repeat spend of the CDNOW 1/10 sample until 1997-09-30.

    Beside them the purchase days of the 39 weeks after that.
    """
    if not (SHARED / "cdnow.parquet").exists():
        pytest.skip("the CDNOW histories stand in ../shared, which is not here")
    ids = pd.read_csv(SHARED / "cdnow_sample_ids.csv")["customer_id"]
    rows = pd.read_parquet(SHARED / "cdnow.parquet")
    rows = rows[rows["customer_id"].isin(ids)]
    days = rows.groupby(["customer_id", "date"], as_index=False)["amount"].sum()
    later = days[(days["date"] > "1997-09-30") & (days["date"] <= "1998-06-30")].groupby("customer_id").size()
    days = days[days["date"] <= "1997-09-30"]
    clients = days.groupby("customer_id")["date"]
    first, last = clients.min(), clients.max()
    repeats = days[days["date"] > days["customer_id"].map(first)].groupby("customer_id")["amount"]
    return pd.DataFrame(
        {
            "frequency": clients.size() - 1,
            "recency": (last - first).dt.days,
            "T": (pd.Timestamp("1997-09-30") - first).dt.days,
            "monetary": repeats.mean(),
            "later": later.reindex(first.index, fill_value=0),
        }
    )


@pytest.fixture(scope="module")
def sample():
    return read_cdnow()


# Published figures ---------------------------------------------------------------------------------------------------


def test_published_bg_nbd_parameters_of_cdnow(sample):
    model = BetaGeometricNBD().fit(sample["frequency"], sample["recency"] / 7, sample["T"] / 7)
    assert model.n_clients_ == 2357
    assert_allclose([model.r_, model.alpha_, model.a_, model.b_], [0.2426, 4.414, 0.793, 2.426], rtol=0, atol=5e-4)
    assert model.log_likelihood_ == pytest.approx(-9582.43, abs=0.01)
    assert model.converged_
    assert model.message_ == "The most likely parameters were found."
    # Expected purchases in the 39 holdout weeks of client 1 (2 purchases, 30.43, 38.86): 1.226 in the paper's sheet.
    assert model.expected_purchases(39, [2], [30.43], [38.86])[0] == pytest.approx(1.226, abs=5e-4)
    assert model.repeat_ratio_ == pytest.approx(1.0, abs=0.05)


def test_published_gamma_gamma_parameters_of_cdnow(sample):
    model = GammaGamma().fit(sample["frequency"], sample["monetary"])
    assert model.n_clients_ == 946
    assert_allclose([model.p_, model.q_, model.v_], [6.25, 3.74, 15.44], rtol=0, atol=5e-3)
    assert model.converged_


def test_days_and_weeks_fit_the_same_clients_alike(sample):
    weeks = BetaGeometricNBD().fit(sample["frequency"], sample["recency"] / 7, sample["T"] / 7)
    days = BetaGeometricNBD().fit(sample["frequency"], sample["recency"], sample["T"])
    assert_allclose([days.r_, days.alpha_ / 7, days.a_, days.b_], list(weeks.parameters_.values()), rtol=1e-5)
    repeats = sample["frequency"].sum()
    assert days.log_likelihood_ == pytest.approx(weeks.log_likelihood_ - repeats * np.log(7), abs=1e-6)
    columns = sample["frequency"], sample["recency"], sample["T"]
    assert_allclose(
        days.expected_purchases(180, *columns, gap=30),
        weeks.expected_purchases(180 / 7, columns[0], columns[1] / 7, columns[2] / 7, gap=30 / 7),
        rtol=1e-5,
    )


# Likelihoods ---------------------------------------------------------------------------------------------------------


def exact_purchase_likelihood(x, tx, T, r, alpha, a, b):
    """Equation 6 of the paper, with gamma and beta functions written out."""
    r, alpha, a, b, tx, T = map(mp.mpf, (r, alpha, a, b, tx, T))
    active = mp.beta(a, b + x) / mp.beta(a, b) * mp.gamma(r + x) * alpha**r / (mp.gamma(r) * (alpha + T) ** (r + x))
    if x == 0:
        return active
    left = mp.beta(a + 1, b + x - 1) / mp.beta(a, b) * mp.gamma(r + x) * alpha**r
    return active + left / (mp.gamma(r) * (alpha + tx) ** (r + x))


def exact_spend_likelihood(x, z, p, q, v):
    p, q, v, z = map(mp.mpf, (p, q, v, z))
    scale = mp.gamma(p * x + q) / (mp.gamma(p * x) * mp.gamma(q))
    return scale * v**q * z ** (p * x - 1) * x ** (p * x) / (v + x * z) ** (p * x + q)


PURCHASE_POINTS = [
    (0.2426, 4.414, 0.793, 2.426),
    (25.0, 300.0, 0.01, 40.0),
    (1e4, 1e6, 1e-4, 1e4),
    (1e-4, 1e-6, 1e4, 1e-4),
]
CLIENTS = [(0, 0.0, 0.0), (0, 0.0, 38.9), (1, 0.5, 0.5), (2, 30.43, 38.86), (7, 20.0, 30.0), (400, 350.0, 365.0)]
SPEND_POINTS = [(6.25, 3.74, 15.44), (0.4, 1.05, 1e-3), (900.0, 1e4, 1e4)]
SPENDERS = [(1, 22.5), (3, 0.01), (12, 35.0), (300, 4000.0)]


@pytest.mark.parametrize("point", PURCHASE_POINTS)
def test_purchase_likelihood_equals_its_definition(point):
    for client in CLIENTS:
        with mp.workdps(60):
            expected = float(mp.log(exact_purchase_likelihood(*client, *point)))
        rows = PurchaseRows.of(*(np.array([float(value)]) for value in client))
        assert purchase_log_likelihood(np.log(point), rows)[0] == pytest.approx(expected, rel=1e-11, abs=1e-11)


@pytest.mark.parametrize("point", SPEND_POINTS)
def test_spend_likelihood_equals_its_definition(point):
    for x, z in SPENDERS:
        with mp.workdps(60):
            expected = float(mp.log(exact_spend_likelihood(x, z, *point)))
        rows = SpendRows.of(np.array([float(x)]), np.array([z]))
        assert spend_log_likelihood(np.log(point), rows)[0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("likelihood", "rows", "points"),
    [
        (purchase_log_likelihood, PurchaseRows.of(*np.array(CLIENTS, float).T), PURCHASE_POINTS),
        (spend_log_likelihood, SpendRows.of(*np.array(SPENDERS, float).T), SPEND_POINTS),
    ],
    ids=["purchases", "spend"],
)
def test_gradients_are_the_slopes_of_the_likelihood(likelihood, rows, points):
    for point in points:
        theta = np.log(point)
        up, down = (approx_fprime(theta, lambda t: likelihood(t, rows)[0], step) for step in (2e-6, -2e-6))
        gradient = likelihood(theta, rows)[1]
        assert_allclose(gradient, (up + down) / 2, rtol=2e-6, atol=1e-7 * np.abs(gradient).max())


def test_merged_clients_have_the_likelihood_of_the_single_ones():
    rng = np.random.default_rng(1)
    x = rng.integers(0, 4, 20_000).astype(float)  # more than one block of rows
    tx = np.where(x > 0, rng.integers(1, 200, 20_000), 0).astype(float)
    T = tx + rng.integers(0, 100, 20_000)
    theta = np.log([0.4, 30.0, 0.7, 2.0])
    merged = PurchaseRows.of(x, tx, T)
    assert len(merged.counts) < 20_000
    assert merged.counts.sum() == 20_000
    order = np.argsort(x, kind="stable")
    single = PurchaseRows.build(x[order], tx[order], T[order], np.ones(20_000))
    for one, other in zip(purchase_log_likelihood(theta, merged), purchase_log_likelihood(theta, single), strict=True):
        assert_allclose(one, other, rtol=1e-11)


def test_distinct_rows_rebuild_the_columns():
    rng = np.random.default_rng(2)
    columns = [rng.integers(0, 3, 200).astype(float) for _ in range(3)]
    first, inverse, counts = distinct_rows(*columns)
    for column in columns:
        assert_array_equal(column[first][inverse], column)
    assert len(first) == len({*zip(*columns, strict=True)})
    assert_array_equal(counts, np.bincount(inverse))
    assert all(np.flatnonzero(inverse == code)[0] == row for code, row in enumerate(first))


@pytest.mark.parametrize("base", [1e-4, 0.7, 19.999, 20.0, 333.0, 1e4, 1e7])
@pytest.mark.parametrize("steps", [0.0, 0.3, 1.0, 17.0, 5000.0])
def test_rising_equals_mpmath(base, steps):
    value, slope = rising(np.array([base]), steps)
    with mp.workdps(50):
        exact = mp.loggamma(mp.mpf(base) + steps) - mp.loggamma(base)
        exact_slope = mp.digamma(mp.mpf(base) + steps) - mp.digamma(base)
    assert value[0] == pytest.approx(float(exact), rel=1e-13, abs=1e-13)
    assert slope[0] == pytest.approx(float(exact_slope), rel=1e-12, abs=1e-13)


# Predictions ---------------------------------------------------------------------------------------------------------


def closed_form(c, k, a, beta):
    """Equation 10 of the paper for an active client, with its hypergeometric function, in 50 digits."""
    with mp.workdps(50):
        c, k, a, beta = map(mp.mpf, (c, k, a, beta))
        z = c / (1 + c)
        f = mp.hyp2f1(k, beta, a + beta - 1, z)
        return float((a + beta - 1) / (a - 1) * (1 - (1 - z) ** k * f))


@pytest.mark.parametrize("a", [1e-4, 0.793, 0.999999, 3.7, 1e4])
@pytest.mark.parametrize("b", [1e-4, 2.426, 1e4])
@pytest.mark.parametrize("x", [0, 1, 30, 700])
def test_expected_purchases_equal_the_closed_form(a, b, x):
    for r in (1e-4, 0.24, 9.0):
        k, beta = r + x, b + x
        for reach in (1e-6, 0.1, 3.0, 1e3):
            got = purchases_while_active(reach, k, a, beta)
            assert got == pytest.approx(closed_form(reach, k, a, beta), rel=1e-10, abs=0)


@pytest.mark.parametrize("reach", [0.3, 0.49, 0.5, 0.7, 1.0, 1.3, 2.0])
@pytest.mark.parametrize("a", [0.793, 5.0])
def test_heavy_buyers_keep_their_digits_where_the_sum_gives_way_to_the_integral(reach, a):
    got = purchases_while_active(reach, 1500.24, a, 1502.4)
    assert got == pytest.approx(closed_form(reach, 1500.24, a, 1502.4), rel=1e-10, abs=0)
    chance = chance_of_purchase(reach, 1e-3, 1500.24, a, 1502.4)
    with mp.workdps(50):
        silent = [(1 + h) ** -mp.mpf("1500.24") * mp.hyp2f1("1500.24", a, a + mp.mpf("1502.4"), -reach / (1 + h))
                  for h in (mp.mpf(0), mp.mpf("1e-3"))]  # fmt: skip
    assert chance == pytest.approx(float(silent[0] - silent[1]), rel=1e-10, abs=0)


def test_expected_purchases_at_a_equal_1_where_the_closed_form_is_0_by_0():
    near = [closed_form(2.0, 3.2, 1.0 + step, 4.4) for step in (1e-9, -1e-9)]
    assert purchases_while_active(2.0, 3.2, 1.0, 4.4) == pytest.approx(np.mean(near), rel=1e-12)


@pytest.mark.parametrize("shape", [1e-4, 0.5, 3.0, 800.0, 1e4])
def test_two_or_more_events_keep_their_digits_when_rare(shape):
    odds = np.array([1e-30, 1e-12, 1e-7, 0.9e-3 / (shape + 1), 1.2e-3 / (shape + 1), 0.1, 50.0])
    with mp.workdps(80):
        k, exact_odds = mp.mpf(shape), [mp.mpf(float(o)) for o in odds]
        exact = [float(1 - (1 + o) ** -k * (1 + k * o / (1 + o))) for o in exact_odds]
    assert_allclose([two_or_more(o, shape, -shape * np.log1p(o)) for o in odds], exact, rtol=3e-12)


@pytest.mark.parametrize(
    ("gap", "reach", "k", "a", "beta"),
    [
        (0.5, 0.7, 3.2, 0.793, 4.4),
        (20.0, 1e-3, 40.2, 0.01, 41.0),
        (0.01, 5.0, 0.3, 12.0, 1e-3),
        (3.0, 3.0, 2.0, 1.0, 1.0),
        (1e3, 1e2, 200.0, 0.7, 30.0),
        (1e-9, 1e-9, 0.24, 0.8, 2.4),
    ],
)
def test_chance_after_a_gap_equals_the_mean_over_dropout(gap, reach, k, a, beta):
    def outlast(total):  # E (1 + total + p gap)**-k over p ~ Beta(a, beta), in closed form
        base = 1 + mp.mpf(total)
        return base**-k * mp.hyp2f1(k, a, mp.mpf(a) + beta, -gap / base)

    with mp.workdps(50):
        expected = float(outlast(0) - outlast(reach))
    assert chance_of_purchase(gap, reach, k, a, beta) == pytest.approx(expected, rel=1e-10, abs=0)


@pytest.mark.parametrize("a", [1e-3, 0.793, 1.0, 40.0])
@pytest.mark.parametrize(
    ("reach", "k", "beta"), [(0.4, 2.2, 4.4), (5.0, 90.0, 92.0), (30.0, 0.3, 2.4), (1e-7, 3.0, 0.1)]
)
def test_the_sum_and_the_integral_agree(a, reach, k, beta, monkeypatch):
    sums = purchases_while_active(reach, k, a, beta), chance_of_purchase(reach, 0.7, k, a, beta)
    monkeypatch.setattr(_dropout, "_LONGEST_SUM", 0)
    integrals = purchases_while_active.py_func(reach, k, a, beta), chance_of_purchase.py_func(reach, 0.7, k, a, beta)
    assert sums != integrals
    assert_allclose(sums, integrals, rtol=1e-10, atol=1e-20)


def test_probability_alive_is_the_active_share_of_the_likelihood():
    model = purchases_model(**CDNOW)
    for x, tx, T in CLIENTS:
        with mp.workdps(40):
            point = tuple(CDNOW.values())
            r, alpha, a, b = map(mp.mpf, point)
            active = mp.beta(a, b + x) / mp.beta(a, b) * mp.gamma(r + x) * alpha**r
            active /= mp.gamma(r) * (alpha + mp.mpf(T)) ** (r + x)
            expected = float(active / exact_purchase_likelihood(x, tx, T, *point))
        assert model.probability_alive([x], [tx], [T])[0] == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize(
    "point", [tuple(CDNOW.values()), (0.01, 900.0, 3.0, 0.02), (1e4, 1e6, 1e-4, 1e4), (9, 0.1, 0.5, 7)]
)
@pytest.mark.parametrize("horizon", [1e-3, 39.0, 5e4])
def test_frozen_predictions_equal_the_paper(point, horizon):
    clients = [*CLIENTS[:-1], (260, 1.0, 364.0), (1500, 3600.0, 3650.0), (3, 1e-6, 1e5)]
    parameters = dict(zip(CDNOW, point, strict=True))
    history = np.array(clients, float).T
    alive = probability_alive(*history, parameters=parameters)
    purchases = expected_purchases(*history, parameters=parameters, horizon=horizon)
    for row, (x, tx, T) in enumerate(clients):
        with mp.workdps(60):
            r, alpha, a, b, silence = *map(mp.mpf, point), mp.mpf(T) - mp.mpf(tx)
            odds = a / (b + x - 1) * (1 + silence / (alpha + tx)) ** (r + x) if x else mp.mpf(0)
            active = mp.mpf(closed_form(mp.mpf(horizon) / (alpha + T), r + x, a, b + x))
            exact = 1 / (1 + odds), active / (1 + odds)
        assert alive[row] == pytest.approx(float(exact[0]), rel=1e-10, abs=1e-300)
        assert purchases[row] == pytest.approx(float(exact[1]), rel=1e-10, abs=1e-300)


def test_predictions_agree_with_simulated_clients():
    parameters = {"r": 0.8, "alpha": 6.0, "a": 0.9, "b": 2.0}
    T, gap, horizon, n = 30.0, 8.0, 15.0, 40_000
    times, alive = simulate(n, np.random.default_rng(3), **parameters, T=T, until=T + gap + horizon)
    history = summarise(times, T)
    model = purchases_model(**parameters)
    predicted = {
        "alive": model.probability_alive(*history),
        "silent": model.probability_no_purchase(horizon, *history),
        "silent after gap": model.probability_no_purchase(horizon, *history, gap=gap),
        "purchases": model.expected_purchases(horizon, *history),
        "purchases after gap": model.expected_purchases(horizon, *history, gap=gap),
    }
    now = np.array([np.sum((t > T) & (t <= T + horizon)) for t in times])
    later = np.array([np.sum((t > T + gap) & (t <= T + gap + horizon)) for t in times])
    happened = {
        "alive": alive,
        "silent": now == 0,
        "silent after gap": later == 0,
        "purchases": now,
        "purchases after gap": later,
    }
    x, tx, _ = history
    groups = [x == 0, x == 1, (x >= 2) & (tx < 20), (x >= 2) & (tx >= 20), x >= 6]
    for name, values in predicted.items():
        for group in groups:
            error = happened[name][group] - values[group]
            assert abs(error.mean()) <= 4 * error.std() / np.sqrt(group.sum()) + 1e-9, name


def test_without_a_gap_the_probability_has_its_short_form():
    model = purchases_model(**CDNOW)
    alive = model.probability_alive([2], [30.43], [38.86])
    expected = 1 - alive * (1 - ((4.414 + 38.86) / (4.414 + 38.86 + 39)) ** 2.2426)
    assert_allclose(model.probability_no_purchase(39, [2], [30.43], [38.86]), expected, rtol=1e-12)
    assert_allclose(model.probability_no_purchase(39, [2], [30.43], [38.86], gap=1e-12), expected, rtol=1e-9)


def test_a_horizon_of_nothing_brings_nothing():
    model = purchases_model(**CDNOW)
    history = [0, 2], [0, 3], [0, 9]
    for gap in (0.0, 5.0):
        assert_array_equal(model.probability_no_purchase(0, *history, gap=gap), [1.0, 1.0])
        assert_array_equal(model.expected_purchases(0, *history, gap=gap), [0.0, 0.0])


def between(low, high):
    """Numbers spread evenly over the logarithm."""
    return st.floats(np.log(low), np.log(high)).map(np.exp)


@st.composite
def histories(draw):
    rows = []
    for _ in range(draw(st.integers(1, 4))):
        x = draw(st.sampled_from([0, 1, 2, 30, 200, 5000]))
        T = draw(st.one_of(st.sampled_from([0.0, 1e5]), between(1e-6, 1e5))) if x == 0 else draw(between(1e-6, 1e5))
        rows.append((x, T * draw(st.floats(1e-6, 1.0)) if x else 0.0, T))
    return tuple(np.array(rows, float).T)


extreme = st.fixed_dictionaries(
    {"r": between(1e-4, 1e4), "alpha": between(1e-9, 1e11), "a": between(1e-4, 1e4), "b": between(1e-4, 1e4)}
)


@settings(max_examples=80, deadline=None)
@given(
    history=histories(), parameters=extreme, horizon=between(1e-6, 1e5), gap=st.one_of(st.just(0.0), between(1e-3, 1e4))
)
def test_predictions_stay_within_reason_at_extremes(history, parameters, horizon, gap):
    model = purchases_model(**parameters)
    x, tx, T = history
    alive = model.probability_alive(*history)
    silent = model.probability_no_purchase(horizon, *history, gap=gap)
    purchases = model.expected_purchases(horizon, *history, gap=gap)
    for chance in (alive, silent):
        assert np.all((chance >= 0) & (chance <= 1))
    assert np.all(alive[x == 0] == 1)
    assert np.all(np.isfinite(purchases))
    most = alive * (parameters["r"] + x) * horizon / (parameters["alpha"] + T)
    reached = model.expected_purchases(horizon + gap, *history)
    assert np.all(purchases <= most * (1 + 1e-9) + 1e-9 * reached)
    assert np.all(purchases >= (1 - silent) * (1 - 1e-9) - 1e-9 * (1 + reached))  # Markov: mean ≥ chance of one
    assert np.all(model.expected_purchases(2 * horizon, *history, gap=gap) >= purchases - 1e-9 * reached)
    assert np.all(model.probability_no_purchase(2 * horizon, *history, gap=gap) <= silent + 1e-12)
    assert np.all(model.probability_alive(x, tx, 2 * T) <= alive)


def test_longer_silence_lowers_the_probability_of_being_alive():
    T = np.arange(30.0, 400.0, 10.0)
    alive = purchases_model(**CDNOW).probability_alive(np.full(len(T), 3), np.full(len(T), 30.0), T)
    assert np.all(np.diff(alive) < 0)
    heavy = purchases_model(**CDNOW).probability_alive([3, 30], [30.0, 30.0], [60.0, 60.0])
    assert heavy[1] < heavy[0]  # the same silence says more of a frequent buyer


# Frozen parameters ---------------------------------------------------------------------------------------------------


def frozen_predictions(x, tx, T, parameters):
    return (
        probability_alive(x, tx, T, parameters=parameters),
        expected_purchases(x, tx, T, parameters=parameters, horizon=90),
        expected_purchases(x, tx, T, parameters=parameters, horizon=90, gap=30),
        probability_no_purchase(x, tx, T, parameters=parameters, horizon=90),
        probability_no_purchase(x, tx, T, parameters=parameters, horizon=90, gap=30),
    )


@pytest.mark.parametrize("kind", ["bg/nbd", "pareto/nbd"])
def test_a_model_predicts_what_its_frozen_parameters_predict(simulated, kind):
    x, tx, T, monetary = (column[:400] for column in simulated)
    model = BuyTillYouDie(purchases=kind).fit(x, tx, T, monetary)
    frozen = frozen_predictions(x, tx, T, model.parameters_)
    own = model.purchases_
    assert_array_equal(own.probability_alive(x, tx, T), frozen[0])
    assert_array_equal(own.expected_purchases(90, x, tx, T), frozen[1])
    assert_array_equal(own.expected_purchases(90, x, tx, T, gap=30), frozen[2])
    assert_array_equal(own.probability_no_purchase(90, x, tx, T), frozen[3])
    assert_array_equal(own.probability_no_purchase(90, x, tx, T, gap=30), frozen[4])


def test_a_client_has_the_same_numbers_to_the_last_bit_in_any_batch():
    rng = np.random.default_rng(8)
    x = rng.choice([0, 0, 1, 2, 7, 60, 900, 5000], 3_001).astype(float)
    T = rng.uniform(1e-3, 900, len(x))
    tx = np.where(x > 0, T * rng.uniform(0.01, 1, len(x)), 0.0)
    lifetimes = {"r": 0.55, "alpha": 74.0, "s": 0.6, "beta": 82.0}, {"r": 30.0, "alpha": 0.01, "s": 2e-3, "beta": 9e3}
    for parameters in (CDNOW, {"r": 30.0, "alpha": 0.01, "a": 2e-3, "b": 500.0}, *lifetimes):
        together = frozen_predictions(x, tx, T, parameters)
        assert all(np.all(np.isfinite(values)) for values in together)
        order = rng.permutation(len(x))
        frame = np.column_stack([x, tx, T])[order]  # strided columns
        frame.flags.writeable = False
        for values, other in zip(together, frozen_predictions(*frame.T, parameters), strict=True):
            assert_array_equal(values[order], other)
        for row in range(0, len(x), 61):
            alone = frozen_predictions(x[row : row + 1], tx[row : row + 1], T[row : row + 1], parameters)
            assert [value[0] for value in alone] == [values[row] for values in together]


any_number = st.floats(allow_nan=True, allow_infinity=True)
extreme_lifetimes = st.fixed_dictionaries(
    {"r": between(1e-4, 1e4), "alpha": between(1e-9, 1e11), "s": between(1e-4, 1e4), "beta": between(1e-9, 1e11)}
)


@settings(max_examples=300, deadline=None)
@given(
    x=st.one_of(st.integers(0, 5), st.integers(0, 2**60), st.sampled_from([1e300, 1.7e308]), any_number),
    ends=st.tuples(any_number, any_number) | st.tuples(between(1e-300, 1e300), between(1e-300, 1e300)).map(sorted),
    parameters=extreme | extreme_lifetimes,
    horizon=st.one_of(between(1e-300, 1e300), st.just(0.0)),
    gap=st.one_of(between(1e-300, 1e300), st.just(0.0)),
)
def test_no_number_is_too_much_for_frozen_parameters(x, ends, parameters, horizon, gap):
    tx, T = (0.0, ends[1]) if x == 0 else ends
    history = [x], [tx], [T]
    alive = probability_alive(*history, parameters=parameters)[0]
    purchases = expected_purchases(*history, parameters=parameters, horizon=horizon, gap=gap)[0]
    silent = probability_no_purchase(*history, parameters=parameters, horizon=horizon, gap=gap)[0]
    possible = 0 <= tx <= T < np.inf and 0 <= x < np.inf and x == np.floor(x) and (x > 0) == (tx > 0)
    if possible:
        assert 0 <= alive <= 1
        assert 0 <= purchases < np.inf
        assert 0 <= silent <= 1
    else:
        assert np.isnan([alive, purchases, silent]).all()


def test_a_new_client_is_active_and_buys_at_the_mean_rate_to_come():
    nothing = [0], [0], [0]
    assert probability_alive(*nothing, parameters=CDNOW)[0] == 1.0
    got = expected_purchases(*nothing, parameters=CDNOW, horizon=39)[0]
    assert got == pytest.approx(closed_form(39 / 4.414, 0.2426, 0.793, 2.426), rel=1e-12)


@pytest.mark.parametrize("parameters", [CDNOW, {"r": 0.5533, "alpha": 10.578, "s": 0.6062, "beta": 11.669}])
def test_missing_and_impossible_histories_are_missing(parameters):
    rows = [
        (np.nan, 1, 2), (1, np.nan, 2), (1, 1, np.nan), (0, 0, np.nan), (0, np.nan, 2),
        (np.inf, 1, 2), (1, np.inf, np.inf), (1, 1, np.inf), (-1, 1, 2), (1.5, 1, 2), (1, -1, 2),
        (1, 3, 2), (0, 0, -1), (0, 1, 2), (2, 0, 2),
    ]  # fmt: skip
    for values in frozen_predictions(*np.array([*rows, (2, 1, 2)], float).T, parameters):
        assert_array_equal(np.isnan(values), [True] * len(rows) + [False])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"parameters": {"r": 1.0, "alpha": 1.0, "a": 1.0}}, "positive number for 'b'; got nan"),
        ({"parameters": {**CDNOW, "a": 0.0}}, "positive number for 'a'; got 0.0"),
        ({"parameters": {**CDNOW, "r": np.inf}}, "positive number for 'r'; got inf"),
        ({"horizon": -1.0}, "`horizon` must be a finite number"),
        ({"gap": np.nan}, "`gap` must be a finite number"),
        ({"T": [1.0, 2.0]}, r"one value per client; got shapes \(1,\), \(1,\), \(2,\)"),
        ({"frequency": [[1.0]], "recency": [[1.0]], "T": [[2.0]]}, r"one value per client; got shapes \(1, 1\)"),
        ({"recency": 1.0}, r"one value per client; got shapes \(1,\), \(\), \(1,\)"),
    ],
)
def test_impossible_frozen_input_is_refused(change, message):
    given = {"frequency": [1.0], "recency": [1.0], "T": [2.0], "parameters": CDNOW, "horizon": 9.0, **change}
    for predict in (expected_purchases, probability_no_purchase):
        with pytest.raises(ValueError, match=message):
            predict(**given)


def test_nobody_at_all_has_no_numbers():
    assert all(len(values) == 0 for values in frozen_predictions([], [], [], CDNOW))


def test_the_door_is_light_and_says_what_it_has():
    code = "import loyalty.btyd, sys; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
    assert not {"numba", "pandas", "scipy", "sklearn"} & set(done.stdout.split())
    assert all(getattr(loyalty.btyd, name).__doc__ for name in loyalty.btyd.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Lifetimes'"):
        loyalty.btyd.Lifetimes  # noqa: B018


# Fitting -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def simulated():
    rng = np.random.default_rng(4)
    x, tx, T = summarise(simulate(15_000, rng, r=0.6, alpha=20.0, a=0.8, b=2.5, T=120.0, until=120.0)[0], 120.0)
    mean = rng.gamma(4.0 * np.maximum(x, 1), 1 / (np.maximum(x, 1) * rng.gamma(3.0, 1 / 50.0, len(x))))
    return x, tx, T, mean


def test_fit_recovers_the_parameters_of_simulated_clients(simulated):
    x, tx, T, monetary = simulated
    model = BuyTillYouDie().fit(x, tx, T, monetary)
    assert model.converged_
    truth = {"r": 0.6, "alpha": 20.0, "a": 0.8, "b": 2.5, "p": 4.0, "q": 3.0, "v": 50.0}
    assert model.parameters_ == pytest.approx(truth, rel=0.2)
    likelihood = purchase_log_likelihood(np.log(list(truth.values())[:4]), PurchaseRows.of(x, tx, T))[0]
    assert 0 <= model.purchases_.log_likelihood_ - likelihood < 10  # about χ²(4) / 2
    assert model.purchases_.repeat_ratio_ == pytest.approx(1.0, abs=0.05)


def test_fit_is_a_maximum(simulated):
    x, tx, T, monetary = simulated
    model = BuyTillYouDie().fit(x, tx, T, monetary)
    purchases, spend = PurchaseRows.of(x, tx, T), SpendRows.of(x[x > 0], monetary[x > 0])
    for part, likelihood, rows in (
        (model.purchases_, purchase_log_likelihood, purchases),
        (model.spend_, spend_log_likelihood, spend),
    ):
        value, gradient = likelihood(np.log(list(part.parameters_.values())), rows)
        assert value == pytest.approx(part.log_likelihood_, rel=1e-12)
        assert np.abs(gradient).max() < 1e-5 * rows.counts.sum()


def test_order_of_clients_does_not_change_a_bit(simulated):
    shuffled = [column[np.random.default_rng(5).permutation(len(column))] for column in simulated]
    assert BuyTillYouDie().fit(*simulated).parameters_ == BuyTillYouDie().fit(*shuffled).parameters_


def test_currency_scales_v_and_nothing_else(simulated):
    x, _, _, monetary = simulated
    pounds, pence = GammaGamma().fit(x, monetary), GammaGamma().fit(x, 100 * monetary)
    assert_allclose([pence.p_, pence.q_, pence.v_ / 100], [pounds.p_, pounds.q_, pounds.v_], rtol=1e-5)
    assert pence.log_likelihood_ == pytest.approx(pounds.log_likelihood_ - pounds.n_clients_ * np.log(100), abs=1e-6)


def degenerate_histories():
    n = 50
    T = np.linspace(10, 60, n)
    return {
        "one client": ([1], [3.0], [9.0]),
        "nobody bought again": (np.zeros(n), np.zeros(n), T),
        "everybody is new": (np.zeros(n), np.zeros(n), np.zeros(n)),
        "daily buyers who never leave": (np.floor(T), np.floor(T), T),
        "everybody left at once": (np.ones(n), np.full(n, 1e-3), T),
        "the heaviest buyers": (np.full(n, 5000), np.full(n, 9.0), T),
        "purchases by the clock": (np.full(n, 5), np.full(n, 50.0), np.full(n, 50.0)),
    }


@pytest.mark.parametrize("name", degenerate_histories())
def test_degenerate_histories_are_fitted_and_said(name):
    history = degenerate_histories()[name]
    model = BetaGeometricNBD().fit(*history)
    assert not model.converged_
    assert any(word in model.message_ for word in ("bound", "settle", "Nobody"))
    assert np.all(np.isfinite([*model.parameters_.values(), model.log_likelihood_]))
    assert np.all(np.isfinite(model.expected_purchases(90, *history)))
    assert np.all(np.isfinite(model.probability_no_purchase(90, *history, gap=10)))


def test_clients_who_never_leave_are_said_in_words():
    x = np.random.default_rng(6).poisson(40, 500) + 1.0
    model = BetaGeometricNBD().fit(x, np.full(500, 99.5), np.full(500, 100.0))
    assert "leaves" in model.message_
    assert not model.converged_
    assert_allclose(model.probability_alive([40], [99.5], [100.0]), 1.0, atol=1e-3)


def test_misfit_is_said():
    """Everybody buys weekly until one day nobody does, which the model cannot follow."""
    x, tx, T = np.repeat([0.0, 50.0], [400, 60]), np.repeat([0.0, 50.0], [400, 60]), np.full(460, 1000.0)
    model = BetaGeometricNBD().fit(x, tx, T)
    assert abs(model.repeat_ratio_ - 1) > 0.2
    assert f"{model.repeat_ratio_:.2f} times the repeat purchases" in model.message_


# Spend ---------------------------------------------------------------------------------------------------------------


def spend_model(*, p, q, v):
    model = GammaGamma()
    model.p_, model.q_, model.v_ = p, q, v
    return model


def test_expected_spend_is_a_weighted_mean_of_population_and_client():
    model = spend_model(p=6.25, q=3.74, v=15.44)
    population = 6.25 * 15.44 / 2.74
    weight = 6.25 * 4 / (6.25 * 4 + 2.74)
    expected = [population, weight * 60 + (1 - weight) * population, (1 - weight) * population]
    # No repeat purchase: monetary is not looked at. Refunds beyond purchases: as if 0.
    assert_allclose(model.expected_spend([0, 4, 4], [np.nan, 60.0, -30.0]), expected, rtol=1e-12)


def test_spend_is_learnt_from_repeat_buyers_with_positive_spend_only(simulated):
    x, _, _, monetary = simulated
    plain = GammaGamma().fit(x, monetary)
    more = GammaGamma().fit([*x, 0, 3, 2], [*monetary, 1e9, -5.0, 0.0])
    assert plain.parameters_ == more.parameters_
    assert plain.n_clients_ == more.n_clients_ == (x > 0).sum()


def test_equal_spend_meets_bounds_and_says_so():
    model = GammaGamma().fit([1, 2, 3, 4], [20.0] * 4)
    assert not model.converged_
    assert "hardly varies" in model.message_
    assert_allclose(model.expected_spend([0, 4], [0, 20.0]), 20.0, rtol=1e-2)


def test_spend_without_a_mean_is_held_at_its_bound():
    rng = np.random.default_rng(7)
    model = GammaGamma().fit(np.full(3000, 2), rng.gamma(4.0, 1.0, 3000) / rng.gamma(0.6, 1.0, 3000))
    assert model.q_ == pytest.approx(1.05)
    assert not model.converged_
    assert "infinite" in model.message_
    assert np.isfinite(model.expected_spend([0], [0.0])[0])


def test_the_joint_door_multiplies_purchases_and_spend(simulated):
    x, tx, T, monetary = (column[:300] for column in simulated)
    model = BuyTillYouDie().fit(x, tx, T, monetary)
    silent, value = model.predict(30, x, tx, T, monetary, gap=7)
    assert_array_equal(silent, model.purchases_.probability_no_purchase(30, x, tx, T, gap=7))
    purchases = model.purchases_.expected_purchases(30, x, tx, T, gap=7)
    assert_array_equal(value, purchases * model.spend_.expected_spend(x, monetary))
    assert list(model.parameters_) == ["r", "alpha", "a", "b", "p", "q", "v"]
    assert model.message_.startswith("Purchases: ")
    assert " Spend: " in model.message_


def test_both_fits_must_converge(simulated):
    x, tx, T, _ = simulated
    model = BuyTillYouDie().fit(x, tx, T, np.where(x > 0, 20.0, 0.0))
    assert (model.purchases_.converged_, model.spend_.converged_, model.converged_) == (True, False, False)


# The border ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("history", "message"),
    [
        (([], [], []), "`frequency` must hold at least 1 client"),
        (([1, -1], [1, 0], [2, 2]), "`frequency` must be 0 or more; got -1 in row 1"),
        (([1.5], [1], [2]), "`frequency` must be a whole number; got 1.5 in row 0"),
        (([np.nan], [1], [2]), "`frequency` must be finite; got nan"),
        (([1], [np.nan], [2]), "`recency` must be finite"),
        (([1], [1], [np.inf]), "`T` must be finite; got inf"),
        (([1], [-1], [2]), "`recency` must be 0 or more"),
        (([0], [0], [-2]), "`T` must be 0 or more"),
        (([1, 1], [1, 3], [2, 2]), "`recency` must be at most `T`; got 3 in row 1"),
        (([0], [1], [2]), "`recency` must be 0 where `frequency` is 0"),
        (([2], [0], [2]), "`recency` must be above 0 where `frequency` is above 0"),
        (([1, 2], [1], [2]), "lengths `frequency` 2, `recency` 1, `T` 1"),
        (([[1]], [[1]], [[2]]), "`frequency` must have one dimension"),
        ((["often"], [1], [2]), "`frequency` must hold numbers only"),
    ],
)
def test_impossible_histories_are_refused(history, message):
    with pytest.raises(ValueError, match=message):
        BetaGeometricNBD().fit(*history)
    with pytest.raises(ValueError, match=message):
        purchases_model(**CDNOW).probability_alive(*history)


def test_edges_of_the_possible_are_taken():
    model = BetaGeometricNBD().fit([0, 1, 1, 2], [0, 2, 1, 3], [0, 2, 5, 9])
    assert np.isfinite(model.log_likelihood_)


@pytest.mark.parametrize(
    ("frequency", "monetary", "message"),
    [
        ([1, 0], [np.nan, 5.0], "`monetary` must be finite where `frequency` is above 0; got nan in row 0"),
        ([1, 0], [np.inf, 5.0], "`monetary` must be finite"),
        ([0, 2], [5.0, -1.0], "both be above 0 for at least 1 client.*got 0 of 2"),
        ([1, 2], [5.0], "lengths `frequency` 2, `monetary` 1"),
    ],
)
def test_impossible_spend_is_refused(frequency, monetary, message):
    with pytest.raises(ValueError, match=message):
        GammaGamma().fit(frequency, monetary)


@pytest.mark.parametrize("length", [-1.0, np.inf, np.nan, "90d", [1.0]])
def test_impossible_lengths_are_refused(length):
    model = purchases_model(**CDNOW)
    for predict in (model.probability_no_purchase, model.expected_purchases):
        with pytest.raises(ValueError, match="`horizon` must be a finite number"):
            predict(length, [1], [1], [2])
        with pytest.raises(ValueError, match="`gap` must be a finite number"):
            predict(1.0, [1], [1], [2], gap=length)


def test_nothing_is_predicted_before_fitting():
    with pytest.raises(NotFittedError):
        BetaGeometricNBD().probability_alive([1], [1], [2])
    with pytest.raises(NotFittedError):
        GammaGamma().expected_spend([1], [1])
    with pytest.raises(NotFittedError):
        BuyTillYouDie().predict(1, [1], [1], [2], [3])


def test_input_is_left_alone_and_series_are_taken(simulated):
    frame = pd.DataFrame(dict(zip(["frequency", "recency", "T", "monetary"], simulated, strict=True))).iloc[:200]
    before = frame.copy()
    columns = [frame[name] for name in frame]
    model = BuyTillYouDie().fit(*columns)
    model.predict(30, *columns)
    pd.testing.assert_frame_equal(frame, before)
