"""Reads the dead letters and their marks. All commands read the dead-letter topic through this file.

The topic has two kinds of record. A *letter* has the header `dlq.reason`. Its identity is its origin, because a refold
writes some letters again. A *mark* has the header `dlq.mark`, no `dlq.reason` and no value. It says that the letter of
an origin was redriven or discarded. A mark is final: it still holds when a refold writes the letter again. Commands
count distinct origins, and only open ones unless the caller asks for all.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple, Self

from aggregator.folds.dead_letters import DETAIL, OFFSET, PARTITION, REASON, TIME, TOPIC, VALUE_LENGTH, VALUE_SHA256
from aggregator.folds.quarantine import ORIGINAL, UNREAD
from metering import rfc3339
from metering.content_mode import Headers, attributes_of
from metering.counting import LogRecord
from metering.limits import MAX_ID_LENGTH
from metering.reject import RejectReason
from ops.logs.reader import Bounds, LogReader
from runtime.settings import KafkaSettings
from runtime.topics import TopicNames

MARK, MARK_BY, MARK_AT, MARK_WHY = "dlq.mark", "dlq.by", "dlq.at", "dlq.why"
MOST_RECORDS = 1_000_000
"""Records: the most that one reading takes, the newest of the topic. That is some 20 s and a few hundred megabytes."""


class MarkKind(StrEnum):
    """How a letter was handled. The values are part of the topic, so they never change."""

    REDRIVEN = "redriven"
    DISCARDED = "discarded"


class LetterOrigin(NamedTuple):
    """The place of a record that could not be counted: the identity of its dead letter."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"

    @classmethod
    def parse(cls, text: str, topic: str) -> Self:
        """Parses `topic/partition/offset`, or `partition/offset` of `topic`; raises ValueError for anything else."""
        parts = text.split("/")
        if len(parts) == 2:
            parts = [topic, *parts]
        if len(parts) != 3 or not parts[0] or not all(part.isdecimal() and part.isascii() for part in parts[1:]):
            raise ValueError(f"{text!r} is not an origin: write topic/partition/offset")
        return cls(parts[0], int(parts[1]), int(parts[2]))


class LetterMark(NamedTuple):
    """How, by which user and when (RFC 3339) a letter was handled; `why` is the reason for a discard."""

    kind: MarkKind
    by: str
    at: str
    why: str


class LetterPlace(NamedTuple):
    """The place of a letter's bytes in the dead-letter topic."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One letter, without its bytes.

    Attributes:
        origin: its identity.
        place: the place of its bytes.
        reason: the code for why it could not be counted.
        detail: the reason in words. It may quote the record, so always escape it before you print it.
        time: append time of the original, Unix seconds; 0 if the header can't be read.
        source: the event's CloudEvents `source`; None if the value can't be parsed or has no source.
        account: the event's `subject`; None in the same cases.
        left_out: the length and hash of a value that the letter had no room for; None if it holds the value.
        mark: how it was handled; None while it is open.
        unread: it holds no original: the record could not be read, and a person let the shard pass it by.
    """

    origin: LetterOrigin
    place: LetterPlace
    reason: str
    detail: str
    time: int
    source: str | None
    account: str | None
    left_out: str | None = None
    mark: LetterMark | None = None
    unread: bool = False


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """The letters by distinct origin, oldest first.

    `truncated`: the topic has more records than the reading took; `unreadable`: batches that can't be read.
    """

    letters: Mapping[LetterOrigin, DeadLetter] = field(default_factory=dict)
    truncated: bool = False
    unreadable: tuple[str, ...] = ()

    def open(self) -> list[DeadLetter]:
        """Returns the letters that nobody has redriven or discarded."""
        return [letter for letter in self.letters.values() if letter.mark is None]

    def open_by_reason(self) -> Counter[str]:
        """Returns the number of open letters by reason."""
        return Counter(letter.reason for letter in self.open())


def read_dead_letters(settings: KafkaSettings, *, most_records: int = MOST_RECORDS) -> DeadLetters:
    """Reads the dead-letter topic up to its present end.

    Args:
        settings: the address of Kafka.
        most_records: the most records to read, the newest of the partitions. If a mark is left out and a refold wrote
            its letter again, the letter shows as open.

    Raises:
        OpsError: Kafka does not answer, or the topic is missing.
    """
    topic = TopicNames(settings.topic_prefix).dead_letters
    letters: dict[LetterOrigin, DeadLetter] = {}
    marks: dict[LetterOrigin, LetterMark] = {}
    unreadable: list[str] = []
    with LogReader(settings) as reader:
        bounds = reader.bounds(topic)
        starts = {partition: _start(held, most_records // len(bounds)) for partition, held in bounds.items()}
        for partition, record in _records(reader, topic, starts, bounds, unreadable.append):
            letter = read_letter(partition, record)
            if letter is not None:
                letters[letter.origin] = letter
                continue
            origin, mark = read_mark(record)
            if origin is not None and mark is not None:
                marks[origin] = max(mark, marks.get(origin, mark), key=lambda each: each.at)
    handled = {origin: replace(letter, mark=marks.get(origin)) for origin, letter in letters.items()}
    ordered = dict(sorted(handled.items(), key=lambda item: (item[1].time, item[0])))
    truncated = any(starts[number] > bounds[number].earliest for number in bounds)
    return DeadLetters(ordered, truncated, tuple(unreadable))


def read_letter(partition: int, record: LogRecord) -> DeadLetter | None:
    """Returns the letter in a record of the topic; None if the record is not a letter."""
    headers = _headers(record)
    origin = _origin(headers)
    if REASON not in headers or origin is None:
        return None
    source, account = event_attributes(record.value, record.headers)
    place = LetterPlace(partition, record.offset)
    unread = (headers[REASON], headers.get(ORIGINAL)) == (RejectReason.QUARANTINED, UNREAD)
    return DeadLetter(
        origin,
        place,
        headers[REASON],
        headers.get(DETAIL, ""),
        _time(headers),
        source,
        account,
        left_out=_left_out(headers),
        unread=unread,
    )


def read_mark(record: LogRecord) -> tuple[LetterOrigin | None, LetterMark | None]:
    """Returns the origin of the marked letter and the mark; None for both if the record is not a mark.

    A letter carries the headers of its original, which anybody can write. So `dlq.mark` beside `dlq.reason` is no mark.
    """
    headers = _headers(record)
    kind = headers.get(MARK)
    if REASON in headers or record.value or kind not in set(MarkKind):
        return None, None
    mark = LetterMark(MarkKind(kind), headers.get(MARK_BY, ""), headers.get(MARK_AT, ""), headers.get(MARK_WHY, ""))
    return _origin(headers), mark


def _start(held: Bounds, share: int) -> int:
    return max(held.earliest, held.end - max(share, 1))


def _records(
    reader: LogReader,
    topic: str,
    starts: Mapping[int, int],
    bounds: Mapping[int, Bounds],
    tell: Callable[[str], None],
) -> Iterator[tuple[int, LogRecord]]:
    for partition, start in starts.items():
        for records in reader.read_around(topic, partition, start, bounds[partition].end, tell):
            for record in records:
                yield partition, record


def _headers(record: LogRecord) -> dict[str, str]:
    """Returns the headers as text. The last of several with one name counts: the aggregator adds its own at the end."""
    return {name: (value or b"").decode(errors="replace") for name, value in record.headers}


def _origin(headers: Mapping[str, str]) -> LetterOrigin | None:
    try:
        return LetterOrigin.parse(f"{headers[TOPIC]}/{headers[PARTITION]}/{headers[OFFSET]}", "")
    except (KeyError, ValueError):
        return None


def _time(headers: Mapping[str, str]) -> int:
    try:
        return rfc3339.to_unix(headers[TIME])
    except (KeyError, ValueError, IndexError):
        return 0


def _left_out(headers: Mapping[str, str]) -> str | None:
    if VALUE_LENGTH not in headers:
        return None
    return f"{headers[VALUE_LENGTH]} bytes, SHA-256 {headers.get(VALUE_SHA256, '?')}"


def event_attributes(value: bytes | None, headers: Headers) -> tuple[str | None, str | None]:
    """Returns the `source` and `subject` of a record, even of one that is not a good event; None for a missing one."""
    event = attributes_of(value, headers)
    source, account = (event.get(name) for name in ("source", "subject"))
    return (
        source[:MAX_ID_LENGTH] if isinstance(source, str) else None,
        account[:MAX_ID_LENGTH] if isinstance(account, str) else None,
    )
