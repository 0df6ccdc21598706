"""The meters that the platform counts, and the bounds of one event.

This is a copy of the platform's own rules, for this library; a test of the platform holds the two equal.
"""

from collections.abc import Mapping
from types import MappingProxyType

TOPIC = "usage.events"
"""The topic that events go to, without the installation's prefix."""

METERS: Mapping[str, int] = MappingProxyType(
    {
        "sms.send": 0,
        "sms.receive": 0,
        "voice.outbound": 0,
        "voice.inbound": 0,
        "voice.ai": 0,
        "did.monthly": 0,
    }
)
"""Meter names, and the times from which their events count, Unix milliseconds."""

MAX_RECORD_BYTES = 64 * 1024
"""Bytes of one record's value. CloudEvents 1.0, "Size Limits": 64 KiB is what every intermediary must forward."""

MAX_ID_LENGTH = 256
"""Characters of `id` and, each by itself, of `source`."""

MAX_ACCOUNT_LENGTH = 128
"""Characters of an account id."""

ACCOUNT_PATTERN = r"^[A-Za-z0-9_.:-]{1,128}$"
"""The form of an account id. Use `fullmatch`: `$` allows a final newline."""

MAX_QUANTITY = 1_000_000_000
"""Units of one event."""

MAX_FUTURE_MS = 5 * 60 * 1000
"""Milliseconds that `time` may be after the record's append time. Stripe takes a meter event 5 minutes ahead."""

MAX_PAST_MS = 34 * 24 * 3600 * 1000
"""Milliseconds that `time` may be before the record's append time. Stripe takes 35 days; one is left for delivery."""
