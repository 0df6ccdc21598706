"""The people of the platform: they map accounts to Stripe customers, late or wrongly at first, and make API keys."""

import asyncio
from collections import defaultdict
from hashlib import sha256
from random import Random

from aiokafka.errors import KafkaTimeoutError

from metering.account import Account
from metering.api_key import ApiKeyRecord
from metering.partition import partition_of
from tests.simulation import names
from tests.simulation.kafka import Appending
from tests.simulation.world import World

DAY = 86_400
HOUR = 3600
KEYS = 3


class Operator:
    """Writes the compacted topics. Without a hazard, an account's anchor and subscription start never change."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._random = world.random("operator")
        now = world.time.now_ms() // 1000
        self._facts = {account: self._draw_facts(now) for account in names.ACCOUNTS}
        self._next = 0
        self._customers: defaultdict[str, list[str | None]] = defaultdict(lambda: [None])

    def _draw_facts(self, now: int) -> Account:
        random, hour = self._random, now // HOUR * HOUR
        anchor = random.choice((None, hour - random.randint(0, 60) * DAY - random.randint(0, 30) * HOUR))
        start = random.choice((None, None, now - random.randint(1, 5 * DAY)))
        return Account(anchor=anchor, subscription_start=start)

    async def run(self, seconds: float) -> None:
        """Everything that is done by hand in a storm."""
        for _ in range(KEYS):
            await self.create_key()
        await asyncio.gather(*(self._care_for(account, seconds) for account in names.ACCOUNTS))

    async def map_all(self) -> None:
        """In the end everybody has a customer that Stripe knows."""
        for account in names.ACCOUNTS:
            await self._map(account)

    async def create_key(self) -> None:
        """A customer gets another key."""
        key_hash = sha256(f"{self.world.seed}:{len(self.world.key_hashes)}".encode()).hexdigest()
        self.world.key_hashes.append(key_hash)
        await self._write(names.KEY_TABLE, key_hash, ApiKeyRecord(account=names.ACCOUNTS[0], created=0).to_json())

    async def revoke(self, key_hash: str) -> None:
        """A key opens nothing any more, once this is acknowledged and folded."""
        self.world.shown.revokes(key_hash)
        await self._write(names.KEY_TABLE, key_hash, None)

    async def _care_for(self, account: str, seconds: float) -> None:
        random = self._random
        if random.random() < 0.4:
            await self._write(names.ACCOUNT_TABLE, account, self._facts[account].to_json())
            await asyncio.sleep(random.uniform(0, seconds / 2))
        await self._map(account, known=random.random() < 0.9)
        while random.random() < 0.3:
            await asyncio.sleep(random.uniform(0, seconds / 2))
            await self._map(account)

    async def _map(self, account: str, *, known: bool = True) -> None:
        self._next += 1
        customer = f"cus_{account}_{self._next}"
        if known:
            self.world.stripe.customers.add(customer)
        self._customers[account].append(customer)
        await self._write_account(account)

    async def change_facts(self, account: str, facts: Account) -> None:
        """Another anchor, another start; the customer stays."""
        self._facts[account] = facts
        await self._write_account(account)

    async def map_back(self, account: str, random: Random) -> None:
        """An account has a customer again that it had before, or none."""
        self._customers[account].append(random.choice(self._customers[account]))
        await self._write_account(account)

    async def _write_account(self, account: str) -> None:
        record = self._facts[account].model_copy(update={"customer": self._customers[account][-1]})
        await self._write(names.ACCOUNT_TABLE, account, record.to_json())

    async def _write(self, topic: str, name: str, value: bytes | None) -> None:
        if value is not None:
            self.world.tables.written.add(value)
        appending = Appending((topic, partition_of(name, names.PARTITIONS)), name.encode(), value)
        while True:
            try:
                await self.world.kafka.produce(appending)
            except KafkaTimeoutError:
                await asyncio.sleep(0.5)
            else:
                return
