"""Telephony services: what they publish, well-formed or not, once or twice, on the right partition or another."""

import asyncio
from dataclasses import dataclass
from random import Random

from aiokafka.errors import KafkaTimeoutError

from metering.meters import CATALOGUE
from metering.partition import partition_of
from metering.rfc3339 import from_unix
from tests.simulation.clock import WorldTime
from tests.simulation.kafka import Appending, SimulatedKafka
from tests.simulation.truth import Meant
from tests.support.usage_event import usage_record

METERS = 3
HOUR = 3600
BACKLOG_SHARE = 0.4  # of seeds: most events are days old, and belong to a period that can't be billed any more
OLDEST = 34 * 24 * HOUR
BROKEN = (
    b"",
    b"{",
    b'{"specversion":"1.0","id":"x","source":"s","type":"fax.send","subject":"a0","time":"2026-01-31T00:00:00Z"}',
)


@dataclass(slots=True)
class Workload:
    """Publishes `events` for some accounts, in bursts, over `seconds`."""

    kafka: SimulatedKafka
    time: WorldTime
    random: Random
    topic: str
    partitions: int
    accounts: tuple[str, ...]
    meant: dict[bytes, Meant]
    published: list[bytes]
    sent: int = 0
    meters: int = 0
    backlog: bool | None = None

    def __post_init__(self) -> None:
        """Some seeds know few accounts and meters, so that much happens to each."""
        self.accounts = self.accounts[: self.random.randint(1, len(self.accounts))]
        self.meters = self.random.randint(1, METERS)
        backlog = self.random.random() < BACKLOG_SHARE
        self.backlog = backlog if self.backlog is None else self.backlog

    async def run(self, events: int, seconds: float) -> None:
        """Publishes until all are acknowledged."""
        publishing: list[asyncio.Future[None]] = []
        while self.sent < events:
            await asyncio.sleep(self.random.expovariate(events / seconds / 4))
            burst = self.random.randint(1, 7)
            publishing += [asyncio.ensure_future(self._publish()) for _ in range(burst)]
        await asyncio.gather(*publishing)

    async def _publish(self) -> None:
        self.sent += 1
        value = self._value()
        account = self.meant[value].account if value in self.meant else self.random.choice(self.accounts)
        number = partition_of(account, self.partitions)
        if self.random.random() < 0.05:  # a client that hashes differently
            number = self.random.randrange(self.partitions)
        appending = Appending((self.topic, number), account.encode(), value)
        while True:
            try:
                await self.kafka.produce(appending)
            except KafkaTimeoutError:
                await asyncio.sleep(1.0)
            else:
                return

    def _value(self) -> bytes:
        chance = self.random.random()
        if chance < 0.06:
            return self.random.choice(BROKEN)
        if chance < 0.2 and self.published:
            return self.random.choice(self.published[-30:] if chance < 0.13 else self.published)
        return self._new_value()

    def _new_value(self) -> bytes:
        random = self.random
        meter, account = CATALOGUE[random.randrange(self.meters)], random.choice(self.accounts)
        quantity, time = random.randint(1, 5), self.time.now_ms() // 1000 - self._lateness()
        identity = (f"service-{random.randrange(2)}", f"{len(self.published)}")
        if random.random() < 0.02 and self.published:  # an id that is used again for something else
            identity = self.meant[random.choice(self.published)].identity
            account = next(meant.account for meant in self.meant.values() if meant.identity == identity)
        value = usage_record(
            source=identity[0],
            id=identity[1],
            type=meter.name,
            subject=account,
            time=from_unix(time),
            data={"quantity": quantity},
        )
        self.meant[value] = Meant(True, identity, account, meter.index, time, quantity)
        self.published.append(value)
        return value

    def _lateness(self) -> int:
        """Seconds, negative for the future: mostly small, sometimes at the bounds of what is counted."""
        chance = self.random.random()
        if self.backlog and chance < 0.7:
            return self.random.randint(0, 8 * 24 * HOUR)
        if chance < 0.55:
            return self.random.randint(0, 30)
        if chance < 0.8:
            return self.random.randint(0, 3 * HOUR)
        if chance < 0.9:
            return self.random.randint(0, OLDEST)
        return self.random.choice((OLDEST, -300)) + self.random.randint(-400, 400)
