"""See what buy till you die, the second opinion of both models, is off by from cutoff to cutoff.

    python experiments/second_opinion.py DATA [--only cdnow cohorts ...]

DATA is the folder that holds the data; the configs beside this file say what is read. The cutoffs are those of
`extrapolation.py`; what the figures mean is said in `extrapolation.md`.
"""

import numpy as np
import pandas as pd
from extrapolation import lessons_asked_for

from loyalty.fitting import Lesson
from loyalty.models.calibration import level_errors, log_odds
from loyalty.panels import Panels


def main() -> None:
    found = []
    for title, panels, lessons in lessons_asked_for(__doc__):
        rows = pd.DataFrame([judge(panels, lesson) for lesson in lessons])
        print(rows.round(2).to_string(), flush=True)
        found.append(rows.assign(set=title))
    after = pd.concat(found)[["churn after", "spend after"]]
    print(f"\nRoot mean square of what came after, {len(after)} cutoffs")
    print(np.sqrt((after**2).mean()).round(2).to_string())


def judge(panels: Panels, lesson: Lesson) -> dict[str, object]:
    """Tell the mean and the spread of the errors at the cutoffs learned from, and the error at the one after."""
    truth = panels.labels([lesson.split.test], known_before=None).loc[lesson.latest.index]
    past, after = errors(lesson.X, lesson.labels), errors(lesson.latest, truth)
    told: dict[str, object] = {"cutoff": lesson.split.test.date()}
    for what in past:
        told |= {
            f"{what} before": past[what].mean(),
            f"{what} spread": past[what].std(ddof=0),
            f"{what} after": after[what].iloc[0],
        }
    return told


def errors(X: pd.DataFrame, labels: pd.DataFrame) -> dict[str, pd.Series]:
    """Tell by cutoff what must be added, in log-odds to the chance of leaving, and in logarithms to the spend."""
    cutoffs = pd.DatetimeIndex(X.index.get_level_values("cutoff"))
    silent, left = X["silence_probability"].to_numpy(), labels["churned"].to_numpy()
    told = pd.Series((1 - silent) * X["amount_expected_if_buying"].to_numpy(), index=cutoffs)
    spent = pd.Series(labels["value"].to_numpy(), index=cutoffs)
    sums = spent.groupby(level=0).sum() / told.groupby(level=0).sum()
    return {"churn": level_errors(log_odds(silent, np.zeros(len(X))), left, cutoffs), "spend": np.log(sums)}


if __name__ == "__main__":
    main()
