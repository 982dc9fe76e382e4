"""Joining: what another source tells of a thing that a row names, such as a list of products, beside the row.

Each row keeps its place and stands once: a key that is there twice is refused, and a row that finds nothing has nulls.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from loyalty.histories.expressions import ExpressionError, as_sql
from loyalty.histories.problems import Problem
from loyalty.histories.sources import Source, UnreadableSource, attach, detach, quoted, reason

#: How DuckDB's types of keys compare; those of other families compare only with themselves.
_FAMILIES = (
    ("a number", ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL")),
    ("a number", ("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT")),
    ("text", ("VARCHAR", "ENUM")),
    ("a date", ("DATE", "TIMESTAMP")),
)


@dataclass(frozen=True)
class Join:
    """Another source whose columns stand beside those of a table, for expressions to use.

    Parameters
    ----------
    source : frame, path, glob or Ibis table
        Such as a list of products. It bears no dates, so that it must hold what was so at the time of each row: the
        kind of a product, and not its price of today.
    on : str
        What a row names: a column of the table, or an expression over its columns.
    key : str, optional
        What a row of the other source is about: a column of it, or an expression over its columns. By default as `on`.
        Each may be there once.

    Examples
    --------
    >>> import pandas as pd
    >>> from loyalty import Histories
    >>> bills = pd.DataFrame({"client_id": [1, 2], "event_time": "2024-01-01", "amount": 9.0, "sku": ["a7", "b1"]})
    >>> goods = pd.DataFrame({"sku": ["a7", "b1"], "department": ["garden", "toys"]})
    >>> columns = {"purchases": {"category": "department"}}
    >>> histories = Histories(bills, columns=columns, join={"purchases": [Join(goods, on="sku")]})
    >>> histories.rows_of("purchases", ["category"]).to_pylist()
    [{'category': 'garden'}, {'category': 'toys'}]
    """

    source: Source
    on: str
    key: str | None = None

    @property
    def matched(self) -> str:
        """The expression over the other source."""
        return self.on if self.key is None else self.key

    @property
    def shown(self) -> str:
        """What the other source is called in what is said of it."""
        is_path = isinstance(self.source, str | Path)
        return repr(Path(self.source).name) if is_path else f"the {type(self.source).__name__}"


@dataclass(frozen=True)
class Side:
    """One source that is joined, ready to stand in a query.

    Attributes
    ----------
    join : Join
        What was asked for.
    relation : str
        SQL of its columns, with the key beside them.
    columns : tuple of str
        Those of its columns that the table has not.
    on, on_name, key_name : str
        SQL of what a row of the table names, and what it and the key are called within the query.
    """

    join: Join
    relation: str
    columns: tuple[str, ...]
    on: str
    on_name: str
    key_name: str


@dataclass(frozen=True)
class Relation:
    """A source, and what is joined to it."""

    source: str
    columns: tuple[str, ...]
    sides: tuple[Side, ...] = ()

    def sql(self, row: str | None = None) -> str:
        """Write it as SQL to stand after ``from``; with a column called `row` that counts the source's rows from 1."""
        told = self.source if row is None else f"(select *, row_number() over () as {row} from {self.source})"
        for side in self.sides:
            theirs = "".join(f", theirs.{quoted(column)}" for column in side.columns)
            named = f"(select *, ({side.on}) as {side.on_name} from {told})"
            told = (
                f"(select ours.* exclude ({side.on_name}){theirs} from {named} as ours "
                f"left join {side.relation} as theirs on ours.{side.on_name} = theirs.{side.key_name})"
            )
        return told


def attach_all(
    con: duckdb.DuckDBPyConnection, table: str, source: Source, ids: Sequence[str], joins: Sequence[Join]
) -> Relation:
    """Make a source and all that is joined to it relations of `con`.

    Parameters
    ----------
    con, table, source, ids
        As for `attach`.
    joins : sequence of Join
        In order: a later one may be on a column that an earlier one brought.

    Returns
    -------
    Relation
        All columns together. Of a name that both have, the table's own stands.

    Raises
    ------
    UnreadableSource
        If a source cannot be read, or cannot be joined.
    """
    sql = attach(con, table, source, [*ids, *(join.on for join in joins)])
    relation = Relation(sql, _columns(con, sql))
    for number, join in enumerate(joins, 1):
        try:
            relation = _beside(con, _name(table, number), relation, join)
        except UnreadableSource as unreadable:
            raise UnreadableSource(replace(unreadable.problem, table=table, column="join")) from unreadable
        except duckdb.Error as error:
            found = f"{join.shown} cannot be joined: {reason(error)}"
            raise UnreadableSource(Problem(table, "join", found, "Check `on` and `key`.")) from error
    return relation


def detach_all(con: duckdb.DuckDBPyConnection, table: str, joins: Sequence[Join]) -> None:
    """Let go of what `attach_all` made."""
    for name in (table, *(_name(table, number) for number in range(1, len(joins) + 1))):
        detach(con, name)


def count_lonely(
    con: duckdb.DuckDBPyConnection, relation: Relation, where: str, row: str
) -> Iterator[tuple[bool, str]]:
    """Say of each join how many of the rows that are taken find nothing, and whether that is all of them.

    `row` is a name that no column has.
    """
    for side in relation.sides:
        told = f"select ({side.on}) as told, {row} from {relation.sql(row)} where {where}"
        lost = f"not exists (select 1 from {side.relation} as theirs where theirs.{side.key_name} = ours.told)"
        total, lonely, such = con.execute(
            f"select count(*), count(*) filter (lost), arg_min(told::varchar, {row}) filter (lost and told is not null)"
            f" from (select *, {lost} as lost from ({told}) as ours)"
        ).fetchone() or (0, 0, None)
        if lonely:
            rows = "1 row finds" if lonely == 1 else f"{lonely:,} rows find"
            example = "" if such is None else f", such as {such!r}"
            yield lonely == total, f"{rows} no {side.join.on}{example} in {side.join.shown}"


def _name(table: str, number: int) -> str:
    return f"{table}_joined_{number}"


def _columns(con: duckdb.DuckDBPyConnection, relation: str) -> tuple[str, ...]:
    return tuple(name for name, *_ in con.execute(f"describe select * from {relation}").fetchall())


def _beside(con: duckdb.DuckDBPyConnection, name: str, relation: Relation, join: Join) -> Relation:
    """Set one source beside a relation, or say why it cannot stand there."""
    theirs = attach(con, name, join.source, [join.matched])
    columns = _columns(con, theirs)
    on, key = _expression("on", join.on, relation.columns), _expression("key", join.matched, columns)
    on_name, key_name = _free("on", relation.columns), _free("key", columns)
    keyed = f"(select *, ({key}) as {key_name} from {theirs})"
    _compare_kinds(con, join, f"select ({on}) from {relation.sql()}", f"select {key_name} from {keyed}")
    _refuse_twice(con, join, theirs, key)
    own = {column.lower() for column in relation.columns}
    new = tuple(column for column in columns if column.lower() not in own)
    side = Side(join, keyed, new, on, on_name, key_name)
    return replace(relation, columns=(*relation.columns, *new), sides=(*relation.sides, side))


def _free(name: str, columns: Sequence[str]) -> str:
    """Make a name that no column has."""
    taken = {column.lower() for column in columns}
    while name in taken:
        name += "_"
    return quoted(name)


def _expression(what: str, expression: str, columns: Sequence[str]) -> str:
    try:
        return as_sql(expression, columns)
    except ExpressionError as error:
        raise UnreadableSource(Problem("", "", f"`{what}`: {error.found}", error.remedy)) from error


def _compare_kinds(con: duckdb.DuckDBPyConnection, join: Join, ours: str, theirs: str) -> None:
    """Refuse keys that would never be equal, or would only be by a guess."""
    here, there = (_family(str(con.execute(f"describe {query}").fetchall()[0][1])) for query in (ours, theirs))
    if here != there:
        found = f"`on` {join.on!r} is {here}, and `key` {join.matched!r} of {join.shown} is {there}"
        remedy = f'Write both alike, e.g. on = "cast({join.on} as varchar)", key = "cast({join.matched} as varchar)".'
        raise UnreadableSource(Problem("", "", found, remedy))


def _family(kind: str) -> str:
    return next((family for family, kinds in _FAMILIES if kind.startswith(kinds)), kind)


def _refuse_twice(con: duckdb.DuckDBPyConnection, join: Join, theirs: str, key: str) -> None:
    """Refuse a key that is there twice: which of its rows is meant, nobody can say."""
    numbered = f"(select ({key}) as told, row_number() over () as place from {theirs})"
    twice = con.execute(
        f"select told::varchar, min(place, 2), count(*) over () from {numbered} where told is not null "
        "group by told having count(*) > 1 order by min(place) limit 1"
    ).fetchone()
    if twice is not None:
        value, (first, second), count = twice
        others = {1: "", 2: "; so is another"}.get(count, f"; so are {count - 1:,} others")
        found = f"{join.matched} {value!r} is in rows {first:,} and {second:,} of {join.shown}{others}"
        raise UnreadableSource(Problem("", "", found, "Leave one row to each, or join on more columns together."))
