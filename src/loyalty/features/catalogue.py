"""The catalogue: every feature by name, those of the house and those a user adds."""

import difflib
import importlib
import runpy
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from loyalty.features import breadth, contract, engagement, peers, promotion, rhythm, service, text, value
from loyalty.features.feature import Feature, IbisFormula, Phrase, Unit
from loyalty.histories import TABLES, Histories

_PAGE_HEAD = """\
# Features

Written by `python -m loyalty.features > docs/features.md`; a test fails when this page is not current.

The panel has one row per client and cutoff, and these columns, in this order. Every feature is computed from the rows
with `known_at < cutoff` and from nothing else; what a later fact says of a row (`replied_at`, `resolved_at`,
`redeemed_at`, `end`) is missing until its own date has passed.

- The last *n* days are the half-open window `[cutoff - n days, cutoff)`; *m* to *n* days ago is
  `[cutoff - n days, cutoff - m days)`.
- A **line** is a row of `purchases`. A **purchase day** is a UTC day with at least one line of positive amount, dated
  at its midnight; several lines on one day are one purchase day, whose `amount` is that of its lines together.
- **Spend** is what was paid, without refunds; **net spend** has refunds (negative amounts) taken off.
- Counts and sums of nothing are 0. Other statistics of nothing, and what would be divided by 0, are NaN, which the
  trees take as it is. A comparison with what is missing does not hold.
- **Needs** names the tables read beside `purchases`, and the optional columns without which the feature is left out.
- **Actionable** marks what a company can change by what it does."""
_TABLE_HEAD = (
    "| name | unit | meaning | 의미 | formula | needs | actionable |",
    "|---|---|---|---|---|---|---|",
)


class Catalogue(Mapping[str, Feature]):
    """Features by name, in the order of the panel's columns.

    Examples
    --------
    >>> CATALOGUE["recency"].unit
    'days'
    """

    def __init__(self, *themes: Iterable[Feature]) -> None:
        self._features: dict[str, Feature] = {}
        for feature in (feature for theme in themes for feature in theme):
            if feature.name in self._features:
                raise ValueError(f"the feature {feature.name!r} stands twice in the catalogue.")
            self._features[feature.name] = feature
        self._house = frozenset(self._features)

    def __getitem__(self, name: str) -> Feature:
        return self._features[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._features)

    def __len__(self) -> int:
        return len(self._features)

    def add(self, feature: Feature) -> Feature:
        """Add a feature of one's own; one of the same name takes its place, unless it is the house's.

        Raises
        ------
        ValueError
            If the name is taken by a feature of the house, or a table or column it needs does not exist.
        """
        if feature.name in self._house:
            raise ValueError(f"the feature {feature.name!r} is one of loyalty's own. Choose another name.")
        for table, columns in feature.needs.items():
            if table not in TABLES:
                raise ValueError(f"feature {feature.name!r}: there is no table {table!r}. Tables: {', '.join(TABLES)}.")
            unknown = [c for c in columns if c not in TABLES[table].names and not TABLES[table].attributes]
            if unknown:
                raise ValueError(f"feature {feature.name!r}: the table {table!r} has no column {unknown[0]!r}.")
        self._features[feature.name] = feature
        return feature

    def remove(self, name: str) -> None:
        """Take away a feature that was added."""
        if name in self._house:
            raise ValueError(f"the feature {name!r} is one of loyalty's own; leave it out of `features` instead.")
        del self._features[name]


#: Every feature by name, in the order of the panel's columns.
CATALOGUE = Catalogue(
    rhythm.FEATURES,
    value.FEATURES,
    breadth.FEATURES,
    promotion.FEATURES,
    service.FEATURES,
    engagement.FEATURES,
    contract.FEATURES,
    text.FEATURES,
    peers.FEATURES,
)


def feature(
    *,
    theme: str,
    unit: Unit,
    en: str,
    ko: str,
    table: str | None = None,
    columns: Iterable[str] = (),
    actionable: bool = False,
    topic: str = "",
    phrases: Mapping[str, Phrase] | None = None,
) -> Callable[[Callable[..., Any]], Feature]:
    """Make a function a feature of the catalogue, under the function's name.

    Parameters
    ----------
    theme, unit : str
        What it speaks of, and what its numbers count.
    en, ko : str
        Its meaning in English and Korean, a noun phrase.
    table : str, optional
        The function is given this table in Ibis (the rows known before the cutoff, with their `age_days`) and returns
        an aggregate. Without it, the function takes nothing and returns a declaration in `loyalty.features.algebra`.
    columns : iterable of str, optional
        The optional columns of the table that an Ibis function reads.
    actionable : bool, default=False
        Whether a company can change it by what it does.
    topic : str, optional
        What it shares with features that tell nearly the same, so that they make one reason; see `Feature.topic`.
    phrases : mapping of language to Phrase, optional
        How one client's value is said in a reason, where unit and meaning alone would read badly.

    Returns
    -------
    callable
        A decorator that puts the `Feature` in the place of the function.

    Raises
    ------
    ValueError
        If the name is taken by one of the house's, or the table or a column does not exist.

    Examples
    --------
    >>> @feature(theme="value", unit="money", en="largest amount of one line", ko="최대 구매 금액", table="purchases")
    ... def line_max(t):
    ...     return t.amount.max()
    >>> CATALOGUE["line_max"] is line_max
    True
    >>> CATALOGUE.remove("line_max")
    """

    def add(function: Callable[..., Any]) -> Feature:
        formula = IbisFormula(table, function, tuple(columns)) if table is not None else function()
        name = function.__name__
        said = dict(phrases or {})
        meaning = {"en": en, "ko": ko}
        return CATALOGUE.add(Feature(name, theme, unit, meaning, formula, actionable, topic=topic, phrases=said))

    return add


def import_features(modules: Iterable[str], *, beside: Path) -> None:
    """Run modules that add features of one's own to the catalogue.

    Parameters
    ----------
    modules : iterable of str
        Python files, whose relative paths count from `beside`, or names of installed modules.
    beside : Path
        A folder.

    Raises
    ------
    ValueError
        If there is no such module, or it fails.
    """
    for name in modules:
        try:
            if name.endswith(".py"):
                runpy.run_path(str(beside / name))
            else:
                importlib.import_module(name)
        except Exception as error:  # whatever the user's own code raises
            raise ValueError(f"`feature_modules`: {name!r} cannot be run: {type(error).__name__}: {error}") from error


def choose_features(
    histories: Histories, names: Iterable[str] | None = None, *, models: Iterable[str] = ()
) -> tuple[Feature, ...]:
    """Pick features by name, or all that the tables and columns of these histories allow.

    Parameters
    ----------
    histories : Histories
        What is known.
    names : iterable of str, optional
        Which, in this order.
    models : iterable of str, optional
        The fitted models there are, for features that ask one.

    Raises
    ------
    ValueError
        If a name is not in the catalogue or stands twice, or the histories lack what it needs.

    Examples
    --------
    >>> import pandas as pd
    >>> bills = pd.DataFrame({"client_id": [1], "event_time": ["2024-01-01"], "amount": [5.0]})
    >>> choose_features(Histories(bills), ["days_since_lst"])
    Traceback (most recent call last):
    ...
    ValueError: `features` names 'days_since_lst', which is not in the catalogue. Did you mean 'days_since_last'?
    """
    if names is None:
        return tuple(f for f in CATALOGUE.values() if f.models <= set(models) and not missing(histories, f))
    chosen = []
    for name in names:
        if name not in CATALOGUE:
            close = difflib.get_close_matches(name, CATALOGUE, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else " See docs/features.md."
            raise ValueError(f"`features` names {name!r}, which is not in the catalogue.{hint}")
        chosen.append(CATALOGUE[name])
    return computable(histories, chosen, models=models)


def computable(histories: Histories, features: Iterable[Feature], *, models: Iterable[str] = ()) -> tuple[Feature, ...]:
    """Return the features if each stands once and has the tables, columns and fitted models it needs."""
    chosen: dict[str, Feature] = {}
    there = set(models)
    for one in features:
        if one.name in chosen:
            raise ValueError(f"`features` names {one.name!r} twice; name it once.")
        if lacking := missing(histories, one):
            raise ValueError(
                f"the feature {one.name!r} needs {lacking[0]}, which is not there. "
                "Map it, or leave the feature out of `features`."
            )
        if unfitted := sorted(one.models - there):
            raise ValueError(
                f"the feature {one.name!r} asks the fitted model {unfitted[0]!r}, which is not there. "
                "Fit it with learn(...) and hand it over as `learned`, or leave the feature out of `features`."
            )
        chosen[one.name] = one
    return tuple(chosen.values())


def missing(histories: Histories, feature: Feature) -> list[str]:
    """List the tables and columns that a feature needs and the histories lack."""
    lacking = []
    for table, columns in feature.needs.items():
        if table not in histories.columns:
            lacking.append(f"the table {table}")
        else:
            there = histories.columns[table]
            lacking += [f"the column {table}.{column}" for column in columns if column not in there]
    return lacking


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
    >>> print(catalogue_page([CATALOGUE["amount_sum"]]).splitlines()[-1])
    | `amount_sum` | money | net spend so far | 누적 순구매액 | `sum(amount)` |  |  |
    """
    themes: dict[str, list[Feature]] = {}
    for one in features:
        themes.setdefault(one.theme, []).append(one)
    lines = _PAGE_HEAD.splitlines()
    for theme, members in themes.items():
        lines += ["", f"## {theme.capitalize()}", "", *_TABLE_HEAD]
        lines += [f"| {' | '.join(_cells(one))} |" for one in members]
    return "\n".join(lines) + "\n"


def _cells(one: Feature) -> tuple[str, ...]:
    tables = [f"`{table}`" for table in one.needs if table != "purchases"]
    columns = [f"`{table}.{column}`" for table, names in one.needs.items() for column in names]
    formula = str(one.formula).replace("|", "\\|")
    return (
        f"`{one.name}`",
        one.unit,
        one.meaning["en"],
        one.meaning["ko"],
        f"`{formula}`",
        ", ".join([*tables, *columns]),
        "yes" if one.actionable else "",
    )
