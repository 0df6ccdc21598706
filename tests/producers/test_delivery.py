"""A delivery behaves like the standard library's own future for a caller that waits."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, as_completed, wait

import pytest

from telephony_billing_producers import Delivery, Outcome
from telephony_billing_producers._delivery import AcceptedEvent
from telephony_billing_producers._event import UsageRecord


def running() -> Delivery:
    """The library's own future of what has begun."""
    future: Delivery = Future()
    future.set_running_or_notify_cancel()
    return future


def accepted() -> Delivery:
    """Ours."""
    return AcceptedEvent(UsageRecord(b"acme", b"{}"), 0.0, 0.0)


Make = Callable[[], Delivery]
pytestmark = pytest.mark.parametrize("make", [running, accepted])


def test_it_is_running_until_it_is_done(make: Make) -> None:
    """And can't be cancelled."""
    delivery = make()
    assert (delivery.running(), delivery.done(), delivery.cancel(), delivery.cancelled()) == (True, False, False, False)
    with pytest.raises(TimeoutError):
        delivery.result(timeout=0)

    delivery.set_result(Outcome.SPOOLED)

    assert (delivery.running(), delivery.done(), delivery.cancel(), delivery.cancelled()) == (False, True, False, False)
    assert (delivery.result(timeout=0), delivery.exception(timeout=0)) == (Outcome.SPOOLED, None)


def test_it_fails(make: Make) -> None:
    """A caller that waits gets the error."""
    delivery = make()
    delivery.set_exception(OSError("no space"))

    assert delivery.done()
    assert isinstance(delivery.exception(timeout=0), OSError)
    with pytest.raises(OSError, match="no space"):
        delivery.result(timeout=0)


def test_its_callbacks_are_called_once(make: Make) -> None:
    """Those that were there before, in their order, and those that come later; one that raises stops no other."""
    delivery, called = make(), []
    delivery.add_done_callback(lambda done: called.append(("first", done.result())))
    delivery.add_done_callback(lambda _: 1 / 0)
    delivery.add_done_callback(lambda done: called.append(("second", done.result())))
    assert called == []

    delivery.set_result(Outcome.ACKNOWLEDGED)
    delivery.add_done_callback(lambda done: called.append(("late", done.result())))

    assert [name for name, _ in called] == ["first", "second", "late"]
    assert {outcome for _, outcome in called} == {Outcome.ACKNOWLEDGED}


def test_threads_that_wait_are_woken(make: Make) -> None:
    """All that wait for the same one."""
    delivery, got = make(), []
    threads = [threading.Thread(target=lambda: got.append(delivery.result(timeout=20))) for _ in range(4)]
    for thread in threads:
        thread.start()

    delivery.set_result(Outcome.ACKNOWLEDGED)

    for thread in threads:
        thread.join()
    assert got == [Outcome.ACKNOWLEDGED] * 4


def test_many_races_are_lost_by_nobody(make: Make) -> None:
    """A thread that begins to wait just when the event becomes safe, and a callback that is added then."""
    deliveries = [make() for _ in range(2000)]
    called: list[Delivery] = []
    begin = threading.Barrier(2)

    def settle() -> None:
        begin.wait()
        for delivery in deliveries:
            delivery.set_result(Outcome.ACKNOWLEDGED)

    settling = threading.Thread(target=settle)
    settling.start()
    begin.wait()
    for delivery in deliveries:
        delivery.add_done_callback(called.append)
        assert delivery.result(timeout=20) is Outcome.ACKNOWLEDGED
    settling.join()

    assert sorted(map(id, called)) == sorted(map(id, deliveries))


def test_several_are_waited_for(make: Make) -> None:
    """`wait` and `as_completed`, for some of them and for all."""
    first, second = make(), make()
    timer = threading.Timer(0.01, lambda: first.set_result(Outcome.ACKNOWLEDGED))
    timer.start()

    assert wait([first, second], timeout=20, return_when=FIRST_COMPLETED).done == {first}
    timer = threading.Timer(0.01, lambda: second.set_exception(OSError()))
    timer.start()
    assert set(as_completed([first, second], timeout=20)) == {first, second}
    assert wait([first, second], timeout=20).not_done == set()


async def test_asyncio_wraps_it(make: Make) -> None:
    """Cancelling the wrapper changes nothing for the event."""
    delivery, other = make(), make()
    wrapped, given_up = asyncio.wrap_future(delivery), asyncio.wrap_future(other)
    given_up.cancel()
    await asyncio.sleep(0)
    for each in (other, delivery):
        threading.Thread(target=each.set_result, args=(Outcome.SPOOLED,)).start()

    assert await wrapped is Outcome.SPOOLED
    assert other.result(timeout=20) is Outcome.SPOOLED
