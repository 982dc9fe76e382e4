"""Carry the value of a horizon on into the long run, and compare it with buy till you die and with what happened.

    python experiments/long_run_value.py DATA

DATA is the folder that holds the data; the configs beside this file say what is read, with shorter horizons. At one
cutoff of each, several horizons before the first test cutoff, `ValueModel` tells the first horizon, buy till you die
how purchases fade after it, and both together the next ones. Then the outlook of a bundle, as `loyalty run` fits it,
is held against the months that followed: in total, by tenth of its value, and, in contracts, by who is still there.
What it means is said in `value_comparison.md`.
"""

import argparse
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from loyalty.btyd import BuyTillYouDie
from loyalty.config import read_config, read_histories
from loyalty.evaluation import value_metrics
from loyalty.experiment import setting_of
from loyalty.features import CATALOGUE, build_panel
from loyalty.fitting import fit_models
from loyalty.histories import Histories, HistoriesWarning
from loyalty.labels import build_durations, build_labels
from loyalty.models.long_run import lifetime_value, rate_per_period, relative_purchases
from loyalty.models.outlook import LongRunTerms
from loyalty.panels import Panels
from loyalty.timeline import Outcome, as_duration

HERE = Path(__file__).parent
#: Cutoff, horizon, and how many horizons were over by the first test cutoff.
CASES = {
    "cdnow": ("1997-07-01", "61d", 3),
    "online_retail_2": ("2010-06-01", "90d", 3),
    "complete_journey": ("2017-05-01", "30d", 4),
}
#: Cutoff, horizon, and for how long an outlook is followed.
FOLLOWED = {
    "cdnow": ("1997-07-01", "61d", "365d"),
    "online_retail_2": ("2010-09-01", "90d", "365d"),
    "complete_journey": ("2017-05-01", "30d", "240d"),
    "airline": ("2018-01-01", "90d", "365d"),
}
YEARLY_RATE = 0.1
HISTORY = ("frequency", "recency", "T", "monetary")


def fit_buying(histories: Histories, cutoff: pd.Timestamp, horizon: pd.Timedelta) -> BuyTillYouDie:
    """Fit buy till you die on all who had bought before the cutoff, however long ago."""
    features = [CATALOGUE[name] for name in HISTORY]
    everyone = build_panel(histories, cutoffs=cutoff, horizon=horizon, features=features).dropna(subset="T")
    return BuyTillYouDie().fit(*(everyone[name].fillna(0.0) for name in HISTORY))


def history_of(panel: pd.DataFrame) -> dict[str, pd.Series]:
    """Read each client's history; one known only by refunds counts as one who bought once, then."""
    filled = panel.fillna({"T": panel["days_since_first_record"]})
    return {name: filled[name].fillna(0.0).clip(lower=0.0) for name in HISTORY}


def compare(name: str, data: Path) -> None:
    cutoff, horizon, periods = CASES[name]
    config = read_config(HERE / f"{name}.toml")
    setting = replace(setting_of(config), outcome=Outcome.of(horizon=horizon))
    panels = Panels(read_histories(config, data), setting)
    (split,) = setting.splits(panels.histories, [cutoff])
    length = setting.outcome.horizon
    fitted = fit_models(panels, split)
    panel = panels.at(split.test, learned=fitted.learned)
    buying = fit_buying(panels.histories, split.test, length)
    history = history_of(panel)
    monetary = history.pop("monetary")

    first = fitted.predict(panel)["expected_value"].to_numpy()
    fade = relative_purchases(buying.purchases_, periods, length=length.days, **history)
    _, alone = buying.predict(length.days * periods, *history.values(), monetary)
    told = {
        "first horizon, repeated": periods * first,
        "buy till you die": alone,
        "first horizon, fading": lifetime_value(fade, first, discount_rate=0.0),
    }
    end = build_labels(
        panels.histories, cutoffs=split.test, horizon=length * periods, kind=setting.kind, active=setting.active
    )
    true = end["value"].reindex(panel.index).to_numpy()
    table = pd.DataFrame({model: value_metrics(true, made) for model, made in told.items()}).T
    print(f"\n# {name} at {cutoff}: {len(panel):,} clients, {periods} times {horizon}, no discount")
    print(table.round(4).to_string())

    many = int(np.ceil(5 * 365.25 / length.days))
    long_fade = relative_purchases(buying.purchases_, many, length=length.days, **history)
    rate = rate_per_period(YEARLY_RATE, length)
    ways = {
        "paid at the end": lifetime_value(long_fade, first, discount_rate=rate),
        "paid at the start": lifetime_value(long_fade, first, discount_rate=rate, paid="start"),
        "at the end, and beyond": lifetime_value(long_fade, first, discount_rate=rate, beyond="last retention"),
        "buy till you die, for ever": buying.long_run_value(
            np.log1p(YEARLY_RATE) / 365.25, 1.0, *history.values(), monetary
        ),
    }
    means = {way: value.mean() for way, value in ways.items()} | {"first horizon": first.mean()}
    print(f"\nMean per client, {many} horizons (5 years), {YEARLY_RATE:.0%} a year, all of the spend kept")
    print(pd.Series(means).round(2).to_string(), flush=True)


def follow(name: str, data: Path) -> None:
    """Hold the outlook of a bundle against what happened."""
    cutoff, horizon, long = FOLLOWED[name]
    config = read_config(HERE / f"{name}.toml")
    setting = replace(setting_of(config), outcome=Outcome.of(horizon=horizon))
    panels = Panels(read_histories(config, data), setting)
    (split,) = setting.splits(panels.histories, [cutoff])
    days = as_duration(long, name="long").days
    fitted = fit_models(panels, split, long_run=LongRunTerms(years=days / 365.25, discount_rate=0.0))
    outlook = fitted.outlook
    panel = panels.at(split.test, learned=fitted.learned)
    predicted = fitted.predict(panel)
    first, left = (predicted[name].to_numpy() for name in ("expected_value", "churn_probability"))
    asked = {"cutoffs": split.test, "kind": setting.kind, "active": setting.active}
    true = build_labels(panels.histories, horizon=long, **asked)["value"].reindex(panel.index).to_numpy()
    true_first = build_labels(panels.histories, horizon=horizon, **asked)["value"].sum()
    told = outlook.predict(panel, first, left)
    value = told["long_run_value"].to_numpy()
    print(f"\n# The outlook of {name} at {cutoff}: {len(panel):,} clients, {days} days, no discount")
    print(f"first horizon {first.sum():,.0f}, true {true_first:,.0f}: {first.sum() / true_first - 1:+.1%}")
    print(f"{days} days {value.sum():,.0f}, true {true.sum():,.0f}: {value.sum() / true.sum() - 1:+.1%}")
    print(f"how it goes on: times {value.sum() / first.sum():.2f}, true {true.sum() / true_first:.2f}")
    print(pd.Series(value_metrics(true, value)).round(4).to_frame().T.to_string(index=False))
    tenth = pd.Series(value).rank(method="first", ascending=False).sub(1).floordiv(len(value) / 10).add(1).astype(int)
    by_tenth = pd.DataFrame({"predicted": value, "true": true}).groupby(tenth.to_numpy()).mean()
    print(by_tenth.assign(ratio=by_tenth["predicted"] / by_tenth["true"]).round(2).T.to_string())
    if outlook.leaving is not None:
        period = f"{outlook.leaving.period_days}d"
        lives = build_durations(panels.histories, period=period, periods=days // outlook.leaving.period_days, **asked)
        ends = np.arange(1, days // outlook.leaving.period_days + 1)
        there = [((lives["churned"] == 0) | (lives["duration"] > end)).mean() for end in ends]
        shares = outlook.staying(panel, left).set_index("days")["share"]
        both = pd.DataFrame({"expected": shares, "true": pd.Series(there, index=ends * outlook.leaving.period_days)})
        print(f"share in force\n{both.round(4).T.to_string()}")
        print(f"median remaining days known of {told['median_remaining_days'].notna().mean():.1%}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    warnings.simplefilter("ignore", HistoriesWarning)
    for name in CASES:
        compare(name, data)
    for name in FOLLOWED:
        follow(name, data)


if __name__ == "__main__":
    main()
