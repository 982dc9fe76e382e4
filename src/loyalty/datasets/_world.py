"""What truly happens in the synthetic world: who the clients are, what befalls them, and when they leave.

Times in here are days since the first midnight of the world, as floats. Everything a client would do is drawn first,
as if nobody ever left; then the hazard of leaving is added up week by week from what has happened before that week,
and whoever leaves does nothing more. So nothing depends on the future, and each effect is known by design.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loyalty.datasets._sentences import CATEGORIES

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

YEAR: Final = 365.25
SEGMENTS: Final = ("regular", "occasional", "bargain", "weary")
CAUSES: Final = ("natural", "ignored_complaint", "silence", "offers")

OFFER_VALID_DAYS: Final = 14.0  # an offer can be redeemed, and lifts orders, for so long
COOLING_DAYS: Final = 28.0  # a client who is about to leave looks around less for so long
LAPSED_DAYS: Final = 180.0  # the company stops writing to clients without an ordinary order for so long
TOLERATED_OFFERS: Final = 3.0  # so many within four weeks annoy nobody
OVERRUN_DAYS: Final = 35  # the world runs on behind its end, so that nothing thins out towards it

_SEGMENT_SHARES = (0.35, 0.30, 0.20, 0.15)
_ORDERS_PER_YEAR = np.array([12.0, 4.5, 8.0, 8.0])
_REGULARITY = np.array([4.0, 1.2, 1.5, 2.0])
_MEDIAN_SPEND = np.array([45.0, 60.0, 35.0, 50.0])
_DEPENDENCE = np.array([[1.5, 8.0], [1.5, 8.0], [6.0, 3.0], [2.0, 8.0]])
_UPLIFT = np.array([0.03, 0.08, 0.20, 0.01])
_FATIGUE = np.array([0.8, 0.8, 0.4, 4.0])
_LEAVING = np.array([0.7, 1.2, 1.1, 1.0])


@dataclass(frozen=True, kw_only=True)
class World:
    """The laws of the synthetic world; the defaults are the embedded example.

    The last three multiply a client's hazard of leaving: with 8, an ignored complaint makes it 1 + 8 = 9 times as
    high while it lasts. Set one to 0 and that push does not exist, which is how to prove a finding false.

    Attributes
    ----------
    growth : float
        Yearly growth of the rate of arrivals, on the log scale: 0.35 is 42 % more new clients each year.
    season : float
        Strength of the Christmas peak; 0 is a world without seasons.
    leaving_rate : float
        Mean hazard of leaving, per year, of a client whom nothing pushes.
    problem_share : float
        Share of orders that go wrong.
    complaint_share : float
        Share of clients with a problem who complain; the others say nothing.
    answered_share : float
        Share of complaints that are ever answered.
    follow_up_share : float
        Share of silent clients with a problem whom the company calls of its own accord, which mends it.
    offers_per_year : float
        Mean number of offers planned for a client.
    treated_share : float
        Share of planned offers that are really sent; chance alone decides, the rest is the control arm.
    contract_share : float
        Share of clients who hold a subscription.
    late_share : float
        Share of rows that became known later than they happened.
    ignored_complaint : float
        Push of a complaint unanswered for 3 days, until it is answered or 150 days old.
    silence : float
        Push of a problem that nobody spoke about, from 7 to 107 days after the order.
    fatigue : float
        Scales the push of each offer above three within the last four weeks.
    """

    growth: float = 0.35
    season: float = 1.0
    leaving_rate: float = 0.35
    problem_share: float = 0.08
    complaint_share: float = 0.55
    answered_share: float = 0.60
    follow_up_share: float = 0.30
    offers_per_year: float = 24.0
    treated_share: float = 0.70
    contract_share: float = 0.20
    late_share: float = 0.06
    ignored_complaint: float = 8.0
    silence: float = 6.0
    fatigue: float = 1.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not np.isfinite(value) or (value < 0 and name != "growth"):
                rule = "finite" if name == "growth" else "finite and not negative"
                raise ValueError(f"`world.{name}` must be {rule}; got {value!r}.")
            if name.endswith("_share") and value > 1:
                raise ValueError(f"`world.{name}` is a share and must be at most 1; got {value!r}.")


class Calendar:
    """The days of the world, and how busy each is."""

    def __init__(self, start: pd.Timestamp, days: int, season: float) -> None:
        self.start, self.days, self.season = start, days, season
        self.stop = float(days + OVERRUN_DAYS)
        dates = pd.date_range(start, periods=days + OVERRUN_DAYS, freq="D")
        year_day = np.asarray(dates.dayofyear, dtype=float)
        busyness = (
            1.0 + season * self.peak(year_day, centre=345.0, width=13.0) - 0.2 * min(season, 1.0) * (year_day < 50)
        )
        whole_year = np.arange(1.0, 366.0)
        mean = 1.0 + season * self.peak(whole_year, centre=345.0, width=13.0).mean() - 0.2 * min(season, 1.0) * 49 / 365
        self._midnights = np.arange(len(dates) + 1, dtype=float)
        self._elapsed = np.concatenate([[0.0], np.cumsum(busyness / mean)])
        self._year_day = year_day

    @staticmethod
    def peak(year_day: Floats, *, centre: float, width: float) -> Floats:
        """Height of a yearly bump on days of the year, around the turn of the year as well."""
        away = np.abs(year_day - centre)
        return np.asarray(np.exp(-0.5 * (np.minimum(away, 365.0 - away) / width) ** 2))

    def to_busy_time(self, times: Floats) -> Floats:
        """Turn days into busy days: a day in December counts for more."""
        return np.interp(times, self._midnights, self._elapsed)

    def from_busy_time(self, busy: Floats) -> Floats:
        """Turn busy days back into days; beyond the last one it is infinite."""
        return np.interp(busy, self._elapsed, self._midnights, right=np.inf)

    def year_day(self, times: Floats) -> Floats:
        """Day of the year, 1 to 366, of times within the world."""
        return self._year_day[times.astype(np.int64)]

    def instants(self, times: Floats) -> NDArray[np.datetime64]:
        """Turn days into timestamps between 8 and 22 o'clock; NaN and infinity become NaT."""
        there = np.isfinite(times)
        days = np.where(there, times, 0.0)
        seconds = np.floor(days) * 86_400 + 28_800 + np.floor((days % 1.0) * 50_400)
        origin = np.datetime64(self.start.to_pydatetime(), "s")
        instants = origin + seconds.astype(np.int64).astype("timedelta64[s]")
        instants[~there] = np.datetime64("NaT", "s")
        return instants.astype("datetime64[us]")

    def midnights(self, days: Floats) -> NDArray[np.datetime64]:
        """Turn days into the timestamps at which they begin; NaN becomes NaT."""
        there = np.isfinite(days)
        whole = np.where(there, np.floor(days), 0.0).astype(np.int64).astype("timedelta64[D]")
        midnights = np.datetime64(self.start.to_pydatetime(), "us") + whole
        midnights[~there] = np.datetime64("NaT", "us")
        return midnights


@dataclass(frozen=True)
class Clients:
    """One entry a client, in order of arrival."""

    joined: Floats
    first: Floats  # the first order
    segment: Ints
    rate: Floats  # orders per year
    regularity: Floats  # Gamma shape of the gaps between orders; 1 is random, more is steadier
    spend: Floats  # mean list price of an order
    dependence: Floats  # share of ordinary orders that wait for a discount
    uplift: Floats  # additional orders caused by one treated offer
    fatigue: Floats  # relative hazard per offer above three in four weeks
    leaving: Floats  # hazard per year while nothing pushes
    holder: Bools  # may take out a contract


@dataclass(frozen=True)
class Orders:
    """One entry an order, by client and time; `offer` is the offer redeemed, or -1."""

    client: Ints
    time: Floats
    known: Floats
    offer: Ints
    caused: Bools  # would not have been placed without the offer


@dataclass(frozen=True)
class Offers:
    """One entry a planned offer, by client and time."""

    client: Ints
    time: Floats
    treated: Bools
    kind: Ints
    discount: Floats  # share of the list price


@dataclass(frozen=True)
class Problems:
    """One entry an order that went wrong; times of what did not happen are NaN."""

    order: Ints
    client: Ints
    complained: Floats
    known: Floats
    replied: Floats
    resolved: Floats
    followed_up: Floats


@dataclass(frozen=True)
class Leaving:
    """When each client leaves (infinite if not within the world), why, and the pushes week by week."""

    time: Floats
    cause: Ints
    pushes: Floats  # (3, clients, weeks): ignored complaint, silence, offers


def keys(client: Ints, time: Floats) -> Floats:
    """One sortable number for a client and a time."""
    return client * 1e5 + time


def delays(rng: np.random.Generator, size: int, *, share: float, longest: float) -> Floats:
    """Draw reporting delays in days: 0 for most rows, up to `longest` for a share of them."""
    late = rng.random(size) < share
    return np.where(late, rng.uniform(0.05, longest, size), 0.0)


def draw_clients(rng: np.random.Generator, count: int, calendar: Calendar, world: World) -> Clients:
    """Let clients arrive ever faster, each with a character of its own."""
    growth, days, u = world.growth / YEAR, calendar.days, rng.random(count)
    arrivals = u * days if abs(growth) < 1e-9 else np.log1p(u * np.expm1(growth * days)) / growth
    joined = np.sort(arrivals)
    segment = rng.choice(len(SEGMENTS), size=count, p=_SEGMENT_SHARES)
    dependence = rng.beta(_DEPENDENCE[segment, 0], _DEPENDENCE[segment, 1])
    holder = rng.random(count) < world.contract_share
    leaving = world.leaving_rate * _LEAVING[segment] * rng.gamma(2.0, 0.5, count)
    return Clients(
        joined=joined,
        first=joined + rng.uniform(0.01, 1.5, count),
        segment=segment,
        rate=_ORDERS_PER_YEAR[segment] * rng.gamma(2.0, 0.5, count),
        regularity=_REGULARITY[segment] * rng.lognormal(0.0, 0.15, count),
        spend=_MEDIAN_SPEND[segment] * rng.lognormal(0.0, 0.5, count),
        dependence=dependence,
        uplift=_UPLIFT[segment] * rng.uniform(0.5, 1.5, count),
        fatigue=world.fatigue * _FATIGUE[segment] * rng.uniform(0.7, 1.3, count),
        leaving=leaving * np.exp(0.8 * (dependence - 0.25)) * np.where(holder, 0.7, 1.0),
        holder=holder,
    )


def draw_ordinary_orders(rng: np.random.Generator, clients: Clients, calendar: Calendar) -> tuple[Ints, Floats]:
    """Place orders with Gamma gaps in busy time, as if nobody ever left; return client and time."""
    begin = calendar.to_busy_time(clients.first)
    expected = clients.rate / YEAR * (calendar.to_busy_time(np.array([calendar.stop])) - begin)
    draws = np.ceil(expected + 6.0 * np.sqrt(expected / clients.regularity) + 6.0).astype(np.int64)
    client = np.repeat(np.arange(len(draws)), draws)
    shape = clients.regularity[client]
    gaps = rng.gamma(shape, YEAR / (shape * clients.rate[client]))
    total = np.cumsum(gaps)
    before = np.concatenate([[0.0], total[np.cumsum(draws)[:-1] - 1]])
    later = calendar.from_busy_time(begin[client] + total - before[client])
    client = np.concatenate([np.arange(len(draws)), client])
    time = np.concatenate([clients.first, later])
    inside = time < calendar.stop
    client, time = client[inside], time[inside]
    order = np.argsort(keys(client, time), kind="stable")
    return client[order], time[order]


def ordered_recently(client: Ints, time: Floats, order_client: Ints, order_time: Floats) -> Bools:
    """Tell whether a client's last ordinary order before each time is recent enough to be written to."""
    place = np.searchsorted(keys(order_client, order_time), keys(client, time)) - 1
    last = np.maximum(place, 0)
    return (place >= 0) & (order_client[last] == client) & (time - order_time[last] <= LAPSED_DAYS)


def draw_offers(
    rng: np.random.Generator, clients: Clients, calendar: Calendar, world: World, ordinary: tuple[Ints, Floats]
) -> Offers:
    """Plan offers, more of them for those who like discounts; chance alone picks the treated ones."""
    pressure = world.offers_per_year * rng.gamma(1.5, 1 / 1.5, len(clients.joined)) * (0.75 + clients.dependence)
    counts = rng.poisson(pressure / YEAR * (calendar.stop - clients.joined))
    client = np.repeat(np.arange(len(counts)), counts)
    time = clients.joined[client] + rng.random(len(client)) * (calendar.stop - clients.joined[client])
    order = np.argsort(keys(client, time), kind="stable")
    client, time = client[order], time[order]
    active = ordered_recently(client, time, *ordinary)
    client, time = client[active], time[active]
    kind = rng.choice(3, size=len(client), p=(0.6, 0.2, 0.2))
    percent = rng.choice([0.10, 0.20, 0.30], size=len(client), p=(0.5, 0.35, 0.15))
    discount = np.choose(kind, [percent, np.full(len(client), 0.05), np.full(len(client), 0.15)])
    return Offers(client, time, rng.random(len(client)) < world.treated_share, kind, discount)


def draw_orders(
    rng: np.random.Generator,
    clients: Clients,
    calendar: Calendar,
    world: World,
    ordinary: tuple[Ints, Floats],
    offers: Offers,
) -> Orders:
    """Add the orders that treated offers cause, and let some ordinary orders redeem an offer."""
    client, time = ordinary
    number = np.arange(len(offers.client))
    lucky = rng.random(len(number))
    causing = offers.treated & (lucky < clients.uplift[offers.client])
    caused_time = offers.time + rng.uniform(0.2, OFFER_VALID_DAYS - 0.2, len(number))
    following = np.minimum(
        np.searchsorted(keys(client, time), keys(offers.client, offers.time), side="right"), len(time) - 1
    )
    near = (client[following] == offers.client) & (time[following] > offers.time)
    near &= time[following] - offers.time < OFFER_VALID_DAYS
    claims = (
        offers.treated & ~causing & near & (rng.random(len(number)) < 0.1 + 0.6 * clients.dependence[offers.client])
    )
    claimed, which = np.unique(following[claims], return_index=True)
    redeemed = np.full(len(client), -1)
    redeemed[claimed] = number[claims][which]
    all_client = np.concatenate([client, offers.client[causing]])
    all_time = np.concatenate([time, caused_time[causing]])
    all_offer = np.concatenate([redeemed, number[causing]])
    caused = np.arange(len(all_client)) >= len(client)
    inside = all_time < calendar.stop
    order = np.flatnonzero(inside)[np.argsort(keys(all_client, all_time)[inside], kind="stable")]
    all_time = all_time[order]
    known = all_time + delays(rng, len(order), share=world.late_share, longest=3.0)
    return Orders(all_client[order], all_time, known, all_offer[order], caused[order])


def draw_problems(rng: np.random.Generator, orders: Orders, world: World) -> Problems:
    """Let some orders go wrong; some clients complain, and the company answers some of them."""
    order = np.flatnonzero(rng.random(len(orders.time)) < world.problem_share)
    size = len(order)
    spoken = rng.random(size) < world.complaint_share
    complained = np.where(spoken, orders.time[order] + 1.0 + rng.gamma(2.0, 1.5, size), np.nan)
    known = complained + delays(rng, size, share=world.late_share, longest=2.0)
    answered = rng.random(size) < world.answered_share
    replied = np.where(answered, known + rng.lognormal(np.log(1.2), 1.1, size), np.nan)
    mended = rng.random(size) < 0.85
    resolved = np.where(mended, replied + rng.lognormal(np.log(1.5), 0.8, size), np.nan)
    called = ~spoken & (rng.random(size) < world.follow_up_share)
    followed_up = np.where(called, orders.time[order] + rng.uniform(2.0, 7.0, size), np.nan)
    return Problems(order, orders.client[order], complained, known, replied, resolved, followed_up)


def _lasting(client: Ints, begin: Floats, stop: Floats, shape: tuple[int, int]) -> Floats:
    """Count, for every client and week, the spells in force; a spell counts from the first week it precedes."""
    count, weeks = shape
    edges = np.zeros(count * (weeks + 1))
    for when, sign in ((begin, 1.0), (np.maximum(stop, begin), -1.0)):
        week = np.minimum(np.ceil(when / 7.0).astype(np.int64), weeks)
        edges += sign * np.bincount(client * (weeks + 1) + week, minlength=len(edges))
    return np.cumsum(edges.reshape(count, weeks + 1), axis=1)[:, :weeks]


def _pushes(clients: Clients, orders: Orders, offers: Offers, problems: Problems, world: World, weeks: int) -> Floats:
    """Relative hazard that each push adds, for every client and week, from what happened before that week."""
    shape = (len(clients.joined), weeks)
    spoken = np.isfinite(problems.complained)
    begin = problems.complained[spoken] + 3.0
    stop = np.fmin(problems.replied[spoken], begin + 147.0)
    ignored = _lasting(problems.client[spoken], begin, stop, shape)
    silent = ~spoken & np.isnan(problems.followed_up)
    begin = orders.time[problems.order[silent]] + 7.0
    silence = _lasting(problems.client[silent], begin, begin + 100.0, shape)
    sent = offers.treated
    lately = _lasting(offers.client[sent], offers.time[sent], offers.time[sent] + 28.0, shape)
    excess = np.maximum(lately - TOLERATED_OFFERS, 0.0) * clients.fatigue[:, None]
    return np.stack([world.ignored_complaint * ignored, world.silence * silence, excess])


def draw_leaving(
    rng: np.random.Generator,
    clients: Clients,
    orders: Orders,
    offers: Offers,
    problems: Problems,
    calendar: Calendar,
    world: World,
) -> Leaving:
    """Let each client leave when the hazard added up since the first order reaches an exponential draw."""
    weeks = int(np.ceil(calendar.stop / 7.0))
    pushes = _pushes(clients, orders, offers, problems, world, weeks)
    weekly = clients.leaving[:, None] * (7.0 / YEAR) * (1.0 + pushes.sum(axis=0))
    ends = np.cumsum(weekly, axis=1)
    everyone = np.arange(len(clients.joined))
    first_week = np.minimum((clients.first / 7.0).astype(np.int64), weeks - 1)
    at_first = ends[everyone, first_week] - weekly[everyone, first_week] * (first_week + 1 - clients.first / 7.0)
    target = at_first + rng.exponential(size=len(everyone))
    week = (ends < target[:, None]).sum(axis=1)
    leaves = week < weeks
    week = np.minimum(week, weeks - 1)
    rate = weekly[everyone, week]
    part = 1.0 - np.divide(ends[everyone, week] - target, rate, out=np.zeros(len(everyone)), where=rate > 0)
    time = np.where(leaves, 7.0 * (week + part), np.inf)
    share = np.concatenate([np.ones((1, len(everyone))), pushes[:, everyone, week]])
    chance = np.cumsum(share, axis=0) / share.sum(axis=0)
    cause = (rng.random(len(everyone)) >= chance[:-1]).sum(axis=0)
    return Leaving(time, cause, pushes)


def category_weights(client: Ints, taste: Floats, year_day: Floats, season: float) -> Floats:
    """Chance of each category for orders: the client's taste, times the category's own season."""
    weights = taste[client]
    for name, centre, width, height in (
        ("gifts", 345.0, 18.0, 5.0),
        ("garden", 130.0, 35.0, 4.0),
        ("sport", 20.0, 30.0, 2.0),
    ):
        lift = 1.0 + season * height * Calendar.peak(year_day, centre=centre, width=width)
        weights[:, CATEGORIES.index(name)] *= lift
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
