"""Predictions of made-up models, as a backtest holds them."""

import numpy as np
import pandas as pd

CUTOFFS = pd.to_datetime(["2025-01-01", "2025-04-01", "2025-07-01"])


def rows_of(model, *, seed=0, clients=120, cutoffs=CUTOFFS, noise=0.2, intervals=False):
    """Predictions of one model; outcomes depend on the seed alone, so that models can share them."""
    truth, own = np.random.default_rng(seed), np.random.default_rng([seed, *model.encode()])
    parts = []
    for cutoff in cutoffs:
        risk = truth.uniform(0.05, 0.95, clients)
        churned = (truth.random(clients) < risk).astype(float)
        value = np.where(churned == 1, 0.0, truth.lognormal(3, 1, clients)).round(2)
        probability = np.clip(risk + own.normal(0, noise, clients), 0, 1).round(2)
        expected = np.exp(3 + own.normal(0, noise, clients)) * (1 - probability)
        here = {"client_id": np.arange(clients), "cutoff": cutoff, "churn_probability": probability}
        parts.append(pd.DataFrame(here | {"expected_value": expected, "churned": churned, "value": value}))
    rows = pd.concat(parts, ignore_index=True).assign(model=model)
    if intervals:
        rows = rows.assign(value_lower=0.0, value_upper=2.5 * rows["expected_value"])
    return rows
