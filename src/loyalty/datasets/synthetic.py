"""Synthetic histories whose truth is known: what a company would have on file, and what really happened."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loyalty.datasets import _world as w
from loyalty.datasets._sentences import CATEGORIES, LANGUAGES, sentences
from loyalty.datasets._world import Bools, Floats, Ints, World
from loyalty.timeline import Instant, as_instant

_PRODUCTS: Final = 40  # in each category
_CHANNELS: Final = np.array(["web", "app", "store"])
_OFFER_KINDS: Final = np.array(["percent_off", "free_delivery", "bundle"])
_OFFER_COSTS: Final = np.array([0.10, 4.00, 1.50])
_REWARD: Final = 200.0  # points handed in at a time
_TIERS: Final = np.array(["basic", "silver", "gold"])
_TIER_POINTS: Final = np.array([300.0, 1_000.0])
_PLANS: Final = np.array(["basic", "plus", "premium"])
_FEES: Final = np.array([4.99, 9.99, 19.99])


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
        First and last day, both included. Nothing is on file that became known later.
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
    made = _History(clients, seed, w.Calendar(first_day, days, world.season), world)
    builders: dict[str, Callable[[_History], pd.DataFrame]] = {
        "purchases": _purchases,
        "clients": _clients,
        "contacts": _contacts,
        "offers": _offers,
        "rewards": _rewards,
        "contracts": _contracts,
        "events": _events,
    }
    tables = {name: build(made) for name, build in builders.items()}
    return SyntheticHistories(MappingProxyType(tables), _truth(made))


def _check(clients: int, seed: int, start: Instant, end: Instant) -> tuple[pd.Timestamp, int]:
    for name, value, least in (("clients", clients, 1), ("seed", seed, 0)):
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
            raise ValueError(f"`{name}` must be a whole number of at least {least}; got {value!r}.")
    first, last = as_instant(start, name="start").normalize(), as_instant(end, name="end").normalize()
    days = (last - first).days + 1
    if days < 60:
        raise ValueError(
            f"`end` must be at least 60 days after `start`, or there is nothing to learn; "
            f"got {first.date()} to {last.date()}."
        )
    return first, days


class _History:
    """Everything that happened, and what each table is made from."""

    def __init__(self, count: int, seed: int, calendar: w.Calendar, world: World) -> None:
        self.seed, self.calendar, self.world = seed, calendar, world
        self.clients = w.draw_clients(self.rng("clients"), count, calendar, world)
        ordinary = w.draw_ordinary_orders(self.rng("orders"), self.clients, calendar)
        rng = self.rng("offers")
        self.offers = w.draw_offers(rng, self.clients, calendar, world, ordinary)
        self.orders = w.draw_orders(rng, self.clients, calendar, world, ordinary, self.offers)
        self.problems = w.draw_problems(self.rng("problems"), self.orders, world)
        self.leaving = w.draw_leaving(
            self.rng("leaving"), self.clients, self.orders, self.offers, self.problems, calendar, world
        )
        self.ids = np.char.mod("C%06d", np.arange(1, count + 1))
        self.language = (self.rng("languages").random(count) < 0.4).astype(np.int64)
        self.placed: Bools = self.present(self.orders.client, self.orders.time) & (self.orders.known < calendar.days)
        self.last_day = np.minimum(self.leaving.time, calendar.days)
        self._draw_baskets(self.rng("baskets"))

    def rng(self, theme: str) -> np.random.Generator:
        """Give each theme a stream of its own, so that one theme's draws never shift another's."""
        return np.random.default_rng([self.seed, w.THEMES.index(theme)])

    def present(self, client: Ints, time: Floats) -> Bools:
        """Tell whether each client was still one, within the span."""
        return (time < self.leaving.time[client]) & (time < self.calendar.days)

    def pushed(self, push: int, client: Ints, time: Floats) -> Bools:
        """Tell whether a push was in force for each client in the week of each time."""
        return np.asarray(self.leaving.pushes[push, client, (time / 7.0).astype(np.int64)] > 0)

    def instants(self, times: Floats) -> NDArray[np.datetime64]:
        """Turn days into timestamps; what lies after the last day has not happened yet and is NaT."""
        return self.calendar.instants(np.where(times < self.calendar.days, times, np.nan))

    def _draw_baskets(self, rng: np.random.Generator) -> None:
        """Fill each order's basket: the category of its main line, what it costs, and the discount on it."""
        orders, clients = self.orders, self.clients
        size = len(orders.time)
        taste = rng.dirichlet(np.ones(len(CATEGORIES)), len(clients.joined))
        weights = w.category_weights(orders.client, taste, self.calendar.year_day(orders.time), self.world.season)
        self.category_chance = np.cumsum(weights, axis=1)
        self.category = self.draw_category(rng, np.arange(size))
        self.list_price = clients.spend[orders.client] * rng.lognormal(-0.5 * 0.45**2, 0.45, size)
        waits = rng.random(size) < clients.dependence[orders.client]
        own = np.where(waits, rng.choice([0.10, 0.15, 0.20, 0.30], size), 0.0)
        offered = self.offers.discount[orders.offer] if len(self.offers.discount) else np.zeros(size)
        self.discount = np.where(orders.offer >= 0, offered, own)
        habit = np.cumsum(rng.dirichlet([2.0, 2.0, 1.0], len(clients.joined)), axis=1)
        self.channel = (rng.random((size, 1)) > habit[orders.client]).sum(axis=1).clip(max=2)
        self.number = np.zeros(size, dtype=np.int64)
        in_time = np.flatnonzero(self.placed)[np.argsort(orders.time[self.placed], kind="stable")]
        self.number[in_time] = np.arange(1, len(in_time) + 1)

    def draw_category(self, rng: np.random.Generator, order: Ints) -> Ints:
        """Draw a category for each line of the orders."""
        above = rng.random((len(order), 1)) > self.category_chance[order]
        return np.asarray(above.sum(axis=1).clip(max=len(CATEGORIES) - 1))


def _table(columns: dict[str, object], *sort: str) -> pd.DataFrame:
    """Put rows in order of time, and number them anew."""
    return pd.DataFrame(columns).sort_values(list(sort), kind="stable", ignore_index=True)


def _clients(made: _History) -> pd.DataFrame:
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


def _lines(made: _History, rng: np.random.Generator) -> dict[str, NDArray[np.generic]]:
    """Split each placed order into lines, one a product, each with its category, quantity and price."""
    placed = np.flatnonzero(made.placed)
    order = np.repeat(placed, 1 + np.minimum(rng.poisson(1.1, len(placed)), 7))
    leading = np.diff(order, prepend=-1) > 0
    category = made.draw_category(rng, order)
    category[leading] = made.category[placed]
    product = category * _PRODUCTS + np.floor(_PRODUCTS * rng.random(len(order)) ** 2).astype(np.int64)
    once = np.sort(np.unique(order * len(CATEGORIES) * _PRODUCTS + product, return_index=True)[1])
    order, leading, category, product = order[once], leading[once], category[once], product[once]
    weight = rng.lognormal(0.0, 0.5, len(order))
    whole = np.bincount(order, weights=weight, minlength=len(made.number))
    price = np.maximum(made.list_price[order] * weight / whole[order], 0.5)
    amount = np.maximum(np.round(price * (1.0 - made.discount[order]), 2), 0.01)
    return {
        "order": order,
        "leading": leading,
        "category": category,
        "product": product,
        "quantity": 1 + rng.poisson(0.4, len(order)),
        "amount": amount,
        "discount": np.where(made.discount[order] > 0, np.maximum(np.round(price - amount, 2), 0.0), 0.0),
    }


def _refunds(
    made: _History, rng: np.random.Generator, lines: dict[str, NDArray[np.generic]]
) -> dict[str, NDArray[np.generic]]:
    """Give money back: for some lines at random, and for the main line of an order that went wrong."""
    order, quantity = np.asarray(lines["order"], dtype=np.int64), np.asarray(lines["quantity"], dtype=np.int64)
    trouble = np.zeros(len(made.number))
    trouble[made.problems.order] = np.where(np.isfinite(made.problems.complained), 0.6, 1.0)
    back = rng.random(len(order)) < np.where(lines["leading"], np.maximum(trouble[order], 0.03), 0.03)
    time = made.orders.known[order] + 2.0 + rng.gamma(2.0, 2.5, len(order))
    known = time + rng.uniform(0.2, 3.0, len(order))
    pieces = np.where(rng.random(len(order)) < 0.75, quantity, rng.integers(1, quantity + 1))
    amount = -np.round(np.asarray(lines["amount"], dtype=float) * pieces / quantity, 2)
    keep = np.flatnonzero(back & (known < made.calendar.days) & (amount < 0))
    return {
        "line": keep, "time": time[keep], "known": known[keep], "amount": amount[keep], "quantity": -pieces[keep],
    }  # fmt: skip


def _purchases(made: _History) -> pd.DataFrame:
    rng = made.rng("lines")
    lines = _lines(made, rng)
    refunds = _refunds(made, rng, lines)
    row = np.concatenate([np.arange(len(lines["order"])), refunds["line"]])
    order, category = lines["order"][row], lines["category"][row]
    names, products = np.array(CATEGORIES), np.arange(len(CATEGORIES) * _PRODUCTS)
    skus = np.array([f"{names[p // _PRODUCTS]}-{p % _PRODUCTS + 1:02d}" for p in products])

    def both(bought: NDArray[np.generic], returned: NDArray[np.generic]) -> NDArray[np.generic]:
        return np.concatenate([bought, returned])

    bought = lines["order"]
    return _table({
        "client_id": made.ids[made.orders.client[order]],
        "event_time": made.instants(np.asarray(both(made.orders.time[bought], refunds["time"]), dtype=float)),
        "known_at": made.instants(np.asarray(both(made.orders.known[bought], refunds["known"]), dtype=float)),
        "amount": both(lines["amount"], refunds["amount"]),
        "order_id": np.char.mod("O%07d", made.number)[order],
        "product_id": skus[lines["product"][row]],
        "category": names[category],
        "channel": _CHANNELS[made.channel][order],
        "quantity": both(lines["quantity"], refunds["quantity"]),
        "discount": both(lines["discount"], np.zeros(len(refunds["line"]))),
    }, "event_time", "client_id", "order_id")  # fmt: skip


def _write(rng: np.random.Generator, moods: NDArray[np.str_], language: Ints, category: Ints) -> list[str]:
    """Let each client write a sentence in their mood, in their language, about what they bought."""
    drawn = rng.random(len(moods))
    written = []
    for mood, spoken, about, u in zip(
        moods.tolist(), language.tolist(), category.tolist(), drawn.tolist(), strict=True
    ):
        choice = sentences(mood, LANGUAGES[spoken], about)
        written.append(choice[int(u * len(choice))])
    return written


def _complaints(made: _History, rng: np.random.Generator) -> pd.DataFrame:
    problems = made.problems
    there = made.present(problems.client, problems.complained) & (problems.known < made.calendar.days)
    client, order = problems.client[there], problems.order[there]
    rated = rng.random(len(client)) < 0.7
    return pd.DataFrame({
        "client": client, "event_time": problems.complained[there], "known_at": problems.known[there],
        "direction": "inbound", "kind": "complaint",
        "replied_at": problems.replied[there], "resolved_at": problems.resolved[there],
        "satisfaction": np.where(rated, 1.0 + (rng.random(len(client)) < 0.35), np.nan),
        "text": _write(rng, np.full(len(client), "complaint"), made.language[client], made.category[order]),
    })  # fmt: skip


def _questions(made: _History, rng: np.random.Generator) -> pd.DataFrame:
    client, time = _moments(made, rng, np.full(len(made.ids), 0.9))
    known = time + w.delays(rng, len(time), share=made.world.late_share, longest=2.0)
    answered = rng.random(len(client)) < 0.95
    replied = np.where(answered, known + rng.lognormal(np.log(0.4), 0.7, len(client)), np.nan)
    about = rng.integers(len(CATEGORIES), size=len(client))
    return pd.DataFrame({
        "client": client, "event_time": time, "known_at": known, "direction": "inbound", "kind": "question",
        "replied_at": replied, "resolved_at": replied + rng.exponential(0.3, len(client)), "satisfaction": np.nan,
        "text": _write(rng, np.full(len(client), "question"), made.language[client], about),
    })  # fmt: skip


def _feedback(made: _History, rng: np.random.Generator) -> pd.DataFrame:
    order = np.flatnonzero(made.placed & (rng.random(len(made.placed)) < 0.12))
    client = made.orders.client[order]
    time = made.orders.time[order] + 2.0 + rng.exponential(4.0, len(order))
    there = made.present(client, time)
    order, client, time = order[there], client[there], time[there]
    known = time + w.delays(rng, len(time), share=made.world.late_share, longest=2.0)
    mood = 4.2 + rng.normal(0.0, 0.8, len(order)) - 1.6 * np.isin(order, made.problems.order)
    mood = mood - 1.2 * made.pushed(0, client, time) - 0.8 * (made.leaving.time[client] - time < w.COOLING_DAYS)
    stars = np.clip(np.round(mood), 1, 5)
    moods = np.array(["bad", "fair", "good"])[(stars >= 3).astype(int) + (stars >= 4)]
    return pd.DataFrame({
        "client": client, "event_time": time, "known_at": known, "direction": "inbound", "kind": "feedback",
        "replied_at": np.nan, "resolved_at": np.nan, "satisfaction": stars,
        "text": _write(rng, moods, made.language[client], made.category[order]),
    })  # fmt: skip


def _follow_ups(made: _History) -> pd.DataFrame:
    problems = made.problems
    there = np.isfinite(problems.followed_up) & made.present(problems.client, problems.followed_up)
    time = problems.followed_up[there]
    return pd.DataFrame({
        "client": problems.client[there], "event_time": time, "known_at": time, "direction": "outbound",
        "kind": "follow_up", "replied_at": np.nan, "resolved_at": np.nan, "satisfaction": np.nan, "text": None,
    })  # fmt: skip


def _contacts(made: _History) -> pd.DataFrame:
    rng = made.rng("contacts")
    parts = [_complaints(made, rng), _questions(made, rng), _feedback(made, rng), _follow_ups(made)]
    rows = pd.concat([part.astype({"text": object}) for part in parts if len(part)] or parts[:1], ignore_index=True)
    rows = rows[rows["known_at"] < made.calendar.days]
    usual = rng.choice(["email", "phone", "chat"], len(rows), p=(0.5, 0.2, 0.3))
    client = rows["client"].to_numpy(dtype=np.int64)
    return _table({
        "client_id": made.ids[client],
        "event_time": made.instants(rows["event_time"].to_numpy(dtype=float)),
        "known_at": made.instants(rows["known_at"].to_numpy(dtype=float)),
        "direction": rows["direction"].to_numpy(),
        "channel": np.where(rows["direction"] == "outbound", "phone", usual),
        "kind": rows["kind"].to_numpy(),
        "replied_at": made.instants(rows["replied_at"].to_numpy(dtype=float)),
        "resolved_at": made.instants(rows["resolved_at"].to_numpy(dtype=float)),
        "satisfaction": rows["satisfaction"].to_numpy(dtype=float),
        "text": rows["text"].to_numpy(),
    }, "event_time", "client_id", "kind")  # fmt: skip


def _offers(made: _History) -> pd.DataFrame:
    """List the planned offers, treated or held back, while the company still saw an active client."""
    offers, orders = made.offers, made.orders
    ordinary = made.placed & ~orders.caused
    seen = w.ordered_recently(offers.client, offers.time, orders.client[ordinary], orders.time[ordinary])
    keep = np.flatnonzero(seen & (offers.time < made.calendar.days))
    redeemed = np.full(len(offers.client), np.nan)
    used = made.placed & (orders.offer >= 0)
    redeemed[orders.offer[used]] = orders.time[used]
    kind = offers.kind[keep]
    table = _table({
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


def _rewards(made: _History) -> pd.DataFrame:
    """Earn a point for each unit of money at list price; hand points in by the two hundred; rise in tier."""
    rng = made.rng("rewards")
    order = np.flatnonzero(made.placed & (made.list_price >= 1.0))
    client, time, points = made.orders.client[order], made.orders.time[order], np.floor(made.list_price[order])
    frame = pd.DataFrame({"client": client, "points": points})
    balance = frame.groupby("client")["points"].cumsum().to_numpy(dtype=float)
    reached = np.floor(balance / _REWARD) - np.floor((balance - points) / _REWARD)
    redeemers = rng.random(len(made.ids)) < 0.6
    spent_time = time + rng.uniform(1.0, 20.0, len(order))
    spends = redeemers[client] & (reached > 0) & made.present(client, spent_time)
    rows = pd.DataFrame({
        "client": np.concatenate([client, client[spends]]),
        "time": np.concatenate([time, spent_time[spends]]),
        "known": np.concatenate([made.orders.known[order], spent_time[spends]]),
        "kind": np.repeat(["earned", "redeemed"], [len(order), int(spends.sum())]),
        "points": np.concatenate([points, -_REWARD * reached[spends]]),
    }).sort_values(["client", "time"], kind="stable")  # fmt: skip
    earned = rows["points"].clip(lower=0).groupby(rows["client"]).cumsum().to_numpy(dtype=float)
    return _table({
        "client_id": made.ids[rows["client"].to_numpy()],
        "event_time": made.instants(rows["time"].to_numpy(dtype=float)),
        "known_at": made.instants(rows["known"].to_numpy(dtype=float)),
        "kind": rows["kind"].to_numpy(),
        "points": rows["points"].to_numpy(),
        "tier": _TIERS[np.searchsorted(_TIER_POINTS, earned, side="right")],
    }, "event_time", "client_id", "kind")  # fmt: skip


def _contracts(made: _History) -> pd.DataFrame:
    """Let holders take out a subscription; some switch plan on the way; it ends when they leave."""
    rng = made.rng("contracts")
    count, left = len(made.ids), made.leaving.time
    start = made.clients.first + rng.exponential(45.0, count)
    delay = w.delays(rng, count, share=made.world.late_share, longest=4.0)
    held = made.clients.holder & (start < made.last_day) & (start + delay < made.calendar.days)
    change = start + rng.uniform(60.0, 500.0, count)
    switches = held & (rng.random(count) < 0.15) & (change < made.last_day)
    plan = rng.integers(3, size=count)
    client = np.concatenate([np.flatnonzero(held), np.flatnonzero(switches)])
    second = np.arange(len(client)) >= held.sum()
    begins = np.where(second, change[client], start[client])
    stops = np.where(~second & switches[client], change[client], left[client])
    plans = np.where(second, (plan[client] + 1) % 3, plan[client])
    table = _table({
        "client_id": made.ids[client],
        "start": made.instants(begins),
        "known_at": made.instants(begins + np.where(second, 0.0, delay[client])),
        "end": made.instants(stops),
        "plan": _PLANS[plans],
        "fee": _FEES[plans],
    }, "start", "client_id")  # fmt: skip
    table.insert(3, "contract_id", np.char.mod("K%06d", np.arange(1, len(table) + 1)))
    return table


def _moments(made: _History, rng: np.random.Generator, rate: Floats) -> tuple[Ints, Floats]:
    """Draw moments at random, at each client's yearly rate, from the first order until the client leaves."""
    span = np.maximum(made.last_day - made.clients.first, 0.0)
    counts = rng.poisson(rate / w.YEAR * span)
    client = np.repeat(np.arange(len(counts)), counts)
    return client, made.clients.first[client] + rng.random(len(client)) * span[client]


def _events(made: _History) -> pd.DataFrame:
    """Record visits, which thin out before a client leaves, community posts and referrals."""
    rng = made.rng("events")
    client, time = _moments(made, rng, 2.5 * made.clients.rate)
    cooling = made.leaving.time[client] - time < w.COOLING_DAYS
    stays = ~cooling | (rng.random(len(client)) < 0.25)
    client, time = client[stays], time[stays]
    poster, posted = _moments(made, rng, np.where(rng.random(len(made.ids)) < 0.12, 15.0, 0.0))
    friend, referred = _moments(made, rng, 0.4 * (1.0 - made.clients.dependence))
    happy = ~made.pushed(0, friend, referred)
    friend, referred = friend[happy], referred[happy]
    sizes = (len(client), len(poster), len(friend))
    who, when = np.concatenate([client, poster, friend]), np.concatenate([time, posted, referred])
    known = when + w.delays(rng, len(when), share=made.world.late_share / 2, longest=5.0)
    value = np.concatenate([1.0 + rng.poisson(4.0, sizes[0]), rng.poisson(3.0, sizes[1]), np.ones(sizes[2])])
    keep = known < made.calendar.days
    return _table({
        "client_id": made.ids[who[keep]],
        "event_time": made.instants(when[keep]),
        "known_at": made.instants(known[keep]),
        "kind": np.repeat(["visit", "community_post", "referral"], sizes)[keep],
        "value": value[keep],
    }, "event_time", "client_id", "kind")  # fmt: skip


def _truth(made: _History) -> pd.DataFrame:
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
