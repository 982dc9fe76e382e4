"""Panels in files: the rows of `build_panel`, taken up where a build was interrupted, whole or not there."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal

from loyalty.datasets import synthetic_tables
from loyalty.features import build_panel, choose_features, measure_market, read_panel, write_panel, writing
from loyalty.features import panel as engine
from loyalty.histories import Histories

ASKED = {"cutoffs": ["2024-12-01", "2025-06-01"], "horizon": "60d", "active": "300d"}


@pytest.fixture(scope="module")
def purchases() -> pd.DataFrame:
    return synthetic_tables(clients=150, seed=2).tables["purchases"]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(engine, "_PART_ROWS", 600)


def test_is_the_panel(purchases, tmp_path):
    told, steps = [], []
    histories = Histories(purchases)
    out = write_panel(histories, tmp_path / "panel", **ASKED, on_begin=steps.append, on_step=told.append)
    assert steps == [5]
    assert told == [f"features, part {number} of 5" for number in range(1, 6)]
    assert sorted(path.name for path in out.iterdir()) == [
        "_panel.json", *(f"part-{number:05d}.parquet" for number in range(5)),
    ]  # fmt: skip
    panel = build_panel(histories, **ASKED)
    back = read_panel(out)
    assert_frame_equal(back, panel, check_exact=True, check_index_type=False)
    assert back.attrs == panel.attrs == {"reach_days": 60}
    assert list(read_panel(out, columns=["T"]).columns) == ["T"]
    with pytest.raises(ValueError, match="is there already"):
        write_panel(histories, out, **ASKED)


def test_goes_on_with_the_first_part_that_is_not_finished(purchases, tmp_path, monkeypatch):
    histories = Histories(purchases)
    write, written = writing._write_part, []

    def interrupted(plan, number, path):
        if number == 2 and not written[2:]:
            written.append("interrupted")
            pq.ParquetWriter.write_table, kept = _broken, pq.ParquetWriter.write_table
            try:
                write(plan, number, path)
            finally:
                pq.ParquetWriter.write_table = kept
        written.append(number)
        write(plan, number, path)

    monkeypatch.setattr(writing, "_write_part", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_panel(histories, tmp_path / "panel", **ASKED)
    assert not (tmp_path / "panel").exists()
    partial = tmp_path / "panel.partial"
    assert sorted(path.name for path in partial.glob("*part*")) == ["part-00000.parquet", "part-00001.parquet"]
    first = (partial / "part-00000.parquet").stat().st_mtime_ns
    told = []
    # Another process, with the same rows in another order.
    again = Histories(purchases.sample(frac=1, random_state=0))
    out = write_panel(again, tmp_path / "panel", **ASKED, on_step=told.append)
    assert told[0] == "going on with panel.partial: 2 parts are finished"
    assert written == [0, 1, "interrupted", 2, 3, 4]
    assert (out / "part-00000.parquet").stat().st_mtime_ns == first
    assert not partial.exists()
    assert_frame_equal(read_panel(out), build_panel(histories, **ASKED), check_exact=True, check_index_type=False)


def _broken(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told["rows"].assign(amount=told["rows"]["amount"] + 0.01),
        lambda told: told.update(horizon="61d"),
        lambda told: told.update(active="301d"),
        lambda told: told.update(cutoffs=["2024-12-01"]),
        lambda told: told.update(features=["T"]),
    ],
    ids=["rows", "horizon", "active", "cutoffs", "features"],
)
def test_parts_of_another_panel_are_not_taken(purchases, tmp_path, monkeypatch, change):
    partial = tmp_path / "panel.partial"
    with monkeypatch.context() as patched:
        patched.setattr(type(partial), "replace", lambda *_: None)  # as if the process ended just before
        write_panel(Histories(purchases), tmp_path / "panel", **ASKED)
    assert partial.exists()
    asked = {**ASKED, "rows": purchases}
    changed = change(asked)
    rows = purchases if changed is None else changed
    asked.pop("rows")
    histories = Histories(rows)
    if "features" in asked:
        asked["features"] = choose_features(histories, asked["features"])
    told = []
    out = write_panel(histories, tmp_path / "panel", **asked, on_step=told.append)
    assert told[0] == "panel.partial is of another panel: begun anew"
    assert_frame_equal(read_panel(out), build_panel(histories, **asked), check_exact=True, check_index_type=False)


def test_nothing_is_no_panel(tmp_path):
    with pytest.raises(ValueError, match="there is no panel in"):
        read_panel(tmp_path)


# What all clients together say, for a few of them


def test_one_client_is_told_the_market_of_all(purchases):
    everybody = Histories(purchases)
    market = measure_market(everybody, cutoffs=ASKED["cutoffs"])
    panel = build_panel(everybody, **ASKED)
    someone = panel.index.get_level_values("client_id")[7]
    alone = Histories(purchases[purchases["client_id"] == someone])
    mine = panel[panel.index.get_level_values("client_id") == someone]
    assert_frame_equal(build_panel(alone, **ASKED, market=market), mine, check_exact=True)
    without = build_panel(alone, **ASKED)
    assert (without["peers_bought_share_90d"].to_numpy() != mine["peers_bought_share_90d"].to_numpy()).any()
    with pytest.raises(ValueError, match="`market` does not say what all clients did at 2025-07-01"):
        build_panel(alone, cutoffs="2025-07-01", horizon="60d", market=market)


def test_some_clients_are_told_what_all_of_them_say(purchases):
    histories = Histories(purchases)
    panel = build_panel(histories, **ASKED)
    some = panel.index.get_level_values("client_id").unique()[::9]
    batch = build_panel(histories, **ASKED, clients=some)
    assert_frame_equal(batch, panel[panel.index.get_level_values("client_id").isin(some)], check_exact=True)
    assert np.isin(batch.index.get_level_values("client_id"), some).all()
