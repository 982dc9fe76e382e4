"""The figures of `churn_metrics`, `value_metrics` and `interval_metrics` on clients drawn with replacement.

A client drawn three times is a weight of three, so nothing is copied: what is sorted is sorted once, and each draw is
one pass over the rows. The figures are those of the repeated rows, rounding aside.
"""

from functools import lru_cache

import numpy as np
import pandas as pd
from numba import types
from numpy.typing import NDArray

from loyalty.compiled import compiled
from loyalty.evaluation._arrays import Floats
from loyalty.evaluation._figures import CERTAINTY, TOP

Order = NDArray[np.int64]
Flags = NDArray[np.bool_]

CHURN = ("clients", "churn_rate", "auc", "log_loss", "brier", "mean_error", "lift_top_20", "found_top_20")
VALUE = ("mae", "spearman", "gini", "decile_mape", "total_error")
INTERVALS = ("coverage", "interval_width")

_F, _I, _B = (types.Array(of, 1, "C", readonly=True) for of in (types.float64, types.int64, types.boolean))
_SCRATCH, _FLOAT = types.Array(types.float64, 1, "C"), types.float64
_TENTHS = 10


class Resampled:
    """Figures of one model at one cutoff, for any number of times that each client counts.

    Parameters
    ----------
    churned, churn_probability, value, expected_value : ndarray of shape (n_clients,)
        Checked already, as `churn_metrics` and `value_metrics` do.
    value_lower, value_upper : ndarray of shape (n_clients,)
        NaN where there is no interval.

    Attributes
    ----------
    names : tuple of str
        What each of the figures is; those of intervals only where there is one.

    Examples
    --------
    The second of three clients is not drawn, the third twice:

    >>> nothing = np.full(3, np.nan)
    >>> judged = Resampled(np.array([1.0, 0, 0]), np.array([0.5, 0.7, 0.3]), np.array([0.0, 1, 4]), np.ones(3),
    ...                    nothing, nothing)
    >>> told = dict(zip(judged.names, judged.figures(np.array([1.0, 0, 2])).tolist()))
    >>> told["clients"], told["auc"], told["mae"]
    (3.0, 1.0, 2.3333333333333335)
    """

    def __init__(
        self,
        churned: Floats,
        churn_probability: Floats,
        value: Floats,
        expected_value: Floats,
        value_lower: Floats,
        value_upper: Floats,
    ) -> None:
        clipped = np.clip(churn_probability, CERTAINTY, 1 - CERTAINTY)
        has = ~(np.isnan(value_lower) | np.isnan(value_upper))
        bounded = np.isfinite(value_lower) & np.isfinite(value_upper)
        self.names = CHURN + VALUE + (INTERVALS if has.any() else ())
        self._sums = np.column_stack(
            [
                np.ones(churned.size),
                churned,
                -np.where(churned == 1, np.log(clipped), np.log1p(-clipped)),
                np.square(clipped - churned),
                clipped,
                np.abs(value - expected_value),
                value,
                expected_value,
                has,
                has & (value >= value_lower) & (value <= value_upper),
                bounded,
                np.where(bounded, value_upper - value_lower, 0.0),
            ]
        )
        self._by_risk, self._last_raw = _sorted(churn_probability)
        self._last_clipped = _ends(clipped[self._by_risk])
        self._left = churned[self._by_risk]
        self._by_true, self._last_true = _sorted(value)
        self._by_predicted, self._last_predicted = _sorted(expected_value)
        self._true, self._predicted = value[self._by_predicted], expected_value[self._by_predicted]
        gained = np.maximum(value, 0.0)
        self._best = np.ascontiguousarray(self._by_true[::-1])
        self._chosen = np.argsort(-expected_value, kind="stable")
        self._gained_best, self._gained_chosen = gained[self._best], gained[self._chosen]
        self._ranks = np.empty(churned.size)

    def figures(self, weights: Floats) -> Floats:
        """Compute all figures, in the order of `names`.

        Parameters
        ----------
        weights : ndarray of shape (n_clients,)
            How often each client counts: whole numbers, 0 or more.

        Returns
        -------
        ndarray of shape (n_figures,)
            NaN where a figure means nothing, as in the functions for plain rows.
        """
        sums = weights @ self._sums
        clients, left, log_loss, squares, probability, errors, true, predicted, has, inside, bounded, width = sums
        with np.errstate(invalid="ignore", divide="ignore"):  # nobody drawn
            rate = left / clients
            found = share_found(weights, self._left, self._by_risk, self._last_raw, TOP)
            told = [
                clients,
                rate,
                area_under_curve(weights, self._left, self._by_risk, self._last_clipped),
                log_loss / clients,
                squares / clients,
                probability / clients - rate,
                found / TOP,
                found,
                errors / clients,
                rank_correlation(
                    weights, self._by_true, self._last_true, self._by_predicted, self._last_predicted, self._ranks
                ),
                captured(weights, self._gained_chosen, self._chosen) / captured(weights, self._gained_best, self._best),
                tenths_error(weights, self._true, self._predicted, self._by_predicted, _tenths(int(clients))),
                predicted / true - 1 if true != 0 else np.nan,
            ]
            return np.array([*told, inside / has, width / bounded][: len(self.names)])


def _sorted(values: Floats) -> tuple[Order, Flags]:
    """Order rows by value, ties as they stand, and tell where each run of equal values ends."""
    order = np.argsort(values, kind="stable")
    return order, _ends(values[order])


def _ends(values: Floats) -> Flags:
    return np.append(values[1:] != values[:-1], True)


@lru_cache(maxsize=4096)
def _tenths(clients: int) -> Order:
    """Tell how many of so many ranks lie in the first, the first two, … of ten groups."""
    if clients < 2:
        return np.full(_TENTHS, clients)
    group = np.asarray(pd.qcut(np.arange(1, clients + 1), _TENTHS, labels=False))
    return np.bincount(group, minlength=_TENTHS).cumsum()


@compiled(_F, _F, _I, _B)
def area_under_curve(weights: Floats, left: Floats, order: Order, last: Flags) -> float:
    """Count the pairs in the right order; `left` stands in the order of rising risk already."""
    right = leavers = stayers = out = there = 0.0
    for i in range(len(order)):
        weight = weights[order[i]]
        out += weight * left[i]
        there += weight * (1.0 - left[i])
        if last[i]:
            right += out * (stayers + 0.5 * there)
            leavers += out
            stayers += there
            out = there = 0.0
    return right / (leavers * stayers)


@compiled(_F, _F, _I, _B, _FLOAT)
def share_found(weights: Floats, left: Floats, order: Order, last: Flags, share: float) -> float:
    """Walk down from the riskiest until so large a share of the clients is reached, within a tie by proportion."""
    total = leavers = 0.0
    for i in range(len(order)):
        total += weights[order[i]]
        leavers += weights[order[i]] * left[i]
    wanted, seen, found, alike, out = share * total, 0.0, 0.0, 0.0, 0.0
    for i in range(len(order) - 1, -1, -1):
        weight = weights[order[i]]
        alike += weight
        out += weight * left[i]
        if i == 0 or last[i - 1]:
            if alike > 0 and seen + alike >= wanted:
                return (found + out * (wanted - seen) / alike) / leavers
            seen += alike
            found += out
            alike = out = 0.0
    return np.nan


@compiled(_F, _I, _B, _I, _B, _SCRATCH)
def rank_correlation(
    weights: Floats, by_true: Order, last_true: Flags, by_predicted: Order, last_predicted: Flags, ranks: Floats
) -> float:
    """Correlate mean ranks; those of the truth are written into `ranks`."""
    total = 0.0
    for i in range(len(weights)):
        total += weights[i]
    middle = 0.5 * (total + 1.0)
    before = alike = true_squares = 0.0
    start = 0
    for i in range(len(by_true)):
        alike += weights[by_true[i]]
        if last_true[i]:
            off = before + 0.5 * (alike + 1.0) - middle
            for j in range(start, i + 1):
                ranks[by_true[j]] = off
            true_squares += alike * off * off
            before += alike
            alike, start = 0.0, i + 1
    before = alike = both = predicted_squares = products = 0.0
    for i in range(len(by_predicted)):
        row = by_predicted[i]
        alike += weights[row]
        both += weights[row] * ranks[row]
        if last_predicted[i]:
            off = before + 0.5 * (alike + 1.0) - middle
            products += off * both
            predicted_squares += alike * off * off
            before += alike
            alike = both = 0.0
    return products / np.sqrt(true_squares * predicted_squares)


@compiled(_F, _F, _I)
def captured(weights: Floats, gained: Floats, order: Order) -> float:
    """Take the area between the curve of value captured and that of chance; `gained` stands in order already."""
    clients = total = area = 0.0
    for i in range(len(order)):
        weight = weights[order[i]]
        area += weight * total + gained[i] * 0.5 * weight * (weight + 1.0)
        total += weight * gained[i]
        clients += weight
    return 2.0 * area / (clients * total) - 1.0


@compiled(_F, _F, _F, _I, _I)
def tenths_error(weights: Floats, true: Floats, predicted: Floats, order: Order, ends: Order) -> float:
    """Average the relative error of ten groups; truth and prediction stand in the order of the prediction."""
    error, kept, rank, group = 0.0, 0, 0.0, 0
    true_sum = predicted_sum = 0.0
    for i in range(len(order)):
        weight = weights[order[i]]
        while weight > 0:
            taken = min(weight, ends[group] - rank)
            true_sum += taken * true[i]
            predicted_sum += taken * predicted[i]
            rank += taken
            weight -= taken
            if rank >= ends[group]:
                if true_sum > 0:
                    error += abs(predicted_sum - true_sum) / true_sum
                    kept += 1
                true_sum = predicted_sum = 0.0
                while group < len(ends) - 1 and rank >= ends[group]:
                    group += 1
    return error / kept
