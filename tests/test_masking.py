"""Masks: what tells who wrote a text is hidden, in two languages, and ordinary words stay."""

import re
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loyalty import masking
from loyalty.masking import MASKS, mask_text, shorten_text

#: A text, and what is left of it.
HIDDEN = {
    # E-mail addresses, links, handles
    "Write to john.smith+shop@mail.example.co.uk please": "Write to [e-mail] please",
    "mail me at JOHN @ EXAMPLE.COM!": "mail me at [e-mail]!",
    "john at example dot com": "[e-mail]",
    "kim 골뱅이 naver 닷 com 으로 주세요": "[e-mail] 으로 주세요",
    "답장은 ｋｉｍ＠ｎａｖｅｒ．ｃｏｍ 으로": "답장은 [e-mail] 으로",
    "osh517kr@네이버 로 알려 주세요": "[e-mail] 로 알려 주세요",
    "see https://a.example/b?c=d or www.shop.kr/x": "see [link] or [link]",
    "blog.naver.com/minsu 에서": "[link] 에서",
    "follow @min_su.kim now": "follow [account] now",
    "my Instagram is kim_88": "my Instagram is [account]",
    "카톡 아이디는 minsu88 입니다": "카톡 아이디는 [account] 입니다",
    # Numbers
    "call 010-1234-5678 or +82 (0)10 1234 5678": "call [number] or [number]",
    "전화 ０１０．１２３４．５６７８": "전화 [number]",
    "0\u200b1\u200b0\u200b1\u200b2\u200b3": "[number]",
    "①②③④⑤⑥": "[number]",
    "주민번호 900101-1234567, 900101-1******": "주민번호 [number], [number]",
    "card 1234 5678 9012 3456 was charged": "card [number] was charged",
    "국민은행 123456-01-234567 로 환불": "국민은행 [number] 로 환불",
    "order O0001234 and AB-2024-77 are late": "order [number] and [number] are late",
    "공일공 일이삼사 오육칠팔": "[number]",
    "zero one zero, one two three four": "[number]",
    # Addresses
    "서울특별시 강남구 테헤란로 123, 101동 1203호": "[address]",
    "경기도 성남시 분당구 정자동 12-3번지로 보내 주세요": "[address]로 보내 주세요",
    "강남구 역삼동 12-3 입니다": "[address] 입니다",
    "I live at 12 Baker Street, Flat 4": "I live at [address]",
    "London NW1 6XE": "London [address]",
    "P.O. Box 77": "[address]",
    # English names
    "Dear Anna, thank you": "Dear [name], thank you",
    "hi john, where is it?": "hi [name], where is it?",
    "My name is Mary-Jane O’Neill.": "My name is [name].",
    "my name is peter": "my name is [name]",
    "Mr. Bean and Dr Who were rude": "Mr. [name] and Dr [name] were rude",
    "I spoke to Sarah about it": "I spoke to [name] about it",
    "This is Bob from Leeds": "This is [name] from Leeds",
    "It broke.\nKind regards,\nJohn A. Smith": "It broke.\nKind regards,\n[name]",
    "It broke. Thanks, Maria": "It broke. Thanks, [name]",
    "It broke - Maria": "It broke - [name]",
    # Korean names
    "김민수 고객님께 연락 주세요": "[name] 고객님께 연락 주세요",
    "지민씨가 친절했어요": "[name]씨가 친절했어요",
    "남궁민수님 감사합니다": "[name]님 감사합니다",
    "박서준 씨는 좋았어요": "[name] 씨는 좋았어요",
    "김영희 팀장님이 도와주셨어요": "[name] 팀장님이 도와주셨어요",
    "제 이름은 박지성입니다": "제 이름은 [name]입니다",
    "주문자: 홍길동": "주문자: [name]",
    "저는 이영희라고 합니다": "저는 [name]라고 합니다",
    "빨리 보내 주세요. 홍길동 드림": "빨리 보내 주세요. [name] 드림",
}
#: What nobody is told by.
PLAIN = (
    "The lamp arrived broken and nobody answers the phone.",
    "Lovely tea, and it came a day early. Thank you!",
    "I paid 12,500 won on 3 May 2024 at 10:30 for 2 lamps.",
    "Hi there, thanks again. Dear Sir, dear customer service, hello everyone!",
    "I am disappointed. I'm Not amused. This is great.",
    "Best of all, thanks to you I saved 20%.",
    "조명 상품이 깨진 채로 도착했는데 전화를 아무도 안 받네요.",
    "고객님, 사장님, 선생님, 기사님, 상담원님 모두 친절하고 부모님도 좋아하셨어요",
    "날씨가 좋은데 아저씨 글씨는 별로예요. 마음씨도 솜씨도",
    "씨앗 세트 상품은 앞으로 3일 안에 오나요? 12,500원이나 냈어요",
    "저는 주부입니다. 이름이 예쁘고 친구 집으로 3번 보냈어요 ㅠㅠ ㅋㅋ",
    "가격 대비 괜찮고 배송은 2024년 5월에 10일이나 걸렸어요",
)


@pytest.mark.parametrize("text", HIDDEN)
def test_is_hidden(text):
    assert mask_text(text) == HIDDEN[text]


@pytest.mark.parametrize("text", PLAIN)
def test_stays(text):
    assert mask_text(text) == text


def test_masks_are_of_the_language_asked_for():
    assert mask_text("김민수님 a@b.kr 010-1234-5678", language="ko") == "[이름]님 [이메일] [번호]"
    assert MASKS["en"].keys() == MASKS["ko"].keys()


def test_ids_of_clients_go_and_those_of_two_signs_stay():
    ids = ["C-007", "minsu", 4711, "me", "kim park"]
    assert mask_text("c-007입니다, Minsu and me, 4711; minsuk", clients=ids) == (
        "[client]입니다, [client] and me, [number]; minsuk"
    )
    # An id may be a mask's own word.
    assert mask_text("name a@b.kr", clients=["name", "e-mail"]) == "[client] [e-mail]"


def test_what_is_not_seen_goes():
    assert mask_text("pay\u202eoff\x00 now\u200b\ufeff\r\nthen\u2028there\ud800") == "payoff now\nthen\nthere"


def test_wrong_arguments():
    with pytest.raises(TypeError, match="`text` must be a str; got None"):
        mask_text(None)
    with pytest.raises(ValueError, match="`language` must be 'en' or 'ko'; got 'fr'"):
        mask_text("", language="fr")


# Words of any length

#: What a word of 200,000 signs is made of, and what becomes of it where it does not stay.
LONG = {
    "a": None,
    "1": "[number]",
    "a@": "[e-mail]@" * 50_000,
    "a.": None,
    "x-": None,
    "+1 ": "[number]",
    "a골뱅이": None,
    "a.b-": None,
    "idis-": None,
    "강남구 ": None,
    "a--": None,
    "a1--": "[number]--" * 49_997 + "a1--" * 3,
    "Love-A ": None,
    "Love-A": "Love-[name]",
}


@pytest.mark.parametrize("unit", LONG)
def test_a_word_may_be_of_any_length(unit):
    long = (unit * (200_000 // len(unit))).strip()
    masked = mask_text(long)
    assert masked == (LONG[unit] or long)


def test_names_that_come_to_light_one_by_one_are_hidden_one_by_one_and_as_one_where_there_are_many():
    assert mask_text("기사도" * 20 + "기사님") == "[name]" * 20 + "기사님"
    assert mask_text("Well: " + "기사도" * 50 + "기사님", language="ko") == "[이름]"


def test_accents_of_any_number_are_put_in_order():
    accents = "\u0315\u0300\u0327\u0345"
    assert mask_text("e" + accents * 50) == unicodedata.normalize("NFC", "e" + accents * 50)
    assert len(mask_text("x" + accents * 50_000)) == 200_001


#: Patterns by their place among the rules, as they were before they stepped over what they had looked at.
AS_THEY_WERE = {
    1: r"[^\s@,;:()<>\[\]]+(?: @ |@ ?)[^\s@,;:()<>\[\]!?]+\.[^\s@,;:()<>\[\]!?]+",
    2: r"[^\s@,;:()<>\[\]]+ @(?i:[\w-]+(?:\.[\w-]+)*\.(?:com|net|org|kr|co|edu|io|de|uk|jp|cn)(?![a-z0-9]))",
    3: r"[^\s@,;:()<>\[\]]+@[^\s@,;()<>\[\]!?]+",
    4: r"(?i:[\w.+-]+ ?(?:\(at\)|\[at\]|\{at\}| at |골뱅이) ?[\w-]+ ?(?:\.|\(dot\)|\[dot\]| dot |닷|쩜)"
    r" ?(?:com|net|org|kr|co|edu|io|de|uk|jp|cn)\b)",
    5: r"(?i:(?<![\w@.])[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|net|org|kr|io|biz|info|shop|store|app|link|co|be|ly|gl)"
    r"(?![a-z0-9])(?:/[^\s\[\]]*)?)",
    7: r"(?i:\b(?:id|username|account|kakao|kakaotalk|instagram|insta|telegram) ?(?:is|:|=) ?)"
    r"((?=[\w.-]*[\d_.]\w)[A-Za-z0-9][\w.-]{2,})",
    10: r"(?:[가-힣]{1,7}(?:시|군|구|읍|면) +)+[가-힣0-9]{1,10}(?<!으)(?:로|길|동|리|가)"
    + masking._NUMBER_IN_STREET
    + masking._UNIT,
    15: r"(?<![A-Za-z0-9])(?=[A-Za-z0-9-]*[A-Za-z])(?=(?:[A-Za-z-]*\d){4})[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*",
    25: r"(?i:\b(?:regards|sincerely|truly|faithfully|best wishes|cheers|thanks|thank you|yours|love))"
    rf"[,.!]?\s*[-–—]?\s*{masking._NOBODY}{masking._NAME}\s*$",
}
RULES_AS_THEY_WERE = [
    ("number" if kind == "code" else kind, re.compile(AS_THEY_WERE.get(place, pattern.pattern), re.MULTILINE))
    for place, (kind, pattern) in enumerate(masking._RULES)
]


def masked_as_it_was(text):
    masked, text = None, masking.plain(text)
    while masked != text:
        masked = text
        for kind, pattern in RULES_AS_THEY_WERE:
            text = pattern.sub(masking._hider(MASKS["en"][kind]), text)
    return text


# fmt: off
bits = st.sampled_from([
    "a", "A", "é", "가", "1", "12", "@", " @", "@ ", ".", "..", "-", "--", "_", "!", ",", ";", ":", "[", "(", "/", " ",
    "\n", "\n\n", "com", ".co", ".kr", "골뱅이", " 골뱅이 ", "닷", "쩜", "(at)", " at ", " dot ", "강남구 ", "구 ",
    "역삼동", "으로 3", "길 1", "12-3 ", "a1", "id:", "idis", "id is ", "insta", "min_su", "thanks", "thank yours",
    "Regards,", "Love-A", "'", "Bob",
])
# fmt: on
#: Of few kinds of bits, so that they meet often, some many times over.
knotted = st.lists(bits, min_size=1, max_size=6).flatmap(
    lambda few: st.lists(
        st.builds(lambda bit, times: bit * times, st.sampled_from(few), st.sampled_from([1, 1, 1, 2, 9])), max_size=20
    ).map("".join)
)


@settings(deadline=None, max_examples=500)
@given(knotted)
@example("골뱅이 골뱅이골뱅이.com")
@example("a골뱅이b골뱅이골뱅이.com")
@example("idis-id: min_su")
@example("Regards,Regards,Ab-thanks")
@example("thanks-Aba-thanks, Bob")
@example("thank yours, Bob")
@example("a--b1--2--34--5")
@example("a@b.c!d@e.f")
@example("a..-b.com")
def test_stepping_over_misses_nothing_and_hides_no_more(text):
    assert mask_text(text) == masked_as_it_was(text)


# Properties

digits = st.sampled_from(["0123456789", "０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩", "০১২৩৪৫৬৭৮৯"])
numbers = st.builds(
    lambda alphabet, places, joint: joint.join(alphabet[place] for place in places),
    digits, st.lists(st.integers(0, 9), min_size=5, max_size=20), st.sampled_from(["", "-", " ", ".", "\u200b", " - "]),
)  # fmt: skip
mails = st.builds(
    lambda user, host, end: f"{user}@{host}.{end}",
    st.text("abcdefgXYZ019._+-가나", min_size=1, max_size=8), st.text("abcxyz0-가", min_size=1, max_size=6),
    st.sampled_from(["com", "co.kr", "한국"]),
)  # fmt: skip
words = st.sampled_from(" ".join(PLAIN).split())
pieces = st.one_of(words, numbers, mails, st.sampled_from(list(HIDDEN)), st.text(max_size=6))
texts = st.lists(pieces, max_size=8).flatmap(
    lambda parts: st.sampled_from([" ", "", "\n"]).map(lambda j: j.join(parts))
)


@settings(deadline=None)
@given(texts, st.sampled_from(["en", "ko"]), st.sampled_from(["en", "ko"]))
@example("Dear Dear Anna Bob Carl Dora, hello", "en", "en")
@example("[name]@b.kr @[name] 이름: [이름] 김민수", "en", "ko")
def test_masking_again_changes_nothing(text, language, other):
    masked = mask_text(text, clients=["name", "상품"], language=language)
    assert mask_text(masked, clients=["name", "상품"], language=other) == masked


@settings(deadline=None)
@given(texts)
def test_no_address_and_no_long_number_is_left(text):
    masked = mask_text(text)
    assert not re.search(r"\d{5}", masked)
    assert not re.search(r"[^\s\[\]@]@[^\s@]", masked)
    assert not any(unicodedata.category(sign) in ("Cf", "Cs") for sign in masked)
    assert not any(unicodedata.category(sign) == "Cc" for sign in masked.replace("\n", ""))


@settings(deadline=None)
@given(words, st.one_of(numbers, mails), words)
def test_what_was_put_in_does_not_come_out(before, secret, after):
    masked = mask_text(f"{before} {secret} {after}")
    assert secret not in masked
    bare = "".join(str(unicodedata.digit(sign)) for sign in secret if sign.isdigit())
    if "@" not in secret:
        assert bare not in re.sub(r"\D", "", masked) or len(re.sub(r"\D", "", before + after)) >= len(bare)


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            # What stands before 고객님 or 사장님 is taken for a name: rather one word too many.
            [word for word in " ".join(PLAIN).split() if not any(map(str.isdigit, word)) and "님" not in word]
        )
    )
)
def test_ordinary_words_in_small_letters_survive(chosen):
    text = " ".join(word.casefold().strip(".,!?") for word in chosen)
    assert mask_text(text) == text


@given(st.text(alphabet="ab [name]가\n", max_size=60), st.integers(10, 40))
def test_a_shortened_text_is_one_line_that_ends_between_words(text, longest):
    line, short = " ".join(text.split()), shorten_text(text, longest=longest)
    assert len(short) <= longest
    if len(line) <= longest:
        assert short == line
    else:
        kept = short.removesuffix(" …").removesuffix("…")
        assert line.startswith(kept)
        assert line[len(kept) : len(kept) + 1] == " " or " " not in line[: longest - 2]


def test_a_mask_is_never_cut():
    assert shorten_text("가" * 10 + "[name]님께서", longest=16) == "가" * 10 + " …"
