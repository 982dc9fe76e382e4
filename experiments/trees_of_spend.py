"""See how many trees of the mean to grow upon those of logarithms, and what trees of all clients weigh beside them.

    python experiments/trees_of_spend.py DATA [--only cdnow cohorts ...]

DATA is the folder that holds the data; the configs beside this file say what is read. The cutoffs are those of
`extrapolation.py`, all before the test cutoffs; what the figures mean is said in `value_comparison.md`.
"""

from collections.abc import Mapping
from unittest.mock import patch

import pandas as pd
from extrapolation import lessons_asked_for
from value_comparison import Forecast, figures_of

from loyalty.fitting import Lesson
from loyalty.models.value import _MEAN_TREES_PER_LOG_TREE
from loyalty.panels import Panels

#: Trees of the mean for each of logarithms, where trees of all clients weigh nothing.
MEAN = {f"{share:.2f} trees of the mean": (share, 0.0) for share in (0.0, 0.1, 0.2, 1 / 3, 0.5, 1.0)}
#: Weights of the trees of all clients, beside as many trees of the mean as the default has.
WHOLE = {f"all clients weigh {weight:.1f}": (_MEAN_TREES_PER_LOG_TREE, weight) for weight in (0.0, 0.2, 0.4, 0.6)}


def main() -> None:
    for _, panels, lessons in lessons_asked_for(__doc__):
        for kinds in (MEAN, WHOLE):
            figures = pd.concat([judge(panels, lesson, kinds) for lesson in lessons])
            print(beside_the_first(figures.groupby(level=0, sort=False).mean()).round(2).to_string(), flush=True)


def judge(panels: Panels, lesson: Lesson, kinds: Mapping[str, tuple[float, float]]) -> pd.DataFrame:
    """Judge the value model of each kind at the test cutoff of a lesson."""
    spend = panels.labels([lesson.split.test], known_before=None).loc[lesson.latest.index, "value"].to_numpy(float)
    churn, figures = lesson.fit_churn(), {}
    for kind, (mean, whole) in kinds.items():
        with patch.multiple("loyalty.models.value", _MEAN_TREES_PER_LOG_TREE=mean, _WHOLE_WEIGHT=whole):
            figures[kind] = figures_of(Forecast(lesson.fit_value(churn=churn).predict(lesson.latest)), spend)
    return pd.DataFrame.from_dict(figures, orient="index")


def beside_the_first(figures: pd.DataFrame) -> pd.DataFrame:
    """Tell what changes: errors in percent, orders in ten thousandths."""
    first = figures.iloc[0]
    errors, orders = ["deviance", "RMSE", "MAE", "decile MAPE"], ["Spearman", "Gini"]
    return (100 * (figures[errors] / first[errors] - 1)).join(1e4 * (figures[orders] - first[orders]))


if __name__ == "__main__":
    main()
