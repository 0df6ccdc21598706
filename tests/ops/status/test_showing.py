"""The screen, the matrix and the JSON: the verdict first, nothing wider than the screen, nothing cut."""

import json
from dataclasses import replace

import pytest

from ledger.state import Conservation, Log
from metering.stop import Stop, StopReason
from metering.troubles.catalogue import TROUBLES
from metering.troubles.finding import Finding
from ops.logs.dead_letters import DeadLetters
from ops.status.as_json import as_json
from ops.status.matrix import NUMBERS, matrix
from ops.status.report import LogPlace
from ops.status.system import System
from ops.status.text import WIDTH, Screen
from tests.ops.status.shards import FINE, NOW, ago

LARGE = 10**12
STOP = Stop(StopReason.LOG_LOST, 1001, None, "usage.events-4 ends at 1000, and 1001 records were folded of it", ago(99))


def shards(count: int, **changes: object) -> System:
    """A system with this number of shards."""
    return System(NOW, tuple(replace(FINE, shard=number, **changes) for number in range(count)))


def test_a_system_that_is_well_says_so_in_a_line() -> None:
    """There is no other line."""
    assert Screen().lines(shards(12)) == ["nothing needs a person; 12 of 12 shards are ready"]


def test_the_verdict_comes_first_then_each_cause_once() -> None:
    """With the cause, the command that mends it, and a link to the documents."""
    lines = Screen().lines(shards(12, stops={Log.USAGE: STOP}, parked={"lost": 2}))

    assert lines == [
        "this needs a person: 1 stops something, 1 makes usage wait; 12 of 12 shards are",
        "ready",
        "",
        "STOPPED  shards 0-11: the usage log has been stopped for 99 s: it is not the log",
        "         that was folded",
        "         usage.events-4 ends at 1000, and 1001 records were folded of it",
        "   mend: put the log back; if there is none: billing rebuild --shard N",
        "   more: docs/operating/lost-logs.md",
        "",
        "WAITING  shards 0-11: rows are parked (lost): 24",
        "   mend: billing stripe parked",
        "   more: docs/operating/rows.md",
    ]


@pytest.mark.parametrize("width", [60, 80, 100])
def test_nothing_is_wider_than_the_screen(width: int) -> None:
    """With all troubles at once, and long causes; the text in colours is the same."""
    params = dict.fromkeys({name for entry in TROUBLES.values() for name in entry.params()}, LARGE)
    away = [Finding(trouble, 3, params, "a cause of many words " * 9) for trouble in TROUBLES]
    screen = Screen(width, every_shard=True)
    seen = replace(shards(40), away=away)

    lines = screen.lines(seen)

    assert [line for line in lines if len(line) > width and not line.startswith("   more: ")] == []
    assert screen.drawn(seen).plain == "\n".join(lines)


def test_what_others_wrote_can_not_reach_the_terminal() -> None:
    """Line ends and escape sequences in names and answers from outside are escaped."""
    seen = System(
        NOW,
        away=[Finding(trouble, 3, dict.fromkeys(TROUBLES[trouble].params(), 7), "\x1b[31m\n") for trouble in TROUBLES],
    )

    assert all(line.isprintable() for line in Screen().lines(seen))


def test_only_the_first_of_many_causes_are_shown() -> None:
    """The others are counted; the JSON has all."""
    stops = [replace(STOP, message=f"cause {number}") for number in range(12)]
    seen = System(NOW, tuple(replace(FINE, shard=n, stops={Log.USAGE: stop}) for n, stop in enumerate(stops)))

    assert "         and 9 more: billing status --json" in Screen().lines(seen)
    assert len(as_json(seen)["findings"][0]["details"]) == 12


def test_the_matrix_cuts_no_cell() -> None:
    """The columns are spread over as many tables as the width needs; all tables name the shards; there is a sum."""
    reports = [replace(FINE, shard=number, records=Conservation(LARGE, LARGE, 0, 0, 0)) for number in range(12)]

    lines = matrix(reports, WIDTH)

    assert max(map(len, lines)) <= WIDTH
    heads = [line for line in lines if line.startswith("SHARD")]
    assert all(any(name in head for head in heads) for name in NUMBERS)
    assert sum(line.count(str(LARGE)) for line in lines) == 24
    assert sum(line.count(str(12 * LARGE)) for line in lines) == 2
    assert any("12/12 ready" in line for line in lines)


def test_what_is_not_known_is_no_number() -> None:
    """Without Kafka, the lag is not known."""
    lines = matrix([replace(FINE, usage=LogPlace(7), pushes=LogPlace(7))], 200)

    assert " ".join(lines).split().count("?") == 2


def test_programs_are_told_everything() -> None:
    """The same findings, with their parts; and it is JSON."""
    seen = replace(
        shards(2, stops={Log.USAGE: STOP}, parked={"refused": 2}, usage=LogPlace(990, 0, 1000, ago(4))),
        letters=DeadLetters(truncated=True),
    )

    told = json.loads(json.dumps(as_json(seen)))

    assert told["needs_a_person"]
    assert told["verdict"].startswith("this needs a person: 1 stops something")
    assert [each["trouble"] for each in told["findings"]] == ["log_lost", "rows_parked"]
    assert told["findings"][1] == {
        "trouble": "rows_parked",
        "severity": "waiting",
        "shards": [0, 1],
        "sentence": "shards 0-1: rows are parked (refused): 4",
        "params": {"rows": 4, "reason": "refused"},
        "details": [],
        "mend": "billing stripe parked",
        "more": "docs/operating/rows.md",
    }
    assert told["shards"][0]["stops"]["usage"]["offset"] == 1001
    assert told["shards"][1]["lag_seconds"] == 4
    assert told["shards"][1]["troubles"] == ["log_lost", "rows_parked"]
    assert told["totals"]["lag"] == 20
    assert told["parked"] == {"refused": 4}
    assert (told["dead_letters"], told["dead_letters_truncated"]) == ({}, True)
    assert not as_json(shards(1))["needs_a_person"]
