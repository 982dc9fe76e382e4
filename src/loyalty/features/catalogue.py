"""What a feature is: one small expression, with its name, theme, unit and meaning beside it."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

Theme = Literal["rhythm", "value", "breadth", "promotion"]
Unit = Literal["days", "purchases", "money", "share", "ratio", "products", "count", "position"]

#: Where a feature's expression looks. ``purchases``: the rows known before the cutoff, with `age_days` before it.
#: ``purchase_days``: the days with a positive amount, each dated at its midnight: `day`, `amount`, `lines`, `age_days`
#: before the cutoff, and `gap_days` since the one before. ``snapshot``: what the other grains told of the row, with
#: the cutoff's `horizon_middle`.
Grain = Literal["purchases", "purchase_days", "snapshot"]

#: Lengths of the windows before the cutoff, in days.
WINDOWS = (30, 60, 90, 180, 365)
#: Times in which a decayed sum forgets all but 1/e, in days.
DECAYS = (30, 90, 365)

#: An expression over an Ibis table: an aggregate, or a column if the grain is ``snapshot``.
Expression = Callable[[Any], Any]

_PAGE_HEAD = """\
# Features

Written by `python -m loyalty.features > docs/features.md`; a test fails when this page is not current.

The panel has one row per client and cutoff, and these columns, in this order. Every feature is computed from the
purchases with `known_at < cutoff` and from nothing else.

- The last *n* days are the half-open window `[cutoff - n days, cutoff)`.
- A **line** is a row of `purchases`. A **purchase day** is a UTC day with at least one line of positive amount, dated
  at its midnight; several lines on one day are one purchase day.
- **Spend** is what was paid, without refunds; **net spend** has refunds (negative amounts) taken off.
- A **decayed** sum gives each purchase the weight exp(-age / decay).
- **Needs** names the optional columns of `purchases` without which the feature is left out.
- **Nothing** is the value of a client who has nothing to count or add up; NaN where no value is defined, as for the
  mean of nothing. The trees take NaN as it is.
- **Actionable** marks what a company can change by what it does."""
_TABLE_HEAD = (
    "| name | unit | meaning | 의미 | needs | nothing | actionable |",
    "|---|---|---|---|---|---|---|",
)

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
    >>> spend = Feature(
    ...     name="amount_sum_90d",
    ...     theme="value",
    ...     unit="money",
    ...     meaning={"en": "net spend in the last 90 days", "ko": "최근 90일 순구매액"},
    ...     expression=lambda t: t.amount.sum(where=t.age_days <= 90),
    ... )
    >>> spend.family
    'amount'
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
        """The name without statistic and window: net spend says nearly the same, summed or decayed, over any time."""
        return re.sub(r"(_count|_sum|_decayed|_sin|_cos)?(_\d+d)?$", "", self.name)

    @property
    def shared(self) -> bool:
        """Whether all clients of a cutoff have the same value: it moves the level, and is no reason for one of them."""
        return self.unit == "position"


def catalogue_page(features: Iterable[Feature]) -> str:
    """Write the catalogue as a page of Markdown, one table a theme.

    Parameters
    ----------
    features : iterable of Feature
        In the order of the page; the themes stand in the order of their first feature.

    Returns
    -------
    str
        The page; ``docs/features.md`` is this one, written by ``python -m loyalty.features > docs/features.md``.

    Examples
    --------
    >>> meaning = {"en": "largest amount of one line", "ko": "최대 구매 금액"}
    >>> largest = Feature("amount_max", "value", "money", meaning, lambda t: t.amount.max())
    >>> print(catalogue_page([largest]).splitlines()[-1])
    | `amount_max` | money | largest amount of one line | 최대 구매 금액 |  | NaN |  |
    """
    themes: dict[str, list[Feature]] = {}
    for feature in features:
        themes.setdefault(feature.theme, []).append(feature)
    lines = _PAGE_HEAD.splitlines()
    for theme, members in themes.items():
        lines += ["", f"## {theme.capitalize()}", "", *_TABLE_HEAD]
        lines += [f"| {' | '.join(_cells(feature))} |" for feature in members]
    return "\n".join(lines) + "\n"


def _cells(feature: Feature) -> tuple[str, ...]:
    return (
        f"`{feature.name}`",
        feature.unit,
        feature.meaning["en"],
        feature.meaning["ko"],
        ", ".join(f"`{column}`" for column in feature.needs),
        "NaN" if feature.empty is None else f"{feature.empty:g}",
        "yes" if feature.actionable else "",
    )


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
