"""Shapley values and interactions of leaves, compiled.

A leaf's game is a product over its players, and its multilinear extension is that product with every player present in
part. Shapley's value is the integral of the extension's slope in one player along the diagonal [1]_, the interaction of
two that of the slope in both [2]_. These are polynomials in the part, which the rule of Gauss and Legendre integrates
exactly.

References
----------
.. [1] Owen (1972), "Multilinear extensions of games", Management Science 18(5), 64-79.
.. [2] Grabisch, Marichal and Roubens (2000), "Equivalent representations of set functions", Mathematics of Operations
   Research 25(2), 157-178.
"""

from typing import Any

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from loyalty.compiled import compiled
from loyalty.models._leaf_games import NO_GAMES, Flags, Floats, Games, Ints

_typeof: Any = numba.typeof
_games, _int = _typeof(NO_GAMES), types.int64
# Declared as read-only, an argument may be either.
_I, _F = (types.Array(of, 1, "C", readonly=True) for of in (types.int64, types.float64))
_M, _out = types.Array(types.float64, 2, "C", readonly=True), types.Array(types.float64, 2, "C")

#: Rows whose answers to a split fit into the processor's nearest memory.
_ROWS = 1024

Answers = NDArray[np.uint16]
#: Of each step to a leaf: column, threshold, whether missing goes left, whether zero is missing; whether the step goes
#: left; whose it is.
Steps = tuple[Ints, Floats, Flags, Flags, Flags, Ints]


def rules(most: int) -> tuple[Floats, Floats]:
    """Tell where up to `most` players are present in part, and the weight of each such part.

    Returns
    -------
    parts, weights : ndarray of shape (most + 1, (most + 1) // 2)
        Row `n` is exact for `n` players, and holds ``(n + 1) // 2`` points.
    """
    parts, weights = np.zeros((most + 1, (most + 1) // 2)), np.zeros((most + 1, (most + 1) // 2))
    for players in range(1, most + 1):
        points, weight = np.polynomial.legendre.leggauss((players + 1) // 2)
        parts[players, : len(points)], weights[players, : len(points)] = (points + 1) / 2, weight / 2
    return parts, weights


@numba.njit(inline="always", error_model="numpy")
def _goes_left(value: float, threshold: float, missing_left: bool, zero_is_missing: bool) -> bool:
    missing = np.isnan(value) or (zero_is_missing and value == 0.0)
    return (missing and missing_left) or (not missing and value <= threshold)


@numba.njit(inline="always", error_model="numpy")
def _share_out(
    value: float, cover: Floats, held: Flags, parts: Floats, weights: Floats, factor: Floats, shares: Floats
) -> None:
    """Divide what a leaf pays among its players, of whom those `held` have values that lead there."""
    players = len(cover)
    shares[:players] = 0.0
    for q in range((players + 1) // 2):
        part = parts[players, q]
        product = weights[players, q] * value
        for i in range(players):
            factor[i] = cover[i] + (held[i] - cover[i]) * part
            product *= factor[i]
        for i in range(players):
            shares[i] += product / factor[i]
    for i in range(players):
        shares[i] *= held[i] - cover[i]


@numba.njit(inline="always", error_model="numpy")
def _find_held(steps: Steps, columns: Floats, row: int, held: Flags) -> None:
    """Find which of a leaf's players hold a value that leads there."""
    column, threshold, missing_left, zero_is_missing, goes_left, player = steps
    held[:] = True
    for s in range(len(column)):
        answer = _goes_left(columns[column[s], row], threshold[s], missing_left[s], zero_is_missing[s])
        held[player[s]] &= answer == goes_left[s]


@numba.njit(error_model="numpy", nogil=True)
def _steps(games: Games, b: int, leaf: int) -> Steps:
    """Gather the splits on the path to a leaf, whether the path goes left there, and which player answers."""
    walked = slice(games.first_step[leaf], games.first_step[leaf + 1])
    split = games.first_split[b] + games.step_split[walked]
    return (
        games.split_column[split],
        games.threshold[split],
        games.missing_left[split],
        games.zero_is_missing[split],
        games.step_left[walked],
        games.step_player[walked],
    )


@compiled(_games, _I, _int, _int, _M, _M)
def tabulate(games: Games, first_entry: Ints, begin: int, end: int, parts: Floats, weights: Floats) -> Floats:
    """Work out what each column of these bunches is owed for each set of answers to the bunch's splits."""
    table = np.zeros(first_entry[end] - first_entry[begin])
    held, factor, shares = np.empty(len(parts), np.bool_), np.empty(len(parts)), np.empty(len(parts))
    for b in range(begin, end):
        if first_entry[b + 1] == first_entry[b]:
            continue
        answers = 1 << (games.first_split[b + 1] - games.first_split[b])
        for leaf in range(games.first_leaf[b], games.first_leaf[b + 1]):
            played = slice(games.first_player[leaf], games.first_player[leaf + 1])
            walked = slice(games.first_step[leaf], games.first_step[leaf + 1])
            cover, place, value = games.cover[played], games.place[played], games.value[leaf]
            split, goes_left, player = games.step_split[walked], games.step_left[walked], games.step_player[walked]
            own = np.empty((1 << len(cover), len(cover)))
            for who in range(len(own)):
                for i in range(len(cover)):
                    held[i] = (who >> i) & 1
                _share_out(value, cover, held, parts, weights, factor, shares)
                own[who] = shares[: len(cover)]
            at = first_entry[b] - first_entry[begin]
            for answer in range(answers):
                who = len(own) - 1
                for s in range(len(split)):
                    if ((answer >> split[s]) & 1) != goes_left[s]:
                        who &= ~(1 << player[s])
                for i in range(len(cover)):
                    table[at + answer + place[i] * answers] += own[who, i]
    return table


@numba.njit(error_model="numpy", nogil=True)
def _look_up(
    games: Games, b: int, table: Floats, columns: Floats, start: int, stop: int, answer: Answers, out: Floats
) -> None:
    """Add what a bunch's table gives to some rows."""
    first, splits = games.first_split[b], games.first_split[b + 1] - games.first_split[b]
    answer[:] = 0
    for s in range(splits):
        column = columns[games.split_column[first + s], start:stop]
        threshold, missing_left = games.threshold[first + s], games.missing_left[first + s]
        zero_is_missing, bit = games.zero_is_missing[first + s], np.uint16(1 << s)
        if zero_is_missing:
            for r in range(len(column)):
                left = _goes_left(column[r], threshold, missing_left, zero_is_missing)
                answer[r] |= bit if left else np.uint16(0)
        elif missing_left:  # a comparison with NaN is false: two plain ones, which the processor does in bulk
            for r in range(len(column)):
                answer[r] |= np.uint16(0) if column[r] > threshold else bit
        else:
            for r in range(len(column)):
                answer[r] |= bit if column[r] <= threshold else np.uint16(0)
    for c in range(games.first_column[b], games.first_column[b + 1]):
        share = out[games.bunch_column[c], start:stop]
        entry = (c - games.first_column[b]) << splits
        own = table[entry : entry + (1 << splits)]
        for r in range(len(share)):
            share[r] += own[answer[r]]


@numba.njit(error_model="numpy", nogil=True)
def _work_out(
    games: Games, b: int, parts: Floats, weights: Floats, columns: Floats, start: int, stop: int, out: Floats
) -> None:
    """Add what a leaf gives to some rows, if its path has too many splits for a table."""
    leaf = games.first_leaf[b]
    played = slice(games.first_player[leaf], games.first_player[leaf + 1])
    cover, owed, value = games.cover[played], games.player_column[played], games.value[leaf]
    steps = _steps(games, b, leaf)
    held, factor, shares = np.empty(len(cover), np.bool_), np.empty(len(cover)), np.empty(len(cover))
    for row in range(start, stop):
        _find_held(steps, columns, row, held)
        _share_out(value, cover, held, parts, weights, factor, shares)
        for i in range(len(cover)):
            out[owed[i], row] += shares[i]


@compiled(_games, _I, _F, _int, _int, _M, _M, _M, _out)
def add_up(
    games: Games,
    first_entry: Ints,
    table: Floats,
    begin: int,
    end: int,
    parts: Floats,
    weights: Floats,
    columns: Floats,
    out: Floats,
) -> None:
    """Add what these bunches give each column of each row; `columns` and `out` hold a row for each column."""
    answer = np.empty(_ROWS, np.uint16)
    for start in range(0, columns.shape[1], _ROWS):
        stop = min(start + _ROWS, columns.shape[1])
        for b in range(begin, end):
            entry, entry_end = first_entry[b] - first_entry[begin], first_entry[b + 1] - first_entry[begin]
            if entry_end > entry:
                _look_up(games, b, table[entry:entry_end], columns, start, stop, answer, out)
            else:
                _work_out(games, b, parts, weights, columns, start, stop, out)


@numba.njit(inline="always", error_model="numpy")
def _pair_up(
    value: float, cover: Floats, held: Flags, parts: Floats, weights: Floats, factor: Floats, pairs: Floats
) -> None:
    """Work out half the interaction of every two players of a leaf."""
    players = len(cover)
    pairs[:] = 0.0
    for q in range((players + 1) // 2):
        part = parts[players, q]
        product = weights[players, q] * value / 2.0
        for i in range(players):
            factor[i] = cover[i] + (held[i] - cover[i]) * part
            product *= factor[i]
        for i in range(players):
            for j in range(i):
                pairs[i, j] += product / (factor[i] * factor[j])
    for i in range(players):
        for j in range(i):
            pairs[i, j] *= (held[i] - cover[i]) * (held[j] - cover[j])
            pairs[j, i] = pairs[i, j]


@compiled(_games, _M, _M, _M, types.Array(types.float64, 3, "C"))
def interact(games: Games, parts: Floats, weights: Floats, columns: Floats, out: Floats) -> None:
    """Add what all leaves give each pair of columns, half to either order, and to each column alone the rest."""
    most = len(parts)
    held, factor, shares = np.empty(most, np.bool_), np.empty(most), np.empty(most)
    for b in range(len(games.first_leaf) - 1):
        for leaf in range(games.first_leaf[b], games.first_leaf[b + 1]):
            played = slice(games.first_player[leaf], games.first_player[leaf + 1])
            cover, owed, value = games.cover[played], games.player_column[played], games.value[leaf]
            steps = _steps(games, b, leaf)
            players = len(cover)
            pairs = np.empty((players, players))
            for row in range(columns.shape[1]):
                _find_held(steps, columns, row, held[:players])
                _share_out(value, cover, held, parts, weights, factor, shares)
                _pair_up(value, cover, held, parts, weights, factor, pairs)
                for i in range(players):
                    alone = shares[i]
                    for j in range(players):
                        if i != j:
                            out[row, owed[i], owed[j]] += pairs[i, j]
                            alone -= pairs[i, j]
                    out[row, owed[i], owed[i]] += alone
