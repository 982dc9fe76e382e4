"""What binds clients to the synthetic shop: points that lapse, tiers, and subscriptions agreed for a year at a time."""

from typing import Final

import numpy as np
import pandas as pd

from loyalty.datasets import _world as w
from loyalty.datasets._history import History, in_time
from loyalty.datasets._world import Bools, Floats, Ints

_REWARD: Final = 200.0  # points handed in at a time
_VALID_DAYS: Final = 365.0  # points lapse at midnight, so long after the day on which they were earned
_TIERS: Final = np.array(["basic", "silver", "gold"])
_TIER_POINTS: Final = np.array([300.0, 1_000.0])  # earned and not yet out of date
_EARNED, _REDEEMED, _LAPSED = range(3)

_TERM_DAYS: Final = 365.0
_PAUSE_SHARE: Final = 0.12  # of renewals, so many come late
_PLANS: Final = np.array(["basic", "plus", "premium"])
_FEES: Final = np.array([4.99, 9.99, 19.99])
_FEE_RISE: Final = 1.06  # of new spells, half a year after the world's beginning and every year from then on


def rewards(made: History) -> pd.DataFrame:
    """Earn a point for each unit of money at list price; hand points in by the two hundred; the oldest go first."""
    moves = _movements(made, made.rng("rewards"))
    expired, in_date = _balances(moves)
    while (short := _overdrawn(moves, expired)).any():
        # Points that lapsed cannot be handed in; whoever has too few hands in none.
        first = ~moves.loc[short, "client"].duplicated().to_numpy()
        moves = moves.drop(moves.index[np.flatnonzero(short)[first]])
        expired, in_date = _balances(moves)
    lapsed = moves["kind"].to_numpy() == _LAPSED
    points = np.where(lapsed, -expired, moves["points"].to_numpy())
    moved = points != 0
    moves, points = moves[moved], points[moved]
    kind, time = moves["kind"].to_numpy(), moves["time"].to_numpy()
    return in_time({
        "client_id": made.ids[moves["client"].to_numpy()],
        "event_time": np.where(kind == _LAPSED, made.calendar.midnights(time), made.instants(time)),
        "known_at": np.where(kind == _LAPSED, made.calendar.midnights(time), made.instants(moves["known"].to_numpy())),
        "kind": np.array(["earned", "redeemed", "expired"])[kind],
        "points": points,
        "tier": _TIERS[np.searchsorted(_TIER_POINTS, in_date[moved], side="right")],
        "expires_at": made.calendar.midnights(np.where(kind == _EARNED, time + _VALID_DAYS, np.nan)),
    }, "event_time", "client_id", "kind")  # fmt: skip


def _movements(made: History, rng: np.random.Generator) -> pd.DataFrame:
    """List by client and time what is earned, what might be handed in, and the midnights at which points may lapse."""
    order = np.flatnonzero(made.placed & (made.full_price >= 1.0))
    client, time, points = made.orders.client[order], made.orders.time[order], np.floor(made.full_price[order])
    earned = _running_sum(client, points)
    reached = np.floor(earned / _REWARD) - np.floor((earned - points) / _REWARD)
    redeemers = rng.random(len(made.ids)) < 0.6
    spent_time = time + rng.uniform(1.0, 20.0, len(order))
    spends = redeemers[client] & (reached > 0) & made.present(client, spent_time)
    lapse_time = np.floor(time) + _VALID_DAYS
    # Of several orders of a client and a day, the last says how many points are then out of date.
    lapses = (lapse_time < made.calendar.days) & (np.diff(w.keys(client, lapse_time), append=np.inf) > 0)
    return pd.DataFrame({
        "client": np.concatenate([client, client[spends], client[lapses]]),
        "time": np.concatenate([time, spent_time[spends], lapse_time[lapses]]),
        "known": np.concatenate([made.orders.known[order], spent_time[spends], lapse_time[lapses]]),
        "kind": np.repeat([_EARNED, _REDEEMED, _LAPSED], [len(order), int(spends.sum()), int(lapses.sum())]),
        "points": np.concatenate([points, -_REWARD * reached[spends], np.zeros(int(lapses.sum()))]),
        "out_of_date": np.concatenate([np.zeros(len(order) + int(spends.sum())), earned[lapses]]),
    }).sort_values(["client", "time"], kind="stable", ignore_index=True)  # fmt: skip


def _balances(moves: pd.DataFrame) -> tuple[Floats, Floats]:
    """Return the points that lapse with each movement, and those earned by then that are not out of date."""
    client, points = moves["client"].to_numpy(), moves["points"].to_numpy()
    earned, redeemed = _running_sum(client, np.maximum(points, 0)), _running_sum(client, np.maximum(-points, 0))
    out_of_date = moves["out_of_date"].to_numpy()
    gone = _running_max(client, np.maximum(out_of_date - redeemed, 0))  # what is out of date and was not handed in
    lapsed = np.diff(gone, prepend=0.0)
    lapsed[np.diff(client, prepend=-1) > 0] = 0.0  # a client begins with earning
    return lapsed, earned - _running_max(client, out_of_date)


def _overdrawn(moves: pd.DataFrame, lapsed: Floats) -> Bools:
    """Tell which movements hand in more than there is."""
    return np.asarray(_running_sum(moves["client"].to_numpy(), moves["points"].to_numpy() - lapsed) < 0)


def _running_sum(client: Ints, values: Floats) -> Floats:
    """Add up the values of each client, whose rows stand together."""
    total = np.cumsum(values)
    begins = np.flatnonzero(np.diff(client, prepend=-1) > 0)
    rows = np.diff(np.append(begins, len(client)))
    return np.asarray(total - np.repeat(total[begins] - values[begins], rows))


def _running_max(client: Ints, values: Floats) -> Floats:
    """Largest value so far of each client, whose rows stand together; no value may be negative."""
    step = values.max(initial=0.0) + 1.0
    return np.asarray(np.maximum.accumulate(values + client * step) - client * step)


def contracts(made: History) -> pd.DataFrame:
    """Let holders subscribe for a year at a time; some switch plan on the way, a few pause; it ends when they leave.

    Whoever begins a spell agrees to the fee of its plan on that day, and keeps that fee to the end of the spell.
    """
    rng, terms = made.rng("contracts"), made.rng("terms")
    count, left = len(made.ids), made.leaving.time
    start = made.clients.first + rng.exponential(45.0, count)
    delay = w.delays(rng, count, share=made.world.late_share, longest=4.0)
    held = made.clients.holder & (start < made.last_day) & (start + delay < made.calendar.days)
    change = start + rng.uniform(60.0, 500.0, count)
    change = np.where(rng.random(count) < 0.15, change, np.inf)
    plan = rng.integers(3, size=count)
    client, begin = np.flatnonzero(held), start[held]
    spells = []
    while len(client):
        renews = begin + _TERM_DAYS
        switches = (change[client] > begin) & (change[client] < renews)
        stop = np.minimum(np.where(switches, change[client], renews), left[client])
        spells.append((client, begin, stop, renews))
        pauses = ~switches & (terms.random(len(client)) < _PAUSE_SHARE)
        following = stop + np.where(pauses, terms.uniform(15.0, 120.0, len(client)), 0.0)
        goes_on = following < made.last_day[client]
        client, begin = client[goes_on], following[goes_on]
    client = np.concatenate([spell[0] for spell in spells] or [np.zeros(0, dtype=np.int64)])
    begin, stop, renews = (np.concatenate([spell[part] for spell in spells] or [np.zeros(0)]) for part in (1, 2, 3))
    plans = (plan[client] + (begin >= change[client])) % 3
    table = in_time({
        "client_id": made.ids[client],
        "start": made.instants(begin),
        "known_at": made.instants(begin + np.where(begin == start[client], delay[client], 0.0)),
        "end": made.instants(stop),
        "renews_at": made.calendar.instants(renews),
        "plan": _PLANS[plans],
        "fee": np.round(_FEES[plans] * _FEE_RISE ** np.floor(begin / w.YEAR + 0.5), 2),
    }, "start", "client_id")  # fmt: skip
    table.insert(3, "contract_id", np.char.mod("K%06d", np.arange(1, len(table) + 1)))
    return table
