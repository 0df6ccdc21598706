"""The Stripe double on the test's own clock, in this process, behind a real stripe-python client on httpx."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import stripe

from local.stripe.app import create_app
from local.stripe.clock import StripeClock
from local.stripe.events import totals
from local.stripe.store import StripeStore
from runtime.clock import Clock
from stripe_sync.stripe_api.meter_ids import KnownMeterIds
from stripe_sync.stripe_api.meters import create_missing, list_meters
from tests.stripe_double.exchanges import Recorder

from .calls import Intercept, InterceptedHttp, undisturbed

KEY = "sk_test_double"
URL = "http://stripe.double"
_PREPARED = StripeStore()


def known(meter_ids: Mapping[str, str]) -> KnownMeterIds:
    """Meters of one id each."""
    return KnownMeterIds({name: (meter_id,) for name, meter_id in meter_ids.items()})


@dataclass
class Double:
    """A double with the catalogue's meters."""

    store: StripeStore
    recorder: Recorder
    meter_ids: dict[str, str] = field(default_factory=dict)

    def client(self, intercept: Intercept = undisturbed, key: str = KEY) -> stripe.StripeClient:
        """Stripe-python, its retries off."""
        http = stripe.HTTPXClient(verify_ssl_certs=False)
        transport = InterceptedHttp(httpx.ASGITransport(self.recorder), intercept)
        http._client_async = httpx.AsyncClient(transport=transport)
        return stripe.StripeClient(
            key, http_client=http, max_network_retries=0, base_addresses={"api": URL, "meter_events": URL}
        )

    async def prepare(self) -> None:
        """Makes the meters, once for all tests: a double begins with a copy of the first one's state."""
        client = self.client()
        if _PREPARED.connection.execute("SELECT count(*) FROM objects").fetchone() == (0,):
            await create_missing(client)
            self.store.connection.backup(_PREPARED.connection)
        else:
            _PREPARED.connection.backup(self.store.connection)
        self.meter_ids = {name: meter.id for name, meter in (await list_meters(client)).items()}

    async def customer(self) -> str:
        """A new customer's id."""
        return (await self.client().v1.customers.create_async()).id

    def billed(self) -> dict[tuple[str, str], int]:
        """The units accepted, by customer and meter."""
        return {(customer, meter): units for customer, meter, _, units in totals(self.store)}

    def bodies(self) -> dict[str, set[bytes]]:
        """Every body that each identifier was ever sent with."""
        sent: dict[str, set[bytes]] = defaultdict(set)
        for exchange in self.recorder.exchanges:
            if exchange.method == "POST" and exchange.path == "/v2/billing/meter_events" and exchange.request:
                sent[json.loads(exchange.request)["identifier"]].add(exchange.request)
        return sent

    def calls(self, path: str = "/v2/billing/meter_events", method: str = "POST") -> int:
        """How many requests of a kind there were."""
        return sum(exchange.path == path and exchange.method == method for exchange in self.recorder.exchanges)


@contextmanager
def running_double(clock: Clock) -> Iterator[Double]:
    """An empty double whose time is the test's."""
    store = StripeStore()
    wall = StripeClock(wall=lambda: clock.now_ms() / 1000)
    try:
        yield Double(store, Recorder(create_app(store, wall)))
    finally:
        store.close()
