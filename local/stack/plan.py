"""Plans a stack from the options, the environment and the directory's kept values. Pure."""

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
MOST_PARTITIONS = 1000  # partitions of every topic: one broker holds five such topics
_KAFKA = "BILLING_KAFKA_BOOTSTRAP_SERVERS"
_REDIS = "BILLING_REDIS_URL"
_HOST = "BILLING_HTTP_HOST"
_PARTITIONS = "BILLING_PARTITIONS"
_PREFIX = "BILLING_"
# Variables of one process, or ones that the stack sets itself: not inherited by the services.
_OWN = ("BILLING_PROCESS_NAME", _HOST, "BILLING_HTTP_PORT", "BILLING_API_URL", "BILLING_TEST_")
_OF_AN_EXTERNAL_KAFKA = ("BILLING_KAFKA_",)
_OF_AN_EXTERNAL_STRIPE = ("BILLING_STRIPE_METER_EVENTS_BASE", "BILLING_STRIPE_ACCOUNT")


@dataclass(frozen=True, slots=True, kw_only=True)
class StackOptions:
    """The options of `billing up`."""

    directory: Path
    fresh: bool = False
    demo: bool = True
    aggregators: int = 1
    stripe_workers: int = 1

    @property
    def workers(self) -> tuple[str, ...]:
        """Returns the names of the workers: processes that serve only a health page."""
        return (*_numbered("aggregator", self.aggregators), *_numbered("stripe-sync", self.stripe_workers))


@dataclass(frozen=True, slots=True)
class StackPlan:
    """The processes to run, and their environment.

    Attributes:
        options: the options of the command.
        env: the BILLING_* variables of all clients and services.
        ports: ports by server; those of servers that the stack does not start stay unused.
        http_host: the address that the API listens on.
        kafka: the stack starts a Kafka.
        redis: the stack starts a Redis.
        double: the stack starts the Stripe double.
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
        """Returns the API's address on this machine."""
        return self.env["BILLING_API_URL"]


def _numbered(name: str, count: int) -> list[str]:
    return [f"{name}-{number}" for number in range(1, count + 1)]


def check_options(options: StackOptions, environ: Mapping[str, str]) -> None:
    """Refuses options that contradict the environment.

    Raises:
        StackError: `--fresh` with servers that are not the stack's own.
    """
    named = [name for name in (_KAFKA, _REDIS) if environ.get(name)]
    if options.fresh and named:
        raise StackError(
            f"--fresh empties the stack's own servers only, and {' and '.join(named)} names another: leave one out"
        )


def asked_partitions(environ: Mapping[str, str]) -> int:
    """Returns the number of partitions for a new stack.

    Raises:
        StackError: the variable is not a possible number of partitions.
    """
    text = environ.get(_PARTITIONS) or str(DEFAULT_PARTITIONS)
    if not text.isdecimal() or not 0 < int(text) <= MOST_PARTITIONS:
        raise StackError(f"{_PARTITIONS} is {text!r}: set it to a number from 1 to {MOST_PARTITIONS}, or leave it out")
    return int(text)


def plan_stack(options: StackOptions, environ: Mapping[str, str], kept: Kept, ports: Mapping[str, int]) -> StackPlan:
    """Decides which processes run, on which ports, with which variables.

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
    """Returns a child's environment: this process's without BILLING_* variables, then the plan's, then its own."""
    inherited = {name: value for name, value in environ.items() if not name.startswith(_PREFIX)}
    return inherited | dict(plan.env) | {"PYTHONUNBUFFERED": "1"} | own
