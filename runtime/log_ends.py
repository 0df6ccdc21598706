"""Where logs end: up to where they can be read, and up to where they are acknowledged."""

from collections.abc import Iterable
from copy import copy
from typing import NamedTuple

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_UNCOMMITTED

from runtime.async_consumer import AsyncConsumer


class LogEnd(NamedTuple):
    """The end of one log, as offsets.

    `stable` is the last stable offset: what lies below can be read. `high` is the high watermark: what lies below is
    acknowledged. They differ while a transaction is open: whatever follows its first record can't be read before it
    has ended.
    """

    stable: int
    high: int

    @property
    def held(self) -> bool:
        """Whether an open transaction holds records back."""
        return self.stable < self.high


async def high_watermarks(consumer: AsyncConsumer, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
    """The high watermarks of some partitions, as of now, by a client that reads what is committed.

    Such a client is only ever told last stable offsets. So a copy of its fetcher asks, which shares its connections
    and fetches nothing.
    """
    asker = copy(consumer._fetcher)  # noqa: SLF001 - aiokafka 0.14 ties the question to what a client may read
    asker._isolation_level = READ_UNCOMMITTED  # noqa: SLF001
    ends: dict[TopicPartition, int] = await asker.end_offsets(list(places), consumer._request_timeout_ms)  # noqa: SLF001
    return ends
