"""Backtest: nothing known at or after a test cutoff moves what is predicted there, and the judging is honest."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import loyalty
from loyalty import backtesting
from loyalty.backtesting import backtest, predict_baselines, run_backtest
from loyalty.datasets.synthetic import synthetic_tables
from loyalty.evaluation import churn_metrics, interval_metrics, value_metrics
from loyalty.fitting import Lesson, fit_models
from loyalty.histories import Histories
from loyalty.judging import judge
from loyalty.labels import build_labels
from loyalty.panels import Panels
from loyalty.setting import Setting
from loyalty.timeline import Outcome

CUTOFF = pd.Timestamp("2025-06-01")
UNTIL = "2026-01-01"
SEASONAL = ("season_sin", "season_cos")
FEW = ["days_since_last", "purchase_days_count_90d", "gap_days_mean", "amount_sum_90d", "refunds_count_365d"]
MODELS = ["naive", "btyd", "lightgbm"]


@pytest.fixture(scope="module")
def tables():
    """A made-up shop, with every tenth purchase reported only weeks later."""
    made, rng = dict(synthetic_tables(250, seed=3).tables), np.random.default_rng(1)
    rows = len(made["purchases"])
    delay = pd.to_timedelta(rng.integers(1, 90, rows) * (rng.random(rows) < 0.1), unit="D")
    return made | {"purchases": made["purchases"].assign(known_at=made["purchases"]["known_at"] + delay)}


@pytest.fixture(scope="module")
def histories(tables):
    return Histories(tables["purchases"], observed_until=UNTIL)


def at_cutoff(purchases, *, features=None):
    """All predictions at the test cutoff. No `first`: where training begins is found in the data."""
    # In steps of 112 days a cutoff falls into the first 60 days of the shop, were they not left out.
    setting = Setting.of(horizon="60d", gap="7d", active="365d", every="112d", at_most=50)
    known = Histories(purchases, observed_until=UNTIL)
    result = run_backtest(Panels(known, setting, features), [CUTOFF])
    return result, result.predictions.drop(columns=["churned", "value"])


@pytest.fixture(scope="module")
def reference(tables):
    result, predictions = at_cutoff(tables["purchases"])
    assert set(predictions["model"]) == set(MODELS)
    assert result.fitted[0].churn.feature_names_in_.size > 30
    return predictions


def one_client(days):
    """Buy for 1 on each of these days."""
    return pd.DataFrame({"client_id": 1, "event_time": days, "amount": 1.0})


def closed_between(last, again, *, first="2024-01-01", end="2024-12-31", **tables):
    """Sell something every day but for those between two."""
    days = pd.date_range(first, end)
    return Histories(one_client(days[(days <= last) | (days >= again)]), observed_until=UNTIL, **tables)


class TestBlindToTheFuture:
    def test_what_became_known_later_may_be_gone(self, tables, reference):
        purchases = tables["purchases"]
        late = purchases["known_at"] >= CUTOFF
        assert (late & (purchases["event_time"] < CUTOFF)).sum() > 10, "few late reports in the data: the test is blunt"
        _, predictions = at_cutoff(purchases[~late])
        assert_frame_equal(predictions, reference, check_exact=True)

    def test_what_became_known_later_may_be_anything(self, tables, reference):
        """Amounts and dates altered; and purchases of every time invented, reported at the very cutoff."""
        purchases, rng = tables["purchases"], np.random.default_rng(0)
        late = purchases["known_at"] >= CUTOFF
        altered = purchases.copy()
        altered.loc[late, "amount"] *= -1000.0
        altered.loc[late, "event_time"] = CUTOFF - pd.to_timedelta(rng.integers(0, 700, late.sum()), unit="D")
        invented = purchases[~late].sample(300, random_state=0).assign(known_at=CUTOFF, amount=1e6)
        older = invented.assign(event_time=invented["event_time"] - pd.Timedelta(days=1500))
        strangers = invented.assign(client_id="Z" + invented["client_id"])
        _, predictions = at_cutoff(pd.concat([altered, invented, older, strangers]))
        assert_frame_equal(predictions, reference, check_exact=True)

    def test_what_was_known_just_before_is_seen(self, tables, reference):
        """The same inventions, known a microsecond earlier, change every model: the tests above are not blunt."""
        purchases = tables["purchases"]
        known = purchases[purchases["known_at"] < CUTOFF].sample(300, random_state=0)
        moment = CUTOFF - pd.Timedelta(microseconds=1)
        invented = known.assign(known_at=moment, event_time=moment, amount=1e6)
        _, predictions = at_cutoff(pd.concat([purchases, invented]), features=FEW)
        both = predictions.merge(reference, on=["model", "client_id"])
        changed = both["churn_probability_x"] != both["churn_probability_y"]
        assert changed.groupby(both["model"]).mean().gt(0.5).all()

    @pytest.fixture
    def lesson(self, tables):
        """What is learned before the cutoff, of other purchases and texts where they are given."""
        setting = Setting.of(horizon="60d", gap="7d", active="365d", every="60d", at_most=2)

        def lesson(bills=tables["purchases"], letters=tables["contacts"]):
            known = Histories(bills, contacts=letters, observed_until=UNTIL)
            (split,) = setting.splits(known, [CUTOFF])
            assert split.train[-1] == CUTOFF - pd.Timedelta(days=67)
            return Lesson.of(Panels(known, setting, ["days_since_last", "alive_probability", "mood_last"]), split)

        return lesson

    @staticmethod
    def altered(tables, since):
        """Purchases and texts known from then on are anything."""
        rng = np.random.default_rng(0)
        bills, letters = tables["purchases"].copy(), tables["contacts"].copy()
        later, afterwards = bills["known_at"] >= since, letters["known_at"] >= since
        bills.loc[later, "event_time"] = since - pd.to_timedelta(rng.integers(0, 700, later.sum()), unit="D")
        letters.loc[afterwards, "text"] = [f"never said before, number {i}" for i in range(afterwards.sum())]
        letters.loc[afterwards, "satisfaction"] = 1
        return bills, letters

    def test_features_learn_from_what_was_known_at_the_last_training_cutoff(self, tables, lesson):
        """Of a purchase or a text known a microsecond before it is learned."""
        plain, last = lesson(), CUTOFF - pd.Timedelta(days=67)
        bills, letters = self.altered(tables, last)
        assert_frame_equal(lesson(bills, letters).X, plain.X, check_exact=True)
        assert lesson(bills, letters).learned.feedback.model.to_text() == plain.learned.feedback.model.to_text()
        moment = last - pd.Timedelta(microseconds=1)
        bills.loc[bills["known_at"] >= last, ["event_time", "known_at"]] = moment
        letters.loc[letters["known_at"] >= last, ["event_time", "known_at"]] = moment
        changed = lesson(bills, letters)
        assert not changed.X["alive_probability"].equals(plain.X["alive_probability"])
        assert changed.learned.feedback.model.to_text() != plain.learned.feedback.model.to_text()

    def test_how_clients_buy_is_learned_anew_at_the_test_cutoff_from_what_was_known_then(self, tables, lesson):
        plain = lesson()
        bills, letters = self.altered(tables, CUTOFF)
        assert lesson(bills, letters).learned.to_text() == plain.learned.to_text()
        assert_frame_equal(lesson(bills, letters).latest, plain.latest, check_exact=True)
        bills.loc[bills["known_at"] >= CUTOFF, ["event_time", "known_at"]] = CUTOFF - pd.Timedelta(microseconds=1)
        changed = lesson(bills, letters).learned
        assert changed.buying != plain.learned.buying
        assert changed.renewed == plain.learned.renewed == CUTOFF

    def test_the_order_of_rows_does_not_matter(self, tables):
        purchases = tables["purchases"]
        _, straight = at_cutoff(purchases, features=FEW)
        _, mixed = at_cutoff(purchases.sample(frac=1.0, random_state=1), features=FEW)
        assert_frame_equal(straight, mixed, check_exact=True)


class TestSplits:
    def test_no_training_outcome_passes_its_test_cutoff(self, histories, monkeypatch):
        asked = []

        def spy(histories, *, cutoffs, known_before, **options):
            labels = build_labels(histories, cutoffs=cutoffs, known_before=known_before, **options)
            asked.append((known_before, labels.index.get_level_values("cutoff").max()))
            return labels

        monkeypatch.setattr("loyalty.panels.build_labels", spy)
        setting = Setting.of(horizon="60d", gap="7d", active="365d", every="50d", at_most=3)
        tests = pd.to_datetime(["2025-03-01", "2025-06-01"])
        result = run_backtest(Panels(histories, setting, FEW), list(tests))
        assert [fitted.split.test for fitted in result.fitted] == list(tests)
        for fitted in result.fitted:
            assert len(fitted.split.train) == 3
            latest = fitted.labels.index.get_level_values("cutoff").max()
            assert latest == fitted.split.train[-1] == fitted.split.test - pd.Timedelta(days=67)
            assert fitted.churn.embargo == pd.Timedelta(days=67)
            assert fitted.rows == len(fitted.labels)
        learned = [(known, latest) for known, latest in asked if known is not None]
        assert {known for known, _ in learned} == set(tests)
        assert len(learned) == 4  # naive and LightGBM at each
        assert all(latest + pd.Timedelta(days=67) <= known for known, latest in learned)
        assert sum(known is None for known, _ in asked) == 2  # what is judged, is judged by all that was recorded

    def test_begin_sixty_days_after_the_first_purchase_known(self, histories):
        setting = Setting.of(horizon="60d", every="1d", at_most=10_000)
        (split,) = setting.splits(histories, [CUTOFF])
        assert split.train[0] >= histories.first_event + pd.Timedelta(days=60)
        assert split.train[0] - pd.Timedelta(days=1) < histories.first_event + pd.Timedelta(days=60)

    def test_begin_half_way_through_a_short_history(self):
        days = pd.date_range("2024-01-01", "2024-02-19")
        histories = Histories(one_client(days))
        (split,) = Setting.of(horizon="30d", every="1d").splits(histories, ["2024-02-20"])
        assert split.train[-1] == pd.Timestamp("2024-01-21")  # 30 days before; 20 after the first purchase
        assert split.train[0] == pd.Timestamp("2024-01-11")

    def test_a_time_when_the_shop_was_closed_is_not_learned_from(self):
        """Closed from 11 March to 9 April: 30 days, so nobody could buy, and for 30 days more all had been silent."""
        histories = closed_between("2024-03-10", "2024-04-10", first="2024-01-01", end="2024-12-31")
        setting = Setting.of(horizon="20d", gap="5d", every="1d", first="2024-02-01", at_most=1000)
        (split,) = setting.splits(histories, ["2024-09-01"])
        left_out = pd.date_range("2024-02-01", split.train[-1]).difference(split.train)
        # From 17 February the horizon is 22 February to 12 March: two days of 20. For 20 days after, all are silent.
        assert (left_out[0], left_out[-1]) == (pd.Timestamp("2024-02-17"), pd.Timestamp("2024-04-29"))
        assert len(left_out) == (left_out[-1] - left_out[0]).days + 1
        (note,) = setting.left_out(histories, [split, split])
        assert note.startswith("Nothing was bought between 2024-03-10 and 2024-04-10: training cutoffs ")

    def test_older_cutoffs_take_the_place_of_those_left_out(self):
        histories = closed_between("2024-06-10", "2024-07-20", first="2023-01-01", end="2024-12-31")
        setting = Setting.of(horizon="30d", every="30d", at_most=4)
        (split,) = setting.splits(histories, ["2024-09-01"])
        # 4 May is the latest whose horizon ends before 11 June, and 30 days after the opening lie behind the first.
        assert [f"{day:%Y-%m-%d}" for day in split.train] == ["2024-02-04", "2024-03-05", "2024-04-04", "2024-05-04"]
        (later,) = setting.splits(histories, ["2025-01-01"])
        assert setting.left_out(histories, [later]) == []  # closed long before the four that are learned from
        assert later.train[0] == pd.Timestamp("2024-09-03")

    def test_one_wrong_date_long_ago_closes_no_shop(self):
        days = [pd.Timestamp("2019-06-01"), *pd.date_range("2023-01-01", "2024-12-31")]
        histories = Histories(one_client(days), observed_until=UNTIL)
        setting = Setting.of(horizon="30d", first="2023-02-01")
        (split,) = setting.splits(histories, ["2024-06-01"])
        assert len(split.train) == 16
        assert setting.left_out(histories, [split]) == []

    def test_what_was_closed_is_learned_from_where_there_is_nothing_else(self):
        histories = closed_between("2024-02-10", "2024-03-20", first="2024-01-01", end="2024-04-30")
        (split,) = Setting.of(horizon="30d", first="2024-02-01").splits(histories, ["2024-04-15"])
        assert split.train == (pd.Timestamp("2024-02-15"), pd.Timestamp("2024-03-16"))
        (note,) = Setting.of(horizon="30d", first="2024-02-01").left_out(histories, [split])
        assert note.endswith("are learned from, as there are no others.")

    def test_a_time_that_was_not_over_is_not_known_to_be_one(self):
        histories = closed_between("2024-06-10", "2024-07-20")
        setting = Setting.of(horizon="30d", every="7d")
        (during,) = setting.splits(histories, ["2024-07-19"])
        assert pd.Timestamp("2024-06-19") in during.train
        assert setting.left_out(histories, [during]) == []

    @pytest.mark.parametrize(("horizon", "silent"), [("60d", 31), ("20d", 20)])
    def test_who_asks_soon_after_the_opening_is_told(self, horizon, silent):
        """From the opening on for as long as it took, 31 days, but no longer than a horizon."""
        histories, setting = closed_between("2024-03-10", "2024-04-10"), Setting.of(horizon=horizon, first="2024-02-01")
        opened = pd.Timestamp("2024-04-10")
        days = pd.date_range(opened, opened + pd.Timedelta(days=60))
        told = [day for day in days if setting.reopened(histories, [day])]
        # At the opening itself no purchase after it is known yet.
        assert told == list(pd.date_range("2024-04-11", opened + pd.Timedelta(days=silent - 1)))
        (note,) = setting.reopened(histories, [opened, told[0], opened + pd.Timedelta(days=60)])
        assert note.startswith(
            "Nothing was bought between 2024-03-10 and 2024-04-10: at 2024-04-11 whoever has not bought since"
        )
        assert Setting.of(horizon=horizon, kind="contractual").reopened(histories, told) == []

    def test_what_is_left_out_is_told_by_the_backtest(self, tables):
        bills = tables["purchases"]
        closed = bills["event_time"].between("2025-01-10", "2025-02-25")
        histories = Histories(bills[~closed], observed_until=UNTIL)
        panels = Panels(histories, Setting.of(horizon="60d", every="30d", at_most=3), FEW)
        told = [
            note for note in run_backtest(panels, [CUTOFF], draws=10).notes if note.startswith("Nothing was bought")
        ]
        assert len(told) == 1
        soon = run_backtest(panels, ["2025-03-20"], draws=10).notes
        assert sum("at 2025-03-20 whoever has not bought since has been" in note for note in soon) == 1

    def test_contracts_run_on_while_nothing_is_bought(self):
        contracts = pd.DataFrame({"client_id": [1], "start": ["2024-01-01"]})
        histories = closed_between("2024-06-10", "2024-07-20", contracts=contracts)
        setting = Setting.of(horizon="30d", kind="contractual", every="7d")
        (split,) = setting.splits(histories, ["2024-10-01"])
        assert (pd.Series(split.train).diff().dropna() == pd.Timedelta(days=7)).all()
        assert setting.left_out(histories, [split]) == []

    def test_few_clients_are_told(self, tables):
        clients = sorted(tables["purchases"]["client_id"].unique())
        for many, told in ((49, True), (50, False)):
            bills = tables["purchases"]
            histories = Histories(bills[bills["client_id"].isin(clients[:many])], observed_until=UNTIL)
            setting = Setting.of(horizon="60d", every="30d", at_most=4)
            (split,) = setting.splits(histories, [CUTOFF])
            notes = fit_models(Panels(histories, setting, FEW), split).notes()
            assert any("only" in note and "clients to learn from" in note for note in notes) is told

    def test_a_cutoff_before_anything_was_known_is_refused(self, histories):
        setting = Setting.of(horizon="60d")
        with pytest.raises(ValueError, match="2020-01-01 leaves nothing to learn from: no purchase was known"):
            setting.splits(histories, ["2020-01-01"])

    @pytest.mark.parametrize(("every", "kept"), [("91d", False), ("92d", True)])
    def test_season_is_learned_only_from_a_year_of_cutoffs(self, histories, every, kept):
        """Four steps of 91 days are 364, of 92 are 368."""
        setting = Setting.of(horizon="30d", active="180d", every=every, at_most=5)
        panels = Panels(histories, setting, [*FEW, *SEASONAL])
        (split,) = setting.splits(histories, ["2025-09-01"])
        fitted = fit_models(panels, split)
        assert len(split.train) == 5
        wanted = [*FEW, *SEASONAL] if kept else FEW
        assert list(fitted.churn.feature_names_in_) == wanted
        assert list(fitted.value.feature_names_in_) == wanted

    def test_predictions_are_those_of_the_models_and_the_intervals_stand_at_their_level(self, histories):
        setting = Setting.of(horizon="30d", active="180d", at_most=3)
        panels = Panels(histories, setting, FEW)
        (split,) = setting.splits(histories, ["2025-09-01"])
        fitted = fit_models(panels, split)
        panel = panels.at(split.test)
        told, X = fitted.predict(panel), panel[FEW]
        assert told["churn_probability"].tolist() == fitted.churn.predict_proba(X)[:, 1].tolist()
        assert told["expected_value"].tolist() == fitted.value.predict(X).tolist()
        ends = fitted.uncertainty.intervals.predict(X, forecast=fitted.value.forecast(X))
        assert told[["value_lower", "value_upper"]].to_numpy().tolist() == ends.tolist()

    def test_features_that_ask_what_could_not_be_learned(self):
        days = pd.date_range("2024-01-01", "2024-12-31", freq="9D")
        few = Histories(pd.DataFrame({"client_id": "a", "event_time": days, "amount": 1.0}))
        setting = Setting.of(horizon="30d", at_most=2)
        (split,) = setting.splits(few, ["2024-12-01"])
        with pytest.raises(
            ValueError, match="leaves nothing to learn from before 2024-12-01: Only 1 clients had bought"
        ):
            fit_models(Panels(few, setting, ["alive_probability"]), split)

    def test_season_alone_is_not_enough(self, histories):
        setting = Setting.of(horizon="30d", at_most=2)
        (split,) = setting.splits(histories, [CUTOFF])
        with pytest.raises(ValueError, match="`features` names only the season"):
            fit_models(Panels(histories, setting, SEASONAL), split)


class TestPanels:
    def test_each_cutoff_is_computed_once(self, histories):
        said = []
        panels = Panels(histories, Setting.of(horizon="30d"), FEW, on_step=said.append)
        first = panels.at(CUTOFF)
        both = panels.at(CUTOFF - pd.Timedelta(days=30), CUTOFF)
        assert said == ["features at 2025-06-01", "features at 2025-05-02"]
        assert_frame_equal(both.loc[(slice(None), CUTOFF), :], first)
        assert panels.names == FEW
        assert set(FEW) < set(first.columns)  # and what the baselines need

    def test_an_unknown_feature_is_refused_with_the_nearest(self, histories):
        with pytest.raises(ValueError, match="Did you mean 'days_since_last'"):
            Panels(histories, Setting.of(horizon="30d"), ["days_since_lst"])


BILLS = [
    ("a", "2023-12-31", 1.0),
    ("a", "2024-02-25", 9.0),
    ("b", "2024-02-25", 9.0),
    ("c", "2024-02-10", 9.0),
    ("d", "2024-02-10", 9.0),
    # ---- the training cutoff, 1 March, and its outcomes
    ("a", "2024-03-26", 12.0),
    ("e", "2024-03-11", 7.0),
    ("f", "2024-03-20", 3.0),
    ("f", "2024-03-21", -5.0),
    # ---- the test cutoff, 31 March
    ("c", "2024-03-31", 100.0),
]


class TestNaive:
    """Four clients a month ago: two silent for 5 days, one of whom came back; two silent for 20, both gone."""

    def predicted(self, horizon="30d", test="2024-03-31"):
        bills = pd.DataFrame(BILLS, columns=["client_id", "event_time", "amount"])
        histories = Histories(bills, observed_until="2024-07-01")
        setting = Setting.of(horizon=horizon, first="2024-02-15")
        (split,) = setting.splits(histories, [test])
        predictions, parameters, _ = predict_baselines(Panels(histories, setting, ["days_since_last"]), split)
        assert set(parameters) >= {"r", "alpha", "a", "b"}
        assert list(predictions["btyd"].index) == list(predictions["naive"].index)
        return predictions["naive"].droplevel("cutoff")

    def test_churn_is_that_of_clients_silent_as_long(self):
        # At 31 March silent for: a 5 days, e 20; f 11, as nobody before, so the rate of a silence a little shorter;
        # b 35 and c, d 50 are longer than anyone before: the rate of the longest.
        rates = self.predicted()["churn_probability"]
        # Each is drawn towards the rate of all, 3 of 4, as if by ten more clients.
        short, long = (1 + 10 * 0.75) / (2 + 10), (2 + 10 * 0.75) / (2 + 10)
        assert rates.to_dict() == pytest.approx({"a": short, "b": long, "c": long, "d": long, "e": long, "f": short})

    def test_value_is_the_spend_of_the_shortest_window_that_holds_the_horizon(self):
        spend = self.predicted()["expected_value"]  # of 30 days
        assert spend.to_dict() == pytest.approx({"a": 12.0, "b": 0.0, "c": 0.0, "d": 0.0, "e": 7.0, "f": 0.0})

    def test_value_is_prorated(self):
        spend = self.predicted(horizon="45d")["expected_value"]  # half of 90 days, from 1 January
        assert spend.to_dict() == pytest.approx({"a": 10.5, "b": 4.5, "c": 4.5, "d": 4.5, "e": 3.5, "f": 0.0})


@pytest.fixture(scope="module")
def result(histories):
    return backtest(
        histories, cutoffs=["2025-06-01", "2025-11-15"], horizon="60d", active="365d", every="90d", at_most=2
    )


class TestJudging:
    def test_metrics_are_those_of_the_evaluation(self, result):
        judged = result.predictions[result.predictions["cutoff"] == CUTOFF]
        assert set(judged["model"]) == set(MODELS)
        for model, rows in judged.groupby("model"):
            figures = churn_metrics(rows["churned"], rows["churn_probability"])
            figures |= value_metrics(rows["value"], rows["expected_value"])
            if model == "lightgbm":
                figures |= interval_metrics(rows["value"], rows["value_lower"], rows["value_upper"])
            ours = result.metrics[result.metrics["model"] == model].set_index("metric")["value"]
            assert ours.to_dict() == pytest.approx(figures, nan_ok=True, abs=0)

    def test_outcomes_are_those_of_the_labels(self, result, histories):
        labels = loyalty.build_labels(histories, cutoffs=CUTOFF, horizon="60d", active="365d")
        for model in MODELS:
            rows = result.of(model)
            rows = rows[rows["cutoff"] == CUTOFF].set_index(["client_id", "cutoff"])
            assert_frame_equal(rows[["churned", "value"]], labels.astype("float64"), check_names=False)

    def test_a_censored_cutoff_is_predicted_and_not_judged(self, result):
        late = result.predictions[result.predictions["cutoff"] == "2025-11-15"]
        assert len(set(late.groupby("model").size())) == 1
        assert set(late["model"]) == set(MODELS)
        assert late["churn_probability"].between(0, 1).all()
        assert late[["churned", "value"]].isna().all(axis=None)
        assert set(result.metrics["cutoff"]) == {CUTOFF}
        (note,) = [note for note in result.notes if "not judged" in note]
        assert "2025-11-15" in note
        assert "2026-01-14" in note  # when it will be decided
        assert "2026-01-01" in note  # up to when is recorded

    def test_nothing_but_censored_cutoffs(self, histories):
        setting = Setting.of(horizon="60d", at_most=1)
        result = run_backtest(Panels(histories, setting, FEW), [pd.Timestamp("2025-12-15")])
        assert result.metrics.empty
        with pytest.raises(ValueError, match=r"^no cutoff can be judged yet\..* is decided on 2026-02-13"):
            result.summary()
        assert result.predictions["churn_probability"].between(0, 1).all()

    def test_summary_is_the_mean_over_cutoffs(self, small_demo):
        result = small_demo.run.backtest
        summary = result.summary()
        assert list(summary.index) == MODELS
        auc = result.metrics.query("model == 'lightgbm' and metric == 'auc'")["value"]
        assert len(auc) == 2
        assert summary.loc["lightgbm", "auc"] == pytest.approx(auc.mean())
        assert {"auc", "log_loss", "brier", "mae", "gini", "total_error"} <= set(summary.columns)

    def test_summary_with_intervals(self, small_demo):
        result = small_demo.run.backtest
        plain, wide = result.summary(), result.summary(intervals=True)
        assert list(wide.columns) == [(metric, part) for metric in plain for part in ("value", "lower", "upper")]
        assert_frame_equal(wide.xs("value", axis=1, level=1), plain)
        told = wide["log_loss"]
        assert ((told["lower"] < told["value"]) & (told["value"] < told["upper"])).all()
        assert wide["clients"][["lower", "upper"]].isna().all(axis=None)

    def test_metrics_and_comparisons_are_those_of_the_judging(self, small_demo):
        result = small_demo.run.backtest
        judgement = judge(result.predictions, draws=1000, seed=0)
        assert_frame_equal(result.metrics, judgement.by_cutoff())
        assert_frame_equal(result.compare(), judgement.compare("lightgbm"))
        assert_frame_equal(result.compare("btyd", "naive"), judgement.compare("btyd", ["naive"]))

    def test_draws_and_seed_are_those_asked_for(self, histories):
        panels = Panels(histories, Setting.of(horizon="60d", active="365d", at_most=1), FEW)
        result = run_backtest(panels, [CUTOFF], draws=7, seed=3)
        assert result.judgement.draws.shape[-1] == 7
        assert_frame_equal(result.metrics, judge(result.predictions, draws=7, seed=3).by_cutoff())

    def test_intervals_of_a_model_are_judged_and_drawn(self, small_demo):
        """A backtest whose models say between which amounts the value will lie: half of it below twice the expected."""
        given, plain = small_demo.run.backtest, small_demo.run.backtest.predictions
        ours = plain["model"] == "lightgbm"
        told = plain.assign(
            value_lower=np.where(ours, 0.0, np.nan), value_upper=plain["expected_value"].where(ours) * 2
        )
        result = dataclasses.replace(given, predictions=told, draws=20)
        rows = told[ours].dropna(subset="churned")
        inside = rows["value"].between(0.0, rows["value_upper"]).groupby(rows["cutoff"]).mean()
        judged = result.metrics.query("metric == 'coverage'")
        assert set(judged["model"]) == {"lightgbm"}
        assert judged["value"].tolist() == pytest.approx(inside.tolist())
        assert result.plot_coverage(nominal=0.8).to_dict()
        with pytest.raises(ValueError, match="There is no coverage to draw: no model has `value_lower`"):
            dataclasses.replace(given, predictions=plain.drop(columns=["value_lower", "value_upper"])).plot_coverage()

    @pytest.mark.parametrize("name", ["gain", "lift", "calibration", "value", "stability"])
    def test_pictures_take_one_line(self, small_demo, name):
        spec = getattr(small_demo.run.backtest, f"plot_{name}")().to_dict()
        assert spec["title"]["text"].lower().startswith(name)

    def test_pictures_of_chosen_figures(self, small_demo):
        spec = small_demo.run.backtest.plot_stability("auc", "brier").to_dict()
        assert [panel["title"]["text"] for panel in spec["concat"]] == ["AUC", "Brier score"]

    def test_a_notebook_shows_the_main_figures(self, small_demo):
        page = small_demo.run.backtest._repr_html_()
        assert page.startswith("<table>")
        assert all(f"<th>{model}</th>" in page for model in MODELS)

    def test_learning_beats_counting_in_a_world_that_can_be_learned(self, small_demo):
        summary = small_demo.run.backtest.summary()
        assert summary.loc["lightgbm", "auc"] > 0.75
        assert summary.loc["lightgbm", "auc"] > summary.loc["naive", "auc"]
        assert summary.loc["lightgbm", "log_loss"] < summary.loc["naive", "log_loss"] - 0.02
        assert summary.loc["lightgbm", "mae"] < summary.loc["naive", "mae"]


def test_cutoffs_at_which_few_left_are_named():
    def outcomes(left, stayed):
        return pd.Series([1.0] * left + [0.0] * stayed)

    when = pd.date_range("2025-01-01", periods=4, freq="MS")
    told = [outcomes(1, 804), outcomes(20, 5), outcomes(19, 1981), outcomes(0, 0)]
    (note,) = backtesting._few_leavers(dict(zip(when, told, strict=True)))
    assert note.startswith(
        "Few clients left: 1 of 805 at 2025-01-01, 19 of 2,000 at 2025-03-01. How leavers are ranked"
    )
    assert backtesting._few_leavers({when[1]: told[1], when[3]: told[3]}) == []


class TestKinds:
    def test_few_leavers_are_noted_and_the_means_left_alone(self, tables):
        few = tables["purchases"]["client_id"].unique()[:30]
        bills = tables["purchases"][tables["purchases"]["client_id"].isin(few)]
        setting = Setting.of(horizon="60d", active="365d", every="60d", at_most=3)
        result = run_backtest(Panels(Histories(bills, observed_until=UNTIL), setting, FEW), [CUTOFF])
        judged = result.of("lightgbm")["churned"].dropna()
        said = f"Few clients left: {int(judged.sum())} of {len(judged)} at 2025-06-01. "
        assert sum(note.startswith(said) for note in result.notes) == 1
        assert (
            result.summary().loc["lightgbm", "auc"]
            == result.metrics.set_index(["model", "metric"]).loc[("lightgbm", "auc"), "value"]
        )

    def test_contracts(self, tables):
        histories = Histories(tables["purchases"], contracts=tables["contracts"], observed_until=UNTIL)
        setting = Setting.of(horizon="90d", gap="14d", kind="contractual", every="60d", at_most=3)
        result = run_backtest(Panels(histories, setting, FEW), [CUTOFF])
        assert sorted(set(result.predictions["model"])) == ["lightgbm", "naive"]
        assert result.btyd_parameters == {CUTOFF: {}}
        (note,) = [note for note in result.notes if note.startswith("Buy-till-you-die")]
        assert "as a baseline they are left out" in note
        assert "Features made of them" in note
        rows = result.of("lightgbm").set_index(["client_id", "cutoff"])
        holders = histories.population(cutoff=CUTOFF, kind="contractual").execute()
        assert sorted(rows.index.get_level_values("client_id")) == sorted(holders["client_id"])
        labels = loyalty.build_labels(histories, cutoffs=CUTOFF, horizon="90d", gap="14d", kind="contractual")
        judged = rows.dropna(subset="churned")
        assert sorted(judged.index) == sorted(labels.index)  # a contract that ends in the gap is not judged
        assert result.metrics.set_index(["model", "metric"]).loc[("lightgbm", "clients"), "value"] == len(labels)

    @pytest.mark.parametrize(
        ("kind", "features", "going_on"),
        [
            ("non-contractual", None, ["days_since_last", "frequency", "T"]),
            ("non-contractual", ["T", "days_since_last", "gap_days_mean"], ["days_since_last", "T"]),
            ("non-contractual", ["gap_days_mean"], []),
            ("contractual", None, []),
        ],
    )
    def test_silence_goes_on_with_recency_frequency_and_age(self, tables, kind, features, going_on):
        histories = Histories(tables["purchases"], contracts=tables["contracts"], observed_until=UNTIL)
        setting = Setting.of(horizon="60d", kind=kind, every="60d", at_most=2)
        (split,) = setting.splits(histories, [CUTOFF])
        lesson = Lesson.of(Panels(histories, setting, features), split)
        churn = lesson.fit_churn()
        assert churn.extrapolate == going_on
        read = [lesson.X.columns[column] for column in churn.line_.columns]
        assert set(read) <= set(going_on)
        assert bool(read) == bool(going_on)

    def test_buy_till_you_die_that_cannot_be_fitted_is_a_note(self, histories, monkeypatch):
        def refuse(self, *_):
            raise ValueError("nobody came back")

        monkeypatch.setattr(backtesting.BuyTillYouDie, "fit", refuse)
        setting = Setting.of(horizon="60d", at_most=1)
        result = run_backtest(Panels(histories, setting, FEW), [CUTOFF])
        assert sorted(set(result.predictions["model"])) == ["lightgbm", "naive"]
        assert "Buy-till-you-die models could not be fitted at 2025-06-01: nobody came back" in result.notes

    def test_buy_till_you_die_knows_the_gap(self, histories):
        """What is bought in the gap does not count, and some leave in it: silence is likelier for everyone."""
        silent = []
        for gap in ("0d", "30d"):
            setting = Setting.of(horizon="60d", gap=gap, active="365d", at_most=1)
            (split,) = setting.splits(histories, [CUTOFF])
            predictions, _, _ = predict_baselines(Panels(histories, setting, FEW), split)
            silent.append(predictions["btyd"]["churn_probability"])
        assert (silent[1] > silent[0]).all()

    def test_buy_till_you_die_that_did_not_converge_is_a_note(self, histories, monkeypatch):
        fit = backtesting.BuyTillYouDie.fit

        def doubtful(self, *inputs):
            fit(self, *inputs)
            self.converged_, self.message_ = False, "it wanders off"
            return self

        monkeypatch.setattr(backtesting.BuyTillYouDie, "fit", doubtful)
        setting = Setting.of(horizon="60d", at_most=1)
        (split,) = setting.splits(histories, [CUTOFF])
        predictions, _, notes = predict_baselines(Panels(histories, setting, FEW), split)
        assert "btyd" in predictions
        assert any("it wanders off" in note for note in notes)


class TestRefusals:
    def test_nobody_to_predict(self, histories):
        with pytest.raises(ValueError, match="no client stands at the test cutoff 2027-01-01"):
            backtest(histories, cutoffs="2027-01-01", horizon="60d", active="30d", first="2025-01-01", at_most=1)

    def test_nobody_to_learn_from(self, histories):
        setting = Setting.of(horizon="30d", first="2022-01-01", at_most=1)
        (split,) = setting.splits(histories, ["2023-01-20"])
        with pytest.raises(ValueError, match="no client stands at its training cutoffs, 2022-12-21 to 2022-12-21"):
            fit_models(Panels(histories, setting, FEW), split)

    @pytest.mark.parametrize(("outcome", "word"), [("stayed", "stayed"), ("left", "left")])
    def test_outcomes_all_alike(self, outcome, word):
        days = pd.date_range("2024-01-01", "2024-06-30", freq="D" if outcome == "stayed" else "400D")
        bills = pd.DataFrame({"client_id": "a", "event_time": days, "amount": 1.0})
        bills = pd.concat([bills, bills.assign(client_id="b")])
        hint = r"`active`, and see whether what was paid" if outcome == "left" else r"`active`\."
        with pytest.raises(ValueError, match=rf"are alike: every client {word}\. .* {hint}"):
            backtest(Histories(bills, observed_until="2024-07-01"), cutoffs="2024-06-01", horizon="30d", at_most=2)

    def test_no_room(self, histories):
        with pytest.raises(ValueError, match="leaves nothing to learn from"):
            backtest(histories, cutoffs="2023-02-15", horizon="60d")


def test_setting_is_read_as_it_is_written():
    setting = Setting.of(horizon="13w", gap="7d", kind="contractual", active="365d", every="2w", first="2024-01-01")
    assert setting.outcome == Outcome.of(horizon="91d", gap="7d")
    assert (setting.active, setting.every) == (pd.Timedelta(days=365), pd.Timedelta(days=14))
    assert (setting.first, setting.at_most, setting.kind) == (pd.Timestamp("2024-01-01"), 24, "contractual")
