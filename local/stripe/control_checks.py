"""Controls for checks of the product: the events that arrived, the accepted units, and the invoices."""

from collections import defaultdict
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from local.stripe.events import EventLog, totals
from local.stripe.gateway import Gateway
from local.stripe.invoices import invoices
from local.stripe.sightings import Resend, Sightings

Limit = Annotated[int, Query(ge=0, le=100_000)]


class UsageTotals(BaseModel):
    """The summed values of all accepted events: customer, then event name."""

    totals: dict[str, dict[str, int]]
    events: int


class Conflicting(BaseModel):
    """Identifiers that arrived with two different bodies: how many, and the first of them."""

    count: int
    identifiers: list[str]


class Resent(BaseModel):
    """Identifiers that arrived more than once: how many, and the first of them."""

    count: int
    identifiers: dict[str, Resend]


class Concurrency(BaseModel):
    """The most calls in progress at once for one customer and meter, and the lanes that had more than one."""

    most: int
    lanes: dict[str, int]


class Checks(UsageTotals):
    """What must hold of a client that bills exactly, in one answer."""

    conflicting: Conflicting
    resent: Resent
    concurrency: Concurrency


def add_checks(router: APIRouter, gateway: Gateway) -> None:
    """The controls that only read."""
    _add_usage(router, gateway)
    _add_invoices(router, gateway)

    @router.get("/requests")
    async def requests() -> dict[str, dict[int, int]]:
        """Requests since the process started: endpoint, then status; 0 is no answer."""
        counts: dict[str, dict[int, int]] = defaultdict(dict)
        for (endpoint, status), count in sorted(gateway.requests.items()):
            counts[endpoint][status] = count
        return counts


def _add_usage(router: APIRouter, gateway: Gateway) -> None:
    @router.get("/usage")
    async def usage() -> UsageTotals:
        return UsageTotals(**_usage(gateway))

    @router.get("/checks")
    async def checks(limit: Limit = 1000) -> Checks:
        """`limit`: how many identifiers to name."""
        sightings, most = Sightings(gateway.store), gateway.lanes.most
        resent, resends = sightings.resends(limit)
        conflicts, names = sightings.conflicting(limit)
        lanes = {f"{customer} {event_name}": calls for (_, event_name, customer), calls in most.items()}
        return Checks(
            **_usage(gateway),
            conflicting=Conflicting(count=conflicts, identifiers=names),
            resent=Resent(count=resent, identifiers=resends),
            concurrency=Concurrency(most=max(most.values(), default=1), lanes=lanes),
        )


def _add_invoices(router: APIRouter, gateway: Gateway) -> None:
    @router.get("/invoices")
    async def invoice_lines(customer: str | None = None, *, livemode: bool = False) -> list[dict[str, Any]]:
        """Of one customer, or of every customer with usage, in one mode."""
        now, grace = gateway.clock.now(), gateway.settings.finalization_grace
        names = EventLog(gateway.store, livemode=livemode).customers() if customer is None else [customer]
        return [invoices(gateway.store, name, livemode=livemode, now=now, grace=grace) for name in names]


def _usage(gateway: Gateway) -> dict[str, Any]:
    by_customer: dict[str, dict[str, int]] = defaultdict(dict)
    events = 0
    for customer, event_name, count, total in totals(gateway.store):
        by_customer[customer][event_name] = total
        events += count
    return {"totals": by_customer, "events": events}
