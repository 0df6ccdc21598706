"""For the tests of services: emitters without Kafka and disk, which refuse the same events as the real ones."""

import asyncio
import json
import time as clocks
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from types import TracebackType
from typing import Any, NamedTuple, Self

from ._delivery import Delivery, Outcome
from ._event import Extra, RecordMaker
from ._ids import random_id
from .errors import SpoolClosedError
from .protocol import Emitter

__all__ = ["Emitted", "Emitter", "FakeAsyncEmitter", "FakeEmitter"]


class Emitted(NamedTuple):
    """One event as it was emitted; `id` is random if none was given."""

    meter: str
    account: str
    id: str
    source: str
    quantity: int
    time: datetime


class _Recording:
    """The common part of both fakes."""

    def __init__(self, *, clock: Callable[[], float] = clocks.time, outcome: Outcome = Outcome.ACKNOWLEDGED) -> None:
        self.events: list[Emitted] = []
        self.outcome = outcome
        self.failure: Exception | None = None
        self._records = RecordMaker(clock, random_id)
        self._closed = False

    def total(self, account: str, meter: str) -> int:
        """Returns the units that the platform would count: only the first of several events with one identity."""
        counted = {(each.source, each.id, each.meter, each.account): each for each in reversed(self.events)}
        return sum(each.quantity for each in counted.values() if (each.account, each.meter) == (account, meter))

    def _note(self, **event: Any) -> None:
        if self._closed:
            raise SpoolClosedError("the emitter is closed: emit before close()")
        attributes = json.loads(self._records.make(**event).value)
        if self.failure is not None:
            raise self.failure
        self.events.append(
            Emitted(
                attributes["type"],
                attributes["subject"],
                attributes["id"],
                attributes["source"],
                attributes["data"]["quantity"],
                datetime.fromisoformat(attributes["time"]),
            )
        )


class FakeEmitter(_Recording):
    """Takes a `UsageEmitter`'s place in tests.

    Attributes:
        events: the emitted events, in order, with repetitions.
        outcome: the outcome of all deliveries.
        failure: the error that `emit` raises from now on, such as `SpoolFullError()`; None: it raises none.

    Args:
        clock: Unix seconds, by which an event's time is judged.
        outcome: the outcome of all deliveries.
    """

    def emit(
        self,
        meter: str,
        account: str,
        *,
        source: str,
        id: str | None = None,  # noqa: A002 - CloudEvents' name for it
        quantity: int = 1,
        time: datetime | None = None,
        extra: Extra | None = None,
    ) -> Delivery:
        """Notes the event; the errors are those of `UsageEmitter.emit`."""
        self._note(meter=meter, account=account, source=source, id=id, quantity=quantity, time=time, extra=extra)
        delivery: Delivery = Future()
        delivery.set_result(self.outcome)
        return delivery

    def flush(self, timeout: float) -> None:
        """Nothing is on its way."""

    def close(self, timeout: float = 5.0) -> None:  # noqa: ARG002 - as the real one
        """Takes no further event."""
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class FakeAsyncEmitter(_Recording):
    """Takes an `AsyncUsageEmitter`'s place in tests; attributes and arguments as those of `FakeEmitter`."""

    def emit(
        self,
        meter: str,
        account: str,
        *,
        source: str,
        id: str | None = None,  # noqa: A002 - CloudEvents' name for it
        quantity: int = 1,
        time: datetime | None = None,
        extra: Extra | None = None,
    ) -> asyncio.Future[Outcome]:
        """Notes the event; the errors are those of `AsyncUsageEmitter.emit`."""
        self._note(meter=meter, account=account, source=source, id=id, quantity=quantity, time=time, extra=extra)
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        outcome.set_result(self.outcome)
        return outcome

    async def flush(self, timeout: float) -> None:  # noqa: ASYNC109 - as the real one
        """Nothing is on its way."""

    async def close(self, timeout: float = 5.0) -> None:  # noqa: ARG002, ASYNC109
        """Takes no further event."""
        self._closed = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
