"""Keep an experiment in MLflow: what was set, what came out at every cutoff, on which data, and the model itself.

The only package that knows MLflow. The store is one SQLite file in the run's own folder; neither MLflow's global state
(its tracking address, its active run) nor the working directory is touched.
"""

import logging
import math
import os
import re
import shutil
import sqlite3
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from numbers import Real
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # MLflow reads it while it is imported
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # MLflow warns of its own type hints
    import mlflow.pyfunc
from mlflow import MlflowClient
from mlflow.entities import Experiment, LoggedModelOutput, Metric, Param, ViewType
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema
from sqlalchemy import event
from sqlalchemy.engine import Engine

__all__ = ["log_experiment", "log_trials", "tracking_uri"]

MODEL_NAME = "loyalty"
BUNDLE_FILES = ("churn.txt", "churn.json", "value.txt", "value_whole.txt", "value.json", "bundle.json")
#: What else a bundle may hold. Prediction needs only the model of who spends nothing, where spend has its own. But
#: features are made with what was learned, and the next run into the folder writes over the bundle beside the store.
MORE_BUNDLE_FILES = (
    *("purchase.txt", "purchase.json", "learned.json"),
    *("intervals.txt", "intervals.json", "totals.json"),
    *("outlook.json", "leaving.json", "survival.txt", "survival.json", "pace.txt", "pace_whole.txt", "pace.json"),
)
SERVED_MODEL = "lightgbm"  # the model of the backtest that the bundle holds; its figures are shown beside it
SERVING_PACKAGES = ("lightgbm", "mlflow", "numpy", "pandas", "scikit-learn")
EXAMPLE_ROWS = 10  # an example longer than this is a table of clients, and none may end up in a model
LONGEST_PARAMETER = 6000  # MLflow's limits
LARGEST_BATCH = 100

# While MLflow works: connections are closed after use (an open one is a warning from Python 3.13 on, and locks the file
# on Windows), a uv.lock lying in the working directory is not taken for the model's, and a pickle would fail to load.
ENVIRONMENT = {
    "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool",
    "MLFLOW_UV_AUTO_DETECT": "false",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


def tracking_uri(out: Path) -> str:
    """Name the MLflow store of an output folder, as ``mlflow ui --backend-store-uri`` and ``set_tracking_uri`` take it.

    Parameters
    ----------
    out : Path
        The output folder; may be relative, and need not exist yet.

    Returns
    -------
    str
        The address of ``mlflow.db`` in it, absolute.

    Raises
    ------
    ValueError
        If the path has a question mark or a percent code such as ``%20``, which mean something else in an address.

    Examples
    --------
    >>> from pathlib import Path
    >>> tracking_uri(Path("a run")).endswith("/a run/mlflow.db")
    True
    """
    database = (Path(out).resolve() / "mlflow.db").as_posix()
    if unfit := re.search(r"\?|%[0-9A-Fa-f]{2}", database):
        raise ValueError(f"`out` must be a path without {unfit.group()!r}; got {database}. Rename the folder.")
    return f"sqlite:///{database}"


def log_experiment(
    out: Path,
    *,
    experiment: str,
    run_name: str,
    parameters: Mapping[str, object],
    metrics: Sequence[Mapping[str, object]],
    fingerprints: Mapping[str, str],
    bundle: Path,
    feature_names: Sequence[str],
    example: pd.DataFrame,
    artifacts: Sequence[Path] = (),
) -> str:
    """Log one experiment to the MLflow store of its output folder.

    In MLflow's page the run stands with the mean of every figure over the test cutoffs; it unfolds into one run a
    cutoff with that cutoff's figures, in the same columns. The model is logged with its signature as code, text and
    JSON. Logging the same experiment again adds a second run.

    Parameters
    ----------
    out : Path
        The output folder: gets ``mlflow.db`` and ``mlartifacts/``. May be relative, and need not exist.
    experiment : str
        Name of the experiment the run belongs to. A number is added if the store knows that name with its artifacts
        elsewhere (the folder was moved or copied since) or deleted.
    run_name : str
        Name of the run.
    parameters : mapping of str to object
        What was set. Nested mappings become dotted names, such as ``outcome.horizon``.
    metrics : sequence of mappings
        What came out: one row per ``model``, ``cutoff`` and ``metric`` with its ``value``. A value that is None, NaN or
        infinite is not logged; means are over the cutoffs that have one.
    fingerprints : mapping of str to str
        What it was computed on, such as ``{"data_fingerprint": ...}``; become tags of the run and its cutoffs.
    bundle : Path
        Folder with ``churn.txt``, ``churn.json``, ``value.txt``, ``value_whole.txt``, ``value.json`` and
        ``bundle.json``. Of what else lies in it, only the other files of a bundle are logged, so that `loyalty.load`
        reads the logged one too.
    feature_names : sequence of str
        The columns the model takes: doubles, where NaN is allowed.
    example : DataFrame
        A few made-up rows with these columns, to show what the model takes. Never rows of clients; the index is
        dropped.
    artifacts : sequence of Path, default=()
        Further files to keep with the run, such as the report and the metrics.

    Returns
    -------
    str
        The id of the run. With `tracking_uri` set, ``runs:/<id>/loyalty`` loads the model.

    Raises
    ------
    ValueError
        If a row of `metrics` lacks a field, `feature_names` repeats or is empty, or `example` does not go with it.
    FileNotFoundError
        If a file of `bundle` or of `artifacts` is missing.

    Notes
    -----
    Before the model is logged it is loaded and predicts `example`, so a bundle that cannot be served fails here.
    """
    out, bundle = Path(out).resolve(), Path(bundle).resolve()
    uri = tracking_uri(out)
    rows = _checked_rows(metrics)
    shown = _checked_example(example, feature_names)
    _require_files([bundle / name for name in BUNDLE_FILES], argument="bundle")
    _require_files(artifacts, argument="artifacts")
    out.mkdir(parents=True, exist_ok=True)
    with _quiet_mlflow():
        client = _open_store(out / "mlflow.db", uri)
        experiment_id = _experiment_id(client, experiment, location=(out / "mlartifacts").as_uri())
        tags = {**fingerprints, "loyalty_version": version("loyalty")}
        with _run(client, experiment_id, run_name, tags) as run_id:
            settings = [Param(key, value) for key, value in _flat(parameters)]
            for start in range(0, len(settings), LARGEST_BATCH):
                client.log_batch(run_id, params=settings[start : start + LARGEST_BATCH])
            for path in artifacts:
                client.log_artifact(run_id, str(path))
            model_id = _log_model(client, experiment_id, run_id, bundle=bundle, example=shown, tags=tags)
            _log_metrics(client, run_id, _means(rows), model_id=model_id)
            for cutoff in sorted({cutoff for _, cutoff, _, _ in rows}):
                figures = {f"{model}_{metric}": value for model, at, metric, value in rows if at == cutoff}
                child = {**tags, "cutoff": cutoff, "mlflow.parentRunId": run_id}
                with _run(client, experiment_id, cutoff, child) as child_id:
                    client.log_batch(child_id, params=[Param("cutoff", cutoff)])
                    _log_metrics(client, child_id, figures)
    return run_id


def log_trials(
    out: Path,
    *,
    experiment: str,
    run_name: str,
    parameters: Mapping[str, object],
    figures: Mapping[str, float],
    fingerprints: Mapping[str, str],
    trials: Sequence[Mapping[str, Any]],
) -> str:
    """Log a search for parameters to the MLflow store of its output folder.

    In MLflow's page the search is one run, which unfolds into one run a trial.

    Parameters
    ----------
    out : Path
        The output folder, as for `log_experiment`.
    experiment, run_name : str
        Names of the experiment, and of the run.
    parameters : mapping of str to object
        What was searched, and what was found.
    figures : mapping of str to float
        What the search came to. A figure that is NaN or infinite is not logged, here and in the trials.
    fingerprints : mapping of str to str
        What it was computed on; become tags of the run and its trials.
    trials : sequence of mappings
        Each with its ``name``, ``state`` (such as ``pruned``, which becomes a tag), ``parameters`` and ``figures``.

    Returns
    -------
    str
        The id of the run.
    """
    out = Path(out).resolve()
    uri = tracking_uri(out)
    out.mkdir(parents=True, exist_ok=True)
    with _quiet_mlflow():
        client = _open_store(out / "mlflow.db", uri)
        experiment_id = _experiment_id(client, experiment, location=(out / "mlartifacts").as_uri())
        tags = {**fingerprints, "loyalty_version": version("loyalty")}
        with _run(client, experiment_id, run_name, tags) as run_id:
            client.log_batch(run_id, params=[Param(key, value) for key, value in _flat(parameters)])
            _log_metrics(client, run_id, figures)
            for trial in trials:
                child = {**tags, "state": trial["state"], "mlflow.parentRunId": run_id}
                with _run(client, experiment_id, trial["name"], child) as child_id:
                    client.log_batch(child_id, params=[Param(key, value) for key, value in _flat(trial["parameters"])])
                    _log_metrics(client, child_id, trial["figures"])
    return run_id


@contextmanager
def _quiet_mlflow() -> Iterator[None]:
    """Keep MLflow's logs and its warnings of its own making off the terminal, set what it needs, and put all back."""
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels = [logger.level for logger in loggers]
    kept = {name: os.environ.get(name) for name in ENVIRONMENT}
    try:
        os.environ.update(ENVIRONMENT)
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as SQLAlchemy's of what MLflow's tables use
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        for name, setting in kept.items():
            if setting is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = setting


def _open_store(database: Path, uri: str) -> MlflowClient:
    """Open the store; if there is none yet, let MLflow make it without waiting for the disk after each of its steps.

    MLflow makes a store by its whole history of migrations, each of which waits until the disk has it: seconds on a
    slow or busy disk, for a file that has nothing to lose yet. Connections made afterwards are as safe as ever.
    """
    if database.exists():
        return MlflowClient(tracking_uri=uri)

    def relax(connection: sqlite3.Connection, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            _, _, file = connection.execute("PRAGMA database_list").fetchone()
            if file == str(database):
                connection.execute("PRAGMA synchronous = OFF")
                connection.execute("PRAGMA journal_mode = MEMORY")

    event.listen(Engine, "connect", relax)
    try:
        return MlflowClient(tracking_uri=uri)
    finally:
        event.remove(Engine, "connect", relax)


@contextmanager
def _run(client: MlflowClient, experiment_id: str, name: str, tags: Mapping[str, str]) -> Iterator[str]:
    """Open a run and close it, as failed if what is inside fails."""
    source = {"mlflow.source.name": "loyalty", "mlflow.source.type": "LOCAL"}
    run_id: str = client.create_run(experiment_id, tags={**source, **tags}, run_name=name).info.run_id
    try:
        yield run_id
    except BaseException:
        client.set_terminated(run_id, status="FAILED")
        raise
    client.set_terminated(run_id)


def _experiment_id(client: MlflowClient, name: str, *, location: str) -> str:
    """Find the experiment of this name whose artifacts lie here, or make one.

    Artifact locations are stored as absolute addresses: those of a store that was moved lead to where it was.
    """
    known: dict[str, Experiment] = {
        found.name: found for found in client.search_experiments(view_type=ViewType.ALL, max_results=50_000)
    }
    candidate, number = name, 1
    while candidate in known:
        found = known[candidate]
        if found.lifecycle_stage == "active" and found.artifact_location == location:
            return str(found.experiment_id)
        number += 1
        candidate = f"{name} ({number})"
    return str(client.create_experiment(candidate, artifact_location=location))


def _log_model(
    client: MlflowClient,
    experiment_id: str,
    run_id: str,
    *,
    bundle: Path,
    example: pd.DataFrame,
    tags: Mapping[str, str],
) -> str:
    """Log the bundle with the code that serves it, and prove that it can be served."""
    model = client.create_logged_model(experiment_id, name=MODEL_NAME, source_run_id=run_id, tags=dict(tags))
    model_id: str = model.model_id
    try:
        with tempfile.TemporaryDirectory() as folder:
            chosen, saved = Path(folder) / "bundle", Path(folder) / "model"
            chosen.mkdir()
            for name in (*BUNDLE_FILES, *MORE_BUNDLE_FILES):
                if (bundle / name).is_file():  # those that must be there are
                    shutil.copyfile(bundle / name, chosen / name)
            mlflow.pyfunc.save_model(
                path=str(saved),
                python_model=str(Path(__file__).with_name("served.py")),
                artifacts={"bundle": chosen.as_uri()},
                signature=_signature(list(example.columns)),
                input_example=example,
                pip_requirements=_pip_requirements(),
                mlflow_model=Model(
                    artifact_path=model.artifact_location, run_id=run_id, model_uuid=model_id, model_id=model_id
                ),
            )
            mlflow.pyfunc.load_model(str(saved)).predict(example)
            client.log_model_artifacts(model_id, str(saved))
    except BaseException:
        client.finalize_logged_model(model_id, "FAILED")
        raise
    client.finalize_logged_model(model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
    return model_id


def _signature(feature_names: Sequence[str]) -> ModelSignature:
    """Declare doubles in and doubles out; NaN is a double, so a missing value is none of the schema's business."""
    return ModelSignature(
        inputs=Schema([ColSpec("double", name, required=True) for name in feature_names]),
        outputs=Schema([ColSpec("double", name) for name in ("churn_probability", "expected_value")]),
    )


def _pip_requirements() -> list[str]:
    """Say what serving needs beside loyalty: the present major version of each, not older than here.

    Loyalty itself is not named: the package of that name on the public registry is a stranger's, and a server that
    installs by name must not fetch it. Its version stands in the tags of the run and the model.
    """
    requirements = []
    for package in SERVING_PACKAGES:
        present = version(package)
        requirements.append(f"{package}>={present},<{int(present.split('.')[0]) + 1}")
    return requirements


def _log_metrics(client: MlflowClient, run_id: str, figures: Mapping[str, float], *, model_id: str = "") -> None:
    """Log figures, those of the served model also beside the model."""
    now = time.time_ns() // 1_000_000
    logged = [
        Metric(name, value, now, 0, model_id=model_id if name.startswith(f"{SERVED_MODEL}_") and model_id else None)
        for name, value in figures.items()
        if math.isfinite(value)
    ]
    for start in range(0, len(logged), LARGEST_BATCH):
        client.log_batch(run_id, metrics=logged[start : start + LARGEST_BATCH])


def _means(rows: Sequence[tuple[str, str, str, float]]) -> dict[str, float]:
    """Average every figure over the cutoffs where it is defined."""
    defined: defaultdict[str, list[float]] = defaultdict(list)
    for model, _, metric, value in rows:
        if math.isfinite(value):
            defined[f"{model}_{metric}"].append(value)
    return {name: fmean(values) for name, values in defined.items()}


def _flat(parameters: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Name nested settings by their dotted path, in the characters and lengths MLflow takes."""
    for key, value in parameters.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _flat(value, prefix=f"{name}.")
        else:
            text = str(value)
            shortened = text if len(text) <= LONGEST_PARAMETER else text[: LONGEST_PARAMETER - 1] + "…"
            yield re.sub(r"[^/\w.\- ]", "_", name)[:250], shortened


def _checked_rows(metrics: Sequence[Mapping[str, object]]) -> list[tuple[str, str, str, float]]:
    """Take the four fields of every row; an undefined value becomes NaN."""
    rows = []
    for position, row in enumerate(metrics):
        lacking = [field for field in ("model", "cutoff", "metric", "value") if field not in row]
        if lacking:
            raise ValueError(
                f"`metrics` must hold model, cutoff, metric and value in every row; row {position} lacks "
                f"{', '.join(lacking)} and has {', '.join(map(str, row)) or 'nothing'}."
            )
        value = row["value"]
        if not isinstance(value, Real | None):
            raise ValueError(f"`metrics` must hold numbers or None as values; got {value!r} in row {position}.")
        figure = math.nan if value is None else float(value)
        rows.append((str(row["model"]), str(row["cutoff"]), str(row["metric"]), figure))
    return rows


def _checked_example(example: pd.DataFrame, feature_names: Sequence[str]) -> pd.DataFrame:
    """Bring the example into the order of the features, without its index, which could name clients."""
    names = list(feature_names)
    repeated = sorted({name for name in names if names.count(name) > 1})
    if not names or repeated:
        what = f"{', '.join(repeated)} more than once" if repeated else "none"
        raise ValueError(f"`feature_names` must name each feature once; got {what}.")
    missing = [name for name in names if name not in example.columns]
    if missing:
        raise ValueError(f"`example` must have a column for every feature; it lacks {', '.join(missing)}.")
    if not 1 <= len(example) <= EXAMPLE_ROWS:
        raise ValueError(
            f"`example` must hold 1 to {EXAMPLE_ROWS} made-up rows, because no client's row may be stored in a model; "
            f"got {len(example)}."
        )
    return example[names].astype("float64").reset_index(drop=True)


def _require_files(paths: Sequence[Path], *, argument: str) -> None:
    """Refuse what is not there before anything is logged."""
    missing = [str(path) for path in paths if not Path(path).exists()]
    if missing:
        raise FileNotFoundError(f"`{argument}` must exist before it is logged; missing: {', '.join(missing)}.")
