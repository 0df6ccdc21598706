"""The record that is written when a usage event is published again."""

from collections.abc import Sequence
from dataclasses import replace

from aggregator.folds.dead_letters import written_size
from aggregator.folds.rerouting import OF_THE_EVENT
from aggregator.publisher import Headers, Message
from metering.origin import without_origin
from metering.partition import partition_of

MOST_BYTES = 1_000_000  # a default broker takes 1 MiB (`message.max.bytes`)
_KEPT = (*OF_THE_EVENT, "dlq.", "replay.")


def account_partition(account: str | None, partitions: int) -> int:
    """Where an account's records belong; what belongs to nobody goes to the first partition, to be rejected there."""
    return 0 if account is None else partition_of(account, partitions)


def without(headers: Headers, names: Sequence[str]) -> list[tuple[str, bytes | None]]:
    """The headers but for those names, and but for a re-routed copy's origin: the new record is an original."""
    return [(name, value) for name, value in without_origin(headers) if name not in names]


def republished(
    topic: str, account: str | None, value: bytes, headers: Headers, *, key: bytes | None, partitions: int
) -> Message:
    """The record, keyed by its account and on the account's partition; `key` serves where no account is known.

    Headers that say nothing of the event are left out of one that Kafka would take for too large with them.
    """
    name = account.encode() if account is not None else key
    message = Message(topic, name, value, headers, account_partition(account, partitions))
    if written_size(message) > MOST_BYTES:
        message = replace(message, headers=[each for each in headers if each[0].startswith(_KEPT)])
    return message
