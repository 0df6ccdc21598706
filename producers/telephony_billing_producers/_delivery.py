"""The delivery of an event, as a future that costs little while no caller waits for it."""

from collections.abc import Callable
from concurrent.futures import Future
from enum import StrEnum
from threading import Condition
from typing import Any, TypeVar

from ._event import UsageRecord


class Outcome(StrEnum):
    """The place where an event is safe: in Kafka on all in-sync replicas, or on this disk, to be sent later."""

    ACKNOWLEDGED = "acknowledged"
    SPOOLED = "spooled"


Delivery = Future[Outcome]
Part = TypeVar("Part")


class AcceptedEvent(Future[Outcome]):
    """An event on its way, and its delivery; running from the start: an accepted event can't be cancelled.

    The standard library's future makes a condition, a lock and three lists. They cost more than checking and writing
    the event, mostly later, in garbage collection. Most services never wait for a delivery, so this class makes them
    only when a caller waits. That is safe: a caller that waits, or adds a callback, first makes the condition and
    checks the state under it; and `_finish` changes the state before it looks for the condition. For the same reason
    the event is one object, and not a future beside a table entry.

    It uses names that `concurrent.futures` has had inside its `Future` since Python 3.2; tests compare its behaviour
    with that of the library's own.

    Attributes:
        key: the key of its record.
        value: the value of its record.
        since: the time at which it was accepted, monotonic seconds.
        sent: the time at which it was accepted, the emitter's clock, Unix seconds.
        handed: the object that the client has returned for it.
        taken: a thread has taken it out of the table; no other thread may settle it.
    """

    _state = "RUNNING"
    _result: Outcome | None = None
    _exception: BaseException | None = None
    handed: Any = None
    taken = False

    def __init__(self, record: UsageRecord, since: float, sent: float) -> None:
        self.key, self.value = record
        self.since = since
        self.sent = sent

    @property
    def _condition(self) -> Condition:  # type: ignore[override]
        return self._made("condition", Condition)

    @property
    def _waiters(self) -> list[Any]:  # type: ignore[override]
        return self._made("waiters", list[Any])

    @property
    def _done_callbacks(self) -> list[Any]:
        return self._made("callbacks", list[Any])

    def _made(self, name: str, make: Callable[[], Part]) -> Part:
        part: Part = self.__dict__.get(name) or self.__dict__.setdefault(name, make())  # two threads get the same
        return part

    def done(self) -> bool:
        """Returns whether the event is safe or has failed."""
        return self._state == "FINISHED"

    def set_result(self, result: Outcome) -> None:
        """Settles the delivery: the event is safe. Called once."""
        self._result = result
        self._finish()

    def set_exception(self, exception: BaseException | None) -> None:
        """Settles the delivery: the event has failed. Called once."""
        self._exception = exception
        self._finish()

    def _finish(self) -> None:
        self._state = "FINISHED"
        self.handed = None
        if "condition" not in self.__dict__:
            return
        with self._condition:
            for waiter in self._waiters:
                waiter.add_exception(self) if self._exception else waiter.add_result(self)
            self._condition.notify_all()
        self._invoke_callbacks()  # type: ignore[attr-defined]
