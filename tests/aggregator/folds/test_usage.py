"""The usage fold: what leaves the shard is acknowledged before the fence passes it, and nothing counts twice."""

import pytest
from aiokafka.errors import KafkaTimeoutError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from aggregator.folds.usage import UsageFold
from ledger.answer import Verdict
from ledger.shard import Shard
from ledger.state import Log, read_state
from metering.counting import Interval
from metering.dedupe import BLOCK_MS, block_of
from metering.rfc3339 import from_unix
from tests.aggregator.conftest import HOME, make_usage_fold
from tests.aggregator.memory_publisher import MemoryPublisher
from tests.aggregator.unreliable import UnreliableStore
from tests.ledger.stored import stored
from tests.metering.events import NOON, NOON_MS, Record, event

HOUR = NOON // 3600
DAY_MS = 24 * 3600 * 1000


def interval(*values: bytes | None, start: int = 0) -> Interval:
    """Records at consecutive offsets."""
    records = [Record(start + n, value, key=b"k") for n, value in enumerate(values)]
    return Interval(start, start + len(records), records)


async def fence(shard: Shard) -> int | None:
    """Where the shard stands."""
    return (await read_state(shard)).fences.get(Log.USAGE)


async def test_a_batch_is_counted_and_moves_the_fence(usage_fold: UsageFold, client: Redis, shard: Shard) -> None:
    """From the log's earliest offset, in an empty shard."""
    assert (await usage_fold.open(earliest=7)).fence == 7

    answer = await usage_fold.apply(interval(event(id="1"), event(id="2"), start=7))

    assert (answer.verdict, answer.fence) == (Verdict.APPLIED, 9)
    assert (await stored(client, shard)).hours == {("acme", 0, HOUR): 2}


async def test_dead_letters_are_acknowledged_before_the_fence_moves(
    usage_fold: UsageFold, publisher: MemoryPublisher, shard: Shard
) -> None:
    """A crash in between writes them again: never too few, and told apart by their origin."""
    fences = []

    async def look() -> None:
        fences.append(await fence(shard))

    publisher.before = look
    await usage_fold.open(0)

    await usage_fold.apply(interval(b"garbage", event(), None))

    assert fences == [0]
    assert await fence(shard) == 3
    assert [dict(message.headers)["dlq.offset"] for message in publisher.published] == [b"0", b"2"]


def appended(day: int, number: int) -> Interval:
    """One event, appended so many days after noon's, at an offset of its own."""
    append_ms = NOON_MS + day * DAY_MS
    value = event(id=str(number), time=from_unix(append_ms // 1000))
    return Interval(number, number + 1, [Record(number, value, append_ms)])


async def test_days_older_than_are_kept_go_as_the_log_goes_on(
    shard: Shard, store: UnreliableStore, publisher: MemoryPublisher, client: Redis
) -> None:
    """By the log's own time: one walk over the keys for every day that it comes to, whoever folds it."""
    story = [(0, {0}, True), (1, {0, 1}, True), (73, {1, 73}, True), (73, {1, 73}, False), (74, {73, 74}, True)]
    for number, (day, kept, walks) in enumerate(story):
        fold = make_usage_fold(shard, publisher, now_ms=lambda: NOON_MS * 2)
        await fold.open(0)
        store.calls.clear()
        assert (await fold.apply(appended(day, number))).applied
        hours = (await stored(client, shard)).hours
        assert {hour // 24 - NOON_MS // DAY_MS for _, _, hour in hours} == kept
        assert ("scan_keys" in store.calls) is walks


async def test_what_cannot_be_written_holds_the_fence(
    usage_fold: UsageFold, publisher: MemoryPublisher, client: Redis, shard: Shard
) -> None:
    """And nothing of the batch is counted; the next attempt counts it once."""

    async def fail() -> None:
        publisher.before = None
        raise KafkaTimeoutError

    publisher.before = fail
    await usage_fold.open(0)
    batch = interval(event(id="1"), b"garbage")

    with pytest.raises(KafkaTimeoutError):
        await usage_fold.apply(batch)

    assert await fence(shard) == 0
    assert not (await stored(client, shard)).hours
    assert (await usage_fold.apply(batch)).applied
    assert (await stored(client, shard)).hours == {("acme", 0, HOUR): 1}
    assert len(publisher.published) == 1


async def test_a_batch_without_rejects_writes_nothing(usage_fold: UsageFold, publisher: MemoryPublisher) -> None:
    """Not even an empty list."""
    await usage_fold.open(0)
    await usage_fold.apply(interval(event()))

    assert not publisher.published


async def test_a_dead_letter_has_the_original_bytes_and_its_origin(
    usage_fold: UsageFold, publisher: MemoryPublisher
) -> None:
    """Key, value and headers as received; reason, detail, topic, partition, offset and append time besides."""
    record = Record(5, b"\xff\x00", NOON_MS + 999, b"\xfe", headers=(("trace", b"\x01"), ("empty", None)))
    await usage_fold.open(5)

    await usage_fold.apply(Interval(5, 6, [record]))

    (letter,) = publisher.published
    headers = dict(letter.headers)
    assert (letter.topic, letter.key, letter.value, letter.partition) == ("dead", b"\xfe", b"\xff\x00", None)
    assert list(headers) == [
        *("trace", "empty", "dlq.reason", "dlq.detail", "dlq.topic", "dlq.partition", "dlq.offset", "dlq.time")
    ]
    assert (headers["trace"], headers["empty"]) == (b"\x01", None)
    assert headers.pop("dlq.detail")
    assert {name: value for name, value in headers.items() if name.startswith("dlq.")} == {
        "dlq.reason": b"invalid_json",
        "dlq.topic": b"usage",
        "dlq.partition": str(HOME).encode(),
        "dlq.offset": b"5",
        "dlq.time": b"2026-06-20T12:00:00Z",
    }


async def test_a_refold_writes_the_very_same_letters(
    usage_fold: UsageFold, publisher: MemoryPublisher, client: Redis, shard: Shard
) -> None:
    """So that a count over distinct origins is the same for ever."""
    await usage_fold.open(0)
    await usage_fold.apply(interval(b"garbage", event(subject="!")))
    first = list(publisher.published)
    await client.delete(shard.keys.fences)

    await usage_fold.open(0)
    await usage_fold.apply(interval(b"garbage", event(subject="!")))

    assert publisher.published == first * 2


async def test_a_lost_reply_leaves_the_fence_at_the_batch_s_end(
    usage_fold: UsageFold, store: UnreliableStore, client: Redis, shard: Shard
) -> None:
    """It was counted; whoever opens the shard next goes on behind it."""
    await usage_fold.open(0)
    store.lose_reply = "apply_usage"
    batch = interval(event(id="1"), event(id="2"))

    with pytest.raises(RedisError):
        await usage_fold.apply(batch)

    again = await usage_fold.apply(batch)
    assert (again.verdict, again.fence) == (Verdict.STALE, 2)
    assert (await usage_fold.open(0)).fence == 2
    assert (await stored(client, shard)).hours == {("acme", 0, HOUR): 2}


async def test_a_lost_call_leaves_everything_as_it_was(
    usage_fold: UsageFold, store: UnreliableStore, client: Redis, shard: Shard
) -> None:
    """The same batch again is counted."""
    await usage_fold.open(0)
    store.lose_call = "apply_usage"

    with pytest.raises(RedisError):
        await usage_fold.apply(interval(event()))

    assert (await usage_fold.open(0)).fence == 0
    assert (await usage_fold.apply(interval(event()))).applied
    assert (await stored(client, shard)).hours == {("acme", 0, HOUR): 1}


async def test_an_interval_that_fails_between_two_blocks_goes_on_in_the_middle(
    usage_fold: UsageFold, publisher: MemoryPublisher, client: Redis, shard: Shard
) -> None:
    """Its first half is counted, its second is read again."""
    boundary = (block_of(NOON_MS) + 1) * BLOCK_MS
    late = from_unix(boundary // 1000)
    records = [
        Record(0, event(id="1", time=late), boundary - 1),
        Record(1, b"garbage", boundary),
        Record(2, event(id="1", time=late), boundary),
        Record(3, event(id="2", time=late), boundary),
    ]

    async def fail() -> None:
        publisher.before = None
        raise KafkaTimeoutError

    publisher.before = fail
    await usage_fold.open(0)
    with pytest.raises(KafkaTimeoutError):
        await usage_fold.apply(Interval(0, 4, records))

    assert (await usage_fold.open(0)).fence == 1
    assert (await usage_fold.apply(Interval(1, 4, records[1:]))).applied
    assert sum((await stored(client, shard)).hours.values()) == 2


async def test_a_failure_to_drop_an_expired_block_is_made_good(
    usage_fold: UsageFold, store: UnreliableStore, client: Redis, shard: Shard
) -> None:
    """The batch that expired it is counted; the next owner's first batch drops it."""
    await usage_fold.open(0)
    await usage_fold.apply(interval(event()))
    later = NOON_MS + 7 * BLOCK_MS
    store.lose_call = "drop_keys"
    batch = Interval(1, 2, [Record(1, event(time=from_unix(later // 1000)), later)])
    with pytest.raises(RedisError):
        await usage_fold.apply(batch)

    assert (await usage_fold.open(0)).fence == 2
    await usage_fold.apply(Interval(2, 3, ()))

    assert set((await stored(client, shard)).sets) == {block_of(later)}
    assert (await read_state(shard)).conservation.counted == 2


async def test_another_owner_s_progress_makes_a_batch_stale(
    usage_fold: UsageFold, shard: Shard, publisher: MemoryPublisher, client: Redis
) -> None:
    """No lock is needed: a zombie changes nothing."""
    zombie = make_usage_fold(shard, publisher, "zombie")
    await zombie.open(0)
    await usage_fold.open(0)
    await usage_fold.apply(interval(event(id="1"), event(id="2"), event(id="3")))

    answer = await zombie.apply(interval(event(id="1"), event(id="2")))

    assert (answer.verdict, answer.fence) == (Verdict.STALE, 3)
    assert sum((await stored(client, shard)).hours.values()) == 3
    assert (await read_state(shard)).incarnation == "zombie"


async def test_a_flushed_shard_is_empty_to_its_owner(usage_fold: UsageFold, client: Redis, shard: Shard) -> None:
    """Nothing may be counted on top of nothing."""
    await usage_fold.open(0)
    await usage_fold.apply(interval(event(id="1")))
    await client.delete(shard.keys.fences)

    answer = await usage_fold.apply(interval(event(id="2"), start=1))

    assert (answer.verdict, answer.fence) == (Verdict.EMPTY, None)
    assert (await usage_fold.open(0)).fence == 0
