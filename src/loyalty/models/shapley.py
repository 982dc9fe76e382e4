"""Exact SHAP values and interactions of boosted trees: looked up in tables, and held against LightGBM's own."""

from concurrent.futures import ThreadPoolExecutor
from os import cpu_count

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from loyalty.models._leaf_games import Games, read_games
from loyalty.models._shapley_kernels import add_up, interact, rules, tabulate
from loyalty.models.trees import threads

Floats = NDArray[np.float64]

#: With fewer rows than this, LightGBM is done before the tables are.
_ROWS_FOR_TABLES = 500
#: Rows on which each model's values are compared one by one, and how far they may lie apart in log-odds.
_COMPARED = 100
_TOLERANCE = 1e-6
#: Entries of the tables in use at a time (1 MiB), and of the rows that are copied (32 MiB).
_TABLE, _COPIED = 2**17, 2**22
#: What LightGBM reads as zero: 1e-35 in single precision.
_TINY = float(np.float32(1e-35))
#: The most memory that interactions may take.
_GIB = 2**30


def tree_shares(booster: lgb.Booster, values: Floats, *, n_jobs: int | None = None) -> Floats:
    """Divide what the trees say of each row among its features.

    These are path-dependent TreeSHAP values [1]_. What a row is owed by a few neighbouring leaves of a tree depends
    only on its answers to their splits, of which there are few in small trees: all that the leaves can owe is tabulated
    once, and a row costs a comparison for each split and an addition for each feature. Tables for single leaves are the
    idea of Fast TreeSHAP [2]_.

    Nothing is taken on trust: some rows of every table are compared with LightGBM's own values, and each row must add
    up to what the trees say of it. What does not agree is worked out by LightGBM, as is what cannot be tabulated.

    Parameters
    ----------
    booster : lightgbm.Booster
        Trees with one output.
    values : array of shape (n_rows, n_features)
        NaN where a value is missing.
    n_jobs : int, optional
        Threads; by default one up to a million rows, else all cores.

    Returns
    -------
    ndarray of shape (n_rows, n_features + 1)
        The base value in the last column; each row adds up to the raw score.

    References
    ----------
    .. [1] Lundberg, Erion et al. (2020), "From local explanations to global understanding with explainable AI for
       trees", Nature Machine Intelligence 2, 56-67.
    .. [2] Yang (2021), "Fast TreeSHAP: Accelerating SHAP value computation for trees", arXiv:2109.09847.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(3_000, 2))
    >>> booster = lgb.train({"objective": "binary", "verbose": -1}, lgb.Dataset(X, X[:, 0] > 0), 5)
    >>> shares = tree_shares(booster, X)
    >>> bool(np.allclose(shares.sum(axis=1), booster.predict(X, raw_score=True)))
    True
    """
    read = read_games(booster) if len(values) >= _ROWS_FOR_TABLES else None
    if read is None:
        return _by_lightgbm(booster, values, n_jobs)
    shares = _looked_up(*read, values, n_jobs)
    compared = np.linspace(0, len(values) - 1, _COMPARED).astype(np.int64)
    if not _agree(shares[compared], _by_lightgbm(booster, values[compared], n_jobs)):
        return _by_lightgbm(booster, values, n_jobs)
    score = np.asarray(booster.predict(values, raw_score=True, num_threads=threads(n_jobs, len(values))))
    astray = np.flatnonzero(~(np.abs(shares.sum(axis=1) - score) <= _TOLERANCE))
    if len(astray):
        shares[astray] = _by_lightgbm(booster, values[astray], n_jobs)
    return shares


def tree_interactions(booster: lgb.Booster, values: Floats) -> Floats:
    """Divide what the trees say of each row among its features and their pairs.

    Parameters
    ----------
    booster : lightgbm.Booster
        Trees with one output.
    values : array of shape (n_rows, n_features)
        NaN where a value is missing.

    Returns
    -------
    ndarray of shape (n_rows, n_features, n_features)
        SHAP interaction values [1]_: half of what two features do together in either order, and on the diagonal what
        one does alone. Symmetric; each row of a matrix adds up to the feature's SHAP value.

    Raises
    ------
    ValueError
        If they take more than 1 GiB, or the trees have categorical splits, formulas in their leaves or several outputs.
    RuntimeError
        If they do not add up to the SHAP values.

    References
    ----------
    .. [1] Lundberg, Erion et al. (2020), "From local explanations to global understanding with explainable AI for
       trees", Nature Machine Intelligence 2, 56-67.

    Examples
    --------
    The outcome asks whether both are positive, so neither says all by itself:

    >>> X = np.random.default_rng(0).normal(size=(3_000, 2))
    >>> booster = lgb.train({"objective": "binary", "verbose": -1}, lgb.Dataset(X, (X > 0).all(axis=1)), 5)
    >>> alone, together = tree_interactions(booster, np.array([[1.0, 1.0]]))[0, 0]
    >>> bool(alone > together > 0.1)
    True
    """
    rows, columns = values.shape
    size = 8 * columns**2
    if rows * size > _GIB:
        raise ValueError(
            f"the interactions of {rows:,} rows, {columns} columns for the trees, take {rows * size / _GIB:.1f} GiB; "
            f"at most 1 GiB is allowed. Ask for {_GIB // size:,} rows at a time."
        )
    read = read_games(booster)
    if read is None:
        raise ValueError("interactions are known of trees with one output, splits of numbers and plain leaves only.")
    games, _ = read
    pairs = np.zeros((rows, columns, columns))
    interact(games, *rules(_most_players(games)), _columns(values), pairs)
    if not _agree(pairs.sum(axis=2), _by_lightgbm(booster, values, None)[:, :-1]):
        raise RuntimeError("the interactions do not add up to LightGBM's SHAP values. Please report this as a bug.")
    return pairs


def _agree(ours: Floats, theirs: Floats) -> bool:
    return bool((np.abs(ours - theirs) <= _TOLERANCE).all())


def _by_lightgbm(booster: lgb.Booster, values: Floats, n_jobs: int | None) -> Floats:
    return np.asarray(booster.predict(values, pred_contrib=True, num_threads=threads(n_jobs, len(values))))


def _columns(values: Floats) -> Floats:
    """Copy rows column by column, and nearly nothing as nothing, as LightGBM reads it."""
    columns = values.T.copy()
    columns[np.abs(columns) <= _TINY] = 0.0
    return columns


def _most_players(games: Games) -> int:
    return int(np.diff(games.first_player).max(initial=1))


def _looked_up(games: Games, base: float, values: Floats, n_jobs: int | None) -> Floats:
    """Look up the shares of all rows, some rows and some tables at a time."""
    rows, columns = values.shape
    first_entry = np.concatenate([[0], np.cumsum(games.table_sizes())])
    rule = rules(_most_players(games))
    shares = np.empty((rows, columns + 1))
    shares[:, -1] = base
    step = max(1, _COPIED // columns)

    def fill(start: int) -> None:
        some = _columns(values[start : start + step])
        found = np.zeros_like(some)
        begin, bunches = 0, len(first_entry) - 1
        while begin < bunches:
            fitting = int(np.searchsorted(first_entry, first_entry[begin] + _TABLE, side="right")) - 1
            end = min(max(begin + 1, fitting), bunches)
            table = tabulate(games, first_entry, begin, end, *rule)
            add_up(games, first_entry, table, begin, end, *rule, some, found)
            begin = end
        shares[start : start + step, :-1] = found.T

    chosen = threads(n_jobs, rows)
    with ThreadPoolExecutor(chosen if chosen > 0 else cpu_count() or 1) as pool:
        list(pool.map(fill, range(0, rows, step)))
    return shares
