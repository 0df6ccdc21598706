"""Error reports: makes one of Stripe's v2 events of a window of refused stream events, with only some samples."""

from datetime import UTC, datetime

from local.stripe.errors import Json
from local.stripe.kinds import CORE_EVENT
from local.stripe.refusals import RefusalTally, RefusalWindow
from local.stripe.timestamps import rfc3339

ERROR_REPORT = "v1.billing.meter.error_report_triggered"
NO_METER_FOUND = "v1.billing.meter.no_meter_found"


def report_on(window: RefusalWindow, *, identity: str, now: float) -> Json:
    """Returns the full event, as in the answer of GET /v2/core/events/{id}."""
    about = {} if not window.meter else {"related_object": _related(window.meter)}
    return {
        "id": identity,
        "object": CORE_EVENT,
        "type": ERROR_REPORT if window.meter else NO_METER_FOUND,
        "livemode": window.livemode,
        "created": _moment(now),
        **about,
        "data": _data(window),
    }


def thin(event: Json) -> Json:
    """Returns the thin event for a receiver: everything but the data."""
    return {name: value for name, value in event.items() if name != "data"}


def _related(meter: str) -> Json:
    return {"id": meter, "type": "billing.meter", "url": f"/v1/billing/meters/{meter}"}


def _data(window: RefusalWindow) -> Json:
    errors = sum(tally.errors for tally in window.by_code.values())
    what = "1 invalid event" if errors == 1 else f"{errors} invalid events"
    return {
        "developer_message_summary": f"There is {what}" if errors == 1 else f"There are {what}",
        "reason": {
            "error_count": errors,
            "error_types": [_error_type(code, tally) for code, tally in window.by_code.items()],
        },
        "validation_start": _moment(window.opened),
        "validation_end": _moment(window.closes),
    }


def _error_type(code: str, tally: RefusalTally) -> Json:
    samples = [{"error_message": message, "request": {"identifier": name}} for name, message in tally.samples]
    return {"code": code, "error_count": tally.errors, "sample_errors": samples}


def _moment(seconds: float) -> str:
    return rfc3339(datetime.fromtimestamp(seconds, UTC))
