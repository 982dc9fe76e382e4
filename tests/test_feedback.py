"""Mood and themes of texts: what they say, what they must not keep, and that they say it whatever the circumstances."""

import importlib.metadata
import importlib.util
import json
import math
import os
import re
import subprocess
import sys
import unicodedata
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_info, threadpool_limits

from loyalty.features import _terms, feedback
from loyalty.features._terms import batches, cleaned, counted, finder, frequent_terms
from loyalty.features.feedback import FeedbackModel

NSMC = (
    Path(os.environ.get("LOYALTY_DATA") or Path(__file__).parents[2] / "shared" / "data") / "nsmc_reviews_50k.parquet"
)
NAN = float("nan")
needs_kiwi = pytest.mark.skipif(
    importlib.util.find_spec("kiwipiepy") is None, reason="kiwipiepy (extra `korean`) is not installed"
)

THINGS = ("lamp", "teapot", "yoga mat", "조명", "찻잔", "요가 매트")
SAID = {
    1.0: ("{} came broken!", "Awful {}, I want my money back", "{} 깨져서 왔어요. 환불해 주세요", "{} 최악입니다 ㅠㅠ"),
    3.0: ("The {} is all right", "{} 그럭저럭 쓸 만해요"),
    5.0: ("Lovely {}, thank you", "My sister loves the {}!", "{} 정말 예뻐요. 감사합니다", "{} 최고예요 ^^"),
}
WRITTEN = [(said.format(thing), stars) for stars, texts in SAID.items() for said in texts for thing in THINGS] * 12
TEXTS, STARS = [text for text, _ in WRITTEN], [stars for _, stars in WRITTEN]


def fit(texts=TEXTS, stars=STARS, **options) -> FeedbackModel:
    return FeedbackModel.fit(texts, stars, **{"clients": range(len(texts)), "themes": 3, **options})


@pytest.fixture(scope="module")
def model() -> FeedbackModel:
    return fit()


def identical(one, other) -> bool:
    return one.dtype == other.dtype == np.float64 and one.shape == other.shape and one.tobytes() == other.tobytes()


def kept_terms(model: FeedbackModel) -> list[str]:
    kept = json.loads(model.to_text())
    return [term for part in (kept["mood"], kept["themes"]) if part for term in part["terms"]]


# Slow and obvious: pieces of one text, words of one text.


def pieces_of(text: str) -> list[str]:
    joined = re.sub("(?<=[가-힣ㄱ-ㅣ]) (?=[가-힣ㄱ-ㅣ])", "", text)
    pieces = []
    for word in joined.split():
        padded = f" {word} "
        for length in (1, 2, 3, 4):
            pieces += [padded[at : at + length] for at in range(len(padded) - length + 1)]
    return [piece for piece in pieces if piece != " "]


def words_of(text: str) -> list[str]:
    words = []
    for word in re.findall(r"[^\W_]+", text):
        if re.match("[가-힣]", word):
            words += [word[:length] for length in (2, 3, 4) if length <= len(word)]
        elif len(word) >= 2:
            words.append(word)
    return words


OF_ONE = {"pieces": pieces_of, "words": words_of}
letters = st.sampled_from("ab ㅋ가나다힣ㅣ#!\U0001f600\U0010ffff") | st.characters()
short_texts = st.text(letters, max_size=12).map(cleaned).filter(bool)
any_texts = st.lists(st.text(letters, max_size=30) | st.sampled_from(TEXTS) | st.none(), max_size=8)


@settings(max_examples=150)
@given(st.lists(short_texts, min_size=1, max_size=6), st.integers(1, 3), st.sampled_from(["pieces", "words"]))
@example(["가나다라마 가나다라", "나다라마"], 1, "words")
def test_terms_are_those_of_the_slow_loop(texts, least, reading):
    everything = Counter(term for text in texts for term in OF_ONE[reading](text))
    frequent = frequent_terms(reading, texts, least)
    assert frequent == {term for term, count in everything.items() if count >= least}
    names = sorted(frequent)
    expected = [
        (row, names.index(term), count)
        for row, text in enumerate(texts)
        for term, count in Counter(OF_ONE[reading](text)).items()
        if term in frequent
    ]
    found = counted(finder(reading, names)(texts), len(names))
    assert list(zip(*(part.tolist() for part in found), strict=True)) == sorted(expected)


def test_sixteen_bits_hold_an_alphabet_of_many_letters():
    # Letters numbered past 2**15 fill the sign of the integer that is a piece of four.
    alphabet = "".join(chr(code) for code in range(0x4E00, 0x4E00 + 40_000) if unicodedata.category(chr(code)) == "Lo")
    texts = [alphabet[at : at + 500] for at in range(0, len(alphabet), 500)]
    names = [alphabet[:4], alphabet[-4:], alphabet[-3:], alphabet[-1]]
    assert set(names) <= frequent_terms("pieces", texts, 1)
    find = finder("pieces", [*alphabet, *names[:3]])
    rows, columns, counts = counted(find([alphabet[-4:]]), len(alphabet) + 3)
    assert columns.tolist()[-2:] == [len(alphabet) + 1, len(alphabet) + 2]
    assert counts.tolist() == [1] * 6
    assert rows.tolist() == [0] * 6


def test_weights_and_mood_are_those_of_scikit_learn(model):
    kept = json.loads(model.to_text())["mood"]
    texts = [cleaned(text) for text in TEXTS]
    vectorizer = TfidfVectorizer(analyzer=pieces_of, vocabulary=kept["terms"], sublinear_tf=True).fit(texts)
    margin = vectorizer.transform(texts) @ np.array(kept["loadings"][0]) + kept["level"]
    np.testing.assert_allclose(model.mood(TEXTS), 1 / (1 + np.exp(-margin)), rtol=0, atol=1e-12)


def test_themes_are_the_loadings_of_the_weights(model):
    kept = json.loads(model.to_text())["themes"]
    texts = [cleaned(text) for text in TEXTS]
    vectorizer = TfidfVectorizer(analyzer=words_of, vocabulary=kept["terms"], sublinear_tf=True).fit(texts)
    weights = vectorizer.transform(texts)
    np.testing.assert_allclose(model.themes(TEXTS), weights @ np.array(kept["loadings"]).T, rtol=0, atol=1e-12)


# What it says


def test_mood_knows_glad_from_angry_in_both_languages(model):
    moods = model.mood(
        ["thank you, lovely", "broken, money back", "감사합니다", "환불해 주세요", "The mug is all right"]
    )
    assert (moods[[0, 2]] > 0.75).all()
    assert (moods[[1, 3]] < 0.25).all()
    assert 0.3 < moods[4] < 0.7


def test_a_text_without_a_known_term_has_the_general_mood_and_no_theme(model):
    level = json.loads(model.to_text())["mood"]["level"]
    assert model.mood(["龍龍"])[0] == pytest.approx(1 / (1 + math.exp(-level)), abs=1e-15)
    assert model.themes(["龍龍"]).tolist() == [[0.0, 0.0, 0.0]]


TOPICS = {
    "delivery": ["courier late", "late parcel", "parcel courier late"],
    "quality": ["fabric torn", "torn seam fabric"],
    "배송": ["배송이 느려요", "배송도 늦고 느려요"],
}


@pytest.fixture(scope="module")
def topical() -> tuple[FeedbackModel, list[str], list[int]]:
    often = dict(zip(TOPICS, (40, 30, 20), strict=True))
    # What is in more than a fifth of the texts names no theme, so most say nothing of the kind.
    texts = [text for topic, said in TOPICS.items() for text in said * often[topic]] + ["hello there"] * 900
    numbers = [at for at, (topic, said) in enumerate(TOPICS.items()) for _ in range(often[topic] * len(said))]
    return fit(texts, [NAN] * len(texts)), texts, numbers


def test_themes_tell_topics_apart_the_weightiest_first(topical):
    model, texts, numbers = topical
    themes = model.themes(texts)
    assert (themes[: len(numbers)].argmax(axis=1) == numbers).all()
    assert (themes[len(numbers) :] == 0).all()
    assert (np.abs(themes) <= 1).all()
    strengths = (themes**2).sum(axis=0)
    assert (np.diff(strengths) < 0).all()


def test_themes_are_named_by_their_strongest_terms_none_within_another(topical):
    model, *_ = topical
    named = model.theme_terms()
    assert [set(terms) for terms in named] == [
        {"late", "courier", "parcel"},
        {"torn", "fabric", "seam"},
        {"배송", "느려요", "늦고"},
    ]
    assert model.theme_terms(1) == tuple(terms[:1] for terms in named)
    assert named[0][0] == "late"
    assert model.theme_terms(0) == ((), (), ())


@pytest.mark.parametrize(
    ("texts", "told_apart"),
    [
        (["courier late", "fabric torn"] * 20 + ["hi"] * 160, 2),
        (["red green blue white black"] * 3 + ["hi"] * 20, 1),
        (["red green", "blue white", "black pink", "brown grey", "gold silver"], 5),  # fewer texts than themes
    ],
)
def test_themes_that_texts_do_not_have_are_zero(texts, told_apart):
    model = fit(texts, [NAN] * len(texts), themes=7, min_clients=1)
    assert model.notes_[1:] == (f"Only {told_apart} of 7 themes were learned: the texts do not differ in more ways.",)
    themes = model.themes([*texts, "late fabric", "blue red"])
    assert themes.shape[1] == 7
    assert (np.abs(themes).max(axis=0) > 0.5).tolist() == [True] * told_apart + [False] * (7 - told_apart)
    assert (themes[:, told_apart:] == 0).all()
    assert model.theme_terms()[told_apart:] == ((),) * (7 - told_apart)


@pytest.mark.parametrize(
    ("begun", "on", "kept"), [(10, 30, {"드라", "드라마"}), (7, 32, {"드라마"}), (8, 32, {"드라", "드라마"})]
)
def test_a_beginning_that_nearly_always_goes_on_in_one_way_is_not_kept(begun, on, kept):
    texts = ["드라이브"[: 2 + at % 3] for at in range(begun)] + ["드라마"] * on + ["hi"] * 200
    assert set(kept_terms(fit(texts, [NAN] * len(texts), themes=1))) - {"hi", "드라이브"} == kept


# What it keeps


def texts_with(secret: str, writers: int) -> tuple[list[str], list[float], list[int]]:
    """So many clients write the secret, one of them thirty different texts; all others do not."""
    by = [0] * 30 + list(range(writers))
    told = [f"{secret} {TEXTS[at]}" for at in range(len(by))]
    return TEXTS + told, STARS + STARS[: len(by)], [*range(1000, 1000 + len(TEXTS)), *by]


@pytest.mark.parametrize(("writers", "kept"), [(9, False), (10, True)])
def test_a_term_is_kept_from_ten_clients_on(writers, kept):
    texts, stars, clients = texts_with("qzx", writers)
    terms = kept_terms(fit(texts, stars, clients=clients))
    assert any("qzx" in term for term in terms) == kept
    assert any("z" in term for term in terms) == kept
    assert "qzx" in " ".join(kept_terms(fit(texts, stars, clients=clients, min_clients=writers)))


def test_without_clients_different_texts_count():
    alike = TEXTS + ["qzx writes again and again"] * 40
    stars = STARS + [1.0] * 40
    assert "qz" not in " ".join(kept_terms(fit(alike, stars, clients=None)))
    assert "qz" in " ".join(kept_terms(fit(alike, stars)))
    varied = TEXTS + [f"qzx {text}" for text in dict.fromkeys(TEXTS)][:10]
    assert "qzx" in kept_terms(fit(varied, STARS + [1.0] * 10, clients=None))
    assert "qzx" not in kept_terms(fit(varied[:-1], STARS + [1.0] * 9, clients=None))


def test_clients_without_a_name_count_as_one():
    texts, stars, _ = texts_with("qzx", 40)
    for nobody in (None, NAN, pd.NA):
        clients = [*range(len(TEXTS)), *[nobody] * 70]
        assert "qz" not in " ".join(kept_terms(fit(texts, stars, clients=clients)))


def test_no_digit_address_or_link_is_kept():
    secrets = (
        "call 010-9876-5432",
        "write qzx@vwq.example",
        "see https://qzx.example/vwq?a=1",
        "www.qzx.kr",
        "qzx.kr/vwq",
    )
    model = fit([f"{text} {secret}" for text in TEXTS for secret in secrets], [s for s in STARS for _ in secrets])
    text = " ".join(kept_terms(model))
    assert not re.search(r"\d", text)
    assert "###-" in text or "####" in text
    assert "qz" not in text
    assert "vw" not in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ABC  Def\t\n g", "abc def g"),
        ("10점 만점에 ①점, ½ Ⅷ ٣ 9", "##점 만점에 #점, # # # #"),
        ("가나", "가나"),
        ("ﾊangul\u200bzero\u00a0width\u3000", "ﾊangul zero width"),
        ("so\u00adft \u202eturned", "soft turned"),
        ("\ud800lone\x00null\x1b[1m", "lone null [#m"),
        ("강추!@ㅋ a/b 3.5/5", "강추!@ㅋ a/b #.#/#"),
        ("메일kim@a.com으로, http://b 로", "@ @ 로"),
        (" \u200b\u00ad\x07\u2028", ""),
    ],
)
def test_cleaned(text, expected):
    assert cleaned(text) == expected
    assert cleaned(unicodedata.normalize("NFD", text)) == expected


@given(st.text())
def test_cleaned_has_no_digit_and_is_clean_already(text):
    clean = cleaned(text)
    assert not any(unicodedata.category(letter)[0] in "NZ" and letter != " " for letter in clean)
    assert clean == clean.strip()
    clean.encode("utf-8")


def test_vocabulary_has_a_cap_and_keeps_the_most_frequent(monkeypatch):
    monkeypatch.setattr(feedback, "_MOOD_TERMS", 50)
    monkeypatch.setattr(feedback, "_THEME_TERMS", 3)
    capped, whole = json.loads(fit().to_text()), json.loads(fit(min_clients=1).to_text())
    assert [len(capped[part]["terms"]) for part in ("mood", "themes")] == [50, 3]
    monkeypatch.undo()
    whole = json.loads(fit().to_text())
    for part in ("mood", "themes"):
        counts = dict(zip(whole[part]["terms"], whole[part]["counts"], strict=True))
        left_out = [count for term, count in counts.items() if term not in capped[part]["terms"]]
        assert min(capped[part]["counts"]) >= max(left_out)


# The same whatever the circumstances


@given(any_texts)
def test_a_text_alone_or_among_others_is_the_same(model, texts):
    moods, themes = model.mood(texts), model.themes(texts)
    assert moods.shape == (len(texts),)
    assert themes.shape == (len(texts), 3)
    blank = np.array([text is None or not cleaned(text) for text in texts], dtype=bool)
    assert (np.isnan(moods) == blank).all()
    assert (np.isnan(themes) == blank[:, None]).all()
    assert ((moods[~blank] >= 0) & (moods[~blank] <= 1)).all()
    for row, text in enumerate(texts):
        assert identical(model.mood([text]), moods[[row]])
        assert identical(model.themes([text]), themes[[row]])
    assert identical(model.mood(texts[::-1]), moods[::-1].copy())


@pytest.mark.parametrize("size", [1, 7, 100])
def test_nothing_depends_on_how_texts_are_divided(model, monkeypatch, size):
    mood, themes = model.mood(TEXTS), model.themes(TEXTS)
    monkeypatch.setattr(_terms, "_BATCH", size)
    assert len(list(batches(TEXTS))) > 3
    assert identical(model.mood(TEXTS), mood)
    assert identical(model.themes(TEXTS), themes)
    assert (
        fit(TEXTS[::12], STARS[::12], min_clients=2).to_text() == fit(TEXTS[::12], STARS[::12], min_clients=2).to_text()
    )
    divided = fit().to_text()
    monkeypatch.undo()
    assert divided == model.to_text()


@given(st.lists(st.text(max_size=5), max_size=20), st.integers(1, 12))
def test_batches_hold_each_text_once(texts, size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_terms, "_BATCH", size)
        parts = list(batches(texts))
    assert [text for part in parts for text in texts[part]] == texts
    assert all(part.stop - part.start == 1 or sum(map(len, texts[part])) <= size for part in parts)
    # None could hold one text more.
    assert all(sum(map(len, texts[part.start : part.stop + 1])) > size for part in parts[:-1])


def test_fits_alike_on_any_number_of_threads_and_whatever_was_drawn_before(model):
    for threads in (1, 2):
        np.random.seed(threads)  # noqa: NPY002
        with threadpool_limits(threads):
            assert fit().to_text() == model.to_text()


def test_linear_algebra_that_fits_has_one_thread(monkeypatch):
    # On many texts its last bits would depend on the number.
    seen = []
    rounded = feedback._rounded
    monkeypatch.setattr(feedback, "_rounded", lambda values: seen.append(threadpool_info()) or rounded(values))
    with threadpool_limits(2):
        fit()
    assert {pool["num_threads"] for pools in seen for pool in pools} == {1}
    assert len(seen) == 3


def test_several_threads_may_ask_at_once():
    # The model is new to all of them.
    model, other = fit(), fit()
    shares = [TEXTS[at::8] for at in range(8)]
    with ThreadPoolExecutor(8) as pool:
        moods, themes = list(pool.map(model.mood, shares)), list(pool.map(model.themes, shares))
    for share, mood, theme in zip(shares, moods, themes, strict=True):
        assert identical(mood, other.mood(share))
        assert identical(theme, other.themes(share))


def test_a_model_read_from_its_text_is_the_same(model):
    read = FeedbackModel.from_text(model.to_text())
    assert read.to_text() == model.to_text()
    assert (read.tokens, read.n_themes, read.notes_, read.theme_terms()) == ("characters", 3, (), model.theme_terms())
    assert identical(read.mood(TEXTS), model.mood(TEXTS))
    assert identical(read.themes(TEXTS), model.themes(TEXTS))
    assert repr(read) == repr(model) == f"<FeedbackModel by characters: {repr(model).partition(': ')[2]}"


def test_rounding_changes_a_prediction_by_less_than_a_millionth(model, monkeypatch):
    monkeypatch.setattr(feedback, "_rounded", np.ndarray.tolist)
    exact = fit()
    assert exact.to_text() != model.to_text()
    assert len(exact.to_text()) > 1.3 * len(model.to_text())
    assert np.abs(exact.mood(TEXTS) - model.mood(TEXTS)).max() < 1e-6
    assert np.abs(exact.themes(TEXTS) - model.themes(TEXTS)).max() < 1e-6


def test_more_texts_than_are_learned_from(monkeypatch):
    monkeypatch.setattr(feedback, "_MOST_TEXTS", 400)
    one, same, other = fit(), fit(), fit(random_state=1)
    assert one.to_text() == same.to_text() != other.to_text()
    assert json.loads(one.to_text())["mood"] != json.loads(other.to_text())["mood"]
    assert one.notes_ == (f"Learned from 400 of {len(TEXTS)} texts, drawn at random.",)
    assert json.loads(one.to_text())["themes"]["texts"] == 400


def test_importing_it_does_not_import_scikit_learn():
    asked = "import sys, loyalty.features.feedback; print({'sklearn', 'kiwipiepy', 'threadpoolctl'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "set()"


# Strange input


HOSTILE = {
    "very long word": "a" * 300_000,
    "very long without a repeat": "".join(chr(0xAC00 + at % 11_172) for at in range(300_000)),
    "many words": "최고 lovely " * 50_000,
    "dots and at signs": ".a@" * 100_000,
    "slashes": "://" * 100_000,
    "control characters": "lovely\x00\x01\x1b[31m\r\n",
    "lone surrogates": "\ud83d lovely \udc00",
    "emojis": "👍🏽👨‍👩‍👧‍👦 ❤️ 🇰🇷",
    "mixed scripts": "lovely 최고 素晴らしい отлично ممتاز बढ़िया",
    "combining marks": "l" + "\u0301" * 5_000 + "ovely",
    "beyond every plane": "\U0010ffff\ufffe\ufdd0",
    "right to left": "\u202elovely\u202c",
    "json": '"}],"mood":null,{"',
    "one letter": "ㅋ",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_strange_texts_have_a_mood(model, name):
    text = HOSTILE[name]
    mood, themes = model.mood([text, TEXTS[0]]), model.themes([text, TEXTS[0]])
    assert ((mood >= 0) & (mood <= 1)).all()
    assert np.isfinite(themes).all()
    assert identical(mood[1:], model.mood(TEXTS[:1]))


def test_strange_texts_can_be_learned_from():
    texts = TEXTS + [text for text in HOSTILE.values() for _ in range(12)]
    model = fit(texts, STARS + [5.0] * (len(texts) - len(STARS)))
    read = FeedbackModel.from_text(model.to_text().encode("utf-8").decode("utf-8"))
    assert identical(read.mood(texts), model.mood(texts))
    assert not np.isnan(model.mood(texts)).any()


def test_only_the_first_ten_thousand_characters_are_read(model):
    long = "a b " * 2_500
    assert identical(model.mood([long + "lovely thank you"]), model.mood([long]))
    assert not identical(model.mood([long[: -len("lovely thank you")] + "lovely thank you"]), model.mood([long]))


@pytest.mark.parametrize("missing", [None, NAN, np.float32("nan"), pd.NA, "", "  ", "\n\t\u3000", "\x00\u200b\u00ad"])
def test_missing_and_blank_texts_have_neither(model, missing):
    assert np.isnan(model.mood([missing, "lovely"])).tolist() == [True, False]
    assert np.isnan(model.themes([missing, "lovely"])).tolist() == [[True] * 3, [False] * 3]


def test_any_column_of_texts_will_do(model):
    texts = ["lovely", None, "최고예요"]
    expected = model.mood(texts)
    for column in (
        tuple(texts),
        iter(texts),
        np.array(texts, dtype=object),
        pd.Series(texts, index=[5, 3, 3], dtype="string"),
        pd.Series(texts, dtype=pd.ArrowDtype(pa.string())),
        pd.Series(texts, dtype="category"),
        pa.array(texts),
        pa.chunked_array([texts[:1], texts[1:]]),
    ):
        assert identical(model.mood(column), expected)
    assert identical(model.mood(np.array(["lovely"])), expected[:1])
    assert model.mood([]).shape == (0,)
    assert model.themes(pd.Series([], dtype="string")).shape == (0, 3)


def test_what_comes_with_texts_may_be_any_column(model):
    stars = pd.Series(STARS, index=range(7, 7 + len(STARS)), dtype="Float64")
    stars.iloc[3:5] = pd.NA
    expected = fit(stars=[NAN if at in (3, 4) else s for at, s in enumerate(STARS)]).to_text()
    for column in (stars, stars.to_numpy(dtype=float, na_value=NAN), stars.astype(object).tolist()):
        assert fit(pd.Series(TEXTS), column, clients=pd.Series(range(len(TEXTS))).astype(str)).to_text() == expected
    assert expected != model.to_text()


def test_missing_texts_are_nothing_to_learn_from(model):
    gaps = [None, " ", *TEXTS, NAN, "\x00"]
    assert fit(gaps, [1.0, 1.0, *STARS, 5.0, 5.0]).to_text() == model.to_text()


@pytest.mark.parametrize(
    ("low", "high", "learned"),
    [
        ([1.0] * 50, [5.0] * 50, True),
        ([1.0] * 49, [5.0] * 90, False),
        ([1.0] * 90, [5.0] * 49, False),
        ([2.0] * 50, [4.0] * 50, True),
        ([2.0] * 49 + [2.01], [4.0] * 50, False),
        ([2.0] * 50, [4.0] * 49 + [3.99], False),
    ],
)
def test_mood_takes_fifty_low_and_fifty_high_scores(low, high, learned):
    texts = ["came broken"] * len(low) + ["lovely thing"] * len(high) + ["hello there you"] * 400
    model = fit(texts, [*low, *high] + [NAN] * 400, themes=2)
    assert np.isnan(model.mood(texts)).all() == (not learned)
    assert len(model.notes_) == (not learned)
    if not learned:
        told = sum(stars <= 2 for stars in low), sum(stars >= 4 for stars in high)
        assert model.notes_[0].endswith(f"there are {told[0]} and {told[1]}.")
        assert FeedbackModel.from_text(model.to_text()).notes_ == model.notes_
    assert np.isfinite(model.themes(texts)).all()


def test_a_score_in_the_middle_counts_on_both_sides():
    texts = ["came broken"] * 60 + ["lovely thing"] * 60 + ["qqq www"] * 100
    moods = [fit(texts, [1.0] * 60 + [5.0] * 60 + [stars] * 100, themes=1).mood(["qqq"])[0] for stars in (2.2, 3, 3.8)]
    assert moods == sorted(moods)
    assert moods[0] < 0.3 < 0.45 < moods[1] < 0.55 < 0.7 < moods[2]


def test_mood_is_the_logistic_regression_with_these_weights():
    texts = ["came broken", "lovely thing", "qqq broken", "qqq thing"] * 60
    model = fit(texts, [2.0, 4.0, 2.5, 3.5] * 60, themes=1)
    kept = json.loads(model.to_text())["mood"]
    vectorizer = TfidfVectorizer(analyzer=pieces_of, vocabulary=kept["terms"], sublinear_tf=True)
    # A score in between is two texts: at 2.5 stars, a quarter of it positive; both halved.
    positive, weight = [0, 1, 0, 1, 0, 1] * 60, [1, 1, 0.375, 0.125, 0.125, 0.375] * 60
    told = vectorizer.fit_transform(texts)[np.repeat(np.arange(240), [1, 1, 2, 2] * 60)]
    expected = LogisticRegression(C=2, max_iter=2_000).fit(told, positive, weight)
    np.testing.assert_allclose(model.mood(texts), expected.predict_proba(vectorizer.transform(texts))[:, 1], atol=2e-4)


def test_words_that_say_little_name_no_theme(model):
    said = {"all", "thank", "정말"}
    assert said <= {word for text in TEXTS for word in words_of(cleaned(text))}
    assert set(json.loads(model.to_text())["themes"]["terms"]) & said == {"thank"}


@pytest.mark.parametrize("texts", [[], [None, " "], ["가"] * 200, ["1 2 3"] * 200, ["\U0010ffff"] * 200])
def test_nothing_to_learn_is_noted(texts):
    model = fit(texts, ([1.0, 5.0] * 100)[: len(texts)], clients=None)
    assert [note.partition(":")[0] for note in model.notes_] == ["No mood was learned", "No themes were learned"]
    assert np.isnan(model.mood(TEXTS[:2])).all()
    assert np.isnan(model.themes(TEXTS[:2])).all()
    assert model.themes(TEXTS[:2]).shape == (2, 3)
    assert model.theme_terms() == ((), (), ())
    assert FeedbackModel.from_text(model.to_text()).to_text() == model.to_text()


@pytest.mark.parametrize(
    ("arguments", "options", "error", "told"),
    [
        (("lovely", [5]), {}, TypeError, "`texts` must be a column of texts"),
        ((["a", 5], [5, 5]), {}, TypeError, "`texts` must hold str or missing values; got 5 at row 1"),
        ((["a", b"b"], [5, 5]), {}, TypeError, "got b'b' at row 1"),
        ((["a", "b"], [5]), {}, ValueError, "`satisfaction` must be as long as `texts`; got 1 and 2"),
        ((["a", "b"], [5, 9]), {}, ValueError, "`satisfaction` must be 1 to 5 stars, or NaN; got 9 at row 1"),
        ((["a", "b"], [0.9, 1]), {}, ValueError, "got 0.9 at row 0"),
        ((["a", "b"], [5, math.inf]), {}, ValueError, "got inf at row 1"),
        ((["a"], [5]), {"clients": [1, 2]}, ValueError, "`clients` must be as long as `texts`; got 2 and 1"),
        ((["a"], [5]), {"themes": 0}, ValueError, "`themes` must be at least 1; got 0"),
        ((["a"], [5]), {"min_clients": 0}, ValueError, "`min_clients` must be at least 1; got 0"),
        ((["a"], [5]), {"tokens": "words"}, ValueError, "`tokens` must be 'characters' or 'kiwi'; got 'words'"),
    ],
)
def test_wrong_arguments_are_named(arguments, options, error, told):
    with pytest.raises(error, match=re.escape(told)):
        FeedbackModel.fit(*arguments, **options)


def test_mood_and_themes_take_texts_only(model):
    for ask in (model.mood, model.themes):
        with pytest.raises(TypeError, match="got 5 at row 1"):
            ask(["a", 5])


def altered(model: FeedbackModel, part: str, **changes) -> str:
    kept = json.loads(model.to_text())
    kept[part].update(changes)
    return json.dumps(kept)


def test_a_text_of_another_kind_is_refused(model):
    whole = model.to_text()
    wrong = ["", "[]", "null", "7", whole[:-10], whole.replace("model 1", "model 2", 1)]
    wrong += [
        altered(model, "mood", loadings=[[1.0]]),
        altered(model, "themes", counts=[3]),
        altered(model, "mood", terms=3),
    ]
    wrong += [altered(model, "mood", terms=["too long"], counts=[10], loadings=[[1.0]])]
    for text in wrong:
        with pytest.raises(
            ValueError, match=r"^`text` must be what `FeedbackModel\.to_text` of this version wrote; got"
        ):
            FeedbackModel.from_text(text)


# kiwipiepy


@pytest.fixture(scope="module")
def by_morphemes() -> FeedbackModel:
    return fit(tokens="kiwi")


@needs_kiwi
def test_kiwi_takes_particles_off(by_morphemes):
    terms = kept_terms(by_morphemes)
    assert {"환불", "감사", "깨지", "조명"} <= set(terms)
    assert "깨져" not in terms
    assert {"정말 예쁘", "예쁘"} <= set(json.loads(by_morphemes.to_text())["mood"]["terms"])
    assert min(map(len, json.loads(by_morphemes.to_text())["themes"]["terms"])) == 2
    # A particle that was never seen with the word changes nothing of its theme.
    assert identical(by_morphemes.themes(["조명이"]), by_morphemes.themes(["조명까지"]))
    moods = by_morphemes.mood(["감사해요", "환불하고 싶어요", "thank you", "it came broken", " ", None])
    assert (moods[[0, 2]] > 0.6).all()
    assert (moods[[1, 3]] < 0.4).all()
    assert np.isnan(moods[4:]).all()


@needs_kiwi
def test_kiwi_is_the_same_alone_among_others_and_read_again(by_morphemes):
    texts = [*dict.fromkeys(TEXTS), *HOSTILE.values()]
    mood, themes = by_morphemes.mood(texts), by_morphemes.themes(texts)
    read = FeedbackModel.from_text(by_morphemes.to_text())
    assert identical(read.mood(texts), mood)
    for row in range(0, len(texts), 5):
        assert identical(read.mood(texts[row : row + 1]), mood[[row]])
        assert identical(read.themes(texts[row : row + 1]), themes[[row]])
    shares = [texts[at::4] for at in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for at, share in enumerate(pool.map(read.mood, shares)):
            assert identical(share, mood[at::4].copy())
    assert fit(tokens="kiwi").to_text() == by_morphemes.to_text()


@needs_kiwi
def test_another_version_of_kiwi_is_told(by_morphemes):
    kept = json.loads(by_morphemes.to_text())
    assert kept["kiwi"] == importlib.metadata.version("kiwipiepy")
    other = FeedbackModel.from_text(json.dumps(kept | {"kiwi": "0.1"}))
    with pytest.warns(UserWarning, match=r"fitted with kiwipiepy 0\.1; .* Install the former, or fit anew"):
        other.mood(["감사해요"])


def test_kiwi_missing_is_told_with_the_way_to_install_it(monkeypatch, model):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(ImportError, match=re.escape("pip install -e '.[korean]'")):
        fit(tokens="kiwi")
    kept = json.loads(model.to_text()) | {"tokens": "kiwi", "kiwi": "0.24.1"}
    with pytest.raises(ImportError, match=re.escape("tokens='kiwi' needs kiwipiepy")):
        FeedbackModel.from_text(json.dumps(kept)).mood(["a"])


# Real reviews


@pytest.mark.skipif(not NSMC.exists(), reason=f"{NSMC} is not there (see data/README.md)")
def test_mood_of_korean_reviews():
    reviews = pd.read_parquet(NSMC).sort_values("date", kind="stable")
    early, late = reviews.iloc[: len(reviews) * 4 // 5], reviews.iloc[len(reviews) * 4 // 5 :]
    assert (len(early), len(late)) == (40_000, 10_000)
    # Ratings of 1 to 10 as stars: 4 is low at 2 stars, 9 is high at 4.
    stars = np.clip(2 + (early["rating"] - 4) * 2 / 5, 1, 5)
    model = FeedbackModel.fit(early["review"], stars)
    extreme = late[(late["rating"] <= 4) | (late["rating"] >= 9)]
    auc = roc_auc_score(extreme["rating"] >= 9, model.mood(extreme["review"]))
    assert auc >= 0.91
    assert len(model.to_text().encode()) < 1_300_000
    terms = kept_terms(model)
    assert len(terms) <= 35_000
    assert not re.search(r"\d", "".join(terms))
    named = [term for theme in model.theme_terms(1) for term in theme]
    assert len(set(named)) == 5
