"""A store that refuses calls which would not run on Redis Cluster."""

from collections.abc import Sequence
from typing import Any

from redis.crc import key_slot

from ledger.script import Script, Store


class WatchedStore:
    """Passes scripts on; all keys of a call must share one slot, and no key may hide among the arguments."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.calls: list[tuple[str, int]] = []

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[str | bytes | int]) -> Any:
        """Runs the script."""
        assert len({key_slot(key.encode()) for key in keys}) == 1, f"{script.name}: {keys}"
        assert all("{p" in key for key in keys)
        texts = {arg for arg in args if isinstance(arg, str)}
        assert not [text for text in texts if text.startswith(keys[0][: keys[0].index("}") + 1])]
        self.calls.append((script.name, len(keys)))
        return await self._store.run(script, keys, args)
