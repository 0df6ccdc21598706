"""The real process and a batch that it can't read: its shard stops, everybody says so, and a person lets it go on."""

import asyncio
import gzip
import json
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ledger.state import Log, read_state
from local.servers.ports import free_port
from metering.outage import WINDOW_RECORDS
from metering.partition import partition_of
from metering.quarantine import OrderKey, QuarantineOrder
from ops.cli import app
from runtime.unpacking import MAX_UNPACKED_BYTES
from tests.aggregator.load import ACCOUNTS, Load, write
from tests.aggregator.system import PARTITIONS, System, running_system
from tests.support import raw_batches
from tests.support.eventually import eventually_async

EVENTS = 150
ACCOUNT = ACCOUNTS[0]
STUCK = partition_of(ACCOUNT, PARTITIONS)
BOMB = raw_batches.batch([raw_batches.record(0, b"key", bytes(2 * MAX_UNPACKED_BYTES))], 1, gzip.compress)
OTHERS = [account for account in ACCOUNTS if partition_of(account, PARTITIONS) != STUCK]


@pytest.fixture
async def system(
    kafka_bootstrap: str, topic_prefix: str, redis_url: str, redis_prefix: str, tmp_path: Path
) -> AsyncIterator[System]:
    """Topics and keys of this test; no process yet."""
    async with running_system(kafka_bootstrap, topic_prefix, redis_url, redis_prefix, tmp_path) as system:
        yield system


async def billing(system: System, *arguments: object) -> Result:
    """Runs the command, beside the process."""
    runner = CliRunner(env=system.env())
    return await asyncio.to_thread(runner.invoke, app, [str(each) for each in arguments])


def get(port: int, path: str) -> tuple[int, str]:
    """What the process answers over HTTP."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return answer.status, answer.read().decode()


async def stop_offset(system: System) -> int | None:
    """Where the shard is stopped."""
    stop = (await read_state(system.ledger.shard(STUCK))).stops.get(Log.USAGE)
    return stop and stop.offset


async def stuck_system(system: System, load: Load, **settings: object) -> int:
    """A process that has met what it can't read, with events before and behind it; the offset."""
    producer = system.producer(partitioner="murmur2_random")
    write(producer, system.names.usage, load.events(EVENTS))
    (at,) = await raw_batches.write(system.settings.kafka_bootstrap_servers, system.names.usage, [(STUCK, BOMB)])
    write(producer, system.names.usage, load.events(EVENTS))
    system.start("one", **settings)

    async def stopped() -> bool:
        return await stop_offset(system) is not None

    await eventually_async(stopped, 40, f"the stop; {system.said()}")
    assert await stop_offset(system) == at
    return at


def of(load: Load, accounts: list[str]) -> Counter[tuple[str, str]]:
    """What must be counted of some accounts."""
    return Counter({place: units for place, units in load.units.items() if place[0] in accounts})


async def test_a_shard_stops_alone_and_everybody_says_so(system: System) -> None:
    """The process lives and counts all others; status, metrics and health name the log, the offset and the reason."""
    load, port = Load(), free_port()
    at = await stuck_system(system, load, http_port=port)
    write(system.producer(partitioner="murmur2_random"), system.names.usage, load.events(EVENTS))

    await system.shows(of(load, OTHERS))

    status = await billing(system, "status", "--json", "--shard", STUCK)
    seen = json.loads(status.stdout)
    (report,) = seen["shards"]
    told = f"{system.names.usage}-{STUCK}: the batch at offset {at} can't be read: "
    assert status.exit_code == 1
    assert report["stops"]["usage"]["offset"] == at
    assert report["troubles"] == ["unreadable_batch"]
    assert any(told in detail for each in seen["findings"] for detail in each["details"])
    code, words = await asyncio.to_thread(get, port, "/healthz")
    assert code == 200
    assert words.startswith(f"ok; shard {STUCK}: the usage log has been stopped for ")
    assert told in words
    labels = f'{{log="usage",reason="unreadable_batch",shard="{STUCK}"}}'
    shown = (await asyncio.to_thread(get, port, "/metrics"))[1]
    assert f"usage_shard_stopped{labels} 1.0" in shown
    assert f"usage_shard_stopped_offset{labels} {float(at)}" in shown
    assert system.processes[0].output.count("stopped, and tried again") == 1


async def test_a_person_lets_the_shard_pass_it_by_for_good(system: System) -> None:
    """Everything else is counted; and a refold from nothing comes to the very same."""
    load = Load()
    at = await stuck_system(system, load)
    for wrong in ((STUCK, at + 1), (STUCK, 0), (PARTITIONS, at)):
        refused = await billing(system, "quarantine", *wrong, "--why", "a codec", "--yes")
        assert refused.exit_code == 1, refused.output

    done = await billing(system, "quarantine", STUCK, at, "--why", "a codec", "--who", "ops", "--yes")

    assert done.exit_code == 0, done.output
    await system.shows(load.units)
    fates = await system.conservation()
    assert (fates.quarantined, fates.read) == (1, 2 * EVENTS + 1)
    letter = system.dead_letters()[system.names.usage.encode(), str(STUCK).encode(), str(at).encode()]
    assert (letter[""], letter["dlq.reason"], letter["dlq.detail"]) == (b"", b"quarantined", b"ops: a codec")
    again = await billing(system, "quarantine", STUCK, at, "--why", "a codec", "--yes")
    assert "was ordered to be passed by already" in again.output
    assert (await billing(system, "verify")).exit_code == 0

    system.processes[0].kill()
    async for key in system.client.scan_iter(match=f"{system.settings.redis_prefix}*"):
        await system.client.unlink(key)
    system.start("one")
    await system.shows(load.units)

    assert await system.conservation() == fates
    letter = system.dead_letters()[system.names.usage.encode(), str(STUCK).encode(), str(at).encode()]
    assert (letter[""], letter["dlq.detail"]) == (b"", b"ops: a codec")
    assert (await billing(system, "verify")).exit_code == 0
    status = json.loads((await billing(system, "status", "--json", "--shard", STUCK)).stdout)
    assert (status["shards"][0]["stops"], status["shards"][0]["late"]) == ({}, 0)


async def test_an_order_that_comes_too_late_is_told(system: System) -> None:
    """The offset was counted meanwhile: status and verify say so, and a rebuild comes to what the order wants."""
    load = Load()
    producer = system.producer(partitioner="murmur2_random")
    write(producer, system.names.usage, load.events(EVENTS, repeated=0))
    system.start("one")
    await system.shows(load.units)
    key = OrderKey(system.names.usage, STUCK, 0)
    order = QuarantineOrder(offset=0, end=1, why="late", who="ops", time=1_800_000_000)
    write(producer, system.names.quarantine, iter([(str(key), order.to_json())]))

    async def late() -> int:
        told = json.loads((await billing(system, "status", "--json", "--shard", STUCK)).stdout)
        return told["shards"][0]["troubles"].count("order_late")

    assert await late() == 1
    assert (await billing(system, "verify")).exit_code == 1
    refused = await billing(system, "quarantine", STUCK, 1, "--why", "a whim", "--yes")
    assert "was folded already" in refused.output

    assert (await billing(system, "rebuild", "--shard", STUCK, "--yes")).exit_code == 1  # an account has less
    assert await late() == 0
    assert (await billing(system, "verify")).exit_code == 0
    assert (await system.conservation()).quarantined == 1


async def test_rejects_of_several_sources_stop_a_shard_until_a_person_lets_them_drain(system: System) -> None:
    """Of all that lies there now. Rubbish of one kind stops nobody, however much."""
    load, producer = Load(), system.producer(partitioner="murmur2_random")
    rubbish = [(ACCOUNT, b"x")] * (WINDOW_RECORDS + 1000)
    write(producer, system.names.usage, iter(rubbish))
    write(producer, system.names.usage, load.events(EVENTS))
    system.start("one")
    await system.shows(load.units)
    values = [json.dumps({"source": source}).encode() for source in ("/sms", "/voice")]
    write(producer, system.names.usage, ((ACCOUNT, values[n % 2]) for n in range(2 * WINDOW_RECORDS)))
    write(producer, system.names.usage, load.events(EVENTS))

    async def stopped() -> bool:
        return await stop_offset(system) is not None

    await eventually_async(stopped, 40, f"the stop; {system.said()}")
    refused = await billing(system, "quarantine", STUCK, await stop_offset(system), "--why", "rejects", "--yes")
    assert "no record that could be passed by (rejects)" in refused.output

    done = await billing(system, "drain", STUCK, "--why", "two bad deploys", "--yes")

    assert done.exit_code == 0, done.output
    await system.shows(load.units)
    assert (await system.conservation()).dead == len(rubbish) + 2 * WINDOW_RECORDS
    assert "is not stopped" in (await billing(system, "drain", STUCK, "--why", "again", "--yes")).output
