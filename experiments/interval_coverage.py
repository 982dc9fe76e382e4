"""See how often intervals of spend hold, cutoff by cutoff, with and without what the models foretell.

    python experiments/interval_coverage.py DATA [--only cdnow ...]

DATA is the folder that holds the data; the configs beside this file say what is read, here at cutoffs whose outcomes
were decided before the first of the test. What it means is said in `interval_coverage.md`.
"""

import argparse
import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd

from loyalty.config import read_config, read_histories
from loyalty.experiment import setting_of
from loyalty.fitting import Lesson
from loyalty.histories import HistoriesWarning
from loyalty.models.holding_out import HeldOut
from loyalty.models.intervals import SpendIntervals, coverage_table
from loyalty.panels import Panels
from loyalty.timeline import Outcome

HERE = Path(__file__).parent
#: Cutoffs, and the horizon where it is not that of the config.
CASES = {
    "online_retail_2": [
        (["2010-10-01", "2010-11-01", "2010-12-01"], None),
        ([f"2010-{month:02}-15" for month in range(6, 13)] + ["2011-01-14"], "45d"),
    ],
    "complete_journey": [
        (["2017-05-01", "2017-05-16", "2017-06-01", "2017-06-16", "2017-07-01", "2017-07-16", "2017-08-01"], None)
    ],
    "cdnow": [
        ([f"1997-{month:02}-15" for month in range(6, 11)], "60d"),
        (["1997-09-01", "1997-10-01"], "91d"),
        (["1997-12-01"], "150d"),
    ],
}
DEFAULT = "moved, in part"
#: Where one band of the probability to buy ends and the next begins.
BANDS = (0.1, 0.3, 0.6, 0.9)
trusted = HeldOut.trusted


def believe_widening(held_out: HeldOut, level: float, misses: float) -> float:
    """Believe all of what held-out cutoffs ask for in wider intervals, and in part what they allow in narrower ones."""
    if held_out.through == "cutoffs" and level <= misses:
        return level
    return trusted(held_out, level, misses)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
    given = parser.parse_args()
    warnings.simplefilter("ignore", HistoriesWarning)
    for name in given.only:
        config = read_config(HERE / f"{name}.toml")
        histories = read_histories(config, given.data)
        for cutoffs, horizon in CASES[name]:
            setting = setting_of(config)
            if horizon is not None:
                setting = replace(setting, outcome=Outcome.of(horizon=horizon))
            panels = Panels(histories, setting, config.features)
            rows = [
                {"cutoff": split.test.date(), "intervals": kind, **figures}
                for split in setting.splits(histories, [pd.Timestamp(cutoff) for cutoff in cutoffs])
                for kind, figures in judge(panels, Lesson.of(panels, split))
            ]
            found = pd.DataFrame(rows)
            print(f"\n{name}, horizon {setting.outcome.horizon.days} days")
            print(found.pivot_table("coverage", "intervals", "cutoff", sort=False).round(3).to_string())
            found["off"] = (found["coverage"] - 0.9).abs()
            print(found.groupby("intervals", sort=False)[["coverage", "off", "tenths off"]].mean().round(4))
            print(
                f"By the probability to buy, {DEFAULT}:\n{by_chance(found[found['intervals'] == DEFAULT])}", flush=True
            )


def judge(panels: Panels, lesson: Lesson) -> Iterator[tuple[str, dict[str, float]]]:
    """Tell how often each kind of interval holds, and how far its tenths of the expected value are from 0.9."""
    truth = panels.labels([lesson.split.test], known_before=None).loc[lesson.latest.index, "value"]
    churn = lesson.fit_churn()
    value = lesson.fit_value(churn=churn)
    forecast = value.forecast(lesson.latest)
    for believed in ("widening believed", "in part"):
        with patch.object(HeldOut, "trusted", believe_widening) if believed != "in part" else nullcontext():
            alone = SpendIntervals(embargo=panels.setting.outcome.reach).fit(lesson.X, lesson.labels["value"])
            moved = lesson.learn_uncertainty(churn=churn, value=value)
        for kind, ends in (
            ("trees alone", alone.predict(lesson.latest)),
            ("moved", moved.predict(lesson.latest, forecast).to_numpy()),
        ):
            tenths = coverage_table(truth, *ends.T, by=forecast["expected_value"], bins=10)
            bands = coverage_table(truth, *ends.T, by=np.searchsorted(BANDS, forecast["purchase_probability"]))
            yield (
                f"{kind}, {believed}",
                {
                    "coverage": float(coverage_table(truth, *ends.T)["coverage"].iloc[0]),
                    "tenths off": float(np.abs(tenths["coverage"] - 0.9).mean()),
                    **bands["clients"].add_prefix("clients "),
                    **(bands["clients"] * bands["coverage"]).add_prefix("within "),
                },
            )


def by_chance(found: pd.DataFrame) -> str:
    """Put the clients of all cutoffs together, by their probability to buy."""
    names = [f"below {band:.0%}" for band in BANDS] + ["above"]
    clients, within = (
        found.reindex(columns=[f"{what} {number}" for number in range(len(names))]).sum().to_numpy()
        for what in ("clients", "within")
    )
    return pd.DataFrame({"clients": clients, "coverage": within / clients}, index=names).round(3).to_string()


if __name__ == "__main__":
    main()
