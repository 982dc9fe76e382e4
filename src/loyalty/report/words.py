"""Every word of the managers' page, in English and in Korean: those of its frame here, those of a chapter beside it."""

from loyalty.report import words_action, words_trust, words_who, words_why

# Key → (English, Korean). A key ending in "@contractual" takes its place for contracts; "[이/가]" and its like become
# the particle that fits the word before.
_FRAME: dict[str, tuple[str, str]] = {
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
    "definition.back": (
        "Of {left} who left in this sense from {first} to {last}, {share} bought again within the year.",
        "{first}부터 {last}까지 구매가 없어 이탈한 고객 {left} 중 {share}[이/가] 1년 안에 다시 구매했습니다.",
    ),
    "definition.back@contractual": (
        "Of {left} who left in this sense between {first} and {last}, {share} had a contract again a year later.",
        "{first}부터 {last} 사이에 계약이 종료된 고객 {left} 중 {share}[이/가] 1년 뒤에는 다시 계약 중이었습니다.",
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
        "Money at risk is a client's churn probability times the spend of the past 365 days.",
        "위험 금액은 고객별 이탈 확률에 최근 365일 구매액을 곱한 값입니다.",
    ),
    "tile.churn": ("Expected churn", "예상 이탈률"),
    "tile.churn.sub": (
        "about {leavers} of {clients} with no purchase in the next {days}",
        "{clients} 중 약 {leavers}명, 향후 {days}간 구매 없음",
    ),
    "tile.churn.sub@contractual": (
        "of {clients} under contract, about {leavers} leave in the next {days}",
        "계약 중인 {clients} 중 약 {leavers}명, 향후 {days} 안에 계약 종료",
    ),
    "tile.value": ("Money at risk", "위험 금액"),
    "tile.value.sub": (
        "sum of risk × spend of the past 365 days, {share} of that spend",
        "이탈 확률 × 최근 365일 구매액의 합계, 구매액의 {share}",
    ),
    "tile.value.none": ("nobody spent anything in the past 365 days", "최근 365일간 구매액이 없습니다"),
    "contents": ("On this page", "차례"),
    "chapter.stake": ("What is at stake?", "무엇이 걸려 있는가?"),
    "chapter.who": ("Who is it about?", "누가 해당되는가?"),
    "chapter.why": ("Why: what goes with risk?", "왜: 무엇이 위험과 함께 나타나는가?"),
    "chapter.action": ("What to do, and what would it return?", "무엇을 하고, 무엇을 얻는가?"),
    "chapter.trust": ("Can we trust it?", "믿을 수 있는가?"),
    "lead": (
        "{money} of a year's spend is at risk: about {leavers} of {clients} are expected to leave within {days}.",
        "1년 구매액 중 {money}[이/가] 위험합니다. {days} 안에 고객 {clients} 중 약 {leavers}명이 이탈할 것으로 "
        "예상됩니다.",
    ),
    "lead.range": (
        "{money} of a year's spend is at risk (90% range {range}): about {leavers} of {clients} are "
        "expected to leave within {days}.",
        "1년 구매액 중 {money}(90% 범위 {range})[이/가] 위험합니다. {days} 안에 고객 {clients} 중 약 "
        "{leavers}명이 이탈할 것으로 예상됩니다.",
    ),
    "lead.none": (
        "No money is at risk: about {leavers} of {clients} are expected to leave within {days}.",
        "위험 금액이 없습니다. {days} 안에 고객 {clients} 중 약 {leavers}명이 이탈할 것으로 예상됩니다.",
    ),
    "lead.first": (
        "The {number} clients with the most at stake hold {share} of it: begin with them.",
        "위험 금액이 큰 고객 {number}명이 그중 {share}[을/를] 차지하므로 이들부터 시작하세요.",
    ),
    "tile.spend": ("Expected spend", "예상 구매액"),
    "tile.spend.sub": ("in the next {days}", "향후 {days}"),
    "tile.spend.range": (
        "in the next {days}; {coverage} range {range}",
        "향후 {days}, {coverage} 범위 {range}",
    ),
    "tile.long_run": ("Long-run value", "장기 가치"),
    "tile.long_run.sub": ("over the next {years}, at today's pace", "향후 {years}, 현재 추세가 이어질 때"),
    "table.summary": ("Same numbers as a table", "같은 숫자를 표로 보기"),
    "run.title": ("How this page was made", "이 보고서를 만든 방법"),
    "run.data": ("Data fingerprint", "데이터 지문"),
    "run.labels": ("Label fingerprint", "라벨 지문"),
    "run.seed": ("Seed", "난수 시드"),
    "run.cutoffs": ("Test cutoffs", "백테스트 기준일"),
    "run.versions": ("Versions", "버전"),
    "run.btyd": ("BTYD parameters", "BTYD 모수"),
    "run.again": (
        "To make it again: run the same configuration with the same data and versions. Equal fingerprints mean equal "
        "inputs.",
        "다시 만들려면 같은 설정을 같은 데이터와 버전으로 실행하세요. 지문이 같으면 입력도 같습니다.",
    ),
    "run.privacy": (
        "This page names clients: share it only with those who may see them.",
        "이 보고서에는 고객 식별자가 있습니다. 열람 권한이 있는 사람에게만 공유하세요.",
    ),
    "run.privacy.none": (
        "This page names no client, and groups of fewer than {number} are hidden or merged.",
        "이 보고서에는 고객 식별자가 없으며, {number}명 미만의 집단은 숨기거나 합쳤습니다.",
    ),
    "hidden": ("hidden", "비공개"),
    "tile.value.range": (
        "{coverage} range {range}; {share} of the spend of the past 365 days",
        "{coverage} 범위 {range}, 최근 365일 구매액의 {share}",
    ),
    "remark.years": ("{years} years", "{years}년"),
    "remark.years.one": ("year", "1년"),
    "remark.long_run": (
        "Over the next {years} these clients will be worth {value} at today's pace, net spend discounted at {rate} a "
        "year; new clients are not in it.",
        "현재 추세가 이어질 때 이 고객들의 향후 {years} 가치는 {value}입니다"
        "(순구매액, 연 할인율 {rate}[을/를] 적용한 현재가치, 신규 고객 제외).",
    ),
    "remark.long_run.margin": (
        "Over the next {years} these clients will be worth {value} at today's pace, {margin} of net spend discounted "
        "at {rate} a year; new clients are not in it.",
        "현재 추세가 이어질 때 이 고객들의 향후 {years} 가치는 {value}입니다"
        "(순구매액의 {margin}, 연 할인율 {rate}[을/를] 적용한 현재가치, 신규 고객 제외).",
    ),
    "remark.hindsight": (
        "Reckoned in the same way for {days} from {date}, {total} (chapter 5).",
        "같은 방식으로 계산한 {date}부터 {days} 동안의 결과: {total}(5장).",
    ),
    "remark.staying": (
        "{share} of the contracts are expected to be in force {days} from now.",
        "{days} 뒤에도 계약의 {share}[이/가] 유효할 것으로 예상됩니다.",
    ),
    "remark.little": (
        "Of {clients} ({share}) too little is known for numbers of their own: they bought on fewer than two days. "
        "Their scores are those of clients like them.",
        "고객 {clients}({share})[은/는] 구매일이 이틀 미만이어서 개별 예측을 내기에 이력이 부족합니다. 이들의 점수는 "
        "비슷한 고객의 평균으로 보아야 합니다.",
    ),
    "remark.little@contractual": (
        "Of {clients} ({share}) too little is known for numbers of their own: they were first recorded less than "
        "{days} before the cutoff. Their scores are those of clients like them.",
        "고객 {clients}({share})[은/는] 기록이 기준일 전 {days}보다 짧아 개별 예측을 내기에 이력이 부족합니다. 이들의 "
        "점수는 비슷한 고객의 평균으로 보아야 합니다.",
    ),
    "range": ("{lower} to {upper}", "{lower}~{upper}"),
    "range.signed": ("{lower} to {upper}", "{lower} ~ {upper}"),
    "range.wide": ("{range}, so the level is uncertain", "{range}, 수준이 불확실함"),
    "range.high": ("over {low}", "{low} 초과"),
    "range.low": ("to {high}", "{high} 이하"),
}

WORDS: dict[str, tuple[str, str]] = _FRAME | words_who.WORDS | words_why.WORDS | words_action.WORDS | words_trust.WORDS
"""Key → (English, Korean)."""
