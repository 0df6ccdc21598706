"""Offsets that a person has ordered to be passed by: whatever lies there is never counted, by whoever reads it.

An order is a record of its own topic, so that a shard that is folded anew obeys it as well, on a machine that could
read what is there, too. Each of its offsets counts as one record, whether there is one or not.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from metering.account import UnixSeconds
from metering.counting import Interval
from metering.stop import StopReason

# What lies in the way of a log that is stopped so may be passed by. Other stops are not about single records.
PASSABLE = frozenset({StopReason.UNREADABLE_BATCH, StopReason.APPENDED_AHEAD})
_offset = attrgetter("offset")


class QuarantineOrder(BaseModel):
    """The value of an order: pass [offset, end) by. `time` is when it was given, Unix seconds."""

    model_config = ConfigDict(frozen=True)

    offset: int = Field(ge=0)
    end: int
    why: str
    who: str
    time: UnixSeconds

    @model_validator(mode="after")
    def _has_offsets(self) -> Self:
        if self.end <= self.offset:
            raise ValueError("an order must end behind its offset")
        return self

    def to_json(self) -> bytes:
        """For the log."""
        return self.model_dump_json().encode()


class OrderKey(NamedTuple):
    """The key of an order: the first offset that it is about, and of which partition."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}@{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """From what `str` gave; ValueError for anything else."""
        log, _, offset = text.rpartition("@")
        topic, _, partition = log.rpartition("-")
        if not topic or not all(part.isdecimal() and part.isascii() for part in (partition, offset)):
            raise ValueError(f"{text!r} is not the key of an order: write topic-partition@offset")
        return cls(topic, int(partition), int(offset))


class Stretch(NamedTuple):
    """Offsets [start, end), and the order that they are passed by for; None: they are folded."""

    start: int
    end: int
    order: QuarantineOrder | None


class QuarantineOrders:
    """All orders, as far as their topic was read. `faults`: keys of records that are no orders, and why."""

    def __init__(self) -> None:
        self._orders: dict[tuple[str, int], dict[int, QuarantineOrder]] = {}
        self._sorted: dict[tuple[str, int], Sequence[QuarantineOrder]] = {}
        self.faults: dict[str, str] = {}

    def fold(self, key: str, value: bytes | None) -> OrderKey | None:
        """Takes the next record of the topic; gives which order it was, None for none. No value takes an order back."""
        self.faults.pop(key, None)
        try:
            place, order = OrderKey.parse(key), _order(key, value)
        except ValueError as error:
            self.faults[key] = str(error)
            return None
        log = (place.topic, place.partition)
        orders = self._orders.setdefault(log, {})
        if order is None:
            orders.pop(place.offset, None)
        else:
            orders[place.offset] = order
        self._sorted[log] = sorted(orders.values(), key=_offset)
        return place

    def of(self, topic: str, partition: int) -> Sequence[QuarantineOrder]:
        """The orders of one log, by offset."""
        return self._sorted.get((topic, partition), ())


def _order(key: str, value: bytes | None) -> QuarantineOrder | None:
    order = None if value is None else QuarantineOrder.model_validate_json(value)
    if order is not None and not key.endswith(f"@{order.offset}"):
        raise ValueError(f"its value is about the offset {order.offset}")
    return order


def order_at(orders: Sequence[QuarantineOrder], offset: int) -> QuarantineOrder | None:
    """The order that an offset is passed by for; of several the one that reaches furthest."""
    there = [order for order in orders if order.offset <= offset < order.end]
    return max(there, key=attrgetter("end"), default=None)


def stretches(orders: Sequence[QuarantineOrder], start: int, end: int) -> Iterator[Stretch]:
    """[start, end) without holes, cut where orders begin and end."""
    while start < end:
        order = order_at(orders, start)
        following = (each.offset for each in orders if each.offset > start)
        until = min(end, min(following, default=end) if order is None else order.end)
        yield Stretch(start, until, order)
        start = until


def passed_by(orders: Sequence[QuarantineOrder], start: int, end: int) -> int:
    """How many offsets of [start, end) are passed by."""
    return sum(each.end - each.start for each in stretches(orders, start, end) if each.order is not None)


def pieces(interval: Interval, orders: Sequence[QuarantineOrder]) -> list[tuple[Interval, QuarantineOrder | None]]:
    """An interval cut where orders begin and end, nearly always in one piece; each with the order that it is for."""
    touched = (order.offset < interval.end and order.end > interval.start for order in orders)
    if interval.start == interval.end or not any(touched):
        return [(interval, None)]
    records, cut = interval.records, []
    for start, end, order in stretches(orders, interval.start, interval.end):
        first, last = (bisect_left(records, offset, key=_offset) for offset in (start, end))
        cut.append((Interval(start, end, records[first:last]), order))
    return cut
