"""Value: what a client spends, lately and altogether, and what comes back as refunds."""

from loyalty.features.algebra import PURCHASE_DAYS as DAYS
from loyalty.features.algebra import PURCHASES, Learned
from loyalty.features.feature import DECAYS, WINDOWS, Feature, Phrase
from loyalty.features.rhythm import BOUGHT, EXPECTED, MONETARY, SILENT

AMOUNT, COST, ORDER = PURCHASES["amount"], PURCHASES["cost"], PURCHASES["order_id"]
PAID, REFUNDED = AMOUNT > 0, AMOUNT < 0
#: Missing where the cost is not known.
MARGIN = AMOUNT - COST
DAY_AMOUNT = Learned("btyd", "day_amount", BOUGHT)
#: A chance of buying so small that what is bought then is not told by it.
HARDLY = 1e-6

FEATURES = (
    *(
        Feature(
            name=f"amount_sum_{days}d",
            theme="value",
            unit="money",
            meaning={"en": f"net spend in the last {days} days", "ko": f"최근 {days}일 순구매액"},
            topic="spend",
            phrases={
                "en": Phrase(
                    f"spent {{value}} in the last {days} days",
                    zero=f"spent nothing in the last {days} days",
                    below=f"{{value}} more refunded than spent in the last {days} days",
                ),
                "ko": Phrase(
                    f"최근 {days}일 순구매액은 {{value}}입니다",
                    zero=f"최근 {days}일 동안 순구매액이 없습니다",
                    below=f"최근 {days}일 동안 환불액이 구매액보다 {{value}} 많습니다",
                ),
            },
            formula=AMOUNT.sum(within=days),
            actionable=True,
        )
        for days in WINDOWS
    ),
    Feature(
        name="amount_sum",
        theme="value",
        unit="money",
        meaning={"en": "net spend so far", "ko": "누적 순구매액"},
        topic="spend",
        phrases={
            "en": Phrase(
                "spent {value} so far", zero="spent nothing so far", below="{value} more refunded than spent so far"
            ),
            "ko": Phrase(
                "누적 순구매액은 {value}입니다",
                zero="누적 순구매액이 없습니다",
                below="누적 환불액이 구매액보다 {value} 많습니다",
            ),
        },
        formula=AMOUNT.sum(),
    ),
    *(
        Feature(
            name=f"amount_decayed_{days}d",
            theme="value",
            unit="money",
            meaning={
                "en": f"net spend, recent spend counting more ({days}-day decay)",
                "ko": f"최근 가중 순구매액({days}일 감쇠)",
            },
            topic="spend",
            speaks=False,
            formula=AMOUNT.decayed(days),
        )
        for days in DECAYS
    ),
    Feature(
        name="spend_sum_365d",
        theme="value",
        unit="money",
        meaning={
            "en": "spend in the last 365 days, without refunds taken off",
            "ko": "최근 365일 총구매액(환불 차감 전)",
        },
        topic="spend",
        phrases={
            "en": Phrase(
                "spent {value} in the last 365 days, refunds not taken off", zero="spent nothing in the last 365 days"
            ),
            "ko": Phrase("최근 365일 총구매액은 환불 차감 전 {value}입니다", zero="최근 365일 동안 구매액이 없습니다"),
        },
        formula=AMOUNT.sum(PAID, within=365),
        actionable=True,
    ),
    Feature(
        name="spend_share_90d",
        theme="value",
        unit="share",
        meaning={
            "en": "share of the spend of the last 365 days that falls into the last 90 days",
            "ko": "최근 365일 구매액 중 최근 90일의 비중",
        },
        topic="trend",
        phrases={
            "en": Phrase(
                "{value} of the past year's spend fell into the last 90 days",
                zero="none of the past year's spend fell into the last 90 days",
                unknown="spent nothing in the last 365 days",
            ),
            "ko": Phrase(
                "최근 365일 구매액 중 최근 90일의 비중은 {value}입니다",
                zero="최근 365일 구매액 중 최근 90일의 구매는 없습니다",
                unknown="최근 365일 동안 구매액이 없습니다",
            ),
        },
        formula=AMOUNT.sum(PAID, within=90) / AMOUNT.sum(PAID, within=365),
        actionable=True,
    ),
    # A year ago began the season that the outcome falls into.
    Feature(
        name="amount_last_year_sum_90d",
        theme="value",
        unit="money",
        meaning={
            "en": "net spend a year ago, in the 90 days that followed",
            "ko": "1년 전 같은 날부터 90일간 순구매액",
        },
        topic="a year ago",
        phrases={
            "en": Phrase(
                "spent {value} in the same season a year ago (90 days)",
                zero="spent nothing in the same season a year ago (90 days)",
                below="{value} more refunded than spent in the same season a year ago (90 days)",
            ),
            "ko": Phrase(
                "1년 전 같은 시기 90일 동안의 순구매액은 {value}입니다",
                zero="1년 전 같은 시기 90일 동안 순구매액이 없었습니다",
                below="1년 전 같은 시기 90일 동안 환불액이 구매액보다 {value} 많았습니다",
            ),
        },
        formula=AMOUNT.sum(within=365, beyond=275),
    ),
    # Mean spend of a repeat purchase day, as the Gamma-Gamma model means it: Fader, Hardie and Lee (2005), "RFM and
    # CLV: Using Iso-Value Curves for Customer Base Analysis", Journal of Marketing Research 42(4), 415-430.
    Feature(
        name="monetary",
        theme="value",
        unit="money",
        meaning={"en": "mean spend of a repeat purchase day", "ko": "재구매일 평균 구매액"},
        topic="basket",
        phrases={
            "en": Phrase("spends {value} on a repeat purchase day on average", unknown="no second purchase yet"),
            "ko": Phrase("재구매일 평균 구매액은 {value}입니다", unknown="아직 재구매가 없습니다"),
        },
        formula=MONETARY,
    ),
    # Fader and Hardie (2013): fitted on a training cutoff, see `loyalty.features.learn`.
    Feature(
        name="day_amount_expected",
        theme="value",
        unit="money",
        meaning={
            "en": "spend to be expected of a purchase day, by past purchase days",
            "ko": "과거 구매일로 본 구매일당 기대 구매액",
        },
        topic="basket",
        speaks=False,
        formula=DAY_AMOUNT,
    ),
    Feature(
        name="amount_expected_if_buying",
        theme="value",
        unit="money",
        meaning={
            "en": "spend to be expected in the horizon if the client buys at all, by past purchase days",
            "ko": "과거 구매일로 본, 구매 시 예측 기간 내 기대 구매액",
        },
        topic="spend",
        speaks=False,
        phrases={
            "en": Phrase("{value} to be expected in the period ahead if there is a purchase, going by past purchases"),
            "ko": Phrase("과거 구매로 볼 때, 구매한다면 예측 기간 내 기대 구매액은 {value}입니다"),
        },
        formula=EXPECTED * DAY_AMOUNT / (1 - SILENT).at_least(HARDLY),
    ),
    Feature(
        name="amount_day_mean_365d",
        theme="value",
        unit="money",
        meaning={"en": "mean spend of a purchase day in the last 365 days", "ko": "최근 365일 구매일 평균 구매액"},
        topic="basket",
        phrases={
            "en": Phrase(
                "spent {value} per purchase day in the last 365 days", unknown="no purchase in the last 365 days"
            ),
            "ko": Phrase("최근 365일 구매일당 평균 구매액은 {value}입니다", unknown="최근 365일 동안 구매가 없습니다"),
        },
        formula=DAYS["amount"].mean(within=365),
        actionable=True,
    ),
    Feature(
        name="amount_day_sd",
        theme="value",
        unit="money",
        meaning={"en": "spread of the spend of purchase days", "ko": "구매일 구매액의 표준편차"},
        topic="basket",
        phrases={
            "en": Phrase(
                "spend of a purchase day varies by {value}",
                zero="spends the same on every purchase day",
                unknown="no second purchase yet",
            ),
            "ko": Phrase(
                "구매일별 구매액의 편차는 {value}입니다",
                zero="구매일마다 같은 금액을 씁니다",
                unknown="아직 재구매가 없습니다",
            ),
        },
        formula=DAYS["amount"].sd(),
    ),
    Feature(
        name="amount_day_max",
        theme="value",
        unit="money",
        meaning={"en": "largest spend of one day", "ko": "하루 최대 구매액"},
        topic="basket",
        phrases={
            "en": Phrase("spent {value} on the largest purchase day", unknown="no purchase yet"),
            "ko": Phrase("하루 최대 구매액은 {value}입니다", unknown="아직 구매가 없습니다"),
        },
        formula=DAYS["amount"].max(),
    ),
    Feature(
        name="amount_day_last",
        theme="value",
        unit="money",
        meaning={"en": "spend of the last purchase day", "ko": "마지막 구매일 구매액"},
        topic="basket",
        usual="monetary",
        phrases={
            "en": Phrase("spent {value} on the last purchase day", unknown="no purchase yet", usual="usually {value}"),
            "ko": Phrase("마지막 구매일 구매액은 {value}입니다", unknown="아직 구매가 없습니다", usual="평소 {value}"),
        },
        formula=DAYS["amount"].last(),
    ),
    Feature(
        name="amount_order_mean_365d",
        theme="value",
        unit="money",
        meaning={"en": "mean spend of an order in the last 365 days", "ko": "최근 365일 주문당 평균 구매액"},
        topic="basket",
        phrases={
            "en": Phrase("spent {value} per order in the last 365 days", unknown="no order in the last 365 days"),
            "ko": Phrase("최근 365일 주문당 평균 구매액은 {value}입니다", unknown="최근 365일 동안 주문이 없습니다"),
        },
        formula=AMOUNT.sum(PAID & ORDER.is_there(), within=365) / ORDER.nunique(PAID, within=365),
        actionable=True,
    ),
    Feature(
        name="quantity_sum_365d",
        theme="value",
        unit="count",
        meaning={"en": "pieces bought in the last 365 days", "ko": "최근 365일 구매 수량"},
        topic="spend",
        phrases={
            "en": Phrase(
                "{value} [piece/pieces] bought in the last 365 days", zero="nothing bought in the last 365 days"
            ),
            "ko": Phrase("최근 365일 구매 수량은 {value}개입니다", zero="최근 365일 동안 구매가 없습니다"),
        },
        formula=PURCHASES["quantity"].sum(PAID, within=365),
        actionable=True,
    ),
    Feature(
        name="margin_sum_365d",
        theme="value",
        unit="money",
        meaning={
            "en": "net margin of lines whose cost is known in the last 365 days",
            "ko": "최근 365일 순마진(원가를 아는 건 기준)",
        },
        topic="spend",
        phrases={
            "en": Phrase(
                "margin of {value} in the last 365 days, where the cost is known",
                zero="no margin in the last 365 days, where the cost is known",
                below="loss of {value} in the last 365 days, where the cost is known",
            ),
            "ko": Phrase(
                "최근 365일 순마진은 원가를 아는 건 기준 {value}입니다",
                zero="최근 365일 순마진이 원가를 아는 건 기준으로 없습니다",
                below="최근 365일 손실은 원가를 아는 건 기준 {value}입니다",
            ),
        },
        formula=MARGIN.sum(within=365),
        actionable=True,
    ),
    Feature(
        name="margin_share_365d",
        theme="value",
        unit="share",
        meaning={
            "en": "margin as a share of the spend on lines whose cost is known in the last 365 days",
            "ko": "최근 365일 구매 마진율(원가를 아는 건 기준)",
        },
        formula=MARGIN.sum(PAID, within=365) / AMOUNT.sum(PAID & COST.is_there(), within=365),
        actionable=True,
    ),
    Feature(
        name="amount_trend_90d",
        theme="value",
        unit="money",
        meaning={
            "en": "net spend in the last 90 days less that in the 90 days before",
            "ko": "직전 90일 대비 최근 90일 순구매액 증감",
        },
        topic="trend",
        phrases={
            "en": Phrase(
                "spent {value} more in the last 90 days than in the 90 days before",
                zero="spent as much in the last 90 days as in the 90 days before",
                below="spent {value} less in the last 90 days than in the 90 days before",
            ),
            "ko": Phrase(
                "최근 90일 순구매액이 직전 90일보다 {value} 많습니다",
                zero="최근 90일 순구매액이 직전 90일과 같습니다",
                below="최근 90일 순구매액이 직전 90일보다 {value} 적습니다",
            ),
        },
        formula=AMOUNT.sum(within=90) - AMOUNT.sum(within=180, beyond=90),
        actionable=True,
    ),
    Feature(
        name="refunds_count_365d",
        theme="value",
        unit="count",
        meaning={"en": "refunded lines in the last 365 days", "ko": "최근 365일 환불 건수"},
        topic="refunds",
        phrases={
            "en": Phrase("{value} refunded [line/lines] in the last 365 days", zero="no refund in the last 365 days"),
            "ko": Phrase("최근 365일 환불은 {value}건입니다", zero="최근 365일 동안 환불이 없습니다"),
        },
        formula=PURCHASES.count(REFUNDED, within=365),
        actionable=True,
    ),
    Feature(
        name="refunded_sum_365d",
        theme="value",
        unit="money",
        meaning={"en": "money refunded in the last 365 days", "ko": "최근 365일 환불액"},
        topic="refunds",
        phrases={
            "en": Phrase("{value} refunded in the last 365 days", zero="no refund in the last 365 days"),
            "ko": Phrase("최근 365일 환불액은 {value}입니다", zero="최근 365일 동안 환불이 없습니다"),
        },
        formula=(-AMOUNT).sum(REFUNDED, within=365),
        actionable=True,
    ),
    Feature(
        name="refund_share_365d",
        theme="value",
        unit="share",
        meaning={"en": "refunds as a share of spend in the last 365 days", "ko": "최근 365일 구매액 대비 환불액 비율"},
        topic="refunds",
        phrases={
            "en": Phrase(
                "{value} of the spend of the last 365 days refunded",
                zero="no refund in the last 365 days",
                unknown="spent nothing in the last 365 days",
            ),
            "ko": Phrase(
                "최근 365일 구매액의 {value}[을/를] 환불했습니다",
                zero="최근 365일 동안 환불이 없습니다",
                unknown="최근 365일 동안 구매액이 없습니다",
            ),
        },
        formula=(-AMOUNT).sum(REFUNDED, within=365) / AMOUNT.sum(PAID, within=365),
        actionable=True,
    ),
    Feature(
        name="days_since_last_refund",
        theme="value",
        unit="days",
        meaning={"en": "days since the last refund", "ko": "마지막 환불 후 경과 일수"},
        topic="refunds",
        phrases={
            "en": Phrase("{value} since the last refund", unknown="no refund so far"),
            "ko": Phrase("마지막 환불 후 {value}[이/가] 지났습니다", unknown="환불한 적이 없습니다"),
        },
        formula=PURCHASES.age.min(REFUNDED),
    ),
)
