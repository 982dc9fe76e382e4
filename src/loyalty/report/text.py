"""The words of the managers' page in English and Korean, and how numbers, money and dates are written in each."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from math import floor, isfinite, log10
from typing import Literal, get_args

from loyalty.report.run_folder import Kind

Language = Literal["en", "ko"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

NBSP, MINUS, NONE = "\u00a0", "\u2212", "–"
LONGEST = 120
"""Characters shown of one name from the data; a longer one is cut and says so."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SYMBOLS = {
    "AUD": "A$",
    "BRL": "R$",
    "CAD": "C$",
    "CNY": "CN¥",
    "EUR": "€",
    "GBP": "£",
    "INR": "₹",
    "JPY": "¥",
    "KRW": "₩",
    "USD": "$",
}
_KOREAN_MONEY = {"CNY": "위안", "EUR": "유로", "GBP": "파운드", "JPY": "엔", "KRW": "원", "USD": "달러"}
_NO_CENTS = {"JPY", "KRW"}
_SCALES = {"en": ((1e12, "T"), (1e9, "B"), (1e6, "M")), "ko": ((1e12, "조"), (1e8, "억"), (1e4, "만"))}
_COUNTED = {
    # What a feature counts → English singular and plural, Korean counter.
    "days": ("day", "days", "일"),
    "purchases": ("purchase", "purchases", "회"),
    "orders": ("order", "orders", "건"),
    "products": ("product", "products", "개"),
    "categories": ("category", "categories", "개"),
    "channels": ("channel", "channels", "개"),
    "contacts": ("contact", "contacts", "건"),
    "complaints": ("complaint", "complaints", "건"),
    "offers": ("offer", "offers", "건"),
    "rewards": ("reward", "rewards", "건"),
    "refunds": ("refund", "refunds", "건"),
    "points": ("point", "points", "점"),
    "events": ("event", "events", "회"),
    "visits": ("visit", "visits", "회"),
    "contracts": ("contract", "contracts", "건"),
    "months": ("month", "months", "개월"),
    "years": ("year", "years", "년"),
    "hours": ("hour", "hours", "시간"),
}

# Key → (English, Korean). A key ending in "@contractual" takes its place for contracts; "[이/가]" and its like become
# the particle that fits the word before.
WORDS: dict[str, tuple[str, str]] = {
    "title": ("Client retention and value", "고객 유지와 가치 보고서"),
    "facts.cutoff": ("Cutoff {date}", "기준일 {date}"),
    "facts.clients": ("{clients}", "대상 고객 {clients}"),
    "facts.horizon": ("horizon {days}", "예측 기간 {days}"),
    "facts.gap": ("gap {days}", "유예 기간 {days}"),
    "definition": (
        "A client counts as leaving when no purchase is made from {first} to {last}.",
        "{first}부터 {last}까지 구매가 없으면 이탈로 봅니다.",
    ),
    "definition@contractual": (
        "A client counts as leaving when the contract ends between {first} and {last}.",
        "{first}부터 {last} 사이에 계약이 종료되면 이탈로 봅니다.",
    ),
    "definition.active": (
        "Covered are clients who bought in the {days} before the cutoff.",
        "기준일 이전 {days} 안에 구매한 고객을 대상으로 합니다.",
    ),
    "definition.active@contractual": (
        "Covered are clients with a contract in force who were active in the {days} before the cutoff.",
        "기준일 이전 {days} 안에 활동이 있고 계약이 유효한 고객을 대상으로 합니다.",
    ),
    "definition.value": (
        "Value at risk is a client's churn probability times the spend of the past 365 days.",
        "위험 금액은 고객별 이탈 확률에 최근 365일 구매액을 곱한 값입니다.",
    ),
    "tile.churn": ("Expected churn", "예상 이탈률"),
    "tile.churn.sub": (
        "about {leavers} of {clients} with no purchase in the next {days}",
        "{clients} 중 약 {leavers}명, 향후 {days}간 구매 없음",
    ),
    "tile.churn.sub@contractual": (
        "about {leavers} of {clients} whose contract ends in the next {days}",
        "{clients} 중 약 {leavers}명, 향후 {days} 안에 계약 종료",
    ),
    "tile.value": ("Value at risk", "위험 금액"),
    "tile.value.sub": (
        "sum of risk × spend of the past 365 days, {share} of that spend",
        "이탈 확률 × 최근 365일 구매액의 합계, 구매액의 {share}",
    ),
    "tile.value.none": ("nobody spent anything in the past 365 days", "최근 365일간 구매액이 없습니다"),
    "tile.found": ("Found in top {share}", "상위 {share} 적중"),
    "tile.found.sub": ("of all leavers: {lift}× better than chance", "전체 이탈 고객 중, 무작위의 {lift}배"),
    "tile.found.sub.weak": ("of all leavers: no better than chance", "전체 이탈 고객 중, 무작위와 다르지 않음"),
    "tile.model": ("Model", "모형"),
    "tile.model.value": ("AUC {auc}", "AUC {auc}"),
    "tile.model.sub": ("LightGBM, calibrated; mean of {backtests}", "LightGBM, 보정 완료, {backtests} 평균"),
    "unmeasured": ("not measured in this run", "이번 실행에서 측정하지 않음"),
    "section.where": ("Where to look", "어디를 볼 것인가"),
    "section.why": ("What goes with risk", "위험과 함께 나타나는 특징"),
    "section.who": ("Whom to call first", "누구에게 먼저 연락할 것인가"),
    "section.trust": ("Can this be trusted?", "믿을 수 있는가"),
    "section.run": ("About this run", "이 보고서에 대하여"),
    "gain.headline": (
        "Calling the riskiest {share} reaches {found} of leavers",
        "위험 상위 {share}에 연락하면 이탈 고객의 {found}[을/를] 찾습니다",
    ),
    "gain.headline.none": ("No back-test was run", "백테스트가 없습니다"),
    "gain.sub": (
        "Share of leavers found when clients are contacted from highest to lowest risk. Band: spread over {backtests}.",
        "위험이 높은 순서로 연락할 때 찾아낸 이탈 고객의 누적 비율. 띠는 {backtests}의 범위.",
    ),
    "gain.sub.single": (
        "Share of leavers found when clients are contacted from highest to lowest risk. One back-test, so no band.",
        "위험이 높은 순서로 연락할 때 찾아낸 이탈 고객의 누적 비율. 백테스트가 1회여서 띠가 없습니다.",
    ),
    "gain.x": ("Clients contacted", "연락한 고객"),
    "gain.y": ("Leavers found", "찾은 이탈 고객"),
    "gain.model": ("model", "모형"),
    "gain.chance": ("by chance", "무작위"),
    "gain.low": ("Lowest", "최저"),
    "gain.high": ("Highest", "최고"),
    "gain.alt": (
        "Curve of leavers found against clients contacted: {points}.",
        "연락한 고객 비율에 따른 이탈 고객 발견 비율 곡선: {points}.",
    ),
    "gain.alt.point": ("{found} of leavers at {contacted} of clients", "고객 {contacted}에서 이탈 고객 {found}"),
    "matrix.headline": (
        "{number} valuable clients are at high risk",
        "가치가 높은 고객 {number}명의 이탈 위험이 높습니다",
    ),
    "matrix.headline.one": ("1 valuable client is at high risk", "가치가 높은 고객 1명의 이탈 위험이 높습니다"),
    "matrix.headline.none": ("No valuable client is at high risk", "가치와 이탈 위험이 모두 높은 고객은 없습니다"),
    "matrix.sub": (
        "Clients by churn risk and spend of the past 365 days, each cut into thirds. Below each count: value at risk. "
        "The stronger the colour, the more.",
        "이탈 위험과 최근 365일 구매액을 각각 3등분한 고객 수. 아래 숫자는 위험 금액이며, 색이 강할수록 큽니다.",
    ),
    "matrix.x": ("Churn risk", "이탈 위험"),
    "matrix.y": ("12-month spend", "12개월 구매액"),
    "matrix.alt": ("Grid of clients by spend and churn risk: {cells}.", "구매액과 이탈 위험별 고객 수 표: {cells}."),
    "level.high": ("High", "높음"),
    "level.medium": ("Medium", "중간"),
    "level.low": ("Low", "낮음"),
    "range.high": ("over {low}", "{low} 초과"),
    "range.medium": ("to {high}", "{high} 이하"),
    "range.low": ("to {high}", "{high} 이하"),
    "drivers.headline": (
        "“{driver}” counts most: {effect} on average",
        "‘{driver}’[이/가] 예측을 가장 크게 움직입니다: 평균 {effect}",
    ),
    "drivers.headline.none": ("No drivers were recorded", "기록된 주요 특징이 없습니다"),
    "drivers.sub": (
        "How far each feature moves the predicted risk up or down on average, in percentage points; colour shows "
        "what a high value goes with. These are patterns in the data, not proof of cause.",
        "각 특징이 예측 위험을 평균적으로 얼마나 움직이는지(%p). 색은 값이 클 때의 방향입니다. 데이터에 나타난 "
        "경향이며 인과관계를 뜻하지 않습니다.",
    ),
    "drivers.raises": ("high value goes with higher risk", "값이 크면 위험이 높은 편"),
    "drivers.lowers": ("high value goes with lower risk", "값이 크면 위험이 낮은 편"),
    "drivers.neutral": ("no single direction", "일정한 방향 없음"),
    "drivers.feature": ("Feature", "특징"),
    "drivers.name": ("Column", "열 이름"),
    "drivers.effect": ("Effect, pp", "효과(%p)"),
    "drivers.shap": ("Mean |SHAP|, log-odds", "평균 |SHAP|(로그 오즈)"),
    "drivers.direction": ("High value", "값이 클 때"),
    "drivers.alt": (
        "Bars of the features that move the predicted risk: {bars}.",
        "예측 위험을 움직이는 특징 막대: {bars}.",
    ),
    "segments.headline": (
        "{share} of the value at risk lies with one segment: {risk} risk, {value} spend",
        "위험 금액의 {share}[이/가] 한 구간에 있습니다: 이탈 위험 {risk} · 구매액 {value}",
    ),
    "segments.headline.none": ("There is no value at risk", "위험 금액이 없습니다"),
    "segments.sub": (
        "Advice is a rule of thumb, not a measured effect: try it on part of a segment and compare with the rest.",
        "권장 행동은 효과가 측정된 것이 아닌 일반적인 지침입니다. 일부 고객에게 먼저 시행해 나머지와 비교하세요.",
    ),
    "segments.segment": ("Segment", "구간"),
    "segments.clients": ("Clients", "고객 수"),
    "segments.risk": ("Mean risk", "평균 위험"),
    "segments.value": ("Value at risk", "위험 금액"),
    "segments.share": ("Share", "비중"),
    "segments.advice": ("Advice", "권장 행동"),
    "segments.name": ("{risk} risk · {value} spend", "이탈 위험 {risk} · 구매액 {value}"),
    "advice.high.high": ("Call in person within 7 days", "7일 안에 담당자가 직접 전화"),
    "advice.high.high@contractual": ("Talk about renewal within 7 days", "7일 안에 담당자가 갱신 상담"),
    "advice.high.medium": ("Personal message or a tested offer", "개인 메시지 또는 검증된 혜택 제안"),
    "advice.high.low": ("Automatic reminder at most", "자동 알림 정도로 충분"),
    "advice.medium.high": ("Ask how things are going this month", "이번 달 안에 안부와 불편 사항 확인"),
    "advice.medium.medium": ("Include in the next campaign", "다음 캠페인에 포함"),
    "advice.medium.low": ("Watch", "관찰"),
    "advice.low.high": ("Thank and look after; no discount", "감사 인사와 우대, 할인은 불필요"),
    "advice.low.medium": ("Show suitable further products", "어울리는 다른 상품 소개"),
    "advice.low.low": ("Nothing for now", "현재는 조치 없음"),
    "top.headline": (
        "These {clients} hold {share} of all value at risk: {money}",
        "아래 고객 {clients}[이/가] 전체 위험 금액의 {share}인 {money}[을/를] 차지합니다",
    ),
    "top.headline.one": (
        "This client holds {share} of all value at risk: {money}",
        "아래 고객 1명이 전체 위험 금액의 {share}인 {money}[을/를] 차지합니다",
    ),
    "top.headline.none": ("No client holds value at risk", "위험 금액이 있는 고객이 없습니다"),
    "top.sub": (
        "Reasons are what the model saw in each client's history. They go with higher (▲) or lower (▼) risk; they need "
        "not be its cause.",
        "이유는 모형이 고객 이력에서 본 내용입니다. 높은(▲) 위험 또는 낮은(▼) 위험과 함께 나타나며, "
        "반드시 원인은 아닙니다.",
    ),
    "top.client": ("Client", "고객"),
    "top.risk": ("Churn risk", "이탈 위험"),
    "top.spend": ("12-month spend", "12개월 구매액"),
    "top.value": ("Value at risk", "위험 금액"),
    "top.expected": ("Expected in {days}", "{days} 예상 구매액"),
    "top.reasons": ("What goes with it", "함께 나타난 특징"),
    "reason.up": ("goes with higher risk", "높은 위험과 함께 나타남"),
    "reason.down": ("goes with lower risk", "낮은 위험과 함께 나타남"),
    "reason.known": ("{meaning}:\u00a0{value}", "{meaning}[이/가] {value}"),
    "reason.bare": ("{meaning}", "{meaning}"),
    "reason.unknown": ("{meaning}: not known", "{meaning}: 값 없음"),
    "reason.none": ("no reason recorded", "기록된 이유 없음"),
    "calibration.headline": (
        "Predicted and actual churn differ by {points} on average",
        "예측 위험과 실제 이탈률의 차이는 평균 {points}입니다",
    ),
    "calibration.headline.none": ("Calibration was not measured", "보정 정도를 측정하지 않았습니다"),
    "calibration.sub": (
        "Clients of all back-tests grouped by predicted risk. On the dashed line, what was predicted is what happened. "
        "Bars: range that chance alone explains (95%); larger points hold more clients.",
        "모든 백테스트의 고객을 예측 위험별로 묶었습니다. 점선 위에 있으면 예측대로 된 것입니다. 세로선은 우연으로 "
        "설명되는 범위(95%)이며, 점이 클수록 고객이 많습니다.",
    ),
    "calibration.x": ("Predicted churn", "예측 이탈률"),
    "calibration.y": ("Actual churn", "실제 이탈률"),
    "calibration.ideal": ("as predicted", "예측대로"),
    "calibration.clients": ("Clients", "고객 수"),
    "calibration.range": ("95% range", "95% 범위"),
    "calibration.alt": (
        "Actual against predicted churn in {groups} groups of clients, {smallest} to {largest} each: {points}.",
        "고객 {groups}개 집단({smallest}~{largest})의 예측 이탈률과 실제 이탈률: {points}.",
    ),
    "calibration.alt.point": ("{predicted} predicted, {observed} actual", "예측 {predicted}, 실제 {observed}"),
    "models.headline.better": (
        "LightGBM ranks leavers better than {baseline}: AUC {auc} against {other}",
        "LightGBM이 {baseline}보다 이탈 고객을 잘 가려냅니다: AUC {auc} 대 {other}",
    ),
    "models.headline.equal": (
        "LightGBM ranks leavers as well as {baseline}: AUC {auc}",
        "LightGBM은 {baseline}[과/와] 비슷하게 이탈 고객을 가려냅니다: AUC {auc}",
    ),
    "models.headline.worse": (
        "LightGBM ranks leavers worse than {baseline}: AUC {auc} against {other}",
        "LightGBM은 {baseline}보다 이탈 고객을 가려내지 못합니다: AUC {auc} 대 {other}",
    ),
    "models.headline.none": ("No model was compared", "비교한 모형이 없습니다"),
    "models.sub": (
        "Mean over {backtests}. Every prediction came from a model that had seen only earlier outcomes. Best in bold.",
        "{backtests} 평균. 모든 예측은 그 이전 결과만 학습한 모형으로 계산했습니다. 가장 좋은 값은 굵게 표시합니다.",
    ),
    "models.measure": ("Measure", "지표"),
    "models.best": ("best", "최고"),
    "model.naive": ("Naive", "단순 기준"),
    "model.btyd": ("BTYD", "BTYD"),
    "model.lightgbm": ("LightGBM", "LightGBM"),
    "metric.auc": ("AUC: a leaver is ranked above a stayer", "AUC: 이탈 고객을 유지 고객보다 위에 둘 확률"),
    "metric.found_top_20": ("Leavers among the riskiest 20%", "위험 상위 20%에서 찾은 이탈 고객"),
    "metric.lift_top_20": ("Times better than chance there", "무작위 대비 배수"),
    "metric.log_loss": ("Log loss of the probability", "확률의 로그 손실"),
    "metric.brier": ("Brier score of the probability", "확률의 브라이어 점수"),
    "metric.mean_error": ("Predicted minus actual churn", "예측 이탈률 − 실제 이탈률"),
    "metric.mae": ("Spend per client: mean error", "고객당 구매액: 평균 오차"),
    "metric.spearman": ("Spend per client: rank correlation", "고객당 구매액: 순위 상관"),
    "metric.gini": ("Spend found by ranking (Gini)", "순위로 찾은 구매액(지니)"),
    "metric.decile_mape": ("Spend by tenths: mean error", "구매액 십분위: 평균 오차"),
    "metric.total_error": ("Total spend: error", "총구매액: 오차"),
    "better.up": ("higher is better", "클수록 좋음"),
    "better.down": ("lower is better", "작을수록 좋음"),
    "better.zero": ("nearer to 0 is better", "0에 가까울수록 좋음"),
    "cutoffs.title": ("Back-test by back-test", "백테스트별 결과"),
    "cutoffs.cutoff": ("Cutoff", "기준일"),
    "cutoffs.clients": ("Clients", "고객 수"),
    "cutoffs.predicted": ("Predicted churn", "예측 이탈률"),
    "cutoffs.observed": ("Actual churn", "실제 이탈률"),
    "cutoffs.auc": ("AUC", "AUC"),
    "cutoffs.found": ("Found in top 20%", "상위 20% 적중"),
    "table.summary": ("Same numbers as a table", "같은 숫자를 표로 보기"),
    "notes.title": ("Notes on the data", "데이터 참고 사항"),
    "notes.none": ("The run left no remarks.", "실행 중 남은 참고 사항이 없습니다."),
    "notes.more": ("{number} further notes stand in metrics.json.", "나머지 {number}건은 metrics.json에 있습니다."),
    "notes.language": ("", "참고 사항은 실행 기록 원문(영어)입니다."),
    "run.title": ("How this page was made", "이 보고서를 만든 방법"),
    "run.data": ("Data fingerprint", "데이터 지문"),
    "run.labels": ("Label fingerprint", "라벨 지문"),
    "run.seed": ("Seed", "난수 시드"),
    "run.cutoffs": ("Test cutoffs", "백테스트 기준일"),
    "run.versions": ("Versions", "버전"),
    "run.btyd": ("BTYD parameters", "BTYD 모수"),
    "run.again": (
        "To make it again: run the same configuration with the same data and versions. Equal fingerprints mean "
        "equal inputs.",
        "다시 만들려면 같은 설정을 같은 데이터와 버전으로 실행하세요. 지문이 같으면 입력도 같습니다.",
    ),
    "run.privacy": (
        "This page names clients: share it only with those who may see them.",
        "이 보고서에는 고객 식별자가 있습니다. 열람 권한이 있는 사람에게만 공유하세요.",
    ),
}


@dataclass(frozen=True)
class Speech:
    r"""Words, numbers, money and dates of one page, all in one language.

    Parameters
    ----------
    language : {"en", "ko"}
        Language of everything returned.
    kind : {"non-contractual", "contractual"}
        What leaving means: no purchase, or the end of a contract.
    currency : str or None
        Currency of all money: an ISO code such as ``"GBP"``, or any sign;
        none writes bare numbers.

    Examples
    --------
    >>> Speech("en", currency="KRW").money(3.89e9)
    '₩3.89\xa0B'
    >>> Speech("ko", currency="KRW").money(3.89e9)
    '38.9억\xa0원'
    """

    language: Language
    kind: Kind = "non-contractual"
    currency: str | None = None

    def __post_init__(self) -> None:
        if self.language not in LANGUAGES:
            raise ValueError(f"`language` must be one of {', '.join(LANGUAGES)}; got {self.language!r}.")

    def __call__(self, key: str, /, **values: object) -> str:
        """Say the words of a key, with `values` filled in and particles fitted."""
        pair = WORDS.get(f"{key}@{self.kind}") or WORDS[key]
        return fit_particles(pair[LANGUAGES.index(self.language)].format(**values))

    def has(self, key: str) -> bool:
        """Whether there are words for a key."""
        return key in WORDS

    def number(self, value: float, *, digits: int = 0) -> str:
        """Write grouped digits with a true minus, or a dash for what is not known."""
        if not isfinite(value):
            return NONE
        text = f"{abs(value):,.{digits}f}"
        return f"{MINUS}{text}" if value < 0 and any(digit in "123456789" for digit in text) else text

    def percent(self, share: float, *, digits: int = 0) -> str:
        """Write a share as a percentage."""
        return f"{self.number(share * 100, digits=digits)}%" if isfinite(share) else NONE

    def points(self, points: float, *, digits: int = 1, short: bool = False) -> str:
        """Write a difference of percentages."""
        if not isfinite(points):
            return NONE
        text = self.number(points, digits=digits)
        if self.language == "ko":
            return f"{text}%p"
        return f"{text}{NBSP}{'pp' if short else 'point' if text == '1.0' else 'points'}"

    def money(self, amount: float) -> str:
        """Write money in three figures from a million (ko: 백만) on, whole below, with cents below 100."""
        if not isfinite(amount):
            return NONE
        code = (self.currency or "").strip().upper()
        figure, scale = _scaled(abs(amount), language=self.language, cents=code not in _NO_CENTS)
        sign = MINUS if amount < 0 and any(digit in "123456789" for digit in figure) else ""
        if self.language == "ko":
            unit = _KOREAN_MONEY.get(code) or shown(self.currency or "", longest=8)
            joint = NBSP if scale or (unit and code not in _KOREAN_MONEY) else ""
            return f"{sign}{figure}{scale}{joint}{unit}".strip(NBSP)
        symbol = _SYMBOLS.get(code) or shown(self.currency or "", longest=8)
        lead = f"{symbol}{NBSP}" if len(symbol) > 2 and code not in _SYMBOLS else symbol
        return f"{sign}{lead}{figure}{NBSP + scale if scale else ''}"

    def date(self, day: date) -> str:
        """Write a day: 1 Nov 2026, 2026년 11월 1일."""
        if self.language == "ko":
            return f"{day.year}년 {day.month}월 {day.day}일"
        return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"

    def days(self, count: float) -> str:
        """Write a length of time in days."""
        return self.value(count, "days")

    def clients(self, count: float) -> str:
        """Write a number of clients."""
        if self.language == "ko":
            return f"{self.number(count)}명"
        return f"{self.number(count)} {'client' if count == 1 else 'clients'}"

    def backtests(self, count: int) -> str:
        """Write a number of back-tests."""
        if self.language == "ko":
            return f"백테스트 {count}회"
        return f"{count} {'back-test' if count == 1 else 'back-tests'}"

    def value(self, value: float, unit: str) -> str:
        """Write what a feature measured, in the feature's unit."""
        if not isfinite(value):
            return NONE
        if unit == "money":
            return self.money(value)
        if unit == "share":
            return self.percent(value)
        text = self.number(value) if value == round(value) or abs(value) >= 100 else _figures(value)
        if unit not in _COUNTED:
            return text.replace("-", MINUS)
        one, many, korean = _COUNTED[unit]
        counted = korean if self.language == "ko" else f"{NBSP}{one if value == 1 else many}"
        return text.replace("-", MINUS) + counted


def shown(text: str, *, longest: int = LONGEST) -> str:
    r"""Text from the data as it can be shown: one line, nothing hidden, not too long.

    Parameters
    ----------
    text : str
        Anything; markup is left for the page to escape.
    longest : int, default=120
        Characters kept; the last of them says that more was there.

    Returns
    -------
    str
        White space becomes single blanks; control characters, lone
        surrogates and marks that turn the writing direction become their
        code point in brackets.

    Examples
    --------
    >>> shown("pay\u202eoff\x00"), shown("x" * 9, longest=5)
    ('pay⟨U+202E⟩off⟨U+0000⟩', 'xxxx…')
    """
    line = " ".join(text[: 4 * longest].split())
    whole = len(line) <= longest and len(text) <= 4 * longest
    kept = line if whole else f"{line[: longest - 1]}…"
    return "".join(f"⟨U+{ord(sign):04X}⟩" if _hidden(sign) else sign for sign in kept)


def _hidden(sign: str) -> bool:
    turning = "\u202a" <= sign <= "\u202e" or "\u2066" <= sign <= "\u2069" or sign in "\u200e\u200f\u061c"
    return turning or unicodedata.category(sign) in ("Cc", "Cs")


def fit_particles(text: str) -> str:
    """Fill each marked pair of Korean particles with the one that fits.

    Parameters
    ----------
    text : str
        Text with pairs such as ``[은/는]``, ``[이/가]``, ``[을/를]``,
        ``[과/와]``, the first for words that end in a consonant.

    Returns
    -------
    str
        Closing quotes and a bracketed remark before the pair are looked
        through. After letters whose Korean reading is not certain both
        forms are written, as is customary.

    Examples
    --------
    >>> fit_particles("‘재구매율’[이/가] 58%[을/를], 고객 20명[은/는] 구매 횟수(90일)[이/가] BTYD[을/를]")
    '‘재구매율’이 58%를, 고객 20명은 구매 횟수(90일)가 BTYD를'
    >>> fit_particles("visits[이/가]")
    'visits이(가)'
    """
    parts = re.split(r"\[(은/는|이/가|을/를|과/와)\]", text)
    out = parts[0]
    for pair, after in zip(parts[1::2], parts[2::2], strict=True):
        closed, opened = pair.split("/")
        ending = ends_in_consonant(out)
        out += (closed if ending else opened) if ending is not None else f"{closed}({opened})"
        out += after
    return out


def ends_in_consonant(text: str) -> bool | None:
    """Whether a word, read aloud in Korean, ends in a consonant.

    Parameters
    ----------
    text : str
        The word; only its end matters.

    Returns
    -------
    bool or None
        None when the reading is not certain.
    """
    bare = re.sub(r"(?<=.)\s*[(\[][^()\[\]]*[)\]]\s*$", "", text.rstrip("’”\"'」』> ")).rstrip("’”\"'」』>)] ")
    last = bare[-1:]
    if "가" <= last <= "힣":
        return (ord(last) - ord("가")) % 28 != 0
    if last.isascii() and last.isdigit():
        return last in "013678"
    if last == "%" or bare.endswith("%p"):
        return False
    if last.isascii() and last.isupper() and (len(bare) < 2 or not bare[-2].islower()):
        return last in "LMNR"
    return None


def meaning_of(feature: str, *, meanings: Mapping[str, Mapping[str, str]], language: Language) -> str:
    """Say what a feature measures, in words; its name where there are none.

    Parameters
    ----------
    feature : str
        Name of the feature.
    meanings : mapping
        Feature name → language → noun phrase.
    language : {"en", "ko"}
        Language of the words.

    Returns
    -------
    str
        The noun phrase.
    """
    return meanings.get(feature, {}).get(language) or feature


def _figures(value: float) -> str:
    """Three figures, without the zeros at the end that say nothing."""
    digits = max(0, 2 - floor(log10(abs(value)))) if value else 0
    text = f"{value:,.{min(digits, 6)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _scaled(amount: float, *, language: Language, cents: bool) -> tuple[str, str]:
    """Digits and scale word of an amount that is not negative."""
    if amount < 999_999.5:
        small = cents and amount < 99.995 and amount != round(amount)
        return f"{amount:,.{2 if small else 0}f}", ""
    for factor, word in _SCALES[language]:
        scaled = amount / factor
        if float(f"{scaled:.3g}") >= 1:
            digits = max(0, 2 - floor(log10(float(f"{scaled:.3g}"))))
            text = f"{scaled:,.{digits}f}"
            return (text.rstrip("0").rstrip(".") if "." in text else text), word
    raise AssertionError(f"no scale fits {amount}")
