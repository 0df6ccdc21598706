"""What befalls the usage log beside the loss of its end."""

from collections.abc import Callable
from random import Random

from tests.simulation import names
from tests.simulation.world import World

HELD_SECONDS = (2.0, 10.0)
HELD_HOURS = (0, 1, 3)


def offsets_are_held(world: World, random: Random) -> Callable[[], None]:
    """A foreign producer begins a transaction, and hangs."""

    def strike() -> None:
        number = random.randrange(names.PARTITIONS)
        log, seconds = world.kafka.logs[names.USAGE, number], random.uniform(*HELD_SECONDS)
        if log.pinned is not None or log.copy is not None:
            return
        world.trace.say("HAZARD", f"usage-{number}: a transaction is open from {log.next_offset} on")
        log.pinned = log.next_offset
        log.next_offset += 1
        world.loop.later(seconds, lambda: setattr(log, "pinned", None))
        if hours := random.choice(HELD_HOURS):
            world.loop.later(random.uniform(0, seconds), lambda: world.leap(hours * 3600))

    return strike
