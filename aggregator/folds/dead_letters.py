"""Dead letters: the original bytes of what could not be counted, with headers that say why and where it came from.

A dead letter's identity is its origin (topic, partition, offset). A refold writes some of them again, so every
count of them is over distinct origins.

Whatever the original is, its letter can be written: parts that are in the way are left out, and headers give their
length and SHA-256 in their place.
"""

from collections.abc import Collection
from functools import partial
from hashlib import sha256

from aiokafka.record.default_records import DefaultRecordBatchBuilder

from aggregator.publisher import Message
from metering.counting import LogRecord
from metering.reject import Reject, unreadable
from metering.rfc3339 import from_unix
from runtime.record_batch import ReplacedName
from runtime.topics import DEAD_LETTER_MAX_BYTES

REASON, DETAIL = "dlq.reason", "dlq.detail"
TOPIC, PARTITION, OFFSET, TIME = "dlq.topic", "dlq.partition", "dlq.offset", "dlq.time"

VALUE = "dlq.value"
"""`null` where the original had neither key nor value: its letter has an empty one, as no client writes neither."""
RENAMED = "dlq.headers.renamed"
"""How many of the original's headers have a name that is not UTF-8: they are written with escapes for what is not."""
VALUE_LENGTH, VALUE_SHA256 = "dlq.value.length", "dlq.value.sha256"
"""Of a value that was left out. Likewise for `dlq.key` and `dlq.headers` (names and values, each ended by a NUL)."""

_PARTS = ("key", "value", "headers")
OF_THE_ORIGINAL = (VALUE, RENAMED, *(f"dlq.{part}.{what}" for part in _PARTS for what in ("length", "sha256")))
"""What is said of the original beside where it lies."""

# The least harm first: a letter is published again by its value, and the key says whose it is.
_LEFT_OUT = (
    (),
    ("headers",),
    ("key",),
    ("key", "headers"),
    ("value",),
    ("value", "headers"),
    ("key", "value"),
    _PARTS,
)
_MOST_DETAIL = 1_000  # characters: some details quote what they are about

_Header = tuple[str, bytes | None]


def dead_letter(
    to: str, topic: str, partition: int, record: LogRecord, reject: Reject, most: int = DEAD_LETTER_MAX_BYTES
) -> Message:
    """The dead letter of a record, whatever it is, in at most so many bytes.

    `dlq.time` is the record's append time (RFC 3339, UTC), so that a refold writes the very same letter. A table's
    record has its producer's time instead, which may be anything.
    """
    own = _own(topic, partition, record, reject)
    try:
        return _fitting(to, record, own, most)
    except Exception as error:
        return Message(to, None, b"", _own(topic, partition, record, unreadable(error)))


def readable_headers(record: LogRecord) -> tuple[list[_Header], int]:
    """A record's headers as they can be written, and how many of their names were replaced for that."""
    replaced = sum(isinstance(name, ReplacedName) for name, _ in record.headers)
    return [(str(name), value) for name, value in record.headers], replaced


def written_size(message: Message) -> int:
    """The bytes that the client compares with its limit; the broker gets no more."""
    size: int = DefaultRecordBatchBuilder.estimate_size_in_bytes(message.key, message.value, list(message.headers))
    return size


def _own(topic: str, partition: int, record: LogRecord, reject: Reject) -> list[_Header]:
    texts = (
        (REASON, reject.reason.value),
        (DETAIL, reject.detail[:_MOST_DETAIL]),
        (TOPIC, topic),
        (PARTITION, str(partition)),
        (OFFSET, str(record.offset)),
        (TIME, from_unix(record.timestamp // 1000)),
    )
    return [(name, text.encode(errors="replace")) for name, text in texts]


def _fitting(to: str, record: LogRecord, own: list[_Header], most: int) -> Message:
    for left_out in _LEFT_OUT:
        letter = _letter(to, record, own, left_out)
        if written_size(letter) <= most:
            break
    if left_out == _PARTS:
        return letter
    return Message(to, letter.key, letter.value, letter.headers, instead=partial(_letter, to, record, own, _PARTS))


def _letter(to: str, record: LogRecord, own: list[_Header], left_out: Collection[str]) -> Message:
    written, replaced = readable_headers(record)
    written = [each for each in written if each[0] not in OF_THE_ORIGINAL]
    said = [(RENAMED, str(replaced).encode())] if replaced else []
    for part in left_out:
        content = _content(record, part)
        said.append((f"dlq.{part}.length", str(len(content)).encode()))
        said.append((f"dlq.{part}.sha256", sha256(content).hexdigest().encode()))
    key = None if "key" in left_out else record.key
    value = b"" if "value" in left_out else record.value
    if key is None and value is None:
        value = b""
        said.append((VALUE, b"null"))
    return Message(to, key, value, [*([] if "headers" in left_out else written), *own, *said])


def _content(record: LogRecord, part: str) -> bytes:
    if part == "headers":
        return b"".join(name.encode() + b"\0" + (value or b"") + b"\0" for name, value in record.headers)
    return (record.key if part == "key" else record.value) or b""
