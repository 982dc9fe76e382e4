"""Oracle of the theme breadth."""

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime

from oracles.history import DAY, NAN, History, Purchase, purchase_days, ratio, within


def tell(history: History, cutoff: datetime) -> dict[str, float]:
    """Say every feature of the theme, of what is known of one client; what needs the others is told by `tell_all`."""
    known = history.purchases
    bought = [p for p in known if p.amount > 0]
    year, quarter = within(bought, cutoff, 365), within(bought, cutoff, 90)
    older = [p for p in bought if p.event_time < cutoff - 90 * DAY]
    days = [day for day in purchase_days(known) if day >= cutoff - 365 * DAY]
    lines = [sum(day <= p.event_time < day + DAY for p in bought) for day in days]
    products = [p.product_id for p in year if p.product_id is not None]
    return {
        "lines_day_mean_365d": statistics.fmean(lines) if lines else NAN,
        "products_count_90d": len(_held(quarter, "product_id")),
        "products_new_count_90d": len(_held(quarter, "product_id") - _held(older, "product_id")),
        "products_repeat_share_365d": ratio(len(products) - len(set(products)), len(products)),
        "categories_count": len(_held(bought, "category")),
        "categories_count_365d": len(_held(year, "category")),
        "categories_new_count_90d": len(_held(quarter, "category") - _held(older, "category")),
        "category_top_share_365d": _top(p.category for p in year),
        "channels_count_365d": len(_held(year, "channel")),
        "channel_top_share_365d": _top(p.channel for p in year),
        "unit_price_ratio_180d": _price_ratio(bought, cutoff),
    }


def tell_all(everyone: History, cutoff: datetime) -> dict[int | str, dict[str, float]]:
    """Say of each client the features that set it beside the others, of what is known of all."""
    spend: dict[int | str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for p in within(everyone.purchases, cutoff, 365):
        if p.amount > 0 and p.category is not None:
            spend[p.client_id][p.category] += p.amount
    favourite = {client: min(held, key=lambda name: (-held[name], name)) for client, held in spend.items()}
    told = {p.client_id: {"category_headroom_share_365d": NAN} for p in everyone.purchases}
    for client, held in spend.items():
        similar = [spend[other] for other in spend if favourite[other] == favourite[client]]
        elsewhere = math.fsum(amount for of in similar for name, amount in of.items() if name not in held)
        told[client] = {"category_headroom_share_365d": elsewhere / math.fsum(a for of in similar for a in of.values())}
    return told


def _held(lines: Iterable[Purchase], what: str) -> set[str]:
    return {getattr(p, what) for p in lines} - {None}


def _top(names: Iterable[str | None]) -> float:
    counts = Counter(name for name in names if name is not None)
    return max(counts.values()) / counts.total() if counts else NAN


def _price_ratio(bought: list[Purchase], cutoff: datetime) -> float:
    edge = cutoff - 180 * DAY
    prices = [
        (p.event_time >= edge, p.amount / p.quantity) for p in bought if p.quantity is not None and p.quantity > 0
    ]
    lately, before = ([price for late, price in prices if late == which] for which in (True, False))
    return statistics.fmean(lately) / statistics.fmean(before) if lately and before else NAN
