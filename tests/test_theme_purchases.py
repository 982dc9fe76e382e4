"""The themes rhythm, value and breadth: worked by hand, held against the oracle, and the same on a database."""

from datetime import datetime, timedelta
from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from loyalty.features import breadth, build_panel, rhythm, value
from loyalty.features.in_ibis import Compiler
from loyalty.features.panel import standing
from loyalty.histories import Histories
from oracles import breadth as breadth_oracle
from oracles import rhythm as rhythm_oracle
from oracles import value as value_oracle
from oracles.history import DAY, History, Purchase

# The season, and what a model says, have tests of their own.
FEATURES = tuple(f for theme in (rhythm, value, breadth) for f in theme.FEATURES if not (f.shared or f.models))
NAMES = [feature.name for feature in FEATURES]
MICROSECOND = timedelta(microseconds=1)
#: A Monday.
CUTOFF = datetime.fromisoformat("2024-07-01")
CUTOFFS = (CUTOFF, *map(datetime.fromisoformat, ("2024-07-01T13:45:10", "2024-07-01T13:45:10.500001")))
NAN = float("nan")

# A drawn world may hold one line twice, and nothing but old lines.
pytestmark = pytest.mark.filterwarnings("ignore::loyalty.histories.HistoriesWarning")


def histories_of(purchases: list[Purchase]) -> Histories:
    frame = pd.DataFrame([vars(p) for p in purchases], columns=list(Purchase.__dataclass_fields__))
    times = {name: pd.to_datetime(frame[name]).astype("datetime64[us]") for name in ("event_time", "known_at")}
    texts = {name: frame[name].astype("string") for name in ("product_id", "category", "channel", "order_id")}
    numbers = {name: frame[name].astype("float64") for name in ("discount", "quantity", "cost")}
    return Histories(frame.assign(**times, **texts, **numbers))


def panel_of(purchases: list[Purchase], cutoff: datetime = CUTOFF) -> pd.DataFrame:
    panel = build_panel(histories_of(purchases), cutoffs=cutoff, horizon="30d", features=FEATURES)
    assert list(panel.columns) == NAMES
    assert not np.isinf(panel.to_numpy()).any()
    return panel.droplevel("cutoff")


def in_duckdb(purchases: list[Purchase], cutoff: datetime) -> pd.DataFrame:
    at = pd.Timestamp(cutoff)
    compiler = Compiler(histories_of(purchases).tables, at, at, {})
    query = compiler.snapshot(standing(kind="non-contractual", active=None), FEATURES)
    return query.execute().drop(columns="cutoff").set_index("client_id").astype("float64")


def told_by_loops(purchases: list[Purchase], cutoff: datetime) -> pd.DataFrame:
    known = History(purchases).known_before(cutoff)
    among = breadth_oracle.tell_all(known, cutoff)
    rows = {}
    for client in sorted({p.client_id for p in known.purchases}):
        of_client = known.of(client)
        rows[client] = dict(among[client])
        for oracle in (rhythm_oracle, value_oracle, breadth_oracle):
            rows[client] |= oracle.tell(of_client, cutoff)
    return pd.DataFrame.from_dict(rows, orient="index", dtype="float64")


def assert_equal(told: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Compare all features, and name those that differ with their first client."""
    assert told.index.tolist() == expected.index.tolist()
    wrong = []
    for name in NAMES:
        is_, should = told[name].to_numpy(), expected[name].to_numpy()
        differs = np.flatnonzero(~np.isclose(is_, should, rtol=1e-9, atol=1e-10, equal_nan=True))
        wrong += [f"{name}: {told.index[i]!r} has {is_[i]!r}, expected {should[i]!r}" for i in differs[:1]]
    assert not wrong, "\n".join(wrong)


def line(
    days: float, amount: float = 10.0, *, client: str = "ann", after: timedelta = timedelta(0), **more
) -> Purchase:
    """A line so many days before the cutoff, and a little after that."""
    return Purchase(client, CUTOFF - days * DAY + after, amount, **more)


# Worked by hand: of ann unless a name stands before the feature

BY_HAND: dict[str, tuple[list[Purchase], dict[str, float]]] = {
    "gaps 10, 20, 10 and 30 days since": (
        [line(70), line(60), line(40), line(40), line(30)],
        {
            # mean 40/3, squares of differences 100/9 + 400/9 + 100/9 = 600/9, over 2: 100/3
            "gap_days_cv": (100 / 3) ** 0.5 / (40 / 3),
            "regularity": (10 / 20 + 10 / 20) / 2,
            "overdue_days": 30 - 10,
        },
    ),
    "slowing down evenly": (
        [line(days) for days in (150, 140, 120, 80, 0.5)],
        # gaps 10, 20, 40, 79 from midnight to midnight; the last purchase counts from the midnight of yesterday
        {"regularity": (1 / 2 + 1 / 2 + 40 / 79) / 3, "gap_days_last": 79, "overdue_days": 1 - 30},
    ),
    "two purchases make one gap": (
        [line(30), line(20)],
        {"gap_days_cv": NAN, "regularity": NAN, "gap_days_mean": 10, "overdue_days": 10},
    ),
    "one purchase makes none": (
        [line(20)],
        {"overdue_days": NAN, "regularity": NAN, "weekday_top_share": 1, "amount_day_sd": NAN},
    ),
    "days of the week": (
        # Sunday 30 June, Saturday twice on one day, Friday, Sunday 23 June
        [line(1), line(2), line(2, after=3 * MICROSECOND), line(3), line(8)],
        {"weekend_share": 3 / 4, "weekday_top_share": 2 / 4},
    ),
    "Monday and Saturday": (
        [line(7), line(14), line(9), line(7, -5.0)],
        {"weekend_share": 1 / 3, "weekday_top_share": 2 / 3},
    ),
    "hours of the day": (
        # 17, 18, 23 and 0 o'clock; the refund at 20 is no purchase
        [
            line(5, after=18 * DAY / 24 - MICROSECOND),
            line(5, after=18 * DAY / 24),
            line(5, after=DAY - MICROSECOND),
            line(4, after=DAY / 48),
            line(3, -2.0, after=20 * DAY / 24),
        ],
        {"hour_mean": (17 + 18 + 23 + 0) / 4},
    ),
    "hours that nobody recorded": (
        [line(5), line(4), line(3, -2.0, after=DAY / 2)],
        {"hour_mean": NAN},
    ),
    "the weeks a year ago": (
        [line(days, amount) for days, amount in ((366, 1.0), (365, 2.0), (300, 4.0), (276, 8.0), (275, 16.0))],
        {"purchase_days_last_year_count_90d": 3, "amount_last_year_sum_90d": 2 + 4 + 8},
    ),
    "the weeks a year ago to the microsecond": (
        [
            line(365, 1.0, after=-MICROSECOND),
            line(365, 2.0),
            line(335, 4.0, after=-MICROSECOND),
            line(275, -8.0, after=-MICROSECOND),
            line(275, 16.0, after=-MICROSECOND),
            line(275, 32.0),
        ],
        {
            "amount_last_year_sum_90d": 2 + 4 - 8 + 16,
            "spend_sum_365d": 2 + 4 + 16 + 32,
            "purchase_days_last_year_count_90d": 3,  # 365, 336 and 276 days before, begun at midnight; 366 is too early
        },
    ),
    "orders": (
        [
            line(9, 10.0, order_id="o1"),
            line(9, 20.0, order_id="o1"),
            line(8, 30.0, order_id="o2"),
            line(7, -5.0, order_id="o3"),
            line(7, 100.0),
            line(366, 7.0, order_id="o4"),
        ],
        {"orders_count_365d": 2, "amount_order_mean_365d": (10 + 20 + 30) / 2},
    ),
    "orders that nobody numbered": ([line(9)], {"orders_count_365d": 0, "amount_order_mean_365d": NAN}),
    "spend of days": (
        # Days of 30 + 10, 20, 60 and 90; the refund takes nothing off.
        [line(400, 30.0), line(400, 10.0), line(181, 20.0), line(180, 60.0), line(30, 90.0), line(30, -50.0)],
        {
            "amount_day_mean_365d": (20 + 60 + 90) / 3,
            # mean 52.5; differences -12.5, -32.5, 7.5, 37.5: squares 156.25, 1056.25, 56.25, 1406.25
            "amount_day_sd": (2675 / 3) ** 0.5,
            "spend_sum_365d": 170,
            "spend_share_90d": 90 / 170,
        },
    ),
    "the edge of 90 days": (
        [line(90, 1.0), line(90, 2.0, after=-MICROSECOND)],
        {"spend_share_90d": 1 / 3},
    ),
    "margin": (
        [
            line(9, 100.0, cost=60.0, quantity=4.0),
            line(9, 50.0, quantity=None),
            line(8, -40.0, cost=-24.0, quantity=-2.0),
            line(7, -10.0),
            line(7, 0.0, cost=3.0, quantity=1.0),  # a gift costs the company
            line(366, 1.0, cost=0.5, quantity=9.0),
        ],
        {
            "margin_sum_365d": (100 - 60) + (-40 + 24) + (0 - 3),
            "margin_share_365d": 40 / 100,
            "quantity_sum_365d": 4,
        },
    ),
    "margin of nothing known": ([line(9)], {"margin_sum_365d": 0, "margin_share_365d": NAN, "quantity_sum_365d": 0}),
    "refunds": (
        [line(50, 100.0), line(20, -5.0), line(12, -30.0, after=DAY / 2), line(365, -2.0), line(365.5, -80.0)],
        {"refunded_sum_365d": 37, "days_since_last_refund": 11.5, "refund_share_365d": 0.37},
    ),
    "told late": (
        [
            line(20, 7.0, known_at=CUTOFF - MICROSECOND, product_id="x", order_id="o"),
            line(10, 5.0, known_at=CUTOFF, product_id="y", order_id="p"),
            line(5, -3.0, known_at=CUTOFF),
        ],
        {
            "spend_sum_365d": 7,
            "orders_count_365d": 1,
            "products_new_count_90d": 1,
            "days_since_last_refund": NAN,
            "refunded_sum_365d": 0,
        },
    ),
    "products": (
        [
            line(200, product_id="old"),
            line(90, product_id="edge", after=-MICROSECOND),
            line(90, product_id="new"),
            line(50, product_id="old"),
            line(40, product_id="edge"),
            line(40, -4.0, product_id="sent back"),
            line(30, product_id="new"),
            line(30),
        ],
        # 6 lines of 3 products
        {"products_new_count_90d": 1, "products_repeat_share_365d": 3 / 6, "products_count_90d": 3},
    ),
    "categories and channels": (
        [
            line(400, 5.0, category="a", channel="web"),
            line(366, 5.0, category="d", channel="post"),
            line(80, 10.0, category="a", channel="web"),
            line(70, 10.0, category="a", channel="web"),
            line(60, 60.0, category="b", channel="app"),
            line(50, 20.0, category="c", channel="web"),
            line(40, 999.0),
            line(30, -60.0, category="e", channel="store"),
        ],
        {
            "categories_count": 4,
            "categories_count_365d": 3,
            "categories_new_count_90d": 2,
            "category_top_share_365d": 2 / 4,
            "channels_count_365d": 2,
            "channel_top_share_365d": 3 / 4,
        },
    ),
    "other things at the edges of the windows": (
        [
            line(days, product_id=thing, category=thing, channel=thing, after=nudge)
            for days, nudge, thing in (
                (366, timedelta(0), "a"),
                (365, -MICROSECOND, "b"),
                (365, timedelta(0), "c"),
                (364, timedelta(0), "c"),
                (91, timedelta(0), "d"),
                (90, -MICROSECOND, "e"),
                (90, timedelta(0), "f"),
                (89, timedelta(0), "f"),
            )
        ],
        {
            "products_count_90d": 1,
            "products_new_count_90d": 1,
            "products_repeat_share_365d": 2 / 6,  # c and f
            "categories_count_365d": 4,
            "categories_new_count_90d": 1,
            "category_top_share_365d": 2 / 6,
            "channels_count_365d": 4,
            "channel_top_share_365d": 2 / 6,
        },
    ),
    "sent back before it was bought, as the records have it": (
        [line(100, -5.0, product_id="x", category="x"), line(50, product_id="x", category="x")],
        {"products_new_count_90d": 1, "categories_new_count_90d": 1},
    ),
    "gifts are no purchases": (
        [
            line(30, product_id="x", category="x", channel="x", order_id="o", after=DAY / 2),
            line(20, 0.0, product_id="y", category="y", channel="y", order_id="p", after=DAY * 3 / 4),
            line(10, 0.0, product_id="x"),
        ],
        {
            "orders_count_365d": 1,
            "amount_order_mean_365d": 10,
            "hour_mean": 12,
            "products_count_90d": 1,
            "products_new_count_90d": 1,
            "products_repeat_share_365d": 0,
            "categories_count": 1,
            "categories_count_365d": 1,
            "categories_new_count_90d": 1,
            "category_top_share_365d": 1,
            "channels_count_365d": 1,
            "channel_top_share_365d": 1,
            "days_since_last_refund": NAN,
        },
    ),
    "a year's favourite at its edge": (
        [
            line(365, 8.0, category="a"),
            line(365, 9.0, category="b", after=-MICROSECOND),
            line(10, 4.0, category="c"),
            line(365, 2.0, category="a", client="bob", after=-MICROSECOND),
            line(364, 6.0, category="a", client="bob"),
            line(10, 2.0, category="d", client="bob"),
        ],
        # both favour a: 14 of a, 4 of c, 2 of d
        {"category_headroom_share_365d": 2 / 20, "bob category_headroom_share_365d": 4 / 20},
    ),
    "dearer things": (
        [
            line(300, 10.0, quantity=2.0),  # 5 a piece
            line(200, 30.0, quantity=3.0),  # 10
            line(190, 99.0),
            line(185, 99.0, quantity=0.0),
            line(182, -99.0, quantity=-1.0),
            line(181, 99.0, quantity=-1.0),
            line(180, 45.0, quantity=3.0),  # 15
        ],
        {"unit_price_ratio_180d": 15 / 7.5},
    ),
    "what similar clients buy": (
        [
            line(10, 30.0, category="a"),
            line(10, 10.0, category="b"),
            line(10, 40.0, category="a", client="bob"),
            line(10, 20.0, category="c", client="bob"),
            line(10, 25.0, category="c", client="cat"),
            line(10, 5.0, category="a", client="cat"),
            line(10, 7.0, category="d", client="dan"),
            line(366, 7.0, category="a", client="dan"),
            line(10, 7.0, client="eve"),
            line(10, -7.0, category="a", client="eve"),
            # Of two equals the first by name is the favourite: a.
            line(10, 3.0, category="c", client="fay"),
            line(10, 3.0, category="a", client="fay"),
        ],
        {
            # ann, bob and fay favour a: 73 of a, 10 of b, 23 of c
            "category_headroom_share_365d": 23 / 106,
            "bob category_headroom_share_365d": 10 / 106,
            "cat category_headroom_share_365d": 0,
            "dan category_headroom_share_365d": 0,
            "eve category_headroom_share_365d": NAN,
            "fay category_headroom_share_365d": 10 / 106,
        },
    ),
    "nothing but a refund": (
        [line(20, -8.0, category="a", channel="web", product_id="x", order_id="o", quantity=-1.0, cost=-2.0)],
        {
            "spend_sum_365d": 0,
            "orders_count_365d": 0,
            "quantity_sum_365d": 0,
            "categories_count": 0,
            "categories_new_count_90d": 0,
            "products_new_count_90d": 0,
            "channels_count_365d": 0,
            "margin_sum_365d": -6,
            "margin_share_365d": NAN,
            "refunded_sum_365d": 8,
            "amount_last_year_sum_90d": 0,
            **dict.fromkeys(
                (
                    "weekend_share",
                    "weekday_top_share",
                    "hour_mean",
                    "spend_share_90d",
                    "amount_day_mean_365d",
                    "category_top_share_365d",
                    "products_repeat_share_365d",
                    "unit_price_ratio_180d",
                    "overdue_days",
                ),
                NAN,
            ),
        },
    ),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_by_hand(case):
    purchases, expected = BY_HAND[case]
    panel = panel_of(purchases)
    of = {key: (key.split()[0], key.split()[1]) if " " in key else ("ann", key) for key in expected}
    assert {key: panel.loc[of[key]] for key in expected} == pytest.approx(expected, nan_ok=True, rel=1e-12)


@cache
def everyone() -> list[Purchase]:
    """All cases together, one client each, and one who buys much."""
    cases = enumerate(BY_HAND.values())
    told = [Purchase(**{**vars(p), "client_id": f"{i} {p.client_id}"}) for i, (lines, _) in cases for p in lines]
    heavy = [
        Purchase("heavy", CUTOFF - i * timedelta(hours=13, seconds=1), (i % 97) - 9.25, None, f"p{i * i % 61}",
                 f"c{i * i % 7}", "web", 0.0, float(i % 4), i / 16 if i % 3 else None, f"o{i // 3}")
        for i in range(3_000)
    ]  # fmt: skip
    return told + heavy


@pytest.mark.parametrize("cutoff", CUTOFFS, ids=["midnight", "midday", "mid-second"])
def test_all_cases_equal_the_loops_and_the_database(cutoff):
    panel = panel_of(everyone(), cutoff)
    assert_equal(panel, told_by_loops(everyone(), cutoff))
    assert_equal(in_duckdb(everyone(), cutoff), panel)


# Drawn


@st.composite
def worlds(draw) -> tuple[list[Purchase], datetime]:
    """Lines of a few clients about a cutoff, known at once, late, or just when the cutoff falls."""
    within_day = draw(st.sampled_from([timedelta(0), *(cutoff - CUTOFF for cutoff in CUTOFFS[1:]), DAY - MICROSECOND]))
    cutoff = datetime.fromisoformat("2023-11-05") + draw(st.integers(0, 400)) * DAY + within_day
    nudges = st.sampled_from([-MICROSECOND, timedelta(0), MICROSECOND])
    edges = st.sampled_from([0, 30, 90, 180, 275, 365])
    times = (
        st.builds(lambda days, nudge: cutoff - days * DAY + nudge, edges, nudges)
        | st.integers(1, 500).map(lambda days: cutoff - days * DAY - within_day)  # on few midnights
        | st.datetimes(cutoff - 500 * DAY, cutoff + 30 * DAY)
    )
    texts = st.none() | st.sampled_from(["a", "b", "c", "ㄱ"])
    # Binary fractions add up to the same in any order, so that two equal favourites are equal to everyone.
    money = st.integers(-12, 36).map(lambda quarters: quarters / 4)
    made = []
    for _ in range(draw(st.integers(1, 30))):
        at = draw(times)
        later = draw(st.just(0) | st.integers(0, 60)) * DAY
        known_at = draw(st.sampled_from([at, at + later, cutoff + draw(nudges)]))
        made.append(
            Purchase(
                client_id=draw(st.sampled_from(["ann", "bob", "cat"])),
                event_time=at,
                amount=draw(money),
                known_at=max(at, known_at),
                product_id=draw(texts),
                category=draw(texts),
                channel=draw(texts),
                quantity=draw(st.none() | st.integers(-2, 6).map(float)),
                cost=draw(st.none() | money),
                order_id=draw(texts),
            )
        )
    return made, cutoff


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds())
def test_equals_the_loops(world):
    purchases, cutoff = world
    expected = told_by_loops(purchases, cutoff)
    if expected.empty:
        assert panel_of(purchases, cutoff).empty
    else:
        assert_equal(panel_of(purchases, cutoff), expected)


# A query takes seconds: a failing world is shown as it was drawn.
@settings(max_examples=3, phases=[Phase.generate], deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds())
def test_equals_the_database(world):
    purchases, cutoff = world
    panel = panel_of(purchases, cutoff)
    if not panel.empty:
        assert_equal(in_duckdb(purchases, cutoff), panel)
