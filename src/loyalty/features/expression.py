"""Expressions: columns of rows, arithmetic between them, and the statistics that make one value per client of them."""

from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Literal, TypeVar, Union, dataclass_transform

from loyalty.histories import TABLES

Kind = Literal["count", "sum", "mean", "sd", "min", "max", "median", "last", "nunique", "top_share", "decayed"]
Operand = Union["Expression", float]

Node = TypeVar("Node")


@dataclass_transform(frozen_default=True)
def node(cls: type[Node]) -> type[Node]:
    """Make a frozen dataclass whose hash, which goes through all its parts, is worked out once."""
    made: Any = dataclass(frozen=True)(cls)
    deep = made.__hash__

    def remembered(self: Any) -> int:
        known = self.__dict__
        if "_hash" not in known:
            known["_hash"] = deep(self)
        return int(known["_hash"])

    made.__hash__ = remembered
    return made


@node
class Rows:
    """The rows of one table of the histories.

    Attributes
    ----------
    table : str
        Its name.

    Examples
    --------
    >>> purchases = Rows("purchases")
    >>> print((purchases["amount"] > 0).count(within=90))
    count(amount > 0; last 90 days)
    """

    table: str

    @property
    def time(self) -> "Column":
        """When each row happened."""
        return Column(self, TABLES[self.table].time)

    @property
    def age(self) -> "Expression":
        """Days from each row to the cutoff."""
        return Since(self.time)

    def __getitem__(self, name: str) -> "Column":
        if name not in TABLES[self.table].names:
            raise KeyError(f"the table {self.table!r} has no column {name!r}.")
        return Column(self, name)

    def optional(self, name: str) -> "Column":
        """Name a column that reads as missing throughout where the table does not have it."""
        return Column(self, self[name].name, optional=True)

    def kind_of(self, name: str) -> str:
        """Say what a column holds: id, time, number, flag or text."""
        return next(column.kind for column in TABLES[self.table].columns if column.name == name)

    def count(
        self, where: "Expression | None" = None, *, within: float | None = None, beyond: float = 0.0
    ) -> "Statistic":
        """Count the rows."""
        return Statistic(self, "count", None, where, within, beyond)

    def decayed(self, days: float, where: "Expression | None" = None) -> "Statistic":
        """Count the rows, each weighted by exp(-age / days)."""
        return Statistic(self, "decayed", Number(1.0), where, decay=days)

    def share(
        self,
        of: "Expression",
        *,
        where: "Expression | None" = None,
        within: float | None = None,
        beyond: float = 0.0,
    ) -> "Expression":
        """Divide the count of the rows with `of` among those with `where` by the count of these."""
        both = of if where is None else where & of
        return self.count(both, within=within, beyond=beyond) / self.count(where, within=within, beyond=beyond)

    def __str__(self) -> str:
        return self.table


@node
class Days(Rows):
    """Rows merged by client and UTC day, and by one more column if there is `by`.

    Each is dated at its midnight, `day`, and holds the sum over its rows of each expression in `sums`.

    Attributes
    ----------
    name : str
        What formulas call it.
    where : Expression
        Which rows of the table to merge.
    sums : tuple of (str, Expression)
        Columns by name.
    by : str
        A further column of the table; rows without it are left out.
    """

    name: str = ""
    where: "Expression | None" = None
    sums: tuple[tuple[str, "Expression"], ...] = ()
    by: str = ""

    @property
    def source(self) -> Rows:
        """The rows that are merged."""
        return Rows(self.table)

    def parts(self) -> tuple["Expression", ...]:
        """List the expressions of the source's rows it is made of."""
        key = (self.source[self.by],) if self.by else ()
        return (*key, *(() if self.where is None else (self.where,)), *(value for _, value in self.sums))

    @property
    def time(self) -> "Column":
        """The midnight of each day."""
        return Column(self, "day")

    @property
    def gap(self) -> "Expression":
        """Days since the day before it."""
        return Between(Previous(self.time), self.time)

    def __getitem__(self, name: str) -> "Column":
        if name not in {"day", self.by, *dict(self.sums)}:
            raise KeyError(f"{self.name!r} has no column {name!r}.")
        return Column(self, name)

    def kind_of(self, name: str) -> str:
        """Say what a column holds: id, time, number or text."""
        if name == "day":
            return "time"
        return self.source.kind_of(name) if name == self.by else "number"

    def __str__(self) -> str:
        return self.name


@node
class Expression:
    """A value for each row of a table, or for each client."""

    @property
    def rows(self) -> Rows | None:
        """The rows it has a value for each of; None if it has one for each client."""
        return next((part.rows for part in self.parts() if part.rows is not None), None)

    @property
    def condition(self) -> bool:
        """Whether it holds or does not, and is never missing."""
        return False

    def parts(self) -> tuple["Expression", ...]:
        """List the expressions it is made of."""
        return tuple(value for f in fields(self) if isinstance(value := getattr(self, f.name), Expression))

    def walk(self) -> tuple["Expression", ...]:
        """List it and all it is made of, the parts of merged rows included, each once."""
        return _walk(self)

    def __add__(self, other: Operand) -> "Expression":
        return Operation("+", (self, _expression(other)))

    def __radd__(self, other: Operand) -> "Expression":
        return Operation("+", (_expression(other), self))

    def __sub__(self, other: Operand) -> "Expression":
        return Operation("-", (self, _expression(other)))

    def __rsub__(self, other: Operand) -> "Expression":
        return Operation("-", (_expression(other), self))

    def __mul__(self, other: Operand) -> "Expression":
        return Operation("*", (self, _expression(other)))

    def __rmul__(self, other: Operand) -> "Expression":
        return Operation("*", (_expression(other), self))

    def __truediv__(self, other: Operand) -> "Expression":
        return Operation("/", (self, _expression(other)))

    def __rtruediv__(self, other: Operand) -> "Expression":
        return Operation("/", (_expression(other), self))

    def __neg__(self) -> "Expression":
        return Operation("negative", (self,))

    def __abs__(self) -> "Expression":
        return Operation("abs", (self,))

    def __lt__(self, other: Operand) -> "Expression":
        return Operation("<", (self, _expression(other)))

    def __le__(self, other: Operand) -> "Expression":
        return Operation("<=", (self, _expression(other)))

    def __gt__(self, other: Operand) -> "Expression":
        return Operation(">", (self, _expression(other)))

    def __ge__(self, other: Operand) -> "Expression":
        return Operation(">=", (self, _expression(other)))

    def __and__(self, other: "Expression") -> "Expression":
        return Operation("and", (self, other))

    def __or__(self, other: "Expression") -> "Expression":
        return Operation("or", (self, other))

    def __invert__(self) -> "Expression":
        return Operation("not", (self,))

    def is_there(self) -> "Expression":
        """Whether it is not missing."""
        return Operation("there", (self,))

    def is_any(self, *texts: str) -> "Expression":
        """Whether a text is one of these."""
        return IsAny(self, texts)

    def otherwise(self, other: Operand) -> "Expression":
        """Put `other` where it is missing."""
        return Operation("otherwise", (self, _expression(other)))

    def given(self, condition: "Expression") -> "Expression":
        """Let it be missing where the condition does not hold."""
        return Operation("given", (self, condition))

    def at_most(self, other: Operand) -> "Expression":
        """Take the smaller of the two; missing if either is."""
        return Operation("smaller", (self, _expression(other)))

    def at_least(self, other: Operand) -> "Expression":
        """Take the larger of the two; missing if either is."""
        return Operation("larger", (self, _expression(other)))

    def _statistic(
        self,
        kind: Kind,
        where: "Expression | None",
        within: float | None,
        beyond: float,
        decay: float | None = None,
    ) -> "Statistic":
        rows = self.rows
        if rows is None:
            raise ValueError(f"`{self}` has one value per client; a statistic needs an expression of rows.")
        return Statistic(rows, kind, self, where, within, beyond, decay)

    def count(
        self, where: "Expression | None" = None, *, within: float | None = None, beyond: float = 0.0
    ) -> "Statistic":
        """Count the rows for which a condition holds, or that have a value."""
        condition = self if self.condition else self.is_there()
        both = condition if where is None else where & condition
        return condition._statistic("count", both, within, beyond)._of_rows()

    def sum(
        self, where: "Expression | None" = None, *, within: float | None = None, beyond: float = 0.0
    ) -> "Statistic":
        """Add up; 0 for nothing."""
        return self._statistic("sum", where, within, beyond)

    def mean(
        self, where: "Expression | None" = None, *, within: float | None = None, beyond: float = 0.0
    ) -> "Statistic":
        """Take the mean."""
        return self._statistic("mean", where, within, beyond)

    def sd(self, where: "Expression | None" = None, *, within: float | None = None, beyond: float = 0.0) -> "Statistic":
        """Take the standard deviation of a sample; missing for fewer than two."""
        return self._statistic("sd", where, within, beyond)

    def min(
        self, where: "Expression | None" = None, *, within: float | None = None, beyond: float = 0.0
    ) -> "Statistic":
        """Take the smallest."""
        return self._statistic("min", where, within, beyond)

    def max(
        self, where: "Expression | None" = None, *, within: float | None = None, beyond: float = 0.0
    ) -> "Statistic":
        """Take the largest."""
        return self._statistic("max", where, within, beyond)

    def median(
        self, where: "Expression | None" = None, *, within: float | None = None, beyond: float = 0.0
    ) -> "Statistic":
        """Take the median; between two, their mean."""
        return self._statistic("median", where, within, beyond)

    def last(
        self, where: "Expression | None" = None, *, within: float | None = None, beyond: float = 0.0
    ) -> "Statistic":
        """Take the value of the latest row that has one; of several at that instant, the largest."""
        return self._statistic("last", where, within, beyond)

    def nunique(
        self, where: "Expression | None" = None, *, within: float | None = None, beyond: float = 0.0
    ) -> "Statistic":
        """Count the different values of a text, an id or a small whole number.

        Raises
        ------
        ValueError
            If the window has both ends: two that have one each can be subtracted.
        """
        if within is not None and beyond:
            raise ValueError("nunique() takes `within` or `beyond`, not both.")
        return self._statistic("nunique", where, within, beyond)

    def top_share(
        self, where: "Expression | None" = None, *, within: float | None = None, beyond: float = 0.0
    ) -> "Statistic":
        """Divide the rows with the most frequent value by those with any."""
        return self._statistic("top_share", where, within, beyond)

    def decayed(self, days: float, where: "Expression | None" = None) -> "Statistic":
        """Add up, each row weighted by exp(-age / days)."""
        return self._statistic("decayed", where, None, 0.0, decay=days)


@node
class Column(Expression):
    """A column of a table."""

    of: Rows
    name: str
    optional: bool = False

    @property
    def rows(self) -> Rows:
        """Its table."""
        return self.of

    @property
    def kind(self) -> str:
        """What it holds: id, time, number, flag or text."""
        return self.of.kind_of(self.name)

    @property
    def later(self) -> bool:
        """Whether it dates a later fact, missing until the cutoff has passed it."""
        if isinstance(self.of, Days):
            return False
        return next(column.later for column in TABLES[self.of.table].columns if column.name == self.name)

    def __str__(self) -> str:
        return self.name if self.of == Rows("purchases") else f"{self.of}.{self.name}"


@node
class Number(Expression):
    """The same number everywhere."""

    value: float

    def __str__(self) -> str:
        return f"{self.value:g}"


@node
class Operation(Expression):
    """Arithmetic, comparison or choice between expressions; a client's value stands on each of its rows."""

    name: str
    arguments: tuple[Expression, ...]

    def __post_init__(self) -> None:
        tables = {part.rows for part in self.arguments if part.rows is not None}
        if len(tables) > 1:
            raise ValueError(f"`{self}` mixes rows of {' and '.join(sorted(map(str, tables)))}.")

    @property
    def condition(self) -> bool:
        """Whether it holds or does not, and is never missing."""
        return self.name in _CONDITIONS

    def parts(self) -> tuple[Expression, ...]:
        """List the expressions between which it stands."""
        return self.arguments

    def __str__(self) -> str:
        open_ended = (*_INFIX, "given", "otherwise")
        said = [f"({a})" if isinstance(a, Operation) and a.name in open_ended else str(a) for a in self.arguments]
        if self.name in _INFIX:
            return f"{said[0]} {self.name} {said[1]}"
        return _WORDS[self.name].format(*said)


@node
class IsAny(Expression):
    """Whether a text is one of some."""

    text: Expression
    texts: tuple[str, ...]

    @property
    def condition(self) -> bool:
        """Whether it holds or does not, and is never missing."""
        return True

    def __str__(self) -> str:
        return f"{self.text} is {' or '.join(map(repr, self.texts))}"


@node
class Since(Expression):
    """Days from a time to the cutoff."""

    time: Expression

    def __str__(self) -> str:
        return f"days since {self.time}"


@node
class Between(Expression):
    """Days from one time to another."""

    start: Expression
    end: Expression

    def __str__(self) -> str:
        return f"days from {self.start} to {self.end}"


@node
class Previous(Expression):
    """The value of the client's row before, of those with the same value of the column `by` if it is named.

    Rows at one instant have no order: use it where a client has no two, or where they agree.
    """

    value: Expression
    by: str = ""

    def parts(self) -> tuple[Expression, ...]:
        """Its value, and the column its rows have in common."""
        rows = self.value.rows
        return (self.value, rows[self.by]) if self.by and rows is not None else (self.value,)

    def __str__(self) -> str:
        return f"the previous {self.value}" + (f" of the {self.by}" if self.by else "")


@node
class Statistic(Expression):
    """One value per client, made of the rows with `where` that are older than `beyond` days and at most `within`.

    The window is half-open: ``[cutoff - within, cutoff - beyond)``.
    """

    of: Rows
    kind: Kind
    value: Expression | None
    where: Expression | None = None
    within: float | None = None
    beyond: float = 0.0
    decay: float | None = None

    def __post_init__(self) -> None:
        for part in self.parts():
            if part.rows is not None and part.rows != self.of:
                raise ValueError(f"`{self}` mixes rows of {self.of} and {part.rows}.")

    def _of_rows(self) -> "Statistic":
        return Statistic(self.of, self.kind, None, self.where, self.within, self.beyond)

    @property
    def rows(self) -> None:
        """None: it has one value per client."""
        return None

    def __str__(self) -> str:
        what = str(self.value) if self.value is not None else ""
        if self.where is not None:
            what += f" where {self.where}" if what else str(self.where)
        what = what or str(self.of)
        if self.decay is not None:
            what += f"; weight exp(-age / {self.decay:g} days)"
        return f"{_STATISTICS[self.kind]}({what}{self._window()})"

    def _window(self) -> str:
        if self.within is None:
            return f"; more than {self.beyond:g} days ago" if self.beyond else ""
        return f"; {self.beyond:g} to {self.within:g} days ago" if self.beyond else f"; last {self.within:g} days"


_INFIX = ("+", "-", "*", "/", "<", "<=", ">", ">=", "and", "or")
_CONDITIONS = ("<", "<=", ">", ">=", "and", "or", "not", "there")
_WORDS = {
    "negative": "-{0}",
    "abs": "|{0}|",
    "not": "not ({0})",
    "there": "{0} is known",
    "otherwise": "{0}, else {1}",
    "given": "{0} if {1}",
    "smaller": "min({0}, {1})",
    "larger": "max({0}, {1})",
}
_STATISTICS: dict[Kind, str] = {
    "count": "count",
    "sum": "sum",
    "mean": "mean",
    "sd": "sd",
    "min": "min",
    "max": "max",
    "median": "median",
    "last": "last",
    "nunique": "different",
    "top_share": "share of the most frequent",
    "decayed": "sum",
}


@cache
def _walk(expression: Expression) -> tuple[Expression, ...]:
    rows = getattr(expression, "of", None)
    parts = (*expression.parts(), *(rows.parts() if isinstance(rows, Days) else ()))
    return tuple(dict.fromkeys((expression, *(inner for part in parts for inner in _walk(part)))))


def _expression(value: Operand) -> Expression:
    return value if isinstance(value, Expression) else Number(float(value))
