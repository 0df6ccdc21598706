"""Date-times as RFC 3339 writes them, to whole Unix seconds."""

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

# RFC 3339, section 5.6. Second 60 is a leap second; hours stop at 23. Written for Rust's regex engine as well.
_TO_THE_SECOND = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)"
_FRACTION = r"(\.[0-9]+)?"
PATTERN = rf"^{_TO_THE_SECOND}{_FRACTION}([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"

_SECOND, _UTC_END = re.compile(_TO_THE_SECOND), re.compile(rf"{_FRACTION}[Zz]")
_SECOND_ENDS = len("2026-06-20T12:00:00")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNIX_EPOCH_DAY = _EPOCH.toordinal()
FIRST_SECOND = -62_135_596_800  # 0001-01-01T00:00:00Z: years have four digits
LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z
_LAST_MINUTE_OF_DAY = 23 * 60 + 59


@lru_cache(maxsize=1 << 16)  # a log's seconds come together
def _utc_second(text: str) -> int:
    """Seconds since 1970-01-01 of `YYYY-MM-DDThh:mm:ss` in UTC; raises like `utc_to_unix`."""
    if _SECOND.fullmatch(text) is None:
        raise ValueError("it is no date and time as RFC 3339 writes them")
    return _second(text, 0)


@lru_cache(maxsize=1 << 12)  # most writers' fractions are milliseconds, or none
def _ends_utc(text: str) -> bool:
    return _UTC_END.fullmatch(text) is not None


def _second(text: str, ahead_minutes: int) -> int:
    days = date.fromisoformat(text[:10]).toordinal() - _UNIX_EPOCH_DAY
    minute = days * 1440 + int(text[11:13]) * 60 + int(text[14:16]) - ahead_minutes
    second = int(text[17:19])
    if second == 60:
        if minute % 1440 != _LAST_MINUTE_OF_DAY:
            raise ValueError("second 60 is a leap second and ends a UTC day (23:59:60Z)")
        second = 59
    return minute * 60 + second


def to_unix(text: str) -> int:
    """Whole Unix seconds of a text that matches `PATTERN`; a fraction of a second is dropped.

    A leap second (:60) is the last second of its UTC day, as in POSIX time without a place of its own: it is
    read as :59, so that it stays in the hour that it names.

    Raises:
        ValueError: the month has no such day, :60 is not at the end of a UTC day (RFC 3339, 5.6 and 5.7), or the
            offset leads out of the years 1 to 9999.
    """
    if text[-1] in "Zz":
        return _utc_second(text[:_SECOND_ENDS])
    sign, hours, minutes = text[-6], text[-5:-3], text[-2:]
    ahead_minutes = int(hours) * 60 + int(minutes)
    second = _second(text[:_SECOND_ENDS], -ahead_minutes if sign == "-" else ahead_minutes)
    if not FIRST_SECOND <= second <= LAST_SECOND:
        raise ValueError("in UTC it is outside of the years 1 to 9999")
    return second


def utc_to_unix(text: str) -> int:
    """Whole Unix seconds of any text that is a date-time in UTC (`Z`), as `to_unix` gives them.

    Raises:
        ValueError: it does not match `PATTERN`, has an offset from UTC, or is refused by `to_unix`.
    """
    if not _ends_utc(text[_SECOND_ENDS:]):
        raise ValueError("it does not end as a date-time in UTC does")
    return _utc_second(text[:_SECOND_ENDS])


def from_unix(seconds: int) -> str:
    """Unix seconds as RFC 3339 in UTC, with a Z; what lies outside of the years 1 to 9999 as their first or last."""
    inside = min(max(seconds, FIRST_SECOND), LAST_SECOND)
    return f"{(_EPOCH + timedelta(seconds=inside)).isoformat()[:19]}Z"
