"""A row as Stripe's v2 meter event endpoints take it."""

from functools import lru_cache

from stripe.params.v2.billing import MeterEventStreamCreateParamsEvent

from metering.rfc3339 import from_unix
from metering.row import Row

_time = lru_cache(maxsize=1024)(from_unix)  # rows of one hour have one timestamp


def event_body(row: Row, identifier: str) -> MeterEventStreamCreateParamsEvent:
    """The row's frozen body: the same each time, whichever endpoint it goes to."""
    return {
        "event_name": row.meter,
        "identifier": identifier,
        "payload": {"stripe_customer_id": row.customer, "value": str(row.value)},
        "timestamp": _time(row.timestamp),
    }
