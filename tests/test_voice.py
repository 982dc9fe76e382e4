"""Voice of the client: counted by plain loops, blind to the future, and quoted so that nobody is given away."""

import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from scipy.stats import ttest_ind

from loyalty.datasets import synthetic_tables
from loyalty.features import blindness, learn
from loyalty.features.feedback import FeedbackModel
from loyalty.features.learned import Feedback, Learned
from loyalty.histories import Histories
from loyalty.masking import mask_text
from loyalty.voice import client_voice, missing_voice

pytestmark = pytest.mark.filterwarnings("ignore::loyalty.histories.HistoriesWarning")

CUTOFF = pd.Timestamp("2025-06-01 06:00")
DAY = pd.Timedelta(days=1)
NAN = float("nan")


@pytest.fixture(scope="module")
def tables():
    """The made-up shop, where every client signs, and leaves an address and a number."""
    tables = dict(synthetic_tables(900, seed=2).tables)
    contacts = tables["contacts"].copy()
    signed = " " + contacts["client_id"] + " kim@example.com 010-1234-5678\nRegards, Anna"
    contacts["text"] = (contacts["text"] + signed).where(contacts["text"].notna(), contacts["text"])
    return tables | {"contacts": contacts}


@pytest.fixture(scope="module")
def histories(tables):
    return Histories(**tables)


@pytest.fixture(scope="module")
def learned(histories):
    return learn(histories, cutoff="2025-03-01", horizon="90d")


@pytest.fixture(scope="module")
def scores(histories):
    ids = histories.population(cutoff=CUTOFF, active="365d").execute()["client_id"]
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"client_id": ids, "churn_probability": rng.random(len(ids)), "value_at_risk": rng.exponential(50.0, len(ids))}
    )


@pytest.fixture(scope="module")
def voice(histories, scores, learned):
    return client_voice(histories, scores, cutoff=CUTOFF, learned=learned)


# Against a loop


def test_figures_are_those_of_a_loop(tables, scores, learned, voice):
    model = learned.feedback.model
    risk = scores.set_index("client_id")["churn_probability"].to_dict()
    money = scores.set_index("client_id")["value_at_risk"].to_dict()
    spoke = [{}, {}]  # in the window before, and in this one: theme → client → moods of its texts
    wrote = [set(), set()]
    for row in tables["contacts"].itertuples():
        age = CUTOFF - row.event_time
        if not isinstance(row.text, str) or row.direction == "outbound" or row.known_at >= CUTOFF or age > 360 * DAY:
            continue
        window = int(age <= 180 * DAY)
        wrote[window].add(row.client_id)
        weights = model.themes([row.text])[0]
        theme = int(np.argmax(weights))
        if weights[theme] >= 0.2:
            spoke[window].setdefault(theme + 1, {}).setdefault(row.client_id, []).append(model.mood([row.text])[0])
    assert set(voice["theme"]) == {theme for theme, clients in spoke[1].items() if len(clients) >= 10}
    for row in voice.itertuples():
        clients = spoke[1][row.theme]
        moods = [mood for said in clients.values() for mood in said]
        assert (row.texts, row.clients) == (len(moods), len(clients))
        assert row.mood == pytest.approx(np.mean(moods))
        assert row.share == pytest.approx(len(clients) / len(wrote[1]))
        assert row.share_before == pytest.approx(len(spoke[0].get(row.theme, {})) / len(wrote[0]))
        assert row.change == pytest.approx(row.share - row.share_before)
        theirs = [risk[client] for client in clients if client in risk]
        others = [risk[client] for client in wrote[1] if client in risk and client not in clients]
        welch = ttest_ind(theirs, others, equal_var=False)
        assert row.scored == len(theirs)
        assert row.churn_probability == pytest.approx(np.mean(theirs))
        assert row.churn_probability_others == pytest.approx(np.mean(others))
        assert row.difference == pytest.approx(np.mean(theirs) - np.mean(others))
        assert (row.lower, row.upper) == pytest.approx(tuple(welch.confidence_interval(0.95)))
        assert row.value_at_risk == pytest.approx(sum(money[client] for client in clients if client in money))
        assert row.value_share == pytest.approx(row.value_at_risk / scores["value_at_risk"].sum())
        assert row.words == model.theme_terms()[row.theme - 1]
    assert voice["value_at_risk"].is_monotonic_decreasing
    assert len(voice) > 2


@pytest.mark.parametrize("change", sorted(blindness._CHANGES))
def test_what_became_known_later_changes_nothing(tables, histories, scores, learned, voice, change):
    rng = np.random.default_rng(1)
    frames = blindness._tables(histories, 10_000, rng)
    changed = {name: blindness._CHANGES[change](name, frame, CUTOFF, rng) for name, frame in frames.items()}
    after = client_voice(blindness._rebuilt(changed, histories), scores, cutoff=CUTOFF, learned=learned)
    assert_frame_equal(voice, after, check_exact=True)


def test_the_order_of_rows_changes_nothing(tables, scores, learned, voice):
    shuffled = {name: table.sample(frac=1.0, random_state=0) for name, table in tables.items()}
    mixed = scores.sample(frac=1.0, random_state=1)
    again = client_voice(Histories(**shuffled), mixed, cutoff=CUTOFF, learned=learned)
    assert_frame_equal(voice, again, check_exact=True)


# Quotes


def test_quotes_are_safe_certain_and_unlike(tables, scores, learned, voice):
    model = learned.feedback.model
    clients = set(tables["purchases"]["client_id"])
    for row in voice.itertuples():
        assert 1 <= len(row.quotes) <= 3
        for quote in row.quotes:
            assert not re.search(r"\d{5}|@|Anna|\n", quote)
            assert not any(word in clients for word in re.findall(r"\w+", quote))
            assert "[client]" in quote
            assert len(quote) <= 160
            assert mask_text(quote) == quote
            assert int(np.argmax(model.themes([quote])[0])) == row.theme - 1
        sets = [set(quote.casefold().split()) for quote in row.quotes]
        for place, words in enumerate(sets):
            assert all(2 * len(words & other) < len(words | other) for other in sets[:place])


def test_quotes_are_in_the_language_and_number_asked_for(histories, scores, learned, voice):
    none = client_voice(histories, scores, cutoff=CUTOFF, learned=learned, quotes=0)
    assert none["quotes"].tolist() == [()] * len(voice)
    assert_frame_equal(none.drop(columns="quotes"), voice.drop(columns="quotes"))
    korean = client_voice(histories, scores, cutoff=CUTOFF, learned=learned, quotes=1, language="ko")
    assert [len(told) for told in korean["quotes"]] == [1] * len(voice)
    assert all("[고객]" in told[0] and "[이메일]" in told[0] for told in korean["quotes"])


# Few clients


def small(texts, *, clients=None, days=10, directions=None):
    """Clients who each wrote one text so many days before the cutoff, and a model of two themes."""
    clients = range(len(texts)) if clients is None else clients
    bills = pd.DataFrame({"client_id": range(100), "event_time": CUTOFF - 300 * DAY, "amount": 9.0})
    contacts = pd.DataFrame({"client_id": list(clients), "text": texts, "event_time": CUTOFF - np.array(days) * DAY})
    contacts["direction"] = "inbound" if directions is None else directions
    lesson = ["broken lamp"] * 15 + ["wonderful tea"] * 12 + ["hello"] * 60
    model = FeedbackModel.fit(lesson, [NAN] * 87, clients=range(87), themes=2)
    return Histories(bills, contacts=contacts), Learned(CUTOFF, None, Feedback(model))


SCORES = pd.DataFrame({"client_id": range(100), "churn_probability": np.linspace(0, 1, 100), "value_at_risk": 2.0})
LAMP = ["my lamp is broken"]


def test_a_theme_of_nine_clients_is_not_shown():
    nine, learned = small(LAMP * 20, clients=[*range(9), *range(9), 0, 1])
    assert client_voice(nine, SCORES, cutoff=CUTOFF, learned=learned).empty
    ten, learned = small(LAMP * 20, clients=[*range(10), *range(10)])
    shown = client_voice(ten, SCORES, cutoff=CUTOFF, learned=learned)
    assert shown[["texts", "clients", "value_at_risk"]].to_numpy().tolist() == [[20, 10, 20.0]]
    # Nobody else wrote, so that there is nothing to compare with; and nobody wrote before.
    unknown = ["difference", "lower", "churn_probability", "mood", "share_before", "change"]
    assert shown[unknown].isna().all(axis=None)


def test_clients_who_never_bought_are_not_named_either():
    """Known by a contract alone, she is in no quote and among no words."""
    lesson = ["broken lamp of lampy-kim"] * 15 + ["wonderful tea"] * 12 + ["hello"] * 60
    model = FeedbackModel.fit(lesson, [NAN] * 87, clients=range(87), themes=2)
    ids = [f"c{number}" for number in range(30)]
    bills = pd.DataFrame({"client_id": ids, "event_time": CUTOFF - 300 * DAY, "amount": 9.0})
    text = ["the broken lamp of lampy-kim came late"] * 20
    contacts = pd.DataFrame({"client_id": ids[:20], "text": text, "event_time": CUTOFF - 10 * DAY})
    contracts = pd.DataFrame({"client_id": ["lampy-kim"], "start": [CUTOFF - 99 * DAY]})
    scores = pd.DataFrame({"client_id": ids, "churn_probability": 0.5, "value_at_risk": 2.0})
    learned = Learned(CUTOFF, None, Feedback(model))
    open_book = client_voice(Histories(bills, contacts=contacts), scores, cutoff=CUTOFF, learned=learned)
    assert "lampy-kim" in open_book["quotes"].iloc[0][0]  # nobody is known by that name
    told = client_voice(
        Histories(bills, contacts=contacts, contracts=contracts), scores, cutoff=CUTOFF, learned=learned
    )
    assert "kim" not in told["quotes"].iloc[0][0]
    assert "broken" in told["words"].iloc[0]
    assert not {"lampy", "kim", "lampy-kim"} & set(told["words"].iloc[0])


def test_figures_of_fewer_than_ten_scored_clients_are_not_shown():
    histories, learned = small(LAMP * 12 + ["hello"] * 12)
    shown = client_voice(histories, SCORES[3:], cutoff=CUTOFF, learned=learned)
    assert shown[["clients", "scored"]].to_numpy().tolist() == [[12, 9]]
    assert shown[["value_at_risk", "value_share", "difference"]].isna().all(axis=None)
    shown = client_voice(histories, SCORES, cutoff=CUTOFF, learned=learned)
    assert shown[["value_at_risk", "difference"]].notna().all(axis=None)


def test_windows_end_where_they_end_and_the_company_is_not_heard():
    microsecond = 1 / 86_400e6
    for texts in (LAMP * 10, LAMP * 11):
        days = [10.0] * 9 + [30.0 + microsecond] + [30.0] * (len(texts) - 10)
        histories, learned = small(texts, days=days)
        shown = client_voice(histories, SCORES, cutoff=CUTOFF, learned=learned, window="30d")
        assert len(shown) == (len(texts) == 11)
    histories, learned = small(LAMP * 12, directions=["outbound"] * 3 + ["inbound"] * 9)
    assert client_voice(histories, SCORES, cutoff=CUTOFF, learned=learned).empty
    histories, learned = small([*LAMP * 9, " \t", "", "hello"])
    assert client_voice(histories, SCORES, cutoff=CUTOFF, learned=learned).empty


def test_an_uncertain_text_counts_and_is_not_quoted():
    histories, learned = small(["broken tea of a lamp"] * 12)
    shown = client_voice(histories, SCORES, cutoff=CUTOFF, learned=learned)
    assert shown[["clients", "quotes"]].to_numpy().tolist() == [[12, ()]]


# What is missing, and what is wrong


def test_what_is_missing_is_said(histories, scores, learned):
    bills = pd.DataFrame({"client_id": ["ann"], "event_time": ["2024-01-01"], "amount": [9.0]})
    assert "the table contacts with the column text" in missing_voice(Histories(bills), learned)
    assert missing_voice(histories, learned) == ""
    for without in (None, replace(learned, feedback=None)):
        assert "needs themes" in missing_voice(histories, without)
        with pytest.raises(ValueError, match=r"needs themes.*Learn them: learn\(histories"):
            client_voice(histories, scores, cutoff=CUTOFF, learned=without)
    with pytest.raises(
        ValueError, match="`learned` knows what was written until 2025-03-01, after the cutoff 2025-02-28"
    ):
        client_voice(histories, scores, cutoff="2025-02-28", learned=learned)


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        (SCORES.drop(columns="churn_probability"), "`scores` lacks the column 'churn_probability'"),
        (pd.concat([SCORES, SCORES[:1]]), "one row per client; 0 stands twice"),
        (SCORES.assign(churn_probability=1.5), r"`churn_probability` must lie within \[0, 1\]"),
        (SCORES.assign(value_at_risk=math.inf), "`value_at_risk` must be finite"),
        (SCORES.assign(client_id=SCORES["client_id"].map("C{}".format)), "the client C0, but the ids .* such as 0"),
    ],
)
def test_scores_that_are_wrong(scores, said):
    histories, learned = small(LAMP * 12)
    with pytest.raises(ValueError, match=said):
        client_voice(histories, scores, cutoff=CUTOFF, learned=learned)
    with pytest.raises(ValueError, match="`quotes` must be a whole number of at least 0; got -1"):
        client_voice(histories, SCORES, cutoff=CUTOFF, learned=learned, quotes=-1)


# Real texts


def test_real_reviews_are_heard_and_quoted_safely(shared_data):
    """Reviews of films, of which one in a hundred names somebody or leaves an address."""
    reviews = pd.read_parquet(shared_data / "nsmc_reviews_50k.parquet").iloc[:6_000]
    ids = [f"U{number // 2:05d}" for number in range(len(reviews))]
    contacts = pd.DataFrame({"client_id": ids, "text": reviews["review"].tolist()})
    contacts["event_time"] = CUTOFF - (np.arange(len(ids)) % 300 + 1) * DAY
    contacts["satisfaction"] = np.clip((reviews["rating"].to_numpy() + 1) // 2, 1, 5)
    bills = pd.DataFrame({"client_id": sorted(set(ids)), "event_time": CUTOFF - 300 * DAY, "amount": 9.0})
    histories = Histories(bills, contacts=contacts)
    learned = learn(histories, cutoff=CUTOFF - 100 * DAY, horizon="30d")
    scores = bills[["client_id"]].assign(churn_probability=0.4, value_at_risk=1.0)
    told = client_voice(histories, scores, cutoff=CUTOFF, learned=learned, quotes=20, language="ko")
    assert len(told) >= 3
    assert told["mood"].between(0, 1).all()
    quotes = [quote for some in told["quotes"] for quote in some]
    assert len(quotes) > 20
    assert not any(re.search(r"\d{5}|[^\s\[\]@]@[^\s@]", quote) for quote in quotes)
