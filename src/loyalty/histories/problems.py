"""What is wrong with a table, said once, with the way out."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

_SPACES = " \u00a0\u2009\u202f"
_CURRENCY = (
    r"(?:[A-Z]{0,2}[€$£¥₩₹₽₺₫฿₱₪₴]|EUR|USD|GBP|CHF|KRW|JPY|CNY|SEK|NOK|DKK|PLN|CZK|HUF|RUB|INR|CAD|AUD|NZD|BRL|MXN|TRY"
    r"|kr\.?|Kč|zł|Ft|Fr\.?|Rs\.?|원|円|元)"
)
_AMOUNT = re.compile(
    rf"[+-]?[{_SPACES}]*(?P<before>{_CURRENCY})?[{_SPACES}]*[+-]?"
    rf"(?P<number>\d[\d.,]*|\d{{1,3}}(?P<gap>[{_SPACES}'’])\d{{3}}(?:(?P=gap)\d{{3}})*(?:[.,]\d+)?)"
    rf"[{_SPACES}]*(?P<after>{_CURRENCY})?"
)
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(,\d{2,3})*,\d{3}(\.\d+)?")
_EITHER = re.compile(r"[1-9]\d{0,2},\d{3}")
_DOTTED = re.compile(r"[1-9]\d{0,2}(\.\d{3})+,\d+|[1-9]\d{0,2}(\.\d{3}){2,}")
_DECIMAL_COMMA = re.compile(r"\d+,\d+")
#: A number whose point cannot part thousands.
DECIMAL_POINT = r"(0\.\d+|\d+\.(\d{1,2}|\d{4,})|\d{4,}\.\d+)"


@dataclass(frozen=True)
class Problem:
    """One thing found wrong with one table or column.

    Attributes
    ----------
    table, column : str
        Where; `column` is empty when the table as a whole is meant.
    found : str
        What was found, with counts and the first row where that helps.
    remedy : str
        What to do about it.
    """

    table: str
    column: str
    found: str
    remedy: str

    def __str__(self) -> str:
        place = f"{self.table}.{self.column}" if self.column else self.table
        return f"{place}: {self.found}. {self.remedy}"


class HistoriesError(ValueError):
    """Every problem found in the histories, in one error.

    Attributes
    ----------
    problems : tuple of Problem
        In the order of the tables.
    rows : dict of str to int
        How many rows were read of each table that could be read.
    """

    def __init__(self, problems: Sequence[Problem], rows: Mapping[str, int] | None = None) -> None:
        self.problems = tuple(problems)
        self.rows = dict(rows or {})
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        listed = "\n".join(f"  {number}. {problem}" for number, problem in enumerate(self.problems, 1))
        super().__init__(f"{count} in the histories (rows are counted from 1):\n{listed}")


class HistoriesWarning(UserWarning):
    """Something in the histories that is kept, but worth knowing."""


def fill(table: str) -> str:
    """Say what to do about a table without rows: purchases cannot be left out."""
    needed = "Fill it: there is nothing to learn from without purchases."
    return needed if table == "purchases" else "Leave the table out, or fill it."


@dataclass
class WrittenNumbers:
    """How amounts are written that are not read as numbers, and the expression that reads them.

    Attributes
    ----------
    decimal, dotted, thousands, either, point : str
        The first amount with a decimal comma; with dots that part thousands; with commas that do; with a comma that may
        be either; with a decimal point.
    currencies, gaps : dict of str to str
        Signs of currencies, and what else parts thousands or stands beside them, each with the first such amount.

    Examples
    --------
    >>> numbers = WrittenNumbers.of(["1.234,56 €", "89,00 €", "on request"])
    >>> numbers.has
    "a decimal comma and '€'"
    >>> numbers.plain("paid")
    "replace(replace(replace(paid, '€', ''), '.', ''), ',', '.')"

    A comma before three digits parts thousands, unless others tell that it is decimal:

    >>> WrittenNumbers.of(["1,234"]).plain("paid"), WrittenNumbers.of(["1,234", "0,5"]).plain("paid")
    ("replace(paid, ',', '')", "replace(replace(paid, '.', ''), ',', '.')")
    """

    decimal: str = ""
    dotted: str = ""
    thousands: str = ""
    either: str = ""
    point: str = ""
    currencies: dict[str, str] = field(default_factory=dict)
    gaps: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, texts: Iterable[str], *, point: str = "") -> "WrittenNumbers":
        """Learn from a sample of texts; `point` is one with a decimal point that is read as it is."""
        numbers = cls(point=point)
        for text in texts:
            numbers._learn(text.strip())
        return numbers

    def _learn(self, text: str) -> None:
        found = _AMOUNT.fullmatch(text)
        if found is None:
            return
        for currency in filter(None, found.group("before", "after")):
            self.currencies.setdefault(currency, text)
        for gap in {*filter(None, [found["gap"]]), *(set(text) & set(_SPACES[1:]))}:
            self.gaps.setdefault(gap, text)
        number = found["number"].replace(found["gap"] or " ", "")
        if _EITHER.fullmatch(number):
            self.either = self.either or text
        elif _THOUSANDS.fullmatch(number):
            self.thousands = self.thousands or text
        elif _DOTTED.fullmatch(number):
            self.dotted = self.dotted or text
        elif _DECIMAL_COMMA.fullmatch(number):
            self.decimal = self.decimal or text
        elif re.fullmatch(DECIMAL_POINT, number):
            self.point = self.point or text

    @property
    def contradiction(self) -> str:
        """Two amounts that no one expression reads, in words; empty if there are none."""
        if len(self.currencies) > 1:
            one, other = list(self.currencies.values())[:2]
            return f"of different currencies, such as {one!r} and {other!r}"
        comma, point = self.dotted or self.decimal, self.thousands or (self.point if self.dotted else "")
        if not (comma and point):
            return ""
        return f"with a decimal comma, such as {comma!r}, and with a decimal point, such as {point!r}"

    @property
    def has(self) -> str:
        """What there is beside plain digits, in words; empty if nothing."""
        told = []
        if self.decimal or self.dotted:
            told.append("a decimal comma" if self.decimal or "," in self.dotted else "dots that part thousands")
        elif self.thousands or self.either:
            told.append("commas that part thousands")
        if self.gaps:
            told.append("spaces or apostrophes between or after digits")
        told += [repr(currency) for currency in self.currencies]
        return " and ".join(told)

    def plain(self, column: str) -> str:
        """Write the expression that leaves of a text what can be cast to a number."""
        without = [*self.currencies, *self.gaps]
        comma = None
        if self.decimal or self.dotted:
            without += [] if self.point else ["."]
            comma = "."
        elif self.thousands or self.either:
            comma = ""
        for mark in without:
            column = f"replace({column}, {_literal(mark)}, '')"
        return column if comma is None else f"replace({column}, ',', '{comma}')"

    def remedy(self, column: str, *, left: int) -> str:
        """Say what to do about a column of which `left` texts are no numbers even so."""
        plain = column if self.contradiction else self.plain(column)
        where = f'where = "try_cast({plain} as double) is not null"'
        if self.contradiction:
            one_way = f"There are numbers {self.contradiction}: write all in one way at the source"
            return f"{one_way}, or leave these rows out, if they are few, with {where}."
        if not self.has:
            return f"Correct them, or leave the rows out, if they are few, with {where}."
        said = f"They have {self.has}: map the column with cast({plain} as double)."
        if self.either and not (self.thousands or self.decimal or self.dotted):
            said += f" If the comma of {self.either!r} is decimal, replace it by '.' instead of ''."
        if left:
            rows = "1 row is" if left == 1 else f"{left:,} rows are"
            said += f" {rows} text even so: correct them, or leave them out, if they are few, with {where}."
        return said


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
