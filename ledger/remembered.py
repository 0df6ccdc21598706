"""Asking a shard which identities it has counted, without counting: what a replay would find to be duplicates."""

from collections import defaultdict
from collections.abc import Sequence

from ledger.reading import NotReadyError
from ledger.script import READY, load
from ledger.shard import Shard
from ledger.state import read_state
from metering.dedupe import block_of, oldest_block

_FIND = load("find_remembered", READY)
MEMBERS_PER_CALL = 1000  # bounds a script's time: six blocks, and at worst one set per member in each
_ATTEMPTS = 3  # a block opens once in seven days


async def find_remembered(shard: Shard, members: Sequence[int], *, now_ms: int) -> set[int]:
    """Those of the members that the shard would take for duplicates in a record appended now.

    Args:
        shard: the shard of the members' accounts.
        members: hashes of identities (`metering.usage_event.identity_member`).
        now_ms: the append time to be expected, Unix milliseconds.

    Raises:
        NotReadyError: the shard is being folded, and remembers less than it will.
    """
    found: set[int] = set()
    for first in range(0, len(members), MEMBERS_PER_CALL):
        found |= await _find(shard, members[first : first + MEMBERS_PER_CALL], now_ms)
    return found


async def _find(shard: Shard, members: Sequence[int], now_ms: int) -> set[int]:
    for _ in range(_ATTEMPTS):
        state = await read_state(shard)
        oldest = oldest_block(block_of(max(state.high_ms, now_ms)))
        blocks = {number: sets for number, sets in sorted(state.window.sets.items()) if number >= oldest}
        asked, names, args = _question(shard, members, blocks)
        status, *flags = await shard.run(_FIND, names, args)
        if status == b"NOT_READY":
            raise NotReadyError
        if status == b"REMEMBERED":
            return {member for member, flag in zip(asked, flags, strict=True) if flag}
    raise NotReadyError


def _question(
    shard: Shard, members: Sequence[int], blocks: dict[int, int]
) -> tuple[list[int], list[str], list[str | bytes | int]]:
    asked: list[int] = []
    names: list[str] = []
    args: list[str | bytes | int] = [len(blocks)]
    for number, sets in blocks.items():
        args += (number, sets)
    for number, sets in blocks.items():
        by_set: defaultdict[int, list[int]] = defaultdict(list)
        for member in members:
            by_set[member % sets].append(member)
        for index, group in by_set.items():
            names.append(shard.keys.remembered(number, index))
            args += (len(group), *group)
            asked += group
    return asked, names, args
