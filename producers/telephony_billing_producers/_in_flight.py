"""The events that were accepted for Kafka and that Kafka has not acknowledged yet."""

from collections import deque
from collections.abc import Iterable
from threading import Lock

from ._delivery import AcceptedEvent


class EventsInFlight:
    """A table of unacknowledged events, oldest first, bounded in bytes because the clients' buffers are not.

    Events that were not handed to a client yet are also in a queue.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = Lock()
        self._events: deque[AcceptedEvent] = deque()  # those that were taken too, until they come first
        self._queue: deque[AcceptedEvent] = deque()
        self._waiting = 0
        self._bytes = 0
        self._sealed = False

    def __len__(self) -> int:
        return self._waiting

    @property
    def queued(self) -> int:
        """Returns the number of events that wait to be handed to a client."""
        return len(self._queue)

    def add(self, event: AcceptedEvent) -> bool:
        """Adds an event. Returns False if the table is full or sealed."""
        size = len(event.value)
        with self._lock:
            if self._sealed or self._bytes + size > self._max_bytes:
                return False
            self._bytes += size
            self._waiting += 1
            self._events.append(event)
            self._queue.append(event)
            return True

    def next_to_send(self, most: int) -> list[AcceptedEvent]:
        """Takes events out of the queue, oldest first; they stay in the table."""
        with self._lock:
            found: list[AcceptedEvent] = []
            while self._queue and len(found) < most:
                event = self._queue.popleft()
                if not event.taken:
                    found.append(event)
            return found

    def take(self, events: Iterable[AcceptedEvent]) -> list[AcceptedEvent]:
        """Takes events out. Returns those that no other thread took.

        Whoever took them settles their deliveries, and says so (`settled`): until then they count as in flight.
        """
        with self._lock:
            found = [event for event in events if not event.taken]
            for event in found:
                event.taken = True
                self._bytes -= len(event.value)
            for events_of in (self._events, self._queue):
                while events_of and events_of[0].taken:
                    events_of.popleft()
            return found

    def settled(self, count: int) -> None:
        """So many events that were taken out are done."""
        with self._lock:
            self._waiting -= count

    def snapshot(self) -> list[AcceptedEvent]:
        """Returns all events, oldest first; they stay in the table."""
        with self._lock:
            return [event for event in self._events if not event.taken]

    def oldest_since(self) -> float | None:
        """Returns the time at which the oldest event was accepted, monotonic seconds; None if there is no event."""
        with self._lock:
            return self._events[0].since if self._events else None

    def seal(self) -> None:
        """Refuses further events."""
        with self._lock:
            self._sealed = True
