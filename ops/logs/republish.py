"""Makes the record that publishes a usage event again."""

from collections.abc import Sequence
from dataclasses import replace

from aggregator.folds.dead_letters import written_size
from aggregator.folds.rerouting import OF_THE_EVENT
from aggregator.publisher import Headers, Message
from metering.origin import without_origin
from metering.partition import partition_of

MOST_BYTES = 1_000_000  # bytes: a broker accepts 1 MiB by default (`message.max.bytes`)
_KEPT = (*OF_THE_EVENT, "dlq.", "replay.")


def account_partition(account: str | None, partitions: int) -> int:
    """Returns an account's partition; the first one for a record without an account, which is rejected there."""
    return 0 if account is None else partition_of(account, partitions)


def without(headers: Headers, names: Sequence[str]) -> list[tuple[str, bytes | None]]:
    """Returns the headers without those names, and without a re-routed copy's origin: the new record is an original."""
    return [(name, value) for name, value in without_origin(headers) if name not in names]


def republished(
    topic: str, account: str | None, value: bytes, headers: Headers, *, key: bytes | None, partitions: int
) -> Message:
    """Returns the record, keyed by its account and for the account's partition; without an account it keeps `key`.

    If the record would be too large for Kafka, headers that are not part of the event are left out.
    """
    name = account.encode() if account is not None else key
    message = Message(topic, name, value, headers, account_partition(account, partitions))
    if written_size(message) > MOST_BYTES:
        message = replace(message, headers=[each for each in headers if each[0].startswith(_KEPT)])
    return message
