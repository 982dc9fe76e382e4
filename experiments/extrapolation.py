"""See what the models gain from going on beyond what their trees have seen.

    python experiments/extrapolation.py DATA [--only cdnow cohorts ...]

DATA is the folder that holds the data; the configs beside this file say what is read, here at cutoffs whose outcomes
were decided before the first of the test. Each kind of model learns from the same panels. What it means is said in
`extrapolation.md`.
"""

import argparse
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pandas as pd
from interval_coverage import CASES, HERE
from value_comparison import Forecast, figures_of

from loyalty.config import read_config, read_histories
from loyalty.evaluation import churn_metrics
from loyalty.experiment import setting_of
from loyalty.fitting import Lesson
from loyalty.histories import Histories, HistoriesWarning
from loyalty.panels import Panels
from loyalty.timeline import Outcome

#: Clients of Online Retail II who first bought between two days: how they age, seen at these cutoffs.
COHORTS = [
    ("2009-12-01", "2010-03-01", "120d", ["2010-08-01", "2010-09-01"]),
    ("2009-12-01", "2010-03-01", "90d", ["2010-10-01", "2010-11-01", "2010-12-01"]),
    ("2010-03-01", "2010-06-15", "90d", ["2010-11-01", "2010-12-01"]),
]
#: Share of the slope that goes on: of churn, and of spend beside the default for churn.
CHURN, VALUE = (0.0, 0.5, 1.0), (0.0, 0.25, 0.5)


def main() -> None:
    for title, panels, lessons in lessons_asked_for(__doc__):
        figures = pd.DataFrame([row for lesson in lessons for row in judge(panels, lesson)])
        print(figures.groupby(["model", "share"]).mean().round(4).to_string(), flush=True)
        if title == "cdnow":
            print(by_silence(panels, lessons[-1]).round(3).to_string(), flush=True)


def lessons_asked_for(description: str | None) -> Iterator[tuple[str, Panels, list[Lesson]]]:
    """Read the command line, and gather for each case asked for what is learned at its cutoffs."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", nargs="+", choices=[*CASES, "cohorts"], default=[*CASES, "cohorts"])
    given = parser.parse_args()
    warnings.simplefilter("ignore", HistoriesWarning)
    for name in given.only:
        for title, panels, cutoffs in cases(name, given.data):
            setting = panels.setting
            splits = setting.splits(panels.histories, [pd.Timestamp(cutoff) for cutoff in cutoffs])
            print(f"\n{title}, horizon {setting.outcome.horizon.days} days, cutoffs: {len(cutoffs)}")
            yield title, panels, [Lesson.of(panels, split) for split in splits]


def cases(name: str, data: Path) -> Iterator[tuple[str, Panels, list[str]]]:
    """Make the panels of a data set, or of the cohorts of one."""
    config = read_config(HERE / f"{'online_retail_2' if name == 'cohorts' else name}.toml")
    setting = setting_of(config)
    if name != "cohorts":
        histories = read_histories(config, data)
        for cutoffs, horizon in CASES[name]:
            other = setting if horizon is None else replace(setting, outcome=Outcome.of(horizon=horizon))
            yield name, Panels(histories, other, config.features), cutoffs
        return
    table = config.data.tables()["purchases"]
    sales = pd.read_parquet(data / table.path).query("not overlap and customer_id.notna() and unit_price > 0")
    first = sales.groupby("customer_id")["invoice_date"].transform("min")
    for start, end, horizon, cutoffs in COHORTS:
        cohort = sales[(first >= start) & (first < end)]
        histories = Histories(cohort, columns={"purchases": table.columns})
        everyone = replace(setting, outcome=Outcome.of(horizon=horizon), active=None)
        yield f"first bought {start} to {end}", Panels(histories, everyone, config.features), cutoffs


def judge(panels: Panels, lesson: Lesson) -> Iterator[dict[str, object]]:
    """Judge churn and value models of each kind at the test cutoff of a lesson."""
    truth = panels.labels([lesson.split.test], known_before=None).loc[lesson.latest.index]
    left, spend = truth["churned"].to_numpy(), truth["value"].to_numpy()
    for share in CHURN:
        with patch("loyalty.models.line._SHARE", share):
            churn = lesson.fit_churn()
        told = churn.predict_proba(lesson.latest)[:, 1]
        metrics = churn_metrics(left, told)
        yield {"model": "churn", "share": share, "AUC": metrics["auc"], "log loss": metrics["log_loss"]}
    churn = lesson.fit_churn()
    for share in VALUE:
        with patch("loyalty.models.value._SHARE", share):
            told = lesson.fit_value(churn=churn).predict(lesson.latest)
        yield {"model": "value", "share": share, **figures_of(Forecast(told), spend)}


def by_silence(panels: Panels, lesson: Lesson) -> pd.DataFrame:
    """Tell of clients who never came back how many do within the horizon, by how long they have been silent."""
    once = lesson.latest[lesson.latest["frequency"] == 0]
    truth = panels.labels([lesson.split.test], known_before=None).loc[once.index]
    table = pd.DataFrame({"clients": 1, "bought": 1 - truth["churned"]})
    for share in CHURN:
        with patch("loyalty.models.line._SHARE", share):
            table[f"share {share}"] = lesson.fit_churn().predict_proba(once)[:, 0]
    table["buy till you die"] = 1 - once["silence_probability"]
    longest = lesson.X["days_since_last"].max()
    print(f"{lesson.split.test:%Y-%m-%d}, longest silence learned from: {longest:.0f} days")
    months = 30 * (once["days_since_last"] // 30).astype(int)
    return table.groupby(months.rename("silent for days")).agg(
        {"clients": "sum"} | dict.fromkeys(table.columns[1:], "mean")
    )


if __name__ == "__main__":
    main()
