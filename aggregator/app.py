"""The aggregator's wiring: Faust around the folds."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import Any, cast
from uuid import uuid4

import faust
from aiokafka import AIOKafkaProducer
from faust.types import TP
from yarl import URL

from aggregator.consumer import BatchConsumer, BatchTransport
from aggregator.dispatch import Dispatcher
from aggregator.fetch_thread import PartitionBatch
from aggregator.fold import Fold
from aggregator.liveness import Liveness
from aggregator.metrics import AggregatorMetrics
from aggregator.publisher import KafkaPublisher, SilentPublisher
from aggregator.readiness import FOLDED_LOGS, ReadinessLoop
from aggregator.retrying import RETRIABLE
from aggregator.settings import AggregatorSettings
from aggregator.table_fold import TableFold
from aggregator.usage_fold import UsageFold, UsageTopics
from ledger.redis_store import RedisStore
from ledger.shard import Ledger
from ledger.state import Log
from runtime.kafka import async_options, ssl_context
from runtime.redis import connect
from runtime.topics import DEAD_LETTER_MAX_BYTES, TopicNames

BATCH_RECORDS = 10_000  # larger ones cost less an event, but hold up the event loop and Redis for longer
FETCH_BYTES = 4 * 1024 * 1024
QUEUED_BATCHES = 2
SESSION_SECONDS = 10.0  # a static member that was killed rejoins at once; one that stays away loses its shards
COMMIT_SECONDS = 5.0
ENDS_SECONDS = 10.0  # of asking for the logs' ends: the client itself would try for as long as a call may take
STOP_SECONDS = 10.0  # folds in flight end, the group is left, what is buffered is sent: usually one or two
REQUEST_SECONDS = 30.0  # of one call to Kafka; longer than a rebalance, whose answer may take as long as that


class AggregatorApp(faust.App):
    """A Faust app whose agent folds partition batches. Everything it needs is made in `create_app`."""

    publisher: KafkaPublisher | SilentPublisher
    leave_at_once: Callable[[], None] | None = None

    async def stop(self) -> None:
        """Leaves in order; but a server that is away must not hold that up for ever: after a while, at once."""
        if self.leave_at_once is not None:
            timer = threading.Timer(STOP_SECONDS, self.leave_at_once)
            timer.daemon = True
            timer.start()
        await super().stop()

    async def on_start(self) -> None:
        """Opens what the folds write with, before anything is read."""
        await self.publisher.start()
        await super().on_start()

    def _create_directories(self) -> None:
        """Faust's place for tables: there are none, and nothing is left on the disk."""

    async def on_stop(self) -> None:
        """Closes it once folds in flight have ended."""
        await super().on_stop()
        await self.publisher.stop()


class FaustShards:
    """The owned shards, read off Faust's consumer."""

    def __init__(self, app: faust.App, topics: Mapping[Log, str]) -> None:
        self._app = app
        self._topics = topics

    def _consumer(self) -> BatchConsumer:
        return cast("BatchConsumer", self._app.consumer)

    def shards(self) -> set[int]:
        """Shards whose every log is assigned and positioned."""
        applied = set(self._consumer().applied)
        return {
            tp.partition
            for tp in applied
            if tp.topic == self._topics[Log.USAGE]
            and all(TP(topic, tp.partition) in applied for topic in self._topics.values())
        }

    async def ends(self, shards: set[int]) -> Mapping[int, Mapping[Log, int]]:
        """The last stable offsets of every log of the shards, as of now."""
        asked = [TP(topic, shard) for topic in self._topics.values() for shard in shards]
        try:
            ends = await asyncio.wait_for(self._consumer().highwaters(*asked), ENDS_SECONDS)
        except TimeoutError:
            raise TimeoutError(f"Kafka did not say within {ENDS_SECONDS:g} s where its logs end") from None
        return {shard: {log: ends[TP(topic, shard)] for log, topic in self._topics.items()} for shard in shards}

    def applied(self, shard: int) -> Mapping[Log, int]:
        """How far this process knows the shard's logs to be folded."""
        applied = self._consumer().applied
        places = {log: TP(topic, shard) for log, topic in self._topics.items()}
        return {log: applied[tp] for log, tp in places.items() if tp in applied}

    def resync(self, shard: int, log: Log, reason: str) -> None:
        """Finds a log's position again."""
        self._consumer().resync(TP(self._topics[log], shard), reason)


def create_app(settings: AggregatorSettings, liveness: Liveness, metrics: AggregatorMetrics) -> AggregatorApp:
    """The whole aggregator, ready to be run by a Faust worker; it tells `liveness` how it gets on."""
    names = TopicNames(settings.topic_prefix)
    topics = dict(zip(FOLDED_LOGS, (names.usage, names.accounts, names.api_keys), strict=True))
    ledger = Ledger(RedisStore(connect(settings)), settings.redis_prefix, settings.partitions)
    app = _faust_app(settings)
    app.publisher = SilentPublisher() if settings.fold_only else KafkaPublisher(lambda: _producer(settings))

    def make_fold(tp: TP) -> Fold:
        metrics.positioned()
        shard = ledger.shard(tp.partition)
        if tp.topic == names.usage:
            usage = UsageTopics(names.usage, names.dead_letters)
            return UsageFold(
                shard,
                usage,
                settings.partitions,
                app.publisher,
                _incarnation,
                stop_ratio=settings.reject_stop_ratio,
                folded=metrics.folded,
            )
        log = next(log for log, topic in topics.items() if topic == tp.topic)
        table = (tp.topic, names.dead_letters)
        rejected = metrics.table_rejected
        return TableFold(shard, log, table, settings.partitions, app.publisher, _incarnation, rejected)

    dispatcher = Dispatcher(
        make_fold,
        positions=lambda: cast("BatchConsumer", app.consumer),
        stop=lambda error: _crash(app, error),
        give_up_seconds=settings.give_up_seconds,
    )
    batches = app.channel(maxsize=QUEUED_BATCHES)
    transport = cast("BatchTransport", app.transport)
    transport.sink = lambda batch: batches.put(cast("Any", batch))
    transport.open_fold = dispatcher.open
    transport.compacted = {names.accounts, names.api_keys}
    transport.give_up_seconds = settings.give_up_seconds
    for topic in topics.values():
        app.topics.add(app.topic(topic))  # subscribes, without a stream of single messages

    @app.agent(batches, name="count")
    async def count(stream: faust.StreamT[PartitionBatch]) -> None:
        async for batch in stream:
            await dispatcher.take(batch)

    @app.task  # type: ignore[untyped-decorator]
    async def keep_ready() -> None:
        loop = ReadinessLoop(FaustShards(app, topics), ledger.shard, beat=liveness.beat, watches=(metrics, liveness))
        await loop.run(RETRIABLE, settings.give_up_seconds)

    @app.timer(COMMIT_SECONDS)  # type: ignore[untyped-decorator]
    async def report_position() -> None:
        await cast("BatchConsumer", app.consumer).commit()

    return app


def _faust_app(settings: AggregatorSettings) -> AggregatorApp:
    broker = [URL(f"kafka://{server}") for server in settings.kafka_bootstrap_servers.split(",")]
    app = AggregatorApp(
        f"{settings.topic_prefix}{settings.redis_prefix}aggregator",
        broker=broker,
        broker_credentials=_credentials(settings),
        consumer_group_instance_id=settings.process_name or None,
        version=1,
        topic_disable_leader=True,
        topic_allow_declare=False,
        table_standby_replicas=0,
        web_enabled=False,
        broker_max_poll_records=BATCH_RECORDS,
        consumer_max_fetch_size=FETCH_BYTES,
        broker_session_timeout=SESSION_SECONDS,
        broker_heartbeat_interval=2.0,
        broker_request_timeout=REQUEST_SECONDS,
        broker_rebalance_timeout=20.0,
        stream_wait_empty=True,
        stream_recovery_delay=0.0,
    )
    transport = BatchTransport(broker, app)
    transport.client_options = async_options(settings)
    app.transport = transport
    return app


def _credentials(settings: AggregatorSettings) -> Any:
    context = ssl_context(settings)
    if settings.kafka_security_protocol.startswith("SASL"):
        return faust.SASLCredentials(
            username=settings.kafka_sasl_username,
            password=settings.kafka_sasl_password.get_secret_value(),
            ssl_context=context,
            mechanism=settings.kafka_sasl_mechanism,
        )
    return faust.SSLCredentials(context) if context else None


def _producer(settings: AggregatorSettings) -> AIOKafkaProducer:
    return AIOKafkaProducer(
        acks="all",
        enable_idempotence=True,
        max_request_size=DEAD_LETTER_MAX_BYTES,
        linger_ms=5,
        **async_options(settings),
    )


def _crash(app: faust.App, error: BaseException) -> None:
    app.add_future(app.crash(error))


def _incarnation() -> str:
    return uuid4().hex
