"""Histories of a few clients, drawn by Hypothesis or made by hand, in every table."""

from dataclasses import fields
from datetime import datetime, timedelta

import pandas as pd
from hypothesis import strategies as st

from loyalty.features.feature import WINDOWS
from loyalty.histories import TABLES, Histories
from oracles.history import DAY, Contact, Contract, Event, History, Offer, Purchase, Reward

MICROSECOND, SECOND = timedelta(microseconds=1), timedelta(seconds=1)
NUDGES = (-SECOND, -MICROSECOND, timedelta(0), MICROSECOND, SECOND)
# At midnight, in the middle of a day, in the middle of a second.
MIDNIGHT, MIDDAY, MID_SECOND = (
    datetime.fromisoformat(text) for text in ("2024-07-01", "2024-07-01T13:45:10", "2024-07-01T13:45:10.500001")
)
CUTOFFS = (MIDNIGHT, MIDDAY, MID_SECOND)

_DTYPES = {"time": "datetime64[us]", "number": "float64", "flag": "boolean", "text": "string"}


def frames_of(history: History) -> dict[str, pd.DataFrame]:
    """Write the rows as tables, in the order given; a table without rows is left out."""
    frames = {}
    for field in fields(history):
        rows = getattr(history, field.name)
        if rows:
            kinds = {column.name: column.kind for column in TABLES[field.name].columns}
            frame = pd.DataFrame([vars(row) for row in rows], columns=list(type(rows[0]).__dataclass_fields__))
            dtypes = {name: _DTYPES[kinds[name]] for name in frame if kinds[name] in _DTYPES}
            texts = {name: "string" for name in frame if kinds[name] == "id" and name != "client_id"}
            frames[field.name] = frame.astype(dtypes | texts)
    return frames


def histories_of(history: History) -> Histories:
    """Read the rows."""
    return Histories(**frames_of(history))


# Drawn


def _times(cutoff: datetime) -> st.SearchStrategy[datetime]:
    """Draw a time, any or just at the edge of a window."""
    on_edge = st.builds(
        lambda days, nudge: cutoff - days * DAY + nudge, st.sampled_from((0, 7, *WINDOWS)), st.sampled_from(NUDGES)
    )
    return on_edge | st.datetimes(cutoff - 900 * DAY, cutoff + 60 * DAY)


def _afterwards(draw: st.DrawFn, at: datetime, cutoff: datetime) -> datetime | None:
    """Draw when something became known or came to pass: at once, late, or just when the cutoff falls."""
    later = st.integers(0, 60).map(lambda days: at + days * DAY)
    about_cutoff = st.sampled_from(NUDGES).map(lambda nudge: max(at, cutoff + nudge))
    return draw(st.none() | later | about_cutoff)


_CLIENTS = st.sampled_from([1, 2, 3, 10])
_TEXTS = st.none() | st.sampled_from(["a", "b", "ㄱ"])
_CENTS = st.integers(-3_000, 9_000).map(lambda cents: cents / 100)


@st.composite
def _purchases(draw: st.DrawFn, cutoff: datetime) -> Purchase:
    at = draw(_times(cutoff))
    return Purchase(
        client_id=draw(_CLIENTS),
        event_time=at,
        amount=draw(_CENTS | st.just(0.0)),
        known_at=_afterwards(draw, at, cutoff),
        product_id=draw(_TEXTS),
        category=draw(_TEXTS),
        channel=draw(_TEXTS),
        discount=draw(st.none() | st.sampled_from([0.0, 0.1, 2.5, -1.25])),
        quantity=draw(st.none() | st.sampled_from([-2.0, 0.0, 1.0, 3.0])),
        cost=draw(st.none() | st.sampled_from([0.0, 1.5, 40.0])),
        order_id=draw(st.none() | st.sampled_from(["o1", "o2", "o3"])),
    )


@st.composite
def _contacts(draw: st.DrawFn, cutoff: datetime) -> Contact:
    at = draw(_times(cutoff))
    return Contact(
        client_id=draw(_CLIENTS),
        event_time=at,
        known_at=_afterwards(draw, at, cutoff),
        direction=draw(st.none() | st.sampled_from(["inbound", "outbound"])),
        channel=draw(_TEXTS),
        kind=draw(st.none() | st.sampled_from(["complaint", "question", "feedback", "follow_up"])),
        topic=draw(_TEXTS),
        replied_at=_afterwards(draw, at, cutoff),
        resolved_at=_afterwards(draw, at, cutoff),
        satisfaction=draw(st.none() | st.sampled_from([1.0, 2.0, 3.5, 5.0])),
        text=draw(st.none() | st.sampled_from(["broken again", "고마워요", "ok", ""])),
    )


@st.composite
def _offers(draw: st.DrawFn, cutoff: datetime) -> Offer:
    at = draw(_times(cutoff))
    return Offer(
        client_id=draw(_CLIENTS),
        sent=at,
        known_at=_afterwards(draw, at, cutoff),
        kind=draw(_TEXTS),
        discount=draw(st.none() | st.sampled_from([0.0, 0.1, 0.5])),
        cost=draw(st.none() | st.sampled_from([0.0, 0.25])),
        treated=draw(st.none() | st.booleans()),
        redeemed_at=_afterwards(draw, at, cutoff),
    )


@st.composite
def _rewards(draw: st.DrawFn, cutoff: datetime) -> Reward:
    at = draw(_times(cutoff))
    return Reward(
        client_id=draw(_CLIENTS),
        event_time=at,
        known_at=_afterwards(draw, at, cutoff),
        kind=draw(st.none() | st.sampled_from(["earned", "redeemed", "expired"])),
        points=draw(st.none() | st.integers(-50, 200).map(float)),
        tier=draw(st.none() | st.sampled_from(["gold", "silver"])),
        expires_at=_afterwards(draw, at, cutoff),
    )


@st.composite
def _contracts(draw: st.DrawFn, cutoff: datetime) -> Contract:
    at = draw(_times(cutoff))
    return Contract(
        client_id=draw(_CLIENTS),
        start=at,
        known_at=_afterwards(draw, at, cutoff),
        end=_afterwards(draw, at, cutoff),
        plan=draw(_TEXTS),
        fee=draw(st.none() | st.sampled_from([0.0, 9.99, 20.0])),
        renews_at=_afterwards(draw, at, cutoff),
    )


@st.composite
def _events(draw: st.DrawFn, cutoff: datetime) -> Event:
    at = draw(_times(cutoff))
    return Event(
        client_id=draw(_CLIENTS),
        event_time=at,
        kind=draw(st.sampled_from(["visit", "community_post", "referral", "else"])),
        known_at=_afterwards(draw, at, cutoff),
        value=draw(st.none() | st.sampled_from([0.0, 1.0, 7.0])),
    )


@st.composite
def worlds(draw: st.DrawFn) -> tuple[History, datetime]:
    """Draw rows of a few clients in every table, and a cutoff about which they lie."""
    midnight = datetime.fromisoformat("2023-11-05") + draw(st.integers(0, 400)) * DAY
    within_day = draw(st.sampled_from([timedelta(0), MIDDAY - MIDNIGHT, MID_SECOND - MIDNIGHT, DAY - MICROSECOND]))
    cutoff = midnight + within_day
    drawn = {}
    for name, rows in (
        ("purchases", _purchases(cutoff)),
        ("contacts", _contacts(cutoff)),
        ("offers", _offers(cutoff)),
        ("rewards", _rewards(cutoff)),
        ("contracts", _contracts(cutoff)),
        ("events", _events(cutoff)),
    ):
        few, many = (st.lists(rows, min_size=least, max_size=least + 12) for least in (1, 10))
        drawn[name] = draw(few | many)
    return History(**drawn), cutoff


# Made by hand, one client each


def on_days(client: str, cutoff: datetime, *days: float, amount: float = 10.0) -> list[Purchase]:
    """Buy on some days before a cutoff."""
    return [Purchase(client, cutoff - day * DAY, amount) for day in days]


def on_the_edges(cutoff: datetime) -> list[Purchase]:
    """A purchase, and a refund of an older purchase, about the edge of every window."""
    made = []
    for days in (0, *WINDOWS):
        for nudge in NUDGES:
            at = cutoff - days * DAY + nudge
            name = f"{days}d {nudge / MICROSECOND:+.0f}us"
            made.append(Purchase(f"buys {name}", at, 12.5, None, "book", "media", "web", 2.5, 1.0, 4.0, "o1"))
            made.append(Purchase(f"returns {name}", at - 10 * DAY, 80.0, None, "lamp", "home", "web", 0.0, 2.0))
            made.append(Purchase(f"returns {name}", at, -30.0, None, "lamp", "home", "post", 0.0, -1.0))
            made.append(Purchase(f"told {name}", cutoff - 400 * DAY, 7.0, max(at, cutoff - 400 * DAY), "pen"))
    return made


def others_on_the_edges(cutoff: datetime) -> History:
    """A row of every other table about the edge of every window, with later facts about the cutoff."""
    made = History()
    for days in (0, 7, *WINDOWS):
        for nudge in NUDGES:
            at = cutoff - days * DAY + nudge
            client = f"buys {days if days != 7 else 30}d {nudge / MICROSECOND:+.0f}us"
            later = max(at, cutoff + nudge)
            made.contacts.append(
                Contact(client, at, None, "inbound", "phone", "complaint", "delivery", later, later, 2.0, "늦었어요")
            )
            made.contacts.append(Contact(client, at, None, "outbound", "mail", "follow_up"))
            made.offers.append(Offer(client, at, None, "f1", "bundle", 0.2, 0.1, True, later))
            made.rewards.append(Reward(client, at, None, "earned", 50.0, "gold", later))
            made.contracts.append(Contract(client, at, None, "k1", later, "plus", 9.99, later))
            made.events.append(Event(client, at, "visit", None, 3.0))
    return made


def odd_clients(cutoff: datetime) -> list[Purchase]:
    """Heavy, silent, refunding, before 1970, all at one instant."""
    heavy = [
        Purchase("heavy", cutoff - (i % 700 + 1) * timedelta(hours=13), (i % 97) - 9.37, product_id=f"p{i % 61}")
        for i in range(5_000)
    ]
    instant = cutoff - 20 * DAY
    day = instant.replace(hour=0, minute=0, second=0, microsecond=0)
    late = instant.replace(hour=23, minute=59, second=59, microsecond=999_999)
    return [
        *on_days("once", cutoff, 40),
        *on_days("twice", cutoff, 40, 21),
        *on_days("daily", cutoff, *range(1, 60)),
        *on_days("uneven", cutoff, 1, 3, 4, 90, 91, 300),
        *on_days("only refunds", cutoff, 5, 50, amount=-8.0),
        *on_days("only gifts", cutoff, 5, 50, amount=0.0),
        *on_days("pennies", cutoff, 5, 50, amount=0.01),
        *on_days("pennies", cutoff, 4, amount=-5_000.0),
        *[Purchase("at once", instant, amount, None, product) for amount in (3.0, 4.5, -1.0) for product in "xyz"],
        Purchase("one day", day, 5.0),
        Purchase("one day", late, 5.0),
        Purchase("midnight", late, 5.0),
        Purchase("midnight", day + DAY, 5.0),
        Purchase("surcharged", instant, 0.3, discount=-0.1),
        Purchase("surcharged", instant, 0.6, discount=-0.8),
        Purchase("half priced", instant, 10.0, discount=10.0),
        Purchase("half priced", instant, 99.0, discount=None),
        Purchase("free", instant, 0.0, discount=50.0),
        Purchase("before 1970", datetime.fromisoformat("1969-12-31T23:59:59.750000"), 1.0),
        *heavy,
    ]


def edge_cases() -> History:
    """All of them about three cutoffs."""
    made = History()
    for cutoff in CUTOFFS:
        other = others_on_the_edges(cutoff)
        made.purchases.extend(on_the_edges(cutoff))
        for field in fields(made):
            if field.name != "purchases":
                getattr(made, field.name).extend(getattr(other, field.name))
    made.purchases.extend(odd_clients(MIDNIGHT))
    return made
