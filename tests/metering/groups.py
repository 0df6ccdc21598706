"""What a batch's groups say, spelt out."""

from collections.abc import Iterator, Sequence

from metering.counting import Counter, UsageBatch


def members_of(batch: UsageBatch, group: Sequence[int]) -> Iterator[tuple[int, Counter, int]]:
    """A group's members, each with its counter and its quantity."""
    for member, correction in zip(group[::2], group[1::2], strict=True):
        quantity, number = divmod(correction, 2**32)
        yield member, batch.counters[number - 1], quantity
