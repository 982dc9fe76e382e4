"""Oracle of the theme peers."""

from datetime import datetime

from oracles.history import DAY, NAN, History, Purchase, purchase_days, ratio

YEAR = 365


def tell(history: History, cutoff: datetime) -> dict[str, float]:
    """Say nothing: of one client alone there is nothing to be said."""
    return {}


def tell_all(history: History, cutoff: datetime) -> dict[int | str, dict[str, float]]:
    """Say the same of each client: what all of them did together."""
    bought: dict[int | str, list[Purchase]] = {row.client_id: [] for row in history.rows()}
    for purchase in history.purchases:
        bought[purchase.client_id].append(purchase)
    days = {client: purchase_days(lines) for client, lines in bought.items()}

    def who(oldest: float, newest: float) -> set[int | str]:
        """Name those who bought from so many days ago until so many days ago."""
        since, until = cutoff - oldest * DAY, cutoff - newest * DAY
        return {client for client, dates in days.items() if any(since <= day < until for day in dates)}

    began = min((day for dates in days.values() for day in dates), default=cutoff)
    told: dict[str, float] = {}
    for window in (30, 90):
        now = part(who(window, 0), who(YEAR, 0))
        then = part(who(YEAR + window, YEAR), who(2 * YEAR, YEAR)) if began < cutoff - 2 * YEAR * DAY else NAN
        told |= {f"peers_bought_share_{window}d": now, f"peers_bought_year_ago_share_{window}d": then}
    told["peers_bought_year_ratio_90d"] = ratio(told["peers_bought_share_90d"], told["peers_bought_year_ago_share_90d"])
    came_back, season, growth = NAN, NAN, NAN
    if began < cutoff - (YEAR + 90) * DAY:
        before, after = who(YEAR + 90, YEAR), who(YEAR, YEAR - 90)
        came_back, season = part(after, before), ratio(len(after), len(before))
        growth = ratio(len(who(90, 0)), len(before))
    told |= {
        "peers_return_year_ago_share_90d": came_back,
        "peers_season_ratio_90d": season,
        "peers_growth_ratio_90d": growth,
    }
    new = {client for client, dates in days.items() if dates and dates[0] >= cutoff - 90 * DAY}
    told["peers_new_share_90d"] = part(new, who(YEAR, 0))
    return dict.fromkeys(bought, told)


def part(some: set[int | str], of: set[int | str]) -> float:
    """Say how many of these are among those; NaN of none."""
    return len(some & of) / len(of) if of else NAN
