"""How the models do among groups of clients: by history, by predicted value, and by attributes one cares about.

Models can be right in the mean and wrong about some. So each group is judged on its own, with intervals that tell how
much of a difference is chance. Clients are drawn with replacement, each with all the cutoffs at which they stood, as in
`loyalty.judging`.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loyalty.histories import Histories, at_instant
from loyalty.judging import LEVEL, judge

__all__ = ["attributes_at", "check_attributes", "group_attributes", "group_clients", "judge_groups"]

Floats = NDArray[np.float64]

#: What is told of each group by `loyalty.judging`.
FIGURES = ("churn_rate", "mean_error", "auc", "log_loss", "mae", "total_error", "coverage")
#: The riskiest share of the clients of each cutoff, whom a campaign is taken to contact.
CONTACTED = 0.2
DRAWS = 300
#: Ways to group clients that need nothing but their histories.
WAYS = ("history", "purchase_days", "predicted_value")

#: Below this many clients, or this many who left or who stayed, no figure of a group is told.
_FEWEST, _FEWEST_EACH = 50, 5
#: Levels of an attribute that are told apart; the rest are `other`.
_LEVELS = 8
_OTHER, _UNKNOWN = "other", "not known"
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_VALUE = ("lowest third", "middle third", "highest third")


def check_attributes(histories: Histories, names: Sequence[str]) -> None:
    """Refuse attributes that the table of clients does not have, or that go by the name of another way to group.

    Raises
    ------
    ValueError
        Naming the first of them.
    """
    there = histories.columns.get("clients", ())
    for name in names:
        if name in WAYS:
            raise ValueError(f"[card] attributes: {name!r} is the name of another grouping; map the column to another.")
        if name not in there:
            known = f"it has {', '.join(there)}" if there else "there is no such table"
            raise ValueError(f"[card] attributes: {name!r} is no column of the table clients; {known}.")


def attributes_at(histories: Histories, names: Sequence[str], *, cutoff: pd.Timestamp) -> pd.DataFrame:
    """Look up what was known of each client before a cutoff, in the table of clients.

    Parameters
    ----------
    histories : Histories
        With a table `clients`.
    names : sequence of str
        Its columns.
    cutoff : Timestamp
        Rows that became known at it or later are not seen; of several, the last to become known stands.

    Returns
    -------
    DataFrame
        Indexed by `client_id`; a column for each name.

    Raises
    ------
    ValueError
        If there is no such table or column.

    Examples
    --------
    That Ann moved becomes known on the cutoff:

    >>> bought = pd.DataFrame({"client_id": ["ann"], "event_time": ["2024-01-01"], "amount": 5.0})
    >>> lived = pd.DataFrame({"client_id": "ann", "joined_at": "2024-01-01", "town": ["Ulm", "Bonn"],
    ...                       "known_at": ["2024-01-01", "2024-02-01"]})
    >>> attributes_at(Histories(bought, clients=lived), ["town"], cutoff=pd.Timestamp("2024-02-01"))
              town
    client_id
    ann        Ulm
    """
    check_attributes(histories, names)
    rows = histories.tables["clients"].filter(lambda t: t.known_at < at_instant(cutoff))
    known = rows.select("client_id", "joined_at", "known_at", *names).execute()
    latest = known.sort_values(["known_at", "joined_at"], kind="stable").drop_duplicates("client_id", keep="last")
    return latest.set_index("client_id")[list(names)].sort_index()


def group_clients(panel: pd.DataFrame, predicted: pd.DataFrame, *, little: pd.Series) -> pd.DataFrame:
    """Put the clients of one cutoff into groups, in the ways of `WAYS`.

    Parameters
    ----------
    panel : DataFrame
        One row a client, with `frequency`.
    predicted : DataFrame
        Of the same rows, with `expected_value`.
    little : Series of bool
        Of whom too little history is known.

    Returns
    -------
    DataFrame
        Indexed as `panel`; a column for each way, holding the names of groups.

    Examples
    --------
    >>> clients = pd.Index(["ann", "bob", "cem"], name="client_id")
    >>> panel = pd.DataFrame({"frequency": [0, 2, 9]}, index=clients)
    >>> predicted = pd.DataFrame({"expected_value": [1.0, 5.0, 9.0]}, index=clients)
    >>> group_clients(panel, predicted, little=panel.frequency < 1)
               history purchase_days predicted_value
    client_id
    ann         little             1    lowest third
    bob         enough        2 to 4    middle third
    cem         enough     5 or more   highest third
    """
    days = pd.cut(panel["frequency"].fillna(0), [-np.inf, 0, 3, np.inf], labels=["1", "2 to 4", "5 or more"])
    rank = predicted["expected_value"].rank(method="average", pct=True)
    third = pd.cut(rank, [0, 1 / 3, 2 / 3, 1], labels=list(_VALUE), include_lowest=True)
    groups = {
        "history": pd.Series(np.where(little, "little", "enough"), index=panel.index),
        "purchase_days": days.astype(str),
        "predicted_value": third.astype(str),
    }
    return pd.DataFrame(groups, index=panel.index)


def group_attributes(attributes: pd.DataFrame) -> pd.DataFrame:
    """Put clients into groups by their attributes, the same groups at all cutoffs.

    Parameters
    ----------
    attributes : DataFrame
        Of the clients at all cutoffs together. Text is told apart by its eight most frequent levels; numbers of more
        than eight values by quarters, edges in the lower one. What is missing or infinite is `not known`.

    Returns
    -------
    DataFrame
        Of the same rows, the names of groups.

    Examples
    --------
    >>> ages = pd.DataFrame({"age": [18.0, 20, 30, 40, 50, 60, 70, 80, 90, np.nan]})
    >>> group_attributes(ages)["age"].unique().tolist()
    ['18 to 30', '30 to 50', '50 to 70', '70 to 90', 'not known']
    """
    return pd.DataFrame({str(name): _levels(attributes[name]) for name in attributes}, index=attributes.index)


def _levels(values: pd.Series) -> NDArray[np.object_]:
    """Name the group of each row by an attribute."""
    if pd.api.types.is_numeric_dtype(values) and values.nunique() > _LEVELS:
        numbers = values.to_numpy(dtype=float, na_value=np.nan)
        known = np.isfinite(numbers)
        edges = np.unique(np.quantile(numbers[known], np.linspace(0, 1, 5)))
        names = np.array(
            [f"{low:.10g} to {high:.10g}" for low, high in pairwise(edges)] or [f"{edges[0]:.10g}"], dtype=object
        )
        told = np.full(len(values), _UNKNOWN, dtype=object)
        told[known] = names[np.clip(np.searchsorted(edges, numbers[known]) - 1, 0, len(names) - 1)]
        return told
    text = values.astype("string")
    # The most frequent levels; of equally frequent ones the first in the alphabet.
    counts = (
        text.value_counts().rename_axis("level").reset_index().sort_values(["count", "level"], ascending=[False, True])
    )
    kept = set(counts["level"].head(_LEVELS))
    return text.where(text.isna() | text.isin(kept), _OTHER).fillna(_UNKNOWN).to_numpy(dtype=object)


def judge_groups(
    predictions: pd.DataFrame, groups: pd.DataFrame, *, draws: int = DRAWS, seed: int = 0, level: float = LEVEL
) -> pd.DataFrame:
    """Judge a model in each group of clients.

    Parameters
    ----------
    predictions : DataFrame
        Of one model, as `loyalty.judging.judge` takes them.
    groups : DataFrame
        Of the same rows: a column for each way to group clients.
    draws : int, default=300
        How many times clients are drawn for the intervals.
    seed : int, default=0
        Of the draws.
    level : float, default=0.95
        Of the intervals.

    Returns
    -------
    DataFrame
        A row per `grouping`, `group` and `metric`: `value`, `lower`, `upper`. `clients` are counted over all cutoffs.
        The figures of `loyalty.evaluation` are means over the cutoffs at which they are known. If the riskiest fifth
        of each cutoff were contacted: `contacted`, the share of the group that is; `leavers_contacted`, the share of
        its leavers (where it differs between groups, some are passed over); `contacted_left`, the share of those
        contacted who left. Of a group with fewer than 50 clients, or 5 who left or 5 who stayed, only the clients are
        told.

    Raises
    ------
    ValueError
        If `groups` has other rows than `predictions`.

    References
    ----------
    .. [1] Hardt, Price and Srebro (2016), "Equality of Opportunity in Supervised Learning", NeurIPS.
    .. [2] Mitchell et al. (2019), "Model Cards for Model Reporting", FAccT.
    """
    if not predictions.index.equals(groups.index):
        raise ValueError("`groups` must have the rows of `predictions`, in their order.")
    known = predictions["churned"].notna()
    judged = predictions[known].assign(model="model")
    riskiest = judged.groupby("cutoff")["churn_probability"].rank(ascending=False, method="first")
    size = judged.groupby("cutoff")["churn_probability"].transform("size")
    judged["contacted"] = riskiest <= np.ceil(CONTACTED * size)
    rows = []
    for grouping in groups:
        names = groups[grouping][known]
        for group in _in_order(names):
            own = judged[names == group]
            rows.append((grouping, group, "clients", float(len(own)), np.nan, np.nan))
            left = int(own["churned"].sum())
            if own["client_id"].nunique() < _FEWEST or min(left, len(own) - left) < _FEWEST_EACH:
                continue
            means = judge(own.drop(columns="contacted"), draws=draws, seed=seed).means(level=level)
            wanted = means[means["metric"].isin(FIGURES)]
            rows += [(grouping, group, *told) for told in wanted[["metric", "value", "lower", "upper"]].to_numpy()]
            rows += [(grouping, group, *told) for told in _reached(own, draws=draws, seed=seed, level=level)]
    return pd.DataFrame(rows, columns=["grouping", "group", "metric", "value", "lower", "upper"])


def _in_order(names: pd.Series) -> list[str]:
    """Order groups by name, what is not known last; numbers by size."""

    def place(name: str) -> tuple[bool, bool, float, str]:
        number = _NUMBER.match(name)
        order = float(number[0]) if number else float(_VALUE.index(name)) if name in _VALUE else 0.0
        return name == _UNKNOWN, name == _OTHER, order, name

    return sorted(names.unique(), key=place)


def _reached(own: pd.DataFrame, *, draws: int, seed: int, level: float) -> list[tuple[str, float, float, float]]:
    """Tell of whom in a group a campaign to the riskiest would reach, over all cutoffs."""
    left, contacted = own["churned"].to_numpy(dtype=float), own["contacted"].to_numpy(dtype=float)
    counted = np.column_stack([np.ones(len(own)), contacted, left, left * contacted])
    clients = pd.factorize(own["client_id"], sort=True)[0]
    sums = np.zeros((clients.max() + 1, 4))
    np.add.at(sums, clients, counted)
    rng = np.random.default_rng(seed)
    drawn = np.stack([rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums))) @ sums for _ in range(draws)])
    total = sums.sum(axis=0)
    told = []
    for name, part, whole in (("contacted", 1, 0), ("leavers_contacted", 3, 2), ("contacted_left", 3, 1)):
        if total[whole] == 0:
            continue
        with np.errstate(invalid="ignore"):  # a draw without anybody to speak of
            lower, upper = np.nanquantile(drawn[:, part] / drawn[:, whole], [(1 - level) / 2, (1 + level) / 2])
        told.append((name, float(total[part] / total[whole]), float(lower), float(upper)))
    return told
