"""kafka-python's log while Kafka is away: one line a minute; other clients of the host log as before."""

import logging
import threading
from collections.abc import Callable

import pytest

from telephony_billing_producers import UsageEmitter
from telephony_billing_producers._kafka import kafka_python, logs
from telephony_billing_producers._kafka.logs import OnceAMinute
from tests.support.eventually import eventually


def line(level: int = logging.WARNING, text: str = "away %d") -> logging.LogRecord:
    """A log line as a logger would write it."""
    return logging.LogRecord("kafka.net", level, "", 0, text, (1,), None)


def test_one_warning_a_minute_is_written() -> None:
    """With the number of lines held back; lines below a warning are not written."""
    now = [0.0]
    once = OnceAMinute(lambda: now[0])
    with once.here():
        assert not once.filter(line(logging.INFO))
        assert [once.filter(line()) for _ in range(4)] == [True, False, False, False]
        now[0] = 60.0
        late = line()
        assert once.filter(late)
    assert late.getMessage() == "away 1 (and 3 more lines since the last one)"


def test_other_threads_speak() -> None:
    """A host's own Kafka clients, in this thread or another; and ours to whom we listen at DEBUG."""
    once = OnceAMinute(lambda: 0.0)
    assert [once.filter(line(logging.INFO)) for _ in range(3)] == [True] * 3
    with once.here():
        said: list[bool] = []
        other = threading.Thread(target=lambda: said.extend(once.filter(line()) for _ in range(3)))
        other.start()
        other.join()
        assert said == [True] * 3
        logging.getLogger("kafka").setLevel(logging.DEBUG)
        try:
            assert [once.filter(line()) for _ in range(3)] == [True] * 3
        finally:
            logging.getLogger("kafka").setLevel(logging.NOTSET)


def test_an_outage_is_quiet(
    start_emitter: Callable[..., UsageEmitter], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many attempts to connect, one line of kafka-python's, and one of ours."""
    caplog.set_level(logging.INFO)
    once = OnceAMinute()
    for module in (logs, kafka_python):
        monkeypatch.setattr(module, "once_a_minute", once)

    emitter = start_emitter(retry_seconds=0.01, connect_timeout_seconds=0.05)
    eventually(lambda: once._held_back > 20)
    emitter.close()

    assert len([each for each in caplog.records if each.name.startswith("kafka")]) == 1
    assert len([each for each in caplog.records if "go to the spool" in each.getMessage()]) == 1
