"""The real process and a log that is not the one that was folded: it stops with what to do, and counts nothing on."""

import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, TopicPartition

from aggregator.fetch_thread import AWAY_SECONDS
from ledger.state import ShardState, read_state
from metering.account import Account
from metering.partition import partition_of
from runtime.topics import create_topics
from tests.aggregator.load import Load, write
from tests.aggregator.system import PARTITIONS, Process, System, running_system
from tests.support.eventually import eventually

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


async def stops_with_what_to_do(process: Process, topic: str) -> None:
    """It ends with 1, and its last words name the topic, what happened and the command."""
    assert await process.exit_code() == 1
    for said in ("the topic was truncated or recreated", topic, "billing rebuild --shard"):
        assert said in process.output


async def test_a_recreated_log_that_has_grown_beyond_the_fence_stops_the_process(
    system: System, kafka_admin: KafkaAdminClient
) -> None:
    """Its end says nothing: the record at the mark's offset does. Nothing was counted before that was seen."""
    await counted(system, FEW)
    before = await states(system)
    recreate(system, kafka_admin, system.names.usage)
    write(system.producer(), system.names.usage, Load(seed=2).events(MANY))

    await stops_with_what_to_do(system.start("one"), system.names.usage)

    assert [state.fences for state in await states(system)] == [state.fences for state in before]


async def test_a_recreated_table_stops_the_process(system: System, kafka_admin: KafkaAdminClient) -> None:
    """Accounts that only the old log had would still be billed, those of the new one be missed."""
    account = "acme"
    place, producer = partition_of(account, PARTITIONS), system.producer()

    def put(count: int, customer: str) -> None:
        for _ in range(count):
            producer.produce(system.names.accounts, Account(customer=customer).to_json(), account, place)
        producer.flush()

    put(3, "cus_1")
    await counted(system, FEW)
    recreate(system, kafka_admin, system.names.accounts)
    put(5, "cus_2")

    await stops_with_what_to_do(system.start("one"), system.names.accounts)

    assert await system.client.hget(system.ledger.shard(place).keys.accounts, account) == (
        Account(customer="cus_1").to_json()
    )


@pytest.mark.parametrize(
    ("before", "after", "frozen"),
    [(MANY, FEW, False), (FEW, MANY, False), (FEW, MANY, True)],
    ids=["shorter", "longer", "longer before the next read"],
)
async def test_a_log_recreated_under_a_running_process_stops_it(
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

    await stops_with_what_to_do(process, system.names.usage)
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
