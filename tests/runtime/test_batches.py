"""What lies in a log, as both Kafka clients read it here: up to what can't be read, and no record lost to a name."""

import gc
import gzip
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from kafka.consumer.fetcher import IsolationLevel

from metering.counting import LogRecord
from runtime import sync_consumer
from runtime.async_batches import Batches, Room, readable_records
from runtime.record_batch import ReplacedName, UnreadableBatchError
from tests.support.raw_batches import ATTRIBUTES_AT, RECORDS_AT, batch, record, with_crc

PLACE = TopicPartition("usage.events", 3)
Change = Callable[[bytearray], bytearray]


@dataclass
class Read:
    """What a client gives of some bytes, and what stopped it."""

    records: Sequence[LogRecord]
    fault: UnreadableBatchError | None

    @property
    def offsets(self) -> list[int]:
        """Of the records."""
        return [each.offset for each in self.records]


def read_async(data: bytes, aborted: Sequence[tuple[int, int]] = ()) -> Read:
    """By aiokafka, which every process reads through."""
    faults: list[UnreadableBatchError] = []
    fetched = PartitionRecords(PLACE, Batches(data), list(aborted), 0, None, None, True, READ_COMMITTED)
    records = list(readable_records(fetched, lambda fault: bool(faults.append(fault)), Room()))
    return Read(records, faults[0] if faults else None)


def read_sync(data: bytes, aborted: Sequence[tuple[int, int]] = ()) -> Read:
    """By kafka-python, which every command reads through."""
    batches = sync_consumer.fetcher.MemoryRecords(data)
    fetched = sync_consumer._PartitionRecords(
        0,
        PLACE,
        batches,
        isolation_level=IsolationLevel.READ_COMMITTED,
        aborted_transactions=[Aborted(*each) for each in aborted],
    )
    records: list[LogRecord] = []
    try:
        while fetched:
            records += fetched.take(100)
    except UnreadableBatchError as fault:
        return Read(records, fault)
    return Read(records, None)


@dataclass
class Aborted:
    """A transaction that was aborted."""

    producer_id: int
    first_offset: int


def log_of(*batches: bytes) -> bytes:
    """The batches one after another, as a broker numbers them."""
    numbered, at = b"", 0
    for each in batches:
        numbered += at.to_bytes(8, "big") + each[8:]
        at += 1 + int.from_bytes(each[ATTRIBUTES_AT + 2 : ATTRIBUTES_AT + 6], "big")
    return numbered


def three(codec: int = 0, pack: Callable[[bytes], bytes] = bytes) -> bytes:
    """A batch of three records."""
    return batch([record(n, b"key", b"value %d" % n, [(b"name", b"text")]) for n in range(3)], codec, pack)


def changed(change: Change) -> bytes:
    """Such a batch, spoiled."""
    return bytes(change(bytearray(three())))


def attributes(codec: int) -> Change:
    """The batch says that it is packed by another codec; its checksum is right."""

    def change(raw: bytearray) -> bytearray:
        raw[ATTRIBUTES_AT + 1] = codec
        return with_crc(raw)

    return change


def number(place: slice, value: int) -> Change:
    """A number in the batch is another; its checksum is right."""

    def change(raw: bytearray) -> bytearray:
        raw[place] = value.to_bytes(place.stop - place.start, "big", signed=True)
        return with_crc(raw)

    return change


def flipped(raw: bytearray) -> bytearray:
    """A bit is another, as a bad disk has it."""
    raw[-3] ^= 1
    return raw


both = pytest.mark.parametrize("read", [read_async, read_sync])
Reader = Callable[..., Read]

# What is wrong, and what is said of it; the third says whether where the batch ends can be believed.
UNREADABLE: dict[str, tuple[bytes, str, int | None]] = {
    "an unknown codec": (changed(attributes(6)), "its codec 6 is unknown", 6),
    "damaged gzip": (changed(attributes(1)), "its gzip data is damaged", 6),
    "damaged snappy": (changed(attributes(2)), "its snappy data is damaged", 6),
    "damaged lz4": (changed(attributes(3)), "its lz4 data is damaged", 6),
    "damaged zstd": (changed(attributes(4)), "its zstd data is damaged", 6),
    "a bomb": (three(1, lambda _: gzip.compress(bytes(65 * 1024 * 1024))), "unpacks to more than 67108864 bytes", 6),
    "a wrong checksum": (changed(flipped), "its checksum (CRC-32C) is wrong", 6),
    "a key that ends elsewhere": (changed(number(slice(RECORDS_AT + 4, RECORDS_AT + 5), 100)), "", 6),
    "more records than it has": (changed(number(slice(RECORDS_AT - 4, RECORDS_AT), 4)), "", 6),
    "a length too small": (changed(number(slice(8, 12), 3)), "it is not whole", None),
}


@both
@pytest.mark.parametrize(("bad", "why", "end"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_lies_before_an_unreadable_batch_is_read(read: Reader, bad: bytes, why: str, end: int | None) -> None:
    """Then it is said which batch it is, what is wrong with it, and where what follows it begins."""
    found = read(log_of(three(), bad, three()))

    assert found.offsets[:3] == [0, 1, 2]
    assert set(found.offsets) <= set(range(6))
    assert found.fault is not None
    assert (found.fault.start, found.fault.end) == (3, end)
    assert why in str(found.fault)
    assert str(found.fault.at(*PLACE)).startswith("usage.events-3: the batch at offset 3 can't be read: ")


@both
def test_where_a_damaged_batch_ends_is_not_its_own_to_say(read: Reader) -> None:
    """A last one that nothing follows yet may end anywhere."""
    far = changed(lambda raw: flipped(number(slice(ATTRIBUTES_AT + 2, ATTRIBUTES_AT + 6), 1 << 30)(raw)))

    last = read(log_of(three(), changed(flipped)))
    followed = read(log_of(three(), far)[: -len(far)] + (3).to_bytes(8, "big") + far[8:] + numbered(three(), 6))

    assert last.fault is not None
    assert (last.fault.start, last.fault.end) == (3, None)
    assert followed.fault is not None
    assert (followed.fault.start, followed.fault.end) == (3, 6)


def numbered(raw: bytes, offset: int) -> bytes:
    """The batch at an offset."""
    return offset.to_bytes(8, "big") + raw[8:]


@both
def test_what_a_broker_cut_off_comes_with_the_next_answer(read: Reader) -> None:
    """It counts bytes. But the first batch is always whole."""
    whole = log_of(three(), three())

    cut = read(whole[:-1])
    first = read(log_of(three())[:-1])

    assert (cut.offsets, cut.fault) == ([0, 1, 2], None)
    assert first.fault is not None
    assert (first.fault.start, first.fault.end) == (0, None)
    assert "it is not whole" in str(first.fault)


@both
@pytest.mark.parametrize(("codec", "pack"), [(0, bytes), (1, gzip.compress)], ids=["plain", "gzip"])
def test_a_name_that_is_not_utf_8_costs_no_record(read: Reader, codec: int, pack: Callable[[bytes], bytes]) -> None:
    """It is given with escapes, and can be told from one that a producer has written so."""
    records = [
        record(0, b"key", b"first", [(b"fine", b"1")]),
        record(1, b"key", b"second", [(b"bad \xff", b"2"), (b"null", None)]),
        record(2, None, None, [("größer".encode(), b"3")]),
    ]

    found = read(log_of(three(codec, pack), batch(records, codec, pack), three(codec, pack)))

    assert found.fault is None
    assert found.offsets == list(range(9))
    assert [(each.key, each.value) for each in found.records[3:6]] == [
        (b"key", b"first"),
        (b"key", b"second"),
        (None, None),
    ]
    assert [list(each.headers) for each in found.records[3:6]] == [
        [("fine", b"1")],
        [("bad \\xff", b"2"), ("null", None)],
        [("größer", b"3")],
    ]
    names = [name for each in found.records for name, _ in each.headers]
    assert [name for name in names if isinstance(name, ReplacedName)] == ["bad \\xff"]


@both
def test_what_was_aborted_need_not_be_readable(read: Reader) -> None:
    """A transaction that came to nothing is nothing to stop at."""
    transactional, producer_id = 0x10, 77

    def of_transaction(raw: bytearray) -> bytearray:
        raw[ATTRIBUTES_AT + 1] = transactional | 6
        raw[43:51] = producer_id.to_bytes(8, "big")
        return with_crc(raw)

    found = read(log_of(three(), changed(of_transaction), three()), [(producer_id, 3)])

    assert found.fault is None
    assert found.offsets == [0, 1, 2, 6, 7, 8]


def test_a_reader_may_pass_by_what_can_not_be_read() -> None:
    """Where it ends is known; that of which it is not holds everybody up."""
    damaged_last = log_of(three(), changed(flipped), three(), changed(attributes(7)), three(), changed(flipped))
    met: list[UnreadableBatchError] = []
    fetched = PartitionRecords(PLACE, Batches(damaged_last), [], 0, None, None, True, READ_COMMITTED)

    records = list(readable_records(fetched, lambda fault: met.append(fault) or True, Room()))

    assert [each.offset for each in records] == [0, 1, 2, 6, 7, 8, 12, 13, 14]
    assert [(each.start, each.end) for each in met] == [(3, 6), (9, 12), (15, None)]
    assert fetched.next_fetch_offset == 15


def test_what_was_fetched_ahead_is_given_back_as_soon_as_nobody_wants_it() -> None:
    """After a seek: it is megabytes, aiokafka keeps it in a cycle, and garbage is collected seldom."""
    fetched = PartitionRecords(PLACE, Batches(log_of(three(), three())), [], 0, None, None, True, READ_COMMITTED)
    gone = weakref.ref(fetched)
    ahead = readable_records(fetched, lambda _: False, Room())
    gc.disable()
    try:
        assert next(ahead).offset == 0
        del fetched, ahead
        assert gone() is None
    finally:
        gc.enable()


LARGE = batch([record(0, b"key", bytes(40 * 1024 * 1024))], 1, gzip.compress)


def test_one_read_unpacks_no_more_than_one_batch_may_come_to_and_another() -> None:
    """Of all partitions together: what is left is where the position is, for the next read."""
    room = Room()
    fetched = [
        PartitionRecords(TopicPartition("t", n), Batches(log_of(*[LARGE] * 5)), [], 0, None, None, True, READ_COMMITTED)
        for n in range(3)
    ]

    reads = [[each.offset for each in readable_records(records, lambda _: False, room)] for records in fetched]
    room.refill()
    rest = log_of(*[LARGE] * 5)[2 * len(LARGE) :]
    again = PartitionRecords(PLACE, Batches(rest), [], 2, None, None, True, READ_COMMITTED)

    assert reads == [[0, 1], [], []]
    assert [records.next_fetch_offset for records in fetched] == [2, 0, 0]
    assert next(readable_records(again, lambda _: False, room)).offset == 2


def test_a_command_reads_no_more_of_one_answer() -> None:
    """One partition at a time."""
    fetched = sync_consumer._PartitionRecords(0, PLACE, sync_consumer.fetcher.MemoryRecords(log_of(*[LARGE] * 5)))

    assert [each.offset for each in fetched.take(100)] == [0, 1]
    assert fetched.next_fetch_offset == 2
