"""Explanation: exact SHAP values of the calibrated log-odds, what drives them, and reasons in words."""

from loyalty.explanation.drivers import driver_table
from loyalty.explanation.reasons import Language, reason_codes
from loyalty.explanation.values import shap_interactions, shap_values

__all__ = ["Language", "driver_table", "reason_codes", "shap_interactions", "shap_values"]
