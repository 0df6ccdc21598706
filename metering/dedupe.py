"""The dedupe window: which blocks of remembered identities a record is looked up in, and how large they are.

A block covers 7 days of append time. A record is looked up in the current block and the five before it, which is
always more than the 34 days that an event may be late by. A block spreads its members over a number of Redis
sets that is a power of two, so that members grouped for one block are grouped for every other as well.
"""

from collections.abc import Iterable

BLOCK_MS = 7 * 24 * 3600 * 1000
BLOCKS_LOOKED_UP = 6
MIN_SETS = 256  # measured fastest with set-max-intset-entries 8192
MEMBERS_PER_SET = 4096  # half of 8192, so that a block may grow to twice its predecessor and stay intsets


def block_of(append_ms: int) -> int:
    """The block that an append time (Unix milliseconds) falls into."""
    return append_ms // BLOCK_MS


def oldest_block(current: int) -> int:
    """The oldest block that is still looked up while `current` is being filled."""
    return current - BLOCKS_LOOKED_UP + 1


def sets_for(previous_members: int) -> int:
    """How many sets a new block gets, from the number of members of the block before it."""
    sets = MIN_SETS
    while previous_members > sets * MEMBERS_PER_SET:
        sets *= 2
    return sets


def expired_blocks(blocks: Iterable[int], current: int) -> list[int]:
    """The blocks that no look-up needs any more."""
    return [block for block in blocks if block < oldest_block(current)]
