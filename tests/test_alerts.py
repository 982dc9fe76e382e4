"""Alerts: against plain loops, blind to the future, and on clients whom the made-up shop really loses for it."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from loyalty.alerts import ALERTS, AlertLimits, alert_list, alert_summary, missing_alerts
from loyalty.datasets import _world as w
from loyalty.datasets import synthetic_tables
from loyalty.datasets._history import History
from loyalty.datasets._world import World
from loyalty.features import blindness
from loyalty.histories import Histories

pytestmark = pytest.mark.filterwarnings("ignore::loyalty.histories.HistoriesWarning")

CUTOFF = pd.Timestamp("2024-06-01")
DAY = pd.Timedelta(days=1)
CLIENTS = ("ann", "bob", "cid")
KINDS = list(ALERTS)
MONEY = {"ann": 30.0, "bob": 20.0, "cid": 10.0}
SCORES = pd.DataFrame({"client_id": list(MONEY), "value_at_risk": list(MONEY.values())})
LIMITS = AlertLimits(reply_days=5, many_offers=2)


def shop(contacts=(), offers=(), refunds=()):
    """Histories of three clients, who bought two years ago; rows are dicts with times in days before the cutoff."""
    bills = [{"client_id": client, "event_time": CUTOFF - 700 * DAY, "amount": 50.0} for client in CLIENTS]
    bills += [{"client_id": client, "event_time": CUTOFF - age * DAY, "amount": -5.0} for client, age in refunds]
    tables = {"contacts": pd.DataFrame(contacts), "offers": pd.DataFrame(offers)}
    return Histories(
        pd.DataFrame(bills),
        observed_until="2026-01-01",
        **{name: table for name, table in tables.items() if len(table)},
    )


def contact(client, age, *, kind="feedback", direction="inbound", replied=None, delay=0.0):
    at = CUTOFF - age * DAY
    replied_at = pd.NaT if replied is None else at + replied * DAY
    return {
        "client_id": client, "event_time": at, "known_at": at + delay * DAY, "kind": kind, "direction": direction,
        "replied_at": pd.Timestamp(replied_at),
    }  # fmt: skip


def offer(client, age, *, taken=None, treated=True):
    sent = CUTOFF - age * DAY
    return {
        "client_id": client, "sent": sent, "treated": treated,
        "redeemed_at": pd.Timestamp(pd.NaT if taken is None else sent + taken * DAY),
    }  # fmt: skip


def told(histories, limits=LIMITS, **options):
    alerts = alert_list(histories, SCORES, cutoff=CUTOFF, limits=limits, **options)
    return {(row.client_id, row.kind): (row.age_days, row.count) for row in alerts.itertuples(index=False, name="Row")}


# Oracle: a loop over the rows of one client


def oracle(contacts, offers, refunds, limits):
    """Say who is listed, from the words of the documentation."""
    found = {}
    for client in CLIENTS:
        rows = [c for c in contacts if c["client_id"] == client and c["known_at"] < CUTOFF]
        ages = [(CUTOFF - c["event_time"]) / DAY for c in rows]
        answered = [pd.notna(c["replied_at"]) and c["replied_at"] < CUTOFF for c in rows]
        ours = [c["direction"] == "outbound" for c in rows]
        waiting = [
            age
            for c, age, done, out in zip(rows, ages, answered, ours, strict=True)
            if c["kind"] in ("feedback", "complaint") and not out and not done and age <= 365
        ]
        if waiting and max(waiting) > limits.reply_days:
            found[client, "unanswered_feedback"] = (max(waiting), len(waiting))
        silences = []
        complaints = [age for c, age in zip(rows, ages, strict=True) if c["kind"] == "complaint"]
        if complaints:
            last = CUTOFF - min(complaints) * DAY
            words = [
                c["event_time"] >= last if out else (done and c["replied_at"] >= last)
                for c, done, out in zip(rows, answered, ours, strict=True)
            ]
            silences += [] if any(words) else [min(complaints)]
        back = [age for who, age in refunds if who == client and age > 0]
        if back:
            about = [
                c["kind"] == "complaint" or out
                for c, age, out in zip(rows, ages, ours, strict=True)
                if age <= min(back) + 14
            ]
            silences += [] if any(about) else [min(back)]
        silences = [age for age in silences if limits.reply_days < age <= 90]
        if silences:
            found[client, "silence_after_problem"] = (max(silences), len(silences))
        got = [
            ((CUTOFF - o["sent"]) / DAY, o["redeemed_at"])
            for o in offers
            if o["client_id"] == client and o["sent"] < CUTOFF and o["treated"]
        ]
        recent = [age for age, _ in got if age <= 30]
        taken = [(CUTOFF - at) / DAY for _, at in got if pd.notna(at) and at < CUTOFF]
        if len(recent) >= limits.many_offers and min(taken, default=math.inf) >= 30:
            oldest = max(age for age, _ in got if age <= 365)
            found[client, "promotion_fatigue"] = (min([oldest, *taken]), len(recent))
    return found


ages = st.sampled_from([-3, 0, 1, 4, 5, 6, 14, 20, 29, 30, 31, 44, 45, 89, 90, 91, 364, 365, 366]).map(float)
clients = st.sampled_from(CLIENTS)
drawn_contacts = st.builds(
    contact, clients, ages, kind=st.sampled_from(["feedback", "complaint", "question"]),
    direction=st.sampled_from(["inbound", "inbound", "outbound"]),
    replied=st.none() | st.sampled_from([0.0, 1.0, 6.0, 40.0]), delay=st.sampled_from([0.0, 0.0, 5.0]),
)  # fmt: skip
drawn_offers = st.builds(
    offer, clients, ages, taken=st.none() | st.sampled_from([0.0, 1.0, 31.0]), treated=st.booleans()
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=80)
@given(
    st.lists(drawn_contacts, min_size=1, max_size=6),
    st.lists(drawn_offers, min_size=1, max_size=8),
    st.lists(st.tuples(clients, ages), max_size=3),
)
def test_is_what_a_loop_finds(contacts, offers, refunds):
    expected = oracle(contacts, offers, refunds, LIMITS)
    found = told(shop(contacts, offers, refunds))
    assert found.keys() == expected.keys()
    for key, (age, count) in expected.items():
        assert found[key] == (pytest.approx(age, abs=1e-9), count), key


# Edges


def test_a_message_waits_from_more_than_the_limit_on():
    microsecond = 1 / 86_400e6
    assert told(shop([contact("ann", 5.0), contact("bob", 5.0 + microsecond)])).keys() == {
        ("bob", "unanswered_feedback")
    }


def test_a_silence_of_more_than_a_quarter_is_another_matter():
    late = [contact("ann", 90.0, kind="complaint"), contact("bob", 90.1, kind="complaint")]
    assert {client for client, kind in told(shop(late)) if kind == "silence_after_problem"} == {"ann"}


def test_an_old_offer_taken_lately_is_no_fatigue():
    offers = [offer("ann", 3), offer("ann", 4), offer("ann", 200, taken=190), offer("bob", 3), offer("bob", 4)]
    offers += [offer("bob", 200, taken=100)]
    assert told(shop(offers=offers)) == {("bob", "promotion_fatigue"): (100.0, 2)}


def test_an_offer_taken_thirty_days_ago_is_no_longer_an_answer():
    lately = [offer(client, age) for client in ("ann", "bob") for age in (3, 30)]
    lately += [offer("ann", 40, taken=10), offer("bob", 40, taken=10 + 1 / 86_400)]
    assert told(shop(offers=lately)) == {("ann", "promotion_fatigue"): (30.0, 2)}


def test_order_is_by_money_then_age():
    rows = [contact("cid", 300), contact("ann", 10, kind="complaint"), contact("bob", 20), contact("ann", 50)]
    alerts = alert_list(shop(rows), SCORES, cutoff=CUTOFF, limits=LIMITS)
    assert alerts["client_id"].tolist() == ["ann", "ann", "bob", "cid"]
    assert alerts["age_days"].tolist() == [50, 10, 20, 300]
    assert list(alerts["kind"].cat.categories) == KINDS[:2]


def test_nobody_but_those_scored_is_listed():
    alerts = alert_list(shop([contact("ann", 10), contact("bob", 10)]), SCORES[1:], cutoff=CUTOFF, limits=LIMITS)
    assert alerts["client_id"].tolist() == ["bob"]


# What is missing, and what is wrong


def test_without_a_table_its_alerts_are_left_out_and_named():
    bare = shop()
    alerts = alert_list(bare, SCORES, cutoff=CUTOFF)
    assert len(alerts) == 0
    assert list(alerts.columns) == ["client_id", "kind", "age_days", "count", "value_at_risk"]
    assert alert_summary(alerts, SCORES).empty
    assert len(missing_alerts(bare)) == 2
    assert missing_alerts(shop([contact("ann", 1)], [offer("ann", 1)])) == ()


def test_a_kind_that_could_be_looked_for_counts_nobody():
    summary = alert_summary(alert_list(shop([contact("ann", 1)]), SCORES, cutoff=CUTOFF), SCORES).set_index("kind")
    assert summary.index.tolist() == [*KINDS[:2], "any"]
    assert (summary["clients"] == 0).all()
    assert summary["age_days_max"].isna().all()


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        (SCORES.drop(columns="value_at_risk"), "`scores` lacks the column 'value_at_risk'"),
        (pd.concat([SCORES, SCORES[:1]]), "one row per client; ann stands twice"),
        (
            SCORES.assign(value_at_risk=[1.0, math.nan, 1.0]),
            "finite amount of at least 0; got nan for the client bob",
        ),
        (SCORES.assign(client_id=["ann", "bob", "dan"]), "the client dan, who does not stand at 2024-06-01"),
    ],
)
def test_scores_that_are_wrong(scores, said):
    with pytest.raises(ValueError, match=said):
        alert_list(shop([contact("ann", 1)]), scores, cutoff=CUTOFF)


@pytest.mark.parametrize(
    "limits",
    [
        {"reply_days": -1},
        {"reply_days": math.inf},
        {"reply_days": "5"},
        {"many_offers": 1.5},
        {"many_offers": 0},
        {"many_offers": math.nan},
        {"many_offers": True},
    ],
)
def test_limits_that_are_wrong(limits):
    with pytest.raises(ValueError, match=f"`{next(iter(limits))}` must be"):
        AlertLimits(**limits)


def test_summary_counts_a_client_once_in_the_last_row():
    rows = [contact("ann", 40, kind="complaint"), contact("bob", 20), contact("ann", 60)]
    alerts = alert_list(shop(rows), SCORES, cutoff=CUTOFF, limits=LIMITS)
    summary = alert_summary(alerts, SCORES).set_index("kind")
    assert summary.loc["any", "clients"] == 2
    assert summary.loc["any", ["value_at_risk", "age_days_max", "age_days_median"]].tolist() == [50.0, 60.0, 40.0]
    assert summary.loc["any", "value_share"] == pytest.approx(50 / 60)
    assert summary.loc["silence_after_problem", ["clients", "value_at_risk", "age_days_max"]].tolist() == [1, 30, 40]


# Limits


def replies(delays, **more):
    return [contact("ann", 100.0, replied=delay, **more) for delay in delays]


def test_the_limit_is_the_time_of_nine_in_ten_replies():
    delays = np.linspace(1.0, 4.0, 31)
    assert AlertLimits.read(shop(replies(delays)), cutoff=CUTOFF).reply_days == pytest.approx(np.quantile(delays, 0.9))
    # Slower than a week is a week; an automatic receipt is no reply of a person; thirty replies are needed.
    assert AlertLimits.read(shop(replies(delays * 10)), cutoff=CUTOFF).reply_days == 7
    assert AlertLimits.read(shop(replies(delays / 100)), cutoff=CUTOFF).reply_days == 1
    assert AlertLimits.read(shop(replies(delays[:29])), cutoff=CUTOFF).reply_days == 7


def test_only_replies_to_clients_that_are_known_by_then_and_not_old_are_read():
    quick, slow = replies([2.0] * 30), [4.0] * 300
    for others in (
        replies(slow, direction="outbound"),
        replies(slow, kind="question"),
        [contact("bob", age, replied=delay) for delay in slow for age in (3.0, 4.0)],  # after the cutoff, and at it
        [contact("bob", 370.0, replied=delay) for delay in slow],  # over a year ago
        replies(slow, delay=100.0),
    ):
        assert AlertLimits.read(shop(quick + others), cutoff=CUTOFF).reply_days == 2


def test_many_offers_are_those_of_one_in_ten():
    bills = pd.DataFrame({"client_id": range(100), "event_time": CUTOFF - 50 * DAY, "amount": 9.0})
    counts = [6] * 11 + [1] * 89
    sent = [offer(client, 5) for client, count in enumerate(counts) for _ in range(count)]
    assert AlertLimits.read(Histories(bills, offers=pd.DataFrame(sent)), cutoff=CUTOFF).many_offers == 6
    few = [row for row in sent if row["client_id"] not in (0, 1)]
    assert AlertLimits.read(Histories(bills, offers=pd.DataFrame(few)), cutoff=CUTOFF).many_offers == 4


def test_in_contracts_the_offers_of_clients_who_never_bought_count():
    bills = pd.DataFrame({"client_id": [1_000], "event_time": CUTOFF - 50 * DAY, "amount": 9.0})
    contracts = pd.DataFrame({"client_id": range(100), "start": CUTOFF - 50 * DAY, "end": CUTOFF + 50 * DAY})
    offers = pd.DataFrame([offer(client, 5) for client in range(100) for _ in range(6)])
    shop = Histories(bills, contracts=contracts, offers=offers)
    assert AlertLimits.read(shop, cutoff=CUTOFF).many_offers == 4
    assert AlertLimits.read(shop, cutoff=CUTOFF, kind="contractual").many_offers == 6


# The made-up shop


@pytest.fixture(scope="module")
def tables():
    return synthetic_tables(1_500, seed=3).tables


def everyone(histories, cutoff):
    ids = histories.population(cutoff=cutoff).execute()["client_id"]
    return pd.DataFrame({"client_id": ids, "value_at_risk": ids.str[-3:].astype(float)})


@pytest.mark.parametrize("change", sorted(blindness._CHANGES))
def test_what_became_known_later_changes_nothing(tables, change):
    cutoff, rng = pd.Timestamp("2025-03-03 12:00"), np.random.default_rng(0)
    histories = Histories(**tables)
    frames = blindness._tables(histories, 10_000, rng)
    changed = {name: blindness._CHANGES[change](name, frame, cutoff, rng) for name, frame in frames.items()}
    scores = everyone(histories, cutoff)
    before, after = (
        alert_list(blindness._rebuilt(some, histories), scores, cutoff=cutoff) for some in (frames, changed)
    )
    assert len(before) > 100
    assert_frame_equal(before, after, check_exact=True)


def test_alerts_mark_clients_whom_the_shop_is_really_losing_for_it():
    """The hazard that each failure adds in truth is larger by far where there is an alert of it."""
    clients, seed, start = 4_000, 1, pd.Timestamp("2023-01-01")
    made = History(clients, seed, w.Calendar(start, 1096, World().season), World())
    histories = Histories(**synthetic_tables(clients, seed=seed).tables)
    pushed, left = {kind: [] for kind in KINDS}, []
    for cutoff in pd.to_datetime(["2025-02-01", "2025-05-01", "2025-08-01"]):
        day = (cutoff - start).days
        scores = everyone(histories, cutoff)
        alerts = alert_list(histories, scores, cutoff=cutoff)
        places = {client: place for place, client in enumerate(made.ids.tolist())}
        there = [c for c in scores["client_id"] if made.leaving.time[places[c]] >= day]  # the others are lost already
        of = np.array([places[c] for c in there])
        push = made.leaving.pushes[:, of, day // 7]
        for kind, ours in zip(KINDS, (push[0], push[:2].sum(axis=0), push[2]), strict=True):
            marked = np.isin(there, alerts.loc[alerts["kind"] == kind, "client_id"])
            assert marked.sum() > 30
            pushed[kind].append((ours[marked].mean(), ours[~marked].mean()))
        listed = np.isin(there, alerts.loc[alerts["kind"] != "unanswered_feedback", "client_id"])
        leaves = made.leaving.time[of] < day + 90
        left.append((leaves[listed].mean(), leaves[~listed].mean()))
    for kind, pairs in pushed.items():
        with_alert, without = np.mean(pairs, axis=0)
        assert with_alert > 2 * without, kind
    with_alert, without = np.mean(left, axis=0)
    assert with_alert > 1.2 * without
