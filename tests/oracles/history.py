"""One client's history as plain rows, and what of it was known at a cutoff: what every theme's oracle starts from."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta

NAN = math.nan
DAY = timedelta(days=1)

#: What a later fact is called; it is unknown until its own date.
LATER = ("replied_at", "resolved_at", "redeemed_at", "end")


@dataclass(frozen=True)
class Purchase:
    """One line as the source tells it; `known_at` is None if it was known at once."""

    client_id: int | str
    event_time: datetime
    amount: float
    known_at: datetime | None = None
    product_id: str | None = None
    category: str | None = None
    channel: str | None = None
    discount: float | None = None
    quantity: float | None = None
    cost: float | None = None
    order_id: str | None = None


@dataclass(frozen=True)
class Contact:
    """One contact between client and company."""

    client_id: int | str
    event_time: datetime
    known_at: datetime | None = None
    direction: str | None = None
    channel: str | None = None
    kind: str | None = None
    topic: str | None = None
    replied_at: datetime | None = None
    resolved_at: datetime | None = None
    satisfaction: float | None = None
    text: str | None = None


@dataclass(frozen=True)
class Offer:
    """One offer planned for a client."""

    client_id: int | str
    sent: datetime
    known_at: datetime | None = None
    offer_id: str | None = None
    kind: str | None = None
    discount: float | None = None
    cost: float | None = None
    treated: bool | None = None
    redeemed_at: datetime | None = None


@dataclass(frozen=True)
class Reward:
    """One movement of points."""

    client_id: int | str
    event_time: datetime
    known_at: datetime | None = None
    kind: str | None = None
    points: float | None = None
    tier: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Contract:
    """One spell of a contract."""

    client_id: int | str
    start: datetime
    known_at: datetime | None = None
    contract_id: str | None = None
    end: datetime | None = None
    plan: str | None = None
    fee: float | None = None
    renews_at: datetime | None = None


@dataclass(frozen=True)
class Event:
    """Anything else a client does."""

    client_id: int | str
    event_time: datetime
    kind: str
    known_at: datetime | None = None
    value: float | None = None


Row = Purchase | Contact | Offer | Reward | Contract | Event


def when(row: Row) -> datetime:
    """When a row happened."""
    return row.sent if isinstance(row, Offer) else row.start if isinstance(row, Contract) else row.event_time


@dataclass(frozen=True)
class History:
    """All rows of one client, or of all of them."""

    purchases: list[Purchase] = field(default_factory=list)
    contacts: list[Contact] = field(default_factory=list)
    offers: list[Offer] = field(default_factory=list)
    rewards: list[Reward] = field(default_factory=list)
    contracts: list[Contract] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def known_before(self, cutoff: datetime) -> "History":
        """Keep what had reached the records before the cutoff, without later facts that had not come to pass."""
        return History(**{f.name: known_before(getattr(self, f.name), cutoff) for f in fields(self)})

    def of(self, client: int | str) -> "History":
        """Keep one client's rows."""
        return History(**{f.name: [r for r in getattr(self, f.name) if r.client_id == client] for f in fields(self)})

    def rows(self) -> list[Row]:
        """List the rows of all tables."""
        return [row for f in fields(self) for row in getattr(self, f.name)]


def known_before(rows: Iterable[Row], cutoff: datetime) -> list[Row]:
    """Keep what had reached the records before the cutoff, without later facts that had not come to pass."""
    known = []
    for row in rows:
        if (when(row) if row.known_at is None else row.known_at) >= cutoff:
            continue
        not_yet = {n: None for n in LATER if getattr(row, n, None) is not None and getattr(row, n) >= cutoff}
        known.append(replace(row, **not_yet))
    return known


def within(rows: Iterable[Row], cutoff: datetime, days: float, beyond: float = 0) -> list[Row]:
    """Keep the rows of the last `days`, and of these the ones more than `beyond` days ago."""
    return [r for r in rows if cutoff - days * DAY <= when(r) < cutoff - beyond * DAY]


def age(row: Row, cutoff: datetime) -> float:
    """Days from a row to the cutoff."""
    return (cutoff - when(row)) / DAY


def midnight(at: datetime) -> datetime:
    """Begin the day."""
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def purchase_days(purchases: Iterable[Purchase]) -> list[datetime]:
    """List the days on which something was paid for, in order, each once."""
    return sorted({midnight(p.event_time) for p in purchases if p.amount > 0})


def spend_of(purchases: Iterable[Purchase], day: datetime) -> float:
    """Add up what was paid on a day, without refunds."""
    return math.fsum(p.amount for p in purchases if p.amount > 0 and day <= p.event_time < day + DAY)


def bought(purchases: Iterable[Purchase], cutoff: datetime) -> tuple[float, float, float, float, float]:
    """Tell frequency, recency, T and monetary as in the buy-till-you-die literature, and the day it began."""
    days = purchase_days(purchases)
    if not days:
        return NAN, NAN, NAN, NAN, NAN
    repeats = [spend_of(purchases, day) for day in days[1:]]
    return (
        len(days) - 1,
        (days[-1] - days[0]).days,
        (cutoff - days[0]) / DAY,
        math.fsum(repeats) / len(repeats) if repeats else NAN,
        (days[0] - days[0].replace(year=1970, month=1, day=1)).days,
    )


def ratio(upper: float, lower: float) -> float:
    """Divide, or NaN."""
    return upper / lower if lower else NAN


def share(flags: Iterable[bool]) -> float:
    """Say how many of some are true; NaN of none."""
    told = list(flags)
    return sum(told) / len(told) if told else NAN
