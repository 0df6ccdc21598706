"""Clearing a shard, so that it is folded again from its logs.

The mark in the fences hash is the first thing that a clearing writes and the last that it removes: whoever dies in
between leaves a shard that nobody reads, folds or opens, and that the next clearing takes over.
"""

from collections.abc import AsyncIterator

from ledger.scan import scan_keys
from ledger.script import load
from ledger.shard import Shard

_BEGIN = load("begin_clearing")
_CLEAR = load("clear_keys")
_END = load("end_clearing")


class ClearingLostError(Exception):
    """Another clearing of the same shard has begun, or has ended this one: leave the shard to it."""


async def clear_shard(shard: Shard, *, nonce: str, now_ms: int) -> AsyncIterator[int]:
    """Removes everything that the shard has, its fences last; gives the number of keys removed so far.

    Args:
        shard: the shard; one whose clearing was left half-way is taken over.
        nonce: names this clearing, and no other.
        now_ms: Unix milliseconds, for whoever sees the mark.

    Raises:
        ClearingLostError: another clearing has taken over.
    """
    await shard.run(_BEGIN, [], [nonce, now_ms])
    removed = 0
    yield removed
    async for names in scan_keys(shard):
        if names and not await shard.run(_CLEAR, names, [nonce]):
            raise ClearingLostError
        removed += len(names)
        yield removed
    if not await shard.run(_END, [], [nonce]):
        raise ClearingLostError
