"""The Stripe worker's wiring."""

import asyncio
from contextlib import AsyncExitStack
from uuid import uuid4

from aiokafka import AIOKafkaProducer
from prometheus_client import CollectorRegistry

from ledger.redis_store import RedisStore
from ledger.shard import Ledger
from runtime.clock import Clock, SystemClock
from runtime.kafka import async_options
from runtime.monitor import Pulse
from runtime.redis import check_server, connect
from runtime.topics import TopicNames
from stripe_sync.claims import Claims, ClaimsReader
from stripe_sync.comparing import Comparing
from stripe_sync.group import group_consumer, until_stopped
from stripe_sync.hourly import Accompanied
from stripe_sync.log import KafkaPushLog
from stripe_sync.metrics import StripeSyncMetrics
from stripe_sync.ownership import Ownership
from stripe_sync.pace import Pace, most_in_flight
from stripe_sync.rate import RateShare
from stripe_sync.reissuer import Reissuer
from stripe_sync.sender import Sender, StripeSide
from stripe_sync.settings import StripeSyncSettings
from stripe_sync.shard_worker import ShardWorker, Surroundings
from stripe_sync.start_check import checked_meters, stripe_identity
from stripe_sync.stripe_client import worker_client
from stripe_sync.summaries import StripeSummaries
from stripe_sync.tasks import end_tasks
from stripe_sync.transport_choice import chosen_transport

IDLE_BEAT_SECONDS = 5.0
APPEND_TIMEOUT_MS = 30_000


async def serve(settings: StripeSyncSettings, stop: asyncio.Event, pulse: Pulse, registry: CollectorRegistry) -> None:
    """Works until `stop` is set; beats `pulse` while it gets on, and tells `registry` how.

    Raises:
        StripeStoppedError, WrongStripeError: a person must mend the set-up first.
        Exception: whatever else ended it; the supervisor starts another.
    """
    clock, topics, claims = SystemClock(), TopicNames(settings.topic_prefix), Claims(settings.partitions)
    async with AsyncExitStack() as closing:
        client = await closing.enter_async_context(worker_client(settings))
        identity, meter_ids = await stripe_identity(client, settings), await checked_meters(client)
        transport = await chosen_transport(settings, client, clock)
        redis = connect(settings)
        closing.push_async_callback(redis.aclose)
        await check_server(redis)
        ledger = Ledger(RedisStore(redis), settings.redis_prefix, settings.partitions)
        producer, consumer = _producer(settings), group_consumer(settings)
        for kafka_client in (producer, consumer):
            await kafka_client.start()
            closing.push_async_callback(kafka_client.stop)
        claims_reader = ClaimsReader(topics.accounts, settings, claims)
        closing.push_async_callback(claims_reader.stop)
        await claims_reader.start()

        push_log = KafkaPushLog(topics.pushes, consumer, producer, clock)
        metrics = StripeSyncMetrics(registry, clock, settings.alarm_distances, lambda: push_log.skew_seconds)
        metrics.watch_disputes(lambda: len(claims.disputed()))
        comparing = Comparing(settings, topics.pushes, redis, clock, metrics.compared)
        closing.push_async_callback(comparing.stop)
        await comparing.start()
        rate = RateShare(settings.stripe_rate_limit, settings.partitions)
        admit = metrics.timed(rate.admit)
        most = most_in_flight(settings.stripe_rate_limit / settings.partitions)
        pace = Pace(settings.push_interval_seconds, settings.finalization_grace_seconds, most)
        summaries = StripeSummaries(client, meter_ids)
        lanes = settings.stripe_transport == "single"
        stripe_side = StripeSide(transport, summaries)
        sender = Sender(stripe_side, clock, grace=pace.grace, admit=admit, called=metrics.called, lanes=lanes)
        surroundings = Surroundings(claims.is_sole, metrics.shard, pulse.beat)

        def make_worker(number: int) -> Accompanied:
            push_log.forget(number)
            shard = ledger.shard(number)
            worker = ShardWorker(
                shard,
                push_log,
                sender,
                identity,
                pace=pace,
                clock=clock,
                make_incarnation=lambda: uuid4().hex,
                reissuer=Reissuer(shard, identity, summaries, clock, grace=pace.grace, admit=admit),
                surroundings=surroundings,
            )
            return Accompanied(worker, comparing.beside(shard, summaries, meter_ids))

        def released(owned: set[int], given_up: set[int]) -> None:
            rate.own(len(owned))
            comparing.own(len(owned))
            metrics.release(given_up)

        ownership = Ownership(make_worker, released, clock)
        closing.push_async_callback(ownership.release_all)
        consumer.subscribe([topics.pushes], listener=ownership)
        standing_by: asyncio.Task[object] = asyncio.create_task(_beat_while_idle(ownership, pulse, clock))
        reading_claims: asyncio.Task[object] = asyncio.create_task(claims_reader.run())
        closing.push_async_callback(end_tasks, [standing_by, reading_claims])
        await until_stopped(stop, ownership.failed, standing_by, reading_claims)


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
