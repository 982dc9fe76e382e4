"""Breadth: how many different things, and through how many doors, a client buys."""

from loyalty.features.algebra import PURCHASE_DAYS as DAYS
from loyalty.features.algebra import PURCHASES, Headroom
from loyalty.features.feature import Feature, Phrase

AMOUNT, QUANTITY = PURCHASES["amount"], PURCHASES["quantity"]
PRODUCT, CATEGORY, CHANNEL = PURCHASES["product_id"], PURCHASES["category"], PURCHASES["channel"]
PAID = AMOUNT > 0
#: The price of a piece, missing where the pieces are not known.
PRICE = (AMOUNT / QUANTITY).given(PAID & (QUANTITY > 0))

FEATURES = (
    Feature(
        name="lines_day_mean_365d",
        theme="breadth",
        unit="count",
        meaning={
            "en": "lines bought per purchase day in the last 365 days",
            "ko": "최근 365일 구매일당 평균 구매 건수",
        },
        formula=DAYS["lines"].mean(within=365),
        actionable=True,
    ),
    Feature(
        name="products_count_90d",
        theme="breadth",
        unit="products",
        meaning={"en": "different products bought in the last 90 days", "ko": "최근 90일 구매 상품 종류 수"},
        topic="products",
        phrases={
            "en": Phrase(
                "{value} different [product/products] bought in the last 90 days",
                zero="no product bought in the last 90 days",
            ),
            "ko": Phrase("최근 90일 구매 상품은 {value}종입니다", zero="최근 90일 동안 구매한 상품이 없습니다"),
        },
        formula=PRODUCT.nunique(PAID, within=90),
        actionable=True,
    ),
    Feature(
        name="products_new_count_90d",
        theme="breadth",
        unit="products",
        meaning={
            "en": "products bought for the first time in the last 90 days",
            "ko": "최근 90일에 처음 구매한 상품 종류 수",
        },
        topic="products",
        phrases={
            "en": Phrase(
                "{value} [product/products] bought for the first time in the last 90 days",
                zero="no product bought for the first time in the last 90 days",
            ),
            "ko": Phrase(
                "최근 90일에 처음 구매한 상품은 {value}종입니다", zero="최근 90일에 처음 구매한 상품이 없습니다"
            ),
        },
        formula=PRODUCT.nunique(PAID) - PRODUCT.nunique(PAID, beyond=90),
        actionable=True,
    ),
    Feature(
        name="products_repeat_share_365d",
        theme="breadth",
        unit="share",
        meaning={
            "en": "share of lines that repeat a product within the last 365 days",
            "ko": "최근 365일 구매 건 중 같은 상품을 다시 산 비율",
        },
        phrases={
            "en": Phrase(
                "{value} of the lines of the last 365 days repeated a product",
                zero="no product bought again in the last 365 days",
                unknown="no purchase in the last 365 days",
            ),
            "ko": Phrase(
                "최근 365일 구매 건의 {value}[이/가] 같은 상품의 재구매입니다",
                zero="최근 365일 동안 다시 구매한 상품이 없습니다",
                unknown="최근 365일 동안 구매가 없습니다",
            ),
        },
        formula=1 - PRODUCT.nunique(PAID, within=365) / PRODUCT.count(PAID, within=365),
        actionable=True,
    ),
    Feature(
        name="categories_count",
        theme="breadth",
        unit="count",
        meaning={"en": "different categories bought so far", "ko": "누적 구매 카테고리 수"},
        topic="categories",
        phrases={
            "en": Phrase("{value} different [category/categories] bought so far", zero="no category bought so far"),
            "ko": Phrase("지금까지 구매한 카테고리는 {value}개입니다", zero="지금까지 구매한 카테고리가 없습니다"),
        },
        formula=CATEGORY.nunique(PAID),
        actionable=True,
    ),
    Feature(
        name="categories_count_365d",
        theme="breadth",
        unit="count",
        meaning={"en": "different categories bought in the last 365 days", "ko": "최근 365일 구매 카테고리 수"},
        topic="categories",
        phrases={
            "en": Phrase(
                "{value} different [category/categories] bought in the last 365 days",
                zero="no category bought in the last 365 days",
            ),
            "ko": Phrase(
                "최근 365일 구매 카테고리는 {value}개입니다", zero="최근 365일 동안 구매한 카테고리가 없습니다"
            ),
        },
        formula=CATEGORY.nunique(PAID, within=365),
        actionable=True,
    ),
    Feature(
        name="categories_new_count_90d",
        theme="breadth",
        unit="count",
        meaning={
            "en": "categories bought for the first time in the last 90 days",
            "ko": "최근 90일에 처음 구매한 카테고리 수",
        },
        topic="categories",
        phrases={
            "en": Phrase(
                "{value} [category/categories] bought for the first time in the last 90 days",
                zero="no category bought for the first time in the last 90 days",
            ),
            "ko": Phrase(
                "최근 90일에 처음 구매한 카테고리는 {value}개입니다", zero="최근 90일에 처음 구매한 카테고리가 없습니다"
            ),
        },
        formula=CATEGORY.nunique(PAID) - CATEGORY.nunique(PAID, beyond=90),
        actionable=True,
    ),
    Feature(
        name="category_top_share_365d",
        theme="breadth",
        unit="share",
        meaning={
            "en": "share of lines in the favourite category in the last 365 days",
            "ko": "최근 365일 최다 구매 카테고리의 건수 비중",
        },
        topic="categories",
        formula=CATEGORY.top_share(PAID, within=365),
    ),
    Feature(
        name="category_headroom_share_365d",
        theme="breadth",
        unit="share",
        meaning={
            "en": "share of similar clients' spend that goes to categories not bought in the last 365 days",
            "ko": "선호 카테고리가 같은 고객들의 구매액 중 최근 365일간 사지 않은 카테고리의 비중",
        },
        topic="categories",
        formula=Headroom(CATEGORY, AMOUNT, PAID, 365.0),
        actionable=True,
    ),
    Feature(
        name="channels_count_365d",
        theme="breadth",
        unit="count",
        meaning={"en": "channels bought through in the last 365 days", "ko": "최근 365일 이용 구매 채널 수"},
        topic="channels",
        phrases={
            "en": Phrase(
                "bought through {value} [channel/channels] in the last 365 days",
                zero="bought through no channel in the last 365 days",
            ),
            "ko": Phrase(
                "최근 365일 이용한 구매 채널은 {value}개입니다", zero="최근 365일 동안 이용한 구매 채널이 없습니다"
            ),
        },
        formula=CHANNEL.nunique(PAID, within=365),
        actionable=True,
    ),
    Feature(
        name="channel_top_share_365d",
        theme="breadth",
        unit="share",
        meaning={
            "en": "share of lines bought through the favourite channel in the last 365 days",
            "ko": "최근 365일 최다 이용 채널의 구매 건수 비중",
        },
        topic="channels",
        formula=CHANNEL.top_share(PAID, within=365),
    ),
    Feature(
        name="unit_price_ratio_180d",
        theme="breadth",
        unit="ratio",
        meaning={
            "en": "mean price of a piece in the last 180 days against that before, above 1 for upgrades",
            "ko": "이전 대비 최근 180일 평균 단가의 비율(1보다 크면 상향 구매)",
        },
        phrases={
            "en": Phrase(
                "mean price of a piece in the last 180 days {value} times that before",
                unknown="too few purchases to compare the price of a piece",
            ),
            "ko": Phrase(
                "최근 180일 평균 단가는 이전의 {value}배입니다", unknown="구매가 적어 평균 단가를 비교할 수 없습니다"
            ),
        },
        formula=PRICE.mean(within=180) / PRICE.mean(beyond=180),
        actionable=True,
    ),
)
