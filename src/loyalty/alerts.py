"""Alerts: clients whom the company is failing now, by feedback unanswered, silence after a problem, or promotions.

Each alert is a rule over features of the catalogue, so that a list, a model and a report mean the same by a word.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from loyalty.checks import is_finite_number
from loyalty.features import CATALOGUE, Feature, build_panel
from loyalty.features.algebra import OFFERS
from loyalty.features.catalogue import missing
from loyalty.features.promotion import RECEIVED
from loyalty.histories import Histories, OutcomeKind
from loyalty.timeline import Instant, as_instant

__all__ = ["ALERTS", "AlertLimits", "alert_list", "alert_summary", "missing_alerts"]

#: Every kind of alert, in words.
ALERTS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "unanswered_feedback": MappingProxyType({"en": "feedback without an answer", "ko": "답변받지 못한 의견"}),
        "silence_after_problem": MappingProxyType({"en": "silence after a problem", "ko": "문제 발생 후 무응답"}),
        "promotion_fatigue": MappingProxyType({"en": "too many promotions", "ko": "과도한 프로모션"}),
    }
)

#: A company that is slow as a rule would hide it by its own measure; nobody should wait longer. As the catalogue's
#: `complaints_late_count`.
_SLOWEST = 7.0
#: Features count in days, and a machine's receipt within a minute is no measure for people.
_QUICKEST = 1.0
_FEWEST_REPLIES = 30
_YEAR = 365
#: A silence of more than a quarter ends by a new beginning and not by a follow-up.
_SILENCE = 90.0
#: About one a week.
_FEWEST_OFFERS = 4
_MONTH = 30.0

_OLDEST_OFFER = Feature(
    name="days_since_oldest_offer_365d",
    theme="promotion",
    unit="days",
    meaning={
        "en": "days since the oldest offer received in the last 365 days",
        "ko": "최근 365일 받은 혜택 제안 중 가장 오래된 것의 경과 일수",
    },
    formula=OFFERS.age.max(RECEIVED, within=_YEAR),
)
_UNANSWERED = ("feedback_unanswered_count_365d", "feedback_unanswered_days_max_365d")
_SILENT = ("complaint_silence_days", "refund_silence_days")
_OFFERED = ("offers_count_30d", "days_since_last_redeemed_offer", _OLDEST_OFFER.name)
_FEATURES: Final = {name: CATALOGUE.get(name, _OLDEST_OFFER) for name in (*_UNANSWERED, *_SILENT, *_OFFERED)}
#: Which sets of features allow an alert; one of them is enough.
_NEEDS: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "unanswered_feedback": (_UNANSWERED,),
    "silence_after_problem": tuple((name,) for name in _SILENT),
    "promotion_fatigue": (_OFFERED,),
}


@dataclass(frozen=True)
class AlertLimits:
    """From when on a client is on the list.

    Attributes
    ----------
    reply_days : float
        A message waits, and a problem is met with silence, from more than so many days on.
    many_offers : int
        So many offers within 30 days are many.

    Raises
    ------
    ValueError
        If `reply_days` is not a number of at least 0, or `many_offers` not a whole number of at least 1.

    Examples
    --------
    >>> AlertLimits(reply_days=7, many_offers=0)
    Traceback (most recent call last):
    ...
    ValueError: `many_offers` must be a whole number of at least 1; got 0.
    """

    reply_days: float = _SLOWEST
    many_offers: int = _FEWEST_OFFERS

    def __post_init__(self) -> None:
        if not (is_finite_number(self.reply_days) and self.reply_days >= 0):
            raise ValueError(f"`reply_days` must be a number of at least 0; got {self.reply_days!r}.")
        many = self.many_offers
        if not (is_finite_number(many) and many >= 1 and many == int(many)):
            raise ValueError(f"`many_offers` must be a whole number of at least 1; got {self.many_offers!r}.")

    @classmethod
    def read(cls, histories: Histories, *, cutoff: Instant, kind: OutcomeKind = "non-contractual") -> Self:
        """Read from a company's own past what it takes to be late, and what is much.

        - `reply_days` is the time within which nine of ten replies came, of those sent in the 365 days before the
          cutoff to feedback and complaints; at least 1 and at most 7, and 7 where there are fewer than 30 replies.
        - `many_offers` is what one in ten of the clients who got any offer in the last 30 days got at least; 4, about
          one a week, at least.

        Replies are taken by the day on which they were sent. Were they taken by the day of the message, those that are
        slow would be missing among the latest messages, and the company look quicker than it is.

        Parameters
        ----------
        histories : Histories
            What is known.
        cutoff : str, date or Timestamp
            Only what was known before is read.
        kind : {"non-contractual", "contractual"}
            Who is a client: in contracts also who never bought.

        Examples
        --------
        >>> import pandas as pd
        >>> bills = pd.DataFrame({"client_id": ["ann"], "event_time": ["2024-01-01"], "amount": [9.0]})
        >>> AlertLimits.read(Histories(bills), cutoff="2024-02-01")
        AlertLimits(reply_days=7.0, many_offers=4)
        """
        instant = as_instant(cutoff, name="cutoff")
        return cls(_reply_days(histories, instant), _many_offers(histories, instant, kind))


def alert_list(
    histories: Histories,
    scores: pd.DataFrame,
    *,
    cutoff: Instant,
    kind: OutcomeKind = "non-contractual",
    limits: AlertLimits | None = None,
) -> pd.DataFrame:
    """List the clients whom the company is failing at a cutoff, those with most money at risk first.

    ``unanswered_feedback``
        A message of the kind feedback or complaint, of the last 365 days, has had no reply for more than `reply_days`.
        `age_days` is the age of the oldest; `count` is how many have had none, late or not
        (`feedback_unanswered_days_max_365d`, `feedback_unanswered_count_365d`).
    ``silence_after_problem``
        Since the last complaint there has been neither a reply nor a contact begun by the company
        (`complaint_silence_days`); or a refund was met with silence on both sides (`refund_silence_days`). Either for
        more than `reply_days` and at most 90. `age_days` is the longer silence; `count` is 1, or 2 where both hold.
    ``promotion_fatigue``
        At least `many_offers` offers in the last 30 days, and none taken in that time, be it an older one.
        `age_days` is how long, within the last 365 days, the client has got offers without taking one: since one was
        last taken, or else since the oldest; `count` is the offers of the last 30 days (`offers_count_30d`,
        `days_since_last_redeemed_offer`).

    Parameters
    ----------
    histories : Histories
        What is known. A kind of alert whose columns are not there is left out: see `missing_alerts`.
    scores : DataFrame
        `client_id` and `value_at_risk`, money a year, one row a client, as a run or `Bundle.score` returns them at the
        same cutoff. Clients without a score are not listed.
    cutoff : str, date or Timestamp
        Where we stand; only what was known before is used.
    kind : {"non-contractual", "contractual"}
        Who stands at a cutoff, as the scores have it: see `Histories.population`.
    limits : AlertLimits, optional
        From when on a client is listed; by default read from the histories.

    Returns
    -------
    DataFrame
        One row per client and kind of alert: `client_id`; `kind`, a category of the kinds that could be looked for;
        `age_days`; `count`; `value_at_risk`. Sorted by money at risk, then age, both falling, then client and kind. A
        client with several alerts brings its money to each: do not add it up over kinds.

    Raises
    ------
    ValueError
        If a column of `scores` is missing, a client stands twice or does not stand at the cutoff, or money at risk is
        negative or not finite.

    Notes
    -----
    That contact helps up to a point and harms beyond it is an old finding [1]_; where the point lies differs, so that
    the company's own tenth of clients with most offers is taken. Alerts say where a rule is broken. They do not say
    that the client will leave for it, nor that an answer would keep them.

    References
    ----------
    .. [1] Godfrey, A., Seiders, K. and Voss, G. B. (2011). Enough is enough! The fine line in executing multichannel
       relational communication. Journal of Marketing, 75(4), 94-109.

    Examples
    --------
    The reply to Ann's feedback comes at the cutoff, which is too late to be known. Bob's was answered:

    >>> import pandas as pd
    >>> bills = pd.DataFrame({"client_id": ["ann", "bob"], "event_time": "2024-01-01", "amount": 9.0})
    >>> contacts = pd.DataFrame({
    ...     "client_id": ["ann", "bob"], "event_time": "2024-01-20", "kind": "feedback",
    ...     "replied_at": ["2024-01-31", "2024-01-30"],
    ... })
    >>> scores = pd.DataFrame({"client_id": ["ann", "bob"], "value_at_risk": [5.0, 6.0]})
    >>> alerts = alert_list(Histories(bills, contacts=contacts), scores, cutoff="2024-01-31")
    >>> print(alerts.to_string(index=False))
    client_id                kind  age_days  count  value_at_risk
          ann unanswered_feedback      11.0      1            5.0
    """
    instant = as_instant(cutoff, name="cutoff")
    money = _money(scores)
    there = [name for name, feature in _FEATURES.items() if not missing(histories, feature)]
    kinds = [name for name, needs in _NEEDS.items() if any(set(need) <= set(there) for need in needs)]
    found = pd.DataFrame({"client_id": money.index[:0], "kind": [], "age_days": [], "count": []})
    if kinds:
        asked = [_FEATURES[name] for name in there]
        # The horizon sets the season of a row, which no alert asks for.
        panel = build_panel(histories, cutoffs=instant, horizon="1d", kind=kind, features=asked)
        panel = _of_clients(panel.droplevel("cutoff"), money.index, instant)
        limits = limits or AlertLimits.read(histories, cutoff=instant, kind=kind)
        found = pd.concat([_RULES[name](panel, limits).assign(kind=name) for name in kinds]).reset_index()
    found = found.assign(
        kind=pd.Categorical(found["kind"], categories=kinds),
        count=found["count"].astype("int64"),
        age_days=found["age_days"].astype("float64"),
        value_at_risk=money.reindex(found["client_id"]).to_numpy(dtype="float64"),
    )
    order = ["value_at_risk", "age_days", "client_id", "kind"]
    found = found.sort_values(order, ascending=[False, False, True, True], kind="stable", ignore_index=True)
    return found[["client_id", "kind", "age_days", "count", "value_at_risk"]]


def alert_summary(alerts: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Count the clients on an alert list, what is at risk with them, and how long they have waited.

    Parameters
    ----------
    alerts : DataFrame
        From `alert_list`.
    scores : DataFrame
        What it was made with.

    Returns
    -------
    DataFrame
        One row per kind of alert that could be looked for, be it without a client, and a last one, ``any``, in which
        each client counts once: `kind`, `clients`, `share` of all clients scored, `value_at_risk`, `value_share` of
        all money at risk (NaN where there is none), `age_days_max` and `age_days_median` (NaN without a client; in
        the last row of each client's oldest alert).

    Raises
    ------
    ValueError
        If a column of `scores` is missing, or a client stands twice.

    Examples
    --------
    >>> alerts = pd.DataFrame({
    ...     "client_id": ["ann", "ann"], "kind": pd.Categorical(["unanswered_feedback", "promotion_fatigue"]),
    ...     "age_days": [11.0, 40.0], "count": [1, 5], "value_at_risk": [5.0, 5.0],
    ... })
    >>> scores = pd.DataFrame({"client_id": ["ann", "bob"], "value_at_risk": [5.0, 15.0]})
    >>> alert_summary(alerts, scores)[["kind", "clients", "value_at_risk", "value_share", "age_days_max"]]
                      kind  clients  value_at_risk  value_share  age_days_max
    0    promotion_fatigue        1            5.0         0.25          40.0
    1  unanswered_feedback        1            5.0         0.25          11.0
    2                  any        1            5.0         0.25          40.0
    """
    money = _money(scores)
    total = float(money.sum())
    groups = {str(kind): alerts[alerts["kind"] == kind] for kind in alerts["kind"].cat.categories}
    if groups:
        groups["any"] = alerts.sort_values("age_days", ascending=False).drop_duplicates("client_id")
    rows = [
        {
            "kind": kind,
            "clients": len(group),
            "share": len(group) / len(money) if len(money) else math.nan,
            "value_at_risk": float(group["value_at_risk"].sum()),
            "value_share": float(group["value_at_risk"].sum()) / total if total else math.nan,
            "age_days_max": float(group["age_days"].max()),
            "age_days_median": float(group["age_days"].median()),
        }
        for kind, group in groups.items()
    ]
    return pd.DataFrame(rows, columns=["kind", "clients", "share", "value_at_risk", "value_share", *_AGES])


_AGES = ("age_days_max", "age_days_median")


def missing_alerts(histories: Histories) -> tuple[str, ...]:
    r"""Say which alerts the histories do not allow, and what would be needed.

    Examples
    --------
    >>> import pandas as pd
    >>> bills = pd.DataFrame({"client_id": ["ann"], "event_time": ["2024-01-01"], "amount": [9.0]})
    >>> print(*missing_alerts(Histories(bills)), sep="\n")
    Alerts of feedback without an answer and silence after a problem need the table contacts.
    Alerts of too many promotions need the table offers.
    """
    told: dict[str, list[str]] = {}
    for kind, needs in _NEEDS.items():
        lacking = [[gap for name in need for gap in missing(histories, _FEATURES[name])] for need in needs]
        if all(lacking):
            told.setdefault(", ".join(dict.fromkeys(lacking[0])), []).append(ALERTS[kind]["en"])
    return tuple(f"Alerts of {' and '.join(kinds)} need {lacking}." for lacking, kinds in told.items())


# Rules: the clients of a panel on the list, with age and count


def _unanswered(panel: pd.DataFrame, limits: AlertLimits) -> pd.DataFrame:
    count, oldest = (panel[name] for name in _UNANSWERED)
    return pd.DataFrame({"age_days": oldest, "count": count})[oldest > limits.reply_days]


def _silence(panel: pd.DataFrame, limits: AlertLimits) -> pd.DataFrame:
    silences = panel[[name for name in _SILENT if name in panel]]
    silences = silences.where((silences > limits.reply_days) & (silences <= _SILENCE))
    told = pd.DataFrame({"age_days": silences.max(axis=1), "count": silences.notna().sum(axis=1)})
    return told[told["count"] > 0]


def _fatigue(panel: pd.DataFrame, limits: AlertLimits) -> pd.DataFrame:
    count, taken, oldest = (panel[name] for name in _OFFERED)
    tired = (count >= limits.many_offers) & ~(taken < _MONTH)
    return pd.DataFrame({"age_days": np.fmin(taken, oldest), "count": count})[tired]


_RULES: Final = {
    "unanswered_feedback": _unanswered,
    "silence_after_problem": _silence,
    "promotion_fatigue": _fatigue,
}


# What is read


def _reply_days(histories: Histories, cutoff: pd.Timestamp) -> float:
    if not {"kind", "replied_at"} <= set(histories.columns.get("contacts", ())):
        return _SLOWEST
    by = [name for name in ("direction",) if name in histories.columns["contacts"]]
    rows = histories.rows_of("contacts", ["event_time", "known_at", "replied_at", "kind", *by])
    at, since = (pa.scalar(instant, pa.timestamp("us")) for instant in (cutoff, cutoff - pd.Timedelta(days=_YEAR)))
    replied = rows["replied_at"]
    chosen = pc.and_(pc.less(rows["known_at"], at), pc.and_(pc.less(replied, at), pc.greater_equal(replied, since)))
    chosen = pc.and_(chosen, pc.is_in(rows["kind"].cast(pa.string()), pa.array(["feedback", "complaint"])))
    if by:
        outbound = pc.equal(rows["direction"].cast(pa.string()), "outbound")
        chosen = pc.and_(chosen, pc.invert(pc.fill_null(outbound, False)))
    told = rows.filter(chosen)
    if len(told) < _FEWEST_REPLIES:
        return _SLOWEST
    delays = pc.subtract(told["replied_at"], told["event_time"]).cast(pa.int64()).to_numpy() / 86_400e6
    return float(np.clip(np.quantile(delays, 0.9), _QUICKEST, _SLOWEST))


def _many_offers(histories: Histories, cutoff: pd.Timestamp, kind: OutcomeKind) -> int:
    feature = CATALOGUE["offers_count_30d"]
    if missing(histories, feature):
        return _FEWEST_OFFERS
    panel = build_panel(histories, cutoffs=cutoff, horizon="1d", kind=kind, features=[feature])
    counts = panel[feature.name].to_numpy()
    counts = counts[counts > 0]
    # The larger of two neighbours, so that it is a count, and one in ten got at least so many.
    most = int(np.quantile(counts, 0.9, method="higher")) if len(counts) else 0
    return max(most, _FEWEST_OFFERS)


def _money(scores: pd.DataFrame) -> "pd.Series[float]":
    """Take the money at risk of each client, checked."""
    if "client_id" not in scores and "client_id" in scores.index.names:
        scores = scores.reset_index()
    lacking = [name for name in ("client_id", "value_at_risk") if name not in scores]
    if lacking:
        raise ValueError(f"`scores` lacks the column {lacking[0]!r}. Take the scores of a run, or of `Bundle.score`.")
    money = scores.set_index("client_id")["value_at_risk"].astype("float64")
    if money.index.has_duplicates:
        twice = money.index[money.index.duplicated()][0]
        raise ValueError(f"`scores` must have one row per client; {twice} stands twice. Choose one cutoff.")
    wrong = ~(np.isfinite(money) & (money >= 0))
    if wrong.any():
        raise ValueError(
            f"`value_at_risk` must be a finite amount of at least 0; got {money[wrong].iloc[0]} for the client "
            f"{money.index[wrong][0]}."
        )
    return money


def _of_clients(panel: pd.DataFrame, clients: "pd.Index[Any]", cutoff: pd.Timestamp) -> pd.DataFrame:
    strangers = clients[~clients.isin(panel.index)]
    if len(strangers):
        raise ValueError(
            f"`scores` holds the client {strangers[0]}, who does not stand at {cutoff:%Y-%m-%d}. Take the scores of "
            "this cutoff and of the same `kind`."
        )
    return panel.loc[clients]
