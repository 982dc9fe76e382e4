"""How histories look in a notebook."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd

__all__ = ["as_html"]


def as_html(tables: Mapping[str, Mapping[str, Any]], *, observed_until: pd.Timestamp, notes: Sequence[str]) -> str:
    """Write what the histories hold as a table: a row a table of theirs, the notes beneath.

    Parameters
    ----------
    tables : mapping of table name to mapping
        Of each table: how many `rows` and `clients`, the `first` and the `last` day, and its `columns`.
    observed_until : Timestamp
        Up to when they were recorded.
    notes : sequence of str
        What was done or is worth knowing.

    Returns
    -------
    str
        HTML in which nothing of the data can be anything but text.

    Examples
    --------
    A column's name is text, whatever it says:

    >>> day = pd.Timestamp("2024-01-01")
    >>> told = {"rows": 1200, "clients": 1, "first": day, "last": day, "columns": ["<script>"]}
    >>> page = as_html({"clients": told}, observed_until=day, notes=[])
    >>> "1,200" in page, "<script>" in page, "&lt;script&gt;" in page
    (True, False, True)
    """
    head = "".join(f"<th>{what}</th>" for what in ("rows", "clients", "first", "last", "columns"))
    rows = "".join(_row(name, **told) for name, told in tables.items())
    said = f"Histories, observed until {observed_until:%Y-%m-%d}; first and last are days."
    listed = "".join(f"<li>{escape(note)}</li>" for note in notes)
    beneath = f"<p>Worth knowing:</p><ul>{listed}</ul>" if listed else ""
    return (
        f"<table><caption>{said}</caption><thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table>{beneath}"
    )


def _row(name: str, *, rows: int, clients: int, first: pd.Timestamp, last: pd.Timestamp, columns: Sequence[str]) -> str:
    counts = "".join(f"<td>{count:,}</td>" for count in (rows, clients))
    days = "".join(f'<td style="white-space: nowrap">{day:%Y-%m-%d}</td>' for day in (first, last))
    named = f'<td style="text-align: left">{escape(", ".join(columns))}</td>'
    return f"<tr><th>{escape(name)}</th>{counts}{days}{named}</tr>"
