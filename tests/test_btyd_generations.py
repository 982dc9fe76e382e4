"""Two generations of clients: each is fitted alone, told apart to the day, and told better on real records."""

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


@pytest.fixture(scope="module")
def shop():
    """Loyal clients from before the records, of 500 days, and others who come later and do not stay."""
    rng = np.random.default_rng(0)
    loyal = clients(rng, np.append([500] * 20, rng.integers(411, 500, 280)), life=3000.0, gap=20.0)
    passing = clients(rng, rng.integers(1, 411, 400), life=60.0, gap=30.0)
    return loyal, passing


def test_each_generation_is_fitted_alone(shop):
    loyal, passing = shop
    told = Generations.fit(*joined(loyal, passing), cutoff=CUTOFF)
    assert told.begun == TODAY - 500
    for habits, (frequency, recency, T, monetary) in ((told.settled, loyal), (told.arrived, passing)):
        assert habits.purchases == ParetoNBD().fit(frequency, recency, T).parameters_
        assert habits.spend == GammaGamma().fit(frequency, monetary).parameters_


def test_the_order_of_clients_is_of_no_matter(shop):
    columns = joined(*shop)
    order = np.random.default_rng(1).permutation(len(columns[0]))
    assert Generations.fit(*(column[order] for column in columns), cutoff=CUTOFF) == Generations.fit(
        *columns, cutoff=CUTOFF
    )


def test_a_stray_early_date_does_not_move_the_beginning(shop):
    loyal, passing = shop
    stray = clients(np.random.default_rng(2), [20_000.0] * 5, life=10.0, gap=5.0)
    told = Generations.fit(*joined(stray, loyal, passing), cutoff=CUTOFF)
    assert told.begun == TODAY - 500
    assert told.settled.purchases == ParetoNBD().fit(*joined(stray, loyal)[:3]).parameters_


@pytest.mark.parametrize("few", ["loyal", "passing"])
def test_a_generation_needs_fifty_who_bought_again(shop, few):
    """Of 49 there is one generation, of 50 there are two."""
    parts = dict(zip(("loyal", "passing"), shop, strict=True))
    again = np.flatnonzero(parts[few][0] > 0)
    for many in (49, 50):
        parts[few] = tuple(column[again[:many]] for column in shop[0 if few == "loyal" else 1])
        told = Generations.fit(*joined(*parts.values()), cutoff=CUTOFF)
        assert (told.arrived is None) == (many == 49), many


def test_one_generation_is_the_plain_model(shop):
    loyal, _ = shop
    told = Generations.fit(*loyal, cutoff=CUTOFF)
    assert told.arrived is None
    assert told.settled.purchases == ParetoNBD().fit(*loyal[:3]).parameters_
    alive = told.probability_alive(*loyal[:3], first_days(loyal[2], CUTOFF))
    assert_array_equal(alive, probability_alive(*loyal[:3], parameters=told.settled.purchases))


def test_nobody_who_bought_twice_spends_nothing_known():
    told = Generations.fit([0.0] * 200, [0.0] * 200, np.arange(1.0, 201.0), [0.0] * 200, cutoff=CUTOFF)
    assert (told.arrived, told.settled.spend) == (None, None)


def test_clients_are_told_apart_to_the_day():
    """The 90th day after the first is the first of the newcomers, whatever the hour and the noise of arithmetic."""
    told = Generations(100, Habits({"r": 1.0}, None), Habits({"r": 2.0}, None))
    (settled, early), (arrived, late) = told.of([99.0, 189.0, 189.4999, 189.9999999, 190.0, 190.0000001, np.nan])
    assert (settled.purchases, arrived.purchases) == ({"r": 1.0}, {"r": 2.0})
    assert_array_equal(early, [True, True, True, False, False, False, True])
    assert_array_equal(late, ~early)


@given(st.integers(0, 40_000), st.floats(0, 1, exclude_max=True), st.integers(0, 20_000))
def test_the_first_day_is_the_same_at_every_cutoff(day, hour, later):
    """A cutoff may have an hour; the first purchase day stands at its midnight."""
    cutoff = pd.Timestamp(0) + pd.Timedelta(days=day + later) + pd.Timedelta(seconds=int(hour * 86_400))
    T = (cutoff - (pd.Timestamp(0) + pd.Timedelta(days=day))) / pd.Timedelta(days=1)
    assert first_days([T], cutoff).tolist() == [day]


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
    assert two.arrived is not None
    one = Generations(two.begun, Habits(ParetoNBD().fit(*columns[:3]).parameters_, None))
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
    told = Generations.fit(*(panel[name] for name in panel), cutoff=cutoff)
    assert told.arrived is None
