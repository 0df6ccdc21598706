"""Decides which accepted events lagging summaries show. An event that was shown once stays shown."""

from dataclasses import dataclass
from math import inf

from local.stripe.store import StripeStore

_FACT = "summaries_shown"


@dataclass(frozen=True, slots=True)
class Shown:
    """The shown events: those accepted up to `until` (Unix seconds), and the first `always` events of all."""

    until: float = inf
    always: int = 0


EVERYTHING = Shown()


class Visibility:
    """Keeps the limit of shown events. It never moves back, even if the clock or the lag changes."""

    def __init__(self, store: StripeStore) -> None:
        self._store = store
        self._until = -inf
        self._always = int(store.fact(_FACT) or 0)

    def shown(self, now: float, lag: float) -> Shown:
        """Returns the events that are shown now; `now` and `lag` in seconds."""
        self._until = max(self._until, now - lag)
        return Shown(inf if lag == 0 else self._until, self._always)

    def settle(self, now: float, lag: float) -> None:
        """Freezes the number of shown events. Call it before the clock or the lag changes."""
        query = "SELECT coalesce(max(seq), 0) FROM meter_events WHERE received <= ?"
        (last,) = self._store.connection.execute(query, (self.shown(now, lag).until,)).fetchone()
        self._always = max(self._always, last)
        self._until = -inf
        self._store.remember(_FACT, str(self._always))
