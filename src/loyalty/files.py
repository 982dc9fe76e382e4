"""Files that are either there in full or not at all."""

import os
from collections.abc import Callable
from pathlib import Path

__all__ = ["replace_file"]


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
