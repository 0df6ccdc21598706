"""Dead letters: the original bytes of what could not be counted, with headers that say why and where it came from.

A dead letter's identity is its origin (topic, partition, offset). A refold writes some of them again, so every
count of them is over distinct origins.
"""

from aggregator.publisher import Message
from metering.counting import LogRecord
from metering.reject import Reject
from metering.rfc3339 import LAST_SECOND, from_unix

REASON, DETAIL = "dlq.reason", "dlq.detail"
TOPIC, PARTITION, OFFSET, TIME = "dlq.topic", "dlq.partition", "dlq.offset", "dlq.time"


def dead_letter(to: str, topic: str, partition: int, record: LogRecord, reject: Reject) -> Message:
    """The dead letter of a record.

    `dlq.time` is the record's append time (RFC 3339, UTC), so that a refold writes the very same letter. A table's
    record has its producer's time instead, which may be anything.
    """
    own = (
        (REASON, reject.reason.value),
        (DETAIL, reject.detail),
        (TOPIC, topic),
        (PARTITION, str(partition)),
        (OFFSET, str(record.offset)),
        (TIME, from_unix(min(record.timestamp // 1000, LAST_SECOND))),
    )
    headers = [*record.headers, *((name, text.encode()) for name, text in own)]
    return Message(to, record.key, record.value, headers)
