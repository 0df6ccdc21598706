"""The courier: takes records to Kafka, or to the spool, and never drops one.

A record goes one of two ways. While Kafka answers it is handed to Kafka; while Kafka is away, or slower than
records come, it is on disk before `deliver` returns. What was handed to Kafka and is refused, or not acknowledged
within the patience, goes to the spool as well, and the connection is made anew. A thread sends the spool, oldest
first, whenever Kafka is there. So a record can reach the log twice; the platform counts it once.
"""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from threading import Condition, Event, Thread
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from ._clock_skew import ClockWatch
from ._event import CONTENT_TYPE, UsageRecord
from ._in_flight import Delivery, EventsInFlight, Outcome, Pending
from ._kafka_client import abandon_producer, discard_producer, open_producer
from ._metrics import EmitterMetrics, Source
from ._spool.segment import read_segment
from ._spool.slots import open_slot, take_over
from .contract import TOPIC
from .settings import EmitterSettings

log = logging.getLogger(__name__)

LOOK_SECONDS = 10.0
"""How often a connected emitter looks for slots that dead processes have left."""

_HEADERS = [("content-type", CONTENT_TYPE)]


class Courier:
    """Owns the connection, the table of events in flight, the spool and the thread that looks after them."""

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
        self._producer: KafkaProducer | None = None
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
            is_connected=lambda: self._producer is not None,
            spool_directory=settings.spool_path,
        )
        metrics.watch(self._source)
        self._thread = Thread(target=self._run, name="usage-courier", daemon=True)
        self._thread.start()

    def deliver(self, record: UsageRecord) -> Delivery:
        """Accepts a record; see `UsageEmitter.emit` for the outcome and the errors."""
        delivery: Delivery = Future()
        delivery.set_running_or_notify_cancel()  # an accepted event cannot be cancelled
        if not self._hand_over(record, delivery):
            self._spool.append([record])
            self._metrics.spooled.inc()
            delivery.set_result(Outcome.SPOOLED)
        return delivery

    def flush(self, timeout: float) -> None:
        """Waits until Kafka has everything; see `UsageEmitter.flush`."""
        with self._settled:
            if not self._settled.wait_for(self._is_settled, timeout):
                raise TimeoutError(
                    f"{len(self._in_flight)} events in flight and {self._spool.events} in the spool are not "
                    f"acknowledged after {timeout} s; they are kept and sent when Kafka takes them"
                )

    def close(self, timeout: float) -> None:
        """Gives Kafka `timeout` seconds and spools the rest; see `UsageEmitter.close`."""
        if self._closing.is_set():
            return
        self._in_flight.seal()
        if self._producer is not None:
            with suppress(TimeoutError):
                self.flush(timeout)
        self._closing.set()
        self._thread.join(self._settings.connect_timeout_seconds + self._settings.patience_seconds)
        try:
            self._leave()
        except OSError as error:
            self._fail_all(error)
            raise
        finally:
            self._spool.close()
            self._metrics.forget(self._source)

    def abandon(self) -> None:
        """In a child process: leaves connection, lock and events to the parent, whose they are."""
        if self._producer is not None:
            abandon_producer(self._producer)
        self._spool.abandon()

    # To Kafka: the caller's thread hands over, kafka-python's thread reports back.

    def _hand_over(self, record: UsageRecord, delivery: Delivery) -> bool:
        """False when the caller must spool the record itself."""
        producer = self._producer
        if producer is None or self._refused.is_set() or self._is_stalled():
            return False
        token = self._in_flight.add(Pending(record, delivery, time.monotonic(), self._clock()))
        if token is None:
            return False
        try:
            sent = self._send(producer, record)
        except Exception as error:  # whatever kept it from being sent, the event must not be lost
            self._refuse(token, error)
            return self._in_flight.take(token) is None
        sent.add_callback(partial(self._acknowledge, token))
        sent.add_errback(partial(self._refuse, token))
        return True

    def _send(self, producer: KafkaProducer, record: UsageRecord) -> Any:
        return producer.send(self._topic, key=record.key, value=record.value, headers=_HEADERS)

    def _acknowledge(self, token: int, metadata: Any) -> None:
        pending = self._in_flight.take(token)
        if pending is None:
            return  # spooled meanwhile: it will be acknowledged again, as a duplicate
        self._clock_watch.note(pending.sent, self._clock(), metadata.timestamp)
        self._metrics.acknowledged.inc()
        pending.delivery.set_result(Outcome.ACKNOWLEDGED)
        self._announce()

    def _refuse(self, token: int, error: BaseException) -> None:
        if token in self._in_flight:
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
        if self._refused.is_set() or self._is_stalled():
            self._leave()
        if self._producer is None:
            self._connect()
        if self._producer is not None:
            self._resend(self._producer)
        if self._producer is not None and time.monotonic() >= self._next_look:
            taken = take_over(self._spool, self._settings.spool_path)  # one slot: the next round sends it
            self._next_look = 0.0 if taken else time.monotonic() + LOOK_SECONDS

    def _connect(self) -> None:
        settings = self._settings
        try:
            producer = open_producer(
                settings.bootstrap_servers,
                self._topic,
                timeout_seconds=settings.connect_timeout_seconds,
                options=settings.kafka_options,
            )
        except KafkaError as error:
            self._note_away(error)
            return
        if self._closing.is_set():
            discard_producer(producer)
            return
        if self._away:
            log.info("Kafka is there; %d events wait in the spool", self._spool.events)
        self._away = False
        self._producer = producer

    def _leave(self) -> None:
        """Spools what is in flight and gives the connection up."""
        producer, self._producer = self._producer, None
        self._refused.clear()
        try:
            self._rescue()
        finally:
            if producer is not None:
                discard_producer(producer)

    def _rescue(self) -> None:
        waiting = self._in_flight.snapshot()
        self._spool.append([pending.record for _, pending in waiting], bounded=False)
        for token, pending in waiting:
            if self._in_flight.take(token) is not None:
                self._metrics.spooled.inc()
                pending.delivery.set_result(Outcome.SPOOLED)

    def _resend(self, producer: KafkaProducer) -> None:
        while not self._closing.is_set() and (segment := self._spool.oldest()) is not None:
            records = read_segment(segment.path)
            begun = self._clock()
            try:
                for sent in [self._send(producer, record) for record in records]:
                    metadata = sent.get(timeout=self._settings.patience_seconds)
            except KafkaError as error:
                self._note_away(error)
                self._leave()
                return
            self._clock_watch.note(begun, self._clock(), metadata.timestamp)
            self._spool.discard(segment)
            self._metrics.acknowledged.inc(len(records))
            self._announce()

    def _fail_all(self, error: OSError) -> None:
        for token, pending in self._in_flight.snapshot():
            if self._in_flight.take(token) is not None:
                pending.delivery.set_exception(error)

    def _note_away(self, error: BaseException) -> None:
        if not self._away:
            self._away = True
            log.warning("Kafka does not take events, they go to the spool: %s", error)

    def _is_stalled(self) -> bool:
        since = self._in_flight.oldest_since()
        return since is not None and time.monotonic() - since > self._settings.patience_seconds

    def _is_settled(self) -> bool:
        return len(self._in_flight) == 0 and self._spool.events == 0

    def _announce(self) -> None:
        if len(self._in_flight) == 0:
            with self._settled:
                self._settled.notify_all()
