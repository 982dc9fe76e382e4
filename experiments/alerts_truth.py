"""How many more clients with an alert the made-up shop really loses: `python experiments/alerts_truth.py`.

The hazard of leaving that each failure adds is known there, week by week; no alert knows it.
"""

import numpy as np
import pandas as pd

from loyalty import Histories, alert_list
from loyalty.alerts import ALERTS
from loyalty.datasets import _world, synthetic_tables
from loyalty.datasets._history import History

CLIENTS, SEEDS, CUTOFFS = 4_000, (1, 2), ("2025-02-01", "2025-05-01", "2025-08-01")
START, DAYS = pd.Timestamp("2023-01-01"), 1096
#: Which of the world's pushes (ignored complaint, silence, offers) an alert is meant to find.
PUSHES = {"unanswered_feedback": [0], "silence_after_problem": [0, 1], "promotion_fatigue": [2]}


def measure(seed: int, cutoff: pd.Timestamp) -> list[dict[str, object]]:
    world = _world.World()
    made = History(CLIENTS, seed, _world.Calendar(START, DAYS, world.season), world)
    histories = Histories(**synthetic_tables(CLIENTS, seed=seed).tables)
    ids = histories.population(cutoff=cutoff).execute()["client_id"]
    alerts = alert_list(histories, pd.DataFrame({"client_id": ids, "value_at_risk": 1.0}), cutoff=cutoff)
    day = (cutoff - START).days
    place = pd.Index(made.ids).get_indexer(ids)
    place = place[made.leaving.time[place] >= day]  # the others are lost already
    rows = []
    for kind in ALERTS:
        listed = np.isin(made.ids[place], alerts.loc[alerts["kind"] == kind, "client_id"])
        pushed = made.leaving.pushes[PUSHES[kind]][:, place, day // 7].sum(axis=0)
        leaves = made.leaving.time[place] < day + 90
        for name, chosen in (("listed", listed), ("others", ~listed)):
            figures = {"clients": chosen.sum(), "added hazard": pushed[chosen].mean(), "left": leaves[chosen].mean()}
            rows.append({"kind": kind, "group": name, **figures})
    return rows


if __name__ == "__main__":
    told = pd.DataFrame([row for seed in SEEDS for day in CUTOFFS for row in measure(seed, pd.Timestamp(day))])
    mean = told.groupby(["kind", "group"], sort=False).agg({"clients": "sum", "added hazard": "mean", "left": "mean"})
    print(mean.round(3).to_string())
