"""Lagging summaries: which accepted events they show. What was shown once stays shown."""

from dataclasses import dataclass
from math import inf

from local.stripe.store import StripeStore

_FACT = "summaries_shown"


@dataclass(frozen=True, slots=True)
class Shown:
    """Events that were accepted up to `until` (Unix seconds), and the first `always` of all."""

    until: float = inf
    always: int = 0


EVERYTHING = Shown()


class Visibility:
    """A mark that never moves back, whatever happens to the clock and to the lag."""

    def __init__(self, store: StripeStore) -> None:
        self._store = store
        self._until = -inf
        self._always = int(store.fact(_FACT) or 0)

    def shown(self, now: float, lag: float) -> Shown:
        """What is shown now."""
        self._until = max(self._until, now - lag)
        return Shown(inf if lag == 0 else self._until, self._always)

    def settle(self, now: float, lag: float) -> None:
        """Keep what is shown by its number: the clock or the lag is about to change."""
        query = "SELECT coalesce(max(seq), 0) FROM meter_events WHERE received <= ?"
        (last,) = self._store.connection.execute(query, (self.shown(now, lag).until,)).fetchone()
        self._always = max(self._always, last)
        self._until = -inf
        self._store.remember(_FACT, str(self._always))
