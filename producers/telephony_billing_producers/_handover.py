"""The hand-over: a thread that gives accepted events to Kafka's client, and collects the acknowledgements.

`emit` only puts an event into the table. If it gave every event to the client, it would wake the client's thread for
most of them, and the caller would wait for the interpreter's lock. Several events at once cost little more than one.
"""

import time
from collections.abc import Callable
from threading import Event, Lock, Thread

from ._in_flight import EventsInFlight
from ._kafka.connection import KafkaAnswers, KafkaConnection

GATHER_SECONDS = 0.005
"""Seconds between two rounds while events come: less than the client's own linger time."""

IDLE_SECONDS = 1.0
"""Seconds between two looks while nothing is in flight: librdkafka writes its log only during a look."""

REST_SECONDS = 0.05
"""Seconds until the next look while there is no connection."""

MOST_AT_ONCE = 500
"""Events of one hand-over: some milliseconds, in which Kafka's answers wait."""

MOST_QUEUED = 200
"""Events that may wait to be handed over. A caller who is faster than that hands them over himself: it slows him, and
spares the processor the way of each event from one core's cache to the other's."""


class Handover:
    """Moves events from the table to a connection, and answers back.

    Args:
        in_flight: the table.
        connection: the connection of this moment; None while there is none, or nothing should be sent over it.
        answered: takes Kafka's answers.
        failed: takes the error after which a connection can't be used any more.
    """

    def __init__(
        self,
        in_flight: EventsInFlight,
        connection: Callable[[], KafkaConnection | None],
        *,
        answered: Callable[[KafkaConnection, KafkaAnswers], None],
        failed: Callable[[KafkaConnection, BaseException], None],
    ) -> None:
        self._in_flight = in_flight
        self._connection = connection
        self._answered = answered
        self._failed = failed
        self._handing = Lock()
        self._idle = False
        self._wake = Event()
        self._ended = Event()
        self._thread = Thread(target=self._run, name="usage-handover", daemon=True)
        self._thread.start()

    def notice(self) -> None:
        """Call it after every event that was put into the table."""
        if self._idle:
            self._wake.set()

    def is_behind(self) -> bool:
        """Returns whether events come faster than this thread hands them over."""
        return self._in_flight.queued > MOST_QUEUED

    def relieve(self) -> None:
        """Hands over in the caller's thread if this one is behind."""
        if self.is_behind():
            connection = self._connection()
            if connection is not None:
                self._give(connection, MOST_QUEUED)

    def end(self, timeout: float) -> None:
        """Stops the thread; events in the table stay there."""
        self._ended.set()
        self._wake.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._ended.is_set():
            if not len(self._in_flight):
                self._rest()
            connection = self._connection()
            if connection is None:
                self._ended.wait(REST_SECONDS)
                continue
            try:
                self._give(connection, MOST_AT_ONCE)
                if not self._in_flight.queued:
                    time.sleep(GATHER_SECONDS)
                self._answered(connection, connection.answers())
            except Exception as error:  # the events stay in the table, and go to the spool from there
                self._failed(connection, error)
                self._ended.wait(REST_SECONDS)

    def _rest(self) -> None:
        """Waits for an event: a caller that adds one after the look sees that this thread is idle, and wakes it."""
        self._idle = True
        if not len(self._in_flight):
            self._wake.wait(IDLE_SECONDS)
        self._idle = False
        self._wake.clear()

    def _give(self, connection: KafkaConnection, most: int) -> None:
        with self._handing:  # two may take turns, and each account's events stay in order
            events = self._in_flight.next_to_send(most)
            if events:
                try:
                    connection.send(events)
                except Exception as error:  # as above
                    self._failed(connection, error)
