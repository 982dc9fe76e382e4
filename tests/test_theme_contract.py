"""Contract features: by hand, against the slow oracle, and by both compilers."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from loyalty.features.contract import FEATURES
from loyalty.histories import Histories
from oracles import contract
from oracles.history import DAY, Contract, History, Purchase
from theme_checks import (
    CUTOFFS,
    MICROSECOND,
    NUDGES,
    assert_equal,
    assert_same,
    frames_of,
    instants,
    later_facts,
    panel_in_ibis,
    panel_of,
    reports,
)

pytestmark = pytest.mark.filterwarnings("ignore::loyalty.histories.HistoriesWarning")
drawn = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])

CUTOFF = CUTOFFS[0]
NAN = np.nan


def ago(days: float) -> object:
    return CUTOFF - days * DAY


def spell(start: float, end: float | None = None, **columns) -> Contract:
    """A spell of client 1; times in days before the cutoff."""
    return Contract(1, ago(start), end=None if end is None else ago(end), **columns)


def row_of(*spells: Contract, cutoff=CUTOFF, others=(), **options) -> pd.Series:
    """Compute client 1, who has bought long ago, as have the others."""
    clients = {1} | {other.client_id for other in others}
    purchases = [Purchase(client, ago(2_000), 1.0) for client in clients]
    history = History(purchases=purchases, contracts=[*spells, *others])
    return panel_of(history, cutoff, FEATURES, **options).loc[(1, pd.Timestamp(cutoff))]


def expected_of(history: History, cutoff) -> dict:
    known = history.known_before(cutoff)
    together = contract.tell_all(known, cutoff)
    return {client: contract.tell(known.of(client), cutoff) | together[client] for client in together}


# By hand

SWITCHED = (
    spell(500, 100, plan="basic", fee=10.0, renews_at=ago(135)),
    spell(100, plan="plus", fee=15.0, renews_at=ago(-265)),
)
BY_HAND = {
    "one contract, running": (
        [spell(40, plan="basic", fee=10.0, renews_at=ago(-325))],
        {
            "days_since_contract_first": 40,
            "contract_running_days": 40,
            "contracts_running_count": 1,
            "contracts_count": 1,
            "plans_count": 1,
            "fee_running_sum": 10,
            "fee_change_last": NAN,  # nothing has ended
            "fee_plan_ratio": 1,
            "renewals_count_365d": 0,  # the first is no renewal
            "days_since_renewal": 40,
            "days_to_renewal": 325,
            "contract_pause_days": 0,
            "days_since_contract_end": NAN,
        },
    ),
    "a switch of plan": (
        SWITCHED,
        {
            "days_since_contract_first": 500,
            "contract_running_days": 100,
            "contracts_running_count": 1,
            "contracts_count": 2,
            "plans_count": 2,
            "fee_running_sum": 15,
            "fee_change_last": 5,
            "renewals_count_365d": 1,  # the second; that the first renewed is not asked of what has ended
            "days_since_renewal": 100,
            "days_to_renewal": 265,
            "contract_pause_days": 0,
            "days_since_contract_end": NAN,
        },
    ),
    "a pause between two": (
        [spell(500, 300, plan="a", fee=9.0), spell(250, plan="a", fee=8.0)],
        {"contract_pause_days": 50, "plans_count": 1, "fee_change_last": -1, "days_since_contract_end": NAN},
    ),
    "all ended": (
        [spell(500, 300, plan="a", fee=9.0), spell(250, 20.5, plan="b", fee=8.0, renews_at=ago(-5))],
        {
            "contracts_running_count": 0,
            "contract_running_days": NAN,
            "fee_running_sum": 0,
            "fee_change_last": -8,
            "fee_plan_ratio": NAN,
            "days_since_renewal": 250,
            "days_to_renewal": NAN,  # what has ended does not renew
            "days_since_contract_end": 20.5,
            "contract_pause_days": 70.5,
        },
    ),
    "two side by side, one of which ended": (
        [spell(500, plan="net", fee=30.0), spell(400, 10, plan="mobile", fee=20.0)],
        {
            "fee_running_sum": 30,
            "fee_change_last": -20,  # 50 were paid before
            "contract_running_days": 500,
            "contract_pause_days": 0,  # 890 days of contracts in 500
            "renewals_count_365d": 0,  # both began before
            "days_since_contract_end": NAN,
        },
    ),
    "two side by side, both ended": (
        [spell(500, 100, fee=30.0), spell(500, 100, fee=20.0)],
        # 800 days of contracts in 500, and yet none for 100.
        {"contract_pause_days": 100, "days_since_contract_end": 100, "fee_change_last": -50},
    ),
    "rolled over": (
        [spell(600, plan="a", fee=9.0, renews_at=ago(235))],
        {"renewals_count_365d": 1, "days_since_renewal": 235, "days_to_renewal": NAN},
    ),
    "rolled over long ago": (
        [spell(900, renews_at=ago(365) - MICROSECOND)],
        {"renewals_count_365d": 0, "days_since_renewal": 365 + MICROSECOND / DAY},
    ),
    "rolled over a year ago": ([spell(900, renews_at=ago(365))], {"renewals_count_365d": 1}),
    "renews at the cutoff": (
        [spell(365, renews_at=CUTOFF), spell(100, renews_at=ago(-9))],
        {"days_to_renewal": 0, "renewals_count_365d": 1, "days_since_renewal": 100},
    ),
    "renewed just before": (
        [spell(365, renews_at=CUTOFF - MICROSECOND), spell(100, renews_at=ago(-9))],
        {"days_to_renewal": 9, "renewals_count_365d": 2, "days_since_renewal": MICROSECOND / DAY},
    ),
    "begun a year ago": ([spell(400, 365), spell(365)], {"renewals_count_365d": 1}),
    "begun more than a year ago": (
        [spell(400, 365), Contract(1, ago(365) - MICROSECOND)],
        {"renewals_count_365d": 0},
    ),
    "ends at the cutoff": (
        [spell(50, 0, plan="a", fee=9.0)],
        {"contracts_running_count": 1, "fee_running_sum": 9, "contract_running_days": 50, "fee_change_last": NAN},
    ),
    "ended just before": (
        [Contract(1, ago(50), end=CUTOFF - MICROSECOND, plan="a", fee=9.0)],
        {"contracts_running_count": 0, "fee_running_sum": 0, "contract_running_days": NAN, "fee_change_last": -9},
    ),
    "told late": (
        [spell(50, plan="a", fee=9.0), spell(40, plan="b", fee=5.0, known_at=CUTOFF)],
        {"contracts_count": 1, "plans_count": 1, "fee_running_sum": 9},
    ),
    "told just in time": (
        [spell(50, plan="a", fee=9.0), spell(40, plan="b", fee=5.0, known_at=CUTOFF - MICROSECOND)],
        {"contracts_count": 2, "plans_count": 2, "fee_running_sum": 14},
    ),
    "a fee nobody wrote down": (
        [spell(90, 50, fee=9.0), spell(50, plan="b")],
        {"fee_running_sum": NAN, "fee_change_last": NAN, "fee_plan_ratio": NAN},
    ),
    "an unknown fee long gone": (
        [spell(90, 50), spell(50, 40, fee=8.0), spell(40, plan="b", fee=6.0)],
        {"fee_running_sum": 6, "fee_change_last": -2},
    ),
    "a free plan": ([spell(40, plan="free", fee=0.0)], {"fee_running_sum": 0, "fee_plan_ratio": NAN}),
    "over at once": (
        [spell(40, 40, fee=9.0)],
        {"contract_pause_days": 40, "days_since_contract_end": 40, "fee_change_last": 0, "contracts_count": 1},
    ),
}


@pytest.mark.parametrize(("spells", "by_hand"), BY_HAND.values(), ids=list(BY_HAND))
def test_by_hand(spells, by_hand):
    row = row_of(*spells)
    assert row[list(by_hand)].to_dict() == pytest.approx(by_hand, nan_ok=True, rel=1e-12)


def test_who_never_had_a_contract():
    row = row_of(others=[Contract(2, ago(9), fee=3.0)])
    assert set(row.index[row == 0]) == {
        "contracts_running_count", "contracts_count", "plans_count", "fee_running_sum", "renewals_count_365d",
    }  # fmt: skip
    assert row.isna().sum() == len(FEATURES) - 5


def test_fee_against_all_who_are_on_the_plan_now():
    others = [
        Contract(2, ago(9), plan="a", fee=4.0),
        Contract(3, ago(9), plan="a", fee=6.0),
        Contract(4, ago(9), plan="a", fee=None),  # not known
        Contract(5, ago(9), plan="b", fee=100.0),
        Contract(6, ago(9), plan="a", fee=100.0, end=ago(1)),  # over
        Contract(7, ago(9), plan="a", fee=100.0),  # the next is newer
        Contract(7, ago(8), plan="b", fee=100.0),
        Contract(8, ago(9), plan="a", fee=100.0, known_at=CUTOFF),  # not told yet
    ]
    older = spell(8, plan="a", fee=1.0)
    assert row_of(older, spell(7, plan="a", fee=12.0), others=others)["fee_plan_ratio"] == 2  # 4, 6 and 12
    assert row_of(spell(7, plan="c", fee=12.0), others=others)["fee_plan_ratio"] == 1
    assert np.isnan(row_of(spell(7, fee=12.0), others=others)["fee_plan_ratio"])
    # Plan and fee are of the newest contract that tells both.
    for newer in (spell(6, fee=12.0), spell(6, plan="b")):
        assert row_of(spell(7, plan="a", fee=10.0), newer, others=others)["fee_plan_ratio"] == 10 / 6


def test_without_a_column_the_rest_is_told():
    rows = History(purchases=[Purchase(1, ago(600), 1.0)], contracts=list(SWITCHED))
    bare = [f for f in FEATURES if not f.needs["contracts"]]
    without = [f"contracts.{name}" for name in ("end", "renews_at", "plan", "fee", "contract_id")]
    row = panel_of(rows, CUTOFF, bare, without=without).iloc[0]
    assert row.to_dict() == {
        "days_since_contract_first": 500,
        "contract_running_days": 500,  # nothing is known to have ended
        "contracts_running_count": 2,
        "contracts_count": 2,
        "renewals_count_365d": 1,
        "days_since_renewal": 100,
    }
    assert_same(panel_of(rows, CUTOFF, bare, without=without), panel_in_ibis(rows, CUTOFF, bare, without=without))


# Against the oracle


@st.composite
def spells(draw, cutoff) -> Contract:
    """A spell on a coarse grid, so that some begin or end together, or about the edges."""
    grid = st.sampled_from((1, 50, 100, 300, 400)).map(lambda days: cutoff - days * DAY)
    start = draw(grid | instants(cutoff, (0, 365), oldest=700))
    end = grid.map(lambda at: max(at, start)) | later_facts(cutoff, start)
    about_edges = st.tuples(st.sampled_from((0, 365)), st.sampled_from(NUDGES)).map(
        lambda edge: max(start, cutoff - edge[0] * DAY + edge[1])
    )
    return Contract(
        client_id=draw(st.sampled_from([1, 2, 3, 10])),
        start=start,
        known_at=draw(reports(cutoff, start)),
        end=draw(st.none() | end),
        plan=draw(st.none() | st.sampled_from(["a", "b", "ㄱ"])),
        fee=draw(st.none() | st.sampled_from([0.0, 4.99, 10.0, 12.5, 30.1])),
        renews_at=draw(st.none() | about_edges | st.integers(0, 800).map(lambda days: start + days * DAY)),
    )


@st.composite
def worlds(draw, most: int = 16):
    """Contracts about a cutoff, of clients who all have bought."""
    cutoff = draw(st.sampled_from(CUTOFFS))
    contracts = draw(st.lists(spells(cutoff), min_size=1, max_size=most))
    purchases = [Purchase(client, cutoff - 900 * DAY, 1.0) for client in (1, 2, 3, 10, 11)]
    return History(purchases=purchases, contracts=contracts), cutoff


@settings(drawn, max_examples=30)
@given(worlds())
def test_equals_the_oracle(world):
    history, cutoff = world
    panel = panel_of(history, cutoff, FEATURES)
    assert panel.index.get_level_values(0).tolist() == [1, 2, 3, 10, 11]
    assert_equal(panel, expected_of(history, cutoff))


@settings(drawn, max_examples=5)
@given(worlds(most=30))
def test_both_compilers_agree(world):
    history, cutoff = world
    assert_same(panel_of(history, cutoff, FEATURES), panel_in_ibis(history, cutoff, FEATURES))


@settings(drawn, max_examples=5)
@given(worlds())
def test_holders_who_never_bought(world):
    history, cutoff = world
    alone = History(purchases=[Purchase(99, cutoff - 5 * DAY, 1.0)], contracts=history.contracts)
    holding = {c.client_id for c in history.known_before(cutoff).contracts if c.end is None}
    assume(holding)
    panel = panel_of(alone, cutoff, FEATURES, kind="contractual")
    assert set(panel.index.get_level_values(0)) == holding
    assert_equal(panel, expected_of(alone, cutoff))
    assert_same(panel, panel_in_ibis(alone, cutoff, FEATURES, kind="contractual"))


@pytest.mark.parametrize("rows", [1, 7])
def test_parts_of_clients_change_nothing(monkeypatch, rows):
    rng = np.random.default_rng(0)
    held = [
        Contract(
            client_id=int(client),
            start=(start := CUTOFF - timedelta(days=int(rng.integers(1, 900)))),
            end=start + timedelta(days=int(rng.integers(1, 900))) if rng.random() < 0.5 else None,
            plan=str(rng.choice(["a", "b", "c"])),
            fee=round(float(rng.uniform(5, 20)), 2),
        )
        for client in rng.integers(0, 40, 120)
    ]
    bought = [Purchase(int(client), CUTOFF - DAY, 1.0) for client in rng.integers(0, 50, 60)]
    history = History(purchases=bought, contracts=held)
    cutoffs = [CUTOFF, CUTOFF - 100.5 * DAY]
    whole = panel_of(history, cutoffs, FEATURES, kind="contractual")
    assert whole["fee_plan_ratio"].nunique() > 5
    monkeypatch.setattr("loyalty.features.panel._PART_ROWS", rows)
    assert len(Histories(**frames_of(history)).client_bounds(rows)) > 10
    parts = panel_of(history, cutoffs, FEATURES, kind="contractual")
    pd.testing.assert_frame_equal(whole, parts, check_exact=True)
