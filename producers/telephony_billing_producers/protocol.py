"""The interface of an emitter for the services: the real one, the asyncio one, or a fake in tests."""

from datetime import datetime
from typing import Protocol, TypeVar

from ._event import Extra

Done_co = TypeVar("Done_co", covariant=True)
"""The type that `emit` returns: a `concurrent.futures.Future`, an `asyncio.Future`, or that of a fake."""


class Emitter(Protocol[Done_co]):
    """Takes usage events."""

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
