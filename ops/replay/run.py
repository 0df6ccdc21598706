"""The replay itself: read, decide, publish, wait for the acknowledgement, note how far it is, keep the pace."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from aggregator.publisher import Message
from metering.reject import Reject
from ops.replay.deciding import Rules, decide
from ops.replay.progress import Part, Progress
from ops.replay.reading import Item

MOST_AT_ONCE = 1_000
BATCHES_PER_SECOND = 5


@dataclass(frozen=True, slots=True)
class ReplayPace:
    """At most `rate` events a second, in batches of a fifth of that. `wait` returns early, and True, on a stop."""

    rate: float
    wait: Callable[[float], bool]
    monotonic: Callable[[], float] = time.monotonic

    @property
    def batch(self) -> int:
        """Events that are published at once."""
        return max(1, min(MOST_AT_ONCE, int(self.rate / BATCHES_PER_SECOND)))


@dataclass(frozen=True, slots=True)
class Means:
    """What a replay acts with."""

    read: Callable[[Part, int], Iterator[list[Item]]]
    publish: Callable[[Sequence[Message]], None]
    save: Callable[[Progress], None]
    on_rejected: Callable[[str, Reject], None]
    on_progress: Callable[[Progress], None]
    clock: Callable[[], float] = time.time


def run(progress: Progress, rules: Rules, pace: ReplayPace, means: Means) -> bool:
    """Goes on from where the progress stands; False if it was stopped before the end.

    A batch is noted once Kafka has acknowledged all of it. What was sent and not noted is sent again, and is a
    duplicate then.
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
