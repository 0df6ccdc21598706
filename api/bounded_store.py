"""A bound on how many questions are put to Redis at once.

redis-py's pool refuses beyond its limit; a burst of requests should wait for its turn instead, but not for ever.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.exceptions import TimeoutError as RedisTimeoutError

from ledger.script import Script, Store

CALLS_AT_ONCE = 64  # redis-py's asyncio pool holds 100 connections
TURN_SECONDS = 5.0


class BoundedStore:
    """A `Store` that lets `limit` calls of another one run at a time."""

    def __init__(self, store: Store, *, limit: int = CALLS_AT_ONCE, turn_seconds: float = TURN_SECONDS) -> None:
        self._store = store
        self._turns = asyncio.Semaphore(limit)
        self._turn_seconds = turn_seconds

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[str | bytes | int]) -> Any:
        """The script's reply.

        Raises:
            RedisTimeoutError: its turn did not come in time; it did not run.
        """
        try:
            async with asyncio.timeout(self._turn_seconds):
                await self._turns.acquire()
        except TimeoutError:
            raise RedisTimeoutError("too many calls are waiting for Redis") from None
        try:
            return await self._store.run(script, keys, args)
        finally:
            self._turns.release()
