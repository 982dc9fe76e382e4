"""Value: what a client spends, lately and altogether, and what comes back as refunds."""

from loyalty.features.algebra import PURCHASE_DAYS as DAYS
from loyalty.features.algebra import PURCHASES, Learned
from loyalty.features.feature import DECAYS, WINDOWS, Feature
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
        formula=AMOUNT.sum(within=365, beyond=275),
    ),
    # Mean spend of a repeat purchase day, as the Gamma-Gamma model means it: Fader, Hardie and Lee (2005), "RFM and
    # CLV: Using Iso-Value Curves for Customer Base Analysis", Journal of Marketing Research 42(4), 415-430.
    Feature(
        name="monetary",
        theme="value",
        unit="money",
        meaning={"en": "mean spend of a repeat purchase day", "ko": "재구매일 평균 구매액"},
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
        formula=EXPECTED * DAY_AMOUNT / (1 - SILENT).at_least(HARDLY),
    ),
    Feature(
        name="amount_day_mean_365d",
        theme="value",
        unit="money",
        meaning={"en": "mean spend of a purchase day in the last 365 days", "ko": "최근 365일 구매일 평균 구매액"},
        formula=DAYS["amount"].mean(within=365),
        actionable=True,
    ),
    Feature(
        name="amount_day_sd",
        theme="value",
        unit="money",
        meaning={"en": "spread of the spend of purchase days", "ko": "구매일 구매액의 표준편차"},
        formula=DAYS["amount"].sd(),
    ),
    Feature(
        name="amount_day_max",
        theme="value",
        unit="money",
        meaning={"en": "largest spend of one day", "ko": "하루 최대 구매액"},
        formula=DAYS["amount"].max(),
    ),
    Feature(
        name="amount_day_last",
        theme="value",
        unit="money",
        meaning={"en": "spend of the last purchase day", "ko": "마지막 구매일 구매액"},
        formula=DAYS["amount"].last(),
    ),
    Feature(
        name="amount_order_mean_365d",
        theme="value",
        unit="money",
        meaning={"en": "mean spend of an order in the last 365 days", "ko": "최근 365일 주문당 평균 구매액"},
        formula=AMOUNT.sum(PAID & ORDER.is_there(), within=365) / ORDER.nunique(PAID, within=365),
        actionable=True,
    ),
    Feature(
        name="quantity_sum_365d",
        theme="value",
        unit="count",
        meaning={"en": "pieces bought in the last 365 days", "ko": "최근 365일 구매 수량"},
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
        formula=AMOUNT.sum(within=90) - AMOUNT.sum(within=180, beyond=90),
        actionable=True,
    ),
    Feature(
        name="refunds_count_365d",
        theme="value",
        unit="count",
        meaning={"en": "refunded lines in the last 365 days", "ko": "최근 365일 환불 건수"},
        formula=PURCHASES.count(REFUNDED, within=365),
        actionable=True,
    ),
    Feature(
        name="refunded_sum_365d",
        theme="value",
        unit="money",
        meaning={"en": "money refunded in the last 365 days", "ko": "최근 365일 환불액"},
        formula=(-AMOUNT).sum(REFUNDED, within=365),
        actionable=True,
    ),
    Feature(
        name="refund_share_365d",
        theme="value",
        unit="share",
        meaning={"en": "refunds as a share of spend in the last 365 days", "ko": "최근 365일 구매액 대비 환불액 비율"},
        formula=(-AMOUNT).sum(REFUNDED, within=365) / AMOUNT.sum(PAID, within=365),
        actionable=True,
    ),
    Feature(
        name="days_since_last_refund",
        theme="value",
        unit="days",
        meaning={"en": "days since the last refund", "ko": "마지막 환불 후 경과 일수"},
        formula=PURCHASES.age.min(REFUNDED),
    ),
)
