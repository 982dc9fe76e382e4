"""An experiment: what a run leaves in its folder, and that it leaves nothing when it fails."""

import json
import math
import re
import shutil
import warnings
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import loyalty
from demo_fixture import Counter
from loyalty import experiment, tracking
from loyalty.config import Config, ReportConfig, read_config, read_histories
from loyalty.experiment import run_experiment, setting_of
from loyalty.histories import HistoriesError, HistoriesWarning
from loyalty.report import page_path, write_card, write_report
from loyalty.report.run_folder import read_run_folder
from loyalty.scoring import Yardsticks
from loyalty.setting import Setting
from subscriptions import gym

METRICS = ["clients", "churn_rate", "auc", "log_loss", "brier", "mean_error", "lift_top_20", "found_top_20"]
METRICS += ["mae", "spearman", "gini", "decile_mape", "total_error"]
TESTS = ["2025-07-05", "2025-10-03"]


def strict(text):
    """Read JSON that has no NaN and no Infinity."""
    return json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))


@pytest.fixture(scope="module")
def metrics(small_demo):
    return strict((small_demo.out / "metrics.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def histories(small_demo):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HistoriesWarning)
        return read_histories(read_config(small_demo.config), small_demo.data)


class TestFiles:
    def test_are_there_and_nothing_else(self, small_demo):
        names = sorted(path.name for path in small_demo.out.iterdir() if path.name != "report.html")
        kept = ["backtest.parquet", "metrics.json", "mlartifacts", "mlflow.db", "model", "scores.parquet"]
        assert names == ["alerts.csv", *kept]
        assert sorted(path.name for path in (small_demo.out / "model").iterdir()) == [
            "bundle.json",
            "churn.json",
            "churn.txt",
            "intervals.json",
            "intervals.txt",
            "learned.json",
            "outlook.json",
            "totals.json",
            "value.json",
            "value.txt",
            "value_whole.txt",
        ]

    def test_backtest_has_every_test_cutoff_and_its_population(self, small_demo, histories):
        backtest = pd.read_parquet(small_demo.out / "backtest.parquet")
        ours = ["client_id", "cutoff", "churn_probability", "expected_value", "value_lower", "value_upper"]
        assert list(backtest) == ours
        assert (backtest["value_lower"] <= backtest["value_upper"]).all()
        wanted = {
            (client, pd.Timestamp(cutoff))
            for cutoff in TESTS
            for client in histories.population(cutoff=cutoff, active="365d").execute()["client_id"]
        }
        assert len(backtest) == len(wanted)
        assert set(zip(backtest["client_id"], backtest["cutoff"], strict=True)) == wanted
        assert backtest["churn_probability"].between(0, 1).all()
        assert (backtest["expected_value"] >= 0).all()
        ours = small_demo.run.backtest.of("lightgbm")[list(backtest)]
        assert_frame_equal(backtest, ours, check_exact=True)

    def test_scores_are_those_of_the_bundle(self, small_demo, histories):
        scores = pd.read_parquet(small_demo.out / "scores.parquet")
        again = loyalty.load(small_demo.out).score(histories, cutoff="2026-01-01")
        assert_frame_equal(scores, again, check_exact=True)
        assert_frame_equal(scores, small_demo.run.scores, check_exact=True)
        standing = histories.population(cutoff="2026-01-01", active="365d").execute()["client_id"]
        assert sorted(scores["client_id"]) == sorted(standing)
        assert scores["reason_1"].isin(list(loyalty.CATALOGUE)).all()

    def test_no_client_is_in_the_models(self, small_demo):
        clients = pd.read_parquet(small_demo.data / "purchases.parquet", columns=["client_id"])["client_id"].unique()
        pattern = re.compile("|".join(map(re.escape, clients)).encode())
        looked = 0
        for folder in ("model", "mlartifacts"):
            for path in (small_demo.out / folder).rglob("*"):
                if path.is_file():
                    looked += 1
                    assert not pattern.search(path.read_bytes()), path
                    assert path.suffix not in {".pkl", ".pickle", ".joblib"}
        assert looked > 12
        assert not pattern.search((small_demo.out / "metrics.json").read_bytes())

    def test_no_words_of_clients_are_in_the_models(self, small_demo, metrics):
        """In the figures stand quotes, and no text but those."""
        texts = pd.read_parquet(small_demo.data / "contacts.parquet", columns=["text"])["text"].dropna().unique()
        written = {text for text in texts if len(text) > 12}
        quotes = {quote for theme in metrics["voice"]["themes"] for quote in theme["quotes"]}
        for path in [*(small_demo.out / "model").rglob("*"), small_demo.out / "metrics.json"]:
            if path.is_file():
                kept = path.read_text(encoding="utf-8")
                found = {text for text in written if text in kept}
                assert found == (quotes if path.name == "metrics.json" else set()), path
        assert len(written) > 100

    def test_report_in_both_languages(self, small_demo):
        for language in ("ko", "en"):
            page = write_report(small_demo.out, language=language).read_text(encoding="utf-8")
            assert f'lang="{language}"' in page
            assert "LightGBM" in page or "lightgbm" in page


class TestMetrics:
    def test_question_and_setting(self, metrics, small_demo):
        assert metrics["question"] == read_config(small_demo.config).question
        wanted = {"kind": "non-contractual", "horizon_days": 90, "gap_days": 0, "active_days": 365, "currency": "€"}
        wanted |= {"score_cutoff": "2026-01-01", "test_cutoffs": TESTS, "seed": 0, "language": "en"}
        assert {key: metrics[key] for key in wanted} == wanted
        assert metrics["clients_scored"] == len(small_demo.run.scores)
        assert all(re.fullmatch("[0-9a-f]{32}", metrics[f"{of}_fingerprint"]) for of in ("data", "label"))
        assert {"python", "loyalty", "lightgbm", "pandas"} <= set(metrics["versions"])

    def test_backtest_is_tidy_and_complete(self, metrics, small_demo):
        rows = pd.DataFrame(metrics["backtest"])
        assert list(rows) == ["model", "cutoff", "metric", "value", "lower", "upper"]
        figures = {"naive": METRICS, "btyd": METRICS, "lightgbm": [*METRICS, "coverage", "interval_width"]}
        wanted = [(m, c, k) for c in TESTS for m in figures for k in figures[m]]
        assert list(zip(rows["model"], rows["cutoff"], rows["metric"], strict=True)) == wanted
        assert rows["value"].tolist() == small_demo.run.backtest.metrics["value"].tolist()

    def test_comparison_is_that_of_the_backtest(self, metrics, small_demo):
        rows, ours = pd.DataFrame(metrics["comparison"]), small_demo.run.backtest.compare("lightgbm")
        assert list(rows) == list(ours)
        assert rows["difference"].tolist() == ours["difference"].tolist()
        assert [row["cutoff"] for row in metrics["comparison"][:3]] == [*TESTS, None]
        assert set(rows["baseline"]) == {"naive", "btyd"}

    def test_gain(self, metrics):
        gain = metrics["gain"]
        assert gain["contacted"] == [share / 100 for share in range(101)]
        for name in ("found_mean", "found_low", "found_high"):
            assert len(gain[name]) == 101
            assert (gain[name][0], gain[name][-1]) == (0, pytest.approx(1))
            assert all(earlier <= later + 1e-12 for earlier, later in zip(gain[name], gain[name][1:], strict=False))
        rows = [r["value"] for r in metrics["backtest"] if (r["model"], r["metric"]) == ("lightgbm", "found_top_20")]
        assert gain["found_mean"][20] == pytest.approx(sum(rows) / 2)
        assert (gain["found_low"][20], gain["found_high"][20]) == pytest.approx((min(rows), max(rows)))

    def test_calibration(self, metrics):
        rows = metrics["calibration"]
        assert len(rows) == 10
        assert all(set(row) == {"predicted", "observed", "clients", "lower", "upper"} for row in rows)
        assert [row["predicted"] for row in rows] == sorted(row["predicted"] for row in rows)
        judged = [r["value"] for r in metrics["backtest"] if (r["model"], r["metric"]) == ("lightgbm", "clients")]
        assert sum(row["clients"] for row in rows) == sum(judged)

    def test_drivers(self, metrics):
        drivers = metrics["drivers"]
        assert 0 < len(drivers) <= 12
        for driver in drivers:
            known = loyalty.CATALOGUE[driver["feature"]]
            assert (driver["meaning_en"], driver["meaning_ko"]) == (known.meaning["en"], known.meaning["ko"])
            assert driver["direction"] in {-1, 0, 1}
            assert 0 <= driver["effect_pp"] <= 100
        strengths = [driver["mean_abs_shap"] for driver in drivers]
        assert strengths == sorted(strengths, reverse=True)

    def test_themes_and_what_can_be_acted_upon(self, metrics):
        themes, actionable = pd.DataFrame(metrics["themes"]), pd.DataFrame(metrics["actionable"])
        assert {"rhythm", "value", "service", "promotion"} <= set(themes["theme"])
        assert set(themes["theme"]) <= {feature.theme for feature in loyalty.CATALOGUE.values()} | {"season"}
        assert actionable["actionable"].tolist() == [True, False]
        assert themes["drivers"].sum() == actionable["drivers"].sum() >= len(metrics["drivers"])
        assert themes["share"].sum() == pytest.approx(1)

    def test_drivers_of_the_segments_large_enough(self, metrics, small_demo):
        clients = small_demo.run.scores["segment"].value_counts()
        told = pd.DataFrame(metrics["drivers_by_segment"]).groupby("segment")["clients"]
        assert told.first().to_dict() == clients[clients >= 30].to_dict()
        assert (told.size() <= 5).all()

    def test_drivers_over_time_are_those_of_each_cutoffs_own_model(self, metrics, small_demo):
        over_time, ours = pd.DataFrame(metrics["drivers_over_time"]), small_demo.run.backtest.drivers
        assert over_time["cutoff"].unique().tolist() == [*TESTS, "2026-01-01"]
        assert [row["driver"] for row in metrics["drivers"]] == over_time.query(
            "cutoff == '2026-01-01' and rank <= 12"
        )["driver"].tolist()
        for cutoff in TESTS:
            told = over_time[over_time["cutoff"] == cutoff].set_index("driver")["mean_abs_shap"]
            wanted = ours[ours["cutoff"] == cutoff].set_index("driver")["mean_abs_shap"]
            assert told.to_dict() == pytest.approx(wanted[told.index].to_dict())
        assert [row["cutoff"] for row in metrics["driver_stability"]] == [TESTS[1], "2026-01-01"]

    def test_changed_adds_up_to_the_scores(self, metrics, small_demo, histories):
        changed, today = metrics["changed"], small_demo.run.scores
        assert (changed["since"], changed["days"]) == ("2025-12-02", 30)
        before = loyalty.load(small_demo.out).score(histories, cutoff="2025-12-02")
        both = before.merge(today, on="client_id", suffixes=("_before", ""))
        moved = 100 * (both["churn_probability"] - both["churn_probability_before"]).mean()
        composition = {row["standing"]: row for row in changed["composition"]}
        assert composition["both"]["clients"] == len(both)
        assert composition["both"]["effect_pp"] == pytest.approx(moved)
        assert composition["all"]["after_pp"] == pytest.approx(100 * today["churn_probability"].mean())
        assert composition["all"]["before_pp"] == pytest.approx(100 * before["churn_probability"].mean())
        assert sum(row["change_pp"] for row in changed["themes"]) == pytest.approx(moved)  # all clients are explained

    def test_totals_are_sums_within_their_interval(self, metrics, small_demo):
        scores = small_demo.run.scores
        assert set(metrics["totals"]) == {"expected_value", "value_at_risk"}
        for name, rows in metrics["totals"].items():
            whole, *parts = rows
            assert (whole["segment"], whole["clients"]) == ("all", len(scores))
            assert whole["lower"] < whole["expected"] < whole["upper"]
            assert whole["expected"] == pytest.approx(scores[name].sum())
            sums = scores.groupby("segment")[name].sum()
            assert {row["segment"]: row["expected"] for row in parts} == pytest.approx(sums.to_dict())

    def test_the_long_run_is_the_sum_over_clients(self, metrics, small_demo):
        scores, told = small_demo.run.scores, metrics["long_run"]
        assert (told["years"], told["discount_rate"], told["margin"], told["staying"]) == (3.0, 0.1, 1.0, [])
        assert scores["long_run_value"].notna().all()
        assert told["value"] == pytest.approx(scores["long_run_value"].sum())
        # Twelve horizons of 90 days and a bit; each is worth the first at the most.
        assert (scores["long_run_value"] <= 12.2 * scores["expected_value"]).all()
        assert (scores["long_run_value"] >= scores["expected_value"] * 0.98).all()
        assert "these clients will be worth" in write_report(small_demo.out).read_text(encoding="utf-8")

    def test_intervals_are_counted_where_they_were_judged(self, metrics, small_demo):
        judged = small_demo.run.backtest.of("lightgbm")
        assert [row["cutoff"] for row in metrics["intervals"]] == TESTS
        for row in metrics["intervals"]:
            here = judged[judged["cutoff"] == row["cutoff"]]
            within = here["value"].between(here["value_lower"], here["value_upper"])
            assert (row["clients"], row["coverage"]) == (len(here), pytest.approx(within.mean()))
            assert row["value"] == pytest.approx(here["value"].sum())
            assert row["expected"] == pytest.approx(here["expected_value"].sum())
            assert row["lower"] < row["expected"] < row["upper"]

    def test_who_left_a_year_ago_and_came_back_is_counted(self, metrics, small_demo):
        bills = pd.read_parquet(small_demo.data / "purchases.parquet").query("known_at < '2026-01-01'")
        when, active = bills["event_time"], pd.Timedelta(days=metrics["active_days"])
        since, bought = pd.Timestamp("2025-01-01"), bills["amount"] > 0
        stood = set(bills.loc[when.between(since - active, since, inclusive="left"), "client_id"])
        stood &= set(bills.loc[bought & (when < since), "client_id"])
        soon, late = (
            set(bills.loc[bought & when.between(since, since + pd.Timedelta(days=days), inclusive="left"), "client_id"])
            for days in (90, 365)
        )
        left = stood - soon
        assert metrics["came_back"] == {
            "since": "2025-01-01", "left": len(left), "share": pytest.approx(len(left & late) / len(left))
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("share", "kind", "told"),
        [(0.51, "non-contractual", True), (0.5, "non-contractual", False), (0.9, "contractual", False)],
    )
    def test_that_most_come_back_is_noted(self, share, kind, told):
        back = {"since": "2025-01-01", "left": 1200, "share": share}
        notes = experiment._note_of_return(back, Setting.of(horizon="60d", kind=kind))
        assert len(notes) == told
        assert all(
            note.startswith("Of 1,200 who bought nothing in the 60 days from 2025-01-01 on, 51% bought again within")
            for note in notes
        )
        assert experiment._note_of_return(None, Setting.of(horizon="60d")) == []

    def test_hindsight_is_that_of_the_first_test_cutoff(self, metrics, small_demo):
        seen = metrics["hindsight"]
        assert {row["cutoff"] for row in seen} == {TESTS[0]}
        assert [row["days"] for row in seen] == list(range(90, 90 * len(seen) + 1, 90))
        told = small_demo.run.backtest.of("lightgbm")
        first = told[told["cutoff"] == TESTS[0]]
        assert seen[0]["told"] == pytest.approx(first["expected_value"].sum())
        assert seen[0]["came"] == pytest.approx(first["value"].sum())
        assert all(row["clients"] == len(first) for row in seen)
        assert not any("was never seen to come true" in note for note in small_demo.run.backtest.notes)

    def test_baselines_have_no_intervals(self, small_demo):
        predictions = small_demo.run.backtest.predictions.set_index("model")[["value_lower", "value_upper"]]
        assert predictions.loc["lightgbm"].notna().all(axis=None)
        assert predictions.drop(index="lightgbm").isna().all(axis=None)

    def test_movement_is_that_of_the_same_bundle_a_month_before(self, metrics, small_demo, histories):
        moved, today = metrics["movement"], small_demo.run.scores
        assert (moved["since"], moved["days"]) == ("2025-12-02", 30)
        before = loyalty.load(small_demo.out).score(histories, cutoff="2025-12-02")
        assert moved["loyalty_score"] == pytest.approx(before["loyalty_score"].mean())
        both = before.merge(today, on="client_id", how="outer", suffixes=("_before", ""))
        for column in ("segment", "rfm_segment"):
            pairs = both[f"{column}_before"].fillna("new"), both[column].fillna("gone")
            wanted = both.groupby(list(pairs)).size().to_dict()
            assert {(row["from"], row["to"]): row["clients"] for row in moved[column]} == wanted

    def test_yardsticks_are_those_of_the_bundle(self, metrics, small_demo):
        assert Yardsticks.from_dict(metrics["yardsticks"]) == loyalty.load(small_demo.out).yardsticks
        features = metrics["yardsticks"]["features"]
        assert {"satisfaction_last", "visits_count_90d", "purchase_days_count_365d"} <= set(features)

    def test_notes_and_baselines(self, metrics, small_demo):
        assert any(note.startswith("The models for scoring learned from ") for note in metrics["notes"])
        assert any("4 cutoffs, 2025-01-06 to 2025-10-03" in note for note in metrics["notes"])
        assert list(metrics["btyd"]) == TESTS
        assert all({"r", "alpha", "a", "b"} <= set(found) for found in metrics["btyd"].values())


def test_progress_takes_exactly_the_steps_announced(small_demo):
    assert len(small_demo.progress.steps) == small_demo.progress.total > 10
    assert small_demo.progress.steps[0] == "histories"
    assert small_demo.progress.steps[-1] == "MLflow"
    assert len(set(small_demo.progress.steps)) == len(small_demo.progress.steps)


class TestTracking:
    def test_the_run_and_its_model(self, small_demo):
        client = tracking.MlflowClient(tracking_uri=tracking.tracking_uri(small_demo.out))
        run = client.get_run(small_demo.run.run_id)
        assert run.info.status == "FINISHED"
        assert run.data.tags["data"]
        auc = small_demo.run.backtest.summary().loc["lightgbm", "auc"]
        assert run.data.metrics["lightgbm_auc"] == pytest.approx(auc)
        assert run.data.params["outcome.horizon"] == "90d"
        assert run.data.params["seed"] == "0"
        children = client.search_runs(
            [run.info.experiment_id], filter_string=f"tags.mlflow.parentRunId = '{small_demo.run.run_id}'"
        )
        assert sorted(child.data.tags["cutoff"] for child in children) == TESTS
        assert client.get_experiment(run.info.experiment_id).name == "demo"
        assert [file.path for file in client.list_artifacts(small_demo.run.run_id)] == ["metrics.json"]

    def test_the_signature_names_the_features(self, small_demo):
        (folder,) = [path.parent for path in (small_demo.out / "mlartifacts").rglob("MLmodel")]
        signature = tracking.Model.load(str(folder)).signature
        features = list(loyalty.load(small_demo.out).churn.feature_names_in_)
        assert signature.inputs.input_names() == features
        assert signature.outputs.input_names() == ["churn_probability", "expected_value"]

    def test_the_logged_bundle_is_whole(self, small_demo):
        (logged,) = [path.parent for path in (small_demo.out / "mlartifacts").rglob("bundle.json")]
        files = {path.name: path.read_bytes() for path in logged.iterdir()}
        assert files == {path.name: path.read_bytes() for path in (small_demo.out / "model").iterdir()}
        assert loyalty.load(logged).about == loyalty.load(small_demo.out).about


class TestVoiceAndAlerts:
    def test_alerts_are_listed_in_a_file_and_counted(self, small_demo, histories, metrics):
        scores = small_demo.run.scores
        alerts = loyalty.alert_list(histories, scores, cutoff="2026-01-01")
        written = pd.read_csv(small_demo.out / "alerts.csv")
        assert_frame_equal(written, alerts.astype({"kind": written["kind"].dtype}), rtol=1e-12)
        assert metrics["alerts"]["limits"] == vars(loyalty.AlertLimits.read(histories, cutoff="2026-01-01"))
        rows = pd.DataFrame(metrics["alerts"]["kinds"])
        assert_frame_equal(rows, loyalty.alert_summary(alerts, scores), rtol=1e-12)
        assert rows["clients"].min() > 0

    def test_the_voice_is_that_of_the_models_own_themes(self, small_demo, histories, metrics):
        learned = loyalty.load(small_demo.out).learned
        voice = loyalty.client_voice(histories, small_demo.run.scores, cutoff="2026-01-01", learned=learned)
        assert metrics["voice"]["days"] == 180
        assert metrics["voice"]["since"] == "2025-07-05"
        told = pd.DataFrame(metrics["voice"]["themes"])
        listed = voice.assign(words=voice["words"].map(list), quotes=voice["quotes"].map(list))
        assert_frame_equal(told, listed, check_dtype=False, rtol=1e-12)
        assert len(voice) > 0

    def test_the_page_can_read_them(self, small_demo, metrics):
        read = read_run_folder(small_demo.out).metrics
        assert read.voice.model_dump(mode="json")["themes"] == metrics["voice"]["themes"]
        assert read.alerts.model_dump() == metrics["alerts"]

    def test_quotes_can_be_left_out(self, small_demo, histories, metrics):
        config = read_config(small_demo.config).model_copy(update={"report": ReportConfig(quotes=False)})
        fitted = SimpleNamespace(learned=loyalty.load(small_demo.out).learned)
        told = experiment._voice(config, histories, small_demo.run.scores, fitted)
        assert [list(theme["quotes"]) for theme in told["themes"]] == [[]] * len(metrics["voice"]["themes"])
        assert any(theme["quotes"] for theme in metrics["voice"]["themes"])


@pytest.fixture
def untracked(monkeypatch):
    """Runs without MLflow, which takes longer than all else; it is tested above and in its own file."""
    logged = []
    monkeypatch.setattr(experiment, "log_experiment", lambda out, **what: logged.append(what) or "run")
    return logged


def tiny(small_demo, **changes):
    """The demo's config with one test cutoff and two features."""
    given = read_config(small_demo.config).model_dump(mode="json") | {"features": ["days_since_last", "amount_sum_90d"]}
    given["cutoffs"] |= {"test": ["2025-10-03"], "at_most": 2}
    for section, values in changes.items():
        given[section] = given[section] | values if isinstance(values, dict) else values
    return Config.model_validate(given)


class TestOtherRuns:
    def test_scores_speak_the_language_of_the_config_and_metrics_name_segments_as_ever(
        self, small_demo, tmp_path, untracked
    ):
        english = run_experiment(tiny(small_demo), data=small_demo.data, out=tmp_path / "en")
        korean = run_experiment(tiny(small_demo, language="ko"), data=small_demo.data, out=tmp_path / "ko")
        written = pd.read_parquet(tmp_path / "ko" / "scores.parquet")
        for name in ("segment", "rfm_segment", "reason_1_text"):
            assert written[name].dropna().str.contains("[가-힣]").all()
            assert not english.scores[name].dropna().str.contains("[가-힣]").any()
        numbers = english.scores.select_dtypes("number").columns
        assert_frame_equal(korean.scores[numbers], english.scores[numbers], check_exact=True)
        told, said = (strict((tmp_path / one / "metrics.json").read_text("utf-8")) for one in ("ko", "en"))
        for name in ("totals", "movement", "drivers_by_segment", "long_run", "alerts", "changed"):
            assert told[name] == said[name]
        assert 'lang="ko"' in write_report(tmp_path / "ko").read_text("utf-8")

    def test_contracts_and_nothing_judged(self, small_demo, tmp_path, untracked):
        """The score cutoff is a test cutoff too: its outcome is not known. Its steps are counted all the same."""
        config = tiny(
            small_demo,
            outcome={"kind": "contractual", "active": None},
            cutoffs={"test": ["2026-01-01"]},
            long_run={"years": 1.0, "discount_rate": 0.0, "margin": 0.25},
        )
        progress = Counter()
        run = run_experiment(config, data=small_demo.data, out=tmp_path / "out", progress=progress)
        assert len(progress.steps) == progress.total
        metrics = strict((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
        assert (metrics["kind"], metrics["active_days"]) == ("contractual", None)
        assert (metrics["backtest"], metrics["gain"], metrics["calibration"], metrics["comparison"]) == (
            [],
            None,
            [],
            [],
        )
        assert metrics["btyd"] == {"2026-01-01": {}}
        assert {name: metrics["long_run"][name] for name in ("years", "discount_rate", "margin")} == {
            "years": 1.0,
            "discount_rate": 0.0,
            "margin": 0.25,
        }
        assert metrics["long_run"]["value"] == pytest.approx(run.scores["long_run_value"].sum())
        # Of two cutoffs 90 days apart, the earlier was followed for two periods.
        assert [row["days"] for row in metrics["long_run"]["staying"]] == [90, 180]
        assert (tmp_path / "out" / "model" / "survival.txt").exists()
        assert_frame_equal(
            loyalty.load(tmp_path / "out").score(read_histories(config, small_demo.data), cutoff="2026-01-01"),
            run.scores,
            check_exact=True,
        )
        assert any("not judged" in note for note in metrics["notes"])
        backtest = pd.read_parquet(tmp_path / "out" / "backtest.parquet")
        both = backtest.merge(run.scores, on="client_id")
        assert len(both) == len(backtest) == len(run.scores)
        assert both["churn_probability_x"].tolist() == both["churn_probability_y"].tolist()  # one cutoff, one model
        assert "<html" in write_report(tmp_path / "out").read_text(encoding="utf-8")
        assert untracked[0]["metrics"] == []

    def test_monthly_fees(self, tmp_path, untracked):
        """Where clients pay by bill recency tells nothing, and no such segment is told; contracts are followed on."""
        bills, contracts = gym(200)
        bills.to_csv(tmp_path / "fees.csv", index=False)
        contracts.to_csv(tmp_path / "contracts.csv", index=False)
        given = {
            "question": "Who cancels?",
            "data": {"purchases": {"path": "fees.csv"}, "contracts": {"path": "contracts.csv"}},
            "outcome": {"kind": "contractual", "horizon": "90d"},
            "cutoffs": {"test": ["2024-04-01", "2024-07-01"], "score": "2025-01-01", "at_most": 4},
            "features": ["days_since_last", "amount_sum_90d", "contract_running_days"],
        }
        progress = Counter()
        run = run_experiment(Config.model_validate(given), data=tmp_path, out=tmp_path / "out", progress=progress)
        assert len(progress.steps) == progress.total
        assert any(note.startswith("There are no segments of recency") for note in run.notes)
        assert run.scores["rfm_segment"].isna().all()
        metrics = strict((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
        assert metrics["yardsticks"]["rfm"] is None
        assert metrics["movement"]["rfm_segment"] == []
        # One curve: at the end of the horizon as many stay as are not told to leave.
        stay = 1 - run.scores["churn_probability"].mean()
        assert metrics["long_run"]["staying"][0] == {"days": 90, "share": pytest.approx(stay)}
        seen = pd.DataFrame(metrics["hindsight"])
        assert seen["cutoff"].unique().tolist() == ["2024-04-01"]
        assert seen.groupby("figure")["days"].apply(list).to_dict() == {
            "value": [90, 180, 270],
            "staying": [90, 180],  # as far as the first of four cutoffs was followed
        }
        page = write_report(tmp_path / "out").read_text(encoding="utf-8")
        assert "Recency" not in page
        assert "Of those under contract on 1 Apr 2024" in page

    def test_too_short_to_calibrate_is_noted(self, small_demo, tmp_path, untracked):
        config = tiny(small_demo, cutoffs={"at_most": 1})
        run_experiment(config, data=small_demo.data, out=tmp_path, progress=None)
        notes = strict((tmp_path / "metrics.json").read_text(encoding="utf-8"))["notes"]
        assert any("none could be held out for calibration" in note for note in notes)

    def test_what_the_run_before_learned_is_gone(self, small_demo, tmp_path, untracked):
        (tmp_path / "model").mkdir()
        (tmp_path / "model" / "learned.json").write_text("of features that this run does not use")
        (tmp_path / "model" / "survival.txt").write_text("of contracts that this run does not know")
        run_experiment(tiny(small_demo, cutoffs={"at_most": 1}), data=small_demo.data, out=tmp_path)
        assert not (tmp_path / "model" / "learned.json").exists()
        assert not (tmp_path / "model" / "survival.txt").exists()
        assert loyalty.load(tmp_path).learned is None

    def test_the_seed_makes_a_difference(self, small_demo, tmp_path, untracked):
        predictions = []
        for seed in (0, 1):
            run_experiment(tiny(small_demo, seed=seed), data=small_demo.data, out=tmp_path / str(seed))
            predictions.append(pd.read_parquet(tmp_path / str(seed) / "backtest.parquet"))
            assert untracked[seed]["parameters"]["seed"] == seed
        assert not predictions[0].equals(predictions[1])
        assert predictions[0]["client_id"].equals(predictions[1]["client_id"])


class TestFailures:
    @pytest.fixture
    def old(self, tmp_path):
        """What another run has left."""
        (tmp_path / "model").mkdir()
        for name in ("backtest.parquet", "scores.parquet", "metrics.json", "model/bundle.json", "model/churn.txt"):
            (tmp_path / name).write_text("old")

        def check():
            files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
            assert len(files) == 5
            assert all(path.read_text() == "old" for path in files)
            assert len(list(tmp_path.iterdir())) == 4  # no litter

        return SimpleNamespace(folder=tmp_path, check=check)

    def test_no_data(self, small_demo, old, untracked):
        with pytest.raises(HistoriesError):
            run_experiment(tiny(small_demo), data=old.folder / "nowhere", out=old.folder)
        old.check()

    def test_a_cutoff_without_room(self, small_demo, old, untracked):
        config = tiny(small_demo, cutoffs={"test": ["2023-02-01"]})
        with pytest.raises(ValueError, match="leaves nothing to learn from"):
            run_experiment(config, data=small_demo.data, out=old.folder)
        old.check()

    def test_nobody_to_score(self, small_demo, old, untracked):
        config = tiny(small_demo, cutoffs={"score": "2027-06-01"}, outcome={"active": "30d"})
        with pytest.raises(ValueError, match=r"\[cutoffs\] score: no client stands at 2027-06-01"):
            run_experiment(config, data=small_demo.data, out=old.folder)
        old.check()

    @pytest.mark.parametrize("error", [OSError("no space left"), KeyboardInterrupt()], ids=["disk", "stopped"])
    def test_the_very_last_step(self, small_demo, old, monkeypatch, error):
        def fail(*_, **__):
            raise error

        monkeypatch.setattr(experiment, "log_experiment", fail)
        with pytest.raises(type(error)):
            run_experiment(tiny(small_demo), data=small_demo.data, out=old.folder)
        old.check()

    def test_a_folder_mlflow_cannot_work_in_is_refused_before_any_work(self, small_demo, tmp_path):
        progress = Counter()
        with pytest.raises(ValueError, match="without '%20'"):
            run_experiment(tiny(small_demo), data=small_demo.data, out=tmp_path / "my%20run", progress=progress)
        assert progress.total == -1

    def test_a_file_where_the_folder_should_be(self, small_demo, tmp_path):
        (tmp_path / "out").write_text("mine")
        progress = Counter()
        with pytest.raises(FileExistsError):
            run_experiment(tiny(small_demo), data=small_demo.data, out=tmp_path / "out", progress=progress)
        assert progress.total == -1
        assert (tmp_path / "out").read_text() == "mine"


def test_setting_is_that_of_the_config(small_demo):
    given = tiny(
        small_demo,
        outcome={"horizon": "60d", "gap": "5d", "active": None},
        cutoffs={"every": "14d", "first": "2024-01-01", "at_most": 3},
    )
    setting = setting_of(given)
    days = setting.outcome.horizon.days, setting.outcome.gap.days, setting.every.days
    assert days == (60, 5, 14)
    assert (setting.active, setting.first, setting.at_most) == (None, pd.Timestamp("2024-01-01"), 3)


def test_what_was_written_up_of_the_run_before_goes(small_demo, tmp_path):
    out, made = tmp_path / "out", tmp_path / "made"
    shutil.copytree(small_demo.out, out)
    shutil.copytree(small_demo.out, made, ignore=shutil.ignore_patterns("report.html"))
    pages = [write_report(out, clients=clients) for clients in (True, False)]
    written = [*pages, *(page.with_suffix(".pdf") for page in pages), write_card(out)]
    for path in (*written, out / "report-of-mine.docx"):
        path.touch()
    experiment._move(made, out)
    assert not [path for path in written if path.exists()]
    assert (out / "report-of-mine.docx").exists()
    assert write_report(out) == page_path(out)


@pytest.mark.parametrize("moved", range(5))
def test_a_run_killed_while_its_files_are_moved_leaves_no_mixture(moved, tmp_path, monkeypatch):
    out, made = tmp_path / "out", tmp_path / "made"
    names = ["backtest.parquet", "metrics.json", "model/bundle.json", "model/churn.txt", "scores.parquet"]
    for folder in (out, made):
        (folder / "model").mkdir(parents=True)
        for name in names:
            (folder / name).write_text(folder.name)
    move, left = Path.replace, iter(range(moved))

    def until_killed(path, target):
        if next(left, None) is None:
            raise SystemExit("killed")
        return move(path, target)

    monkeypatch.setattr(Path, "replace", until_killed)
    with pytest.raises(SystemExit, match="killed"):
        experiment._move(made, out)
    with pytest.raises(FileNotFoundError, match=r"lacks metrics\.json"):
        write_report(out)
    if (out / "model" / "bundle.json").exists():
        assert not [name for name in names if name != "metrics.json" and (made / name).exists()]


def test_cdnow(shared_data, request, tmp_path, untracked):
    """The experiment of the repository, on every sixteenth client."""
    config = read_config(request.config.rootpath / "experiments" / "cdnow.toml")
    given = config.model_dump(mode="json")
    given["data"]["purchases"]["where"] = "customer_id % 16 = 0"
    given["cutoffs"]["at_most"] = 4
    (tmp_path / "alerts.csv").write_text("of a run on other data")
    run = run_experiment(Config.model_validate(given), data=shared_data, out=tmp_path)
    assert not (tmp_path / "alerts.csv").exists()
    assert [note for note in run.notes if "need" in note] == [
        "Alerts of feedback without an answer and silence after a problem need the table contacts.",
        "Alerts of too many promotions need the table offers.",
        "What clients say needs the table contacts with the column text.",
    ]
    summary = run.backtest.summary()
    assert summary.loc["lightgbm", "clients"] == pytest.approx(23_570 / 16, rel=0.02)
    assert summary.loc["lightgbm", "auc"] >= 0.78
    assert summary.loc["lightgbm", "log_loss"] < 0.44
    assert math.isfinite(summary.loc["btyd", "auc"])
