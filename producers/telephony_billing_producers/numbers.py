"""The billable actions of a phone-number service."""

import re
from datetime import UTC, date, datetime
from typing import Generic

from ._ids import joined_id
from .errors import InvalidEventError
from .protocol import Done_co, Emitter

# ITU-T E.164: a plus sign and at most 15 digits, the first not 0. One spelling per number, so one fee per number.
_E164 = re.compile(r"\+[1-9][0-9]{1,14}")


class NumberService(Generic[Done_co]):
    """Emits the billable actions of a phone-number service.

    Args:
        emitter: the process's emitter, of threads or of asyncio; the methods return what its `emit` returns.
        source: this service.
    """

    def __init__(self, emitter: Emitter[Done_co], *, source: str = "/numbers") -> None:
        self._emitter = emitter
        self._source = source

    def monthly(self, account: str, number: str, month: date, *, time: datetime | None = None) -> Done_co:
        """An account holds a number (DID) in a month, or in a part of it. It is billed once, even if emitted again.

        The event's id is made of the number and the month, and its time is the month's first second, so a monthly job
        may run at any time and again, until 34 days after that second. Later it is refused, because the platform may
        have forgotten the first run. With a `time` of your own, you must keep this limit yourself, as the command does.
        The account is part of the event's identity: if a number changes its holder within the month, both are billed.

        Args:
            account: the number's holder.
            number: in E.164, such as `+442071838750`.
            month: any day of the month.
            time: the moment within the month, in UTC, that decides the billing period; the month's first second when
                None. For a number that was bought within the month: when it was bought. It must not be before the
                account's subscription: usage from before it is never billed.

        Raises:
            InvalidEventError: the number is not in E.164, the time is not in the month; and the other errors of
                `UsageEmitter.emit`.
        """
        if not isinstance(number, str) or not _E164.fullmatch(number):
            raise InvalidEventError(f"number {number!r} is not in E.164: write it as +442071838750")
        if not isinstance(month, date):
            raise InvalidEventError(f"month {month!r} is no date: pass any day of the month, as a datetime.date")
        name = f"{month.year:04d}-{month.month:02d}"
        moment = month_start(month) if time is None else time
        if time is not None and (time.utcoffset() is None or f"{time.astimezone(UTC):%Y-%m}" != name):
            raise InvalidEventError(f"time {time!r} is not in {name}, in UTC: the fee of a month belongs into it")
        return self._emitter.emit("did.monthly", account, id=joined_id(number, name), source=self._source, time=moment)


def month_start(month: date) -> datetime:
    """Returns the first second of a day's month, in UTC."""
    return datetime(month.year, month.month, 1, tzinfo=UTC)
