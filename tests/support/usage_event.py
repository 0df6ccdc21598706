"""A usage event, as a producer would write it: the one builder of the tests."""

import json
import time
from typing import Any

from metering.rfc3339 import from_unix

ABSENT = object()
"""Takes an attribute away."""


def usage_event(**changes: Any) -> dict[str, Any]:
    """A valid event of now: one SMS of the account `acme`. Attributes may be changed, added, or taken away."""
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": "1",
        "source": "/tests",
        "type": "sms.send",
        "subject": "acme",
        "time": from_unix(int(time.time())),
    } | changes
    return {name: value for name, value in event.items() if value is not ABSENT}


def usage_record(**changes: Any) -> bytes:
    """The same as a record's value."""
    return json.dumps(usage_event(**changes)).encode()
