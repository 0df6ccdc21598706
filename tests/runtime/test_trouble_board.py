"""What a service knows to be wrong: one gauge, the words of its health page, a line when it begins."""

import logging

import pytest
from prometheus_client import CollectorRegistry

from metering.troubles.finding import Finding
from metering.troubles.names import Trouble
from runtime.monitor import Pulse
from runtime.trouble_board import TroubleBoard

LOST = Finding(Trouble.ROWS_PARKED, 3, {"rows": 2, "reason": "lost"}, "why")


def told(registry: CollectorRegistry, trouble: Trouble, shard: int = 3) -> float | None:
    """The gauge."""
    return registry.get_sample_value("billing_trouble", {"shard": str(shard), "trouble": trouble.value})


def test_every_trouble_of_the_list_has_a_series() -> None:
    """1 while it is so, 0 else; none of a shard that is another process's."""
    registry = CollectorRegistry()
    board = TroubleBoard(registry)

    board.tell(3, [LOST])
    assert {trouble: told(registry, trouble) for trouble in Trouble} == dict.fromkeys(Trouble, 0) | {LOST.trouble: 1}
    board.tell(3, [])
    assert told(registry, LOST.trouble) == 0
    board.release([3, 4])
    assert {told(registry, trouble) for trouble in Trouble} == {None}


def test_a_process_that_is_well_says_what_is_wrong_with_what_it_looks_after() -> None:
    """Each cause once."""
    board, pulse = TroubleBoard(CollectorRegistry()), Pulse()
    pulse.told = board.words
    assert pulse.words() == "ok"

    for shard in (3, 4):
        board.tell(shard, [Finding(LOST.trouble, shard, LOST.params, LOST.detail)])

    assert pulse.words() == "ok; shards 3-4: rows are parked (lost): 4: why"


def test_it_is_logged_when_it_begins(caplog: pytest.LogCaptureFixture) -> None:
    """Once, and again after it was gone; what nobody must act on is no error."""
    board = TroubleBoard(CollectorRegistry())
    with caplog.at_level(logging.INFO):
        for findings in ([LOST], [LOST], [], [LOST], [Finding(Trouble.PARTITIONS_ADDED, 3)]):
            board.tell(3, findings)

    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR", "INFO"]
    assert caplog.messages[0] == "rows_parked: shard 3: rows are parked (lost): 2: why"
