"""Attempts to sign in, counted per client address in windows that begin with the first one. They may be lost."""

from dataclasses import dataclass

from ledger.script import load
from ledger.shard import Shard

_COUNT = load("count_attempt")


@dataclass(frozen=True, slots=True)
class Attempts:
    """How many there were in the window, this one included, and the seconds that it still lasts."""

    count: int
    seconds_left: int


async def count_attempt(shard: Shard, address: str, *, seconds: int) -> Attempts:
    """Counts one attempt from an address in a window of so many seconds; `shard` is the address's own."""
    count, left = await shard.run(_COUNT, [shard.keys.attempts(address)], [seconds])
    return Attempts(count, left)
