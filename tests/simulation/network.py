"""Calls between a process and a server: delayed, lost on the way there or back, or landing after the caller gave up.

The server's part runs in the world's name: a request that has left arrives even if its sender is paused or dead by
then. A call is also where a process is struck: right after sending, or right before the reply is read.
"""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from tests.simulation.loop import OWNER, VirtualLoop
from tests.simulation.weather import Server, Weather

T = TypeVar("T")


class Network:
    """All calls of one seed."""

    def __init__(self, loop: VirtualLoop, weather: Weather) -> None:
        self._loop = loop
        self._weather = weather
        self._on_the_way: dict[int, tuple[Server, Callable[[], None]]] = {}
        self._calls = 0
        self.down = False

    async def call(self, server: Server, serve: Callable[[], T], lost: Callable[[], Exception]) -> T:
        """The reply of `serve`; raises `lost()` where the caller can't know what came of it."""
        if self.down:
            raise asyncio.CancelledError
        fate = self._weather.fate_of(server)
        reply: asyncio.Future[T] = self._loop.create_future()
        caller = OWNER.get()
        self._calls += 1
        call = self._calls

        def arrive() -> None:
            if self._on_the_way.pop(call, None) is None:
                return
            try:
                answer, error = serve(), None
            except Exception as failure:  # the server's answer is an error
                answer, error = None, failure
            if fate.reply_lost:
                return
            self._loop.later(fate.back, lambda: _settle(reply, answer, error))
            self._weather.strike(caller, server)

        if not fate.request_lost:
            self._on_the_way[call] = (server, arrive)
            self._loop.later(fate.there, arrive)
        if fate.patience is not None:
            self._loop.later(fate.patience, lambda: _settle(reply, None, lost()))
        self._weather.strike(caller, server)
        return await reply

    def deliver_now(self, server: Server) -> None:
        """What is on its way arrives: nothing stays on a wire for hours."""
        for going, arrive in list(self._on_the_way.values()):
            if going is server:
                arrive()


def _settle(reply: "asyncio.Future[T]", answer: T | None, error: Exception | None) -> None:
    if reply.done():
        return
    if error is not None:
        reply.set_exception(error)
    else:
        reply.set_result(answer)  # type: ignore[arg-type]
