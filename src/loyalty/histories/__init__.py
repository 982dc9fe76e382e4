"""Client histories: the dated tables everything else is computed from, read and checked once, at the border."""

import contextlib
import hashlib
import warnings
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any, Literal, get_args

import duckdb
import ibis
import pandas as pd
import pyarrow as pa

from loyalty.histories.border import Admission, admit
from loyalty.histories.expressions import nearest
from loyalty.histories.problems import HistoriesError, HistoriesWarning, Problem
from loyalty.histories.schema import TABLES, Column, Table
from loyalty.histories.sources import Source, quoted, text_literal
from loyalty.histories.store import ClientId, Store
from loyalty.timeline import Duration, Instant, as_duration, as_instant

__all__ = [
    "TABLES",
    "Column",
    "Histories",
    "HistoriesError",
    "HistoriesWarning",
    "OutcomeKind",
    "Problem",
    "Table",
    "at_instant",
]

#: Days without a purchase that are nothing unusual in any trade.
_WEEK = 7
#: Days with purchases from which on their rhythm can be told.
_MONTH = 30

#: What leaving means: no purchase within the horizon, or the end of the last contract.
OutcomeKind = Literal["non-contractual", "contractual"]


def at_instant(instant: pd.Timestamp) -> ibis.Value:
    """Write an instant as Ibis compares it with the times of the tables."""
    return ibis.literal(instant.to_pydatetime(warn=False))


def _days(times: ibis.Value) -> "pd.Series[pd.Timestamp]":
    """List the days on which something happened, each once."""
    return times.date().name("day").as_table().distinct().order_by("day").execute()["day"].astype("datetime64[us]")


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
    observed_until : str, date or Timestamp, optional
        Up to when the histories were recorded; outcomes that reach further are not known yet. By default the
        midnight after the last purchase.
    future_from : str, date or Timestamp, optional
        Rows dated at or after this are refused as future-dated.
    memory : str, optional
        What the database may hold in memory, such as "2GB"; by default an eighth of the machine's, and at least
        1 GiB. Large tables, and what does not fit while they are sorted, go to a private folder among the temporary
        files, which is removed with the histories.

    Attributes
    ----------
    tables : dict of str to ibis.Table
        The tables given, sorted by client and time.
    notes : tuple of str
        What was done or is worth knowing: times made UTC, duplicated rows.

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
        for option, argument in (("columns", columns), ("where", where)):
            unknown = [name for name in argument or {} if given.get(name) is None]
            if unknown:
                there = [name for name, source in given.items() if source is not None]
                way_out = nearest(unknown[0], there)
                raise ValueError(f"`{option}` names {unknown[0]!r}, which is not a table given. {way_out}")
        limit = None if future_from is None else as_instant(future_from, name="future_from")
        # One thread: sums of floats come out the same to the last bit, run after run.
        self._backend = ibis.duckdb.connect(threads=1)
        self._backend.raw_sql("set TimeZone = 'UTC'")
        with contextlib.suppress(duckdb.InvalidInputException):  # a kernel without ipywidgets has no bar to switch off
            self._backend.raw_sql("set enable_progress_bar = false")
        self._backend.raw_sql("set autoinstall_known_extensions = false; set autoload_known_extensions = false")
        self._store = Store(self._backend, memory)
        admissions = [
            admit(
                self._store,
                TABLES[name],
                source,
                columns=(columns or {}).get(name) or {},
                where=(where or {}).get(name),
                future_from=limit,
            )
            for name, source in given.items()
            if source is not None or name == "purchases"
        ]
        self._settle(admissions)
        self._backend.raw_sql("set enable_external_access = false")
        self.tables = {a.table.name: self._backend.table(a.table.name) for a in admissions}
        if observed_until is None:
            self.observed_until = self._midnight_after_last()
            self._tell_lone_end()
        else:
            self.observed_until = as_instant(observed_until, name="observed_until")

    def _settle(self, admissions: list[Admission]) -> None:
        """Raise all problems at once, or keep the notes and give the warnings."""
        problems = [problem for admission in admissions for problem in admission.problems]
        if not problems:
            problems = self._compare_client_ids(admissions)
        if problems:
            raise HistoriesError(problems, {a.table.name: a.rows for a in admissions if a.rows})
        self.notes = tuple(note for a in admissions for note in (*a.notes, *a.warnings))
        for admission in admissions:
            for warning in admission.warnings:
                warnings.warn(warning, HistoriesWarning, stacklevel=3)

    def _compare_client_ids(self, admissions: list[Admission]) -> list[Problem]:
        kinds = {a.table.name: str(self._backend.table(a.table.name).client_id.type()) for a in admissions}
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

    def _midnight_after_last(self) -> pd.Timestamp:
        last = pd.Timestamp(self.purchases.event_time.max().execute())
        return (last.floor("D") + pd.Timedelta(days=1)).as_unit("us")

    def _tell_lone_end(self) -> None:
        """Warn if the last day stands far from the rest: a wrong date makes outcomes look decided that are not."""
        days = self._purchase_days(None)
        gaps = days.diff().dt.days.to_numpy()[1:]
        if len(gaps) >= _MONTH and gaps[-1] > max(_WEEK, 2 * gaps[:-1].max()):
            said = (
                f"purchases: the last day, {days.iloc[-1]:%Y-%m-%d}, comes {gaps[-1]:.0f} days after the one before; "
                "if it is a wrong date, outcomes look decided that are not."
            )
            self.notes = (*self.notes, said)
            warnings.warn(said, HistoriesWarning, stacklevel=3)

    def _purchase_days(self, before: pd.Timestamp | None) -> "pd.Series[pd.Timestamp]":
        """List the days with a row in `purchases`, of those known before an instant."""
        known = self.purchases
        if before is not None:
            known = known.filter(lambda t: t.known_at < at_instant(before))
        return _days(known.event_time)

    def staleness(self, cutoff: Instant) -> str:
        """Say so if the purchases end long before a cutoff, where everybody looks like a leaver.

        Long is more than a week, and more than twice the longest time without a purchase until then.

        Parameters
        ----------
        cutoff : str, date or Timestamp
            Where we stand.

        Returns
        -------
        str
            A sentence; empty if the purchases are fresh.

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
        days = self._purchase_days(instant)
        if days.empty:
            return ""
        silent = (instant - days.iloc[-1]).days
        longest = days.diff().dt.days.max() if len(days) > 1 else 0
        if silent <= max(_WEEK, 2 * longest):
            return ""
        return (
            f"The purchases known at {instant:%Y-%m-%d} end on {days.iloc[-1]:%Y-%m-%d}, {silent} days before: "
            "everybody looks like a leaver."
        )

    @property
    def purchases(self) -> ibis.Table:
        """The purchases, sorted by client and time."""
        return self.tables["purchases"]

    @property
    def first_event(self) -> pd.Timestamp:
        """When the first purchase was made."""
        return pd.Timestamp(self.purchases.event_time.min().execute()).as_unit("us")

    def population(
        self, *, cutoff: Instant, kind: OutcomeKind = "non-contractual", active: Duration | None = None
    ) -> ibis.Table:
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
        if kind not in get_args(OutcomeKind):
            raise ValueError(f"`kind` must be 'non-contractual' or 'contractual'; got {kind!r}.")
        instant = as_instant(cutoff, name="cutoff")
        at = at_instant(instant)
        bought = self.purchases.filter(lambda t: t.known_at < at)
        last = bought.group_by("client_id").aggregate(last_purchase=lambda t: t.event_time.max())
        if active is not None:
            since = instant - as_duration(active, name="active")
            last = last.filter(lambda t: t.last_purchase >= at_instant(since))
        if kind == "non-contractual":
            return last.select("client_id")
        if "contracts" not in self.tables:
            raise ValueError("`kind` 'contractual' needs the table `contracts`.")
        running = self.tables["contracts"].filter(lambda t: t.known_at < at)
        if "end" in running.columns:
            running = running.filter(lambda t: t.end.isnull() | (t.end >= at))  # noqa: PD003 - Ibis, not pandas
        holders = running.select("client_id").distinct()
        return holders if active is None else holders.semi_join(last, "client_id")

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
        if isinstance(rows, bool) or not isinstance(rows, Integral) or rows < 1:
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
            are ``timestamp[us]``; a text column of few values may be dictionary-encoded.

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
        return stored.read(columns, above=self._as_client(above, "above"), up_to=self._as_client(up_to, "up_to"))

    def _as_client(self, client: Any, argument: str) -> ClientId | None:
        """Return a client id as Python has it, if it is of the clients' kind."""
        if client is None:
            return None
        if self._store.tables["purchases"].text_ids:
            if isinstance(client, str):
                return str(client)
            kind = "text"
        else:
            if isinstance(client, Integral) and not isinstance(client, bool):
                return int(client)
            kind = "a whole number"
        raise ValueError(f"`{argument}` must be a client id, which is {kind} here; got {client!r}.")

    def _stamp(self) -> str:
        """Hash the content of all tables at little cost, to be compared with one DuckDB's own stamps only."""
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
        for name, table in self.tables.items():
            # Each value with its name and length, so that no two rows are written alike.
            values = ", ".join(
                f"{text_literal(column)} || length({quoted(column)}::varchar) || ':' || {quoted(column)}::varchar"
                for column in sorted(table.columns)
            )
            text = f"concat_ws(chr(31), '{name}', {values})"
            query = f"select sum(md5_number_lower({text})), sum(md5_number_upper({text})) from {name}"
            row = self._backend.con.execute(query).fetchone() or (0, 0)
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
            days = _days(table[TABLES[name].time])
            gaps = days.diff().dt.days
            described[name] = {
                "rows": self._store.tables[name].rows,
                "clients": int(table.client_id.nunique().execute()),
                "first": days.min(),
                "last": days.max(),
                "refunds": int((table.amount < 0).sum().execute()) if name == "purchases" else 0,
                "duplicates": self._store.tables[name].repeated,
                "longest_gap_days": int(gaps.max()) - 1 if len(gaps) > 1 else 0,
                "columns": ", ".join(table.columns),
            }
        return pd.DataFrame.from_dict(described, orient="index")

    def __repr__(self) -> str:
        counted = ", ".join(f"{name} {int(table.count().execute()):,}" for name, table in self.tables.items())
        return f"<Histories: {counted}; observed until {self.observed_until:%Y-%m-%d}>"
