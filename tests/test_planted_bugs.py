"""Each of these catches a bug that was once planted, and that all other tests let live."""

import warnings
from types import SimpleNamespace

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest

from loyalty import segments, tuning
from loyalty.evaluation import churn_metrics
from loyalty.evaluation._resampled import Resampled
from loyalty.histories import Histories
from loyalty.judging import as_html, calibration_frame, coverage_frame, gain_frame, judge, value_frame
from loyalty.loyalty_scores import LoyaltyWeights, loyalty_score
from loyalty.models import intervals, survival
from loyalty.models._spend_law import LEVELS, SpendLaw
from loyalty.models.calibration import PlattScaling, fit_anchored, level_errors, log_odds, seasonal_error
from loyalty.models.churn import ChurnModel
from loyalty.models.curves import Curves
from loyalty.models.holding_out import HeldOut, held_out_forecast, hold_out
from loyalty.models.intervals import SpendIntervals
from loyalty.models.long_run import lifetime_value, relative_purchases
from loyalty.models.portfolio import PortfolioErrors, _excess_of_tenths
from loyalty.models.survival import SurvivalModel
from loyalty.models.uncertainty import Uncertainty
from loyalty.models.value import ValueModel
from loyalty.segments import RfmCuts, ValueRiskCuts, rfm_segments
from loyalty.setting import Setting
from loyalty.tuning import lay_origins, spend_deviance, tune

YEAR = pd.Timedelta(days=365.25)
DAYS = pd.date_range("2024-01-01", periods=6, freq="30D")


def panel(number=60, cutoffs=DAYS[:4], seed=0, reach=30):
    rng = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product([range(number), cutoffs], names=["client_id", "cutoff"])
    X = pd.DataFrame({"silent": rng.integers(1, 200, len(index)).astype(float)}, index=index)
    X["level"] = rng.normal(size=len(index))
    X.attrs["reach_days"] = reach
    left = pd.Series((rng.random(len(index)) < X["silent"] / 250).astype(int), index=index)
    return X, left, (1 - left) * 50 * np.exp(X["level"] / 2)


# calibration


def test_the_mean_of_a_season_takes_in_what_lies_fifteen_days_before():
    now = pd.Timestamp("2024-06-01")
    then = now - YEAR
    errors = pd.Series([1.0, 0.0, 0.0], index=then + pd.to_timedelta([-10, 30, 60], unit="D"))
    # Three quarters at the day itself, a third in the mean of the three; one year tells half.
    assert seasonal_error(errors, now=now) == pytest.approx((3 / 4 - 1 / 3) / 2)


def test_a_season_is_seen_fifteen_days_after_the_last_cutoff_too():
    days = pd.to_datetime(["2022-01-01", "2022-06-01", "2022-12-20"])
    # 30 December 2022 is ten days after the last cutoff, and a year before it ten days are wanting to the first.
    found = seasonal_error(pd.Series([0.9, 0.0, 0.0], index=days), now=pd.Timestamp("2023-12-31"))
    assert found == pytest.approx((0.0 + (0.9 - 0.3)) / 2 * 2 / 3)


def test_log_odds_are_within_reason_at_both_ends():
    told = log_odds(np.array([0.0, 1.0]), np.zeros(2))
    assert told == pytest.approx([-9.21, 9.21], abs=0.01)


def test_level_errors_are_in_the_order_of_time():
    cutoffs = pd.DatetimeIndex(pd.to_datetime(["2024-02-01", "2024-01-01"] * 2))
    found = level_errors(np.zeros(4), np.array([1, 0, 1, 0]), cutoffs)
    assert found.index.is_monotonic_increasing
    assert found.iloc[0] < 0 < found.iloc[1]


def test_an_anchor_that_says_the_contrary_has_no_weight():
    rng = np.random.default_rng(0)
    margin, anchor = rng.normal(size=(2, 20_000))
    left = (rng.random(20_000) < 1 / (1 + np.exp(0.5 * anchor - margin))).astype(int)
    assert fit_anchored(margin, anchor, left, np.zeros(20_000, int), latest=(margin, anchor)).weight == 0


# churn


def test_the_season_is_that_of_the_clients_as_they_stand_now():
    X, left, _ = panel(cutoffs=pd.date_range("2023-01-01", periods=13, freq="30D"))
    X, cutoff = X.assign(silence=0.5), X.index.get_level_values("cutoff")
    spring = left.mask(cutoff == pd.Timestamp("2023-03-02"), 1)  # when all left
    last, model = X.xs(cutoff.max(), level="cutoff"), ChurnModel(anchor="silence", n_estimators=3)
    risk = []
    for day in ("2024-03-01", "2024-06-29"):
        now = pd.concat({pd.Timestamp(day): last}, names=["cutoff"]).swaplevel()
        risk.append(model.fit(X, spring, latest=now).predict_proba(now)[:, 1].mean())
    assert risk[0] > risk[1] + 0.1


@pytest.mark.parametrize(("months", "corrected"), [(6, False), (26, True)])
def test_what_second_opinions_were_always_off_by_is_expected_again_after_a_year(months, corrected):
    X, _, _ = panel(number=200, cutoffs=pd.date_range("2022-01-01", periods=months, freq="30D"))
    left = pd.Series((np.random.default_rng(1).random(len(X)) < 0.1).astype(int), index=X.index)
    X = X.assign(silence=0.6, other=500.0)
    churn = ChurnModel(anchor="silence", n_estimators=3).fit(X, left)
    risk = churn.predict_proba(X)[:, 1].mean()
    assert risk == pytest.approx(0.1 if corrected else 0.35, abs=0.03)  # half way between .1 and .6
    spend = (1 - left) * 50.0
    value = ValueModel(anchor="other", n_estimators=3).fit(X, spend, purchase=churn)
    told = value.predict(X).mean() / spend.mean()
    assert told < 1.5 if corrected else told > 3


def test_the_level_is_set_on_the_latest_cutoff_unless_told_otherwise():
    X, left, _ = panel()
    now = X.index.get_level_values("cutoff") == DAYS[3]
    X = X.assign(silence=np.where(now, 0.8, 0.2), silent=X["silent"].mask(now, 10.0))
    model = ChurnModel(anchor="silence", embargo="30d", n_estimators=3)
    assert model.fit(X, left).calibration_ == model.fit(X, left, latest=X[now]).calibration_


def test_a_line_does_not_go_on_against_what_is_monotone():
    X, left, _ = panel()
    for direction, columns in ((1, (0,)), (-1, ())):
        model = ChurnModel(n_estimators=3, extrapolate=["silent"], monotone={"silent": direction})
        assert model.fit(X, left).line_.columns == columns


def test_another_seed_deals_other_rows_to_calibrate_on():
    left = np.tile([0, 1, 1], 40)
    one, other = (ChurnModel(random_state=seed)._folds(None, left, None) for seed in (0, 1))
    assert [held.tolist() for _, held in one] != [held.tolist() for _, held in other]


def test_an_even_chance_is_no_churn():
    X, left, _ = panel()
    model = ChurnModel(n_estimators=3).fit(X, left)
    model.calibration_ = PlattScaling(slope=0.0)
    assert not model.predict(X).any()


# value


def test_the_currency_does_not_matter_where_some_have_no_opinion():
    rng = np.random.default_rng(0)
    opinion = rng.lognormal(3.0, 0.5, 2000)
    spend = opinion**1.2 * rng.lognormal(0.0, 0.3, 2000)
    X = pd.DataFrame({"opinion": np.where(np.arange(2000) % 3, opinion, np.nan)})
    plain, coins = (ValueModel(anchor="opinion").fit(by * X, by * spend).predict(by * X) for by in (1.0, 1000.0))
    assert coins == pytest.approx(1000 * plain, rel=1e-6)


def test_the_season_of_the_second_opinion_is_added():
    days = pd.to_datetime(["2024-03-01", "2024-06-01", "2024-09-01", "2024-12-01"])
    X = pd.DataFrame({"other": 1.0}, index=pd.MultiIndex.from_product([[1], days], names=["client_id", "cutoff"]))
    now = pd.DatetimeIndex(["2025-03-01"])
    error = ValueModel()._error_to_come(X, np.exp([0.4, 0, 0, 0]), np.ones(4), now)
    years = (days[-1] - days[0]) / YEAR
    assert error == pytest.approx(0.1 * years / (years + 4) + 0.15, abs=0.005)  # as in `seasonal_error`


def test_the_opinion_is_the_anchors_chance_of_buying_times_its_spend():
    X, left, spend = panel()
    X = X.assign(silence=(X["silent"] / 250).clip(0.05, 0.95), other=50.0)
    churn = ChurnModel(anchor="silence", n_estimators=5).fit(X, left)
    model = ValueModel(anchor="other", n_estimators=5).fit(X.reset_index(drop=True), spend.to_numpy(), purchase=churn)
    assert model.predict(X).sum() == pytest.approx(((1 - X["silence"]) * 50).sum())


def test_only_who_has_an_opinion_sets_the_level():
    X, _, spend = panel()
    plain = X.reset_index(drop=True).assign(other=np.where(np.arange(len(X)) % 3, 50.0, np.nan))
    model = ValueModel(anchor="other", n_estimators=5).fit(plain, spend.to_numpy())
    told, known = model.forecast(plain), plain["other"].notna()
    assert told["expected_value"][known].sum() == pytest.approx(50 * told["purchase_probability"][known].sum())


def test_a_cutoff_at_which_nobody_spent_says_nothing_of_the_level():
    X, _, spend = panel()
    first = X.index.get_level_values("cutoff") == DAYS[0]
    model = ValueModel(anchor="other", n_estimators=5).fit(X.assign(other=50.0), spend.mask(first, 0.0))
    assert model.level_ > 0.1


def test_its_own_model_of_who_buys_has_its_embargo():
    X, _, spend = panel()
    assert ValueModel(n_estimators=3, embargo="60d").fit(X, spend).purchase_.calibration_cutoffs_ == (DAYS[2], DAYS[3])


def test_its_own_model_of_who_buys_has_its_seed():
    X, _, spend = panel()
    assert ValueModel(n_estimators=3, random_state=7).fit(X, spend).purchase_.random_state == 7


# portfolio


def test_tenths_of_equal_predictions_are_tenths_and_a_tenth_is_off_from_the_rest_only():
    rows = pd.DataFrame(
        {"cutoff": 0, "expected": 10.0, "spread": 10**1.5, "error": 0.0, "value": [15.0] * 10 + [5.0] * 10}
    )
    # Each tenth is off by a half: own² (1 - 1/10) = 0.25.
    assert _excess_of_tenths(rows, 0.0) == pytest.approx(0.25 / 0.9)


def test_a_negative_prediction_counts_as_nothing():
    value, cutoff = [0.0, 12.0, 9.0, 30.0], pd.to_datetime(["2024-01-01"] * 4)
    below, at = (PortfolioErrors.learn(value, [e, 10.0, 10.0, 20.0], cutoff=cutoff, reach="90d") for e in (-5.0, 0.0))
    assert below == at


def test_an_error_that_is_the_same_at_every_cutoff_is_one():
    days = pd.date_range("2024-01-01", periods=3, freq="91D").repeat(10)
    errors = PortfolioErrors.learn(np.full(30, 13.0), np.full(30, 10.0), cutoff=days, reach="91d")
    assert errors.common**2 == pytest.approx((2 * 0.2**2 + 3 * 0.3**2) / 5)


def test_an_error_that_chance_explains_is_none_and_not_less():
    cutoff = pd.to_datetime(["2024-01-01"] * 20 + ["2024-04-01"] * 20)
    errors = PortfolioErrors.learn(np.tile([0.0, 20.0], 20), np.full(40, 10.0), cutoff=cutoff, reach="91d")
    assert errors.common**2 == pytest.approx(0.2**2 / 2)  # two cutoffs without one, and the two of the prior


# the long run


def test_what_rounding_leaves_is_no_rise():
    stays = [[0.3, 0.1 + 0.2]]
    assert lifetime_value(stays, [10.0], discount_rate=0.0)[0] == pytest.approx(6.0)


def test_a_fade_never_rises_by_rounding():
    class Flat:
        def expected_purchases(self, horizon, frequency, recency, T, *, gap=0.0):
            return np.array([0.3 if gap == 0 else 0.1 + 0.2])

    fade = relative_purchases(Flat(), 3, length=1, frequency=[0], recency=[0], T=[1])
    assert fade.tolist() == [[1.0, 1.0, 1.0]]


def test_survival_below_nothing_is_refused():
    with pytest.raises(ValueError, match="from 0 to 1"):
        lifetime_value([[0.9, -0.1]], [1.0], discount_rate=0.1)


def test_spend_that_is_not_known_in_one_period_is_refused():
    with pytest.raises(ValueError, match="`spend` must be finite; it is not at position 1"):
        lifetime_value([[0.9, 0.8]] * 2, [[1.0, 1.0], [1.0, np.nan]], discount_rate=0.1)


def test_what_is_paid_in_the_last_period_says_whether_there_is_a_bound():
    told = lifetime_value([[1.0, 1.0]], [[10.0, 0.0]], discount_rate=0.0, beyond="last retention")
    assert told.tolist() == [10.0]
    with pytest.raises(ValueError, match="the value has no bound"):
        lifetime_value([[1.0, 1.0]], [[0.0, 10.0]], discount_rate=0.0, beyond="last retention")


def test_half_at_the_end_of_what_was_seen_is_the_median():
    curves = Curves.of(np.array([[0.75, 0.5]]), period=30)
    assert curves.median_days(60).tolist() == [60.0]
    assert np.isnan(curves.median_days(59)).all()


def test_the_last_year_of_half_years_is_two_of_them():
    carried = Curves.of(np.array([[0.9, 0.9, 0.45]]), period=183).carry_on(4 * 183)
    assert carried.stay([4 * 183])[0, 0] == pytest.approx(0.45 * np.sqrt(0.45 / 0.9))


# holding out


def test_the_stretch_counts_from_the_latest_cutoff_learned_from():
    X, *_ = panel(cutoffs=DAYS[:5], reach=365)
    assert hold_out(X, embargo=None).stretch == pytest.approx(np.sqrt(365 / 90))  # days 0 and 30 to day 120


def test_copies_set_their_level_on_the_clients_held_out():
    X, _, spend = panel(reach=60)
    model, X = ValueModel(anchor="other", n_estimators=3), X.assign(other=50.0)
    X.attrs["reach_days"] = 60
    at = X.index.get_level_values("cutoff")
    now = X[at == DAYS[2]]
    by_hand = ValueModel(anchor="other", n_estimators=3).fit(X[at == DAYS[0]], spend[at == DAYS[0]], latest=now)
    assert held_out_forecast(model, X, spend)[at == DAYS[2]].equals(by_hand.forecast(now))


def test_the_model_is_not_changed():
    X, _, spend = panel()
    model = ValueModel(n_estimators=3)
    held_out_forecast(model, X, spend)
    assert not hasattr(model, "booster_")


def test_another_seed_deals_other_folds():
    one, other = (hold_out(np.zeros((30, 1)), embargo=None, random_state=seed).pairs for seed in (0, 1))
    assert [held.tolist() for _, held in one] != [held.tolist() for _, held in other]


def test_one_cutoff_needs_no_embargo():
    X, *_ = panel(cutoffs=DAYS[:1])
    X.attrs.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert hold_out(X, embargo=None).through == "clients"


def test_one_row_is_too_little_to_hold_another_out():
    assert hold_out(np.zeros((2, 1)), embargo=None).pairs == []


@pytest.mark.parametrize("kind", [ChurnModel, ValueModel])
def test_copies_of_both_models_set_their_level_on_the_clients_held_out(kind, monkeypatch):
    X, left, spend = panel()
    X, labels = X.assign(silence=0.5, other=50.0), pd.DataFrame({"churned": left, "value": spend})
    churn = ChurnModel(anchor="silence", embargo="60d", n_estimators=3).fit(X, left)
    value = ValueModel(anchor="other", embargo="60d", n_estimators=3).fit(X, spend, purchase=churn)
    asked, fit = [], kind.fit
    monkeypatch.setattr(kind, "fit", lambda *rest, **more: asked.append(more.get("latest")) or fit(*rest, **more))
    unsure = Uncertainty.learn(X, labels, churn=churn, value=value, past_spend=spend, reach="60d", random_state=7)
    assert sorted(now.index.unique("cutoff").item() for now in asked) == list(DAYS[2:4])
    assert unsure.intervals.random_state == 7


# intervals


def by_hand(model, X, spend):
    """Coverage of each held-out cutoff by the trees that had not seen it."""
    values, spend, found = X.to_numpy(), spend.to_numpy(), {}
    for seen, held in hold_out(X, embargo=None).pairs:
        law = model._law(model._grow(values[seen], spend[seen]), values[held])
        ends = model.unit_ * law.interval(model.levels_[np.searchsorted(model.edges_, law.mean())])
        found[X.index[held].unique("cutoff")[0]] = ((spend[held] >= ends[:, 0]) & (spend[held] <= ends[:, 1])).mean()
    return found


def test_coverage_at_held_out_cutoffs_is_that_of_their_rows():
    X, _, spend = panel(400)
    model = SpendIntervals(n_estimators=5).fit(X, spend)
    told = by_hand(model, X, spend)
    assert len(set(told.values())) > 1
    assert model.held_out_coverage_ == pytest.approx(told, abs=0.003)


def test_leaves_of_the_quantiles_are_a_twentieth_of_the_buyers(monkeypatch):
    X, _, spend = panel()
    asked, train = [], lgb.train
    monkeypatch.setattr(intervals.lgb, "train", lambda p, *rest: asked.append(p) or train(p, *rest))
    SpendIntervals(n_estimators=1).fit(
        X.reset_index(drop=True).head(200), spend.mask(np.arange(240) % 2 == 0, 0.0)[:200]
    )
    buyers = {p["min_data_in_leaf"] for p in asked if p["objective"] == "quantile"}
    assert max(buyers) <= 100 // 20 < 200 // 20


def told_by(*values):
    return tuple(
        SimpleNamespace(predict=lambda X, num_threads, value=value: np.full(len(X), value)) for value in values
    )


def test_a_law_of_crossing_quantiles_is_put_in_order_and_nothing_takes_in_refunds():
    X, _, spend = panel()
    model = SpendIntervals(n_estimators=1).fit(X, spend)
    model.refund_share_ = 0.2
    law = model._law(told_by(0.1, 3.0, 1.0, 2.0, 5.0, 4.0), np.zeros((1, 2)))
    assert law.sizes[0] == pytest.approx([1, 2, 3, 4, 5], abs=1e-4)
    assert law.nothing.tolist() == [0.2]


def test_means_that_are_alike_make_no_group_without_rows():
    law = SpendLaw(
        np.r_[np.full(700, 0.9), np.linspace(0.8, 0.1, 500)], np.tile(np.arange(1.0, 6), (1200, 1)), 0.0, np.zeros(5)
    )
    model, spend = SpendIntervals(), np.tile([0.0, 1.0, 5.0, 10.0], 300)
    model.unit_ = 1.0
    model._learn_levels(HeldOut([], "rows", None), np.arange(1200), spend, [law])
    assert (model.levels_ > 0).all()


def test_another_seed_holds_out_other_rows_of_intervals(monkeypatch):
    X, _, spend = panel()
    asked = []
    monkeypatch.setattr(intervals, "hold_out", lambda *rest, **more: asked.append(more) or hold_out(*rest, **more))
    SpendIntervals(n_estimators=1, random_state=7).fit(X.reset_index(drop=True), spend.to_numpy())
    assert asked[0]["random_state"] == 7


def test_a_mean_on_an_edge_is_of_the_group_that_it_was_learned_in():
    X, _, spend = panel()
    model = SpendIntervals(n_estimators=1).fit(X, spend)
    model.boosters_ = told_by(0.5, 1.0, 2.0, 3.0, 4.0, 5.0)
    law = model._law(model.boosters_, np.zeros((1, 2)))
    model.edges_, model.levels_ = law.mean(), np.array([0.1, 0.9])
    assert model.predict(X.head(1)) == pytest.approx(model.unit_ * law.interval(np.array([0.1])))


def test_spend_at_the_end_of_its_interval_is_covered_at_held_out_cutoffs():
    law = SpendLaw(np.full(3, 0.5), np.tile(np.arange(1.0, 6), (3, 1)), 0.0, np.zeros(5))
    model, rows = SpendIntervals(coverage=0.5), np.arange(3)
    model.unit_, end = 1.0, law.interval(np.full(3, 0.2))[0, 1]
    held_out = HeldOut([(rows, rows)], "rows", DAYS[:1].repeat(3))
    model._learn_levels(held_out, rows, np.array([0.0, end, 1e9]), [law])  # the score of the second is the level
    assert model.held_out_coverage_ == {DAYS[0]: pytest.approx(2 / 3)}


# the law of spend


def test_each_quantile_stands_for_the_levels_nearest_to_it():
    borders = np.array([0.0, *(LEVELS[1:] + LEVELS[:-1]) / 2, 1.0])
    law = SpendLaw(np.zeros(5), np.log1p(np.eye(5)), 0.0, np.zeros(5))  # not rising, but a mean does not ask
    assert law.mean() == pytest.approx(np.diff(borders))


def test_an_interval_does_not_end_before_it_begins_where_all_may_be_missed():
    nothing = np.linspace(0, 0.5, 2001)
    law = SpendLaw(nothing, np.tile(np.arange(1.0, 6), (2001, 1)), 0.0, np.zeros(5))
    lower, upper = law.interval(np.ones(2001)).T
    assert (lower <= upper).all()


def test_a_quantile_below_nothing_counts_as_nothing_in_the_mean():
    sizes = np.array([[-1.0, -0.5, 0.5, 1.0, 2.0]])
    laws = [SpendLaw(np.zeros(1), each, 0.0, np.zeros(5)) for each in (sizes, np.maximum(sizes, 0.0))]
    assert laws[0].mean() == pytest.approx(laws[1].mean())


# survival


def lives(X, left):
    duration = pd.Series(1 + np.arange(len(X)) % 3, index=X.index)
    duration.attrs.update(period_days=30, silence_days=0)
    return duration


def test_a_period_of_one_day_is_one():
    X, left, _ = panel()
    model = SurvivalModel(n_estimators=2, period="1d").fit(X, lives(X, left), left)
    assert model.calibration_cutoffs_ == tuple(DAYS[1:4])


@pytest.mark.parametrize("cutoffs", [True, False])
def test_each_fold_has_its_level_and_only_cutoffs_shrink(cutoffs, monkeypatch):
    X, left, _ = panel()
    seen, fit = {}, survival.fit_platt
    monkeypatch.setattr(
        survival,
        "fit_platt",
        lambda m, c, g, through_time: seen.update(g=g, t=through_time) or fit(m, c, g, through_time=through_time),
    )
    table = X if cutoffs else X.reset_index(drop=True)
    SurvivalModel(n_estimators=2).fit(table, lives(table, left), left.set_axis(table.index))
    assert (len(np.unique(seen["g"])), seen["t"]) == ((3, True) if cutoffs else (5, False))


def test_nobody_left_among_those_learned_from():
    X, left, _ = panel()
    first = X.index.get_level_values("cutoff") == DAYS[0]
    model = SurvivalModel(n_estimators=2).fit(X, lives(X, left), left.mask(first, 0))
    assert model.calibration_cutoffs_ == tuple(DAYS[2:4])


def test_a_cutoff_of_which_no_period_is_known_calibrates_nothing():
    X, left, _ = panel()
    last = X.index.get_level_values("cutoff") == DAYS[3]
    duration = lives(X, left)
    duration[last] = 0
    model = SurvivalModel(n_estimators=2).fit(X, duration, left.mask(last, 0))
    assert model.calibration_cutoffs_ == tuple(DAYS[1:3])


def test_a_silence_longer_than_the_period():
    X, left, _ = panel()
    model = SurvivalModel(n_estimators=2, silence="60d").fit(X, lives(X, left), left)
    assert model.calibration_cutoffs_ == (DAYS[3],)


def test_another_seed_grows_other_trees_of_lives_and_deals_other_folds():
    X, left, _ = panel()
    one, other = (SurvivalModel(n_estimators=5, random_state=seed).fit(X, lives(X, left), left) for seed in (0, 1))
    assert not np.array_equal(one.predict_survival(X), other.predict_survival(X))
    known = np.ones(len(X), int), left.to_numpy(), None, pd.Timedelta(0)
    dealt = [[fold.held_out.tolist() for fold in model._folds(None, *known)] for model in (one, other)]
    assert dealt[0] != dealt[1]


# the loyalty score


def test_a_probability_below_0_is_refused():
    with pytest.raises(ValueError, match=r"within \[0, 1\]; got -0\.1"):
        loyalty_score(pd.DataFrame({"days_since_last": [1.0, 2.0]}), [0.1, -0.1])


def test_rounding_makes_no_score_above_100():
    panel = pd.DataFrame({"discount_share_365d": [0.0], "visits_count_90d": [30.0]})
    for weight in np.arange(1, 200) / 10:
        weights = LoyaltyWeights(price_independence=0.1, engagement=weight)
        assert loyalty_score(panel, [0.0], weights=weights).loc[0, "loyalty_score"] <= 100


def test_a_frequency_below_nothing_is_no_purchase_after_the_first():
    panel = pd.DataFrame({"days_since_last": 10.0, "frequency": [-1.0, 0.0], "T": 100.0})
    none, once = loyalty_score(panel)["staying"]
    assert none == once > 0


# segments


def panel_of(*rows):
    return pd.DataFrame(rows, columns=segments.RFM_FEATURES, dtype="float64")


def test_tiers_are_cut_by_the_value_if_staying():
    scores = pd.DataFrame({"churn_probability": 0.5, "expected_value": np.arange(11.0)})
    assert ValueRiskCuts.fit(scores).value == (10, 16)


def test_the_value_is_the_spend_of_the_year():
    cuts = RfmCuts(recency=(1, 2, 3, 4), frequency=(1, 2, 3, 4), monetary=(1, 2, 3, 4))
    assert rfm_segments(panel_of((5, 3, 77.5)), cuts=cuts)["value"].tolist() == [77.5]


def test_unknown_spend_scores_1_where_cuts_lie_below_nothing():
    cuts = RfmCuts(recency=(1, 2, 3, 4), frequency=(1, 2, 3, 4), monetary=(-20, -10, -5, -1))
    assert rfm_segments(panel_of((np.nan, np.nan, np.nan)), cuts=cuts)["monetary_score"].tolist() == [1]


# tuning


def bills(start, end):
    days = pd.date_range(start, end).astype(str)
    return Histories(pd.DataFrame({"client_id": "ann", "event_time": days, "amount": 1.0}))


def test_the_last_origin_is_decided_with_the_last_record():
    """Also where the recording ends before the test cutoff."""
    histories = bills("2024-01-01", "2024-12-31")
    splits = lay_origins(histories, Setting.of(horizon="60d"), before=pd.Timestamp("2025-06-01"))
    assert splits[-1].test == histories.observed_until - pd.Timedelta(days=60)


def verdict(behind, *, default=1.0):
    clients = pd.Index(range(400))
    base = [np.full(400, default)] * 2
    found = tuning._Found(pd.DataFrame(), {}, base, [losses + behind for losses in base])
    return found.verdict([SimpleNamespace(clients=clients)] * 2, seed=0)


def test_a_gain_within_chance_is_not_worth_it():
    told = verdict(np.tile([1.0, -1.04], 200))
    assert told["origins_better"] == 2
    assert told["upper"] > 0
    assert not told["worth_it"]


def test_a_gain_is_measured_against_the_score_of_the_defaults():
    """A hundredth of a score of 4 is a quarter of a percent, and of a score of 1 more than half of one."""
    assert [verdict(np.full(400, -0.01), default=default)["worth_it"] for default in (4.0, 1.0)] == [False, True]


def test_each_model_has_half_of_the_time(monkeypatch):
    asked = []

    def search(*_, timeout, **__):
        asked.append(timeout)
        return SimpleNamespace(best={}, trials=pd.DataFrame(), verdict=lambda *_, **__: {})

    monkeypatch.setattr(tuning, "_search", search)
    monkeypatch.setattr(tuning._Origin, "of", lambda *_: None)
    monkeypatch.setattr(tuning, "lay_origins", lambda *_, **__: ())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuning, "Tuning", lambda *_: None)
        tune(SimpleNamespace(histories=None, setting=None, count_steps=len), before=None, timeout=60)
    assert asked == [30, 30]


def origin_of(seen=None):
    """An origin whose models predict the same of everybody."""
    churn = SimpleNamespace(predict_proba=lambda X: np.full((len(X), 2), 0.5))
    value = SimpleNamespace(predict=lambda X: np.full(len(X), 10.0))
    lesson = SimpleNamespace(
        labels=pd.DataFrame({"value": [30.0, -10.0, 0.0, 0.0]}),
        fit_churn=lambda parameters, *, seed=0: (seen.append(seed), churn)[1],
        fit_value=lambda parameters, *, churn, seed=0: value,
    )
    return tuning._Origin(
        "2024-01-01", lesson, pd.DataFrame(index=range(2)), np.array([0.0, 1.0]), np.array([0.0, 20.0])
    )


def test_the_seed_reaches_the_models():
    seen = []
    origin_of(seen).churn_losses({}, seed=7)
    assert seen == [7]


def test_money_is_measured_in_the_mean_spend_refunds_apart():
    losses = origin_of().value_losses({}, churn=None, seed=0)
    assert losses == pytest.approx(spend_deviance([0.0, 20 / 7.5], [10 / 7.5] * 2))


# judging

CUTOFFS = pd.to_datetime(["2025-01-01", "2025-04-01"])


def predictions(model="m", clients=20, cutoffs=CUTOFFS, **columns):
    rng, parts = np.random.default_rng(0), []
    for cutoff in cutoffs:
        chance = rng.random(clients)
        rows = {"model": model, "client_id": range(clients), "cutoff": cutoff, "churn_probability": chance}
        rows |= {
            "expected_value": np.arange(1.0, clients + 1),
            "churned": (rng.random(clients) < chance) * 1.0,
            "value": 1.0,
        }
        parts.append(pd.DataFrame(rows))
    return pd.concat(parts, ignore_index=True).assign(**columns)


def test_a_draw_without_a_figure_at_one_cutoff_has_no_mean():
    rows = predictions(clients=4, churned=[1.0, 0, 0, 0, 1, 1, 0, 0])
    judged = judge(rows, draws=200)
    drawn = judged.draws[0, :, judged.metrics.index("auc")].mean(axis=0)
    told = judged.means().set_index("metric").loc["auc"]
    assert [told["lower"], told["upper"]] == pytest.approx(np.nanquantile(drawn, [0.025, 0.975]))


def test_lifts_are_those_of_the_shares_found():
    frame = gain_frame(predictions())
    for name in ("lowest", "highest"):
        assert frame[f"lift_{name}"].tolist() == pytest.approx((frame[name] / frame["contacted"]).tolist(), nan_ok=True)
    assert (frame["lift_highest"] > frame["lift_lowest"]).any()


def test_tenths_are_those_of_each_model():
    both = pd.concat(
        [predictions(), predictions("dear").assign(expected_value=lambda rows: 100 * rows["expected_value"])]
    )
    frame = value_frame(both, draws=2)
    assert frame["decile"].tolist() == [*range(1, 11)] * 2
    assert (frame["clients"] == 4).all()


def test_both_ends_belong_to_the_interval():
    rows = predictions(value=0.0, value_lower=0.0, value_upper=5.0)
    assert (coverage_frame(rows)["coverage"] == 1).all()


def test_the_error_nearest_to_nothing_is_bold():
    over = predictions(value=10.0, expected_value=12.0)
    page = as_html(judge(pd.concat([over, over.assign(model="u", expected_value=5.0)]), draws=2))
    assert "<b>0.200</b>" in page
    assert "<b>-0.500</b>" not in page


def test_the_mean_has_its_interval_where_one_cutoff_has_no_figure():
    rows = predictions().assign(churned=lambda rows: rows["churned"].where(rows["cutoff"] > CUTOFFS[0], 1.0))
    other = rows.assign(model="o", churn_probability=0.5)
    told = judge(pd.concat([rows, other]), draws=50).compare("m", "o").query("metric == 'auc'").iloc[-1]
    assert np.isfinite([told["difference"], told["lower"], told["upper"]]).all()


@pytest.mark.parametrize("name", ["means", "compare", "value", "coverage"])
def test_a_level_that_is_given_holds(name):
    rows = pd.concat([predictions(value_lower=0.0, value_upper=[0.5, 1.5] * 20), predictions("o", expected_value=2.0)])
    rows["value"] = np.tile(np.arange(20.0), 4)
    judged, width = judge(rows, draws=100), {}
    for level in (0.5, 0.99):
        told = {
            "means": lambda level: judged.means(level=level),
            "compare": lambda level: judged.compare("m", "o", level=level).query("cutoff.isna()"),
            "value": lambda level: value_frame(rows, draws=100, level=level),
            "coverage": lambda level: coverage_frame(rows, level=level),
        }[name](level)
        width[level] = (told["upper"] - told["lower"]).sum()
    assert 0 < width[0.5] < 0.9 * width[0.99]


def test_another_seed_draws_other_clients_for_the_tenths():
    rows = predictions(value=np.tile(np.arange(20.0) ** 2, 2), expected_value=np.repeat([1.0, 2.0], 20))
    one, other = (value_frame(rows, draws=20, seed=seed)["upper"].tolist() for seed in (0, 1))
    assert one != other


def test_there_are_as_many_groups_as_asked_for():
    assert len(calibration_frame(predictions(), bins=4)) == 4


def test_chances_that_are_certain_alike_are_tied_in_every_draw():
    left, chance, money = np.array([0.0, 1.0]), np.array([0.0, 1e-12]), np.ones(2)
    drawn = Resampled(left, chance, money, money, money, money)
    told = dict(zip(drawn.names, drawn.figures(np.ones(2)), strict=True))
    assert told["auc"] == churn_metrics(left, chance)["auc"] == 0.5
