"""How sharply parameters are known: standard errors against second differences, simulation and cases that are not."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from loyalty.btyd import BetaGeometricNBD, GammaGamma, ModifiedBetaGeometricNBD, ParetoNBD, _maximum
from loyalty.btyd._likelihood import PurchaseRows, SpendRows, spend_log_likelihood
from loyalty.btyd._maximum import maximise
from test_btyd import simulate, summarise
from test_btyd_lifetime import simulate_lifetimes


@pytest.fixture(scope="module")
def clients():
    rng = np.random.default_rng(21)
    x, tx, T = summarise(simulate(3_000, rng, r=0.6, alpha=4.0, a=0.8, b=2.5, T=40.0, until=40.0, first=True)[0], 40.0)
    mean = rng.gamma(4.0 * np.maximum(x, 1), 1 / (np.maximum(x, 1) * rng.gamma(3.0, 1 / 50.0, len(x))))
    return x, tx, T, mean


def second_differences(value, at):
    """The observed information at a maximum, in the parameters themselves, from values alone."""
    steps = 2e-3 * np.diag(at)
    return -np.array(
        [
            [
                (value(at + i + j) - value(at + i - j) - value(at - i + j) + value(at - i - j))
                / (4 * i.sum() * j.sum())
                for j in steps
            ]
            for i in steps
        ]
    )


@pytest.mark.parametrize("kind", [BetaGeometricNBD, ModifiedBetaGeometricNBD, ParetoNBD, GammaGamma])
def test_standard_errors_are_those_of_the_observed_information(kind, clients):
    x, tx, T, mean = clients
    if kind is GammaGamma:
        model, rows, likelihood = kind().fit(x, mean), SpendRows.of(x[x > 0], mean[x > 0]), spend_log_likelihood
    else:
        model, rows = kind().fit(x, tx, T), PurchaseRows.of(x, tx, T)
        likelihood = model._log_likelihood
    at = np.array(list(model.parameters_.values()))
    information = second_differences(lambda point: likelihood(np.log(point), rows)[0], at)
    expected = np.sqrt(np.diag(np.linalg.inv(information)))
    assert model.converged_
    assert_allclose(list(model.standard_errors_.values()), expected, rtol=5e-3)


@pytest.mark.parametrize("kind", [BetaGeometricNBD, ParetoNBD])
def test_four_times_the_clients_halve_the_errors(kind, clients):
    x, tx, T, _ = (column[:1_000] for column in clients)
    once, four = kind().fit(x, tx, T), kind().fit(*(np.tile(column, 4) for column in (x, tx, T)))
    ratio = np.array(list(once.standard_errors_.values())) / np.array(list(four.standard_errors_.values()))
    assert_allclose(ratio, 2.0, rtol=1e-3)


def test_estimates_scatter_as_their_errors_say():
    """In logs, where the likelihood is nearest to a parabola; 40 samples of 1,500 clients."""
    truth = {"r": 0.8, "alpha": 6.0, "s": 0.9, "beta": 15.0}
    rng, scores = np.random.default_rng(22), []
    for _ in range(40):
        model = ParetoNBD().fit(*summarise(simulate_lifetimes(1_500, rng, **truth, T=60.0, until=60.0)[0], 60.0))
        if model.converged_:
            errors = {name: model.standard_errors_[name] / value for name, value in model.parameters_.items()}
            scores.append([np.log(model.parameters_[name] / truth[name]) / errors[name] for name in truth])
    assert len(scores) >= 38
    assert np.all(np.abs(np.mean(scores, axis=0)) < 4 / np.sqrt(len(scores)))
    assert np.all((np.std(scores, axis=0) > 0.65) & (np.std(scores, axis=0) < 1.4))  # ±0.11 by chance


def test_what_is_not_identified_has_no_error_and_is_said():
    model = BetaGeometricNBD().fit([1], [3.0], [9.0])
    unknown = [name for name, error in model.standard_errors_.items() if np.isnan(error)]
    assert unknown
    assert f"Not identified, so without a standard error: {', '.join(unknown)}." in model.message_


def test_a_ridge_takes_the_errors_of_those_on_it_alone():
    """A likelihood of a + b and c: of a and b nothing is known but their sum."""
    rows = PurchaseRows.of(np.array([1.0]), np.array([1.0]), np.array([2.0]))

    def ridge(theta, rows):
        a, b, c = np.exp(theta)
        off, other = a + b - 3.0, c - 2.0
        return -(off**2) / 2 - other**2 / 2, -np.array([off * a, off * b, other * c])

    found = maximise(ridge, rows, starts=[(1.0, 1.0, 1.0)], bounds=dict.fromkeys("abc", (1e-3, 1e3)))
    parameters = dict(zip("abc", found.parameters.tolist(), strict=True))
    errors = found.standard_errors(parameters)
    assert np.isnan([errors["a"], errors["b"]]).all()
    assert errors["c"] == pytest.approx(1.0, rel=1e-6)
    assert found.describe(parameters, {}).endswith("Not identified, so without a standard error: a, b.")


def test_an_error_above_the_value_is_said():
    """Grocers whom hardly anyone leaves: the rate of leaving is all that is known, and hardly that."""
    rng = np.random.default_rng(23)
    x, tx, T = summarise(simulate(600, rng, r=1.4, alpha=10.0, a=0.3, b=400.0, T=240.0, until=240.0)[0], 240.0)
    model = BetaGeometricNBD().fit(x, tx, T)
    vague = [name for name, error in model.standard_errors_.items() if error > model.parameters_[name]]
    if vague:
        assert f"Hardly identified, with a standard error above the value: {', '.join(vague)}." in model.message_
    else:
        assert "ot identified" in model.message_


def peak(*middle):
    """A likelihood that knows the log of each parameter to a tenth, and the hundred clients it is of."""

    def log_likelihood(theta, rows):
        off = theta - np.array(middle)
        return -50.0 * float(off @ off), -100.0 * off

    rows = SimpleNamespace(counts=np.ones(100), thinned=lambda limit: rows)
    return log_likelihood, rows


@pytest.mark.parametrize(("middle", "side"), [(-5.0, "lower"), (5.0, "upper")])
def test_what_lies_on_either_bound_has_no_error(middle, side):
    found = maximise(*peak(middle, 0.5), starts=[(1.0, 1.0)], bounds={"a": (0.1, 10.0), "b": (0.1, 10.0)})
    assert found.settled
    assert found.at_bounds == (("a", side),)
    assert found.log_errors == pytest.approx([np.nan, 0.1], nan_ok=True)


def test_a_search_that_ends_on_a_bound_and_should_not_is_not_settled(monkeypatch):
    monkeypatch.setattr(_maximum, "_climb", lambda likelihood, rows, start, limits: (0.0, limits[:, 0]))
    assert not maximise(*peak(0.5), starts=[(1.0,)], bounds={"a": (0.1, 10.0)}).settled
