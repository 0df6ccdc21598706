"""The bookkeeping of stopped logs: when they are tried again, when they are over, and what is said of them."""

import logging

import pytest
from aiokafka import TopicPartition

from aggregator.stops import Stops
from metering.stop import ShardStoppedError, Stop, StopReason

USAGE, OTHER = TopicPartition("usage.events", 3), TopicPartition("usage.events", 4)
UNREADABLE = ShardStoppedError(StopReason.UNREADABLE_BATCH, 100, "usage.events-3 can't be read at 100", end=105)
LOST = ShardStoppedError(StopReason.LOG_LOST, 100, "usage.events-3 was truncated")
UNSAFE = ShardStoppedError(StopReason.UNSAFE_SERVER, 100, "shard 3: Redis evicts keys")
STOP = Stop("unreadable_batch", 100, 105, "usage.events-3 can't be read at 100", 1000)


class Bench:
    """Stops on a clock to be set."""

    def __init__(self) -> None:
        self.now_ms = 1000
        self.stops = Stops(lambda: self.now_ms)

    def tried(self, fence: int, told: Stop | None = None) -> None:
        """The log is tried, and its position is found."""
        assert self.stops.due() == {USAGE}
        self.stops.found(USAGE, fence, told)


@pytest.fixture
def bench() -> Bench:
    """A process whose log has just been stopped at 100."""
    bench = Bench()
    bench.stops.stop(USAGE, UNREADABLE)
    return bench


def test_a_stop_rests_until_it_is_tried(bench: Bench) -> None:
    """Everything that whoever looks must know is there."""
    assert bench.stops.standing == {USAGE: STOP}
    assert bench.stops.rests(USAGE)
    assert not bench.stops.rests(OTHER)

    bench.tried(100)

    assert bench.stops.standing == {USAGE: STOP}
    assert not bench.stops.rests(USAGE)
    assert bench.stops.due() == set()


def test_a_stop_that_is_met_again_is_the_same(bench: Bench) -> None:
    """It holds since it was met first; another one holds since now."""
    bench.now_ms = 9000
    bench.tried(100)
    bench.stops.stop(USAGE, UNREADABLE)
    assert bench.stops.standing[USAGE].since_ms == 1000

    bench.stops.stop(USAGE, ShardStoppedError(StopReason.REJECTS, 100, "another"))
    assert (bench.stops.standing[USAGE].reason, bench.stops.standing[USAGE].since_ms) == ("rejects", 9000)


def test_a_log_goes_on_once_something_of_it_is_folded(bench: Bench) -> None:
    """By this process, or by whoever has moved the fence meanwhile."""
    bench.stops.go_on(USAGE)
    assert not bench.stops.standing

    bench.stops.stop(USAGE, UNREADABLE)
    bench.tried(105)
    assert not bench.stops.standing


@pytest.mark.parametrize("mended", [LOST, UNSAFE], ids=lambda error: error.reason.value)
def test_what_was_mended_elsewhere_goes_on_though_nothing_is_to_be_folded(mended: ShardStoppedError) -> None:
    """A log that was put back, a server that keeps what it has: nothing is wrong from one look to the next."""
    bench = Bench()
    bench.stops.stop(USAGE, mended)
    bench.tried(100)
    assert bench.stops.due() == set()
    assert bench.stops.standing

    assert bench.stops.due() == set()
    assert not bench.stops.standing


def test_a_lost_log_whose_record_is_another_stays_stopped() -> None:
    """That is seen only after the position is found, when the record is read."""
    bench = Bench()
    bench.stops.stop(USAGE, LOST)
    for _ in range(3):
        bench.tried(100)
        bench.stops.stop(USAGE, LOST)

    assert bench.stops.standing


def test_a_stop_that_another_process_has_met_is_known(bench: Bench) -> None:
    """Since when, too; where the fence has moved on it is over."""
    bench.stops.release({USAGE})
    bench.stops.found(USAGE, 100, STOP)
    bench.now_ms = 9000
    bench.stops.stop(USAGE, UNREADABLE)
    assert bench.stops.standing == {USAGE: STOP}

    bench.stops.release({USAGE})
    bench.stops.found(USAGE, 105, STOP)
    assert not bench.stops.standing


def test_it_is_said_once_that_a_log_stops_and_that_it_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    """However often it is tried, and however often the group is rebalanced."""
    bench = Bench()
    bench.stops.stop(USAGE, UNREADABLE)
    bench.tried(100)
    bench.stops.stop(USAGE, UNREADABLE)
    bench.stops.release({USAGE})
    bench.stops.found(USAGE, 100, STOP)
    bench.stops.stop(USAGE, UNREADABLE)
    for _ in range(2):
        bench.stops.go_on(USAGE)

    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.ERROR, "stopped, and tried again every 5 s: usage.events-3 can't be read at 100"),
        (logging.WARNING, "usage.events-3 goes on"),
    ]
