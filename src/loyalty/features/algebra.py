"""The small language features are written in: columns of rows, conditions, statistics, and arithmetic between them.

An expression of rows has a value for each row of a table (`purchases["amount"] > 0`); a statistic makes of it one value
per client (`purchases["amount"].sum(within=90)`); arithmetic between those is a feature. Expressions are plain values:
equal ones are computed once. What they mean is said here and computed in two ways, by `arrays` on one machine and by
`in_ibis` on any database; tests hold the two equal.

Of the rows of a table those count that were known before the cutoff, and a later fact (`resolved_at`) is missing until
the cutoff has passed it, so no expression can look ahead. A comparison with a missing value is false. Sums and counts
of nothing are 0, other statistics of nothing are missing, and so is what is divided by 0.
"""

import math
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Literal

import pandas as pd

from loyalty.features.expression import (
    Between,
    Column,
    Days,
    Expression,
    IsAny,
    Kind,
    Number,
    Operand,
    Operation,
    Previous,
    Rows,
    Since,
    Statistic,
    node,
)
from loyalty.timeline import days_since_1970

__all__ = [
    "CONTACTS",
    "CONTRACTS",
    "EVENTS",
    "OFFERS",
    "PURCHASES",
    "PURCHASE_DAYS",
    "REWARDS",
    "Between",
    "Clock",
    "Column",
    "CutoffDay",
    "Days",
    "Expression",
    "Headroom",
    "IsAny",
    "Kind",
    "Learned",
    "Length",
    "Matches",
    "MedianOfClients",
    "Number",
    "Operand",
    "Operation",
    "Previous",
    "Rows",
    "Season",
    "ShareOfClients",
    "Since",
    "Statistic",
    "columns_of",
]

#: A moment's place in the day or week, as a number: 0 to 23, 0 (Monday) to 6.
ClockPart = Literal["hour", "weekday"]


@node
class Clock(Expression):
    """A time's place in the day or week, in UTC."""

    time: Expression
    part: ClockPart

    def __str__(self) -> str:
        return f"{self.part} of {self.time}"


@node
class Length(Expression):
    """Characters of a text."""

    text: Expression

    def __str__(self) -> str:
        return f"characters of {self.text}"


@node
class Matches(Expression):
    """Whether a regular expression is found in a text."""

    text: Expression
    pattern: str

    @property
    def condition(self) -> bool:
        """Whether it holds or does not, and is never missing."""
        return True

    def __str__(self) -> str:
        return f"{self.text} contains {self.pattern}"


@node
class CutoffDay(Expression):
    """The cutoff in days since 1970-01-01, the day's part included."""

    def at(self, cutoff: pd.Timestamp) -> float:
        """Say when the cutoff is."""
        return days_since_1970(cutoff)

    def __str__(self) -> str:
        return "day of the cutoff"


@node
class Season(Expression):
    """The season of the middle of the horizon, as a point on a circle of 365.25 days."""

    axis: Literal["sin", "cos"]

    def at(self, middle: pd.Timestamp) -> float:
        """Say where on the circle the middle of the horizon stands."""
        turn = 2 * math.pi * middle.day_of_year / 365.25
        return math.sin(turn) if self.axis == "sin" else math.cos(turn)

    def __str__(self) -> str:
        return f"{self.axis}(2 pi day_of_year(middle of the horizon) / 365.25)"


@node
class ShareOfClients(Expression):
    """Of all clients in the histories with `among` at the cutoff, the share with `of`: the same for every client."""

    of: Expression
    among: Expression

    def __str__(self) -> str:
        return f"share of clients({self.of}; among {self.among})"


@node
class MedianOfClients(Expression):
    """The median of `value` over all clients in the histories that have the same text in `by` as the client."""

    value: Expression
    by: Statistic

    def __str__(self) -> str:
        return f"median of clients({self.value}; same {self.by})"


@node
class Headroom(Expression):
    """What similar clients spend in the texts of `key` that this client spends nothing in, as a share of their spend.

    Similar are the clients with the same favourite, the text with the largest spend (of equals, the first by name).
    """

    key: Column
    value: Expression
    where: Expression
    within: float

    @property
    def rows(self) -> None:
        """None: it has one value per client."""
        return None

    def __str__(self) -> str:
        return (
            f"share of {self.value} in each {self.key} not held, of clients with the same favourite {self.key} "
            f"(where {self.where}; last {self.within:g} days)"
        )


@node
class Learned(Expression):
    """What a fitted model with frozen parameters says of some values: see `learned.Learned`."""

    model: str
    output: str
    arguments: tuple[Expression, ...]

    def parts(self) -> tuple[Expression, ...]:
        """List what it is told."""
        return self.arguments

    def __str__(self) -> str:
        return f"{self.model}.{self.output}({', '.join(map(str, self.arguments))})"


PURCHASES = Rows("purchases")
CONTACTS = Rows("contacts")
OFFERS = Rows("offers")
REWARDS = Rows("rewards")
CONTRACTS = Rows("contracts")
EVENTS = Rows("events")

#: The days with a purchase: several lines of one day are one; refunds and gifts are no purchases.
PURCHASE_DAYS = Days(
    "purchases",
    name="purchase_days",
    where=PURCHASES["amount"] > 0,
    sums=(("amount", PURCHASES["amount"]), ("lines", Number(1.0))),
)


def columns_of(expressions: Iterable[Expression]) -> Mapping[str, Mapping[str, Column]]:
    """List what expressions read: by table, the columns by name; a column is optional if it is so throughout.

    Examples
    --------
    >>> late = CONTACTS["resolved_at"].is_there().count(CONTACTS["kind"].is_any("complaint"))
    >>> {table: list(columns) for table, columns in columns_of([late]).items()}
    {'contacts': ['kind', 'resolved_at']}
    """
    return _columns_of(tuple(expressions))


@cache
def _columns_of(expressions: tuple[Expression, ...]) -> Mapping[str, Mapping[str, Column]]:
    told: dict[str, dict[str, Column]] = {}
    for part in (part for expression in expressions for part in expression.walk()):
        rows = getattr(part, "of", None)
        if isinstance(rows, Rows):
            told.setdefault(rows.table, {})
        if isinstance(part, Column) and not isinstance(part.of, Days):
            columns = told[part.of.table]
            if part.name not in columns or columns[part.name].optional:
                columns[part.name] = part
    return {table: dict(sorted(columns.items())) for table, columns in told.items()}
