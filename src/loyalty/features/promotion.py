"""Promotion: how much of a client's buying leans on discounts."""

from typing import Any

from loyalty.features.catalogue import Feature


def _priced(t: Any) -> Any:
    # Null is not known, and less than 0 a surcharge: with neither, the full price of what is left is above 0.
    return (t.amount > 0) & (t.discount >= 0) & (t.age_days <= 365)


FEATURES = (
    Feature(
        name="discount_share_365d",
        theme="promotion",
        unit="share",
        meaning={
            "en": "discount as a share of the full price in the last 365 days",
            "ko": "최근 365일 정가 대비 할인율",
        },
        needs=("discount",),
        expression=lambda t: t.discount.sum(where=_priced(t)) / (t.amount + t.discount).sum(where=_priced(t)),
        actionable=True,
    ),
    Feature(
        name="discounted_share_365d",
        theme="promotion",
        unit="share",
        meaning={
            "en": "share of lines bought on discount in the last 365 days",
            "ko": "최근 365일 할인 구매 건수 비율",
        },
        needs=("discount",),
        expression=lambda t: t.count(where=_priced(t) & (t.discount > 0)) / t.count(where=_priced(t)).nullif(0),
        actionable=True,
    ),
)
