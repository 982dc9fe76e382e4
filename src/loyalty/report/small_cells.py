"""What a page that names no client may count: no group so small, told or reckoned back, that it is nearly one client.

A cell is one number of clients in a table, with the amounts that belong to it. Cells of 1 to 9 clients are hidden. So
that no hidden cell follows from a total less the cells that are told, the hidden cells of a table are at least two, and
come to at least ten clients together; where they do not, the smallest cells still told are hidden with them.
Groups that have an order, such as tens of a score, are merged with their neighbours instead. A sum is told only where
every cell in it is.

This guards what one page says. It does not guard against setting two pages, made at different cutoffs, side by side,
nor does it hide that most of a group's amount may be one client's.
"""

import numpy as np
import pandas as pd

SMALLEST = 10
"""Fewest clients of a group that a page without clients tells of; none at all may be told."""


def tellable(count: float, *, of: float | None = None) -> bool:
    """Whether a number of clients is told, and with it how many of all are the others.

    Parameters
    ----------
    count : float
        Clients in the group.
    of : float, optional
        All clients, where that number is known too.

    Returns
    -------
    bool
        Whether the group, and the rest, is empty or has at least ten.

    Examples
    --------
    >>> tellable(9), tellable(10), tellable(0), tellable(195, of=200)
    (False, True, True, False)
    """
    groups = [count] if of is None else [count, of - count]
    return all(group == 0 or group >= SMALLEST for group in groups)


def hidden_rows(counts: pd.DataFrame, *, totals: list[str], already: pd.Series | None = None) -> pd.Series:
    """Choose the rows of a table to hide, so that no small number in them is told or follows from a total.

    Parameters
    ----------
    counts : DataFrame
        A row per group of clients; each column counts clients.
    totals : list of str
        Columns whose sum a reader may know.
    already : Series of bool, optional
        Rows that another table of the page hides.

    Returns
    -------
    Series of bool
        True where a row is hidden; indexed as `counts`.

    Examples
    --------
    Three clients would follow from the total, so the next smallest row goes with them:

    >>> counts = pd.DataFrame({"clients": [3, 40, 15, 0]}, index=["a", "b", "c", "d"])
    >>> hidden_rows(counts, totals=["clients"]).tolist()
    [True, False, True, False]
    """
    hidden = ((counts >= 1) & (counts < SMALLEST)).any(axis=1).to_numpy(copy=True)
    if already is not None:
        hidden = hidden | already.to_numpy()
    columns = [counts[name].to_numpy() for name in totals]
    while (more := _next_to_hide(columns, hidden)) is not None:
        hidden[more] = True
    return pd.Series(hidden, index=counts.index)


def _next_to_hide(columns: list[np.ndarray], hidden: np.ndarray) -> int | None:
    """Find the smallest row still told of a column whose hidden numbers do not cover each other."""
    for column in columns:
        covered = column[hidden & (column > 0)]
        told = np.flatnonzero(~hidden & (column > 0))
        if (covered < SMALLEST).any() and (len(covered) < 2 or covered.sum() < SMALLEST) and len(told):
            return int(told[column[told].argmin()])
    return None


def merged_groups(counts: np.ndarray) -> list[slice]:
    """Merge neighbours, in order, until each group is empty or has at least ten clients.

    Parameters
    ----------
    counts : ndarray of shape (n_groups,)
        Clients in each.

    Returns
    -------
    list of slice
        The groups to be told as one; a few clients left at the end go to those before them. One slice over all if even
        that is too few.

    Examples
    --------
    >>> merged_groups(np.array([0, 4, 7, 30, 2]))
    [slice(0, 1, None), slice(1, 3, None), slice(3, 5, None)]
    """
    merged: list[slice] = []
    start = 0
    for stop in range(1, len(counts) + 1):
        if tellable(counts[start:stop].sum()):
            merged.append(slice(start, stop))
            start = stop
    if start < len(counts):  # too few are left
        while merged and not tellable(counts[start:].sum()):
            start = merged.pop().start
        merged.append(slice(start, len(counts)))
    return merged
