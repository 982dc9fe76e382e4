"""CPU seconds of SHAP values for many clients: LightGBM alone, and as `ChurnModel.contributions` works them out.

python experiments/bench/shapley.py [--clients 100000]
"""

import argparse
import time

import numpy as np
import pandas as pd

from loyalty.models.churn import ChurnModel

FEATURES = 60


def made_up(clients: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Clients with features of which a twentieth is missing, and who left."""
    rng = np.random.default_rng(0)
    values = rng.gamma(1.0, 50.0, size=(clients, FEATURES))
    values[rng.random(values.shape) < 0.05] = np.nan
    odds = np.nan_to_num(values[:, :8]).sum(axis=1) / 140 - 3
    return pd.DataFrame(values, columns=[f"feature_{i}" for i in range(FEATURES)]), rng.logistic(size=clients) < odds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=100_000)
    clients = parser.parse_args().clients
    X, left = made_up(clients)
    model = ChurnModel(n_estimators=300, n_jobs=1).fit(X[:20_000], left[:20_000])
    model.contributions(X[:3_000])  # what is imported and compiled once
    values = X.to_numpy()
    began = time.process_time()
    alone = model.booster_.predict(values, pred_contrib=True, num_threads=1)
    between = time.process_time()
    ours = model.contributions(X)
    ended = time.process_time()
    off = np.abs(ours[:, :-1] - model.calibration_.slope * alone[:, :-1]).max()
    print(f"{clients:,} clients, {FEATURES} features, {model.booster_.num_trees()} trees")
    print(f"LightGBM alone {between - began:.1f} CPU-s, contributions {ended - between:.1f} CPU-s")
    print(f"{(between - began) / (ended - between):.1f} times less; furthest apart {off:.1e} in log-odds")


if __name__ == "__main__":
    main()
