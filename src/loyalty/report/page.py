"""From a run's tables to the page: every section's words and numbers, then the template."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pandas as pd
from markupsafe import Markup

from loyalty.explanation.sentences import Teller
from loyalty.features import CATALOGUE
from loyalty.report import figures
from loyalty.report.document import fill_page
from loyalty.report.figures import TOP_SHARE, rows_of
from loyalty.report.portfolio import (
    COVERAGE,
    intervals_section,
    long_run_remarks,
    loyalty_section,
    matrix_section,
    movement_section,
    range_of,
    rfm_section,
    segments_section,
    total_of,
)
from loyalty.report.run_folder import Metrics, RunFolder
from loyalty.report.small_cells import SMALLEST, tellable
from loyalty.report.text import Speech, plural
from loyalty.wording import NONE, Language, sentence, shown

Meanings = Mapping[str, Mapping[str, str]]
Section = dict[str, Any]

SIZES = {
    "gain": {"wide": (420, 290), "narrow": (225, 210)},
    "calibration": {"wide": (420, 380), "narrow": (225, 225)},
}
"""Width and height: each curve is drawn twice; the page shows the one that fits the room there is."""

MODEL = "lightgbm"
MODEL_ORDER = ("naive", "btyd", MODEL)
MEASURES = (
    # metric, better, how it is written
    ("auc", "up", "plain"), ("found_top_20", "up", "percent"), ("lift_top_20", "up", "times"),
    ("log_loss", "down", "plain"), ("brier", "down", "plain"), ("mean_error", "zero", "points"),
    ("mae", "down", "money"), ("spearman", "up", "plain"), ("gini", "up", "plain"),
    ("decile_mape", "down", "percent"), ("total_error", "zero", "percent"),
)  # fmt: skip
MOST_NOTES, LONGEST_NOTE, LONGEST_QUESTION, LONGEST_REASON = 40, 600, 400, 200


@dataclass(frozen=True)
class Summary:
    """The few numbers that headlines are made of; NaN where a run did not measure one."""

    clients: int
    expected_churn: float
    value: float
    value_at_risk: float
    expected_value: float
    too_little: int
    found: float
    lift: float
    auc: float
    backtests: int


def render_page(run: RunFolder, *, language: Language, meanings: Meanings) -> str:
    """Write the page of a run.

    Parameters
    ----------
    run : RunFolder
        What the run left behind.
    language : {"en", "ko"}
        Language of the page.
    meanings : mapping
        Feature name → what it measures as a noun phrase per language (``en``,
        ``ko``) and its ``unit``; a feature not in it goes by its name.

    Returns
    -------
    str
        The HTML document.
    """
    speech = Speech(language, kind=run.metrics.kind, currency=run.metrics.currency)
    summary = summarise(run)
    return fill_page(
        t=speech,
        header=_header(run, summary, speech),
        tiles=_tiles(run.metrics, summary, speech),
        gain=_gain(run.metrics, summary, speech),
        matrix=matrix_section(run, speech),
        drivers=_drivers(run.metrics, speech, meanings),
        segments=segments_section(run, speech),
        movement=movement_section(run, speech),
        rfm=rfm_section(run, speech),
        loyalty=loyalty_section(run, speech),
        top=_top(run, speech) if run.clients else None,
        calibration=_calibration(run, speech),
        models=_models(run.metrics, summary, speech),
        cutoffs=_cutoffs(run, speech),
        intervals=intervals_section(run, speech),
        notes=_notes(run, speech),
        footer=_footer(run.metrics, speech),
        privacy=speech("run.privacy") if run.clients else speech("run.privacy.none", number=SMALLEST),
    )


def summarise(run: RunFolder) -> Summary:
    """Boil a run down to its headline numbers.

    Parameters
    ----------
    run : RunFolder
        What the run left behind.

    Returns
    -------
    Summary
        Means over the test cutoffs, sums over the scored clients.
    """
    means = figures.metric_means(run.metrics.backtest)

    found, lift, auc = (
        figures.mean_of(means, metric=metric, model=MODEL) for metric in ("found_top_20", "lift_top_20", "auc")
    )
    if pd.isna(found):
        found = figures.found_at(figures.gain_frame(run.metrics.gain), contacted=TOP_SHARE)
    return Summary(
        clients=len(run.scores),
        expected_churn=float(run.scores["churn_probability"].mean()),
        value=float(run.scores["amount_sum_365d"].fillna(0.0).clip(lower=0.0).sum()),
        value_at_risk=float(run.scores["value_at_risk"].fillna(0.0).sum()),
        expected_value=float(run.scores["expected_value"].sum()),
        too_little=int(run.scores["too_little_history"].sum()),
        found=found,
        lift=found / TOP_SHARE if pd.isna(lift) else lift,
        auc=auc,
        backtests=len({measure.cutoff for measure in run.metrics.backtest}),
    )


# -- Sections, in the order of the page ------------------------------------------------------------------------------


def _header(run: RunFolder, summary: Summary, speech: Speech) -> Section:
    metrics = run.metrics
    start = metrics.score_cutoff + timedelta(days=metrics.gap_days)
    last = start + timedelta(days=metrics.horizon_days - 1)
    facts = [
        speech("facts.cutoff", date=speech.date(metrics.score_cutoff)),
        speech("facts.clients", clients=speech.clients(summary.clients)),
        speech("facts.horizon", days=speech.days(metrics.horizon_days)),
    ]
    if metrics.gap_days:
        facts.append(speech("facts.gap", days=speech.days(metrics.gap_days)))
    definition = [speech("definition", first=speech.date(start), last=speech.date(last))]
    if metrics.active_days is not None:
        definition.append(speech("definition.active", days=speech.days(metrics.active_days)))
    definition.append(speech("definition.value"))
    return {
        "question": shown(metrics.question, longest=LONGEST_QUESTION),
        "facts": facts,
        "remarks": _remarks(run, summary, speech),
        "definition": " ".join(definition),
    }


def _remarks(run: RunFolder, summary: Summary, speech: Speech) -> list[str]:
    """Say what all clients are expected to spend and worth in the long run, and of how many too little is known."""
    metrics = run.metrics
    days = speech.days(metrics.horizon_days)
    told = {"expected": speech.money(summary.expected_value), "days": days}
    if total := total_of(metrics, "expected_value"):
        ends = {"lower": speech.money(total.lower), "upper": speech.money(total.upper)}
        remarks = [speech("remark.spend", coverage=speech.percent(COVERAGE), **ends, **told)]
    else:
        remarks = [speech("remark.spend.bare", **told)]
    remarks += long_run_remarks(metrics, speech)
    if summary.too_little and (run.clients or tellable(summary.too_little, of=summary.clients)):
        share = speech.percent(summary.too_little / summary.clients)
        reach = speech.days(metrics.horizon_days + metrics.gap_days)
        clients = speech.clients(summary.too_little)
        remarks.append(speech("remark.little", clients=clients, share=share, days=reach))
    return remarks


def _tiles(metrics: Metrics, summary: Summary, speech: Speech) -> list[Section]:
    clients = speech.clients(summary.clients)
    leavers = summary.expected_churn * summary.clients if summary.clients else 0.0
    days = speech.days(metrics.horizon_days)
    share = summary.value_at_risk / summary.value if summary.value > 0 else 0.0
    lift = round(summary.lift, 1)
    found = "tile.found.sub" if lift > 1 else "tile.found.sub.weak"
    unmeasured = speech("unmeasured")
    return [
        {
            "label": speech("tile.churn"),
            "value": speech.percent(summary.expected_churn, digits=1),
            "sub": speech("tile.churn.sub", leavers=speech.number(leavers), clients=clients, days=days),
        },
        {
            "label": speech("tile.value"),
            "value": speech.money(summary.value_at_risk),
            "sub": _at_risk(metrics, share, speech) if summary.value > 0 else speech("tile.value.none"),
        },
        {
            "label": speech("tile.found", share=speech.percent(TOP_SHARE)),
            "value": speech.percent(summary.found),
            "sub": speech(found, lift=speech.number(lift, digits=1)) if summary.found >= 0 else unmeasured,
        },
        {
            "label": speech("tile.model"),
            "value": speech("tile.model.value", auc=speech.number(summary.auc, digits=2)),
            "sub": speech("tile.model.sub", backtests=speech.backtests(summary.backtests))
            if summary.auc >= 0
            else unmeasured,
        },
    ]


def _at_risk(metrics: Metrics, share: float, speech: Speech) -> str:
    total = total_of(metrics, "value_at_risk")
    if total is None:
        return speech("tile.value.sub", share=speech.percent(share))
    ends = {"lower": speech.money(total.lower), "upper": speech.money(total.upper)}
    return speech("tile.value.range", coverage=speech.percent(COVERAGE), share=speech.percent(share), **ends)


def _gain(metrics: Metrics, summary: Summary, speech: Speech) -> Section | None:
    gain = figures.gain_frame(metrics.gain)
    if gain.empty or pd.isna(summary.found):
        return None
    labels = {name: speech(f"gain.{name}") for name in ("x", "y", "model", "chance")} | {
        "mark": speech.percent(summary.found)
    }
    steps = (0.05, 0.1, TOP_SHARE, 0.3, 0.4, 0.5, 0.75)
    curves = [gain.assign(found=gain[name]) for name in ("found", "low", "high")]
    at = {step: [speech.percent(figures.found_at(curve, contacted=step)) for curve in curves] for step in steps}
    points = [
        speech("gain.alt.point", found=at[step][0], contacted=speech.percent(step)) for step in (0.1, TOP_SHARE, 0.5)
    ]
    return {
        "headline": speech("gain.headline", share=speech.percent(TOP_SHARE), found=speech.percent(summary.found)),
        "sub": speech(
            "gain.sub" if summary.backtests > 1 else "gain.sub.single", backtests=speech.backtests(summary.backtests)
        ),
        "alt": speech("gain.alt", points=", ".join(points)),
        "drawings": _drawings(
            "gain",
            lambda name, width, height: figures.draw_gain(
                gain, found=summary.found, labels=labels, name=name, width=width, height=height
            ),
        ),
        "columns": [speech("gain.x"), speech("gain.y"), speech("gain.low"), speech("gain.high"), speech("gain.chance")],
        "rows": [[speech.percent(step), *at[step], speech.percent(step)] for step in steps],
    }


def _drivers(metrics: Metrics, speech: Speech, meanings: Meanings) -> Section:
    directions = {1: "raises", -1: "lowers", 0: "neutral"}
    frame = figures.driver_frame(metrics.drivers, language=speech.language, meanings=meanings)
    bars = [
        {
            "feature": shown(row.feature),
            "name": sentence(shown(row.meaning)) or NONE,
            "effect": speech.number(row.effect_pp, digits=1),
            "shap": speech.number(row.mean_abs_shap, digits=3),
            "direction": directions[row.direction],
            "width": f"{100 * row.width:.0f}",
        }
        for row in rows_of(frame)
    ]
    words = [f"{bar['name']} {bar['effect']}, {speech('drivers.' + bar['direction'])}" for bar in bars]
    first = {"driver": bars[0]["name"], "effect": speech.points(frame["effect_pp"].iloc[0])} if bars else {}
    return {
        "headline": speech("drivers.headline", **first) if bars else speech("drivers.headline.none"),
        "alt": speech("drivers.alt", bars="; ".join(words)),
        "bars": bars,
        "legend": [
            direction for direction in directions.values() if any(bar["direction"] == direction for bar in bars)
        ],
    }


def _top(run: RunFolder, speech: Speech) -> Section:
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
                "risk": speech.percent(client["churn_probability"]),
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
        reasons.append({"text": shown(text, longest=LONGEST_REASON), "direction": "up" if shap > 0 else "down"})
    return reasons


def _calibration(run: RunFolder, speech: Speech) -> Section | None:
    frame = figures.calibration_frame(run.metrics.calibration, merged=not run.clients)
    if frame.empty:
        return None
    labels = {name: speech(f"calibration.{name}") for name in ("x", "y", "ideal")}
    rows = [
        [speech.percent(row.predicted), speech.percent(row.observed),
         f"{speech.percent(row.low)} – {speech.percent(row.high)}", speech.number(row.clients)]
        for row in rows_of(frame)
    ]  # fmt: skip
    points = [
        speech("calibration.alt.point", predicted=predicted, observed=observed) for predicted, observed, *_ in rows
    ]
    return {
        "headline": speech("calibration.headline", points=speech.points(100 * figures.calibration_error(frame))),
        "alt": speech(
            "calibration.alt",
            groups=len(frame),
            smallest=speech.clients(frame["clients"].min()),
            largest=speech.clients(frame["clients"].max()),
            points="; ".join(points),
        ),
        "drawings": _drawings(
            "calibration",
            lambda name, width, height: figures.draw_calibration(
                frame, labels=labels, name=name, width=width, height=height
            ),
        ),
        "columns": [speech(f"calibration.{name}") for name in ("x", "y", "range", "clients")],
        "rows": rows,
    }


def _models(metrics: Metrics, summary: Summary, speech: Speech) -> Section:
    means = figures.metric_means(metrics.backtest)
    models = [name for name in MODEL_ORDER if name in means.columns]
    models += [name for name in means.columns if name not in models]
    rows = []
    for metric, better, form in MEASURES:
        if metric not in means.index:
            continue
        numbers = [figures.mean_of(means, metric=metric, model=name) for name in models]
        best = _best(numbers, better=better)
        rows.append(
            {
                "measure": speech(f"metric.{metric}"),
                "better": speech(f"better.{better}"),
                "cells": [
                    {"text": _written(number, form, speech), "best": place in best}
                    for place, number in enumerate(numbers)
                ],
            }
        )
    return {
        "headline": _models_headline(means, speech),
        "sub": speech("models.sub", backtests=speech.backtests(summary.backtests)) if rows else "",
        "columns": [_model_name(name, speech) for name in models],
        "rows": rows,
    }


def _models_headline(means: pd.DataFrame, speech: Speech) -> str:
    auc = {name: figures.mean_of(means, metric="auc", model=name) for name in means.columns}
    ours = round(auc.pop(MODEL, float("nan")), 3)
    others = {name: round(value, 3) for name, value in auc.items() if not pd.isna(value)}
    if not others or pd.isna(ours):
        return speech("models.headline.none")
    baseline, other = max(others.items(), key=lambda item: item[1])
    verdict = "better" if ours > other else "equal" if ours == other else "worse"
    digits = 3 if speech.number(ours, digits=2) == speech.number(other, digits=2) else 2
    return speech(
        f"models.headline.{verdict}",
        baseline=_model_name(baseline, speech),
        auc=speech.number(ours, digits=digits),
        other=speech.number(other, digits=digits),
    )


def _cutoffs(run: RunFolder, speech: Speech) -> Section:
    frame = figures.cutoff_frame(run.metrics.backtest, run.backtest, model=MODEL)
    if not run.clients:
        frame = frame[[tellable(clients) for clients in frame["clients"]]]
    columns = ("cutoff", "clients", "predicted", "observed", "auc", "found")
    return {
        "columns": [speech(f"cutoffs.{name}") for name in columns],
        "rows": [
            [speech.date(cutoff), speech.number(row.clients), speech.percent(row.predicted, digits=1),
             speech.percent(row.observed, digits=1), speech.number(row.auc, digits=3), speech.percent(row.found_top_20)]
            for cutoff, row in zip(frame.index, rows_of(frame), strict=True)
        ],
    }  # fmt: skip


def _notes(run: RunFolder, speech: Speech) -> Section:
    if not run.clients:  # free text, in which a client may be named or few of them counted
        return {"rows": [], "none": speech("notes.withheld"), "remark": ""}
    metrics, foreign = run.metrics, False
    notes = []
    for note in metrics.notes[:MOST_NOTES]:
        own = isinstance(note, dict) and speech.language in note
        words = note if isinstance(note, str) else note.get(speech.language) or next(iter(note.values()), "")
        foreign = foreign or (speech.language != "en" and not own)
        notes.append({"text": shown(words, longest=LONGEST_NOTE), "lang": speech.language if own else "en"})
    if len(metrics.notes) > MOST_NOTES:
        more = speech("notes.more", number=speech.number(len(metrics.notes) - MOST_NOTES))
        notes.append({"text": more, "lang": speech.language})
    return {"rows": notes, "none": speech("notes.none"), "remark": speech("notes.language") if foreign else ""}


def _footer(metrics: Metrics, speech: Speech) -> list[tuple[str, str]]:
    facts = [
        (speech("run.data"), shown(metrics.data_fingerprint)),
        (speech("run.labels"), shown(metrics.label_fingerprint)),
        (speech("run.seed"), "" if metrics.seed is None else str(metrics.seed)),
        (speech("run.cutoffs"), " · ".join(speech.date(cutoff) for cutoff in metrics.test_cutoffs)),
        (speech("run.versions"), " · ".join(shown(f"{name} {version}") for name, version in metrics.versions.items())),
        (speech("run.btyd"), " · ".join(_flat(metrics.btyd or {}))),
    ]
    return [(name, value) for name, value in facts if value]


# -- Small pieces ----------------------------------------------------------------------------------------------------


def _drawings(figure: str, draw: Callable[[str, int, int], str]) -> list[Section]:
    """Draw a figure in each size; what stands in it are our own words and numbers, written as text by Vega."""
    sizes = SIZES[figure].items()
    drawn = {room: draw(f"{figure}-{room}", width, height) for room, (width, height) in sizes}
    return [{"room": room, "svg": Markup(svg)} for room, svg in drawn.items()]  # noqa: S704


def _id(client_id: object) -> str:
    return str(int(client_id)) if isinstance(client_id, float) and client_id.is_integer() else str(client_id)


def _model_name(model: str, speech: Speech) -> str:
    return speech(f"model.{model}") if speech.has(f"model.{model}") else shown(model, longest=24)


def _written(number: float, form: str, speech: Speech) -> str:
    if pd.isna(number):
        return NONE
    match form:
        case "percent":
            return speech.percent(number, digits=1)
        case "points":
            return speech.points(100 * number, short=True)
        case "times":
            return f"{speech.number(number, digits=2)}×"
        case "money":
            return speech.money(number)
        case _:
            return speech.number(number, digits=3)


def _best(numbers: list[float], *, better: str) -> list[int]:
    """Places of the best numbers; none when there is nothing to compare."""
    worth = {
        place: number if better == "up" else -number if better == "down" else -abs(number)
        for place, number in enumerate(numbers)
        if not pd.isna(number)
    }
    return [place for place, one in worth.items() if one == max(worth.values())] if len(worth) > 1 else []


def _flat(parameters: Mapping[str, Any], *, under: str = "") -> list[str]:
    """Numbers of nested parameters, one `name value` each."""
    flat = []
    for name, value in parameters.items():
        path = f"{under}.{name}" if under else str(name)
        if isinstance(value, Mapping):
            flat += _flat(value, under=path)
        elif isinstance(value, int | float | str):
            flat.append(shown(f"{path} {value:.4g}" if isinstance(value, float) else f"{path} {value}"))
    return flat[:40]
