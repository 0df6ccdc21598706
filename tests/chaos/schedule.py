"""Which faults befall which process when: drawn from a seed alone, before anything runs."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from random import Random

MEAN_GAP_SECONDS = 2.5
AT_ONCE = {1: 6, 2: 3, 3: 1}  # how many processes are struck at one moment, and how likely that is
SHORT_FREEZE_SECONDS = (0.1, 5.0)
LONG_FREEZE_SECONDS = (10.5, 14.0)  # longer than a member's session of 10 s: others go on, and a zombie wakes up
LONG_FREEZES = 0.35  # of the members' freezes
DIES_FROZEN = 0.2
SET_BACK_SECONDS = (0.2, 12.0)
DEMOTED_SECONDS = (0.5, 5.0)

AGGREGATORS = ("aggregator-1", "aggregator-2")
STRIPE_WORKERS = ("stripe-sync-1", "stripe-sync-2")
REDIS, KAFKA, STRIPE = "redis", "kafka", "stripe-double"


class Action(StrEnum):
    """What is done to a process; the value is how the story tells it."""

    KILL = "kill -9"
    FREEZE = "SIGSTOP"
    RESTART = "SIGTERM"
    FLUSH = "FLUSHALL"
    SET_BACK = "kill -9, and an older append-only file"
    DEMOTE = "a failover, and the old master lives on as a replica"


_OF_MEMBERS = {Action.KILL: 3, Action.FREEZE: 4, Action.RESTART: 2}
_OF_SERVERS = {Action.KILL: 1, Action.FREEZE: 1}
_OF_REDIS = {Action.KILL: 2, Action.FREEZE: 2, Action.FLUSH: 3, Action.SET_BACK: 3, Action.DEMOTE: 2}

# Kafka is struck seldom: it takes seconds to come back, in which nothing else can go wrong.
_TARGETS = dict.fromkeys(AGGREGATORS + STRIPE_WORKERS, 4) | {REDIS: 5, KAFKA: 2, STRIPE: 3}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes:
        at: when, in seconds since the beginning.
        target: the service's name.
        action: what is done.
        seconds: how long a freeze or a demotion lasts; how far back Redis is set.
        dies: a frozen process is killed instead of woken up.
    """

    at: float
    target: str
    action: Action
    seconds: float = 0.0
    dies: bool = False

    def __str__(self) -> str:
        details = {
            Action.FREEZE: f" for {self.seconds:.1f} s" + (", then kill -9" if self.dies else ""),
            Action.DEMOTE: f" for {self.seconds:.1f} s",
            Action.SET_BACK: f" of {self.seconds:.1f} s ago",
        }
        return f"{self.target}: {self.action.value}{details.get(self.action, '')}"


def draw_faults(seed: int, seconds: float) -> list[Fault]:
    """The faults of a seed, by time; every freeze is over when the time is."""
    return list(_draw(Random(seed), seconds))  # noqa: S311


def _draw(random: Random, seconds: float) -> Iterator[Fault]:
    at = random.expovariate(1 / MEAN_GAP_SECONDS)
    while at < seconds:
        (number,) = random.choices(list(AT_ONCE), list(AT_ONCE.values()))
        struck = {random.choices(list(_TARGETS), list(_TARGETS.values()))[0] for _ in range(number)}
        for target in sorted(struck):
            yield _fault(random, at, target, seconds - at)
        at += random.expovariate(1 / MEAN_GAP_SECONDS)


def _fault(random: Random, at: float, target: str, left: float) -> Fault:
    weights = _OF_REDIS if target == REDIS else _OF_SERVERS if target in {KAFKA, STRIPE} else _OF_MEMBERS
    (action,) = random.choices(list(weights), list(weights.values()))
    if action is Action.FREEZE:
        member = target in AGGREGATORS + STRIPE_WORKERS
        long = random.random() < LONG_FREEZES and member
        span = random.uniform(*(LONG_FREEZE_SECONDS if long else SHORT_FREEZE_SECONDS))
        return Fault(at, target, action, min(span, left), dies=random.random() < DIES_FROZEN)
    if action is Action.DEMOTE:
        return Fault(at, target, action, min(random.uniform(*DEMOTED_SECONDS), left))
    return Fault(at, target, action, random.uniform(*SET_BACK_SECONDS) if action is Action.SET_BACK else 0.0)
