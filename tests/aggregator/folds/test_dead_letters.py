"""Dead letters: whatever a record is, its letter can be written, and keeps as much of it as there is room for."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import example, given
from hypothesis import strategies as st

from aggregator.folds.dead_letters import OF_THE_ORIGINAL, dead_letter
from aggregator.publisher import Message
from metering.reject import Reject, RejectReason
from metering.rfc3339 import PATTERN
from runtime.record_batch import ReplacedName
from runtime.topics import DEAD_LETTER_MAX_BYTES
from tests.metering.events import Record

WRONG = Reject(RejectReason.INVALID_EVENT, "wrong")
MIB = 1024 * 1024
ROOM = 8_000  # in which properties are looked for; what a letter has of its own takes less

parts = st.none() | st.binary(max_size=20) | st.integers(0, 2 * ROOM).map(bytes)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
headers = st.tuples(names | names.map(ReplacedName) | st.sampled_from(OF_THE_ORIGINAL), parts)


def letter(record: Record, reject: Reject = WRONG, most: int = DEAD_LETTER_MAX_BYTES) -> Message:
    """The record's dead letter."""
    return dead_letter("dead", "usage", 3, record, reject, most)


def size(message: Message) -> int:
    """What the client compares with its limit."""
    return int(DefaultRecordBatchBuilder.estimate_size_in_bytes(message.key, message.value, list(message.headers)))


def said(message: Message) -> dict[str, bytes | None]:
    """The headers; of several with one name the last counts."""
    return dict(message.headers)


def left_out(message: Message) -> set[str]:
    """The parts that are not there."""
    return {name.split(".")[1] for name in said(message) if name.endswith(".sha256") and name in OF_THE_ORIGINAL}


@given(
    key=parts,
    value=parts,
    headers=st.lists(headers, max_size=5),
    timestamp=st.integers(-(2**63), 2**63 - 1),
    detail=st.text(max_size=2_000),
)
@example(key=None, value=None, headers=[], timestamp=-1, detail="")
@example(key=bytes(ROOM), value=None, headers=[], timestamp=0, detail="\ud800")
@example(key=b"", value=b"", headers=[("h", bytes(ROOM))] * 5, timestamp=0, detail="ü" * 2_000)
def test_every_record_has_a_letter_that_can_be_written(key, value, headers, timestamp, detail) -> None:
    """It has a key or a value, names that are UTF-8, and no more bytes than there may be."""
    written = letter(Record(7, value, timestamp, key, headers), Reject(RejectReason.INVALID_EVENT, detail), ROOM)

    for message in (written, *([] if written.instead is None else [written.instead()])):
        assert size(message) <= ROOM
        assert message.key is not None or message.value is not None
        assert all(type(name) is str and name.encode() is not None for name, _ in message.headers)
        told = said(message)
        assert (told["dlq.reason"], told["dlq.topic"], told["dlq.offset"]) == (b"invalid_event", b"usage", b"7")
        assert re.match(PATTERN, told["dlq.time"].decode())


@given(key=parts, value=parts, headers=st.lists(headers, max_size=3))
def test_each_part_is_there_or_its_length_and_hash_are(key, value, headers) -> None:
    """Nothing is cut in two, and nothing of a producer's passes for our word."""
    written = letter(Record(7, value, 0, key, headers), most=ROOM)
    gone, told = left_out(written), said(written)
    expected = [(str(name), content) for name, content in headers if name not in OF_THE_ORIGINAL]

    assert list(written.headers)[: len(expected)] == expected or "headers" in gone
    assert written.key == key or "key" in gone
    assert written.value == value or "value" in gone or (written.value, told["dlq.value"]) == (b"", b"null")
    for part, content in (("key", key), ("value", value)):
        if part in gone:
            assert told[f"dlq.{part}.length"] == str(len(content or b"")).encode()
            assert told[f"dlq.{part}.sha256"] == sha256(content or b"").hexdigest().encode()


@dataclass
class Case:
    """A record too large, and what its letter goes without."""

    record: Record
    without: set[str]


LARGE = {
    "3 MiB of value": Case(Record(7, bytes(3 * MIB), key=b"k", headers=[("h", b"x")]), {"value"}),
    "a key of 1 MB": Case(Record(7, b"x" * MIB, key=bytes(1_000_000)), set()),
    "key and value that don't fit together": Case(
        Record(7, bytes(MIB), key=bytes(MIB), headers=[("h", b"x")]), {"key"}
    ),
    "10,000 headers": Case(Record(7, b"{", headers=[(f"header-{n}", b"x" * 50) for n in range(10_000)]), set()),
    "3 MiB of headers": Case(Record(7, b"{", key=b"k", headers=[("h", bytes(MIB))] * 3), {"headers"}),
    "too much of everything": Case(
        Record(7, bytes(3 * MIB), key=bytes(3 * MIB), headers=[("h", bytes(3 * MIB))]), {"key", "value", "headers"}
    ),
}


@pytest.mark.parametrize("case", LARGE.values(), ids=LARGE)
def test_what_is_in_the_way_is_left_out(case: Case) -> None:
    """And nothing else."""
    assert left_out(letter(case.record)) == case.without


def test_what_kafka_refuses_all_the_same_is_written_bare() -> None:
    """A topic may take less than it should. The bare letter is the last word."""
    written = letter(Record(7, b"value", key=b"key", headers=[("h", b"x")]))
    assert written.instead is not None

    bare = written.instead()

    assert left_out(bare) == {"key", "value", "headers"}
    assert (bare.key, bare.value, bare.instead) == (None, b"", None)
    assert said(bare)["dlq.value.length"] == b"5"


def test_a_name_that_was_replaced_is_said_to_be() -> None:
    """One that a producer has written with the same characters is not."""
    bad, fine = (ReplacedName("\\xff"), b"1"), ("\\xff", b"2")

    both, none = letter(Record(7, b"{", headers=[bad, fine])), letter(Record(7, b"{", headers=[fine]))

    assert list(both.headers)[:2] == [("\\xff", b"1"), ("\\xff", b"2")]
    assert said(both)["dlq.headers.renamed"] == b"1"
    assert "dlq.headers.renamed" not in said(none)


class Strange(Record):
    """What nobody foresaw: a record one of whose parts can't even be looked at."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:  # type: ignore[override]
        """Fails."""
        raise RuntimeError("no such thing")


def test_what_nobody_foresaw_has_a_letter_too() -> None:
    """With its origin, and the error for whoever mends us."""
    strange = object.__new__(Strange)
    for name, content in {"offset": 7, "value": b"{", "timestamp": 0, "key": None}.items():
        object.__setattr__(strange, name, content)

    told = said(letter(strange))

    assert (told["dlq.reason"], told["dlq.detail"]) == (b"unreadable", b"RuntimeError: no such thing")
    assert told["dlq.offset"] == b"7"


def test_a_letter_compares_by_what_is_written() -> None:
    """A refold writes the very same one."""
    record = Record(7, b"{")
    assert letter(record) == letter(replace(record))
