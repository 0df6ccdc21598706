"""The real process and partitions that somebody adds to the usage log: what lies there is counted where it belongs."""

import asyncio
import json
import runpy
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from kafka import KafkaAdminClient
from typer.testing import CliRunner, Result

import aggregator.faust_adapter.fetch_thread
from ledger.state import Log, ShardState, read_state
from ops.cli import app
from tests.aggregator.load import Load, write
from tests.aggregator.system import PARTITIONS, Process, System, running_system
from tests.support.eventually import eventually, eventually_async

ADDED = 2
IMPATIENT = [sys.executable, "-m", __name__]  # looks for added partitions every few seconds


@pytest.fixture
async def system(
    kafka_bootstrap: str, topic_prefix: str, redis_url: str, redis_prefix: str, tmp_path: Path
) -> AsyncIterator[System]:
    """Topics and keys of this test; no process yet."""
    async with running_system(kafka_bootstrap, topic_prefix, redis_url, redis_prefix, tmp_path) as system:
        yield system


def add_partitions(admin: KafkaAdminClient, system: System) -> None:
    """As somebody does who wants the log to take more."""
    admin.create_partitions({system.names.usage: PARTITIONS + ADDED})
    topics = [system.names.usage]
    eventually(lambda: len(admin.describe_topics(topics)[0]["partitions"]) == PARTITIONS + ADDED, what="the partitions")


def to_added(system: System, load: Load, count: int) -> None:
    """Writes events into the added partitions."""
    producer: Producer = system.producer()
    failed: list[object] = []
    records = [*(load.event() for _ in range(count)), ("k", b"no event")]
    for number, (key, value) in enumerate(records):
        place = PARTITIONS + number % ADDED
        producer.produce(
            system.names.usage, value, key, place, on_delivery=lambda error, _: failed.append(error) if error else None
        )
    assert producer.flush(20) == 0
    assert not failed


async def added_states(system: System) -> list[ShardState]:
    """How the added partitions' folds stand."""
    return [await read_state(system.ledger.shard(PARTITIONS + number)) for number in range(ADDED)]


async def are_read(system: System, records: int) -> None:
    """Waits until so many records of the added partitions are folded, and these know themselves to be caught up."""

    async def read() -> bool:
        states = await added_states(system)
        assert sum(state.conservation.read for state in states) == records
        return all(state.as_of_ms for state in states)

    await eventually_async(read, 60.0, f"the added partitions; {system.said()}")


async def is_counted(system: System, load: Load, records: int) -> None:
    """Everything is where it belongs, and the added partitions say what became of their records."""
    await system.shows(load.units)
    await are_read(system, records + 1)
    fates = [state.conservation for state in await added_states(system)]
    assert sum(each.rerouted for each in fates) == records
    assert sum(each.dead for each in fates) == 1
    assert all(state.fences.keys() == {Log.USAGE} for state in await added_states(system))
    assert [headers[""] for headers in system.dead_letters().values()] == [b"no event"]


async def lives_on(system: System, process: Process, load: Load) -> None:
    """Nobody has ended or restarted it."""
    write(system.producer(), system.names.usage, load.events(50, repeated=0))
    await system.shows(load.units)
    assert process.popen.poll() is None


async def test_partitions_that_are_added_are_found_while_all_runs(
    system: System, kafka_admin: KafkaAdminClient
) -> None:
    """Also by a member that leads its group, was killed, and came back under the same name."""
    load = Load()
    write(system.producer(), system.names.usage, load.events(200))
    system.start("one", command=IMPATIENT)
    await system.shows(load.units)
    system.processes[0].kill()
    process = system.start("one", command=IMPATIENT)
    write(system.producer(), system.names.usage, load.events(200))
    await system.shows(load.units)

    add_partitions(kafka_admin, system)
    to_added(system, load, 60)

    await is_counted(system, load, 60)
    await lives_on(system, process, load)


async def test_partitions_that_were_added_are_no_reason_not_to_start(
    system: System, kafka_admin: KafkaAdminClient
) -> None:
    """And two members share everything, each shard's logs in one hand."""
    load = Load()
    add_partitions(kafka_admin, system)
    to_added(system, load, 60)
    processes = [system.start("one"), system.start("two")]

    await is_counted(system, load, 60)
    for process in processes:
        await lives_on(system, process, load)
        assert f"{system.names.usage}.dlq, {system.names.accounts}" in process.output  # on one disk only: it says so


async def billing(system: System, *arguments: str) -> Result:
    """Runs the command on these servers."""
    settings = system.settings
    env = {
        "BILLING_KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "BILLING_REDIS_URL": settings.redis_url,
        "BILLING_REDIS_PREFIX": settings.redis_prefix,
        "BILLING_TOPIC_PREFIX": settings.topic_prefix,
        "BILLING_PARTITIONS": str(PARTITIONS),
    }
    return await asyncio.to_thread(CliRunner(env=env).invoke, app, arguments)


async def test_operators_see_added_partitions(system: System, kafka_admin: KafkaAdminClient) -> None:
    """Each is a shard of which all is re-routed: in the status, in the recount, in a rebuild."""
    load = Load()
    add_partitions(kafka_admin, system)
    to_added(system, load, 60)
    system.start("one")
    await is_counted(system, load, 60)

    status = json.loads((await billing(system, "status", "--json")).stdout)
    assert status["totals"]["rerouted"] >= 60
    assert status["totals"]["read"] == (await system.conservation()).read + 61
    added = {report["shard"]: report for report in status["shards"] if report["added"]}
    assert added.keys() == {PARTITIONS, PARTITIONS + 1}
    assert all(report["phase"] == "ready" and report["troubles"] == ["partitions_added"] for report in added.values())
    rebuilt = await billing(system, "rebuild", "--yes", "--shard", str(PARTITIONS))
    assert rebuilt.exit_code == 0, rebuilt.output
    await is_counted(system, load, 60)

    verified = await billing(system, "verify", "--json")
    assert verified.exit_code == 0, verified.output
    assert [verdict["shard"] for verdict in json.loads(verified.stdout)] == list(range(PARTITIONS + ADDED))
    unknown = await billing(system, "status", "--shard", "99")
    assert "there is no shard 99: shards are 0 to 4" in unknown.output


if __name__ == "__main__":
    aggregator.faust_adapter.fetch_thread.METADATA_MS = 4_000
    runpy.run_module("aggregator", run_name="__main__")
