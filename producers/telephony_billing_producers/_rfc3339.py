"""Times in CloudEvents' form: RFC 3339, in UTC, to the millisecond."""

from datetime import UTC, datetime
from functools import lru_cache


def rfc3339(time: datetime) -> str:
    """Returns an aware datetime as text."""
    moment = time if time.tzinfo is UTC else time.astimezone(UTC)
    return f"{moment.isoformat(timespec='milliseconds')[:-6]}Z"  # in place of +00:00


def rfc3339_of(now: float) -> str:
    """Returns Unix seconds as text; the whole second is cached, as many events share it."""
    second = int(now)
    return _whole_second(second) + _FRACTIONS[int((now - second) * 1000 + _HALF_A_MICROSECOND)]


_HALF_A_MICROSECOND = 0.0005  # in milliseconds: a float may be a little less than what it stands for
_FRACTIONS = [f".{millisecond:03d}Z" for millisecond in (*range(1000), 999)]


@lru_cache(maxsize=8)
def _whole_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()[:-6]
