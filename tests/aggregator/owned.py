"""What a readiness loop sees of a consumer that owns one shard."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aggregator.readiness import FOLDED_LOGS
from ledger.state import Log


@dataclass
class Owned:
    """The consumer's view of one shard: its logs' ends, and how far they are folded."""

    number: int
    logs_end: dict[Log, int] = field(default_factory=lambda: dict.fromkeys(FOLDED_LOGS, 0))
    known: dict[Log, int] = field(default_factory=dict)
    resynced: list[Log] = field(default_factory=list)
    held: bool = True
    asked: int = 0

    def shards(self) -> set[int]:
        """The shard, while it is held."""
        return {self.number} if self.held else set()

    async def ends(self, shards: set[int]) -> Mapping[int, Mapping[Log, int]]:
        """The logs' ends as of now."""
        self.asked += 1
        return {number: dict(self.logs_end) for number in shards}

    def applied(self, shard: int) -> Mapping[Log, int]:
        """What this process has folded."""
        return self.known

    def resync(self, shard: int, log: Log, reason: str) -> None:
        """A position is to be found again."""
        assert reason
        self.resynced.append(log)
