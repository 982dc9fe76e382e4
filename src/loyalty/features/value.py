"""Value: what a client spends, lately and altogether, and what comes back as refunds."""

from loyalty.features.catalogue import DECAYS, WINDOWS, Expression, Feature


def _sum_within(days: int) -> Expression:
    return lambda t: t.amount.sum(where=t.age_days <= days)


def _sum_decayed(days: int) -> Expression:
    return lambda t: (t.amount * (t.age_days / -float(days)).exp()).sum()


FEATURES = (
    *(
        Feature(
            name=f"amount_sum_{days}d",
            theme="value",
            unit="money",
            meaning={"en": f"net spend in the last {days} days", "ko": f"최근 {days}일 순구매액"},
            expression=_sum_within(days),
            empty=0.0,
            actionable=True,
        )
        for days in WINDOWS
    ),
    Feature(
        name="amount_sum",
        theme="value",
        unit="money",
        meaning={"en": "net spend so far", "ko": "누적 순구매액"},
        expression=lambda t: t.amount.sum(),
        empty=0.0,
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
            expression=_sum_decayed(days),
            empty=0.0,
        )
        for days in DECAYS
    ),
    # Mean spend of a repeat purchase day, as the Gamma-Gamma model means it: Fader, Hardie and Lee (2005), "RFM and
    # CLV: Using Iso-Value Curves for Customer Base Analysis", Journal of Marketing Research 42(4), 415-430.
    Feature(
        name="monetary",
        theme="value",
        unit="money",
        meaning={"en": "mean spend of a repeat purchase day", "ko": "재구매일 평균 구매액"},
        grain="purchase_days",
        expression=lambda t: t.amount.mean(where=t.gap_days.notnull()),
    ),
    Feature(
        name="amount_day_mean",
        theme="value",
        unit="money",
        meaning={"en": "mean spend of a purchase day", "ko": "구매일 평균 구매액"},
        grain="purchase_days",
        expression=lambda t: t.amount.mean(),
    ),
    Feature(
        name="amount_day_max",
        theme="value",
        unit="money",
        meaning={"en": "largest spend of one day", "ko": "하루 최대 구매액"},
        grain="purchase_days",
        expression=lambda t: t.amount.max(),
    ),
    Feature(
        name="amount_day_last",
        theme="value",
        unit="money",
        meaning={"en": "spend of the last purchase day", "ko": "마지막 구매일 구매액"},
        grain="purchase_days",
        expression=lambda t: t.amount.argmin(t.age_days),
    ),
    Feature(
        name="amount_trend_90d",
        theme="value",
        unit="money",
        meaning={
            "en": "net spend in the last 90 days less that in the 90 days before",
            "ko": "직전 90일 대비 최근 90일 순구매액 증감",
        },
        grain="snapshot",
        expression=lambda t: 2 * t.amount_sum_90d - t.amount_sum_180d,
        empty=0.0,
        actionable=True,
    ),
    Feature(
        name="refunds_count_365d",
        theme="value",
        unit="count",
        meaning={"en": "refunded lines in the last 365 days", "ko": "최근 365일 환불 건수"},
        expression=lambda t: t.count(where=(t.amount < 0) & (t.age_days <= 365)),
        empty=0.0,
        actionable=True,
    ),
    Feature(
        name="refund_share_365d",
        theme="value",
        unit="share",
        meaning={"en": "refunds as a share of spend in the last 365 days", "ko": "최근 365일 구매액 대비 환불액 비율"},
        expression=lambda t: (
            t.amount.sum(where=(t.amount < 0) & (t.age_days <= 365)).fill_null(0.0)
            / t.amount.sum(where=(t.amount > 0) & (t.age_days <= 365))
        ).abs(),
        actionable=True,
    ),
)
