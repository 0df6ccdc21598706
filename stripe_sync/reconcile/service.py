"""What the comparisons of a process share: a reader of the push log, a rate of questions, and whose turn it is."""

import asyncio
from collections.abc import Callable

import stripe

from ledger.shard import Shard
from runtime.async_consumer import AsyncConsumer
from runtime.clock import Clock
from runtime.kafka import async_options
from runtime.settings import KafkaSettings
from stripe_sync.push_log.history import KafkaPushHistory
from stripe_sync.reconcile.coverage import Coverage
from stripe_sync.reconcile.hourly import Hourly
from stripe_sync.reconcile.lane import LaneComparison
from stripe_sync.reconcile.shard import Findings, ShardComparison
from stripe_sync.stripe_api.meter_ids import ListedMeterIds
from stripe_sync.stripe_api.rate import RateShare
from stripe_sync.stripe_api.stripe_time import ClockFault, no_fault
from stripe_sync.stripe_api.subscriptions import StripeSubscriptions
from stripe_sync.stripe_api.summaries import StripeSummaries

QUESTIONS_PER_SECOND = 20.0  # of the whole platform: a fifth of what Stripe takes of a live key, less than a sandbox's


class Comparing:
    """Makes what runs beside each shard's worker."""

    def __init__(
        self,
        settings: KafkaSettings,
        topic: str,
        clock: Clock,
        compared: Callable[[int, Findings | str], None],
        clock_fault: ClockFault = no_fault,
    ) -> None:
        """`compared` is told what was found of a shard, or why that could not be found out."""
        self._clock_fault = clock_fault
        self._consumer = AsyncConsumer(
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            **async_options(settings),
        )
        self._history = KafkaPushHistory(topic, self._consumer)
        self._rate = RateShare(QUESTIONS_PER_SECOND, settings.partitions)
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

    def beside(self, shard: Shard, client: stripe.StripeClient, meter_ids: ListedMeterIds) -> Hourly:
        """The comparison of one shard."""
        summaries = StripeSummaries(client, meter_ids)
        lanes = LaneComparison(summaries, self._rate.admit)
        coverage = Coverage(StripeSubscriptions(client, self._rate.admit), meter_ids, self._clock)
        comparison = ShardComparison(shard, self._history, lanes, self._clock, coverage)
        return Hourly(shard, comparison, meter_ids.name_of, self._clock, self._turn, self._compared, self._clock_fault)
