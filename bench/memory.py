"""Measures the bytes that the state takes in Redis: per remembered identity, and per account and month."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from redis import Redis as SyncRedis
from redis.asyncio import Redis

from ledger.redis_store import RedisStore
from ledger.shard import Ledger
from ledger.state import Log, open_shard
from ledger.usage import apply_usage
from metering.counting import Counter, UsageBatch
from metering.dedupe import DedupeWindow, block_of
from metering.meters import CATALOGUE
from metering.usage_event import identity_member

BATCH = 5000
MONTH_HOURS = 30 * 24
ONE_UNIT = 1 << 32 | 1  # the correction of an identity: a unit of the first counter


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """Bytes by MEMORY USAGE; `info_...`: the growth of the server's memory by INFO instead.

    An account-month has usage in all hours of a month, of all meters or of two.
    """

    identities: int
    bytes_per_identity: float
    info_bytes_per_identity: float
    account_month_all: int
    account_month_two: int


def measure(redis_url: str, identities: int, say: Callable[[str], None]) -> MemoryUse:
    """Fills one dedupe block of one shard with identities, and two accounts with a month of usage; measures both."""
    with SyncRedis.from_url(redis_url) as redis:
        redis.flushall()
        say(f"remembering {identities} identities in one block of one shard")
        before = _used(redis)
        asyncio.run(_remember(redis_url, identities))
        dedupe = _usage(redis, ["{p0}d:*"])
        grown = _used(redis) - before
        asyncio.run(_count_months(redis_url))
        months = [_usage(redis, [f"{{p1}}u:{name}:*", f"{{p1}}t:{name}:*"]) for name in ("all", "two")]
    return MemoryUse(identities, dedupe / identities, grown / identities, months[0], months[1])


def _used(redis: SyncRedis) -> int:
    return int(redis.info("memory")["used_memory"])


def _usage(redis: SyncRedis, patterns: Sequence[str]) -> int:
    names = [name for pattern in patterns for name in redis.scan_iter(pattern, count=1000)]
    return sum(int(redis.memory_usage(name, samples=0) or 0) for name in names)


async def _remember(redis_url: str, identities: int) -> None:
    now_ms = time.time_ns() // 1_000_000
    async with Redis.from_url(redis_url) as redis:
        shard = Ledger(RedisStore(redis), "", 1).shard(0)
        state = await open_shard(shard, Log.USAGE, earliest=0, incarnation="bench")
        window, block, at = state.window, block_of(now_ms), 0
        members = (
            identity_member("/sms/gateway-1", f"{number:016x}", "sms.send", "one") for number in range(identities)
        )
        while part := list(islice(members, BATCH)):
            batch = UsageBatch(0, at, at + len(part), now_ms, block)
            batch.counters, batch.units = [Counter("one", 0, now_ms // 3_600_000)], [len(part)]
            for member in part:
                batch.groups[member % window.groups()] += (member, ONE_UNIT)
            answer = await apply_usage(shard, batch, window)
            window.remember(block, len(part) - answer.value)
            at += len(part)


async def _count_months(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        shard = Ledger(RedisStore(redis), "", 2).shard(1)
        await open_shard(shard, Log.USAGE, earliest=0, incarnation="bench")
        counters = [*_month("all", len(CATALOGUE)), *_month("two", 2)]
        batch = UsageBatch(1, 0, 1, 0, 0)
        batch.counters, batch.units = counters, [10_000 + place for place in range(len(counters))]
        await apply_usage(shard, batch, DedupeWindow())


def _month(account: str, meters: int) -> Iterator[Counter]:
    first = 24 * (int(time.time()) // 86_400 - 30)
    for hour in range(first, first + MONTH_HOURS):
        for meter in range(meters):
            yield Counter(account, meter, hour)
