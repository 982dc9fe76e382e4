"""Models that features ask: fitted on what was known, frozen, and kept without anybody's rows."""

import json

import numpy as np
import pandas as pd
import pytest

from loyalty import btyd
from loyalty.btyd import Generations, Habits
from loyalty.datasets import synthetic_tables
from loyalty.features import Learned, build_panel, choose_features, learn, renew
from loyalty.features.learned import Buying
from loyalty.histories import TABLES, Histories

CUTOFF = pd.Timestamp("2025-06-01")
ASKED = {"horizon": "90d", "gap": "7d"}


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return dict(synthetic_tables(clients=600, seed=1).tables)


@pytest.fixture(scope="module")
def learned(tables) -> Learned:
    return learn(Histories(**tables), cutoff=CUTOFF, **ASKED)


def test_answers_for_every_feature_that_asks(tables, learned):
    histories = Histories(**tables)
    assert list(learned) == ["btyd", "feedback"]
    asked = [feature for feature in choose_features(histories, models=learned) if feature.models]
    panel = build_panel(histories, cutoffs=CUTOFF, features=asked, learned=learned, **ASKED)
    assert panel["alive_probability"].dropna().between(0, 1).all()
    assert panel["mood_last"].dropna().between(0, 1).all()
    assert (panel.notna().sum() > 30).all()
    silent = build_panel(histories, cutoffs=CUTOFF, features=choose_features(histories, ["days_since_last"]), **ASKED)
    assert panel["expected_purchases"].corr(silent["days_since_last"], method="spearman") < -0.3


def test_learns_nothing_from_what_was_not_known_yet(tables, learned):
    later = {}
    for name, frame in tables.items():
        unknown = frame["known_at" if "known_at" in frame else TABLES[name].time] >= CUTOFF
        assert unknown.any()
        changed = frame[~unknown].sample(frac=1, random_state=0)
        times = [c for c in ("replied_at", "resolved_at", "redeemed_at", "end") if c in frame]
        later[name] = changed.assign(**{c: changed[c].where(changed[c] < CUTOFF) for c in times})
    assert learn(Histories(**later), cutoff=CUTOFF, **ASKED).to_text() == learned.to_text()


def test_comes_back_from_its_text(tables, learned):
    back = Learned.from_text(learned.to_text())
    assert back.to_text() == learned.to_text()
    histories = Histories(**tables)
    asked = [feature for feature in choose_features(histories, models=learned) if feature.models]
    one, two = (
        build_panel(histories, cutoffs=CUTOFF, features=asked, learned=models, **ASKED) for models in (learned, back)
    )
    pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_keeps_no_client(tables, learned):
    kept = json.loads(learned.to_text())
    assert kept["btyd"]["horizon_days"] == 90
    assert kept["btyd"]["gap_days"] == 7
    said = learned.to_text()
    assert not any(client in said for client in tables["purchases"]["client_id"].unique())
    assert not any(text in said for text in tables["contacts"]["text"].dropna() if len(text) > 12)


def test_says_why_a_model_is_missing(tables):
    few = {name: frame[frame["client_id"] < "C000020"] for name, frame in tables.items()}
    nothing = learn(Histories(**few), cutoff=CUTOFF, **ASKED)
    assert list(nothing) == []
    clients, texts = (int(note.split()[1]) for note in nothing.notes)
    assert 5 < clients < 20
    assert 5 < texts < 200
    assert nothing.notes[0].endswith("clients had bought by 2025-06-01: too few for buy till you die.")
    assert nothing.notes[1].endswith("texts were known before 2025-06-01: too few to learn from.")
    purchases = learn(Histories(tables["purchases"]), cutoff=CUTOFF, **ASKED)
    assert list(purchases) == ["btyd"]
    assert purchases.notes == ()


def test_scores_of_another_scale_teach_no_mood(tables):
    contacts = tables["contacts"].assign(satisfaction=tables["contacts"]["satisfaction"] * 20)
    learned = learn(Histories(tables["purchases"], contacts=contacts), cutoff=CUTOFF, **ASKED)
    assert "`contacts.satisfaction` is not between 1 and 5 throughout" in learned.notes[0]
    assert np.isnan(learned["feedback"]("mood", ["It arrived broken."])).all()


def test_buying_is_brought_up_to_date_and_texts_are_not(tables, learned):
    histories = Histories(**tables)
    later = renew(learned, histories, cutoff="2025-09-01", **ASKED)
    assert later.buying == learn(histories, cutoff="2025-09-01", **ASKED).buying != learned.buying
    assert later.feedback is learned.feedback
    assert (later.until, later.renewed) == (CUTOFF, pd.Timestamp("2025-09-01"))
    assert Learned.from_text(later.to_text()).to_text() == later.to_text()


def test_what_cannot_be_renewed_stands_and_says_so(tables, learned):
    first = tables["purchases"]["event_time"].min()
    later = renew(learned, Histories(**tables), cutoff=first + pd.Timedelta(days=1), **ASKED)
    assert (later.buying, later.renewed) == (learned.buying, None)
    assert "too few for buy till you die. What was learned by 2025-06-01 stands." in later.notes[-1]


ONE = {"r": 0.55, "alpha": 74.0, "s": 0.61, "beta": 82.0}
OTHER = {"r": 1.4, "alpha": 120.0, "s": 2.0, "beta": 300.0}
ONE_SPENDS, OTHER_SPENDS = {"p": 6.0, "q": 4.0, "v": 15.0}, {"p": 3.0, "q": 7.0, "v": 90.0}


@pytest.mark.parametrize("cutoff", ["2024-12-31", "2024-12-31 13:30"])
@pytest.mark.parametrize("back", [False, True])
def test_each_client_is_told_by_the_rates_of_its_generation(cutoff, back):
    """First bought 59 and 60 days after the beginning, and alike since; a third has only returned something."""
    begun = pd.Timestamp("2024-01-01")
    days = {"old": 59, "new": 60}
    rows = [(client, day + later, 20.0 + later) for client, day in days.items() for later in (0, 40, 90)]
    rows.append(("neither", 100, -5.0))
    bills = pd.DataFrame(rows, columns=["client_id", "event_time", "amount"])
    histories = Histories(bills.assign(event_time=begun + pd.to_timedelta(bills["event_time"], unit="D")))
    generations = Generations(
        (begun - pd.Timestamp(0)).days, (Habits(ONE, ONE_SPENDS), Habits(OTHER, OTHER_SPENDS)), (60,)
    )
    learned = Learned(begun, Buying(generations, 90.0, 7.0), None)
    learned = Learned.from_text(learned.to_text()) if back else learned
    names = ("silence_probability", "expected_purchases", "alive_probability", "day_amount_expected")
    asked = choose_features(histories, (*names, "frequency", "recency", "T", "monetary"), models=learned)
    panel = build_panel(histories, cutoffs=cutoff, features=asked, learned=learned, **ASKED).droplevel("cutoff")
    for client, purchases, spend in (("old", ONE, ONE_SPENDS), ("new", OTHER, OTHER_SPENDS)):
        told = panel.loc[[client]]
        history = [told[name].to_numpy() for name in ("frequency", "recency", "T")]
        ahead = {"parameters": purchases, "horizon": 90.0, "gap": 7.0}
        expected = {
            "silence_probability": btyd.probability_no_purchase(*history, **ahead),
            "expected_purchases": btyd.expected_purchases(*history, **ahead),
            "alive_probability": btyd.probability_alive(*history, parameters=purchases),
            "day_amount_expected": btyd.expected_spend(told["frequency"], told["monetary"], parameters=spend),
        }
        assert told[list(expected)].iloc[0].to_dict() == {name: value[0] for name, value in expected.items()}
    assert panel.loc["neither", list(names)].isna().all()


@pytest.mark.parametrize("cutoff", ["2025-06-01", "2025-06-01 18:00"])
def test_the_records_begin_on_a_day_of_the_purchases(tables, cutoff):
    """Counted from the table: of the first purchase days, the first from which on fifty lie within sixty days."""
    bills = pd.concat([tables["purchases"].assign(client_id=lambda t, n=n: t["client_id"] + n) for n in "abcde"])
    known = bills[(bills["event_time"] < cutoff) & (bills["amount"] > 0)]
    first = known.groupby("client_id")["event_time"].min().dt.floor("D").sort_values()
    many = [(first < day + pd.Timedelta(days=60)).sum() - (first < day).sum() for day in first]
    begun = first[np.array(many) >= 50].iloc[0]
    learned = learn(Histories(bills), cutoff=cutoff, **ASKED)
    assert learned.buying.generations.begun == (begun - pd.Timestamp(0)).days
