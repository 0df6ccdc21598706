"""Records on the wrong partition: copied to the right one, counted there once, and what their headers say of it."""

from redis.asyncio import Redis

from aggregator.folds.usage import UsageFold, UsageTopics
from ledger.shard import Ledger, Shard
from ledger.state import read_state
from metering.counting import Interval
from metering.limits import MAX_PAST_MS
from metering.origin import Origin, origin_headers
from metering.partition import partition_of
from metering.rfc3339 import from_unix
from tests.aggregator.conftest import ELSEWHERE, HOME, PARTITIONS
from tests.aggregator.memory_publisher import MemoryPublisher
from tests.aggregator.unreliable import UnreliableStore
from tests.ledger.stored import stored
from tests.metering.events import NOON, NOON_MS, Record, event

HOUR = NOON // 3600


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
        ("origin.topic", b"usage"),
        ("origin.partition", str(HOME).encode()),
        ("origin.offset", b"4"),
        ("origin.time", str(NOON_MS).encode()),
    ]
    assert not (await stored(client, shard)).hours
    assert (await read_state(shard)).conservation.rerouted == 1


async def test_a_copy_of_a_copy_keeps_the_first_origin(usage_fold: UsageFold, publisher: MemoryPublisher) -> None:
    """One that can't be true is written over: the record is an original then."""
    await usage_fold.open(0)
    value = event(subject=ELSEWHERE)
    first_origin = origin_headers(Origin("usage", (HOME + 1) % PARTITIONS, 7, NOON_MS - 1000))
    forged = origin_headers(Origin("other", (HOME + 1) % PARTITIONS, 7, NOON_MS - 1000))

    await usage_fold.apply(
        Interval(0, 2, [Record(0, value, headers=first_origin), Record(1, value, headers=[*forged, ("trace", b"1")])])
    )

    copy, original = publisher.published
    assert list(copy.headers) == first_origin
    assert list(original.headers) == [("trace", b"1"), *origin_headers(Origin("usage", HOME, 1, NOON_MS))]


async def test_a_copy_that_comes_too_late_is_a_dead_letter(
    usage_fold: UsageFold, publisher: MemoryPublisher, client: Redis, shard: Shard
) -> None:
    """A refold copies again what was copied long ago: the window has forgotten it, and the bounds refuse it."""
    value, origin = event(), Origin("usage", (HOME + 1) % PARTITIONS, 7, NOON_MS)
    await usage_fold.open(0)
    at_once, late = (
        Record(offset, value, NOON_MS + age_ms, headers=origin_headers(origin._replace(append_ms=NOON_MS)))
        for offset, age_ms in ((0, 1000), (1, 43 * 86_400_000))
    )

    await usage_fold.apply(Interval(0, 1, [at_once]))
    await usage_fold.apply(Interval(1, 2, [late]))

    (letter,) = publisher.published
    assert dict(letter.headers)["dlq.reason"] == b"time_too_old"
    assert dict(letter.headers)["origin.offset"] == b"7"
    assert (await stored(client, shard)).hours == {("acme", 0, HOUR): 1}


async def test_a_copy_is_counted_where_it_belongs_once(
    store: UnreliableStore, redis_prefix: str, publisher: MemoryPublisher, usage_fold: UsageFold, client: Redis
) -> None:
    """However often it was copied, because a crash came between the copy and the fence."""
    home = Ledger(store, redis_prefix, PARTITIONS).shard(partition_of(ELSEWHERE, PARTITIONS))
    other = UsageFold(home, UsageTopics("usage", "dead"), PARTITIONS, publisher, lambda: "two")
    await usage_fold.open(0)
    for _ in range(2):
        await usage_fold.apply(Interval(0, 1, [Record(0, event(subject=ELSEWHERE))]))
    copies = [
        Record(n, copy.value, NOON_MS + 60_000, copy.key, copy.headers) for n, copy in enumerate(publisher.published)
    ]
    await other.open(0)
    await other.apply(Interval(0, 2, copies))

    assert len(copies) == 2
    assert (await client.hgetall(home.keys.hours(ELSEWHERE, HOUR // 24))) == {b"12": b"1"}
    assert len(publisher.published) == 2


async def test_a_refold_makes_no_copy_that_could_only_come_too_late(shard: Shard, publisher: MemoryPublisher) -> None:
    """The first one was acknowledged before the fence passed its origin. What can still be counted is copied again."""
    now_ms = NOON_MS + MAX_PAST_MS + 1
    topics = UsageTopics("usage", "dead")
    fold = UsageFold(shard, topics, PARTITIONS, publisher, lambda: "one", now_ms=lambda: now_ms)
    old = event(subject=ELSEWHERE)
    young = event(subject=ELSEWHERE, time=from_unix(NOON + 1))
    await fold.open(0, folded_before=2)

    await fold.apply(Interval(0, 3, [Record(0, old), Record(1, young), Record(2, old)]))

    assert [dict(copy.headers)["origin.offset"] for copy in publisher.published] == [b"1", b"2"]
    assert (await read_state(shard)).conservation.rerouted == 3
