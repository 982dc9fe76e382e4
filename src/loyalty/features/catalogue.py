"""What a feature is: one small expression, with its name, theme, unit and meaning beside it."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

Theme = Literal["rhythm", "value", "breadth", "promotion"]
Unit = Literal["days", "purchases", "money", "share", "ratio", "products", "count", "position"]

#: Where a feature's expression looks. ``purchases``: the rows known before the cutoff, with `age_days` before it.
#: ``purchase_days``: the days with a positive amount, dated at their midnight, with `day`, `amount`, `lines`, `age_days`
#: and `gap_days` since the one before. ``snapshot``: what the other grains said, with the cutoff's `horizon_middle`.
Grain = Literal["purchases", "purchase_days", "snapshot"]

#: Lengths of the windows before the cutoff, in days.
WINDOWS = (30, 60, 90, 180, 365)
#: Times in which a decayed sum forgets all but 1/e, in days.
DECAYS = (30, 90, 365)

#: An expression over an Ibis table: an aggregate, or a column if the grain is ``snapshot``.
Expression = Callable[[Any], Any]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


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
    expression : callable
        From an Ibis table of the feature's grain to an aggregate, or to a column if the grain is ``snapshot``.
        It is written once and runs wherever Ibis does.
    grain : {"purchases", "purchase_days", "snapshot"}
        The table the expression looks at.
    needs : tuple of str
        Optional columns of `purchases` without which the feature is left out.
    empty : float, optional
        Its value where there is nothing to count or to add up; by default NaN, as of a mean of nothing.
    actionable : bool
        Whether a company can change it by what it does.

    Raises
    ------
    ValueError
        If the name is not a plain identifier or a meaning is missing.

    Examples
    --------
    >>> largest = Feature(
    ...     name="amount_max",
    ...     theme="value",
    ...     unit="money",
    ...     meaning={"en": "largest amount of one line", "ko": "가장 큰 구매 금액"},
    ...     expression=lambda t: t.amount.max(),
    ... )
    >>> largest.family
    'amount_max'
    """

    name: str
    theme: Theme
    unit: Unit
    meaning: Mapping[str, str]
    expression: Expression
    grain: Grain = "purchases"
    needs: tuple[str, ...] = ()
    empty: float | None = None
    actionable: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"`name` must be letters, digits and underscores; got {self.name!r}.")
        missing = [language for language in ("en", "ko") if not self.meaning.get(language)]
        if missing:
            raise ValueError(f"feature {self.name!r} has no `meaning` in {missing[0]!r}.")

    @property
    def family(self) -> str:
        """The name without its window: what differs only in the window says nearly the same."""
        return re.sub(r"_\d+d$", "", self.name)


def catalogue(*modules: Iterable[Feature]) -> Mapping[str, Feature]:
    """Join the features of all themes by name, in order.

    Raises
    ------
    ValueError
        If a name stands twice.
    """
    joined: dict[str, Feature] = {}
    for feature in (feature for module in modules for feature in module):
        if feature.name in joined:
            raise ValueError(f"the feature {feature.name!r} stands twice in the catalogue.")
        joined[feature.name] = feature
    return MappingProxyType(joined)
