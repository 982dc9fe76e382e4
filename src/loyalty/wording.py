"""How words, numbers, money and dates are written in English and in Korean, for reasons and for the managers' page."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from math import floor, isfinite, log10
from typing import Literal, get_args

Language = Literal["en", "ko"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

NBSP, MINUS, NONE = "\u00a0", "\u2212", "–"
LONGEST = 120
"""Characters shown of one name from the data; a longer one is cut and says so."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SYMBOLS = {
    "AUD": "A$",
    "BRL": "R$",
    "CAD": "C$",
    "CNY": "CN¥",
    "EUR": "€",
    "GBP": "£",
    "INR": "₹",
    "JPY": "¥",
    "KRW": "₩",
    "USD": "$",
}
_KOREAN_MONEY = {"CNY": "위안", "EUR": "유로", "GBP": "파운드", "JPY": "엔", "KRW": "원", "USD": "달러"}
#: Signs that stand for one currency, or whose word in Korean is one.
_CODES = {"$": "USD", "€": "EUR", "£": "GBP", "₩": "KRW"}
_NO_CENTS = {"JPY", "KRW"}
_MOST_MORE = 3
"""Digits added at the most to tell numbers apart that stand beside each other."""
_SCALES = {"en": ((1e12, "T"), (1e9, "B"), (1e6, "M")), "ko": ((1e12, "조"), (1e8, "억"), (1e4, "만"))}


@dataclass(frozen=True)
class Writing:
    r"""How numbers, money, dates and counts are written in one language.

    Parameters
    ----------
    language : {"en", "ko"}
        Language of everything returned.
    currency : str or None
        Currency of all money: an ISO code such as ``"GBP"``, or any sign; none writes bare numbers.

    Raises
    ------
    ValueError
        If the language is not known.

    Examples
    --------
    >>> Writing("en", currency="KRW").money(3.89e9)
    '₩3.89\xa0B'
    >>> Writing("ko", currency="KRW").money(3.89e9)
    '38.9억\xa0원'
    """

    language: Language
    currency: str | None = None

    def __post_init__(self) -> None:
        if self.language not in LANGUAGES:
            raise ValueError(f"`language` must be 'en' or 'ko'; got {self.language!r}.")

    def number(self, value: float, *, digits: int = 0) -> str:
        """Write grouped digits with a true minus, or a dash for what is not known."""
        if not isfinite(value):
            return NONE
        text = f"{abs(value):,.{digits}f}"
        return f"{MINUS}{text}" if value < 0 and not is_nought(text) else text

    def signed(self, value: float, *, digits: int = 0) -> str:
        """Write a number with its sign, also where it is above 0; what is 0 as written has none.

        Examples
        --------
        >>> [Writing("en").signed(value, digits=1) for value in (1.25, 0.04, -0.04)]
        ['+1.2', '0.0', '0.0']
        """
        text = self.number(value, digits=digits)
        return f"+{text}" if value > 0 and not is_nought(text) else text

    def percent(self, share: float, *, digits: int = 0) -> str:
        """Write a share as a percentage."""
        return f"{self.number(share * 100, digits=digits)}%" if isfinite(share) else NONE

    def risk(self, share: float) -> str:
        """Write a probability as a percentage, small ones with a digit more, so that they do not become nothing.

        Examples
        --------
        >>> [Writing("en").risk(share) for share in (0.0072, 0.0085, 0.26)]
        ['0.7%', '0.9%', '26%']
        """
        return self.percent(share, digits=_digits_of_risk(share))

    def risks(self, shares: Sequence[float]) -> list[str]:
        """Write probabilities that stand beside each other, such as cut points, with digits enough to tell them apart.

        Examples
        --------
        >>> Writing("en").risks((0.0072, 0.0074)), Writing("en").risks((0.15, 0.35))
        (['0.72%', '0.74%'], ['15%', '35%'])
        """
        return _told_apart(shares, lambda share, more: self.percent(share, digits=_digits_of_risk(share) + more))

    def points(self, points: float, *, digits: int = 1, short: bool = False) -> str:
        """Write a difference of percentages."""
        if not isfinite(points):
            return NONE
        text = self.number(points, digits=digits)
        if self.language == "ko":
            return f"{text}%p"
        return f"{text}{NBSP}{'pp' if short else 'point' if text == '1.0' else 'points'}"

    def money(self, amount: float) -> str:
        """Write money in three figures from a million (ko: 백만) on, whole below, with cents below 100."""
        return self._money(amount)

    def money_cuts(self, amounts: Sequence[float]) -> list[str]:
        r"""Write amounts that stand beside each other, each as `money` does, with digits enough to tell them apart.

        Examples
        --------
        >>> Writing("en", currency="GBP").money_cuts((1.5e6, 1.504e6))
        ['£1.5\xa0M', '£1.504\xa0M']
        """
        return _told_apart(amounts, lambda amount, more: self._money(amount, more=more))

    def money_ends(self, lower: float, upper: float) -> tuple[str, str]:
        r"""Write the two ends of a range in one scale, that of the larger, with digits enough to tell them apart.

        Examples
        --------
        >>> Writing("en", currency="GBP").money_ends(550_308, 1.95e6)
        ('£0.55\xa0M', '£1.95\xa0M')
        """
        largest = max((abs(end) for end in (lower, upper) if isfinite(end)), default=0.0)
        low, high = _told_apart((lower, upper), lambda end, more: self._money(end, beside=largest, more=more))
        return low, high

    def _money(self, amount: float, *, beside: float = 0.0, more: int = 0) -> str:
        """Write money in the scale of an amount that stands `beside` it, if that is larger, with `more` digits."""
        if not isfinite(amount):
            return NONE
        code = (self.currency or "").strip().upper()
        code = _CODES.get(code, code)
        figure, scale = _scaled(
            abs(amount), language=self.language, cents=code not in _NO_CENTS, beside=beside, more=more
        )
        sign = MINUS if amount < 0 and not is_nought(figure) else ""
        if self.language == "ko":
            unit = _KOREAN_MONEY.get(code) or shown(self.currency or "", longest=8)
            joint = NBSP if scale or (unit and code not in _KOREAN_MONEY) else ""
            return f"{sign}{figure}{scale}{joint}{unit}".strip(NBSP)
        symbol = _SYMBOLS.get(code) or shown(self.currency or "", longest=8)
        lead = f"{symbol}{NBSP}" if len(symbol) > 2 and code not in _SYMBOLS else symbol
        return f"{sign}{lead}{figure}{NBSP + scale if scale else ''}"

    def date(self, day: date) -> str:
        """Write a day: 1 Nov 2026, 2026년 11월 1일."""
        if self.language == "ko":
            return f"{day.year}년 {day.month}월 {day.day}일"
        return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"

    def days(self, count: float) -> str:
        """Write a length of time in days."""
        return self.value(count, "days")

    def clients(self, count: float) -> str:
        """Write a number of clients."""
        if self.language == "ko":
            return f"{self.number(count)}명"
        return f"{self.number(count)} {'client' if count == 1 else 'clients'}"

    def value(self, value: float, unit: str) -> str:
        """Write what a feature measured: money, days and shares in their unit, all else as a bare number."""
        if not isfinite(value):
            return NONE
        if unit == "money":
            return self.money(value)
        if unit == "share":
            return self.risk(value)
        if unit != "days":
            return self._bare(value)
        text = self.number(value, digits=1 if abs(value) < 10 and value != round(value) else 0).removesuffix(".0")
        return f"{text}일" if self.language == "ko" else f"{text}{NBSP}{'day' if text == '1' else 'days'}"

    def _bare(self, value: float) -> str:
        """Write two figures after the point at most, and of very small numbers the first two."""
        size = abs(value)
        if size >= 100 or value == round(value):
            return self.number(value)
        digits = 1 if size >= 10 else 2 if size >= 0.1 else 1 - floor(log10(size))
        text = self.number(value, digits=min(digits, 8))
        return text.rstrip("0").rstrip(".")


def shown(text: str, *, longest: int = LONGEST) -> str:
    r"""Text from the data as it can be shown: one line, nothing hidden, not too long.

    Parameters
    ----------
    text : str
        Anything; markup is left for the page to escape.
    longest : int, default=120
        Characters kept; the last of them says that more was there.

    Returns
    -------
    str
        White space becomes single blanks; control characters, lone
        surrogates and marks that turn the writing direction become their
        code point in brackets.

    Examples
    --------
    >>> shown("pay\u202eoff\x00"), shown("x" * 9, longest=5)
    ('pay⟨U+202E⟩off⟨U+0000⟩', 'xxxx…')
    """
    line = " ".join(text[: 4 * longest].split())
    whole = len(line) <= longest and len(text) <= 4 * longest
    kept = line if whole else f"{line[: longest - 1]}…"
    return "".join(f"⟨U+{ord(sign):04X}⟩" if _hidden(sign) else sign for sign in kept)


def _hidden(sign: str) -> bool:
    turning = "\u202a" <= sign <= "\u202e" or "\u2066" <= sign <= "\u2069" or sign in "\u200e\u200f\u061c"
    return turning or unicodedata.category(sign) in ("Cc", "Cs")


def fit_particles(text: str) -> str:
    """Fill each marked pair of Korean particles with the one that fits.

    Parameters
    ----------
    text : str
        Text with pairs such as ``[은/는]``, ``[이/가]``, ``[을/를]``,
        ``[과/와]``, the first for words that end in a consonant.

    Returns
    -------
    str
        Closing quotes and a bracketed remark before the pair are looked
        through. After letters whose Korean reading is not certain both
        forms are written, as is customary.

    Examples
    --------
    >>> fit_particles("‘재구매율’[이/가] 58%[을/를], 고객 20명[은/는] 구매 횟수(90일)[이/가] BTYD[을/를]")
    '‘재구매율’이 58%를, 고객 20명은 구매 횟수(90일)가 BTYD를'
    >>> fit_particles("visits[이/가]")
    'visits이(가)'
    """
    parts = re.split(r"\[(은/는|이/가|을/를|과/와)\]", text)
    out = parts[0]
    for pair, after in zip(parts[1::2], parts[2::2], strict=True):
        closed, opened = pair.split("/")
        ending = ends_in_consonant(out)
        out += (closed if ending else opened) if ending is not None else f"{closed}({opened})"
        out += after
    return out


def fit_number(text: str, number: str) -> str:
    """Choose singular or plural, after a number as it is written.

    Parameters
    ----------
    text : str
        English with pairs such as ``[order/orders]``.
    number : str
        Decides them all.

    Examples
    --------
    >>> fit_number("1.0 [order/orders]", "1.0"), fit_number("1 [order/orders]", "1")
    ('1.0 orders', '1 order')
    """
    return re.sub(r"\[([^/\[\]]+)/([^/\[\]]+)\]", r"\1" if number == "1" else r"\2", text)


def ends_in_consonant(text: str) -> bool | None:
    """Whether a word, read aloud in Korean, ends in a consonant.

    Parameters
    ----------
    text : str
        The word; only its end matters.

    Returns
    -------
    bool or None
        None when the reading is not certain.
    """
    bare = re.sub(r"(?<=.)\s*[(\[][^()\[\]]*[)\]]\s*$", "", text.rstrip("’”\"'」』> ")).rstrip("’”\"'」』>)] ")
    last = bare[-1:]
    if "가" <= last <= "힣":
        return (ord(last) - ord("가")) % 28 != 0
    if last.isascii() and last.isdigit():
        return last in "013678"
    if last == "%" or bare.endswith("%p"):
        return False
    if last.isascii() and last.isupper() and (len(bare) < 2 or not bare[-2].islower()):
        return last in "LMNR"
    return None


def sentence(phrase: str) -> str:
    """Begin a phrase with a capital."""
    return phrase[:1].upper() + phrase[1:]


def is_nought(written: str) -> bool:
    """Whether a number, as it is written, is 0, and so has no sign.

    Examples
    --------
    >>> is_nought("0.000"), is_nought("0.001")
    (True, False)
    """
    return not any(digit in "123456789" for digit in written)


def _digits_of_risk(share: float) -> int:
    return 1 if 0 < abs(share) < 0.0995 else 0


def _told_apart(values: Sequence[float], write: Callable[[float, int], str]) -> list[str]:
    """Write values with as few digits more as tell those apart that differ; with none more if a few would not."""
    for more in range(_MOST_MORE + 1):
        texts = [write(value, more) for value in values]
        if len(set(texts)) == len(set(values)):
            return texts
    return [write(value, 0) for value in values]


def _scaled(amount: float, *, language: Language, cents: bool, beside: float, more: int) -> tuple[str, str]:
    """Digits and scale word of an amount that is not negative."""
    factor, word = _scale_of(max(amount, beside), language)
    if not word:
        small = cents and amount != round(amount) and (amount < 99.995 or more > 0)
        return f"{amount:,.{2 if small else 0}f}", ""
    rounded = float(f"{amount / factor:.3g}")
    size = floor(log10(rounded)) if rounded else 0
    # Three figures; of what is small for its scale two, and none beyond the thousandth of the scale.
    digits = max(0, 2 - size) if size >= 0 else min(3, 1 - size)
    text = f"{amount / factor:,.{digits + more}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text, "" if is_nought(text) else word


def _scale_of(amount: float, language: Language) -> tuple[float, str]:
    """Factor and word of the scale in which an amount is at least 1 as written; no word below a million."""
    if amount < 999_999.5:
        return 1.0, ""
    return next((factor, word) for factor, word in _SCALES[language] if float(f"{amount / factor:.3g}") >= 1)
