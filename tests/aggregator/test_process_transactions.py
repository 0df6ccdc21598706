"""The real process and somebody's transaction on the usage log: what waits behind it is not said to be counted."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Producer

from ledger.state import ShardState, read_state
from metering.partition import partition_of
from tests.aggregator.load import ACCOUNTS, Load, write
from tests.aggregator.system import PARTITIONS, System, running_system
from tests.support.eventually import eventually_async

HOME = partition_of(ACCOUNTS[0], PARTITIONS)


@pytest.fixture
async def system(
    kafka_bootstrap: str, topic_prefix: str, redis_url: str, redis_prefix: str, tmp_path: Path
) -> AsyncIterator[System]:
    """Topics and keys of this test; no process yet."""
    async with running_system(kafka_bootstrap, topic_prefix, redis_url, redis_prefix, tmp_path) as system:
        yield system


@contextmanager
def transaction(system: System) -> Iterator[Producer]:
    """A transaction with one record on the shard's partition, to be ended by the test."""
    producer = system.producer(**{"transactional.id": system.names.prefix, "transaction.timeout.ms": 300_000})
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce(system.names.usage, b"an event that is never committed", ACCOUNTS[0], HOME)
    assert producer.flush(20) == 0
    yield producer


async def state(system: System) -> ShardState:
    """The shard's."""
    return await read_state(system.ledger.shard(HOME))


async def fresher_than(system: System, as_of_ms: int) -> None:
    """Waits until the shard is as of a later moment."""

    async def fresh() -> bool:
        return ((await state(system)).as_of_ms or 0) > as_of_ms

    await eventually_async(fresh, what=f"a later moment; {system.said()}")


async def looks(system: System, process_ms: int) -> None:
    """Waits until the process has looked at all shards since; the others' freshness tells."""
    others = [number for number in range(PARTITIONS) if number != HOME]

    async def looked() -> bool:
        states = [await read_state(system.ledger.shard(number)) for number in others]
        return all((each.as_of_ms or 0) > process_ms for each in states)

    await eventually_async(looked, what=f"a look; {system.said()}")


async def test_freshness_waits_for_a_transaction_that_is_open(system: System) -> None:
    """Usage that is acknowledged behind it can't be read: totals stay, and say of when they are, until it has ended."""
    load = Load()
    write(system.producer(), system.names.usage, load.events(300))
    system.start("one")
    await system.shows(load.units)
    await fresher_than(system, time.time_ns() // 1_000_000)

    with transaction(system) as open_one:
        published_ms = time.time_ns() // 1_000_000
        before = dict(load.units)
        write(system.producer(partitioner="murmur2_random"), system.names.usage, load.events(100, repeated=0))
        await looks(system, time.time_ns() // 1_000_000)
        assert ((await state(system)).as_of_ms or 0) <= published_ms
        assert (await system.visible(ACCOUNTS[0])) == {
            counter: units for counter, units in before.items() if counter[0] == ACCOUNTS[0]
        }
        open_one.abort_transaction(20)

    await system.shows(load.units)
    await fresher_than(system, time.time_ns() // 1_000_000)  # though the log ends with the abort's own record


async def test_a_shard_that_is_folded_anew_is_ready_while_a_transaction_is_open(system: System) -> None:
    """What readers were shown is all there again; freshness says up to when that is known to be everything."""
    load = Load()
    write(system.producer(partitioner="murmur2_random"), system.names.usage, load.events(300))
    begun_ms = time.time_ns() // 1_000_000
    with transaction(system) as open_one:
        system.start("one")
        await system.shows(load.units)
        held = await state(system)
        assert held.as_of_ms == held.high_ms <= begun_ms
        open_one.commit_transaction(20)
    await fresher_than(system, time.time_ns() // 1_000_000)
