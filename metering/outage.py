"""When so much of a shard's log is rejected that it is an outage, not a few bad records."""

from collections import deque
from collections.abc import Iterable
from typing import Self

WINDOW_RECORDS = 10_000  # fewer never trip it
CHUNK_RECORDS = 500  # how exactly the window forgets; keeps it small enough to live beside the fence
STOP_RATIO = 0.95


class RejectOutageError(Exception):
    """Nearly everything is rejected: going on would only drain the log into the dead letters. Stops the worker."""


class RejectWindow:
    """A shard's last records, how many of them were rejected, in chunks of at least `CHUNK_RECORDS`."""

    def __init__(self, chunks: Iterable[tuple[int, int]] = ()) -> None:
        """`chunks` are (records, rejected), oldest first."""
        self._chunks = deque(chunks)

    @classmethod
    def parse(cls, text: str) -> Self:
        """From what `str` gave."""
        pairs = (chunk.split(":") for chunk in text.split(",") if chunk)
        return cls((int(records), int(rejected)) for records, rejected in pairs)

    def __str__(self) -> str:
        return ",".join(f"{records}:{rejected}" for records, rejected in self._chunks)

    def with_batch(self, records: int, rejected: int) -> "RejectWindow":
        """The window after another batch; this one stays as it is."""
        chunks = deque(self._chunks)
        if chunks and chunks[-1][0] < CHUNK_RECORDS:
            before = chunks.pop()
            records, rejected = records + before[0], rejected + before[1]
        chunks.append((records, rejected))
        while sum(count for count, _ in chunks) - chunks[0][0] >= WINDOW_RECORDS:
            chunks.popleft()
        return RejectWindow(chunks)

    def is_outage(self, stop_ratio: float) -> bool:
        """True if a full window was rejected to this ratio or more. A ratio of 1 or more never is an outage."""
        records = sum(count for count, _ in self._chunks)
        rejected = sum(bad for _, bad in self._chunks)
        return stop_ratio < 1 and records >= WINDOW_RECORDS and rejected >= stop_ratio * records
