"""The stack's services: how each is started, what it needs first, and how it is known to answer."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from local.servers.kafka import KafkaServer
from local.servers.kafka_files import KafkaFiles
from local.servers.ports import LOOPBACK
from local.servers.process import Command, ServerProcess
from local.servers.redis import RedisServer, find_redis
from local.stack.boot import Start
from local.stack.directory import StackDirectory
from local.stack.plan import StackPlan, service_environment
from local.stack.probes import is_there
from local.stack.supervisor import Service

SERVERS, SERVICES, TRAFFIC = range(3)  # stopped from the last to the first


@dataclass(slots=True)
class StackServices:
    """Makes the starts of a plan. `files` is set once Kafka's files are there."""

    plan: StackPlan
    directory: StackDirectory
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    files: KafkaFiles | None = None

    def starts(self) -> list[Start]:
        """Everything that runs."""
        plan, options = self.plan, self.plan.options
        starts = []
        if plan.redis:
            starts.append(self._server("redis", self._redis))
        if plan.double:
            starts.append(self._stripe_double())
        if plan.kafka:
            starts.append(self._server("kafka", self._kafka, needs="kafka files"))
        starts.append(self._api())
        folding = {"topics", *self._redis_first()}
        starts += self._several("aggregator", "aggregator", options.aggregators, folding)
        starts += self._several("stripe-sync", "stripe_sync", options.stripe_workers, folding | {"meters"})
        if options.demo:
            demo = [sys.executable, "-m", "local.demo", "--directory", str(self.directory.demo)]
            starts.append(Start(self._python_service("demo", demo, tier=TRAFFIC), frozenset({"topics"})))
        return starts

    def _redis_first(self) -> set[str]:
        return {"redis"} if self.plan.redis else set()

    def _api(self) -> Start:
        own = {"BILLING_HTTP_HOST": self.plan.http_host, "BILLING_HTTP_PORT": str(self.plan.ports["api"])}
        service = self._python_service("api", [sys.executable, "-m", "api"], tier=SERVICES, own=own)
        return Start(service, frozenset(self._redis_first()), lambda: is_there(f"{self.plan.api_url}/healthz"))

    def _stripe_double(self) -> Start:
        port = self.plan.ports["stripe-double"]
        argv = [sys.executable, "-m", "local.stripe", "--port", str(port)]
        argv += ["--state", str(self.directory.data / "stripe-double.db")]
        service = self._python_service("stripe-double", argv, tier=SERVERS)
        return Start(service, frozenset(), lambda: is_there(f"http://{LOOPBACK}:{port}/_double/clock"))

    def _several(self, name: str, package: str, count: int, needs: set[str]) -> list[Start]:
        names = [f"{name}-{number}" for number in range(1, count + 1)]
        argv = [sys.executable, "-m", package]
        return [Start(self._python_service(each, argv, tier=SERVICES), frozenset(needs)) for each in names]

    def _python_service(
        self, name: str, argv: list[str], *, tier: int, own: Mapping[str, str] | None = None
    ) -> Service:
        env = service_environment(self.plan, self.environ, BILLING_PROCESS_NAME=name, **(own or {}))
        command = Command(argv, self.directory.logs / f"{name}.log", env)
        return Service(name, partial(ServerProcess, name, command), tier)

    def _server(self, name: str, make: Callable[[], ServerProcess], needs: str | None = None) -> Start:
        made: list[ServerProcess] = []

        def make_once() -> ServerProcess:
            server = make()
            server.command = replace(server.command, env=service_environment(self.plan, self.environ))
            made.append(server)
            return server

        def answers() -> bool:
            return made[0].answers()

        return Start(Service(name, make_once, SERVERS), frozenset({needs} if needs else ()), answers)

    def _redis(self) -> ServerProcess:
        return RedisServer(
            data=self.directory.data / "redis",
            port=self.plan.ports["redis"],
            binary=find_redis(),
            log=self.directory.logs / "redis.log",
        )

    def _kafka(self) -> ServerProcess:
        assert self.files is not None, "the start needs the step that finds the files"  # noqa: S101
        return KafkaServer(
            data=self.directory.data / "kafka",
            port=self.plan.ports["kafka"],
            controller_port=self.plan.ports["kafka-controller"],
            java=self.files.java,
            class_path=self.files.class_path,
            log=self.directory.logs / "kafka.log",
        )
