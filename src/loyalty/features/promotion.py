"""Promotion: how a client takes to discounts and offers, to prices that rise, and to points."""

from loyalty.features.algebra import OFFERS, PURCHASES, REWARDS, Between, Days, Number, Previous, Since
from loyalty.features.algebra import PURCHASE_DAYS as DAYS
from loyalty.features.feature import Feature, Phrase

AMOUNT, DISCOUNT, QUANTITY = PURCHASES["amount"], PURCHASES["discount"], PURCHASES["quantity"]
#: Missing is not known, and less than 0 a surcharge: with neither, the full price of what is left is above 0.
PRICED = (AMOUNT > 0) & (DISCOUNT >= 0)
DEPTH = DISCOUNT / (AMOUNT + DISCOUNT)
#: Purchase days of which it is known whether there was a discount.
PRICED_DAYS = Days(
    "purchases",
    name="priced days",
    where=PRICED,
    sums=(("full_price_lines", Number(1.0).given(DISCOUNT <= 0).otherwise(0)),),
)
AT_FULL_PRICE = PRICED_DAYS["full_price_lines"] > 0

#: What was held back from a control group never reached the client.
RECEIVED = ~(OFFERS.optional("treated") < 1)
REDEEMED_AT = OFFERS["redeemed_at"]

#: What was bought of one product on one day: several lines are one price.
PRODUCT_DAYS = Days(
    "purchases",
    name="product days",
    where=(AMOUNT > 0) & (QUANTITY > 0),
    sums=(("amount", AMOUNT), ("quantity", QUANTITY)),
    by="product_id",
)
UNIT_PRICE = PRODUCT_DAYS["amount"] / PRODUCT_DAYS["quantity"]
PRICE_BEFORE = Previous(UNIT_PRICE, by="product_id")
#: Less than this is rounding.
RISE = UNIT_PRICE > PRICE_BEFORE * 1.02
SINCE_RISE = PRODUCT_DAYS.age.min(RISE)
# Purchase days are whole days apart, and their ages, for a cutoff between midnights, rounded: hence half a day of room.
AFTER_RISE = (DAYS.age < SINCE_RISE) & (DAYS.age >= SINCE_RISE - 90.5)
BEFORE_RISE = (DAYS.age > SINCE_RISE) & (DAYS.age <= SINCE_RISE + SINCE_RISE.at_most(90.5))

POINTS, KIND, TIER = REWARDS["points"], REWARDS["kind"], REWARDS["tier"]
EARNED, REDEEMED, EXPIRED = POINTS > 0, KIND.is_any("redeemed") & (POINTS < 0), KIND.is_any("expired") & (POINTS < 0)
TO_EXPIRY = -Since(REWARDS["expires_at"])
#: The first record of a tier, after that of another.
NEW_TIER = (
    TIER.is_there() & ~Previous(REWARDS.time, by="tier").is_there() & (REWARDS.age < REWARDS.age.max(TIER.is_there()))
)

FEATURES = (
    Feature(
        name="discount_share_365d",
        theme="promotion",
        unit="share",
        meaning={
            "en": "discount as a share of the full price in the last 365 days",
            "ko": "최근 365일 정가 대비 할인율",
        },
        topic="discounts",
        phrases={
            "en": Phrase(
                "{value} off the full price on average in the last 365 days",
                zero="no discount in the last 365 days",
                unknown="no purchase in the last 365 days",
            ),
            "ko": Phrase(
                "최근 365일 정가 대비 할인율은 {value}입니다",
                zero="최근 365일 동안 할인 구매가 없습니다",
                unknown="최근 365일 동안 구매가 없습니다",
            ),
        },
        formula=DISCOUNT.sum(PRICED, within=365) / (AMOUNT + DISCOUNT).sum(PRICED, within=365),
        actionable=True,
    ),
    Feature(
        name="discount_share_90d",
        theme="promotion",
        unit="share",
        meaning={
            "en": "discount as a share of the full price in the last 90 days",
            "ko": "최근 90일 정가 대비 할인율",
        },
        topic="discounts",
        phrases={
            "en": Phrase(
                "{value} off the full price on average in the last 90 days",
                zero="no discount in the last 90 days",
                unknown="no purchase in the last 90 days",
            ),
            "ko": Phrase(
                "최근 90일 정가 대비 할인율은 {value}입니다",
                zero="최근 90일 동안 할인 구매가 없습니다",
                unknown="최근 90일 동안 구매가 없습니다",
            ),
        },
        formula=DISCOUNT.sum(PRICED, within=90) / (AMOUNT + DISCOUNT).sum(PRICED, within=90),
        actionable=True,
    ),
    Feature(
        name="discount_share_change_90d",
        theme="promotion",
        unit="share",
        meaning={
            "en": "discount share of the last 90 days less that of the 275 days before",
            "ko": "직전 275일 대비 최근 90일 할인율 증감",
        },
        topic="discounts",
        phrases={
            "en": Phrase(
                "discounts of the last 90 days deeper by {value} of the full price than in the 275 days before",
                zero="discounts of the last 90 days as deep as in the 275 days before",
                below="discounts of the last 90 days smaller by {value} of the full price than in the 275 days before",
            ),
            "ko": Phrase(
                "최근 90일 할인율이 직전 275일보다 정가의 {value}만큼 높습니다",
                zero="최근 90일 할인율이 직전 275일과 같습니다",
                below="최근 90일 할인율이 직전 275일보다 정가의 {value}만큼 낮습니다",
            ),
        },
        formula=DISCOUNT.sum(PRICED, within=90) / (AMOUNT + DISCOUNT).sum(PRICED, within=90)
        - DISCOUNT.sum(PRICED, within=365, beyond=90) / (AMOUNT + DISCOUNT).sum(PRICED, within=365, beyond=90),
        actionable=True,
    ),
    Feature(
        name="discount_depth_mean_365d",
        theme="promotion",
        unit="share",
        meaning={
            "en": "mean depth of the discounts taken in the last 365 days",
            "ko": "최근 365일 할인 구매의 평균 할인율",
        },
        topic="discounts",
        formula=DEPTH.mean(PRICED & (DISCOUNT > 0), within=365),
        actionable=True,
    ),
    Feature(
        name="discount_only_days_share_365d",
        theme="promotion",
        unit="share",
        meaning={
            "en": "share of purchase days with nothing at full price in the last 365 days",
            "ko": "최근 365일 구매일 중 정가 구매가 전혀 없는 날의 비율",
        },
        topic="discounts",
        formula=PRICED_DAYS.share(~AT_FULL_PRICE, within=365),
        actionable=True,
    ),
    *(
        Feature(
            name=f"offers_count_{days}d",
            theme="promotion",
            unit="count",
            meaning={"en": f"offers received in the last {days} days", "ko": f"최근 {days}일 받은 혜택 제안 수"},
            topic="offers",
            phrases={
                "en": Phrase(
                    f"{{value}} [offer/offers] received in the last {days} days",
                    zero=f"no offer received in the last {days} days",
                ),
                "ko": Phrase(
                    f"최근 {days}일 동안 혜택 제안을 {{value}}건 받았습니다",
                    zero=f"최근 {days}일 동안 받은 혜택 제안이 없습니다",
                ),
            },
            formula=OFFERS.count(RECEIVED, within=days),
            actionable=True,
        )
        for days in (30, 90, 365)
    ),
    Feature(
        name="offers_per_purchase_day_365d",
        theme="promotion",
        unit="ratio",
        meaning={
            "en": "offers received for each purchase day in the last 365 days",
            "ko": "최근 365일 구매일 하루당 받은 혜택 제안 수",
        },
        topic="offers",
        phrases={
            "en": Phrase(
                "{value} offers received per purchase day in the last 365 days",
                zero="no offer received in the last 365 days",
            ),
            "ko": Phrase(
                "최근 365일 구매일 하루당 혜택 제안을 {value}건 받았습니다",
                zero="최근 365일 동안 받은 혜택 제안이 없습니다",
            ),
        },
        formula=OFFERS.count(RECEIVED, within=365) / DAYS.count(within=365),
        actionable=True,
    ),
    Feature(
        name="days_since_last_offer",
        theme="promotion",
        unit="days",
        meaning={"en": "days since the last offer received", "ko": "마지막으로 혜택 제안을 받은 후 경과 일수"},
        topic="offers",
        phrases={
            "en": Phrase("{value} since the last offer", unknown="no offer received so far"),
            "ko": Phrase("마지막 혜택 제안 후 {value}[이/가] 지났습니다", unknown="받은 혜택 제안이 없습니다"),
        },
        formula=OFFERS.age.min(RECEIVED),
        actionable=True,
    ),
    Feature(
        name="offers_redeemed_share_365d",
        theme="promotion",
        unit="share",
        meaning={
            "en": "share of the offers received in the last 365 days that were redeemed",
            "ko": "최근 365일 받은 혜택 제안 중 사용한 비율",
        },
        topic="redemption",
        phrases={
            "en": Phrase(
                "{value} of the offers of the last 365 days redeemed",
                zero="none of the offers of the last 365 days redeemed",
                unknown="no offer received in the last 365 days",
            ),
            "ko": Phrase(
                "최근 365일 받은 혜택 제안의 {value}[을/를] 사용했습니다",
                zero="최근 365일 받은 혜택 제안을 하나도 사용하지 않았습니다",
                unknown="최근 365일 동안 받은 혜택 제안이 없습니다",
            ),
        },
        formula=OFFERS.share(REDEEMED_AT.is_there(), where=RECEIVED, within=365),
        actionable=True,
    ),
    Feature(
        name="offers_redeemed_share_change_180d",
        theme="promotion",
        unit="share",
        meaning={
            "en": "redeemed share of the offers received in the last 180 days less that of all before",
            "ko": "최근 180일 받은 혜택 제안의 사용 비율에서 그 이전 혜택 제안의 사용 비율을 뺀 값",
        },
        topic="redemption",
        formula=OFFERS.share(REDEEMED_AT.is_there(), where=RECEIVED, within=180)
        - OFFERS.share(REDEEMED_AT.is_there(), where=RECEIVED, beyond=180),
        actionable=True,
    ),
    Feature(
        name="days_since_last_redeemed_offer",
        theme="promotion",
        unit="days",
        meaning={"en": "days since an offer was last redeemed", "ko": "마지막으로 혜택을 사용한 후 경과 일수"},
        topic="redemption",
        phrases={
            "en": Phrase("{value} since an offer was last redeemed", unknown="no offer redeemed so far"),
            "ko": Phrase(
                "마지막으로 혜택을 사용한 후 {value}[이/가] 지났습니다", unknown="혜택을 사용한 적이 없습니다"
            ),
        },
        formula=Since(REDEEMED_AT).min(RECEIVED),
        actionable=True,
    ),
    Feature(
        name="redemption_days_mean",
        theme="promotion",
        unit="days",
        meaning={
            "en": "average days from an offer to its redemption",
            "ko": "혜택 제안을 받은 후 사용하기까지의 평균 일수",
        },
        topic="redemption",
        formula=Between(OFFERS.time, REDEEMED_AT).mean(RECEIVED),
    ),
    Feature(
        name="offer_discount_mean_365d",
        theme="promotion",
        unit="share",
        meaning={
            "en": "mean size of the offers received in the last 365 days",
            "ko": "최근 365일 받은 혜택 제안의 평균 할인율",
        },
        formula=OFFERS["discount"].mean(RECEIVED, within=365),
        actionable=True,
    ),
    Feature(
        name="price_change_mean_365d",
        theme="promotion",
        unit="ratio",
        meaning={
            "en": "mean change of the unit price of products bought again in the last 365 days",
            "ko": "최근 365일 다시 산 상품의 평균 단가 변동률",
        },
        formula=(UNIT_PRICE / PRICE_BEFORE - 1).mean(within=365),
        actionable=True,
    ),
    Feature(
        name="price_rise_reaction_90d",
        theme="promotion",
        unit="purchases",
        meaning={
            "en": "purchase days in the (at most 90) days since the last price rise less those in as many before it",
            "ko": "마지막 가격 인상 이후(최대 90일) 구매일 수에서 인상 전 같은 기간의 구매일 수를 뺀 값",
        },
        phrases={
            "en": Phrase(
                "{value} more purchase [day/days] since the last price rise (90 days at most) than before it",
                zero="as many purchase days since the last price rise (90 days at most) as in as long before it",
                below="{value} fewer purchase [day/days] since the last price rise (90 days at most) than before it",
                unknown="no price rise met so far",
            ),
            "ko": Phrase(
                "마지막 가격 인상 후(최대 90일) 구매일이 인상 전 같은 기간보다 {value}일 많습니다",
                zero="마지막 가격 인상 후(최대 90일) 구매일 수가 인상 전 같은 기간과 같습니다",
                below="마지막 가격 인상 후(최대 90일) 구매일이 인상 전 같은 기간보다 {value}일 적습니다",
                unknown="가격 인상을 겪은 적이 없습니다",
            ),
        },
        formula=(DAYS.count(AFTER_RISE) - DAYS.count(BEFORE_RISE)).given(SINCE_RISE.is_there()),
        actionable=True,
    ),
    Feature(
        name="points_earned_sum_365d",
        theme="promotion",
        unit="points",
        meaning={"en": "points earned in the last 365 days", "ko": "최근 365일 적립 포인트"},
        topic="points",
        formula=POINTS.sum(EARNED, within=365),
        actionable=True,
    ),
    Feature(
        name="points_redeemed_sum_365d",
        theme="promotion",
        unit="points",
        meaning={"en": "points redeemed in the last 365 days", "ko": "최근 365일 사용 포인트"},
        formula=(-POINTS).sum(REDEEMED, within=365),
        actionable=True,
    ),
    Feature(
        name="points_expired_sum_365d",
        theme="promotion",
        unit="points",
        meaning={"en": "points that expired unused in the last 365 days", "ko": "최근 365일 소멸된 포인트"},
        formula=(-POINTS).sum(EXPIRED, within=365),
        actionable=True,
    ),
    Feature(
        name="points_redeemed_share",
        theme="promotion",
        unit="share",
        meaning={
            "en": "points redeemed so far as a share of those earned",
            "ko": "누적 적립 포인트 중 사용한 비율",
        },
        formula=(-POINTS).sum(REDEEMED) / POINTS.sum(EARNED),
        actionable=True,
    ),
    Feature(
        name="points_balance",
        theme="promotion",
        unit="points",
        meaning={"en": "points held", "ko": "보유 포인트"},
        topic="points",
        formula=POINTS.sum(),
        actionable=True,
    ),
    # Which points were redeemed is not told, so no more can lapse than are held.
    Feature(
        name="points_expiring_sum_90d",
        theme="promotion",
        unit="points",
        meaning={
            "en": "points held that expire within the next 90 days unless redeemed",
            "ko": "향후 90일 안에 소멸 예정인 보유 포인트",
        },
        formula=POINTS.sum(EARNED & (TO_EXPIRY >= 0) & (TO_EXPIRY < 90)).at_most(POINTS.sum().at_least(0)),
        actionable=True,
    ),
    Feature(
        name="tier_moves_count_365d",
        theme="promotion",
        unit="count",
        meaning={
            "en": "tiers held in the last 365 days beyond one",
            "ko": "최근 365일 동안 거친 등급 수에서 1을 뺀 값",
        },
        topic="tier",
        phrases={
            "en": Phrase(
                "moved between tiers {value} [time/times] in the last 365 days",
                zero="no change of tier in the last 365 days",
            ),
            "ko": Phrase("최근 365일 동안 등급이 {value}번 바뀌었습니다", zero="최근 365일 동안 등급 변화가 없습니다"),
        },
        formula=(TIER.nunique(within=365) - 1).at_least(0),
    ),
    Feature(
        name="days_since_last_new_tier",
        theme="promotion",
        unit="days",
        meaning={
            "en": "days since a tier was last reached for the first time",
            "ko": "새로운 등급에 처음 도달한 후 경과 일수",
        },
        topic="tier",
        phrases={
            "en": Phrase("{value} since a tier was last reached for the first time", unknown="no tier reached so far"),
            "ko": Phrase("새로운 등급에 도달한 후 {value}[이/가] 지났습니다", unknown="도달한 등급이 없습니다"),
        },
        formula=REWARDS.age.min(NEW_TIER),
    ),
)
