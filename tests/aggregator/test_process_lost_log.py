"""The real process and a log that is not the one that was folded: its shards stop, alone, and count nothing on."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Collection
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, TopicPartition
from typer.testing import CliRunner, Result

from aggregator.faust_adapter.fetch_thread import AWAY_SECONDS
from aggregator.stops import TRY_SECONDS
from ledger.state import Log, ShardState, read_state
from metering.account import Account
from metering.partition import partition_of
from metering.stop import StopReason
from ops.cli import app
from runtime.topics import create_topics
from tests.aggregator.load import Load, write
from tests.aggregator.system import PARTITIONS, System, running_system
from tests.support.eventually import eventually, eventually_async

FEW, MANY = 60, 600  # records of all partitions, before and after or after and before


@pytest.fixture
async def system(
    kafka_bootstrap: str, topic_prefix: str, redis_url: str, redis_prefix: str, tmp_path: Path
) -> AsyncIterator[System]:
    """Topics and keys of this test; no process yet."""
    async with running_system(kafka_bootstrap, topic_prefix, redis_url, redis_prefix, tmp_path) as system:
        yield system


def recreate(system: System, admin: KafkaAdminClient, topic: str) -> None:
    """Deletes a topic and makes it again, as someone in a hurry would."""
    admin.delete_topics([topic])
    eventually(lambda: topic not in admin.list_topics(), what="the end of the topic")
    create_topics(system.settings)


async def counted(system: System, records: int) -> Load:
    """A load that a process has counted."""
    load = Load()
    write(system.producer(), system.names.usage, load.events(records))
    process = system.start("one")
    await system.shows(load.units)
    process.kill()
    return load


async def states(system: System) -> list[ShardState]:
    """The shards' states."""
    return [await read_state(system.ledger.shard(number)) for number in range(PARTITIONS)]


async def is_stopped(system: System, log: Log, topic: str, shards: Collection[int] = range(PARTITIONS)) -> None:
    """The shards say so, with the topic, what happened and the command; and so does the process, which lives."""

    async def stopped() -> bool:
        return {number for number, state in enumerate(await states(system)) if log in state.stops} == set(shards)

    await eventually_async(stopped, 30, f"a stop of {log}; {system.said()}")
    stops = [state.stops[log] for number, state in enumerate(await states(system)) if number in shards]
    for stop in stops:
        assert stop.reason == StopReason.LOG_LOST
        for said in ("the topic was truncated or recreated", topic, "billing rebuild --shard"):
            assert said in stop.message
    (process,) = (process for process in system.processes if process.popen.poll() is None)
    for stop in stops:
        assert (
            process.output.count(f"stopped, and tried again every {TRY_SECONDS:g} s: {stop.message.split()[0]} ") == 1
        )


def rebuild(system: System, number: int) -> Result:
    """`billing rebuild`, beside the process that folds."""
    return CliRunner(env=system.env()).invoke(app, ["rebuild", "--yes", "--shard", str(number)])


async def test_a_recreated_log_that_has_grown_beyond_the_fence_is_not_counted_on(
    system: System, kafka_admin: KafkaAdminClient
) -> None:
    """Its end says nothing: the record at the mark's offset does. A rebuild counts what there is, without a restart."""
    await counted(system, FEW)
    before = await states(system)
    recreate(system, kafka_admin, system.names.usage)
    load = Load(seed=2)
    write(system.producer(), system.names.usage, load.events(MANY))

    system.start("one")
    await is_stopped(system, Log.USAGE, system.names.usage)
    assert [state.fences for state in await states(system)] == [state.fences for state in before]

    for number in range(PARTITIONS):
        done = await asyncio.to_thread(rebuild, system, number)
        assert "records folded" in done.output, done.output
    await system.shows(load.units)
    assert [state.stops for state in await states(system)] == [{}] * PARTITIONS


async def test_a_recreated_table_stops_its_shard_and_no_other(system: System, kafka_admin: KafkaAdminClient) -> None:
    """Accounts that only the old log had would still be billed, those of the new one be missed.

    Its other logs are folded on. So is everything of the other shards, which have had no accounts.
    """
    account = "acme"
    place, producer = partition_of(account, PARTITIONS), system.producer()

    def put(count: int, customer: str) -> None:
        for _ in range(count):
            producer.produce(system.names.accounts, Account(customer=customer).to_json(), account, place)
        producer.flush()

    put(3, "cus_1")
    load = await counted(system, FEW)
    recreate(system, kafka_admin, system.names.accounts)
    put(5, "cus_2")

    system.start("one")
    await is_stopped(system, Log.ACCOUNTS, system.names.accounts, [place])
    write(producer, system.names.usage, load.events(FEW))

    await system.shows(load.units)
    assert await system.client.hget(system.ledger.shard(place).keys.accounts, account) == (
        Account(customer="cus_1").to_json()
    )


@pytest.mark.parametrize(
    ("before", "after", "frozen"),
    [(MANY, FEW, False), (FEW, MANY, False), (FEW, MANY, True)],
    ids=["shorter", "longer", "longer before the next read"],
)
async def test_a_log_recreated_under_a_running_process_is_not_counted_on(
    system: System, kafka_admin: KafkaAdminClient, before, after, frozen
) -> None:
    """No silent reset, and no silent going on at an offset that means something else now.

    A process that was frozen meanwhile, for less than its session, finds all partitions as they were, and a record at
    the offset that it wants to read next: only that it was away for a while makes it look back.
    """
    load = Load()
    write(system.producer(), system.names.usage, load.events(before))
    process = system.start("one")
    await system.shows(load.units)
    folded = (await system.conservation()).read

    frozen_at = time.monotonic()
    if frozen:
        process.send(signal.SIGSTOP)
    recreate(system, kafka_admin, system.names.usage)
    write(system.producer(), system.names.usage, Load(seed=2).events(after))
    if frozen:  # a topic that is made again and filled within the time between two reads can't be told from the old one
        eventually(lambda: time.monotonic() - frozen_at > 2 * AWAY_SECONDS, what="a while")
    process.send(signal.SIGCONT)

    await is_stopped(system, Log.USAGE, system.names.usage)
    assert (await system.conservation()).read == folded


async def test_a_log_whose_folded_head_has_expired_is_gone_on_with(
    system: System, kafka_admin: KafkaAdminClient
) -> None:
    """Retention deletes what was counted long ago, the record of the mark included: nothing to compare."""
    load = await counted(system, FEW)
    kafka_admin.delete_records({TopicPartition(system.names.usage, n): -1 for n in range(PARTITIONS)})
    write(system.producer(), system.names.usage, load.events(FEW))

    process = system.start("one")

    await system.shows(load.units)
    assert process.popen.poll() is None
