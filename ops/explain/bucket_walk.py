"""Finds the events behind a row: counts one bucket again, in the log's order, as the shard counted it.

A row's units are the last units that its bucket had when the row was planned: the bucket's count reached the row's
`end` with the last record before the usage fence. So the row consists of the last counted events of the bucket before
that fence. They are whole events, because a watermark moves by whole batches.
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
    """An event that was counted, and its place in the log.

    `append_ms` is in Unix milliseconds; `time` is as its producer wrote it; `origin` is set for a re-routed copy.
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
        bucket: the bucket to count.
        place: the partition.
        partitions: the number of partitions.
        units: the row's units; the walk keeps only as many events as it needs for them.
        suspects: identities that the walk also remembers from other buckets; empty: only from this bucket.
        total: the units counted so far.
        events: the last events: together they have the last `units` units, or slightly more.
        members: every identity so far, with the block in which it was first seen.
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
        """Counts the next records."""
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
        """Returns the units of `events`."""
        return self._kept


def first_append_ms(bucket: Counter) -> int:
    """Returns the earliest append time (Unix milliseconds) of a record that this bucket can have counted."""
    return start_of(bucket.hour) * 1000 - MAX_FUTURE_MS
