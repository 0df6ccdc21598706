"""The fakes behave like the real emitters: one contract, run with all four."""

import asyncio
import inspect
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from telephony_billing_producers import (
    AsyncUsageEmitter,
    EmitterSettings,
    InvalidEventError,
    Outcome,
    SmsService,
    SpoolClosedError,
    SpoolFullError,
    UsageEmitter,
)
from telephony_billing_producers.testing import FakeAsyncEmitter, FakeEmitter
from tests.producers.conftest import NOWHERE


@pytest.fixture(params=["real", "fake", "real asyncio", "fake asyncio"])
async def emitter(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    """One of the four, with Kafka away."""
    settings = EmitterSettings(bootstrap_servers=NOWHERE, spool_directory=tmp_path, connect_timeout_seconds=0.1)
    made: dict[str, Any] = {
        "real": lambda: UsageEmitter(settings, registry=CollectorRegistry()),
        "fake": lambda: FakeEmitter(outcome=Outcome.SPOOLED),
        "real asyncio": lambda: AsyncUsageEmitter(settings, registry=CollectorRegistry()),
        "fake asyncio": lambda: FakeAsyncEmitter(outcome=Outcome.SPOOLED),
    }
    async with AsyncExitStack() as stack:
        emitter = made[request.param]()
        enter = stack.enter_async_context if hasattr(emitter, "__aenter__") else None
        yield await enter(emitter) if enter else stack.enter_context(emitter)


async def outcome_of(done: Any) -> Outcome:
    """The outcome of an event."""
    return await (done if inspect.isawaitable(done) else asyncio.wrap_future(done))


async def test_an_event_comes_to_an_outcome(emitter: Any) -> None:
    """Which services pass on as they get it."""
    assert await outcome_of(emitter.emit("sms.send", "acme", source="/sms")) is Outcome.SPOOLED
    assert await outcome_of(SmsService(emitter).sent("acme", "m-1", quantity=2)) is Outcome.SPOOLED


@pytest.mark.parametrize(
    "wrong",
    [
        {"meter": "mms.send"},
        {"account": "two words"},
        {"source": ""},
        {"id": ""},
        {"quantity": -1},
        {"time": datetime.now()},
        {"time": datetime.now(UTC) - timedelta(days=35)},
        {"extra": {"Upper": "x"}},
    ],
)
async def test_an_invalid_event_is_refused_at_once(emitter: Any, wrong: dict[str, Any]) -> None:
    """Not when it is awaited."""
    event: dict[str, Any] = {"meter": "sms.send", "account": "acme", "source": "/sms"} | wrong
    with pytest.raises(InvalidEventError):
        emitter.emit(**event)


async def test_a_closed_emitter_takes_nothing(emitter: Any) -> None:
    """Closing twice is no error."""
    for _ in range(2):
        closing = emitter.close()
        if inspect.isawaitable(closing):
            await closing

    with pytest.raises(SpoolClosedError):
        emitter.emit("sms.send", "acme", source="/sms")


def test_a_fake_counts_as_the_platform_does() -> None:
    """The first of several events with one identity."""
    fake = FakeEmitter()
    sms = SmsService(fake)
    sms.sent("acme", "m-1", quantity=3)
    sms.sent("acme", "m-1", quantity=5)
    sms.sent("acme", "m-2")
    sms.received("acme", "m-1")

    assert fake.total("acme", "sms.send") == 4
    assert fake.total("globex", "sms.send") == 0
    assert [each.id for each in fake.events] == ["m-1", "m-1", "m-2", "m-1"]


def test_a_fake_fails_as_it_is_told() -> None:
    """So that a service's own handling can be tested."""
    fake = FakeEmitter()
    fake.failure = SpoolFullError("full")

    with pytest.raises(SpoolFullError):
        SmsService(fake).sent("acme", "m-1")

    assert fake.events == []
