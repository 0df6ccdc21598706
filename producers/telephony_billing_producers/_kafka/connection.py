"""A connection to Kafka as the courier knows it, whichever client is behind it."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from .._delivery import AcceptedEvent
from .._event import CONTENT_TYPE, UsageRecord

HEADERS = [("content-type", CONTENT_TYPE)]
"""Of every record."""

LINGER_MS = 20
"""Milliseconds that a client waits for more: some latency, for fewer, larger, compressed requests."""

BATCH_BYTES = 64 * 1024
"""Bytes at which it waits no longer."""

REQUEST_TIMEOUT_MS = 10_000
"""Milliseconds until a request is tried again."""

DELIVERY_TIMEOUT_MS = 30_000
"""Milliseconds until the client gives a record up; the courier's patience ends before that."""

COMPRESSION = "gzip"
"""The codec that every installation of every client has."""


class KafkaAwayError(Exception):
    """Kafka is away, refuses us or an event, or has no such topic; the message says which."""


class KafkaAnswers(NamedTuple):
    """What Kafka has said since it was asked last.

    Attributes:
        acknowledged: events that are in the log on every in-sync replica.
        append_ms: the broker's clock at the last of them, in Unix milliseconds; None or negative when it didn't say.
        failure: why an event was not taken; None when none was refused.
    """

    acknowledged: list[AcceptedEvent]
    append_ms: int | None
    failure: BaseException | None


class KafkaConnection(Protocol):
    """An open connection. The methods but `send` may be called while another thread is in one of them."""

    def send(self, events: Sequence[AcceptedEvent]) -> None:
        """Hands events over, in this order; `poll` tells what became of them.

        Raises:
            KafkaAwayError: one was not taken, nor those behind it.
        """

    def poll(self, seconds: float) -> KafkaAnswers:
        """Waits at most so long for an answer, and returns all that there are; for one thread."""

    def resend(self, records: Sequence[UsageRecord], patience_seconds: float) -> int | None:
        """Sends records and waits until Kafka has acknowledged all; returns `append_ms` of the last.

        Raises:
            KafkaAwayError: one was not taken, or not acknowledged within the patience.
        """

    def discard(self) -> None:
        """Closes at once; what was not acknowledged is given up."""

    def abandon(self) -> None:
        """In a child process: the connection is the parent's, and nothing may be sent over it, not even at the exit."""
