"""Writes daily usage as CSV (RFC 4180), a line per day and meter."""

import csv
import io
from collections.abc import Sequence
from datetime import date
from typing import Any, Protocol

from api.reading.history import MeterHistory

CSV = "text/csv"
HEADER = ("date", "meter", "display_name", "total", "before_subscription", "accepted", "carried_forward")
_EXAMPLE = (
    ",".join(HEADER),
    "2026-06-20,sms.send,SMS Sent,125,0,120,0",
    "2026-06-20,voice.ai,AI-Powered Calls,34,0,34,0",
)
CSV_BODY: dict[str, Any] = {"schema": {"type": "string"}, "example": "\r\n".join((*_EXAMPLE, ""))}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # OWASP, "CSV Injection": a spreadsheet runs such cells as formulas


class Day(Protocol):
    """A day and its meters."""

    @property
    def date(self) -> date:
        """Returns the day, UTC."""

    @property
    def usage(self) -> list[MeterHistory]:
        """Returns its meters."""


def csv_of(days: Sequence[Day]) -> bytes:
    """Returns the whole file in UTF-8; a cell is empty if its number is not known."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)  # its defaults are RFC 4180's: CRLF, quotes where they are needed
    writer.writerow(HEADER)
    for day in days:
        for each in day.usage:
            numbers = (each.total, each.before_subscription, each.accepted, each.carried_forward)
            writer.writerow((day.date, harmless(each.meter), harmless(each.display_name), *numbers))
    return text.getvalue().encode()


def harmless(text: str) -> str:
    """Returns the text as a cell that no spreadsheet runs as a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
