"""What reaches the log."""

import logging

import pytest

from runtime.logs import LINE, RepeatFilter


def passed(filter_: RepeatFilter, logger: str, *messages: str) -> list[bool]:
    """Which records of one template go through."""
    records = [logging.LogRecord(logger, logging.ERROR, "", 0, "%s", (each,), None) for each in messages]
    return [filter_.filter(record) for record in records]


@pytest.mark.parametrize(
    "logger", ["aiokafka.consumer.fetcher", "kafka", "stripe", "uvicorn.error", "api.http.error_handlers", "asyncio"]
)
def test_a_noisy_library_repeats_itself_every_few_seconds_only(logger: str) -> None:
    """The same template; after a while once more."""
    now = [0.0]
    repeats = RepeatFilter(lambda: now[0])
    assert passed(repeats, logger, "broker 1", "broker 2") == [True, False]
    now[0] = 6.0
    assert passed(repeats, logger, "broker 3") == [True]


@pytest.mark.parametrize("logger", ["stripe_sync.process.ownership", "aggregator.faust_adapter.consumer"])
def test_what_we_say_ourselves_is_never_left_out(logger: str) -> None:
    """Each shard that stops has a line of its own, though `stripe_sync` begins like a library's name."""
    assert passed(RepeatFilter(lambda: 0.0), logger, "shard 0", "shard 1", "shard 2") == [True] * 3


@pytest.mark.parametrize(
    ("logger", "level"),
    [
        ("stripe_sync.sending.sender", logging.INFO),
        ("stripe_sync.process.ownership", logging.WARNING),
        ("runtime.retrying", logging.WARNING),
    ],
)
def test_a_row_or_an_attempt_has_no_line_of_its_own(logger: str, level: int) -> None:
    """Below an error: a hundred rows that Stripe does not take now are one line, with their number."""
    repeats = RepeatFilter(lambda: 0.0)
    rows = [logging.LogRecord(logger, level, "", 0, "row %s: later", (each,), None) for each in range(100)]
    assert [repeats.filter(row) for row in rows].count(True) == 1


def test_what_was_left_out_is_counted() -> None:
    """A flood is a few lines that say how large it was; another level or another error is another matter."""
    now = [0.0]
    repeats = RepeatFilter(lambda: now[0])
    assert passed(repeats, "api", *["refused"] * 1000).count(True) == 1
    now[0] = 5.0
    record = logging.LogRecord("api", logging.ERROR, "", 0, "%s", ("refused",), None)
    assert repeats.filter(record)
    assert logging.Formatter(LINE).format(record).endswith("ERROR   api: refused (and 999 more of this kind since)")
    for level, error in ((logging.WARNING, None), (logging.ERROR, KeyError("x"))):
        other = logging.LogRecord("api", level, "", 0, "%s", ("refused",), error and (KeyError, error, None))
        assert repeats.filter(other)
