"""The replay itself: read, decide, publish, wait for the acknowledgement, save the progress, keep the pace."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from aggregator.publisher import Message
from metering.reject import Reject
from ops.replay.deciding import Rules, decide
from ops.replay.progress import Part, Progress
from ops.replay.reading import Item

MOST_AT_ONCE = 1_000  # events
BATCHES_PER_SECOND = 5  # batches


@dataclass(frozen=True, slots=True)
class ReplayPace:
    """At most `rate` events a second, in batches of a fifth of that. `wait` returns early, and True, on a stop."""

    rate: float
    wait: Callable[[float], bool]
    monotonic: Callable[[], float] = time.monotonic

    @property
    def batch(self) -> int:
        """Returns the number of events that are published at once."""
        return max(1, min(MOST_AT_ONCE, int(self.rate / BATCHES_PER_SECOND)))


@dataclass(frozen=True, slots=True)
class Means:
    """The functions with which a replay reads, publishes, saves and reports."""

    read: Callable[[Part, int], Iterator[list[Item]]]
    publish: Callable[[Sequence[Message]], None]
    save: Callable[[Progress], None]
    on_rejected: Callable[[str, Reject], None]
    on_progress: Callable[[Progress], None]
    clock: Callable[[], float] = time.time


def run(progress: Progress, rules: Rules, pace: ReplayPace, means: Means) -> bool:
    """Continues from the given progress. Returns False if it was stopped before the end.

    The progress is saved after Kafka has acknowledged a whole batch. If the process dies in between, the resumed replay
    sends that batch again; the aggregator counts the second copies as duplicates.
    """
    for part in progress.parts:
        for items in means.read(part, pace.batch):
            begun = pace.monotonic()
            decided = decide(items, rules, int(means.clock() * 1000))
            if decided.messages:
                means.publish(decided.messages)
            for place, reject in decided.rejected:
                means.on_rejected(place, reject)
            part.next = items[-1].next
            progress.sent += len(decided.messages)
            reasons = Counter(reject.reason.value for _, reject in decided.rejected)
            progress.rejected = dict(Counter(progress.rejected) + reasons)
            means.save(progress)
            means.on_progress(progress)
            left = begun + len(decided.messages) / pace.rate - pace.monotonic()
            if pace.wait(max(left, 0.0)):
                return False
        part.next = max(part.next, part.end)
    return True
