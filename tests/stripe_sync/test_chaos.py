"""Everything at once, by seeds: two workers, a Redis that forgets, a log whose appends float, a silent Stripe."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

import httpx
import pytest
from aiokafka.errors import KafkaTimeoutError
from redis.asyncio import Redis
from redis.exceptions import TimeoutError as RedisTimeoutError

from ledger.state import Log, read_state
from local.servers.redis import RedisServer
from runtime.retrying import RETRIABLE
from stripe_sync.tasks import end_tasks
from tests.ledger_push.counts import HOUR, NOON
from tests.support.eventually import eventually_async

from .world import World, a_world

T = TypeVar("T")

STEPS = 40
FAULT_RATE = 0.12  # of all calls, while the weather is bad
ACCOUNTS = ("a", "b", "c")


@dataclass
class Weather:
    """What may go wrong at a call: it is slow, it fails before or after it took effect, its record floats."""

    world: World
    random: Random
    bad: bool = True
    floating: list[bytes] = field(default_factory=list)

    async def __call__(self, name: str, perform: Callable[[], Awaitable[T]]) -> T:
        """Passes most calls on."""
        if not self.bad or self.random.random() > FAULT_RATE:
            return await perform()
        for _ in range(self.random.randrange(20)):
            await asyncio.sleep(0)
        kind, _, what = name.partition(" ")
        fault: Any = {"redis": self._redis, "log": self._log, "stripe": self._stripe}[kind]
        result: T = await fault(what, perform)
        return result

    async def _redis(self, what: str, perform: Callable[[], Awaitable[T]]) -> T:
        """The reply is lost, or the command never arrived."""
        if self.random.random() < 0.5:
            await perform()
        raise RedisTimeoutError

    async def _log(self, what: str, perform: Callable[[], Awaitable[T]]) -> T:
        """The append is lost, floats, or is in the log though it seems to have failed."""
        fate = self.random.choice(["lost", "floats", "in the log"])
        if what == "append":
            await perform()
            if fate != "in the log":
                entries = self.world.log.entries()
                self.world.log.truncate(0, len(entries) - 1)
                if fate == "floats":
                    self.floating.append(entries[-1].value or b"")
        raise KafkaTimeoutError

    async def _stripe(self, what: str, perform: Callable[[], Awaitable[T]]) -> Any:
        """No answer, whether it arrived or not; or a refusal of the moment."""
        match self.random.choice(["lost", "gone", "500", "429", "garbled"]):
            case "lost":
                raise httpx.ConnectError("away")
            case "gone":
                await perform()
                raise httpx.ReadError("gone")
            case "garbled":
                await perform()
                return httpx.Response(200, content=b"\xff{")
            case "429":
                return httpx.Response(429, json={"error": {"code": "rate_limit", "message": "slow"}})
            case _:
                return httpx.Response(500, json={"error": {"code": "api_error", "message": "oops"}})


@asynccontextmanager
async def supervised(world: World, weather: Weather) -> AsyncIterator[None]:
    """A worker that is started again whenever it fails, however often."""

    async def keep_working() -> None:
        while True:
            try:
                await world.worker(weather).run()
            except RETRIABLE:
                await world.clock.sleep(0.1)

    task = asyncio.create_task(keep_working())
    try:
        yield
        assert not task.done(), task.exception()
    finally:
        await end_tasks([task])


async def one_step(world: World, weather: Weather) -> None:
    """Something happens in the world."""
    random = weather.random
    match random.choice(["use", "use", "use", "fold", "fold", "hour", "day", "flush", "land", "nothing"]):
        case "use":
            hour = random.randrange(30)
            meter = random.choice(["sms.send", "voice.ai"])
            world.counts.use(random.choice(ACCOUNTS), meter, random.randrange(1, 9), NOON - hour * HOUR)
        case "fold":
            await world.counts.fold()
        case "hour":
            world.clock.advance(random.randrange(1, 4) * HOUR)
        case "day" if world.clock.now_ms() / 1000 < NOON + 6 * 24 * HOUR:
            world.clock.advance(random.randrange(20, 27) * HOUR)
        case "flush":
            await world.redis.flushall()
        case "land" if weather.floating:
            world.log.land(0, weather.floating.pop(random.randrange(len(weather.floating))))
    moment = world.clock.now_ms()
    pause = random.randrange(4_000)
    await eventually_async(lambda: passed(world, moment + pause))


async def passed(world: World, moment_ms: int) -> bool:
    """The workers have had some turns."""
    return world.clock.now_ms() >= moment_ms


async def calm(world: World) -> bool:
    """Everything is folded, claimed and settled."""
    if (await read_state(world.shard())).fences.get(Log.USAGE) != len(world.counts.usage):
        await world.counts.fold()
    return await world.is_settled()


@pytest.mark.parametrize("seed", range(6))
async def test_the_sums_are_exact_when_the_weather_clears(own_redis: RedisServer, seed: int) -> None:
    """Stripe never has more than was counted, and in the end exactly that; no row waits for a person."""
    async with Redis.from_url(own_redis.url) as redis, a_world(redis, "") as world:
        for name in ACCOUNTS:
            await world.account(name)
        await world.counts.fold()
        weather = Weather(world, Random(seed))  # noqa: S311 - reproducible, not secret
        async with supervised(world, weather), supervised(world, weather):
            for _ in range(STEPS):
                await one_step(world, weather)
                assert_never_too_much(world)
            weather.bad = False
            await eventually_async(lambda: calm(world), deadline=30)
        world.assert_billed_exactly()
        assert await world.parked() == 0


def assert_never_too_much(world: World) -> None:
    """No customer is billed more than was published."""
    expected = world.expected()
    assert {key: units for key, units in world.double.billed().items() if units > expected.get(key, 0)} == {}
    world.assert_bodies_frozen()
