"""The log-odds of clients divided among drivers, and means over clients with their intervals."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t

from loyalty.explanation.families import families
from loyalty.explanation.values import as_numbers
from loyalty.features import CATALOGUE
from loyalty.models.churn import ChurnModel
from loyalty.models.trees import feature_names

__all__ = ["OTHER", "SHARED", "Parts", "mean_interval", "sample_clients"]

Floats = NDArray[np.float64]
Rows = NDArray[np.int_]

#: Theme of columns that are not in the catalogue.
OTHER = "other"
#: Theme of what all clients of a cutoff share, whatever the module it stands in: it is of no client in particular.
SHARED = "season"
_LEVEL = 0.95


@dataclass(frozen=True)
class Parts:
    """The calibrated log-odds of some rows, divided among drivers.

    Attributes
    ----------
    drivers : DataFrame
        One row a driver: `driver`, the family of its features, which stays the same from cutoff to cutoff; `theme`, of
        the catalogue, but ``season`` where all clients of a cutoff share the value and ``other`` for columns that are
        not in the catalogue; `actionable`, whether a company can change one of the features that speak for it.
    values : ndarray of shape (n_rows, n_drivers)
        SHAP values of the features of each driver, added up, in log-odds.
    base : float
        Log-odds where no driver says anything; `base` plus a row of `values` is that row's log-odds, exactly. Where a
        row lacks the model's second opinion, the difference that makes to its base value is in the part of that column.
    shares : ndarray of shape (n_rows, n_features)
        The same by feature.
    numbers : ndarray of shape (n_rows, n_features)
        The features' values, NaN for categories.
    X : DataFrame
        The rows, in the columns of the model.
    members : tuple of pairs of ndarray
        Of each driver the columns, and those of them that can speak for it.
    levels : mapping of str to tuple of str
        Of the columns of categories, the levels the model knows.
    """

    drivers: pd.DataFrame
    values: Floats
    base: float
    shares: Floats
    numbers: Floats
    X: pd.DataFrame
    members: tuple[tuple[Rows, Rows], ...]
    levels: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, model: ChurnModel, X: pd.DataFrame) -> Self:
        """Divide the log-odds of the rows of `X`, which has the columns of the fit.

        Raises
        ------
        ValueError
            If `X` has no rows.
        """
        names = feature_names(model)
        if not len(X):
            raise ValueError("`X` has no rows; there is nobody to explain. Choose another cutoff or segment.")
        X = X[names]
        shares = model.contributions(X)
        shares, base = shares[:, :-1], shares[:, -1]
        usual = base
        if model.anchor is not None:
            column = names.index(model.anchor)
            known = X[model.anchor].notna().to_numpy()
            usual = base[known] if known.any() else base
            shares[:, column] += np.where(known, 0.0, base - np.median(usual))
        grouped = tuple(families(names))
        values = np.column_stack([shares[:, members].sum(axis=1) for members, _ in grouped])
        drivers = pd.DataFrame([_named([names[i] for i in able]) for _, able in grouped])
        numbers, levels = as_numbers(model, X), model.columns_.levels
        return cls(drivers, values, float(np.median(usual)), shares, numbers, X, grouped, levels)

    @property
    def log_odds(self) -> Floats:
        """Of each row."""
        return self.base + self.values.sum(axis=1)

    @property
    def clients(self) -> Rows:
        """Number each row's client; without `client_id` in the index each row is one."""
        if "client_id" not in self.X.index.names:
            return np.arange(len(self.X))
        return pd.factorize(self.X.index.get_level_values("client_id"))[0]

    @property
    def how_many(self) -> int:
        """How many clients there are."""
        return len(np.unique(self.clients))

    def take(self, rows: Rows) -> Self:
        """Keep some of the rows."""
        return replace(
            self,
            values=self.values[rows],
            shares=self.shares[rows],
            numbers=self.numbers[rows],
            X=self.X.iloc[rows],
        )

    def silenced(self) -> Self:
        """Keep the rows, and nothing of what is known of them."""
        return replace(self, values=self.values * np.nan, shares=self.shares * np.nan, numbers=self.numbers * np.nan)


def _named(able: list[str]) -> dict[str, object]:
    """Name a driver by the features that can speak for it."""
    known = [CATALOGUE[name] for name in able if name in CATALOGUE]
    if not known:
        return {"driver": able[0], "theme": OTHER, "actionable": False}
    theme = SHARED if all(feature.shared for feature in known) else known[0].theme
    return {"driver": known[0].family, "theme": theme, "actionable": any(feature.actionable for feature in known)}


def mean_interval(values: Floats, clients: Rows) -> tuple[Floats, Floats, Floats]:
    """Average each column over the rows, with an interval for other clients of the same kind.

    Rows of one client are not independent, so that what is counted is clients: the interval is that of Student's t,
    with the residuals of each client added up first. It is as wide when every row stands twice. The model is taken as
    it is; what another one would have said is not in it.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
        What is averaged.
    clients : ndarray of shape (n_rows,)
        The number of each row's client, from 0.

    Returns
    -------
    mean, lower, upper : ndarray of shape (n_columns,)
        Between the bounds the mean lies in 95 of 100 such samples, about; NaN if there is one client alone.

    Examples
    --------
    >>> mean, lower, upper = mean_interval(np.array([[1.0], [2.0], [3.0]]), np.arange(3))
    >>> mean.round(2), lower.round(2), upper.round(2)
    (array([2.]), array([-0.48]), array([4.48]))
    """
    mean = values.mean(axis=0)
    how_many = int(clients.max()) + 1
    if how_many < 2:
        return mean, np.full(mean.shape, np.nan), np.full(mean.shape, np.nan)
    residuals = values - mean
    if how_many < len(values):
        residuals = pd.DataFrame(residuals).groupby(clients).sum().to_numpy()
    error = np.sqrt(np.square(residuals).sum(axis=0) * how_many / (how_many - 1)) / len(values)
    width = float(t.ppf(0.5 + _LEVEL / 2, how_many - 1)) * error
    return mean, mean - width, mean + width


def sample_clients(X: pd.DataFrame, most: int) -> pd.DataFrame:
    """Keep at most so many clients: those whose id has the smallest hash.

    The choice depends on the ids alone, not on the order of rows, on a seed or on the other columns, so that the same
    clients speak at every cutoff they stand at.

    Parameters
    ----------
    X : DataFrame
        Indexed by `client_id` and perhaps more.
    most : int
        How many clients.

    Returns
    -------
    DataFrame
        The rows of the chosen clients, in the order they stood in.
    """
    ids = pd.Index(X.index.get_level_values("client_id"))
    if ids.nunique() <= most:
        return X
    hashes = pd.util.hash_array(ids.to_numpy())
    return X[hashes <= np.sort(np.unique(hashes))[most - 1]]
