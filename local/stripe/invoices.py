"""Computes the invoice lines of billing periods by meter: units billed, and units accepted too late to be billed.

Source: Stripe, "Usage is allotted by event timestamp; an invoice is final a grace period after its period has ended;
usage reported after that is not invoiced". This is not part of Stripe's API: Stripe's own previews need prices, and the
double does not apply prices. All meters of a customer count, even without a price in a subscription.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf
from typing import Literal

from local.stripe.errors import Json
from local.stripe.events import EventLog, SummaryQuery
from local.stripe.kinds import METER, SUBSCRIPTION
from local.stripe.objects import Objects
from local.stripe.periods import Cycle
from local.stripe.store import StripeStore
from local.stripe.visibility import Shown

Status = Literal["open", "draft", "final", "outside"]

# The UTC calendar month, for a customer without a subscription.
_CALENDAR = Cycle(0, "month")


@dataclass(frozen=True, slots=True)
class Invoice:
    """One meter's line of one period; times are Unix seconds.

    `status`: open until the period ends, draft until `finalizes`, then final; outside: usage before the subscription's
    start or after its end, which is on no invoice. `late`: units accepted after the invoice was final.
    """

    meter: str
    event_name: str
    start: int
    end: int
    finalizes: float
    status: Status
    billed: int
    late: int


@dataclass(frozen=True, slots=True)
class _Term:
    """The term of a subscription: usage before `start` and from `end` on is on no invoice."""

    cycle: Cycle
    start: float
    end: float

    def period(self, at: int) -> tuple[int, int, bool]:
        """Returns the period of a moment, clipped to the term, and whether it is inside the term."""
        start, end = self.cycle.period(at)
        for bound in (self.start, self.end):
            if start < bound < end:
                start, end = (start, int(bound)) if at < bound else (int(bound), end)
        return start, end, self.start <= start < self.end


def invoices(store: StripeStore, customer: str, *, livemode: bool, now: float, grace: float) -> Json:
    """Returns a customer's lines, oldest first, and the subscription that defines the periods, if any."""
    objects, events = Objects(store, livemode=livemode), EventLog(store, livemode=livemode)
    subscription = _subscription(objects, customer)
    term = _term(subscription)
    lines: list[Invoice] = []
    for identity, first, last in events.span(customer):
        meter: Json = objects.find(METER, identity) or {}
        for start, end, inside in _periods(term, first, last):
            question = _question(meter, customer, start, end)
            lines.append(_line(events, question, meter, inside=inside, now=now, grace=grace))
    lines.sort(key=lambda line: (line.start, line.event_name))
    return {"customer": customer, "subscription": subscription and subscription["id"], "lines": lines}


def _line(events: EventLog, question: SummaryQuery, meter: Json, *, inside: bool, now: float, grace: float) -> Invoice:
    finalizes = question.end + grace
    status: Status = "open" if now < question.end else "draft" if now < finalizes else "final"
    total = _units(events, question)
    billed = _units(events, replace(question, shown=Shown(until=finalizes))) if inside else 0
    return Invoice(
        meter=question.meter,
        event_name=meter["event_name"],
        start=question.start,
        end=question.end,
        finalizes=finalizes,
        status=status if inside else "outside",
        billed=billed,
        late=total - billed,
    )


def _periods(term: _Term, first: int, last: int) -> Iterator[tuple[int, int, bool]]:
    at = first
    while at <= last:
        start, end, inside = term.period(at)
        yield start, end, inside
        at = end


def _units(events: EventLog, question: SummaryQuery) -> int:
    usage = events.aggregate(question)
    return usage[0][1] if usage else 0


def _question(meter: Json, customer: str, start: int, end: int) -> SummaryQuery:
    return SummaryQuery(
        meter=meter["id"],
        customer=customer,
        start=start,
        end=end,
        window=end - start,
        formula=meter["default_aggregation"]["formula"],
        event_time_window=meter["event_time_window"],
    )


def _subscription(objects: Objects, customer: str) -> Json | None:
    """Returns the newest subscription that is not canceled, else the newest."""
    every = list(objects.every(SUBSCRIPTION, owner=customer))
    return next((each for each in every if each["status"] != "canceled"), every[0] if every else None)


def _term(subscription: Json | None) -> _Term:
    if subscription is None:
        return _Term(_CALENDAR, -inf, inf)
    recurring = subscription["items"]["data"][0]["price"]["recurring"]
    cycle = Cycle(subscription["billing_cycle_anchor"], recurring["interval"], recurring["interval_count"])
    ended = subscription["ended_at"]
    return _Term(cycle, subscription["start_date"], inf if ended is None else ended)
