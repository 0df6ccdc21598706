"""Which of a shard's logs are stopped, and what a person lets drain: kept beside the fences."""

from collections.abc import Collection, Mapping

from ledger.script import load
from ledger.shard import Shard
from ledger.state import STOP_FIELD, Log
from metering.outage import Drain
from metering.stop import Stop

_KEEP = load("keep_stops")
_DRAIN = load("order_drain")


async def keep_stops(shard: Shard, logs: Collection[Log], stops: Mapping[Log, Stop]) -> None:
    """Notes the stops of these logs, and forgets those of them that go on.

    A flush or a failover may lose the note: whoever folds the shard writes it again.
    """
    args: list[str | bytes | int] = []
    for log in logs:
        stop = stops.get(log)
        args += (STOP_FIELD.format(log), stop.to_json() if stop else b"")
    await shard.run(_KEEP, [], args)


async def order_drain(shard: Shard, fence: int, drain: Drain) -> bool:
    """Lets the rejects of a usage log drain that was stopped at `fence`; False if the shard does not stand there."""
    return bool(await shard.run(_DRAIN, [], [fence, drain.to_json()]))
