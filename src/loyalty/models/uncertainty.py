"""Uncertainty: how far what the two models say of each client, and of all together, may be off."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import clone

from loyalty.histories import OutcomeKind
from loyalty.models.categories import Columns
from loyalty.models.churn import ChurnModel
from loyalty.models.holding_out import Floats, Rows, further_back, hold_out
from loyalty.models.intervals import SpendIntervals
from loyalty.models.portfolio import PortfolioErrors
from loyalty.models.trees import cutoffs_of, side_by_side, write_json
from loyalty.models.value import FORECAST, ValueModel
from loyalty.timeline import Duration, as_duration

__all__ = ["HISTORY_FEATURES", "Total", "Uncertainty", "too_little_history", "value_at_risk"]

#: What tells how much is known of a client.
HISTORY_FEATURES = ("frequency", "days_since_first_record", "days_since_contract_first")

#: What is added up over clients.
Total = Literal["expected_value", "value_at_risk"]

_FILE = "totals.json"


def value_at_risk(churn_probability: ArrayLike, past_spend: ArrayLike) -> Floats:
    """Multiply the probability of leaving with the spend of the past year, where there is any.

    Examples
    --------
    Refunds beyond the purchases put nothing at risk:

    >>> value_at_risk([0.5, 0.5], [200.0, -10.0]).tolist()
    [100.0, 0.0]
    """
    return np.asarray(churn_probability, dtype=float) * np.clip(np.asarray(past_spend, dtype=float), 0.0, None)


def too_little_history(panel: pd.DataFrame, *, kind: OutcomeKind, reach: Duration) -> pd.Series:
    """Mark the clients of whom so little is known that a number of their own would be false precision.

    Non-contractual: fewer than two purchase days on record, so no rhythm of its own. Contractual: first recorded less
    than a gap and horizon ago, so no outcome of its own was seen.

    Parameters
    ----------
    panel : DataFrame
        With `frequency` and `days_since_first_record`, as from `build_panel`; with contracts, also
        `days_since_contract_first`, where there is one.
    kind : {"non-contractual", "contractual"}
        What leaving means.
    reach : str or timedelta
        Gap and horizon together.

    Returns
    -------
    Series of bool
        Indexed as `panel`.

    Notes
    -----
    Measured at cutoffs before the test cutoffs: cdnow 1997-10-01 over 91 days and 1997-12-01 over 150 days, and
    online_retail_2 2010-10-01, 11-01 and 12-01. Among the marked, 35 to 60 % of the clients, a client's own
    probability says next to nothing beyond their common rate: its AUC is .53 to .64 (all clients: .73 to .80) and its
    Brier score that of the rate or worse. The order of their spend is hardly told either (Spearman .03 to .15; all
    clients: .37 to .46), and its mean error is 1.3 to 4.2 times their mean spend (all clients: .8 to 1.4 times).
    With a second purchase day this gets better slowly, and there is no sharp step. How long ago a client was first
    seen made no difference among them, and is not asked. At the groceries of complete_journey only 1 to 3 % are
    marked, too few to measure. The rule for contracts was set by judgement.

    Examples
    --------
    Ann bought on one day, however long ago; Bob on two; of Cem there are only refunds:

    >>> panel = pd.DataFrame(
    ...     {"frequency": [0.0, 1.0, np.nan], "days_since_first_record": [400.0, 30.0, 90.0]},
    ...     index=["ann", "bob", "cem"],
    ... )
    >>> too_little_history(panel, kind="non-contractual", reach="90d").tolist()
    [True, False, True]

    With contracts of which the outcome lies 90 days ahead, only the 30 days of Bob's are too few:

    >>> too_little_history(panel, kind="contractual", reach="90d").tolist()
    [False, True, False]
    """
    if kind == "non-contractual":
        return ~(panel["frequency"] >= 1)
    known_for = panel[[name for name in HISTORY_FEATURES[1:] if name in panel]].max(axis=1)
    return ~(known_for >= as_duration(reach, name="reach") / pd.Timedelta(days=1))


@dataclass(frozen=True)
class Uncertainty:
    """How far the models for one cutoff may be off, learned from rows that copies of them had not seen.

    Attributes
    ----------
    intervals : SpendIntervals
        Of the net spend of each client.
    totals : mapping of {"expected_value", "value_at_risk"} to PortfolioErrors
        Of the spend of many clients together, and of the past year's spend of those who will leave. One that nothing
        could be learned of is not there: nothing was expected, or no row could be held out.

    See Also
    --------
    loyalty.models.portfolio.portfolio_interval : The interval of a total.

    Notes
    -----
    The models are copied, and fitted anew without the rows that `hold_out` chooses, which they then predict; for the
    totals, without those of cutoffs before them too, as far as the histories go back. Both totals are thus judged by
    the same kind of models as those that score, with all their parts; and what they say of each client moves its
    interval, as `SpendIntervals` explains. What buy till you die says was learned once, at the last training cutoff,
    which flatters the oldest: in an invented shop with a season the errors are .17 so, and .19 if it is learned anew.
    """

    intervals: SpendIntervals
    totals: Mapping[Total, PortfolioErrors]

    @classmethod
    def learn(
        cls,
        X: pd.DataFrame,
        labels: pd.DataFrame,
        *,
        churn: ChurnModel,
        value: ValueModel,
        past_spend: ArrayLike,
        reach: Duration,
        random_state: int = 0,
    ) -> Self:
        """Hold rows out of copies of the models, and see how far they are off.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, n_features)
            The panel that the models were fitted on.
        labels : DataFrame of shape (n_rows,)
            `churned` and `value` of the same rows.
        churn, value : ChurnModel, ValueModel
            The fitted models; they are not changed.
        past_spend : array-like of shape (n_rows,)
            Net spend of the past year, which is lost with a client.
        reach : str or timedelta
            Gap and horizon together.
        random_state : int, default=0
            Seed of the intervals, and of the folds where no cutoff can be held out.

        Examples
        --------
        Where nobody spends anything, no client will, and there is no total to be off:

        >>> days = pd.to_datetime(["2024-01-01", "2024-04-01"])
        >>> index = pd.MultiIndex.from_product([range(30), days], names=["client_id", "cutoff"])
        >>> X = pd.DataFrame({"visits": np.arange(60.0) % 7}, index=index)
        >>> labels = pd.DataFrame({"churned": np.arange(60) % 2, "value": 0.0}, index=index)
        >>> churn, value = ChurnModel(embargo="90d"), ValueModel(embargo="90d")
        >>> churn, value = churn.fit(X, labels["churned"]), value.fit(X, labels["value"])
        >>> unsure = Uncertainty.learn(X, labels, churn=churn, value=value, past_spend=np.zeros(60), reach="90d")
        >>> unsure.predict(X.iloc[:1], value.forecast(X.iloc[:1])).to_numpy().tolist(), unsure.totals
        ([[0.0, 0.0]], {})
        """
        held_out = hold_out(X, embargo=reach, random_state=random_state)
        before = further_back(held_out, as_duration(reach, name="reach"))
        table = Columns.of(X).spell_out(X)  # or a copy might not know a level that few clients have
        foretell = partial(_predict_held_out, table, labels, churn=churn, value=value)
        pairs = [*before, *held_out.pairs]
        told = side_by_side([partial(foretell, *pair) for pair in pairs], rows=len(X))
        risk = np.full(len(X), np.nan)
        forecast = pd.DataFrame(np.nan, index=X.index, columns=list(FORECAST))
        for (_, held), (leaving, spending) in zip(pairs, told, strict=True):
            risk[held], forecast.iloc[held] = leaving, spending
        intervals = SpendIntervals(embargo=reach, random_state=random_state)
        intervals.fit(X, labels["value"], forecast=forecast)
        actual: dict[Total, Floats] = {
            "expected_value": labels["value"].to_numpy(dtype=float),
            "value_at_risk": value_at_risk(labels["churned"].to_numpy(dtype=float), past_spend),
        }
        predicted: dict[Total, Floats] = {
            "expected_value": forecast["expected_value"].to_numpy(),
            "value_at_risk": value_at_risk(risk, past_spend),
        }
        last = np.concatenate([np.empty(0, int), *(held for _, held in held_out.pairs)])
        found = {name: _errors(actual[name], predicted[name], X, reach, last) for name in actual}
        return cls(intervals, {name: errors for name, errors in found.items() if errors is not None})

    def predict(self, X: pd.DataFrame, forecast: pd.DataFrame) -> pd.DataFrame:
        """Bound the net spend of each row: `value_lower` and `value_upper`, both within the interval.

        `forecast` is what the value model tells of these rows: see `ValueModel.forecast`.
        """
        ends = self.intervals.predict(X, forecast=forecast)
        return pd.DataFrame(ends, columns=["value_lower", "value_upper"], index=X.index)

    def notes(self) -> list[str]:
        """Say what is worth knowing of how far the intervals can be relied on."""
        notes = self.intervals.notes()
        if "expected_value" not in self.totals:
            notes.append("Totals of spend have no interval: nothing could be held out, or nothing was expected.")
        return notes

    def save(self, folder: Path) -> None:
        """Write ``intervals.txt``, ``intervals.json`` and ``totals.json`` into `folder`; no pickle, no client."""
        self.intervals.save(folder)
        kept = {name: errors.to_dict() for name, errors in self.totals.items()}
        write_json(kept, folder / _FILE)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        kept = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        totals = {name: PortfolioErrors(**numbers) for name, numbers in kept.items()}
        return cls(SpendIntervals.load(folder), totals)


def _predict_held_out(
    X: pd.DataFrame, labels: pd.DataFrame, seen: Rows, held: Rows, *, churn: ChurnModel, value: ValueModel
) -> tuple[Floats, Floats]:
    """Predict who leaves and what is spent by copies of both models; NaN where all they could learn from is alike."""
    if labels["churned"].iloc[seen].nunique() < 2:
        return np.full(len(held), np.nan), np.full((len(held), len(FORECAST)), np.nan)
    past, now = X.iloc[seen], X.iloc[held]
    leaving = clone(churn).fit(past, labels["churned"].iloc[seen], latest=now)
    shared = leaving if value.purchase_ is churn else None
    spending = clone(value).fit(past, labels["value"].iloc[seen], purchase=shared, latest=now)
    return leaving.predict_proba(now)[:, 1], spending.forecast(now).to_numpy()


def _errors(actual: Floats, told: Floats, X: pd.DataFrame, reach: Duration, last: Rows) -> PortfolioErrors | None:
    """Learn how far totals were off; None where there is nothing to learn from at the last cutoffs.

    One further back, of which nothing was expected yet, is left out.
    """
    cutoffs = cutoffs_of(X)
    assert cutoffs is not None  # noqa: S101 - a panel has them
    sums = pd.Series(told).groupby(cutoffs).sum(min_count=1).dropna()
    nothing = sums.index[sums <= 0]
    if len(nothing) == len(sums) or nothing.isin(cutoffs[last]).any():
        return None
    return PortfolioErrors.learn(actual, np.where(cutoffs.isin(nothing), np.nan, told), cutoff=cutoffs, reach=reach)
