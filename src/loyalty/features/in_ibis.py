"""Expressions written in Ibis: the same catalogue on DuckDB, Spark, PostgreSQL and whatever else Ibis speaks to.

Nothing is computed here; the result is an Ibis table, to be executed or written where its tables live.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from loyalty.features.algebra import (
    Between,
    Clock,
    Column,
    CutoffDay,
    Days,
    Expression,
    Headroom,
    IsAny,
    Learned,
    Length,
    Matches,
    MedianOfClients,
    Number,
    Operation,
    Previous,
    Rows,
    Season,
    ShareOfClients,
    Since,
    Statistic,
)
from loyalty.features.feature import Feature, IbisFormula
from loyalty.histories import TABLES, at_instant

_DAY = 86_400e6  # microseconds
#: Statistics that are 0 where there is nothing.
_ZERO = frozenset({"count", "sum", "nunique", "decayed"})


@dataclass
class Compiler:
    """What the expressions mean at one cutoff, over tables that live in one database.

    Attributes
    ----------
    tables : mapping of table name to ibis.Table
        In canonical columns, with `known_at`.
    cutoff : Timestamp
        Where we stand.
    middle : Timestamp
        Of the horizon.
    learned : mapping of model name to callable
        The fitted models.
    """

    tables: Mapping[str, ibis.Table]
    cutoff: pd.Timestamp
    middle: pd.Timestamp
    learned: Mapping[str, Callable[..., Any]]

    def snapshot(self, standing: Expression, features: Sequence[Feature]) -> ibis.Table:
        """Lay out the clients that stand at the cutoff, with their features, sorted by client."""
        formulas = [f.formula for f in features if isinstance(f.formula, Expression)]
        table, names = self.clients([standing, *formulas])
        row = table.filter(table[names[standing]])
        found: dict[str, str] = {}
        for feature in features:
            if isinstance(feature.formula, IbisFormula):
                told = self.written(feature.name, feature.formula)
                row = row.left_join(told, "client_id").drop("client_id_right")
                found[feature.name] = feature.name
            else:
                found[feature.name] = names[feature.formula]
        columns = {name: row[column].cast("float64") for name, column in found.items()}
        return row.select("client_id", cutoff=at_instant(self.cutoff), **columns).order_by("client_id")

    def written(self, name: str, formula: IbisFormula) -> ibis.Table:
        """Compute a formula that its author wrote in Ibis."""
        rows = self.known(formula.table)
        rows = rows.mutate(age_days=self._days_since(rows[TABLES[formula.table].time]))
        return rows.group_by("client_id").aggregate(**{name: formula.aggregate(rows)})

    # Tables

    def known(self, table: str) -> ibis.Table:
        """Return the rows known strictly before the cutoff, with later facts missing until their own date."""
        at = at_instant(self.cutoff)
        rows = self.tables[table].filter(lambda t: t.known_at < at)
        later = [c.name for c in TABLES[table].columns if c.later and c.name in rows.columns]
        return rows.mutate(**{name: ibis.ifelse(rows[name] < at, rows[name], ibis.null()) for name in later})

    def rows(self, rows: Rows) -> ibis.Table:
        """Return the known rows of a table, or the days they make."""
        if not isinstance(rows, Days):
            return self.known(rows.table)
        source, names = self.with_values(rows.source, rows.parts())
        if rows.where is not None:
            source = source.filter(source[names[rows.where]])
        if rows.by:
            source = source.filter(source[rows.by].notnull())
        source = source.mutate(day=source[rows.source.time.name].truncate("D"))
        sums = {name: source[names[value]].sum() for name, value in rows.sums}
        return source.group_by(["client_id", "day", *([rows.by] if rows.by else [])]).aggregate(**sums)

    def with_values(self, rows: Rows, expressions: Iterable[Expression]) -> tuple[ibis.Table, dict[Expression, str]]:
        """Put expressions of rows, and what stands of clients in them, beside the rows; return their columns' names."""
        wanted = list(dict.fromkeys(expressions))
        table = self.rows(rows)
        of_clients = list(dict.fromkeys(value for e in wanted for value in _of_clients_in(e)))
        placed: dict[Expression, str] = {}
        if of_clients:
            told, placed = self.clients(of_clients, prefix="p")
            table = table.left_join(told, "client_id").drop("client_id_right")
        # What goes back a row stands in a column before anything goes back from it: SQL does not nest windows.
        for i, previous in enumerate(dict.fromkeys(before for e in wanted for before in _previous_in(e))):
            table = table.mutate(**{f"w{i}": _Scope(self, table, rows, placed).value(previous)})
            placed = placed | {previous: f"w{i}"}
        names = {expression: f"r{i}" for i, expression in enumerate(wanted)}
        scope = _Scope(self, table, rows, placed)
        return table.mutate(**{names[e]: scope.value(e) for e in wanted}), names

    def clients(self, expressions: Iterable[Expression], prefix: str = "c") -> tuple[ibis.Table, dict[Expression, str]]:
        """Compute expressions of clients for everyone in the tables they read; return their columns' names."""
        wanted = list(dict.fromkeys(expressions))
        leaves = list(dict.fromkeys(leaf for e in wanted for leaf in _leaves(e)))
        told = [t for rows in dict.fromkeys(_rows_of(leaf) for leaf in leaves) for t in self._told(rows, leaves)]
        everyone = ibis.union(*(t.select("client_id") for t in told), distinct=True) if len(told) > 1 else told[0]
        table, placed = everyone.select("client_id"), {}
        for other in told:
            table = table.left_join(other, "client_id").drop("client_id_right")
        for i, leaf in enumerate(leaves):
            placed[leaf] = f"s{i}"
        zero = {
            placed[e]: table[placed[e]].fill_null(0) for e in leaves if isinstance(e, Statistic) and e.kind in _ZERO
        }
        table = table.mutate(**zero)
        table, placed = self._with_everyone(table, wanted, placed)
        names = {expression: f"{prefix}{i}" for i, expression in enumerate(wanted)}
        scope = _Scope(self, table, None, placed)
        return table.select("client_id", **{names[e]: scope.value(e) for e in wanted}), names

    def _told(self, rows: Rows, leaves: Sequence[Expression]) -> list[ibis.Table]:
        """Compute the statistics of one table, named by their place among the leaves."""
        here = {leaf: f"s{i}" for i, leaf in enumerate(leaves) if _rows_of(leaf) == rows}
        parts = [part for leaf in here for part in leaf.parts()]
        table, names = self.with_values(rows, parts)
        time = table[rows.time.name]
        statistics = {leaf: name for leaf, name in here.items() if isinstance(leaf, Statistic)}
        inside = {leaf: self._inside(leaf, table, time, names) for leaf in statistics}
        ends = {
            f"{name}_at": ibis.ifelse(inside[leaf] & table[names[leaf.value]].notnull(), time, ibis.null())
            for leaf, name in statistics.items()
            if leaf.kind == "last" and leaf.value is not None
        }
        if ends:
            table = table.mutate(**ends)
            by_client = ibis.window(group_by="client_id")
            found = {
                f"{name}_end": table[f"{name}_at"].max().over(by_client)
                for name in statistics.values()
                if f"{name}_at" in ends
            }
            table = table.mutate(**found)
        time = table[rows.time.name]
        aggregates, apart = {}, []
        for leaf, name in statistics.items():
            if leaf.kind == "top_share":
                apart.append(self._top_share(leaf, name, table, time, names))
            elif leaf.kind != "nunique":
                aggregates[name] = self._aggregate(leaf, name, table, time, names)
        apart += self._different({e: n for e, n in statistics.items() if e.kind == "nunique"}, table, time, names)
        apart += [self._headroom(leaf, name, table, names) for leaf, name in here.items() if isinstance(leaf, Headroom)]
        together = [table.group_by("client_id").aggregate(**aggregates)] if aggregates else []
        return together + apart

    def _inside(self, leaf: Statistic, table: ibis.Table, time: Any, names: Mapping[Expression, str]) -> Any:
        """Say which rows a statistic looks at."""
        inside = ibis.literal(True) if leaf.where is None else table[names[leaf.where]]
        if leaf.within is not None:
            inside = inside & (time >= at_instant(self.cutoff - timedelta(days=leaf.within)))
        if leaf.beyond:
            inside = inside & (time < at_instant(self.cutoff - timedelta(days=leaf.beyond)))
        return inside

    def _aggregate(
        self, leaf: Statistic, name: str, table: ibis.Table, time: Any, names: Mapping[Expression, str]
    ) -> Any:
        inside = self._inside(leaf, table, time, names)
        if leaf.kind == "count":
            return table.count(where=inside)
        assert leaf.value is not None  # noqa: S101 - only rows are counted without one
        value = table[names[leaf.value]]
        if leaf.kind == "last":
            return value.max(where=inside & (time == table[f"{name}_end"]))
        if leaf.decay is not None:
            # Less than the least number is 0, and an error on PostgreSQL.
            left = (self._days_since(time) / -leaf.decay).clip(lower=-700.0).exp()
            return (value * left).sum(where=inside)
        if leaf.kind == "sd":
            return value.std(how="sample", where=inside)
        if leaf.kind == "median":
            return value.quantile(0.5, where=inside)
        return getattr(value, leaf.kind)(where=inside)

    def _different(
        self, leaves: Mapping[Statistic, str], table: ibis.Table, time: Any, names: Mapping[Expression, str]
    ) -> list[ibis.Table]:
        """Count different values by way of the first and last row of each, once for all windows.

        Spark would copy the rows for each distinct count that stands beside others.
        """
        told = []
        for value, where in dict.fromkeys((leaf.value, leaf.where) for leaf in leaves):
            assert value is not None  # noqa: S101 - it is what is counted
            kept = table if where is None else table.filter(table[names[where]])
            kept = kept.filter(kept[names[value]].notnull())
            held = kept.group_by(["client_id", names[value]]).aggregate(
                first=kept[time.get_name()].min(), last=kept[time.get_name()].max()
            )
            counts = {}
            for leaf, name in leaves.items():
                if (leaf.value, leaf.where) == (value, where):
                    inside = ibis.literal(True)
                    if leaf.within is not None:
                        inside = held["last"] >= at_instant(self.cutoff - timedelta(days=leaf.within))
                    if leaf.beyond:
                        inside = held["first"] < at_instant(self.cutoff - timedelta(days=leaf.beyond))
                    counts[name] = held.count(where=inside)
            told.append(held.group_by("client_id").aggregate(**counts))
        return told

    def _top_share(
        self, leaf: Statistic, name: str, table: ibis.Table, time: Any, names: Mapping[Expression, str]
    ) -> ibis.Table:
        assert leaf.value is not None  # noqa: S101 - it is what is counted
        key = table[names[leaf.value]]
        rows = table.filter(self._inside(leaf, table, time, names) & key.notnull()).select("client_id", key=key)
        held = rows.group_by(["client_id", "key"]).aggregate(rows=lambda t: t.count().cast("float64"))
        told = held.group_by("client_id").aggregate(top=lambda t: t.rows.max(), all=lambda t: t.rows.sum())
        return told.select("client_id", **{name: told.top / told["all"]})

    def _headroom(self, leaf: Headroom, name: str, table: ibis.Table, names: Mapping[Expression, str]) -> ibis.Table:
        since = at_instant(self.cutoff - timedelta(days=leaf.within))
        rows = table.filter(
            table[names[leaf.where]] & (table[leaf.key.of.time.name] >= since) & table[leaf.key.name].notnull()
        )
        rows = rows.select("client_id", key=rows[leaf.key.name], value=rows[names[leaf.value]])
        held = rows.group_by(["client_id", "key"]).aggregate(spend=lambda t: t.value.sum())
        held = held.filter(held.spend > 0)
        ranked = held.mutate(
            place=ibis.row_number().over(ibis.window(group_by="client_id", order_by=[held.spend.desc(), held.key]))
        )
        favourite = ranked.filter(ranked.place == 0).select("client_id", favourite="key")
        among = held.join(favourite, "client_id")
        spend = among.group_by(["favourite", "key"]).aggregate(spend=lambda t: t.spend.sum())
        total = spend.group_by("favourite").aggregate(total=lambda t: t.spend.sum())
        shares = spend.join(total, "favourite").select("favourite", "key", share=lambda t: t.spend / t.total)
        mine = among.select("client_id", "favourite", "key").join(shares, ["favourite", "key"])
        covered = mine.group_by("client_id").aggregate(covered=lambda t: t.share.sum())
        return covered.select("client_id", **{name: 1 - covered.covered})

    def _with_everyone(
        self, table: ibis.Table, wanted: Sequence[Expression], placed: dict[Expression, str]
    ) -> tuple[ibis.Table, dict[Expression, str]]:
        """Add what all clients together say."""
        found = dict.fromkeys(p for e in wanted for p in _outside_statistics(e))
        shares = [e for e in found if isinstance(e, ShareOfClients)]
        medians = [e for e in found if isinstance(e, MedianOfClients)]
        placed = dict(placed)
        if shares:
            of = [part for share in shares for part in (share.of, share.among)]
            all_clients, names = self.clients(of, prefix="q")
            told = {}
            for i, share in enumerate(shares):
                has, among = all_clients[names[share.of]], all_clients[names[share.among]]
                told[f"m{i}"] = _number(all_clients.count(where=has & among)) / _number(
                    all_clients.count(where=among)
                ).nullif(0.0)
                placed[share] = f"m{i}"
            table = table.cross_join(all_clients.aggregate(**told))
        for i, median in enumerate(medians):
            all_clients, names = self.clients([median.value, median.by], prefix="q")
            key, value = all_clients[names[median.by]], all_clients[names[median.value]]
            by_key = all_clients.mutate(**{f"k{i}": key, "value": value}).filter(key.notnull() & value.notnull())
            told_of = by_key.group_by(f"k{i}").aggregate(**{f"n{i}": lambda t: t.value.quantile(0.5)})
            table = table.left_join(told_of, [(placed[median.by], f"k{i}")]).drop(f"k{i}")
            placed[median] = f"n{i}"
        return table, placed

    def _days_since(self, time: Any) -> Any:
        # In whole microseconds: a window's edge is exact, and 30 days are 30.0.
        return time.delta(at_instant(self.cutoff), unit="microsecond").cast("float64") / -_DAY


@dataclass
class _Scope:
    """Expressions as columns of one table."""

    compiler: Compiler
    table: ibis.Table
    rows: Rows | None
    placed: Mapping[Expression, str]

    def value(self, expression: Expression) -> Any:
        """Write one expression."""
        if expression in self.placed:
            return self.table[self.placed[expression]]
        return _WRITTEN[type(expression)](expression, self)


def _column(column: Column, scope: _Scope) -> Any:
    if column.name in scope.table.columns:
        value = scope.table[column.name]
        return _number(value) if column.kind in {"number", "flag"} else value
    kind = {"time": "timestamp", "text": "string", "id": "string"}.get(column.kind, "float64")
    return ibis.null().cast(kind)


def _operation(operation: Operation, scope: _Scope) -> Any:
    arguments = [scope.value(argument) for argument in operation.arguments]
    if operation.name == "there":
        return arguments[0].notnull()
    if operation.name == "given":
        return ibis.ifelse(arguments[1], _number(arguments[0]), ibis.null())
    if operation.name in _LOGIC:
        return _LOGIC[operation.name](*arguments)
    numbers = [_number(argument) for argument in arguments]
    return _ARITHMETIC[operation.name](*numbers)


def _float(number: float) -> Any:
    """Write a number: from its digits, since the engines take a plain literal for a decimal."""
    return ibis.literal(repr(float(number))).cast("float64")


def _number(value: Any) -> Any:
    if value.type().is_boolean():  # PostgreSQL casts a flag to whole numbers only
        return value.cast("int32").cast("float64")
    return value if value.type().is_float64() else value.cast("float64")


def _both(choose: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    # What the databases do with a missing value in `greatest` differs.
    return lambda a, b: ibis.ifelse(a.notnull() & b.notnull(), choose(a, b), ibis.null())


_LOGIC: dict[str, Callable[..., Any]] = {"and": lambda a, b: a & b, "or": lambda a, b: a | b, "not": lambda a: ~a}
_ARITHMETIC: dict[str, Callable[..., Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b.nullif(0.0),
    "<": lambda a, b: (a < b).fill_null(False),
    "<=": lambda a, b: (a <= b).fill_null(False),
    ">": lambda a, b: (a > b).fill_null(False),
    ">=": lambda a, b: (a >= b).fill_null(False),
    "negative": lambda a: -a,
    "abs": lambda a: a.abs(),
    "otherwise": lambda a, b: a.fill_null(b),
    "smaller": _both(lambda a, b: ibis.ifelse(a < b, a, b)),
    "larger": _both(lambda a, b: ibis.ifelse(a > b, a, b)),
}


def _is_any(expression: IsAny, scope: _Scope) -> Any:
    return scope.value(expression.text).isin(expression.texts).fill_null(False)


def _length(expression: Length, scope: _Scope) -> Any:
    return scope.value(expression.text).length().cast("float64")


def _matches(expression: Matches, scope: _Scope) -> Any:
    return scope.value(expression.text).re_search(expression.pattern).fill_null(False)


def _since(expression: Since, scope: _Scope) -> Any:
    return scope.compiler._days_since(scope.value(expression.time))


def _between(expression: Between, scope: _Scope) -> Any:
    start, end = scope.value(expression.start), scope.value(expression.end)
    return end.delta(start, unit="microsecond").cast("float64") / _DAY


def _clock(expression: Clock, scope: _Scope) -> Any:
    time = scope.value(expression.time)
    part = time.hour() if expression.part == "hour" else time.day_of_week.index()
    return part.cast("float64")


def _previous(expression: Previous, scope: _Scope) -> Any:
    assert scope.rows is not None  # noqa: S101 - the algebra goes back among rows
    by = ["client_id", *([expression.by] if expression.by else [])]
    window = ibis.window(group_by=by, order_by=scope.rows.time.name)
    return scope.value(expression.value).lag().over(window)


def _learned(expression: Learned, scope: _Scope) -> Any:
    model = scope.compiler.learned[expression.model]
    arguments = [scope.value(argument) for argument in expression.arguments]
    kinds = ["string" if argument.type().is_string() else "float64" for argument in arguments]
    columns = [a if kind == "string" else _number(a) for a, kind in zip(arguments, kinds, strict=True)]
    engine = next(iter(scope.compiler.tables.values())).get_backend().name
    asked = _Asked(model, expression.output)
    return _function(asked, kinds, engine=engine, name=f"{expression.model}_{expression.output}")(*columns)


@dataclass(frozen=True)
class _Asked:
    """One output of a fitted model, of arrays in which text may be None."""

    model: Callable[..., Any]
    output: str

    def __call__(self, *columns: NDArray[Any]) -> NDArray[np.float64]:
        if columns[0].dtype != object:
            return np.asarray(self.model(self.output, *columns), dtype=np.float64)
        there = np.array([text is not None for text in columns[0]], dtype=bool)
        told = np.full(len(there), np.nan)
        if there.any():
            told[there] = self.model(self.output, columns[0][there].tolist())
        return told


def _function(asked: _Asked, kinds: Sequence[str], *, engine: str, name: str) -> Any:
    """Make a function of arrays one that the engine calls, with missing numbers as NaN.

    Raises
    ------
    ValueError
        If the engine cannot call Python.
    """
    if engine not in {"duckdb", "pyspark"}:
        raise ValueError(
            f"the features that ask fitted models cannot be computed on {engine}, which does not call Python. "
            "Leave them out of `features`, or read the tables with Histories(...)."
        )

    def of_pandas(*columns: Any) -> Any:
        arrays = (
            column.to_numpy(dtype=object, na_value=None) if kind == "string" else column.to_numpy("float64")
            for column, kind in zip(columns, kinds, strict=True)
        )
        return pd.Series(asked(*arrays), dtype="float64")

    def of_arrow(*columns: Any) -> Any:
        arrays = (
            np.asarray(column.to_pylist(), dtype=object)
            if kind == "string"
            else column.to_numpy(zero_copy_only=False).astype("float64")
            for column, kind in zip(columns, kinds, strict=True)
        )
        return pa.array(asked(*arrays), type=pa.float64(), from_pandas=True)

    spark = engine == "pyspark"  # there Ibis calls a function of Arrow once for each row
    wrapped: Any = of_pandas if spark else of_arrow
    wrapped.__name__ = name
    # Ibis reads the number of arguments off the signature.
    either = inspect.Parameter.POSITIONAL_OR_KEYWORD
    wrapped.__signature__ = inspect.Signature([inspect.Parameter(f"x{i}", either) for i in range(len(kinds))])
    make: Any = ibis.udf.scalar.pandas if spark else ibis.udf.scalar.pyarrow
    options: dict[str, Any] = {} if spark else {"null_handling": "special"}
    return make(wrapped, signature=(tuple(kinds), "float64"), **options)


def _cutoff_day(expression: CutoffDay, scope: _Scope) -> Any:
    return _float(expression.at(scope.compiler.cutoff))


def _season(expression: Season, scope: _Scope) -> Any:
    return _float(expression.at(scope.compiler.middle))


_WRITTEN: dict[type[Expression], Callable[..., Any]] = {
    Column: _column,
    Number: lambda number, _: _float(number.value),
    Operation: _operation,
    IsAny: _is_any,
    Length: _length,
    Matches: _matches,
    Since: _since,
    Between: _between,
    Clock: _clock,
    Previous: _previous,
    Learned: _learned,
    CutoffDay: _cutoff_day,
    Season: _season,
}


def _outside_statistics(expression: Expression) -> list[Expression]:
    """List an expression of clients and its parts, down to the statistics and to what all clients say."""
    if isinstance(expression, Statistic | Headroom | ShareOfClients):
        return [expression]
    return [expression, *(p for part in expression.parts() for p in _outside_statistics(part))]


def _leaves(expression: Expression) -> list[Expression]:
    """List the statistics an expression of clients is made of."""
    return [part for part in _outside_statistics(expression) if isinstance(part, Statistic | Headroom)]


def _rows_of(leaf: Expression) -> Rows:
    assert isinstance(leaf, Statistic | Headroom)  # noqa: S101 - leaves are these
    return leaf.of if isinstance(leaf, Statistic) else leaf.key.of


def _previous_in(expression: Expression) -> list[Expression]:
    """List what goes back a row in an expression of rows, the inmost first."""
    if expression.rows is None:
        return []
    inside = [previous for part in expression.parts() for previous in _previous_in(part)]
    return [*inside, expression] if isinstance(expression, Previous) else inside


def _of_clients_in(expression: Expression) -> list[Expression]:
    """List the expressions of clients that stand in one of rows."""
    if expression.rows is None:
        return [] if isinstance(expression, Number) else [expression]
    return [value for part in expression.parts() for value in _of_clients_in(part)]
