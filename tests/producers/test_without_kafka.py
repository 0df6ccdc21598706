"""The emitter while Kafka is away: an event is on disk before emit() returns."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from telephony_billing_producers import (
    EmitterSettings,
    InvalidEventError,
    Outcome,
    SpoolClosedError,
    SpoolFullError,
    UsageEmitter,
)
from tests.producers.conftest import BOTH_CLIENTS, NOWHERE, spooled

pytestmark = BOTH_CLIENTS

Start = Callable[..., UsageEmitter]

EMITS_FOR_EVER = """
import sys
from pathlib import Path
from prometheus_client import CollectorRegistry
from telephony_billing_producers import EmitterSettings, UsageEmitter

kafka, spool, client = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
settings = EmitterSettings(bootstrap_servers=kafka, spool_directory=spool, client=client, connect_timeout_seconds=0.2)
emitter = UsageEmitter(settings, registry=CollectorRegistry())
number = 0
while True:
    emitter.emit("sms.send", "acme", id=str(number), source="/sms")
    print(number, flush=True)
    number += 1
"""


def test_an_event_is_spooled_when_kafka_is_away(start_emitter: Start, spool_directory: Path) -> None:
    """The delivery is done when emit returns, and says where the event is."""
    emitter = start_emitter()

    delivery = emitter.emit("sms.send", "acme", id="m-1", source="/sms", quantity=2)

    assert delivery.result(timeout=0) is Outcome.SPOOLED
    assert not delivery.cancel()
    emitter.close()
    ((key, value),) = spooled(spool_directory)
    assert key == b"acme"
    assert json.loads(value)["data"] == {"quantity": 2}


def test_the_spools_directory_may_be_a_text(start_emitter: Start, spool_directory: Path) -> None:
    """As it comes from the environment."""
    emitter = start_emitter(spool_directory=str(spool_directory))

    emitter.emit("sms.send", "acme", source="/sms")

    emitter.close()
    assert len(spooled(spool_directory)) == 1


def test_an_event_gets_an_id_and_a_time_when_none_is_given(spool_directory: Path, client: Any) -> None:
    """The id is made by the emitter's source of ids, the time is the emitter's clock."""
    ids = iter(["first", "second"])
    emitter = UsageEmitter(
        EmitterSettings(
            bootstrap_servers=NOWHERE, spool_directory=spool_directory, client=client, connect_timeout_seconds=0.1
        ),
        registry=CollectorRegistry(),
        clock=lambda: 1_800_000_000.5,
        new_id=lambda: next(ids),
    )
    with emitter:
        emitter.emit("sms.send", "acme", source="/sms")
        emitter.emit("sms.send", "acme", source="/sms")

    events = [json.loads(record.value) for record in spooled(spool_directory)]
    assert [event["id"] for event in events] == ["first", "second"]
    assert {event["time"] for event in events} == {"2027-01-15T08:00:00.500Z"}


def test_an_invalid_event_is_refused_and_not_spooled(
    start_emitter: Start, spool_directory: Path, registry: CollectorRegistry
) -> None:
    """It would only become a dead letter."""
    emitter = start_emitter()

    with pytest.raises(InvalidEventError):
        emitter.emit("sms.send", "acme", source="/sms", time=datetime.now(UTC) - timedelta(days=35))

    assert registry.get_sample_value("usage_emitter_events_emitted_total", {"meter": "sms.send"}) is None
    emitter.close()
    assert spooled(spool_directory) == []


def test_a_full_spool_makes_emit_raise(start_emitter: Start, spool_directory: Path) -> None:
    """The service gets an error, and no event is lost silently; accepted events stay."""
    emitter = start_emitter(spool_max_bytes=5500)
    padding = {"padding": "x" * 1000}
    for number in range(4):
        emitter.emit("sms.send", "acme", id=str(number), source="/sms", extra=padding)

    with pytest.raises(SpoolFullError, match="under the same id"):
        emitter.emit("sms.send", "acme", id="4", source="/sms", extra=padding)

    emitter.close()
    assert [json.loads(record.value)["id"] for record in spooled(spool_directory)] == ["0", "1", "2", "3"]


def test_a_closed_emitter_refuses_events(start_emitter: Start) -> None:
    """An event after close() isn't accepted; closing twice is no error."""
    emitter = start_emitter()
    emitter.close()
    emitter.close()

    with pytest.raises(SpoolClosedError):
        emitter.emit("sms.send", "acme", source="/sms")


def test_flush_says_what_is_still_on_its_way(start_emitter: Start) -> None:
    """It cannot succeed while Kafka is away, and loses nothing by saying so."""
    emitter = start_emitter()
    emitter.emit("sms.send", "acme", source="/sms")

    with pytest.raises(TimeoutError, match="0 events in flight and 1 in the spool"):
        emitter.flush(timeout=0.1)


def test_the_metrics_tell_what_waits(start_emitter: Start, registry: CollectorRegistry) -> None:
    """Emitted events by meter, spooled events, and the present contents of the spool."""
    emitter = start_emitter()
    for _ in range(3):
        emitter.emit("voice.ai", "acme", source="/voice")

    assert registry.get_sample_value("usage_emitter_events_emitted_total", {"meter": "voice.ai"}) == 3
    assert registry.get_sample_value("usage_emitter_events_spooled_total") == 3
    assert registry.get_sample_value("usage_emitter_events_acknowledged_total") == 0
    assert registry.get_sample_value("usage_emitter_spool_events") == 3
    assert (registry.get_sample_value("usage_emitter_spool_bytes") or 0) > 3 * 100
    assert registry.get_sample_value("usage_emitter_in_flight_events") == 0
    assert registry.get_sample_value("usage_emitter_connected") == 0


@pytest.mark.parametrize("options", [{"no_such_option": 1}, {"acks": 1}, {"partitioner": None}])
def test_an_option_that_cannot_be_stops_the_service(
    start_emitter: Start, spool_directory: Path, options: dict[str, object]
) -> None:
    """A misconfiguration is an error at the start, and leaves the spool free."""
    with pytest.raises(ValueError, match=next(iter(options))):
        start_emitter(kafka_options=options)

    assert spooled(spool_directory) == []


def test_many_threads_share_an_emitter(start_emitter: Start, spool_directory: Path) -> None:
    """Every thread's events are kept, each thread's in its order."""
    emitter = start_emitter()

    def emit(thread: int) -> None:
        for number in range(25):
            emitter.emit("sms.send", f"account-{thread}", id=f"{thread}.{number}", source="/sms")

    threads = [threading.Thread(target=emit, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    emitter.close()

    ids = [json.loads(record.value)["id"] for record in spooled(spool_directory)]
    for thread in range(4):
        assert [i for i in ids if i.startswith(f"{thread}.")] == [f"{thread}.{number}" for number in range(25)]


def test_kill_9_loses_nothing_that_emit_returned_for(spool_directory: Path, client: str) -> None:
    """A service is killed in the middle of spooling: each event whose emit returned is in the spool, in order."""
    command = [sys.executable, "-c", EMITS_FOR_EVER, NOWHERE, str(spool_directory), client]
    service = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert service.stdout is not None
    try:
        reported = [service.stdout.readline() for _ in range(50)]
    finally:
        os.kill(service.pid, signal.SIGKILL)
    reported += service.stdout.readlines()
    service.wait()
    service.stdout.close()
    returned = [int(line) for line in reported if line.endswith("\n")]

    ids = [int(json.loads(record.value)["id"]) for record in spooled(spool_directory)]

    assert len(returned) >= 50
    assert ids[: len(returned)] == returned
    assert len(ids) <= len(returned) + 1
