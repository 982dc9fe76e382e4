"""Everything that happens in the synthetic world, drawn once, for each table to be made from."""

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loyalty.datasets import _shelf
from loyalty.datasets import _world as w
from loyalty.datasets._sentences import CATEGORIES
from loyalty.datasets._world import Bools, Floats, Ints, World

#: Whatever draws by chance has a stream of its own, so that one theme's draws never shift another's. New ones go last.
_THEMES: Final = (
    "clients", "orders", "offers", "problems", "leaving", "baskets", "lines", "contacts", "rewards", "contracts",
    "events", "languages", "attributes", "prices", "answers", "terms", "refunds",
)  # fmt: skip


class History:
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
        self._fill_baskets(self.rng("lines"))

    def rng(self, theme: str) -> np.random.Generator:
        """Begin the stream of a theme."""
        return np.random.default_rng([self.seed, _THEMES.index(theme)])

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
        """Say of each order the category of its main line, what it is meant to cost, and the discount on it."""
        orders, clients = self.orders, self.clients
        size = len(orders.time)
        taste = rng.dirichlet(np.ones(len(CATEGORIES)), len(clients.joined))
        weights = w.category_weights(orders.client, taste, self.calendar.year_day(orders.time), self.world.season)
        self._category_chance = np.cumsum(weights, axis=1)
        self.category = self._draw_category(rng, np.arange(size))
        self._meant = clients.spend[orders.client] * rng.lognormal(-0.5 * 0.45**2, 0.45, size)
        waits = rng.random(size) < clients.dependence[orders.client]
        own = np.where(waits, rng.choice([0.10, 0.15, 0.20, 0.30], size), 0.0)
        offered = self.offers.discount[orders.offer] if len(self.offers.discount) else np.zeros(size)
        self.discount = np.where(orders.offer >= 0, offered, own)
        habit = np.cumsum(rng.dirichlet([2.0, 2.0, 1.0], len(clients.joined)), axis=1)
        self.channel = (rng.random((size, 1)) > habit[orders.client]).sum(axis=1).clip(max=2)
        self.number = np.zeros(size, dtype=np.int64)
        in_time = np.flatnonzero(self.placed)[np.argsort(orders.time[self.placed], kind="stable")]
        self.number[in_time] = np.arange(1, len(in_time) + 1)

    def _fill_baskets(self, rng: np.random.Generator) -> None:
        """Split each placed order into lines, one a product."""
        placed = np.flatnonzero(self.placed)
        order = np.repeat(placed, 1 + np.minimum(rng.poisson(1.1, len(placed)), 7))
        category = self._draw_category(rng, order)
        category[np.diff(order, prepend=-1) > 0] = self.category[placed]
        shelf = _shelf.draw_shelf(self.rng("prices"), self.calendar.days)
        day = self.orders.time.astype(np.int64)
        self.lines = _shelf.draw_lines(rng, shelf, order, category, day, self._meant, self.discount)
        whole = np.bincount(self.lines.order, weights=self.lines.full_price, minlength=len(day))
        self.full_price = np.round(whole, 2)  # what comes to 96 must not stay below

    def _draw_category(self, rng: np.random.Generator, order: Ints) -> Ints:
        """Draw a category for each line of the orders."""
        above = rng.random((len(order), 1)) > self._category_chance[order]
        return np.asarray(above.sum(axis=1).clip(max=len(CATEGORIES) - 1))


def in_time(columns: dict[str, object], *sort: str) -> pd.DataFrame:
    """Put rows in order of time, and number them anew."""
    return pd.DataFrame(columns).sort_values(list(sort), kind="stable", ignore_index=True)


def moments(made: History, rng: np.random.Generator, rate: Floats) -> tuple[Ints, Floats]:
    """Draw moments at random, at each client's yearly rate, from the first order until the client leaves."""
    span = np.maximum(made.last_day - made.clients.first, 0.0)
    counts = rng.poisson(rate / w.YEAR * span)
    client = np.repeat(np.arange(len(counts)), counts)
    return client, made.clients.first[client] + rng.random(len(client)) * span[client]
