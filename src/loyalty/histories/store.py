"""The store: tables sorted by client and time, in memory or in files of their own, and the door to read them through.

DuckDB reads a source, checks it and computes its columns; the rows come out as Arrow, are brought together by client
and kept so. What is small enough stays in memory as it is. What is not is dealt out among files, each for a range of
clients, which are then sorted one by one. The files lie in a private folder, which goes when nobody can ask for them
any more. A table that is asked for through Ibis is handed to the database then.
"""

import contextlib
import math
import os
import re
import shutil
import tempfile
import weakref
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from loyalty.histories.sorting import sort_rows
from loyalty.histories.sources import quoted, text_literal

ClientId = int | str

_SIZE = re.compile(r"(\d+(?:\.\d+)?) *(KB|MB|GB|TB|KiB|MiB|GiB|TiB)")
_UNITS = {"KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
#: DuckDB's own limit is this share of the memory that the machine or the container has.
_DUCKDB_SHARE = 0.8
#: Tables stay in memory up to this share of what may be held; sorting them takes as much again.
_IN_MEMORY = 1 / 3
#: A file of a large table has about this share of what may be held, and there are so many at the most.
_A_FILE, _FILES = 1 / 16, 256
#: Rows dealt out at a time, at most and at least.
_BATCH, _FEWEST = 500_000, 2_048
#: Threads that read a source, at most; and the memory that each of them needs.
_THREADS, _THREAD_MEMORY = 4, 2**27
#: A text column is stored as codes if it has at most so many values, and at least so many rows to each.
_VALUES, _ROWS_A_VALUE = 10_000, 10
#: Of fewer rows finding the values takes longer than reading the text.
_ROWS_WORTH_CODES = 1_000
#: So many rows tell at little cost of most columns that they have more values.
_FIRST_ROWS = 100_000
#: Rows that tell where the ranges of clients end.
_SAMPLE = 100_000
#: Values that are hashed together.
_HASHED = 2**16


@dataclass(frozen=True)
class Run:
    """The rows of a range of clients, in memory or in a file.

    Attributes
    ----------
    kept : pyarrow.Table or Path
        The rows, sorted.
    first, last : int or str
        The first and the last client.
    rows : int
        How many rows.
    """

    kept: pa.Table | Path
    first: Any
    last: Any
    rows: int

    def table(self) -> pa.Table:
        """Return the rows; those of a file are read when they are looked at."""
        if isinstance(self.kept, pa.Table):
            return self.kept
        with pa.memory_map(str(self.kept)) as file:
            return pa.ipc.open_file(file).read_all()


@dataclass(frozen=True)
class StoredTable:
    """One table, and the rows of its clients.

    Attributes
    ----------
    name : str
        Of the table.
    runs : tuple of Run
        Its rows, in the order of clients.
    columns : mapping of str to str
        The columns it shows, and the stored column that each of them is.
    text_ids : bool
        Whether client ids are text.
    rows, repeated : int
        How many rows there are, and how many of them repeat another.
    """

    name: str
    runs: tuple[Run, ...]
    columns: Mapping[str, str]
    text_ids: bool
    rows: int
    repeated: int

    def read(self, columns: Sequence[str], *, above: ClientId | None = None, up_to: ClientId | None = None) -> pa.Table:
        """Read columns of the clients whose id is larger than `above` and not larger than `up_to`, in their order."""
        found = []
        for run in self.runs:
            if (above is not None and run.last <= above) or (up_to is not None and run.first > up_to):
                continue
            table = run.table()
            ids = table.column(self._client).chunk(0)
            lo = 0 if above is None else _first_above(ids, above)
            hi = run.rows if up_to is None else _first_above(ids, up_to)
            found.append(self._shown(table.slice(lo, max(hi - lo, 0)), columns))
        if not found:
            return self._shown(self.runs[0].table().slice(0, 0), columns)
        return found[0] if len(found) == 1 else pa.concat_tables(found, promote_options="permissive")

    def all(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Read columns of all rows, run by run."""
        return (self._shown(run.table(), columns) for run in self.runs)

    def clients(self) -> pa.ChunkedArray:
        """List the clients, each once: those of every run, since no client is in two."""
        kind = pa.string() if self.text_ids else pa.int64()
        ids = (rows.column("client_id") for rows in self.all(["client_id"]))
        return pa.chunked_array([some.unique().cast(kind) for some in ids], kind)

    @property
    def _client(self) -> str:
        return self.columns["client_id"]

    def _shown(self, rows: pa.Table, columns: Sequence[str]) -> pa.Table:
        return pa.table({name: rows.column(self.columns[name]) for name in columns})

    def clients_at_every(self, rows: int) -> list[Any]:
        """Name the client of each row that ends a run of so many, and the last client; each once, in order."""
        found: list[Any] = []
        before = 0
        for run in self.runs:
            places = range(rows - 1 - before % rows, run.rows, rows)
            if len(places):
                found += run.table().column(self._client).take(pa.array(places)).to_pylist()
            before += run.rows
        return list(dict.fromkeys([*found, self.runs[-1].last]))

    def content(self) -> str:
        """Hash what it holds, at little cost: in the order kept, and as it is kept."""
        told = sha256(repr((self.name, dict(self.columns))).encode())
        for run in self.runs:
            for column in run.table().columns:
                for part in column.chunks:
                    _hash_array(part, told)
        return told.hexdigest()


def _first_above(ids: pa.Array, client: Any) -> int:
    """Find the first row of a client whose id is larger."""
    if pa.types.is_dictionary(ids.type):
        names = ids.dictionary
        code = bisect_right(range(len(names)), client, key=lambda at: names[at].as_py())
        return int(np.searchsorted(ids.indices.to_numpy(), code, side="left"))
    return int(np.searchsorted(ids.to_numpy(), client, side="right"))


def _hash_array(array: pa.Array, into: Any) -> None:
    """Hash values: sums of 64-bit words times random odd numbers, a multilinear hash, of stretch after stretch."""
    into.update(f"{array.type} {len(array)}".encode())
    if pa.types.is_dictionary(array.type):
        _hash_array(array.dictionary, into)
        array = array.indices
    if not pa.types.is_primitive(array.type) or pa.types.is_boolean(array.type) or array.null_count:
        for buffer in pa.concat_arrays([array]).buffers():  # anew, so that nothing stands before or between the values
            into.update(b"" if buffer is None else buffer)
        return
    values = np.frombuffer(memoryview(array.buffers()[1]), np.uint8)
    width = array.type.bit_width // 8
    values = values[array.offset * width : (array.offset + len(array)) * width]
    whole = len(values) // 8 * 8
    words = values[:whole].view(np.uint64)
    odd = np.random.default_rng(0).integers(0, 2**64, _HASHED, np.uint64) | np.uint64(1)
    for start in range(0, len(words), _HASHED):
        stretch = words[start : start + _HASHED]
        into.update(np.dot(stretch, odd[: len(stretch)]).tobytes())
    into.update(values[whole:].tobytes())


@dataclass
class Gathered:
    """The rows of a query, not sorted yet: in memory, or dealt out among files.

    Attributes
    ----------
    parts : list of pyarrow.Table or Path
        One for each range of clients, in their order.
    wrong : bool
        Whether some row was said to be wrong.
    """

    parts: list[Any] = field(default_factory=list)
    wrong: bool = False

    def discard(self) -> None:
        """Let go of the rows."""
        for part in self.parts:
            if isinstance(part, Path):
                part.unlink(missing_ok=True)
        self.parts.clear()


class Store:
    """Keeps tables, reading them through a connection to DuckDB.

    Parameters
    ----------
    con : DuckDBPyConnection
        On one thread.
    memory : str, optional
        What tables and DuckDB may hold, such as "2GB"; by default an eighth of the machine's memory, and at least
        1 GiB.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, memory: str | None = None) -> None:
        self.con = con
        self.tables: dict[str, StoredTable] = {}
        self._memory = _bytes(memory) if memory is not None else max(_machine_memory(con) / 8, _UNITS["GiB"])
        self._held = 0.0
        self._folder = Path(tempfile.mkdtemp(prefix="loyalty-"))
        # With the connection, which Ibis tables and unread results hold as well, and not with whoever made it.
        weakref.finalize(con, _remove, str(self._folder), os.getpid())
        con.execute(f"set memory_limit = '{self._memory / 2**20:.0f}MiB'")
        con.execute(f"set temp_directory = {text_literal(str(self._folder / 'spilled'))}")

    @contextlib.contextmanager
    def more_threads(self) -> Iterator[None]:
        """Use several threads, for what does not depend on their number."""
        afforded = max(int(self._memory / _THREAD_MEMORY), 1)
        self.con.execute(f"set threads = {min(os.cpu_count() or 1, _THREADS, afforded)}")
        try:
            yield
        finally:
            self.con.execute("set threads = 1")

    def gather(
        self,
        name: str,
        columns: Mapping[str, str],
        relation: str,
        *,
        wrong: Sequence[str],
        time: str,
        later: Sequence[str],
        rows: int,
    ) -> Gathered:
        """Compute the columns of a table from a relation, and say whether something is wrong with any of its rows.

        Parameters
        ----------
        name : str
            Of the table.
        columns : mapping of str to str
            The SQL of each column; `client_id` is one.
        relation : str
            To stand after ``from``.
        wrong : sequence of str
            Conditions in SQL: which rows are wrong.
        time : str
            The column that dates the rows.
        later : sequence of str
            The columns that tell when the rows, or later facts about them, became known.
        rows : int
            How many there are.
        """
        values = ", ".join(f"{sql} as {quoted(column)}" for column, sql in columns.items())
        query = f"select {values} from {relation}"
        with self.more_threads():
            kinds = {column: kind for column, kind, *_ in self.con.execute(f"describe {query}").fetchall()}
            texts = [column for column, kind in kinds.items() if kind == "VARCHAR" and column != "client_id"]
            coded = self._code(name, query, texts, rows)
            kept = [
                f"{quoted(column)}{f'::{coded[column]}' if column in coded else ''} as c{position}"
                for position, column in enumerate(kinds)
            ]
            own = [quoted(column) for column in kinds if column not in ("client_id", time, *later)]
            # Rows of one instant stand in an order of what they say themselves. Codes would tell of other rows, and
            # later facts of what is not known yet, and a sum's last bit with them.
            kept.append(f"hash({', '.join(own) or '0'}) as tie")
            failing = " or ".join(f"coalesce({condition}, false)" for condition in wrong) or "false"
            flag = "wrong"
            while flag in {column.lower() for column in columns}:
                flag += "_"
            source = f"(select {values}, {failing} as {flag} from {relation})"
            width = sum(2 if column in coded else 32 if kind == "VARCHAR" else 8 for column, kind in kinds.items())
            if self._held + rows * width <= self._memory * _IN_MEMORY:
                found = _to_arrow(self.con.execute(f"select {', '.join(kept)}, {flag} as wrong from {source}"))
                gathered = Gathered([found.drop_columns("wrong")], bool(pc.any(found.column("wrong")).as_py()))
                self._held += found.nbytes
                return gathered
            ends = self._ends(query, math.ceil(rows * width / (self._memory * _A_FILE)))
            kept += [f"{flag} as wrong", f"{_range_of('client_id', ends)}::usmallint as range"]
            query = f"select {', '.join(kept)} from {source}"
            batch = int(min(_BATCH, max(self._memory * _A_FILE / width, _FEWEST)))
            return self._deal(name, _to_batches(self.con.execute(query), batch), len(ends) + 1)

    def keep(
        self,
        name: str,
        gathered: Gathered,
        columns: Sequence[str],
        *,
        time: str,
        later: Sequence[str],
        shown: Mapping[str, str],
    ) -> StoredTable:
        """Sort what was gathered by client, time and everything else, whatever order it came in, and keep it.

        Parameters
        ----------
        name, columns, time, later
            As for `gather`.
        gathered : Gathered
            What `gather` returned, with nothing wrong.
        shown : mapping of str to str
            The columns that the table shows, and which of `columns` each of them is.
        """
        stored = {column: f"c{position}" for position, column in enumerate(columns)}
        client, runs, repeated = stored["client_id"], [], 0
        while gathered.parts:
            part = gathered.parts.pop(0)
            ordered, again = sort_rows(
                part if isinstance(part, pa.Table) else _read_stream(part),
                client=client,
                time=stored[time],
                tie="tie",
                later=[stored[column] for column in later],
            )
            repeated += again
            first, last = (ordered.column(client)[at].as_py() for at in (0, -1))
            kept: pa.Table | Path = ordered
            if isinstance(part, Path):
                part.unlink()
                kept = part.with_suffix(".arrow")
                with pa.ipc.new_file(str(kept), ordered.schema) as file:
                    file.write_table(ordered)
            runs.append(Run(kept, first, last, ordered.num_rows))
            del part, ordered, kept
        self.tables[name] = StoredTable(
            name,
            tuple(runs),
            {column: stored[source] for column, source in shown.items()},
            isinstance(runs[0].first, str),
            sum(run.rows for run in runs),
            repeated,
        )
        return self.tables[name]

    def hand_over(self, name: str) -> None:
        """Let the database have a table under its name, its rows in their order."""
        stored = self.tables[name]
        place = ""
        if any(isinstance(run.kept, Path) for run in stored.runs):
            place = "large."
            if not (file := self._folder / "large.duckdb").exists():
                self.con.execute(f"attach {text_literal(str(file))} as large")
        relation = f"{place}rows_{name}"
        for number, run in enumerate(stored.runs):
            self.con.register("handed_over", run.table())
            begin = f"insert into {relation}" if number else f"create table {relation} as"
            self.con.execute(f"{begin} select * from handed_over")
            self.con.unregister("handed_over")
        view = ", ".join(f"{sql} as {quoted(column)}" for column, sql in stored.columns.items())
        self.con.execute(f"create view {quoted(name)} as select {view} from {relation}")

    def close_doors(self) -> None:
        """Let the database reach no file from now on, but those in the private folder."""
        self.con.execute(f"set allowed_directories = [{text_literal(str(self._folder))}]")
        self.con.execute("set enable_external_access = false")

    def _code(self, name: str, query: str, texts: Sequence[str], rows: int) -> dict[str, str]:
        """Make a type of codes for each text column of few values; codes are in the order of their values."""
        if not texts or rows < _ROWS_WORTH_CODES:
            return {}
        counts = ", ".join(f"count(distinct {quoted(column)})" for column in texts)
        first = self.con.execute(f"select {counts} from (from ({query}) limit {_FIRST_ROWS})").fetchone() or ()
        coded = {}
        for position, (column, count) in enumerate(zip(texts, first, strict=True)):
            if count > min(_VALUES, rows / _ROWS_A_VALUE):
                continue
            kind = f"values_{name}_{position}"
            self.con.execute(
                f"create temp table {kind}_listed as select distinct {quoted(column)} as v from ({query}) "
                f"where v is not null limit {_VALUES + 1}"
            )
            (values,) = self.con.execute(f"select count(*) from {kind}_listed").fetchone() or (0,)
            if 0 < values <= min(_VALUES, rows / _ROWS_A_VALUE):
                self.con.execute(f"create type {kind} as enum (select v from {kind}_listed order by v)")
                coded[column] = kind
            self.con.execute(f"drop table {kind}_listed")
        return coded

    def _ends(self, query: str, files: int) -> list[Any]:
        """Find clients that divide the rows about evenly, from a sample; one thread draws the same each time."""
        self.con.execute("set threads = 1")
        sample = f"from (select client_id from ({query})) using sample reservoir({_SAMPLE} rows) repeatable (1)"
        ids = [client for (client,) in self.con.execute(f"select client_id as c {sample} order by c").fetchall()]
        files = min(files, _FILES, len(ids))
        return list(dict.fromkeys(ids[len(ids) * file // files] for file in range(1, files)))

    def _deal(self, name: str, batches: Iterator[pa.RecordBatch], files: int) -> Gathered:
        """Deal rows out among files, one for each range of clients."""
        gathered = Gathered()
        paths = [self._folder / f"{name}-{number:03d}.gathered" for number in range(files)]
        with contextlib.ExitStack() as stack:
            writers: dict[int, Any] = {}
            for batch in batches:
                rows = pa.Table.from_batches([batch])
                gathered.wrong |= bool(pc.any(rows.column("wrong")).as_py())
                ranges = rows.column("range").fill_null(0).to_numpy()
                order = np.argsort(ranges, kind="stable")
                rows = rows.drop_columns(["wrong", "range"]).take(pa.array(order))
                ends = np.cumsum(np.bincount(ranges, minlength=files))
                for number, (begin, end) in enumerate(zip([0, *ends], ends, strict=False)):
                    if begin == end:
                        continue
                    if number not in writers:
                        writers[number] = stack.enter_context(pa.ipc.new_stream(str(paths[number]), rows.schema))
                    writers[number].write_table(rows.slice(begin, end - begin).combine_chunks())
        gathered.parts += [paths[number] for number in sorted(writers)]
        return gathered


def _range_of(client: str, ends: Sequence[Any]) -> str:
    """Write the SQL that numbers a client's range; each but the last ends with one of `ends`."""

    def halve(lo: int, hi: int) -> str:
        if lo == hi:
            return str(lo)
        middle = (lo + hi) // 2
        end = ends[middle]
        edge = text_literal(end) if isinstance(end, str) else str(end)
        return f"case when {client} <= {edge} then {halve(lo, middle)} else {halve(middle + 1, hi)} end"

    return halve(0, len(ends))


def _to_arrow(found: duckdb.DuckDBPyConnection) -> pa.Table:
    if hasattr(found, "to_arrow_table"):
        return found.to_arrow_table()
    return found.fetch_arrow_table()  # before DuckDB 1.5


def _to_batches(found: duckdb.DuckDBPyConnection, rows: int) -> Iterator[pa.RecordBatch]:
    if hasattr(found, "to_arrow_reader"):
        return iter(found.to_arrow_reader(rows))
    return iter(found.fetch_record_batch(rows))  # before DuckDB 1.5


def _read_stream(path: Path) -> pa.Table:
    with pa.memory_map(str(path)) as file:
        return pa.ipc.open_stream(file).read_all()


def _bytes(size: str) -> float:
    written = _SIZE.fullmatch(size.strip()) if isinstance(size, str) else None
    if written is None or float(written[1]) == 0:
        raise ValueError(f"`memory` must be a size such as '2GB'; got {size!r}.")
    return float(written[1]) * _UNITS[written[2]]


def _machine_memory(con: duckdb.DuckDBPyConnection) -> float:
    (limit,) = con.execute("select current_setting('memory_limit')").fetchone() or ("1 GiB",)
    return _bytes(limit) / _DUCKDB_SHARE


def _remove(folder: str, process: int) -> None:
    if os.getpid() == process:  # what a fork has is a copy, and the folder is not its own
        shutil.rmtree(folder, ignore_errors=True)
