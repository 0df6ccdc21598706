"""The disk spool: keeps events until Kafka has acknowledged them.

The spool is a directory of numbered segments. A line of a segment is one record, `{"key": ..., "value": ...}`, and is
on disk (fsync) before `append` returns. A segment is sent as a whole, oldest first, and deleted as a whole once Kafka
has acknowledged all of it. After a crash in between it is sent again; totals stay exact, because the platform
recognises duplicates by their id and source. Nothing is appended to a segment of an earlier run. So only a segment's
last line can be incomplete, and `append` never returned for such a line.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock

from .._event import UsageRecord
from ..errors import SpoolClosedError, SpoolFullError
from .lock import lock
from .segment import Segment, recover_segments, segment_path, sync_directory, to_line, write_whole

DEFAULT_MAX_BYTES = 256 * 1024 * 1024
"""Bytes: about a million events of 250 bytes, most of an hour of one busy service."""

SEGMENT_BYTES = 1024 * 1024
"""Bytes: a larger segment is closed. One round sends a segment, and a crash may send it again."""


class Spool:
    """An append-only directory of events, used by one process at a time. Threads may share it.

    Raises:
        SpoolLockedError: the directory is in use.
        SpoolCorruptError: a segment of an earlier run cannot be read.
        OSError: the directory cannot be made or written.
    """

    def __init__(
        self, directory: Path, *, max_bytes: int = DEFAULT_MAX_BYTES, segment_bytes: int = SEGMENT_BYTES
    ) -> None:
        self._directory = directory
        self._max_bytes = max_bytes
        self._segment_bytes = segment_bytes
        self._guard = Lock()
        self._active: int | None = None  # the file descriptor of the last segment, while it takes events
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock_fd = lock(directory)
        try:
            self._segments = list(recover_segments(directory))
        except BaseException:
            os.close(self._lock_fd)
            raise
        self._next = 1 + max((int(segment.path.stem) for segment in self._segments), default=0)
        self._closed = False

    @property
    def directory(self) -> Path:
        """Returns the directory of the segments."""
        return self._directory

    @property
    def events(self) -> int:
        """Returns the number of events that wait on disk."""
        with self._guard:
            return sum(segment.events for segment in self._segments)

    @property
    def size(self) -> int:
        """Returns the bytes that the waiting events take on disk."""
        with self._guard:
            return self._size()

    def append(self, records: Sequence[UsageRecord], *, bounded: bool = True) -> None:
        """Writes records to disk; they survive a crash of the process or the machine once this returns.

        Args:
            records: in the order in which they are to be sent.
            bounded: False for events that were accepted before: they may exceed `max_bytes`, by no more than the
                emitter's buffer.

        Raises:
            SpoolFullError: the records do not fit; none was written.
            SpoolClosedError: the spool is closed.
            OSError: the disk refused; some of the records may have been written anyway.
        """
        lines = [to_line(record) for record in records]
        with self._guard:
            self._require_open()
            if bounded and self._size() + sum(map(len, lines)) > self._max_bytes:
                raise SpoolFullError(
                    f"the spool {self._directory} holds {self._size()} of at most {self._max_bytes} bytes and takes "
                    "no more events: bring Kafka back, or give the spool more room; then emit this event again under "
                    "the same id"
                )
            for chunk in _chunks(lines, self._segment_bytes):
                self._write(chunk)

    def oldest(self) -> Segment | None:
        """Returns the segment to send next, closed for appending; None if nothing waits.

        Raises:
            SpoolClosedError: the spool is closed.
        """
        with self._guard:
            self._require_open()
            if not self._segments:
                return None
            if len(self._segments) == 1:
                self._close_active()
            return self._segments[0]

    def discard(self, segment: Segment) -> None:
        """Deletes a segment, all of whose events Kafka has acknowledged.

        Raises:
            SpoolClosedError: the spool is closed.
        """
        with self._guard:
            self._require_open()
            self._remove(segment)

    def take_over(self, directory: Path) -> int:
        """Moves the segments of another directory behind its own. The caller holds that directory's lock.

        Returns the number of moved events.

        Raises:
            SpoolCorruptError: a segment can't be read; none was moved.
            SpoolClosedError: the spool is closed.
            OSError: the disk refuses; every segment is in one of the two directories.
        """
        with self._guard:
            self._require_open()
            found = list(recover_segments(directory))
            self._close_active()
            for segment in found:
                moved = segment_path(self._directory, self._next)
                segment.path.rename(moved)
                self._next += 1
                self._segments.append(Segment(moved, segment.events, segment.size))
            sync_directory(self._directory)
            sync_directory(directory)
            return sum(segment.events for segment in found)

    def abandon(self) -> None:
        """Call it in a child process: closes the child's copies of the descriptors; the parent keeps lock and files."""
        for descriptor in (self._lock_fd, self._active):
            if descriptor is not None and not self._closed:
                with suppress(OSError):
                    os.close(descriptor)

    def close(self) -> None:
        """Releases the directory; waiting events stay for the next emitter."""
        with self._guard:
            if self._closed:
                return
            self._closed = True
            self._close_active()
            os.close(self._lock_fd)

    def _size(self) -> int:
        return sum(segment.size for segment in self._segments)

    def _require_open(self) -> None:
        if self._closed:
            raise SpoolClosedError(f"the spool {self._directory} is closed: emit before close()")

    def _write(self, lines: list[bytes]) -> None:
        descriptor = self._writable()
        segment = self._segments[-1]
        content = b"".join(lines)
        begun = os.fstat(descriptor).st_size  # not the segment's: a signal may have come before that was noted
        try:
            write_whole(descriptor, content)
            os.fsync(descriptor)
        except BaseException:  # a signal's handler may raise in the middle, too
            with suppress(OSError):
                os.ftruncate(descriptor, begun)
            self._close_active()  # nothing follows a line that may be torn
            if not segment.events:
                self._remove(segment)
            raise
        segment.events += len(lines)
        segment.size += len(content)

    def _writable(self) -> int:
        if self._active is not None and self._segments[-1].size >= self._segment_bytes:
            self._close_active()
        if self._active is None:
            path = segment_path(self._directory, self._next)
            self._active = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            self._next += 1
            self._segments.append(Segment(path))
            sync_directory(self._directory)
        return self._active

    def _close_active(self) -> None:
        if self._active is not None:
            os.close(self._active)
            self._active = None

    def _remove(self, segment: Segment) -> None:
        segment.path.unlink(missing_ok=True)
        self._segments.remove(segment)
        sync_directory(self._directory)


def _chunks(lines: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    chunk: list[bytes] = []
    held = 0
    for line in lines:
        chunk.append(line)
        held += len(line)
        if held >= size:
            yield chunk
            chunk, held = [], 0
    if chunk:
        yield chunk
