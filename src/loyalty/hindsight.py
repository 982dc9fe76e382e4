"""Hindsight: what was told of the time beyond the horizon, held against what came."""

from collections.abc import Iterator

import pandas as pd

from loyalty.fitting import Fitted
from loyalty.labels import build_labels
from loyalty.models.outlook import Outlook
from loyalty.panels import Panels
from loyalty.setting import first_known

__all__ = ["HINDSIGHT_COLUMNS", "can_look_back", "look_back", "nothing_seen"]

HINDSIGHT_COLUMNS = ("cutoff", "clients", "figure", "days", "told", "naive", "came")
_DAYS_OF_A_YEAR = 365.25
#: Over which the spend of a day is averaged, naively, if so much was recorded.
_DAYS_OF_A_PACE = 365
#: Of one horizon the figures of the back-test tell already.
_BEYOND = 2


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
        A row for each number of days that is over: `cutoff`; `clients`, how many stood there; `figure`; `days`; what
        was `told` then, what somebody without a model would have said (`naive`), and what `came`. The figure ``value``
        is the net spend of these clients in so many days from the gap on, without discount and margin; naively, at the
        pace of the year before. ``staying`` is the share of them with a contract in force so many days after the
        cutoff; naively, what was left at the cutoff of those who stood so long before, NaN where nobody did. Told is
        of whole horizons, of two at least, within the years of the outlook.
    """
    outlook = fitted.outlook
    if outlook is None:
        return nothing_seen()
    rows = pd.DataFrame([*_values(panels, fitted, outlook), *_staying(panels, fitted, outlook)])
    clients = len(panels.at(fitted.split.test))
    return rows.assign(cutoff=fitted.split.test, clients=clients).reindex(columns=list(HINDSIGHT_COLUMNS))


def can_look_back(panels: Panels, cutoff: pd.Timestamp) -> bool:
    """Tell whether more than the horizon of a cutoff is over, so that there is something to hold an outlook against."""
    outcome = panels.setting.outcome
    return cutoff + outcome.gap + _BEYOND * outcome.horizon <= panels.histories.observed_until


def _values(panels: Panels, fitted: Fitted, outlook: Outlook) -> Iterator[dict[str, object]]:
    cutoff = fitted.split.test
    if outlook.missing or not can_look_back(panels, cutoff):
        return
    panel = panels.at(cutoff, learned=fitted.learned)
    expected = fitted.predict(panel)["expected_value"]
    recorded = (cutoff - first_known(panels.histories, cutoff)).days
    a_day = panel["amount_sum_365d"].clip(lower=0.0) / min(max(recorded, 1), _DAYS_OF_A_PACE)
    for days in _lengths(panels, outlook, cutoff, gap=outlook.gap_days, length=outlook.horizon_days):
        came = panels.labels([cutoff], known_before=None, horizon=pd.Timedelta(days=days))["value"]
        told = outlook.spend_within(panel.loc[came.index], expected.loc[came.index], days=days)
        naive = days * a_day.loc[came.index]
        yield {"figure": "value", "days": days} | _sums(told=told, naive=naive, came=came)


def _staying(panels: Panels, fitted: Fitted, outlook: Outlook) -> Iterator[dict[str, object]]:
    if outlook.survival is None:
        return
    cutoff = fitted.split.test
    shares = outlook.staying(panels.at(cutoff, learned=fitted.learned)).set_index("days")["share"]
    for days in _lengths(panels, outlook, cutoff, gap=0, length=outlook.period_days):
        if days in shares.index:
            before = cutoff - pd.Timedelta(days=days)
            naive, came = (
                _left_of(panels, at, days, known_before=known) for at, known in ((before, cutoff), (cutoff, None))
            )
            yield {"figure": "staying", "days": days, "told": float(shares[days]), "naive": naive, "came": came}


def _left_of(panels: Panels, cutoff: pd.Timestamp, days: int, *, known_before: pd.Timestamp | None) -> float:
    """Tell which share of those who stood at a cutoff had a contract so many days later."""
    left = build_labels(
        panels.histories,
        cutoffs=cutoff,
        horizon=f"{days}d",
        kind=panels.setting.kind,
        active=panels.setting.active,
        known_before=known_before,
    )["churned"]
    return 1.0 - float(left.mean())


def _sums(**money: pd.Series) -> dict[str, float]:
    return {name: float(amounts.sum()) for name, amounts in money.items()}


def _lengths(panels: Panels, outlook: Outlook, cutoff: pd.Timestamp, *, gap: int, length: int) -> range:
    """Count days in steps of `length`, as far as they are over, within the years of the outlook."""
    over = (panels.histories.observed_until - cutoff).days - gap
    return range(length, int(min(over, outlook.terms.years * _DAYS_OF_A_YEAR)) + 1, length)
