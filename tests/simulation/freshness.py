"""How fresh readers are told that a shard is: nothing that was acknowledged before that moment may be missing."""

from bisect import bisect_left

from tests.simulation import names
from tests.simulation.clock import WorldTime
from tests.simulation.kafka import SimulatedKafka
from tests.simulation.trace import Trace


class Freshness:
    """Compares what is shown with what the usage log holds beyond the fence, whether readers may read it yet or not."""

    def __init__(self, kafka: SimulatedKafka, time: WorldTime, trace: Trace, *, sees_held_offsets: bool) -> None:
        self._kafka = kafka
        self._time = time
        self._trace = trace
        self._sees_held_offsets = sees_held_offsets

    def shown(self, shard: int, fence: int, as_of_ms: int) -> None:
        """A reader was shown a shard that has counted up to a fence, as of a moment by some aggregator's clock."""
        if as_of_ms > self._time.now_ms() + self._time.most_ahead_ms:
            self._trace.fail(f"shard {shard} is shown as of {as_of_ms}, which is to come")
        log = self._kafka.logs[names.USAGE, shard]
        if not self._sees_held_offsets or log.copy is not None or fence < log.restored_to:
            return  # nobody could know of what was lost
        place = bisect_left(log.records, fence, key=lambda record: record.offset)
        if place < len(log.records):
            oldest = log.records[place]
            if as_of_ms > oldest.landed[1] + self._time.most_ahead_ms:
                lacks = f"lacks {oldest.offset}, acknowledged at {oldest.landed[1]}"
                self._trace.fail(f"shard {shard} is shown as of {as_of_ms}, and {lacks}")
