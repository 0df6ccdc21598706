"""One spool directory for all processes of a service: every process has a slot, and no event is forgotten."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from telephony_billing_producers import SpoolLockedError, UsageEmitter
from telephony_billing_producers._event import UsageRecord
from telephony_billing_producers._spool import slots
from telephony_billing_producers._spool.spool import Spool
from tests.producers.conftest import NOWHERE, UsageTopic, spooled
from tests.support.eventually import eventually

Start = Callable[..., UsageEmitter]

EMITS_AND_STAYS = """
import sys, time
from pathlib import Path
from prometheus_client import CollectorRegistry
from telephony_billing_producers import EmitterSettings, UsageEmitter

kafka, spool = sys.argv[1], Path(sys.argv[2])
settings = EmitterSettings(bootstrap_servers=kafka, spool_directory=spool, connect_timeout_seconds=0.2)
emitter = UsageEmitter(settings, registry=CollectorRegistry())
for number in range(3):
    emitter.emit("sms.send", "acme", id=f"{sys.argv[3]}-{number}", source="/sms")
print("ready", flush=True)
time.sleep(600)
"""


def record(name: str) -> UsageRecord:
    """A record by its name."""
    return UsageRecord(b"acme", json.dumps({"id": name}).encode())


def leave(directory: Path, slot: int, *names: str) -> None:
    """Leaves events in a slot, like a dead process."""
    spool = Spool(directory / f"slot-{slot:03d}")
    spool.append([record(name) for name in names])
    spool.close()


def killed(spool_directory: Path, names: list[str]) -> None:
    """Processes that emit at the same time and are then killed."""
    command = [sys.executable, "-c", EMITS_AND_STAYS, NOWHERE, str(spool_directory)]
    processes = [subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) for name in names]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    for process in processes:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def test_two_emitters_have_a_slot_each(start_emitter: Start, spool_directory: Path) -> None:
    """On the same directory, in one process or in several."""
    for name in ("first", "second"):
        start_emitter(registry=CollectorRegistry()).emit("sms.send", "acme", id=name, source="/sms")

    assert [len(list((spool_directory / slot).glob("*.jsonl"))) for slot in ("slot-000", "slot-001")] == [1, 1]


def test_what_killed_processes_left_is_sent_by_the_next_one(
    start_emitter: Start, usage_topic: UsageTopic, spool_directory: Path
) -> None:
    """However many were killed, one process that starts sends it all."""
    killed(spool_directory, ["a", "b", "c"])

    emitter = start_emitter(
        bootstrap_servers=usage_topic.bootstrap, topic_prefix=usage_topic.prefix, connect_timeout_seconds=10
    )

    names = {f"{process}-{number}" for process in "abc" for number in range(3)}
    assert {json.loads(each.value)["id"] for each in usage_topic.records(9)} == names
    eventually(lambda: slots.bytes_of_all(spool_directory) == 0)
    emitter.close()


def test_a_living_processes_slot_is_left_alone(tmp_path: Path) -> None:
    """Its events are its own to send."""
    mine, other = slots.open_slot(tmp_path, max_bytes=10_000), slots.open_slot(tmp_path, max_bytes=10_000)
    other.append([record("other")])

    assert slots.take_over(mine, tmp_path) == 0
    assert (mine.events, other.events) == (0, 1)
    other.close()
    assert slots.take_over(mine, tmp_path) == 1
    mine.close()
    assert spooled(tmp_path) == [record("other")]


def test_what_is_taken_over_comes_after_what_is_there(tmp_path: Path) -> None:
    """Events appended later come after both."""
    leave(tmp_path, 1, "b", "c")
    mine = slots.open_slot(tmp_path, max_bytes=10_000)
    mine.append([record("a")])

    slots.take_over(mine, tmp_path)
    mine.append([record("d")])
    mine.close()

    assert [json.loads(each.value)["id"] for each in spooled(tmp_path)] == ["a", "b", "c", "d"]


def test_what_can_not_be_read_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged once; other slots are taken over, and processes start in other slots."""
    leave(tmp_path, 1, "b")
    leave(tmp_path, 2, "c")
    (damaged,) = (tmp_path / "slot-001").glob("*.jsonl")
    damaged.write_bytes(b"\0\0\n")
    mine = slots.open_slot(tmp_path, max_bytes=10_000)

    assert slots.take_over(mine, tmp_path) == 1
    next_one = slots.open_slot(tmp_path, max_bytes=10_000)

    assert next_one.directory.name == "slot-002"
    assert damaged.read_bytes() == b"\0\0\n"
    (told,) = [each.getMessage() for each in caplog.records]
    assert str(damaged) in told
    assert "out of the spool" in told
    assert slots.bytes_of_all(tmp_path) > 0
    mine.close()
    next_one.close()


def test_the_metric_counts_what_lies_in_any_slot(
    start_emitter: Start, spool_directory: Path, registry: CollectorRegistry
) -> None:
    """So a person notices events that no process sends."""
    emitter = start_emitter()
    leave(spool_directory, 7, "left")

    emitter.emit("sms.send", "acme", source="/sms")

    own = registry.get_sample_value("usage_emitter_spool_bytes") or 0
    left = sum(path.stat().st_size for path in (spool_directory / "slot-007").glob("*.jsonl"))
    assert registry.get_sample_value("usage_emitter_spool_directory_bytes") == own + left > own


def test_a_directory_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More processes than that are a mistake."""
    monkeypatch.setattr(slots, "MOST_SLOTS", 2)
    held = [slots.open_slot(tmp_path, max_bytes=1) for _ in range(2)]

    with pytest.raises(SpoolLockedError, match="another directory"):
        slots.open_slot(tmp_path, max_bytes=1)

    for each in held:
        each.close()
