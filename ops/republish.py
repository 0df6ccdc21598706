"""The record that is written when a usage event is published again."""

from collections.abc import Sequence

from aggregator.publisher import Headers, Message
from metering.counting import ORIGIN_OFFSET, ORIGIN_PARTITION, ORIGIN_TIME, ORIGIN_TOPIC
from metering.partition import partition_of

_ORIGIN = frozenset({ORIGIN_TOPIC, ORIGIN_PARTITION, ORIGIN_OFFSET, ORIGIN_TIME})


def account_partition(account: str | None, partitions: int) -> int:
    """Where an account's records belong; what belongs to nobody goes to the first partition, to be rejected there."""
    return 0 if account is None else partition_of(account, partitions)


def without(headers: Headers, names: Sequence[str]) -> list[tuple[str, bytes | None]]:
    """The headers but for those names, and but for a re-routed copy's origin: the new record is an original.

    It is judged by its own append time. That can't count anything twice: an event is only taken while the window of
    remembered identities reaches further back than its time.
    """
    return [(name, value) for name, value in headers if name not in _ORIGIN and name not in names]


def republished(
    topic: str, account: str | None, value: bytes, headers: Headers, *, key: bytes | None, partitions: int
) -> Message:
    """The record, keyed by its account and on the account's partition; `key` serves where no account is known."""
    name = account.encode() if account is not None else key
    return Message(topic, name, value, headers, account_partition(account, partitions))
