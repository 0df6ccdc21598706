"""The emitter: a telephony service publishes its usage events with it."""

import atexit
import time as clocks
from collections.abc import Callable
from datetime import datetime
from threading import Lock
from types import TracebackType
from typing import Self

from prometheus_client import CollectorRegistry

from ._courier import Courier
from ._delivery import Delivery
from ._event import Extra, RecordMaker, UsageRecord
from ._forks import keep_for_ever, tell_after_fork
from ._ids import random_id
from ._metrics import metrics_of
from .errors import SpoolClosedError
from .settings import EmitterSettings


class UsageEmitter:
    """Publishes usage events, keyed by account, so that none is lost. Threads may share one emitter.

    Make one per process and close it at the end; it is a context manager. Kafka's absence is no error: events go to
    the spool, and from there to Kafka when it is back. After a fork the child's copy is an emitter of its own, with its
    own slot of the spool and its own connection; what was in flight is the parent's, and the child's copies of those
    deliveries are never done.

    Args:
        settings: see `EmitterSettings`.
        registry: where the emitter's metrics are registered.
        clock: Unix time in seconds.
        new_id: makes an id for an event that is emitted without one.

    Raises:
        SpoolLockedError: a thousand other emitters use the spool's directory.
        ValueError: a Kafka option that the client doesn't take.
        ImportError: the client is librdkafka, and its extra is not installed.
    """

    def __init__(
        self,
        settings: EmitterSettings,
        *,
        registry: CollectorRegistry,
        clock: Callable[[], float] = clocks.time,
        new_id: Callable[[], str] = random_id,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._records = RecordMaker(clock, new_id)
        self._metrics = metrics_of(registry)
        self._opening = Lock()
        self._closed = False
        self._courier: Courier | None = Courier(settings, self._metrics, clock=clock)
        atexit.register(self.close)
        tell_after_fork(self)

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
        """Accepts one billable action. Doesn't wait for Kafka; writes to disk while Kafka is away.

        Pass a stable `id` that names the action in your own records (a call id, a message id): then emitting
        it again after a crash or a timeout is a duplicate, and billed once. Without one every call is a new event.

        Args:
            meter: the meter's name, such as `sms.send`.
            account: the account that is billed.
            source: the service that saw the action, as a URI reference such as `/voice/eu-1`; ids are unique in it.
            id: the action's own id; a random UUID when None.
            quantity: units of the meter.
            time: when it happened, an aware datetime; now when None.
            extra: CloudEvents extension attributes, for your own use; the platform ignores them.

        Returns:
            A `concurrent.futures.Future` of where the event is safe: in Kafka or on this machine's disk. Until it
            is done, a crash of the process can lose the event: a service that must not lose it waits for it, or
            emits again under the same id when it starts. Its callbacks run in the emitter's threads: keep them short.

        Raises:
            InvalidEventError: the event breaks a bound; the message says which.
            SpoolFullError: Kafka is away and the spool is full; the event was not accepted.
            SpoolClosedError: the emitter is closed.
            OSError: Kafka is away and the spool's disk refuses; emit the event again, under the same id.
        """
        record = self._records.make(meter, account, source=source, id=id, quantity=quantity, time=time, extra=extra)
        return self.deliver(meter, record)

    def deliver(self, meter: str, record: UsageRecord) -> Delivery:
        """Accepts a record that was made before, as `emit` does; for the emitters of this package."""
        delivery = self._own_courier().deliver(record)
        self._metrics.emitted_of(meter).inc()
        return delivery

    def deliver_at_once(self, meter: str, record: UsageRecord) -> Delivery | None:
        """The same for a caller who must not wait; None if accepting it needs the disk or Kafka's client."""
        delivery = None if self._courier is None else self._courier.deliver_at_once(record)
        if delivery is not None:
            self._metrics.emitted_of(meter).inc()
        return delivery

    def flush(self, timeout: float) -> None:
        """Waits until Kafka has acknowledged every accepted event, those in the spool included.

        Args:
            timeout: seconds.

        Raises:
            TimeoutError: some are still on their way. They are not lost: the emitter goes on.
        """
        if self._courier is not None:
            self._courier.flush(timeout)

    def close(self, timeout: float = 5.0) -> None:
        """Gives Kafka `timeout` seconds to acknowledge, and leaves the rest in the spool for the next emitter.

        While Kafka is away there is nothing to wait for but the end of an attempt to connect.

        Raises:
            OSError: the disk refused what Kafka had not acknowledged; those events' deliveries fail with it.
        """
        atexit.unregister(self.close)
        self._closed = True
        if self._courier is not None:
            self._courier.close(timeout)

    def after_fork(self) -> None:
        """Runs in a child before anything else: leaves connection, lock and events to the parent."""
        courier, self._courier = self._courier, None
        self._opening = Lock()
        self._metrics.after_fork()
        if courier is not None:
            keep_for_ever(courier)
            courier.abandon()

    def _own_courier(self) -> Courier:
        """Returns this process's courier; a child makes its own at the first use, without waiting for Kafka."""
        if self._courier is None:
            with self._opening:
                if self._closed:
                    raise SpoolClosedError("the emitter is closed: emit before close()")
                if self._courier is None:
                    self._courier = Courier(self._settings, self._metrics, clock=self._clock, patient=False)
        return self._courier

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
