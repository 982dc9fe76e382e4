"""Judge predictions of churn and value, whatever model made them.

Everything here takes arrays: what happened and what was predicted, client by client in the same order. No model, no
data frame index and no clock is looked at, so the naive rate, buy-till-you-die models and trees are judged by the
same arithmetic.
"""

from loyalty.evaluation._figures import (
    CERTAINTY,
    calibration_table,
    churn_metrics,
    gain_curve,
    interval_metrics,
    share_interval,
    value_metrics,
)
from loyalty.evaluation._survival import survival_by_period, survival_metrics

__all__ = [
    "CERTAINTY",
    "calibration_table",
    "churn_metrics",
    "gain_curve",
    "interval_metrics",
    "share_interval",
    "survival_by_period",
    "survival_metrics",
    "value_metrics",
]
