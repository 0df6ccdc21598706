"""The stack's services: their command lines, the tasks that they need first, and their health checks."""

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
    """Makes the starts of a plan. `files` is set once Kafka's files exist."""

    plan: StackPlan
    directory: StackDirectory
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    files: KafkaFiles | None = None

    def starts(self) -> list[Start]:
        """Returns the starts of all services."""
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
        for name in options.workers:
            aggregator = name.startswith("aggregator")
            package = "aggregator" if aggregator else "stripe_sync"
            starts.append(self._worker(name, package, folding if aggregator else folding | {"meters"}))
        if options.demo:
            demo = [sys.executable, "-m", "local.demo", "--directory", str(self.directory.demo)]
            starts.append(Start(self._python_service("demo", demo, tier=TRAFFIC), frozenset({"topics"})))
        return starts

    def metrics_urls(self) -> list[str]:
        """Returns the addresses of the aggregators' metrics."""
        names = [name for name in self.plan.options.workers if name.startswith("aggregator")]
        return [f"http://{LOOPBACK}:{self.plan.ports[name]}/metrics" for name in names]

    def _redis_first(self) -> set[str]:
        return {"redis"} if self.plan.redis else set()

    def _api(self) -> Start:
        own = {"BILLING_HTTP_HOST": self.plan.http_host, "BILLING_HTTP_PORT": str(self.plan.ports["api"])}
        healthz = f"{self.plan.api_url}/healthz"
        argv = [sys.executable, "-m", "api"]
        service = self._python_service("api", argv, tier=SERVICES, own=own, answers=lambda: is_there(healthz))
        return Start(service, frozenset(self._redis_first()))

    def _stripe_double(self) -> Start:
        port = self.plan.ports["stripe-double"]
        argv = [sys.executable, "-m", "local.stripe", "--port", str(port)]
        argv += ["--state", str(self.directory.data / "stripe-double.db")]
        clock = f"http://{LOOPBACK}:{port}/_double/clock"
        service = self._python_service("stripe-double", argv, tier=SERVERS, answers=lambda: is_there(clock))
        return Start(service, frozenset())

    def _worker(self, name: str, package: str, needs: set[str]) -> Start:
        port = self.plan.ports[name]
        own = {"BILLING_HTTP_HOST": LOOPBACK, "BILLING_HTTP_PORT": str(port)}
        healthz = f"http://{LOOPBACK}:{port}/healthz"
        argv = [sys.executable, "-m", package]
        service = self._python_service(name, argv, tier=SERVICES, own=own, answers=lambda: is_there(healthz))
        return Start(service, frozenset(needs))

    def _python_service(
        self,
        name: str,
        argv: list[str],
        *,
        tier: int,
        own: Mapping[str, str] | None = None,
        answers: Callable[[], bool] | None = None,
    ) -> Service:
        env = service_environment(self.plan, self.environ, BILLING_PROCESS_NAME=name, **(own or {}))
        command = Command(argv, self.directory.logs / f"{name}.log", env)
        return Service(name, partial(ServerProcess, name, command), tier, answers)

    def _server(self, name: str, make: Callable[[], ServerProcess], needs: str | None = None) -> Start:
        made: list[ServerProcess] = []

        def make_once() -> ServerProcess:
            server = make()
            server.command = replace(server.command, env=service_environment(self.plan, self.environ))
            made.append(server)
            return server

        def answers() -> bool:
            return made[0].answers()

        return Start(Service(name, make_once, SERVERS, answers), frozenset({needs} if needs else ()))

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
