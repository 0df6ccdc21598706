"""The recount in memory, and the comparison: case by case."""

import json
from collections.abc import Sequence

import pytest

from ledger.state import Conservation
from metering.dedupe import BLOCK_MS
from metering.origin import Origin, origin_headers
from metering.partition import partition_of
from metering.rfc3339 import from_unix
from ops.rebuild.account_sums import Sums, shrunk
from ops.verify.differences import VerifyScope, first_comparable_hour
from ops.verify.recount import Recount
from tests.metering.events import NOON, NOON_MS, Record, Strange, attributes, event

PARTITIONS = 4
HOME = partition_of("acme", PARTITIONS)
ELSEWHERE = next(f"other-{n}" for n in range(50) if partition_of(f"other-{n}", PARTITIONS) != HOME)
DAY, HOUR = NOON // 86_400, 12


def recounted(*records: Record) -> Recount:
    """A recount of acme's partition."""
    recount = Recount(HOME, PARTITIONS)
    for record in records:
        recount.take(record)
    return recount


def values(*records: bytes) -> Sequence[Record]:
    """Records one after another, appended at noon."""
    return [Record(offset, value) for offset, value in enumerate(records)]


def test_each_record_has_one_fate() -> None:
    """Counted, duplicate, dead-lettered, re-routed."""
    recount = recounted(
        *values(event(id="1"), event(id="1"), event(id="2", source="/b"), b"{", event(subject=ELSEWHERE, id="3"))
    )

    assert recount.conservation() == Conservation(read=5, counted=2, duplicate=1, dead=1, rerouted=1)
    assert recount.hours == {("acme", DAY): {HOUR: 2}}
    assert recount.months() == {("acme", "202606")}
    assert recount.days("acme", "202606") == {19: 2}


def test_what_is_passed_by_has_a_fate_of_its_own() -> None:
    """Every offset counts as a record."""
    recount = recounted(Record(0, event(id="1")))
    recount.pass_by(3)

    assert recount.conservation() == Conservation(4, 1, 0, 0, 0, quarantined=3)


def test_quantities_and_meters_go_to_their_fields() -> None:
    """Meter * 24 + hour, as the hashes in Redis have them."""
    recount = recounted(
        *values(event(id="1", type="voice.ai", data={"quantity": 7}), event(id="2", time="2026-06-20T03:00:00Z"))
    )

    assert recount.hours["acme", DAY] == {4 * 24 + 12: 7, 3: 1}


def test_another_payload_under_the_same_id_is_a_conflict() -> None:
    """The first event counts; a difference in attributes that are not billed is no conflict."""
    first = event(id="1", data={"quantity": 2})
    same = json.dumps(json.loads(first) | {"comment": "again"}).encode()
    recount = recounted(*values(first, same, event(id="1", data={"quantity": 3})))

    assert recount.hours == {("acme", DAY): {HOUR: 2}}
    assert (recount.duplicate, recount.conflicts) == (2, 1)
    (example,) = recount.examples
    assert (example.source, example.event_id, example.offset) == ("/tests", "1", 2)


@pytest.mark.parametrize(("blocks", "counted"), [(0, 1), (5, 1), (6, 2)])
def test_identities_are_remembered_for_the_current_block_and_five_more(blocks: int, counted: int) -> None:
    """As the shard remembers them."""
    later = (NOON_MS // BLOCK_MS + blocks) * BLOCK_MS + BLOCK_MS // 2
    recount = recounted(Record(0, event(id="1")), Record(1, event(id="1", time=_rfc3339(later)), later))

    assert recount.counted == counted


def test_a_copy_is_judged_by_its_own_append_time() -> None:
    """The headers with its origin are only for people."""
    headers = origin_headers(Origin("usage.events", HOME + 1, 7, NOON_MS))
    recount = recounted(
        Record(0, event(id="1"), NOON_MS + 1000, headers=headers),
        Record(1, event(id="1"), NOON_MS + 35 * 86_400_000, headers=headers),
    )

    assert (recount.counted, recount.dead) == (1, 1)


def test_an_identity_is_of_one_meter_and_account() -> None:
    """The same source and id elsewhere is another event, and no conflict."""
    recount = recounted(*values(event(id="1"), event(id="1", type="voice.ai"), event(id="1", source="/b")))

    assert (recount.counted, recount.conflicts) == (3, 0)


def test_an_event_of_no_units_is_counted_and_leaves_no_counter() -> None:
    """As in Redis; a repetition is a duplicate."""
    recount = recounted(*values(event(id="1", data={"quantity": 0}), event(id="1", data={"quantity": 2})))

    assert recount.conservation() == Conservation(read=2, counted=1, duplicate=1, dead=0, rerouted=0)
    assert (recount.hours, recount.months(), recount.conflicts) == ({}, set(), 1)


def test_events_in_binary_mode_are_counted() -> None:
    """Both modes are one event; the conflict names its id."""
    headers = [(f"ce_{name}", value.encode()) for name, value in attributes(id="1").items()]
    recount = recounted(
        Record(0, b'{"quantity": 2}', headers=headers),
        Record(1, event(id="1", data={"quantity": 2})),
        Record(2, b'{"quantity": 3}', headers=headers),
    )

    assert recount.hours == {("acme", DAY): {HOUR: 2}}
    assert [(each.event_id, each.offset) for each in recount.examples] == [("1", 2)]


def test_a_broker_whose_clock_steps_back_changes_nothing() -> None:
    """The highest append time so far counts."""
    recount = recounted(Record(0, event(id="1")), Record(1, event(id="2"), NOON_MS - 40 * 86_400_000))

    assert recount.counted == 2


def test_differences_name_bucket_and_day() -> None:
    """All counters that differ, without buckets that the log no longer holds completely."""
    scope = VerifyScope(3, from_hour=NOON // 3600)
    before_noon, noon, evening = 11, 12, 24 + 20

    (lost, more) = scope.hours("acme", DAY, {before_noon: 9, noon: 5}, {noon: 4, evening: 1})
    assert (lost.place, lost.meter, lost.expected, lost.found) == ("2026-06-20T12:00:00Z", "sms.send", 5, 4)
    assert (more.place, more.meter, more.expected, more.found) == ("2026-06-20T20:00:00Z", "sms.receive", 0, 1)
    assert scope.days("acme", "202606", {19: 1}, {}) == []
    (day,) = scope.days("acme", "202606", {20: 1}, {})
    assert (day.place, day.expected, day.found) == ("2026-06-21", 1, 0)


def test_what_a_cut_log_can_tell() -> None:
    """A whole log: everything that is kept; a cut log: buckets from 35 days after its first record on."""
    hour, days = NOON // 3600, 24
    assert first_comparable_hour(0, NOON_MS, NOON_MS) == hour - 70 * days
    assert first_comparable_hour(7, NOON_MS, NOON_MS + 60 * 86_400_000) == hour + 35 * days + 1
    assert first_comparable_hour(7, None, NOON_MS) == hour + 35 * days + 1
    assert first_comparable_hour(0, None, 0) == 0


def test_what_shrank() -> None:
    """Larger and new sums are no fault."""
    before, after = (
        Sums({("a", "m"): 5, ("b", "m"): 5, ("c", "m"): 1}),
        Sums({("a", "m"): 6, ("b", "m"): 4, ("d", "m"): 1}),
    )

    assert shrunk(before, after) == {("b", "m"): (5, 4), ("c", "m"): (1, 0)}


def _rfc3339(ms: int) -> str:
    """Unix milliseconds as an event's time."""
    return from_unix(ms // 1000)


def test_what_nobody_foresaw_is_a_dead_letter_here_too() -> None:
    """As in the fold: one record never ends a command."""
    found = recounted(Record(0, event(id="1")), Record(1, Strange(b"{")), Record(2, event(id="2")))

    assert found.conservation() == Conservation(read=3, counted=2, duplicate=0, dead=1, rerouted=0)
