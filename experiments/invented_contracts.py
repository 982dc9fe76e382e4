"""See what the models say of invented businesses with contracts, of which it is known what is true.

    python experiments/invented_contracts.py [--only season ...] [--seed 1] [--rules] [--data DATA]

Contracts end by a daily hazard that is known. The models stand at three cutoffs, for 90 days. With `--rules`, the level
is set, and the curves are learned, by other rules as well; with `--data`, at cutoffs of the airline before its test
cutoffs instead. What it means is said in `invented_contracts.md`.
"""

import argparse
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.metrics import log_loss, roc_auc_score

from loyalty import fitting
from loyalty.config import read_config, read_histories
from loyalty.experiment import setting_of
from loyalty.fitting import Lesson
from loyalty.histories import Histories, HistoriesWarning
from loyalty.models import leaving
from loyalty.models.curves import Curves
from loyalty.models.outlook import LongRunTerms
from loyalty.panels import Panels
from loyalty.setting import Setting

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
#: The chance that contracts of some plans and terms end on a day, at an age; each broadcasts to (n_clients, n_days).
Hazard = Callable[[Whole, Whole, Whole, Whole], Floats]

#: The first day of the contracts, of the payments known, and after the last; how far the truth is followed.
START, RECORDS, UNTIL = (pd.Timestamp(day) for day in ("2018-07-01", "2021-01-01", "2024-03-01"))
DAYS, AHEAD = (UNTIL - START).days, 720
CUTOFFS = pd.to_datetime(["2023-06-01", "2023-09-01", "2023-12-01"])
#: Cutoffs of the airline before its test cutoffs.
BEFORE = pd.to_datetime(["2017-12-01", "2018-02-01", "2018-03-01"])
HORIZON = 90
SETTING = Setting.of(horizon=f"{HORIZON}d", kind="contractual")
#: Of a plan: the fee of a month, and how much more often its contracts end than those of the second.
FEES, TIMES = np.array([10.0, 20.0, 40.0]), np.array([1.5, 1.0, 0.6])


#: Days of a month, and what waiting costs a year.
_MONTH, _RATE = 30.4375, 0.1
#: Of fewer clients no median is told.
_FEW = 20


@dataclass(frozen=True)
class Business:
    """Clients who come at an even pace, pay a fee each month or year, and leave by the hazard of their day and age.

    Attributes
    ----------
    hazard : callable
        The truth.
    clients : int
        How many ever come.
    growth : float
        By what the number of new clients is multiplied each year.
    months : int
        Between two payments.
    terms : tuple of int
        Days for which a contract is made, and made again: one of them, by chance; 0 is none.
    told : bool
        Whether `renews_at` is written down.
    """

    hazard: Hazard
    clients: int = 3500
    growth: float = 1.0
    months: int = 1
    terms: tuple[int, ...] = (0,)
    told: bool = False

    def days_of_payment(self) -> Whole:
        """Tell how long after their start contracts are paid."""
        return np.round(np.arange(0, DAYS + AHEAD, _MONTH * self.months)).astype(np.int64)

    def draw(self, seed: int) -> "Clients":
        """Draw clients; who left before payments were recorded is in no table."""
        rng = np.random.default_rng(seed)
        share = rng.random(self.clients)
        if self.growth != 1:
            years = DAYS / 365.25
            share = np.log1p(share * (self.growth**years - 1)) / np.log(self.growth) / years
        start = np.sort((share * DAYS).astype(np.int64))
        plan, term = rng.integers(0, len(FEES), self.clients), rng.choice(self.terms, self.clients)
        day = np.arange(DAYS + AHEAD)[None, :]
        age = day - start[:, None]
        chance = np.clip(self.hazard(plan[:, None], term[:, None], day, age), 0, 0.9)
        hazards = np.where(age > 0, chance, 0).astype(np.float32)
        ends = rng.random(hazards.shape, dtype=np.float32) < hazards
        end = np.where(ends.any(axis=1), ends.argmax(axis=1), DAYS + AHEAD)
        kept = end >= (RECORDS - START).days
        return Clients(self, start[kept], plan[kept], term[kept], end[kept], hazards[kept])


@dataclass(frozen=True)
class Clients:
    """Those of a business: the days on which their contracts start and end, and the chances of that."""

    business: Business
    start: Whole
    plan: Whole
    term: Whole
    end: Whole
    hazards: Floats

    def histories(self) -> Histories:
        """Write payments and contracts down, as they were known at the end."""
        rows = []
        for client, (start, end) in enumerate(zip(self.start, self.end, strict=True)):
            paid = start + self.business.days_of_payment()
            rows.append(pd.DataFrame({"client_id": client, "day": paid[paid <= min(end, DAYS - 1)]}))
        bills = pd.concat(rows, ignore_index=True)
        bills = bills[bills["day"] >= (RECORDS - START).days]
        bills["amount"] = self.business.months * FEES[self.plan[bills["client_id"]]]
        there = self.end < DAYS
        ends = START + pd.to_timedelta(self.end, unit="D") + pd.Timedelta(hours=23)
        contracts = pd.DataFrame(
            {"client_id": np.arange(len(self.start)), "start": START + pd.to_timedelta(self.start, unit="D")}
        ).assign(end=pd.Series(ends).where(there), plan=self.plan.astype(str), fee=FEES[self.plan])
        if self.business.told:  # as agreed at the start; a date that is moved on at each renewal would tell who stayed
            contracts["renews_at"] = contracts["start"] + pd.to_timedelta(self.term, unit="D")
        bills = bills.assign(event_time=START + pd.to_timedelta(bills["day"], unit="D") + pd.Timedelta(hours=10))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HistoriesWarning)
            return Histories(bills.drop(columns="day"), contracts=contracts, observed_until=UNTIL)

    def stay(self, cutoff: pd.Timestamp, clients: pd.Index) -> Floats:
        """Tell the true chance of these clients to be there still, so many days after a cutoff."""
        day = (cutoff - START).days
        hazards = self.hazards[clients.to_numpy(), day : day + AHEAD].astype(np.float64)
        return np.column_stack([np.ones(len(clients)), np.cumprod(1 - hazards, axis=1)])

    def worth(self, cutoff: pd.Timestamp, clients: pd.Index, stays: Floats) -> Floats:
        """Tell what these clients are truly expected to pay as far as the truth is followed, as money of today."""
        ahead = self.start[clients.to_numpy(), None] + self.business.days_of_payment() - (cutoff - START).days
        pays = (ahead >= 0) & (ahead < AHEAD)
        there = np.take_along_axis(stays, np.clip(ahead, 0, AHEAD), axis=1)
        flows = np.where(pays, there * (1 + _RATE) ** (-ahead / 365.25), 0.0).sum(axis=1)
        return flows * self.business.months * FEES[self.plan[clients.to_numpy()]]


def usual(level: float) -> Hazard:
    """Leave by chance."""
    return lambda plan, *_: level * TIMES[plan]


def season(plan: Whole, term: Whole, day: Whole, age: Whole) -> Floats:
    """Most leave in January."""
    of_year = (day + (START - pd.Timestamp("2018-01-15")).days) % 365.25
    return 0.0012 * TIMES[plan] * np.exp(np.cos(2 * np.pi * of_year / 365.25))


def december(plan: Whole, term: Whole, day: Whole, age: Whole) -> Floats:
    """Nearly all leave in December."""
    month = (START + pd.to_timedelta(day.ravel(), unit="D")).month.to_numpy().reshape(day.shape)
    return TIMES[plan] * np.where(month == 12, 0.011, 0.0002)


def doubling(plan: Whole, term: Whole, day: Whole, age: Whole) -> Floats:
    """Twice as many each year and a half."""
    return 0.0006 * TIMES[plan] * np.clip(2 ** ((day - (RECORDS - START).days) / 548), 0.3, 8)


def once(plan: Whole, term: Whole, day: Whole, age: Whole) -> Floats:
    """Twice as many, for two months of 2022."""
    since = (pd.Timestamp("2022-06-01") - START).days
    return 0.0010 * TIMES[plan] * np.where((day >= since) & (day < since + 60), 2.0, 1.0)


def after_terms(plan: Whole, term: Whole, day: Whole, age: Whole) -> Floats:
    """Hardly anybody within the term, many in the month after it, fewer later."""
    over = age - term
    return TIMES[plan] * np.select([over < 0, over < 30, over < 90], [0.00005, 0.012, 0.003], 0.001)


def at_renewal(plan: Whole, term: Whole, day: Whole, age: Whole) -> Floats:
    """On the last day of each term alone, three tenths and ever fewer."""
    return TIMES[plan] * np.where(age % term == term - 1, 0.3 * 0.8 ** (np.maximum(age, 0) // term), 0.0)


BUSINESSES = {
    "always the same": Business(lambda *_: np.array([[0.0012]])),
    "by plan": Business(usual(0.0012)),
    "few leave": Business(usual(0.0001)),
    "330 clients": Business(usual(0.0010), clients=330),
    "twice as many clients each year": Business(usual(0.0012), growth=2.0),
    "season: most leave in January": Business(season),
    "season: nearly all leave in December": Business(december),
    "twice as many leave each year and a half": Business(doubling),
    "twice as many left for two months": Business(once),
    "terms of one or two years": Business(after_terms, terms=(365, 730)),
    "the same, with `renews_at`": Business(after_terms, terms=(365, 730), told=True),
    "paid and ended once a year": Business(at_renewal, terms=(365,), months=12),
}
#: Of which levels and curves are told, and what is left out of them.
RULES = {
    "as it is": (),
    "no past shares": ("shares",),
    "survival alone": ("churn",),
    "survival alone, no clocks": ("churn", "clocks"),
}


def without(names: tuple[str, ...]) -> ExitStack:
    """Leave something out of the models for a while."""
    stack = ExitStack()
    if "clocks" in names:
        for module in (fitting, leaving):
            stack.enter_context(patch.object(module, "clocks_of_periods", lambda *_: {}))
    if "churn" in names:
        for alone in ("times", "through"):
            stack.enter_context(patch.object(Curves, alone, lambda curves, *_, **__: curves))
    if "shares" in names:
        fit = Lesson.fit_churn

        def alone(lesson: Lesson, *args, **options):
            return (
                clone(fit(lesson, *args, **options))
                .set_params(past_shares=False)
                .fit(lesson.X, lesson.labels["churned"])
            )

        stack.enter_context(patch.object(Lesson, "fit_churn", alone))
    return stack


def divergence(true: Floats, told: Floats) -> float:
    """Say how much worse than the truth log loss will be in expectation."""
    p, q = (np.clip(values, 1e-6, 1 - 1e-6) for values in (true, told))
    return float(np.mean(p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))))


def judge(clients: Clients, panels: Panels, lesson: Lesson, rule: str) -> dict[str, float]:
    """Say what is told at the cutoff of a lesson, beside what is true."""
    cutoff = lesson.split.test
    labels = panels.labels([cutoff], known_before=None)
    X, left = lesson.latest.loc[labels.index], labels["churned"].to_numpy()
    stays = clients.stay(cutoff, labels.index.get_level_values("client_id"))
    with without(RULES[rule]):
        churn = lesson.fit_churn()
        told = churn.predict_proba(X)[:, 1]
        expected = lesson.fit_value(churn=churn).predict(X)
        long = lesson.fit_outlook(panels, LongRunTerms())
        gone = 1 - long.leaving.curves(X, told, until=AHEAD).stay([HORIZON, 360, AHEAD])
        known = replace(long, terms=LongRunTerms(years=AHEAD / 365.25, discount_rate=_RATE))
        tale, carried = (one.predict(X, expected, told) for one in (known, replace(known, pace=None)))
    worth = clients.worth(cutoff, labels.index.get_level_values("client_id"), stays)
    medians = tale["median_remaining_days"].to_numpy()
    really = np.where((stays <= 0.5).any(axis=1), (stays <= 0.5).argmax(axis=1), np.nan)
    seen = np.isfinite(medians) & np.isfinite(really)
    true = 1 - stays[:, HORIZON]
    return {
        "left": left.mean(),
        "true": true.mean(),
        "told": told.mean(),
        "off": abs(np.log(told.mean() / true.mean())),
        "AUC": roc_auc_score(left, told),
        "of the truth": roc_auc_score(left, true) if np.ptp(true) > 1e-9 else 0.5,
        "worse": 1000 * divergence(true, told),
        "curve 90": 1000 * divergence(true, gone[:, 0]),
        "curve 360": 1000 * divergence(1 - stays[:, 360], gone[:, 1]),
        "curve 720": 1000 * divergence(1 - stays[:, AHEAD], gone[:, 2]),
        "stay 720": 1 - gone[:, 2].mean(),
        "truly": stays[:, 720].mean(),
        "worth": tale["long_run_value"].sum() / worth.sum(),
        "worth off": (tale["long_run_value"] - worth).abs().mean() / worth.mean(),
        "carried on": carried["long_run_value"].sum() / worth.sum(),
        "carried on off": (carried["long_run_value"] - worth).abs().mean() / worth.mean(),
        "median off": float(np.median(np.abs(medians - really)[seen])) if seen.sum() > _FEW else np.nan,
    }


def judge_airline(panels: Panels, lesson: Lesson, rule: str) -> dict[str, float]:
    """Say what is told at the cutoff of a lesson, beside what happened."""
    left = panels.labels([lesson.split.test], known_before=None)["churned"]
    X = lesson.latest.loc[left.index]
    with without(RULES[rule]):
        told = lesson.fit_churn().predict_proba(X)[:, 1]
        gone = 1 - lesson.fit_outlook(panels, LongRunTerms()).leaving.curves(X, told).stay([HORIZON])[:, 0]
    return {
        "left": left.mean(),
        "told": told.mean(),
        "off": abs(np.log(told.mean() / left.mean())),
        "AUC": roc_auc_score(left, told),
        "log loss": log_loss(left, told),
        "curve 90": log_loss(left, gone),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=BUSINESSES, default=list(BUSINESSES))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rules", action="store_true", help="leave past shares, churn and clocks out as well")
    parser.add_argument("--data", type=Path, help="folder of the data: of the airline instead, with all rules")
    given = parser.parse_args()
    told = {}
    if given.data is not None:
        config = read_config(Path(__file__).parent / "airline.toml")
        panels = Panels(read_histories(config, given.data), setting_of(config), config.features)
        lessons = [Lesson.of(panels, split) for split in panels.setting.splits(panels.histories, BEFORE)]
        for rule in RULES:
            told[rule] = pd.DataFrame([judge_airline(panels, lesson, rule) for lesson in lessons]).mean()
        print(pd.DataFrame(told).T.round(4).to_string())
        return
    for name in given.only:
        clients = BUSINESSES[name].draw(given.seed)
        panels = Panels(clients.histories(), SETTING)
        lessons = [Lesson.of(panels, split) for split in SETTING.splits(panels.histories, CUTOFFS)]
        for rule in RULES if given.rules else list(RULES)[:1]:
            print(f"{name}, {rule} ...", flush=True)
            told[name, rule] = pd.DataFrame([judge(clients, panels, lesson, rule) for lesson in lessons]).mean()
    table = pd.DataFrame(told).T.rename_axis(["business", "rule"])
    print(f"\n{table.round(3).to_string()}\n\nMeans\n{table.groupby('rule', sort=False).mean().round(4).T.to_string()}")


if __name__ == "__main__":
    main()
