"""The folds of accounts and API keys: the last valid record of each key."""

from collections.abc import Callable

import pytest
from aiokafka.errors import KafkaTimeoutError
from redis.asyncio import Redis

from aggregator.folds.table import TableFold
from ledger.answer import Verdict
from ledger.shard import Shard
from ledger.state import Log, read_state
from metering.account import Account
from metering.api_key import ApiKeyRecord
from metering.counting import Interval, mark_of
from metering.partition import partition_of
from metering.reject import RejectReason
from tests.aggregator.conftest import ELSEWHERE, HOME, PARTITIONS
from tests.aggregator.memory_publisher import MemoryPublisher
from tests.metering.events import NOON_MS, Record, Strange

ACCOUNT = Account(customer="cus_1").to_json()
KEY = ApiKeyRecord(account="acme", created=1).to_json()

MakeFold = Callable[[Log], TableFold]
A, B, C = [key.encode() for key in (f"key-{n}" for n in range(50)) if partition_of(key, PARTITIONS) == HOME][:3]


@pytest.fixture
def make_fold(shard: Shard, publisher: MemoryPublisher) -> MakeFold:
    """Makes the fold of a table."""
    return lambda log: TableFold(shard, log, ("table", "dead"), PARTITIONS, publisher, lambda: "one")


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

    await fold.apply(interval((A, ACCOUNT), (B, ACCOUNT), (C, ACCOUNT), (A, other), (B, None)))
    assert await accounts(client, shard) == {A: other, C: ACCOUNT}

    await fold.apply(interval((C, None), (B, other), start=5))
    assert await accounts(client, shard) == {A: other, B: other}


async def test_each_table_reads_its_own_records(make_fold: MakeFold, client: Redis, shard: Shard) -> None:
    """Byte for byte as they were written; the mark is the last one's."""
    fold = make_fold(Log.API_KEYS)
    assert (await fold.open(3)).fence == 3
    batch = interval((C, KEY), start=3)

    answer = await fold.apply(batch)

    assert (answer.verdict, answer.fence) == (Verdict.APPLIED, 4)
    assert await client.hgetall(shard.keys.api_keys) == {C: KEY}
    assert (await read_state(shard)).marks == {Log.API_KEYS: mark_of(batch.records[-1])}


FAULTS = [
    (A, b""),
    (A, b"garbage"),
    (A, b"[]"),
    (A, b'{"customer":""}'),
    (A, b'{"anchor":1781956800000}'),
    (A, b'{"anchor":-1}'),
    (A, b'{"anchor":NaN}'),
    (A, b"\xff"),
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

    answer = await fold.apply(interval((A, ACCOUNT), (key, value)))

    assert answer.applied
    assert await accounts(client, shard) == {A: ACCOUNT}
    (letter,) = publisher.published
    headers = dict(letter.headers)
    assert (letter.topic, letter.key, letter.value) == ("dead", key, b"" if key is value is None else value)
    assert (headers["dlq.reason"], headers["dlq.topic"], headers["dlq.offset"]) == (b"invalid_event", b"table", b"1")
    assert headers["dlq.detail"]


@pytest.mark.parametrize("append_ms", [-1, 0, 2**63 - 1, 1_781_956_800_000_000])
async def test_a_dead_letter_can_have_any_timestamp(make_fold: MakeFold, publisher: MemoryPublisher, append_ms) -> None:
    """The tables' topics keep the producer's own clock, which may be none at all or count microseconds."""
    fold = make_fold(Log.ACCOUNTS)
    await fold.open(0)

    assert (await fold.apply(Interval(0, 1, [Record(0, b"x", append_ms, A)]))).applied
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
        await fold.apply(interval((A, ACCOUNT), (B, b"garbage")))

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
    old = interval((A, ACCOUNT))
    await fold.apply(old)
    await fold.apply(interval((A, None), start=1))

    assert (await fold.apply(old)).verdict is Verdict.STALE
    assert await accounts(client, shard) == {}


@pytest.mark.parametrize("value", [ACCOUNT, None])
async def test_a_record_on_the_wrong_partition_is_a_dead_letter(
    make_fold: MakeFold, publisher: MemoryPublisher, client: Redis, shard: Shard, value
) -> None:
    """Nobody would ever look for the account here; and a tombstone here revokes nothing: somebody must know."""
    fold = make_fold(Log.ACCOUNTS)
    await fold.open(0)

    answer = await fold.apply(interval((A, ACCOUNT), (ELSEWHERE.encode(), value)))

    assert answer.applied
    assert await accounts(client, shard) == {A: ACCOUNT}
    (letter,) = publisher.published
    headers = dict(letter.headers)
    assert (headers["dlq.reason"], headers["dlq.offset"]) == (b"invalid_event", b"1")
    home = partition_of(ELSEWHERE, PARTITIONS)
    assert f"belongs to partition {home}, it was found on {HOME}" in headers["dlq.detail"].decode()


async def test_dead_letters_are_told_of_once_they_are_behind_the_fence(
    shard: Shard, publisher: MemoryPublisher
) -> None:
    """A batch that is refused by the fence is no new dead letter."""
    told: list[tuple[Log, RejectReason]] = []
    fold = TableFold(
        shard,
        Log.ACCOUNTS,
        ("table", "dead"),
        PARTITIONS,
        publisher,
        lambda: "one",
        lambda log, reject: told.append((log, reject.reason)),
    )
    await fold.open(0)
    batch = interval((A, b"garbage"))

    await fold.apply(batch)
    await fold.apply(batch)

    assert told == [(Log.ACCOUNTS, RejectReason.INVALID_EVENT)]


async def test_what_nobody_foresaw_is_one_record_s_fate(
    make_fold: MakeFold, publisher: MemoryPublisher, client: Redis, shard: Shard
) -> None:
    """The others are folded."""
    fold = make_fold(Log.ACCOUNTS)
    await fold.open(0)

    answer = await fold.apply(interval((Strange(A), ACCOUNT), (A, ACCOUNT)))

    assert answer.applied
    assert await accounts(client, shard) == {A: ACCOUNT}
    (letter,) = publisher.published
    assert dict(letter.headers)["dlq.reason"] == b"unreadable"
