"""Rows brought together by client and into the order of time, by compiled loops.

A database sorts by comparing whole rows. Clients are few beside their rows, and most files are in the order of time
already: counting the rows of each client puts all of them in place, and each client's few are then looked at alone.
"""

from collections.abc import Sequence

import numba
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numba import types
from numpy.typing import NDArray

from loyalty.compiled import compiled

Counts = NDArray[np.int64]

#: Whole numbers that span up to so many times the rows are counted as they are; others are numbered first.
_SPAN = 4
#: So few rows are put in order one by one.
_FEW = 16
#: Bytes of a text column beyond which its offsets need 64 bits.
_LONGEST_TEXT = 2**31 - 1
#: A missing time comes last, as it does in a database.
_LAST = np.iinfo(np.int64).max

_I = types.Array(types.int64, 1, "C", readonly=True)
_I_OWN = types.Array(types.int64, 1, "C")
_U = types.Array(types.uint64, 1, "C", readonly=True)
_I_ROWS = types.Array(types.int64, 2, "C", readonly=True)


def sort_rows(rows: pa.Table, *, client: str, time: str, tie: str, later: Sequence[str]) -> tuple[pa.Table, int]:
    """Sort rows by client, then time, then `tie`, then the `later` columns.

    Parameters
    ----------
    rows : pyarrow.Table
        In any order; no client and no time is missing.
    client, time, tie : str
        Columns: ids, whole numbers or text; times; whole numbers without a sign, which are not returned.
    later : sequence of str
        Further times; a missing one comes last.

    Returns
    -------
    rows : pyarrow.Table
        In order; client ids that are text as codes of their sorted dictionary.
    repeated : int
        How many rows are as the row before in all that was sorted by.

    Examples
    --------
    >>> rows = pa.table({"id": ["b", "a", "b"], "at": [3, 2, 1], "tie": pa.array([0, 0, 0], pa.uint64())})
    >>> ordered, repeated = sort_rows(rows, client="id", time="at", tie="tie", later=[])
    >>> ordered.to_pylist(), repeated
    ([{'id': 'a', 'at': 2}, {'id': 'b', 'at': 1}, {'id': 'b', 'at': 3}], 0)
    """
    clients, codes, size = _as_codes(rows.column(client))
    moments = _micros(rows.column(time))
    ties = rows.column(tie).to_numpy()
    known = np.ascontiguousarray([_micros(rows.column(name)) for name in later], dtype=np.int64)
    order, starts = group_rows(codes, size)
    repeated = settle_rows(order, starts, moments, ties, known.reshape(len(later), len(codes)))
    del codes, moments, ties, known
    place = pa.array(order.astype(np.uint32) if len(order) < 2**32 else order)
    columns = {}
    for name in rows.column_names:
        if name != tie:
            column = clients if name == client else rows.column(name)
            columns[name] = _whole(column).take(place)
        rows = rows.drop_columns(name)  # so that only one column is held twice
    return pa.table(columns), repeated


def _whole(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    if isinstance(column, pa.Array):
        return column
    if pa.types.is_string(column.type) and column.nbytes > _LONGEST_TEXT:
        column = column.cast(pa.large_string())
    return column.combine_chunks()


def _as_codes(ids: pa.ChunkedArray) -> tuple[pa.Array | pa.ChunkedArray, Counts, int]:
    """Write ids as they are to be kept, number the clients in their order, and say how many numbers there are."""
    if pa.types.is_integer(ids.type):
        numbers = ids.to_numpy()
        least, most = (int(numbers.min()), int(numbers.max())) if len(numbers) else (0, -1)
        if most - least < _SPAN * len(numbers):
            return ids, numbers - least, most - least + 1
        codes, values = pd.factorize(numbers, sort=True)
        return ids, codes.astype(np.int64), len(values)
    coded = _whole(ids).dictionary_encode() if not pa.types.is_dictionary(ids.type) else _whole(ids)
    names = coded.dictionary
    order = pc.sort_indices(names.cast(pa.binary())).to_numpy()  # by their bytes, as the database compares
    place = np.empty(len(names), np.int32)
    place[order] = np.arange(len(names), dtype=np.int32)
    codes = place[coded.indices.to_numpy()]
    kept = pa.DictionaryArray.from_arrays(pa.array(codes), names.take(pa.array(order)))
    return kept, codes.astype(np.int64), len(names)


def _micros(column: pa.ChunkedArray) -> Counts:
    whole = column.cast(pa.int64()) if not pa.types.is_timestamp(column.type) else column.cast(pa.timestamp("us"))
    return pc.fill_null(whole.cast(pa.int64()), _LAST).to_numpy()


@compiled(_I, types.int64)
def group_rows(codes: Counts, size: int) -> tuple[Counts, Counts]:
    """Bring rows of one code together, in the order they come in; return them and where each code begins."""
    starts = np.zeros(size + 1, np.int64)
    for code in codes:
        starts[code + 1] += 1
    for code in range(size):
        starts[code + 1] += starts[code]
    at = starts[:-1].copy()
    order = np.empty(len(codes), np.int64)
    for row in range(len(codes)):
        code = codes[row]
        order[at[code]] = row
        at[code] += 1
    return order, starts


@numba.njit(inline="always")
def _precedes(one: int, other: int, tie: NDArray[np.uint64], later: Counts) -> bool:
    """Say which of two rows of one instant comes first."""
    if tie[one] != tie[other]:
        return tie[one] < tie[other]
    for key in range(later.shape[0]):
        if later[key, one] != later[key, other]:
            return later[key, one] < later[key, other]
    return False


@compiled(_I_OWN, _I, _I, _U, _I_ROWS)
def settle_rows(order: Counts, starts: Counts, time: Counts, tie: NDArray[np.uint64], later: Counts) -> int:
    """Sort each client's rows where they stand, a merge sort; return how many are as the row before."""
    longest = 0
    for c in range(len(starts) - 1):
        longest = max(longest, starts[c + 1] - starts[c])
    # One client's rows and times side by side, twice: compared and moved without going back to the whole columns.
    rows, times = np.empty(longest, np.int64), np.empty(longest, np.int64)
    other_rows, other_times = rows.copy(), times.copy()
    repeated = 0
    for c in range(len(starts) - 1):
        lo, n = starts[c], starts[c + 1] - starts[c]
        sorted_already = True
        for i in range(n):
            rows[i] = order[lo + i]
            times[i] = time[rows[i]]
        for i in range(1, n):
            if times[i] < times[i - 1] or (times[i] == times[i - 1] and _precedes(rows[i], rows[i - 1], tie, later)):
                sorted_already = False
                break
        if not sorted_already:
            for block in range(0, n, _FEW):
                for i in range(block + 1, min(block + _FEW, n)):
                    row, at, j = rows[i], times[i], i
                    while j > block and (
                        at < times[j - 1] or (at == times[j - 1] and _precedes(row, rows[j - 1], tie, later))
                    ):
                        rows[j], times[j] = rows[j - 1], times[j - 1]
                        j -= 1
                    rows[j], times[j] = row, at
            width = _FEW
            while width < n:
                for left in range(0, n, 2 * width):
                    middle, right = min(left + width, n), min(left + 2 * width, n)
                    i, j = left, middle
                    for at in range(left, right):
                        second = j < right and (
                            i == middle
                            or times[j] < times[i]
                            or (times[j] == times[i] and _precedes(rows[j], rows[i], tie, later))
                        )
                        taken = j if second else i
                        other_rows[at], other_times[at] = rows[taken], times[taken]
                        j += second
                        i += not second
                rows, other_rows = other_rows, rows
                times, other_times = other_times, times
                width *= 2
            for i in range(n):
                order[lo + i] = rows[i]
        for i in range(1, n):
            repeated += times[i] == times[i - 1] and not _precedes(rows[i - 1], rows[i], tie, later)
    return repeated
