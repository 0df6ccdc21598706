"""Shows parked rows and the results of orders."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from metering.rfc3339 import from_unix
from ops.console.safe_text import visible
from ops.stripe.parked import SHORT, ParkedRow
from ops.stripe.plan import Plan, Step

DETAIL_WIDTH = 60  # characters
MOST_WHYS = 10  # reasons: there may be many, as some name the time from which a row may be ordered
HEADER = ("IDENTIFIER", "ACCOUNT", "CUSTOMER", "METER", "UNITS", "FOR", "REASON", "DETAIL", "PARKED FOR")


def cells(row: ParkedRow, now_ms: int) -> tuple[str, ...]:
    """Returns the row's cells in the order of `HEADER`."""
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
    """Returns the row as JSON; times are Unix seconds."""
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
    """Returns a duration in its two largest units."""
    minutes = max(0, milliseconds) // 60_000
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def counted(rows: Iterable[ParkedRow]) -> str:
    """Returns the number of rows and units, and the reasons for which they are parked."""
    found = list(rows)
    reasons = Counter(row.entry.reason.value for row in found)
    named = ", ".join(f"{number} {reason}" for reason, number in reasons.most_common())
    return f"{amount(len(found), sum(row.entry.row.value for row in found))}{f' ({named})' if named else ''}"


def amount(rows: int, units: int) -> str:
    """Returns the numbers as text."""
    return f"{rows} row{'' if rows == 1 else 's'}, {units} units"


def planned_text(what: str, plan: Plan[Step]) -> Iterator[str]:
    """Yields the lines for the rows that would be ordered, and for those left out, by reason."""
    yield f"would be {what}: {counted(row for row, _ in plan.steps)}"
    yield from left_text(Counter(why for _, why in plan.left), "would be left")


def left_text(left: Mapping[str, int], what: str = "left") -> Iterator[str]:
    """Yields a line for every reason not to order rows, the most common first."""
    whys = Counter(left).most_common()
    for why, rows in whys[:MOST_WHYS]:
        yield f"{what}: {rows} row{'' if rows == 1 else 's'}: {visible(why)}"
    if rest := whys[MOST_WHYS:]:
        yield f"{what}: {sum(rows for _, rows in rest)} more, for {len(rest)} other reasons"
