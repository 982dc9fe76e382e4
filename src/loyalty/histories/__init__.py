"""Client histories: the dated tables everything else is computed from, read and checked once, at the border."""

import contextlib
import hashlib
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal, get_args

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from loyalty.checks import is_whole_number
from loyalty.histories.border import Admission, admit
from loyalty.histories.days import (
    DAY,
    MONTH,
    YEAR,
    closed_days,
    distinct_days,
    odd_days,
    stale_days,
    uneven_ends,
    uneven_purchases,
)
from loyalty.histories.exports import doubts_about_contracts, strangers
from loyalty.histories.expressions import nearest
from loyalty.histories.joining import Join
from loyalty.histories.problems import HistoriesError, HistoriesWarning, Problem
from loyalty.histories.schema import TABLES, Column, Table
from loyalty.histories.showing import as_html
from loyalty.histories.sources import Source, quoted, text_literal
from loyalty.histories.store import ClientId, Store
from loyalty.timeline import Duration, Instant, Outcome, as_cutoffs, as_duration, as_instant

if TYPE_CHECKING:
    import ibis

__all__ = [
    "TABLES",
    "Column",
    "Histories",
    "HistoriesError",
    "HistoriesWarning",
    "Join",
    "OutcomeKind",
    "Problem",
    "Table",
    "at_instant",
]

#: What leaving means: no purchase within the horizon, or the end of the last contract.
OutcomeKind = Literal["non-contractual", "contractual"]


def at_instant(instant: pd.Timestamp) -> "ibis.Value":
    """Write an instant as Ibis compares it with the times of the tables."""
    import ibis

    return ibis.literal(instant.to_pydatetime(warn=False))


class _Tables(Mapping[str, "ibis.Table"]):
    """The tables for Ibis; the database gets each when it is first asked for."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._backend: Any = None
        self._there: dict[str, ibis.Table] = {}

    def __getitem__(self, name: str) -> "ibis.Table":
        if name not in self._there:
            if name not in self._store.tables:
                raise KeyError(name)
            if self._backend is None:
                import ibis

                self._backend = ibis.duckdb.from_connection(self._store.con)
            self._store.hand_over(name)
            self._there[name] = self._backend.table(name)
        return self._there[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._store.tables)

    def __len__(self) -> int:
        return len(self._store.tables)


class Histories:
    """What is known of the clients: dated tables, in canonical columns, times in UTC.

    A source is a pandas, Arrow or Polars frame, a CSV or Parquet path or glob, or any Ibis table. A canonical
    column is taken from the source's column of the same name unless `columns` maps it; a source is never changed.
    Refunds are negative amounts and stay. Every problem of every table is found before one error lists them all.

    Parameters
    ----------
    purchases : source
        `client_id`, `event_time`, `amount`; optional `known_at`, `order_id`, `product_id`, `category`,
        `channel`, `quantity`, `discount`, `cost`.
    clients, contacts, offers, rewards, contracts, events : source, optional
        The other tables; their columns are in ``data/README.md`` and in ``loyalty.histories.TABLES``.
    columns : mapping of table name to mapping of canonical name to expression, optional
        How the source says it: ``{"purchases": {"amount": "quantity * unit_price"}}``. Expressions may compute
        with the columns of their table, and nothing else.
    where : mapping of table name to expression, optional
        Which rows of a source to take.
    join : mapping of table name to sequence of Join, optional
        Other sources whose columns stand beside those of a table, such as a list of products; see `Join`.
    observed_until : str, date or Timestamp, optional
        Up to when the histories were recorded; outcomes that reach further are not known yet. By default the
        midnight after the last purchase.
    future_from : str, date or Timestamp, optional
        Rows dated at or after this are refused as future-dated.
    memory : str, optional
        What tables and database may hold in memory, such as "2GB"; by default an eighth of the machine's, and at
        least 1 GiB. Tables larger than a third of it go to a private folder among the temporary files, which is
        removed with the histories.

    Attributes
    ----------
    tables : mapping of str to ibis.Table
        The tables given, sorted by client and time.
    columns : mapping of str to tuple of str
        The columns of each table.
    notes : tuple of str
        What was done or is worth knowing: times made UTC, duplicated rows, rows that a join found nothing for.

    Raises
    ------
    HistoriesError
        Listing every problem of every table.

    Warns
    -----
    HistoriesWarning
        If rows are duplicated; they are kept.

    Examples
    --------
    Ann's refund stays, as a negative amount:

    >>> import pandas as pd
    >>> bills = pd.DataFrame({
    ...     "customer": ["ann", "ann", "bob"],
    ...     "day": ["2024-01-01", "2024-01-09", "2024-01-05"],
    ...     "paid": [30.0, -10.0, 12.5],
    ... })
    >>> mapping = {"purchases": {"client_id": "customer", "event_time": "day", "amount": "paid"}}
    >>> histories = Histories(bills, columns=mapping)
    >>> float(histories.purchases.amount.sum().execute())
    32.5
    >>> Histories(bills, columns={"purchases": {"client_id": "customer", "event_time": "day", "amount": "payd"}})
    Traceback (most recent call last):
    ...
    loyalty.histories.problems.HistoriesError: 1 problem in the histories (rows are counted from 1):
      1. purchases.amount: there is no column 'payd'. Did you mean 'paid'?
    """

    def __init__(
        self,
        purchases: Source,
        *,
        clients: Source | None = None,
        contacts: Source | None = None,
        offers: Source | None = None,
        rewards: Source | None = None,
        contracts: Source | None = None,
        events: Source | None = None,
        columns: Mapping[str, Mapping[str, str]] | None = None,
        where: Mapping[str, str] | None = None,
        join: Mapping[str, Sequence[Join]] | None = None,
        observed_until: Instant | None = None,
        future_from: Instant | None = None,
        memory: str | None = None,
    ) -> None:
        given = {
            "purchases": purchases,
            "clients": clients,
            "contacts": contacts,
            "offers": offers,
            "rewards": rewards,
            "contracts": contracts,
            "events": events,
        }
        for option, argument in (("columns", columns), ("where", where), ("join", join)):
            unknown = [name for name in argument or {} if given.get(name) is None]
            if unknown:
                there = [name for name, source in given.items() if source is not None]
                way_out = nearest(unknown[0], there)
                raise ValueError(f"`{option}` names {unknown[0]!r}, which is not a table given. {way_out}")
        limit = None if future_from is None else as_instant(future_from, name="future_from")
        # One thread: sums of floats come out the same to the last bit, run after run.
        con = duckdb.connect(config={"threads": 1})
        con.execute("set TimeZone = 'UTC'")
        with contextlib.suppress(duckdb.InvalidInputException):  # a kernel without ipywidgets has no bar to switch off
            con.execute("set enable_progress_bar = false")
        con.execute("set autoinstall_known_extensions = false; set autoload_known_extensions = false")
        self._store = Store(con, memory)
        self._days_read: dict[tuple[str, pd.Timestamp | None, bool], pd.Series[pd.Timestamp]] = {}
        admissions = [
            admit(
                self._store,
                TABLES[name],
                source,
                columns=(columns or {}).get(name) or {},
                where=(where or {}).get(name),
                join=(join or {}).get(name, ()),
                future_from=limit,
            )
            for name, source in given.items()
            if source is not None or name == "purchases"
        ]
        warned = self._settle(admissions)
        self._store.close_doors()
        self.tables: Mapping[str, ibis.Table] = _Tables(self._store)
        self.columns = {name: tuple(stored.columns) for name, stored in self._store.tables.items()}
        if observed_until is None:
            days = self._days("purchases")
            self.observed_until = (days.iloc[-1] + pd.Timedelta(days=1)).as_unit("us")
            odd = odd_days(days)
            self.notes += tuple(odd)
            warned += odd
        else:
            self.observed_until = as_instant(observed_until, name="observed_until")
        contracts = self._store.tables.get("contracts")
        odd = [] if contracts is None else doubts_about_contracts(contracts)
        self.notes += (*odd, *strangers(self._store.tables))
        warned += odd
        for warning in warned:
            warnings.warn(warning, HistoriesWarning, stacklevel=2)

    def _settle(self, admissions: list[Admission]) -> list[str]:
        """Raise all problems at once, or keep the notes and return the warnings."""
        problems = [problem for admission in admissions for problem in admission.problems]
        if not problems:
            problems = self._compare_client_ids(admissions)
        if problems:
            raise HistoriesError(problems, {a.table.name: a.rows for a in admissions if a.rows})
        self.notes = tuple(note for a in admissions for note in (*a.notes, *a.warnings))
        return [warning for admission in admissions for warning in admission.warnings]

    def _compare_client_ids(self, admissions: list[Admission]) -> list[Problem]:
        stored = self._store.tables
        kinds = {name: "text" if table.text_ids else "whole numbers" for name, table in stored.items()}
        ours = kinds["purchases"]
        return [
            Problem(
                a.table.name,
                "client_id",
                f"it is {kinds[a.table.name]} here and {ours} in purchases",
                f'Map both alike, e.g. client_id = "cast({a.theirs["client_id"]} as varchar)".',
            )
            for a in admissions
            if kinds[a.table.name] != ours
        ]

    def _days(
        self, table: str, before: pd.Timestamp | None = None, *, bought: bool = False
    ) -> "pd.Series[pd.Timestamp]":
        """List the days with a row in a table, each once, of those known before an instant, or with an amount above 0.

        Each question reads the table once.
        """
        if (table, before, bought) in self._days_read:
            return self._days_read[table, before, bought]
        time = TABLES[table].time
        found: list[NDArray[np.int64]] = []
        for rows in self._store.tables[table].all([time, "known_at", *(["amount"] if bought else [])]):
            if before is not None:
                rows = rows.filter(pc.less(rows.column("known_at"), pa.scalar(before, pa.timestamp("us"))))
            if bought:
                rows = rows.filter(pc.greater(rows.column("amount"), 0))
            found.append(distinct_days(rows.column(time).cast(pa.int64()).to_numpy()))
        days = np.unique(np.concatenate(found)).astype("datetime64[D]").astype("datetime64[us]")
        self._days_read[table, before, bought] = pd.Series(days)
        return self._days_read[table, before, bought]

    def staleness(self, cutoff: Instant, *, kind: OutcomeKind = "non-contractual") -> str:
        """Say so if the purchases end long before a cutoff, where everybody looks like a leaver.

        Long is more than a week, and more than twice the longest time without a purchase in the two years up to the
        last one: a wrong date long ago must not make every silence look short. Where contracts tell who leaves, so must
        they: if none starts or ends any more, or none ends where some did on more than 30 days, of which nine tenths
        span more than a year, whoever left since still seems to be there.

        Parameters
        ----------
        cutoff : str, date or Timestamp
            Where we stand.
        kind : {"non-contractual", "contractual"}
            What leaving means.

        Returns
        -------
        str
            A sentence or two; empty if what is asked is fresh.

        Examples
        --------
        >>> import pandas as pd
        >>> bills = pd.DataFrame({"client_id": [1, 2], "event_time": ["2024-01-01", "2024-01-05"], "amount": 9.0})
        >>> Histories(bills).staleness("2024-01-15")
        'The purchases known at 2024-01-15 end on 2024-01-05, 10 days before: everybody looks like a leaver.'
        >>> Histories(bills).staleness("2024-01-13")
        ''
        """
        instant = as_instant(cutoff, name="cutoff")
        bought = self._days("purchases", instant)
        if kind == "non-contractual":
            return stale_days(bought, instant, what="purchases", so="everybody looks like a leaver")
        self._check_kind(kind)
        gone = "whoever left since then still seems to be there"
        ends, starts = (pd.Series(self._contract_days(column, instant).unique()) for column in ("end", "start"))
        moved = pd.Series(np.union1d(ends, starts))
        contracts = stale_days(moved, instant, what="starts and ends of contracts", so=gone)
        few = len(ends) // 20
        if not contracts and len(ends) > MONTH and ends.iloc[-1 - few] - ends.iloc[few] > YEAR:
            contracts = stale_days(ends, instant, what="terminations of contracts", so=gone)
        said = [
            contracts,
            stale_days(bought, instant, what="purchases", so="nobody seems to have bought anything since"),
        ]
        return " ".join(filter(None, said))

    def _contract_days(self, column: str, before: pd.Timestamp) -> "pd.Series[pd.Timestamp]":
        """List the days before an instant on which contracts known by then started, or ended, in order."""
        found = [np.empty(0, np.int64)]
        at = pa.scalar(before, pa.timestamp("us"))
        if column in self.columns["contracts"]:
            for rows in self._store.tables["contracts"].all([column, "known_at"]):
                times = rows.column(column).filter(pc.less(rows.column("known_at"), at)).drop_null()
                found.append(times.filter(pc.less(times, at)).cast(pa.int64()).to_numpy() // DAY)
        return pd.Series(np.sort(np.concatenate(found)).astype("datetime64[D]").astype("datetime64[us]"))

    def closed(self, cutoff: Instant) -> "tuple[pd.Timestamp, pd.Timestamp] | None":
        """Find a time without any purchase that is none of the shop's own rhythm, as far as was known at a cutoff.

        It is longer than two weeks, and three times as long as the next longest: the shop was closed, or a month of
        the data is missing. Before it lie more than 30 days with purchases, or it would be the time between a wrong
        date, or a first trial, and the beginning. Refunds go on while a shop is closed, and do not count.

        Parameters
        ----------
        cutoff : str, date or Timestamp
            Where we stand.

        Returns
        -------
        tuple of (Timestamp, Timestamp) or None
            The last day before it and the first after; None if there is none.

        Examples
        --------
        >>> import pandas as pd
        >>> days = pd.date_range("2024-01-01", "2024-04-30").difference(pd.date_range("2024-02-05", "2024-02-29"))
        >>> bills = pd.DataFrame({"client_id": 1, "event_time": days, "amount": 9.0})
        >>> histories = Histories(bills, observed_until="2024-05-01")
        >>> [f"{day:%d %B}" for day in histories.closed("2024-05-01")]
        ['04 February', '01 March']
        >>> histories.closed("2024-02-20")
        """
        days = self._days("purchases", as_instant(cutoff, name="cutoff"), bought=True)
        return closed_days(days, at_least=MONTH)

    def unevenness(
        self, cutoffs: Instant | Sequence[Instant], *, outcome: Outcome, kind: OutcomeKind = "non-contractual"
    ) -> str:
        """Say so if purchases are told in lumps, as once a month, of which one horizon holds more than another.

        Then what clients spend within a horizon depends on the calendar, and what was learned at one cutoff is off at
        the next. So it is with who leaves, where contracts tell that and end on the last day of a month.

        Parameters
        ----------
        cutoffs : str, date, Timestamp or sequence of them
            Where one stands, to learn and to test; those whose outcomes are not decided yet are left out.
        outcome : Outcome
            The horizon, and the gap before it.
        kind : {"non-contractual", "contractual"}
            Whether contracts tell who leaves.

        Returns
        -------
        str
            A sentence or two for each; empty if they are alike.

        Examples
        --------
        Of months told at their ends, 90 days from 1 June hold two:

        >>> import pandas as pd
        >>> months = pd.date_range("2024-01-31", "2024-12-31", freq="ME")
        >>> bills = pd.DataFrame({"client_id": range(600), "event_time": months.repeat(50), "amount": 9.0})
        >>> histories = Histories(bills)
        >>> histories.unevenness(["2024-04-30", "2024-06-01"], outcome=Outcome.of(horizon="90d")).split(":")[0]
        'Horizons of 90 days hold from 2 to 3 of the days with purchases'
        >>> histories.unevenness(["2024-04-30", "2024-06-01"], outcome=Outcome.of(horizon="92d"))
        ''
        """
        windows = [outcome.window(cutoff) for cutoff in as_cutoffs(cutoffs)]
        known = [window for window in windows if window[1] <= self.observed_until]
        said = [uneven_purchases(self._days("purchases"), known, rows=self._store.tables["purchases"].rows)]
        self._check_kind(kind)
        if kind == "contractual":
            said.append(uneven_ends(self._contract_days("end", self.observed_until), known))
        return " ".join(filter(None, said))

    @property
    def purchases(self) -> "ibis.Table":
        """The purchases, sorted by client and time."""
        return self.tables["purchases"]

    @property
    def first_event(self) -> pd.Timestamp:
        """When the first purchase was made."""
        parts = self._store.tables["purchases"].all(["event_time"])
        return min(pd.Timestamp(pc.min(part.column("event_time")).as_py()).as_unit("us") for part in parts)

    def population(
        self, *, cutoff: Instant, kind: OutcomeKind = "non-contractual", active: Duration | None = None
    ) -> "ibis.Table":
        """Name the clients that stand at a cutoff.

        Parameters
        ----------
        cutoff : str, date or Timestamp
            Where we stand; only what was known before counts.
        kind : {"non-contractual", "contractual"}
            Whether a client is one who has purchased, or one whose contract is in force.
        active : str or timedelta, optional
            Keep only clients with a row in `purchases`, be it a refund, within this long before the cutoff.

        Returns
        -------
        ibis.Table
            `client_id`, each once.

        Raises
        ------
        ValueError
            If `kind` is neither, or contractual and there are no contracts.

        Examples
        --------
        A purchase made at the cutoff is not seen:

        >>> import pandas as pd
        >>> bills = pd.DataFrame({"client_id": [1, 2], "event_time": ["2024-01-01", "2024-02-01"], "amount": 9.0})
        >>> Histories(bills).population(cutoff="2024-02-01").execute().client_id.tolist()
        [1]
        """
        self._check_kind(kind)
        instant = as_instant(cutoff, name="cutoff")
        at = at_instant(instant)
        bought = self.purchases.filter(lambda t: t.known_at < at)
        last = bought.group_by("client_id").aggregate(last_purchase=lambda t: t.event_time.max())
        if active is not None:
            since = instant - as_duration(active, name="active")
            last = last.filter(lambda t: t.last_purchase >= at_instant(since))
        if kind == "non-contractual":
            return last.select("client_id")
        running = self.tables["contracts"].filter(lambda t: t.known_at < at)
        if "end" in running.columns:
            running = running.filter(lambda t: t.end.isnull() | (t.end >= at))  # noqa: PD003 - Ibis, not pandas
        holders = running.select("client_id").distinct()
        return holders if active is None else holders.semi_join(last, "client_id")

    def _check_kind(self, kind: OutcomeKind) -> None:
        """Refuse a kind of outcome that there is not, or that these tables do not tell."""
        if kind not in get_args(OutcomeKind):
            raise ValueError(f"`kind` must be 'non-contractual' or 'contractual'; got {kind!r}.")
        if kind == "contractual" and "contracts" not in self.columns:
            raise ValueError("`kind` 'contractual' needs the table `contracts`.")

    def client_bounds(self, rows: int) -> list[Any]:
        """Cut the clients into parts of about so many rows of the largest table.

        Parameters
        ----------
        rows : int
            At least 1. A client is never cut, so that a part with a larger client is larger.

        Returns
        -------
        list of int or str
            The last client of each part, in the order of the tables. The last of them is the last client of any table.

        Examples
        --------
        Ann is not cut:

        >>> import pandas as pd
        >>> bills = pd.DataFrame({"client_id": ["ann", "ann", "ann", "bob"], "event_time": "2024-01-01"})
        >>> bills["amount"] = [1.0, 2.0, 3.0, 4.0]
        >>> Histories(bills).client_bounds(2)
        ['ann', 'bob']
        """
        if not is_whole_number(rows, least=1):
            raise ValueError(f"`rows` must be a whole number of at least 1; got {rows!r}.")
        stored = self._store.tables.values()
        largest = max(stored, key=lambda table: table.rows)
        last = max(table.clients_at_every(table.rows)[-1] for table in stored)
        return [*largest.clients_at_every(int(rows))[:-1], last]

    def rows_of(
        self, table: str, columns: Sequence[str], *, above: ClientId | None = None, up_to: ClientId | None = None
    ) -> pa.Table:
        """Read columns of one table, for a range of clients.

        Reading all parts that `client_bounds` gives costs about as much as reading the table once.

        Parameters
        ----------
        table : str
            Its name.
        columns : sequence of str
            Which, and in which order.
        above, up_to : int or str, optional
            Only clients whose id is larger than `above`, and not larger than `up_to`; texts compare by their bytes.

        Returns
        -------
        pyarrow.Table
            Sorted by client, then time, then all else; the order of rows does not depend on how they were given. Times
            are ``timestamp[us]``; client ids that are text, and text of few values, are dictionary-encoded.

        Raises
        ------
        ValueError
            If there is no such table or column, or an id is not of the clients' kind.

        Examples
        --------
        >>> import pandas as pd
        >>> bills = pd.DataFrame({"client_id": [1, 2, 3], "event_time": "2024-01-01", "amount": [5.0, 6.0, 7.0]})
        >>> Histories(bills).rows_of("purchases", ["client_id", "amount"], above=1, up_to=2).to_pylist()
        [{'client_id': 2, 'amount': 6.0}]
        """
        if table not in self._store.tables:
            raise ValueError(f"`table` names {table!r}, which is not there. {nearest(str(table), list(self.tables))}")
        stored = self._store.tables[table]
        for column in columns:
            if column not in stored.columns:
                way_out = nearest(str(column), list(stored.columns))
                raise ValueError(f"`columns` names {column!r}, which {table} does not have. {way_out}")
        between = {
            name: None if client is None else self._as_client(client, name)
            for name, client in (("above", above), ("up_to", up_to))
        }
        return stored.read(columns, **between)

    def client_ids(self, clients: Iterable[Any]) -> NDArray[Any]:
        """Write client ids as the tables hold them: whole numbers, or text.

        Raises
        ------
        ValueError
            If one is not of the clients' kind, or what is given is no list of them, such as one id.

        Examples
        --------
        >>> import pandas as pd
        >>> bills = pd.DataFrame({"client_id": [1, 2, 3], "event_time": "2024-01-01", "amount": 5.0})
        >>> Histories(bills).client_ids([3, 1])
        array([3, 1])
        """
        one = isinstance(clients, str | bytes | bytearray) or (isinstance(clients, np.ndarray) and clients.ndim == 0)
        if one or not isinstance(clients, Iterable):
            raise ValueError(f"`clients` must be a list of client ids, even of one alone; got {clients!r}.")
        text = self._store.tables["purchases"].text_ids
        if isinstance(clients, np.ndarray) and clients.ndim == 1 and clients.dtype == np.int64 and not text:
            return clients.copy()
        ids = [self._as_client(client, f"clients[{place}]") for place, client in enumerate(clients)]
        return np.array(ids, dtype=object if text else np.int64)

    def _as_client(self, client: Any, argument: str) -> ClientId:
        """Return a client id as Python has it, if it is of the clients' kind."""
        if self._store.tables["purchases"].text_ids:
            if isinstance(client, str):
                return str(client)
            kind = "text"
        else:
            if isinstance(client, Integral) and not isinstance(client, bool) and -(2**63) <= int(client) < 2**63:
                return int(client)
            kind = "a whole number of 64 bits"
        raise ValueError(f"`{argument}` must be a client id, which is {kind} here; got {client!r}.")

    def _stamp(self) -> str:
        """Hash the content of all tables at little cost; DuckDB's own hash orders rows of one instant."""
        contents = [f"{name} {table.content()}" for name, table in sorted(self._store.tables.items())]
        return hashlib.sha256("\n".join([duckdb.__version__, *contents]).encode()).hexdigest()[:32]

    def fingerprint(self) -> str:
        """Hash the content of all tables; the order of rows does not matter.

        Returns
        -------
        str
            32 hexadecimal digits.
        """
        low = high = 0
        for name, columns in self.columns.items():
            # Each value with its name and length, so that no two rows are written alike.
            values = ", ".join(
                f"{text_literal(column)} || length({quoted(column)}::varchar) || ':' || {quoted(column)}::varchar"
                for column in sorted(columns)
            )
            text = f"concat_ws(chr(31), '{name}', {values})"
            query = f"select sum(md5_number_lower({text})), sum(md5_number_upper({text})) from {name}"
            self.tables[name]  # the database has it from now on
            row = self._store.con.execute(query).fetchone() or (0, 0)
            low, high = low + int(row[0]), high + int(row[1])
        return f"{high % 2**64:016x}{low % 2**64:016x}"

    def summary(self) -> pd.DataFrame:
        """Count what is there.

        Returns
        -------
        DataFrame
            One row a table: `rows`, `clients`, `first`, `last`, `refunds` (negative amounts), `duplicates` (rows
            that repeat an earlier one), `longest_gap_days` (days in a row without any row), `columns`.
        """
        described = {}
        for name, table in self.tables.items():
            days = self._days(name)
            gaps = days.diff().dt.days
            described[name] = {
                "rows": self._store.tables[name].rows,
                "clients": len(self._store.tables[name].clients()),
                "first": days.min(),
                "last": days.max(),
                "refunds": int((table.amount < 0).sum().execute()) if name == "purchases" else 0,
                "duplicates": self._store.tables[name].repeated,
                "longest_gap_days": int(gaps.max()) - 1 if len(gaps) > 1 else 0,
                "columns": ", ".join(table.columns),
            }
        return pd.DataFrame.from_dict(described, orient="index")

    def __repr__(self) -> str:
        counted = ", ".join(f"{name} {table.rows:,}" for name, table in self._store.tables.items())
        return f"<Histories: {counted}; observed until {self.observed_until:%Y-%m-%d}>"

    def _repr_html_(self) -> str:
        """Show in a notebook what the tables hold."""
        days = {name: self._days(name) for name in self.columns}
        tables = {
            name: {
                "rows": table.rows,
                "clients": len(self._store.tables[name].clients()),
                "first": days[name].min(),
                "last": days[name].max(),
                "columns": self.columns[name],
            }
            for name, table in self._store.tables.items()
        }
        return as_html(tables, observed_until=self.observed_until, notes=self.notes)
