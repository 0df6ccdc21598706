"""The folds of the compacted logs: accounts and API keys."""

from collections.abc import Mapping
from dataclasses import dataclass

from ledger.answer import Answer, read_answer
from ledger.script import load
from ledger.shard import Shard
from ledger.state import Log
from ledger.usage import mark_text
from metering.counting import Mark

_FOLD = load("fold_table")


@dataclass(frozen=True, slots=True)
class TableBatch:
    """What [start, end) of a compacted log changes; None as a value removes the name (a tombstone)."""

    start: int
    end: int
    changes: Mapping[str, bytes | None]
    last: Mark | None


async def fold_table(shard: Shard, log: Log, batch: TableBatch) -> Answer:
    """Applies a batch of the accounts or keys log if the shard stands at its start."""
    table = shard.keys.accounts if log is Log.ACCOUNTS else shard.keys.api_keys
    args: list[str | bytes | int] = [log.value, batch.start, batch.end, mark_text(batch.last)]
    for name, value in batch.changes.items():
        args += (name, value or b"")
    return read_answer(await shard.run(_FOLD, [table], args))
