"""Counts the usage log once more, in memory, by other means than the aggregator's: so Redis can be checked.

The recount shares with the aggregator only the domain's meaning of one record (`read_event`, the dedupe window, an
account's partition). Everything else is done anew, record by record: it compares 128 bits of an identity instead of 64,
and it batches, groups and corrects nothing.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from ledger.state import Conservation
from metering.bucket import hour_of
from metering.content_mode import attributes_of
from metering.counting import LogRecord
from metering.dedupe import block_of, oldest_block
from metering.event import read_event
from metering.partition import partition_of
from metering.reject import Reject
from metering.span import DAY_HOURS, MONTH_DAYS, month_and_day
from metering.usage_event import UsageEvent

MOST_EXAMPLES = 10  # conflicts that are shown
_PAYLOAD_BITS = 64


@dataclass(frozen=True, slots=True)
class Conflict:
    """A duplicate whose payload differs from the counted event's: one of the two is wrong. The first one counts."""

    source: str
    event_id: str
    partition: int
    offset: int


@dataclass(slots=True)
class Recount:
    """The count of one partition. An identity takes some 150 bytes of memory until its shard is done."""

    partition: int
    partitions: int
    high_ms: int = 0
    read: int = 0
    counted: int = 0
    duplicate: int = 0
    dead: int = 0
    rerouted: int = 0
    quarantined: int = 0
    conflicts: int = 0
    examples: list[Conflict] = field(default_factory=list)
    hours: defaultdict[tuple[str, int], dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    """(account, day since the epoch) → meter * 24 + hour → units, as in the hashes of the hours."""

    _days_of: defaultdict[tuple[str, str], set[int]] = field(default_factory=lambda: defaultdict(set))
    _seen: dict[bytes, int] = field(default_factory=dict)
    """16 bytes of an identity → the block in which it was counted, and 64 bits of its payload."""

    def take(self, record: LogRecord) -> None:
        """Counts the next record of the log."""
        self.read += 1
        self.high_ms = max(self.high_ms, record.timestamp)
        event = read_event(record.value, self.high_ms, record.headers)
        if isinstance(event, Reject):
            self.dead += 1
        elif partition_of(event.account, self.partitions) != self.partition:
            self.rerouted += 1
        elif self._is_known(record, event):
            self.duplicate += 1
        else:
            self._count(event)

    def pass_by(self, offsets: int) -> None:
        """Counts `offsets` that a person has ordered to pass by."""
        self.read += offsets
        self.quarantined += offsets

    def conservation(self) -> Conservation:
        """Returns the number of records so far by fate."""
        return Conservation(self.read, self.counted, self.duplicate, self.dead, self.rerouted, self.quarantined)

    def days(self, account: str, month: str) -> Mapping[int, int]:
        """Returns units by meter * 31 + day of the month - 1, as in the hash of the month."""
        totals: defaultdict[int, int] = defaultdict(int)
        for day in self._days_of.get((account, month), ()):
            day_of_month = month_and_day(day)[1]
            for place, units in self.hours[account, day].items():
                totals[place // DAY_HOURS * MONTH_DAYS + day_of_month - 1] += units
        return totals

    def months(self) -> set[tuple[str, str]]:
        """Returns every (account, yyyymm) with units."""
        return set(self._days_of)

    def _is_known(self, record: LogRecord, event: UsageEvent) -> bool:
        attributes = attributes_of(record.value, record.headers)
        source, event_id = attributes["source"], attributes["id"]
        named = f"{source}\0{event_id}\0{event.meter}\0{event.account}"
        identity = blake2b(named.encode(), digest_size=16).digest()
        block, payload = block_of(self.high_ms), _payload(event)
        known = self._seen.get(identity)
        if known is None or known >> _PAYLOAD_BITS < oldest_block(block):
            self._seen[identity] = block << _PAYLOAD_BITS | payload
            return False
        if known & ((1 << _PAYLOAD_BITS) - 1) != payload:
            self.conflicts += 1
            if len(self.examples) < MOST_EXAMPLES:
                self.examples.append(Conflict(source, event_id, self.partition, record.offset))
        return True

    def _count(self, event: UsageEvent) -> None:
        self.counted += 1
        if not event.quantity:
            return
        day, hour = divmod(hour_of(event.time), DAY_HOURS)
        buckets = self.hours[event.account, day]
        place = event.meter * DAY_HOURS + hour
        buckets[place] = buckets.get(place, 0) + event.quantity
        self._days_of[event.account, month_and_day(day)[0]].add(day)


def _payload(event: UsageEvent) -> int:
    """Returns 64 bits of a hash of the payload: the time and the quantity."""
    text = f"{event.time} {event.quantity}"
    return int.from_bytes(blake2b(text.encode(), digest_size=_PAYLOAD_BITS // 8).digest(), "big")
