"""Builds one usage event (CloudEvents 1.0, structured JSON), and refuses it if the platform would reject it.

A record that breaks a bound would become a dead letter and never be billed. So the caller gets an error before anything
is sent. The bounds are the platform's own (`contract.py`). Only the clock differs: the platform compares `time` with
the record's append time, the producer with its own clock.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from . import contract
from ._rfc3339 import rfc3339, rfc3339_of
from .errors import InvalidEventError

Extra = Mapping[str, str | int | bool]

CONTENT_TYPE = b"application/cloudevents+json"
"""Marks a record's value as structured JSON: CloudEvents 1.0, Kafka protocol binding, section 3.3."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ACCOUNT = re.compile(contract.ACCOUNT_PATTERN)
# CloudEvents 1.0, "Type System": a String has no control characters; a surrogate by itself is not Unicode text.
_NOT_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_EXTENSION_NAME = re.compile(r"[a-z0-9]{1,20}")
_CORE_ATTRIBUTES = frozenset(
    {"specversion", "id", "source", "type", "subject", "time", "data", "datacontenttype", "dataschema"}
)
_INT32 = range(-(2**31), 2**31)
_SECOND = timedelta(seconds=1)
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_quoted = json.encoder.encode_basestring  # a text as JSON, as that encoder writes it


class UsageRecord(NamedTuple):
    """One Kafka record: the account id, by which it is partitioned, and the event as UTF-8 JSON."""

    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageEvent:
    """One billable action, in the words of CloudEvents.

    Attributes:
        meter: the event's `type`, one of the catalogue's meter names.
        account: the event's `subject`: the account that is billed.
        id: with `source`, meter and account, the event's identity: a second event with the same four is a duplicate.
        source: the service, as a URI reference such as `/voice/eu-1`.
        time: when the action happened, with an offset from UTC; sent in UTC to the millisecond.
        quantity: units of the meter; 0 for an action that is reported but not billed.
        extra: CloudEvents extension attributes; the platform keeps them in the log and ignores them.
    """

    meter: str
    account: str
    id: str
    source: str
    time: datetime
    quantity: int = 1
    extra: Extra | None = None


def build_record(event: UsageEvent, now: float) -> UsageRecord:
    """Returns the Kafka record of an event.

    Args:
        event: the billable action.
        now: the time, Unix seconds; stands for the append time that the record is about to get.

    Raises:
        InvalidEventError: the event breaks a bound.
    """
    return _record(event.meter, event.account, event.id, event.source, event.time, event.quantity, event.extra, now)


def _record(  # noqa: PLR0913, PLR0917 - by position, for each event: keywords would cost a tenth
    meter: str,
    account: str,
    id: str,  # noqa: A002 - CloudEvents' name for it
    source: str,
    time: datetime | None,
    quantity: float,
    extra: Extra | None,
    now: float,
) -> UsageRecord:
    """The record; it happened now when `time` is None. Encoding all of it would cost as much as the checks."""
    now_ms = int(now * 1000)
    _check_meter(meter, now_ms)
    _check_account(account)
    check_text("id", id)
    origin = _origin(source, meter) if source.__class__ is str else _origin.__wrapped__(source, meter)
    whole = _whole(quantity)
    if time is None:
        happened = rfc3339_of(now)
    else:
        _check_time(time, now_ms)
        happened = rfc3339(time)
    who = _quoted(account)
    text = (
        f'{{"specversion":"1.0","id":{_quoted(id)},{origin},"subject":{who},'
        f'"time":"{happened}","data":{{"quantity":{whole}}}'
    )
    if extra:
        _check_extra(extra)
        text += "," + _ENCODER.encode(dict(extra))[1:-1]
    value = f"{text}}}".encode()
    if len(value) > contract.MAX_RECORD_BYTES:
        raise InvalidEventError(
            f"the event is {len(value)} bytes; at most {contract.MAX_RECORD_BYTES}: shorten its extra attributes"
        )
    return UsageRecord(account.encode(), value)


class RecordMaker:
    """Makes the records of an emitter, with its clock and its source of ids."""

    def __init__(self, clock: Callable[[], float], new_id: Callable[[], str]) -> None:
        self._clock = clock
        self._new_id = new_id

    def make(
        self,
        meter: str,
        account: str,
        *,
        source: str,
        id: str | None,  # noqa: A002 - CloudEvents' name for it
        quantity: int,
        time: datetime | None,
        extra: Extra | None,
    ) -> UsageRecord:
        """The record; see `UsageEmitter.emit` for the arguments and errors."""
        name = self._new_id() if id is None else id
        return _record(meter, account, name, source, time, quantity, extra, self._clock())


def _check_meter(name: str, now_ms: int) -> None:
    counts_since_ms = contract.METERS.get(name)
    if counts_since_ms is None:
        raise InvalidEventError(f"meter {name!r} does not exist: use one of {', '.join(contract.METERS)}")
    if now_ms < counts_since_ms:
        since = rfc3339(_EPOCH + timedelta(milliseconds=counts_since_ms))
        raise InvalidEventError(f"meter {name!r} counts from {since} on: emit the event after that")


def _check_account(account: str) -> None:
    if not isinstance(account, str) or not (_is_plain_account(account) or _ACCOUNT.fullmatch(account)):
        raise InvalidEventError(
            f"account {account!r} is not an account id: use 1 to {contract.MAX_ACCOUNT_LENGTH} of A-Z a-z 0-9 _ . : -"
        )


def check_text(attribute: str, text: str) -> None:
    """Raises InvalidEventError unless the platform takes the text as an id or a source."""
    if not isinstance(text, str) or not text:
        raise InvalidEventError(f"{attribute} must be a text that is not empty, not {text!r}")
    if len(text) > contract.MAX_ID_LENGTH:
        raise InvalidEventError(
            f"{attribute} has {len(text)} characters; at most {contract.MAX_ID_LENGTH}: send a digest of it instead"
        )
    if not _is_plain(text) and _NOT_TEXT.search(text):
        raise InvalidEventError(f"{attribute} {text!r} holds a control character: remove it")


def _is_plain(text: str) -> bool:
    """Returns whether a text is surely allowed. Asked first: a pattern costs more if a service calls only rarely."""
    return text.isascii() and text.isprintable()


def _is_plain_account(account: str) -> bool:
    return account.isascii() and account.isidentifier() and len(account) <= contract.MAX_ACCOUNT_LENGTH


def _whole(quantity: float) -> int:
    if quantity.__class__ is int and 0 <= quantity <= contract.MAX_QUANTITY:
        return quantity
    is_number = isinstance(quantity, int | float) and not isinstance(quantity, bool)
    if is_number and 0 <= quantity <= contract.MAX_QUANTITY and quantity == int(quantity):
        return int(quantity)
    raise InvalidEventError(
        f"quantity {quantity!r} is not a whole number from 0 to {contract.MAX_QUANTITY}: "
        "split a larger one over several events, and credit in Stripe what was billed too much"
    )


def _check_time(time: datetime, now_ms: int) -> None:
    if not isinstance(time, datetime) or time.utcoffset() is None:
        raise InvalidEventError(f"time {time!r} has no offset from UTC: pass an aware datetime")
    # Whole seconds, as the platform reads them.
    late_ms = now_ms - (time - _EPOCH) // _SECOND * 1000
    if late_ms > contract.MAX_PAST_MS:
        raise InvalidEventError(
            f"time {time.isoformat()} is more than {contract.MAX_PAST_MS // 86_400_000} days ago, which Stripe no "
            "longer takes: bill it by hand, or emit it with the time at which it became known"
        )
    if -late_ms > contract.MAX_FUTURE_MS:
        raise InvalidEventError(
            f"time {time.isoformat()} is more than {contract.MAX_FUTURE_MS // 60_000} minutes ahead: "
            "check this machine's clock, or emit the event when it happens"
        )


def _check_extra(extra: Extra) -> None:
    for name, content in extra.items():
        if not isinstance(name, str) or not _EXTENSION_NAME.fullmatch(name) or name in _CORE_ATTRIBUTES:
            raise InvalidEventError(
                f"extra attribute {name!r}: a CloudEvents extension is named by 1 to 20 of a-z 0-9, "
                "and not as an attribute that the event already has"
            )
        if isinstance(content, str):
            if _NOT_TEXT.search(content):
                raise InvalidEventError(f"extra attribute {name!r} holds a control character: remove it")
        elif not isinstance(content, int) or content not in _INT32:
            raise InvalidEventError(f"extra attribute {name!r} must be a text, a bool or a 32-bit int, not {content!r}")


@lru_cache(maxsize=256)  # a service has a few; what is no text may have no hash
def _origin(source: str, meter: str) -> str:
    check_text("source", source)
    return f'"source":{_quoted(source)},"type":{_quoted(meter)}'
