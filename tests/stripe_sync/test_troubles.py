"""One account, one row, one defect: an alarm, and everybody else is billed."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import stripe
from prometheus_client import CollectorRegistry

from ledger.notices import Author, post_notices, read_notices
from ledger.pushes import read_in_flight
from ledger.redis_store import RedisStore
from ledger.shard import Ledger
from metering.account import Account
from metering.alarms import Distances
from metering.outcome import Outcome
from metering.row import Row
from metering.troubles.finding import Finding
from metering.troubles.names import Trouble
from stripe_sync.errors import StripeStoppedError
from stripe_sync.process.metrics import StripeSyncMetrics
from stripe_sync.process.telling import process_stops_are_told, shard_stopped
from stripe_sync.sending.in_flight import REST_SECONDS
from stripe_sync.shard.worker import Surroundings
from stripe_sync.stripe_api.client import SingleTransport
from tests.ledger_push.counts import NOON
from tests.support.eventually import eventually_async

from .world import World, running


@dataclass
class Defective:
    """A transport that has a defect with one customer's rows, until it is mended."""

    transport: SingleTransport
    customer: str
    calls: int = 0

    async def send(self, row: Row, identifier: str) -> Outcome:
        """Sends, or fails as no transport should."""
        if row.customer == self.customer:
            self.calls += 1
            raise KeyError("a defect")
        return await self.transport.send(row, identifier)


@dataclass
class Watched:
    """A world whose worker tells its metrics."""

    world: World
    registry: CollectorRegistry

    def surroundings(self) -> Surroundings:
        """The worker's."""
        return Surroundings(report=StripeSyncMetrics(self.registry, self.world.clock, Distances()).shard)

    def rings(self, trouble: Trouble) -> bool:
        """Whether the metric says so."""
        return self.registry.get_sample_value("billing_trouble", {"shard": "0", "trouble": trouble.value}) == 1

    async def says(self, trouble: Trouble, *words: str) -> bool:
        """Whether `billing status` will say so, and the metric."""
        said = "; ".join(str(each) for each in await read_notices(self.world.shard()) if each.trouble is trouble)
        return self.rings(trouble) and bool(said) and all(word in said for word in words)

    async def says_nothing(self) -> bool:
        """Nothing needs a person."""
        assert await read_notices(self.world.shard()) == []
        return not any(self.rings(trouble) for trouble in Trouble)

    async def only_left(self, account: str) -> bool:
        """All others' units are settled."""
        entries = (await read_in_flight(self.world.shard())).values()
        expected = {
            name: units for name, units in self.world.expected().items() if name[0] != self.world.customers[account]
        }
        return self.world.double.billed() == expected and {each.row.account for each in entries} <= {account}


@pytest.fixture
async def watched(world: World) -> Watched:
    """Three accounts with usage."""
    for number, name in enumerate("abc"):
        await world.account(name)
        world.counts.use(name, "sms.send", 5 + number, NOON)
    await world.counts.fold()
    return Watched(world, CollectorRegistry())


async def test_a_row_whose_sending_meets_a_defect_stays_in_flight(watched: Watched) -> None:
    """It is tried again now and then, not all the time; the others are billed; once it is mended it is sent."""
    world = watched.world
    world.transport = transport = Defective(SingleTransport(world.double.client()), world.customers["b"])
    async with running(world.worker(surroundings=watched.surroundings())):
        await eventually_async(lambda: watched.only_left("b"))
        await eventually_async(lambda: watched.says(Trouble.UNSENDABLE, "KeyError: 'a defect'"))
        since, calls = world.clock.monotonic(), transport.calls
        await eventually_async(lambda: later(lambda: transport.calls >= calls + 3))
        assert world.clock.monotonic() - since >= 2 * REST_SECONDS
        transport.customer = ""
        await eventually_async(world.is_settled)
        await eventually_async(watched.says_nothing)
    world.assert_billed_exactly()


async def later(condition: Callable[[], bool]) -> bool:
    """To be waited for."""
    return condition()


@asynccontextmanager
async def in_flight(watched: Watched) -> AsyncIterator[World]:
    """Every row is in the log, and its worker has died before it sent one."""
    worker = watched.world.worker()
    await worker.turn()
    assert len(watched.world.log.entries()) == 1
    await watched.world.worker()._folder.fold_to_end()
    yield watched.world


async def test_a_row_of_an_account_that_can_not_be_read_waits(watched: Watched) -> None:
    """Until when it may be sent is its account's anchor to say."""
    async with in_flight(watched) as world:
        accounts = world.shard().keys.accounts
        await world.redis.hset(accounts, "b", b'{"customer":["of another version"]}')
        async with running(world.worker(surroundings=watched.surroundings())):
            await eventually_async(lambda: watched.only_left("b"))
            await eventually_async(lambda: watched.says(Trouble.UNSENDABLE, "b (ValidationError"))
            await world.redis.hset(accounts, "b", Account(customer=world.customers["b"]).to_json())
            await eventually_async(world.is_settled)
            await eventually_async(watched.says_nothing)
        world.assert_billed_exactly()


@pytest.mark.parametrize("kind", ["in_flight", "parked"])
async def test_a_row_that_another_version_has_written_stays_as_it_is(watched: Watched, kind: str) -> None:
    """With a field that this one does not know: nobody guesses, and nobody else waits."""
    async with in_flight(watched) as world:
        key = getattr(world.shard().keys, kind)
        await world.redis.hset(key, "of-a-newer-version", b'{"row":{"tax":7},"prepared_ms":1}')
        async with running(world.worker(surroundings=watched.surroundings())):
            await eventually_async(lambda: watched.says(Trouble.UNSENDABLE, "of-a-newer-version (ValidationError"))
            await eventually_async(lambda: is_billed(world))
            await world.redis.hdel(key, "of-a-newer-version")
            await eventually_async(watched.says_nothing)


async def is_billed(world: World) -> bool:
    """All of it."""
    return world.double.billed() == world.expected()


async def test_a_bucket_that_can_not_be_planned_is_told_of(watched: Watched) -> None:
    """In the metrics and in the status, with its name."""
    world = watched.world
    await world.redis.hset(world.shard().keys.accounts, "b", b"[]")
    async with running(world.worker(surroundings=watched.surroundings())):
        await eventually_async(lambda: watched.only_left("b"))
        await eventually_async(lambda: watched.says(Trouble.UNPLANNABLE, f"b|0|{NOON // 3600}"))


async def test_what_the_worker_before_has_said_is_taken_back(watched: Watched) -> None:
    """It was stopped, and is mended: the first report says so."""
    await post_notices(
        watched.world.shard(), Author.STRIPE_WORKER, [Finding(Trouble.BILLING_STOPPED, 0, detail="it was")]
    )
    async with running(watched.world.worker(surroundings=watched.surroundings())):
        await eventually_async(watched.says_nothing)


async def test_a_shard_that_is_stopped_says_why(watched: Watched) -> None:
    """And the process is well: its pulse goes on, because a restart would mend nothing."""
    world, beats, rung = watched.world, list[bool](), list[tuple[int, list[Finding]]]()
    ledger = Ledger(RedisStore(world.redis), world.prefix, 1)
    stopped = shard_stopped(ledger, lambda: beats.append(True), lambda *told: rung.append(told))
    await stopped(0, "the log is another")
    said = [Finding(Trouble.BILLING_STOPPED, 0, detail="the log is another")]
    assert await read_notices(world.shard()) == said
    assert (beats, rung) == ([True], [(0, said)])


REFUSED = stripe.PermissionError("this key may not")


@pytest.mark.parametrize(
    ("cause", "trouble"), [(None, Trouble.STRIPE_WORKER_ENDED), (REFUSED, Trouble.STRIPE_KEY_REFUSED)]
)
async def test_what_ends_the_process_is_said_in_every_shard(
    watched: Watched, cause: Exception | None, trouble: Trouble
) -> None:
    """Its supervisor starts it again and again; who looks at the status need not look for its log."""
    ledger = Ledger(RedisStore(watched.world.redis), watched.world.prefix, 2)
    with pytest.raises(StripeStoppedError):
        async with process_stops_are_told(ledger):
            raise StripeStoppedError("why it ends") from cause
    for number in range(2):
        assert await read_notices(ledger.shard(number)) == [Finding(trouble, number, detail="why it ends")]


async def test_a_disputed_customer_needs_a_person(watched: Watched) -> None:
    """Its units are named as long as they wait."""
    surroundings = Surroundings(may_bill=lambda account, _: account != "b", report=watched.surroundings().report)
    async with running(watched.world.worker(surroundings=surroundings)):
        await eventually_async(lambda: watched.says(Trouble.DISPUTED, "6 units", "accounts b"))
