"""A shard as its operator sees it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from ledger.ready import ReadyMark
from ledger.script import MASTER, load
from ledger.shard import Shard
from ledger.state import ShardState

_STATUS = load("read_status", MASTER)
_DUE = load("scan_due", MASTER)
BUCKETS_PER_STEP = 1000


@dataclass(frozen=True, slots=True)
class ShardStatus:
    """One moment. `due`, `in_flight` and `parked` are numbers of rows; times are Unix milliseconds, None for never.

    `ready` and `push_ready` say whether the marks hold on this server; `as_of_ms` and `push_as_of_ms` up to when each
    is known to have been caught up. `clearing_ms` is when a clearing that has not ended began. `refuses` is what may
    make the shard's server refuse writes: `maxmemory`, `snapshot` or `append-only file`; empty for nothing.
    """

    state: ShardState
    ready: bool
    push_ready: bool
    as_of_ms: int | None
    push_as_of_ms: int | None
    clearing_ms: int | None
    due: int
    in_flight: int
    parked: int
    refuses: str


async def read_status(shard: Shard) -> ShardStatus:
    """Reads all of it at one moment."""
    keys = shard.keys
    replication, due, in_flight, parked, fences, refuses = await shard.run(
        _STATUS, [keys.due, keys.in_flight, keys.parked], []
    )
    raw = {name.decode(): value for name, value in zip(fences[::2], fences[1::2], strict=True)}

    def moment(name: str) -> int | None:
        return int(raw[name]) if name in raw else None

    return ShardStatus(
        state=ShardState.parse(fences),
        ready=raw.get(ReadyMark.USAGE) == replication,
        push_ready=raw.get(ReadyMark.PUSHES) == replication,
        as_of_ms=moment(f"{ReadyMark.USAGE}.as_of"),
        push_as_of_ms=moment(f"{ReadyMark.PUSHES}.as_of"),
        clearing_ms=moment("clearing.since"),
        due=due,
        in_flight=in_flight,
        parked=parked,
        refuses=refuses.decode(),
    )


async def scan_due(shard: Shard) -> AsyncIterator[list[str]]:
    """The buckets with units that no row has claimed, a list at a time, some of them perhaps twice."""
    cursor = b"0"
    while True:
        cursor, found = await shard.run(_DUE, [shard.keys.due], [cursor, BUCKETS_PER_STEP])
        yield [bucket.decode() for bucket in found[::2]]
        if cursor == b"0":
            return
