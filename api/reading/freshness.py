"""The header with the "as of" time of an answer; and the number of attempts while an account's record changes."""

from datetime import UTC, datetime, timedelta

AS_OF = "X-Usage-As-Of"
ATTEMPTS = 4  # reads: the first guess, and further ones if the record changes meanwhile
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339_ms(unix_ms: int) -> str:
    """Returns Unix milliseconds as RFC 3339 in UTC, with milliseconds."""
    moment = _EPOCH + timedelta(milliseconds=unix_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
