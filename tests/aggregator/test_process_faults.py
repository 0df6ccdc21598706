"""The real process under faults: killed, frozen, flushed, its log cut; exact all the same, or stopped with a reason."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, TopicPartition

from ledger.reading import is_ready
from ledger.state import Log, open_shard, read_state
from local.servers.redis import RedisServer
from tests.aggregator.load import Load, write
from tests.aggregator.system import PARTITIONS, System, running_system
from tests.aggregator.watching import traffic, watched
from tests.support.eventually import eventually_async


@pytest.fixture
async def system(
    kafka_bootstrap: str, topic_prefix: str, redis_url: str, redis_prefix: str, tmp_path: Path
) -> AsyncIterator[System]:
    """Topics and keys of this test; no process yet."""
    async with running_system(kafka_bootstrap, topic_prefix, redis_url, redis_prefix, tmp_path) as system:
        yield system


@pytest.fixture
async def own(kafka_bootstrap: str, topic_prefix: str, own_redis: RedisServer, tmp_path: Path) -> AsyncIterator[System]:
    """The same with a Redis of its own, to be flushed."""
    async with running_system(kafka_bootstrap, topic_prefix, own_redis.url, "", tmp_path) as system:
        yield system


async def test_a_killed_process_goes_on_where_it_was(system: System) -> None:
    """Kill -9 in the middle of the load, twice; the fence knows what was counted."""
    load = Load()
    async with traffic(system, load, 10_000):
        for kill_at in (500, 4000):
            process = system.start("one")
            await system.progress(kill_at)
            process.kill()
    system.start("one")

    await system.shows(load.units)
    assert (await system.conservation()).counted == load.made


async def test_a_flush_loses_nothing_and_nobody_sees_a_smaller_total(own: System) -> None:
    """FLUSHALL, twice, under load: readers are refused until the shard has folded its log again."""
    load = Load()
    own.start("one")
    async with watched(own) as watch:
        async with traffic(own, load, 8_000):
            for flush_at in (1000, 3000):
                await own.progress(flush_at)
                await own.client.flushall()
        await own.shows(load.units)

        async def seen_all() -> bool:
            return watch.highest == load.units

        await eventually_async(seen_all)

    assert 0 < watch.refused < watch.looks
    assert (await own.conservation()).counted == load.made


async def test_a_restarted_redis_is_refolded_from_where_it_fell_back_to(own: System, own_redis: RedisServer) -> None:
    """Killed and started again: the last second may be missing, and is read again from the log."""
    load = Load()
    process = own.start("one")
    async with traffic(own, load, 6_000):
        await own.progress(1500)
        own_redis.kill()
        own_redis.start()

    await own.shows(load.units)
    assert process.popen.poll() is None, process.output


async def test_of_two_processes_one_takes_over_when_the_other_is_killed(system: System) -> None:
    """After the session time-out; nothing is counted twice on the way."""
    load = Load()
    first, second = system.start("one"), system.start("two")
    async with traffic(system, load, 6_000):
        await system.progress(1500)
        first.kill()

    await system.shows(load.units)
    assert second.popen.poll() is None, second.output


async def test_a_frozen_process_that_wakes_up_counts_nothing_twice(system: System) -> None:
    """It still believes to own its shards, with batches in flight; the fence refuses them."""
    load = Load()
    zombie = system.start("one")
    async with traffic(system, load, 8_000):
        await system.progress(1500)
        zombie.send(signal.SIGSTOP)
    at = (await system.conservation()).counted
    write(system.producer(), system.names.usage, load.events(500, repeated=0))
    heir = system.start("two")
    await system.progress(at + 100)
    zombie.send(signal.SIGCONT)

    write(system.producer(), system.names.usage, load.events(500))
    await system.shows(load.units)
    assert heir.popen.poll() is None, heir.output


async def stands_at(system: System, fence: int) -> None:
    """Every shard has counted the usage log up to there."""
    for number in range(PARTITIONS):
        await open_shard(system.ledger.shard(number), Log.USAGE, earliest=fence, incarnation="one")


async def are_stopped(system: System, what: str) -> None:
    """Every shard says so, none is shown to readers, and the process lives."""
    shards = [system.ledger.shard(number) for number in range(PARTITIONS)]

    async def told() -> bool:
        stops = [(await read_state(shard)).stops.get(Log.USAGE) for shard in shards]
        return all(stop is not None and what in stop.message and system.names.usage in stop.message for stop in stops)

    await eventually_async(told, 30, f"the stops; {system.said()}")
    assert not any([await is_ready(shard) for shard in shards])
    assert all(process.popen.poll() is None for process in system.processes)


async def test_a_log_that_ends_below_the_fence_is_not_counted_on(system: System) -> None:
    """The topic was truncated, or deleted and made again: going on would miss usage for ever."""
    await stands_at(system, 5000)
    write(system.producer(), system.names.usage, Load().events(300))

    system.start()

    await are_stopped(system, "the topic was truncated or recreated")


async def test_a_log_cut_beyond_the_fence_is_not_counted_on(system: System, kafka_admin: KafkaAdminClient) -> None:
    """Retention has deleted what was not counted yet."""
    await stands_at(system, 0)
    write(system.producer(), system.names.usage, Load().events(300))
    kafka_admin.delete_records({TopicPartition(system.names.usage, n): -1 for n in range(PARTITIONS)})

    system.start()

    await are_stopped(system, "retention deleted")


async def test_an_evicting_redis_is_a_refusal_to_start(own: System) -> None:
    """Counts would silently vanish."""
    await own.client.config_set("maxmemory-policy", "allkeys-lru")

    process = own.start()

    assert await process.exit_code() == 1
    assert "noeviction" in process.output


async def test_a_terminated_process_leaves_at_once_and_nothing_behind(
    system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM: work in flight ends, the group is left, the code is 0; and no directory of Faust's stays on the disk."""
    load = Load()
    write(system.producer(), system.names.usage, load.events(500))
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.setenv("TMPDIR", str(place))
    process = system.start()
    await system.shows(load.units)

    process.send(signal.SIGTERM)

    assert await process.exit_code() == 0, process.output
    assert not list(place.iterdir())
