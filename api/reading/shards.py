"""The shard of an account or of a key's hash."""

from ledger.shard import Ledger, Shard
from metering.partition import partition_of


def shard_of(ledger: Ledger, name: str) -> Shard:
    """Returns the shard of an account id or of a key's hash. A key may be on another shard than its account."""
    return ledger.shard(partition_of(name, ledger.partitions))
