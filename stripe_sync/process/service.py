"""The Stripe worker's wiring."""

import asyncio
from contextlib import AsyncExitStack
from typing import Protocol
from uuid import uuid4

from aiokafka import AIOKafkaProducer
from prometheus_client import CollectorRegistry

from ledger.redis_store import RedisStore
from ledger.shard import Ledger
from runtime.clock import SystemClock
from runtime.kafka import async_options
from runtime.monitor import Pulse
from runtime.redis import connect
from runtime.topics import TopicNames
from runtime.watchdog import Watchdog
from stripe_sync.process.group import group_consumer, until_stopped
from stripe_sync.process.metrics import StripeSyncMetrics
from stripe_sync.process.ownership import Ownership, beat_while_idle
from stripe_sync.process.telling import process_stops_are_told, shard_stopped
from stripe_sync.push_log.log import KafkaPushLog
from stripe_sync.reconcile.hourly import Accompanied
from stripe_sync.reconcile.service import Comparing
from stripe_sync.sending.sender import Sender, StripeSide
from stripe_sync.settings import StripeSyncSettings
from stripe_sync.shard.claims import Claims, ClaimsReader
from stripe_sync.shard.limits import Pace, most_in_flight
from stripe_sync.shard.reissuer import Reissuer
from stripe_sync.shard.worker import ShardWorker, Surroundings
from stripe_sync.stripe_api.client import worker_client
from stripe_sync.stripe_api.meter_ids import ListedMeterIds
from stripe_sync.stripe_api.rate import RateShare
from stripe_sync.stripe_api.start_check import answered, checked_meters, stripe_identity
from stripe_sync.stripe_api.stripe_time import StripeTime, clock_fault, keep_known
from stripe_sync.stripe_api.summaries import StripeSummaries
from stripe_sync.stripe_api.transport_choice import chosen_transport
from stripe_sync.tasks import end_tasks

APPEND_TIMEOUT_MS = 30_000


async def serve(settings: StripeSyncSettings, stop: asyncio.Event, pulse: Pulse, registry: CollectorRegistry) -> None:
    """Works until `stop` is set; beats `pulse` while it gets on, and tells `registry` how.

    Raises:
        StripeStoppedError, WrongStripeError: a person must mend the set-up first.
        Exception: whatever else ended it; the supervisor starts another.
    """
    clock, topics, claims = SystemClock(), TopicNames(settings.topic_prefix), Claims(settings.partitions)
    async with AsyncExitStack() as closing:
        redis = connect(settings)
        closing.push_async_callback(redis.aclose)
        ledger = Ledger(RedisStore(redis), settings.redis_prefix, settings.partitions)
        await closing.enter_async_context(process_stops_are_told(ledger))
        stripe_time = StripeTime(clock)
        client = await closing.enter_async_context(worker_client(settings, stripe_time.note))
        identity, meter_ids = await stripe_identity(client, settings), ListedMeterIds(client, clock)
        await checked_meters(client, settings.give_up_seconds)
        await answered(meter_ids.refresh, settings.give_up_seconds, clock)
        transport = await chosen_transport(settings, client, clock)
        producer, consumer = _producer(settings), group_consumer(settings)
        claims_reader = ClaimsReader(topics.accounts, settings, claims)
        await _start(closing, producer, consumer, claims_reader)

        push_log = KafkaPushLog(topics.pushes, consumer, producer, clock)

        def clock_off() -> str | None:
            return clock_fault(stripe_time.skew(), push_log.skew_seconds)

        metrics = StripeSyncMetrics(registry, clock, settings.alarm_distances, lambda: push_log.skew_seconds)
        metrics.watch(lambda: len(claims.disputed()), stripe_time.skew)
        pulse.told = metrics.board.words
        comparing = Comparing(settings, topics.pushes, clock, metrics.comparisons.compared, clock_off)
        await _start(closing, comparing)
        rate = RateShare(settings.stripe_rate_limit, settings.partitions)
        admit = metrics.timed(rate.admit)
        pace = _pace(settings)
        summaries = StripeSummaries(client, meter_ids)
        lanes = settings.stripe_transport == "single"
        stripe_side = StripeSide(transport, summaries, clock_off, claims.has_moved)
        sender = Sender(stripe_side, clock, grace=pace.grace, admit=admit, called=metrics.called, lanes=lanes)
        surroundings = Surroundings(claims.is_sole, metrics.shard, pulse.beat, clock_off)

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
                reissuer=Reissuer(
                    shard, identity, summaries, clock, grace=pace.grace, admit=admit, may_bill=claims.is_sole
                ),
                surroundings=surroundings,
            )
            return Accompanied(worker, comparing.beside(shard, client, meter_ids))

        def released(owned: set[int], given_up: set[int]) -> None:
            rate.own(len(owned))
            comparing.own(len(owned))
            metrics.release(given_up)

        stopped = shard_stopped(ledger, pulse.beat, metrics.board.tell)
        ownership = Ownership(make_worker, released, clock, stopped, give_up_seconds=settings.give_up_seconds)
        closing.push_async_callback(ownership.release_all)
        consumer.subscribe([topics.pushes], listener=ownership)
        standing_by: asyncio.Task[object] = asyncio.create_task(beat_while_idle(ownership, pulse.beat, clock))
        reading_claims: asyncio.Task[object] = asyncio.create_task(claims_reader.run())
        asking_time: asyncio.Task[object] = asyncio.create_task(
            keep_known(stripe_time, lambda: client.v1.billing.meters.list_async({"limit": 1}), clock)
        )
        closing.push_async_callback(end_tasks, [standing_by, reading_claims, asking_time])
        Watchdog(pulse).start()  # not before: Stripe may be slow to answer what is asked at the start
        await until_stopped(stop, ownership.failed, standing_by, reading_claims, asking_time)


def _pace(settings: StripeSyncSettings) -> Pace:
    return Pace(
        settings.push_interval_seconds,
        settings.finalization_grace_seconds,
        most_in_flight(settings.stripe_rate_limit / settings.partitions),
        settings.units_per_hour_alarm,
    )


class _Part(Protocol):
    async def start(self) -> None: ...

    async def stop(self) -> None: ...


async def _start(closing: AsyncExitStack, *parts: _Part) -> None:
    """Starts them in this order; each is stopped with `closing`, even if its start fails."""
    for part in parts:
        closing.push_async_callback(part.stop)
        await part.start()


def _producer(settings: StripeSyncSettings) -> AIOKafkaProducer:
    return AIOKafkaProducer(
        acks="all", enable_idempotence=True, request_timeout_ms=APPEND_TIMEOUT_MS, **async_options(settings)
    )
