"""Files that are either there in full or not at all, and tables that no spreadsheet takes for a program."""

import csv
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BACKTEST_FILE", "METRICS_FILE", "SCORES_FILE", "replace_file", "undisturbed", "write_table"]

#: What a run leaves in its folder, which is that of no run without all three.
METRICS_FILE, BACKTEST_FILE, SCORES_FILE = "metrics.json", "backtest.parquet", "scores.parquet"

#: What a spreadsheet takes for a formula, be it after spaces or full-width.
_FORMULA = re.compile(r"[\t\r\n]|\s*[=+\-@＝＋－＠]")


def replace_file(path: Path, write: Callable[[Path], object]) -> Path:
    """Write a file beside `path` and move it there when it is whole.

    Parameters
    ----------
    path : Path
        What is to be replaced; its folder must exist.
    write : callable
        Given the temporary path, writes the content.

    Examples
    --------
    A writer that fails leaves what was there:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = replace_file(Path(folder) / "a.txt", lambda path: path.write_text("whole"))
    ...     try:
    ...         replace_file(file, lambda path: path.write_text("half") / 0)
    ...     except ZeroDivisionError:
    ...         print(file.read_text(), len(list(Path(folder).iterdir())))
    whole 1
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let Ctrl-C, or a polite request to end, wait until several files that belong together are all there.

    Examples
    --------
    >>> done = []
    >>> usual = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background has none
    >>> try:
    ...     with undisturbed():
    ...         signal.raise_signal(signal.SIGINT)
    ...         done.append("all files")
    ... except KeyboardInterrupt:
    ...     print(done)
    ['all files']
    >>> done = signal.signal(signal.SIGINT, usual)
    """
    if threading.current_thread() is not threading.main_thread():  # signals reach the main thread alone
        yield
        return
    late: list[int] = []
    before = {sign: signal.signal(sign, lambda sign, _: late.append(sign)) for sign in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)
        for number in late:
            signal.raise_signal(number)


def write_table(table: "pd.DataFrame", path: Path) -> Path:
    """Write a table without its index as Parquet or, made harmless for spreadsheets, as CSV.

    Parameters
    ----------
    table : DataFrame
        In CSV all text stands in quotes, for a line break within an id would begin a row of its own, and text that a
        spreadsheet would take for a formula gets an apostrophe before it.
    path : Path
        Ends in ``.parquet`` or ``.csv``; its folder must exist.

    Raises
    ------
    ValueError
        If `path` ends otherwise.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = write_table(pd.DataFrame({"client_id": ["ann", "=1+1"], "age": [3, 4]}), Path(folder) / "a.csv")
    ...     print(file.read_text(encoding="utf-8"))
    "client_id","age"
    "ann",3
    "'=1+1",4
    <BLANKLINE>
    """
    if path.suffix == ".parquet":
        return replace_file(path, lambda file: table.to_parquet(file, index=False))
    if path.suffix == ".csv":
        safe = _defused(table)
        return replace_file(
            path, lambda file: safe.to_csv(file, index=False, quoting=csv.QUOTE_NONNUMERIC, encoding="utf-8")
        )
    raise ValueError(f"`path` must end in .parquet or .csv; got {path.name!r}.")


def _defused(table: "pd.DataFrame") -> "pd.DataFrame":
    """Put an apostrophe before text that a spreadsheet would take for a formula."""
    told = table.rename(columns=_harmless)
    for name in told.select_dtypes(include=["object", "string", "category"]):
        told[name] = told[name].astype(object).map(_harmless)
    return told


def _harmless(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell
