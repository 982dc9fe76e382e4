"""Rows held out from the trees that predict them: by time where time allows, else by client."""

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils.validation import column_or_1d

from loyalty.models.calibration import lasting_share
from loyalty.models.categories import Columns
from loyalty.models.trees import cutoffs_of, embargo_of, held_out_in_time
from loyalty.models.value import FORECAST
from loyalty.timeline import Duration

Floats = NDArray[np.float64]
Rows = NDArray[np.int_]

#: Cutoffs that are learned from at the most, where cutoffs are held out.
_MOST_CUTOFFS = 6
#: Parts the clients are dealt into where no cutoff can be held out.
_FOLDS = 3
#: Cutoffs at the most at which totals are looked at, and how many each must have to learn from at the least.
_MOST_TOTALS, _FEWEST_SEEN = 8, 3


@dataclass(frozen=True)
class HeldOut:
    """Rows to learn from and rows to hold out, and what these can tell.

    Attributes
    ----------
    pairs : list of (array, array)
        Row numbers to learn from and to hold out.
    through : {"cutoffs", "clients", "rows"}
        What lies between the two.
    cutoffs : DatetimeIndex or None
        The cutoff of each row.
    stretch : float
        The root of the embargo over the time between the rows learned from and those held out, at least 1.
    """

    pairs: list[tuple[Rows, Rows]]
    through: Literal["cutoffs", "clients", "rows"]
    cutoffs: pd.DatetimeIndex | None
    stretch: float = 1.0

    def trusted(self, level: float, misses: float) -> float:
        """Move a rate of misses as far from the nominal one as the held-out rows can tell.

        Examples
        --------
        Three cutoffs at which 0.2 would have done, or 0.05 been needed, say so of the next with 3/7 of their weight:

        >>> pairs = [(np.zeros(1, int), np.zeros(1, int))] * 3
        >>> cutoffs = HeldOut(pairs=pairs, through="cutoffs", cutoffs=None)
        >>> [round(cutoffs.trusted(level, 0.1), 3) for level in (0.05, 0.1, 0.2)]
        [0.074, 0.1, 0.135]
        """
        if self.through == "cutoffs":
            told = lasting_share(len(self.pairs))
        elif self.through == "rows":
            told = 1.0
        else:
            told = self.stretch if level <= misses else lasting_share(1)
        return float(misses * (level / misses) ** told)


def hold_out(X: ArrayLike, *, embargo: Duration | None, random_state: int = 0) -> HeldOut:
    """Choose rows to hold out: cutoffs, where they lie far enough apart, else clients, else rows.

    Parameters
    ----------
    X : DataFrame or array
        A panel, or any table of features.
    embargo : str or timedelta, optional
        Time until an outcome is decided; by default what `build_panel` noted in ``X.attrs``.
    random_state : int, default=0
        Seed of the folds.

    Warns
    -----
    UserWarning
        If there are several cutoffs and nothing says how long an outcome takes to be decided.

    Notes
    -----
    Where cutoffs are held out, at most six cutoffs before each are learned from, evenly apart: they repeat the same
    clients, and the fits would else cost more than those of the models themselves. With two instead of all, four to
    eight, the coverage of `SpendIntervals` moved by .005 at the most and the errors of `PortfolioErrors` by a tenth
    (online_retail_2 2010-11-01 and 12-01, complete_journey 2017-07-01 and 08-01).

    Examples
    --------
    Two cutoffs a month apart whose outcomes take a quarter: clients are held out, at the later one.

    >>> days = pd.to_datetime(["2024-01-01", "2024-02-01"])
    >>> index = pd.MultiIndex.from_product([["ann", "bob", "eve"], days], names=["client_id", "cutoff"])
    >>> held_out = hold_out(pd.DataFrame({"orders": range(6)}, index=index), embargo="90d")
    >>> held_out.through, sorted(int(row) for _, rows in held_out.pairs for row in rows)
    ('clients', [1, 3, 5])
    """
    cutoffs = cutoffs_of(X)
    if cutoffs is None:
        rows = np.shape(X)[0]
        return HeldOut(_folds(np.arange(rows), random_state, *2 * [np.ones(rows, dtype=bool)]), "rows", None)
    reach = _reach(X, cutoffs, embargo)
    pairs = [(seen[_thinned(cutoffs[seen])], held) for seen, held in held_out_in_time(cutoffs, embargo=reach)]
    if pairs:
        return HeldOut(pairs, "cutoffs", cutoffs)
    days = cutoffs.unique().sort_values()
    early = days[: max(1, (len(days) - 1) // 2)]
    between = days[-1] - early[-1]
    client = _clients(X)
    pairs = _folds(client, random_state, np.asarray(cutoffs.isin(early)), np.asarray(cutoffs == days[-1]))
    stretch = max(1.0, float(np.sqrt(reach / between))) if between else 1.0
    return HeldOut(pairs, "clients", cutoffs, stretch)


def further_back(held_out: HeldOut, reach: pd.Timedelta) -> list[tuple[Rows, Rows]]:
    """Pair cutoffs before those that are held out with the rows whose outcomes were decided by then.

    The latest cutoffs share most of their outcome, and tell little more of what is off for all at once than one of
    them would. So others are held out before them, each gap and horizon before the next; eight in all at the most, and
    none with fewer than three cutoffs to learn from.

    Examples
    --------
    A year of months, of which the last three are held out, with outcomes of a month:

    >>> days = pd.date_range("2024-01-01", periods=12, freq="30D")
    >>> panel = pd.DataFrame(index=pd.MultiIndex.from_product([["ann"], days], names=["client_id", "cutoff"]))
    >>> held_out = hold_out(panel, embargo="60d")
    >>> [int(rows[0]) for _, rows in held_out.pairs]
    [9, 10, 11]
    >>> [(seen.tolist(), rows.tolist()) for seen, rows in further_back(held_out, pd.Timedelta(days=60))]
    [([0, 1, 2, 3], [5]), ([0, 1, 2, 3, 4, 5], [7])]
    """
    if held_out.through != "cutoffs" or held_out.cutoffs is None:
        return []
    cutoffs, pairs = held_out.cutoffs, []
    following = cutoffs[held_out.pairs[0][1][0]]
    for cutoff in cutoffs.unique().sort_values()[::-1]:
        seen = np.flatnonzero((cutoffs <= cutoff - reach) & (cutoffs < cutoff))
        if cutoff > following - reach or cutoffs[seen].nunique() < _FEWEST_SEEN:
            continue
        pairs.append((seen[_thinned(cutoffs[seen])], np.flatnonzero(cutoffs == cutoff)))
        following = cutoff
    return pairs[: max(0, _MOST_TOTALS - len(held_out.pairs))][::-1]


def _thinned(cutoffs: pd.DatetimeIndex) -> NDArray[np.bool_]:
    """Keep the rows of a few cutoffs, the latest and others evenly before it."""
    days = cutoffs.unique().sort_values()[::-1]
    return np.asarray(cutoffs.isin(days[:: -(-len(days) // _MOST_CUTOFFS)]))


def _clients(X: Any) -> Rows:
    """Give each client of a panel a number; a row without a client is its own."""
    if "client_id" not in X.index.names:
        return np.arange(len(X))
    return pd.factorize(X.index.get_level_values("client_id"), sort=True)[0]


def _folds(
    client: Rows, random_state: int, learn: NDArray[np.bool_], hold: NDArray[np.bool_]
) -> list[tuple[Rows, Rows]]:
    """Deal the clients into folds; each is held out from trees grown on the others."""
    dealt = np.random.default_rng(random_state).permutation(int(client.max(initial=-1)) + 1) % _FOLDS
    fold = dealt[client]
    pairs = [(np.flatnonzero((fold != k) & learn), np.flatnonzero((fold == k) & hold)) for k in range(_FOLDS)]
    return [(seen, held) for seen, held in pairs if len(seen) > 1 and len(held)]


def _reach(X: Any, cutoffs: pd.DatetimeIndex, embargo: Duration | None) -> pd.Timedelta:
    """Read the embargo given, or the one a panel carries."""
    reach = embargo_of(X, embargo)
    if reach is None and len(cutoffs.unique()) > 1:
        warnings.warn(
            "`embargo` is not known, since `X` has several cutoffs and does not come from `build_panel`: outcomes are "
            "taken to be decided by the next cutoff. Give gap and horizon together, as '90d'.",
            UserWarning,
            stacklevel=4,
        )
    return pd.Timedelta(0) if reach is None else reach


def held_out_forecast(model: Any, X: pd.DataFrame, y: ArrayLike, *, embargo: Duration | None = None) -> pd.DataFrame:
    """Predict rows by copies of a model that have not seen them.

    Parameters
    ----------
    model : ValueModel
        It is not changed.
    X : DataFrame of shape (n_rows, n_features)
        A panel, or a plain frame of one row per client.
    y : array-like of shape (n_rows,)
        Net spend within the horizon.
    embargo : str or timedelta, optional
        Time until an outcome is decided; by default what `build_panel` noted in ``X.attrs``.

    Returns
    -------
    DataFrame of shape (n_rows, 2)
        `purchase_probability` and `expected_value` of the rows that `hold_out` chooses; NaN for all others.

    Examples
    --------
    The first cutoff is only learned from:

    >>> from loyalty.models.value import ValueModel
    >>> days = pd.to_datetime(["2024-01-01", "2024-04-01"])
    >>> index = pd.MultiIndex.from_product([["ann", "bob", "eve"], days], names=["client_id", "cutoff"])
    >>> panel = pd.DataFrame({"orders": range(6)}, index=index)
    >>> held_out_forecast(ValueModel(n_estimators=1), panel, [3.0] * 6, embargo="90d").expected_value.round(6).tolist()
    [nan, 3.0, nan, 3.0, nan, 3.0]
    """
    target = one_for_each(y, len(X), "y")
    X = Columns.of(X).spell_out(X)  # or a copy might not know a level that few clients have
    told = pd.DataFrame(np.nan, index=X.index, columns=list(FORECAST))
    for seen, held in hold_out(X, embargo=embargo).pairs:
        now = X.iloc[held]
        told.iloc[held] = clone(model).fit(X.iloc[seen], target[seen], latest=now).forecast(now).to_numpy()
    return told


def one_for_each(given: ArrayLike, rows: int, name: str) -> Floats:
    """Make a float array of one entry a row; NaN may be among them."""
    column = np.asarray(column_or_1d(given), dtype=float)
    if len(column) != rows:
        raise ValueError(f"`{name}` must have one entry a row; got {len(column):,} for {rows:,} rows.")
    return column
