"""Stripe: what it accepts, for how long it knows an identifier, what its summaries show and when.

Its clock is the true time. It also watches: an identifier with two bodies, a row that the push log does not have in
flight, a call that is sent outside of its rules, more units than were counted.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import stripe

from local.stripe.acceptance import Offer, Reason, RefusedError, accept
from metering.outcome import Ambiguous, Delivered, Outcome, Park, ParkReason, RetryLater
from metering.row import Row
from tests.simulation.clock import WorldTime
from tests.simulation.network import Network
from tests.simulation.trace import Trace
from tests.simulation.weather import Server, Weather

KNOWN_MS = 24 * 3600 * 1000  # exactly: "at least 24 hours" is not to be counted on for longer
SUMMARY_LAG_MS = 2 * 3600 * 1000
LOST_SHARES = (0.0, 0.0, 0.1)  # of what it takes, drawn per seed: it said yes, and counts nothing
ANSWERS_SHARE = 0.15  # of calls in a storm that end in 409, 429, 500 or a time-out


Minute = tuple[str, str, int]


def minute_of(row: Row) -> Minute:
    """What a summary can tell apart: customer, meter, minute."""
    return row.customer, row.meter, row.timestamp // 60


def unreachable() -> Exception:
    """What stripe-python raises where there is no answer."""
    return stripe.APIConnectionError("no answer")  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Accepted:
    """A meter event that Stripe counts."""

    identifier: str
    row: Row
    at_ms: int


class SimulatedStripe:
    """The service. `watch` is told of each call at the moment it leaves, `count` of each acceptance."""

    def __init__(self, time: WorldTime, network: Network, weather: Weather, random: Random, trace: Trace) -> None:
        self._time = time
        self._network = network
        self._weather = weather
        self._random = random
        self._trace = trace
        self._bodies: dict[str, tuple[object, ...]] = {}
        self._visible_ms: defaultdict[Minute, int] = defaultdict(int)
        self._lost_share = random.choice(LOST_SHARES)
        self.accepted: list[Accepted] = []
        self.lost: dict[str, Accepted] = {}
        self.customers: set[str] = set()
        self.asked_ms: dict[tuple[str, Minute], int] = {}
        self.watch: Callable[[str, Row, str], None] = lambda who, row, identifier: None
        self.count: Callable[[Accepted], None] = lambda accepted: None

    async def send(self, who: str, row: Row, identifier: str) -> Outcome:
        """One call of the synchronous endpoint."""
        body = (row.customer, row.meter, row.value, row.timestamp)
        if self._bodies.setdefault(identifier, body) != body:
            self._trace.fail(f"identifier {identifier} was sent with {self._bodies[identifier]}, now with {body}")
        self._trace.say(who, f"sends {identifier[:12]} {body}")
        self.watch(who, row, identifier)
        try:
            return await self._network.call(Server.STRIPE, lambda: self._serve(row, identifier), TimeoutError)
        except TimeoutError:
            return Ambiguous("no answer")

    async def units(self, who: str, row: Row) -> int:
        """A summary: it may lack what is younger than two hours, but never loses what it once showed."""

        def serve() -> int:
            now, key = self._time.now_ms(), minute_of(row)
            if self._weather.chance(ANSWERS_SHARE):
                raise unreachable()
            known = max(self._visible_ms[key], now - SUMMARY_LAG_MS)
            self._visible_ms[key] = known if self._random.random() < 0.5 else self._random.randint(known, now)
            shown = self.held(key, self._visible_ms[key])
            self._trace.say("stripe", f"summary {key} -> {shown}")
            return shown

        units = await self._network.call(Server.STRIPE, serve, unreachable)
        self.asked_ms[who, minute_of(row)] = self._time.now_ms()
        return units

    def held(self, minute: Minute, until_ms: int) -> int:
        """Units accepted for a customer, meter and minute up to a moment."""
        return sum(each.row.value for each in self.accepted if minute_of(each.row) == minute and each.at_ms <= until_ms)

    def by_bucket(self) -> Counter[str]:
        """Units accepted for each bucket."""
        totals: Counter[str] = Counter()
        for each in self.accepted:
            totals[each.row.bucket_key] += each.row.value
        return totals

    def _serve(self, row: Row, identifier: str) -> Outcome:
        if not self._weather.chance(ANSWERS_SHARE):
            return self._take(row, identifier)
        match self._random.randrange(4):
            case 0:
                return RetryLater("429", self._random.choice((None, 1.0, 3.0)))
            case 1:
                return RetryLater("409")
            case 2:
                return Ambiguous("500 before")
            case _:
                self._take(row, identifier)
                return Ambiguous("500 after")

    def _take(self, row: Row, identifier: str) -> Outcome:
        now_ms = self._time.now_ms()
        payload = {"stripe_customer_id": row.customer, "value": str(row.value)}
        try:
            accept(
                Offer(identifier, row.meter, payload, float(row.timestamp)),
                _meter(row.meter),
                now=now_ms / 1000,
                customer_exists=self.customers.__contains__,
                identifier_taken=lambda name: self._knows(name, now_ms),
            )
        except RefusedError as refused:
            self._trace.say("stripe", f"{identifier[:12]} refused: {refused.reason}")
            return _outcome(refused)
        taken = Accepted(identifier, row, now_ms)
        if self._weather.chance(self._lost_share):
            self._trace.say("stripe", f"{identifier[:12]} accepted, and lost")
            self.lost[identifier] = taken
            return Delivered()
        self.accepted.append(taken)
        self._trace.say("stripe", f"{identifier[:12]} accepted")
        self.count(taken)
        return Delivered()

    def _knows(self, identifier: str, now_ms: int) -> bool:
        taken = (*self.accepted, *self.lost.values())
        return any(each.identifier == identifier and now_ms - each.at_ms < KNOWN_MS for each in taken)


def _outcome(refused: RefusedError) -> Outcome:
    if refused.reason is Reason.DUPLICATE:
        return Delivered()
    known = refused.reason is Reason.UNKNOWN_CUSTOMER
    return Park(ParkReason.UNKNOWN_CUSTOMER if known else ParkReason.REFUSED, refused.message)


def _meter(name: str) -> dict[str, object]:
    return {
        "id": f"mtr_{name}",
        "status": "active",
        "customer_mapping": {"event_payload_key": "stripe_customer_id"},
        "value_settings": {"event_payload_key": "value"},
        "default_aggregation": {"formula": "sum"},
    }


class TransportOf:
    """`stripe_sync`'s transport and summaries for one process."""

    def __init__(self, service: SimulatedStripe, who: str, trace: Trace) -> None:
        self._service = service
        self._who = who
        self._trace = trace
        self._under_way: set[tuple[str, str]] = set()

    async def send(self, row: Row, identifier: str) -> Outcome:
        """At most one at a time per customer and meter."""
        lane = (row.customer, row.meter)
        if lane in self._under_way:
            self._trace.fail(f"{self._who} makes two calls at once for {lane}")
        self._under_way.add(lane)
        try:
            return await self._service.send(self._who, row, identifier)
        finally:
            self._under_way.discard(lane)

    async def units(self, row: Row) -> int:
        """What a summary shows."""
        return await self._service.units(self._who, row)
