"""Every process does its work with the rights that docs/security.md gives it, and can do nothing else."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import pytest
import redis
import requests
from confluent_kafka import KafkaError, Producer
from confluent_kafka.admin import AdminClient
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import TopicAuthorizationFailedError
from redis.exceptions import NoPermissionError, ResponseError
from stripe import WebhookSignature

from ledger.keys import ShardKeys
from ledger.script import load
from metering.partition import partition_of
from tests.security.house import PARTITIONS, WEBHOOK_SECRET, House, Process, a_house, running
from tests.security.rules import rules
from tests.support.eventually import eventually

pytestmark = pytest.mark.timeout(300)  # the first test waits for a Kafka and three processes

ACCOUNT, METER = "acme", "sms.send"
KEYS = ShardKeys("", partition_of(ACCOUNT, PARTITIONS))
STATE_ROLES = ("aggregator", "stripe-worker", "operator")
SECONDS = 60.0


@dataclass
class Done:
    """A house in which everything has been done once, and what its processes have said."""

    house: House
    processes: dict[str, Process]
    key: str
    usage: dict[str, Any]
    portal: dict[str, Any]
    periods: dict[str, Any]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    """An account is made, its usage published, counted, read, billed; an operator looks at it and folds it anew."""
    with a_house(tmp_path_factory.mktemp("least")) as house, running(house) as processes:
        house.billing("accounts", "set", ACCOUNT, "--stripe-customer", house.customer(ACCOUNT))
        key = house.billing("keys", "create", ACCOUNT)
        house.billing("emit", "--account", ACCOUNT, "--meter", METER, "--count", "3", role="service")
        api = processes["api"].url

        def get(path: str) -> dict[str, Any]:
            return requests.get(api + path, headers={"Authorization": f"Bearer {key}"}, timeout=10).json()

        def accepted() -> int:
            return int(get("/api/billing/periods")["periods"][0]["usage"][0]["accepted"] or 0)

        eventually(lambda: accepted() == 3, SECONDS, "three units at Stripe")
        session = requests.post(f"{api}/dashboard/session", json={"key": key}, timeout=10)
        assert requests.delete(f"{api}/dashboard/session", cookies=session.cookies, timeout=10).status_code == 204
        report(api)
        house.billing("verify")
        house.billing("status")
        house.billing("dlq", "list")
        house.billing("keys", "list")
        house.billing("stripe", "parked")
        house.billing("stripe", "reconcile")
        house.billing("rebuild", "--shard", str(KEYS.shard), "--yes")
        eventually(lambda: get("/api/billing/usage").get("usage"), SECONDS, "usage after the rebuild")
        yield Done(
            house, processes, key, get("/api/billing/usage"), get("/api/billing/portal"), get("/api/billing/periods")
        )


def report(api: str) -> None:
    """Stripe reports errors of all meters."""
    event = {"id": "evt_1", "object": "v2.core.event", "type": "v1.billing.meter.no_meter_found", "livemode": False}
    body = json.dumps({**event, "created": "2026-06-20T12:00:00.000Z"})
    signature = WebhookSignature.generate_signature_header(body, WEBHOOK_SECRET)
    answer = requests.post(f"{api}/webhooks/stripe", body, headers={"Stripe-Signature": signature}, timeout=10)
    assert answer.status_code == 204


def test_everything_works(done: Done) -> None:
    """Counted, billed, read, and folded anew; the portal opens; no process has died or been refused anything."""
    assert done.usage["usage"][0] == {"meter": METER, "displayName": "SMS Sent", "total": 3}
    assert done.portal["url"].startswith("https://billing.stripe.com/")
    for process in done.processes.values():
        assert process.running
        said = process.command.log.read_text()
        assert "uthoriz" not in said, said
        assert "NOPERM" not in said, said
    assert not done.house.stripe.refused


def test_redis_has_refused_nobody_anything_but_looking_at_its_settings(done: Done) -> None:
    """CONFIG GET is asked for an advice only, as hosted servers refuse it, and CLIENT SETINFO names a library."""
    with redis.Redis.from_url(done.house.redis.url, decode_responses=True) as client:
        refused = {(entry["username"], entry["reason"], entry["object"]) for entry in client.acl_log()}
    assert {what for _, _, what in refused} <= {"config|get", "client|setinfo"}, refused


def test_every_command_of_every_script_is_granted() -> None:
    """Also of those that were not run here: to all who write the state, or to the API."""
    granted = {role: set(re.findall(r"\+(\w+)", rule)) for role, (rule,) in rules("redis").items()}
    assert granted["aggregator"] == granted["stripe-worker"] == granted["operator"]
    for path in files("ledger").joinpath("scripts").iterdir():
        called = {name.lower() for name in re.findall(r"redis\.call\('(\w+)'", path.read_text())}
        assert called <= granted["aggregator"] or called <= granted["api"], path.name


FORBIDDEN_TO_ALL = [
    ("FLUSHALL",),
    ("CONFIG", "SET", "maxmemory-policy", "allkeys-lru"),
    ("ACL", "LIST"),
    ("KEYS", "*"),
    ("SHUTDOWN", "NOSAVE"),
    ("SCRIPT", "FLUSH"),
    ("GET", "another application's"),
    ("SET", "another application's", "x"),
]


@pytest.mark.parametrize("command", FORBIDDEN_TO_ALL, ids=lambda command: " ".join(command[:2]))
@pytest.mark.parametrize("role", [*STATE_ROLES, "api"])
def test_nobody_rules_redis(done: Done, role: str, command: tuple[str, ...]) -> None:
    """No role changes the server, or touches what is not ours."""
    with redis.Redis.from_url(done.house.redis_url(role)) as client, pytest.raises(NoPermissionError):
        client.execute_command(*command)


COUNTERS = KEYS.hours(ACCOUNT, 20_000)
FORBIDDEN_TO_THE_API = [
    ("HSET", COUNTERS, "0", "5"),
    ("HINCRBY", KEYS.fences, "usage", "1"),
    ("DEL", KEYS.fences),
    ("HSET", KEYS.api_keys, "a", "{}"),
    ("EXPIRE", COUNTERS, "1"),
    ("EVAL", "return redis.call('HSET', KEYS[1], '0', '5')", "1", COUNTERS),
    ("EVAL", "return redis.call('HINCRBY', KEYS[1], '0', '5')", "1", COUNTERS),
    ("EVAL_RO", "return redis.call('HSET', KEYS[1], '0', '5')", "1", COUNTERS),
    ("EVALSHA", load("begin_clearing").sha, "1", KEYS.fences, "nonce", "1"),
]


@pytest.mark.parametrize("command", FORBIDDEN_TO_THE_API, ids=lambda command: " ".join(command[:2])[:30])
def test_the_api_reads_counters_and_does_not_write_them(done: Done, command: tuple[str, ...]) -> None:
    """Neither by a command nor by a script, its own or one that the server knows."""
    with redis.Redis.from_url(done.house.redis_url("api")) as client:
        before = client.hgetall(KEYS.fences)
        with pytest.raises(ResponseError, match=r"permission|Write commands are not allowed"):
            client.execute_command(*command)
        assert client.hgetall(KEYS.fences)[b"incarnation"] == before[b"incarnation"]
        assert client.hgetall(COUNTERS) == {}


MAY_WRITE = {
    "usage.events": {"service", "aggregator", "operator"},
    "usage.events.dlq": {"aggregator", "operator"},
    "billing.accounts": {"operator"},
    "billing.api-keys": {"operator"},
    "stripe.pushes": {"stripe-worker", "operator"},
}


@pytest.mark.parametrize("topic", MAY_WRITE)
def test_who_may_not_write_a_topic_can_not(done: Done, topic: str) -> None:
    """Each role that has no business there is refused."""
    for role in rules("kafka").keys() - MAY_WRITE[topic]:
        errors = list[KafkaError]()
        producer = Producer({**done.house.kafka.login(role), "message.timeout.ms": 15_000})
        producer.produce(topic, b"x", on_delivery=lambda error, _, errors=errors: errors.append(error))
        producer.flush(20)
        assert [error.code() for error in errors] == [KafkaError.TOPIC_AUTHORIZATION_FAILED], (role, topic)


@pytest.mark.parametrize(
    ("role", "topic"),
    [
        ("service", "usage.events"),
        ("stripe-worker", "billing.api-keys"),
        ("aggregator", "stripe.pushes"),
        ("aggregator", "usage.events.dlq"),
    ],
)
def test_who_need_not_read_a_topic_can_not(done: Done, role: str, topic: str) -> None:
    """A service does not even see what it has published."""
    consumer = KafkaConsumer(**done.house.kafka.options(role))
    try:
        consumer.assign([TopicPartition(topic, 0)])
        consumer.seek_to_beginning()
        with pytest.raises(TopicAuthorizationFailedError):
            eventually(lambda: consumer.poll(timeout_ms=100), what="an answer")
    finally:
        consumer.close()


@pytest.mark.parametrize("topic", sorted(MAY_WRITE.keys() - {"usage.events"}))
def test_a_service_does_not_see_that_there_are_other_topics(done: Done, topic: str) -> None:
    """It has no business there."""
    found = AdminClient(done.house.kafka.login("service")).list_topics(topic, timeout=15).topics[topic]
    assert found.error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED


def test_each_asks_stripe_with_a_key_of_its_own(done: Done) -> None:
    """The Stripe worker, the API, an operator; nobody else asks."""
    made = {call.split(" ", 1)[0] for call in done.house.stripe.taken}
    assert made == {"stripe-worker", "api", "operator"}
    assert "api POST /v1/billing_portal/sessions" in done.house.stripe.taken
