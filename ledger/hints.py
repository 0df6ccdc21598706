"""Hints: Stripe has reported errors of a meter, so that its rows are worth a comparison soon. They may be lost.

They only make the worker look earlier than it would anyway; nothing depends on them.
"""

from ledger.script import load
from ledger.shard import Shard

_LEAVE = load("leave_hint")
_TAKE = load("take_hints")
ALL_METERS = "*"
KEPT_SECONDS = 24 * 3600  # by then the hourly comparison has looked at everything anyway


async def leave_hint(shard: Shard, meter: str) -> None:
    """Leaves a hint for the worker of a shard; the same hint twice is one.

    Args:
        shard: the shard; a report of Stripe's concerns every shard.
        meter: the meter's id at Stripe (`mtr_...`), or `ALL_METERS`.
    """
    await shard.run(_LEAVE, [shard.keys.hints], [meter, KEPT_SECONDS])


async def take_hints(shard: Shard) -> frozenset[str]:
    """Takes all hints of a shard: each is given once."""
    return frozenset(meter.decode() for meter in await shard.run(_TAKE, [shard.keys.hints], []))
