"""Buckets: whole UTC hours of event time, numbered since the Unix epoch.

Counting needs nothing but the hour, so that it is a pure function of the log. Which billing period a bucket
belongs to is decided by whoever reads it, from its effective time.
"""

HOUR_SECONDS = 3600


def hour_of(time: int) -> int:
    """The bucket that a Unix time (seconds) falls into."""
    return time // HOUR_SECONDS


def start_of(hour: int) -> int:
    """The bucket's first second."""
    return hour * HOUR_SECONDS


def effective_time(hour: int, opening: int | None) -> int:
    """The second that decides the bucket's billing period, and the timestamp that Stripe is told.

    It is the bucket's start, except that the bucket which contains the account's opening takes that second: Stripe does
    not bill what is stamped earlier than the subscription. Usage is counted by the hour, so that this hour is billed
    whole.
    """
    start = start_of(hour)
    if opening is not None and start < opening < start + HOUR_SECONDS:
        return opening
    return start


def before_subscription(hour: int, subscription_start: int | None) -> bool:
    """True for a bucket that ended before the subscription began: counted and shown, never billed."""
    return subscription_start is not None and start_of(hour) + HOUR_SECONDS <= subscription_start
