"""The emitter for asyncio: the same promises, and nothing that blocks the loop."""

import asyncio
import time as clocks
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Self

from prometheus_client import REGISTRY, CollectorRegistry

from ._delivery import Delivery, Outcome
from ._event import Extra, RecordMaker, UsageRecord
from ._forks import tell_after_fork
from ._ids import random_id
from .emitter import UsageEmitter
from .errors import SpoolClosedError, SpoolFullError
from .settings import EmitterSettings

MOST_WAITING = 10_000
"""Events that may wait in memory for the emitter's thread: a second of a slow disk."""


AsyncDelivery = asyncio.Future[Outcome]
"""The type that an asyncio emitter returns."""


class AsyncUsageEmitter:
    """Publishes usage events from one event loop; connecting, writing to the spool and closing are done in a thread.

    An asynchronous context manager: `async with AsyncUsageEmitter(settings) as emitter`. The services take it as they
    take a `UsageEmitter`, and what they return can be awaited.

    Args:
        settings: see `EmitterSettings`.
        registry: where the emitter's metrics are registered.
        clock: Unix time in seconds.
        new_id: makes an id for an event that is emitted without one.
    """

    def __init__(
        self,
        settings: EmitterSettings,
        *,
        registry: CollectorRegistry = REGISTRY,
        clock: Callable[[], float] = clocks.time,
        new_id: Callable[[], str] = random_id,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._clock = clock
        self._records = RecordMaker(clock, new_id)
        self._thread = ThreadPoolExecutor(1, "usage-emitter")
        self._emitter: UsageEmitter | None = None
        self._waiting = 0  # for the thread; changed in the loop only
        self._done: deque[tuple[asyncio.Future[Outcome], Delivery]] = deque()
        self._told = False
        tell_after_fork(self)

    async def __aenter__(self) -> Self:
        """Makes the emitter, in its thread; the errors are those of `UsageEmitter`."""
        self._loop = asyncio.get_running_loop()
        try:
            self._emitter = await self._loop.run_in_executor(self._thread, self._open)
        except BaseException:
            self._thread.shutdown(wait=False)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

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
    ) -> AsyncDelivery:
        """Accepts one billable action, without waiting for Kafka or the disk; arguments as in `UsageEmitter.emit`.

        Returns:
            A future of where the event is safe. Await it where the caller must not be told "done" before that, in a
            webhook for one. Not awaiting it, or cancelling, changes nothing for the event.

        Raises:
            InvalidEventError: the event breaks a bound; the message says which.
            SpoolFullError: 10,000 events wait for the disk; it was not accepted. The future fails with it, too, when
                Kafka is away and the spool is full, and with OSError when the disk refuses.
            SpoolClosedError: the emitter is closed, or not open yet.
        """
        record = self._records.make(meter, account, source=source, id=id, quantity=quantity, time=time, extra=extra)
        emitter = self._opened()
        outcome: asyncio.Future[Outcome] = self._loop.create_future()
        delivery = None if self._waiting else emitter.deliver_at_once(meter, record)
        if delivery is not None:
            delivery.add_done_callback(partial(self._note_done, outcome))
            return outcome
        if self._waiting >= MOST_WAITING:
            raise SpoolFullError(
                f"{self._waiting} events wait for the disk, and no more are taken: emit it again under the same id"
            )
        self._waiting += 1
        self._thread.submit(self._hand_over, emitter, meter, record, outcome)
        return outcome

    async def flush(self, timeout: float) -> None:  # noqa: ASYNC109 - that of `UsageEmitter.flush`, which it becomes
        """Waits until Kafka has acknowledged every accepted event; see `UsageEmitter.flush`."""
        emitter = self._opened()
        await self._loop.run_in_executor(self._thread, int)  # what was accepted before has been handed over
        await asyncio.to_thread(emitter.flush, timeout)

    async def close(self, timeout: float = 5.0) -> None:  # noqa: ASYNC109
        """Gives Kafka `timeout` seconds, and leaves the rest in the spool; see `UsageEmitter.close`."""
        emitter, self._emitter = self._emitter, None
        if emitter is not None:
            try:
                await self._loop.run_in_executor(self._thread, emitter.close, timeout)
            finally:
                self._thread.shutdown(wait=False)

    def after_fork(self) -> None:
        """In a child: thread and loop are the parent's, so the child's copy is closed, and says so."""
        self._emitter = None

    def _open(self) -> UsageEmitter:
        return UsageEmitter(self._settings, registry=self._registry, clock=self._clock)

    def _opened(self) -> UsageEmitter:
        if self._emitter is None:
            raise SpoolClosedError(
                "the emitter is not open in this process: emit between `async with` and its end; open it after a fork"
            )
        return self._emitter

    # In the emitter's threads.

    def _hand_over(
        self, emitter: UsageEmitter, meter: str, record: UsageRecord, outcome: asyncio.Future[Outcome]
    ) -> None:
        try:
            delivery = emitter.deliver(meter, record)
        except Exception as error:  # whoever awaits it hears of it
            self._tell(self._refuse, outcome, error)
            return
        self._tell(self._accept)
        delivery.add_done_callback(partial(self._note_done, outcome))

    def _note_done(self, outcome: asyncio.Future[Outcome], delivery: Delivery) -> None:
        """Many are done together: the loop is woken once for them."""
        self._done.append((outcome, delivery))
        if not self._told:
            self._told = True
            self._tell(self._settle_all)

    def _tell(self, callback: Callable[..., None], *arguments: object) -> None:
        with suppress(RuntimeError):  # the loop has ended: nobody waits any more, and the event is safe all the same
            self._loop.call_soon_threadsafe(callback, *arguments)

    # In the loop.

    def _accept(self) -> None:
        self._waiting -= 1

    def _refuse(self, outcome: asyncio.Future[Outcome], error: Exception) -> None:
        self._waiting -= 1
        if not outcome.done():
            outcome.set_exception(error)

    def _settle_all(self) -> None:
        self._told = False  # before the look: who comes after it tells again
        while self._done:
            self._settle(*self._done.popleft())

    @staticmethod
    def _settle(outcome: asyncio.Future[Outcome], delivery: Delivery) -> None:
        if outcome.done():
            return
        error = delivery.exception()
        if error is None:
            outcome.set_result(delivery.result())
        else:
            outcome.set_exception(error)
