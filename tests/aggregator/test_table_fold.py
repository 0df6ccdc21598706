"""The folds of accounts and API keys: the last valid record of each key."""

from collections.abc import Callable

import pytest
from aiokafka.errors import KafkaTimeoutError
from redis.asyncio import Redis

from aggregator.table_fold import TableFold
from ledger.answer import Verdict
from ledger.shard import Shard
from ledger.state import Log, read_state
from metering.account import Account
from metering.api_key import ApiKeyRecord
from metering.counting import Interval, mark_of
from tests.aggregator.memory_publisher import MemoryPublisher
from tests.metering.events import NOON_MS, Record

ACCOUNT = Account(customer="cus_1").to_json()
KEY = ApiKeyRecord(account="acme", created=1).to_json()

MakeFold = Callable[[Log], TableFold]


@pytest.fixture
def make_fold(shard: Shard, publisher: MemoryPublisher) -> MakeFold:
    """Makes the fold of a table."""
    return lambda log: TableFold(shard, log, ("table", "dead"), publisher, lambda: "one")


def interval(*records: tuple[bytes | None, bytes | None], start: int = 0) -> Interval:
    """Records of (key, value) at consecutive offsets."""
    made = [Record(start + n, value, NOON_MS, key) for n, (key, value) in enumerate(records)]
    return Interval(start, start + len(made), made)


async def accounts(client: Redis, shard: Shard) -> dict[bytes, bytes]:
    """What the shard knows."""
    return await client.hgetall(shard.keys.accounts)


async def test_the_last_record_of_a_key_counts(make_fold: MakeFold, client: Redis, shard: Shard) -> None:
    """Within a batch and across batches; a tombstone removes it."""
    fold, other = make_fold(Log.ACCOUNTS), Account(customer="cus_2").to_json()
    await fold.open(0)

    await fold.apply(interval((b"a", ACCOUNT), (b"b", ACCOUNT), (b"c", ACCOUNT), (b"a", other), (b"b", None)))
    assert await accounts(client, shard) == {b"a": other, b"c": ACCOUNT}

    await fold.apply(interval((b"c", None), (b"b", other), start=5))
    assert await accounts(client, shard) == {b"a": other, b"b": other}


async def test_each_table_reads_its_own_records(make_fold: MakeFold, client: Redis, shard: Shard) -> None:
    """Byte for byte as they were written; the mark is the last one's."""
    fold = make_fold(Log.API_KEYS)
    assert await fold.open(3) == 3
    batch = interval((b"hash", KEY), start=3)

    answer = await fold.apply(batch)

    assert (answer.verdict, answer.fence) == (Verdict.APPLIED, 4)
    assert await client.hgetall(shard.keys.api_keys) == {b"hash": KEY}
    assert (await read_state(shard)).marks == {Log.API_KEYS: mark_of(batch.records[-1])}


FAULTS = [
    (b"a", b""),
    (b"a", b"garbage"),
    (b"a", b"[]"),
    (b"a", b'{"customer":""}'),
    (b"a", b'{"anchor":1781956800000}'),
    (b"a", b'{"anchor":-1}'),
    (b"a", b'{"anchor":NaN}'),
    (b"a", b"\xff"),
    (None, ACCOUNT),
    (b"", ACCOUNT),
    (b"\xff", ACCOUNT),
    (None, None),
]


@pytest.mark.parametrize(("key", "value"), FAULTS)
async def test_a_record_that_cannot_be_read_is_a_dead_letter(
    make_fold: MakeFold, publisher: MemoryPublisher, client: Redis, shard: Shard, key, value
) -> None:
    """The key keeps what it had, and the log goes on: one bad record takes nobody's account away."""
    fold = make_fold(Log.ACCOUNTS)
    await fold.open(0)

    answer = await fold.apply(interval((b"a", ACCOUNT), (key, value)))

    assert answer.applied
    assert await accounts(client, shard) == {b"a": ACCOUNT}
    (letter,) = publisher.published
    headers = dict(letter.headers)
    assert (letter.topic, letter.key, letter.value) == ("dead", key, value)
    assert (headers["dlq.reason"], headers["dlq.topic"], headers["dlq.offset"]) == (b"invalid_event", b"table", b"1")
    assert headers["dlq.detail"]


@pytest.mark.parametrize("append_ms", [-1, 0, 2**63 - 1, 1_781_956_800_000_000])
async def test_a_dead_letter_can_have_any_timestamp(make_fold: MakeFold, publisher: MemoryPublisher, append_ms) -> None:
    """The tables' topics keep the producer's own clock, which may be none at all or count microseconds."""
    fold = make_fold(Log.ACCOUNTS)
    await fold.open(0)

    assert (await fold.apply(Interval(0, 1, [Record(0, b"x", append_ms, b"a")]))).applied
    assert dict(publisher.published[0].headers)["dlq.time"]


async def test_what_cannot_be_written_holds_the_fence(
    make_fold: MakeFold, publisher: MemoryPublisher, client: Redis, shard: Shard
) -> None:
    """As for usage."""

    async def fail() -> None:
        raise KafkaTimeoutError

    publisher.before = fail
    fold = make_fold(Log.ACCOUNTS)
    await fold.open(0)

    with pytest.raises(KafkaTimeoutError):
        await fold.apply(interval((b"a", ACCOUNT), (b"b", b"garbage")))

    assert await accounts(client, shard) == {}
    assert (await read_state(shard)).fences == {Log.ACCOUNTS: 0}


async def test_an_interval_without_records_moves_the_fence(make_fold: MakeFold, shard: Shard) -> None:
    """Compaction leaves holes."""
    fold = make_fold(Log.ACCOUNTS)
    await fold.open(0)

    assert (await fold.apply(Interval(0, 9, ()))).fence == 9


async def test_a_batch_that_was_applied_before_is_stale(make_fold: MakeFold, client: Redis, shard: Shard) -> None:
    """It can't bring an old value back."""
    fold = make_fold(Log.ACCOUNTS)
    await fold.open(0)
    old = interval((b"a", ACCOUNT))
    await fold.apply(old)
    await fold.apply(interval((b"a", None), start=1))

    assert (await fold.apply(old)).verdict is Verdict.STALE
    assert await accounts(client, shard) == {}
