"""The interface of a connection to Kafka, the same for all clients."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from .._delivery import AcceptedEvent
from .._event import CONTENT_TYPE, UsageRecord

HEADERS = [("content-type", CONTENT_TYPE)]
"""The headers of all records."""

LINGER_MS = 20
"""Milliseconds that a client waits for more records: a little latency, but fewer, larger, compressed requests."""

BATCH_BYTES = 64 * 1024
"""Bytes at which a client stops waiting for more records."""

REQUEST_TIMEOUT_MS = 10_000
"""Milliseconds until a request is tried again."""

DELIVERY_TIMEOUT_MS = 30_000
"""Milliseconds until the client gives up a record; the courier's patience ends earlier."""

COMPRESSION = "gzip"
"""The codec that every installation of every client has."""


class KafkaAwayError(Exception):
    """Kafka is away, refuses us or an event, or has no such topic; the message says which."""


class KafkaAnswers(NamedTuple):
    """Kafka's answers since the last call.

    Attributes:
        acknowledged: events that are in the log on every in-sync replica.
        append_ms: the broker's clock at the last of them, Unix milliseconds; None or negative if it is not known.
        failure: the error of a refused event; None if none was refused.
    """

    acknowledged: list[AcceptedEvent]
    append_ms: int | None
    failure: BaseException | None


class KafkaConnection(Protocol):
    """An open connection. All methods but `send` may be called while another thread is in one of them."""

    def send(self, events: Sequence[AcceptedEvent]) -> None:
        """Hands events over, in this order; `answers` returns the results.

        Raises:
            KafkaAwayError: the client did not take an event, nor those behind it.
        """

    def answers(self) -> KafkaAnswers:
        """Returns all new answers; only one thread may call it."""

    def resend(self, records: Sequence[UsageRecord], patience_seconds: float) -> int | None:
        """Sends records, waits until Kafka has acknowledged all, and returns the `append_ms` of the last.

        Raises:
            KafkaAwayError: a record was not taken, or not acknowledged within the patience.
        """

    def discard(self) -> None:
        """Closes at once; gives up events that were not acknowledged."""

    def abandon(self) -> None:
        """Call it in a child process: the connection is the parent's; the child must send nothing, not even at exit."""
