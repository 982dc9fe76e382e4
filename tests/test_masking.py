"""Masks: what tells who wrote a text is hidden, in two languages, and ordinary words stay."""

import re
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

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
