"""Forecasts the fate of records if they were published now. It reads the shards and changes nothing."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import NamedTuple, Self

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster

from aggregator.publisher import Message
from ledger.reading import NotReadyError, is_ready
from ledger.redis_store import RedisStore
from ledger.remembered import find_remembered
from ledger.shard import Ledger, Shard
from ledger.state import Log, ShardState, read_state
from metering.event import read_event
from metering.meters import CATALOGUE
from metering.partition import partition_of
from metering.reject import Reject
from metering.usage_event import UsageEvent
from ops.console.errors import OpsError
from ops.logs.settings import TableSettings
from runtime.redis import connect

READY_SECONDS = 20.0  # seconds to wait for a shard
POLL_SECONDS = 0.05  # seconds between two looks
_METER_NAMES = {meter.index: meter.name for meter in CATALOGUE}


class ForecastLine(NamedTuple):
    """One line of a forecast: an account and a meter."""

    account: str
    meter: str


@dataclass(slots=True)
class Forecast:
    """The events and units that would be counted, the events that are duplicates, and the rejects by reason."""

    new: Counter[ForecastLine] = field(default_factory=Counter)
    units: Counter[ForecastLine] = field(default_factory=Counter)
    duplicates: Counter[ForecastLine] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)


class Forecaster:
    """Asks the shards. It first waits until a shard is ready and has folded the log up to its end at the start.

    A record counts as published once it was added: a second record with the same identity is a duplicate.
    """

    def __init__(self, settings: TableSettings, ends: Mapping[int, int], now: Callable[[], float] = time.time) -> None:
        """`ends` holds the end offsets of the usage log at the start, by partition."""
        self._settings = settings
        self._ends = ends
        self._now = now
        self._runner = asyncio.Runner()
        self._states: dict[int, ShardState] = {}
        self._asked: defaultdict[int, set[int]] = defaultdict(set)
        self.forecast = Forecast()

    def __enter__(self) -> Self:
        self._client = self._runner.run(self._connect())
        self._ledger = Ledger(RedisStore(self._client), self._settings.redis_prefix, self._settings.partitions)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()

    def add(self, messages: Sequence[Message]) -> None:
        """Adds records, in the order of their publication.

        Raises:
            OpsError: a shard is not ready, or its aggregator is behind.
            redis.RedisError: Redis does not answer.
        """
        self._runner.run(self._add(messages))

    async def _connect(self) -> "Redis | RedisCluster":
        return connect(self._settings)

    async def _add(self, messages: Sequence[Message]) -> None:
        now_ms = int(self._now() * 1000)
        events: defaultdict[int, list[UsageEvent]] = defaultdict(list)
        for message in messages:
            event = await self._judge(message, now_ms)
            if isinstance(event, Reject):
                self.forecast.rejected[event.reason.value] += 1
            else:
                events[partition_of(event.account, self._settings.partitions)].append(event)
        for number, group in events.items():
            await self._tally(self._ledger.shard(number), group, now_ms)

    async def _judge(self, message: Message, now_ms: int) -> UsageEvent | Reject:
        event = read_event(message.value, now_ms, message.headers)
        if isinstance(event, Reject):
            return event
        state = await self._state(partition_of(event.account, self._settings.partitions))
        return event if state.high_ms <= now_ms else read_event(message.value, state.high_ms, message.headers)

    async def _tally(self, shard: Shard, events: Sequence[UsageEvent], now_ms: int) -> None:
        asked = self._asked[shard.number]
        try:
            known = await find_remembered(shard, [event.member for event in events], now_ms=now_ms)
        except NotReadyError as error:
            raise self._not_ready(shard.number) from error
        for event in events:
            line = ForecastLine(event.account, _METER_NAMES[event.meter])
            if event.member in known or event.member in asked:
                self.forecast.duplicates[line] += 1
                continue
            asked.add(event.member)
            self.forecast.new[line] += 1
            self.forecast.units[line] += event.quantity

    async def _state(self, number: int) -> ShardState:
        if number not in self._states:
            self._states[number] = await self._wait_folded(self._ledger.shard(number))
        return self._states[number]

    async def _wait_folded(self, shard: Shard) -> ShardState:
        deadline = time.monotonic() + READY_SECONDS
        while True:
            state = await read_state(shard)
            if state.fences.get(Log.USAGE, 0) >= self._ends[shard.number] and await is_ready(shard):
                return state
            if time.monotonic() > deadline:
                raise self._not_ready(shard.number)
            await asyncio.sleep(POLL_SECONDS)

    def _not_ready(self, number: int) -> OpsError:
        return OpsError(
            f"shard {number} has not folded the usage log, and can't tell yet which events it knows: check that an "
            f"aggregator runs with BILLING_TOPIC_PREFIX={self._settings.topic_prefix!r} and "
            f"BILLING_REDIS_PREFIX={self._settings.redis_prefix!r}, and try again"
        )
