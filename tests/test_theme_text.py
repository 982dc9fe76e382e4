"""Text features: by hand, against the slow oracle, and by both compilers, with a made-up model."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loyalty.features.text import FEATURES
from oracles import text
from oracles.history import DAY, Contact, History, Purchase
from oracles.learned import LEARNED
from theme_checks import (
    CUTOFFS,
    MICROSECOND,
    assert_equal,
    assert_same,
    instants,
    panel_in_ibis,
    panel_of,
    reports,
)

pytestmark = pytest.mark.filterwarnings("ignore::loyalty.histories.HistoriesWarning")
drawn = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])

CUTOFF = CUTOFFS[0]
NAN = np.nan


class Feedback:
    """The stand-in for the fitted model, in words of a database, too."""

    def __call__(self, output: str, texts: list[str]) -> np.ndarray:
        told = LEARNED["feedback"](output, texts)
        return np.where(np.isnan(told), -1, told)  # what it says of blanks is never asked

    def in_ibis(self, output: str, words: Any) -> Any:
        if output == "mood":
            return words.length() / 20
        return words.ascii_str() % 7 * int(output.removeprefix("theme_"))


MODEL = {"learned": {"feedback": Feedback()}}


def said(days: float, words: str | None, **columns) -> Contact:
    """What client 1 wrote so many days before the cutoff."""
    return Contact(1, CUTOFF - days * DAY, text=words, **columns)


def row_of(*contacts: Contact) -> pd.Series:
    contacts = (*contacts, Contact(2, CUTOFF - 3 * DAY, text="someone else"))
    history = History(purchases=[Purchase(1, CUTOFF - 900 * DAY, 1.0)], contacts=list(contacts))
    return panel_of(history, CUTOFF, FEATURES, **MODEL).iloc[0]


# By hand: of the stand-in, a mood is a twentieth of the length; theme k is k times what the first letter is worth,
# which is 6 for an a, 0 for a b and 1 for a c.

BY_HAND = {
    "three texts": (
        [said(400, "cbcbcbcbcb"), said(200, "abcd"), said(20, "cbcbcbc")],
        {
            "texts_count_365d": 2,
            "text_length_mean_365d": 5.5,
            "texts_korean_share": 0,
            "mood_mean_365d": 0.275,  # .2 and .35
            "mood_last": 0.35,
            "mood_min_365d": 0.2,
            "mood_trend_180d": 0,  # .35 less the mean of .5 and .2
            "text_theme_1_mean_365d": 3.5,  # 6 and 1
            "text_theme_2_mean_365d": 7,
            "text_theme_3_mean_365d": 10.5,
            "text_theme_4_mean_365d": 14,
            "text_theme_5_mean_365d": 17.5,
        },
    ),
    "two of late": (
        [said(5, "a"), said(4, "bcd")],
        {"mood_mean_365d": 0.1, "text_theme_1_mean_365d": 3, "mood_trend_180d": NAN},  # nothing before
    ),
    "blanks are no texts": (
        [said(9, "아니요"), said(5, ""), said(4, " \t\r\n"), said(3, None)],
        {"texts_count_365d": 1, "text_length_mean_365d": 3, "texts_korean_share": 1}
        | {"mood_mean_365d": 0.15, "mood_last": 0.15, "mood_min_365d": 0.15, "text_theme_1_mean_365d": ord("아") % 7},
    ),
    "half in Korean": (
        [said(500, "배송이 늦어요"), said(400, "ㅠㅠ"), said(300, "late"), said(200, "遅い ～")],
        {"texts_korean_share": 0.5, "texts_count_365d": 2, "text_length_mean_365d": 4},
    ),
    "Korean in other forms": (
        [said(9, "\u1112\u1161\u11ab"), said(8, "ok 힣"), said(7, "가?"), said(6, "ꯟ㄰")],
        {"texts_korean_share": 0.75},
    ),
    "characters, not bytes": ([said(9, "좋아요 👍")], {"text_length_mean_365d": 5, "mood_last": 0.25}),
    "just within a year": ([said(365, "abc")], {"texts_count_365d": 1, "mood_mean_365d": 0.15}),
    "just not within a year": (
        [Contact(1, CUTOFF - 365 * DAY - MICROSECOND, text="abc")],
        {
            "texts_count_365d": 0,
            "text_length_mean_365d": NAN,
            "mood_mean_365d": NAN,
            "mood_min_365d": NAN,
            "mood_last": 0.15,
            "text_theme_1_mean_365d": NAN,
            "mood_trend_180d": NAN,
        },
    ),
    "180 days ago is lately": ([said(180, "abc"), said(300, "abcde")], {"mood_trend_180d": -0.1}),
    "and before that is not": (
        [said(1, "a"), Contact(1, CUTOFF - 180 * DAY - MICROSECOND, text="abc"), said(600, "abcde")],
        {"mood_trend_180d": 0.05 - 0.2},
    ),
    "at the cutoff": (
        [said(9, "abc"), said(0, "abcdef")],
        {"mood_last": 0.15, "text_length_mean_365d": 3, "texts_count_365d": 1},
    ),
    "told at the cutoff": ([said(9, "abc"), said(5, "abcdef", known_at=CUTOFF)], {"mood_last": 0.15}),
    "told just before": ([said(9, "abc"), said(5, "abcdef", known_at=CUTOFF - MICROSECOND)], {"mood_last": 0.3}),
    "at one instant the largest": (
        [said(9, "x" * 12), said(9, "abc"), said(30, "x" * 20)],
        {"mood_last": 0.6},
    ),
    "nothing": (
        [],
        {"texts_count_365d": 0, "text_length_mean_365d": NAN, "texts_korean_share": NAN}
        | {"mood_mean_365d": NAN, "mood_last": NAN, "mood_min_365d": NAN, "mood_trend_180d": NAN},
    ),
}


@pytest.mark.parametrize(("contacts", "by_hand"), BY_HAND.values(), ids=list(BY_HAND))
def test_by_hand(contacts, by_hand):
    assert row_of(*contacts)[list(by_hand)].to_dict() == pytest.approx(by_hand, nan_ok=True, rel=1e-12)


def test_a_very_long_text_among_many():
    # An array of texts of one width would take 4 GB.
    many = [Contact(client, CUTOFF - DAY, text=f"text {client}") for client in range(1_000)]
    history = History(
        purchases=[Purchase(1_000, CUTOFF - DAY, 1.0)],
        contacts=[*many, Contact(1_000, CUTOFF - DAY, text="가" * 1_000_000)],
    )
    row = panel_of(history, CUTOFF, FEATURES[:3]).iloc[0]
    assert row.tolist() == [1, 1_000_000, 1]


# Against the oracle

WORDS = st.none() | st.sampled_from(
    ["", " ", "\n", "ok", "too late", "배송이 늦어요", "ㅋㅋ", "x" * 11, "x" * 13, "ça va 👍", "a" * 40]
)


@st.composite
def worlds(draw, most: int = 16):
    """Contacts about a cutoff, of clients who all have bought."""
    cutoff = draw(st.sampled_from(CUTOFFS))

    @st.composite
    def contacts(draw) -> Contact:
        at = draw(instants(cutoff, (0, 9, 180, 365), oldest=700))
        client = draw(st.sampled_from([1, 2, 3]))
        return Contact(client, at, known_at=draw(reports(cutoff, at)), text=draw(WORDS))

    purchases = [Purchase(client, cutoff - 900 * DAY, 1.0) for client in (1, 2, 3, 4)]
    return History(purchases=purchases, contacts=draw(st.lists(contacts(), min_size=1, max_size=most))), cutoff


@settings(drawn, max_examples=25)
@given(worlds())
def test_equals_the_oracle(world):
    history, cutoff = world
    panel = panel_of(history, cutoff, FEATURES, **MODEL)
    known = history.known_before(cutoff)
    assert_equal(panel, {client: text.tell(known.of(client), cutoff) for client in (1, 2, 3, 4)})


@settings(drawn, max_examples=5)
@given(worlds(most=40))
def test_both_compilers_agree(world):
    history, cutoff = world
    assert_same(panel_of(history, cutoff, FEATURES, **MODEL), panel_in_ibis(history, cutoff, FEATURES, **MODEL))


def test_parts_of_clients_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    words = ["ok", "too late", "배송이 늦어요", "ㅋㅋ", ""]
    contacts = [
        Contact(int(client), CUTOFF - int(rng.integers(1, 600)) * DAY, text=str(rng.choice(words)))
        for client in rng.integers(0, 30, 200)
    ]
    history = History(purchases=[Purchase(client, CUTOFF - DAY, 1.0) for client in range(35)], contacts=contacts)
    whole = panel_of(history, CUTOFF, FEATURES, **MODEL)
    monkeypatch.setattr("loyalty.features.panel._PART_ROWS", 3)
    pd.testing.assert_frame_equal(whole, panel_of(history, CUTOFF, FEATURES, **MODEL), check_exact=True)
