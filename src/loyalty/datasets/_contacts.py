"""What clients of the synthetic shop say to it, what it answers, and when it speaks first."""

from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loyalty.datasets import _world as w
from loyalty.datasets._history import History, in_time, moments
from loyalty.datasets._sentences import CATEGORIES, LANGUAGES, TOPICS, sentences
from loyalty.datasets._world import Floats, Ints

_AGAIN_SHARE: Final = 0.5  # of those who complain and hear nothing, so many write again
_FEEDBACK_ANSWERED: Final = 0.35  # share
_CALL_BACK_SHARE: Final = 0.3  # of settled complaints, so many are followed by a call
_TROUBLES: Final = np.array(["product", "delivery", "billing"])  # what clients who say nothing are called about

_Part = dict[str, NDArray[Any]]


def contacts(made: History) -> pd.DataFrame:
    """List who wrote or called, about what, how it was met, and what the client thought of it."""
    rng, answers = made.rng("contacts"), made.rng("answers")
    complaints = _complaints(made, rng)
    parts = [complaints, _questions(made, rng), _feedback(made, rng, answers), _calls(made, answers)]
    parts += [_reminders(made, answers, complaints), _calls_back(made, answers, complaints)]
    kept = {name: np.concatenate([part[name] for part in parts]) for name in complaints}
    known = kept["known_at"] < made.calendar.days
    kept = {name: values[known] for name, values in kept.items()}
    usual = rng.choice(["email", "phone", "chat"], int(known.sum()), p=(0.5, 0.2, 0.3))
    return in_time({
        "client_id": made.ids[kept["client"]],
        "event_time": made.instants(kept["event_time"]),
        "known_at": made.instants(kept["known_at"]),
        "direction": kept["direction"],
        "channel": np.where(kept["direction"] == "outbound", "phone", usual),
        "kind": kept["kind"],
        "topic": kept["topic"],
        "replied_at": made.instants(kept["replied_at"]),
        "resolved_at": made.instants(kept["resolved_at"]),
        "satisfaction": kept["satisfaction"],
        "text": kept["text"],
    }, "event_time", "client_id", "kind")  # fmt: skip


def _part(client: Ints, time: Floats, *, kind: str, topic: object, text: object = None, **given: Floats) -> _Part:
    """Make rows of one kind; what is not given did not happen."""
    size = len(client)
    nothing = np.full(size, np.nan)
    later = {"known_at": time, "replied_at": nothing, "resolved_at": nothing, "satisfaction": nothing} | given
    return {
        "client": client,
        "event_time": time,
        "direction": np.full(size, "outbound" if kind == "follow_up" else "inbound"),
        "kind": np.full(size, kind),
        "topic": np.asarray(topic, dtype=object),
        "text": np.full(size, None) if text is None else np.asarray(text, dtype=object),
        **later,
    }


def _write(
    rng: np.random.Generator, moods: NDArray[np.str_], language: Ints, category: Ints
) -> tuple[list[str], list[str]]:
    """Let each client write a sentence in their mood and language about what they bought; return it and its topic."""
    drawn = rng.random(len(moods))
    texts, topics = [], []
    for mood, spoken, about, u in zip(
        moods.tolist(), language.tolist(), category.tolist(), drawn.tolist(), strict=True
    ):
        which = int(u * len(TOPICS[mood]))
        texts.append(sentences(mood, LANGUAGES[spoken], about)[which])
        topics.append(TOPICS[mood][which])
    return texts, topics


def _complaints(made: History, rng: np.random.Generator) -> _Part:
    problems = made.problems
    there = made.present(problems.client, problems.complained) & (problems.known < made.calendar.days)
    client, order = problems.client[there], problems.order[there]
    rated = rng.random(len(client)) < 0.7
    stars = np.where(rated, 1.0 + (rng.random(len(client)) < 0.35), np.nan)
    text, topic = _write(rng, np.full(len(client), "complaint"), made.language[client], made.category[order])
    return _part(
        client, problems.complained[there], known_at=problems.known[there], kind="complaint", topic=topic, text=text,
        replied_at=problems.replied[there], resolved_at=problems.resolved[there], satisfaction=stars,
    )  # fmt: skip


def _questions(made: History, rng: np.random.Generator) -> _Part:
    client, time = moments(made, rng, np.full(len(made.ids), 0.9))
    known = time + w.delays(rng, len(time), share=made.world.late_share, longest=2.0)
    answered = rng.random(len(client)) < 0.95
    replied = np.where(answered, known + rng.lognormal(np.log(0.4), 0.7, len(client)), np.nan)
    about = rng.integers(len(CATEGORIES), size=len(client))
    resolved = replied + rng.exponential(0.3, len(client))
    text, topic = _write(rng, np.full(len(client), "question"), made.language[client], about)
    return _part(
        client, time, known_at=known, kind="question", topic=topic, text=text, replied_at=replied, resolved_at=resolved
    )


def _feedback(made: History, rng: np.random.Generator, answers: np.random.Generator) -> _Part:
    """Let some clients say what they think of an order; chance decides whom the company thanks for it."""
    order = np.flatnonzero(made.placed & (rng.random(len(made.placed)) < 0.12))
    client = made.orders.client[order]
    time = made.orders.time[order] + 2.0 + rng.exponential(4.0, len(order))
    there = made.present(client, time)
    order, client, time = order[there], client[there], time[there]
    known = time + w.delays(rng, len(time), share=made.world.late_share, longest=2.0)
    mood = 4.2 + rng.normal(0.0, 0.8, len(order)) - 1.6 * np.isin(order, made.problems.order)
    mood = mood - 1.2 * made.pushed(0, client, time) - 0.8 * (made.leaving.time[client] - time < w.COOLING_DAYS)
    stars = np.clip(np.round(mood), 1, 5)
    moods = np.array(["bad", "fair", "good"])[(stars >= 3).astype(int) + (stars >= 4)]
    text, topic = _write(rng, moods, made.language[client], made.category[order])
    answered = answers.random(len(order)) < _FEEDBACK_ANSWERED
    replied = np.where(answered, known + answers.lognormal(np.log(1.5), 0.8, len(order)), np.nan)
    return _part(
        client, time, known_at=known, kind="feedback", topic=topic, text=text, replied_at=replied, satisfaction=stars
    )


def _calls(made: History, answers: np.random.Generator) -> _Part:
    """Let the company call some of those who had a problem and said nothing."""
    problems = made.problems
    there = np.isfinite(problems.followed_up) & made.present(problems.client, problems.followed_up)
    client, time = problems.client[there], problems.followed_up[there]
    return _part(client, time, kind="follow_up", topic=answers.choice(_TROUBLES, len(client), p=(0.5, 0.35, 0.15)))


def _reminders(made: History, answers: np.random.Generator, complaints: _Part) -> _Part:
    """Let some who complained and heard nothing complain of the same thing again; one answer is for both."""
    client, replied, resolved = (complaints[name] for name in ("client", "replied_at", "resolved_at"))
    size = len(client)
    time = complaints["event_time"] + answers.uniform(8.0, 30.0, size)
    again = (answers.random(size) < _AGAIN_SHARE) & ~(replied <= time) & made.present(client, time)
    text, _ = _write(answers, np.full(size, "again"), made.language[client], np.zeros(size, dtype=np.int64))
    return _part(
        client[again], time[again], kind="complaint", topic=complaints["topic"][again], text=np.array(text)[again],
        replied_at=replied[again], resolved_at=resolved[again],
        satisfaction=np.where(answers.random(size) < 0.7, 1.0, np.nan)[again],
    )  # fmt: skip


def _calls_back(made: History, answers: np.random.Generator, complaints: _Part) -> _Part:
    """Let the company ask some of those whose complaint was settled whether all is well now."""
    client, resolved = complaints["client"], complaints["resolved_at"]
    time = resolved + answers.uniform(1.0, 6.0, len(client))
    called = (answers.random(len(client)) < _CALL_BACK_SHARE) & np.isfinite(time) & made.present(client, time)
    return _part(client[called], time[called], kind="follow_up", topic=complaints["topic"][called])
