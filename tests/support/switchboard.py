"""A way to a server that a test can cut, or lead to another server: a failover as a client sees it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from local.servers.ports import LOOPBACK

CHUNK_BYTES = 65_536


class Switchboard:
    """Listens on a port of its own and passes connections on to `target`, the port of a server; None refuses."""

    def __init__(self, target: int | None) -> None:
        self.port = 0
        self._target = target
        self._calls: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[object] | None] = set()

    @property
    def redis_url(self) -> str:
        """The URL for Redis clients."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    def lead_to(self, target: int | None) -> None:
        """Connects to this port from now on; breaks all present connections."""
        self._target = target
        for writer in self._calls:
            writer.transport.abort()

    def lead_new_to(self, target: int) -> None:
        """Connects only new connections to this port; present ones stay, as after a change of a DNS name."""
        self._target = target

    async def close(self) -> None:
        """Breaks everything, and returns once it is over."""
        self.lead_to(None)
        await asyncio.gather(*filter(None, self._tasks), return_exceptions=True)

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it."""
        self._tasks.add(asyncio.current_task())
        with suppress(OSError):
            if self._target is not None:
                far_reader, far_writer = await asyncio.open_connection(LOOPBACK, self._target)
                self._calls |= {writer, far_writer}
                await asyncio.gather(_pass_on(reader, far_writer), _pass_on(far_reader, writer))
                self._calls -= {writer, far_writer}
        writer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
    except OSError:
        pass  # broken, by us or by them
    finally:
        writer.close()


@asynccontextmanager
async def switchboard(target: int | None) -> AsyncIterator[Switchboard]:
    """One that is open while the context lasts."""
    board = Switchboard(target)
    server = await asyncio.start_server(board.take, LOOPBACK, 0)
    board.port = server.sockets[0].getsockname()[1]
    try:
        yield board
    finally:
        server.close()
        await board.close()
