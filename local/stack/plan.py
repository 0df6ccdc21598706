"""What a stack will consist of: decided from the options, the environment and what the directory has kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.servers.ports import LOOPBACK
from local.stack.directory import Kept
from local.stack.errors import StackError
from local.stack.stripe_choice import BASE as STRIPE_BASE
from local.stack.stripe_choice import KEY as STRIPE_KEY
from local.stack.stripe_choice import choose_stripe

DEFAULT_PARTITIONS = 12
MOST_PARTITIONS = 1000  # of each of five topics, on one broker of this machine
_KAFKA = "BILLING_KAFKA_BOOTSTRAP_SERVERS"
_REDIS = "BILLING_REDIS_URL"
_HOST = "BILLING_HTTP_HOST"
_PARTITIONS = "BILLING_PARTITIONS"
_PREFIX = "BILLING_"
# Of one process, or of the stack's making: not handed on as they were found.
_OWN = ("BILLING_PROCESS_NAME", _HOST, "BILLING_HTTP_PORT", "BILLING_API_URL", "BILLING_TEST_")
_OF_AN_EXTERNAL_KAFKA = ("BILLING_KAFKA_",)
_OF_AN_EXTERNAL_STRIPE = ("BILLING_STRIPE_METER_EVENTS_BASE", "BILLING_STRIPE_ACCOUNT")


@dataclass(frozen=True, slots=True, kw_only=True)
class StackOptions:
    """How a stack was asked for."""

    directory: Path
    fresh: bool = False
    demo: bool = True
    aggregators: int = 1
    stripe_workers: int = 1

    @property
    def workers(self) -> tuple[str, ...]:
        """The names of the processes that serve a health page and nothing else."""
        return (*_numbered("aggregator", self.aggregators), *_numbered("stripe-sync", self.stripe_workers))


@dataclass(frozen=True, slots=True)
class StackPlan:
    """What is to run, and what every process is told.

    Attributes:
        options: as asked for.
        env: the BILLING_* variables of every client and service.
        ports: of the servers that the stack starts itself, and others that stay unused.
        http_host: where the API listens.
        kafka: whether the stack starts a Kafka.
        redis: whether it starts a Redis.
        double: whether it starts the Stripe double.
    """

    options: StackOptions
    env: Mapping[str, str]
    ports: Mapping[str, int]
    http_host: str
    kafka: bool
    redis: bool
    double: bool

    @property
    def api_url(self) -> str:
        """Where the API answers on this machine."""
        return self.env["BILLING_API_URL"]


def _numbered(name: str, count: int) -> list[str]:
    return [f"{name}-{number}" for number in range(1, count + 1)]


def check_options(options: StackOptions, environ: Mapping[str, str]) -> None:
    """Refuses what can't be done.

    Raises:
        StackError: `--fresh` with servers that are not the stack's own.
    """
    named = [name for name in (_KAFKA, _REDIS) if environ.get(name)]
    if options.fresh and named:
        raise StackError(
            f"--fresh empties the stack's own servers only, and {' and '.join(named)} names another: leave one out"
        )


def asked_partitions(environ: Mapping[str, str]) -> int:
    """How many partitions a new stack is to have.

    Raises:
        StackError: the variable is no number of partitions.
    """
    text = environ.get(_PARTITIONS) or str(DEFAULT_PARTITIONS)
    if not text.isdecimal() or not 0 < int(text) <= MOST_PARTITIONS:
        raise StackError(f"{_PARTITIONS} is {text!r}: set it to a number from 1 to {MOST_PARTITIONS}, or leave it out")
    return int(text)


def plan_stack(options: StackOptions, environ: Mapping[str, str], kept: Kept, ports: Mapping[str, int]) -> StackPlan:
    """Decides what runs where.

    Raises:
        StackError: see `choose_stripe`.
    """
    stripe = choose_stripe(environ)
    kafka, redis = not environ.get(_KAFKA), not environ.get(_REDIS)
    host = environ.get(_HOST) or LOOPBACK
    env = {
        "BILLING_TOPIC_PREFIX": "",
        "BILLING_REDIS_PREFIX": "",
        _PARTITIONS: str(kept.partitions),
        "BILLING_NAMESPACE": kept.namespace,
    }
    env |= _handed_on(environ, without_kafka=kafka, without_stripe=stripe.base is None)
    env |= {
        "BILLING_API_URL": f"http://{_reached_at(host)}:{ports['api']}",
        STRIPE_BASE: stripe.base or _local_url(ports["stripe-double"]),
        STRIPE_KEY: stripe.api_key,
    }
    if kafka:
        env |= {
            _KAFKA: f"{LOOPBACK}:{ports['kafka']}",
            "BILLING_KAFKA_SECURITY_PROTOCOL": "PLAINTEXT",
            "BILLING_KAFKA_REPLICATION_FACTOR": "1",
        }
    if redis:
        env[_REDIS] = f"redis://{LOOPBACK}:{ports['redis']}/0"
    return StackPlan(options, env, ports, host, kafka, redis, double=stripe.base is None)


def _handed_on(environ: Mapping[str, str], *, without_kafka: bool, without_stripe: bool) -> dict[str, str]:
    left_out = (
        _OWN + (_OF_AN_EXTERNAL_KAFKA if without_kafka else ()) + (_OF_AN_EXTERNAL_STRIPE if without_stripe else ())
    )
    return {
        name: value
        for name, value in environ.items()
        if name.startswith(_PREFIX) and value and not name.startswith(left_out) and not name.endswith("_PORT")
    }


def _reached_at(host: str) -> str:
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        return LOOPBACK
    return f"[{host}]" if ":" in host else host


def _local_url(port: int) -> str:
    return f"http://{LOOPBACK}:{port}"


def service_environment(plan: StackPlan, environ: Mapping[str, str], **own: str) -> dict[str, str]:
    """A child's whole environment: this process's without its BILLING_* variables, the plan's, and its own."""
    inherited = {name: value for name, value in environ.items() if not name.startswith(_PREFIX)}
    return inherited | dict(plan.env) | {"PYTHONUNBUFFERED": "1"} | own
