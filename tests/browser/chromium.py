"""A Chromium that says all it does: what it asks for, what it complains of, what it would have shown in a window."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which(os.environ.get("LOYALTY_CHROMIUM", "chromium"))
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@contextmanager
def chromium() -> Iterator[Any]:
    """Start the system's Chromium; the test is skipped where it, or the extra, is not installed."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the extra `browser` is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium; on Debian: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@dataclass
class Visit:
    """A page opened in a window of its own, and all that was heard of it."""

    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def look(self, script: str) -> Any:
        """Evaluate a script in the page, from outside: the page's own policy does not bind us."""
        return self.page.evaluate(script)


@contextmanager
def visit(browser: Any, file: Path, *, width: int, scheme: str = "light", **options: Any) -> Iterator[Visit]:
    """Open a file; every request is written down, and none but the one for the file itself gets out."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce", **options
    )
    one = Visit(page=context.new_page())
    address = file.as_uri()

    def answer(route: Any) -> None:
        one.requests.append(route.request.url)
        if route.request.url == address:
            route.continue_()
        else:
            route.abort()

    def dismiss(dialog: Any) -> None:
        one.dialogs.append(dialog.message)
        dialog.dismiss()

    context.route("**/*", answer)
    one.page.on("console", lambda message: one.complaints.append(f"{message.type}: {message.text}"))
    one.page.on("pageerror", lambda error: one.complaints.append(str(error)))
    one.page.on("dialog", dismiss)
    one.page.goto(address)
    yield one
    context.close()
