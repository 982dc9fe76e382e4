"""Backtest: models and baselines side by side at cutoffs of the past, each having seen only what was known then."""

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from loyalty.btyd import BuyTillYouDie
from loyalty.features import CATALOGUE, Feature, Learned, build_panel, choose_features, learn, renew
from loyalty.features.feature import WINDOWS
from loyalty.features.learned import MODELS
from loyalty.histories import Histories, OutcomeKind, at_instant
from loyalty.judging import (
    DRAWS,
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
from loyalty.labels import build_labels
from loyalty.models.churn import ChurnModel
from loyalty.models.parameters import ModelParameters
from loyalty.models.uncertainty import Uncertainty
from loyalty.models.value import ValueModel
from loyalty.timeline import Duration, Instant, Outcome, Split, as_cutoffs, as_duration, as_instant, rolling_origins

if TYPE_CHECKING:
    from loyalty.plots import Chart

__all__ = ["Backtest", "Fitted", "Lesson", "Setting", "backtest", "fit_models", "predict_baselines"]

_BTYD_INPUTS = ("frequency", "recency", "T", "monetary")
#: What the baselines and the scores are made from, whether or not the models use it.
_ALWAYS = (*_BTYD_INPUTS, "days_since_last", "days_since_first_record", *(f"amount_sum_{days}d" for days in WINDOWS))
#: Second opinions, by buy till you die: who will be silent, and what the others will spend.
_SILENCE, _IF_BUYING = "silence_probability", "amount_expected_if_buying"
#: Before a client base has a little history there is nothing to learn from.
WARM_UP = pd.Timedelta(days=60)
_YEAR = pd.Timedelta(days=365)
_DEFAULTS = ModelParameters()
#: Clients that each rate of the naive baseline is drawn towards the mean by.
_FEW = 10

OnStep = Callable[[str], None]


def _say_nothing(_: str) -> None:
    pass


@dataclass(frozen=True)
class Setting:
    """What is predicted, for whom, and from which cutoffs one learns.

    Attributes
    ----------
    outcome : Outcome
        Gap and horizon.
    kind : {"non-contractual", "contractual"}
        What leaving means.
    active : Timedelta or None
        Population: clients with a purchase within this long before the cutoff; all ever seen if None.
    every : Timedelta
        Distance between training cutoffs.
    first : Timestamp or None
        No training cutoff before this. If None, 60 days after the first purchase, or half the way from it to the
        latest possible training cutoff where that is earlier.
    at_most : int
        Training cutoffs per test cutoff at the most, the latest ones.
    """

    outcome: Outcome
    kind: OutcomeKind
    active: pd.Timedelta | None
    every: pd.Timedelta
    first: pd.Timestamp | None
    at_most: int

    @classmethod
    def of(
        cls,
        *,
        horizon: Duration,
        gap: Duration = "0d",
        kind: OutcomeKind = "non-contractual",
        active: Duration | None = None,
        every: Duration = "30d",
        first: Instant | None = None,
        at_most: int = 24,
    ) -> "Setting":
        """Read a setting as it is written in a call or a config."""
        return cls(
            outcome=Outcome.of(horizon=horizon, gap=gap),
            kind=kind,
            active=None if active is None else as_duration(active, name="active"),
            every=as_duration(every, name="every"),
            first=None if first is None else as_instant(first, name="first"),
            at_most=at_most,
        )

    def splits(self, histories: Histories, cutoffs: Iterable[Instant]) -> tuple[Split, ...]:
        """Lay the training cutoffs behind each of `cutoffs`.

        Raises
        ------
        ValueError
            If a test cutoff has no room for a training cutoff.
        """
        # One by one: an early purchase reported after one test cutoff must not move its training cutoffs.
        return tuple(
            split
            for cutoff in as_cutoffs(cutoffs)
            for split in rolling_origins(
                [cutoff],
                outcome=self.outcome,
                first=self._first(histories, cutoff) if self.first is None else self.first,
                every=self.every,
                at_most=self.at_most,
                observed_until=histories.observed_until,
            )
        )

    def _first(self, histories: Histories, cutoff: pd.Timestamp) -> pd.Timestamp:
        """Let the client base have a little history, or, where all of it is short, half of what there is."""
        first = first_known(histories, cutoff)
        latest = min(cutoff, histories.observed_until) - self.outcome.reach
        return first + max(min(WARM_UP, (latest - first) / 2), pd.Timedelta(0))


def first_known(histories: Histories, cutoff: pd.Timestamp) -> pd.Timestamp:
    """When the first purchase was made, as far as was known before `cutoff`."""
    at = at_instant(cutoff)
    first = histories.purchases.filter(lambda t: t.known_at < at).event_time.min().execute()
    if pd.isna(first):
        raise ValueError(
            f"test cutoff {cutoff:%Y-%m-%d} leaves nothing to learn from: no purchase was known before it; the first "
            f"was made on {histories.first_event:%Y-%m-%d}. Choose a later test cutoff."
        )
    return pd.Timestamp(first).as_unit("us")


class Panels:
    """The panels of one setting; each cutoff is computed once, however many splits it serves.

    Attributes
    ----------
    names : list of str
        The features the models may use; the panels also hold what the baselines need, and `also`.
    """

    def __init__(
        self,
        histories: Histories,
        setting: Setting,
        features: Sequence[str] | None = None,
        on_step: OnStep = _say_nothing,
        also: Iterable[str] = (),
    ) -> None:
        self.histories = histories
        self.setting = setting
        chosen = {feature.name: feature for feature in choose_features(histories, features, models=MODELS)}
        self.names = list(chosen)
        always = {feature.name: feature for feature in choose_features(histories, dict.fromkeys((*_ALWAYS, *also)))}
        features_of_both = (chosen | always).values()
        self._plain = tuple(feature for feature in features_of_both if not feature.models)
        self._asking = tuple(feature for feature in features_of_both if feature.models)
        self._on_step = on_step
        # By cutoff, and by when the models that features ask were fitted and renewed.
        self._snapshots: dict[tuple[pd.Timestamp, pd.Timestamp | None, pd.Timestamp | None], pd.DataFrame] = {}

    def learn(self, cutoff: pd.Timestamp) -> Learned | None:
        """Fit the models that features ask, on what was known before a cutoff; None if no feature asks any."""
        if not self._asking:
            return None
        outcome = self.setting.outcome
        return learn(self.histories, cutoff=cutoff, horizon=outcome.horizon, gap=outcome.gap)

    def renew(self, learned: Learned | None, cutoff: pd.Timestamp) -> Learned | None:
        """Bring them up to date for predictions at a cutoff, as far as that leaves their meaning."""
        if learned is None:
            return None
        outcome = self.setting.outcome
        return renew(learned, self.histories, cutoff=cutoff, horizon=outcome.horizon, gap=outcome.gap)

    def at(self, *cutoffs: pd.Timestamp, learned: Learned | None = None) -> pd.DataFrame:
        """Features of every client at these cutoffs, with those that ask fitted models if these are given."""
        panel = self._snapshots_at(cutoffs, self._plain, None)
        if learned is None:
            return panel
        asking = tuple(feature for feature in self._asking if feature.models <= set(learned))
        if not asking:
            return panel
        more = self._snapshots_at(cutoffs, asking, learned)
        there = [str(name) for name in (*panel.columns, *more.columns)]
        both = pd.concat([panel, more], axis=1)[sorted(there, key=self._place)]
        both.attrs = panel.attrs
        return both

    def _place(self, name: object) -> int:
        """Bring the features into the order they were chosen in; what only the baselines need comes last."""
        return self.names.index(str(name)) if name in self.names else len(self.names)

    def _snapshots_at(
        self, cutoffs: Sequence[pd.Timestamp], features: Sequence[Feature], learned: Learned | None
    ) -> pd.DataFrame:
        version = (None, None) if learned is None else (learned.until, learned.renewed)
        missing = [cutoff for cutoff in cutoffs if (cutoff, *version) not in self._snapshots]
        if missing:
            panel = build_panel(
                self.histories,
                cutoffs=missing,
                horizon=self.setting.outcome.horizon,
                gap=self.setting.outcome.gap,
                kind=self.setting.kind,
                active=self.setting.active,
                features=features,
                learned=learned,
                on_step=self._on_step if learned is None else None,
            )
            at = panel.index.get_level_values("cutoff")
            for cutoff in missing:
                self._snapshots[cutoff, *version] = panel[at == cutoff]
        return pd.concat([self._snapshots[cutoff, *version] for cutoff in cutoffs])

    def labels(self, cutoffs: Sequence[pd.Timestamp], *, known_before: pd.Timestamp | None) -> pd.DataFrame:
        """Outcomes of every client at these cutoffs."""
        return build_labels(
            self.histories,
            cutoffs=cutoffs,
            horizon=self.setting.outcome.horizon,
            gap=self.setting.outcome.gap,
            kind=self.setting.kind,
            active=self.setting.active,
            known_before=known_before,
        )


@dataclass(frozen=True)
class Fitted:
    """The two models for one cutoff, fitted on outcomes decided before it, and how far they may be off.

    Attributes
    ----------
    split : Split
        What they learned from, and the cutoff they are for.
    churn, value : ChurnModel, ValueModel
        The models; `churn.feature_names_in_` are the features used.
    rows : int
        Rows learned from.
    labels : DataFrame
        The outcomes learned from.
    learned : Learned or None
        The models that some features ask, up to date for the cutoff.
    uncertainty : Uncertainty
        Of the predictions.
    """

    split: Split
    churn: ChurnModel
    value: ValueModel
    rows: int
    labels: pd.DataFrame
    learned: Learned | None
    uncertainty: Uncertainty

    def notes(self) -> list[str]:
        """Say what is worth knowing of how the models were made."""
        notes = [] if self.learned is None else list(self.learned.notes)
        notes += self.uncertainty.notes()
        if self.churn.calibration_cutoffs_:
            return notes
        return [
            *notes,
            f"Of the training cutoffs before {self.split.test:%Y-%m-%d} none lies a gap and horizon after another "
            "(see `first`, `every` and `at_most`), so none could be held out for calibration: how sure the "
            "probabilities are was not checked against later cutoffs.",
        ]

    def predict(self, panel: pd.DataFrame) -> pd.DataFrame:
        """Predict the rows of a panel: `churn_probability`, `expected_value`, `value_lower` and `value_upper`."""
        X = panel[list(self.churn.feature_names_in_)]
        told = {"churn_probability": self.churn.predict_proba(X)[:, 1], "expected_value": self.value.predict(X)}
        return pd.DataFrame(told, index=panel.index).join(self.uncertainty.predict(X))


@dataclass(frozen=True)
class Lesson:
    """What the models for one cutoff learn from; other parameters can be tried on it without computing it anew.

    Attributes
    ----------
    setting : Setting
        What is predicted, and for whom.
    split : Split
        The cutoffs learned from, and the cutoff the models are for.
    X : DataFrame
        The features that can be learned from.
    labels : DataFrame
        The outcome of each row of `X`.
    latest : DataFrame
        The same features of every client at the test cutoff.
    past_spend : Series
        Net spend of the year before, of each row of `X`.
    learned : Learned or None
        The models that some features ask, up to date for the test cutoff.
    """

    setting: Setting
    split: Split
    X: pd.DataFrame
    labels: pd.DataFrame
    latest: pd.DataFrame
    past_spend: pd.Series
    learned: Learned | None

    @classmethod
    def of(cls, panels: Panels, split: Split) -> "Lesson":
        """Gather what was known before the test cutoff of `split`.

        Raises
        ------
        ValueError
            If the training outcomes are all alike, or no feature is left to learn from.
        """
        labels = panels.labels(split.train, known_before=split.test)
        # A contract that ends in the gap has no outcome: the labels may be fewer than the rows of the panel.
        learned = panels.learn(split.train[-1])
        panel = panels.at(*split.train, learned=learned)
        names = _usable(panels, split, panel, learned)
        if labels.empty:
            raise ValueError(
                f"there is nothing to learn for {split.test:%Y-%m-%d}: no client stands at its training cutoffs, "
                f"{split.train[0]:%Y-%m-%d} to {split.train[-1]:%Y-%m-%d}. Choose a longer `active` or a later cutoff."
            )
        if labels["churned"].nunique() < 2:
            what = "left" if labels["churned"].iloc[0] else "stayed"
            raise ValueError(
                f"all {len(labels):,} training outcomes before {split.test:%Y-%m-%d} are alike: every client {what}. "
                "Choose another `horizon` or `active`."
            )
        renewed = panels.renew(learned, split.test)
        latest = panels.at(split.test, learned=renewed)[names]
        rows = panel.loc[labels.index]
        return cls(panels.setting, split, rows[names], labels, latest, rows["amount_sum_365d"], renewed)

    @property
    def _bought(self) -> bool:
        """Whether leaving is the silence of which the anchor and the first part of the spend speak."""
        return self.setting.kind == "non-contractual"

    def fit_churn(self, parameters: ModelParameters = _DEFAULTS, *, seed: int = 0) -> ChurnModel:
        """Fit the churn model."""
        anchor = _SILENCE if self._bought and _SILENCE in self.X else None
        reach = self.setting.outcome.reach
        monotone = {name: CATALOGUE[name].monotone for name in map(str, self.X) if CATALOGUE[name].monotone}
        model = ChurnModel(monotone=monotone, anchor=anchor, embargo=reach, random_state=seed, **parameters.churn)
        return model.fit(self.X, self.labels["churned"], latest=self.latest)

    def fit_value(self, parameters: ModelParameters = _DEFAULTS, *, churn: ChurnModel, seed: int = 0) -> ValueModel:
        """Fit the value model beside a churn model fitted on the same lesson."""
        anchor = _IF_BUYING if _IF_BUYING in self.X else None
        reach = self.setting.outcome.reach
        model = ValueModel(anchor=anchor, embargo=reach, random_state=seed, **parameters.value)
        purchase = churn if self._bought else None
        return model.fit(self.X, self.labels["value"], purchase=purchase, latest=self.latest)

    def learn_uncertainty(self, *, churn: ChurnModel, value: ValueModel, seed: int = 0) -> Uncertainty:
        """Learn how far off both models, fitted on the same lesson, will be."""
        return Uncertainty.learn(
            self.X,
            self.labels,
            churn=churn,
            value=value,
            past_spend=self.past_spend,
            reach=self.setting.outcome.reach,
            random_state=seed,
        )


def fit_models(panels: Panels, split: Split, *, seed: int = 0, parameters: ModelParameters = _DEFAULTS) -> Fitted:
    """Fit the churn and the value model for the test cutoff of `split`.

    Raises
    ------
    ValueError
        If the training outcomes are all alike, or no feature is left to learn from.
    """
    lesson = Lesson.of(panels, split)
    churn = lesson.fit_churn(parameters, seed=seed)
    value = lesson.fit_value(parameters, churn=churn, seed=seed)
    uncertainty = lesson.learn_uncertainty(churn=churn, value=value, seed=seed)
    return Fitted(split, churn, value, len(lesson.X), lesson.labels, lesson.learned, uncertainty)


def _usable(panels: Panels, split: Split, panel: pd.DataFrame, learned: Learned | None) -> list[str]:
    """Name the features that were computed and can be learned from."""
    learns_season = split.train[-1] - split.train[0] >= _YEAR
    names = [name for name in panels.names if name in panel and (learns_season or not CATALOGUE[name].shared)]
    if not names and learned is not None:
        raise ValueError(
            f"`features` leaves nothing to learn from before {split.test:%Y-%m-%d}: {' '.join(learned.notes)} Name "
            "another feature."
        )
    if not names:
        raise ValueError(
            f"`features` names only the season, which less than a year of cutoffs before {split.test:%Y-%m-%d} cannot "
            "tell. Name another feature."
        )
    return names


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
        return predictions, {}, ["Buy-till-you-die models say nothing of contracts; they are left out."]
    outcome = panels.setting.outcome
    everyone = build_panel(
        panels.histories,
        cutoffs=split.test,
        horizon=outcome.horizon,
        features=choose_features(panels.histories, _BTYD_INPUTS),
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
    filled = panel[list(_BTYD_INPUTS)].fillna(0.0)
    return filled["frequency"].clip(lower=0.0), filled["recency"], filled["T"], filled["monetary"]


def _predict_naive(panels: Panels, split: Split, panel: pd.DataFrame) -> pd.DataFrame:
    latest = split.train[-1]
    labels = panels.labels([latest], known_before=split.test)
    before = panels.at(latest).loc[labels.index, "days_since_last"]
    known = before.dropna()
    edges = np.unique(np.quantile(known, np.linspace(0, 1, 11))[1:-1]) if len(known) else np.empty(0)
    # Each rate is drawn towards the rate of all as if by a few more clients, so that few clients give no certainty.
    overall = (
        labels["churned"].mean() if len(labels) else panels.labels(split.train, known_before=split.test).churned.mean()
    )
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

    @cached_property
    def judgement(self) -> Judgement:
        """The figures of every model at every cutoff and in every draw; computed when first asked for."""
        return judge(self.predictions, draws=self.draws, seed=self.seed)

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """Every figure of `loyalty.evaluation`, tidy: `model`, `cutoff`, `metric`, `value`, `lower`, `upper`."""
        return self.judgement.by_cutoff()

    def summary(self, *, intervals: bool = False) -> pd.DataFrame:
        """Average each metric over the cutoffs: one row a model, one column a metric.

        Parameters
        ----------
        intervals : bool, default=False
            Whether each metric has three columns, `value`, `lower` and `upper`, instead of one.
        """
        means = self.judgement.means()
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
    seed: int = 0,
    parameters: ModelParameters = _DEFAULTS,
    draws: int = DRAWS,
    on_step: OnStep = _say_nothing,
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
    every, first, at_most
        Where training cutoffs lie: see `Setting`.
    seed : int, default=0
        Seed of the models and of the draws.
    parameters : ModelParameters, optional
        Of the models, where they are not to be the defaults.
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
    setting = Setting.of(horizon=horizon, gap=gap, kind=kind, active=active, every=every, first=first, at_most=at_most)
    panels = Panels(histories, setting, on_step=on_step)
    return run_backtest(panels, as_cutoffs(cutoffs), seed=seed, parameters=parameters, draws=draws, on_step=on_step)


def run_backtest(
    panels: Panels,
    cutoffs: Sequence[pd.Timestamp],
    *,
    seed: int = 0,
    parameters: ModelParameters = _DEFAULTS,
    draws: int = DRAWS,
    on_step: OnStep = _say_nothing,
) -> Backtest:
    """Backtest on panels that serve other work as well."""
    parts, fitted, btyd, notes = [], [], {}, []
    for split in panels.setting.splits(panels.histories, cutoffs):
        if panels.at(split.test).empty:
            raise ValueError(
                f"no client stands at the test cutoff {split.test:%Y-%m-%d}. Choose a longer `active` or another one."
            )
        predictions, btyd[split.test], said = predict_baselines(panels, split)
        on_step(f"baselines at {split.test:%Y-%m-%d}")
        fitted.append(fit_models(panels, split, seed=seed, parameters=parameters))
        predictions["lightgbm"] = fitted[-1].predict(panels.at(split.test, learned=fitted[-1].learned))
        on_step(f"models at {split.test:%Y-%m-%d}")
        outcomes, censored = _outcomes(panels, split.test)
        notes += said + fitted[-1].notes() + censored
        parts += [
            predicted.join(outcomes).reset_index().assign(model=model) for model, predicted in predictions.items()
        ]
    joined = pd.concat(parts, ignore_index=True)
    columns = ["model", "client_id", "cutoff", "churn_probability", "expected_value", "churned", "value"]
    columns += [name for name in ("value_lower", "value_upper") if name in joined]
    return Backtest(joined[columns], tuple(fitted), btyd, tuple(notes), draws, seed)


def _outcomes(panels: Panels, cutoff: pd.Timestamp) -> tuple[pd.DataFrame, list[str]]:
    end = panels.setting.outcome.window(cutoff)[1]
    until = panels.histories.observed_until
    if end > until:
        said = f"The outcome of {cutoff:%Y-%m-%d} is decided on {end:%Y-%m-%d}; recorded is up to {until:%Y-%m-%d}."
        nothing = panels.at(cutoff)[[]].assign(churned=np.nan, value=np.nan)
        return nothing, [f"{said} It is predicted, but not judged."]
    return panels.labels([cutoff], known_before=None), []
