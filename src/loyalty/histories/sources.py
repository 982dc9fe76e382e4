"""Where a table comes from: frames, files and databases, made readable to DuckDB with their rows counted."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import duckdb
import ibis
import pandas as pd
import pyarrow as pa

from loyalty.histories.problems import Problem

#: A pandas, Arrow or Polars frame, a CSV or Parquet path or glob, or any Ibis table.
Source = Any

_CSV = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".csv.zst", ".txt")
_PARQUET = (".parquet", ".pq")


class UnreadableSource(Exception):  # noqa: N818 - never leaves this package: it becomes a Problem
    """A source that cannot be opened at all."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(str(problem))


def attach(con: duckdb.DuckDBPyConnection, table: str, source: Source, ids: Collection[str]) -> str:
    """Make `source` a relation of `con` and return its SQL, to stand after ``from``.

    Parameters
    ----------
    con : DuckDBPyConnection
        Where to read it.
    table : str
        The canonical table it is to become, for errors and names.
    source : frame, path, glob or Ibis table
        What the caller gave.
    ids : collection of str
        Columns that hold identifiers: in a CSV they keep their leading zeros.

    Raises
    ------
    UnreadableSource
        If there is no such file, or nothing here knows how to read it.
    """
    view = f"source_{table}"
    if isinstance(source, str | Path):
        return _attach_files(con, table, str(source), ids)
    if isinstance(source, ibis.Table):
        try:
            con.register(view, source.to_pyarrow_batches())
            con.execute(f"create temp table {view}_copy as select * from {view}")
        except Exception as error:
            raise UnreadableSource(
                Problem(table, "", f"the Ibis table cannot be read: {_first_line(error)}", "Check its connection.")
            ) from error
        con.unregister(view)
        return f"{view}_copy"
    con.register(view, _as_arrow(table, source))
    return view


def _attach_files(con: duckdb.DuckDBPyConnection, table: str, path: str, ids: Collection[str]) -> str:
    literal = "'" + path.replace("'", "''") + "'"
    lowered = path.lower()
    if not con.execute(f"select count(*) from glob({literal})").fetchone()[0]:  # type: ignore[index]
        raise UnreadableSource(
            Problem(table, "", f"there is no file {path!r}", "Check the path; a relative one counts from --data.")
        )
    if lowered.endswith(_PARQUET):
        relation = f"read_parquet({literal}, union_by_name = true)"
    elif lowered.endswith(_CSV):
        relation = _csv(con, literal, ids)
    else:
        raise UnreadableSource(
            Problem(
                table,
                "",
                f"{path!r} is neither CSV nor Parquet",
                f"Use a file that ends in {', '.join(_CSV + _PARQUET)}.",
            )
        )
    try:
        con.execute(f"select * from {relation} limit 0")
    except duckdb.Error as error:
        raise UnreadableSource(
            Problem(table, "", f"{path!r} cannot be read: {_first_line(error)}", "Check the file.")
        ) from error
    return relation


def _csv(con: duckdb.DuckDBPyConnection, literal: str, ids: Collection[str]) -> str:
    """Read a CSV with types that hold for all its rows: a bad value in the last row makes a column text.

    Identifiers that look like numbers but would lose leading zeros as numbers stay text.
    """
    options = "sample_size = -1, union_by_name = true"
    described = con.execute(f"describe select * from read_csv({literal}, {options})").fetchall()
    lowered = {name.lower() for name in ids}
    numeric = [name for name, kind, *_ in described if name.lower() in lowered and kind != "VARCHAR"]
    types = {name: "'" + name.replace("'", "''") + "': 'VARCHAR'" for name in numeric}
    if not numeric:
        return f"read_csv({literal}, {options})"
    whole = ", ".join(f"bool_and(regexp_matches({quoted(name)}, '^(0|-?[1-9][0-9]{{0,17}})$'))" for name in numeric)
    as_text = f"read_csv({literal}, {options}, types = {{{', '.join(types.values())}}})"
    answers = con.execute(f"select {whole} from {as_text}").fetchone() or ()
    kept = [types[name] for name, is_whole in zip(numeric, answers, strict=True) if is_whole is False]
    return (
        f"read_csv({literal}, {options}, types = {{{', '.join(kept)}}})" if kept else f"read_csv({literal}, {options})"
    )


def quoted(name: str) -> str:
    """Write a column's name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _as_arrow(table: str, source: Source) -> pa.Table:
    if isinstance(source, pa.Table):
        return source
    if isinstance(source, pa.RecordBatch):
        return pa.Table.from_batches([source])
    if isinstance(source, pa.RecordBatchReader):
        return source.read_all()
    if isinstance(source, pd.DataFrame):
        return _from_pandas(source)
    if hasattr(source, "__arrow_c_stream__"):  # Polars, and whatever else speaks Arrow
        return pa.table(source)
    raise UnreadableSource(
        Problem(
            table,
            "",
            f"a {type(source).__name__} cannot be read",
            "Give a pandas, Arrow or Polars frame, a CSV or Parquet path, or an Ibis table.",
        )
    )


def _from_pandas(frame: pd.DataFrame) -> pa.Table:
    """Convert column by column, so that a column of mixed things becomes text, to be reported, and not an exception."""
    named = [name for name in frame.index.names if name is not None and name not in frame.columns]
    flat = frame.reset_index(level=named) if named else frame
    arrays = {}
    for position, name in enumerate(flat.columns):
        values = flat.iloc[:, position]
        try:
            arrays[str(name)] = pa.array(values, from_pandas=True)
        except (pa.ArrowException, TypeError, ValueError):
            arrays[str(name)] = pa.array([None if pd.isna(v) else str(v) for v in values], pa.string())
    return pa.table(arrays)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
