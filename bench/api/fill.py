"""Fills a Redis with accounts, keys and a month of usage per account, as if the aggregator had folded them."""

import random
from collections import defaultdict
from dataclasses import dataclass

from redis.asyncio import Redis

from ledger.keys import ShardKeys
from ledger.ready import Readiness, ReadyMark, mark_ready, note_server
from ledger.redis_store import RedisStore
from ledger.shard import Ledger
from ledger.state import Log, open_shard
from ledger.tables import TableBatch, fold_table
from ledger.usage import apply_usage
from metering.account import Account
from metering.api_key import ApiKeyRecord, key_hash, make_api_key
from metering.bucket import hour_of
from metering.counting import Counter, UsageBatch
from metering.dedupe import DedupeWindow
from metering.meters import CATALOGUE
from metering.partition import partition_of

PARTITIONS = 12
MONTH_HOURS = 30 * 24
PERIOD_HOURS = 29 * 24  # hours since the current billing period began
TEMPLATE = "template"
ROWS_A_CALL = 500
_LOGS = (Log.USAGE, Log.ACCOUNTS, Log.API_KEYS)


@dataclass(frozen=True, slots=True)
class Filled:
    """The contents: a key per account, and the totals that the API must answer for every account."""

    keys: list[str]
    totals: tuple[int, ...]


async def fill(redis: Redis, accounts: int, now: int) -> Filled:
    """Fills an empty server: `accounts` accounts with six meters in every hour of the month before `now`.

    The ledger folds one account's month; the others are copies of it, key by key. The due buckets of a real fold are
    left out: readers do not look at them, and they would take gigabytes.
    """
    ledger = Ledger(RedisStore(redis), "", PARTITIONS)
    for number in range(PARTITIONS):
        for log in _LOGS:
            await open_shard(ledger.shard(number), log, earliest=0, incarnation="bench")
    names = [f"acct_{number:06d}" for number in range(accounts)]
    anchor = 3600 * (hour_of(now) - PERIOD_HOURS)
    totals = await _fold_template(ledger, redis, now, anchor)
    await _copy_template(redis, names)
    keys = await _fold_tables(ledger, names, anchor, now)
    for number in range(PARTITIONS):
        shard = ledger.shard(number)
        note = await note_server(shard)
        if await mark_ready(shard, ReadyMark.USAGE, note, {}, as_of_ms=now * 1000) is not Readiness.READY:
            raise RuntimeError(f"shard {number} could not be marked as ready")
    return Filled(keys, totals)


async def _fold_template(ledger: Ledger, redis: Redis, now: int, anchor: int) -> tuple[int, ...]:
    rng = random.Random(1)  # noqa: S311 - a load, not a secret
    batch = UsageBatch(0, 0, 1, now * 1000, 0)
    totals = [0] * len(CATALOGUE)
    for hour in range(hour_of(now) - MONTH_HOURS + 1, hour_of(now) + 1):
        for meter in range(len(CATALOGUE)):
            units = rng.randint(1, 1000)
            batch.counters.append(Counter(TEMPLATE, meter, hour))
            batch.units.append(units)
            totals[meter] += units if hour >= hour_of(anchor) else 0
    shard = ledger.shard(0)
    await apply_usage(shard, batch, DedupeWindow())
    await redis.delete(shard.keys.due, shard.keys.due_order)
    return tuple(totals)


async def _copy_template(redis: Redis, names: list[str]) -> None:
    first = ShardKeys("", 0)
    dumps: dict[tuple[str, str], bytes] = {}
    for pattern in (first.hours(TEMPLATE, 0)[:-1], first.days(TEMPLATE, "")):
        async for key in redis.scan_iter(f"{pattern}*"):
            before, _, after = key.decode().removeprefix("{p0}").partition(TEMPLATE)
            dumps[before, after] = await redis.dump(key) or b""
            await redis.delete(key)
    for name in names:
        shard = partition_of(name, PARTITIONS)
        pipeline = redis.pipeline(transaction=False)
        for (before, after), dump in dumps.items():
            pipeline.restore(f"{{p{shard}}}{before}{name}{after}", 0, dump)
        await pipeline.execute()


async def _fold_tables(ledger: Ledger, names: list[str], anchor: int, now: int) -> list[str]:
    """Folds the accounts' records, and a key per account. Returns the keys."""
    rng = random.Random(2)  # noqa: S311 - keys that open nothing but this server
    keys, changes = [], {log: defaultdict[int, dict[str, bytes | None]](dict) for log in (Log.ACCOUNTS, Log.API_KEYS)}
    for name in names:
        key = make_api_key(rng.choice)
        keys.append(key)
        account = Account(customer=f"cus_{name}", anchor=anchor)
        record = ApiKeyRecord(account=name, label="bench", created=now)
        changes[Log.ACCOUNTS][partition_of(name, PARTITIONS)][name] = account.to_json()
        changes[Log.API_KEYS][partition_of(key_hash(key), PARTITIONS)][key_hash(key)] = record.to_json()
    for log, shards in changes.items():
        for number, records in shards.items():
            rows = list(records.items())
            for start in range(0, len(rows), ROWS_A_CALL):
                part = rows[start : start + ROWS_A_CALL]
                await fold_table(ledger.shard(number), log, TableBatch(start, start + len(part), dict(part), None))
    return keys
