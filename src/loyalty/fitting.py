"""Models for one cutoff: what they may learn from, laid out in panels, and how they are fitted on it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loyalty.checks import is_whole_number
from loyalty.features import CATALOGUE, Feature, Learned, build_panel, choose_features, learn, measure_market, renew
from loyalty.features.feature import WINDOWS
from loyalty.features.learned import MODELS, learn_buying
from loyalty.features.panel import client_parts
from loyalty.histories import Histories, OutcomeKind, at_instant
from loyalty.labels import build_durations, build_labels
from loyalty.models.churn import ChurnModel
from loyalty.models.outlook import LongRunTerms, Outlook, clocks_of_periods, season_of_periods
from loyalty.models.parameters import ModelParameters
from loyalty.models.survival import SurvivalModel
from loyalty.models.uncertainty import Uncertainty
from loyalty.models.value import ValueModel
from loyalty.timeline import (
    ROWS_AT_MOST,
    Duration,
    Instant,
    Outcome,
    Split,
    as_cutoffs,
    as_duration,
    as_instant,
    rolling_origins,
)

if TYPE_CHECKING:
    import ibis

__all__ = ["DEFAULTS", "Fitted", "Lesson", "OnStep", "Panels", "Setting", "first_known", "fit_models", "say_nothing"]

#: What buy till you die is told.
BTYD_INPUTS = ("frequency", "recency", "T", "monetary")
#: What the baselines and the scores are made from, whether or not the models use it.
_ALWAYS = (*BTYD_INPUTS, "days_since_last", "days_since_first_record", *(f"amount_sum_{days}d" for days in WINDOWS))
#: Second opinions, by buy till you die: who will be silent, and what the others will spend.
_SILENCE, _IF_BUYING = "silence_probability", "amount_expected_if_buying"
#: What goes on beyond what a panel has seen while a client base grows older: recency, frequency and age.
_EXTRAPOLATED = ("days_since_last", "frequency", "T")
#: Before a client base has a little history there is nothing to learn from.
WARM_UP = pd.Timedelta(days=60)
_YEAR = pd.Timedelta(days=365)
#: A horizon of which so large a part, as one in ten, was without any purchase is not learned from.
_MUCH = 10
#: Contracts are followed in periods of the horizon, but of no more than this.
_LONGEST_PERIOD = pd.Timedelta(days=90)
#: Fewer trees of larger steps than `SurvivalModel` has: as good at the airline's earlier cutoffs, in half the time.
_SURVIVAL_TREES, _SURVIVAL_STEP = 100, 0.09
#: So many would have left at a cutoff at which nobody did, or it tells nothing.
_MANY_LEAVERS = 10
#: Of fewer clients than this little can be learned that tells one from another.
_FEW_CLIENTS = 50
#: The models' own parameters.
DEFAULTS = ModelParameters()

OnStep = Callable[[str], None]


def say_nothing(_: str) -> None:
    """Tell nobody how far the work has come."""


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
    rows_at_most : int
        Rows learned from for a test cutoff, a client at a training cutoff being one: where there would be more, clients
        are drawn so that about as many are left, a few hundredths more or fewer.
    """

    outcome: Outcome
    kind: OutcomeKind
    active: pd.Timedelta | None
    every: pd.Timedelta
    first: pd.Timestamp | None
    at_most: int
    rows_at_most: int

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
        rows_at_most: int = ROWS_AT_MOST,
    ) -> "Setting":
        """Read a setting as it is written in a call or a config."""
        if not is_whole_number(rows_at_most, least=1):
            raise ValueError(f"`rows_at_most` must be a whole number of at least 1; got {rows_at_most!r}.")
        return cls(
            outcome=Outcome.of(horizon=horizon, gap=gap),
            kind=kind,
            active=None if active is None else as_duration(active, name="active"),
            every=as_duration(every, name="every"),
            first=None if first is None else as_instant(first, name="first"),
            at_most=at_most,
            rows_at_most=int(rows_at_most),
        )

    def count(self, histories: Histories, cutoff: pd.Timestamp) -> int:
        """Count the clients who stand at a cutoff."""
        return int(histories.population(cutoff=cutoff, kind=self.kind, active=self.active).count().execute())

    def ever(self, histories: Histories) -> "ibis.Table":
        """Name the clients who ever bought or, where contracts tell who leaves, held one."""
        histories._check_kind(self.kind)
        return histories.tables["purchases" if self.kind == "non-contractual" else "contracts"].select("client_id")

    def share(self, histories: Histories, cutoffs: Sequence[pd.Timestamp]) -> float:
        """Tell of which share of the clients there are about as many rows at these cutoffs as may be learned from."""
        if self.ever(histories).client_id.nunique().execute() * len(cutoffs) <= self.rows_at_most:
            return 1.0
        return min(1.0, self.rows_at_most / max(1, sum(self.count(histories, cutoff) for cutoff in cutoffs)))

    def splits(self, histories: Histories, cutoffs: Iterable[Instant]) -> tuple[Split, ...]:
        """Lay the training cutoffs behind each of `cutoffs`, but for those about a time when the shop was closed.

        Where a time without any purchase, as `Histories.closed` tells, holds a tenth of their horizon or more,
        everybody looked like a leaver; and for as long after it, but no longer than a horizon, everybody had been
        silent. Nothing is learned from either, unless there is nothing else.

        Raises
        ------
        ValueError
            If a test cutoff has no room for a training cutoff.
        """
        # One by one: an early purchase reported after one test cutoff must not move its training cutoffs.
        return tuple(self._lay(histories, cutoff)[0] for cutoff in as_cutoffs(cutoffs))

    def unevenness(self, histories: Histories, splits: Iterable[Split]) -> str:
        """Say so if the horizons learned from and tested at hold more or fewer purchases by the calendar."""
        stood = {when for split in splits for when in (*split.train, split.test)}
        return histories.unevenness(sorted(stood), outcome=self.outcome)

    def left_out(self, histories: Histories, splits: Iterable[Split]) -> list[str]:
        """Say whether training cutoffs are left out because the shop was closed, or learned from all the same."""
        said = [self._lay(histories, split.test)[1] for split in splits]
        return [note for note in dict.fromkeys(said) if note]

    def reopened(self, histories: Histories, cutoffs: Iterable[pd.Timestamp]) -> list[str]:
        """Say which cutoffs lie so soon after the shop was closed that many have been silent because of it."""
        said = []
        for cutoff in cutoffs:
            closed = self._closed(histories, cutoff)
            if closed is not None and _is_soon_after(cutoff, closed, self.outcome):
                said.append(
                    f"Nothing was bought between {closed[0]:%Y-%m-%d} and {closed[1]:%Y-%m-%d}: at {cutoff:%Y-%m-%d} "
                    "whoever has not bought since has been silent for long, and more are told to leave than will."
                )
        return said

    def _lay(self, histories: Histories, cutoff: pd.Timestamp) -> tuple[Split, str]:
        """Lay the training cutoffs behind one, and say so if the shop was closed about some of them."""
        lay = partial(
            rolling_origins,
            [cutoff],
            outcome=self.outcome,
            first=self._first(histories, cutoff) if self.first is None else self.first,
            every=self.every,
            observed_until=histories.observed_until,
        )
        (split,) = lay(at_most=self.at_most)
        closed = self._closed(histories, cutoff)
        if closed is None or all(_is_open(when, closed, self.outcome) for when in split.train):
            return split, ""
        (whole,) = lay(at_most=None)
        train = tuple(when for when in whole.train if _is_open(when, closed, self.outcome))
        said = f"Nothing was bought between {closed[0]:%Y-%m-%d} and {closed[1]:%Y-%m-%d}: training cutoffs with "
        if not train:
            return split, f"{said}that in their horizon, or soon after it, are learned from, as there are no others."
        split = replace(split, train=train[-self.at_most :])
        return split, f"{said}a tenth of their horizon in it, or soon after it, are left out."

    def _closed(self, histories: Histories, cutoff: pd.Timestamp) -> tuple[pd.Timestamp, pd.Timestamp] | None:
        """Tell when the shop was closed, as far as it matters: contracts run on while nothing is bought."""
        return histories.closed(cutoff) if self.kind == "non-contractual" else None

    def _first(self, histories: Histories, cutoff: pd.Timestamp) -> pd.Timestamp:
        """Let the client base have a little history, or, where all of it is short, half of what there is."""
        first = first_known(histories, cutoff)
        latest = min(cutoff, histories.observed_until) - self.outcome.reach
        return first + max(min(WARM_UP, (latest - first) / 2), pd.Timedelta(0))


def _is_open(cutoff: pd.Timestamp, closed: tuple[pd.Timestamp, pd.Timestamp], outcome: Outcome) -> bool:
    """Tell whether clients could buy in nearly all of the horizon, and had been able to before the cutoff."""
    last, again = closed
    start, end = outcome.window(cutoff)
    missing = min(end, again) - max(start, last + pd.Timedelta(days=1))
    return missing < outcome.horizon / _MUCH and not _is_soon_after(cutoff, closed, outcome)


def _is_soon_after(cutoff: pd.Timestamp, closed: tuple[pd.Timestamp, pd.Timestamp], outcome: Outcome) -> bool:
    """Tell whether many were silent because of it: as long after it as it took, but no longer than a horizon."""
    last, again = closed
    return last <= cutoff < again + min(again - last, outcome.horizon)


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
    """The panels of one setting; each cutoff is computed once for each share of the clients that is asked for.

    What all clients together say at a cutoff is found out once for all shares below 1.

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
        on_step: OnStep = say_nothing,
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
        # By the share of the clients, cutoff, and when the models that features ask were fitted and renewed.
        self._snapshots: dict[tuple[float, pd.Timestamp, pd.Timestamp | None, pd.Timestamp | None], pd.DataFrame] = {}
        # By the two latter alone.
        self._markets: dict[tuple[pd.Timestamp | None, pd.Timestamp | None], dict[pd.Timestamp, Any]] = {}
        self._shares: dict[tuple[pd.Timestamp, ...], float] = {}

    @cached_property
    def _ids(self) -> NDArray[Any]:
        return self.setting.ever(self.histories).distinct().execute()["client_id"].to_numpy()

    def share(self, cutoffs: tuple[pd.Timestamp, ...]) -> float:
        """Tell of which share of the clients is learned from at these cutoffs."""
        if cutoffs not in self._shares:
            self._shares[cutoffs] = self.setting.share(self.histories, cutoffs)
        return self._shares[cutoffs]

    def count_steps(self, splits: Iterable[Split], *others: pd.Timestamp) -> int:
        """Count how often `on_step` is told where models are fitted for these splits, and panels made at `others`."""
        asked = {(1.0, cutoff) for cutoff in others}
        for split in splits:
            share = self.share(split.train)
            asked |= {(1.0, split.test), *((share, cutoff) for cutoff in split.train)}
        return len(asked) * len(client_parts(self.histories))

    def drawn(self, share: float) -> NDArray[Any] | None:
        """Name the clients of a share; None if it is all of them."""
        return None if share >= 1 else self._ids[draw(self._ids, share)]

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

    def at(self, *cutoffs: pd.Timestamp, learned: Learned | None = None, share: float = 1.0) -> pd.DataFrame:
        """Features of a share of the clients at these cutoffs, with those that ask fitted models if these are given."""
        panel = self._snapshots_at(cutoffs, self._plain, None, share)
        if learned is None:
            return panel
        asking = tuple(feature for feature in self._asking if feature.models <= set(learned))
        if not asking:
            return panel
        more = self._snapshots_at(cutoffs, asking, learned, share)
        there = [str(name) for name in (*panel.columns, *more.columns)]
        both = pd.concat([panel, more], axis=1)[sorted(there, key=self._place)]
        both.attrs = panel.attrs
        return both

    def _place(self, name: object) -> int:
        """Bring the features into the order they were chosen in; what only the baselines need comes last."""
        return self.names.index(str(name)) if name in self.names else len(self.names)

    def _snapshots_at(
        self, cutoffs: Sequence[pd.Timestamp], features: Sequence[Feature], learned: Learned | None, share: float
    ) -> pd.DataFrame:
        version = _version(learned)
        if share < 1:  # of a test cutoff's own; what others learned from would only take memory
            self._snapshots = {key: panel for key, panel in self._snapshots.items() if key[0] in {1.0, share}}
        missing = [cutoff for cutoff in cutoffs if (share, cutoff, *version) not in self._snapshots]
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
                market=self._market(missing, features, learned) if share < 1 else None,
                clients=self.drawn(share),
                on_step=self._on_step if learned is None else None,
            )
            at = panel.index.get_level_values("cutoff")
            for cutoff in missing:
                self._snapshots[share, cutoff, *version] = panel[at == cutoff]
        return pd.concat([self._snapshots[share, cutoff, *version] for cutoff in cutoffs])

    def _market(
        self, cutoffs: Sequence[pd.Timestamp], features: Sequence[Feature], learned: Learned | None
    ) -> dict[pd.Timestamp, Any]:
        known = self._markets.setdefault(_version(learned), {})
        missing = [cutoff for cutoff in cutoffs if cutoff not in known]
        if missing:
            known.update(measure_market(self.histories, cutoffs=missing, features=features, learned=learned))
        return known

    def labels(
        self, cutoffs: Sequence[pd.Timestamp], *, known_before: pd.Timestamp | None, share: float = 1.0
    ) -> pd.DataFrame:
        """Outcomes of a share of the clients at these cutoffs."""
        return build_labels(
            self.histories,
            cutoffs=cutoffs,
            horizon=self.setting.outcome.horizon,
            gap=self.setting.outcome.gap,
            kind=self.setting.kind,
            active=self.setting.active,
            known_before=known_before,
            clients=self.drawn(share),
        )


def _version(learned: Learned | None) -> tuple[pd.Timestamp | None, pd.Timestamp | None]:
    """Tell when the models that features ask were fitted and renewed."""
    return (None, None) if learned is None else (learned.until, learned.renewed)


def draw(clients: NDArray[Any], share: float) -> NDArray[np.bool_]:
    """Draw about a share of the clients by their ids: always the same, and of a larger share those of a smaller.

    Examples
    --------
    >>> ids = np.arange(10_000)
    >>> few, more = draw(ids, 0.25), draw(ids, 0.5)
    >>> bool((more | ~few).all()), bool(abs(few.mean() - 0.25) < 0.02)
    (True, True)
    """
    return pd.util.hash_array(clients, categorize=False) < share * 2.0**64


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
    share : float
        Share of the clients drawn to learn from.
    labels : DataFrame
        The outcomes learned from.
    learned : Learned or None
        The models that some features ask, up to date for the cutoff.
    uncertainty : Uncertainty
        Of the predictions.
    strange : tuple of str
        Features left out, since buy till you die is out of place.
    outlook : Outlook or None
        Beyond the horizon; None where it was not asked for.
    """

    split: Split
    churn: ChurnModel
    value: ValueModel
    rows: int
    share: float
    labels: pd.DataFrame
    learned: Learned | None
    uncertainty: Uncertainty
    strange: tuple[str, ...] = ()
    outlook: Outlook | None = None

    def notes(self) -> list[str]:
        """Say what is worth knowing of how the models were made."""
        notes = [] if self.learned is None else list(self.learned.notes)
        clients = self.labels.index.get_level_values("client_id").nunique()
        if clients < _FEW_CLIENTS:
            drawn = " drawn as `rows_at_most` allows" if self.share < 1 else ""
            notes.append(
                f"Before {self.split.test:%Y-%m-%d} there were only {clients} clients{drawn} to learn from: what is "
                "told of each is little more than what is common to all."
            )
        notes += self._notes_of_missing_leavers()
        if self.strange:
            notes.append(
                f"At {self.split.test:%Y-%m-%d} buy till you die expects of most clients what it never did before: "
                f"the models do without {', '.join(self.strange)}."
            )
        if self.share < 1:
            notes.append(
                f"The models for {self.split.test:%Y-%m-%d} learned from {clients:,} clients, {self.share:.1%} of all, "
                f"drawn by their ids: all would be more rows than `rows_at_most` allows."
            )
        notes += self.uncertainty.notes()
        notes += [] if self.outlook is None else self.outlook.notes()
        if self.churn.calibration_cutoffs_:
            return notes
        return [
            *notes,
            f"Of the training cutoffs before {self.split.test:%Y-%m-%d} none lies a gap and horizon after another "
            "(see `first`, `every` and `at_most`), so none could be held out for calibration: how sure the "
            "probabilities are was not checked against later cutoffs.",
        ]

    def _notes_of_missing_leavers(self) -> list[str]:
        """Say so if hardly anybody left at the first or the last training cutoffs, where at the others many did."""
        outcomes = self.labels["churned"].groupby(level="cutoff").agg(["sum", "size"])
        had_left = "had left by the time of the export is missing in it, bring them, or begin later (`first`)"
        left_lately = "left lately is missing in the export, bring them, or score an earlier cutoff"
        return [
            *_say_quiet(outcomes, "up to {:%Y-%m-%d}", "after", had_left),
            *_say_quiet(outcomes[::-1], "from {:%Y-%m-%d} on", "before", left_lately),
        ]

    def predict(self, panel: pd.DataFrame) -> pd.DataFrame:
        """Predict the rows of a panel: `churn_probability`, `expected_value`, `value_lower` and `value_upper`."""
        X = panel[list(self.churn.feature_names_in_)]
        forecast = self.value.forecast(X)
        told = {"churn_probability": self.churn.predict_proba(X)[:, 1], "expected_value": forecast["expected_value"]}
        return pd.DataFrame(told, index=panel.index).join(self.uncertainty.predict(X, forecast))


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
    share : float
        Share of the clients drawn to learn from.
    learned : Learned or None
        The models that some features ask, up to date for the test cutoff.
    taught : Learned or None
        The same as `X` was made with.
    strange : tuple of str
        Features left out of `X`, since buy till you die is out of place.
    """

    setting: Setting
    split: Split
    X: pd.DataFrame
    labels: pd.DataFrame
    latest: pd.DataFrame
    past_spend: pd.Series
    share: float
    learned: Learned | None
    taught: Learned | None
    strange: tuple[str, ...]

    @classmethod
    def of(cls, panels: Panels, split: Split) -> "Lesson":
        """Gather what was known before the test cutoff of `split`.

        Raises
        ------
        ValueError
            If the training outcomes are all alike, or no feature is left to learn from.
        """
        share = panels.share(split.train)
        labels = panels.labels(split.train, known_before=split.test, share=share)
        # A contract that ends in the gap has no outcome: the labels may be fewer than the rows of the panel.
        learned = panels.learn(split.train[-1])
        panel = panels.at(*split.train, learned=learned, share=share)
        names = _usable(panels, split, panel, learned)
        if labels.empty and share < 1:
            raise ValueError(
                f"there is nothing to learn for {split.test:%Y-%m-%d}: no client is among the {share:.2%} drawn. Raise "
                "`rows_at_most`."
            )
        if labels.empty:
            raise ValueError(
                f"there is nothing to learn for {split.test:%Y-%m-%d}: no client stands at its training cutoffs, "
                f"{split.train[0]:%Y-%m-%d} to {split.train[-1]:%Y-%m-%d}. Choose a longer `active` or a later cutoff."
            )
        if labels["churned"].nunique() < 2:
            left = bool(labels["churned"].iloc[0])
            bought = panels.setting.kind == "non-contractual"
            if not bought and "end" not in panels.histories.columns["contracts"]:
                raise ValueError(
                    f"all {len(labels):,} training outcomes before {split.test:%Y-%m-%d} are alike: contracts have no "
                    "`end`, so that nobody ever leaves. Map the column that tells when each stopped being in force."
                )
            raise ValueError(
                f"all {len(labels):,} training outcomes before {split.test:%Y-%m-%d} are alike: every client "
                f"{'left' if left else 'stayed'}. Choose another `horizon` or `active`"
                f"{f', or raise `rows_at_most` ({share:.2%} of the clients were drawn)' if share < 1 else ''}"
                f"{', and see whether what was paid stands as amounts above 0' if left and bought else ''}."
            )
        renewed = panels.renew(learned, split.test)
        latest = panels.at(split.test, learned=renewed)[names]
        rows = panel.loc[labels.index]
        strange = _strange(rows[names], latest) if panels.setting.kind == "contractual" else []
        names = [name for name in names if name not in strange]
        past_spend = rows["amount_sum_365d"]
        return cls(
            panels.setting,
            split,
            rows[names],
            labels,
            latest[names],
            past_spend,
            share,
            renewed,
            learned,
            tuple(strange),
        )

    @property
    def _bought(self) -> bool:
        """Whether leaving is the silence of which the anchor and the first part of the spend speak."""
        return self.setting.kind == "non-contractual"

    def fit_churn(self, parameters: ModelParameters = DEFAULTS, *, seed: int = 0) -> ChurnModel:
        """Fit the churn model."""
        anchor = _SILENCE if self._bought and _SILENCE in self.X else None
        reach = self.setting.outcome.reach
        monotone = {name: CATALOGUE[name].monotone for name in map(str, self.X) if CATALOGUE[name].monotone}
        model = ChurnModel(
            monotone=monotone,
            anchor=anchor,
            past_shares=not self._bought,
            extrapolate=[name for name in _EXTRAPOLATED if self._bought and name in self.X],
            embargo=reach,
            random_state=seed,
            **parameters.churn,
        )
        return model.fit(self.X, self.labels["churned"], latest=self.latest)

    def fit_value(self, parameters: ModelParameters = DEFAULTS, *, churn: ChurnModel, seed: int = 0) -> ValueModel:
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

    def fit_outlook(self, panels: Panels, terms: LongRunTerms, *, seed: int = 0) -> Outlook:
        """Learn how what is expected within the horizon goes on; `panels` are those of the lesson."""
        outcome = self.setting.outcome
        days = outcome.horizon.days, outcome.gap.days
        seen = (self.split.test - first_known(panels.histories, self.split.test)).days
        if not self._bought:
            survival, why_not = self._fit_survival(panels, terms, seed=seed)
            return Outlook(terms, *days, survival=survival, missing=why_not, seen_days=seen)
        buying, why_not = None if self.learned is None else self.learned.buying, ""
        if buying is None:  # no feature asks it
            buying, why_not = learn_buying(panels.histories, self.split.test, outcome)
        generations = None if buying is None else buying.generations
        return Outlook(terms, *days, buying=generations, missing=why_not, seen_days=seen)

    def _fit_survival(self, panels: Panels, terms: LongRunTerms, *, seed: int) -> tuple[SurvivalModel | None, str]:
        """Follow the contracts of some of the training cutoffs, or say why it cannot be.

        Of cutoffs a period apart none follows the same clients through the same months as another. But where the season
        is learned they are taken a third of a period apart, so that more than a few days of the year are seen: what is
        of the season at the cutoff says nothing of later periods, and each period has a season of its own.
        """
        setting = self.setting
        period = min(setting.outcome.horizon, _LONGEST_PERIOD)
        own = [name for name in map(str, self.X) if not CATALOGUE[name].shared]
        learns_season = len(own) < self.X.shape[1]
        followed = [self.split.train[-1]]
        for cutoff in reversed(self.split.train):
            if followed[-1] - cutoff >= (period / 3 if learns_season else period):
                followed.append(cutoff)
        lives = build_durations(
            panels.histories,
            cutoffs=followed,
            period=period,
            periods=-(-pd.Timedelta(days=365.25 * terms.years) // period),
            kind=setting.kind,
            active=setting.active,
            known_before=self.split.test,
            clients=panels.drawn(self.share),
        )
        X = panels.at(*reversed(followed), learned=self.taught, share=self.share).loc[lives.index, own]
        longest = int(lives["duration"].max()) if len(lives) else 1
        changing = clocks_of_periods(X, period, longest)
        if learns_season:
            changing |= season_of_periods(X, period, longest)
        model = SurvivalModel(
            n_estimators=_SURVIVAL_TREES, learning_rate=_SURVIVAL_STEP, period=f"{period.days}d", random_state=seed
        )
        try:
            return model.fit(X, lives["duration"], lives["churned"], changing=changing), ""
        except ValueError as error:
            return None, f"Survival could not be learned before {self.split.test:%Y-%m-%d}: {error}"


def fit_models(
    panels: Panels,
    split: Split,
    *,
    seed: int = 0,
    parameters: ModelParameters = DEFAULTS,
    long_run: LongRunTerms | None = None,
) -> Fitted:
    """Fit the churn and the value model for the test cutoff of `split`, and on `long_run` terms, if given, an outlook.

    Raises
    ------
    ValueError
        If the training outcomes are all alike, or no feature is left to learn from.
    """
    lesson = Lesson.of(panels, split)
    churn = lesson.fit_churn(parameters, seed=seed)
    value = lesson.fit_value(parameters, churn=churn, seed=seed)
    uncertainty = lesson.learn_uncertainty(churn=churn, value=value, seed=seed)
    outlook = None if long_run is None else lesson.fit_outlook(panels, long_run, seed=seed)
    return Fitted(
        split,
        churn,
        value,
        len(lesson.X),
        lesson.share,
        lesson.labels,
        lesson.learned,
        uncertainty,
        lesson.strange,
        outlook,
    )


def _say_quiet(outcomes: pd.DataFrame, these: str, others: str, remedy: str) -> list[str]:
    """Say so if at the first of these cutoffs hardly anybody left, where many would have at the rate of the others.

    Hardly anybody is a tenth, of all together and of the last of them, so that one who left by chance hides nothing.
    The rate is that of the quiet quarter of the others: a season in which few leave is none in which nobody could.
    """
    left, clients = outcomes["sum"].to_numpy(dtype=float), outcomes["size"].to_numpy(dtype=float)
    rates = left / clients
    for quiet in range(len(rates) - 1, 0, -1):
        few = np.quantile(rates[quiet:], 0.25) / 10
        many = few * 10 * clients[:quiet].max() >= _MANY_LEAVERS
        if many and rates[quiet - 1] <= few and left[:quiet].sum() <= few * clients[:quiet].sum():
            return [
                f"At the training cutoffs {these.format(outcomes.index[quiet - 1])} "
                f"{left[:quiet].sum() / clients[:quiet].sum():.1%} left, and "
                f"{left[quiet:].sum() / clients[quiet:].sum():.1%} at those {others}: if whoever {remedy}."
            ]
    return []


def _strange(X: pd.DataFrame, latest: pd.DataFrame) -> list[str]:
    """Name what buy till you die says of contracts, where it has moved beyond all that it said before.

    Its parameters are those of everybody. Where all pay alike, as once a year, it tells clients apart by next to
    nothing, and moves by more than that when it is brought up to date. Trees split even what is nearly the same, and
    would then take all clients for the few who were the furthest. What it expects of who buys gives that away.
    """
    if _IF_BUYING not in X:
        return []
    before, now = X[_IF_BUYING], latest[_IF_BUYING]
    beyond = (now < before.min()) | (now > before.max())
    asked = [name for name in map(str, X) if "btyd" in CATALOGUE[name].models]
    return asked if beyond.sum() > now.notna().sum() / 2 and len(asked) < X.shape[1] else []


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
