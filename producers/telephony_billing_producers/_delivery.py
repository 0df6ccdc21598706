"""Where an event is safe, as a future that costs little while nobody waits for it."""

from collections.abc import Callable
from concurrent.futures import Future
from enum import StrEnum
from threading import Condition
from typing import Any, TypeVar

from ._event import UsageRecord


class Outcome(StrEnum):
    """Where an event is safe: in Kafka, on every in-sync replica, or on this machine's disk, to be sent later."""

    ACKNOWLEDGED = "acknowledged"
    SPOOLED = "spooled"


Delivery = Future[Outcome]
Part = TypeVar("Part")


class AcceptedEvent(Future[Outcome]):
    """An event on its way, and its delivery; running from the start: an accepted event can't be cancelled.

    The library's own future makes a condition, a lock and three lists, which cost more than checking and writing the
    event does, most of it later, in garbage collection. Most services never wait for one, so this one makes them when
    somebody asks. That is safe because whoever waits, or adds a callback, has made the condition first and looks at
    the state under it; and `_finish` changes the state before it looks for the condition. For the same reason it is
    one object, and not a future beside an entry of a table.

    It stands on the names that `concurrent.futures` has had inside its `Future` since Python 3.2; tests hold it to
    what the library's own does.

    Attributes:
        key: of its record.
        value: of its record.
        since: a reading of the monotonic clock, in seconds.
        sent: a reading of the emitter's clock, Unix seconds.
        handed: what the client has returned for it.
        taken: nobody else may settle it.
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
        """Whether the event is safe, or failed."""
        return self._state == "FINISHED"

    def set_result(self, result: Outcome) -> None:
        """The event is safe; called once."""
        self._result = result
        self._finish()

    def set_exception(self, exception: BaseException | None) -> None:
        """It isn't; called once."""
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
