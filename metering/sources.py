"""Which producers send what can't be counted: seen from the batches that hold rejects."""

import json
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic_core import from_json

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


def source_of(value: bytes | None) -> str:
    """The `source` of a record that may be anything."""
    try:
        source = from_json(value or b"")["source"]
    except (ValueError, TypeError, KeyError):
        return UNREADABLE
    return source[:_SHOWN_CHARACTERS] if isinstance(source, str) and source else UNREADABLE


def tallies(records: Sequence[LogRecord], rejected: Iterable[LogRecord]) -> list[Tally]:
    """Of the sources with rejects among some records, the ones with most: how many events they have there at all.

    Events are found by their source's text, not parsed again: this runs beside the count.
    """
    bad = Counter(source_of(record.value) for record in rejected)
    found = []
    for source, count in bad.most_common(MOST_PER_BATCH):
        text = json.dumps(source).encode()
        events = count if source == UNREADABLE else sum(text in (record.value or b"") for record in records)
        found.append(Tally(source, max(events, count), count))
    return found


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
