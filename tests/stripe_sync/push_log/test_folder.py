"""How a shard is brought to the end of its push log."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from redis.asyncio import Redis

from ledger.pushes import read_in_flight
from ledger.state import Log, read_state
from metering.push_fold import ShardDivergedError
from metering.push_log import encode
from stripe_sync.errors import PushLogLostError, UnreadablePushLogError
from stripe_sync.push_log.folder import PushFolder
from stripe_sync.push_log.log import Read
from tests.ledger_push.counts import HOUR, NOON
from tests.ledger_push.rows import IDENTITY, delivered, name_of, prepared, row
from tests.stripe_sync.calls import Intercept, InterceptedLog, undisturbed
from tests.stripe_sync.world import World

T = TypeVar("T")


def folder(world: World, intercept: Intercept = undisturbed) -> PushFolder:
    """A folder of the world's shard."""
    log = InterceptedLog(world.log, intercept)
    return PushFolder(world.shard(intercept), log, world.clock, lambda: f"worker-{next(world.incarnations)}")


async def ten_units(world: World) -> None:
    """Counted, none of it pushed."""
    world.counts.use("a", "sms.send", 10, NOON)
    await world.counts.fold()


async def to_the_end(folding: PushFolder) -> None:
    """Looks until the end is reached: an empty shard takes two looks."""
    async with asyncio.timeout(10):
        while await folding.fold_to_end() is None:
            pass


async def fence(world: World) -> int:
    """Where the shard stands."""
    return (await read_state(world.shard())).fences[Log.PUSHES]


async def push_ready(world: World) -> bool:
    """Whether readers are told what Stripe has accepted."""
    return bool(await world.redis.hexists(world.shard().keys.fences, "push_ready"))


async def test_an_empty_log_is_folded_at_once(world: World) -> None:
    """The fence is set, the mark as well, and the moment is that of the look at the end."""
    await ten_units(world)
    moment = await folder(world).fold_to_end()
    assert moment is not None
    assert (moment.wall_ms, moment.monotonic) == (world.clock.now_ms(), world.clock.monotonic())
    assert await fence(world) == 0
    assert await push_ready(world)


async def test_the_first_writer_of_a_shard_looks_twice(world: World) -> None:
    """Without counts the shard has no incarnation to hold the mark against: one look makes it, the next is good."""
    folding = folder(world)
    assert await folding.fold_to_end() is None
    assert not await push_ready(world)
    assert await folding.fold_to_end() is not None
    assert await push_ready(world)


async def test_everything_up_to_the_end_is_folded(world: World) -> None:
    """More records than one read gives; the identity is the last record's."""
    await ten_units(world)
    for units in range(10):
        world.log.land(0, encode(prepared(row(units, units + 1))))
        world.log.land(0, encode(delivered(row(units, units + 1))))
    folding = folder(world)
    await to_the_end(folding)
    assert await fence(world) == 20
    assert folding.identity == IDENTITY
    assert not await world.redis.exists(world.shard().keys.due)


async def test_a_worker_that_takes_over_knows_the_identity(world: World) -> None:
    """Nothing new to fold, and yet it is known whose log it is."""
    await ten_units(world)
    world.log.land(0, encode(prepared(row(0, 10))))
    await to_the_end(folder(world))
    other = folder(world)
    await to_the_end(other)
    assert other.identity == IDENTITY


async def test_a_record_ahead_of_the_count_is_waited_for(world: World) -> None:
    """No mark, no moment; what comes after it is not folded either; once the count is there, all of it is."""
    await ten_units(world)
    world.counts.use("a", "sms.send", 5, NOON)
    world.log.land(0, encode(prepared(row(0, 15), usage_fence=2)))
    world.log.land(0, encode(delivered(row(0, 15))))
    folding = folder(world)
    for _ in range(3):
        assert await folding.fold_to_end() is None
    assert await fence(world) == 0
    assert not await push_ready(world)
    await world.counts.fold()
    assert await folding.fold_to_end() is not None
    assert await fence(world) == 2


@pytest.mark.parametrize("again", [False, True])
async def test_offsets_without_records_are_passed_over(world: World, again: bool) -> None:
    """Ends of transactions, and what was aborted: before, between and behind records; by one worker or by another."""
    await ten_units(world)
    folding = folder(world)
    world.log.skip(0, 2)
    await to_the_end(folding)
    assert await fence(world) == 2
    for claimed in (row(0, 4), row(4, 10)):
        world.log.land(0, encode(prepared(claimed)))
        world.log.skip(0, 5)
        world.log.land(0, encode(delivered(claimed)))
        world.log.skip(0)
        folding = folder(world) if again else folding
        await to_the_end(folding)
    assert await fence(world) == 18
    assert await push_ready(world)
    assert not await world.redis.exists(world.shard().keys.due, world.shard().keys.in_flight)


async def test_a_log_without_the_last_folded_record_is_another_whatever_is_there(world: World) -> None:
    """A transaction's end where the record was: nothing to compare, and no record that could be read again."""
    await ten_units(world)
    world.log.land(0, encode(prepared(row(0, 10))))
    folding = folder(world)
    await to_the_end(folding)
    world.log.truncate(0, 0)
    world.log.skip(0, 3)
    for each in (folding, folder(world)):
        with pytest.raises(PushLogLostError, match="memory-0: the push log's record 0 is another"):
            await each.fold_to_end()


async def test_an_open_transaction_holds_the_shard_up_and_its_freshness(world: World) -> None:
    """What lies behind may be about any row: nothing can be decided, and readers are told so; then it goes on."""
    await ten_units(world)
    world.log.land(0, encode(prepared(row(0, 10))))
    folding = folder(world)
    await to_the_end(folding)
    before = await world.redis.hget(world.shard().keys.fences, "push_ready.as_of")
    world.log.hold(0)
    world.log.land(0, encode(delivered(row(0, 10))))
    world.clock.advance(60)

    assert [await each.fold_to_end() for each in (folding, folder(world), folding)] == [None] * 3

    assert await push_ready(world)
    assert await world.redis.hget(world.shard().keys.fences, "push_ready.as_of") == before
    assert folding.held is not None
    assert folding.held.startswith("memory-0: an open transaction holds the push log up at offset 1")
    world.log.let_go(0)
    assert await folding.fold_to_end() is not None
    assert folding.held is None
    assert await world.redis.hget(world.shard().keys.fences, "push_ready.as_of") > before
    assert not await world.redis.exists(world.shard().keys.in_flight)


async def test_nothing_is_folded_on_a_server_that_throws_keys_away(world: World) -> None:
    """It waits without an error: the shard's aggregator is the one that stops, and says what to do."""
    await ten_units(world)
    folding = folder(world)
    await to_the_end(folding)
    world.log.land(0, encode(prepared(row(0, 10))))
    await world.redis.hset(world.shard().keys.fences, "unsafe", "evicted")  # what a look at such a server leaves

    assert [await each.fold_to_end() for each in (folding, folding, folder(world))] == [None] * 3

    assert await fence(world) == 0
    assert not await push_ready(world)


async def test_an_unreadable_record_stops_the_shard(world: World) -> None:
    """What it claimed can't be told: nothing after it may be folded."""
    await ten_units(world)
    for value in (b'{"kind":"reissue"}', b'{"kind":"new"}', encode(prepared(row(0, 1))).replace(b"sms.send", b"fax")):
        world.log.truncate(0, 0)
        world.log.land(0, value)
        world.log.land(0, encode(prepared(row(0, 10))))
        with pytest.raises(UnreadablePushLogError, match="record 0 can't be read"):
            await to_the_end(folder(world))
        assert await fence(world) == 0


async def test_a_record_about_a_row_that_can_not_be_read_stops_the_shard(world: World) -> None:
    """A newer version has folded the row, with a field that this one does not know; its settlement comes next."""
    await ten_units(world)
    world.log.land(0, encode(prepared(row(0, 10))))
    await to_the_end(folder(world))
    entry = await world.redis.hget(world.shard().keys.in_flight, name_of(row(0, 10)))
    newer = entry.replace(b'"carried":', b'"tax":1,"carried":')
    await world.redis.hset(world.shard().keys.in_flight, name_of(row(0, 10)), newer)
    world.log.land(0, encode(delivered(row(0, 10))))
    with pytest.raises(UnreadablePushLogError, match="record 1 can't be read"):
        await to_the_end(folder(world))


@pytest.mark.parametrize("value", [b"{}", b"", b"\xff", b"kafka-console-producer", None])
async def test_what_somebody_else_wrote_is_passed_over(
    world: World, value: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    """No version has ever written it, so that it claims nothing; it is said where it is."""
    await ten_units(world)
    world.log.land(0, value)
    world.log.land(0, encode(prepared(row(0, 10))))
    await to_the_end(folder(world))
    assert await fence(world) == 2
    assert list(await read_in_flight(world.shard())) == [name_of(row(0, 10))]
    assert "the push log's record 0 is no worker's" in caplog.text


async def test_a_claim_of_more_than_was_counted_stops_the_shard(world: World) -> None:
    """The logs do not belong together."""
    await ten_units(world)
    world.log.land(0, encode(prepared(row(0, 11))))
    with pytest.raises(ShardDivergedError, match="record 0 claims more"):
        await to_the_end(folder(world))


@pytest.mark.parametrize("remembered", [False, True])
async def test_a_truncated_log_stops_the_shard(world: World, remembered: bool) -> None:
    """Its end is below what was folded: by this worker, or by the one before."""
    await ten_units(world)
    for units in range(3):
        world.log.land(0, encode(prepared(row(units, units + 1))))
    folding = folder(world)
    await to_the_end(folding)
    world.log.truncate(0, 2)
    with pytest.raises(PushLogLostError, match="ends at 2, but 3 was folded"):
        await to_the_end(folding if remembered else folder(world))


async def test_a_log_that_lost_its_tail_and_grew_again_stops_the_shard(world: World) -> None:
    """Under a running worker: its end looks well, and what comes next would be folded upon what is gone."""
    await ten_units(world)
    for units in range(3):
        world.log.land(0, encode(prepared(row(units, units + 1))))
        world.log.land(0, encode(delivered(row(units, units + 1))))
    folding = folder(world)
    await to_the_end(folding)
    world.log.truncate(0, 4)
    for units in range(3, 6):
        world.log.land(0, encode(prepared(row(units, units + 1))))
    with pytest.raises(PushLogLostError, match="record 5 is another than the one that was folded"):
        await to_the_end(folding)
    assert await fence(world) == 6


async def test_a_tail_that_is_lost_between_two_reads_of_a_fold_stops_the_shard(world: World) -> None:
    """Another log is read on then, though its records look the same and begin where the fold stands."""
    await ten_units(world)
    values = [encode(prepared(row(0, 4))), encode(delivered(row(0, 4))), encode(prepared(row(4, 6)))]
    values += [encode(delivered(row(4, 6))), encode(prepared(row(6, 10)))]
    for value in values:
        world.log.land(0, value)
    reads = 0

    async def losing(name: str, perform: Callable[[], Awaitable[T]]) -> T:
        nonlocal reads
        result, reads = await perform(), reads + (name == "log read")
        if name == "log read" and reads == 1:
            world.log.truncate(0, 0)
            world.clock.advance(1)
            for value in values:
                world.log.land(0, value)
        return result

    with pytest.raises(PushLogLostError, match="record 2 is another than the one that was folded"):
        await to_the_end(folder(world, losing))
    assert await fence(world) == 3


async def test_an_append_where_something_was_folded_stops_the_shard(world: World) -> None:
    """The tail is gone when the next record comes: its own offset tells, before anybody reads it."""
    await ten_units(world)
    world.log.land(0, encode(prepared(row(0, 10))))
    folding = folder(world)
    await to_the_end(folding)
    world.log.truncate(0, 0)
    with pytest.raises(PushLogLostError, match="a new record the offset 0, though it had reached 1"):
        await folding.append(encode(delivered(row(0, 10))))


async def test_an_append_where_the_last_one_was_stops_the_shard(world: World) -> None:
    """It was acknowledged, and lost before it was folded. A worker that looks again finds nothing that it lacks."""
    await ten_units(world)
    folding = folder(world)
    await to_the_end(folding)
    await folding.append(encode(prepared(row(0, 4))))
    world.log.truncate(0, 0)
    with pytest.raises(PushLogLostError):
        await folding.append(encode(prepared(row(0, 10))))
    await to_the_end(folder(world))
    assert list(await read_in_flight(world.shard())) == [name_of(row(0, 10))]


async def test_an_offset_that_the_broker_does_not_tell_says_nothing(world: World) -> None:
    """It only remembers that it has the record."""
    await ten_units(world)
    world.log.land(0, encode(prepared(row(0, 10))))

    async def forgetful(name: str, perform: Callable[[], Awaitable[T]]) -> T:
        result = await perform()
        return -1 if name == "log append" else result  # type: ignore[return-value]

    folding = folder(world, forgetful)
    await to_the_end(folding)
    await folding.append(encode(delivered(row(0, 10))))
    await to_the_end(folding)
    assert await fence(world) == 2


async def test_reading_on_costs_no_more_than_the_last_record(world: World) -> None:
    """One read has it and what comes next; a shard that nothing comes for reads nothing again."""
    await ten_units(world)
    world.log.land(0, encode(prepared(row(0, 4))))
    calls: list[str] = []

    async def note(name: str, perform: Callable[[], Awaitable[T]]) -> T:
        calls.append(name)
        return await perform()

    folding = folder(world, note)
    await to_the_end(folding)
    world.log.land(0, encode(delivered(row(0, 4))))
    calls.clear()
    await to_the_end(folding)
    assert calls.count("log read") == 2
    calls.clear()
    await to_the_end(folding)
    assert calls.count("log read") == 1


async def test_a_log_whose_head_is_gone_stops_the_shard(world: World) -> None:
    """What must be folded next was deleted: an old copy of the state, or a worker that was away for months."""
    await ten_units(world)
    world.log.land(0, encode(prepared(row(0, 1))))
    await to_the_end(folder(world))
    for _ in range(3):
        world.log.land(0, encode(delivered(row(0, 1))))
    world.log.cut(0, 3)
    with pytest.raises(PushLogLostError, match="begins at 3, but 1 must be folded next"):
        await to_the_end(folder(world))


async def test_an_empty_shard_begins_where_its_log_begins(world: World) -> None:
    """Retention has cut the head: that is no loss for a shard that knows nothing."""
    await ten_units(world)
    for _ in range(4):
        world.log.land(0, encode(delivered(row(0, 1))))
    world.log.cut(0, 3)
    await to_the_end(folder(world))
    assert await fence(world) == 4


async def test_somebody_else_may_append_and_fold_meanwhile(world: World) -> None:
    """Between a worker's look at the log and its look at the shard another one goes on: nothing is lost.

    The shard is beyond the end that was observed then, and that says nothing about the log.
    """
    await ten_units(world)
    other = folder(world)
    await to_the_end(other)
    units = iter(range(10))

    async def overtaken(name: str, perform: Callable[[], Awaitable[T]]) -> T:
        result = await perform()
        if name == "log bounds" and (unit := next(units, None)) is not None:
            world.log.land(0, encode(prepared(row(unit, unit + 1))))
            world.log.land(0, encode(delivered(row(unit, unit + 1))))
            await to_the_end(other)
        return result

    for _ in range(5):
        await to_the_end(folder(world, overtaken))
    assert await fence(world) == len(world.log.entries()) == 20


async def test_two_folders_at_once_fold_every_record_once(world: World) -> None:
    """Each overtakes the other at every read."""
    await ten_units(world)
    for units in range(10):
        world.log.land(0, encode(prepared(row(units, units + 1))))
        world.log.land(0, encode(delivered(row(units, units + 1))))
    await asyncio.gather(*(to_the_end(folder(world)) for _ in range(3)))
    assert await fence(world) == 20
    accepted = await world.redis.hgetall(world.shard().keys.accepted("a", NOON // 86400))
    assert list(accepted.values()) == [b"10"]


async def test_a_log_that_gives_nothing_to_read_is_looked_at_again(world: World) -> None:
    """An end without records before it (the broker went away in between, a transaction's marker): no endless loop."""
    await ten_units(world)
    world.log.land(0, encode(prepared(row(0, 10))))

    async def nothing(name: str, perform: Callable[[], Awaitable[T]]) -> T:
        result = await perform()
        return Read([], 0) if name == "log read" else result  # type: ignore[return-value]

    folding = folder(world, nothing)
    async with asyncio.timeout(5):
        for _ in range(3):
            assert await folding.fold_to_end() is None
    assert not await push_ready(world)


@pytest.mark.parametrize(
    "at", ["redis note_server", "log bounds", "log read", "redis fold_prepared", "redis mark_ready"]
)
@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("refolded", [False, True], ids=["empty", "counted again"])
async def test_a_flush_between_any_two_steps_shows_nothing_smaller(
    flushable_world: World, at: str, nth: int, refolded: bool
) -> None:
    """After it the mark stands only on a shard that was folded to the end anew."""
    world = flushable_world
    await ten_units(world)
    for units in range(4):
        world.log.land(0, encode(prepared(row(units, units + 1), usage_fence=1)))
        world.log.land(0, encode(delivered(row(units, units + 1))))
    world.log.land(0, encode(prepared(row(4, 10), usage_fence=1)))
    seen: list[str] = []

    async def flushed(name: str, perform: Callable[[], Awaitable[T]]) -> T:
        result = await perform()
        seen.append(name)
        if name == at and seen.count(at) == nth:
            await world.redis.flushall()
            if refolded:
                await world.counts.fold()
        return result

    folding = folder(world, flushed)
    for _ in range(4):
        moment = await folding.fold_to_end()
        if await push_ready(world):
            assert await fence(world) == 9
        elif moment is None and not await world.redis.exists(
            world.shard().keys.due, world.shard().keys.hours("a", NOON // 86400)
        ):
            await world.counts.fold()
    await to_the_end(folding)
    assert list(await read_in_flight(world.shard())) == [name_of(row(4, 10))]
    accepted = await world.redis.hgetall(world.shard().keys.accepted("a", NOON // 86400))
    assert list(accepted.values()) == [b"4"]


async def test_an_older_copy_of_the_state_is_folded_on(flushable_world: World, redis_url: str) -> None:
    """A failover to a replica that was behind: the shard is folded on from where that one stood."""
    world = flushable_world
    await ten_units(world)
    folding = folder(world)
    world.log.land(0, encode(prepared(row(0, 4))))
    await to_the_end(folding)
    keys = [key async for key in world.redis.scan_iter()]
    older = {key: await world.redis.dump(key) for key in keys}
    world.log.land(0, encode(delivered(row(0, 4))))
    world.log.land(0, encode(prepared(row(4, 10))))
    await to_the_end(folding)

    await restore(world.redis, older)
    world.log.land(0, encode(delivered(row(4, 10))))
    await to_the_end(folding)
    assert await read_in_flight(world.shard()) == {}
    assert await fence(world) == 4


async def restore(redis: Redis, copy: dict[bytes, bytes]) -> None:
    """Puts an older state in the place of what is there."""
    await redis.flushall()
    for key, value in copy.items():
        await redis.restore(key, 0, value)


async def test_the_moment_is_that_of_the_look_not_of_the_end(world: World) -> None:
    """Folding takes hours: the window in which rows may be sent has begun at its start."""
    await ten_units(world)
    world.log.land(0, encode(prepared(row(0, 1))))
    began = world.clock.now_ms()

    async def slow(name: str, perform: Callable[[], Awaitable[T]]) -> T:
        world.clock.advance(HOUR)
        return await perform()

    folding = folder(world, slow)
    moment = await folding.fold_to_end()
    assert moment is not None
    assert moment.wall_ms <= began + 4 * HOUR * 1000
    assert moment.wall_ms <= world.clock.now_ms() - 3 * HOUR * 1000
