"""The whole system with the least rights: every process is a user of its own, everywhere."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import requests
from typer.testing import CliRunner

from local.servers.ports import free_port
from local.servers.process import Command, ServerProcess
from local.servers.redis import RedisServer, embedded_redis
from local.stripe.app import create_app as create_double
from local.stripe.clock import StripeClock
from local.stripe.store import StripeStore
from ops.cli import app
from tests.api.serving import serving
from tests.security.guarded_stripe import GuardedStripe, key_of
from tests.security.servers import SecureKafka, grant_redis, password_of
from tests.support.eventually import eventually

ROOT = Path(__file__).parents[2]
PARTITIONS = 2
BOOT_SECONDS = 60.0
WEBHOOK_SECRET = "whsec_test"  # noqa: S105 - of tests
_OWN = {
    "api": {"BILLING_STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET},
    "stripe-worker": {"BILLING_PUSH_INTERVAL_SECONDS": "1"},
}


@dataclass
class House:
    """The servers, and what runs on them."""

    kafka: SecureKafka
    redis: RedisServer
    stripe: GuardedStripe
    stripe_url: str
    directory: Path

    def environment(self, role: str) -> dict[str, str]:
        """What a process of this role is told: only what it has a user for."""
        env = {"BILLING_PARTITIONS": str(PARTITIONS), "BILLING_NAMESPACE": "least"}
        if role != "api":
            env |= {
                "BILLING_KAFKA_BOOTSTRAP_SERVERS": self.kafka.client_servers,
                "BILLING_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
                "BILLING_KAFKA_SASL_MECHANISM": "PLAIN",
                "BILLING_KAFKA_SASL_USERNAME": role,
                "BILLING_KAFKA_SASL_PASSWORD": password_of(role),
            }
        if role != "service":
            env["BILLING_REDIS_URL"] = self.redis_url(role)
        if role not in ("aggregator", "service"):
            env |= {"BILLING_STRIPE_API_BASE": self.stripe_url, "BILLING_STRIPE_API_KEY": key_of(role)}
        return env | _OWN.get(role, {})

    def redis_url(self, role: str) -> str:
        """Redis, as a role."""
        return f"redis://{role}:{password_of(role)}@127.0.0.1:{self.redis.port}/0"

    def process(self, module: str, role: str) -> "Process":
        """A process of ours, not started."""
        return Process(module, self.environment(role), self.directory / f"{module}.log")

    def billing(self, *arguments: str, role: str = "operator") -> str:
        """What the command prints, run by a role; it must succeed."""
        done = CliRunner().invoke(app, arguments, env=self.environment(role))
        assert done.exit_code == 0, (arguments, done.output, done.exception)
        return done.stdout.strip()

    def customer(self, name: str) -> str:
        """A new customer at Stripe, made by the platform's owner."""
        headers = {"Authorization": "Bearer sk_test_owner"}
        answer = httpx.post(f"{self.stripe_url}/v1/customers", headers=headers, data={"name": name})
        return str(answer.raise_for_status().json()["id"])


class Process(ServerProcess):
    """`python -m MODULE`, with health at `url`."""

    def __init__(self, module: str, environment: dict[str, str], log: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("BILLING_")}
        env = {**clean, **environment, "BILLING_HTTP_PORT": str(port)}
        super().__init__(module, Command([sys.executable, "-m", module], log, env, ROOT), self._well)

    def _well(self) -> bool:
        try:
            return requests.get(f"{self.url}/healthz", timeout=1).ok
        except requests.RequestException:
            return False


@contextmanager
def a_house(directory: Path) -> Iterator[House]:
    """Servers with users who have their rights; topics and meters are made."""
    kafka, redis, store = SecureKafka(directory / "kafka"), embedded_redis(directory / "redis"), StripeStore()
    stripe = GuardedStripe(create_double(store, StripeClock()))
    with ExitStack() as closing:
        closing.callback(store.close)
        url = closing.enter_context(serving(stripe))
        for server in (kafka, redis):
            closing.callback(server.kill)
            server.start()
        kafka.grant()
        grant_redis(redis.url)
        house = House(kafka, redis, stripe, url, directory)
        house.billing("topics")
        house.billing("stripe", "setup")
        yield house


@contextmanager
def running(house: House) -> Iterator[dict[str, Process]]:
    """All services, and the API's readiness."""
    roles = {"aggregator": "aggregator", "stripe_sync": "stripe-worker", "api": "api"}
    processes = {module: house.process(module, role) for module, role in roles.items()}
    try:
        for process in processes.values():
            process.spawn()
        for process in processes.values():
            process.wait_ready(BOOT_SECONDS)
        ready = processes["api"].url + "/readyz"
        eventually(lambda: requests.get(ready, timeout=5).ok, BOOT_SECONDS, "an API that is ready")
        yield processes
    finally:
        for process in processes.values():
            process.stop()
