"""The events behind a row: one bucket counted again, in the log's order, as the shard counted it.

A row's units are the last ones that its bucket had when it was planned: the count stood at `end` with the very record
that the usage fence had passed. So they are the last counted events of the bucket before that fence, and whole events:
a watermark moves by whole batches.
"""

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from pydantic_core import from_json

from metering.bucket import hour_of, start_of
from metering.counting import Counter, LogRecord, origin_time
from metering.dedupe import block_of, oldest_block
from metering.event import UsageEvent, read_event
from metering.limits import MAX_FUTURE_MS
from metering.partition import partition_of
from metering.reject import Reject


class CountedEvent(NamedTuple):
    """An event that was counted, and where it is. `append_ms`: Unix milliseconds; `time` as its producer wrote it."""

    partition: int
    offset: int
    append_ms: int
    event_id: str
    source: str
    time: str
    quantity: int


@dataclass(slots=True)
class BucketWalk:
    """Takes a partition's records one by one.

    Attributes:
        bucket: whose events are meant.
        partition: the partition, of `partitions`.
        units: how many units the row has: no more events are kept than bring them.
        suspects: identities that are remembered from other buckets too; empty where only the bucket's own are.
        total: the units counted so far.
        events: the last events, that bring the last `units` of them, or just more.
        members: every identity of the bucket so far, with the block it was first seen in.
    """

    bucket: Counter
    partition: int
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
            origin_ms = origin_time(record)
            event = read_event(record.value, self._high_ms if origin_ms is None else origin_ms)
            if isinstance(event, Reject) or partition_of(event.account, self.partitions) != self.partition:
                continue
            inside = (event.account, event.meter, hour_of(event.time)) == self.bucket
            if (inside or event.member in self.suspects) and self._is_new(event, late=origin_ms is not None) and inside:
                self._count(record, event)

    def _is_new(self, event: UsageEvent, *, late: bool) -> bool:
        oldest = oldest_block(block_of(self._high_ms))
        if late and block_of(event.time * 1000 - MAX_FUTURE_MS) < oldest:
            return False
        known = self.members.get(event.member)
        if known is not None and known >= oldest:
            return False
        self.members[event.member] = block_of(self._high_ms)
        return True

    def _count(self, record: LogRecord, event: UsageEvent) -> None:
        attributes = from_json(record.value or b"")
        self.total += event.quantity
        self._kept += event.quantity
        self.events.append(
            CountedEvent(
                self.partition,
                record.offset,
                record.timestamp,
                attributes["id"],
                attributes["source"],
                attributes["time"],
                event.quantity,
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
