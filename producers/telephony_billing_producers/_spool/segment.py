"""One file of the disk spool: records as lines of JSON. After a crash, its last line may be incomplete."""

import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .._event import UsageRecord
from ..errors import SpoolCorruptError

log = logging.getLogger(__name__)

_SUFFIX = ".jsonl"
_NAME_DIGITS = 20
SEGMENTS = "[0-9]" * _NAME_DIGITS + _SUFFIX
"""The pattern of the files' names."""


@dataclass(slots=True)
class Segment:
    """One file of the spool: the number of complete events in it, and its size in bytes up to their end."""

    path: Path
    events: int = 0
    size: int = 0


def segment_path(directory: Path, number: int) -> Path:
    """Returns the path of a segment; the names sort like the numbers."""
    return directory / f"{number:0{_NAME_DIGITS}d}{_SUFFIX}"


def read_segment(path: Path) -> list[UsageRecord]:
    """Returns the records of a segment, without an incomplete last line.

    Raises:
        SpoolCorruptError: a complete line is not a record.
    """
    *lines, _torn = path.read_bytes().split(b"\n")
    return [_record(path, number, line) for number, line in enumerate(lines, start=1)]


def recover_segments(directory: Path) -> Iterator[Segment]:
    """Yields the segments that an earlier run left in a directory, oldest first; deletes segments without an event.

    Raises:
        SpoolCorruptError: a complete line is not a record.
    """
    for path in sorted(directory.glob(SEGMENTS)):
        records = read_segment(path)
        content = path.read_bytes()
        complete = content.rfind(b"\n") + 1
        if complete < len(content):
            torn = len(content) - complete
            log.warning("%s ends in %d bytes of an event that was never accepted: left out", path, torn)
        if records:
            yield Segment(path, len(records), complete)
        else:
            path.unlink()


def to_line(record: UsageRecord) -> bytes:
    """Returns a record as a line of a segment, with the line end."""
    return json.dumps({"key": record.key.decode(), "value": record.value.decode()}).encode() + b"\n"


def _record(path: Path, number: int, line: bytes) -> UsageRecord:
    try:
        parsed = json.loads(line)
        return UsageRecord(parsed["key"].encode(), parsed["value"].encode())
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SpoolCorruptError(
            f"{path}, line {number}, is not a spooled event ({error}), and none of its slot is sent: move the file "
            "out of the spool, and mend or emit its events by hand"
        ) from error


def write_whole(descriptor: int, content: bytes) -> None:
    """Writes all of the content, even if the system takes it in several parts.

    Raises:
        OSError: the disk refused; a part may have been written.
    """
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def sync_directory(directory: Path) -> None:
    """Makes the creation or deletion of a file in the directory durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
