"""Logging: one line a record, to standard error; noisy libraries are kept to what a person can read."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

LINE = "%(asctime)s %(levelname)-7s %(name)s: %(message)s%(more)s"
_REPEAT_SECONDS = 5.0
_NOISY = ("aiokafka", "kafka", "faust", "mode", "httpx", "stripe")
# What these say is said once for each request, so as often as a client likes.
_BY_REQUEST = ("api", "asyncio", "uvicorn", "runtime.http_protocol")
# What these say below an error is said once for each row, shard or attempt; from which level on.
_BY_ROW = {
    "aggregator.position_search": logging.INFO,
    "aggregator.readiness": logging.INFO,
    "runtime.retrying": logging.INFO,
    "stripe_sync.process.ownership": logging.WARNING,
    "stripe_sync.sending": logging.INFO,
    "stripe_sync.shard.reissuer": logging.INFO,
}


@dataclass(slots=True)
class _Said:
    """When a template was last written, and how often it was not since then."""

    at: float
    unwritten: int = 0


class RepeatFilter(logging.Filter):
    """Lets one template of a noisy logger through every few seconds: Kafka away is some 90 errors a second.

    What is left out is counted, and the next line that goes through says how many there were (`more`, of `LINE`).
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._said: dict[tuple[str, int, str, str], _Said] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """False for a repetition within the interval."""
        record.more = ""
        if not _repeats(record.name, record.levelno):
            return True
        error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
        line = str(record.msg).partition("\n")[0]  # asyncio writes what it was about below
        key, now = (record.name, record.levelno, line, error), self._now()
        said = self._said.get(key)
        if said is not None and now - said.at < _REPEAT_SECONDS:
            said.unwritten += 1
            return False
        if said is not None and said.unwritten:
            record.more = f" (and {said.unwritten} more of this kind since)"
        self._said[key] = _Said(now)
        return True


def _repeats(logger: str, level: int) -> bool:
    """Whether a logger, or one above it, is noisy at this level: `stripe_sync` is no part of `stripe`."""
    noisy = [*_NOISY, *_BY_REQUEST, *(name for name, least in _BY_ROW.items() if least <= level < logging.ERROR)]
    return any(logger == name or logger.startswith(f"{name}.") for name in noisy)


def configure_logging(level: int = logging.INFO) -> None:
    """Sets the root logger up; called once, at the top of a process."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(LINE))
    handler.addFilter(RepeatFilter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
