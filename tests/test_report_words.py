"""What the managers' page says, in both languages: the right number, sign and unit in every sentence."""

import re
import string
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from loyalty.report.pieces import range_of, signed_range
from loyalty.report.text import WORDS, Speech
from loyalty.report.who import reasons_of
from loyalty.wording import LANGUAGES, ends_in_consonant, fit_particles
from report_fixture import make_run_folder
from report_page import NO_CURVES, Page, page_of, unchanged_page_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run_folder(tmp_path_factory.mktemp("run"), clients=300)


FIVE_TOTALS = {
    "expected_value": [{"segment": "all", "clients": 5, "expected": 5e6, "lower": 4e6, "upper": 6.5e6}],
    "value_at_risk": [
        {"segment": "all", "clients": 5, "expected": 5.5e9, "lower": 4e9, "upper": 7e9},
        {"segment": "top clients, high risk", "clients": 2, "expected": 4.1e9, "lower": 3e9, "upper": 5.2e9},
    ],
}
FIVE_MOVED = {
    "since": "2026-10-02",
    "days": 30,
    "loyalty_score": 51.25,
    "segment": [
        {"from": "top clients, low risk", "to": "top clients, high risk", "clients": 1}
        | {"value_before": 1e9, "value_after": 3e9},
        {"from": "top clients, medium risk", "to": "small clients, low risk", "clients": 1, "value_after": 1e8},
        {"from": "solid clients, medium risk", "to": "solid clients, medium risk", "clients": 2, "value_after": 9e9},
        {"from": "new", "to": "top clients, high risk", "clients": 1, "value_after": 2e9},
        {"from": "small clients, low risk", "to": "gone", "clients": 4, "value_before": 5e7},
    ],
    "rfm_segment": [
        {"from": "champions", "to": "strong clients cooling off", "clients": 1, "value_after": 4e9},
        {"from": "champions", "to": "champions", "clients": 4, "value_after": 11e9},
    ],
}


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five clients whose numbers can be added up by hand, and one back-test."""
    out = make_run_folder(
        tmp_path_factory.mktemp("five"),
        clients=5,
        test_cutoffs=("2026-05-01",),
        score_cutoff="2026-11-01",
        currency="KRW",
        totals=FIVE_TOTALS,
        movement=FIVE_MOVED,
        yardsticks={"value_risk": {"value": [1.1e6, 1.5e6], "risk": [0.15, 0.35]}},
        intervals=[
            {"cutoff": "2026-05-01", "coverage": 0.9, "clients": 30, "value": 7e6, "expected": 6e6}
            | {"lower": 4e6, "upper": 9e6},
            {"cutoff": "2026-08-01", "coverage": 0.8, "clients": 10, "value": 1e6},
        ],
        backtest=[
            {"model": model, "cutoff": "2026-05-01", "metric": metric, "value": value}
            for model, metric, value in (
                ("btyd", "auc", 0.75),
                ("lightgbm", "auc", 0.812),
                ("lightgbm", "found_top_20", 0.58),
                ("lightgbm", "lift_top_20", 2.9),
            )
        ],
    )
    risk, spend = [0.1, 0.2, 0.3, 0.4, 0.5], [1e9, 2e9, 3e9, 4e9, 5e9]
    pd.DataFrame(
        {
            "client_id": list("abcde"),
            "cutoff": pd.Timestamp("2026-11-01"),
            "churn_probability": risk,
            "amount_sum_365d": spend,
            "value_at_risk": [one * other for one, other in zip(risk, spend, strict=True)],
            "expected_value": 1e6,
            "value_lower": [0.0, 0.0, 0.0, 0.0, float("nan")],
            "value_upper": [9e6, 8e6, 7e6, 6e6, float("nan")],
            "too_little_history": [False, False, False, False, True],
            "segment": ["small clients, low risk", "solid clients, medium risk", "solid clients, medium risk"]
            + 2 * ["top clients, high risk"],
            "loyalty_score": [90.0, 70.0, 69.9, 20.0, 0.1],
            "loyalty_staying": [90.0, 80.0, 70.0, 60.0, 50.0],
            "loyalty_spend": [10.0, float("nan"), float("nan"), float("nan"), 40.0],
            "reason_1": "days_since_last",
            "reason_1_value": 122.0,
            "reason_1_usual": 40.0,
            "reason_1_typical": 61.0,
            "reason_1_shap": 0.4,
            "reason_1_text": "written in the language of the scores",
            "reason_2": "amount_sum_90d",
            "reason_2_value": float("nan"),
            "reason_2_shap": -0.2,
            "reason_2_text": None,
        }
    ).to_parquet(out / "scores.parquet", index=False)
    return out


def test_english_headlines_carry_the_numbers(five):
    text = Page(unchanged_page_of(five)).text
    # Mean risk 1.5 / 5; money at risk .1 + .4 + .9 + 1.6 + 2.5 = 5.5 billion of 15; of the last two, 4.1.
    assert "Cutoff 1 Nov 2026 5 clients horizon 90 days" in text
    assert "from 1 Nov 2026 to 29 Jan 2027" in text
    assert "Expected churn 30.0% about 2 of 5 clients with no purchase in the next 90 days" in text
    assert "₩5.5 B 90% range ₩4 B to ₩7 B; 37% of the spend of the past 365 days" in text
    assert (
        "₩5.5 B of a year's spend is at risk (90% range ₩4 B to ₩7 B): about 2 of 5 clients are expected to leave"
        in text
    )
    assert "Expected spend ₩5 M in the next 90 days; 90% range ₩4 M to ₩6.5 M" in text
    assert "Of 1 client (20%) too little is known for numbers of their own: they bought on fewer than two days" in text
    assert "That is 2.9× as many as by chance." in text
    assert "Calling the riskiest 20% reaches 58% of leavers" in text
    assert "One back-test, so no band." in text
    assert "2 top clients are in the highest band of risk; about 1 of them are expected to leave" in text
    assert "Top over ₩1.5 M" in text
    assert "Solid to ₩1.5 M" in text
    assert "Low to 15% Medium to 35% High over 35%" in text
    assert "75% of the money at risk lies with one segment: top clients, high risk" in text
    assert "Top clients, high risk 2 45% ₩4.1 B ₩3 B to ₩5.2 B 75%" in text
    assert "Top clients, high risk 2 Premium service, and a senior contact" in text
    assert "All clients 5 30% ₩5.5 B ₩4 B to ₩7 B" in text
    assert "Of the top clients 1 slid to a higher risk in 30 days; 1 moved to a lower one" in text
    assert "on 2 Oct 2026 and on 1 Nov 2026" in text
    assert "Top clients, high risk 0 2 2 0" in text  # before, now, came in, went out
    assert "Small clients, low risk 4 1 1 4" in text
    assert "From To Clients Money at risk Top clients, low risk Top clients, high risk 1 ₩3 B" in text
    assert "new Top clients, high risk 1 ₩2 B" in text
    assert "Small clients, low risk gone 4 ₩50 M" in text
    assert "1 strong client is cooling off or has gone quiet" in text
    assert "Champions 5 4 −1 ₩11 B" in text
    # (90 + 70 + 69.9 + 20 + .1) / 5; 70 and 90 are 70 or more.
    assert "The loyalty score is 50 of 100 on average; 40% of clients score 70 or more" in text
    assert "On 2 Oct 2026: 51.2" in text
    assert "Probability of staying 70" in text
    assert "Share and breadth of spend 25" in text
    assert "left out of the score: Regularity, Price independence, Engagement and advocacy, Satisfaction." in text
    assert "88% of clients spent what their 90% range said" in text  # (30 × .9 + 10 × .8) / 40
    assert "1 May 2026 30 90.0% ₩6 M ₩4 M to ₩9 M ₩7 M" in text
    assert "1 Aug 2026 10 80.0% – – ₩1 M" in text
    assert "e little history 50%" in text
    assert "₩1 M ₩0 to ₩9 M" in text
    assert "These 5 clients hold 100% of all money at risk: ₩5.5 B" in text
    assert "LightGBM ranks leavers better than BTYD: AUC 0.81 against 0.75" in text
    assert "122 days since the last purchase; usually buys every 40 days (goes with higher risk)" in text
    assert "Net spend in the last 90 days: not known (goes with lower risk)" in text


def test_korean_headlines_carry_the_numbers(five):
    text = Page(unchanged_page_of(five, "ko")).text
    assert "기준일 2026년 11월 1일 대상 고객 5명 예측 기간 90일" in text
    assert "2026년 11월 1일부터 2027년 1월 29일까지 구매가 없으면 이탈로 봅니다." in text
    assert "예상 이탈률 30.0% 5명 중 약 2명, 향후 90일간 구매 없음" in text
    assert "위험 금액 55억 원" in text
    assert "위험 상위 20%에 연락하면 이탈 고객의 58%를 찾습니다" in text
    assert "55억 원 90% 범위 40억 원~70억 원, 최근 365일 구매액의 37%" in text
    assert "1년 구매액 중 55억 원(90% 범위 40억 원~70억 원)이 위험합니다" in text
    assert "예상 구매액 500만 원 향후 90일, 90% 범위 400만 원~650만 원" in text
    assert "고객 1명(20%)은 구매일이 이틀 미만이어서" in text
    assert "최상위 고객 2명이 위험 상위 구간에 속하며, 그중 약 1명이 이탈할 것으로 예상됩니다" in text
    assert "위험 금액의 75%가 한 구간에 있습니다: 최상위 고객(고위험)" in text
    assert "최근 30일 동안 최상위 고객 중 1명의 위험이 높아졌고 1명은 낮아졌습니다" in text
    assert "소액 고객(저위험) 이탈 4 5,000만 원" in text
    assert "우수 고객 1명이 뜸해졌거나 구매가 끊겼습니다" in text
    assert "충성도 점수는 평균 100점 만점에 50점이며, 70점 이상 고객은 40%입니다" in text
    assert "점수에서 제외한 항목: 구매 규칙성, 가격 독립성, 참여와 추천, 만족도." in text
    assert "고객의 88%는 실제 구매액이 개별 90% 범위 안에 들었습니다" in text
    assert "e 이력 부족 50%" in text
    assert "‘마지막 구매 후 일수’가 예측을 가장 크게 움직입니다: 평균 9.1%p" in text
    assert "아래 고객 5명이 전체 위험 금액의 100%인 55억 원을 차지합니다" in text
    assert "마지막 구매 후 122일이 지났습니다(평소 구매 간격 40일) (높은 위험과 함께 나타남)" in text
    assert "최근 90일 순구매액은 알 수 없습니다 (낮은 위험과 함께 나타남)" in text
    assert "language of the scores" not in text


def test_contracts_end_where_purchases_stop(folder, tmp_path):
    out = make_run_folder(tmp_path, clients=30, kind="contractual", gap_days=7, **NO_CURVES)
    english, korean = (Page(page_of(out, language)).text for language in LANGUAGES)
    assert "contract ends between 17 Dec 2011 and 15 Mar 2012" in english
    assert "no purchase" not in english
    assert "계약이 종료되면 이탈로 봅니다" in korean
    assert "gap 7 days" in english
    assert "유예 기간 7일" in korean


@pytest.mark.parametrize(
    ("kind", "english", "korean"),
    [
        (
            "non-contractual",
            "from 1 Aug 2010 to 29 Oct 2010, 46% bought again within the year.",
            "10월 29일까지 구매가 없어 이탈한 고객 200명 중 46%가 1년 안에 다시 구매했습니다.",
        ),
        (
            "contractual",
            "between 1 Aug 2010 and 29 Oct 2010, 46% had a contract again a year later.",
            "10월 29일 사이에 계약이 종료된 고객 200명 중 46%가 1년 뒤에는 다시 계약 중이었습니다.",
        ),
    ],
)
def test_how_many_come_back_is_said_beside_what_leaving_means(tmp_path, kind, english, korean):
    back = {"since": "2010-08-01", "left": 200, "share": 0.46}
    out = make_run_folder(tmp_path, clients=30, kind=kind, came_back=back, **NO_CURVES)
    left = "Of 200 clients who left in this sense "
    for language, words in zip(LANGUAGES, (left + english, f"2010년 8월 1일부터 2010년 {korean}"), strict=True):
        assert words in Page(page_of(out, language)).text


def long_run(value: float | None, staying: tuple[tuple[int, float], ...] = (), **terms: float) -> dict[str, Any]:
    shares = [{"days": days, "share": share} for days, share in staying]
    return {"years": 3.0, "discount_rate": 0.1, "margin": 1.0, "value": value, "staying": shares} | terms


@pytest.mark.parametrize(
    ("terms", "english", "korean"),
    [
        (
            {},
            "Over the next 3 years these clients will be worth £1.23 M at today's pace, net spend discounted at 10% a",
            "향후 3년 가치는 123만 파운드입니다(순구매액, 연 할인율 10%를 적용한 현재가치, 신규 고객 제외)",
        ),
        (
            {"years": 1.0, "discount_rate": 0.085},
            "Over the next year these clients will be worth £1.23 M at today's pace, net spend discounted at 8.5% a",
            "향후 1년 가치는 123만 파운드입니다(순구매액, 연 할인율 8.5%를 적용한 현재가치, 신규 고객 제외)",
        ),
        (
            {"years": 2.5, "margin": 0.3},
            "Over the next 2.5 years these clients will be worth £1.23 M at today's pace, 30% of net spend discounted",
            "향후 2.5년 가치는 123만 파운드입니다(순구매액의 30%, 연 할인율 10%를 적용한 현재가치, 신규 고객 제외)",
        ),
        ({"years": 0.25}, "Over the next 0.25 years these clients", "향후 0.25년 가치는"),
    ],
)
def test_what_clients_are_worth_in_the_long_run_and_on_which_terms(tmp_path, terms, english, korean):
    out = make_run_folder(tmp_path, clients=30, long_run=long_run(1_234_567.0, **terms), **NO_CURVES)
    assert english in Page(page_of(out)).text
    assert korean in Page(page_of(out, "ko")).text


def test_a_long_run_value_that_is_not_known_is_not_told(tmp_path):
    for name, given in (("none", long_run(None)), ("older", None)):
        text = Page(page_of(make_run_folder(tmp_path / name, clients=30, long_run=given, **NO_CURVES))).text
        assert "at today's pace" not in text
        assert "in force" not in text


def test_how_many_contracts_are_there_a_year_on_as_far_as_it_is_known(tmp_path):
    staying = ((90, 0.981), (180, 0.954), (270, 0.916), (360, 0.872), (450, 0.8))
    given = long_run(1e6, staying)
    out = make_run_folder(tmp_path, clients=30, kind="contractual", long_run=given, **NO_CURVES)
    assert "87% of the contracts are expected to be in force 360 days from now." in Page(page_of(out)).text
    assert "360일 뒤에도 계약의 87%가 유효할 것으로 예상됩니다" in Page(page_of(out, "ko")).text


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_words_claim_a_cause(folder, language):
    text = Page(unchanged_page_of(folder, language)).text.lower()
    assert not re.search(r"because|due to|leads to|results in|prevents|때문에|유발|초래", text)


def test_both_languages_have_every_word_with_the_same_gaps():
    for key, pair in WORDS.items():
        gaps = [{name for _, name, _, _ in string.Formatter().parse(words) if name} for words in pair]
        assert all(pair) or key == "notes.language", key
        assert gaps[0] == gaps[1], key
    assert all(
        re.search("[가-힣]", korean) for key, (_, korean) in WORDS.items() if re.search("headline|sub|advice", key)
    )


@pytest.mark.parametrize(
    ("language", "currency", "amount", "expected"),
    [
        ("en", "KRW", 3_890_000_000, "₩3.89 B"),
        ("en", "GBP", 842_300, "£842,300"),
        ("en", "GBP", 11.471, "£11.47"),
        ("en", "GBP", 99.999, "£100"),
        ("en", "GBP", 999_999.7, "£1 M"),
        ("en", "USD", 999_999_999, "$1 B"),
        ("en", "GBP", -0.001, "£0.00"),
        ("en", "EUR", -1500, "−€1,500"),
        ("en", "CHF", 1500, "CHF 1,500"),
        ("en", None, 1234.5, "1,234"),
        ("en", None, float("nan"), "–"),
        ("en", "KRW", 0, "₩0"),
        ("ko", "KRW", 3_890_000_000, "38.9억 원"),
        ("ko", "KRW", 842_300, "842,300원"),
        ("ko", "KRW", 12_340_000, "1,234만 원"),
        ("ko", "KRW", 1.23e12, "1.23조 원"),
        ("ko", "USD", 1_234_567, "123만 달러"),
        ("ko", None, 2e8, "2억"),
        ("ko", "CHF", 50, "50 CHF"),
    ],
)
def test_money_in_the_manner_of_each_language(language, currency, amount, expected):
    assert Speech(language, currency=currency).money(amount).replace("\u00a0", " ") == expected


@pytest.mark.parametrize(
    ("currency", "lower", "upper", "english", "korean"),
    [
        ("GBP", 550_308, 1.95e6, "£0.55 M to £1.95 M", "55만 파운드~195만 파운드"),
        ("KRW", 55_000_000, 195_000_000, "₩55 M to ₩195 M", "0.55억 원~1.95억 원"),
        ("GBP", 550_308, 12.34e6, "£0.55 M to £12.3 M", "55만 파운드~1,234만 파운드"),
        ("GBP", 12_345, 1.95e6, "£0.012 M to £1.95 M", "1.23만 파운드~195만 파운드"),
        ("GBP", 0, 1.95e6, "£0 to £1.95 M", "0파운드~195만 파운드"),
        ("GBP", 3, 1.95e6, "£0 to £1.95 M", "0파운드~195만 파운드"),
        ("GBP", 999_900, 1.2e6, "£1 M to £1.2 M", "100만 파운드~120만 파운드"),
        ("GBP", 999_000, 1.001e6, "£0.999 M to £1.001 M", "99.9만 파운드~100만 파운드"),
        ("GBP", 96.4, 842_300, "£96.40 to £842,300", "96.40파운드~842,300파운드"),
        ("GBP", 1.95e6, 1.95e6, "£1.95 M to £1.95 M", "195만 파운드~195만 파운드"),
        ("GBP", -1.95e6, -550_308, "−£1.95 M to −£0.55 M", "−195만 파운드 ~ −55만 파운드"),
        ("KRW", -50_000, 20_000, "−₩50,000 to ₩20,000", "−50,000원 ~ 20,000원"),
    ],
)
def test_the_ends_of_a_range_of_money_are_in_one_scale(currency, lower, upper, english, korean):
    told = [range_of(lower, upper, Speech(language, currency=currency)) for language in LANGUAGES]
    assert [one.replace("\u00a0", " ") for one in told] == [english, korean]


def test_every_range_of_money_on_the_page_is_in_one_scale(tmp_path):
    total = [{"segment": "all", "clients": 30, "expected": 1e6, "lower": 550_308.0, "upper": 1.95e6}]
    compared = [
        {"baseline": "naive", "metric": "mae", "cutoff": None, "better": "lower"}
        | {"difference": -9e5, "lower": -1.95e6, "upper": -550_308.0}
    ]
    out = make_run_folder(
        tmp_path,
        clients=30,
        totals={"expected_value": total, "value_at_risk": total},
        comparison=compared,
        intervals=[{"cutoff": "2011-09-01", "coverage": 0.9, "clients": 30, "value": 1e6, "expected": 1e6}
                   | {"lower": 550_308.0, "upper": 1.95e6}],
        **NO_CURVES,
    )  # fmt: skip
    english, korean = (Page(page_of(out, language)).text.replace("\u00a0", " ") for language in LANGUAGES)
    assert english.count("£0.55 M to £1.95 M") == 5  # lead, two tiles, all segments, back-test
    assert "better: −£900,000 (−£1.95 M to −£0.55 M)" in english
    assert "£550,308" not in english
    assert korean.count("55만 파운드~195만 파운드") == 5
    assert "(−195만 파운드 ~ −55만 파운드)" in korean


def test_signs_stand_apart_from_the_tilde():
    assert [signed_range(*ends, Speech("ko")) for ends in ((-5, -2), (-1, 2), (0, 2))] == [
        "−5.0 ~ −2.0", "−1.0 ~ +2.0", "0.0 ~ +2.0",
    ]  # fmt: skip
    assert signed_range(-5, -2, Speech("en")) == "−5.0 to −2.0"


@pytest.mark.parametrize(
    ("risk", "said"),
    [
        ((0.0072, 0.0074), "Low to 0.72% Medium to 0.74% High over 0.74%"),
        ((0.352, 0.354), "Low to 35.2% Medium to 35.4% High over 35.4%"),
        ((0.0001, 0.0003), "Low to 0.01% Medium to 0.03% High over 0.03%"),
        ((0.0072, 0.35), "Low to 0.7% Medium to 35% High over 35%"),
        ((0.35, 0.35 + 1e-9), "Low to 35% Medium to 35% High over 35%"),
        ((0.2, 0.2), "Low to 20% Medium to 20% High over 20%"),
    ],
)
def test_cut_points_of_risk_are_told_apart_by_a_few_digits(tmp_path, risk, said):
    cuts = {"value_risk": {"value": [1e6, 2e6], "risk": risk}}
    assert said in Page(page_of(make_run_folder(tmp_path, clients=20, yardsticks=cuts, **NO_CURVES))).text


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ((1.5e6, 1.504e6), ("£1.504 M", "£1.5 M")),
        ((550.2, 550.4), ("£550.40", "£550.20")),
        ((550_308, 1.95e6), ("£1.95 M", "£550,308")),  # not ends of one range: each as exact as it is
    ],
)
def test_cut_points_of_money_are_told_apart(tmp_path, value, said):
    cuts = {"value_risk": {"value": value, "risk": [0.1, 0.2]}}
    text = Page(page_of(make_run_folder(tmp_path, clients=20, yardsticks=cuts, **NO_CURVES))).text
    text = text.replace("\u00a0", " ")
    assert f"Top over {said[0]}" in text
    assert f"Solid to {said[0]}" in text
    assert f"Small to {said[1]}" in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("일수[이/가]", "일수가"),
        ("구매액[이/가]", "구매액이"),
        ("20[을/를]", "20을"),
        ("5[을/를]", "5를"),
        ("1.9%p[을/를]", "1.9%p를"),
        ("횟수(90일)[은/는]", "횟수(90일)는"),
        ("‘금액’[과/와]", "‘금액’과"),
        ("AUC[은/는]", "AUC는"),
        ("URL[은/는]", "URL은"),
        ("visits_90d[은/는]", "visits_90d은(는)"),
        ("[이/가]", "이(가)"),
        ("(전체)[이/가]", "(전체)가"),
        ("GBP 7[을/를]", "GBP 7을"),
    ],
)
def test_particles_follow_the_word_before(text, expected):
    assert fit_particles(text) == expected


def test_a_consonant_is_told_from_the_jamo():
    assert [ends_in_consonant(word) for word in ("가", "각", "힣", "하", "")] == [False, True, True, False, None]


def test_numbers_in_the_units_of_features():
    english, korean = Speech("en", currency="GBP"), Speech("ko", currency="GBP")
    assert [
        english.value(*pair).replace("\u00a0", " ")
        for pair in (
            (1, "days"), (2, "days"), (9.96, "days"), (2.44, "days"), (62.6, "days"), (0.256, "share"),
            (0.0049, "share"), (2.345, "ratio"), (0.987, "ratio"), (12.34, "count"), (0.00123, "count"),
            (-3, "count"), (-0.001, "ratio"),
        )
    ] == [
        "1 day", "2 days", "10 days", "2.4 days", "63 days", "26%", "0.5%",
        "2.35", "0.99", "12.3", "0.0012", "−3", "−0.001",
    ]  # fmt: skip
    assert [korean.value(*pair) for pair in ((122, "days"), (3, "count"), (1234, "money"))] == [
        "122일",
        "3",
        "1,234파운드",
    ]
    assert Speech("ko", currency="£").money(1234) == "1,234파운드"


def test_a_feature_that_is_not_in_the_catalogue_is_told_as_the_scores_have_it_else_by_its_name():
    client = {
        "reason_1": "new_thing",
        "reason_1_value": 2.0,
        "reason_1_shap": 0.1,
        "reason_2": None,
        "reason_3": float("nan"),
    }
    assert reasons_of(client, speech=Speech("ko")) == [{"text": "new_thing: 2", "direction": "up"}]
    told = reasons_of(client | {"reason_1_text": "Two new things.", "reason_1_shap": float("nan")}, speech=Speech("ko"))
    assert told == [{"text": "Two new things.", "direction": "down"}]
