"""A publisher that keeps what it is given, and fails when it is told to."""

from collections.abc import Awaitable, Callable, Sequence

from aggregator.publisher import Message


class MemoryPublisher:
    """Everything in `published` is acknowledged. `before` runs before each acknowledgement and may raise."""

    def __init__(self, before: Callable[[], Awaitable[None]] | None = None) -> None:
        self.published: list[Message] = []
        self.before = before

    async def publish(self, messages: Sequence[Message]) -> None:
        """Keeps all, or as many as were written before the error."""
        assert messages
        if self.before is not None:
            await self.before()
        self.published += messages
