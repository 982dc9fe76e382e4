"""Hindsight: what was told of the time beyond the horizon, held against what came."""

from collections.abc import Iterator
from typing import TypedDict

import numpy as np
import pandas as pd

from loyalty.fitting import Fitted, period_of
from loyalty.labels import build_durations
from loyalty.models.outlook import Outlook
from loyalty.panels import Panels
from loyalty.setting import YEAR, first_known

__all__ = ["HINDSIGHT_COLUMNS", "CameBack", "came_back", "can_look_back", "look_back", "nothing_seen"]

HINDSIGHT_COLUMNS = ("cutoff", "clients", "figure", "days", "told", "naive", "came")
_DAYS_OF_A_YEAR = 365.25
#: Over which the spend of a day is averaged, naively, if so much was recorded.
_DAYS_OF_A_PACE = 365
#: Of fewer who left no share is told.
_FEW = 20
#: Of one horizon the figures of the back-test tell already.
_BEYOND = 2


class CameBack(TypedDict):
    """How many left within a past horizon, from which day on, and which share of them came back within the year."""

    since: str
    left: int
    share: float


def nothing_seen() -> pd.DataFrame:
    """Return what `look_back` does where nothing can be seen: no row."""
    return pd.DataFrame(columns=list(HINDSIGHT_COLUMNS))


def look_back(panels: Panels, fitted: Fitted) -> pd.DataFrame:
    """Hold an outlook of the past against what came after its cutoff.

    Parameters
    ----------
    panels : Panels
        Whose histories go on beyond the cutoff of `fitted`.
    fitted : Fitted
        The models for that cutoff, with an outlook.

    Returns
    -------
    DataFrame
        A row for each number of days that is over, within the years of the outlook: `cutoff`; `clients`, how many stood
        there; `figure`; `days`; what was `told` then, what somebody without a model would have said (`naive`), and what
        `came`. The figure ``value`` is the net spend, without discount and margin, of those whom the gap leaves, in
        one, two, three horizons from there on; naively, at the pace of the year before, where more refunds than
        purchases count as nothing. ``staying`` is the share whose contracts had run on through one, two, three periods
        after the cutoff, so that one who comes back has left; naively, what was left at the cutoff of those who stood
        so long before, NaN where nobody did. A figure of which less than two steps are over is left out.
    """
    outlook, cutoff = fitted.outlook, fitted.split.test
    if outlook is None or outlook.missing:
        return nothing_seen()
    rows = pd.DataFrame([*_staying(panels, fitted, outlook), *_values(panels, fitted, outlook)])
    return rows.assign(cutoff=cutoff, clients=len(panels.at(cutoff))).reindex(columns=list(HINDSIGHT_COLUMNS))


def can_look_back(panels: Panels, cutoff: pd.Timestamp, *, years: float) -> bool:
    """Tell whether so much is over since a cutoff that an outlook of so many years can be held against it."""
    outcome = panels.setting.outcome
    steps = [_steps(panels, cutoff, gap=outcome.gap.days, length=outcome.horizon.days, years=years)]
    if panels.setting.kind == "contractual":
        steps.append(_steps(panels, cutoff, gap=0, length=period_of(outcome).days, years=years))
    return any(steps)


def came_back(panels: Panels, cutoff: pd.Timestamp) -> CameBack | None:
    """Tell how many of those who left a year before a cutoff, as leaving is meant, had come back by then.

    Parameters
    ----------
    panels : Panels
        Of the histories.
    cutoff : Timestamp
        The end of the year, or what was recorded ends before; what became known later is not seen.

    Returns
    -------
    CameBack or None
        Back is who bought after the horizon, or has a contract again at the cutoff. None where less than a year is
        known, or the shop was closed in the horizon or for long in the year, fewer than 20 left, or gap and horizon
        take more than half of the year.
    """
    setting, ended = panels.setting, min(cutoff, panels.histories.observed_until)
    outcome, stood = setting.outcome, ended - YEAR
    opens, closes = outcome.window(stood)
    if (
        2 * outcome.reach > YEAR
        or first_known(panels.histories, cutoff) >= stood
        or not all(setting.was_open(panels.histories, [(opens, closes), (opens, ended)], cutoff=cutoff))
    ):
        return None
    soon, late = (
        panels.labels([stood], known_before=cutoff, horizon=horizon)["churned"]
        for horizon in (outcome.horizon, YEAR - outcome.gap)
    )
    back = late[soon == 1] == 0
    if len(back) < _FEW:
        return None
    return {"since": f"{opens:%Y-%m-%d}", "left": len(back), "share": float(back.mean())}


def _values(panels: Panels, fitted: Fitted, outlook: Outlook) -> Iterator[dict[str, object]]:
    cutoff, length = fitted.split.test, outlook.horizon_days
    many = _steps(panels, cutoff, gap=outlook.gap_days, length=length, years=outlook.terms.years)
    if many == 0:
        return
    came = panels.spend([cutoff], until=pd.Timedelta(days=many * length), known_before=None)
    panel = panels.at(cutoff, learned=fitted.learned).loc[came.index]
    first = fitted.predict(panel)
    ahead = outlook.spend_ahead(panel, first["expected_value"], first["churn_probability"], horizons=many)
    told = np.cumsum(ahead)
    recorded = min(max((cutoff - first_known(panels.histories, cutoff)).days, 1), _DAYS_OF_A_PACE)
    a_day = float(panel["amount_sum_365d"].clip(lower=0.0).sum()) / recorded
    spent = np.cumsum(came.sum().to_numpy())
    for number in range(many):
        days = (number + 1) * length
        yield {"figure": "value", "days": days, "told": told[number], "naive": days * a_day, "came": spent[number]}


def _staying(panels: Panels, fitted: Fitted, outlook: Outlook) -> Iterator[dict[str, object]]:
    if outlook.leaving is None:
        return
    cutoff, length = fitted.split.test, outlook.leaving.period_days
    panel = panels.at(cutoff, learned=fitted.learned)
    shares = outlook.staying(panel, fitted.predict(panel)["churn_probability"])["share"].to_numpy()
    many = min(_steps(panels, cutoff, gap=0, length=length, years=outlook.terms.years), len(shares))
    if many < _BEYOND:
        return
    came = _left_of(panels, cutoff, length, many, known_before=None)
    for number in range(1, many + 1):
        before = cutoff - pd.Timedelta(days=number * length)
        naive = _left_of(panels, before, length, number, known_before=cutoff)[-1]
        figures = {"told": shares[number - 1], "naive": naive, "came": came[number - 1]}
        yield {"figure": "staying", "days": number * length} | figures


def _left_of(
    panels: Panels, cutoff: pd.Timestamp, length: int, periods: int, *, known_before: pd.Timestamp | None
) -> list[float]:
    """Tell which share of those who stood at a cutoff was left after each period."""
    lives = build_durations(
        panels.histories,
        cutoffs=cutoff,
        period=f"{length}d",
        periods=periods,
        kind=panels.setting.kind,
        active=panels.setting.active,
        known_before=known_before,
    )
    stayed = lives["churned"] == 0
    return [float((stayed | (lives["duration"] > number)).mean()) for number in range(1, periods + 1)]


def _steps(panels: Panels, cutoff: pd.Timestamp, *, gap: int, length: int, years: float) -> int:
    """Count the steps of so many days that are over, within so many years; none if less than two are."""
    over = (panels.histories.observed_until - cutoff).days - gap
    steps = int(min(over, years * _DAYS_OF_A_YEAR)) // length
    return steps if steps >= _BEYOND else 0
