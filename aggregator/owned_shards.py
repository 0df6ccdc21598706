"""The shards that this process folds: what the readiness loop asks about them."""

import asyncio
from collections.abc import Callable, Mapping

from aiokafka import TopicPartition

from aggregator.positions import Positions
from ledger.state import Log
from metering.stop import Stop
from runtime.log_ends import LogEnd

ENDS_SECONDS = 10.0  # of asking for the logs' ends: the client itself would try for as long as a call may take


class PositionedShards:
    """The shards of this process, read off its positions."""

    def __init__(self, positions: Callable[[], Positions], topics: Mapping[Log, str], partitions: int) -> None:
        """`partitions` are the shards that accounts live in; an added one of the usage log has no accounts, no keys."""
        self._positions = positions
        self._topics = topics
        self._partitions = partitions

    def _places(self, shard: int) -> dict[Log, TopicPartition]:
        """Where a shard's logs are."""
        logs = self._topics if shard < self._partitions else (Log.USAGE,)
        return {log: TopicPartition(self._topics[log], shard) for log in logs}

    def shards(self) -> set[int]:
        """Shards whose every log is assigned, and positioned or stopped."""
        positions = self._positions()
        known = positions.applied.keys() | positions.stops.standing.keys()
        usage = {tp.partition for tp in known if tp.topic == self._topics[Log.USAGE]}
        return {shard for shard in usage if known >= set(self._places(shard).values())}

    def stops(self, shard: int) -> Mapping[Log, Stop]:
        """The shard's logs that are stopped."""
        standing = self._positions().stops.standing
        return {log: standing[tp] for log, tp in self._places(shard).items() if tp in standing}

    async def ends(self, shards: set[int]) -> Mapping[int, Mapping[Log, LogEnd]]:
        """Where every log of the shards ends, as of now."""
        asked = {place for shard in shards for place in self._places(shard).values()}
        try:
            ends = await asyncio.wait_for(self._ends(asked), ENDS_SECONDS)
        except TimeoutError:
            raise TimeoutError(f"Kafka did not say within {ENDS_SECONDS:g} s where its logs end") from None
        return {shard: {log: ends[place] for log, place in self._places(shard).items()} for shard in shards}

    async def _ends(self, tps: set[TopicPartition]) -> dict[TopicPartition, LogEnd]:
        """The high watermarks are asked for first: whatever is committed by then can be read when stable ends are."""
        broker = self._positions().broker
        high = await broker.high_watermarks(tps)
        stable = await broker.stable_ends(tps)
        return {tp: LogEnd(min(stable[tp], high[tp]), high[tp]) for tp in tps}

    def applied(self, shard: int) -> Mapping[Log, int]:
        """How far this process knows the shard's logs to be folded."""
        applied = self._positions().applied
        return {log: applied[tp] for log, tp in self._places(shard).items() if tp in applied}

    def resync(self, shard: int, log: Log, reason: str) -> None:
        """Finds a log's position again."""
        self._positions().resync(TopicPartition(self._topics[log], shard), reason)
