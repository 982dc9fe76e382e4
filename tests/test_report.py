"""The managers' page as a file: it stands alone, its markup is safe, and it can be drawn whatever the data hold."""

import base64
import hashlib
import json
import re
from pathlib import Path

import pandas as pd
import pytest

from hostile_fixture import make_hostile_folder
from loyalty.report import write_report
from loyalty.report.text import Speech
from loyalty.wording import LANGUAGES, LONGEST, shown
from report_fixture import NEWER, make_run_folder
from report_page import NO_CURVES, Page, page_of, rewrite_scores, unchanged_page_of

KIB = 1024
CHAPTERS = ("stake", "who", "why", "action", "trust")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run_folder(tmp_path_factory.mktemp("run"), clients=300)


# -- The file --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_stands_alone_and_runs_nothing(folder, language):
    html = unchanged_page_of(folder, language)
    page = Page(html)
    assert page.all("html") == [{"lang": language}]
    policy = {meta.get("http-equiv"): meta["content"] for meta in page.all("meta") if "content" in meta}
    (style,) = re.findall("<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy["Content-Security-Policy"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert not {"script", "link", "iframe", "object", "embed", "img", "form", "base"} & {tag for tag, _ in page.tags}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert not [name for _, attributes in page.tags for name in attributes if name in {"src", "xlink:href", "style"}]
    places = {f"#{attributes['id']}" for _, attributes in page.tags if "id" in attributes}
    assert {attributes["href"] for _, attributes in page.tags if "href" in attributes} <= places
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", html.replace(digest, ""))
    assert len(html.encode()) <= 300 * KIB


@pytest.mark.parametrize("language", LANGUAGES)
def test_ids_are_unique_and_every_reference_finds_its_own(folder, language):
    html = unchanged_page_of(folder, language)
    ids = [attributes["id"] for _, attributes in Page(html).tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(#([^)]+)\)", html)) <= set(ids)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_chart_has_an_alternative_in_words_and_a_table_behind_it(folder, language):
    page = Page(unchanged_page_of(folder, language))
    images = [attributes for _, attributes in page.tags if attributes.get("role") == "img"]
    # Matrix, loyalty scores and their parts, themes, drivers, changes, first calls, gain and calibration.
    assert len(images) == 9
    assert all(len(image["aria-label"] or "") > 40 for image in images)
    # The matrix has the table of segments, and the calls have theirs in sight; two hold the largest moves and the data.
    assert len(page.all("details")) == 9
    assert all(svg["aria-hidden"] == "true" for svg in page.all("svg"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_five_chapters_answer_in_order_and_the_contents_lead_to_them(folder, language):
    page = Page(unchanged_page_of(folder, language))
    assert tuple(heading["id"] for heading in page.all("h2")) == CHAPTERS
    assert [link["href"] for link in page.all("a")] == [f"#{chapter}" for chapter in CHAPTERS]
    assert [tag for tag, _ in page.tags].index("nav") < [tag for tag, _ in page.tags].index("h2")
    titles = [Speech(language)(f"chapter.{chapter}") for chapter in CHAPTERS]
    places = [page.text.rindex(title) for title in titles]
    assert places == sorted(places)
    assert all(title.endswith("?") for title in titles)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_run_from_before_the_chapters_can_still_be_drawn(tmp_path, language):
    out = make_run_folder(tmp_path, clients=40, **NO_CURVES)
    metrics = json.loads((out / "metrics.json").read_text())
    older = {name: value for name, value in metrics.items() if name not in NEWER}
    for driver in older["drivers"]:
        del driver["driver"], driver["theme"], driver["actionable"], driver["lower_pp"], driver["upper_pp"]
    (out / "metrics.json").write_text(json.dumps(older))
    page = Page(page_of(out, language))
    assert tuple(heading["id"] for heading in page.all("h2")) == CHAPTERS
    assert Speech(language)("alerts.headline.unknown") in page.text
    assert not re.search(r"\bnan\b|None", page.text)


def test_the_same_run_gives_the_same_page(folder):
    assert page_of(folder) == unchanged_page_of(folder)


def test_write_report_replaces_the_page_whole(folder):
    path = write_report(folder, language="ko")
    assert path == folder / "report.html"
    assert 'lang="ko"' in path.read_text(encoding="utf-8")
    write_report(str(folder))
    assert 'lang="en"' in path.read_text(encoding="utf-8")
    assert not list(folder.glob(".report-*"))


def test_the_page_speaks_the_language_of_the_config_unless_asked_otherwise(tmp_path):
    for kept, asked, spoken in (("ko", None, "ko"), ("ko", "en", "en"), ("en", None, "en")):
        out = make_run_folder(tmp_path, clients=20, language=kept, **NO_CURVES)
        assert f'lang="{spoken}"' in write_report(out, language=asked).read_text(encoding="utf-8")
    metrics = json.loads((out / "metrics.json").read_text())
    del metrics["language"]  # as runs had it that did not keep it
    (out / "metrics.json").write_text(json.dumps(metrics))
    assert 'lang="en"' in write_report(out).read_text(encoding="utf-8")


def test_no_pdf_is_left_that_tells_of_another_page(tmp_path):
    out = make_run_folder(tmp_path, clients=20, **NO_CURVES)
    for name in ("report.pdf", "report-without-clients.pdf"):
        (out / name).write_bytes(b"%PDF of the page before")
    write_report(out)
    assert [path.name for path in out.glob("*.pdf")] == ["report-without-clients.pdf"]  # its own page is as it was
    write_report(out, clients=False)
    assert list(out.glob("*.pdf")) == []


def test_a_page_that_cannot_be_written_keeps_its_pdf(tmp_path):
    out = make_run_folder(tmp_path, clients=5, **NO_CURVES)
    (out / "report-without-clients.pdf").write_bytes(b"%PDF")
    with pytest.raises(ValueError, match="at least 10 scored clients"):
        write_report(out, clients=False)
    assert (out / "report-without-clients.pdf").exists()


# -- Hostile and unusual data ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_hostile_names_are_shown_and_do_nothing(tmp_path, language):
    out = make_hostile_folder(tmp_path)
    html = page_of(out, language)
    page = Page(html)
    assert not {"script", "img", "base", "link"} & {tag for tag, _ in page.tags}
    assert [link["href"] for link in page.all("a")] == [f"#{chapter}" for chapter in CHAPTERS]
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert "<script>alert(1)</script>" in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert "gpj.⟨U+202E⟩evil" in page.text
    assert "\u202e" not in html
    assert "\x00" not in html
    assert "x" * (LONGEST + 500) not in html
    assert "👩‍👩‍👧 가나다" in page.text
    assert len(html.encode()) <= 300 * KIB


def test_lone_surrogates_do_not_stop_the_page(tmp_path):
    out = make_run_folder(tmp_path, clients=9, **NO_CURVES, question="what \ud800?")
    assert "what ⟨U+D800⟩?" in write_report(out).read_text(encoding="utf-8")


def test_shown_keeps_what_fits():
    assert shown(" two\n lines ") == "two lines"
    assert shown("x" * LONGEST) == "x" * LONGEST
    assert len(shown("x" * (LONGEST + 1))) == LONGEST


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("count", [0, 1, 5])
def test_few_clients(tmp_path, language, count):
    out = make_run_folder(tmp_path, clients=20, test_cutoffs=("2011-03-01",), **NO_CURVES)
    path = out / "scores.parquet"
    pd.read_parquet(path).head(count).to_parquet(path, index=False)
    text = Page(page_of(out, language)).text
    assert not re.search(r"\bnan\b|\binf\b|None", text)
    assert ("No client holds money at risk" in text) == (count == 0 and language == "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_money_no_currency_no_reasons(tmp_path, language):
    out = make_run_folder(tmp_path, clients=40, currency=None, drivers=[], **NO_CURVES)
    gone = {f"reason_{place}": None for place in (1, 2, 3)}
    rewrite_scores(out, amount_sum_365d=0.0, value_at_risk=0.0, expected_value=float("nan"), **gone)
    text = Page(page_of(out, language)).text
    assert Speech(language)("segments.headline.none") in text
    assert ("No money is at risk" if language == "en" else "위험 금액이 없습니다") in text
    assert Speech(language)("calls.headline.none") in text
    assert Speech(language)("return.caption") not in text
    assert Speech(language)("drivers.headline.none") in text
    assert Speech(language)("reason.none") in text
    assert not re.search(r"\bnan\b|None", text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_run_that_measured_nothing_says_so(tmp_path, language):
    nothing = {"totals": {}, "intervals": [], "movement": None, "yardsticks": None}
    out = make_run_folder(tmp_path, clients=40, backtest=[], **NO_CURVES, **nothing, notes=[], versions={}, btyd=None)
    speech, text = Speech(language), Page(page_of(out, language)).text
    for key in ("movement.headline.none", "loyalty.sub.bare"):
        assert speech(key) in text
    for key in ("gain.headline.none", "calibration.headline.none", "models.headline.none", "notes.none"):
        assert speech(key) in text
    assert not re.search(r"\bnan\b|None", text)


def test_notes_in_both_languages_are_shown_in_the_right_one(tmp_path):
    out = make_run_folder(tmp_path, clients=9, **NO_CURVES, notes=[{"en": "Two refunds.", "ko": "환불 2건."}])
    korean = Page(page_of(out, "ko")).text
    assert "환불 2건." in korean
    assert Speech("ko")("notes.language") not in korean
    assert "Two refunds." in Page(page_of(out)).text


def test_integer_clients_and_an_indexed_table_are_read(tmp_path):
    out = make_run_folder(tmp_path, clients=9, **NO_CURVES)
    path = out / "scores.parquet"
    pd.read_parquet(path).assign(client_id=range(17850, 17859)).set_index(["client_id", "cutoff"]).to_parquet(path)
    assert "17850" in Page(page_of(out)).text


# -- What is refused -------------------------------------------------------------------------------------------------


def test_an_unknown_language_is_refused(folder):
    with pytest.raises(ValueError, match="`language` must be one of en, ko; got 'fr'"):
        write_report(folder, language="fr")  # type: ignore[arg-type]


def test_every_missing_file_is_named(tmp_path):
    (tmp_path / "metrics.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match=r"lacks backtest\.parquet, scores\.parquet.*loyalty run"):
        write_report(tmp_path)


@pytest.mark.parametrize(
    ("name", "spoil", "message"),
    [
        ("metrics.json", lambda path: path.write_text("{"), "must be JSON in UTF-8"),
        ("metrics.json", lambda path: path.write_text(json.dumps({"score_cutoff": "2011-12-10"})), "'horizon_days'"),
        ("scores.parquet", lambda path: path.write_bytes(b"PAR1"), "must be a Parquet file"),
        ("scores.parquet", lambda path: pd.DataFrame({"client_id": ["a"]}).to_parquet(path), "lacks churn_probability"),
    ],
)
def test_a_spoilt_file_is_named(tmp_path, name, spoil, message):
    out = make_run_folder(tmp_path, clients=9)
    spoil(out / name)
    with pytest.raises(ValueError, match=f"{re.escape(name)}.*{message}"):
        write_report(out)


@pytest.mark.parametrize("wrong", [1.01, -0.1, float("nan")])
def test_a_probability_outside_its_range_is_refused(tmp_path, wrong):
    out = make_run_folder(tmp_path, clients=4)
    rewrite_scores(out, churn_probability=[0.1, 0.2, wrong, 0.3])
    with pytest.raises(ValueError, match="row 2 holds"):
        write_report(out)
