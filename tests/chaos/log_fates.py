"""The right fate of every record in the usage log, judged by the publisher's knowledge."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping

from kafka.partitioner.default import murmur2

from tests.chaos.verdict import Fates
from tests.support.stack import LoggedRecord, Origin

USAGE_TOPIC = "usage.events"
_POSITIVE = 0x7FFFFFFF


def home_of(account: str, partitions: int) -> int:
    """The account's partition by Kafka's own hash, as kafka-python has it."""
    return (murmur2(account.encode()) & _POSITIVE) % partitions


def log_fates(
    log: Iterable[LoggedRecord], rejects: Mapping[bytes, str], partitions: int
) -> tuple[dict[int, Fates], dict[Origin, str]]:
    """Each partition's records by fate, and the reason of each that is rejected.

    Args:
        log: the records, those of a partition in their order.
        rejects: the reasons of those that can't be counted, by their bytes.
        partitions: how many there are.
    """
    counts: dict[int, Counter[str]] = {partition: Counter() for partition in range(partitions)}
    letters: dict[Origin, str] = {}
    seen: set[tuple[str, ...]] = set()
    for record in log:
        if (reason := rejects.get(record.value)) is not None:
            letters[USAGE_TOPIC, record.partition, record.offset] = reason
            fate = "dead"
        else:
            fate = _fate(record, seen, partitions)
        counts[record.partition].update(("read", fate))
    return {partition: Fates(**counted) for partition, counted in counts.items()}, letters


def identity_of(record: LoggedRecord) -> tuple[str, ...]:
    """Id, meter and account of a good record, in either of CloudEvents' modes."""
    attributes = {name[3:]: value.decode() for name, value in record.headers.items() if name[:3] == "ce_"}
    event = attributes or json.loads(record.value)
    return event["id"], event["type"], event["subject"]


def _fate(record: LoggedRecord, seen: set[tuple[str, ...]], partitions: int) -> str:
    identity = identity_of(record)
    if home_of(identity[2], partitions) != record.partition:
        return "rerouted"
    if identity in seen:
        return "duplicate"
    seen.add(identity)
    return "counted"
