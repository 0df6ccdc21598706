"""Explains a row: its entries in the push log, and its events in the usage log."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from metering.bucket import start_of
from metering.counting import Counter
from metering.meters import BY_NAME
from metering.origin import Place
from metering.rfc3339 import from_unix
from ops.explain.bucket_walk import BucketWalk, CountedEvent, first_append_ms
from ops.explain.log_search import Progress
from ops.explain.row_search import Found, Story, tell
from ops.logs.order_log import read_folded, read_orders
from ops.logs.reader import Bounds, LogReader
from runtime.topics import TopicNames

CLOCKS_MS = 3600 * 1000  # milliseconds: a row is planned after its bucket has begun, but clocks may disagree


@dataclass(slots=True)
class Explanation:
    """A row, its entries in the push log, and the events that add up to its units.

    `lacking` says why the events do not add up to exactly the row's units; empty if they do.
    """

    story: Story
    events: Sequence[CountedEvent] = field(default_factory=deque)
    units: int = 0
    lacking: str = ""


class Explainer:
    """Reads both logs through one reader."""

    def __init__(self, reader: LogReader, topics: TopicNames, partitions: int, progress: Progress) -> None:
        self._reader = reader
        self._topics = topics
        self._partitions = partitions
        self._progress = progress
        self._orders = read_orders(reader, topics.quarantine)

    def explain(self, found: Found) -> Explanation:
        """Returns everything that both logs say about a row.

        Raises:
            OpsError: Kafka does not answer, or a record of the push log can't be decoded.
        """
        story, shard = Story(found), found.partition
        bounds = self._reader.bounds(self._topics.pushes)[shard]
        planned_ms = start_of(found.row.hour) * 1000 - CLOCKS_MS
        start = self._reader.offsets_at(self._topics.pushes, max(0, planned_ms))[shard]
        for records in self._reader.read(
            self._topics.pushes, shard, bounds.end if start is None else max(start, bounds.earliest), bounds.end
        ):
            tell(story, records)
            self._progress(f"push log {shard}: {records[-1].offset:,} of {bounds.end:,}")
        explanation = Explanation(story)
        self._add_events(explanation)
        return explanation

    def _add_events(self, explanation: Explanation) -> None:
        row, fence = explanation.story.found.row, explanation.story.usage_fence
        if fence is None:
            explanation.lacking = "the push log no longer has the record that the row was prepared by"
            return
        bucket = Counter(row.account, BY_NAME[row.meter].index, row.hour)
        shard = explanation.story.found.partition
        bounds = self._reader.bounds(self._topics.usage)[shard]
        if bounds.end < fence:
            explanation.lacking = f"the usage log ends at {bounds.end}, the row was planned at {fence}"
            return
        start = self._reader.offsets_at(self._topics.usage, first_append_ms(bucket))[shard]
        place = Place(self._topics.usage, shard)
        walk = BucketWalk(bucket, place, self._partitions, row.value)
        self._walk(walk, Bounds(max(bounds.earliest, fence if start is None else start), fence))
        if walk.total != row.end:
            # An event of this bucket may be a duplicate of one that another bucket counted.
            walk = BucketWalk(bucket, place, self._partitions, row.value, suspects=frozenset(walk.members))
            self._walk(walk, Bounds(bounds.earliest, fence))
        explanation.events, explanation.units = walk.events, walk.kept
        explanation.lacking = self._lacking(walk, row.end, bounds)

    def _walk(self, walk: BucketWalk, stretch: Bounds) -> None:
        if stretch.earliest >= stretch.end:
            return
        partition = walk.place.partition
        orders = self._orders.of(self._topics.usage, partition)
        for records in read_folded(self._reader, self._topics.usage, partition, *stretch, orders):
            walk.take(records)
            self._progress(f"usage log {walk.place.partition}: {records[-1].offset:,} of {stretch.end:,}")

    def _lacking(self, walk: BucketWalk, end: int, bounds: Bounds) -> str:
        if walk.total > end:
            return f"the log has {walk.total} units of the bucket where the shard had counted {end}: billing verify"
        if walk.kept > walk.units:
            return f"an event lies across the watermark {end - walk.units}: the events below bring {walk.kept} units"
        if walk.kept == walk.units:
            return ""
        gone = f"{walk.units - walk.kept} units are not in the usage log any more"
        if bounds.earliest == 0:
            return f"{gone}, though it is whole: billing verify"
        began = self._reader.begins_at(self._topics.usage, walk.place.partition, bounds)
        since = "nothing" if began is None else f"what was appended from {from_unix(began // 1000)} on"
        return f"{gone}: retention has left {since}"
