"""Clocks that are hours or days off, until somebody sets them right: an aggregator's, a Stripe worker's, a broker's."""

from collections.abc import Callable
from random import Random

from tests.simulation import names
from tests.simulation.loop import State
from tests.simulation.world import World

HOUR_MS = 3_600_000
OFF_HOURS = (-72, -26, -3, 1, 3, 23, 26, 36 * 24)
AHEAD_HOURS = (1, 3, 26, 20 * 24, 60 * 24)
WRONG_SECONDS = (1.0, 8.0)
STAMPING_SECONDS = (0.05, 1.0)


def aggregators_are_off(world: World, random: Random) -> Callable[[], None]:
    """An aggregator's machine."""
    return lambda: _set_off(world, random, "aggregator")


def workers_are_off(world: World, random: Random) -> Callable[[], None]:
    """A Stripe worker's machine."""
    return lambda: _set_off(world, random, "stripe")


def brokers_are_ahead(world: World, random: Random) -> Callable[[], None]:
    """A broker stamps some records of the usage log, or of the push log, with times that are to come."""

    def strike() -> None:
        place = (random.choice((names.USAGE, names.USAGE, names.PUSHES)), random.randrange(names.PARTITIONS))
        log, hours = world.kafka.logs[place], random.choice(AHEAD_HOURS)
        before, log.clock_skew_ms = log.clock_skew_ms, hours * HOUR_MS
        world.trace.say("HAZARD", f"{place}: the broker's clock is {hours} hours ahead")
        world.loop.later(random.uniform(*STAMPING_SECONDS), lambda: setattr(log, "clock_skew_ms", min(before, 600_000)))

    return strike


def _set_off(world: World, random: Random, kind: str) -> None:
    lives = [life for life in world.lives.values() if life.name.startswith(kind) and life.state is State.RUNNING]
    if lives:
        life, hours = random.choice(lives), random.choice(OFF_HOURS)
        world.trace.say("HAZARD", f"{life.name}: its clock is {hours} hours off")
        life.clock.set_off(hours * HOUR_MS)
        world.loop.later(random.uniform(*WRONG_SECONDS), lambda: life.clock.set_off(0))
