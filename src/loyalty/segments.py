"""Segments: clients by how they buy, and by value and risk, between cut points that stay; and who moves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loyalty.checks import float_columns

__all__ = [
    "RFM_FEATURES",
    "RFM_SEGMENTS",
    "USUAL_GAP",
    "VALUE_RISK_SEGMENTS",
    "RfmCuts",
    "ValueRiskCell",
    "ValueRiskCuts",
    "pays_by_bill",
    "rfm_segments",
    "segment_movement",
    "value_risk_segments",
]

Floats = NDArray[np.float64]
Language = Literal["en", "ko"]
Words = Mapping[str, str]

_RECENCY, _FREQUENCY, _MONETARY = "days_since_last", "purchase_days_count_365d", "amount_sum_365d"
#: What the RFM segments are made from.
RFM_FEATURES: tuple[str, ...] = (_RECENCY, _FREQUENCY, _MONETARY)
#: By which it is known whether recency tells anything.
USUAL_GAP = "gap_days_median"
#: A silence of so many usual gaps is one; of so few clients it is nobody's habit.
_SILENT_GAPS, _FEW_SILENT = 1.5, 0.05
#: Of fewer than these none need be silent by chance.
_MANY_BILLED = 20
_FIFTHS = (0.2, 0.4, 0.6, 0.8)
#: A half, three tenths, and the top fifth.
_TIERS = (0.5, 0.8)
#: From here on a score of 1 to 5 is high, and from there on it is middling.
_HIGH, _MIDDLE = 4, 3
#: Whoever is all but sure to leave would not be worth any amount by staying.
_LEAST_STAYING = 0.05
_NEW: Words = MappingProxyType({"en": "new", "ko": "신규"})
_GONE: Words = MappingProxyType({"en": "gone", "ko": "이탈"})


def _words(en: str, ko: str) -> Words:
    return MappingProxyType({"en": en, "ko": ko})


#: Names of the RFM segments, in the order of their worth, by how recent a client is (2: a score from 4, 1: from 3, 0:
#: below) and how strong (the same of the mean of frequency and monetary score).
RFM_SEGMENTS: Mapping[tuple[int, int], Words] = MappingProxyType(
    {
        (2, 2): _words("champions", "최우수 고객"),
        (2, 1): _words("growing clients", "성장 고객"),
        (2, 0): _words("new or occasional clients", "신규·가끔 구매 고객"),
        (1, 2): _words("strong clients cooling off", "뜸해지는 우수 고객"),
        (1, 1): _words("average clients cooling off", "뜸해지는 일반 고객"),
        (1, 0): _words("occasional clients cooling off", "뜸해지는 가끔 구매 고객"),
        (0, 2): _words("strong clients to win back", "되찾아야 할 우수 고객"),
        (0, 1): _words("average clients gone quiet", "구매가 끊긴 일반 고객"),
        (0, 0): _words("occasional clients gone quiet", "구매가 끊긴 가끔 구매 고객"),
    }
)


def _check_edges(name: str, edges: Sequence[float], *, count: int) -> None:
    given = np.asarray(edges, dtype="float64")
    if given.shape != (count,) or not np.isfinite(given).all() or (np.diff(given) < 0).any():
        raise ValueError(f"`{name}` must be {count} finite numbers, none below the one before; got {tuple(edges)}.")


def _quantiles(values: pd.Series, at: Sequence[float]) -> tuple[float, ...]:
    # Of the values that occur, so that cuts of counts are counts.
    return tuple(float(edge) for edge in np.quantile(values.to_numpy(dtype="float64"), at, method="lower"))


def _above(edges: Sequence[float], values: pd.Series) -> NDArray[np.int64]:
    """Count the edges that each value lies above; one that equals an edge stays below it."""
    return np.searchsorted(np.asarray(edges, dtype="float64"), values.to_numpy(dtype="float64"), side="left")


def _check_columns(table: pd.DataFrame, argument: str, needed: Sequence[str], *, remedy: str) -> None:
    missing = [name for name in needed if name not in table]
    if missing:
        raise ValueError(f"`{argument}` lacks the column {missing[0]!r}. {remedy}")


def _check_language(language: str) -> None:
    if language not in ("en", "ko"):
        raise ValueError(f"`language` must be 'en' or 'ko'; got {language!r}.")


@dataclass(frozen=True)
class RfmCuts:
    """Cut points between the scores 1 to 5, learned at one cutoff and kept for all others.

    With cuts of its own at every cutoff, a fifth of the clients would always be best, and a segment would change with
    the others in it.

    Attributes
    ----------
    recency, frequency, monetary : tuple of float
        Four each, ascending. A value equal to a cut point counts as below it.

    Raises
    ------
    ValueError
        If there are not four ascending numbers each.

    Examples
    --------
    >>> RfmCuts(recency=(30, 60, 90, 80), frequency=(1, 2, 4, 8), monetary=(50, 100, 200, 400))
    Traceback (most recent call last):
    ...
    ValueError: `recency` must be 4 finite numbers, none below the one before; got (30, 60, 90, 80).
    """

    recency: tuple[float, ...]
    frequency: tuple[float, ...]
    monetary: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("recency", "frequency", "monetary"):
            _check_edges(name, getattr(self, name), count=len(_FIFTHS))

    @classmethod
    def fit(cls, panel: pd.DataFrame) -> Self:
        """Learn the fifths of a panel of one cutoff, among clients who ever bought.

        Raises
        ------
        ValueError
            If the panel has several cutoffs, lacks a feature, or nobody in it bought anything.
        """
        numbers = _rfm_numbers(panel)
        if "cutoff" in panel.index.names and (several := panel.index.unique("cutoff")).size > 1:
            raise ValueError(f"`panel` must be of one cutoff; got {several.size}. Fit on the earliest of them.")
        bought = numbers[numbers[_RECENCY].notna()]
        if bought.empty:
            raise ValueError("`panel` has no client who ever bought, so there is nothing to cut. Take a later cutoff.")
        names = {"recency": _RECENCY, "frequency": _FREQUENCY, "monetary": _MONETARY}
        return cls(**{name: _quantiles(bought[column], _FIFTHS) for name, column in names.items()})


def _rfm_numbers(panel: pd.DataFrame) -> pd.DataFrame:
    """Take the three features as float64, whatever their type: nullable whole numbers know no infinity."""
    _check_columns(panel, "panel", RFM_FEATURES, remedy=f"Build it with features={list(RFM_FEATURES)}.")
    return float_columns(panel, RFM_FEATURES)


def pays_by_bill(panel: pd.DataFrame, *, active: pd.Timedelta | None = None) -> bool:
    """Tell whether hardly anybody is silent for longer than usual, so that recency is the day of the last bill.

    Parameters
    ----------
    panel : DataFrame
        With `days_since_last` and `gap_days_median`, of one cutoff.
    active : Timedelta, optional
        Whoever has been silent for longer than this is not in the panel.

    Returns
    -------
    bool
        Whether fewer than one in twenty clients have been silent for more than one and a half of their usual gap, of
        those who would still be in the panel if they had. False where these are fewer than twenty, or their usual gap
        was not measured.

    Examples
    --------
    Fees of every month, 10 to 29 days ago. In a shop somebody is always late:

    >>> bills = pd.DataFrame({"days_since_last": np.arange(10.0, 30.0), "gap_days_median": 31.0})
    >>> pays_by_bill(bills), pays_by_bill(bills.replace({"days_since_last": {29.0: 47.0}}))
    (True, False)
    """
    if not {_RECENCY, USUAL_GAP} <= set(panel.columns):
        return False
    known = float_columns(panel, (_RECENCY, USUAL_GAP)).dropna()
    silence, late = known[_RECENCY].to_numpy(), _SILENT_GAPS * known[USUAL_GAP].to_numpy()
    seen = np.full(len(known), True) if active is None else late < active / pd.Timedelta(days=1)
    return int(seen.sum()) >= _MANY_BILLED and bool((silence > late)[seen].mean() < _FEW_SILENT)


def rfm_segments(panel: pd.DataFrame, *, cuts: RfmCuts, language: Language = "en") -> pd.DataFrame:
    """Score how recently, how often and for how much each client bought, and name the segment.

    Recent is read from `days_since_last`, often from `purchase_days_count_365d` and much from `amount_sum_365d`, each
    scored from 1 (worst) to 5 (best) by `cuts`. A client who never bought has 1 throughout.

    Parameters
    ----------
    panel : DataFrame
        With these three features, as from `build_panel`.
    cuts : RfmCuts
        Fitted at one cutoff, the same for all that are to be compared.
    language : {"en", "ko"}, default="en"
        Of the names.

    Returns
    -------
    DataFrame
        `recency_score`, `frequency_score`, `monetary_score` (1 to 5), `segment` (ordered by worth, see
        `RFM_SEGMENTS`) and `value` (net spend of the last 365 days); indexed as `panel`.

    Raises
    ------
    ValueError
        If the panel lacks a feature.

    See Also
    --------
    segment_movement : Who moves between the segments of two cutoffs.

    Notes
    -----
    Cut points of money age with prices: fit them anew every few years, and compare only what the same cuts have made.

    Examples
    --------
    Ann's last purchase, 30 days ago, is still within the best fifth; one day later it is not:

    >>> cuts = RfmCuts(recency=(30, 60, 120, 240), frequency=(1, 2, 4, 8), monetary=(50, 100, 200, 400))
    >>> panel = pd.DataFrame(
    ...     {
    ...         "days_since_last": [30, 31, 300], "purchase_days_count_365d": [9, 9, 1],
    ...         "amount_sum_365d": [500, 500, 20],
    ...     },
    ...     index=pd.Index(["ann", "bob", "cem"], name="client_id"),
    ... )
    >>> rfm_segments(panel, cuts=cuts)[["recency_score", "frequency_score", "segment"]]
               recency_score  frequency_score                        segment
    client_id
    ann                    5                5                      champions
    bob                    4                5                      champions
    cem                    1                1  occasional clients gone quiet
    """
    numbers = _rfm_numbers(panel)
    _check_language(language)
    recency = 5 - _above(cuts.recency, numbers[_RECENCY].fillna(np.inf))
    frequency = 1 + _above(cuts.frequency, numbers[_FREQUENCY].fillna(-np.inf))
    monetary = 1 + _above(cuts.monetary, numbers[_MONETARY].fillna(-np.inf))
    segment = _named(RFM_SEGMENTS, _level(recency), _level((frequency + monetary) / 2), panel.index, language=language)
    return pd.DataFrame(
        {
            "recency_score": recency,
            "frequency_score": frequency,
            "monetary_score": monetary,
            "segment": segment,
            "value": numbers[_MONETARY],
        },
        index=panel.index,
    )


def _level(score: NDArray[np.int64] | Floats) -> NDArray[np.int64]:
    return (score >= _MIDDLE).astype(np.int64) + (score >= _HIGH)


def _named(
    names: Mapping[tuple[int, int], Words],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    index: pd.Index,
    *,
    language: Language,
) -> pd.Series:
    """Name the cell of each row, as an ordered category with all names in it."""
    place = {cell: number for number, cell in enumerate(names)}
    codes = np.array([place[int(a), int(b)] for a, b in zip(first, second, strict=True)], dtype=np.int64)
    categories = pd.Index([words[language] for words in names.values()])
    return pd.Series(pd.Categorical.from_codes(codes, categories=categories, ordered=True), index=index)


@dataclass(frozen=True)
class ValueRiskCell:
    """A value tier at a level of risk.

    Attributes
    ----------
    name : mapping of language to str
        Of the segment.
    service : mapping of language to str
        The service level it deserves.
    """

    name: Words
    service: Words


def _cell(en: str, ko: str, *, service_en: str, service_ko: str) -> ValueRiskCell:
    return ValueRiskCell(_words(en, ko), _words(service_en, service_ko))


#: Cells in the order of their worth, by value tier and level of risk (2: high, 1: middle, 0: low).
VALUE_RISK_SEGMENTS: Mapping[tuple[int, int], ValueRiskCell] = MappingProxyType(
    {
        (2, 0): _cell(
            "top clients, low risk",
            "최상위 고객(저위험)",
            service_en="premium service: a named contact, first in every queue, new products first; no discounts",
            service_ko="프리미엄 서비스: 전담 담당자, 우선 응대, 신상품 우선 안내. 할인은 불필요",
        ),
        (2, 1): _cell(
            "top clients, medium risk",
            "최상위 고객(중위험)",
            service_en="premium service, and a personal call this month to ask what is missing",
            service_ko="프리미엄 서비스와 함께 이번 달 안에 직접 전화로 불편한 점 확인",
        ),
        (2, 2): _cell(
            "top clients, high risk",
            "최상위 고객(고위험)",
            service_en="premium service, and a senior contact within days: settle what is open before any offer",
            service_ko="프리미엄 서비스와 함께 며칠 내 책임자가 연락. 제안보다 미해결 문제부터 처리",
        ),
        (1, 0): _cell(
            "solid clients, low risk",
            "중간 가치 고객(저위험)",
            service_en="prompt standard service, and suggestions of what goes with what they buy",
            service_ko="신속한 기본 서비스와 구매 상품에 맞는 추천",
        ),
        (1, 1): _cell(
            "solid clients, medium risk",
            "중간 가치 고객(중위험)",
            service_en="prompt standard service, and a question about their satisfaction, answered by a person",
            service_ko="신속한 기본 서비스와 만족도 확인. 답변은 담당자가 직접",
        ),
        (1, 2): _cell(
            "solid clients, high risk",
            "중간 가치 고객(고위험)",
            service_en="a personal message, and an offer where it was tested to keep clients",
            service_ko="개인 메시지와 유지 효과가 검증된 제안",
        ),
        (0, 0): _cell(
            "small clients, low risk",
            "소액 고객(저위험)",
            service_en="good self-service, and an invitation to try one thing more",
            service_ko="편리한 셀프서비스와 새로운 상품 체험 안내",
        ),
        (0, 1): _cell(
            "small clients, medium risk",
            "소액 고객(중위험)",
            service_en="good self-service, and the regular newsletter",
            service_ko="편리한 셀프서비스와 정기 소식지",
        ),
        (0, 2): _cell(
            "small clients, high risk",
            "소액 고객(고위험)",
            service_en="good self-service, and one low-cost message; a call where much is at risk with one of them",
            service_ko="편리한 셀프서비스와 저비용 메시지 한 번. 개별 위험 금액이 크면 전화",
        ),
    }
)


def _check_scores(scores: pd.DataFrame) -> None:
    remedy = "Take the scores of a run, or put the predictions of the two models side by side."
    _check_columns(scores, "scores", ("churn_probability", "expected_value"), remedy=remedy)
    risk = scores["churn_probability"].to_numpy(dtype="float64")
    if not ((risk >= 0) & (risk <= 1)).all():
        bad = risk[~((risk >= 0) & (risk <= 1))][0]
        raise ValueError(f"`churn_probability` must lie within [0, 1]; got {bad}. Leave out clients without a score.")
    value = scores["expected_value"].to_numpy(dtype="float64")
    if not np.isfinite(value).all():
        bad = value[~np.isfinite(value)][0]
        raise ValueError(f"`expected_value` must be finite; got {bad}. Leave out clients without a score.")


def _value_if_staying(scores: pd.DataFrame) -> pd.Series:
    return scores["expected_value"] / (1.0 - scores["churn_probability"]).clip(lower=_LEAST_STAYING)


@dataclass(frozen=True)
class ValueRiskCuts:
    """Cut points between value tiers and between levels of risk, the same for all cutoffs that are compared.

    Attributes
    ----------
    value : tuple of float
        Two, ascending: from small to solid, and from solid to top, in money within the horizon if the client stays.
    risk : tuple of float
        Two, ascending: from low to medium, and from medium to high, as probabilities. A value equal to
        a cut point counts as below it.

    Raises
    ------
    ValueError
        If there are not two ascending numbers each.

    Examples
    --------
    >>> ValueRiskCuts(value=(100, 500), risk=(0.3,))
    Traceback (most recent call last):
    ...
    ValueError: `risk` must be 2 finite numbers, none below the one before; got (0.3,).
    """

    value: tuple[float, ...]
    risk: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("value", "risk"):
            _check_edges(name, getattr(self, name), count=len(_TIERS))

    @classmethod
    def fit(cls, scores: pd.DataFrame) -> Self:
        """Learn from the scores of one cutoff: the lower half, the next three tenths and the top fifth of each.

        Raises
        ------
        ValueError
            If there are no scores, or they do not satisfy what `value_risk_segments` asks of them.
        """
        _check_scores(scores)
        if scores.empty:
            raise ValueError("`scores` holds no client, so there is nothing to cut. Take another cutoff.")
        return cls(_quantiles(_value_if_staying(scores), _TIERS), _quantiles(scores["churn_probability"], _TIERS))


def value_risk_segments(scores: pd.DataFrame, *, cuts: ValueRiskCuts, language: Language = "en") -> pd.DataFrame:
    """Put each client into a value tier at a level of risk, and say which service it deserves.

    The value of a client is what it is expected to spend *if it stays*, `expected_value` over the probability of
    staying: `expected_value` itself is small because a client may leave, and would hide those most worth keeping.

    Parameters
    ----------
    scores : DataFrame
        `churn_probability` and `expected_value`, one row per client.
    cuts : ValueRiskCuts
        Fitted at one cutoff, or set by hand; the same for all that are to be compared.
    language : {"en", "ko"}, default="en"
        Of the names and services.

    Returns
    -------
    DataFrame
        `value_tier` and `risk_level` (0: low, 1: middle, 2: high), `segment` (ordered by worth), `service` and
        `value` (expected within the horizon if the client stays); indexed as `scores`.

    Raises
    ------
    ValueError
        If a column is missing, a probability leaves [0, 1], or a value is not finite.

    Notes
    -----
    A probability of staying below 5 % counts as 5 %, so that no division by next to nothing makes a client valuable.
    In a contractual setting clients pay until they leave, and the value is then somewhat too high.

    Examples
    --------
    Ann and Bob are both expected to spend 100. Bob's are what remains of 1000, nine times out of ten lost:

    >>> scores = pd.DataFrame(
    ...     {"churn_probability": [0.0, 0.9], "expected_value": [100.0, 100.0]},
    ...     index=pd.Index(["ann", "bob"], name="client_id"),
    ... )
    >>> cuts = ValueRiskCuts(value=(50, 500), risk=(0.3, 0.6))
    >>> value_risk_segments(scores, cuts=cuts)[["value", "segment"]].round(0)
                value                      segment
    client_id
    ann         100.0          solid clients, low risk
    bob        1000.0  top clients, high risk
    """
    _check_scores(scores)
    _check_language(language)
    value = _value_if_staying(scores)
    tier, level = _above(cuts.value, value), _above(cuts.risk, scores["churn_probability"])
    names = {cell: words.name for cell, words in VALUE_RISK_SEGMENTS.items()}
    services = {words.name[language]: words.service[language] for words in VALUE_RISK_SEGMENTS.values()}
    segment = _named(names, tier, level, scores.index, language=language)
    return pd.DataFrame(
        {
            "value_tier": tier,
            "risk_level": level,
            "segment": segment,
            "service": segment.astype(object).map(services),
            "value": value,
        },
        index=scores.index,
    )


#: What a segment is called in English, by its name in another language; no two have one name.
_IN_ENGLISH = {
    name[language]: name["en"]
    for name in (*RFM_SEGMENTS.values(), *(cell.name for cell in VALUE_RISK_SEGMENTS.values()))
    for language in name
}


def in_english(segment: pd.Series) -> pd.Series:
    """Call segments by their English names, by which they are counted, in whichever language they were named.

    Examples
    --------
    >>> in_english(pd.Series(["성장 고객", "champions"])).tolist()
    ['growing clients', 'champions']
    """
    return segment.map(_IN_ENGLISH, na_action="ignore").astype(segment.dtype)


def segment_movement(before: pd.DataFrame, after: pd.DataFrame, *, language: Language = "en") -> pd.DataFrame:
    """Count who moved from which segment to which between two cutoffs, and what they are worth.

    Parameters
    ----------
    before, after : DataFrame
        `segment` and `value`, one row per client, as from `rfm_segments` or `value_risk_segments` with the same cuts
        and language; indexed by `client_id`, or by `client_id` and one `cutoff`.
    language : {"en", "ko"}, default="en"
        Of the names of those who were not there before ("new") or are not there any more ("gone").

    Returns
    -------
    DataFrame
        One row per pair of segments that anybody moved between, or stayed in: `from`, `to`, `clients`, `share` (of the
        clients in `from`; adds up to 1 for each), `value_before` and `value_after` (their `value` in total; 0 where
        they are not there). In the order of the segments; new clients and those gone come last. Every client of
        either cutoff is counted once.

    Raises
    ------
    ValueError
        If a column is missing, a client stands twice or has no segment, or a segment is named as those who are new or
        gone.

    Examples
    --------
    Bob is gone and Dan is new; nobody else moved:

    >>> before = pd.DataFrame({"segment": ["small", "small"], "value": [5.0, 7.0]}, index=["ann", "bob"])
    >>> after = pd.DataFrame({"segment": ["small", "top"], "value": [6.0, 90.0]}, index=["ann", "dan"])
    >>> segment_movement(before, after)
        from     to  clients  share  value_before  value_after
    0  small  small        1    0.5           5.0          6.0
    1  small   gone        1    0.5           7.0          0.0
    2    new    top        1    1.0           0.0         90.0
    """
    _check_language(language)
    new, gone = _NEW[language], _GONE[language]
    tables = {name: _by_client(table, name, (new, gone)) for name, table in (("before", before), ("after", after))}
    order = _order(before, after)
    both = tables["before"].join(tables["after"], how="outer", lsuffix="_before", rsuffix="_after")
    moved = pd.DataFrame(
        {
            "from": pd.Categorical(both["segment_before"].fillna(new), categories=[*order, new]),
            "to": pd.Categorical(both["segment_after"].fillna(gone), categories=[*order, gone]),
            "clients": 1,
            "value_before": both["value_before"].fillna(0.0),
            "value_after": both["value_after"].fillna(0.0),
        }
    )
    table = moved.groupby(["from", "to"], observed=True, sort=True).sum().reset_index()
    table = table.astype({"from": object, "to": object})
    table.insert(3, "share", table["clients"] / table.groupby("from")["clients"].transform("sum"))
    return table


def _by_client(table: pd.DataFrame, argument: str, reserved: tuple[str, str]) -> pd.DataFrame:
    """Take segment and value of each client, checked."""
    _check_columns(table, argument, ("segment", "value"), remedy="Take what `rfm_segments` returns.")
    clients = table.index.get_level_values("client_id") if table.index.nlevels > 1 else table.index
    if clients.has_duplicates:
        twice = clients[clients.duplicated()][0]
        raise ValueError(f"`{argument}` must have one row per client; {twice} stands twice. Choose one cutoff.")
    if table["segment"].isna().any():
        nobody = clients[table["segment"].isna()][0]
        raise ValueError(f"`{argument}` has no segment for the client {nobody}. Leave it out.")
    taken = [name for name in reserved if (table["segment"] == name).any()]
    if taken:
        raise ValueError(f"`{argument}` has a segment named {taken[0]!r}, which means otherwise here. Rename it.")
    return pd.DataFrame({"segment": table["segment"].astype(object), "value": table["value"]}).set_axis(clients)


def _order(*tables: pd.DataFrame) -> list[object]:
    """List the segments in the order of their categories, or as they are first met."""
    names: dict[object, None] = {}
    for table in tables:
        segment = table["segment"]
        known = segment.cat.categories if isinstance(segment.dtype, pd.CategoricalDtype) else sorted(segment.unique())
        names |= dict.fromkeys(known)
    return list(names)
