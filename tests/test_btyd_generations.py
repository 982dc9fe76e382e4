"""Generations of clients: each fitted alone, told apart to the day where that is better; better on real records."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.metrics import log_loss

from loyalty.btyd import (
    GammaGamma,
    Generations,
    Habits,
    ParetoNBD,
    first_days,
    probability_alive,
    probability_no_purchase,
)
from loyalty.config import read_config, read_histories
from loyalty.experiment import setting_of
from loyalty.features import build_panel, choose_features
from loyalty.labels import build_labels

CUTOFF = pd.Timestamp("2025-01-01")
TODAY = (CUTOFF - pd.Timestamp(0)).days
ROOT = Path(__file__).resolve().parents[1]


def clients(rng, T, *, life, gap):
    """Who leaves after a while, and until then buys every so often: frequency, recency, T and monetary."""
    T = np.asarray(T, dtype=float)
    active = np.minimum(rng.exponential(life, len(T)), T)
    frequency = rng.poisson(active / gap * rng.gamma(2.0, 0.5, len(T)))
    recency = np.where(frequency > 0, active * (frequency + 1) / (frequency + 2), 0.0)
    return frequency.astype(float), recency, T, np.where(frequency > 0, rng.gamma(5.0, 4.0, len(T)), 0.0)


def joined(*parts):
    return [np.concatenate(columns) for columns in zip(*parts, strict=True)]


def loyal(rng, T):
    return clients(rng, T, life=3000.0, gap=20.0)


def passing(rng, T):
    return clients(rng, T, life=60.0, gap=30.0)


@pytest.fixture(scope="module")
def shop():
    """Loyal clients from before the records, which are 500 days long, and others who come later and do not stay."""
    rng = np.random.default_rng(0)
    return loyal(rng, np.append([500] * 20, rng.integers(441, 500, 280))), passing(rng, rng.integers(1, 441, 400))


def test_each_generation_is_fitted_alone(shop):
    told = Generations.fit(*joined(*shop), cutoff=CUTOFF)
    assert (told.begun, told.bounds) == (TODAY - 500, (60,))
    for habits, (frequency, recency, T, monetary) in zip(told.habits, shop, strict=True):
        assert habits.purchases == ParetoNBD().fit(frequency, recency, T).parameters_
        assert habits.spend == GammaGamma().fit(frequency, monetary).parameters_


def test_three_generations_where_three_differ(shop):
    rng = np.random.default_rng(3)
    fleeting = clients(rng, rng.integers(1, 351, 400), life=5.0, gap=2.0)
    told = Generations.fit(*joined(shop[0], passing(rng, rng.integers(351, 441, 300)), fleeting), cutoff=CUTOFF)
    assert told.bounds == (60, 150)
    assert told.habits[2].purchases == ParetoNBD().fit(*fleeting[:3]).parameters_


@pytest.mark.parametrize("seed", range(5))
def test_clients_who_are_all_alike_are_one_generation(seed):
    """Schwarz's criterion asks for more than chance finds; the plain model stands."""
    rng = np.random.default_rng(seed)
    alike = passing(rng, rng.integers(1, 501, 600))
    told = Generations.fit(*alike, cutoff=CUTOFF)
    assert told.bounds == ()
    assert told.habits[0].purchases == ParetoNBD().fit(*alike[:3]).parameters_
    alive = told.probability_alive(*alike[:3], first_days(alike[2], CUTOFF))
    assert_array_equal(alive, probability_alive(*alike[:3], parameters=told.habits[0].purchases))


def test_the_criterion_is_the_price_of_four_parameters(shop, monkeypatch):
    """Two generations stand for as long as their gain is above half of four times the log of the clients."""
    columns = joined(*shop)
    likelihoods = [ParetoNBD().fit(*part[:3]).log_likelihood_ for part in (*shop, columns)]
    gain = likelihoods[0] + likelihoods[1] - likelihoods[2]
    price = gain / (np.log(len(columns[0])) / 2)
    for parameters, bounds in ((price - 1e-6, (60,)), (price + 1e-6, ())):
        monkeypatch.setattr("loyalty.btyd._generations._MORE_PARAMETERS", parameters)
        assert Generations.fit(*columns, cutoff=CUTOFF).bounds == bounds
    assert price > 4


def test_the_criterion_counts_the_clients_that_are_divided(shop, monkeypatch):
    """The second time, those of the first generation are out of it."""
    rng = np.random.default_rng(3)
    middle, fleeting = passing(rng, rng.integers(351, 441, 300)), clients(rng, rng.integers(1, 351, 400), life=5, gap=2)
    divided = joined(middle, fleeting)
    likelihoods = [ParetoNBD().fit(*part[:3]).log_likelihood_ for part in (middle, fleeting, divided)]
    price = (likelihoods[0] + likelihoods[1] - likelihoods[2]) / (np.log(len(divided[0])) / 2)
    for parameters, bounds in ((price - 1e-6, (60, 150)), (price + 1e-6, (60,))):
        monkeypatch.setattr("loyalty.btyd._generations._MORE_PARAMETERS", parameters)
        assert Generations.fit(*joined(shop[0], divided), cutoff=CUTOFF).bounds == bounds


def test_the_order_of_clients_is_of_no_matter(shop):
    columns = joined(*shop)
    order = np.random.default_rng(1).permutation(len(columns[0]))
    told, again = (
        Generations.fit(*(column[rows] for column in columns), cutoff=CUTOFF) for rows in (order, np.sort(order))
    )
    assert (told.begun, told.bounds) == (again.begun, again.bounds)
    for one, other in zip(told.habits, again.habits, strict=True):
        assert one.purchases == pytest.approx(other.purchases, rel=1e-6)


def test_a_stray_early_date_does_not_move_the_beginning(shop):
    stray = clients(np.random.default_rng(2), [20_000.0] * 49, life=10.0, gap=5.0)
    told = Generations.fit(*joined(stray, *shop), cutoff=CUTOFF)
    assert told.begun == TODAY - 500
    assert told.habits[0].purchases == ParetoNBD().fit(*joined(stray, shop[0])[:3]).parameters_


@pytest.mark.parametrize(("apart", "begun"), [(59, 900), (60, 1000)])
def test_the_records_begin_where_fifty_clients_come_within_sixty_days(apart, begun):
    """One stray client, then fifty so many days apart; if none are near enough, the first of all is the beginning."""
    T = np.r_[1000.0, np.linspace(900, 900 - apart, 50).round()]
    nothing = np.zeros(51)
    assert Generations.fit(nothing, nothing, T, nothing, cutoff=CUTOFF).begun == TODAY - begun


def test_the_beginning_stays_when_the_base_grows(shop):
    """Ten times as many who come later: the first are the first still, and told as they were."""
    rng = np.random.default_rng(5)
    grown = joined(*shop, passing(rng, rng.integers(1, 200, 4000)))
    one, other = (Generations.fit(*columns, cutoff=CUTOFF) for columns in (joined(*shop), grown))
    assert one.begun == other.begun
    assert one.habits[0] == other.habits[0]


@pytest.mark.parametrize("few", [0, 1])
def test_a_generation_needs_fifty_who_bought_again(shop, few):
    """However many bought once. Where the first are too few to stand alone, the next are told apart all the same."""
    rng = np.random.default_rng(6)
    ages = rng.integers(441, 500, 100) if few == 0 else rng.integers(1, 440, 100)
    once = np.zeros(100), np.zeros(100), ages.astype(float), np.zeros(100)
    for many, bounds in ((49, [(150,), ()]), (50, [(60,), (60,)])):
        parts = list(shop)
        again = np.flatnonzero(shop[few][0] > 0)[:many]
        parts[few] = tuple(column[again] for column in shop[few])
        assert Generations.fit(*joined(*parts, once), cutoff=CUTOFF).bounds == bounds[few]


def test_nobody_who_bought_twice_spends_nothing_known():
    told = Generations.fit([0.0] * 200, [0.0] * 200, np.arange(1.0, 201.0), [0.0] * 200, cutoff=CUTOFF)
    assert (told.bounds, told.habits[0].spend) == ((), None)


def test_clients_are_told_apart_to_the_day():
    """The 60th day after the first is the first of the newcomers, whatever the hour and the noise of arithmetic."""
    told = Generations(100, tuple(Habits({"r": r}, None) for r in (1.0, 2.0, 3.0)), (60, 150))
    days = [99.0, 159.0, 159.4999, 159.9999999, 160.0, 160.0000001, 249.0, 250.0, 1e5, np.nan]
    places = np.full(len(days), -1)
    for number, (habits, rows) in enumerate(told.of(days)):
        assert habits.purchases == {"r": number + 1.0}
        assert (places[rows] == -1).all()
        places[rows] = number
    assert places.tolist() == [0, 0, 0, 1, 1, 1, 1, 2, 2, 0]


@given(st.integers(0, 40_000), st.integers(0, 86_399), st.integers(0, 20_000))
def test_the_first_day_is_the_same_at_every_cutoff(day, second, later):
    """A cutoff may have an hour; the first purchase day stands at its midnight."""
    first = pd.Timestamp(0) + pd.Timedelta(days=day)
    cutoff = first + pd.Timedelta(days=later) + pd.Timedelta(seconds=second)
    assert first_days([(cutoff - first) / pd.Timedelta(days=1)], cutoff).tolist() == [day]


def test_histories_that_begin_with_the_second_generation_hold_no_other():
    two = Generations(100, (Habits({"r": 1.0}, None), Habits({"r": 2.0}, None)), (60,))
    begins = [pd.Timestamp(0) + pd.Timedelta(days=days) for days in (0, 159.99, 160)]
    assert [two.all_came_since(first) for first in begins] == [False, False, True]
    assert not Generations(100, two.habits[:1]).all_came_since(begins[-1])


def test_columns_that_do_not_fit_are_refused():
    told = Generations(0, (Habits({"r": 0.5, "alpha": 7.0, "s": 0.6, "beta": 9.0}, None),))
    with pytest.raises(ValueError, match="`first_day` 2"):
        told.probability_alive([1.0], [3.0], [9.0], [1.0, 2.0])


def test_comes_back_from_json(shop):
    for told in (Generations.fit(*joined(*shop), cutoff=CUTOFF), Generations.fit(*shop[0], cutoff=CUTOFF)):
        assert Generations.from_json(json.loads(json.dumps(told.to_json()))) == told


def test_impossible_histories_are_refused(shop):
    frequency, recency, T, monetary = joined(*shop)
    with pytest.raises(ValueError, match="`T` must be finite; got nan in row 0"):
        Generations.fit(frequency, recency, np.where(np.arange(len(T)) == 0, np.nan, T), monetary, cutoff=CUTOFF)


@pytest.mark.filterwarnings("ignore::loyalty.histories.HistoriesWarning")
@pytest.mark.parametrize(
    ("name", "cutoff", "better"), [("online_retail_2", "2010-11-01", 0.005), ("complete_journey", "2017-08-01", 0.001)]
)
def test_real_silence_is_told_better_by_two_generations(name, cutoff, better, shared_data):
    """Log loss of Pareto/NBD at a cutoff before those of the test, against one population."""
    config = read_config(ROOT / "experiments" / f"{name}.toml")
    histories = read_histories(config, shared_data)
    setting = setting_of(config)
    at, horizon = pd.Timestamp(cutoff), setting.outcome.horizon
    features = choose_features(histories, ("frequency", "recency", "T", "monetary"))
    panel = build_panel(histories, cutoffs=at, horizon=horizon, features=features).dropna(subset="T").fillna(0.0)
    columns = [panel[name].to_numpy() for name in ("frequency", "recency", "T", "monetary")]
    two = Generations.fit(*columns, cutoff=at)
    assert two.bounds == (60,)
    one = Generations(two.begun, (Habits(ParetoNBD().fit(*columns[:3]).parameters_, None),))
    churned = build_labels(histories, cutoffs=at, horizon=horizon, active=setting.active)["churned"]
    churned = churned[churned.index.isin(panel.index)]  # who only returned something has no history
    losses = []
    for told in (one, two):
        silent = pd.Series(np.nan, panel.index)
        for habits, rows in told.of(first_days(panel["T"], at)):
            history = [column[rows] for column in columns[:3]]
            silent[rows] = probability_no_purchase(*history, parameters=habits.purchases, horizon=horizon.days)
        losses.append(log_loss(churned, silent[churned.index].clip(1e-6, 1 - 1e-6)))
    assert losses[1] < losses[0] - better


@pytest.mark.filterwarnings("ignore::loyalty.histories.HistoriesWarning")
def test_a_cohort_is_one_generation(shared_data):
    """All clients of CDNOW first bought within 84 days."""
    config = read_config(ROOT / "experiments" / "cdnow.toml")
    histories = read_histories(config, shared_data)
    features = choose_features(histories, ("frequency", "recency", "T", "monetary"))
    cutoff = pd.Timestamp("1997-10-01")
    panel = build_panel(histories, cutoffs=cutoff, horizon="91d", features=features).fillna(0.0)
    assert Generations.fit(*(panel[name] for name in panel), cutoff=cutoff).bounds == ()
