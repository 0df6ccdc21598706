"""A customer at the dashboard: the API's reader, asked again and again."""

import asyncio
from typing import Any

from redis.exceptions import RedisError

from api.endpoints.usage import UsageReader
from api.reading.shards import shard_of
from ledger.reading import NotReadyError, find_key
from tests.simulation import names
from tests.simulation.process import Process


class Reader(Process):
    """A customer who looks at the current period again and again, and signs in with a key before."""

    async def run(self) -> None:
        """Reads for ever."""
        reader = UsageReader(self.ledger, lambda: self.clock.now_ms() / 1000)
        while True:
            await asyncio.sleep(0.2 + self.random.random())
            try:
                if self.random.random() < 0.2:
                    await self._sign_in()
                else:
                    await self._look(reader, self.random.choice(names.ACCOUNTS))
            except (NotReadyError, RedisError):
                continue

    async def _look(self, reader: UsageReader, account: str) -> None:
        before = self.world.shown.usage(account)
        totals = await reader.current(account)
        kept: Any = reader._queries._kept
        self.world.shown.saw_usage(account, kept[account].span, totals.units, before)

    async def _sign_in(self) -> None:
        key_hash = self.random.choice(self.world.key_hashes)
        known, gone = self.world.shown.knows_key(key_hash), self.world.shown.is_gone(key_hash)
        record = await find_key(shard_of(self.ledger, key_hash), key_hash)
        self.world.shown.saw_key(key_hash, found=record is not None, known=known, gone=gone)
