"""Orders to pass offsets by, obeyed by the folds: wherever the offsets are met, readable or not."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from aiokafka.errors import KafkaTimeoutError
from redis.asyncio import Redis

import aggregator.folds.quarantine
from aggregator.folds.table import TableFold
from aggregator.folds.usage import UsageFold, UsageTopics
from aggregator.publisher import Message
from ledger.shard import Shard
from ledger.state import Conservation, Log, read_state
from metering.account import Account
from metering.counting import Interval
from metering.quarantine import QuarantineOrder
from tests.aggregator.conftest import HOME, PARTITIONS
from tests.aggregator.memory_publisher import MemoryPublisher
from tests.ledger.stored import stored
from tests.metering.events import NOON, Record, event

ORDER = QuarantineOrder(offset=2, end=5, why="its codec is unknown", who="ops", time=NOON + 60)
NOBODY: tuple[QuarantineOrder, ...] = ()


@pytest.fixture
def orders() -> list[QuarantineOrder]:
    """What is ordered now."""
    return [ORDER]


@pytest.fixture
def passed() -> list[int]:
    """What the metrics are told."""
    return []


@pytest.fixture
def fold(shard: Shard, publisher: MemoryPublisher, orders, passed) -> UsageFold:
    """The usage fold of the account `acme`, which knows the orders."""
    topics = UsageTopics("usage", "dead")
    return UsageFold(shard, topics, PARTITIONS, publisher, lambda: "one", orders=lambda: orders, passed=passed.append)


def events(start: int, end: int) -> Interval:
    """An event of its own at each offset."""
    return Interval(start, end, [Record(n, event(id=str(n)), key=b"acme") for n in range(start, end)])


def letters(published: Sequence[Message]) -> list[tuple[int, bytes | None, str]]:
    """Of each letter: its offset, its value, and whether the original is in it."""
    headers = [dict(message.headers) for message in published]
    assert {each["dlq.reason"] for each in headers} <= {b"quarantined"}
    return [
        (int(each["dlq.offset"]), message.value, each["dlq.original"].decode())
        for message, each in zip(published, headers, strict=True)
    ]


COUNTED = Conservation(read=8, counted=5, duplicate=0, dead=0, rerouted=0, quarantined=3)


async def test_what_can_not_be_read_is_passed_by(fold: UsageFold, publisher: MemoryPublisher, shard, passed) -> None:
    """Each offset has its dead letter, which says by whom, why, and that there is no original."""
    await fold.open(0)
    await fold.apply(events(0, 2))

    answer = await fold.pass_unread(2, 5)

    assert answer is not None
    assert (answer.applied, answer.fence, passed) == (True, 5, [3])
    assert letters(publisher.published) == [(offset, b"", "unread") for offset in (2, 3, 4)]
    headers = dict(publisher.published[0].headers)
    assert headers["dlq.detail"] == b"ops: its codec is unknown"
    assert (headers["dlq.topic"], headers["dlq.partition"]) == (b"usage", str(HOME).encode())
    assert headers["dlq.time"] == b"2026-06-20T12:01:00Z"
    await fold.apply(events(5, 8))
    assert (await read_state(shard)).conservation == COUNTED


@pytest.mark.parametrize("cuts", [(0, 8), (0, 3, 8), (0, 2, 4, 5, 8), (0, 1, 2, 3, 4, 5, 6, 7, 8)])
async def test_what_can_be_read_is_passed_by_as_well(fold, publisher, shard: Shard, client: Redis, cuts) -> None:
    """A refold on another machine comes to the same, however its reads are cut; the originals are in the letters."""
    await fold.open(0)
    for start, end in pairwise(cuts):
        assert (await fold.apply(events(start, end))).fence == end

    assert (await read_state(shard)).conservation == COUNTED
    assert sum((await stored(client, shard)).hours.values()) == 5
    assert letters(publisher.published) == [(n, event(id=str(n)), "whole") for n in (2, 3, 4)]


async def test_an_offset_without_a_record_counts_as_one(fold: UsageFold, publisher: MemoryPublisher, shard) -> None:
    """Whoever could not read it did not know that there is none."""
    whole = events(0, 8)
    await fold.open(0)
    await fold.apply(Interval(0, 8, [record for record in whole.records if record.offset != 3]))

    assert (await read_state(shard)).conservation == COUNTED
    assert [(offset, original) for offset, _, original in letters(publisher.published)] == [
        (2, "whole"),
        (3, "unread"),
        (4, "whole"),
    ]


async def test_nothing_is_passed_by_without_an_order(fold: UsageFold, publisher: MemoryPublisher, orders) -> None:
    """Nor beyond it, nor beyond what can't be read."""
    await fold.open(0)
    await fold.apply(events(0, 2))
    assert (await fold.pass_unread(2, 4)).fence == 4
    assert (await fold.pass_unread(4, 9)).fence == 5
    assert await fold.pass_unread(5, 9) is None

    orders.append(QuarantineOrder(offset=5, end=7, why="and so on", who="ops", time=NOON))
    assert (await fold.pass_unread(5, None)).fence == 7
    assert len(publisher.published) == 5


async def test_the_letters_are_acknowledged_before_the_fence_moves(fold, publisher, shard: Shard, monkeypatch) -> None:
    """Some offsets at a time; whoever dies in between goes on where the fence stands."""
    monkeypatch.setattr(aggregator.folds.quarantine, "PASSED_AT_ONCE", 2)
    await fold.open(0)
    await fold.apply(events(0, 2))
    fences = []

    async def look() -> None:
        fences.append((await read_state(shard)).fences[Log.USAGE])
        if len(fences) == 2:
            raise KafkaTimeoutError

    publisher.before = look
    with pytest.raises(KafkaTimeoutError):
        await fold.pass_unread(2, 5)
    assert fences == [2, 4]

    assert (await fold.open(0)).fence == 4
    assert (await fold.pass_unread(4, 5)).fence == 5
    assert (await read_state(shard)).conservation.quarantined == 3
    assert [offset for offset, _, _ in letters(publisher.published)] == [2, 3, 4]


async def test_a_zombie_passes_nothing_by(fold: UsageFold, shard: Shard, make_other: Callable[[], UsageFold]) -> None:
    """The fence decides, as for everything."""
    zombie = make_other()
    await zombie.open(0)
    await fold.open(0)
    await fold.apply(events(0, 6))

    answer = await zombie.pass_unread(2, 5)

    assert answer is not None
    assert (answer.applied, answer.fence) == (False, 6)
    assert (await read_state(shard)).conservation.read == 6


@pytest.fixture
def make_other(shard: Shard, publisher: MemoryPublisher, orders) -> Callable[[], UsageFold]:
    """Another process's fold of the same shard."""
    topics = UsageTopics("usage", "dead")
    return lambda: UsageFold(shard, topics, PARTITIONS, publisher, lambda: "two", orders=lambda: orders)


@pytest.mark.parametrize("readable", [True, False])
async def test_a_table_passes_by_what_is_ordered(shard: Shard, publisher: MemoryPublisher, client, readable) -> None:
    """Its keys keep what they had; nothing is counted."""
    fold = TableFold(
        shard, Log.ACCOUNTS, ("table", "dead"), PARTITIONS, publisher, lambda: "one", orders=lambda: [ORDER]
    )
    value = Account(customer="cus_1").to_json()
    other = Account(customer="cus_2").to_json()
    await fold.open(0)
    await fold.apply(Interval(0, 2, [Record(0, value, key=b"acme")]))
    if readable:
        await fold.apply(Interval(2, 6, [Record(2, other, key=b"acme"), Record(4, None, key=b"acme")]))
    else:
        assert (await fold.pass_unread(2, 5)).fence == 5

    assert await client.hgetall(shard.keys.accounts) == {b"acme": value}
    assert [offset for offset, _, _ in letters(publisher.published)] == [2, 3, 4]
    assert (await read_state(shard)).conservation.read == 0
