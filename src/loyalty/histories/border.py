"""The border: map a source onto a canonical table, find everything that is wrong with it, store what is right.

One pass over the source takes its rows, and says whether any is wrong. Only if one is, another pass asks which checks
fail, counts the rows that fail them and finds the first. Every check is asked, so nothing stops at the first problem.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pandas as pd

from loyalty.histories.expressions import ExpressionError, as_sql, nearest
from loyalty.histories.joining import Join, Relation, attach_all, count_lonely, detach_all
from loyalty.histories.problems import DECIMAL_POINT, Problem, WrittenNumbers, fill
from loyalty.histories.schema import Column, Table
from loyalty.histories.sources import Source, UnreadableSource, quoted
from loyalty.histories.store import Store

_INTEGERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"})
_REALS = frozenset({"FLOAT", "DOUBLE", "HUGEINT", "UBIGINT"})
#: How many different texts are looked at to learn how numbers are written.
_TEXTS = 10_000
_OFFSET = r"\s?([zZ]|[+-]\d{2}(:?\d{2})?)"
_ZONED_TEXT = rf"'\d:\d{{2}}(:\d{{2}}([.,]\d+)?)?({_OFFSET}|\s[A-Z][A-Za-z_/]+)$'"


@dataclass
class Admission:
    """What came of one table: its problems, its notes, the columns it has and what the source calls them.

    `prefix` begins no column of the source: names made with it are free for what stands beside the columns.
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
        """Name the column that counts the source's rows from 1."""
        return quoted(f"{self.prefix}row")

    def given(self, column: str) -> str:
        """Name the column that holds a value as the source has it."""
        return quoted(f"{self.prefix}given_{column}")

    @property
    def present(self) -> list[Column]:
        """The canonical columns it has."""
        return [column for column in self.table.columns if column.name in self.columns]

    def refuse(self, column: str, found: str, remedy: str) -> None:
        """Add one problem."""
        self.problems.append(Problem(self.table.name, column, found, remedy))


@dataclass(frozen=True)
class Mapped:
    """The rows of a source under canonical names.

    Attributes
    ----------
    relation : Relation
        The source, and what is joined to it.
    where : str
        The SQL of the condition on its rows.
    expressions : mapping of str to str
        The SQL of each column.
    """

    relation: Relation
    where: str
    expressions: Mapping[str, str]

    @property
    def rows(self) -> str:
        """The SQL of the rows that are taken, to stand after ``from``."""
        return f"{self.relation.sql()} where {self.where}"

    def given(self, admission: Admission, *, numbered: bool = False) -> str:
        """Write the query for the values as the source has them; `numbered`, with the row they come from."""
        values = [f"({sql}) as {admission.given(name)}" for name, sql in self.expressions.items()]
        if not numbered:
            return f"select {', '.join(values)} from {self.rows}"
        rows = self.relation.sql(admission.row)
        return f"select {', '.join([admission.row, *values])} from {rows} where {self.where}"


@dataclass(frozen=True)
class Check:
    """What no row of a column may be.

    Attributes
    ----------
    condition, shown : str
        SQL: which rows fail it, and what to show of the first.
    found, remedy : str
        What to say. Without a remedy it is a warning.
    written : str
        What the source calls numbers that are text: how they are written decides on the remedy.
    """

    column: str
    condition: str
    shown: str
    found: str
    remedy: str
    written: str = ""


def admit(
    store: Store,
    table: Table,
    source: Source,
    *,
    columns: Mapping[str, str],
    where: str | None,
    join: Sequence[Join],
    future_from: pd.Timestamp | None,
) -> Admission:
    """Read `source` into the store's table of that name, or say all that is wrong with it."""
    admission = Admission(table)
    ids = [columns.get(column.name, column.name) for column in table.columns if column.kind == "id"]
    try:
        relation = attach_all(store.con, table.name, source, ids, join)
        _admit_rows(store, admission, relation, columns, where, future_from)
    except UnreadableSource as unreadable:
        admission.problems.append(unreadable.problem)
    except duckdb.OutOfMemoryException as error:
        admission.refuse("", f"its rows need more memory than allowed: {_reason(error)}", "Allow more with `memory`.")
    except duckdb.Error as error:  # a file that breaks off, found while its rows are read
        admission.refuse("", f"the rows cannot be read: {_reason(error)}", "Check the source.")
    finally:
        detach_all(store.con, table.name, join)
    return admission


def _admit_rows(
    store: Store,
    admission: Admission,
    relation: Relation,
    columns: Mapping[str, str],
    where: str | None,
    future_from: pd.Timestamp | None,
) -> None:
    there = list(relation.columns)
    admission.prefix = "loyalty_"
    while any(name.lower().startswith(admission.prefix) for name in [*there, *columns]):
        admission.prefix += "_"
    expressions = _map_columns(admission, there, columns)
    condition = _map_filter(admission, there, where)
    if condition is None:
        return
    while expressions:
        mapped = Mapped(relation, condition, expressions)
        try:
            _check_and_store(store, admission, mapped, future_from)
            _tell_lonely(store, admission, mapped)
            return
        except duckdb.OutOfMemoryException:
            raise
        except duckdb.Error as error:
            expressions = _without_uncomputable(store.con, admission, mapped, error)


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


def _check_and_store(store: Store, admission: Admission, mapped: Mapped, future_from: pd.Timestamp | None) -> None:
    """Check the mapped rows, and store them if they are right."""
    described = store.con.execute(f"describe {mapped.given(admission)}").fetchall()
    kinds = dict(zip(mapped.expressions, (kind for _, kind, *_ in described), strict=True))
    (rows,) = store.con.execute(f"select count(*) from {mapped.rows}").fetchone() or (0,)
    if rows == 0:
        _refuse_empty(store.con, admission, mapped)
        return
    admission.rows = rows
    checks = _checks(admission, kinds, future_from)
    zoned = _zoned(admission, kinds)
    canonical = _canonical(admission, kinds)
    given = f"(select *, {_as_columns(canonical)} from ({mapped.given(admission)}))"
    columns = _kept_columns(admission, canonical)
    order: dict[str, Any] = {"time": admission.table.time, "later": _later(admission)}
    gathered = None
    if not admission.problems:
        wrong = [*(check.condition for check in checks), *zoned.values()]
        gathered = store.gather(admission.table.name, columns, given, wrong=wrong, rows=rows, **order)
    if gathered is None or gathered.wrong:
        _ask(store, admission, kinds, mapped, given, checks, zoned)
    admission.notes += [
        f"{admission.table.name}.{column}: zoned times were made UTC."
        for column, kind in kinds.items()
        if kind == "TIMESTAMP WITH TIME ZONE"
    ]
    if gathered is None:
        return
    if admission.problems:
        gathered.discard()
        return
    shown = {name: name for name in ("client_id", admission.table.time, "known_at", *columns)}
    if "known_at" not in columns:
        shown["known_at"] = admission.table.time
    _tell_repeated(admission, store.keep(admission.table.name, gathered, list(columns), shown=shown, **order).repeated)


def _ask(
    store: Store,
    admission: Admission,
    kinds: Mapping[str, str],
    mapped: Mapped,
    given: str,
    checks: Sequence[Check],
    zoned: Mapping[str, str],
) -> None:
    """Find out which checks fail, and tell."""
    asked = [
        *(f"bool_or({condition})" for condition in (*(check.condition for check in checks), *zoned.values())),
        *(f"count({admission.given(column)})" for column in mapped.expressions),  # whatever fails, fails here
    ]
    with store.more_threads():
        answers = store.con.execute(f"select {', '.join(asked)} from {given}").fetchone() or ()
    failing = [check for check, fails in zip(checks, answers, strict=False) if fails]
    admission.notes += [
        f"{admission.table.name}.{column}: zoned times were made UTC."
        for column, has in zip(zoned, answers[len(checks) :], strict=False)
        if has
    ]
    if failing:
        _tell(store.con, admission, kinds, mapped, failing)


def _zoned(admission: Admission, kinds: Mapping[str, str]) -> dict[str, str]:
    """Write, for each column of times that is text, the condition that one has a zone."""
    return {
        column.name: f"regexp_matches(trim({admission.given(column.name)}::varchar), {_ZONED_TEXT})"
        for column in admission.present
        if column.kind == "time" and _is_text(kinds[column.name])
    }


def _later(admission: Admission) -> list[str]:
    """List the columns that tell when rows, or later facts about them, became known."""
    return [column.name for column in admission.present if column.later or column.name == "known_at"]


def _kept_columns(admission: Admission, canonical: Mapping[str, str]) -> dict[str, str]:
    """Write the SQL of what is kept: canonical columns and attributes; a row without `known_at` has its date there."""
    columns = {name: quoted(name) for name in canonical}
    if "known_at" in columns:
        columns["known_at"] = f"coalesce({quoted('known_at')}, {quoted(admission.table.time)})"
    return columns | {name: admission.given(name) for name in admission.attributes}


def _refuse_empty(con: duckdb.DuckDBPyConnection, admission: Admission, mapped: Mapped) -> None:
    (before,) = con.execute(f"select count(*) from {mapped.relation.source}").fetchone() or (0,)
    found = f"`where` leaves none of its {before:,} rows" if before else "the table is empty"
    admission.refuse("", found, "Check `where` and the source." if before else fill(admission.table.name))


def _without_uncomputable(
    con: duckdb.DuckDBPyConnection, admission: Admission, mapped: Mapped, error: duckdb.Error
) -> dict[str, str]:
    """Refuse the columns that fail on their own, and return the others; none if the filter fails."""
    remedy = "Check the types it works on; try_cast and try_strptime give null where a value does not fit."
    rest = {}
    for name, expression in {"": "1", **mapped.expressions}.items():
        try:
            con.execute(f"select count(({expression})::varchar) from {mapped.rows}")
        except duckdb.Error as own:
            what = repr(_short(admission.theirs.get(name, name))) if name else "`where`"
            admission.refuse(name, f"{what} cannot be computed: {_reason(own)}", remedy)
            if not name:
                return {}
        else:
            rest[name] = expression
    rest.pop("")
    if len(rest) == len(mapped.expressions):
        admission.refuse("", f"the columns cannot be computed: {_reason(error)}", remedy)
        return {}
    admission.columns = tuple(name for name in admission.columns if name in rest)
    admission.attributes = tuple(name for name in admission.attributes if name in rest)
    return rest


def _is_text(kind: str) -> bool:
    return kind == "VARCHAR" or kind.startswith("ENUM")


def _always_fits(column: Column, kind: str) -> bool:
    """Say whether DuckDB's type leaves nothing to be refused as not of the column's kind."""
    if column.kind == "number":
        return kind in _INTEGERS | _REALS
    return kind in _INTEGERS or _is_text(kind) if column.kind == "id" else kind == "BOOLEAN"


def _canonical(admission: Admission, kinds: Mapping[str, str]) -> dict[str, str]:
    """Write the SQL of each canonical column, over the values as the source has them."""
    return {
        column.name: _canonical_value(column, admission.given(column.name), kinds[column.name])
        for column in admission.present
    }


def _as_columns(values: Mapping[str, str]) -> str:
    return ", ".join(f"{sql} as {quoted(name)}" for name, sql in values.items())


def _canonical_value(column: Column, name: str, kind: str) -> str:
    """Write the SQL that makes the value `name`, of DuckDB type `kind`, canonical, or null where it cannot be."""
    if column.kind == "time":
        if kind == "TIMESTAMP WITH TIME ZONE":
            return f"make_timestamp(epoch_us({name}))"
        if kind.startswith(("TIMESTAMP", "DATE")):
            return f"{name}::timestamp"
        if not _is_text(kind):
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


def _checks(admission: Admission, kinds: Mapping[str, str], future_from: pd.Timestamp | None) -> list[Check]:
    """List every check of the table."""
    table = admission.table
    checks = []
    for column in admission.present:
        given, theirs = admission.given(column.name), admission.theirs[column.name]
        checks += _column_checks(column, given, kinds[column.name], theirs)
        if column.after and column.after in admission.columns:
            checks.append(
                Check(
                    column.name,
                    f"{quoted(column.name)} < {quoted(column.after)}",
                    f"{quoted(column.name)}::varchar || ' before ' || {quoted(column.after)}::varchar",
                    f"{{count}} before `{column.after}`, first {{shown}} in row {{row}}",
                    f"A {'planned date' if column.planned else 'later fact'} cannot precede its event; "
                    "correct the dates, or leave the rows out with `where`.",
                )
            )
    if future_from is not None and table.time in admission.columns:
        checks += _future_checks(admission, future_from)
    return checks


def _future_checks(admission: Admission, future_from: pd.Timestamp) -> list[Check]:
    """List what no date may be, and what it should not; a planned date may be anywhen."""
    time, limit = admission.table.time, f"timestamp '{future_from}'"
    refused = Check(
        time,
        f"{quoted(time)} >= {limit}",
        f"{quoted(time)}::varchar",
        f"{{count}} dated at or after {future_from:%Y-%m-%d}, when nothing can have happened yet, "
        "first {shown} in row {row}",
        "Correct the dates, or leave the rows out with `where`.",
    )
    return [
        refused,
        *(
            Check(
                column.name,
                f"{quoted(column.name)} >= {limit} and {quoted(time)} < {limit}",
                f"{quoted(column.name)}::varchar",
                f"{{count}} dated at or after {future_from:%Y-%m-%d}, first {{shown}} in row {{row}}",
                "",
            )
            for column in admission.present
            if column.kind == "time" and column.name != time and not column.planned
        ),
    ]


def _column_checks(column: Column, given: str, kind: str, theirs: str) -> list[Check]:
    """List what the values of one column must not be; what DuckDB's type of them rules out is not asked.

    `theirs` is what the source calls the column, for the remedy.
    """
    value, text = quoted(column.name), f"{given}::varchar"
    checks = []
    if column.required:
        remedy = f'Fill them, or leave the rows out with where = "{theirs} is not null".'
        checks.append(Check(column.name, f"{given} is null", "''", "{count} null, first row {row}", remedy))
        if column.kind in {"id", "text"} and kind not in _INTEGERS | _REALS:
            remedy = f"Fill them, or leave the rows out with where = \"trim({theirs}) <> ''\"."
            # Few texts sort before the first sign after the space: the others need not be trimmed.
            blank = f"case when {text} < '!' then trim({text}) = '' end"
            checks.append(Check(column.name, blank, "''", "{count} blank text, first row {row}", remedy))
    filled = f"{given} is not null and {value} is null"
    if column.kind == "time":
        remedy = (
            f"Write dates as 2024-03-01 or 2024-03-01T09:30:00, or map them by their own form, such as "
            f"strptime({theirs}, '%d/%m/%Y'), with ' %H:%M' for a time of day, %y for a year of two digits, and "
            f"cast({theirs} as varchar) in its place where they are numbers."
        )
        found = "{count} not a date, first {shown} in row {row}"
        checks.append(Check(column.name, f"({filled}) or not isfinite({value})", text, found, remedy))
    elif column.kind == "number":
        if not _always_fits(column, kind):
            found = "{count} text, first {shown} in row {row}"
            checks.append(Check(column.name, filled, text, found, "Correct them.", written=theirs))
        if kind not in _INTEGERS:
            remedy = f'Correct them, or leave the rows out with where = "abs({theirs}) < 1e300".'
            found = "{count} NaN or infinite, first {shown} in row {row}"
            checks.append(Check(column.name, f"not isfinite({value})", text, found, remedy))
    elif column.kind in {"id", "flag"} and not _always_fits(column, kind):
        what = "a whole number or text" if column.kind == "id" else "true or false"
        found = f"{{count}} not {what}, first {{shown}} in row {{row}}"
        checks.append(Check(column.name, filled, text, found, f"Map it with a cast, e.g. cast({theirs} as varchar)."))
    return checks


def _tell(
    con: duckdb.DuckDBPyConnection,
    admission: Admission,
    kinds: Mapping[str, str],
    mapped: Mapped,
    failing: Sequence[Check],
) -> None:
    """Count the rows that fail each of these checks, and quote the first."""
    at = admission.row
    asked = ", ".join(
        f"count(*) filter ({c.condition}), min({at}) filter ({c.condition}), "
        f"arg_min({c.shown}, {at}) filter ({c.condition})"
        for c in failing
    )
    values, rows_of = _as_columns(_canonical(admission, kinds)), mapped.given(admission, numbered=True)
    told = f"(select *, {values} from ({rows_of}))"
    row = con.execute(f"select {asked} from {told}").fetchone()
    assert row is not None  # noqa: S101 - an aggregate without groups has one row
    for i, check in enumerate(failing):
        count, first, shown = row[3 * i : 3 * i + 3]
        rows = f"{count:,} {'row is' if count == 1 else 'rows are'}"
        said = check.found.format(count=rows, row=f"{first:,}", shown=repr(_short(shown)))
        if check.written:
            remedy = _remedy_for_numbers(con, check, _as_written(check.written, mapped), at, told)
            admission.refuse(check.column, said, remedy)
        elif check.remedy:
            admission.refuse(check.column, said, check.remedy)
        else:
            place = f"{admission.table.name}.{check.column}"
            admission.warnings.append(f"{place}: {said}; known at no cutoff. Is it a typo?")


def _as_written(theirs: str, mapped: Mapped) -> str:
    """Quote a column's name that an expression could not mention otherwise."""
    is_name = theirs.lower() in {name.lower() for name in mapped.relation.columns}
    return quoted(theirs) if is_name and not theirs.isidentifier() else theirs


def _remedy_for_numbers(con: duckdb.DuckDBPyConnection, check: Check, theirs: str, at: str, told: str) -> str:
    """Say how to read numbers that are text, as far as the texts tell, and how many are none even so."""
    text = check.shown
    sample = con.execute(
        f"select {text} from {told} where {check.condition} group by 1 order by min({at}) limit {_TEXTS}"
    ).fetchall()
    (point,) = con.execute(
        f"select arg_min({text}, {at}) from {told} where regexp_full_match(trim({text}), '[+-]?{DECIMAL_POINT}')"
    ).fetchone() or (None,)
    numbers = WrittenNumbers.of((value for (value,) in sample), point=point or "")
    (left,) = con.execute(
        f"select count(*) from {told} where {check.condition} and try_cast({numbers.plain(text)} as double) is null"
    ).fetchone() or (0,)
    return numbers.remedy(theirs, left=left)


def _tell_lonely(store: Store, admission: Admission, mapped: Mapped) -> None:
    """Tell of rows for which a join found nothing; that none finds anything is a mistake."""
    for all_of_them, said in count_lonely(store.con, mapped.relation, mapped.where, admission.row):
        if all_of_them:
            admission.refuse("join", said, "Check `on` and `key`.")
        else:
            admission.notes.append(f"{admission.table.name}: {said}; what it would tell of them is not known.")


def _tell_repeated(admission: Admission, repeated: int) -> None:
    if not repeated:
        return
    rows, kept = ("1 row repeats", "it is") if repeated == 1 else (f"{repeated:,} rows repeat", "they are")
    admission.warnings.append(
        f"{admission.table.name}: {rows} an earlier row in every column that was read; {kept} kept. "
        "Copies should be removed at the source."
    )


def _reason(error: duckdb.Error) -> str:
    return _short(" ".join(str(error).split("\n\n")[0].split()), 200)


def _short(value: object, length: int = 60) -> str:
    text = str(value)
    return text if len(text) <= length else text[: length - 3] + "…"
