"""Loops over the rows of each client, compiled: what NumPy cannot say in one step.

Rows are sorted by client and time; those of client `c` that count are ``lo[c]:hi[c]``. A missing number is NaN, a
missing code -1. Each client is computed alone and in the order of its rows, so a value never depends, not even in its
last bit, on who else is there.
"""

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from loyalty.compiled import compiled

Numbers = NDArray[np.float64]
Counts = NDArray[np.int64]
Codes = NDArray[np.int32]

# Declared as read-only, an argument may be either; compiled for one signature, nothing is compiled again at run time.
_F, _I, _C, _B = (
    types.Array(of, 1, "C", readonly=True) for of in (types.float64, types.int64, types.int32, types.boolean)
)
_int, _float = types.int64, types.float64

#: Values that are not worth sorting to find the one in the middle.
_FEW = 64


@compiled(_F, _B)
def where_true(values: Numbers, mask: NDArray[np.bool_]) -> Numbers:
    """Let values be missing where the mask is false."""
    told = np.empty(len(values))
    for i in range(len(values)):
        told[i] = values[i] if mask[i] else np.nan
    return told


@compiled(_F, _F)
def ratio(upper: Numbers, lower: Numbers) -> Numbers:
    """Divide; missing where that is not finite."""
    told = np.empty(len(upper))
    for i in range(len(upper)):
        value = upper[i] / lower[i]
        told[i] = value if np.isfinite(value) else np.nan
    return told


@compiled(_I, _I, _I, _int)
def first_at(time: Counts, lo: Counts, hi: Counts, instant: int) -> Counts:
    """Find each client's first row at or after an instant."""
    found = np.empty(len(lo), np.int64)
    for c in range(len(lo)):
        # Halving without branches: the processor need not guess.
        base, length = lo[c], hi[c] - lo[c]
        while length > 0:
            half = (length + 1) >> 1
            base += half * (time[base + half - 1] < instant)
            length -= half
        found[c] = base
    return found


@compiled(_B, _I, _I, _F)
def count_true(mask: NDArray[np.bool_], lo: Counts, hi: Counts, later: Numbers) -> Numbers:
    """Count the rows that are true, on top of what was counted of later rows."""
    told = np.empty(len(lo))
    for c in range(len(lo)):
        n = 0
        for i in range(lo[c], hi[c]):
            n += mask[i]
        told[c] = later[c] + n
    return told


@compiled(_F, _I, _I, _F, _F)
def add_up(values: Numbers, lo: Counts, hi: Counts, total: Numbers, count: Numbers) -> tuple[Numbers, Numbers]:
    """Add up what is not missing, and count it, on top of the total and count of later rows.

    It goes from late to early, so that a longer window goes on where a shorter one ended, to the same last bit.
    """
    totals, counts = np.empty(len(lo)), np.empty(len(lo))
    for c in range(len(lo)):
        s, n = total[c], 0
        for i in range(hi[c] - 1, lo[c] - 1, -1):
            if not np.isnan(values[i]):
                s += values[i]
                n += 1
        totals[c], counts[c] = s, count[c] + n
    return totals, counts


@compiled(_F, _I, _I, _F)
def largest(values: Numbers, lo: Counts, hi: Counts, later: Numbers) -> Numbers:
    """Take the largest value of these rows and of what was found in later ones."""
    told = np.empty(len(lo))
    for c in range(len(lo)):
        best = later[c]
        for i in range(lo[c], hi[c]):
            if values[i] > best or np.isnan(best):
                best = values[i]
        told[c] = best
    return told


@numba.njit(inline="always", error_model="numpy")
def _ranked(values: Numbers, length: int, rank: int) -> float:
    """Find the value that so many others are below; counting them needs no branch, and several are counted at once."""
    for i in range(length):
        value = values[i]
        below, up_to = 0, 0
        for j in range(length):
            below += values[j] < value
            up_to += values[j] <= value
        if below <= rank < up_to:
            return value
    return np.nan


@compiled(_F, _I, _I)
def middle(values: Numbers, lo: Counts, hi: Counts) -> Numbers:
    """Take the median; between two, their mean."""
    told = np.full(len(lo), np.nan)
    longest = 0
    for c in range(len(lo)):
        longest = max(longest, hi[c] - lo[c])
    kept = np.empty(longest)
    for c in range(len(lo)):
        n = 0
        for i in range(lo[c], hi[c]):
            kept[n] = values[i]
            n += not np.isnan(values[i])
        if n > _FEW:
            kept[:n].sort()
            told[c] = (kept[(n - 1) // 2] + kept[n // 2]) / 2.0
        elif n > 0:
            told[c] = (_ranked(kept, n, (n - 1) // 2) + _ranked(kept, n, n // 2)) / 2.0
    return told


@compiled(_I, _I, _I, _float)
def faded_since(time: Counts, lo: Counts, hi: Counts, scale: float) -> Numbers:
    """Say of each row what is left, exp(-gap / scale), of the client's row before; `scale` is in microseconds."""
    told = np.ones(len(time))
    for c in range(len(lo)):
        for i in range(lo[c] + 1, hi[c]):
            told[i] = np.exp((time[i - 1] - time[i]) / scale)
    return told


@compiled(_F, _F, _I, _I, _I, _int, _float)
def fade(values: Numbers, left: Numbers, time: Counts, lo: Counts, hi: Counts, cutoff: int, scale: float) -> Numbers:
    """Add up, each value weighted by exp(-age / scale); `left` is what `faded_since` says."""
    told = np.empty(len(lo))
    for c in range(len(lo)):
        s = 0.0
        for i in range(lo[c], hi[c]):
            s *= left[i]
            if not np.isnan(values[i]):
                s += values[i]
        told[c] = s * np.exp((time[hi[c] - 1] - cutoff) / scale) if hi[c] > lo[c] else 0.0
    return told


@compiled(_F, _I, _I)
def spread(values: Numbers, lo: Counts, hi: Counts) -> Numbers:
    """Take the standard deviation of a sample, in two passes."""
    told = np.full(len(lo), np.nan)
    for c in range(len(lo)):
        s, n = 0.0, 0
        for i in range(lo[c], hi[c]):
            if not np.isnan(values[i]):
                s += values[i]
                n += 1
        if n > 1:
            mean, squares = s / n, 0.0
            for i in range(lo[c], hi[c]):
                if not np.isnan(values[i]):
                    squares += (values[i] - mean) ** 2
            told[c] = np.sqrt(squares / (n - 1))
    return told


@compiled(_F, _I, _I, _I)
def latest(values: Numbers, time: Counts, lo: Counts, hi: Counts) -> Numbers:
    """Take the value of the latest row that has one; of several at that instant, the largest."""
    told = np.full(len(lo), np.nan)
    for c in range(len(lo)):
        at = np.int64(0)
        for i in range(hi[c] - 1, lo[c] - 1, -1):
            if np.isnan(values[i]):
                continue
            if np.isnan(told[c]):
                told[c], at = values[i], time[i]
            elif time[i] != at:
                break
            elif values[i] > told[c]:
                told[c] = values[i]
    return told


@compiled(_C, _int, _I, _I)
def different(codes: Codes, size: int, lo: Counts, hi: Counts) -> Numbers:
    """Count the different codes, which are below `size`."""
    told = np.empty(len(lo))
    seen = np.full(size, -1, np.int64)
    for c in range(len(lo)):
        n = 0
        for i in range(lo[c], hi[c]):
            if codes[i] >= 0 and seen[codes[i]] != c:
                seen[codes[i]] = c
                n += 1
        told[c] = n
    return told


@compiled(_C, _int, _I, _I)
def share_of_top(codes: Codes, size: int, lo: Counts, hi: Counts) -> Numbers:
    """Divide the rows of the most frequent code by those of all; missing where there is none."""
    told = np.full(len(lo), np.nan)
    rows = np.zeros(size, np.int64)
    for c in range(len(lo)):
        total, top = 0, 0
        for i in range(lo[c], hi[c]):
            if codes[i] >= 0:
                rows[codes[i]] += 1
                total += 1
                top = max(top, rows[codes[i]])
        for i in range(lo[c], hi[c]):
            if codes[i] >= 0:
                rows[codes[i]] = 0
        if total > 0:
            told[c] = top / total
    return told


@compiled(_I, _I, _int)
def row_before(lo: Counts, hi: Counts, length: int) -> Counts:
    """Find for each row its client's row before; -1 for the first."""
    before = np.full(length, -1, np.int64)
    for c in range(len(lo)):
        for i in range(lo[c] + 1, hi[c]):
            before[i] = i - 1
    return before


@compiled(_C, _int, _I, _I)
def row_before_of(codes: Codes, size: int, lo: Counts, hi: Counts) -> Counts:
    """Find for each row its client's row before with the same code; -1 for the first."""
    before = np.full(len(codes), -1, np.int64)
    last, owner = np.full(size, -1, np.int64), np.full(size, -1, np.int64)
    for c in range(len(lo)):
        for i in range(lo[c], hi[c]):
            code = codes[i]
            if code < 0:
                continue
            if owner[code] == c:
                before[i] = last[code]
            owner[code], last[code] = c, i
    return before


@compiled(_I, _B, _I, _I, _int)
def merge_days(
    time: Counts, mask: NDArray[np.bool_], lo: Counts, hi: Counts, day: int
) -> tuple[Counts, Counts, Counts]:
    """Merge each client's true rows of one day, which lasts `day`.

    Returns
    -------
    merged : ndarray of shape (n_rows,)
        Which day each row is of, counted over all clients; -1 for none.
    midnights : ndarray of shape (n_days,)
        When each day begins.
    counts : ndarray of shape (n_clients,)
        Days of each client.
    """
    merged, midnights = np.full(len(time), -1, np.int64), np.empty(len(time), np.int64)
    counts = np.zeros(len(lo), np.int64)
    n = 0
    for c in range(len(lo)):
        for i in range(lo[c], hi[c]):
            if mask[i]:
                midnight = time[i] // day * day
                if counts[c] == 0 or midnights[n - 1] != midnight:
                    midnights[n] = midnight
                    counts[c] += 1
                    n += 1
                merged[i] = n - 1
    return merged, midnights[:n].copy(), counts


@compiled(_F, _I, _int)
def sum_merged(values: Numbers, merged: Counts, length: int) -> Numbers:
    """Add up the rows that were merged, in their order."""
    told = np.zeros(length)
    for i in range(len(values)):
        if merged[i] >= 0 and not np.isnan(values[i]):
            told[merged[i]] += values[i]
    return told


@compiled(_C, _F, _int, _I, _I)
def heaviest(codes: Codes, weights: Numbers, size: int, lo: Counts, hi: Counts) -> Codes:
    """Find each client's heaviest code; of equals the smallest, and -1 where none weighs anything."""
    told = np.full(len(lo), -1, np.int32)
    weight = np.zeros(size)
    for c in range(len(lo)):
        for i in range(lo[c], hi[c]):
            if codes[i] >= 0 and not np.isnan(weights[i]):
                weight[codes[i]] += weights[i]
        best = -1
        for i in range(lo[c], hi[c]):
            code = codes[i]
            if code < 0 or weight[code] <= 0:
                continue
            if best < 0 or weight[code] > weight[best] or (weight[code] == weight[best] and code < best):
                best = code
        told[c] = best
        for i in range(lo[c], hi[c]):
            if codes[i] >= 0:
                weight[codes[i]] = 0.0
    return told


@compiled(types.Array(types.float64, 1, "C"), types.Array(types.float64, 1, "C"), _C, _F, _I, _I)
def add_by_code(totals: Numbers, rests: Numbers, codes: Codes, weights: Numbers, lo: Counts, hi: Counts) -> None:
    """Add each row's weight to the total of its code, NaN before its first, and what rounding took to its rest.

    Total and rest together do not depend, not even in the last bit, on the order of clients nor on where a part ends.
    """
    for c in range(len(lo)):
        for i in range(lo[c], hi[c]):
            if codes[i] >= 0 and not np.isnan(weights[i]):
                total, weight = totals[codes[i]], weights[i]
                if np.isnan(total):
                    totals[codes[i]] = weight
                else:
                    whole = total + weight
                    added = whole - total
                    totals[codes[i]] = whole
                    rests[codes[i]] += (total - (whole - added)) + (weight - added)


@compiled(_C, _F, _int, _C, _I, _C, _F, _I, _I)
def share_not_held(
    codes: Codes,
    weights: Numbers,
    size: int,
    favourite: Codes,
    begins: Counts,
    others: Codes,
    shares: Numbers,
    lo: Counts,
    hi: Counts,
) -> Numbers:
    """Add up the shares of the codes in which a client has no weight, of those that go with its favourite.

    Favourite `f` goes with the codes ``others[begins[f]:begins[f + 1]]``, with these `shares`.
    """
    told = np.full(len(lo), np.nan)
    held = np.full(size, -1, np.int64)
    for c in range(len(lo)):
        f = favourite[c]
        if f < 0:
            continue
        for i in range(lo[c], hi[c]):
            if codes[i] >= 0 and weights[i] > 0:
                held[codes[i]] = c
        missing = 0.0
        for j in range(begins[f], begins[f + 1]):
            if held[others[j]] != c:
                missing += shares[j]
        told[c] = missing
    return told
