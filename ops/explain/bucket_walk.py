"""The events behind a row: one bucket counted again, in the log's order, as the shard counted it.

A row's units are the last ones that its bucket had when it was planned: the count stood at `end` with the very record
that the usage fence had passed. So they are the last counted events of the bucket before that fence, and whole events:
a watermark moves by whole batches.
"""

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from metering.bucket import hour_of, start_of
from metering.content_mode import attributes_of
from metering.counting import Counter, LogRecord
from metering.dedupe import block_of, oldest_block
from metering.event import read_event
from metering.limits import MAX_FUTURE_MS
from metering.origin import Origin, Place, origin_of
from metering.partition import partition_of
from metering.reject import Reject
from metering.usage_event import UsageEvent


class CountedEvent(NamedTuple):
    """An event that was counted, and where it is.

    `append_ms`: Unix milliseconds; `time` as its producer wrote it; `origin` of a re-routed copy.
    """

    partition: int
    offset: int
    append_ms: int
    event_id: str
    source: str
    time: str
    quantity: int
    origin: Origin | None = None


@dataclass(slots=True)
class BucketWalk:
    """Takes a partition's records one by one.

    Attributes:
        bucket: whose events are meant.
        place: the partition.
        partitions: how many there are.
        units: how many units the row has: no more events are kept than bring them.
        suspects: identities that are remembered from other buckets too; empty where only the bucket's own are.
        total: the units counted so far.
        events: the last events, that bring the last `units` of them, or just more.
        members: every identity of the bucket so far, with the block it was first seen in.
    """

    bucket: Counter
    place: Place
    partitions: int
    units: int
    suspects: Collection[int] = ()
    total: int = 0
    events: deque[CountedEvent] = field(default_factory=deque)
    members: dict[int, int] = field(default_factory=dict)
    _kept: int = 0
    _high_ms: int = 0

    def take(self, records: Iterable[LogRecord]) -> None:
        """The next records."""
        for record in records:
            self._high_ms = max(self._high_ms, record.timestamp)
            event = read_event(record.value, self._high_ms, record.headers)
            if isinstance(event, Reject):
                continue
            if partition_of(event.account, self.partitions) != self.place.partition:
                continue
            inside = (event.account, event.meter, hour_of(event.time)) == self.bucket
            if (inside or event.member in self.suspects) and self._is_new(event) and inside and event.quantity:
                self._count(record, event)

    def _is_new(self, event: UsageEvent) -> bool:
        oldest = oldest_block(block_of(self._high_ms))
        known = self.members.get(event.member)
        if known is not None and known >= oldest:
            return False
        self.members[event.member] = block_of(self._high_ms)
        return True

    def _count(self, record: LogRecord, event: UsageEvent) -> None:
        attributes = attributes_of(record.value, record.headers)
        self.total += event.quantity
        self._kept += event.quantity
        self.events.append(
            CountedEvent(
                self.place.partition,
                record.offset,
                record.timestamp,
                attributes["id"],
                attributes["source"],
                attributes["time"],
                event.quantity,
                origin_of(record.headers, record.timestamp, self.place),
            )
        )
        while self._kept - self.events[0].quantity >= self.units:
            self._kept -= self.events.popleft().quantity

    @property
    def kept(self) -> int:
        """The units of `events`."""
        return self._kept


def first_append_ms(bucket: Counter) -> int:
    """No event of the bucket was counted in a record appended earlier (Unix milliseconds)."""
    return start_of(bucket.hour) * 1000 - MAX_FUTURE_MS
