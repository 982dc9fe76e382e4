"""Labels: who left and what was spent, to the microsecond, and only as far as was known."""

import importlib.util
import sys
from types import SimpleNamespace

import duckdb
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from loyalty.histories import Histories, HistoriesWarning
from loyalty.labels import CensoredHorizonWarning, build_durations, build_labels, build_spend

DAY = pd.Timedelta(days=1)
TICK = pd.Timedelta(microseconds=1)
CUTOFF = pd.Timestamp("2024-06-01")
FAR = "2030-01-01"


def world(*purchases, contracts=(), until=FAR):
    """Make histories of (client, event_time, amount, known_at) and of contracts (client, start, end, known_at)."""
    frame = pd.DataFrame(
        [(*row, None)[:4] for row in purchases], columns=["client_id", "event_time", "amount", "known_at"]
    )
    frame["known_at"] = pd.to_datetime(frame["known_at"])
    bound = pd.DataFrame([(*row, None)[:4] for row in contracts], columns=["client_id", "start", "end", "known_at"])
    bound = bound.assign(end=pd.to_datetime(bound["end"]), known_at=pd.to_datetime(bound["known_at"]))
    return Histories(frame, contracts=bound if len(bound) else None, observed_until=until)


def past(*clients):
    """Let clients have purchased long ago, so that they stand at the cutoff."""
    return [(client, CUTOFF - 100 * DAY, 5.0) for client in clients]


def labels_at(histories, **options):
    """Read (churned, value) of each client at the one cutoff."""
    found = build_labels(histories, cutoffs=CUTOFF, **{"horizon": "30d", **options})
    return {client: (row.churned, row.value) for (client, _), row in zip(found.index, found.itertuples(), strict=True)}


# Non-contractual -----------------------------------------------------------------------------------------------------


def test_the_window_is_half_open_and_begins_after_the_gap():
    edges = {
        "before": CUTOFF - TICK,
        "at the cutoff": CUTOFF,
        "end of gap": CUTOFF + 7 * DAY - TICK,
        "after gap": CUTOFF + 7 * DAY,
        "last of 30 days": CUTOFF + 30 * DAY - TICK,
        "30 days on": CUTOFF + 30 * DAY,
        "last of 37 days": CUTOFF + 37 * DAY - TICK,
        "37 days on": CUTOFF + 37 * DAY,
    }
    histories = world(*past(*edges), *((client, at, 20.0) for client, at in edges.items()))
    bought = {client for client, labels in labels_at(histories).items() if labels == (0, 20.0)}
    assert bought == {"at the cutoff", "end of gap", "after gap", "last of 30 days"}
    with_gap = labels_at(histories, gap="7d")
    bought = {"after gap", "last of 30 days", "30 days on", "last of 37 days"}
    assert with_gap == {client: (0, 20.0) if client in bought else (1, 0.0) for client in edges}


def test_spend_is_added_up_refunds_are_taken_off_and_free_things_are_no_purchase():
    inside = CUTOFF + DAY
    histories = world(
        *past("buys", "buys and returns", "returns", "takes gifts", "silent"),
        ("buys", inside, 20.0), ("buys", inside + DAY, 0.5),
        ("buys and returns", inside, 20.0), ("buys and returns", inside + DAY, -25.0),
        ("returns", inside, -5.0),
        ("takes gifts", inside, 0.0),
        ("new", inside, 9.0),
    )  # fmt: skip
    assert labels_at(histories) == {
        "buys": (0, 20.5),
        "buys and returns": (0, -5.0),
        "returns": (1, -5.0),
        "silent": (1, 0.0),
        "takes gifts": (1, 0.0),
    }


def test_only_the_active_are_labelled():
    histories = world(("edge", CUTOFF - 30 * DAY, 1.0), ("gone", CUTOFF - 30 * DAY - TICK, 1.0), ("gone", CUTOFF, 1.0))
    assert labels_at(histories, active="30d") == {"edge": (1, 0.0)}
    assert labels_at(histories) == {"edge": (1, 0.0), "gone": (0, 1.0)}


def test_the_form_of_the_table():
    histories = world(("b", "2024-01-01", 1.0), ("a", "2024-02-15", 2.0), ("b", "2024-03-15", 4.0))
    found = build_labels(histories, cutoffs=["2024-03-01", "2024-02-01"], horizon="29d")
    index = pd.MultiIndex.from_tuples(
        [("b", "2024-02-01"), ("a", "2024-03-01"), ("b", "2024-03-01")], names=["client_id", "cutoff"]
    )
    index = index.set_levels(pd.DatetimeIndex(index.levels[1]).as_unit("us"), level="cutoff")
    expected = pd.DataFrame({"churned": [1, 1, 0], "value": [0.0, 0.0, 4.0]}, index=index)
    assert_frame_equal(found, expected.astype({"churned": "int8"}), check_index_type=False)
    assert found.dtypes.astype(str).tolist() == ["int8", "float64"]
    assert str(found.index.levels[1].dtype) == "datetime64[us]"


def test_nobody_is_labelled_before_the_first_purchase():
    histories = world(("ann", "2024-03-01", 1.0))
    found = build_labels(histories, cutoffs=["2024-01-01", "2024-03-01T00:00:00.000001"], horizon="1d")
    assert found.index.get_level_values("client_id").tolist() == ["ann"]
    nobody = build_labels(histories, cutoffs="2024-01-01", horizon="1d")
    assert nobody.empty
    assert nobody.columns.tolist() == ["churned", "value"]
    assert nobody.index.names == ["client_id", "cutoff"]


# What was known, and what is not known yet ---------------------------------------------------------------------------


def test_a_late_report_counts_unless_we_stand_before_it():
    decided = CUTOFF + 30 * DAY
    late = [(CUTOFF + DAY, 8.0, decided + DAY), (CUTOFF + 2 * DAY, -3.0, decided + 2 * DAY)]
    histories = world(*past("ann"), *(("ann", at, amount, known) for at, amount, known in late))
    assert labels_at(histories) == {"ann": (0, 5.0)}
    assert labels_at(histories, known_before=decided) == {"ann": (1, 0.0)}
    assert labels_at(histories, known_before=decided + DAY) == {"ann": (1, 0.0)}
    assert labels_at(histories, known_before=decided + DAY + TICK) == {"ann": (0, 8.0)}
    assert labels_at(histories, known_before=decided + 9 * DAY) == {"ann": (0, 5.0)}


def test_a_report_after_the_recording_is_seen_by_who_stands_after_it():
    decided = CUTOFF + 30 * DAY
    histories = world(*past("ann"), ("ann", decided - DAY, 8.0, decided + 5 * DAY), until=decided)
    assert labels_at(histories) == {"ann": (0, 8.0)}
    assert labels_at(histories, known_before=decided + 5 * DAY) == {"ann": (1, 0.0)}
    assert labels_at(histories, known_before=decided + 6 * DAY) == {"ann": (0, 8.0)}


def test_a_purchase_reported_at_the_cutoff_makes_no_client_yet():
    histories = world(("told", CUTOFF - DAY, 1.0, CUTOFF - TICK), ("untold", CUTOFF - DAY, 1.0, CUTOFF))
    assert labels_at(histories) == {"told": (1, 0.0)}


@pytest.mark.parametrize("days", [0, 7])
def test_an_outcome_is_decided_when_its_window_is_over(days):
    gap, end = f"{days}d", CUTOFF + (days + 30) * DAY
    assert labels_at(world(*past("ann"), until=end), gap=gap) == {"ann": (1, 0.0)}
    assert labels_at(world(*past("ann"), until=FAR), gap=gap, known_before=end) == {"ann": (1, 0.0)}
    for histories, limit in ((world(*past("ann"), until=end - TICK), None), (world(*past("ann")), end - TICK)):
        with pytest.raises(ValueError, match="`cutoffs`: the outcome of 2024-06-01 is decided up to") as caught:
            labels_at(histories, gap=gap, known_before=limit)
        assert f"{30 + days} days later" in str(caught.value)
        assert f"known only to {end - DAY:%Y-%m-%d}; none is left." in str(caught.value)


def test_by_default_the_last_day_recorded_is_over():
    histories = Histories(
        pd.DataFrame({"client_id": [1, 1], "event_time": ["2024-06-01", "2024-06-10"], "amount": 1.0})
    )
    found = build_labels(histories, cutoffs="2024-06-02", horizon="9d")
    assert found["value"].tolist() == [1.0]
    with pytest.raises(ValueError, match="known only to 2024-06-11"):
        build_labels(histories, cutoffs="2024-06-02", horizon="10d")


def test_censored_cutoffs_are_dropped_and_said():
    histories = world(*past("ann"), until="2024-07-01")
    cutoffs = ["2024-06-01", "2024-06-02", "2024-05-01", "2024-07-01"]
    with pytest.warns(CensoredHorizonWarning) as caught:
        found = build_labels(histories, cutoffs=cutoffs, horizon="30d")
    assert found.index.get_level_values("cutoff").strftime("%Y-%m-%d").tolist() == ["2024-05-01", "2024-06-01"]
    (told,) = [warning for warning in caught if warning.category is CensoredHorizonWarning]
    assert str(told.message) == (
        "the outcome of 2024-06-02, 2024-07-01 is decided up to 30 days later, but known only to 2024-07-01: dropped."
    )
    assert told.filename == __file__
    with pytest.warns(CensoredHorizonWarning, match="of 2024-06-01, 2024-06-02, 2024-07-01 is .* only to 2024-06-15"):
        build_labels(histories, cutoffs=cutoffs, horizon="30d", known_before="2024-06-15")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("horizon", "0d"), ("horizon", "1m"), ("gap", "-1d"), ("active", "1.5d"), ("cutoffs", "now"),
        ("known_before", "now"), ("kind", "contract"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(option, value):
    with pytest.raises(ValueError, match=f"`{option}` "):
        build_labels(world(*past("ann")), **{"cutoffs": CUTOFF, "horizon": "30d", option: value})


# Contractual ---------------------------------------------------------------------------------------------------------

OLD = CUTOFF - 300 * DAY
OPENS, CLOSES = CUTOFF + 7 * DAY, CUTOFF + 37 * DAY


RUNS = [
    ([(OLD, None)], 0),
    ([(OLD, CLOSES + DAY)], 0),
    ([(OLD, CLOSES)], 0),  # what happens at the close is outside the half-open window
    ([(OLD, CLOSES - TICK)], 1),
    ([(OLD, OPENS + DAY)], 1),
    ([(OLD, OPENS)], 1),
    # who leaves in the gap, or at the cutoff, has no outcome in the window
    ([(OLD, OPENS - TICK)], None),
    ([(OLD, CUTOFF)], None),
    # who has left before is not there
    ([(OLD, CUTOFF - TICK)], None),
    ([(CUTOFF, None)], None),
    # renewals
    ([(OLD, OPENS + DAY), (OPENS + DAY, None)], 0),
    ([(OLD, OPENS + DAY), (OPENS + 20 * DAY, None)], 0),
    ([(OLD, OPENS + DAY), (CLOSES - TICK, None)], 0),
    ([(OLD, OPENS + DAY), (CLOSES, None)], 1),
    ([(OLD, OPENS + DAY), (OPENS + 2 * DAY, CLOSES - DAY)], 1),
    ([(OLD, CUTOFF + DAY), (CUTOFF + DAY, None)], 0),
    ([(OLD, CUTOFF + DAY), (OPENS, None)], None),
    ([(OLD, CUTOFF + DAY), (OPENS - TICK, OPENS + DAY)], 1),
    # two at a time
    ([(OLD, OPENS + DAY), (OLD, None)], 0),
    ([(OLD, OPENS + DAY), (OLD, OPENS + 2 * DAY)], 1),
    ([(OLD, CUTOFF - 9 * DAY), (OLD, OPENS + 2 * DAY)], 1),
]


def test_who_ends_the_last_contract_in_the_window_has_left():
    contracts = [(case, *dates) for case, (terms, _) in enumerate(RUNS) for dates in terms]
    purchases = [(case, CUTOFF + 8 * DAY, 6.0) for case in range(len(RUNS))]
    found = labels_at(world(*purchases, contracts=contracts), gap="7d", kind="contractual")
    assert found == {case: (churned, 6.0) for case, (_, churned) in enumerate(RUNS) if churned is not None}


def test_contracts_without_an_end_run_on():
    purchases = pd.DataFrame({"client_id": [1], "event_time": ["2024-05-01"], "amount": [1.0]})
    contracts = pd.DataFrame({"client_id": [1], "start": ["2024-01-01"]})
    histories = Histories(purchases, contracts=contracts, observed_until=FAR)
    assert labels_at(histories, kind="contractual") == {1: (0, 0.0)}


def test_a_renewal_that_was_not_known_is_none():
    ends, decided = CUTOFF + DAY, CUTOFF + 30 * DAY
    contracts = [("ann", OLD, ends), ("ann", ends, None, decided + DAY)]
    histories = world(*past("ann"), contracts=contracts)
    assert labels_at(histories, kind="contractual") == {"ann": (0, 0.0)}
    assert labels_at(histories, kind="contractual", known_before=decided + DAY) == {"ann": (1, 0.0)}
    assert labels_at(histories, kind="contractual", known_before=decided + DAY + TICK) == {"ann": (0, 0.0)}


def test_contract_holders_may_have_to_be_active():
    contracts = [("ann", OLD, None), ("bob", OLD, CUTOFF + DAY)]
    histories = world(("ann", CUTOFF - 30 * DAY - TICK, 1.0), ("bob", CUTOFF - 30 * DAY, 1.0), contracts=contracts)
    assert labels_at(histories, kind="contractual") == {"ann": (0, 0.0), "bob": (1, 0.0)}
    assert labels_at(histories, kind="contractual", active="30d") == {"bob": (1, 0.0)}


def test_contractual_outcomes_need_contracts():
    with pytest.raises(ValueError, match="needs the table `contracts`"):
        labels_at(world(*past("ann")), kind="contractual")


# Against a slow and obvious oracle -----------------------------------------------------------------------------------

BEGIN = pd.Timestamp("2024-01-01")
hours = st.integers(0, 24 * 40).map(lambda h: BEGIN + pd.Timedelta(hours=h // 6 * 6))  # coarse, to meet the edges
delays = st.one_of(st.just(0), st.integers(0, 20)).map(lambda days: days * DAY)
purchases_drawn = st.lists(
    st.tuples(st.sampled_from("abcd"), hours, st.sampled_from([-5.0, 0.0, 4.0, 12.5]), delays), min_size=1, max_size=25
)
contracts_drawn = st.lists(
    st.tuples(st.sampled_from("abcd"), hours, st.one_of(st.none(), st.integers(0, 40)), delays), min_size=1, max_size=8
)


def is_active(purchases, client, cutoff, active):
    known = [at for who, at, _, known in purchases if who == client and known < cutoff]
    return bool(known) and (active is None or max(known) >= cutoff - active * DAY)


def oracle(purchases, contracts, cutoff, gap, horizon, active, kind, known_before):
    opens, closes = cutoff + gap * DAY, cutoff + (gap + horizon) * DAY
    outcome = {}
    for client in sorted({row[0] for row in purchases} | {row[0] for row in contracts}):
        inside = [
            amount for who, at, amount, known in purchases
            if who == client and opens <= at < closes and (known_before is None or known < known_before)
        ]  # fmt: skip
        if kind == "non-contractual":
            if not is_active(purchases, client, cutoff, active):
                continue
            churned = 0 if any(amount > 0 for amount in inside) else 1
        else:
            own = [row for row in contracts if row[0] == client]
            if not any(known < cutoff and (end is None or end >= cutoff) for _, _, end, known in own):
                continue
            if active is not None and not is_active(purchases, client, cutoff, active):
                continue
            seen = [row for row in own if known_before is None or row[3] < known_before]
            at_open, at_close = (
                any(start < at and (end is None or end >= at) for _, start, end, _ in seen) for at in (opens, closes)
            )
            if not at_open:
                continue
            churned = 0 if at_close else 1
        outcome[client] = (churned, sum(inside, 0.0))
    return outcome


@pytest.mark.filterwarnings("ignore::loyalty.histories.HistoriesWarning")
@pytest.mark.parametrize("kind", ["non-contractual", "contractual"])
@settings(max_examples=25)
@given(
    drawn=purchases_drawn,
    bound=contracts_drawn,
    cutoffs=st.lists(hours, min_size=1, max_size=2, unique=True),
    gap=st.integers(0, 5),
    horizon=st.integers(1, 20),
    active=st.one_of(st.none(), st.integers(0, 30)),
    wait=st.one_of(st.none(), st.integers(0, 10)),
)
def test_labels_are_those_of_a_loop_over_clients(kind, drawn, bound, cutoffs, gap, horizon, active, wait):
    purchases = [(who, at, amount, at + delay) for who, at, amount, delay in drawn]
    contracts = [
        (who, start, None if days is None else start + days * DAY, start + delay) for who, start, days, delay in bound
    ]
    known_before = None if wait is None else max(cutoffs) + (gap + horizon + wait) * DAY
    found = build_labels(
        world(*purchases, contracts=contracts),
        cutoffs=cutoffs,
        horizon=f"{horizon}d",
        gap=f"{gap}d",
        active=None if active is None else f"{active}d",
        kind=kind,
        known_before=known_before,
    )
    expected = {
        (client, cutoff): labels
        for cutoff in sorted(cutoffs)
        for client, labels in oracle(
            purchases, contracts, cutoff, gap, horizon, active, kind, known_before
        ).items()
    }  # fmt: skip
    assert found.index.tolist() == list(expected), "the same rows, by cutoff and client"
    assert list(zip(found["churned"], found["value"], strict=True)) == list(expected.values())


@pytest.mark.filterwarnings("ignore::loyalty.histories.HistoriesWarning")
@settings(max_examples=15)
@given(drawn=purchases_drawn, cutoff=hours, horizon=st.integers(1, 20), later=purchases_drawn)
def test_labels_do_not_see_what_was_not_known_before(drawn, cutoff, horizon, later):
    stand = cutoff + horizon * DAY
    purchases = [(who, at, amount, at + delay) for who, at, amount, delay in drawn]
    unseen = [(who, at, amount, max(at, stand) + delay) for who, at, amount, delay in later]
    options = {"cutoffs": cutoff, "horizon": f"{horizon}d", "known_before": stand}
    assert_frame_equal(build_labels(world(*purchases), **options), build_labels(world(*purchases, *unseen), **options))


# Spend, period by period ----------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::loyalty.histories.HistoriesWarning")
@pytest.mark.parametrize("kind", ["non-contractual", "contractual"])
@settings(max_examples=25)
@given(
    drawn=purchases_drawn,
    bound=contracts_drawn,
    cutoffs=st.lists(hours, min_size=1, max_size=2, unique=True),
    gap=st.integers(0, 5),
    period=st.integers(1, 9),
    whole=st.integers(1, 25),
    active=st.one_of(st.none(), st.integers(0, 30)),
    wait=st.one_of(st.none(), st.integers(0, 30)),
    seen=st.integers(0, 40),
)
def test_spend_of_periods_adds_up_to_that_of_labels(
    kind, drawn, bound, cutoffs, gap, period, whole, active, wait, seen
):
    """One after another they come to the labels of as long a horizon; of a period that is not over nothing is told."""
    purchases = [(who, at, amount, at + delay) for who, at, amount, delay in drawn]
    contracts = [
        (who, start, None if days is None else start + days * DAY, start + delay) for who, start, days, delay in bound
    ]
    until = max([at for _, at, *_ in drawn] + [max(cutoffs) + seen * DAY]) + TICK
    histories = world(*purchases, contracts=contracts, until=until)
    known_before = None if wait is None else max(cutoffs) + wait * DAY
    options = {"gap": f"{gap}d", "kind": kind, "active": None if active is None else f"{active}d"}
    options["known_before"] = known_before
    found = build_spend(histories, cutoffs=cutoffs, period=f"{period}d", until=f"{whole}d", **options)
    ends = [*range(period, whole, period), whole]
    assert found.columns.tolist() == ends
    told = found.cumsum(axis=1)
    seen_to = until if known_before is None else min(until, known_before)
    for end in ends:
        over = [cutoff for cutoff in sorted(cutoffs) if cutoff + (gap + end) * DAY <= seen_to]
        at = found.index.get_level_values("cutoff")
        assert found.loc[~at.isin(over), end].isna().all()
        if over:
            labels = build_labels(histories, cutoffs=over, horizon=f"{end}d", **options)
            assert told.loc[at.isin(over), end].index.tolist() == labels.index.tolist()
            assert told.loc[at.isin(over), end].tolist() == pytest.approx(labels["value"].tolist())


def test_spend_of_some_clients():
    histories = world(*past("ann", "bob", "cem"), ("bob", CUTOFF + DAY, 7.0))
    found = build_spend(histories, cutoffs=CUTOFF, period="2d", until="2d", clients=["bob", "cem"])
    assert found[2].tolist() == [7.0, 0.0]
    assert found.index.tolist() == [("bob", CUTOFF), ("cem", CUTOFF)]


def test_spend_of_many_periods():
    histories = world(*past("ann"), ("ann", CUTOFF + 1000 * DAY + TICK, 7.0))
    found = build_spend(histories, cutoffs=CUTOFF + TICK, period="1d", until="1095d")
    assert found.shape == (1, 1095)
    assert found.loc[("ann", CUTOFF + TICK), [1000, 1001]].tolist() == [0.0, 7.0]


@pytest.mark.parametrize(("name", "given"), [("period", {"period": "0d"}), ("until", {"until": "0d"})])
def test_what_is_wrong_with_periods_of_spend_is_named(name, given):
    with pytest.raises(ValueError, match=f"`{name}` must be at least one day; got 0 days."):
        build_spend(world(*past("ann")), cutoffs=CUTOFF, **{"period": "2d", "until": "3d", **given})


def test_spend_where_nobody_stands():
    histories = world(("ann", CUTOFF + DAY, 7.0))
    found = build_spend(histories, cutoffs=CUTOFF, period="2d", until="3d")
    assert (len(found), found.columns.tolist(), found.index.names) == (0, [2, 3], ["client_id", "cutoff"])


# Durations -----------------------------------------------------------------------------------------------------------


def lives_at(histories, **options):
    """Read (duration, churned) of each client at the one cutoff."""
    options = {"period": "10d", "periods": 3, **options}
    if options.get("kind") != "contractual":
        options.setdefault("silence", "30d")
    found = build_durations(histories, cutoffs=CUTOFF, **options)
    return {
        client: (row.duration, row.churned) for (client, _), row in zip(found.index, found.itertuples(), strict=True)
    }


def test_a_client_leaves_in_the_period_of_the_last_purchase_before_a_silence():
    edges = {
        "at the cutoff": (CUTOFF, 1),
        "last of period 1": (CUTOFF + 10 * DAY - TICK, 1),
        "first of period 2": (CUTOFF + 10 * DAY, 2),
        "last of period 3": (CUTOFF + 30 * DAY - TICK, 3),
    }
    recent = [(client, CUTOFF - 5 * DAY, 5.0) for client in (*edges, "bought no more", "after all periods")]
    between = [(client, CUTOFF + 24 * DAY, 1.0) for client in ("last of period 3", "after all periods")]
    buys = [(client, at, 1.0) for client, (at, _) in edges.items()]
    histories = world(*recent, *between, *buys, ("after all periods", CUTOFF + 30 * DAY, 1.0))
    assert lives_at(histories) == {
        **{client: (period, 1) for client, (_, period) in edges.items()},
        "bought no more": (1, 1),
        "after all periods": (3, 0),
    }


def test_a_silence_is_as_long_as_it_says_to_the_microsecond():
    last = CUTOFF + 12 * DAY
    histories = world(
        *past("returns too late", "returns in time"),
        *((client, CUTOFF - DAY, 1.0) for client in ("returns too late", "returns in time")),
        *((client, last, 1.0) for client in ("returns too late", "returns in time")),
        ("returns too late", last + 30 * DAY, 1.0),
        ("returns in time", last + 30 * DAY - TICK, 1.0),
    )
    assert lives_at(histories) == {"returns in time": (3, 0), "returns too late": (2, 1)}


def test_who_is_silent_long_enough_at_the_cutoff_is_gone_by_then():
    """A return does not bring back a client who had left; a silence under way decides in the first period."""
    histories = world(
        ("gone", CUTOFF - 30 * DAY, 1.0), ("gone", CUTOFF + DAY, 1.0),
        ("silent", CUTOFF - 30 * DAY + TICK, 1.0), ("silent", CUTOFF, 1.0),
        ("back in time", CUTOFF - 30 * DAY + TICK, 1.0), ("back in time", CUTOFF - 2 * TICK, 1.0),
        ("back in time", CUTOFF + 29 * DAY, 1.0),
        ("took gifts", CUTOFF - 40 * DAY, 1.0), ("took gifts", CUTOFF - DAY, 0.0), ("took gifts", CUTOFF - DAY, -1.0),
    )  # fmt: skip
    assert lives_at(histories) == {"back in time": (3, 1), "silent": (1, 1)}


def test_a_period_counts_when_it_is_decided_for_everybody():
    buys = [("stays", CUTOFF + k * 5 * DAY, 1.0) for k in range(-1, 40)]
    end = CUTOFF + 20 * DAY + 30 * DAY
    one = [("leaves", CUTOFF - DAY, 1.0), ("later", CUTOFF - DAY, 1.0), ("later", CUTOFF + 15 * DAY, 1.0)]
    assert lives_at(world(*buys, *one, until=end)) == {"later": (2, 1), "leaves": (1, 1), "stays": (2, 0)}
    # a moment earlier, who left in period 2 is known and who stayed in it is not: it counts for nobody
    for histories, limit in ((world(*buys, *one, until=end - TICK), None), (world(*buys, *one), end - TICK)):
        found = lives_at(histories, known_before=limit)
        assert found == {"later": (1, 0), "leaves": (1, 1), "stays": (1, 0)}
    with pytest.raises(ValueError, match="`cutoffs`: the outcome of 2024-06-01 is decided up to 40 days later"):
        lives_at(world(*buys, until=CUTOFF + 40 * DAY - TICK))


def test_later_cutoffs_are_followed_for_fewer_periods_and_the_last_ones_dropped():
    buys = [("ann", CUTOFF + k * 5 * DAY, 1.0) for k in range(-20, 40)]
    cutoffs = [CUTOFF + 10 * k * DAY for k in range(4)]
    with pytest.warns(
        CensoredHorizonWarning, match=r"of 2024-06-21, 2024-07-01 is decided up to 40 days later"
    ) as told:
        found = build_durations(
            world(*buys, until=CUTOFF + 50 * DAY), cutoffs=cutoffs, period="10d", periods=12, silence="30d"
        )
    assert [w.filename for w in told if w.category is CensoredHorizonWarning] == [__file__]
    assert found["duration"].tolist() == [2, 1]
    assert found["churned"].tolist() == [0, 0]
    assert found.attrs == {"period_days": 10, "silence_days": 30}
    assert found["duration"].attrs == found.attrs
    assert found.dtypes.astype(str).tolist() == ["int32", "int8"]
    assert found.index.names == ["client_id", "cutoff"]
    assert str(found.index.levels[1].dtype) == "datetime64[us]"


def test_late_reports_count_unless_we_stand_before_them():
    stand = CUTOFF + 60 * DAY
    late = ("ann", CUTOFF + 25 * DAY, 1.0, stand)
    histories = world(("ann", CUTOFF - DAY, 1.0), late, ("bob", CUTOFF - DAY, 1.0, CUTOFF))
    assert lives_at(histories) == {"ann": (3, 1)}, "bob's purchase was reported at the cutoff: no client yet"
    assert lives_at(histories, known_before=stand) == {"ann": (1, 1)}
    assert lives_at(histories, known_before=stand + TICK) == {"ann": (3, 1)}


def test_a_holder_leaves_in_the_first_period_at_whose_end_no_contract_runs():
    end = CUTOFF + 10 * DAY
    terms = {
        "runs on": [(OLD, None)],
        "ends at the end": [(OLD, end)],  # still in force at it, as in `build_labels`
        "ends before the end": [(OLD, end - TICK)],
        "ends at the cutoff": [(OLD, CUTOFF)],
        "ended before": [(OLD, CUTOFF - TICK)],
        "lapses within": [(OLD, CUTOFF + 2 * DAY), (end - TICK, None)],
        "lapses over the end": [(OLD, CUTOFF + 2 * DAY), (end, None)],
        "renews for a time": [(OLD, CUTOFF + 2 * DAY), (CUTOFF + 2 * DAY, CUTOFF + 25 * DAY)],
    }
    contracts = [(client, *dates) for client, runs in terms.items() for dates in runs]
    histories = world(*past("anybody"), contracts=contracts)
    expected = {
        "ends at the cutoff": (1, 1),
        "ends at the end": (2, 1),
        "ends before the end": (1, 1),
        "lapses over the end": (1, 1),
        "lapses within": (3, 0),
        "renews for a time": (3, 1),
        "runs on": (3, 0),
    }
    assert lives_at(histories, kind="contractual") == expected
    for known in (CUTOFF + 30 * DAY, CUTOFF + 30 * DAY - TICK):
        followed = 3 if known == CUTOFF + 30 * DAY else 2
        cut = {client: life if life[0] <= followed else (followed, 0) for client, life in expected.items()}
        assert lives_at(histories, kind="contractual", known_before=known) == cut


def test_contracts_without_an_end_last():
    purchases = pd.DataFrame({"client_id": [1], "event_time": ["2024-05-01"], "amount": [1.0]})
    contracts = pd.DataFrame({"client_id": [1], "start": ["2024-01-01"]})
    histories = Histories(purchases, contracts=contracts, observed_until=FAR)
    assert lives_at(histories, kind="contractual") == {1: (3, 0)}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("period", "0d"), ("period", "1m"), ("periods", 0), ("periods", 2.0), ("periods", True), ("silence", None),
        ("silence", "0d"), ("kind", "contract"), ("cutoffs", "now"), ("known_before", "now"), ("active", "1.5d"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_durations_is_named(option, value):
    options = {"cutoffs": CUTOFF, "period": "10d", "periods": 3, "silence": "30d", option: value}
    with pytest.raises(ValueError, match=f"`{option}` "):
        build_durations(world(*past("ann")), **options)


def test_silence_says_nothing_where_contracts_do():
    with pytest.raises(ValueError, match="`silence` has no meaning"):
        lives_at(world(*past("ann"), contracts=[("ann", OLD, None)]), kind="contractual", silence="30d")


def silence_begins(times, cutoff, quiet):
    """Find the last purchase before the first silence that was not over at the cutoff."""
    for at in times:
        later = [other for other in times if other > at]
        if at + quiet > cutoff and (not later or later[0] - at >= quiet):
            return at
    raise AssertionError("whoever bought has a last purchase")


def durations_oracle(purchases, contracts, cutoff, *, period, periods, silence, active, kind, known_before, until):
    quiet = (silence or 0) * DAY
    seen_to = until if known_before is None else min(until, known_before)
    ends = [cutoff + k * period * DAY for k in range(1, periods + 1) if cutoff + k * period * DAY + quiet <= seen_to]
    lives = {}
    for client in sorted({row[0] for row in purchases} | {row[0] for row in contracts}) if ends else []:
        if active is not None and not is_active(purchases, client, cutoff, active):
            continue
        if kind == "contractual":
            own = [row for row in contracts if row[0] == client]
            if not any(known < cutoff and (end is None or end >= cutoff) for _, _, end, known in own):
                continue
            seen = [row for row in own if known_before is None or row[3] < known_before]
            runs = [any(start < at <= (end or at) for _, start, end, _ in seen) for at in (cutoff, *ends)]
            if not runs[0]:
                continue
            left = next((k for k, running in enumerate(runs) if not running), None)
        else:
            bought = [(at, known) for who, at, amount, known in purchases if who == client and amount > 0]
            if not any(known < cutoff and at + quiet > cutoff for at, known in bought):
                continue
            times = sorted(at for at, known in bought if known_before is None or known < known_before)
            last = silence_begins(times, cutoff, quiet)
            left = next((k for k, end in enumerate(ends, start=1) if last < end), None)
        lives[client] = (len(ends), 0) if left is None else (left, 1)
    return lives


def found_lives(histories, cutoffs, **options):
    """Read the durations, or that none is decided."""
    days = {name: None if options[name] is None else f"{options[name]}d" for name in ("period", "silence", "active")}
    try:
        return build_durations(histories, cutoffs=cutoffs, **{**options, **days})
    except ValueError as error:
        if "none is left" not in str(error):
            raise
        return None


@pytest.mark.filterwarnings("ignore::loyalty.histories.HistoriesWarning")
@pytest.mark.filterwarnings("ignore::loyalty.labels.CensoredHorizonWarning")
@pytest.mark.parametrize("kind", ["non-contractual", "contractual"])
@settings(max_examples=25)
@given(
    drawn=purchases_drawn,
    bound=contracts_drawn,
    cutoffs=st.lists(hours, min_size=1, max_size=2, unique=True),
    period=st.integers(1, 6),
    periods=st.integers(1, 6),
    silence=st.integers(1, 15),
    active=st.one_of(st.none(), st.integers(0, 30)),
    wait=st.one_of(st.none(), st.integers(0, 40)),
    until=st.integers(20, 70).map(lambda days: BEGIN + days * DAY),
)
def test_durations_are_those_of_a_loop_over_clients(
    kind, drawn, bound, cutoffs, period, periods, silence, active, wait, until
):
    purchases = [(who, at, amount, at + delay) for who, at, amount, delay in drawn]
    contracts = [
        (who, start, None if days is None else start + days * DAY, start + delay) for who, start, days, delay in bound
    ]
    options = {
        "period": period,
        "periods": periods,
        "silence": silence if kind == "non-contractual" else None,
        "active": active,
        "kind": kind,
        "known_before": None if wait is None else max(cutoffs) + wait * DAY,
    }
    found = found_lives(world(*purchases, contracts=contracts, until=until), cutoffs, **options)
    expected = {
        (client, cutoff): life
        for cutoff in sorted(cutoffs)
        for client, life in durations_oracle(purchases, contracts, cutoff, until=until, **options).items()
    }
    if found is None:
        assert not expected
    else:
        assert found.index.tolist() == list(expected), "the same rows, by cutoff and client"
        assert list(zip(found["duration"], found["churned"], strict=True)) == list(expected.values())


@pytest.mark.filterwarnings("ignore::loyalty.histories.HistoriesWarning")
@settings(max_examples=15)
@given(drawn=purchases_drawn, bound=contracts_drawn, cutoff=hours, period=st.integers(1, 20))
def test_the_first_period_of_a_contract_is_a_horizon(drawn, bound, cutoff, period):
    purchases = [(who, at, amount, at + delay) for who, at, amount, delay in drawn]
    contracts = [
        (who, start, None if days is None else start + days * DAY, start + delay) for who, start, days, delay in bound
    ]
    histories = world(*purchases, contracts=contracts)
    lives = build_durations(histories, cutoffs=cutoff, period=f"{period}d", periods=1, kind="contractual")
    labels = build_labels(histories, cutoffs=cutoff, horizon=f"{period}d", kind="contractual")
    assert (lives["duration"] == 1).all()
    assert_frame_equal(lives[["churned"]], labels[["churned"]])


@pytest.mark.filterwarnings("ignore::loyalty.histories.HistoriesWarning")
@pytest.mark.parametrize("kind", ["non-contractual", "contractual"])
@settings(max_examples=15)
@given(
    drawn=purchases_drawn, bound=contracts_drawn, cutoff=hours, stay=st.integers(8, 30), later=purchases_drawn,
    rebound=contracts_drawn,
)  # fmt: skip
def test_durations_do_not_see_what_was_not_known_before(kind, drawn, bound, cutoff, stay, later, rebound):
    """Neither what was reported later nor, without a place to stand, what happened after the recording."""
    stand = cutoff + stay * DAY
    purchases = [(who, at, amount, at + delay) for who, at, amount, delay in drawn]
    unseen = [(who, at, amount, max(at, stand) + delay) for who, at, amount, delay in later]
    after = [(who, max(at, stand), amount, max(at, stand) + delay) for who, at, amount, delay in later]
    contracts = [(who, at, None if d is None else at + d * DAY, at + delay) for who, at, d, delay in bound]
    unsigned = [(who, at, None if d is None else at + d * DAY, max(at, stand) + delay) for who, at, d, delay in rebound]
    options = {"cutoffs": cutoff, "period": "2d", "periods": 9, "kind": kind}
    if kind == "non-contractual":
        options["silence"] = "6d"
    plain = world(*purchases, contracts=contracts)
    more = world(*purchases, *unseen, contracts=[*contracts, *unsigned])
    assert_frame_equal(
        build_durations(plain, known_before=stand, **options), build_durations(more, known_before=stand, **options)
    )
    ended = [world(*rows, contracts=contracts, until=stand) for rows in (purchases, [*purchases, *after])]
    assert_frame_equal(*(build_durations(histories, **options) for histories in ended))


# Against the judge, on real data -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def judge(shared_data):
    path = shared_data.parent / "protocols" / "judge.py"
    if not path.is_file():
        pytest.skip("the protocols (../shared/protocols) are not beside this clone")
    spec = importlib.util.spec_from_file_location("loyalty_test_judge", path)
    module = importlib.util.module_from_spec(spec)
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    spec.loader.exec_module(module)
    sys.dont_write_bytecode = writes

    class Connection:
        """Let DuckDB 1.5, which takes the column name `value` only after an `as`, read the judge's queries."""

        def __init__(self):
            self.con = duckdb.connect()

        def sql(self, query):
            return self.con.sql(query.replace("sum(amount) value", "sum(amount) as value"))

    module.duckdb = SimpleNamespace(connect=Connection)
    return module


def test_labels_of_cdnow_are_the_judges(judge, shared_data):
    mapping = {"client_id": "customer_id", "event_time": "date", "amount": "amount"}
    with pytest.warns(HistoriesWarning, match=r"purchases: \d+ rows repeat"):
        histories = Histories(shared_data / "cdnow.parquet", columns={"purchases": mapping})
    found = build_labels(histories, cutoffs="1998-01-01", horizon="181d").reset_index()
    truth = judge.truth("cdnow")
    assert len(found) == len(truth) == 23_570
    assert found["client_id"].tolist() == truth["client_id"].tolist()
    assert found["churned"].tolist() == truth["churned"].tolist()
    assert found["value"].tolist() == pytest.approx(truth["value"].tolist(), abs=1e-9)


def test_labels_of_the_wholesaler_are_the_judges(judge, shared_data):
    mapping = {"client_id": "customer_id", "event_time": "invoice_date", "amount": "quantity * unit_price"}
    where = "not overlap and customer_id is not null and unit_price > 0"
    with pytest.warns(HistoriesWarning, match=r"purchases: [\d,]+ rows repeat"):
        histories = Histories(
            shared_data / "online_retail_2.parquet", columns={"purchases": mapping}, where={"purchases": where}
        )
    cutoffs = ["2011-03-01", "2011-06-01", "2011-09-01"]
    found = build_labels(histories, cutoffs=cutoffs, horizon="90d", active="365d").reset_index()
    truth = judge.truth("online_retail_2")
    assert found["client_id"].astype(int).tolist() == truth["client_id"].astype(int).tolist()
    assert found["churned"].tolist() == truth["churned"].tolist()
    assert found["value"].tolist() == pytest.approx(truth["value"].tolist(), abs=1e-6)
