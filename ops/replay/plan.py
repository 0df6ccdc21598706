"""Plans a replay: turns a request into parts, with offsets and lines that are fixed before the first record is read.

A replay of the usage log writes to the log that it reads. A fixed end keeps it from reading its own copies.
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
_CHUNK = 1 << 20  # bytes read from a file at once


@dataclass(frozen=True, slots=True)
class LogRange:
    """A stretch of a topic. Times are append times in Unix ms; `end` and `end_ms` themselves are excluded."""

    topic: str
    partition: int | None = None
    account: str | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    first: int | None = None
    end: int | None = None


def plan_log(settings: KafkaSettings, wanted: LogRange) -> list[LogPart]:
    """Returns the parts of a stretch of a topic; only records that are committed now.

    Raises:
        OpsError: the topic does not hold usage events, or does not hold the wanted offsets.
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
    """Returns a part for a file of events, or parts for all such files in a directory, by name.

    Raises:
        OpsError: there is no such file.
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
        OpsError: a file changed.
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
        return [partition_of(wanted.account, settings.partitions)]  # re-routed copies are there too
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
