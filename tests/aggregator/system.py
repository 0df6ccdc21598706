"""The real process on real servers: topics of its own, what is written to them, and what readers see."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import Producer
from kafka import KafkaConsumer, TopicPartition
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from aggregator.settings import AggregatorSettings
from ledger.reading import NotReadyError, find_account, read_usage
from ledger.redis_store import RedisStore
from ledger.shard import Ledger
from ledger.state import Conservation, read_state
from metering.meters import CATALOGUE
from metering.partition import partition_of
from metering.span import span_of
from runtime.topics import TopicNames, create_topics
from tests.support.eventually import eventually_async

PARTITIONS = 3
AGGREGATOR = (sys.executable, "-m", "aggregator")
CATCH_UP_SECONDS = 40.0
Totals = Counter[tuple[str, str]]


@dataclass
class Process:
    """`python -m aggregator`, its output in a file."""

    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def output(self) -> str:
        """Everything it has said so far."""
        return self.log.read_text(errors="replace")

    def send(self, number: signal.Signals) -> None:
        """Sends a signal."""
        self.popen.send_signal(number)

    def kill(self) -> None:
        """Ends it at once, without a last word."""
        self.popen.kill()
        self.popen.wait()

    async def exit_code(self, within_seconds: float = 30.0) -> int:
        """Waits until it ends by itself."""

        async def ended() -> bool:
            return self.popen.poll() is not None

        await eventually_async(ended, within_seconds, f"the end of the process that said {self.output[-2000:]}")
        return self.popen.returncode


@dataclass
class System:
    """Topics and keys of one test, the processes that it runs, and what readers may see."""

    settings: AggregatorSettings
    client: Redis
    directory: Path
    processes: list[Process] = field(default_factory=list)

    @property
    def names(self) -> TopicNames:
        """The topics."""
        return TopicNames(self.settings.topic_prefix)

    @property
    def ledger(self) -> Ledger:
        """The folded state."""
        return Ledger(RedisStore(self.client), self.settings.redis_prefix, PARTITIONS)

    def start(self, name: str = "", command: Sequence[str] = AGGREGATOR, **settings: object) -> Process:
        """Starts an aggregator; a name makes it a static member. Settings beyond those of the system are given."""
        log = self.directory / f"aggregator-{len(self.processes)}.log"
        env = {key: value for key, value in os.environ.items() if not key.startswith("BILLING_")} | self.env()
        env |= {"BILLING_PROCESS_NAME": name} | {
            f"BILLING_{key.upper()}": str(value) for key, value in settings.items()
        }
        with log.open("wb") as output:
            popen = subprocess.Popen(command, env=env, stdout=output, stderr=output)
        self.processes.append(Process(popen, log))
        return self.processes[-1]

    def env(self) -> dict[str, str]:
        """What a process or a command is told of the system."""
        return {
            "BILLING_KAFKA_BOOTSTRAP_SERVERS": self.settings.kafka_bootstrap_servers,
            "BILLING_TOPIC_PREFIX": self.settings.topic_prefix,
            "BILLING_PARTITIONS": str(PARTITIONS),
            "BILLING_REDIS_URL": self.settings.redis_url,
            "BILLING_REDIS_PREFIX": self.settings.redis_prefix,
        }

    def producer(self, **options: object) -> Producer:
        """A librdkafka producer; its default partitioner is not Kafka's own."""
        return Producer({"bootstrap.servers": self.settings.kafka_bootstrap_servers, "linger.ms": 5, **options})

    async def visible(self, account: str) -> Totals | None:
        """What a reader sees of an account over all hours, None while its shard is not ready."""
        shard = self.ledger.shard(partition_of(account, PARTITIONS))
        try:
            record = await find_account(shard, account)
            hour = int(time.time()) // 3600
            totals = await read_usage(shard, account, record, span_of(range(hour - 40 * 24, hour + 2)))
        except NotReadyError:
            return None
        return Counter({(account, m.name): u for m, u in zip(CATALOGUE, totals.units, strict=True) if u})

    async def seen(self, accounts: Sequence[str]) -> Totals | None:
        """All of them, None if any can't be seen."""
        found: Totals = Counter()
        for account in accounts:
            totals = await self.visible(account)
            if totals is None:
                return None
            found += totals
        return found

    async def shows(self, expected: Totals) -> None:
        """Waits until readers see exactly this."""
        accounts = sorted({account for account, _ in expected})

        async def exact() -> bool:
            seen = await self.seen(accounts)
            assert seen is not None, f"not ready; {self.said()}"
            assert sum(seen.values()) == sum(expected.values()), self.said()
            assert seen == expected
            return True

        await eventually_async(exact, CATCH_UP_SECONDS)

    async def progress(self, units: int) -> None:
        """Waits until so many units are counted, whoever may see them."""

        async def enough() -> bool:
            return (await self.conservation()).counted >= units

        await eventually_async(enough, CATCH_UP_SECONDS, f"progress; {self.said()}")

    async def conservation(self) -> Conservation:
        """The fates of all records of all shards; each shard's equation holds."""
        sums: Counter[str] = Counter()
        for number in range(PARTITIONS):
            fates = (await read_state(self.ledger.shard(number))).conservation
            assert fates.balanced, fates
            sums.update({name: getattr(fates, name) for name in Conservation.__slots__})
        return Conservation(**{name: sums[name] for name in Conservation.__slots__})

    def dead_letters(self) -> dict[tuple[bytes, bytes, bytes], dict[str, bytes | None]]:
        """The headers of the dead letters, by origin; with the value under an empty name."""
        consumer = KafkaConsumer(
            bootstrap_servers=self.settings.kafka_bootstrap_servers, group_id=None, enable_auto_commit=False
        )
        try:
            places = [TopicPartition(self.names.dead_letters, 0)]
            consumer.assign(places)
            consumer.seek_to_beginning(*places)
            end = consumer.end_offsets(places)[places[0]]
            found = {}
            while consumer.position(places[0]) < end:
                for records in consumer.poll(timeout_ms=200).values():
                    for record in records:
                        headers = dict(record.headers) | {"": record.value}
                        found[headers["dlq.topic"], headers["dlq.partition"], headers["dlq.offset"]] = headers
            return found
        finally:
            consumer.close()

    def said(self) -> str:
        """The ends of the processes' outputs."""
        return "\n".join(process.output[-1500:] for process in self.processes)


@asynccontextmanager
async def running_system(
    kafka: str, topic_prefix: str, redis_url: str, redis_prefix: str, directory: Path
) -> AsyncIterator[System]:
    """Makes the topics; ends the processes."""
    settings = AggregatorSettings(
        kafka_bootstrap_servers=kafka,
        topic_prefix=topic_prefix,
        partitions=PARTITIONS,
        redis_url=redis_url,
        redis_prefix=redis_prefix,
    )
    create_topics(settings)
    async with Redis.from_url(redis_url, retry=Retry(NoBackoff(), 1)) as client:
        system = System(settings, client, directory)
        try:
            yield system
        finally:
            for process in system.processes:
                process.kill()
