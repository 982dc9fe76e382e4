"""The managers' page as a PDF, by WeasyPrint: on A4, with its fonts within, and nothing fetched from anywhere."""

import logging
from typing import Any

REMEDY = (
    "A PDF needs the extra `pdf` and Pango, a library of the system. Install them: pip install 'loyalty[pdf]', and on "
    "Debian apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-nanum (Korean letters); "
    "or leave out `pdf` and print the page from a browser."
)


class PdfMissingError(ImportError):
    """WeasyPrint, or a library of the system that it needs, is not installed."""


def as_pdf(page: str) -> bytes:
    """Lay a page out on A4.

    Parameters
    ----------
    page : str
        The HTML document of `loyalty.report.page.render_page`, which holds all it needs.

    Returns
    -------
    bytes
        The PDF, tagged so that it can be read aloud; the same page gives the same bytes.

    Raises
    ------
    PdfMissingError
        If WeasyPrint or its library of the system is missing.
    """
    weasyprint = _weasyprint()
    document = weasyprint.HTML(string=page, url_fetcher=_refuse)
    return document.write_pdf(pdf_variant="pdf/ua-1")


def _weasyprint() -> Any:
    try:
        import weasyprint
    except (ImportError, OSError) as error:
        raise PdfMissingError(f"{REMEDY} ({error})") from error
    # What its CSS does not know, the page does without; that is no news to who asked for a report.
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    return weasyprint


def _refuse(url: str, *_: object, **__: object) -> Any:
    raise ValueError(f"the page must hold all it needs, and asks for {url!r}")
