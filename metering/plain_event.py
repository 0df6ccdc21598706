"""The quick way to read an event that is written plainly, as the producers' library and most SDKs write it.

It takes some of the events that `metering.event` takes, and reads them as that does, in a fraction of the time. Of
everything else it says None, and `metering.event` finds out what it is. `tests/metering/test_plain_event.py` holds that
both read the same.
"""

from functools import lru_cache
from typing import Literal

from msgspec import DecodeError, Struct
from msgspec.json import Decoder

from metering import limits, rfc3339
from metering.account import is_account_id
from metering.usage_event import UsageEvent, counted

_MOST_UNITS, _LONGEST = limits.MAX_QUANTITY, limits.MAX_ID_LENGTH
_REMEMBERED = 1 << 16  # accounts, and sources: those of a log come together


class _PlainData(Struct, forbid_unknown_fields=True, gc=False):
    """A number of units and nothing else."""

    quantity: int


class _PlainEvent(Struct, forbid_unknown_fields=True, gc=False):
    """An event in structured mode; after its data what CloudEvents names and counting does not need."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str
    time: str
    data: _PlainData | None = None
    datacontenttype: str | None = None
    dataschema: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None


_decode = Decoder(_PlainEvent).decode
_is_account = lru_cache(_REMEMBERED)(is_account_id)


def read_plain(value: bytes, append_ms: int) -> UsageEvent | None:
    """The event of a record in structured mode; None where it is not written plainly, or may not count.

    Args:
        value: the record's value.
        append_ms: Unix milliseconds: the highest append time that the shard has seen.
    """
    try:
        event = _decode(value)
        time = rfc3339.utc_to_unix(event.time)
    except (DecodeError, ValueError):
        return None
    data, event_id = event.data, event.id
    units = 1 if data is None else data.quantity
    if (
        0 <= units <= _MOST_UNITS
        and 0 < len(event_id) <= _LONGEST
        and event_id.isprintable()
        and _is_text(event.source)
        and _is_account(event.subject)
    ):
        return counted(event.source, event_id, event.type, event.subject, time, units, append_ms)
    return None


@lru_cache(_REMEMBERED)
def _is_text(text: str) -> bool:
    return 0 < len(text) <= _LONGEST and text.isprintable()
