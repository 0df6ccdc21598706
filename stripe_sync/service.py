"""The Stripe worker's wiring."""

import asyncio
from contextlib import AsyncExitStack
from uuid import uuid4

from aiokafka import AIOKafkaProducer

from ledger.redis_store import RedisStore
from ledger.shard import Ledger
from runtime.clock import Clock, SystemClock
from runtime.kafka import async_options
from runtime.monitor import Pulse
from runtime.redis import check_server, connect
from runtime.topics import TopicNames
from stripe_sync.group import group_consumer, until_stopped
from stripe_sync.log import KafkaPushLog
from stripe_sync.ownership import Ownership
from stripe_sync.planner import Pace
from stripe_sync.rate import RateShare
from stripe_sync.sender import Sender, StripeSide
from stripe_sync.settings import StripeSyncSettings
from stripe_sync.shard_worker import ShardWorker
from stripe_sync.start_check import checked_meters, stripe_identity
from stripe_sync.stripe_client import SingleTransport, make_client
from stripe_sync.summaries import StripeSummaries
from stripe_sync.tasks import end_tasks

IDLE_BEAT_SECONDS = 5.0
APPEND_TIMEOUT_MS = 30_000


async def serve(settings: StripeSyncSettings, stop: asyncio.Event, pulse: Pulse) -> None:
    """Works until `stop` is set; beats `pulse` while it gets on.

    Raises:
        StripeStoppedError, WrongStripeError: a person must mend the set-up first.
        Exception: whatever else ended it; the supervisor starts another.
    """
    clock, client = SystemClock(), make_client(settings)
    identity, meter_ids = await stripe_identity(client, settings), await checked_meters(client)
    topic = TopicNames(settings.topic_prefix).pushes
    async with AsyncExitStack() as closing:
        redis = connect(settings)
        closing.push_async_callback(redis.aclose)
        await check_server(redis)
        ledger = Ledger(RedisStore(redis), settings.redis_prefix, settings.partitions)
        producer, consumer = _producer(settings), group_consumer(settings)
        await producer.start()
        closing.push_async_callback(producer.stop)
        await consumer.start()
        closing.push_async_callback(consumer.stop)

        push_log = KafkaPushLog(topic, consumer, producer)
        rate = RateShare(settings.stripe_rate_limit, settings.partitions)
        pace = Pace(settings.push_interval_seconds, settings.finalization_grace_seconds)
        stripe_side = StripeSide(SingleTransport(client), StripeSummaries(client, meter_ids))
        sender = Sender(stripe_side, clock, grace=pace.grace, admit=rate.admit)

        def make_worker(shard: int) -> ShardWorker:
            push_log.forget(shard)
            return ShardWorker(
                ledger.shard(shard),
                push_log,
                sender,
                identity,
                pace=pace,
                clock=clock,
                make_incarnation=lambda: uuid4().hex,
                beat=pulse.beat,
            )

        ownership = Ownership(make_worker, lambda owned, _: rate.own(len(owned)), clock)
        closing.push_async_callback(ownership.release_all)
        consumer.subscribe([topic], listener=ownership)
        standing_by = asyncio.create_task(_beat_while_idle(ownership, pulse, clock))
        closing.push_async_callback(end_tasks, [standing_by])
        await until_stopped(stop, ownership.failed)


async def _beat_while_idle(ownership: Ownership, pulse: Pulse, clock: Clock) -> None:
    """A standby is alive too, although no shard beats for it."""
    while True:
        if ownership.idle:
            pulse.beat()
        await clock.sleep(IDLE_BEAT_SECONDS)


def _producer(settings: StripeSyncSettings) -> AIOKafkaProducer:
    return AIOKafkaProducer(
        acks="all", enable_idempotence=True, request_timeout_ms=APPEND_TIMEOUT_MS, **async_options(settings)
    )
