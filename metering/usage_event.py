"""What counting needs of an event, however it was written, and the identity by which its duplicates are known."""

from hashlib import blake2b
from struct import Struct
from typing import NamedTuple

from metering import limits
from metering.meters import BY_NAME

_int64 = Struct(">q").unpack
_meter_of = BY_NAME.get
_LATEST_MS, _EARLIEST_MS = limits.MAX_PAST_MS, -limits.MAX_FUTURE_MS


class UsageEvent(NamedTuple):
    """What counting needs of an event: `member` is the 64-bit hash of its identity, `time` Unix seconds."""

    member: int
    account: str
    meter: int
    time: int
    quantity: int


_new_event = tuple.__new__  # what UsageEvent(...) comes to, in half the time: this is made of every record


def identity_member(source: str, event_id: str, meter: str, account: str) -> int:
    """The signed 64-bit hash of an event's identity (source, id, type, subject), by which duplicates are known.

    BLAKE2b, so that no producer can choose an id that collides with another's. NUL separates the four because
    none may contain it.
    """
    identity = f"{source}\0{event_id}\0{meter}\0{account}".encode()
    member: int = _int64(blake2b(identity, digest_size=8).digest())[0]
    return member


def counted(
    source: str, event_id: str, name: str, account: str, time: int, units: int, append_ms: int
) -> UsageEvent | None:
    """The event that counts, of well-formed attributes; None where its meter or its time forbids that.

    Args:
        source: with the next three, the event's identity.
        event_id: its `id`.
        name: its `type`.
        account: its `subject`.
        time: Unix seconds.
        units: its quantity.
        append_ms: Unix milliseconds: the highest append time that the shard has seen.
    """
    meter = _meter_of(name)
    if meter is None or append_ms < meter.counts_since_ms or not _EARLIEST_MS <= append_ms - time * 1000 <= _LATEST_MS:
        return None
    member = identity_member(source, event_id, name, account)
    return _new_event(UsageEvent, (member, account, meter.index, time, units))
