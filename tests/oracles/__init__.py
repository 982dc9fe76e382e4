"""Slow, obvious answers to hold the fast ones against: plain loops over one client's rows, no tables, no SQL.

Everything here is written from what a feature means, not from how the package computes it. Each theme has a module with
``tell(history, cutoff)``, which is given what was known of one client and says every feature of the theme; what takes
all clients to say, a module's ``tell_all(history, cutoff)`` says of each of them.
"""

import math
from datetime import datetime

from oracles import breadth, contract, engagement, peers, promotion, rhythm, service, text, value
from oracles.history import DAY, History
from oracles.learned import LEARNED

__all__ = ["LEARNED", "THEMES", "features_of", "panel_by_client"]

THEMES = (rhythm, value, breadth, promotion, service, engagement, contract, text, peers)


def panel_by_client(
    history: History,
    *,
    cutoff: datetime,
    horizon_days: int,
    gap_days: int = 0,
    active_days: int | None = None,
) -> dict[int | str, dict[str, float]]:
    """Compute every feature of everyone who stands at the cutoff, one client after the other."""
    known = history.known_before(cutoff)
    standing = {p.client_id for p in known.purchases}
    if active_days is not None:
        standing = {p.client_id for p in known.purchases if p.event_time >= cutoff - active_days * DAY}
    season = _season(cutoff + gap_days * DAY + horizon_days * DAY / 2)
    told = [theme.tell_all(known, cutoff) for theme in THEMES if hasattr(theme, "tell_all")]
    together = {client: {name: value for of in told for name, value in of[client].items()} for client in standing}
    return {client: features_of(known.of(client), cutoff) | together[client] | season for client in standing}


def features_of(known: History, cutoff: datetime) -> dict[str, float]:
    """Compute every feature of one client from what was known; NaN where no value is defined."""
    return {name: told for theme in THEMES for name, told in theme.tell(known, cutoff).items()}


def _season(middle: datetime) -> dict[str, float]:
    angle = 2 * math.pi * middle.timetuple().tm_yday / 365.25
    return {"season_sin": math.sin(angle), "season_cos": math.cos(angle)}
