"""What clients write: its mood and its themes, learned from the texts a company already has.

Nothing is downloaded, and nothing a single client wrote can be read from a model that is kept: it holds only terms
that many clients have used, without digits, addresses or links.
"""

import json
import math
import warnings
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from loyalty.features._terms import (
    LONGEST,
    batches,
    cleaned,
    counted,
    finder,
    frequent_terms,
    kiwi_version,
    parsed,
    stop_words,
)

__all__ = ["FeedbackModel", "Tokens"]

Tokens = Literal["characters", "kiwi"]
_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]

_READINGS: Final = {"characters": ("pieces", "words"), "kiwi": ("morphemes", "contents")}
_LOW, _HIGH = 2.0, 4.0  # stars: at most and at least
_FEWEST_SCORED = 50
_MIDDLING = 0.5  # weight of a text with a score between low and high, in learning the mood
_LOGISTIC_C = 2.0  # this and the weight: by AUC on the last fifth and sixth of the NSMC training rows
_MOOD_TERMS, _THEME_TERMS = 30_000, 5_000
_COMMONEST = 0.2  # a word that stands in more of the texts than this says little of their themes
_MOST_TEXTS = 100_000
_DECIMALS = 7  # moods then differ by less than 1e-6 from those not rounded
_WRITTEN_AS = "loyalty feedback model 1"


class FeedbackModel:
    """Mood and themes of short texts in Korean and English, as learned from the texts of one company.

    Make one with `fit`, keep it with `to_text`, read it again with `from_text`.

    Attributes
    ----------
    tokens : {"characters", "kiwi"}
        What texts are taken apart into.
    n_themes : int
        Number of themes asked for.
    notes_ : tuple of str
        What could not be learned, and why.

    Notes
    -----
    Mood is a logistic regression on the TF-IDF of pieces of up to four characters, which may begin or end with a
    word but not cross one (between two Korean characters a space counts for nothing, since clients set it as they
    please); with ``tokens="kiwi"``, of morphemes and pairs of neighbours. Themes are a truncated SVD of the TF-IDF of
    words (of a Korean word, its first two, three and four syllables, since particles follow), turned by varimax so
    that each rests on few words [1]_; with ``tokens="kiwi"``, of nouns, verbs and adjectives.

    What is learned is rounded before it is first used, so that a model just fitted and one read from its text give
    the same numbers, bit for bit. A text's numbers do not depend on the texts beside it. Of a text, the first 10,000
    characters are read.

    References
    ----------
    .. [1] Rohe, K. and Zeng, M. (2023). Vintage factor analysis with Varimax performs statistical inference.
       Journal of the Royal Statistical Society B, 85(4), 1037-1060.

    Examples
    --------
    >>> texts = ["A lovely lamp, thank you!", "The lamp came broken. I want my money back."] * 50
    >>> model = FeedbackModel.fit(texts, [5, 1] * 50, clients=range(100), themes=2)
    >>> model.mood(["Lovely, thank you", "Broken again", " ", None]).round(1)
    array([0.9, 0.2, nan, nan])
    """

    tokens: Tokens
    n_themes: int
    notes_: tuple[str, ...]

    def __init__(self, kept: dict[str, Any]) -> None:
        self._kept = kept
        self.tokens = kept["tokens"]
        self.n_themes = kept["n_themes"]
        self.notes_ = tuple(kept["notes"])
        self._mood, self._themes = (None if part is None else _Loaded(part) for part in (kept["mood"], kept["themes"]))

    def __repr__(self) -> str:
        known = [0 if part is None else len(part.terms) for part in (self._mood, self._themes)]
        return f"<FeedbackModel by {self.tokens}: mood from {known[0]} terms, {self.n_themes} themes from {known[1]}>"

    @classmethod
    def fit(
        cls,
        texts: Iterable[object],
        satisfaction: ArrayLike,
        *,
        clients: Iterable[object] | None = None,
        themes: int = 5,
        tokens: Tokens = "characters",
        min_clients: int = 10,
        random_state: int = 0,
    ) -> Self:
        """Learn mood from the texts that came with a score, and themes from all.

        Parameters
        ----------
        texts : array-like of str
            What clients wrote, missing where nothing.
        satisfaction : array-like of float
            Stars that came with each text, 1 to 5, NaN where not given. At most 2 is a low score and at least 4 a high
            one; in between a text counts in proportion on both sides, at half weight.
        clients : array-like, optional
            Who wrote each text. Without it, each different text counts as a client of its own.
        themes : int, default=5
            Number of themes.
        tokens : {"characters", "kiwi"}, default="characters"
            What texts are taken apart into: pieces of characters, and words; or Korean morphemes as kiwipiepy finds
            them, which is slower and needs the extra ``korean``.
        min_clients : int, default=10
            A term is kept only if at least so many clients used it. Ten is a usual floor for publishing counts of
            people; below it a name, or a turn of phrase that gives its writer away, might be kept.
        random_state : int, default=0
            Seed of the SVD, and of the choice of 100,000 texts where there are more.

        Returns
        -------
        FeedbackModel
            The model. Where there are fewer than 50 texts with a low score or fewer than 50 with a high one, it has no
            mood, and `notes_` says so; likewise where too few terms are shared by clients.

        Raises
        ------
        TypeError
            If a text is neither str nor missing.
        ValueError
            If lengths differ, or `satisfaction`, `themes`, `tokens` or `min_clients` is out of range.
        ImportError
            If kiwipiepy is asked for and not installed.

        Examples
        --------
        Forty-nine low scores are too few to learn a mood:

        >>> texts = ["A lovely lamp, thank you!"] * 50 + ["It came broken."] * 49 + ["Where are you?"] * 200
        >>> stars = [5] * 50 + [1] * 49 + [float("nan")] * 200
        >>> model = FeedbackModel.fit(texts, stars, clients=range(299), themes=1)
        >>> model.mood(texts[:1])
        array([nan])
        >>> print(*model.notes_)
        No mood was learned: it takes 50 texts with at most 2 stars and 50 with at least 4; there are 49 and 50.
        >>> model.theme_terms()
        (('lamp', 'lovely', 'thank'),)

        And from one client nothing is kept, however much they write:

        >>> FeedbackModel.fit(texts, stars, clients=["Ann"] * 299, themes=1).theme_terms()
        ((),)
        """
        if tokens not in _READINGS:
            raise ValueError(f"`tokens` must be 'characters' or 'kiwi'; got {tokens!r}.")
        for name, number in (("themes", themes), ("min_clients", min_clients)):
            if number < 1:
                raise ValueError(f"`{name}` must be at least 1; got {number}.")
        read, rows, n_texts = _read(texts)
        stars = _stars(satisfaction, n_texts)[rows]
        writers = _writers(read, rows, n_texts, clients)
        notes = []
        if len(read) > _MOST_TEXTS:
            notes.append(f"Learned from {_MOST_TEXTS:,} of {len(read):,} texts, drawn at random.")
            drawn = np.sort(np.random.default_rng(random_state).choice(len(read), _MOST_TEXTS, replace=False))
            read, stars, writers = [read[row] for row in drawn], stars[drawn], writers[drawn]
        version = kiwi_version() if tokens == "kiwi" else None
        source = _Source(parsed(_READINGS[tokens][0], read), stars, writers, min_clients)
        with _one_thread():
            mood = source.learn_mood(_READINGS[tokens][0])
            directions = source.learn_themes(_READINGS[tokens][1], themes, random_state)
        return cls(
            {
                "written_as": _WRITTEN_AS,
                "tokens": tokens,
                "kiwi": version,
                "n_themes": themes,
                "notes": notes + source.notes,
                "mood": mood,
                "themes": directions,
            }
        )

    def mood(self, texts: Iterable[object]) -> _Floats:
        """Return the probability that each text goes with a high score rather than a low one.

        Parameters
        ----------
        texts : array-like of str
            What clients wrote.

        Returns
        -------
        ndarray of shape (n_texts,)
            Between 0 and 1. NaN for a missing or blank text, and for all if the model has no mood. A text of which no
            term is known gets what texts get in general.

        Raises
        ------
        TypeError
            If a text is neither str nor missing.

        Examples
        --------
        >>> texts = ["정말 예뻐요. 감사합니다", "깨져서 왔어요. 환불해 주세요"] * 50
        >>> model = FeedbackModel.fit(texts, [5, 1] * 50, clients=range(100), themes=1)
        >>> model.mood(["감사합니다!", "환불해 주실 거죠", "???", ""]).round(1)
        array([0.9, 0.1, 0.5, nan])
        """
        from scipy.special import expit

        read, rows, n_texts = _read(texts)
        moods = np.full(n_texts, np.nan)
        if self._mood is not None:
            self._check_kiwi()
            moods[rows] = expit(self._mood.level + self._mood.scores(read)[:, 0])
        return moods

    def themes(self, texts: Iterable[object]) -> _Floats:
        """Return how much of each theme is in each text.

        Parameters
        ----------
        texts : array-like of str
            What clients wrote.

        Returns
        -------
        ndarray of shape (n_texts, n_themes)
            Between -1 and 1, the themes in the order of their weight in the texts learned from. A missing or blank
            text is a row of NaN, and so is every text if the model has no themes. A text of which no term is known is
            a row of 0, and so is the column of a theme that was not found, where texts differ in fewer ways.

        Raises
        ------
        TypeError
            If a text is neither str nor missing.

        Examples
        --------
        >>> texts = ["broken lamp"] * 15 + ["wonderful tea"] * 12 + ["hello"] * 60
        >>> model = FeedbackModel.fit(texts, [float("nan")] * 87, clients=range(87), themes=2)
        >>> model.themes(["My lamp is broken.", "Hello?", "wonderful", " "]).round(2)
        array([[1.  , 0.  ],
               [0.  , 0.  ],
               [0.  , 0.71],
               [ nan,  nan]])
        """
        read, rows, n_texts = _read(texts)
        themes = np.full((n_texts, self.n_themes), np.nan)
        if self._themes is not None:
            self._check_kiwi()
            themes[rows] = self._themes.scores(read)
        return themes

    def theme_terms(self, n: int = 5) -> tuple[tuple[str, ...], ...]:
        """Name each theme by its strongest terms.

        Parameters
        ----------
        n : int, default=5
            Most terms to a theme. Of terms that contain one another only the strongest is named.

        Returns
        -------
        tuple of tuple of str
            One tuple a theme, strongest first; empty where there is no such theme.

        Examples
        --------
        >>> texts = ["조명이 깨져서 왔어요", "조명을 깨진 채로 받았어요", "향기가 좋아요", "향기도 좋네요"] * 10
        >>> texts += ["잘 받았습니다"] * 70
        >>> model = FeedbackModel.fit(texts, [float("nan")] * 110, clients=range(110), themes=2)
        >>> model.theme_terms(1)
        (('향기',), ('조명',))
        """
        if self._themes is None:
            return ((),) * self.n_themes
        return tuple(self._themes.strongest(theme, n) for theme in range(self.n_themes))

    def to_text(self) -> str:
        """Return all that was learned as JSON, which `from_text` reads.

        Examples
        --------
        >>> model = FeedbackModel.fit(["A lovely lamp"] * 3, [5] * 3, themes=2)
        >>> FeedbackModel.from_text(model.to_text()).to_text() == model.to_text()
        True
        """
        return json.dumps(self._kept, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what `to_text` wrote.

        Raises
        ------
        ValueError
            If it is not such a text, or one of another version.

        Examples
        --------
        >>> FeedbackModel.from_text("{}")
        Traceback (most recent call last):
        ...
        ValueError: `text` must be what `FeedbackModel.to_text` of this version wrote; got '{}'.
        """
        try:
            kept = json.loads(text)
            if kept["written_as"] == _WRITTEN_AS:
                return cls(kept)
        except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError):
            pass
        shown = text if len(text) <= 40 else text[:40] + "..."
        raise ValueError(f"`text` must be what `FeedbackModel.to_text` of this version wrote; got {shown!r}.")

    def _check_kiwi(self) -> None:
        if self.tokens == "kiwi" and self._kept["kiwi"] != kiwi_version():
            warnings.warn(
                f"The feedback model was fitted with kiwipiepy {self._kept['kiwi']}; {kiwi_version()}, which is "
                "installed, may take texts apart in another way. Install the former, or fit anew.",
                UserWarning,
                stacklevel=3,
            )


# What is kept, at work


class _Terms:
    """Terms known by name; how much of each is in a text (TF-IDF, sublinear in the text, of length 1)."""

    def __init__(self, kept: dict[str, Any]) -> None:
        self.names: list[str] = kept["terms"]
        rarity = {count: math.log((1 + kept["texts"]) / (1 + count)) + 1 for count in set(kept["counts"])}
        self._rarity = np.array([rarity[count] for count in kept["counts"]])
        self._find = finder(kept["reading"], self.names)

    def weights(self, items: Sequence[Any]) -> tuple[_Ints, _Ints, _Floats]:
        """Return rows, columns and weights, sorted by row and column."""
        rows, columns, counts = counted(self._find(items), len(self.names))
        values = _damped()[np.minimum(counts, LONGEST)] * self._rarity[columns]
        lengths = np.sqrt(np.bincount(rows, values * values, minlength=len(items)))
        return rows, columns, values / lengths[rows]


class _Loaded:
    """Terms with what was learned of each."""

    def __init__(self, kept: dict[str, Any]) -> None:
        self._reading: str = kept["reading"]
        self._terms = _Terms(kept)
        self.terms = self._terms.names
        self.level: float = kept["level"]
        self._loadings = np.array(kept["loadings"])
        if (
            self._loadings.ndim != 2
            or self._loadings.shape[1] != len(self.terms)
            or len(kept["counts"]) != len(self.terms)
        ):
            raise ValueError("terms and loadings differ in number")

    def scores(self, texts: Sequence[str]) -> _Floats:
        """Return one score per text and row of loadings.

        `bincount` adds up one after the other, so that a sum is the same whatever stands before and behind it.
        """
        scores = np.zeros((len(texts), len(self._loadings)))
        for part in batches(texts):
            rows, columns, values = self._terms.weights(parsed(self._reading, texts[part]))
            for theme, loadings in enumerate(self._loadings):
                scores[part, theme] = np.bincount(rows, values * loadings[columns], minlength=part.stop - part.start)
        return scores

    def strongest(self, theme: int, n: int) -> tuple[str, ...]:
        """Return the terms with the largest loadings, none of them part of one before it or the other way round."""
        loadings = self._loadings[theme]
        named: list[str] = []
        for place in np.argsort(-loadings, kind="stable"):
            term = self.terms[place]
            if len(named) >= n or loadings[place] <= 0:
                break
            if not any(term in other or other in term for other in named):
                named.append(term)
        return tuple(named)


@lru_cache(1)
def _damped() -> _Floats:
    """Return what a term counts for that stands 0, 1, 2, ... times in a text."""
    return np.array([0.0] + [1 + math.log(count) for count in range(1, LONGEST + 1)])


# Learning


class _Source:
    """Texts to learn from, and the notes made while learning."""

    def __init__(self, items: Sequence[Any], stars: _Floats, writers: _Ints, least: int) -> None:
        self._items, self._stars, self._writers, self._least = items, stars, writers, least
        self.notes: list[str] = []

    def learn_mood(self, reading: str) -> dict[str, Any] | None:
        """Set apart high scores from low ones by the terms of their texts."""
        from sklearn.linear_model import LogisticRegression

        low, high = int((self._stars <= _LOW).sum()), int((self._stars >= _HIGH).sum())
        if min(low, high) < _FEWEST_SCORED:
            self.notes.append(
                f"No mood was learned: it takes {_FEWEST_SCORED} texts with at most {_LOW:.0f} stars and "
                f"{_FEWEST_SCORED} with at least {_HIGH:.0f}; there are {low} and {high}."
            )
            return None
        kept = self._vocabulary(reading, most=_MOOD_TERMS)
        if not kept["terms"]:
            self.notes.append(f"No mood was learned: no term was used by {self._least} clients.")
            return None
        positive = np.clip((self._stars - _LOW) / (_HIGH - _LOW), 0, 1)
        weight = np.where((positive > 0) & (positive < 1), _MIDDLING, 1.0)
        liked, disliked = np.flatnonzero(positive > 0), np.flatnonzero(positive < 1)
        rows = np.concatenate([liked, disliked])
        model = LogisticRegression(C=_LOGISTIC_C, max_iter=2_000).fit(
            self._matrix(kept)[rows],
            np.repeat([1, 0], [len(liked), len(disliked)]),
            sample_weight=np.concatenate([(weight * positive)[liked], (weight * (1 - positive))[disliked]]),
        )
        return kept | {"level": _rounded(model.intercept_)[0], "loadings": _rounded(model.coef_)}

    def learn_themes(self, reading: str, themes: int, random_state: int) -> dict[str, Any] | None:
        """Find the directions in which texts differ most, each resting on few terms."""
        from sklearn.utils.extmath import randomized_svd

        kept = self._vocabulary(reading, most=_THEME_TERMS, commonest=_COMMONEST, refuse=stop_words())
        if not kept["terms"]:
            self.notes.append(
                f"No themes were learned: no word was used by {self._least} clients and stands in at most "
                f"{_COMMONEST:.0%} of the texts."
            )
            return None
        matrix = self._matrix(kept)
        _, strength, directions = randomized_svd(
            matrix, min(themes, *matrix.shape), n_iter=7, random_state=random_state, flip_sign=False
        )
        turned = _varimax(directions.T, strength).T
        if len(turned) < themes:
            self.notes.append(
                f"Only {len(turned)} of {themes} themes were learned: the texts do not differ in more ways."
            )
        loadings = np.zeros((themes, len(kept["terms"])))
        loadings[: len(turned)] = turned
        return kept | {"level": 0.0, "loadings": _rounded(loadings)}

    def _vocabulary(
        self, reading: str, *, most: int, commonest: float = 1.0, refuse: frozenset[str] = frozenset()
    ) -> dict[str, Any]:
        """Choose the terms to keep, each with the number of texts it stands in."""
        names = sorted(frequent_terms(reading, self._items, self._least) - refuse)
        find = finder(reading, names)
        found = [(part, counted(find(self._items[part]), len(names))) for part in batches(self._items)]
        rows = np.concatenate([np.empty(0, "int64"), *(pairs[0] + part.start for part, pairs in found)])
        columns = np.concatenate([np.empty(0, "int64"), *(pairs[1] for _, pairs in found)])
        counts = np.bincount(columns, minlength=len(names))
        _, used, _ = counted((self._writers[rows], columns), len(names))
        kept = np.bincount(used, minlength=len(names)) >= self._least
        kept &= counts <= commonest * len(self._items)
        if reading == "words":
            kept &= ~_mostly_longer(names, counts)
        order = np.flatnonzero(kept)
        order = np.sort(order[np.argsort(-counts[order], kind="stable")][:most])
        return {
            "reading": reading,
            "texts": len(self._items),
            "terms": [names[place] for place in order],
            "counts": counts[order].tolist(),
        }

    def _matrix(self, kept: dict[str, Any]) -> Any:
        from scipy.sparse import csr_matrix, vstack

        terms, width = _Terms(kept), len(kept["terms"])
        parts = []
        for part in batches(self._items):
            rows, columns, values = terms.weights(self._items[part])
            parts.append(csr_matrix((values, (rows, columns)), shape=(part.stop - part.start, width)))
        return vstack(parts, format="csr")


def _mostly_longer(names: Sequence[str], counts: _Ints) -> NDArray[np.bool_]:
    """Mark beginnings of words that nearly always go on in one way: of "드라" and "드라마", the first."""
    place = {name: index for index, name in enumerate(names)}
    marked = np.zeros(len(names), dtype=bool)
    for index, name in enumerate(names):
        begun = place.get(name[:-1])
        if begun is not None and counts[index] > 0.8 * counts[begun]:
            marked[begun] = True
    return marked


def _varimax(directions: _Floats, strength: _Floats) -> _Floats:
    """Turn the columns until each has few large values; order them by weight, the largest value positive.

    Directions without strength, of texts that differ in fewer ways, are left out.
    """
    real = strength > 1e-6 * strength[0]
    known = directions[:, real]
    turn, reached = np.eye(known.shape[1]), 0.0
    for _ in range(500):
        turned = known @ turn
        left, gain, right = np.linalg.svd(known.T @ (turned**3 - turned * (turned**2).mean(axis=0)))
        turn = left @ right
        if gain.sum() <= reached * (1 + 1e-10):
            break
        reached = float(gain.sum())
    weight = (strength[real, None] ** 2 * turn**2).sum(axis=0)
    turned = (known @ turn)[:, np.argsort(-weight, kind="stable")]
    return turned * np.sign(turned[np.abs(turned).argmax(axis=0), np.arange(turned.shape[1])])


def _rounded(values: _Floats) -> list[Any]:
    return np.round(values, _DECIMALS).tolist()


def _one_thread() -> Any:
    """Keep linear algebra to one thread: sums that several add up in another order differ in their last bits."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    return threadpool_limits(1)


# Input


def _read(texts: Iterable[object]) -> tuple[list[str], _Ints, int]:
    """Return the texts that are neither missing nor blank, cleaned; their rows; and how many rows there are."""
    if isinstance(texts, str):
        raise TypeError("`texts` must be a column of texts; got one. Put it in a list.")
    values = texts.to_pylist() if hasattr(texts, "to_pylist") else list(texts)
    read: list[str] = []
    rows = []
    for row, value in enumerate(values):
        if isinstance(value, str):
            if text := cleaned(value):
                read.append(text)
                rows.append(row)
        elif not (value is None or value is pd.NA or (isinstance(value, float | np.floating) and np.isnan(value))):
            raise TypeError(f"`texts` must hold str or missing values; got {value!r} at row {row}.")
    return read, np.array(rows, dtype="int64"), len(values)


def _stars(satisfaction: ArrayLike, n_texts: int) -> _Floats:
    stars = pd.to_numeric(pd.Series(satisfaction)).to_numpy(dtype="float64", na_value=np.nan)
    if len(stars) != n_texts:
        raise ValueError(f"`satisfaction` must be as long as `texts`; got {len(stars)} and {n_texts}.")
    strange = np.flatnonzero((stars < 1) | (stars > 5))
    if len(strange):
        raise ValueError(
            f"`satisfaction` must be 1 to 5 stars, or NaN; got {stars[strange[0]]:g} at row {strange[0]}. "
            "Bring scores of another scale to this one first."
        )
    return stars


def _writers(read: list[str], rows: _Ints, n_texts: int, clients: Iterable[object] | None) -> _Ints:
    """Tell by number who wrote each text, all unknown being one; without `clients`, which text it is."""
    writers: list[object] = list(read) if clients is None else list(clients)
    if clients is not None:
        if len(writers) != n_texts:
            raise ValueError(f"`clients` must be as long as `texts`; got {len(writers)} and {n_texts}.")
        writers = [writers[row] for row in rows]
    numbers, _ = pd.factorize(pd.Series(writers, dtype="object"))
    return numbers.astype("int64") + 1
