"""The courier: takes records to Kafka or to the spool, and never drops one.

A record takes one of two ways. While Kafka answers, the record goes into the table of events in flight; from there the
hand-over gives it to Kafka. While Kafka is away, or slower than the caller, the record is on disk before `deliver`
returns. If Kafka refuses an event in the table, or does not acknowledge it within the patience, the table's events go
to the spool too, and the courier makes a new connection. A thread sends the spool, oldest first, whenever Kafka
answers. So a record can reach the log twice; the platform counts it once.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Condition, Event, Thread

from ._clock_skew import ClockWatch
from ._delivery import AcceptedEvent, Delivery, Outcome
from ._event import UsageRecord
from ._handover import Handover
from ._in_flight import EventsInFlight
from ._kafka.connection import KafkaAnswers, KafkaAwayError, KafkaConnection
from ._kafka.opening import open_connection
from ._metrics import EmitterMetrics, Source
from ._spool.segment import read_segment
from ._spool.slots import open_slot, take_over
from .contract import TOPIC
from .settings import EmitterSettings

log = logging.getLogger(__name__)

LOOK_SECONDS = 10.0
"""Seconds between two looks of a connected emitter for slots that dead processes have left."""


class Courier:
    """Owns the connection, the table of events in flight, the spool and the threads that look after them."""

    def __init__(
        self, settings: EmitterSettings, metrics: EmitterMetrics, *, clock: Callable[[], float], patient: bool = True
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._clock_watch = ClockWatch(metrics)
        self._next_look = 0.0  # at other slots, on the monotonic clock
        self._topic = settings.topic_prefix + TOPIC
        self._in_flight = EventsInFlight(settings.buffer_bytes)
        self._settled = Condition()
        self._refused = Event()
        self._closing = Event()
        self._away = False
        self._connection: KafkaConnection | None = None
        self._spool = open_slot(settings.spool_path, max_bytes=settings.spool_max_bytes)
        try:
            if patient:
                self._connect()
        except BaseException:
            self._spool.close()
            raise
        self._source = Source(
            in_flight_events=lambda: len(self._in_flight),
            spool_events=lambda: self._spool.events,
            spool_bytes=lambda: self._spool.size,
            is_connected=lambda: self._connection is not None,
            spool_directory=settings.spool_path,
        )
        metrics.watch(self._source)
        self._handover = Handover(
            self._in_flight, self._open_connection, answered=self._settle, failed=self._note_refused
        )
        self._thread = Thread(target=self._run, name="usage-courier", daemon=True)
        self._thread.start()

    def deliver(self, record: UsageRecord) -> Delivery:
        """Accepts a record; see `UsageEmitter.emit` for the outcome and the errors."""
        event = AcceptedEvent(record, time.monotonic(), self._clock())
        if self._accept(event):
            self._handover.relieve()
        else:
            self._spool.append([record])
            self._metrics.spooled.inc()
            event.set_result(Outcome.SPOOLED)
        return event

    def deliver_at_once(self, record: UsageRecord) -> Delivery | None:
        """Accepts a record if that needs neither the disk nor Kafka's client; None if it does."""
        event = AcceptedEvent(record, time.monotonic(), self._clock())
        return event if not self._handover.is_behind() and self._accept(event) else None

    def flush(self, timeout: float) -> None:
        """Waits until Kafka has everything; see `UsageEmitter.flush`."""
        with self._settled:
            if not self._settled.wait_for(lambda: not (len(self._in_flight) or self._spool.events), timeout):
                raise TimeoutError(
                    f"{len(self._in_flight)} events in flight and {self._spool.events} in the spool are not "
                    f"acknowledged after {timeout} s; they are kept and sent when Kafka takes them"
                )

    def close(self, timeout: float) -> None:
        """Gives Kafka `timeout` seconds and spools the rest; see `UsageEmitter.close`."""
        if self._closing.is_set():
            return
        self._in_flight.seal()
        if self._connection is not None:
            with suppress(TimeoutError):
                self.flush(timeout)
        self._closing.set()
        ending = self._settings.connect_timeout_seconds + self._settings.patience_seconds
        self._handover.end(ending)
        self._thread.join(ending)
        try:
            self._leave()
        except OSError as error:
            self._fail_all(error)
            raise
        finally:
            self._spool.close()
            self._metrics.forget(self._source)

    def abandon(self) -> None:
        """Call it in a child process after a fork: connection, lock and events belong to the parent."""
        if self._connection is not None:
            self._connection.abandon()
        self._spool.abandon()

    # To Kafka: the hand-over's thread, or a caller who hands over.

    def _accept(self, event: AcceptedEvent) -> bool:
        """False if the event must go to the spool."""
        if self._open_connection() is None or not self._in_flight.add(event):
            return False
        self._handover.notice()
        return True

    def _open_connection(self) -> KafkaConnection | None:
        """Returns the connection for events; None if they go to the spool."""
        return None if self._refused.is_set() else self._connection

    def _settle(self, connection: KafkaConnection, answers: KafkaAnswers) -> None:
        if answers.failure is not None:
            self._note_refused(connection, answers.failure)
        # Events that another thread took were spooled meanwhile: Kafka will acknowledge them again, as duplicates.
        taken = self._in_flight.take(answers.acknowledged)
        if taken:
            self._clock_watch.note(taken[-1].sent, self._clock(), answers.append_ms)
            self._metrics.acknowledged.inc(len(taken))
            self._finish(taken, Outcome.ACKNOWLEDGED)

    def _note_refused(self, connection: KafkaConnection, error: BaseException) -> None:
        if connection is self._connection and len(self._in_flight):
            self._note_away(error)
            self._refused.set()

    # To the spool and back: the courier's own thread.

    def _run(self) -> None:
        while not self._closing.wait(self._settings.retry_seconds):
            try:
                self._round()
            except Exception:  # the events stay where they are, in flight or spooled, and the next round starts anew
                log.exception("the spool or the connection to Kafka failed; trying again")
                self._refused.set()

    def _round(self) -> None:
        stranded = self._connection is None and len(self._in_flight)  # accepted just when it was given up
        if self._refused.is_set() or self._is_stalled() or stranded:
            self._leave()
        if self._connection is None:
            self._connect()
        if self._connection is not None:
            self._resend(self._connection)
        if self._connection is not None and time.monotonic() >= self._next_look:
            taken = take_over(self._spool, self._settings.spool_path)  # one slot: the next round sends it
            self._next_look = 0.0 if taken else time.monotonic() + LOOK_SECONDS

    def _connect(self) -> None:
        try:
            connection = open_connection(self._settings, self._topic)
        except KafkaAwayError as error:
            self._note_away(error)
            return
        if self._closing.is_set():
            connection.discard()
            return
        if self._away:
            log.info("Kafka is there; %d events wait in the spool", self._spool.events)
        self._away = False
        self._connection = connection

    def _leave(self) -> None:
        """Spools the events in flight, and closes the connection."""
        connection, self._connection = self._connection, None
        self._refused.clear()
        try:
            self._rescue()
        finally:
            if connection is not None:
                connection.discard()

    def _rescue(self) -> None:
        waiting = self._in_flight.snapshot()
        self._spool.append([UsageRecord(event.key, event.value) for event in waiting], bounded=False)
        taken = self._in_flight.take(waiting)
        self._metrics.spooled.inc(len(taken))
        self._finish(taken, Outcome.SPOOLED)

    def _finish(self, taken: list[AcceptedEvent], outcome: Outcome) -> None:
        try:
            for event in taken:
                event.set_result(outcome)
        finally:
            self._in_flight.settled(len(taken))
            self._announce()

    def _resend(self, connection: KafkaConnection) -> None:
        while not self._closing.is_set() and (segment := self._spool.oldest()) is not None:
            records = read_segment(segment.path)
            begun = self._clock()
            try:
                append_ms = connection.resend(records, self._settings.patience_seconds)
            except KafkaAwayError as error:
                self._note_away(error)
                self._leave()
                return
            self._clock_watch.note(begun, self._clock(), append_ms)
            self._spool.discard(segment)
            self._metrics.acknowledged.inc(len(records))
            self._announce()

    def _fail_all(self, error: OSError) -> None:
        taken = self._in_flight.take(self._in_flight.snapshot())
        for event in taken:
            event.set_exception(error)
        self._in_flight.settled(len(taken))

    def _note_away(self, error: BaseException) -> None:
        if not self._away:
            self._away = True
            log.warning("Kafka does not take events, they go to the spool: %s", error)

    def _is_stalled(self) -> bool:
        since = self._in_flight.oldest_since()
        return since is not None and time.monotonic() - since > self._settings.patience_seconds

    def _announce(self) -> None:
        if len(self._in_flight) == 0:
            with self._settled:
                self._settled.notify_all()
