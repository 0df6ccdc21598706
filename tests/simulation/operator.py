"""The people of the platform: they map accounts to Stripe customers, late or wrongly at first, and make API keys."""

import asyncio
from collections.abc import Mapping
from hashlib import sha256

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
    """Writes the compacted topics. An account's anchor and subscription start stay what they were at first."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._random = world.random("operator")
        now = world.time.now_ms() // 1000
        self.facts: Mapping[str, Account] = {account: self._facts(now) for account in names.ACCOUNTS}
        self._next = 0

    def _facts(self, now: int) -> Account:
        random, hour = self._random, now // HOUR * HOUR
        anchor = random.choice((None, hour - random.randint(0, 60) * DAY - random.randint(0, 30) * HOUR))
        start = random.choice((None, None, now - random.randint(1, 5 * DAY)))
        return Account(anchor=anchor, subscription_start=start)

    async def run(self, seconds: float) -> None:
        """Everything that is done by hand in a storm."""
        for number in range(KEYS):
            key_hash = sha256(f"{self._world.seed}:{number}".encode()).hexdigest()
            self._world.key_hashes.append(key_hash)
            record = ApiKeyRecord(account=names.ACCOUNTS[0], created=0).to_json()
            await self._write(names.KEY_TABLE, key_hash, record)
        await asyncio.gather(*(self._care_for(account, seconds) for account in names.ACCOUNTS))

    async def map_all(self) -> None:
        """In the end everybody has a customer that Stripe knows."""
        for account in names.ACCOUNTS:
            await self._map(account)

    async def _care_for(self, account: str, seconds: float) -> None:
        random = self._random
        if random.random() < 0.4:
            await self._write(names.ACCOUNT_TABLE, account, self.facts[account].to_json())
            await asyncio.sleep(random.uniform(0, seconds / 2))
        await self._map(account, known=random.random() < 0.9)
        while random.random() < 0.3:
            await asyncio.sleep(random.uniform(0, seconds / 2))
            await self._map(account)

    async def _map(self, account: str, *, known: bool = True) -> None:
        self._next += 1
        customer = f"cus_{account}_{self._next}"
        if known:
            self._world.stripe.customers.add(customer)
        await self._write(
            names.ACCOUNT_TABLE, account, self.facts[account].model_copy(update={"customer": customer}).to_json()
        )

    async def _write(self, topic: str, name: str, value: bytes) -> None:
        appending = Appending((topic, partition_of(name, names.PARTITIONS)), name.encode(), value)
        while True:
            try:
                await self._world.kafka.produce(appending)
            except KafkaTimeoutError:
                await asyncio.sleep(0.5)
            else:
                return
