"""What is left of a shard whose fences are gone: a server that evicts, or a person, may have taken only those.

To fold on top of it would count units twice, and take identities for known whose units are gone.
"""

from ledger.scan import scan_keys
from ledger.script import load
from ledger.shard import Shard

_REMOVE = load("remove_leftovers")
LOSABLE = "api:"


async def remove_leftovers(shard: Shard) -> None:
    """Removes everything that a shard without fences has, but for what belongs to no fold; until it is begun."""
    async for names in scan_keys(shard):
        folded = [name for name in names if not name.partition("}")[2].startswith(LOSABLE)]
        if folded and not await shard.run(_REMOVE, folded, []):
            return
