"""The monthly job's input: the accounts and the phone numbers that they hold, one per line."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from ..numbers import month_start


class Holding(NamedTuple):
    """An account holds a number from `since` until `until`, both included or open; `line` counts from 1."""

    line: int
    account: str
    number: str
    since: datetime | None = None
    until: datetime | None = None


class HoldingFault(NamedTuple):
    """A line that can't be used, and the reason."""

    line: int
    why: str


def read_holdings(lines: Iterable[str]) -> Iterator[Holding | HoldingFault]:
    """Reads CSV with a header (account, number, and optionally since and until), or one JSON object per line.

    The first line decides which of the two it is. Other columns, other members and empty lines are ignored.
    """
    numbered = ((number, line.lstrip("\ufeff")) for number, line in enumerate(lines, start=1))
    filled = ((number, line) for number, line in numbered if line.strip())
    first = next(filled, None)
    if first is None:
        return
    if first[1].lstrip().startswith("{"):
        yield _of_json(*first)
        for number, line in filled:
            yield _of_json(number, line)
        return
    header = [name.strip().lower() for name in next(csv.reader([first[1]]))]
    if not {"account", "number"} <= set(header):
        yield HoldingFault(first[0], "the first line is no header with account and number, and no JSON")
        return
    for number, line in filled:
        fields = next(csv.reader([line]))
        if len(fields) != len(header):
            yield HoldingFault(number, f"{len(fields)} fields; the header has {len(header)}")
        else:
            yield _holding(number, dict(zip(header, fields, strict=True)))


def fee_time(holding: Holding, month: date, now: datetime) -> datetime | None:
    """Returns the time of a number's fee for a month; None if the account doesn't hold it in that month, or not yet.

    A number that is held in any part of the month is charged for the whole month. The time of the fee is the month's
    first second, or the time at which the number was bought.
    """
    start = month_start(month)
    end = month_start(date(month.year + month.month // 12, month.month % 12 + 1, 1))
    since, until = holding.since or start, holding.until or end
    if since >= end or until < start or since > now or until < since:
        return None
    return max(start, since)


def _of_json(line: int, text: str) -> Holding | HoldingFault:
    try:
        parsed = json.loads(text)
    except ValueError as error:
        return HoldingFault(line, f"no JSON: {error}")
    return _holding(line, parsed) if isinstance(parsed, dict) else HoldingFault(line, "no object of JSON")


def _holding(line: int, fields: Mapping[str, Any]) -> Holding | HoldingFault:
    try:
        account, number = _text(fields, "account"), _text(fields, "number")
        return Holding(line, account, number, _time(fields, "since"), _time(fields, "until"))
    except ValueError as error:
        return HoldingFault(line, str(error))


def _text(fields: Mapping[str, Any], name: str) -> str:
    text = fields.get(name)
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{name} is missing")
    return text.strip()


def _time(fields: Mapping[str, Any], name: str) -> datetime | None:
    text = fields.get(name)
    if text is None or text == "":
        return None
    try:
        time = datetime.fromisoformat(str(text).strip())
    except ValueError:
        raise ValueError(f"{name} {text!r} is no date such as 2026-12-10, and no time") from None
    return time if time.utcoffset() is not None else time.replace(tzinfo=UTC)
