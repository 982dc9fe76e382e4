"""From a text to its terms: words, pieces of characters, Korean morphemes.

A text is cleaned, then parsed (by kiwipiepy, or not at all), and what comes of it, an item, is read. The *reading* says
which terms are taken from an item: ``pieces`` or ``words``; or ``morphemes`` or ``contents``, of morphemes.
"""

import importlib
import importlib.metadata
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = [
    "LONGEST",
    "batches",
    "cleaned",
    "counted",
    "finder",
    "frequent_terms",
    "kiwi_version",
    "parsed",
    "stop_words",
]

Ints = NDArray[np.int64]
Item = Any  # a cleaned text; or its morphemes, each with its part of speech
Finder = Callable[[Sequence[Item]], tuple[Ints, Ints]]

LONGEST = 10_000  # characters read of one text
_BATCH = 500_000  # characters or morphemes read at once
_PIECE = 4

# Too common to name a theme in Korean; for English, scikit-learn has such a list.
_KOREAN_STOP_WORDS: Final = """
    정말 너무 너무나 너무너무 진짜 그냥 완전 아주 매우 조금 많이 가장 제일 역시 다시 계속 모두 그리고 그런데 하지만
    그래도 그래서 근데 이런 그런 저런 이렇게 그렇게 이거 이건 이게 그거 그건 저는 제가 내가 나는 우리 있는 있어 있고
    있다 있습 없는 없어 없고 없다 없습 하는 하고 해서 했는 했습 합니 입니 같은 같아 같습 보고 ㅋㅋ ㅎㅎ ㅠㅠ ㅜㅜ
"""


def stop_words() -> frozenset[str]:
    """Return the words that name no theme."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return ENGLISH_STOP_WORDS.union(_KOREAN_STOP_WORDS.split())


# Cleaning


class _Folds(dict[int, str]):
    """What each character is read as, found out once: digits of any kind as #, blanks as a space."""

    def __missing__(self, code: int) -> str:
        kind = unicodedata.category(chr(code))
        if kind[0] == "N":
            folded = "#"
        elif kind[0] == "Z" or kind in ("Cc", "Cs") or code == 0x200B:
            folded = " "
        else:
            folded = "" if kind == "Cf" else chr(code)
        self[code] = folded
        return folded


_FOLDS: Final = _Folds()
_ADDRESS: Final = re.compile(r"\w@\w|://|www\.|\w\.[a-z]{2,}/")


def cleaned(text: str) -> str:
    """Write a text in small letters and single spaces, words with an address or a link as @ and digits as #.

    Examples
    --------
    >>> cleaned("Call 010-1234 or write to KIM@example.com, see https://example.com/a?b!")
    'call ###-#### or write to @ see @'
    """
    text = unicodedata.normalize("NFC", text[:LONGEST]).lower()
    if ("@" in text or "/" in text or "www." in text) and _ADDRESS.search(text):
        text = " ".join("@" if _ADDRESS.search(word) else word for word in text.split())
    return " ".join(text.translate(_FOLDS).split())


def batches(items: Sequence[Item]) -> Iterator[slice]:
    """Divide items so that no part is very long."""
    ends = np.cumsum([len(item) for item in items], dtype="int64")
    start = 0
    while start < len(items):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + _BATCH, side="right")))
        yield slice(start, stop)
        start = stop


# Finding terms


def frequent_terms(reading: str, items: Sequence[Item], least: int) -> set[str]:
    """Return every term that stands at least so many times in the items.

    Examples
    --------
    >>> sorted(frequent_terms("words", ["a lamp", "lamp oil", "상품이", "상품은"], 2))
    ['lamp', '상품']
    """
    if reading == "pieces":
        return _frequent_pieces(items, least)
    counts: Counter[str] = Counter()
    for item in items:
        counts.update(_SPLITS[reading](item))
    return {term for term, count in counts.items() if count >= least}


def finder(reading: str, names: Sequence[str]) -> Finder:
    """Return what finds the named terms in items: rows and columns, one pair each time a term stands there.

    Examples
    --------
    >>> find = finder("pieces", ["a", "ab", " a"])
    >>> [pair.tolist() for pair in counted(find(["abba", "b a"]), 3)]
    [[0, 0, 0, 1, 1], [0, 1, 2, 0, 2], [2, 1, 1, 1, 1]]
    """
    return _PieceFinder(names) if reading == "pieces" else _NameFinder(names, _SPLITS[reading])


def counted(found: tuple[Ints, Ints], width: int) -> tuple[Ints, Ints, Ints]:
    """Return the different pairs of row and column, sorted, and how often each was found."""
    pairs, counts = _run_lengths(found[0] * width + found[1])
    rows = pairs // max(width, 1)
    return rows, pairs - rows * width, counts


def _run_lengths(values: Ints) -> tuple[Ints, Ints]:
    """Return the different values, sorted, and how often each stands there; faster than `numpy.unique`."""
    ordered = np.sort(values)
    differs = np.ones(len(ordered), dtype=bool)
    differs[1:] = ordered[1:] != ordered[:-1]
    first = np.flatnonzero(differs)
    return ordered[first], np.diff(first, append=len(ordered))


class _NameFinder:
    """Find terms that a function takes from an item."""

    def __init__(self, names: Sequence[str], split: Callable[[Item], list[str]]) -> None:
        self._places = {name: place for place, name in enumerate(names)}
        self._split = split

    def __call__(self, items: Sequence[Item]) -> tuple[Ints, Ints]:
        place = self._places.get
        found = [[at for term in self._split(item) if (at := place(term)) is not None] for item in items]
        rows = np.repeat(np.arange(len(items)), [len(places) for places in found])
        return rows, np.array([at for places in found for at in places], dtype="int64")


_WORD: Final = re.compile(r"[^\W_]+")


def _words(text: str) -> list[str]:
    """Take the words of two characters and more; of Korean ones the beginnings, since particles follow."""
    terms = []
    for word in _WORD.findall(text):
        if "가" <= word[0] <= "힣":
            terms += [word[:length] for length in (2, 3, 4) if len(word) >= length]
        elif len(word) > 1:
            terms.append(word)
    return terms


# Pieces of up to four characters. Each is one integer, 16 bits to a character, and they are found by the million.


class _PieceFinder:
    """Find pieces of characters."""

    def __init__(self, names: Sequence[str]) -> None:
        self._alphabet = _alphabet(set("".join(names)))
        keys = [sum(int(self._alphabet[ord(letter)]) << (16 * at) for at, letter in enumerate(name)) for name in names]
        self._keys = pd.Index(np.array(keys, dtype="uint64").view("int64"))
        # A first look makes the table, before several threads may look at once.
        self._keys.get_indexer(self._keys[:1])

    def __call__(self, texts: Sequence[str]) -> tuple[Ints, Ints]:
        rows, columns = [], []
        for row, key in _pieces(texts, self._alphabet):
            column = self._keys.get_indexer(key)
            rows.append(row[column >= 0])
            columns.append(column[column >= 0])
        return np.concatenate(rows), np.concatenate(columns).astype("int64")


def _alphabet(letters: Iterable[str]) -> Ints:
    """Give letters numbers from 2, the space 1, all else 0; the last place is for whatever lies beyond."""
    codes = sorted(ord(letter) for letter in letters if letter != " ")
    numbers = np.zeros(max(codes, default=ord(" ")) + 2, dtype="int64")
    numbers[codes] = np.arange(2, len(codes) + 2)
    numbers[ord(" ")] = 1
    return numbers


def _letters(texts: Sequence[str]) -> tuple[Ints, Ints]:
    """Return the texts' rows and characters, a space before and after each; none between two Korean characters."""
    lengths = [len(text) + 2 for text in texts]
    written = "".join(f" {text} " for text in texts).encode("utf-32-le")
    codes = np.frombuffer(written, dtype="<u4").astype("int64")
    korean = ((codes >= 0xAC00) & (codes <= 0xD7A3)) | ((codes >= 0x3131) & (codes <= 0x3163))
    kept = np.ones(len(codes), dtype=bool)
    kept[1:-1] = (codes[1:-1] != ord(" ")) | ~korean[:-2] | ~korean[2:]
    return np.repeat(np.arange(len(texts)), lengths)[kept], codes[kept]


def _pieces(texts: Sequence[str], alphabet: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Give rows and integers of all pieces of 1, 2, 3 and 4 characters of the alphabet."""
    rows, codes = _letters(texts)
    numbers = alphabet[np.minimum(codes, len(alphabet) - 1)]
    known, letter = numbers > 0, numbers > 1
    yield rows[letter], numbers[letter]
    key, inside = numbers, letter[:-1] | letter[1:]
    for length in range(2, _PIECE + 1):
        starts = len(numbers) - length + 1
        key = key[:starts] | numbers[length - 1 :] << (16 * (length - 1))
        # A space may stand at either end and nowhere within, and two of them are no piece.
        inside = inside[:starts] & (letter[length - 2 : length - 2 + starts] | (length == 2))
        whole = inside & known[:starts] & known[length - 1 :]
        yield rows[:starts][whole], key[whole]


def _frequent_pieces(texts: Sequence[str], least: int) -> set[str]:
    """Return all pieces that stand at least so many times in the texts."""
    letters = Counter(letter for text in texts for letter in text)
    # A piece is no more frequent than its letters; 65,533 of them have a number.
    alphabet = _alphabet(letter for letter, count in letters.most_common(2**16 - 3) if count >= least)
    parts = [_run_lengths(key) for part in batches(texts) for _, key in _pieces(texts[part], alphabet)]
    counts = pd.concat([pd.Series(count, index=key) for key, count in parts]).groupby(level=0).sum()
    keys = counts.index[counts >= least].to_numpy()
    code_of = np.zeros(2**16, dtype="int64")
    code_of[alphabet[alphabet > 0]] = np.flatnonzero(alphabet)
    codes = np.stack([code_of[keys >> (16 * at) & 0xFFFF] for at in range(_PIECE)], axis=1)
    return {"".join(chr(code) for code in row if code) for row in codes.tolist()}


# Korean morphemes, by kiwipiepy


def parsed(reading: str, texts: Sequence[str]) -> Sequence[Item]:
    """Return what a reading reads of each cleaned text."""
    if reading in ("pieces", "words"):
        return texts
    return [tuple((token.form, token.tag) for token in tokens) for tokens in _kiwi().tokenize(list(texts))]


def kiwi_version() -> str:
    """Return the version of kiwipiepy, or say how to install it."""
    try:
        return importlib.metadata.version("kiwipiepy")
    except importlib.metadata.PackageNotFoundError:
        raise ImportError(
            "tokens='kiwi' needs kiwipiepy, which is not installed. In the clone: pip install -e '.[korean]'."
        ) from None


@lru_cache(1)
def _kiwi() -> Any:
    return importlib.import_module("kiwipiepy").Kiwi()


def _morphemes(item: Item) -> list[str]:
    """Take all morphemes, and pairs of neighbours."""
    forms = [form for form, _ in item]
    return forms + [f"{one} {other}" for one, other in pairwise(forms)]


def _contents(item: Item) -> list[str]:
    """Take the nouns, verbs, adjectives, roots and foreign words of two characters and more."""
    return [form for form, tag in item if len(form) > 1 and tag.startswith(("NNG", "NNP", "VV", "VA", "XR", "SL"))]


_SPLITS: Final[dict[str, Callable[[Item], list[str]]]] = {
    "words": _words,
    "morphemes": _morphemes,
    "contents": _contents,
}
