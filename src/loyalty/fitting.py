"""Models for one cutoff, fitted on what was decided before it, and what they say of themselves."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd

from loyalty.features import CATALOGUE, Learned, build_panel, choose_features
from loyalty.features.learned import learn_buying
from loyalty.labels import build_durations
from loyalty.models.churn import ChurnModel
from loyalty.models.clocks import clocks_of_periods, season_of_periods
from loyalty.models.leaving import Leaving
from loyalty.models.outlook import LongRunTerms, Outlook
from loyalty.models.parameters import ModelParameters
from loyalty.models.survival import SurvivalModel
from loyalty.models.uncertainty import Uncertainty
from loyalty.models.value import ValueModel
from loyalty.panels import Panels
from loyalty.setting import YEAR, Setting, first_known
from loyalty.timeline import Outcome, Split

__all__ = ["DEFAULTS", "Fitted", "Lesson", "fit_models"]

#: Second opinions, by buy till you die: who will be silent, and what the others will spend.
_SILENCE, _IF_BUYING = "silence_probability", "amount_expected_if_buying"
#: What goes on beyond what a panel has seen while a client base grows older: recency, frequency and age.
_EXTRAPOLATED = ("days_since_last", "frequency", "T")
#: How long somebody has been a client, by which purchases fade.
_AGES = ("T", "days_since_first_record")
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
            If the training outcomes are all alike, no feature is left to learn from, or nobody stands at the test
            cutoff.
        """
        share = panels.share(split.train)
        labels = panels.labels(split.train, known_before=split.test, share=share)
        # A contract that ends in the gap has no outcome: the labels may be fewer than the rows of the panel.
        learned = panels.learn(split.train[-1])
        panel = panels.at(*split.train, learned=learned, share=share)
        names = _usable(panels, split, panel, learned)
        _check_outcomes(panels, split, labels, share)
        renewed = panels.renew(learned, split.test)
        latest = panels.at(split.test, learned=renewed)[names]
        if latest.empty:
            longer = "" if panels.setting.active is None else ", or a longer `active`"
            nobody = "no client" if panels.setting.kind == "non-contractual" else "nobody under contract"
            raise ValueError(
                f"there is {nobody} at {split.test:%Y-%m-%d} to predict for. Choose another cutoff{longer}."
            )
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
            return self._follow(panels, Outlook(terms, *days, seen_days=seen), seed=seed)
        buying, why_not = None if self.learned is None else self.learned.buying, ""
        if buying is None:  # no feature asks it
            buying, why_not = learn_buying(panels.histories, self.split.test, outcome)
        if buying is None:
            return Outlook(terms, *days, missing=why_not, seen_days=seen)
        return self._learn_season(panels, Outlook(terms, *days, buying=buying.generations, seen_days=seen))

    def _learn_season(self, panels: Panels, outlook: Outlook) -> Outlook:
        """Learn what a year is of its first horizon from who stood a year ago, two years ago, and so on.

        Not the training cutoffs nearest to that: a few days more or less of a busy month would count.
        """
        setting, test, outcome = self.setting, self.split.test, self.setting.outcome
        years = setting.anniversaries(panels.histories, test)
        if not years or outcome.horizon >= YEAR:
            return outlook
        share = panels.share(tuple(years))
        # From the cutoffs on, whatever the gap, so that the year of the last of them is over now.
        spend = panels.spend(years, until=YEAR, known_before=test, share=share, gap=pd.Timedelta(0))
        ends = [0, *map(int, spend.columns)]
        for cutoff in years:
            spells = [(cutoff + pd.Timedelta(days=a), cutoff + pd.Timedelta(days=b)) for a, b in pairwise(ends)]
            was_open = np.array(setting.was_open(panels.histories, spells, cutoff=test))
            here = spend.index.get_level_values("cutoff") == cutoff
            unknown = ~was_open if was_open[0] and here.sum() >= _FEW_CLIENTS else np.ones_like(was_open)
            spend.loc[here, spend.columns[unknown]] = np.nan
        asked = build_panel(
            panels.histories,
            cutoffs=years,
            horizon=outcome.horizon,
            active=setting.active,
            features=choose_features(panels.histories, _AGES),
            clients=panels.drawn(share),
        )
        return outlook.learn_season(asked.loc[spend.index], spend, since=test)

    def _follow(self, panels: Panels, outlook: Outlook, *, seed: int) -> Outlook:
        """Follow the contracts of some of the training cutoffs, or say why it cannot be.

        Of cutoffs a period apart none follows the same clients through the same months as another. But where the season
        is learned they are taken a third of a period apart, so that more than a few days of the year are seen: what is
        of the season at the cutoff says nothing of later periods, and each period has a season of its own.
        """
        setting = self.setting
        period = period_of(setting.outcome)
        learns_season = len(self._own) < self.X.shape[1]
        followed = _spaced(self.split.train, period / 3 if learns_season else period)
        lives = build_durations(
            panels.histories,
            cutoffs=followed,
            period=period,
            periods=-(-pd.Timedelta(days=365.25 * outlook.terms.years) // period),
            kind=setting.kind,
            active=setting.active,
            known_before=self.split.test,
            clients=panels.drawn(self.share),
        )
        X = panels.at(*followed, learned=self.taught, share=self.share).loc[lives.index, self._own]
        longest = int(lives["duration"].max()) if len(lives) else 1
        changing = clocks_of_periods(X, period, longest)
        if learns_season:
            changing |= season_of_periods(X, period, longest)
        model = SurvivalModel(
            n_estimators=_SURVIVAL_TREES, learning_rate=_SURVIVAL_STEP, period=f"{period.days}d", random_state=seed
        )
        try:
            survival = model.fit(X, lives["duration"], lives["churned"], changing=changing)
        except ValueError as error:
            why_not = f"Survival could not be learned before {self.split.test:%Y-%m-%d}: {error}"
            return replace(outlook, missing=why_not)
        left = (lives["churned"] == 1) & (lives["duration"] == 1)
        window = setting.outcome.gap.days, setting.outcome.reach.days
        leaving = Leaving(survival, *window).learn(self.latest, left.astype(int), since=self.split.test)
        return replace(outlook, leaving=leaving, pace=self._fit_pace(panels, seed=seed))

    def _fit_pace(self, panels: Panels, *, seed: int) -> ValueModel | None:
        """Learn what those who stayed for a year paid a horizon, at cutoffs of a year ago and more."""
        outcome, over = self.setting.outcome, min(self.split.test, panels.histories.observed_until)
        past = [cutoff for cutoff in self.split.train if cutoff + outcome.gap + YEAR <= over]
        if not past or outcome.horizon >= YEAR:
            return None
        followed = _spaced(past, period_of(outcome))
        labels = panels.labels(followed, known_before=self.split.test, share=self.share, horizon=YEAR)
        stayed = labels[labels["churned"] == 0]
        if len(stayed) < _FEW_CLIENTS:
            return None
        X = panels.at(*followed, learned=self.taught, share=self.share).loc[stayed.index, self._own]
        return ValueModel(law="tweedie", random_state=seed).fit(X, stayed["value"] * (outcome.horizon / YEAR))

    @property
    def _own(self) -> list[str]:
        """Name the features that are not the same for all clients."""
        return [name for name in map(str, self.X) if not CATALOGUE[name].shared]


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


def period_of(outcome: Outcome) -> pd.Timedelta:
    """Tell in periods of which length contracts are followed."""
    return min(outcome.horizon, _LONGEST_PERIOD)


def _spaced(cutoffs: Sequence[pd.Timestamp], apart: pd.Timedelta) -> list[pd.Timestamp]:
    """Take the last of these cutoffs, and of those before as many as lie so far apart.

    Examples
    --------
    >>> days = pd.to_datetime(["2024-01-01", "2024-01-31", "2024-03-01"])
    >>> [f"{day:%d %B}" for day in _spaced(days, pd.Timedelta(days=45))]
    ['01 January', '01 March']
    """
    taken = [cutoffs[-1]]
    for cutoff in reversed(cutoffs):
        if taken[-1] - cutoff >= apart:
            taken.append(cutoff)
    return taken[::-1]


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
            here, there = (left[part].sum() / clients[part].sum() for part in (slice(quiet), slice(quiet, None)))
            return [
                f"At the training cutoffs {these.format(outcomes.index[quiet - 1])} {here:.1%} left, and {there:.1%} "
                f"at those {others}: if that is no season, and whoever {remedy}."
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


def _check_outcomes(panels: Panels, split: Split, labels: pd.DataFrame, share: float) -> None:
    """Refuse outcomes from which nothing can be learned: none, or all alike."""
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


def _usable(panels: Panels, split: Split, panel: pd.DataFrame, learned: Learned | None) -> list[str]:
    """Name the features that were computed and can be learned from."""
    learns_season = split.train[-1] - split.train[0] >= YEAR
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
