"""Chapter 3 of the managers' page: what goes with the risk, what changed in it, and what clients write about."""

from typing import Any

import numpy as np
import pandas as pd

from loyalty.report import figures
from loyalty.report.clients import cell_of
from loyalty.report.figures import rows_of
from loyalty.report.pieces import Meanings, Section, meaning_of, signed, signed_range
from loyalty.report.run_folder import Change, Changed, Driver, Metrics, RunFolder, SegmentDriver, Strength, VoiceTheme
from loyalty.report.small_cells import SMALLEST, tellable
from loyalty.report.text import Speech
from loyalty.report.who import segment_name
from loyalty.wording import NONE, shown

_DIRECTIONS = {1: "raises", -1: "lowers", 0: "neutral"}
_STABILITY = ("unsteady", "shifting", "steady")
_MOST_THEMES, _MOST_QUOTES, _LONGEST_QUOTE = 12, 3, 240
#: A change of fewer points is none, as it is written.
_NO_CHANGE = 0.05


def themes_section(metrics: Metrics, speech: Speech, meanings: Meanings) -> Section | None:
    """Roll drivers up to themes, with their intervals and what of them can be acted upon.

    None where the run told of no theme.
    """
    themes = [one for one in metrics.themes if one.effect_pp is not None][:_MOST_THEMES]
    if not themes:
        return None
    themes.sort(key=lambda one: -(one.effect_pp or 0.0))
    longest = max(max(one.effect_pp or 0.0, one.upper_pp or 0.0) for one in themes)
    bars = [
        {
            "name": theme_name(one.theme, speech),
            "effect": speech.number(_known(one.effect_pp), digits=1),
            "can": f"{100 * _known(one.actionable_share, 0.0):.0f}",
            "part": speech.percent(_known(one.actionable_share)),
            "drivers": speech.number(one.drivers),
            **_reach(one, longest, speech),
        }
        for one in themes
    ]
    words = [
        speech("themes.alt.bar", theme=bar["name"], effect=bar["effect"], low=bar["low"], high=bar["high"])
        for bar in bars
    ]
    return {
        "headline": speech("themes.headline", theme=bars[0]["name"], effect=speech.points(_known(themes[0].effect_pp))),
        "alt": speech("themes.alt", bars="; ".join(words)),
        "bars": bars,
        "act": _act_upon(metrics, speech, meanings),
        "steady": _steadiness(metrics, speech),
        "columns": [
            speech("themes.theme"), speech("drivers.effect"), speech("drivers.range"), speech("themes.part"),
            speech("themes.drivers"),
        ],
        "rows": [[bar["name"], bar["effect"], bar["range"], bar["part"], bar["drivers"]] for bar in bars],
    }  # fmt: skip


def drivers_section(metrics: Metrics, speech: Speech, meanings: Meanings) -> Section:
    """List the strongest drivers, each with its theme, its interval and whether it can be acted upon."""
    frame = figures.driver_frame(metrics.drivers, language=speech.language, meanings=meanings)
    known = {one.feature: one for one in metrics.drivers}
    bars = [
        {
            "feature": shown(row.feature),
            "name": meaning_of(row.feature, row.meaning, meanings, speech.language),
            "effect": speech.number(row.effect_pp, digits=1),
            "range": _interval(known[row.feature], speech),
            "direction": _DIRECTIONS[row.direction],
            "theme": theme_name(known[row.feature].theme, speech) if known[row.feature].theme else NONE,
            "can": speech(f"drivers.can.{'yes' if known[row.feature].actionable else 'no'}")
            if known[row.feature].theme
            else NONE,
            "width": f"{100 * row.width:.0f}",
        }
        for row in rows_of(frame)
    ]
    words = [f"{bar['name']} {bar['effect']}, {speech('drivers.' + bar['direction'])}" for bar in bars]
    first = {"driver": bars[0]["name"], "effect": speech.points(frame["effect_pp"].iloc[0])} if bars else {}
    return {
        "headline": speech("drivers.headline", **first) if bars else speech("drivers.headline.none"),
        "alt": speech("drivers.alt", bars="; ".join(words)),
        "bars": bars,
        "legend": [name for name in _DIRECTIONS.values() if any(bar["direction"] == name for bar in bars)],
    }


def differs_section(metrics: Metrics, speech: Speech, meanings: Meanings) -> Section | None:
    """Find the segments in which another driver comes first than among all clients.

    None where the run told of no segment or no driver.
    """
    segments: dict[str, list[SegmentDriver]] = {}
    for one in metrics.drivers_by_segment:
        segments.setdefault(one.segment, []).append(one)
    if not segments or not metrics.drivers:
        return None
    of_all = metrics.drivers[0]
    differing = {name: own for name, own in segments.items() if _family(own[0]) != _family(of_all)}
    headline = speech(
        "differs.headline" if differing else "differs.headline.none",
        differing=speech.number(len(differing)),
        segments=speech.number(len(segments)),
        driver=_quoted(of_all, speech, meanings),
    )
    return {
        "headline": headline,
        "columns": [speech("segments.segment"), speech("differs.first"), speech("differs.second")],
        "rows": [
            [segment_name(*cell_of(name), speech), *_strongest(own, speech, meanings)]
            for name, own in differing.items()
        ],
    }


def changed_section(run: RunFolder, speech: Speech) -> Section | None:
    """Tell what moved the mean risk since an earlier cutoff: by theme, and by who came and went.

    None where nobody stood at both cutoffs.
    """
    changed = run.metrics.changed
    if changed is None:
        return None
    themes = sorted(changed.themes, key=lambda one: -abs(one.change_pp))[:_MOST_THEMES]
    if not run.clients:
        themes = [one for one in themes if tellable(one.clients)]
    longest = max((abs(one.change_pp) for one in themes), default=0.0)
    told = [_change_bar(one, longest, speech) for one in themes]
    bars = [bar for bar, one in zip(told, themes, strict=True) if abs(one.change_pp) >= _NO_CHANGE]
    return {
        "headline": _changed_headline(changed, speech),
        "who": _came_and_went(run, changed, speech),
        "alt": speech("changed.alt", bars="; ".join(f"{bar['name']} {bar['change']}" for bar in bars)),
        "bars": bars,
        "columns": [speech("themes.theme"), speech("changed.change"), speech("drivers.range")],
        "rows": [[bar["name"], bar["change"], bar["range"]] for bar in told],
    }


def voice_section(run: RunFolder, speech: Speech) -> Section | None:
    """Tell what clients write about, with the risk and the money that go with it.

    None where the run heard no client.
    """
    voice = run.metrics.voice
    if voice is None:
        return None
    themes = [one for one in voice.themes if one.clients >= SMALLEST][:_MOST_THEMES]
    rows = [_voice_row(one, speech) for one in themes]
    quotes = [
        {"theme": row["words"], "said": [shown(said, longest=_LONGEST_QUOTE) for said in one.quotes[:_MOST_QUOTES]]}
        for one, row in zip(themes, rows, strict=True)
        if one.quotes
    ]
    days = speech.days(voice.days)
    headline = speech("voice.headline.none", days=days)
    if themes:
        first = {"clients": speech.clients(themes[0].clients), "words": rows[0]["words"]}
        bare = ".bare" if themes[0].value_at_risk is None else ""
        headline = speech(f"voice.headline{bare}", money=rows[0]["money"], **first)
    return {
        "headline": headline,
        "sub": speech("voice.sub", days=days) if themes else "",
        "columns": [speech(f"voice.{name}") for name in _VOICE],
        "rows": [[row[name] for name in ("words", *_VOICE[1:])] for row in rows],
        "quotes": quotes if run.clients else [],
    }


_VOICE = ("theme", "clients", "share", "change", "mood", "risk", "difference", "money")


def theme_name(theme: str, speech: Speech) -> str:
    """Name a theme of the catalogue; one that is not in it goes by its own name.

    Parameters
    ----------
    theme : str
        As the run has it.
    speech : Speech
        Language of the words.

    Returns
    -------
    str
        One line.

    Examples
    --------
    >>> theme_name("service", Speech("en")), theme_name("weather", Speech("ko"))
    ('Service and complaints', 'weather')
    """
    return speech(f"theme.{theme}") if speech.has(f"theme.{theme}") else shown(theme, longest=40) or NONE


def _known(value: float | None, otherwise: float = float("nan")) -> float:
    return otherwise if value is None or np.isnan(value) else value


def _width(value: float | None, longest: float) -> str:
    """Length of a bar in percent of the longest, as the name of its class has it."""
    share = _known(value, 0.0) / longest if longest > 0 else 0.0
    return f"{100 * min(max(share, 0.0), 1.0):.0f}"


def _interval(one: Strength, speech: Speech) -> str:
    if one.lower_pp is None or one.upper_pp is None:
        return NONE
    return speech.span(speech.number(one.lower_pp, digits=1), speech.number(one.upper_pp, digits=1))


def _reach(one: Strength, longest: float, speech: Speech) -> Section:
    """Write the ends of an interval and its lengths: bar and line are parts of what reaches to the upper end."""
    low, high = (_known(end, _known(one.effect_pp, 0.0)) for end in (one.lower_pp, one.upper_pp))
    return {
        "width": _width(one.effect_pp, high),
        "upper": _width(high, longest),
        "line": _width(high - low, high),
        "low": speech.number(low, digits=1),
        "high": speech.number(high, digits=1),
        "range": _interval(one, speech),
    }


def _act_upon(metrics: Metrics, speech: Speech, meanings: Meanings) -> str:
    able = next((one for one in metrics.actionable if one.actionable and one.share is not None), None)
    if able is None:
        return ""
    share = speech.percent(_known(able.share))
    driver = next((one for one in metrics.drivers if one.driver == able.strongest and one.driver), None)
    if driver is None:
        return speech("themes.act.bare", share=share)
    return speech("themes.act", share=share, driver=_quoted(driver, speech, meanings))


def _quoted(driver: Driver, speech: Speech, meanings: Meanings) -> str:
    """Name a driver within a sentence."""
    meaning = driver.meaning_ko if speech.language == "ko" else driver.meaning_en
    return shown(meaning or meanings.get(driver.feature, {}).get(speech.language) or driver.feature) or NONE


def _steadiness(metrics: Metrics, speech: Speech) -> str:
    """Say in one sentence whether the drivers stayed the same; the worst step decides."""
    judged = [one for one in metrics.driver_stability if one.stability is not None and one.common_share is not None]
    if not judged:
        return ""
    worst = _STABILITY[min(_STABILITY.index(one.stability or "unsteady") for one in judged)]
    share = min(_known(one.common_share) for one in judged)
    return speech(
        f"stability.{worst}", cutoffs=speech.number(len(metrics.driver_stability) + 1), share=speech.percent(share)
    )


def _family(driver: Driver) -> str:
    return driver.driver or driver.feature


def _strongest(own: list[SegmentDriver], speech: Speech, meanings: Meanings) -> list[str]:
    cells = [
        f"{_quoted(one, speech, meanings)} ({speech.points(_known(one.effect_pp), short=True)})" for one in own[:2]
    ]
    return [*cells, *[NONE] * (2 - len(cells))]


def _change_bar(one: Change, longest: float, speech: Speech) -> dict[str, Any]:
    return {
        "name": theme_name(one.theme, speech),
        "change": signed(one.change_pp, speech, digits=1),
        "range": signed_range(one.lower_pp, one.upper_pp, speech),
        "side": "up" if one.change_pp > 0 else "down",
        "width": _width(abs(one.change_pp), longest),
    }


def _changed_headline(changed: Changed, speech: Speech) -> str:
    since = speech.date(changed.since)
    every = next((one for one in changed.composition if one.standing == "all"), None)
    if every is None or every.before_pp is None or every.after_pp is None:
        return speech("changed.headline.none", since=since)
    change = every.after_pp - every.before_pp
    way = "same" if abs(change) < _NO_CHANGE else "up" if change > 0 else "down"
    before, after = (speech.percent(one / 100, digits=1) for one in (every.before_pp, every.after_pp))
    return speech(f"changed.headline.{way}", since=since, change=speech.points(abs(change)), before=before, after=after)


def _came_and_went(run: RunFolder, changed: Changed, speech: Speech) -> str:
    """Divide the change among those who stayed, came and went; nothing where few would be counted, or nobody moved."""
    by = {one.standing: one for one in changed.composition}
    parts = [by.get(standing) for standing in ("both", "new", "gone")]
    if any(one is None for one in parts):
        return ""
    both, new, gone = (one for one in parts if one is not None)
    if not run.clients and not all(tellable(one.clients) for one in (both, new, gone)):
        return ""
    if not new.clients and not gone.clients:
        return ""
    which = "" if new.clients and gone.clients else ".came" if new.clients else ".left"
    effects = {
        name: f"{signed(_known(one.effect_pp, 0.0), speech, digits=1)}{_PERCENTAGE[speech.language]}"
        for name, one in (("both", both), ("new", new), ("gone", gone))
    }
    return speech(f"changed.who{which}", came=speech.clients(new.clients), left=speech.clients(gone.clients), **effects)


_PERCENTAGE = {"en": "\u00a0pp", "ko": "%p"}


def _voice_row(one: VoiceTheme, speech: Speech) -> dict[str, str]:
    difference, range_ = NONE, ""
    if one.difference is not None and not pd.isna(one.difference):
        difference = f"{signed(100 * one.difference, speech, digits=1)}{_PERCENTAGE[speech.language]}"
        if one.lower is not None and one.upper is not None:
            range_ = f" ({signed_range(100 * one.lower, 100 * one.upper, speech)})"
    change = None if one.change is None else 100 * one.change
    return {
        "words": ", ".join(filter(None, (shown(word, longest=24) for word in one.words[:5]))) or NONE,
        "clients": speech.number(one.clients),
        "share": speech.percent(one.share),
        "change": NONE if change is None else f"{signed(change, speech, digits=1)}{_PERCENTAGE[speech.language]}",
        "mood": speech.number(100 * _known(one.mood)),
        "risk": speech.percent(_known(one.churn_probability)),
        "difference": f"{difference}{range_}",
        "money": speech.money(_known(one.value_at_risk)),
    }
