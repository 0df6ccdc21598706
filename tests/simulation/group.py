"""A consumer group's coordinator: who has which shards, and who only believes so."""

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, Protocol

from tests.simulation.loop import State, VirtualLoop
from tests.simulation.trace import Trace
from tests.simulation.weather import Weather

SLOW_SHARE = 0.3
SLOW_SECONDS = 6.0
SOON_SECONDS = 0.3


class Member(Protocol):
    """One life of a process in the group."""

    name: str
    state: State

    def told(self, shards: set[int]) -> Coroutine[Any, Any, None]:
        """Gives everything up and takes these shards."""
        ...


class Group:
    """Assigns shards anew whenever it is asked to. Who is paused is not told, and goes on believing."""

    def __init__(
        self, name: str, shards: int, loop: VirtualLoop, random: Random, weather: Weather, trace: Trace
    ) -> None:
        self._name = name
        self._shards = shards
        self._loop = loop
        self._random = random
        self._weather = weather
        self._trace = trace
        self._generation = 0
        self.members: list[Member] = []
        self.start: Callable[[Member, Coroutine[Any, Any, None]], None] = lambda member, work: None

    def rebalance(self) -> None:
        """Deals the shards out to those who answer."""
        self.members = [member for member in self.members if member.state is not State.DEAD]
        present = [member for member in self.members if member.state is State.RUNNING]
        if not present:
            return
        self._generation += 1
        dealt: dict[int, set[int]] = {at: set() for at in range(len(present))}
        for shard in range(self._shards):
            dealt[self._random.randrange(len(present))].add(shard)
        for at, member in enumerate(present):
            self._trace.say(self._name, f"{member.name} gets {sorted(dealt[at])}")
            self.start(member, self._tell(member, dealt[at], self._generation))

    async def _tell(self, member: Member, shards: set[int], generation: int) -> None:
        """Some learn of it only after a while, and go on as before until then."""
        slow = self._weather.chance(SLOW_SHARE)
        await asyncio.sleep(self._random.random() * (SLOW_SECONDS if slow else SOON_SECONDS))
        if generation == self._generation:  # else it learns of the next at once
            await member.told(shards)
