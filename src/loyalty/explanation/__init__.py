"""Explanation: exact SHAP values of the calibrated log-odds, what drives them, what changed, and reasons in words."""

from loyalty.explanation.changes import composition_changes, portfolio_changes, risk_changes
from loyalty.explanation.client import Reasons, explain_client
from loyalty.explanation.drivers import action_table, driver_table, theme_table
from loyalty.explanation.parts import sample_clients
from loyalty.explanation.reasons import reason_codes
from loyalty.explanation.stability import driver_stability, drivers_over_time
from loyalty.explanation.summary import summarise, summarise_cutoffs
from loyalty.explanation.values import shap_interactions, shap_values

__all__ = [
    "Reasons",
    "action_table",
    "composition_changes",
    "driver_stability",
    "driver_table",
    "drivers_over_time",
    "explain_client",
    "portfolio_changes",
    "reason_codes",
    "risk_changes",
    "sample_clients",
    "shap_interactions",
    "shap_values",
    "summarise",
    "summarise_cutoffs",
    "theme_table",
]
