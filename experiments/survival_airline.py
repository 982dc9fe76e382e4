"""Find out when members of a loyalty programme cancel, and whether what they flew tells.

    python experiments/survival_airline.py DATA

DATA is the folder that holds the data; `airline_loyalty/` is read, a fictional programme published by Maven Analytics.
Every member whose card is in force at a cutoff is followed for six months. Models learn from earlier cutoffs, a month
apart, from what was known at the test cutoff: of the latest of them one month, of the earlier ones up to six.

Months are told, not days. Each of them is laid on 30 days of a calendar of its own, so that a period of 30 days is a
month. A card cancelled in a month is in force at its beginning and no more at its end. Of the features none depends on
an attribute without a date (salary, card, the published lifetime value), which may be of today; of the flights only
those from enrolment on and before the cutoff are seen: later months of who has cancelled are zero and would tell it.
The 163 members that stand more than once, with different flights, are left out.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from loyalty.evaluation import survival_metrics
from loyalty.histories import Histories
from loyalty.labels import build_durations
from loyalty.models.survival import KaplanMeier, SurvivalModel, WeibullModel

FIRST = pd.Timestamp("2017-01-01")
MONTH = pd.Timedelta(days=30)
MONTHS = 24
FOLLOWED = 6
TESTS = (12, 15, 18)  # 2018-01, 2018-04, 2018-07, in months since 2017-01
FIGURES = ("integrated_brier", "auc", "concordance", "mean_error")

MODELS: dict[str, Callable[[], KaplanMeier | WeibullModel | SurvivalModel]] = {
    "Kaplan-Meier": KaplanMeier,
    "Weibull": WeibullModel,
    "LightGBM": SurvivalModel,
}


def read(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read members and their months, counted from January 2017."""
    members = pd.read_parquet(folder / "loyalty_history.parquet")
    flights = pd.read_parquet(folder / "flight_activity.parquet")
    flights["at"] = (flights["year"] - FIRST.year) * 12 + flights["month"] - 1
    twice = flights.loc[flights.duplicated(["loyalty_number", "at"]), "loyalty_number"].unique()
    members = members[~members["loyalty_number"].isin(twice)].set_index("loyalty_number")
    for event in ("enrollment", "cancellation"):
        members[event] = (members[f"{event}_year"] - FIRST.year) * 12 + members[f"{event}_month"] - 1
    return members, flights[~flights["loyalty_number"].isin(twice)].set_index("loyalty_number")


def as_date(month: int) -> pd.Timestamp:
    """Lay the beginning of a month on the calendar of 30 days a month."""
    return FIRST + month * MONTH


def as_histories(members: pd.DataFrame) -> Histories:
    """Make contracts of the cards; a card ends in the middle of the month in which it is cancelled."""
    start = FIRST + members["enrollment"].astype(int) * MONTH
    end = FIRST + (members["cancellation"].astype("float") + 0.5) * MONTH
    contracts = pd.DataFrame({"client_id": members.index, "start": start.array, "end": end.array})
    contracts = contracts[contracts["end"].isna() | (contracts["end"] > contracts["start"])]
    # Histories hold purchases; here it is enough that there are clients.
    joined = pd.DataFrame({"client_id": members.index, "event_time": start.array, "amount": 1.0})
    return Histories(joined, contracts=contracts, observed_until=as_date(MONTHS))


def features_at(members: pd.DataFrame, flights: pd.DataFrame, cutoff: int) -> pd.DataFrame:
    """Describe each member by the months before a cutoff, from enrolment on."""
    there = flights.join(members["enrollment"], how="inner")
    known = there[(there["at"] < cutoff) & (there["at"] >= there["enrollment"])].eval("flown = total_flights > 0")
    rows = pd.DataFrame({"months_since_enrolment": cutoff - members["enrollment"].astype(float)})
    rows["promotion_2018"] = (members["enrollment_type"] == "2018 Promotion").astype(float)
    for months in (1, 3, 6):
        recent = known[known["at"] >= cutoff - months].groupby(level=0)
        for name in ("total_flights", "distance", "points_accumulated", "points_redeemed", "flights_with_companions"):
            rows[f"{name}_sum_{months}m"] = recent[name].sum()
        rows[f"months_flown_{months}m"] = recent["flown"].sum()
    last = known[known["flown"]].groupby(level=0)["at"].max()
    rows["months_since_last_flight"] = cutoff - last
    return rows.astype(float)


def panel(members: pd.DataFrame, flights: pd.DataFrame, lives: pd.DataFrame) -> pd.DataFrame:
    """Put the features in the rows of the durations."""
    parts = []
    for cutoff in lives.index.unique("cutoff"):
        rows = features_at(members, flights, (cutoff - FIRST) // MONTH)
        parts.append(rows.loc[lives.xs(cutoff, level="cutoff").index].assign(cutoff=cutoff))
    X = pd.concat(parts).set_index("cutoff", append=True)
    return X.set_index(X.index.set_names(lives.index.names))


def compare(
    X: pd.DataFrame,
    lives: pd.DataFrame,
    test_X: pd.DataFrame,
    test_lives: pd.DataFrame,
    *,
    periods: int,
    models: Sequence[str] = tuple(MODELS),
) -> pd.DataFrame:
    """Fit the models and judge them; one row a model."""
    rows = {}
    for name in models:
        model = MODELS[name]().fit(X, lives["duration"], lives["churned"])
        curves = model.predict_survival(test_X, periods)
        rows[name] = survival_metrics(test_lives["duration"], test_lives["churned"], curves)
    return pd.DataFrame(rows).T


def told(tables: Sequence[pd.DataFrame]) -> str:
    """Write the mean of several comparisons, and the share that left."""
    mean = sum(tables[1:], tables[0]) / len(tables)
    clients = np.mean([table["clients"].iloc[0] for table in tables])
    head = f"{clients:,.0f} clients on average, of whom {mean['churn_share'].iloc[0]:.3f} leave"
    return f"{head}\n{mean[list(FIGURES)].round(5).to_string()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    members, flights = read(parser.parse_args().data / "airline_loyalty")
    histories = as_histories(members)
    tables = []
    for test in TESTS:
        cutoffs = [as_date(month) for month in range(FOLLOWED, test)]
        asked = {"period": "30d", "kind": "contractual"}
        lives = build_durations(histories, cutoffs=cutoffs, periods=FOLLOWED, known_before=as_date(test), **asked)
        test_lives = build_durations(histories, cutoffs=as_date(test), periods=FOLLOWED, **asked)
        X, test_X = panel(members, flights, lives), panel(members, flights, test_lives)
        periods = min(FOLLOWED, int(lives["duration"].max()))
        table = compare(X, lives, test_X, test_lives, periods=periods)
        age = ["months_since_enrolment"]
        alone = compare(X[age], lives, test_X[age], test_lives, periods=periods, models=["LightGBM"])
        tables.append(pd.concat([table, alone.rename(index={"LightGBM": "LightGBM, enrolment alone"})]))
        print(f"\nTest cutoff 2018-{test - 11:02d}, {len(lives):,} rows to learn from\n{told(tables[-1:])}")
    print(f"\nMean over the test cutoffs\n{told(tables)}")


if __name__ == "__main__":
    main()
