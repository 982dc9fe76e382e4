"""What MLflow keeps of an experiment, what its model predicts, and that nothing else is touched."""

import contextlib
import io
import json
import logging
import math
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sqlalchemy import NullPool, create_engine

from loyalty import scoring, tracking
from loyalty.models.churn import ChurnModel
from loyalty.models.outlook import OUTLOOK_FILES
from loyalty.models.value import ValueModel

mlflow = tracking.mlflow  # imported there, where the warnings MLflow gives of itself are kept quiet
MlflowClient = tracking.MlflowClient

FEATURES = ["amount_sum_365d", "days_since_last", "orders_count_90d"]
ROWS = [
    {"model": model, "cutoff": cutoff, "metric": metric, "value": value}
    for model, metric, values in [
        ("naive", "auc", (0.5, 0.5)),
        ("naive", "spearman", (math.nan, None)),
        ("lightgbm", "auc", (0.75, 0.25)),
        ("lightgbm", "total_error", (math.inf, -0.5)),
    ]
    for cutoff, value in zip(("2011-03-01", "2011-06-01"), values, strict=True)
]
CLIENT = "ann.smith@example.org"


def state():
    """What must be the same before and after."""
    return {
        "tracking": mlflow.get_tracking_uri(),
        "run": mlflow.active_run(),
        "environment": dict(os.environ),
        "loggers": [logging.getLogger(name).level for name in ("mlflow", "alembic", "mlflow.store.db.utils")],
        "working directory": sorted(path.name for path in Path().iterdir()),
    }


@pytest.fixture(scope="module")
def models():
    """Small models of churn and value, grown on a panel with missing values."""
    rng = np.random.default_rng(0)
    cutoffs = pd.to_datetime(["2011-03-01", "2011-06-01"])
    index = pd.MultiIndex.from_product([range(150), cutoffs], names=["client_id", "cutoff"])
    panel = pd.DataFrame(rng.gamma(2.0, 30.0, (len(index), len(FEATURES))), index=index, columns=FEATURES)
    panel = panel.mask(rng.random(panel.shape) < 0.1)
    churned = (panel["days_since_last"].fillna(0) + rng.normal(0, 20, len(index)) > 60).astype(int)
    churn_model = ChurnModel(n_estimators=5, embargo="90d", n_jobs=1).fit(panel, churned)
    value_model = ValueModel(n_estimators=5, embargo="90d", n_jobs=1)
    value_model.fit(panel, (1 - churned) * panel["amount_sum_365d"].fillna(1))
    return SimpleNamespace(churn=churn_model, value=value_model, panel=panel)


@pytest.fixture(scope="module")
def bundle(models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "model"
    folder.mkdir()
    models.churn.save(folder)
    models.value.save(folder)
    (folder / "bundle.json").write_text(json.dumps({"features": FEATURES}))
    return folder


@pytest.fixture(scope="module")
def logged(bundle, tmp_path_factory):
    """One experiment logged from a strange working directory into a strange relative folder."""
    place = tmp_path_factory.mktemp("working directory")
    (place / "uv.lock").write_text("version = 1\n")
    (place / "pyproject.toml").write_text('[project]\nname = "bystander"\n')
    (bundle / "clients.parquet").write_text(CLIENT)
    report = bundle.parent / "report.html"
    report.write_text("<h1>A report</h1>")
    terminal = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        before = state()
        settings = {
            "out": Path("..") / "out 2011 é 한글 100% #1",
            "experiment": "wholesale",
            "run_name": "first",
            "parameters": {"seed": 0, "outcome": {"horizon": "90d", "gap": "0d"}, "odd (name)" * 26: "x" * 7000},
            "metrics": ROWS,
            "fingerprints": {"data_fingerprint": "ab" * 32, "label_fingerprint": "cd" * 32},
            "bundle": bundle,
            "feature_names": FEATURES,
            "example": pd.DataFrame(0, index=[CLIENT], columns=FEATURES[::-1]),
            "artifacts": [report],
        }
        with contextlib.redirect_stderr(terminal), contextlib.redirect_stdout(terminal):
            run_id = tracking.log_experiment(**settings)
        after = state()
    out = settings["out"] = place.parent / settings["out"].name
    return SimpleNamespace(
        out=out,
        run_id=run_id,
        settings=settings,
        before=before,
        after=after,
        terminal=terminal.getvalue(),
        client=MlflowClient(tracking_uri=tracking.tracking_uri(out)),
    )


@pytest.fixture(scope="module")
def served(logged):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", tracking.tracking_uri(logged.out))
        patch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
        patch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        return mlflow.pyfunc.load_model(f"runs:/{logged.run_id}/loyalty")


def cutoff_runs(logged, run_id):
    experiment = logged.client.get_run(run_id).info.experiment_id
    found = logged.client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{run_id}'")
    return {run.info.run_name: run for run in found}


def model_folder(logged):
    (folder,) = (logged.out / "mlartifacts" / "models").glob(f"{model_of(logged).model_id}/artifacts")
    return folder


def model_of(logged):
    (output,) = logged.client.get_run(logged.run_id).outputs.model_outputs
    return logged.client.get_logged_model(output.model_id)


def test_the_run_holds_parameters_fingerprints_and_means_over_the_cutoffs(logged):
    run = logged.client.get_run(logged.run_id)
    assert (run.info.run_name, run.info.status) == ("first", "FINISHED")
    assert logged.client.get_experiment(run.info.experiment_id).name == "wholesale"
    assert run.data.params == {
        "seed": "0",
        "outcome.horizon": "90d",
        "outcome.gap": "0d",
        "odd _name_" * 25: "x" * 5999 + "…",
    }
    # undefined figures are left out: of infinity and -0.5 the mean is -0.5, and spearman has none at all
    assert run.data.metrics == {"naive_auc": 0.5, "lightgbm_auc": 0.5, "lightgbm_total_error": -0.5}
    assert run.data.tags["data_fingerprint"] == "ab" * 32
    assert run.data.tags["label_fingerprint"] == "cd" * 32
    assert [file.path for file in logged.client.list_artifacts(logged.run_id)] == ["report.html"]


def test_every_cutoff_is_a_run_of_its_own_below(logged):
    runs = cutoff_runs(logged, logged.run_id)
    assert {name: run.data.metrics for name, run in runs.items()} == {
        "2011-03-01": {"naive_auc": 0.5, "lightgbm_auc": 0.75},
        "2011-06-01": {"naive_auc": 0.5, "lightgbm_auc": 0.25, "lightgbm_total_error": -0.5},
    }
    for name, run in runs.items():
        assert run.info.status == "FINISHED"
        assert run.data.params == {"cutoff": name}
        assert run.data.tags["cutoff"] == name
        assert run.data.tags["data_fingerprint"] == "ab" * 32


def test_figures_of_the_model_that_is_served_stand_beside_it(logged):
    model = model_of(logged)
    assert (model.name, str(model.status)) == ("loyalty", "READY")
    assert {metric.key: metric.value for metric in model.metrics} == {
        "lightgbm_auc": 0.5,
        "lightgbm_total_error": -0.5,
    }


def test_the_model_is_text_code_and_json_and_nothing_else(logged):
    folder = model_folder(logged)
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {
        "MLmodel",
        "conda.yaml",
        "input_example.json",
        "python_env.yaml",
        "requirements.txt",
        "served.py",
        "serving_input_example.json",
        "artifacts/bundle/bundle.json",
        "artifacts/bundle/value_whole.txt",
        # The model of spend has here a model of its own of who spends nothing.
        *(f"artifacts/bundle/{name}.{kind}" for name in ("churn", "value", "purchase") for kind in ("txt", "json")),
    }
    for path in folder.rglob("*"):
        if path.is_file():  # a pickle is no UTF-8; no client is named
            assert CLIENT not in path.read_text(encoding="utf-8")
    requirements = (folder / "requirements.txt").read_text().splitlines()
    assert not any(requirement.startswith("loyalty") for requirement in requirements)  # a stranger's on the registry
    assert all("<" in requirement for requirement in requirements)


def test_every_file_that_a_bundle_may_have_is_known():
    known = {*tracking.BUNDLE_FILES, *tracking.MORE_BUNDLE_FILES}
    assert {scoring.MANIFEST, scoring.LEARNED, *OUTLOOK_FILES} < known


def test_the_signature_asks_for_doubles_in_and_out(served):
    signature = served.metadata.signature
    assert [(column.name, column.type.name, column.required) for column in signature.inputs] == [
        (name, "double", True) for name in FEATURES
    ]
    assert [(column.name, column.type.name) for column in signature.outputs] == [
        ("churn_probability", "double"),
        ("expected_value", "double"),
    ]


def test_the_model_loads_without_pickles_and_predicts_what_the_models_predict(served, models):
    predictions = served.predict(models.panel)
    expected = pd.DataFrame(
        {
            "churn_probability": models.churn.predict_proba(models.panel)[:, 1],
            "expected_value": models.value.predict(models.panel),
        },
        index=models.panel.index,
    )
    assert expected["churn_probability"].nunique() > 5
    assert expected["expected_value"].nunique() > 5
    assert_frame_equal(predictions, expected, check_exact=True)


def test_columns_are_found_by_name_and_other_columns_are_ignored(served, models):
    mixed = models.panel[FEATURES[::-1]].assign(note="a client's own words")
    assert_frame_equal(served.predict(mixed), served.predict(models.panel))
    itself = served.unwrap_python_model()
    assert_frame_equal(itself.predict(None, mixed), served.predict(models.panel))


def test_missing_and_repeated_columns_are_refused_by_name(served, models):
    without = models.panel.drop(columns="days_since_last")
    with pytest.raises(mlflow.MlflowException, match="days_since_last"):
        served.predict(without)
    itself = served.unwrap_python_model()
    with pytest.raises(ValueError, match="lacks 1 of 3 feature columns: days_since_last"):
        itself.predict(None, without)
    with pytest.raises(ValueError, match="columns of the same name: orders_count_90d"):
        itself.predict(None, pd.concat([models.panel, models.panel[["orders_count_90d"]]], axis=1))


def test_nothing_is_printed_and_nothing_else_is_touched(logged):
    assert logged.terminal == ""
    assert logged.after == logged.before
    assert sorted(path.name for path in logged.out.iterdir()) == ["mlartifacts", "mlflow.db"]


def test_the_haste_in_making_the_store_ends_with_it(logged):
    engine = create_engine(tracking.tracking_uri(logged.out), poolclass=NullPool)
    with engine.connect() as connection:
        # 2 is FULL: a finished run is on the disk when it is said to be
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "delete"


def test_the_same_experiment_again_is_a_second_run_and_a_callers_run_stays_as_it_is(logged, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://nowhere.invalid")
    again = tracking.log_experiment(**logged.settings)
    first, second = (logged.client.get_run(run_id) for run_id in (logged.run_id, again))
    assert again != logged.run_id
    assert first.info.experiment_id == second.info.experiment_id
    assert first.data.metrics == second.data.metrics
    assert len(cutoff_runs(logged, logged.run_id)) == len(cutoff_runs(logged, again)) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_was_moved_keeps_its_new_artifacts_in_its_new_place(logged, tmp_path):
    moved = tmp_path / "moved"
    moved.mkdir()
    shutil.copy(logged.out / "mlflow.db", moved)
    run_id = tracking.log_experiment(**{**logged.settings, "out": moved})
    client = MlflowClient(tracking_uri=tracking.tracking_uri(moved))
    assert client.get_experiment(client.get_run(run_id).info.experiment_id).name == "wholesale (2)"
    assert len(list((moved / "mlartifacts").rglob("report.html"))) == 1


def test_a_bundle_that_cannot_be_served_fails_and_says_so_in_the_store(logged, bundle, tmp_path):
    broken = tmp_path / "model"
    shutil.copytree(bundle, broken)
    (broken / "churn.json").write_text("{}")  # has no parameters
    with pytest.raises(KeyError, match="parameters"):
        tracking.log_experiment(**{**logged.settings, "run_name": "broken", "bundle": broken})
    experiment = logged.client.get_run(logged.run_id).info.experiment_id
    (run,) = logged.client.search_runs([experiment], "attributes.run_name = 'broken'")
    assert run.info.status == "FAILED"
    models = {model.source_run_id: model.status for model in logged.client.search_logged_models([experiment])}
    assert str(models[run.info.run_id]) == "FAILED"


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"metrics": [{"model": "naive", "value": 1}]}, ValueError, "`metrics`.*row 0 lacks cutoff, metric"),
        (
            {"feature_names": ["a", "a"]},
            ValueError,
            "`feature_names` must name each feature once; got a more than once",
        ),
        ({"feature_names": []}, ValueError, "`feature_names`.*got none"),
        ({"feature_names": [*FEATURES, "tenure"]}, ValueError, "`example`.*lacks tenure"),
        ({"example": pd.DataFrame(0.0, index=range(99), columns=FEATURES)}, ValueError, "`example`.*made-up rows.*99"),
        ({"bundle": Path("nowhere")}, FileNotFoundError, r"`bundle`.*churn\.txt.*bundle\.json"),
        ({"artifacts": [Path("nowhere.html")]}, FileNotFoundError, r"`artifacts`.*nowhere\.html"),
        ({"out": Path("what?")}, ValueError, r"`out` must be a path without '\?'"),
        ({"out": Path("a%20b")}, ValueError, "`out` must be a path without '%20'"),
    ],
)
def test_what_cannot_be_logged_is_refused_before_anything_is_written(
    logged, tmp_path, monkeypatch, change, error, message
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        tracking.log_experiment(**{**logged.settings, "out": tmp_path / "out", **change})
    assert list(tmp_path.iterdir()) == []
