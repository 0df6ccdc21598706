"""Ready: the mark that lets readers see a shard.

Whoever wants to set it notes the server's replication id and the shard's incarnation, then reads the logs' ends,
then folds; the mark is set only if both are unchanged and the fences have reached those ends. So neither a flush
nor a failover to an older replica can show a smaller total; and a server that evicts keys shows none.

A log has two ends. Up to its last stable offset it can be read: nobody was ever shown more, so that is how far a shard
must have come to be ready. Up to its high watermark it is acknowledged: only a shard that has come so far is fresh.
They differ while somebody's transaction is open.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ledger.script import MASTER, SAFE, load
from ledger.shard import Shard
from ledger.state import Log

_NOTE = load("note_server", MASTER)
_MARK = load("mark_ready", SAFE)


class ReadyMark(StrEnum):
    """Which readers a mark serves; the value is the mark's field."""

    USAGE = "ready"
    PUSHES = "push_ready"


class Readiness(StrEnum):
    """What came of an attempt to mark a shard ready."""

    READY = "READY"
    HELD = "HELD"
    """It is ready, but an open transaction holds back what lies behind its first record: no fresher than it was."""
    UNDECIDED = "UNDECIDED"
    """All is folded; but a log's head was cut, and which buckets that closes must be decided first."""
    BEHIND = "BEHIND"
    CHANGED = "CHANGED"
    """The server or the shard is another than the one noted: note again."""
    UNSAFE = "UNSAFE"
    """The server throws keys away, or has done so: opening the shard says more (`open_shard`)."""


@dataclass(frozen=True, slots=True)
class Note:
    """The server's replication id and the shard's incarnation at one moment."""

    replication_id: str
    incarnation: str


async def note_server(shard: Shard) -> Note:
    """Takes the note that must come before the logs' ends are read."""
    replication_id, incarnation = await shard.run(_NOTE, [], [])
    return Note(replication_id.decode(), incarnation.decode())


async def mark_ready(
    shard: Shard,
    mark: ReadyMark,
    note: Note,
    ends: Mapping[Log, int],
    *,
    as_of_ms: int,
    stable: Mapping[Log, int] | None = None,
) -> Readiness:
    """Sets the mark if the note still holds and every fence has reached its log's end.

    A shard that is HELD keeps the moment up to which all is known to be folded. One that never was fresh, because it
    is being folded anew, is as of the append time of its last record.

    Args:
        shard: the shard to mark.
        mark: which mark.
        note: taken before `ends` were read.
        ends: each log's high watermark.
        as_of_ms: Unix milliseconds, not after the moment at which the ends were asked for: up to then all is folded.
        stable: the last stable offset of each log whose own is lower than its high watermark.
    """
    args: list[str | bytes | int] = [mark.value, note.replication_id, note.incarnation, as_of_ms]
    for log, end in ends.items():
        args += (log.value, (stable or {}).get(log, end), end)
    return Readiness((await shard.run(_MARK, [], args)).decode())
