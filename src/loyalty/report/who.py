"""Chapter 2 of the managers' page: who the clients are, by value and risk, who moved, and who stands to be lost."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from loyalty.explanation.sentences import Teller
from loyalty.features import CATALOGUE
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
from loyalty.report.pieces import COVERAGE, Section, bound, range_of, signed, told
from loyalty.report.run_folder import Move, RunFolder
from loyalty.report.small_cells import hidden_rows, tellable
from loyalty.report.text import Speech, plural
from loyalty.segments import RFM_SEGMENTS, VALUE_RISK_SEGMENTS
from loyalty.wording import NONE, sentence, shown

LOYAL = 70
"""From this loyalty score on a client is counted as loyal."""

_SEGMENTS = {words.name["en"]: cell for cell, words in VALUE_RISK_SEGMENTS.items()}
_RFM = {words["en"]: cell for cell, words in RFM_SEGMENTS.items()}
_NO_SEGMENT = ("new", "gone")
_TOP_TIER, _STRONG = 2, ((1, 2), (0, 2))
_LARGEST_MOVES, _LONGEST_REASON = 8, 200


def matrix_section(run: RunFolder, speech: Speech) -> Section:
    """Nine segments as a grid, the most valuable on top and the riskiest on the right."""
    frame = segment_frame(run.scores).assign(hidden=segments_hidden(run))
    largest = float(frame.loc[~frame["hidden"], "value_at_risk"].max())
    cells = [
        {
            "tier": row.tier,
            "clients": speech.number(row.clients),
            "money": speech.money(row.value_at_risk),
            "step": figures.heat_step(row.value_at_risk, largest=largest),
            "words": f"{segment_name(row.tier, row.level, speech)}: {speech.clients(row.clients)}, "
            f"{speech.money(row.value_at_risk)}",
        }
        if not row.hidden
        else {
            "tier": row.tier,
            "clients": NONE,
            "money": speech("hidden"),
            "step": 0,
            "words": f"{segment_name(row.tier, row.level, speech)}: {speech('hidden')}",
        }
        for row in rows_of(frame)
    ]
    (riskiest,) = rows_of(frame.query("tier == 2 and level == 2"))
    leaving = ".hidden" if riskiest.hidden else plural(riskiest.clients)
    cuts = run.metrics.yardsticks.value_risk if run.metrics.yardsticks else None
    worth = speech.money_cuts(cuts.value) if cuts else []
    risk = speech.risks(cuts.risk) if cuts else []
    return {
        "headline": speech(
            f"matrix.headline{leaving}",
            number=speech.number(riskiest.clients),
            leavers=speech.number(riskiest.clients * riskiest.churn_probability),
        ),
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
    """Segments by money at risk, each with its interval."""
    frame = segments_by_money(run)
    first = frame.iloc[0]
    longest = max(float(first["share"]), 1e-12)
    whole_at_risk = float(frame["value_at_risk"].sum())
    bounds = {one.segment: one for one in run.metrics.totals.get("value_at_risk", [])}
    by_cell = {cell_of(name): one for name, one in bounds.items() if name in _SEGMENTS}
    rows = [
        {
            "segment": segment_name(row.tier, row.level, speech),
            "clients": speech.number(row.clients),
            "risk": speech.risk(row.churn_probability),
            "money": speech.money(row.value_at_risk),
            "range": bound(by_cell.get((row.tier, row.level)), speech),
            "share": speech.percent(row.share),
            "width": f"{100 * row.share / longest:.0f}",
        }
        | (dict.fromkeys(("clients", "risk", "money", "share"), speech("hidden")) if row.hidden else {})
        | ({"range": "", "width": "0"} if row.hidden else {})
        for row in rows_of(frame)
    ]
    whole = {
        "segment": speech("segments.all"),
        "clients": speech.number(len(run.scores)),
        "risk": speech.risk(float(run.scores["churn_probability"].mean())),
        "money": speech.money(whole_at_risk),
        "range": bound(bounds.get("all"), speech),
    }
    name = segment_name(int(first["tier"]), int(first["level"]), speech)
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
    may_tell = run.clients or (tellable(slid_clients) and tellable(back_clients))
    frame = movement_frame(movement.segment, segments=list(_SEGMENTS))
    already = segments_hidden(run).set_axis(frame.index)
    hidden = already if run.clients else hidden_movement(frame, already=already)
    largest = sorted(
        (one for one in movement.segment if one.start != one.to),
        key=lambda one: (-_money_of(one), one.start, one.to),
    )[:_LARGEST_MOVES]
    return {
        "headline": speech(
            "movement.headline" if may_tell else "movement.headline.hidden",
            slid=speech.number(slid_clients),
            back=speech.number(back_clients),
            days=speech.days(movement.days),
        ),
        "sub": speech("movement.sub", since=speech.date(movement.since), date=speech.date(run.metrics.score_cutoff)),
        "columns": [speech("segments.segment"), *(speech(f"movement.{n}") for n in ("before", "now", "came", "left"))],
        "rows": [
            [
                segment_name(*_SEGMENTS[row.Index], speech),
                *told(map(speech.number, (row.before, row.now, row.came, row.left)), bool(hidden[row.Index]), speech),
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
                speech.money(_money_of(one)),
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
    hidden = pd.Series(False, index=frame.index)
    if not run.clients:
        hidden = hidden_rows(frame[["before", "now"]], totals=["before", "now"])
    cooling = ".hidden" if hidden[strong].any() else plural(quiet)
    columns = ("movement.before", "movement.now", "movement.change", "rfm.value")
    return {
        "headline": speech(f"rfm.headline{cooling}", number=speech.number(quiet)),
        "sub": speech("rfm.sub"),
        "columns": [speech("segments.segment"), *map(speech, columns)],
        "rows": [
            [
                sentence(RFM_SEGMENTS[_RFM[row.Index]][speech.language]),
                *told(
                    (speech.number(row.before), speech.number(row.now), signed(row.now - row.before, speech),
                     speech.money(row.value)),
                    bool(hidden[row.Index]), speech,
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
    parts = loyalty_means(run.scores)
    bars, means = _bands(run, speech), _means(run, parts, speech)
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


def _bands(run: RunFolder, speech: Speech) -> list[dict[str, str]]:
    """Write the bars of the loyalty scores by tens; without clients, small groups are merged."""
    bands = loyalty_bands(run.scores, merged_at=None if run.clients else LOYAL)
    longest = max(float(bands["share"].max()), 1e-12)
    return [
        {
            "name": speech("loyalty.band", low=row.low, high=row.high),
            "effect": speech.percent(row.share),
            "clients": speech.number(row.clients),
            "width": f"{100 * row.share / longest:.0f}",
        }
        for row in rows_of(bands)
    ]


def _means(run: RunFolder, parts: pd.DataFrame, speech: Speech) -> list[dict[str, str]]:
    """Write the bars of the parts of the loyalty score, of those that are known of enough clients to be told."""
    everyone = len(run.scores)
    return [
        {
            "name": _part(row.Index, speech),
            "effect": speech.number(row.mean),
            "known": speech.percent(row.known),
            "width": f"{row.mean:.0f}",
        }
        for row in rows_of(parts[parts["known"] > 0])
        if run.clients or tellable(round(row.known * everyone), of=everyone)
    ]


def top_section(run: RunFolder, speech: Speech) -> Section:
    """Name the clients with the most money at risk, with the reasons of each."""
    clients = figures.top_clients(run.scores)
    held = float(clients["value_at_risk"].fillna(0.0).sum())
    total = float(run.scores["value_at_risk"].fillna(0.0).sum())
    amounts = {"share": speech.percent(held / total) if total > 0 else NONE, "money": speech.money(held)}
    return {
        "headline": speech(
            f"top.headline{plural(len(clients) if total > 0 else 0)}", clients=speech.clients(len(clients)), **amounts
        ),
        "expected": speech("top.expected", days=speech.days(run.metrics.horizon_days)),
        "rows": [
            {
                "client": shown(_id(client["client_id"])) or NONE,
                "risk": speech.risk(client["churn_probability"]),
                "width": f"{100 * client['churn_probability']:.0f}",
                "spend": speech.money(client["amount_sum_365d"]),
                "money": speech.money(client["value_at_risk"]),
                "expected": speech.money(client["expected_value"]),
                "range": range_of(client.get("value_lower"), client.get("value_upper"), speech),
                "little": speech("top.little") if client["too_little_history"] else "",
                "reasons": reasons_of(client, speech=speech),
            }
            for client in clients.to_dict("records")
        ],
    }


def reasons_of(client: Mapping[Any, Any], *, speech: Speech) -> list[dict[str, str]]:
    """Say in words what goes with one client's risk.

    Parameters
    ----------
    client : mapping
        A row of the scores: ``reason_1``, and with the endings ``_value``, ``_usual``, ``_typical``, ``_shap`` and
        ``_text`` what `loyalty.reason_codes` gives, and so on to 3; any may be missing.
    speech : Speech
        Language of the words. A feature that is not in the catalogue is told as the scores have it.

    Returns
    -------
    list of dict
        `text` and `direction` (``up``, ``down``) of each reason there is.
    """
    reasons = []
    for place in (1, 2, 3):
        feature, written = client.get(f"reason_{place}"), client.get(f"reason_{place}_text")
        if not isinstance(feature, str) or not feature:
            continue
        value, usual, typical, shap = (
            float("nan")
            if (number := client.get(f"reason_{place}{part}")) is None or pd.isna(number)
            else float(number)
            for part in ("_value", "_usual", "_typical", "_shap")
        )
        if feature not in CATALOGUE and isinstance(written, str) and written:
            text = written
        else:
            text = Teller(feature, speech).fact(value, usual=usual, typical=typical)
        reasons.append({"text": shown(text, longest=_LONGEST_REASON), "direction": "up" if shap > 0 else "down"})
    return reasons


def segment_name(tier: int, level: int, speech: Speech) -> str:
    """Name a segment of value and risk, with a capital."""
    return sentence(VALUE_RISK_SEGMENTS[tier, level].name[speech.language])


def segments_by_money(run: RunFolder) -> pd.DataFrame:
    """Sort the segments of value and risk by the money at risk in them.

    Parameters
    ----------
    run : RunFolder
        What the run left behind.

    Returns
    -------
    DataFrame
        As `segment_frame`, most money first, with `hidden`: of those the page does not tell, and they come last.
    """
    frame = segment_frame(run.scores).assign(hidden=segments_hidden(run))
    ordered = frame.assign(value_at_risk=frame["value_at_risk"].where(~frame["hidden"], -1.0))
    return frame.loc[ordered.sort_values("value_at_risk", ascending=False, kind="stable").index]


def segments_hidden(run: RunFolder) -> pd.Series:
    """Find the segments of value and risk that the page does not tell of: none where it may name clients."""
    if run.clients:
        return pd.Series(False, index=range(len(VALUE_RISK_SEGMENTS)))
    return hidden_segments(run.scores).reset_index(drop=True)


def _tier(segment: str) -> int:
    return cell_of(segment)[0]


def _level(segment: str) -> int:
    return cell_of(segment)[1]


def _money_of(move: Move) -> float:
    """Take the money of those who moved, as it is now; of those who went, as it was."""
    return move.value_before if move.to == "gone" else move.value_after


def _moved(segment: str, speech: Speech) -> str:
    return speech(f"movement.{segment}") if segment in _NO_SEGMENT else segment_name(*cell_of(segment), speech)


def _between(level: int, cuts: list[str], speech: Speech) -> str:
    """Say where a level lies between two cut points; nothing where they are not known."""
    if not cuts:
        return ""
    return speech("range.high", low=cuts[1]) if level == len(cuts) else speech("range.low", high=cuts[level])


def _part(name: str, speech: Speech) -> str:
    return sentence(LOYALTY_PARTS[name][speech.language])


def _id(client_id: object) -> str:
    return str(int(client_id)) if isinstance(client_id, float) and client_id.is_integer() else str(client_id)
