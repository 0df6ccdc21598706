"""The composed system as its operator sees it: Docker Compose, the published ports, the `billing` command."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import docker
import requests

from tests.support.eventually import eventually

ROOT = Path(__file__).parents[2]
SERVICES = ("aggregator", "api", "kafka", "redis", "stripe-double", "stripe-sync")
HEALTHY = {"setup": "exited 0", **dict.fromkeys(SERVICES, "healthy")}
COMMAND_SECONDS = 900.0  # a first build brings every dependency
HEALTHY_SECONDS = 90.0
ANSWER_SECONDS = 10.0


@dataclass(frozen=True)
class Ports:
    """Where the system is published on this machine."""

    api: int
    kafka: int
    stripe_double: int


@dataclass(frozen=True)
class Composed:
    """One project. `no_settings` is an empty file, in place of an .env that a developer may have."""

    command: Sequence[str]
    name: str
    ports: Ports
    no_settings: Path

    @property
    def kafka(self) -> str:
        """The broker's address for programs on this machine."""
        return f"127.0.0.1:{self.ports.kafka}"

    def up(self, *options: str) -> None:
        """Start, and wait until every service is healthy."""
        self._compose("up", "--detach", *options)
        try:
            eventually(self._is_healthy, HEALTHY_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self._compose('logs', '--tail=40')}") from None

    def remove_containers(self) -> None:
        """Stop and remove every container; the named volumes stay."""
        self._compose("rm", "--stop", "--force", "-v")

    def down(self) -> None:
        """Remove everything, the named volumes too."""
        self._compose("down", "--remove-orphans", "--volumes")

    def run_in(self, service: str, *command: str) -> str:
        """What a command prints in a running service's container; it must succeed."""
        return self._compose("exec", "-T", service, *command).strip()

    def billing(self, *arguments: str) -> str:
        """What the `billing` command prints."""
        return self.run_in("api", "billing", *arguments)

    def get(self, path: str, api_key: str) -> requests.Response:
        """The API's answer."""
        url = f"http://127.0.0.1:{self.ports.api}{path}"
        return requests.get(url, headers={"Authorization": f"Bearer {api_key}"}, timeout=ANSWER_SECONDS)

    def totals(self, api_key: str) -> dict[str, int]:
        """The totals that are not zero, by meter; fails while they can't be told."""
        answer = self.get("/api/billing/usage", api_key)
        assert answer.status_code == 200, answer.text
        return {line["meter"]: line["total"] for line in answer.json()["usage"] if line["total"]}

    def new_customer(self, name: str) -> str:
        """A customer at the double."""
        answer = requests.post(
            self._double("/v1/customers"),
            data={"name": name},
            headers={"Authorization": "Bearer sk_test_double"},
            timeout=ANSWER_SECONDS,
        )
        return str(answer.json()["id"])

    def reached_stripe(self, customer: str) -> dict[str, int]:
        """What the double has accepted for a customer, by meter."""
        usage = requests.get(self._double("/_double/usage"), timeout=ANSWER_SECONDS).json()
        return dict(usage["totals"].get(customer, {}))

    def leftovers(self) -> list[str]:
        """Containers, volumes and networks of the project."""
        mine = {"label": f"com.docker.compose.project={self.name}"}
        client = docker.from_env()
        try:
            found = [*client.containers.list(all=True, filters=mine), *client.volumes.list(filters=mine)]
            return [thing.name for thing in [*found, *client.networks.list(filters=mine)]]
        finally:
            client.close()

    def _is_healthy(self) -> bool:
        states = self._states()
        assert states == HEALTHY
        return True

    def _states(self) -> dict[str, str]:
        client = docker.from_env()
        try:
            mine = {"label": f"com.docker.compose.project={self.name}"}
            return {
                container.labels["com.docker.compose.service"]: _state(container.attrs["State"])
                for container in client.containers.list(all=True, filters=mine)
            }
        finally:
            client.close()

    def _double(self, path: str) -> str:
        return f"http://127.0.0.1:{self.ports.stripe_double}{path}"

    def _compose(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self.command, "--project-name", self.name, "--env-file", str(self.no_settings), *arguments],
            check=False,
            cwd=ROOT,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def _environment(self) -> dict[str, str]:
        """Nothing that this shell knows of another system."""
        return {name: value for name, value in os.environ.items() if not name.startswith(("BILLING_", "COMPOSE_"))} | {
            "BILLING_NAMESPACE": self.name,
            "BILLING_HTTP_PORT": str(self.ports.api),
            "BILLING_KAFKA_PORT": str(self.ports.kafka),
            "BILLING_STRIPE_DOUBLE_PORT": str(self.ports.stripe_double),
        }


def _state(state: dict[str, object]) -> str:
    """How a container is: its health while it runs, its exit code once it has ended."""
    if state["Status"] == "exited":
        return f"exited {state['ExitCode']}"
    health = state.get("Health")
    return str(health["Status"]) if isinstance(health, dict) else str(state["Status"])
