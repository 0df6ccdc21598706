"""The usage log's meaning, record by record: no batches, no sets, no hashes."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from metering.partition import partition_of
from metering.rfc3339 import from_unix
from tests.ledger.conftest import SHARD
from tests.ledger.folding import PARTITIONS
from tests.ledger.stored import Bucket
from tests.metering.events import Record, event

METERS = ("sms.send", "sms.receive", "voice.outbound", "voice.inbound", "voice.ai", "did.monthly")
WEEK_MS = 7 * 86_400_000
OLDEST_MS, EARLIEST_MS = 34 * 86_400_000, -300_000


def named(prefix: str, *, here: bool) -> str:
    """An account that belongs to the tests' shard, or to another."""
    return next(name for n in range(99) if (partition_of(name := f"{prefix}{n}", PARTITIONS) == SHARD) is here)


ACCOUNTS = (named("acme-", here=True), named("b.c:", here=True))
FOREIGN = named("foreign-", here=False)


@dataclass(frozen=True)
class Step:
    """One record: an event (`identity` None: garbage) and the time since the record before it."""

    identity: int | None
    account: str = ACCOUNTS[0]
    meter: int = 0
    quantity: int = 1
    late_seconds: int = 0
    gap_ms: int = 0
    jump: int = 1

    @property
    def event(self) -> tuple[int | None, str, int]:
        """What tells it from other events."""
        return self.identity, self.account, self.meter


@dataclass(frozen=True)
class Appended:
    """A step as it stands in the log."""

    step: Step
    offset: int
    append_ms: int

    @property
    def time(self) -> int:
        """The event's second."""
        return self.append_ms // 1000 - self.step.late_seconds

    @property
    def record(self) -> Record:
        """The record."""
        step = self.step
        if step.identity is None:
            return Record(self.offset, b"garbage", self.append_ms)
        value = event(
            id=str(step.identity),
            type=METERS[step.meter],
            subject=step.account,
            time=from_unix(self.time),
            data={"quantity": step.quantity},
        )
        return Record(self.offset, value, self.append_ms)


def append(steps: list[Step], first_ms: int, first_offset: int = 0) -> list[Appended]:
    """A log of these steps."""
    log, offset, append_ms = [], first_offset, first_ms
    for step in steps:
        append_ms = max(first_ms, append_ms + step.gap_ms)
        log.append(Appended(step, offset, append_ms))
        offset += step.jump
    return log


@dataclass
class Reference:
    """Folds one record at a time."""

    high_ms: int = 0
    units: Counter[Bucket] = field(default_factory=Counter)
    fates: Counter[str] = field(default_factory=Counter)
    seen: dict[tuple[int | None, str, int], int] = field(default_factory=dict)

    def fold(self, entry: Appended) -> None:
        """Decides the next record."""
        fate = self._fate(entry)
        self.fates["read"] += 1
        self.fates[fate] += 1
        if fate == "counted":
            step = entry.step
            self.seen[step.event] = self.high_ms // WEEK_MS
            if step.quantity:
                self.units[step.account, step.meter, entry.time // 3600] += step.quantity

    def _fate(self, entry: Appended) -> str:
        step = entry.step
        self.high_ms = max(self.high_ms, entry.append_ms)
        oldest_block = self.high_ms // WEEK_MS - 5
        if step.identity is None or not EARLIEST_MS <= self.high_ms - entry.time * 1000 <= OLDEST_MS:
            return "dead"
        if step.account not in ACCOUNTS:
            return "rerouted"
        return "duplicate" if self.seen.get(step.event, oldest_block - 1) >= oldest_block else "counted"

    @property
    def days(self) -> Counter[tuple[str, int, str]]:
        """Units by account, meter and day."""
        totals: Counter[tuple[str, int, str]] = Counter()
        for (account, meter, hour), units in self.units.items():
            totals[account, meter, f"{datetime.fromtimestamp(hour * 3600, UTC):%Y%m%d}"] += units
        return totals
