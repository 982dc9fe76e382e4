"""The pages of the documentation: examples run and print what they show, and no public name is missing."""

import contextlib
import doctest
import importlib
import importlib.util
import io
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

import loyalty
from loyalty.cli import app
from loyalty.features import CATALOGUE

if TYPE_CHECKING:
    from demo_fixture import Demo

DOCS = Path(__file__).parents[1] / "docs"
#: What runs for minutes and has tests of its own; what it leaves is laid for the rest of the page.
LONG = {"demo", "run", "tune"}
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$|^((?:    [^\n]*\n|\n(?=    ))+)", flags=re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# ([\w/.]+\.(?:py|toml))\b")


@dataclass(frozen=True)
class Block:
    """A piece of code on a page: in a fence, of the language that it names, or set in by four spaces, for a shell."""

    language: str
    text: str


def blocks_of(page: str) -> list[Block]:
    found = _BLOCK.findall(page)
    return [Block(language or "shell", text or indented) for language, text, indented in found]


PAGES = sorted(
    path
    for path in DOCS.rglob("*.md")
    if "_build" not in path.parts
    and {block.language for block in blocks_of(path.read_text("utf-8"))} - {"none", "text", "toml"}
    if not path.read_text("utf-8").startswith("```{include}")
)


def name_of(path: Path) -> str:
    return path.relative_to(DOCS).as_posix()


def form_of(output: str) -> str:
    """Take the figures out of what was printed, and the signs before them."""
    return re.sub(r"-?\d+(?:\.\d+)?", "0", output)


class Reader:
    """Someone who types what a page says, in a folder of their own, and compares what comes out."""

    def __init__(self, page: str) -> None:
        self.page, self.names, self.said, self.refused = page, {"__name__": "page"}, "", ""

    def follow(self, blocks: list[Block]) -> None:
        for block in [*blocks, Block("end", "")]:
            assert block.language in {"text", "none"} or not self.refused, f"the page does not show:\n{self.refused}"
            self.take(block)

    def take(self, block: Block) -> None:
        file = _FILE.match(block.text)
        if block.language in {"text", "none"}:
            told, said = (block.text, self.said) if block.language == "text" else map(form_of, (block.text, self.said))
            assert doctest.OutputChecker().check_output(told, said, FLAGS), f"printed:\n{self.said}"
            self.refused = ""
        elif file and block.language in {"python", "toml"}:
            Path(file[1]).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(block.text, self.page, "exec"), self.names)  # noqa: S102 - our own page
            self.said = out.getvalue()
        elif block.language == "shell":
            lines = [line.split("#")[0].strip() for line in block.text.splitlines()]
            self.said = "".join(self.type(line) for line in lines if line.startswith("loyalty "))

    def type(self, line: str) -> str:
        _, command, *arguments = shlex.split(line)
        if command in LONG:
            return ""
        done = CliRunner().invoke(app, [command, *arguments], env={"COLUMNS": "300", "NO_COLOR": "1"})
        assert done.exit_code == 0 or (done.exit_code == 1 and done.stderr), (
            f"{line}\n{done.output}\n{done.exception!r}"
        )
        self.refused += done.stderr if done.exit_code else ""
        return done.output


def lay_run(demo: "Demo", *, out: Path, data: Path) -> None:
    """Put what a run has left, and the data it was made from, where a page expects them."""
    shutil.copytree(demo.out, out, ignore=shutil.ignore_patterns("mlartifacts"))
    shutil.copytree(demo.data, data)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_a_page_tells_to_type_runs_and_prints_what_it_shows(page, request, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = page.read_text(encoding="utf-8")
    for out, data in (("loyalty-demo", "loyalty-demo/data"), ("out/shop", "sales")):
        if f" {out} --data" in text:  # what an earlier run has left is used
            lay_run(request.getfixturevalue("small_demo"), out=Path(out), data=Path(data))
    reader, before = Reader(name_of(page)), set(CATALOGUE)
    try:
        reader.follow(blocks_of(text))
    finally:
        for name in set(CATALOGUE) - before:
            CATALOGUE.remove(name)


def test_blocks_are_found_in_their_order():
    page = "Say:\n\n    loyalty check a\n\n    loyalty score b\n\n```text\nfine\n```\nand:\n```python\ny = 1\n```\n"
    assert [block.language for block in blocks_of(page)] == ["shell", "text", "python"]
    assert blocks_of(page)[0].text.split() == ["loyalty", "check", "a", "loyalty", "score", "b"]


def test_a_reader_sees_what_differs():
    Reader("page").follow([Block("python", "print('a', 1.25)"), Block("text", "a 1..."), Block("none", "a  -3.1")])
    with pytest.raises(AssertionError, match=r"printed:\n *a 1.25"):
        Reader("page").follow([Block("python", "print('a', 1.25)"), Block("none", "b 1.25")])
    with pytest.raises(AssertionError, match=r"printed:\n *a 1.25"):
        Reader("page").follow([Block("python", "print('a', 1.25)"), Block("text", "b")])


def test_a_refusal_that_a_page_does_not_show_is_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused = Block("shell", "loyalty check nowhere.toml\n")
    Reader("page").follow([refused, Block("text", "there is no config 'nowhere.toml'...")])
    with pytest.raises(AssertionError, match="does not show"):
        Reader("page").follow([refused])
    with pytest.raises(AssertionError, match="No such option"):
        Reader("page").follow([Block("shell", "loyalty check nowhere.toml --no-such-option\n")])


# The reference

DIRECTIVE = re.compile(r"^\.\. auto(module|class|function|exception|data):: (\S+)$", flags=re.MULTILINE)
#: Top-level modules whose names serve other modules alone.
INSIDE = {"files"}


def shown_in_the_reference() -> list[tuple[str, str]]:
    return [found for page in (DOCS / "api").glob("*.rst") for found in DIRECTIVE.findall(page.read_text("utf-8"))]


def object_named(name: str) -> object:
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def test_every_public_name_stands_in_the_reference_once():
    shown = [name for kind, name in shown_in_the_reference() if kind != "module"]
    assert len(shown) == len(set(shown))
    assert {f"loyalty.{name}" for name in loyalty.__all__} - set(shown) == {"loyalty.__version__"}


def test_every_door_of_a_module_stands_in_the_reference():
    whole = {name for kind, name in shown_in_the_reference() if kind == "module"}
    shown = {id(object_named(name)) for kind, name in shown_in_the_reference() if kind != "module"}
    places = {path.stem for path in Path(loyalty.__file__).parent.glob("*.py")} - {"__init__", *INSIDE}
    places |= {path.parent.name for path in Path(loyalty.__file__).parent.glob("*/__init__.py")}
    missing = []
    for place in sorted(places):
        module = importlib.import_module(f"loyalty.{place}")
        if module.__name__ in whole:
            assert module.__all__, f"{place}: nothing would be shown of it"
            continue
        doors = getattr(module, "__all__", [])
        missing += [f"loyalty.{place}.{name}" for name in doors if id(getattr(module, name)) not in shown]
    assert missing == []


# Pages that stand elsewhere


def test_links_of_a_page_shown_lead_on_from_where_it_is_shown(tmp_path):
    pytest.importorskip("sphinx", reason="the extra `docs` is not installed")
    spec = importlib.util.spec_from_file_location("repository_pages", DOCS / "_ext" / "repository_pages.py")
    pages = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pages)
    docs = tmp_path / "docs"
    (docs / "project").mkdir(parents=True)
    (docs / "project" / "data.md").write_text("```{include} ../../data/README.md\n```\n")
    (docs / "own.md").write_text("# Not shown\n\n```{include} ../data/README.md\n```\n")
    shown = pages.find_shown(docs)
    assert shown == {tmp_path / "data" / "README.md": docs / "project" / "data.md"}
    text = "[a](data/README.md#checksums) [b](LICENSE) [c](https://x.org/y) [d](#here) [e](docs/own.md)"
    turned = pages.turn_links(text, shown=tmp_path / "README.md", page=docs / "project" / "x.md", pages=shown)
    assert turned == "[a](data.md#checksums) [b](../../LICENSE) [c](https://x.org/y) [d](#here) [e](../own.md)"
