"""How the models do among groups of clients: by history, by predicted value, and by attributes one cares about.

Models can be right in the mean and wrong about some. So each group is judged on its own, with intervals that tell how
much of a difference is chance. Clients are drawn with replacement, each with all the cutoffs at which they stood, as in
`loyalty.judging`.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loyalty.histories import Histories, at_instant
from loyalty.judging import LEVEL, judge

__all__ = ["attributes_at", "group_clients", "judge_groups"]

Floats = NDArray[np.float64]

#: What is told of each group by `loyalty.judging`.
FIGURES = ("churn_rate", "mean_error", "auc", "log_loss", "mae", "total_error", "coverage")
#: The riskiest share of the clients of each cutoff, whom a campaign is taken to contact.
CONTACTED = 0.2
DRAWS = 300

#: Below this many clients, or this many who left or who stayed, no figure of a group is told.
_FEWEST, _FEWEST_EACH = 50, 5
#: Levels of an attribute that are told apart; the rest are `other`.
_LEVELS = 8
_OTHER, _UNKNOWN = "other", "not known"
_VALUE = ("lowest third", "middle third", "highest third")


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
    there = histories.columns.get("clients", ())
    for name in names:
        if name not in there:
            known = f"it has {', '.join(there)}" if there else "there is no such table"
            raise ValueError(f"[card] attributes: {name!r} is no column of the table clients; {known}.")
    rows = histories.tables["clients"].filter(lambda t: t.known_at < at_instant(cutoff))
    known = rows.select("client_id", "joined_at", "known_at", *names).execute()
    latest = known.sort_values(["known_at", "joined_at"], kind="stable").drop_duplicates("client_id", keep="last")
    return latest.set_index("client_id")[list(names)].sort_index()


def group_clients(
    panel: pd.DataFrame, predicted: pd.DataFrame, *, little: pd.Series, attributes: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Put the clients of one cutoff into groups, in several ways.

    Parameters
    ----------
    panel : DataFrame
        One row a client, with `frequency`.
    predicted : DataFrame
        Of the same rows, with `expected_value`.
    little : Series of bool
        Of whom too little history is known.
    attributes : DataFrame, optional
        Indexed by `client_id`. Text is told apart by its eight most frequent levels; numbers of more than eight values
        by quarters.

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
    if attributes is not None:
        own = attributes.reindex(panel.index.get_level_values("client_id"))
        groups |= {str(name): pd.Series(_levels(own[name]), index=panel.index) for name in own}
    return pd.DataFrame(groups, index=panel.index)


def _levels(values: pd.Series) -> NDArray[np.object_]:
    """Name the group of each client by an attribute."""
    if pd.api.types.is_numeric_dtype(values) and values.nunique() > _LEVELS:
        quarters = pd.qcut(values, 4, duplicates="drop")
        named = quarters.cat.rename_categories([f"{part.left:g} to {part.right:g}" for part in quarters.cat.categories])
        return named.astype(object).where(values.notna(), _UNKNOWN).to_numpy(dtype=object)
    told = values.astype("string")
    # The most frequent levels; of equally frequent ones the first in the alphabet.
    counts = (
        told.value_counts().rename_axis("level").reset_index().sort_values(["count", "level"], ascending=[False, True])
    )
    kept = set(counts["level"].head(_LEVELS))
    return told.where(told.isna() | told.isin(kept), _OTHER).fillna(_UNKNOWN).to_numpy(dtype=object)


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
            if len(own) < _FEWEST or min(left, len(own) - left) < _FEWEST_EACH:
                continue
            means = judge(own.drop(columns="contacted"), draws=draws, seed=seed).means(level=level)
            wanted = means[means["metric"].isin(FIGURES)]
            rows += [(grouping, group, *told) for told in wanted[["metric", "value", "lower", "upper"]].to_numpy()]
            rows += [(grouping, group, *told) for told in _reached(own, draws=draws, seed=seed, level=level)]
    return pd.DataFrame(rows, columns=["grouping", "group", "metric", "value", "lower", "upper"])


def _in_order(names: pd.Series) -> list[str]:
    """Order groups by name, what is not known last; numbers by size."""

    def place(name: str) -> tuple[bool, bool, float, str]:
        first = str(name).split(" ")[0]
        number = first.replace(".", "", 1).replace("-", "", 1).isdigit()
        thirds = _VALUE.index(name) if name in _VALUE else 0
        return name in (_UNKNOWN,), name == _OTHER, float(first) if number else float(thirds), str(name)

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
