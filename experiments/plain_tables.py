"""Judge `ChurnModel` on tables without dates, beside LightGBM's defaults and logistic regression.

    python experiments/plain_tables.py DATA

DATA is the folder that holds the data; `telco_ibm.parquet` and `iranian_churn.parquet` are read. Every model has its
default settings. Five stratified folds, five times over; all models are judged on the same folds.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from loyalty.models.churn import ChurnModel

FIGURES: dict[str, Callable[..., float]] = {
    "AUC": roc_auc_score,
    "log loss": log_loss,
    "Brier": brier_score_loss,
}
OURS = "ChurnModel"


def read_telco(folder: Path) -> tuple[pd.DataFrame, pd.Series]:
    """Read IBM's clients of a telephone company; the id tells of single clients."""
    clients = pd.read_parquet(folder / "telco_ibm.parquet")
    return clients.drop(columns=["customer_id", "churn"]), (clients["churn"] == "Yes").astype(int)


def read_iranian(folder: Path) -> tuple[pd.DataFrame, pd.Series]:
    """Read the clients of an Iranian telephone company; all columns are numbers."""
    clients = pd.read_parquet(folder / "iranian_churn.parquet")
    return clients.drop(columns="churn").astype(float), clients["churn"].astype(int)


TABLES = {"Telco": read_telco, "Iranian churn": read_iranian}


def lightgbm_default() -> Any:
    """Take LightGBM as it comes; categories are its own."""
    return LGBMClassifier(verbose=-1, n_jobs=1, random_state=0)


def logistic_regression() -> Any:
    """Take scikit-learn's default, on standardised numbers and levels as columns; what is missing counts as 0."""
    text = make_column_selector(dtype_include=["object", "string"])
    encoded = make_column_transformer((OneHotEncoder(drop="first"), text), remainder=StandardScaler())
    return make_pipeline(encoded, LogisticRegression(max_iter=1000))


def judged(model: Any, X: pd.DataFrame, y: pd.Series, learned: Any, held_out: Any) -> dict[str, float]:
    """Fit a model to a fold and judge it on the rest."""
    started = time.process_time()
    fitted = model.fit(X.iloc[learned], y.iloc[learned])
    seconds = time.process_time() - started
    told = fitted.predict_proba(X.iloc[held_out])[:, 1]
    return {name: figure(y.iloc[held_out], told) for name, figure in FIGURES.items()} | {"CPU seconds": seconds}


def folds(X: pd.DataFrame, y: pd.Series, *, repeats: int, seed: int) -> Iterator[tuple[Any, Any]]:
    """Lay the folds of the protocol."""
    return RepeatedStratifiedKFold(n_splits=5, n_repeats=repeats, random_state=seed).split(X, y)


def compare(X: pd.DataFrame, y: pd.Series, *, repeats: int = 5, seed: int = 0) -> pd.DataFrame:
    """Judge all models on the same folds; one row for each model and fold."""
    known = X.fillna(0)
    categories = X.astype(dict.fromkeys(X.select_dtypes(["object", "string"]), "category"))
    rows = []
    for fold, (learned, held_out) in enumerate(folds(X, y, repeats=repeats, seed=seed)):
        models = {
            OURS: (ChurnModel(), X),
            "LightGBM's defaults": (lightgbm_default(), categories),
            "logistic regression": (logistic_regression(), known),
        }
        for name, (model, table) in models.items():
            rows.append({"model": name, "fold": fold} | judged(model, table, y, learned, held_out))
    return pd.DataFrame(rows).set_index(["model", "fold"])


def told(table: pd.DataFrame) -> str:
    """Write the means, and how far each baseline is from `ChurnModel` on the same folds."""
    lines = ["means over the folds", table.groupby("model", sort=False).mean().round(4).to_string()]
    ours = table.xs(OURS)
    for name in table.index.unique("model").drop(OURS):
        less = (ours - table.xs(name))[list(FIGURES)]
        said = [f"{figure} {less[figure].mean():+.4f} (s.d. {less[figure].std():.4f})" for figure in FIGURES]
        better = int(np.sum(less["log loss"] < 0))
        lines.append(f"{OURS} less {name}: {', '.join(said)}; lower log loss on {better} of {len(less)} folds")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seed", type=int, default=0, help="of the folds; 0 is the protocol")
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    for name, read in TABLES.items():
        X, y = read(asked.data)
        table = compare(X, y, repeats=asked.repeats, seed=asked.seed)
        print(f"\n{name}: {len(X):,} clients, of whom {y.mean():.3f} leave\n{told(table)}", flush=True)


if __name__ == "__main__":
    main()
