"""Oracle of the theme text, with a stand-in for the fitted model."""

import statistics
from datetime import datetime

from oracles.history import NAN, History, share, within
from oracles.learned import feedback


def tell(history: History, cutoff: datetime) -> dict[str, float]:
    """Say every feature of the theme, of what is known of one client."""
    written = [c for c in history.contacts if c.text is not None and c.text.strip(" \t\r\n")]
    year = within(written, cutoff, 365)
    moods = [feedback("mood", c.text) for c in year]
    last = [c.text for c in written if c.event_time == max(d.event_time for d in written)]
    lately = within(written, cutoff, 180)
    before = [c for c in written if c not in lately]
    told = {
        "texts_count_365d": len(year),
        "text_length_mean_365d": mean([len(c.text) for c in year]),
        "texts_korean_share": share(any(map(is_korean, c.text)) for c in written),
        "mood_mean_365d": mean(moods),
        "mood_last": max((feedback("mood", text) for text in last), default=NAN),
        "mood_min_365d": min(moods, default=NAN),
        "mood_trend_180d": mean([feedback("mood", c.text) for c in lately])
        - mean([feedback("mood", c.text) for c in before]),
    }
    for theme in range(1, 6):
        told[f"text_theme_{theme}_mean_365d"] = mean([feedback(f"theme_{theme}", c.text) for c in year])
    return told


def is_korean(letter: str) -> bool:
    """Say whether a letter is a Hangul syllable or jamo."""
    return "가" <= letter <= "힣" or "ㄱ" <= letter <= "ㆎ" or "\u1100" <= letter <= "\u11ff"


def mean(numbers: list[float]) -> float:
    """Take the mean; NaN of nothing."""
    return statistics.fmean(numbers) if numbers else NAN
