"""The rows of some clients as arrays: what was known of them before a cutoff, and where each window begins.

A `Part` holds the rows of some clients, sorted by client and time. Where everything that happened before a cutoff was
known by then, a client's known rows are the first of its rows, and what does not depend on the cutoff is computed once
for all cutoffs; where something was reported late, the known rows are picked out first and computed alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loyalty.features import kernels
from loyalty.features.algebra import Days, Expression, Rows
from loyalty.features.kernels import Codes, Counts, Numbers

Flags = NDArray[np.bool_]

DAY = 86_400_000_000  # microseconds
#: A missing time; far from any other, and its difference to one fits an integer.
NEVER = np.int64(-(2**62))


@dataclass(frozen=True)
class Texts:
    """Texts or ids of rows, as places in a sorted list of words; -1 is missing."""

    codes: Codes
    words: Sequence[Any]


Values = NDArray[Any] | Texts


@dataclass
class Block:
    """The rows of one table in one part, or the merged days of one.

    Attributes
    ----------
    starts : ndarray of shape (n_clients + 1,)
        The rows of client `c` are ``starts[c]:starts[c + 1]``.
    time : ndarray of shape (n_rows,)
        Microseconds since 1970.
    known_at : ndarray of shape (n_rows,) or None
        The same; None where all was known at once.
    columns : mapping of name to values
        Numbers as floats, times as microseconds, flags as 0 and 1, ids and texts as `Texts`.
    """

    rows: Rows
    starts: Counts
    time: Counts
    known_at: Counts | None
    columns: Mapping[str, Values]
    still: dict[Expression, Values] = field(default_factory=dict)
    before: dict[str, Counts] = field(default_factory=dict)
    left: dict[float, Numbers] = field(default_factory=dict)

    @property
    def clients(self) -> Codes:
        """Which client each row is of."""
        return np.repeat(np.arange(len(self.starts) - 1, dtype=np.int32), np.diff(self.starts))

    def take(self, mask: Flags) -> "Block":
        """Keep some rows."""
        counts = kernels.count_true(mask, self.starts[:-1], self.starts[1:], np.zeros(len(self.starts) - 1)).astype(
            np.int64
        )
        columns = {
            name: Texts(values.codes[mask], values.words) if isinstance(values, Texts) else values[mask]
            for name, values in self.columns.items()
        }
        return Block(self.rows, np.concatenate([[0], np.cumsum(counts)]), self.time[mask], None, columns)


@dataclass
class View:
    """The rows of a block that were known before a cutoff: ``lo[c]:hi[c]`` of client `c`.

    `whole` says that these are all the rows that had happened by then, so that what is said of a row of the block
    does not depend on the cutoff, unless the expression does.
    """

    block: Block
    lo: Counts
    hi: Counts
    cutoff: int
    whole: bool
    moved: dict[Expression, Values] = field(default_factory=dict)
    edges: dict[float, Counts] = field(default_factory=dict)

    @classmethod
    def of(cls, block: Block, cutoff: int) -> "View":
        """Pick out the rows of a block that were known before a cutoff."""
        starts, ends = block.starts[:-1], block.starts[1:]
        hi = kernels.first_at(block.time, starts, ends, cutoff)
        if block.known_at is None:
            return cls(block, starts, hi, cutoff, whole=True)
        known = block.known_at < cutoff
        if int(known.sum()) == int((hi - starts).sum()):  # known is never more than what happened
            return cls(block, starts, hi, cutoff, whole=True)
        taken = block.take(known)
        return cls(taken, taken.starts[:-1], taken.starts[1:], cutoff, whole=False)

    def window(self, within: float | None, beyond: float) -> tuple[Counts, Counts]:
        """Find each client's rows in ``[cutoff - within, cutoff - beyond)``."""
        lo = self.lo if within is None else self._edge(within)
        hi = self.hi if beyond == 0 else np.maximum(self._edge(beyond), lo)
        return lo, hi

    def inside(self, lo: Counts, hi: Counts) -> Flags:
        """Say of each row of the block whether it is one of ``lo[c]:hi[c]``."""
        steps = np.zeros(len(self.block.time) + 1, np.int64)
        np.add.at(steps, lo, 1)
        np.add.at(steps, hi, -1)
        return np.asarray(np.cumsum(steps[:-1]) > 0)

    def left(self, decay: float) -> Numbers:
        """Say of each row what is left by then of what its client's row before counted for."""
        kept = self.block.left
        if decay not in kept:
            starts = self.block.starts
            kept[decay] = kernels.faded_since(self.block.time, starts[:-1], starts[1:], decay * DAY)
        return kept[decay]

    def _edge(self, days: float) -> Counts:
        if days not in self.edges:
            instant = self.cutoff - round(days * DAY)
            self.edges[days] = kernels.first_at(self.block.time, self.lo, self.hi, instant)
        return self.edges[days]


@dataclass
class Part:
    """The rows of some clients in every table that is asked for.

    Attributes
    ----------
    clients : sequence
        Their ids, sorted.
    blocks : mapping of table name to Block
        Their rows.
    above, up_to : id or None
        All their ids are above the one and up to the other.
    """

    clients: NDArray[Any]
    blocks: Mapping[str, Block]
    above: Any = None
    up_to: Any = None
    days: dict[Days, Block] = field(default_factory=dict)
