"""Passing by what a person has ordered to be passed by: each offset becomes a dead letter, then the fence moves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from aggregator.folds.dead_letters import dead_letter
from aggregator.publisher import Message, Publisher
from ledger.answer import Answer
from ledger.quarantine import pass_by
from ledger.shard import Shard
from ledger.state import Log
from metering.counting import Interval, LogRecord
from metering.quarantine import QuarantineOrder, order_at, pieces
from metering.reject import Reject, RejectReason

ORIGINAL, UNREAD, WHOLE = "dlq.original", "unread", "whole"
"""Header of a letter of what was quarantined: whether the original is in it, or nobody could read any."""

PASSED_AT_ONCE = 1_000  # offsets; a batch that can't be read may have a hundred thousand

# The orders of one log, as far as they are known now.
Orders = Callable[[], Sequence[QuarantineOrder]]


@dataclass(frozen=True, slots=True)
class _Unread:
    """Stands for the record of an offset of which nothing could be read, or where there is none."""

    offset: int
    timestamp: int
    key: None = None
    value: bytes = b""
    headers: Sequence[tuple[str, bytes | None]] = ()


class Quarantine:
    """What of one log of one shard is passed by.

    An order is obeyed wherever its offsets are met, so that every fold of the log comes to the same: on a machine that
    can read what is there as well.
    """

    def __init__(
        self,
        shard: Shard,
        log: Log,
        topics: tuple[str, str],
        publisher: Publisher,
        orders: Orders,
        passed: Callable[[int], None] = lambda _: None,
    ) -> None:
        """`topics` are the log's own and the dead letters'; `passed` is told how many offsets were passed by."""
        self._shard = shard
        self._log = log
        self._topic, self._dead_letters = topics
        self._publisher = publisher
        self._orders = orders
        self._passed = passed

    def pieces(self, interval: Interval) -> list[tuple[Interval, QuarantineOrder | None]]:
        """The interval, cut where orders begin and end."""
        return pieces(interval, self._orders())

    async def pass_unread(self, at: int, end: int | None) -> Answer | None:
        """Passes by what can't be read from `at` on, up to `end` where that is known; None if nobody has ordered it."""
        order = order_at(self._orders(), at)
        if order is None:
            return None
        until = order.end if end is None else min(order.end, end)
        return await self.pass_by(Interval(at, until, ()), order)

    async def pass_by(self, interval: Interval, order: QuarantineOrder) -> Answer:
        """Passes an interval by, some offsets at a time; whoever dies in between leaves the rest to the next owner."""
        records = {record.offset: record for record in interval.records}
        start = interval.start
        while True:
            end = min(start + PASSED_AT_ONCE, interval.end)
            letters = [self._letter(records.get(offset), offset, order) for offset in range(start, end)]
            await self._publisher.publish(letters)
            answer = await pass_by(self._shard, self._log, start, end)
            if not answer.applied:
                return answer
            self._passed(end - start)
            if end == interval.end:
                return answer
            start = end

    def _letter(self, record: LogRecord | None, offset: int, order: QuarantineOrder) -> Message:
        original = record or _Unread(offset, order.time * 1000)
        reject = Reject(RejectReason.QUARANTINED, f"{order.who}: {order.why}")
        letter = dead_letter(self._dead_letters, self._topic, self._shard.number, original, reject)
        said = (ORIGINAL, (UNREAD if record is None else WHOLE).encode())
        return replace(letter, headers=[*letter.headers, said])
