"""Rhythm: when a client buys, how evenly, and how late the next purchase is against the client's own habit."""

from loyalty.features.algebra import PURCHASE_DAYS as DAYS
from loyalty.features.algebra import PURCHASES, Clock, CutoffDay, Learned, Previous, Season
from loyalty.features.feature import DECAYS, WINDOWS, Feature, Phrase

PAID = PURCHASES["amount"] > 0
#: Where a source records days only, every hour is 0, and nothing is known of a client's hours.
HOUR = Clock(PURCHASES.time, "hour")
WEEKDAY = Clock(DAYS.time, "weekday")
SATURDAY = 5
GAP_BEFORE = Previous(DAYS.gap)

FREQUENCY = (DAYS.count() - 1).given(DAYS.count() > 0)
RECENCY = DAYS.age.max() - DAYS.age.min()
T = DAYS.age.max()
MONETARY = DAYS["amount"].mean(DAYS.gap.is_there())
#: What buy till you die is told, and what it says of the horizon: see `loyalty.features.learn`.
BOUGHT = (FREQUENCY, RECENCY, T, MONETARY, CutoffDay() - T)
EXPECTED, SILENT = Learned("btyd", "expected", BOUGHT), Learned("btyd", "silent", BOUGHT)

FEATURES = (
    Feature(
        name="days_since_last",
        theme="rhythm",
        unit="days",
        meaning={"en": "days since the last purchase", "ko": "마지막 구매 후 경과 일수"},
        topic="silence",
        usual="gap_days_median",
        phrases={
            "en": Phrase(
                "{value} since the last purchase", unknown="no purchase yet", usual="usually buys every {value}"
            ),
            "ko": Phrase(
                "마지막 구매 후 {value}[이/가] 지났습니다",
                unknown="아직 구매가 없습니다",
                usual="평소 구매 간격 {value}",
            ),
        },
        formula=DAYS.age.min(),
        actionable=True,
        monotone=1,
    ),
    Feature(
        name="days_since_first_record",
        theme="rhythm",
        unit="days",
        meaning={"en": "days since the first recorded transaction", "ko": "첫 거래 후 경과 일수"},
        topic="age",
        phrases={
            "en": Phrase("first recorded transaction {value} ago"),
            "ko": Phrase("첫 거래 후 {value}[이/가] 지났습니다"),
        },
        formula=PURCHASES.age.max(),
    ),
    # Frequency, recency and T as the buy-till-you-die models mean them: Fader, Hardie and Lee (2005), "Counting Your
    # Customers the Easy Way", Marketing Science 24(2), 275-284. Several purchases on one day are one.
    Feature(
        name="frequency",
        theme="rhythm",
        unit="purchases",
        meaning={"en": "purchase days after the first one", "ko": "첫 구매 이후 구매일 수"},
        topic="pace",
        phrases={
            "en": Phrase(
                "{value} purchase [day/days] after the first", zero="no second purchase yet", unknown="no purchase yet"
            ),
            "ko": Phrase(
                "첫 구매 이후 {value}일 더 구매했습니다",
                zero="첫 구매 이후 재구매가 없습니다",
                unknown="아직 구매가 없습니다",
            ),
        },
        formula=FREQUENCY,
    ),
    Feature(
        name="recency",
        theme="rhythm",
        unit="days",
        meaning={"en": "days from the first purchase to the last", "ko": "첫 구매부터 마지막 구매까지의 기간 일수"},
        topic="age",
        phrases={
            "en": Phrase(
                "{value} from the first purchase to the last",
                zero="all purchases on one day",
                unknown="no purchase yet",
            ),
            "ko": Phrase(
                "첫 구매부터 마지막 구매까지 {value}입니다",
                zero="구매한 날이 하루뿐입니다",
                unknown="아직 구매가 없습니다",
            ),
        },
        formula=RECENCY,
    ),
    Feature(
        name="T",
        theme="rhythm",
        unit="days",
        meaning={"en": "days since the first purchase", "ko": "첫 구매 후 경과 일수"},
        topic="age",
        phrases={
            "en": Phrase("first purchase {value} ago", unknown="no purchase yet"),
            "ko": Phrase("첫 구매 후 {value}[이/가] 지났습니다", unknown="아직 구매가 없습니다"),
        },
        formula=T,
    ),
    *(
        Feature(
            name=f"purchase_days_count_{days}d",
            theme="rhythm",
            unit="purchases",
            meaning={"en": f"purchase days in the last {days} days", "ko": f"최근 {days}일 구매일 수"},
            topic="pace",
            phrases={
                "en": Phrase(
                    f"{{value}} purchase [day/days] in the last {days} days",
                    zero=f"no purchase in the last {days} days",
                ),
                "ko": Phrase(f"최근 {days}일 중 {{value}}일 구매했습니다", zero=f"최근 {days}일 동안 구매가 없습니다"),
            },
            formula=DAYS.count(within=days),
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
            topic="pace",
            speaks=False,
            formula=DAYS.decayed(days),
        )
        for days in DECAYS
    ),
    Feature(
        name="gap_days_mean",
        theme="rhythm",
        unit="days",
        meaning={"en": "average days between purchases", "ko": "평균 구매 간격 일수"},
        topic="gap",
        phrases={
            "en": Phrase("buys every {value} on average", unknown="no second purchase yet, so no usual gap"),
            "ko": Phrase("평균 {value}마다 구매합니다", unknown="아직 재구매가 없어 구매 간격을 알 수 없습니다"),
        },
        formula=DAYS.gap.mean(),
    ),
    Feature(
        name="gap_days_median",
        theme="rhythm",
        unit="days",
        meaning={"en": "median days between purchases", "ko": "구매 간격 일수의 중앙값"},
        topic="gap",
        phrases={
            "en": Phrase("usually buys every {value}", unknown="no second purchase yet, so no usual gap"),
            "ko": Phrase("평소 {value}마다 구매합니다", unknown="아직 재구매가 없어 구매 간격을 알 수 없습니다"),
        },
        formula=DAYS.gap.median(),
    ),
    Feature(
        name="gap_days_cv",
        theme="rhythm",
        unit="ratio",
        meaning={
            "en": "spread of the days between purchases against their average",
            "ko": "구매 간격의 변동계수(평균 대비 표준편차)",
        },
        topic="regularity",
        phrases={
            "en": Phrase(
                "gaps between purchases vary by {value} times their average",
                zero="buys at even intervals",
                unknown="too few purchases to tell how regular they are",
            ),
            "ko": Phrase(
                "구매 간격의 편차가 평균 간격의 {value}배입니다",
                zero="일정한 간격으로 구매합니다",
                unknown="구매가 적어 규칙성을 알 수 없습니다",
            ),
        },
        formula=DAYS.gap.sd() / DAYS.gap.mean(),
    ),
    Feature(
        name="gap_days_last",
        theme="rhythm",
        unit="days",
        meaning={"en": "days between the last two purchases", "ko": "최근 두 번의 구매 간격 일수"},
        topic="gap",
        usual="gap_days_median",
        phrases={
            "en": Phrase(
                "{value} between the last two purchases",
                unknown="no second purchase yet, so no usual gap",
                usual="usually {value}",
            ),
            "ko": Phrase(
                "최근 두 구매의 간격은 {value}입니다",
                unknown="아직 재구매가 없어 구매 간격을 알 수 없습니다",
                usual="평소 {value}",
            ),
        },
        formula=DAYS.gap.last(),
    ),
    Feature(
        name="gap_days_max",
        theme="rhythm",
        unit="days",
        meaning={"en": "longest pause between purchases", "ko": "최장 구매 공백 일수"},
        topic="gap",
        phrases={
            "en": Phrase("longest pause between purchases: {value}", unknown="no second purchase yet, so no usual gap"),
            "ko": Phrase(
                "가장 길었던 구매 공백은 {value}입니다", unknown="아직 재구매가 없어 구매 간격을 알 수 없습니다"
            ),
        },
        formula=DAYS.gap.max(),
    ),
    # Unlike the variation it compares neighbours only, so a client who slows down evenly stays regular. Clockwork is 1;
    # pure chance, exponential gaps, is about 0.39 (2 ln 2 - 1). In this it is akin to the local variation of Shinomoto,
    # Shima and Tanji (2003), "Differences in Spiking Patterns Among Cortical Neurons", Neural Computation 15(12).
    Feature(
        name="regularity",
        theme="rhythm",
        unit="ratio",
        meaning={
            "en": "regularity (the shorter of two successive gaps against the longer, on average; 1 if always equal)",
            "ko": "구매 규칙성(연속한 두 구매 간격 중 짧은 쪽 ÷ 긴 쪽의 평균, 항상 같으면 1)",
        },
        topic="regularity",
        phrases={
            "en": Phrase(
                "regularity of purchases {value}, where 1 is clockwork",
                unknown="too few purchases to tell how regular they are",
            ),
            "ko": Phrase("구매 규칙성은 1점 만점에 {value}점입니다", unknown="구매가 적어 규칙성을 알 수 없습니다"),
        },
        formula=(DAYS.gap.at_most(GAP_BEFORE) / DAYS.gap.at_least(GAP_BEFORE)).mean(),
    ),
    Feature(
        name="overdue_days",
        theme="rhythm",
        unit="days",
        meaning={
            "en": "days since the last purchase beyond the median gap (below 0: not yet due)",
            "ko": "구매 간격 중앙값을 넘긴 일수(음수면 아직 구매 시기 전)",
        },
        topic="silence",
        speaks=False,
        phrases={
            "en": Phrase(
                "{value} past the usual time of the next purchase",
                zero="next purchase due today",
                below="next purchase not due for another {value}",
                unknown="no second purchase yet, so no usual gap",
            ),
            "ko": Phrase(
                "평소 구매 시기가 {value} 지났습니다",
                zero="평소대로라면 오늘이 구매 시기입니다",
                below="평소대로라면 다음 구매까지 {value} 남았습니다",
                unknown="아직 재구매가 없어 구매 간격을 알 수 없습니다",
            ),
        },
        formula=DAYS.age.min() - DAYS.gap.median(),
        actionable=True,
    ),
    Feature(
        name="overdue_ratio",
        theme="rhythm",
        unit="ratio",
        meaning={
            "en": "days since the last purchase against the average gap",
            "ko": "평균 구매 간격 대비 마지막 구매 후 경과 기간",
        },
        topic="silence",
        speaks=False,
        phrases={
            "en": Phrase(
                "silent for {value} times the average gap between purchases",
                unknown="no second purchase yet, so no usual gap",
            ),
            "ko": Phrase(
                "마지막 구매 후 평균 구매 간격의 {value}배가 지났습니다",
                unknown="아직 재구매가 없어 구매 간격을 알 수 없습니다",
            ),
        },
        formula=DAYS.age.min() / DAYS.gap.mean(),
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
        topic="silence",
        speaks=False,
        phrases={
            "en": Phrase(
                "silent for {value} times the longest pause so far", unknown="no second purchase yet, so no usual gap"
            ),
            "ko": Phrase(
                "마지막 구매 후 최장 구매 공백의 {value}배가 지났습니다",
                unknown="아직 재구매가 없어 구매 간격을 알 수 없습니다",
            ),
        },
        formula=DAYS.age.min() / DAYS.gap.max(),
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
        topic="trend",
        phrases={
            "en": Phrase(
                "{value} more purchase [day/days] in the last 90 days than in the 90 days before",
                zero="as many purchase days in the last 90 days as in the 90 days before",
                below="{value} fewer purchase [day/days] in the last 90 days than in the 90 days before",
            ),
            "ko": Phrase(
                "최근 90일의 구매일이 직전 90일보다 {value}일 많습니다",
                zero="최근 90일의 구매일 수가 직전 90일과 같습니다",
                below="최근 90일의 구매일이 직전 90일보다 {value}일 적습니다",
            ),
        },
        formula=DAYS.count(within=90) - DAYS.count(within=180, beyond=90),
        actionable=True,
    ),
    Feature(
        name="orders_count_365d",
        theme="rhythm",
        unit="purchases",
        meaning={"en": "orders in the last 365 days", "ko": "최근 365일 주문 수"},
        topic="pace",
        phrases={
            "en": Phrase("{value} [order/orders] in the last 365 days", zero="no order in the last 365 days"),
            "ko": Phrase("최근 365일 주문은 {value}건입니다", zero="최근 365일 동안 주문이 없습니다"),
        },
        formula=PURCHASES["order_id"].nunique(PAID, within=365),
        actionable=True,
    ),
    Feature(
        name="weekday_top_share",
        theme="rhythm",
        unit="share",
        meaning={
            "en": "share of purchase days on the favourite weekday",
            "ko": "가장 자주 구매한 요일의 구매일 비율",
        },
        formula=WEEKDAY.top_share(),
    ),
    Feature(
        name="weekend_share",
        theme="rhythm",
        unit="share",
        meaning={"en": "share of purchase days on Saturdays and Sundays", "ko": "주말(토·일) 구매일 비율"},
        formula=DAYS.share(WEEKDAY >= SATURDAY),
    ),
    Feature(
        name="hour_mean",
        theme="rhythm",
        unit="hours",
        meaning={"en": "mean hour of the day of purchases, 0 to 23 in UTC", "ko": "평균 구매 시각(0~23시, UTC)"},
        formula=HOUR.mean(PAID).given(HOUR.mean(PAID) > 0),
    ),
    # A year ago began the season that the outcome falls into.
    Feature(
        name="purchase_days_last_year_count_90d",
        theme="rhythm",
        unit="purchases",
        meaning={
            "en": "purchase days a year ago, in the 90 days that followed",
            "ko": "1년 전 같은 날부터 90일간 구매일 수",
        },
        topic="a year ago",
        phrases={
            "en": Phrase(
                "{value} purchase [day/days] in the same season a year ago (90 days)",
                zero="no purchase in the same season a year ago (90 days)",
            ),
            "ko": Phrase(
                "1년 전 같은 시기 90일 중 {value}일 구매했습니다", zero="1년 전 같은 시기 90일 동안 구매가 없었습니다"
            ),
        },
        formula=DAYS.count(within=365, beyond=275),
    ),
    # Fader, Hardie and Lee (2005), as above: fitted on a training cutoff, see `loyalty.features.learn`.
    Feature(
        name="alive_probability",
        theme="rhythm",
        unit="share",
        meaning={
            "en": "probability that the client still buys at all, by frequency and recency",
            "ko": "구매 빈도와 최근성으로 본 거래 지속 확률",
        },
        topic="silence",
        speaks=False,
        phrases={
            "en": Phrase("{value} likely to be a client still, going by past purchases"),
            "ko": Phrase("과거 구매로 볼 때 거래를 지속하고 있을 확률은 {value}입니다"),
        },
        formula=Learned("btyd", "alive", BOUGHT),
        monotone=-1,
    ),
    Feature(
        name="expected_purchases",
        theme="rhythm",
        unit="purchases",
        meaning={
            "en": "purchase days to be expected in the horizon, by frequency and recency",
            "ko": "구매 빈도와 최근성으로 본 예측 기간 내 기대 구매일 수",
        },
        topic="silence",
        speaks=False,
        phrases={
            "en": Phrase("{value} purchase [day/days] to be expected in the period ahead, going by past purchases"),
            "ko": Phrase("과거 구매로 볼 때 예측 기간 내 기대 구매일 수는 {value}일입니다"),
        },
        formula=EXPECTED,
    ),
    Feature(
        name="silence_probability",
        theme="rhythm",
        unit="share",
        meaning={
            "en": "probability of no purchase in the horizon, by frequency and recency",
            "ko": "구매 빈도와 최근성으로 본 예측 기간 내 무구매 확률",
        },
        topic="silence",
        speaks=False,
        phrases={
            "en": Phrase("{value} likely not to buy in the period ahead, going by past purchases"),
            "ko": Phrase("과거 구매로 볼 때 예측 기간에 구매하지 않을 확률은 {value}입니다"),
        },
        formula=SILENT,
        monotone=1,
    ),
    Feature(
        name="season_sin",
        theme="rhythm",
        unit="position",
        meaning={"en": "season of the outcome (spring against autumn)", "ko": "예측 기간의 계절(봄 대 가을)"},
        formula=Season("sin"),
    ),
    Feature(
        name="season_cos",
        theme="rhythm",
        unit="position",
        meaning={"en": "season of the outcome (winter against summer)", "ko": "예측 기간의 계절(겨울 대 여름)"},
        formula=Season("cos"),
    ),
)
