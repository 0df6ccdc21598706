"""Which producers send what can't be counted: seen from the batches that hold rejects."""

import json
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from metering.content_mode import PREFIX, attributes_of
from metering.counting import LogRecord

UNREADABLE = "unreadable"  # the source of what is no JSON object with a source in it
LEAST_EVENTS = 100  # fewer of a source's events say nothing about it
FORGET_AT = 10_000  # events after which a source's past counts half
MOST_SOURCES = 1_000
MOST_PER_BATCH = 16
_SHOWN_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class Tally:
    """Some events of one source, and how many of them were rejected."""

    source: str
    events: int
    rejected: int


def source_of(record: LogRecord) -> str:
    """The `source` of a record that may be anything."""
    source = attributes_of(record.value, record.headers).get("source")
    return source[:_SHOWN_CHARACTERS] if isinstance(source, str) and source else UNREADABLE


def tallies(records: Sequence[LogRecord], rejected: Iterable[LogRecord]) -> list[Tally]:
    """Of the sources with rejects among some records, the ones with most: how many events they have there at all.

    Events are found by their source's text, not parsed again: this runs beside the count.
    """
    bad = Counter(map(source_of, rejected))
    found = []
    for source, count in bad.most_common(MOST_PER_BATCH):
        events = count if source == UNREADABLE else _mentions(source, records)
        found.append(Tally(source, max(events, count), count))
    return found


def _mentions(source: str, records: Iterable[LogRecord]) -> int:
    """How many records are of a source, by its text in the value or, in binary mode, as a header."""
    text, header = json.dumps(source).encode(), (f"{PREFIX}source", source.encode())
    return sum(text in (record.value or b"") or header in record.headers for record in records)


class SourceWatch:
    """Raises an alarm once for each source most of whose events are rejected, and again after it was well."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self.alarmed: set[str] = set()

    def see(self, tally: Tally) -> bool:
        """Adds a tally; True if its source has just become an alarm."""
        events, rejected = self._seen.pop(tally.source, (0, 0))
        events, rejected = events + tally.events, rejected + tally.rejected
        bad = events >= LEAST_EVENTS and 2 * rejected > events
        if events > FORGET_AT:
            events, rejected = events // 2, rejected // 2
        self._seen[tally.source] = (events, rejected)
        if len(self._seen) > MOST_SOURCES:
            forgotten, _ = self._seen.popitem(last=False)
            self.alarmed.discard(forgotten)
        risen = bad and tally.source not in self.alarmed
        (self.alarmed.add if bad else self.alarmed.discard)(tally.source)
        return risen
