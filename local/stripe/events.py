"""The accepted meter events: what is counted, and which identifiers are taken."""

from dataclasses import dataclass

from local.stripe.store import Store

UNIQUE_SECONDS = 24 * 3600
"""How long an identifier stays taken. Source: Stripe, "a rolling period of at least 24 hours"."""

_SUM = "total(value)"
_COUNT = "count(*)"
# With a bare max(), SQLite takes the other columns from the row that has it.
_LAST = "value, max(timestamp * 4294967296 + seq)"
_FORMULAS = {"sum": _SUM, "count": _COUNT, "last": _LAST}
_ONLY_LAST = (
    " AND seq IN (SELECT max(seq) FROM meter_events WHERE meter = :meter AND customer = :customer"
    " AND livemode = :livemode GROUP BY timestamp / :span)"
)
WINDOW_SECONDS = {"hour": 3600, "day": 86400}


@dataclass(frozen=True, slots=True)
class Usage:
    """What one accepted event adds."""

    identifier: str
    event_name: str
    meter: str
    customer: str
    timestamp: int
    value: int


@dataclass(frozen=True, slots=True)
class Question:
    """Whose usage of which meter, from `start` to before `end` (Unix seconds), in windows of `window` seconds."""

    meter: str
    customer: str
    start: int
    end: int
    window: int
    formula: str
    event_time_window: str | None


class EventLog:
    """The meter events of one mode."""

    def __init__(self, store: Store, *, livemode: bool) -> None:
        self._sql = store.connection
        self._livemode = livemode

    def taken(self, identifier: str, *, now: float) -> bool:
        """Whether the identifier was accepted within the last 24 hours of the double's clock."""
        row = self._sql.execute(
            "SELECT 1 FROM meter_events WHERE identifier = ? AND livemode = ? AND received > ? LIMIT 1",
            (identifier, self._livemode, now - UNIQUE_SECONDS),
        ).fetchone()
        return row is not None

    def append(self, usage: Usage, *, received: float) -> None:
        """Count an event."""
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

    def aggregate(self, question: Question) -> list[tuple[int, float]]:
        """(window's start, aggregated value) of every window with usage, newest first.

        On a pre-aggregated meter the event received last in an hour or day of event time replaces the ones before it.
        """
        only_last = "" if question.event_time_window is None else _ONLY_LAST
        rows = self._sql.execute(
            f"SELECT (timestamp - :start) / :window, {_FORMULAS[question.formula]} FROM meter_events"  # noqa: S608 - constants
            " WHERE meter = :meter AND customer = :customer AND livemode = :livemode"
            f" AND timestamp >= :start AND timestamp < :end{only_last} GROUP BY 1 ORDER BY 1 DESC",
            {
                "meter": question.meter,
                "customer": question.customer,
                "livemode": self._livemode,
                "start": question.start,
                "end": question.end,
                "window": question.window,
                "span": WINDOW_SECONDS.get(question.event_time_window or "", 1),
            },
        )
        return [(question.start + row[0] * question.window, float(row[1])) for row in rows]


def totals(store: Store) -> list[tuple[str, str, int, int]]:
    """(customer, event name, events, sum of values) of everything accepted, in both modes."""
    return store.connection.execute(
        "SELECT customer, event_name, count(*), sum(value) FROM meter_events GROUP BY customer, event_name"
    ).fetchall()
