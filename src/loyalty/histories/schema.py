"""The dated tables a history may consist of, and what each of their columns means."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Kind = Literal["id", "time", "number", "flag", "text"]


@dataclass(frozen=True)
class Column:
    """One canonical column.

    Attributes
    ----------
    kind : {"id", "time", "number", "flag", "text"}
        What it must hold: ids are integers or text, times become UTC, numbers are finite.
    required : bool
        Whether the table is refused without it, and with a null in it.
    after : str
        The time column it may not precede.
    planned : bool
        Whether it is a date agreed in advance: it is known with its row, and may lie in the future.
    """

    name: str
    kind: Kind
    required: bool = False
    after: str = ""
    planned: bool = False

    @property
    def later(self) -> bool:
        """Whether it is a later fact about an earlier event, unknown until its own date.

        Examples
        --------
        A contract's end is known when it has come; the day on which it renews is known from its start:

        >>> [column.name for column in TABLES["contracts"].columns if column.later]
        ['end']
        """
        return bool(self.after) and not self.planned and self.name != "known_at"


@dataclass(frozen=True)
class Table:
    """One canonical table.

    Attributes
    ----------
    time : str
        The column that dates its rows.
    columns : tuple of Column
        In the order in which they are stored.
    attributes : bool
        Whether further columns of the source are kept as they are.
    """

    name: str
    time: str
    columns: tuple[Column, ...]
    attributes: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The canonical column names, in order."""
        return tuple(column.name for column in self.columns)


def _table(name: str, *columns: Column, time: str = "event_time", attributes: bool = False) -> Table:
    """Begin every table with its client, its date, and when that became known."""
    head = (Column("client_id", "id", True), Column(time, "time", True), Column("known_at", "time", after=time))
    return Table(name, time, head + columns, attributes)


TABLES: Mapping[str, Table] = MappingProxyType(
    {
        table.name: table
        for table in (
            _table(
                "purchases",
                Column("amount", "number", True),
                Column("order_id", "id"),
                Column("product_id", "id"),
                Column("category", "text"),
                Column("channel", "text"),
                Column("quantity", "number"),
                Column("discount", "number"),
                Column("cost", "number"),
            ),
            _table("clients", time="joined_at", attributes=True),
            _table(
                "contacts",
                Column("direction", "text"),
                Column("channel", "text"),
                Column("kind", "text"),
                Column("topic", "text"),
                Column("replied_at", "time", after="event_time"),
                Column("resolved_at", "time", after="event_time"),
                Column("satisfaction", "number"),
                Column("text", "text"),
            ),
            _table(
                "offers",
                Column("offer_id", "id"),
                Column("kind", "text"),
                Column("discount", "number"),
                Column("cost", "number"),
                Column("treated", "flag"),
                Column("redeemed_at", "time", after="sent"),
                time="sent",
            ),
            _table(
                "rewards",
                Column("kind", "text"),
                Column("points", "number"),
                Column("tier", "text"),
                Column("expires_at", "time", after="event_time", planned=True),
            ),
            _table(
                "contracts",
                Column("contract_id", "id"),
                Column("end", "time", after="start"),
                Column("renews_at", "time", after="start", planned=True),
                Column("plan", "text"),
                Column("fee", "number"),
                time="start",
            ),
            _table("events", Column("kind", "text", True), Column("value", "number")),
        )
    }
)
