"""An order to pass offsets by is allowed only for the offset that stops the shard now."""

from typing import Any

import pytest

from ledger.state import Log, ShardState
from metering.quarantine import QuarantineOrder
from metering.stop import Stop, StopReason
from ops.console.errors import OpsError
from ops.quarantine.plan import FoldedLog, Passing, Wanted, may_pass

ENDS = {Log.USAGE: 1000, Log.ACCOUNTS: 50, Log.API_KEYS: 0}
ORDER = QuarantineOrder(offset=100, end=105, why="a codec", who="ops", time=1_800_000_000)


def stop(reason: StopReason = StopReason.UNREADABLE_BATCH, offset: int = 100, end: int | None = 105) -> Stop:
    """A stop with a message."""
    return Stop(reason, offset, end, "usage-3 can't be read on", 1000)


def state(stops: dict[Log, Stop], **fences: int) -> ShardState:
    """A shard that stands at 100 in its usage log."""
    fields: dict[str, Any] = {"usage": 100, "accounts": 20} | fences
    for log, each in stops.items():
        fields[f"stop.{log}"] = each.to_json()
    flat = [text if isinstance(text, bytes) else str(text).encode() for pair in fields.items() for text in pair]
    return ShardState.parse(flat)


def passing(shard: ShardState, wanted: Wanted, *orders: QuarantineOrder) -> Passing:
    """The offsets to pass by."""
    return may_pass(wanted, shard, {Log.USAGE: orders}, ENDS)


AT_100 = Wanted(3, 100, None, None)


@pytest.mark.parametrize(
    ("stopped", "end", "expected"),
    [
        (stop(), None, 105),
        (stop(), 103, 103),
        (stop(StopReason.APPENDED_AHEAD, end=None), None, 101),
        (stop(StopReason.APPENDED_AHEAD, end=None), 400, 400),
    ],
)
def test_what_stops_a_shard_may_be_passed_by(stopped, end, expected) -> None:
    """Up to the known end of the obstacle, or up to the end that a person names."""
    wanted = Wanted(3, 100, end, None)

    assert passing(state({Log.USAGE: stopped}), wanted) == Passing(Log.USAGE, 100, expected)


def test_the_log_is_the_one_that_is_stopped_there() -> None:
    """The person must name the log only if several are stopped there."""
    accounts = {Log.ACCOUNTS: stop(offset=20, end=None)}
    both = {Log.USAGE: stop(), Log.ACCOUNTS: stop(end=40)}

    assert passing(state(accounts), Wanted(3, 20, None, None)) == Passing(Log.ACCOUNTS, 20, 21)
    named = Wanted(3, 40, None, FoldedLog.ACCOUNTS)
    assert passing(state({Log.ACCOUNTS: stop(offset=40, end=41)}, accounts=40), named).log is Log.ACCOUNTS
    with pytest.raises(OpsError, match="in several logs"):
        passing(state(both, accounts=100), AT_100)


@pytest.mark.parametrize(
    ("shard", "wanted", "orders", "said"),
    [
        (state({}), AT_100, (), "goes on by itself"),
        (state({Log.USAGE: stop()}), Wanted(3, 101, None, None), (), "it is stopped at 100. usage-3 can't be read on"),
        (state({Log.USAGE: stop()}), Wanted(3, 99, None, None), (), "was folded already"),
        (state({Log.USAGE: stop()}, usage=105), AT_100, (), "was folded already"),
        (state({Log.USAGE: stop()}), AT_100, (ORDER,), "already, at 2027-01-15T08:00:00Z by ops: a codec"),
        (state({Log.USAGE: stop()}, usage=105), AT_100, (ORDER,), "was ordered to be passed by already"),
        (state({Log.USAGE: stop(StopReason.REJECTS)}), AT_100, (), "(rejects). usage-3 can't be read on"),
        (state({Log.USAGE: stop(StopReason.LOG_LOST)}), AT_100, (), "(log_lost)"),
        (state({Log.USAGE: stop()}), Wanted(3, 100, 100, None), (), "write an offset behind 100"),
        (state({Log.USAGE: stop()}), Wanted(3, 100, 1001, None), (), "up to the log's end, which is 1000"),
        (ShardState.parse([]), AT_100, (), "it has no state: wait until an aggregator"),
    ],
)
def test_everything_else_is_refused_and_says_why(shard, wanted, orders, said) -> None:
    """An order for a counted offset would make a refold differ from the totals that were shown and billed."""
    with pytest.raises(OpsError) as error:
        passing(shard, wanted, *orders)
    assert said in str(error.value)
