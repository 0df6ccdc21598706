"""What the consumer expects of a fold, whichever log it folds."""

from typing import NamedTuple, Protocol

from ledger.answer import Answer
from metering.counting import Interval, Mark


class Standing(NamedTuple):
    """Where a shard stands in a log: the offset to read next, and the last record that was applied, if any was."""

    fence: int
    last: Mark | None = None


class Fold(Protocol):
    """One log's fold into one shard. Knows neither Faust nor threads, so that a simulation can run it."""

    async def open(self, earliest: int, folded_before: int = 0) -> Standing:
        """Where the shard stands; an empty shard begins at the log's `earliest`.

        What lies below `folded_before` was folded in an earlier life of the state: a hint, never a position.
        """
        ...

    async def apply(self, interval: Interval) -> Answer:
        """Folds an interval if the shard stands at its start."""
        ...
