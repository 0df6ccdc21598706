"""The folds of the compacted logs: the last value of each name."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from ledger.answer import Verdict
from ledger.shard import Shard
from ledger.state import Log, open_shard, read_state
from ledger.tables import TableBatch, fold_table
from metering.counting import Mark

TABLES = (Log.ACCOUNTS, Log.API_KEYS)


async def table(client: Redis, shard: Shard, log: Log) -> dict[str, bytes]:
    """What a table holds."""
    name = shard.keys.accounts if log is Log.ACCOUNTS else shard.keys.api_keys
    return {key.decode(): value for key, value in (await client.hgetall(name)).items()}


CHANGES = st.lists(
    st.dictionaries(st.sampled_from(["a", "b", "ü", "c d"]), st.none() | st.binary(min_size=1, max_size=8), max_size=3),
    max_size=10,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(batches=CHANGES)
async def test_a_table_is_the_last_value_of_each_name(client: Redis, new_shard: Callable[[], Shard], batches) -> None:
    """A tombstone removes it, also one of a name that never was; every batch twice."""
    shard, expected = new_shard(), dict[str, bytes]()
    for log in TABLES:
        await open_shard(shard, log, earliest=3, incarnation="one")
    for at, changes in enumerate(batches, start=3):
        batch = TableBatch(at, at + 1, changes, None)
        assert (await fold_table(shard, Log.ACCOUNTS, batch)).verdict is Verdict.APPLIED
        assert (await fold_table(shard, Log.ACCOUNTS, batch)).verdict is Verdict.STALE
        expected = {name: value for name, value in (expected | changes).items() if value is not None}

    assert await table(client, shard, Log.ACCOUNTS) == expected
    assert await table(client, shard, Log.API_KEYS) == {}
    assert (await read_state(shard)).fences == {Log.ACCOUNTS: 3 + len(batches), Log.API_KEYS: 3}


@pytest.mark.parametrize("log", TABLES)
async def test_each_table_has_a_fence_and_a_mark_of_its_own(client: Redis, shard: Shard, log) -> None:
    """The other log of the shard does not move."""
    for each in TABLES:
        await open_shard(shard, each, earliest=0, incarnation="one")

    answer = await fold_table(shard, log, TableBatch(0, 4, {"x": b"1"}, Mark(3, 12, 99)))

    state = await read_state(shard)
    assert (answer.verdict, answer.fence) == (Verdict.APPLIED, 4)
    assert state.marks == {log: Mark(3, 12, 99)}
    assert {each: state.fences[each] for each in TABLES} == {each: 4 if each is log else 0 for each in TABLES}
    assert await table(client, shard, log) == {"x": b"1"}


@pytest.mark.parametrize(
    ("start", "verdict", "fence"), [(None, Verdict.EMPTY, None), (4, Verdict.STALE, 5), (10, Verdict.GAP, 5)]
)
async def test_a_batch_that_does_not_start_at_the_fence_changes_nothing(client, shard, start, verdict, fence) -> None:
    """The fence decides, as for the usage log."""
    if start is not None:
        await open_shard(shard, Log.ACCOUNTS, earliest=5, incarnation="one")

    answer = await fold_table(shard, Log.ACCOUNTS, TableBatch(start or 0, 20, {"x": b"1"}, None))

    assert (answer.verdict, answer.fence) == (verdict, fence)
    assert await table(client, shard, Log.ACCOUNTS) == {}


async def test_an_empty_batch_moves_the_fence(shard: Shard) -> None:
    """Compaction and control records leave offsets without records."""
    await open_shard(shard, Log.API_KEYS, earliest=0, incarnation="one")

    assert (await fold_table(shard, Log.API_KEYS, TableBatch(0, 50, {}, None))).fence == 50


async def test_the_largest_batch_is_one_call(client: Redis, shard: Shard) -> None:
    """5,000 names at once."""
    await open_shard(shard, Log.ACCOUNTS, earliest=0, incarnation="one")
    changes = {f"account-{n}": b"{}" for n in range(5000)}

    assert (await fold_table(shard, Log.ACCOUNTS, TableBatch(0, 5000, changes, None))).applied

    assert len(await table(client, shard, Log.ACCOUNTS)) == 5000
