"""The outlook: a loop over clients, laws with closed forms, what must rise and fall, and that it looks no further."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from loyalty.btyd import Generations, Habits, ParetoNBD, expected_purchases
from loyalty.datasets.synthetic import synthetic_tables
from loyalty.fitting import Lesson, fit_models
from loyalty.histories import Histories
from loyalty.models import leaving as leaving_module
from loyalty.models import outlook as outlook_module
from loyalty.models.leaving import Leaving
from loyalty.models.outlook import OUTLOOK_COLUMNS, LongRunTerms, Outlook
from loyalty.models.season import Season
from loyalty.panels import Panels
from loyalty.scoring import Bundle
from loyalty.setting import Setting

#: Of CDNOW, in weeks (Fader and Hardie 2005), laid on days.
CDNOW = {"r": 0.553, "alpha": 10.578 * 7, "s": 0.606, "beta": 11.669 * 7}
ALL_ALIKE = Generations(10_000, (Habits(CDNOW, None),))
YEAR = 365.25
SINCE = pd.Timestamp("2024-03-01")
FLAT = Season(SINCE, 90, (1.0, 1.0, 1.0, 1.0, 1.0))


def bought(*, outlook=None, **terms):
    return outlook or Outlook(LongRunTerms(**terms), 90, 0, buying=ALL_ALIKE)


def panel_of(frequency, recency, T):
    columns = {"frequency": frequency, "recency": recency, "T": T, "days_since_first_record": T}
    return pd.DataFrame({name: np.atleast_1d(np.asarray(values, dtype=float)) for name, values in columns.items()})


def standing(panel, day):
    """Tell at which cutoff the clients of a panel stand."""
    return panel.set_index(pd.MultiIndex.from_product([range(len(panel)), [day]], names=["client_id", "cutoff"]))


PANEL = panel_of([0, 0, 1, 3, 40, 2], [0, 0, 30, 300, 700, 9], [5, 400, 31, 400, 720, 720])
SPEND = np.array([12.0, 3.0, 80.0, 55.0, 900.0, 0.0])


class Known:
    """A survival model whose curves are given."""

    feature_names_in_ = np.array(["retention"])
    changing_ = ()

    def __init__(self, law, *, period="30d", periods=6):
        self.law, self.period, self.periods_ = law, period, periods

    def predict_survival(self, X, changing=None):
        assert changing is None
        return np.vstack([self.law(r, np.arange(1, self.periods_ + 1)) for r in X["retention"]])


class Paid:
    """A model of what is paid a horizon, the same for all."""

    feature_names_in_ = np.array(["retention"])

    def __init__(self, a_horizon):
        self.a_horizon = a_horizon

    def predict(self, X):
        return np.full(len(X), self.a_horizon)


def geometric(retention, k):
    return np.asarray(retention, dtype=float) ** k


def shifted_beta_geometric(a, k):
    """Survival where each leaves at a chance of his own, beta(a, 3) over clients."""
    return np.array([np.prod((3.0 + np.arange(n)) / (a + 3.0 + np.arange(n))) for n in k])


def held(law=geometric, *, horizon=30, gap=0, period="30d", periods=6, **terms):
    leaving = Leaving(Known(law, period=period, periods=periods), gap, gap + horizon)
    return Outlook(LongRunTerms(**terms), horizon, gap, leaving=leaving)


def led(outlook, **changes):
    """Change what an outlook says of contracts."""
    return replace(outlook, leaving=replace(outlook.leaving, **changes))


def retained(*retention):
    return pd.DataFrame({"retention": retention})


def own(outlook, panel):
    """Tell the churn probabilities that lie on the curves of survival, where hazards are constant within a period."""
    periods = outlook.leaving.survival.periods_
    curves = np.column_stack([np.ones(len(panel)), outlook.leaving.survival.predict_survival(panel)])
    opens, closes = outlook.gap_days, outlook.gap_days + outlook.horizon_days
    beyond = np.minimum(np.arange(1, 300) / periods, 99)  # of geometric ones
    risk = -np.log(np.maximum(np.column_stack([curves, curves[:, [-1]] ** (1 + beyond)]), 1e-300))
    days = outlook.leaving.period_days * np.arange(risk.shape[1])
    return np.array([1 - np.exp(-np.diff(np.interp([opens, closes], days, one))[0]) for one in risk])


def told_of(outlook, panel, spend):
    return outlook.predict(panel, spend, own(outlook, panel))


def value_of(outlook, panel, spend):
    return told_of(outlook, panel, spend)["long_run_value"]


class TestBuyers:
    def test_a_loop_over_clients_and_horizons(self):
        """Three years are 12 horizons of 90 days and .175 of another; each is paid in its middle."""
        told = bought(years=3.0, discount_rate=0.1, margin=0.4).predict(PANEL, SPEND)["long_run_value"]
        for client, value in enumerate(told):
            history = [PANEL[name].iloc[[client]] for name in ("frequency", "recency", "T")]
            worth, first, left, k = 0.0, None, 3 * YEAR, 0
            while left > 1e-9:
                expected = expected_purchases(*history, parameters=CDNOW, horizon=90, gap=90.0 * k)[0]
                first = expected if first is None else first
                paid = SPEND[client] * expected / first * min(left / 90, 1.0)
                worth += 0.4 * paid / 1.1 ** (90 * (k + 0.5) / YEAR)
                left, k = left - 90, k + 1
            assert k == 13
            assert value == pytest.approx(worth, rel=1e-9)

    @given(st.integers(0, 300), st.floats(0.01, 1.0), st.floats(1.0, 3000.0), st.floats(1, 1e6))
    def test_one_horizon_without_discount_is_the_expected_value(self, frequency, share, T, spend):
        panel = panel_of(frequency, share * T if frequency else 0.0, T)
        told = bought(years=90 / YEAR, discount_rate=0.0).predict(panel, [spend])
        assert told["long_run_value"].iloc[0] == pytest.approx(spend, rel=1e-12)

    @given(st.floats(0.05, 19.0), st.floats(0.01, 1.0), st.floats(0, 1.0), st.floats(0.001, 0.5), st.floats(0.01, 1.0))
    def test_rises_with_the_years_and_falls_with_the_rate(self, years, more, rate, dearer, margin):
        value = bought(years=years, discount_rate=rate).predict(PANEL, SPEND)["long_run_value"]
        longer = bought(years=years + more, discount_rate=rate).predict(PANEL, SPEND)["long_run_value"]
        later = bought(years=years, discount_rate=rate + dearer).predict(PANEL, SPEND)["long_run_value"]
        kept = bought(years=years, discount_rate=rate, margin=margin).predict(PANEL, SPEND)["long_run_value"]
        spends = SPEND > 0
        assert (longer[spends] > value[spends]).all()
        assert (later[spends] < value[spends]).all()
        assert (value[~spends] == 0).all()
        assert kept.to_numpy() == pytest.approx(margin * value.to_numpy())

    @given(st.integers(0, 200), st.floats(0.01, 1.0), st.floats(1.0, 2000.0), st.integers(0, 60))
    def test_frequency_and_recency_are_in_the_first_horizon_already(self, frequency, share, T, gap):
        """What comes in the fourth horizon over the first, of the client's own history, is that of its age alone."""
        history = [[frequency], [share * T if frequency else 0.0], [T]]
        first, fourth = (
            expected_purchases(*history, parameters=CDNOW, horizon=90, gap=gap + 90.0 * k)[0] for k in (0, 3)
        )
        outlook = Outlook(LongRunTerms(years=4 * 90 / YEAR, discount_rate=0.0), 90, gap, buying=ALL_ALIKE)
        three = Outlook(LongRunTerms(years=3 * 90 / YEAR, discount_rate=0.0), 90, gap, buying=ALL_ALIKE)
        panel = panel_of(*history)
        more = outlook.predict(panel, [1.0]) - three.predict(panel, [1.0])
        if first > 1e-300:
            assert more["long_run_value"].iloc[0] == pytest.approx(fourth / first, rel=1e-6)

    def test_many_short_horizons_come_to_discounted_purchases(self):
        """Pareto/NBD's own DERT, in closed form; at a rate so high that nothing is left beyond the years."""
        model = ParetoNBD()
        for name, value in CDNOW.items():
            setattr(model, f"{name}_", value)
        yearly, days, history = 20.0, 7, [PANEL[name] for name in ("frequency", "recency", "T")]
        outlook = Outlook(LongRunTerms(years=6.0, discount_rate=yearly), days, 0, buying=ALL_ALIKE)
        told = outlook.predict(PANEL, model.expected_purchases(days, *history))["long_run_value"]
        itself = model.discounted_purchases(np.log1p(yearly) / YEAR, *history)
        assert told.to_numpy() == pytest.approx(itself, rel=2e-3)

    @pytest.mark.parametrize("days", [7, 30, 61, 90, 120, 190, 364])
    @pytest.mark.parametrize("gap", [0, 20])
    @pytest.mark.parametrize("later", [0, 100, 1000])
    def test_the_season_comes_again_each_year(self, days, gap, later):
        """A horizon spends what its days do, each at the pace of its time of the year, whenever the clients stand."""
        bins = -(-365 // days)
        steps = np.r_[1.0, np.random.default_rng(days).uniform(0.2, 3, bins - 1)]
        a_day = np.repeat(steps, np.diff(np.minimum(np.arange(bins + 1) * days, 365)))
        plain = Outlook(LongRunTerms(years=3.0, discount_rate=0.1), days, gap, buying=ALL_ALIKE)
        outlook = replace(plain, season=Season(SINCE, days, tuple(steps)))
        panel = standing(PANEL, SINCE + pd.Timedelta(days=later))
        told = outlook.predict(panel, SPEND)["long_run_value"]
        many = int(np.ceil(3 * YEAR / days))
        of_days = [np.mean([a_day[(later + gap + days * k + day) % 365] for day in range(days)]) for k in range(many)]
        of_days = np.array(of_days) / of_days[0]
        parts = np.minimum(3 * YEAR / days - np.arange(many), 1.0)
        discount = 1.1 ** (-(days * (np.arange(many) + 0.5) + gap) / YEAR)
        for client, value in enumerate(told):
            history = [PANEL[name].iloc[[client]] for name in ("frequency", "recency", "T")]
            expected = np.array([
                expected_purchases(*history, parameters=CDNOW, horizon=days, gap=float(gap + days * k))[0]
                for k in range(many)
            ])  # fmt: skip
            worth = SPEND[client] * (expected / expected[0] * of_days * parts * discount).sum()
            assert value == pytest.approx(worth, rel=1e-6)
        ahead = outlook.spend_ahead(panel, SPEND, horizons=many)
        assert ahead == pytest.approx(plain.spend_ahead(PANEL, SPEND, horizons=many) * of_days)

    def test_clients_of_several_cutoffs_have_the_season_of_each(self):
        outlook = replace(bought(years=1.0), season=Season(SINCE, 90, (1.0, 0.5, 2.0, 0.25, 3.0)))
        days = [SINCE, SINCE + pd.Timedelta(days=100)]
        apart = [standing(PANEL, day) for day in days]
        told = outlook.predict(pd.concat(apart), np.tile(SPEND, 2))
        assert_frame_equal(told, pd.concat([outlook.predict(one, SPEND) for one in apart]), check_exact=True)
        ahead = [outlook.spend_ahead(one, SPEND, horizons=4) for one in apart]
        assert outlook.spend_ahead(pd.concat(apart), np.tile(SPEND, 2), horizons=4) == pytest.approx(sum(ahead))
        assert ahead[0] != pytest.approx(ahead[1])

    def test_a_season_asks_for_the_day(self):
        outlook = replace(bought(), season=Season(SINCE, 90, (1.0, 0.5, 2.0, 0.25, 3.0)))
        with pytest.raises(ValueError, match="to know the season"):
            outlook.predict(PANEL, SPEND)

    def test_ahead_is_the_long_run_value_on_plain_terms_horizon_by_horizon(self, monkeypatch):
        outlook = replace(bought(margin=0.3), season=Season(SINCE, 90, (1.0, 0.5, 2.0, 0.25, 3.0)))
        panel = standing(PANEL, SINCE)
        ahead = outlook.spend_ahead(panel, SPEND, horizons=20)
        assert ahead[0] == pytest.approx(SPEND.sum())
        for many in (1, 2, 5, 20):
            plain = replace(outlook, terms=LongRunTerms(years=90 * many / YEAR, discount_rate=0.0))
            assert ahead[:many].sum() == pytest.approx(plain.predict(panel, SPEND)["long_run_value"].sum())
        monkeypatch.setattr(outlook_module, "_BLOCK_NUMBERS", 1)
        assert outlook.spend_ahead(panel, SPEND, horizons=20) == pytest.approx(ahead)
        assert np.isnan(Outlook(LongRunTerms(), 90, 0, missing="Few.").spend_ahead(PANEL, SPEND, horizons=2)).all()

    @pytest.mark.parametrize("years", [0.1, 3.0])
    @pytest.mark.parametrize("gap", [0, 30])
    def test_a_season_that_all_clients_share_is_learned_whole(self, years, gap):
        """Of the year from the cutoffs on, whatever the gap; the last step has five days."""
        plain = Outlook(LongRunTerms(years=years), 90, gap, buying=ALL_ALIKE)
        told = [replace(plain, gap_days=0).spend_ahead(PANEL.iloc[[n]], [1.0], horizons=5) for n in range(6)]
        spend = SPEND[:, None] * np.array(told) * [1.0, 0.5, 2.0, 1.0, 4.0 * 5 / 90]
        learned = plain.learn_season(PANEL, pd.DataFrame(spend, columns=[90, 180, 270, 360, 365]), since=SINCE)
        assert (learned.season.since, learned.season.step_days) == (SINCE, 90)
        assert learned.season.steps == pytest.approx((1.0, 0.5, 2.0, 1.0, 4.0))

    def season_of(self, *spend, ends=(90, 180)):
        """Of clients who do not fade."""
        table = pd.DataFrame(spend, columns=list(ends), dtype=float)
        season = Season.learn(table, np.ones(table.shape), since=SINCE)
        return None if season is None else season.steps

    def test_a_season_of_few_counts_as_far_as_it_is_certain(self):
        """Three of four spent as before, one three times as much."""
        (first, second) = self.season_of((10, 10), (10, 10), (10, 10), (10, 30))
        off, error = 0.5, np.sqrt(3 * 5.0**2 + 15.0**2) / 40
        assert first == 1.0
        assert second == pytest.approx(1 + off * off**2 / (off**2 + error**2))

    def test_of_what_is_not_known_nothing_counts(self):
        """Neither a step that was not over for some, nor those whose first is not known."""
        nan = float("nan")
        assert self.season_of((10, 20), (10, 20), (10, nan), (nan, 500)) == (1.0, 2.0)

    def test_what_nobody_saw_is_as_the_mean_of_what_was_seen(self):
        """Of days, not of steps."""
        nan = float("nan")
        assert self.season_of((10, 30, nan), (10, 30, nan), ends=(90, 180, 200)) == (1.0, 3.0, 2.0)
        assert self.season_of((10, nan, 20), (10, nan, 20), ends=(90, 180, 225)) == pytest.approx((1.0, 2.0, 4.0))

    def test_refunds_of_a_season_are_nothing_and_not_less(self):
        assert self.season_of((10, -20), (10, -20)) == (1.0, 0.0)

    @pytest.mark.parametrize("spend", [(0, 5), (-10, 5), (10, float("nan"))])
    def test_where_nothing_was_spent_at_first_or_seen_after_it_there_is_no_season(self, spend):
        assert self.season_of(spend, spend) is None

    def test_after_next_to_nothing_there_is_nothing_to_go_by(self):
        """Clients who stand in a season without sales are not worth a thousand times what is expected of it."""
        season = Season(SINCE, 90, (1.0, 0.0, 1.0, 1.0, 1.0))
        told = season.of(SINCE + pd.Timedelta(days=90), days=90, many=3)
        assert told == pytest.approx(np.array([0.0, 1.0, 1.0]) / (0.05 * 275 / 365))

    def test_without_a_season_it_is_said(self):
        (note,) = bought().notes()
        assert "knows no season of spend" in note
        assert replace(bought(), season=FLAT).notes() == []
        assert Outlook(LongRunTerms(), 365, 0, buying=ALL_ALIKE).notes() == []

    def test_the_season_comes_back(self, tmp_path):
        for season in (None, Season(pd.Timestamp("2024-06-01T12:30"), 90, (1.0, 0.1 + 0.2))):
            outlook = replace(bought(), season=season)
            outlook.save(tmp_path)
            assert Outlook.load(tmp_path).season == season

    def test_one_client_alone_is_told_as_among_all_and_in_blocks(self, monkeypatch):
        whole = bought().predict(PANEL, SPEND)
        alone = [bought().predict(PANEL.iloc[[n]], SPEND[[n]]) for n in range(len(PANEL))]
        assert_frame_equal(pd.concat(alone), whole, check_exact=True)
        monkeypatch.setattr(outlook_module, "_BLOCK_NUMBERS", 1)
        assert_frame_equal(bought().predict(PANEL, SPEND), whole, check_exact=True)

    def test_known_by_refunds_only(self):
        """Nothing was bought, so nobody is alive or not; the age is that of the records."""
        panel = panel_of(np.nan, np.nan, np.nan).assign(days_since_first_record=400.0)
        told = bought().predict(panel, [3.0]).iloc[0]
        assert np.isnan(told["alive_probability"])
        assert told["long_run_value"] == bought().predict(PANEL.iloc[[1]], [3.0])["long_run_value"].iloc[0]

    def test_alive_is_that_of_the_model_and_no_day_of_leaving_is_told(self):
        model = ParetoNBD()
        for name, value in CDNOW.items():
            setattr(model, f"{name}_", value)
        told = bought().predict(PANEL, SPEND)
        alive = model.probability_alive(*(PANEL[name] for name in ("frequency", "recency", "T")))
        assert told["alive_probability"].tolist() == alive.tolist()
        assert told["median_remaining_days"].isna().all()
        assert bought().staying(PANEL).empty

    def test_nobody_seen_to_leave_is_said(self):
        stay = CDNOW | {"s": 0.01, "beta": 1e6}
        known = {"season": FLAT}
        (note,) = Outlook(LongRunTerms(years=5), 90, 0, buying=Generations(0, (Habits(stay, None),)), **known).notes()
        assert "nobody is seen to leave for good" in note
        assert "unchanged for 5 years" in note
        some = Generations(0, (Habits(stay, None), Habits(CDNOW, None)), (60,))
        assert Outlook(LongRunTerms(years=5), 90, 0, buying=some, **known).notes() == []

    @pytest.mark.parametrize(
        ("seen", "said"), [(None, ""), (548, ""), (547, " go back 18 months: "), (40, " 1 month: "), (3, " 1 month: ")]
    )
    def test_looking_far_beyond_what_was_seen_is_said(self, seen, said, tmp_path):
        generations = Generations(0, (Habits(CDNOW, None),))
        outlook = Outlook(LongRunTerms(years=3), 90, 0, buying=generations, season=FLAT, seen_days=seen)
        outlook.save(tmp_path)
        for one in (outlook, Outlook.load(tmp_path)):
            assert [said in note for note in one.notes()] == [True] * bool(said)

    def test_each_generation_fades_by_rates_of_its_own(self, tmp_path):
        """First seen 59 and 60 days after the records began, on day 10,000."""
        fleeting = CDNOW | {"s": 2.0}
        buying = Generations(10_000, (Habits(CDNOW, None), Habits(fleeting, {"p": 6.0})), (60,))
        both = Outlook(LongRunTerms(), 90, 0, buying=buying)
        panel = panel_of([3, 3], [300, 300], [400, 400])
        panel.index = pd.MultiIndex.from_arrays(
            [["old", "new"], pd.Timestamp(0) + pd.to_timedelta([10_459, 10_460], unit="D")],
            names=["client_id", "cutoff"],
        )
        told = both.predict(panel, [50.0, 50.0])
        for client, habits in (("old", CDNOW), ("new", fleeting)):
            alone = Outlook(LongRunTerms(), 90, 0, buying=Generations(10_000, (Habits(habits, None),)))
            assert_frame_equal(told.loc[[client]], alone.predict(panel.loc[[client]], [50.0]), check_exact=True)
        assert told.loc["new", "long_run_value"].iloc[0] < 0.8 * told.loc["old", "long_run_value"].iloc[0]
        both.save(tmp_path)
        assert Outlook.load(tmp_path) == both
        with pytest.raises(ValueError, match="`panel` must have `cutoff` in its index"):
            both.predict(panel.reset_index(drop=True), [50.0, 50.0])

    @pytest.mark.parametrize("age", [59, 60, 400])
    def test_known_by_refunds_only_is_of_the_generation_it_was_first_recorded_in(self, age):
        """The second generation begins on day 10,060; the cutoff is day 10,119."""
        fleeting = CDNOW | {"s": 3.0, "beta": 40.0}
        buying = Generations(10_000, (Habits(CDNOW, None), Habits(fleeting, None)), (60,))
        panel = panel_of([np.nan, 0], [np.nan, 0], [np.nan, age]).assign(days_since_first_record=float(age))
        cutoff = pd.Timestamp(0) + pd.Timedelta(days=10_119)
        panel.index = pd.MultiIndex.from_product([["refunded", "bought"], [cutoff]], names=["client_id", "cutoff"])
        told = Outlook(LongRunTerms(), 90, 0, buying=buying).predict(panel, [50.0, 50.0])
        refunded, once = told["long_run_value"]
        assert refunded == once
        assert np.isnan(told["alive_probability"].iloc[0])
        alone = Generations(10_000, (Habits(fleeting if age == 59 else CDNOW, None),))
        assert refunded == Outlook(LongRunTerms(), 90, 0, buying=alone).predict(panel, [50.0, 50.0]).iloc[0, 0]

    def test_of_age_0_fades_as_a_moment_later(self):
        new, later = bought().predict(panel_of([0, 0], [0, 0], [0, 1e-9]), [50.0, 50.0])["long_run_value"]
        assert new == pytest.approx(later, rel=1e-9)
        assert new > 60

    def test_nobody(self):
        assert bought().predict(PANEL.iloc[:0], []).shape == (0, len(OUTLOOK_COLUMNS))


class TestContracts:
    @given(st.floats(0.01, 0.99), st.integers(1, 9), st.floats(0, 1), st.floats(0, 1e4))
    def test_constant_retention(self, retention, periods, rate, spend):
        """However few periods are known: Σ r^(k-1) / (1 + d)^(k - 1/2) over 24 of them, a geometric series."""
        outlook = held(periods=periods, years=24 * 30 / YEAR, discount_rate=rate)
        value = value_of(outlook, retained(retention), [spend]).iloc[0]
        wait = (1 + rate) ** (30 / YEAR)
        wanted = spend * (1 - (retention / wait) ** 24) / (1 - retention / wait) / wait**0.5
        assert value == pytest.approx(wanted, rel=1e-6, abs=1e-9)

    def test_retention_that_rises_is_worth_more_than_its_last_year_carried_on(self):
        """Fader and Hardie (2010): those who leave early go first. The value is too low, less so the more is known."""
        terms = {"years": 6.0, "discount_rate": 0.1}
        few, more, all_of_it = (
            value_of(held(shifted_beta_geometric, periods=n, **terms), retained(0.8), [10.0]).iloc[0]
            for n in (6, 24, 80)
        )
        assert few < more < all_of_it
        assert more == pytest.approx(all_of_it, rel=0.1)

    @pytest.mark.parametrize(("horizon", "gap", "period"), [(90, 0, "30d"), (45, 10, "30d"), (30, 7, "90d")])
    def test_a_loop_over_days(self, horizon, gap, period):
        """Shares of each horizon are shares of client-days in force: hazards are even between the ends of periods."""
        years = 1.7
        outlook = held(shifted_beta_geometric, horizon=horizon, gap=gap, period=period, years=years, discount_rate=0.3)
        value = value_of(outlook, retained(0.5, 2.0), [10.0, 20.0])
        days, known = int(period[:-1]), 6
        back = min(known, round(365 / days))
        for a, spend, told in zip((0.5, 2.0), (10.0, 20.0), value, strict=True):
            curve = [1.0, *shifted_beta_geometric(a, np.arange(1, known + 1))]
            retention = (curve[known] / curve[known - back]) ** (1 / back)
            while len(curve) < 60:
                curve.append(curve[-1] * retention)
            day = np.arange(0, 59 * days, 0.25) + 0.125  # the middle of each quarter of a day
            force = np.exp(np.interp(day, days * np.arange(60), np.log(curve)))
            in_force = [force[(day >= gap + k * horizon) & (day < gap + (k + 1) * horizon)].sum() for k in range(60)]
            many = years * YEAR / horizon
            worth = sum(
                spend * in_force[k] / in_force[0] * min(many - k, 1.0) / 1.3 ** ((gap + horizon * (k + 0.5)) / YEAR)
                for k in range(int(np.ceil(many)))
            )
            assert told == pytest.approx(worth, rel=1e-6)

    @given(st.floats(0.01, 1.0), st.integers(1, 200), st.integers(0, 40), st.floats(1, 1e6))
    def test_one_horizon_without_discount_is_the_expected_value(self, retention, horizon, gap, spend):
        outlook = held(horizon=horizon, gap=gap, years=horizon / YEAR, discount_rate=0.0)
        assert value_of(outlook, retained(retention), [spend]).iloc[0] == pytest.approx(spend, rel=1e-9)

    @given(st.floats(0.5, 0.99), st.floats(0, 1e4), st.floats(0, 1e4), st.integers(0, 40))
    def test_begins_with_what_is_expected_and_goes_on_at_the_pace(self, retention, expected, a_horizon, gap):
        """What is paid in a horizon times the share of it for which the contract runs, discounted from its middle."""
        outlook = held(gap=gap, years=0.9, discount_rate=0.2, margin=0.5)
        paced = replace(outlook, pace=Paid(a_horizon))
        told = value_of(paced, retained(retention), [expected]).iloc[0]
        edges = gap + 30.0 * np.arange(12)
        curves = outlook.leaving.curves(retained(retention), own(outlook, retained(retention)), until=edges[-1])
        running = curves.in_force(edges)[0]
        lengths = np.r_[np.full(10, 1.0), 0.9 * YEAR / 30 - 10]
        # Of 12 horizons and a sixth in the first year, the first is known.
        rest = max(a_horizon * 365 / 30 - expected / running[0], 0.0) / (365 / 30 - 1)
        paid = np.r_[expected, rest * running[1:]] * lengths
        waits = (gap + 30 * (np.arange(11) + 0.5)) / YEAR
        assert told == pytest.approx(0.5 * (paid / 1.2**waits).sum(), rel=1e-9, abs=1e-9)
        assert 0 < running[0] <= 1
        if gap == 0:  # of a chance to stay a month, evenly spent: the mean over the month
            assert running[1] / running[0] == pytest.approx(retention, rel=1e-6)

    def test_what_was_paid_in_the_first_horizon_is_taken_off_the_first_year(self):
        """A year's fee of 365 falls into the first horizon of 73 days, or into another one, and nobody leaves."""
        outlook = replace(held(horizon=73, years=3 * 365 / YEAR, discount_rate=0.0), pace=Paid(73.0))
        told = value_of(outlook, retained(1.0, 1.0, 1.0), [365.0, 0.0, 73.0])
        assert told.to_numpy() == pytest.approx([3 * 365.0] * 3)
        more = value_of(outlook, retained(1.0), [1000.0])  # as where a price rose
        assert more.to_numpy() == pytest.approx([1000.0 + 2 * 365])

    def test_median_is_told_as_far_as_it_was_seen(self):
        """Half of the survivors leave in each month: after one month half are left. At .9, .53 are after six."""
        told = told_of(held(), retained(0.5, 0.25, 0.9), [1.0, 1.0, 1.0])
        assert told["median_remaining_days"].tolist()[:2] == pytest.approx([30.0, 15.0])
        assert np.isnan(told["median_remaining_days"].iloc[2])
        assert told_of(held(periods=7), retained(0.9), [1.0])["median_remaining_days"].iloc[0] == pytest.approx(
            30 * np.log(0.5) / np.log(0.9)
        )
        assert told["alive_probability"].isna().all()

    def test_staying_is_the_mean_curve(self):
        table = held(periods=3).staying(retained(0.5, 1.0), [0.5, 0.0])
        assert table["days"].tolist() == [30, 60, 90]
        assert table["share"].tolist() == pytest.approx([0.75, 0.625, 0.5625])

    def test_one_client_alone_is_told_as_among_all(self):
        panel = retained(0.5, 0.7, 0.95)
        whole = told_of(held(shifted_beta_geometric), panel, [1.0, 2.0, 3.0])
        parts = [told_of(held(shifted_beta_geometric), panel.iloc[[n]], [n + 1.0]) for n in range(3)]
        assert_frame_equal(pd.concat(parts), whole, check_exact=True)


class TestThroughTheChurnProbability:
    """A curve of contracts begins with what the churn model tells of the horizon."""

    @given(
        st.floats(0.05, 5.0), st.floats(0.0, 1.0), st.floats(-0.7, 0.7), st.integers(0, 50), st.integers(1, 100),
        st.sampled_from([7, 30, 90]), st.integers(0, 800), st.booleans(),
    )  # fmt: skip
    def test_a_loop_over_days(self, a, churn, growth, gap, horizon, period, after, seasonal):
        """Hazards of each day times growth and season of its period; in the window times one number more."""
        outlook = held(shifted_beta_geometric, horizon=horizon, gap=gap, period=f"{period}d", periods=30)
        season = Season(pd.Timestamp("2023-01-01"), 100, (1.0, 3.0, 0.2, 0.5)) if seasonal else None
        cutoff = pd.Timestamp("2023-01-01") + pd.Timedelta(days=after)
        outlook = led(outlook, growth=growth, season=season)
        shares = outlook.staying(standing(retained(a), cutoff), [churn])["share"].to_numpy()[:30]
        survival = np.r_[1.0, shifted_beta_geometric(a, np.arange(1, 31))]
        risks = np.repeat(-np.diff(np.log(survival)) / period, period)
        for number in range(30):
            days = np.arange(period * number, period * (number + 1))
            middle = period * (number + 0.5) - gap - horizon / 2
            risks[days] *= np.exp(growth * min(max(middle, 0.0), YEAR) / YEAR)
            if seasonal:
                risks[days] *= np.mean([season.steps[(after + day) % 365 // 100] for day in days])
        window = slice(gap, gap + horizon)
        risks[window] *= -np.log(max(1 - churn, 1e-9)) / risks[window].sum()
        told = np.exp(-np.cumsum(risks))[period - 1 :: period]
        assert shares == pytest.approx(told, rel=1e-5, abs=1e-9)

    def test_at_the_end_of_the_horizon_as_many_have_left_as_are_told_to(self):
        table = held(horizon=60).staying(retained(0.9, 0.5, 1.0), [0.1, 0.2, 0.3]).set_index("days")["share"]
        assert table[60] == pytest.approx(0.8)
        assert table[30] == pytest.approx(np.sqrt([0.9, 0.8, 0.7]).mean())
        assert table[90] == pytest.approx((0.9 * 0.9 + 0.8 * 0.5 + 0.7 * 1.0) / 3)

    def test_what_is_known_for_less_than_the_horizon_is_told_to_its_end(self):
        """All but the last 5 of its 365 days lie in 12 periods, of which 2 are known."""
        table = held(horizon=365, periods=2).staying(retained(0.9), [0.4])
        assert table["days"].tolist() == [30 * number for number in range(1, 13)]
        assert table["share"].iloc[-1] == pytest.approx(0.6 ** (360 / 365))

    def test_who_is_sure_to_leave_is_worth_what_is_expected(self):
        told = held(discount_rate=0.0).predict(retained(0.9), [7.0], [1.0])
        assert told["long_run_value"].iloc[0] == pytest.approx(7.0, abs=1e-3)
        assert told["median_remaining_days"].iloc[0] < 30

    def test_must_be_given(self):
        outlook = held()
        for ask in (
            lambda: outlook.predict(retained(0.9), [1.0]),
            lambda: outlook.staying(retained(0.9)),
            lambda: outlook.spend_ahead(retained(0.9), [1.0], horizons=2),
        ):
            with pytest.raises(ValueError, match=r"`churn_probability` must be given where contracts tell"):
                ask()

    @pytest.mark.parametrize("wrong", [[0.1], [0.1, 0.2, 0.3], 0.1, [0.1, -0.01], [0.1, 1.01], [0.1, np.nan]])
    def test_must_be_one_probability_a_client(self, wrong):
        said = r"`churn_probability` must be one number from 0 to 1 for each of 2 clients; got shape \("
        with pytest.raises(ValueError, match=said):
            held().predict(retained(0.9, 0.8), [1.0, 1.0], wrong)

    def test_spend_ahead_begins_with_it(self):
        """A tenth leaves within the first of two horizons, then half: (1 - r) / -log r is the mean of a horizon."""
        first, second = 0.1 / -np.log(0.9), 0.9 * 0.5 / np.log(2)
        ahead = held(periods=2).spend_ahead(retained(0.5), [10.0], [0.1], horizons=2)
        assert ahead == pytest.approx([10.0, 10.0 * second / first])

    @given(st.floats(0.0, 1.0), st.integers(1, 12), st.integers(1, 120), st.integers(0, 40))
    def test_how_many_periods_are_known_does_not_matter_where_hazards_are_even(self, churn, periods, horizon, gap):
        """What the churn probability is beside survival belongs to the horizon, and is not carried on."""
        few, more = (
            held(horizon=horizon, gap=gap, periods=known).predict(retained(0.9), [10.0], [churn])["long_run_value"]
            for known in (periods, 30)
        )
        assert few.to_numpy() == pytest.approx(more.to_numpy(), rel=1e-6)

    def test_blocks_are_told_as_all(self, monkeypatch):
        panel, churn, spend = retained(*np.linspace(0.5, 0.99, 40)), np.linspace(0, 1, 40), np.arange(40.0)
        ask = [
            lambda: held().predict(panel, spend, churn),
            lambda: held().staying(panel, churn),
            lambda: pd.DataFrame(held().spend_ahead(panel, spend, churn, horizons=5)),
        ]
        whole = [one() for one in ask]
        monkeypatch.setattr(leaving_module, "_BLOCK_NUMBERS", 5000)
        calls = []
        known = Known.predict_survival
        monkeypatch.setattr(Known, "predict_survival", lambda *a, **k: calls.append(1) or known(*a, **k))
        for one, all_of_it in zip(ask, whole, strict=True):
            assert_frame_equal(one(), all_of_it)
        assert len(calls) > 6


class TestLearnLeaving:
    """Who left within a month of each of the last months, 1000 clients each, where survival tells a tenth of all."""

    SINCE = pd.Timestamp("2024-01-01")

    def learn(self, share, months=24, *, retention=0.9):
        """`share` tells of a cutoff so many months before who left."""
        ago = np.arange(months, 0, -1)
        cutoffs = self.SINCE - pd.to_timedelta(365 / 12 * ago, unit="D").round("D")
        index = pd.MultiIndex.from_product([cutoffs, range(1000)], names=["cutoff", "client_id"])
        left = (np.arange(1000) < 1000 * np.array([share(month) for month in ago])[:, None]).ravel().astype(int)
        outlook, panel = held(periods=24), retained(retention, retention)
        leaving = outlook.leaving.learn(panel, pd.Series(left, index=index), since=self.SINCE)
        return replace(outlook, leaving=leaving)

    def test_a_sure_season_comes_again(self):
        """Half left in the third month of each year, and hardly anybody otherwise: survival is led half way there."""
        outlook = self.learn(lambda month: 0.5 if month % 12 == 10 else 0.02)
        assert outlook.leaving.growth == pytest.approx(0.0, abs=1e-6)
        assert (outlook.leaving.season.since, outlook.leaving.season.step_days) == (self.SINCE, 30)
        steps = np.array(outlook.leaving.season.steps)
        assert len(steps) == 13
        assert steps[2] == pytest.approx(np.sqrt(np.log(0.5) / np.log(0.9)), rel=0.1)
        # Of a fiftieth it is less sure, as it lies less far from the mean of the year.
        assert (steps[6:10] < 0.65).all()
        assert (steps[6:10] > np.sqrt(np.log(0.98) / np.log(0.9))).all()
        told = outlook.staying(standing(retained(0.9), self.SINCE), [0.1]).set_index("days")["share"]
        month = told[90] / told[60]  # between the half that left and the tenth that survival tells
        assert month == pytest.approx(0.9 ** steps[2])
        assert 0.7 < month < 0.8
        later = outlook.staying(standing(retained(0.9), self.SINCE + pd.Timedelta(days=30)), [0.1])["share"]
        assert later[1] / later[0] == pytest.approx(month)  # a month nearer

    def test_where_survival_tells_the_season_it_is_left_alone(self):
        """As many leave as it tells: of each step a third of a year, a tenth, three tenths and a tenth."""
        law = shares = np.tile([0.9, 0.7, 0.9, 0.9], 6)

        def seasonal(_, k):
            return np.cumprod(shares)[: len(k)]

        outlook = held(seasonal, horizon=90, period="90d", periods=8)
        quarters = self.SINCE - pd.to_timedelta([90 * n + 5 for n in range(8, 0, -1)], unit="D")
        index = pd.MultiIndex.from_product([quarters, range(1000)], names=["cutoff", "client_id"])
        left = (np.arange(1000) < 1000 * (1 - law[:8])[:, None]).ravel().astype(int)
        learned = outlook.leaving.learn(retained(0.0), pd.Series(left, index=index), since=self.SINCE)
        assert learned.season.steps[:4] == pytest.approx((1.0, 1.0, 1.0, 1.0), abs=0.12)

    def test_growth_goes_on_for_a_year(self):
        """Twice as many as the year before, a fifth in a month, as survival tells: in a year twice as many again."""
        outlook = self.learn(lambda month: 0.1 if month > 12 else 0.2, retention=0.8)
        assert outlook.leaving.growth == pytest.approx(np.log(2), abs=0.05)
        told = outlook.staying(standing(retained(0.8), self.SINCE), [0.2])["share"].to_numpy()
        risks = np.diff(np.log(told)) / np.log(0.8)
        assert risks[6] == pytest.approx(np.exp(outlook.leaving.growth * 210 / YEAR), rel=0.15)
        plain = led(outlook, season=None).staying(retained(0.8), [0.2])["share"].to_numpy()
        risks = np.diff(np.log(plain)) / np.log(0.8)
        assert risks[11] == pytest.approx(np.exp(outlook.leaving.growth * 360 / YEAR))
        assert risks[12:] == pytest.approx(np.exp(outlook.leaving.growth))

    def test_a_level_that_past_shares_are_sure_of_is_met_half_way(self):
        """Survival tells a tenth for each month of a business of which nobody leaves in half of a year."""
        outlook = self.learn(lambda month: 0.3 if month % 12 > 6 else 0.0)
        steps = np.array(outlook.leaving.season.steps)
        assert (steps[1:5] > 1.5).all()
        assert (steps[7:11] < 0.5).all()

    def test_of_less_than_a_year_nothing_is_known(self):
        outlook = self.learn(lambda month: 0.3 if month < 4 else 0.05, months=11)
        assert (outlook.leaving.growth, outlook.leaving.season) == (0.0, None)

    def test_comes_back_from_a_file(self):
        season = self.learn(lambda month: 0.5 if month % 12 == 10 else 0.02).leaving.season
        assert Season.from_json(json.loads(json.dumps(season.to_json()))) == season


class TestTerms:
    @pytest.mark.parametrize(
        ("terms", "message"),
        [
            ({"years": 0}, "`years` must be a number above 0, at most 20; got 0"),
            ({"years": 20.5}, "at most 20; got 20.5"),
            ({"years": float("nan")}, "`years` .* got nan"),
            ({"years": "3"}, "`years` .* got '3'"),
            ({"discount_rate": None}, "`discount_rate` .* got None"),
            ({"margin": True}, "`margin` .* got True"),
            ({"discount_rate": -0.1}, "`discount_rate` must be a number, 0 or more.* got -0.1"),
            ({"discount_rate": float("inf")}, "`discount_rate`"),
            ({"margin": 0}, "`margin` must be a share of spend above 0, at most 1; got 0"),
            ({"margin": 1.5}, "`margin` .* got 1.5"),
        ],
    )
    def test_out_of_range(self, terms, message):
        with pytest.raises(ValueError, match=message):
            LongRunTerms(**terms)

    def test_nothing_is_told_without_a_model(self):
        outlook = Outlook(LongRunTerms(), 90, 0, missing="Only 12 clients had bought.")
        assert outlook.predict(PANEL, SPEND).isna().all(axis=None)
        assert outlook.notes() == ["There is no long-run value. Only 12 clients had bought."]


@pytest.fixture(scope="module")
def tables():
    return synthetic_tables(250, seed=0).tables


CUTOFF = "2025-07-01"


def tell(lesson, outlook):
    """Tell what clients are worth who all spend 1, and leave by one chance in ten."""
    many = len(lesson.latest)
    return outlook.predict(lesson.latest, np.ones(many), np.full(many, 0.1))


def lesson_of(histories, kind, features=("days_since_last", "T", "amount_sum_365d")):
    setting = Setting.of(horizon="60d", kind=kind, every="30d", at_most=8)
    panels = Panels(histories, setting, list(features))
    (split,) = setting.splits(histories, [CUTOFF])
    return panels, Lesson.of(panels, split)


class TestFitted:
    def test_contracts_are_followed_at_cutoffs_a_period_apart(self, tables):
        histories = Histories(tables["purchases"], contracts=tables["contracts"])
        panels, lesson = lesson_of(histories, "contractual")
        outlook = lesson.fit_outlook(panels, LongRunTerms())
        assert outlook.leaving.period_days == 60
        assert (outlook.buying, outlook.missing) == (None, "")
        # From the last of eight cutoffs every 30 days, 60 days before: followed for 1, 2, 3 and 4 periods of 60 days.
        assert outlook.leaving.survival.periods_ == 4
        staying = outlook.staying(lesson.latest, np.full(len(lesson.latest), 0.1))
        assert staying["days"].tolist() == [60, 120, 180, 240]
        assert staying["share"].between(0, 1).all()
        assert staying["share"].is_monotonic_decreasing

    def test_knows_nothing_of_what_comes_after(self, tables):
        contracts = tables["contracts"]
        known = contracts.assign(end=contracts["end"].where(contracts["end"] < CUTOFF))
        known = known[known["start"] < CUTOFF]
        assert len(known) < len(contracts) or not known["end"].equals(contracts["end"])
        told = []
        for ends in (contracts, known):
            histories = Histories(tables["purchases"], contracts=ends, observed_until="2026-01-01")
            panels, lesson = lesson_of(histories, "contractual")
            told.append(tell(lesson, lesson.fit_outlook(panels, LongRunTerms())))
        assert_frame_equal(*told, check_exact=True)

    def test_buyers_are_learned_at_the_cutoff_whether_a_feature_asks_or_not(self, tables):
        histories = Histories(tables["purchases"])
        outlooks = []
        for features in (["days_since_last"], ["days_since_last", "alive_probability"]):
            panels, lesson = lesson_of(histories, "non-contractual", features)
            outlooks.append(lesson.fit_outlook(panels, LongRunTerms()))
        assert outlooks[0] == outlooks[1]
        assert set(outlooks[0].buying.habits[0].purchases) == {"r", "alpha", "s", "beta"}

    def test_too_few_to_learn_from_is_said(self, tables):
        few = tables["purchases"][tables["purchases"]["client_id"].isin(tables["purchases"]["client_id"].unique()[:60])]
        panels, lesson = lesson_of(Histories(few), "non-contractual")
        outlook = lesson.fit_outlook(panels, LongRunTerms())
        assert (outlook.buying, outlook.leaving) == (None, None)
        assert "too few for buy till you die" in outlook.missing

    def test_is_left_out_unless_asked_for_and_a_bundle_asks(self, tables):
        setting = Setting.of(horizon="60d", every="60d", at_most=2)
        panels = Panels(Histories(tables["purchases"]), setting, ["days_since_last"])
        (split,) = setting.splits(panels.histories, [CUTOFF])
        fitted = fit_models(panels, split)
        assert fitted.outlook is None
        with pytest.raises(ValueError, match=r"`fitted` must have an outlook\. Fit the models with `long_run`"):
            Bundle.of(fitted, panels.at(split.test), setting, {})

    def test_comes_back_the_same(self, tables, tmp_path):
        panels, lesson = lesson_of(Histories(tables["purchases"], contracts=tables["contracts"]), "contractual")
        outlook = lesson.fit_outlook(panels, LongRunTerms(years=2.5, discount_rate=0.05, margin=0.3))
        outlook.save(tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            "leaving.json",
            "outlook.json",
            "survival.json",
            "survival.txt",
        ]
        back = Outlook.load(tmp_path)
        assert replace(back, leaving=None) == replace(outlook, leaving=None)
        assert_frame_equal(tell(lesson, back), tell(lesson, outlook), check_exact=True)
        bought().save(tmp_path)
        assert Outlook.load(tmp_path) == bought()
