"""The API as it is deployed, `python -m api`, as a child process on a free port."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from local.servers.ports import free_port
from local.servers.process import Command, ServerProcess
from tests.api.folded import PARTITIONS

ROOT = Path(__file__).parents[2]


class Process(ServerProcess):
    """`python -m api` on a free port."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("BILLING_")}
        command = Command(
            [sys.executable, "-m", "api"],
            directory / "api.log",
            {**clean, **environment, "BILLING_HTTP_PORT": str(port), "BILLING_PARTITIONS": str(PARTITIONS)},
            ROOT,
        )
        super().__init__("API", command, self.answers)

    def answers(self) -> bool:
        """Whether it takes a request."""
        try:
            return requests.get(f"{self.url}/healthz", timeout=1).ok
        except requests.RequestException:
            return False


@contextmanager
def api_process(directory: Path, redis_url: str, redis_prefix: str, stripe: str, **more: str) -> Iterator[Process]:
    """The API, serving; `more` are other variables of its environment."""
    environment = {
        "BILLING_REDIS_URL": redis_url,
        "BILLING_REDIS_PREFIX": redis_prefix,
        "BILLING_STRIPE_API_BASE": stripe,
        "BILLING_STRIPE_API_KEY": "sk_test_double",
        **more,
    }
    process = Process(directory, environment)
    try:
        process.start()
        yield process
    finally:
        process.kill()
