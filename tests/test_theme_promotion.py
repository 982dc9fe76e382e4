"""The theme promotion: by hand, against its oracle, and the same in Ibis."""

from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty.features.catalogue import missing
from loyalty.features.promotion import FEATURES
from loyalty.histories import Histories
from oracles import promotion
from oracles.history import DAY, History, Offer, Purchase, Reward
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
SENT_AT = [30, 90, 180, 365]


def line(at: datetime, amount: float = 10.0, **more: Any) -> Purchase:
    return Purchase("ann", at, amount, **more)


def offer(at: datetime, **more: Any) -> Offer:
    return Offer("ann", at, **more)


def moved(at: datetime, points: float | None = None, **more: Any) -> Reward:
    return Reward("ann", at, points=points, **more)


def history_of(*rows: Purchase | Offer | Reward, cutoff: datetime) -> History:
    """Put rows into their tables, none of which is empty, for Bob once stood in each; Ann bought long ago."""
    long_ago = cutoff - 800 * DAY
    tables: dict[type, list[Any]] = {
        Purchase: [Purchase("bob", long_ago, 1.0), line(long_ago, 1.0)],
        Offer: [Offer("bob", long_ago)],
        Reward: [Reward("bob", long_ago)],
    }
    for row in rows:
        tables[type(row)].append(row)
    return History(purchases=tables[Purchase], offers=tables[Offer], rewards=tables[Reward])


def held(history: History, cutoff: datetime, *, ibis: bool) -> pd.DataFrame:
    """Compute a panel and hold it to the oracle and, which takes longer, to Ibis."""
    panel = panel_of(history, cutoff, FEATURES)
    known = history.known_before(cutoff)
    clients = panel.index.get_level_values("client_id")
    assert_equal(panel, {client: promotion.tell(known.of(client), cutoff) for client in clients})
    if ibis:
        assert_same(panel, panel_in_ibis(history, cutoff, FEATURES))
    return panel.droplevel("cutoff")


def ann(*rows: Purchase | Offer | Reward, cutoff: datetime | None = None) -> "pd.Series[float]":
    """Compute Ann's features, and see that the oracle and, at one cutoff, Ibis say the same."""
    at = cutoff or MIDNIGHT
    return held(history_of(*rows, cutoff=at), at, ibis=cutoff in {None, MID_SECOND}).loc["ann"]


# Discounts


@each_cutoff
def test_discounts_in_windows_to_the_microsecond(cutoff):
    row = ann(
        line(cutoff - 90 * DAY, 80.0, discount=20.0),
        line(cutoff - 90 * DAY - MICROSECOND, 50.0, discount=50.0),
        line(cutoff - 365 * DAY, 90.0, discount=10.0),
        line(cutoff - 365 * DAY - MICROSECOND, 1.0, discount=99.0),
        line(cutoff - MICROSECOND, 80.0, discount=20.0, known_at=cutoff),
        # Unknown, a gift, a refund and a surcharge have no depth.
        line(cutoff - DAY, 1_000.0),
        line(cutoff - DAY, 0.0, discount=50.0),
        line(cutoff - DAY, -80.0, discount=0.0),
        line(cutoff - DAY, 30.0, discount=-5.0),
        cutoff=cutoff,
    )
    assert row["discount_share_90d"] == pytest.approx(20 / 100)
    assert row["discount_share_365d"] == pytest.approx(80 / 300)
    assert row["discount_share_change_90d"] == pytest.approx(20 / 100 - 60 / 200)
    assert row["discount_depth_mean_365d"] == pytest.approx((0.2 + 0.5 + 0.1) / 3)
    assert row["discount_only_days_share_365d"] == 1


def test_a_discount_share_that_did_not_change_or_cannot_be_told():
    before, lately = line(MIDNIGHT - 100 * DAY, 75.0, discount=25.0), line(MIDNIGHT - 9 * DAY, 7.5, discount=2.5)
    assert ann(before, lately)["discount_share_change_90d"] == pytest.approx(0)
    for alone in (before, lately):
        row = ann(alone)
        assert pd.isna(row["discount_share_change_90d"])
        assert row["discount_share_365d"] == pytest.approx(0.25)


def test_days_with_nothing_at_full_price():
    row = ann(
        line(MIDNIGHT - 10 * DAY + 9 * HOUR, discount=2.0),
        line(MIDNIGHT - 10 * DAY + 17 * HOUR, discount=0.0),
        line(MIDNIGHT - 20 * DAY, discount=2.0),
        line(MIDNIGHT - 20 * DAY, discount=1.0),
        line(MIDNIGHT - 365 * DAY, discount=0.0),
        line(MIDNIGHT - 366 * DAY + 23 * HOUR, discount=2.0),
        line(MIDNIGHT - 5 * DAY),  # perhaps on discount, perhaps not
    )
    assert row["discount_only_days_share_365d"] == 1 / 3  # 20 days ago, of 10, 20 and 365
    assert row["discount_depth_mean_365d"] == pytest.approx((2 / 12 + 2 / 12 + 1 / 11) / 3)


# Offers


@each_cutoff
def test_offers_in_windows_to_the_microsecond(cutoff):
    row = ann(
        *[offer(cutoff - days * DAY, treated=True) for days in SENT_AT],
        *[offer(cutoff - days * DAY - MICROSECOND) for days in SENT_AT],  # not told, so received
        *[offer(cutoff - days * DAY, treated=False) for days in (1, *SENT_AT)],
        offer(cutoff - DAY, known_at=cutoff),
        offer(cutoff),
        line(cutoff - 200 * DAY),
        line(cutoff - 300 * DAY),
        cutoff=cutoff,
    )
    assert row["offers_count_30d"] == 1
    assert row["offers_count_90d"] == 3
    assert row["offers_count_365d"] == 7
    assert row["days_since_last_offer"] == 30
    assert row["offers_per_purchase_day_365d"] == 7 / 2
    assert row["offers_redeemed_share_365d"] == 0
    assert ann(offer(cutoff - DAY, known_at=cutoff - MICROSECOND), cutoff=cutoff)["offers_count_30d"] == 1


@each_cutoff
def test_what_was_redeemed_at_the_cutoff_was_not_yet(cutoff):
    row = ann(
        offer(cutoff - 10 * DAY, redeemed_at=cutoff),
        offer(cutoff - 8 * DAY, redeemed_at=cutoff - MICROSECOND),
        offer(cutoff - 400 * DAY, redeemed_at=cutoff - 396 * DAY),
        offer(cutoff - 20 * DAY, redeemed_at=cutoff - HOUR, treated=False),
        cutoff=cutoff,
    )
    assert row["offers_redeemed_share_365d"] == 1 / 2
    assert row["offers_redeemed_share_change_180d"] == 1 / 2 - 1
    assert row["days_since_last_redeemed_offer"] == pytest.approx(1 / 86_400e6)
    assert row["redemption_days_mean"] == pytest.approx((8 + 4) / 2)


@each_cutoff
def test_response_fades_against_all_before_180_days(cutoff):
    used, ignored = cutoff - DAY, None
    at_180 = cutoff - 180 * DAY
    row = ann(
        offer(at_180, redeemed_at=ignored),
        offer(at_180 + DAY, redeemed_at=ignored),
        offer(at_180 + DAY, redeemed_at=used),
        offer(at_180 + DAY, redeemed_at=used, treated=False),
        offer(at_180 - MICROSECOND, redeemed_at=used),
        offer(at_180 - DAY, redeemed_at=at_180),
        offer(at_180 - 500 * DAY, redeemed_at=used),
        offer(at_180 - 500 * DAY, redeemed_at=ignored),
        cutoff=cutoff,
    )
    assert row["offers_redeemed_share_change_180d"] == pytest.approx(1 / 3 - 3 / 4)
    assert row["offers_redeemed_share_365d"] == 3 / 5
    assert row["days_since_last_redeemed_offer"] == 1
    assert pd.isna(ann(offer(at_180), cutoff=cutoff)["offers_redeemed_share_change_180d"])
    assert pd.isna(ann(offer(at_180 - DAY), cutoff=cutoff)["offers_redeemed_share_change_180d"])


def test_sizes_of_offers():
    at = MIDNIGHT - 365 * DAY
    row = ann(
        offer(at, discount=0.2),
        offer(at + DAY, discount=0.1),
        offer(at + DAY),
        offer(at + DAY, discount=0.6),
        offer(at - MICROSECOND, discount=0.9),
        offer(at + DAY, discount=0.9, treated=False),
    )
    assert row["offer_discount_mean_365d"] == pytest.approx((0.2 + 0.1 + 0.6) / 3)


def test_without_a_control_group_all_offers_are_received():
    sent = [offer(MIDNIGHT - DAY, treated=False), offer(MIDNIGHT - 2 * DAY, treated=True)]
    panel = panel_of(history_of(*sent, cutoff=MIDNIGHT), MIDNIGHT, FEATURES, without=["offers.treated"])
    row = panel.loc["ann"].iloc[0]
    assert row["offers_count_30d"] == 2
    assert row["days_since_last_offer"] == 1


# Prices


def piece(at: datetime, amount: float, quantity: float | None = 1.0, product: str | None = "tea") -> Purchase:
    return line(at, amount, quantity=quantity, product_id=product)


def test_a_price_rise_is_over_2_percent_above_what_the_client_paid_before():
    so_far = [
        piece(MIDNIGHT - 500 * DAY, 20.0, 2.0),  # 10 each
        piece(MIDNIGHT - 366 * DAY, 20.0),  # a rise of 100 %, longer ago than a year
        piece(MIDNIGHT - 365 * DAY, 40.0),  # 100 %, in the year
        line(MIDNIGHT - 360 * DAY),
        line(MIDNIGHT - 350 * DAY),
        piece(MIDNIGHT - 300 * DAY, 40.0, 1.0, "cup"),  # the first cup
        piece(MIDNIGHT - 200 * DAY, 40.8),  # 2 % is none
        piece(MIDNIGHT - 150 * DAY, -500.0, -1.0),
        piece(MIDNIGHT - 150 * DAY, 500.0, None),
        piece(MIDNIGHT - 150 * DAY, 500.0, 0.0),
        piece(MIDNIGHT - 150 * DAY, 0.0, 1.0),
        piece(MIDNIGHT - 150 * DAY, 500.0, 1.0, None),
        piece(MIDNIGHT - 100 * DAY, 20.4),  # half
    ]
    # Of tea 365 days ago; about every other day there would be another difference.
    assert ann(*so_far)["price_rise_reaction_90d"] == 3 - 1
    row = ann(*so_far, piece(MIDNIGHT - 50 * DAY, 41.0, 1.0, "cup"))  # 2.5 %
    assert row["price_rise_reaction_90d"] == 0 - 1  # that of 100 days ago
    assert row["price_change_mean_365d"] == pytest.approx((1 + 0.02 - 0.5 + 0.025) / 4)


def test_lines_of_one_product_and_day_are_one_price():
    day = MIDNIGHT - 20 * DAY
    row = ann(
        piece(day - DAY + 23 * HOUR, 10.0),
        piece(day, 10.0),
        piece(day + HOUR, 26.0, 2.0),  # with the line before it 36 for 3, and 10 the day before
        piece(day + 2 * HOUR, 90.0, 1.0, "cup"),
        piece(day + DAY - MICROSECOND, 4.0, 0.5, "salt"),
    )
    assert row["price_change_mean_365d"] == pytest.approx(0.2)
    assert row["price_rise_reaction_90d"] == 0 - 1


def test_a_price_that_is_not_known_yet_is_not_what_was_paid_before():
    cheap_meanwhile = Purchase("ann", MIDNIGHT - 50 * DAY, 8.0, MIDNIGHT, product_id="tea", quantity=1.0)
    row = ann(piece(MIDNIGHT - 90 * DAY, 10.0), cheap_meanwhile, piece(MIDNIGHT - 10 * DAY, 10.0))
    assert row["price_change_mean_365d"] == 0
    assert pd.isna(row["price_rise_reaction_90d"])


@each_cutoff
def test_reaction_to_the_last_price_rise_within_90_days_of_it(cutoff):
    midnight = cutoff.replace(hour=0, minute=0, second=0, microsecond=0)
    rise = midnight - 200 * DAY
    around = [-91, -90, -40, -1, 1, 2, 3, 89, 90, 91]  # the last purchases before and after are too far away
    row = ann(
        piece(rise - 300 * DAY, 5.0),
        piece(rise - 250 * DAY, 10.0),  # an earlier rise
        piece(rise + 8 * HOUR, 11.0),
        *[line(rise + days * DAY + 8 * HOUR) for days in around],
        line(rise + 2 * DAY),
        line(rise + 4 * DAY, -10.0),
        cutoff=cutoff,
    )
    assert row["price_rise_reaction_90d"] == 5 - 3


@each_cutoff
def test_reaction_to_a_price_rise_of_late_looks_back_as_long(cutoff):
    midnight = cutoff.replace(hour=0, minute=0, second=0, microsecond=0)
    rise = midnight - 7 * DAY
    row = ann(
        piece(rise - 300 * DAY, 10.0),
        piece(rise, 11.0),
        *[line(rise + days * DAY) for days in (-8, -7, -6, -1, 6)],
        cutoff=cutoff,
    )
    assert row["price_rise_reaction_90d"] == 1 - 3
    today = [piece(midnight - 5 * DAY, 10.0), piece(cutoff - MICROSECOND, 11.0)]
    assert ann(*today, cutoff=cutoff)["price_rise_reaction_90d"] == 0


# Rewards


@each_cutoff
def test_points_in_windows_to_the_microsecond(cutoff):
    year = cutoff - 365 * DAY
    row = ann(
        moved(year, 100.0, kind="earned"),
        moved(year + DAY, 30.0, kind="bonus"),  # in the company's own words
        moved(year - MICROSECOND, 270.0, kind="earned"),
        moved(year, -50.0, kind="redeemed"),
        moved(year - MICROSECOND, -50.0, kind="redeemed"),
        moved(year, -20.0, kind="expired"),
        moved(year - MICROSECOND, -10.0, kind="expired"),
        moved(year + 2 * DAY, -5.0),
        moved(year + 2 * DAY),
        moved(cutoff - DAY, 1_000.0, kind="earned", known_at=cutoff),
        cutoff=cutoff,
    )
    assert row["points_earned_sum_365d"] == 130
    assert row["points_redeemed_sum_365d"] == 50
    assert row["points_expired_sum_365d"] == 20
    assert row["points_redeemed_share"] == pytest.approx(100 / 400)
    assert row["points_balance"] == 400 - 100 - 30 - 5


@each_cutoff
def test_points_that_lapse_within_90_days_from_the_cutoff(cutoff):
    earned = [
        moved(cutoff - 400 * DAY, 1.0, expires_at=cutoff - MICROSECOND),
        moved(cutoff - 400 * DAY, 20.0, expires_at=cutoff),
        moved(cutoff - 10 * DAY, 300.0, expires_at=cutoff + 90 * DAY - MICROSECOND),
        moved(cutoff - 10 * DAY, 4_000.0, expires_at=cutoff + 90 * DAY),
        moved(cutoff - 10 * DAY, 50_000.0),
        moved(cutoff - 9 * DAY, -7.0, expires_at=cutoff + 9 * DAY),
    ]
    assert ann(*earned, cutoff=cutoff)["points_expiring_sum_90d"] == 320
    spent = moved(cutoff - DAY, -54_300.0, kind="redeemed")  # 54,321 less 7 and 54,300 leave 14
    assert ann(*earned, spent, cutoff=cutoff)["points_expiring_sum_90d"] == 14
    assert ann(*earned, spent, spent, cutoff=cutoff)["points_expiring_sum_90d"] == 0


@each_cutoff
def test_tiers(cutoff):
    def tier(days: float, name: str | None, **more: Any) -> Reward:
        return moved(cutoff - days * DAY, tier=name, **more)

    start = [tier(700, None), tier(600, "basic"), tier(500, "silver"), tier(365, "silver")]
    row = ann(*start, cutoff=cutoff)
    assert row["tier_moves_count_365d"] == 0
    assert row["days_since_last_new_tier"] == 500
    row = ann(
        *start, tier(365, "gold"), tier(100, "silver"), tier(50, None), tier(9, "vip", known_at=cutoff), cutoff=cutoff
    )
    assert row["tier_moves_count_365d"] == 1
    assert row["days_since_last_new_tier"] == 365  # silver again is not new
    row = ann(*start, tier(200, "gold"), tier(200, "gold"), tier(3, "basic"), cutoff=cutoff)
    assert row["tier_moves_count_365d"] == 2
    assert row["days_since_last_new_tier"] == 200
    only_one = ann(tier(365, "basic"), tier(3, "basic"), cutoff=cutoff)
    assert only_one["tier_moves_count_365d"] == 0
    assert pd.isna(only_one["days_since_last_new_tier"])


# What is not there


def test_who_met_no_promotion_has_counts_of_0_and_no_shares():
    row = ann()
    sums = {f.name for f in FEATURES if "_count" in f.name or "_sum" in f.name} | {"points_balance"}
    assert set(row.index[row == 0]) == sums
    assert set(row.index[row.isna()]) == set(row.index) - sums


def test_who_never_paid_has_no_purchase_day():
    gifts = [Purchase("eve", MIDNIGHT - 5 * DAY, 0.0), Purchase("eve", MIDNIGHT - 4 * DAY, -1.0)]
    history = history_of(*gifts, Offer("eve", MIDNIGHT - 3 * DAY), cutoff=MIDNIGHT)
    row = held(history, MIDNIGHT, ibis=True).loc["eve"]
    assert row["offers_count_30d"] == 1
    assert pd.isna(row["offers_per_purchase_day_365d"])


def test_features_follow_the_columns_there_are():
    history = history_of(cutoff=MIDNIGHT)
    everything = {feature.name for feature in FEATURES}

    def lost(*without: str) -> set[str]:
        frames = frames_of(history, without=without)
        histories = Histories(**{table: frame for table, frame in frames.items() if table not in without})
        return {feature.name for feature in FEATURES if missing(histories, feature)}

    assert lost() == lost("offers.treated") == set()
    assert {f.theme for f in FEATURES} == {"promotion"}
    assert (
        lost("purchases.quantity") == lost("purchases.product_id") == {n for n in everything if n.startswith("price_")}
    )
    assert lost("purchases.discount") == {n for n in everything if n.startswith("discount")}
    assert lost("offers.redeemed_at") == {n for n in everything if "redeemed" in n or "redemption" in n} - {
        "points_redeemed_sum_365d",
        "points_redeemed_share",
    }
    assert lost("rewards.kind") == {"points_redeemed_sum_365d", "points_redeemed_share", "points_expired_sum_365d"}
    assert lost("rewards.expires_at") == {"points_expiring_sum_90d"}
    assert lost("rewards.tier") == {"tier_moves_count_365d", "days_since_last_new_tier"}
    assert lost("rewards") == {n for n in everything if "points" in n or "tier" in n}
    assert lost("offers") == {n for n in everything if "offer" in n or "redemption" in n}


# Drawn worlds


@st.composite
def worlds(draw: st.DrawFn) -> tuple[History, datetime]:
    """Rows of two clients, at the edges of windows before the cutoff and about instants that the tables share."""
    midnight = datetime.fromisoformat("2023-11-05") + draw(st.integers(0, 400)) * DAY
    cutoff = midnight + draw(st.sampled_from([at - MIDNIGHT for at in CUTOFFS]))
    at_midnight = st.integers(-20, 420).map(lambda days: midnight - days * DAY)
    shared = draw(st.lists(at_midnight | instants(cutoff, (1,), oldest=420, newest=0), min_size=1, max_size=3))
    days, nudges = st.sampled_from((-90, -7, 0, 0, 7, 90)), st.sampled_from((-1, 0, 0, 1))
    about = st.builds(lambda at, n, nudge: at + n * DAY + nudge * MICROSECOND, st.sampled_from(shared), days, nudges)
    times = about | at_midnight | instants(cutoff, (0, 30, 90, 180, 365), oldest=450)
    lapses = st.none() | instants(cutoff, (0, -90), oldest=30, newest=-150)
    clients = st.sampled_from([1, 2])

    def purchase(at: datetime) -> Purchase:
        amount = draw(st.sampled_from([10.0, 10.2, 10.3, 5.0, 12.5, -5.0, 0.0]))
        return Purchase(
            client_id=draw(clients),
            event_time=at,
            amount=amount,
            known_at=draw(reports(cutoff, at)),
            product_id=draw(st.sampled_from(["tea", "tea", "컵", None])),
            quantity=draw(st.sampled_from([1.0, 1.0, 2.0, 0.5, None, 0.0])),
            discount=draw(st.sampled_from([0.0, 0.0, 2.5, 0.1, None, -1.25])),
        )

    def sent(at: datetime) -> Offer:
        return Offer(
            client_id=draw(clients),
            sent=at,
            known_at=draw(reports(cutoff, at)),
            discount=draw(st.sampled_from([0.05, 0.2, None])),
            treated=draw(st.sampled_from([True, True, False, None])),
            redeemed_at=draw(later_facts(cutoff, at)),
        )

    def reward(at: datetime) -> Reward:
        return Reward(
            client_id=draw(clients),
            event_time=at,
            known_at=draw(reports(cutoff, at)),
            kind=draw(st.sampled_from(["earned", "redeemed", "expired", "gift", None])),
            points=draw(st.sampled_from([100.0, 25.5, -50.0, -10.0, None])),
            tier=draw(st.sampled_from(["basic", "gold", "은", None])),
            expires_at=draw(lapses.map(lambda lapse: lapse and max(lapse, at))),
        )

    purchases = [purchase(at) for at in draw(st.lists(times, max_size=14))]
    offers = [sent(at) for at in draw(st.lists(times, max_size=12))]
    rewards = [reward(at) for at in draw(st.lists(times, max_size=12))]
    long_ago = cutoff - 800 * DAY
    history = History(
        purchases=[*(Purchase(client, long_ago, 1.0) for client in (1, 2)), *purchases],
        offers=[Offer(3, long_ago), *offers],
        rewards=[Reward(3, long_ago), *rewards],
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
