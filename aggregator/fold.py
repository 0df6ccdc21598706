"""What the consumer expects of a fold, whichever log it folds."""

from typing import Protocol

from ledger.answer import Answer
from metering.counting import Interval


class Fold(Protocol):
    """One log's fold into one shard. Knows neither Faust nor threads, so that a simulation can run it."""

    async def open(self, earliest: int) -> int:
        """The offset to read next; an empty shard begins at the log's `earliest`."""
        ...

    async def apply(self, interval: Interval) -> Answer:
        """Folds an interval if the shard stands at its start."""
        ...
