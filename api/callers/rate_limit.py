"""Limits the requests of one key in fixed windows, and tells a client its limit in headers.

The headers are those of the IETF's draft-ietf-httpapi-ratelimit-headers-10.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from api.http.problems import ProblemCode, ProblemError
from ledger.callers import CallerWindow

WINDOW_SECONDS = 60  # seconds
POLICY = "RateLimit-Policy"
STANDING = "RateLimit"
RATE_HEADERS: dict[str, Any] = {
    POLICY: {"description": "How many requests per window of how many seconds", "schema": {"type": "string"}},
    STANDING: {"description": "How many requests are left, for how many seconds", "schema": {"type": "string"}},
}


@dataclass(frozen=True, slots=True)
class RateLimit:
    """Allows at most `requests` of a key per window; 0: no limit."""

    requests: int
    now: Callable[[], float]

    def window(self) -> tuple[int, CallerWindow]:
        """Returns the time in Unix seconds, and its window."""
        now = int(self.now())
        return now, CallerWindow.at(now, WINDOW_SECONDS)

    def headers(self, uses: int, seconds_left: int) -> dict[str, str]:
        """Returns the rate limit headers for this window.

        Raises:
            ProblemError: `rate_limited`: the key has been used too often.
        """
        if not self.requests:
            return {}
        standing = {
            POLICY: f'"key";q={self.requests};w={WINDOW_SECONDS}',
            STANDING: f'"key";r={max(self.requests - uses, 0)};t={seconds_left}',
        }
        if uses > self.requests:
            raise ProblemError(ProblemCode.RATE_LIMITED, headers={**standing, "Retry-After": str(seconds_left)})
        return standing
