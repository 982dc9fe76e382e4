"""What lies on the shelves of the synthetic shop: what a product costs from day to day, and what a basket holds.

Everybody meets the same list price on the same day. Prices rise now and then, a product at a time, and never fall.
What clients mean to spend does not rise with them: where prices have risen they take a cheaper product.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from loyalty.datasets import _world as w
from loyalty.datasets._sentences import CATEGORIES
from loyalty.datasets._world import Bools, Floats, Ints

RUNGS: Final = 40  # products in each category, from the cheapest to the dearest
_CHEAPEST, _DEAREST = 1.0, 400.0
_RISES_PER_YEAR, _LEAST_RISE, _MOST_RISE = 1.0, 0.03, 0.10  # of one product
_COST_SHARES = dict(zip(CATEGORIES, (0.45, 0.55, 0.75, 0.35, 0.60, 0.65), strict=True))  # of the list price

PRODUCTS: Final = np.array([f"{category}-{rung + 1:02d}" for category in CATEGORIES for rung in range(RUNGS)])


@dataclass(frozen=True)
class Shelf:
    """The list prices of every product, and what they cost the company."""

    prices: Floats  # (days, products)
    cost_share: Floats  # of each product's list price
    ladder: Floats  # what each rung costs where nothing has risen


@dataclass(frozen=True)
class Lines:
    """One entry a line of an order: what was bought of one product; `leading` is the main one of its order."""

    order: Ints
    leading: Bools
    category: Ints
    product: Ints
    quantity: Ints
    full_price: Floats  # of all its pieces
    amount: Floats  # what was paid
    cost: Floats


def draw_shelf(rng: np.random.Generator, days: int) -> Shelf:
    """Set the prices of the first day, and let each rise now and then, at midnight."""
    ladder = np.geomspace(_CHEAPEST, _DEAREST, RUNGS)
    products = len(PRODUCTS)
    first = np.tile(ladder, len(CATEGORIES)) * rng.uniform(0.95, 1.05, products)
    rises = rng.poisson(_RISES_PER_YEAR / w.YEAR * days * products)
    steps = np.zeros((days, products))
    when, what = rng.integers(1, days, rises), rng.integers(products, size=rises)
    np.add.at(steps, (when, what), np.log1p(rng.uniform(_LEAST_RISE, _MOST_RISE, rises)))
    share = np.repeat(list(_COST_SHARES.values()), RUNGS) + rng.uniform(-0.05, 0.05, products)
    return Shelf(first * np.exp(np.cumsum(steps, axis=0)), share, ladder)


def draw_lines(
    rng: np.random.Generator, shelf: Shelf, order: Ints, category: Ints, day: Ints, meant: Floats, discount: Floats
) -> Lines:
    """Fill baskets that cost, on average, what clients mean to spend.

    Parameters
    ----------
    rng : Generator
        Of everything drawn here.
    shelf : Shelf
        The prices.
    order, category : ndarray
        One entry a line: its order, in ascending order, and its category.
    day, meant, discount : ndarray
        One entry an order: its day, the list price that it is meant to have, and the share taken off.
    """
    weight = rng.lognormal(0.0, 0.5, len(order))
    quantity = 1 + rng.poisson(0.4, len(order))
    whole = np.bincount(order, weights=weight, minlength=len(meant))
    piece = meant[order] * weight / whole[order] / quantity
    risen = (shelf.prices / np.tile(shelf.ladder, len(CATEGORIES))).mean(axis=1)
    nearest = np.searchsorted((shelf.ladder[1:] + shelf.ladder[:-1]) / 2.0, piece / risen[day[order]])
    product = category * RUNGS + nearest
    # Two lines of one product are one line with more pieces.
    _, first, place = np.unique(order * len(PRODUCTS) + product, return_index=True, return_inverse=True)
    quantity = np.bincount(place, weights=quantity).astype(np.int64)
    in_order = np.argsort(first)
    first, quantity = first[in_order], quantity[in_order]
    order, category, product = order[first], category[first], product[first]
    full_price = np.round(quantity * np.round(shelf.prices[day[order], product], 2), 2)
    return Lines(
        order=order,
        leading=np.diff(order, prepend=-1) > 0,
        category=category,
        product=product,
        quantity=quantity,
        full_price=full_price,
        amount=np.maximum(np.round(full_price * (1.0 - discount[order]), 2), 0.01),
        cost=np.round(full_price * shelf.cost_share[product], 2),
    )
