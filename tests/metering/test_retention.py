"""What a cut log closes: all that it has lost, and nothing that is young, whatever the reader's clock says."""

from dataclasses import dataclass, field
from random import Random

import pytest

from metering.limits import MAX_FUTURE_MS, MAX_PAST_MS
from metering.retention import (
    PUSHES_KEPT_SECONDS,
    REMEMBERED_SECONDS,
    USAGE_KEPT_SECONDS,
    pushes_closed_before,
    usage_closed_before,
)
from metering.rfc3339 import from_unix
from metering.span import DAY_SECONDS
from ops.verify.recount import Recount
from tests.metering.events import NOON, Record, event

HOUR, DAY = 3600, DAY_SECONDS


@pytest.mark.parametrize(
    ("begins", "newest", "now", "closed_until"),
    [
        (NOON - 72 * DAY, NOON, NOON, NOON - 37 * DAY),  # by its first record: nothing later can be cut
        (NOON - 60 * DAY, NOON, NOON, NOON - 35 * DAY),  # by its newest: nothing younger than 70 days can be
        (NOON, NOON, NOON, NOON - 35 * DAY),  # a quiet partition: the present is open
        (NOON, NOON, NOON + 36 * DAY, NOON - 34 * DAY + HOUR),  # and stays so for a clock that is ahead
        (NOON - 72 * DAY, NOON, NOON + 400 * DAY, NOON - 37 * DAY),
        (NOON - 72 * DAY, NOON, NOON - 400 * DAY, NOON - 37 * DAY),  # a clock that is behind is put right by the log
        (NOON - 69 * DAY, NOON - 69 * DAY, NOON, NOON - 70 * DAY + HOUR),  # an idle one: what was there is old
        (None, 0, NOON, NOON - 70 * DAY + HOUR),  # all of it was cut
        (None, 0, 0, None),
    ],
)
def test_what_a_cut_usage_log_closes(begins, newest, now, closed_until) -> None:
    """The hour of that moment, and all before it."""
    expected = 0 if closed_until is None else closed_until // HOUR + 1
    assert usage_closed_before(begins, newest, now) == expected


def test_what_a_cut_push_log_closes() -> None:
    """Twice as old, so that a clock that is months ahead closes no present."""
    assert pushes_closed_before(NOON) == (NOON - 140 * DAY + HOUR) // HOUR + 1
    assert pushes_closed_before(0) == 0
    assert PUSHES_KEPT_SECONDS == 2 * USAGE_KEPT_SECONDS


@dataclass
class Life:
    """A partition's whole log, with pauses, late events and repetitions, on request some under another time."""

    random: Random
    restamping: bool
    now: int = NOON
    log: list[Record] = field(default_factory=list)
    _events: list[tuple[int, int]] = field(default_factory=list)

    def live(self) -> None:
        """A year or two."""
        for _ in range(80):
            self.now += round(self.random.choice((0, 0.01, 1, 1, 3, 12, 30)) * self.random.random() * DAY)
            self._append(self._chosen())

    def _chosen(self) -> int:
        if self._events and self.random.random() < 0.4:
            return self.random.randrange(max(0, len(self._events) - 12), len(self._events))
        age = self.random.choice((-MAX_FUTURE_MS // 1000, 0, self.random.randint(0, MAX_PAST_MS // 1000)))
        self._events.append((self.now, self.now - age))
        return len(self._events) - 1

    def _append(self, name: int) -> None:
        """Appends the event again as long as it is remembered for sure, and never what would be rejected."""
        first, time = self._events[name]
        if self.restamping and self.random.random() < 0.5:
            time = self.now
        if self.now - first <= REMEMBERED_SECONDS and (self.now - time) * 1000 <= MAX_PAST_MS:
            value = event(id=str(name), time=from_unix(time))
            self.log.append(Record(len(self.log), value, self.now * 1000))

    def cut(self, idle: int) -> list[Record]:
        """What is left, that long after the last record, where retention has come as far as it likes."""
        self.now = self.log[-1].timestamp // 1000 + idle
        old = sum(record.timestamp // 1000 < self.now - USAGE_KEPT_SECONDS for record in self.log)
        return self.log[self.random.choice((old, old, self.random.randint(0, old))) :]


def counted(log: list[Record]) -> dict[int, int]:
    """Units by hour."""
    recount = Recount(0, 1)
    for record in log:
        recount.take(record)
    return {day * 24 + place: units for (_, day), places in recount.hours.items() for place, units in places.items()}


def check(seed: int, *, restamping: bool, most_idle: int, clock_off: int) -> None:
    """Lives, cuts, and compares what is left with what was."""
    random = Random(seed)  # noqa: S311
    life = Life(random, restamping)
    life.live()
    left = life.cut(random.randint(0, most_idle))
    begins = left[0].timestamp // 1000 if left else None
    newest = left[-1].timestamp // 1000 if left else 0
    closed_before = usage_closed_before(begins, newest, life.now + clock_off)
    before, after = counted(life.log), counted(left)
    for hour in before.keys() | after.keys():
        if hour >= closed_before:
            assert before.get(hour) == after.get(hour), (seed, from_unix(hour * HOUR))
    if clock_off == 0:
        assert closed_before <= (life.now - 35 * DAY) // HOUR + 1
    elif begins is not None:
        assert closed_before <= max(begins + HOUR, newest - 35 * DAY) // HOUR + 1


SEEDS = range(150)


@pytest.mark.parametrize("clock_off", [0, 36 * DAY])
@pytest.mark.parametrize("most_idle", [0, 100 * DAY])
def test_an_open_bucket_is_counted_as_it_was(most_idle: int, clock_off: int) -> None:
    """However quiet the partition, however far retention has come, however far ahead the reader's clock is."""
    for seed in SEEDS:
        check(seed, restamping=False, most_idle=most_idle, clock_off=clock_off)


@pytest.mark.parametrize("clock_off", [0, 400 * DAY, -400 * DAY])
def test_so_is_one_of_events_that_were_stamped_anew(clock_off: int) -> None:
    """A producer that repeats an id under another time is not billed for it, in a log that is in use."""
    for seed in SEEDS:
        check(seed, restamping=True, most_idle=0, clock_off=clock_off)
