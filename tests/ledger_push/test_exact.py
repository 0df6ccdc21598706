"""Claims and accepted units beyond 2**53: two watermarks that are one double are still two."""

import pytest
from redis.asyncio import Redis

from ledger.answer import Verdict
from ledger.due import quote_due
from ledger.push_fold import fold_push
from ledger.pushes import read_accepted
from ledger.shard import Shard
from ledger.state import Log, open_shard, read_state
from metering.bucket import hour_of
from metering.push_fold import QUIET_MS
from metering.push_log import ParkOrder, PushRecord
from metering.span import DAY_SECONDS
from tests.ledger_push.counts import NOON, Counts
from tests.ledger_push.rows import IDENTITY, delivered, name_of, prepared, row

EDGE = 2**53
LARGEST = 10**15 - 1  # what Stripe takes at once
EDGES = [EDGE - 1, EDGE, EDGE + 1, EDGE + 2, 2**62]


@pytest.fixture
async def counted(client: Redis, shard: Shard, counts: Counts) -> "Counted":
    """A bucket, and a way to have it hold any number of units."""
    counts.use("a", "sms.send", 1, NOON)
    counts.map("a")
    await counts.fold()
    await open_shard(shard, Log.PUSHES, earliest=0, incarnation="first")
    return Counted(client, shard)


class Counted:
    """One bucket of a shard."""

    def __init__(self, client: Redis, shard: Shard) -> None:
        self._client = client
        self.shard = shard
        self.bucket = row(0, 1).bucket_key

    async def hold(self, units: int, due: int) -> None:
        """So many are counted, so many of them not claimed."""
        keys = self.shard.keys
        await self._client.hset(keys.hours("a", NOON // DAY_SECONDS), str(NOON % DAY_SECONDS // 3600), units)
        await self._client.hset(keys.due, self.bucket, due)
        await self._client.zadd(keys.due_order, {self.bucket: hour_of(NOON)})

    async def fold(self, record: PushRecord, append_ms: int = NOON * 1000) -> tuple[Verdict, int]:
        """Folds the next record."""
        answer = await fold_push(self.shard, record, (await read_state(self.shard)).fences[Log.PUSHES], append_ms)
        return answer.verdict, answer.value

    async def due(self) -> int:
        """What is not claimed."""
        (quote,) = (await quote_due(self.shard, [self.bucket])).quotes
        return quote.due


@pytest.mark.parametrize("claimed", EDGES)
async def test_a_row_is_accepted_where_the_claim_stands_and_nowhere_beside(counted: Counted, claimed: int) -> None:
    """Its neighbours are the same double, or nearly."""
    await counted.hold(claimed + 5, due=5)
    for start in (claimed - 2, claimed - 1, claimed + 1, claimed + 2):
        assert await counted.fold(prepared(row(start, claimed + 5))) == (Verdict.APPLIED, 0)

    assert await counted.fold(prepared(row(claimed, claimed + 3))) == (Verdict.APPLIED, 1)

    assert await counted.due() == 2
    await counted.fold(delivered(row(claimed, claimed + 3)))
    assert await counted.fold(prepared(row(claimed + 3, claimed + 5))) == (Verdict.APPLIED, 1)
    assert await counted.due() == 0


@pytest.mark.parametrize("units", EDGES)
async def test_a_claim_of_one_unit_too_many_is_noticed(counted: Counted, units: int) -> None:
    """The logs do not belong together."""
    await counted.hold(units, due=5)

    assert (await counted.fold(prepared(row(units - 5, units + 1))))[0] is Verdict.DIVERGED


@pytest.mark.parametrize("due", EDGES)
async def test_what_is_due_may_be_as_much_as_was_ever_counted(counted: Counted, due: int) -> None:
    """Of an account that has no customer yet; a row takes as much of it as Stripe takes at once."""
    await counted.hold(due, due)

    assert await counted.fold(prepared(row(0, LARGEST))) == (Verdict.APPLIED, 1)

    assert await counted.due() == due - LARGEST


async def test_accepted_units_are_added_and_taken_back_exactly(counted: Counted) -> None:
    """Carried forward, all of a customer's units of a meter lie in one minute."""
    rows = [row(number * LARGEST, number * LARGEST + LARGEST - number, carried=True) for number in range(11)]
    for each in rows:
        await counted.hold(each.end, due=each.value)
        assert await counted.fold(prepared(each)) == (Verdict.APPLIED, 1)
        assert await counted.fold(delivered(each)) == (Verdict.APPLIED, 1)
    park = ParkOrder(
        who="me",
        why="lost",
        namespace=IDENTITY.namespace,
        row=rows[3],
        prepared_ms=NOON * 1000,
        delivered_ms=NOON * 1000,
    )

    assert await counted.fold(park, NOON * 1000 + QUIET_MS) == (Verdict.APPLIED, 1)

    accepted = sum(each.value for each in rows if each != rows[3])
    assert accepted > EDGE
    assert await read_accepted(counted.shard, rows[3], name_of(rows[3])) == accepted
