"""What is due: which buckets have units that no row has claimed."""

import pytest

from ledger.due import list_due, quote_due
from ledger.push_fold import fold_push
from ledger.pushes import read_held
from ledger.reading import NotReadyError
from ledger.shard import Shard
from ledger.state import Log, close_buckets, open_shard
from metering.account import Account
from metering.row import bucket_key
from tests.ledger_push.counts import HOUR, MAPPED, NOON, Counts
from tests.ledger_push.rows import delivered, name_of, parked, prepared, row

THIS = NOON // HOUR
BUCKET = bucket_key("a", 0, THIS)


async def due(shard: Shard, first_hour: int, last_hour: int) -> list[str]:
    """All that is due between two hours, hour by hour."""
    buckets: list[str] = []
    while found := await list_due(shard, first_hour, last_hour):
        buckets += found.buckets
        first_hour = found.hour + 1
    return buckets


async def test_due_buckets_are_listed_oldest_first(shard: Shard, counts: Counts) -> None:
    """By hour, whatever order they were counted in; none after the hour asked for."""
    for hour in (0, -30, -2, 1):
        counts.use("a", "sms.send", 1, NOON + hour * HOUR)
    counts.use("b", "voice.ai", 1, NOON - 31 * HOUR)
    await counts.fold()
    expected = [bucket_key("b", 4, THIS - 31), bucket_key("a", 0, THIS - 30), bucket_key("a", 0, THIS - 2), BUCKET]
    assert await due(shard, 0, THIS) == expected
    assert await due(shard, 0, THIS - 3) == expected[:2]
    assert await due(shard, THIS - 30, THIS) == expected[1:]


async def test_a_claimed_bucket_is_due_again_with_what_came_later(shard: Shard, counts: Counts) -> None:
    """Gone from the list at 0, back with the difference."""
    counts.use("a", "sms.send", 7, NOON)
    await counts.fold()
    await open_shard(shard, Log.PUSHES, earliest=0, incarnation="first")
    await fold_push(shard, prepared(row(0, 7)), 0, 0)
    assert await due(shard, 0, THIS) == []
    counts.use("a", "sms.send", 2, NOON)
    await counts.fold()
    assert await due(shard, 0, THIS) == [BUCKET]
    quote = (await quote_due(shard, [BUCKET])).quotes[0]
    assert (quote.bucket, quote.counted, quote.due) == (BUCKET, 9, 2)


async def test_a_quote_has_the_account_the_fence_and_what_is_held(shard: Shard, counts: Counts) -> None:
    """An account without a record has no facts; an unknown bucket has nothing due; what is parked holds as well."""
    counts.use("a", "sms.send", 7, NOON)
    counts.use("b", "sms.send", 1, NOON)
    counts.map("a", Account(customer="cus_1", anchor=NOON, subscription_start=NOON))
    await counts.fold()
    await open_shard(shard, Log.PUSHES, earliest=0, incarnation="first")
    claimed = row(0, 7)
    await fold_push(shard, prepared(claimed), 0, 0)
    other = bucket_key("b", 0, THIS)

    quotes = await quote_due(shard, [BUCKET, other, bucket_key("c", 0, THIS)])
    assert quotes.usage_fence == 2
    names = [BUCKET, other, claimed.minute_key]
    assert await read_held(shard, names) == dict.fromkeys((BUCKET, claimed.minute_key), name_of(claimed))
    assert [(quote.counted, quote.due) for quote in quotes.quotes] == [(7, 0), (1, 1), (0, 0)]
    assert quotes.quotes[0].account == Account(customer="cus_1", anchor=NOON, subscription_start=NOON)
    assert quotes.quotes[1].account == Account()

    await fold_push(shard, parked(claimed), 1, 0)
    assert await read_held(shard, names) == dict.fromkeys((BUCKET, claimed.minute_key), name_of(claimed))


async def test_settled_rows_hold_nothing(shard: Shard, counts: Counts) -> None:
    """Delivered: bucket and minute are free."""
    counts.use("a", "sms.send", 7, NOON)
    await counts.fold()
    await open_shard(shard, Log.PUSHES, earliest=0, incarnation="first")
    await fold_push(shard, prepared(row(0, 7)), 0, 0)
    await fold_push(shard, delivered(row(0, 7)), 1, 0)
    assert await read_held(shard, [BUCKET, row(0, 7).minute_key]) == {}


async def test_a_shard_that_is_not_ready_plans_nothing(shard: Shard, counts: Counts) -> None:
    """Accounts may not be known yet, and what is due may still be claimed by records that were not folded."""
    counts.use("a", "sms.send", 7, NOON)
    counts.map("a", MAPPED)
    await counts.fold(ready=False)
    with pytest.raises(NotReadyError):
        await list_due(shard, 0, THIS)
    with pytest.raises(NotReadyError):
        await quote_due(shard, [BUCKET])


async def test_an_empty_shard_has_nothing_due(shard: Shard, counts: Counts) -> None:
    """Ready and empty: no buckets, no error."""
    await counts.fold()
    assert await due(shard, 0, THIS) == []
    assert (await quote_due(shard, [])).quotes == ()


async def test_closed_buckets_are_not_due(shard: Shard, counts: Counts) -> None:
    """A log whose head was cut has lost some of what was counted in them."""
    for hour in (0, -1, -2):
        counts.use("a", "sms.send", 1, NOON + hour * HOUR)
    await counts.fold()
    await open_shard(shard, Log.PUSHES, earliest=5, incarnation="first", may_be_cut=True)
    await close_buckets(shard, "first", Log.PUSHES, THIS - 1)
    assert await due(shard, 0, THIS) == [bucket_key("a", 0, THIS - 1), BUCKET]


async def test_a_log_with_its_head_closes_nothing(shard: Shard, counts: Counts) -> None:
    """Whatever it is told: nothing was lost."""
    counts.use("a", "sms.send", 1, NOON)
    await counts.fold()
    await open_shard(shard, Log.PUSHES, earliest=0, incarnation="first", may_be_cut=True)
    await close_buckets(shard, "first", Log.PUSHES, THIS + 1)
    assert await due(shard, 0, THIS) == [BUCKET]
