"""The managers' page as a PDF: on A4, whole, readable in both languages, and nothing fetched to make it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from loyalty.cli import app
from loyalty.report import PdfMissingError, write_report
from loyalty.report.pdf import as_pdf
from report_fixture import make_run_folder

A4 = (595.3, 841.9)


@pytest.fixture(scope="module")
def pypdf() -> Any:
    """Read PDFs; the test is skipped where none can be made or read."""
    try:
        import weasyprint  # noqa: F401
    except (ImportError, OSError):
        pytest.skip("WeasyPrint (extra `pdf`) or Pango is not installed")
    return pytest.importorskip("pypdf", reason="the extra `browser` is not installed")


@pytest.fixture(scope="module")
def written(pypdf: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    pages = {}
    for language in ("en", "ko"):
        out = make_run_folder(tmp_path_factory.mktemp(language), clients=300)
        pages[language] = write_report(out, language=language, pdf=True)
    return pages


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_run_folder(tmp_path / "run", clients=20, gain=None, calibration=[])


def letters(text: str) -> str:
    """Leave out what a line break may put between words."""
    return re.sub(r"\s|\u00ad|\u200b", "", text)


def headings(page: Path) -> list[str]:
    told = re.findall(r"<h[1-4]>(.*?)</h[1-4]>", page.read_text(encoding="utf-8"), re.DOTALL)
    return [letters(heading) for heading in told if "&" not in heading]


def skip_without_korean_letters() -> None:
    listing = shutil.which("fc-list")
    if not listing or not subprocess.run([listing, ":lang=ko"], check=True, capture_output=True).stdout:  # noqa: S603
        pytest.skip("no font with Korean letters is installed; on Debian: apt-get install fonts-nanum")


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_pdf_stands_beside_the_page_on_numbered_a4(written, pypdf, language):
    if language == "ko":
        skip_without_korean_letters()
    page = written[language]
    assert sorted(path.name for path in page.parent.glob("report*")) == ["report.html", "report.pdf"]
    read = pypdf.PdfReader(page.with_suffix(".pdf"))
    assert read.trailer["/Root"]["/Lang"] == language
    for number, sheet in enumerate(read.pages, start=1):
        assert (float(sheet.mediabox.width), float(sheet.mediabox.height)) == pytest.approx(A4, abs=1)
        assert f"{number}/{len(read.pages)}" in letters(sheet.extract_text())


@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_heading_is_read_back_and_none_stands_alone_at_the_foot(written, pypdf, language):
    if language == "ko":
        skip_without_korean_letters()
    page = written[language]
    sheets = [letters(sheet.extract_text()) for sheet in pypdf.PdfReader(page.with_suffix(".pdf")).pages]
    told = headings(page)
    assert len(told) > 10
    assert [heading for heading in told if heading not in "".join(sheets)] == []
    feet = [re.sub(r"\d+/\d+$", "", sheet) for sheet in sheets]
    assert [heading for heading in told for foot in feet if foot.endswith(heading)] == []


def test_every_font_is_within_the_file(written, pypdf):
    for page in written.values():
        for sheet in pypdf.PdfReader(page.with_suffix(".pdf")).pages:
            for font in sheet["/Resources"]["/Font"].values():
                (drawn,) = font.get_object()["/DescendantFonts"]
                kept = drawn.get_object()["/FontDescriptor"]
                assert {"/FontFile2", "/FontFile3"} & set(kept), kept


def test_the_same_page_gives_the_same_pdf(pypdf):
    page = "<!DOCTYPE html><html lang='en'><title>t</title><p>words</p></html>"
    assert as_pdf(page) == as_pdf(page)


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/x", "https://127.0.0.1:9/x", "file:///etc/hostname"])
@pytest.mark.parametrize("asking", ['<img src="{}" alt="a">', '<link rel="stylesheet" href="{}">'])
def test_a_page_that_asks_for_anything_is_refused(pypdf, address, asking):
    from weasyprint.urls import FatalURLFetchingError

    page = f"<!DOCTYPE html><html lang='en'><title>t</title>{asking.format(address)}<p>words</p></html>"
    with pytest.raises(FatalURLFetchingError, match="Error fetching") as told:
        as_pdf(page)
    assert "disallowed protocol" in str(told.value.__cause__)


def test_without_the_extra_nothing_is_written_and_the_remedy_is_told(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(PdfMissingError, match=r"pip install -e '\.\[pdf\]'.*libpango"):
        write_report(folder, pdf=True)
    assert not list(folder.glob("report*"))
    result = CliRunner().invoke(app, ["report", str(folder), "--pdf"])
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: A PDF needs the extra `pdf` and Pango")
    assert len(result.stderr.splitlines()) == 1


def test_the_command_line_says_where_both_are(pypdf, folder):
    result = CliRunner().invoke(app, ["report", str(folder), "--pdf", "--no-clients", "--language", "ko"])
    assert result.exit_code == 0
    names = ("report-without-clients.html", "report-without-clients.pdf")
    assert result.stdout.splitlines() == [str(folder / name) for name in names]
    assert all((folder / name).is_file() for name in names)
    assert CliRunner().invoke(app, ["report", str(folder), "--quiet"]).stdout == ""


def test_the_command_line_says_that_a_pdf_of_the_page_before_is_removed(folder):
    old = folder / "report.pdf"
    old.write_bytes(b"%PDF")
    result = CliRunner().invoke(app, ["report", str(folder)])
    assert result.stdout == f"{folder / 'report.html'}\n"
    assert result.stderr == f"Removed, as it told of the page before: {old}\n"
    assert not old.exists()
    assert CliRunner().invoke(app, ["report", str(folder)]).stderr == ""
    old.write_bytes(b"%PDF")
    assert CliRunner().invoke(app, ["report", str(folder), "--quiet"]).output == ""
    assert not old.exists()
