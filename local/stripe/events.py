"""The accepted meter events: sums them, and knows the identifiers that are taken."""

from dataclasses import dataclass

from local.stripe.store import StripeStore
from local.stripe.visibility import EVERYTHING, Shown

UNIQUE_SECONDS = 24 * 3600
"""Seconds for which an identifier stays taken. Source: Stripe, "a rolling period of at least 24 hours"."""

_SUM = "sum(value)"  # an exact whole number; total() would be a float
_COUNT = "count(*)"
# With a bare max(), SQLite takes the other columns from the row that has it.
_LAST = "value, max(timestamp * 4294967296 + seq)"
_FORMULAS = {"sum": _SUM, "count": _COUNT, "last": _LAST}
_ONLY_LAST = (
    " AND seq IN (SELECT max(seq) FROM meter_events WHERE meter = :meter AND customer = :customer"
    " AND livemode = :livemode AND (received <= :until OR seq <= :always) GROUP BY timestamp / :span)"
)
_ADD = """
INSERT INTO sums (livemode, customer, event_name, events, units) VALUES (?, ?, ?, 1, ?)
ON CONFLICT DO UPDATE SET events = events + 1, units = units + excluded.units
"""
WINDOW_SECONDS = {"hour": 3600, "day": 86400}


@dataclass(frozen=True, slots=True)
class MeteredUsage:
    """The usage that one accepted event adds."""

    identifier: str
    event_name: str
    meter: str
    customer: str
    timestamp: int
    value: int


@dataclass(frozen=True, slots=True)
class SummaryQuery:
    """Asks for a customer's usage of a meter, from `start` to before `end` (Unix seconds), in windows of seconds.

    Only events that are `shown` count.
    """

    meter: str
    customer: str
    start: int
    end: int
    window: int
    formula: str
    event_time_window: str | None
    shown: Shown = EVERYTHING


class EventLog:
    """The meter events of one mode."""

    def __init__(self, store: StripeStore, *, livemode: bool) -> None:
        self._sql = store.connection
        self._livemode = livemode

    def taken(self, identifier: str, *, now: float) -> bool:
        """Returns whether the identifier was accepted within the last 24 hours of the double's clock."""
        row = self._sql.execute(
            "SELECT 1 FROM meter_events WHERE identifier = ? AND livemode = ? AND received > ? LIMIT 1",
            (identifier, self._livemode, now - UNIQUE_SECONDS),
        ).fetchone()
        return row is not None

    def append(self, usage: MeteredUsage, *, received: float) -> None:
        """Adds an accepted event."""
        self._sql.execute(
            "INSERT INTO meter_events (livemode, identifier, received, event_name, meter, customer, timestamp, value)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self._livemode,
                usage.identifier,
                received,
                usage.event_name,
                usage.meter,
                usage.customer,
                usage.timestamp,
                usage.value,
            ),
        )
        self._sql.execute(_ADD, (self._livemode, usage.customer, usage.event_name, usage.value))

    def span(self, customer: str) -> list[tuple[str, int, int]]:
        """Returns (meter, earliest, latest timestamp) for all meters with usage of a customer."""
        return self._sql.execute(
            "SELECT meter, min(timestamp), max(timestamp) FROM meter_events"
            " WHERE customer = ? AND livemode = ? GROUP BY meter",
            (customer, self._livemode),
        ).fetchall()

    def customers(self) -> list[str]:
        """Returns all customers with usage."""
        query = "SELECT DISTINCT customer FROM sums WHERE livemode = ? ORDER BY customer"
        return [row[0] for row in self._sql.execute(query, (self._livemode,))]

    def aggregate(self, question: SummaryQuery) -> list[tuple[int, int]]:
        """Returns (window's start, aggregated value) for all windows with usage, newest first.

        On a pre-aggregated meter, only the last received event of an hour or day of event time counts.
        """
        only_last = "" if question.event_time_window is None else _ONLY_LAST
        rows = self._sql.execute(
            f"SELECT (timestamp - :start) / :window, {_FORMULAS[question.formula]} FROM meter_events"  # noqa: S608 - constants
            " WHERE meter = :meter AND customer = :customer AND livemode = :livemode"
            " AND timestamp >= :start AND timestamp < :end AND (received <= :until OR seq <= :always)"
            f"{only_last} GROUP BY 1 ORDER BY 1 DESC",
            {
                "meter": question.meter,
                "customer": question.customer,
                "livemode": self._livemode,
                "start": question.start,
                "end": question.end,
                "window": question.window,
                "until": question.shown.until,
                "always": question.shown.always,
                "span": WINDOW_SECONDS.get(question.event_time_window or "", 1),
            },
        )
        return [(question.start + row[0] * question.window, row[1]) for row in rows]


def totals(store: StripeStore) -> list[tuple[str, str, int, int]]:
    """Returns (customer, event name, events, sum of values) of all accepted events, in both modes."""
    return store.connection.execute(
        "SELECT customer, event_name, sum(events), sum(units) FROM sums GROUP BY customer, event_name"
    ).fetchall()
