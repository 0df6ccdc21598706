"""The containers that the tests use where Docker is: an aggregator counts on them, and the API reads."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from local.servers.ports import free_ports
from local.servers.process import Command, ServerProcess
from local.stack.probes import ask, is_there
from tests.support.eventually import eventually
from tests.support.servers import KAFKA_IMAGE, REDIS_IMAGE, Source, running_kafka, running_redis

ROOT = Path(__file__).parents[2]
COUNTED_SECONDS = 15.0


@contextmanager
def service(module: str, directory: Path, env: Mapping[str, str], port: int) -> Iterator[str]:
    """A running service's address."""
    url = f"http://127.0.0.1:{port}"
    command = Command(
        [sys.executable, "-m", module], directory / f"{module}.log", {**env, "BILLING_HTTP_PORT": str(port)}, ROOT
    )
    process = ServerProcess(module, command, lambda: is_there(f"{url}/healthz"))
    try:
        process.start()
        yield url
    finally:
        process.stop()


def billing(env: Mapping[str, str], *arguments: str) -> str:
    """What the `billing` command prints."""
    command = [sys.executable, "-m", "ops", *arguments]
    done = subprocess.run(command, check=False, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.timeout(300)
def test_an_event_is_counted_on_containers(docker: None, tmp_path: Path) -> None:
    """Given Kafka and Redis in containers, one published event is in the account's totals."""
    with (
        running_kafka(Source("docker", KAFKA_IMAGE), tmp_path) as kafka,
        running_redis(Source("docker", REDIS_IMAGE), tmp_path) as redis_url,
    ):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("BILLING_")}
        env = {
            **clean,
            "BILLING_KAFKA_BOOTSTRAP_SERVERS": kafka,
            "BILLING_REDIS_URL": redis_url,
            "BILLING_PARTITIONS": "3",
        }
        aggregator_port, api_port = free_ports(2)
        billing(env, "topics")
        with (
            service("aggregator", tmp_path, env, aggregator_port),
            service("api", tmp_path, env, api_port) as api,
        ):
            key = billing(env, "keys", "create", "acct_1")
            billing(env, "emit", "--account", "acct_1", "--meter", "sms.send", "--quantity", "4")

            def sent() -> int:
                answer = ask(f"{api}/api/billing/usage", {"Authorization": f"Bearer {key}"})
                assert answer.status == 200, answer
                return answer.totals()["sms.send"]

            eventually(lambda: sent() == 4, COUNTED_SECONDS, "the count")
