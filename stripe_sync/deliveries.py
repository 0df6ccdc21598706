"""Which units were delivered lately, as the push log tells: Redis keeps sums, not moments."""

from collections import Counter
from dataclasses import dataclass, field

from ledger.accepted import Lane
from metering.push_log import ParkOrder, Prepared, PushRecord, ReissueOrder, Settled
from metering.row import Row

Place = tuple[Lane, int]
"""A customer and meter, and a minute's first second."""


@dataclass(slots=True)
class Deliveries:
    """The units delivered at `since_ms` or later, by records that are taken one by one, in the log's order.

    `strangers` are rows that were delivered since, and prepared before the first record that was taken: begin to take
    earlier.
    """

    since_ms: int
    units: Counter[Place] = field(default_factory=Counter)
    strangers: set[str] = field(default_factory=set)
    _open: dict[str, tuple[Place, int]] = field(default_factory=dict)
    _delivered: set[str] = field(default_factory=set)

    def take(self, record: PushRecord, append_ms: int) -> None:
        """The next record."""
        match record:
            case Prepared():
                for row in record.rows:
                    self._note(row, record.identity.namespace)
            case ReissueOrder() | ParkOrder():
                self._note(record.row, record.namespace)
            case Settled():
                for settlement in record.settlements:
                    if settlement.parked is None:
                        self._settle(settlement.identifier, append_ms)

    def _note(self, row: Row, namespace: str) -> None:
        self._open[row.identifier(namespace)] = (Lane(row.customer, row.meter), row.timestamp // 60 * 60), row.value

    def _settle(self, identifier: str, append_ms: int) -> None:
        known = self._open.pop(identifier, None)
        if append_ms < self.since_ms or identifier in self._delivered:
            return
        if known is None:
            self.strangers.add(identifier)
            return
        place, units = known
        self._delivered.add(identifier)
        self.units[place] += units
