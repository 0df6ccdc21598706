"""The queue of webhook deliveries, with Stripe's delays and its limit of three days."""

from dataclasses import dataclass
from typing import Literal

from local.stripe.store import StripeStore

FIRST_SECONDS = 1.0  # seconds
LONGEST_SECONDS = 3600.0  # seconds
PATIENCE_SECONDS = 3 * 86400
"""Seconds. Source: Stripe, "retries for up to three days with an exponential back off"."""

State = Literal["waiting", "delivered", "given up"]


@dataclass(frozen=True, slots=True)
class WebhookDelivery:
    """One event to deliver; `created` and `due` are Unix seconds of the double's clock."""

    number: int
    livemode: bool
    event: str
    created: float
    attempts: int
    due: float


def delay_after(attempts: int) -> float:
    """Returns the seconds to wait after this number of failed attempts."""
    return float(min(FIRST_SECONDS * 2 ** (attempts - 1), LONGEST_SECONDS))


class WebhookDeliveries:
    """The queue."""

    def __init__(self, store: StripeStore) -> None:
        self._sql = store.connection

    def add(self, event: str, *, livemode: bool, now: float) -> None:
        """Adds an event, to be sent as soon as possible."""
        query = "INSERT INTO deliveries (livemode, event, created, due) VALUES (?, ?, ?, ?)"
        self._sql.execute(query, (livemode, event, now, now))

    def due(self, now: float) -> list[WebhookDelivery]:
        """Returns the deliveries to try now; also those that a clock moved back would otherwise delay for long."""
        rows = self._sql.execute(
            "SELECT seq, livemode, event, created, attempts, due FROM deliveries"
            " WHERE state = 'waiting' AND (due <= :now OR due > :now + :longest) ORDER BY seq LIMIT 100",
            {"now": now, "longest": LONGEST_SECONDS},
        )
        return [WebhookDelivery(number, bool(livemode), *rest) for number, livemode, *rest in rows]

    def waiting(self) -> bool:
        """Returns whether any delivery is left."""
        return self._sql.execute("SELECT 1 FROM deliveries WHERE state = 'waiting' LIMIT 1").fetchone() is not None

    def attempted(self, delivery: WebhookDelivery, *, arrived: bool, now: float) -> None:
        """Stores the result of an attempt."""
        attempts = delivery.attempts + 1
        late = now - delivery.created >= PATIENCE_SECONDS
        state: State = "delivered" if arrived else "given up" if late else "waiting"
        self._sql.execute(
            "UPDATE deliveries SET attempts = ?, due = ?, state = ? WHERE seq = ?",
            (attempts, now + delay_after(attempts), state, delivery.number),
        )

    def counts(self) -> dict[str, int]:
        """Returns the number of deliveries by state, and of all attempts."""
        rows = self._sql.execute("SELECT state, count(*) FROM deliveries GROUP BY state").fetchall()
        (attempts,) = self._sql.execute("SELECT total(attempts) FROM deliveries").fetchone()
        return {"waiting": 0, "delivered": 0, "given up": 0} | dict(rows) | {"attempts": int(attempts)}
