"""A broker: partitioned logs whose offsets may jump, whose clocks may step back, whose appends may land late."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random

from aiokafka.errors import KafkaTimeoutError

from tests.simulation.clock import WorldTime
from tests.simulation.network import Network
from tests.simulation.trace import Trace
from tests.simulation.weather import Server, Weather

Headers = Sequence[tuple[str, bytes]]
Place = tuple[str, int]
Content = tuple[bytes | None, bytes | None, tuple[tuple[str, bytes], ...]]


@dataclass(frozen=True, slots=True)
class Record:
    """What the log keeps; `timestamp` is the broker's, in Unix milliseconds. `landed` is true: (elapsed s, Unix ms)."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    landed: tuple[float, int]

    @property
    def content(self) -> Content:
        """What its producer wrote: key, value, headers."""
        return self.key, self.value, tuple(self.headers)


@dataclass(slots=True)
class PartitionLog:
    """One partition. `pinned` is the first offset of a transaction that is still open: readers stop there.

    `epoch` grows with every trouble in which what was read before may have changed: clients hear of it, and look back.
    `copy` is what was acknowledged, while the log itself has lost its end; `gone` are offsets that are lost for ever.
    `history` knows what compaction removed, `restored_to` how far a lost end was put back.
    """

    records: list[Record] = field(default_factory=list)
    earliest: int = 0
    next_offset: int = 0
    pinned: int | None = None
    clock_skew_ms: int = 0
    epoch: int = 0
    copy: list[Record] | None = None
    history: list[Record] = field(default_factory=list)
    gone: set[int] = field(default_factory=set)
    restored_to: int = 0
    _copied_to: int = 0

    @property
    def stable_end(self) -> int:
        """The last stable offset: how far committed readers may read."""
        return self.next_offset if self.pinned is None else self.pinned

    def read(self, start: int, most: int) -> list[Record]:
        """Some stable records from `start` on."""
        return [record for record in self.records if start <= record.offset < self.stable_end][:most]

    def compact(self, below: int, tombstones_before_ms: int = 0) -> None:
        """Keeps the last record of each key, but no tombstone from before then; nothing at or after `below` goes."""
        last = {record.key: record.offset for record in self.records}
        self.records = [
            each
            for each in self.records
            if each.offset >= below
            or (last[each.key] == each.offset and (each.value is not None or each.landed[1] >= tombstones_before_ms))
        ]

    @property
    def acknowledged(self) -> list[Record]:
        """All records whose producers were told that they are safe."""
        return self.records if self.copy is None else self.copy

    def lose(self, start: int) -> list[Record]:
        """The log's end is lost, though it was acknowledged, and what is appended next takes its place."""
        self.copy, self._copied_to = self.records, self.next_offset
        self.records = [record for record in self.records if record.offset < start]
        self.next_offset = start
        self.epoch += 1
        return [record for record in self.copy if record.offset >= start]

    def restore(self) -> list[Record]:
        """What was lost is put back in its place; gives what had been appended there meanwhile."""
        copy = self.copy or []
        strange = [record for record in self.records if record not in copy]
        self.records, self.next_offset = copy, self._copied_to
        self.copy, self.restored_to = None, self._copied_to
        self.epoch += 1
        return strange

    def give_up(self) -> list[Record]:
        """What there is now is all that there is; gives what is lost. No offset is given a second time."""
        lost = [record for record in self.copy or [] if record not in self.records]
        self.gone |= {record.offset for record in lost}
        self.copy, self.next_offset = None, max(self.next_offset, self._copied_to)
        self.epoch += 1
        return lost

    def cut(self, earliest: int) -> None:
        """Retention: what is older is gone."""
        self.earliest = max(self.earliest, earliest)
        self.records = [record for record in self.records if record.offset >= self.earliest]


@dataclass(frozen=True, slots=True)
class Appending:
    """A record on its way to a place."""

    place: Place
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class SimulatedKafka:
    """All topics. `gaps` names those into which transactional producers write: their offsets jump."""

    def __init__(self, time: WorldTime, network: Network, weather: Weather, random: Random, trace: Trace) -> None:
        self._time = time
        self._network = network
        self._weather = weather
        self._random = random
        self._trace = trace
        self.gaps: set[str] = set()
        self.logs: dict[Place, PartitionLog] = {}
        self._committed: dict[Place, int] = {}

    def create(self, topic: str, partitions: int) -> None:
        """Makes a topic."""
        self.logs |= {(topic, number): PartitionLog() for number in range(partitions)}

    async def produce(self, appending: Appending) -> int:
        """Appends with acks=all, and gives the offset.

        A KafkaTimeoutError leaves open whether the record is, or will be, in the log.
        """

        def land() -> int:
            offset = self.land(appending).offset
            if self._weather.chance(0.01):
                self.land(appending)
            return offset

        return await self._network.call(Server.APPEND, land, KafkaTimeoutError)

    async def bounds(self, places: Iterable[Place]) -> dict[Place, tuple[int, int]]:
        """Earliest and last stable offsets."""
        wanted = list(places)
        return await self._network.call(
            Server.KAFKA,
            lambda: {place: (self.logs[place].earliest, self.logs[place].stable_end) for place in wanted},
            KafkaTimeoutError,
        )

    async def high_watermarks(self, places: Iterable[Place]) -> dict[Place, int]:
        """The ends of what is acknowledged."""
        wanted = list(places)
        return await self._network.call(
            Server.KAFKA, lambda: {place: self.logs[place].next_offset for place in wanted}, KafkaTimeoutError
        )

    async def committed(self, places: Iterable[Place]) -> dict[Place, int]:
        """What the aggregators' group has committed; 0 for nothing."""
        wanted = list(places)
        return await self._network.call(
            Server.KAFKA, lambda: {place: self._committed.get(place, 0) for place in wanted}, KafkaTimeoutError
        )

    async def commit(self, offsets: dict[Place, int]) -> None:
        """Commits for the aggregators' group."""
        await self._network.call(Server.KAFKA, lambda: self._committed.update(offsets), KafkaTimeoutError)

    def land(self, appending: Appending) -> Record:
        """The record is in the log, at the broker's time."""
        topic, number = appending.place
        log = self.logs[appending.place]
        landed = (self._time.elapsed(), self._time.now_ms())
        stamp = landed[1] + log.clock_skew_ms
        record = Record(log.next_offset, stamp, appending.key, appending.value, tuple(appending.headers), landed)
        log.records.append(record)
        log.history.append(record)
        log.next_offset += 1
        if topic in self.gaps and self._weather.chance(0.1):
            log.next_offset += self._random.randint(1, 3)
        self._trace.say("kafka", f"{topic}-{number} @{record.offset} t={stamp} {(appending.value or b'')[:160]!r}")
        return record
