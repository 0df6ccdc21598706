"""The billable actions of a voice service."""

from datetime import datetime
from typing import Generic

from ._ids import action_id
from .protocol import Done_co, Emitter


class VoiceService(Generic[Done_co]):
    """Emits the billable actions of a voice service. The meters count calls, not minutes: the default quantity is 1.

    One call can be several billable actions (inbound and answered by AI, or outbound for one customer and inbound
    for another): meter and account are part of an event's identity, so all of them carry the call's own id.

    Args:
        emitter: the process's emitter, of threads or of asyncio; the methods return what its `emit` returns.
        source: this service; call ids are unique within it.
    """

    def __init__(self, emitter: Emitter[Done_co], *, source: str = "/voice") -> None:
        self._emitter = emitter
        self._source = source

    def outbound(self, account: str, call_id: str, *, quantity: int = 1, time: datetime | None = None) -> Done_co:
        """An account made a call; emitting the same call id again is a duplicate.

        Args:
            account: the caller.
            call_id: the service's own id of the call leg, at most 256 characters.
            quantity: units to bill; 0 for a call that nobody answered.
            time: when the call was made; now when None.

        Raises:
            InvalidEventError: and the other errors of `UsageEmitter.emit`.
        """
        return self._emit("voice.outbound", account, call_id, quantity, time)

    def inbound(self, account: str, call_id: str, *, quantity: int = 1, time: datetime | None = None) -> Done_co:
        """An account was called; the arguments and errors are those of `outbound`."""
        return self._emit("voice.inbound", account, call_id, quantity, time)

    def ai(self, account: str, call_id: str, *, quantity: int = 1, time: datetime | None = None) -> Done_co:
        """An account's call was powered by AI, beside being inbound or outbound; arguments as in `outbound`."""
        return self._emit("voice.ai", account, call_id, quantity, time)

    def _emit(self, meter: str, account: str, call_id: str, quantity: int, time: datetime | None) -> Done_co:
        return self._emitter.emit(
            meter, account, id=action_id(call_id), source=self._source, quantity=quantity, time=time
        )
