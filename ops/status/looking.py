"""A look at the whole system, which ends within some seconds, whatever is away: that is a finding then, no error."""

import asyncio
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from kafka import TopicPartition
from kafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisClusterException, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from ledger.beats import silence
from metering.troubles.finding import Finding
from metering.troubles.names import Trouble
from ops.console.errors import OpsError
from ops.logs.dead_letters import DeadLetters, read_dead_letters
from ops.logs.open_ledger import LedgerSettings, open_ledger
from ops.logs.open_transactions import OpenTransaction, find_open
from ops.logs.reader import LogReader
from ops.status.kafka_view import KafkaView, view_kafka, within
from ops.status.reading import StatusReader
from ops.status.report import ShardReport
from ops.status.system import System
from runtime.failing import explain
from runtime.kafka_faults import KafkaUnreachableError
from runtime.record_batch import UnreadableBatchError
from runtime.topics import TopicNames

CONNECT_SECONDS = 4.0  # a broker that is there answers in far less
ANSWER_SECONDS = 20.0  # all that is asked of either, on a system of many shards
LETTERS_SECONDS = 40.0  # a million of them
_AWAY = (TimeoutError, ConnectionError, RedisConnectionError, RedisTimeoutError, RedisClusterException)
_KAFKA_AWAY = (KafkaUnreachableError, KafkaConnectionError, KafkaTimeoutError)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StatusQuestion:
    """What a person wants to know: of some shards (None: all), and so many records of the dead letters.

    `other_copy`: of a copy of the state that nobody reads, so that no API says that it is there.
    """

    shards: Collection[int] | None = None
    dead_letters: int = 0
    other_copy: bool = False


@dataclass(slots=True)
class Look:
    """One look. `away` gathers what does not answer."""

    settings: LedgerSettings
    asked: StatusQuestion
    away: list[Finding] = field(default_factory=list)
    _api_silence: int | None = None

    async def take(self) -> System:
        """Looks.

        Raises:
            OpsError: there is no such shard.
        """
        topics = TopicNames(self.settings.topic_prefix)
        reader = await self._connect()
        try:
            numbers = await self._numbers(reader, topics)
            status = StatusReader(topics, lambda fences: self._ask_kafka(reader, topics, fences))
            reports = await self._reports(status, numbers)
            letters = await self._letters(reader)
        finally:
            if reader is not None:
                reader.close()
        return System(
            now_ms=time.time_ns() // 1_000_000,
            reports=tuple(reports),
            letters=letters,
            away=self.away,
            order_faults={} if status.kafka is None else status.kafka.orders.faults,
            orders_log=topics.quarantine,
            api_silence=self._api_silence,
            whole=not self.asked.shards,
        )

    async def _connect(self) -> LogReader | None:
        with self._noting(Trouble.KAFKA_AWAY, "Kafka"):
            return await within(CONNECT_SECONDS, lambda: LogReader(self.settings))
        return None

    async def _numbers(self, reader: LogReader | None, topics: TopicNames) -> list[int]:
        every = set(range(self.settings.partitions))
        if reader is not None:
            with self._noting(Trouble.KAFKA_AWAY, topics.usage):
                every |= set(await within(ANSWER_SECONDS, lambda: reader.partitions(topics.usage)))
        if unknown := set(self.asked.shards or ()) - every:
            raise OpsError(f"there is no shard {min(unknown)}: shards are 0 to {max(every)}")
        return sorted(self.asked.shards or every)

    async def _ask_kafka(
        self, reader: LogReader | None, topics: TopicNames, fences: Mapping[int, int]
    ) -> KafkaView | None:
        if reader is None or self.away:
            return None
        logs = (topics.usage, topics.accounts, topics.api_keys, topics.pushes)

        def held() -> Mapping[TopicPartition, OpenTransaction]:
            return find_open(self.settings, reader, logs)

        with self._noting(Trouble.KAFKA_AWAY, "what Kafka holds"):
            return await within(ANSWER_SECONDS, lambda: view_kafka(reader, topics, fences, held))
        return None

    async def _reports(self, status: StatusReader, numbers: list[int]) -> list[ShardReport]:
        with self._noting(Trouble.REDIS_AWAY, "the state in Redis"):
            async with open_ledger(self.settings) as ledger:
                async with asyncio.timeout(CONNECT_SECONDS):
                    self._api_silence = None if self.asked.other_copy else await silence(ledger.shard(0))
                async with asyncio.timeout(2 * ANSWER_SECONDS):
                    return await status.read([ledger.shard(number) for number in numbers])
        return []

    async def _letters(self, reader: LogReader | None) -> DeadLetters | None:
        if reader is None or not self.asked.dead_letters:
            return None
        read: Callable[[], DeadLetters] = lambda: read_dead_letters(  # noqa: E731 - for another thread
            self.settings, most_records=self.asked.dead_letters
        )
        with self._noting(Trouble.KAFKA_AWAY, "the dead letters"):
            return await within(LETTERS_SECONDS, read)
        return None

    @contextmanager
    def _noting(self, away: Trouble, what: str) -> Iterator[None]:
        """What fails inside becomes a finding: a server that does not answer, or what else can't be read."""
        try:
            yield
        except (*_AWAY, *_KAFKA_AWAY) as error:
            self._note(Finding(away, detail=_words(error)))
        except (OpsError, KafkaError, RedisError, UnreadableBatchError, OSError) as error:
            self._note(Finding(Trouble.NOT_SEEN, None, {"what": what}, _words(error)))

    def _note(self, finding: Finding) -> None:
        if finding.trouble is Trouble.NOT_SEEN or finding.trouble not in {each.trouble for each in self.away}:
            self.away.append(finding)


async def look(settings: LedgerSettings, asked: StatusQuestion) -> System:
    """The system as of now."""
    return await Look(settings, asked).take()


def _words(error: BaseException) -> str:
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer in time"
    return (explain(error) if isinstance(error, Exception) else None) or f"{type(error).__name__}: {error}"
