"""Explanation: exact SHAP values of the calibrated log-odds, what drives them, and reasons in words."""

from loyalty.explanation.client import Reasons, explain_client
from loyalty.explanation.drivers import driver_table
from loyalty.explanation.reasons import reason_codes
from loyalty.explanation.values import shap_values

__all__ = ["Reasons", "driver_table", "explain_client", "reason_codes", "shap_values"]
