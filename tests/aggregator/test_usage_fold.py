"""The usage fold: what leaves the shard is acknowledged before the fence passes it, and nothing counts twice."""

import pytest
from aiokafka.errors import KafkaTimeoutError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from aggregator.usage_fold import UsageFold, UsageTopics
from ledger.answer import Verdict
from ledger.shard import Ledger, Shard
from ledger.state import Log, read_state
from metering.counting import ORIGIN_OFFSET, ORIGIN_PARTITION, ORIGIN_TIME, ORIGIN_TOPIC, Interval
from metering.dedupe import BLOCK_MS, block_of
from metering.partition import partition_of
from metering.rfc3339 import from_unix
from tests.aggregator.conftest import ELSEWHERE, HOME, PARTITIONS
from tests.aggregator.memory_publisher import MemoryPublisher
from tests.aggregator.unreliable import UnreliableStore
from tests.ledger.stored import stored
from tests.metering.events import NOON, NOON_MS, Record, event

HOUR = NOON // 3600


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


async def test_a_misplaced_event_is_copied_to_its_partition(
    usage_fold: UsageFold, publisher: MemoryPublisher, client: Redis, shard: Shard
) -> None:
    """Keyed by its account, with its origin in headers; it isn't counted here."""
    value = event(subject=ELSEWHERE)
    await usage_fold.open(4)

    await usage_fold.apply(Interval(4, 5, [Record(4, value, key=b"wrong", headers=(("trace", b"1"),))]))

    (copy,) = publisher.published
    assert (copy.topic, copy.key, copy.value) == ("usage", ELSEWHERE.encode(), value)
    assert copy.partition == partition_of(ELSEWHERE, PARTITIONS)
    assert list(copy.headers) == [
        ("trace", b"1"),
        (ORIGIN_TOPIC, b"usage"),
        (ORIGIN_PARTITION, str(HOME).encode()),
        (ORIGIN_OFFSET, b"4"),
        (ORIGIN_TIME, str(NOON_MS).encode()),
    ]
    assert not (await stored(client, shard)).hours
    assert (await read_state(shard)).conservation.rerouted == 1


async def test_a_copy_of_a_copy_keeps_the_first_origin(usage_fold: UsageFold, publisher: MemoryPublisher) -> None:
    """The bounds go by the time at which the event first arrived. A header that is no time is no origin."""
    await usage_fold.open(0)
    value = event(subject=ELSEWHERE)
    origin = (ORIGIN_TIME, str(NOON_MS - 1000).encode())
    broken = (ORIGIN_TIME, None)

    await usage_fold.apply(Interval(0, 2, [Record(0, value, headers=(origin,)), Record(1, value, headers=(broken,))]))

    first, second = publisher.published
    assert list(first.headers) == [origin]
    assert next(iter(second.headers)) == broken
    assert list(second.headers)[-1] == (ORIGIN_TIME, str(NOON_MS).encode())


async def test_a_copy_is_counted_where_it_belongs_once(
    store: UnreliableStore, redis_prefix: str, publisher: MemoryPublisher, usage_fold: UsageFold, client: Redis
) -> None:
    """However often it was copied, because a crash came between the copy and the fence."""
    home = Ledger(store, redis_prefix, PARTITIONS).shard(partition_of(ELSEWHERE, PARTITIONS))
    other = UsageFold(home, UsageTopics("usage", "dead"), PARTITIONS, publisher, lambda: "two")
    await usage_fold.open(0)
    for _ in range(2):
        await usage_fold.apply(interval(event(subject=ELSEWHERE)))
    copies = [
        Record(n, copy.value, NOON_MS + 60_000, copy.key, copy.headers) for n, copy in enumerate(publisher.published)
    ]
    await other.open(0)
    await other.apply(Interval(0, 2, copies))

    assert len(copies) == 2
    assert (await client.hgetall(home.keys.hours(ELSEWHERE, HOUR // 24))) == {b"12": b"1"}
    assert len(publisher.published) == 2


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
    store.lose_call = "drop_block"
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
    zombie = UsageFold(shard, UsageTopics("usage", "dead"), PARTITIONS, publisher, lambda: "zombie")
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
