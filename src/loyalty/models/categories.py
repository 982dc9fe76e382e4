"""Category columns as trees read them: levels frozen when a model is fitted, a column of 0 and 1 for each."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: More levels than this name single clients rather than kinds of clients.
_MOST_LEVELS = 255
#: A level of fewer clients is not kept by name: it could point to one of them.
_RARE = 10
#: How many levels a message names.
_NAMED = 5


@dataclass(frozen=True)
class Columns:
    """The columns of a table of features, and the frozen levels of those that hold categories.

    A number is one column for the trees. A category is a column for each level, 1 where it has that level and else 0;
    all are missing where the category is. A level that is not among the frozen ones has 0 in all: it is none of them.
    No outcome is used, so none can leak.

    Attributes
    ----------
    names : tuple of str
        The columns, in order.
    levels : mapping of str to tuple of str
        The levels of each category column, sorted by name; each of at least ten clients at the fit.

    Examples
    --------
    A plan that one client alone has is not kept, and is read like one that was never seen:

    >>> X = pd.DataFrame({"plan": ["month"] * 12 + ["year"] * 10 + ["bespoke"], "fee": 9.5})
    >>> columns = Columns.of(X)
    >>> dict(columns.levels)
    {'plan': ('month', 'year')}
    >>> columns.encode(X.iloc[[0, 12, 22]], warn=False).tolist()
    [[1.0, 0.0, 9.5], [0.0, 1.0, 9.5], [0.0, 0.0, 9.5]]
    """

    names: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, X: pd.DataFrame) -> Self:
        """Freeze the levels of the category columns of `X`: those of type category, str, or object holding text.

        Raises
        ------
        ValueError
            If a column holds text beside other things, has more than 255 levels or none of at least ten clients, or
            if a table with categories has columns without names of their own.
        """
        holding = [i for i in range(X.shape[1]) if _is_category(X.iloc[:, i])]
        if not holding:
            return cls(tuple(map(str, X.columns)))
        unnamed = [name for name in X.columns if not isinstance(name, str)]
        if unnamed:
            raise ValueError(f"columns beside categories must be named by text; got {unnamed[0]!r}. Rename it.")
        if not X.columns.is_unique:
            twice = X.columns[X.columns.duplicated()][0]
            raise ValueError(f"column {twice!r} stands twice in `X`. Keep one of them.")
        clients = X.index.get_level_values("client_id") if "client_id" in X.index.names else pd.RangeIndex(len(X))
        return cls(tuple(X.columns), {X.columns[i]: _levels(X.iloc[:, i], clients) for i in holding})

    @cached_property
    def owner(self) -> NDArray[np.int_]:
        """Which of the columns each of the trees' columns comes from."""
        widths = [len(self.levels[name]) if name in self.levels else 1 for name in self.names]
        return np.repeat(np.arange(len(self.names)), widths)

    def first(self, name: str) -> int:
        """Where the trees' columns of one column begin."""
        return int(np.searchsorted(self.owner, self.names.index(name)))

    def encode(self, X: pd.DataFrame, *, warn: bool = True) -> Floats:
        """Write the columns as the trees read them.

        Raises
        ------
        ValueError
            If a column holds text where there were numbers, or the other way round.

        Warns
        -----
        UserWarning
            Once for all columns, if some hold levels that are not among the frozen ones.
        """
        self.check_kinds(X)
        parts: list[Floats] = []
        unknown: dict[str, list[str]] = {}
        for i, name in enumerate(self.names):
            column = X.iloc[:, i]
            if name not in self.levels:
                parts.append(column.to_numpy(dtype=float, na_value=np.nan)[:, None])
                continue
            dummies, others = _dummies(column, self.levels[name])
            parts.append(dummies)
            if others:
                unknown[name] = others
        if unknown and warn:
            told = "; ".join(f"column {name!r}: {_listed(others)}" for name, others in unknown.items())
            warnings.warn(
                f"`X` holds levels that were not there when the model was fitted, or were too rare (fewer than {_RARE} "
                f"clients). They are read as none of the known ones. {told}. Fit anew if they have come to stay.",
                UserWarning,
                stacklevel=4,
            )
        return np.concatenate(parts, axis=1)

    def check_kinds(self, X: pd.DataFrame) -> None:
        """Refuse text where there were numbers, and numbers where there were categories."""
        for i, name in enumerate(self.names):
            column = X.iloc[:, i]
            is_category = _is_category(column)
            if is_category and name not in self.levels:
                raise ValueError(
                    f"column {name!r} held numbers when the model was fitted; got {column.dtype}. "
                    "Convert it to numbers."
                )
            if name in self.levels and not is_category and not column.isna().all():
                raise ValueError(
                    f"column {name!r} held categories when the model was fitted; got {column.dtype}. "
                    "Convert it to text, written as it was then."
                )

    def add_up(self, parts: Floats) -> Floats:
        """Add up what the trees say of each of their columns, by column of the table."""
        starts = np.flatnonzero(np.diff(self.owner, prepend=-1))
        return np.add.reduceat(parts, starts, axis=1)

    def typical(self, values: Floats) -> NDArray[Any]:
        """Tell the median of each number, and the commonest level of each category.

        An array of floats where there are no categories, else of objects.
        """
        medians = pd.DataFrame(values).median().to_numpy()
        if not self.levels:
            return medians
        usual = np.empty(len(self.names), dtype=object)
        for i, name in enumerate(self.names):
            at = self.first(name)
            if name in self.levels:
                rows = np.nansum(values[:, at : at + len(self.levels[name])], axis=0)
                usual[i] = self.levels[name][int(rows.argmax())]
            else:
                usual[i] = float(medians[at])
        return usual


def _is_category(column: pd.Series) -> bool:
    """Tell whether a column holds categories: text, or what pandas calls one."""
    if isinstance(column.dtype, pd.CategoricalDtype | pd.StringDtype):
        return True
    if column.dtype.kind in "mM":
        raise ValueError(f"column {column.name!r} holds dates or times. Give the days from it to where you stand.")
    if column.dtype != object:
        return False
    held = pd.api.types.infer_dtype(column, skipna=True)
    if held in ("mixed", "mixed-integer") and any(isinstance(value, str) for value in column):
        raise ValueError(f"column {column.name!r} holds text beside other things. Make it all text or all numbers.")
    return held == "string"


def _levels(column: pd.Series, clients: pd.Index) -> tuple[str, ...]:
    codes, unique = _coded(column)
    if len(unique) > _MOST_LEVELS:
        raise ValueError(
            f"column {column.name!r} has {len(unique):,} levels; a category may have {_MOST_LEVELS} at the most. "
            "Leave out what names single clients, such as an id, and group the rest."
        )
    pairs = pd.DataFrame({"level": codes, "client": clients})
    count = pairs[pairs["level"] >= 0].drop_duplicates().groupby("level").size()
    kept = sorted(unique[level] for level in count.index[count >= _RARE])
    if not kept:
        raise ValueError(
            f"no level of column {column.name!r} has {_RARE} clients or more, so that it would tell of single clients. "
            "Leave it out, or group its levels."
        )
    return tuple(kept)


def _coded(column: pd.Series) -> tuple[NDArray[np.int_], list[str]]:
    """Give the level of each row by its number, -1 where it is missing, and the levels in the order they come."""
    codes, unique = pd.factorize(column)
    texts = [str(level) for level in unique]
    again, merged = pd.factorize(np.array(texts, dtype=object))
    return np.append(again, -1)[codes], [str(level) for level in merged]


def _dummies(column: pd.Series, levels: Sequence[str]) -> tuple[Floats, list[str]]:
    """Write a category as a column for each level, and name the levels that are not among them."""
    codes, unique = _coded(column)
    place = {level: i for i, level in enumerate(levels)}
    at = np.array([*(place.get(level, len(levels)) for level in unique), -1])[codes]
    dummies = (at[:, None] == np.arange(len(levels))).astype(float)
    dummies[at < 0] = np.nan
    return dummies, [level for level in unique if level not in place]


def _listed(levels: Sequence[str]) -> str:
    more = f" and {len(levels) - _NAMED} more" if len(levels) > _NAMED else ""
    return ", ".join(map(repr, levels[:_NAMED])) + more
