"""How the benchmarks make their load and read their figures."""

import pytest

from bench.aggregator_process import ProcessReading
from bench.freshness import Freshness, latencies
from bench.load import events
from bench.results import CountingResults
from bench.spread import spread
from bench.task import TaskOutcome
from metering.event import read_event
from metering.usage_event import UsageEvent

NOW = 1_780_000_000


def test_the_load_is_the_same_every_time_and_can_be_counted() -> None:
    """Each event is valid at the moment that it is made for; a few are repeated."""
    load = list(events(2000, now=NOW))

    assert load == list(events(2000, now=NOW))
    assert all(isinstance(read_event(value, NOW * 1000), UsageEvent) for _, value in load)
    assert 0 < len(load) - len(set(load)) < 100


def test_an_event_is_counted_once_its_shard_has_read_as_many() -> None:
    """By the first look that says so; shards are told apart, what was there before and what is too early left out."""
    readings = [_reading(0.0, (5, 0)), _reading(1.5, (6, 0)), _reading(2.0, (7, 1))]

    assert list(latencies([[1.0, 1.25], [1.75]], readings, 0.0)) == [0.5, 0.75, 0.25]
    assert list(latencies([[1.0, 1.25], [1.75]], readings, 1.25)) == [0.75, 0.25]


def test_spread() -> None:
    """Median, least, most."""
    assert spread([3.0, 1.0, 2.0]) == (2.0, 1.0, 3.0)


@pytest.mark.parametrize(("bare", "met"), [(1000, True), (1300, False)])
def test_a_target_is_judged_by_the_ratio_within_a_turn(bare: int, met: bool) -> None:
    """The aggregator's rate over the other's of the same turn, whatever the machine did between turns."""
    outcomes = {
        "aggregator": [TaskOutcome(1000, 1.0, 1.0), TaskOutcome(1000, 2.0, 1.0)],
        "bare": [TaskOutcome(bare, 1.0, 1.0), TaskOutcome(bare, 2.0, 1.0)],
        "getmany": [TaskOutcome(5000, 1.0, 1.0), TaskOutcome(5000, 2.0, 1.0)],
        "take": [TaskOutcome(100, 1.0, 1.0), TaskOutcome(101, 2.0, 1.0)],
        "faust": [TaskOutcome(20, 1.0, 1.0), TaskOutcome(20, 2.0, 1.0)],
        "refold": [TaskOutcome(1000, 1.0, 1.0), TaskOutcome(1000, 2.0, 1.0)],
    }
    results = CountingResults(outcomes, None, [Freshness(10, 100, 5.0, 20.0, 30.0, 0.05, 0.5)])

    judged = {target.text: target.met for target in results.targets()}

    assert judged["at least 80 % of the same job without Faust"] is met
    assert not judged["at least 10 times idiomatic Faust with `take`"]
    assert judged["at least 30 times idiomatic Faust, event by event"]
    assert judged["p99 under 100 ms at 10 events/s"]
    assert not judged["a rebuild of at least 60,000 events/s"]


def _reading(at: float, read: tuple[int, ...]) -> ProcessReading:
    return ProcessReading(at, read, 0, 0, 0)
