"""The tidy frames and the colours behind the figures of the managers' page."""

import re
from pathlib import Path

import pandas as pd
import pytest

from loyalty.report import clients, figures
from loyalty.report.run_folder import CalibrationBin, Driver, Gain, Measure
from report_fixture import make_run_folder
from report_page import NO_CURVES, page_of, rewrite_scores, unchanged_page_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run_folder(tmp_path_factory.mktemp("run"), clients=300)


def measure(model: str, cutoff: str, metric: str, value: float | None) -> Measure:
    return Measure.model_validate({"model": model, "cutoff": cutoff, "metric": metric, "value": value})


def test_metric_means_are_over_the_cutoffs_that_measured():
    means = figures.metric_means(
        [
            measure("btyd", "2024-01-01", "auc", 0.6),
            measure("btyd", "2024-04-01", "auc", None),
            measure("lightgbm", "2024-01-01", "auc", 0.7),
            measure("lightgbm", "2024-04-01", "auc", 0.8),
            measure("naive", "2024-01-01", "mae", 5.0),
        ]
    )
    assert list(means.columns) == ["btyd", "lightgbm", "naive"]
    assert figures.mean_of(means, metric="auc", model="btyd") == pytest.approx(0.6)
    assert figures.mean_of(means, metric="auc", model="lightgbm") == pytest.approx((0.7 + 0.8) / 2)
    assert pd.isna(figures.mean_of(means, metric="auc", model="naive"))
    assert pd.isna(figures.mean_of(means, metric="auc", model="absent"))


def test_gain_is_read_between_its_points():
    gain = figures.gain_frame(
        Gain(contacted=[0, 0.5, 1], found_mean=[0, 0.8, 1], found_low=[0, 0.7, 1], found_high=[0, 0.9, 1])
    )
    assert figures.found_at(gain, contacted=0.25) == pytest.approx(0.4)
    assert gain["by_chance"].tolist() == [0.0, 0.5, 1.0]
    assert pd.isna(figures.found_at(figures.gain_frame(None), contacted=0.2))


def test_segments_count_every_client_once():
    names = [
        "top clients, low risk",
        "중간 가치 고객(중위험)",
        "solid clients, medium risk",
        "small clients, high risk",
    ]
    scores = pd.DataFrame(
        {
            "segment": [names[0], names[0], names[1], names[2], names[3], names[3]],
            "churn_probability": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
            "value_at_risk": [60.0, 100.0, 120.0, 120.0, 0.0, float("nan")],
        }
    )
    frame = clients.segment_frame(scores).set_index(["tier", "level"])
    assert list(frame.index) == [(tier, level) for tier in (2, 1, 0) for level in (0, 1, 2)]
    assert frame.loc[frame["clients"] > 0, "clients"].to_dict() == {(2, 0): 2, (1, 1): 2, (0, 2): 2}
    assert frame.loc[(2, 0), "value_at_risk"] == pytest.approx(160.0)
    assert frame.loc[(2, 0), "churn_probability"] == pytest.approx(0.15)
    assert frame.loc[(1, 1), "share"] == pytest.approx(240 / 400)
    assert pd.isna(frame.loc[(2, 2), "churn_probability"])


def test_a_segment_that_is_none_is_refused(tmp_path):
    out = make_run_folder(tmp_path, clients=4, **NO_CURVES)
    rewrite_scores(out, segment="whales")
    with pytest.raises(ValueError, match=r"scores\.parquet: 'whales' is no segment .*\. Run `loyalty run` again"):
        page_of(out)


def test_loyalty_scores_at_a_border_count_above_it():
    bands = clients.loyalty_bands(pd.DataFrame({"loyalty_score": [0.0, 9.99, 10.0, 100.0, float("nan")]}))
    assert bands["low"].tolist() == list(range(90, -1, -10))
    assert bands["clients"].tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 1, 2]
    assert bands["share"].sum() == pytest.approx(1)


def test_drivers_go_by_effect_and_speak_the_language():
    drivers = [
        Driver(feature="a", effect_pp=2.0, mean_abs_shap=0.2, direction=-1, meaning_en="alpha", meaning_ko="알파"),
        Driver(feature="b", effect_pp=4.0, mean_abs_shap=0.1, direction=3),
        Driver(feature="c", mean_abs_shap=0.3),
    ]
    frame = figures.driver_frame(drivers, language="ko", meanings={"b": {"ko": "베타"}})
    assert frame["meaning"].tolist() == ["베타", "알파", "c"]
    assert frame["width"].tolist() == [1.0, 0.5, 0.0]
    assert frame["direction"].tolist() == [1, -1, 0]


def test_calibration_shows_what_chance_explains():
    bins = [
        CalibrationBin(predicted=0.6, observed=0.5, clients=300),
        CalibrationBin(predicted=0.1, observed=0.1, clients=100),
    ]
    frame = figures.calibration_frame([*bins, CalibrationBin(predicted=0.9, observed=0.0, clients=0)])
    assert frame["clients"].tolist() == [100, 300]
    # Wilson's interval of 10 in 100: centre (.1 + 1.9207 / 100) / (1 + 3.8415 / 100) = .11480, half width .05957.
    assert frame.loc[0, ["low", "high"]].tolist() == pytest.approx([0.05523, 0.17437], abs=1e-5)
    assert figures.calibration_error(frame) == pytest.approx((300 * 0.1 + 100 * 0.0) / 400)


def test_cutoffs_put_predictions_beside_what_happened():
    backtest = pd.DataFrame(
        {"cutoff": pd.to_datetime(["2024-01-01", "2024-01-01", "2024-04-01"]), "churn_probability": [0.2, 0.4, 0.5]}
    )
    measures = [measure("lightgbm", "2024-01-01", "churn_rate", 0.25), measure("btyd", "2024-04-01", "churn_rate", 0.9)]
    frame = figures.cutoff_frame(measures, backtest)
    assert frame["clients"].tolist() == [2, 1]
    assert frame["predicted"].tolist() == pytest.approx([0.3, 0.5])
    assert frame["observed"].tolist() == pytest.approx([0.25, float("nan")], nan_ok=True)


def test_top_clients_break_ties_by_risk_then_name():
    scores = pd.DataFrame(
        {
            "client_id": ["d", "c", "b", "a"],
            "churn_probability": [0.5, 0.5, 0.9, 0.1],
            "value_at_risk": [5.0, 5.0, 5.0, float("nan")],
        }
    )
    assert figures.top_clients(scores, count=3)["client_id"].tolist() == ["b", "c", "d"]
    assert figures.top_clients(scores[::-1])["client_id"].tolist() == ["b", "c", "d", "a"]


def luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("ground", [0, 1], ids=["light", "dark"])
def test_words_stand_out_from_their_ground(ground):
    def contrast(ink: str, paper: str) -> float:
        dark, light = sorted((luminance(figures.PALETTE[ink][ground]), luminance(figures.PALETTE[paper][ground])))
        return (light + 0.05) / (dark + 0.05)

    assert all(contrast(ink, paper) >= 4.5 for ink in ("ink", "muted", "accent") for paper in ("card", "page"))
    assert all(contrast("on_light", f"heat{step}") >= 4.5 for step in range(4))
    assert all(contrast("on_dark", f"heat{step}") >= 4.5 for step in (4, 5))
    assert all(contrast(mark, "card") >= 3 for mark in ("raises", "lowers", "neutral", "chance"))


def test_every_colour_in_a_drawing_has_one_for_dark_ground(folder):
    html = unchanged_page_of(folder)
    drawn = set(re.findall(r'(?:fill|stroke)="(#[0-9a-f]+)"', "".join(re.findall(r"<svg.*?</svg>", html, re.DOTALL))))
    assert drawn <= {figures.COLOUR[role] for role in figures.DRAWN}
    assert all(f'[stroke="{colour}"]' in html for colour in drawn)
