"""A little HTTP server that answers every request with the same bytes, or does something worse."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from http import HTTPStatus


@dataclass(frozen=True)
class Answer:
    """A status, a body (an object is sent as JSON) and headers; `cut` bytes of the body are never sent."""

    status: int
    body: object = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int = 0

    def encoded(self) -> bytes:
        """The answer on the wire."""
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **self.headers}
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        head = "\r\n".join(lines + [f"{name}: {value}" for name, value in headers.items()]) + "\r\n\r\n"
        return head.encode() + (body[: -self.cut] if self.cut else body)


@dataclass(frozen=True)
class Reset:
    """The connection is reset once the request was read."""


@dataclass(frozen=True)
class Hangup:
    """The connection is closed in good order once the request was read."""


@dataclass(frozen=True)
class Silence:
    """Nothing ever comes back."""


Behaviour = Answer | Reset | Hangup | Silence


@dataclass
class Answering:
    """A running server; `requests` counts what it read."""

    url: str
    requests: int = 0


@asynccontextmanager
async def answering(behaviour: Behaviour) -> AsyncIterator[Answering]:
    """Serves on a free loopback port."""
    running, serving = Answering(""), set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await _read_request(reader)
                running.requests += 1
                if not await _behave(behaviour, reader, writer):
                    return

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.create_task(serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    running.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield running
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


async def _behave(behaviour: Behaviour, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """False once the connection is to be closed."""
    match behaviour:
        case Answer():
            writer.write(behaviour.encoded())
            await writer.drain()
            return not behaviour.cut
        case Reset():
            at_once = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        case Silence():
            await reader.read()
    return False


def refusing_url() -> str:
    """Where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


async def _read_request(reader: asyncio.StreamReader) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    _, found, rest = head.partition(b"content-length:")
    if found:
        await reader.readexactly(int(rest.split(b"\r\n", 1)[0]))
