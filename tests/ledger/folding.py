"""The usage fold as its caller runs it: decide, apply, remember."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ledger.answer import Answer
from ledger.shard import Shard
from ledger.state import Log, open_shard
from ledger.usage import apply_usage, drop_block
from metering.counting import Interval, LogRecord, usage_batches
from metering.dedupe import DedupeWindow

PARTITIONS = 4


@dataclass
class Folder:
    """One owner of a shard: what it remembers between calls is as good as the fence."""

    shard: Shard
    high_ms: int = 0
    window: DedupeWindow = field(default_factory=DedupeWindow)

    async def open(self, earliest: int = 0) -> int:
        """Learns where the shard stands."""
        state = await open_shard(self.shard, Log.USAGE, earliest=earliest, incarnation="one")
        self.high_ms, self.window = state.high_ms, state.window
        return state.fences[Log.USAGE]

    async def apply(self, records: Sequence[LogRecord], start: int, end: int) -> Answer:
        """Counts the records of an interval; the last answer."""
        for batch in usage_batches(
            Interval(start, end, records),
            partition=self.shard.number,
            partitions=PARTITIONS,
            high_ms=self.high_ms,
            set_groups=self.window.groups(),
        ):
            answer = await apply_usage(self.shard, batch, self.window)
            if not answer.applied:
                return answer
            self.high_ms = batch.high_ms
            self.window.remember(batch.block, batch.members - answer.value)
            for block, sets in self.window.expired(batch.block).items():
                await drop_block(self.shard, block, sets, at=batch.end)
                self.window.forget(block)
        return answer


async def fold(shard: Shard, *records: LogRecord) -> Answer:
    """Folds records that go on where the shard stands; an empty shard begins at 0."""
    folder = Folder(shard)
    start = await folder.open()
    return await folder.apply(records, start, records[-1].offset + 1)
