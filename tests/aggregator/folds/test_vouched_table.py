"""A table's log forgets what was removed: a state that is too old to know of it is begun anew."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

import pytest
from redis.asyncio import Redis

from aggregator.folds.table import TableFold
from ledger.answer import Verdict
from ledger.reading import is_ready
from ledger.ready import Note, Readiness, ReadyMark, mark_ready, note_server
from ledger.shard import Shard
from ledger.state import Log, open_shard
from metering.api_key import ApiKeyRecord
from metering.counting import Interval
from metering.partition import partition_of
from metering.retention import VOUCHED_SECONDS
from tests.aggregator.conftest import HOME, PARTITIONS
from tests.aggregator.memory_publisher import MemoryPublisher
from tests.aggregator.unreliable import UnreliableStore
from tests.metering.events import NOON_MS, Record

KEY = ApiKeyRecord(account="acme", created=1).to_json()
DAY_MS = 24 * 3600 * 1000
VOUCHED_DAYS = VOUCHED_SECONDS * 1000 // DAY_MS
A, B, C = [key.encode() for key in (f"key-{n}" for n in range(50)) if partition_of(key, PARTITIONS) == HOME][:3]


@dataclass
class Keys:
    """The fold of the keys' table, at a time of its own; its log is what a test says."""

    shard: Shard
    publisher: MemoryPublisher
    client: Redis
    log: tuple[tuple[bytes, bytes | None], ...] = ((A, KEY), (B, KEY))
    now_ms: int = NOON_MS
    incarnations: Iterator[str] = field(default_factory=lambda: (str(number) for number in count()))

    def fold(self) -> TableFold:
        """Another process's."""
        return TableFold(
            self.shard,
            Log.API_KEYS,
            ("table", "dead"),
            PARTITIONS,
            self.publisher,
            lambda: next(self.incarnations),
            now_ms=lambda: self.now_ms,
        )

    async def take_over(self) -> tuple[TableFold, int]:
        """Opens the shard; where it stands."""
        for log in (Log.USAGE, Log.ACCOUNTS):
            await open_shard(self.shard, log, earliest=0, incarnation=next(self.incarnations))
        fold = self.fold()
        return fold, (await fold.open(0)).fence

    async def read(self, fold: TableFold, start: int) -> Verdict:
        """Folds on to the log's end."""
        records = [Record(at, value, NOON_MS, key) for at, (key, value) in enumerate(self.log) if at >= start]
        return (await fold.apply(Interval(start, len(self.log), records))).verdict

    async def mark(self, note: Note | None = None) -> Readiness:
        """Marks the shard ready, as of now."""
        note, ends = note or await note_server(self.shard), {Log.API_KEYS: len(self.log)}
        return await mark_ready(self.shard, ReadyMark.USAGE, note, ends, as_of_ms=self.now_ms)

    async def known(self) -> set[bytes]:
        """The keys that open an account."""
        return set(await self.client.hgetall(self.shard.keys.api_keys))


@pytest.fixture
async def keys(shard: Shard, publisher: MemoryPublisher, client: Redis) -> Keys:
    """Two keys that are known; nobody folds on."""
    keys = Keys(shard, publisher, client)
    fold, fence = await keys.take_over()
    assert await keys.read(fold, fence) is Verdict.APPLIED
    assert await keys.mark() is Readiness.READY
    return keys


async def test_a_table_that_was_complete_lately_is_folded_on(keys: Keys) -> None:
    """A restart, or an older file of Redis: whatever was removed since is in the log still."""
    keys.now_ms += VOUCHED_DAYS * DAY_MS - 1
    keys.log = (*keys.log, (A, None))

    fold, fence = await keys.take_over()

    assert fence == 2
    assert await is_ready(keys.shard)
    assert await keys.read(fold, fence) is Verdict.APPLIED
    assert await keys.known() == {B}


async def test_a_table_whose_log_may_have_forgotten_a_removal_is_begun_anew(keys: Keys) -> None:
    """Given a revocation whose record compaction has dropped, the key does not outlive it, however old the state is."""
    keys.now_ms += VOUCHED_DAYS * DAY_MS
    keys.log = ((B, KEY), (C, KEY))  # A is gone, its tombstone too
    note = await note_server(keys.shard)

    fold, fence = await keys.take_over()

    assert fence == 0
    assert await keys.known() == set()
    assert not await is_ready(keys.shard)
    assert await keys.mark() is Readiness.BEHIND
    assert await keys.read(fold, fence) is Verdict.APPLIED
    assert await keys.known() == {B, C}
    assert await keys.mark(note) is Readiness.CHANGED  # its ends were noted for another table
    assert await keys.mark() is Readiness.READY


async def test_a_process_that_slept_for_days_does_not_read_on(keys: Keys) -> None:
    """It wakes, and reads a log that has been compacted behind its back; opened again, it begins anew."""
    fold, fence = await keys.take_over()
    keys.now_ms += VOUCHED_DAYS * DAY_MS
    keys.log = (*keys.log, (C, KEY), (A, KEY))

    assert await keys.read(fold, fence) is Verdict.OUTDATED
    assert await keys.known() == {A, B}
    fold, fence = await keys.take_over()
    assert fence == 0
    assert await keys.read(fold, fence) is Verdict.APPLIED


async def test_a_table_that_takes_long_to_begin_anew_counts_from_its_beginning(keys: Keys) -> None:
    """What it reads from there on is what the log held then, for as long as that log tells all."""
    keys.now_ms += 10 * VOUCHED_DAYS * DAY_MS
    fold, fence = await keys.take_over()
    keys.now_ms += VOUCHED_DAYS * DAY_MS - 1
    _, again = await keys.take_over()
    assert (fence, again) == (0, 0)
    assert await keys.read(fold, fence) is Verdict.APPLIED

    keys.now_ms += 1
    keys.log = (*keys.log, (C, KEY))
    assert await keys.read(fold, 2) is Verdict.OUTDATED


async def test_an_idle_log_forgets_nothing(keys: Keys) -> None:
    """Nothing was written for months: as long as that is looked at, the table is complete, and nobody reads 503."""
    for _ in range(5):
        keys.now_ms += (VOUCHED_DAYS - 1) * DAY_MS
        assert await keys.mark() is Readiness.READY

    _, fence = await keys.take_over()

    assert fence == 2
    assert await is_ready(keys.shard)


async def test_a_shard_that_is_flushed_while_it_is_opened_is_opened_again(
    shard: Shard, store: UnreliableStore, publisher: MemoryPublisher, client: Redis
) -> None:
    """Between its two looks."""
    keys = Keys(shard, publisher, client)
    store.before["vouch_table"] = lambda: client.delete(shard.keys.fences)

    fold = keys.fold()

    assert (await fold.open(0)).fence == 0
    assert await keys.read(fold, 0) is Verdict.APPLIED
