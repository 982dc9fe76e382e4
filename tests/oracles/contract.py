"""Oracle of the theme contract."""

import math
import statistics
from datetime import datetime, timedelta

from oracles.history import DAY, NAN, Contract, History, age, ratio, within


def tell(history: History, cutoff: datetime) -> dict[str, float]:
    """Say what can be said of one client alone."""
    spells = history.contracts
    running = [s for s in spells if s.end is None]
    last_end = max((s.end for s in spells if s.end is not None), default=None)
    first = min((s.start for s in spells), default=None)
    renewed = [s for s in running if s.renews_at is not None and s.renews_at < cutoff]
    told = {
        "days_since_contract_first": max((age(s, cutoff) for s in spells), default=NAN),
        "contract_running_days": max((age(s, cutoff) for s in running), default=NAN),
        "contracts_running_count": len(running),
        "contracts_count": len(spells),
        "plans_count": len({s.plan for s in spells} - {None}),
        "fee_running_sum": fees(running),
        "fee_change_last": NAN,
        "days_since_contract_end": NAN,
        "contract_pause_days": pause_of(spells, cutoff) / DAY if spells else NAN,
    }
    if last_end is not None:
        before = [s for s in spells if s.start < last_end and (s.end is None or s.end == last_end)]
        told["fee_change_last"] = fees(running) - fees(before)
        if not running:
            told["days_since_contract_end"] = (cutoff - last_end) / DAY
    later_starts = [s for s in within(spells, cutoff, 365) if s.start != first]
    renewals = [s for s in renewed if s.renews_at >= cutoff - 365 * DAY]
    told["renewals_count_365d"] = len(later_starts) + len(renewals)
    last = max([s.start for s in spells] + [s.renews_at for s in renewed], default=None)
    told["days_since_renewal"] = NAN if last is None else (cutoff - last) / DAY
    ahead = [s.renews_at for s in running if s.renews_at is not None and s.renews_at >= cutoff]
    told["days_to_renewal"] = (min(ahead) - cutoff) / DAY if ahead else NAN
    return told


def tell_all(history: History, cutoff: datetime) -> dict[int | str, dict[str, float]]:
    """Say of each client what takes all clients to say."""
    clients = {row.client_id for row in history.rows()}
    newest = {client: newest_of(history.of(client).contracts) for client in clients}
    fees_on: dict[str, list[float]] = {}
    for plan, fee in newest.values():
        if plan is not None:
            fees_on.setdefault(plan, []).append(fee)
    return {
        client: {"fee_plan_ratio": NAN if plan is None else ratio(fee, statistics.median(fees_on[plan]))}
        for client, (plan, fee) in newest.items()
    }


def newest_of(spells: list[Contract]) -> tuple[str | None, float]:
    """Find plan and fee of the running contract that began last; of several at that instant, the largest."""
    priced = [s for s in spells if s.end is None and s.plan is not None and s.fee is not None]
    if not priced:
        return None, NAN
    last = max(s.start for s in priced)
    return max(s.plan for s in priced if s.start == last), max(s.fee for s in priced if s.start == last)


def fees(spells: list[Contract]) -> float:
    """Add up the fees, if all are known."""
    return NAN if any(s.fee is None for s in spells) else math.fsum(s.fee for s in spells)


def pause_of(spells: list[Contract], cutoff: datetime) -> timedelta:
    """Take the time under contract off the time since the first; what overlaps is taken off twice."""
    open_time = sum(((s.end or cutoff) - s.start for s in spells), timedelta(0))
    pause = max(cutoff - min(s.start for s in spells) - open_time, timedelta(0))
    if all(s.end is not None for s in spells):
        pause = max(pause, cutoff - max(s.end for s in spells))
    return pause
