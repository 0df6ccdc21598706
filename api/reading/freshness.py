"""As of when an answer is: the header for it, and how often a record is read until it stays the same."""

from datetime import UTC, datetime, timedelta

AS_OF = "X-Usage-As-Of"
ATTEMPTS = 4  # the first guess, and a record that changes again while the question is drawn
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339_ms(unix_ms: int) -> str:
    """Unix milliseconds as RFC 3339 in UTC, with milliseconds."""
    moment = _EPOCH + timedelta(milliseconds=unix_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
