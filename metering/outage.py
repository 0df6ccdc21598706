"""When so much of a shard's log is rejected, whoever it comes from, that it is an outage, not a few bad records.

Rejects of one source alone are that source's fault: they become dead letters, and nobody waits for it to be mended.
Several sources that fail together are more likely ours: going on would only drain the log into the dead letters.
"""

import json
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import NamedTuple, Self
from zlib import crc32

WINDOW_RECORDS = 10_000  # fewer never trip it
CHUNK_RECORDS = 500  # how exactly the window forgets; keeps it small enough to live beside the fence
MOST_SOURCES = 8  # told apart in a chunk; with more than that no one of them stands out
STOP_RATIO = 0.95  # of records that are rejected; and of rejects that come from one source


@dataclass(frozen=True, slots=True)
class Drain:
    """A person's word that what a shard holds below the offset `until` is to be judged record by record."""

    until: int
    who: str
    why: str

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """From what `to_json` gave."""
        said = json.loads(text)
        return cls(said["until"], said["who"], said["why"])

    def to_json(self) -> bytes:
        """For the state."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()


_NOBODY: Mapping[int, int] = {}


class Chunk(NamedTuple):
    """Some records after one another, how many were rejected, and how many of these by the CRC-32 of their source."""

    records: int
    rejected: int
    sources: Mapping[int, int] = _NOBODY

    @classmethod
    def parse(cls, text: str) -> Self:
        """From what `str` gave."""
        records, rejected, *sources = text.split(":")
        pairs = (each.split("=") for each in sources)
        return cls(int(records), int(rejected), {int(name, 16): int(count) for name, count in pairs})

    def __str__(self) -> str:
        head = f"{self.records}:{self.rejected}"
        return ":".join([head, *(f"{n:x}={count}" for n, count in self.sources.items())]) if self.sources else head

    def joined(self, other: "Chunk") -> "Chunk":
        """This one and the next as one."""
        sources = self.sources or other.sources
        if self.sources and other.sources:
            sources = dict((Counter(self.sources) + Counter(other.sources)).most_common(MOST_SOURCES))
        return Chunk(self.records + other.records, self.rejected + other.rejected, sources)


class RejectWindow:
    """A shard's last records in chunks of at least `CHUNK_RECORDS`."""

    def __init__(self, chunks: Iterable[Chunk] = ()) -> None:
        """`chunks`: oldest first."""
        self._chunks = deque(chunks)

    @classmethod
    def parse(cls, text: str) -> Self:
        """From what `str` gave."""
        return cls(Chunk.parse(chunk) for chunk in text.split(",") if chunk)

    def __str__(self) -> str:
        return ",".join(map(str, self._chunks))

    def with_batch(self, records: int, sources: Iterable[str] = ()) -> "RejectWindow":
        """The window after another batch of records; `sources` are those of its rejects, one each."""
        added, chunks = _chunk(records, sources), deque(self._chunks)
        if chunks and chunks[-1].records < CHUNK_RECORDS:
            added = chunks.pop().joined(added)
        chunks.append(added)
        held = sum(records for records, _, _ in chunks)
        while held - chunks[0].records >= WINDOW_RECORDS:
            held -= chunks.popleft().records
        return RejectWindow(chunks)

    def is_outage(self) -> bool:
        """True if nearly all of a full window was rejected, and not nearly all of that comes from one source."""
        records = sum(records for records, _, _ in self._chunks)
        rejected = sum(rejected for _, rejected, _ in self._chunks)
        if records < WINDOW_RECORDS or rejected < STOP_RATIO * records:
            return False
        sources = sum((Counter(chunk.sources) for chunk in self._chunks), Counter[int]())
        return max(sources.values(), default=0) < STOP_RATIO * rejected


def _chunk(records: int, sources: Iterable[str]) -> Chunk:
    names = Counter(crc32(source.encode(errors="replace")) for source in sources)
    return Chunk(records, names.total(), dict(names.most_common(MOST_SOURCES))) if names else Chunk(records, 0)
