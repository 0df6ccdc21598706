"""What needs a person, as a table."""

from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from ledger.state import Conservation
from ops.shard_report import LogPlace, ShardPhase, ShardReport, concerns
from ops.status_text import Status, as_json, plain_lines, rich_tables

NOW = 1_800_000_000_000
FINE = ShardReport(
    shard=4,
    phase=ShardPhase.READY,
    now_ms=NOW,
    as_of_ms=NOW - 700,
    usage=LogPlace(1000, 0, 1000),
    pushes=LogPlace(20, 0, 20),
    records=Conservation(1000, 950, 30, 15, 5),
    push_ready=True,
    push_as_of_ms=NOW - 900,
)


def ago(seconds: float) -> int:
    """A moment before now."""
    return NOW - int(seconds * 1000)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, None),
        ({"usage": LogPlace(900, 0, 1000, ago(10))}, None),
        ({"usage": LogPlace(900, 0, 1000, ago(400))}, "waited 400 s"),
        ({"as_of_ms": ago(61)}, "last caught up 61 s ago: look"),
        ({"as_of_ms": ago(61), "phase": ShardPhase.FOLDING}, "its accounts read 503"),
        ({"as_of_ms": ago(20), "phase": ShardPhase.FOLDING}, None),
        ({"as_of_ms": None, "push_as_of_ms": None, "phase": ShardPhase.FOLDING}, None),
        ({"as_of_ms": None, "phase": ShardPhase.FOLDING, "stalled": True}, "first fold does not get on"),
        ({"phase": ShardPhase.EMPTY, "as_of_ms": None}, None),
        ({"phase": ShardPhase.EMPTY, "as_of_ms": None, "stalled": True}, "is an aggregator running"),
        ({"phase": ShardPhase.CLEARING, "clearing_ms": ago(30), "as_of_ms": None}, None),
        ({"phase": ShardPhase.CLEARING, "clearing_ms": ago(301), "as_of_ms": None}, "billing rebuild --shard 4"),
        ({"records": Conservation(1000, 950, 30, 15, 4)}, "not the sum"),
        ({"records": Conservation(1000, 1000, 5, 0, -5)}, "not the sum"),
        ({"usage": LogPlace(1001, 0, 1000)}, "truncated or recreated"),
        ({"pushes": LogPlace(21, 0, 20)}, "the push log ends at 20"),
        ({"usage": LogPlace(5, 10, 1000, None)}, "retention was faster"),
        ({"push_as_of_ms": ago(61)}, "look at the Stripe worker"),
        ({"push_as_of_ms": None, "push_ready": False, "stalled": True}, "is a Stripe worker running"),
        ({"push_as_of_ms": None, "push_ready": False}, None),
        ({"parked": {"unknown_customer": 2, "no_meter": 1}}, "3 rows are parked: no_meter, unknown_customer"),
        ({"in_flight": 3, "in_flight_ms": ago(60)}, None),
        ({"in_flight": 3, "in_flight_ms": ago(4000)}, "on its way to Stripe for 4000 s"),
        ({"due": 50, "no_customer": 7, "never_billed": 3}, None),
    ],
)
def test_what_needs_a_person(changes: dict[str, Any], said: str | None) -> None:
    """One sentence for each fault; what mends itself is none."""
    found = concerns(replace(FINE, **changes))

    assert len(found) == (0 if said is None else 1), found
    if said is not None:
        assert said in found[0]


def test_faults_add_up() -> None:
    """A shard can need a person for several reasons."""
    report = replace(FINE, records=Conservation(1, 0, 0, 0, 0), parked={"refused": 1}, push_as_of_ms=ago(100))

    assert len(concerns(report)) == 3


def test_what_a_person_and_a_program_are_told() -> None:
    """A line per shard, one of totals, the letters by reason, the concerns by shard; the same as JSON."""
    bad = replace(FINE, shard=5, usage=LogPlace(990, 0, 1000, ago(4)), parked={"refused": 2}, due=3)
    status = Status((FINE, bad), {"unknown_meter": 7}, truncated=True)

    lines, told = plain_lines(status), as_json(status)

    assert lines[0].startswith("SHARD  STATE")
    assert [line.split()[0] for line in lines[1:4]] == ["4", "5", "all"]
    assert "2/2 ready" in lines[3]
    assert "parked: 2 refused" in lines
    assert "open dead letters (of the newest records): 7 unknown_meter" in lines
    assert lines[-1] == "shard 5: 2 rows are parked: refused"
    assert plain_lines(Status((FINE,), {}, truncated=False))[-1] == "nothing needs a person"
    assert told["totals"]["read"] == 2000
    assert told["totals"]["lag"] == 10
    assert told["shards"][1]["lag_seconds"] == 4
    assert told["needs_a_person"]
    terminal = Console(width=250, file=StringIO(), record=True)
    terminal.print(rich_tables(status))
    shown = terminal.export_text()
    assert all(text in shown for text in ("SHARD", "2/2 ready", "7 unknown_meter", "2 rows are parked: refused"))
    assert not as_json(Status((FINE,), None, truncated=False))["needs_a_person"]
