"""The emitter: what a telephony service holds to publish its usage events."""

import atexit
import time as clocks
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from prometheus_client import CollectorRegistry

from producers.courier import Courier
from producers.event import Extra, UsageEvent, build_record
from producers.in_flight import Delivery
from producers.metrics import EmitterMetrics
from producers.settings import EmitterSettings


def _random_id() -> str:
    return str(uuid.uuid4())


class UsageEmitter:
    """Publishes usage events, keyed by account, so that none is lost. Threads may share one emitter.

    Make one per process, after any fork, and close it at the end; it is a context manager. Kafka's absence is no
    error: events go to the spool, and from there to Kafka when it is back.

    Args:
        settings: see `EmitterSettings`.
        registry: where the emitter's metrics are registered.
        clock: Unix time in seconds.
        new_id: makes an id for an event that is emitted without one.

    Raises:
        SpoolLockedError: another emitter uses the spool's directory.
        SpoolCorruptError: the spool of an earlier run cannot be read.
        ValueError: a Kafka option that kafka-python doesn't take.
    """

    def __init__(
        self,
        settings: EmitterSettings,
        *,
        registry: CollectorRegistry,
        clock: Callable[[], float] = clocks.time,
        new_id: Callable[[], str] = _random_id,
    ) -> None:
        self._clock = clock
        self._new_id = new_id
        self._metrics = EmitterMetrics(registry)
        self._courier = Courier(settings, self._metrics)
        atexit.register(self.close)

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
            account: who is billed.
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
        now = self._clock()
        event = UsageEvent(
            meter=meter,
            account=account,
            id=self._new_id() if id is None else id,
            source=source,
            time=datetime.fromtimestamp(now, UTC) if time is None else time,
            quantity=quantity,
            extra=extra,
        )
        delivery = self._courier.deliver(build_record(event, now))
        self._metrics.emitted.labels(meter).inc()
        return delivery

    def flush(self, timeout: float) -> None:
        """Waits until Kafka has acknowledged every accepted event, those in the spool included.

        Args:
            timeout: seconds.

        Raises:
            TimeoutError: some are still on their way. They are not lost: the emitter goes on.
        """
        self._courier.flush(timeout)

    def close(self, timeout: float = 5.0) -> None:
        """Gives Kafka `timeout` seconds to acknowledge, and leaves the rest in the spool for the next emitter.

        While Kafka is away there is nothing to wait for but the end of an attempt to connect.

        Raises:
            OSError: the disk refused what Kafka had not acknowledged; those events' deliveries fail with it.
        """
        atexit.unregister(self.close)
        self._courier.close(timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
