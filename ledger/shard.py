"""A shard: where its state lives, and under which names."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ledger.keys import ShardKeys
from ledger.script import Script, Store


@dataclass(frozen=True, slots=True)
class Shard:
    """Partition N of each log folds into shard N."""

    store: Store
    keys: ShardKeys

    @property
    def number(self) -> int:
        """The shard's number, which is its partition's."""
        return self.keys.shard

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[str | bytes | int]) -> Any:
        """Runs a script on the shard; the fences hash is always its first key."""
        return await self.store.run(script, [self.keys.fences, *keys], args)


@dataclass(frozen=True, slots=True)
class Ledger:
    """All shards of one complete copy of the state, told apart by its prefix."""

    store: Store
    prefix: str
    partitions: int

    def shard(self, number: int) -> Shard:
        """The shard of a partition."""
        return Shard(self.store, ShardKeys(self.prefix, number))
