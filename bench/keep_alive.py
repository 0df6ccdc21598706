"""A bare HTTP/1.1 client for loads: one request at a time on a connection that stays open."""

import asyncio
import time
from typing import NamedTuple
from urllib.parse import urlsplit

_END = b"\r\n\r\n"
_LENGTH = b"content-length:"
NO_BODY = 204, 304


class HttpAnswer(NamedTuple):
    """A response, and the time (monotonic seconds) at which its last byte came."""

    status: int
    body: bytes
    at: float


class Connection(asyncio.Protocol):
    """One connection. It understands answers with a Content-Length, and nothing else."""

    def __init__(self) -> None:
        self._read = bytearray()
        self._answer: asyncio.Future[HttpAnswer] | None = None

    async def ask(self, request: bytes) -> HttpAnswer:
        """Sends a whole request, and returns the answer.

        Raises:
            ConnectionResetError: the server closed the connection first.
        """
        if self._transport.is_closing():
            raise ConnectionResetError("the connection is closed")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Ends the connection."""
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport; asyncio calls this after connecting."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a TCP connection's always is
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Collects the parts of an answer."""
        self._read += data
        end = self._read.find(_END)
        if end < 0:
            return
        head = bytes(self._read[:end]).lower()
        status = int(head[9:12])
        whole = end + len(_END) + (0 if status in NO_BODY else _content_length(head))
        if len(self._read) < whole:
            return
        answer = HttpAnswer(status, bytes(self._read[end + len(_END) : whole]), time.monotonic())
        del self._read[:whole]
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)

    def connection_lost(self, error: Exception | None) -> None:
        """Fails the request in progress; the server has closed the connection."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionResetError("the server closed the connection"))


async def connect(url: str) -> Connection:
    """Opens a connection to the host and port of an http:// URL."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    _, connection = await asyncio.get_running_loop().create_connection(Connection, host, port)
    return connection


def get(path: str, bearer: str) -> bytes:
    """Returns a GET request with a bearer token."""
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {bearer}\r\n\r\n".encode()


def post(path: str, bearer: str, body: bytes, content_type: str = "application/json", *more: str) -> bytes:
    """Returns a POST request with a bearer token; `more` are whole header lines."""
    head = (
        f"POST {path} HTTP/1.1",
        "Host: bench",
        f"Authorization: Bearer {bearer}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        *more,
    )
    return "\r\n".join(head).encode() + _END + body


def _content_length(head: bytes) -> int:
    at = head.find(_LENGTH)
    if at < 0:
        raise RuntimeError(f"an answer without a length: {head.decode(errors='replace')}")
    return int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0])
