"""Logging: one line a record, to standard error; noisy libraries are kept to what a person can read."""

import logging
import time
from collections.abc import Callable

LINE = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
_REPEAT_SECONDS = 5.0
_NOISY = ("aiokafka", "kafka", "faust", "mode", "httpx", "stripe")


class RepeatFilter(logging.Filter):
    """Lets one template of a noisy logger through every few seconds: Kafka away is some 90 errors a second."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._last: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """False for a repetition within the interval."""
        if record.name.partition(".")[0] not in _NOISY:  # `stripe_sync` is no part of `stripe`
            return True
        key, now = (record.name, str(record.msg)), self._now()
        if now - self._last.get(key, -_REPEAT_SECONDS) < _REPEAT_SECONDS:
            return False
        self._last[key] = now
        return True


def configure_logging(level: int = logging.INFO) -> None:
    """Sets the root logger up; called once, at the top of a process."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(LINE))
    handler.addFilter(RepeatFilter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
