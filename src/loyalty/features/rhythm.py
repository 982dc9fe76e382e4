"""Rhythm: when a client buys, how evenly, and how late the next purchase is against the client's own habit."""

import math

from loyalty.features.catalogue import DECAYS, WINDOWS, Expression, Feature

#: Features that know the season; learned from less than a year of cutoffs they would mistake growth for season.
SEASONAL = ("season_sin", "season_cos")


def _count_within(days: int) -> Expression:
    return lambda t: t.count(where=t.age_days <= days)


def _count_decayed(days: int) -> Expression:
    return lambda t: (t.age_days / -float(days)).exp().sum()


FEATURES = (
    Feature(
        name="days_since_last",
        theme="rhythm",
        unit="days",
        meaning={"en": "days since the last purchase", "ko": "마지막 구매 후 경과 일수"},
        grain="purchase_days",
        expression=lambda t: t.age_days.min(),
        actionable=True,
    ),
    Feature(
        name="days_since_first_record",
        theme="rhythm",
        unit="days",
        meaning={"en": "days since the first recorded transaction", "ko": "첫 거래 후 경과 일수"},
        expression=lambda t: t.age_days.max(),
    ),
    # Frequency, recency and T as the buy-till-you-die models mean them: Fader, Hardie and Lee (2005), "Counting Your
    # Customers the Easy Way", Marketing Science 24(2), 275-284. Several purchases on one day are one.
    Feature(
        name="frequency",
        theme="rhythm",
        unit="purchases",
        meaning={"en": "purchase days after the first one", "ko": "첫 구매 이후 구매일 수"},
        grain="purchase_days",
        expression=lambda t: t.count() - 1,
    ),
    Feature(
        name="recency",
        theme="rhythm",
        unit="days",
        meaning={"en": "days from the first purchase to the last", "ko": "첫 구매부터 마지막 구매까지의 기간 일수"},
        grain="purchase_days",
        expression=lambda t: t.day.max().delta(t.day.min(), unit="day"),
    ),
    Feature(
        name="T",
        theme="rhythm",
        unit="days",
        meaning={"en": "days since the first purchase", "ko": "첫 구매 후 경과 일수"},
        grain="purchase_days",
        expression=lambda t: t.age_days.max(),
    ),
    *(
        Feature(
            name=f"purchase_days_count_{days}d",
            theme="rhythm",
            unit="purchases",
            meaning={"en": f"purchase days in the last {days} days", "ko": f"최근 {days}일 구매일 수"},
            grain="purchase_days",
            expression=_count_within(days),
            empty=0.0,
            actionable=True,
        )
        for days in WINDOWS
    ),
    *(
        Feature(
            name=f"purchase_days_decayed_{days}d",
            theme="rhythm",
            unit="purchases",
            meaning={
                "en": f"purchase days, recent ones counting more ({days}-day decay)",
                "ko": f"최근 가중 구매일 수({days}일 감쇠)",
            },
            grain="purchase_days",
            expression=_count_decayed(days),
            empty=0.0,
        )
        for days in DECAYS
    ),
    Feature(
        name="gap_days_mean",
        theme="rhythm",
        unit="days",
        meaning={"en": "average days between purchases", "ko": "평균 구매 간격 일수"},
        grain="purchase_days",
        expression=lambda t: t.gap_days.mean(),
    ),
    Feature(
        name="gap_days_median",
        theme="rhythm",
        unit="days",
        meaning={"en": "median days between purchases", "ko": "구매 간격 일수의 중앙값"},
        grain="purchase_days",
        expression=lambda t: t.gap_days.median(),
    ),
    Feature(
        name="gap_days_sd",
        theme="rhythm",
        unit="days",
        meaning={"en": "spread of the days between purchases", "ko": "구매 간격 일수의 표준편차"},
        grain="purchase_days",
        expression=lambda t: t.gap_days.std(how="sample"),
    ),
    Feature(
        name="gap_days_last",
        theme="rhythm",
        unit="days",
        meaning={"en": "days between the last two purchases", "ko": "최근 두 번의 구매 간격 일수"},
        grain="purchase_days",
        expression=lambda t: t.gap_days.argmin(t.age_days),
    ),
    Feature(
        name="gap_days_max",
        theme="rhythm",
        unit="days",
        meaning={"en": "longest pause between purchases", "ko": "최장 구매 공백 일수"},
        grain="purchase_days",
        expression=lambda t: t.gap_days.max(),
    ),
    Feature(
        name="overdue_ratio",
        theme="rhythm",
        unit="ratio",
        meaning={
            "en": "days since the last purchase against the average gap",
            "ko": "평균 구매 간격 대비 마지막 구매 후 경과 기간",
        },
        grain="snapshot",
        expression=lambda t: t.days_since_last / t.gap_days_mean,
        actionable=True,
    ),
    Feature(
        name="pause_ratio",
        theme="rhythm",
        unit="ratio",
        meaning={
            "en": "days since the last purchase against the longest pause so far",
            "ko": "최장 구매 공백 대비 마지막 구매 후 경과 기간",
        },
        grain="snapshot",
        expression=lambda t: t.days_since_last / t.gap_days_max,
        actionable=True,
    ),
    Feature(
        name="purchase_days_trend_90d",
        theme="rhythm",
        unit="purchases",
        meaning={
            "en": "purchase days in the last 90 days less those in the 90 days before",
            "ko": "직전 90일 대비 최근 90일 구매일 수 증감",
        },
        grain="snapshot",
        expression=lambda t: 2 * t.purchase_days_count_90d - t.purchase_days_count_180d,
        empty=0.0,
        actionable=True,
    ),
    Feature(
        name="season_sin",
        theme="rhythm",
        unit="position",
        meaning={"en": "season of the outcome (spring against autumn)", "ko": "예측 기간의 계절(봄 대 가을)"},
        grain="snapshot",
        expression=lambda t: (t.horizon_middle.day_of_year() * (2 * math.pi / 365.25)).sin(),
    ),
    Feature(
        name="season_cos",
        theme="rhythm",
        unit="position",
        meaning={"en": "season of the outcome (winter against summer)", "ko": "예측 기간의 계절(겨울 대 여름)"},
        grain="snapshot",
        expression=lambda t: (t.horizon_middle.day_of_year() * (2 * math.pi / 365.25)).cos(),
    ),
)
