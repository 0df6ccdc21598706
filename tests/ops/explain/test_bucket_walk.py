"""The events behind a row: the bucket counted once more, in the log's order."""

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest

from metering.bucket import hour_of
from metering.counting import Counter, Interval, usage_batches
from metering.dedupe import BLOCK_MS, MIN_SETS
from metering.event import read_event
from metering.limits import MAX_FUTURE_MS
from metering.origin import Origin, Place, origin_headers
from metering.partition import partition_of
from metering.rfc3339 import from_unix
from ops.explain.bucket_walk import BucketWalk, CountedEvent, first_append_ms
from tests.metering.events import NOON, NOON_MS, attributes, event
from tests.metering.groups import members_of
from tests.support.log_record import Record

BUCKET = Counter("acme", 0, hour_of(NOON))
PLACE = Place("usage.events", 0)


def records_of(*changes: dict[str, Any]) -> list[Record]:
    """Records, a second apart from noon on."""
    return [Record(at, NOON_MS + at * 1000, event(**each)) for at, each in enumerate(changes)]


def quantity(units: int) -> dict[str, Any]:
    """An event's data."""
    return {"quantity": units}


def walked(records: Sequence[Record], units: int, suspects: Sequence[int] = ()) -> BucketWalk:
    """A walk over all records, for a row with this number of units."""
    walk = BucketWalk(BUCKET, PLACE, 1, units, suspects=suspects)
    walk.take(records)
    return walk


def test_the_last_counted_events_are_the_row_s() -> None:
    """Two events before the row, duplicates, rejects and other buckets between its own."""
    records = records_of(
        {"id": "1", "data": quantity(5)},
        {"id": "2", "data": quantity(7)},
        {"id": "3", "data": quantity(2)},
        {"id": "1", "data": quantity(5)},
        {"id": "4", "type": "voice.ai"},
        {"id": "5", "subject": "other"},
        {"id": "6", "type": "nonsense"},
        {"id": "7", "time": from_unix(NOON - 1)},
        {"id": "8", "data": quantity(3)},
    )
    walk = walked(records, 5)
    assert (walk.total, walk.kept) == (17, 5)
    assert list(walk.events) == [
        CountedEvent(0, 2, NOON_MS + 2000, "3", "/tests", from_unix(NOON), 2),
        CountedEvent(0, 8, NOON_MS + 8000, "8", "/tests", from_unix(NOON), 3),
    ]


def test_a_copy_is_shown_with_its_origin() -> None:
    """Only if the origin can be true: anybody can write the headers."""
    place, origin = Place("usage.events", 0), Origin("usage.events", 2, 7, NOON_MS - 5)
    account = next(name for n in range(99) if partition_of(name := f"a{n}", 3) == 0)
    walk = BucketWalk(Counter(account, 0, hour_of(NOON)), place, 3, 2)
    for offset, told in enumerate((origin, origin._replace(partition=0))):
        value = event(id=str(offset), subject=account)
        walk.take([Record(offset, NOON_MS, value, headers=origin_headers(told))])

    assert [each.origin for each in walk.events] == [origin, None]


def test_an_event_of_no_units_is_behind_no_row() -> None:
    """It adds no units to a row, but its identity is remembered."""
    records = records_of({"id": "1", "data": quantity(0)}, {"id": "1", "data": quantity(3)}, {"id": "2"})
    assert [each.event_id for each in walked(records, 1).events] == ["2"]


def test_events_in_binary_mode_are_behind_rows_too() -> None:
    """Their id and source are headers."""
    headers = [(f"ce_{name}", text.encode()) for name, text in attributes(id="7", source="/sip").items()]
    walk = walked([Record(0, NOON_MS, b"", headers=headers)], 1)
    assert [(each.event_id, each.source) for each in walk.events] == [("7", "/sip")]


def test_no_more_events_are_kept_than_the_row_needs() -> None:
    """Even if the bucket has many more."""
    walk = BucketWalk(BUCKET, PLACE, 1, units=3)
    for at in range(1000):
        walk.take([Record(at, NOON_MS, event(id=str(at)))])
        assert len(walk.events) <= 3
    assert walk.total == 1000


def test_an_event_across_the_watermark_is_seen() -> None:
    """No real row is cut inside an event; if one were, the walk would keep more units than the row has."""
    assert walked(records_of({"id": "1", "data": quantity(9)}), 5).kept == 9


def test_an_identity_counted_in_another_bucket_is_a_duplicate_here() -> None:
    """An id was reused: only a second walk, which watches this bucket's identities everywhere, finds it."""
    records = records_of({"id": "1", "time": from_unix(NOON - 1)}, {"id": "1"}, {"id": "2"})
    first = walked(records, 1)
    assert first.total == 2
    second = walked(records, 1, suspects=list(first.members))
    assert (second.total, [each.event_id for each in second.events]) == (1, ["2"])


@pytest.mark.parametrize(("blocks", "total"), [(5, 1), (6, 2)])
def test_an_identity_is_remembered_for_six_blocks(blocks: int, total: int) -> None:
    """Like the shard, the walk counts a later repetition again."""
    late = from_unix(NOON + (blocks * BLOCK_MS - 20 * 24 * 3600 * 1000) // 1000)
    records = [
        Record(0, NOON_MS, event(id="1")),
        Record(1, NOON_MS + blocks * BLOCK_MS, event(id="1", time=late)),
    ]
    bucket = Counter("acme", 0, hour_of(NOON + (blocks * BLOCK_MS - 20 * 24 * 3600 * 1000) // 1000))
    walk = BucketWalk(bucket, PLACE, 1, 1, suspects=[read_event(records[0].value, NOON_MS).member])
    walk.take(records)
    assert walk.total == total - 1


def test_nothing_of_a_bucket_is_appended_before_its_hour() -> None:
    """An event may be at most five minutes ahead of its record."""
    start = first_append_ms(BUCKET)
    assert start == NOON_MS - MAX_FUTURE_MS
    ahead = {"time": from_unix(NOON)}
    walk = BucketWalk(BUCKET, PLACE, 1, 1)
    walk.take([Record(0, start - 1, event(**ahead)), Record(1, start, event(**ahead))])
    assert [each.offset for each in walk.events] == [1]


def a_log(choose: random.Random) -> Iterator[Record]:
    """Traffic of two accounts in two hours, with duplicates, reused ids and rejects."""
    for at in range(400):
        yield Record(
            at,
            NOON_MS + at * 1000,
            event(
                id=str(choose.randrange(200)),
                subject=choose.choice(("acme", "other")),
                type=choose.choice(("sms.send", "sms.send", "voice.ai", "nonsense")),
                time=from_unix(NOON + choose.choice((0, 1, -3600))),
                data=quantity(choose.randrange(1, 5)),
            ),
        )


@pytest.mark.parametrize("seed", range(20))
def test_every_row_between_two_fences_is_explained(seed: int) -> None:
    """With any batches: the units between two counts are those of the last whole events before the later fence."""
    choose = random.Random(seed)  # noqa: S311
    log = list(a_log(choose))
    counts = fold(log, lambda: choose.randrange(1, 60))
    fences = sorted(counts)
    for before, fence in pairwise(fences):
        value = counts[fence] - counts[before]
        if not value:
            continue
        first = walked(log[:fence], value)
        walk = first if first.total == counts[fence] else walked(log[:fence], value, list(first.members))
        assert (walk.total, walk.kept) == (counts[fence], value)
        assert all(before <= each.offset < fence for each in walk.events)


def fold(log: Sequence[Record], batch: Callable[[], int]) -> dict[int, int]:
    """The bucket's count by fence, as the aggregator makes it: batch by batch, duplicates of earlier ones taken out."""
    known, counts, start = set[int](), {0: 0}, 0
    while start < len(log):
        end = min(len(log), start + batch())
        interval = Interval(start, end, log[start:end])
        total = counts[start]
        for each in usage_batches(interval, partition=0, partitions=1, high_ms=0, set_groups=MIN_SETS):
            for group in each.groups.values():
                for member, counter, units in members_of(each, group):
                    total += units if counter == BUCKET and member not in known else 0
                    known.add(member)
        counts[end] = total
        start = end
    return counts
