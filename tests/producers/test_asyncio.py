"""The asyncio emitter: the loop goes on whatever Kafka and the disk do."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from telephony_billing_producers import (
    AsyncUsageEmitter,
    EmitterSettings,
    Outcome,
    SpoolFullError,
    VoiceService,
    aio,
)
from telephony_billing_producers._courier import Courier
from telephony_billing_producers._kafka.kafka_python import KafkaPythonConnection
from tests.producers.conftest import NOWHERE, UsageTopic, spooled


def settings(spool: Path, **changes: object) -> EmitterSettings:
    """With Kafka away unless told."""
    defaults: dict = {"bootstrap_servers": NOWHERE, "spool_directory": spool, "connect_timeout_seconds": 0.1}
    return EmitterSettings(**(defaults | changes))


@asynccontextmanager
async def held(monkeypatch: pytest.MonkeyPatch, method: str) -> AsyncIterator[Callable[[], None]]:
    """Whoever calls a method of the courier's waits until told: a disk, or a Kafka, that takes its time."""
    release = threading.Event()
    original = getattr(Courier, method)

    def wait(*arguments: object, **named: object) -> object:
        assert release.wait(30)
        return original(*arguments, **named)

    monkeypatch.setattr(Courier, method, wait)
    try:
        yield release.set
    finally:
        release.set()


@pytest.mark.parametrize("method", ["_connect", "deliver", "close"])
async def test_the_loop_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """While the emitter connects, writes or closes, other tasks run: here the one that lets it go on."""
    async with held(monkeypatch, method) as release:
        asyncio.get_running_loop().call_later(0.05, release)  # would never come if the loop stood still
        async with AsyncUsageEmitter(settings(tmp_path), registry=CollectorRegistry()) as emitter:
            assert await emitter.emit("sms.send", "acme", source="/sms") is Outcome.SPOOLED


async def test_kafka_has_what_was_awaited(usage_topic: UsageTopic, tmp_path: Path) -> None:
    """Kafka also has the events that were not awaited."""
    connected = settings(
        tmp_path,
        bootstrap_servers=usage_topic.bootstrap,
        topic_prefix=usage_topic.prefix,
        connect_timeout_seconds=10,
    )
    async with AsyncUsageEmitter(connected, registry=CollectorRegistry()) as emitter:
        voice = VoiceService(emitter)
        outcomes = await asyncio.gather(*(voice.ai("acme", f"c-{number}") for number in range(20)))
        assert set(outcomes) == {Outcome.ACKNOWLEDGED}
        for number in range(20, 40):
            voice.ai("acme", f"c-{number}").cancel()
        await emitter.flush(20)

    ids = [json.loads(each.value)["id"] for each in usage_topic.records(40)]
    assert ids == [f"c-{number}" for number in range(40)]


async def test_the_loop_hands_nothing_over(
    usage_topic: UsageTopic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events that come faster than that go to the emitter's thread, which is slowed in place of the loop."""
    connected = settings(
        tmp_path,
        bootstrap_servers=usage_topic.bootstrap,
        topic_prefix=usage_topic.prefix,
        connect_timeout_seconds=10,
    )
    threads: set[str] = set()
    send = KafkaPythonConnection.send

    def noted(connection: KafkaPythonConnection, events: Any) -> None:
        threads.add(threading.current_thread().name)
        send(connection, events)

    monkeypatch.setattr(KafkaPythonConnection, "send", noted)
    async with AsyncUsageEmitter(connected, registry=CollectorRegistry()) as emitter:
        outcomes = [emitter.emit("sms.send", "acme", id=str(number), source="/sms") for number in range(3000)]
        assert set(await asyncio.gather(*outcomes)) == {Outcome.ACKNOWLEDGED}

    ids = [json.loads(each.value)["id"] for each in usage_topic.records(3000)]
    assert ids == [str(number) for number in range(3000)]
    assert threading.current_thread().name not in threads


async def test_what_was_accepted_is_kept_when_the_emitter_is_closed(tmp_path: Path) -> None:
    """Awaited or not, in order."""
    async with AsyncUsageEmitter(settings(tmp_path), registry=CollectorRegistry()) as emitter:
        for number in range(100):
            emitter.emit("sms.send", "acme", id=str(number), source="/sms")

    assert [json.loads(each.value)["id"] for each in spooled(tmp_path)] == [str(number) for number in range(100)]


async def test_more_than_the_memory_should_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the disk stands still; and taken again when it goes on."""
    monkeypatch.setattr(aio, "MOST_WAITING", 3)
    async with (
        held(monkeypatch, "deliver") as release,
        AsyncUsageEmitter(settings(tmp_path), registry=CollectorRegistry()) as emitter,
    ):
        waiting = [emitter.emit("sms.send", "acme", source="/sms") for _ in range(3)]
        with pytest.raises(SpoolFullError, match="under the same id"):
            emitter.emit("sms.send", "acme", source="/sms")
        release()
        await asyncio.gather(*waiting)
        assert await emitter.emit("sms.send", "acme", source="/sms") is Outcome.SPOOLED


async def test_a_full_spool_fails_the_future(tmp_path: Path) -> None:
    """It was not accepted."""
    async with AsyncUsageEmitter(settings(tmp_path, spool_max_bytes=10), registry=CollectorRegistry()) as emitter:
        with pytest.raises(SpoolFullError):
            await emitter.emit("sms.send", "acme", source="/sms")


async def test_a_start_that_fails_raises(tmp_path: Path) -> None:
    """As the synchronous one does."""
    wrong = settings(tmp_path, kafka_options={"no_such": 1})

    with pytest.raises(ValueError, match="no_such"):
        async with AsyncUsageEmitter(wrong, registry=CollectorRegistry()):
            pass
