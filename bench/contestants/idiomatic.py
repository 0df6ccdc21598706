"""The commands of the idiomatic contestants for an event: SADD to recognise duplicates, HINCRBY to count."""

from typing import NamedTuple

from metering.bucket import hour_of
from metering.event import read_event
from metering.span import DAY_HOURS
from metering.usage_event import UsageEvent

SETS = 256


class Increment(NamedTuple):
    """One event as the two commands' arguments."""

    seen_key: str
    member: int
    hash_key: str
    field: int
    quantity: int


def increment_of(prefix: str, value: bytes, append_ms: int) -> Increment | None:
    """Returns the arguments for a record; None if it can't be counted."""
    event = read_event(value, append_ms)
    if not isinstance(event, UsageEvent):
        return None
    day, hour = divmod(hour_of(event.time), DAY_HOURS)
    return Increment(
        f"{prefix}seen:{event.member % SETS}",
        event.member,
        f"{prefix}{event.account}:{day}",
        event.meter * DAY_HOURS + hour,
        event.quantity,
    )
