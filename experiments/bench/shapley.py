"""CPU seconds of SHAP values for many clients: LightGBM alone, and as `ChurnModel.contributions` works them out.

python experiments/bench/shapley.py [--clients 100000] [--leaves 7] [--repeat 3] [--alone 100000]
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
    parser.add_argument("--leaves", type=int, default=7)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--alone", type=int, help="clients that LightGBM is asked about, its time multiplied up")
    given = parser.parse_args()
    clients, alone_clients = given.clients, min(given.clients, given.alone or given.clients)
    X, left = made_up(max(clients, 20_000))
    model = ChurnModel(n_estimators=300, num_leaves=given.leaves, n_jobs=1).fit(X[:20_000], left[:20_000])
    X = X[:clients]
    print(f"{clients:,} clients, {FEATURES} features, {model.booster_.num_trees()} trees of {given.leaves} leaves")
    values = X[:alone_clients].to_numpy()
    for _ in range(given.repeat):
        began = time.process_time()
        alone = model.booster_.predict(values, pred_contrib=True, num_threads=1)
        between = time.process_time()
        ours = model.contributions(X)
        ended = time.process_time()
        theirs, mine = (between - began) * clients / alone_clients, ended - between
        off = np.abs(ours[:alone_clients, :-1] - model.calibration_.slope * alone[:, :-1]).max()
        print(
            f"LightGBM alone {theirs:.2f} CPU-s, contributions {mine:.2f} CPU-s: {theirs / mine:.1f} times less; ",
            end="",
        )
        print(f"furthest apart {off:.1e} in log-odds")


if __name__ == "__main__":
    main()
