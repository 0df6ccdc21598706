"""The push log in memory; held to the contract of `test_push_log.py`, which the one on Kafka keeps as well."""

from collections import defaultdict

from runtime.clock import Clock
from stripe_sync.log import Entry

PAGE = 3  # records of one read: small, so that reading takes several


class MemoryPushLog:
    """One list of records per shard."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: defaultdict[int, list[Entry]] = defaultdict(list)
        self._earliest: defaultdict[int, int] = defaultdict(int)

    async def append(self, shard: int, value: bytes) -> None:
        """At once."""
        self.land(shard, value)

    async def bounds(self, shard: int) -> tuple[int, int]:
        """The earliest offset and the end."""
        return self._earliest[shard], len(self._entries[shard])

    async def read(self, shard: int, start: int, end: int) -> list[Entry]:
        """Up to `PAGE` records."""
        return self._entries[shard][start:end][:PAGE]

    def land(self, shard: int, value: bytes) -> None:
        """A record arrives, now or late."""
        entries = self._entries[shard]
        entries.append(Entry(len(entries), self._clock.now_ms(), value))

    def truncate(self, shard: int, end: int) -> None:
        """Loses the tail, as no log of a sound cluster does."""
        del self._entries[shard][end:]

    def cut(self, shard: int, earliest: int) -> None:
        """Retention takes the head."""
        self._earliest[shard] = earliest

    def entries(self, shard: int = 0) -> list[Entry]:
        """All records."""
        return list(self._entries[shard])
