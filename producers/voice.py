"""The billable actions of a voice service."""

from datetime import datetime

from producers.emitter import UsageEmitter
from producers.in_flight import Delivery


class VoiceService:
    """Names what a voice service bills. The meters count calls, not minutes: the quantity is 1 unless told.

    One call can be several billable actions (inbound and answered by AI, or outbound for one customer and inbound
    for another), so the event's id carries the meter next to the call id.

    Args:
        emitter: the process's emitter.
        source: this service; call ids are unique within it.
    """

    def __init__(self, emitter: UsageEmitter, *, source: str = "/voice") -> None:
        self._emitter = emitter
        self._source = source

    def outbound(self, account: str, call_id: str, *, quantity: int = 1, time: datetime | None = None) -> Delivery:
        """An account made a call; emitting the same call id again is a duplicate.

        Args:
            account: the caller.
            call_id: the service's own id of the call leg, at most 241 characters.
            quantity: units to bill.
            time: when the call was made; now when None.

        Raises:
            InvalidEventError: and the other errors of `UsageEmitter.emit`.
        """
        return self._emit("voice.outbound", account, call_id, quantity, time)

    def inbound(self, account: str, call_id: str, *, quantity: int = 1, time: datetime | None = None) -> Delivery:
        """An account was called; the arguments and errors are those of `outbound`."""
        return self._emit("voice.inbound", account, call_id, quantity, time)

    def ai(self, account: str, call_id: str, *, quantity: int = 1, time: datetime | None = None) -> Delivery:
        """An account's call was powered by AI, beside being inbound or outbound; arguments as in `outbound`."""
        return self._emit("voice.ai", account, call_id, quantity, time)

    def _emit(self, meter: str, account: str, call_id: str, quantity: int, time: datetime | None) -> Delivery:
        return self._emitter.emit(
            meter, account, id=f"{meter}:{call_id}", source=self._source, quantity=quantity, time=time
        )
