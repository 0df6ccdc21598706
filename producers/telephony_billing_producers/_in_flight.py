"""The events that were handed to Kafka and that Kafka has not acknowledged yet."""

from collections import OrderedDict
from concurrent.futures import Future
from enum import StrEnum
from itertools import count
from threading import Lock
from typing import NamedTuple

from ._event import UsageRecord


class Outcome(StrEnum):
    """Where an event is safe: in Kafka, on every in-sync replica, or on this machine's disk, to be sent later."""

    ACKNOWLEDGED = "acknowledged"
    SPOOLED = "spooled"


Delivery = Future[Outcome]


class Pending(NamedTuple):
    """One unacknowledged event; `since` is a reading of the monotonic clock, `sent` of the emitter's, in seconds."""

    record: UsageRecord
    delivery: Delivery
    since: float
    sent: float


class EventsInFlight:
    """A table of unacknowledged events, oldest first, bounded in bytes because kafka-python's buffer is not."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = Lock()
        self._tokens = count()
        self._pending: OrderedDict[int, Pending] = OrderedDict()
        self._bytes = 0
        self._sealed = False

    def __len__(self) -> int:
        return len(self._pending)

    def __contains__(self, token: int) -> bool:
        return token in self._pending

    def add(self, pending: Pending) -> int | None:
        """Takes an event in; gives its token, or None when the table is full or sealed."""
        size = len(pending.record.value)
        with self._lock:
            if self._sealed or self._bytes + size > self._max_bytes:
                return None
            token = next(self._tokens)
            self._pending[token] = pending
            self._bytes += size
            return token

    def take(self, token: int) -> Pending | None:
        """Takes an event out; None when someone else did. Whoever took it settles its delivery."""
        with self._lock:
            pending = self._pending.pop(token, None)
            if pending is not None:
                self._bytes -= len(pending.record.value)
            return pending

    def snapshot(self) -> list[tuple[int, Pending]]:
        """Every event, oldest first; each stays in the table until it is taken out."""
        with self._lock:
            return list(self._pending.items())

    def oldest_since(self) -> float | None:
        """When the oldest event was handed to Kafka, in seconds of the monotonic clock; None when there is none."""
        with self._lock:
            return next(iter(self._pending.values())).since if self._pending else None

    def seal(self) -> None:
        """Takes no further event."""
        with self._lock:
            self._sealed = True
