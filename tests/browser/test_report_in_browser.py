"""The managers' page in a real Chromium: it asks for nothing, runs nothing, and can be read by everybody, everywhere.

The tests go over what the page holds, whatever that is, and name none of its sections.
"""

import io
import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pytest
from chromium import Visit, chromium, visit

from hostile_fixture import make_hostile_folder
from loyalty.report import write_report
from loyalty.wording import LANGUAGES, Language
from report_fixture import make_run_folder

pytestmark = pytest.mark.browser

WIDTHS = (360, 1280)
SCHEMES = ("light", "dark")
A4 = (595.3, 841.9)
PRINTED = 695
"""Pixels between the margins of A4: 210 mm less twice 13 mm."""

RUNS = {
    "usual": lambda out: make_run_folder(out),
    "hostile": lambda out: make_hostile_folder(out),
    "bare": lambda out: make_run_folder(
        out,
        clients=40,
        **{name: [] for name in ("calibration", "backtest", "drivers", "intervals")},
        **dict.fromkeys(("gain", "movement", "changed", "voice", "alerts", "long_run")),
        **{name: [] for name in ("themes", "actionable", "drivers_by_segment", "driver_stability", "groups", "data")},
        totals={},
        comparison=[],
    ),
    "rich": lambda out: make_run_folder(out, clients=3000, currency="KRW", scale=1e7),
    "without clients": lambda out: make_run_folder(out, clients=150),
}


class Sheet(NamedTuple):
    """Which page, in which language, on what ground and in how wide a window."""

    run: str
    language: Language
    scheme: str = "light"
    width: int = 1280

    def __str__(self) -> str:
        return "-".join(map(str, self)).replace(" ", "-")


THOROUGH = ("usual", "hostile")
SHEETS = [
    Sheet(run, language, scheme, width)
    for run in RUNS
    for language in LANGUAGES
    for scheme in SCHEMES
    for width in WIDTHS
    if run in THOROUGH or (language, scheme, width) in (("en", "light", 360), ("ko", "dark", 1280))
]
PAGES = [Sheet(run, language) for run in RUNS for language in LANGUAGES]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    """Write every page once."""
    written = {}
    for run, make in RUNS.items():
        out = make(tmp_path_factory.mktemp(run.replace(" ", "-")))
        for language in get_args(Language):
            path = write_report(out, language=language, clients=run != "without clients")
            written[run, language] = path.rename(path.with_stem(f"{path.stem}-{language}"))
    return written


@pytest.fixture(scope="module", params=SHEETS, ids=str)
def seen(request: pytest.FixtureRequest, browser: Any, pages: dict[tuple[str, str], Path]) -> Iterator[Visit]:
    """Visit each page in each window; the tests below only look."""
    sheet = request.param
    with visit(browser, pages[sheet.run, sheet.language], width=sheet.width, scheme=sheet.scheme) as one:
        yield one


@pytest.fixture(scope="module", params=PAGES, ids=lambda sheet: f"{sheet.run}-{sheet.language}".replace(" ", "-"))
def read(request: pytest.FixtureRequest, browser: Any, pages: dict[tuple[str, str], Path]) -> Iterator[Visit]:
    """Visit each page once, for what does not depend on the window."""
    with visit(browser, pages[request.param.run, request.param.language], width=1280) as one:
        yield one


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Find the folder for pictures: LOYALTY_SCREENSHOTS, or one of pytest's own."""
    named = os.environ.get("LOYALTY_SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


# -- In every window -------------------------------------------------------------------------------------------------


def test_it_asks_for_nothing_and_complains_of_nothing(seen):
    assert len(seen.requests) == 1  # the file itself
    assert seen.complaints == []
    assert seen.dialogs == []


def test_it_is_no_wider_than_its_window(seen):
    assert seen.look("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    assert seen.look(SPILLS) == []


SPILLS = """[...document.querySelectorAll("body *")].filter(one => {
    const style = getComputedStyle(one), box = one.getBoundingClientRect();
    if (one.closest(".sr, svg, .stack thead") || !box.width || style.display === "inline") return false;
    return box.right > document.documentElement.clientWidth + 1
        || (!one.matches("table, thead, tbody, tr") && one.scrollWidth > one.clientWidth + 1);
}).map(one => one.outerHTML.slice(0, 160))"""
"""Elements whose words stick out of them, or that stick out of the window."""


def test_axe_finds_nothing_serious(seen):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="the extra `browser` is not installed")
    seen.look("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    found = axe.Axe().run(seen.page)
    seen.look("document.querySelectorAll('details').forEach(one => { one.open = false; })")
    serious = [one for one in found.response["violations"] if one["impact"] in ("serious", "critical")]
    told = [(one["id"], one["help"], node["target"], node["html"][:160]) for one in serious for node in one["nodes"]]
    assert told == []


def test_a_picture_of_it_is_kept(seen, pictures, request):
    path = pictures / f"{request.node.callspec.id}.png"
    seen.page.screenshot(path=path, full_page=True)
    assert path.stat().st_size > 10_000


# -- Whatever the window ---------------------------------------------------------------------------------------------


def test_it_says_which_language_it_is_in(read, request):
    language = request.node.callspec.params["read"].language
    assert read.look("document.documentElement.lang") == language
    korean = re.search("[가-힣]", read.look("document.title"))
    assert bool(korean) == (language == "ko")


def test_headings_leave_out_no_level(read):
    levels = read.look("[...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map(one => +one.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert (
        read.look("[...document.querySelectorAll('h1, h2, h3, h4')].filter(one => !one.innerText.trim()).length") == 0
    )


def test_every_detail_opens_by_the_keyboard(read):
    count = read.look("document.querySelectorAll('details').length")
    for place in range(count):
        while not read.look("document.activeElement.matches('summary')"):  # what scrolls takes the focus as well
            read.page.keyboard.press("Tab")
            assert read.look("document.activeElement !== document.body"), f"the keyboard reaches {place} of {count}"
        assert read.look("getComputedStyle(document.activeElement).outlineStyle") != "none"
        read.page.keyboard.press("Enter")
        assert read.look("document.activeElement.parentElement.open")
        read.page.keyboard.press("Enter")
        read.page.keyboard.press("Tab")


def test_every_picture_has_words_and_every_table_heads(read):
    assert read.look("[...document.querySelectorAll('[role=img]')].every(one => one.ariaLabel.length > 40)")
    assert read.look("[...document.querySelectorAll('svg')].every(one => one.closest('[role=img]'))")
    assert read.look(
        "[...document.querySelectorAll('table')].every(one => one.tHead && "
        "[...one.tHead.querySelectorAll('th')].every(head => head.scope === 'col'))"
    )


def test_it_prints_on_a4_and_cuts_nothing_off(read):
    pypdf = pytest.importorskip("pypdf", reason="the extra `browser` is not installed")
    printed = pypdf.PdfReader(io.BytesIO(read.page.pdf(prefer_css_page_size=True)))
    assert all((float(p.mediabox.width), float(p.mediabox.height)) == pytest.approx(A4, abs=1) for p in printed.pages)
    read.page.emulate_media(media="print")
    read.page.set_viewport_size({"width": PRINTED, "height": 900})
    try:
        assert read.look("document.documentElement.scrollWidth") <= PRINTED
        assert read.look(SPILLS) == []
    finally:
        read.page.emulate_media(media="null")
        read.page.set_viewport_size({"width": 1280, "height": 900})


# -- Harm ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_escaping_holds_by_itself_where_nobody_heeds_the_policy(browser, pages, language):
    with visit(browser, pages["hostile", language], width=1280, bypass_csp=True) as one:
        one.look("document.querySelectorAll('*').forEach(each => { each.dispatchEvent(new Event('mouseover')); })")
        assert (one.dialogs, one.complaints, len(one.requests)) == ([], [], 1)
        assert (
            one.look("document.querySelectorAll('script, img, base, link, iframe, a:not(nav a), form, input').length")
            == 0
        )


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_policy_holds_by_itself_where_nothing_is_escaped(browser, pages, tmp_path, language):
    harm = """<script>document.title = "ran"</script><img src="x" onerror="document.title = 'ran'">
        <img src="http://127.0.0.1:9/x"><link rel="stylesheet" href="http://127.0.0.1:9/x">
        <style>body { background: rgb(1, 2, 3) }</style><p style="color: rgb(1, 2, 3)" id="styled">a</p>
        <iframe src="http://127.0.0.1:9/x"></iframe><object data="http://127.0.0.1:9/x"></object>"""
    path = tmp_path / "harmed.html"
    html = pages["usual", language].read_text(encoding="utf-8")
    path.write_text(html.replace("<main>", f"<main>{harm}"), encoding="utf-8")
    with visit(browser, path, width=1280) as one:
        assert one.look("document.title") != "ran"
        assert [address for address in one.requests if not address.startswith("file:")] == []
        assert one.look("getComputedStyle(document.body).backgroundColor") != "rgb(1, 2, 3)"
        assert one.look("getComputedStyle(document.querySelector('#styled')).color") != "rgb(1, 2, 3)"
        assert len(one.complaints) >= 6  # each refusal is told
