"""The billable actions of a phone-number service."""

import re
from datetime import date, datetime

from producers.emitter import UsageEmitter
from producers.event import InvalidEventError
from producers.in_flight import Delivery

# ITU-T E.164: a plus sign and at most 15 digits, the first not 0. One spelling per number, so one fee per number.
_E164 = re.compile(r"\+[1-9][0-9]{1,14}")


class NumberService:
    """Names what a phone-number service bills.

    Args:
        emitter: the process's emitter.
        source: this service.
    """

    def __init__(self, emitter: UsageEmitter, *, source: str = "/numbers") -> None:
        self._emitter = emitter
        self._source = source

    def monthly(self, account: str, number: str, month: date, *, time: datetime | None = None) -> Delivery:
        """An account holds a number (DID) in a month. However often it is emitted, it is billed once.

        The event's id is made of the account, the number and the month, so a monthly job may run twice, and a
        number that changes hands within the month is billed to both of its holders.

        Args:
            account: the number's holder.
            number: in E.164, such as `+442071838750`.
            month: any day of the month.
            time: the moment that decides the billing period; now when None. It must not be before the account's
                subscription: usage from before it is never billed.

        Raises:
            InvalidEventError: the number is not in E.164; and the other errors of `UsageEmitter.emit`.
        """
        if not _E164.fullmatch(number):
            raise InvalidEventError(f"number {number!r} is not in E.164: write it as +442071838750")
        event_id = f"{account}:{number}:{month.year:04d}-{month.month:02d}"
        return self._emitter.emit("did.monthly", account, id=event_id, source=self._source, time=time)
