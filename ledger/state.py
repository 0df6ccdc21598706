"""Where a shard stands: its fences, incarnation, dedupe blocks and conservation counters."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from ledger.script import load
from ledger.shard import Shard
from metering.counting import Mark
from metering.dedupe import DedupeWindow
from metering.outage import RejectWindow

_OPEN = load("open_shard")
_READ = load("read_state")


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


@dataclass(frozen=True, slots=True)
class Conservation:
    """Records of the usage log by their fate. `read` is always the sum of the others."""

    read: int
    counted: int
    duplicate: int
    dead: int
    rerouted: int


@dataclass(frozen=True, slots=True)
class ShardState:
    """A reading of the fences hash. `as_of_ms` is Unix milliseconds.

    Buckets before the hour `closed_before` are incomplete and never billed (`metering.retention`); 0 for none.
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

    @classmethod
    def parse(cls, reply: list[bytes]) -> Self:
        """From the reply of HGETALL."""
        raw = {name.decode(): value for name, value in zip(reply[::2], reply[1::2], strict=True)}
        return cls(
            incarnation=raw.get("incarnation", b"").decode(),
            fences={log: int(raw[log]) for log in Log if log in raw},
            marks={log: _mark(raw[f"{log}.last"]) for log in Log if f"{log}.last" in raw},
            high_ms=int(raw.get("high_ms", 0)),
            window=DedupeWindow(_numbered(raw, "sets:"), _numbered(raw, "members:")),
            rejects=RejectWindow.parse(raw.get("rejects", b"").decode()),
            conservation=Conservation(**{name: int(raw.get(name, 0)) for name in _FATES}),
            identity=raw.get("identity"),
            as_of_ms=int(raw["ready.as_of"]) if "ready.as_of" in raw else None,
            closed_before=int(raw.get("closed_before", 0)),
        )


_FATES = ("read", "counted", "duplicate", "dead", "rerouted")


def _numbered(raw: dict[str, bytes], prefix: str) -> dict[int, int]:
    return {int(name.removeprefix(prefix)): int(value) for name, value in raw.items() if name.startswith(prefix)}


def _mark(value: bytes) -> Mark:
    return Mark(*(int(part) for part in value.split(b":")))


async def open_shard(shard: Shard, log: Log, *, earliest: int, incarnation: str, closed_before: int = 0) -> ShardState:
    """The shard's state, after an empty shard was given `incarnation` and an unread log its first fence.

    Args:
        shard: the shard.
        log: the log that is about to be folded.
        earliest: the first offset that the log still has.
        incarnation: a nonce.
        closed_before: the hour before which buckets are closed if the log's head is gone (`metering.retention`); 0
            for a log that is compacted instead.

    Raises:
        ShardClearingError: the shard is being cleared.
    """
    reply = await shard.run(_OPEN, [], [incarnation, log.value, earliest, closed_before])
    if reply == b"CLEARING":
        raise ShardClearingError(shard.number)
    return ShardState.parse(reply)


async def read_state(shard: Shard) -> ShardState:
    """The shard's state as it is."""
    return ShardState.parse(await shard.run(_READ, [], []))
