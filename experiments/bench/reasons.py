"""CPU seconds of the reasons of many made-up clients, with and without the SHAP values they rest on.

python experiments/bench/reasons.py [--clients 100000]
"""

import argparse
import time

import pandas as pd

from loyalty import ChurnModel, Histories, build_labels, build_panel, reason_codes
from loyalty.datasets import synthetic_tables

LEARNED_AT, ASKED_AT, HORIZON = "2025-06-01", "2025-11-01", "90d"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=100_000)
    clients = parser.parse_args().clients
    histories = Histories(synthetic_tables(clients).tables["purchases"])
    panel = build_panel(histories, cutoffs=[LEARNED_AT, ASKED_AT], horizon=HORIZON)
    X, asked = (panel.xs(pd.Timestamp(day), level="cutoff", drop_level=False) for day in (LEARNED_AT, ASKED_AT))
    labels = build_labels(histories, cutoffs=LEARNED_AT, horizon=HORIZON).loc[X.index, "churned"]
    model = ChurnModel(n_jobs=1, embargo=HORIZON).fit(X, labels)
    reason_codes(model, asked.iloc[:3_000])  # what is imported and compiled once
    began = time.process_time()
    parts = model.contributions(asked)
    between = time.process_time()
    model.contributions = lambda _: parts
    for language in ("en", "ko"):
        start = time.process_time()
        reason_codes(model, asked, language=language)
        print(f"reasons ({language}): {time.process_time() - start:.2f} CPU-s beside the SHAP values")
    print(f"{len(asked):,} clients, {asked.shape[1]} features; SHAP values: {between - began:.2f} CPU-s")


if __name__ == "__main__":
    main()
