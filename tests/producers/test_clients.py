"""The two clients behind the emitter, and the hand-over to them."""

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from telephony_billing_producers import UsageEmitter
from telephony_billing_producers._kafka import librdkafka
from tests.producers.conftest import BOTH_CLIENTS, UsageTopic, spooled

Start = Callable[..., UsageEmitter]


@BOTH_CLIENTS
def test_a_burst_of_several_threads_stays_in_order(start_connected: Start, usage_topic: UsageTopic) -> None:
    """Faster than the hand-over's thread, so that callers hand over too: nothing is lost, doubled or overtaken."""
    emitter = start_connected()

    def emit(thread: int) -> None:
        for number in range(1000):
            emitter.emit("sms.send", f"account-{thread}", id=f"{thread}.{number}", source="/sms")

    threads = [threading.Thread(target=emit, args=(thread,)) for thread in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    emitter.flush(timeout=30)

    found = [json.loads(record.value)["id"] for record in usage_topic.records(3000)]
    for thread in range(3):
        assert [i for i in found if i.startswith(f"{thread}.")] == [f"{thread}.{number}" for number in range(1000)]


@pytest.mark.parametrize("options", [{"no.such": 1}, {"acks": "1"}, {"partitioner": "random"}])
def test_an_option_that_librdkafka_does_not_take_is_named(start_emitter: Start, options: dict[str, Any]) -> None:
    """At the start, in its own words for options."""
    with pytest.raises(ValueError, match=next(iter(options))):
        start_emitter(client="librdkafka", kafka_options=options)


def test_a_client_that_does_not_exist_stops_the_service(start_emitter: Start, spool_directory: Path) -> None:
    """With the names of those that do; the spool stays free."""
    with pytest.raises(ValueError, match="use kafka-python or librdkafka"):
        start_emitter(client="confluent")

    assert spooled(spool_directory) == []


def test_a_missing_extra_is_named(start_emitter: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default needs none."""
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    monkeypatch.delitem(sys.modules, librdkafka.__name__)
    start_emitter()

    with pytest.raises(ImportError, match=r"telephony-billing-producers\[librdkafka\]"):
        start_emitter(client="librdkafka")
