"""See what the models say of invented shops, of which it is known what is true.

    python experiments/invented_shops.py [--only steady ...] [--seed 1] [--rules | --ahead]

Each shop has three years of purchases. The models stand at five cutoffs of its last sixteen months, for 90 days. With
`--rules`, nothing is fitted: only the error of buy till you die, the second opinion, is expected by several rules. What
it means is said in `invented_shops.md`. With `--ahead`, it is the year after three earlier cutoffs that is told, with
the season of spend and without.
"""

import argparse
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from unittest.mock import patch

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from second_opinion import errors
from sklearn.metrics import log_loss, roc_auc_score

from loyalty.fitting import Lesson
from loyalty.histories import Histories, HistoriesWarning
from loyalty.models.calibration import YEAR, error_to_come, lasting_share
from loyalty.models.outlook import LongRunTerms
from loyalty.models.portfolio import portfolio_interval
from loyalty.panels import Panels
from loyalty.setting import Setting

Floats = NDArray[np.float64]
#: An intensity or a price, by the day.
ByDay = Callable[[Floats], Floats]

START, DAYS = pd.Timestamp("2022-01-01"), 1096
CUTOFFS = pd.to_datetime(["2023-09-01", "2023-12-01", "2024-03-01", "2024-06-01", "2024-09-01"])
#: After each of which a year is known, and before it a year of cutoffs.
A_YEAR_BEFORE_THE_END = pd.to_datetime(["2023-07-01", "2023-10-01", "2023-12-15"])
YEAR_DAYS = 365
A_YEAR = LongRunTerms(years=YEAR_DAYS / 365.25, discount_rate=0.0)
SETTING = Setting.of(horizon="90d", active="365d")
#: How fast errors fade and what passes at the least, by the name of the rule; None expects nothing.
RULES: dict[str, tuple[pd.Timedelta, float] | None] = {
    "none": None,
    "plain mean, .4": (YEAR * 100, 0.4),
    "plain mean, .1": (YEAR * 100, 0.1),
    "one year, .1": (YEAR, 0.1),
    "half a year, .1": (YEAR / 2, 0.1),
    "a third, .1": (YEAR / 3, 0.1),
    "half a year, .2": (YEAR / 2, 0.2),
}


def always(_: Floats) -> Floats:
    return np.ones(1)


def season(day: Floats) -> Floats:
    """Twice and a half as much before Christmas as else, and a little less in winter."""
    of_year = day % 365.25
    return np.exp(0.9 * np.exp(-(((of_year - 345) / 20) ** 2)) - 0.2 * np.cos(2 * np.pi * (of_year - 20) / 365.25))


def yearly(factor: float, with_season: int = 0) -> ByDay:
    """Grow by a factor each year, with a season of some strength."""
    return lambda day: factor ** (day / 365.25) * season(day) ** with_season


@dataclass(frozen=True)
class Shop:
    """Clients who come at an even pace, buy by chance at a rate of their own, and leave by chance.

    Attributes
    ----------
    clients : int
        How many ever come.
    every, stay : float
        Mean days between purchases, and days a client stays, of the mean rates.
    spread : float
        Standard deviation, in logarithms, of what clients spend.
    intensity, price : callable
        What rates and prices are multiplied by, by the day.
    refunded : float
        Share of purchases that come back within three weeks.
    closed : tuple of int
        Days without a sale, from and to.
    giant : float
        Spend of one more client, who buys every month, over that of all others.
    """

    clients: int = 3000
    every: float = 25.0
    stay: float = 400.0
    spread: float = 0.8
    intensity: ByDay = always
    price: ByDay = always
    refunded: float = 0.0
    closed: tuple[int, int] = (0, 0)
    giant: float = 0.0

    def purchases(self, seed: int) -> pd.DataFrame:
        """Draw the purchases of three years."""
        rng = np.random.default_rng(seed)
        born = rng.uniform(-300, DAYS, self.clients)
        rate = rng.gamma(1.0, 1 / self.every, self.clients)
        gone = born + rng.exponential(self.stay * 0.8 / rng.gamma(0.8, 1.0, self.clients))
        usual = np.exp(rng.normal(3.5, self.spread, self.clients))
        since, until = np.maximum(born, 0), np.minimum(gone, DAYS)
        highest = float(self.intensity(np.arange(DAYS, dtype=float)).max())
        times = rng.poisson(rate * highest * np.clip(until - since, 0, None))
        who = np.repeat(np.arange(self.clients), times)
        day = since[who] + rng.random(len(who)) * (until - since)[who]
        bought = rng.random(len(who)) * highest < self.intensity(day)
        new = np.flatnonzero(born >= 0)
        who, day = np.concatenate([who[bought], new]), np.concatenate([day[bought], born[new]])
        paid = usual[who] * np.exp(rng.normal(0, 0.4, len(who))) * self.price(day)
        rows = pd.DataFrame({"client_id": who, "day": day, "amount": paid})
        back = rows[rng.random(len(rows)) < self.refunded]
        returned = back.assign(day=back["day"] + rng.uniform(2, 20, len(back)), amount=-back["amount"])
        months = np.arange(5.0, DAYS, 30.0)
        months += rng.uniform(-4, 4, len(months))
        monthly = self.giant * rows["amount"].sum() / len(months) * np.exp(rng.normal(0, 0.3, len(months)))
        giant = pd.DataFrame({"client_id": self.clients, "day": months, "amount": monthly})
        everything = pd.concat([rows, returned, giant[giant["amount"] > 0]])
        return dated(everything[~everything["day"].between(*self.closed, inclusive="left")])


def boxes(seed: int, clients: int = 3000) -> pd.DataFrame:
    """Draw the purchases of a box that comes every month until it is given up."""
    rng = np.random.default_rng(seed)
    born, months = rng.uniform(-300, DAYS, clients), rng.geometric(np.clip(rng.beta(1.5, 40, clients), 1e-3, 1))
    who = np.repeat(np.arange(clients), months)
    number = np.concatenate([np.arange(many) for many in months])
    day = born[who] + 30.44 * number + rng.uniform(-2, 2, len(who))
    return dated(pd.DataFrame({"client_id": who, "day": day, "amount": rng.choice([19.0, 29.0, 39.0], clients)[who]}))


def dated(rows: pd.DataFrame) -> pd.DataFrame:
    """Date the rows that lie within the three years, to the second, and round amounts to cents."""
    rows = rows[rows["day"].between(0, DAYS, inclusive="left")]
    when = START + pd.to_timedelta((rows["day"] * 86_400).round(), unit="s")
    return pd.DataFrame({"client_id": rows["client_id"], "event_time": when, "amount": rows["amount"].round(2)})


#: Each shop differs from the steady one in what its name says.
SHOPS: dict[str, Callable[[int], pd.DataFrame]] = {
    "steady": Shop().purchases,
    "season": Shop(intensity=season).purchases,
    "strong season": Shop(intensity=yearly(1.0, with_season=2)).purchases,
    "rates halve each year": Shop(intensity=yearly(0.5), every=12).purchases,
    "the same, with season": Shop(intensity=yearly(0.5, with_season=1), every=10).purchases,
    "rates grow by half": Shop(intensity=yearly(1.5)).purchases,
    "by 40%, with season": Shop(intensity=yearly(1.4, with_season=1)).purchases,
    "prices rise by 25%": Shop(price=yearly(1.25)).purchases,
    "prices rise by half at once": Shop(price=lambda day: np.where(day > 620, 1.5, 1.0)).purchases,
    "half a bad year": Shop(intensity=lambda day: np.where((day > 500) & (day < 680), 0.5, 1.0)).purchases,
    "closed for six weeks": Shop(closed=(737, 780)).purchases,
    "three of ten come back": Shop(refunded=0.3).purchases,
    "one buys as much as all": Shop(giant=1.0).purchases,
    "monthly boxes": boxes,
    "400 traders": partial(Shop.purchases, Shop(clients=400, every=15, stay=1200, spread=1.8)),
    "200 clients": Shop(clients=200).purchases,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=SHOPS, default=list(SHOPS))
    parser.add_argument("--seed", type=int, default=1)
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--rules", action="store_true", help="compare rules of what is expected to last")
    way.add_argument("--ahead", action="store_true", help="tell a whole year, with its season and without")
    given = parser.parse_args()
    warnings.simplefilter("ignore", HistoriesWarning)
    see = expect_by_rules if given.rules else tell_a_year if given.ahead else judge
    cutoffs = A_YEAR_BEFORE_THE_END if given.ahead else CUTOFFS
    told = []
    for name in given.only:
        print(f"{name} ...", flush=True)
        histories = Histories(SHOPS[name](given.seed))
        panels = Panels(histories, SETTING)
        lessons = [Lesson.of(panels, split) for split in SETTING.splits(histories, cutoffs)]
        told.append(summary(pd.DataFrame([row for lesson in lessons for row in see(panels, lesson)]), name))
    table = pd.concat(told, axis=1).T
    print(f"\n{table.round(3).to_string()}\n\nMean of {len(table)} shops\n{table.mean().round(3).to_string()}")


def summary(rows: pd.DataFrame, name: str) -> pd.Series:
    """Average over the cutoffs: errors by their root mean square, all else as it is."""
    square = [column for column in rows if str(column).startswith("off")]
    means = rows.assign(**{str(column): rows[column] ** 2 for column in square}).mean()
    means[square] = np.sqrt(means[square])
    return means.rename(name)


def judge(panels: Panels, lesson: Lesson) -> Iterator[dict[str, float]]:
    """Judge the models at the cutoff of a lesson."""
    truth = panels.labels([lesson.split.test], known_before=None).loc[lesson.latest.index]
    left, spent = truth["churned"].to_numpy(), truth["value"].to_numpy()
    churn = lesson.fit_churn()
    value = lesson.fit_value(churn=churn)
    unsure = lesson.learn_uncertainty(churn=churn, value=value)
    risk, expected = churn.predict_proba(lesson.latest)[:, 1], value.predict(lesson.latest)
    ends = unsure.predict(lesson.latest, value.forecast(lesson.latest))
    total = portfolio_interval(expected, errors=unsure.totals["expected_value"]).iloc[0]
    rate = lesson.labels["churned"].groupby(level="cutoff").mean().iloc[-1]
    others = np.arange(len(spent)) != spent.argmax()
    yield {
        "clients": len(left),
        "left": left.mean(),
        "told": risk.mean(),
        "AUC": roc_auc_score(left, risk),
        "log loss": log_loss(left, risk),
        "of the rate": log_loss(left, np.full(len(left), rate)),
        "off total": expected.sum() / spent.sum() - 1,
        "off others": expected[others].sum() / spent[others].sum() - 1,
        "within": ((ends["value_lower"] <= spent) & (spent <= ends["value_upper"])).mean(),
        "total within": total["lower"] <= spent.sum() <= total["upper"],
        "upper/lower": total["upper"] / total["lower"],
    }


def tell_a_year(panels: Panels, lesson: Lesson) -> Iterator[dict[str, float]]:
    """Tell the year after the cutoff of a lesson, and how what is expected of its first 90 days goes on."""
    came, first_came = (
        panels.labels([lesson.split.test], known_before=None, horizon=horizon)["value"].sum()
        for horizon in (pd.Timedelta(days=YEAR_DAYS), None)
    )
    first = lesson.fit_value(churn=lesson.fit_churn()).predict(lesson.latest)
    outlook = lesson.fit_outlook(panels, A_YEAR)
    panel = panels.at(lesson.split.test, learned=lesson.learned)
    told = {"off 90 days": first.sum() / first_came - 1}
    for name, one in (("", outlook), (", no season", replace(outlook, season=None))):
        year = one.predict(panel, first)["long_run_value"].sum()
        told |= {f"off year{name}": year / came - 1, f"off after{name}": year / first.sum() / (came / first_came) - 1}
    yield told


def expect_by_rules(panels: Panels, lesson: Lesson) -> Iterator[dict[str, float]]:
    """Tell what is left, in logarithms, of the error of the second opinion's sum if a rule is followed."""
    truth = panels.labels([lesson.split.test], known_before=None).loc[lesson.latest.index]
    past, after = errors(lesson.X, lesson.labels)["spend"], errors(lesson.latest, truth)["spend"].iloc[0]
    years = (past.index[-1] - past.index[0] + lesson.setting.outcome.reach) / YEAR
    told = {}
    for name, rule in RULES.items():
        expected = 0.0
        if rule is not None:
            with patch.multiple("loyalty.models.calibration", _FADING=rule[0], _PASSING=rule[1]):
                expected = error_to_come(past, now=lesson.split.test, at_least=lasting_share(years))
        told[f"off, {name}"] = after - expected
    yield told


if __name__ == "__main__":
    main()
