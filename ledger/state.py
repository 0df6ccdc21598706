"""Where a shard stands: its fences, incarnation, dedupe blocks and conservation counters."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from ledger.leftovers import remove_leftovers
from ledger.script import MASTER, SAFE, load
from ledger.shard import Shard
from metering.counting import Mark
from metering.dedupe import DedupeWindow
from metering.outage import Drain, RejectWindow
from metering.stop import ShardStoppedError, Stop, StopReason

_OPEN = load("open_shard", SAFE)
_BEGIN = load("note_beginning", MASTER)
_CLOSE = load("close_buckets", MASTER)
_READ = load("read_state", MASTER)
STOP_FIELD = "stop.{}"  # of a log


class ShardClearingError(Exception):
    """The shard is being cleared, to be folded again: try again soon. However long that takes, it is no failure."""

    def __init__(self, shard: int) -> None:
        super().__init__(f"shard {shard} is being cleared")


class Log(StrEnum):
    """The logs that fold into a shard; the value names the log's fence."""

    USAGE = "usage"
    ACCOUNTS = "accounts"
    API_KEYS = "keys"
    PUSHES = "pushes"

    @property
    def words(self) -> str:
        """What a person calls it."""
        return _WORDS[self]


_WORDS = {
    Log.USAGE: "the usage log",
    Log.ACCOUNTS: "the accounts log",
    Log.API_KEYS: "the keys log",
    Log.PUSHES: "the push log",
}


@dataclass(frozen=True, slots=True)
class Conservation:
    """Records of the usage log by their fate. `read` is always the sum of the others.

    `quarantined` are offsets that were passed by as ordered, whether a record was there or not.
    """

    read: int
    counted: int
    duplicate: int
    dead: int
    rerouted: int
    quarantined: int = 0

    @property
    def balanced(self) -> bool:
        """Whether every record has exactly one fate."""
        fates = (self.counted, self.duplicate, self.dead, self.rerouted, self.quarantined)
        return self.read == sum(fates) and min(fates) >= 0


@dataclass(frozen=True, slots=True)
class ShardState:
    """A reading of the fences hash. `as_of_ms` is Unix milliseconds; `stops` has the logs that are stopped.

    `cut` are the logs whose head was gone when they were opened, `undecided` those of them for which it is not decided
    yet which buckets that closes; `began` is the usage log's offset at which its fold began, above 0 where its head was
    gone already, and `begins_ms` the append time of its first record then. Buckets before the hour `closed_before` are
    incomplete and never billed (`metering.retention`); 0 for none. `pruned` is the day of the usage log (its number
    since the epoch) up to which the shard was pruned.
    """

    incarnation: str
    fences: dict[Log, int]
    marks: dict[Log, Mark]
    high_ms: int
    window: DedupeWindow
    rejects: RejectWindow
    conservation: Conservation
    identity: bytes | None
    as_of_ms: int | None
    closed_before: int
    began: int = 0
    stops: dict[Log, Stop] = field(default_factory=dict)
    drain: Drain | None = None
    cut: frozenset[Log] = frozenset()
    undecided: frozenset[Log] = frozenset()
    begins_ms: int | None = None
    pruned: int = 0

    @classmethod
    def parse(cls, reply: list[bytes]) -> Self:
        """From the reply of HGETALL."""
        raw = {name.decode(): value for name, value in zip(reply[::2], reply[1::2], strict=True)}
        fences = {log: int(raw[log]) for log in Log if log in raw}
        return cls(
            incarnation=raw.get("incarnation", b"").decode(),
            fences=fences,
            marks={log: _mark(raw[f"{log}.last"]) for log in Log if f"{log}.last" in raw},
            high_ms=int(raw.get("high_ms", 0)),
            window=DedupeWindow(_numbered(raw, "sets:"), _numbered(raw, "members:")),
            rejects=RejectWindow.parse(raw.get("rejects", b"").decode()),
            conservation=Conservation(**{name: int(raw.get(name, 0)) for name in _FATES}),
            identity=raw.get("identity"),
            as_of_ms=int(raw["ready.as_of"]) if "ready.as_of" in raw else None,
            closed_before=int(raw.get("closed_before", 0)),
            began=int(raw.get(f"{Log.USAGE}.cut", 0)),
            stops=_stops(raw, fences),
            drain=Drain.parse(raw["drain"]) if "drain" in raw else None,
            cut=frozenset(log for log in Log if f"{log}.cut" in raw),
            undecided=frozenset(log for log in Log if f"{log}.cut" in raw and f"{log}.closed" not in raw),
            begins_ms=int(raw["usage.begins"]) if "usage.begins" in raw else None,
            pruned=int(raw.get("pruned", 0)),
        )


_FATES = ("read", "counted", "duplicate", "dead", "rerouted", "quarantined")


def _numbered(raw: dict[str, bytes], prefix: str) -> dict[int, int]:
    return {int(name.removeprefix(prefix)): int(value) for name, value in raw.items() if name.startswith(prefix)}


def _stops(raw: dict[str, bytes], fences: dict[Log, int]) -> dict[Log, Stop]:
    """Those that still hold: whoever moved a fence on since had no reason to look for a stop."""
    noted = {log: Stop.parse(raw[field]) for log in Log if (field := STOP_FIELD.format(log)) in raw}
    return {log: stop for log, stop in noted.items() if stop.stands_at(fences.get(log))}


def _mark(value: bytes) -> Mark:
    return Mark(*(int(part) for part in value.split(b":")))


async def open_shard(
    shard: Shard, log: Log, *, earliest: int, incarnation: str, may_be_cut: bool = False
) -> ShardState:
    """The shard's state, after an empty shard was given `incarnation` and an unread log its first fence.

    Args:
        shard: the shard.
        log: the log that is about to be folded.
        earliest: the first offset that the log still has.
        incarnation: a nonce.
        may_be_cut: whether a log that begins later than at 0 has lost records; one that is compacted has not.

    Raises:
        ShardClearingError: the shard is being cleared.
        ShardStoppedError: the server throws keys away, or has done so.
    """
    args: list[str | bytes | int] = [incarnation, log.value, earliest, int(may_be_cut)]
    reply = await shard.run(_OPEN, [], [*args, 0])
    if reply == b"EMPTY":
        await remove_leftovers(shard)
        reply = await shard.run(_OPEN, [], [*args, 1])
    if reply == b"CLEARING":
        raise ShardClearingError(shard.number)
    if reply[0] == b"UNSAFE":
        raise ShardStoppedError(StopReason.UNSAFE_SERVER, int(reply[2]), _unsafe(shard.number, reply[1].decode()))
    return ShardState.parse(reply)


def _unsafe(shard: int, why: str) -> str:
    if why == "evicted":
        return (
            f"shard {shard}: Redis has evicted keys, or may have, so that what it holds may be less than what was "
            f"counted: set maxmemory-policy to noeviction, then `billing rebuild --shard {shard}`"
        )
    return (
        f"shard {shard}: Redis evicts keys (maxmemory-policy {why}): set it to noeviction, and the shard goes on where "
        "it is"
    )


async def note_beginning(shard: Shard, start: int, append_ms: int) -> None:
    """Notes when a cut usage log begins, by its first record; does nothing once anything of it was counted.

    Args:
        shard: the shard.
        start: the fence.
        append_ms: the record's append time, Unix milliseconds.
    """
    await shard.run(_BEGIN, [], [start, append_ms])


async def close_buckets(shard: Shard, incarnation: str, log: Log, hour: int) -> None:
    """Decides, once, that a cut log closes the buckets before an hour; until then no row of the push log is folded."""
    await shard.run(_CLOSE, [], [incarnation, log.value, hour])


async def read_state(shard: Shard) -> ShardState:
    """The shard's state as it is."""
    return ShardState.parse(await shard.run(_READ, [], []))
