"""From an identifier to its row, its records and its events."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from metering.counting import Counter
from metering.meters import BY_NAME
from metering.rfc3339 import from_unix
from ops.errors import OpsError
from ops.explain.bucket_walk import BucketWalk, CountedEvent, first_append_ms
from ops.explain.row_search import Found, Story, rows_named, tell
from ops.log_reading import Bounds, LogReader
from runtime.topics import TopicNames

Progress = Callable[[str], None]


@dataclass(slots=True)
class Explanation:
    """A row, what the push log says of it, and the events that bring its units.

    `lacking`: why the events do not bring exactly the row's units; empty if they do.
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

    def explain(self, identifier: str, shards: Sequence[int], since_ms: int | None) -> Explanation:
        """Everything about a row.

        Args:
            identifier: its, or the beginning of it.
            shards: where to look.
            since_ms: only in records of the push log from this Unix millisecond on; None for all.

        Raises:
            OpsError: no row has it, or several have.
        """
        story = Story(self._find(identifier, shards, since_ms))
        shard = story.found.partition
        bounds = self._reader.bounds(self._topics.pushes)[shard]
        for records in self._reader.read(self._topics.pushes, shard, *bounds):
            tell(story, records)
            self._progress(f"push log {shard}: {records[-1].offset:,} of {bounds.end:,}")
        explanation = Explanation(story)
        self._add_events(explanation)
        return explanation

    def _find(self, identifier: str, shards: Sequence[int], since_ms: int | None) -> Found:
        found: dict[str, Found] = {}
        bounds = self._reader.bounds(self._topics.pushes)
        starts = {} if since_ms is None else self._reader.offsets_at(self._topics.pushes, since_ms)
        for shard in shards:
            held = bounds[shard]
            start = starts.get(shard, held.earliest)
            for records in self._reader.read(
                self._topics.pushes, shard, held.end if start is None else start, held.end
            ):
                found |= {each.identifier: each for each in rows_named(records, shard, identifier)}
                self._progress(f"push log {shard}: {records[-1].offset:,} of {held.end:,} searched")
        if len(found) > 1:
            raise OpsError(f"{identifier} is not enough: {', '.join(sorted(found)[:5])} begin so; write more of it")
        if not found:
            where = "all shards" if len(shards) == self._partitions else f"shard {', '.join(map(str, shards))}"
            raise OpsError(f"no row in the push log of {where} has an identifier that begins with {identifier}")
        (only,) = found.values()
        return only

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
        walk = BucketWalk(bucket, shard, self._partitions, row.value)
        self._walk(walk, Bounds(max(bounds.earliest, fence if start is None else start), fence))
        if walk.total != row.end:
            # An identity may have been counted in another bucket before, or a header may name a time that is not so.
            walk = BucketWalk(bucket, shard, self._partitions, row.value, suspects=frozenset(walk.members))
            self._walk(walk, Bounds(bounds.earliest, fence))
        explanation.events, explanation.units = walk.events, walk.kept
        explanation.lacking = self._lacking(walk, row.end, bounds)

    def _walk(self, walk: BucketWalk, stretch: Bounds) -> None:
        if stretch.earliest >= stretch.end:
            return
        for records in self._reader.read(self._topics.usage, walk.partition, *stretch):
            walk.take(records)
            self._progress(f"usage log {walk.partition}: {records[-1].offset:,} of {stretch.end:,}")

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
        began = self._reader.begins_at(self._topics.usage, walk.partition, bounds)
        since = "nothing" if began is None else f"what was appended from {from_unix(began // 1000)} on"
        return f"{gone}: retention has left {since}"
