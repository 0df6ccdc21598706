"""A uvicorn server in this process, and clients that write bytes themselves."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import uvicorn

from tests.support.eventually import DEADLINE_SECONDS, eventually


@contextmanager
def running(server: uvicorn.Server) -> Iterator[str]:
    """The base URL of a server on a port of 0, while the context lasts."""
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        eventually(lambda: server.started)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


class Client:
    """One connection to a server. It sends only the bytes that a test gives it."""

    def __init__(self, url: str, *, source: str = "127.0.0.1") -> None:
        """`source` is the loopback address that it comes from."""
        place = urlsplit(url)
        self.socket = socket.create_connection(
            (place.hostname, place.port), DEADLINE_SECONDS, source_address=(source, 0)
        )

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Writes bytes; a server that does not want them any more may have closed."""
        try:
            self.socket.sendall(data)
        except OSError:
            return

    def rest(self) -> bytes:
        """All that comes until the server closes."""
        received = b""
        try:
            while data := self.socket.recv(65536):
                received += data
        except ConnectionResetError:
            pass
        return received

    def answer(self, *, body: bool = True) -> tuple[int, dict[str, str], bytes]:
        """The next answer: status, headers in small letters, body by its length; without one where none is due."""
        with self.socket.makefile("rb", buffering=0) as stream:
            status = int(_line(stream).split()[1])
            headers: dict[str, str] = {}
            while line := _line(stream):
                name, _, value = line.partition(":")
                headers[name.strip().lower()] = value.strip()
            return status, headers, _exactly(stream, int(headers.get("content-length", "0")) if body else 0)

    @property
    def ended(self) -> bool:
        """Returns whether the server has closed; reads its earlier output."""
        self.socket.setblocking(False)
        try:
            while self.socket.recv(65536):
                pass
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True
        else:
            return True
        finally:
            self.socket.settimeout(DEADLINE_SECONDS)


def status_of(received: bytes) -> int:
    """The status of the answer that bytes begin with."""
    assert received.startswith(b"HTTP/1.1 "), received[:200]
    return int(received[9:12])


def _line(stream: socket.SocketIO) -> str:
    line = b""
    while not line.endswith(b"\n"):
        byte = stream.read(1)
        assert byte, f"closed after {line!r}"
        line += byte
    return line.decode("latin-1").rstrip("\r\n")


def _exactly(stream: socket.SocketIO, size: int) -> bytes:
    body = b""
    while len(body) < size:
        data = stream.read(size - len(body))
        assert data, f"closed after {len(body)} of {size} bytes"
        body += data
    return body
