"""Allows one call at a time per customer and meter.

Source: Stripe's rate limits for meter events, "one concurrent call per customer per meter".
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from local.stripe.errors import StripeError

Lane = tuple[bool, str, str]
"""Livemode, event name, customer."""

_LIMITED = {"Stripe-Rate-Limited-Reason": "resource-specific"}


class Lanes:
    """The lanes with a call in progress."""

    def __init__(self) -> None:
        self._busy: set[Lane] = set()
        self._at_once: Counter[Lane] = Counter()
        self.most: dict[Lane, int] = {}
        """The most calls that were in progress at once, with refused ones, by lane; only lanes with more than one."""

    @contextmanager
    def hold(self, lane: Lane | None, *, v2: bool) -> Iterator[None]:
        """Holds the lane while a call is in progress; a call without a lane is never refused.

        Raises:
            StripeError: 429 while another call holds it. v2's code is too_many_concurrent_requests, v1's lock_timeout.
        """
        if lane is None:
            yield
            return
        with self._watched(lane):
            if lane in self._busy:
                raise _too_many(v2=v2)
            self._busy.add(lane)
            try:
                yield
            finally:
                self._busy.discard(lane)

    @contextmanager
    def _watched(self, lane: Lane) -> Iterator[None]:
        self._at_once[lane] += 1
        if self._at_once[lane] > 1:
            self.most[lane] = max(self.most.get(lane, 0), self._at_once[lane])
        try:
            yield
        finally:
            self._at_once[lane] -= 1
            if not self._at_once[lane]:
                del self._at_once[lane]


def _too_many(*, v2: bool) -> StripeError:
    if v2:
        message = "Too many concurrent requests for this customer and meter."
        return StripeError(message, status=429, type=None, code="too_many_concurrent_requests", headers=_LIMITED)
    message = "This object cannot be accessed right now because another API request is currently accessing it."
    return StripeError(message, status=429, code="lock_timeout", headers=_LIMITED)
