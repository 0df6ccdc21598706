"""Passing offsets by: each of them has a fate of its own, and the fence moves past them."""

import pytest
from redis.asyncio import Redis

from ledger.answer import Verdict
from ledger.quarantine import pass_by
from ledger.shard import Shard
from ledger.state import Conservation, Log, open_shard, read_state
from ledger.tables import TableBatch, fold_table
from metering.counting import Mark
from tests.ledger.folding import Folder, fold
from tests.ledger.reference import ACCOUNTS
from tests.ledger.stored import stored
from tests.metering.events import Record, event

ACME = ACCOUNTS[0]


async def test_every_offset_is_read_and_quarantined(client: Redis, shard: Shard) -> None:
    """Nothing else changes: no unit, no identity, no time; and the fold goes on behind it."""
    await fold(shard, Record(0, event(id="1", subject=ACME)))
    before, units = await read_state(shard), (await stored(client, shard)).hours

    answer = await pass_by(shard, Log.USAGE, 1, 5)

    state = await read_state(shard)
    assert (answer.verdict, answer.fence) == (Verdict.APPLIED, 5)
    assert state.conservation == Conservation(read=5, counted=1, duplicate=0, dead=0, rerouted=0, quarantined=4)
    assert state.conservation.balanced
    assert (state.high_ms, state.window) == (before.high_ms, before.window)
    assert (await stored(client, shard)).hours == units

    await fold(shard, Record(5, event(id="2", subject=ACME)))
    assert (await read_state(shard)).conservation.counted == 2


async def test_the_record_before_is_forgotten(shard: Shard) -> None:
    """Or the next chain would begin with it, and read across what was passed by. The next record is remembered."""
    await fold(shard, Record(0, event(id="1", subject=ACME)))
    assert Log.USAGE in (await read_state(shard)).marks

    await pass_by(shard, Log.USAGE, 1, 5)
    assert Log.USAGE not in (await read_state(shard)).marks

    await fold(shard, Record(5, event(id="2", subject=ACME)))
    assert (await read_state(shard)).marks[Log.USAGE].offset == 5


@pytest.mark.parametrize(
    ("start", "verdict", "fence"), [(3, Verdict.STALE, 7), (8, Verdict.GAP, 7), (10, Verdict.GAP, 7)]
)
async def test_a_shard_that_stands_elsewhere_changes_nothing(client: Redis, shard, start, verdict, fence) -> None:
    """Offsets are compared as numbers."""
    await Folder(shard).open(earliest=7)
    before = await client.hgetall(shard.keys.fences)

    answer = await pass_by(shard, Log.USAGE, start, 20)

    assert (answer.verdict, answer.fence) == (verdict, fence)
    assert await client.hgetall(shard.keys.fences) == before


async def test_a_shard_without_a_fence_passes_nothing_by(shard: Shard) -> None:
    """It may have been flushed a moment ago."""
    assert (await pass_by(shard, Log.USAGE, 0, 5)).verdict is Verdict.EMPTY
    assert (await read_state(shard)).conservation.read == 0


async def test_of_a_table_s_log_nothing_is_counted(shard: Shard) -> None:
    """The counts are the usage log's; the table keeps what it had."""
    await open_shard(shard, Log.ACCOUNTS, earliest=0, incarnation="one")
    await fold_table(shard, Log.ACCOUNTS, TableBatch(0, 3, {"acme": b"{}"}, Mark(2, 1, 1)))

    assert (await pass_by(shard, Log.ACCOUNTS, 3, 4)).applied

    state = await read_state(shard)
    assert (state.fences[Log.ACCOUNTS], state.marks, state.conservation.read) == (4, {}, 0)
