"""Where an account or a key's hash lives."""

from ledger.shard import Ledger, Shard
from metering.partition import partition_of


def shard_of(ledger: Ledger, name: str) -> Shard:
    """The shard of an account id or of a key's hash: each lives on its own partition."""
    return ledger.shard(partition_of(name, ledger.partitions))
