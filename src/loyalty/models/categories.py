"""Category columns as trees read them: levels frozen when a model is fitted, a column of 0 and 1 for each."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_array, check_X_y, validate_data

from loyalty.models.trees import cutoffs_of, feature_names

Floats = NDArray[np.float64]

#: More levels than this name single clients rather than kinds of clients.
_MOST_LEVELS = 255
#: A level of fewer clients is not kept by name: it could point to one of them.
_RARE = 10
#: How many levels a message names.
_NAMED = 5
#: What scikit-learn is to accept.
_NUMBERS: Mapping[str, Any] = {"dtype": "float64", "ensure_all_finite": "allow-nan"}


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
            If a column holds text where there were numbers, or the other way round; or neither numbers nor categories.

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
                parts.append(as_floats(column)[:, None])
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

    def spell_out(self, X: pd.DataFrame) -> pd.DataFrame:
        """Write a table of categories as one of numbers, which copies of a model can learn from part by part.

        Its index and notes are those of `X`, and so are the names of columns that hold numbers.
        """
        if not self.levels:
            return X
        names = dict.fromkeys(self.names)
        for label in [f"{name} = {level}" for name in self.names for level in self.levels.get(name, ())]:
            while label in names:  # as "a = b" with a level c, beside "a" with a level "b = c"
                label += "'"
            names[label] = None
        told = iter(list(names)[len(self.names) :])
        spelled = [next(told) if self.names[i] in self.levels else self.names[i] for i in self.owner]
        table = pd.DataFrame(self.encode(X, warn=False), index=X.index, columns=spelled)
        table.attrs = dict(X.attrs)
        return table

    def check_kinds(self, X: pd.DataFrame) -> None:
        """Refuse text where there were numbers, and numbers where there were categories."""
        for i, (name, dtype) in enumerate(zip(self.names, X.dtypes, strict=True)):
            if dtype.kind in "biuf" and name not in self.levels:
                continue  # by far the most, and one row must not wait for them
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
        known = ~np.isnan(values).all(axis=0)  # of the others numpy warns, and filters of warnings are not for threads
        medians = np.full(values.shape[1], np.nan)
        medians[known] = np.nanmedian(values[:, known], axis=0)
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


def freeze_columns(model: Any, X: pd.DataFrame | ArrayLike, y: Any = "no_validation", **rules: Any) -> Any:
    """Check the table of a fit, freeze its levels as `model.columns_`, and write it as the trees read it.

    Parameters
    ----------
    model : estimator
        Gets `columns_`, `n_features_in_` and, from a table with named columns, `feature_names_in_`.
    X : DataFrame or array of shape (n_rows, n_features)
        Features; a DataFrame may hold categories.
    y : array-like of shape (n_rows,), optional
        The target, where scikit-learn is to check one.
    **rules
        For scikit-learn's `validate_data`, beside those that all models share.

    Returns
    -------
    ndarray or tuple of ndarray
        The table for the trees, and the target if there is one.

    Raises
    ------
    ValueError
        If a DataFrame has no columns or one twice, a category is refused by `Columns.of`, a column holds infinity, or
        neither numbers nor categories, a Series `y` has the rows of `X` in another order, or scikit-learn refuses table
        or target.
    """
    if isinstance(X, pd.DataFrame):
        _check_names(X.columns)
        if isinstance(y, pd.Series):
            _check_order(X.index, y.index)
    rules = {**_NUMBERS, "ensure_min_samples": 2, **rules}
    columns = Columns.of(X) if isinstance(X, pd.DataFrame) else Columns(())
    if not isinstance(X, pd.DataFrame) or not columns.levels:
        table = _numbers(X) if isinstance(X, pd.DataFrame) else X
        with _infinity_named(table, columns):
            checked = validate_data(model, table, y, **rules)
        model.columns_ = Columns(tuple(map(str, getattr(model, "feature_names_in_", range(model.n_features_in_)))))
        return checked
    validate_data(model, X, y, skip_check_array=True)
    model.columns_ = columns
    values = columns.encode(X, warn=False)
    with _infinity_named(X, columns):
        return check_array(values, **rules) if isinstance(y, str) else check_X_y(values, y, **rules)


def read_columns(model: Any, X: pd.DataFrame | ArrayLike, *, warn: bool = True) -> Floats:
    """Check a table against that of the fit, and write it as the trees read it.

    Raises
    ------
    ValueError
        If the columns are not those of the fit, in their order and of their kind, or one of a DataFrame holds infinity.

    Warns
    -----
    UserWarning
        If a category has a level that was not known at the fit.

    Examples
    --------
    Trees would take columns by their place, and the fee for the age:

    >>> from loyalty.models.value import ValueModel
    >>> X = pd.DataFrame({"fee": [5.0, 9.0] * 5, "age": [40.0, 30.0] * 5})
    >>> model = ValueModel(n_estimators=1).fit(X, X["fee"])
    >>> model.predict(X[["age", "fee"]])
    Traceback (most recent call last):
        ...
    ValueError: column 1 of `X` must be 'fee', as at the fit; got 'age'. Take X[list(model.feature_names_in_)].
    ...
    """
    columns: Columns = model.columns_
    values: Floats
    if isinstance(X, pd.DataFrame):
        _check_places(model, X)
        columns.check_kinds(X)
        table = columns.encode(X, warn=warn) if columns.levels else _numbers(X)
        with _infinity_named(X, columns):
            values = check_array(table, **_NUMBERS, estimator=model, input_name="X")
        return values
    if columns.levels:
        raise ValueError(f"`X` must be a DataFrame, since the model knows categories; got {type(X).__name__}.")
    values = validate_data(model, X, **_NUMBERS, reset=False)
    return values


def as_they_stand(
    model: Any, X: pd.DataFrame, values: NDArray[np.float64], latest: pd.DataFrame | None
) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """Choose the clients as they stand now, as a table and as `read_columns` writes it.

    They are those of `latest`, if it is given; else of the latest cutoff of `X`, whose rows are read as `values`; all
    where there are no cutoffs.
    """
    if latest is not None:
        return latest, read_columns(model, latest)
    cutoffs = cutoffs_of(X)
    if cutoffs is None:
        return X, values
    last = np.asarray(cutoffs == cutoffs.max())
    return X[last], values[last]


def written_columns(model: Any, *, key: str = "levels") -> dict[str, Any]:
    """Write the columns of a fitted model for JSON: its features and, if any hold categories, their levels by `key`.

    Raises
    ------
    ValueError
        If it was fitted on an array.
    """
    levels = {name: list(kept) for name, kept in model.columns_.levels.items()}
    return {"features": feature_names(model)} | ({key: levels} if levels else {})


def restore_columns(model: Any, kept: Mapping[str, Any], *, key: str = "levels") -> None:
    """Give a model the columns that `written_columns` wrote."""
    model.feature_names_in_ = np.array(kept["features"], dtype=object)
    model.n_features_in_ = len(kept["features"])
    levels = {name: tuple(those) for name, those in kept.get(key, {}).items()}
    model.columns_ = Columns(tuple(kept["features"]), levels)


def as_floats(column: pd.Series) -> Floats:
    """Write a column of numbers as floats, NaN where one is missing."""
    if column.dtype.kind in "biufO":
        with suppress(TypeError, ValueError):
            return column.to_numpy(dtype=float, na_value=np.nan)
    raise ValueError(
        f"column {column.name!r} holds neither numbers nor categories; got {column.dtype}. "
        "Convert it to numbers or text."
    )


def _numbers(X: pd.DataFrame) -> pd.DataFrame:
    """Write the columns that scikit-learn might not read as floats; the others stay as they are."""
    others = [i for i, dtype in enumerate(X.dtypes) if dtype.kind not in "biuf"]
    table = X.copy(deep=False) if others else X
    for i in others:
        table.isetitem(i, as_floats(X.iloc[:, i]))
    return table


@contextmanager
def _infinity_named(X: Any, columns: Columns) -> Iterator[None]:
    """Where scikit-learn refuses a DataFrame for infinity, name its first column and row that hold it."""
    try:
        yield
    except ValueError:
        for i, name in enumerate(columns.names):
            if name in columns.levels:
                continue
            infinite = np.isinf(as_floats(X.iloc[:, i]))
            if infinite.any():
                row = X.index[infinite].tolist()[0]
                raise ValueError(
                    f"column {name!r} holds infinity, first in row {row!r}. Write NaN where a number is unknown."
                ) from None
        raise


def _check_names(columns: pd.Index) -> None:
    """Refuse a table without columns, or with one that stands twice."""
    if columns.empty:
        raise ValueError("`X` has no columns. Give it at least one.")
    if columns.has_duplicates:
        raise ValueError(_twice(columns[columns.duplicated()][0]))


def _twice(name: object) -> str:
    return f"column {name!r} stands twice in `X`. Keep one of them."


def _check_order(rows: pd.Index, target: pd.Index) -> None:
    """Refuse a target whose rows are those of the table in another order; any other goes by position."""
    if rows.nlevels != target.nlevels or len(rows) != len(target) or rows.equals(target):
        return
    if target.isin(rows).all() and rows.isin(target).all():
        raise ValueError("`y` must have the rows of `X` in their order. Take y.loc[X.index].")


def _check_places(model: Any, X: pd.DataFrame) -> None:
    """Refuse other columns than those of the fit, or another order, and name the first that is wrong."""
    try:
        validate_data(model, X, reset=False, skip_check_array=True)
    except ValueError as refused:
        wanted, given = list(getattr(model, "feature_names_in_", ())), list(X.columns)
        if not wanted or wanted == given or not all(isinstance(name, str) for name in given):
            raise
        # scikit-learn's own words stay below ours: its checks of estimators ask for them.
        raise ValueError(f"{_first_wrong(wanted, given)}\n{refused}") from None


def _first_wrong(wanted: list[str], given: list[str]) -> str:
    """Say which column is the first that is missing, stands twice or is out of place, and what to do."""
    missing = [name for name in wanted if given.count(name) < wanted.count(name)]
    if missing:
        return f"column {missing[0]!r} is missing from `X`. Build the table as that of the fit was built."
    twice = [name for name in wanted if given.count(name) > wanted.count(name)]
    if twice:
        return _twice(twice[0])
    at = next(i for i, name in enumerate([*wanted, None]) if i == len(wanted) or given[i] != name)
    rule = f"must be {wanted[at]!r}, as at the fit" if at < len(wanted) else "was not there at the fit"
    return f"column {at + 1} of `X` {rule}; got {given[at]!r}. Take X[list(model.feature_names_in_)]."


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
    codes, unique = coded_levels(column)
    if len(unique) > _MOST_LEVELS:
        raise ValueError(
            f"column {column.name!r} has {len(unique):,} levels; a category may have {_MOST_LEVELS} at the most. "
            "Leave out what names single clients, such as an id, and group the rest."
        )
    pairs = pd.DataFrame({"level": codes, "client": clients})
    count = pairs[pairs["level"] >= 0].drop_duplicates().groupby("level").size()
    kept = sorted(unique[level] for level in count.index[count >= _RARE])
    if len(unique) == 0:
        raise ValueError(f"column {column.name!r} holds nothing but missing values. Leave it out.")
    if not kept:
        raise ValueError(
            f"no level of column {column.name!r} has {_RARE} clients or more, so that it would tell of single clients. "
            "Leave it out, or group its levels."
        )
    return tuple(kept)


def coded_levels(column: pd.Series) -> tuple[NDArray[np.int_], list[str]]:
    """Give the level of each row by its number, -1 where it is missing, and the levels in the order they come."""
    place: dict[str, int] = {}
    if column.dtype == object:
        # `factorize` would end a Python text at its first NUL, and take a level for another.
        present = zip(column, column.isna(), strict=True)
        codes = np.array([-1 if missing else place.setdefault(level, len(place)) for level, missing in present], int)
        return codes, list(place)
    codes, unique = pd.factorize(column)
    again = [place.setdefault(level_text(level), len(place)) for level in unique]
    return np.array([*again, -1])[codes], list(place)


def level_text(level: object) -> str:
    """Write a level as text; pandas turns whole numbers into floats where one is missing."""
    return str(int(level) if isinstance(level, float | np.floating) and level.is_integer() else level)


def _dummies(column: pd.Series, levels: Sequence[str]) -> tuple[Floats, list[str]]:
    """Write a category as a column for each level, and name the levels that are not among them."""
    codes, unique = coded_levels(column)
    place = {level: i for i, level in enumerate(levels)}
    at = np.array([*(place.get(level, len(levels)) for level in unique), -1])[codes]
    dummies = (at[:, None] == np.arange(len(levels))).astype(float)
    dummies[at < 0] = np.nan
    return dummies, [level for level in unique if level not in place]


def _listed(levels: Sequence[str]) -> str:
    more = f" and {len(levels) - _NAMED} more" if len(levels) > _NAMED else ""
    return ", ".join(map(repr, levels[:_NAMED])) + more
