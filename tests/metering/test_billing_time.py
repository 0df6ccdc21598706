"""When a bucket may be billed, and at which timestamp."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.account import Account
from metering.billing_time import OLDEST_SECONDS, Stamp, Wait, sendable_until, stamp
from metering.bucket import before_subscription, hour_of, start_of
from metering.period import period_containing

GRACE = 3 * 3600
MARGIN = 15 * 60


def unix(text: str) -> int:
    """The Unix second of an ISO date or date-time in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


JUNE, JULY, AUGUST = unix("2026-06-01"), unix("2026-07-01"), unix("2026-08-01")
CUTOFF = JULY + GRACE - MARGIN
CUSTOMER = Account(customer="cus_1")


def at(text: str) -> int:
    """The bucket of a moment."""
    return hour_of(unix(text))


STAMPS = [
    ("no customer", Account(), "2026-06-20T10:00:00", "2026-06-20T12:00:00", Wait.NO_CUSTOMER),
    ("begun", CUSTOMER, "2026-06-20T12:00:00", "2026-06-20T12:00:00", Stamp(unix("2026-06-20T12:00:00"), False)),
    ("not begun", CUSTOMER, "2026-06-20T12:00:00", "2026-06-20T11:59:59", Wait.NOT_BEGUN),
    ("last month, in its grace", CUSTOMER, "2026-06-30T23:00:00", "2026-07-01T02:44:59", Stamp(JULY - 3600, False)),
    ("last month, closed", CUSTOMER, "2026-06-30T23:00:00", "2026-07-01T02:45:00", Stamp(JULY, True)),
    ("two months ago", CUSTOMER, "2026-06-30T23:00:00", "2026-08-15", Stamp(AUGUST, True)),
    (
        "before the subscription",
        Account(customer="cus_1", subscription_start=unix("2026-06-20T13:00:00")),
        "2026-06-20T12:00:00",
        "2026-06-21",
        Wait.BEFORE_SUBSCRIPTION,
    ),
    (
        "around the subscription start",
        Account(customer="cus_1", subscription_start=unix("2026-06-20T12:20:00")),
        "2026-06-20T12:00:00",
        "2026-06-21",
        Stamp(unix("2026-06-20T12:20:00"), False),
    ),
    (
        "the subscription starts later in this hour",
        Account(customer="cus_1", subscription_start=unix("2026-06-20T12:20:00")),
        "2026-06-20T12:00:00",
        "2026-06-20T12:19:59",
        Wait.NOT_BEGUN,
    ),
    (
        "around the anchor, where a subscription may begin",
        Account(customer="cus_1", anchor=unix("2026-06-15T10:30:00")),
        "2026-06-15T10:00:00",
        "2026-06-15T10:30:00",
        Stamp(unix("2026-06-15T10:30:00"), False),
    ),
    (
        "around the anchor of a subscription that began before",
        Account(customer="cus_1", anchor=unix("2026-06-15T10:30:00"), subscription_start=unix("2026-06-01")),
        "2026-06-15T10:00:00",
        "2026-06-15T10:30:00",
        Stamp(unix("2026-06-15T10:00:00"), False),
    ),
    (
        "the anchor comes later in this hour",
        Account(customer="cus_1", anchor=unix("2026-06-15T10:30:00")),
        "2026-06-15T10:00:00",
        "2026-06-15T10:29:59",
        Wait.NOT_BEGUN,
    ),
    (
        "an anchor off the hour",
        Account(customer="cus_1", anchor=unix("2026-06-15T10:30:00")),
        "2026-07-15T10:00:00",
        "2026-07-15T13:20:00",
        Stamp(unix("2026-07-15T10:30:00"), True),
    ),
    (
        "carried into a period that began before the subscription",
        Account(customer="cus_1", anchor=unix("2026-07-15"), subscription_start=unix("2026-07-20T09:10:00")),
        "2026-07-20T09:00:00",
        "2026-08-15T02:45:00",
        Stamp(unix("2026-08-15"), True),
    ),
]


@pytest.mark.parametrize(
    ("account", "bucket", "now", "expected"), [row[1:] for row in STAMPS], ids=[r[0] for r in STAMPS]
)
def test_a_bucket_is_stamped_with_its_effective_time_until_its_period_is_closed(account, bucket, now, expected) -> None:
    """Then with the start of the current period, and says so; what may not be billed (yet) waits with a reason."""
    assert stamp(at(bucket), account, now=unix(now), grace=GRACE) == expected


def test_a_row_may_be_sent_until_a_quarter_of_an_hour_before_stripe_finalises() -> None:
    """Every timestamp of a period has the same cut-off, except where Stripe's 35 days come first."""
    assert sendable_until(JULY - 1, None, grace=GRACE) == CUTOFF
    assert sendable_until(JUNE + 3600, None, grace=GRACE) == CUTOFF
    assert sendable_until(JULY, None, grace=GRACE) == AUGUST + GRACE - MARGIN


def test_a_timestamp_is_never_sent_when_it_is_older_than_34_days() -> None:
    """However long the grace is: Stripe takes 35."""
    grace = 10 * 86_400

    assert sendable_until(JUNE, None, grace=grace) == JUNE + OLDEST_SECONDS
    assert sendable_until(JULY - 1, None, grace=grace) == JULY + grace - MARGIN


@given(
    hour=st.integers(490_000, 500_000),
    late=st.integers(0, 70 * 86_400),
    anchor=st.none() | st.integers(1_700_000_000, 1_800_000_000),
    start=st.none() | st.integers(490_000 * 3600, 500_000 * 3600),
    grace=st.integers(3600, 3 * 86_400),
)
def test_whatever_is_stamped_can_be_sent_at_once(hour, late, anchor, start, grace) -> None:
    """Not in the future, not before the subscription, in a period that is still open; carried only if it had to be."""
    now = start_of(hour) + late
    account = Account(customer="cus_1", anchor=anchor, subscription_start=start)

    result = stamp(hour, account, now=now, grace=grace)

    if isinstance(result, Wait):
        assert result is (Wait.BEFORE_SUBSCRIPTION if before_subscription(hour, start) else Wait.NOT_BEGUN)
        return
    assert start is None or result.timestamp >= start
    assert result.timestamp <= now < sendable_until(result.timestamp, anchor, grace=grace)
    if result.carried:
        assert result.timestamp == period_containing(now, anchor).start
    else:
        assert hour_of(result.timestamp) == hour
