"""What tests ask of the managers' page: its tags and its words, and a page drawn once for all that only look."""

import functools
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd

from loyalty.report.page import render_page
from loyalty.report.run_folder import read_run_folder
from report_fixture import MEANINGS

NO_CURVES: dict[str, Any] = {"gain": None, "calibration": []}
"""Curves take longest, and are not what most tests are about."""

VOID = {"meta", "br", "img", "input", "hr", "link"}


class Page(HTMLParser):
    """What a page holds; complains about tags that are not closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page_of(out: Path, language: Any = "en") -> str:
    return render_page(read_run_folder(out), language=language, meanings=MEANINGS)


@functools.cache
def unchanged_page_of(out: Path, language: Any = "en") -> str:
    return page_of(out, language)


def rewrite_scores(out: Path, **columns: Any) -> None:
    path = out / "scores.parquet"
    pd.read_parquet(path).assign(**columns).to_parquet(path, index=False)
