"""Alive is what gets on: a process that is there, but folds nothing of what there is to fold, is to be restarted."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from aggregator.readiness import ShardLook
from ledger.state import Log
from runtime.monitor import Pulse


class Stand(NamedTuple):
    """A fence that has records beyond it, and since when it was seen there."""

    fence: int
    since: float


def next_stand(before: Stand | None, fence: int | None, end: int, now: float) -> Stand | None:
    """How long a fence has stood still for no good reason, after another look.

    Args:
        before: what the last look gave.
        fence: the offset to be folded next; None for a shard that is being cleared, which waits without fault.
        end: the end of what can be read of the log, as it was last known.
        now: seconds of a clock that only grows.
    """
    if fence is None or fence >= end:
        return None
    return before if before is not None and before.fence == fence else Stand(fence, now)


@dataclass(frozen=True, slots=True)
class _Place:
    shard: int
    log: Log


class Liveness(Pulse):
    """A pulse that also stops when an owned shard has records beyond its fence and the fence does not move.

    An idle process is alive. So is one with a log that is stopped: to start it anew would mend nothing, and hold up the
    others. What it can't learn (Redis or Kafka don't answer) it leaves as it was: a fence that had something to do
    stands still meanwhile, and looks that fail beat no pulse.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__(monotonic)
        self._now = monotonic
        self._stands: dict[_Place, Stand] = {}

    def shard(self, number: int, look: ShardLook) -> None:
        """Sees how a shard stands."""
        for log, end in look.ends.items():
            place = _Place(number, log)
            stand = next_stand(self._stands.pop(place, None), look.fences.get(log), end.stable, self._now())
            if stand is not None and log not in look.stops:
                self._stands[place] = stand

    def release(self, numbers: set[int]) -> None:
        """These shards are another process's to fold."""
        for place in [place for place in self._stands if place.shard in numbers]:
            del self._stands[place]

    def silent_seconds(self) -> float:
        """How long nothing went well, or not everything that should have."""
        now, stands = self._now(), list(self._stands.values())  # asked from the monitor's thread
        return max([super().silent_seconds(), *(now - stand.since for stand in stands)])
