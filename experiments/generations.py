"""Tell clients who were there when the records began from those who came since, and see what becomes of both.

    python experiments/generations.py DATA

DATA is the folder that holds the data; the configs beside this file say what is read, here at cutoffs before those of
the test. First the spend that followed over what one population leads to expect, by when a client was first seen. Then
buy till you die, and the models of a run that hear it, with one generation and with those that are told apart. What it
means is said in `generations.md`.
"""

import argparse
import warnings
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd

from loyalty.btyd import _generations
from loyalty.config import read_config, read_histories
from loyalty.evaluation import churn_metrics, value_metrics
from loyalty.experiment import setting_of
from loyalty.fitting import Lesson
from loyalty.histories import HistoriesWarning
from loyalty.panels import Panels
from loyalty.timeline import Outcome

HERE = Path(__file__).parent
#: Cutoffs before those of the test, and the horizon where it is not that of the config.
CASES = {
    "online_retail_2": (["2010-10-01", "2010-11-01", "2010-12-01"], None),
    "complete_journey": (["2017-06-01", "2017-07-01", "2017-08-01"], None),
    "cdnow": (["1997-09-01", "1997-10-01"], "91d"),
}
#: The first day of each group of clients, counted from the beginning of the records.
SEEN = (0, 14, 30, 60, 90, 135, 180, 270)
#: More clients than ever bought again.
NEVER = 10**9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    warnings.simplefilter("ignore", HistoriesWarning)
    for name, (cutoffs, horizon) in CASES.items():
        config = read_config(HERE / f"{name}.toml")
        histories = read_histories(config, data)
        setting = setting_of(config)
        if horizon:
            setting = replace(setting, outcome=Outcome.of(horizon=horizon))
        print(f"\n{name}, horizon {setting.outcome.horizon.days} days")
        figures = {}
        for many, few in (("one", NEVER), ("told apart", _generations._FEW)):
            # So many must have bought again that nobody's rates are told apart; or as many as the package asks for.
            with patch.object(_generations, "_FEW", few):
                panels = Panels(histories, setting, config.features)
                splits = setting.splits(histories, [pd.Timestamp(cutoff) for cutoff in cutoffs])
                lessons = [Lesson.of(panels, split) for split in splits]
            if many == "one":
                tell_by_arrival(lessons[-1], histories.first_event)
            truths = [panels.labels([split.test], known_before=None) for split in splits]
            figures[many] = pd.DataFrame([judge(*pair) for pair in zip(lessons, truths, strict=True)]).mean()
        print(pd.DataFrame(figures).round(4))


def tell_by_arrival(lesson: Lesson, began: pd.Timestamp) -> None:
    """Print the spend of clients over what was expected of them, by when they were first seen, at each cutoff."""
    X = lesson.X
    at = X.index.get_level_values("cutoff")
    seen = (at - began.floor("D")) / pd.Timedelta(days=1) - X["T"]
    day = pd.cut(seen, [*SEEN, np.inf], right=False, labels=list(SEEN))
    told = (
        ((1 - X["silence_probability"]) * X["amount_expected_if_buying"]).groupby([at.date, day], observed=True).sum()
    )
    true = lesson.labels["value"].groupby([at.date, day], observed=True).sum()
    ratio = (true / told).rename_axis(["cutoff", "first seen from day"]).rename("ratio").reset_index()
    print("spend over what one population leads to expect")
    print(ratio.pivot_table("ratio", "cutoff", "first seen from day").round(2))


def judge(lesson: Lesson, truth: pd.DataFrame) -> dict[str, float]:
    """Judge buy till you die alone, and the models that hear it."""
    truth = truth.loc[lesson.latest.index]
    silent = lesson.latest["silence_probability"].fillna(truth["churned"].mean())
    spend = ((1 - silent) * lesson.latest["amount_expected_if_buying"]).fillna(0.0)
    churn = lesson.fit_churn()
    value = lesson.fit_value(churn=churn)
    told = {
        "btyd": (silent, spend),
        "run": (churn.predict_proba(lesson.latest)[:, 1], value.predict(lesson.latest)),
    }
    figures = {}
    for model, (probability, expected) in told.items():
        found = churn_metrics(truth["churned"], probability) | value_metrics(truth["value"], expected)
        for metric in ("auc", "log_loss", "mae", "spearman", "gini", "total_error"):
            figures[f"{model} {metric}"] = found[metric]
    return figures


if __name__ == "__main__":
    main()
