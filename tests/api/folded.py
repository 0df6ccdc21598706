"""A ledger in a real Redis, filled like the aggregator fills it: with decided and folded log records."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from random import Random

from redis.asyncio import Redis

from ledger.push_fold import fold_push
from ledger.ready import Readiness, ReadyMark, mark_ready, note_server
from ledger.redis_store import RedisStore
from ledger.shard import Ledger, Shard
from ledger.state import Log, open_shard, read_state
from ledger.tables import TableBatch, fold_table
from ledger.usage import apply_usage
from metering.account import Account
from metering.api_key import ApiKeyRecord, key_hash, make_api_key
from metering.counting import Interval, usage_batches
from metering.partition import partition_of
from metering.push_log import Prepared, PushRecord, Settled, Settlement, StripeIdentity
from metering.rfc3339 import from_unix
from metering.row import Row
from tests.support.log_record import Record

PARTITIONS = 4
AS_OF_MS = 1_781_956_800_123  # 2026-06-20T12:00:00.123Z
FOLDED = (Log.USAGE, Log.ACCOUNTS, Log.API_KEYS)
STRIPE = StripeIdentity(namespace="tests", account="acct_1", livemode=False)


@dataclass
class Folded:
    """The state after folding the logs of a test."""

    ledger: Ledger
    numbers: Iterator[int] = field(default_factory=count)
    random: Random = field(default_factory=lambda: Random(7))  # noqa: S311 - keys of tests

    def home(self, name: str) -> Shard:
        """The shard of an account or of a key's hash."""
        return self.ledger.shard(partition_of(name, PARTITIONS))

    async def open(self) -> None:
        """Opens every shard, as its first writer does."""
        for number in range(PARTITIONS):
            for log in FOLDED:
                await open_shard(self.ledger.shard(number), log, earliest=0, incarnation="first")

    async def ready(self, *shards: int, as_of_ms: int = AS_OF_MS) -> None:
        """Marks shards ready; all of them by default."""
        for number in shards or range(PARTITIONS):
            shard = self.ledger.shard(number)
            note = await note_server(shard)
            marked = await mark_ready(shard, ReadyMark.USAGE, note, dict.fromkeys(FOLDED, 0), as_of_ms=as_of_ms)
            assert marked is Readiness.READY

    async def key(self, account: str, label: str = "") -> str:
        """A new API key of an account."""
        key = make_api_key(self.random.choice)
        await self._fold(Log.API_KEYS, key_hash(key), ApiKeyRecord(account=account, label=label, created=0).to_json())
        return key

    async def revoke(self, key: str) -> None:
        """A key's tombstone."""
        await self._fold(Log.API_KEYS, key_hash(key), None)

    async def tell_key(self, name: str, value: bytes | None) -> None:
        """Writes any record of the keys' log."""
        await self._fold(Log.API_KEYS, name, value)

    async def account(self, name: str, facts: Account) -> None:
        """An account's record."""
        await self._fold(Log.ACCOUNTS, name, facts.to_json())

    async def _fold(self, log: Log, name: str, value: bytes | None) -> None:
        shard = self.home(name)
        at = (await read_state(shard)).fences[log]
        assert (await fold_table(shard, log, TableBatch(at, at + 1, {name: value}, None))).applied

    async def bill(self, account: str, meter: str, units: int, *, used: int, stamped: int, start: int = 0) -> None:
        """Units of the bucket of one Unix second, from `start` on, that Stripe accepts under the time of another."""
        shard = self.home(account)
        state = await open_shard(shard, Log.PUSHES, earliest=0, incarnation="first")
        at = state.fences[Log.PUSHES]
        row = Row(
            account=account,
            meter=meter,
            hour=used // 3600,
            start=start,
            end=start + units,
            customer="cus_1",
            timestamp=stamped,
            carried=stamped // 3600 != used // 3600,
        )
        prepared = Prepared(identity=STRIPE, usage_fence=state.fences[Log.USAGE], rows=(row,))
        settled = Settled(settlements=(Settlement(identifier=row.identifier(STRIPE.namespace)),))
        records: tuple[PushRecord, ...] = (prepared, settled)
        for offset, record in enumerate(records, at):
            assert (await fold_push(shard, record, offset, stamped * 1000)).applied

    async def push_log_ready(self, account: str) -> None:
        """Marks that all of the push log of the account's shard is folded."""
        shard = self.home(account)
        await open_shard(shard, Log.PUSHES, earliest=0, incarnation="first")
        note = await note_server(shard)
        marked = await mark_ready(shard, ReadyMark.PUSHES, note, {Log.PUSHES: 0}, as_of_ms=AS_OF_MS)
        assert marked is Readiness.READY

    async def use(self, account: str, meter: str, quantity: int, time: int) -> None:
        """One event at a Unix second, appended to the log in the same second. Call in the order of time."""
        shard = self.home(account)
        state = await read_state(shard)
        at = state.fences[Log.USAGE]
        event = {
            "specversion": "1.0",
            "id": str(next(self.numbers)),
            "source": "tests",
            "type": meter,
            "subject": account,
            "time": from_unix(time),
            "data": {"quantity": quantity},
        }
        record = Record(at, time * 1000, json.dumps(event).encode())
        for batch in usage_batches(
            Interval(at, at + 1, [record]),
            partition=shard.number,
            partitions=PARTITIONS,
            high_ms=state.high_ms,
            set_groups=state.window.groups(),
        ):
            assert not batch.rejected
            assert (await apply_usage(shard, batch, state.window)).applied


@asynccontextmanager
async def folding(redis_url: str, prefix: str) -> AsyncIterator[Folded]:
    """A ledger whose shards are open and not yet ready."""
    async with Redis.from_url(redis_url) as client:
        folded = Folded(Ledger(RedisStore(client), prefix, PARTITIONS))
        await folded.open()
        yield folded
