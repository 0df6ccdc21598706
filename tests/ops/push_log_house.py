"""One shard with a push log on Kafka whose past the test writes, its fold, and a Stripe double."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import stripe
from aiokafka import TopicPartition as AsyncTopicPartition
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from redis.asyncio import Redis
from typer.testing import CliRunner, Result

from ledger.redis_store import RedisStore
from ledger.shard import Ledger, Shard
from ledger.state import Log, read_state
from metering.account import Account
from metering.outcome import ParkReason
from metering.push_log import Prepared, PushRecord, Settled, Settlement, StripeIdentity, encode
from metering.rfc3339 import from_unix
from metering.row import Row
from ops.cli import app
from runtime.async_consumer import AsyncConsumer
from runtime.clock import SystemClock
from runtime.topics import TopicNames
from stripe_sync.process.fold_only import FoldOnlyWorker
from stripe_sync.push_log.folder import PushFolder
from stripe_sync.push_log.log import KafkaPushLog
from stripe_sync.tasks import end_tasks
from tests.ledger_push.counts import HOUR, Counts
from tests.stripe_double.served import client_of

IDENTITY = StripeIdentity(namespace="tests", account="acct_double", livemode=False)
NOW = int(time.time())
ANCHOR = NOW // HOUR * HOUR - 10 * 24 * HOUR  # the period has begun, and does not end while tests run
LONG_AGO = 6.0  # hours


@dataclass
class PushLogHouse:
    """The shard, its logs and the double. `env` is the environment of the commands."""

    env: dict[str, str]
    shard: Shard
    redis: Redis
    producer: KafkaProducer
    topic: str
    stripe: stripe.StripeClient
    customers: dict[str, str] = field(default_factory=dict)
    _written: int = 0
    _hours: "count[int]" = field(default_factory=lambda: count(8))

    async def accounts(self, *names: str) -> None:
        """Accounts with a customer each, and a hundred units in all hours that rows are made of."""
        counts = Counts(self.shard, lambda: int(time.time() * 1000))
        for name in names:
            self.customers[name] = (await asyncio.to_thread(self.stripe.v1.customers.create)).id
            counts.map(name, Account(customer=self.customers[name], anchor=ANCHOR))
            for hours in range(7, 20):
                counts.use(name, "sms.send", 100, self._start(hours))
            await asyncio.to_thread(self.claim, name, self.customers[name])
        await counts.fold()

    def claim(self, account: str, customer: str) -> None:
        """The account's record in the accounts log, which no shard of this house folds."""
        value = Account(customer=customer, anchor=ANCHOR).to_json()
        accounts = TopicNames(self.env["BILLING_TOPIC_PREFIX"]).accounts
        self.producer.send(accounts, value, account.encode(), partition=0).get(10)

    def row(self, account: str = "acme", units: int = 100, customer: str | None = None) -> Row:
        """A row of a bucket of its own."""
        start = self._start(next(self._hours))
        return Row(
            account=account,
            meter="sms.send",
            hour=start // HOUR,
            start=0,
            end=units,
            customer=customer or self.customers[account],
            timestamp=start,
        )

    @staticmethod
    def _start(hours_ago: int) -> int:
        return (NOW // HOUR - hours_ago) * HOUR

    def write(self, record: PushRecord, hours_ago: float = LONG_AGO) -> None:
        """Appends a record at a moment of the past."""
        moment = int((time.time() - hours_ago * HOUR) * 1000)
        sent = self.producer.send(self.topic, encode(record), partition=0, timestamp_ms=moment).get(10)
        self._written = max(self._written, sent.offset + 1)

    def prepare(self, rows: Sequence[Row], hours_ago: float = LONG_AGO) -> list[str]:
        """Writes rows in flight. Returns their identifiers."""
        self.write(Prepared(identity=IDENTITY, usage_fence=0, rows=tuple(rows)), hours_ago)
        return [row.identifier(IDENTITY.namespace) for row in rows]

    def deliver(self, row: Row, hours_ago: float = LONG_AGO) -> str:
        """Writes a delivered row. Returns its identifier."""
        (identifier,) = self.prepare([row], hours_ago)
        self.write(Settled(settlements=(Settlement(identifier=identifier),)), hours_ago)
        return identifier

    def park(self, row: Row, reason: ParkReason = ParkReason.REFUSED, hours_ago: float = LONG_AGO) -> str:
        """Writes a parked row. Returns its identifier."""
        (identifier,) = self.prepare([row], hours_ago)
        parked = Settlement(identifier=identifier, parked=reason, detail="no code: something\nwas wrong")
        self.write(Settled(settlements=(parked,)), hours_ago)
        return identifier

    async def tell_stripe(self, row: Row) -> None:
        """Makes Stripe accept the row."""
        await asyncio.to_thread(
            self.stripe.v2.billing.meter_events.create,
            {
                "event_name": row.meter,
                "identifier": row.identifier(IDENTITY.namespace),
                "payload": {"stripe_customer_id": row.customer, "value": str(row.value)},
                "timestamp": from_unix(row.timestamp),
            },
        )

    async def is_folded(self) -> bool:
        """Returns whether Redis has all of the push log."""
        state = await read_state(self.shard)
        return state.fences.get(Log.PUSHES, 0) >= self._written

    def last_record(self) -> Any:
        """The push log's last record, once one is there."""
        place = TopicPartition(self.topic, 0)
        consumer = KafkaConsumer(bootstrap_servers=self.env["BILLING_KAFKA_BOOTSTRAP_SERVERS"])
        consumer.assign([place])
        consumer.seek(place, consumer.end_offsets([place])[place] - 1)
        (record,) = consumer.poll(timeout_ms=10_000)[place]
        consumer.close()
        return json.loads(record.value)

    async def billing(self, *arguments: str) -> Result:
        """Runs the command in this process."""
        done = await asyncio.to_thread(CliRunner(env=self.env).invoke, app, ["stripe", *arguments])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done


@asynccontextmanager
async def a_house(
    kafka: str, admin: KafkaAdminClient, topic_prefix: str, redis: tuple[str, str], stripe_url: str
) -> AsyncIterator[PushLogHouse]:
    """A house with the accounts `acme` and `beta`, whose push log is being folded. `redis`: URL and prefix."""
    url, prefix = redis
    names = TopicNames(topic_prefix)
    topic = names.pushes
    written = {"message.timestamp.type": "CreateTime"}  # so that the past can be written
    admin.create_topics(
        [
            NewTopic(topic, num_partitions=1, replication_factor=1, topic_configs=written),
            *(NewTopic(name, num_partitions=1, replication_factor=1) for name in (names.accounts, names.quarantine)),
        ]
    )
    env = {
        "BILLING_KAFKA_BOOTSTRAP_SERVERS": kafka,
        "BILLING_TOPIC_PREFIX": topic_prefix,
        "BILLING_PARTITIONS": "1",
        "BILLING_REDIS_URL": url,
        "BILLING_REDIS_PREFIX": prefix,
        "BILLING_STRIPE_API_KEY": "sk_test_double",
        "BILLING_STRIPE_API_BASE": stripe_url,
    }
    producer = KafkaProducer(bootstrap_servers=kafka, acks="all")
    async with Redis.from_url(url) as client:
        shard = Ledger(RedisStore(client), prefix, 1).shard(0)
        house = PushLogHouse(env, shard, client, producer, topic, client_of(stripe_url))
        await house.accounts("acme", "beta")
        async with _folding(kafka, topic, shard):
            yield house
    producer.close()


@asynccontextmanager
async def _folding(kafka: str, topic: str, shard: Shard) -> AsyncIterator[None]:
    consumer = AsyncConsumer(bootstrap_servers=kafka, enable_auto_commit=False, auto_offset_reset="none")
    await consumer.start()
    consumer.assign([AsyncTopicPartition(topic, 0)])
    clock = SystemClock()
    folder = PushFolder(shard, KafkaPushLog(topic, consumer, producer=None), clock, lambda: "house")
    folding = asyncio.create_task(FoldOnlyWorker(folder, clock, lambda: None).run())
    try:
        yield
        assert not folding.done(), folding
    finally:
        await end_tasks([folding])
        await consumer.stop()
