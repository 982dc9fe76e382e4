"""Text: how much clients write, in which language, how glad they sound, and of what they speak.

Mood and themes are what the fitted model `feedback` says of a text.
"""

from loyalty.features.algebra import CONTACTS, Length, Matches
from loyalty.features.algebra import Learned as Asked
from loyalty.features.feature import Feature, Phrase

TEXT = CONTACTS["text"]
#: Sources write nothing as blanks, too.
WRITTEN = Matches(TEXT, r"[^ \t\r\n]")
#: Syllables, letters alone (ㅠㅠ), and letters to be put together, as some computers write syllables.
KOREAN = Matches(TEXT, "[가-힣ㄱ-ㆎᄀ-ᇿ]")

MOOD = Asked("feedback", "mood", (TEXT,))
#: Themes that the model tells apart.
THEMES = (1, 2, 3, 4, 5)

FEATURES = (
    Feature(
        name="texts_count_365d",
        theme="text",
        unit="count",
        meaning={"en": "messages with text in the last 365 days", "ko": "최근 365일 고객이 남긴 글 수"},
        topic="texts",
        phrases={
            "en": Phrase(
                "{value} [message/messages] with text in the last 365 days",
                zero="no message with text in the last 365 days",
            ),
            "ko": Phrase("최근 365일 동안 글을 {value}건 남겼습니다", zero="최근 365일 동안 남긴 글이 없습니다"),
        },
        formula=WRITTEN.count(within=365),
        actionable=True,
    ),
    Feature(
        name="text_length_mean_365d",
        theme="text",
        unit="characters",
        meaning={
            "en": "average length of the client's messages in the last 365 days",
            "ko": "최근 365일 고객이 남긴 글의 평균 글자 수",
        },
        formula=Length(TEXT).mean(WRITTEN, within=365),
    ),
    Feature(
        name="texts_korean_share",
        theme="text",
        unit="share",
        meaning={"en": "share of the client's messages written in Korean", "ko": "고객이 남긴 글 중 한국어 비율"},
        formula=CONTACTS.share(KOREAN, where=WRITTEN),
    ),
    Feature(
        name="mood_mean_365d",
        theme="text",
        unit="position",
        meaning={
            "en": "average mood of the client's messages in the last 365 days",
            "ko": "최근 365일 고객이 남긴 글의 평균 감정 점수",
        },
        topic="mood",
        formula=MOOD.mean(WRITTEN, within=365),
        actionable=True,
    ),
    Feature(
        name="mood_last",
        theme="text",
        unit="position",
        meaning={"en": "mood of the client's last message", "ko": "고객이 마지막으로 남긴 글의 감정 점수"},
        topic="mood",
        formula=MOOD.last(WRITTEN),
        actionable=True,
    ),
    Feature(
        name="mood_min_365d",
        theme="text",
        unit="position",
        meaning={
            "en": "mood of the client's worst message in the last 365 days",
            "ko": "최근 365일 고객이 남긴 글 중 가장 낮은 감정 점수",
        },
        topic="mood",
        formula=MOOD.min(WRITTEN, within=365),
        actionable=True,
    ),
    Feature(
        name="mood_trend_180d",
        theme="text",
        unit="position",
        meaning={
            "en": "average mood of messages in the last 180 days less that of earlier ones",
            "ko": "이전 글 대비 최근 180일 글의 평균 감정 점수 증감",
        },
        topic="mood",
        formula=MOOD.mean(WRITTEN, within=180) - MOOD.mean(WRITTEN, beyond=180),
        actionable=True,
    ),
    *(
        Feature(
            name=f"text_theme_{number}_mean_365d",
            theme="text",
            unit="position",
            meaning={
                "en": f"weight of theme {number} in the client's messages of the last 365 days",
                "ko": f"최근 365일 고객이 남긴 글에서 주제 {number}의 비중",
            },
            formula=Asked("feedback", f"theme_{number}", (TEXT,)).mean(WRITTEN, within=365),
        )
        for number in THEMES
    ),
)
