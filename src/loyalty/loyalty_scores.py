"""Loyalty score: how loyal a client is, from 0 to 100, as the mean of named parts that can be read one by one.

Points come from fixed curves through documented anchor points, never from ranks: a client's score moves only when the
client does.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from loyalty.checks import float_columns

__all__ = ["LOYALTY_FEATURES", "LOYALTY_PARTS", "LoyaltyWeights", "document_loyalty", "loyalty_parts", "loyalty_score"]

Floats = NDArray[np.float64]
Anchors = tuple[tuple[float, float], ...]

#: Where nothing good or bad is known of a client.
NEUTRAL = 50.0
#: How much of a client's pace still counts after so many days of silence.
_CREDIT = ((0.0, 1.0), (30.0, 0.8), (90.0, 0.5), (180.0, 0.25), (365.0, 0.1), (730.0, 0.0))


@dataclass(frozen=True)
class LoyaltyWeights:
    """What each part of the loyalty score weighs.

    Only the proportions count. A part that is not known of a client is left out, and the others share its weight.

    Attributes
    ----------
    staying, regularity, spend, price_independence, engagement, satisfaction : float
        At least 0, and not all 0.

    Raises
    ------
    ValueError
        If a weight is negative or not finite, or all are 0.

    Notes
    -----
    The first four were chosen on cutoffs before the test cutoffs of `experiments/loyalty_score.md`, where it is said
    how. No public data set has what the last two are made from; theirs were set by judgement.

    Examples
    --------
    >>> LoyaltyWeights(staying=-1.0)
    Traceback (most recent call last):
    ...
    ValueError: the weight `staying` must be a number of at least 0; got -1.0. Take 0 to leave the part out.
    """

    staying: float = 30.0
    regularity: float = 30.0
    spend: float = 20.0
    price_independence: float = 5.0
    engagement: float = 5.0
    satisfaction: float = 10.0

    def __post_init__(self) -> None:
        for name, weight in asdict(self).items():
            if not (np.isfinite(weight) and weight >= 0):
                raise ValueError(
                    f"the weight `{name}` must be a number of at least 0; got {weight}. Take 0 to leave the part out."
                )
        if not any(asdict(self).values()):
            raise ValueError("all weights are 0, which leaves nothing to score by. Give one part a weight above 0.")


@dataclass(frozen=True)
class _Ingredient:
    """One fixed curve from a measure of the client to points.

    `missing` are the points where the measure is missing: None leaves the ingredient out. A measure is missing as a
    whole, and the ingredient left out, where the panel lacks a column it needs.
    """

    name: str
    meaning: Mapping[str, str]
    needs: tuple[str, ...]
    anchors: Anchors
    missing: float | None
    measure: Callable[[pd.DataFrame], pd.Series] | None = None

    def known_in(self, panel: pd.DataFrame) -> bool:
        return all(name in panel for name in self.needs)

    def points(self, panel: pd.DataFrame) -> Floats:
        """Read the curve for each row; beyond its ends it goes on level."""
        measured = panel[self.name] if self.measure is None else self.measure(panel)
        x = measured.to_numpy(dtype="float64")
        at, points = np.array(self.anchors, dtype="float64").T
        read = np.interp(x, at, points)
        return np.where(np.isnan(x), np.nan if self.missing is None else self.missing, read)


@dataclass(frozen=True)
class _Part:
    """The mean of the ingredients that are known, less the deductions; `base` stands in where no ingredient is."""

    meaning: Mapping[str, str]
    ingredients: tuple[_Ingredient, ...]
    deductions: tuple[_Ingredient, ...] = ()
    base: float | None = None

    def curves(self) -> list[tuple[str, _Ingredient]]:
        return [("earns", i) for i in self.ingredients] + [("takes off", d) for d in self.deductions]

    def points(self, panel: pd.DataFrame) -> Floats:
        there = [ingredient.points(panel) for ingredient in self.ingredients if ingredient.known_in(panel)]
        taken = [deduction.points(panel) for deduction in self.deductions if deduction.known_in(panel)]
        earned = _mean(np.array(there).reshape(len(there), len(panel)), np.ones(len(there)))
        if self.base is not None and (there or taken):
            earned = np.where(np.isnan(earned), self.base, earned)
        return np.clip(earned - np.sum(taken, axis=0), 0.0, 100.0)


def _mean(values: Floats, weights: Floats) -> Floats:
    """Average the rows of `values` that are not NaN, column by column; NaN where all are."""
    known = ~np.isnan(values)
    weight = (known * weights[:, None]).sum(axis=0)
    total = np.where(known, values * weights[:, None], 0.0).sum(axis=0)
    # The limits are kept by hand: a weighted mean of hundreds may be a rounding above 100.
    return np.clip(np.divide(total, weight, out=np.full(weight.shape, np.nan), where=weight > 0), 0.0, 100.0)


def _still_buying(panel: pd.DataFrame) -> pd.Series:
    """Chance of a purchase day within 90 days at the client's own pace, times what a silence leaves of it.

    The pace is that of half a purchase more in 90 days more, so that one purchase made today is no certainty.
    """
    pace = (panel["frequency"].fillna(0.0).clip(lower=0.0) + 0.5) / (panel["T"] + 90.0)
    at, credit = np.array(_CREDIT).T
    return -np.expm1(-90.0 * pace) * np.interp(panel["days_since_last"], at, credit)


def _evenness(panel: pd.DataFrame) -> pd.Series:
    """How even the gaps are, drawn to 0 as if by two uneven pairs of gaps; 0 after a year without a purchase."""
    pairs = (panel["frequency"] - 1.0).clip(lower=0.0)
    return (panel["regularity"] * pairs / (pairs + 2.0)).where(panel["purchase_days_count_365d"] > 0)


def _pace(panel: pd.DataFrame) -> pd.Series:
    """Spend of the last 90 days against the client's own pace in the last year, or since it was first recorded."""
    known_for = panel["days_since_first_record"].clip(lower=90.0, upper=365.0)
    return panel["spend_share_90d"] * known_for / 90.0


def _plain(name: str, anchors: Anchors, *, missing: float | None, en: str, ko: str) -> _Ingredient:
    return _Ingredient(name, MappingProxyType({"en": en, "ko": ko}), (name,), anchors, missing)


_STILL_BUYING = _Ingredient(
    "still_buying",
    MappingProxyType(
        {
            "en": "chance of a purchase within 90 days at the client's own pace, less the longer the client is silent",
            "ko": "고객 자신의 구매 속도로 본 90일 내 구매 가능성(마지막 구매 후 오래될수록 낮음)",
        }
    ),
    ("days_since_last", "frequency", "T"),
    ((0, 0), (1, 100)),
    0.0,
    _still_buying,
)
_EVENNESS = _Ingredient(
    "evenness",
    MappingProxyType(
        {
            "en": "evenness of the gaps between purchases, less where gaps are few; 0 after a year of silence",
            "ko": "구매 간격의 고른 정도(간격 수가 적을수록 낮음, 1년간 구매가 없으면 0)",
        }
    ),
    ("regularity", "frequency", "purchase_days_count_365d"),
    ((0, 0), (1, 100)),
    0.0,
    _evenness,
)
_PACE = _Ingredient(
    "spend_pace",
    MappingProxyType(
        {
            "en": "spend of the last 90 days against the client's own pace over the last year (1: as ever)",
            "ko": "고객 자신의 최근 1년 평균 속도 대비 최근 90일 구매액(1이면 평소와 같음)",
        }
    ),
    ("spend_share_90d", "days_since_first_record"),
    ((0, 0), (0.5, 40), (1, 70), (2, 100)),
    0.0,
    _pace,
)

#: Every part, its ingredients and their anchors: points at values, straight lines between them, level beyond.
_PARTS: Mapping[str, _Part] = MappingProxyType(
    {
        "staying": _Part({"en": "probability of staying", "ko": "유지 가능성"}, (_STILL_BUYING,)),
        "regularity": _Part(
            {"en": "regularity", "ko": "구매 규칙성"},
            (
                _plain(
                    "purchase_days_count_365d",
                    ((0, 0), (1, 15), (2, 30), (4, 50), (12, 75), (26, 90), (52, 100)),
                    missing=0.0,
                    en="purchase days in the last 365 days",
                    ko="최근 365일 구매일 수",
                ),
                _EVENNESS,
            ),
        ),
        "spend": _Part(
            {"en": "share and breadth of spend", "ko": "구매 비중과 폭"},
            (
                _PACE,
                _plain(
                    "lines_day_mean_365d",
                    ((0, 0), (1, 20), (3, 40), (10, 70), (30, 100)),
                    missing=0.0,
                    en="lines bought per purchase day in the last 365 days",
                    ko="최근 365일 구매일당 구매 품목 줄 수",
                ),
                _plain(
                    "products_count_90d",
                    ((0, 0), (1, 20), (3, 40), (10, 60), (30, 80), (100, 100)),
                    missing=0.0,
                    en="different products bought in the last 90 days",
                    ko="최근 90일 구매 상품 종류 수",
                ),
                _plain(
                    "categories_count_365d",
                    ((0, 0), (1, 20), (2, 40), (5, 70), (10, 100)),
                    missing=0.0,
                    en="different categories bought in the last 365 days",
                    ko="최근 365일 구매 카테고리 수",
                ),
                _plain(
                    "channels_count_365d",
                    ((0, 0), (1, 40), (2, 80), (3, 100)),
                    missing=0.0,
                    en="channels bought through in the last 365 days",
                    ko="최근 365일 이용 채널 수",
                ),
            ),
        ),
        "price_independence": _Part(
            {"en": "price independence", "ko": "가격 독립성"},
            (
                _plain(
                    "discount_share_365d",
                    ((0, 100), (0.1, 75), (0.2, 50), (0.5, 0)),
                    missing=None,
                    en="discount as a share of the full price in the last 365 days",
                    ko="최근 365일 정가 대비 할인율",
                ),
                _plain(
                    "discount_only_days_share_365d",
                    ((0, 100), (1, 0)),
                    missing=None,
                    en="share of purchase days with nothing at full price in the last 365 days",
                    ko="최근 365일 정가 구매가 전혀 없던 구매일 비율",
                ),
                _plain(
                    "price_rise_reaction_90d",
                    ((-5, 0), (0, 75), (3, 100)),
                    missing=None,
                    en="purchase days since the last price rise less those before it",
                    ko="마지막 가격 인상 이후 구매일 수에서 이전 구매일 수를 뺀 값",
                ),
            ),
        ),
        "engagement": _Part(
            {"en": "engagement and advocacy", "ko": "참여와 추천"},
            (
                _plain(
                    "visits_count_90d",
                    ((0, 0), (1, 30), (5, 60), (15, 85), (30, 100)),
                    missing=None,
                    en="visits in the last 90 days",
                    ko="최근 90일 방문 횟수",
                ),
                _plain(
                    "community_posts_count_365d",
                    ((0, NEUTRAL), (1, 65), (5, 85), (20, 100)),
                    missing=NEUTRAL,
                    en="community posts in the last 365 days; none is neutral",
                    ko="최근 365일 커뮤니티 게시글 수(없으면 중립)",
                ),
                _plain(
                    "referrals_count_365d",
                    ((0, NEUTRAL), (1, 85), (3, 100)),
                    missing=NEUTRAL,
                    en="referrals made in the last 365 days; none is neutral",
                    ko="최근 365일 지인 추천 건수(없으면 중립)",
                ),
            ),
        ),
        "satisfaction": _Part(
            {"en": "satisfaction", "ko": "만족도"},
            (
                _plain(
                    "satisfaction_last",
                    ((1, 0), (3, NEUTRAL), (5, 100)),
                    missing=None,
                    en="latest satisfaction score, in stars",
                    ko="가장 최근 만족도 점수(별점)",
                ),
                _plain(
                    "satisfaction_mean",
                    ((1, 0), (3, NEUTRAL), (5, 100)),
                    missing=None,
                    en="average satisfaction score, in stars",
                    ko="평균 만족도 점수(별점)",
                ),
            ),
            (
                _plain(
                    "complaints_count_365d",
                    ((0, 0), (1, 10), (3, 30), (6, 50)),
                    missing=0.0,
                    en="complaints in the last 365 days",
                    ko="최근 365일 불만 건수",
                ),
                _plain(
                    "complaints_open_count",
                    ((0, 0), (1, 15), (3, 30)),
                    missing=0.0,
                    en="complaints still open",
                    ko="미해결 불만 건수",
                ),
                _plain(
                    "complaint_silence_days",
                    ((0, 0), (7, 10), (30, 30)),
                    missing=0.0,
                    en="days since the last complaint without a word from the company",
                    ko="마지막 불만 후 회사의 응답이나 연락이 없던 일수",
                ),
            ),
            base=NEUTRAL,
        ),
    }
)


#: The parts of the score, in words.
LOYALTY_PARTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {name: MappingProxyType(dict(part.meaning)) for name, part in _PARTS.items()}
)
#: Every feature that a part of the score is made from; each may be missing.
LOYALTY_FEATURES: tuple[str, ...] = tuple(
    dict.fromkeys(name for part in _PARTS.values() for _, ingredient in part.curves() for name in ingredient.needs)
)


def loyalty_score(
    panel: pd.DataFrame, churn_probability: ArrayLike | None = None, *, weights: LoyaltyWeights | None = None
) -> pd.DataFrame:
    """Score how loyal each client is, from 0 to 100, with the parts the score is made of.

    A row is scored from its own features alone. Each feature is turned into points by a fixed curve (see
    `loyalty_parts`), a part is the mean of its features' points, less what is taken off for complaints, and the
    score the weighted mean of the parts. Scores of different cutoffs can so be compared.

    A part is NaN, and left out of the mean, where the panel has none of its features or nothing is known: the
    discounts of a client who bought nothing. Silence is not praise: without a complaint or a rating, satisfaction is
    50.

    Parameters
    ----------
    panel : DataFrame
        Features by their names in the catalogue, as from `build_panel`. Other columns are not read.
    churn_probability : array-like of shape (n_rows,), optional
        Calibrated probabilities within [0, 1], row by row; a Series must have the index of `panel`. The part
        `staying` is then 100 times the probability of staying. NaN is not known. Without it the part is read from the
        client's own pace of buying and how long it has been silent. The two are not comparable, nor are
        probabilities of different horizons.
    weights : LoyaltyWeights, optional
        By default ``LoyaltyWeights()``.

    Returns
    -------
    DataFrame
        `loyalty_score`, `staying`, `regularity`, `spend`, `price_independence`, `engagement` and `satisfaction`, each
        from 0 to 100; indexed as `panel`.

    Raises
    ------
    ValueError
        If the panel has no feature of any part, or the probabilities do not fit the panel or leave [0, 1].

    See Also
    --------
    loyalty_parts : Every curve.
    loyalty.segments.segment_movement : What moved between two cutoffs.

    Notes
    -----
    Money is measured only against the client's own: prices and currencies do not move the score. What other clients
    do, such as `category_headroom_share_365d`, is not read. Refunds are no part: who returns goods also orders again.
    The mood of texts is no part: its model is fitted anew with each run.

    Examples
    --------
    Ann bought every month, the last time ten days ago. Bob did the same, but then fell silent for a year. Nothing is
    known of discounts, so their weight goes to the other parts.

    >>> panel = pd.DataFrame(
    ...     {
    ...         "days_since_last": [10, 376], "T": [340, 706], "frequency": [11, 11],
    ...         "purchase_days_count_365d": [12, 0], "regularity": [1.0, 1.0],
    ...     },
    ...     index=pd.Index(["ann", "bob"], name="client_id"),
    ... )
    >>> loyalty_score(panel)[["loyalty_score", "staying", "regularity", "price_independence"]].round(1)
               loyalty_score  staying  regularity  price_independence
    client_id
    ann                 82.0     84.9        79.2                 NaN
    bob                  3.5      7.1         0.0                 NaN
    """
    chosen = LoyaltyWeights() if weights is None else weights
    probability = None if churn_probability is None else _probabilities(panel, churn_probability)
    if probability is None and not any(
        ingredient.known_in(panel) for part in _PARTS.values() for _, ingredient in part.curves()
    ):
        raise ValueError(
            "`panel` has no feature that a part of the score is made from. Build it with, for example, the features "
            "'days_since_last', 'frequency', 'T' and 'purchase_days_count_365d'; `loyalty_parts` lists all."
        )
    numbers = float_columns(panel, [name for name in panel if name in LOYALTY_FEATURES])
    points = {name: part.points(numbers) for name, part in _PARTS.items()}
    if probability is not None:
        points["staying"] = 100.0 * (1.0 - probability)
    score = _mean(np.array(list(points.values())), np.array([getattr(chosen, name) for name in points]))
    return pd.DataFrame({"loyalty_score": score} | points, index=panel.index)


def _probabilities(panel: pd.DataFrame, churn_probability: ArrayLike) -> Floats:
    if isinstance(churn_probability, pd.Series) and not churn_probability.index.equals(panel.index):
        raise ValueError(
            "`churn_probability` must have the index of `panel`. Bring it there with .reindex(panel.index)."
        )
    probability = np.asarray(churn_probability, dtype="float64")
    if probability.shape != (len(panel),):
        raise ValueError(
            f"`churn_probability` must hold one number for each of the {len(panel)} rows of `panel`; "
            f"got shape {probability.shape}."
        )
    outside = probability[(probability < 0) | (probability > 1)]
    if len(outside):
        raise ValueError(f"`churn_probability` must lie within [0, 1]; got {outside[0]}. Use calibrated probabilities.")
    return probability


def loyalty_parts() -> pd.DataFrame:
    """List every curve of the loyalty score: which feature gives, or takes, how many points.

    Returns
    -------
    DataFrame
        One row per part and ingredient: `part`, `ingredient`, `effect` ("earns": the points of a part are the mean
        of these; "takes off": subtracted from it), `anchors` (pairs of value and points; straight lines between them,
        level beyond), `missing` (points where the value is missing; NaN leaves the ingredient out), and the meaning of
        the ingredient, `en` and `ko`.

    Examples
    --------
    One complaint takes off ten points, six or more take off fifty:

    >>> parts = loyalty_parts().set_index("ingredient")
    >>> parts.loc["complaints_count_365d", "anchors"]
    ((0, 0), (1, 10), (3, 30), (6, 50))
    """
    rows = [
        {
            "part": name,
            "ingredient": ingredient.name,
            "effect": effect,
            "anchors": ingredient.anchors,
            "missing": np.nan if ingredient.missing is None else ingredient.missing,
            **ingredient.meaning,
        }
        for name, part in _PARTS.items()
        for effect, ingredient in part.curves()
    ]
    return pd.DataFrame(rows)


_PAGE_HEAD = """\
# The loyalty score

From 0 to 100, the weighted mean of six parts, each from 0 to 100. Written by
`document_loyalty`; a test fails when this page is not current.

- A part is the mean of the points its ingredients **earn**, less those that are **taken off**, within 0 and 100.
- Points are given by straight lines through the anchors, `value → points`, and level beyond the first and the last. The
  curves are fixed: no ranks, no other clients. A score moves only when the client does.
- **Missing** says what counts where a value is missing: points, or that the ingredient is left out. An ingredient whose
  features the panel lacks is left out, a part without any is NaN, and the other parts share its weight.
- With churn probabilities, `staying` is 100 times the probability of staying, and its ingredient here is not used.
- Satisfaction is 50, neutral, where no rating is known: no complaint is not praise.
- When a part becomes known the score may move with it; compare scores of panels with the same tables.
"""


def document_loyalty() -> str:
    """Write the page that documents the score, `docs/loyalty_score.md`.

    Examples
    --------
    >>> print(document_loyalty().splitlines()[0])
    # The loyalty score
    """
    lines = [_PAGE_HEAD]
    for field in fields(LoyaltyWeights):
        meaning = _PARTS[field.name].meaning
        lines += [
            f"## `{field.name}`: {meaning['en']} ({meaning['ko']})\n",
            f"Weight {field.default:g}.\n",
            "| ingredient | effect | meaning | 의미 | anchors | missing |",
            "|---|---|---|---|---|---|",
        ]
        for effect, ingredient in _PARTS[field.name].curves():
            curve = ", ".join(f"{at:g} → {points:g}" for at, points in ingredient.anchors)
            missing = "left out" if ingredient.missing is None else f"{ingredient.missing:g}"
            told = (f"`{ingredient.name}`", effect, *ingredient.meaning.values(), curve, missing)
            lines.append(f"| {' | '.join(told)} |")
        lines.append("")
    return "\n".join(lines)
