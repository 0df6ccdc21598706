"""Billing periods and the buckets that belong to each."""

from datetime import UTC, datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from metering.account import Account
from metering.bucket import HOUR_SECONDS, before_subscription, effective_time, hour_of, start_of
from metering.period import Period, hours_of, period_containing

YEARS_2020, YEARS_2040 = 1_577_836_800, 2_208_988_800
TIMES = st.integers(YEARS_2020, YEARS_2040)


def unix(text: str) -> int:
    """The Unix second of an ISO date or date-time in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("time", "hour"), [(0, 0), (3599, 0), (3600, 1), (1_781_956_800, 494_988), (1_781_956_799, 494_987)]
)
def test_a_bucket_is_a_whole_hour_numbered_since_the_epoch(time, hour) -> None:
    """Its first second is in it, the next bucket's is not."""
    assert hour_of(time) == hour
    assert start_of(hour) <= time < start_of(hour + 1)


EFFECTIVE = [
    # subscription start, bucket, effective time, before the subscription
    (None, 10, 36_000, False),
    (36_000, 9, 32_400, True),
    (36_000, 10, 36_000, False),
    (36_001, 10, 36_001, False),
    (39_599, 10, 39_599, False),
    (39_600, 10, 36_000, True),
    (36_001, 11, 39_600, False),
    (36_001, 9, 32_400, True),
    (0, 0, 0, False),
]


@pytest.mark.parametrize(("subscription", "hour", "effective", "before"), EFFECTIVE)
def test_the_bucket_of_the_subscription_start_takes_that_second(subscription, hour, effective, before) -> None:
    """Every other bucket takes its own start; those that ended by then are before the subscription."""
    assert effective_time(hour, subscription) == effective
    assert before_subscription(hour, subscription) is before


PERIODS = [
    # anchor, time, period
    (None, "2026-06-20T12:00:00", "2026-06-01", "2026-07-01"),
    (None, "2026-06-01", "2026-06-01", "2026-07-01"),
    (None, "2026-05-31T23:59:59", "2026-05-01", "2026-06-01"),
    (None, "2026-12-31T23:59:59", "2026-12-01", "2027-01-01"),
    (None, "2027-01-01", "2027-01-01", "2027-02-01"),
    ("2026-01-15T09:00:00", "2026-06-15T08:59:59", "2026-05-15T09:00:00", "2026-06-15T09:00:00"),
    ("2026-01-15T09:00:00", "2026-06-15T09:00:00", "2026-06-15T09:00:00", "2026-07-15T09:00:00"),
    ("2026-01-15T09:00:00", "2026-12-20", "2026-12-15T09:00:00", "2027-01-15T09:00:00"),
    ("2026-01-15T09:00:00", "2027-01-03", "2026-12-15T09:00:00", "2027-01-15T09:00:00"),
    # 31: the last day of a shorter month, and 31 again after it
    ("2026-01-31T10:00:00", "2026-02-15", "2026-01-31T10:00:00", "2026-02-28T10:00:00"),
    ("2026-01-31T10:00:00", "2026-02-28T10:00:00", "2026-02-28T10:00:00", "2026-03-31T10:00:00"),
    ("2026-01-31T10:00:00", "2026-03-31T09:59:59", "2026-02-28T10:00:00", "2026-03-31T10:00:00"),
    ("2026-01-31T10:00:00", "2026-04-30T10:00:00", "2026-04-30T10:00:00", "2026-05-31T10:00:00"),
    ("2026-01-31T10:00:00", "2026-12-31T10:00:00", "2026-12-31T10:00:00", "2027-01-31T10:00:00"),
    # 29 and 30 in February, leap year or not
    ("2023-12-30", "2024-02-29", "2024-02-29", "2024-03-30"),
    ("2023-12-30", "2024-02-28T23:59:59", "2024-01-30", "2024-02-29"),
    ("2023-12-30", "2025-02-28", "2025-02-28", "2025-03-30"),
    ("2024-02-29", "2025-02-28", "2025-02-28", "2025-03-29"),
    ("2024-02-29", "2028-02-29", "2028-02-29", "2028-03-29"),
    ("2024-02-29", "2028-02-28", "2028-01-29", "2028-02-29"),
    # before the anchor itself
    ("2026-01-31T10:00:00", "2025-02-28T09:59:59", "2025-01-31T10:00:00", "2025-02-28T10:00:00"),
    ("2026-06-15", "2026-06-14T23:59:59", "2026-05-15", "2026-06-15"),
    ("2026-06-15", "2024-02-20", "2024-02-15", "2024-03-15"),
    ("2026-03-31", "2026-01-01", "2025-12-31", "2026-01-31"),
    # off the hour
    ("2026-01-31T23:59:59", "2026-02-28T23:59:58", "2026-01-31T23:59:59", "2026-02-28T23:59:59"),
    ("2026-01-31T23:59:59", "2026-02-28T23:59:59", "2026-02-28T23:59:59", "2026-03-31T23:59:59"),
]


@pytest.mark.parametrize(("anchor", "time", "start", "end"), PERIODS)
def test_a_period_runs_from_anchor_day_to_anchor_day(anchor, time, start, end) -> None:
    """At the anchor's time of day, the day clipped to the month's length; without an anchor, a UTC month."""
    period = period_containing(unix(time), unix(anchor) if anchor else None)

    assert period == Period(unix(start), unix(end))


@given(TIMES, st.none() | TIMES)
def test_periods_follow_each_other_without_a_hole(time, anchor) -> None:
    """Every second is in exactly one; a period is 28 to 31 days long."""
    period = period_containing(time, anchor)

    assert period.contains(time)
    assert 28 * 86_400 <= period.end - period.start <= 31 * 86_400
    for inside in (period.start, period.end - 1):
        assert period_containing(inside, anchor) == period
    assert period_containing(period.end, anchor).start == period.end
    assert period_containing(period.start - 1, anchor).end == period.start


@given(TIMES)
def test_a_period_begins_at_the_anchor_itself(anchor) -> None:
    """Whatever day and second the anchor is."""
    assert period_containing(anchor, anchor).start == anchor


def brute_force(period: Period, account: Account) -> list[int]:
    """The definition: the buckets whose effective time lies in the period, none before the subscription."""
    around = range(hour_of(period.start) - 3, hour_of(period.end) + 4)
    return [
        hour
        for hour in around
        if period.contains(effective_time(hour, account.opening))
        and not before_subscription(hour, account.subscription_start)
    ]


NEAR_THE_EDGE = st.integers(-2 * HOUR_SECONDS, 2 * HOUR_SECONDS)


@given(st.data(), TIMES, st.none() | TIMES)
def test_a_period_has_the_buckets_whose_effective_time_lies_in_it(data, time, anchor) -> None:
    """Wherever the subscription starts: inside, before, after, and within hours of either edge."""
    period = period_containing(time, anchor)
    subscription = data.draw(
        st.none()
        | TIMES
        | NEAR_THE_EDGE.map(lambda offset: period.start + offset)
        | NEAR_THE_EDGE.map(lambda offset: period.end + offset)
        | st.integers(period.start, period.end)
    )

    account = Account(anchor=anchor, subscription_start=subscription)
    assert list(hours_of(period, account)) == brute_force(period, account)


@given(TIMES, st.integers(-2, 2))
def test_the_anchor_s_own_hour_belongs_to_the_period_that_begins_there(anchor, months) -> None:
    """A subscription begins at its anchor unless it is told otherwise: what is stamped before would not be billed.

    The rest of the hour of any later boundary stays in the old period, and no hour is in two periods or in none.
    """
    period, account = period_containing(anchor + months * 32 * 86_400, anchor), Account(anchor=anchor)
    following = period_containing(period.end, anchor)

    assert list(hours_of(period, account)) == brute_force(period, account)
    assert hours_of(period, account).stop == hours_of(following, account).start
    if months == 0:
        assert hours_of(period, account).start == hour_of(anchor)


@given(st.data(), TIMES, st.none() | TIMES)
def test_periods_share_out_all_buckets_from_the_subscription_start_on(data, subscription, anchor) -> None:
    """No bucket is in two periods, none is in no period, and none from before the subscription is in any."""
    back = data.draw(st.integers(0, 40))
    period = period_containing(subscription - back * 86_400, anchor)
    hours = []
    for _ in range(4):
        hours += hours_of(period, Account(anchor=anchor, subscription_start=subscription))
        period = period_containing(period.end, anchor)

    assume(hours)
    assert hours == list(range(hour_of(subscription), hours[-1] + 1))


@given(TIMES, st.none() | TIMES)
def test_without_a_subscription_start_periods_share_out_all_buckets(time, anchor) -> None:
    """An anchor off the hour leaves the rest of that hour to the old period."""
    period = period_containing(time, anchor)
    following = period_containing(period.end, anchor)

    assert hours_of(period, None).stop == hours_of(following, None).start
    assert start_of(hours_of(period, None).start) - period.start in range(HOUR_SECONDS)
