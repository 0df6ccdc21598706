"""A running stack as an outsider sees it: the `billing` command, stack.json, HTTP, Kafka and the Stripe double."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import redis
import requests
from confluent_kafka import Consumer, TopicPartition

from tests.support.eventually import eventually

BILLING = [str(Path(sys.executable).with_name("billing"))]


class Stack:
    """Talks to the stack of one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def description(self) -> dict[str, Any]:
        """stack.json, as it is now."""
        return json.loads((self.directory / "stack.json").read_text())

    @property
    def env(self) -> dict[str, str]:
        """The addresses and settings."""
        return self.description["env"]

    def billing(self, *arguments: str) -> str:
        """Runs the command against this stack and gives its standard output."""
        done = subprocess.run(
            [*BILLING, *arguments, "--dir", str(self.directory)],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def kill(self, prefix: str) -> None:
        """Kill -9 of the processes whose names begin so; one that is just being started again is waited for."""
        names = [process["name"] for process in self.description["processes"] if process["name"].startswith(prefix)]
        for name in names:
            eventually(lambda name=name: self._kill(name), what=f"{name} to be killed")

    def _kill(self, name: str) -> bool:
        pids = [process["pid"] for process in self.description["processes"] if process["name"] == name]
        try:
            os.kill(pids[0], signal.SIGKILL)
        except (ProcessLookupError, IndexError):
            return False
        return True

    def flush_redis(self) -> None:
        """FLUSHALL."""
        redis.Redis.from_url(self.env["BILLING_REDIS_URL"]).flushall()

    def totals(self, api_key: str) -> dict[str, int] | None:
        """The account's totals; None while the API says that it can't tell."""
        try:
            answer = requests.get(
                f"{self.env['BILLING_API_URL']}/api/billing/usage",
                headers={"Authorization": f"Bearer {api_key}"},
                timeout=10,
            )
        except requests.ConnectionError:
            return None
        if answer.status_code == 503:
            return None
        assert answer.status_code == 200, answer.text
        return {line["meter"]: line["total"] for line in answer.json()["usage"]}

    def new_customer(self, name: str) -> str:
        """A customer at the double."""
        answer = requests.post(
            f"{self.env['BILLING_STRIPE_API_BASE']}/v1/customers",
            data={"name": name},
            headers={"Authorization": f"Bearer {self.env['BILLING_STRIPE_API_KEY']}"},
            timeout=10,
        )
        return answer.json()["id"]

    def reached_stripe(self, customer: str) -> dict[str, int]:
        """What the double has accepted for a customer, by meter."""
        answer = requests.get(f"{self.env['BILLING_STRIPE_API_BASE']}/_double/usage", timeout=10)
        return answer.json()["totals"].get(customer, {})

    def dead_letters(self) -> Counter[str]:
        """Reasons of the dead letters, one per distinct origin."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.env["BILLING_KAFKA_BOOTSTRAP_SERVERS"],
                "group.id": "e2e",
                "enable.auto.commit": False,
            }
        )
        topic = f"{self.env.get('BILLING_TOPIC_PREFIX', '')}usage.events.dlq"
        reasons: dict[tuple[bytes, ...], str] = {}
        for partition in consumer.list_topics(topic, 10).topics[topic].partitions:
            _, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), 10)
            consumer.assign([TopicPartition(topic, partition, 0)])
            seen = 0
            while seen < end:
                message = consumer.poll(10)
                assert message is not None, f"dead letters end at {seen} of {end}"
                assert message.error() is None, message.error()
                seen = message.offset() + 1
                headers = dict(message.headers())
                if "dlq.reason" not in headers:
                    continue  # a mark: the letter of its origin was redriven or discarded
                origin = (headers["dlq.topic"], headers["dlq.partition"], headers["dlq.offset"])
                reasons[origin] = headers["dlq.reason"].decode()
        consumer.close()
        return Counter(reasons.values())
