"""MBG/NBD and Pareto/NBD, and purchases in the long run, against mpmath, simulation, published figures and extremes."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import approx_fprime

from loyalty.btyd import BetaGeometricNBD, BuyTillYouDie, ModifiedBetaGeometricNBD, ParetoNBD
from loyalty.btyd._dropout import discounted_purchases
from loyalty.btyd._lifetime import _log_integral, discounted_power
from loyalty.btyd._likelihood import PurchaseRows, lifetime_log_likelihood, purchase_log_likelihood
from test_btyd import (
    CDNOW,
    CLIENTS,
    PURCHASE_POINTS,
    between,
    degenerate_histories,
    histories,
    purchases_model,
    read_cdnow,
    simulate,
    summarise,
)

MODELS = [BetaGeometricNBD, ModifiedBetaGeometricNBD, ParetoNBD]
PARETO = {"r": 0.5533, "alpha": 10.578, "s": 0.6062, "beta": 11.669}
LIFETIME_POINTS = [
    tuple(PARETO.values()),
    (25.0, 300.0, 0.01, 40.0),
    (1e4, 1e6, 1e-4, 1e-6),
    (1e-4, 1e-6, 1e4, 1e4),
    (3.0, 0.1, 50.0, 1e5),
]


def model_with(model, **parameters):
    """A model with given parameters, without fitting."""
    for name, value in parameters.items():
        setattr(model, f"{name}_", value)
    return model


def simulate_lifetimes(n, rng, *, r, alpha, s, beta, T, until):
    """As `simulate`, for clients with a lifetime of their own."""
    rate, life = rng.gamma(r, 1 / alpha, n), rng.exponential(1 / rng.gamma(s, 1 / beta, n))
    ends = np.minimum(life, until)
    counts = rng.poisson(rate * ends)
    return [np.sort(rng.uniform(0, end, count)) for end, count in zip(ends, counts, strict=True)], life > T


# Published figures ---------------------------------------------------------------------------------------------------


def in_weeks():
    clients = read_cdnow()
    return clients["frequency"], clients["recency"] / 7, clients["T"] / 7


@pytest.mark.parametrize(
    ("model", "parameters", "half_a_digit", "log_likelihood"),
    [
        (ParetoNBD(), [0.553, 10.58, 0.606, 11.67], [5e-4, 5e-3, 5e-4, 5e-3], -9594.98),
        (ModifiedBetaGeometricNBD(), [0.525, 6.183, 0.891, 1.614], [5e-4, 5e-4, 5e-4, 5e-4], -9582.14),
    ],
    ids=["pareto", "mbg"],
)
def test_published_parameters_of_cdnow(model, parameters, half_a_digit, log_likelihood):
    model.fit(*in_weeks())
    assert np.all(np.abs(np.array(list(model.parameters_.values())) - parameters) <= half_a_digit)
    assert model.log_likelihood_ == pytest.approx(log_likelihood, abs=0.01)
    assert model.converged_
    assert model.message_ == "The most likely parameters were found."
    assert model.repeat_ratio_ == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(
    ("model", "error", "correlation"), [(ParetoNBD, 1.603, 0.630), (BetaGeometricNBD, 1.608, 0.626)]
)
def test_published_accuracy_in_the_holdout_of_cdnow(model, error, correlation):
    later = read_cdnow()["later"]
    expected = model().fit(*in_weeks()).expected_purchases(39, *in_weeks())
    assert np.sqrt(np.mean((later - expected) ** 2)) == pytest.approx(error, abs=5e-4)
    assert np.corrcoef(later, expected)[0, 1] == pytest.approx(correlation, abs=5e-4)


def test_a_published_client_of_pareto_nbd():
    """The walkthrough of BTYD for R: 26 purchases, the last after 30.86 of 31 weeks; 25.46 expected in 52 more."""
    model = model_with(ParetoNBD(), **PARETO)
    assert model.expected_purchases(52, [26], [30.86], [31.0])[0] == pytest.approx(25.46, abs=5e-3)


# Likelihoods ---------------------------------------------------------------------------------------------------------


def exact_integral(p, A, q, B, w):
    """I(p, A; q, B; w) in 30 digits, on the log scale of the smaller of A and B."""
    with mp.workdps(30):
        p, A, q, B, w = map(mp.mpf, (p, A, q, B, w))
        c = min(A, B)

        def integrand(u):
            v = c * mp.expm1(u)
            return (c + v) * (1 + v / A) ** -p * (1 + v / B) ** -q

        knots = mp.linspace(0, mp.log1p(w / c), 101)
        heights = [mp.log(integrand(u)) for u in knots]
        seen = [i for i, height in enumerate(heights) if height > max(heights) - 80]
        low, high = knots[max(seen[0] - 1, 0)], knots[min(seen[-1] + 1, 100)]
        return mp.quad(integrand, mp.linspace(low, high, 21))


def exact_lifetime_likelihood(x, tx, T, r, alpha, s, beta):
    """Mean over lifetimes: longer than T, or ended after the last purchase."""
    r, alpha, s, beta, tx, T = map(mp.mpf, (r, alpha, s, beta, tx, T))
    scale = mp.gamma(r + x) / mp.gamma(r) * alpha**r * beta**s
    active = (alpha + T) ** -(r + x) * (beta + T) ** -s
    if tx == T:
        return scale * active
    left = (alpha + tx) ** -(r + x) * (beta + tx) ** -(s + 1)
    return scale * (active + s * left * exact_integral(r + x, alpha + tx, s + 1, beta + tx, T - tx))


@pytest.mark.parametrize("point", LIFETIME_POINTS)
def test_pareto_likelihood_equals_its_definition(point):
    for client in CLIENTS:
        with mp.workdps(30):
            expected = float(mp.log(exact_lifetime_likelihood(*client, *point)))
        rows = PurchaseRows.of(*(np.array([float(value)]) for value in client))
        assert lifetime_log_likelihood(np.log(point), rows)[0] == pytest.approx(expected, rel=1e-11, abs=1e-11)


def test_pareto_likelihood_equals_the_textbook():
    """The form of the note of Fader and Hardie, with its hypergeometric functions, where α ≥ β and where α < β."""
    for r, alpha, s, beta in ((0.55, 10.6, 0.61, 11.7), (0.55, 21.0, 0.61, 3.0)):
        for x, tx, T in ((0, 0.0, 38.9), (2, 30.43, 38.86), (9, 20.0, 21.0)):
            with mp.workdps(40):
                far, near = max(alpha, beta), abs(alpha - beta)
                total, second = r + s + x, (s + 1 if alpha >= beta else r + x)

                def term(t, far=far, near=near, total=total, second=second):
                    return mp.hyp2f1(total, second, total + 1, near / mp.mpf(far + t)) / mp.mpf(far + t) ** total

                scale = mp.gamma(r + x) / mp.gamma(r) * mp.mpf(alpha) ** r * mp.mpf(beta) ** s
                active = 1 / (mp.mpf(alpha + T) ** (r + x) * mp.mpf(beta + T) ** s)
                expected = float(mp.log(scale * (active + s / mp.mpf(total) * (term(tx) - term(T)))))
            rows = PurchaseRows.of(*(np.array([float(value)]) for value in (x, tx, T)))
            got = lifetime_log_likelihood(np.log([r, alpha, s, beta]), rows)[0]
            assert got == pytest.approx(expected, rel=1e-12)


def exact_modified_likelihood(x, tx, T, r, alpha, a, b):
    r, alpha, a, b, tx, T = map(mp.mpf, (r, alpha, a, b, tx, T))
    scale = mp.gamma(r + x) / mp.gamma(r) * alpha**r / mp.beta(a, b)
    active = mp.beta(a, b + x + 1) / (alpha + T) ** (r + x)
    return scale * (active + mp.beta(a + 1, b + x) / (alpha + tx) ** (r + x))


@pytest.mark.parametrize("point", PURCHASE_POINTS)
def test_mbg_likelihood_equals_its_definition(point):
    for client in CLIENTS:
        with mp.workdps(60):
            expected = float(mp.log(exact_modified_likelihood(*client, *point)))
        rows = PurchaseRows.of(*(np.array([float(value)]) for value in client))
        assert purchase_log_likelihood(np.log(point), rows, 1.0)[0] == pytest.approx(expected, rel=1e-11, abs=1e-11)


@pytest.mark.parametrize(
    ("likelihood", "points"),
    [
        (lambda theta, rows: purchase_log_likelihood(theta, rows, 1.0), PURCHASE_POINTS),
        (lifetime_log_likelihood, LIFETIME_POINTS),
    ],
    ids=["mbg", "pareto"],
)
def test_gradients_are_the_slopes_of_the_likelihood(likelihood, points):
    rows = PurchaseRows.of(*np.array(CLIENTS, float).T)
    for point in points:
        theta = np.log(point)
        up, down = (approx_fprime(theta, lambda t: likelihood(t, rows)[0], step) for step in (2e-6, -2e-6))
        gradient = likelihood(theta, rows)[1]
        assert_allclose(gradient, (up + down) / 2, rtol=2e-6, atol=1e-7 * np.abs(gradient).max())


@pytest.mark.parametrize("seed", range(25))
def test_the_integral_equals_mpmath_over_wide_parameters(seed):
    p, A, q, B, w = np.exp(np.random.default_rng(seed).uniform([-9, -12, -9, -12, -8], [9, 12, 9, 12, 12]))
    expected = exact_integral(p, A, q, B, w)
    assert _log_integral(p, A, q, B, w)[0] == pytest.approx(float(mp.log(expected)), rel=1e-11, abs=1e-11)


# Predictions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", [*LIFETIME_POINTS, (0.5, 10.0, 1.0, 12.0)])
@pytest.mark.parametrize("horizon", [1e-3, 39.0, 5e4])
def test_pareto_predictions_equal_the_papers(point, horizon):
    model = model_with(ParetoNBD(), **dict(zip(PARETO, point, strict=True)))
    clients = [(0, 0.0, 38.9), (2, 30.43, 38.86), (260, 1.0, 364.0)]
    history = np.array(clients, float).T
    alive, purchases = model.probability_alive(*history), model.expected_purchases(horizon, *history)
    for row, (x, tx, T) in enumerate(clients):
        with mp.workdps(40):
            r, alpha, s, beta = map(mp.mpf, point)
            active = mp.gamma(r + x) / mp.gamma(r) * alpha**r * beta**s / (alpha + T) ** (r + x) / (beta + T) ** s
            exact_alive = active / exact_lifetime_likelihood(x, tx, T, *point)
            near = s if s != 1 else s + mp.mpf("1e-25")
            left = (1 - ((beta + T) / (beta + T + mp.mpf(horizon))) ** (near - 1)) / (near - 1)
            exact = exact_alive * (r + x) * (beta + T) / (alpha + T) * left
        assert alive[row] == pytest.approx(float(exact_alive), rel=1e-10, abs=1e-300)
        assert purchases[row] == pytest.approx(float(exact), rel=1e-10, abs=1e-300)


@pytest.mark.parametrize(("gap", "horizon"), [(0.0, 39.0), (7.0, 3.0), (500.0, 0.1)])
def test_pareto_silence_equals_the_mean_over_rates(gap, horizon):
    model = model_with(ParetoNBD(), **PARETO)
    r, alpha, s, beta = PARETO.values()
    x, tx, T = 3, 20.0, 31.0

    with mp.workdps(25):  # Active at v and silent from the gap until v, integrated by parts in the other direction.
        A, B = mp.mpf(alpha + T), mp.mpf(beta + T)
        gone = mp.quad(
            lambda v: s / (B + v) * (B / (B + v)) ** s * (A / (A + v - gap)) ** (r + x), [gap, gap + horizon]
        )
        silent = 1 - (B / (B + gap)) ** s + gone + (B / (B + gap + horizon)) ** s * (A / (A + horizon)) ** (r + x)
    alive = model.probability_alive([x], [tx], [T])[0]
    got = model.probability_no_purchase(horizon, [x], [tx], [T], gap=gap)[0]
    assert got == pytest.approx(1 - alive + alive * float(silent), rel=1e-11)


def test_purchases_in_two_windows_add_up():
    for model in (model_with(ParetoNBD(), **PARETO), model_with(ModifiedBetaGeometricNBD(), **CDNOW)):
        history = np.array(CLIENTS, float).T
        first, second = model.expected_purchases(5, *history), model.expected_purchases(34, *history, gap=5)
        assert_allclose(first + second, model.expected_purchases(39, *history), rtol=1e-12)


def test_mbg_is_bg_with_one_stay_more():
    """An active client has stayed once more; and a new one first has to."""
    r, alpha, a, b = CDNOW.values()
    bg, mbg = purchases_model(r=r, alpha=alpha, a=a, b=b + 1), model_with(ModifiedBetaGeometricNBD(), **CDNOW)
    some = [1, 2, 40], [5.0, 30.0, 20.0], [9.0, 38.9, 39.0]
    assert_allclose(mbg.probability_alive(*some), bg.probability_alive(*some), rtol=1e-13)
    assert_allclose(mbg.expected_purchases(39, *some, gap=3), bg.expected_purchases(39, *some, gap=3), rtol=1e-12)
    assert_allclose(mbg._from_start(np.array([9.0])), b / (a + b) * bg._from_start(np.array([9.0])), rtol=1e-13)
    alive = mbg.probability_alive([0], [0], [38.9])[0]
    assert alive == pytest.approx(1 / (1 + a / b * ((alpha + 38.9) / alpha) ** r), rel=1e-12)
    new = mbg.probability_alive([0], [0], [0])[0]
    assert new == pytest.approx(b / (a + b), rel=1e-12)


def test_where_nobody_leaves_all_models_are_the_negative_binomial():
    r, alpha = 0.7, 9.0
    stay = [
        model_with(ParetoNBD(), r=r, alpha=alpha, s=1.0, beta=1e13),
        model_with(ParetoNBD(), r=r, alpha=alpha, s=1e-13, beta=1.0),
        purchases_model(r=r, alpha=alpha, a=1e-13, b=1.0),
        model_with(ModifiedBetaGeometricNBD(), r=r, alpha=alpha, a=1e-13, b=1.0),
    ]
    x, tx, T = [0, 3, 9], [0, 20.0, 50.0], [52.0, 52.0, 52.0]
    exposure = alpha + np.array(T)
    for model in stay:
        assert_allclose(model.probability_alive(x, tx, T), 1.0, rtol=1e-8)
        assert_allclose(model.expected_purchases(30, x, tx, T), (r + np.array(x)) / exposure * 30, rtol=1e-8)
        silent = (exposure / (exposure + 30)) ** (r + np.array(x))
        assert_allclose(model.probability_no_purchase(30, x, tx, T, gap=5), silent, rtol=1e-8)
        assert_allclose(model.discounted_purchases(0.1, x, tx, T), (r + np.array(x)) / exposure / 0.1, rtol=1e-8)


SIMULATED = {
    "mbg": (ModifiedBetaGeometricNBD, {"r": 0.8, "alpha": 6.0, "a": 0.9, "b": 2.0}),
    "pareto": (ParetoNBD, {"r": 0.8, "alpha": 6.0, "s": 0.9, "beta": 15.0}),
}


@pytest.mark.parametrize("name", SIMULATED)
def test_predictions_agree_with_simulated_clients(name):
    kind, parameters = SIMULATED[name]
    T, gap, horizon, rate, n = 30.0, 8.0, 15.0, 0.1, 30_000
    rng = np.random.default_rng(3)
    if kind is ParetoNBD:
        times, alive = simulate_lifetimes(n, rng, **parameters, T=T, until=T + 160)
    else:
        times, alive = simulate(n, rng, **parameters, T=T, until=T + 160, first=True)
    history = summarise(times, T)
    model = model_with(kind(), **parameters)
    predicted = {
        "alive": model.probability_alive(*history),
        "silent after gap": model.probability_no_purchase(horizon, *history, gap=gap),
        "silent": model.probability_no_purchase(horizon, *history),
        "purchases after gap": model.expected_purchases(horizon, *history, gap=gap),
        "discounted": model.discounted_purchases(rate, *history),  # e**-16 of it lies beyond the simulation
    }
    now = np.array([np.sum((t > T) & (t <= T + horizon)) for t in times])
    later = np.array([np.sum((t > T + gap) & (t <= T + gap + horizon)) for t in times])
    happened = {
        "alive": alive,
        "silent after gap": later == 0,
        "silent": now == 0,
        "purchases after gap": later,
        "discounted": np.array([np.exp(-rate * (t[t > T] - T)).sum() for t in times]),
    }
    x, tx, _ = history
    groups = [x == 0, x == 1, (x >= 2) & (tx < 20), (x >= 2) & (tx >= 20), x >= 6]
    for what, values in predicted.items():
        for group in groups:
            error = happened[what][group] - values[group]
            assert abs(error.mean()) <= 4 * error.std() / np.sqrt(group.sum()) + 1e-9, what


# The long run --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("k", "a", "beta"),
    [
        (0.24, 0.793, 2.426),
        (3.2, 0.793, 5.4),
        (240.0, 0.01, 250.0),
        (1e-4, 1e-3, 0.1),
        (9.0, 30.0, 1e-3),
        (1.0, 1.0, 1.0),
        (50.0, 5.0, 70.0),
        (2.0, 1e-3, 30.0),
        (0.5, 1e4, 1e-4),
    ],
)
@pytest.mark.parametrize("rate", [1e-7, 0.3])
def test_discounted_purchases_equal_the_mean_over_rates(k, a, beta, rate):
    """Over p in closed form, with a hypergeometric function in 20 digits; over λ on the log scale."""
    with mp.workdps(20):

        def integrand(y):
            x = mp.exp(y)
            return mp.exp((k + 1) * y - x - mp.loggamma(k)) / rate * mp.hyp2f1(1, a, a + mp.mpf(beta), -x / rate)

        middle, width = np.log(k + 1), 1 / np.sqrt(k + 1)
        low = max(min(middle, np.log(rate)) - 40 / (k + 1), middle - 45 / k) - 9 * width
        high = middle + np.log1p(45 / (k + 1) + 9 * width)
        panels = int(np.ceil((high - low) / min(2.0, 4 * width)))
        knots = mp.linspace(low, high, panels + 1)
        expected = mp.quad(integrand, knots, method="gauss-legendre", maxdegree=3)
    assert discounted_purchases(rate, k, a, beta) == pytest.approx(float(expected), rel=1e-10)


def test_pareto_discounted_purchases_equal_the_paper():
    """Equation 2 of Fader, Hardie and Lee (2005), with the confluent hypergeometric function of the second kind."""
    for point in (tuple(PARETO.values()), (0.5, 10.0, 1.0, 12.0), (3.0, 100.0, 7.5, 900.0)):
        model = model_with(ParetoNBD(), **dict(zip(PARETO, point, strict=True)))
        for x, tx, T in ((0, 0.0, 77.86), (7, 35.0, 77.86)):
            likelihood = exact_lifetime_likelihood(x, tx, T, *point)
            for rate in (1e-6, 0.0027, 3.0):
                with mp.workdps(30):
                    r, alpha, s, beta = map(mp.mpf, point)
                    scale = alpha**r * beta**s * rate ** (s - 1) * mp.gamma(r + x + 1) / mp.gamma(r)
                    scale *= mp.hyperu(s, s, rate * (beta + T)) / (alpha + T) ** (r + x + 1)
                    expected = float(scale / likelihood)
                got = model.discounted_purchases(rate, [x], [tx], [T])[0]
                assert got == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("s", [1e-4, 0.5, 1.0, 1.0001, 2.0, 30.0, 1e4])
@pytest.mark.parametrize("rate", [1e-9, 1e-3, 1.0, 1e5])
def test_the_discounted_power_equals_mpmath(rate, s):
    with mp.workdps(30):
        expected = mp.exp(rate) * mp.expint(s, rate)
    assert discounted_power(rate, s) == pytest.approx(float(expected), rel=1e-11)


@pytest.mark.parametrize("kind", MODELS)
def test_the_long_run_lies_between_a_horizon_and_never_leaving(kind):
    parameters = PARETO if kind is ParetoNBD else CDNOW
    model, history = model_with(kind(), **parameters), np.array(CLIENTS, float).T
    x, _, T = history
    last = np.full(len(x), np.inf)
    for rate in (1e-4, 0.0027, 0.1, 5.0):
        value = model.discounted_purchases(rate, *history)
        staying = model.probability_alive(*history) * (model.r_ + x) / (model.alpha_ + T) / rate
        assert np.all(value <= staying * (1 + 1e-9))
        assert np.all(value < last)
        for horizon in (1.0, 39.0, 500.0):  # what is bought in a horizon is discounted by less than all of it
            assert np.all(value >= np.exp(-rate * horizon) * model.expected_purchases(horizon, *history) * (1 - 1e-9))
        last = value
    dear = model.discounted_purchases(1e6, *history) * 1e6
    assert_allclose(dear, model.probability_alive(*history) * (model.r_ + x) / (model.alpha_ + T), rtol=2e-3)


@pytest.mark.parametrize("rate", [0.0, -0.1, np.inf, np.nan, "15%"])
def test_impossible_rates_are_refused(rate):
    for model in (purchases_model(**CDNOW), model_with(ParetoNBD(), **PARETO)):
        with pytest.raises(ValueError, match="`rate` must be a finite number above 0"):
            model.discounted_purchases(rate, [1], [1], [2])


@pytest.mark.parametrize(
    ("name", "kind"), [("bg/nbd", BetaGeometricNBD), ("mbg/nbd", ModifiedBetaGeometricNBD), ("pareto/nbd", ParetoNBD)]
)
def test_the_joint_door_takes_any_model_of_purchases(name, kind, small):
    x, tx, T, monetary = small
    model = BuyTillYouDie(purchases=name).fit(x, tx, T, monetary)
    assert type(model.purchases_) is kind
    assert model.parameters_ == {**kind().fit(x, tx, T).parameters_, **model.spend_.parameters_}
    assert list(model.standard_errors_) == list(model.parameters_)
    silent, value = model.predict(30, x, tx, T, monetary, gap=7)
    assert_array_equal(silent, model.purchases_.probability_no_purchase(30, x, tx, T, gap=7))
    spend = model.spend_.expected_spend(x, monetary)
    assert_array_equal(value, model.purchases_.expected_purchases(30, x, tx, T, gap=7) * spend)
    worth = model.long_run_value(0.002, 0.3, x, tx, T, monetary)
    assert_array_equal(worth, model.purchases_.discounted_purchases(0.002, x, tx, T) * spend * 0.3)


def test_impossible_choices_are_refused(small):
    with pytest.raises(ValueError, match="`purchases` must be one of 'bg/nbd', 'mbg/nbd', 'pareto/nbd'; got 'nbd'"):
        BuyTillYouDie(purchases="nbd").fit(*small)
    model = BuyTillYouDie().fit(*small)
    for margin in (-0.1, 1.1, np.nan, "30%"):
        with pytest.raises(ValueError, match="`margin` must be a share from 0 to 1"):
            model.long_run_value(0.002, margin, *small)
    with pytest.raises(ValueError, match="`rate` must be"):
        model.long_run_value(0.0, 0.3, *small)


# Fitting -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small():
    rng = np.random.default_rng(4)
    x, tx, T = summarise(simulate(400, rng, r=0.6, alpha=20.0, a=0.8, b=2.5, T=120.0, until=120.0)[0], 120.0)
    return x, tx, T, rng.gamma(4.0, 10.0, len(x))


@pytest.mark.parametrize("name", SIMULATED)
def test_fit_recovers_the_parameters_of_simulated_clients(name):
    kind, parameters = SIMULATED[name]
    rng, n, T = np.random.default_rng(11), 12_000, 60.0
    if kind is ParetoNBD:
        times, _ = simulate_lifetimes(n, rng, **parameters, T=T, until=T)
    else:
        times, _ = simulate(n, rng, **parameters, T=T, until=T, first=True)
    model = kind().fit(*summarise(times, T))
    assert model.converged_
    assert model.repeat_ratio_ == pytest.approx(1.0, abs=0.05)
    for parameter, truth in parameters.items():
        assert abs(model.parameters_[parameter] - truth) <= 4 * model.standard_errors_[parameter]
        assert model.standard_errors_[parameter] < 0.3 * truth
    rows = PurchaseRows.of(*summarise(times, T))
    at_truth = model._log_likelihood(np.log(list(parameters.values())), rows)[0]
    assert 0 <= model.log_likelihood_ - at_truth < 12  # about χ²(4) / 2


@pytest.mark.parametrize("kind", MODELS)
def test_days_and_weeks_and_any_order_fit_alike(kind, small):
    x, tx, T, _ = small
    days, weeks = kind().fit(x, tx, T), kind().fit(x, tx / 7, T / 7)
    scales = np.array([7.0 if name in ("alpha", "beta") else 1.0 for name in days.parameters_])
    for what in ("parameters_", "standard_errors_"):
        ours, theirs = (np.array(list(getattr(model, what).values())) for model in (days, weeks))
        assert_allclose(ours, theirs * scales, rtol=1e-3)
    assert days.log_likelihood_ == pytest.approx(weeks.log_likelihood_ - x.sum() * np.log(7), abs=1e-5)
    order = np.random.default_rng(5).permutation(len(x))
    assert kind().fit(x[order], tx[order], T[order]).parameters_ == days.parameters_


@pytest.mark.parametrize("kind", [ModifiedBetaGeometricNBD, ParetoNBD])
@pytest.mark.parametrize("name", degenerate_histories())
def test_degenerate_histories_are_fitted_and_said(kind, name):
    history = degenerate_histories()[name]
    model = kind().fit(*history)
    assert not model.converged_
    assert any(word in model.message_ for word in ("bound", "settle", "Nobody"))
    assert np.all(np.isfinite([*model.parameters_.values(), model.log_likelihood_]))
    assert np.all(np.isfinite(model.expected_purchases(90, *history)))
    assert np.all(np.isfinite(model.probability_no_purchase(90, *history, gap=10)))
    assert np.all(np.isfinite(model.discounted_purchases(1e-3, *history)))


def test_a_grocer_whom_nobody_leaves_is_said_in_words():
    rng = np.random.default_rng(12)
    rate, T = rng.gamma(1.4, 1 / 10.0, 2_000), 240.0
    times = [np.sort(rng.uniform(0, T, count)) for count in rng.poisson(rate * T)]
    model = ParetoNBD().fit(*summarise(times, T))
    assert not model.converged_
    assert "leave" in model.message_
    assert "Not identified" in model.message_
    assert np.isnan([model.standard_errors_["s"], model.standard_errors_["beta"]]).any()
    assert np.all(np.isfinite([model.standard_errors_["r"], model.standard_errors_["alpha"]]))
    assert_allclose(model.probability_alive([30], [239.0], [240.0]), 1.0, atol=1e-2)


# Extremes ------------------------------------------------------------------------------------------------------------


wide = {"r": between(1e-4, 1e4), "alpha": between(1e-9, 1e11)}
extreme = {
    ModifiedBetaGeometricNBD: st.fixed_dictionaries({**wide, "a": between(1e-4, 1e4), "b": between(1e-4, 1e4)}),
    ParetoNBD: st.fixed_dictionaries({**wide, "s": between(1e-4, 1e4), "beta": between(1e-9, 1e11)}),
}


@settings(max_examples=120, deadline=None)
@given(
    data=st.data(),
    kind=st.sampled_from(list(extreme)),
    history=histories(),
    horizon=between(1e-6, 1e5),
    gap=st.one_of(st.just(0.0), between(1e-3, 1e4)),
    rate=between(1e-9, 1e3),
)
def test_predictions_stay_within_reason_at_extremes(data, kind, history, horizon, gap, rate):
    parameters = data.draw(extreme[kind])
    model = model_with(kind(), **parameters)
    x, tx, T = history
    alive = model.probability_alive(*history)
    silent = model.probability_no_purchase(horizon, *history, gap=gap)
    purchases = model.expected_purchases(horizon, *history, gap=gap)
    for chance in (alive, silent):
        assert np.all((chance >= 0) & (chance <= 1))
    assert np.all(np.isfinite(purchases))
    pace = alive * (parameters["r"] + x) / (parameters["alpha"] + T)
    reached = model.expected_purchases(horizon + gap, *history)
    assert np.all(purchases <= pace * horizon * (1 + 1e-9) + 1e-9 * reached)
    assert np.all(purchases >= (1 - silent) * (1 - 1e-9) - 1e-9 * (1 + reached))  # Markov: mean ≥ chance of one
    assert np.all(model.probability_no_purchase(2 * horizon, *history, gap=gap) <= silent + 1e-11)
    assert np.all(model.probability_alive(x, tx, 2 * T) <= alive * (1 + 1e-10))
    value = model.discounted_purchases(rate, *history)
    assert np.all(np.isfinite(value))
    assert np.all(value <= pace / rate * (1 + 1e-9))
    assert np.all(value >= np.exp(-rate * horizon) * model.expected_purchases(horizon, *history) * (1 - 1e-9))


@settings(max_examples=300, deadline=None)
@given(
    data=st.data(),
    kind=st.sampled_from(list(extreme)),
    x=st.one_of(st.integers(0, 5), st.integers(0, 2**60), st.sampled_from([1e300, 1.7e308])),
    ends=st.tuples(between(1e-300, 1e300), between(1e-300, 1e300)).map(sorted),
    lengths=st.tuples(*[st.one_of(between(1e-300, 1e300), st.just(0.0))] * 2),
    rate=between(1e-300, 1e300),
)
def test_no_number_is_too_much(data, kind, x, ends, lengths, rate):
    model = model_with(kind(), **data.draw(extreme[kind]))
    history = [x], [0.0 if x == 0 else ends[0]], [ends[1]]
    assert 0 <= model.probability_alive(*history)[0] <= 1
    assert 0 <= model.probability_no_purchase(lengths[0], *history, gap=lengths[1])[0] <= 1
    assert 0 <= model.expected_purchases(lengths[0], *history, gap=lengths[1])[0] < np.inf
    assert 0 <= model.discounted_purchases(rate, *history)[0] < np.inf


@settings(max_examples=150, deadline=None)
@given(data=st.data(), kind=st.sampled_from(list(extreme)), history=histories())
def test_likelihoods_and_slopes_are_finite_at_extremes(data, kind, history):
    theta = np.log(list(data.draw(extreme[kind]).values()))
    value, gradient = kind()._log_likelihood(theta, PurchaseRows.of(*history))
    assert np.all(np.isfinite([value, *gradient]))


@settings(max_examples=25, deadline=None)
@given(kind=st.sampled_from(MODELS), history=histories())
def test_anything_possible_can_be_fitted(kind, history):
    model = kind().fit(*history)
    assert np.all(np.isfinite([*model.parameters_.values(), model.log_likelihood_]))
    errors = np.array(list(model.standard_errors_.values()))
    assert np.all(np.isnan(errors) | (errors >= 0))
    assert model.message_
