"""The dead letters and what became of them: the only place that reads the dead-letter topic for people.

Two kinds of record lie there. A *letter* has the header `dlq.reason`; its identity is its origin, because a refold
writes some letters again. A *mark* has `dlq.mark`, no `dlq.reason` and no value: it says that the letter of an
origin was redriven or discarded, for good, whatever is written again later. Whoever counts letters counts distinct
origins, and open ones unless asked for all.
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
"""Records of the topic that one reading takes at most, newest first: some 20 s and a few hundred megabytes."""


class MarkKind(StrEnum):
    """What became of a letter; part of the topic, so names never change."""

    REDRIVEN = "redriven"
    DISCARDED = "discarded"


class LetterOrigin(NamedTuple):
    """Where a record that could not be counted lies: its dead letter's identity."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"

    @classmethod
    def parse(cls, text: str, topic: str) -> Self:
        """From `topic/partition/offset`, or `partition/offset` of `topic`; ValueError for anything else."""
        parts = text.split("/")
        if len(parts) == 2:
            parts = [topic, *parts]
        if len(parts) != 3 or not parts[0] or not all(part.isdecimal() and part.isascii() for part in parts[1:]):
            raise ValueError(f"{text!r} is not an origin: write topic/partition/offset")
        return cls(parts[0], int(parts[1]), int(parts[2]))


class LetterMark(NamedTuple):
    """By whom and when (RFC 3339) a letter was handled; `why` of a discarded one."""

    kind: MarkKind
    by: str
    at: str
    why: str


class LetterPlace(NamedTuple):
    """Where in the dead-letter topic the bytes are."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One letter, without its bytes.

    Attributes:
        origin: its identity.
        place: where its bytes are.
        reason: why it could not be counted.
        detail: the same for a person; written by whoever wrote the record, so never to be shown unescaped.
        time: append time of the original, Unix seconds; 0 if the header can't be read.
        source: the event's CloudEvents `source`; None where the value can't be parsed or has none.
        account: its `subject`, likewise.
        left_out: what is known of a value that the letter has no room for; None where it has the value.
        mark: what became of it; None while it is open.
        unread: there is no original in it: nobody could read any, and a person has let the shard pass it by.
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

    `truncated`: there were more records than were to be read; `unreadable`: batches of the topic that can't be read.
    """

    letters: Mapping[LetterOrigin, DeadLetter] = field(default_factory=dict)
    truncated: bool = False
    unreadable: tuple[str, ...] = ()

    def open(self) -> list[DeadLetter]:
        """The letters that nobody has redriven or discarded."""
        return [letter for letter in self.letters.values() if letter.mark is None]

    def open_by_reason(self) -> Counter[str]:
        """How many are open, by reason."""
        return Counter(letter.reason for letter in self.open())


def read_dead_letters(settings: KafkaSettings, *, most_records: int = MOST_RECORDS) -> DeadLetters:
    """Reads the dead-letter topic to its end as of now.

    Args:
        settings: where Kafka is.
        most_records: at most so many records, the newest of each partition. A letter whose mark is among those left
            out, and which a refold wrote again, shows as open.

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
    """The letter in a record of the topic; None for a record that is none."""
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
    """The mark in a record, and whose it is; None for a record that is none.

    A letter carries the headers of its original, which anybody can write: `dlq.mark` beside `dlq.reason` is no mark.
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
    """The headers as text. Of several with one name the last counts: the aggregator adds its own at the end."""
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
    """`source` and `subject` of whatever a record is; None for what it does not say."""
    event = attributes_of(value, headers)
    source, account = (event.get(name) for name in ("source", "subject"))
    return (
        source[:MAX_ID_LENGTH] if isinstance(source, str) else None,
        account[:MAX_ID_LENGTH] if isinstance(account, str) else None,
    )
