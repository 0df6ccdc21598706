"""Decides whether an order to pass offsets by is allowed, from the shard's state. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ledger.state import Log, ShardState
from metering.quarantine import PASSABLE, QuarantineOrder, order_at
from metering.rfc3339 import from_unix
from metering.stop import Stop
from ops.console.errors import OpsError
from ops.console.safe_text import visible


class FoldedLog(StrEnum):
    """The logs that can be stopped, by their names on the command line."""

    USAGE = "usage"
    ACCOUNTS = "accounts"
    KEYS = "keys"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The offsets that a person wants the shard to pass by.

    `end` None: up to the end of the obstacle, as far as it is known. `log` None: the log that is stopped there.
    """

    partition: int
    offset: int
    end: int | None
    log: FoldedLog | None


@dataclass(frozen=True, slots=True)
class Passing:
    """The offsets [start, end) of a log that an order would pass by."""

    log: Log
    start: int
    end: int


def may_pass(
    wanted: Wanted, state: ShardState, orders: Mapping[Log, Sequence[QuarantineOrder]], ends: Mapping[Log, int]
) -> Passing:
    """Returns the offsets to pass by.

    Args:
        wanted: the person's request.
        state: the shard's present state.
        orders: the orders that the logs have already.
        ends: the end offsets of the logs.

    Raises:
        OpsError: the order is not allowed. It must be about the offset that stops the shard now. If it named an offset
            that was counted already, the next refold would differ from the totals that were shown and billed.
    """
    log, name = _log(wanted, state), f"shard {wanted.partition}"
    known = order_at(orders.get(log, ()), wanted.offset)
    if known is not None:
        raise OpsError(
            f"{name}: the offset {wanted.offset} of the {log} log was ordered to be passed by already, at "
            f"{from_unix(known.time)} by {visible(known.who)}: {visible(known.why)}"
        )
    fence, stop = state.fences.get(log), state.stops.get(log)
    if fence is not None and fence > wanted.offset:
        raise OpsError(
            f"{name} has folded the {log} log up to {fence}: the offset {wanted.offset} was folded already, and an "
            "order would make the next refold come to something else"
        )
    if stop is None or stop.offset != wanted.offset:
        raise OpsError(f"{name} is not stopped at the offset {wanted.offset} of the {log} log: {_stands(stop, fence)}")
    if stop.reason not in PASSABLE:
        raise OpsError(f"{name}: what stops it is no record that could be passed by ({stop.reason}). {_said(stop)}")
    return Passing(log, wanted.offset, _end(wanted, stop, ends[log]))


def _log(wanted: Wanted, state: ShardState) -> Log:
    if wanted.log is not None:
        return Log(wanted.log.value)
    there = [log for log, stop in state.stops.items() if stop.offset == wanted.offset]
    if len(there) > 1:
        raise OpsError(
            f"shard {wanted.partition} is stopped there in several logs ({', '.join(there)}): name one, --log"
        )
    return there[0] if there else Log.USAGE


def _stands(stop: Stop | None, fence: int | None) -> str:
    if stop is not None:
        return f"it is stopped at {stop.offset}. {_said(stop)}"
    if fence is None:
        return "it has no state: wait until an aggregator has folded it up to there, and stops"
    return f"it stands at {fence}, and goes on by itself as far as anybody knows (billing status)"


def _said(stop: Stop) -> str:
    return visible(stop.message)


def _end(wanted: Wanted, stop: Stop, log_end: int) -> int:
    end = wanted.end or stop.end or wanted.offset + 1
    if not wanted.offset < end <= log_end:
        raise OpsError(f"--end {end}: write an offset behind {wanted.offset}, up to the log's end, which is {log_end}")
    return end
