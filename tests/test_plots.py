"""Pictures of a backtest: drawn from the frames as they are, readable, and drawable by the renderer of the report."""

import json

import pandas as pd
import pytest
import vl_convert

from loyalty import plots
from loyalty.judging import calibration_frame, count_frame, coverage_frame, gain_frame, judge, value_frame
from loyalty.report.figures import COLOUR
from made_up_predictions import CUTOFFS, rows_of

MODELS = ["naive", "btyd", "lightgbm"]


@pytest.fixture(scope="module")
def predictions():
    parts = [rows_of(model, intervals=model == "lightgbm") for model in MODELS]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def charts(predictions):
    gain = gain_frame(predictions)
    return {
        "gain": plots.gain(gain),
        "lift": plots.lift(gain),
        "calibration": plots.calibration(calibration_frame(predictions), count_frame(predictions)),
        "value": plots.value_by_decile(value_frame(predictions, draws=20)),
        "coverage": plots.coverage(coverage_frame(predictions), nominal=0.9),
        "stability": plots.stability(judge(predictions, draws=20).by_cutoff(), metrics=["auc", "mae"]),
    }


def every(node, key):
    """All values under a key, wherever in the specification."""
    if isinstance(node, dict):
        yield from ([node[key]] if key in node else [])
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from every(part, key)


@pytest.mark.parametrize("name", ["gain", "lift", "calibration", "value", "coverage", "stability"])
def test_is_a_valid_chart_with_words(charts, name):
    spec = charts[name].to_dict()  # validated against the schema
    assert spec["title"]["text"]
    assert spec["title"]["subtitle"]
    titles = {axis.get("title") for channel in "xy" for axis in every(spec, channel) if isinstance(axis, dict)}
    assert len(titles - {None}) >= (1 if name == "stability" else 2)
    svg = vl_convert.vegalite_to_svg(json.dumps(spec))
    told = MODELS[2:] if name == "coverage" else MODELS
    assert all(f">{model}<" in svg for model in told)


def drawn(chart, **known):
    """The rows of all data of a chart that are as asked."""
    rows = [row for data in chart.to_dict()["datasets"].values() for row in data]
    return [row for row in rows if all(row.get(name) == value for name, value in known.items())]


def test_draws_what_the_frames_say(charts, predictions):
    frame = gain_frame(predictions).set_index(["model", "contacted"])
    (row,) = drawn(charts["gain"], model="lightgbm", contacted=0.2)
    assert row["found"] == pytest.approx(frame.loc[("lightgbm", 0.2), "found"])
    table = value_frame(predictions, draws=20).set_index(["model", "decile"])
    (row,) = drawn(charts["value"], model="btyd", decile=10)
    assert (row["predicted"], row["realised"]) == pytest.approx(
        tuple(table.loc[("btyd", 10), ["predicted", "realised"]])
    )
    assert {row["at"] for row in drawn(charts["stability"], metric="auc")} == {f"{at:%Y-%m-%d}" for at in CUTOFFS}
    assert drawn(charts["coverage"], coverage=0.9)  # what was promised


def test_lift_begins_where_it_is_more_than_luck(charts):
    assert min(row["contacted"] for row in drawn(charts["lift"], model="naive")) == 0.02


def test_a_model_has_one_colour_in_all_charts(charts):
    colours = {
        tuple(scale["range"])
        for chart in ("gain", "lift", "stability")
        for channel in every(charts[chart].to_dict(), "color")
        if isinstance(channel, dict) and (scale := channel.get("scale"))
    }
    assert colours == {("#78849a", "#d55e00", "#1c5ba6")}
    fills = set(every(charts["calibration"].to_dict(), "fill"))
    assert fills == {"#78849a", "#d55e00", "#1c5ba6"}


def test_the_ground_is_that_of_the_managers_page():
    ours = {"ink": plots.INK, "muted": plots.MUTED, "grid": plots.GRID, "axis": plots.AXIS, "chance": plots.CHANCE}
    assert ours == {role: COLOUR[role] for role in ours}
    assert plots.MODELS[0] == COLOUR["accent"]


@pytest.mark.parametrize(
    "draw",
    [
        lambda nothing: plots.gain(gain_frame(nothing)),
        lambda nothing: plots.lift(gain_frame(nothing)),
        lambda nothing: plots.calibration(calibration_frame(nothing), count_frame(nothing)),
        lambda nothing: plots.value_by_decile(value_frame(nothing, draws=2)),
        lambda nothing: plots.coverage(coverage_frame(nothing), nominal=0.9),
        lambda nothing: plots.stability(judge(nothing, draws=2).by_cutoff(), metrics=["auc"]),
    ],
)
def test_nothing_known_is_said(predictions, draw):
    with pytest.raises(ValueError, match=r"There is no .* to draw: .*no outcome is known"):
        draw(predictions.assign(churned=float("nan"), value=float("nan")))


def test_bad_wishes_are_refused(predictions):
    with pytest.raises(ValueError, match=r"`nominal` must lie between 0 and 1.*got 90"):
        plots.coverage(coverage_frame(predictions), nominal=90)
    with pytest.raises(ValueError, match=r"`metrics` must be among auc, .*got 'acu'"):
        plots.stability(judge(predictions, draws=2).by_cutoff(), metrics=["acu"])


def test_one_model_at_one_cutoff_is_enough():
    rows = rows_of("m", cutoffs=CUTOFFS[:1], clients=40)
    table = judge(rows, draws=5).by_cutoff()
    for chart in (plots.gain(gain_frame(rows)), plots.value_by_decile(value_frame(rows, draws=5))):
        assert vl_convert.vegalite_to_svg(chart.to_json())
    assert vl_convert.vegalite_to_svg(plots.stability(table, metrics=["auc"]).to_json())
