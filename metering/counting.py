"""The usage fold, first half: what a batch of records of one partition amounts to.

Everything that can be decided from the records alone is decided here, in one pass: which records are rejected,
which belong to another partition, which repeat an identity within the batch, and what the rest adds to which
counter. Duplicates of earlier batches are only known to the shard's state; so each remembered identity travels
with its counter and quantity, and the script takes back what the state already holds.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter
from typing import NamedTuple, Protocol
from zlib import crc32

from metering.bucket import hour_of
from metering.dedupe import block_end, block_of
from metering.event import read_event
from metering.partition import partition_of
from metering.reject import Reject


class LogRecord(Protocol):
    """A record as the Kafka clients give it; `timestamp` is the append time in Unix milliseconds."""

    @property
    def offset(self) -> int: ...  # noqa: D102
    @property
    def timestamp(self) -> int: ...  # noqa: D102
    @property
    def key(self) -> bytes | None: ...  # noqa: D102
    @property
    def value(self) -> bytes | None: ...  # noqa: D102
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...  # noqa: D102


class Counter(NamedTuple):
    """What is counted separately: one account's meter in one bucket."""

    account: str
    meter: int
    hour: int


_append_ms = attrgetter("timestamp")
_as_counter = partial(tuple.__new__, Counter)  # Counter._make in half the time: a batch has thousands


class Mark(NamedTuple):
    """The last record applied, by which a truncated or recreated topic is recognised."""

    offset: int
    append_ms: int
    crc: int


class Misplaced(NamedTuple):
    """A countable record whose account belongs to another partition; `time` is its event's, in Unix seconds."""

    record: LogRecord
    account: str
    partition: int
    time: int


class Rejected(NamedTuple):
    """A record that can't be counted, and why."""

    record: LogRecord
    reject: Reject


@dataclass(slots=True)
class UsageBatch:
    """A run of one partition's log, [start, end), decided as far as the records alone allow.

    `high_ms` is the highest append time seen up to here, `block` the dedupe block that the run falls into.
    `counters` and `units` run in parallel. `groups` are the members that share a dedupe set, each followed by its
    correction: its quantity * 2**32 + the number of its counter, from 1.
    """

    partition: int
    start: int
    end: int
    high_ms: int
    block: int
    records: Sequence[LogRecord] = ()
    duplicates: int = 0
    last: Mark | None = None
    rejected: list[Rejected] = field(default_factory=list)
    misplaced: list[Misplaced] = field(default_factory=list)
    counters: list[Counter] = field(default_factory=list)
    units: list[int] = field(default_factory=list)
    groups: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))

    @property
    def read(self) -> int:
        """How many records the run has."""
        return len(self.records)

    @property
    def members(self) -> int:
        """How many identities the run has, as far as its records tell."""
        return self.read - self.duplicates - len(self.rejected) - len(self.misplaced)


@dataclass(frozen=True, slots=True)
class Interval:
    """What a consumer hands over: the records of [start, end); offsets may jump (transactions, compaction)."""

    start: int
    end: int
    records: Sequence[LogRecord]


def mark_of(record: LogRecord) -> Mark:
    """The record's mark: our own CRC-32 over key, value and timestamp."""
    crc = crc32(record.value or b"", crc32(record.key or b""))
    return Mark(record.offset, record.timestamp, crc32(str(record.timestamp).encode(), crc))


def usage_batches(
    interval: Interval, *, partition: int, partitions: int, high_ms: int, set_groups: int
) -> Iterator[UsageBatch]:
    """Decides an interval, as one batch per dedupe block that it touches: nearly always one.

    Args:
        interval: what was read.
        partition: the partition it was read from.
        partitions: how many the topic has.
        high_ms: the highest append time of the records before the interval.
        set_groups: how many groups members are sorted into (`DedupeWindow.groups`).
    """
    start, records = interval.start, interval.records
    while True:
        block = block_of(max(high_ms, records[0].timestamp if records else 0))
        end_ms = block_end(block)
        run = len(records)
        if records and max(map(_append_ms, records)) >= end_ms:
            run = next(place for place, record in enumerate(records) if record.timestamp >= end_ms)
        end = interval.end if run == len(records) else records[run].offset
        batch = UsageBatch(partition, start, end, high_ms, block, records[:run])
        _decide(batch, partitions, set_groups)
        yield batch
        if run == len(records):
            return
        start, records, high_ms = end, records[run:], batch.high_ms


def _decide(batch: UsageBatch, partitions: int, set_groups: int) -> None:
    """One pass over the records; local names because this loop is what the aggregator's time is spent in."""
    seen: set[int] = set()
    index: dict[tuple[str, int, int], int] = {}
    units, groups, partition = batch.units, batch.groups, batch.partition
    high_ms, duplicates = batch.high_ms, 0
    for record in batch.records:
        append_ms = record.timestamp
        if append_ms > high_ms:  # noqa: PLR1730 - a call for every record
            high_ms = append_ms
        event = read_event(record.value, high_ms, record.headers)
        if isinstance(event, Reject):
            batch.rejected.append(Rejected(record, event))
            continue
        member, account, meter, time, quantity = event
        home = partition_of(account, partitions)
        if home != partition:
            batch.misplaced.append(Misplaced(record, account, home, time))
            continue
        if member in seen:
            duplicates += 1
            continue
        seen.add(member)
        counter = (account, meter, hour_of(time))
        at = index.get(counter)
        if at is None:
            units.append(quantity)
            at = index[counter] = len(units)
        else:
            units[at - 1] += quantity
        groups[member % set_groups] += (member, quantity << 32 | at)
    batch.high_ms, batch.duplicates = high_ms, duplicates
    batch.counters = list(map(_as_counter, index))
    if batch.records:
        batch.last = mark_of(batch.records[-1])
