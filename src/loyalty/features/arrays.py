"""Expressions computed on arrays: one part of the clients, one cutoff, every feature."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from loyalty.features import kernels
from loyalty.features.algebra import (
    Between,
    Clock,
    Column,
    CutoffDay,
    Days,
    Expression,
    Headroom,
    IsAny,
    Learned,
    Length,
    Matches,
    MedianOfClients,
    Number,
    Operation,
    Previous,
    Rows,
    Season,
    ShareOfClients,
    Since,
    Statistic,
)
from loyalty.features.kernels import Codes, Counts, Numbers
from loyalty.features.parts import DAY, NEVER, Block, Flags, Part, Texts, Values, View

_HOUR = DAY // 24


@dataclass
class Snapshot:
    """One part at one cutoff.

    Attributes
    ----------
    middle : Timestamp
        Of the horizon, which sets the season.
    peers : mapping of Expression to value
        What all clients together say at this cutoff.
    learned : object or None
        The fitted models, by `Learned.model`.
    """

    part: Part
    cutoff: int
    middle: pd.Timestamp
    peers: Mapping[Expression, Any]
    learned: Any = None
    views: dict[Rows, View] = field(default_factory=dict)
    known: dict[Expression, Values] = field(default_factory=dict)
    runs: dict[tuple[Any, ...], dict[float, tuple[Numbers, ...]]] = field(default_factory=dict)

    def view(self, rows: Rows) -> View:
        """Return the known rows of a table, or the days they make."""
        if rows not in self.views:
            if isinstance(rows, Days):
                self.views[rows] = self._merged(rows)
            else:
                self.views[rows] = View.of(self.part.blocks[rows.table], self.cutoff)
        return self.views[rows]

    def _merged(self, days: Days) -> View:
        source = self.view(days.source)
        if source.whole and self.cutoff % DAY == 0:  # else the cutoff's own day is not over
            if days not in self.part.days:
                everything = View(source.block, source.block.starts[:-1], source.block.starts[1:], self.cutoff, True)
                self.part.days[days] = _merge(days, everything, self)
            return View.of(self.part.days[days], self.cutoff)
        return View.of(_merge(days, source, self), self.cutoff)

    def of_clients(self, expression: Expression) -> Values:
        """Compute an expression that has one value per client."""
        if expression not in self.known:
            self.known[expression] = _CLIENTS[type(expression)](expression, self)
        return self.known[expression]

    def numbers(self, expression: Expression) -> Numbers:
        """Compute one number per client."""
        return _as_numbers(self.of_clients(expression))

    def of_rows(self, expression: Expression, view: View) -> Values:
        """Compute an expression that has one value per row of the block of a view."""
        if isinstance(expression, Number):
            return np.asarray(expression.value)
        kept = view.moved if _moves(expression) else view.block.still
        if expression not in kept:
            if expression.rows is None:
                told = self.of_clients(expression)
                assert not isinstance(told, Texts)  # noqa: S101 - the algebra has no texts of clients among rows
                kept[expression] = np.broadcast_to(told, len(view.lo))[view.block.clients]
            else:
                kept[expression] = _ROWS[type(expression)](expression, view, self)
        return kept[expression]

    def row_numbers(self, expression: Expression, view: View) -> Numbers:
        """Compute one number per row."""
        return _as_numbers(self.of_rows(expression, view))


@cache
def _moves(expression: Expression) -> bool:
    """Whether a row's value depends on the cutoff."""
    if isinstance(expression, Since) or (isinstance(expression, Column) and expression.later):
        return True
    if expression.rows is None and not isinstance(expression, Number):
        return True
    return any(_moves(part) for part in expression.parts())


def _as_numbers(values: Values) -> Numbers:
    assert not isinstance(values, Texts)  # noqa: S101 - the algebra asks for numbers of numbers
    if values.dtype == np.float64:
        return values
    numbers = values.astype(np.float64)
    if values.dtype == np.int64:  # times, whose microseconds a float holds exactly for 285 years about 1970
        numbers[values == NEVER] = np.nan
    return numbers


# Rows


def _column(column: Column, view: View, _: Snapshot) -> Values:
    values = view.block.columns.get(column.name)
    if values is None:
        return np.full(len(view.block.time), np.nan)
    if column.later:
        assert not isinstance(values, Texts)  # noqa: S101 - it is a time
        return np.where(values < view.cutoff, values, NEVER)
    return values


def _operation(operation: Operation, view: View, snapshot: Snapshot) -> Values:
    return _apply(operation, [snapshot.of_rows(argument, view) for argument in operation.arguments])


def _apply(operation: Operation, arguments: Sequence[Values]) -> Values:
    if operation.name == "there":
        values = arguments[0]
        if isinstance(values, Texts):
            return values.codes >= 0
        return values != NEVER if values.dtype == np.int64 else ~np.isnan(values)
    if operation.name == "given":
        return _given(_as_numbers(arguments[0]), arguments[1])
    if operation.name in {"and", "or", "not"}:
        return _LOGIC[operation.name](*arguments)
    return _ARITHMETIC[operation.name](*(_as_numbers(argument) for argument in arguments))


def _divide(upper: Numbers, lower: Numbers) -> Numbers:
    return kernels.ratio(*(np.ascontiguousarray(side) for side in np.broadcast_arrays(upper, lower)))


def _given(values: Numbers, condition: Values) -> Numbers:
    assert not isinstance(condition, Texts)  # noqa: S101 - the algebra asks for conditions or numbers
    mask = condition if condition.dtype == np.bool_ else _as_numbers(condition) > 0
    values, mask = (np.ascontiguousarray(side) for side in np.broadcast_arrays(values, mask))
    return kernels.where_true(values, mask)


_LOGIC: dict[str, Callable[..., Any]] = {"and": np.logical_and, "or": np.logical_or, "not": np.logical_not}
_ARITHMETIC: dict[str, Callable[..., Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": _divide,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "negative": np.negative,
    "abs": np.abs,
    "otherwise": lambda value, other: np.where(np.isnan(value), other, value),
    "smaller": np.minimum,
    "larger": np.maximum,
}


def _is_any(expression: IsAny, view: View, snapshot: Snapshot) -> Values:
    return _by_word(expression.text, view, snapshot, lambda words: np.isin(words, expression.texts), missing=False)


def _length(expression: Length, view: View, snapshot: Snapshot) -> Values:
    def characters(words: NDArray[Any]) -> NDArray[Any]:
        return pc.utf8_length(pa.array(words, pa.string())).to_numpy()

    return _by_word(expression.text, view, snapshot, characters, missing=np.nan)


def _matches(expression: Matches, view: View, snapshot: Snapshot) -> Values:
    def found(words: NDArray[Any]) -> NDArray[Any]:
        return pc.match_substring_regex(pa.array(words, pa.string()), expression.pattern).to_numpy(zero_copy_only=False)

    return _by_word(expression.text, view, snapshot, found, missing=False)


def _by_word(
    text: Expression, view: View, snapshot: Snapshot, told: Callable[[NDArray[Any]], NDArray[Any]], *, missing: float
) -> Values:
    """Say of each row what is told of its word."""
    values = snapshot.of_rows(text, view)
    if not isinstance(values, Texts):  # an optional column that is not there
        return np.full(len(values), missing, np.asarray(missing).dtype)
    of_word = np.asarray(told(np.asarray(values.words, dtype=object))) if len(values.words) else np.empty(0)
    with_missing = np.append(of_word.astype(np.asarray(missing).dtype), missing)
    return with_missing[values.codes]


def _times(expression: Expression, view: View, snapshot: Snapshot) -> Counts:
    values = snapshot.of_rows(expression, view)
    assert not isinstance(values, Texts)  # noqa: S101 - the algebra asks for the age of times
    return values if values.dtype == np.int64 else np.full(len(values), NEVER)


def _since(expression: Since, view: View, snapshot: Snapshot) -> Values:
    time = _times(expression.time, view, snapshot)
    return np.where(time == NEVER, np.nan, (view.cutoff - time) / DAY)


def _between(expression: Between, view: View, snapshot: Snapshot) -> Values:
    start, end = _times(expression.start, view, snapshot), _times(expression.end, view, snapshot)
    return np.where((start == NEVER) | (end == NEVER), np.nan, (end - start) / DAY)


def _clock(expression: Clock, view: View, snapshot: Snapshot) -> Values:
    time = _times(expression.time, view, snapshot)
    # 1970 began on a Thursday.
    told = time // _HOUR % 24 if expression.part == "hour" else (time // DAY + 3) % 7
    return np.where(time == NEVER, np.nan, told)


def _previous(expression: Previous, view: View, snapshot: Snapshot) -> Values:
    before = view.block.before
    if expression.by not in before:
        starts, ends = view.block.starts[:-1], view.block.starts[1:]
        if expression.by:
            codes, size = _codes(view.block.columns[expression.by])
            before[expression.by] = kernels.row_before_of(codes, size, starts, ends)
        else:
            before[""] = kernels.row_before(starts, ends, len(view.block.time))
    rows = before[expression.by]
    values = snapshot.of_rows(expression.value, view)
    assert not isinstance(values, Texts)  # noqa: S101 - the algebra goes back to numbers and times
    missing = NEVER if values.dtype == np.int64 else np.nan
    return np.where(rows >= 0, values[rows], missing) if len(values) else values


def _codes(values: Values) -> tuple[Codes, int]:
    """Turn texts or small whole numbers into codes, and say below what they all are."""
    if isinstance(values, Texts):
        return values.codes, len(values.words)
    numbers = _as_numbers(values)
    codes = np.where(np.isnan(numbers), -1, numbers).astype(np.int32)
    return codes, int(codes.max(initial=-1)) + 1


def _learned_rows(expression: Learned, view: View, snapshot: Snapshot) -> Values:
    model = snapshot.learned[expression.model]
    (text,) = expression.arguments
    return _by_word(text, view, snapshot, lambda words: model(expression.output, list(words)), missing=np.nan)


_ROWS: dict[type[Expression], Callable[..., Values]] = {
    Column: _column,
    Operation: _operation,
    IsAny: _is_any,
    Length: _length,
    Matches: _matches,
    Since: _since,
    Between: _between,
    Clock: _clock,
    Previous: _previous,
    Learned: _learned_rows,
}


def _merge(days: Days, source: View, snapshot: Snapshot) -> Block:
    """Merge the known rows of each client and day."""
    block = source.block
    mask = source.inside(source.lo, source.hi)
    if days.where is not None:
        mask &= _flags(days.where, source, snapshot)
    by = block.columns.get(days.by)
    if isinstance(by, Texts):
        merged, midnights, counts, keys = _merge_by(by.codes, mask, block)
    else:
        merged, midnights, counts = kernels.merge_days(block.time, mask, source.lo, source.hi, DAY)
    columns: dict[str, Values] = {"day": midnights}
    for name, value in days.sums:
        numbers = np.ascontiguousarray(np.broadcast_to(snapshot.row_numbers(value, source), len(block.time)))
        columns[name] = kernels.sum_merged(numbers, merged, len(midnights))
    if isinstance(by, Texts):
        columns[days.by] = Texts(keys, by.words)
    return Block(days, np.concatenate([[0], np.cumsum(counts)]), midnights, None, columns)


def _merge_by(codes: Codes, mask: Flags, block: Block) -> tuple[Counts, Counts, Counts, Codes]:
    """Merge by client, day and code; return what `kernels.merge_days` does, and the code of each."""
    rows = np.flatnonzero(mask & (codes >= 0))
    client, day = block.clients[rows], block.time[rows] // DAY
    order = np.lexsort((codes[rows], day, client))
    rows, client, day = rows[order], client[order], day[order]
    new = np.ones(len(rows), bool)
    new[1:] = (client[1:] != client[:-1]) | (day[1:] != day[:-1]) | (codes[rows][1:] != codes[rows][:-1])
    merged = np.full(len(block.time), -1, np.int64)
    merged[rows] = np.cumsum(new) - 1
    counts = np.bincount(client[new], minlength=len(block.starts) - 1)
    return merged, day[new] * DAY, counts, codes[rows[new]]


# Clients


def _statistic(statistic: Statistic, snapshot: Snapshot) -> Values:
    view = snapshot.view(statistic.of)
    lo, hi = view.window(statistic.within, statistic.beyond)
    if statistic.kind == "count" and statistic.where is None:
        return (hi - lo).astype(np.float64)
    if statistic.kind in {"count", "sum", "mean", "min", "max"}:
        return _running(statistic, view, snapshot)
    assert statistic.value is not None  # noqa: S101 - only rows are counted without one
    if statistic.kind in {"nunique", "top_share"}:
        codes, size = _masked_codes(statistic, view, snapshot)
        if statistic.kind == "nunique":
            return kernels.different(codes, size, lo, hi)
        return kernels.share_of_top(codes, size, lo, hi)
    if statistic.kind == "last" and isinstance(snapshot.of_rows(statistic.value, view), Texts):
        return _last_text(statistic, view, snapshot, lo, hi)
    values = _full(statistic.value, statistic.where, view, snapshot)
    if statistic.decay is not None:
        return kernels.fade(
            values, view.left(statistic.decay), view.block.time, lo, hi, view.cutoff, statistic.decay * DAY
        )
    if statistic.kind == "last":
        return kernels.latest(values, view.block.time, lo, hi)
    return {"sd": kernels.spread, "median": kernels.middle}[statistic.kind](values, lo, hi)


def _running(statistic: Statistic, view: View, snapshot: Snapshot) -> Numbers:
    """Compute what a longer window can take over from a shorter one that was asked for before."""
    value, least, since = statistic.value, statistic.kind == "min", False
    if isinstance(value, Since) and statistic.kind in {"min", "max"}:
        # The least age is that of the latest time, and times stand still where ages move.
        value, least, since = value.time, not least, True
    shape = "total" if statistic.kind in {"sum", "mean"} else "least" if least else statistic.kind
    runs = snapshot.runs.setdefault((statistic.of, value, statistic.where, statistic.beyond, shape), {})
    days = np.inf if statistic.within is None else statistic.within
    if days not in runs:
        lo, hi = view.window(statistic.within, statistic.beyond)
        shorter = max((run for run in runs if run < days), default=None)
        if shorter is not None:
            hi = view.window(shorter, statistic.beyond)[0]
        runs[days] = _run(shape, value, statistic.where, view, snapshot, lo, hi, runs.get(shorter or 0.0))
    told = runs[days]
    if statistic.kind == "mean":
        return np.divide(told[0], told[1], out=np.full(len(told[0]), np.nan), where=told[1] > 0)
    numbers = -told[0] if least else told[0]
    return (view.cutoff - numbers) / DAY if since else numbers


def _run(
    shape: str,
    value: Expression | None,
    where: Expression | None,
    view: View,
    snapshot: Snapshot,
    lo: Counts,
    hi: Counts,
    later: tuple[Numbers, ...] | None,
) -> tuple[Numbers, ...]:
    """Go through the rows from `lo` to `hi`, on top of what was told of later rows."""
    nothing, unknown = np.zeros(len(lo)), np.full(len(lo), np.nan)
    if shape == "count":
        assert where is not None  # noqa: S101 - without a condition there is nothing to go through
        return (kernels.count_true(_flags(where, view, snapshot), lo, hi, *(later or (nothing,))),)
    assert value is not None  # noqa: S101 - only rows are counted without one
    if shape == "total":
        return kernels.add_up(_full(value, where, view, snapshot), lo, hi, *(later or (nothing, nothing)))
    values = _full(-value if shape == "least" else value, where, view, snapshot)
    return (kernels.largest(values, lo, hi, *(later or (unknown,))),)


def _flags(where: Expression, view: View, snapshot: Snapshot) -> Flags:
    told = snapshot.of_rows(where, view)
    assert not isinstance(told, Texts)  # noqa: S101 - a condition is no text
    return np.ascontiguousarray(np.broadcast_to(told, len(view.block.time)), dtype=np.bool_)


_ONE = Number(1.0)


def _full(value: Expression, where: Expression | None, view: View, snapshot: Snapshot) -> Numbers:
    """Compute the numbers of rows, missing where the condition does not hold."""
    whole = value if where is None else value.given(where)
    numbers = snapshot.row_numbers(whole, view)
    return np.ascontiguousarray(np.broadcast_to(numbers, len(view.block.time)))


def _masked_codes(statistic: Statistic, view: View, snapshot: Snapshot) -> tuple[Codes, int]:
    assert statistic.value is not None  # noqa: S101 - it is what is counted
    codes, size = _codes(snapshot.of_rows(statistic.value, view))
    if statistic.where is None:
        return codes, size
    return np.where(_flags(statistic.where, view, snapshot), codes, np.int32(-1)).astype(np.int32), size


def _last_text(statistic: Statistic, view: View, snapshot: Snapshot, lo: Counts, hi: Counts) -> Texts:
    codes, _ = _masked_codes(statistic, view, snapshot)
    assert statistic.value is not None  # noqa: S101 - it is what is last
    texts = snapshot.of_rows(statistic.value, view)
    assert isinstance(texts, Texts)  # noqa: S101 - the caller looked
    last = kernels.latest(np.where(codes < 0, np.nan, codes), view.block.time, lo, hi)
    return Texts(np.where(np.isnan(last), -1, last).astype(np.int32), texts.words)


def _of_clients(operation: Operation, snapshot: Snapshot) -> Values:
    return _apply(operation, [snapshot.of_clients(argument) for argument in operation.arguments])


def _number(number: Number, snapshot: Snapshot) -> Values:
    return np.full(len(snapshot.part.clients), number.value)


def _cutoff_day(_: CutoffDay, snapshot: Snapshot) -> Values:
    return np.full(len(snapshot.part.clients), snapshot.cutoff / DAY)


def _season(season: Season, snapshot: Snapshot) -> Values:
    return np.full(len(snapshot.part.clients), season.at(snapshot.middle))


def _learned_clients(expression: Learned, snapshot: Snapshot) -> Values:
    model = snapshot.learned[expression.model]
    return model(expression.output, *(snapshot.numbers(argument) for argument in expression.arguments))


def _share_of_clients(share: ShareOfClients, snapshot: Snapshot) -> Values:
    return np.full(len(snapshot.part.clients), snapshot.peers[share])


def _median_of_clients(median: MedianOfClients, snapshot: Snapshot) -> Values:
    texts = snapshot.of_clients(median.by)
    if not isinstance(texts, Texts):
        return np.full(len(snapshot.part.clients), np.nan)
    told = [snapshot.peers[median].get(word, np.nan) for word in texts.words]
    return np.append(np.asarray(told, dtype=np.float64), np.nan)[texts.codes]


def _headroom(headroom: Headroom, snapshot: Snapshot) -> Values:
    codes, weights, favourite, words, (lo, hi) = favourites(headroom, snapshot)
    shares = snapshot.peers[headroom]  # favourite word -> {word: share}
    place = {word: code for code, word in enumerate(words)}
    rows = [[(place.get(w), share) for w, share in shares.get(word, {}).items()] for word in words]
    # Words that only others buy have no code here: nobody in this part holds them.
    begins = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    size = len(words) + 1
    others = np.array([size - 1 if code is None else code for row in rows for code, _ in row], dtype=np.int32)
    told = np.array([share for row in rows for _, share in row], dtype=np.float64)
    return kernels.share_not_held(codes, weights, size, favourite, begins, others, told, lo, hi)


def favourites(
    headroom: Headroom, snapshot: Snapshot
) -> tuple[Codes, Numbers, Codes, Sequence[Any], tuple[Counts, Counts]]:
    """Find each client's favourite text, with the texts and weights of the rows it was found from."""
    view = snapshot.view(headroom.key.of)
    lo, hi = view.window(headroom.within, 0.0)
    texts = snapshot.of_rows(headroom.key, view)
    assert isinstance(texts, Texts)  # noqa: S101 - the feature needs the column
    weights = _full(headroom.value, headroom.where, view, snapshot)
    return texts.codes, weights, kernels.heaviest(texts.codes, weights, len(texts.words), lo, hi), texts.words, (lo, hi)


_CLIENTS: dict[type[Expression], Callable[..., Values]] = {
    Statistic: _statistic,
    Operation: _of_clients,
    Number: _number,
    CutoffDay: _cutoff_day,
    Season: _season,
    Learned: _learned_clients,
    ShareOfClients: _share_of_clients,
    MedianOfClients: _median_of_clients,
    Headroom: _headroom,
}
