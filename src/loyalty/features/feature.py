"""What a feature is: one formula, with its name, theme, unit and meaning beside it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from loyalty.features.algebra import CutoffDay, Expression, Learned, Number, Season, ShareOfClients, columns_of
from loyalty.features.expression import Statistic
from loyalty.histories import TABLES

Theme = str
Unit = Literal[
    "days", "purchases", "money", "share", "ratio", "products", "count", "position", "hours", "points", "stars",
    "characters", "rate",
]  # fmt: skip

#: Lengths of the windows before the cutoff, in days.
WINDOWS = (30, 90, 180, 365)
#: Times in which a decayed sum forgets all but 1/e, in days.
DECAYS = (30, 365)

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True)
class IbisFormula:
    """A formula written in Ibis: from the known rows of one table, with their `age_days`, to an aggregate.

    Attributes
    ----------
    table : str
        Whose rows it is given: those with ``known_at < cutoff``, later facts after the cutoff missing.
    aggregate : callable
        From that Ibis table to an Ibis aggregate.
    columns : tuple of str
        The optional columns of the table it reads.
    """

    table: str
    aggregate: Callable[[Any], Any]
    columns: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"written in Ibis over {self.table}"


@dataclass(frozen=True)
class Phrase:
    """How one client's value is said in one language, where unit and meaning alone would read badly.

    ``{value}`` stands for the value in its unit; where money, days and shares have theirs, other numbers stand bare.
    English ``[order/orders]`` follows the number; Korean ``[이/가]`` (은/는, 을/를, 과/와) the word before it. What is
    left out is said by the meaning.

    Attributes
    ----------
    known : str
        Of a value, a sentence without full stop.
    zero : str
        Of 0.
    below : str
        Of a value below 0, which then stands without its sign.
    unknown : str
        Where it is missing; that, too, tells something, such as that nothing has happened yet.
    usual : str
        Of the client's own usual, see `Feature.usual`.

    Examples
    --------
    >>> Phrase("{value} [order/orders] in the last 30 days", zero="no order in the last 30 days").unknown
    ''
    """

    known: str
    zero: str = ""
    below: str = ""
    unknown: str = ""
    usual: str = ""


@dataclass(frozen=True)
class Feature:
    """One column of the panel.

    Attributes
    ----------
    name : str
        ``measure_statistic_window``, as in ``amount_sum_90d``.
    theme : str
        The part of a client's history it speaks of; the module it stands in.
    unit : str
        What its numbers count.
    meaning : mapping of language to str
        A noun phrase for people, in English (``en``) and Korean (``ko``).
    formula : Expression or IbisFormula
        What it is: see `loyalty.features.algebra`.
    actionable : bool
        Whether a company can change it by what it does.
    monotone : {-1, 0, 1}
        1 where by its very meaning a higher value never goes with a lower risk of leaving, all else being equal; -1
        where it never goes with a higher one; 0 where only data can tell.
    topic : str
        What a manager learns from it; features of one topic tell nearly the same, and make one reason. Left out, it is
        the name without statistic and window: see `family`.
    speaks : bool
        Whether it means something to people. One that does not, such as a decayed sum or a model's opinion, is told
        only where no other of its topic fits.
    usual : str, optional
        The feature that holds the client's own usual of this one, such as its median gap for the days since its last
        purchase.
    phrases : mapping of language to Phrase
        How one client's value is said, where unit and meaning alone would read badly.

    Raises
    ------
    ValueError
        If the name is not a plain identifier, or a meaning, or a phrase in one of the languages, is missing.

    Examples
    --------
    >>> from loyalty.features.algebra import PURCHASES
    >>> spend = Feature(
    ...     name="amount_sum_90d",
    ...     theme="value",
    ...     unit="money",
    ...     meaning={"en": "net spend in the last 90 days", "ko": "최근 90일 순구매액"},
    ...     formula=PURCHASES["amount"].sum(within=90),
    ... )
    >>> print(spend.formula)
    sum(amount; last 90 days)
    >>> spend.family
    'amount'
    """

    name: str
    theme: Theme
    unit: Unit
    meaning: Mapping[str, str]
    formula: Expression | IbisFormula
    actionable: bool = False
    monotone: Literal[-1, 0, 1] = 0
    topic: str = ""
    speaks: bool = True
    usual: str | None = None
    phrases: Mapping[str, Phrase] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"`name` must be letters, digits and underscores; got {self.name!r}.")
        missing = [language for language in ("en", "ko") if not self.meaning.get(language)]
        if missing:
            raise ValueError(f"feature {self.name!r} has no `meaning` in {missing[0]!r}.")
        if self.phrases and set(self.phrases) != {"en", "ko"}:
            raise ValueError(f"feature {self.name!r}: `phrases` must be in 'en' and 'ko'; got {sorted(self.phrases)}.")
        if isinstance(self.formula, Expression) and self.formula.rows is not None:
            raise ValueError(
                f"feature {self.name!r}: `{self.formula}` has a value for each row of {self.formula.rows}; "
                "take a statistic of it, such as .sum() or .last()."
            )

    @property
    def family(self) -> str:
        """Its topic; left out, the name without statistic and window: spend over any time tells nearly the same."""
        return self.topic or re.sub(r"(_count|_sum|_decayed|_sin|_cos)?(_\d+d)?$", "", self.name)

    @property
    def shared(self) -> bool:
        """Whether all clients of a cutoff have the same value: it moves the level, and is no reason for one of them."""
        return isinstance(self.formula, Expression) and all(
            isinstance(part, CutoffDay | Season | ShareOfClients | Number) for part in self._ends(self.formula)
        )

    def _ends(self, expression: Expression) -> list[Expression]:
        # A count of a client's rows adds up a constant, and is the client's own.
        if isinstance(expression, Season | ShareOfClients | Statistic) or not expression.parts():
            return [expression]
        return [end for part in expression.parts() for end in self._ends(part)]

    @cached_property
    def needs(self) -> Mapping[str, tuple[str, ...]]:
        """The tables it reads, and of each the columns that may be absent and without which it cannot be computed."""
        if isinstance(self.formula, IbisFormula):
            return {self.formula.table: self.formula.columns}
        required = {table: {c.name for c in TABLES[table].columns if c.required} | {"known_at"} for table in TABLES}
        return {
            table: tuple(n for n, column in columns.items() if not column.optional and n not in required[table])
            for table, columns in columns_of([self.formula]).items()
        }

    @cached_property
    def models(self) -> frozenset[str]:
        """The fitted models it asks."""
        if isinstance(self.formula, IbisFormula):
            return frozenset()
        return frozenset(part.model for part in self.formula.walk() if isinstance(part, Learned))
