"""A log loses its acknowledged end (a power cut, an unclean election), and grows again under running processes.

What a shard has folded then lies in no log any more: the shard must stop, and count and bill nothing on. People put it
right as docs/operating/lost-logs.md says: they have a copy with the same offsets, or what there is now is all that
there is. They are quick: nothing else is lost, and no hours pass, before they have.
"""

from collections.abc import Callable
from random import Random

from ledger.keys import ShardKeys
from ledger.state import Log
from tests.simulation import names
from tests.simulation.kafka import Appending, PartitionLog, Record
from tests.simulation.truth import HOUR_MS, PAST_MS
from tests.simulation.weather import Server
from tests.simulation.world import World

MOST_LOST = 4
MENDED_SECONDS = (1.0, 6.0)
LATE_SECONDS = 10.0  # after a restoration: what was asked before may be answered late
FOLDED_SECONDS = 30.0  # after a rebuild: until then a shard may count less than Stripe was told


def usage_is_lost(world: World, random: Random) -> Callable[[], None]:
    """The usage log's end."""
    return LostTails(world, random, Log.USAGE).strike


def pushes_are_lost(world: World, random: Random) -> Callable[[], None]:
    """The push log's end."""
    return LostTails(world, random, Log.PUSHES).strike


class LostTails:
    """One kind of log."""

    def __init__(self, world: World, random: Random, kind: Log) -> None:
        self._world = world
        self._random = random
        self._kind = kind

    def strike(self) -> None:
        """Some of what is folded is lost; what producers send again takes its place."""
        shard = self._random.randrange(names.PARTITIONS)
        keys, place = ShardKeys(names.PREFIX, shard), (names.TOPIC_OF[self._kind], shard)
        log, fence = self._world.kafka.logs[place], self._world.redis.fence(keys, self._kind)
        folded = [record.offset for record in log.records if record.offset < fence]
        if not folded or log.pinned is not None or log.copy is not None:
            return
        if self._kind is Log.USAGE and self._world.shown.more(keys.fences, fence):
            return  # the shard is lost as well, and being folded anew: of what is gone from both, nobody can know
        lost = log.lose(self._random.choice(folded[-MOST_LOST:]))
        self._world.trace.say("HAZARD", f"{place} has lost {len(lost)} records, and ends at {log.next_offset}")
        for record in self._random.sample(lost, self._random.randint(0, len(lost))):
            self._land(place, record)
        self._world.mending.begins(shard)
        self._world.mending.expect(self._random.uniform(*MENDED_SECONDS), lambda: self._mend(shard, log))

    def _mend(self, shard: int, log: PartitionLog) -> None:
        place = (names.TOPIC_OF[self._kind], shard)
        if self._kind is Log.USAGE and self._random.random() < 0.5 and self._may_be_counted_again(log):
            self._world.mending.restart("aggregator")
            self._world.network.deliver_now(Server.REDIS)
            lost = log.give_up()
            self._world.trace.say("HAZARD", f"{place} has all that there is; {len(lost)} records are published again")
            self._world.void_copies()
            self._world.redis.clear(ShardKeys(names.PREFIX, shard))
            self._world.shown.starts_over(ShardKeys(names.PREFIX, shard).fences)
            self._world.loop.later(FOLDED_SECONDS, lambda: self._world.mending.ends(shard))
        else:
            lost = log.restore() if self._kind is Log.USAGE else log.restore()[:0]
            self._world.trace.say("HAZARD", f"{place} is restored")
            self._world.loop.later(LATE_SECONDS, lambda: self._world.mending.ends(shard))
        for record in lost:
            self._land(place, record)
        self._world.mending.restart("stripe")

    def _may_be_counted_again(self, log: PartitionLog) -> bool:
        """Whether what was counted would be counted again if it was published now: it may have grown too old."""
        now_ms = self._world.time.now_ms()
        times = [self._world.meant[r.value].time for r in log.acknowledged if r.value in self._world.meant]
        return all(now_ms - time * 1000 < PAST_MS - HOUR_MS for time in times)

    def _land(self, place: tuple[str, int], record: Record) -> None:
        self._world.kafka.land(Appending(place, record.key, record.value, record.headers))
