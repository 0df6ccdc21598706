"""The disk spool: in order, bounded, one owner, and nothing lost that was accepted."""

import errno
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony_billing_producers import SpoolClosedError, SpoolFullError, SpoolLockedError
from telephony_billing_producers._event import UsageRecord
from telephony_billing_producers._spool.segment import read_segment
from telephony_billing_producers._spool.spool import Spool
from telephony_billing_producers.errors import SpoolCorruptError


def record(number: int, size: int = 0) -> UsageRecord:
    """A record with a number in its value, which is padded to `size` bytes."""
    return UsageRecord(f"account-{number}".encode(), f'{{"id":"{number}"}}'.ljust(size).encode())


def drain(spool: Spool) -> list[UsageRecord]:
    """Removes all events, segment by segment, as after an acknowledgement."""
    records: list[UsageRecord] = []
    while (segment := spool.oldest()) is not None:
        records += read_segment(segment.path)
        spool.discard(segment)
    return records


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory that doesn't exist yet."""
    return tmp_path / "var" / "spool"


def test_records_come_out_in_the_order_in_which_they_went_in(directory: Path) -> None:
    """Over several segments, with appends between two rounds of sending."""
    spool = Spool(directory, segment_bytes=200)
    spool.append([record(number) for number in range(20)])
    first = spool.oldest()
    assert first is not None
    begun = read_segment(first.path)
    spool.append([record(20)])
    spool.discard(first)

    rest = drain(spool)

    assert begun + rest == [record(number) for number in range(21)]
    assert (spool.events, spool.size, list(directory.glob("*.jsonl"))) == (0, 0, [])
    spool.close()


def test_what_waits_is_found_by_the_next_owner(directory: Path) -> None:
    """A spool that was closed, or whose process died, is read from its start by the next one, and grows on."""
    spool = Spool(directory)
    spool.append([record(1), record(2)])
    spool.close()

    again = Spool(directory)
    again.append([record(3)])

    assert again.events == 3
    assert again.size == sum(path.stat().st_size for path in directory.glob("*.jsonl"))
    assert drain(again) == [record(1), record(2), record(3)]
    again.close()


def test_a_segment_that_was_not_discarded_is_sent_again(directory: Path) -> None:
    """A crash between sending and acknowledgement repeats the whole segment; the platform knows the duplicates."""
    spool = Spool(directory)
    spool.append([record(1), record(2)])
    assert spool.oldest() is not None
    spool.close()

    again = Spool(directory)

    assert drain(again) == [record(1), record(2)]
    again.close()


def test_a_torn_last_line_is_left_out_wherever_it_was_torn(directory: Path) -> None:
    """A line without its end is one that append did not return for; everything before it is kept."""
    spool = Spool(directory)
    spool.append([record(1), record(2)])
    spool.close()
    (path,) = directory.glob("*.jsonl")
    content = path.read_bytes()
    second_line = content.index(b"\n") + 1

    for cut in range(second_line, len(content)):
        path.write_bytes(content[:cut])
        torn = Spool(directory)
        assert torn.events == 1
        torn.close()
        assert read_segment(path) == [record(1)]


def test_a_segment_with_nothing_but_a_torn_line_is_removed(directory: Path) -> None:
    """It holds no accepted event."""
    directory.mkdir(parents=True)
    (directory / f"{1:020d}.jsonl").write_bytes(b'{"key":"acc')

    spool = Spool(directory)

    assert spool.events == 0
    assert spool.oldest() is None
    spool.close()


@pytest.mark.parametrize("line", [b"\0\0\0", b"{}", b'["key"]', b'{"key":"a","value":1}', b"\xff", b""])
def test_a_complete_line_that_is_no_record_stops_the_start(directory: Path, line: bytes) -> None:
    """It may have been an accepted event, so it is never skipped: the error names the file and the line."""
    spool = Spool(directory)
    spool.append([record(1)])
    spool.close()
    (path,) = directory.glob("*.jsonl")
    path.write_bytes(path.read_bytes() + line + b"\n")

    with pytest.raises(SpoolCorruptError, match=rf"{path.name}, line 2"):
        Spool(directory)

    path.unlink()
    Spool(directory).close()  # the failed start kept no lock


def test_a_full_spool_refuses_all_of_an_append_or_nothing(directory: Path) -> None:
    """The error says what to do; after the acknowledgement of a segment there is room again."""
    spool = Spool(directory, max_bytes=500)
    spool.append([record(1, size=300)])

    with pytest.raises(SpoolFullError, match="bring Kafka back"):
        spool.append([record(2), record(3, size=300)])

    assert drain(spool) == [record(1, size=300)]
    spool.append([record(3, size=300)])
    assert spool.events == 1
    spool.close()


def test_what_was_accepted_before_may_pass_the_bound(directory: Path) -> None:
    """Events that were in flight when Kafka went away are never refused by the spool's bound."""
    spool = Spool(directory, max_bytes=10)

    spool.append([record(1)], bounded=False)

    assert drain(spool) == [record(1)]
    spool.close()


def test_a_spool_has_one_owner(directory: Path) -> None:
    """A second one, in this process or another, is refused until the first has closed."""
    spool = Spool(directory)

    with pytest.raises(SpoolLockedError, match="used by another emitter"):
        Spool(directory)

    spool.close()
    Spool(directory).close()


def test_a_closed_spool_takes_nothing(directory: Path) -> None:
    """Whoever emits after the end hears of it."""
    spool = Spool(directory)
    spool.close()
    spool.close()

    with pytest.raises(SpoolClosedError):
        spool.append([record(1)])


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """A disk that refuses in the middle of a write: the kernel's limit on a file's size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("before", [0, 2])
def test_a_disk_that_refuses_leaves_the_spool_whole(directory: Path, before: int) -> None:
    """The append fails, its part of a line is cut off, and the spool goes on once the disk takes writes again."""
    kept = [record(number, size=100) for number in range(before)]
    spool = Spool(directory)
    spool.append(kept)

    with files_at_most(spool.size + 50), pytest.raises(OSError, match=r".") as refusal:
        spool.append([record(7, size=100)])

    assert refusal.value.errno == errno.EFBIG
    assert spool.events == before
    spool.append([record(8, size=100)])
    assert spool.size == sum(path.stat().st_size for path in directory.glob("*.jsonl"))
    assert drain(spool) == [*kept, record(8, size=100)]
    spool.close()


@given(
    keys=st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=5),
    value=st.text(st.characters(exclude_categories=["Cs"])),
)
def test_any_text_survives_the_spool(tmp_path_factory: pytest.TempPathFactory, keys: list[str], value: str) -> None:
    """Quotes, newlines and every plane of Unicode come back byte for byte."""
    records = [UsageRecord(key.encode(), value.encode()) for key in keys]
    spool = Spool(tmp_path_factory.mktemp("spool"))

    spool.append(records)

    assert drain(spool) == records
    spool.close()
