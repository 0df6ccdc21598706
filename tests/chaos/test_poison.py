"""What bad records look like on the way to Kafka."""

from random import Random

from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from tests.chaos.log_fates import identity_of
from tests.chaos.poison import NotUtf8, Poison
from tests.chaos.truth import Usage, utc_now
from tests.support.stack import LoggedRecord


def test_a_seed_gives_the_same_records() -> None:
    """Given a seed, its records are always the same; each kind has a reason, and is drawn sooner or later."""
    now = utc_now()
    first, second = (Poison(Random(7), ["a"], lambda: "u1") for _ in range(2))  # noqa: S311

    assert first.each(now) == second.each(now)
    drawn = [first.draw(now) for _ in range(200)]
    assert {bad.reason for bad in drawn} >= {bad.reason for bad in first.each(now)}


def test_a_name_that_is_no_text_is_written() -> None:
    """Given a header whose name is not UTF-8, the batch has just these bytes."""
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=False, producer_id=-1, producer_epoch=-1, base_sequence=-1,
        batch_size=1 << 20,
    )  # fmt: skip
    builder.append(0, 0, b"k", b"v", [(NotUtf8("name"), b"x")])

    batch = bytes(builder.build())
    assert b"\xff\xfename" in batch
    assert DefaultRecordBatch(batch).validate_crc()


def test_both_modes_name_the_same_event() -> None:
    """Given an event in structured and in binary mode, both are the same id, meter and account."""
    usage = Usage("u1", "a", "sms.send", 4, utc_now())
    value, headers = usage.as_binary()

    assert identity_of(LoggedRecord(0, 0, value, dict(headers))) == usage.identity == ("u1", "sms.send", "a")
