"""Shard reports for the tests of the status."""

from typing import Any

from ledger.state import Conservation
from ops.logs.open_transactions import OpenTransaction
from ops.status.report import LogPlace, ShardPhase, ShardReport

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
EMPTY: dict[str, Any] = {"phase": ShardPhase.EMPTY, "as_of_ms": None, "push_as_of_ms": None}


def ago(seconds: float) -> int:
    """A time before now."""
    return NOW - int(seconds * 1000)


def held(seconds: float, fence: int = 1000, **changes: Any) -> dict[str, Any]:
    """A transaction that has been open for so long from offset 1000 on, and what the shard looks like then."""
    transaction = OpenTransaction("usage.events", 4, 1000, 1006, ago(seconds), 7, "etl")
    usage = LogPlace(fence, 0, 1006, ago(seconds), stable=1000)
    return {"held": (transaction,), "usage": usage, "as_of_ms": ago(seconds)} | changes
