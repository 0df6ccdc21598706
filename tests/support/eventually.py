"""Waiting in tests: for a condition, with a deadline. Nothing else in the tests sleeps."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

DEADLINE_SECONDS = 15.0
POLL_SECONDS = 0.02


def eventually(condition: Callable[[], T], deadline: float = DEADLINE_SECONDS, what: str = "the condition") -> T:
    """Ask until the answer is true and return it; an AssertionError in `condition` means not yet.

    After `deadline` seconds the last AssertionError is raised, or one that names `what` and the last answer.
    """
    end = time.monotonic() + deadline
    while True:
        late = time.monotonic() >= end
        try:
            answer = condition()
        except AssertionError:
            if late:
                raise
        else:
            if answer:
                return answer
            assert not late, _overdue(what, deadline, answer)
        time.sleep(POLL_SECONDS)


async def eventually_async(
    condition: Callable[[], Awaitable[T]], deadline: float = DEADLINE_SECONDS, what: str = "the condition"
) -> T:
    """The same for a condition to await; the event loop runs on between two questions."""
    end = time.monotonic() + deadline
    while True:
        late = time.monotonic() >= end
        try:
            answer = await condition()
        except AssertionError:
            if late:
                raise
        else:
            if answer:
                return answer
            assert not late, _overdue(what, deadline, answer)
        await asyncio.sleep(POLL_SECONDS)


def _overdue(what: str, deadline: float, answer: object) -> str:
    return f"{what} did not hold within {deadline:g} s; the last answer: {answer!r}"
