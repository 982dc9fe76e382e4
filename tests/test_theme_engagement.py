"""The theme engagement: by hand, against its oracle, and the same in Ibis."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty.features import Feature
from loyalty.features.catalogue import missing
from loyalty.features.engagement import FEATURES
from loyalty.histories import Histories
from oracles import engagement
from oracles.history import DAY, Contact, Event, History, Purchase
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


def held(history: History, cutoff: datetime, *, ibis: bool) -> pd.DataFrame:
    """Compute a panel and hold it to the oracle and, which takes longer, to Ibis."""
    panel = panel_of(history, cutoff, FEATURES)
    known = history.known_before(cutoff)
    clients = panel.index.get_level_values("client_id")
    assert_equal(panel, {client: engagement.tell(known.of(client), cutoff) for client in clients})
    if ibis:
        assert_same(panel, panel_in_ibis(history, cutoff, FEATURES))
    return panel.droplevel("cutoff")


def computable(history: History, *, without: Sequence[str]) -> list[Feature]:
    """Keep the features that are left without some columns."""
    histories = Histories(**frames_of(history, without=without))
    return [feature for feature in FEATURES if not missing(histories, feature)]


def inbound(at: datetime, **more: Any) -> Contact:
    return Contact("ann", at, direction="inbound", **more)


def outbound(at: datetime, **more: Any) -> Contact:
    return Contact("ann", at, direction="outbound", **more)


def ann(
    cutoff: datetime, *, contacts: Sequence[Contact] = (), events: Sequence[Event] = (), bought: Sequence[float] = ()
) -> "pd.Series[float]":
    """Compute Ann's features, and see that the oracle and, at one cutoff, Ibis say the same; Bob is there too."""
    history = History(
        purchases=[Purchase("ann", cutoff - days * DAY, 5.0) for days in (800, *bought)],
        contacts=[*contacts, Contact("bob", cutoff - DAY, direction="inbound")],
        events=[*events, Event("bob", cutoff - DAY, "visit")],
    )
    return held(history, cutoff, ibis=cutoff == MID_SECOND).loc["ann"]


@each_cutoff
def test_a_contact_of_the_companys_is_two_way_when_it_was_replied_to(cutoff):
    row = ann(
        cutoff,
        contacts=[
            inbound(cutoff - 100 * DAY),
            outbound(cutoff - 70 * DAY, replied_at=cutoff - MICROSECOND),
            outbound(cutoff - 60 * DAY, replied_at=cutoff),
            outbound(cutoff - 50 * DAY),
            inbound(cutoff - 20 * DAY, replied_at=cutoff - 19 * DAY),
            inbound(cutoff - 10 * DAY),
            Contact("ann", cutoff - 5 * DAY, replied_at=cutoff - 4 * DAY),  # nobody knows who began it
        ],
    )
    assert row["days_since_last_contact"] == 10
    assert row["contact_gap_days_mean"] == pytest.approx(30)  # 100 to 70 to 20 to 10: 30, 50 and 10
    assert row["contacts_trend_90d"] == 2  # 70, 20 and 10 less 100
    assert (row["inbound_count_90d"], row["inbound_count_365d"]) == (2, 3)
    assert (row["outbound_count_90d"], row["outbound_count_365d"]) == (3, 3)
    assert row["inbound_share_365d"] == 0.5


@each_cutoff
def test_cadence_needs_two_contacts(cutoff):
    once = ann(cutoff, contacts=[inbound(cutoff - 10 * DAY)])
    assert once["days_since_last_contact"] == 10
    assert np.isnan(once["contact_gap_days_mean"])
    answered = ann(cutoff, contacts=[inbound(cutoff - 20 * DAY), outbound(cutoff - 6 * DAY, replied_at=cutoff - DAY)])
    assert answered["days_since_last_contact"] == 6
    assert answered["contact_gap_days_mean"] == pytest.approx(14)
    at_once = ann(cutoff, contacts=[inbound(cutoff - 10 * DAY), inbound(cutoff - 10 * DAY)])
    assert at_once["contact_gap_days_mean"] == 0


@each_cutoff
def test_contacts_at_the_edges_of_windows(cutoff):
    ages = (90, 180, 365)
    edges = [cutoff - days * DAY for days in ages]
    outside = [at - MICROSECOND for at in edges]
    row = ann(cutoff, contacts=[*map(inbound, edges), *map(outbound, outside)])
    assert (row["inbound_count_90d"], row["inbound_count_365d"]) == (1, 3)
    assert (row["outbound_count_90d"], row["outbound_count_365d"]) == (
        0,
        2,
    )  # not 90 and a microsecond; not 365 and one
    assert row["inbound_share_365d"] == 3 / 5
    assert row["contacts_trend_90d"] == 0  # 90 less 180
    answered = [outbound(at, replied_at=at) for at in outside]
    assert ann(cutoff, contacts=[*map(inbound, edges), *answered])["contacts_trend_90d"] == -1  # one more before


@each_cutoff
def test_what_is_known_late_or_at_the_cutoff(cutoff):
    late = cutoff - 10 * DAY
    row = ann(
        cutoff,
        contacts=[inbound(late, known_at=cutoff), inbound(cutoff)],
        events=[Event("ann", late, "visit", known_at=cutoff), Event("ann", cutoff, "visit")],
    )
    assert row["inbound_count_90d"] == row["visits_count_90d"] == 0
    assert np.isnan(row["days_since_last_contact"])
    assert np.isnan(row["days_since_last_visit"])
    told = cutoff - MICROSECOND
    row = ann(
        cutoff,
        contacts=[inbound(late, known_at=told), inbound(told)],
        events=[Event("ann", late, "visit", known_at=told), Event("ann", told, "visit")],
    )
    assert row["inbound_count_90d"] == row["visits_count_90d"] == 2
    assert row["days_since_last_visit"] == pytest.approx(1 / 86_400e6)


@each_cutoff
def test_visits(cutoff):
    visits = [Event("ann", cutoff - days * DAY, "visit") for days in (400, 365, 180, 100, 90, 30, 30, 2)]
    outside = [Event("ann", cutoff - days * DAY - MICROSECOND, "visit") for days in (90, 180, 365)]
    row = ann(cutoff, events=[*visits, *outside], bought=(364, 40, 40, 10))
    assert row["visits_count_90d"] == 4  # 90, 30, 30 and 2
    assert row["visits_count_365d"] == 9  # all but those of day 400, and of 365 and a microsecond
    assert row["visits_trend_90d"] == 4 - 3  # 180, 100, and 90 and a microsecond
    assert row["days_since_last_visit"] == 2
    assert row["visits_per_purchase_day_365d"] == 3  # on three days: 364, 40 and 10
    assert np.isnan(ann(cutoff, events=visits)["visits_per_purchase_day_365d"])


@each_cutoff
def test_posts_referrals_and_kinds(cutoff):
    posts = [Event("ann", cutoff - days * DAY, "community_post") for days in (366, 365, 170, 120, 5)]
    referrals = [Event("ann", cutoff - days * DAY, "referral") for days in (180, 90, 60)]
    others = [Event("ann", cutoff - days * DAY, kind) for days, kind in ((3, "설문"), (3, "survey"), (366, "webinar"))]
    row = ann(cutoff, events=[*posts, *referrals, *others])
    assert row["community_posts_count_365d"] == 4
    assert row["community_posts_trend_90d"] == 1 - 2
    assert row["referrals_count_365d"] == 3
    assert row["referrals_trend_90d"] == 2 - 1
    assert row["event_kinds_count_365d"] == 4  # not the webinar; two words are two kinds
    assert row["visits_count_365d"] == 0


def test_who_did_nothing_else_than_buying():
    row = ann(MIDDAY, bought=[10])
    zero = {f.name for f in FEATURES if any(word in f.name for word in ("_count_", "_trend_"))}
    zero |= {"visits_per_purchase_day_365d"}
    assert set(row.index[row == 0]) == zero
    assert set(row.index[row.isna()]) == set(row.index) - zero
    assert row[row.isna()].index.tolist() == [
        "contact_gap_days_mean",
        "days_since_last_contact",
        "inbound_share_365d",
        "days_since_last_visit",
    ]


def test_features_follow_the_columns_there_are():
    history = History(
        [Purchase("ann", MIDNIGHT - 50 * DAY, 5.0)],
        [inbound(MIDNIGHT - 9 * DAY), outbound(MIDNIGHT - 5 * DAY, replied_at=MIDNIGHT - 4 * DAY)],
        events=[Event("ann", MIDNIGHT - DAY, "visit")],
    )

    everything = {feature.name for feature in FEATURES}
    of_contacts = {name for name in everything if "contact" in name or "bound" in name}

    def names(told: History, *without: str) -> set[str]:
        return {feature.name for feature in computable(told, without=without)}

    assert names(history) == names(history, "contacts.replied_at") == everything
    assert names(history, "contacts.direction") == everything - of_contacts
    assert names(replace(history, contacts=[])) == everything - of_contacts
    assert names(replace(history, events=[])) == of_contacts


def test_without_replies_only_the_clients_own_contacts_are_two_way():
    contacts = [inbound(MIDNIGHT - 9 * DAY), outbound(MIDNIGHT - 5 * DAY, replied_at=MIDNIGHT - 4 * DAY)]
    history = History([Purchase("ann", MIDNIGHT - 50 * DAY, 5.0)], contacts)
    without = ["contacts.replied_at"]
    features = computable(history, without=without)
    panel = panel_of(history, MIDNIGHT, features, without=without)
    assert_same(panel, panel_in_ibis(history, MIDNIGHT, features, without=without))
    assert panel["days_since_last_contact"].tolist() == [9]
    assert panel["outbound_count_90d"].tolist() == [1]


@st.composite
def worlds(draw: st.DrawFn) -> tuple[History, datetime]:
    """Rows of two clients in three tables, at the edges of windows before the cutoff or anywhere."""
    midnight = datetime.fromisoformat("2023-11-05") + draw(st.integers(0, 400)) * DAY
    cutoff = midnight + draw(st.sampled_from([at - MIDNIGHT for at in CUTOFFS]))
    times = instants(cutoff, (0, 90, 180, 365), oldest=450)
    clients = st.sampled_from([1, 2])

    def contact(at: datetime) -> Contact:
        known_at, replied_at = draw(reports(cutoff, at)), draw(later_facts(cutoff, at))
        direction = draw(st.sampled_from(["inbound", "outbound", "outbound", None]))
        return Contact(draw(clients), at, known_at, direction=direction, replied_at=replied_at)

    def event(at: datetime) -> Event:
        kind = draw(st.sampled_from(["visit", "visit", "community_post", "referral", "survey"]))
        return Event(draw(clients), at, kind, draw(reports(cutoff, at)))

    bought = [(at, draw(reports(cutoff, at))) for at in draw(st.lists(times, max_size=6))]
    purchases = [Purchase(draw(clients), at, draw(st.sampled_from([5.0, -5.0])), known) for at, known in bought]
    few, many = st.lists(times, max_size=4), st.lists(times, min_size=12, max_size=24)
    contacts = [contact(at) for at in draw(few | many)]
    events = [event(at) for at in draw(few | many)]
    history = History(
        [*(Purchase(client, cutoff - 800 * DAY, 1.0) for client in (1, 2)), *purchases],
        [Contact(3, cutoff - DAY), *contacts],
        events=[Event(3, cutoff - DAY, "visit"), *events],
    )
    return history, cutoff


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
