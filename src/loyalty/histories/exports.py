"""Exports: what their tables seem to lack, or to have been written otherwise than they are read."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from loyalty.histories.days import DAY, MONTH
from loyalty.histories.store import StoredTable

__all__ = ["doubts_about_contracts", "moved_renewals", "strangers"]

#: A contract that becomes known so long after its start, in microseconds, was not entered when it was made.
_LATE = MONTH * DAY
#: Of fewer contracts with an end, or without, nothing is told of when they become known.
_FEW_CONTRACTS = 20
#: About a renewal, so many microseconds, contracts end with their term.
_WEEK = 7 * DAY
#: A renewal is far from the start of a contract if it is so many times as far as the most that was left of any.
_SEVERAL = 1.5
#: So many dates may be wrong ones.
_STRAY = 0.01
#: Of so many clients or more, fewer than this share in purchases are hardly any.
_SEVERAL_CLIENTS, _HARDLY_ANY = 20, 0.05


def doubts_about_contracts(contracts: StoredTable) -> list[str]:
    """Say what a table of contracts seems to have been written with: the notice for the contract, renewals of today."""
    ends, renews = "end" in contracts.columns, "renews_at" in contracts.columns
    return [*(_late_ends(contracts) if ends else []), *(_moved_renewals(contracts) if ends and renews else [])]


def _late_ends(contracts: StoredTable) -> list[str]:
    """Tell of contracts that seem to become known with their end, as if their clients had not been there before."""
    late, ended = [], []
    for rows in contracts.all(["start", "known_at", "end"]):
        start, known, end = (rows.column(name).cast(pa.int64()).to_numpy() for name in ("start", "known_at", "end"))
        there = ~np.isnan(end)
        after = known - start
        late.append((after > _LATE) & ~(there & (np.abs(end - known) > after)))
        ended.append(there)
    return _told_late(np.concatenate(late), np.concatenate(ended))


def _moved_renewals(contracts: StoredTable) -> list[str]:
    """Tell of dates of renewal that seem to be those of the day of the export."""
    found = []
    for rows in contracts.all(["start", "end", "renews_at"]):
        ended = rows.filter(pc.and_(pc.is_valid(rows.column("end")), pc.is_valid(rows.column("renews_at"))))
        found.append([ended.column(name).cast(pa.int64()).to_numpy() for name in ("start", "end", "renews_at")])
    return moved_renewals(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _told_late(late: NDArray[np.bool_], ended: NDArray[np.bool_]) -> list[str]:
    """Say so if contracts with an end mostly became known late, towards the end, and the others did not."""
    if min(ended.sum(), (~ended).sum()) < _FEW_CONTRACTS or late[ended].mean() < 0.5 or late[~ended].mean() > 0.1:
        return []
    others = int(late[~ended].sum())
    return [
        f"contracts: {int(late[ended].sum()):,} of {int(ended.sum()):,} with an end became known more than a month "
        f"after their start and nearer to their end, of the others {others:,} late: until then their clients are not "
        "there. If `known_at` is when notice was given, leave it out here and tell the notice as a row of contacts or "
        "events."
    ]


def moved_renewals(start: NDArray[np.int64], end: NDArray[np.int64], renews: NDArray[np.int64]) -> list[str]:
    """Say so if the renewals of ended contracts, in microseconds, seem to have been moved on for as long as they ran.

    Then no more is left of any than a term, however long ago it started: of those who left within their first term, and
    of those whose renewal lies several terms after the start. One in a hundred may be otherwise. Those that ended on
    the day of their renewal say nothing.
    """
    agreed, left = renews - start, renews - end
    far = np.abs(left) > _WEEK
    if not far.any() or np.quantile(left[far], _STRAY) < 0:
        return []
    most = np.quantile(left[far], 1 - _STRAY)
    between = far & (left > 0) & (left <= most)
    moved = between & (agreed > _SEVERAL * most)
    if min(moved.sum(), (between & ~moved).sum()) < _FEW_CONTRACTS:
        return []
    return [
        f"contracts: {int(moved.sum()):,} ended before a `renews_at` far from their start, and of none was more left "
        f"than {most / DAY:.0f} days: if the date is moved on at each renewal, it tells who stayed, and at the "
        "next cutoff it will not. Bring it as it was agreed when the row began, or leave it out."
    ]


def strangers(tables: Mapping[str, StoredTable]) -> list[str]:
    """Say so if hardly a client of a table ever bought, as where ids are written otherwise there."""
    others = {name: table.clients() for name, table in tables.items() if name != "purchases"}
    others = {name: clients for name, clients in others.items() if len(clients) >= _SEVERAL_CLIENTS}
    if not others:
        return []
    said, bought = [], tables["purchases"].clients()
    for name, clients in others.items():
        known = pc.sum(pc.is_in(clients, bought)).as_py()
        if known < _HARDLY_ANY * len(clients):
            said.append(
                f"{name}: of its {len(clients):,} clients {known:,} are in purchases. If the ids are written "
                f"otherwise there, such as {clients[0].as_py()!r} here and {bought[0].as_py()!r} there, map "
                "`client_id` so that they are alike."
            )
    return said
