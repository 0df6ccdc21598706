"""A running stack as an outsider sees it: the `billing` command, stack.json, HTTP, Kafka and the Stripe double."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import redis
import requests

from local.stack.settings import settings_of
from ops.logs.reader import LogReader
from runtime.settings import KafkaSettings
from tests.support.eventually import eventually

BILLING = [str(Path(sys.executable).with_name("billing"))]
BOOT_SECONDS = 90.0
STOP_SECONDS = 60.0
COMMAND_SECONDS = 60.0


class LoggedRecord(NamedTuple):
    """A record as it lies in a topic."""

    partition: int
    offset: int
    value: bytes
    headers: Mapping[str, bytes]


Origin = tuple[str, int, int]  # topic, partition, offset of a record that became a dead letter


@contextmanager
def booted(directory: Path, *options: str) -> Iterator["Stack"]:
    """`billing up` in a directory, without the settings of any other system; stopped at the end."""
    log = directory / "up.log"
    env = {name: value for name, value in os.environ.items() if not name.startswith("BILLING_")}
    with log.open("w") as output:
        process = subprocess.Popen(
            [*BILLING, "up", "--dir", str(directory), *options], stdout=output, stderr=subprocess.STDOUT, env=env
        )
    try:
        _wait_up(process, directory, log)
        yield Stack(directory)
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def _wait_up(process: "subprocess.Popen[bytes]", directory: Path, log: Path) -> None:
    def up() -> bool:
        assert process.poll() is None, log.read_text()
        return (directory / "stack.json").exists()

    eventually(up, deadline=BOOT_SECONDS, what="stack.json")


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
        """Runs the command against this stack. Returns its standard output."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Runs the command against this stack, whatever its exit code."""
        return subprocess.run(
            [*BILLING, *arguments, "--dir", str(self.directory)],
            check=False,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
        )

    def pid(self, name: str) -> int | None:
        """The process id of a service, the last one of a service that is down."""
        return next((each["pid"] for each in self.description["processes"] if each["name"] == name), None)

    def kill(self, prefix: str) -> None:
        """Kills (-9) the processes whose names begin with this; waits for one that is just being started again."""
        names = [process["name"] for process in self.description["processes"] if process["name"].startswith(prefix)]
        for name in names:
            eventually(partial(self._kill, name), what=f"{name} to be killed")

    def _kill(self, name: str) -> bool:
        pid = self.pid(name)
        if pid is None:
            return False
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def flush_redis(self) -> None:
        """FLUSHALL."""
        redis.Redis.from_url(self.env["BILLING_REDIS_URL"]).flushall()

    def totals(self, api_key: str) -> dict[str, int] | None:
        """The account's totals; None while the API answers 503."""
        try:
            answer = requests.get(
                f"{self.env['BILLING_API_URL']}/api/billing/usage",
                headers={"Authorization": f"Bearer {api_key}"},
                timeout=10,
            )
        except (requests.ConnectionError, requests.Timeout):
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
        """The units that the double has accepted for a customer, by meter."""
        answer = requests.get(f"{self.env['BILLING_STRIPE_API_BASE']}/_double/usage", timeout=10)
        return answer.json()["totals"].get(customer, {})

    def records(self, topic: str) -> Iterator[LoggedRecord]:
        """A topic from its beginning to its end of now.

        By the product's reader: confluent-kafka's ends the process at a header whose name is not UTF-8.
        """
        name = f"{self.env.get('BILLING_TOPIC_PREFIX', '')}{topic}"
        with LogReader(settings_of(KafkaSettings, self.env)) as reader:
            for partition, held in reader.bounds(name).items():
                for records in reader.read(name, partition, *held):
                    for record in records:
                        headers = {title: value or b"" for title, value in record.headers}
                        yield LoggedRecord(partition, record.offset, record.value or b"", headers)

    def dead_letters(self) -> dict[Origin, str]:
        """The reason of each record that became a dead letter."""
        reasons: dict[Origin, str] = {}
        for letter in self.records("usage.events.dlq"):
            headers = {name: value.decode() for name, value in letter.headers.items() if name.startswith("dlq.")}
            if "dlq.reason" not in headers:
                continue  # a mark: the letter of its origin was redriven or discarded
            origin = (headers["dlq.topic"], int(headers["dlq.partition"]), int(headers["dlq.offset"]))
            reasons[origin] = headers["dlq.reason"]
        return reasons
