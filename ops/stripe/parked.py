"""Reads the parked rows of all shards, and finds one by its identifier."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ledger.pushes import read_parked
from ledger.shard import Shard
from metering.push_fold import Parked
from ops.console.errors import OpsError

SHORT = 12  # characters of an identifier: a collision among parked rows would take millions of them


class ParkedRow(NamedTuple):
    """A row that waits for a person, and its shard."""

    shard: int
    identifier: str
    entry: Parked


async def parked_rows(shards: Sequence[Shard]) -> list[ParkedRow]:
    """Returns all parked rows, the oldest first."""
    found = [
        ParkedRow(shard.number, identifier, entry)
        for shard in shards
        for identifier, entry in (await read_parked(shard)).items()
    ]
    return sorted(found, key=lambda row: (row.entry.parked_ms, row.identifier))


def one_of(identifiers: Mapping[str, Any], text: str) -> str | None:
    """Returns the only identifier that begins with `text`; None if none does.

    Raises:
        OpsError: several identifiers begin with it.
    """
    found = [identifier for identifier in identifiers if identifier.startswith(text)] if text else []
    if len(found) > 1:
        raise OpsError(f"{text} is not enough: {', '.join(sorted(found)[:5])} begin so; write more of it")
    return found[0] if found else None
