"""Sentences: by meaning, in English and Korean, with the right number, unit, comparison and particle."""

import re

import numpy as np
import pytest

from loyalty.explanation.sentences import Earlier, Teller, earlier_of
from loyalty.features import CATALOGUE, Feature, Phrase, feature
from loyalty.features.algebra import PURCHASES
from loyalty.wording import Writing, fit_number

NAN = float("nan")
HIGHER = {"en": " Goes with a higher risk.", "ko": " 높은 이탈 위험과 함께 나타납니다."}
LOWER = {"en": " Goes with a lower risk.", "ko": " 낮은 이탈 위험과 함께 나타납니다."}
CASES = [
    # feature, value, own usual, typical client, English, Korean
    ("days_since_last", 63, 18, 50,
     "63 days since the last purchase; usually buys every 18 days.",
     "마지막 구매 후 63일이 지났습니다(평소 구매 간격 18일)."),
    ("days_since_last", 1, NAN, 50,
     "1 day since the last purchase; a typical client: 50 days.",
     "마지막 구매 후 1일이 지났습니다(보통 고객 50일)."),
    ("days_since_last", 30, 18, 50,  # longer than its own gap, shorter than the others': both are said
     "30 days since the last purchase; usually buys every 18 days; a typical client: 50 days.",
     "마지막 구매 후 30일이 지났습니다(평소 구매 간격 18일, 보통 고객 50일)."),
    ("days_since_last", 18, 18, 50,
     "18 days since the last purchase; usually buys every 18 days; a typical client: 50 days.",
     "마지막 구매 후 18일이 지났습니다(평소 구매 간격 18일, 보통 고객 50일)."),
    ("days_since_last", 2.44, NAN, NAN,
     "2.4 days since the last purchase.",
     "마지막 구매 후 2.4일이 지났습니다."),
    ("days_since_last", NAN, NAN, 50, "No purchase yet.", "아직 구매가 없습니다."),
    ("overdue_days", 38, NAN, -9,
     "38 days past the usual time of the next purchase.",
     "평소 구매 시기가 38일 지났습니다."),
    ("overdue_days", -9, NAN, 4,
     "Next purchase not due for another 9 days.",
     "평소대로라면 다음 구매까지 9일 남았습니다."),
    ("overdue_ratio", 2.345, NAN, 1,
     "Silent for 2.35 times the average gap between purchases; a typical client: 1.",
     "마지막 구매 후 평균 구매 간격의 2.35배가 지났습니다(보통 고객 1배)."),
    ("gap_days_mean", NAN, NAN, 59,
     "No second purchase yet, so no usual gap.",
     "아직 재구매가 없어 구매 간격을 알 수 없습니다."),
    ("amount_sum_90d", 58, 120, 81,
     "Spent £58 in the last 90 days; £120 in the 90 days before.",
     "최근 90일 순구매액은 58파운드입니다(직전 90일 120파운드)."),
    ("amount_sum_90d", 58.25, NAN, 1234567,
     "Spent £58.25 in the last 90 days; a typical client: £1.23 M.",
     "최근 90일 순구매액은 58.25파운드입니다(보통 고객 123만 파운드)."),
    ("amount_sum_90d", 0, NAN, 81,
     "Spent nothing in the last 90 days; a typical client: £81.",
     "최근 90일 동안 순구매액이 없습니다(보통 고객 81파운드)."),
    ("amount_sum_90d", 0, 0, 0,
     "Spent nothing in the last 90 days, as in the 90 days before, like a typical client.",
     "최근 90일 동안 순구매액이 없습니다(직전 90일과 같음, 보통 고객과 같음)."),
    ("amount_sum_90d", -20.5, 120, 81,
     "£20.50 more refunded than spent in the last 90 days.",
     "최근 90일 동안 환불액이 구매액보다 20.50파운드 많습니다."),
    ("amount_sum_180d", 136, 420, 328,
     "Spent £136 in the last 180 days; £420 per 180 days before that.",
     "최근 180일 순구매액은 136파운드입니다(그 전 180일당 420파운드)."),
    ("purchase_days_count_90d", 1, 5, 2,
     "1 purchase day in the last 90 days; 5 in the 90 days before.",
     "최근 90일 중 1일 구매했습니다(직전 90일 5일)."),
    ("purchase_days_count_90d", 11, NAN, 2,
     "11 purchase days in the last 90 days; a typical client: 2.",
     "최근 90일 중 11일 구매했습니다(보통 고객 2일)."),
    ("amount_sum_90d", 61, 60, 30,  # like its own usual, so what is usual among the others is said as well
     "Spent £61 in the last 90 days; £60 in the 90 days before; a typical client: £30.",
     "최근 90일 순구매액은 61파운드입니다(직전 90일 60파운드, 보통 고객 30파운드)."),
    ("purchase_days_trend_90d", -3, NAN, 0,
     "3 fewer purchase days in the last 90 days than in the 90 days before.",
     "최근 90일의 구매일이 직전 90일보다 3일 적습니다."),
    ("purchase_days_trend_90d", -1, NAN, 0,
     "1 fewer purchase day in the last 90 days than in the 90 days before.",
     "최근 90일의 구매일이 직전 90일보다 1일 적습니다."),
    ("refund_share_365d", 0.125, NAN, 0.03,
     "12% of the spend of the last 365 days refunded; a typical client: 3.0%.",
     "최근 365일 구매액의 12%를 환불했습니다(보통 고객 3.0%)."),
    ("silence_probability", 0.627, NAN, 0.049,
     "63% likely not to buy in the period ahead, going by past purchases; a typical client: 4.9%.",
     "과거 구매로 볼 때 예측 기간에 구매하지 않을 확률은 63%입니다(보통 고객 4.9%)."),
    ("days_since_last_refund", NAN, NAN, 90, "No refund so far.", "환불한 적이 없습니다."),
    ("complaints_open_count", 1, NAN, 0,
     "1 complaint still open; a typical client: 0.",
     "해결되지 않은 불만이 1건 있습니다(보통 고객 0건)."),
    ("complaint_open_days_max", 21, NAN, NAN,
     "A complaint has been open for 21 days.",
     "21일 동안 해결되지 않은 불만이 있습니다."),
    ("satisfaction_last", 2, 4.5, 4,
     "Latest satisfaction score: 2; 4.5 on average.",
     "가장 최근 만족도는 2점입니다(평균 4.5점)."),
    # Without a phrase: from unit and meaning alone.
    ("weekend_share", 0.5, NAN, 0.25,
     "Share of purchase days on Saturdays and Sundays: 50%; a typical client: 25%.",
     "주말(토·일) 구매일 비율은 50%입니다(보통 고객 25%)."),
    ("plans_count", 2, NAN, 1,
     "Different plans held so far: 2; a typical client: 1.",
     "지금까지 이용한 요금제 종류 수는 2종입니다(보통 고객 1종)."),
    ("amount_decayed_30d", 12, NAN, NAN,
     "Net spend, recent spend counting more (30-day decay): £12.",
     "최근 가중 순구매액(30일 감쇠)은 12파운드입니다."),
    ("weekend_share", NAN, NAN, 0.25,
     "Share of purchase days on Saturdays and Sundays: not known.",
     "주말(토·일) 구매일 비율은 알 수 없습니다."),
    # Not in the catalogue: numbers, and levels of a category.
    ("tenure", 12, NAN, 29, "tenure: 12; a typical client: 29.", "tenure: 12(보통 고객 29)."),
    ("Contract", "Month-to-month", NAN, "Two year",
     "Contract: Month-to-month; the commonest: Two year.",
     "Contract: Month-to-month(가장 흔한 값: Two year)."),
    ("Contract", "Two year", NAN, "Two year",
     "Contract: Two year, the commonest of all.",
     "Contract: Two year(가장 흔한 값)."),
    ("Contract", NAN, NAN, "Two year", "Contract: not known.", "Contract: 알 수 없음."),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "usual", "typical", "english", "korean"), CASES)
@pytest.mark.parametrize("raises", [True, False])
def test_by_meaning(name, value, usual, typical, english, korean, raises):
    told = {
        language: Teller(name, Writing(language, "GBP"))(value, usual=usual, typical=typical, raises=raises)
        for language in ("en", "ko")
    }
    side = HIGHER if raises else LOWER
    assert told["en"].replace("\u00a0", " ") == english + side["en"]
    assert told["ko"].replace("\u00a0", " ") == korean + side["ko"]


FACTS = [(v, u, t) for v in (0.0, 1.0, 2.0, 0.5, -3.0, 1234.5, NAN) for u in (NAN, 2.0) for t in (NAN, 2.0, 7.0)]


@pytest.mark.parametrize("one", [f for f in CATALOGUE.values() if not f.shared], ids=lambda one: one.name)
def test_every_feature_reads_well_in_every_case(one):
    """A sentence, of one language, without marks left over; and never a cause."""
    english, korean = (Teller(one.name, Writing(language, "KRW")) for language in ("en", "ko"))
    for value, usual, typical in FACTS:
        told = english(value, usual=usual, typical=typical, raises=True)
        assert told.endswith(". Goes with a higher risk.")
        assert re.match(r"[A-Z0-9₩−]", told)
        assert not re.search(r"[가-힣\[\]{}]|; ;|, ;|\s\s|\bnan\b|–|because|\bcause", told), told
        told = korean(value, usual=usual, typical=typical, raises=False)
        assert told.endswith("니다. 낮은 이탈 위험과 함께 나타납니다.") or told.endswith(
            "). 낮은 이탈 위험과 함께 나타납니다."
        )
        assert re.search(r"니다(\([^;]*\))?\. 낮은", told), told
        assert not re.search(r"[A-Za-z]{4,}|[\[\]{}]|\(,|은\(는\)|이\(가\)|을\(를\)|–|때문", told), told


@pytest.mark.parametrize("one", [f for f in CATALOGUE.values() if not f.shared], ids=lambda one: one.name)
def test_a_higher_number_is_another_sentence(one):
    """What is not said cannot be wrong, but a reason without its number is none."""
    for language in ("en", "ko"):
        teller = Teller(one.name, Writing(language))
        said = {teller.fact(value, usual=NAN, typical=NAN) for value in (0.0, 1.0, 2.0, 3.0, NAN)}
        assert len(said) == 5


def test_what_was_before_comes_of_the_next_wider_window():
    assert earlier_of("purchase_days_count_30d") == Earlier("purchase_days_count_90d", 30, 90)
    assert earlier_of("amount_sum_180d") == Earlier("amount_sum_365d", 180, 365)
    assert Earlier("amount_sum_180d", 90, 180).share == 1
    assert Earlier("amount_sum_365d", 180, 365).share == pytest.approx(180 / 185)
    # Different products of two windows do not add up; a mean does not; nor what is counted under another condition.
    for name in (
        "products_count_90d",
        "orders_count_365d",
        "amount_day_mean_365d",
        "refunds_count_365d",
        "T",
        "unheard",
    ):
        assert earlier_of(name) is None
    assert earlier_of("returns_count_90d") == Earlier("refunds_count_365d", 90, 365)  # the same rows by another name


def test_a_feature_of_ones_own_is_told_by_its_unit_and_meaning():
    own = Feature(
        name="own_days",
        theme="mine",
        unit="days",
        meaning={"en": "days since the last call", "ko": "마지막 통화 후 경과 일수"},
        formula=PURCHASES.age.min(),
        usual="gap_days_mean",
    )
    CATALOGUE.add(own)
    try:
        told = {language: Teller("own_days", Writing(language)) for language in ("en", "ko")}
        assert told["en"].fact(3.0, usual=7.0, typical=1.0) == (
            "3 days since the last call; usually 7 days; a typical client: 1 day"
        )
        assert told["ko"].fact(3.0, usual=7.0, typical=NAN) == "마지막 통화 후 경과 일수는 3일입니다(평소 7일)"
    finally:
        CATALOGUE.remove("own_days")


def test_a_feature_of_ones_own_can_say_its_sentence():
    @feature(
        theme="mine",
        unit="count",
        en="calls so far",
        ko="누적 통화 건수",
        topic="calls",
        phrases={
            "en": Phrase("called {value} [time/times]", zero="never called"),
            "ko": Phrase("지금까지 {value}번 통화했습니다", zero="통화한 적이 없습니다"),
        },
    )
    def own_calls():
        return PURCHASES.count()

    try:
        assert CATALOGUE["own_calls"].family == "calls"
        english, korean = (Teller("own_calls", Writing(language)) for language in ("en", "ko"))
        assert english.fact(1.0, usual=NAN, typical=2.0) == "Called 1 time; a typical client: 2"
        assert korean.fact(1.0, usual=NAN, typical=2.0) == "지금까지 1번 통화했습니다(보통 고객 2번)"
        assert english.fact(0.0, usual=NAN, typical=NAN) == "Never called"
        assert korean.fact(NAN, usual=NAN, typical=2.0) == "누적 통화 건수는 알 수 없습니다"
    finally:
        CATALOGUE.remove("own_calls")


def test_names_and_levels_of_the_users_own_are_kept_in_line():
    told = Teller("plan\u202e\n", Writing("en")).fact("x" * 99, usual=NAN, typical="\x00")
    assert told == f"plan⟨U+202E⟩: {'x' * 59}…; the commonest: ⟨U+0000⟩"
    # A brace or a bracket in the data is no place for a value.
    assert (
        Teller("a", Writing("en")).fact("{value} [b/c]", usual=NAN, typical="d") == "a: {value} [b/c]; the commonest: d"
    )


def test_singular_and_plural():
    assert fit_number("{n} [category/categories] of [day/days]", "1") == "{n} category of day"
    assert fit_number("{n} [category/categories]", "11") == "{n} categories"
    assert np.char.endswith(Teller("orders_count_365d", Writing("en")).fact(1.0, usual=NAN, typical=1.0), "client")


def test_a_name_of_ones_own_is_told_as_it_is():
    told = {"usual": float("nan"), "typical": 3.0}
    assert Teller("speed [km/h]", Writing("en")).fact(5.0, **told).startswith("speed [km/h]: 5")
    assert Teller("도시 [이/가]", Writing("ko")).fact(5.0, **told).startswith("도시 [이/가]")
