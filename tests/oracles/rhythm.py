"""Oracle of the theme rhythm."""

import itertools
import math
import statistics
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from oracles.history import DAY, NAN, History, bought, purchase_days, share, within
from oracles.learned import buying


def tell(history: History, cutoff: datetime) -> dict[str, float]:
    """Say every feature of the theme, of what is known of one client."""
    known = history.purchases
    days = purchase_days(known)
    gaps = [(after - before).days for before, after in itertools.pairwise(days)]
    told: dict[str, float] = {
        "days_since_first_record": max(((cutoff - p.event_time) / DAY for p in known), default=NAN),
        "days_since_last": (cutoff - days[-1]) / DAY if days else NAN,
        "gap_days_mean": statistics.fmean(gaps) if gaps else NAN,
        "gap_days_median": statistics.median(gaps) if gaps else NAN,
        "gap_days_last": gaps[-1] if gaps else NAN,
        "gap_days_max": max(gaps) if gaps else NAN,
    }
    so_far = bought(known, cutoff)
    told["frequency"], told["recency"], told["T"], *_ = so_far
    told["alive_probability"], told["expected_purchases"] = buying("alive", *so_far), buying("expected", *so_far)
    told["silence_probability"] = buying("silent", *so_far)
    told["overdue_ratio"] = told["days_since_last"] / told["gap_days_mean"] if gaps else NAN
    told["pause_ratio"] = told["days_since_last"] / told["gap_days_max"] if gaps else NAN
    for window in (30, 90, 180, 365):
        told[f"purchase_days_count_{window}d"] = sum(day >= cutoff - window * DAY for day in days)
    for decay in (30, 365):
        told[f"purchase_days_decayed_{decay}d"] = math.fsum(math.exp(-((cutoff - day) / DAY) / decay) for day in days)
    lately = sum(day >= cutoff - 90 * DAY for day in days)
    before = sum(cutoff - 180 * DAY <= day < cutoff - 90 * DAY for day in days)
    told["purchase_days_trend_90d"] = lately - before
    told["gap_days_cv"] = statistics.stdev(gaps) / told["gap_days_mean"] if len(gaps) > 1 else NAN
    alike = [min(pair) / max(pair) for pair in itertools.pairwise(gaps)]
    told["regularity"] = statistics.fmean(alike) if alike else NAN
    told["overdue_days"] = told["days_since_last"] - told["gap_days_median"] if gaps else NAN
    return told | _habits(history, cutoff, days)


def _habits(history: History, cutoff: datetime, days: list[datetime]) -> dict[str, float]:
    bought = [p for p in history.purchases if p.amount > 0]
    hours = [p.event_time.hour for p in bought]
    year = cutoff - 365 * DAY
    return {
        "orders_count_365d": len({p.order_id for p in within(bought, cutoff, 365)} - {None}),
        "weekday_top_share": _top(day.isoweekday() for day in days),
        "weekend_share": share(day.isoweekday() in (6, 7) for day in days),
        "hour_mean": statistics.fmean(hours) if any(hours) else NAN,
        "purchase_days_last_year_count_90d": sum(year <= day < year + 90 * DAY for day in days),
    }


def _top(values: Iterable[int]) -> float:
    counts = Counter(values)
    return max(counts.values()) / counts.total() if counts else NAN
