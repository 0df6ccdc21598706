"""Finds out whether an event was counted before, in a record that the dedupe window has forgotten.

The dedupe window remembers an event for longer than the event may be late. So a repetition is either a duplicate or too
old. An event with a new time is no longer too old; then only the usage log knows whether it was counted before. The
log is read from the earliest time at which the event can have been counted to the beginning of the window.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from metering.counting import LogRecord
from metering.dedupe import BLOCK_MS, block_of, oldest_block
from metering.event import read_event
from metering.limits import MAX_FUTURE_MS
from metering.partition import partition_of
from metering.quarantine import QuarantineOrder
from metering.usage_event import UsageEvent
from ops.dlq.planning import Fate, Planned, Redrive
from ops.logs.order_log import read_folded, read_orders
from ops.logs.reader import LogReader
from runtime.settings import KafkaSettings
from runtime.topics import TopicNames

_NEVER_MS = 1 << 62  # Unix ms, later than any record: the log is cut to its end


def check_counted_before(settings: KafkaSettings, planned: Sequence[Planned], redrive: Redrive) -> list[Planned]:
    """Returns the plan; letters that were counted before, or that the log is too short to judge, are held back.

    Raises:
        OpsError: Kafka does not answer.
    """
    window_ms = (oldest_block(block_of(redrive.now_ms)) + 1) * BLOCK_MS  # + 1: a block may open meanwhile
    asked: defaultdict[int, dict[int, int]] = defaultdict(dict)
    for each in planned:
        since_ms = _since_ms(each)
        if each.event is not None and since_ms is not None and since_ms < window_ms:
            partition = partition_of(each.event.account, redrive.partitions)
            before = asked[partition].get(each.event.member, since_ms)
            asked[partition][each.event.member] = min(before, since_ms)
    if not asked:
        return list(planned)
    counted: dict[int, set[int]] = {}
    begins_ms: dict[int, int] = {}
    with LogReader(settings) as reader:
        orders = read_orders(reader, TopicNames(settings.topic_prefix).quarantine)
        for partition, members in asked.items():
            begins_ms[partition] = _begins_ms(reader, redrive.usage, partition)
            passed = orders.of(redrive.usage, partition)
            counted[partition] = _counted(reader, (redrive.usage, partition), members, window_ms, passed)
    return [_judge(each, redrive, window_ms, counted, begins_ms) for each in planned]


def _since_ms(planned: Planned) -> int | None:
    """Returns the earliest append time (Unix ms) at which the event can have been counted with its original time."""
    return None if planned.original_time is None else planned.original_time * 1000 - MAX_FUTURE_MS


def _judge(
    planned: Planned,
    redrive: Redrive,
    window_ms: int,
    counted: Mapping[int, set[int]],
    begins_ms: Mapping[int, int],
) -> Planned:
    event, since_ms = planned.event, _since_ms(planned)
    if event is None or since_ms is None or since_ms >= window_ms:
        return planned
    partition = partition_of(event.account, redrive.partitions)
    if event.member in counted[partition]:
        return replace(planned, fate=Fate.COUNTED_BEFORE, detail="the usage log has it in time: discard the letter")
    if since_ms < begins_ms[partition] and not redrive.force:
        return replace(planned, fate=Fate.UNCERTAIN, detail="the usage log no longer reaches back to its time")
    return planned


def _begins_ms(reader: LogReader, topic: str, partition: int) -> int:
    """Returns the append time (Unix ms) from which the log is complete: 0 if nothing was ever cut."""
    held = reader.bounds(topic)[partition]
    if held.earliest == 0:
        return 0
    begins_ms = reader.begins_at(topic, partition, held)
    return _NEVER_MS if begins_ms is None else begins_ms


def _counted(
    reader: LogReader,
    log: tuple[str, int],
    members: Mapping[int, int],
    until_ms: int,
    orders: Sequence[QuarantineOrder],
) -> set[int]:
    topic, partition = log
    bounds = reader.bounds(topic)[partition]
    start = reader.offsets_at(topic, max(min(members.values()), 0))[partition]
    end = reader.offsets_at(topic, until_ms)[partition]
    found: set[int] = set()
    if start is None:
        return found
    for records in read_folded(reader, topic, partition, start, bounds.end if end is None else end, orders):
        found.update(event.member for event in map(_event, records) if event is not None and event.member in members)
    return found


def _event(record: LogRecord) -> UsageEvent | None:
    event = read_event(record.value, record.timestamp, record.headers)
    return event if isinstance(event, UsageEvent) else None
