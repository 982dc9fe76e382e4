"""See what is lost where the models learn from clients who were drawn, and what is won.

    python experiments/drawn_clients.py [--clients 100000] [--rows 30000 100000 ...]
    python experiments/drawn_clients.py --data DATA [--rows 5000 10000 ...]

Without DATA the shop is invented, of `invented_shops.py`, with a season; with DATA, the folder that holds the data, it
is CDNOW, at the cutoffs of `extrapolation.py`. What the figures mean is said in `drawn_clients.md`.
"""

import argparse
import resource
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from extrapolation import cases
from invented_shops import SETTING, Shop, season
from value_comparison import Forecast, figures_of

from loyalty.evaluation import churn_metrics
from loyalty.fitting import Lesson
from loyalty.histories import Histories, HistoriesWarning
from loyalty.panels import Panels
from loyalty.setting import Setting

CUTOFF = pd.Timestamp("2024-09-01")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--clients", type=int, default=100_000)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 30_000, 100_000, 300_000, 1_000_000])
    given = parser.parse_args()
    warnings.simplefilter("ignore", HistoriesWarning)
    for title, histories, setting, cutoffs in shops(given):
        told = {}
        for rows in sorted(given.rows):  # the most last: memory tells the most there ever was
            panels = Panels(histories, replace(setting, rows_at_most=rows))
            told[f"{rows:,}"] = pd.DataFrame([judge(panels, cutoff) for cutoff in cutoffs]).mean()
        print(f"\n{title}\n{pd.DataFrame(told).T.round(4).to_string()}", flush=True)


def shops(given: argparse.Namespace) -> Iterator[tuple[str, Histories, Setting, list[pd.Timestamp]]]:
    """Read CDNOW, or invent a shop."""
    if given.data is None:
        bills = Shop(clients=given.clients, intensity=season).purchases(seed=1)
        yield f"{given.clients:,} clients, {len(bills):,} purchases", Histories(bills), SETTING, [CUTOFF]
        return
    for _, panels, cutoffs in cases("cdnow", given.data):
        setting = panels.setting
        title = f"CDNOW, {setting.outcome.horizon.days} days, {len(cutoffs)} cutoffs"
        yield title, panels.histories, setting, [pd.Timestamp(cutoff) for cutoff in cutoffs]


def judge(panels: Panels, cutoff: pd.Timestamp) -> dict[str, float]:
    """Judge the models at a cutoff, whoever they learned from."""
    began = time.monotonic()
    (split,) = panels.setting.splits(panels.histories, [cutoff])
    lesson = Lesson.of(panels, split)
    truth = panels.labels([cutoff], known_before=None).loc[lesson.latest.index]
    churn = lesson.fit_churn()
    value = lesson.fit_value(churn=churn)
    lesson.learn_uncertainty(churn=churn, value=value)
    metrics = churn_metrics(truth["churned"].to_numpy(), churn.predict_proba(lesson.latest)[:, 1])
    spend = figures_of(Forecast(value.predict(lesson.latest)), truth["value"].to_numpy(dtype=float))
    return {
        "rows": len(lesson.X),
        "AUC": metrics["auc"],
        "log loss": metrics["log_loss"],
        "deviance": spend["deviance"],
        "RMSE": spend["RMSE"],
        "Gini": spend["Gini"],
        "off total": np.abs(spend["total error"]),
        "seconds": time.monotonic() - began,
        "GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


if __name__ == "__main__":
    main()
