"""The plan of a stack, and the settings of its processes."""

from pathlib import Path

import pytest

from local.stack.directory import Kept
from local.stack.errors import StackError
from local.stack.plan import (
    StackOptions,
    StackPlan,
    asked_partitions,
    check_options,
    plan_stack,
    service_environment,
)
from local.stack.settings import settings_of
from runtime.settings import KafkaSettings, StripeSettings
from stripe_sync.settings import StripeSyncSettings

KEPT = Kept(namespace="ours", partitions=12)
PORTS = {"kafka": 1, "kafka-controller": 2, "redis": 3, "stripe-double": 4, "api": 5}
OPTIONS = StackOptions(directory=Path("/data"))


def plan(**environ: str) -> StackPlan:
    """The plan for an environment."""
    return plan_stack(OPTIONS, environ, KEPT, PORTS)


def test_everything_is_embedded_unless_named() -> None:
    """An empty environment means the stack's own servers, at their ports."""
    empty = plan()
    assert (empty.kafka, empty.redis, empty.double) == (True, True, True)
    assert empty.env["BILLING_KAFKA_BOOTSTRAP_SERVERS"] == "127.0.0.1:1"
    assert empty.env["BILLING_REDIS_URL"] == "redis://127.0.0.1:3/0"
    assert empty.env["BILLING_STRIPE_API_BASE"] == "http://127.0.0.1:4"
    assert empty.env["BILLING_API_URL"] == empty.api_url == "http://127.0.0.1:5"
    assert empty.env["BILLING_NAMESPACE"] == "ours"
    assert empty.env["BILLING_PARTITIONS"] == "12"
    assert settings_of(StripeSyncSettings, empty.env).push_interval_seconds == 5


def test_named_servers_are_used() -> None:
    """Servers that the environment names are not started, and their login settings are passed on."""
    named = plan(
        BILLING_KAFKA_BOOTSTRAP_SERVERS="far:9092",
        BILLING_KAFKA_SECURITY_PROTOCOL="SASL_SSL",
        BILLING_REDIS_URL="redis://far/1",
        BILLING_STRIPE_API_BASE="http://127.0.0.1:77",
    )
    assert (named.kafka, named.redis, named.double) == (False, False, False)
    assert named.env["BILLING_KAFKA_SECURITY_PROTOCOL"] == "SASL_SSL"
    assert named.env["BILLING_REDIS_URL"] == "redis://far/1"
    assert settings_of(StripeSettings, named.env).stripe_meter_events_base == "http://127.0.0.1:77"


def test_an_embedded_server_is_not_reached_by_another_ones_settings() -> None:
    """How to log in at a Kafka, or where a Stripe takes meter events, means nothing for the embedded ones."""
    env = plan(
        BILLING_KAFKA_SECURITY_PROTOCOL="SASL_SSL",
        BILLING_KAFKA_REPLICATION_FACTOR="3",
        BILLING_STRIPE_METER_EVENTS_BASE="https://far.example",
        BILLING_STRIPE_RATE_LIMIT="7",
    ).env
    kafka, stripe = settings_of(KafkaSettings, env), settings_of(StripeSettings, env)
    assert (kafka.kafka_security_protocol, kafka.kafka_replication_factor) == ("PLAINTEXT", 1)
    assert stripe.stripe_meter_events_base == stripe.stripe_api_base
    assert stripe.stripe_rate_limit == 7


def test_the_environment_goes_before_the_defaults() -> None:
    """A namespace, a number of partitions and a push interval that are set are used."""
    env = plan(BILLING_NAMESPACE="theirs", BILLING_PARTITIONS="3", BILLING_PUSH_INTERVAL_SECONDS="60").env
    assert (env["BILLING_NAMESPACE"], env["BILLING_PARTITIONS"]) == ("theirs", "3")
    assert env["BILLING_PUSH_INTERVAL_SECONDS"] == "60"


@pytest.mark.parametrize("text", ["0", "-1", "abc", "1.5", "1001"])
def test_a_number_of_partitions_that_cannot_be_is_refused(text: str) -> None:
    """Before anything is kept of it."""
    with pytest.raises(StackError, match="BILLING_PARTITIONS"):
        asked_partitions({"BILLING_PARTITIONS": text})


def test_a_service_sees_the_plan_and_nothing_else_of_ours() -> None:
    """BILLING_ variables of this process that the plan does not hold are not inherited; all others are."""
    environ = {"PATH": "/bin", "BILLING_TEST_KAFKA": "x", "BILLING_HTTP_PORT": "5", "BILLING_PROCESS_NAME": "other"}
    env = service_environment(plan(**environ), environ, BILLING_PROCESS_NAME="aggregator-1")
    assert (env["PATH"], env["BILLING_PROCESS_NAME"]) == ("/bin", "aggregator-1")
    assert not {"BILLING_TEST_KAFKA", "BILLING_HTTP_PORT"} & set(env)


def test_an_api_on_every_address_is_reached_on_this_machine() -> None:
    """The printed URL is one that a client can use."""
    everywhere = plan(BILLING_HTTP_HOST="0.0.0.0")  # noqa: S104 - nothing listens
    assert everywhere.http_host == "0.0.0.0"  # noqa: S104
    assert everywhere.api_url == "http://127.0.0.1:5"


@pytest.mark.parametrize("variable", ["BILLING_KAFKA_BOOTSTRAP_SERVERS", "BILLING_REDIS_URL"])
def test_fresh_does_not_promise_to_empty_foreign_servers(variable: str) -> None:
    """--fresh with a named server is refused, and the variable named."""
    with pytest.raises(StackError, match=variable):
        check_options(StackOptions(directory=Path("/data"), fresh=True), {variable: "far"})
