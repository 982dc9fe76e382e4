"""The clients as a whole, as tidy frames: by segment, who moved, whom to call first, and how loyal they are."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from loyalty.loyalty_scores import LOYALTY_PARTS
from loyalty.report.run_folder import Move
from loyalty.report.small_cells import hidden_rows, merged_groups, tellable
from loyalty.segments import VALUE_RISK_SEGMENTS

CALLS = (50, 100, 0.05, 0.1)
"""How many clients are called first: numbers, and shares of all."""
HUNDRED = 100

_CELLS = {name: cell for cell, words in VALUE_RISK_SEGMENTS.items() for name in words.name.values()}


def cell_of(segment: str) -> tuple[int, int]:
    """Value tier and level of risk of a segment, by its name in any language.

    Parameters
    ----------
    segment : str
        As in `loyalty.segments.VALUE_RISK_SEGMENTS`.

    Returns
    -------
    tuple of int
        Tier and level, 0 (low) to 2 (high).

    Raises
    ------
    ValueError
        If there is no such segment.

    Examples
    --------
    >>> cell_of("top clients, low risk"), cell_of("소액 고객(고위험)")
    ((2, 0), (0, 2))
    """
    try:
        return _CELLS[segment]
    except KeyError:
        raise ValueError(f"scores.parquet: {segment!r} is no segment known here. Run `loyalty run` again.") from None


def segment_frame(scores: pd.DataFrame) -> pd.DataFrame:
    """Clients and value at risk of each segment of value and risk.

    Parameters
    ----------
    scores : DataFrame
        `segment`, `churn_probability`, `value_at_risk` per client.

    Returns
    -------
    DataFrame
        Nine rows, the most valuable first and the safest of a tier first: `tier`, `level` (0 to 2), `clients`,
        `churn_probability` (mean; NaN in an empty segment), `value_at_risk` (sum) and `share` of all value at risk.
    """
    told = scores.assign(value_at_risk=scores["value_at_risk"].fillna(0.0)).groupby(scores["segment"].map(cell_of))
    order = pd.MultiIndex.from_tuples(list(VALUE_RISK_SEGMENTS), names=["tier", "level"])
    frame = pd.DataFrame(
        {
            "clients": told.size(),
            "churn_probability": told["churn_probability"].mean(),
            "value_at_risk": told["value_at_risk"].sum(),
        }
    )
    frame.index = pd.MultiIndex.from_tuples(list(frame.index), names=order.names) if len(frame) else order[:0]
    frame = frame.reindex(order).fillna({"clients": 0, "value_at_risk": 0.0}).astype({"clients": "int64"})
    total = float(frame["value_at_risk"].sum())
    return frame.assign(share=frame["value_at_risk"] / total if total > 0 else 0.0).reset_index()


def movement_frame(moves: Sequence[Move], *, segments: Sequence[str]) -> pd.DataFrame:
    """Who came into each segment and who went out of it.

    Parameters
    ----------
    moves : sequence of Move
        Clients by where they were and where they are.
    segments : sequence of str
        Names of the segments, in order.

    Returns
    -------
    DataFrame
        Indexed by `segment`: `before`, `now`, `came`, `left` (clients) and `value` (of those there now).

    Examples
    --------
    Nine stayed small, one of them rose, and one is new:

    >>> moves = [Move(**{"from": a, "to": b, "clients": n}) for a, b, n in
    ...          [("small", "small", 9), ("small", "top", 1), ("new", "top", 1)]]
    >>> movement_frame(moves, segments=["top", "small"])[["before", "now", "came", "left"]]
             before  now  came  left
    segment
    top           0    2     2     0
    small        10    9     0     1
    """
    rows = []
    for name in segments:
        there, here = [one for one in moves if one.start == name], [one for one in moves if one.to == name]
        stayed = sum(one.clients for one in there if one.to == name)
        before, now = sum(one.clients for one in there), sum(one.clients for one in here)
        value = sum(one.value_after for one in here)
        rows.append((name, before, now, now - stayed, before - stayed, value))
    return pd.DataFrame(rows, columns=["segment", "before", "now", "came", "left", "value"]).set_index("segment")


def loyalty_bands(scores: pd.DataFrame, *, merged_at: int | None = None) -> pd.DataFrame:
    """Clients by loyalty score, in tens.

    Parameters
    ----------
    scores : DataFrame
        `loyalty_score` per client, 0 to 100; NaN is left out.
    merged_at : int, optional
        Merge tens of fewer than ten clients with their neighbours, but not across this score, if that can be.

    Returns
    -------
    DataFrame
        Ten rows, the highest first: `low`, `high`, `clients`, `share`. A score at a border counts above it; 100 is in
        the highest.

    Examples
    --------
    >>> loyalty_bands(pd.DataFrame({"loyalty_score": [89.9, 90.0, 100.0]})).head(2)
       low  high  clients     share
    0   90   100        2  0.666667
    1   80    90        1  0.333333
    """
    known = scores["loyalty_score"].dropna()
    counts = np.bincount(np.minimum(known.to_numpy() // 10, 9).astype(int), minlength=10)[::-1]
    low = np.arange(90, -1, -10)
    groups = [slice(place, place + 1) for place in range(len(counts))]
    if merged_at is not None:
        groups = _groups_of_tens(counts, above=int((low >= merged_at).sum()))
    clients = [int(counts[group].sum()) for group in groups]
    ends = {"low": [low[group][-1] for group in groups], "high": [low[group][0] + 10 for group in groups]}
    return pd.DataFrame({**ends, "clients": clients, "share": np.array(clients) / max(len(known), 1)})


def _groups_of_tens(counts: np.ndarray, *, above: int) -> list[slice]:
    """Merge tens on each side of a border, or all of them where a side has too few clients."""
    if not all(tellable(side.sum()) for side in (counts[:above], counts[above:])):
        return merged_groups(counts)
    below = [slice(group.start + above, group.stop + above) for group in merged_groups(counts[above:])]
    return merged_groups(counts[:above]) + below


def hidden_segments(scores: pd.DataFrame) -> pd.Series:
    """Choose the segments of value and risk that a page without clients does not tell of.

    Parameters
    ----------
    scores : DataFrame
        As for `segment_frame`.

    Returns
    -------
    Series of bool
        By `tier` and `level`, in the order of `segment_frame`.
    """
    return hidden_rows(segment_frame(scores).set_index(["tier", "level"])[["clients"]], totals=["clients"])


def hidden_movement(frame: pd.DataFrame, *, already: pd.Series | None = None) -> pd.Series:
    """Choose the segments whose movement a page without clients does not tell of.

    Parameters
    ----------
    frame : DataFrame
        Result of `movement_frame`.
    already : Series of bool, optional
        Segments whose clients now are hidden elsewhere on the page, indexed as `frame`.

    Returns
    -------
    Series of bool
        Indexed as `frame`. Who stayed follows from who is there and who came, so it counts as well.
    """
    counts = frame[["before", "now", "came", "left"]].assign(stayed=frame["now"] - frame["came"])
    return hidden_rows(counts, totals=["before", "now"], already=already)


def loyalty_means(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean of each part of the loyalty score, and of how many clients it is known.

    Parameters
    ----------
    scores : DataFrame
        Columns such as `loyalty_staying`; one that is not there is known of nobody.

    Returns
    -------
    DataFrame
        Indexed by `part`: `mean` (NaN where it is known of nobody) and `known`, a share.
    """
    parts = list(LOYALTY_PARTS)
    told = [scores.get(f"loyalty_{part}", pd.Series(np.nan, index=scores.index)) for part in parts]
    rows = [(float(one.mean()), float(one.notna().mean()) if len(one) else 0.0) for one in told]
    return pd.DataFrame(rows, columns=["mean", "known"], index=pd.Index(parts, name="part"))


def first_calls(scores: pd.DataFrame, *, hidden: bool = False) -> pd.DataFrame:
    """Add up the clients with the most money at risk, for so many as can be called.

    Parameters
    ----------
    scores : DataFrame
        `churn_probability` and `value_at_risk` per client.
    hidden : bool, default=False
        Leave out what would tell of fewer than ten clients, be it as a difference of two rows.

    Returns
    -------
    DataFrame
        A row for each of `CALLS` that is not all clients, fewest first (a share is left out where it is nearly one of
        the numbers): `clients`; `of`, the share of all that was
        asked for, NaN where a number was; `value_at_risk` in total, and its `share` of all; `leavers` expected, the
        sum of the probabilities. Empty where there is no money at risk.

    Examples
    --------
    Forty clients, each with more at risk than the one before; neither 50 nor 100 can be called:

    >>> scores = pd.DataFrame({"churn_probability": 0.5, "value_at_risk": np.arange(1.0, 41.0)})
    >>> first_calls(scores)
       clients    of  value_at_risk     share  leavers
    0        2  0.05           79.0  0.096341      1.0
    1        4  0.10          154.0  0.187805      2.0
    """
    money = scores["value_at_risk"].fillna(0.0).to_numpy(dtype="float64")
    order = np.lexsort((-scores["churn_probability"].to_numpy(), -money))
    total, size = float(money.sum()), len(scores)
    sums = np.cumsum(money[order]), np.cumsum(scores["churn_probability"].to_numpy(dtype="float64")[order])
    rows: list[tuple[int, float, float, float, float]] = []
    for count, share in _calls(size) if total > 0 else []:
        before = rows[-1][0] if rows else 0
        if hidden and not (tellable(count - before) and tellable(count, of=size)):
            continue
        at_risk = float(sums[0][count - 1])
        rows.append((count, share, at_risk, at_risk / total, float(sums[1][count - 1])))
    return pd.DataFrame(rows, columns=["clients", "of", "value_at_risk", "share", "leavers"])


def first_to_call(calls: pd.DataFrame) -> pd.Series:
    """Choose the row of `first_calls` that headlines are made of: the most clients up to a hundred.

    Parameters
    ----------
    calls : DataFrame
        Result of `first_calls`, not empty.

    Returns
    -------
    Series
        The row.
    """
    few = calls[calls["clients"] <= HUNDRED]
    return few.iloc[-1] if len(few) else calls.iloc[0]


def _calls(size: int) -> list[tuple[int, float]]:
    """Count the clients of each of `CALLS`, fewest first, with the share of all that was asked for."""
    numbers = [int(call) for call in CALLS if call >= 1 and call < size]
    shares = {int(np.ceil(round(size * call, 6))): call for call in CALLS if call < 1}
    kept = [
        (count, share)
        for count, share in shares.items()
        if 0 < count < size and all(abs(count - number) > number / 5 for number in numbers)
    ]
    return sorted([(number, np.nan) for number in numbers] + kept)
