"""What the clients of the synthetic histories write, in English and in Korean."""

from functools import cache
from typing import Final

CATEGORIES: Final = ("gifts", "home", "food", "beauty", "sport", "garden")
LANGUAGES: Final = ("en", "ko")

_IN_WORDS: Final = {
    "en": ("gift box", "lamp", "tea", "hand cream", "yoga mat", "seed set"),
    "ko": ("선물 상자", "조명", "차", "핸드크림", "요가 매트", "씨앗 세트"),
}

# Korean particles change with the last sound of a word, so a template puts 상품 ("goods") between the two.
_TEMPLATES: Final = {
    ("complaint", "en"): (
        "The {thing} arrived broken and nobody answers the phone.",
        "I was charged twice for the {thing}. Please put this right.",
        "My {thing} is ten days late and the tracking page shows nothing.",
        "You sent the wrong {thing} again. This is the second time.",
        "The {thing} stopped working after three days. I want my money back.",
        "I am disappointed: the {thing} looks nothing like the picture.",
    ),
    ("complaint", "ko"): (
        "{thing} 상품이 깨진 채로 도착했는데 전화를 아무도 안 받네요.",
        "{thing} 상품 값이 두 번 결제됐어요. 빨리 바로잡아 주세요.",
        "{thing} 상품 배송이 열흘이나 늦는데 조회도 안 됩니다.",
        "{thing} 상품이 또 잘못 왔습니다. 벌써 두 번째예요.",
        "{thing} 상품이 사흘 만에 고장 났습니다. 환불해 주세요.",
        "{thing} 상품이 사진과 전혀 달라서 실망했습니다.",
    ),
    ("again", "en"): (
        "I wrote to you about this weeks ago and have heard nothing. Nothing has changed.",
        "This is my second message about the same problem. Does anybody read these?",
        "Still no answer and still the same trouble. I am losing patience.",
    ),
    ("again", "ko"): (
        "몇 주 전에 같은 일로 글을 남겼는데 아직 아무 답이 없습니다. 달라진 것도 없어요.",
        "같은 문제로 두 번째 연락드립니다. 글을 읽기는 하시나요?",
        "여전히 답도 없고 문제도 그대로입니다. 더는 못 기다리겠어요.",
    ),
    ("question", "en"): (
        "Is the {thing} back in stock before the end of the month?",
        "Can I still change the delivery address for my {thing}?",
        "How do I use my points when I buy the {thing}?",
        "Does the {thing} come in another size?",
    ),
    ("question", "ko"): (
        "{thing} 상품은 이달 안에 다시 들어오나요?",
        "{thing} 상품의 배송지를 아직 바꿀 수 있을까요?",
        "{thing} 상품을 살 때 포인트는 어떻게 쓰나요?",
        "{thing} 상품은 다른 크기도 있나요?",
    ),
    ("bad", "en"): (
        "The {thing} was a waste of money.",
        "Poor quality, and slow delivery. I would not buy the {thing} again.",
        "Not happy with the {thing}, and even less with your service.",
        "The {thing} was all right but the last problem still annoys me.",
    ),
    ("bad", "ko"): (
        "{thing} 상품은 돈이 아까웠어요.",
        "품질도 별로고 배송도 느려서 {thing} 상품은 다시 안 살 것 같아요.",
        "{thing} 상품도 아쉽지만 고객 응대가 더 실망스럽습니다.",
        "{thing} 상품은 괜찮은데 지난번 문제가 아직 기분 나쁘네요.",
    ),
    ("fair", "en"): (
        "The {thing} is fine for the price.",
        "Delivery took a while, the {thing} does its job.",
        "Nothing special, but the {thing} is usable.",
    ),
    ("fair", "ko"): (
        "{thing} 상품은 가격만큼은 합니다.",
        "배송이 조금 걸렸지만 {thing} 상품은 쓸 만해요.",
        "특별하진 않아도 {thing} 상품은 무난합니다.",
    ),
    ("good", "en"): (
        "Lovely {thing}, and it came a day early. Thank you!",
        "My sister loved the {thing}. We will be back.",
        "Great quality. This is my favourite {thing} so far.",
        "Friendly help in choosing the {thing}. Highly recommended.",
    ),
    ("good", "ko"): (
        "{thing} 상품이 정말 예쁘고 하루 일찍 왔어요. 감사합니다!",
        "동생이 {thing} 상품을 아주 좋아했어요. 또 올게요.",
        "품질이 훌륭해요. 지금까지 산 {thing} 상품 중에 최고입니다.",
        "{thing} 상품을 고를 때 친절하게 도와주셨어요. 추천합니다.",
    ),
}

#: What each sentence is about, in the order of the templates in either language; "again" is about the same as before.
TOPICS: Final = {
    "complaint": ("product", "billing", "delivery", "delivery", "product", "product"),
    "again": ("", "", ""),
    "question": ("product", "delivery", "rewards", "product"),
    "bad": ("product", "product", "service", "service"),
    "fair": ("product", "delivery", "product"),
    "good": ("delivery", "product", "product", "service"),
}


@cache
def sentences(mood: str, language: str, category: int) -> tuple[str, ...]:
    """Return everything a client may write in a mood, in a language, about a category."""
    thing = _IN_WORDS[language][category]
    return tuple(template.format(thing=thing) for template in _TEMPLATES[mood, language])
