"""The theme service: by hand, against its oracle, and the same in Ibis."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty.features import Feature
from loyalty.features.catalogue import missing
from loyalty.features.service import FEATURES
from loyalty.histories import Histories
from oracles import service
from oracles.history import DAY, Contact, History, Purchase
from theme_checks import (
    CUTOFFS,
    MICROSECOND,
    assert_equal,
    assert_same,
    drawn,
    each_cutoff,
    frames_of,
    instants,
    later_facts,
    panel_in_ibis,
    panel_of,
    reports,
)

pytestmark = pytest.mark.filterwarnings("ignore::loyalty.histories.HistoriesWarning")

MIDNIGHT, MIDDAY, MID_SECOND = CUTOFFS

HOUR = timedelta(hours=1)


def held(history: History, cutoff: datetime, *, ibis: bool) -> pd.DataFrame:
    """Compute a panel and hold it to the oracle and, which takes longer, to Ibis."""
    panel = panel_of(history, cutoff, FEATURES)
    known = history.known_before(cutoff)
    clients = panel.index.get_level_values("client_id")
    assert_equal(panel, {client: service.tell(known.of(client), cutoff) for client in clients})
    if ibis:
        assert_same(panel, panel_in_ibis(history, cutoff, FEATURES))
    return panel.droplevel("cutoff")


def computable(history: History, *, without: Sequence[str]) -> list[Feature]:
    """Keep the features that are left without some columns."""
    histories = Histories(**frames_of(history, without=without))
    return [feature for feature in FEATURES if not missing(histories, feature)]


def complaint(at: datetime, client: str = "ann", **more: Any) -> Contact:
    return Contact(client, at, **{"kind": "complaint", "direction": "inbound", **more})


def bought(*at: datetime, amount: float = 10.0, client: str = "ann") -> list[Purchase]:
    return [Purchase(client, when, amount) for when in at]


def rows(cutoff: datetime, *contacts: Contact, purchases: Sequence[Purchase] = ()) -> pd.DataFrame:
    """Compute the features of everyone named, and see that the oracle and, at one cutoff, Ibis say the same."""
    clients = {row.client_id for row in (*contacts, *purchases)} | {"ann", "bob"}
    long_ago = [Purchase(client, cutoff - 800 * DAY, 1.0) for client in sorted(clients)]
    history = History(purchases=[*long_ago, *purchases], contacts=list(contacts))
    return held(history, cutoff, ibis=cutoff == MID_SECOND)


def ann(cutoff: datetime, *contacts: Contact, purchases: Sequence[Purchase] = ()) -> "pd.Series[float]":
    """Compute the features of one client."""
    return rows(cutoff, *contacts, purchases=purchases).loc["ann"]


@each_cutoff
def test_complaints_in_windows_to_the_microsecond(cutoff):
    at_the_edge = [complaint(cutoff - days * DAY) for days in (30, 90, 365)]
    outside = [complaint(cutoff - days * DAY - MICROSECOND) for days in (30, 90, 365)]
    row = ann(
        cutoff, *at_the_edge, *outside, Contact("ann", cutoff - DAY, kind="question"), Contact("ann", cutoff - DAY)
    )
    # The edge belongs to the window, what is a microsecond older only to the next one.
    assert row["complaints_count_90d"] == 3
    assert row["complaints_count_365d"] == 5
    assert row["days_since_last_complaint"] == 30


@each_cutoff
def test_late_is_open_for_more_than_7_days(cutoff):
    row = ann(cutoff, complaint(cutoff - 7 * DAY), complaint(cutoff - 7 * DAY - MICROSECOND), complaint(cutoff - DAY))
    assert row["complaints_open_count"] == 3
    assert row["complaints_late_count"] == 1
    assert row["complaint_open_days_max"] == pytest.approx(7 + 1 / 86_400e6, abs=1e-12)


@each_cutoff
def test_what_came_at_the_cutoff_has_not_come(cutoff):
    row = ann(
        cutoff,
        complaint(cutoff - 10 * DAY, replied_at=cutoff, resolved_at=cutoff),
        complaint(cutoff - 8 * DAY, replied_at=cutoff - MICROSECOND, resolved_at=cutoff - MICROSECOND),
        complaint(cutoff - 2 * DAY, known_at=cutoff),
        complaint(cutoff),
    )
    assert row["complaints_count_90d"] == 2
    assert row["complaints_open_count"] == row["complaints_late_count"] == 1
    assert row["complaint_open_days_max"] == 10
    assert row["complaints_answered_share_365d"] == row["complaints_resolved_share_365d"] == 0.5
    assert row["complaint_reply_hours_mean"] == pytest.approx(8 * 24)
    assert row["complaint_resolution_days_mean"] == pytest.approx(8)
    assert row["feedback_unanswered_count_365d"] == 1
    assert row["feedback_unanswered_days_max_365d"] == 10
    known = ann(cutoff, complaint(cutoff - 2 * DAY, known_at=cutoff - MICROSECOND))
    assert known["complaints_count_90d"] == 1


@each_cutoff
def test_time_to_reply_and_to_resolution(cutoff):
    old, new = cutoff - 400 * DAY, cutoff - 20 * DAY
    row = ann(
        cutoff,
        complaint(old, replied_at=old + 6 * HOUR, resolved_at=old + 1 * DAY),
        complaint(new, replied_at=new + 30 * HOUR, resolved_at=new + 4 * DAY),
        complaint(new, replied_at=new + 12 * HOUR),
        complaint(cutoff - 5 * DAY),
        Contact("ann", cutoff - DAY, kind="question", replied_at=cutoff - HOUR, resolved_at=cutoff - HOUR),
    )
    assert row["complaint_reply_hours_mean"] == pytest.approx(16)  # (6 + 30 + 12) / 3
    assert row["complaint_resolution_days_mean"] == pytest.approx(2.5)  # (1 + 4) / 2
    assert row["complaints_answered_share_365d"] == pytest.approx(2 / 3)  # the old one is out of the window
    assert row["complaints_resolved_share_365d"] == pytest.approx(1 / 3)
    assert row["complaints_open_count"] == 2
    assert row["complaints_late_count"] == 1


SILENCE = {
    "nobody spoke": ([], 20),
    "replied": ([{"replied_at": 19}], 0),
    "replied at that very instant": ([{"replied_at": 20}], 0),
    "a call before it": ([{"at": 20.5, "direction": "outbound"}], 20),
    "a call a microsecond before it": ([{"at": 20 + 1 / 86_400e6, "direction": "outbound"}], 20),
    "a call at that very instant": ([{"at": 20, "direction": "outbound"}], 0),
    "a call after it": ([{"at": 2, "direction": "outbound"}], 0),
    "the client asks again": ([{"at": 2, "direction": "inbound", "kind": "question"}], 20),
    "the client asks again and is answered": ([{"at": 2, "direction": "inbound", "replied_at": 1}], 0),
    "the company answers an older question": ([{"at": 90, "direction": "inbound", "replied_at": 1}], 0),
    "it answered an older question before": ([{"at": 90, "direction": "inbound", "replied_at": 21}], 20),
    "the client answers an older call": ([{"at": 90, "direction": "outbound", "replied_at": 1}], 20),
    "an answer to nobody knows whom": ([{"at": 90, "replied_at": 1}], 0),
}


@each_cutoff
def test_silence_after_a_complaint(cutoff):
    def when(days: float) -> datetime:
        return cutoff - timedelta(days=days)

    contacts = []
    for case, (said, _) in SILENCE.items():
        own = {}
        for one in said:
            reply = {"replied_at": when(one["replied_at"])} if "replied_at" in one else {}
            if "at" in one:
                kind = one.get("kind", "follow_up")
                contacts.append(Contact(case, when(one["at"]), direction=one.get("direction"), kind=kind, **reply))
            else:
                own = reply
        contacts += [complaint(when(100), case), complaint(when(20), case, **own)]
    told = rows(cutoff, *contacts)["complaint_silence_days"].drop(["ann", "bob"])
    assert told.to_dict() == {case: silence for case, (_, silence) in SILENCE.items()}


@each_cutoff
def test_days_to_the_next_call(cutoff):
    calls = [Contact("ann", cutoff - days * DAY, direction="outbound", kind="follow_up") for days in (60, 17, 3)]
    row = ann(cutoff, complaint(cutoff - 90 * DAY), complaint(cutoff - 20 * DAY), *calls)
    assert row["complaint_follow_up_days_last"] == pytest.approx(3)  # from day 20 to day 17
    row = ann(cutoff, complaint(cutoff - 20 * DAY), calls[0])
    assert np.isnan(row["complaint_follow_up_days_last"])


REFUND_SILENCE = {
    "nobody spoke": ({}, 30),
    "a call 14 days before": ({"at": 44 * DAY, "direction": "outbound"}, 0),
    "a call a microsecond earlier": ({"at": 44 * DAY + MICROSECOND, "direction": "outbound"}, 30),
    "a complaint before": ({"at": 40 * DAY, "direction": "inbound", "kind": "complaint"}, 0),
    "a complaint after": ({"at": DAY, "kind": "complaint"}, 0),
    "a question after": ({"at": DAY, "direction": "inbound", "kind": "question"}, 30),
    "a contact begun by nobody knows whom": ({"at": DAY, "kind": "follow_up"}, 30),
    "a call told of too late": ({"at": DAY, "direction": "outbound", "known_at": timedelta(0)}, 30),
}


@each_cutoff
def test_silence_about_a_refund(cutoff):
    contacts, refunds = [], []
    for case, (said, _) in REFUND_SILENCE.items():
        contact = {name: cutoff - value if isinstance(value, timedelta) else value for name, value in said.items()}
        contacts += [Contact(case, contact.pop("at"), **contact)] if contact else []
        refunds += bought(cutoff - 200 * DAY, cutoff - 30 * DAY, amount=-4.0, client=case)
    told = rows(cutoff, *contacts, purchases=refunds)["refund_silence_days"]
    assert told.to_dict() == {"ann": 0, "bob": 0} | {case: silence for case, (_, silence) in REFUND_SILENCE.items()}


@each_cutoff
def test_repeated_problems(cutoff):
    topics = {10: "delivery", 100: "delivery", 190: "bill", 281: "delivery", 300: None, 365: "bill", 366: "broken"}
    complaints = [complaint(cutoff - days * DAY, topic=topic) for days, topic in topics.items()]
    row = ann(cutoff, *complaints, Contact("ann", cutoff - DAY, kind="question", topic="opening hours"))
    # Three about delivery and two about the bill; the broken one is out of the window.
    assert row["complaints_same_topic_count_365d"] == 3


def test_purchases_after_a_recent_complaint_against_before():
    # Complaint at noon 20.5 days ago: after it days 20 to 0, before it days 21 to 41 (40.99 days ago at most).
    days = [5, 20, 20, 21, 22, 40, 41, 50]
    row = ann(MIDNIGHT, complaint(MIDNIGHT - 20.5 * DAY), purchases=bought(*(MIDNIGHT - day * DAY for day in days)))
    assert row["purchase_days_complaint_trend_180d"] == 2 - 3  # 5 and 20 less 21, 22 and 40; day 41 is the edge


@each_cutoff
def test_purchases_after_an_old_complaint_against_before(cutoff):
    # Purchase days exactly 180 days before and after a complaint at midnight lie outside, to the last bit.
    contacts, purchases, by_hand = [], [], {}
    for ago in range(190, 330):
        at = MIDNIGHT - ago * DAY
        days = [at - 180 * DAY, at - 178 * DAY, at, at + DAY, at + 179 * DAY, at + 180 * DAY]
        # At midnight: 1 and 179 after it, 178 before and the day itself. In the morning: 1, 179 and 180 after it.
        for hour, difference in ((0, 0), (7, 1)):
            client = f"{ago} days and {hour}"
            contacts.append(complaint(at + hour * HOUR, client))
            purchases += bought(*days, client=client)
            by_hand[client] = difference
    told = rows(cutoff, *contacts, purchases=purchases)["purchase_days_complaint_trend_180d"]
    assert told.drop(["ann", "bob"]).to_dict() == by_hand


@each_cutoff
def test_unanswered_feedback(cutoff):
    row = ann(
        cutoff,
        Contact("ann", cutoff - 366 * DAY, kind="feedback", direction="inbound"),
        Contact("ann", cutoff - 365 * DAY, kind="feedback", direction="inbound"),
        Contact("ann", cutoff - 300 * DAY, kind="feedback", direction="outbound"),
        Contact("ann", cutoff - 200 * DAY, kind="feedback", replied_at=cutoff - 199 * DAY),
        Contact("ann", cutoff - 100 * DAY, kind="question", direction="inbound"),
        Contact("ann", cutoff - 50 * DAY, kind="feedback"),
        complaint(cutoff - 10 * DAY),
    )
    assert row["feedback_unanswered_count_365d"] == 3  # 365, 50 and 10
    assert row["feedback_unanswered_days_max_365d"] == 365


@each_cutoff
def test_satisfaction(cutoff):
    ages_and_stars = [(400, 1.0), (180.5, 4.0), (180, 2.0), (30, 3.0), (30, 1.5)]
    scores = [Contact("ann", cutoff - days * DAY, satisfaction=stars) for days, stars in ages_and_stars]
    row = ann(cutoff, *scores, Contact("ann", cutoff - DAY, kind="question"))
    assert row["satisfaction_last"] == 3  # two at one instant: the higher
    assert row["satisfaction_mean"] == pytest.approx(2.3)  # 11.5 / 5
    assert row["satisfaction_min"] == 1
    assert row["satisfaction_trend_180d"] == pytest.approx(6.5 / 3 - 2.5)  # (2 + 3 + 1.5) / 3 less (1 + 4) / 2
    assert np.isnan(ann(cutoff, *scores[2:])["satisfaction_trend_180d"])


@each_cutoff
def test_after_the_sale(cutoff):
    day = MIDNIGHT - 40 * DAY
    asked = [Contact("ann", at, direction="inbound") for at in (day - MICROSECOND, day, day + DAY)]
    refunds = bought(cutoff - 90 * DAY, cutoff - DAY, amount=-3.0) + bought(
        cutoff - 90 * DAY - MICROSECOND, amount=-3.0
    )
    row = ann(
        cutoff,
        *asked,
        Contact("ann", cutoff - DAY, direction="outbound"),
        Contact("ann", cutoff - DAY),
        purchases=[*bought(day + 15 * HOUR, day - 30 * DAY), *refunds],
    )
    assert row["inbound_since_purchase_count"] == 2  # from the midnight of the last purchase day
    assert row["returns_count_90d"] == 2


def test_who_has_no_contact_had_no_problem():
    row = ann(MIDDAY, Contact("bob", MIDDAY - DAY, kind="question"))
    none = {f.name for f in FEATURES if "_count" in f.name} | {"complaint_silence_days", "refund_silence_days"}
    assert set(row.index[row == 0]) == none
    assert set(row.index[row.isna()]) == set(row.index) - none


def test_features_follow_the_columns_there_are():
    history = History(bought(MIDNIGHT - 50 * DAY), [complaint(MIDNIGHT - 10 * DAY)])

    def lost(*without: str) -> set[str]:
        return {f.name for f in FEATURES} - {f.name for f in computable(history, without=without)}

    assert lost() == set()
    assert {f.name for f in computable(History(history.purchases), without=())} == {"returns_count_90d"}
    assert lost("contacts.replied_at") == {
        "complaint_reply_hours_mean",
        "complaints_answered_share_365d",
        "complaint_silence_days",
        "feedback_unanswered_count_365d",
        "feedback_unanswered_days_max_365d",
    }
    assert lost("contacts.direction") == {
        "complaint_follow_up_days_last",
        "refund_silence_days",
        "inbound_since_purchase_count",
    }
    assert lost("contacts.topic") == {"complaints_same_topic_count_365d"}


def test_without_directions_only_replies_are_words():
    call = Contact("ann", MIDNIGHT - DAY, kind="feedback", direction="outbound")
    history = History(bought(MIDNIGHT - 50 * DAY), [complaint(MIDNIGHT - 10 * DAY), call])
    without = ["contacts.direction"]
    features = computable(history, without=without)
    panel = panel_of(history, MIDNIGHT, features, without=without)
    assert_same(panel, panel_in_ibis(history, MIDNIGHT, features, without=without))
    assert panel["complaint_silence_days"].tolist() == [10]
    assert panel["feedback_unanswered_count_365d"].tolist() == [2]


@st.composite
def worlds(draw: st.DrawFn) -> tuple[History, datetime]:
    """Rows of two clients, at the edges of windows before the cutoff and about instants that the tables share."""
    midnight = datetime.fromisoformat("2023-11-05") + draw(st.integers(0, 400)) * DAY
    cutoff = midnight + draw(st.sampled_from([at - MIDNIGHT for at in CUTOFFS]))
    at_midnight = st.integers(-20, 420).map(lambda days: midnight - days * DAY)
    shared = draw(st.lists(at_midnight | instants(cutoff, (1,), oldest=420, newest=0), min_size=1, max_size=3))
    days, nudges = st.sampled_from((-180, -14, 0, 0, 180)), st.sampled_from((-1, 0, 0, 1))
    about = st.builds(lambda at, n, nudge: at + n * DAY + nudge * MICROSECOND, st.sampled_from(shared), days, nudges)
    times = about | at_midnight | instants(cutoff, (0, 7, 90, 180, 365), oldest=450)
    clients = st.sampled_from([1, 2])

    def purchase(at: datetime) -> Purchase:
        return Purchase(draw(clients), at, draw(st.sampled_from([5.0, -5.0])), draw(reports(cutoff, at)))

    def contact(at: datetime) -> Contact:
        return Contact(
            draw(clients),
            at,
            known_at=draw(reports(cutoff, at)),
            direction=draw(st.sampled_from(["inbound", "outbound", None])),
            kind=draw(st.sampled_from(["complaint", "complaint", "feedback", "question", None])),
            topic=draw(st.sampled_from(["delivery", "bill", "배송", None])),
            replied_at=draw(later_facts(cutoff, at)),
            resolved_at=draw(later_facts(cutoff, at)),
            satisfaction=draw(st.none() | st.integers(2, 10).map(lambda halves: halves / 2)),
        )

    few, many = st.lists(times, max_size=4), st.lists(times, min_size=15, max_size=30)
    purchases = [purchase(at) for at in draw(st.lists(times, min_size=6, max_size=16))]
    contacts = [contact(at) for at in draw(few | many)]
    long_ago = [Purchase(client, cutoff - 800 * DAY, 1.0) for client in (1, 2)]
    return History([*long_ago, *purchases], [Contact(3, cutoff - DAY), *contacts]), cutoff


@settings(drawn, max_examples=40)
@given(worlds())
def test_equals_the_oracle(world):
    history, cutoff = world
    held(history, cutoff, ibis=False)


@settings(drawn, max_examples=6)
@given(worlds())
def test_ibis_says_the_same(world):
    history, cutoff = world
    held(history, cutoff, ibis=True)
