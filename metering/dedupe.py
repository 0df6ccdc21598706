"""The dedupe window: which blocks of remembered identities a record is looked up in, and how large they are.

A block covers 7 days of append time. A record is looked up in the current block and the five before it, which is
always more than the 34 days that an event may be late by. A block spreads its members over a number of Redis
sets that is a power of two, so that members grouped for one block are grouped for every other as well.
"""

from dataclasses import dataclass, field

BLOCK_MS = 7 * 24 * 3600 * 1000
BLOCKS_LOOKED_UP = 6
MIN_SETS = 256  # measured fastest with set-max-intset-entries 8192
MEMBERS_PER_SET = 4096  # half of 8192, so that a block may grow to twice its predecessor and stay intsets
MOST_ADDED = 1 << 16  # members that one interval may bring: several times what a consumer hands over


def block_of(append_ms: int) -> int:
    """The block that an append time (Unix milliseconds) falls into."""
    return append_ms // BLOCK_MS


def block_end(block: int) -> int:
    """The first append time (Unix milliseconds) after a block."""
    return (block + 1) * BLOCK_MS


def oldest_block(current: int) -> int:
    """The oldest block that is still looked up while `current` is being filled."""
    return current - BLOCKS_LOOKED_UP + 1


def sets_for(previous_members: int) -> int:
    """How many sets a new block gets, from the number of members of the block before it."""
    sets = MIN_SETS
    while previous_members > sets * MEMBERS_PER_SET:
        sets *= 2
    return sets


@dataclass(slots=True)
class DedupeWindow:
    """The blocks that a shard remembers: number of sets, and of members, by block. A function of the fence."""

    sets: dict[int, int] = field(default_factory=dict)
    members: dict[int, int] = field(default_factory=dict)

    def sets_of(self, block: int) -> int:
        """The sets of a block: as it was opened, or as it would be opened now."""
        return self.sets.get(block) or sets_for(self.members.get(block - 1, 0))

    def earlier(self, block: int) -> dict[int, int]:
        """The sets of each block before `block` that its records are looked up in."""
        return {number: sets for number, sets in self.sets.items() if oldest_block(block) <= number < block}

    def groups(self) -> int:
        """Into how many groups an interval's members are sorted.

        As many as the largest block has sets, or as the next one will have, which may open within the interval.
        """
        return max([MIN_SETS, *self.sets.values(), *(sets_for(count + MOST_ADDED) for count in self.members.values())])

    def remember(self, block: int, added: int) -> None:
        """Notes that a block has `added` more members."""
        self.sets[block] = self.sets_of(block)
        self.members[block] = self.members.get(block, 0) + added

    def expired(self, block: int) -> dict[int, int]:
        """The blocks that no look-up needs once `block` is being filled, with their sets."""
        return {number: sets for number, sets in self.sets.items() if number < oldest_block(block)}

    def forget(self, block: int) -> None:
        """Notes that a block is gone."""
        self.sets.pop(block, None)
        self.members.pop(block, None)
