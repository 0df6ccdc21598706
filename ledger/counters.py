"""Counters as they are stored, together with the fence that they belong to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ledger.script import MASTER, load
from ledger.shard import Shard
from ledger.state import ShardState

_READ = load("read_counters", MASTER)
FENCE = b"fence"  # of a month's hash; two copies may have cut their batches differently
HASHES_PER_CALL = 200  # of at most 144 fields each: a few milliseconds


@dataclass(frozen=True, slots=True)
class Counters:
    """Some hashes, by key: field → units. `state` is the shard's at the very moment that they were read."""

    state: ShardState
    hashes: Mapping[str, Mapping[int, int]]


async def read_counters(shard: Shard, names: Sequence[str]) -> Counters:
    """Reads hashes of counters (`ShardKeys.hours`, `.days`) at one moment; a key that is not there has no fields."""
    fences, *hashes = await shard.run(_READ, names, [])
    return Counters(
        ShardState.parse(fences),
        {name: _units(found) for name, found in zip(names, hashes, strict=True)},
    )


def in_calls(names: Iterable[str]) -> Iterable[list[str]]:
    """The names in order, as many at a time as one call should read."""
    ordered = sorted(names)
    for first in range(0, len(ordered), HASHES_PER_CALL):
        yield ordered[first : first + HASHES_PER_CALL]


def _units(found: Sequence[bytes]) -> dict[int, int]:
    return {int(field): int(units) for field, units in zip(found[::2], found[1::2], strict=True) if field != FENCE}
