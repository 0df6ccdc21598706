"""The six meters at Stripe: made where they are missing, checked before anything is sent."""

import stripe

from metering.meters import CATALOGUE, Meter

CUSTOMER_KEY = "stripe_customer_id"
VALUE_KEY = "value"
_PAGE = 100


async def every_meter(client: stripe.StripeClient) -> list[stripe.billing.Meter]:
    """All of Stripe's meters, archived ones too."""
    page = await client.v1.billing.meters.list_async({"limit": _PAGE})
    return [meter async for meter in page.auto_paging_iter()]


async def list_meters(client: stripe.StripeClient) -> dict[str, stripe.billing.Meter]:
    """Stripe's meters by event name; an active one goes before an archived one of the same name."""
    found: dict[str, stripe.billing.Meter] = {}
    for meter in await every_meter(client):
        if meter.event_name not in found or meter.status == "active":
            found[meter.event_name] = meter
    return found


async def create_missing(client: stripe.StripeClient) -> list[str]:
    """Creates the meters of the catalogue that Stripe does not have; gives their names."""
    found = await list_meters(client)
    missing = [meter for meter in CATALOGUE if meter.name not in found]
    for meter in missing:
        await client.v1.billing.meters.create_async(
            {
                "display_name": meter.display_name,
                "event_name": meter.name,
                "default_aggregation": {"formula": "sum"},
                "customer_mapping": {"type": "by_id", "event_payload_key": CUSTOMER_KEY},
                "value_settings": {"event_payload_key": VALUE_KEY},
            }
        )
    return [meter.name for meter in missing]


def meter_faults(found: dict[str, stripe.billing.Meter]) -> list[str]:
    """What would make Stripe bill something else than what is counted, each with what to do."""
    return [fault for meter in CATALOGUE for fault in _faults(meter, found.get(meter.name))]


def _faults(meter: Meter, found: stripe.billing.Meter | None) -> list[str]:
    if found is None:
        return [f"{meter.name}: Stripe has no meter with this event name: create it"]
    faults = []
    if found.status != "active":
        faults.append(f"{meter.name}: is {found.status}: reactivate it")
    if found.default_aggregation.formula != "sum":
        faults.append(f"{meter.name}: aggregates by {found.default_aggregation.formula}, must be sum")
    if found.event_time_window is not None:
        faults.append(f"{meter.name}: pre-aggregates by {found.event_time_window}: later rows would replace earlier")
    if found.customer_mapping.event_payload_key != CUSTOMER_KEY:
        faults.append(f"{meter.name}: reads the customer from {found.customer_mapping.event_payload_key}")
    if found.value_settings.event_payload_key != VALUE_KEY:
        faults.append(f"{meter.name}: reads the value from {found.value_settings.event_payload_key}")
    return faults
