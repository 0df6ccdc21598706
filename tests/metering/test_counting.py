"""What a batch of records amounts to, as far as the records alone can tell."""

from array import array
from collections import Counter as Tally
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from metering.counting import Counter, Interval, Mark, UsageBatch, mark_of, usage_batches
from metering.dedupe import BLOCK_MS, block_of
from metering.origin import Origin, origin_headers
from metering.partition import partition_of
from metering.reject import RejectReason
from metering.rfc3339 import from_unix
from tests.metering.events import NOON, NOON_MS, Record, Strange, event, identity
from tests.metering.groups import members_of

PARTITIONS = 4
HOME = partition_of("acme", PARTITIONS)
GROUPS = 256
HOUR = NOON // 3600
ELSEWHERE = next(f"other-{n}" for n in range(50) if partition_of(f"other-{n}", PARTITIONS) != HOME)
NEIGHBOUR = next(f"near-{n}" for n in range(50) if partition_of(f"near-{n}", PARTITIONS) == HOME)


def decide(*records: Record, start: int = 0, end: int | None = None, high_ms: int = 0) -> list[UsageBatch]:
    """The batches of an interval that holds these records."""
    stop = end if end is not None else (records[-1].offset + 1 if records else start)
    interval = Interval(start, stop, records)
    return list(usage_batches(interval, partition=HOME, partitions=PARTITIONS, high_ms=high_ms, set_groups=GROUPS))


def one(*records: Record, **more: int) -> UsageBatch:
    """The same where it must be one batch."""
    (batch,) = decide(*records, **more)
    return batch


def log(*values: bytes | None) -> list[Record]:
    """Records at consecutive offsets, appended at `NOON`."""
    return [Record(offset, value) for offset, value in enumerate(values)]


def totals(batch: UsageBatch) -> dict[Counter, int]:
    """Units by counter, if nothing of the batch is known yet."""
    return dict(zip(batch.counters, batch.units, strict=True))


def remembered(batch: UsageBatch) -> dict[int, tuple[Counter, int]]:
    """Each member with what the script takes back if it knows the member."""
    found = {}
    for index, group in batch.groups.items():
        for member, counter, quantity in members_of(batch, group):
            assert member % GROUPS == index
            found[member] = (counter, quantity)
    return found


def test_events_are_summed_by_account_meter_and_hour() -> None:
    """The hour is the event's, not the log's."""
    batch = one(
        *log(
            event(id="1", data={"quantity": 5}),
            event(id="2", data={"quantity": 7}),
            event(id="3", type="voice.ai"),
            event(id="4", time=from_unix(NOON - 1)),
            event(id="5", subject=NEIGHBOUR),
        )
    )

    assert totals(batch) == {
        Counter("acme", 0, HOUR): 12,
        Counter("acme", 4, HOUR): 1,
        Counter("acme", 0, HOUR - 1): 1,
        Counter(NEIGHBOUR, 0, HOUR): 1,
    }
    assert (batch.read, batch.duplicates, batch.partition, batch.high_ms) == (5, 0, HOME, NOON_MS)


def test_each_identity_travels_with_its_counter_and_quantity() -> None:
    """So that the script can take back what the shard already holds."""
    batch = one(*log(event(id="1", data={"quantity": 10**9}), event(id="2", type="voice.ai")))

    assert remembered(batch) == {
        identity(id="1"): (Counter("acme", 0, HOUR), 10**9),
        identity(id="2", type="voice.ai"): (Counter("acme", 4, HOUR), 1),
    }


def test_corrections_are_little_endian_32_bit_numbers_on_this_machine() -> None:
    """The script unpacks them as `<I4I4`."""
    assert array("I", [1, 2**32 - 1]).tobytes() == b"\x01\0\0\0\xff\xff\xff\xff"


def test_the_first_of_an_identity_within_a_batch_counts() -> None:
    """A repetition adds nothing, whatever it says of time and quantity."""
    batch = one(
        *log(
            event(id="1", data={"quantity": 5}),
            event(id="1", data={"quantity": 9}),
            event(id="1", time=from_unix(NOON - 3600)),
        )
    )

    assert totals(batch) == {Counter("acme", 0, HOUR): 5}
    assert batch.duplicates == 2
    assert len(remembered(batch)) == 1


def test_source_id_meter_and_account_are_one_identity() -> None:
    """One call id may stand for several meters, and one message id for both of its ends."""
    batch = one(
        *log(
            event(id="1"),
            event(id="1", type="voice.ai"),
            event(id="1", subject=NEIGHBOUR),
            event(id="1", source="/other"),
        )
    )

    assert totals(batch) == {Counter("acme", 0, HOUR): 2, Counter("acme", 4, HOUR): 1, Counter(NEIGHBOUR, 0, HOUR): 1}
    assert batch.duplicates == 0


def test_an_event_of_no_units_is_remembered_and_adds_nothing() -> None:
    """An unanswered call: its identity is taken, and what repeats it is a duplicate."""
    batch = one(*log(event(id="1", data={"quantity": 0}), event(id="1", data={"quantity": 3})))

    assert totals(batch) == {Counter("acme", 0, HOUR): 0}
    assert remembered(batch) == {identity(id="1"): (Counter("acme", 0, HOUR), 0)}
    assert (batch.duplicates, batch.rejected) == (1, [])


def test_a_reject_does_not_use_up_its_identity() -> None:
    """A producer that mends its event and sends it again is counted."""
    batch = one(*log(event(id="1", data={"quantity": -1}), event(id="1", data={"quantity": 3})))

    assert totals(batch) == {Counter("acme", 0, HOUR): 3}
    assert [entry.reject.reason for entry in batch.rejected] == [RejectReason.INVALID_QUANTITY]
    assert batch.rejected[0].record.offset == 0


def test_an_event_of_another_partition_is_set_aside() -> None:
    """Each copy of it: they are told apart where they belong. A reject is a reject on any partition."""
    batch = one(
        *log(event(subject=ELSEWHERE), event(subject=ELSEWHERE), event(subject=ELSEWHERE, data={"quantity": -1}))
    )

    assert [(entry.record.offset, entry.account, entry.partition) for entry in batch.misplaced] == [
        (offset, ELSEWHERE, partition_of(ELSEWHERE, PARTITIONS)) for offset in (0, 1)
    ]
    assert len(batch.rejected) == 1
    assert (batch.counters, batch.duplicates, batch.groups) == ([], 0, {})


def test_an_interval_without_records_still_moves_the_fence() -> None:
    """Commit markers and aborted transactions: nothing counted, nothing remembered, the highest time kept."""
    batch = one(start=7, end=12, high_ms=NOON_MS)

    assert (batch.start, batch.end, batch.read, batch.high_ms, batch.last) == (7, 12, 0, NOON_MS, None)
    assert batch.block == block_of(NOON_MS)


def test_offsets_may_jump() -> None:
    """The batch covers the interval, not just the records in it."""
    batch = one(Record(8, event(id="1")), Record(15, event(id="2")), start=5, end=20)

    assert (batch.start, batch.end, batch.read) == (5, 20, 2)


def test_the_mark_is_that_of_the_last_record() -> None:
    """Counted or not."""
    records = log(event(), b"garbage")

    assert one(*records).last == mark_of(records[-1])


def test_a_mark_tells_records_apart() -> None:
    """By offset, time, key and value; a null and an empty value are the same to it, both are dead letters."""
    base = Record(3, b"value", 5, b"key")
    others = [Record(4, b"value", 5, b"key"), Record(3, b"valuf", 5, b"key"), Record(3, b"value", 6, b"key")]

    assert mark_of(base) == Mark(3, 5, 0) or mark_of(base)[:2] == (3, 5)
    assert len({mark_of(record) for record in [base, *others, Record(3, b"value", 5, b"kez")]}) == 5


def test_a_block_boundary_splits_an_interval() -> None:
    """Each half is decided by its own block, because the later one must find what the earlier one remembers."""
    boundary = (block_of(NOON_MS) + 1) * BLOCK_MS
    repeated = event(id="1", time=from_unix(boundary // 1000))
    first, second = decide(Record(0, repeated, boundary - 1), Record(4, repeated, boundary), start=0, end=9)

    assert (first.start, first.end, first.block) == (0, 4, boundary // BLOCK_MS - 1)
    assert (second.start, second.end, second.block) == (4, 9, boundary // BLOCK_MS)
    assert (first.high_ms, second.high_ms) == (boundary - 1, boundary)
    assert (first.duplicates, second.duplicates) == (0, 0)
    assert remembered(first).keys() == remembered(second).keys()


def test_an_interval_may_begin_in_a_new_block() -> None:
    """No empty batch for the old one."""
    boundary = (block_of(NOON_MS) + 1) * BLOCK_MS

    assert one(Record(0, event(), boundary), high_ms=NOON_MS).block == boundary // BLOCK_MS


def test_a_long_silence_skips_blocks() -> None:
    """One batch per block that has records."""
    records = [Record(number, event(), NOON_MS + number * 3 * BLOCK_MS) for number in range(3)]

    assert [batch.block - block_of(NOON_MS) for batch in decide(*records)] == [0, 3, 6]


def test_a_broker_s_clock_that_steps_back_changes_nothing() -> None:
    """Bounds and block go by the highest append time that the shard has seen."""
    too_old = NOON - 34 * 86_400
    records = [Record(0, event(id="1")), Record(1, event(id="2", time=from_unix(too_old - 1)), NOON_MS - BLOCK_MS)]

    batch = one(*records)

    assert [entry.reject.reason for entry in batch.rejected] == [RejectReason.TIME_TOO_OLD]
    assert batch.high_ms == NOON_MS
    assert one(Record(0, event(), 0), high_ms=NOON_MS).high_ms == NOON_MS
    assert one(Record(0, event(), 0), high_ms=NOON_MS).block == block_of(NOON_MS)


def test_a_copy_is_judged_by_its_own_append_time() -> None:
    """Whatever its headers say of its origin: any producer can write them."""
    week_ms = 7 * 86_400_000
    origin = origin_headers(Origin("usage.events", HOME + 1, 7, NOON_MS))
    late = event(id="1", time=from_unix(NOON - 28 * 86_400))

    batch = one(
        Record(0, late, NOON_MS + week_ms, headers=origin),
        Record(1, event(id="2"), NOON_MS + week_ms, headers=origin),
    )

    assert [entry.reject.reason for entry in batch.rejected] == [RejectReason.TIME_TOO_OLD]
    assert remembered(batch).keys() == {identity(id="2")}


VALUES = st.sampled_from(
    [event(id=str(number), data={"quantity": number + 1}) for number in range(4)]
    + [event(subject=ELSEWHERE), event(type="fax"), b"", None, event(subject=NEIGHBOUR, id="n")]
)
GAPS = st.sampled_from([0, 1, 1000, BLOCK_MS // 2, BLOCK_MS, -1000, -BLOCK_MS])


@given(st.lists(st.tuples(VALUES, GAPS, st.integers(1, 3)), max_size=30), st.integers(0, 3), st.integers(0, 3))
def test_every_record_has_exactly_one_fate(steps, before, after) -> None:
    """Read = remembered + repeated + rejected + set aside, batch by batch; and batches follow without a hole."""
    at, appended, records = 10 + before, NOON_MS, []
    for value, gap, jump in steps:
        records.append(Record(at, value, appended := max(0, appended + gap)))
        at += jump

    batches = decide(*records, start=10, end=at + after)

    assert (batches[0].start, batches[-1].end) == (10, at + after)
    assert all(left.end == right.start and left.block < right.block for left, right in pairwise(batches))
    for batch in batches:
        members = remembered(batch)
        assert batch.read == len(members) + batch.duplicates + len(batch.rejected) + len(batch.misplaced)
        assert Tally(totals(batch)) == sum(
            (Tally({counter: quantity}) for counter, quantity in members.values()), start=Tally()
        )
        assert block_of(batch.high_ms) == batch.block
    assert sum(batch.read for batch in batches) == len(records)
    assert batches[-1].high_ms == max([record.timestamp for record in records], default=0)


@given(st.lists(st.tuples(VALUES, GAPS), max_size=20), st.data())
def test_where_the_log_is_cut_does_not_matter(steps, data) -> None:
    """Every record gets the same verdict in one interval as in many, duplicates of earlier batches apart."""
    appended, records = NOON_MS, []
    for offset, (value, gap) in enumerate(steps):
        records.append(Record(offset, value, appended := max(0, appended + gap)))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(records)))) | {0, len(records)})

    whole = decide(*records)
    parts, high_ms = [], 0
    for start, end in pairwise(cuts):
        parts += decide(*records[start:end], start=start, end=end, high_ms=high_ms)
        high_ms = parts[-1].high_ms

    for field in ("rejected", "misplaced"):
        assert [e for batch in whole for e in getattr(batch, field)] == [e for p in parts for e in getattr(p, field)]
    assert {m for batch in whole for m in remembered(batch)} == {m for batch in parts for m in remembered(batch)}


def test_what_nobody_foresaw_is_one_record_s_fate() -> None:
    """The others of its batch are counted, and the letter says what was raised."""
    batch = one(*log(event(id="1"), Strange(b"{"), event(id="2")))

    ((record, reject),) = batch.rejected
    assert (record.offset, reject.reason, reject.detail) == (1, RejectReason.UNREADABLE, "RuntimeError: no such length")
    assert sum(batch.units) == 2
    assert batch.read == 3
