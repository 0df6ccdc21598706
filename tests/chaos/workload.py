"""The records to publish: drawn from a seed, without any client."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

from tests.chaos.poison import Bad, Poison
from tests.chaos.truth import METERS, Usage

LATE_HOURS = (1, 2, 26, 33 * 24)
LATE = 0.1
MOST_UNITS = 9
SHARED_IDS = 0.1
"""Of events, those that have another's id: a call's, for two meters or two accounts. Both are counted."""


class Workload:
    """Usage of some accounts, and records that can't be counted."""

    def __init__(self, random: Random, accounts: Sequence[str]) -> None:
        self._random = random
        self._accounts = accounts
        self._poison = Poison(random, accounts, self._name)
        self._made = 0
        self._last = ""
        self._used: set[tuple[str, ...]] = set()

    def usage(self, now: datetime) -> Usage:
        """The next event: of now, or late by up to 33 days."""
        random = self._random
        hours = random.choice(LATE_HOURS) if random.random() < LATE else 0
        account, meter = random.choice(self._accounts), random.choice(METERS)
        if random.random() >= SHARED_IDS or (self._last, meter, account) in self._used:
            self._last = self._name()
        usage = Usage(self._last, account, meter, random.randint(1, MOST_UNITS), now - timedelta(hours=hours))
        self._used.add(usage.identity)
        return usage

    def each_bad(self, now: datetime) -> list[Bad]:
        """One of every kind of record that can't be counted."""
        return self._poison.each(now)

    def bad(self, now: datetime) -> Bad:
        """A record that can't be counted."""
        return self._poison.draw(now)

    def _name(self) -> str:
        self._made += 1
        return f"u{self._made}"
