"""The findings of a shard, as a table."""

from dataclasses import replace
from typing import Any

import pytest

from ledger.state import Conservation, Log
from metering.outage import Drain
from metering.stop import Stop, StopReason
from metering.troubles.finding import Finding
from metering.troubles.names import Trouble
from ops.status.report import LogPlace, ShardPhase
from ops.status.shard_findings import shard_findings
from tests.ops.status.shards import EMPTY, FINE, NOW, ago, held

STOP = Stop(StopReason.LOG_LOST, 1001, None, "usage.events-4 ends at 1000", ago(99))
FOLDING = {"phase": ShardPhase.FOLDING}

CASES: list[tuple[dict[str, Any], set[Trouble]]] = [
    ({}, set()),
    ({"usage": LogPlace(900, 0, 1000, ago(10))}, set()),
    ({"usage": LogPlace(900, 0, 1000, ago(400))}, {Trouble.LAG_LONG}),
    ({"as_of_ms": ago(61)}, {Trouble.STALE}),
    ({"as_of_ms": ago(61), **FOLDING}, {Trouble.UNSEEN}),
    ({"as_of_ms": ago(20), **FOLDING}, set()),
    ({"as_of_ms": None, "push_as_of_ms": None, **FOLDING}, set()),
    ({"as_of_ms": None, **FOLDING, "stalled": True}, {Trouble.FIRST_FOLD_STANDS}),
    (EMPTY, set()),
    (EMPTY | {"stalled": True}, {Trouble.NOT_BEGUN}),
    ({"phase": ShardPhase.CLEARING, "clearing_ms": ago(30), "as_of_ms": None}, set()),
    ({"phase": ShardPhase.CLEARING, "clearing_ms": ago(301), "as_of_ms": None}, {Trouble.CLEARING_LONG}),
    (held(400), {Trouble.TRANSACTION_OPEN}),
    (held(59), {Trouble.BEHIND}),
    (held(7), set()),
    ({"as_of_ms": ago(9)}, {Trouble.BEHIND}),
    ({"push_as_of_ms": ago(9)}, {Trouble.PUSH_LOG_BEHIND}),
    (EMPTY | {"stalled": True, "added": True, "usage": LogPlace(None, 0, 3, ago(59))}, {Trouble.PARTITIONS_ADDED}),
    (
        EMPTY | {"stalled": True, "added": True, "usage": LogPlace(None, 0, 3, ago(61))},
        {Trouble.PARTITIONS_ADDED, Trouble.NOT_BEGUN},
    ),
    (held(90, as_of_ms=ago(1)), {Trouble.TRANSACTION_OPEN}),
    (held(200, fence=900), {Trouble.TRANSACTION_OPEN, Trouble.STALE}),
    (held(200, **FOLDING), {Trouble.TRANSACTION_OPEN, Trouble.UNSEEN}),
    ({"records": Conservation(1000, 950, 30, 15, 4)}, {Trouble.UNBALANCED}),
    ({"records": Conservation(1000, 1000, 5, 0, -5)}, {Trouble.UNBALANCED}),
    ({"records": Conservation(1000, 950, 30, 15, 3, 2)}, set()),
    ({"usage": LogPlace(1001, 0, 1000)}, {Trouble.LOG_ENDS_BEFORE}),
    ({"pushes": LogPlace(21, 0, 20)}, {Trouble.LOG_ENDS_BEFORE}),
    ({"usage": LogPlace(5, 10, 1000, None)}, {Trouble.LOG_BEGINS_AFTER}),
    ({"usage": LogPlace(5), "pushes": LogPlace(5)}, set()),
    ({"push_as_of_ms": ago(61)}, {Trouble.PUSH_LOG_STALE}),
    ({"push_as_of_ms": None, "push_ready": False, "stalled": True}, {Trouble.PUSH_LOG_NEVER_FOLDED}),
    ({"push_as_of_ms": None, "push_ready": False}, set()),
    ({"push_as_of_ms": ago(61), "added": True}, {Trouble.PARTITIONS_ADDED}),
    ({"parked": {"unknown_customer": 2, "no_meter": 1}}, {Trouble.ROWS_PARKED}),
    ({"in_flight": 3, "in_flight_ms": ago(60)}, set()),
    ({"in_flight": 3, "in_flight_ms": ago(4000)}, {Trouble.IN_FLIGHT_LONG}),
    ({"notices": (Finding(Trouble.BILLING_STOPPED, 4, detail="a defect"),)}, {Trouble.BILLING_STOPPED}),
    ({"usage": LogPlace(1001, 0, 1000), "stops": {Log.USAGE: STOP}, "as_of_ms": ago(400)}, {Trouble.LOG_LOST}),
    (EMPTY | {"usage": LogPlace(None, 0, 1000), "stops": {Log.USAGE: STOP}}, {Trouble.LOG_LOST}),
    ({"as_of_ms": None, **FOLDING, "stalled": True, "stops": {Log.ACCOUNTS: STOP}}, {Trouble.LOG_LOST}),
    *(({"stops": {Log.USAGE: replace(STOP, reason=reason)}}, {Trouble(reason.value)}) for reason in StopReason),
    ({"stops": {Log.USAGE: replace(STOP, reason="of_the_future")}}, {Trouble.STOPPED_OTHERWISE}),
    ({"late": 2}, {Trouble.ORDER_LATE}),
    ({"late": -2}, {Trouble.ORDER_GONE}),
    ({"no_customer": 7, "without_customer": ["a", "b"], "due": 50}, {Trouble.NO_CUSTOMER}),
    ({"no_customer": 7, "never_set": ["a", "b"], "without_customer": ["c"]}, {Trouble.NEVER_SET, Trouble.NO_CUSTOMER}),
    ({"never_billed": 3}, {Trouble.NEVER_BILLED}),
    ({"closed_before": 480_000}, {Trouble.CLOSED}),
    ({"drain": Drain(2000, "ops", "a bad deploy")}, {Trouble.DRAINING}),
    ({"drain": Drain(1000, "ops", "a bad deploy")}, set()),
    (
        {"records": Conservation(1, 0, 0, 0, 0), "parked": {"refused": 1}, "push_as_of_ms": ago(100)},
        {Trouble.UNBALANCED, Trouble.ROWS_PARKED, Trouble.PUSH_LOG_STALE},
    ),
    (
        EMPTY | {"notices": (Finding(Trouble.STRIPE_KEY_REFUSED, 4),), "stalled": True},
        {Trouble.NOT_BEGUN, Trouble.STRIPE_KEY_REFUSED},
    ),
    (
        {"phase": ShardPhase.CLEARING, "clearing_ms": NOW, "parked": {"lost": 1}},
        {Trouble.ROWS_PARKED},
    ),
]


@pytest.mark.parametrize(("changes", "troubles"), CASES)
def test_what_is_wrong_with_a_shard(changes: dict[str, Any], troubles: set[Trouble]) -> None:
    """One finding per fault, and none for a fault that mends itself; an empty or clearing shard hides nothing."""
    found = shard_findings(replace(FINE, **changes))

    assert {each.trouble for each in found} == troubles
    assert all(str(each) and each.shard == FINE.shard for each in found)


def test_a_finding_says_whose_and_how_much() -> None:
    """Findings name a few accounts, the producer, and the reason."""
    report = replace(FINE, **held(400), never_set=[f"acct_{n}" for n in range(7)], parked={"lost": 3, "refused": 1})

    held_up, *rest = map(str, shard_findings(report))

    assert held_up.startswith("shard 4: an open transaction of 'etl' (producer 7) has held usage.events up for 6 min: ")
    assert held_up.endswith("up to 6 records wait: usage.events-4 from offset 1000 on")
    assert rest == [
        "shard 4: rows are parked (lost): 3",
        "shard 4: rows are parked (refused): 1",
        "shard 4: accounts have usage, and nobody has set them (7): acct_0, acct_1, acct_2, acct_3, acct_4 and 2 more",
    ]
