"""The billable actions of an SMS service."""

from datetime import datetime

from producers.emitter import UsageEmitter
from producers.in_flight import Delivery


class SmsService:
    """Names what an SMS service bills.

    A message between two customers is sent for one and received for the other, so the event's id carries the
    direction next to the message id.

    Args:
        emitter: the process's emitter.
        source: this service; message ids are unique within it.
    """

    def __init__(self, emitter: UsageEmitter, *, source: str = "/sms") -> None:
        self._emitter = emitter
        self._source = source

    def sent(self, account: str, message_id: str, *, quantity: int = 1, time: datetime | None = None) -> Delivery:
        """An account sent a message; emitting the same message id again is a duplicate.

        Args:
            account: the sender.
            message_id: the service's own id of the message, at most 244 characters.
            quantity: units to bill: 1, or the message's segments if those are what is sold.
            time: when it was sent; now when None.

        Raises:
            InvalidEventError: and the other errors of `UsageEmitter.emit`.
        """
        return self._emit("sms.send", account, message_id, quantity, time)

    def received(self, account: str, message_id: str, *, quantity: int = 1, time: datetime | None = None) -> Delivery:
        """An account received a message; the arguments and errors are those of `sent`."""
        return self._emit("sms.receive", account, message_id, quantity, time)

    def _emit(self, meter: str, account: str, message_id: str, quantity: int, time: datetime | None) -> Delivery:
        return self._emitter.emit(
            meter, account, id=f"{meter}:{message_id}", source=self._source, quantity=quantity, time=time
        )
