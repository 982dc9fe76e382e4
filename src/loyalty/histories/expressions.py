"""Column expressions and row filters: parsed, checked against a list of what is harmless, and written anew.

What a config says about columns is data, not a program: it may compute with the columns of its own table and
nothing else. No statement, no subquery, no file, no setting gets through.
"""

import difflib
import logging
from collections.abc import Collection

import duckdb
import sqlglot
from sqlglot import errors, exp

# It would say on the terminal what the error says better.
logging.getLogger("sqlglot").addHandler(logging.NullHandler())

_ALLOWED: tuple[type[exp.Expr], ...] = (
    # names and values
    exp.Column, exp.Identifier, exp.Literal, exp.Null, exp.Boolean, exp.Paren, exp.Tuple, exp.Interval, exp.Var,
    # arithmetic and comparison
    exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Neg,
    exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Between, exp.In, exp.Is,
    exp.And, exp.Or, exp.Not, exp.Case, exp.If,
    # types
    exp.Cast, exp.TryCast, exp.DataType, exp.DataTypeParam,
    # functions of numbers
    exp.Abs, exp.Round, exp.Floor, exp.Ceil, exp.Least, exp.Greatest, exp.Coalesce, exp.Nullif,
    # functions of text
    exp.DPipe, exp.Concat, exp.Lower, exp.Upper, exp.Trim, exp.Length, exp.Substring, exp.Left, exp.Right, exp.Replace,
    exp.Like, exp.ILike, exp.StartsWith, exp.Contains, exp.Escape, exp.RegexpLike, exp.RegexpExtract, exp.RegexpReplace,
    # functions of time
    exp.StrToTime, exp.TimestampTrunc, exp.DateTrunc, exp.UnixToTime, exp.TimestampFromParts, exp.AtTimeZone,
)  # fmt: skip
_ALLOWED_BY_NAME = frozenset({"try_strptime", "epoch_ms", "make_timestamp", "suffix", "timezone"})
_FUNCTIONS = (
    "cast, try_cast, case, coalesce, nullif, least, greatest, abs, round, floor, ceil, lower, upper, trim, length, "
    "substring, left, right, replace, concat, contains, starts_with, suffix, regexp_matches, regexp_extract, "
    "regexp_replace, strptime, try_strptime, date_trunc, to_timestamp, epoch_ms, make_timestamp, "
    "timezone"
)
_WRITE_ONE = "Write a single expression such as `quantity * unit_price`."


class ExpressionError(ValueError):
    """An expression that cannot be used, why, and what to write instead."""

    def __init__(self, found: str, remedy: str) -> None:
        self.found, self.remedy = found, remedy
        super().__init__(f"{found}. {remedy}")


def nearest(name: str, names: Collection[str]) -> str:
    """Name what there is instead of `name`: the closest spelling, or all there is.

    Examples
    --------
    >>> nearest("custmer_id", ["customer_id", "amount"])
    "Did you mean 'customer_id'?"
    """
    close = _closest(name, names)
    return f"There is: {', '.join(names)}." if close is None else f"Did you mean {close!r}?"


def _closest(name: str, names: Collection[str], at_least: float = 0.7) -> str | None:
    close = difflib.get_close_matches(name.lower(), [n.lower() for n in names], n=1, cutoff=at_least)
    return next(n for n in names if n.lower() == close[0]) if close else None


def as_sql(expression: str, columns: Collection[str]) -> str:
    """Check one expression over `columns` and write it anew as DuckDB SQL.

    Parameters
    ----------
    expression : str
        As written in a config or in the call: a column's name, or an expression over columns.
    columns : collection of str
        The names the source has.

    Raises
    ------
    ExpressionError
        If it does not parse, names an unknown column, or does more than compute.

    Examples
    --------
    >>> as_sql("quantity * unit_price", ["quantity", "unit_price"])
    '"quantity" * "unit_price"'
    >>> as_sql("(select 1)", ["quantity"])
    Traceback (most recent call last):
    ...
    loyalty.histories.expressions.ExpressionError: '(select 1)' uses `subquery`, which is not allowed. ...
    """
    if not isinstance(expression, str):
        raise ExpressionError(f"an expression must be text; got {expression!r}", _WRITE_ONE)
    known = {name.lower(): name for name in columns}
    if expression.lower() in known:  # a plain name, whatever characters it has
        return exp.column(known[expression.lower()], quoted=True).sql(dialect="duckdb")
    try:
        return _rewritten(expression, known)
    except RecursionError as error:
        raise ExpressionError(f"{_shown(expression)} cannot be read: it is nested too deeply", _WRITE_ONE) from error
    except ExpressionError as error:
        close = _closest(expression, columns, at_least=0.8)
        if close is None or "there is no column" in error.found:
            raise
        raise ExpressionError(error.found, f"Did you mean {close!r}?") from error


def columns_in(expression: str, columns: Collection[str]) -> tuple[str, ...]:
    """Name the columns an expression mentions; none if it cannot be used.

    Examples
    --------
    >>> columns_in("concat('c', customer)", ["customer", "amount"])
    ('customer',)
    """
    try:
        tree = sqlglot.parse_one(as_sql(expression, columns), dialect="duckdb")
    except (ExpressionError, RecursionError):
        return ()
    return tuple(node.name for node in tree.find_all(exp.Column))


def _rewritten(expression: str, known: dict[str, str]) -> str:
    tree = _parse(expression)
    unknown: list[str] = []
    for node in tree.walk():
        if isinstance(node, exp.Column):
            _check_column(node, known, unknown)
        elif not (isinstance(node, _ALLOWED) or _is_allowed_function(node)):
            what = _name_of(node)
            raise ExpressionError(
                f"{_shown(expression)} uses `{what.lower()}`, which is not allowed",
                f"An expression may use the columns of its own table, arithmetic, comparisons and: {_FUNCTIONS}.",
            )
    if unknown:
        listed = " or ".join(repr(name) for name in dict.fromkeys(unknown))
        said = [_closest(name, known.values()) for name in dict.fromkeys(unknown)]
        close = " and ".join(repr(name) for name in said if name is not None)
        raise ExpressionError(
            f"there is no column {listed}",
            f"Did you mean {close}?" if close else f"There is: {', '.join(known.values())}.",
        )
    sql = tree.sql(dialect="duckdb", comments=False)
    try:
        readable = len(duckdb.extract_statements(f"select ({sql})")) == 1
    except duckdb.Error:
        readable = False
    if not readable:  # the parser is more lenient than the database
        raise ExpressionError(f"{_shown(expression)} cannot be read", _WRITE_ONE)
    return sql


def _parse(expression: str) -> exp.Expr:
    try:
        trees = sqlglot.parse(expression, dialect="duckdb")
    except errors.SqlglotError as error:
        missing = _missing(error)
        if missing == "":
            raise ExpressionError(f"{_shown(expression)} ends too early", "Write the rest of it.") from error
        reason = missing or str(error).splitlines()[0].removesuffix(".")
        raise ExpressionError(f"{_shown(expression)} cannot be read: {reason}", _WRITE_ONE) from error
    if len(trees) != 1 or trees[0] is None:
        raise ExpressionError(f"{_shown(expression)} is not one expression", _WRITE_ONE)
    return trees[0]


def _missing(error: errors.SqlglotError) -> str | None:
    """Say where the parser waited for more; empty if that is the end, None if it was something else."""
    met = error.errors[0] if isinstance(error, errors.ParseError) and error.errors else {}
    said, sign = str(met.get("description", "")), str(met.get("highlight", ""))
    if not str(met.get("end_context", "")).strip() and sign != ")" and said.startswith(("Required keyword", "Expect")):
        return ""
    return f"something is missing at {sign!r}" if "<class " in said else None


def _check_column(node: exp.Column, known: dict[str, str], unknown: list[str]) -> None:
    if node.table:
        raise ExpressionError(f"{node.sql()!r} names another table", "Use the column's plain name.")
    if node.name.lower() not in known:
        unknown.append(node.name)
        return
    node.set("this", exp.to_identifier(known[node.name.lower()], quoted=True))


def _name_of(node: exp.Expr) -> str:
    """Name a node as its writer did: `read_csv`, not sqlglot's `readcsv`."""
    if isinstance(node, exp.Anonymous):
        return str(node.name)
    return node.sql_name() if isinstance(node, exp.Func) else node.key


def _is_allowed_function(node: exp.Expr) -> bool:
    return isinstance(node, exp.Anonymous) and node.name.lower() in _ALLOWED_BY_NAME


def _shown(expression: str) -> str:
    return repr(expression if len(expression) <= 80 else expression[:77] + "…")
