"""A run's folder made up from a seed, for tests and for looking at the page."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from loyalty.models.portfolio import PortfolioErrors, portfolio_interval
from loyalty.segments import RFM_SEGMENTS, ValueRiskCuts, segment_movement, value_risk_segments

MEANINGS: dict[str, dict[str, str]] = {
    "days_since_last": {"en": "days since the last purchase", "ko": "마지막 구매 후 일수", "unit": "days"},
    "orders_count_365d": {"en": "orders in the last 365 days", "ko": "최근 365일 주문 수", "unit": "orders"},
    "amount_sum_90d": {"en": "spend in the last 90 days", "ko": "최근 90일 구매액", "unit": "money"},
    "overdue_ratio": {
        "en": "time since the last purchase against the usual gap",
        "ko": "평소 구매 간격 대비 공백",
        "unit": "ratio",
    },
    "refund_share_365d": {"en": "share of spend refunded", "ko": "환불 비율", "unit": "share"},
    "products_count_365d": {"en": "different products bought", "ko": "구매한 상품 종류", "unit": "products"},
}
DIRECTIONS = (1, -1, -1, 1, 1, 0)


def _strength(effect: float, **more: Any) -> dict[str, Any]:
    points = {"effect_pp": effect, "lower_pp": round(0.9 * effect, 3), "upper_pp": round(1.2 * effect, 3)}
    return points | {"mean_abs_shap": effect / 10, "share": effect / 20, "clients": 1000} | more


def _changes(**changes: float) -> list[dict[str, Any]]:
    return [
        {"theme": theme, "change_shap": change / 10, "change_pp": change, "clients": 900, "raised_share": 0.5}
        | {"lower_pp": change - 0.3, "upper_pp": change + 0.3}
        for theme, change in changes.items()
    ]


def _group(grouping: str, group: str, *, error: float, low: float, high: float) -> list[dict[str, Any]]:
    figures = {"clients": (420.0, None, None), "churn_rate": (0.31, 0.28, 0.34), "mean_error": (error, low, high)}
    return [
        {"grouping": grouping, "group": group, "metric": metric, "value": value, "lower": lower, "upper": upper}
        for metric, (value, lower, upper) in figures.items()
    ]


def _voice(theme: int, words: list[str], quotes: list[str], **more: Any) -> dict[str, Any]:
    return {"theme": theme, "words": words, "quotes": quotes, "texts": 60, "clients": 44, "share": 0.22} | more


NEWER: dict[str, Any] = {
    "themes": [
        _strength(9.4, theme="rhythm", drivers=2, strongest="days_since_last", actionable_share=0.75),
        _strength(4.1, theme="value", drivers=1, strongest="amount_sum", actionable_share=1.0),
        _strength(0.8, theme="season", drivers=1, strongest="month", actionable_share=0.0),
    ],
    "actionable": [
        _strength(11.0, actionable=True, drivers=3, strongest="days_since_last", share=0.82),
        _strength(2.0, actionable=False, drivers=1, strongest="month", share=0.18),
    ],
    "drivers_by_segment": [
        _strength(8.0, segment="top clients, low risk", driver="refunds", feature="refund_share_365d", theme="service"),
        _strength(3.0, segment="top clients, low risk", driver="days_since_last", feature="days_since_last"),
        _strength(7.0, segment="small clients, low risk", driver="days_since_last", feature="days_since_last"),
    ],
    "driver_stability": [
        {"cutoff": "2011-06-01", "previous": "2011-03-01", "drivers": 9, "rank_correlation": 0.92}
        | {"common_share": 0.88, "stability": "steady"},
        {"cutoff": "2011-09-01", "previous": "2011-06-01", "drivers": 9, "rank_correlation": 0.7}
        | {"common_share": 0.71, "stability": "shifting"},
    ],
    "changed": {
        "since": "2011-11-10",
        "days": 30,
        "composition": [
            {"standing": "both", "clients": 1100, "before_pp": 30.0, "after_pp": 32.0, "effect_pp": 1.9},
            {"standing": "new", "clients": 100, "before_pp": None, "after_pp": 20.0, "effect_pp": -1.0},
            {"standing": "gone", "clients": 60, "before_pp": 70.0, "after_pp": None, "effect_pp": -2.1},
            {"standing": "all", "clients": 1260, "before_pp": 32.1, "after_pp": 30.9, "effect_pp": -1.2},
        ],
        "themes": _changes(rhythm=2.4, value=-0.5, season=0.01),
    },
    "voice": {
        "since": "2011-06-13",
        "days": 180,
        "themes": [
            _voice(1, ["late", "parcel"], ["The parcel of [number] came late."], churn_probability=0.41)
            | {"churn_probability_others": 0.3, "difference": 0.11, "lower": 0.02, "upper": 0.2, "mood": 0.12}
            | {"change": -0.031, "scored": 40, "value_at_risk": 12_345.0, "value_share": 0.05},
            _voice(2, ["lovely", "colour"], []),
        ],
    },
    "alerts": {
        "limits": {"reply_days": 5.0, "many_offers": 4},
        "kinds": [
            {"kind": "unanswered_feedback", "clients": 31, "share": 0.03, "value_at_risk": 5432.0}
            | {"value_share": 0.04, "age_days_max": 301.0, "age_days_median": 44.0},
            {"kind": "silence_after_problem", "clients": 12, "share": 0.01, "value_at_risk": 700.0}
            | {"value_share": 0.006, "age_days_max": 80.0, "age_days_median": 21.0},
            {"kind": "promotion_fatigue", "clients": 0, "share": 0.0, "value_at_risk": 0.0}
            | {"value_share": 0.0, "age_days_max": None, "age_days_median": None},
            {"kind": "any", "clients": 43, "share": 0.04, "value_at_risk": 6132.0, "value_share": 0.046},
        ],
    },
    "comparison": [
        {"baseline": baseline, "metric": metric, "cutoff": cutoff, "better": better}
        | {"difference": middle, "lower": middle - 0.02, "upper": middle + 0.02}
        for baseline, metric, better, middle in (
            ("naive", "auc", "higher", 0.3), ("naive", "brier", "lower", -0.06), ("naive", "mae", "lower", 0.01),
            ("btyd", "auc", "higher", 0.03), ("btyd", "brier", "lower", 0.05), ("btyd", "mae", "lower", -0.5),
        )
        for cutoff in ("2011-09-01", None)
    ],
    "groups": [
        *_group("history", "enough", error=0.004, low=-0.01, high=0.02),
        *_group("history", "little", error=-0.061, low=-0.09, high=-0.03),
        *_group("region", "north", error=0.035, low=0.01, high=0.06),
        {"grouping": "region", "group": "isles", "metric": "clients", "value": 7.0},
    ],
    "data": [
        {"table": "purchases", "rows": 541_909, "clients": 4372, "first": "2010-12-01", "last": "2011-12-09"}
        | {"refunds": 19_494, "duplicates": 34_335, "longest_gap_days": 12},
    ],
}  # fmt: skip
"""What a run has kept since its page had five chapters; an older one has none of it."""


def make_run_folder(
    out: Path,
    *,
    clients: int = 1200,
    test_cutoffs: tuple[str, ...] = ("2011-03-01", "2011-06-01", "2011-09-01"),
    currency: str | None = "GBP",
    scale: float = 1.0,
    seed: int = 0,
    **metrics: Any,
) -> Path:
    """Write metrics.json, backtest.parquet and scores.parquet of a made-up run; `metrics` overrides what is written."""
    out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    curves, measures, predictions, pooled = [], [], [], []
    for place, cutoff in enumerate(test_cutoffs):
        probability, churned = _draw(clients, rng, strength=1.25 - 0.2 * place)
        predictions.append(
            pd.DataFrame({"client_id": _ids(clients), "cutoff": pd.Timestamp(cutoff), "churn_probability": probability})
        )
        curve = _gain(probability, churned)
        curves.append(curve)
        pooled.append(np.column_stack([probability, churned]))
        measures += _measures(cutoff, clients=clients, rate=churned.mean(), found=curve[20])
    scores, cuts = _scores(clients, scale=scale, rng=rng)
    scores.to_parquet(out / "scores.parquet", index=False)
    pd.concat(predictions, ignore_index=True).to_parquet(out / "backtest.parquet", index=False)
    stack = np.vstack(curves)
    content: dict[str, Any] = {
        "question": "Which wholesale clients stop buying, and what will the others spend?",
        "kind": "non-contractual",
        "horizon_days": 90,
        "gap_days": 0,
        "active_days": 365,
        "currency": currency,
        "score_cutoff": "2011-12-10",
        "test_cutoffs": list(test_cutoffs),
        "clients_scored": clients,
        "seed": 0,
        "backtest": measures,
        "gain": {
            "contacted": [step / 100 for step in range(101)],
            "found_mean": stack.mean(axis=0).tolist(),
            "found_low": stack.min(axis=0).tolist(),
            "found_high": stack.max(axis=0).tolist(),
        },
        "calibration": _calibration(np.vstack(pooled)),
        "drivers": [
            {
                "feature": name,
                "driver": name,
                "theme": "rhythm",
                "actionable": place != 2,
                "lower_pp": round(8.1 / place, 2),
                "upper_pp": round(9.9 / place, 2),
                "meaning_en": words["en"],
                "meaning_ko": words["ko"],
                "mean_abs_shap": round(0.6 / place, 3),
                "effect_pp": round(9.1 / place, 2),
                "direction": direction,
            }
            for place, (direction, (name, words)) in enumerate(zip(DIRECTIONS, MEANINGS.items(), strict=True), start=1)
        ],
        **_portfolio(scores, cuts, test_cutoffs, rng=rng),
        **NEWER,
        "notes": ["19,494 refunds were kept as negative amounts.", "34,335 rows stood twice and were counted once."],
        "btyd": {"r": 0.6711, "alpha": 47.123, "a": 0.0523, "b": 1.4432},
        "data_fingerprint": "5f9a" * 16,
        "label_fingerprint": "0c3e" * 16,
        "versions": {"loyalty": "0.1.0", "lightgbm": "4.7.0", "pandas": "3.0.1", "python": "3.11.9"},
    } | metrics
    (out / "metrics.json").write_text(json.dumps(content), encoding="utf-8")
    return out


def _ids(clients: int) -> list[str]:
    return [f"C{12_000 + number}" for number in range(clients)]


def _draw(clients: int, rng: np.random.Generator, *, strength: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and outcomes; the outcomes follow the probabilities the more, the greater the strength."""
    probability = rng.beta(0.7, 1.5, clients)
    truth = np.clip(0.32 + strength * (probability - 0.32), 0, 1)
    return probability, (rng.random(clients) < truth).astype(float)


def _gain(probability: np.ndarray, churned: np.ndarray) -> np.ndarray:
    found = np.concatenate([[0.0], np.cumsum(churned[np.argsort(-probability, kind="stable")])]) / max(churned.sum(), 1)
    return np.interp(np.linspace(0, 1, 101), np.linspace(0, 1, len(found)), found)


def _measures(cutoff: str, *, clients: int, rate: float, found: float) -> list[dict[str, Any]]:
    models = {
        "naive": {
            "auc": 0.5,
            "log_loss": 0.684,
            "brier": 0.245,
            "mean_error": -0.031,
            "lift_top_20": 1.0,
            "found_top_20": 0.2,
            "mae": 402.0,
            "spearman": None,
            "gini": float("nan"),
            "decile_mape": 1.9,
            "total_error": 0.21,
        },
        "btyd": {
            "auc": 0.774,
            "log_loss": 0.571,
            "brier": 0.194,
            "mean_error": 0.022,
            "lift_top_20": 1.9,
            "found_top_20": 0.38,
            "mae": 311.0,
            "spearman": 0.51,
            "gini": 0.71,
            "decile_mape": 0.44,
            "total_error": 0.08,
        },
        "lightgbm": {
            "auc": 0.803,
            "log_loss": 0.541,
            "brier": 0.181,
            "mean_error": 0.012,
            "lift_top_20": found / 0.2,
            "found_top_20": found,
            "mae": 287.0,
            "spearman": 0.58,
            "gini": 0.77,
            "decile_mape": 0.31,
            "total_error": -0.04,
        },
    }
    return [
        {"model": model, "cutoff": cutoff, "metric": metric, "value": value}
        for model, numbers in models.items()
        for metric, value in {"clients": clients, "churn_rate": rate, **numbers}.items()
    ]


def _calibration(pairs: np.ndarray) -> list[dict[str, float]]:
    groups = np.array_split(pairs[np.argsort(pairs[:, 0], kind="stable")], 10)
    return [
        {"predicted": float(group[:, 0].mean()), "observed": float(group[:, 1].mean()), "clients": len(group)}
        for group in groups
        if len(group)
    ]


def _portfolio(
    scores: pd.DataFrame, cuts: ValueRiskCuts, test_cutoffs: tuple[str, ...], *, rng: np.random.Generator
) -> dict[str, Any]:
    """Totals with their intervals, how often intervals held, and who moved: a month ago clients were anywhere."""
    errors = PortfolioErrors(common=0.1, own=0.1, dispersion=50.0, cutoffs=3.0)
    movement: dict[str, Any] = {"since": "2011-11-10", "days": 30, "loyalty_score": 48.25}
    for column in ("segment", "rfm_segment"):
        here = pd.DataFrame({"segment": scores[column], "value": scores["value_at_risk"]}).set_axis(scores["client_id"])
        before = here.assign(segment=rng.permutation(here["segment"])).iloc[: max(1, len(here) - 5)]
        movement[column] = segment_movement(before, here).to_dict("records")
    return {
        "totals": {
            name: portfolio_interval(scores[name], errors=errors, by=scores["segment"]).to_dict("records")
            for name in ("expected_value", "value_at_risk")
        },
        "intervals": [
            {"cutoff": cutoff, "coverage": 0.91, "clients": len(scores), "value": 9e5, "expected": 8e5}
            | {"lower": 6e5, "upper": 1.1e6}
            for cutoff in test_cutoffs
        ],
        "hindsight": [
            {"cutoff": test_cutoffs[0], "clients": len(scores), "figure": "value", "days": 90 * k}
            | {"told": 9e5 * k, "naive": None if k == 1 else 7e5 * k, "came": 8e5 * k}
            for k in (1, 2, 3)
        ],
        "yardsticks": {"features": [], "value_risk": {"value": cuts.value, "risk": cuts.risk}, "rfm": None},
        "movement": movement,
    }


def _scores(clients: int, *, scale: float, rng: np.random.Generator) -> tuple[pd.DataFrame, ValueRiskCuts]:
    probability, _ = _draw(clients, rng)
    spend = scale * rng.lognormal(6.2, 1.3, clients) * (1.3 - probability)
    features = np.array(list(MEANINGS))
    draws = {
        "days_since_last": lambda: rng.integers(1, 360),
        "orders_count_365d": lambda: rng.integers(1, 30),
        "amount_sum_90d": lambda: scale * rng.lognormal(5, 1),
        "overdue_ratio": lambda: rng.lognormal(0, 1),
        "refund_share_365d": lambda: rng.random(),
        "products_count_365d": lambda: rng.integers(1, 400),
    }
    frame = pd.DataFrame(
        {
            "client_id": _ids(clients),
            "cutoff": pd.Timestamp("2011-12-10"),
            "churn_probability": probability,
            "expected_value": spend * (1 - probability) / 4,
            "amount_sum_365d": spend,
            "value_at_risk": probability * spend,
        }
    )
    cuts = ValueRiskCuts.fit(frame)
    frame["segment"] = value_risk_segments(frame, cuts=cuts)["segment"].astype(str)
    frame["rfm_segment"] = rng.choice([words["en"] for words in RFM_SEGMENTS.values()], clients)
    frame["value_lower"], frame["value_upper"] = 0.0, 3 * frame["expected_value"]
    frame["too_little_history"] = rng.random(clients) < 0.1
    frame["loyalty_score"] = 100 * (1 - probability) ** 0.5
    frame["loyalty_staying"], frame["loyalty_satisfaction"] = 100 * (1 - probability), np.nan
    frame["loyalty_regularity"], frame["loyalty_spend"] = 50 * (1 - probability), rng.uniform(0, 100, clients)
    chosen = np.array([rng.choice(features, 3, replace=False) for _ in range(clients)])
    for place in (1, 2, 3):
        names = chosen[:, place - 1]
        frame[f"reason_{place}"] = names
        frame[f"reason_{place}_value"] = [float(draws[name]()) for name in names]
        frame[f"reason_{place}_shap"] = rng.normal(0.3, 0.4, clients)
    return frame, cuts
