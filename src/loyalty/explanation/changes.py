"""What changed between two cutoffs: in one client's risk, in that of all, and in who they are."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from loyalty.explanation.parts import Parts, mean_interval
from loyalty.models.churn import ChurnModel
from loyalty.models.trees import feature_names

__all__ = ["Between", "composition_changes", "portfolio_changes", "risk_changes"]

Floats = NDArray[np.float64]
_PORTFOLIO = ["change_shap", "lower_shap", "upper_shap", "change_pp", "lower_pp", "upper_pp", "raised_share"]


def risk_changes(
    model: ChurnModel, before: pd.DataFrame, after: pd.DataFrame, *, top: int | None = None
) -> pd.DataFrame:
    """Divide the change of each client's risk between two cutoffs among the drivers.

    One model reads the clients at both cutoffs, so that nothing but the clients (and the season) has changed.

    Parameters
    ----------
    model : ChurnModel
        Fitted.
    before, after : DataFrame
        The features at the earlier and the later cutoff, one row per client; indexed by `client_id`, or by `client_id`
        and one `cutoff`. Clients with a row at one of the two alone are left out: see `composition_changes`.
    top : int, optional
        How many drivers to keep of each client; all by default.

    Returns
    -------
    DataFrame
        One row for each client and driver; clients in the order of `after`, of each the largest change first.

        - `client_id`; `driver`, `theme`, `actionable`, as in `driver_table`;
        - `feature`, the one of the driver's features that can speak for it whose own part changed most;
          `before_value` and `after_value`, its values, NaN where missing and for categories;
        - `before_shap`, `after_shap` and their difference `change_shap`, in log-odds;
        - `change_pp`, what of the change of the probability that is, in percentage points.

        With all drivers, a client's `change_shap` add up to the change of its calibrated log-odds, and its `change_pp`
        to the change of its churn probability, both exactly. The two never add up to each other's.

    Raises
    ------
    ValueError
        If a client stands twice at a cutoff, nobody stands at both, or `top` is below 1.

    Notes
    -----
    A probability has no parts that add up by themselves. `change_pp` takes the client from the one set of parts to the
    other along the straight line between them: on it every driver's share of the way is the same at each step, so that
    of the change of the probability each has the share it has of the change of the log-odds, ``change_shap`` times the
    mean slope, (change of the probability) / (change of the log-odds). This is the integrated gradient [1]_ of the
    logistic function.

    References
    ----------
    .. [1] Sundararajan, Taly and Yan (2017), "Axiomatic Attribution for Deep Networks", ICML.

    Examples
    --------
    Ann fell silent; Bob, who was not there before, has no change:

    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"days_since_last": rng.integers(1, 200, 400), "frequency": rng.integers(0, 9, 400)})
    >>> model = ChurnModel(n_estimators=30).fit(X, X.days_since_last > 100)
    >>> before = pd.DataFrame({"days_since_last": [90], "frequency": [3]}, index=["ann"])
    >>> after = pd.DataFrame({"days_since_last": [120, 5], "frequency": [3, 0]}, index=["ann", "bob"])
    >>> changed = risk_changes(model, before, after, top=1)
    >>> changed[["client_id", "feature", "before_value", "after_value"]]
      client_id          feature  before_value  after_value
    0       ann  days_since_last          90.0        120.0
    """
    if top is not None and top < 1:
        raise ValueError(f"`top` must be at least 1, or None for all drivers; got {top!r}.")
    return Between.of(model, before, after).by_client(top)


def portfolio_changes(
    model: ChurnModel, before: pd.DataFrame, after: pd.DataFrame, *, of: Literal["theme", "driver"] = "theme"
) -> pd.DataFrame:
    """Divide the mean change of risk of the clients who stand at both of two cutoffs among themes or drivers.

    Parameters
    ----------
    model, before, after
        As in `risk_changes`.
    of : {"theme", "driver"}, default="theme"
        What it is divided among.

    Returns
    -------
    DataFrame
        One row a theme or driver, the largest mean change of the log-odds first.

        - `theme`; or `driver`, `theme` and `actionable`, as in `driver_table`, and `feature`, the one of the driver's
          features that can speak for it whose own part changed most;
        - `change_shap`, the mean change of its parts, in log-odds, with the bounds `lower_shap` and `upper_shap`
          (95 %); they add up to the mean change of the log-odds;
        - `change_pp`, the mean of what of the change of the probability that is (see `risk_changes`), in percentage
          points, with the bounds `lower_pp` and `upper_pp`; they add up to the mean change of the probability;
        - `raised_share`, of how many of the clients it raised the risk;
        - `clients`, how many they are means over.

    Raises
    ------
    ValueError
        As `risk_changes`, and if `of` is something else.
    """
    if of not in ("theme", "driver"):
        raise ValueError(f"`of` must be 'theme' or 'driver'; got {of!r}.")
    return Between.of(model, before, after).of_all(of)


def composition_changes(before: pd.Series, after: pd.Series) -> pd.DataFrame:
    """Divide the change of the mean risk between two cutoffs among those who stayed clients, came and went.

    Parameters
    ----------
    before, after : Series
        The churn probability of every client at the earlier and the later cutoff, by the same model; indexed by
        `client_id`, or by `client_id` and one `cutoff`.

    Returns
    -------
    DataFrame
        Four rows: ``both``, ``new``, ``gone`` and ``all``. `standing`; `clients`; `before_pp` and `after_pp`, their
        mean probability in percent, NaN where they do not stand; `effect_pp`, in percentage points, how the mean over
        all changed with them: of ``both``, since their own risk changed; of ``new``, since they were added to these;
        of ``gone``, since they are not there to be counted any more. The three add up to that of ``all``, the change
        of the mean. `clients` of ``all`` counts everybody who stands at either.

    Raises
    ------
    ValueError
        If a client stands twice at a cutoff, nobody stands at both, or a probability lies outside 0 to 1.

    Examples
    --------
    Nobody's own risk changed, but one of high risk went and one of low risk came:

    >>> before, after = pd.Series({"ann": 0.2, "bob": 0.8}), pd.Series({"ann": 0.2, "cat": 0.1})
    >>> composition_changes(before, after).round(9)
      standing  clients  before_pp  after_pp  effect_pp
    0     both        1       20.0      20.0        0.0
    1      new        1        NaN      10.0       -5.0
    2     gone        1       80.0       NaN      -30.0
    3      all        3       50.0      15.0      -35.0
    """
    told = {}
    for argument, risk in (("before", before), ("after", after)):
        if not risk.between(0.0, 1.0).all():
            wrong = risk[~risk.between(0.0, 1.0)]
            raise ValueError(
                f"`{argument}` must hold probabilities from 0 to 1; got {wrong.iloc[0]!r} for {wrong.index[0]!r}."
            )
        told[argument] = (100 * risk).set_axis(_clients(risk.index, argument))
    _in_both(told["before"].index, told["after"].index)
    pair = pd.DataFrame(told)
    standing = np.select([pair["before"].isna(), pair["after"].isna()], ["new", "gone"], "both")
    means = pair.groupby(standing).mean().reindex(["both", "new", "gone"])
    (then, now), (then_both, now_both) = pair.mean().to_numpy(), means.loc["both"].to_numpy()
    table = means.rename(columns={"before": "before_pp", "after": "after_pp"})
    table["effect_pp"] = np.array([now_both - then_both, now - now_both, then_both - then])
    table.insert(0, "clients", pd.Series(standing).value_counts().reindex(table.index, fill_value=0))
    table.loc["all"] = [len(pair), then, now, now - then]
    return table.astype({"clients": "int64"}).rename_axis("standing").reset_index()


@dataclass(frozen=True)
class Between:
    """The parts of the clients who stand at both of two cutoffs.

    Attributes
    ----------
    before, after : Parts
        Row for row of the same clients, and counted from the same base.
    clients : Index
        Who they are.
    """

    before: Parts
    after: Parts
    clients: pd.Index

    @classmethod
    def of(cls, model: ChurnModel, before: pd.DataFrame, after: pd.DataFrame) -> Self:
        """Read the clients who stand at both cutoffs with one model."""
        names = feature_names(model)
        then, now = _clients(before.index, "before"), _clients(after.index, "after")
        both = _in_both(then, now)
        # Together, so that both sides are counted from the same base.
        rows = pd.concat([before[names].set_axis(then).loc[both], after[names].set_axis(now).loc[both]])
        parts, clients = Parts.of(model, rows), len(both)
        return cls(parts.take(np.arange(clients)), parts.take(np.arange(clients, 2 * clients)), both)

    @cached_property
    def change(self) -> Floats:
        """How the parts changed, in log-odds; of shape (n_clients, n_drivers)."""
        return self.after.values - self.before.values

    @cached_property
    def change_pp(self) -> Floats:
        """How the probability changed with each, in percentage points; of shape (n_clients, n_drivers)."""
        return 100 * self.change * _mean_slope(self.before.log_odds, self.after.log_odds)[:, None]

    def by_client(self, top: int | None) -> pd.DataFrame:
        """Make `risk_changes`."""
        drivers = len(self.after.drivers)
        kept = drivers if top is None else min(top, drivers)
        order = np.argsort(-np.abs(self.change), axis=1, kind="stable")[:, :kept]
        row, which = np.repeat(np.arange(len(self.clients)), kept), order.ravel()
        moved = np.abs(self.after.shares - self.before.shares)
        speaker = np.column_stack([able[moved[:, able].argmax(axis=1)] for _, able in self.after.members])[row, which]
        names = self.after.drivers.iloc[which].reset_index(drop=True)
        return pd.DataFrame(
            {
                "client_id": self.clients[row],
                **{column: names[column] for column in names},
                "feature": self.after.X.columns.to_numpy(dtype=object)[speaker],
                "before_value": self.before.numbers[row, speaker],
                "after_value": self.after.numbers[row, speaker],
                "before_shap": self.before.values[row, which],
                "after_shap": self.after.values[row, which],
                "change_shap": self.change[row, which],
                "change_pp": self.change_pp[row, which],
            }
        )

    def of_all(self, of: Literal["theme", "driver"]) -> pd.DataFrame:
        """Make `portfolio_changes`."""
        drivers = self.after.drivers
        if of == "driver":
            moved = np.abs(self.after.shares - self.before.shares).mean(axis=0)
            speaker = [str(self.after.X.columns[able[moved[able].argmax()]]) for _, able in self.after.members]
            head, change, points = drivers.assign(feature=speaker), self.change, self.change_pp
        else:
            head = drivers[["theme"]].drop_duplicates(ignore_index=True)
            chosen = np.array([(drivers["theme"] == theme).to_numpy() for theme in head["theme"]], dtype=float)
            change, points = self.change @ chosen.T, self.change_pp @ chosen.T
        one_by_one = np.arange(len(self.clients))
        columns = [*mean_interval(change, one_by_one), *mean_interval(points, one_by_one), (change > 0).mean(axis=0)]
        table = head.assign(**dict(zip(_PORTFOLIO, columns, strict=True)), clients=len(self.clients))
        return table.sort_values("change_shap", key=np.abs, ascending=False, kind="stable", ignore_index=True)


def _mean_slope(before: Floats, after: Floats) -> Floats:
    """Change of the probability per change of the log-odds, on the way from the one to the other."""
    middle, half = (before + after) / 2, (after - before) / 2
    at_middle = expit(middle) * expit(-middle)
    near = np.abs(half) < 1e-4  # beside it the next term is below a billionth of this one
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(near, at_middle, (expit(after) - expit(before)) / (2 * half))


def _clients(index: pd.Index, argument: str) -> pd.Index:
    """Take the clients from an index, each of which must stand once."""
    clients = index.get_level_values("client_id") if index.nlevels > 1 else index
    if clients.has_duplicates:
        twice = clients[clients.duplicated()][0]
        raise ValueError(f"`{argument}` must have one row per client; {twice!r} stands twice. Choose one cutoff.")
    return clients.rename("client_id")


def _in_both(before: pd.Index, after: pd.Index) -> pd.Index:
    both = after[after.isin(before)]
    if not len(both):
        raise ValueError(
            f"no client stands in both `before` ({len(before):,} clients) and `after` ({len(after):,}). Choose cutoffs "
            "that lie nearer together, and look whether the ids are of one kind."
        )
    return both
