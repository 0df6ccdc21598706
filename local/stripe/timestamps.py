"""RFC 3339, the form of times in v2."""

import re
from datetime import UTC, datetime

_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})")


def seconds_of(timestamp: str) -> float:
    """Returns Unix seconds.

    Raises:
        ValueError: the text is not RFC 3339 with an offset.
    """
    if _RFC3339.fullmatch(timestamp) is None:
        raise ValueError("must be an RFC 3339 timestamp with an offset")
    return datetime.fromisoformat(timestamp.upper()).timestamp()


def rfc3339(moment: datetime) -> str:
    """Returns Stripe's form, such as `2024-06-01T12:10:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
