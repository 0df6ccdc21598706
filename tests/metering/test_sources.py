"""Producers whose events are mostly rejected."""

import pytest

from metering.sources import FORGET_AT, LEAST_EVENTS, MOST_SOURCES, UNREADABLE, SourceWatch, Tally, source_of, tallies
from tests.metering.events import Record, event


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, UNREADABLE),
        (b"{", UNREADABLE),
        (b"[1]", UNREADABLE),
        (b'{"source": 5}', UNREADABLE),
        (b'{"source": ""}', UNREADABLE),
        (b'{"source": "/sms"}', "/sms"),
        (b'{"source": "' + b"x" * 300 + b'"}', "x" * 100),
    ],
)
def test_the_source_of_anything(value: bytes | None, expected: str) -> None:
    """What can't be read has a name of its own."""
    assert source_of(Record(0, value)) == expected


def test_the_source_in_binary_mode_is_a_header() -> None:
    """The value says nothing of it."""
    named = [("ce_source", b"/sms")]
    assert source_of(Record(0, b'{"source": "/other"}', headers=named)) == "/sms"
    assert source_of(Record(0, b"", headers=[("ce_type", b"fax")])) == UNREADABLE

    records = [Record(number, b"", headers=named) for number in range(3)]
    assert tallies([*records, Record(9, event(source="/sms"))], records[:1]) == [Tally("/sms", 4, 1)]


def test_a_tally_counts_a_source_s_good_events_too() -> None:
    """Only of sources with rejects: the others cost nothing."""
    good = [Record(n, event(id=str(n), source="/sms")) for n in range(3)]
    bad = [Record(9, event(source="/sms", type="fax")), Record(10, b"{")]
    other = [Record(11, event(source="/voice"))]

    found = tallies([*good, *bad, *other], bad)

    assert sorted(found, key=lambda tally: tally.source) == [Tally("/sms", 4, 1), Tally(UNREADABLE, 1, 1)]


@pytest.mark.parametrize(
    ("seen", "alarms"),
    [
        ([(LEAST_EVENTS - 1, LEAST_EVENTS - 1)], [False]),
        ([(LEAST_EVENTS, LEAST_EVENTS // 2)], [False]),
        ([(LEAST_EVENTS, LEAST_EVENTS // 2 + 1)], [True]),
        ([(60, 60), (60, 60), (60, 60)], [False, True, False]),
        ([(100, 100), (1_000, 0), (5_000, 5_000)], [True, False, True]),
        ([(2 * FORGET_AT, 0), (2 * FORGET_AT, 2 * FORGET_AT)], [False, True]),
    ],
)
def test_an_alarm_rises_once(seen: list[tuple[int, int]], alarms: list[bool]) -> None:
    """When most of a source's events are rejected; again only after it was well in between."""
    watch = SourceWatch()
    assert [watch.see(Tally("/sms", *counts)) for counts in seen] == alarms


def test_sources_are_bounded() -> None:
    """A producer that makes sources up costs no memory."""
    watch = SourceWatch()
    for number in range(2 * MOST_SOURCES):
        watch.see(Tally(f"/{number}", LEAST_EVENTS, LEAST_EVENTS))
    assert len(watch.alarmed) == MOST_SOURCES
