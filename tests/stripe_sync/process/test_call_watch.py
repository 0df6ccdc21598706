"""Calls to Stripe that fail are a trouble while most of the last minute's do."""

from metering.outcome import Ambiguous, Delivered, Outcome, Park, ParkReason, RetryLater
from metering.troubles.names import Trouble
from stripe_sync.process.call_watch import WINDOW_SECONDS, CallWatch
from tests.stripe_sync.manual_clock import ManualClock

LIMIT, DOWN, FINE = RetryLater("HTTP 429"), Ambiguous("APIConnectionError: no route"), Delivered()


def watching(*outcomes: Outcome) -> tuple[ManualClock, CallWatch]:
    """A watch that has seen some calls."""
    clock = ManualClock()
    watch = CallWatch(clock.monotonic)
    for outcome in outcomes:
        watch.see(outcome)
    return clock, watch


def test_each_kind_is_told() -> None:
    """By what it is, however each call put it; and it is over a minute later."""
    clock, watch = watching(LIMIT, DOWN, Ambiguous("APIConnectionError: refused"), FINE)

    assert [(each.trouble, each.params) for each in watch.wrong(3)] == [
        (Trouble.CALLS_FAIL, {"calls": 2, "kind": "APIConnectionError"}),
        (Trouble.CALLS_FAIL, {"calls": 1, "kind": "HTTP 429"}),
    ]
    clock.advance(WINDOW_SECONDS + 1)
    assert watch.wrong(3) == []


def test_a_failure_now_and_then_is_none() -> None:
    """Stripe limits rates; and what it refuses for good has its own fate."""
    assert watching(LIMIT, DOWN)[1].wrong(3) == []
    assert watching(*[LIMIT] * 5, *[FINE] * 5)[1].wrong(3) == []
    assert watching(*[Park(ParkReason.REFUSED, "no")] * 5)[1].wrong(3) == []
