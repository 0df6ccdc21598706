"""Copies of records that were found on the wrong partition: some clients hash keys differently than Kafka's own."""

from aggregator.publisher import Message
from metering.counting import ORIGIN_OFFSET, ORIGIN_PARTITION, ORIGIN_TIME, ORIGIN_TOPIC, Misplaced, origin_time


def rerouted_copy(topic: str, partition: int, misplaced: Misplaced) -> Message:
    """The copy for the right partition, with its origin in headers; a copy of a copy keeps the first origin."""
    record = misplaced.record
    headers = list(record.headers)
    if origin_time(record) is None:
        own = (
            (ORIGIN_TOPIC, topic),
            (ORIGIN_PARTITION, str(partition)),
            (ORIGIN_OFFSET, str(record.offset)),
            (ORIGIN_TIME, str(record.timestamp)),
        )
        headers += [(name, text.encode()) for name, text in own]
    return Message(topic, misplaced.account.encode(), record.value, headers, misplaced.partition)
