"""Copies of records that were found on the wrong partition: some clients hash keys differently than Kafka's own."""

from dataclasses import replace
from functools import partial

from aggregator.folds.dead_letters import dead_letter, readable_headers
from aggregator.publisher import Message
from metering.content_mode import CONTENT_TYPE, PREFIX
from metering.counting import LogRecord, Misplaced
from metering.origin import Origin, Place, origin_headers, origin_of, without_origin
from metering.reject import Reject, RejectReason, unreadable

ORIGIN_HEADERS = "origin.headers"
"""What became of the original's headers, if they are not here as they were: `renamed` (not UTF-8) or `left out`."""

OF_THE_EVENT = (PREFIX, CONTENT_TYPE)
"""How the headers begin that CloudEvents says something of an event in (Kafka protocol binding 1.0, section 3.2)."""
_TOO_LARGE = "its account belongs to partition {}, and Kafka takes no copy for there, not even without its headers"


def rerouted_copy(place: Place, misplaced: Misplaced, dead_letters: str) -> Message:
    """The copy for the right partition, with its origin in headers; a copy of a copy keeps the first origin.

    Where Kafka takes it for too large, it is written without headers that say nothing of the event; where Kafka takes
    not even that, a dead letter is.
    """
    try:
        return _copy(place, misplaced, dead_letters)
    except Exception as error:
        return dead_letter(dead_letters, place.topic, place.partition, misplaced.record, unreadable(error))


def _copy(place: Place, misplaced: Misplaced, dead_letters: str) -> Message:
    record = misplaced.record
    headers, replaced = readable_headers(record)
    headers, own = without_origin(headers), origin_headers(_origin(place, record))
    said = [(ORIGIN_HEADERS, b"renamed")] if replaced else []
    copy = Message(place.topic, misplaced.account.encode(), record.value, [*headers, *own, *said], misplaced.partition)
    needed = [(name, value) for name, value in headers if name.startswith(OF_THE_EVENT)]
    reject = Reject(RejectReason.TOO_LARGE, _TOO_LARGE.format(misplaced.partition))
    letter = partial(dead_letter, dead_letters, place.topic, place.partition, record, reject)
    small = replace(copy, headers=[*needed, *own, (ORIGIN_HEADERS, b"left out")], instead=letter)
    return replace(copy, instead=lambda: small)


def _origin(place: Place, record: LogRecord) -> Origin:
    """Where the event was published, as far as headers can be believed; what they say otherwise is written over."""
    own = Origin(place.topic, place.partition, record.offset, record.timestamp)
    return origin_of(record.headers, record.timestamp, place) or own
