"""What is wrong with a table, said once, with the way out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


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
