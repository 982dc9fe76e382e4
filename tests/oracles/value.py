"""Oracle of the theme value."""

import math
import statistics
from datetime import datetime

from oracles.history import DAY, NAN, History, Purchase, age, bought, purchase_days, ratio, spend_of, within
from oracles.learned import buying


def tell(history: History, cutoff: datetime) -> dict[str, float]:
    """Say every feature of the theme, of what is known of one client."""
    known = history.purchases
    days = purchase_days(known)
    spent = [spend_of(known, day) for day in days]
    so_far = bought(known, cutoff)
    day_amount, buys = buying("day_amount", *so_far), 1 - buying("silent", *so_far)
    told = {
        "day_amount_expected": day_amount,
        "amount_expected_if_buying": buying("expected", *so_far) * day_amount / max(buys, 1e-6),
        "amount_sum": math.fsum(p.amount for p in known),
        "monetary": so_far[3],
        "amount_day_max": max(spent, default=NAN),
        "amount_day_last": spent[-1] if spent else NAN,
    }
    for window in (30, 90, 180, 365):
        told[f"amount_sum_{window}d"] = math.fsum(p.amount for p in within(known, cutoff, window))
    for decay in (30, 365):
        told[f"amount_decayed_{decay}d"] = math.fsum(
            p.amount * math.exp(-((cutoff - p.event_time) / DAY) / decay) for p in known
        )
    lately = math.fsum(p.amount for p in within(known, cutoff, 90))
    before = math.fsum(p.amount for p in known if cutoff - 180 * DAY <= p.event_time < cutoff - 90 * DAY)
    told["amount_trend_90d"] = lately - before
    year = [p.amount for p in within(known, cutoff, 365)]
    paid, refunded = math.fsum(a for a in year if a > 0), math.fsum(-a for a in year if a < 0)
    told["refunds_count_365d"] = sum(a < 0 for a in year)
    told["refund_share_365d"] = refunded / paid if paid else NAN
    in_year = [s for day, s in zip(days, spent, strict=True) if day >= cutoff - 365 * DAY]
    return told | {
        "amount_day_mean_365d": statistics.fmean(in_year) if in_year else NAN,
        "amount_day_sd": statistics.stdev(spent) if len(spent) > 1 else NAN,
        **_lines(known, cutoff),
        **_refunds(known, cutoff),
    }


def _lines(known: list[Purchase], cutoff: datetime) -> dict[str, float]:
    net_year = within(known, cutoff, 365)
    year = [p for p in net_year if p.amount > 0]
    spend = math.fsum(p.amount for p in year)
    in_orders = [p for p in year if p.order_id is not None]
    orders = {p.order_id for p in in_orders}
    costed = [p for p in year if p.cost is not None]
    last_year = cutoff - 365 * DAY
    return {
        "spend_sum_365d": spend,
        "spend_share_90d": ratio(math.fsum(p.amount for p in within(year, cutoff, 90)), spend),
        "amount_last_year_sum_90d": math.fsum(p.amount for p in net_year if p.event_time < last_year + 90 * DAY),
        "amount_order_mean_365d": ratio(math.fsum(p.amount for p in in_orders), len(orders)),
        "quantity_sum_365d": math.fsum(p.quantity for p in year if p.quantity is not None),
        "margin_sum_365d": math.fsum(p.amount - p.cost for p in net_year if p.cost is not None),
        "margin_share_365d": ratio(
            math.fsum(p.amount - p.cost for p in costed if p.cost is not None), math.fsum(p.amount for p in costed)
        ),
    }


def _refunds(known: list[Purchase], cutoff: datetime) -> dict[str, float]:
    refunds = [p for p in known if p.amount < 0]
    return {
        "refunded_sum_365d": math.fsum(-p.amount for p in within(refunds, cutoff, 365)),
        "days_since_last_refund": min((age(p, cutoff) for p in refunds), default=NAN),
    }
