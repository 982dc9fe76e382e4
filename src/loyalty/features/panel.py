"""The engine room: histories and cutoffs in, one row per client and cutoff out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loyalty.features.algebra import CONTRACTS, PURCHASES, Expression
from loyalty.features.arrays import Snapshot
from loyalty.features.catalogue import choose_features, computable
from loyalty.features.everyone import Tally, inputs, together
from loyalty.features.feature import Feature, IbisFormula
from loyalty.features.kernels import Numbers
from loyalty.features.parts import Part
from loyalty.features.reading import as_index, columns_read, read_part
from loyalty.histories import Histories, OutcomeKind
from loyalty.timeline import Duration, Instant, Outcome, as_cutoffs, as_duration

#: Rows of the largest table that are worked on at a time.
_PART_ROWS = 1_000_000

OnStep = Callable[[str], None]
#: What all clients together say, by cutoff.
Market = Mapping[pd.Timestamp, Mapping[Expression, Any]]


def build_panel(
    histories: Histories,
    *,
    cutoffs: Instant | Iterable[Instant],
    horizon: Duration,
    gap: Duration = "0d",
    kind: OutcomeKind = "non-contractual",
    active: Duration | None = None,
    features: Sequence[Feature] | None = None,
    learned: Mapping[str, Any] | None = None,
    market: Market | None = None,
    clients: Iterable[Any] | None = None,
    on_step: OnStep | None = None,
) -> pd.DataFrame:
    """Compute the features of every client at every cutoff.

    Parameters
    ----------
    histories : Histories
        What is known.
    cutoffs : str, date, Timestamp or iterable of them
        Where we stand. Only rows with ``known_at < cutoff`` are seen.
    horizon, gap : str or timedelta
        The outcome window that will be predicted; it sets the season of the row and reads no event.
    kind : {"non-contractual", "contractual"}
        Who stands at a cutoff: see `Histories.population`.
    active : str or timedelta, optional
        Keep only clients with a purchase within this long before the cutoff.
    features : sequence of Feature, optional
        Which to compute, and in which order; by default all that the histories' columns and `learned` allow.
    learned : Learned, optional
        The fitted models that some features ask: see `learn`.
    market : mapping, optional
        What all clients together say, of `measure_market`, where the histories are those of a few clients only. By
        default it is found out from the histories.
    clients : iterable of client ids, optional
        Keep only these; what all clients together say is still said of all.
    on_step : callable, optional
        Told after each cutoff, in words.

    Returns
    -------
    DataFrame
        Float columns, one a feature; indexed by `client_id` and `cutoff`, sorted by cutoff and client.
        NaN where a feature has no value, as the gap of a client who bought once.

    Raises
    ------
    ValueError
        If a feature stands twice, or the histories lack a column it needs, or `market` does not say what is asked, or
        one of `clients` is not of their kind.

    See Also
    --------
    write_panel : The same into files, for more clients than fit into memory.

    Examples
    --------
    Bob's second purchase is made at the cutoff, so it is not seen:

    >>> import pandas as pd
    >>> bills = pd.DataFrame({
    ...     "client_id": ["ann", "ann", "bob", "bob"],
    ...     "event_time": ["2024-01-01", "2024-01-11", "2024-01-21", "2024-01-31"],
    ...     "amount": [10.0, 20.0, 5.0, 7.0],
    ... })
    >>> panel = build_panel(Histories(bills), cutoffs="2024-01-31", horizon="30d")
    >>> panel[["frequency", "recency", "T", "amount_sum"]]
                          frequency  recency     T  amount_sum
    client_id cutoff
    ann       2024-01-31        1.0     10.0  30.0        30.0
    bob       2024-01-31        0.0      0.0  10.0         5.0
    """
    plan = Plan.of(
        histories,
        cutoffs=cutoffs,
        horizon=horizon,
        gap=gap,
        kind=kind,
        active=active,
        features=features,
        learned=learned,
        market=market,
        clients=clients,
    )
    told: dict[pd.Timestamp, list[tuple[NDArray[Any], Numbers]]] = {cutoff: [] for cutoff in plan.cutoffs}
    for number in range(len(plan.bounds)):
        part = plan.part(number)
        for cutoff in plan.cutoffs:
            told[cutoff].append(plan.rows(part, cutoff))
            if on_step is not None:
                on_step(f"features at {cutoff:%Y-%m-%d}{plan.which(number)}")
    parts = [rows for at_cutoff in told.values() for rows in at_cutoff]
    counts = [sum(len(ids) for ids, _ in at_cutoff) for at_cutoff in told.values()]
    times = np.repeat(pd.DatetimeIndex(plan.cutoffs).to_numpy("datetime64[us]"), counts)
    clients_of_rows = as_index(np.concatenate([ids for ids, _ in parts]))
    index = pd.MultiIndex.from_arrays([clients_of_rows, times], names=["client_id", "cutoff"])
    values = np.concatenate([numbers for _, numbers in parts])
    panel = pd.DataFrame(values, index=index, columns=[feature.name for feature in plan.features])
    panel.attrs["reach_days"] = plan.outcome.reach.days  # so that a model knows when these rows' outcomes are decided
    return panel


def measure_market(
    histories: Histories,
    *,
    cutoffs: Instant | Iterable[Instant],
    features: Sequence[Feature] | None = None,
    learned: Mapping[str, Any] | None = None,
) -> Market:
    """Find out what all clients together say at each cutoff, for features that set a client beside the others.

    Parameters
    ----------
    histories : Histories
        Of all clients.
    cutoffs : str, date, Timestamp or iterable of them
        Where we stand; only what was known before counts.
    features : sequence of Feature, optional
        Those that will be asked for; by default all.
    learned : Learned, optional
        As for `build_panel`.

    Returns
    -------
    mapping of cutoff to mapping
        To be handed to `build_panel` where the histories hold one client, or a few.

    Examples
    --------
    >>> import pandas as pd
    >>> from loyalty.features import CATALOGUE
    >>> bills = pd.DataFrame({
    ...     "client_id": ["ann", "bob"], "event_time": ["2024-01-01", "2024-01-25"], "amount": [10.0, 20.0],
    ... })
    >>> share = [CATALOGUE["peers_bought_share_30d"]]
    >>> market = measure_market(Histories(bills), cutoffs="2024-02-15", features=share)
    >>> ann = Histories(bills[bills["client_id"] == "ann"])
    >>> build_panel(ann, cutoffs="2024-02-15", horizon="30d", features=share, market=market).iloc[0, 0].item()
    0.5
    """
    plan = Plan.of(histories, cutoffs=cutoffs, horizon="1d", features=features, learned=learned)
    return plan.market


def client_parts(histories: Histories) -> list[Any]:
    """Name the last client of each part that is worked on at a time."""
    return histories.client_bounds(_PART_ROWS)


@dataclass
class Plan:
    """What is to be computed, of whom and when."""

    histories: Histories
    cutoffs: tuple[pd.Timestamp, ...]
    outcome: Outcome
    standing: Expression
    features: tuple[Feature, ...]
    learned: Mapping[str, Any]
    bounds: list[Any]
    market: Market
    clients: NDArray[Any] | None

    @classmethod
    def of(
        cls,
        histories: Histories,
        *,
        cutoffs: Instant | Iterable[Instant],
        horizon: Duration,
        gap: Duration = "0d",
        kind: OutcomeKind = "non-contractual",
        active: Duration | None = None,
        features: Sequence[Feature] | None = None,
        learned: Mapping[str, Any] | None = None,
        market: Market | None = None,
        clients: Iterable[Any] | None = None,
    ) -> "Plan":
        """Read the options of `build_panel`, and look at all clients together where a feature asks for it."""
        models = learned or {}
        instants = tuple(as_cutoffs(cutoffs))
        histories._check_kind(kind)
        plan = cls(
            histories=histories,
            cutoffs=instants,
            outcome=Outcome.of(horizon=horizon, gap=gap),
            standing=standing(kind=kind, active=None if active is None else as_duration(active, name="active")),
            features=choose_features(histories, models=models)
            if features is None
            else computable(histories, features, models=models),
            learned=models,
            bounds=client_parts(histories),
            market={},
            clients=None if clients is None else histories.client_ids(clients),
        )
        plan.market = plan._measure() if market is None else plan._checked(market)
        return plan

    def part(self, number: int) -> Part:
        """Read the clients of one part, as far as they are asked for."""
        return self._read(number, [self.standing, *self._formulas()], only=self.clients)

    def which(self, number: int) -> str:
        """Say which part it is, where there are several."""
        return f", part {number + 1} of {len(self.bounds)}" if len(self.bounds) > 1 else ""

    def rows(self, part: Part, cutoff: pd.Timestamp) -> tuple[NDArray[Any], Numbers]:
        """Compute the clients of a part that stand at a cutoff, and their features."""
        snapshot = self._snapshot(part, cutoff, self.market[cutoff])
        stand = snapshot.numbers(self.standing) > 0
        written = self._written(part, cutoff)
        values = np.empty((int(stand.sum()), len(self.features)), order="F")
        for column, feature in enumerate(self.features):
            if isinstance(feature.formula, IbisFormula):
                values[:, column] = written[feature.name][stand]
            else:
                values[:, column] = snapshot.numbers(feature.formula)[stand]
        return part.clients[stand], values

    def _formulas(self) -> list[Expression]:
        return [feature.formula for feature in self.features if isinstance(feature.formula, Expression)]

    def _read(self, number: int, expressions: Iterable[Expression], *, only: NDArray[Any] | None = None) -> Part:
        above = self.bounds[number - 1] if number else None
        columns = columns_read(self.histories, expressions)
        return read_part(self.histories, columns, above=above, up_to=self.bounds[number], only=only)

    def _snapshot(self, part: Part, cutoff: pd.Timestamp, peers: Mapping[Expression, Any]) -> Snapshot:
        instant = int(cutoff.to_datetime64().astype("datetime64[us]").astype(np.int64))
        return Snapshot(part, instant, self._middle(cutoff), peers, self.learned)

    def _middle(self, cutoff: pd.Timestamp) -> pd.Timestamp:
        start, end = self.outcome.window(cutoff)
        return start + (end - start) / 2

    def _written(self, part: Part, cutoff: pd.Timestamp) -> dict[str, Numbers]:
        """Compute the features that were written in Ibis, in the order of the part's clients."""
        told: dict[str, Numbers] = {}
        if not any(isinstance(feature.formula, IbisFormula) for feature in self.features):
            return told
        from loyalty.features.in_ibis import Compiler  # brings Ibis along, which the other features can do without

        for feature in self.features:
            if not isinstance(feature.formula, IbisFormula):
                continue
            table = self.histories.tables[feature.formula.table]
            if part.above is not None:
                table = table.filter(table.client_id > part.above)
            table = table.filter(table.client_id <= part.up_to)
            compiler = Compiler({feature.formula.table: table}, cutoff, self._middle(cutoff), self.learned)
            found = compiler.written(feature.name, feature.formula).execute()
            values = np.full(len(part.clients), np.nan)
            if self.clients is not None:
                found = found[found["client_id"].isin(part.clients)]
            ids = found["client_id"].to_numpy()
            values[np.searchsorted(part.clients, ids)] = found[feature.name].to_numpy("float64", na_value=np.nan)
            told[feature.name] = values
        return told

    def _measure(self) -> Market:
        """Look at all clients together, part by part."""
        asked = together(self._formulas())
        tallies = {cutoff: [Tally(expression) for expression in asked] for cutoff in self.cutoffs}
        for number in range(len(self.bounds) if asked else 0):
            part = self._read(number, inputs(asked))
            for cutoff in self.cutoffs:
                snapshot = self._snapshot(part, cutoff, {})
                for tally in tallies[cutoff]:
                    tally.add(snapshot)
        return {cutoff: {tally.expression: tally.result() for tally in told} for cutoff, told in tallies.items()}

    def _checked(self, market: Market) -> Market:
        asked = together(self._formulas())
        for cutoff in self.cutoffs:
            if cutoff not in market or any(expression not in market[cutoff] for expression in asked):
                raise ValueError(
                    f"`market` does not say what all clients did at {cutoff}. "
                    "Measure it there: measure_market(histories, cutoffs=..., features=...)."
                )
        return market


def standing(*, kind: OutcomeKind, active: pd.Timedelta | None) -> Expression:
    """Say which clients stand at a cutoff, as `Histories.population` does."""
    bought = PURCHASES.count(within=None if active is None else active / pd.Timedelta(days=1)) > 0
    if kind == "non-contractual":
        return bought
    holds = (~CONTRACTS.optional("end").is_there()).count() > 0
    return holds if active is None else holds & bought
