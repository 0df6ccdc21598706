"""Passing offsets by that a person has ordered to be passed by."""

from ledger.answer import Answer, read_answer
from ledger.script import load
from ledger.shard import Shard
from ledger.state import Log

_PASS_BY = load("pass_by")


async def pass_by(shard: Shard, log: Log, start: int, end: int) -> Answer:
    """Moves a log's fence from `start` to `end` if the shard stands at `start`.

    Of the usage log each offset counts as one record that was read and quarantined, whether there is one or not: so a
    refold comes to the same, on a machine that can read what is there, too.
    """
    records = end - start if log is Log.USAGE else 0
    return read_answer(await shard.run(_PASS_BY, [], [log.value, start, end, records]))
