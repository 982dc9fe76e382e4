"""Backtest: models and baselines side by side at cutoffs of the past, each having seen only what was known then."""

import importlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from loyalty.btyd import BuyTillYouDie
from loyalty.explanation import driver_table, drivers_over_time, sample_clients
from loyalty.features import build_panel, choose_features
from loyalty.features.feature import WINDOWS
from loyalty.fitting import DEFAULTS, Fitted, fit_models
from loyalty.hindsight import can_look_back, look_back, nothing_seen
from loyalty.histories import Histories, OutcomeKind
from loyalty.judging import (
    DRAWS,
    FEWEST_LEAVERS,
    SHOWN,
    Judgement,
    as_html,
    calibration_frame,
    count_frame,
    coverage_frame,
    gain_frame,
    judge,
    value_frame,
)
from loyalty.models.outlook import LongRunTerms
from loyalty.models.parameters import ModelParameters
from loyalty.panels import BTYD_INPUTS, OnStep, Panels, say_nothing
from loyalty.setting import Setting
from loyalty.timeline import ROWS_AT_MOST, Duration, Instant, Split, as_cutoffs

if TYPE_CHECKING:
    from loyalty.plots import Chart

__all__ = ["Backtest", "backtest", "predict_baselines", "run_backtest"]

_NO_BASELINE_OF_CONTRACTS = (
    "Buy-till-you-die models say nothing of when a contract ends: as a baseline they are left out. Features made of "
    "them, which tell how often a client pays, are not concerned."
)
#: Clients that each rate of the naive baseline is drawn towards the mean by.
_FEW = 10
#: Of how many clients the drivers at each cutoff are the means at the most.
_CLIENTS_FOR_DRIVERS = 2_000


def predict_baselines(panels: Panels, split: Split) -> tuple[dict[str, pd.DataFrame], dict[str, float], list[str]]:
    """Predict the test cutoff of `split` as one would without machine learning.

    Returns
    -------
    predictions : dict of model name to DataFrame
        ``naive``: the churn rate, one horizon ago, of clients who had been silent as long; and the client's own
        recent spend. ``btyd``: BG/NBD and Gamma-Gamma, fitted on what all clients had bought by then.
    parameters : dict of str to float
        Of the buy-till-you-die models; empty where they do not apply.
    notes : list of str
        What is worth knowing about the fit.
    """
    panel = panels.at(split.test)
    predictions = {"naive": _predict_naive(panels, split, panel)}
    if panels.setting.kind == "contractual":
        return predictions, {}, [_NO_BASELINE_OF_CONTRACTS]
    outcome = panels.setting.outcome
    everyone = build_panel(
        panels.histories,
        cutoffs=split.test,
        horizon=outcome.horizon,
        features=choose_features(panels.histories, BTYD_INPUTS),
    )
    model, bought = BuyTillYouDie(), everyone[everyone["T"].notna()]
    try:
        model.fit(*_btyd_inputs(bought))
    except ValueError as error:
        return predictions, {}, [f"Buy-till-you-die models could not be fitted at {split.test:%Y-%m-%d}: {error}"]
    notes = [] if model.converged_ else [f"Buy-till-you-die models at {split.test:%Y-%m-%d}: {model.message_}"]
    # A client known only by refunds has bought nothing yet: like one who bought once, then.
    silent, spend = model.predict(
        outcome.horizon.days, *_btyd_inputs(panel.fillna({"T": panel["days_since_first_record"]})), gap=outcome.gap.days
    )
    predictions["btyd"] = pd.DataFrame({"churn_probability": silent, "expected_value": spend}, index=panel.index)
    return predictions, model.parameters_, notes


def _btyd_inputs(panel: pd.DataFrame) -> tuple[pd.Series, pd.Series, pd.Series, pd.Series]:
    filled = panel[list(BTYD_INPUTS)].fillna(0.0)
    return filled["frequency"].clip(lower=0.0), filled["recency"], filled["T"], filled["monetary"]


def _predict_naive(panels: Panels, split: Split, panel: pd.DataFrame) -> pd.DataFrame:
    latest = split.train[-1]
    share = panels.share(split.train)
    labels = panels.labels([latest], known_before=split.test, share=share)
    before = panels.at(latest, share=share).loc[labels.index, "days_since_last"]
    known = before.dropna()
    edges = np.unique(np.quantile(known, np.linspace(0, 1, 11))[1:-1]) if len(known) else np.empty(0)
    # Each rate is drawn towards the rate of all as if by a few more clients, so that few clients give no certainty.
    several = labels if len(labels) else panels.labels(split.train, known_before=split.test, share=share)
    overall = several["churned"].mean()
    left = labels["churned"].groupby(np.searchsorted(edges, before.fillna(np.inf))).agg(["sum", "size"])
    rates = (left["sum"] + _FEW * overall) / (left["size"] + _FEW)
    # A silence longer than any a rate was found for is like the longest.
    rates = rates.reindex(range(len(edges) + 1)).ffill().fillna(overall)
    silent = pd.Series(np.searchsorted(edges, panel["days_since_last"].fillna(np.inf)), index=panel.index)
    days = panels.setting.outcome.horizon.days
    window = next((w for w in WINDOWS if w >= days), WINDOWS[-1])
    return pd.DataFrame(
        {
            "churn_probability": silent.map(rates),
            "expected_value": panel[f"amount_sum_{window}d"].clip(lower=0.0) * (days / window),
        }
    )


@dataclass(frozen=True)
class Backtest:
    """How models and baselines did at cutoffs of the past.

    Attributes
    ----------
    predictions : DataFrame
        `model`, `client_id`, `cutoff`, `churn_probability`, `expected_value`, and what happened: `churned`, `value`
        (NaN where the horizon is not over). Where a model says between which amounts the value will lie, also
        `value_lower` and `value_upper`, NaN in the rows of the others.
    fitted : tuple of Fitted
        The models of each test cutoff.
    btyd_parameters : mapping of cutoff to mapping of str to float
        Of the buy-till-you-die models.
    notes : tuple of str
        What is worth knowing.
    draws, seed : int
        How many times clients are drawn for the intervals, and the seed of the draws.
    driver_tables : mapping of cutoff to DataFrame
        From `driver_table`, of LightGBM's model of each test cutoff and at most 2,000 clients who stood there: those
        whose id has the smallest hash, whatever the order of rows.
    hindsight : DataFrame
        What the models of the first test cutoff told of the time beyond the horizon, held against what came: from
        `loyalty.hindsight.look_back`. Empty where `long_run` was not asked for, or nothing beyond the horizon is over.

    Notes
    -----
    Intervals hold 95 % of the figures of `draws` bootstrap samples. Clients are drawn with replacement, each with its
    rows at all cutoffs, and all models are judged on the same draws: see `loyalty.judging`. They tell what other
    clients of the same kind would have changed; what another season would have is seen in `plot_stability`.
    """

    predictions: pd.DataFrame
    fitted: tuple[Fitted, ...]
    btyd_parameters: Mapping[pd.Timestamp, Mapping[str, float]]
    notes: tuple[str, ...]
    draws: int = DRAWS
    seed: int = 0
    driver_tables: Mapping[pd.Timestamp, pd.DataFrame] = field(default_factory=dict)
    hindsight: pd.DataFrame = field(default_factory=nothing_seen)

    @cached_property
    def judgement(self) -> Judgement:
        """The figures of every model at every cutoff and in every draw; computed when first asked for."""
        return judge(self.predictions, draws=self.draws, seed=self.seed)

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """Every figure of `loyalty.evaluation`, tidy: `model`, `cutoff`, `metric`, `value`, `lower`, `upper`."""
        return self.judgement.by_cutoff()

    @cached_property
    def drivers(self) -> pd.DataFrame:
        """What moved the clients' risk at each test cutoff; see `loyalty.drivers_over_time`."""
        return drivers_over_time(self.driver_tables)

    def summary(self, *, intervals: bool = False) -> pd.DataFrame:
        """Average each metric over the cutoffs: one row a model, one column a metric.

        Parameters
        ----------
        intervals : bool, default=False
            Whether each metric has three columns, `value`, `lower` and `upper`, instead of one.

        Raises
        ------
        ValueError
            If the outcome of no cutoff is known yet.
        """
        means = self.judgement.means()
        if means.empty:
            raise ValueError(f"no cutoff can be judged yet. {' '.join(self.notes)}")
        wide = {
            name: means.pivot_table(index="model", columns="metric", values=name, sort=False).rename_axis(columns=None)
            for name in ("value", "lower", "upper")
        }
        if not intervals:
            return wide["value"]
        columns = pd.MultiIndex.from_product([wide["value"].columns, list(wide)])
        return pd.concat(wide, axis="columns").swaplevel(axis="columns").reindex(columns=columns)

    def compare(self, model: str = "lightgbm", against: str | Sequence[str] | None = None) -> pd.DataFrame:
        """Set a model beside others, client by client: how much better it is, and how sure that is.

        Parameters
        ----------
        model : str, default="lightgbm"
            The model in question.
        against : str or sequence of str, optional
            What it is compared with; all other models by default.

        Returns
        -------
        DataFrame
            A row per `baseline`, `metric` and `cutoff`, and one whose `cutoff` is NaT for the mean over the cutoffs at
            which both were judged. `better`: whether the better figure is the ``higher``, the ``lower`` or the one
            ``nearer 0``. `difference`: the model's figure less the baseline's; of the last kind, without their signs,
            at each cutoff before the mean. `lower`, `upper`: its interval over the same draws of clients for both.
            `share_better`: in what share of the draws the model is the better one, draws alike counting half.

        Raises
        ------
        ValueError
            If a model was not judged.
        """
        return self.judgement.compare(model, against)

    def of(self, model: str) -> pd.DataFrame:
        """Return the predictions of one model."""
        return self.predictions[self.predictions["model"] == model].drop(columns="model").reset_index(drop=True)

    def plot_gain(self) -> "Chart":
        """Draw how many leavers are found among how many clients; see `loyalty.plots.gain`."""
        return _plots().gain(gain_frame(self.predictions))

    def plot_lift(self) -> "Chart":
        """Draw how many times more leavers are found than by chance; see `loyalty.plots.lift`."""
        return _plots().lift(gain_frame(self.predictions))

    def plot_calibration(self, *, bins: int = 10) -> "Chart":
        """Draw the share that left against the predicted probability, with counts; see `loyalty.plots.calibration`."""
        return _plots().calibration(calibration_frame(self.predictions, bins=bins), count_frame(self.predictions))

    def plot_value(self) -> "Chart":
        """Draw real beside predicted spend by tenths of the latter; see `loyalty.plots.value_by_decile`."""
        return _plots().value_by_decile(value_frame(self.predictions, draws=self.draws, seed=self.seed))

    def plot_coverage(self, *, nominal: float = 0.9) -> "Chart":
        """Draw how often spend lay within its interval, which promised `nominal`; see `loyalty.plots.coverage`."""
        return _plots().coverage(coverage_frame(self.predictions), nominal=nominal)

    def plot_stability(self, *metrics: str) -> "Chart":
        """Draw figures from cutoff to cutoff, the main ones if none is named; see `loyalty.plots.stability`."""
        return _plots().stability(self.metrics, metrics=metrics or SHOWN)

    def _repr_html_(self) -> str:
        """Show the main figures in a notebook."""
        return as_html(self.judgement)


def _plots() -> ModuleType:
    """Import the drawing library only where something is drawn."""
    return importlib.import_module("loyalty.plots")


def backtest(
    histories: Histories,
    *,
    cutoffs: Instant | Iterable[Instant],
    horizon: Duration,
    gap: Duration = "0d",
    kind: OutcomeKind = "non-contractual",
    active: Duration | None = None,
    every: Duration = "30d",
    first: Instant | None = None,
    at_most: int = 24,
    rows_at_most: int = ROWS_AT_MOST,
    seed: int = 0,
    parameters: ModelParameters = DEFAULTS,
    long_run: LongRunTerms | None = None,
    draws: int = DRAWS,
    on_step: OnStep = say_nothing,
) -> Backtest:
    """Compare LightGBM with the baselines at cutoffs of the past.

    At each test cutoff every model is fitted anew on what was known then: training cutoffs lie behind it so that
    their outcomes were decided by then, and what was reported later is not seen.

    Parameters
    ----------
    histories : Histories
        What was recorded.
    cutoffs : str, date, Timestamp or iterable of them
        The test cutoffs.
    horizon, gap, kind, active
        The outcome and the population, as in `build_labels`.
    every, first, at_most, rows_at_most
        Where training cutoffs lie, and how much is learned from: see `Setting`.
    seed : int, default=0
        Seed of the models and of the draws.
    parameters : ModelParameters, optional
        Of the models, where they are not to be the defaults.
    long_run : LongRunTerms, optional
        On these terms the time beyond the horizon is told at the first test cutoff, and held against what came; not by
        default.
    draws : int, default=1000
        How many times clients are drawn with replacement for the intervals of the figures.
    on_step : callable, optional
        Told in words after each piece of work.

    Returns
    -------
    Backtest
        Predictions, metrics with intervals, comparisons, pictures and the models.

    Examples
    --------
    >>> from loyalty.datasets import synthetic_tables
    >>> histories = Histories(synthetic_tables(clients=300, seed=1).tables["purchases"])
    >>> result = backtest(histories, cutoffs="2025-09-01", horizon="90d", active="365d", at_most=3)
    >>> result.summary().index.tolist()
    ['naive', 'btyd', 'lightgbm']
    """
    setting = Setting.of(
        horizon=horizon,
        gap=gap,
        kind=kind,
        active=active,
        every=every,
        first=first,
        at_most=at_most,
        rows_at_most=rows_at_most,
    )
    panels = Panels(histories, setting, on_step=on_step)
    return run_backtest(
        panels,
        as_cutoffs(cutoffs),
        seed=seed,
        parameters=parameters,
        long_run=long_run,
        draws=draws,
        on_step=on_step,
    )


def run_backtest(
    panels: Panels,
    cutoffs: Sequence[pd.Timestamp],
    *,
    seed: int = 0,
    parameters: ModelParameters = DEFAULTS,
    long_run: LongRunTerms | None = None,
    draws: int = DRAWS,
    on_step: OnStep = say_nothing,
) -> Backtest:
    """Backtest on panels that serve other work as well."""
    parts, fitted, btyd, drivers = [], [], {}, {}
    churned: dict[pd.Timestamp, pd.Series] = {}
    seen = nothing_seen()
    splits = panels.setting.splits(panels.histories, cutoffs)
    notes = [*filter(None, [panels.setting.unevenness(panels.histories, splits)])]
    notes += panels.setting.left_out(panels.histories, splits)
    notes += panels.setting.reopened(panels.histories, [split.test for split in splits])
    for split in splits:
        if panels.at(split.test).empty:
            raise ValueError(
                f"no client stands at the test cutoff {split.test:%Y-%m-%d}. Choose a longer `active` or another one."
            )
        predictions, btyd[split.test], said = predict_baselines(panels, split)
        on_step(f"baselines at {split.test:%Y-%m-%d}")
        terms = None
        if long_run is not None and split is splits[0] and can_look_back(panels, split.test, years=long_run.years):
            terms = long_run
        models = fit_models(panels, split, seed=seed, parameters=parameters, long_run=terms)
        if terms is not None:
            seen = look_back(panels, models)
        fitted.append(replace(models, outlook=None))  # what it says of itself is of no further use
        panel = panels.at(split.test, learned=fitted[-1].learned)
        predictions["lightgbm"] = fitted[-1].predict(panel)
        drivers[split.test] = driver_table(fitted[-1].churn, sample_clients(panel, _CLIENTS_FOR_DRIVERS))
        on_step(f"models at {split.test:%Y-%m-%d}")
        outcomes, censored = _outcomes(panels, split.test)
        churned[split.test] = outcomes["churned"].dropna()
        notes += said + fitted[-1].notes() + censored
        parts += [
            predicted.join(outcomes).reset_index().assign(model=model) for model, predicted in predictions.items()
        ]
    joined = pd.concat(parts, ignore_index=True)
    columns = ["model", "client_id", "cutoff", "churn_probability", "expected_value", "churned", "value"]
    columns += [name for name in ("value_lower", "value_upper") if name in joined]
    notes += _few_leavers(churned)
    return Backtest(joined[columns], tuple(fitted), btyd, tuple(notes), draws, seed, drivers, seen)


def _few_leavers(churned: Mapping[pd.Timestamp, pd.Series]) -> list[str]:
    """Name the cutoffs at which too few left for an order of the clients to be judged; the means hold them still."""
    few = [
        f"{int(left.sum()):,} of {len(left):,} at {cutoff:%Y-%m-%d}"
        for cutoff, left in churned.items()
        if len(left) and left.sum() < FEWEST_LEAVERS
    ]
    if not few:
        return []
    return [
        f"Few clients left: {', '.join(few)}. How leavers are ranked (AUC, lift, share found) says next to nothing "
        f"there, and counts in the means over the cutoffs all the same."
    ]


def _outcomes(panels: Panels, cutoff: pd.Timestamp) -> tuple[pd.DataFrame, list[str]]:
    end = panels.setting.outcome.window(cutoff)[1]
    until = panels.histories.observed_until
    if end > until:
        said = f"The outcome of {cutoff:%Y-%m-%d} is decided on {end:%Y-%m-%d}; recorded is up to {until:%Y-%m-%d}."
        nothing = panels.at(cutoff)[[]].assign(churned=np.nan, value=np.nan)
        return nothing, [f"{said} It is predicted, but not judged."]
    return panels.labels([cutoff], known_before=None), []
