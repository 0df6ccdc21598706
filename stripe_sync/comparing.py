"""What the comparisons of a process share: a reader of the push log, a rate of questions, and whose turn it is."""

import asyncio
from collections.abc import Callable, Mapping

from aiokafka import AIOKafkaConsumer
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster

from ledger.shard import Shard
from runtime.clock import Clock
from runtime.kafka import async_options
from runtime.settings import KafkaSettings
from stripe_sync.hourly import Hourly
from stripe_sync.lane_comparison import LaneComparison
from stripe_sync.push_history import KafkaPushHistory
from stripe_sync.rate import RateShare
from stripe_sync.shard_comparison import Findings, ShardComparison
from stripe_sync.summaries import StripeSummaries

QUESTIONS_PER_SECOND = 20.0  # of the whole platform: a fifth of what Stripe takes of a live key, less than a sandbox's


class Comparing:
    """Makes what runs beside each shard's worker."""

    def __init__(
        self,
        settings: KafkaSettings,
        topic: str,
        redis: "Redis | RedisCluster",
        clock: Clock,
        compared: Callable[[int, int | None], None],
    ) -> None:
        """`compared` is told how many units a shard lacks at Stripe, or None if that could not be found out."""
        self._consumer = AIOKafkaConsumer(
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            **async_options(settings),
        )
        self._history = KafkaPushHistory(topic, self._consumer)
        self._rate = RateShare(QUESTIONS_PER_SECOND, settings.partitions)
        self._redis = redis
        self._clock = clock
        self._compared = compared
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Connects the reader of the push log."""
        await self._consumer.start()

    async def stop(self) -> None:
        """Disconnects it."""
        await self._consumer.stop()

    def own(self, shards: int) -> None:
        """Takes the share of so many shards of the rate."""
        self._rate.own(shards)

    def beside(self, shard: Shard, summaries: StripeSummaries, meter_ids: Mapping[str, str]) -> Hourly:
        """The comparison of one shard."""
        lanes = LaneComparison(summaries, self._rate.admit)
        comparison = ShardComparison(shard, self._redis, self._history, lanes, self._clock)
        return Hourly(shard, comparison, meter_ids, self._clock, self._turn, self._report)

    def _report(self, shard: int, findings: Findings | None) -> None:
        self._compared(shard, None if findings is None else sum(each.missing for each in findings.missing))
