"""Lua scripts as files, and what runs them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha1
from importlib.resources import files
from typing import Any, Protocol

_CALLED = re.compile(r"redis\.p?call\('(\w+)'")
_READING = frozenset(
    {"EXISTS", "GET", "HEXISTS", "HGET", "HGETALL", "HKEYS", "HLEN", "HMGET", "HSCAN", "INFO", "SCARD", "SISMEMBER"}
    | {"SMEMBERS", "SMISMEMBER", "SSCAN", "TIME", "TTL", "ZCARD", "ZRANGE", "ZSCORE"}
)


@dataclass(frozen=True, slots=True)
class Script:
    """One Lua script.

    Attributes:
        name: its file's.
        source: its text.
        sha: the name under which the server caches it.
        read_only: it calls nothing that writes. It is sent so that the server would refuse it to.
    """

    name: str
    source: str
    sha: str
    read_only: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "read_only", _READING.issuperset(_CALLED.findall(self.source)))


MASTER = ("master",)
READY = (*MASTER, "ready")
SAFE = (*MASTER, "safe")
FENCE = ("fence",)
EXACT = "exact"


def load(name: str, guards: Sequence[str] = (), *, log: str = "") -> Script:
    """The script `ledger/scripts/<name>.lua` behind its guards, in this order: each `ledger/guards/<guard>.lua`.

    A guard is source that is put before the script's: it may answer in its place, and what it finds out is there for
    those behind it. `log` is the field of the fence that `FENCE` checks.
    """
    folder = files("ledger")
    paths = [*(f"guards/{guard}" for guard in guards), f"scripts/{name}"]
    source = f"local LOG = '{log}'\n" if log else ""
    source += "".join(folder.joinpath(f"{path}.lua").read_text() for path in paths)
    return Script(name, source, sha1(source.encode(), usedforsecurity=False).hexdigest())


class Store(Protocol):
    """Runs scripts atomically. Replies are as redis-py gives them: bytes, integers, lists."""

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[str | bytes | int]) -> Any:
        """The script's reply; raises `redis.RedisError` where nobody knows whether it ran."""
        ...
