"""That a process which folds nothing is there: it says so again and again, and is forgotten when it does not."""

from ledger.script import load
from ledger.shard import Shard

_BEAT = load("beat")
_READ = load("read_beat")
BEAT_SECONDS = 3.0
KEPT_SECONDS = 35 * 24 * 3600  # so long is an API that ended for good told of


async def beat(shard: Shard) -> None:
    """An API process is there. It does not matter which, nor in which shard it says so."""
    await shard.run(_BEAT, [shard.keys.beats], [KEPT_SECONDS])


async def silence(shard: Shard) -> int | None:
    """For how many seconds no API process has said so; None where none ever did, as far as Redis remembers."""
    seconds = await shard.run(_READ, [shard.keys.beats], [KEPT_SECONDS])
    return None if seconds is None else int(seconds)
