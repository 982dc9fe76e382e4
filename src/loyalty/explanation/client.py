"""One client's reasons for a higher and for a lower risk, as a picture."""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd
from scipy.special import expit

from loyalty.explanation.choosing import choose
from loyalty.explanation.reasons import say
from loyalty.models.churn import ChurnModel
from loyalty.models.trees import feature_names
from loyalty.wording import Language, Writing

__all__ = ["Reasons", "explain_client"]

_WORDS = {
    "en": ("Probability of leaving", "the rest", "lower risk", "higher risk"),
    "ko": ("이탈 확률", "나머지", "낮은 위험", "높은 위험"),
}
_COLOUR = {True: "#b3401f", False: "#1f6f8b"}


@dataclass(frozen=True)
class Reasons:
    """What goes with one client's risk, the strongest first; a notebook shows it with bars.

    Iterating gives the sentences.

    Attributes
    ----------
    frame : DataFrame
        One row a reason: `feature`, `text`; `value`, the client's own; `usual` and `typical`, what it is compared with,
        NaN where there is nothing; `shap`, the part in log-odds, above 0 where it goes with a higher risk.
    churn_probability : float
        Of the client.
    rest : float
        The log-odds that the reasons leave: the base value, what all clients share, and weaker reasons. With the sum
        of `shap` they give the probability.
    language : {"en", "ko"}
        Of the words.
    """

    frame: pd.DataFrame
    churn_probability: float
    rest: float
    language: Language

    def __len__(self) -> int:
        return len(self.frame)

    def __iter__(self) -> Iterator[str]:
        return iter(self.frame["text"].tolist())

    def _repr_html_(self) -> str:
        title, rest, lower, higher = _WORDS[self.language]
        parts = [*self.frame["shap"].tolist(), self.rest]
        widest = max(map(abs, parts)) or 1.0
        rows = [
            f'<tr><td style="text-align:left">{escape(text)}</td>{_bar(part, widest, faint)}</tr>'
            for text, part, faint in zip([*self, rest], parts, [False] * len(self) + [True], strict=True)
        ]
        side = '<th style="text-align:{};padding:0 6px">{}</th>'
        head = f'<th style="text-align:left">{title}: {100 * self.churn_probability:.0f}%</th>'
        head += side.format("right", lower) + side.format("left", higher)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def explain_client(
    model: ChurnModel, client: pd.DataFrame, *, top: int = 8, language: Language = "en", currency: str | None = None
) -> Reasons:
    """Say what goes with one client's risk, for and against it.

    Where `reason_codes` gives each of many clients what speaks for its side, this gives one client both sides.

    Parameters
    ----------
    model : ChurnModel
        Fitted.
    client : DataFrame of shape (1, n_features)
        The client's row, such as ``X.loc[["client-7"]]``.
    top : int, default=8
        Reasons at the most.
    language : {"en", "ko"}, default="en"
        Of the words.
    currency : str, optional
        Of the money: an ISO code such as ``"GBP"``, or any sign; none writes bare numbers.

    Returns
    -------
    Reasons
        Sentences, numbers and, in a notebook, bars.

    Raises
    ------
    ValueError
        If `client` is not one row, `top` is below 1 or the language is not known.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"days_since_last": rng.integers(1, 200, 400), "frequency": rng.integers(0, 9, 400)})
    >>> model = ChurnModel(n_estimators=30).fit(X, X.days_since_last > 100)
    >>> reasons = explain_client(model, X.iloc[[0]].assign(days_since_last=190), top=1)
    >>> list(reasons)
    ['190 days since the last purchase; a typical client: 108 days. Goes with a higher risk.']
    >>> bool(np.isclose(expit(reasons.frame["shap"].sum() + reasons.rest), reasons.churn_probability))
    True
    """
    if len(client) != 1:
        raise ValueError(f"`client` must be one row; got {len(client)}. Use reason_codes for many.")
    if top < 1:
        raise ValueError(f"`top` must be at least 1; got {top!r}.")
    writing = Writing(language, currency)
    told = choose(model, client)
    parts = told.parts[0]
    topic = np.argsort(-np.abs(parts), kind="stable")[:top]
    topic = topic[parts[topic] != 0]
    said = say(told.clients, np.zeros(len(topic), np.intp), told.speaker[0, topic], parts[topic], writing)
    log_odds = float(model.contributions(client[feature_names(model)]).sum())
    frame = pd.DataFrame(
        {
            "feature": said[""],
            "text": said["_text"],
            "value": said["_value"],
            "usual": said["_usual"],
            "typical": said["_typical"],
            "shap": said["_shap"],
        }
    ).reset_index(drop=True)
    return Reasons(frame, float(expit(log_odds)), log_odds - float(parts[topic].sum()), language)


def _bar(part: float, widest: float, faint: bool) -> str:
    """Draw a part as a bar to the left or the right of the middle, its number beside it."""
    width = f"{120 * abs(part) / widest:.0f}px"
    number = Writing("en").signed(part, digits=2)
    bar = (
        f'<span style="display:inline-block;height:0.8em;width:{width};vertical-align:middle;'
        f'background:{_COLOUR[part > 0]};opacity:{0.35 if faint else 1}"></span>'
    )
    left, right = ("", f"{bar} {number}") if part > 0 else (f"{number} {bar}", "")
    style = "width:170px;white-space:nowrap;padding:2px 0"
    return f'<td style="text-align:right;{style}">{left}</td><td style="text-align:left;{style}">{right}</td>'
