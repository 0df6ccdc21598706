"""What befalls Redis beside flushes and failovers."""

from collections.abc import Callable
from random import Random

from ledger.keys import ShardKeys
from tests.simulation import names
from tests.simulation.weather import Server
from tests.simulation.world import World

POLICIES = ("volatile-lru", "allkeys-lru")
MOST_EVICTED = 4
NOTICED_SECONDS = (0.5, 5.0)


def clock_jumps(world: World, random: Random) -> Callable[[], None]:
    """NTP steps, a resumed virtual machine: the clock is far ahead, and expiry acts on it."""

    def strike() -> None:
        gone = world.redis.jump_ahead()
        world.trace.say("HAZARD", f"Redis' clock jumps ahead, and back: {gone} keys have expired")

    return strike


def evicts(world: World, random: Random) -> Callable[[], None]:
    """A default of a hosted Redis, a CONFIG SET, a promoted replica: until somebody sees it."""

    def chosen(keys: list[bytes]) -> list[bytes]:
        return random.sample(keys, min(len(keys), random.randint(1, MOST_EVICTED)))

    def strike() -> None:
        policy = random.choice(POLICIES)
        gone = world.redis.evict(policy, chosen)
        world.trace.say("HAZARD", f"Redis evicts by {policy}: {gone} keys are gone")
        world.mending.expect(random.uniform(*NOTICED_SECONDS), lambda: mend(world))

    return strike


def mend(world: World) -> None:
    """As docs/operating/evicting-redis.md says: the policy is set back, shards are rebuilt. No copy is worth more."""
    world.redis.keep_all()
    world.network.deliver_now(Server.REDIS)
    world.void_copies()
    for number in range(names.PARTITIONS):
        keys = ShardKeys(names.PREFIX, number)
        world.redis.clear(keys)
        world.shown.starts_over(keys.fences)
    world.trace.say("HAZARD", "Redis keeps what it has again, and every shard is rebuilt")
