"""The time of an event: its forms, and how far it may be from its append time."""

from datetime import UTC, datetime

import pytest

from metering.event import read_event
from metering.reject import RejectReason
from metering.rfc3339 import from_unix
from metering.usage_event import UsageEvent
from tests.metering.events import NOON, NOON_MS, event
from tests.metering.reading import rejected

DAYS_34 = 34 * 24 * 3600
MINUTES_5 = 300


def read(text: object, append_ms: int | None = None) -> int | RejectReason:
    """The Unix second that a time stands for when the event is appended then (or at `append_ms`), or the reason."""
    near = NOON_MS if append_ms is None else append_ms
    result = read_event(event(time=text), near)
    return result.time if isinstance(result, UsageEvent) else result.reason


def unix(*parts: int) -> int:
    """The Unix second of a UTC date and time."""
    return int(datetime(*parts, tzinfo=UTC).timestamp())


FORMS = [
    ("2026-06-20T12:00:00Z", NOON),
    ("2026-06-20T12:00:00z", NOON),
    ("2026-06-20t12:00:00Z", NOON),
    ("2026-06-20T12:00:00+00:00", NOON),
    ("2026-06-20T12:00:00-00:00", NOON),
    ("2026-06-20T14:30:00+02:30", NOON),
    ("2026-06-20T04:15:00-07:45", NOON),
    ("2026-06-21T11:59:00+23:59", NOON),
    ("2026-06-19T12:01:00-23:59", NOON),
    ("2026-06-20T12:00:00.0Z", NOON),
    ("2026-06-20T12:00:00.999999999999Z", NOON),
    ("2026-06-20T12:00:00.5+00:00", NOON),
    ("2026-06-20T11:59:59.999Z", NOON - 1),
]


@pytest.mark.parametrize(("text", "expected"), FORMS)
def test_every_form_of_rfc_3339_is_read_to_the_second(text, expected) -> None:
    """Offsets of any size, lower-case letters, fractions (dropped, never rounded up)."""
    assert read(text) == expected


MALFORMED = [
    "2026-06-20T12:00:00",
    "2026-06-20 12:00:00Z",
    "2026-06-20T12:00Z",
    "2026-06-20",
    "20260620T120000Z",
    "2026-06-20T24:00:00Z",
    "2026-06-20T12:60:00Z",
    "2026-06-20T12:00:61Z",
    "2026-06-20T12:00:00.Z",
    "2026-06-20T12:00:00,5Z",
    "2026-06-20T12:00:00+24:00",
    "2026-06-20T12:00:00+0200",
    "2026-06-20T12:00:00+02",
    "2026-06-20T12:00:00 Z",
    "2026-06-20T12:00:00Z\n",
    " 2026-06-20T12:00:00Z",
    "2026-6-20T12:00:00Z",
    "+2026-06-20T12:00:00Z",
    "-026-06-20T12:00:00Z",
    "0000-01-01T00:00:00Z",
    "2026-00-20T12:00:00Z",
    "2026-13-20T12:00:00Z",
    "2026-06-00T12:00:00Z",
    "2026-06-31T12:00:00Z",
    "2026-02-29T12:00:00Z",
    "2026-02-30T12:00:00Z",
    "1900-02-29T12:00:00Z",
    "\u0662026-06-20T12:00:00Z",  # an Arabic digit
    "1781956800",
    "",
    1_781_956_800,
    1_781_956_800.5,
    None,
]


@pytest.mark.parametrize("text", MALFORMED, ids=repr)
def test_what_rfc_3339_does_not_allow_is_an_invalid_event(text) -> None:
    """A time without an offset, an hour 24, a day that the month lacks, a number: none is guessed at."""
    assert read(text) is RejectReason.INVALID_EVENT


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-02-29T23:30:00Z", unix(2024, 2, 29, 23, 30)),
        ("2000-02-29T00:00:00Z", unix(2000, 2, 29)),
        ("2025-03-01T00:30:00+01:00", unix(2025, 2, 28, 23, 30)),
        ("2024-12-31T23:30:00-01:00", unix(2025, 1, 1, 0, 30)),
        ("1970-01-01T00:00:00Z", 0),
    ],
)
def test_days_are_those_of_the_calendar(text, expected) -> None:
    """Leap years, and offsets that reach into another day, month or year."""
    assert read(text, append_ms=expected * 1000) == expected


LEAP = unix(2016, 12, 31, 23, 59, 59)


@pytest.mark.parametrize(
    "text",
    ["2016-12-31T23:59:60Z", "2016-12-31T23:59:60.9Z", "2017-01-01T00:59:60+01:00", "2016-12-31T15:59:60-08:00"],
)
def test_a_leap_second_stays_in_the_hour_that_it_ends(text) -> None:
    """POSIX time has no place for it: it is read as the second before."""
    assert read(text, append_ms=LEAP * 1000) == LEAP


@pytest.mark.parametrize("text", ["2016-12-31T12:59:60Z", "2016-12-31T23:58:60Z", "2016-12-31T23:59:60+01:00"])
def test_a_second_60_that_ends_no_utc_day_is_an_invalid_event(text) -> None:
    """RFC 3339, section 5.7."""
    assert read(text, append_ms=LEAP * 1000) is RejectReason.INVALID_EVENT


@pytest.mark.parametrize(
    "text",
    [
        "9999-12-31T23:59:59-23:59",
        "9999-12-31T23:59:59-00:01",
        "0001-01-01T00:00:00+01:00",
        "0001-01-01T00:00:00.5+00:01",
    ],
)
@pytest.mark.parametrize("append_ms", [0, NOON_MS, 253_402_300_799_000, 2**62])
def test_a_time_that_its_offset_leads_out_of_the_years_1_to_9999_is_an_invalid_event(text, append_ms) -> None:
    """Python and RFC 3339 have no name for it in UTC."""
    reject = rejected(event(time=text), append_ms)

    assert (reject.reason, "years 1 to 9999" in reject.detail) == (RejectReason.INVALID_EVENT, True)


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59Z", "9999-12-31T23:58:59-00:01", "0001-01-01T00:00:00Z"])
def test_the_first_and_the_last_year_are_times(text) -> None:
    """Too far away, and no fault of their own."""
    assert read(text) in {RejectReason.TIME_TOO_OLD, RejectReason.TIME_IN_FUTURE}


BOUNDS = [
    (DAYS_34 * 1000, NOON),
    (DAYS_34 * 1000 + 1, RejectReason.TIME_TOO_OLD),
    (-MINUTES_5 * 1000, NOON),
    (-MINUTES_5 * 1000 - 1, RejectReason.TIME_IN_FUTURE),
    (0, NOON),
]


@pytest.mark.parametrize(("late_ms", "expected"), BOUNDS)
def test_an_event_is_at_most_34_days_late_and_5_minutes_early(late_ms, expected) -> None:
    """By its append time, to the millisecond of it."""
    assert read(from_unix(NOON), append_ms=NOON_MS + late_ms) == expected


def test_a_fraction_of_a_second_cannot_make_an_event_too_early() -> None:
    """Both bounds look at the whole second that is counted."""
    assert read("2026-06-20T12:00:00.999Z", append_ms=NOON_MS - MINUTES_5 * 1000) == NOON


def test_the_detail_names_the_time() -> None:
    """Who mends the producer sees what it wrote."""
    assert "2020-01-01T00:00:00Z" in rejected(event(time="2020-01-01T00:00:00Z")).detail
    assert len(rejected(event(time=f"2020-01-01T00:00:00.{'0' * 60_000}Z")).detail) < 200
