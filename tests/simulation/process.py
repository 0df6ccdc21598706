"""What every simulated process has: a life, clocks, a way to Redis."""

import asyncio
from itertools import count
from random import Random

from ledger.shard import Ledger
from tests.simulation import names
from tests.simulation.clock import ProcessClock
from tests.simulation.loop import Owner
from tests.simulation.redis_server import SimulatedStore
from tests.simulation.world import World


class Process(Owner):
    """One life of a process. Everything that it knows is in here, and gone with it."""

    def __init__(self, world: World, name: str, random: Random) -> None:
        super().__init__(name)
        self.world = world
        self.random = random
        self.clock = ProcessClock(world.time, random.choice((0, 0, random.randint(-240_000, 240_000))))
        store = SimulatedStore(world.redis, world.network, world.trace, world.shown, name)
        self.ledger = Ledger(store, names.PREFIX, names.PARTITIONS)
        self._lives = count()

    def incarnation(self) -> str:
        """A nonce, from the seed."""
        return f"{self.name}-{next(self._lives)}"

    async def pause(self, seconds: float) -> None:
        """Waits."""
        await asyncio.sleep(seconds)
