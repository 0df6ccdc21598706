"""A store whose replies can be lost, before or after the script has run."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from redis.exceptions import TimeoutError as RedisTimeoutError

from ledger.script import Script, Store


class UnreliableStore:
    """Passes scripts on; `lose_reply` and `lose_call` name the script whose next call goes wrong.

    `before` is what happens right before a script's next call.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.lose_reply = ""
        self.lose_call = ""
        self.calls: list[str] = []
        self.before: dict[str, Callable[[], Awaitable[object]]] = {}

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[str | bytes | int]) -> Any:
        """Runs the script, or not; answers, or not."""
        self.calls.append(script.name)
        if script.name in self.before:
            await self.before.pop(script.name)()
        if script.name == self.lose_call:
            self.lose_call = ""
            raise RedisTimeoutError("the call was lost")
        reply = await self._store.run(script, keys, args)
        if script.name == self.lose_reply:
            self.lose_reply = ""
            raise RedisTimeoutError("the reply was lost")
        return reply
