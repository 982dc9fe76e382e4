"""Files that are either there in full or not at all, and tables that no spreadsheet takes for a program."""

import csv
import errno
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "BACKTEST_FILE",
    "METRICS_FILE",
    "SCORES_FILE",
    "UnwritableError",
    "check_writable",
    "replace_file",
    "undisturbed",
    "write_table",
]

#: What a run leaves in its folder, which is that of no run without all three.
METRICS_FILE, BACKTEST_FILE, SCORES_FILE = "metrics.json", "backtest.parquet", "scores.parquet"

#: What a spreadsheet takes for a formula, be it after spaces or full-width.
_FORMULA = re.compile(r"[\t\r\n]|\s*[=+\-@＝＋－＠]")

_FULL = "it is full"
#: Why a file system takes no file, in words.
_REASONS = {
    errno.EACCES: "no permission",
    errno.EPERM: "no permission",
    errno.EROFS: "it can only be read",
    errno.ENOENT: "there is no such folder",
    errno.ENOTDIR: "it is no folder",
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
}


class UnwritableError(OSError):
    """A folder in which nothing can be written, and why.

    Attributes
    ----------
    errno : int
        The system's number of the reason.
    folder : Path
        The folder.
    """

    errno: int

    def __init__(self, number: int, folder: Path) -> None:
        super().__init__(number, _REASONS[number], str(folder))
        self.folder = folder

    def __str__(self) -> str:
        return f"cannot write in the folder {str(self.folder)!r}: {self.strerror}."

    @classmethod
    def of(cls, error: OSError, folder: Path) -> "UnwritableError | None":
        """Tell it of an error met while writing in `folder`; None if that is not what it says."""
        return None if error.errno not in _REASONS else cls(error.errno, folder)


def check_writable(folder: Path) -> None:
    """Find out before the work whether its results can be written.

    Parameters
    ----------
    folder : Path
        Where to; if it is not there, it must be possible to make it.

    Raises
    ------
    UnwritableError
        If neither is so. Nothing is left behind.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile(prefix="notes") as file:
    ...     try:
    ...         check_writable(Path(file.name) / "out")
    ...     except UnwritableError as error:
    ...         print(error)
    cannot write in the folder '...notes...': it is no folder.
    """
    import tempfile

    there = folder.absolute()
    try:
        while not there.exists():
            there = there.parent
        tempfile.TemporaryFile(dir=there).close()
    except OSError as error:
        told = UnwritableError.of(error, folder if folder.absolute() == there else there)
        if told is None:
            raise
        raise told from error


def replace_file(path: Path, write: Callable[[Path], object]) -> Path:
    """Write a file beside `path` and move it there when it is whole.

    Parameters
    ----------
    path : Path
        What is to be replaced; its folder must exist.
    write : callable
        Given the temporary path, writes the content.

    Raises
    ------
    UnwritableError
        If the file system does not take it.

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
    except OSError as error:
        ours = unfinished.name in str(error) and (error.errno != errno.ENOENT or not path.parent.is_dir())
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        told = UnwritableError.of(error, path.parent) if ours or full else None
        if told is None:
            raise
        raise told from error
    finally:
        with suppress(OSError):  # what keeps a file from being written may keep it from being removed
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
