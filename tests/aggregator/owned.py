"""What a readiness loop sees of a consumer that owns one shard."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aggregator.readiness import FOLDED_LOGS
from ledger.state import Log
from metering.stop import Stop
from runtime.log_ends import LogEnd


@dataclass
class Owned:
    """The consumer's view of one shard: its logs' ends, and how far they are folded.

    `pinned` are the first offsets of open transactions.
    """

    number: int
    logs_end: dict[Log, int] = field(default_factory=lambda: dict.fromkeys(FOLDED_LOGS, 0))
    pinned: dict[Log, int] = field(default_factory=dict)
    known: dict[Log, int] = field(default_factory=dict)
    resynced: list[Log] = field(default_factory=list)
    stopped: dict[Log, Stop] = field(default_factory=dict)
    held: bool = True
    asked: int = 0

    def shards(self) -> set[int]:
        """The shard, while it is held."""
        return {self.number} if self.held else set()

    def stops(self, shard: int) -> Mapping[Log, Stop]:
        """The logs that are stopped."""
        return dict(self.stopped)

    async def ends(self, shards: set[int]) -> Mapping[int, Mapping[Log, LogEnd]]:
        """The logs' ends as of now."""
        self.asked += 1
        ends = {log: LogEnd(self.pinned.get(log, end), end) for log, end in self.logs_end.items()}
        return dict.fromkeys(shards, ends)

    def applied(self, shard: int) -> Mapping[Log, int]:
        """What this process has folded."""
        return self.known

    def resync(self, shard: int, log: Log, reason: str) -> None:
        """A position is to be found again."""
        assert reason
        self.resynced.append(log)
