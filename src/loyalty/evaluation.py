"""Judge predictions of churn and value, whatever model made them.

Everything here takes arrays: what happened and what was predicted, client by client in the same order. No model, no
data frame index and no clock is looked at, so the naive rate, buy-till-you-die models and trees are judged by the
same arithmetic.
"""

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

__all__ = [
    "calibration_table",
    "churn_metrics",
    "gain_curve",
    "survival_by_period",
    "survival_metrics",
    "value_metrics",
]

Floats = NDArray[np.float64]
Kind = Literal["outcome", "share", "money", "periods"]

# Probabilities are kept this far from 0 and 1, so that one certain mistake costs 20.7 nats and not infinity.
CERTAINTY = 1e-9
# The share of clients a campaign is taken to reach in `lift_top_20` and `found_top_20`.
TOP = 0.2


def churn_metrics(churned: ArrayLike, churn_probability: ArrayLike) -> dict[str, float]:
    """Measure how well predicted probabilities of churn rank clients, and how far they can be taken at their word.

    Parameters
    ----------
    churned : array-like of shape (n_clients,)
        What happened: 1 for a client who left, 0 for one who stayed.
    churn_probability : array-like of shape (n_clients,)
        What was predicted, each within [0, 1], in the order of `churned`.

    Returns
    -------
    dict of str to float
        ``clients``
            How many were judged.
        ``churn_rate``
            Share who left.
        ``auc``
            Probability that a client who left was given a higher probability than one who stayed, ties counting half
            [1]_. NaN when everybody left or nobody did: there is then no pair to rank.
        ``log_loss``
            Mean negative log-likelihood in nats [2]_.
        ``brier``
            Mean squared error of the probability [3]_.
        ``mean_error``
            Mean probability minus the share who left: calibration in the large; positive when too many were expected
            to leave.
        ``lift_top_20``
            Churn rate among the riskiest 20 % of clients over that of all [4]_. NaN when nobody left.
        ``found_top_20``
            Share of all leavers among the riskiest 20 % of clients, see `gain_curve`. NaN when nobody left.

    Raises
    ------
    ValueError
        If the arrays are empty, not one-dimensional or of different lengths, or hold anything but 0/1 and finite
        numbers within [0, 1]. The one error lists every such problem.

    See Also
    --------
    gain_curve : The share of leavers found for any share of clients contacted.
    calibration_table : Where along the scale the probabilities are off.

    Notes
    -----
    Log loss and Brier score are strictly proper: in expectation only the true probabilities minimise them [5]_. AUC
    is not; it sees the order alone. Probabilities are first clipped to ``[1e-9, 1 - 1e-9]``.

    References
    ----------
    .. [1] Hanley and McNeil (1982), "The Meaning and Use of the Area under a Receiver Operating Characteristic (ROC)
       Curve", Radiology 143(1).
    .. [2] Good (1952), "Rational Decisions", Journal of the Royal Statistical Society B 14(1).
    .. [3] Brier (1950), "Verification of Forecasts Expressed in Terms of Probability", Monthly Weather Review 78(1).
    .. [4] Piatetsky-Shapiro and Masand (1999), "Estimating Campaign Benefits and Modeling Lift", KDD '99.
    .. [5] Gneiting and Raftery (2007), "Strictly Proper Scoring Rules, Prediction, and Estimation", Journal of the
       American Statistical Association 102(477).

    Examples
    --------
    Of four pairs of a leaver with a stayer three are in the right order, so the area is 3/4:

    >>> metrics = churn_metrics([1, 0, 1, 0], [0.9, 0.6, 0.4, 0.2])
    >>> metrics["auc"], round(metrics["brier"], 4), round(metrics["mean_error"], 3)
    (0.75, 0.1925, 0.025)

    Where nobody left there is nothing to rank, but the probabilities can still be judged:

    >>> metrics = churn_metrics([0, 0], [0.1, 0.3])
    >>> metrics["auc"], round(metrics["mean_error"], 3)
    (nan, 0.2)
    """
    left, raw = _churn_arrays(churned, churn_probability)
    probability = np.clip(raw, CERTAINTY, 1 - CERTAINTY)
    rate = float(left.mean())
    found = float(_found(left, raw, np.array([TOP]))[0])
    log_likelihood = np.where(left == 1, np.log(probability), np.log1p(-probability))
    return {
        "clients": float(left.size),
        "churn_rate": rate,
        "auc": _auc(left, probability),
        "log_loss": float(-log_likelihood.mean()),
        "brier": float(np.square(probability - left).mean()),
        "mean_error": float(probability.mean()) - rate,
        "lift_top_20": found / TOP,
        "found_top_20": found,
    }


def value_metrics(value: ArrayLike, expected_value: ArrayLike) -> dict[str, float]:
    """Measure how well predicted spend ranks clients, and how far off it is by client, by tenth and in total.

    Parameters
    ----------
    value : array-like of shape (n_clients,)
        What each client spent in the horizon, net of refunds, in money.
    expected_value : array-like of shape (n_clients,)
        What was predicted, in the same money and in the order of `value`.

    Returns
    -------
    dict of str to float
        ``mae``
            Mean absolute error, in money.
        ``spearman``
            Rank correlation, ties at their mean rank [1]_. NaN when either side is constant.
        ``gini``
            Area between the curve of value captured (clients taken from the highest prediction down) and that of
            chance, over the same area for the perfect order [2]_ [3]_: 1 is perfect, 0 is chance. Negative values
            count as nothing. Equal predictions are taken in row order, so this figure alone means nothing for a
            constant prediction. NaN when nobody spent anything.
        ``decile_mape``
            Mean over ten equal-sized groups, by predicted value, of the error of the group's mean relative to its
            true mean [3]_. Groups whose true mean is not positive are left out; NaN when none remains.
        ``total_error``
            Total predicted over total true, minus 1. NaN when the true total is 0.

    Raises
    ------
    ValueError
        If the arrays are empty, not one-dimensional, of different lengths or not finite. The one error lists every
        such problem.

    References
    ----------
    .. [1] Spearman (1904), "The Proof and Measurement of Association between Two Things", American Journal of
       Psychology 15(1).
    .. [2] Frees, Meyers and Cummings (2011), "Summarizing Insurance Scores Using a Gini Index", Journal of the
       American Statistical Association 106(495).
    .. [3] Wang, Liu and Miao (2019), "A Deep Probabilistic Model for Customer Lifetime Value Prediction",
       arXiv:1912.07753.

    Examples
    --------
    Half the money everywhere: a perfect order, and every tenth and the whole short by half.

    >>> metrics = value_metrics([0, 10, 40], [0, 5, 20])
    >>> {name: round(figure, 3) for name, figure in metrics.items()}
    {'mae': 8.333, 'spearman': 1.0, 'gini': 1.0, 'decile_mape': 0.5, 'total_error': -0.5}

    Where nobody spent anything, a share of the total has no meaning but the error in money has:

    >>> metrics = value_metrics([0, 0], [1, 3])
    >>> metrics["mae"], metrics["total_error"]
    (2.0, nan)
    """
    true, predicted = _checked(value=(value, "money"), expected_value=(expected_value, "money"))
    total = float(true.sum())
    return {
        "mae": float(np.abs(true - predicted).mean()),
        "spearman": _spearman(true, predicted),
        "gini": _gini(true, predicted),
        "decile_mape": _decile_mape(true, predicted),
        "total_error": float(predicted.sum()) / total - 1 if total != 0 else float("nan"),
    }


def gain_curve(churned: ArrayLike, churn_probability: ArrayLike, contacted: ArrayLike) -> Floats:
    """Find the share of all leavers that is reached by contacting the riskiest clients first.

    Clients with equal probability are taken in no particular order: the curve gives what to expect over all of them,
    a straight line across the tied group, so it does not depend on the order of the rows.

    Parameters
    ----------
    churned : array-like of shape (n_clients,)
        What happened: 1 for a client who left, 0 for one who stayed.
    churn_probability : array-like of shape (n_clients,)
        What was predicted, in the order of `churned`.
    contacted : array-like of shape (n_points,)
        Shares of the clients contacted, each within [0, 1], in any order. A share that falls between two clients
        takes that part of the next one.

    Returns
    -------
    ndarray of shape (n_points,)
        Share of all leavers found, in the order of `contacted`; all NaN when nobody left.

    Raises
    ------
    ValueError
        If the arrays do not satisfy what `churn_metrics` asks of them, or a share lies outside [0, 1].

    References
    ----------
    .. [1] Piatetsky-Shapiro and Masand (1999), "Estimating Campaign Benefits and Modeling Lift", KDD '99.

    Examples
    --------
    The riskiest of four clients is one of the two leavers. The next two are tied and one of them left, so the second
    contact finds half a leaver on average:

    >>> gain_curve([1, 1, 0, 0], [0.9, 0.5, 0.5, 0.1], [0, 0.25, 0.5, 0.75, 1])
    array([0.  , 0.5 , 0.75, 1.  , 1.  ])
    """
    left, probability = _churn_arrays(churned, churn_probability)
    (shares,) = _checked(contacted=(contacted, "share"))
    return _found(left, probability, shares)


def calibration_table(churned: ArrayLike, churn_probability: ArrayLike, bins: int = 10) -> pd.DataFrame:
    """Set predicted probabilities beside observed churn rates, group by group from the safest clients to the riskiest.

    Parameters
    ----------
    churned : array-like of shape (n_clients,)
        What happened: 1 for a client who left, 0 for one who stayed.
    churn_probability : array-like of shape (n_clients,)
        What was predicted, in the order of `churned`.
    bins : int, default=10
        Groups of about equal size to form. Clients with the same probability are never parted, so there may be fewer.

    Returns
    -------
    DataFrame
        One row per group, the safest first: ``predicted``, its mean probability; ``observed``, the share of it that
        left;
        ``clients``, its size. The points of a reliability diagram [1]_.

    Raises
    ------
    ValueError
        If the arrays do not satisfy what `churn_metrics` asks of them, or `bins` is not a positive integer.

    References
    ----------
    .. [1] Murphy and Winkler (1977), "Reliability of Subjective Probability Forecasts of Precipitation and
       Temperature", Journal of the Royal Statistical Society C 26(1).

    Examples
    --------
    Three clients share a probability; they stay together although two groups of two were asked for:

    >>> calibration_table([0, 0, 1, 1], [0.3, 0.3, 0.3, 0.8], bins=2)
       predicted  observed  clients
    0        0.3  0.333333        3
    1        0.8  1.000000        1
    """
    left, probability = _churn_arrays(churned, churn_probability)
    if isinstance(bins, bool) or not isinstance(bins, int | np.integer) or bins < 1:
        raise ValueError(f"`bins` must be a whole number of groups, at least 1; got {bins!r}.")
    # In whole numbers, because rounding must not move a rank that falls on an edge; mean ranks are multiples of 1/2.
    twice_rank = np.rint(2 * rankdata(probability)).astype(np.int64)
    group = (twice_rank - 1) * int(bins) // (2 * left.size)
    clients = np.bincount(group)
    filled = clients > 0
    sums = [np.bincount(group, weights=weights)[filled] for weights in (probability, left)]
    size = clients[filled]
    return pd.DataFrame({"predicted": sums[0] / size, "observed": sums[1] / size, "clients": size})


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
        lives, left = _checked(duration=(duration, "periods"), churned=(churned, "outcome"))
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


def _found(left: Floats, probability: Floats, shares: Floats) -> Floats:
    """Interpolate the gain curve between groups of equal probability, the riskiest first."""
    leavers = left.sum()
    if leavers == 0:
        return np.full(shares.shape, np.nan)
    _, group = np.unique(-probability, return_inverse=True)
    clients_so_far = np.cumsum(np.bincount(group)) / left.size
    leavers_so_far = np.cumsum(np.bincount(group, weights=left)) / leavers
    return np.interp(shares, np.append(0.0, clients_so_far), np.append(0.0, leavers_so_far))


def _auc(left: Floats, probability: Floats) -> float:
    """Take the area from the rank sum of those who left (Mann and Whitney's U)."""
    leavers = left.sum()
    pairs = leavers * (left.size - leavers)
    if pairs == 0:
        return float("nan")
    rank_sum = rankdata(probability)[left == 1].sum()
    return float((rank_sum - leavers * (leavers + 1) / 2) / pairs)


def _spearman(true: Floats, predicted: Floats) -> float:
    """Correlate mean ranks."""
    if np.ptp(true) == 0 or np.ptp(predicted) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(true), rankdata(predicted))[0, 1])


def _gini(true: Floats, predicted: Floats) -> float:
    """Compare the value captured in the predicted order with that in the perfect one."""
    gained = np.maximum(true, 0)
    total = gained.sum()
    if total == 0:
        return float("nan")

    def area(order_by: Floats) -> float:
        captured = np.cumsum(gained[np.argsort(-order_by, kind="stable")]) / total
        return 2 * float(captured.mean()) - 1

    return area(predicted) / area(gained)


def _decile_mape(true: Floats, predicted: Floats) -> float:
    """Average the relative error of ten group means; the groups part the predictions' ranks, ties in row order."""
    if true.size == 1:
        group = np.zeros(1, dtype=np.int64)  # one client has no quantiles
    else:
        rank = np.empty(true.size, dtype=np.int64)
        rank[np.argsort(predicted, kind="stable")] = np.arange(1, true.size + 1)
        group = np.asarray(pd.qcut(rank, 10, labels=False))
    size = np.bincount(group)
    with np.errstate(invalid="ignore"):  # fewer than ten clients leave groups empty
        true_mean = np.bincount(group, weights=true) / size
        predicted_mean = np.bincount(group, weights=predicted) / size
    kept = true_mean > 0
    if not kept.any():
        return float("nan")
    return float((np.abs(predicted_mean[kept] - true_mean[kept]) / true_mean[kept]).mean())


def _churn_arrays(churned: ArrayLike, churn_probability: ArrayLike) -> tuple[Floats, Floats]:
    """Check outcomes and probabilities at the border."""
    left, probability = _checked(churned=(churned, "outcome"), churn_probability=(churn_probability, "share"))
    return left, probability


def _checked(**given: tuple[ArrayLike, Kind]) -> list[Floats]:
    """Make float arrays of one length, or say everything that is wrong with them in one error."""
    arrays: dict[str, Floats] = {}
    problems: list[str] = []
    for name, (array_like, kind) in given.items():
        array = np.asarray(array_like)
        try:
            if array.dtype.kind not in "biufO":
                raise TypeError
            arrays[name] = array.astype(np.float64)
        except (TypeError, ValueError):
            problems.append(f"`{name}` must hold numbers; got {array.dtype} values that are none")
            continue
        if problem := _problem(arrays[name], kind):
            problems.append(f"`{name}` must {problem}")
    if len({array.shape for array in arrays.values() if array.ndim == 1}) > 1:
        sizes = " and ".join(f"{array.size} in `{name}`" for name, array in arrays.items())
        problems.append(f"there must be one entry a client in each array, in the same order; got {sizes}")
    if problems:
        raise ValueError("; ".join(problems) + ".")
    return list(arrays.values())


def _problem(array: Floats, kind: Kind) -> str:
    """Say which rule an array breaks first, where, and how often; nothing if it keeps them all."""
    if array.ndim != 1:
        return f"be one-dimensional; got shape {array.shape}: pass one column"
    if array.size == 0:
        return "hold at least one entry; got none"
    allowed, rule = np.isfinite(array), "be finite (drop or fill missing values)"
    if allowed.all() and kind == "outcome":
        allowed, rule = np.isin(array, (0, 1)), "be 1 (left) or 0 (stayed)"
    elif allowed.all() and kind == "share":
        allowed, rule = (array >= 0) & (array <= 1), "lie within [0, 1] (divide percentages by 100)"
    elif allowed.all() and kind == "periods":
        allowed, rule = (array >= 0) & (array == np.floor(array)), "be a whole number of periods, 0 or more"
    if allowed.all():
        return ""
    row = int(np.argmin(allowed))
    return f"{rule}; got {array[row]:g} at position {row} and {np.count_nonzero(~allowed)} such in all"
