"""Probabilities of leaving and predicted spend against what happened."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import norm, rankdata

from loyalty.checks import is_whole_number
from loyalty.evaluation._arrays import Floats, checked

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
    true, predicted = checked(value=(value, "money"), expected_value=(expected_value, "money"))
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
    (shares,) = checked(contacted=(contacted, "share"))
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
        left; ``clients``, its size; ``lower`` and ``upper``, the 95 % interval of the share that left (see
        `share_interval`). The points of a reliability diagram [1]_.

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

    >>> calibration_table([0, 0, 1, 1], [0.3, 0.3, 0.3, 0.8], bins=2).round(3)
       predicted  observed  clients  lower  upper
    0        0.3     0.333        3  0.061  0.792
    1        0.8     1.000        1  0.207  1.000
    """
    left, probability = _churn_arrays(churned, churn_probability)
    if not is_whole_number(bins, least=1):
        raise ValueError(f"`bins` must be a whole number of groups, at least 1; got {bins!r}.")
    # In whole numbers, because rounding must not move a rank that falls on an edge; mean ranks are multiples of 1/2.
    twice_rank = np.rint(2 * rankdata(probability)).astype(np.int64)
    group = (twice_rank - 1) * int(bins) // (2 * left.size)
    clients = np.bincount(group)
    filled = clients > 0
    sums = [np.bincount(group, weights=weights)[filled] for weights in (probability, left)]
    size = clients[filled]
    lower, upper = share_interval(sums[1], size)
    return pd.DataFrame(
        {"predicted": sums[0] / size, "observed": sums[1] / size, "clients": size, "lower": lower, "upper": upper}
    )


def share_interval(found: ArrayLike, clients: ArrayLike, *, level: float = 0.95) -> tuple[Floats, Floats]:
    """Bound the share that a count of clients is an estimate of, after Wilson.

    Parameters
    ----------
    found : array-like of shape (n_groups,)
        How many of each group it was, such as who left.
    clients : array-like of shape (n_groups,)
        How many clients each group has.
    level : float, default=0.95
        How often such intervals hold the true share, about.

    Returns
    -------
    lower, upper : ndarray of shape (n_groups,)
        Both within [0, 1]; NaN for a group of nobody.

    Raises
    ------
    ValueError
        If the counts are no whole numbers, more were found than there are, or `level` is not between 0 and 1.

    References
    ----------
    .. [1] Wilson (1927), "Probable Inference, the Law of Succession, and Statistical Inference", Journal of the
       American Statistical Association 22(158).

    Examples
    --------
    None of ten is not none of all:

    >>> lower, upper = share_interval([0], [10])
    >>> lower.round(3), upper.round(3)
    (array([0.]), array([0.278]))
    """
    count, size = checked(found=(found, "count"), clients=(clients, "count"))
    if (count > size).any():
        raise ValueError("`found` must not exceed `clients`.")
    if not 0 < level < 1:
        raise ValueError(f"`level` must lie between 0 and 1, such as 0.95; got {level!r}.")
    z2 = float(norm.ppf(0.5 + level / 2)) ** 2
    with np.errstate(invalid="ignore"):
        share = count / size
        spread = np.sqrt(z2 * (share * (1 - share) * size + z2 / 4))
    centre = count + z2 / 2
    # Rounding must not leave a bound beyond what was seen.
    lower, upper = (centre - spread) / (size + z2), (centre + spread) / (size + z2)
    return np.where(count == 0, share, lower), np.where(count == size, share, upper)


def interval_metrics(value: ArrayLike, value_lower: ArrayLike, value_upper: ArrayLike) -> dict[str, float]:
    """Measure how often what clients spent lay within the interval predicted for them, and how wide it was.

    Parameters
    ----------
    value : array-like of shape (n_clients,)
        What each client spent, in money.
    value_lower, value_upper : array-like of shape (n_clients,)
        The interval of each, both ends included, in the order of `value`; without end where nothing bounds it.

    Returns
    -------
    dict of str to float
        ``coverage``
            Share of clients whose value lay within.
        ``interval_width``
            Mean width of the bounded ones, in money; NaN where none is.

    Raises
    ------
    ValueError
        If the arrays are empty, not one-dimensional, of different lengths, missing or, for `value`, not finite, or
        an interval ends before it begins.

    Examples
    --------
    The end belongs to the interval; one cent more does not:

    >>> interval_metrics([10, 10.01], [0, 0], [10, 10])
    {'coverage': 0.5, 'interval_width': 10.0}
    """
    spent, low, high = checked(
        value=(value, "money"), value_lower=(value_lower, "bound"), value_upper=(value_upper, "bound")
    )
    if (crossed := low > high).any():
        row = int(crossed.argmax())
        raise ValueError(
            f"`value_lower` must not exceed `value_upper`; got {low[row]:g} and {high[row]:g} at position {row} and "
            f"{np.count_nonzero(crossed)} such in all."
        )
    bounded = np.isfinite(low) & np.isfinite(high)
    return {
        "coverage": float(((spent >= low) & (spent <= high)).mean()),
        "interval_width": float((high - low)[bounded].mean()) if bounded.any() else float("nan"),
    }


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
    left, probability = checked(churned=(churned, "outcome"), churn_probability=(churn_probability, "share"))
    return left, probability
