"""Voice of the client: what clients write about, how glad they sound, and which risk and money go with it.

A theme is shown only where at least ten clients speak of it, and a text only after `mask_text`.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype

from loyalty.checks import is_whole_number
from loyalty.features import Learned
from loyalty.features.feedback import FeedbackModel
from loyalty.histories import Histories, at_instant
from loyalty.masking import Language, client_words, mask_text, shorten_text
from loyalty.timeline import Duration, Instant, as_duration, as_instant

__all__ = ["FEWEST_CLIENTS", "client_voice", "missing_voice"]

#: Fewer clients are not shown as a group: a usual floor for publishing counts of people.
FEWEST_CLIENTS: Final = 10
#: Cosine of a text with a theme from which on it speaks of it. Most texts share no word with most themes and lie at 0.
_SPEAKS = 0.2
#: And from which on nobody would doubt it, if no other theme has half as much.
_CERTAIN = 0.4
_LEVEL = 0.95
#: Signs read of one text to be quoted, and signs shown of it.
_READ, _SHOWN, _SHORTEST = 1_000, 160, 12
#: As many texts are looked at for each quote asked for, since others may say the same or be little but masks.
_LOOKED_AT = 30
#: What parts the words of an id, and the fewest signs of a part that could name somebody.
_PARTS, _SHORTEST_PART = re.compile(r"[\W_]+"), 3

_COLUMNS: Final = (
    "theme", "words", "texts", "clients", "share", "share_before", "change", "mood", "scored", "churn_probability",
    "churn_probability_others", "difference", "lower", "upper", "value_at_risk", "value_share", "quotes",
)  # fmt: skip
_NUMBERS: Final = _COLUMNS[4:8] + _COLUMNS[9:-1]


def client_voice(
    histories: Histories,
    scores: pd.DataFrame,
    *,
    cutoff: Instant,
    learned: Learned | None,
    window: Duration = "180d",
    quotes: int = 3,
    language: Language = "en",
) -> pd.DataFrame:
    """Tell what clients wrote about before a cutoff, and which risk and money go with it.

    A text belongs to the theme it has most of, if it has enough of it; many a text belongs to none. A client speaks of
    a theme if one of its texts does, and so may speak of several. A theme of which fewer than ten clients speak is not
    shown.

    Parameters
    ----------
    histories : Histories
        With the column `text` in `contacts`. What the company itself wrote (`direction` "outbound") is left out.
    scores : DataFrame
        `client_id`, `churn_probability` and `value_at_risk`, one row a client, as a run or `Bundle.score` returns them
        at the same cutoff. Who is not among them counts as a writer, and for nothing else.
    cutoff : str, date or Timestamp
        Where we stand; only what was known before is read.
    learned : Learned
        From `learn`, at this cutoff or before: what the themes are, and the mood of words.
    window : str or timedelta, default="180d"
        How far back texts are read; they are held against those of a window as long before it.
    quotes : int, default=3
        At most so many example texts a theme; 0 for none.
    language : {"en", "ko"}, default="en"
        Of what stands in for what was hidden in quotes.

    Returns
    -------
    DataFrame
        One row a theme, those with most money at risk first:

        - `theme`, its number, as in the feature ``text_theme_1_mean_365d``; `words`, its strongest, at most five;
        - `texts` of the window that belong to it, and the `clients` who wrote them;
        - `share` of all clients who wrote anything; `share_before`, the same in the window before, NaN where fewer
          than ten wrote anything then; `change`, the first less the second;
        - `mood`, mean over the texts, 0 bad to 1 good, NaN where no mood was learned;
        - `scored`, how many of the clients have a score; `churn_probability`, their mean, and
          `churn_probability_others`, that of the other clients who wrote in the window; `difference`, the first less
          the second, with `lower` and `upper`, its 95 % interval; all NaN where either group has fewer than ten;
        - `value_at_risk`, in total, and `value_share` of the money at risk of all scores; NaN where fewer than ten of
          the clients have a score;
        - `quotes`, a tuple of texts made safe: see below.

    Raises
    ------
    ValueError
        If the histories hold no texts, no themes were learned, or were learned after the cutoff; if `scores` lacks a
        column, holds a client twice, or a number that is not one; if `quotes` is below 0.

    Notes
    -----
    *A difference goes with a theme; it is no sign that the theme is the cause.* Who writes about delivery may buy more,
    live elsewhere, or be new. Those who wrote of something else are the measure, and not all clients, because writing
    itself goes with a client's activity. The interval is Welch's for two means of probabilities; it tells how far
    chance moves them from one set of clients to another, takes the probabilities as they are, and does not allow for
    looking at several themes.

    A quote is taken from texts of which the theme is certain: those with most of it, one of each client, no two that
    share half of their words. It is masked by `loyalty.mask_text`, with the ids of all clients known by then, and then
    cut to 160 signs. What `mask_text` cannot hide may be left in it: quotes are for the people who may read the
    feedback itself.

    Examples
    --------
    Nine clients and one who wrote at the cutoff, which is too late; then the tenth writes a day before:

    >>> import pandas as pd
    >>> from loyalty import Histories, learn
    >>> bills = pd.DataFrame({"client_id": range(300), "event_time": "2024-01-01", "amount": 9.0})
    >>> texts = ["the parcel came late, call 010-1234-5678"] * 10 + ["lovely colour"] * 40 + ["hello"] * 250
    >>> contacts = pd.DataFrame({"client_id": range(300), "event_time": "2024-02-01", "text": texts})
    >>> learned = learn(Histories(bills, contacts=contacts), cutoff="2024-03-01", horizon="30d")
    >>> scores = pd.DataFrame({"client_id": range(300), "churn_probability": 0.5, "value_at_risk": 2.0})
    >>> for day in ("2024-04-01", "2024-03-31"):
    ...     contacts.loc[9, "event_time"] = day
    ...     late = Histories(bills, contacts=contacts)
    ...     voice = client_voice(late, scores, cutoff="2024-04-01", learned=learned)
    ...     print(voice[["words", "clients", "value_at_risk"]].to_string(index=False))
               words  clients  value_at_risk
    (colour, lovely)       40           80.0
                   words  clients  value_at_risk
        (colour, lovely)       40           80.0
    (came, late, parcel)       10           20.0
    >>> voice["quotes"].iloc[-1]
    ('the parcel came late, call [number]',)
    """
    instant, span = as_instant(cutoff, name="cutoff"), as_duration(window, name="window")
    if not is_whole_number(quotes, least=0):
        raise ValueError(f"`quotes` must be a whole number of at least 0; got {quotes!r}.")
    known = _scores(scores)
    model = _model(histories, learned, instant)
    said = _Said.read(histories, model, since=instant - 2 * span, cutoff=instant)
    _check_ids(known.index, said.rows["client_id"])
    now, before = said.between(instant - span, instant), said.between(instant - 2 * span, instant - span)
    moods = model.mood(now.rows["text"].tolist()) if len(now.rows) else np.empty(0)
    shown = {theme: clients for theme, clients in now.speakers().items() if len(clients) >= FEWEST_CLIENTS}
    hidden = _ids(histories, said, instant) if shown else frozenset()
    words = [_unnamed(terms, hidden) for terms in model.theme_terms()]
    rows = [
        {
            "theme": theme + 1,
            "words": words[theme],
            "texts": int((now.theme == theme).sum()),
            "clients": len(clients),
            "mood": float(moods[now.theme == theme].mean()),
            **_shares(len(clients), now, before, theme),
            **_at_stake(clients, now.writers(), known),
            "quotes": _quotes(now, theme, quotes, hidden, language),
        }
        for theme, clients in shown.items()
    ]
    told = pd.DataFrame(rows, columns=list(_COLUMNS)).astype(dict.fromkeys(_NUMBERS, "float64"))
    return told.sort_values(["value_at_risk", "theme"], ascending=[False, True], ignore_index=True)


def missing_voice(histories: Histories, learned: Learned | None) -> str:
    """Say what would be needed to hear the clients; empty if nothing is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> bills = pd.DataFrame({"client_id": ["ann"], "event_time": ["2024-01-01"], "amount": [9.0]})
    >>> missing_voice(Histories(bills), None)
    'What clients say needs the table contacts with the column text.'
    """
    if "text" not in histories.columns.get("contacts", ()):
        return "What clients say needs the table contacts with the column text."
    if learned is None or learned.feedback is None:
        return (
            "What clients say needs themes, which are learned from at least 200 texts known before the last training "
            "cutoff, where the models use a feature of the theme text."
        )
    return ""


def _model(histories: Histories, learned: Learned | None, cutoff: pd.Timestamp) -> FeedbackModel:
    lacking = missing_voice(histories, learned)
    if lacking or learned is None or learned.feedback is None:
        raise ValueError(f"{lacking} Learn them: learn(histories, cutoff=..., horizon=...).")
    if learned.until > cutoff:
        raise ValueError(
            f"`learned` knows what was written until {learned.until:%Y-%m-%d}, after the cutoff {cutoff:%Y-%m-%d}. "
            "Learn at the cutoff, or before."
        )
    return learned.feedback.model


@dataclass(frozen=True)
class _Said:
    """Texts, each with the theme it belongs to (-1: none), how much of it there is, and whether that is certain."""

    rows: pd.DataFrame
    theme: NDArray[np.int64]
    weight: NDArray[np.float64]
    certain: NDArray[np.bool_]

    @classmethod
    def read(cls, histories: Histories, model: FeedbackModel, *, since: pd.Timestamp, cutoff: pd.Timestamp) -> "_Said":
        """Read what clients wrote from an instant on, as far as it was known before the cutoff."""
        contacts, at = histories.tables["contacts"], at_instant(cutoff)
        told = contacts.filter(lambda t: (t.known_at < at) & (t.event_time >= at_instant(since)) & t.text.notnull())  # noqa: PD004 - Ibis
        if "direction" in told.columns:
            told = told.filter(lambda t: (t.direction != "outbound").fill_null(True))
        rows = told.select("client_id", "event_time", "text").order_by("client_id", "event_time", "text").execute()
        rows = rows[rows["text"].str.strip() != ""].reset_index(drop=True)
        if rows.empty:
            return cls(rows, np.empty(0, "int64"), np.empty(0), np.empty(0, "bool"))
        return cls(rows, *_assigned(model.themes(rows["text"].tolist())))

    def between(self, start: pd.Timestamp, end: pd.Timestamp) -> "_Said":
        inside = ((self.rows["event_time"] >= start) & (self.rows["event_time"] < end)).to_numpy(dtype="bool")
        return _Said(self.rows[inside], self.theme[inside], self.weight[inside], self.certain[inside])

    def writers(self) -> "pd.Index[Any]":
        return pd.Index(self.rows["client_id"].unique())

    def speakers(self) -> dict[int, "pd.Index[Any]"]:
        """List the clients who speak of each theme that anybody speaks of."""
        themes = np.unique(self.theme[self.theme >= 0]).tolist()
        return {theme: pd.Index(self.rows.loc[self.theme == theme, "client_id"].unique()) for theme in themes}


def _assigned(weights: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    """Give each text the theme it has most of."""
    weights = np.nan_to_num(weights, nan=0.0)  # a text of blanks
    theme = weights.argmax(axis=1)
    most = weights.max(axis=1)
    others = weights.copy()
    others[np.arange(len(others)), theme] = -np.inf
    next_most = np.maximum(others.max(axis=1), 0.0)
    return np.where(most >= _SPEAKS, theme, -1), most, (most >= _CERTAIN) & (next_most <= most / 2)


def _shares(clients: int, now: _Said, before: _Said, theme: int) -> dict[str, float]:
    share, wrote = clients / len(now.writers()), len(before.writers())
    spoke = before.rows.loc[before.theme == theme, "client_id"].nunique()
    earlier = spoke / wrote if wrote >= FEWEST_CLIENTS else math.nan
    return {"share": share, "share_before": earlier, "change": share - earlier}


def _at_stake(clients: "pd.Index[Any]", writers: "pd.Index[Any]", scores: pd.DataFrame) -> dict[str, float]:
    """Hold the risk of those who speak of a theme against that of the other writers, and add up their money."""
    theirs = scores[scores.index.isin(clients)]
    others = scores[scores.index.isin(writers) & ~scores.index.isin(clients)]
    money = float(theirs["value_at_risk"].sum()) if len(theirs) >= FEWEST_CLIENTS else math.nan
    total = float(scores["value_at_risk"].sum())
    told = {"scored": len(theirs), "value_at_risk": money, "value_share": money / total if total else math.nan}
    if min(len(theirs), len(others)) < FEWEST_CLIENTS:
        return told
    one, other = (group["churn_probability"].to_numpy() for group in (theirs, others))
    lower, upper = _welch(one, other)
    risk, risk_others = float(one.mean()), float(other.mean())
    return told | {
        "churn_probability": risk,
        "churn_probability_others": risk_others,
        "difference": risk - risk_others,
        "lower": lower,
        "upper": upper,
    }


def _welch(one: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[float, float]:
    """Bound the difference of two means whose groups differ in size and in spread."""
    from scipy.stats import t

    parts = np.array([group.var(ddof=1) / len(group) for group in (one, other)])
    difference, spread = float(one.mean() - other.mean()), float(parts.sum())
    if spread == 0:
        return difference, difference
    freedom = spread**2 / (parts**2 / [len(one) - 1, len(other) - 1]).sum()
    reach = float(t.ppf((1 + _LEVEL) / 2, freedom)) * math.sqrt(spread)
    return difference - reach, difference + reach


def _quotes(now: _Said, theme: int, most: int, hidden: Iterable[object], language: Language) -> tuple[str, ...]:
    """Choose the texts with most of a theme, one of each client and no two alike, and make them safe."""
    certain = (now.theme == theme) & now.certain
    # Numbers that are equal but for the order of a sum must not choose between texts.
    candidates = now.rows[certain].assign(weight=now.weight[certain].round(6))
    candidates = candidates.sort_values(["weight", "text", "client_id"], ascending=[False, True, True])
    candidates = candidates.drop_duplicates("text").drop_duplicates("client_id")
    told: list[str] = []
    for text in candidates["text"].head(most * _LOOKED_AT):
        if len(told) == most:
            break
        begun = text if len(text) <= _READ else text[:_READ].rpartition(" ")[0]  # half a name might not be known as one
        safe = shorten_text(mask_text(begun, clients=hidden, language=language), longest=_SHOWN)
        if len(safe) >= _SHORTEST and not any(_alike(safe, other) for other in told):
            told.append(safe)
    return tuple(told)


def _alike(one: str, other: str) -> bool:
    """Tell whether two texts share half of their words, so that the second says little more than the first."""
    words, others = set(one.casefold().split()), set(other.casefold().split())
    return 2 * len(words & others) >= len(words | others)


def _ids(histories: Histories, said: _Said, cutoff: pd.Timestamp) -> frozenset[str]:
    """Name the clients known before the cutoff, so that none is named in a quote."""
    named = list(said.writers())
    for table in histories.tables.values():
        known = table.filter(lambda t: t.known_at < at_instant(cutoff))
        named += known.select("client_id").distinct().execute()["client_id"].tolist()
    return client_words(named)


def _unnamed(terms: tuple[str, ...], hidden: frozenset[str]) -> tuple[str, ...]:
    """Leave out terms that are a client's id or a word of one."""
    names = hidden | {part for name in hidden for part in _PARTS.split(name) if len(part) >= _SHORTEST_PART}
    return tuple(term for term in terms if not names & {term.casefold(), *term.casefold().split()})


def _check_ids(scored: "pd.Index[Any]", writers: "pd.Series[Any]") -> None:
    """Refuse scores whose ids are numbers where those of the histories are text, or the other way round."""
    if len(scored) and len(writers) and is_numeric_dtype(scored.dtype) != is_numeric_dtype(writers.dtype):
        raise ValueError(
            f"`scores` holds the client {scored[0]}, but the ids of the histories are such as {writers.iloc[0]}. "
            "Bring them to the same kind, numbers or text."
        )


def _scores(scores: pd.DataFrame) -> pd.DataFrame:
    """Take risk and money of each client, checked."""
    if "client_id" not in scores and "client_id" in scores.index.names:
        scores = scores.reset_index()
    numbers = ["churn_probability", "value_at_risk"]
    for name in ("client_id", *numbers):
        if name not in scores:
            raise ValueError(f"`scores` lacks the column {name!r}. Take the scores of a run, or of `Bundle.score`.")
    known = scores.set_index("client_id")[numbers].astype("float64")
    if known.index.has_duplicates:
        twice = known.index[known.index.duplicated()][0]
        raise ValueError(f"`scores` must have one row per client; {twice} stands twice. Choose one cutoff.")
    if not known["churn_probability"].between(0, 1).all():
        raise ValueError("`churn_probability` must lie within [0, 1]. Leave out clients without a score.")
    if not (np.isfinite(known["value_at_risk"]) & (known["value_at_risk"] >= 0)).all():
        raise ValueError("`value_at_risk` must be finite amounts of at least 0. Leave out clients without a score.")
    return known.sort_index()  # sums then do not depend on the order of rows, not in their last bit
