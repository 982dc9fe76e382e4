"""Compare laws of spend in one backtest, by proper scores, on cutoffs before the test cutoffs.

    python experiments/value_comparison.py DATA [--only cdnow ...]

DATA is the folder that holds the data; the configs beside this file say what is read. Every model learns from the same
panels, and those in two parts share one model of who buys; what each figure means is said in `value_comparison.md`.
"""

import argparse
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import beta, gammainc
from sklearn.base import clone

from loyalty.backtesting import predict_baselines
from loyalty.config import read_config, read_histories
from loyalty.evaluation import value_metrics
from loyalty.experiment import setting_of
from loyalty.fitting import Lesson
from loyalty.histories import HistoriesWarning
from loyalty.models.churn import ChurnModel
from loyalty.models.intervals import SpendIntervals
from loyalty.models.value import ValueModel
from loyalty.models.ziln import ZeroInflatedLaw, ZeroInflatedLogNormal
from loyalty.panels import Panels
from loyalty.setting import Setting
from loyalty.timeline import Outcome, Split

Floats = NDArray[np.float64]

HERE = Path(__file__).parent
#: Cutoffs before the test cutoffs, and the horizon where it is not that of the config.
EARLIER = {
    "cdnow": [(["1997-10-01"], "91d"), (["1997-12-01"], "150d")],
    "online_retail_2": [(["2010-10-01", "2010-11-01", "2010-12-01"], None)],
    "complete_journey": [(["2017-06-01", "2017-07-01", "2017-08-01"], None)],
}
DEFAULT = "log-normal with anchor"
#: Power by which the default is told further apart, its sum kept: what MAE makes of it.
SPREAD = 1.1
#: Middles of 100 equal parts: a law seen through so many quantiles has their mean and, nearly, their score.
LEVELS = (np.arange(100) + 0.5) / 100
#: Where a forecast is 0, a little is left, in shares of the mean spend, so that a deviance exists.
LEAST = 1e-3
DRAWS = 1000


@dataclass(frozen=True)
class Forecast:
    """The mean foretold of each client and, for a law, the continuous ranked probability score of each."""

    mean: Floats
    crps: Floats | None = None


@dataclass(frozen=True)
class GammaLaw:
    """Nothing, or a Gamma amount of one shape for all."""

    chance: Floats
    mean_if_spending: Floats
    shape: float

    def crps(self, spend: Floats) -> Floats:
        """Score the law of each client as `ZeroInflatedLaw.crps` does."""
        mean, scale = self.mean_if_spending, self.mean_if_spending / self.shape
        above = np.maximum(spend, 0.0) / scale
        apart = np.where(
            spend > 0,
            spend * (2 * gammainc(self.shape, above) - 1) + mean * (1 - 2 * gammainc(self.shape + 1, above)),
            mean - spend,
        )
        between = 2 * scale / beta(0.5, self.shape)
        missed = (1 - self.chance) * np.abs(spend) + self.chance * apart
        return missed - self.chance * (1 - self.chance) * mean - self.chance**2 * between / 2


def crps_of_quantiles(quantiles: Floats, spend: Floats) -> Floats:
    """Score a law by its quantiles at `LEVELS`: twice the mean of their pinball losses."""
    off = spend[:, None] - quantiles
    return 2 * np.mean(np.where(off >= 0, LEVELS * off, (LEVELS - 1) * off), axis=1)


def settings_of(name: str) -> Iterator[tuple[Setting, list[pd.Timestamp]]]:
    config = read_config(HERE / f"{name}.toml")
    for cutoffs, horizon in EARLIER[name]:
        setting = setting_of(config)
        if horizon is not None:
            setting = replace(setting, outcome=Outcome.of(horizon=horizon))
        yield setting, [pd.Timestamp(cutoff) for cutoff in cutoffs]


def forecasts_at(panels: Panels, split: Split) -> tuple[dict[str, Forecast], pd.Series, pd.Series]:
    """Fit every model for one cutoff; return its forecasts, what was spent, and how often clients had bought again."""
    lesson = Lesson.of(panels, split)
    churn = lesson.fit_churn()
    default = lesson.fit_value(churn=churn)
    spend = panels.labels([split.test], known_before=None)["value"]
    X, y, panel = lesson.X, lesson.labels["value"], lesson.latest.loc[spend.index]
    true, learned_from = spend.to_numpy(float), y.to_numpy(float)
    reach = panels.setting.outcome.reach

    baselines, _, _ = predict_baselines(panels, split)
    told = {name: Forecast(made.loc[spend.index, "expected_value"].to_numpy()) for name, made in baselines.items()}
    told["tweedie"] = Forecast(ValueModel(law="tweedie", embargo=reach).fit(X, y).predict(panel))

    buyers = learned_from > 0
    bought, buys = churn.predict_proba(X)[:, 0], churn.predict_proba(panel)[:, 0]
    of_buyers = fit_on_buyers(lesson, churn)
    of_logarithms = fit_on_buyers(lesson, churn, _MEAN_TREES_PER_LOG_TREE=0.0)
    two_parts = {
        "hurdle gamma": ValueModel(law="gamma", embargo=reach).fit(X, y, purchase=churn),
        "hurdle log-normal": ValueModel(law="lognormal", embargo=reach).fit(X, y, purchase=churn),
        "gamma with anchor": clone(default).set_params(law="gamma").fit(X, y, purchase=churn, latest=lesson.latest),
        f"{DEFAULT}, logarithms alone": of_logarithms,
        f"{DEFAULT}, buyers alone": of_buyers,
        DEFAULT: default,
    }
    for name, model in two_parts.items():
        mean, seen = model.predict(panel), model.predict(X)[buyers] / bought[buyers]
        law: GammaLaw | ZeroInflatedLaw
        if model.law == "lognormal":
            sd = float(np.std(np.log(learned_from[buyers] / seen)))
            law = ZeroInflatedLaw(buys, np.log(mean / buys) - sd**2 / 2, np.full(len(mean), sd))
        else:
            law = GammaLaw(buys, mean / buys, 1 / float(np.mean((learned_from[buyers] / seen - 1) ** 2)))
        told[name] = Forecast(mean, law.crps(true))
    mean = told[DEFAULT].mean
    told[f"{DEFAULT}, spread"] = Forecast(mean**SPREAD * (mean.sum() / (mean**SPREAD).sum()))

    ziln = ZeroInflatedLogNormal().fit(X, y)
    own = ziln.predict_law(panel)
    told["ziln"] = Forecast(ziln.predict(panel), own.crps(true))
    shared = replace(own, chance=buys)
    told["ziln, shared chance"] = Forecast(ziln.scale_ * shared.mean(), shared.crps(true))
    if default.anchor is not None:
        second = panel[default.anchor].to_numpy(float)
        # Log means meet half way, so that the means after scaling meet at their geometric mean; the spread stays.
        towards = np.where(second > 0, np.log(np.where(second > 0, second, 1.0) / own.mean_if_spending()) / 2, 0.0)
        anchored = replace(shared, log_mean=own.log_mean + towards)
        kept = np.where(second > 0, np.sqrt(ziln.scale_), ziln.scale_)
        told["ziln with anchor"] = Forecast(kept * anchored.mean(), anchored.crps(true))

    quantiles = SpendIntervals(embargo=reach).fit(X, y).predict_quantiles(panel, LEVELS)
    score = crps_of_quantiles(quantiles, true)
    told["quantile, mean"] = Forecast(quantiles.mean(axis=1), score)
    told["quantile, median"] = Forecast(quantiles[:, len(LEVELS) // 2 - 1 : len(LEVELS) // 2 + 1].mean(axis=1), score)
    return told, spend, panel["frequency"]


def fit_on_buyers(lesson: Lesson, churn: ChurnModel, **constants: float) -> ValueModel:
    """Fit the default without the trees of all clients, and with other constants of its module."""
    with patch.multiple("loyalty.models.value", _WHOLE_ROWS=np.inf, **constants):
        return lesson.fit_value(churn=churn)


def deviances(true: Floats, mean: Floats) -> Floats:
    """Measure the unit deviance of a Tweedie law of power 1.5; its part without `mean` takes refunds for nothing."""
    kept = np.maximum(mean, LEAST * max(float(true.mean()), 1e-9))
    return 4 * (true / np.sqrt(kept) + np.sqrt(kept) - 2 * np.sqrt(np.maximum(true, 0.0)))


def scores_of(forecast: Forecast, true: Floats) -> dict[str, Floats]:
    scores = {"deviance": deviances(true, forecast.mean), "squared": (true - forecast.mean) ** 2}
    return scores if forecast.crps is None else {"crps": forecast.crps} | scores


def figures_of(forecast: Forecast, true: Floats) -> dict[str, float]:
    metrics = value_metrics(true, forecast.mean)
    proper = {name: float(score.mean()) for name, score in scores_of(forecast, true).items()}
    return {
        "CRPS": proper.get("crps", np.nan),
        "deviance": proper["deviance"],
        "RMSE": float(np.sqrt(proper["squared"])),
        "MAE": metrics["mae"],
        "Spearman": metrics["spearman"],
        "Gini": metrics["gini"],
        "decile MAPE": metrics["decile_mape"],
        "total error": metrics["total_error"],
    }


def by_repeats(told: Mapping[str, Forecast], spend: pd.Series, repeats: pd.Series) -> pd.DataFrame:
    """Set the default beside buy till you die, by the days on which a client had bought again."""
    often = np.clip(repeats.fillna(0.0).to_numpy(), 0, 4).astype(int)
    rows = pd.DataFrame({"clients": 1.0, "spend": spend.to_numpy(float)})
    for name in ("btyd", DEFAULT):
        rows[f"{name}: mean"] = told[name].mean
        rows[f"{name}: MAE"] = np.abs(told[name].mean - rows["spend"])
    table = rows.groupby(often).mean().rename(index={4: "4 or more"}).rename_axis("repeats")
    return table.assign(clients=rows.groupby(often)["clients"].sum().to_numpy())


def bootstrap(scores: Mapping[str, pd.DataFrame], clients: pd.Index) -> pd.DataFrame:
    """Interval of how much less each model scores than the default, in percent, over clients drawn anew.

    A client is drawn with all its cutoffs.
    """
    code, known = pd.factorize(clients)
    rng = np.random.default_rng(0)
    weights = rng.multinomial(len(known), np.full(len(known), 1 / len(known)), size=DRAWS)
    rows = {}
    for score, of_models in scores.items():
        sums = of_models.groupby(code).sum().to_numpy() @ np.eye(of_models.shape[1])
        drawn = pd.DataFrame(weights @ sums, columns=of_models.columns)
        change = 100 * (drawn.div(drawn[DEFAULT], axis=0) - 1)
        point = 100 * (of_models.sum() / of_models[DEFAULT].sum() - 1)
        low, high = change.quantile(0.025), change.quantile(0.975)
        rows[score] = pd.Series(
            {model: f"{point[model]:+.1f} ({low[model]:+.1f}, {high[model]:+.1f})" for model in of_models}
        )
    return pd.DataFrame(rows).drop(index=DEFAULT)


def compare(name: str, data: Path) -> None:
    config, panels = read_config(HERE / f"{name}.toml"), None
    tables, scores, clients = [], [], []
    for setting, cutoffs in settings_of(name):
        panels = Panels(read_histories(config, data), setting)
        for split in setting.splits(panels.histories, cutoffs):
            told, spend, repeats = forecasts_at(panels, split)
            true = spend.to_numpy(float)
            tables.append(pd.DataFrame({model: figures_of(made, true) for model, made in told.items()}).T)
            scores.append({(m, s): v for m, made in told.items() for s, v in scores_of(made, true).items()})
            clients.append(spend.index.get_level_values("client_id"))
            print(f"{name} at {split.test:%Y-%m-%d}, {len(true):,} clients, {len(split.train)} training cutoffs")
            print(by_repeats(told, spend, repeats).round(2).to_string())
    mean = pd.concat(tables).groupby(level=0, sort=False).mean()
    print(f"\n# {name}: means over the cutoffs\n{mean.round(4).to_string()}")
    joined = pd.concat([pd.DataFrame(part) for part in scores], ignore_index=True)
    by_score = {score: joined.xs(score, axis=1, level=1) for score in ("crps", "deviance", "squared")}
    everyone = clients[0].append(clients[1:])
    print(f"\nPercent beside {DEFAULT!r}, and 95% interval\n{bootstrap(by_score, everyone).to_string()}\n", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", nargs="+", choices=list(EARLIER), default=list(EARLIER))
    given = parser.parse_args()
    warnings.simplefilter("ignore", HistoriesWarning)
    for name in given.only:
        compare(name, given.data)


if __name__ == "__main__":
    main()
