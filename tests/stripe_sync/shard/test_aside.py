"""Accounts that nothing can be billed of cost a sweep nothing for each bucket, until their record changes."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import pytest

from ledger import due
from ledger.due import bring_back, quote_due, set_aside
from ledger.push_fold import fold_push
from ledger.state import Log, open_shard, read_state
from metering.account import Account
from metering.bucket import hour_of
from metering.push_log import Prepared
from metering.row import Row, bucket_key
from stripe_sync.shard.limits import Pace
from stripe_sync.shard.planner import Planner
from tests.ledger_push.counts import HOUR, MAPPED, NOON
from tests.ledger_push.rows import IDENTITY, prepared, row
from tests.stripe_sync.world import World

T = TypeVar("T")
INTERVAL = 300.0
FREE = Account(anchor=NOON - 20 * 24 * HOUR)


class Sweeping:
    """A planner whose calls to Redis are counted, and the log's fold of what it plans."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.calls: Counter[str] = Counter()
        self.breaks_at: str | None = None
        self.planner = Planner(world.shard(self._note), IDENTITY, Pace(INTERVAL, 3600), world.clock)

    async def _note(self, name: str, perform: Callable[[], Awaitable[T]]) -> T:
        self.calls[name.removeprefix("redis ")] += 1
        result = await perform()
        if name == self.breaks_at:
            self.breaks_at = None
            raise ConnectionError("killed")
        return result

    async def sweep(self) -> list[Row]:
        """The next sweep: its rows, folded; `calls` are this one's."""
        self.world.clock.advance(INTERVAL)
        self.calls.clear()
        rows = list[Row]()
        while (record := await self.planner.plan()) is not None:
            rows += record.rows
            await self.fold(record)
        return rows

    async def fold(self, record: Prepared) -> None:
        """As the worker does."""
        offset = (await read_state(self.world.shard())).fences[Log.PUSHES]
        assert (await fold_push(self.world.shard(), record, offset, self.world.clock.now_ms())).applied

    async def use(self, account: str, hours: int, units: int = 1) -> None:
        """Units in each of so many hours before noon."""
        for number in range(hours):
            self.world.counts.use(account, "sms.send", units, NOON - number * HOUR)
        await self.world.counts.fold()


@pytest.fixture
async def sweeping(world: World) -> AsyncIterator[Sweeping]:
    """On an empty shard that is ready, with an empty push log."""
    await world.counts.fold()
    await open_shard(world.shard(), Log.PUSHES, earliest=0, incarnation="first")
    return Sweeping(world)


async def test_a_sweep_costs_the_same_however_many_buckets_customerless_accounts_have(sweeping: Sweeping) -> None:
    """Once they were seen: two calls, whether those are thirty buckets or six hundred."""
    costs = []
    for hours in (10, 200):
        for account in ("a", "b", "c"):
            await sweeping.use(account, hours)
        assert await sweeping.sweep() == []
        assert await sweeping.sweep() == []
        costs.append(dict(sweeping.calls))
    assert costs == [{"find_changed": 1, "list_due": 1}] * 2
    assert sweeping.planner.last_sweep.aside == 3


async def test_all_of_it_is_billed_once_there_is_a_customer(sweeping: Sweeping) -> None:
    """What was set aside, what came into the same buckets and into others since; the other account stays aside."""
    await sweeping.use("a", 120)
    await sweeping.use("b", 3)
    await sweeping.sweep()
    await sweeping.use("a", 121, units=2)
    await sweeping.sweep()
    sweeping.world.counts.map("a", MAPPED)
    await sweeping.world.counts.fold()
    rows = await sweeping.sweep()
    assert sorted((row.hour, row.start, row.end) for row in rows) == sorted(
        (hour_of(NOON) - number, 0, 3 if number < 120 else 2) for number in range(121)
    )
    assert (await sweeping.sweep(), sweeping.planner.last_sweep.aside) == ([], 1)


async def test_what_is_before_a_subscription_is_aside_and_the_rest_is_billed(sweeping: Sweeping) -> None:
    """Until the start is mended."""
    await sweeping.use("a", 10)
    sweeping.world.counts.map("a", MAPPED.model_copy(update={"subscription_start": NOON - 4 * HOUR}))
    await sweeping.world.counts.fold()
    assert len(await sweeping.sweep()) == 5
    assert await sweeping.sweep() == []
    assert sweeping.calls == {"find_changed": 1, "list_due": 1}
    sweeping.world.counts.map("a", MAPPED)
    await sweeping.world.counts.fold()
    assert len(await sweeping.sweep()) == 5


async def test_a_customer_that_is_taken_away_and_given_back(sweeping: Sweeping) -> None:
    """What was claimed meanwhile is not billed again."""
    sweeping.world.counts.map("a", MAPPED)
    await sweeping.use("a", 3, units=5)
    assert len(await sweeping.sweep()) == 3
    sweeping.world.counts.map("a", FREE)
    await sweeping.use("a", 3, units=2)
    assert await sweeping.sweep() == []
    assert sweeping.planner.last_sweep.aside == 0, "noted by this sweep: the next one tells"
    sweeping.world.counts.map("a", MAPPED.model_copy(update={"customer": "cus_2"}))
    await sweeping.world.counts.fold()
    keys = sweeping.world.shard().keys
    await sweeping.world.redis.delete(keys.held)  # as if the first rows had been delivered
    assert sorted((row.start, row.end) for row in await sweeping.sweep()) == [(5, 7)] * 3


async def test_who_is_killed_while_buckets_come_back_leaves_the_rest_to_the_next(
    sweeping: Sweeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account's record is forgotten with its last bucket."""
    monkeypatch.setattr(due, "BUCKETS_PER_STEP", 10)
    await sweeping.use("a", 35)
    await sweeping.sweep()
    sweeping.world.counts.map("a", MAPPED)
    await sweeping.world.counts.fold()
    sweeping.breaks_at = "redis bring_back"
    with pytest.raises(ConnectionError):
        await sweeping.sweep()
    assert len(await Sweeping(sweeping.world).sweep()) == 35


async def test_an_account_that_has_a_customer_by_now_is_not_set_aside(sweeping: Sweeping) -> None:
    """The record came between the look and the decision."""
    await sweeping.use("a", 1)
    shard = sweeping.world.shard()
    quotes = (await quote_due(shard, [bucket_key("a", 0, hour_of(NOON))])).quotes
    sweeping.world.counts.map("a", MAPPED)
    await sweeping.world.counts.fold()
    await set_aside(shard, quotes)
    assert len(await sweeping.sweep()) == 1


async def test_a_row_of_a_bucket_that_is_aside_leaves_nothing_behind(sweeping: Sweeping) -> None:
    """Another worker had planned it by another record."""
    await sweeping.use("a", 1, units=4)
    await sweeping.sweep()
    keys = sweeping.world.shard().keys
    assert await sweeping.world.redis.exists(keys.aside) == 1
    await sweeping.fold(prepared(row(0, 4)))
    assert await sweeping.world.redis.exists(keys.aside, keys.due, keys.due_order) == 0
    assert await bring_back(sweeping.world.shard()) == 1
    sweeping.world.counts.map("a", MAPPED)
    await sweeping.world.counts.fold()
    assert await bring_back(sweeping.world.shard()) == 0


async def test_accounts_whose_names_begin_alike_are_told_apart(sweeping: Sweeping) -> None:
    """Only the one whose record has changed comes back."""
    names = ("a", "a.b", "a:1", "aa", "A")
    for name in names:
        await sweeping.use(name, 2)
    await sweeping.sweep()
    sweeping.world.counts.map("a", MAPPED)
    await sweeping.world.counts.fold()
    assert {row.account for row in await sweeping.sweep()} == {"a"}
    assert sweeping.planner.last_sweep.aside == len(names) - 1
