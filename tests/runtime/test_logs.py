"""What reaches the log."""

import logging

import pytest

from runtime.logs import RepeatFilter


def passed(filter_: RepeatFilter, logger: str, *messages: str) -> list[bool]:
    """Which records of one template go through."""
    records = [logging.LogRecord(logger, logging.ERROR, "", 0, "%s", (each,), None) for each in messages]
    return [filter_.filter(record) for record in records]


@pytest.mark.parametrize("logger", ["aiokafka.consumer.fetcher", "kafka", "stripe"])
def test_a_noisy_library_repeats_itself_every_few_seconds_only(logger: str) -> None:
    """The same template; after a while once more."""
    now = [0.0]
    repeats = RepeatFilter(lambda: now[0])
    assert passed(repeats, logger, "broker 1", "broker 2") == [True, False]
    now[0] = 6.0
    assert passed(repeats, logger, "broker 3") == [True]


@pytest.mark.parametrize("logger", ["stripe_sync.ownership", "aggregator.consumer"])
def test_what_we_say_ourselves_is_never_left_out(logger: str) -> None:
    """Each shard that stops has a line of its own, though `stripe_sync` begins like a library's name."""
    assert passed(RepeatFilter(lambda: 0.0), logger, "shard 0", "shard 1", "shard 2") == [True] * 3
