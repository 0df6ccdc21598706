"""The words for an error: what it is, and what to do about it, not about something else."""

import pytest
from kafka.errors import (
    CorruptRecordError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    SaslAuthenticationFailedError,
    TopicAuthorizationFailedError,
    UnsupportedCodecError,
)

from runtime.failing import explain
from runtime.record_batch import UnreadableBatchError
from stripe_sync.errors import UnreadablePushLogError

ADDRESS = "BILLING_KAFKA_BOOTSTRAP_SERVERS"


@pytest.mark.parametrize(
    "error",
    [
        KafkaConnectionError("refused"),
        KafkaTimeoutError("bootstrap"),
        SaslAuthenticationFailedError("wrong password"),
        TopicAuthorizationFailedError("usage.events"),
    ],
    ids=repr,
)
def test_who_can_not_get_there_is_told_to_look_at_the_address(error: KafkaError) -> None:
    """And at the password."""
    assert ADDRESS in (explain(error) or "")


@pytest.mark.parametrize(
    "error", [UnsupportedCodecError("lz4"), CorruptRecordError("at 7"), MessageSizeTooLargeError()], ids=repr
)
def test_what_kafka_answers_is_not_blamed_on_its_address(error: KafkaError) -> None:
    """It was reached."""
    told = explain(error) or ""

    assert type(error).__name__ in told
    assert ADDRESS not in told


def test_a_batch_that_can_not_be_read_is_named() -> None:
    """By its log and its offset, in one line; wherever it is met."""
    unreadable = UnreadableBatchError(17, 20, "its codec 5 is unknown").at("usage.events", 3)

    assert explain(unreadable) == "usage.events-3: the batch at offset 17 can't be read: its codec 5 is unknown"
    assert explain(UnreadablePushLogError("shard 1: ...")) == "shard 1: ..."
