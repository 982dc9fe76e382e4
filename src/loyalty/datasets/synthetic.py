"""Synthetic histories whose truth is known: what a company would have on file, and what really happened."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import pandas as pd

from loyalty.checks import is_whole_number
from loyalty.datasets import _world as w
from loyalty.datasets._contacts import contacts
from loyalty.datasets._history import History, in_time, moments
from loyalty.datasets._programme import contracts, rewards
from loyalty.datasets._sentences import CATEGORIES, LANGUAGES
from loyalty.datasets._shelf import PRODUCTS
from loyalty.datasets._world import Bools, World
from loyalty.timeline import Instant, as_instant

_CHANNELS: Final = np.array(["web", "app", "store"])
_OFFER_KINDS: Final = np.array(["percent_off", "free_delivery", "bundle"])
_OFFER_COSTS: Final = np.array([0.10, 4.00, 1.50])


@dataclass(frozen=True)
class SyntheticHistories:
    """Histories made by design.

    Attributes
    ----------
    tables : mapping of str to DataFrame
        `purchases`, `clients`, `contacts`, `offers`, `rewards`, `contracts` and `events`, in the canonical columns:
        what a company would know on the last day.
    truth : DataFrame
        One row per client: what no company knows. `client_id`, `segment`; `purchase_rate`, ordinary orders a year;
        `regularity`, Gamma shape of the gaps between them; `mean_spend`, mean list price of an order;
        `discount_dependence`, share of ordinary orders that wait for a discount; `leaving_rate`, yearly hazard while
        nothing pushes; `offer_uplift`, additional orders within 14 days caused by one treated offer;
        `offer_fatigue`, what each offer above three in four weeks adds to the relative hazard;
        `pushed_by_ignored_complaint`, `pushed_by_silence`, `pushed_by_offers`, whether that raised the hazard at any
        time; `left_at`, null for those still there on the last day; `left_because`, ``"natural"`` or the push that
        won; null likewise.
    """

    tables: Mapping[str, pd.DataFrame]
    truth: pd.DataFrame


def synthetic_tables(
    clients: int = 2000,
    *,
    seed: int = 0,
    start: Instant = "2023-01-01",
    end: Instant = "2025-12-31",
    world: World | None = None,
) -> SyntheticHistories:
    """Make the histories of a shop that grows, has a Christmas peak, and loses clients for known reasons.

    Parameters
    ----------
    clients : int, default=2000
        How many arrive within the span.
    seed : int, default=0
        The same seed makes the same histories; no global state is read or changed.
    start, end : str, date or Timestamp
        First and last day, both included. Nothing is on file that became known later; what was agreed by then, such
        as the day on which points lapse, may lie beyond.
    world : World, optional
        The laws of the world: growth, season, shares and pushes.

    Returns
    -------
    SyntheticHistories
        The tables, and the truth behind them.

    Raises
    ------
    ValueError
        If `clients` or `seed` is not a whole number in range, or the span is shorter than 60 days.

    Notes
    -----
    A client orders with Gamma gaps in busy time (a December day lasts longer) and leaves at a hazard of
    ``leaving_rate × (1 + ignored complaint + silence + offers)``. The three pushes come from what happened before:
    a complaint unanswered for 3 days; a problem neither complained about nor followed up (it leaves a refund without a
    contact); more than three offers in four weeks. Chance, not the client, decides which complaint is answered,
    which silent client is called, and which planned offer is sent, so all three are causes and not just signs.
    In the last 28 days before leaving clients visit less. Refunds and answers may still come after a client has left,
    and offers go on for 180 days after the last ordinary order: the company does not know.

    The rest moves nobody. Every product has one list price at a time, which rises by 3 to 10 % about once a year; a
    client goes on spending as before and takes a cheaper product instead. Costs are a share of the list price that
    differs by category; of an order that went wrong nothing can be sold again. Points lapse after 365 days, the oldest
    being handed in first, and the tier goes by what was earned within them. Subscriptions are agreed for 365 days: each
    renewal is a row, at the fee of that day, and a few come late. Chance alone decides whose feedback is answered, who
    is called back once a complaint is settled, and who complains of the same thing again for want of an answer.

    Examples
    --------
    >>> histories = synthetic_tables(50, seed=1)
    >>> list(histories.tables)
    ['purchases', 'clients', 'contacts', 'offers', 'rewards', 'contracts', 'events']

    The last day belongs to the span, the next morning does not:

    >>> bool(histories.tables["purchases"]["known_at"].max() < pd.Timestamp("2026-01-01"))
    True
    """
    first_day, days = _check(clients, seed, start, end)
    world = World() if world is None else world
    made = History(clients, seed, w.Calendar(first_day, days, world.season), world)
    builders: dict[str, Callable[[History], pd.DataFrame]] = {
        "purchases": _purchases,
        "clients": _clients,
        "contacts": contacts,
        "offers": _offers,
        "rewards": rewards,
        "contracts": contracts,
        "events": _events,
    }
    tables = {name: build(made) for name, build in builders.items()}
    return SyntheticHistories(MappingProxyType(tables), _truth(made))


def _check(clients: int, seed: int, start: Instant, end: Instant) -> tuple[pd.Timestamp, int]:
    for name, value, least in (("clients", clients, 1), ("seed", seed, 0)):
        if not is_whole_number(value, least=least):
            raise ValueError(f"`{name}` must be a whole number of at least {least}; got {value!r}.")
    first, last = as_instant(start, name="start").normalize(), as_instant(end, name="end").normalize()
    days = (last - first).days + 1
    if days < 60:
        raise ValueError(
            f"`end` must be at least 60 days after `start`, or there is nothing to learn; "
            f"got {first.date()} to {last.date()}."
        )
    return first, days


def _clients(made: History) -> pd.DataFrame:
    rng = made.rng("attributes")
    bargain = made.clients.segment == w.SEGMENTS.index("bargain")
    usual = rng.choice(["search", "shop", "referral", "social"], len(made.ids), p=(0.4, 0.3, 0.2, 0.1))
    return pd.DataFrame(
        {
            "client_id": made.ids,
            "joined_at": made.instants(made.clients.joined),
            "language": np.array(LANGUAGES)[made.language],
            "region": rng.choice(["north", "east", "south", "west"], len(made.ids), p=(0.4, 0.2, 0.25, 0.15)),
            "age": np.clip(np.round(rng.normal(42.0, 13.0, len(made.ids))), 18, 90).astype(np.int64),
            "acquisition": np.where(bargain & (rng.random(len(made.ids)) < 0.5), "social", usual),
        }
    )


def _refunds(made: History, rng: np.random.Generator) -> pd.DataFrame:
    """Give money back: for some lines at random, and for the main line of an order that went wrong.

    What came with an order that went wrong cannot be sold again; the rest goes back onto the shelf at its cost.
    """
    lines = made.lines
    trouble = np.zeros(len(made.number))
    trouble[made.problems.order] = np.where(np.isfinite(made.problems.complained), 0.6, 1.0)
    trouble = np.where(lines.leading, trouble[lines.order], 0.0)
    back = rng.random(len(lines.order)) < np.maximum(trouble, 0.03)
    time = made.orders.known[lines.order] + 2.0 + rng.gamma(2.0, 2.5, len(lines.order))
    known = time + rng.uniform(0.2, 3.0, len(lines.order))
    whole = rng.random(len(lines.order)) < 0.75
    pieces = np.where(whole, lines.quantity, rng.integers(1, lines.quantity + 1))
    part = pieces / lines.quantity
    refunds = pd.DataFrame({
        "line": np.arange(len(lines.order)), "time": time, "known": known, "quantity": -pieces,
        "amount": -np.round(lines.amount * part, 2), "discount": 0.0,
        "cost": np.where(trouble > 0, 0.0, -np.round(lines.cost * part, 2)),
    })  # fmt: skip
    return refunds[back & (known < made.calendar.days) & (refunds["amount"] < 0)]


def _purchases(made: History) -> pd.DataFrame:
    lines = made.lines
    bought = pd.DataFrame({
        "line": np.arange(len(lines.order)), "time": made.orders.time[lines.order],
        "known": made.orders.known[lines.order], "quantity": lines.quantity, "amount": lines.amount,
        "discount": np.where(made.discount[lines.order] > 0, np.round(lines.full_price - lines.amount, 2), 0.0),
        "cost": lines.cost,
    })  # fmt: skip
    rows = pd.concat([bought, _refunds(made, made.rng("refunds"))], ignore_index=True)
    line = rows["line"].to_numpy()
    order = lines.order[line]
    return in_time({
        "client_id": made.ids[made.orders.client[order]],
        "event_time": made.instants(rows["time"].to_numpy()),
        "known_at": made.instants(rows["known"].to_numpy()),
        "amount": rows["amount"].to_numpy(),
        "order_id": np.char.mod("O%07d", made.number)[order],
        "product_id": PRODUCTS[lines.product[line]],
        "category": np.array(CATEGORIES)[lines.category[line]],
        "channel": _CHANNELS[made.channel][order],
        "quantity": rows["quantity"].to_numpy(),
        "discount": rows["discount"].to_numpy(),
        "cost": rows["cost"].to_numpy(),
    }, "event_time", "client_id", "order_id")  # fmt: skip


def _offers(made: History) -> pd.DataFrame:
    """List the planned offers, treated or held back, while the company still saw an active client."""
    offers, orders = made.offers, made.orders
    ordinary = made.placed & ~orders.caused
    seen = w.ordered_recently(offers.client, offers.time, orders.client[ordinary], orders.time[ordinary])
    keep = np.flatnonzero(seen & (offers.time < made.calendar.days))
    redeemed = np.full(len(offers.client), np.nan)
    used = made.placed & (orders.offer >= 0)
    redeemed[orders.offer[used]] = orders.time[used]
    kind = offers.kind[keep]
    table = in_time({
        "client_id": made.ids[offers.client[keep]],
        "sent": made.instants(offers.time[keep]),
        "kind": _OFFER_KINDS[kind],
        "discount": offers.discount[keep],
        "cost": np.where(offers.treated[keep], _OFFER_COSTS[kind], 0.0),
        "treated": offers.treated[keep],
        "redeemed_at": made.instants(redeemed[keep]),
    }, "sent", "client_id")  # fmt: skip
    table.insert(2, "offer_id", np.char.mod("F%07d", np.arange(1, len(table) + 1)))
    return table


def _events(made: History) -> pd.DataFrame:
    """Record visits, which thin out before a client leaves, community posts and referrals."""
    rng = made.rng("events")
    client, time = moments(made, rng, 2.5 * made.clients.rate)
    cooling = made.leaving.time[client] - time < w.COOLING_DAYS
    stays = ~cooling | (rng.random(len(client)) < 0.25)
    client, time = client[stays], time[stays]
    poster, posted = moments(made, rng, np.where(rng.random(len(made.ids)) < 0.12, 15.0, 0.0))
    friend, referred = moments(made, rng, 0.4 * (1.0 - made.clients.dependence))
    happy = ~made.pushed(0, friend, referred)
    friend, referred = friend[happy], referred[happy]
    sizes = (len(client), len(poster), len(friend))
    who, when = np.concatenate([client, poster, friend]), np.concatenate([time, posted, referred])
    known = when + w.delays(rng, len(when), share=made.world.late_share / 2, longest=5.0)
    value = np.concatenate([1.0 + rng.poisson(4.0, sizes[0]), rng.poisson(3.0, sizes[1]), np.ones(sizes[2])])
    keep = known < made.calendar.days
    return in_time({
        "client_id": made.ids[who[keep]],
        "event_time": made.instants(when[keep]),
        "known_at": made.instants(known[keep]),
        "kind": np.repeat(["visit", "community_post", "referral"], sizes)[keep],
        "value": value[keep],
    }, "event_time", "client_id", "kind")  # fmt: skip


def _truth(made: History) -> pd.DataFrame:
    clients, left = made.clients, made.leaving.time
    weeks = np.arange(made.leaving.pushes.shape[2]) * 7.0
    as_client = weeks < made.last_day[:, None]
    pushed: Bools = np.any((made.leaving.pushes > 0) & as_client, axis=2)
    gone = left < made.calendar.days
    return pd.DataFrame(
        {
            "client_id": made.ids,
            "segment": np.array(w.SEGMENTS)[clients.segment],
            "purchase_rate": clients.rate,
            "regularity": clients.regularity,
            "mean_spend": clients.spend,
            "discount_dependence": clients.dependence,
            "leaving_rate": clients.leaving,
            "offer_uplift": clients.uplift,
            "offer_fatigue": clients.fatigue,
            **{f"pushed_by_{cause}": pushed[place] for place, cause in enumerate(w.CAUSES[1:])},
            "left_at": made.instants(left),
            "left_because": pd.Series(np.array(w.CAUSES)[made.leaving.cause]).where(gone),
        }
    )
