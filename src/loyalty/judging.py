"""Judge predictions at many cutoffs: figures with intervals, models compared pair by pair, and frames to be drawn.

Everything here takes the frame of predictions that `loyalty.backtesting.Backtest` holds: a row per model, cutoff and
client, with what was predicted and what happened. Rows whose outcome is not known are left out.

Chance is taken into account by drawing clients with replacement [1]_. A client stands at many cutoffs, and what he does
at one has much to do with what he does at the next; so it is clients that are drawn, and each with all his rows [2]_.
All models are judged on the same draws, so that a difference between two of them is free of the luck they share.

References
----------
.. [1] Efron and Tibshirani (1993), "An Introduction to the Bootstrap", Chapman and Hall.
.. [2] Field and Welsh (2007), "Bootstrapping Clustered Data", Journal of the Royal Statistical Society B 69(3).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.typing import NaTType

from loyalty.checks import is_whole_number
from loyalty.evaluation import (
    calibration_table,
    churn_metrics,
    gain_curve,
    interval_metrics,
    share_interval,
    value_metrics,
)
from loyalty.evaluation._resampled import CHURN, INTERVALS, VALUE, Resampled

__all__ = [
    "BETTER",
    "FEWEST_LEAVERS",
    "Judgement",
    "as_html",
    "calibration_frame",
    "count_frame",
    "coverage_frame",
    "gain_frame",
    "judge",
    "value_frame",
]

Floats = NDArray[np.float64]
Direction = Literal["higher", "lower", "nearer 0"]

LEVEL = 0.95
#: Where fewer clients left at a cutoff, its AUC and lift say next to nothing.
FEWEST_LEAVERS = 20
DRAWS = 1000
METRICS = (*CHURN, *VALUE, *INTERVALS)

#: Which figures of two models can be compared, and which is the better one.
BETTER: dict[str, Direction] = {
    "auc": "higher",
    "log_loss": "lower",
    "brier": "lower",
    "mean_error": "nearer 0",
    "lift_top_20": "higher",
    "found_top_20": "higher",
    "mae": "lower",
    "spearman": "higher",
    "gini": "higher",
    "decile_mape": "lower",
    "total_error": "nearer 0",
}

#: The figures that are shown where there is no room for all, and how they are written.
SHOWN = ("auc", "log_loss", "brier", "mae", "spearman", "gini", "total_error")

_CONTACTED = np.linspace(0.0, 1.0, 101)
_TENTHS = 10


@dataclass(frozen=True)
class Judgement:
    """Figures of every model at every cutoff, and the same on clients drawn anew.

    Attributes
    ----------
    models, cutoffs, metrics : tuple
        What the axes of the arrays are.
    figures : ndarray of shape (n_models, n_cutoffs, n_metrics)
        NaN where a model has no such figure.
    draws : ndarray of shape (n_models, n_cutoffs, n_metrics, n_draws)
        The same on the clients of each draw.
    """

    models: tuple[str, ...]
    cutoffs: tuple[pd.Timestamp, ...]
    metrics: tuple[str, ...]
    figures: Floats
    draws: Floats

    def by_cutoff(self, *, level: float = LEVEL) -> pd.DataFrame:
        """Lay out the figures: `model`, `cutoff`, `metric`, `value`, and its interval, `lower` and `upper`.

        Cutoffs come in order, at each the models, of each the metrics. How many `clients` there are has no interval,
        and a figure that is NaN has none either.
        """
        lower, upper = _bounds(self.figures, self.draws, level)
        rows = [
            (model, cutoff, metric, self.figures[m, c, k], lower[m, c, k], upper[m, c, k])
            for c, cutoff in enumerate(self.cutoffs)
            for m, model in enumerate(self.models)
            if not np.isnan(self.figures[m, c]).all()
            for k, metric in enumerate(self.metrics)
            if metric not in INTERVALS or not np.isnan(self.figures[m, c, k])
        ]
        table = pd.DataFrame(rows, columns=["model", "cutoff", "metric", "value", "lower", "upper"])
        table.loc[table["metric"] == "clients", ["lower", "upper"]] = np.nan
        return table

    def means(self, *, level: float = LEVEL) -> pd.DataFrame:
        """Average over the cutoffs where a figure is known: `model`, `metric`, `value`, `lower`, `upper`."""
        rows = []
        for m, model in enumerate(self.models):
            for k, metric in enumerate(self.metrics):
                known = ~np.isnan(self.figures[m, :, k])
                if known.any():
                    value, drawn = self.figures[m, known, k].mean(), self.draws[m, known, k].mean(axis=0)
                    bounds = _bounds(value, drawn, level) if metric != "clients" else (np.nan, np.nan)
                    rows.append((model, metric, value, *map(float, bounds)))
        return pd.DataFrame(rows, columns=["model", "metric", "value", "lower", "upper"])

    def compare(self, model: str, against: str | Sequence[str] | None = None, *, level: float = LEVEL) -> pd.DataFrame:
        """Set a model beside others on the same draws; see `loyalty.Backtest.compare`."""
        others = [name for name in self.models if name != model] if against is None else against
        others = [others] if isinstance(others, str) else list(others)
        if unknown := [name for name in (model, *others) if name not in self.models]:
            known = ", ".join(map(repr, self.models)) or "no model: no outcome is known"
            raise ValueError(f"`model` and `against` must be judged models; got {unknown[0]!r}. There is {known}.")
        rows = [
            (baseline, metric, cutoff, BETTER[metric], *told)
            for baseline in others
            for k, metric in enumerate(self.metrics)
            if metric in BETTER
            for cutoff, told in self._differences(self.models.index(model), self.models.index(baseline), k, level)
        ]
        columns = ["baseline", "metric", "cutoff", "better", "difference", "lower", "upper", "share_better"]
        return pd.DataFrame(rows, columns=columns).astype({"cutoff": "datetime64[us]"})

    def _differences(
        self, model: int, baseline: int, metric: int, level: float
    ) -> Iterator[tuple[pd.Timestamp | NaTType, tuple[float, float, float, float]]]:
        """Yield differences at every cutoff that both were judged at; then, under NaT, their mean."""
        direction = BETTER[self.metrics[metric]]
        pair = [model, baseline]
        there = ~np.isnan(self.figures[pair][:, :, list(self.metrics).index("clients")]).any(axis=0)
        values, drawn = self.figures[pair][:, there, metric], self.draws[pair][:, there, metric]
        if direction == "nearer 0":
            values, drawn = np.abs(values), np.abs(drawn)
        value, draws = values[0] - values[1], drawn[0] - drawn[1]
        for c, place in enumerate(np.flatnonzero(there)):
            yield self.cutoffs[place], _told(value[c], draws[c], direction, level)
        known = ~np.isnan(value)
        if known.any():
            yield pd.NaT, _told(value[known].mean(), draws[known].mean(axis=0), direction, level)


def judge(predictions: pd.DataFrame, *, draws: int = DRAWS, seed: int = 0) -> Judgement:
    """Judge every model at every cutoff, and again on clients drawn with replacement.

    Parameters
    ----------
    predictions : DataFrame
        `model`, `client_id`, `cutoff`, `churn_probability`, `expected_value`, `churned`, `value`; where a model has
        intervals, also `value_lower` and `value_upper`, NaN in the rows of the others. Rows whose `churned` is NaN
        are left out.
    draws : int, default=1000
        How many times to draw as many clients as there are.
    seed : int, default=0
        Of the draws; the same seed and clients give the same draws, in whatever order the rows are. Where a figure
        takes equal predictions in row order, it takes them by `client_id`.

    Returns
    -------
    Judgement
        The figures of `churn_metrics`, `value_metrics` and, where there are intervals, `interval_metrics`.

    Raises
    ------
    ValueError
        If `draws` is not a whole number of at least 1, or the predictions are not as `loyalty.evaluation` asks.

    Notes
    -----
    At a cutoff a draw holds as many rows as its clients have there, so their number varies a little.

    Examples
    --------
    >>> rows = pd.DataFrame({"model": "naive", "client_id": [1, 2, 3, 4], "cutoff": pd.Timestamp("2025-01-01"),
    ...                      "churn_probability": [0.9, 0.6, 0.4, 0.2], "expected_value": 1.0,
    ...                      "churned": [1, 0, 1, 0], "value": [0, 2, 0, 1]})
    >>> table = judge(rows).by_cutoff().set_index("metric")
    >>> table.loc[["auc", "mean_error"], ["value", "lower", "upper"]].round(3)
                value  lower  upper
    metric
    auc         0.750    0.0  1.000
    mean_error  0.025   -0.4  0.425
    """
    if not is_whole_number(draws, least=1):
        raise ValueError(f"`draws` must be a whole number, at least 1; got {draws!r}.")
    judged = _judged(predictions)
    models = tuple(map(str, judged["model"].unique()))
    cutoffs = tuple(judged["cutoff"].sort_values().unique())
    shape = (len(models), len(cutoffs), len(METRICS))
    figures, drawn = np.full(shape, np.nan), np.full((*shape, int(draws)), np.nan)
    clients = judged["client_id"].nunique()
    parts = []
    for (model, cutoff), unsorted in judged.groupby(["model", "cutoff"], sort=False):
        group = unsorted.sort_values("client", kind="stable")
        place = models.index(str(model)), cutoffs.index(cutoff)
        told = _figures(group)
        figures[place][: len(told)] = list(told.values())
        parts.append((place, group["client"].to_numpy(), Resampled(*_columns(group))))
    for number, counts in enumerate(_draws(clients, int(draws), seed)):
        for place, rows, resampled in parts:
            drawn[place][: len(resampled.names), number] = resampled.figures(counts[rows])
    return Judgement(models, cutoffs, METRICS, figures, drawn)


def _judged(predictions: pd.DataFrame) -> pd.DataFrame:
    """Keep rows with an outcome, and number the clients by their ids."""
    judged = predictions.dropna(subset="churned")
    judged = judged.assign(**{name: np.nan for name in ("value_lower", "value_upper") if name not in judged})
    return judged.assign(client=pd.factorize(judged["client_id"], sort=True)[0])


def _columns(group: pd.DataFrame) -> tuple[Floats, ...]:
    names = ("churned", "churn_probability", "value", "expected_value", "value_lower", "value_upper")
    return tuple(group[name].to_numpy(dtype="float64") for name in names)


def _figures(group: pd.DataFrame) -> dict[str, float]:
    """Judge one model at one cutoff."""
    told = churn_metrics(group["churned"], group["churn_probability"])
    told |= value_metrics(group["value"], group["expected_value"])
    has = group.dropna(subset=["value_lower", "value_upper"])
    return told if has.empty else told | interval_metrics(has["value"], has["value_lower"], has["value_upper"])


def _draws(clients: int, draws: int, seed: int) -> Iterator[Floats]:
    """Draw as many clients as there are, with replacement, and tell how often each came up."""
    rng = np.random.default_rng(seed)
    for _ in range(draws if clients else 0):
        yield np.bincount(rng.integers(clients, size=clients), minlength=clients).astype(np.float64)


def _bounds(value: Floats | float, draws: Floats, level: float) -> tuple[Floats, Floats]:
    """Take the middle share of the draws; none where the value itself is not known."""
    if not 0 < level < 1:
        raise ValueError(f"`level` must lie between 0 and 1, such as 0.95; got {level!r}.")
    known = ~np.isnan(value) & ~np.isnan(draws).all(axis=-1)
    lower, upper = (np.full(known.shape, np.nan) for _ in range(2))
    if known.any():
        tails = [(1 - level) / 2, (1 + level) / 2]
        lower[known], upper[known] = np.nanquantile(draws[known], tails, axis=-1)
    return lower, upper


def _told(value: float, draws: Floats, direction: Direction, level: float) -> tuple[float, float, float, float]:
    lower, upper = _bounds(value, draws, level)
    known = draws[~np.isnan(draws)]
    if np.isnan(value) or not known.size:
        return float(value), np.nan, np.nan, np.nan
    better = known > 0 if direction == "higher" else known < 0
    return float(value), float(lower), float(upper), float((better + 0.5 * (known == 0)).mean())


def as_html(judgement: Judgement) -> str:
    """Write the means over cutoffs as a table for a notebook: a row a model, the best bold, intervals beneath.

    Parameters
    ----------
    judgement : Judgement
        Result of `judge`.

    Returns
    -------
    str
        HTML in which nothing of the data can be anything but text.
    """
    if not judgement.cutoffs:
        return "<p>Backtest: no outcome is known at its cutoffs; nothing is judged.</p>"
    means = judgement.means().set_index("model")
    head = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in SHOWN)
    cells = {name: _cells(means[means["metric"] == name], BETTER[name]) for name in SHOWN}
    rows = "".join(
        f"<tr><th>{escape(model)}</th>{''.join(cells[name].get(model, '<td></td>') for name in SHOWN)}</tr>"
        for model in judgement.models
    )
    at = ", ".join(f"{cutoff:%Y-%m-%d}" for cutoff in judgement.cutoffs)
    said = f"Means over the cutoffs {at}; the best is bold; beneath, {LEVEL:.0%} intervals over clients drawn anew."
    return f"<table><caption>{said}</caption><thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _cells(means: pd.DataFrame, direction: Direction) -> dict[str, str]:
    """Write the cells of one column, by model."""
    values = means["value"].abs() if direction == "nearer 0" else means["value"]
    best = values.max() if direction == "higher" else values.min()
    cells = {}
    for model, value, lower, upper in means[["value", "lower", "upper"]].itertuples():
        digits = 3 if abs(value) < 10 else 1
        figure = f"{value:,.{digits}f}"
        figure = f"<b>{figure}</b>" if values[model] == best else figure
        beneath = "" if np.isnan(lower) else f"<br><small>{lower:,.{digits}f} to {upper:,.{digits}f}</small>"
        cells[str(model)] = f"<td>{figure}{beneath}</td>"
    return cells


def gain_frame(predictions: pd.DataFrame) -> pd.DataFrame:
    """Trace the share of leavers found against the share of clients contacted, riskiest first.

    Parameters
    ----------
    predictions : DataFrame
        See `judge`.

    Returns
    -------
    DataFrame
        A row per `model` and share `contacted`, 0 to 1 in hundredths: `found`, the mean over the cutoffs where
        somebody left, `lowest` and `highest` of them; `lift`, `lift_lowest` and `lift_highest`, the same over
        `contacted`, NaN at 0; and `best`, what a perfect order finds. The order of rows is that of the models.
    """
    frames = []
    for model, rows in _judged(predictions).groupby("model", sort=False):
        groups = [group for _, group in rows.groupby("cutoff") if group["churned"].any()]
        if not groups:
            continue
        curves = np.vstack([gain_curve(group["churned"], group["churn_probability"], _CONTACTED) for group in groups])
        best = np.mean([np.minimum(_CONTACTED / group["churned"].mean(), 1.0) for group in groups], axis=0)
        found = {"found": curves.mean(axis=0), "lowest": curves.min(axis=0), "highest": curves.max(axis=0)}
        frames.append(pd.DataFrame({"model": model, "contacted": _CONTACTED, **found, "best": best}))
    names = ["model", "contacted", "found", "lowest", "highest", "best"]
    frame = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=names)
    contacted = frame["contacted"].where(frame["contacted"] > 0)
    return frame.assign(
        lift=frame["found"] / contacted,
        lift_lowest=frame["lowest"] / contacted,
        lift_highest=frame["highest"] / contacted,
    )


def calibration_frame(predictions: pd.DataFrame, *, bins: int = 10) -> pd.DataFrame:
    """Set predicted probabilities beside the shares that left, all cutoffs together.

    Parameters
    ----------
    predictions : DataFrame
        See `judge`.
    bins : int, default=10
        Groups of about equal size, of each model.

    Returns
    -------
    DataFrame
        `model` and the columns of `loyalty.evaluation.calibration_table`. Its intervals take every row for one of a
        client of its own.
    """
    tables = [
        calibration_table(rows["churned"], rows["churn_probability"], bins=bins).assign(model=model)
        for model, rows in _judged(predictions).groupby("model", sort=False)
    ]
    names = ["model", "predicted", "observed", "clients", "lower", "upper"]
    return pd.concat(tables, ignore_index=True)[names] if tables else pd.DataFrame(columns=names)


def count_frame(predictions: pd.DataFrame, *, bins: int = 20) -> pd.DataFrame:
    """Count the clients by predicted probability of leaving, all cutoffs together.

    Parameters
    ----------
    predictions : DataFrame
        See `judge`.
    bins : int, default=20
        Parts of equal width between 0 and 1.

    Returns
    -------
    DataFrame
        `model`, `from`, `to`, `clients`: how many probabilities lie from `from` on and below `to`; 1 lies in the last.
    """
    edges, frames = np.linspace(0.0, 1.0, bins + 1), []
    for model, rows in _judged(predictions).groupby("model", sort=False):
        clients, _ = np.histogram(rows["churn_probability"], edges)
        frames.append(pd.DataFrame({"model": model, "from": edges[:-1], "to": edges[1:], "clients": clients}))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=["model", "from", "to", "clients"])


def value_frame(predictions: pd.DataFrame, *, draws: int = DRAWS, seed: int = 0, level: float = LEVEL) -> pd.DataFrame:
    """Set predicted spend beside real spend, by tenths of the prediction, all cutoffs together.

    Parameters
    ----------
    predictions : DataFrame
        See `judge`.
    draws, seed
        See `judge`.
    level : float, default=0.95
        Of the intervals.

    Returns
    -------
    DataFrame
        A row per `model` and `decile`, 1 for the lowest predictions (equal ones are never parted, so there may be
        fewer than ten): `clients`, mean `predicted` and `realised`, and
        the interval of the latter, `lower` and `upper`, over clients drawn with replacement.
    """
    judged = _judged(predictions)
    groups = judged.groupby(["model", _deciles(judged)], sort=False)
    table = groups.agg(clients=("value", "size"), predicted=("expected_value", "mean"), realised=("value", "mean"))
    group, rows, spent = groups.ngroup().to_numpy(), judged["client"].to_numpy(), judged["value"].to_numpy()
    drawn = np.empty((len(table), draws))
    for number, counts in enumerate(_draws(judged["client_id"].nunique(), draws, seed)):
        weights = counts[rows]
        size = np.bincount(group, weights=weights, minlength=len(table))
        with np.errstate(invalid="ignore"):  # none of a group drawn
            drawn[:, number] = np.bincount(group, weights=weights * spent, minlength=len(table)) / size
    lower, upper = _bounds(table["realised"].to_numpy(), drawn, level)
    return _in_order(table.assign(lower=lower, upper=upper).reset_index(), judged)


def coverage_frame(predictions: pd.DataFrame, *, level: float = LEVEL) -> pd.DataFrame:
    """Count how often spend lay within its interval, by tenths of the predicted spend, all cutoffs together.

    Parameters
    ----------
    predictions : DataFrame
        See `judge`.
    level : float, default=0.95
        Of the intervals of the share.

    Returns
    -------
    DataFrame
        A row per `model` that has intervals and `decile`, 1 for the lowest predictions: `clients`, `coverage` and the
        interval of this share, `lower` and `upper`, each row taken for one of a client of its own.
    """
    judged = _judged(predictions).dropna(subset=["value_lower", "value_upper"])
    if judged.empty:
        return pd.DataFrame(columns=["model", "decile", "clients", "coverage", "lower", "upper"])
    inside = judged["value"].between(judged["value_lower"], judged["value_upper"])
    table = inside.groupby([judged["model"], _deciles(judged)], sort=False).agg(["size", "sum", "mean"]).reset_index()
    lower, upper = share_interval(table["sum"], table["size"], level=level)
    table = table.rename(columns={"size": "clients", "mean": "coverage"}).drop(columns="sum")
    return _in_order(table.assign(lower=lower, upper=upper), judged)


def _deciles(judged: pd.DataFrame) -> pd.Series:
    """Part the rows of each model into tenths by predicted spend; equal predictions are never parted."""
    spend = judged.groupby("model")["expected_value"]
    twice_rank = np.rint(2 * spend.rank(method="average")).astype("int64")  # whole, so that no edge is met by rounding
    return ((twice_rank - 1) * _TENTHS // (2 * spend.transform("size").astype("int64")) + 1).rename("decile")


def _in_order(table: pd.DataFrame, judged: pd.DataFrame) -> pd.DataFrame:
    """Bring models into the order of the predictions, and their tenths into their own."""
    place = {model: number for number, model in enumerate(judged["model"].unique())}
    ordered = table.assign(place=table["model"].map(place)).sort_values(["place", "decile"], ignore_index=True)
    return ordered.drop(columns="place")
