"""Oracle of the theme promotion."""

import math
import statistics
from datetime import datetime, timedelta

from oracles.history import (
    DAY,
    NAN,
    History,
    Offer,
    Purchase,
    Reward,
    age,
    midnight,
    purchase_days,
    ratio,
    share,
    within,
)


def tell(history: History, cutoff: datetime) -> dict[str, float]:
    """Say every feature of the theme, of what is known of one client."""
    received = [offer for offer in history.offers if offer.treated is not False]
    return {
        **_discounts(history.purchases, cutoff),
        **_pressure(received, history.purchases, cutoff),
        **_response(received, cutoff),
        **_prices(history.purchases, cutoff),
        **_points(history.rewards, cutoff),
        **_tiers(history.rewards, cutoff),
    }


def _discounts(purchases: list[Purchase], cutoff: datetime) -> dict[str, float]:
    # Gifts and refunds have no price, and a line without a discount column may have had any; a surcharge is none.
    priced = [p for p in purchases if p.amount > 0 and p.discount is not None and p.discount >= 0]
    year, quarter = within(priced, cutoff, 365), within(priced, cutoff, 90)
    depths = [_depth([p]) for p in year if p.discount]
    told = {
        "discount_share_365d": _depth(year),
        "discount_share_90d": _depth(quarter),
        "discount_share_change_90d": _depth(quarter) - _depth(within(priced, cutoff, 365, beyond=90)),
        "discount_depth_mean_365d": statistics.fmean(depths) if depths else NAN,
    }
    days = purchase_days(priced)
    full_price = purchase_days(p for p in priced if p.discount == 0)
    lately = [day for day in days if day >= cutoff - 365 * DAY]
    return told | {
        "discount_only_days_share_365d": share(day not in full_price for day in lately),
    }


def _depth(lines: list[Purchase]) -> float:
    """Say how much lower than the full price some lines were."""
    return ratio(math.fsum(p.discount for p in lines), math.fsum(p.amount + p.discount for p in lines))


def _pressure(received: list[Offer], purchases: list[Purchase], cutoff: datetime) -> dict[str, float]:
    told: dict[str, float] = {f"offers_count_{days}d": len(within(received, cutoff, days)) for days in (30, 90, 365)}
    bought = sum(day >= cutoff - 365 * DAY for day in purchase_days(purchases))
    return told | {
        "offers_per_purchase_day_365d": ratio(told["offers_count_365d"], bought),
        "days_since_last_offer": min((age(o, cutoff) for o in received), default=NAN),
    }


def _response(received: list[Offer], cutoff: datetime) -> dict[str, float]:
    year, lately = within(received, cutoff, 365), within(received, cutoff, 180)
    before = [o for o in received if o.sent < cutoff - 180 * DAY]
    used = [(o.sent, o.redeemed_at) for o in received if o.redeemed_at is not None]
    sizes = [o.discount for o in year if o.discount is not None]
    return {
        "offers_redeemed_share_365d": _used(year),
        "offers_redeemed_share_change_180d": _used(lately) - _used(before),
        "days_since_last_redeemed_offer": (cutoff - max(at for _, at in used)) / DAY if used else NAN,
        "redemption_days_mean": statistics.fmean((at - sent) / DAY for sent, at in used) if used else NAN,
        "offer_discount_mean_365d": statistics.fmean(sizes) if sizes else NAN,
    }


def _used(offers: list[Offer]) -> float:
    return share(o.redeemed_at is not None for o in offers)


def _prices(purchases: list[Purchase], cutoff: datetime) -> dict[str, float]:
    bought: dict[tuple[str, datetime], list[tuple[float, float]]] = {}
    for p in purchases:
        if p.amount > 0 and p.quantity is not None and p.quantity > 0 and p.product_id is not None:
            bought.setdefault((p.product_id, midnight(p.event_time)), []).append((p.amount, p.quantity))
    paid: dict[str, float] = {}
    rises, changes = [], []
    for product, day in sorted(bought, key=lambda key: key[1]):
        lines = bought[product, day]
        price = math.fsum(amount for amount, _ in lines) / math.fsum(quantity for _, quantity in lines)
        if product in paid:
            rises += [day] if price > paid[product] * 1.02 else []
            changes += [price / paid[product] - 1] if day >= cutoff - 365 * DAY else []
        paid[product] = price
    return {
        "price_change_mean_365d": statistics.fmean(changes) if changes else NAN,
        "price_rise_reaction_90d": _reaction(rises[-1], purchase_days(purchases), cutoff) if rises else NAN,
    }


def _reaction(rise: datetime, days: list[datetime], cutoff: datetime) -> float:
    long = min(cutoff - rise, 90 * DAY)
    after = sum(timedelta(0) < day - rise <= long for day in days)
    return after - sum(timedelta(0) < rise - day <= long for day in days)


def _points(rewards: list[Reward], cutoff: datetime) -> dict[str, float]:
    rewards = [r for r in rewards if r.points is not None]
    year = within(rewards, cutoff, 365)
    handed_in = {name: _lost(rows, "redeemed") for name, rows in (("ever", rewards), ("year", year))}
    held = math.fsum(r.points for r in rewards)
    expiring = [r for r in rewards if r.expires_at is not None and cutoff <= r.expires_at < cutoff + 90 * DAY]
    return {
        "points_earned_sum_365d": _earned(year),
        "points_redeemed_sum_365d": handed_in["year"],
        "points_expired_sum_365d": _lost(year, "expired"),
        "points_redeemed_share": ratio(handed_in["ever"], _earned(rewards)),
        "points_balance": held,
        "points_expiring_sum_90d": min(_earned(expiring), max(held, 0)),
    }


def _earned(rewards: list[Reward]) -> float:
    return math.fsum(r.points for r in rewards if r.points > 0)


def _lost(rewards: list[Reward], kind: str) -> float:
    return math.fsum(-r.points for r in rewards if r.kind == kind and r.points < 0)


def _tiers(rewards: list[Reward], cutoff: datetime) -> dict[str, float]:
    lately = {r.tier for r in within(rewards, cutoff, 365)} - {None}
    reached: dict[str, datetime] = {}
    for r in rewards:
        if r.tier is not None:
            reached[r.tier] = min(r.event_time, reached.get(r.tier, r.event_time))
    new = [at for at in reached.values() if at > min(reached.values())]
    return {
        "tier_moves_count_365d": max(len(lately) - 1, 0),
        "days_since_last_new_tier": (cutoff - max(new)) / DAY if new else NAN,
    }
