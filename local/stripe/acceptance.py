"""Decides whether Stripe accepts a meter event, by the rules that both API versions share. Pure.

Sources: Stripe's reference of the meter event (v1 and v2) and of its error codes. Two points are not documented by
Stripe, and chosen here: a duplicate is looked for last; and an unknown customer and a timestamp out of bounds have the
codes of Stripe's meter error reports.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from local.stripe.errors import Json
from local.stripe.events import MeteredUsage

PAST_SECONDS = 35 * 86400  # seconds: the highest age of an event
FUTURE_SECONDS = 5 * 60  # seconds
MAX_DIGITS = 15  # digits of a value
_WHOLE = re.compile(rf"[0-9]{{1,{MAX_DIGITS}}}")


class Reason(StrEnum):
    """The reason for a refusal; v2 answers with it as the code."""

    NO_METER = "no_meter"
    ARCHIVED_METER = "archived_meter"
    NO_CUSTOMER = "payload_no_customer_defined"
    UNKNOWN_CUSTOMER = "meter_event_customer_not_found"
    NO_VALUE = "payload_no_value_defined"
    INVALID_VALUE = "payload_invalid_value"
    TOO_OLD = "timestamp_too_far_in_past"
    IN_FUTURE = "timestamp_in_future"
    DUPLICATE = "duplicate_meter_event"


class RefusedError(Exception):
    """Stripe refuses the event: it is not counted."""

    def __init__(self, reason: Reason, message: str, param: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.param = param


@dataclass(frozen=True, slots=True)
class Offer:
    """An event as the client sent it; `timestamp` is in Unix seconds."""

    identifier: str
    event_name: str
    payload: dict[str, str]
    timestamp: float


def accept(
    offer: Offer,
    meter: Json | None,
    *,
    now: float,
    customer_exists: Callable[[str], bool],
    identifier_taken: Callable[[str], bool],
) -> MeteredUsage:
    """Returns the usage that the event adds. `meter` is the meter with its event name, if there is one.

    Raises:
        RefusedError: the event is refused, with the first reason found.
    """
    meter = _open_meter(offer, meter)
    customer = _customer(offer, meter)
    value = _value(offer, meter)
    _check_timestamp(offer, now)
    if not customer_exists(customer):
        param = f"payload[{meter['customer_mapping']['event_payload_key']}]"
        raise RefusedError(Reason.UNKNOWN_CUSTOMER, f"No such customer: '{customer}'", param)
    if identifier_taken(offer.identifier):
        message = f"An event already exists with identifier {offer.identifier}."
        raise RefusedError(Reason.DUPLICATE, message, "identifier")
    return MeteredUsage(offer.identifier, offer.event_name, meter["id"], customer, int(offer.timestamp), value)


def _open_meter(offer: Offer, meter: Json | None) -> Json:
    message = f'No active meter found for event name "{offer.event_name}".'
    if meter is None:
        raise RefusedError(Reason.NO_METER, message, "event_name")
    if meter["status"] != "active":
        raise RefusedError(Reason.ARCHIVED_METER, message, "event_name")
    return meter


def _customer(offer: Offer, meter: Json) -> str:
    key = meter["customer_mapping"]["event_payload_key"]
    customer = offer.payload.get(key)
    if not customer:
        raise RefusedError(Reason.NO_CUSTOMER, f"The payload is missing the customer key '{key}'.", f"payload[{key}]")
    return customer


def _value(offer: Offer, meter: Json) -> int:
    key = meter["value_settings"]["event_payload_key"]
    value = offer.payload.get(key)
    if meter["default_aggregation"]["formula"] == "count":
        return 1
    if value is None:
        raise RefusedError(Reason.NO_VALUE, f"The payload is missing the value key '{key}'.", f"payload[{key}]")
    if _WHOLE.fullmatch(value) is None:
        message = f"The payload value '{value}' must be a whole number of at most {MAX_DIGITS} digits."
        raise RefusedError(Reason.INVALID_VALUE, message, f"payload[{key}]")
    return int(value)


def _check_timestamp(offer: Offer, now: float) -> None:
    if offer.timestamp < now - PAST_SECONDS:
        message = "The timestamp must be within the past 35 calendar days."
        raise RefusedError(Reason.TOO_OLD, message, "timestamp")
    if offer.timestamp > now + FUTURE_SECONDS:
        message = "The timestamp must not be more than 5 minutes in the future."
        raise RefusedError(Reason.IN_FUTURE, message, "timestamp")
