"""What a service needs of an emitter: the real one, an asyncio one, or a fake in tests."""

from datetime import datetime
from typing import Protocol, TypeVar

from ._event import Extra

Done_co = TypeVar("Done_co", covariant=True)
"""What `emit` returns: a `concurrent.futures.Future`, an `asyncio.Future`, or what a fake has."""


class Emitter(Protocol[Done_co]):
    """Whoever takes usage events."""

    def emit(
        self,
        meter: str,
        account: str,
        *,
        source: str,
        id: str | None = None,  # noqa: A002 - CloudEvents' name for it
        quantity: int = 1,
        time: datetime | None = None,
        extra: Extra | None = None,
    ) -> Done_co:
        """Accepts one billable action; see `UsageEmitter.emit`."""
