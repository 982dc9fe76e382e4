"""loyalty: which clients are about to leave, what each will still be worth, and why, from their own histories.

>>> import loyalty
>>> histories = loyalty.Histories("purchases.parquet")  # doctest: +SKIP
>>> result = loyalty.backtest(histories, cutoffs=["2026-03-01", "2026-06-01"], horizon="90d")  # doctest: +SKIP
>>> result.summary()  # doctest: +SKIP
"""

import importlib
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loyalty.alerts import AlertLimits, alert_list, alert_summary
    from loyalty.backtesting import Backtest, backtest
    from loyalty.explanation import (
        Reasons,
        action_table,
        composition_changes,
        driver_stability,
        driver_table,
        drivers_over_time,
        explain_client,
        portfolio_changes,
        reason_codes,
        risk_changes,
        shap_interactions,
        shap_values,
        theme_table,
    )
    from loyalty.features import (
        CATALOGUE,
        Feature,
        build_panel,
        feature,
        lay_panel,
        learn,
        measure_market,
        prove_blind,
        read_panel,
        write_panel,
    )
    from loyalty.histories import Histories, HistoriesError, HistoriesWarning, Join
    from loyalty.labels import CensoredHorizonWarning, build_durations, build_labels, build_spend
    from loyalty.loyalty_scores import LoyaltyWeights, loyalty_parts, loyalty_score
    from loyalty.masking import mask_text
    from loyalty.models.churn import ChurnModel
    from loyalty.models.intervals import SpendIntervals
    from loyalty.models.long_run import lifetime_value
    from loyalty.models.survival import SurvivalModel
    from loyalty.models.value import ValueModel
    from loyalty.models.ziln import ZeroInflatedLogNormal
    from loyalty.scoring import Bundle, load
    from loyalty.segments import RfmCuts, ValueRiskCuts, rfm_segments, segment_movement, value_risk_segments
    from loyalty.voice import client_voice

__all__ = [
    "CATALOGUE",
    "AlertLimits",
    "Backtest",
    "Bundle",
    "CensoredHorizonWarning",
    "ChurnModel",
    "Feature",
    "Histories",
    "HistoriesError",
    "HistoriesWarning",
    "Join",
    "LoyaltyWeights",
    "Reasons",
    "RfmCuts",
    "SpendIntervals",
    "SurvivalModel",
    "ValueModel",
    "ValueRiskCuts",
    "ZeroInflatedLogNormal",
    "__version__",
    "action_table",
    "alert_list",
    "alert_summary",
    "backtest",
    "build_durations",
    "build_labels",
    "build_panel",
    "build_spend",
    "client_voice",
    "composition_changes",
    "driver_stability",
    "driver_table",
    "drivers_over_time",
    "explain_client",
    "feature",
    "lay_panel",
    "learn",
    "lifetime_value",
    "load",
    "loyalty_parts",
    "loyalty_score",
    "mask_text",
    "measure_market",
    "portfolio_changes",
    "prove_blind",
    "read_panel",
    "reason_codes",
    "rfm_segments",
    "risk_changes",
    "segment_movement",
    "shap_interactions",
    "shap_values",
    "theme_table",
    "value_risk_segments",
    "write_panel",
]

__version__ = version("loyalty")

# Where each public name lives; it is imported when it is first asked for, so that `loyalty --help` is quick.
_HOMES = {
    "AlertLimits": "alerts",
    "alert_list": "alerts",
    "alert_summary": "alerts",
    "Backtest": "backtesting",
    "backtest": "backtesting",
    "Reasons": "explanation",
    "action_table": "explanation",
    "composition_changes": "explanation",
    "driver_stability": "explanation",
    "driver_table": "explanation",
    "drivers_over_time": "explanation",
    "explain_client": "explanation",
    "portfolio_changes": "explanation",
    "reason_codes": "explanation",
    "risk_changes": "explanation",
    "shap_interactions": "explanation",
    "shap_values": "explanation",
    "theme_table": "explanation",
    "CATALOGUE": "features",
    "Feature": "features",
    "build_panel": "features",
    "feature": "features",
    "lay_panel": "features",
    "learn": "features",
    "measure_market": "features",
    "prove_blind": "features",
    "read_panel": "features",
    "write_panel": "features",
    "Histories": "histories",
    "HistoriesError": "histories",
    "HistoriesWarning": "histories",
    "Join": "histories",
    "CensoredHorizonWarning": "labels",
    "build_durations": "labels",
    "build_labels": "labels",
    "build_spend": "labels",
    "LoyaltyWeights": "loyalty_scores",
    "loyalty_parts": "loyalty_scores",
    "loyalty_score": "loyalty_scores",
    "mask_text": "masking",
    "ChurnModel": "models.churn",
    "SpendIntervals": "models.intervals",
    "lifetime_value": "models.long_run",
    "SurvivalModel": "models.survival",
    "ValueModel": "models.value",
    "ZeroInflatedLogNormal": "models.ziln",
    "Bundle": "scoring",
    "load": "scoring",
    "RfmCuts": "segments",
    "ValueRiskCuts": "segments",
    "rfm_segments": "segments",
    "segment_movement": "segments",
    "value_risk_segments": "segments",
    "client_voice": "voice",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'loyalty' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"loyalty.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
