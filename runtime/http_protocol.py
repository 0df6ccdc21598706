"""uvicorn's HTTP protocol with what it lacks: bounds on heads, on how long a client may take, on who connects."""

import asyncio
import logging
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from http import HTTPStatus
from typing import Any, NamedTuple

import h11
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from runtime.http_door import Admission, Door
from runtime.http_head import BoundedConnection

READ_BYTES = 4096  # at once: h11 is never given more than it is going to look at

_THEIR_TURN = frozenset({h11.IDLE, h11.SEND_BODY})
_UNANSWERED = frozenset({h11.IDLE, h11.SEND_RESPONSE})

log = logging.getLogger(__name__)


class ConnectionEnd(StrEnum):
    """Why a connection was ended by the server."""

    MALFORMED = "malformed"
    HEAD_TOO_LARGE = "head_too_large"
    TOO_SLOW = "too_slow"
    """Its client did not send a request in time, or did not take the answer."""
    CROWDED = "crowded"
    FULL = "full"
    MADE_ROOM = "made_room"


STATUSES = {
    ConnectionEnd.MALFORMED: HTTPStatus.BAD_REQUEST,
    ConnectionEnd.HEAD_TOO_LARGE: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    ConnectionEnd.TOO_SLOW: HTTPStatus.REQUEST_TIMEOUT,
    ConnectionEnd.CROWDED: HTTPStatus.SERVICE_UNAVAILABLE,
    ConnectionEnd.FULL: HTTPStatus.SERVICE_UNAVAILABLE,
}


class Body(NamedTuple):
    """What a client is told."""

    media_type: str
    content: bytes


class Manners(NamedTuple):
    """How long a client may take, and how one is told what it did wrong.

    `head_bytes` bounds a request's first line and fields; `seconds` bounds the sending of a request, and the taking of
    an answer. `explain` makes the body of a refusal; `ended` is told of every connection that was ended.
    """

    head_bytes: int
    seconds: float
    explain: Callable[[ConnectionEnd], Body]
    ended: Callable[[ConnectionEnd], None]


class BoundedProtocol(H11Protocol, asyncio.BufferedProtocol):
    """One connection."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        door: Door,
        manners: Manners,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn: BoundedConnection = BoundedConnection(manners.head_bytes)
        self._door = door
        self._manners = manners
        self._buffer = bytearray(READ_BYTES)
        self._clock: asyncio.TimerHandle | None = None  # runs while the client owes the rest of a request
        self._unread: asyncio.TimerHandle | None = None  # runs while it has not taken an answer

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Somebody connects."""
        super().connection_made(transport)
        entry = self._door.enter(self, self.client[0] if self.client else "")
        if entry is Admission.WELCOME:
            self._start_clock()
        else:
            self._refuse(ConnectionEnd(entry.value))

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._door.leave(self)
        self._stop_clock()
        if self._unread is not None:
            self._unread.cancel()
        super().connection_lost(exc)

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 - a hint
        """Where to put what arrives."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """So much has arrived."""
        self.data_received(bytes(self._buffer[:nbytes]))

    def handle_events(self) -> None:
        """Takes what has arrived; then it is the client's turn, or ours."""
        super().handle_events()
        their_state = self.conn.their_state
        if their_state is h11.SEND_BODY or (their_state is h11.IDLE and self._head_began()):
            self._start_clock()
        elif self.cycle is not None:
            self._stop_clock()
        if their_state in _THEIR_TURN:
            self._door.waits(self)
        else:
            self._door.works(self)

    def on_response_complete(self) -> None:
        """An answer was written: the client has to take it."""
        super().on_response_complete()
        if self._unread is None and self.transport.get_write_buffer_size():
            self._unread = self.loop.call_later(self._manners.seconds, self._look_whether_taken)

    def make_room(self) -> None:
        """Ends, for somebody else."""
        self._drop(ConnectionEnd.MADE_ROOM)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - h11's words
        """What arrived could not be read."""
        self._refuse(ConnectionEnd.HEAD_TOO_LARGE if self.conn.refused_head else ConnectionEnd.MALFORMED)

    def _head_began(self) -> bool:
        return bool(self.conn.trailing_data[0])

    def _start_clock(self) -> None:
        if self._clock is None and not self.transport.is_closing():
            self._clock = self.loop.call_later(self._manners.seconds, self._out_of_time)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _out_of_time(self) -> None:
        if self.conn.their_state is h11.SEND_BODY or self._head_began():
            self._refuse(ConnectionEnd.TOO_SLOW)
        else:
            self._drop(ConnectionEnd.TOO_SLOW)  # it has said nothing: there is nothing to answer

    def _look_whether_taken(self) -> None:
        self._unread = None
        if self.transport.get_write_buffer_size():
            self._drop(ConnectionEnd.TOO_SLOW)

    def _refuse(self, ended: ConnectionEnd) -> None:
        """Says why, unless an answer has begun already, and closes."""
        if self.conn.our_state not in _UNANSWERED:
            self._drop(ended)
            return
        self._report(ended)
        self.transport.write(refusal(ended, self._manners.explain(ended)))
        self.transport.close()

    def _drop(self, ended: ConnectionEnd) -> None:
        self._report(ended)
        self.transport.abort()

    def _report(self, ended: ConnectionEnd) -> None:
        self._manners.ended(ended)
        log.warning(_LINES[ended], self.client[0] if self.client else "somebody")


_LINES = {
    ConnectionEnd.MALFORMED: "%s sent what is no HTTP request: its connection was closed",
    ConnectionEnd.HEAD_TOO_LARGE: "%s sent a request whose head is too long: its connection was closed",
    ConnectionEnd.TOO_SLOW: "%s took too long to send a request or to take its answer: its connection was closed",
    ConnectionEnd.CROWDED: "every connection that one address may have is busy: one more, of %s, was refused",
    ConnectionEnd.FULL: "every connection is busy: one more, of %s, was refused",
    ConnectionEnd.MADE_ROOM: "every connection is taken: that of %s which was silent for longest made room for another",
}


def refusal(ended: ConnectionEnd, body: Body) -> bytes:
    """The whole answer to a request that is not taken."""
    status = STATUSES[ended]
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {body.media_type}\r\n"
        f"Content-Length: {len(body.content)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body.content


def protocol_of(door: Door, manners: Manners) -> Callable[..., BoundedProtocol]:
    """What uvicorn makes a connection's protocol with."""
    return partial(BoundedProtocol, door=door, manners=manners)
