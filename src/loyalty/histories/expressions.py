"""Column expressions and row filters: parsed, checked against a list of what is harmless, and written anew.

What a config says about columns is data, not a program: it may compute with the columns of its own table and
nothing else. No statement, no subquery, no file, no setting gets through.
"""

import difflib
from collections.abc import Collection

import sqlglot
from sqlglot import errors, exp

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
    exp.StrToTime, exp.TimestampTrunc, exp.DateTrunc, exp.UnixToTime, exp.AtTimeZone,
)  # fmt: skip
_ALLOWED_BY_NAME = frozenset({"try_strptime", "epoch_ms", "make_timestamp", "suffix", "timezone"})
_FUNCTIONS = (
    "cast, try_cast, case, coalesce, nullif, least, greatest, abs, round, floor, ceil, lower, upper, trim, length, "
    "substring, left, right, replace, concat, contains, starts_with, suffix, regexp_matches, regexp_extract, "
    "regexp_replace, strptime, try_strptime, date_trunc, to_timestamp, epoch_ms, timezone"
)


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
    close = difflib.get_close_matches(name.lower(), [n.lower() for n in names], n=1, cutoff=0.7)
    if close:
        original = next(n for n in names if n.lower() == close[0])
        return f"Did you mean {original!r}?"
    return f"There is: {', '.join(names)}."


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
    known = {name.lower(): name for name in columns}
    if expression.lower() in known:  # a plain name, whatever characters it has
        return exp.column(known[expression.lower()], quoted=True).sql(dialect="duckdb")
    tree = _parse(expression)
    for node in tree.walk():
        if isinstance(node, exp.Column):
            _check_column(node, known)
        elif not (isinstance(node, _ALLOWED) or _is_allowed_function(node)):
            what = node.name if isinstance(node, exp.Anonymous) else node.key
            raise ExpressionError(
                f"{expression!r} uses `{what.lower()}`, which is not allowed",
                f"An expression may use the columns of its own table, arithmetic, comparisons and: {_FUNCTIONS}.",
            )
    return tree.sql(dialect="duckdb", comments=False)


def _parse(expression: str) -> exp.Expr:
    try:
        trees = sqlglot.parse(expression, dialect="duckdb")
    except (errors.SqlglotError, RecursionError) as error:
        reason = str(error).splitlines()[0] if not isinstance(error, RecursionError) else "it is nested too deeply"
        raise ExpressionError(
            f"{expression!r} cannot be read: {reason}", "Write an expression such as `quantity * unit_price`."
        ) from error
    if len(trees) != 1 or trees[0] is None:
        raise ExpressionError(
            f"{expression!r} is not one expression", "Write a single expression such as `quantity * unit_price`."
        )
    return trees[0]


def _check_column(node: exp.Column, known: dict[str, str]) -> None:
    if node.table:
        raise ExpressionError(f"{node.sql()!r} names another table", "Use the column's plain name.")
    if node.name.lower() not in known:
        raise ExpressionError(f"there is no column {node.name!r}", nearest(node.name, list(known.values())))
    node.set("this", exp.to_identifier(known[node.name.lower()], quoted=True))


def _is_allowed_function(node: exp.Expr) -> bool:
    return isinstance(node, exp.Anonymous) and node.name.lower() in _ALLOWED_BY_NAME
