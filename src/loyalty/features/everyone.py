"""What all clients together say at a cutoff: shares, medians and what goes with a favourite, added up part by part."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from loyalty.features import kernels
from loyalty.features.algebra import Expression, Headroom, MedianOfClients, ShareOfClients
from loyalty.features.arrays import Snapshot, favourites
from loyalty.features.parts import Texts

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
    spend: dict[Any, dict[Any, tuple[float, float]]] = field(default_factory=lambda: defaultdict(dict))

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
        clients = np.argsort(favourite, kind="stable")
        begins = np.searchsorted(favourite[clients], np.arange(len(words) + 1))
        place = {word: code for code, word in enumerate(words)}
        for code in np.flatnonzero(np.diff(begins)).tolist():
            known = self.spend[words[code]]
            totals, rests = np.full(len(words), np.nan), np.zeros(len(words))
            for word in known.keys() & place.keys():
                totals[place[word]], rests[place[word]] = known[word]
            own = clients[begins[code] : begins[code + 1]]
            kernels.add_by_code(totals, rests, codes, weights, lo[own], hi[own])
            there = np.flatnonzero(~np.isnan(totals)).tolist()
            known.update({words[at]: (float(totals[at]), float(rests[at])) for at in there})

    def result(self) -> Any:
        """Say what all parts together tell."""
        if isinstance(self.expression, ShareOfClients):
            return self.held / self.among if self.among else np.nan
        if isinstance(self.expression, MedianOfClients):
            return {word: float(np.median(np.concatenate(values))) for word, values in self.values.items()}
        spend = {
            favourite: {word: total + rest for word, (total, rest) in sorted(known.items())}
            for favourite, known in sorted(self.spend.items())
        }
        totals = {favourite: math.fsum(told.values()) for favourite, told in spend.items()}
        return {f: {word: value / totals[f] for word, value in told.items()} for f, told in spend.items()}
