"""The model card: what it says, for whom it warns, and that text of the data stays text."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from loyalty.cli import app
from loyalty.report import write_card
from loyalty.report.card import render_card
from loyalty.report.run_folder import Metrics

BASE = {
    "question": "Who leaves?",
    "horizon_days": 90,
    "active_days": 365,
    "score_cutoff": "2026-01-01",
    "test_cutoffs": ["2025-10-01"],
    "backtest": [
        {"model": "lightgbm", "cutoff": "2025-10-01", "metric": "auc", "value": 0.8, "lower": 0.75, "upper": 0.85},
        {"model": "lightgbm", "cutoff": "2025-10-01", "metric": "total_error", "value": 0.12},
        {"model": "naive", "cutoff": "2025-10-01", "metric": "auc", "value": 0.7},
    ],
    "comparison": [
        {"baseline": "naive", "metric": "auc", "cutoff": None, "better": "higher",
         "difference": 0.1, "lower": 0.05, "upper": 0.15},
        {"baseline": "naive", "metric": "auc", "cutoff": "2025-10-01", "better": "higher",
         "difference": 0.3, "lower": None, "upper": None},
    ],
}  # fmt: skip


def group(way: str, name: str, metric: str, value: float, *bounds: float) -> dict[str, object]:
    lower, upper = bounds or (None, None)
    return {"grouping": way, "group": name, "metric": metric, "value": value, "lower": lower, "upper": upper}


def card(**more: object) -> str:
    return render_card(Metrics.model_validate({**BASE, **more}))


def test_figures_stand_with_their_intervals_and_the_mean_difference_alone() -> None:
    told = card()
    assert "| 2025-10-01 | lightgbm | 0.800 (0.750, 0.850) |" in told
    assert "| naive | auc | higher | 0.100 (0.050, 0.150) |" in told
    assert "0.300" not in told
    assert "off by +12% to +12%" in told
    assert "what happened will be known on 2026-04-01" in told


def test_groups_whose_risk_is_off_are_named() -> None:
    rows = [
        group("region", "north", "clients", 100),
        group("region", "north", "mean_error", 0.06, 0.01, 0.11),
        group("region", "south", "clients", 90),
        group("region", "south", "mean_error", 0.02, -0.02, 0.05),
        group("region", "south", "leavers_contacted", 0.4, 0.3, 0.5),
    ]
    told = card(groups=rows)
    assert "in 1 of 2 groups, where chance alone would make it one in twenty: region = north (0.060)." in told
    assert "| south | 90 | – | 0.40 (0.30, 0.50) | – |" in told


def test_a_run_without_chosen_attributes_says_how_to_choose_them() -> None:
    assert '[card] attributes = ["region"]' in card(groups=[group("history", "little", "clients", 30)])


def test_the_share_of_clients_little_is_known_of_is_a_limit() -> None:
    rows = [group("history", "enough", "clients", 70), group("history", "little", "clients", 30)]
    assert "Of 30% of the predictions at the test cutoffs so little was known" in card(groups=rows)


@pytest.mark.parametrize(
    ("kind", "again"),
    [("non-contractual", "bought again within the year"), ("contractual", "had a contract again a year later")],
)
def test_how_many_come_back_stands_beside_the_label(kind: str, again: str) -> None:
    told = card(kind=kind, came_back={"since": "2024-12-01", "left": 1234, "share": 0.456})
    assert f"\n- Of 1,234 who left in this sense from 2024-12-01 to 2025-02-28, 46% {again}.\n- Scored at" in told
    assert again not in card(kind=kind)


def test_what_rounds_to_0_has_no_sign() -> None:
    judged = {"model": "lightgbm", "cutoff": "2025-10-01"}
    told = card(
        backtest=[
            judged | {"metric": "mean_error", "value": -0.0002, "lower": -0.0123, "upper": 0.0119},
            judged | {"metric": "total_error", "value": -0.0003},
        ],
        comparison=[BASE["comparison"][0] | {"difference": -0.0001, "lower": -0.0004, "upper": 0.0004}],  # type: ignore[index]
    )
    assert "0.000 (−0.012, 0.012)" in told
    assert "| naive | auc | higher | 0.000 (0.000, 0.000) |" in told
    assert "off by 0% to 0%." in told
    assert "−0.000" not in told


def test_nothing_judged_is_said() -> None:
    assert "the models are not judged" in card(backtest=[], comparison=[])


@pytest.mark.parametrize(
    "hostile",
    [
        "<img src=x onerror=alert(1)>",
        "a|b",
        "[x](https://evil.example)",
        "`code`",
        "**bold**",
        "$\\evil$",
        "www.evil.example",
    ],
)
def test_text_of_the_data_stays_text(hostile: str) -> None:
    told = card(question=hostile, groups=[group("town", hostile, "clients", 60)], notes=[hostile])
    assert hostile not in told
    for row in (line for line in told.splitlines() if line.startswith("| ") and "60" in line):
        assert row.replace("\\|", "").count("|") in (6, 10)  # as many cells as the heads have


def test_the_command_writes_it_and_refuses_another_folder(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps(BASE), encoding="utf-8")
    done = CliRunner().invoke(app, ["card", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "model_card.md").read_text(encoding="utf-8").startswith("# Model card: Who leaves?\n")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(FileNotFoundError, match=r"lacks metrics\.json"):
        write_card(empty)
