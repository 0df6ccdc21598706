"""What a shard holds, read key by key."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis

from ledger.shard import Shard

Bucket = tuple[str, int, int]


@dataclass
class Stored:
    """Counters by (account, meter, hour) and (account, meter, day), due units, and the names of all keys."""

    hours: Counter[Bucket] = field(default_factory=Counter)
    days: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    due: Counter[str] = field(default_factory=Counter)
    order: dict[str, int] = field(default_factory=dict)
    fences: dict[str, str] = field(default_factory=dict)
    sets: dict[int, set[int]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)


async def stored(client: Redis, shard: Shard) -> Stored:
    """Reads all keys of a shard."""
    found, tag = Stored(), f"{shard.keys.prefix}{{p{shard.number}}}"
    names = [key.decode() async for key in client.scan_iter(match=f"{shard.keys.prefix}*", count=5000)]
    assert all(name.startswith(tag) for name in names), names
    for name in names:
        rest = name.removeprefix(tag)
        found.names.add(rest)
        kind, _, place = rest.partition(":")
        if kind == "d":
            block = int(place.split(":")[0])
            found.sets.setdefault(block, set()).update(int(member) for member in await client.smembers(name))
        elif rest == "due:order":
            scores: Any = await client.zrange(name, 0, -1, withscores=True)
            found.order = {m.decode(): int(score) for m, score in scores}
        else:
            hashed: Any = await client.hgetall(name)
            values = {k.decode(): v.decode() for k, v in hashed.items()}
            _keep(found, kind, place, values)
    return found


def _keep(found: Stored, kind: str, place: str, values: dict[str, str]) -> None:
    account, _, when = place.rpartition(":")
    values.pop("fence", None)  # of a month
    for field_name, value in values.items():
        if kind == "u":
            meter, hour = divmod(int(field_name), 24)
            found.hours[account, meter, int(when) * 24 + hour] = int(value)
        elif kind == "t":
            meter, day = divmod(int(field_name), 31)
            found.days[account, meter, f"{when}{day + 1:02}"] = int(value)
        elif kind == "due":
            found.due[field_name] = int(value)
        elif kind == "f":
            found.fences[field_name] = value
