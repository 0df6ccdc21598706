"""Which accounts claim which Stripe customer, over the whole platform: a customer belongs to one account.

A shard knows its own accounts only. So each worker reads the whole accounts topic, keeps what is claimed in memory,
and plans nothing for an account whose customer another account claims as well.
"""

import logging
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from aiokafka import TopicPartition
from pydantic import ValidationError

from metering.account import Account
from metering.partition import partition_of
from runtime.async_consumer import AsyncConsumer
from runtime.kafka import async_options
from runtime.record_batch import UnreadableBatchError
from runtime.settings import KafkaSettings

log = logging.getLogger(__name__)

POLL_MS = 1000

MayBill = Callable[[str, str], bool]
"""Whether an account may be billed under a customer: it is the account's and nobody else's."""


def anybody(_account: str, _customer: str) -> bool:
    """Where nobody claims anything."""
    return True


class Claims:
    """The accounts of each customer, as far as the topic was read."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._customers: dict[str, str] = {}
        self._accounts: defaultdict[str, set[str]] = defaultdict(set)
        self._first: dict[str, str] = {}  # who claimed a customer first
        self._moved: set[str] = set()

    def fold(self, partition: int, key: bytes | None, value: bytes | None) -> None:
        """Takes the next record of the topic. What no shard folds (unreadable, on a wrong partition) claims nothing."""
        try:
            account = (key or b"").decode()
            if not account or partition_of(account, self._partitions) != partition:
                return
            customer = None if value is None else Account.model_validate_json(value).customer
        except (ValidationError, UnicodeDecodeError):
            return
        before = self._customers.pop(account, None)
        if before is not None:
            self._accounts[before].discard(account)
        if customer is not None:
            self._customers[account] = customer
            self._accounts[customer].add(account)
            if self._first.setdefault(customer, account) != account:
                self._moved.add(customer)
            if len(self._accounts[customer]) > 1 and before != customer:
                log.error(
                    "customer %s is claimed by the accounts %s: none of them is billed until one gives it up",
                    customer,
                    ", ".join(sorted(self._accounts[customer])),
                )

    def is_sole(self, account: str, customer: str) -> bool:
        """Whether the customer is this account's and nobody else's."""
        return self._accounts.get(customer) == {account}

    def has_moved(self, customer: str) -> bool:
        """Whether several accounts have claimed the customer, one after the other too.

        The topic tells of a claim that was given up as long as rows may be asked about (`min.compaction.lag.ms`).
        """
        return customer in self._moved

    def disputed(self) -> dict[str, list[str]]:
        """Customers that several accounts claim, with these."""
        return {customer: sorted(names) for customer, names in self._accounts.items() if len(names) > 1}


class ClaimsReader:
    """Reads the accounts topic into `claims`: first all there is, then whatever comes."""

    def __init__(self, topic: str, settings: KafkaSettings, claims: Claims) -> None:
        self._places = [TopicPartition(topic, number) for number in range(settings.partitions)]
        self._claims = claims
        self._passed: set[tuple[TopicPartition, int | None]] = set()
        self._consumer = AsyncConsumer(
            pass_by=self._pass_by,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            **async_options(settings),
        )

    async def start(self) -> None:
        """Returns once everything that was there is read."""
        await self._consumer.start()
        self._consumer.assign(self._places)
        await self._consumer.seek_to_beginning(*self._places)
        ends = await self._consumer.end_offsets(self._places)
        while any([await self._is_behind(place, end) for place, end in ends.items()]):
            await self._read()

    async def run(self) -> None:
        """Reads on until cancelled."""
        while True:
            await self._read()

    async def stop(self) -> None:
        """Leaves Kafka."""
        await self._consumer.stop()

    async def _is_behind(self, place: TopicPartition, end: int) -> bool:
        return place not in self._consumer.unreadable and await self._consumer.position(place) < end

    def _pass_by(self, place: TopicPartition, unreadable: UnreadableBatchError) -> bool:
        """What no shard folds claims nothing: the batch's own shard is not ready, until a person has decided."""
        if (place, unreadable.start) not in self._passed:
            self._passed.add((place, unreadable.start))
            log.error("%s: who claims a customer in it is not known", unreadable.at(place.topic, place.partition))
        return True

    async def _read(self) -> None:
        for place in list(self._consumer.unreadable):  # where it ends was unsure, unless more follows it by now
            self._consumer.seek(place, await self._consumer.position(place))
        fetched: dict[TopicPartition, list[Any]] = await self._consumer.getmany(timeout_ms=POLL_MS)
        for place, records in fetched.items():
            for record in records:
                self._claims.fold(place.partition, record.key, record.value)
