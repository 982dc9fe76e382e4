"""Pages that stand elsewhere in the repository, shown in the documentation as they are.

Such a page is a file that includes another and says nothing else. The text it includes takes its place before it is
read, with its links turned: to the page that shows their target, or to a copy of the file where no page does.
"""

import os
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

_INCLUDE = re.compile(r"```\{include\} (\S+)\n```\s*")
_LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)(#[^)\s]*)?\)")


def find_shown(docs: Path) -> dict[Path, Path]:
    """Find the pages that show a file of the repository: the file, and the page."""
    pages = {page: _INCLUDE.fullmatch(page.read_text(encoding="utf-8")) for page in docs.rglob("*.md")}
    return {(page.parent / said[1]).resolve(): page for page, said in pages.items() if said}


def turn_links(text: str, *, shown: Path, page: Path, pages: dict[Path, Path]) -> str:
    """Write the links of a file anew, as they lead from the page that shows it."""

    def turned(link: re.Match[str]) -> str:
        target = (shown.parent / link[1]).resolve()
        return f"]({Path(os.path.relpath(pages.get(target, target), page.parent)).as_posix()}{link[2] or ''})"

    return _LINK.sub(turned, text)


def _show(app: Sphinx, docname: str, source: list[str]) -> None:
    said = _INCLUDE.fullmatch(source[0])
    if said is None:
        return
    page = Path(app.env.doc2path(docname))
    shown = (page.parent / said[1]).resolve()
    app.env.note_dependency(str(shown), docname=docname)
    text = shown.read_text(encoding="utf-8")
    source[0] = turn_links(text, shown=shown, page=page, pages=find_shown(Path(app.srcdir)))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("source-read", _show)
    return {"parallel_read_safe": True}
