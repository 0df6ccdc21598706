"""The push log in memory; held to the contract of `test_push_log.py`, which the one on Kafka keeps as well."""

from collections import defaultdict

from runtime.clock import Clock
from stripe_sync.push_log.log import Entry, PushLogBounds, Read

PAGE = 3  # records of one read: small, so that reading takes several


class MemoryPushLog:
    """A list per shard: records, and None at offsets of which no reader is shown anything."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.ahead_ms = 0  # of the broker's clock
        self._entries: defaultdict[int, list[Entry | None]] = defaultdict(list)
        self._earliest: defaultdict[int, int] = defaultdict(int)
        self._held: dict[int, int] = {}

    def name(self, shard: int) -> str:
        """Of no topic."""
        return f"memory-{shard}"

    async def append(self, shard: int, value: bytes) -> int:
        """At once."""
        self.land(shard, value)
        return len(self._entries[shard]) - 1

    async def bounds(self, shard: int) -> PushLogBounds:
        """The earliest offset and the ends."""
        high = len(self._entries[shard])
        return PushLogBounds(self._earliest[shard], self._held.get(shard, high), high)

    async def read(self, shard: int, start: int, end: int) -> Read:
        """Up to `PAGE` offsets."""
        page = self._entries[shard][start : min(end, self._held.get(shard, end))][:PAGE]
        return Read([entry for entry in page if entry is not None], start + len(page))

    def land(self, shard: int, value: bytes | None) -> None:
        """A record arrives, now or late."""
        entries = self._entries[shard]
        entries.append(Entry(len(entries), self._clock.now_ms() + self.ahead_ms, value))

    def skip(self, shard: int, offsets: int = 1) -> None:
        """What no reader is shown: a transaction's end, or what it wrote before it was aborted."""
        self._entries[shard] += [None] * offsets

    def hold(self, shard: int) -> None:
        """Somebody's transaction begins: nothing from here on can be read."""
        self._held[shard] = len(self._entries[shard])
        self.skip(shard)

    def let_go(self, shard: int) -> None:
        """It is aborted."""
        del self._held[shard]
        self.skip(shard)

    def truncate(self, shard: int, end: int) -> None:
        """Loses the tail, as no log of a sound cluster does."""
        del self._entries[shard][end:]

    def cut(self, shard: int, earliest: int) -> None:
        """Retention takes the head."""
        self._earliest[shard] = earliest

    def entries(self, shard: int = 0) -> list[Entry]:
        """All records."""
        return [entry for entry in self._entries[shard] if entry is not None]
