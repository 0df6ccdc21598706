"""The folds of the compacted logs: accounts and API keys."""

from collections.abc import Mapping
from dataclasses import dataclass

from ledger.answer import Answer, read_answer
from ledger.script import FENCE, load
from ledger.shard import Shard
from ledger.state import Log
from ledger.usage import mark_text
from metering.counting import Mark
from metering.retention import VOUCHED_SECONDS

TABLES = (Log.ACCOUNTS, Log.API_KEYS)
_FOLD = {log: load("fold_table", FENCE, log=log.value) for log in TABLES}
_VOUCH = {log: load("vouch_table", log=log.value) for log in TABLES}


@dataclass(frozen=True, slots=True)
class TableBatch:
    """What [start, end) of a compacted log changes; None as a value removes the name (a tombstone).

    `read_ms` is a moment, Unix milliseconds, at which all of it had been read.
    """

    start: int
    end: int
    changes: Mapping[str, bytes | None]
    last: Mark | None
    read_ms: int = 0


async def vouch_table(shard: Shard, log: Log, *, earliest: int, now_ms: int, incarnation: str) -> int | None:
    """Where the shard stands in the accounts or keys log: at its beginning, if the log no longer tells all since.

    Args:
        shard: the shard, opened.
        log: the table's.
        earliest: the first offset that the log still has.
        now_ms: Unix milliseconds, before anything is read.
        incarnation: a nonce, for a table that is begun anew.

    Returns:
        The fence; None if the shard was flushed since it was opened.
    """
    args: list[str | bytes | int] = [earliest, now_ms, VOUCHED_SECONDS * 1000, incarnation]
    fence = await shard.run(_VOUCH[log], [_table(shard, log)], args)
    return None if fence is None else int(fence)


async def fold_table(shard: Shard, log: Log, batch: TableBatch) -> Answer:
    """Applies a batch of the accounts or keys log if the shard stands at its start."""
    args: list[str | bytes | int] = [batch.start, batch.end, mark_text(batch.last)]
    args += (batch.read_ms, VOUCHED_SECONDS * 1000)
    for name, value in batch.changes.items():
        args += (name, value or b"")
    return read_answer(await shard.run(_FOLD[log], [_table(shard, log)], args))


def _table(shard: Shard, log: Log) -> str:
    return shard.keys.accounts if log is Log.ACCOUNTS else shard.keys.api_keys
