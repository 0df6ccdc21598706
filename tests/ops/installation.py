"""A small installation of real processes, on its own topics and Redis, used like its operator would."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import redis
from kafka import KafkaConsumer, TopicPartition
from typer.testing import CliRunner, Result

from ledger.keys import ShardKeys
from local.servers.ports import free_port
from local.stack.settings import settings_of
from metering.account import Account
from ops.cli import app
from ops.logs.table_log import write_records
from runtime.settings import KafkaSettings, StripeSettings
from runtime.topics import TopicNames, create_topics
from stripe_sync.stripe_api.client import make_client
from stripe_sync.stripe_api.meters import create_missing
from tests.end_to_end.truth import ANCHOR, METERS, Publisher
from tests.support.eventually import eventually

PARTITIONS = 3
ACCOUNTS = [f"account_{number}" for number in range(6)]
BOOT_SECONDS = 30.0

# Nobody shows it, some of it is rejected, none of it is subscribed to, and old usage is told of until it is planned.
OURS = {"dead_letters_grow", "not_invoiced", "too_old_near"}


class System:
    """The installation. The servers are given; it makes topics, the double, meters, customers and workers."""

    def __init__(self, kafka: str, redis_url: str, prefix: str, directory: Path) -> None:
        self._directory = directory
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        port = free_port()
        self.env = {
            "BILLING_KAFKA_BOOTSTRAP_SERVERS": kafka,
            "BILLING_REDIS_URL": redis_url,
            "BILLING_TOPIC_PREFIX": prefix,
            "BILLING_PARTITIONS": str(PARTITIONS),
            "BILLING_NAMESPACE": prefix,
            "BILLING_STRIPE_API_KEY": "sk_test_double",
            "BILLING_STRIPE_API_BASE": f"http://127.0.0.1:{port}",
            "BILLING_PUSH_INTERVAL_SECONDS": "0.5",
        }
        self.topics = TopicNames(prefix)
        self.redis = redis.Redis.from_url(redis_url)
        self.customers: dict[str, str] = {}
        self.publisher = Publisher(kafka, self.topics.usage, seed=7)
        self._double_port = port

    def boot(self) -> None:
        """Makes everything, and starts an aggregator and a Stripe worker."""
        settings = settings_of(KafkaSettings, self.env)
        create_topics(settings)
        self.start("double", "local.stripe", "--port", str(self._double_port))
        eventually(self._double_answers, BOOT_SECONDS, "the double")
        asyncio.run(self._prepare_stripe())
        anchor = int(ANCHOR.timestamp())
        accounts = {name: Account(customer=each, anchor=anchor).to_json() for name, each in self.customers.items()}
        write_records(settings, self.topics.accounts, accounts)
        self.start("aggregator", "aggregator")
        self.start("stripe-sync", "stripe_sync")

    def start(self, name: str, module: str, *arguments: str, **env: str) -> None:
        """Starts `python -m module`; its output goes to a file."""
        with (self._directory / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                env=os.environ | self.env | env | {"BILLING_PROCESS_NAME": name},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def running(self) -> dict[str, bool]:
        """The processes that have not ended."""
        return {name: process.poll() is None for name, process in self._processes.items()}

    def end(self, *names: str) -> None:
        """Ends processes, all unless some are named."""
        ending = [self._processes.pop(name) for name in names or tuple(self._processes)]
        for process in ending:
            process.terminate()
        for process in ending:
            process.wait(15)

    def log(self, name: str) -> str:
        """The output of a process."""
        return (self._directory / f"{name}.log").read_text()

    def billing(self, *arguments: str) -> Result:
        """Runs the command with this installation's settings, but in this process: starting one takes seconds."""
        done = CliRunner(env=self.env).invoke(app, arguments)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done

    def status(self, *arguments: str) -> dict[str, Any]:
        """The JSON answer of `billing status`."""
        done = self.billing("status", "--json", *arguments)
        assert done.exit_code in {0, 1}, done.stderr
        return json.loads(done.stdout)

    def troubles(self) -> set[str]:
        """The troubles in the status, without those that this installation always has (`OURS`)."""
        return {each["trouble"] for each in self.status()["findings"]} - OURS

    def billed(self) -> dict[str, dict[str, int]]:
        """The units that the double has accepted, by account and meter."""
        with urlopen(f"{self.env['BILLING_STRIPE_API_BASE']}/_double/usage", timeout=5) as answer:  # noqa: S310
            totals = json.load(answer)["totals"]
        return {account: totals.get(customer, {}) for account, customer in self.customers.items()}

    def ends(self, *topics: str) -> dict[tuple[str, int], int]:
        """The end offsets of topics."""
        consumer = KafkaConsumer(bootstrap_servers=self.env["BILLING_KAFKA_BOOTSTRAP_SERVERS"])
        places = [TopicPartition(topic, part) for topic in topics for part in consumer.partitions_for_topic(topic)]
        ends = consumer.end_offsets(places)
        consumer.close()
        return {(place.topic, place.partition): end for place, end in ends.items()}

    def counted_units(self, prefix: str = "") -> dict[str, Counter[str]]:
        """The units in Redis by account and meter, read key by key."""
        found: dict[str, Counter[str]] = {account: Counter() for account in ACCOUNTS}
        for key in self.redis.scan_iter(match=f"{prefix}{{p*}}u:*"):
            account = key.decode().partition("}u:")[2].rpartition(":")[0]
            for field, units in self.redis.hgetall(key).items():
                found[account][METERS[int(field) // 24]] += int(units)
        return found

    @contextmanager
    def traffic(self) -> Iterator[None]:
        """Publishes without a pause while the context lasts."""
        stop = threading.Event()

        def publish() -> None:
            while not stop.is_set():
                self.publisher.publish(ACCOUNTS, 20, duplicates=0.05, rejects=0.02)
                stop.wait(0.05)

        thread = threading.Thread(target=publish)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            self.publisher.flush()

    def expect_exact(self) -> None:
        """Waits until Redis and Stripe have exactly the published units, and all rows are settled."""
        truth = {account: dict(self.publisher.truth.whole[account]) for account in ACCOUNTS}
        eventually(lambda: self._same(self.counted_units(), truth), 30, "Redis has what was published")
        eventually(lambda: self._same(self.billed(), truth), 30, "Stripe has what was published")
        in_flight = [ShardKeys("", shard).in_flight for shard in range(PARTITIONS)]
        eventually(lambda: not any(self.redis.hlen(key) for key in in_flight), 30, "every row is settled")

    def _same(self, found: dict[str, Any], truth: dict[str, dict[str, int]]) -> bool:
        assert {account: dict(units) for account, units in found.items()} == truth
        return True

    def _double_answers(self) -> bool:
        try:
            with urlopen(f"{self.env['BILLING_STRIPE_API_BASE']}/_double/clock", timeout=1):  # noqa: S310
                return True
        except OSError:
            return False

    async def _prepare_stripe(self) -> None:
        client = make_client(settings_of(StripeSettings, self.env))
        await create_missing(client)
        for account in ACCOUNTS:
            self.customers[account] = (await client.v1.customers.create_async()).id
