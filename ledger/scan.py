"""The names of a shard's keys, as its server has them."""

from collections.abc import AsyncIterator
from typing import NamedTuple

from ledger.script import MASTER, load
from ledger.shard import Shard

_SCAN = load("scan_keys", MASTER)
KEYS_PER_STEP = 1000  # bounds a step's time; a server with many shards has most of its keys in others


class ScanCursor(NamedTuple):
    """How far a walk over a server's keys has come."""

    cursor: bytes = b"0"
    server: bytes | None = None


async def scan_some(shard: Shard, kind: str, place: ScanCursor) -> tuple[list[str], ScanCursor | None]:
    """Some of the shard's keys, and where to go on; None at the end.

    Args:
        shard: the shard.
        kind: a pattern of Redis' for what comes after the hash tag, such as `u:*`. The fences hash is left out.
        place: where the step before ended. Where another server has become the shard's master, the walk begins anew.
    """
    server, cursor, found = await shard.run(_SCAN, [], [place.cursor, kind, KEYS_PER_STEP])
    names = [name for name in map(bytes.decode, found) if name != shard.keys.fences]
    if place.server not in {None, server}:
        return names, ScanCursor(b"0", server)
    return names, ScanCursor(cursor, server) if cursor != b"0" else None


async def scan_keys(shard: Shard, kind: str = "") -> AsyncIterator[list[str]]:
    """All keys of a shard that begin so, a list at a time, some of them perhaps twice.

    Args:
        shard: the shard.
        kind: what comes after the hash tag, such as `u:`; empty: every key but the fences hash. Keys that come or go
            meanwhile may be missing or be named.
    """
    place: ScanCursor | None = ScanCursor()
    while place is not None:
        names, place = await scan_some(shard, f"{kind}*", place)
        yield names
