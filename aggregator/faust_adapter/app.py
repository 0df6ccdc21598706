"""The aggregator's wiring: Faust around the folds."""

import threading
from collections.abc import Callable
from typing import Any, cast

import faust
from aiokafka import AIOKafkaProducer, TopicPartition
from yarl import URL

from aggregator.dispatch import Dispatcher
from aggregator.faust_adapter.consumer import BatchConsumer, BatchTransport
from aggregator.folds.maker import FoldMaker
from aggregator.liveness import Liveness
from aggregator.metrics import AggregatorMetrics
from aggregator.notices import POST_SECONDS, AggregatorNotices
from aggregator.order_reader import OrderReader
from aggregator.owned_shards import PositionedShards
from aggregator.partition_batch import PartitionBatch
from aggregator.positions import Positions
from aggregator.publisher import KafkaPublisher, SilentPublisher
from aggregator.readiness import FOLDED_LOGS, ReadinessLoop
from aggregator.settings import AggregatorSettings
from aggregator.stops import TRY_SECONDS, Stops
from ledger.redis_store import RedisStore
from ledger.shard import Ledger
from metering.quarantine import OrderKey, QuarantineOrders
from runtime.kafka import async_options, ssl_context
from runtime.redis import connect
from runtime.retrying import RETRIABLE
from runtime.topics import DEAD_LETTER_MAX_BYTES, TopicNames

BATCH_RECORDS = 10_000  # larger ones cost less an event, but hold up the event loop and Redis for longer
FETCH_BYTES = 4 * 1024 * 1024
QUEUED_BATCHES = 2
SESSION_SECONDS = 10.0  # a static member that was killed rejoins at once; one that stays away loses its shards
COMMIT_SECONDS = 5.0
STOP_SECONDS = 10.0  # folds in flight end, the group is left, what is buffered is sent: usually one or two
REQUEST_SECONDS = 30.0  # of one call to Kafka; longer than a rebalance, whose answer may take as long as that


class AggregatorApp(faust.App):
    """A Faust app whose agent folds partition batches. Everything it needs is made in `create_app`."""

    publisher: KafkaPublisher | SilentPublisher
    order_reader: OrderReader
    leave_at_once: Callable[[], None] | None = None

    async def stop(self) -> None:
        """Leaves in order; but a server that is away must not hold that up for ever: after a while, at once."""
        if self.leave_at_once is not None:
            timer = threading.Timer(STOP_SECONDS, self.leave_at_once)
            timer.daemon = True
            timer.start()
        await super().stop()

    async def on_start(self) -> None:
        """Opens what the folds write with, and learns what they must pass by, before anything is read."""
        await self.publisher.start()
        await self.order_reader.start()
        await super().on_start()

    def _create_directories(self) -> None:
        """Faust's place for tables: there are none, and nothing is left on the disk."""

    async def on_stop(self) -> None:
        """Closes it once folds in flight have ended."""
        await super().on_stop()
        await self.order_reader.stop()
        await self.publisher.stop()


def create_app(settings: AggregatorSettings, liveness: Liveness, metrics: AggregatorMetrics) -> AggregatorApp:
    """The whole aggregator, ready to be run by a Faust worker; it tells `liveness` how it gets on."""
    liveness.told = metrics.board.words
    names = TopicNames(settings.topic_prefix)
    topics = dict(zip(FOLDED_LOGS, (names.usage, names.accounts, names.api_keys), strict=True))
    ledger = Ledger(RedisStore(connect(settings)), settings.redis_prefix, settings.partitions)
    app = _faust_app(settings)
    app.publisher = SilentPublisher() if settings.fold_only else KafkaPublisher(lambda: _producer(settings))

    orders = QuarantineOrders()
    app.order_reader = OrderReader(names.quarantine, settings, orders, lambda order: _obey(app, order))
    dispatcher = Dispatcher(
        FoldMaker(names, ledger, app.publisher, metrics, orders).make,
        positions=lambda: _positions(app),
        stop=lambda error: _crash(app, error),
        give_up_seconds=settings.give_up_seconds,
    )
    batches = app.channel(maxsize=QUEUED_BATCHES)
    transport = cast("BatchTransport", app.transport)
    transport.sink = lambda batch: batches.put(cast("Any", batch))
    transport.make_positions = lambda broker: Positions(broker, dispatcher.open, Stops(), settings.give_up_seconds)
    transport.compacted = {names.accounts, names.api_keys}
    for topic in topics.values():
        app.topics.add(app.topic(topic))  # subscribes, without a stream of single messages

    @app.agent(batches, name="count")
    async def count(stream: faust.StreamT[PartitionBatch]) -> None:
        async for batch in stream:
            await dispatcher.take(batch)

    shards = PositionedShards(lambda: _positions(app), topics, settings.partitions)

    @app.task  # type: ignore[untyped-decorator]
    async def keep_ready() -> None:
        loop = ReadinessLoop(shards, ledger.shard, beat=liveness.beat, watches=(metrics, liveness))
        await loop.run(RETRIABLE, settings.give_up_seconds)

    notices = AggregatorNotices(ledger.shard, metrics.sources_rejected)

    @app.timer(POST_SECONDS)  # type: ignore[untyped-decorator]
    async def post_notices() -> None:
        await notices.post(shards.shards())

    @app.timer(COMMIT_SECONDS)  # type: ignore[untyped-decorator]
    async def report_position() -> None:
        await _positions(app).commit()

    @app.task  # type: ignore[untyped-decorator]
    async def follow_orders() -> None:
        await app.order_reader.run()

    @app.timer(TRY_SECONDS)  # type: ignore[untyped-decorator]
    async def try_stopped() -> None:
        _positions(app).try_stopped()

    return app


def run(app: AggregatorApp) -> None:
    """Runs until a signal ends it, or a failure that nobody can go on after, which is raised."""
    worker = faust.Worker(app, quiet=True, redirect_stdouts=False, override_logging=False)
    worker.spinner = None  # it writes escape sequences into whatever the log is
    try:
        worker.execute_from_commandline()
    except SystemExit:
        if isinstance(worker.crash_reason, Exception):  # Faust has written how it came to that; who runs us says what
            raise worker.crash_reason from None
        raise


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
        enable_idempotence=False,  # a refused record would stop it: decision 0022
        max_request_size=DEAD_LETTER_MAX_BYTES,
        linger_ms=5,
        **async_options(settings),
    )


def _positions(app: faust.App) -> Positions:
    return cast("BatchConsumer", app.consumer).positions


def _crash(app: faust.App, error: BaseException) -> None:
    app.add_future(app.crash(error))


def _obey(app: faust.App, order: OrderKey) -> None:
    _positions(app).try_again(TopicPartition(order.topic, order.partition))
