"""Tuning: parameters searched for at origins before the test cutoffs, which it never looks at."""

import itertools
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from loyalty.config import Config, TreesConfig, TuneConfig, ValueConfig, config_text, read_histories
from loyalty.evaluation import CERTAINTY
from loyalty.experiment import Progress, Silent, setting_of
from loyalty.files import replace_file
from loyalty.fitting import Lesson
from loyalty.histories import Histories
from loyalty.models.churn import ChurnModel
from loyalty.models.parameters import ModelParameters
from loyalty.models.value import Law
from loyalty.panels import Panels
from loyalty.setting import WARM_UP, Setting, first_known
from loyalty.timeline import Instant, LeakError, Split, as_cutoffs, prove_split, written_instant
from loyalty.tracking import log_trials, tracking_uri

if TYPE_CHECKING:
    import optuna

__all__ = ["OptunaMissingError", "Tuning", "lay_origins", "run_tuning", "tune"]

Floats = NDArray[np.float64]
Model = Literal["churn", "value"]

#: How many origins are laid where none are named.
_ORIGINS = 3
#: What is searched, evenly in the logarithm; the learning rate in thousandths.
_SPACE = {
    "num_leaves": (3, 31),
    "n_estimators": (100, 800),
    "learning_rate": (5, 100),
    "min_child_samples": (20, 400),
}
_THOUSANDTHS = "learning_rate"
_SCORES: dict[Model, str] = {"churn": "log loss", "value": "deviance of spend"}
#: Trials before any is cut short, the defaults among them.
_UNPRUNED = 5
#: Draws of clients for the interval of a difference, and what it covers.
_DRAWS, _COVERED = 1000, (2.5, 97.5)
#: A gain of less than this share of the score of the defaults is not worth a config of one's own.
_MATTERS = 0.005


class OptunaMissingError(ImportError):
    """Optuna, which comes with the extra `tune`, is not installed."""


@dataclass(frozen=True)
class Tuning:
    """What a search found.

    Attributes
    ----------
    parameters : ModelParameters
        The best of both models, every parameter said.
    trials : DataFrame
        One row a trial: `model`, `trial` (0 are the defaults), `state` (``complete`` or ``pruned``), the parameters,
        `score` (mean over the origins seen), `behind_defaults` (the same less that of the defaults at these origins;
        negative is better) and the score at each origin, `score_DATE`, NaN where the trial was cut short before.
    verdicts : DataFrame
        One row a model: scores of the defaults and of the best, their `difference` with the interval `lower` to
        `upper`, `origins_better` of `origins`, and whether tuning was `worth_it`.
    origins : tuple of Split
        Where the trials were judged, and what they learned from.
    """

    parameters: ModelParameters
    trials: pd.DataFrame
    verdicts: pd.DataFrame
    origins: tuple[Split, ...]

    def summary(self) -> str:
        """Say in sentences how far the best is from the defaults, and whether it was worth it."""
        days = ", ".join(written_instant(origin.test) for origin in self.origins)
        said = [f"Judged at {days}; each time on what was known then."]
        for model, score in _SCORES.items():
            row = self.verdicts.to_dict("index")[model]
            count = (self.trials["model"] == model).sum()
            if not row["difference"]:
                best = f"the best of {count} trials are the defaults"
                said.append(f"{model.capitalize()}: {score} {row['default']:.4f}; {best}.")
                continue
            said.append(
                f"{model.capitalize()}: {score} {row['best']:.4f}, the best of {count} trials, against "
                f"{row['default']:.4f} of the defaults: {row['difference']:+.4f} (95% interval {row['lower']:+.4f} to "
                f"{row['upper']:+.4f}), better at {row['origins_better']} of {row['origins']} origins. "
                + ("Tuning was worth it." if row["worth_it"] else "Tuning was not worth it: the defaults do as well.")
            )
        said.append(
            "The best was chosen on these very origins, which flatters it; the interval draws clients, not seasons."
        )
        return "\n".join(said) + "\n"


def lay_origins(
    histories: Histories, setting: Setting, *, before: pd.Timestamp, cutoffs: Sequence[Instant] | None = None
) -> tuple[Split, ...]:
    """Choose where parameters are judged, so that all is decided before the first test cutoff.

    Parameters
    ----------
    histories : Histories
        What was recorded.
    setting : Setting
        Outcome, and where training cutoffs lie.
    before : Timestamp
        The first test cutoff.
    cutoffs : sequence of str, date or Timestamp, optional
        The origins. By default the latest three, a gap and horizon apart; `setting.every` apart where the history is
        too short for that.

    Raises
    ------
    LeakError
        If the outcome of one is decided only after `before`.
    ValueError
        If there is too little history behind one.

    Examples
    --------
    The outcome of the last origin ends where the tests begin:

    >>> days = pd.date_range("2024-01-01", "2024-12-31").astype(str)
    >>> histories = Histories(pd.DataFrame({"client_id": "ann", "event_time": days, "amount": 1.0}))
    >>> splits = lay_origins(histories, Setting.of(horizon="60d"), before=pd.Timestamp("2024-10-01"))
    >>> [f"{split.test:%Y-%m-%d}" for split in splits]
    ['2024-06-03', '2024-07-03', '2024-08-02']
    """
    chosen = _latest_origins(histories, setting, before) if cutoffs is None else as_cutoffs(cutoffs)
    try:
        prove_split(Split(train=chosen, test=before), setting.outcome)
    except LeakError as error:
        raise LeakError(f"[tune] cutoffs: {error}") from error
    late = [cutoff for cutoff in chosen if cutoff + setting.outcome.reach > histories.observed_until]
    if late:
        raise ValueError(
            f"[tune] cutoffs: the outcome of {late[0]:%Y-%m-%d} is not known; recorded is up to "
            f"{histories.observed_until:%Y-%m-%d}. Name earlier cutoffs."
        )
    return setting.splits(histories, chosen)


def _latest_origins(histories: Histories, setting: Setting, before: pd.Timestamp) -> tuple[pd.Timestamp, ...]:
    reach = setting.outcome.reach
    latest = min(before, histories.observed_until) - reach
    start = first_known(histories, before) + WARM_UP if setting.first is None else setting.first
    room = latest - reach - start
    if room < pd.Timedelta(0):
        raise ValueError(
            f"there is too little history before the first test cutoff {before:%Y-%m-%d} to tune on: an origin whose "
            f"outcome is decided by then is {latest:%Y-%m-%d} at the latest, and its latest training cutoff would be "
            f"{latest - reach:%Y-%m-%d}, before {start:%Y-%m-%d}. Keep the defaults; or name [tune] cutoffs, choose a "
            "later test cutoff or a shorter horizon."
        )
    step = next((step for step in (reach, setting.every) if room // step + 1 >= _ORIGINS), min(reach, setting.every))
    count = min(_ORIGINS, room // step + 1)
    return tuple(latest - step * back for back in reversed(range(count)))


@dataclass(frozen=True)
class _Origin:
    """One place to judge parameters at: what is learned from there, who stands there and what they did."""

    day: str
    lesson: Lesson
    X: pd.DataFrame
    churned: Floats
    spend: Floats

    @classmethod
    def of(cls, panels: Panels, split: Split, before: pd.Timestamp) -> "_Origin":
        lesson = Lesson.of(panels, split)
        happened = panels.labels([split.test], known_before=before)
        if happened.empty:
            raise ValueError(
                f"no client stands at the tuning cutoff {split.test:%Y-%m-%d}. Choose a longer `active` or another one."
            )
        X = lesson.latest.loc[happened.index]
        churned, spend = (happened[name].to_numpy(dtype=float) for name in ("churned", "value"))
        return cls(written_instant(split.test), lesson, X, churned, spend)

    @property
    def clients(self) -> pd.Index:
        """Who is judged."""
        return self.X.index.get_level_values("client_id")

    def churn_losses(self, parameters: Mapping[str, Any], *, seed: int) -> Floats:
        """Fit and return the log loss of each client."""
        model = self.lesson.fit_churn(ModelParameters(churn=parameters), seed=seed)
        stays, leaves = np.clip(model.predict_proba(self.X), CERTAINTY, 1 - CERTAINTY).T
        losses: Floats = -np.where(self.churned == 1, np.log(leaves), np.log(stays))
        return losses

    def value_losses(self, parameters: Mapping[str, Any], *, churn: ChurnModel, seed: int) -> Floats:
        """Fit beside a churn model and return the deviance of each client."""
        model = self.lesson.fit_value(ModelParameters(value=parameters), churn=churn, seed=seed)
        # In units of the mean spend that was known before, so that no currency weighs one origin against another.
        unit = float(self.lesson.labels["value"].clip(lower=0).mean()) or 1.0
        return spend_deviance(self.spend / unit, model.predict(self.X) / unit)


def spend_deviance(spend: ArrayLike, expected: ArrayLike) -> Floats:
    r"""Measure how far each expected spend is off: Tweedie deviance of power 1.5.

    Parameters
    ----------
    spend : array-like of shape (n_clients,)
        What was spent. More came back than was bought: counts as nothing.
    expected : array-like of shape (n_clients,)
        What was expected; at least 1e-6.

    Returns
    -------
    ndarray of shape (n_clients,)
        The smaller the better; 0 where the expectation was exact.

    Notes
    -----
    Deviances of this family are smallest in expectation for the true mean, and for nothing else [1]_. Power 1.5 lies
    half way between Poisson and Gamma, and fits a law with a mass at zero and a long tail. Of the other scores for a
    mean, squared error is decided by a handful of the largest clients; absolute error is smallest for the median, which
    of a client who will probably buy nothing is zero.

    References
    ----------
    .. [1] Gneiting (2011), "Making and evaluating point forecasts", Journal of the American Statistical Association
       106(494), 746-762.

    Examples
    --------
    >>> spend_deviance([0.0, 4.0, 4.0], [1.0, 1.0, 4.0]).tolist()
    [4.0, 4.0, 0.0]
    """
    happened = np.sqrt(np.clip(np.asarray(spend, dtype=float), 0.0, None))
    root = np.sqrt(np.maximum(np.asarray(expected, dtype=float), 1e-6))
    deviance: Floats = 4 * (happened - root) ** 2 / root
    return deviance


def tune(
    panels: Panels,
    *,
    before: pd.Timestamp,
    cutoffs: Sequence[Instant] | None = None,
    trials: int = 40,
    timeout: float | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Tuning:
    """Search for the parameters that predict best at origins before the first test cutoff.

    First for churn, then for value beside the churn models that won: by mean log loss, and by mean Tweedie deviance
    (`spend_deviance`). Trial 0 are the defaults. A trial that is behind the median of those before it is cut short.
    Panels and outcomes are computed once.

    Parameters
    ----------
    panels : Panels
        Histories, setting and features.
    before : Timestamp
        The first test cutoff: no outcome that is judged is decided after it, and nothing known later is used.
    cutoffs : sequence of str, date or Timestamp, optional
        The origins, as in `lay_origins`.
    trials : int, default=40
        How many sets of parameters are tried for each model.
    timeout : float, optional
        Seconds of search after which no further trial begins, half for each model. What is found then depends on the
        machine.
    seed : int, default=0
        Of the search and the models. The same seed, data and number of trials find the same.
    progress : Progress, optional
        Who is told how far the work has come.

    Raises
    ------
    OptunaMissingError
        If Optuna is not installed.
    LeakError, ValueError
        If the origins are no good, as in `lay_origins`.

    Notes
    -----
    Optuna's tree-structured Parzen estimator, over `num_leaves` 3 to 31, `n_estimators` 100 to 800, `learning_rate`
    0.005 to 0.1 and `min_child_samples` 20 to 400, all in logarithms, and the `law` of spend. Trials are compared by
    how far they are behind the defaults at the same origins, since the level changes from one origin to the next.
    """
    _import_optuna()
    if trials < 1:
        raise ValueError(f"`trials` must be at least 1; got {trials!r}.")
    watch = progress or Silent()
    splits = lay_origins(panels.histories, panels.setting, before=before, cutoffs=cutoffs)
    watch.begin(panels.count_steps(splits) + 2 * trials)
    origins = [_Origin.of(panels, split, before) for split in splits]
    search = partial(_search, origins=origins, trials=trials, timeout=timeout and timeout / 2, seed=seed, watch=watch)
    churn = search("churn", lambda origin, chosen: origin.churn_losses(chosen, seed=seed))
    first = ModelParameters(churn=churn.best)
    beside = {origin.day: origin.lesson.fit_churn(first, seed=seed) for origin in origins}
    value = search("value", lambda origin, chosen: origin.value_losses(chosen, churn=beside[origin.day], seed=seed))
    found = {"churn": churn, "value": value}
    verdicts = pd.DataFrame({model: one.verdict(origins, seed=seed) for model, one in found.items()}).T
    return Tuning(
        ModelParameters(churn=churn.best, value=value.best),
        pd.concat([churn.trials, value.trials], ignore_index=True),
        verdicts.infer_objects(),
        splits,
    )


Judge = Callable[[_Origin, Mapping[str, Any]], Floats]


@dataclass(frozen=True)
class _Found:
    """The trials of one model, the best parameters, and each client's loss by the defaults and by the best."""

    trials: pd.DataFrame
    best: dict[str, Any]
    default_losses: list[Floats]
    best_losses: list[Floats]

    def verdict(self, origins: Sequence[_Origin], *, seed: int) -> dict[str, Any]:
        """Set the best beside the defaults."""
        behind = [best - default for best, default in zip(self.best_losses, self.default_losses, strict=True)]
        default = float(np.mean([losses.mean() for losses in self.default_losses]))
        difference = float(np.mean([losses.mean() for losses in behind]))
        lower, upper = _interval(behind, [origin.clients for origin in origins], seed=seed)
        better = sum(losses.mean() < 0 for losses in behind)
        return {
            "default": default,
            "best": default + difference,
            "difference": difference,
            "lower": lower,
            "upper": upper,
            "origins_better": int(better),
            "origins": len(origins),
            "worth_it": bool(upper < 0 and better == len(origins) and -difference >= _MATTERS * default),
        }


def _interval(behind: Sequence[Floats], clients: Sequence[pd.Index], *, seed: int) -> tuple[float, float]:
    """Draw clients anew, each with all its origins, and see how far the mean difference moves."""
    codes, everyone = pd.factorize(np.concatenate([index.to_numpy() for index in clients]))
    edges = np.cumsum([0, *map(len, behind)])
    parts = [codes[start:end] for start, end in itertools.pairwise(edges)]
    rng = np.random.default_rng(seed)
    means = np.zeros(_DRAWS)
    for draw in range(_DRAWS):
        times = np.bincount(rng.integers(len(everyone), size=len(everyone)), minlength=len(everyone)).astype(float)
        drawn = [(times[part], losses) for part, losses in zip(parts, behind, strict=True)]
        means[draw] = np.mean([weight @ losses / max(weight.sum(), 1.0) for weight, losses in drawn])
    lower, upper = np.percentile(means, _COVERED)
    return float(lower), float(upper)


def _import_optuna() -> Any:
    """Import what only tuning needs, or say how to install it."""
    try:
        import optuna
    except ModuleNotFoundError as error:
        if error.name != "optuna":
            raise
        raise OptunaMissingError(
            "tuning needs Optuna, which is not installed. In the clone: pip install -e '.[tune]'."
        ) from None
    return optuna


def _search(
    model: Model,
    judge: Judge,
    *,
    origins: Sequence[_Origin],
    trials: int,
    timeout: float | None,
    seed: int,
    watch: Progress,
) -> _Found:
    """Try parameters of one model, the defaults first."""
    library = _import_optuna()
    defaults = dict(getattr(ModelParameters().complete(), model))
    losses: dict[int, list[Floats]] = {}  # of the defaults and of the best so far: one array an origin

    def objective(trial: "optuna.Trial") -> float:
        chosen, seen = _suggest(trial, defaults), losses.setdefault(trial.number, [])
        behind: list[float] = []
        for step, origin in enumerate(origins):
            seen.append(judge(origin, chosen))
            trial.set_user_attr(origin.day, float(seen[-1].mean()))
            behind.append(float(seen[-1].mean() - losses[0][step].mean()))
            trial.report(float(np.mean(behind)), step)
            if step + 1 < len(origins) and trial.should_prune():
                raise library.TrialPruned
        return float(np.mean(behind))

    def finish(study: "optuna.Study", trial: "optuna.trial.FrozenTrial") -> None:
        for number in set(losses) - {0, study.best_trial.number}:
            del losses[number]
        watch.step(f"{model}: trial {trial.number + 1} of {trials}")

    told = library.logging.get_verbosity()
    library.logging.set_verbosity(library.logging.WARNING)
    try:
        study = library.create_study(
            sampler=library.samplers.TPESampler(seed=seed, multivariate=True),
            pruner=library.pruners.MedianPruner(n_startup_trials=_UNPRUNED),
        )
        study.enqueue_trial({name: _in_search(name, value) for name, value in defaults.items()})
        began = time.monotonic()
        study.optimize(objective, n_trials=1, callbacks=[finish])  # the defaults, whatever the time
        left = None if timeout is None else timeout - (time.monotonic() - began)
        if trials > 1 and (left is None or left > 0):
            study.optimize(objective, n_trials=trials - 1, timeout=left, callbacks=[finish])
    finally:
        library.logging.set_verbosity(told)
    best = study.best_trial
    table = _table(model, study.trials, [origin.day for origin in origins])
    parameters = {name: _in_use(name, best.params[name]) for name in defaults}
    return _Found(table, parameters, losses[0], losses[best.number])


def _suggest(trial: "optuna.Trial", defaults: Mapping[str, Any]) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    for name in defaults:
        if name == "law":
            chosen[name] = trial.suggest_categorical(name, get_args(Law))
        else:
            low, high = _SPACE[name]
            chosen[name] = _in_use(name, trial.suggest_int(name, low, high, log=True))
    return chosen


def _in_search(name: str, value: Any) -> Any:
    return round(value * 1000) if name == _THOUSANDTHS else value


def _in_use(name: str, value: Any) -> Any:
    return value / 1000 if name == _THOUSANDTHS else value


def _table(model: Model, trials: "Sequence[optuna.trial.FrozenTrial]", days: Sequence[str]) -> pd.DataFrame:
    """Lay out the trials, one a row."""
    rows = []
    for trial in trials:
        scores = [trial.user_attrs.get(day, np.nan) for day in days]
        parameters = {name: _in_use(name, value) for name, value in trial.params.items()}
        rows.append(
            {"model": model, "trial": trial.number, "state": trial.state.name.lower(), "law": None}
            | {name: parameters[name] for name in ("law", *_SPACE) if name in parameters}
            | {"score": float(np.nanmean(scores)), "behind_defaults": trial.value}
            | {f"score_{day}": score for day, score in zip(days, scores, strict=True)}
        )
    return pd.DataFrame(rows)


def run_tuning(
    config: Config,
    *,
    data: str | Path,
    out: str | Path,
    name: str = "experiment",
    beside: Path | None = None,
    trials: int = 40,
    timeout: float | None = None,
    progress: Progress | None = None,
) -> Tuning:
    """Tune the models of a config, and leave what was found in a folder: the work of `loyalty tune`.

    Parameters
    ----------
    config : Config
        From `loyalty.config.read_config`; its ``[tune] cutoffs`` are the origins. Sections ``[churn]`` and ``[value]``
        are replaced by what is found.
    data : str or Path
        The folder its paths count from.
    out : str or Path
        Gets ``tuned.toml`` (the config with the best parameters), ``trials.parquet``, ``tuning.txt`` and ``mlflow.db``;
        each whole or not there.
    name : str, default="experiment"
        Of the experiment in MLflow, to which "tuning" is added.
    beside : Path, optional
        The config's folder, which its `feature_modules` count from.
    trials, timeout, progress
        As for `tune`.

    Raises
    ------
    HistoriesError
        If the data are not as the config says.
    OptunaMissingError, LeakError, ValueError
        As for `tune`.
    """
    out, watch = Path(out), progress or Silent()
    _import_optuna()
    tracking_uri(out)  # refuses a folder MLflow cannot work in, before any work is done
    histories = read_histories(config, data)
    panels = Panels(histories, setting_of(config), config.features, on_step=watch.step)
    found = tune(
        panels,
        before=config.test_cutoffs[0],
        cutoffs=config.tune.cutoffs,
        trials=trials,
        timeout=timeout,
        seed=config.seed,
        progress=watch,
    )
    out.mkdir(parents=True, exist_ok=True)
    _track(out, f"{name} tuning", found, config, histories)
    replace_file(out / "trials.parquet", partial(found.trials.to_parquet, index=False))
    replace_file(out / "tuning.txt", lambda path: path.write_text(found.summary(), encoding="utf-8"))
    text = _tuned_text(config, found, name, modules=_modules(config, beside, out))
    replace_file(out / "tuned.toml", lambda path: path.write_text(text, encoding="utf-8"))
    return found


def _modules(config: Config, beside: Path | None, out: Path) -> list[str]:
    """Name the files of own features as they count from `out`."""
    folder = (beside or Path()).resolve()
    return [
        Path(os.path.relpath(folder / name, out.resolve())).as_posix() if name.endswith(".py") else name
        for name in config.feature_modules
    ]


def _tuned_text(config: Config, found: Tuning, name: str, *, modules: Sequence[str]) -> str:
    update: dict[str, Any] = {
        "churn": TreesConfig(**found.parameters.churn),
        "value": ValueConfig(**found.parameters.value),
        "tune": TuneConfig(cutoffs=[f"{split.test:%Y-%m-%d %H:%M:%S}" for split in found.origins]),
    }
    if modules:
        update["feature_modules"] = list(modules)
    said = "".join(f"# {line}\n" for line in found.summary().splitlines())
    return f"# {name}, with the parameters that `loyalty tune` found best.\n{said}" + config_text(
        config.model_copy(update=update)
    )


def _track(out: Path, experiment: str, found: Tuning, config: Config, histories: Histories) -> None:
    """Log one run a model, which unfolds into one run a trial."""
    days = [written_instant(split.test) for split in found.origins]
    figures = ["score", "behind_defaults", *(f"score_{day}" for day in days)]
    for model, trials in found.trials.groupby("model", sort=False):
        best = found.parameters.churn if model == "churn" else found.parameters.value
        verdict = found.verdicts.to_dict("index")[model]
        log_trials(
            out,
            experiment=experiment,
            run_name=f"{model} tuned before {config.test_cutoffs[0]:%Y-%m-%d}",
            parameters={"model": model, "seed": config.seed, "origins": days, "trials": len(trials), "best": best},
            figures={name: float(verdict[name]) for name in ("default", "best", "difference", "lower", "upper")},
            fingerprints={"data": histories.fingerprint()},
            trials=[
                {
                    "name": f"{model} {row['trial']}",
                    "state": row["state"],
                    "parameters": {name: row[name] for name in best},
                    "figures": {name: float(row[name]) for name in figures},
                }
                for row in trials.to_dict("records")
            ],
        )
