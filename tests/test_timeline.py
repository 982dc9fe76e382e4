"""Time: what is read, what is refused, and splits that cannot leak."""

import datetime as dt
import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty.timeline import (
    LeakError,
    Outcome,
    Split,
    as_cutoffs,
    as_duration,
    as_instant,
    days_since_1970,
    prove_split,
    rolling_origins,
)

DAY = pd.Timedelta(days=1)
TICK = pd.Timedelta(microseconds=1)


def day(text: str) -> pd.Timestamp:
    return pd.Timestamp(text)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2024-03-01", "2024-03-01"),
        ("2024-03-01 09:30", "2024-03-01 09:30"),
        ("2024-03-01T09:00+09:00", "2024-03-01 00:00"),
        ("2024-03-01T00:00-05:00", "2024-03-01 05:00"),
        ("2024-03-01T09:00Z", "2024-03-01 09:00"),
        (dt.date(2024, 3, 1), "2024-03-01"),
        (dt.datetime(2024, 3, 1, 9, 30), "2024-03-01 09:30"),  # noqa: DTZ001 - a naive one is meant
        (dt.datetime(2024, 3, 1, 9, tzinfo=dt.timezone(dt.timedelta(hours=9))), "2024-03-01"),
        (pd.Timestamp("2024-03-01", tz="Asia/Seoul"), "2024-02-29 15:00"),
        (np.datetime64("2024-03-01"), "2024-03-01"),
    ],
)
def test_an_instant_is_read_and_made_utc(written, meant):
    read = as_instant(written, name="cutoff")
    assert read == day(meant)
    assert read.tzinfo is None


@pytest.mark.parametrize(
    "written",
    ["now", "today", "March", "soon", "", "2024-13-01", "2024", 20240301, 5.5, True, None, pd.NaT, "NaT", dt.time(9)],
)
def test_what_is_not_a_date_is_refused_by_the_name_of_its_argument(written):
    with pytest.raises(ValueError, match=r"`score` must be a date such as '2024-03-01'; got "):
        as_instant(written, name="score")


@pytest.mark.parametrize(
    ("written", "days"),
    [("90d", 90), ("0d", 0), (" 13 w ", 91), ("1w", 7), (dt.timedelta(days=3), 3), (pd.Timedelta(days=30), 30)],
)
def test_a_duration_is_whole_days(written, days):
    assert as_duration(written, name="horizon") == days * DAY


@pytest.mark.parametrize(
    "written",
    ["90", "d", "1.5d", "-1d", "3m", "1y", "", "9999999999d", -DAY, DAY / 2, 1.5 * DAY, TICK, None, pd.NaT, [1]],
)
def test_what_is_not_whole_days_is_refused_by_the_name_of_its_argument(written):
    with pytest.raises(ValueError, match=r"`gap` must be .*days.*; got "):
        as_duration(written, name="gap")


@pytest.mark.parametrize("written", [90, 90.0, np.int64(90), True])
def test_a_bare_number_has_no_unit(written):
    with pytest.raises(ValueError, match=rf"`horizon` must say its unit, such as '90d' or '13w'; got .*{written}"):
        as_duration(written, name="horizon")


def test_cutoffs_are_sorted_and_one_may_stand_alone():
    assert as_cutoffs(["2024-03-01", "2024-01-01", "2024-02-01"]) == (
        day("2024-01-01"),
        day("2024-02-01"),
        day("2024-03-01"),
    )
    for single in ("2024-03-01", dt.date(2024, 3, 1), day("2024-03-01"), np.datetime64("2024-03-01")):
        assert as_cutoffs(single) == (day("2024-03-01"),)
    assert as_cutoffs(pd.DatetimeIndex(["2024-02-01", "2024-01-01"])) == (day("2024-01-01"), day("2024-02-01"))


def test_cutoffs_have_no_default_and_stand_once():
    with pytest.raises(ValueError, match="`cutoffs` must hold at least one date"):
        as_cutoffs([])
    with pytest.raises(ValueError, match="`cutoffs` must be a date"):
        as_cutoffs(None)
    with pytest.raises(ValueError, match="`test` holds 2024-03-01 twice"):
        as_cutoffs(["2024-03-01", "2024-01-01", "2024-03-01T09:00+09:00"], name="test")


def test_the_outcome_window_begins_after_the_gap_and_lasts_the_horizon():
    outcome = Outcome.of(horizon="30d", gap="7d")
    assert outcome.reach == 37 * DAY
    assert outcome.window(day("2024-01-01")) == (day("2024-01-08"), day("2024-02-07"))
    assert Outcome.of(horizon="30d").window(day("2024-01-01")) == (day("2024-01-01"), day("2024-01-31"))


def test_a_horizon_lasts_at_least_a_day():
    assert Outcome.of(horizon="1d").horizon == DAY
    with pytest.raises(ValueError, match="`horizon` must be at least one day; got '0d'"):
        Outcome.of(horizon="0d")


@pytest.mark.parametrize("gap", ["0d", "7d"])
def test_a_split_is_proved_to_the_microsecond(gap):
    outcome = Outcome.of(horizon="30d", gap=gap)
    train = (day("2023-01-01"), day("2024-01-01"))
    decided = train[-1] + outcome.reach
    fair = Split(train=train, test=decided)
    assert prove_split(fair, outcome) is fair
    with pytest.raises(LeakError, match="training cutoff 2024-01-01 is decided on"):
        prove_split(Split(train=train, test=decided - TICK), outcome)
    with pytest.raises(LeakError, match=f"{decided:%Y-%m-%d}, after the test cutoff {decided - DAY:%Y-%m-%d}"):
        prove_split(Split(train=train, test=decided - DAY), outcome)


def test_every_training_cutoff_is_proved_and_not_only_the_last():
    split = Split(train=(day("2024-03-01"), day("2024-01-01")), test=day("2024-03-02"))
    with pytest.raises(LeakError, match="training cutoff 2024-03-01"):
        prove_split(split, Outcome.of(horizon="30d"))


def test_training_cutoffs_are_laid_backwards_from_the_latest_that_is_decided():
    splits = rolling_origins(
        ["2024-09-01", "2024-06-01"], outcome=Outcome.of(horizon="30d", gap="1d"), first="2024-03-31", every="30d"
    )
    assert [split.test for split in splits] == [day("2024-06-01"), day("2024-09-01")]
    assert splits[0].train == (day("2024-04-01"), day("2024-05-01"))
    assert splits[1].train == tuple(
        day(text) for text in ("2024-04-03", "2024-05-03", "2024-06-02", "2024-07-02", "2024-08-01")
    )


def test_a_training_cutoff_may_stand_at_first_and_not_a_day_before():
    outcome = Outcome.of(horizon="30d")
    (at_first,) = rolling_origins(["2024-03-01"], outcome=outcome, first="2024-01-31", every="1d")
    assert at_first.train == (day("2024-01-31"),)
    with pytest.raises(ValueError, match="test cutoff 2024-03-01 leaves nothing to learn from") as caught:
        rolling_origins(["2024-03-01"], outcome=outcome, first="2024-02-01", every="1d")
    assert "latest training cutoff would be 2024-01-31, before 2024-02-01" in str(caught.value)
    assert not isinstance(caught.value, LeakError)


def test_steps_of_no_length_are_refused():
    with pytest.raises(ValueError, match="`every` must be at least one day; got '0d'"):
        rolling_origins(["2024-03-01"], outcome=Outcome.of(horizon="30d"), first="2024-01-01", every="0d")


@pytest.mark.parametrize("unit", ["us", "ns"])
@given(st.integers(-86_400_000_000 * 40_000, 86_400_000_000 * 80_000))
def test_days_since_1970_are_the_same_of_one_and_of_many_in_any_unit(unit, microseconds):
    at = pd.Timestamp(microseconds, unit="us").as_unit(unit)
    assert days_since_1970(at) == microseconds / 86_400_000_000
    assert days_since_1970(pd.DatetimeIndex([at, at])).tolist() == [days_since_1970(at)] * 2


def test_days_since_1970_go_beyond_what_nanoseconds_hold():
    assert days_since_1970(day("2300-01-01")) == 120_530


def test_only_the_latest_training_cutoffs_are_kept():
    outcome = Outcome.of(horizon="30d")
    layout = {"outcome": outcome, "first": "2020-01-01", "every": "30d"}
    (two,) = rolling_origins(["2024-03-01"], at_most=2, **layout)
    assert two.train == (day("2024-01-01"), day("2024-01-31"))
    (by_default,) = rolling_origins(["2024-03-01"], **layout)
    assert len(by_default.train) == 24
    with pytest.raises(ValueError, match="`at_most` must be at least 1; got 0"):
        rolling_origins(["2024-03-01"], at_most=0, **layout)


def test_no_training_outcome_passes_the_end_of_what_was_observed():
    layout = {"outcome": Outcome.of(horizon="30d"), "first": "2024-01-01", "every": "10d"}
    (split,) = rolling_origins(["2024-03-01"], observed_until="2024-02-05", **layout)
    assert split.train == (day("2024-01-06"),)
    (later,) = rolling_origins(["2024-03-01"], observed_until="2025-01-01", **layout)
    assert later.train[-1] == day("2024-01-31"), "the test cutoff stays the limit"


@settings(max_examples=60)
@given(
    test=st.lists(st.dates(dt.date(2020, 1, 1), dt.date(2024, 12, 31)), min_size=1, max_size=4, unique=True),
    horizon=st.integers(1, 400),
    gap=st.integers(0, 60),
    room=st.integers(0, 900),
    every=st.integers(1, 200),
    at_most=st.integers(1, 8),
)
def test_no_split_leaks_and_none_wastes_a_cutoff(test, horizon, gap, room, every, at_most):
    outcome = Outcome.of(horizon=f"{horizon}d", gap=f"{gap}d")
    first = pd.Timestamp(min(test)) - outcome.reach - room * DAY
    splits = rolling_origins(test, outcome=outcome, first=first, every=f"{every}d", at_most=at_most)
    assert [split.test for split in splits] == [pd.Timestamp(cutoff) for cutoff in sorted(test)]
    for split in splits:
        assert all(cutoff + outcome.reach <= split.test for cutoff in split.train)
        assert split.train[-1] + outcome.reach == split.test, "the latest is as late as possible"
        assert {later - earlier for earlier, later in itertools.pairwise(split.train)} <= {every * DAY}
        assert split.train[0] >= first
        assert len(split.train) == at_most or split.train[0] - every * DAY < first, "another one would have fitted"
        assert len(split.train) <= at_most
