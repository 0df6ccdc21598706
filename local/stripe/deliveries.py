"""What is still to be sent to the webhook's receiver, and when; with Stripe's patience."""

from dataclasses import dataclass
from typing import Literal

from local.stripe.store import StripeStore

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 3600.0
PATIENCE_SECONDS = 3 * 86400
"""Source: Stripe, "retries for up to three days with an exponential back off"."""

State = Literal["waiting", "delivered", "given up"]


@dataclass(frozen=True, slots=True)
class WebhookDelivery:
    """One event on its way; `created` and `due` in Unix seconds of the double's clock."""

    number: int
    livemode: bool
    event: str
    created: float
    attempts: int
    due: float


def delay_after(attempts: int) -> float:
    """How long to wait after so many failed attempts."""
    return float(min(FIRST_SECONDS * 2 ** (attempts - 1), LONGEST_SECONDS))


class WebhookDeliveries:
    """The queue."""

    def __init__(self, store: StripeStore) -> None:
        self._sql = store.connection

    def add(self, event: str, *, livemode: bool, now: float) -> None:
        """Send an event as soon as possible."""
        query = "INSERT INTO deliveries (livemode, event, created, due) VALUES (?, ?, ?, ?)"
        self._sql.execute(query, (livemode, event, now, now))

    def due(self, now: float) -> list[WebhookDelivery]:
        """What is to be tried now: also what waits for a moment that a clock moved back has put out of reach."""
        rows = self._sql.execute(
            "SELECT seq, livemode, event, created, attempts, due FROM deliveries"
            " WHERE state = 'waiting' AND (due <= :now OR due > :now + :longest) ORDER BY seq LIMIT 100",
            {"now": now, "longest": LONGEST_SECONDS},
        )
        return [WebhookDelivery(number, bool(livemode), *rest) for number, livemode, *rest in rows]

    def waiting(self) -> bool:
        """Whether anything is left to send."""
        return self._sql.execute("SELECT 1 FROM deliveries WHERE state = 'waiting' LIMIT 1").fetchone() is not None

    def attempted(self, delivery: WebhookDelivery, *, arrived: bool, now: float) -> None:
        """Note what came of an attempt."""
        attempts = delivery.attempts + 1
        late = now - delivery.created >= PATIENCE_SECONDS
        state: State = "delivered" if arrived else "given up" if late else "waiting"
        self._sql.execute(
            "UPDATE deliveries SET attempts = ?, due = ?, state = ? WHERE seq = ?",
            (attempts, now + delay_after(attempts), state, delivery.number),
        )

    def counts(self) -> dict[str, int]:
        """How many are in each state, and all attempts."""
        rows = self._sql.execute("SELECT state, count(*) FROM deliveries GROUP BY state").fetchall()
        (attempts,) = self._sql.execute("SELECT total(attempts) FROM deliveries").fetchone()
        return {"waiting": 0, "delivered": 0, "given up": 0} | dict(rows) | {"attempts": int(attempts)}
