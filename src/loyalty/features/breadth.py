"""Breadth: how many different things, and through how many doors, a client buys."""

from loyalty.features.catalogue import Feature

FEATURES = (
    Feature(
        name="lines_day_mean_365d",
        theme="breadth",
        unit="count",
        meaning={
            "en": "lines bought per purchase day in the last 365 days",
            "ko": "최근 365일 구매일당 평균 구매 건수",
        },
        grain="purchase_days",
        expression=lambda t: t.lines.mean(where=t.age_days <= 365),
        actionable=True,
    ),
    Feature(
        name="products_count",
        theme="breadth",
        unit="products",
        meaning={"en": "different products bought so far", "ko": "누적 구매 상품 종류 수"},
        needs=("product_id",),
        expression=lambda t: t.product_id.nunique(where=t.amount > 0),
        empty=0.0,
        actionable=True,
    ),
    Feature(
        name="products_count_90d",
        theme="breadth",
        unit="products",
        meaning={"en": "different products bought in the last 90 days", "ko": "최근 90일 구매 상품 종류 수"},
        needs=("product_id",),
        expression=lambda t: t.product_id.nunique(where=(t.amount > 0) & (t.age_days <= 90)),
        empty=0.0,
        actionable=True,
    ),
    Feature(
        name="categories_count_365d",
        theme="breadth",
        unit="count",
        meaning={"en": "different categories bought in the last 365 days", "ko": "최근 365일 구매 카테고리 수"},
        needs=("category",),
        expression=lambda t: t.category.nunique(where=(t.amount > 0) & (t.age_days <= 365)),
        empty=0.0,
        actionable=True,
    ),
    Feature(
        name="channels_count_365d",
        theme="breadth",
        unit="count",
        meaning={"en": "channels bought through in the last 365 days", "ko": "최근 365일 이용 구매 채널 수"},
        needs=("channel",),
        expression=lambda t: t.channel.nunique(where=(t.amount > 0) & (t.age_days <= 365)),
        empty=0.0,
        actionable=True,
    ),
)
