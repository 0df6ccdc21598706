"""The billable actions of an SMS service."""

from datetime import datetime
from typing import Generic

from ._ids import action_id
from .protocol import Done_co, Emitter


class SmsService(Generic[Done_co]):
    """Emits the billable actions of an SMS service.

    A message between two customers is sent for one and received for the other: meter and account are part of an
    event's identity, so both events carry the message's own id.

    Args:
        emitter: the process's emitter, of threads or of asyncio; the methods return what its `emit` returns.
        source: this service; message ids are unique within it.
    """

    def __init__(self, emitter: Emitter[Done_co], *, source: str = "/sms") -> None:
        self._emitter = emitter
        self._source = source

    def sent(self, account: str, message_id: str, *, quantity: int = 1, time: datetime | None = None) -> Done_co:
        """An account sent a message; emitting the same message id again is a duplicate.

        Args:
            account: the sender.
            message_id: the service's own id of the message, at most 256 characters.
            quantity: units to bill: 1, or the message's segments if those are what is sold.
            time: when it was sent; now when None.

        Raises:
            InvalidEventError: and the other errors of `UsageEmitter.emit`.
        """
        return self._emit("sms.send", account, message_id, quantity, time)

    def received(self, account: str, message_id: str, *, quantity: int = 1, time: datetime | None = None) -> Done_co:
        """An account received a message; the arguments and errors are those of `sent`."""
        return self._emit("sms.receive", account, message_id, quantity, time)

    def _emit(self, meter: str, account: str, message_id: str, quantity: int, time: datetime | None) -> Done_co:
        return self._emitter.emit(
            meter, account, id=action_id(message_id), source=self._source, quantity=quantity, time=time
        )
