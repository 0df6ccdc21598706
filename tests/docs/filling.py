"""What a reader puts into the documents' blocks: the one table of it.

A placeholder is written `<NAME>`. The addresses are those of `make up` where 8080 and 9092 are free. Nothing else is
changed before a block is run.
"""

import json
import re
import time
from typing import NamedTuple

from confluent_kafka import Message, Producer

from local.servers.ports import free_port
from metering.rfc3339 import from_unix
from tests.support.eventually import eventually
from tests.support.stack import Stack

PLACEHOLDER = re.compile(r"<([A-Z_]+)>")
PLACEHOLDERS = {"CUSTOMER", "DEMO_KEY", "END", "KEY", "NOW", "OFFSET", "PARTITION", "SECRET", "TOPIC"}
PORTS = ("8000", "8090", "8091")  # of services that a page starts
ACCOUNT = "acct_1"
TOO_OLD = 40 * 86_400  # seconds


class _Place(NamedTuple):
    partition: int
    offset: int


def table(stack: Stack) -> dict[str, str]:
    """What takes the place of what; makes what is needed for it: an account with a key, and dead letters."""
    env = stack.env
    customer = stack.new_customer("a reader")
    stack.billing("accounts", "set", ACCOUNT, "--stripe-customer", customer)
    letter = _dead_letters(stack)
    key = stack.billing("keys", "create", ACCOUNT).split()[-1]
    placeholders = {
        "CUSTOMER": customer,
        "DEMO_KEY": key,
        "END": str(letter.offset + 1),
        "KEY": key,
        "NOW": from_unix(int(time.time())),
        "OFFSET": str(letter.offset),
        "PARTITION": str(letter.partition),
        "SECRET": "a-secret",
        "TOPIC": "usage.events",
    }
    assert placeholders.keys() == PLACEHOLDERS
    addresses = {
        "http://127.0.0.1:8080": env["BILLING_API_URL"],
        "127.0.0.1:9092": env["BILLING_KAFKA_BOOTSTRAP_SERVERS"],
    }
    return (
        {f"<{name}>": value for name, value in placeholders.items()}
        | addresses
        | {port: str(free_port()) for port in PORTS}
    )


def fill(text: str, filled: dict[str, str]) -> str:
    """A block as a reader runs it."""
    printed = "|".join(map(re.escape, sorted(filled, key=len, reverse=True)))
    return re.sub(printed, lambda found: filled[found[0]], text)


def _dead_letters(stack: Stack) -> _Place:
    """One of each kind that the page on dead letters handles; returns the place of the one that is too old."""
    now = int(time.time())
    events = [
        {"id": "wrong-meter", "source": "/sms", "type": "sms.sent", "time": from_unix(now)},
        {"id": "bench", "source": "/test-bench", "type": "sms.bench", "time": from_unix(now)},
        {"id": "too-old", "source": "/sms", "type": "sms.send", "time": from_unix(now - TOO_OLD)},
    ]
    places: list[_Place] = []

    def written(error: object, message: Message) -> None:
        assert error is None, error
        places.append(_Place(message.partition() or 0, message.offset() or 0))

    producer = Producer(
        {"bootstrap.servers": stack.env["BILLING_KAFKA_BOOTSTRAP_SERVERS"], "partitioner": "murmur2_random"}
    )
    for event in events:
        value = json.dumps({"specversion": "1.0", "subject": ACCOUNT} | event)
        producer.produce("usage.events", value.encode(), ACCOUNT, on_delivery=written)
    assert producer.flush(30) == 0
    eventually(lambda: len(stack.dead_letters()) == len(events), 30, "the dead letters")
    return places[-1]
