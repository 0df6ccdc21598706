"""What the logs amount to, recounted independently of the product: nothing here parses, hashes or folds like it does.

The workload says what it meant by each value that it produced; from that, and from the logs' order and append times,
follows everything that the product must come to.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from metering.push_fold import Parked, PushState, fold
from metering.push_log import ParkOrder, PushRecord, ReissueOrder, Settled, WriteOffOrder, decode
from metering.row import Row
from tests.simulation.kafka import PartitionLog, Record

PAST_MS = 34 * 24 * 3600 * 1000
FUTURE_MS = 5 * 60 * 1000
HOUR_MS = 3600 * 1000
BLOCK_MS = 7 * 24 * 3600 * 1000
BLOCKS_BEFORE = 5  # the dedupe window: the current block, and these

Bucket = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Meant:
    """A value as its producer meant it; `countable` is False for what is malformed."""

    countable: bool
    identity: tuple[str, str] = ("", "")  # of one account's meter
    account: str = ""
    meter: int = 0
    time: int = 0
    quantity: int = 0

    @property
    def whole_identity(self) -> tuple[object, ...]:
        """What an event is known by."""
        return (*self.identity, self.account, self.meter)


@dataclass(slots=True)
class Count:
    """A partition of the usage log up to an offset."""

    high_ms: int = 0
    read: int = 0
    counted: int = 0
    duplicate: int = 0
    rerouted: int = 0
    dead: set[int] = field(default_factory=set)
    wronged: set[int] = field(default_factory=set)  # of them, those that are dead by a wrong clock alone
    units: Counter[Bucket] = field(default_factory=Counter)
    seen: dict[tuple[object, ...], int] = field(default_factory=dict)  # the block in which an identity was counted

    def bucket_units(self) -> Counter[str]:
        """By the name that rows give a bucket."""
        return Counter({"|".join(map(str, bucket)): units for bucket, units in self.units.items()})


class UsageTruth:
    """One partition of the usage log. `home` is the partition that each account belongs to."""

    def __init__(self, log: PartitionLog, number: int, meant: Mapping[bytes, Meant], home: Mapping[str, int]) -> None:
        self._log = log
        self._number = number
        self._meant = meant
        self._home = home
        self._whole = Count()
        self._counted_records = 0
        self._epoch = 0

    def up_to(self, fence: int) -> Count:
        """The records below a fence."""
        count, records = Count(), self._log.acknowledged
        for record in records[: bisect_left(records, fence, key=lambda each: each.offset)]:
            self._add(count, record)
        return count

    def whole(self) -> Count:
        """All that has landed so far."""
        records = self._log.acknowledged
        if self._epoch != self._log.epoch:
            self._whole, self._counted_records, self._epoch = Count(), 0, self._log.epoch
        for record in records[self._counted_records :]:
            self._add(self._whole, record)
        self._counted_records = len(records)
        return self._whole

    def _add(self, count: Count, record: Record) -> None:
        count.read += 1
        count.high_ms = max(count.high_ms, record.timestamp)
        meant = self._meant.get(record.value or b"", Meant(countable=False))
        late_ms = count.high_ms - meant.time * 1000
        if not meant.countable or not -FUTURE_MS <= late_ms <= PAST_MS:
            count.dead.add(record.offset)
            if meant.countable and late_ms > PAST_MS and record.landed[1] - meant.time * 1000 < PAST_MS - HOUR_MS:
                count.wronged.add(record.offset)
        elif self._home[meant.account] != self._number:
            count.rerouted += 1
        elif _is_remembered(meant, count):
            count.duplicate += 1
        else:
            count.seen[meant.whole_identity] = count.high_ms // BLOCK_MS
            count.counted += 1
            count.units[meant.account, meant.meter, meant.time // 3600] += meant.quantity


def _is_remembered(meant: Meant, count: Count) -> bool:
    """A producer that uses an identity again after the dedupe window means another event."""
    return count.seen.get(meant.whole_identity, -BLOCKS_BEFORE) >= count.high_ms // BLOCK_MS - BLOCKS_BEFORE


class PushTruth:
    """One partition of the push log, folded by its reference."""

    def __init__(self, log: PartitionLog, usage: UsageTruth) -> None:
        self._log = log
        self._usage = usage
        self._state = PushState()
        self._folded = 0
        self._records: dict[int, PushRecord] = {}
        self.prepared_ms: dict[str, int] = {}
        self.settled_at: dict[str, tuple[float, int]] = {}
        self.delivered: dict[str, Row] = {}
        self.written_off: dict[str, Row] = {}

    def up_to(self, fence: int) -> PushState:
        """The records below a fence."""
        state = PushState(counted=self._usage.whole().bucket_units())
        for record in self._log.acknowledged:
            if record.offset < fence:
                fold(state, self._decoded(record), record.timestamp)
        return state

    def _decoded(self, record: Record) -> PushRecord:
        if record.offset not in self._records:
            self._records[record.offset] = decode(record.value or b"")
        return self._records[record.offset]

    def whole(self) -> PushState:
        """All that has landed; notes when each row was accepted by the log, and settled (true times)."""
        for record in self._log.acknowledged[self._folded :]:
            self._state.counted = self._usage.whole().bucket_units()
            decoded, flying, parked = self._decoded(record), dict(self._state.in_flight), dict(self._state.parked)
            fold(self._state, decoded, record.timestamp)
            settled = {name: entry.row for name, entry in flying.items() if name not in self._state.in_flight}
            self.settled_at |= dict.fromkeys(settled, record.landed)
            for name in self._state.in_flight:
                self.prepared_ms.setdefault(name, record.landed[1])
                self.settled_at.pop(name, None)
            self._follow(decoded, settled, parked, record.landed[1])
        self._folded = len(self._log.acknowledged)
        return self._state

    def _follow(self, record: PushRecord, settled: dict[str, Row], parked: dict[str, Parked], at_ms: int) -> None:
        """What became of a record's rows, told by what it changed."""
        match record:
            case Settled():
                self.delivered |= {name: row for name, row in settled.items() if name not in self._state.parked}
            case ParkOrder():
                for name in self._state.parked.keys() - parked.keys():
                    del self.delivered[name]  # nothing else may be taken back
            case WriteOffOrder():
                gone = parked.keys() - self._state.parked.keys()
                self.written_off |= {name: parked[name].row for name in gone}
            case ReissueOrder() if record.old in parked and record.old not in self._state.parked:
                name = record.row.identifier(record.namespace)
                self.prepared_ms[name] = at_ms
                self.written_off.pop(name, None)
            case _:
                return

    def accepted(self) -> Counter[str]:
        """What rows that were delivered, and not taken back, amount to by meter, minute and customer."""
        total: Counter[str] = Counter()
        for row in self.delivered.values():
            total[row.minute_key] += row.value
        return total
