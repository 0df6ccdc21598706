"""The troubles that only some seeds have, each with a stream of its own: `scenario.Hazard` says what they are."""

import asyncio
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from tests.simulation import clock_hazards, hostile, log_hazards, lost_tails, people_hazards, redis_hazards
from tests.simulation.operator import Operator
from tests.simulation.scenario import Hazard
from tests.simulation.world import World

Strike = Callable[[], None]

# How many seconds lie between two strikes on average, and what makes the striker.
OF_SERVERS: Mapping[Hazard, tuple[float, Callable[[World, Random], Strike]]] = {
    Hazard.REDIS_CLOCK: (6.0, redis_hazards.clock_jumps),
    Hazard.EVICTION: (6.0, redis_hazards.evicts),
    Hazard.LOST_USAGE: (8.0, lost_tails.usage_is_lost),
    Hazard.LOST_PUSHES: (8.0, lost_tails.pushes_are_lost),
    Hazard.HELD_OFFSETS: (6.0, log_hazards.offsets_are_held),
    Hazard.HOSTILE_RECORDS: (2.0, hostile.hostile_records),
    Hazard.AGGREGATOR_CLOCKS: (5.0, clock_hazards.aggregators_are_off),
    Hazard.WORKER_CLOCKS: (5.0, clock_hazards.workers_are_off),
    Hazard.BROKER_CLOCKS: (8.0, clock_hazards.brokers_are_ahead),
}
OF_PEOPLE: Mapping[Hazard, tuple[float, Callable[[Operator, Random], Strike]]] = {
    Hazard.REVOKED_KEYS: (4.0, people_hazards.keys_are_revoked),
    Hazard.CHANGING_FACTS: (3.0, people_hazards.facts_change),
}


async def strike_forever(world: World, operator: Operator) -> None:
    """All hazards of the seed, each in its own time, until this is cancelled."""
    servers = [_strike(world, each, OF_SERVERS, world) for each in OF_SERVERS if each in world.hazards]
    people = [_strike(world, each, OF_PEOPLE, operator) for each in OF_PEOPLE if each in world.hazards]
    await asyncio.gather(*servers, *people)


async def _strike(world: World, hazard: Hazard, makers: Mapping[Hazard, tuple[float, Any]], whom: Any) -> None:
    mean_seconds, make = makers[hazard]
    random = world.random(f"{hazard} strikes")
    strike = make(whom, random)
    while True:
        await asyncio.sleep(random.expovariate(1 / mean_seconds))
        world.happened[hazard] += 1
        strike()
