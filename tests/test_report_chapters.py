"""What the chapters on why, what to do and trust say of what a run keeps: sign, number and unit in both languages."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from loyalty.report import write_report
from loyalty.report.clients import first_calls
from report_fixture import NEWER, make_run_folder
from report_page import NO_CURVES, Page, page_of, rewrite_scores, unchanged_page_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run_folder(tmp_path_factory.mktemp("run"), clients=300, **NO_CURVES)


def text_of(out: Path, language: Any = "en") -> str:
    return Page(unchanged_page_of(out, language)).text.replace("\u00a0", " ")


# -- Why -------------------------------------------------------------------------------------------------------------


def test_drivers_are_rolled_up_to_themes(folder):
    english, korean = text_of(folder), text_of(folder, "ko")
    assert "“Rhythm of buying” goes with the risk most: it moves the prediction by 9.4 points on average" in english
    assert "Rhythm of buying 9.4 8.5 to 11.3 75% 2" in english  # 0.9 and 1.2 times 9.4
    assert "Season 0.8 0.7 to 1.0 0% 1" in english
    assert "82% of what moves the prediction is of a kind that the company can act upon, first of all: days" in english
    assert "위험과 가장 강하게 함께 나타나는 주제는 ‘구매 주기’입니다: 예측을 평균 9.4%p 움직입니다" in korean
    assert (
        "예측을 움직이는 것의 82%는 회사가 손쓸 수 있는 종류이며, 그중 가장 큰 것은 ‘마지막 구매 후 일수’입니다."
        in korean
    )


def test_the_part_that_can_be_acted_upon_and_the_interval_are_drawn_to_scale(folder):
    html = unchanged_page_of(folder)
    bars = re.findall(
        r'upto w(\d+)"><span class="bar cannot w(\d+)"><span class="piece can w(\d+)">.*?line w(\d+)"', html
    )
    # The longest line ends at 11.28, where the room ends. Of every line's end the bar is 1 / 1.2, and from 0.9 to 1.2
    # is a quarter.
    assert bars == [
        ("100", "83", "75", "25"),
        (f"{100 * 4.1 / 9.4:.0f}", "83", "100", "25"),
        (f"{100 * 0.8 / 9.4:.0f}", "83", "0", "25"),
    ]


def test_the_worst_step_says_how_steady_the_drivers_are(folder, tmp_path):
    assert "The drivers shift: over 3 cutoffs, at times only 71% of their strength stayed where it was." in text_of(
        folder
    )
    assert "특징이 바뀌는 편입니다. 기준일 3개에 걸쳐 강도의 71%만 그대로인 때가 있었습니다." in text_of(folder, "ko")
    out = make_run_folder(tmp_path, clients=20, driver_stability=NEWER["driver_stability"][:1], **NO_CURVES)
    assert "The drivers are steady: over 2 cutoffs, at least 88% of their strength" in Page(page_of(out)).text


def test_segments_in_which_something_else_comes_first(folder, tmp_path):
    english = text_of(folder)
    assert "In 1 of 2 segments something else comes first" in english
    assert "Top clients, low risk share of spend refunded (8.0 pp) days since the last purchase (3.0 pp)" in english
    assert "Small clients, low risk days since" not in english
    assert "구간 2개 중 1개에서는 다른 특징이 가장 큽니다" in text_of(folder, "ko")
    out = make_run_folder(tmp_path, clients=20, drivers_by_segment=NEWER["drivers_by_segment"][2:], **NO_CURVES)
    assert (
        "In all segments told of, the same driver comes first: days since the last purchase." in Page(page_of(out)).text
    )


def test_what_changed_has_its_sign(folder):
    english, korean = text_of(folder), text_of(folder, "ko")
    assert "Since 10 Nov 2011 the mean risk fell by 1.2 points, from 32.1% to 30.9%" in english
    assert (
        "Clients who were here both times moved it by +1.9 pp, the 100 clients who came in by −1.0 pp, and the "
        "60 clients who went out by −2.1 pp." in english
    )
    assert "Rhythm of buying +2.4 +2.1 to +2.7" in english
    assert "Spend −0.5 −0.8 to −0.2" in english
    assert "Season 0.0 −0.3 to +0.3" in english
    assert "2011년 11월 10일 이후 평균 위험이 32.1%에서 30.9%로 1.2%p 낮아졌습니다" in korean
    assert "고객 100명의 유입이 −1.0%p, 고객 60명의 유출이 −2.1%p만큼 평균 위험을 움직였습니다." in korean


@pytest.mark.parametrize(
    ("after", "said"), [(33.0, "rose by 0.9 points, from 32.1% to 33.0%"), (32.12, "has stayed at 32.1%")]
)
def test_a_rise_is_told_from_a_fall(tmp_path, after, said):
    every = {"standing": "all", "clients": 60, "before_pp": 32.1, "after_pp": after, "effect_pp": after - 32.1}
    changed = NEWER["changed"] | {"composition": [every]}
    text = Page(page_of(make_run_folder(tmp_path, clients=20, changed=changed, **NO_CURVES))).text
    assert f"Since 10 Nov 2011 the mean risk {said}" in text.replace("\u00a0", " ")
    assert "who came in by" not in text


@pytest.mark.parametrize(
    ("came", "left", "english", "korean"),
    [
        (100, 0, "by +1.9 pp, and the 100 clients who came in by −1.0 pp.", "고객 100명의 유입이 −1.0%p만큼 평균"),
        (0, 60, "by +1.9 pp, and the 60 clients who went out by −2.1 pp.", "고객 60명의 유출이 −2.1%p만큼 평균"),
        (0, 0, "", ""),
    ],
)
def test_nobody_neither_comes_nor_goes_by_anything(tmp_path, came, left, english, korean):
    counts = {"new": came, "gone": left}
    told = [one | {"clients": counts.get(one["standing"], 900)} for one in NEWER["changed"]["composition"]]
    changed = NEWER["changed"] | {"composition": told}
    out = make_run_folder(tmp_path, clients=20, changed=changed, **NO_CURVES)
    for language, words, both in (
        ("en", english, "Clients who were here"),
        ("ko", korean, "두 시점에 모두 있던 고객이"),
    ):
        text = Page(page_of(out, language)).text.replace("\u00a0", " ")
        assert words in text
        assert (both in text) is bool(words)


def test_the_voice_of_clients(folder):
    english, korean = text_of(folder), text_of(folder, "ko")
    assert "44 clients wrote about “late, parcel”; £12,345 is at risk with them" in english
    assert "late, parcel 44 22% −3.1 pp 12 41% +11.0 pp (+2.0 to +20.0) £12,345" in english
    assert "lovely, colour 44 22% – – – – –" in english
    assert "The parcel of [number] came late." in english
    assert "‘late, parcel’에 대해 고객 44명이 글을 남겼고, 이들의 위험 금액은 12,345파운드입니다" in korean


# -- What to do ------------------------------------------------------------------------------------------------------


def test_alerts_say_whom_how_much_how_long_and_what_to_do(folder):
    english, korean = text_of(folder), text_of(folder, "ko")
    assert "43 clients wait for the company to act; 5% of the money at risk is theirs" in english
    assert (
        "Feedback without an answer 31 clients £5,432 at risk, 4% of all Wrote feedback or a complaint and got no "
        "reply within 5 days. Half of them have waited for 44 days or more; the longest for 301 days. What to do "
        "Answer, the oldest first, by a person who can decide." in english
    )
    assert "Too many promotions 0 clients Got 4 offers or more in 30 days and took none. What to do Pause" in english
    assert "회사의 조치를 기다리는 고객은 43명이며, 위험 금액의 5%를 차지합니다" in korean
    assert "답변받지 못한 의견 31명 위험 금액 5,432파운드, 전체의 4%" in korean


@pytest.mark.parametrize(
    ("columns", "english", "korean"),
    [
        (
            {},
            "The data hold no messages of clients (table contacts). The data hold no offers (table offers).",
            "고객 문의 기록이 없습니다(contacts 표). 혜택 제안 기록이 없습니다(offers 표).",
        ),
        (
            {"contacts": "client_id, event_time, kind"},
            "The messages do not say when they were answered (column contacts.replied_at). The data hold no offers",
            "문의 기록에 답변 시점이 없습니다(contacts.replied_at 열). 혜택 제안 기록이 없습니다(offers 표).",
        ),
        (
            {"contacts": "client_id, event_time, replied_at", "offers": "client_id, event_time"},
            "The messages do not say what kind they are (column contacts.kind). The offers do not say when they were "
            "taken (column offers.redeemed_at).",
            "문의 기록에 문의 종류가 없습니다(contacts.kind 열). 혜택 제안 기록에 사용 시점이 없습니다"
            "(offers.redeemed_at 열).",
        ),
    ],
)
def test_where_nobody_can_be_listed_what_the_data_lack_is_said(tmp_path, columns, english, korean):
    facts = NEWER["data"] + [NEWER["data"][0] | {"table": table, "columns": has} for table, has in columns.items()]
    out = make_run_folder(tmp_path, clients=40, alerts=None, data=facts, **NO_CURVES)
    told, said = text_of(out), text_of(out, "ko")
    assert f"This run does not tell which clients wait for the company to act {english}" in told
    assert f"이번 실행으로는 회사의 조치를 기다리는 고객을 알 수 없습니다 {korean}" in said
    assert ("hold no messages" in told) == ("contacts" not in columns)


def test_of_alerts_that_could_be_looked_for_only_those_are_told(tmp_path):
    kinds = [one | {"clients": 0} for one in NEWER["alerts"]["kinds"] if one["kind"] in ("promotion_fatigue", "any")]
    out = make_run_folder(tmp_path, clients=40, alerts=NEWER["alerts"] | {"kinds": kinds}, **NO_CURVES)
    told = text_of(out)
    assert "As far as the data tell, no client waits for the company to act" in told
    assert "it is owed anyway. The data hold no messages of clients (table contacts). Too many promotions" in told
    assert "no offers" not in told


def test_whom_to_call_first_and_what_it_would_return_are_added_up_client_by_client(folder):
    text, scores = text_of(folder), pd.read_parquet(folder / "scores.parquet")
    line = sorted(zip(scores["value_at_risk"], scores["churn_probability"], strict=True), reverse=True)
    every = sum(money for money, _ in line)
    for count, name in ((15, "First 5% (15)"), (30, "First 10% (30)"), (50, "First 50"), (100, "First 100")):
        money = leavers = 0.0
        for amount, risk in line[:count]:
            money, leavers = money + amount, leavers + risk
        assert f"{name} £{money:,.0f} {money / every:.0%} {leavers:.0f}" in text
        costs = [
            f"£{cost:,.0f}" if cost >= 99.995 else f"£{cost:,.2f}" for cost in (money / n / count for n in (50, 20, 10))
        ]
        assert f"{name} {' '.join(costs)}" in text
    assert f"The first 100 clients by money at risk hold {money / every:.0%} of it: £{money:,.0f}" in text
    cost = money / 20 / 100
    assert (
        f"If a contact keeps one in twenty of those who would leave, calling the first 100 keeps £{money / 20:,.0f}; a "
        f"contact pays while it costs less than £{cost:,.2f}" in text
    )
    assert "One in twenty is an assumption and not measured in this run" in text
    korean = text_of(folder, "ko")
    assert f"연락으로 이탈할 고객 20명 중 1명을 지킨다면 처음 100명에서 {money / 20:,.0f}파운드를 지키며" in korean
    assert "측정한 값이 아니라 가정이며" in korean


def test_a_margin_is_what_is_kept_of_spend(folder, tmp_path):
    terms = {"years": 3.0, "discount_rate": 0.1, "margin": 0.3, "value": 1e6, "staying": []}
    out = make_run_folder(tmp_path, clients=120, long_run=terms, **NO_CURVES)
    rewrite_scores(out, value_at_risk=200.0)
    text = Page(page_of(out)).text
    # Of a hundred at 200 each a twentieth is 1,000, and 30 % of that 300: 3 for each contact.
    assert "calling the first 100 keeps £300; a contact pays while it costs less than £3" in text
    assert "Money is the margin, 30% of the spend of a year" in text


def test_a_share_that_is_nearly_a_number_asked_for_is_left_out():
    scores = pd.DataFrame({"churn_probability": 0.5, "value_at_risk": 1.0}, index=range(1000))
    assert first_calls(scores)["clients"].tolist() == [50, 100]
    assert first_calls(scores.head(480))["clients"].tolist() == [24, 50, 100]
    assert first_calls(scores.assign(value_at_risk=0.0)).empty


# -- Trust -----------------------------------------------------------------------------------------------------------


def judged(*left: int, auc: float = 0.49) -> list[dict[str, Any]]:
    """Figures of two models at cutoffs of 800 clients, of whom so many left."""
    return [
        {"model": model, "cutoff": f"2011-0{month}-01", "metric": metric, "value": value}
        for month, leavers in enumerate(left, start=1)
        for model, ours in (("naive", 0.6), ("lightgbm", auc))
        for metric, value in (("clients", 800), ("churn_rate", leavers / 800), ("auc", ours))
    ]


@pytest.mark.parametrize(
    ("left", "few"), [((2, 1, 197, 4), 3), ((19,), 1), ((20,), 0), ((19, 20), 0), ((0, 19, 20), 2)]
)
def test_where_few_left_nothing_is_said_of_how_they_are_ranked(tmp_path, left, few):
    out = make_run_folder(tmp_path, clients=40, backtest=judged(*left), **NO_CURVES)
    ranked = "LightGBM ranks leavers worse than Naive: AUC 0.49 against 0.60" in text_of(out)
    assert ranked == (few == 0)
    times = "back-test" if len(left) == 1 else "back-tests"
    said = (
        f"Fewer than 20 clients left in {few} of {len(left)} {times}: too few to tell which model ranks leavers better"
    )
    assert (said in text_of(out)) == (few > 0)
    korean = f"백테스트 {len(left)}회 중 {few}회에서 이탈 고객이 20명 미만이어서 어느 모형이"
    assert (korean in text_of(out, "ko")) == (few > 0)


def test_differences_from_the_baselines_are_told_in_words(folder):
    text = text_of(folder)
    assert "Better than BTYD by more than chance in 2 of 3 measures, and worse in 1" in text
    assert "Brier score of the probability better: −0.060 (−0.080 to −0.040) worse: +0.050 (+0.030 to +0.070)" in text
    assert "no clear difference: +£0.01 (−£0.01 to +£0.03) better: −£0.50 (−£0.52 to −£0.48)" in text
    korean = text_of(folder, "ko")
    assert "지표 3개 중 2개에서 BTYD보다 우연 이상으로 좋고, 1개에서 나쁩니다" in korean


def test_groups_are_told_too_high_or_too_low(folder):
    text = text_of(folder)
    assert (
        "Of 3 groups, risk was told too high for 1 and too low for 1; by 6.1 points at most (History: little)" in text
    )
    assert "History: enough 420 31% +0.4 (−1.0 to +2.0) within chance" in text
    assert "History: little 420 31% −6.1 (−9.0 to −3.0) told too low" in text
    assert "Region: north 420 31% +3.5 (+1.0 to +6.0) told too high" in text
    assert "isles" not in text
    assert "이력: 부족" in text_of(folder, "ko")


@pytest.mark.parametrize(
    ("expected", "value", "said"),
    [
        (6e5, 5e5, "Last time £600,000 was predicted and £500,000 came: 20% too high"),
        (4e5, 5e5, "Last time £400,000 was predicted and £500,000 came: 20% too low"),
        (5.01e5, 5e5, "Last time £501,000 was predicted and £500,000 came"),
    ],
)
def test_the_last_total_is_held_against_what_came(tmp_path, expected, value, said):
    kept = [
        {
            "cutoff": "2011-06-01",
            "coverage": 0.5,
            "clients": 90,
            "value": 9.0,
            "expected": 5.0,
            "lower": 4.0,
            "upper": 8.0,
        },
        {"cutoff": "2011-09-01", "coverage": 0.9, "clients": 30, "value": value, "expected": expected}
        | {"lower": 1e5, "upper": 9e5},
    ]
    text = Page(page_of(make_run_folder(tmp_path, clients=20, intervals=kept, **NO_CURVES))).text
    assert said in text
    assert "The total came out within its 90% range at 1 of 2 cutoffs." in text
    assert "60% of clients spent what their 90% range said." in text  # (90 × .5 + 30 × .9) / 120


def looked(figure, days, told, came, *, naive=None, clients=60):
    return {"cutoff": "2011-03-01", "clients": clients, "figure": figure, "days": days} | {
        "told": told, "naive": naive, "came": came,
    }  # fmt: skip


class TestHindsight:
    def text(self, tmp_path, *seen, language="en", clients=True):
        out = make_run_folder(tmp_path, clients=60, hindsight=list(seen), **NO_CURVES)
        page = write_report(out, language=language, clients=clients).read_text(encoding="utf-8")
        return Page(page).text

    def test_spend_of_the_longest_time_that_is_over(self, tmp_path):
        seen = looked("value", 90, 4e5, 5e5, naive=3e5), looked("value", 180, 8.4e5, 8e5)
        text = self.text(tmp_path, *seen)
        assert "For 180 days from 1 Mar 2011, £840,000 was predicted and £800,000 came: 5% too high" in text
        assert "Time ahead Spend predicted Naive Spend actual 90 days £400,000 £300,000 £500,000" in text
        assert "180 days £840,000 – £800,000" in text
        stake = (
            "Reckoned in the same way for 180 days from 1 Mar 2011, £840,000 was predicted and £800,000 came: 5% too"
        )
        assert f"{stake} high (chapter 5)." in text
        korean = self.text(tmp_path, *seen, language="ko")
        assert "2011년 3월 1일부터 180일 동안: 예측 840,000파운드, 실제 800,000파운드(5% 높음)" in korean

    def test_contracts_come_first_and_need_not_be_told_of_the_same_days(self, tmp_path):
        text = self.text(
            tmp_path,
            looked("value", 120, 8e5, 8e5),
            looked("staying", 90, 0.91, 0.9),
            looked("staying", 180, 0.84, 0.86),
        )
        assert "Of those under contract on 1 Mar 2011, 84% were expected to be so 180 days later; 86% were" in text
        assert "In force, actual Spend predicted Naive Spend actual 90 days 91.0% – 90.0% – – –" in text
        assert "120 days – – – £800,000 – £800,000" in text

    def test_of_many_lengths_some_are_told_and_the_longest(self, tmp_path):
        text = self.text(tmp_path, *(looked("value", 30 * k, 1e5, 2e5) for k in range(1, 13)))
        told = [days for days in range(30, 361, 30) if f" {days} days £100,000" in text]
        assert told == [60, 120, 180, 240, 300, 360]

    def test_of_few_clients_nothing_is_told_without_clients(self, tmp_path):
        few, many = (looked("value", 90, 4e5, 5e5, clients=clients) for clients in (9, 10))
        assert "Time ahead" in self.text(tmp_path, few)
        assert "Time ahead" not in self.text(tmp_path, few, clients=False)
        assert "Reckoned in the same way" not in self.text(tmp_path, few, clients=False)
        assert "Time ahead" in self.text(tmp_path, many, clients=False)


def test_what_the_data_held(folder):
    assert "purchases 541,909 1 Dec 2010 9 Dec 2011 19,494 34,335 12 days" in text_of(folder)
    assert "purchases 541,909 2010년 12월 1일 2011년 12월 9일 19,494 34,335 12일" in text_of(folder, "ko")


# -- What is at stake ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ends", "english", "korean"),
    [
        ((80.36, 315_255.0), "£80 to £320,000, so the level is uncertain", "80파운드~320,000파운드, 수준이 불확실함"),
        ((0.0, 1234.0), "£0 to £1,200, so the level is uncertain", "0파운드~1,200파운드, 수준이 불확실함"),
        ((1234.0, 12_340.0), "£1,234 to £12,340", "1,234파운드~12,340파운드"),
    ],
)
def test_a_range_of_tenfold_says_that_the_level_is_uncertain(tmp_path, ends, english, korean):
    total = {"segment": "all", "clients": 40, "expected": 5033.0, "lower": ends[0], "upper": ends[1]}
    out = make_run_folder(
        tmp_path, clients=40, totals={"value_at_risk": [total], "expected_value": [total]}, **NO_CURVES
    )
    told, said = text_of(out), text_of(out, "ko")
    assert f"of a year's spend is at risk (90% range {english}): about" in told
    assert f"90% range {english}; " in told
    assert f"in the next 90 days; 90% range {english} " in told
    assert f"(90% 범위 {korean})가 위험합니다" in said
