"""Contract: how long a client has been under contract, at what fee, and when that is next decided.

A row of `contracts` is a spell. It runs as long as its end has not come to pass; a change of plan ends one spell and
begins the next.
"""

from loyalty.features.algebra import CONTRACTS, Between, Expression, MedianOfClients, Since
from loyalty.features.feature import Feature, Phrase

AGE, FEE, PLAN = CONTRACTS.age, CONTRACTS["fee"], CONTRACTS["plan"]
#: Without a column `end` every contract runs.
RUNNING = ~CONTRACTS.optional("end").is_there()
SINCE_END = Since(CONTRACTS["end"])

_SINCE_RENEWAL = Since(CONTRACTS.optional("renews_at"))
#: What still runs after the date to which it was agreed has been renewed on that date.
RENEWED = RUNNING & (_SINCE_RENEWAL > 0)

#: The spells in force just before the last one that ended did so.
_BEFORE_LAST_END = (SINCE_END.min() < AGE) & ~(SINCE_END.min() < SINCE_END)

_PRICED = RUNNING & FEE.is_there() & PLAN.is_there()
_SINCE_NONE_RUNS = SINCE_END.min().given(RUNNING.count() < 1)


def _fees(which: Expression) -> Expression:
    """Add up fees; one that is not known leaves the sum unknown."""
    return FEE.sum(which).given((~FEE.is_there()).count(which) < 1)


FEATURES = (
    Feature(
        name="days_since_contract_first",
        theme="contract",
        unit="days",
        meaning={"en": "days since the first contract began", "ko": "첫 계약 시작 후 경과 일수"},
        topic="contract age",
        phrases={
            "en": Phrase("first contract began {value} ago", unknown="no contract so far"),
            "ko": Phrase("첫 계약 시작 후 {value}[이/가] 지났습니다", unknown="계약한 적이 없습니다"),
        },
        formula=AGE.max(),
    ),
    Feature(
        name="contract_running_days",
        theme="contract",
        unit="days",
        meaning={
            "en": "days for which the oldest running contract has run unchanged",
            "ko": "현재 계약이 변경 없이 유지된 일수(가장 오래된 계약 기준)",
        },
        topic="renewal",
        phrases={
            "en": Phrase("contract unchanged for {value}", unknown="no contract running"),
            "ko": Phrase("현재 계약이 {value} 동안 변경 없이 유지되고 있습니다", unknown="유지 중인 계약이 없습니다"),
        },
        formula=AGE.max(RUNNING),
    ),
    Feature(
        name="contracts_running_count",
        theme="contract",
        unit="count",
        meaning={"en": "contracts running now", "ko": "현재 유지 중인 계약 수"},
        topic="contract",
        phrases={
            "en": Phrase("{value} [contract/contracts] running", zero="no contract running"),
            "ko": Phrase("유지 중인 계약은 {value}건입니다", zero="유지 중인 계약이 없습니다"),
        },
        formula=RUNNING.count(),
        actionable=True,
    ),
    Feature(
        name="contracts_count",
        theme="contract",
        unit="count",
        meaning={
            "en": "contracts begun so far, each change of plan counting as a new one",
            "ko": "누적 계약 건수(요금제 변경도 새 계약으로 계산)",
        },
        formula=CONTRACTS.count(),
    ),
    Feature(
        name="plans_count",
        theme="contract",
        unit="count",
        meaning={"en": "different plans held so far", "ko": "지금까지 이용한 요금제 종류 수"},
        formula=PLAN.nunique(),
    ),
    Feature(
        name="fee_running_sum",
        theme="contract",
        unit="money",
        meaning={"en": "fees of all running contracts together", "ko": "현재 유지 중인 계약의 요금 합계"},
        topic="fee",
        phrases={
            "en": Phrase("pays fees of {value}", zero="pays no fee", unknown="no fee known"),
            "ko": Phrase(
                "현재 계약의 요금 합계는 {value}입니다",
                zero="현재 계약의 요금이 없습니다",
                unknown="요금을 알 수 없습니다",
            ),
        },
        formula=_fees(RUNNING),
        actionable=True,
    ),
    Feature(
        name="fee_change_last",
        theme="contract",
        unit="money",
        meaning={
            "en": "fees now less the fees just before a contract last ended or changed",
            "ko": "가장 최근 계약 종료·변경 직전 대비 현재 요금 증감액",
        },
        topic="fee",
        phrases={
            "en": Phrase(
                "fees higher by {value} since a contract last ended or changed",
                zero="fees the same since a contract last ended or changed",
                below="fees lower by {value} since a contract last ended or changed",
                unknown="no contract ended or changed so far",
            ),
            "ko": Phrase(
                "가장 최근의 계약 종료·변경 후 요금이 {value} 올랐습니다",
                zero="가장 최근의 계약 종료·변경 후 요금이 그대로입니다",
                below="가장 최근의 계약 종료·변경 후 요금이 {value} 내렸습니다",
                unknown="종료·변경된 계약이 없습니다",
            ),
        },
        formula=(_fees(RUNNING) - _fees(_BEFORE_LAST_END)).given(SINCE_END.count() > 0),
        actionable=True,
    ),
    # Of the newest running contract: a plan and its fee must be of one row.
    Feature(
        name="fee_plan_ratio",
        theme="contract",
        unit="ratio",
        meaning={
            "en": "fee of the newest running contract against the median fee of all clients on its plan",
            "ko": "같은 요금제를 쓰는 전체 고객의 요금 중앙값 대비 최근 계약의 요금 비율",
        },
        topic="fee",
        phrases={
            "en": Phrase("pays {value} times the usual fee of the plan", unknown="no fee of a plan known"),
            "ko": Phrase("같은 요금제의 중간 요금 대비 {value}배를 냅니다", unknown="요금제의 요금을 알 수 없습니다"),
        },
        formula=FEE.last(_PRICED) / MedianOfClients(FEE.last(_PRICED), by=PLAN.last(_PRICED)),
        actionable=True,
    ),
    # Either way of writing a renewal down counts: a new row, or a date that has passed of a row that still runs.
    Feature(
        name="renewals_count_365d",
        theme="contract",
        unit="count",
        meaning={
            "en": "contracts renewed, changed or added in the last 365 days",
            "ko": "최근 365일 계약 갱신·변경·추가 횟수",
        },
        formula=CONTRACTS.count(AGE.max() > AGE, within=365) + CONTRACTS.count(RENEWED & (_SINCE_RENEWAL <= 365)),
        actionable=True,
    ),
    Feature(
        name="days_since_renewal",
        theme="contract",
        unit="days",
        meaning={
            "en": "days since a contract last began or was renewed",
            "ko": "마지막 계약 시작 또는 갱신 후 경과 일수",
        },
        topic="renewal",
        phrases={
            "en": Phrase("{value} since a contract last began or was renewed", unknown="no contract so far"),
            "ko": Phrase("마지막 계약 시작 또는 갱신 후 {value}[이/가] 지났습니다", unknown="계약한 적이 없습니다"),
        },
        formula=AGE.at_most(_SINCE_RENEWAL.given(RENEWED).otherwise(AGE)).min(),
        actionable=True,
    ),
    Feature(
        name="days_to_renewal",
        theme="contract",
        unit="days",
        meaning={
            "en": "days until the next renewal of a running contract",
            "ko": "유지 중인 계약의 다음 갱신일까지 남은 일수",
        },
        phrases={
            "en": Phrase("next renewal in {value}", zero="next renewal due now", unknown="no renewal ahead"),
            "ko": Phrase(
                "다음 갱신까지 {value} 남았습니다", zero="지금이 갱신 시점입니다", unknown="예정된 갱신이 없습니다"
            ),
        },
        formula=0 - Since(CONTRACTS["renews_at"]).max(RUNNING & (Since(CONTRACTS["renews_at"]) <= 0)),
    ),
    # Days under two contracts at once count twice, so that of overlapping ones some pause may be missed; never that
    # since the last of them ended.
    Feature(
        name="contract_pause_days",
        theme="contract",
        unit="days",
        meaning={
            "en": "days without a running contract since the first began",
            "ko": "첫 계약 시작 후 계약이 없었던 기간 일수",
        },
        topic="contract",
        phrases={
            "en": Phrase(
                "{value} without a contract since the first began",
                zero="never without a contract since the first began",
                unknown="no contract so far",
            ),
            "ko": Phrase(
                "첫 계약 시작 후 계약 없이 {value}[이/가] 지났습니다",
                zero="첫 계약 시작 후 계약이 끊긴 적이 없습니다",
                unknown="계약한 적이 없습니다",
            ),
        },
        formula=(AGE.max() - Between(CONTRACTS.time, CONTRACTS["end"]).otherwise(AGE).sum()).at_least(
            _SINCE_NONE_RUNS.otherwise(0)
        ),
    ),
    Feature(
        name="days_since_contract_end",
        theme="contract",
        unit="days",
        meaning={
            "en": "days since the last contract ended, if none is running",
            "ko": "모든 계약 종료 후 경과 일수(유지 중인 계약이 없는 경우)",
        },
        topic="contract",
        phrases={
            "en": Phrase("no contract for {value}", unknown="no contract ended without another one running"),
            "ko": Phrase("계약이 모두 끝난 후 {value}[이/가] 지났습니다", unknown="모두 끝난 상태의 계약이 없습니다"),
        },
        formula=_SINCE_NONE_RUNS,
        actionable=True,
    ),
)
