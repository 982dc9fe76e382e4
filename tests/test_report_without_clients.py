"""The managers' page without clients: it names none, and no small group is told or follows from what is told."""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostile_fixture import make_hostile_folder
from loyalty.report import clients, figures, write_report
from loyalty.report.run_folder import CalibrationBin
from loyalty.report.small_cells import SMALLEST, hidden_rows, merged_groups
from loyalty.report.text import LANGUAGES, Speech
from report_fixture import NEWER, make_run_folder

NO_CURVES: dict[str, Any] = {"gain": None, "calibration": []}
COUNTED = (
    "segments.clients", "movement.before", "movement.now", "movement.came", "movement.left", "calibration.clients",
    "cutoffs.clients", "voice.clients",
)  # fmt: skip
"""Headings of columns that count clients."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of so few clients that every table has small cells, whose notes name one."""
    notes = ["2 rows of client C12003 were left out."]
    few = [one | {"clients": 4} if one["kind"] == "silence_after_problem" else one for one in NEWER["alerts"]["kinds"]]
    alerts = NEWER["alerts"] | {"kinds": few}
    return make_run_folder(tmp_path_factory.mktemp("run"), clients=150, notes=notes, alerts=alerts)


def small_counts(html: str, language: Any) -> list[tuple[str, str]]:
    """Numbers from 1 to 9 that stand where clients are counted: in columns, in the matrix and in its words."""
    heads = {Speech(language)(key) for key in COUNTED}
    found = []
    for table in re.findall(r"<table.*?</table>", html, re.DOTALL):
        columns = re.findall(r'<th scope="col"[^>]*>(.*?)</th>', table)
        for row in re.findall(r"<tr>(.*?)</tr>|<tr class", table.split("<tbody>")[1], re.DOTALL):
            cells = [re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)]
            found += [
                (head, cell)
                for head, cell in zip(columns, cells, strict=False)
                if head in heads and re.fullmatch(r"[1-9]", cell)
            ]
    found += [("alerts", one) for one in re.findall(r"</h4><strong>([1-9])(?: clients?|명)<", html)]
    found += [("matrix", one) for one in re.findall(r'class="cell h\d"><b>([1-9])</b>', html)]
    return found + [("words", one) for one in re.findall(r": ([1-9])(?: clients?|명),", html)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_client_is_named_and_no_small_group_is_counted(folder, language):
    usual = write_report(folder, language=language).read_text(encoding="utf-8")
    bare = write_report(folder, language=language, clients=False).read_text(encoding="utf-8")
    ids = pd.read_parquet(folder / "scores.parquet")["client_id"]
    assert sum(client in usual for client in ids) >= 20
    assert [client for client in ids if client in bare] == []
    assert {"alerts", "matrix", "words", Speech(language)("movement.came")} < {
        head for head, _ in small_counts(usual, language)
    }
    assert small_counts(bare, language) == []
    speech = Speech(language)
    assert speech("hidden") in bare
    assert speech("notes.withheld") in bare
    assert [speech("data.title") in html for html in (usual, bare)] == [True, False]  # of a few rows, few clients
    assert speech("run.privacy.none", number=SMALLEST) in bare
    assert speech("run.privacy") not in bare


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_quote_and_no_age_of_a_single_client_is_told(folder, language):
    usual = write_report(folder, language=language).read_text(encoding="utf-8")
    bare = write_report(folder, language=language, clients=False).read_text(encoding="utf-8")
    speech, (told,) = Speech(language), NEWER["voice"]["themes"][0]["quotes"]
    assert told in usual
    assert told not in bare
    assert "late, parcel" in bare
    assert [speech.days(301) in html for html in (usual, bare)] == [True, False]  # who waits longest
    assert [speech.days(44) in html for html in (usual, bare)] == [True, True]
    assert speech("alerts.headline.hidden") in bare  # with 43 in all and 31 in one kind, the others would follow
    assert [speech("return.caption") in html for html in (usual, bare)] == [True, True]


@pytest.mark.parametrize(("new", "gone", "said"), [(10, 10, True), (9, 60, False), (60, 9, False), (0, 10, True)])
def test_who_came_and_went_is_counted_only_where_both_are_many(tmp_path, new, gone, said):
    counts = {"both": 140, "new": new, "gone": gone, "all": 140 + new + gone}
    changed = NEWER["changed"] | {
        "composition": [one | {"clients": counts[one["standing"]]} for one in NEWER["changed"]["composition"]]
    }
    out = make_run_folder(tmp_path, clients=150, changed=changed, **NO_CURVES)
    page = write_report(out, clients=False).read_text(encoding="utf-8")
    assert ("Clients who were here both times" in page) == said
    assert "Clients who were here both times" in write_report(out).read_text(encoding="utf-8")


@given(st.integers(10, 400), st.integers(0, 2**32 - 1))
def test_no_sum_over_first_calls_tells_of_few_clients(size, seed):
    rng = np.random.default_rng(seed)
    scores = pd.DataFrame({"churn_probability": rng.random(size), "value_at_risk": rng.lognormal(3, 1, size)})
    counts = [0, *clients.first_calls(scores, hidden=True)["clients"], size]
    assert all(after - before >= SMALLEST for before, after in itertools.pairwise(counts) if before)
    assert counts[1] >= SMALLEST


def test_no_hostile_client_is_named(tmp_path):
    nothing: dict[str, Any] = {
        "question": "",
        "notes": [],
        "drivers": [],
        "versions": {},
        "btyd": None,
        "currency": None,
        "voice": None,
        **{name: [] for name in ("themes", "actionable", "drivers_by_segment", "groups", "comparison", "data")},
    }
    out = make_hostile_folder(tmp_path, data_fingerprint="", label_fingerprint="", **nothing)
    path = out / "scores.parquet"
    ids = [f"id <{place}> & so on" for place in range(len(pd.read_parquet(path)))]
    pd.read_parquet(path).assign(client_id=ids).to_parquet(path, index=False)
    html = write_report(out, clients=False).read_text(encoding="utf-8")
    assert "so on" not in html
    assert "alert(1)" not in html  # nor a reason
    assert len(html.encode()) <= 300 * 1024


def test_the_page_with_clients_is_left_alone(folder):
    write_report(folder)
    before = (folder / "report.html").read_bytes()
    assert write_report(folder, clients=False).name == "report-without-clients.html"
    assert (folder / "report.html").read_bytes() == before


def test_fewer_clients_than_can_be_hidden_are_refused(tmp_path):
    out = make_run_folder(tmp_path, clients=9, **NO_CURVES)
    with pytest.raises(ValueError, match=r"`clients=False` needs at least 10 scored clients.*got 9\. Leave it out"):
        write_report(out, clients=False)
    assert not list(tmp_path.glob("report*"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_on_which_all_is_hidden_can_be_read(tmp_path, language):
    out = make_run_folder(tmp_path, clients=12, **NO_CURVES)
    html = write_report(out, language=language, clients=False).read_text(encoding="utf-8")
    assert small_counts(html, language) == []
    assert Speech(language)("segments.headline.few") in html
    assert not re.search(r"\bnan\b|None", re.sub(r"<style>.*?</style>|<meta[^>]*>", "", html, flags=re.DOTALL))


COUNTS = st.lists(st.one_of(st.just(0), st.integers(1, 12), st.integers(0, 300)), min_size=1, max_size=12)


@given(COUNTS, st.data())
def test_no_hidden_cell_follows_from_the_total(counts, data):
    table = pd.DataFrame({"clients": counts})
    hidden = hidden_rows(table, totals=["clients"])
    told = table.loc[~hidden, "clients"]
    assert not told.between(1, SMALLEST - 1).any()
    concealed = table.loc[hidden & (table["clients"] > 0), "clients"]
    if concealed.between(1, SMALLEST - 1).any():
        # What a reader can reckon is the sum of the hidden cells: it is that of several, and of no few clients.
        assert (len(concealed) >= 2 and concealed.sum() >= SMALLEST) or (told == 0).all()
    order = data.draw(st.permutations(range(len(counts))))
    again = hidden_rows(table.iloc[order], totals=["clients"])
    assert sorted(table["clients"][hidden]) == sorted(table["clients"].iloc[order][again])


@given(COUNTS, COUNTS)
def test_what_one_column_hides_is_hidden_in_every_column(before, now):
    size = min(len(before), len(now))
    table = pd.DataFrame({"before": before[:size], "now": now[:size]})
    hidden = hidden_rows(table, totals=["before", "now"])
    for name in table:
        assert not table.loc[~hidden, name].between(1, SMALLEST - 1).any()
        concealed = table.loc[hidden & (table[name] > 0), name]
        if concealed.between(1, SMALLEST - 1).any():
            assert (len(concealed) >= 2 and concealed.sum() >= SMALLEST) or (table.loc[~hidden, name] == 0).all()


def test_what_another_table_hides_stays_hidden():
    frame = pd.DataFrame({"before": [50, 60, 70], "now": [40, 50, 60], "came": 10, "left": 20})
    assert not clients.hidden_movement(frame).any()
    assert clients.hidden_movement(frame, already=pd.Series([True, True, False])).tolist() == [True, True, False]
    # 40 are there and 33 of them came, so 7 stayed.
    assert clients.hidden_movement(frame.assign(came=[33, 10, 10])).tolist() == [True, False, False]


@given(COUNTS)
def test_merged_groups_are_all_the_groups_in_order(counts):
    groups = merged_groups(np.array(counts))
    assert [place for group in groups for place in range(group.start, group.stop)] == list(range(len(counts)))
    sums = [sum(counts[group]) for group in groups]
    assert all(one == 0 or one >= SMALLEST for one in sums) or len(groups) == 1


def test_tens_of_the_loyalty_score_are_merged_but_not_across_the_border():
    scores = pd.DataFrame({"loyalty_score": [95.0] * 6 + [75.0] * 7 + [65.0] * 4 + [5.0] * 30})
    bands = clients.loyalty_bands(scores, merged_at=70)
    told = bands[bands["clients"] > 0]
    assert told[["low", "high", "clients"]].values.tolist() == [[70, 100, 13], [0, 70, 34]]
    assert bands["share"].sum() == pytest.approx(1)
    few_above = clients.loyalty_bands(scores.iloc[4:], merged_at=70)
    assert few_above[["low", "high", "clients"]].values.tolist()[0] == [60, 100, 13]


def test_groups_of_the_calibration_are_merged_by_their_clients():
    bins = [
        CalibrationBin(predicted=0.8, observed=1.0, clients=2),
        CalibrationBin(predicted=0.5, observed=0.5, clients=8),
        CalibrationBin(predicted=0.1, observed=0.0, clients=90),
    ]
    frame = figures.calibration_frame(bins, merged=True)
    assert frame["clients"].tolist() == [90, 10]
    assert frame.loc[1, ["predicted", "observed"]].tolist() == pytest.approx([(1.6 + 4) / 10, (2 + 4) / 10])


def test_a_cutoff_with_few_clients_is_not_told(tmp_path):
    kept = [
        {"cutoff": "2026-05-01", "coverage": 0.9, "clients": 9, "value": 7e6},
        {"cutoff": "2026-08-01", "coverage": 0.8, "clients": 40, "value": 1e6},
    ]
    out = make_run_folder(tmp_path, clients=40, intervals=kept, **NO_CURVES)
    html = write_report(out, clients=False).read_text(encoding="utf-8")
    assert "1 Aug 2026" in html
    assert "1 May 2026" not in html
    assert "80% of clients spent what" in html
    assert json.loads((out / "metrics.json").read_text())["intervals"] == kept  # the run itself is as it was


@pytest.mark.parametrize(("share", "told"), [(0.05, True), (0.045, False), (0.0, True), (0.96, False)])
def test_few_who_came_back_are_not_counted(tmp_path, share, told):
    """Of 200 who left, nine came back, or did not."""
    back = {"since": "2010-08-01", "left": 200, "share": share}
    out = make_run_folder(tmp_path, clients=60, came_back=back, **NO_CURVES)
    bare, whole = (write_report(out, clients=clients).read_text(encoding="utf-8") for clients in (False, True))
    assert ("bought again within the year" in bare) is told
    assert "bought again within the year" in whole
