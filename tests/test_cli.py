"""The command line: the same work from a terminal, plain words when a user errs, and quick to ask for help."""

import errno
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from typer.testing import CliRunner

import loyalty.datasets
import loyalty.report
from corner_shop import corner_shop
from demo_fixture import make_small_demo
from loyalty import cli, experiment
from loyalty.cli import app
from loyalty.config import read_config
from loyalty.experiment import Run
from loyalty.files import UnwritableError
from report_fixture import make_run_folder
from sealing import seal

COMMANDS = ["demo", "check", "run", "tune", "panel", "score", "report", "card", "data"]


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch):
    """No colours, and lines long enough not to be broken anywhere."""
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.delenv("LOYALTY_DATA", raising=False)


def call(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refused(*arguments):
    """What a user is told who errs: exit code 1, nothing on stdout, and no traceback."""
    result = call(*arguments)
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    return result.stderr


@pytest.fixture(scope="module")
def told(tmp_path_factory, small_demo):
    """`loyalty demo`, with few cutoffs, in a folder with an unpleasant name; beside the same run from Python."""
    folder = tmp_path_factory.mktemp("cli") / "[old] :smile: 분석"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loyalty.datasets, "write_demo", make_small_demo)
        patch.setenv("COLUMNS", "300")
        return folder, call("demo", "--out", folder, "--clients", "300", "--seed", "0", "--language", "ko")


class TestDemo:
    def test_goes_the_whole_road(self, told):
        folder, result = told
        assert result.exit_code == 0, result.output
        names = {path.name for path in folder.iterdir()}
        assert {"data", "demo.toml", "backtest.parquet", "scores.parquet", "metrics.json", "report.html"} < names
        assert {"model", "mlflow.db", "mlartifacts"} < names
        assert not any(name.startswith(".") for name in names)
        assert 'lang="ko"' in (folder / "report.html").read_text(encoding="utf-8")

    @pytest.mark.parametrize("name", ["backtest.parquet", "scores.parquet", "metrics.json", "model/churn.txt"])
    def test_same_config_and_seed_same_bytes(self, told, small_demo, name):
        assert (told[0] / name).read_bytes() == (small_demo.out / name).read_bytes()

    def test_says_where_everything_lies_and_what_to_try_next(self, told):
        folder, result = told
        for name in ("report.html", "scores.parquet", "backtest.parquet", "metrics.json", "model", "mlflow.db"):
            assert name in result.stdout
        assert str(folder) in result.stdout  # brackets, colons and all
        assert "truth.parquet" in result.stdout
        suggested = re.findall(r"^ {4}(loyalty|mlflow) (\w+)", result.stdout, flags=re.MULTILINE)
        assert [command for tool, command in suggested if tool == "loyalty"] == ["check", "score", "report", "card"]
        assert ("mlflow", "ui") in suggested
        for model in ("naive", "btyd", "lightgbm"):
            assert re.search(rf"^{model}\s+0\.\d{{3}}\s", result.stdout, flags=re.MULTILINE)
        assert result.stderr == ""

    def test_too_few_clients_is_a_usage_error(self):
        result = call("demo", "--clients", "5")
        assert result.exit_code == 2
        assert "200" in result.stderr


class TestCheck:
    def test_summary(self, small_demo):
        result = call("check", small_demo.config, "--data", small_demo.data)
        assert result.exit_code == 0, result.output
        purchases = pd.read_parquet(small_demo.data / "purchases.parquet")
        rows, clients = len(purchases), purchases["client_id"].nunique()
        refunds = int((purchases["amount"] < 0).sum())
        assert f"purchases: {rows:,} rows of {clients:,} clients, 2023-01-01 to 2025-12-31" in result.stdout
        assert f"{refunds:,} refunds" in result.stdout
        for table in ("clients", "contacts", "offers", "rewards", "contracts", "events"):
            assert re.search(rf"^{table}\b", result.stdout, flags=re.MULTILINE)
        assert "4 training cutoffs, 2024-10-08 to 2025-07-05" in result.stdout
        scored = len(small_demo.run.scores)
        assert f"Score cutoff 2026-01-01: {scored} clients; 4 training cutoffs" in result.stdout
        assert "The histories can be used." in result.stdout

    def test_of_how_many_clients_is_learned(self, shop):
        limited = OWN_CONFIG.replace("at_most = 2", "at_most = 2\nrows_at_most = 9")
        shop.config.write_text(limited, encoding="utf-8")
        checked = call("check", shop.config, "--data", shop.data).stdout
        assert re.search(
            r"Score cutoff 2024-09-20: 12 clients; 2 training cutoffs, .*, of \d\d\.\d% of the clients$", checked, re.M
        )
        shop.config.write_text(limited.replace("= 9", "= 24"), encoding="utf-8")
        assert "of the clients" not in call("check", shop.config, "--data", shop.data).stdout

    def test_every_problem_is_listed(self, tmp_path):
        (tmp_path / "bills.csv").write_text("client,event_time,amount\n1,yesterday,2.5\n2,2024-01-01,cheap\n")
        (tmp_path / "shop.toml").write_text(CONFIG)
        said = refused("check", tmp_path / "shop.toml", "--data", tmp_path)
        assert said.startswith("3 problems in the histories")
        for place in ("purchases.client_id", "purchases.event_time", "purchases.amount"):
            assert place in said
        assert "yesterday" in said
        assert "cheap" in said

    def test_an_unknown_feature_is_found_before_the_run(self, tmp_path):
        (tmp_path / "bills.csv").write_text("client_id,event_time,amount\n1,2023-01-01,2.5\n")
        (tmp_path / "shop.toml").write_text('features = ["days_since_lst"]\n' + CONFIG)
        result = call("check", tmp_path / "shop.toml", "--data", tmp_path)
        assert result.exit_code == 1
        assert "Did you mean 'days_since_last'?" in result.stderr

    def test_a_feature_that_asks_a_fitted_model_is_known(self, shop):
        text = shop.config.read_text(encoding="utf-8").replace("days_since_last", "alive_probability")
        shop.config.write_text(text, encoding="utf-8")
        result = call("check", shop.config, "--data", shop.data)
        assert result.exit_code == 0, result.output

    def test_a_cutoff_too_early_is_found_before_the_run(self, small_demo, tmp_path):
        text = small_demo.config.read_text(encoding="utf-8").replace("2025-07-05", "2023-02-01")
        (tmp_path / "shop.toml").write_text(text, encoding="utf-8")
        result = call("check", tmp_path / "shop.toml", "--data", small_demo.data)
        assert result.exit_code == 1
        assert "2023-02-01 leaves nothing to learn from" in result.stderr


CONFIG = """\
question = "Who leaves?"
[data.purchases]
path = "bills.csv"
[outcome]
horizon = "30d"
[cutoffs]
test = ["2024-06-01"]
score = "2024-07-01"
"""


OWN = """\
import loyalty
from loyalty.features.algebra import PURCHASES

SMALL = 15.0  # read when the feature is computed, long after this file was run


@loyalty.feature(theme="value", unit="count", en="small bills", ko="소액 결제 수", table="purchases")
def small_bills(t):
    return t.count(where=t.amount < SMALL)


@loyalty.feature(theme="value", unit="money", en="largest bill", ko="최대 결제 금액")
def largest_bill():
    return PURCHASES["amount"].max()
"""
OWN_CONFIG = """\
question = "Who leaves?"
features = ["days_since_last", "small_bills", "largest_bill"]
feature_modules = ["own.py"]
[data.purchases]
path = "bills.parquet"
[outcome]
horizon = "60d"
[cutoffs]
test = ["2024-07-20"]
score = "2024-09-20"
at_most = 2
"""


@pytest.fixture
def shop(tmp_path):
    """A config and, beside it, a file with two features; the bills lie elsewhere."""
    place = SimpleNamespace(config=tmp_path / "mine" / "shop.toml", own=tmp_path / "mine" / "own.py", data=tmp_path)
    place.own.parent.mkdir()
    place.own.write_text(OWN, encoding="utf-8")
    place.config.write_text(OWN_CONFIG, encoding="utf-8")
    corner_shop().to_parquet(tmp_path / "bills.parquet", index=False)
    yield place
    forget_own()


def forget_own():
    """As if in a new process."""
    for name in {"small_bills", "largest_bill"} & set(loyalty.CATALOGUE):
        loyalty.CATALOGUE.remove(name)


class TestOwnFeatures:
    def test_are_checked_learned_from_and_scored_with(self, shop, tmp_path, monkeypatch):
        monkeypatch.setattr(experiment, "log_experiment", lambda *_, **__: "run")
        assert call("check", shop.config, "--data", shop.data).exit_code == 0
        forget_own()
        out = tmp_path / "out"
        result = call("run", shop.config, "--data", shop.data, "--out", out)
        assert result.exit_code == 0, result.output
        assert f"--cutoff DATE --out scores.parquet --module {shop.own}\n" in result.stdout
        assert list(loyalty.load(out).churn.feature_names_in_) == ["days_since_last", "small_bills", "largest_bill"]
        forget_own()
        arguments = ("score", out, "--data", shop.data, "--cutoff", "2024-09-20", "--out", tmp_path / "again.parquet")
        said = refused(*arguments)
        assert "'small_bills', which is not in the catalogue. If it is one of your own, run its module first" in said
        result = call(*arguments, "--module", shop.own)
        assert result.exit_code == 0, result.output
        assert (tmp_path / "again.parquet").read_bytes() == (out / "scores.parquet").read_bytes()

    def test_a_time_when_the_shop_was_closed_is_told(self, shop, tmp_path, monkeypatch):
        """It lies after the test cutoff, so that the models for scoring alone know of it."""
        monkeypatch.setattr(experiment, "log_experiment", lambda *_, **__: "run")
        bills = corner_shop()
        closed = bills["event_time"].between("2024-07-25", "2024-09-01")
        bills[~closed].to_parquet(tmp_path / "bills.parquet", index=False)
        notes = ("training cutoffs with a tenth of their horizon in it", "at 2024-09-20 whoever has not bought since")
        checked = " ".join(call("check", shop.config, "--data", shop.data).stdout.split())
        assert all(note in checked for note in notes)
        forget_own()
        result = call("run", shop.config, "--data", shop.data, "--out", tmp_path / "out")
        assert result.exit_code == 0, result.output
        assert all(note in " ".join(result.stdout.split()) for note in notes)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("1 / 0", "ZeroDivisionError: division by zero"),
            ("def", "SyntaxError: invalid syntax (own.py, line 1)"),
            (OWN.replace("largest_bill", "recency"), "ValueError: the feature 'recency' is one of loyalty's own"),
            (None, "FileNotFoundError"),
        ],
    )
    def test_a_module_that_fails_is_one_message(self, shop, text, said):
        shop.own.unlink()
        if text is not None:
            shop.own.write_text(text, encoding="utf-8")
        told = refused("check", shop.config, "--data", shop.data)
        assert told.startswith("Error: `feature_modules`: 'own.py' cannot be run: ")
        assert said in told
        assert len(told.splitlines()) == 1

    def test_every_command_says_it(self, shop, tmp_path):
        shop.own.write_text("1 / 0", encoding="utf-8")
        for command in ("run", "panel"):
            said = refused(command, shop.config, "--data", shop.data, "--out", tmp_path / "out")
            assert said == "Error: `feature_modules`: 'own.py' cannot be run: ZeroDivisionError: division by zero\n"
        said = refused("score", tmp_path, "--cutoff", "2024-09-20", "--module", shop.own)
        assert said == f"Error: `feature_modules`: '{shop.own}' cannot be run: ZeroDivisionError: division by zero\n"
        assert not (tmp_path / "out").exists()


class TestPanel:
    def test_a_fresh_folder(self, shop, tmp_path):
        out = tmp_path / "new" / "[panel]"
        cutoffs = ["2024-06-01", "2024-05-01"]
        given = [part for cutoff in cutoffs for part in ("--cutoff", cutoff)]
        result = call("panel", shop.config, "--data", shop.data, "--out", out, *given)
        assert result.exit_code == 0, result.output
        assert f"The panel is in {out}" in result.stdout
        histories = loyalty.Histories(corner_shop())
        features = [loyalty.CATALOGUE[name] for name in ("days_since_last", "small_bills", "largest_bill")]
        panel = loyalty.build_panel(histories, cutoffs=cutoffs, horizon="60d", features=features)
        assert_frame_equal(loyalty.read_panel(out), panel, check_exact=True)
        assert panel["small_bills"].max() > 1

    def test_stands_at_the_score_cutoff_and_is_silent_if_asked(self, shop, tmp_path):
        result = call("panel", shop.config, "--data", shop.data, "--out", tmp_path / "panel", "--quiet")
        assert (result.exit_code, result.output) == (0, "")
        cutoffs = loyalty.read_panel(tmp_path / "panel").index.get_level_values("cutoff")
        assert set(cutoffs) == {pd.Timestamp("2024-09-20")}

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (["--cutoff", "2024-06-01", "--cutoff", "2024-06-01"], "Error: `cutoffs` holds 2024-06-01 twice"),
            (["--cutoff", "soon"], "Error: `cutoffs` must be a date such as '2024-03-01'; got 'soon'"),
            (["--memory", "lots"], "Error: `memory` must be a size such as '2GB'; got 'lots'"),
        ],
    )
    def test_plain_words_for_what_a_user_can_mend(self, shop, tmp_path, options, said):
        told = refused("panel", shop.config, "--data", shop.data, "--out", tmp_path / "panel", *options)
        assert told.startswith(said)
        assert len(told.splitlines()) == 1
        assert not list(tmp_path.glob("panel*"))

    def test_a_folder_that_is_there_stays_as_it_is(self, shop, tmp_path):
        (tmp_path / "panel").mkdir()
        said = refused("panel", shop.config, "--data", shop.data, "--out", tmp_path / "panel")
        assert said == f"Error: `out` '{tmp_path / 'panel'}' is there already. Remove it, or choose another folder.\n"
        assert list((tmp_path / "panel").iterdir()) == []


class TestRun:
    def test_runs_under_the_name_of_its_config(self, small_demo, tmp_path, monkeypatch):
        asked = {}

        def run(config, **how):
            asked.update(how, config=config)
            return Run(how["out"], small_demo.run.backtest, small_demo.run.scores, "run", ("Mind the gap.",))

        def report(out, *, language):
            asked["report"] = out, language

        monkeypatch.setattr(experiment, "run_experiment", run)
        monkeypatch.setattr(loyalty.report, "write_report", report)
        arguments = ("run", small_demo.config, "--data", small_demo.data, "--out", tmp_path)
        result = call(*arguments)
        assert result.exit_code == 0, result.output
        assert (asked["name"], asked["data"], asked["out"]) == ("demo", small_demo.data, tmp_path)
        assert asked["report"] == (tmp_path, "en")  # the config's language
        assert f"loyalty score {tmp_path} --data {small_demo.data} --cutoff DATE" in result.stdout
        assert "Note: Mind the gap." in result.stdout
        silent = call(*arguments, "--quiet", "--language", "ko")
        assert (silent.exit_code, silent.output) == (0, "")
        assert asked["report"] == (tmp_path, "ko")

    def test_what_rounds_to_0_has_no_sign(self, small_demo, capsys):
        summary = pd.DataFrame({"auc": [0.8], "total_error": [-0.0004]}, index=["lightgbm"])
        result = SimpleNamespace(
            backtest=SimpleNamespace(summary=lambda: summary, metrics=summary), notes=(), scores=[], out=small_demo.out
        )
        cli._show_run(read_config(small_demo.config), result)
        assert re.search(r"^lightgbm +0\.800 +0\.000 *$", capsys.readouterr().out, flags=re.MULTILINE)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (CONFIG.replace("horizon", "horizn"), "[outcome]: unknown key 'horizn'. Did you mean 'horizon'?"),
            (CONFIG.replace("=", "", 1), "shop.toml is not TOML"),
            (CONFIG, "there is no file"),
        ],
    )
    def test_plain_words_for_what_a_user_can_mend(self, tmp_path, text, said):
        (tmp_path / "shop.toml").write_text(text, encoding="utf-8")
        assert said in refused("run", tmp_path / "shop.toml", "--data", tmp_path, "--out", tmp_path / "out")
        assert not (tmp_path / "out").exists()

    def test_out_is_needed(self, small_demo):
        result = call("run", small_demo.config)
        assert result.exit_code == 2
        assert "--out" in result.stderr

    def test_our_own_faults_keep_their_traceback(self, small_demo, tmp_path, monkeypatch):
        def fault(*_, **__):
            raise ZeroDivisionError

        monkeypatch.setattr(experiment, "run_experiment", fault)
        result = call("run", small_demo.config, "--out", tmp_path)
        assert isinstance(result.exception, ZeroDivisionError)


class TestScore:
    @pytest.mark.parametrize("ending", ["parquet", "csv"])
    def test_writes_the_scores_of_the_run(self, small_demo, tmp_path, ending):
        out = tmp_path / f"scores.{ending}"
        alerts = tmp_path / "alerts.csv"
        options = ("--cutoff", "2026-01-01", "--out", out, "--alerts", alerts)
        result = call("score", small_demo.out, "--data", small_demo.data, *options)
        assert result.exit_code == 0, result.output
        assert alerts.read_bytes() == (small_demo.out / "alerts.csv").read_bytes()
        reference = pd.read_parquet(small_demo.out / "scores.parquet")
        mean = reference["churn_probability"].mean()
        assert f"{len(reference):,} clients scored at 2026-01-01, mean churn probability {mean:.3f}" in result.stdout
        if ending == "parquet":
            assert out.read_bytes() == (small_demo.out / "scores.parquet").read_bytes()
        else:
            written = pd.read_csv(out, parse_dates=["cutoff"])
            assert written["churn_probability"].tolist() == pytest.approx(reference["churn_probability"].tolist())
            assert written["reason_1_text"].tolist() == reference["reason_1_text"].tolist()

    def test_from_the_data_folder_in_the_environment(self, small_demo, tmp_path, monkeypatch):
        monkeypatch.setenv("LOYALTY_DATA", str(small_demo.data))
        out = tmp_path / "new" / "s.csv"
        options = ("--cutoff", "2026-01-01", "--out", out, "--language", "ko", "--quiet")
        result = call("score", small_demo.out / "model", *options)
        assert (result.exit_code, result.output) == (0, "")
        assert pd.read_csv(out)["reason_1_text"].str.contains("이탈 위험").all()

    def test_what_was_read_is_counted_beside_the_problems(self, small_demo, tmp_path):
        bad = pd.read_parquet(small_demo.data / "purchases.parquet")
        bad.loc[bad.index[3], "amount"] = float("inf")
        for file in small_demo.data.glob("*.parquet"):
            (tmp_path / file.name).write_bytes(file.read_bytes())
        bad.to_parquet(tmp_path / "purchases.parquet", index=False)
        result = call("check", small_demo.config, "--data", tmp_path)
        assert result.exit_code == 1
        assert "purchases.amount: 1 row is NaN or infinite, first 'inf' in row 4" in result.stderr
        assert f"Rows read: purchases {len(bad):,}, clients " in result.stderr

    def test_a_cutoff_whose_outcome_was_learned_is_told(self, small_demo, tmp_path):
        out = tmp_path / "s.parquet"
        result = call("score", small_demo.out, "--data", small_demo.data, "--cutoff", "2025-12-01", "--out", out)
        assert result.exit_code == 0
        assert "Warning: the models learned from outcomes up to" in result.stderr
        assert out.exists()

    def test_histories_that_begin_too_late_to_hold_an_old_client_are_told(self, small_demo, tmp_path):
        """As if the records of the run had begun sixty days before those that are scored, with two generations."""
        shutil.copytree(small_demo.out / "model", tmp_path / "model")
        kept = json.loads((tmp_path / "model" / "outlook.json").read_text(encoding="utf-8"))
        first = pd.read_parquet(small_demo.data / "purchases.parquet")["event_time"].min().floor("D")
        for days, told in ((59, False), (60, True)):
            begun = (first - pd.Timestamp(0)).days - days
            kept["buying"] |= {"begun": begun, "habits": kept["buying"]["habits"][:1] * 2, "bounds": [60]}
            (tmp_path / "model" / "outlook.json").write_text(json.dumps(kept), encoding="utf-8")
            seal(tmp_path / "model")
            arguments = ("--data", small_demo.data, "--cutoff", "2026-01-01", "--out", tmp_path / "s.parquet")
            result = call("score", tmp_path, *arguments)
            assert result.exit_code == 0
            assert ("every client is taken for one who came since" in " ".join(result.stderr.split())) == told

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"model": "nowhere"}, "there is no bundle in 'nowhere'"),
            ({"cutoff": "garbage"}, "`cutoff` must be a date such as '2024-03-01'; got 'garbage'"),
            ({"cutoff": "2019-01-01"}, "no client stands at 2019-01-01"),
            ({"out": "scores.xlsx"}, "`out` must end in .parquet or .csv"),
            ({"data": "nowhere"}, "purchases: there is no file"),
            ({"cutoff": "2026-03-15"}, "that it is meant: `stale` (--stale)"),
        ],
    )
    def test_plain_words_for_what_a_user_can_mend(self, small_demo, tmp_path, changes, said):
        given = {"model": small_demo.out, "cutoff": "2026-01-01", "data": small_demo.data, "out": tmp_path / "s.csv"}
        given |= changes
        options = [part for name in ("cutoff", "data", "out") for part in (f"--{name}", given[name])]
        assert said in refused("score", given["model"], *options)

    def test_stale_data_when_they_are_meant(self, small_demo, tmp_path):
        options = ("--data", small_demo.data, "--cutoff", "2026-03-15", "--out", tmp_path / "s.csv", "--stale")
        assert call("score", small_demo.out, *options).exit_code == 0

    def test_a_cutoff_never_has_a_default(self, small_demo):
        result = call("score", small_demo.out)
        assert result.exit_code == 2
        assert "--cutoff" in result.stderr


class TestReport:
    def test_writes_the_page_anew(self, told):
        folder, _ = told
        result = call("report", folder, "--language", "en")
        assert result.exit_code == 0, result.output
        assert result.stdout.strip() == str(folder / "report.html")  # a name in brackets is no markup
        assert 'lang="en"' in (folder / "report.html").read_text(encoding="utf-8")

    def test_the_language_is_the_configs_unless_asked_otherwise(self, tmp_path):
        folder = make_run_folder(tmp_path, clients=20, language="ko", gain=None, calibration=[])
        for asked, spoken in (((), "ko"), (("--language", "en"), "en")):
            assert call("report", folder, *asked).exit_code == 0
            assert f'lang="{spoken}"' in (folder / "report.html").read_text(encoding="utf-8")

    def test_help_says_which_language_and_what_becomes_of_a_pdf(self):
        said = call("report", "--help").stdout
        assert "by default the config's" in said
        assert "an older PDF of the page is removed" in said

    def test_no_run(self, tmp_path):
        said = refused("report", tmp_path)
        assert "lacks metrics.json, backtest.parquet, scores.parquet" in said

    def test_broken_metrics(self, small_demo, tmp_path):
        for name in ("backtest.parquet", "scores.parquet"):
            shutil.copy(small_demo.out / name, tmp_path / name)
        (tmp_path / "metrics.json").write_text(json.dumps({"question": "?"}))
        assert "horizon_days" in refused("report", tmp_path)

    def test_a_language_not_spoken_is_a_usage_error(self, tmp_path):
        assert call("report", tmp_path, "--language", "fr").exit_code == 2


class TestUnwritable:
    """What a user is told whose folder takes no results."""

    @pytest.fixture
    def full(self, monkeypatch):
        """Begin to refuse new files, for a reason."""

        def refuse_from_now_on(number):
            def refuse(*_, **__):
                raise OSError(number, "whatever the system says", "/x/.unknown")

            monkeypatch.setattr(tempfile, "TemporaryFile", refuse)

        return refuse_from_now_on

    @pytest.mark.parametrize(
        ("number", "why"),
        [
            (errno.EACCES, "no permission"),
            (errno.EROFS, "it can only be read"),
            (errno.ENOENT, "there is no such folder"),
            (errno.ENOSPC, "it is full"),
        ],
    )
    @pytest.mark.parametrize("command", ["demo", "run", "tune", "panel", "score"])
    def test_is_told_before_any_work(self, tmp_path, full, command, number, why):
        out = tmp_path / ("scores.csv" if command == "score" else "out")
        more = {"demo": [], "score": [tmp_path / "none", "--cutoff", "2024-01-01"]}.get(
            command, [tmp_path / "none.toml"]
        )
        full(number)
        told = refused(command, *more, "--out", out)
        assert told == f"Error: cannot write in the folder '{tmp_path}': {why}. Choose another --out.\n"

    def test_of_two_files_the_option_is_named(self, small_demo, tmp_path):
        (tmp_path / "file").touch()
        more = ("--data", small_demo.data, "--cutoff", "2026-01-03", "--out", tmp_path / "a.csv")
        told = refused("score", small_demo.out, *more, "--alerts", tmp_path / "file" / "b.csv")
        assert (
            told
            == f"Error: cannot write in the folder '{tmp_path / 'file'}': it is no folder. Choose another --alerts.\n"
        )
        assert not (tmp_path / "a.csv").exists()

    def test_a_disk_that_fills_up_within_a_run(self, small_demo, tmp_path, monkeypatch):
        def fill_up(*_, out, **__):
            raise OSError(errno.ENOSPC, "No space left on device", f"{out}/.unfinished-1/scores.parquet")

        monkeypatch.setattr(experiment, "run_experiment", fill_up)
        told = refused("run", small_demo.config, "--data", small_demo.data, "--out", tmp_path / "out")
        assert told == f"Error: cannot write in the folder '{tmp_path / 'out'}': it is full. Choose another --out.\n"

    def test_a_folder_within_that_cannot_be_written(self, small_demo, tmp_path, monkeypatch, full):
        def run(*_, out, **__):
            full(errno.EACCES)
            raise PermissionError(errno.EACCES, "Permission denied", str(out / "model" / ".new"))

        monkeypatch.setattr(experiment, "run_experiment", run)
        told = refused("run", small_demo.config, "--data", small_demo.data, "--out", tmp_path / "out")
        assert told == f"Error: cannot write in the folder '{tmp_path / 'out'}': no permission. Choose another --out.\n"

    @pytest.mark.parametrize("within", [True, False])
    def test_what_cannot_be_read_keeps_its_words(self, small_demo, tmp_path, monkeypatch, within):
        place = tmp_path / ("out" if within else "data") / "sales.csv"

        def run(*_, **__):
            raise PermissionError(errno.EACCES, "Permission denied", str(place))

        monkeypatch.setattr(experiment, "run_experiment", run)
        told = refused("run", small_demo.config, "--data", small_demo.data, "--out", tmp_path / "out")
        assert told == f"Error: [Errno 13] Permission denied: '{place}'\n"

    def test_the_page_of_a_run_has_no_option(self, small_demo, monkeypatch):
        def write(path, *_, **__):
            raise UnwritableError(errno.EACCES, Path("run"))

        monkeypatch.setattr(loyalty.report, "write_report", write)
        told = refused("report", small_demo.out)
        assert told == (
            "Error: cannot write in the folder 'run': no permission. Allow it, or copy the run to another folder.\n"
        )


class TestData:
    def test_lists_what_is_known(self):
        result = call("data")
        assert result.exit_code == 0
        for name in ("cdnow", "online_retail_2", "complete_journey"):
            assert re.search(rf"^{name}\b", result.stdout, flags=re.MULTILINE)

    def test_a_changed_file_is_an_error(self, tmp_path):
        (tmp_path / "cdnow.parquet").write_text("not the real one")
        result = call("data", tmp_path)
        assert result.exit_code == 1
        assert re.search(r"^changed +cdnow\.parquet", result.stdout, flags=re.MULTILINE)
        assert "not the ones the experiments were measured on" in result.stderr


class TestHelp:
    @pytest.mark.parametrize("command", COMMANDS)
    def test_every_command_shows_an_example(self, command):
        result = call(command, "--help")
        assert result.exit_code == 0
        assert re.search(rf"Example: .*loyalty {command}\b", result.stdout)

    def test_names_every_command_and_where_to_begin(self):
        result = call("--help")
        assert result.exit_code == 0
        for command in COMMANDS:
            assert re.search(rf"\b{command}\b", result.stdout)
        assert "loyalty demo" in result.stdout
        assert sorted(command.callback.__name__ for command in app.registered_commands) == sorted(COMMANDS)

    def test_version(self):
        result = call("--version")
        assert (result.exit_code, result.stdout.strip()) == (0, loyalty.__version__)

    def test_a_misspelt_command_is_a_usage_error(self):
        result = call("scor")
        assert result.exit_code == 2
        assert "score" in result.stderr

    def test_who_looks_for_the_backtest_finds_it(self):
        result = call("backtest", "shop.toml")
        assert result.exit_code == 2
        assert "No such command 'backtest'. `loyalty run` backtests, beside all the rest." in result.stderr
        assert re.search(r"To backtest your own, use loyalty run", call("--help").stdout)


class TestProcess:
    """A few calls for real, as a shell makes them."""

    @staticmethod
    def shell(*arguments):
        code = "import sys; from loyalty.cli import main; sys.argv[0] = 'loyalty'; main()"
        command = [sys.executable, "-c", code, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120, check=False)  # noqa: S603

    def test_success(self):
        done = self.shell("--help")
        assert (done.returncode, done.stderr) == (0, "")

    def test_usage(self):
        assert self.shell("run").returncode == 2

    def test_as_a_module(self):
        command = [sys.executable, "-m", "loyalty", "--version"]
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120, check=False)  # noqa: S603
        assert (done.returncode, done.stdout.strip(), done.stderr) == (0, loyalty.__version__, "")

    def test_a_missing_config(self, tmp_path):
        done = self.shell("check", tmp_path / "none.toml")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("there is no config")
        assert len(done.stderr.splitlines()) == 1

    def test_a_missing_bundle(self, tmp_path):
        done = self.shell("score", tmp_path, "--cutoff", "2024-01-01")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("Error: there is no bundle")
        assert len(done.stderr.splitlines()) == 1

    def test_what_a_run_would_refuse_a_check_does(self, small_demo, tmp_path):
        text = small_demo.config.read_text(encoding="utf-8")
        for before, after, said in (
            (r'score = "[^"]*"', 'score = "2031-01-01"', "no client stands at 2031-01-01; what was recorded ends on"),
            (r"attributes = .*", 'attributes = ["reg"]', "'reg' is no column of the table clients"),
        ):
            path = tmp_path / "shop.toml"
            path.write_text(re.sub(before, after, text), encoding="utf-8")
            done = call("check", path, "--data", small_demo.data)
            assert done.exit_code == 1
            assert said in done.stderr
            assert "can be used" not in done.stdout

    def test_a_file_is_no_folder_for_results(self, small_demo, tmp_path):
        (tmp_path / "out").write_text("a file")
        done = call("run", small_demo.config, "--data", small_demo.data, "--out", tmp_path / "out")
        assert done.exit_code == 2
        assert "is a file" in done.stderr

    def test_interruption_is_no_traceback(self, monkeypatch, capsys):
        def interrupt(_):
            raise KeyboardInterrupt

        monkeypatch.setattr(cli, "_read", interrupt)
        monkeypatch.setattr("sys.argv", ["loyalty", "check", "shop.toml"])
        with pytest.raises(SystemExit) as end:
            cli.main()
        assert end.value.code == 130
        assert capsys.readouterr().err == "Stopped.\n"


class TestBar:
    def test_counts_on_a_terminal_and_is_silent_elsewhere(self, monkeypatch, capsys):
        with cli._Bar(quiet=False) as bar:
            bar.begin(2)
            bar.step("features at 2024-01-01")
            assert bar._progress.tasks[0].completed == 1
            assert bar._progress.tasks[0].total == 2
            assert bar._progress.tasks[0].description == "features at 2024-01-01"
        assert capsys.readouterr() == ("", "")
