"""The servers of one part: its own topics, an empty Redis, a double; accounts with customers, and counted usage."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

from kafka import KafkaConsumer, TopicPartition
from redis import Redis

from bench.aggregator_process import CATCH_UP_SECONDS, ProcessCounters, running_aggregator
from bench.billing.double import Double, running_double
from bench.billing.usage import BilledUsage, publish_accounts, publish_usage
from bench.servers import PARTITIONS, Servers
from ledger.keys import ShardKeys
from local.servers.process import Command, ServerProcess
from runtime.kafka import sync_options
from runtime.settings import DOUBLE_API_KEY, KafkaSettings
from runtime.topics import TopicNames, create_topics

PUSH_INTERVAL_SECONDS = 2.0
WATCH_SECONDS = 0.05


@dataclass
class World:
    """The servers that workers use. `usage` knows the units that must be billed."""

    servers: Servers
    settings: KafkaSettings
    redis: Redis
    double: Double
    directory: Path
    usage: BilledUsage = field(default_factory=lambda: BilledUsage({}))

    def add_accounts(self, accounts: int) -> None:
        """Makes customers, and publishes their accounts."""
        names = [f"acct_{number:06d}" for number in range(accounts)]
        self.usage = BilledUsage(self.double.create_customers(names))
        publish_accounts(self.settings, self.usage.customers)

    def count(self, units: int, hours: int, seed: int, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Publishes usage, and returns once the aggregator has counted all of it. It must be running.

        `meanwhile` is called again and again until then.
        """
        publish_usage(self.settings, self.usage, units, hours, seed)
        counters = ProcessCounters(self.redis, PARTITIONS)
        counters.wait_ready()
        deadline = time.monotonic() + CATCH_UP_SECONDS
        while (counted := counters.now().counted) < self.usage.events:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{counted} of {self.usage.events} events counted after {CATCH_UP_SECONDS:g} s")
            meanwhile()
            time.sleep(WATCH_SECONDS)

    @contextmanager
    def aggregator(self) -> Iterator[None]:
        """Runs `python -m aggregator` while the context lasts."""
        with running_aggregator(self.servers, self.settings):
            yield

    def worker(self, number: int, **more: str) -> ServerProcess:
        """Returns a Stripe worker, not started yet; `more` are further variables."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("BILLING_")} | {
            "BILLING_KAFKA_BOOTSTRAP_SERVERS": self.servers.kafka,
            "BILLING_TOPIC_PREFIX": self.settings.topic_prefix,
            "BILLING_PARTITIONS": str(self.settings.partitions),
            "BILLING_REDIS_URL": self.servers.redis_url,
            "BILLING_NAMESPACE": "bench",
            "BILLING_PROCESS_NAME": f"stripe-sync-{number}",
            "BILLING_PUSH_INTERVAL_SECONDS": str(PUSH_INTERVAL_SECONDS),
            "BILLING_STRIPE_API_KEY": DOUBLE_API_KEY,
            "BILLING_STRIPE_API_BASE": self.double.url,
            **more,
        }
        log = self.directory / f"worker-{number}.log"
        return ServerProcess(f"Stripe worker {number}", Command([sys.executable, "-m", "stripe_sync"], log, env))

    def unbilled(self) -> int:
        """Returns the number of due buckets and of rows in flight."""
        keys = [ShardKeys("", number) for number in range(PARTITIONS)]
        return self._sum_of_lengths([name for each in keys for name in (each.due, each.in_flight)])

    def parked(self) -> int:
        """Returns the number of rows that wait for a person."""
        return self._sum_of_lengths([ShardKeys("", number).parked for number in range(PARTITIONS)])

    def appends(self) -> int:
        """Returns the number of records in the push log."""
        topic = TopicNames(self.settings.topic_prefix).pushes
        consumer = KafkaConsumer(**sync_options(self.settings))
        try:
            ends = consumer.end_offsets([TopicPartition(topic, number) for number in range(PARTITIONS)])
        finally:
            consumer.close()
        return sum(ends.values())

    def _sum_of_lengths(self, names: list[str]) -> int:
        pipeline = self.redis.pipeline(transaction=False)
        for name in names:
            pipeline.hlen(name)
        return sum(pipeline.execute())


@contextmanager
def new_world(servers: Servers, name: str) -> Iterator[World]:
    """Yields an empty world."""
    kafka = KafkaSettings(kafka_bootstrap_servers=servers.kafka, topic_prefix=f"{name}-", partitions=PARTITIONS)
    create_topics(kafka)
    directory = Path(mkdtemp(prefix=name, dir=servers.directory))
    with Redis.from_url(servers.redis_url) as redis, running_double(directory) as double:
        redis.flushall()
        yield World(servers, kafka, redis, double, directory)
