"""Hindsight, and the season it looks for: what was told beyond the horizon, and that nobody had seen what came."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from loyalty import backtest, fitting
from loyalty.fitting import Lesson, fit_models
from loyalty.hindsight import HINDSIGHT_COLUMNS, came_back, can_look_back, look_back
from loyalty.histories import Histories
from loyalty.models.outlook import LongRunTerms
from loyalty.panels import Panels
from loyalty.setting import Setting
from subscriptions import UNTIL, gym

CUTOFF = pd.Timestamp("2024-01-01")
FEATURES = ["days_since_last", "purchase_days_count_365d", "amount_sum_365d", "contract_running_days"]
TERMS = LongRunTerms(years=3, discount_rate=0.1, margin=0.5)


def shop(clients=400, *, christmas=1.0, seed=0, until=UNTIL):
    """Draw three years of purchases, every 20 days, or of each fourth client every 150; before Christmas more often."""
    rng = np.random.default_rng(seed)
    days = (until - pd.Timestamp("2022-01-01")).days
    of_year = pd.date_range("2022-01-01", periods=days, freq="D").dayofyear.to_numpy()
    every = np.where(np.arange(clients) % 4 == 0, 150, 20)[:, None]
    chance = np.where(of_year > 305, christmas, 1.0) / every
    client, day = np.nonzero(rng.random((clients, days)) < chance)
    when = pd.Timestamp("2022-01-01") + pd.to_timedelta(day, unit="D") + pd.Timedelta(hours=9)
    return pd.DataFrame({"client_id": client, "event_time": when, "amount": 10.0})


def fitted_at(histories, setting, cutoff=CUTOFF, terms=TERMS, features=FEATURES):
    names = [name for name in features if name != "contract_running_days" or setting.kind == "contractual"]
    panels = Panels(histories, setting, names)
    (split,) = setting.splits(histories, [cutoff])
    return panels, fit_models(panels, split, long_run=terms)


@pytest.fixture(scope="module")
def contracts():
    bills, contracts = gym()
    histories = Histories(bills, contracts=contracts, observed_until=UNTIL)
    setting = Setting.of(horizon="60d", gap="7d", kind="contractual", every="30d", at_most=12)
    return bills, contracts, *fitted_at(histories, setting)


class TestLookBack:
    def test_what_came_is_counted_by_hand(self, contracts):
        """Spend from the gap on, and contracts from the cutoff on; the spend of who had none after the gap is left."""
        bills, ends, panels, fitted = contracts
        seen = look_back(panels, fitted)
        there = ends[(ends["start"] < CUTOFF) & ~(ends["end"] < CUTOFF)]
        opens = CUTOFF + pd.Timedelta(days=7)
        held = there[~(there["end"] < opens)]["client_id"]
        spend = bills[bills["client_id"].isin(held)]
        value = seen[seen["figure"] == "value"].set_index("days")
        assert value.index.tolist() == [60, 120, 180, 240, 300]  # and 7 of the 366 days are the gap
        for days in value.index:
            within = spend["event_time"].between(opens, opens + pd.Timedelta(days=days), inclusive="left")
            assert value.loc[days, "came"] == spend["amount"][within].sum()
        staying = seen[seen["figure"] == "staying"].set_index("days")
        assert staying.index.tolist() == [60, 120, 180, 240, 300, 360]
        for days in staying.index:
            left = there["end"] < CUTOFF + pd.Timedelta(days=days)
            assert staying.loc[days, "came"] == pytest.approx(1 - left.mean())
        assert (seen["clients"] == len(there)).all()
        assert (seen["cutoff"] == CUTOFF).all()
        assert list(seen) == list(HINDSIGHT_COLUMNS)

    def test_naive_is_the_year_before_and_who_stayed_as_long_before(self, contracts):
        bills, ends, panels, fitted = contracts
        seen = look_back(panels, fitted)
        held = ends[(ends["start"] < CUTOFF) & ~(ends["end"] < CUTOFF + pd.Timedelta(days=7))]["client_id"]
        year = bills["event_time"].between(CUTOFF - pd.Timedelta(days=365), CUTOFF, inclusive="left")
        pace = bills["amount"][year & bills["client_id"].isin(held)].sum() / 365
        value = seen[seen["figure"] == "value"]
        assert value["naive"].to_numpy() == pytest.approx(pace * value["days"].to_numpy())
        staying = seen[seen["figure"] == "staying"]
        for row in staying.itertuples():
            before = CUTOFF - pd.Timedelta(days=row.days)
            there = ends[(ends["start"] < before) & ~(ends["end"] < before)]
            assert row.naive == pytest.approx(1 - (there["end"] < CUTOFF).mean())

    def test_the_naive_pace_is_that_of_the_days_that_were_recorded(self):
        """Since 1 September, at nine: 121 whole days before the cutoff."""
        bills = shop(100)
        bills = bills[bills["event_time"] >= "2023-09-01"]
        assert bills["event_time"].min() == pd.Timestamp("2023-09-01T09:00")
        seen = look_back(*fitted_at(Histories(bills, observed_until=UNTIL), Setting.of(horizon="30d", at_most=2)))
        before = bills[bills["event_time"] < CUTOFF]["amount"].sum()
        assert seen["naive"].to_numpy() == pytest.approx(before / 121 * seen["days"].to_numpy())

    def test_it_comes_close_where_nothing_changes(self, contracts):
        *_, panels, fitted = contracts
        seen = look_back(panels, fitted)
        assert seen["told"].to_numpy() == pytest.approx(seen["came"].to_numpy(), rel=0.1)

    def test_the_first_horizon_is_what_the_models_expect_of_it(self, contracts):
        """Neither margin nor discount is in it."""
        *_, panels, fitted = contracts
        seen = look_back(panels, fitted)
        first = seen[seen["figure"] == "value"].iloc[0]
        panel = panels.at(CUTOFF, learned=fitted.learned)
        labels = panels.labels([CUTOFF], known_before=None)
        assert len(labels) < len(panel)
        expected = fitted.predict(panel.loc[labels.index])["expected_value"].sum()
        assert first["days"] == 60
        assert first["told"] == pytest.approx(expected)

    @pytest.mark.parametrize("kind", ["contractual", "non-contractual"])
    def test_what_is_told_has_not_seen_what_came(self, kind):
        """Sums and ends from the cutoff on are others, or reported then: told is the same, and what came is not."""
        bills, ends = gym(300) if kind == "contractual" else (shop(200, christmas=3.0), None)
        later = bills.assign(amount=bills["amount"].where(bills["event_time"] < CUTOFF, 1e3))
        late = bills[bills["event_time"] < CUTOFF].assign(amount=1e3, known_at=CUTOFF)
        other = pd.concat([later.assign(known_at=later["event_time"]), late])
        setting = Setting.of(horizon="90d", kind=kind, every="30d", at_most=16)
        tables = [{}, {}]
        if ends is not None:
            longer = ends.assign(end=ends["end"].where(ends["end"] < CUTOFF, CUTOFF + pd.Timedelta(days=200)))
            over = ends[ends["end"] < CUTOFF]
            back = over.assign(start=over["end"], end=pd.NaT, known_at=CUTOFF)  # reported then, they had never left
            known = longer.assign(known_at=longer["start"])
            tables = [{"contracts": ends}, {"contracts": pd.concat([known, back.astype({"end": known["end"].dtype})])}]
        one, two = (
            look_back(*fitted_at(Histories(some, observed_until=UNTIL, **more), setting))
            for some, more in zip((bills, other), tables, strict=True)
        )
        assert_frame_equal(one[["figure", "days", "told", "naive"]], two[["figure", "days", "told", "naive"]])
        assert (one["came"] != two["came"]).all()

    def test_who_comes_back_has_left(self):
        """All who leave begin again after 100 days: the curve is of contracts that run on, and so is what came."""
        bills, ends = gym(300)
        again = ends.dropna()
        begun = again["end"] + pd.Timedelta(days=100)
        back = pd.DataFrame({"client_id": again["client_id"], "start": begun, "end": pd.NaT})[begun < UNTIL]
        both = pd.concat([ends, back.astype({"end": "datetime64[us]"})], ignore_index=True)
        setting = Setting.of(horizon="90d", kind="contractual", every="30d", at_most=12)
        panels, fitted = fitted_at(Histories(bills, contracts=both, observed_until=UNTIL), setting)
        seen = look_back(panels, fitted)
        staying = seen[seen["figure"] == "staying"]
        days = [CUTOFF + pd.Timedelta(days=number) for number in (0, 90, 180, 270, 360)]
        held = [set(both[(both["start"] < day) & ~(both["end"] < day)]["client_id"]) for day in days]
        left = [held[0].intersection(*held[1 : number + 1]) for number in range(1, 5)]
        assert staying["came"].to_numpy() == pytest.approx([len(some) / len(held[0]) for some in left])
        in_force = [len(held[0] & some) / len(held[0]) for some in held[1:]]
        assert in_force[3] > staying["came"].iloc[3] + 0.1

    def test_no_longer_than_the_years_of_the_outlook(self, contracts):
        *_, panels, fitted = contracts
        within = {
            years: look_back(panels, replace(fitted, outlook=replace(fitted.outlook, terms=LongRunTerms(years=years))))
            for years in (120 / 365.25, 119 / 365.25)
        }
        assert [seen.groupby("figure")["days"].max().to_dict() for seen in within.values()] == [
            {"value": 120, "staying": 120},
            {},  # one horizon is told elsewhere
        ]

    def test_nothing_is_seen_without_an_outlook(self, contracts):
        *_, panels, fitted = contracts
        seen = look_back(panels, replace(fitted, outlook=None))
        assert (len(seen), list(seen)) == (0, list(HINDSIGHT_COLUMNS))

    def test_contracts_can_be_followed_sooner_than_two_long_horizons(self):
        bills, ends = gym(20)
        histories = Histories(bills, contracts=ends, observed_until=UNTIL)
        panels = Panels(histories, Setting.of(horizon="365d", kind="contractual"), FEATURES[:1])
        assert can_look_back(panels, UNTIL - pd.Timedelta(days=180), years=1)
        assert not can_look_back(panels, UNTIL - pd.Timedelta(days=179), years=1)

    def test_two_horizons_must_be_over(self):
        bills = shop(50)
        setting = Setting.of(horizon="90d", gap="10d")
        last = UNTIL - pd.Timedelta(days=190)
        panels = Panels(Histories(bills, observed_until=UNTIL), setting, FEATURES[:2])
        assert can_look_back(panels, last, years=1)
        assert not can_look_back(panels, last + pd.Timedelta(days=1), years=1)
        assert not can_look_back(panels, last, years=179 / 365.25)


class TestBacktest:
    def test_the_first_cutoff_is_looked_back_upon_where_it_is_asked_for(self):
        histories = Histories(shop(150), observed_until=UNTIL)
        asked = {"cutoffs": ["2024-04-01", "2024-01-01"], "horizon": "90d", "at_most": 6, "draws": 10}
        result = backtest(histories, **asked, long_run=LongRunTerms())
        assert result.hindsight["cutoff"].unique().tolist() == [CUTOFF]
        assert result.hindsight["days"].tolist() == [90, 180, 270, 360]
        bare = backtest(histories, **asked)
        assert (len(bare.hindsight), list(bare.hindsight)) == (0, list(HINDSIGHT_COLUMNS))
        assert_frame_equal(result.predictions, bare.predictions)
        assert result.notes == bare.notes

    def test_where_the_horizon_alone_is_over_nothing_is_fitted_for_it(self):
        histories = Histories(shop(100), observed_until=UNTIL)
        result = backtest(histories, cutoffs="2024-07-06", horizon="90d", at_most=4, draws=10, long_run=LongRunTerms())
        assert result.hindsight.empty


class TestCameBack:
    """Of 100 clients 60 buy nothing for 60 days from 2023-01-01 on, and 20 of those bought again by 2024-01-01."""

    def panels(self, *, clients=100, **setting):
        visits = {
            "2022-01-05": range(100), "2022-12-20": range(100), "2023-01-15": range(40), "2023-06-01": range(40, 55),
            "2023-03-02": range(55, 59), "2023-12-31": [59], "2024-01-01": range(60, 65),
        }  # fmt: skip
        rows = [(client, day, 9.0) for day, there in visits.items() for client in there if client < clients]
        bills = pd.DataFrame(rows, columns=["client_id", "event_time", "amount"])
        return Panels(Histories(bills, observed_until=UNTIL), Setting.of(**{"horizon": "60d"} | setting), FEATURES[:2])

    def test_by_hand(self):
        assert came_back(self.panels(), CUTOFF) == {"since": "2023-01-01", "left": 60, "share": 20 / 60}
        # A gap of 20 days: from 21 January on 40 more are silent, for good.
        assert came_back(self.panels(gap="20d"), CUTOFF) == {"since": "2023-01-21", "left": 96, "share": 16 / 96}
        assert came_back(self.panels(active="10d"), CUTOFF) is None  # nobody was

    def test_nothing_where_less_than_a_year_is_known_or_the_horizon_takes_half_of_it(self):
        panels = self.panels()
        assert came_back(panels, pd.Timestamp("2023-01-05")) is None  # nobody was known a year before
        assert came_back(panels, pd.Timestamp("2023-01-06"))["left"] == 100
        assert came_back(panels, UNTIL) is not None  # as one who scores does
        assert came_back(panels, UNTIL + pd.Timedelta(days=20)) == came_back(panels, UNTIL)  # no more was recorded
        assert came_back(self.panels(horizon="182d"), CUTOFF)["left"] == 41
        assert came_back(self.panels(horizon="183d"), CUTOFF) is None
        assert came_back(self.panels(horizon="100d", gap="83d"), CUTOFF) is None

    @pytest.mark.parametrize(
        ("first", "last", "told"),
        [("2023-07-01", "2023-07-20", True), ("2023-07-01", "2023-08-20", False), ("2023-01-10", "2023-01-30", False)],
    )
    def test_nothing_of_a_year_in_which_the_shop_was_closed(self, first, last, told):
        """For long, or in the horizon, in which everybody seems to leave."""
        bills = shop(300)
        open_ = bills[~bills["event_time"].between(first, last)]
        panels = Panels(Histories(open_, observed_until=UNTIL), Setting.of(horizon="60d"), FEATURES[:2])
        assert (came_back(panels, CUTOFF) is not None) is told

    def test_nothing_is_known_of_what_became_known_later(self):
        """Purchases reported at the cutoff or after it, and a closing after it."""
        bills = shop(300)
        late = bills[bills["event_time"].between("2023-02-01", "2023-11-01")]
        told = []
        for known_at in (None, CUTOFF):
            late_ = late.iloc[::2].assign(known_at=CUTOFF if known_at is not None else pd.NaT)
            kept = late.iloc[1::2] if known_at is None else pd.concat([late.iloc[1::2], late_])
            rest = bills[~bills.index.isin(late.index)]
            after = rest["event_time"] >= CUTOFF
            rows = pd.concat([rest[~after] if known_at is None else rest, kept])
            histories = Histories(rows, observed_until=UNTIL)
            told.append(came_back(Panels(histories, Setting.of(horizon="60d"), FEATURES[:2]), CUTOFF))
        assert told[0] == told[1] is not None

    def test_all_are_counted_where_some_are_drawn_to_learn_from(self):
        assert came_back(self.panels(rows_at_most=10), CUTOFF)["left"] == 60

    @pytest.mark.parametrize(("clients", "told"), [(59, None), (60, {"since": "2023-01-01", "left": 20, "share": 1.0})])
    def test_nothing_of_few(self, clients, told):
        assert came_back(self.panels(clients=clients), CUTOFF) == told

    def test_contracts_are_in_force_again_at_the_end_of_the_year(self):
        """30 of 100 end in February 2023; of those ten begin again in May, of whom five have ended by the end."""
        start = pd.DataFrame({"client_id": range(100), "start": pd.Timestamp("2021-06-01"), "end": pd.NaT})
        start.loc[:29, "end"] = pd.Timestamp("2023-02-10")
        again = pd.DataFrame({"client_id": range(10), "start": pd.Timestamp("2023-05-01"), "end": pd.NaT})
        again.loc[:4, "end"] = pd.Timestamp("2023-11-01")
        contracts = pd.concat([start, again]).astype({"end": "datetime64[us]"})
        bills = pd.DataFrame({"client_id": range(100), "event_time": pd.Timestamp("2022-01-05"), "amount": 9.0})
        setting = Setting.of(horizon="60d", kind="contractual")
        panels = Panels(Histories(bills, contracts=contracts, observed_until=UNTIL), setting, FEATURES[:2])
        assert came_back(panels, CUTOFF) == {"since": "2023-01-01", "left": 30, "share": 5 / 30}


class TestSeason:
    """Before Christmas the year is worth less than four times the horizon; after it, more."""

    def outlook(self, cutoff, *, christmas=3.0, clients=400, horizon="90d", **options):
        setting = Setting.of(horizon=horizon, active="365d", **({"every": "30d", "at_most": 24} | options))
        panels = Panels(Histories(shop(clients, christmas=christmas), observed_until=UNTIL), setting, FEATURES[:3])
        (split,) = setting.splits(panels.histories, [pd.Timestamp(cutoff)])
        lesson = Lesson.of(panels, split)
        return lesson.fit_outlook(panels, LongRunTerms(years=1, discount_rate=0.0))

    def test_is_that_of_the_year_before(self):
        """From 3 October 2023 the first 90 days hold 30 of 1 and 60 of 3 a day: each other is worth 3 of 7 of them."""
        season = self.outlook("2023-10-03").season.steps
        assert season[:4] == pytest.approx((1.0, 3 / 7, 3 / 7, 3 / 7), abs=0.07)
        assert len(season) == 5  # and five days

    def test_spring_is_followed_by_autumn_and_christmas(self):
        assert self.outlook("2023-04-01").season.steps[:4] == pytest.approx((1.0, 1.0, 7 / 3, 1.0), abs=0.35)

    def test_where_there_is_none_none_is_learned(self):
        assert self.outlook("2023-10-03", christmas=1.0).season.steps[:4] == pytest.approx(
            (1.0, 1.0, 1.0, 1.0), abs=0.1
        )

    def test_is_learned_of_years_that_were_over(self):
        """What is bought from the cutoff on, or reported then, does not count."""
        bills, cutoff = shop(200, christmas=3.0), pd.Timestamp("2023-10-03")
        later = bills.assign(amount=bills["amount"].where(bills["event_time"] < cutoff, 500.0))
        late = bills[bills["event_time"] < cutoff].assign(amount=500.0, known_at=cutoff)
        other = pd.concat([later.assign(known_at=later["event_time"]), late])
        told = []
        for some in (bills, other):
            setting = Setting.of(horizon="90d", active="365d", every="30d", at_most=24)
            panels = Panels(Histories(some, observed_until=UNTIL), setting, FEATURES[:3])
            (split,) = setting.splits(panels.histories, [cutoff])
            told.append(Lesson.of(panels, split).fit_outlook(panels, TERMS).season)
        assert told[0] == told[1]
        assert len(told[0].steps) == 5

    @pytest.mark.parametrize(
        ("options", "horizons"),
        [
            ({"at_most": 2}, 5),  # however few training cutoffs there are
            ({"every": "7d", "at_most": 3}, 5),
            ({"horizon": "30d", "at_most": 4}, 13),
            ({"horizon": "73d", "at_most": 4}, 5),
            ({"horizon": "190d", "at_most": 4}, 2),
            ({"gap": "20d", "at_most": 4}, 5),
            ({"first": "2022-10-03", "at_most": 4}, 5),
            ({"first": "2022-10-04", "at_most": 4}, 0),  # no client a year ago is to be learned from
        ],
    )
    def test_as_many_horizons_as_a_year_has(self, options, horizons):
        season = self.outlook("2023-10-03", clients=120, **options).season
        assert (0 if season is None else len(season.steps)) == horizons

    def test_a_year_must_have_been_seen(self):
        """60 days after the first purchase, at nine in the morning of the first of January, and a year."""
        assert self.outlook("2023-03-02", clients=120, at_most=4).season is None
        assert len(self.outlook("2023-03-03", clients=120, at_most=4).season.steps) == 5

    @pytest.mark.parametrize("gap", ["7d", "30d"])
    @pytest.mark.parametrize("horizon", ["90d", "120d", "200d"])
    def test_a_gap_changes_nothing(self, gap, horizon):
        """The year begins at the cutoff, and is over at the next."""
        one, other = (self.outlook("2023-10-03", gap=some, horizon=horizon, at_most=4) for some in ("0d", gap))
        assert other.season == one.season
        assert None not in other.season.steps

    def test_a_bundle_scored_later_knows_where_in_the_year_it_stands(self):
        """Fitted before Christmas, and scored after it: the year is worth 1 + 1 + 7/3 + 1 spring quarters and more."""
        outlook = self.outlook("2023-10-03")
        panel = pd.DataFrame({"T": [500.0], "days_since_first_record": [500.0], "frequency": 9.0, "recency": 490.0})
        told = {}
        for day in ("2023-10-03", "2024-01-01", "2024-04-01"):
            panel.index = pd.MultiIndex.from_tuples([("ann", pd.Timestamp(day))], names=["client_id", "cutoff"])
            told[day] = outlook.spend_ahead(panel, [1.0], horizons=4)
        fade = replace(outlook, season=None).spend_ahead(panel, [1.0], horizons=4)
        assert told["2023-10-03"] == pytest.approx(fade * [1, 3 / 7, 3 / 7, 3 / 7], abs=0.07)
        assert told["2024-01-01"] == pytest.approx(fade * [1, 1, 1, 7 / 3], abs=0.3)
        assert told["2024-04-01"] == pytest.approx(fade * [1, 1, 7 / 3, 1], abs=0.3)

    def test_beyond_the_end_of_what_was_recorded_nothing_is_learned(self):
        """The cutoff may lie days later."""
        setting = Setting.of(horizon="90d", active="365d", every="7d", at_most=60)
        bills = shop(120, christmas=3.0)
        until = pd.Timestamp("2024-06-01")
        histories = Histories(bills[bills["event_time"] < until], observed_until=until)
        panels = Panels(histories, setting, FEATURES[:3])
        (split,) = setting.splits(histories, [until + pd.Timedelta(days=10)])
        season = Lesson.of(panels, split).fit_outlook(panels, LongRunTerms(years=0.2)).season
        assert len(season.steps) == 5
        spend = panels.spend(
            [split.test - pd.Timedelta(days=365)], until=pd.Timedelta(days=365), known_before=split.test
        )
        assert spend.isna().all().tolist() == [False, False, False, True, True]

    def test_a_time_when_the_shop_was_closed_is_no_season(self):
        bills = shop(400)
        day = bills["event_time"]
        closed = bills[~day.between("2023-02-01", "2023-03-20")]
        seasons = []
        for some in (bills, closed):
            setting = Setting.of(horizon="60d", active="365d", at_most=6)
            panels = Panels(Histories(some, observed_until=UNTIL), setting, FEATURES[:3])
            (split,) = setting.splits(panels.histories, [pd.Timestamp("2023-11-01")])
            seasons.append(Lesson.of(panels, split).fit_outlook(panels, TERMS).season.steps)
        assert len(seasons[1]) == 7
        assert seasons[1] == pytest.approx(seasons[0], abs=0.15)

    def test_of_few_clients_nothing_is_learned(self, monkeypatch):
        """Of so few it is not known how they buy; of more, there may have been too few a year ago."""
        monkeypatch.setattr(fitting, "_FEW_CLIENTS", 121)
        assert self.outlook("2023-10-03", clients=120).season is None
        monkeypatch.undo()
        assert self.outlook("2023-10-03", clients=120).season is not None
        assert self.outlook("2023-10-03", clients=20).season is None

    def test_is_learned_of_the_clients_who_were_drawn(self, monkeypatch):
        asked = []
        told = fitting.build_panel
        monkeypatch.setattr(fitting, "build_panel", lambda *args, **more: asked.append(more) or told(*args, **more))
        season = self.outlook("2023-10-03", rows_at_most=200).season.steps
        assert season[:4] == pytest.approx((1.0, 3 / 7, 3 / 7, 3 / 7), abs=0.15)
        assert 50 < len(asked[0]["clients"]) < 300
        assert asked[0]["cutoffs"] == [pd.Timestamp("2022-10-03")]
