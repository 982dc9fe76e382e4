"""What all clients together say at a cutoff: shares, medians and what goes with a favourite, added up part by part."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loyalty.features.algebra import Expression, Headroom, MedianOfClients, ShareOfClients
from loyalty.features.arrays import Snapshot, favourites
from loyalty.features.parts import Texts

#: Up to so many possible values it is quicker to tick them off than to sort.
_SMALL = 4_000_000

#: The expressions that need all clients.
Together = ShareOfClients | MedianOfClients | Headroom


def together(expressions: Iterable[Expression]) -> tuple[Together, ...]:
    """List what must be known of all clients before the expressions can be computed for one."""
    return _together(tuple(expressions))


@cache
def _together(expressions: tuple[Expression, ...]) -> tuple[Together, ...]:
    found = (part for expression in expressions for part in expression.walk())
    return tuple(dict.fromkeys(part for part in found if isinstance(part, ShareOfClients | MedianOfClients | Headroom)))


def inputs(expressions: Sequence[Together]) -> tuple[Expression, ...]:
    """List what is looked at of each client."""
    return tuple(part for expression in expressions for part in expression.parts())


@dataclass
class Tally:
    """What has been added up so far of one expression at one cutoff."""

    expression: Together
    held: int = 0
    among: int = 0
    values: dict[Any, list[Any]] = field(default_factory=lambda: defaultdict(list))
    places: dict[tuple[Any, Any], int] = field(default_factory=dict)
    spend: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    def add(self, snapshot: Snapshot) -> None:
        """Add the clients of one part."""
        if isinstance(self.expression, ShareOfClients):
            among = snapshot.numbers(self.expression.among) > 0
            self.among += int(among.sum())
            self.held += int((among & (snapshot.numbers(self.expression.of) > 0)).sum())
        elif isinstance(self.expression, MedianOfClients):
            self._add_values(self.expression, snapshot)
        else:
            self._add_spend(self.expression, snapshot)

    def _add_values(self, median: MedianOfClients, snapshot: Snapshot) -> None:
        texts, values = snapshot.of_clients(median.by), snapshot.numbers(median.value)
        if not isinstance(texts, Texts):
            return
        there = (texts.codes >= 0) & ~np.isnan(values)
        for code in np.unique(texts.codes[there]):
            self.values[texts.words[code]].append(values[there & (texts.codes == code)])

    def _add_spend(self, headroom: Headroom, snapshot: Snapshot) -> None:
        codes, weights, favourite, words, (lo, hi) = favourites(headroom, snapshot)
        view = snapshot.view(headroom.key.of)
        of_row = favourite[view.block.clients]
        rows = view.inside(lo, hi) & (codes >= 0) & (of_row >= 0) & ~np.isnan(weights)
        pairs = of_row[rows].astype(np.int64) * len(words) + codes[rows]
        unique, place = _distinct(pairs, len(words) ** 2)
        named = [(words[pair // len(words)], words[pair % len(words)]) for pair in unique]
        at = np.array([self.places.setdefault(pair, len(self.places)) for pair in named], dtype=np.int64)
        self.spend = np.concatenate([self.spend, np.zeros(len(self.places) - len(self.spend))])
        # One row after the other, so that it does not matter, not even in the last bit, where a part ends.
        np.add.at(self.spend, at[place], weights[rows])

    def result(self) -> Any:
        """Say what all parts together tell."""
        if isinstance(self.expression, ShareOfClients):
            return self.held / self.among if self.among else np.nan
        if isinstance(self.expression, MedianOfClients):
            return {word: float(np.median(np.concatenate(values))) for word, values in self.values.items()}
        spend: dict[Any, dict[Any, float]] = defaultdict(dict)
        for (favourite, word), place in sorted(self.places.items()):
            spend[favourite][word] = float(self.spend[place])
        totals = {favourite: math.fsum(told.values()) for favourite, told in spend.items()}
        return {f: {word: value / totals[f] for word, value in told.items()} for f, told in spend.items()}


def _distinct(values: NDArray[np.int64], limit: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """List the different values, which are below a limit, and say of each value which it is."""
    if limit > _SMALL:
        return np.unique(values, return_inverse=True)
    there = np.zeros(limit, bool)
    there[values] = True
    return np.flatnonzero(there), (np.cumsum(there) - 1)[values]
