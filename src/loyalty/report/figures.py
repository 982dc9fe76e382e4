"""Figures of the managers' page: small pure functions give tidy frames, others draw them as static SVG.

Colours are written into the SVG as the light ones of `PALETTE`; the page's style sheet exchanges them by
attribute for CSS variables, so that one drawing reads well on light and on dark ground.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import vl_convert

from loyalty.evaluation import share_interval
from loyalty.report.run_folder import CalibrationBin, Driver, Gain, Measure
from loyalty.report.small_cells import merged_groups

TOP_SHARE = 0.2
HEAT_STEPS = 6

PALETTE: dict[str, tuple[str, str]] = {
    "page": ("#f5f7fb", "#0f141c"),
    "card": ("#ffffff", "#181f2a"),
    "edge": ("#dfe4ec", "#2b3544"),
    "ink": ("#16202e", "#e9eef6"),
    "muted": ("#566275", "#a5b1c2"),
    "grid": ("#e6eaf0", "#2a3443"),
    "axis": ("#a3aebc", "#5f6c7f"),
    "accent": ("#1c5ba6", "#7db2f3"),
    "band": ("#cbdaef", "#2a4568"),
    "chance": ("#78849a", "#94a2b6"),
    "raises": ("#b4500f", "#f09a5c"),
    "lowers": ("#10756a", "#4fc3b2"),
    "neutral": ("#657085", "#9aa6b8"),
    "heat0": ("#eff3fa", "#1c2532"),
    "heat1": ("#dfe7f3", "#21304a"),
    "heat2": ("#c8d5ea", "#274062"),
    "heat3": ("#a5bbdc", "#2f5380"),
    "heat4": ("#3a6fb0", "#7fb0ea"),
    "heat5": ("#0f3f7d", "#b3d3fb"),
    "on_light": ("#16202e", "#f2f6fc"),
    "on_dark": ("#ffffff", "#0b1420"),
}
"""Role of a colour → (on light ground, on dark ground)."""

COLOUR = {role: light for role, (light, _) in PALETTE.items()}
DRAWN = ("ink", "muted", "grid", "axis", "accent", "band", "chance", "card")
"""Roles that occur inside SVG drawings."""


# -- Tidy frames -----------------------------------------------------------------------------------------------------


#: Errors with a sign, whose mean over cutoffs would let them cancel.
SIGNED = ("mean_error", "total_error")


def metric_means(measures: Sequence[Measure]) -> pd.DataFrame:
    """Mean of every metric over the test cutoffs, one column per model; of signed errors the mean size.

    Parameters
    ----------
    measures : sequence of Measure
        Numbers by which models were judged.

    Returns
    -------
    DataFrame
        Indexed by `metric`; a column per model, in order of appearance; NaN
        where a model has no such number.

    Examples
    --------
    >>> from loyalty.report.run_folder import Measure
    >>> metric_means([
    ...     Measure(model="naive", cutoff="2024-01-01", metric="auc", value=0.5),
    ...     Measure(model="lightgbm", cutoff="2024-01-01", metric="auc", value=0.75),
    ...     Measure(model="lightgbm", cutoff="2024-04-01", metric="auc", value=0.25),
    ... ])
            naive  lightgbm
    metric
    auc       0.5       0.5
    """
    rows = pd.DataFrame(
        [(one.metric, one.model, np.nan if one.value is None else one.value) for one in measures],
        columns=["metric", "model", "value"],
    ).astype({"value": "float64"})
    rows["value"] = rows["value"].abs().where(rows["metric"].isin(SIGNED), rows["value"])
    table = rows.pivot_table(index="metric", columns="model", values="value", aggfunc="mean", sort=False)
    return table.reindex(columns=list(dict.fromkeys(rows["model"]))).rename_axis(columns=None)


def mean_of(means: pd.DataFrame, *, metric: str, model: str) -> float:
    """One number of `metric_means`.

    Parameters
    ----------
    means : DataFrame
        Result of `metric_means`.
    metric, model : str
        Row and column.

    Returns
    -------
    float
        NaN if it was not measured.
    """
    return float(means[model].get(metric, np.nan)) if model in means.columns else float("nan")


def gain_frame(gain: Gain | None) -> pd.DataFrame:
    """Gain curve, its band over the back-tests and the diagonal of chance.

    Parameters
    ----------
    gain : Gain or None
        The curve of a run; none gives an empty frame.

    Returns
    -------
    DataFrame
        Columns `contacted`, `found`, `low`, `high`, `by_chance`, all shares.
    """
    if gain is None:
        return pd.DataFrame(
            {name: pd.Series(dtype="float64") for name in ("contacted", "found", "low", "high", "by_chance")}
        )
    return pd.DataFrame(
        {
            "contacted": gain.contacted,
            "found": gain.found_mean,
            "low": gain.found_low,
            "high": gain.found_high,
            "by_chance": gain.contacted,
        }
    ).astype("float64")


def found_at(gain: pd.DataFrame, *, contacted: float) -> float:
    """Share of leavers found when a share of clients is contacted, riskiest first.

    Parameters
    ----------
    gain : DataFrame
        Result of `gain_frame`.
    contacted : float
        Share of clients contacted, 0 to 1.

    Returns
    -------
    float
        Straight-line reading between points; NaN without a curve.
    """
    return float(np.interp(contacted, gain["contacted"], gain["found"])) if len(gain) else float("nan")


def rows_of(frame: pd.DataFrame) -> list[Any]:
    """Rows as named tuples; their fields are the frame's columns, which no type can know."""
    return list(frame.itertuples())


def heat_step(value: float, *, largest: float) -> int:
    """Step of the heat scale, 0 (nothing) to ``HEAT_STEPS - 1`` (the largest).

    Parameters
    ----------
    value, largest : float
        A cell's number and the largest of all.

    Returns
    -------
    int
        Steps of equal width above nothing.

    Examples
    --------
    >>> [heat_step(value, largest=100.0) for value in (0.0, 1.0, 20.0, 21.0, 100.0)]
    [0, 1, 1, 2, 5]
    """
    if not (largest > 0 and value > 0):
        return 0
    return min(HEAT_STEPS - 1, max(1, int(np.ceil(round(value / largest * (HEAT_STEPS - 1), 9)))))


def driver_frame(
    drivers: Sequence[Driver], *, language: str, meanings: Mapping[str, Mapping[str, str]] | None = None
) -> pd.DataFrame:
    """Drivers by size of effect, named in words.

    Parameters
    ----------
    drivers : sequence of Driver
        Drivers of a run.
    language : {"en", "ko"}
        Language of the names.
    meanings : mapping, optional
        Feature name → language → noun phrase, for drivers that bring no words
        of their own. A feature unknown to both keeps its name.

    Returns
    -------
    DataFrame
        `feature`, `meaning`, `effect_pp` (percentage points), `mean_abs_shap`
        (log-odds), `direction` (1 raises, -1 lowers, 0 neither) and `width`,
        the bar's length as a share of the longest; largest first.
    """
    known = meanings or {}
    frame = pd.DataFrame(
        [
            (
                one.feature,
                (one.meaning_ko if language == "ko" else one.meaning_en)
                or known.get(one.feature, {}).get(language)
                or one.feature,
                np.nan if one.effect_pp is None else one.effect_pp,
                np.nan if one.mean_abs_shap is None else one.mean_abs_shap,
                int(np.sign(one.direction)),
            )
            for one in drivers
        ],
        columns=["feature", "meaning", "effect_pp", "mean_abs_shap", "direction"],
    ).astype({"effect_pp": "float64", "mean_abs_shap": "float64"})
    frame = frame.sort_values(["effect_pp", "mean_abs_shap"], ascending=False, kind="stable", ignore_index=True)
    largest = frame["effect_pp"].max()
    return frame.assign(width=(frame["effect_pp"] / largest).fillna(0.0) if largest > 0 else 0.0)


def calibration_frame(bins: Sequence[CalibrationBin], *, merged: bool = False) -> pd.DataFrame:
    """Predicted against observed churn, with the chance range of the observed.

    Parameters
    ----------
    bins : sequence of CalibrationBin
        Groups of clients of similar predicted risk.
    merged : bool, default=False
        Merge groups of fewer than ten clients with their neighbours.

    Returns
    -------
    DataFrame
        `predicted`, `observed`, `clients`, and `low`, `high`: the 95 %
        interval of the observed share, by `loyalty.evaluation.share_interval`.
    """
    frame = pd.DataFrame(
        [(one.predicted, one.observed, one.clients) for one in bins if one.clients > 0],
        columns=["predicted", "observed", "clients"],
    ).astype({"predicted": "float64", "observed": "float64", "clients": "int64"})
    if frame.empty:
        return frame.assign(low=frame["observed"], high=frame["observed"])
    frame = frame.sort_values("predicted", kind="stable", ignore_index=True)
    if merged:
        frame = pd.DataFrame([_merged(frame[group]) for group in merged_groups(frame["clients"].to_numpy())])
    low, high = share_interval((frame["observed"] * frame["clients"]).round(), frame["clients"])
    return frame.assign(low=low, high=high)


def _merged(groups: pd.DataFrame) -> dict[str, float]:
    shares = {name: float(np.average(groups[name], weights=groups["clients"])) for name in ("predicted", "observed")}
    return {**shares, "clients": int(groups["clients"].sum())}


def calibration_error(calibration: pd.DataFrame) -> float:
    """Mean distance of predicted from observed churn, weighted by clients.

    Parameters
    ----------
    calibration : DataFrame
        Result of `calibration_frame`.

    Returns
    -------
    float
        A share; NaN without bins.
    """
    if calibration.empty:
        return float("nan")
    distance = (calibration["predicted"] - calibration["observed"]).abs()
    return float(np.average(distance, weights=calibration["clients"]))


def cutoff_frame(measures: Sequence[Measure], backtest: pd.DataFrame, *, model: str = "lightgbm") -> pd.DataFrame:
    """How one model did at each test cutoff.

    Parameters
    ----------
    measures : sequence of Measure
        Numbers by which models were judged.
    backtest : DataFrame
        Predictions: `cutoff`, `churn_probability`.
    model : str, default="lightgbm"
        The model to show.

    Returns
    -------
    DataFrame
        Indexed by `cutoff`: `clients` and `predicted` (mean probability) from
        the predictions; `observed` churn rate, `auc` and `found_top_20` from
        the measures, NaN where not measured.
    """
    cutoffs = pd.to_datetime(backtest["cutoff"]).astype("datetime64[us]")
    by_cutoff = backtest.groupby(cutoffs)["churn_probability"]
    frame = pd.DataFrame({"clients": by_cutoff.size(), "predicted": by_cutoff.mean()})
    for column, metric in (("observed", "churn_rate"), ("auc", "auc"), ("found_top_20", "found_top_20")):
        measured = {
            pd.Timestamp(one.cutoff): one.value for one in measures if (one.model, one.metric) == (model, metric)
        }
        frame[column] = [np.nan if (value := measured.get(cutoff)) is None else value for cutoff in frame.index]
    return frame.astype(dict.fromkeys(("predicted", "observed", "auc", "found_top_20"), "float64"))


def top_clients(scores: pd.DataFrame, *, count: int = 20) -> pd.DataFrame:
    """Clients with the most value at risk.

    Parameters
    ----------
    scores : DataFrame
        `client_id`, `churn_probability`, `value_at_risk` per client.
    count : int, default=20
        How many to return at most.

    Returns
    -------
    DataFrame
        Rows of `scores`, most value at risk first; ties go to the riskier
        client, then by `client_id`.
    """
    order = pd.DataFrame(
        {
            "value_at_risk": -scores["value_at_risk"].fillna(0.0),
            "churn_probability": -scores["churn_probability"],
            "client_id": scores["client_id"].astype(str),
        }
    ).sort_values(["value_at_risk", "churn_probability", "client_id"], kind="stable")
    return scores.loc[order.index[:count]].reset_index(drop=True)


# -- Drawings --------------------------------------------------------------------------------------------------------


def draw_gain(
    gain: pd.DataFrame, *, found: float, labels: Mapping[str, str], name: str, width: int, height: int
) -> str:
    """Draw the gain curve as SVG.

    Parameters
    ----------
    gain : DataFrame
        Result of `gain_frame`.
    found : float
        Share of leavers among the riskiest 20 %, the marked point.
    labels : mapping
        Words: `x`, `y`, `model`, `chance`, `mark`.
    name : str
        Prefix of the ids, unique on the page.
    width, height : int
        Size of the plot without its axes, in pixels.

    Returns
    -------
    str
        One ``<svg>`` element.
    """
    x = alt.X("contacted:Q", axis=_axis(labels["x"]), scale=alt.Scale(domain=[0, 1]))
    y, low, high, by_chance = (
        alt.Y(f"{name}:Q", axis=_axis(labels["y"], extent=38), scale=alt.Scale(domain=[0, 1]))
        for name in ("found", "low", "high", "by_chance")
    )
    base = alt.Chart(gain)
    ceiling = gain.assign(found=gain["high"])
    mark = pd.DataFrame({
        "contacted": [TOP_SHARE], "found": [found], "high": [max(found, found_at(ceiling, contacted=TOP_SHARE))],
        "text": [labels["mark"]],
    })  # fmt: skip
    names = pd.DataFrame({
        "contacted": [0.45, 0.62], "found": [found_at(ceiling, contacted=0.45), 0.62],
        "text": [labels["model"], labels["chance"]],
    })  # fmt: skip
    point = alt.Chart(mark)
    # The marked number stands above the curve while there is room, and right of it once the curve climbs steeply.
    beside: dict[str, Any] = (
        {"align": "left", "dx": 11, "dy": 8} if found >= 0.6 else {"align": "right", "dx": -5, "dy": -8}
    )
    above = alt.Chart(names.iloc[:1]).mark_text(align="right", dx=-4, dy=-8, fontSize=12, color=COLOUR["muted"])
    below = alt.Chart(names.iloc[1:]).mark_text(align="left", dx=4, dy=14, fontSize=12, color=COLOUR["muted"])
    chart = alt.layer(
        base.mark_area(color=COLOUR["band"], interpolate="linear").encode(x=x, y=low, y2="high:Q"),
        base.mark_line(color=COLOUR["chance"], strokeDash=[5, 4], strokeWidth=1.5).encode(x=x, y=by_chance),
        base.mark_line(color=COLOUR["accent"], strokeWidth=2.5).encode(x=x, y=y),
        alt.Chart(mark).mark_rule(color=COLOUR["accent"], strokeDash=[2, 3]).encode(x=x, y=y, y2=alt.datum(0)),
        above.encode(x=x, y=y, text="text:N"),
        below.encode(x=x, y=y, text="text:N"),
        point.mark_point(
            color=COLOUR["accent"], fill=COLOUR["accent"], stroke=COLOUR["card"], size=110, opacity=1
        ).encode(x=x, y=y),
        point.mark_text(**beside, fontSize=16, fontWeight="bold", color=COLOUR["accent"]).encode(
            x=x, y=y if found >= 0.6 else high, text="text:N"
        ),
    )
    return _svg(chart, name=name, width=width, height=height)


def draw_calibration(
    calibration: pd.DataFrame, *, labels: Mapping[str, str], name: str, width: int, height: int
) -> str:
    """Draw observed against predicted churn as SVG, points as large as their clients.

    Parameters
    ----------
    calibration : DataFrame
        Result of `calibration_frame`.
    labels : mapping
        Words: `x`, `y`, `ideal`.
    name : str
        Prefix of the ids, unique on the page.
    width, height : int
        Size of the plot without its axes, in pixels.

    Returns
    -------
    str
        One ``<svg>`` element.
    """
    top = min(1.0, np.ceil(float(calibration[["predicted", "high"]].to_numpy().max()) * 10) / 10)
    scale = alt.Scale(domain=[0, top], nice=False)
    x = alt.X("predicted:Q", axis=_axis(labels["x"]), scale=scale)
    y, low = (alt.Y(f"{name}:Q", axis=_axis(labels["y"], extent=38), scale=scale) for name in ("observed", "low"))
    line = pd.DataFrame({"predicted": [0.0, top], "observed": [0.0, top]})
    ideal = pd.DataFrame({"predicted": [top * 0.8], "observed": [top * 0.8], "text": [labels["ideal"]]})
    base = alt.Chart(calibration)
    size = alt.Size(
        "clients:Q", scale=alt.Scale(domain=[0, int(calibration["clients"].max())], range=[12, 190]), legend=None
    )
    chart = alt.layer(
        alt.Chart(line).mark_line(color=COLOUR["chance"], strokeDash=[5, 4], strokeWidth=1.5).encode(x=x, y=y),
        base.mark_rule(color=COLOUR["accent"], strokeWidth=1.5, opacity=0.55).encode(x=x, y=low, y2="high:Q"),
        base.mark_line(color=COLOUR["accent"], strokeWidth=2).encode(x=x, y=y),
        base.mark_point(fill=COLOUR["accent"], stroke=COLOUR["card"], opacity=1).encode(x=x, y=y, size=size),
        alt.Chart(ideal)
        .mark_text(align="left", dx=4, dy=18, fontSize=12, color=COLOUR["muted"])
        .encode(x=x, y=y, text="text:N"),
    )
    return _svg(chart, name=name, width=width, height=height)


def _axis(title: str, *, extent: int = 20) -> alt.Axis:
    """Axis of shares; its fixed extent keeps the layout free of the fonts installed where the page is made."""
    return alt.Axis(
        title=title,
        format=".0%",
        tickCount=5,
        ticks=False,
        labelPadding=6,
        labelFlush=False,
        labelFontSize=12,
        titleFontSize=12,
        titleFontWeight="normal",
        titlePadding=6,
        minExtent=extent,
        maxExtent=extent,
        labelColor=COLOUR["muted"],
        titleColor=COLOUR["muted"],
        gridColor=COLOUR["grid"],
        domainColor=COLOUR["axis"],
        labelOverlap=False,
    )


def _svg(chart: alt.LayerChart | alt.FacetChart, *, name: str, width: int, height: int) -> str:
    spec = chart.properties(
        width=width,
        height=height,
        autosize=alt.AutoSizeParams(type="none"),
        padding={"left": 62, "right": 22, "top": 10, "bottom": 46},
    ).configure(background="transparent", aria=False, view=alt.ViewConfig(stroke=None))
    return tidy_svg(vl_convert.vegalite_to_svg(spec.to_dict(validate=False)), name=name)


def tidy_svg(svg: str, *, name: str) -> str:
    """Make a drawing fit to stand in a page beside others.

    Parameters
    ----------
    svg : str
        One ``<svg>`` element.
    name : str
        Prefix of the ids.

    Returns
    -------
    str
        The element with ids renumbered under `name`, without namespaces,
        fonts (the page's are inherited), roles (the figure around it has its
        own) and invisible paths.

    Examples
    --------
    >>> tidy_svg('<svg xmlns="x"><g clip-path="url(#clip7)"/><clipPath id="clip7"/></svg>', name="gain")
    '<svg aria-hidden="true" focusable="false"><g clip-path="url(#gain-1)"/><clipPath id="gain-1"/></svg>'
    """
    svg = re.sub(r'\s(?:xmlns(?::xlink)?|version|class|role|aria-[a-z]+|font-family|pointer-events)="[^"]*"', "", svg)
    svg = re.sub(r'<path(?: stroke="[^"]*")? d="[^"]*"(?: display="none")?/>(?=<)', _keep_visible, svg)
    svg = re.sub(r"(\d+\.\d{2})\d+", r"\1", svg)
    number = itertools.count(1)
    for old in dict.fromkeys(re.findall(r'\bid="([^"]+)"', svg)):
        new = f"{name}-{next(number)}"
        svg = svg.replace(f'id="{old}"', f'id="{new}"').replace(f"url(#{old})", f"url(#{new})")
    return svg.replace("<svg", '<svg aria-hidden="true" focusable="false"', 1)


def _keep_visible(path: re.Match[str]) -> str:
    """Drop a path that Vega writes for the pointer alone: hidden, or of no extent."""
    return "" if 'display="none"' in path[0] or 'd="M0,0h0v0h0Z"' in path[0] or 'd=""' in path[0] else path[0]
