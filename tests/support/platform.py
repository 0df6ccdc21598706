"""A whole installation for tests: real processes on Kafka, on a Redis of its own and on the Stripe double.

What a test does to it, it does from outside: it publishes events, calls the API, asks Stripe, or types a command.
"""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import redis
import requests
from confluent_kafka import Producer
from typer.testing import CliRunner

from local.servers.ports import free_port
from metering.rfc3339 import from_unix
from ops.cli import app
from runtime.topics import TopicNames
from tests.stripe_double.served import Served
from tests.support.eventually import eventually

PARTITIONS = 2
START_SECONDS = 60.0
DAY = 86_400
SERVICES = ("aggregator", "stripe_sync", "api")


class Platform:
    """Three services, and their servers. Every test makes its own accounts."""

    def __init__(self, kafka: str, redis_url: str, topic_prefix: str, stripe: Served, directory: Path) -> None:
        self.stripe = stripe
        self.redis_url = redis_url
        self.topics = TopicNames(topic_prefix)
        self._api_port = free_port()
        self.api_url = f"http://127.0.0.1:{self._api_port}"
        self.env = {
            "BILLING_KAFKA_BOOTSTRAP_SERVERS": kafka,
            "BILLING_TOPIC_PREFIX": topic_prefix,
            "BILLING_PARTITIONS": str(PARTITIONS),
            "BILLING_REDIS_URL": redis_url,
            "BILLING_STRIPE_API_BASE": stripe.url,
            "BILLING_STRIPE_API_KEY": "sk_test_double",
            "BILLING_NAMESPACE": topic_prefix,
            "BILLING_PUSH_INTERVAL_SECONDS": "0.5",
        }
        self.customers: dict[str, str] = {}
        self._keys: dict[str, str] = {}
        self._directory = directory
        self._services: dict[str, subprocess.Popen[bytes]] = {}
        self._producer = Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random", "log_level": 0})

    def boot(self) -> None:
        """Makes topics and meters, starts the services, and waits until the API answers."""
        self.billing("topics")
        self.billing("stripe", "setup")
        for service in SERVICES:
            self._start(service, BILLING_HTTP_PORT=str(self._api_port if service == "api" else 0))
        eventually(self._answers, START_SECONDS, "the API")

    def stop(self) -> None:
        """Ends the services."""
        for process in self._services.values():
            process.kill()
            process.wait()

    def new_account(self, anchor: int | None = None, customer: str | None = None) -> str:
        """An account that no other test has: a customer at Stripe, a period that began, an API key; returns its id."""
        account = f"acct-{uuid.uuid4().hex[:12]}"
        began = time.time() // 3600 * 3600 - 10 * DAY if anchor is None else anchor
        self.customers[account] = customer or self.stripe.client().v1.customers.create().id
        since = ("--anchor", from_unix(int(began)), "--subscription-start", from_unix(int(began) - 20 * DAY))
        self.billing("accounts", "set", account, "--stripe-customer", self.customers[account], *since)
        self._keys[account] = self.billing("keys", "create", account).split()[-1]
        return account

    def publish(self, *events: Mapping[str, Any]) -> None:
        """Writes events to the usage log, each keyed by its account; returns once Kafka has them."""
        for event in events:
            self._producer.produce(self.topics.usage, json.dumps(event).encode(), str(event["subject"]))
        assert self._producer.flush(30) == 0

    def get(self, path: str, account: str | None) -> requests.Response:
        """The API's answer to an account's key, or without a key."""
        headers = {"Authorization": f"Bearer {self._keys[account]}"} if account else {}
        return requests.get(f"{self.api_url}{path}", headers=headers, timeout=10)

    def usage(self, account: str) -> dict[str, int]:
        """The account's totals by meter in the current period, without zeros. Not ready is an AssertionError."""
        answer = self.get("/api/billing/usage", account)
        assert answer.status_code == 200, answer.text
        return {each["meter"]: each["total"] for each in answer.json()["usage"] if each["total"]}

    def billed(self, account: str) -> dict[str, int]:
        """The units that Stripe has accepted of the account, by meter."""
        totals: dict[str, int] = self.stripe.control("usage")["totals"].get(self.customers[account], {})
        return totals

    def shows(self, account: str, **units: int) -> None:
        """Waits until the API shows exactly these totals; a meter's dot is written as `_`."""
        wanted = {meter.replace("_", "."): total for meter, total in units.items()}
        eventually(lambda: self.usage(account) == wanted, 60, f"usage of {wanted}; {self._said()}")

    def bills(self, account: str, **units: int) -> None:
        """Waits until Stripe has accepted exactly these totals."""
        wanted = {meter.replace("_", "."): total for meter, total in units.items()}
        eventually(lambda: self.billed(account) == wanted, 60, f"{wanted} at Stripe; {self._said()}")

    def billing(self, *arguments: str | Path) -> str:
        """Runs the `billing` command, which must succeed; returns what it prints."""
        done = CliRunner(env=self.env).invoke(app, [str(each) for each in arguments])
        assert done.exit_code == 0, (arguments, done.output, done.exception)
        return done.stdout

    def flush_redis(self) -> None:
        """Deletes everything in Redis."""
        with redis.Redis.from_url(self.redis_url) as client:
            client.flushall()

    def _start(self, service: str, **more: str) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("BILLING_")}
        env = clean | self.env | more
        with (self._directory / f"{service}.log").open("wb") as log:
            self._services[service] = subprocess.Popen([sys.executable, "-m", service], env=env, stdout=log, stderr=log)

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.api_url}/readyz", timeout=2).ok
        except requests.RequestException:
            return False

    def _said(self) -> str:
        return "\n".join((self._directory / f"{name}.log").read_text()[-1000:] for name in self._services)
