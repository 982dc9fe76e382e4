"""The calibrator: recovers what was done to the margins, shrinks through time, keeps the order."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import check_grad, minimize
from scipy.special import expit

from loyalty.models import calibration
from loyalty.models.calibration import (
    PlattScaling,
    fit_anchored,
    fit_platt,
    lasting_error,
    level_errors,
    seasonal_error,
    share_to_come,
    towards,
)


def drawn(rows, *, slope, level, groups=1, seed=0, passing=0.0):
    """Margins, and outcomes whose true log-odds are `level` + `slope` × margin (+ something of each group)."""
    rng = np.random.default_rng(seed)
    margin, group = rng.normal(-0.5, 1.5, rows), np.arange(rows) % groups
    shift = passing * rng.normal(size=groups)
    churned = (rng.random(rows) < expit(level + slope * margin + shift[group])).astype(int)
    return margin, churned, group


@pytest.mark.parametrize(("slope", "level"), [(1.0, 0.0), (0.6, 0.4), (1.4, -0.7)])
def test_recovers_slope_and_level_between_folds(slope, level):
    found = fit_platt(*drawn(40_000, slope=slope, level=level, groups=5), through_time=False)
    # Standard errors at this size are about 0.012 and 0.014.
    assert found.slope == pytest.approx(slope, abs=0.04)
    assert found.level == pytest.approx(level, abs=0.045)


def test_every_group_has_its_own_level():
    """A common level would bend the slope towards what differs between groups."""
    rng = np.random.default_rng(3)
    group = np.arange(20_000) % 2
    margin = rng.normal(size=20_000) + 2.0 * group  # the later cutoff has higher margins …
    churned = (rng.random(20_000) < expit(margin - 2.0 * group)).astype(int)  # … but the same churn rate
    found = fit_platt(margin, churned, group, through_time=False)
    assert found.slope == pytest.approx(1.0, abs=0.05)
    assert found.level == pytest.approx(-1.0, abs=0.05)  # the mean of 0 and -2


@pytest.mark.parametrize("cutoffs", [1, 2, 3])
def test_through_time_only_the_lasting_share_is_corrected(cutoffs):
    data = drawn(3_000, slope=0.5, level=0.8, groups=cutoffs)
    full, shrunk = fit_platt(*data, through_time=False), fit_platt(*data, through_time=True)
    share = cutoffs / (cutoffs + 4)
    assert shrunk.slope - 1 == pytest.approx(share * (full.slope - 1), rel=1e-12)
    assert shrunk.level == pytest.approx(share * full.level, rel=1e-12)


def test_gradient_is_that_of_the_loss(monkeypatch):
    seen = {}

    def spy(loss, start, **options):
        seen["loss"], seen["options"] = loss, options
        return minimize(loss, start, **options)

    monkeypatch.setattr(calibration, "minimize", spy)
    fit_platt(*drawn(500, slope=0.7, level=0.2, groups=3), through_time=False)
    assert seen["options"]["jac"] is True
    for at in ([1.0, 0.0, 0.0, 0.0], [0.4, -1.0, 2.0, 0.3], [3.0, 5.0, -5.0, 1.0]):
        off = check_grad(lambda p: seen["loss"](p)[0], lambda p: seen["loss"](p)[1], np.array(at))
        scale = np.linalg.norm(seen["loss"](np.array(at))[1])
        assert off / scale < 1e-5


def test_is_where_the_loss_is_least():
    margin, churned, group = drawn(2_000, slope=0.7, level=0.3, groups=2)
    found = fit_platt(margin, churned, group, through_time=False)
    shift = (found.slope + 0.05, found.slope - 0.05)

    def cost(slope, levels):
        eta = slope * margin + levels[group]
        prior = 0.5 * ((slope - 1) / 0.5) ** 2 + 0.5 * (levels**2).sum()
        return np.sum(np.logaddexp(0, eta) - churned * eta) + prior

    def best(slope):
        return minimize(lambda levels: cost(slope, levels), np.zeros(2)).fun

    assert best(found.slope) < min(best(slope) for slope in shift)


def test_keeps_the_order_and_stays_a_probability_at_extreme_margins():
    margin = np.array([-1e6, -800.0, -40.0, 0.0, 40.0, 800.0, 1e6])
    for data in (
        drawn(400, slope=-2.0, level=0.0),  # margins that rank the wrong way: the slope stays positive
        (np.array([-900.0, 900.0, -800.0, 800.0]), np.array([0, 1, 0, 1]), np.zeros(4, dtype=int)),
        (np.full(50, 3.0), np.arange(50) % 2, np.zeros(50, dtype=int)),
        (np.linspace(-1, 1, 50), np.ones(50, dtype=int), np.zeros(50, dtype=int)),  # everybody left
    ):
        for through_time in (False, True):
            found = fit_platt(*data, through_time=through_time)
            assert found.slope > 0
            assert np.isfinite([found.slope, found.level]).all()
            probability = found(margin)
            assert ((probability >= 0) & (probability <= 1)).all()
            assert (np.diff(probability) >= 0).all()
            assert (np.diff(found(np.linspace(-3, 3, 50))) > 0).all()


def second_opinion(rows, *, slope, weight, groups=2, seed=0):
    """Margins and anchors that each say something of their own, and outcomes that follow both."""
    rng = np.random.default_rng(seed)
    margin, anchor, group = rng.normal(-0.5, 1.5, rows), rng.normal(0.3, 1.0, rows), np.arange(rows) % groups
    churned = (rng.random(rows) < expit(0.2 * group + slope * margin + weight * anchor)).astype(int)
    return margin, anchor, churned, group


@pytest.mark.parametrize(("slope", "weight"), [(0.85, 0.15), (0.5, 0.6), (1.2, 0.0)])
def test_slope_and_weight_are_learned_where_there_is_enough_to_learn_from(slope, weight):
    margin, anchor, churned, group = second_opinion(40_000, slope=slope, weight=weight)
    found = fit_anchored(margin, anchor, churned, group, latest=(margin[:9], anchor[:9]))
    assert found.slope == pytest.approx(slope, abs=0.04)
    assert found.weight == pytest.approx(weight, abs=0.04)


def test_slope_and_weight_are_where_the_loss_is_least():
    margin, anchor, churned, group = second_opinion(800, slope=0.5, weight=0.6)
    found = fit_anchored(margin, anchor, churned, group, latest=(margin, anchor))

    def best(slope, weight):
        def cost(levels):
            eta = slope * margin + weight * anchor + levels[group]
            prior = 0.5 * ((slope - 0.85) / 0.2) ** 2 + 0.5 * ((weight - 0.15) / 0.2) ** 2 + 0.5 * (levels**2).sum()
            return np.sum(np.logaddexp(0, eta) - churned * eta) + prior

        return minimize(cost, np.zeros(2)).fun

    around = [best(found.slope + a, found.weight + b) for a in (-0.02, 0, 0.02) for b in (-0.02, 0, 0.02) if a or b]
    assert best(found.slope, found.weight) < min(around)


def test_an_anchor_that_cannot_be_checked_has_its_fixed_weight_and_half_a_say_in_the_level():
    margin, anchor = np.array([-1.0, 0.5, 2.0, 0.0]), np.array([0.0, 1.0, 3.0, -2.0])
    nothing = np.empty(0)
    found = fit_anchored(nothing, nothing, nothing.astype(int), nothing.astype(int), latest=(margin, anchor))
    assert (found.slope, found.weight) == (0.85, 0.15)
    halfway = (expit(margin).mean() + expit(anchor).mean()) / 2
    assert found(margin, anchor).mean() == pytest.approx(halfway)


def test_nothing_to_correct_is_left_alone():
    assert PlattScaling()(np.array([-2.0, 0.0, 1.5])) == pytest.approx(expit([-2.0, 0.0, 1.5]), abs=0)
    assert PlattScaling(slope=0.5, level=0.1)([2.0]) == pytest.approx(expit([1.1]))


def monthly(values, first="2023-01-15"):
    return pd.Series(values, index=pd.date_range(first, periods=len(values), freq="30D"), dtype=float)


class TestSeasonalError:
    def test_of_one_year_half_is_expected_of_two_two_thirds(self):
        """A wave of one year: 0.3 above its mean when it is highest."""
        days = pd.date_range("2022-01-01", "2023-12-20", freq="10D")
        wave = pd.Series(
            0.3 * np.cos(2 * np.pi * (days - days[0]).to_numpy() / pd.Timedelta(days=365.25).to_numpy()) + 5.0,
            index=days,
        )
        highest = pd.Timestamp("2024-01-01")
        assert seasonal_error(wave, now=highest) == pytest.approx(0.3 * 2 / 3, abs=0.01)
        assert seasonal_error(wave[days >= "2023-01-01"], now=highest) == pytest.approx(0.3 / 2, abs=0.01)
        # Of the second year only half is seen beside it.
        assert seasonal_error(wave, now=pd.Timestamp("2024-07-01")) == pytest.approx(-0.3 * 2 / 3, abs=0.03)

    @pytest.mark.parametrize(("now", "seen"), [("2023-12-31", False), ("2024-01-01", True), ("2024-01-15", True)])
    def test_a_season_is_seen_fifteen_days_off(self, now, seen):
        errors = monthly([1.0, 0.0, 0.0])
        assert (seasonal_error(errors, now=pd.Timestamp(now)) > 0) is seen

    def test_nothing_seen_is_nothing_expected(self):
        assert seasonal_error(monthly([]), now=pd.Timestamp("2024-01-01")) == 0.0
        assert seasonal_error(monthly([1.0, 2.0]), now=pd.Timestamp("2023-04-01")) == 0.0

    @given(st.lists(st.floats(-3, 3), min_size=1, max_size=30), st.integers(0, 1200), st.floats(-5, 5))
    def test_a_lasting_error_is_no_season(self, values, days, lasting):
        now = pd.Timestamp("2023-01-15") + pd.Timedelta(days=days)
        errors = monthly(values)
        assert seasonal_error(errors + lasting, now=now) == pytest.approx(seasonal_error(errors, now=now), abs=1e-9)
        assert seasonal_error(-errors, now=now) == pytest.approx(-seasonal_error(errors, now=now), abs=1e-9)
        assert abs(seasonal_error(errors, now=now)) <= errors.max() - errors.min() + 1e-9


HALF = np.exp(-1.0)  # what an error of half a year ago counts beside one of today


@pytest.mark.parametrize(
    ("days", "errors", "expected"),
    [
        ([0, 366], [-1.0, -1.0], -1.002 / (1.002 + 0.01)),
        ([0, 365], [-1.0, -1.0], 0.0),  # not yet a year
        ([0, 366], [0.1, 0.1], 0.1 * 0.01002 / (0.01002 + 0.01)),  # no more than what passes
        ([0, 366], [HALF**-2.004, -1.0], 0.0),  # what it was off a year ago was off as much the other way
        ([0], [-5.0], 0.0),
        ([], [], 0.0),
    ],
)
def test_what_whole_years_agree_on_is_expected_to_last(days, errors, expected):
    index = pd.Timestamp("2023-01-01") + pd.to_timedelta(days, unit="D")
    assert lasting_error(pd.Series(errors, index=index, dtype=float)) == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_a_season_in_which_cutoffs_are_missing_was_not_seen():
    days = pd.date_range("2023-01-01", periods=24, freq="30D")
    errors = pd.Series(np.where(days < "2023-09-15", 0.5, 0.0), index=days)
    there = (days < "2023-09-15") | (days > "2024-02-20")
    for now, seen in (("2024-11-20", False), ("2024-08-01", True)):
        assert (seasonal_error(errors[there], now=pd.Timestamp(now)) != 0) is seen


def test_an_error_of_half_a_year_ago_counts_e_times_less():
    index = pd.Timestamp("2022-01-01") + pd.to_timedelta(
        [0.0, 365.25 / 2, 365.25, 3 * 365.25 / 2, 2 * 365.25], unit="D"
    )
    errors = np.array([0.9, 0.1, 0.5, 0.2, 0.4])
    weight = HALF ** np.arange(4, -1, -1) / (HALF ** np.arange(5)).sum()
    mean = weight @ errors
    lasting = 2 * mean**2
    share = lasting / (lasting + weight @ (errors - mean) ** 2 + 0.01)
    told = pd.Series(errors, index=index)
    assert lasting_error(told) == pytest.approx(share * mean, rel=1e-9)
    assert lasting_error(told, at_least=0.99) == pytest.approx(0.99 * mean, rel=1e-9)
    assert lasting_error(told, at_least=0.1) == lasting_error(told)


def test_within_a_year_the_given_share_of_the_plain_mean_is_expected():
    index = pd.to_datetime(["2023-01-01", "2023-02-01", "2023-12-31"])
    assert lasting_error(pd.Series([0.3, 0.0, 0.6], index=index), at_least=0.2) == pytest.approx(0.06)


@given(
    errors=st.lists(st.floats(-2, 2), min_size=2, max_size=30), years=st.floats(1.0, 4.0), at_least=st.floats(0.0, 1.0)
)
def test_no_more_is_expected_than_the_largest_error(errors, years, at_least):
    index = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.linspace(0, years * 365.25, len(errors)), unit="D")
    told = lasting_error(pd.Series(errors, index=index), at_least=at_least)
    assert min(0.0, *errors) - 1e-12 <= told <= max(0.0, *errors) + 1e-12
    assert lasting_error(-pd.Series(errors, index=index), at_least=at_least) == pytest.approx(-told, abs=1e-12)


def test_level_errors_bring_every_cutoff_to_its_share():
    rng = np.random.default_rng(0)
    cutoffs = pd.DatetimeIndex(pd.to_datetime(["2024-01-01", "2024-02-01"]).repeat(3_000))
    told = rng.normal(size=6_000)
    shift = np.where(cutoffs == cutoffs[0], 0.5, -1.0)
    churned = (rng.random(6_000) < expit(told + shift)).astype(int)
    assert level_errors(told, churned, cutoffs).to_numpy() == pytest.approx([0.5, -1.0], abs=0.15)
    everybody = level_errors(told, np.ones(6_000, int), cutoffs)
    assert np.isfinite(everybody).all()
    assert (everybody > 5).all()


def test_half_of_the_level_is_the_anchors_with_its_season():
    margin, churned, group = drawn(2_000, slope=1.0, level=0.0, groups=2)
    anchor = 0.5 * margin + 0.3
    now = margin[:500], anchor[:500]
    alone = fit_platt(margin, churned, group, through_time=True)
    for season in (0.0, 0.8):
        found = fit_anchored(margin, anchor, churned, group, latest=now, error=season)
        wanted = (alone(now[0]).mean() + expit(now[1] + season).mean()) / 2
        assert found(*now).mean() == pytest.approx(wanted)


def shares_at(shares, every="30D", clients=1000):
    """Outcomes at cutoffs so far apart, of which so many of a thousand clients left."""
    cutoffs = pd.date_range("2021-01-01", periods=len(shares), freq=every)
    churned = np.concatenate([np.arange(clients) < round(share * clients) for share in shares]).astype(int)
    return churned, cutoffs.repeat(clients), cutoffs


def told_of(law, *, now, months=24, clients=2000):
    """Ask at `now` of cutoffs every 30 days, the last of them 90 days before, at which by law so many left."""
    days = pd.date_range(end=pd.Timestamp(now) - pd.Timedelta(days=90), periods=months, freq="30D")
    churned = np.concatenate([np.arange(clients) < round(clients * law(day)) for day in days]).astype(int)
    return share_to_come(churned, days.repeat(clients), now=pd.Timestamp(now))[0]


def years_since_2024(day):
    return (day - pd.Timestamp("2024-01-01")).days / 365.25


class TestShareToCome:
    MONTHS = (12, 15, 18, 19, 20, 21, 22, 24, 30, 36, 48)
    DAYS = pd.date_range("2024-01-01", periods=24, freq="15D")

    @pytest.mark.parametrize("months", [1, 6, *MONTHS])
    def test_what_never_changes_goes_on(self, months):
        assert told_of(lambda _: 0.1, now="2024-06-01", months=months) == pytest.approx(0.1, abs=1e-3)

    def test_within_a_year_it_is_the_share_of_all(self):
        for shares in ([0.1, 0.1, 0.1, 0.3], [0.3, 0.1, 0.1, 0.1]):
            churned, cutoffs, days = shares_at(shares)
            told, sure = share_to_come(churned, cutoffs, now=days[-1] + pd.Timedelta(days=90))
            assert told == pytest.approx(0.15, abs=1e-3)
            assert sure == 0

    def test_clients_count_and_not_cutoffs(self):
        days = pd.DatetimeIndex(["2024-01-01", "2024-02-01"]).repeat([900, 100])
        churned = np.r_[np.arange(900) < 90, np.arange(100) < 50].astype(int)
        assert share_to_come(churned, days, now=pd.Timestamp("2024-05-01"))[0] == pytest.approx(0.14, abs=2e-3)

    @pytest.mark.parametrize("months", MONTHS)
    @pytest.mark.parametrize("low", [0.0, 0.01, 0.03])
    @pytest.mark.parametrize("busy", [(12,), (10, 11, 12)])
    def test_no_more_are_told_in_a_season_than_ever_left_and_over_a_year_as_many(self, months, low, busy):
        """Three tenths leave in one month or three, and few otherwise, in all years alike."""
        law = lambda day: 0.3 if day.month in busy else low  # noqa: E731
        a_year = np.mean([law(day) for day in pd.date_range("2024-01-01", "2024-12-31")])
        told = np.array([told_of(law, now=day, months=months) for day in self.DAYS])
        in_season = np.array([day.month in busy and day.day < 20 for day in self.DAYS])
        # Of a low that comes first nothing is sure.
        assert a_year * 0.85 < told.mean() < a_year * (1.4 if months < 20 else 1.15)
        assert told[in_season].min() > a_year + (0.3 - a_year) / 4
        assert told.max() < 0.3

    def test_a_strong_season_is_believed_at_once(self):
        law = lambda day: 0.3 if day.month >= 10 else 0.01  # noqa: E731
        told = [told_of(law, now="2024-11-15", months=months) for months in (13, 24, 36, 48, 60)]
        assert 0.25 < min(told) < max(told) < 0.3

    def test_a_slight_one_the_better_the_more_often_it_was_seen(self):
        law = lambda day: 0.13 if day.month >= 10 else 0.1  # noqa: E731
        told = [told_of(law, now="2024-11-15", months=months) for months in (13, 24, 36, 48, 60)]
        assert told == sorted(told)
        assert 0.112 < told[0] < 0.12 < told[-1] < 0.13

    @pytest.mark.parametrize("years", [1, 2, 3])
    @pytest.mark.parametrize("level", [0.01, 0.1])
    @pytest.mark.parametrize("times", [1.3, 3.0])
    def test_of_n_years_of_a_season_n_of_n_plus_1_is_told_or_more_if_it_is_sure(self, years, level, times):
        """December has three times the share of other months, or a little more; all years alike."""
        days = pd.date_range(end="2024-08-15", periods=12 * years, freq=pd.Timedelta(days=365.25 / 12))
        shares = np.where(days.month == 12, times * level, level)
        churned = np.concatenate([np.arange(5000) < 5000 * each for each in shares]).astype(int)
        told, sure = share_to_come(churned, days.repeat(5000), now=pd.Timestamp("2024-12-15"))
        usual = level * (11 + times) / 12
        departure = times * level / usual - 1
        agreed, chance = years * departure**2, (1 + departure) / (5000 * usual)
        assert sure == pytest.approx(agreed / (agreed + chance + 0.4**2), rel=0.05)
        assert (sure > years / (years + 1)) == (times == 3)
        assert told == pytest.approx(usual * (1 + departure * max(sure, years / (years + 1))), rel=0.05)

    def test_of_few_clients_a_season_may_be_chance(self):
        """Three times as many leave in December: 15 of 50, or 1,500 of 5,000."""
        days = pd.date_range(end="2024-08-15", periods=12, freq=pd.Timedelta(days=365.25 / 12))
        shares = np.where(days.month == 12, 0.3, 0.1)
        few, many = (
            share_to_come(
                np.concatenate([np.arange(n) < n * each for each in shares]).astype(int),
                days.repeat(n),
                now=pd.Timestamp("2024-12-15"),
            )[1]
            for n in (50, 5000)
        )
        departure, usual = 1.57, 0.1167
        told = [departure**2 / (departure**2 + (1 + departure) / (n * usual) + 0.4**2) for n in (50, 5000)]
        assert [few, many] == pytest.approx(told, abs=0.02)

    @pytest.mark.parametrize("before", [0.0, 0.02])
    def test_a_low_is_sure_where_more_had_left_before_it(self, before):
        """A tenth leaves each time, and nobody at first: a young business. Or nobody in summer, after a spring."""
        law = lambda day: 0.1 if day > pd.Timestamp("2023-09-15") else before  # noqa: E731
        told, sure = self.asked(law, months=14, now="2024-06-01")
        assert sure == 0
        assert told > 0.02
        law = lambda day: 0.0 if day.month in (6, 7, 8) else 0.1  # noqa: E731
        told, sure = self.asked(law, months=16, now="2024-07-15")
        assert sure > 0.8
        assert told < 0.02

    def asked(self, law, *, months, now):
        days = pd.date_range(end=pd.Timestamp(now) - pd.Timedelta(days=90), periods=months, freq="30D")
        churned = np.concatenate([np.arange(2000) < round(2000 * law(day)) for day in days]).astype(int)
        return share_to_come(churned, days.repeat(2000), now=pd.Timestamp(now))

    def test_years_that_differ_are_not_sure(self):
        """Five times as many left in one December, and as many as ever in the next."""
        days = pd.date_range(end="2024-08-15", periods=24, freq=pd.Timedelta(days=365.25 / 12))
        busy = np.where((days.month == 12) & (days.year == 2022), 0.1, 0.02)
        both = np.where(days.month == 12, 0.1, 0.02)
        sure = [
            share_to_come(
                np.concatenate([np.arange(5000) < 5000 * each for each in shares]).astype(int),
                days.repeat(5000),
                now=pd.Timestamp("2024-12-15"),
            )[1]
            for shares in (busy, both)
        ]
        assert sure[0] < 0.75
        assert sure[1] > 0.98

    @pytest.mark.parametrize("a_year", [2 ** (1 / 1.5), 0.5 ** (1 / 1.5), 1.2])
    @pytest.mark.parametrize("months", [20, 24, 36, 60])
    def test_what_goes_on_growing_is_followed(self, a_year, months):
        law = lambda day: 0.1 * a_year ** years_since_2024(day)  # noqa: E731
        told = np.mean([np.log(told_of(law, now=day, months=months, clients=20_000) / law(day)) for day in self.DAYS])
        assert abs(told) < 0.3 * abs(np.log(a_year))

    def test_growth_is_seen_over_half_a_year_or_there_is_none(self):
        """Nineteen cutoffs 30 days apart reach back 540 days: less than half a year of them has one a year before."""
        law = lambda day: 0.1 * 1.5 ** years_since_2024(day)  # noqa: E731
        off = [np.log(told_of(law, now="2024-06-01", months=n, clients=20_000) / law(pd.Timestamp("2024-06-01")))
               for n in (19, 20)]  # fmt: skip
        assert off[0] < -0.3
        assert abs(off[1]) < 0.05

    def test_growth_with_a_season_is_both(self):
        law = lambda day: 0.1 * 1.5 ** years_since_2024(day) * (1.5 if 4 <= day.month <= 9 else 0.5)  # noqa: E731
        off = [np.log(told_of(law, now=day, clients=20_000) / law(day)) for day in self.DAYS]
        assert abs(np.mean(off)) < 0.15
        assert np.median(np.abs(off)) < 0.35

    def test_growth_is_no_more_than_a_doubling_a_year(self):
        step = lambda day: 0.01 if day < pd.Timestamp("2023-09-01") else 0.3  # noqa: E731
        assert told_of(step, now="2024-09-15", months=24) < 0.3 * 2**0.75
        fall = lambda day: 0.3 if day < pd.Timestamp("2023-09-01") else 0.01  # noqa: E731
        assert told_of(fall, now="2024-09-15", months=24) > 0.01 * 2**-0.75

    def test_what_jumps_about_is_no_growth(self):
        rng = np.random.default_rng(0)
        noise = rng.lognormal(0, 0.4, 60)
        law = lambda day: 0.1 * noise[(day - pd.Timestamp("2020-01-01")).days // 30]  # noqa: E731
        told = [told_of(law, now=day, months=24) for day in pd.date_range("2023-01-01", periods=12, freq="30D")]
        assert np.std(np.log(told)) < 0.25

    def test_a_hole_tells_no_season_and_no_growth(self):
        """A year before most of the later cutoffs there was none within months."""
        before = pd.date_range("2021-01-01", periods=10, freq="30D")
        days = before.append(pd.date_range("2023-01-01", periods=9, freq="30D"))
        shares = np.r_[np.full(10, 0.4), np.full(9, 0.02)]
        churned = np.concatenate([np.arange(1000) < 1000 * share for share in shares]).astype(int)
        told, sure = share_to_come(churned, days.repeat(1000), now=pd.Timestamp("2023-12-01"))
        assert told == pytest.approx(0.02, abs=2e-3)
        assert sure == 0

    def test_growth_is_that_of_the_last_year(self):
        """It went on for three years, and for two as many left each time."""
        law = lambda day: 0.05 * 1.6 ** min(years_since_2024(day) + 5, 3)  # noqa: E731
        assert 0.17 < told_of(law, now="2024-06-01", months=60) < 0.05 * 1.6**3

    @pytest.mark.parametrize(("factors", "share"), [((1.5, 1.5), 0.94), ((2.4, 0.6), 0.25)])
    def test_growth_lasts_as_far_as_it_is_the_same_from_cutoff_to_cutoff(self, factors, share):
        """Half as many more left than in the year before; or many more and fewer by turns, half as many more in all."""
        days = pd.date_range("2022-01-01", periods=24, freq=pd.Timedelta(days=365.25 / 12))
        shares = pd.Series(np.r_[np.full(12, 0.1), np.tile(np.multiply(factors, 0.1), 6)], index=days)
        passing = np.log(np.array(factors)).var() + 0.01
        growth = np.log(1.5)
        assert growth**2 / (growth**2 + passing) == pytest.approx(share, abs=0.01)
        assert calibration._growth(shares) == pytest.approx(growth * growth**2 / (growth**2 + passing), rel=0.05)

    @given(
        seen=st.lists(st.tuples(st.integers(1, 900), st.integers(1, 50), st.floats(0, 1)), min_size=1, max_size=14),
        ahead=st.integers(0, 1500),
    )
    def test_is_a_share_whatever_happened(self, seen, ahead):
        """At cutoffs days or years apart, of one client or many, of whom none left or all."""
        days = pd.Timestamp("2015-01-01").as_unit("us") + pd.to_timedelta(np.cumsum([apart for apart, *_ in seen]), "D")
        cutoffs = pd.DatetimeIndex(days).repeat([clients for _, clients, _ in seen])
        churned = np.concatenate([np.arange(clients) < round(share * clients) for _, clients, share in seen]).astype(
            int
        )
        now = days[-1] + pd.Timedelta(days=ahead)
        told, sure = share_to_come(churned, cutoffs, now=now)
        assert 0 < told < 1
        assert 0 <= sure < 1
        assert share_to_come(churned[::-1], cutoffs[::-1], now=now) == (told, sure)


@given(slope=st.floats(0.2, 2), level=st.floats(-3, 3), share=st.floats(0.001, 0.999), sure=st.floats(0, 1))
def test_half_way_between_two_levels_or_nearer_to_the_surer(slope, level, share, sure):
    margin = np.linspace(-4, 4, 50)
    before = PlattScaling(slope, level)
    found = towards(before, margin, share, sure=sure)
    own = before(margin).mean()
    assert found(margin).mean() == pytest.approx((own + share) / 2 + sure * (share - own) / 2)
    assert towards(before, margin, share)(margin).mean() == pytest.approx((own + share) / 2)
    assert found.slope == slope
    assert found.weight == 0
