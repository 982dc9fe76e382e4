"""Chapter 4 of the managers' page: who waits for the company, whom to call first, and what a contact must return."""

from collections.abc import Container
from typing import Any

import pandas as pd

from loyalty.report.clients import first_calls, first_to_call
from loyalty.report.figures import rows_of
from loyalty.report.pieces import Section
from loyalty.report.run_folder import AlertKind, Alerts, Metrics, RunFolder
from loyalty.report.small_cells import tellable
from loyalty.report.stake import rate_of
from loyalty.report.text import Speech
from loyalty.report.who import segment_name, segments_by_money
from loyalty.segments import VALUE_RISK_SEGMENTS
from loyalty.wording import sentence

KEPT = (50, 20, 10)
"""One in so many of those who would leave is taken to be kept by a contact: assumptions, which no run measures."""
_HEADLINE = 20

_ALERTS = ("unanswered_feedback", "silence_after_problem", "promotion_fatigue")
_ASKED = (
    ("unanswered_feedback", "contacts", ("kind", "replied_at")),
    ("promotion_fatigue", "offers", ("redeemed_at",)),
)
"""What an alert asks of the data beyond dates and clients, by kind, table and columns; see `loyalty.alerts`."""


def alerts_section(run: RunFolder, speech: Speech) -> Section:
    """Count the clients whom the company is failing, by kind, with the plain remedy.

    No card for a kind that the run could not look for; what the data lack for it is said.
    """
    alerts = run.metrics.alerts
    kinds = {one.kind: one for one in alerts.kinds} if alerts else {}
    lacking = _lacking(run.metrics, kinds, speech)
    if alerts is None:
        return {"headline": speech("alerts.headline.unknown"), "sub": " ".join(lacking), "cards": []}
    found = [kinds[name] for name in _ALERTS if name in kinds]
    every = kinds.get("any")
    if every is None or not _total_told(run, every, found):
        headline = speech("alerts.headline.hidden")
    elif every.clients == 0:
        headline = speech("alerts.headline.none" if len(found) == len(_ALERTS) else "alerts.headline.none.some")
    else:
        share = speech.percent(every.value_share if every.value_share is not None else float("nan"))
        headline = speech("alerts.headline", clients=speech.clients(every.clients), share=share)
    return {
        "headline": headline,
        "sub": " ".join((speech("alerts.sub.list" if run.clients else "alerts.sub"), *lacking)),
        "cards": [_card(run, one, alerts, speech) for one in found],
    }


def service_section(run: RunFolder, speech: Speech) -> Section:
    """Name the service that each segment deserves, those with most money at risk first.

    No row for a segment without clients.
    """
    frame = segments_by_money(run)
    hidden = speech("hidden")
    return {
        "columns": [speech("segments.segment"), speech("segments.clients"), speech("segments.advice")],
        "rows": [
            [
                segment_name(row.tier, row.level, speech),
                hidden if row.hidden else speech.number(row.clients),
                sentence(VALUE_RISK_SEGMENTS[row.tier, row.level].service[speech.language]),
            ]
            for row in rows_of(frame[(frame["clients"] > 0) | frame["hidden"]])
        ],
    }


def calls_section(run: RunFolder, speech: Speech) -> Section:
    """Say whom to call first when not all can be called, and what they hold.

    No rows where there is no money at risk or too few clients.
    """
    calls = first_calls(run.scores, hidden=not run.clients)
    if calls.empty:
        nothing = run.scores["value_at_risk"].fillna(0.0).sum() <= 0
        return {"headline": speech("calls.headline.none" if nothing else "calls.headline.few"), "rows": []}
    first = first_to_call(calls)
    rows = [
        {
            "name": _contacts(row, speech),
            "money": speech.money(row.value_at_risk),
            "effect": speech.percent(row.share),
            "leavers": speech.number(row.leavers),
            "width": f"{100 * row.share:.0f}",
        }
        for row in rows_of(calls)
    ]
    return {
        "headline": speech(
            "calls.headline",
            number=speech.number(first["clients"]),
            share=speech.percent(first["share"]),
            money=speech.money(first["value_at_risk"]),
        ),
        "alt": speech("calls.alt", bars="; ".join(f"{row['name']} {row['effect']}" for row in rows)),
        "bars": rows,
        "columns": [speech(f"calls.{name}") for name in ("first", "money", "part", "leavers")],
        "rows": [[row["name"], row["money"], row["effect"], row["leavers"]] for row in rows],
    }


def return_section(run: RunFolder, speech: Speech) -> Section | None:
    """Reckon what a contact must cost less than, under assumptions that are said to be such.

    None where nobody is to be called.
    """
    calls = first_calls(run.scores, hidden=not run.clients)
    if calls.empty:
        return None
    margin = _margin(run.metrics)
    first = first_to_call(calls)
    kept = first["value_at_risk"] * margin / _HEADLINE
    return {
        "headline": speech(
            "return.headline",
            number=speech.number(first["clients"]),
            money=speech.money(kept),
            cost=speech.money(kept / first["clients"]),
        ),
        "sub": speech("return.sub" if margin == 1 else "return.sub.margin", margin=rate_of(margin, speech)),
        "columns": [
            speech("calls.first"),
            *(speech("return.kept", number=speech.number(one)) for one in KEPT),
        ],
        "rows": [
            [
                _contacts(row, speech),
                *(speech.money(row.value_at_risk * margin / one / row.clients) for one in KEPT),
            ]
            for row in rows_of(calls)
        ],
    }


def _margin(metrics: Metrics) -> float:
    return 1.0 if metrics.long_run is None else metrics.long_run.margin


def _contacts(row: Any, speech: Speech) -> str:
    number = speech.number(row.clients)
    if pd.isna(row.of):
        return speech("calls.number", number=number)
    return speech("calls.share", share=speech.percent(row.of), number=number)


def _total_told(run: RunFolder, every: AlertKind, found: list[AlertKind]) -> bool:
    """Whether the clients with any alert may be counted: not where those outside of one kind would be few."""
    if run.clients:
        return True
    size = len(run.scores)
    kinds = all(tellable(one.clients, of=size) and tellable(every.clients - one.clients) for one in found)
    return kinds and tellable(every.clients, of=size)


def _lacking(metrics: Metrics, found: Container[str], speech: Speech) -> list[str]:
    """Say what the data lack for the alerts that were not found; nothing where the run kept no facts of its data."""
    columns = {one.table: one.columns.split(", ") for one in metrics.data if one.columns}
    said = []
    for kind, table, asked in _ASKED:
        if not metrics.data or kind in found:
            continue
        if table not in {one.table for one in metrics.data}:
            said.append(speech(f"alerts.lack.{table}"))
        elif table in columns:
            said += [speech(f"alerts.lack.{table}.{name}") for name in asked if name not in columns[table]]
    return said


def _card(run: RunFolder, one: AlertKind, alerts: Alerts, speech: Speech) -> Section:
    may_tell = run.clients or tellable(one.clients, of=len(run.scores))
    limits = {"reply": speech.days(alerts.limits.reply_days), "offers": speech.number(alerts.limits.many_offers)}
    share = float("nan") if one.value_share is None else one.value_share
    money = speech("alerts.money", money=speech.money(one.value_at_risk), share=speech.percent(share))
    return {
        "name": speech(f"alert.{one.kind}"),
        "clients": speech.clients(one.clients) if may_tell else speech("hidden"),
        "money": money if may_tell and one.clients else "",
        "rule": speech(f"alert.{one.kind}.rule", **limits),
        "age": _age(one, speech, single=run.clients) if may_tell else "",
        "step": speech(f"alert.{one.kind}.step"),
    }


def _age(one: AlertKind, speech: Speech, *, single: bool) -> str:
    """Say for how long; the longest is that of one client, and told only where single clients may be."""
    if one.clients == 0 or one.age_days_median is None or one.age_days_max is None:
        return ""
    ages = {"median": speech.days(round(one.age_days_median)), "most": speech.days(round(one.age_days_max))}
    return speech(f"alert.{one.kind}.{'age' if single else 'median'}", **ages)
