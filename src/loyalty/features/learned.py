"""Models that features may ask: fitted on what was known before a training cutoff, and frozen from then on.

What a fitted model says of a client depends on that client alone. It keeps parameters, never a client's rows.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loyalty.btyd import (
    Generations,
    Habits,
    expected_purchases,
    expected_spend,
    probability_alive,
    probability_no_purchase,
)
from loyalty.features.catalogue import CATALOGUE
from loyalty.features.panel import build_panel
from loyalty.histories import Histories, at_instant
from loyalty.timeline import Duration, Instant, Outcome, as_instant

if TYPE_CHECKING:
    from loyalty.features.feedback import FeedbackModel

Numbers = NDArray[np.float64]

#: What features may ask.
MODELS = ("btyd", "feedback")

#: Clients with a purchase without whom buy-till-you-die parameters mean nothing.
_FEW_CLIENTS = 100
#: Texts without which nothing is learned of them.
_FEW_TEXTS = 200


@dataclass(frozen=True)
class Buying:
    """Pareto/NBD and Gamma-Gamma with frozen parameters: whether and how often a client buys, and for how much.

    Attributes
    ----------
    generations : Generations
        The rates at which clients buy, by when they came.
    horizon_days, gap_days : float
        The outcome window.
    """

    generations: Generations
    horizon_days: float
    gap_days: float

    def __call__(
        self, output: str, frequency: Numbers, recency: Numbers, T: Numbers, monetary: Numbers, first_day: Numbers
    ) -> Numbers:
        """Answer `alive`, `expected` purchases, `silent` for the horizon, or the `day_amount` of a purchase day."""
        said = np.empty(len(frequency))
        for habits, rows in self.generations.of(first_day):
            said[rows] = self._ask(output, habits, frequency[rows], recency[rows], T[rows], monetary[rows])
        return said

    def _ask(
        self, output: str, habits: Habits, frequency: Numbers, recency: Numbers, T: Numbers, monetary: Numbers
    ) -> Numbers:
        if output == "alive":
            return probability_alive(frequency, recency, T, parameters=habits.purchases)
        if output == "day_amount":
            if habits.spend is None:
                return np.full(len(frequency), np.nan)
            return expected_spend(frequency, monetary, parameters=habits.spend)
        predict = expected_purchases if output == "expected" else probability_no_purchase
        return predict(frequency, recency, T, parameters=habits.purchases, horizon=self.horizon_days, gap=self.gap_days)


@dataclass(frozen=True)
class Feedback:
    """What clients' texts say."""

    model: "FeedbackModel"
    _last: dict[tuple[str, ...], Numbers] = field(default_factory=dict, compare=False, repr=False)

    def __call__(self, output: str, texts: list[str]) -> Numbers:
        """Answer `mood`, or `theme_1` and so on."""
        if output == "mood":
            return self.model.mood(texts)
        asked = tuple(texts)
        if asked not in self._last:  # all themes are found at once, and asked for one after the other
            self._last.clear()
            self._last[asked] = self.model.themes(texts)
        return self._last[asked][:, int(output.removeprefix("theme_")) - 1]


@dataclass(frozen=True)
class Learned(Mapping[str, Callable[..., Numbers]]):
    """The fitted models by name: `btyd` and `feedback`, as far as there was enough to learn from.

    Attributes
    ----------
    until : Timestamp
        The cutoff: only what was known before it was learned from.
    buying : Buying or None
        How clients buy.
    feedback : Feedback or None
        What their texts say.
    notes : tuple of str
        Why a model is missing.
    renewed : Timestamp or None
        The later cutoff at which buying was learned anew, if it was: see `renew`.

    Examples
    --------
    >>> from loyalty.datasets import synthetic_tables
    >>> from loyalty.histories import Histories
    >>> histories = Histories(synthetic_tables(clients=300, seed=0).tables["purchases"])
    >>> learned = learn(histories, cutoff="2025-06-01", horizon="90d")
    >>> list(learned)
    ['btyd']
    >>> Learned.from_text(learned.to_text()) == learned
    True
    """

    until: pd.Timestamp
    buying: Buying | None
    feedback: Feedback | None
    notes: tuple[str, ...] = ()
    renewed: pd.Timestamp | None = None

    def _there(self) -> dict[str, Callable[..., Numbers]]:
        models = {"btyd": self.buying, "feedback": self.feedback}
        return {name: model for name, model in models.items() if model is not None}

    def __getitem__(self, name: str) -> Callable[..., Numbers]:
        return self._there()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._there())

    def __len__(self) -> int:
        return len(self._there())

    def to_text(self) -> str:
        """Write everything as JSON."""
        buying = None
        if self.buying is not None:
            buying = {
                "generations": self.buying.generations.to_json(),
                "horizon_days": self.buying.horizon_days,
                "gap_days": self.buying.gap_days,
            }
        kept = {
            "until": self.until.isoformat(),
            "renewed": None if self.renewed is None else self.renewed.isoformat(),
            "btyd": buying,
            "feedback": None if self.feedback is None else self.feedback.model.to_text(),
            "notes": list(self.notes),
        }
        return json.dumps(kept, ensure_ascii=False)

    @classmethod
    def from_text(cls, text: str) -> "Learned":
        """Read what `to_text` wrote."""
        from loyalty.features.feedback import FeedbackModel

        kept = json.loads(text)
        btyd, feedback, renewed = kept["btyd"], kept["feedback"], kept["renewed"]
        if btyd is not None:
            btyd["generations"] = Generations.from_json(btyd["generations"])
        return cls(
            until=pd.Timestamp(kept["until"]).as_unit("us"),
            buying=None if btyd is None else Buying(**btyd),
            feedback=None if feedback is None else Feedback(FeedbackModel.from_text(feedback)),
            notes=tuple(kept["notes"]),
            renewed=None if renewed is None else pd.Timestamp(renewed).as_unit("us"),
        )


def learn(histories: Histories, *, cutoff: Instant, horizon: Duration, gap: Duration = "0d") -> Learned:
    """Fit the models that features ask on what was known before a cutoff.

    Parameters
    ----------
    histories : Histories
        What is known.
    cutoff : str, date or Timestamp
        Only rows with ``known_at < cutoff`` are learned from: for a model, its last training cutoff.
    horizon, gap : str or timedelta
        The outcome window, for the purchases to be expected in it.

    Returns
    -------
    Learned
        To be handed to `build_panel` for training and scoring alike.
    """
    instant = as_instant(cutoff, name="cutoff")
    outcome = Outcome.of(horizon=horizon, gap=gap)
    buying, why_not = learn_buying(histories, instant, outcome)
    feedback, nor = _learn_feedback(histories, instant)
    return Learned(instant, buying, feedback, tuple(note for note in (why_not, nor) if note))


def renew(
    learned: Learned, histories: Histories, *, cutoff: Instant, horizon: Duration, gap: Duration = "0d"
) -> Learned:
    """Fit how clients buy anew at a later cutoff, where one stands now.

    What is said of a purchase history keeps its meaning when the rates it is said by are brought up to date, and in a
    client base that grows older or changes, rates of months ago mislead. What texts say is kept: themes found anew
    would be others.

    Parameters
    ----------
    learned : Learned
        From `learn`, as the models were trained with it.
    histories, horizon, gap
        As for `learn`.
    cutoff : str, date or Timestamp
        Only rows with ``known_at < cutoff`` are learned from.

    Returns
    -------
    Learned
        To be handed to `build_panel` at this cutoff and later ones. As it was where buying had not been learned; where
        it cannot be now, so says a note.
    """
    instant = as_instant(cutoff, name="cutoff")
    if learned.buying is None:
        return learned
    buying, why_not = learn_buying(histories, instant, Outcome.of(horizon=horizon, gap=gap))
    if buying is None:
        return replace(
            learned, notes=(*learned.notes, f"{why_not} What was learned by {learned.until:%Y-%m-%d} stands.")
        )
    return replace(learned, buying=buying, renewed=instant)


def learn_buying(histories: Histories, cutoff: pd.Timestamp, outcome: Outcome) -> tuple[Buying | None, str]:
    """Fit how clients buy on what was known before a cutoff, or say why it cannot be."""
    asked = [CATALOGUE[name] for name in ("frequency", "recency", "T", "monetary")]
    panel = build_panel(histories, cutoffs=cutoff, horizon=outcome.horizon, features=asked).dropna(subset="T")
    if len(panel) < _FEW_CLIENTS:
        return None, f"Only {len(panel)} clients had bought by {cutoff:%Y-%m-%d}: too few for buy till you die."
    try:
        generations = Generations.fit(
            panel["frequency"], panel["recency"], panel["T"], panel["monetary"].fillna(0.0), cutoff=cutoff
        )
    except ValueError as error:
        return None, f"Buy till you die could not be fitted at {cutoff:%Y-%m-%d}: {error}"
    return Buying(generations, outcome.horizon.days, outcome.gap.days), ""


def _learn_feedback(histories: Histories, cutoff: pd.Timestamp) -> tuple[Feedback | None, str]:
    from loyalty.features.feedback import FeedbackModel

    if "text" not in histories.columns.get("contacts", ()):
        return None, ""
    contacts = histories.tables["contacts"]
    known = contacts.filter(lambda t: (t.known_at < at_instant(cutoff)) & t.text.notnull())  # noqa: PD004 - Ibis
    if "direction" in known.columns:  # what the company wrote itself is no feedback
        known = known.filter(lambda t: (t.direction != "outbound").fill_null(True))
    scored = ["satisfaction"] if "satisfaction" in known.columns else []
    told = known.select("client_id", "text", *scored).order_by("client_id", "text", *scored).execute()
    if len(told) < _FEW_TEXTS:
        return None, f"Only {len(told)} texts were known before {cutoff:%Y-%m-%d}: too few to learn from."
    stars = told["satisfaction"].astype("float64") if scored else pd.Series(np.nan, index=told.index)
    said = ""
    if not stars.dropna().between(1, 5).all():
        stars *= np.nan
        said = "`contacts.satisfaction` is not between 1 and 5 throughout: nothing is learned of it."
    model = FeedbackModel.fit(told["text"].tolist(), stars.to_numpy(), clients=told["client_id"].tolist())
    return Feedback(model), " ".join(filter(None, [said, *model.notes_]))
