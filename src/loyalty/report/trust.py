"""Chapter 5 of the managers' page: whether it can be trusted, by what was predicted before and what happened then."""

from collections.abc import Sequence
from datetime import date

import pandas as pd

from loyalty.judging import FEWEST_LEAVERS
from loyalty.report import figures
from loyalty.report.figures import TOP_SHARE, rows_of
from loyalty.report.pieces import COVERAGE, MODEL, Section, against, drawings, range_of, signed, signed_range
from loyalty.report.run_folder import Difference, GroupFigure, Hindsight, Kept, Metrics, RunFolder
from loyalty.report.small_cells import tellable
from loyalty.report.text import Speech
from loyalty.wording import MINUS, NONE, is_nought, sentence, shown

MODEL_ORDER = ("naive", "btyd", MODEL)
MEASURES = (
    # metric, better, how it is written
    ("auc", "up", "plain"), ("found_top_20", "up", "percent"), ("lift_top_20", "up", "times"),
    ("log_loss", "down", "plain"), ("brier", "down", "plain"), ("mean_error", "down", "points"),
    ("mae", "down", "money"), ("spearman", "up", "plain"), ("gini", "up", "plain"),
    ("decile_mape", "down", "percent"), ("total_error", "down", "percent"),
)  # fmt: skip
MOST_NOTES, LONGEST_NOTE = 40, 600

_COMPARED = ("auc", "found_top_20", "log_loss", "brier", "mae", "gini", "total_error")
"""Measures by which the models are told from a baseline, of those in `MEASURES`."""
_MOST_GROUPS = 40
#: Of so many lengths of time a table tells at most.
_MOST_LENGTHS = 6


def gain_section(metrics: Metrics, speech: Speech) -> Section | None:
    """Draw how many leavers are found among how many of the riskiest clients; None where there was no back-test."""
    gain = figures.gain_frame(metrics.gain)
    found, lift = _found(metrics)
    if gain.empty or pd.isna(found):
        return None
    backtests = len({measure.cutoff for measure in metrics.backtest})
    sub = speech("gain.sub" if backtests > 1 else "gain.sub.single", backtests=speech.backtests(backtests))
    labels = {name: speech(f"gain.{name}") for name in ("x", "y", "model", "chance")} | {"mark": speech.percent(found)}
    steps = (0.05, 0.1, TOP_SHARE, 0.3, 0.4, 0.5, 0.75)
    curves = [gain.assign(found=gain[name]) for name in ("found", "low", "high")]
    at = {step: [speech.percent(figures.found_at(curve, contacted=step)) for curve in curves] for step in steps}
    points = [
        speech("gain.alt.point", found=at[step][0], contacted=speech.percent(step)) for step in (0.1, TOP_SHARE, 0.5)
    ]
    return {
        "headline": speech("gain.headline", share=speech.percent(TOP_SHARE), found=speech.percent(found)),
        "sub": " ".join((_lift(lift, speech), sub)),
        "alt": speech("gain.alt", points=", ".join(points)),
        "drawings": drawings(
            "gain",
            lambda name, width, height: figures.draw_gain(
                gain, found=found, labels=labels, name=name, width=width, height=height
            ),
        ),
        "columns": [speech("gain.x"), speech("gain.y"), speech("gain.low"), speech("gain.high"), speech("gain.chance")],
        "rows": [[speech.percent(step), *at[step], speech.percent(step)] for step in steps],
    }


def calibration_section(run: RunFolder, speech: Speech) -> Section | None:
    """Draw actual against predicted churn; None where it was not measured."""
    frame = figures.calibration_frame(run.metrics.calibration, merged=not run.clients)
    if frame.empty:
        return None
    labels = {name: speech(f"calibration.{name}") for name in ("x", "y", "ideal")}
    rows = [
        [speech.risk(row.predicted), speech.risk(row.observed),
         f"{speech.risk(row.low)} – {speech.risk(row.high)}", speech.number(row.clients)]
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
        "drawings": drawings(
            "calibration",
            lambda name, width, height: figures.draw_calibration(
                frame, labels=labels, name=name, width=width, height=height
            ),
        ),
        "columns": [speech(f"calibration.{name}") for name in ("x", "y", "range", "clients")],
        "rows": rows,
    }


def models_section(metrics: Metrics, speech: Speech) -> Section:
    """Put the models beside each other, measure by measure; no rows where there was no back-test."""
    means = figures.metric_means(metrics.backtest)
    backtests = len({measure.cutoff for measure in metrics.backtest})
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
        "headline": _models_headline(metrics, means, speech),
        "sub": speech("models.sub", backtests=speech.backtests(backtests)) if rows else "",
        "columns": [_model_name(name, speech) for name in models],
        "rows": rows,
    }


def comparison_section(metrics: Metrics, speech: Speech) -> Section | None:
    """Put the models beside each baseline on the same clients, with intervals and what they say.

    The headline is about the baseline that is hardest to beat. None where nothing was compared.
    """
    means = [one for one in metrics.comparison if one.cutoff is None and one.metric in _COMPARED]
    baselines = list(dict.fromkeys(one.baseline for one in means))
    if not means:
        return None
    forms = {metric: form for metric, _, form in MEASURES}
    by = {name: [_verdict(one) for one in means if one.baseline == name] for name in baselines}
    hardest = min(baselines, key=lambda name: by[name].count("better") - by[name].count("worse"))
    better, worse = by[hardest].count("better"), by[hardest].count("worse")
    of = {(one.metric, one.baseline): one for one in means}
    return {
        "headline": speech(
            "comparison.headline.worse" if worse else "comparison.headline",
            baseline=_model_name(hardest, speech),
            better=speech.number(better),
            worse=speech.number(worse),
            measures=speech.number(len(by[hardest])),
        ),
        "columns": [
            speech("models.measure"),
            *(speech("comparison.against", baseline=_model_name(name, speech)) for name in baselines),
        ],
        "rows": [
            [
                speech(f"metric.{metric}"),
                *(_compared(of.get((metric, name)), forms[metric], speech) for name in baselines),
            ]
            for metric in _COMPARED
            if any(one.metric == metric for one in means)
        ],
    }


def cutoffs_section(run: RunFolder, speech: Speech) -> Section:
    """Put predicted beside actual churn, cutoff by cutoff; no rows where there was no back-test."""
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


def intervals_section(run: RunFolder, speech: Speech) -> Section | None:
    """How often spend came out within its range at the test cutoffs; None where that was not judged."""
    kept = [one for one in run.metrics.intervals if run.clients or tellable(one.clients)]
    if not kept:
        return None
    clients = sum(one.clients for one in kept)
    share = sum(one.coverage * one.clients for one in kept) / max(clients, 1)
    coverage = speech.percent(COVERAGE)
    within = speech("intervals.headline", share=speech.percent(share), coverage=coverage)
    last = next((one for one in reversed(kept) if one.expected is not None), None)
    return {
        "headline": within if last is None else _last_total(last, speech),
        "sub": " ".join(
            (*_totals_held(kept, coverage, speech), *([] if last is None else [f"{within}."]), speech("intervals.sub"))
        ),
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


def hindsight_section(run: RunFolder, speech: Speech) -> Section | None:
    """Set what was told of the time beyond the horizon beside what came; None where none of it is over."""
    seen = [one for one in run.metrics.hindsight if run.clients or tellable(one.clients)]
    if not seen:
        return None
    by: dict[tuple[str, int], Hindsight] = {(one.figure, one.days): one for one in seen}
    told = [figure for figure in ("staying", "value") if any(one.figure == figure for one in seen)]
    lengths = _spread(sorted({one.days for one in seen}))
    last = max((one for one in seen if one.figure == told[0]), key=lambda one: one.days)
    columns = [speech(f"hindsight.{figure}.{column}") for figure in told for column in ("told", "naive", "came")]
    return {
        "headline": _hindsight(last, speech),
        "sub": " ".join((speech("hindsight.sub"), *(speech(f"hindsight.{figure}.sub") for figure in told))),
        "columns": [speech("hindsight.days"), *columns],
        "rows": [
            [speech.days(days), *(cell for figure in told for cell in _seen(by.get((figure, days)), speech))]
            for days in lengths
        ],
    }


def _spread(lengths: Sequence[int]) -> list[int]:
    """Take some of the lengths, evenly and the longest among them, where there are too many for a table."""
    step = -(-len(lengths) // _MOST_LENGTHS)
    return list(lengths[::-1][::step][::-1])


def _hindsight(last: Hindsight, speech: Speech) -> str:
    """Say what was told of the longest time that is over, and what came."""
    words = {"date": speech.date(last.cutoff), "days": speech.days(last.days)}
    if last.figure == "staying":
        shares = {name: speech.percent(getattr(last, name)) for name in ("told", "came")}
        return speech("hindsight.headline.staying", **words, **shares)
    return speech(
        "hindsight.headline.value", **words, total=against(expected=last.told, value=last.came, speech=speech)
    )


def _seen(one: Hindsight | None, speech: Speech) -> list[str]:
    if one is None:
        return [NONE] * 3
    numbers = (one.told, one.naive, one.came)
    if one.figure == "value":
        return [NONE if number is None else speech.money(number) for number in numbers]
    return [NONE if number is None else speech.percent(number, digits=1) for number in numbers]


def groups_section(run: RunFolder, speech: Speech) -> Section | None:
    """For which groups of clients risk was told too high or too low in the back-tests.

    None where no group was large enough to be judged.
    """
    by = {(one.grouping, one.group, one.metric): one for one in run.metrics.groups}
    judged = [one for one in run.metrics.groups if one.metric == "mean_error" and one.value is not None]
    if not judged:
        return None
    off = {way: [one for one in judged if _way(one) == way] for way in ("high", "low")}
    farthest = max((*off["high"], *off["low"]), key=lambda one: abs(one.value or 0.0), default=None)
    words = (
        {}
        if farthest is None
        else {
            "name": _group_name(farthest, speech),
            "gap": speech.points(abs(100 * (farthest.value or 0.0))),
        }
    )
    counted = ["clients"] if run.clients else []
    return {
        "headline": speech(
            "groups.headline" if farthest else "groups.headline.none",
            groups=speech.number(len(judged)),
            high=speech.number(len(off["high"])),
            low=speech.number(len(off["low"])),
            **words,
        ),
        "columns": [speech(f"groups.{name}") for name in ("group", *counted, "observed", "error", "verdict")],
        "rows": [
            [
                _group_name(one, speech),
                *(speech.number(_figure(by, one, "clients")) for _ in counted),
                speech.risk(_figure(by, one, "churn_rate")),
                _points(one, speech),
                speech(f"groups.{_way(one)}"),
            ]
            for one in judged[:_MOST_GROUPS]
        ],
    }


def data_section(run: RunFolder, speech: Speech) -> Section | None:
    """Tell what each table of the histories held.

    None where the run did not keep it, or single clients may not be told of.
    """
    if not run.metrics.data or not run.clients:
        return None
    counted = ("rows", "first", "last", "refunds", "duplicates", "gap")
    return {
        "columns": [speech("data.table"), *(speech(f"data.{name}") for name in counted)],
        "rows": [
            [
                shown(one.table, longest=40), speech.number(one.rows), _day(one.first, speech), _day(one.last, speech),
                speech.number(one.refunds), speech.number(one.duplicates), speech.days(one.longest_gap_days),
            ]
            for one in run.metrics.data
        ],
    }  # fmt: skip


def notes_section(run: RunFolder, speech: Speech) -> Section:
    """Tell the notes of the run on its data.

    No rows where single clients may not be told of, as notes may name them.
    """
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


def _models_headline(metrics: Metrics, means: pd.DataFrame, speech: Speech) -> str:
    judged, few = _leavers(metrics)
    if 2 * few > judged:
        return speech(
            "models.headline.few",
            fewest=speech.clients(FEWEST_LEAVERS),
            few=speech.number(few),
            backtests=speech.backtests(judged),
        )
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


def _leavers(metrics: Metrics) -> tuple[int, int]:
    """Count the test cutoffs of which it is known how many left, and those where too few did to judge an order."""
    by = {(one.cutoff, one.metric): one.value for one in metrics.backtest if one.model == MODEL}
    rates = {cutoff: rate for (cutoff, metric), rate in by.items() if metric == "churn_rate" and rate is not None}
    left = [rate * (by.get((cutoff, "clients")) or 0.0) for cutoff, rate in rates.items()]
    return len(left), sum(round(one) < FEWEST_LEAVERS for one in left)


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
        place: number if better == "up" else -number for place, number in enumerate(numbers) if not pd.isna(number)
    }
    return [place for place, one in worth.items() if one == max(worth.values())] if len(worth) > 1 else []


def _found(metrics: Metrics) -> tuple[float, float]:
    """Share of the leavers among the riskiest fifth, and how many times as many as by chance."""
    means = figures.metric_means(metrics.backtest)
    found, lift = (figures.mean_of(means, metric=name, model=MODEL) for name in ("found_top_20", "lift_top_20"))
    if pd.isna(found):
        found = figures.found_at(figures.gain_frame(metrics.gain), contacted=TOP_SHARE)
    return found, found / TOP_SHARE if pd.isna(lift) else lift


def _lift(lift: float, speech: Speech) -> str:
    rounded = round(lift, 1)
    return speech("gain.lift", lift=speech.number(rounded, digits=1)) if rounded > 1 else speech("gain.lift.weak")


def _last_total(last: Kept, speech: Speech) -> str:
    """Say what was predicted for all clients at the last test cutoff, and what came."""
    expected = last.expected if last.expected is not None else float("nan")
    return speech("intervals.headline.last", total=against(expected=expected, value=last.value, speech=speech))


def _totals_held(kept: Sequence[Kept], coverage: str, speech: Speech) -> list[str]:
    bounded = [(one.lower, one.value, one.upper) for one in kept if one.lower is not None and one.upper is not None]
    if not bounded:
        return []
    held = sum((low or 0.0) <= value <= (high or 0.0) for low, value, high in bounded)
    cutoffs = speech.number(len(bounded))
    return [speech("intervals.held", held=speech.number(held), cutoffs=cutoffs, coverage=coverage)]


def _verdict(one: Difference) -> str:
    """Whether the models are better by more than chance; of figures that are best low or near 0, less is better."""
    if one.difference is None or one.lower is None or one.upper is None:
        return "unknown"
    more = "better" if one.better == "higher" else "worse"
    less = "worse" if one.better == "higher" else "better"
    return more if one.lower > 0 else less if one.upper < 0 else "same"


def _difference(number: float, form: str, speech: Speech) -> str:
    if form in ("percent", "points"):
        return _with_sign(100 * number, speech.points(abs(100 * number), short=True))
    return _with_sign(number, speech.money(abs(number)) if form == "money" else speech.number(abs(number), digits=3))


def _compared(one: Difference | None, form: str, speech: Speech) -> str:
    """Write a difference, its interval, and what they say."""
    if one is None or one.difference is None:
        return NONE
    difference = _difference(one.difference, form, speech)
    if one.lower is None or one.upper is None:
        return difference
    ends = _difference_ends(one.lower, one.upper, form, speech)
    return f"{speech(f'comparison.{_verdict(one)}')}: {difference} ({ends})"


def _difference_ends(lower: float, upper: float, form: str, speech: Speech) -> str:
    if form != "money":
        return speech.span(_difference(lower, form, speech), _difference(upper, form, speech))
    low, high = (end.removeprefix(MINUS) for end in speech.money_ends(lower, upper))
    return speech.span(_with_sign(lower, low), _with_sign(upper, high))


def _with_sign(number: float, size: str) -> str:
    if is_nought(size):
        return size
    return f"{'+' if number > 0 else MINUS}{size}"


def _way(one: GroupFigure) -> str:
    """Whether risk was told too high (predicted above actual) or too low for a group, by more than chance."""
    if one.lower is None or one.upper is None:
        return "fine"
    return "high" if one.lower > 0 else "low" if one.upper < 0 else "fine"


def _group_name(one: GroupFigure, speech: Speech) -> str:
    way, group = f"grouping.{one.grouping}", f"group.{one.grouping}.{one.group}"
    grouping = speech(way) if speech.has(way) else sentence(shown(one.grouping, longest=40))
    return f"{grouping}: {speech(group) if speech.has(group) else shown(one.group, longest=40)}"


def _figure(by: dict[tuple[str, str, str], GroupFigure], one: GroupFigure, metric: str) -> float:
    found = by.get((one.grouping, one.group, metric))
    return float("nan") if found is None or found.value is None else found.value


def _points(one: GroupFigure, speech: Speech) -> str:
    error = signed(None if one.value is None else 100 * one.value, speech, digits=1)
    if one.lower is None or one.upper is None:
        return error
    return f"{error} ({signed_range(100 * one.lower, 100 * one.upper, speech)})"


def _day(written: str, speech: Speech) -> str:
    """Write a day as the language has it; what is no day, as it stands."""
    try:
        return speech.date(date.fromisoformat(written[:10]))
    except ValueError:
        return shown(written, longest=24) or NONE
