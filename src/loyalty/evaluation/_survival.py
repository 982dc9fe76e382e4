"""Curves of staying against lives of which some are known in part only."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from loyalty.evaluation._arrays import Floats, checked


def survival_metrics(duration: ArrayLike, churned: ArrayLike, survival: ArrayLike) -> dict[str, float]:
    """Measure how well curves of staying tell who leaves and when, where some lives are known in part only.

    Parameters
    ----------
    duration, churned, survival : array-like
        See `survival_by_period`.

    Returns
    -------
    dict of str to float
        ``clients``, ``periods``
            How many were judged, and over how many periods: those of `survival`, up to the longest duration.
        ``churn_share``
            Share that left by the last of them, after Kaplan and Meier.
        ``integrated_brier``
            Mean of the Brier scores of the periods [1]_.
        ``auc``
            Mean of the areas of the periods that have one, each weighing what share left in it [2]_. NaN where none
            has one.
        ``concordance``
            Share of pairs in which the client who left first was expected to live shorter [3]_, in periods, ties
            counting half. Who was observed to the end of the period in which another left lived longer. NaN without
            such a pair.
        ``concordance_uno``
            The same, each pair weighing as much as if nothing were cut short [4]_; it does not depend on when that was.
        ``mean_error``
            Mean predicted share of leavers by the last period minus ``churn_share``.

    Raises
    ------
    ValueError
        As `survival_by_period`.

    References
    ----------
    .. [1] Graf, Schmoor, Sauerbrei and Schumacher (1999), "Assessment and Comparison of Prognostic Classification
       Schemes for Survival Data", Statistics in Medicine 18(17-18).
    .. [2] Lambert and Chevret (2016), "Summary Measure of Discrimination in Survival Models Based on
       Cumulative/Dynamic Time-dependent ROC Curves", Statistical Methods in Medical Research 25(5).
    .. [3] Harrell, Califf, Pryor, Lee and Rosati (1982), "Evaluating the Yield of Medical Tests", JAMA 247(18).
    .. [4] Uno, Cai, Pencina, D'Agostino and Wei (2011), "On the C-statistics for Evaluating Overall Adequacy of Risk
       Prediction Procedures with Censored Survival Data", Statistics in Medicine 30(10).

    Examples
    --------
    One leaves in period 1; the other was seen to stay through it, and nothing more is known of period 2:

    >>> metrics = survival_metrics([1, 1], [1, 0], [[0.5, 0.25], [0.75, 0.5]])
    >>> metrics["periods"], metrics["integrated_brier"], metrics["auc"], metrics["mean_error"]
    (1.0, 0.15625, 1.0, -0.125)
    """
    lives, left, curves = _survival_arrays(duration, churned, survival)
    table = _by_period(lives, left, curves)
    periods, observed = len(table), table["observed"].to_numpy()
    share = -np.diff(observed, prepend=1.0)
    auc = table["auc"].to_numpy()
    ranked = ~np.isnan(auc) & (share > 0)
    life = curves[:, :periods].sum(axis=1).round(9)  # what adds up to the same is tied, whatever floats leave behind
    concordances = _concordances(lives, left, life, _known_share(lives, left), periods)
    return {
        "clients": float(lives.size),
        "periods": float(periods),
        "churn_share": float(1 - observed[-1]),
        "integrated_brier": float(table["brier"].mean()),
        "auc": float(np.average(auc[ranked], weights=share[ranked])) if ranked.any() else float("nan"),
        "concordance": concordances[0],
        "concordance_uno": concordances[1],
        "mean_error": float(observed[-1] - table["predicted"].iloc[-1]),
    }


def survival_by_period(duration: ArrayLike, churned: ArrayLike, survival: ArrayLike) -> pd.DataFrame:
    """Judge curves of staying period by period.

    Parameters
    ----------
    duration : array-like of shape (n_clients,)
        The period in which a client left, from 1 on; of any other, how many whole periods it was seen to stay.
    churned : array-like of shape (n_clients,)
        1 for a client who left, 0 for one who was not seen to.
    survival : array-like of shape (n_clients, n_periods)
        Predicted probability of staying through each period, each within [0, 1] and never rising.

    Returns
    -------
    DataFrame
        One row a ``period``, up to the longest duration: ``at_risk``, who was observed in it; ``predicted``, mean
        probability of staying through it; ``observed``, the share that does, after Kaplan and Meier; ``brier``, mean
        squared error; ``auc``, the probability that a client who left by then was given a lower probability of
        staying than one who did not, ties counting half; NaN where all are on one side.

    Raises
    ------
    ValueError
        If the arrays are not as described, or nobody was observed for a period.

    Notes
    -----
    Where a client's fate by the end of a period is not known, those whose fate is known stand in: each weighs one over
    the share of lives that were followed as long as that took [1]_ [2]_, estimated from all clients alike. This is
    unbiased if how long lives are followed has nothing to do with when they end. Who was seen to stay through a period
    is known to have stayed in it; formulas for continuous time, in which only someone seen later is, agree once the
    ends of observation are moved half a period on.

    References
    ----------
    .. [1] Graf, Schmoor, Sauerbrei and Schumacher (1999), "Assessment and Comparison of Prognostic Classification
       Schemes for Survival Data", Statistics in Medicine 18(17-18).
    .. [2] Hung and Chiang (2010), "Estimation Methods for Time-dependent AUC Models with Survival Data", Canadian
       Journal of Statistics 38(1).

    Examples
    --------
    The second of three clients is followed for period 1 only; the third then stands for both in period 2:

    >>> survival_by_period([1, 1, 2], [1, 0, 0], [[0.5, 0.5], [1.0, 1.0], [1.0, 0.5]])
            at_risk  predicted  observed     brier  auc
    period
    1             3   0.833333  0.666667  0.083333  1.0
    2             1   0.666667  0.666667  0.250000  0.5
    """
    return _by_period(*_survival_arrays(duration, churned, survival))


def _by_period(lives: Floats, left: Floats, curves: Floats) -> pd.DataFrame:
    known = _known_share(lives, left)
    observed, rows = 1.0, []
    for k in range(1, min(curves.shape[1], int(lives.max())) + 1):
        stays = curves[:, k - 1]
        gone, there = (left == 1) & (lives <= k), (lives > k) | ((left == 0) & (lives == k))
        at_risk = np.count_nonzero(lives >= k)
        observed *= 1 - np.count_nonzero(gone & (lives == k)) / at_risk
        weight = 1 / known[lives[gone].astype(np.int64) - 1]
        squares = float(weight @ np.square(stays[gone])) + float(np.square(1 - stays[there]).sum()) / known[k - 1]
        pairs = float(weight.sum()) * np.count_nonzero(there)
        above = float(weight @ _share_above(stays[gone], stays[there]))
        rows.append((k, at_risk, stays.mean(), observed, squares / lives.size, above / pairs if pairs else np.nan))
    columns = ["period", "at_risk", "predicted", "observed", "brier", "auc"]
    return pd.DataFrame(rows, columns=columns).set_index("period")


def _known_share(lives: Floats, left: Floats) -> Floats:
    """Estimate the share of lives followed to the end of period 1, 2, … if they last as long (Kaplan and Meier)."""
    size = int(lives.max()) + 1
    lost = np.bincount(lives[left == 0].astype(np.int64), minlength=size)
    gone = np.bincount(lives[left == 1].astype(np.int64), minlength=size)
    at_risk = (lost + gone)[::-1].cumsum()[::-1] - gone  # who leaves in a period was not lost in it
    return np.cumprod(1 - lost / np.maximum(at_risk, 1), dtype=np.float64)[:-1]


def _share_above(lower: Floats, others: Floats) -> Floats:
    """Count for each of `lower` how many others lie above, ties counting half."""
    ordered = np.sort(others)
    below = np.searchsorted(ordered, lower, side="left") + np.searchsorted(ordered, lower, side="right")
    return others.size - below / 2


def _concordances(lives: Floats, left: Floats, life: Floats, known: Floats, periods: int) -> tuple[float, float]:
    """Return Harrell's and Uno's share of pairs in the right order of expected life."""
    right, pairs = np.zeros(2), np.zeros(2)
    for k in range(1, periods + 1):
        gone, there = (left == 1) & (lives == k), (lives > k) | ((left == 0) & (lives == k))
        weight = np.array([1.0, known[k - 1] ** -2])
        right += weight * float(_share_above(life[gone], life[there]).sum())
        pairs += weight * np.count_nonzero(gone) * np.count_nonzero(there)
    harrell, uno = (float(r / p) if p else float("nan") for r, p in zip(right, pairs, strict=True))
    return harrell, uno


def _survival_arrays(duration: ArrayLike, churned: ArrayLike, survival: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Check lives and curves at the border."""
    problems: list[str] = []
    try:
        curves = np.asarray(survival, dtype=np.float64)
    except (TypeError, ValueError):
        problems.append("`survival` must hold numbers, as many in every row")
        curves = np.zeros((0, 1))
    try:
        lives, left = checked(duration=(duration, "periods"), churned=(churned, "outcome"))
        if not problems and curves.ndim == 2 and len(curves) != lives.size:
            problems.append(f"`survival` must have one row a client; got {len(curves)} for {lives.size} durations")
        if ((left == 1) & (lives == 0)).any():
            problems.append("`duration` must be at least 1 where `churned` is 1, the period in which a client left")
        elif not lives.any():
            problems.append("`duration` must be at least 1 for somebody: nobody was observed for a period")
    except ValueError as error:
        problems.append(str(error).removesuffix("."))
    if curves.ndim != 2 or curves.shape[1] == 0:
        problems.append(f"`survival` must have a row a client and a column a period; got shape {curves.shape}")
    elif not ((curves >= 0) & (curves <= 1)).all():
        problems.append("`survival` must lie within [0, 1] and be finite")
    elif (np.diff(curves, axis=1) > 0).any():
        problems.append("`survival` must never rise from one period to the next")
    if problems:
        raise ValueError("; ".join(problems) + ".")
    return lives, left, curves
