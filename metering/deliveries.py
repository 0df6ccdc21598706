"""Rows and their deliveries, told by the push log's records: Redis keeps sums of them only. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from metering.push_log import ParkOrder, Prepared, PushRecord, ReissueOrder, Settled
from metering.row import Row

Wanted = Callable[[Row, str], bool]
"""Whether a row with this identifier is followed."""


class LoggedRow(NamedTuple):
    """A row of the push log, when it was prepared and when it was delivered (Unix ms; None: not, or not any more)."""

    identifier: str
    namespace: str
    row: Row
    prepared_ms: int
    delivered_ms: int | None = None


class Delivery(NamedTuple):
    """A row was delivered. `logged` is None where no followed record has told of it."""

    identifier: str
    logged: LoggedRow | None


def rows_of(record: PushRecord, append_ms: int) -> Iterator[LoggedRow]:
    """The rows that a record carries; rows that lose a race are among them."""
    match record:
        case Prepared():
            namespace, since_ms = record.identity.namespace, record.since_ms(append_ms)
            yield from (LoggedRow(row.identifier(namespace), namespace, row, since_ms) for row in record.rows)
        case ReissueOrder():
            name, since_ms = record.row.identifier(record.namespace), record.since_ms(append_ms)
            yield LoggedRow(name, record.namespace, record.row, since_ms)
        case ParkOrder():
            yield LoggedRow(record.row.identifier(record.namespace), record.namespace, record.row, record.prepared_ms)


@dataclass(slots=True)
class DeliveryFold:
    """Follows rows through records that are taken one by one, in the log's order.

    Attributes:
        wanted: which rows to follow.
        undelivered: those that are not delivered, or not any more, by identifier.
    """

    wanted: Wanted = lambda _row, _identifier: True
    undelivered: dict[str, LoggedRow] = field(default_factory=dict)
    _delivered: set[str] = field(default_factory=set)

    def take(self, record: PushRecord, append_ms: int) -> list[Delivery]:
        """The next record; gives what it delivered. Several workers may settle a row: the first one counts."""
        if isinstance(record, Settled):
            names = [each.identifier for each in record.settlements if each.parked is None]
            return [self._deliver(name, append_ms) for name in names if name not in self._delivered]
        for logged in rows_of(record, append_ms):
            if isinstance(record, ParkOrder):
                self._delivered.discard(logged.identifier)
            if logged.identifier not in self._delivered and self.wanted(logged.row, logged.identifier):
                self.undelivered.setdefault(logged.identifier, logged)
        return []

    def _deliver(self, identifier: str, append_ms: int) -> Delivery:
        logged = self.undelivered.pop(identifier, None)
        if logged is None:
            return Delivery(identifier, None)
        self._delivered.add(identifier)
        return Delivery(identifier, logged._replace(delivered_ms=append_ms))
