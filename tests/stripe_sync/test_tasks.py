"""Ending tasks."""

import asyncio

from stripe_sync.tasks import end_tasks


async def deaf(ears: asyncio.Event, times: int) -> None:
    """Does not hear the first cancellations."""
    for _ in range(times):
        try:
            ears.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            continue
    await asyncio.Event().wait()


async def started(times: int) -> "asyncio.Task[None]":
    """A task that is deaf for so many cancellations."""
    ears = asyncio.Event()
    task = asyncio.create_task(deaf(ears, times))
    await ears.wait()
    return task


async def test_a_task_that_swallows_a_cancellation_is_cancelled_again() -> None:
    """As one does in the middle of asyncio.wait_for before Python 3.12."""
    tasks = [await started(2), await started(0 + 1)]
    await asyncio.wait_for(end_tasks(tasks), 5)
    assert all(task.cancelled() for task in tasks)


async def test_the_tasks_end_even_if_their_owner_is_cancelled_meanwhile() -> None:
    """Only then is the owner's own cancellation heard."""
    task = await started(2)
    owner = asyncio.create_task(end_tasks([task]))
    await asyncio.sleep(0)
    owner.cancel()
    await asyncio.wait([owner], timeout=5)
    assert owner.cancelled()
    assert task.cancelled()


async def test_what_a_task_ended_with_is_dropped() -> None:
    """An error, a result, nothing to end at all."""

    async def fail() -> None:
        raise ValueError

    tasks = [asyncio.create_task(fail()), asyncio.create_task(asyncio.sleep(0))]
    await asyncio.wait(tasks)
    await end_tasks(tasks)
    await end_tasks([])
