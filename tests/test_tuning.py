"""Tuning: the test cutoffs are never looked at, the same seed finds the same, and what is found can be run."""

import builtins
import importlib.util
import json
import re
import sys
import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import optuna
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sklearn.metrics import mean_tweedie_deviance
from typer.testing import CliRunner

from loyalty import experiment, tracking, tuning
from loyalty.backtesting import run_backtest
from loyalty.cli import app
from loyalty.config import Config, read_config
from loyalty.datasets.synthetic import synthetic_tables
from loyalty.evaluation import churn_metrics
from loyalty.fitting import Lesson, fit_models
from loyalty.histories import Histories, HistoriesWarning
from loyalty.models.parameters import ModelParameters
from loyalty.panels import Panels
from loyalty.setting import Setting
from loyalty.timeline import LeakError
from loyalty.tuning import OptunaMissingError, lay_origins, run_tuning, spend_deviance, tune

BEFORE = pd.Timestamp("2025-06-01")
ORIGINS = ["2024-12-03", "2025-03-03"]
FEW = ["days_since_last", "purchase_days_count_90d", "gap_days_mean", "amount_sum_90d"]
SETTING = Setting.of(horizon="90d", active="365d", every="45d", at_most=3)
TRIALS = 9


@pytest.fixture(scope="module")
def purchases():
    return synthetic_tables(200, seed=3).tables["purchases"]


@pytest.fixture(scope="module")
def histories(purchases):
    return Histories(purchases, observed_until="2026-01-01")


@pytest.fixture(scope="module", autouse=True)
def small_space():
    """Small trees, so that a trial takes a moment; the defaults stay within the space."""
    space = {"num_leaves": (2, 31), "n_estimators": (2, 300), "learning_rate": (5, 300), "min_child_samples": (5, 400)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuning, "_SPACE", space)
        patch.setattr(tuning, "_DRAWS", 50)
        yield


def search(histories, *, trials=TRIALS, **options):
    return tune(Panels(histories, SETTING, FEW), before=BEFORE, cutoffs=ORIGINS, trials=trials, **options)


@pytest.fixture(scope="module")
def found(histories):
    return search(histories)


class TestOrigins:
    def test_are_the_latest_three_a_horizon_apart(self, histories):
        splits = lay_origins(histories, SETTING, before=BEFORE)
        assert [split.test for split in splits] == [BEFORE - pd.Timedelta(days=90 * n) for n in (3, 2, 1)]
        assert all(max(split.train) + pd.Timedelta(days=90) <= split.test for split in splits)

    def test_are_closer_where_history_is_short(self):
        """180 days of warm-up and reach, then 90 to the test: room for an origin each 30 days, not each 60."""
        short = bills("2024-01-01", "2024-12-31")
        setting = Setting.of(horizon="60d", every="30d")
        splits = lay_origins(short, setting, before=pd.Timestamp("2024-08-01"))
        assert [f"{split.test:%m-%d}" for split in splits] == ["05-03", "06-02"]
        later = lay_origins(short, setting, before=pd.Timestamp("2024-09-01"))
        assert [f"{split.test:%m-%d}" for split in later] == ["05-04", "06-03", "07-03"]

    def test_one_day_more_or_less_of_history(self):
        """60 days of warm-up, a horizon to the origin and one to the test: 180 days with 60 each, and not one less."""
        setting, first = Setting.of(horizon="60d"), pd.Timestamp("2024-01-01")
        (split,) = lay_origins(bills(first, "2024-12-31"), setting, before=first + pd.Timedelta(days=180))
        assert (split.train[-1], split.test) == (first + pd.Timedelta(days=60), first + pd.Timedelta(days=120))
        with pytest.raises(ValueError, match="too little history before the first test cutoff 2024-06-28"):
            lay_origins(bills(first, "2024-12-31"), setting, before=first + pd.Timedelta(days=179))

    def test_a_leak_is_refused(self, histories):
        last = BEFORE - pd.Timedelta(days=90)
        assert lay_origins(histories, SETTING, before=BEFORE, cutoffs=[last])[0].test == last
        with pytest.raises(LeakError, match=r"\[tune\] cutoffs: .* 2025-03-04 is decided on 2025-06-02, after"):
            lay_origins(histories, SETTING, before=BEFORE, cutoffs=[last, last + pd.Timedelta(days=1)])

    def test_an_outcome_that_was_not_recorded_is_refused(self, histories):
        with pytest.raises(ValueError, match="the outcome of 2025-11-01 is not known; recorded is up to 2026-01-01"):
            lay_origins(histories, SETTING, before=pd.Timestamp("2026-06-01"), cutoffs=["2025-11-01"])

    def test_nothing_known_from_the_first_test_cutoff_on_is_used(self, purchases, found):
        known = purchases[purchases["known_at"] < BEFORE]
        assert len(known) < len(purchases)
        again = search(Histories(known, observed_until="2026-01-01"))
        assert_frame_equal(again.trials, found.trials, check_exact=True)
        assert_frame_equal(again.verdicts, found.verdicts, check_exact=True)


def bills(start, end):
    days = pd.date_range(start, end).astype(str)
    return Histories(pd.DataFrame({"client_id": "ann", "event_time": days, "amount": 1.0}))


class TestSearch:
    def test_trial_0_is_the_defaults(self, found, histories):
        defaults = ModelParameters().complete()
        for model in ("churn", "value"):
            first = found.trials[found.trials["model"] == model].iloc[0]
            wanted = getattr(defaults, model)
            assert first["trial"] == 0
            assert first["state"] == "complete"
            assert first["behind_defaults"] == 0
            assert {name: first[name] for name in wanted} == wanted
        # … and are judged as the backtest judges them.
        panels = Panels(histories, SETTING, FEW)
        result = run_backtest(panels, [pd.Timestamp(origin) for origin in ORIGINS])
        metrics = result.metrics[result.metrics["model"] == "lightgbm"].set_index("metric")["value"]
        first = found.trials.iloc[0]
        assert [first[f"score_{origin}"] for origin in ORIGINS] == pytest.approx(
            metrics["log_loss"].tolist(), rel=1e-12
        )
        assert first["score"] == pytest.approx(metrics["log_loss"].mean(), rel=1e-12)

    def test_the_same_seed_finds_the_same(self, found, histories):
        again = search(histories)
        assert again.parameters == found.parameters
        assert_frame_equal(again.trials, found.trials, check_exact=True)
        assert_frame_equal(again.verdicts, found.verdicts, check_exact=True)

    def test_another_seed_tries_others(self, found, histories):
        other = search(histories, trials=2, seed=1)
        one, two = (trials.loc[1, "learning_rate"] for trials in (found.trials, other.trials))
        assert one != two

    def test_pruned_trials_are_recorded(self, found):
        states = found.trials["state"]
        assert set(states) == {"complete", "pruned"}
        pruned, last = found.trials[states == "pruned"], f"score_{ORIGINS[-1]}"
        assert pruned[last].isna().all()
        assert found.trials.loc[states == "complete", last].notna().all()
        assert (pruned["trial"] >= 5).all()
        for _, row in pruned.iterrows():  # behind the median of those before it
            earlier = found.trials[(found.trials["model"] == row["model"]) & (found.trials["trial"] < row["trial"])]
            default = earlier.iloc[0]
            step = f"score_{ORIGINS[0]}"
            assert row["behind_defaults"] == pytest.approx(row[step] - default[step])
            assert row[step] > earlier[step].median()

    def test_the_best_is_the_best_complete_trial(self, found):
        for model in ("churn", "value"):
            complete = found.trials[(found.trials["model"] == model) & (found.trials["state"] == "complete")]
            best = complete.loc[complete["behind_defaults"].idxmin()]
            assert {name: best[name] for name in getattr(found.parameters, model)} == getattr(found.parameters, model)
            row = found.verdicts.loc[model]
            assert row["best"] == pytest.approx(best["score"])
            assert row["default"] == pytest.approx(complete.iloc[0]["score"])
            assert row["difference"] == pytest.approx(best["behind_defaults"], abs=1e-12)
            assert row["lower"] <= row["difference"] <= row["upper"]

    def test_what_is_found_is_what_it_scored(self, found, histories):
        """Fitted by the house's own door, the best parameters score what the table says."""
        panels, origin = Panels(histories, SETTING, FEW), ORIGINS[-1]
        (split,) = lay_origins(histories, SETTING, before=BEFORE, cutoffs=[origin])
        fitted = fit_models(panels, split, parameters=found.parameters)
        labels = panels.labels([split.test], known_before=BEFORE)
        told = fitted.predict(panels.at(split.test, learned=fitted.learned)).loc[labels.index]
        unit = fitted.labels["value"].clip(lower=0).mean()
        scores = {
            "churn": churn_metrics(labels["churned"], told["churn_probability"])["log_loss"],
            "value": spend_deviance(labels["value"] / unit, told["expected_value"] / unit).mean(),
        }
        for model, score in scores.items():
            trials = found.trials[found.trials["model"] == model].dropna(subset="score")
            best = trials.loc[trials.query("state == 'complete'")["behind_defaults"].idxmin()]
            assert best[f"score_{origin}"] == pytest.approx(score, rel=1e-9)

    def test_panels_and_outcomes_are_computed_once(self, histories, monkeypatch):
        asked = []
        labels = Panels.labels
        monkeypatch.setattr(Panels, "labels", lambda self, days, **how: asked.append(days) or labels(self, days, **how))
        search(histories, trials=2)
        assert len(asked) == 2 * len(ORIGINS)

    def test_nobody_at_an_origin(self, histories):
        panels = Panels(histories, Setting.of(horizon="90d", active="365d", first="2022-06-01"), FEW)
        with pytest.raises(ValueError, match="nothing to learn"):
            tune(panels, before=BEFORE, cutoffs=["2022-12-01"], trials=1)

    def test_trials_must_be_some(self, histories):
        with pytest.raises(ValueError, match="`trials` must be at least 1; got 0"):
            search(histories, trials=0)

    def test_a_timeout_still_tries_the_defaults(self, histories):
        short = search(histories, timeout=1e-9)
        assert short.trials["trial"].tolist() == [0, 0]
        assert short.parameters == ModelParameters().complete()
        assert not short.verdicts["worth_it"].any()

    def test_the_summary_says_what_was_found_and_no_difference_of_nothing(self, found):
        table = pd.DataFrame(
            {"default": [0.51234, 2.0], "best": [0.51, 2.0], "difference": [-0.00234, 0.0], "lower": [-0.004, 0.0]}
            | {"upper": [0.001, 0.0], "origins_better": [1, 0], "origins": [2, 2], "worth_it": [False, False]},
            index=["churn", "value"],
        )
        said = replace(found, verdicts=table).summary().splitlines()
        assert said[1:3] == [
            "Churn: log loss 0.5100, the best of 9 trials, against 0.5123 of the defaults: -0.0023 (95% interval "
            "-0.0040 to +0.0010), better at 1 of 2 origins. Tuning was not worth it: the defaults do as well.",
            "Value: deviance of spend 2.0000; the best of 9 trials are the defaults.",
        ]

    def test_origins_of_one_day_are_told_apart(self, histories):
        origins = [f"{ORIGINS[0]} {hour}" for hour in ("06:00", "18:00")]
        panels = Panels(histories, SETTING, FEW)
        found = tune(panels, before=BEFORE, cutoffs=origins, trials=1)
        assert [f"score_{origin}:00" for origin in origins] == [
            name for name in found.trials if name.startswith("score_")
        ]
        assert f"Judged at {origins[0]}:00, {origins[1]}:00;" in found.summary()

    def test_optunas_own_log_level_stays(self, histories, capfd):
        optuna.logging.set_verbosity(optuna.logging.DEBUG)
        try:
            search(histories, trials=1)
            assert optuna.logging.get_verbosity() == optuna.logging.DEBUG
        finally:
            optuna.logging.set_verbosity(optuna.logging.INFO)
        assert capfd.readouterr() == ("", "")


class TestVerdict:
    def judged(self, *behind, default=1.0):
        """Losses of two origins, at each of which every client is so far behind the defaults."""
        rng = np.random.default_rng(0)
        clients = [pd.Index(range(400)), pd.Index(range(100, 500))]
        base = [np.full(400, default)] * 2
        best = [losses + mean + rng.normal(0, 0.05, 400) for losses, mean in zip(base, behind, strict=True)]
        found = tuning._Found(pd.DataFrame(), {}, base, best)
        return found.verdict([SimpleNamespace(clients=index) for index in clients], seed=0)

    @pytest.mark.parametrize(
        ("behind", "worth_it"),
        [
            ((-0.05, -0.05), True),
            ((-0.1, 0.02), False),  # not at every origin
            ((-0.003, -0.003), False),  # less than half a percent
            ((0.0, 0.0), False),
        ],
    )
    def test_is_asked_for_three_things(self, behind, worth_it):
        assert self.judged(*behind)["worth_it"] is worth_it

    def test_the_interval_is_that_of_the_central_limit(self):
        """400 clients, spread 0.05, mean of two origins with 300 clients in common, whose noise is not shared."""
        row = self.judged(-0.05, -0.05)
        spread = 0.05 / np.sqrt(800)
        assert (row["upper"] - row["lower"]) / (2 * 1.96) == pytest.approx(spread, rel=0.35)  # fifty draws

    def test_clients_are_drawn_with_all_their_origins(self):
        losses, clients = np.where(np.arange(200) % 2, 1.0, -1.0), pd.Index(range(200))
        alone = tuning._interval([losses], [clients], seed=0)
        assert tuning._interval([losses, losses], [clients, clients], seed=0) == pytest.approx(alone)
        against = tuning._interval([losses, -losses], [clients, clients], seed=0)
        assert against == pytest.approx((0, 0), abs=1e-12)


class TestDeviance:
    def test_is_scikit_learns(self):
        rng = np.random.default_rng(0)
        spend, expected = rng.gamma(1.0, 3.0, 50) * rng.integers(0, 2, 50), rng.gamma(2.0, 1.0, 50)
        ours = spend_deviance(spend, expected).mean()
        assert ours == pytest.approx(mean_tweedie_deviance(spend, expected, power=1.5), rel=1e-12)

    def test_is_smallest_for_the_mean(self):
        spend = np.array([0.0, 0.0, 1.0, 7.0])
        tried = np.linspace(0.1, 5, 491)
        assert tried[np.argmin([spend_deviance(spend, at).mean() for at in tried])] == pytest.approx(2.0)

    def test_refunds_count_as_nothing_and_certainty_of_nothing_is_bounded(self):
        assert spend_deviance([-5.0], [4.0]) == spend_deviance([0.0], [4.0])
        assert np.isfinite(spend_deviance([5.0], [0.0])).all()


class TestLessons:
    def test_parameters_reach_the_models(self, histories):
        panels = Panels(histories, SETTING, FEW)
        (split,) = SETTING.splits(histories, [BEFORE])
        given = ModelParameters(churn={"num_leaves": 3}, value={"law": "tweedie", "n_estimators": 7})
        fitted = fit_models(panels, split, parameters=given)
        assert (fitted.churn.num_leaves, fitted.churn.n_estimators) == (3, None)
        assert (fitted.value.law, fitted.value.n_estimators, fitted.value.num_leaves) == ("tweedie", 7, 7)
        plain = Lesson.of(panels, split).fit_churn()
        assert_frame_equal(
            pd.DataFrame(plain.predict_proba(Lesson.of(panels, split).X)),
            pd.DataFrame(fit_models(panels, split).churn.predict_proba(Lesson.of(panels, split).X)),
        )

    def test_unknown_parameters_are_refused(self):
        with pytest.raises(ValueError, match="`churn` has no parameter 'law'"):
            ModelParameters(churn={"law": "gamma"})


@pytest.fixture(scope="module")
def config(small_demo):
    given = read_config(small_demo.config).model_dump(mode="json", exclude_none=True) | {"features": FEW}
    given |= {"tune": {"cutoffs": ["2025-01-06", "2025-04-06"]}, "churn": {"num_leaves": 5}}
    return Config.model_validate(given)


@pytest.fixture(scope="module")
def run(config, small_demo, tmp_path_factory):
    out = tmp_path_factory.mktemp("tuning") / "new"
    steps = []
    progress = SimpleNamespace(begin=lambda total: steps.append(total), step=steps.append)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HistoriesWarning)
        found = run_tuning(config, data=small_demo.data, out=out, name="shop", trials=7, progress=progress)
    return SimpleNamespace(out=out, found=found, steps=steps)


@pytest.mark.filterwarnings("ignore::loyalty.histories.HistoriesWarning")
class TestRunTuning:
    def test_files(self, run):
        names = sorted(path.name for path in run.out.iterdir())
        assert set(names) - {"mlartifacts"} == {"mlflow.db", "trials.parquet", "tuned.toml", "tuning.txt"}
        assert pd.read_parquet(run.out / "trials.parquet").to_json() == run.found.trials.to_json()
        text = (run.out / "tuning.txt").read_text(encoding="utf-8")
        assert text == run.found.summary()
        assert re.search(r"^Churn: log loss 0\.\d{4}", text, re.M)
        assert "Judged at 2025-01-06, 2025-04-06" in text

    def test_progress_takes_exactly_the_steps_announced(self, run):
        total, *steps = run.steps
        assert len(steps) == total

    def test_the_config_is_read_back(self, run, config):
        tuned = read_config(run.out / "tuned.toml")
        assert tuned.churn.given() == run.found.parameters.churn
        assert tuned.value.given() == run.found.parameters.value
        assert tuned.model_copy(update={"churn": config.churn, "value": config.value}) == config

    def test_every_trial_is_a_run_below_its_search(self, run):
        client = tracking.MlflowClient(tracking_uri=tracking.tracking_uri(run.out))
        logged = client.get_experiment_by_name("shop tuning")
        runs = client.search_runs([logged.experiment_id], max_results=1000)
        parents = {one.info.run_id: one for one in runs if "mlflow.parentRunId" not in one.data.tags}
        assert {one.data.params["model"] for one in parents.values()} == {"churn", "value"}
        children = [one for one in runs if one.info.run_id not in parents]
        assert len(children) == len(run.found.trials)
        for child in children:
            model = parents[child.data.tags["mlflow.parentRunId"]].data.params["model"]
            number = int(child.info.run_name.split()[-1])
            row = run.found.trials.set_index(["model", "trial"]).loc[(model, number)]
            assert child.data.tags["state"] == row["state"]
            assert float(child.data.params["learning_rate"]) == row["learning_rate"]
            figures = {name: row[name] for name in row.index if name.startswith(("score", "behind"))}
            assert child.data.metrics == {
                name: pytest.approx(value) for name, value in figures.items() if value == value
            }
            assert child.info.status == "FINISHED"

    def test_what_is_found_can_be_run(self, run, small_demo, tmp_path, monkeypatch):
        monkeypatch.setattr(experiment, "log_experiment", lambda *_, **__: "run")
        tuned = read_config(run.out / "tuned.toml")
        result = experiment.run_experiment(tuned, data=small_demo.data, out=tmp_path)
        fitted = result.backtest.fitted[0]
        assert {name: getattr(fitted.churn, name) for name in tuned.churn.given()} == tuned.churn.given()
        assert {name: getattr(fitted.value, name) for name in tuned.value.given()} == tuned.value.given()
        served = json.loads((tmp_path / "model" / "churn.json").read_text(encoding="utf-8"))["parameters"]
        assert {name: served[name] for name in tuned.churn.given()} == tuned.churn.given()

    def test_own_features_are_found_from_the_new_place(self, config, tmp_path):
        given = config.model_copy(update={"feature_modules": ["own.py", "shop.features"]})
        (tmp_path / "out").mkdir()
        modules = tuning._modules(given, tmp_path / "mine", tmp_path / "out")
        assert modules == ["../mine/own.py", "shop.features"]

    def test_a_search_that_fails_leaves_what_was_there(self, config, found, small_demo, tmp_path, monkeypatch):
        (tmp_path / "tuned.toml").write_text("old")

        def fail(*_, **__):
            raise OSError("no space left")

        monkeypatch.setattr(tuning, "log_trials", fail)
        monkeypatch.setattr(tuning, "tune", lambda *_, **__: found)
        with pytest.raises(OSError, match="no space left"):
            run_tuning(config, data=small_demo.data, out=tmp_path)
        assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("tuned.toml", "old")]


@pytest.fixture
def no_optuna(monkeypatch):
    """As in an environment without the extra."""
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name == "optuna":
            raise ModuleNotFoundError("No module named 'optuna'", name="optuna")
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)


class TestCommand:
    def call(self, *arguments):
        return CliRunner().invoke(app, ["tune", *map(str, arguments)], env={"COLUMNS": "300", "NO_COLOR": "1"})

    def test_without_optuna(self, small_demo, tmp_path, no_optuna, histories):
        result = self.call(small_demo.config, "--data", small_demo.data, "--out", tmp_path / "out")
        assert result.exit_code == 1
        said = "tuning needs Optuna, which is not installed. In the clone: pip install -e '.[tune]'."
        assert result.stderr == f"Error: {said}\n"
        assert not (tmp_path / "out").exists()
        with pytest.raises(OptunaMissingError, match=re.escape(said)):
            search(histories)

    def test_says_what_was_found_and_what_to_do_next(self, small_demo, found, tmp_path, monkeypatch):
        asked = {}
        monkeypatch.setattr(tuning, "run_tuning", lambda config, **how: asked.update(how) or found)
        arguments = (small_demo.config, "--data", small_demo.data, "--out", tmp_path, "--trials", 3)
        result = self.call(*arguments)
        assert result.exit_code == 0, result.output
        assert result.stdout.startswith(found.summary())
        assert f"loyalty run {tmp_path / 'tuned.toml'} --data {small_demo.data}" in result.stdout
        assert (asked["trials"], asked["timeout"], asked["name"]) == (3, None, "demo")
        assert self.call(*arguments, "--quiet").output == ""

    def test_a_leak_is_one_message(self, small_demo, tmp_path):
        config = tmp_path / "shop.toml"
        config.write_text(small_demo.config.read_text(encoding="utf-8") + '\n[tune]\ncutoffs = ["2025-05-01"]\n')
        result = self.call(config, "--data", small_demo.data, "--out", tmp_path / "out")
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: [tune] cutoffs: the outcome of training cutoff 2025-05-01")
        assert not (tmp_path / "out").exists()

    def test_trials_must_be_some(self, small_demo, tmp_path):
        assert self.call(small_demo.config, "--out", tmp_path, "--trials", 0).exit_code == 2


def test_the_defaults_lie_within_the_space_searched():
    """Of the real space, which the tests here replace by a smaller one."""
    spec = importlib.util.find_spec("loyalty.tuning")
    fresh = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "loyalty.tuning", fresh)
        spec.loader.exec_module(fresh)
    defaults = ModelParameters().complete()
    for name, (low, high) in fresh._SPACE.items():
        for model in (defaults.churn, defaults.value):
            assert low < fresh._in_search(name, model[name]) < high
