"""The store: tables sorted by client and time, in memory or in a file of their own, and the door to read them through.

Small tables are kept in memory. A large one goes to a file in a private folder, compressed; DuckDB also puts there what
does not fit while it sorts. The folder goes when nobody can ask for the tables any more.
"""

import contextlib
import os
import re
import shutil
import tempfile
import weakref
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from loyalty.histories.sources import quoted, text_literal

ClientId = int | str

_SIZE = re.compile(r"(\d+(?:\.\d+)?) *(KB|MB|GB|TB|KiB|MiB|GiB|TiB)")
_UNITS = {"KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
#: DuckDB's own limit is this share of the memory that the machine or the container has.
_DUCKDB_SHARE = 0.8
#: Tables stay in memory up to this share of what may be held; sorting them takes as much again.
_IN_MEMORY = 1 / 3
#: A sort into the file takes all the memory it may, and is no faster for it: it may have this share, or a gigabyte.
_SORTING = 1 / 2
#: Threads of a sort, at most; and the memory that each of them needs.
_THREADS, _THREAD_MEMORY = 4, 2**27
#: A text column is stored as codes if it has at most so many values, and at least so many rows to each.
_VALUES, _ROWS_A_VALUE = 10_000, 10
#: So many rows tell at little cost of most columns that they have more values.
_FIRST_ROWS = 100_000
#: Rows from one entry of a table's index of clients to the next.
_STEP = 8192


@dataclass(frozen=True)
class StoredTable:
    """One table, and the rows of its clients.

    Attributes
    ----------
    con : DuckDBPyConnection
        Where it is.
    relation : str
        Its SQL, to stand after ``from``. Its columns have names of their own, so that no column of a source is taken
        for ``rowid``, which counts the rows from 0 in their order.
    columns : mapping of str to str
        The SQL of each column that the table shows.
    coded : frozenset of str
        The columns that are stored as codes of their few values.
    text_ids : bool
        Whether client ids are text.
    rows, repeated : int
        How many rows there are, and how many of them repeat another.
    """

    con: duckdb.DuckDBPyConnection
    relation: str
    columns: Mapping[str, str]
    coded: frozenset[str]
    text_ids: bool
    rows: int
    repeated: int

    def read(self, columns: Sequence[str], *, above: ClientId | None = None, up_to: ClientId | None = None) -> pa.Table:
        """Read columns of the clients whose id is larger than `above` and not larger than `up_to`, in their order."""
        client = self.columns["client_id"]
        edges = [(f"{client} > ?", above), (f"{client} <= ?", up_to)]
        conditions = ["true", *(condition for condition, edge in edges if edge is not None)]
        if self.text_ids:
            conditions += self._near(above, up_to)
        selected = ", ".join(f"{self.columns[name]} as {quoted(name)}" for name in columns)
        query = f"select {selected} from {self.relation} where {' and '.join(conditions)}"
        found = self.con.execute(query, [edge for _, edge in edges if edge is not None])
        if hasattr(found, "to_arrow_table"):
            return found.to_arrow_table()
        return found.fetch_arrow_table()  # before DuckDB 1.5

    def _near(self, above: Any, up_to: Any) -> list[str]:
        """Write between which rows a range of clients lies, a step more or less.

        DuckDB remembers the smallest and the largest value of each stretch of rows and reads no more than it must; but
        of a text it remembers the first 8 bytes, which all ids may have in common.
        """
        start = 0 if above is None else max(bisect_right(self._index, above) - 1, 0) * _STEP
        end = self.rows if up_to is None else bisect_right(self._index, up_to) * _STEP
        return [f"rowid >= {start}", f"rowid < {end}"]

    @cached_property
    def _index(self) -> list[Any]:
        """Name the client of every `_STEP`-th row, from the first."""
        query = f"select {self.columns['client_id']} from {self.relation} where rowid % {_STEP} = 0 order by rowid"
        return [client for (client,) in self.con.execute(query).fetchall()]

    def clients_at_every(self, rows: int) -> list[Any]:
        """Name the client of each row that ends a run of so many, and the last client; each once, in order."""
        client = self.columns["client_id"]
        found = self.con.execute(
            f"select distinct {client} as client from {self.relation} "
            f"where rowid % {rows} = {rows - 1} or rowid = {self.rows - 1} order by client"
        ).fetchall()
        return [client for (client,) in found]

    def content(self) -> str:
        """Write the columns, how many rows there are, and the sum of their hashes: cheap, but for one DuckDB only."""
        # Not the codes themselves: other values would have the same.
        values = [f"{sql}::varchar" if name in self.coded else sql for name, sql in self.columns.items()]
        (total,) = self.con.execute(f"select sum(hash({', '.join(values)})) from {self.relation}").fetchone() or (0,)
        return f"{list(self.columns)} {self.rows} {total}"


class Store:
    """Keeps tables in the database of an Ibis backend, where Ibis finds them by their names.

    Parameters
    ----------
    backend : Ibis backend
        Connected to DuckDB, on one thread.
    memory : str, optional
        What DuckDB may hold, such as "2GB"; by default an eighth of the machine's memory, and at least 1 GiB.
    """

    def __init__(self, backend: Any, memory: str | None = None) -> None:
        self.con: duckdb.DuckDBPyConnection = backend.con
        self.tables: dict[str, StoredTable] = {}
        self._memory = _bytes(memory) if memory is not None else max(_machine_memory(self.con) / 8, _UNITS["GiB"])
        self._held = 0
        self._folder = tempfile.mkdtemp(prefix="loyalty-")
        # With the connection, which Ibis tables and unread results hold as well, and not with whoever made it.
        weakref.finalize(self.con, _remove, self._folder, os.getpid())
        self._limit(self._memory)
        self.con.execute(f"set temp_directory = {text_literal(str(Path(self._folder, 'spilled')))}")

    @contextlib.contextmanager
    def more_threads(self) -> Iterator[None]:
        """Use several threads, for what does not depend on their number."""
        afforded = max(int(self._memory / _THREAD_MEMORY), 1)
        self.con.execute(f"set threads = {min(os.cpu_count() or 1, _THREADS, afforded)}")
        try:
            yield
        finally:
            self.con.execute("set threads = 1")

    @contextlib.contextmanager
    def _thrift(self) -> Iterator[None]:
        """Hold less for a while."""
        self._limit(min(self._memory, max(self._memory * _SORTING, _UNITS["GB"])))
        try:
            yield
        finally:
            self._limit(self._memory)

    def _limit(self, memory: float) -> None:
        self.con.execute(f"set memory_limit = '{memory / 2**20:.0f}MiB'")

    def keep(
        self, name: str, query: str, *, time: str, later: Sequence[str], rows: int, shown: Mapping[str, str]
    ) -> StoredTable:
        """Store what a query gives, sorted by client, time and everything else, whatever order it comes in.

        Rows of one instant stand in an order of what they say themselves. Codes would tell of other rows, and later
        facts of what is not known yet, and a sum's last bit with them.

        Parameters
        ----------
        name : str
            Of the table.
        query : str
            Its rows, in SQL.
        time : str
            The column that dates them.
        later : sequence of str
            The columns that tell when the rows, or later facts about them, became known.
        rows : int
            How many there are.
        shown : mapping of str to str
            The columns that the table shows, and which of the query's columns each of them is.
        """
        with self.more_threads():
            kinds = {column: kind for column, kind, *_ in self.con.execute(f"describe {query}").fetchall()}
            texts = [column for column, kind in kinds.items() if kind == "VARCHAR" and column != "client_id"]
            coded = self._code(name, query, texts, rows)
            stored = {column: f"c{position}" for position, column in enumerate(kinds)}
            values = ", ".join(
                f"{quoted(column)}{f'::{coded[column]}' if column in coded else ''} as {stored[column]}"
                for column in kinds
            )
            own = [quoted(column) for column in kinds if column not in ("client_id", time, *later)]
            tie = f"hash({', '.join(own)})" if own else "0"
            order = [stored["client_id"], stored[time], "tie", *(stored[column] for column in later)]
            width = sum(2 if column in coded else 32 if kind == "VARCHAR" else 8 for column, kind in kinds.items())
            place = self._place(rows * width)
            relation = f"{place}rows_{name}"
            with self._thrift() if place else contextlib.nullcontext():
                self.con.execute(
                    f"create table {relation} as select {', '.join(stored.values())} "
                    f"from (select {values}, {tie} as tie from ({query})) order by {', '.join(order)}"
                )
        columns = {column: stored[source] for column, source in shown.items()}
        view = ", ".join(f"{sql} as {quoted(column)}" for column, sql in columns.items())
        self.con.execute(f"create view {quoted(name)} as select {view} from {relation}")
        repeated = self._repeated(relation, stored.values())
        text_ids = kinds["client_id"] == "VARCHAR"
        self.tables[name] = StoredTable(self.con, relation, columns, frozenset(coded), text_ids, rows, repeated)
        return self.tables[name]

    def _code(self, name: str, query: str, texts: Sequence[str], rows: int) -> dict[str, str]:
        """Make a type of codes for each text column of few values; codes are in the order of their values."""
        if not texts or rows < _ROWS_A_VALUE:
            return {}
        counts = ", ".join(f"count(distinct {quoted(column)})" for column in texts)
        first = self.con.execute(f"select {counts} from (from ({query}) limit {_FIRST_ROWS})").fetchone() or ()
        coded = {}
        for position, (column, count) in enumerate(zip(texts, first, strict=True)):
            if count > _VALUES:
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

    def _place(self, size: int) -> str:
        """Choose where a table of so many bytes goes: the memory, or else the file."""
        if self._held + size <= self._memory * _IN_MEMORY:
            self._held += size
            return ""
        file = Path(self._folder, "large.duckdb")
        if not file.exists():
            self.con.execute(f"attach {text_literal(str(file))} as large")
        return "large."

    def _repeated(self, relation: str, columns: Iterable[str]) -> int:
        """Count the rows that repeat another: in their order, in which one thread reads them, they stand beside it."""
        (count,) = self.con.execute(
            "select count(*) from (select h, lag(h) over () as before from "
            f"(select hash({', '.join(columns)}) as h from {relation})) where h = before"
        ).fetchone() or (0,)
        return int(count)


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
