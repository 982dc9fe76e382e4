"""The commands with their options, as the command line itself knows them, written below their page."""

from pathlib import Path
from typing import Any

import typer
from sphinx.application import Sphinx

from loyalty.cli import app as loyalty

PAGE = "api/command_line"


def describe_commands() -> str:
    """Write a section for each command, in the order of `loyalty --help`."""
    return "\n".join(_section(name, command) for name, command in typer.main.get_command(loyalty).commands.items())


def _section(name: str, command: Any) -> str:
    rows = [_row(parameter) for parameter in command.params]
    table = ["| | |", "|---|---|", *rows] if rows else []
    return "\n".join([f"## `loyalty {name}`", "", command.help, "", *table, "", command.epilog or "", ""])


def _row(parameter: Any) -> str:
    said, default = [parameter.help], parameter.default
    if parameter.required:
        said.append("Needed.")
    elif parameter.show_default and default is not None and default is not False and default not in ("", Path()):
        said.append(f"By default `{default}`.")
    name = parameter.opts[0] if parameter.opts[0].startswith("-") else parameter.name.upper()
    return f"| `{name}` | {' '.join(said)} |"


def _write(app: Sphinx, docname: str, source: list[str]) -> None:
    if docname == PAGE:
        source[0] += "\n" + describe_commands()


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("source-read", _write)
    return {"parallel_read_safe": True}
