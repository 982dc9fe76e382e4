"""Slow, obvious answers to hold the fast ones against: plain loops over one client's purchases, no tables, no SQL.

Everything here is written from what a feature means, not from how the package computes it.
"""

import itertools
import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

NAN = math.nan
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Purchase:
    """One line as the source tells it; `known_at` is None if it was known at once."""

    client_id: int | str
    event_time: datetime
    amount: float
    known_at: datetime | None = None
    product_id: str | None = None
    category: str | None = None
    channel: str | None = None
    discount: float | None = None


def known_before(purchases: Iterable[Purchase], cutoff: datetime) -> list[Purchase]:
    """Keep what had reached the records before the cutoff."""
    return [p for p in purchases if (p.event_time if p.known_at is None else p.known_at) < cutoff]


def panel_by_client(
    purchases: Iterable[Purchase],
    *,
    cutoff: datetime,
    horizon_days: int,
    gap_days: int = 0,
    active_days: int | None = None,
) -> dict[int | str, dict[str, float]]:
    """Compute every feature of everyone who stands at the cutoff, one client after the other."""
    histories: dict[int | str, list[Purchase]] = {}
    for p in known_before(purchases, cutoff):
        histories.setdefault(p.client_id, []).append(p)
    if active_days is not None:
        histories = {
            client: history
            for client, history in histories.items()
            if any(p.event_time >= cutoff - active_days * DAY for p in history)
        }
    return {
        client: features_of(history, cutoff=cutoff, horizon_days=horizon_days, gap_days=gap_days)
        for client, history in histories.items()
    }


def features_of(
    purchases: Iterable[Purchase], *, cutoff: datetime, horizon_days: int, gap_days: int = 0
) -> dict[str, float]:
    """Compute every feature of one client; NaN where no value is defined."""
    known = known_before(purchases, cutoff)
    told = _rhythm(known, cutoff) | _value(known, cutoff) | _breadth(known, cutoff) | _promotion(known, cutoff)
    return told | _season(cutoff + gap_days * DAY + horizon_days * DAY / 2)


def _within(known: list[Purchase], cutoff: datetime, days: int) -> list[Purchase]:
    return [p for p in known if cutoff - days * DAY <= p.event_time < cutoff]


def _midnights(known: list[Purchase]) -> list[datetime]:
    """The days on which something was paid for, in order, each once."""
    return sorted({p.event_time.replace(hour=0, minute=0, second=0, microsecond=0) for p in known if p.amount > 0})


def _spend_of(known: list[Purchase], midnight: datetime) -> float:
    return math.fsum(p.amount for p in known if p.amount > 0 and midnight <= p.event_time < midnight + DAY)


def _rhythm(known: list[Purchase], cutoff: datetime) -> dict[str, float]:
    days = _midnights(known)
    gaps = [(after - before).days for before, after in itertools.pairwise(days)]
    told: dict[str, float] = {
        "days_since_first_record": max(((cutoff - p.event_time) / DAY for p in known), default=NAN),
        "days_since_last": (cutoff - days[-1]) / DAY if days else NAN,
        "T": (cutoff - days[0]) / DAY if days else NAN,
        "recency": (days[-1] - days[0]).days if days else NAN,
        "frequency": len(days) - 1 if days else NAN,
        "gap_days_mean": statistics.fmean(gaps) if gaps else NAN,
        "gap_days_median": statistics.median(gaps) if gaps else NAN,
        "gap_days_sd": statistics.stdev(gaps) if len(gaps) > 1 else NAN,
        "gap_days_last": gaps[-1] if gaps else NAN,
        "gap_days_max": max(gaps) if gaps else NAN,
    }
    told["overdue_ratio"] = told["days_since_last"] / told["gap_days_mean"] if gaps else NAN
    told["pause_ratio"] = told["days_since_last"] / told["gap_days_max"] if gaps else NAN
    for window in (30, 60, 90, 180, 365):
        told[f"purchase_days_count_{window}d"] = sum(day >= cutoff - window * DAY for day in days)
    for decay in (30, 90, 365):
        told[f"purchase_days_decayed_{decay}d"] = math.fsum(math.exp(-((cutoff - day) / DAY) / decay) for day in days)
    lately = sum(day >= cutoff - 90 * DAY for day in days)
    before = sum(cutoff - 180 * DAY <= day < cutoff - 90 * DAY for day in days)
    told["purchase_days_trend_90d"] = lately - before
    return told


def _value(known: list[Purchase], cutoff: datetime) -> dict[str, float]:
    days = _midnights(known)
    spent = [_spend_of(known, day) for day in days]
    told = {
        "amount_sum": math.fsum(p.amount for p in known),
        "monetary": statistics.fmean(spent[1:]) if len(spent) > 1 else NAN,
        "amount_day_mean": statistics.fmean(spent) if spent else NAN,
        "amount_day_max": max(spent, default=NAN),
        "amount_day_last": spent[-1] if spent else NAN,
    }
    for window in (30, 60, 90, 180, 365):
        told[f"amount_sum_{window}d"] = math.fsum(p.amount for p in _within(known, cutoff, window))
    for decay in (30, 90, 365):
        told[f"amount_decayed_{decay}d"] = math.fsum(
            p.amount * math.exp(-((cutoff - p.event_time) / DAY) / decay) for p in known
        )
    lately = math.fsum(p.amount for p in _within(known, cutoff, 90))
    before = math.fsum(p.amount for p in known if cutoff - 180 * DAY <= p.event_time < cutoff - 90 * DAY)
    told["amount_trend_90d"] = lately - before
    year = [p.amount for p in _within(known, cutoff, 365)]
    bought, refunded = math.fsum(a for a in year if a > 0), math.fsum(-a for a in year if a < 0)
    told["refunds_count_365d"] = sum(a < 0 for a in year)
    told["refund_share_365d"] = refunded / bought if bought else NAN
    return told


def _breadth(known: list[Purchase], cutoff: datetime) -> dict[str, float]:
    bought = [p for p in known if p.amount > 0]
    year = _within(bought, cutoff, 365)
    days = [day for day in _midnights(known) if day >= cutoff - 365 * DAY]
    lines = [sum(day <= p.event_time < day + DAY for p in bought) for day in days]
    return {
        "lines_day_mean_365d": statistics.fmean(lines) if lines else NAN,
        "products_count": len({p.product_id for p in bought} - {None}),
        "products_count_90d": len({p.product_id for p in _within(bought, cutoff, 90)} - {None}),
        "categories_count_365d": len({p.category for p in year} - {None}),
        "channels_count_365d": len({p.channel for p in year} - {None}),
    }


def _promotion(known: list[Purchase], cutoff: datetime) -> dict[str, float]:
    year = [p for p in _within(known, cutoff, 365) if p.amount > 0]
    discounts = [(p.amount, p.discount) for p in year if p.discount is not None and p.discount >= 0]
    full_price = math.fsum(amount + discount for amount, discount in discounts)
    return {
        "discount_share_365d": math.fsum(d for _, d in discounts) / full_price if discounts else NAN,
        "discounted_share_365d": sum(d > 0 for _, d in discounts) / len(discounts) if discounts else NAN,
    }


def _season(middle: datetime) -> dict[str, float]:
    angle = 2 * math.pi * middle.timetuple().tm_yday / 365.25
    return {"season_sin": math.sin(angle), "season_cos": math.cos(angle)}
