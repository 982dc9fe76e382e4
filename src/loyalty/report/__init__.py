"""What a run left in its folder, written up: the managers' page, and the model card for the data scientist."""

import dataclasses
from pathlib import Path

from loyalty.features import CATALOGUE
from loyalty.files import METRICS_FILE, replace_file
from loyalty.report.card import render_card
from loyalty.report.page import render_page
from loyalty.report.pdf import PdfMissingError, as_pdf
from loyalty.report.run_folder import read_metrics, read_run_folder
from loyalty.report.small_cells import SMALLEST
from loyalty.wording import LANGUAGES, Language

__all__ = ["PdfMissingError", "write_card", "write_report"]

REPORT_FILE = "report.html"
WITHOUT_CLIENTS_FILE = "report-without-clients.html"
CARD_FILE = "model_card.md"


def page_path(out: str | Path, *, clients: bool = True) -> Path:
    """Say where `write_report` writes the page of a run; its PDF stands beside it, ending in ``.pdf``.

    Parameters
    ----------
    out : str or Path
        Folder of a run.
    clients : bool, default=True
        Whether the page may name clients.

    Returns
    -------
    Path
        The page, whether or not it is there.

    Examples
    --------
    >>> page_path("out/shop", clients=False).name
    'report-without-clients.html'
    """
    return Path(out) / (REPORT_FILE if clients else WITHOUT_CLIENTS_FILE)


def write_report(out: str | Path, *, language: Language | None = None, pdf: bool = False, clients: bool = True) -> Path:
    """Write the managers' page of a run into its folder.

    The page holds no script and asks for nothing from outside; it can be
    mailed, printed on A4 and read without a network. It carries no date of
    its own: the same run gives the same page.

    Parameters
    ----------
    out : str or Path
        Folder of a finished run: `metrics.json`, `backtest.parquet`,
        `scores.parquet`.
    language : {"en", "ko"}, optional
        Language of the page; by default that of the run's config. A run that did not keep it is told in English.
    pdf : bool, default=False
        Write the page as a PDF too, beside it and by its name; this needs
        the extra ``pdf``. It has the fonts of this machine within. Without,
        a PDF of the page before is removed, for it may tell something else.
    clients : bool, default=True
        Whether the page may name clients. Without, it has no row of a client and no notes, and groups of 1 to 9
        clients are hidden or merged, with so many others that none follows from a total; it goes into a file of its
        own.

    Returns
    -------
    Path
        The page, ``out/report.html`` or ``out/report-without-clients.html``;
        it, and the PDF, are each replaced as a whole or not at all.

    Raises
    ------
    FileNotFoundError
        If `out` lacks one of the three files.
    ValueError
        If `language` is unknown, a file does not hold what it should, or
        `clients` is false and fewer than ten clients were scored.
    PdfMissingError
        If `pdf` is asked for and WeasyPrint, or its library of the system, is not installed; nothing is written.

    Examples
    --------
    A folder without a run is refused, with a way out:

    >>> write_report("no-such-folder")
    Traceback (most recent call last):
      ...
    FileNotFoundError: `out` must be the folder of a finished run; 'no-such-folder' lacks metrics.json, ...
    """
    if language is not None and language not in LANGUAGES:
        raise ValueError(f"`language` must be one of {', '.join(LANGUAGES)}; got {language!r}.")
    run = dataclasses.replace(read_run_folder(out), clients=clients)
    if not clients and len(run.scores) < SMALLEST:
        raise ValueError(
            f"`clients=False` needs at least {SMALLEST} scored clients, as every number would tell of fewer; got "
            f"{len(run.scores)}. Leave it out, and share the page only with those who may see these clients."
        )
    meanings = {name: {**feature.meaning, "unit": feature.unit} for name, feature in CATALOGUE.items()}
    page = render_page(run, language=language or run.metrics.language, meanings=meanings)
    path = page_path(out, clients=clients)
    printed = as_pdf(page) if pdf else None
    replace_file(path, lambda file: file.write_text(page, encoding="utf-8", newline="\n"))
    if printed is None:
        path.with_suffix(".pdf").unlink(missing_ok=True)
    else:
        replace_file(path.with_suffix(".pdf"), lambda file: file.write_bytes(printed))
    return path


def write_card(out: str | Path) -> Path:
    """Write the model card of a run into its folder, in Markdown.

    For the data scientist: the data, the population, the label and the cutoffs; what the models are made of; every
    figure with its interval beside the baselines', also within groups of clients and for the attributes that the
    config's ``[card]`` names; and where the models end.

    Parameters
    ----------
    out : str or Path
        Folder of a finished run, with its ``metrics.json``.

    Returns
    -------
    Path
        The card, ``out/model_card.md``; it is replaced as a whole or not at all.

    Raises
    ------
    FileNotFoundError
        If `out` is not the folder of a run.
    ValueError
        If ``metrics.json`` does not hold what it should.

    Examples
    --------
    >>> write_card("no-such-folder")
    Traceback (most recent call last):
      ...
    FileNotFoundError: `out` must be the folder of a finished run; 'no-such-folder' lacks metrics.json. ...
    """
    folder = Path(out)
    if not (folder / METRICS_FILE).is_file():
        raise FileNotFoundError(
            f"`out` must be the folder of a finished run; {str(folder)!r} lacks {METRICS_FILE}. "
            "Make one with `loyalty run CONFIG --data DIR --out OUT`."
        )
    card = render_card(read_metrics(folder / METRICS_FILE))
    return replace_file(folder / CARD_FILE, lambda path: path.write_text(card, encoding="utf-8", newline="\n"))
