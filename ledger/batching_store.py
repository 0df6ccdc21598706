"""Scripts on a real Redis, those of callers at once together: most of a call's cost is the trip, not the script."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from ledger.redis_store import NO_MASTER, RedisStore, commands_of, leave_replica
from ledger.script import Script

MOST_CALLS = 100  # of one batch: bounds how long its first caller waits for its last
BATCHES_AT_ONCE = 2  # one is answered here while the other is in Redis


@dataclass(frozen=True, slots=True)
class _Call:
    script: Script
    keys: Sequence[str]
    args: Sequence[str | bytes | int]
    answer: "asyncio.Future[Any]"


class BatchingStore:
    """A `Store` that sends what has gathered while two batches were on their way. A lone call is sent at once.

    For one server: each script is atomic by itself, and nothing is said of their order. A batch that is lost on its way
    is lost for all of its callers.
    """

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._alone = RedisStore(client)
        self._waiting: list[_Call] = []
        self._on_their_way = 0
        self._next: asyncio.Task[None] | None = None  # gathers until its turn comes in this turn of the loop

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[str | bytes | int]) -> Any:
        """The script's reply."""
        call = _Call(script, keys, args, asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        if self._next is None and self._on_their_way < BATCHES_AT_ONCE:
            self._next = asyncio.create_task(self._send())
        return await call.answer

    async def _send(self) -> None:
        self._next, self._on_their_way = None, self._on_their_way + 1
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MOST_CALLS], self._waiting[MOST_CALLS:]
                await self._send_batch([call for call in batch if not call.answer.done()])
        finally:
            self._on_their_way -= 1

    async def _send_batch(self, batch: Sequence[_Call]) -> None:
        try:
            replies = await self._replies(batch)
        except Exception as error:  # whatever it is, it belongs to those who wait
            replies = [error] * len(batch)
        for call, reply in zip(batch, replies, strict=True):
            _give(call, reply)

    async def _replies(self, batch: Sequence[_Call]) -> list[Any]:
        """Replies, and errors in the place of some."""
        if not batch:
            return []
        if len(batch) == 1:
            (call,) = batch
            return [await self._alone.run(call.script, call.keys, call.args)]
        pipeline = self._client.pipeline(transaction=False)
        for call in batch:
            by_hash, _ = commands_of(call.script)
            pipeline.execute_command(by_hash, call.script.sha, len(call.keys), *call.keys, *call.args)
        replies: list[Any] = await pipeline.execute(raise_on_error=False)
        if any(isinstance(reply, NO_MASTER) for reply in replies):
            await leave_replica(self._client)
        return [
            await self._again(call) if isinstance(reply, NoScriptError) else reply
            for call, reply in zip(batch, replies, strict=True)
        ]

    async def _again(self, call: _Call) -> Any:
        """The reply, or the error, of a call whose script the server did not have."""
        try:
            return await self._alone.run(call.script, call.keys, call.args)
        except Exception as error:  # the others of the batch have their replies
            return error


def _give(call: _Call, reply: Any) -> None:
    """Nobody waits any more for a call that was cancelled."""
    if call.answer.done():
        return
    if isinstance(reply, Exception):
        call.answer.set_exception(reply)
    else:
        call.answer.set_result(reply)
