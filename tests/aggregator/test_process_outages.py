"""The real process while Redis or Kafka are away, full, or come back with an older state.

It recovers by itself, or ends with 1 within the time of `docs/operating/failures.md`, and the next one recovers;
totals are exact in the end, and no reader ever sees a smaller one.
"""

import os
import shutil
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from aggregator.faust_adapter.app import STOP_SECONDS
from aggregator.owned_shards import ENDS_SECONDS
from local.servers.kafka import KafkaServer
from local.servers.redis import RedisServer, embedded_redis
from runtime.redis import CONNECT_TIMEOUT_SECONDS
from tests.aggregator.load import Load, write
from tests.aggregator.system import Process, System, running_system
from tests.aggregator.watching import Watch, traffic, watched
from tests.support.eventually import eventually_async
from tests.support.switchboard import Switchboard, switchboard

GIVE_UP_SECONDS = float(os.environ.get("OUTAGE_SECONDS", "2"))  # `make outages` waits for what production waits for
SLACK_SECONDS = 4.0  # of a machine that does other things


@pytest.fixture
async def own(kafka_bootstrap: str, topic_prefix: str, own_redis: RedisServer, tmp_path: Path) -> AsyncIterator[System]:
    """Topics of this test on the shared Kafka, a Redis of its own; no process yet."""
    async with running_system(kafka_bootstrap, topic_prefix, own_redis.url, "", tmp_path) as system:
        yield system


@pytest.fixture
async def board(own_redis: RedisServer) -> AsyncIterator[Switchboard]:
    """The way to that Redis."""
    async with switchboard(own_redis.port) as board:
        yield board


@pytest.fixture
async def led(kafka_bootstrap: str, topic_prefix: str, board: Switchboard, tmp_path: Path) -> AsyncIterator[System]:
    """The same system, whose processes and readers go to Redis by that way."""
    async with running_system(kafka_bootstrap, topic_prefix, board.redis_url, "", tmp_path) as system:
        yield system


@pytest.fixture
async def alone(own_kafka: KafkaServer, own_redis: RedisServer, tmp_path: Path) -> AsyncIterator[System]:
    """Kafka and Redis of this test's own."""
    async with running_system(own_kafka.bootstrap_servers, "", own_redis.url, "", tmp_path) as system:
        yield system


async def was_refused(watch: Watch, before: int) -> bool:
    """Whether the reader was refused once more."""
    return watch.refused > before


async def counts_on(system: System, load: Load) -> None:
    """What is written now is counted, exactly."""
    write(system.producer(), system.names.usage, load.events(200))
    await system.shows(load.units)
    assert (await system.conservation()).counted == load.made


async def gives_up(process: Process, since: float, call_seconds: float, away: str) -> None:
    """It ends with 1 in time, and says why last: the patience, a call under way when that ends, and the way out."""
    assert await process.exit_code(GIVE_UP_SECONDS + 30) == 1
    assert time.monotonic() - since < GIVE_UP_SECONDS + call_seconds + STOP_SECONDS + SLACK_SECONDS, process.output
    assert process.output.splitlines()[-1].startswith(f"aggregator: {away}"), process.output
    assert "\x1b" not in process.output


async def test_a_redis_that_comes_back_with_an_old_file_is_folded_on(own: System, own_redis: RedisServer) -> None:
    """Restored from yesterday's copy: any older state is a valid one, and nobody sees it before it has caught up."""
    load, copy = Load(), own_redis.data.with_name("copy")
    process = own.start("one")
    write(own.producer(), own.names.usage, load.events(500))
    await own.shows(load.units)
    async with watched(own) as watch:
        own_redis.kill()
        shutil.copytree(own_redis.data, copy)
        own_redis.start()
        await counts_on(own, load)
        own_redis.kill()
        shutil.rmtree(own_redis.data)
        copy.rename(own_redis.data)
        own_redis.start()
        await counts_on(own, load)

    assert watch.refused
    assert process.popen.poll() is None, process.output


async def test_a_failover_to_an_older_replica_shows_nobody_less(
    led: System, board: Switchboard, own_redis: RedisServer, tmp_path: Path
) -> None:
    """The replica was behind when it was promoted: its ready mark is of another server, so readers wait."""
    load, replica = Load(), embedded_redis(tmp_path / "replica")
    process = led.start("one")
    write(led.producer(), led.names.usage, load.events(500))
    await led.shows(load.units)
    try:
        replica.start()
        async with Redis(port=replica.port) as client, watched(led) as watch:
            await client.replicaof("127.0.0.1", own_redis.port)

            async def copied() -> bool:
                info = await client.info("replication")
                return info["master_link_status"] == "up"

            await eventually_async(copied, what="replication")
            await client.replicaof("NO", "ONE")  # what is counted from here on it never gets
            await counts_on(led, load)
            process.send(signal.SIGSTOP)  # or it might be faster than the reader
            board.lead_to(replica.port)
            own_redis.kill()
            before = watch.refused
            await eventually_async(lambda: was_refused(watch, before), what="a refusal")
            process.send(signal.SIGCONT)
            await counts_on(led, load)

        assert process.popen.poll() is None, process.output
    finally:
        replica.kill()


async def test_a_short_outage_of_redis_is_sat_out(led: System, board: Switchboard, own_redis: RedisServer) -> None:
    """In the middle of the load; the process goes on where the fence is."""
    load = Load()
    process = led.start("one")
    async with watched(led), traffic(led, load, 6_000):
        await led.progress(1000)
        board.lead_to(None)
        board.lead_to(own_redis.port)
    await led.shows(load.units)

    assert (await led.conservation()).counted == load.made
    assert process.popen.poll() is None, process.output


async def test_a_long_outage_of_redis_ends_the_process_and_the_next_one_recovers(
    led: System, board: Switchboard, own_redis: RedisServer
) -> None:
    """An idle one too: nobody could tell customers how fresh their totals are."""
    load = Load()
    process = led.start("one", give_up_seconds=GIVE_UP_SECONDS)
    await counts_on(led, load)

    since = time.monotonic()
    board.lead_to(None)
    await gives_up(process, since, CONNECT_TIMEOUT_SECONDS, "Redis")

    board.lead_to(own_redis.port)
    led.start("one")
    await counts_on(led, load)


async def test_a_rebalance_while_redis_is_away_waits_for_it(
    led: System, board: Switchboard, own_redis: RedisServer
) -> None:
    """The shards of one that leaves are another's at once, who can't ask where they stand: it goes on asking."""
    load = Load()
    leaves, stays = led.start(), led.start()
    await counts_on(led, load)
    board.lead_to(None)
    leaves.send(signal.SIGTERM)

    async def took_over() -> bool:
        return "finding its position again" in stays.output

    await eventually_async(took_over, 20.0, stays.output)
    board.lead_to(own_redis.port)

    await counts_on(led, load)
    assert stays.popen.poll() is None, stays.output


async def test_a_full_redis_holds_the_count_until_there_is_room(own: System) -> None:
    """Nothing is half written: a script that may not write has not begun. Readers see what they saw."""
    load = Load()
    process = own.start("one")
    await counts_on(own, load)
    async with watched(own) as watch:
        await own.client.config_set("maxmemory", "1mb")
        before = await own.conservation()
        write(own.producer(), own.names.usage, load.events(500))

        async def refused() -> bool:
            return "OutOfMemoryError" in process.output

        await eventually_async(refused, 10.0, process.output)
        with pytest.raises(ResponseError, match="used memory"):
            await own.client.set("x", "y")
        assert await own.conservation() == before
        await own.client.config_set("maxmemory", "0")
        await counts_on(own, load)

    assert watch.looks
    assert process.popen.poll() is None, process.output


async def test_outages_of_kafka_and_of_both(alone: System, own_kafka: KafkaServer, own_redis: RedisServer) -> None:
    """A long one ends the process, which has lost its shards by then; the next one sits a short one of both out."""
    load = Load()
    async with watched(alone):
        process = alone.start("one", give_up_seconds=GIVE_UP_SECONDS)
        await counts_on(alone, load)
        since = time.monotonic()
        own_kafka.kill()
        await gives_up(process, since, ENDS_SECONDS, "Kafka")
        assert "Kafka did not say" in process.output

        own_kafka.start()
        process = alone.start("one")
        await counts_on(alone, load)
        own_redis.kill()
        own_kafka.kill()
        own_redis.start()
        own_kafka.start()
        await counts_on(alone, load)

    assert process.popen.poll() is None, process.output
