"""Pictures of a backtest for a data scientist, drawn by Altair from the tidy frames of `loyalty.judging`.

Each function takes a frame and returns a chart, which a notebook shows as it is and ``chart.save("gain.svg")`` writes.
`loyalty.Backtest` has a method for each: ``result.plot_gain()``.

Models are told apart by colours that are safe for the colour-blind, and by dashes where there are lines. The last model
of a frame, which a backtest puts its own in, has the first colour.
"""

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

__all__ = ["calibration", "coverage", "gain", "lift", "stability", "value_by_decile"]

Chart = alt.LayerChart | alt.FacetChart | alt.HConcatChart

#: The light colours of the managers' page.
INK, MUTED, GRID, AXIS, CHANCE = "#16202e", "#566275", "#e6eaf0", "#a3aebc", "#78849a"
MODELS = ("#1c5ba6", "#d55e00", "#78849a", "#009e73", "#cc79a7", "#a88500")
DASHES = ([1, 0], [7, 3], [2, 2], [9, 3, 2, 3], [12, 4], [4, 4])
SMALL, WIDE, HIGH = 210, 420, 300

#: Names of figures as they are written on an axis.
TITLES = {
    "auc": "AUC",
    "log_loss": "log loss",
    "brier": "Brier score",
    "mean_error": "mean error of probability",
    "churn_rate": "churn rate",
    "lift_top_20": "lift, top 20%",
    "found_top_20": "found, top 20%",
    "mae": "MAE of spend",
    "spearman": "Spearman, spend",
    "gini": "Gini, spend",
    "decile_mape": "error of tenths",
    "total_error": "error of total spend",
    "coverage": "coverage",
    "interval_width": "width of intervals",
}


def gain(frame: pd.DataFrame) -> Chart:
    """Draw the share of leavers found against the share of clients contacted.

    Parameters
    ----------
    frame : DataFrame
        Result of `loyalty.judging.gain_frame`.

    Returns
    -------
    altair.Chart
        A line per model, the mean over cutoffs, on a band from the lowest to the highest of them; dashed, what chance
        finds; dotted, what a perfect order finds.

    Raises
    ------
    ValueError
        If the frame is empty: nobody left, or no outcome is known.
    """
    _known(frame, "order of leavers", also="nobody left, or ")
    x = alt.X("contacted:Q", title="share of clients contacted, riskiest first", axis=_shares(), scale=_unit())
    y = alt.Y("found:Q", title="share of leavers found", axis=_shares(), scale=_unit())
    bounds = frame[frame["model"] == frame["model"].iloc[-1]][["contacted", "best"]].assign(
        by_chance=lambda t: t["contacted"]
    )
    chance = alt.Chart(bounds).mark_line(color=CHANCE, strokeDash=[5, 4], strokeWidth=1.2)
    perfect = alt.Chart(bounds).mark_line(color=CHANCE, strokeDash=[1, 3], strokeWidth=1.5)
    named = pd.DataFrame({"contacted": [0.74, 0.25], "found": [0.66, 0.97], "text": ["chance", "perfect order"]})
    words = alt.Chart(named).mark_text(color=MUTED, fontSize=11, align="left").encode(x, y, text="text:N")
    layers = [*_curves(frame, x, y, low="lowest", high="highest"), chance.encode(x, y=_as(y, "by_chance"))]
    return _finish(
        alt.layer(*layers, perfect.encode(x, y=_as(y, "best")), words).properties(width=WIDE, height=HIGH),
        "Gain: how many leavers are among the riskiest clients",
        "the higher above chance, the better; lines are means over cutoffs, bands go from the lowest to the highest",
    )


def lift(frame: pd.DataFrame) -> Chart:
    """Draw how many times more leavers than by chance are found among the riskiest clients.

    Parameters
    ----------
    frame : DataFrame
        Result of `loyalty.judging.gain_frame`.

    Returns
    -------
    altair.Chart
        As `gain`, from 2 % of the clients on: the lift of fewer is mostly luck.

    Raises
    ------
    ValueError
        If the frame is empty.
    """
    _known(frame, "order of leavers", also="nobody left, or ")
    frame = frame[frame["contacted"] >= 0.02]
    x = alt.X("contacted:Q", title="share of clients contacted, riskiest first", axis=_shares(), scale=_unit())
    y = alt.Y("lift:Q", title="leavers found over those found by chance", scale=alt.Scale(zero=False))
    one = alt.Chart(pd.DataFrame({"lift": [1.0]})).mark_rule(color=CHANCE, strokeDash=[5, 4], strokeWidth=1.2)
    layers = [one.encode(y), *_curves(frame, x, y, low="lift_lowest", high="lift_highest")]
    return _finish(
        alt.layer(*layers).properties(width=WIDE, height=HIGH),
        "Lift: how many times more leavers than by chance",
        "1 is chance; lines are means over cutoffs, bands go from the lowest to the highest",
    )


def calibration(frame: pd.DataFrame, counts: pd.DataFrame) -> Chart:
    """Draw the share that left against the predicted probability, and below how many clients got which probability.

    Parameters
    ----------
    frame : DataFrame
        Result of `loyalty.judging.calibration_frame`.
    counts : DataFrame
        Result of `loyalty.judging.count_frame`.

    Returns
    -------
    altair.Chart
        A column per model: points as large as their group, with 95 % intervals, beside the diagonal.

    Raises
    ------
    ValueError
        If a frame is empty: no outcome is known.
    """
    _known(frame, "calibration")
    tallest = float(counts["clients"].max())
    above: list[alt.LayerChart | alt.FacetChart] = []
    under: list[alt.Chart] = []
    for number, model in enumerate(models := _models(frame)):
        colour, first = _colour(models, model), number == 0
        rows, bars = frame[frame["model"] == model], counts[counts["model"] == model]
        x = alt.X("predicted:Q", title=None, axis=_shares(labels=False), scale=_unit())
        y = alt.Y("observed:Q", title="share that left" if first else None, axis=_shares(labels=first), scale=_unit())
        size = alt.Size("clients:Q", scale=alt.Scale(domainMin=0, rangeMin=5, rangeMax=90), legend=None)
        line = pd.DataFrame({"predicted": [0.0, 1.0], "observed": [0.0, 1.0]})
        points = alt.layer(
            alt.Chart(line).mark_line(color=CHANCE, strokeDash=[5, 4], strokeWidth=1.2).encode(x, y),
            alt.Chart(rows).mark_rule(color=colour, strokeWidth=1.5).encode(x, y=_as(y, "lower"), y2="upper:Q"),
            alt.Chart(rows).mark_point(fill=colour, strokeWidth=0, opacity=1).encode(x, y, size=size),
        ).properties(width=SMALL, height=SMALL, title=_name(model))
        beneath = alt.X("from:Q", title="predicted probability of leaving", axis=_shares(), scale=_unit())
        count = alt.Y(
            "clients:Q",
            title="clients" if first else None,
            axis=alt.Axis(labels=first, tickCount=3, labelFlush=True),
            scale=alt.Scale(domain=[0, tallest]),
        )
        bar = alt.Chart(bars).mark_bar(color=colour, opacity=0.75, binSpacing=1)
        histogram = bar.encode(beneath, x2="to:Q", y=count, y2=alt.datum(0)).properties(width=SMALL, height=60)
        above.append(points)
        under.append(histogram)
    return _finish(
        alt.concat(*above, *under, columns=len(above), spacing={"row": 14, "column": 24}, bounds="flush"),
        "Calibration: do as many leave as were expected?",
        "points on the diagonal: yes; above it more left than expected; below, how many clients got which probability",
    )


def value_by_decile(frame: pd.DataFrame) -> Chart:
    """Draw real spend beside predicted spend, from the tenth of clients with the lowest prediction to the highest.

    Parameters
    ----------
    frame : DataFrame
        Result of `loyalty.judging.value_frame`.

    Returns
    -------
    altair.Chart
        A column per model: points with intervals are what was spent, bars what was predicted; the axis of money is
        drawn by square roots, so that the low tenths can be seen beside the highest.

    Raises
    ------
    ValueError
        If the frame is empty: no outcome is known.
    """
    _known(frame, "spend")
    most = max(float(frame["upper"].max()), float(frame["predicted"].max()))
    money = alt.Scale(type="sqrt", domain=[min(0.0, float(frame["lower"].min())), most], nice=True)
    columns = []
    for number, model in enumerate(models := _models(frame)):
        colour, title = _colour(models, model), None if number else "mean spend of a client in the horizon"
        rows = alt.Chart(frame[frame["model"] == model])
        x = alt.X("decile:O", title="tenth by predicted spend", axis=alt.Axis(labelAngle=0), scale=_tenths())
        y = alt.Y(
            "realised:Q", title=title, scale=money, axis=alt.Axis(labels=not number, tickCount=6, labelFlush=True)
        )
        columns.append(
            alt.layer(
                rows.mark_bar(color=colour, opacity=0.3).encode(x, y=_as(y, "predicted")),
                rows.mark_rule(color=INK, strokeWidth=1.5).encode(x, y=_as(y, "lower"), y2="upper:Q"),
                rows.mark_point(fill=INK, strokeWidth=0, opacity=1, size=40).encode(x, y),
            ).properties(width=SMALL, height=HIGH - 40, title=_name(model))
        )
    return _finish(
        alt.hconcat(*columns, spacing=24, bounds="flush"),
        "Value by tenth: what was predicted (bars) and what was spent (points)",
        "points at the top of their bars: the level is right; rising: the order is right; the axis shows square roots",
    )


def coverage(frame: pd.DataFrame, *, nominal: float) -> Chart:
    """Draw how often spend lay within its interval, by tenth of the predicted spend, beside what was promised.

    Parameters
    ----------
    frame : DataFrame
        Result of `loyalty.judging.coverage_frame`.
    nominal : float
        The share that the intervals promise, such as 0.9.

    Returns
    -------
    altair.Chart
        A column per model that has intervals.

    Raises
    ------
    ValueError
        If the frame is empty, or `nominal` not between 0 and 1.
    """
    if not 0 < nominal < 1:
        raise ValueError(f"`nominal` must lie between 0 and 1, such as 0.9; got {nominal!r}.")
    _known(frame, "coverage", also="no model has `value_lower` and `value_upper`, or ")
    lowest = min(float(frame["lower"].min()), nominal)
    scale = alt.Scale(domain=[max(0.0, lowest - 0.05), 1.0], nice=False)
    columns = []
    for number, model in enumerate(models := _models(frame)):
        rows = alt.Chart(frame[frame["model"] == model])
        x = alt.X("decile:O", title="tenth by predicted spend", axis=alt.Axis(labelAngle=0), scale=_tenths())
        title = None if number else "share of clients within their interval"
        y = alt.Y("coverage:Q", title=title, axis=_shares(labels=not number), scale=scale)
        rule = alt.Chart(pd.DataFrame({"coverage": [nominal]})).mark_rule(color=CHANCE, strokeDash=[5, 4])
        columns.append(
            alt.layer(
                rule.encode(y),
                rows.mark_rule(color=_colour(models, model), strokeWidth=1.5).encode(
                    x, y=_as(y, "lower"), y2="upper:Q"
                ),
                rows.mark_point(fill=_colour(models, model), strokeWidth=0, opacity=1, size=60).encode(x, y),
            ).properties(width=SMALL if len(models) > 1 else WIDE, height=SMALL, title=_name(model))
        )
    return _finish(
        alt.hconcat(*columns, spacing=24, bounds="flush"),
        f"Coverage: does the spend of {nominal:.0%} of clients lie within their interval?",
        "dashed, what was promised; below it the intervals are too narrow, above it too wide",
    )


def stability(frame: pd.DataFrame, *, metrics: Sequence[str]) -> Chart:
    """Draw how figures move from cutoff to cutoff.

    Parameters
    ----------
    frame : DataFrame
        The `metrics` of a backtest.
    metrics : sequence of str
        Which to draw, each in a panel of its own.

    Returns
    -------
    altair.Chart
        Points with intervals, joined by lines, the models side by side.

    Raises
    ------
    ValueError
        If none of the metrics is in the frame, or one is unknown.
    """
    if unknown := [name for name in metrics if name not in TITLES]:
        raise ValueError(f"`metrics` must be among {', '.join(TITLES)}; got {unknown[0]!r}.")
    rows = frame[frame["metric"].isin(list(metrics))].dropna(subset="value")
    _known(rows, " and no ".join(metrics), also="no model has such a figure, or ")
    models = _models(rows)
    rows = rows.assign(at=rows["cutoff"].dt.strftime("%Y-%m-%d"), called=rows["metric"].map(TITLES))
    x = alt.X("at:O", title="cutoff", axis=alt.Axis(labelAngle=-40), scale=alt.Scale(padding=0.3))
    beside = alt.XOffset("model:N", sort=models, scale=alt.Scale(domain=models, paddingInner=0.6, paddingOuter=0.6))
    y = alt.Y("value:Q", title=None, scale=alt.Scale(zero=False, padding=8), axis=alt.Axis(tickCount=5))
    panels = []
    for name in metrics:
        base = alt.Chart(rows[rows["metric"] == name])
        panels.append(
            alt.layer(
                base.mark_line(strokeWidth=1, opacity=0.5).encode(x, y, beside, _hue(models), _dash(models)),
                base.mark_rule(strokeWidth=1.5).encode(x, beside, _hue(models), y=_as(y, "lower"), y2="upper:Q"),
                base.mark_point(filled=True, opacity=1, size=45).encode(x, y, beside, _hue(models)),
            ).properties(width=SMALL, height=150, title=_name(TITLES[name]))
        )
    return _finish(
        alt.concat(*panels, columns=3, spacing=18),
        "Stability: is a model as good at every cutoff?",
        "figures with 95% intervals over clients drawn with replacement",
    )


def _known(frame: pd.DataFrame, what: str, *, also: str = "") -> None:
    if frame.empty:
        raise ValueError(f"There is no {what} to draw: {also}no outcome is known at the cutoffs of this backtest.")


def _curves(frame: pd.DataFrame, x: alt.X, y: alt.Y, *, low: str, high: str) -> list[alt.Chart]:
    """Draw a line per model upon a band."""
    models = _models(frame)
    base = alt.Chart(frame)
    band = base.mark_area(opacity=0.15).encode(x, _hue(models), y=_as(y, low), y2=f"{high}:Q")
    return [band, base.mark_line(strokeWidth=2).encode(x, y, _hue(models), _dash(models))]


def _as(channel: alt.Y, field: str) -> alt.Y:
    """Use an axis for another column."""
    other: alt.Y = channel.copy()
    other.shorthand = f"{field}:Q"
    return other


def _models(frame: pd.DataFrame) -> list[str]:
    return [str(model) for model in frame["model"].unique()]


def _colour(models: Sequence[str], model: str) -> str:
    return MODELS[(len(models) - 1 - models.index(model)) % len(MODELS)]


def _hue(models: Sequence[str]) -> alt.Color:
    scale = alt.Scale(domain=list(models), range=[_colour(models, model) for model in models])
    return alt.Color("model:N", scale=scale, sort=list(models), title=None)


def _dash(models: Sequence[str]) -> alt.StrokeDash:
    dashes = [DASHES[(len(models) - 1 - number) % len(DASHES)] for number in range(len(models))]
    return alt.StrokeDash("model:N", scale=alt.Scale(domain=list(models), range=dashes), sort=list(models), title=None)


def _unit() -> alt.Scale:
    return alt.Scale(domain=[0, 1], nice=False)


def _tenths() -> alt.Scale:
    return alt.Scale(domain=list(range(1, 11)), paddingInner=0.25)


def _shares(*, labels: bool = True) -> alt.Axis:
    return alt.Axis(format=".0%", tickCount=5, labels=labels, labelFlush=True)


def _name(text: str) -> alt.TitleParams:
    return alt.TitleParams(text, fontSize=12, fontWeight="normal", color=INK, anchor="middle")


def _finish(chart: Any, title: str, subtitle: str) -> Any:
    """Say what there is to see, and dress the chart."""
    words = alt.TitleParams(
        title,
        subtitle=subtitle,
        anchor="start",
        color=INK,
        subtitleColor=MUTED,
        fontSize=15,
        subtitleFontSize=12,
        offset=14,
    )
    axis = alt.AxisConfig(
        gridColor=GRID, domainColor=AXIS, tickColor=AXIS, labelColor=MUTED, titleColor=MUTED, titleFontWeight="normal"
    )
    legend = alt.LegendConfig(
        labelColor=INK, labelFontSize=12, symbolType="stroke", symbolOpacity=1, symbolSize=500, symbolStrokeWidth=2.5
    )
    return chart.properties(title=words).configure(
        background="white", axis=axis, legend=legend, view=alt.ViewConfig(stroke=None)
    )
