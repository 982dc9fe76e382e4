"""Small pieces that several chapters of the managers' page are made of."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup

from loyalty.report.run_folder import Total
from loyalty.report.text import Speech
from loyalty.wording import NONE, sentence, shown

Section = dict[str, Any]
Meanings = Mapping[str, Mapping[str, str]]

COVERAGE = 0.9
"""Of every interval of money in a run; that of `SpendIntervals` and of `portfolio_interval`."""

MODEL = "lightgbm"
"""The model that the page is about, as ``metrics.json`` calls it."""

_EVEN = 0.005
"""A difference of totals of less than half a percent is none."""

SIZES = {
    "gain": {"wide": (420, 290), "narrow": (225, 210)},
    "calibration": {"wide": (420, 380), "narrow": (225, 225)},
}
"""Width and height: each curve is drawn twice; the page shows the one that fits the room there is."""


def drawings(figure: str, draw: Callable[[str, int, int], str]) -> list[Section]:
    """Draw a figure in each size.

    What stands in it are our own words and numbers, written as text by Vega.

    Parameters
    ----------
    figure : str
        A key of `SIZES`.
    draw : callable
        From name, width and height to one ``<svg>`` element.

    Returns
    -------
    list of dict
        `room` (``wide``, ``narrow``) and `svg`.
    """
    drawn = {room: draw(f"{figure}-{room}", width, height) for room, (width, height) in SIZES[figure].items()}
    return [{"room": room, "svg": Markup(svg)} for room, svg in drawn.items()]  # noqa: S704


def range_of(lower: float | None, upper: float | None, speech: Speech) -> str:
    """Say between which two amounts, in one scale, something lies; nothing where that is not known.

    Parameters
    ----------
    lower, upper : float or None
        The ends.
    speech : Speech
        Language of the words.

    Returns
    -------
    str
        Words, or an empty string.
    """
    if lower is None or upper is None or pd.isna(lower) or pd.isna(upper):
        return ""
    return speech.span(*speech.money_ends(lower, upper))


def bound(total: Total | None, speech: Speech) -> str:
    """Say between which two amounts a total lies; nothing where it could not be bounded.

    Parameters
    ----------
    total : Total or None
        Of a run.
    speech : Speech
        Language of the words.

    Returns
    -------
    str
        Words, or an empty string.
    """
    return "" if total is None else range_of(total.lower, total.upper, speech)


def signed(number: float | None, speech: Speech, *, digits: int = 0) -> str:
    """Write a number with its sign, also where it is above 0.

    Parameters
    ----------
    number : float or None
        What is written; a dash for what is not known.
    speech : Speech
        Language of the words.
    digits : int, default=0
        After the point.

    Returns
    -------
    str
        No sign where it is 0 as written.

    Examples
    --------
    >>> [signed(number, Speech("en"), digits=1) for number in (1.25, -0.04, None)]
    ['+1.2', '0.0', '–']
    """
    if number is None or pd.isna(number):
        return NONE
    return speech.signed(number, digits=digits)


def signed_range(lower: float | None, upper: float | None, speech: Speech, *, digits: int = 1) -> str:
    """Write two ends with their signs; a dash where they are not known.

    Parameters
    ----------
    lower, upper : float or None
        The ends.
    speech : Speech
        Language of the words.
    digits : int, default=1
        After the point.

    Returns
    -------
    str
        Words.
    """
    if lower is None or upper is None or pd.isna(lower) or pd.isna(upper):
        return NONE
    return speech.span(speech.signed(lower, digits=digits), speech.signed(upper, digits=digits))


def against(*, expected: float, value: float, speech: Speech) -> str:
    """Set what was predicted beside what came, and say by how much it was off.

    Parameters
    ----------
    expected, value : float
        Money, predicted and real.
    speech : Speech
        Language of the words.

    Returns
    -------
    str
        A clause; of less than half a percent nothing is said.

    Examples
    --------
    >>> against(expected=120.0, value=100.0, speech=Speech("en"))
    '120 was predicted and 100 came: 20% too high'
    """
    words = {"expected": speech.money(expected), "value": speech.money(value)}
    off = expected / value - 1 if value > 0 else 0.0
    if abs(off) < _EVEN:
        return speech("total.even", **words)
    side = speech("total.high" if off > 0 else "total.low")
    return speech("total.off", off=speech.percent(abs(off)), side=side, **words)


def told(cells: Iterable[str], hidden: bool, speech: Speech) -> list[str]:
    """Write the cells of a row as they are, or each as hidden.

    Parameters
    ----------
    cells : iterable of str
        The row but for its name.
    hidden : bool
        Whether the row tells of too few clients.
    speech : Speech
        Language of the words.

    Returns
    -------
    list of str
        As many cells.
    """
    return [speech("hidden") if hidden else cell for cell in cells]


def meaning_of(feature: str, meaning: str | None, meanings: Meanings, language: str) -> str:
    """Say what a feature measures, fit to be shown.

    Parameters
    ----------
    feature : str
        Its name, which is said where nothing better is known.
    meaning : str or None
        What the run says that it measures.
    meanings : mapping
        Feature name → language → noun phrase.
    language : {"en", "ko"}
        Language of the words.

    Returns
    -------
    str
        One line.
    """
    return sentence(shown(meaning or meanings.get(feature, {}).get(language) or feature)) or NONE
