"""See how many trees of the mean to grow upon those of logarithms, at cutoffs before the test cutoffs.

    python experiments/trees_of_the_mean.py DATA [--only cdnow cohorts ...]

DATA is the folder that holds the data; the configs beside this file say what is read. The cutoffs are those of
`extrapolation.py`; what the figures mean is said in `value_comparison.md`.
"""

from unittest.mock import patch

import pandas as pd
from extrapolation import lessons_asked_for
from value_comparison import Forecast, figures_of

from loyalty.fitting import Lesson, Panels

#: Trees of the mean for each of logarithms; none is what the others are set beside.
SHARES = (0.0, 0.1, 0.2, 1 / 3, 0.5, 1.0)


def main() -> None:
    for _, panels, lessons in lessons_asked_for(__doc__):
        figures = pd.concat([judge(panels, lesson) for lesson in lessons])
        print(beside_none(figures.groupby(level=0).mean()).round(2).to_string(), flush=True)


def judge(panels: Panels, lesson: Lesson) -> pd.DataFrame:
    """Judge the value model with each share of trees of the mean at the test cutoff of a lesson."""
    spend = panels.labels([lesson.split.test], known_before=None).loc[lesson.latest.index, "value"].to_numpy(float)
    churn, figures = lesson.fit_churn(), {}
    for share in SHARES:
        with patch("loyalty.models.value._MEAN_TREES_PER_LOG_TREE", share):
            figures[share] = figures_of(Forecast(lesson.fit_value(churn=churn).predict(lesson.latest)), spend)
    return pd.DataFrame.from_dict(figures, orient="index")


def beside_none(figures: pd.DataFrame) -> pd.DataFrame:
    """Tell what changes: errors in percent, orders in ten thousandths."""
    without = figures.loc[0.0]
    errors, orders = ["deviance", "RMSE", "MAE", "decile MAPE"], ["Spearman", "Gini"]
    return (100 * (figures[errors] / without[errors] - 1)).join(1e4 * (figures[orders] - without[orders]))


if __name__ == "__main__":
    main()
