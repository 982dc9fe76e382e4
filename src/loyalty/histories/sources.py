"""Where a table comes from: frames, files and databases, made readable to DuckDB with their rows counted."""

import csv
import io
import os
import re
import sys
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from loyalty.histories.expressions import columns_in
from loyalty.histories.problems import Problem, fill

#: A pandas, Arrow or Polars frame, a CSV or Parquet path or glob, or any Ibis table.
Source = Any

_CSV = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".csv.zst", ".txt")
_PARQUET = (".parquet", ".pq")
#: What Parquet files begin with (PAR1, or PARE if the end is encrypted); the same stands at their end.
_PARQUET_MARKS = (b"PAR1", b"PARE")
#: What parts the fields of a CSV, and how much of it is held when it is read again to find what is wrong with it.
_MARKS = ",;\t|"
_LONGEST_LINE = 1_000_000
#: What reading lines of what is no CSV may raise.
_NOT_LINES = (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error, pa.ArrowException)
_WHOLE = "'^(0|-?[1-9][0-9]{0,17})$'"
_YEAR_FIRST = r"'^\s*\d{4}[-/]'"


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
        Expressions for identifiers: in a CSV their columns keep leading zeros and all their digits.

    Raises
    ------
    UnreadableSource
        If there is no such file, or nothing here knows how to read it.
    """
    try:
        if isinstance(source, str | Path):
            return _attach_files(con, table, str(source), ids)
        if _is_ibis(source):
            return _copy_ibis(con, table, source)
        arrow = _as_arrow(table, source)
        _refuse_twins(table, arrow.column_names)
        con.register(f"source_{table}", arrow)
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        is_path = isinstance(source, str | Path)
        what = repr(str(source)) if is_path else f"the {type(source).__name__}"
        remedy = "Check the file (a CSV must be UTF-8)." if is_path else "Check its column types."
        raise UnreadableSource(Problem(table, "", f"{what} cannot be read: {reason(error)}", remedy)) from error
    return f"source_{table}"


def detach(con: duckdb.DuckDBPyConnection, table: str) -> None:
    """Let go of what `attach` made, so that a source is not held in memory twice."""
    con.unregister(f"source_{table}")
    con.execute(f"drop table if exists source_{table}_copy")


def _is_ibis(source: Source) -> bool:
    """Whether it is an Ibis table; nothing is one before Ibis was imported."""
    return "ibis" in sys.modules and isinstance(source, sys.modules["ibis"].Table)


def _copy_ibis(con: duckdb.DuckDBPyConnection, table: str, source: Source) -> str:
    _refuse_twins(table, source.columns)
    view = f"source_{table}"
    try:
        con.register(view, source.to_pyarrow_batches())
        con.execute(f"create temp table {view}_copy as select * from {view}")
    except Exception as error:  # whatever the other database's driver raises
        raise UnreadableSource(
            Problem(table, "", f"the Ibis table cannot be read: {reason(error)}", "Check its connection.")
        ) from error
    return f"{view}_copy"


def _refuse_twins(table: str, names: Sequence[str]) -> None:
    """Refuse two columns whose names differ in case only: expressions could not tell them apart."""
    if not names:
        raise UnreadableSource(Problem(table, "", "the table has no columns", fill(table)))
    counted = Counter(name.lower() for name in names)
    twins = [name for name in names if counted[name.lower()] > 1]
    if twins:
        found = f"columns {', '.join(map(repr, twins))} have the same name, in upper or lower case"
        raise UnreadableSource(Problem(table, "", found, "Rename all but one."))


def _attach_files(con: duckdb.DuckDBPyConnection, table: str, path: str, ids: Collection[str]) -> str:
    # A file that is there is meant literally, whatever characters its name has.
    pattern = re.sub(r"([*?\[])", r"[\1]", path) if Path(path).is_file() else path
    literal = text_literal(pattern)
    lowered = path.lower()
    if not con.execute(f"select count(*) from glob({literal})").fetchone()[0]:  # type: ignore[index]
        raise UnreadableSource(
            Problem(table, "", f"there is no file {path!r}", "Check the path; a relative one counts from --data.")
        )
    if lowered.endswith(_PARQUET):
        relation = f"read_parquet({literal}, union_by_name = true)"
    elif lowered.endswith(_CSV):
        return _copy_csv(con, table, literal, ids)
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
    except duckdb.InvalidInputException as error:
        if found := _broken_parquet(Path(path)):
            raise UnreadableSource(Problem(table, "", f"{path!r} {found[0]}", found[1])) from error
        raise
    return relation


def _copy_csv(con: duckdb.DuckDBPyConnection, table: str, literal: str, ids: Collection[str]) -> str:
    files = [Path(name) for (name,) in con.execute(f"select file from glob({literal}) order by 1").fetchall()]
    if all(_is_blank(file) for file in files):
        found = f"the file {str(files[0])!r} is empty" if len(files) == 1 else "the files are empty"
        raise UnreadableSource(Problem(table, "", found, fill(table)))
    try:
        # Read once: each reading of a CSV begins with guessing its types from all its rows.
        con.execute(f"create temp table source_{table}_copy as select * from {_csv(con, literal, ids)}")
    except duckdb.Error as error:
        for file in files:
            if found_there := _ragged(file):
                found, remedy = found_there
                raise UnreadableSource(Problem(table, "", f"{str(file)!r}: {found}", remedy)) from error
        if "Error when sniffing file" in str(error):
            found = "its lines do not part into fields as those of a CSV do"
            raise duckdb.InvalidInputException(found) from error
        raise
    return f"source_{table}_copy"


def _lines(file: Path) -> Iterator[str]:
    """Read a CSV, zipped or not, line by line; one that is no text, or too long to be held, is an error."""
    with pa.input_stream(str(file), compression="detect") as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
        while line := text.readline(_LONGEST_LINE):
            if len(line) == _LONGEST_LINE or "\0" in line:
                raise csv.Error("no line of text")
            yield line


def _is_blank(file: Path) -> bool:
    """Whether a CSV has no sign but spaces; what cannot be read is not blank."""
    try:
        return not any(line.strip() for line in _lines(file))
    except _NOT_LINES:
        return False


def _ragged(file: Path) -> tuple[str, str] | None:
    """Find the first line of a CSV that has not as many fields as its header, and the remedy; None if all have."""
    expected, begins = 0, 1
    try:
        mark = max(_MARKS, key=next((line for line in _lines(file) if line.strip()), "").count)
        rows = csv.reader(_lines(file), delimiter=mark, strict=True)
        for row in rows:
            expected = expected or len(row)
            if row and len(row) != expected:
                return _told_of_line(begins, len(row), expected, mark, last=_has_ended(rows))
            begins = rows.line_num + 1
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            found = f"a quotation mark in line {begins:,} is not closed before the file ends"
            return found, "Was the export cut off? Export it again, or close the quotation mark."
    except _NOT_LINES:
        pass
    return None


def _has_ended(rows: Iterator[list[str]]) -> bool:
    try:
        return not any(rows)
    except csv.Error:
        return False


def _told_of_line(line: int, number: int, expected: int, mark: str, *, last: bool) -> tuple[str, str]:
    found = f"line {line:,} has {number:,} field{'s' if number > 1 else ''}, and the header has {expected:,}"
    if last and number < expected:
        remedy = "It is the last line: was the export cut off? Export it again, or correct the line."
    else:
        remedy = f"Correct the line; text that holds {mark!r} must stand in double quotation marks."
    return found, remedy


def _broken_parquet(path: Path) -> tuple[str, str] | None:
    """Say what a file lacks that all Parquet files begin and end with, and the remedy; None if it lacks neither."""
    if not path.is_file():
        return None  # a pattern: DuckDB's words name the file
    with path.open("rb") as file:
        begins = file.read(4)
        file.seek(-min(4, path.stat().st_size), os.SEEK_END)
        ends = file.read()
    if begins not in _PARQUET_MARKS:
        return "is no Parquet file, whatever its name says", "Name a CSV .csv; else write the file again."
    return None if ends == begins else ("is cut short", "Copy or write it again.")


def _csv(con: duckdb.DuckDBPyConnection, literal: str, ids: Collection[str]) -> str:
    """Read a CSV with types that hold for all its rows: a bad value in the last row makes a column text.

    What guessing would spoil stays text: identifiers that would lose leading zeros or digits as numbers, and dates
    that do not begin with the year, whose day and month only the caller can tell apart.
    """
    options = "header = true, sample_size = -1, union_by_name = true"
    described = con.execute(f"describe select * from read_csv({literal}, {options})").fetchall()
    if len(described) == 1 and any(mark in described[0][0] for mark in _MARKS):
        raise duckdb.InvalidInputException(f"its lines do not all have the fields of its first, {described[0][0]!r}")
    kinds = {name: kind for name, kind, *_ in described}
    named = {column for expression in ids for column in columns_in(expression, list(kinds))}
    forms = {name: _WHOLE for name in named if kinds[name] != "VARCHAR"}
    forms |= {name: _YEAR_FIRST for name, kind in kinds.items() if kind.startswith(("DATE", "TIMESTAMP"))}
    if not forms:
        return f"read_csv({literal}, {options})"
    types = {name: f"{text_literal(name)}: 'VARCHAR'" for name in forms}
    as_text = f"read_csv({literal}, {options}, types = {{{', '.join(types.values())}}})"
    holds = ", ".join(f"bool_and(regexp_matches({quoted(name)}, {form}))" for name, form in forms.items())
    answers = con.execute(f"select {holds} from {as_text}").fetchone() or ()
    kept = [types[name] for name, holds_for_all in zip(forms, answers, strict=True) if holds_for_all is False]
    return (
        f"read_csv({literal}, {options}, types = {{{', '.join(kept)}}})" if kept else f"read_csv({literal}, {options})"
    )


def text_literal(text: str) -> str:
    """Write a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


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
    # Polars, and whatever else speaks Arrow
    if hasattr(source, "__arrow_c_stream__") and not isinstance(source, pd.Series):
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
    arrays = []
    for position in range(flat.shape[1]):
        values = flat.iloc[:, position]
        try:
            arrays.append(pa.array(values, from_pandas=True))
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            texts = [None if pd.api.types.is_scalar(v) and pd.isna(v) else str(v) for v in values]
            arrays.append(pa.array(texts, pa.string()))
    return pa.table(arrays, names=[str(name) for name in flat.columns])


def reason(error: Exception) -> str:
    """Say what a driver said, in one line; what follows a blank line is advice for its own users."""
    said = " ".join(line.strip() for line in str(error).strip().split("\n\n")[0].splitlines()) or type(error).__name__
    return (said if len(said) <= 300 else said[:299] + "…").removesuffix(".")
