"""Sessions: a browser signed in with a key. Each lives in the shard of its key's hash, so that one look-up checks both.

They are kept under `api:` and may be lost at any time: then a person signs in again.
"""

from ledger.script import load
from ledger.shard import Shard

_OPEN = load("open_session")
_END = load("end_session")


async def open_session(shard: Shard, session_hash: str, key_hash: str, *, seconds: int) -> None:
    """Opens a session for a key of this shard; it ends by itself after so many seconds."""
    await shard.run(_OPEN, [shard.keys.session(session_hash)], [key_hash, seconds])


async def end_session(shard: Shard, session_hash: str) -> None:
    """Ends a session; one that has ended stays so."""
    await shard.run(_END, [shard.keys.session(session_hash)], [])
