"""Oracle of the theme engagement."""

import itertools
import statistics
from collections.abc import Sequence
from datetime import datetime

from oracles.history import DAY, NAN, Contact, Event, History, age, purchase_days, ratio, within


def tell(history: History, cutoff: datetime) -> dict[str, float]:
    """Say every feature of the theme, of what is known of one client."""
    return {**_contacts(history.contacts, cutoff), **_events(history, cutoff)}


def _contacts(contacts: list[Contact], cutoff: datetime) -> dict[str, float]:
    inbound = [c for c in contacts if c.direction == "inbound"]
    outbound = [c for c in contacts if c.direction == "outbound"]
    two_way = sorted([*inbound, *(c for c in outbound if c.replied_at is not None)], key=lambda c: c.event_time)
    gaps = [(after.event_time - before.event_time) / DAY for before, after in itertools.pairwise(two_way)]
    told: dict[str, float] = {
        "contact_gap_days_mean": statistics.fmean(gaps) if gaps else NAN,
        "days_since_last_contact": age(two_way[-1], cutoff) if two_way else NAN,
        "contacts_trend_90d": _trend(two_way, cutoff),
    }
    for days in (90, 365):
        told[f"inbound_count_{days}d"] = len(within(inbound, cutoff, days))
        told[f"outbound_count_{days}d"] = len(within(outbound, cutoff, days))
    told["inbound_share_365d"] = ratio(told["inbound_count_365d"], len(within([*inbound, *outbound], cutoff, 365)))
    return told


def _events(history: History, cutoff: datetime) -> dict[str, float]:
    visits, posts, referrals = (
        [e for e in history.events if e.kind == kind] for kind in ("visit", "community_post", "referral")
    )
    told: dict[str, float] = {f"visits_count_{days}d": len(within(visits, cutoff, days)) for days in (90, 365)}
    bought = sum(day >= cutoff - 365 * DAY for day in purchase_days(history.purchases))
    return {
        **told,
        "visits_trend_90d": _trend(visits, cutoff),
        "days_since_last_visit": min((age(e, cutoff) for e in visits), default=NAN),
        "visits_per_purchase_day_365d": ratio(told["visits_count_365d"], bought),
        "community_posts_count_365d": len(within(posts, cutoff, 365)),
        "community_posts_trend_90d": _trend(posts, cutoff),
        "referrals_count_365d": len(within(referrals, cutoff, 365)),
        "referrals_trend_90d": _trend(referrals, cutoff),
        "event_kinds_count_365d": len({e.kind for e in within(history.events, cutoff, 365)}),
    }


def _trend(rows: Sequence[Contact | Event], cutoff: datetime) -> int:
    lately = sum(cutoff - 90 * DAY <= row.event_time for row in rows)
    before = sum(cutoff - 180 * DAY <= row.event_time < cutoff - 90 * DAY for row in rows)
    return lately - before
