"""The managers' page as a PDF, by WeasyPrint: on A4, with its fonts within, and nothing fetched from anywhere."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

REMEDY = (
    "A PDF needs the extra `pdf` and Pango, a library of the system. In the clone: pip install -e '.[pdf]', "
    "on Debian apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-nanum (Korean letters); "
    "or leave out `pdf` and print the page from a browser."
)


class PdfMissingError(ImportError):
    """WeasyPrint, or a library of the system that it needs, is not installed."""


def as_pdf(page: str) -> bytes:
    """Lay a page out on A4.

    Parameters
    ----------
    page : str
        The HTML document of `loyalty.report.page.render_page`, which holds all it needs; one that asks for a file
        or an address is refused.

    Returns
    -------
    bytes
        The PDF, tagged so that it can be read aloud; the same page gives the same bytes.

    Raises
    ------
    PdfMissingError
        If WeasyPrint or its library of the system is missing.
    """
    with _silence("weasyprint", "fontTools"):  # what its CSS does not know, the printed page does without
        weasyprint = _weasyprint()
        nothing = weasyprint.urls.URLFetcher(allowed_protocols=(), fail_on_errors=True)
        return weasyprint.HTML(string=page, url_fetcher=nothing).write_pdf(pdf_variant="pdf/ua-1")


def _weasyprint() -> Any:
    try:
        import weasyprint
    except (ImportError, OSError) as error:
        raise PdfMissingError(f"{REMEDY} ({error})") from error
    return weasyprint


@contextmanager
def _silence(*names: str) -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
