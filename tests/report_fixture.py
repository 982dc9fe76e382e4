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
                "meaning_en": words["en"],
                "meaning_ko": words["ko"],
                "mean_abs_shap": round(0.6 / place, 3),
                "effect_pp": round(9.1 / place, 2),
                "direction": direction,
            }
            for place, (direction, (name, words)) in enumerate(zip(DIRECTIONS, MEANINGS.items(), strict=True), start=1)
        ],
        **_portfolio(scores, cuts, test_cutoffs, rng=rng),
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
