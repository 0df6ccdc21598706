"""Which units were delivered lately, as the push log tells: Redis keeps sums, not moments."""

from collections import Counter
from dataclasses import dataclass, field

from ledger.accepted import Lane
from metering.deliveries import DeliveryFold, LoggedRow
from metering.push_log import PushRecord

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
    _fold: DeliveryFold = field(default_factory=DeliveryFold)

    def take(self, record: PushRecord, append_ms: int) -> None:
        """The next record."""
        for identifier, logged in self._fold.take(record, append_ms):
            if append_ms < self.since_ms:
                continue
            if logged is None:
                self.strangers.add(identifier)
            else:
                self.units[_place(logged)] += logged.row.value


def _place(logged: LoggedRow) -> Place:
    row = logged.row
    return Lane(row.customer, row.meter), row.timestamp // 60 * 60
