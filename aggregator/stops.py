"""The logs that this process can't fold on: each rests while all others go on, and is tried again now and then."""

import logging
import time
from collections.abc import Callable, Set

from aiokafka import TopicPartition

from metering.stop import ShardStoppedError, Stop, StopReason

log = logging.getLogger(__name__)

# A log that was put back, and a server that keeps what it has again: no record tells of it.
MENDED_ELSEWHERE = {StopReason.LOG_LOST, StopReason.UNSAFE_SERVER}

TRY_SECONDS = 5.0  # soon after it was mended, and seldom enough that nobody else notices


class Stops:
    """Bookkeeping. `standing` has the stopped logs of the partitions that this process holds.

    A log rests from its stop to its next try. It goes on once something of it is folded. What was put right somewhere
    else than in the log's next record (`MENDED_ELSEWHERE`) may leave nothing to be folded: such a log goes on once a
    try has found its position and met nothing wrong since.
    """

    def __init__(self, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        """`now_ms` gives Unix milliseconds."""
        self._now_ms = now_ms
        self.standing: dict[TopicPartition, Stop] = {}
        self._resting: set[TopicPartition] = set()
        self._found: set[TopicPartition] = set()  # logs mended elsewhere that were found at the look before
        self._told: dict[TopicPartition, tuple[str, int]] = {}

    def stop(self, tp: TopicPartition, error: ShardStoppedError) -> None:
        """A log can't be folded on; says so once, however often it is tried."""
        before, cause = self.standing.get(tp), (error.reason, error.offset)
        same = before is not None and (before.reason, before.offset) == cause
        since_ms = before.since_ms if before is not None and same else self._now_ms()
        self.standing[tp] = Stop(error.reason.value, error.offset, error.end, str(error), since_ms)
        self._resting.add(tp)
        self._found.discard(tp)
        if self._told.get(tp) != cause:
            self._told[tp] = cause
            log.error("stopped, and tried again every %g s: %s", TRY_SECONDS, error)

    def found(self, tp: TopicPartition, fence: int, told: Stop | None) -> None:
        """A log's position was found: at this fence, where Redis may tell of a stop that another process has met."""
        stop = self.standing.get(tp) or told
        if stop is not None and stop.stands_at(fence):
            self.standing[tp] = stop
            self._resting.discard(tp)
        else:
            self.go_on(tp)

    def go_on(self, tp: TopicPartition) -> None:
        """Something of a log was folded, or nothing is wrong with it any more."""
        self._resting.discard(tp)
        self._found.discard(tp)
        if self.standing.pop(tp, None) is not None:
            self._told.pop(tp, None)
            log.warning("%s-%d goes on", tp.topic, tp.partition)

    def release(self, tps: Set[TopicPartition]) -> None:
        """These partitions are somebody else's to fold."""
        for tp in tps:
            self.standing.pop(tp, None)
        self._resting -= tps
        self._found -= tps

    def rests(self, tp: TopicPartition) -> bool:
        """Whether a log waits for its next try."""
        return tp in self._resting

    def due(self) -> set[TopicPartition]:
        """Looks at all stops, every `TRY_SECONDS`; gives the logs that are to be tried now."""
        mended = {tp for tp, stop in self.standing.items() if stop.reason in MENDED_ELSEWHERE} - self._resting
        for tp in mended & self._found:
            self.go_on(tp)
        self._found = mended & self.standing.keys()
        return set(self._resting)
