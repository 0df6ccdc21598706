"""What one client may do so often only, counted in windows that begin with the first time. Counts may be lost."""

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
    """Counts one attempt to sign in from an address in a window of so many seconds; `shard` is the address's own."""
    return await _count(shard, shard.keys.attempts(address), seconds)


async def count_portal_link(shard: Shard, account: str, *, seconds: int) -> Attempts:
    """Counts one link to Stripe's portal for an account in a window of so many seconds; `shard` is the account's."""
    return await _count(shard, shard.keys.portal_links(account), seconds)


async def _count(shard: Shard, name: str, seconds: int) -> Attempts:
    count, left = await shard.run(_COUNT, [name], [seconds])
    return Attempts(count, left)
