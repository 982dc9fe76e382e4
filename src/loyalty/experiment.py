"""An experiment: from a config to a folder with predictions, figures, the served bundle and its track in MLflow."""

import hashlib
import json
import math
import platform
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from loyalty.alerts import AlertLimits, alert_list, alert_summary, missing_alerts
from loyalty.backtesting import Backtest, run_backtest
from loyalty.config import Config, read_histories
from loyalty.evaluation import calibration_table, gain_curve
from loyalty.explanation import summarise, summarise_cutoffs
from loyalty.features import CATALOGUE
from loyalty.files import BACKTEST_FILE, METRICS_FILE, SCORES_FILE, undisturbed, write_table
from loyalty.fitting import Fitted, fit_models
from loyalty.groups import attributes_at, check_attributes, group_attributes, group_clients, judge_groups
from loyalty.hindsight import CameBack, came_back
from loyalty.histories import Histories, HistoriesWarning
from loyalty.models.churn import ChurnModel
from loyalty.models.intervals import coverage_table
from loyalty.models.outlook import LongRunTerms, Outlook
from loyalty.models.parameters import ModelParameters
from loyalty.models.portfolio import portfolio_interval
from loyalty.models.uncertainty import Uncertainty, too_little_history
from loyalty.models.value import ValueModel
from loyalty.panels import Panels
from loyalty.scoring import MANIFEST, Bundle, measurable, retire
from loyalty.segments import RFM_SEGMENTS, VALUE_RISK_SEGMENTS, in_english, pays_by_bill, segment_movement
from loyalty.setting import Setting
from loyalty.tracking import log_experiment, tracking_uri
from loyalty.voice import client_voice, missing_voice

__all__ = ["Progress", "Run", "check_standing", "run_experiment"]

_CONTACTED = np.linspace(0.0, 1.0, 101)
#: How far back the segments and the risk of today are compared with those of before.
_MOVEMENT = pd.Timedelta(days=30)
#: How far back clients are listened to.
_LISTENED = pd.Timedelta(days=180)
_QUOTES = 3
#: The list of alerts; not there where the histories allow none.
ALERTS_FILE = "alerts.csv"
#: What `loyalty.report` writes of a run; beside the next one it would tell of another.
_WRITTEN_UP = (
    *(f"{page}.{kind}" for page in ("report", "report-without-clients") for kind in ("html", "pdf")),
    "model_card.md",
)
#: Where a larger share of those who left come back, that is what is to be expected.
_MOST = 0.5
_NO_RFM = (
    "There are no segments of recency, frequency and monetary value: hardly anybody is silent for longer than usual, "
    "as where clients pay by bill, and how recently they paid says on which day they are billed."
)
_PACKAGES = ("loyalty", "duckdb", "ibis-framework", "lightgbm", "mlflow", "numpy", "pandas", "scikit-learn")


class Progress(Protocol):
    """Who is told how far the work has come."""

    def begin(self, total: int) -> None:
        """Learn how many steps there will be."""

    def step(self, said: str) -> None:
        """Learn that one more is done."""


class Silent:
    """Progress that nobody watches."""

    def begin(self, total: int) -> None:
        """Do nothing."""

    def step(self, said: str) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class Run:
    """What an experiment left, beside the files in `out`.

    Attributes
    ----------
    out : Path
        The folder: ``backtest.parquet``, ``scores.parquet``, ``alerts.csv`` where the histories allow it,
        ``metrics.json``, ``model/``, ``mlflow.db``.
    backtest : Backtest
        Models and baselines at the test cutoffs.
    scores : DataFrame
        As in ``scores.parquet``; segments and reasons in the language of the config.
    run_id : str
        Of the run in MLflow.
    notes : tuple of str
        What is worth knowing of the data and the models.
    """

    out: Path
    backtest: Backtest
    scores: pd.DataFrame
    run_id: str
    notes: tuple[str, ...]


def run_experiment(
    config: Config, *, data: str | Path, out: str | Path, name: str = "experiment", progress: Progress | None = None
) -> Run:
    """Backtest, fit, score, explain and track, and leave the results in a folder.

    Every file is whole or not there; a run that fails leaves the files of the run before it.

    Parameters
    ----------
    config : Config
        From `loyalty.config.read_config`.
    data : str or Path
        The folder its paths count from.
    out : str or Path
        Where the results go; made if it is not there.
    name : str, default="experiment"
        Of the experiment in MLflow.
    progress : Progress, optional
        Who is told how far the work has come.

    Raises
    ------
    HistoriesError
        If the data are not as the config says: every problem at once.
    ValueError
        If the cutoffs leave nothing to learn from.
    """
    out, watch = Path(out), progress or Silent()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HistoriesWarning)  # said in the notes
        histories = read_histories(config, data)
    check_attributes(histories, config.card.attributes)
    setting = setting_of(config)
    panels = Panels(histories, setting, config.features, on_step=watch.step, also=measurable(histories))
    (final,) = setting.splits(histories, [config.score_cutoff])
    check_standing(setting, histories, config.score_cutoff)
    tracking_uri(out)  # refuses a folder MLflow cannot work in, before any work is done
    out.mkdir(parents=True, exist_ok=True)
    watch.begin(_count_steps(panels, config))
    watch.step("histories")
    chosen = ModelParameters(churn=config.churn.given(), value=config.value.given())
    terms = LongRunTerms(**config.long_run.given())
    result = run_backtest(
        panels, config.test_cutoffs, seed=config.seed, parameters=chosen, long_run=terms, on_step=watch.step
    )
    fitted = fit_models(panels, final, seed=config.seed, parameters=chosen, long_run=terms)
    watch.step("models for scoring")
    fingerprints = {"data": histories.fingerprint(), "labels": _fingerprint(fitted.labels)}
    panel = panels.at(config.score_cutoff, learned=fitted.learned)
    bundle = Bundle.of(fitted, panel, setting, _about(config, fitted, setting, fingerprints))
    told = bundle.score_panel(panel, language=config.language)
    scores = told.assign(**{name: in_english(told[name]) for name in ("segment", "rfm_segment")})
    watch.step("scores and reasons")
    back = came_back(panels, config.score_cutoff)
    notes = _notes(config, histories, fitted, result, panel) + _note_of_return(back, setting)
    metrics = _metrics(config, setting, result, scores, fingerprints, notes)
    metrics |= _standing(config, panels, fitted, bundle, panel, scores)
    metrics |= _why(bundle, panels, scores, config.score_cutoff, result)
    metrics |= {"intervals": _intervals(result), "hindsight": _hindsight(result)}
    metrics["came_back"] = back
    metrics |= {"groups": _groups(config, panels, result), "data": _tables(histories), "model": _model(fitted)}
    metrics["voice"] = _voice(config, histories, scores, fitted)
    metrics["alerts"], alerts = _alerts(config, histories, scores)
    watch.step("voice and alerts")
    with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=out) as folder:
        made = Path(folder)
        _write(made, result, told, metrics, bundle)
        if alerts is not None:
            write_table(alerts, made / ALERTS_FILE)
        watch.step("files")
        run_id = _track(config, name, out, made, fitted, metrics, fingerprints)
        with undisturbed():
            _move(made, out)
    watch.step("MLflow")
    return Run(out, result, told, run_id, tuple(notes))


def _about(config: Config, fitted: Fitted, setting: Setting, fingerprints: Mapping[str, str]) -> dict[str, Any]:
    """Gather the plain facts that are kept with the models."""
    return {
        "question": config.question,
        "score_cutoff": f"{config.score_cutoff:%Y-%m-%d}",
        "config": config.model_dump(mode="json"),
        "fingerprints": dict(fingerprints),
        "learned_until": f"{fitted.split.train[-1] + setting.outcome.reach:%Y-%m-%d}",
    }


def _notes(config: Config, histories: Histories, fitted: Fitted, result: Backtest, panel: pd.DataFrame) -> list[str]:
    """Gather what is worth knowing of the data and the models, each once."""
    stale = histories.staleness(config.score_cutoff, kind=config.outcome.kind)
    lacking = [*missing_alerts(histories), *filter(None, [missing_voice(histories, fitted.learned)])]
    setting = setting_of(config)
    lacking += [_NO_RFM] if pays_by_bill(panel, active=setting.active) else []
    closed = [*setting.left_out(histories, [fitted.split]), *setting.reopened(histories, [config.score_cutoff])]
    said = [stale, setting.goes_on(histories, config.score_cutoff)]
    notes = [*histories.notes, *filter(None, said), *closed, *_notes_of(fitted), *result.notes, *lacking]
    return list(dict.fromkeys(notes))


def _note_of_return(back: CameBack | None, setting: Setting) -> list[str]:
    """Say so if most of those who leave a shop, as leaving is meant, come back."""
    if back is None or setting.kind == "contractual" or back["share"] <= _MOST:
        return []
    return [
        f"Of {back['left']:,} who bought nothing in the {setting.outcome.horizon.days} days from {back['since']} on, "
        f"{back['share']:.0%} bought again within the year: most who are told to leave are away for a while. A longer "
        "`horizon` tells who is gone for good."
    ]


def _standing(
    config: Config, panels: Panels, fitted: Fitted, bundle: Bundle, panel: pd.DataFrame, scores: pd.DataFrame
) -> dict[str, Any]:
    """Say what the clients together come to, in which segments they stand, and who moved."""
    return {
        "totals": _totals(scores, fitted.uncertainty),
        "long_run": _long_run(scores, bundle.outlook, panel),
        "yardsticks": bundle.yardsticks.to_dict(),
        "movement": _movement(bundle, panels, scores, config.score_cutoff),
    }


def check_standing(setting: Setting, histories: Histories, cutoff: pd.Timestamp) -> None:
    """Raise ValueError if nobody stands at the cutoff to be scored."""
    if not setting.count(histories, cutoff):
        raise ValueError(
            f"[cutoffs] score: no client stands at {cutoff:%Y-%m-%d}; what was recorded ends on "
            f"{histories.observed_until:%Y-%m-%d}. Choose an earlier cutoff, or a longer `active`."
        )


def setting_of(config: Config) -> Setting:
    """Read the setting of a config."""
    outcome, cutoffs = config.outcome, config.cutoffs
    return Setting.of(
        horizon=outcome.horizon,
        gap=outcome.gap,
        kind=outcome.kind,
        active=outcome.active,
        every=cutoffs.every,
        first=cutoffs.first,
        at_most=cutoffs.at_most,
        rows_at_most=cutoffs.rows_at_most,
    )


def _count_steps(panels: Panels, config: Config) -> int:
    splits = panels.setting.splits(panels.histories, {*config.test_cutoffs, config.score_cutoff})
    baselines_and_models = 2 * len(config.test_cutoffs)
    return (
        panels.count_steps(splits, config.score_cutoff - _MOVEMENT)
        + baselines_and_models
        + len(("histories", "models for scoring", "scores", "voice and alerts", "files", "MLflow"))
    )


def _notes_of(fitted: Fitted) -> list[str]:
    """Say how the models for scoring were made."""
    train = fitted.split.train
    learned = (
        f"The models for scoring learned from {fitted.rows:,} outcomes at {len(train)} cutoffs, "
        f"{train[0]:%Y-%m-%d} to {train[-1]:%Y-%m-%d}."
    )
    return [learned, *fitted.notes()]


def _metrics(
    config: Config,
    setting: Setting,
    result: Backtest,
    scores: pd.DataFrame,
    fingerprints: Mapping[str, str],
    notes: Sequence[str],
) -> dict[str, Any]:
    """Gather what the report and MLflow show, in plain JSON."""
    judged = result.of("lightgbm").dropna(subset="churned")
    return {
        "question": config.question,
        "kind": setting.kind,
        "horizon_days": setting.outcome.horizon.days,
        "gap_days": setting.outcome.gap.days,
        "active_days": None if setting.active is None else setting.active.days,
        "currency": config.currency,
        "language": config.language,
        "score_cutoff": f"{config.score_cutoff:%Y-%m-%d}",
        "test_cutoffs": [f"{cutoff:%Y-%m-%d}" for cutoff in config.test_cutoffs],
        "clients_scored": len(scores),
        "seed": config.seed,
        "backtest": [
            {"model": model, "cutoff": f"{cutoff:%Y-%m-%d}", "metric": metric}
            | {"value": _finite(value), "lower": _finite(lower), "upper": _finite(upper)}
            for model, cutoff, metric, value, lower, upper in result.metrics.to_numpy()
        ],
        "comparison": _comparison(result),
        "gain": _gain(judged),
        "calibration": _calibration(judged),
        "notes": list(notes),
        "btyd": {
            f"{cutoff:%Y-%m-%d}": {name: _finite(value) for name, value in parameters.items()}
            for cutoff, parameters in result.btyd_parameters.items()
        },
        "data_fingerprint": fingerprints["data"],
        "label_fingerprint": fingerprints["labels"],
        "versions": {"python": platform.python_version()} | {package: version(package) for package in _PACKAGES},
    }


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _comparison(result: Backtest) -> list[dict[str, Any]]:
    """Set LightGBM beside every baseline; the mean over the cutoffs has none."""
    if result.metrics.empty:
        return []
    rows = _records(result.compare("lightgbm"))
    for row in rows:
        row["cutoff"] = None if pd.isna(row["cutoff"]) else f"{row['cutoff']:%Y-%m-%d}"
        row |= {name: _finite(row[name]) for name in ("difference", "lower", "upper", "share_better")}
    return rows


def _gain(judged: pd.DataFrame) -> dict[str, list[float]] | None:
    """Mean and spread over the test cutoffs of the share of leavers found."""
    curves = [
        gain_curve(group["churned"], group["churn_probability"], _CONTACTED)
        for _, group in judged.groupby("cutoff")
        if group["churned"].any()
    ]
    if not curves:
        return None
    found = np.vstack(curves)
    return {
        "contacted": _CONTACTED.round(2).tolist(),
        "found_mean": found.mean(axis=0).tolist(),
        "found_low": found.min(axis=0).tolist(),
        "found_high": found.max(axis=0).tolist(),
    }


def _calibration(judged: pd.DataFrame) -> list[dict[str, Any]]:
    if judged.empty:
        return []
    return _records(calibration_table(judged["churned"], judged["churn_probability"]))


def _totals(scores: pd.DataFrame, uncertainty: Uncertainty) -> dict[str, list[dict[str, Any]]]:
    """Bound what all clients, and those of each segment, will spend, and what will be lost with those who leave."""
    return {
        name: _records(portfolio_interval(scores[name].fillna(0.0), errors=errors, by=scores["segment"]))
        for name, errors in uncertainty.totals.items()
    }


def _long_run(scores: pd.DataFrame, outlook: Outlook, panel: pd.DataFrame) -> dict[str, Any]:
    """Add up the long-run value of all clients, on which terms, and how many are expected to stay for how long."""
    known = scores["long_run_value"].dropna()
    return asdict(outlook.terms) | {
        "value": None if known.empty else float(known.sum()),
        "staying": _records(outlook.staying(panel, scores["churn_probability"])),
    }


def _intervals(result: Backtest) -> list[dict[str, Any]]:
    """Count, at each test cutoff, how often spend lay within its interval, and where the total came out."""
    rows = []
    for fitted in result.fitted:
        told = result.of("lightgbm").query("cutoff == @fitted.split.test").dropna(subset="churned")
        if told.empty:
            continue
        kept = coverage_table(told["value"], told["value_lower"], told["value_upper"]).iloc[0]
        row = {"cutoff": f"{fitted.split.test:%Y-%m-%d}", "coverage": float(kept["coverage"])}
        row |= {"clients": len(told), "value": float(told["value"].sum())}
        if errors := fitted.uncertainty.totals.get("expected_value"):
            total = portfolio_interval(told["expected_value"], errors=errors).iloc[0]
            row |= {name: float(total[name]) for name in ("expected", "lower", "upper")}
        rows.append(row)
    return rows


def _hindsight(result: Backtest) -> list[dict[str, Any]]:
    """Set what was told of the time beyond the horizon beside what came."""
    rows = _records(result.hindsight)
    return [row | {"cutoff": f"{row['cutoff']:%Y-%m-%d}", "naive": _finite(row["naive"])} for row in rows]


def _movement(bundle: Bundle, panels: Panels, scores: pd.DataFrame, cutoff: pd.Timestamp) -> dict[str, Any] | None:
    """Count who moved between segments since a month before, by the same models and cut points."""
    since = cutoff - _MOVEMENT
    panel = panels.at(since, learned=bundle.learned)
    if panel.empty:
        return None
    before, after = bundle.measure_panel(panel), scores.set_index(["client_id", "cutoff"])
    names = {
        "segment": ("value_at_risk", [cell.name["en"] for cell in VALUE_RISK_SEGMENTS.values()]),
        "rfm_segment": ("amount_sum_365d", [words["en"] for words in RFM_SEGMENTS.values()]),
    }
    moved: dict[str, Any] = {"since": f"{since:%Y-%m-%d}", "days": _MOVEMENT.days}
    moved["loyalty_score"] = _finite(float(before["loyalty_score"].mean()))
    for column, (worth, order) in names.items():
        tables = [
            pd.DataFrame(
                {"segment": pd.Categorical(table[column], categories=order), "value": table[worth].fillna(0.0)},
                index=table.index,
            )
            for table in (before, after)
        ]
        known = not any(table["segment"].isna().any() for table in tables)
        moved[column] = _records(segment_movement(*tables)) if known else []
    return moved


def _why(
    bundle: Bundle, panels: Panels, scores: pd.DataFrame, cutoff: pd.Timestamp, result: Backtest
) -> dict[str, Any]:
    """Say what moves the clients' risk, here, by segment and from cutoff to cutoff, and what changed in a month."""
    since = cutoff - _MOVEMENT
    now, before = (panels.at(when, learned=bundle.learned) for when in (cutoff, since))
    order = [cell.name["en"] for cell in VALUE_RISK_SEGMENTS.values()]
    segment = pd.Series(pd.Categorical(scores["segment"], categories=order), index=now.index)
    table, told = summarise(bundle.churn, now, before=before, segment=segment)
    if told["changed"] is not None:
        told["changed"] = {"since": f"{since:%Y-%m-%d}", "days": _MOVEMENT.days, **told["changed"]}
    return told | summarise_cutoffs({**result.driver_tables, cutoff: table})


def _tables(histories: Histories) -> list[dict[str, Any]]:
    """Say what there was to learn from."""
    table = histories.summary().rename_axis("table").reset_index()
    return _records(table.assign(**{end: table[end].dt.strftime("%Y-%m-%d") for end in ("first", "last")}))


def _model(fitted: Fitted) -> dict[str, Any]:
    """Say what the models for scoring are made of."""
    train, calibration = fitted.split.train, fitted.churn.calibration_
    names = [str(name) for name in fitted.churn.feature_names_in_]
    return {
        "training_rows": fitted.rows,
        "training_cutoffs": [f"{cutoff:%Y-%m-%d}" for cutoff in train],
        "features": pd.Series([CATALOGUE[name].theme for name in names]).value_counts(sort=False).to_dict(),
        "churn": _set(fitted.churn),
        "monotone": dict(fitted.churn.monotone or {}),
        "value": _set(fitted.value),
        "calibration": asdict(calibration) | {"held_out_cutoffs": len(fitted.churn.calibration_cutoffs_)},
    }


def _set(model: ChurnModel | ValueModel) -> dict[str, Any]:
    """Return a model's parameters that are not told elsewhere."""
    return {name: value for name, value in model.get_params().items() if name not in ("embargo", "monotone")}


def _groups(config: Config, panels: Panels, result: Backtest) -> list[dict[str, Any]]:
    """Judge the models in groups of clients, as they stood at the test cutoffs."""
    setting, asked = panels.setting, config.card.attributes
    told = result.of("lightgbm").dropna(subset="churned")
    if told.empty:
        return []
    groups, attributes = [], []
    for cutoff in told["cutoff"].unique():
        rows = told[told["cutoff"] == cutoff].set_index(["client_id", "cutoff"])
        panel = panels.at(cutoff).loc[rows.index]
        little = too_little_history(panel, kind=setting.kind, reach=setting.outcome.reach)
        groups.append(group_clients(panel, rows, little=little))
        if asked:
            known = attributes_at(panels.histories, asked, cutoff=cutoff).reindex(
                rows.index.get_level_values("client_id")
            )
            attributes.append(known.set_axis(rows.index))
    keyed = told.set_index(["client_id", "cutoff"])
    found = pd.concat(groups).reindex(keyed.index)
    if asked:
        found = found.join(group_attributes(pd.concat(attributes).reindex(keyed.index)))
    found = found.reset_index(drop=True)
    table = judge_groups(told.reset_index(drop=True), found, seed=config.seed)
    return [row | {name: _finite(row[name]) for name in ("value", "lower", "upper")} for row in _records(table)]


def _voice(config: Config, histories: Histories, scores: pd.DataFrame, fitted: Fitted) -> dict[str, Any] | None:
    """Listen to the clients; their words are nowhere but in the quotes."""
    if missing_voice(histories, fitted.learned):
        return None
    told = client_voice(
        histories,
        scores,
        cutoff=config.score_cutoff,
        learned=fitted.learned,
        window=_LISTENED,
        quotes=_QUOTES if config.report.quotes else 0,
        language=config.language,
    )
    return {"since": f"{config.score_cutoff - _LISTENED:%Y-%m-%d}", "days": _LISTENED.days, "themes": _told(told)}


def _alerts(
    config: Config, histories: Histories, scores: pd.DataFrame
) -> tuple[dict[str, Any] | None, pd.DataFrame | None]:
    """List whom the company is failing, and count them."""
    cutoff = config.score_cutoff
    limits = AlertLimits.read(histories, cutoff=cutoff, kind=config.outcome.kind)
    alerts = alert_list(histories, scores, cutoff=cutoff, kind=config.outcome.kind, limits=limits)
    kinds = _told(alert_summary(alerts, scores))
    return ({"limits": asdict(limits), "kinds": kinds}, alerts) if kinds else (None, None)


def _told(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Write rows as plain JSON, null where a number is not known."""
    return _records(table.astype(object).where(table.notna(), None))


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [dict(zip(table.columns, row, strict=True)) for row in table.astype(object).to_numpy()]


def _write(made: Path, result: Backtest, scores: pd.DataFrame, metrics: Mapping[str, Any], bundle: Bundle) -> None:
    predictions = result.of("lightgbm").drop(columns=["churned", "value"])
    predictions.to_parquet(made / BACKTEST_FILE, index=False)
    scores.to_parquet(made / SCORES_FILE, index=False)
    text = json.dumps(metrics, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    (made / METRICS_FILE).write_text(text, encoding="utf-8")
    bundle.save(made / "model")


def _move(made: Path, out: Path) -> None:
    """Put finished files where they belong; last those without which models are no bundle, and the folder no run.

    So a run that is killed meanwhile leaves no mixture that could be taken for one.
    """
    (out / "model").mkdir(exist_ok=True)
    retire(out / "model")
    last = {MANIFEST: 1, METRICS_FILE: 2}
    for name in (METRICS_FILE, ALERTS_FILE, *_WRITTEN_UP):  # the new run may have none
        (out / name).unlink(missing_ok=True)
    files = [path for path in made.rglob("*") if path.is_file()]
    for path in sorted(files, key=lambda path: (last.get(path.name, 0), path)):
        path.replace(out / path.relative_to(made))


def _fingerprint(labels: pd.DataFrame) -> str:
    """Hash who stood where with what outcome."""
    rows = pd.util.hash_pandas_object(labels.reset_index(), index=False).to_numpy()
    return hashlib.sha256(rows.tobytes()).hexdigest()[:32]


def _track(
    config: Config,
    name: str,
    out: Path,
    made: Path,
    fitted: Fitted,
    metrics: Mapping[str, Any],
    fingerprints: Mapping[str, str],
) -> str:
    names = list(fitted.churn.feature_names_in_)
    settings = config.model_dump(mode="json")
    return log_experiment(
        out,
        experiment=name,
        run_name=f"{name} scored at {config.score_cutoff:%Y-%m-%d}",
        parameters={
            **{key: settings[key] for key in ("question", "seed", "outcome", "cutoffs", "data")},
            "churn": fitted.churn.get_params(),
            "value": fitted.value.get_params(),
            "training_cutoffs": len(fitted.split.train),
            "training_rows": fitted.rows,
        },
        metrics=metrics["backtest"],
        fingerprints=fingerprints,
        bundle=made / "model",
        feature_names=names,
        example=pd.DataFrame(0.0, index=[0], columns=names),
        artifacts=[made / "metrics.json"],
    )
