"""Ask whether the loyalty score tells who stays and what is spent.

    python experiments/loyalty_score.py DATA
    python experiments/loyalty_score.py DATA --choose-weights

DATA is the folder that holds the data; the configs beside this file say what is read. At the test cutoffs of each
config clients are put into tenths by their score, and by each part of it, and what they did in the horizon is told.
Clients with equal scores stay in one tenth, that of their mean rank. The score is made twice: from features alone, and
with the churn probabilities of the LightGBM model fitted for the cutoff.

With `--choose-weights` the weights of `LoyaltyWeights` are chosen instead, on the cutoffs in `EARLIER`, whose outcomes
were over by the first test cutoff.
"""

import argparse
import itertools
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from loyalty.config import read_config, read_histories
from loyalty.evaluation import churn_metrics
from loyalty.experiment import setting_of
from loyalty.fitting import fit_models
from loyalty.histories import HistoriesWarning
from loyalty.loyalty_scores import LoyaltyWeights, loyalty_score
from loyalty.panels import Panels
from loyalty.segments import RfmCuts, rfm_segments, segment_movement
from loyalty.timeline import Outcome

HERE = Path(__file__).parent
EARLIER = {
    "cdnow": ["1997-10-01"],
    "online_retail_2": ["2010-10-01", "2010-11-01", "2010-12-01"],
    "complete_journey": ["2017-06-01", "2017-07-01", "2017-08-01"],
}
#: Where the horizon of the config would reach past the test cutoff.
SHORTER = {"cdnow": "91d"}
CHOSEN = ("staying", "regularity", "spend", "price_independence")
BANDS = [0, 20, 40, 60, 80, 100]


def clients_of(name: str, data: Path, *, earlier: bool) -> Iterator[pd.DataFrame]:
    """Yield, for each cutoff, features, churn probability and outcome of every client."""
    config = read_config(HERE / f"{name}.toml")
    setting = setting_of(config)
    if earlier and name in SHORTER:
        setting = replace(setting, outcome=Outcome.of(horizon=SHORTER[name]))
    cutoffs = [pd.Timestamp(at) for at in EARLIER[name]] if earlier else config.test_cutoffs
    panels = Panels(read_histories(config, data), setting)
    for split in setting.splits(panels.histories, cutoffs):
        fitted = fit_models(panels, split)
        panel = panels.at(split.test, learned=fitted.learned)
        yield panel.join(fitted.predict(panel)).join(panels.labels([split.test], known_before=None))


def scores_of(clients: pd.DataFrame, weights: LoyaltyWeights | None = None) -> pd.DataFrame:
    """Score with and without the model; the parts, and the score with the model as a column more."""
    scores = loyalty_score(clients, weights=weights)
    modelled = loyalty_score(clients, clients["churn_probability"], weights=weights)
    scores["score with model"] = modelled["loyalty_score"]
    scores["staying with model"] = modelled["staying"]
    return scores.dropna(axis="columns", how="all")


def tenths(score: pd.Series, clients: pd.DataFrame) -> pd.DataFrame:
    known = score.dropna()
    tenth = np.ceil(known.rank(pct=True) * 10).astype(int).rename("tenth")
    outcomes = clients.loc[known.index]
    table = pd.DataFrame({"score": known, "stayed": 1 - outcomes["churned"], "spend": outcomes["value"]})
    return table.groupby(tenth).mean()


def order(score: pd.Series, clients: pd.DataFrame) -> dict[str, float]:
    """Measure how well a score orders clients, by tenth and one by one."""
    table, known = tenths(score, clients), score.dropna()
    left, value = clients.loc[known.index, "churned"], clients.loc[known.index, "value"]
    several = len(table) > 1
    return {
        "known": len(known) / len(score),
        "tenths": len(table),
        "tenths: stayed": spearmanr(table.index, table["stayed"])[0] if several else np.nan,
        "tenths: spend": spearmanr(table.index, table["spend"])[0] if several else np.nan,
        "clients: AUC": churn_metrics(left, 1 - known / 100)["auc"],
        "clients: spend": spearmanr(known, value)[0] if several else np.nan,
    }


def report(name: str, data: Path) -> None:
    parts, by_tenth, means = [], [], {}
    snapshots = list(clients_of(name, data, earlier=False))
    for clients in snapshots:
        scores = scores_of(clients)
        cutoff = clients.index.get_level_values("cutoff")[0]
        means[f"{cutoff:%Y-%m-%d}"] = {"clients": len(clients), **scores.mean()}
        parts.append(pd.DataFrame({column: order(scores[column], clients) for column in scores}).T)
        made = {column: tenths(scores[column], clients) for column in ("loyalty_score", "score with model")}
        by_tenth.append(pd.concat(made, axis=1))
    print(f"\n# {name}\n\nClients and mean points at each cutoff\n{pd.DataFrame(means).T.round(1).to_string()}")
    print(f"\nMean over the cutoffs: tenths\n{_mean(by_tenth).round(3).to_string()}")
    print(f"\nMean over the cutoffs: the score and its parts\n{_mean(parts).round(3).to_string()}")
    if name == "online_retail_2":
        movement(*snapshots)


def _mean(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(tables).groupby(level=0, sort=False).mean()


def movement(first: pd.DataFrame, before: pd.DataFrame, after: pd.DataFrame) -> None:
    """Print who moved between the last two cutoffs, between segments whose cuts come from the first."""
    cuts = RfmCuts.fit(first)
    moved = segment_movement(*(rfm_segments(panel, cuts=cuts) for panel in (before, after)))
    print(f"\nRFM segments, cuts of the first cutoff: {cuts}\n{moved.round(2).to_string()}")
    bands = [
        pd.DataFrame(
            {
                "segment": pd.cut(loyalty_score(panel)["loyalty_score"], BANDS, include_lowest=True, precision=0),
                "value": panel["amount_sum_365d"],
            }
        )
        for panel in (before, after)
    ]
    moved = segment_movement(*(band.astype({"segment": str}) for band in bands))
    print(f"\nBands of the score\n{moved.round(2).to_string()}")


def choose_weights(data: Path) -> None:
    """Try all weights in steps of 5, each part at least 5; the last two parts are not in these data."""
    fixed = LoyaltyWeights()
    free = 100 - int(fixed.engagement + fixed.satisfaction)
    sets = {name: [(c, scores_of(c)) for c in clients_of(name, data, earlier=True)] for name in EARLIER}
    tried = []
    for first in itertools.product(range(5, free, 5), repeat=3):
        weights = dict(zip(CHOSEN, (*first, free - sum(first)), strict=True))
        if weights["price_independence"] >= 5:
            figures = {name: np.mean([_judge(*one, weights) for one in found]) for name, found in sets.items()}
            tried.append(weights | figures | {"mean": np.mean(list(figures.values()))})
    table = pd.DataFrame(tried).sort_values("mean", ascending=False, ignore_index=True)
    print(table.head(15).round(4).to_string())
    here = (table[list(CHOSEN)] == [getattr(fixed, name) for name in CHOSEN]).all(axis=1)
    print(f"\nThe weights as they are, {int(here.idxmax()) + 1} of {len(table)}\n{table[here].round(4).to_string()}")


def _judge(clients: pd.DataFrame, scores: pd.DataFrame, weights: dict[str, int]) -> float:
    """Average AUC and rank correlation with spend, over the score with and without the model."""
    figures = []
    for staying in ("staying", "staying with model"):
        points = scores[[staying, *(name for name in CHOSEN[1:] if name in scores)]].rename(
            columns={staying: "staying"}
        )
        weight = pd.Series(weights)[points.columns]
        ranks = (points.mul(weight).sum(axis=1) / points.notna().mul(weight).sum(axis=1)).rank()
        stayed = 1 - clients["churned"]
        pairs = stayed.sum() * (1 - stayed).sum()
        above = ranks[stayed == 1].sum() - stayed.sum() * (stayed.sum() + 1) / 2
        figures += [above / pairs, ranks.corr(clients["value"].rank())]
    return float(np.mean(figures))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--choose-weights", action="store_true")
    given = parser.parse_args()
    warnings.simplefilter("ignore", HistoriesWarning)
    if given.choose_weights:
        choose_weights(given.data)
        return
    for name in EARLIER:
        report(name, given.data)


if __name__ == "__main__":
    main()
