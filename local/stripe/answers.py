"""Idempotency keys: a second request with the same key gets the stored answer of the first.

Source: Stripe's idempotent requests. v1 stores the answers of all executed requests, also refusals. v2 stores only
successes, and executes a refused request again. Keys are forgotten after 24 hours.
"""

import hashlib
from dataclasses import dataclass

from local.stripe.errors import IDEMPOTENCY, StripeError
from local.stripe.store import StripeStore

KEPT_SECONDS = 24 * 3600  # seconds
_FORGET_EVERY_SECONDS = 600  # seconds


@dataclass(frozen=True, slots=True)
class StripeAnswer:
    """An answer, and the id of its request."""

    status: int
    body: bytes
    request_id: str


def fingerprint(method: str, path: str, body: bytes) -> bytes:
    """Returns a hash that is equal for equal requests."""
    return hashlib.blake2b(b"%s %s\n%s" % (method.encode(), path.encode(), body), digest_size=16).digest()


class Answers:
    """The stored answers, and the keys whose first request is still in progress."""

    def __init__(self, store: StripeStore) -> None:
        self._sql = store.connection
        self._in_progress: set[tuple[str, bool]] = set()
        self._forget_at = 0.0

    def begin(self, key: str, *, livemode: bool, fingerprint: bytes, now: float) -> StripeAnswer | None:
        """Returns the stored answer; None if there is none: then the key is in progress until `end`.

        Raises:
            StripeError: 400 if the key came with another request; 409 while its first request is in progress.
        """
        if (key, livemode) in self._in_progress:
            message = "There is currently another in-progress request using this Idempotent Key."
            raise StripeError(message, status=409, type=IDEMPOTENCY, code="idempotency_key_in_use")
        row = self._sql.execute(
            "SELECT fingerprint, status, body, request_id FROM answers WHERE key = ? AND livemode = ? AND at > ?",
            (key, livemode, now - KEPT_SECONDS),
        ).fetchone()
        if row is None:
            self._in_progress.add((key, livemode))
            return None
        if row[0] != fingerprint:
            message = "Keys for idempotent requests can only be used with the same parameters they were first used with"
            raise StripeError(f"{message}. Try using a key other than '{key}'.", type=IDEMPOTENCY)
        return StripeAnswer(status=row[1], body=row[2], request_id=row[3])

    def end(self, key: str, *, livemode: bool) -> None:
        """Ends the progress of a key: its request was answered."""
        self._in_progress.discard((key, livemode))

    def keep(self, key: str, answer: StripeAnswer, *, livemode: bool, fingerprint: bytes, now: float) -> None:
        """Stores an answer, in the same transaction as the request's effects."""
        self._sql.execute(
            "INSERT OR REPLACE INTO answers (key, livemode, fingerprint, at, status, request_id, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (key, livemode, fingerprint, now, answer.status, answer.request_id, answer.body),
        )
        if now >= self._forget_at:
            self._sql.execute("DELETE FROM answers WHERE at <= ?", (now - KEPT_SECONDS,))
            self._forget_at = now + _FORGET_EVERY_SECONDS
