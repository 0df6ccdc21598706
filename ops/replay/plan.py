"""What is asked for, made into parts: offsets and lines that are fixed before the first record is read.

A replay of the usage log writes to the log that it reads; an end that is fixed keeps it from reading itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from metering.partition import partition_of
from ops.console.errors import OpsError
from ops.logs.reader import Bounds, LogReader
from ops.replay.progress import FilePart, LogPart
from runtime.settings import KafkaSettings
from runtime.topics import TopicNames

FILE_SUFFIXES = frozenset({".jsonl", ".ndjson", ".json"})
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class LogRange:
    """A stretch of a topic. Times are append times in Unix ms; the last offset and the last moment are excluded."""

    topic: str
    partition: int | None = None
    account: str | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    first: int | None = None
    end: int | None = None


def plan_log(settings: KafkaSettings, wanted: LogRange) -> list[LogPart]:
    """The parts of a stretch of a topic; only what is committed now.

    Raises:
        OpsError: the topic is not one of usage events; or it does not hold what is asked for.
    """
    names = TopicNames(settings.topic_prefix)
    if wanted.topic == names.dead_letters:
        raise OpsError(f"{wanted.topic} holds dead letters: publish them again with billing dlq redrive")
    if wanted.topic in {names.accounts, names.api_keys, names.pushes, names.quarantine}:
        raise OpsError(f"{wanted.topic} does not hold usage events")
    with LogReader(settings) as reader:
        bounds = reader.bounds(wanted.topic)
        starts = {} if wanted.start_ms is None else reader.offsets_at(wanted.topic, wanted.start_ms)
        ends = {} if wanted.end_ms is None else reader.offsets_at(wanted.topic, wanted.end_ms)
    parts = []
    for partition in _partitions(settings, wanted, bounds):
        held = bounds[partition]
        start = _given(starts.get(partition, held.earliest), held.end)
        end = min(_given(ends.get(partition), held.end), held.end)
        if wanted.first is not None:
            start = _first(wanted, partition, held)
        if wanted.end is not None:
            end = min(wanted.end, held.end)
        parts.append(LogPart(topic=wanted.topic, partition=partition, next=start, end=max(start, end)))
    return parts


def plan_files(path: Path) -> list[FilePart]:
    """A file of events, or every such file in a directory, by name.

    Raises:
        OpsError: there is none.
    """
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if each.suffix in FILE_SUFFIXES and each.is_file())
        if not files:
            raise OpsError(f"{path} has no file that ends in {', '.join(sorted(FILE_SUFFIXES))}")
    elif path.exists():
        files = [path]
    else:
        raise OpsError(f"{path} does not exist: name a file of events, one JSON object a line, or a directory of them")
    return [FilePart(path=each.absolute(), size=each.stat().st_size, end=_lines(each)) for each in files]


def check_unchanged(parts: Sequence[LogPart | FilePart]) -> None:
    """Refuses files that changed since the replay began.

    Raises:
        OpsError: one did.
    """
    for part in parts:
        if isinstance(part, FilePart) and (not part.path.exists() or part.path.stat().st_size != part.size):
            raise OpsError(f"{part.path} has changed since the replay began: start it anew, which counts nothing twice")


def _partitions(settings: KafkaSettings, wanted: LogRange, bounds: dict[int, Bounds]) -> list[int]:
    if wanted.partition is not None:
        if wanted.partition not in bounds:
            raise OpsError(f"{wanted.topic} has no partition {wanted.partition}: it has {len(bounds)}")
        return [wanted.partition]
    if wanted.account is not None and wanted.topic == TopicNames(settings.topic_prefix).usage:
        return [partition_of(wanted.account, settings.partitions)]  # what came elsewhere was copied there
    return sorted(bounds)


def _given(offset: int | None, otherwise: int) -> int:
    return otherwise if offset is None else offset


def _first(wanted: LogRange, partition: int, held: Bounds) -> int:
    first = wanted.first or 0
    if first < held.earliest:
        raise OpsError(f"{wanted.topic}/{partition} begins at offset {held.earliest}: retention has cut {first}")
    if first > held.end:
        raise OpsError(f"{wanted.topic}/{partition} ends at offset {held.end}: there is no {first} yet")
    return first


def _lines(path: Path) -> int:
    lines, last = 0, b"\n"
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            lines += chunk.count(b"\n")
            last = chunk[-1:]
    return lines + (last != b"\n")
