"""Who calls the API: the key behind a credential. Uses and times of use are kept under `api:` and may be lost."""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.reading import NotReadyError, parse_key
from ledger.script import READY, load
from ledger.shard import Shard
from metering.api_key import ApiKeyRecord

_FIND = load("find_caller", READY)
_LAST_USED = load("read_last_used")


@dataclass(frozen=True, slots=True)
class CallerWindow:
    """A window of the rate limit: its number since the epoch, and its length in seconds."""

    number: int
    seconds: int

    @classmethod
    def at(cls, now: int, seconds: int) -> "CallerWindow":
        """The window of this length that a Unix second lies in."""
        return cls(now // seconds, seconds)

    def seconds_left(self, now: int) -> int:
        """From a Unix second in it to its end: at least 1."""
        return (self.number + 1) * self.seconds - now


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A key that was found, and how often it has been used in the window, this time included."""

    key: ApiKeyRecord
    uses: int


async def find_caller(shard: Shard, key_hash: str, *, now: int, window: CallerWindow) -> KeyUse | None:
    """The key of this hash, noted as used at `now` (Unix seconds); None if unknown or revoked.

    Raises:
        NotReadyError: the shard can't tell yet.
    """
    return await _find(shard, key_hash, (), now, window)


async def find_session(shard: Shard, session_hash: str, *, now: int, window: CallerWindow) -> KeyUse | None:
    """The same for the key that a session was opened with; None also if the session has ended.

    Raises:
        NotReadyError: the shard can't tell yet.
    """
    return await _find(shard, "", (shard.keys.session(session_hash),), now, window)


async def read_last_used(shard: Shard, key_hashes: Sequence[str]) -> dict[str, int]:
    """Unix seconds of the last use of those keys of the shard that have been used, as far as that is known."""
    if not key_hashes:
        return {}
    times = await shard.run(_LAST_USED, [shard.keys.last_used], key_hashes)
    return {name: int(time) for name, time in zip(key_hashes, times, strict=True) if time is not None}


async def _find(shard: Shard, key_hash: str, session: tuple[str, ...], now: int, window: CallerWindow) -> KeyUse | None:
    keys = shard.keys
    names = [keys.api_keys, keys.last_used, keys.uses(window.number), *session]
    status, *rest = await shard.run(_FIND, names, [key_hash, now, window.seconds])
    if status == b"NOT_READY":
        raise NotReadyError
    return KeyUse(parse_key(rest[0]), rest[1]) if rest else None
