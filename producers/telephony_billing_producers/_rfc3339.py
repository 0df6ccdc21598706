"""Moments as CloudEvents writes them: RFC 3339, in UTC, to the millisecond."""

from datetime import UTC, datetime
from functools import lru_cache


def rfc3339(time: datetime) -> str:
    """An aware datetime."""
    moment = time if time.tzinfo is UTC else time.astimezone(UTC)
    return f"{moment.isoformat(timespec='milliseconds')[:-6]}Z"  # in place of +00:00


def rfc3339_of(now: float) -> str:
    """A moment in Unix seconds; many events share one of these."""
    seconds, milliseconds = divmod(round(now * 1_000_000) // 1000, 1000)
    return f"{_whole_second(seconds)}.{milliseconds:03d}Z"


@lru_cache(maxsize=8)
def _whole_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:-6]
