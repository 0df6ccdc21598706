"""Lua scripts as files, and what runs them."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha1
from importlib.resources import files
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Script:
    """One Lua script. `sha` is the name under which the server caches it."""

    name: str
    source: str
    sha: str


def load(name: str) -> Script:
    """The script `ledger/scripts/<name>.lua`."""
    source = files("ledger").joinpath("scripts", f"{name}.lua").read_text()
    return Script(name, source, sha1(source.encode(), usedforsecurity=False).hexdigest())


class Store(Protocol):
    """Runs scripts atomically. Replies are as redis-py gives them: bytes, integers, lists."""

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[str | bytes | int]) -> Any:
        """The script's reply; raises `redis.RedisError` where nobody knows whether it ran."""
        ...
