"""Ending tasks for certain."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

CANCEL_AGAIN_SECONDS = 0.2


async def end_tasks(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancels tasks until they have ended, even if it is cancelled itself; what they end with is dropped.

    Once is not enough: before Python 3.12 `asyncio.wait_for` swallows a cancellation that arrives in the moment its
    inner call is done (python/cpython#86296), and redis-py sends every command through it.
    """
    ended = set(tasks)
    cancelled = False
    while pending := {task for task in ended if not task.done()}:
        for task in pending:
            task.cancel()
        try:
            await asyncio.wait(pending, timeout=CANCEL_AGAIN_SECONDS)
        except asyncio.CancelledError:
            cancelled = True
    for task in ended:
        with suppress(asyncio.CancelledError):
            task.exception()  # read, so that nobody warns of it
    if cancelled:
        raise asyncio.CancelledError
