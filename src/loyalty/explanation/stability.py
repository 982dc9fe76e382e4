"""Whether what moves the clients' risk stays the same from cutoff to cutoff."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
from scipy.stats import rankdata

__all__ = ["Stability", "driver_stability", "drivers_over_time"]

Stability = Literal["steady", "shifting", "unsteady"]

#: Drivers of a smaller share at both of two cutoffs are not ranked against each other: their order is noise.
_COUNTS = 0.01
#: What part of the strength must be the same for drivers to be steady, or to shift and no more.
_STEADY, _SHIFTING = 0.8, 0.6


def drivers_over_time(tables: Mapping[pd.Timestamp, pd.DataFrame]) -> pd.DataFrame:
    """Lay the driver tables of several cutoffs, each of that cutoff's own model, under one another.

    Parameters
    ----------
    tables : mapping of cutoff to DataFrame
        From `driver_table`, without `by`.

    Returns
    -------
    DataFrame
        One row for each cutoff and driver, cutoffs in time, the strongest driver first: `cutoff`; `rank`, 1 for the
        strongest; `best_rank` and `worst_rank`, which it could have if drivers whose intervals of `mean_abs_shap`
        overlap changed places; then the columns of `driver_table`.

    Raises
    ------
    ValueError
        If there is no table, or one is by segment.
    """
    if not tables:
        raise ValueError("`tables` is empty; give the driver table of at least one cutoff.")
    ranked = []
    for cutoff in sorted(tables):
        table = tables[cutoff]
        if "segment" in table or not table["driver"].is_unique:
            raise ValueError(f"`tables`: that of {cutoff:%Y-%m-%d} names a driver twice. Make it without `by`.")
        low, high = (table[name].to_numpy() for name in ("lower_shap", "upper_shap"))
        before = (low[None, :] > high[:, None]).sum(axis=1)
        behind = (high[None, :] < low[:, None]).sum(axis=1)
        place = rankdata(-table["mean_abs_shap"].to_numpy(), method="ordinal")
        ranks = {"cutoff": cutoff, "rank": place, "best_rank": 1 + before, "worst_rank": len(table) - behind}
        ranked.append(table.assign(**ranks)[[*ranks, *table]].sort_values("rank"))
    return pd.concat(ranked, ignore_index=True)


def driver_stability(over_time: pd.DataFrame) -> pd.DataFrame:
    """Compare the drivers at each cutoff with those at the one before.

    Parameters
    ----------
    over_time : DataFrame
        `cutoff`, `driver`, `mean_abs_shap` and `share`, as from `drivers_over_time`.

    Returns
    -------
    DataFrame
        One row a cutoff but the first: `cutoff`; `previous`, the one before; `drivers`, how many have 1 % of the
        strength or more at either; `rank_correlation`, Spearman's, of their strengths at both (a driver that a model
        does not have has strength 0), NaN for fewer than three; `common_share`, what part of the strength is the
        same at both: 1 less half the sum of the absolute differences of `share`; `stability`, ``steady`` where that is
        0.8 or more, ``shifting`` from 0.6 on, else ``unsteady``.

    Examples
    --------
    >>> over_time = pd.DataFrame(
    ...     {
    ...         "cutoff": pd.to_datetime(["2024-01-01"] * 3 + ["2024-04-01"] * 3),
    ...         "driver": ["recency", "amount", "complaints"] * 2,
    ...         "mean_abs_shap": [0.6, 0.3, 0.1, 0.5, 0.1, 0.4],
    ...         "share": [0.6, 0.3, 0.1, 0.5, 0.1, 0.4],
    ...     }
    ... )
    >>> driver_stability(over_time)[["cutoff", "drivers", "rank_correlation", "common_share", "stability"]]
          cutoff  drivers  rank_correlation  common_share stability
    0 2024-04-01        3               0.5           0.7  shifting
    """
    strength, share = (
        over_time.pivot_table(index="cutoff", columns="driver", values=name, fill_value=0.0, dropna=False).sort_index()
        for name in ("mean_abs_shap", "share")
    )
    rows = []
    for previous, cutoff in zip(strength.index[:-1], strength.index[1:], strict=True):
        both = share.loc[[previous, cutoff]]
        counts = (both >= _COUNTS).any().to_numpy()
        correlation = _rank_correlation(*strength.loc[[previous, cutoff]].to_numpy()[:, counts])
        common = 1 - float(np.abs(np.diff(both.to_numpy(), axis=0)).sum()) / 2
        rows.append(
            {
                "cutoff": cutoff,
                "previous": previous,
                "drivers": int(counts.sum()),
                "rank_correlation": correlation,
                "common_share": common,
                "stability": _in_a_word(common),
            }
        )
    columns = ["cutoff", "previous", "drivers", "rank_correlation", "common_share", "stability"]
    return pd.DataFrame(rows, columns=columns)


def _rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    ranks = rankdata(one), rankdata(other)
    if len(one) < 3 or min(rank.std() for rank in ranks) == 0:
        return float("nan")
    return float(np.corrcoef(*ranks)[0, 1])


def _in_a_word(common: float) -> Stability:
    return "steady" if common >= _STEADY else "shifting" if common >= _SHIFTING else "unsteady"
