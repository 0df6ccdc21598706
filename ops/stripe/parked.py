"""The parked rows of all shards, by identifier."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ledger.pushes import read_parked
from ledger.shard import Shard
from metering.push_fold import Parked
from metering.rfc3339 import from_unix
from ops.errors import OpsError
from ops.safe_text import visible

SHORT = 12  # characters of an identifier: a collision among parked rows would take millions of them
DETAIL_WIDTH = 60
HEADER = ("IDENTIFIER", "ACCOUNT", "CUSTOMER", "METER", "UNITS", "FOR", "REASON", "DETAIL", "PARKED FOR")


class ParkedRow(NamedTuple):
    """A row that waits for a person, and its shard."""

    shard: int
    identifier: str
    entry: Parked


async def parked_rows(shards: Sequence[Shard]) -> list[ParkedRow]:
    """All of them, those that wait longest first."""
    found = [
        ParkedRow(shard.number, identifier, entry)
        for shard in shards
        for identifier, entry in (await read_parked(shard)).items()
    ]
    return sorted(found, key=lambda row: (row.entry.parked_ms, row.identifier))


def one_of(identifiers: Mapping[str, Any], text: str) -> str | None:
    """The one identifier that begins with `text`; None if none does.

    Raises:
        OpsError: several do.
    """
    found = [identifier for identifier in identifiers if identifier.startswith(text)] if text else []
    if len(found) > 1:
        raise OpsError(f"{text} is not enough: {', '.join(sorted(found)[:5])} begin so; write more of it")
    return found[0] if found else None


def cells(row: ParkedRow, now_ms: int) -> tuple[str, ...]:
    """The row as `HEADER` names its parts."""
    entry = row.entry
    return (
        row.identifier[:SHORT],
        entry.row.account,
        entry.row.customer,
        entry.row.meter,
        str(entry.row.value),
        from_unix(entry.row.timestamp),
        entry.reason.value,
        visible(entry.detail, DETAIL_WIDTH),
        age(now_ms - entry.parked_ms),
    )


def as_json(row: ParkedRow, now_ms: int) -> dict[str, Any]:
    """The same for programs; moments in Unix seconds."""
    entry = row.entry
    return {
        "identifier": row.identifier,
        "shard": row.shard,
        "account": entry.row.account,
        "customer": entry.row.customer,
        "meter": entry.row.meter,
        "units": entry.row.value,
        "timestamp": entry.row.timestamp,
        "carried": entry.row.carried,
        "reason": entry.reason.value,
        "detail": entry.detail,
        "prepared": entry.prepared_ms // 1000,
        "parked": entry.parked_ms // 1000,
        "age_seconds": max(0, now_ms - entry.parked_ms) // 1000,
    }


def age(milliseconds: int) -> str:
    """A length of time in its two largest units."""
    minutes = max(0, milliseconds) // 60_000
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"
