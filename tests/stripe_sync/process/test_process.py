"""The service as a process: real Kafka, real Redis, the Stripe double as a process of its own."""

import asyncio
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import stripe
from kafka import KafkaProducer
from redis.asyncio import Redis

from ledger.notices import read_notices
from ledger.redis_store import RedisStore
from ledger.shard import Ledger, Shard
from local.servers.ports import free_port
from metering.account import Account
from runtime.kafka import sync_options
from runtime.topics import TopicNames, create_topics
from stripe_sync.settings import StripeSyncSettings
from stripe_sync.stripe_api.meters import create_missing, list_meters
from tests.ledger_push.counts import HOUR, Counts
from tests.stripe_double.served import client_of, control
from tests.stripe_double.test_double_process import process as stripe_double
from tests.stripe_sync.answering import Answer, answering
from tests.support.eventually import eventually_async

EXIT_SECONDS = 40.0
ACCOUNTS = 60


@dataclass
class Surroundings:
    """What the process is told to work with."""

    settings: StripeSyncSettings
    stripe_url: str
    redis_url: str
    log: Path

    @property
    def environment(self) -> dict[str, str]:
        """The service's variables."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("BILLING_")},
            "BILLING_KAFKA_BOOTSTRAP_SERVERS": self.settings.kafka_bootstrap_servers,
            "BILLING_TOPIC_PREFIX": self.settings.topic_prefix,
            "BILLING_REDIS_URL": self.redis_url,
            "BILLING_REDIS_PREFIX": self.settings.redis_prefix,
            "BILLING_PARTITIONS": "1",
            "BILLING_NAMESPACE": "tests",
            "BILLING_PROCESS_NAME": "stripe-sync-1",
            "BILLING_PUSH_INTERVAL_SECONDS": "0.5",
            "BILLING_STRIPE_API_KEY": "sk_test_double",
            "BILLING_STRIPE_API_BASE": self.stripe_url,
        }

    @contextmanager
    def service(self, **other: str) -> Iterator["subprocess.Popen[bytes]"]:
        """`python -m stripe_sync`; killed at the end."""
        with self.log.open("ab") as output:
            command = [sys.executable, "-m", "stripe_sync"]
            with subprocess.Popen(command, env=self.environment | other, stdout=output, stderr=output) as running:
                try:
                    yield running
                finally:
                    running.kill()

    def client(self) -> stripe.StripeClient:
        """A client of the double."""
        return client_of(self.stripe_url)

    def billed(self) -> dict[str, dict[str, int]]:
        """Units by customer and meter."""
        totals: dict[str, dict[str, int]] = control(self.stripe_url, "usage")["totals"]
        return totals

    def calls(self) -> dict[str, int]:
        """Answers to meter events, by status."""
        requests: dict[str, Any] = control(self.stripe_url, "requests")
        answers: dict[str, int] = requests.get("POST /v2/billing/meter_events", {})
        return answers


@pytest.fixture
def surroundings(
    kafka_bootstrap: str, topic_prefix: str, redis_url: str, redis_prefix: str, tmp_path: Path
) -> Iterator[Surroundings]:
    """Topics with one shard, and a double with the catalogue's meters."""
    settings = StripeSyncSettings(
        kafka_bootstrap_servers=kafka_bootstrap,
        topic_prefix=topic_prefix,
        redis_prefix=redis_prefix,
        partitions=1,
        namespace="tests",
    )
    create_topics(settings)
    with stripe_double(tmp_path / "stripe.db") as (_, url):
        asyncio.run(create_missing(client_of(url)))
        yield Surroundings(settings, url, redis_url, tmp_path / "service.log")


@pytest.fixture
async def shard(surroundings: Surroundings) -> AsyncIterator[Shard]:
    """The shard that the process will bill."""
    async with Redis.from_url(surroundings.redis_url) as client:
        yield Ledger(RedisStore(client), surroundings.settings.redis_prefix, 1).shard(0)


async def count_usage(surroundings: Surroundings, shard: Shard) -> tuple[Counts, dict[str, dict[str, int]]]:
    """Usage of many accounts in the hours before now; and what Stripe must be told."""
    client, now = surroundings.client(), int(time.time())
    counts, expected = Counts(shard, lambda: int(time.time() * 1000)), dict[str, dict[str, int]]()
    for number in range(ACCOUNTS):
        customer = client.v1.customers.create().id
        counts.map(f"account-{number}", Account(customer=customer, anchor=now - 20 * 24 * HOUR))
        for hour in range(3):
            counts.use(f"account-{number}", "sms.send", number + 1, now - hour * HOUR)
        counts.use(f"account-{number}", "voice.ai", 7, now)
        expected[customer] = {"sms.send": 3 * (number + 1), "voice.ai": 7}
    await counts.fold()
    publish(surroundings, counts.accounts)
    return counts, expected


def publish(surroundings: Surroundings, accounts: list[tuple[str, Account]]) -> None:
    """Puts account records into their topic, where the worker reads who claims which customer."""
    topic = TopicNames(surroundings.settings.topic_prefix).accounts
    with closing(KafkaProducer(**sync_options(surroundings.settings))) as producer:
        for name, facts in accounts:
            producer.send(topic, key=name.encode(), value=facts.to_json())
        producer.flush()


@pytest.mark.timeout(110)
async def test_a_customer_of_two_accounts_is_billed_for_neither(surroundings: Surroundings, shard: Shard) -> None:
    """Until one of them gives it up; everybody else is billed meanwhile. The metrics name it."""
    counts, expected = await count_usage(surroundings, shard)
    disputed = counts.accounts[0][1]
    publish(surroundings, [("account-1", disputed)])
    both = {counts.accounts[number][1].customer for number in (0, 1)}
    port = free_port()
    with surroundings.service(BILLING_HTTP_PORT=str(port)):
        others = {customer: units for customer, units in expected.items() if customer not in both}
        await eventually_async(lambda: is_billed(surroundings, others), deadline=40)
        page = await asyncio.to_thread(requests.get, f"http://127.0.0.1:{port}/metrics", timeout=5)
        assert "stripe_customers_disputed 1.0" in page.text
        publish(surroundings, [counts.accounts[1]])
        await eventually_async(lambda: is_billed(surroundings, expected), deadline=40)


@pytest.mark.timeout(110)
async def test_a_clock_that_is_hours_from_stripes_bills_nothing_until_it_is_set(
    surroundings: Surroundings, shard: Shard
) -> None:
    """Known from the start check on; the status says whose clock it is, the process is well and goes on by itself."""
    _, expected = await count_usage(surroundings, shard)
    control(surroundings.stripe_url, "clock", {"advance": 3 * HOUR})
    port = free_port()
    with surroundings.service(BILLING_HTTP_PORT=str(port)):
        await eventually_async(lambda: says(shard, "this Stripe worker's clock is 3.0 hours behind"), deadline=40)
        page = await asyncio.to_thread(requests.get, f"http://127.0.0.1:{port}/metrics", timeout=5)
        assert 'billing_trouble{shard="0",trouble="clock_off"} 1.0' in page.text
        assert surroundings.calls() == {}
        control(surroundings.stripe_url, "clock", {"advance": -3 * HOUR})
        await eventually_async(lambda: is_billed(surroundings, expected), deadline=40)


async def says(shard: Shard, words: str) -> bool:
    """The worker, in the status."""
    return any(words in str(each) for each in await read_notices(shard))


@pytest.mark.timeout(110)
async def test_it_bills_survives_kill_9_and_stops_when_told(surroundings: Surroundings, shard: Shard) -> None:
    """Killed twice in the middle of sending; the sums are exact in the end, and SIGTERM ends it with 0."""
    _, expected = await count_usage(surroundings, shard)
    control(surroundings.stripe_url, "latency", {"seconds": 0.02})
    for events in (40, 120):
        with surroundings.service() as service:
            await eventually_async(lambda events=events: taken(surroundings, events), deadline=30)
            os.kill(service.pid, signal.SIGKILL)
    with surroundings.service() as service:
        await eventually_async(lambda: is_billed(surroundings, expected), deadline=40)
        service.terminate()
        assert await asyncio.to_thread(service.wait, EXIT_SECONDS) == 0
    log = surroundings.log.read_text()
    assert "stripe.pushes is on one broker's disk only" in log
    assert "Traceback" not in log
    assert set(surroundings.calls()) <= {"200", "400"}


async def taken(surroundings: Surroundings, events: int) -> bool:
    """Stripe has that many events."""
    return bool(control(surroundings.stripe_url, "usage")["events"] >= events)


async def is_billed(surroundings: Surroundings, expected: dict[str, dict[str, int]]) -> bool:
    """Stripe has exactly that."""
    assert surroundings.billed() == expected
    return True


def exits(surroundings: Surroundings, **other: str) -> str:
    """Starts it, and gives what it said; it must end with 1, without a traceback."""
    with surroundings.service(**other) as service:
        assert service.wait(EXIT_SECONDS) == 1
    log = surroundings.log.read_text()
    assert "Traceback" not in log
    return log


@pytest.mark.timeout(110)
def test_it_does_not_start_on_wrong_meters(surroundings: Surroundings) -> None:
    """Archived, missing, or summing up something else: each is named, with what to do."""

    async def spoil() -> None:
        client = surroundings.client()
        found = await list_meters(client)
        for name in ("sms.send", "voice.ai"):
            await client.v1.billing.meters.deactivate_async(found[name].id)
        await client.v1.billing.meters.create_async(
            {"display_name": "x", "event_name": "voice.ai", "default_aggregation": {"formula": "count"}}
        )

    asyncio.run(spoil())
    said = exits(surroundings)
    assert "stripe_sync: Stripe's meters are not as they must be" in said
    assert "sms.send: is inactive: reactivate it" in said
    assert "voice.ai: aggregates by count, must be sum" in said


@pytest.mark.timeout(110)
def test_it_does_not_start_on_a_stripe_without_meters(surroundings: Surroundings, tmp_path: Path) -> None:
    """Which names are missing."""
    with stripe_double(tmp_path / "empty.db") as (_, url):
        said = exits(surroundings, BILLING_STRIPE_API_BASE=url)
    assert "did.monthly: Stripe has no meter with this event name: create it" in said


@pytest.mark.timeout(110)
@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"BILLING_STRIPE_API_KEY": "nonsense"}, "check BILLING_STRIPE_API_KEY"),
        ({"BILLING_STRIPE_API_KEY": "nonsense", "BILLING_STRIPE_ACCOUNT": "acct_1"}, "check BILLING_STRIPE_API_KEY"),
        ({"BILLING_STRIPE_API_KEY": ""}, "BILLING_STRIPE_API_KEY is not set"),
        ({"BILLING_TOPIC_PREFIX": f"none-{uuid.uuid4().hex}-"}, "stripe.pushes does not exist: run `billing topics`"),
    ],
    ids=["a refused key", "a refused key of a set account", "no key", "no topics"],
)
def test_it_does_not_start_without_what_it_stands_on(
    surroundings: Surroundings, variables: dict[str, str], told: str
) -> None:
    """It says what to mend."""
    assert told in exits(surroundings, **variables)


@pytest.mark.timeout(110)
async def test_it_does_not_start_where_somebody_else_than_stripe_answers(surroundings: Surroundings) -> None:
    """A wrong address is told by its setting's name."""
    async with answering(Answer(404, b"<html>not found</html>")) as server:
        said = await asyncio.to_thread(exits, surroundings, BILLING_STRIPE_API_BASE=server.url)
    assert "check BILLING_STRIPE_API_BASE" in said


@pytest.mark.timeout(110)
async def test_it_does_not_touch_another_installation_s_log(surroundings: Surroundings, shard: Shard) -> None:
    """The log was written for another namespace: nothing is sent, and it says so."""
    await count_usage(surroundings, shard)
    with surroundings.service() as service:
        await eventually_async(lambda: taken(surroundings, 10), deadline=30)
        service.terminate()
        await asyncio.to_thread(service.wait, EXIT_SECONDS)
    before = surroundings.calls()
    said = await asyncio.to_thread(exits, surroundings, BILLING_NAMESPACE="another")
    assert "the push log was written for namespace 'tests'" in said
    assert surroundings.calls() == before
