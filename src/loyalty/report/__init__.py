"""The managers' page: one self-contained HTML file made from what a run left in its folder."""

from pathlib import Path

from loyalty.features import CATALOGUE
from loyalty.files import replace_file
from loyalty.report.page import render_page
from loyalty.report.run_folder import read_run_folder
from loyalty.wording import LANGUAGES, Language

__all__ = ["write_report"]

REPORT_FILE = "report.html"


def write_report(out: str | Path, *, language: Language = "en") -> Path:
    """Write the managers' page of a run into its folder.

    The page holds no script and asks for nothing from outside; it can be
    mailed, printed on A4 and read without a network. It carries no date of
    its own: the same run gives the same page.

    Parameters
    ----------
    out : str or Path
        Folder of a finished run: `metrics.json`, `backtest.parquet`,
        `scores.parquet`.
    language : {"en", "ko"}, default="en"
        Language of the page.

    Returns
    -------
    Path
        The page, ``out/report.html``; it is replaced as a whole or not at
        all.

    Raises
    ------
    FileNotFoundError
        If `out` lacks one of the three files.
    ValueError
        If `language` is unknown or a file does not hold what it should.

    Examples
    --------
    A folder without a run is refused, with a way out:

    >>> write_report("no-such-folder")
    Traceback (most recent call last):
      ...
    FileNotFoundError: `out` must be the folder of a finished run; 'no-such-folder' lacks metrics.json, ...
    """
    if language not in LANGUAGES:
        raise ValueError(f"`language` must be one of {', '.join(LANGUAGES)}; got {language!r}.")
    run = read_run_folder(out)
    meanings = {name: {**feature.meaning, "unit": feature.unit} for name, feature in CATALOGUE.items()}
    page = render_page(run, language=language, meanings=meanings)
    return replace_file(Path(out) / REPORT_FILE, lambda path: path.write_text(page, encoding="utf-8", newline="\n"))
