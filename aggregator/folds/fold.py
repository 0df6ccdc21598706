"""What the consumer expects of a fold, whichever log it folds."""

from typing import NamedTuple, Protocol

from ledger.answer import Answer
from metering.counting import Interval, Mark
from metering.stop import Stop


class FoldStanding(NamedTuple):
    """Where a shard stands in a log: the offset to read next, and the last record that was applied, if any was.

    `stop` is what the state tells of a stop there, which another process may have met.
    """

    fence: int
    last: Mark | None = None
    stop: Stop | None = None


class Fold(Protocol):
    """One log's fold into one shard. Knows neither Faust nor threads, so that a simulation can run it."""

    async def open(self, earliest: int, folded_before: int = 0) -> FoldStanding:
        """Where the shard stands; an empty shard begins at the log's `earliest`.

        What lies below `folded_before` was folded in an earlier life of the state: a hint, never a position.

        Raises:
            ShardStoppedError: the log must not be folded now.
        """
        ...

    async def apply(self, interval: Interval) -> Answer:
        """Folds an interval if the shard stands at its start.

        Raises:
            ShardStoppedError: the log must not be folded on; a part of the interval may have been.
        """
        ...

    async def pass_unread(self, at: int, end: int | None) -> Answer | None:
        """Passes by what can't be read from `at`, where the shard stands, up to `end` where that is known.

        None if no person has ordered that.
        """
        ...
