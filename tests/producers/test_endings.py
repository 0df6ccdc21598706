"""How processes end and begin: SIGTERM, and forks."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from telephony_billing_producers import exit_on_sigterm
from tests.producers.conftest import BOTH_CLIENTS, NOWHERE, UsageTopic, spooled

Run = Callable[..., subprocess.CompletedProcess[str]]

HEAD = """
import os, signal, sys
from pathlib import Path
from prometheus_client import CollectorRegistry
from telephony_billing_producers import EmitterSettings, UsageEmitter, exit_on_sigterm

bootstrap, prefix, spool, client, connect = sys.argv[1:]
registry = CollectorRegistry()
settings = EmitterSettings(
    bootstrap_servers=bootstrap,
    topic_prefix=prefix,
    spool_directory=Path(spool),
    client=client,
    connect_timeout_seconds=float(connect),
)
emitter = UsageEmitter(settings, registry=registry)
def say(*words):  # parent and child at once: a line is one write
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())
def emit(name):
    return emitter.emit("sms.send", "acme", id=name, source="/sms")
"""
TERMINATED = """
exit_on_sigterm()
for number in range(50):
    emit(str(number))
os.kill(os.getpid(), signal.SIGTERM)
"""
FORKED = """
say(emit("parent-before").result(20))
child = os.fork()
if child == 0:
    deliveries = [emit(f"child-{number}") for number in range(5)]
    emitter.flush(20)
    say("child", sorted({str(each.result(0)) for each in deliveries}), registry.get_sample_value(
        "usage_emitter_connected"))
    sys.exit(0)
say("parent", emit("parent-during").result(20))
os.waitpid(child, 0)
say("parent", emit("parent-after").result(20))
"""
FORKED_AWAY = """
emit("parent")
child = os.fork()
if child == 0:
    print("child", emit("child").result(0), flush=True)
    sys.exit(0)
os.waitpid(child, 0)
"""
FORKED_IDLE = """
child = os.fork()
if child == 0:
    emitter.close()
    try:
        emit("late")
    except Exception as error:
        print(type(error).__name__, flush=True)
    sys.exit(0)
os.waitpid(child, 0)
print(emit("parent").result(0), flush=True)
"""
FORKED_ASYNCIO = """
import asyncio
from telephony_billing_producers import AsyncUsageEmitter

async def main():
    async with AsyncUsageEmitter(settings, registry=CollectorRegistry()) as opened:
        child = os.fork()
        try:
            say(await opened.emit("sms.send", "acme", source="/sms"))
        except Exception as error:
            say(error)
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)

asyncio.run(main())
"""
PARENT_DIES = """
emit("parent")
ready, tell = os.pipe()
child = os.fork()
if child == 0:
    emit("child")
    print(os.getpid(), flush=True)
    os.write(tell, b".")
    signal.pause()
os.read(ready, 1)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def run(spool_directory: Path, client: str) -> Run:
    """Runs a program that has an emitter over the test's spool."""

    def start(program: str, bootstrap: str = NOWHERE, prefix: str = "") -> subprocess.CompletedProcess[str]:
        connect = "0.2" if bootstrap == NOWHERE else "10"
        command = [sys.executable, "-c", HEAD + program, bootstrap, prefix, str(spool_directory), client, connect]
        return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)

    return start


def names(directory: Path) -> set[str]:
    """The ids of the spooled events."""
    return {json.loads(record.value)["id"] for record in spooled(directory)}


@BOTH_CLIENTS
def test_sigterm_loses_nothing(run: Run, usage_topic: UsageTopic) -> None:
    """Everything that was accepted before it arrives, and the process ends as shells expect."""
    done = run(TERMINATED, usage_topic.bootstrap, usage_topic.prefix)

    assert done.returncode == 128 + signal.SIGTERM, done.stderr
    assert {json.loads(each.value)["id"] for each in usage_topic.records(50)} == {str(number) for number in range(50)}


def test_a_servers_handler_is_left_alone() -> None:
    """It has its own way to end; the error says where the emitter is closed then."""
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with pytest.raises(RuntimeError, match="handler already"):
            exit_on_sigterm()
    finally:
        signal.signal(signal.SIGTERM, before)


@BOTH_CLIENTS
def test_parent_and_child_both_publish(run: Run, usage_topic: UsageTopic, spool_directory: Path) -> None:
    """The child has a connection of its own; the parent's goes on as if nothing had been."""
    done = run(FORKED, usage_topic.bootstrap, usage_topic.prefix)

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines.count("parent acknowledged") == 2
    assert lines[0] == "acknowledged"
    assert any(line.startswith("child ") and line.endswith(" 1.0") for line in lines), lines
    expected = {"parent-before", "parent-during", "parent-after"} | {f"child-{number}" for number in range(5)}
    assert {json.loads(each.value)["id"] for each in usage_topic.records(8)} == expected
    assert spooled(spool_directory) == []


@BOTH_CLIENTS
def test_a_child_has_a_slot_of_its_own(run: Run, spool_directory: Path) -> None:
    """While Kafka is away."""
    done = run(FORKED_AWAY)

    assert (done.returncode, done.stdout) == (0, "child spooled\n"), done.stderr
    assert names(spool_directory) == {"parent", "child"}
    assert len(list(spool_directory.glob("slot-*"))) == 2


@BOTH_CLIENTS
def test_a_child_that_emits_nothing_takes_nothing(run: Run, spool_directory: Path) -> None:
    """It may close its copy, and that is closed then; the parent's is not."""
    done = run(FORKED_IDLE)

    assert done.stdout == "SpoolClosedError\nspooled\n", done.stderr
    assert len(list(spool_directory.glob("slot-*"))) == 1


def test_an_asyncio_emitter_is_its_parents(run: Run) -> None:
    """In the child it raises an error that says what to do; the parent goes on."""
    done = run(FORKED_ASYNCIO)

    assert done.returncode == 0, done.stderr
    assert min(done.stdout.splitlines(), key=len) == "spooled"
    assert "open it after a fork" in done.stdout


def test_a_dead_parents_slot_is_free_while_its_child_lives(run: Run, spool_directory: Path) -> None:
    """The child keeps no copy of the parent's lock."""
    command = [sys.executable, "-c", HEAD + PARENT_DIES, NOWHERE, "", str(spool_directory), "kafka-python", "0.2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.wait()
        try:
            done = run("print(registry.get_sample_value('usage_emitter_spool_events'))")
            assert done.stdout == "1.0\n", done.stderr
        finally:
            subprocess.run(["kill", "-9", str(child)], check=True)
