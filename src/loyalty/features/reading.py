"""From the tables of the histories to arrays: the rows of some clients, in the columns that expressions read."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from loyalty.features.algebra import Expression, Rows, columns_of
from loyalty.features.kernels import Codes, Counts
from loyalty.features.parts import NEVER, Block, Part, Texts, Values
from loyalty.histories import TABLES, Histories


def columns_read(histories: Histories, expressions: Iterable[Expression]) -> dict[str, list[str]]:
    """List the stored columns that expressions read, by table."""
    return {
        table: [name for name in columns if name in histories.columns[table]]
        for table, columns in columns_of(expressions).items()
    }


def read_part(
    histories: Histories,
    columns: Mapping[str, Sequence[str]],
    *,
    above: Any = None,
    up_to: Any = None,
    only: NDArray[Any] | None = None,
) -> Part:
    """Read the rows of the clients whose id is above one and up to another, or of some of them, in these columns."""
    tables: dict[str, pa.Table] = {}
    for table, names in columns.items():
        wanted = dict.fromkeys(["client_id", TABLES[table].time, "known_at", *names])
        rows = histories.rows_of(table, list(wanted), above=above, up_to=up_to)
        tables[table] = (rows if only is None else rows.filter(_of_clients(rows, only))).combine_chunks()
    found = {table: _clients(rows.column("client_id")) for table, rows in tables.items()}
    clients = _together([ids for ids, _ in found.values()])
    blocks = {table: _block(table, rows, _starts(clients, *found[table], len(rows))) for table, rows in tables.items()}
    return Part(clients, blocks, above, up_to)


def _of_clients(rows: pa.Table, only: NDArray[Any]) -> pa.ChunkedArray:
    """Tell which rows are of some clients."""
    ids = rows.column("client_id")
    if not pa.types.is_dictionary(ids.type):
        return pc.is_in(ids, pa.array(only, ids.type))
    wanted = pa.array(only, ids.type.value_type)
    masks = [pc.take(pc.is_in(chunk.dictionary, wanted), chunk.indices) for chunk in ids.chunks]
    return pa.chunked_array(masks, pa.bool_())


def _clients(column: pa.ChunkedArray) -> tuple[NDArray[Any], Counts]:
    """Find the clients of sorted rows, and the first row of each."""
    ids = column.chunk(0) if column.num_chunks else pa.array([], column.type)
    coded = pa.types.is_dictionary(ids.type)
    numbers = (ids.indices if coded else ids).to_numpy()
    begins = np.flatnonzero(np.append(True, numbers[1:] != numbers[:-1])[: len(numbers)])
    if not coded:
        return numbers[begins], begins
    return ids.dictionary.take(pa.array(numbers[begins])).to_numpy(zero_copy_only=False), begins


def _together(found: Sequence[NDArray[Any]]) -> NDArray[Any]:
    if len(found) == 1:
        return found[0]
    return np.unique(np.concatenate(found))


def _starts(clients: NDArray[Any], ids: NDArray[Any], begins: Counts, rows: int) -> Counts:
    counts = np.zeros(len(clients), np.int64)
    counts[np.searchsorted(clients, ids)] = np.diff(np.append(begins, rows))
    return np.concatenate([[0], np.cumsum(counts)])


def _block(table: str, rows: pa.Table, starts: Counts) -> Block:
    kinds = {column.name: column.kind for column in TABLES[table].columns}
    columns = {name: _values(rows.column(name), kinds[name]) for name in rows.column_names if name != "client_id"}
    time, known_at = columns[TABLES[table].time], columns.pop("known_at")
    assert not isinstance(time, Texts)  # noqa: S101 - the schema says it is a time
    assert not isinstance(known_at, Texts)  # noqa: S101 - the same
    late = not np.array_equal(time, known_at)
    return Block(Rows(table), starts, time, known_at if late else None, columns)


def _values(column: pa.ChunkedArray, kind: str) -> Values:
    if kind == "time":
        micros = column.cast(pa.timestamp("us")).cast(pa.int64())
        return pc.fill_null(micros, int(NEVER)).to_numpy() if micros.null_count else micros.to_numpy()
    if kind in {"number", "flag"}:
        return column.cast(pa.float64()).to_numpy()
    return _texts(column)


def _texts(column: pa.ChunkedArray) -> Texts:
    array = column.chunk(0) if column.num_chunks else pa.array([], column.type)
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    words = array.dictionary.to_numpy(zero_copy_only=False)
    codes: Codes = pc.fill_null(array.indices.cast(pa.int32()), -1).to_numpy(zero_copy_only=False)
    order = np.argsort(words, kind="stable")
    if np.array_equal(order, np.arange(len(words))):
        return Texts(codes, words)
    place = np.empty(len(words) + 1, np.int32)
    place[order], place[-1] = np.arange(len(words), dtype=np.int32), -1
    return Texts(place[codes], words[order])


def as_index(clients: NDArray[Any]) -> "pd.Index[Any]":
    """Write client ids as pandas does: text as text, whole numbers as such."""
    return pd.Index(clients, dtype="int64" if clients.dtype.kind in "iu" else "str", name="client_id")
