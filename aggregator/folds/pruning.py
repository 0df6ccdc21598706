"""When a shard is pruned: one walk over its keys for every day that its log comes to, a step with every batch."""

from ledger.pruning import note_pruned, prune_some
from ledger.scan import ScanCursor
from ledger.shard import Shard

DAY_MS = 24 * 3600 * 1000


class Pruning:
    """The walks of one shard. A step takes Redis part of a millisecond; in an idle shard nothing gets older."""

    def __init__(self, shard: Shard, pruned: int) -> None:
        """`pruned` is the day (its number since the epoch) of the last whole walk, as the shard's state has it."""
        self._shard = shard
        self._pruned = pruned
        self._day = pruned
        self._place: ScanCursor | None = None

    async def step(self, *, at: int, append_ms: int) -> None:
        """Begins a walk if the log has come to another day, or goes on with it.

        Args:
            at: the shard's fence.
            append_ms: the append time, Unix milliseconds, that the log has come to, or less.
        """
        if self._place is None:
            if append_ms // DAY_MS <= self._pruned:
                return
            self._place, self._day = ScanCursor(), append_ms // DAY_MS
        self._place = await prune_some(self._shard, self._place, at=at, append_ms=append_ms)
        if self._place is None:
            await note_pruned(self._shard, self._day, at=at)
            self._pruned = self._day
