"""Businesses with contracts: what is asked of them, the season of leaving, and exports that lack something."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sklearn.base import clone

from loyalty import fitting
from loyalty.fitting import Lesson, fit_models
from loyalty.histories import Histories, HistoriesWarning
from loyalty.histories.exports import moved_renewals
from loyalty.models.clocks import clocks_of_periods, season_of_periods
from loyalty.models.outlook import OUTLOOK_FILES, LongRunTerms, Outlook
from loyalty.models.uncertainty import too_little_history
from loyalty.panels import Panels
from loyalty.setting import Setting

UNTIL = pd.Timestamp("2024-07-01")
SEASON = ["season_sin", "season_cos"]
CLOCKS = ("contract_age", "anniversary_0", "anniversary_45", "anniversary_90", "anniversary_135")


def invented(clients, *, monthly, seed=0):
    """Draw contracts that begin at an even pace from 2020 on and end month by month, and their monthly fees.

    `monthly` is the chance of ending in each calendar month, January first.
    """
    rng = np.random.default_rng(seed)
    start = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 1600, clients), unit="D")
    end = []
    for begun in start:
        month, chance = begun + pd.Timedelta(days=15), rng.random()
        stays = 1.0
        while month < UNTIL:
            stays *= 1 - monthly[month.month - 1]
            if stays < chance:
                break
            month += pd.Timedelta(days=30)
        end.append(month if month < UNTIL else pd.NaT)
    contracts = pd.DataFrame({"client_id": np.arange(clients), "start": start, "end": end})
    fees = [
        pd.DataFrame({"client_id": client, "event_time": pd.date_range(begun, min(last, UNTIL), freq="30D")})
        for client, begun, last in zip(contracts["client_id"], start, contracts["end"].fillna(UNTIL), strict=True)
    ]
    return pd.concat(fees, ignore_index=True).assign(amount=10.0).query("event_time < @UNTIL"), contracts


@pytest.fixture(scope="module")
def seasonal():
    """A third leaves in each spring, and hardly anybody else."""
    monthly = np.full(12, 0.005)
    monthly[3:6] = 0.12
    bills, contracts = invented(1500, monthly=monthly)
    return bills, contracts, Histories(bills, contracts=contracts, observed_until=UNTIL)


def lesson_at(histories, cutoff, features, *, kind="contractual", horizon="90d", at_most=24):
    setting = Setting.of(horizon=horizon, kind=kind, every="30d", at_most=at_most)
    panels = Panels(histories, setting, features)
    (split,) = setting.splits(histories, [cutoff])
    return panels, Lesson.of(panels, split)


def leaving(lesson):
    """Predict who leaves."""
    return lesson.fit_churn().predict_proba(lesson.latest)[:, 1]


def tell(lesson, outlook):
    """Tell what clients are worth who all spend 1."""
    return outlook.predict(lesson.latest, np.ones(len(lesson.latest)), leaving(lesson))


class TestBuyTillYouDie:
    """Left out where it has moved beyond all that it said before, as of clients who all pay alike."""

    ASKED = ("days_since_last", "silence_probability", "amount_expected_if_buying")

    @pytest.mark.parametrize(
        ("now", "out"),
        [
            ([9.9, 9.9, 15.0, 15.0], False),  # a half is not most
            ([9.9, 20.1, 9.0, 15.0], True),
            ([10.0, 20.0, 10.0, 20.0], False),
            ([9.9, np.nan, np.nan, np.nan], True),
            ([np.nan] * 4, False),
        ],
    )
    def test_if_it_expects_of_most_what_it_never_did(self, now, out):
        X = pd.DataFrame({name: [10.0, 15.0, 20.0] for name in self.ASKED})
        latest = pd.DataFrame({"days_since_last": 99.0, "silence_probability": 99.0, "amount_expected_if_buying": now})
        assert fitting._strange(X, latest) == (list(self.ASKED[1:]) if out else [])

    def test_is_not_missed_where_it_was_not_asked_and_stays_where_there_is_nothing_else(self):
        X = pd.DataFrame({name: [1.0, 2.0] for name in self.ASKED})
        assert fitting._strange(X[["days_since_last", "silence_probability"]], X + 5) == []
        assert fitting._strange(X[list(self.ASKED[1:])], X + 5) == []

    @pytest.mark.parametrize("kind", ["contractual", "non-contractual"])
    def test_who_pays_once_a_year(self, kind):
        """All the same, on the same days; the question decides, since in a shop it is the second opinion."""
        rng, clients = np.random.default_rng(0), 400
        first = pd.Timestamp("2019-01-01") + pd.to_timedelta(rng.integers(0, 1000, clients), unit="D")
        years = np.minimum(rng.geometric(0.25, clients), 6)
        rows = [
            (client, begun + pd.DateOffset(years=year))
            for client, begun in enumerate(first)
            for year in range(years[client])
        ]
        bills = (
            pd.DataFrame(rows, columns=["client_id", "event_time"]).assign(amount=240.0).query("event_time < @UNTIL")
        )
        ends = [begun + pd.DateOffset(years=int(stay)) for begun, stay in zip(first, years, strict=True)]
        contracts = pd.DataFrame({"client_id": range(clients), "start": first, "end": ends})
        contracts["end"] = contracts["end"].where(contracts["end"] < UNTIL)
        histories = Histories(bills, contracts=contracts, observed_until=UNTIL)
        panels, lesson = lesson_at(histories, "2023-07-01", list(self.ASKED), kind=kind)
        fitted_now = fit_models(panels, lesson.split)
        left_out = kind == "contractual"
        assert lesson.strange == fitted_now.strange == (self.ASKED[1:] if left_out else ())
        assert list(lesson.X) == list(lesson.latest) == list(self.ASKED[:1] if left_out else self.ASKED)
        notes = [note for note in fitted_now.notes() if "expects of most clients what it never did before" in note]
        assert len(notes) == left_out
        assert np.isfinite(fitted_now.predict(panels.at(lesson.split.test, learned=fitted_now.learned))).all(axis=None)


class TestSeasonOfLeaving:
    def test_is_each_periods_own(self, seasonal):
        """At three seasons of the year, told beside what came; told of one season for all periods it is off by .2."""
        _, contracts, histories = seasonal
        for cutoff in ("2022-10-01", "2023-01-01", "2023-07-01"):
            panels, lesson = lesson_at(histories, cutoff, ["contract_running_days", *SEASON])
            outlook = lesson.fit_outlook(panels, LongRunTerms(years=1))
            assert outlook.leaving.survival.changing_ == (*CLOCKS, "season_0", "season_45", "season_90", "season_135")
            assert outlook.leaving.survival.feature_names_in_.tolist() == ["contract_running_days"]
            assert (outlook.leaving.season.since, outlook.leaving.season.step_days) == (pd.Timestamp(cutoff), 90)
            assert abs(outlook.leaving.growth) < 0.01
            ends = contracts.set_index("client_id")["end"].reindex(lesson.latest.index.get_level_values("client_id"))
            stayed = {days: ~(ends < pd.Timestamp(cutoff) + pd.Timedelta(days=days)) for days in (90, 180, 270)}
            left = np.full(len(ends), 1 - stayed[90].mean())
            told = outlook.staying(lesson.latest, left).set_index("days")["share"]
            assert told[90] == pytest.approx(stayed[90].mean())
            for days in (180, 270):
                assert told[days] == pytest.approx(stayed[days].mean(), abs=0.06)

    def test_is_not_learned_from_less_than_a_year(self, seasonal):
        *_, histories = seasonal
        panels, lesson = lesson_at(histories, "2023-07-01", ["contract_running_days", *SEASON], at_most=8)
        assert lesson.fit_outlook(panels, LongRunTerms(years=1)).leaving.survival.changing_ == CLOCKS

    def test_nothing_of_what_comes_after_is_known(self, seasonal):
        bills, contracts, _ = seasonal
        cutoff = pd.Timestamp("2023-07-01")
        known = contracts.assign(end=contracts["end"].where(contracts["end"] < cutoff)).query("start < @cutoff")
        told = []
        for table in (contracts, known):
            histories = Histories(bills, contracts=table, observed_until=UNTIL)
            panels, lesson = lesson_at(histories, cutoff, ["contract_running_days", *SEASON])
            told.append(tell(lesson, lesson.fit_outlook(panels, LongRunTerms())))
        assert_frame_equal(*told, check_exact=True)

    def test_comes_back_from_a_file_and_asks_for_the_cutoff(self, seasonal, tmp_path):
        *_, histories = seasonal
        panels, lesson = lesson_at(histories, "2023-07-01", ["contract_running_days", *SEASON])
        outlook = lesson.fit_outlook(panels, LongRunTerms())
        outlook.save(tmp_path)
        again = Outlook.load(tmp_path)
        assert_frame_equal(tell(lesson, again), tell(lesson, outlook), check_exact=True)
        with pytest.raises(ValueError, match=r"`panel` must have `cutoff` in its index, .* to know the season"):
            again.staying(lesson.latest.droplevel("cutoff"), leaving(lesson))

    def test_is_the_day_of_the_year_in_the_middle_of_each_period(self):
        cutoffs = pd.to_datetime(["2023-03-01", "2024-11-20", "2023-03-01"])
        index = pd.MultiIndex.from_arrays([[1, 2, 3], cutoffs], names=["client_id", "cutoff"])
        told = season_of_periods(pd.DataFrame(index=index), pd.Timedelta(days=60), 3)
        for row, cutoff in enumerate(cutoffs):
            for period in range(3):
                middle = cutoff + pd.Timedelta(days=30 + 60 * period)
                angle = 2 * np.pi * middle.dayofyear / 365.25
                assert told["season_0"][row, period] == pytest.approx(np.sin(angle))
                assert told["season_90"][row, period] == pytest.approx(np.cos(angle))
                assert told["season_45"][row, period] == pytest.approx((np.sin(angle) + np.cos(angle)) / np.sqrt(2))
                assert told["season_135"][row, period] == pytest.approx((np.cos(angle) - np.sin(angle)) / np.sqrt(2))


def ending_at(clients, *, terms, chance, seed=0):
    """Draw contracts that can end after whole terms alone, of so many days, each time by the same chance."""
    rng = np.random.default_rng(seed)
    start = pd.Timestamp("2019-01-01") + pd.to_timedelta(rng.integers(0, 1800, clients), unit="D")
    term = rng.choice(terms, clients)
    times = rng.geometric(chance, clients)
    end = start + pd.to_timedelta(term * times, unit="D")
    contracts = pd.DataFrame({"client_id": np.arange(clients), "start": start, "end": end.where(end < UNTIL)})
    bills = pd.DataFrame({"client_id": np.arange(clients), "event_time": start, "amount": 10.0})
    return bills.query("event_time < @UNTIL"), contracts, term


class TestClocksOfContracts:
    def test_who_can_leave_once_a_year_leaves_then(self):
        """Three tenths at each anniversary and nobody between; without clocks, they leave a little in every quarter."""
        bills, contracts, _ = ending_at(2500, terms=[365], chance=0.3)
        histories = Histories(bills, contracts=contracts, observed_until=UNTIL)
        panels, lesson = lesson_at(histories, "2023-01-01", ["contract_running_days"])
        outlook = lesson.fit_outlook(panels, LongRunTerms(years=2))
        assert outlook.leaving.survival.changing_ == CLOCKS
        age = lesson.latest["contract_running_days"].to_numpy()
        due = (-age) % 365
        left = np.where(due < 90, 0.3, 0.01)
        curves = outlook.leaving.curves(lesson.latest, left).stay(90 * np.arange(5))
        hazard = 1 - curves[:, 1:5] / curves[:, :4]
        for period in range(1, 4):  # those whose anniversary is well within the period, or well without
            there = (due > 90 * period + 20) & (due < 90 * period + 70)
            away = (due < 90 * period - 20) | (due > 90 * period + 110)
            assert min(there.sum(), away.sum()) > 80
            assert hazard[there, period].mean() == pytest.approx(0.3, abs=0.08)
            assert hazard[away, period].mean() < 0.03
        # Half have left at the second anniversary: .7 stay after the first, .49 after the next.
        median = outlook.predict(lesson.latest, np.ones(len(age)), left)["median_remaining_days"]
        assert (median - (due + 365)).abs().median() < 60

    def test_a_renewal_that_is_told_is_known_ahead(self):
        """Terms are of one year or two, and cannot be told from the age."""
        bills, contracts, term = ending_at(3500, terms=[365, 730], chance=0.4)
        renews = contracts["start"] + pd.to_timedelta(term, unit="D")
        histories = Histories(bills, contracts=contracts.assign(renews_at=renews), observed_until=UNTIL)
        features = ["contract_running_days", "days_to_renewal"]
        panels, lesson = lesson_at(histories, "2023-01-01", features)
        outlook = lesson.fit_outlook(panels, LongRunTerms(years=2))
        assert outlook.leaving.survival.changing_ == (*CLOCKS, "to_renewal")
        curves = outlook.leaving.curves(lesson.latest, leaving(lesson)).stay([90, 360])
        due = lesson.latest["days_to_renewal"]
        later = due > 400
        assert later.sum() > 80
        assert curves[later, 1].mean() > 0.93  # a year ahead nobody has left
        soon = due.between(10, 80)
        assert soon.sum() > 80
        assert curves[soon, 0].mean() == pytest.approx(0.6, abs=0.08)

    @pytest.mark.parametrize("column", ["contract_running_days", "days_to_renewal"])
    def test_tells_of_each_period_what_is_known(self, column):
        panel = pd.DataFrame({column: [10.0, np.nan], "other": 1.0})
        clocks = clocks_of_periods(panel, pd.Timedelta(days=30), 3)
        if column == "days_to_renewal":
            assert list(clocks) == ["to_renewal"]
            assert clocks["to_renewal"][0].tolist() == [-5.0, -35.0, -65.0]
        else:
            assert tuple(clocks) == CLOCKS
            assert clocks["contract_age"][0].tolist() == [25.0, 55.0, 85.0]
            angle = 2 * np.pi * np.array([25.0, 55.0, 85.0]) / 365.25
            assert clocks["anniversary_0"][0] == pytest.approx(np.sin(angle))
            assert clocks["anniversary_90"][0] == pytest.approx(np.cos(angle))
        assert all(np.isnan(values[1]).all() for values in clocks.values())
        assert clocks_of_periods(panel[["other"]], pd.Timedelta(days=30), 3) == {}


def paid_once_a_year(clients=1500, *, chance=0.1, seed=0):
    """Draw contracts paid and ended once a year, by chance one in ten times, of 120 or 240 a year."""
    _, contracts, _ = ending_at(clients, terms=[365], chance=chance, seed=seed)
    fee = np.where(contracts["client_id"] % 2 == 0, 120.0, 240.0)
    last = contracts["end"].fillna(UNTIL) - pd.Timedelta(days=1)
    paid = [pd.date_range(a, b, freq="365D") for a, b in zip(contracts["start"], last, strict=True)]
    bills = pd.DataFrame({"client_id": contracts["client_id"], "event_time": paid, "amount": fee}).explode("event_time")
    bills["event_time"] = pd.to_datetime(bills["event_time"])
    return bills.dropna(), contracts, fee


class TestPaceOfContracts:
    FEATURES = ("contract_running_days", "days_since_last", "amount_sum_365d", "amount_sum")

    def lesson(self, bills, contracts, cutoff="2023-10-01", **options):
        return lesson_at(
            Histories(bills, contracts=contracts, observed_until=UNTIL), cutoff, list(self.FEATURES), **options
        )

    def test_who_pays_once_a_year_is_worth_as_much_whenever_it_is_due(self):
        bills, contracts, fee = paid_once_a_year()
        panels, lesson = self.lesson(bills, contracts)
        outlook = lesson.fit_outlook(panels, LongRunTerms(years=3, discount_rate=0.0))
        assert outlook.notes() == []
        paid = fee[lesson.latest.index.get_level_values("client_id")]
        pace = outlook.pace.predict(lesson.latest[outlook.pace.feature_names_in_])
        assert np.abs(pace / (paid * 90 / 365) - 1).mean() < 0.25
        due = ((-lesson.latest["contract_running_days"]) % 365 < 90).to_numpy()
        expected, left = np.where(due, 0.9 * paid, 0.0), leaving(lesson)
        value = outlook.predict(lesson.latest, expected, left)["long_run_value"]
        # Three payments, the first after one chance in ten to leave: 2.44 in all.
        assert value[due].sum() / paid[due].sum() == pytest.approx(2.44, abs=0.35)
        assert value[~due].sum() / paid[~due].sum() == pytest.approx(2.44, abs=0.35)
        carried = replace(outlook, pace=None).predict(lesson.latest, expected, left)["long_run_value"]
        assert (carried[due] / paid[due]).mean() > 6
        assert (carried[~due] == 0).all()

    def test_it_is_learned_of_years_that_were_over_at_the_cutoff(self):
        """Payments and ends from the cutoff on, or reported then, are told otherwise or not at all: nothing changes."""
        bills, contracts, _ = paid_once_a_year(600)
        cutoff = pd.Timestamp("2023-10-01")
        later = bills.assign(
            amount=bills["amount"].where(bills["event_time"] < cutoff, 1e6), known_at=bills["event_time"]
        )
        late = later[later["event_time"] < cutoff].assign(amount=1e6, known_at=cutoff)  # reported then
        later = pd.concat([later, late])
        known = contracts.assign(end=contracts["end"].where(contracts["end"] < cutoff))
        known = known[known["start"] < cutoff]
        told = []
        for some, ends in ((bills, contracts), (later, known)):
            panels, lesson = self.lesson(some, ends)
            pace = lesson.fit_outlook(panels, LongRunTerms()).pace
            told.append(pace.predict(lesson.latest[pace.feature_names_in_]))
        np.testing.assert_array_equal(*told)

    def test_the_cutoff_may_lie_after_the_end_of_what_was_recorded(self):
        """A year that ends between the two is none yet."""
        bills, contracts, _ = paid_once_a_year(300)
        until = pd.Timestamp("2023-09-10")
        histories = Histories(
            bills[bills["event_time"] < until],
            contracts=contracts[contracts["start"] < until].assign(
                end=contracts["end"].where(contracts["end"] < until)
            ),
            observed_until=until,
        )
        panels, lesson = lesson_at(histories, "2023-10-01", list(self.FEATURES), at_most=14)
        assert any(until < cutoff + pd.Timedelta(days=365) <= lesson.split.test for cutoff in lesson.split.train)
        assert lesson.fit_outlook(panels, LongRunTerms(years=2)).pace is not None

    @pytest.mark.parametrize(
        ("options", "there", "note"),
        [
            ({"at_most": 10}, False, True),  # the first of ten lies 270 days before the last, and 360 before the cutoff
            ({"at_most": 11}, True, False),
            ({"at_most": 11, "horizon": "65d"}, True, False),  # 300 days before the last, and 365 before the cutoff
            ({"at_most": 10, "horizon": "65d"}, False, True),
            ({"horizon": "365d"}, False, False),
            ({"horizon": "364d", "at_most": 2}, True, False),
            ({"horizon": "364d", "at_most": 1}, False, True),
        ],
    )
    def test_without_a_year_the_horizon_is_carried_on(self, options, there, note):
        bills, contracts, _ = paid_once_a_year(400)
        panels, lesson = self.lesson(bills, contracts, **options)
        outlook = lesson.fit_outlook(panels, LongRunTerms(years=2))
        assert outlook.leaving is not None
        assert (outlook.pace is not None) is there
        assert any(said.startswith("Nobody was seen under contract for a year") for said in outlook.notes()) is note

    def test_it_is_that_of_those_who_stayed(self):
        """Half leave each year, and pay nothing in it."""
        bills, contracts, fee = paid_once_a_year(chance=0.5)
        panels, lesson = self.lesson(bills, contracts)
        pace = lesson.fit_outlook(panels, LongRunTerms()).pace
        paid = fee[lesson.latest.index.get_level_values("client_id")]
        told = pace.predict(lesson.latest[pace.feature_names_in_])
        assert told.sum() / (paid * 90 / 365).sum() == pytest.approx(1, abs=0.1)

    def test_cutoffs_are_taken_as_far_apart_as_asked(self):
        days = pd.date_range("2024-01-01", periods=7, freq="30D")
        assert fitting._spaced(days, pd.Timedelta(days=90)) == list(days[[0, 3, 6]])
        assert fitting._spaced(days, pd.Timedelta(days=91)) == list(days[[2, 6]])
        assert fitting._spaced(days[:1], pd.Timedelta(days=91)) == [days[0]]

    def test_of_few_who_stayed_nothing_is_learned(self, monkeypatch):
        bills, contracts, _ = paid_once_a_year(400)
        panels, lesson = self.lesson(bills, contracts, at_most=11)
        monkeypatch.setattr(fitting, "_FEW_CLIENTS", 10_000)
        assert lesson.fit_outlook(panels, LongRunTerms(years=2)).pace is None

    def test_comes_back_the_same(self, tmp_path):
        bills, contracts, _ = paid_once_a_year(400)
        panels, lesson = self.lesson(bills, contracts)
        outlook = lesson.fit_outlook(panels, LongRunTerms())
        outlook.save(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == set(OUTLOOK_FILES)
        assert_frame_equal(tell(lesson, Outlook.load(tmp_path)), tell(lesson, outlook), check_exact=True)


class TestPastShares:
    def test_are_asked_where_contracts_tell_who_leaves(self, seasonal):
        *_, histories = seasonal
        _, contracts = lesson_at(histories, "2023-07-01", ["contract_running_days"])
        assert contracts.fit_churn().past_shares
        _, shop = lesson_at(histories, "2023-07-01", ["days_since_last"], kind="non-contractual")
        assert not shop.fit_churn().past_shares

    @pytest.mark.parametrize(("monthly", "businesses", "better"), [("few leave", 8, 0.9), ("a spring", 2, 0.9)])
    def test_the_level_is_nearer_to_the_truth_with_them(self, monthly, businesses, better):
        """Of trees alone it is off by a fifth where few leave, and by a factor of three after a spring of leavers."""
        hazard = np.full(12, 0.004 if monthly == "few leave" else 0.01)
        if monthly == "a spring":
            hazard[3:6] = 0.06
        true, off = 1 - np.prod(1 - hazard[6:9]), []
        for seed in range(businesses):
            bills, contracts = invented(1500, monthly=hazard, seed=seed)
            histories = Histories(bills, contracts=contracts, observed_until=UNTIL)
            _, lesson = lesson_at(histories, "2023-07-01", ["contract_running_days", *SEASON])
            model = lesson.fit_churn()
            alone = clone(model).set_params(past_shares=False).fit(lesson.X, lesson.labels["churned"])
            told = [one.predict_proba(lesson.latest)[:, 1].mean() for one in (model, alone)]
            off.append(np.abs(np.log(np.array(told) / true)))
        with_shares, without = np.mean(off, axis=0)
        assert with_shares < better * without


class TestStale:
    def test_contracts_must_be_fresh_as_well(self):
        days = pd.date_range("2024-01-01", "2024-03-01")
        bills = pd.DataFrame({"client_id": 1, "event_time": pd.date_range("2024-01-01", "2024-05-01"), "amount": 1.0})
        contracts = pd.DataFrame({"client_id": range(len(days)), "start": days, "end": pd.NaT})
        contracts.loc[0, "end"] = pd.Timestamp("2024-03-20")
        known = Histories(bills, contracts=contracts, observed_until=UNTIL)
        # Two times the 19 days from the last start to the only end, after which nobody came or left.
        assert known.staleness("2024-04-27", kind="contractual") == ""
        said = known.staleness("2024-04-28", kind="contractual")
        assert said == (
            "The starts and ends of contracts known at 2024-04-28 end on 2024-03-20, 39 days before: whoever left "
            "since then still seems to be there."
        )
        assert known.staleness("2024-04-28") == ""
        both = known.staleness("2024-06-01", kind="contractual")
        assert "whoever left" in both
        assert both.endswith("31 days before: nobody seems to have bought anything since.")

    @pytest.mark.parametrize(("days", "apart", "told"), [(30, 14, False), (31, 13, False), (31, 14, True)])
    def test_ends_alone_that_stop_are_stale(self, days, apart, told):
        """Though contracts still start every day; from more than a month of days with ends in more than a year on."""
        start = pd.date_range("2022-01-01", "2024-03-31")
        contracts = pd.DataFrame({"client_id": range(len(start)), "start": start, "end": pd.NaT})
        contracts.loc[: days - 1, "end"] = pd.Timestamp("2022-09-01") + pd.to_timedelta(
            apart * np.arange(days), unit="D"
        )
        bills = pd.DataFrame({"client_id": 1, "event_time": start, "amount": 1.0})
        known = Histories(bills, contracts=contracts, observed_until=UNTIL)
        last = contracts["end"].max()
        said = known.staleness("2024-04-01", kind="contractual")
        ended = f"The terminations of contracts known at 2024-04-01 end on {last:%Y-%m-%d}, "
        assert said.startswith(ended) is told
        assert bool(said) is told
        assert known.staleness(last + pd.Timedelta(days=7), kind="contractual") == ""
        neither = Histories(bills, contracts=contracts[contracts["start"] < "2023-09-15"], observed_until=UNTIL)
        said = neither.staleness("2024-04-01", kind="contractual")
        assert said.startswith("The starts and ends of contracts known at 2024-04-01 end on ")

    def test_an_end_to_come_or_not_known_yet_does_not_make_them_fresh(self):
        days = pd.date_range("2024-01-01", "2024-03-01")
        contracts = pd.DataFrame({"client_id": range(len(days)), "start": days, "end": pd.NaT, "known_at": days})
        contracts.loc[0, "end"] = pd.Timestamp("2024-06-20")
        contracts.loc[61] = {"client_id": 99, "start": "2024-03-25", "end": pd.NaT, "known_at": "2024-06-15"}
        bills = pd.DataFrame({"client_id": 1, "event_time": pd.date_range("2024-01-01", "2024-06-01"), "amount": 1.0})
        contracts = contracts.astype({"start": "datetime64[us]", "known_at": "datetime64[us]"})
        known = Histories(bills, contracts=contracts, observed_until=UNTIL)
        for cutoff, last in (("2024-06-15", "2024-03-01"), ("2024-06-16", "2024-03-25")):
            said = known.staleness(cutoff, kind="contractual")
            assert said.startswith(f"The starts and ends of contracts known at {cutoff} end on {last},")
        assert known.staleness("2024-03-08", kind="contractual") == ""
        assert "end on 2024-03-01, 9 days before" in known.staleness("2024-03-10", kind="contractual")

    def test_a_kind_that_is_none(self, seasonal):
        with pytest.raises(ValueError, match="`kind` must be"):
            seasonal[-1].staleness("2024-01-01", kind="contract")


class TestExportsThatLackSomething:
    @pytest.mark.parametrize(
        ("ended", "late_of_ended", "late_of_others", "length", "told"),
        [
            (20, 10, 2, 60, True),
            (19, 19, 0, 60, False),
            (20, 9, 0, 60, False),
            (20, 20, 3, 60, False),
            (20, 20, 2, 61, False),  # an old business whose contracts were taken over a month after they began
        ],
    )
    def test_the_day_of_notice_for_the_day_of_the_contract(self, ended, late_of_ended, late_of_others, length, told):
        others, start = 20, pd.Timestamp("2023-01-01")
        late, soon = start + pd.Timedelta(days=30, seconds=1), start + pd.Timedelta(days=30)
        contracts = pd.DataFrame({"client_id": range(ended + others), "start": start, "end": pd.NaT, "known_at": soon})
        contracts.loc[: ended - 1, "end"] = start + pd.Timedelta(days=length)
        contracts.loc[: late_of_ended - 1, "known_at"] = late
        contracts.loc[ended : ended + late_of_others - 1, "known_at"] = late
        bills = pd.DataFrame({"client_id": range(40), "event_time": "2023-02-01", "amount": 1.0})
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            known = Histories(bills, contracts=contracts, observed_until=UNTIL)
        said = [str(one.message) for one in caught if issubclass(one.category, HistoriesWarning)]
        assert list(known.notes) == said
        assert bool(said) is told
        if told:
            assert said[0].startswith(
                "contracts: 10 of 20 with an end became known more than a month after their start and nearer to "
            )
            assert "their end, of the others 2 late: until then their clients are not there." in said[0]

    @staticmethod
    def notes_of_leavers(export, bills, cutoff="2023-08-01"):
        known = Histories(bills, contracts=export, observed_until=UNTIL)
        panels = Panels(known, Setting.of(horizon="60d", kind="contractual", every="30d"), ["days_since_last"])
        (split,) = panels.setting.splits(known, [cutoff])
        return [note for note in fit_models(panels, split).notes() if note.startswith("At the training cutoffs")]

    def test_leavers_who_are_missing_before_a_date(self):
        bills, contracts = invented(600, monthly=np.full(12, 0.03))
        assert self.notes_of_leavers(contracts, bills) == []
        export = contracts[~(contracts["end"] < "2022-09-01")]
        (note,) = self.notes_of_leavers(export, bills)
        # The 60 days from 7 July end on 4 September: one is there who left in the last three of them.
        assert note.startswith("At the training cutoffs up to 2022-07-07 0.1% left, and 7.")
        assert "at those after: if that is no season, and whoever had left by the time of the export is missing" in note

    def test_one_leaver_who_is_there_hides_no_others(self):
        bills, contracts = invented(600, monthly=np.full(12, 0.03))
        export = contracts[~(contracts["end"] < "2022-09-01")]
        stray = contracts[contracts["end"].between("2021-10-20", "2021-11-20")].iloc[:1]
        (note,) = self.notes_of_leavers(pd.concat([export, stray]), bills)
        assert note.startswith("At the training cutoffs up to 2022-07-07 0.2% left, and ")

    def test_leavers_who_are_missing_after_a_date(self):
        bills, contracts = invented(600, monthly=np.full(12, 0.03))
        export = contracts.assign(end=contracts["end"].where(contracts["end"] < "2023-07-01"))
        (note,) = self.notes_of_leavers(export, bills, "2024-05-01")
        assert note.startswith("At the training cutoffs from 2023-07-06 on 0.0% left, and 6.")
        assert note.endswith(
            "at those before: if that is no season, and whoever left lately is missing in the export, bring them, or "
            "score an earlier cutoff."
        )

    @pytest.mark.parametrize(
        ("left", "told"),
        [
            ([0, 0, 10, 12], "up to 2024-01-02 0.0%"),  # ten would have left of a hundred
            ([0, 0, 9, 10], None),  # but not of so few
            ([2, 0, 10, 12], "up to 2024-01-02 1.0%"),  # a tenth of what would have
            ([1, 1, 10, 10], "up to 2024-01-02 1.0%"),
            ([3, 0, 10, 12], None),
            ([0, 0, 5, 5, 40, 40], None),  # a quarter of the others is quiet as well
            ([0, 5, 40, 42], "up to 2024-01-01 0.0%"),
            ([0, 0, 0, 12], "up to 2024-01-03 0.0%"),
        ],
    )
    def test_hardly_anybody_is_a_tenth(self, left, told):
        days = pd.date_range("2024-01-01", periods=len(left))
        outcomes = pd.DataFrame({"sum": left, "size": 100}, index=days)
        said = fitting._say_quiet(outcomes, "up to {:%Y-%m-%d}", "after", "is missing")
        assert said == [] if told is None else said[0].startswith(f"At the training cutoffs {told} left, and ")

    def test_a_quiet_season_at_the_beginning_is_no_lack(self, seasonal):
        *_, histories = seasonal
        panels = Panels(histories, Setting.of(horizon="60d", kind="contractual", every="30d"), ["days_since_last"])
        (split,) = panels.setting.splits(histories, ["2023-08-01"])
        fitted = fit_models(panels, split)
        rates = fitted.labels["churned"].groupby(level="cutoff").mean()
        assert rates.iloc[0] == 0 < rates.iloc[1:].mean()
        assert not any(note.startswith("At the training cutoffs") for note in fitted.notes())

    @pytest.mark.parametrize(
        ("first", "later", "left", "far", "told"),
        [
            (20, 20, 100, 151, True),
            (19, 20, 100, 151, False),
            (20, 19, 100, 151, False),
            (20, 20, 100, 150, False),  # not far: within one and a half of the most that was left
            (20, 20, 7, 151, False),  # on the day of the renewal, or about it
        ],
    )
    def test_how_many_tell_that_a_renewal_was_moved_on(self, first, later, left, far, told):
        """Some left within their first term, and some after several; of one there were 100 days to go."""
        left = np.r_[100, np.full(first - 1, left), np.full(later, left)]
        agreed = np.r_[np.full(first, 150), np.full(later, far)]
        day = 86_400_000_000
        said = moved_renewals(np.zeros(len(left), np.int64), day * (agreed - left), day * agreed)
        assert bool(said) is told
        if told:
            assert f"contracts: {later} ended before a `renews_at` far from their start" in said[0]
            assert "of none was more left than 100 days" in said[0]

    @pytest.mark.parametrize(("strays", "told"), [(2, True), (8, False)])
    @pytest.mark.parametrize("days", [-30, 700])
    def test_one_wrong_date_in_a_hundred_hides_nothing(self, strays, told, days):
        left, agreed = np.full(400, 60), np.repeat([80, 400], 200)
        left[:strays] = days
        start, agreed = np.zeros(400, np.int64), np.maximum(agreed, left + 1)
        assert bool(moved_renewals(start, 86_400_000_000 * (agreed - left), 86_400_000_000 * agreed)) is told

    @pytest.mark.parametrize(
        "written",
        [
            "moved on",
            "moved on, with a stray row",
            "as agreed",
            "a row for each",
            "and nobody left between",
            "two years, left in the second alone",
            "left at the beginning of the last month",
            "left in the last third",
        ],
    )
    def test_a_renewal_that_was_moved_on(self, written):
        """Terms of one year, and of two; in the last, contracts end with a term alone."""
        rng, clients = np.random.default_rng(0), 400
        start = pd.Timestamp("2019-01-01") + pd.to_timedelta(rng.integers(0, 500, clients), unit="D")
        term = rng.choice([365, 730], clients)
        length = rng.integers(20, 1500, clients)
        if written == "and nobody left between":
            length = term * rng.integers(1, 3, clients)
        if written == "two years, left in the second alone":
            term, length = np.full(clients, 730), rng.integers(370, 725, clients)
        if written == "left at the beginning of the last month":
            length = term - rng.integers(15, 31, clients)
        if written == "left in the last third":
            length = term - (rng.uniform(0.03, 0.33, clients) * term).astype(int)
        contracts = pd.DataFrame({"client_id": range(clients), "start": start})
        if written.startswith("moved on"):
            due = (length // term + 1) * term
        elif "row" not in written and "between" not in written:
            due = term
        else:
            rows = contracts.loc[np.repeat(np.arange(clients), -(-length // term))].copy()
            number = rows.groupby("client_id").cumcount().to_numpy()
            due = term[rows["client_id"]]
            rows["start"] += pd.to_timedelta(number * due, unit="D")
            length = np.minimum(length[rows["client_id"]] - number * due, due)
            contracts = rows
        contracts = contracts.assign(
            end=contracts["start"] + pd.to_timedelta(length, unit="D"),
            renews_at=contracts["start"] + pd.to_timedelta(due, unit="D"),
        )
        contracts.loc[contracts["client_id"] < 20, "end"] = pd.NaT
        if written == "moved on, with a stray row":
            contracts.loc[30, "renews_at"] = contracts.loc[30, "end"] - pd.Timedelta(days=9)
            contracts.loc[31, "renews_at"] = pd.Timestamp("2035-01-01")
        bills = pd.DataFrame({"client_id": [1], "event_time": ["2019-02-01"], "amount": [1.0]})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HistoriesWarning)
            notes = Histories(bills, contracts=contracts, observed_until=UNTIL).notes
        told = [note for note in notes if "`renews_at`" in note]
        assert bool(told) is written.startswith("moved on")
        if told:
            assert "if the date is moved on at each renewal, it tells who stayed" in told[0]

    def test_contracts_without_an_end(self, seasonal):
        bills, contracts, _ = seasonal
        known = Histories(bills, contracts=contracts.drop(columns="end"), observed_until=UNTIL)
        with pytest.raises(ValueError, match=r"contracts have no `end`, so that nobody ever leaves\. Map the column"):
            lesson_at(known, "2023-07-01", ["days_since_last"])


def test_a_cutoff_at_which_nobody_is_left():
    bills, contracts, _ = paid_once_a_year(100)
    over = contracts.assign(end=contracts["end"].where(contracts["end"] < "2023-08-01", pd.Timestamp("2023-08-01")))
    over = over[over["start"] < "2023-07-01"]
    with pytest.raises(
        ValueError, match=r"^there is nobody under contract at 2023-10-01 to predict for\. Choose another"
    ):
        lesson_at(Histories(bills, contracts=over, observed_until=UNTIL), "2023-10-01", ["days_since_last"])


def test_who_has_been_under_contract_for_long_is_known():
    """Though the first purchase, of an extra, was made a week ago, or none at all."""
    panel = pd.DataFrame(
        {
            "frequency": [0.0, np.nan, 0.0, np.nan],
            "days_since_first_record": [7.0, np.nan, 90.0, np.nan],
            "days_since_contract_first": [400.0, 90.0, np.nan, 89.0],
        }
    )
    assert too_little_history(panel, kind="contractual", reach="90d").tolist() == [False, False, False, True]
    assert too_little_history(panel, kind="non-contractual", reach="90d").all()
