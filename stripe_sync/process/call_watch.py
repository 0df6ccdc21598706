"""Whether calls to Stripe fail, and how: of the last minute's, and only while most of them do."""

from collections import Counter, deque
from collections.abc import Callable

from metering.outcome import Ambiguous, Outcome, RetryLater
from metering.troubles.finding import Finding
from metering.troubles.names import Trouble

WINDOW_SECONDS = 60.0
LEAST_FAILURES = 3  # a rate limit now and then is no trouble
MOST_KINDS = 3
MOST_CALLS = 10_000  # that are remembered


class CallWatch:
    """Sees what became of each call. `monotonic` gives seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._calls: deque[tuple[float, str]] = deque(maxlen=MOST_CALLS)

    def see(self, outcome: Outcome) -> None:
        """A call has ended. Its kind is the reason up to the first colon: what follows is about the one call."""
        kind = outcome.reason.partition(":")[0] if isinstance(outcome, RetryLater | Ambiguous) else ""
        self._calls.append((self._monotonic(), kind))

    def wrong(self, shard: int) -> list[Finding]:
        """A finding for each kind of failure; it is about the whole process."""
        while self._calls and self._monotonic() - self._calls[0][0] > WINDOW_SECONDS:
            self._calls.popleft()
        kinds = Counter(kind for _, kind in self._calls if kind)
        if kinds.total() < LEAST_FAILURES or 2 * kinds.total() <= len(self._calls):
            return []
        return [
            Finding(Trouble.CALLS_FAIL, shard, {"calls": calls, "kind": kind})
            for kind, calls in kinds.most_common(MOST_KINDS)
        ]
