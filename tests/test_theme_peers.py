"""Peer features: by hand, against the slow oracle, and by both compilers."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from loyalty.features import build_panel
from loyalty.features.panel import measure_market
from loyalty.features.peers import FEATURES
from loyalty.histories import Histories
from oracles import peers
from oracles.history import DAY, Contract, History, Purchase
from theme_checks import (
    CUTOFFS,
    MICROSECOND,
    OUTCOME,
    assert_equal,
    assert_same,
    frames_of,
    instants,
    panel_in_ibis,
    panel_of,
    reports,
)

pytestmark = pytest.mark.filterwarnings("ignore::loyalty.histories.HistoriesWarning")
drawn = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])

CUTOFF = CUTOFFS[0]
NAN = np.nan
NAMES = [feature.name for feature in FEATURES]
#: What is said of a year ago, by how many days back the recording must have begun.
SINCE_455 = [n for n in NAMES if n.startswith(("peers_return", "peers_season", "peers_growth"))]
SINCE_730 = [n for n in NAMES if n.startswith("peers_bought_year")]


def bought(client, *days: float, amount: float = 10.0) -> list[Purchase]:
    return [Purchase(client, CUTOFF - day * DAY, amount) for day in days]


def row_of(*purchases: list[Purchase], cutoff=CUTOFF) -> pd.Series:
    """Compute what is said of each client, and see that it is the same."""
    panel = panel_of(History(purchases=[line for lines in purchases for line in lines]), cutoff, FEATURES)
    assert (panel.fillna(-1) == panel.iloc[0].fillna(-1)).all(axis=None)
    return panel.iloc[0]


# By hand

MARKET = [
    *bought("ann", 800, 450, 400, 350, 10, 5),
    *bought("bob", 800, 380, 280, 60),
    *bought("cho", 700, 200),
    *bought("dan", 600, 430, 340, 300),
    *bought("eve", 390),
    *bought("fay", 25),
    *bought("gil", 80, 20),
    *bought("hal", 100),
    *bought("ida", 50, 5, amount=-3.0),  # refunds are no purchases
]


def test_a_market_by_hand():
    by_hand = {
        # Active within 365 days: ann, bob, cho, dan, fay, gil, hal; within 30: ann, fay, gil; within 90: bob, too.
        "peers_bought_share_30d": 3 / 7,
        "peers_bought_share_90d": 4 / 7,
        # From 730 to 365 days ago: ann, bob, cho, dan, eve; from 395: bob, eve; from 455: ann, dan, too.
        "peers_bought_year_ago_share_30d": 2 / 5,
        "peers_bought_year_ago_share_90d": 4 / 5,
        "peers_bought_year_ratio_90d": 5 / 7,
        # Of ann, bob, dan and eve: within 90 days ann, dan and bob.
        "peers_return_year_ago_share_90d": 3 / 4,
        "peers_season_ratio_90d": 3 / 4,
        "peers_growth_ratio_90d": 1,
        "peers_new_share_90d": 2 / 7,  # fay and gil
    }
    assert row_of(MARKET).to_dict() == pytest.approx(by_hand, rel=1e-12)


@pytest.mark.parametrize(
    ("began", "known"),
    [
        (364, []),
        (365, []),
        (400, []),
        (455, []),
        (456, SINCE_455),
        (729, SINCE_455),
        (730, SINCE_455),
        (731, SINCE_455 + SINCE_730),
    ],
)
def test_a_year_ago_is_missing_unless_it_was_recorded(began, known):
    later = [day for day in (400, 370, 364) if day <= began]
    row = row_of(bought("ann", began, *later, 20), bought("bob", 300, 40))
    year_ago = row[SINCE_455 + SINCE_730]
    assert set(year_ago.index[year_ago.notna()]) == set(known)
    assert row[["peers_bought_share_30d", "peers_bought_share_90d", "peers_new_share_90d"]].tolist() == [0.5, 1, 0]


def test_nobody_was_there_a_year_ago():
    row = row_of(bought("ann", 1_000, 10), bought("bob", 20))
    assert row[SINCE_730].isna().all()
    assert row[SINCE_455].isna().all()


def test_nobody_is_active():
    row = row_of(bought("ann", 500), bought("bob", 800), bought("cho", 1, amount=-5.0))
    assert np.isnan(row["peers_bought_share_30d"])
    assert np.isnan(row["peers_new_share_90d"])
    assert row["peers_bought_year_ago_share_90d"] == 0  # ann was active; nobody had bought in the 90 days up to then
    assert np.isnan(row["peers_bought_year_ratio_90d"])


@pytest.mark.parametrize(("days", "nudge", "share"), [(30, 0, 1), (30, -1, 0.5), (0, 0, 0.5), (0, -1, 1)])
def test_edges_of_a_window(days, nudge, share):
    # Just before a midnight it is the day before, and counts as that.
    at = CUTOFF - days * DAY + nudge * MICROSECOND
    row = row_of(bought("ann", 10), bought("bob", 200), [Purchase("bob", at, 1.0)])
    assert row["peers_bought_share_30d"] == share


@pytest.mark.parametrize(
    ("name", "days", "value"),
    [
        ("peers_bought_year_ago_share_90d", 455, 1),
        ("peers_bought_year_ago_share_90d", 456, 0.5),
        ("peers_bought_year_ago_share_30d", 366, 0.5),
        ("peers_bought_year_ago_share_30d", 365, 0),  # of ann alone: bob was not active
        ("peers_return_year_ago_share_90d", 366, 0),
        ("peers_return_year_ago_share_90d", 365, 1),
        ("peers_return_year_ago_share_90d", 276, 1),
        ("peers_return_year_ago_share_90d", 275, 0),
        ("peers_season_ratio_90d", 365, 2),
        ("peers_season_ratio_90d", 276, 2),
        ("peers_season_ratio_90d", 275, 1),
        ("peers_growth_ratio_90d", 90, 2),
        ("peers_growth_ratio_90d", 91, 1),
    ],
)
def test_edges_of_the_windows_of_a_year_ago(name, days, value):
    # Whether one came back is asked of bob alone.
    of_year_ago = {"ann": 420, "bob": 1_000} if not name.startswith("peers_return") else {"ann": 1_000, "bob": 420}
    ann, bob = (bought(client, day) for client, day in of_year_ago.items())
    row = row_of(ann, bought("ann", 1_000, 300, 10), bob, bought("bob", days))
    assert row[name] == value


@pytest.mark.parametrize(("days", "share"), [(90, 0.5), (91, 0)])
def test_new_is_who_first_bought_within_90_days(days, share):
    assert row_of(bought("ann", 300, 10), bought("bob", days, 5))["peers_new_share_90d"] == share


def test_told_late_is_not_known():
    in_time, late = (Purchase("bob", CUTOFF - 5 * DAY, 1.0, CUTOFF + nudge) for nudge in (-MICROSECOND, 0 * DAY))
    assert row_of(bought("ann", 9), bought("bob", 99), [in_time])["peers_bought_share_30d"] == 1
    assert row_of(bought("ann", 9), bought("bob", 99), [late])["peers_bought_share_30d"] == 0.5
    # Who is heard of later is nobody yet.
    assert row_of(bought("ann", 9), bought("bob", 99), bought("cho", -1))["peers_bought_share_30d"] == 0.5


def test_all_of_them_move_the_level_only():
    assert all(feature.shared for feature in FEATURES)


def test_who_only_holds_a_contract_sees_the_same_market():
    held = [Contract("zoe", CUTOFF - 9 * DAY), Contract("ann", CUTOFF - 9 * DAY)]
    history = History(purchases=MARKET, contracts=held)
    panel = panel_of(history, CUTOFF, FEATURES, kind="contractual")
    assert panel.index.get_level_values(0).tolist() == ["ann", "zoe"]
    for _, row in panel.iterrows():
        pd.testing.assert_series_equal(row, row_of(MARKET), check_names=False, check_exact=True)
    assert_same(panel, panel_in_ibis(history, CUTOFF, FEATURES, kind="contractual"))


def test_one_client_alone_is_told_of_the_market_as_measured():
    whole = Histories(**frames_of(History(purchases=MARKET)))
    alone = Histories(**frames_of(History(purchases=MARKET).of("eve")))
    market = measure_market(whole, cutoffs=CUTOFF, features=FEATURES)
    row = build_panel(alone, cutoffs=CUTOFF, features=FEATURES, market=market, **OUTCOME).iloc[0]
    pd.testing.assert_series_equal(row, row_of(MARKET), check_names=False, check_exact=True)


# Against the oracle

EDGES = (0, 30, 90, 275, 365, 395, 455, 730)


@st.composite
def worlds(draw, most: int = 30):
    """Purchases about the edges of all windows."""
    cutoff = draw(st.sampled_from(CUTOFFS))

    @st.composite
    def purchases(draw) -> Purchase:
        at = draw(instants(cutoff, EDGES, oldest=900))
        amount = draw(st.sampled_from([5.0, 5.0, 5.0, 0.0, -5.0]))
        return Purchase(draw(st.integers(1, 8)), at, amount, draw(reports(cutoff, at)))

    return History(purchases=draw(st.lists(purchases(), min_size=1, max_size=most))), cutoff


@settings(drawn, max_examples=30)
@given(worlds())
def test_equals_the_oracle(world):
    history, cutoff = world
    known = history.known_before(cutoff)
    assert_equal(panel_of(history, cutoff, FEATURES), peers.tell_all(known, cutoff))


@settings(drawn, max_examples=5)
@given(worlds(most=60))
def test_both_compilers_agree(world):
    history, cutoff = world
    assume(history.known_before(cutoff).purchases)
    assert_same(panel_of(history, cutoff, FEATURES), panel_in_ibis(history, cutoff, FEATURES))


@pytest.mark.parametrize("rows", [1, 5])
def test_parts_of_clients_change_nothing(monkeypatch, rows):
    rng = np.random.default_rng(0)
    purchases = [
        Purchase(int(client), CUTOFF - float(rng.uniform(0, 900)) * DAY, 5.0) for client in rng.integers(0, 60, 200)
    ]
    history = History(purchases=purchases, contracts=[Contract(100, CUTOFF - DAY)])
    cutoffs = [CUTOFF, CUTOFF - 100.5 * DAY]
    whole = panel_of(history, cutoffs, FEATURES)
    assert whole.notna().all(axis=None)
    monkeypatch.setattr("loyalty.features.panel._PART_ROWS", rows)
    assert len(Histories(**frames_of(history)).client_bounds(rows)) > 20
    pd.testing.assert_frame_equal(whole, panel_of(history, cutoffs, FEATURES), check_exact=True)
