"""Oracle of the theme service."""

import statistics
from datetime import datetime, timedelta

from oracles.history import DAY, NAN, Contact, History, age, purchase_days, share, within

HOUR = timedelta(hours=1)


def tell(history: History, cutoff: datetime) -> dict[str, float]:
    """Say every feature of the theme, of what is known of one client."""
    complaints = sorted((c for c in history.contacts if c.kind == "complaint"), key=lambda c: c.event_time)
    refunds = [p for p in history.purchases if p.amount < 0]
    return {
        **_open(complaints, cutoff),
        **_met(complaints, cutoff),
        **_repeated(complaints, cutoff),
        **_unanswered(history.contacts, cutoff),
        **_satisfaction(history.contacts, cutoff),
        "days_since_last_complaint": age(complaints[-1], cutoff) if complaints else NAN,
        "complaint_follow_up_days_last": _follow_up(history.contacts, complaints),
        "complaint_silence_days": _silence_after_complaint(history.contacts, complaints, cutoff),
        "refund_silence_days": _silence_about_refund(history, cutoff),
        "purchase_days_complaint_trend_180d": _bought_less(history, complaints, cutoff),
        "returns_count_90d": len(within(refunds, cutoff, 90)),
        "inbound_since_purchase_count": _since_purchase(history),
    }


def _open(complaints: list[Contact], cutoff: datetime) -> dict[str, float]:
    told: dict[str, float] = {f"complaints_count_{n}d": len(within(complaints, cutoff, n)) for n in (90, 365)}
    waiting = [cutoff - c.event_time for c in complaints if c.resolved_at is None]
    told["complaints_open_count"] = len(waiting)
    told["complaints_late_count"] = sum(wait > 7 * DAY for wait in waiting)
    told["complaint_open_days_max"] = max(waiting) / DAY if waiting else NAN
    return told


def _met(complaints: list[Contact], cutoff: datetime) -> dict[str, float]:
    replies = [(c.replied_at - c.event_time) / HOUR for c in complaints if c.replied_at is not None]
    settled = [(c.resolved_at - c.event_time) / DAY for c in complaints if c.resolved_at is not None]
    year = within(complaints, cutoff, 365)
    return {
        "complaint_reply_hours_mean": statistics.fmean(replies) if replies else NAN,
        "complaint_resolution_days_mean": statistics.fmean(settled) if settled else NAN,
        "complaints_answered_share_365d": share(c.replied_at is not None for c in year),
        "complaints_resolved_share_365d": share(c.resolved_at is not None for c in year),
    }


def _repeated(complaints: list[Contact], cutoff: datetime) -> dict[str, float]:
    year = within(complaints, cutoff, 365)
    seen: set[str] = set()
    same_topic = 0
    for complaint in year:
        if complaint.topic is not None:
            same_topic += complaint.topic in seen
            seen.add(complaint.topic)
    return {"complaints_same_topic_count_365d": same_topic}


def _unanswered(contacts: list[Contact], cutoff: datetime) -> dict[str, float]:
    waiting = []
    for contact in within(contacts, cutoff, 365):
        theirs = contact.kind in {"feedback", "complaint"} and contact.direction != "outbound"
        if theirs and contact.replied_at is None:
            waiting.append(age(contact, cutoff))
    return {
        "feedback_unanswered_count_365d": len(waiting),
        "feedback_unanswered_days_max_365d": max(waiting, default=NAN),
    }


def _satisfaction(contacts: list[Contact], cutoff: datetime) -> dict[str, float]:
    scored = [c for c in contacts if c.satisfaction is not None]
    scores = [(c.event_time, c.satisfaction) for c in scored]
    recent = [c.satisfaction for c in within(scored, cutoff, 180)]
    before = [c.satisfaction for c in scored if c.event_time < cutoff - 180 * DAY]
    return {
        "satisfaction_last": max(scores)[1] if scores else NAN,  # of several at one instant, the highest
        "satisfaction_mean": statistics.fmean(s for _, s in scores) if scores else NAN,
        "satisfaction_min": min((s for _, s in scores), default=NAN),
        "satisfaction_trend_180d": statistics.fmean(recent) - statistics.fmean(before) if recent and before else NAN,
    }


def _follow_up(contacts: list[Contact], complaints: list[Contact]) -> float:
    if not complaints:
        return NAN
    last = complaints[-1].event_time
    after = [c.event_time for c in contacts if c.direction == "outbound" and c.event_time >= last]
    return (min(after) - last) / DAY if after else NAN


def _silence_after_complaint(contacts: list[Contact], complaints: list[Contact], cutoff: datetime) -> float:
    if not complaints:
        return 0.0
    last = complaints[-1].event_time
    for contact in contacts:
        # What a client replied to the company is no word of the company's.
        word = contact.event_time if contact.direction == "outbound" else contact.replied_at
        if word is not None and word >= last:
            return 0.0
    return (cutoff - last) / DAY


def _silence_about_refund(history: History, cutoff: datetime) -> float:
    refunded = [p.event_time for p in history.purchases if p.amount < 0]
    if not refunded:
        return 0.0
    about = [c for c in history.contacts if c.event_time >= max(refunded) - 14 * DAY]
    if any(c.kind == "complaint" or c.direction == "outbound" for c in about):
        return 0.0
    return (cutoff - max(refunded)) / DAY


def _bought_less(history: History, complaints: list[Contact], cutoff: datetime) -> float:
    if not complaints:
        return NAN
    last = complaints[-1].event_time
    span = min(cutoff - last, 180 * DAY)
    days = purchase_days(history.purchases)
    after = sum(last < day < last + span for day in days)
    before = sum(last - span < day <= last for day in days)
    return after - before


def _since_purchase(history: History) -> float:
    days = purchase_days(history.purchases)
    return sum(c.direction == "inbound" and c.event_time >= days[-1] for c in history.contacts) if days else 0
