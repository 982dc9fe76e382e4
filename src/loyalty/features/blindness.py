"""The proof that features are blind to the future: change what was not known yet, and nothing may change."""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from loyalty.features.feature import Feature
from loyalty.features.panel import build_panel
from loyalty.histories import TABLES, Column, Histories, HistoriesWarning, OutcomeKind
from loyalty.timeline import Duration, Instant, LeakError, as_cutoffs

#: Rows that are added to each table.
_ADDED = 200
_SAID = {
    "deleted": "once what was known later is deleted",
    "altered": "once what was known later is altered",
    "added": "once more becomes known later",
}

Frame = pd.DataFrame
Change = Callable[[str, Frame, pd.Timestamp, np.random.Generator], Frame]


def prove_blind(
    histories: Histories,
    features: Sequence[Feature] | None = None,
    *,
    cutoffs: Instant | Iterable[Instant],
    horizon: Duration = "30d",
    kind: OutcomeKind = "non-contractual",
    learned: Mapping[str, Any] | None = None,
    clients: int = 1_000,
    seed: int = 0,
) -> None:
    """Prove that no feature knows the future, on the histories at hand.

    At each cutoff everything that was not known yet is deleted, then altered, then added to: rows with
    ``known_at >= cutoff``, among them late reports of earlier events, and later facts (replies, resolutions,
    redemptions, ends) dated at or after the cutoff. Each feature of each client must stay the same to the last bit.

    Parameters
    ----------
    histories : Histories
        What is known.
    features : sequence of Feature, optional
        Which to prove, your own among them; by default all that the histories allow.
    cutoffs : str, date, Timestamp or iterable of them
        Where to stand.
    horizon, kind, learned
        As for `build_panel`.
    clients : int, default=1000
        As many clients, drawn by chance, are looked at.
    seed : int, default=0
        Of the drawing and the changes.

    Raises
    ------
    LeakError
        Naming each feature that knew something, with a client whose value changed.

    Notes
    -----
    An attribute that the source overwrites without a date cannot be found out: its past values are not there.

    Examples
    --------
    >>> import pandas as pd
    >>> bills = pd.DataFrame({
    ...     "client_id": ["ann", "ann"], "event_time": ["2024-01-01", "2024-02-01"], "amount": [10.0, 20.0],
    ... })
    >>> prove_blind(Histories(bills), cutoffs=["2024-01-15", "2024-02-01"])
    """
    rng = np.random.default_rng(seed)
    tables = _tables(histories, clients, rng)
    options: dict[str, Any] = {"horizon": horizon, "kind": kind, "features": features, "learned": learned}
    found: dict[str, str] = {}
    for cutoff in as_cutoffs(cutoffs):
        whole = _rebuilt(tables, histories)
        if not any(_known(name, frame, cutoff).any() for name, frame in tables.items()):
            continue  # nobody is there yet
        panel = build_panel(whole, cutoffs=cutoff, **options)
        for change, apply in _CHANGES.items():
            changed = {name: apply(name, frame, cutoff, rng) for name, frame in tables.items()}
            other = build_panel(_rebuilt(changed, histories), cutoffs=cutoff, **options)
            for feature, said in _differences(panel, other, change).items():
                found.setdefault(feature, said)
    if found:
        count = "1 feature knows" if len(found) == 1 else f"{len(found)} features know"
        raise LeakError(f"{count} the future:\n" + "\n".join(f"  {said}" for said in found.values()))


def _differences(panel: Frame, other: Frame, change: str) -> dict[str, str]:
    if not panel.index.equals(other.index):
        return {"": f"the clients that stand at the cutoff are not the same {_SAID[change]}"}
    one, two = panel.to_numpy(), other.to_numpy()
    differs = (one != two) & ~(np.isnan(one) & np.isnan(two))
    told = {}
    for column in np.flatnonzero(differs.any(axis=0)).tolist():
        row = int(differs[:, column].argmax())
        client, cutoff = panel.index[row]
        told[str(panel.columns[column])] = (
            f"{panel.columns[column]!r}: client {client!r} at {cutoff} has {float(one[row, column])!r}, "
            f"and {float(two[row, column])!r} {_SAID[change]}"
        )
    return told


def _tables(histories: Histories, clients: int, rng: np.random.Generator) -> dict[str, Frame]:
    """Take the tables of some clients out as frames."""
    ids = sorted({client for table in histories.tables.values() for client in _ids(table)})
    if len(ids) > clients:
        ids = [ids[i] for i in np.sort(rng.choice(len(ids), clients, replace=False))]
    frames = {}
    for name, table in histories.tables.items():
        rows = table.filter(table.client_id.isin(ids)).to_pyarrow().to_pandas(integer_object_nulls=True)
        texts = [c.name for c in TABLES[name].columns if c.kind == "text" and c.name in rows.columns]
        frames[name] = rows.astype(dict.fromkeys(texts, "object"))
    return {name: frame for name, frame in frames.items() if len(frame)}


def _ids(table: Any) -> list[Any]:
    return table.select("client_id").distinct().to_pyarrow().column("client_id").to_pylist()


def _rebuilt(tables: Mapping[str, Frame], histories: Histories) -> Histories:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HistoriesWarning)  # rows may stand twice here
        options: dict[str, Any] = {**tables, "observed_until": histories.observed_until}
        return Histories(**options)


def _known(name: str, frame: Frame, cutoff: pd.Timestamp) -> "pd.Series[bool]":
    return frame["known_at"] < cutoff


def _columns(name: str, frame: Frame) -> list[Column]:
    head = {"client_id", TABLES[name].time, "known_at"}
    return [column for column in TABLES[name].columns if column.name in frame.columns and column.name not in head]


def _deleted(name: str, frame: Frame, cutoff: pd.Timestamp, _: np.random.Generator) -> Frame:
    known = _known(name, frame, cutoff)
    # A table cannot be empty: one row that nobody knew is left where nobody knew any.
    kept = frame[known].copy() if known.any() else frame.nlargest(1, "known_at")
    for column in _columns(name, frame):
        if column.later:
            kept[column.name] = kept[column.name].where(kept[column.name] < cutoff)
    return kept


def _altered(name: str, frame: Frame, cutoff: pd.Timestamp, rng: np.random.Generator) -> Frame:
    changed, unknown = frame.copy(), ~_known(name, frame, cutoff)
    days = pd.to_timedelta(rng.integers(0, 400, len(frame)), unit="D")
    time = TABLES[name].time
    changed[time] = changed[time].where(~unknown, changed[time] - days)  # told later, of an earlier time
    for column in _columns(name, frame):
        values = changed[column.name]
        if column.later:
            moved = values.where(values < cutoff, cutoff + days)
            moved = moved.where(moved >= changed[time], changed[time])  # a later fact does not precede its event
            changed[column.name] = moved.where(values.notna() | (rng.random(len(frame)) < 0.5))
        elif column.kind == "number":
            changed[column.name] = values.where(~unknown, values.astype("float64") * 3 + rng.normal(0, 100, len(frame)))
        elif column.kind == "text":
            changed[column.name] = values.where(~unknown, "altered")
    return changed


def _added(name: str, frame: Frame, cutoff: pd.Timestamp, rng: np.random.Generator) -> Frame:
    known = frame[_known(name, frame, cutoff)]
    if known.empty:
        return frame
    copies = known.iloc[rng.integers(0, len(known), _ADDED)].copy()
    delays = np.array([0, 1, 1_000_000, 86_400_000_000])[rng.integers(0, 4, _ADDED)]
    copies["known_at"] = cutoff + pd.to_timedelta(delays, unit="us")
    return pd.concat([frame, copies], ignore_index=True)


_CHANGES: dict[str, Change] = {"deleted": _deleted, "altered": _altered, "added": _added}
