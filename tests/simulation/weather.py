"""How likely which fault is: drawn anew for each seed, so that some seeds have many of one kind and none of another."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from random import Random

from tests.simulation.loop import Owner
from tests.simulation.scenario import Scenario


class Server(Enum):
    """Who is called."""

    REDIS = auto()
    KAFKA = auto()
    """Questions to it."""
    APPEND = auto()
    """Kafka as well: an append may be in the log, or get there, though its producer has given up."""
    STRIPE = auto()


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one call; times in virtual seconds. `patience` None: the caller waits for the reply."""

    there: float
    back: float
    patience: float | None = None
    request_lost: bool = False
    reply_lost: bool = False


@dataclass(slots=True)
class Odds:
    """Of one server's calls: how often each fault befalls them, and how long a leg takes (seconds, mean)."""

    lost_request: float = 0.0
    lost_reply: float = 0.0
    late: float = 0.0
    crash: float = 0.0
    pause: float = 0.0
    leg: float = 0.005


PATIENCE_SECONDS = {Server.REDIS: 2.0, Server.KAFKA: 4.0, Server.APPEND: 4.0, Server.STRIPE: 6.0}
LATE_SECONDS = 20.0
CALM_LEG_SECONDS = 0.004


class Weather:
    """Decides every fault that befalls a call. After `calm` there are none."""

    def __init__(self, random: Random, scenario: Scenario) -> None:
        self._random = random
        self.strikes: Callable[[Owner, Server, bool], None] | None = None
        self.away: set[Server] = set()
        violence = random.choice((0.05, 0.2, 0.6))
        self._violence = violence if scenario.violence is None else scenario.violence
        self._odds = {server: self._draw() for server in Server}
        late = 3 * self._odds[Server.APPEND].late
        self._odds[Server.APPEND].late = late if scenario.late_appends is None else scenario.late_appends
        stripe = self._odds[Server.STRIPE]
        stripe.leg = stripe.leg if scenario.stripe_leg is None else scenario.stripe_leg
        self._calm = False

    def _draw(self) -> Odds:
        often = self._random.choice

        def pick() -> float:
            return self._violence * self._random.random()

        return Odds(
            lost_request=often((0, 0, 0.01, 0.05)) * pick(),
            lost_reply=often((0, 0.02, 0.05, 0.15)) * pick(),
            late=often((0, 0.02, 0.1, 0.3)) * pick(),
            crash=often((0, 0.002, 0.01, 0.03)) * pick(),
            pause=often((0, 0.002, 0.01, 0.03)) * pick(),
            leg=often((0.002, 0.01, 0.05)),
        )

    def calm(self) -> None:
        """From now on every call is answered soon."""
        self._calm = True
        self.away.clear()

    @property
    def is_calm(self) -> bool:
        """True once faults have stopped."""
        return self._calm

    def fate_of(self, server: Server) -> Fate:
        """What becomes of the next call."""
        odds, random = self._odds[server], self._random
        if self._calm:
            return Fate(CALM_LEG_SECONDS * random.random(), CALM_LEG_SECONDS * random.random())
        there, back = odds.leg * random.expovariate(1), odds.leg * random.expovariate(1)
        patience, late = PATIENCE_SECONDS[server], random.uniform(0, LATE_SECONDS)
        if server in self.away:
            return Fate(there, back, patience=there, request_lost=True)
        chance = random.random()
        for share, fate in (
            (odds.lost_request, Fate(there, back, patience, request_lost=True)),
            (odds.lost_reply, Fate(there, back, there + back, reply_lost=True)),
            (odds.late, Fate(late, back, patience)),
        ):
            if chance < share:
                return fate
            chance -= share
        return Fate(min(there, patience / 3), min(back, patience / 3))

    def strike(self, owner: Owner | None, server: Server) -> None:
        """Crashes or pauses a process in the middle of a call, sometimes."""
        if owner is None or self.strikes is None or self._calm:
            return
        odds, chance = self._odds[server], self._random.random()
        if chance < odds.crash:
            self.strikes(owner, server, True)
        elif chance < odds.crash + odds.pause:
            self.strikes(owner, server, False)

    def chance(self, share: float) -> bool:
        """True in that share of cases, while there are faults at all."""
        return not self._calm and self._random.random() < share
