"""The border: map a source onto a canonical table, find everything that is wrong with it, store what is right.

A table is staged once with every column in its canonical type beside the text it came from; the checks are
aggregates over that stage, so each problem comes with its count and first row and nothing stops at the first one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import duckdb
import pandas as pd

from loyalty.histories.expressions import ExpressionError, as_sql, nearest
from loyalty.histories.problems import Problem
from loyalty.histories.schema import Column, Table
from loyalty.histories.sources import Source, UnreadableSource, attach, detach, quoted

_INTEGERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"})
_REALS = frozenset({"FLOAT", "DOUBLE", "HUGEINT", "UBIGINT"})
_OFFSET = r"\s?([zZ]|[+-]\d{2}(:?\d{2})?)"
_ZONED_TEXT = rf"'\d:\d{{2}}(:\d{{2}}([.,]\d+)?)?({_OFFSET}|\s[A-Z][A-Za-z_/]+)$'"


@dataclass
class Admission:
    """What came of one table: its problems, its notes, the columns it has and what the source calls them.

    `prefix` begins no column of the source: names made with it are free for the stage.
    """

    table: Table
    columns: tuple[str, ...] = ()
    theirs: Mapping[str, str] = field(default_factory=dict)
    attributes: tuple[str, ...] = ()
    prefix: str = ""
    rows: int = 0
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def row(self) -> str:
        """Name the column of the stage that counts the source's rows from 1."""
        return quoted(f"{self.prefix}row")

    def text(self, column: str) -> str:
        """Name the column of the stage that holds the text a value came from."""
        return quoted(f"{self.prefix}text_{column}")

    def refuse(self, column: str, found: str, remedy: str) -> None:
        """Add one problem."""
        self.problems.append(Problem(self.table.name, column, found, remedy))


def admit(
    con: duckdb.DuckDBPyConnection,
    table: Table,
    source: Source,
    *,
    columns: Mapping[str, str],
    where: str | None,
    future_from: pd.Timestamp | None,
) -> Admission:
    """Read `source` into the table of `con` that has the canonical name, or say all that is wrong with it."""
    admission = Admission(table)
    try:
        relation = attach(
            con, table.name, source, [columns.get(c.name, c.name) for c in table.columns if c.kind == "id"]
        )
    except UnreadableSource as unreadable:
        admission.problems.append(unreadable.problem)
        return admission
    try:
        _admit_rows(con, admission, relation, columns, where, future_from)
    except duckdb.Error as error:  # a file that breaks off, found while its rows are read
        admission.refuse("", f"the rows cannot be read: {_reason(error)}", "Check the source.")
    finally:
        con.execute(f"drop table if exists stage_{table.name}")
        detach(con, table.name)
    return admission


def _admit_rows(
    con: duckdb.DuckDBPyConnection,
    admission: Admission,
    relation: str,
    columns: Mapping[str, str],
    where: str | None,
    future_from: pd.Timestamp | None,
) -> None:
    described = con.execute(f"describe select * from {relation}").fetchall()
    there = [name for name, *_ in described]
    admission.prefix = "loyalty_"
    while any(name.lower().startswith(admission.prefix) for name in [*there, *columns]):
        admission.prefix += "_"
    expressions = _map_columns(admission, there, columns)
    condition = _map_filter(admission, there, where)
    if condition is None or not expressions or not _stage(con, admission, relation, expressions, condition):
        return
    _check(con, admission, future_from)
    if not admission.problems:
        _note_duplicates(con, admission)
        _store(con, admission)


def _map_columns(admission: Admission, there: list[str], columns: Mapping[str, str]) -> dict[str, str]:
    """Choose an expression for every canonical column: the caller's, else the source's column of that name."""
    table = admission.table
    lowered = {name.lower() for name in there}
    for name in columns:
        if name not in table.names and not table.attributes:
            admission.refuse(name, "there is no such column in this table", nearest(name, table.names))
    wanted = {c.name: columns.get(c.name, c.name) for c in table.columns if c.name in columns or c.name in lowered}
    expressions: dict[str, str] = {}
    for column in table.columns:
        if column.name not in wanted:
            if column.required:
                way_out = f"Map it onto a column or an expression. {nearest(column.name, there)}"
                admission.refuse(column.name, "the column is missing", way_out)
            continue
        _map_one(admission, column.name, wanted[column.name], there, expressions)
    admission.theirs = wanted
    if table.attributes:
        used = {str(expression).lower() for expression in wanted.values()}
        extra = {name: name for name in there if name.lower() not in used and name.lower() not in table.names}
        extra |= {name: expression for name, expression in columns.items() if name not in table.names}
        for name, expression in extra.items():
            _map_one(admission, name, expression, there, expressions)
        admission.attributes = tuple(name for name in extra if name in expressions)
    admission.columns = tuple(name for name in table.names if name in expressions)
    return expressions


def _map_one(admission: Admission, name: str, expression: str, there: list[str], into: dict[str, str]) -> None:
    try:
        into[name] = as_sql(expression, there)
    except ExpressionError as error:
        admission.refuse(name, error.found, error.remedy)


def _map_filter(admission: Admission, there: list[str], where: str | None) -> str | None:
    if where is None:
        return "true"
    try:
        return as_sql(where, there)
    except ExpressionError as error:
        admission.refuse("", f"`where`: {error.found}", error.remedy)
        return None


def _stage(
    con: duckdb.DuckDBPyConnection, admission: Admission, relation: str, expressions: Mapping[str, str], where: str
) -> bool:
    """Stage the mapped rows: for each column the canonical value, and beside it the text it came from."""
    table = admission.table
    rows_of = f"(select *, row_number() over () as {admission.row} from {relation}) where {where}"
    raw = ", ".join(f"({sql}) as {quoted(name)}" for name, sql in expressions.items())
    mapped = f"select {admission.row}, {raw} from {rows_of}"
    try:
        kinds = {name: kind for name, kind, *_ in con.execute(f"describe {mapped}").fetchall()}
        values = [
            f"{_canonical(column, kinds[column.name])} as {quoted(column.name)}" for column in _present(admission)
        ]
        texts = [f"{quoted(c.name)}::varchar as {admission.text(c.name)}" for c in _present(admission)]
        extra = [quoted(name) for name in admission.attributes]
        con.execute(
            f"create temp table stage_{table.name} as "
            f"select {', '.join([admission.row, *values, *texts, *extra])} from ({mapped})"
        )
    except duckdb.Error as error:
        rest = _without_uncomputable(con, admission, expressions, rows_of, error)
        return bool(rest) and _stage(con, admission, relation, rest, where)
    rows = con.execute(f"select count(*) from stage_{table.name}").fetchone()[0]  # type: ignore[index]
    if rows == 0:
        before = con.execute(f"select count(*) from {relation}").fetchone()[0]  # type: ignore[index]
        found = f"`where` leaves none of its {before:,} rows" if before else "the table is empty"
        admission.refuse("", found, "Check `where` and the source." if before else "Leave the table out, or fill it.")
        return False
    admission.rows = rows
    for column in _present(admission):
        _note_zone(con, admission, column, kinds[column.name])
    return True


def _without_uncomputable(
    con: duckdb.DuckDBPyConnection,
    admission: Admission,
    expressions: Mapping[str, str],
    rows_of: str,
    error: duckdb.Error,
) -> dict[str, str]:
    """Refuse the columns that fail on their own, and return the others; none if the filter fails."""
    remedy = "Check the types it works on; try_cast and try_strptime give null where a value does not fit."
    rest = {}
    for name, expression in {"": "1", **expressions}.items():
        try:
            con.execute(f"select count(({expression})::varchar) from {rows_of}")
        except duckdb.Error as own:
            what = repr(_short(admission.theirs.get(name, name))) if name else "`where`"
            admission.refuse(name, f"{what} cannot be computed: {_reason(own)}", remedy)
            if not name:
                return {}
        else:
            rest[name] = expression
    rest.pop("")
    if len(rest) == len(expressions):
        admission.refuse("", f"the columns cannot be computed: {_reason(error)}", remedy)
        return {}
    admission.columns = tuple(name for name in admission.columns if name in rest)
    admission.attributes = tuple(name for name in admission.attributes if name in rest)
    return rest


def _present(admission: Admission) -> list[Column]:
    return [column for column in admission.table.columns if column.name in admission.columns]


def _canonical(column: Column, kind: str) -> str:
    """Write the SQL that makes a value of DuckDB type `kind` canonical, or null where it cannot be."""
    name = quoted(column.name)
    if column.kind == "time":
        if kind == "TIMESTAMP WITH TIME ZONE":
            return f"make_timestamp(epoch_us({name}))"
        if kind.startswith(("TIMESTAMP", "DATE")):
            return f"{name}::timestamp"
        if kind != "VARCHAR" and not kind.startswith("ENUM"):
            return "null::timestamp"
        # A zoned text cast to a plain timestamp would lose its zone; the session's zone is UTC. Minutes before an
        # offset need their seconds; a year needs its four digits.
        text = f"trim({name}::varchar)"
        full = rf"regexp_replace({text}, '([T ]\d{{1,2}}:\d{{2}})({_OFFSET})$', '\1:00\2')"
        dated = rf"regexp_matches({text}, '^\d{{4}}[-/]')"
        return f"case when {dated} then make_timestamp(epoch_us(try_cast({full} as timestamptz))) end"
    if column.kind == "number":
        return f"try_cast({name} as double)"
    if column.kind == "flag":
        return f"try_cast({name} as boolean)"
    if column.kind == "id" and kind in _INTEGERS:
        return f"{name}::bigint"
    if column.kind == "id" and (kind in _REALS or kind.startswith("DECIMAL")):
        return f"case when {name} = round({name}) then try_cast({name} as bigint) end"
    return f"{name}::varchar"


def _note_zone(con: duckdb.DuckDBPyConnection, admission: Admission, column: Column, kind: str) -> None:
    if column.kind != "time":
        return
    zoned = kind == "TIMESTAMP WITH TIME ZONE"
    if kind == "VARCHAR" or kind.startswith("ENUM"):
        counted = con.execute(
            f"select count(*) from stage_{admission.table.name} "
            f"where regexp_matches(trim({admission.text(column.name)}), {_ZONED_TEXT})"
        ).fetchone()
        zoned = bool(counted and counted[0])
    if zoned:
        admission.notes.append(f"{admission.table.name}.{column.name}: zoned times were made UTC.")


def _check(con: duckdb.DuckDBPyConnection, admission: Admission, future_from: pd.Timestamp | None) -> None:
    """Run every check of the table, in one pass over the stage."""
    table = admission.table
    checks: list[tuple[str, str, str, str, str]] = []  # column, condition, shown text, found, remedy; none: a warning
    for column in _present(admission):
        checks += _column_checks(column, admission.theirs[column.name], admission.text(column.name))
        if column.after and column.after in admission.columns:
            checks.append((
                column.name,
                f"{quoted(column.name)} < {quoted(column.after)}",
                f"{quoted(column.name)}::varchar || ' before ' || {quoted(column.after)}::varchar",
                f"{{count}} before `{column.after}`, first {{shown}} in row {{row}}",
                f"A {'planned date' if column.planned else 'later fact'} cannot precede its event; "
                "correct the dates, or leave the rows out with `where`.",
            ))  # fmt: skip
    limit = f"timestamp '{future_from}'"
    if future_from is not None and table.time in admission.columns:
        checks.append((
            table.time,
            f"{quoted(table.time)} >= {limit}",
            f"{quoted(table.time)}::varchar",
            f"{{count}} dated at or after {future_from:%Y-%m-%d}, beyond the last cutoff and its horizon, "
            "first {shown} in row {row}",
            "Correct the dates, choose a later cutoff, or leave the rows out with `where`.",
        ))  # fmt: skip
        checks += [
            (
                column.name,
                f"{quoted(column.name)} >= {limit} and {quoted(table.time)} < {limit}",
                f"{quoted(column.name)}::varchar",
                f"{{count}} dated at or after {future_from:%Y-%m-%d}, first {{shown}} in row {{row}}",
                "",
            )
            for column in _present(admission)
            if column.kind == "time" and column.name != table.time and not column.planned
        ]
    at = admission.row
    aggregates = ", ".join(
        f"count(*) filter ({c}), min({at}) filter ({c}), arg_min({shown}, {at}) filter ({c})"
        for _, c, shown, _, _ in checks
    )
    if not checks:
        return
    row = con.execute(f"select {aggregates} from stage_{table.name}").fetchone()
    assert row is not None  # noqa: S101 - an aggregate without groups has one row
    for i, (name, _, _, found, remedy) in enumerate(checks):
        count, first, shown = row[3 * i : 3 * i + 3]
        if not count:
            continue
        rows = f"{count:,} {'row is' if count == 1 else 'rows are'}"
        if remedy:
            admission.refuse(name, found.format(count=rows, row=f"{first:,}", shown=repr(_short(shown))), remedy)
        else:
            said = found.format(count=rows, row=f"{first:,}", shown=repr(_short(shown)))
            admission.warnings.append(f"{table.name}.{name}: {said}; known at no cutoff. Is it a typo?")


def _column_checks(column: Column, theirs: str, text: str) -> list[tuple[str, str, str, str, str]]:
    """List what the values of one column must not be; `theirs` is what the source calls it, for the remedy."""
    value = quoted(column.name)
    checks = []
    if column.required:
        remedy = f'Fill them, or leave the rows out with where = "{theirs} is not null".'
        checks.append((column.name, f"{text} is null", "''", "{count} null, first row {row}", remedy))
        if column.kind in {"id", "text"}:
            remedy = f"Fill them, or leave the rows out with where = \"trim({theirs}) <> ''\"."
            checks.append((column.name, f"trim({text}) = ''", "''", "{count} blank text, first row {row}", remedy))
    filled = f"{text} is not null and {value} is null"
    if column.kind == "time":
        remedy = f"Write dates as 2024-03-01 or 2024-03-01T09:30:00, or map them: strptime({theirs}, '%d/%m/%Y')."
        found = "{count} not a date, first {shown} in row {row}"
        checks.append((column.name, f"({filled}) or not isfinite({value})", text, found, remedy))
    elif column.kind == "number":
        remedy = f'Correct them, or leave the rows out with where = "try_cast({theirs} as double) is not null".'
        checks.append((column.name, filled, text, "{count} text, first {shown} in row {row}", remedy))
        odd = f"isnan({value}) or isinf({value})"
        remedy = f'Correct them, or leave the rows out with where = "abs({theirs}) < 1e300".'
        checks.append((column.name, odd, text, "{count} NaN or infinite, first {shown} in row {row}", remedy))
    elif column.kind in {"id", "flag"}:
        what = "a whole number or text" if column.kind == "id" else "true or false"
        found = f"{{count}} not {what}, first {{shown}} in row {{row}}"
        checks.append((column.name, filled, text, found, f"Map it with a cast, e.g. cast({theirs} as varchar)."))
    return checks


def _note_duplicates(con: duckdb.DuckDBPyConnection, admission: Admission) -> None:
    names = ", ".join(quoted(name) for name in admission.columns + admission.attributes)
    counted = con.execute(
        f"select count(*) - (select count(*) from (select distinct {names} from stage_{admission.table.name})) "
        f"from stage_{admission.table.name}"
    ).fetchone()
    if counted and counted[0]:
        rows, kept = ("1 row repeats", "it is") if counted[0] == 1 else (f"{counted[0]:,} rows repeat", "they are")
        admission.warnings.append(
            f"{admission.table.name}: {rows} an earlier row in every column that was read; {kept} kept. "
            "Copies should be removed at the source."
        )


def _store(con: duckdb.DuckDBPyConnection, admission: Admission) -> None:
    """Keep the canonical columns, sorted by all of them: what is computed later does not depend on the order given."""
    table = admission.table
    selected = []
    for column in table.columns:
        name = quoted(column.name)
        if column.name not in admission.columns:
            if column.name == "known_at":
                selected.append(f"{quoted(table.time)} as known_at")
            continue
        if column.name == "known_at":
            name = f"coalesce(known_at, {quoted(table.time)}) as known_at"
        selected.append(name)
    selected += [quoted(name) for name in admission.attributes]
    con.execute(f"create table {table.name} as select {', '.join(selected)} from stage_{table.name} order by all")
    if "known_at" not in admission.columns:
        at = admission.columns.index(table.time) + 1
        admission.columns = (*admission.columns[:at], "known_at", *admission.columns[at:])


def _reason(error: duckdb.Error) -> str:
    return _short(" ".join(str(error).split("\n\n")[0].split()), 200)


def _short(value: object, length: int = 60) -> str:
    text = str(value)
    return text if len(text) <= length else text[: length - 3] + "…"
