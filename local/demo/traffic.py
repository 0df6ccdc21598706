"""Live traffic: a few billable actions a second, spread over the demo's accounts."""

import random
from collections.abc import Callable
from uuid import UUID

from local.demo.accounts import LIVE_ACCOUNTS
from local.demo.usage import Services

EVENTS_PER_SECOND = 4.0  # events a second, on average
LONGEST_PAUSE_SECONDS = 1.0  # seconds


class Traffic:
    """Chooses accounts, actions and times at random."""

    def __init__(self, services: Services, rng: random.Random) -> None:
        """`rng` makes the actions' ids, so it must not repeat itself in the next process."""
        self._rng = rng
        sms, voice = services.sms, services.voice
        self._actions: dict[Callable[[str, str], object], int] = {
            sms.sent: 40,
            sms.received: 25,
            voice.outbound: 15,
            voice.inbound: 10,
            voice.ai: 10,
        }

    def act(self) -> None:
        """Performs one billable action of one account.

        Raises:
            SpoolFullError, OSError: see `UsageEmitter.emit`.
        """
        (action,) = self._rng.choices(list(self._actions), list(self._actions.values()))
        action(self._rng.choice(LIVE_ACCOUNTS), str(UUID(int=self._rng.getrandbits(128), version=4)))

    def pause(self) -> float:
        """Returns the seconds until the next action."""
        return min(self._rng.expovariate(EVENTS_PER_SECOND), LONGEST_PAUSE_SECONDS)
