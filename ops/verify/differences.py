"""Finds the differences between two counts of the same records. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from metering.bucket import hour_of, start_of
from metering.meters import BY_INDEX
from metering.retention import USAGE_KEPT_SECONDS, told_from
from metering.rfc3339 import from_unix, to_unix
from metering.span import DAY_HOURS, MONTH_DAYS


@dataclass(frozen=True, slots=True, order=True)
class CountDifference:
    """A counter that differs. `place` is a bucket's start or a day, in RFC 3339."""

    shard: int
    account: str
    meter: str
    place: str
    expected: int
    found: int


def first_comparable_hour(earliest: int, first_append_ms: int | None, high_ms: int) -> int:
    """Returns the oldest bucket (hours since 1970) whose events are all in the log; older counters may differ.

    The log may have been cut by retention or by a person. Either way, the cut is not behind the log's first record; the
    result relies on nothing else.

    Args:
        earliest: the log's earliest offset; above 0, its head was cut.
        first_append_ms: the append time of its first record, None for an empty log.
        high_ms: the highest append time that was folded.
    """
    kept = max(0, hour_of(high_ms // 1000 - USAGE_KEPT_SECONDS))
    if earliest == 0:
        return kept
    cut_until_ms = high_ms if first_append_ms is None else first_append_ms
    return max(kept, told_from(cut_until_ms // 1000))


@dataclass(frozen=True, slots=True)
class VerifyScope:
    """The scope of a comparison: the counters of one shard, of buckets from `from_hour` on."""

    shard: int
    from_hour: int

    def hours(
        self, account: str, day: int, expected: Mapping[int, int], found: Mapping[int, int]
    ) -> list[CountDifference]:
        """Compares the counters of one account's day (`ShardKeys.hours`)."""
        differences = []
        for field in sorted(expected.keys() | found.keys()):
            meter, hour_of_day = divmod(field, DAY_HOURS)
            hour = day * DAY_HOURS + hour_of_day
            if hour >= self.from_hour and expected.get(field, 0) != found.get(field, 0):
                place = from_unix(start_of(hour))
                differences.append(self._difference(account, meter, place, expected.get(field, 0), found.get(field, 0)))
        return differences

    def days(
        self, account: str, month: str, expected: Mapping[int, int], found: Mapping[int, int]
    ) -> list[CountDifference]:
        """Compares the day totals of one account's month (`ShardKeys.days`)."""
        differences = []
        for field in sorted(expected.keys() | found.keys()):
            meter, day = divmod(field, MONTH_DAYS)
            place = f"{month[:4]}-{month[4:]}-{day + 1:02}"
            whole = hour_of(to_unix(f"{place}T00:00:00Z")) >= self.from_hour
            if whole and expected.get(field, 0) != found.get(field, 0):
                differences.append(self._difference(account, meter, place, expected.get(field, 0), found.get(field, 0)))
        return differences

    def _difference(self, account: str, meter: int, place: str, expected: int, found: int) -> CountDifference:
        name = BY_INDEX[meter].name if meter in BY_INDEX else f"meter {meter}"
        return CountDifference(self.shard, account, name, place, expected, found)
