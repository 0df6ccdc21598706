"""The people who look after rows: they ask Stripe's summaries, and order what the rules of `billing stripe` allow.

Each may be killed, or fall asleep with an order in hand, and what they append may land late or twice: the fold has to
see to it that an order which makes no sense any more changes nothing. Some are careless: they do not wait for the
hours that the fold asks for.
"""

import asyncio
from collections.abc import Iterator
from typing import Any, cast

import stripe
from aiokafka.errors import KafkaError
from redis.exceptions import RedisError

from ledger.pushes import read_accepted, read_accounts, read_parked
from ledger.reading import NotReadyError
from metering.deliveries import LoggedRow
from metering.push_fold import QUIET_MS, Parked
from metering.push_log import Order, ParkOrder, ReissueOrder, RetryOrder, WriteOffOrder, encode
from metering.row import Row
from ops.console.errors import OpsError
from ops.logs.reader import Bounds
from ops.stripe.delivered import find_rows
from ops.stripe.plan import Change, changed_row, check_absent, check_lacking, check_quiet
from tests.simulation import names
from tests.simulation.kafka import Appending, SimulatedKafka
from tests.simulation.process import Process
from tests.simulation.stripe import minute_of

PAUSE_SECONDS = 0.7
CARELESS_SHARE = 0.3
MISTAKES = (OpsError, NotReadyError, KafkaError, RedisError, TimeoutError, stripe.StripeError)


class LogShown:
    """A shard's push log as the commands read it."""

    def __init__(self, kafka: SimulatedKafka) -> None:
        self._kafka = kafka

    def read(self, topic: str, shard: int, start: int, end: int) -> Iterator[list[Any]]:
        """All that is there, in one batch."""
        yield [record for record in self._kafka.logs[topic, shard].records if start <= record.offset < end]


class Desk(Process):
    """One person's."""

    async def run(self) -> None:
        """Gives an order now and then, while there is a storm."""
        while not self.world.weather.is_calm:
            await asyncio.sleep(self.random.expovariate(1 / PAUSE_SECONDS))
            try:
                await self._look()
            except MISTAKES:
                continue

    async def _look(self) -> None:
        number, careless = self.random.randrange(names.PARTITIONS), self.random.random() < CARELESS_SHARE
        parked = await read_parked(self.ledger.shard(number))
        if parked and self.random.random() < 0.7:
            name = self.random.choice(sorted(parked))
            await self._care_for(number, name, parked[name], careless=careless)
        else:
            await self._park(number, careless=careless)

    async def _care_for(self, number: int, name: str, entry: Parked, *, careless: bool) -> None:
        words: Any = {"who": self.name, "why": "a decision"}
        chance = self.random.random()
        if chance < 0.4:
            await self._order(number, RetryOrder(identifier=name, **words))
        elif chance < 0.5:
            await self._order(number, WriteOffOrder(identifier=name, **words))
        else:
            new = await self._judged(number, name, entry, careless=careless)
            order = ReissueOrder(
                old=name, parked_ms=entry.parked_ms, namespace=names.IDENTITY.namespace, row=new, **words
            )
            await self._order(number, order)

    async def _judged(self, number: int, name: str, entry: Parked, *, careless: bool) -> Row:
        """The row that may take the old one's place: the summary has been seen to lack the old one."""
        shard, row, now_ms = self.ledger.shard(number), entry.row, self.world.time.now_ms()
        if not careless:
            check_quiet(entry.parked_ms, now_ms, "parked")
        account = (await read_accounts(shard, [row.account]))[row.account]
        change = Change(customer=account.customer, now=self.random.random() < 0.7)
        new = changed_row(row, change, account, now=now_ms // 1000, grace=names.GRACE_SECONDS)
        held = await self.world.stripe.units(self.name, row)
        without = await read_accepted(shard, row, name)
        if without is None:
            raise OpsError("somebody was faster")
        check_absent(entry, without, held)
        return new

    async def _park(self, number: int, *, careless: bool) -> None:
        """Looks for a delivered row that Stripe lacks, and orders to park it."""
        rows = [each for each in self._rows(number) if each.delivered_ms is not None]
        lost = [each for each in rows if each.identifier in self.world.stripe.lost]
        if not rows:
            return
        found = self.random.choice(lost or rows)
        delivered_ms, now_ms = cast("int", found.delivered_ms), self.world.time.now_ms()
        if not careless:
            check_quiet(delivered_ms, now_ms, "delivered")
        same = [each for each in rows if minute_of(each.row) == minute_of(found.row)]
        accepted = sum(each.row.value for each in same)
        fresh = sum(each.row.value for each in same if (each.delivered_ms or 0) > now_ms - QUIET_MS and not careless)
        held = await self.world.stripe.units(self.name, found.row)
        check_lacking(found.row, accepted, fresh, held)
        order = ParkOrder(
            namespace=found.namespace,
            row=found.row,
            prepared_ms=found.prepared_ms,
            delivered_ms=delivered_ms,
            who=self.name,
            why="the summary lacks it",
        )
        await self._order(number, order)

    def _rows(self, number: int) -> list[LoggedRow]:
        log = self.world.kafka.logs[names.PUSHES, number]
        reader = cast("Any", LogShown(self.world.kafka))
        held = Bounds(log.earliest, log.next_offset)
        return list(find_rows(reader, names.PUSHES, number, held, lambda _row, _name: True).values())

    async def _order(self, number: int, order: Order) -> None:
        """Appends it, sometimes long after it was thought of: an error leaves open whether it is in the log."""
        if self.random.random() < 0.3:
            await asyncio.sleep(self.random.expovariate(1 / 3))
        self.world.happened[type(order).__name__] += 1
        self.world.trace.say(self.name, f"orders {type(order).__name__}")
        value = encode(cast("Any", order))
        await self.world.kafka.produce(Appending((names.PUSHES, number), str(number).encode(), value))
