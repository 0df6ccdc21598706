"""Ready: the mark that lets readers see a shard.

Whoever wants to set it notes the server's replication id and the shard's incarnation, then reads the logs' ends,
then folds; the mark is set only if both are unchanged and the fences have reached those ends. So neither a flush
nor a failover to an older replica can show a smaller total.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ledger.script import load
from ledger.shard import Shard
from ledger.state import Log

_NOTE = load("note_server")
_MARK = load("mark_ready")


class ReadyMark(StrEnum):
    """Which readers a mark serves; the value is the mark's field."""

    USAGE = "ready"
    PUSHES = "push_ready"


class Readiness(StrEnum):
    """What came of an attempt to mark a shard ready."""

    READY = "READY"
    BEHIND = "BEHIND"
    CHANGED = "CHANGED"
    """The server or the shard is another than the one noted: note again."""


@dataclass(frozen=True, slots=True)
class Note:
    """The server's replication id and the shard's incarnation at one moment."""

    replication_id: str
    incarnation: str


async def note_server(shard: Shard) -> Note:
    """Takes the note that must come before the logs' ends are read."""
    replication_id, incarnation = await shard.run(_NOTE, [], [])
    return Note(replication_id.decode(), incarnation.decode())


async def mark_ready(shard: Shard, mark: ReadyMark, note: Note, ends: Mapping[Log, int], *, as_of_ms: int) -> Readiness:
    """Sets the mark if the note still holds and every fence has reached its log's end.

    Args:
        shard: the shard to mark.
        mark: which mark.
        note: taken before `ends` were read.
        ends: each log's last stable offset.
        as_of_ms: Unix milliseconds, not after the moment at which the ends were asked for: up to then all is folded.
    """
    args: list[str | bytes | int] = [mark.value, note.replication_id, note.incarnation, as_of_ms]
    for log, end in ends.items():
        args += (log.value, end)
    return Readiness((await shard.run(_MARK, [], args)).decode())
