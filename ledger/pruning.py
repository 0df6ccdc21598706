"""Removing what is older than is kept: units by the usage log's time, accepted units and claims by the push log's."""

from collections.abc import Sequence
from typing import NamedTuple

from ledger.scan import ScanCursor, scan_some
from ledger.script import load
from ledger.shard import Shard
from ledger.state import Log, read_state
from metering.retention import ACCEPTED_DAYS, UNITS_DAYS, first_kept_day, needs_closed_claims
from metering.span import month_and_day

_DROP = {log: load("drop_keys", log=log.value) for log in (Log.USAGE, Log.PUSHES)}
_NOTE = load("note_pruned")
_KINDS = "[utsc]:*"
_HOURS, _MONTH, _ACCEPTED, _CLAIMS = "utsc"


class _Dated(NamedTuple):
    """A key of an account's day (its number since the epoch), or of its month (yyyymm)."""

    name: str
    kind: str
    when: int


async def prune_some(shard: Shard, place: ScanCursor, *, at: int, append_ms: int) -> ScanCursor | None:
    """One step of a walk over the shard's keys: removes what is too old, gives where to go on, and None at the end.

    Args:
        shard: the shard.
        place: where the step before ended.
        at: a fence of the usage log. A shard that stands before it was flushed since, and is left alone.
        append_ms: the append time, Unix milliseconds, that the usage log has come to at that fence, or less.
    """
    names, further = await scan_some(shard, _KINDS, place)
    dated = [_dated(name) for name in names]
    day = first_kept_day(append_ms, UNITS_DAYS)
    firsts = {_HOURS: day, _MONTH: int(month_and_day(max(0, day))[0])}
    old = [key.name for key in dated if key.when < firsts.get(key.kind, 0)]
    if old:
        await shard.run(_DROP[Log.USAGE], old, [at])
    await _prune_pushed(shard, dated, first_kept_day(append_ms, ACCEPTED_DAYS))
    return further


async def note_pruned(shard: Shard, day: int, *, at: int) -> None:
    """Notes that a walk has ended which had begun on that day of the log (its number since the epoch)."""
    await shard.run(_NOTE, [], [at, day])


async def _prune_pushed(shard: Shard, dated: Sequence[_Dated], first_day: int) -> None:
    """The same of what the push log's fold holds, which may be far behind: then nothing of it is as old as it looks."""
    claims = [key.name for key in dated if key.kind == _CLAIMS]
    accepted = [key for key in dated if key.kind == _ACCEPTED and key.when < first_day]
    if not (claims or accepted):
        return
    state = await read_state(shard)
    mark, fence = state.marks.get(Log.PUSHES), state.fences.get(Log.PUSHES)
    if mark is None or fence is None:
        return
    reached = first_kept_day(mark.append_ms, ACCEPTED_DAYS)
    old = [key.name for key in accepted if key.when < reached]
    if not needs_closed_claims(state.closed_before, mark.append_ms):
        old += claims
    if old:
        await shard.run(_DROP[Log.PUSHES], old, [fence])


def _dated(name: str) -> _Dated:
    """An account may have colons; what follows it has none."""
    rest = name.partition("}")[2]
    return _Dated(name, rest[0], int(rest.rpartition(":")[2]))
