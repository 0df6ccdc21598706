"""Counts how often an identifier arrived, and whether it came with two different bodies: one short row per identifier.

A meter event is sighted at every arrival: accepted, refused, or lost to a fault.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from local.stripe.store import StripeStore

_RECORD = """
INSERT INTO sightings (identifier, livemode, body, times, first, last) VALUES (?, ?, ?, 1, ?, ?)
ON CONFLICT DO UPDATE SET times = times + 1, last = excluded.last, conflicting = conflicting OR body != excluded.body
"""


@dataclass(frozen=True, slots=True)
class Sighting:
    """An event as it arrived: its identifier, and a hash of its body."""

    identifier: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Resend:
    """The number of arrivals of an identifier; first and last are Unix seconds of the double's clock."""

    times: int
    first: float
    last: float


def sighting(identifier: str, *body: Any) -> Sighting:
    """Returns a sighting; two bodies are equal if their parts are equal."""
    return Sighting(identifier, hashlib.blake2b(repr(body).encode(), digest_size=8).digest())


class Sightings:
    """The sightings of both modes."""

    def __init__(self, store: StripeStore) -> None:
        self._sql = store.connection

    def record(self, seen: Iterable[Sighting], *, livemode: bool, now: float) -> None:
        """Counts arrivals."""
        self._sql.executemany(_RECORD, [(each.identifier, livemode, each.body, now, now) for each in seen])

    def resends(self, limit: int) -> tuple[int, dict[str, Resend]]:
        """Returns the number of identifiers that arrived more than once, and the first `limit` of them."""
        (number,) = self._sql.execute("SELECT count(*) FROM sightings WHERE times > 1").fetchone()
        query = "SELECT identifier, times, first, last FROM sightings WHERE times > 1 ORDER BY identifier LIMIT ?"
        return number, {row[0]: Resend(*row[1:]) for row in self._sql.execute(query, (limit,))}

    def conflicting(self, limit: int) -> tuple[int, list[str]]:
        """Returns the number of identifiers that arrived with different bodies, and the first `limit` of them."""
        (number,) = self._sql.execute("SELECT count(*) FROM sightings WHERE conflicting").fetchone()
        query = "SELECT identifier FROM sightings WHERE conflicting ORDER BY identifier LIMIT ?"
        return number, [row[0] for row in self._sql.execute(query, (limit,))]
