"""The clients as a whole: what is at stake, in which segments, who moved, and how loyal they are."""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from loyalty.loyalty_scores import LOYALTY_PARTS
from loyalty.report import figures
from loyalty.report.clients import (
    cell_of,
    hidden_movement,
    hidden_segments,
    loyalty_bands,
    loyalty_means,
    movement_frame,
    segment_frame,
)
from loyalty.report.figures import rows_of
from loyalty.report.run_folder import Metrics, RunFolder, Total
from loyalty.report.small_cells import hidden_rows, tellable
from loyalty.report.text import Speech, plural
from loyalty.segments import RFM_SEGMENTS, VALUE_RISK_SEGMENTS
from loyalty.wording import NONE, sentence

Section = dict[str, Any]

COVERAGE = 0.9
"""Of every interval of a run; that of `SpendIntervals` and of `portfolio_interval`."""

LOYAL = 70
"""From this loyalty score on a client is counted as loyal."""

_SEGMENTS = {words.name["en"]: cell for cell, words in VALUE_RISK_SEGMENTS.items()}
_RFM = {words["en"]: cell for cell, words in RFM_SEGMENTS.items()}
_NO_SEGMENT = ("new", "gone")
_TOP_TIER, _STRONG = 2, ((1, 2), (0, 2))
_LARGEST_MOVES = 8
_YEAR = 366


def total_of(metrics: Metrics, of: str) -> Total | None:
    """Total of all clients, where a run could bound it.

    Parameters
    ----------
    metrics : Metrics
        Of a run.
    of : {"expected_value", "value_at_risk"}
        What is added up.

    Returns
    -------
    Total or None
        The row of ``all``.
    """
    return next((one for one in metrics.totals.get(of, []) if one.segment == "all"), None)


def range_of(lower: float | None, upper: float | None, speech: Speech) -> str:
    """Say between which two amounts something lies; nothing where that is not known.

    Parameters
    ----------
    lower, upper : float or None
        The ends.
    speech : Speech
        Language of the words.

    Returns
    -------
    str
        Words, or an empty string.
    """
    if lower is None or upper is None or pd.isna(lower) or pd.isna(upper):
        return ""
    return speech("range", lower=speech.money(lower), upper=speech.money(upper))


def long_run_remarks(metrics: Metrics, speech: Speech) -> list[str]:
    """Say what the clients are worth in the long run, and how many contracts a year on; nothing that is not known.

    Parameters
    ----------
    metrics : Metrics
        Of a run.
    speech : Speech
        Language of the words.

    Returns
    -------
    list of str
        Sentences.
    """
    long_run = metrics.long_run
    if long_run is None:
        return []
    remarks = []
    if long_run.value is not None:
        years = speech.number(long_run.years, digits=0 if long_run.years % 1 == 0 else 1)
        kept = "" if long_run.margin == 1 else ".margin"
        remarks.append(
            speech(
                f"remark.long_run{kept}",
                years=speech(f"remark.years{'.one' if years == '1' else ''}", years=years),
                value=speech.money(long_run.value),
                rate=_rate(long_run.discount_rate, speech),
                margin=_rate(long_run.margin, speech),
            )
        )
    within = [one for one in long_run.staying if one.days <= _YEAR]
    if within:
        last = within[-1]
        remarks.append(speech("remark.staying", share=speech.percent(last.share), days=speech.days(last.days)))
    return remarks


def matrix_section(run: RunFolder, speech: Speech) -> Section:
    """Nine segments as a grid, the most valuable on top and the riskiest on the right."""
    frame = segment_frame(run.scores).assign(hidden=_hidden_segments(run))
    largest = float(frame.loc[~frame["hidden"], "value_at_risk"].max())
    cells = [
        {
            "tier": row.tier,
            "clients": speech.number(row.clients),
            "money": speech.money(row.value_at_risk),
            "step": figures.heat_step(row.value_at_risk, largest=largest),
            "words": f"{_name(row.tier, row.level, speech)}: {speech.clients(row.clients)}, "
            f"{speech.money(row.value_at_risk)}",
        }
        if not row.hidden
        else {
            "tier": row.tier,
            "clients": NONE,
            "money": speech("hidden"),
            "step": 0,
            "words": f"{_name(row.tier, row.level, speech)}: {speech('hidden')}",
        }
        for row in rows_of(frame)
    ]
    (riskiest,) = rows_of(frame.query("tier == 2 and level == 2"))
    leaving = ".hidden" if riskiest.hidden else plural(riskiest.clients)
    cuts = run.metrics.yardsticks.value_risk if run.metrics.yardsticks else None
    worth = [speech.money(cut) for cut in cuts.value] if cuts else []
    risk = [speech.percent(cut) for cut in cuts.risk] if cuts else []
    return {
        "headline": speech(f"matrix.headline{leaving}", number=speech.number(riskiest.clients)),
        "sub": speech("matrix.sub", days=speech.days(run.metrics.horizon_days)),
        "alt": speech("matrix.alt", cells="; ".join(str(cell["words"]) for cell in cells)),
        "rows": [
            {
                "level": speech(f"tier.{tier}"),
                "range": _between(tier, worth, speech),
                "cells": [cell for cell in cells if cell["tier"] == tier],
            }
            for tier in (2, 1, 0)
        ],
        "columns": [{"level": speech(f"risk.{level}"), "range": _between(level, risk, speech)} for level in (0, 1, 2)],
    }


def segments_section(run: RunFolder, speech: Speech) -> Section:
    """Segments by value at risk, each with its interval and the service it deserves."""
    frame = segment_frame(run.scores).assign(hidden=_hidden_segments(run))
    ordered = frame.assign(value_at_risk=frame["value_at_risk"].where(~frame["hidden"], -1.0))
    frame = frame.loc[ordered.sort_values("value_at_risk", ascending=False, kind="stable").index]
    first = frame.iloc[0]
    longest = max(float(first["share"]), 1e-12)
    whole_at_risk = float(frame["value_at_risk"].sum())
    bounds = {one.segment: one for one in run.metrics.totals.get("value_at_risk", [])}
    by_cell = {cell_of(name): one for name, one in bounds.items() if name in _SEGMENTS}
    rows = [
        {
            "segment": _name(row.tier, row.level, speech),
            "clients": speech.number(row.clients),
            "risk": speech.percent(row.churn_probability),
            "money": speech.money(row.value_at_risk),
            "range": _bound(by_cell.get((row.tier, row.level)), speech),
            "share": speech.percent(row.share),
            "width": f"{100 * row.share / longest:.0f}",
            "advice": sentence(VALUE_RISK_SEGMENTS[row.tier, row.level].service[speech.language]),
        }
        | (dict.fromkeys(("clients", "risk", "money", "share"), speech("hidden")) if row.hidden else {})
        | ({"range": "", "width": "0"} if row.hidden else {})
        for row in rows_of(frame)
    ]
    whole = {
        "segment": speech("segments.all"),
        "clients": speech.number(len(run.scores)),
        "risk": speech.percent(float(run.scores["churn_probability"].mean())),
        "money": speech.money(whole_at_risk),
        "range": _bound(bounds.get("all"), speech),
    }
    name = _name(int(first["tier"]), int(first["level"]), speech)
    if speech.language == "en":
        name = name[:1].lower() + name[1:]
    some = first["value_at_risk"] > 0 and not first["hidden"]
    among = ".hidden" if frame["hidden"].any() else ""
    return {
        "headline": speech(f"segments.headline{among}", share=speech.percent(first["share"]), segment=name)
        if some
        else speech("segments.headline.none" if whole_at_risk == 0 else "segments.headline.few"),
        "sub": speech("segments.sub" if bounds else "segments.sub.bare", coverage=speech.percent(COVERAGE)),
        "rows": rows,
        "whole": whole,
    }


def movement_section(run: RunFolder, speech: Speech) -> Section | None:
    """Who moved between the segments of value and risk; None where there was nobody before."""
    movement = run.metrics.movement
    if movement is None or not movement.segment:
        return None
    moves = [one for one in movement.segment if one.start in _SEGMENTS and one.to in _SEGMENTS]
    slid = [m for m in moves if _tier(m.start) == _TOP_TIER and _level(m.to) > _level(m.start)]
    back = [m for m in moves if _tier(m.start) == _TOP_TIER and _level(m.to) < _level(m.start)]
    slid_clients, back_clients = (sum(one.clients for one in some) for some in (slid, back))
    told = run.clients or (tellable(slid_clients) and tellable(back_clients))
    frame = movement_frame(movement.segment, segments=list(_SEGMENTS))
    hidden = hidden_movement(frame, already=_hidden_segments(run).set_axis(frame.index)) if not run.clients else None
    largest = sorted(
        (one for one in movement.segment if one.start != one.to),
        key=lambda one: (-max(one.value_before, one.value_after), one.start, one.to),
    )[:_LARGEST_MOVES]
    return {
        "headline": speech(
            "movement.headline" if told else "movement.headline.hidden",
            slid=speech.number(slid_clients),
            back=speech.number(back_clients),
            days=speech.days(movement.days),
        ),
        "sub": speech("movement.sub", since=speech.date(movement.since), date=speech.date(run.metrics.score_cutoff)),
        "columns": [speech("segments.segment"), *(speech(f"movement.{n}") for n in ("before", "now", "came", "left"))],
        "rows": [
            [
                _name(*_SEGMENTS[row.Index], speech),
                *_told(map(speech.number, (row.before, row.now, row.came, row.left)), hidden, row.Index, speech),
            ]
            for row in rows_of(frame)
        ],
        "largest": speech("movement.largest"),
        "move_columns": [
            speech("movement.from"), speech("movement.to"), speech("segments.clients"), speech("segments.value"),
        ],
        "moves": [
            [
                _moved(one.start, speech), _moved(one.to, speech), speech.number(one.clients),
                speech.money(one.value_before if one.to == "gone" else one.value_after),
            ]
            for one in largest
        ]
        if run.clients  # single moves are of few clients
        else [],
    }  # fmt: skip


def rfm_section(run: RunFolder, speech: Speech) -> Section | None:
    """Clients by how they bought, now and before; None where nobody had bought."""
    movement = run.metrics.movement
    if movement is None or not movement.rfm_segment:
        return None
    frame = movement_frame(movement.rfm_segment, segments=list(_RFM))
    strong = [name for name in frame.index if _RFM[name] in _STRONG]
    quiet = int(frame.loc[strong, "now"].sum())
    hidden = hidden_rows(frame[["before", "now"]], totals=["before", "now"]) if not run.clients else None
    cooling = ".hidden" if hidden is not None and hidden[strong].any() else plural(quiet)
    columns = ("movement.before", "movement.now", "movement.change", "rfm.value")
    return {
        "headline": speech(f"rfm.headline{cooling}", number=speech.number(quiet)),
        "sub": speech("rfm.sub"),
        "columns": [speech("segments.segment"), *map(speech, columns)],
        "rows": [
            [
                sentence(RFM_SEGMENTS[_RFM[row.Index]][speech.language]),
                *_told(
                    (speech.number(row.before), speech.number(row.now), _signed(row.now - row.before, speech),
                     speech.money(row.value)),
                    hidden, row.Index, speech,
                ),
            ]
            for row in rows_of(frame)
        ],
    }  # fmt: skip


def loyalty_section(run: RunFolder, speech: Speech) -> Section | None:
    """Loyalty scores by tens and the mean of each part; None where no score is known."""
    known = run.scores["loyalty_score"].dropna()
    if known.empty:
        return None
    movement = run.metrics.movement
    before = movement.loyalty_score if movement else None
    loyal = int((known >= LOYAL).sum())
    bare = "" if run.clients or tellable(loyal, of=len(known)) else ".bare"
    bands = loyalty_bands(run.scores, merged_at=None if run.clients else LOYAL)
    parts = loyalty_means(run.scores)
    few = [
        not run.clients and not tellable(round(share * len(run.scores)), of=len(run.scores)) for share in parts["known"]
    ]
    parts = parts.assign(few=few)
    longest = max(float(bands["share"].max()), 1e-12)
    bars = [
        {
            "name": speech("loyalty.band", low=row.low, high=row.high),
            "effect": speech.percent(row.share),
            "clients": speech.number(row.clients),
            "width": f"{100 * row.share / longest:.0f}",
        }
        for row in rows_of(bands)
    ]
    means = [
        {
            "name": _part(row.Index, speech),
            "effect": speech.number(row.mean),
            "known": speech.percent(row.known),
            "width": f"{row.mean:.0f}",
        }
        for row in rows_of(parts[(parts["known"] > 0) & ~parts["few"]])
    ]
    lacking = [_part(str(part), speech) for part in parts.index[parts["known"] == 0]]
    return {
        "headline": speech(
            f"loyalty.headline{bare}", score=speech.number(known.mean()), share=speech.percent(loyal / len(known))
        ),
        "sub": speech("loyalty.sub", since=speech.date(movement.since), score=speech.number(before, digits=1))
        if movement is not None and before is not None
        else speech("loyalty.sub.bare"),
        "bars": bars,
        "bar_rows": [[bar["name"], bar["clients"], bar["effect"]] for bar in bars],
        "mean_rows": [[bar["name"], bar["effect"], bar["known"]] for bar in means],
        "bars_alt": speech("loyalty.alt.scores", bars="; ".join(f"{bar['name']} {bar['effect']}" for bar in bars)),
        "means": means,
        "means_alt": speech("loyalty.alt.parts", bars="; ".join(f"{bar['name']} {bar['effect']}" for bar in means)),
        "unknown": speech("loyalty.unknown", parts=", ".join(lacking)) if lacking else "",
    }


def intervals_section(run: RunFolder, speech: Speech) -> Section | None:
    """How often spend came out within its range at the test cutoffs; None where that was not judged."""
    kept = [one for one in run.metrics.intervals if run.clients or tellable(one.clients)]
    if not kept:
        return None
    clients = sum(one.clients for one in kept)
    share = sum(one.coverage * one.clients for one in kept) / max(clients, 1)
    coverage = speech.percent(COVERAGE)
    return {
        "headline": speech("intervals.headline", share=speech.percent(share), coverage=coverage),
        "sub": speech("intervals.sub"),
        "columns": [
            speech("cutoffs.cutoff"), speech("cutoffs.clients"), speech("intervals.coverage"),
            speech("intervals.expected"), speech("intervals.range", coverage=coverage), speech("intervals.value"),
        ],
        "rows": [
            [
                speech.date(one.cutoff), speech.number(one.clients), speech.percent(one.coverage, digits=1),
                NONE if one.expected is None else speech.money(one.expected),
                range_of(one.lower, one.upper, speech) or NONE, speech.money(one.value),
            ]
            for one in kept
        ],
    }  # fmt: skip


def _rate(share: float, speech: Speech) -> str:
    """Write a share that somebody chose: as it was chosen, so with a digit only if it has one."""
    return speech.percent(share, digits=0 if round(100 * share, 1) % 1 == 0 else 1)


def _name(tier: int, level: int, speech: Speech) -> str:
    return sentence(VALUE_RISK_SEGMENTS[tier, level].name[speech.language])


def _hidden_segments(run: RunFolder) -> pd.Series:
    """Segments of value and risk that the page does not tell of: none where it may name clients."""
    if run.clients:
        return pd.Series(False, index=range(len(VALUE_RISK_SEGMENTS)))
    return hidden_segments(run.scores).reset_index(drop=True)


def _told(cells: Iterable[str], hidden: pd.Series | None, row: str, speech: Speech) -> list[str]:
    """Cells of a row as they are, or each as hidden."""
    return [speech("hidden") if hidden is not None and hidden[row] else cell for cell in cells]


def _tier(segment: str) -> int:
    return cell_of(segment)[0]


def _level(segment: str) -> int:
    return cell_of(segment)[1]


def _moved(segment: str, speech: Speech) -> str:
    return speech(f"movement.{segment}") if segment in _NO_SEGMENT else _name(*cell_of(segment), speech)


def _bound(total: Total | None, speech: Speech) -> str:
    return "" if total is None else range_of(total.lower, total.upper, speech)


def _between(level: int, cuts: list[str], speech: Speech) -> str:
    """Say where a level lies between two cut points; nothing where they are not known."""
    if not cuts:
        return ""
    return speech("range.high", low=cuts[1]) if level == len(cuts) else speech("range.low", high=cuts[level])


def _signed(change: int, speech: Speech) -> str:
    return f"+{speech.number(change)}" if change > 0 else speech.number(change)


def _part(name: str, speech: Speech) -> str:
    return sentence(LOYALTY_PARTS[name][speech.language])
