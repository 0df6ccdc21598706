"""Runs the Stripe double as a process, uses its controls, and measures the events that it takes from a bare client."""

import asyncio
import json
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import stripe

from bench.keep_alive import Connection, connect, post
from local.servers.ports import free_port
from local.servers.process import Command, ServerProcess
from metering.meters import CATALOGUE
from metering.rfc3339 import from_unix
from runtime.settings import DOUBLE_API_KEY
from stripe_sync.stripe_api.meters import create_missing
from stripe_sync.stripe_api.stream import MOST_EVENTS
from stripe_sync.stripe_api.stream import PATH as STREAM_PATH

SINGLE_PATH = "/v2/billing/meter_events"
SESSION_PATH = "/v2/billing/meter_event_session"
CUSTOMERS_PATH = "/v1/customers"
CONNECTIONS = 32
VERSION = f"Stripe-Version: {stripe.api_version}"
ANSWER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Double:
    """A running double with the catalogue's meters."""

    url: str

    def control(self, path: str, body: object = None) -> Any:
        """Calls one of its controls: GET, or POST with a body."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_double/{path}", data, {"Content-Type": "application/json"})  # noqa: S310
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:  # noqa: S310 - our own
            return json.load(answer)

    def create_customers(self, names: Sequence[str]) -> dict[str, str]:
        """Creates a customer per name. Returns the ids by name."""
        requests = [post(CUSTOMERS_PATH, DOUBLE_API_KEY, b"", "application/x-www-form-urlencoded")] * len(names)
        answers = asyncio.run(ask_all(self.url, requests))
        return {name: json.loads(body)["id"] for name, body in zip(names, answers, strict=True)}

    def most_single(self, customers: Sequence[str], count: int) -> float:
        """Returns the meter events per second with one event per request, never two of a customer and meter at once."""
        requests = [_post(SINGLE_PATH, DOUBLE_API_KEY, _event(customers, number)) for number in range(count)]
        return self._events_per_second(requests, count)

    def open_stream(self) -> None:
        """Allows test keys to use the stream, without a rate limit."""
        self.control("settings", {"stream_in_test_mode": True, "stream_events_per_second": None})

    def most_stream(self, customers: Sequence[str], count: int) -> float:
        """Returns the meter events per second with a hundred events per request."""
        (session,) = asyncio.run(ask_all(self.url, [_post(SESSION_PATH, DOUBLE_API_KEY, {})]))
        token = json.loads(session)["authentication_token"]
        bodies = [
            {"events": [_event(customers, number) for number in range(start, start + MOST_EVENTS)]}
            for start in range(0, count, MOST_EVENTS)
        ]
        requests = [_post(STREAM_PATH, token, body) for body in bodies]
        return self._events_per_second(requests, len(bodies) * MOST_EVENTS)

    def _events_per_second(self, requests: Sequence[bytes], events: int) -> float:
        began = time.monotonic()
        asyncio.run(ask_all(self.url, requests))
        return events / (time.monotonic() - began)


async def ask_all(url: str, requests: Sequence[bytes]) -> list[bytes]:
    """Sends all requests. Returns the bodies of the answers, in order.

    Raises:
        RuntimeError: a request failed.
    """
    waiting, bodies = iter(enumerate(requests)), [b""] * len(requests)

    async def work(connection: Connection) -> None:
        for number, request in waiting:
            answer = await connection.ask(request)
            if answer.status != 200:
                raise RuntimeError(f"{answer.status} {answer.body.decode(errors='replace')}")
            bodies[number] = answer.body
        connection.close()

    connections = [await connect(url) for _ in range(min(CONNECTIONS, len(requests)))]
    await asyncio.gather(*map(work, connections))
    return bodies


@contextmanager
def running_double(directory: Path) -> Iterator[Double]:
    """Runs `python -m local.stripe` with a file in `directory` while the context lasts."""
    port = free_port()
    argv = ["--port", str(port), "--state", str(directory / "stripe.db")]
    double = Double(f"http://127.0.0.1:{port}")

    def answers() -> bool:
        try:
            double.control("clock")
        except OSError:
            return False
        return True

    command = Command([sys.executable, "-m", "local.stripe", *argv], directory / "double.log")
    process = ServerProcess("Stripe double", command, answers)
    try:
        process.start()
        client = stripe.StripeClient(
            DOUBLE_API_KEY,
            http_client=stripe.HTTPXClient(),
            base_addresses={"api": double.url, "meter_events": double.url},
        )
        asyncio.run(create_missing(client))
        yield double
    finally:
        process.kill()


def _event(customers: Sequence[str], number: int) -> dict[str, object]:
    customer, meter = customers[number % len(customers)], CATALOGUE[number // len(customers) % len(CATALOGUE)]
    return {
        "event_name": meter.name,
        "identifier": f"bare-{number}-{time.time_ns():x}",
        "payload": {"stripe_customer_id": customer, "value": "1"},
        "timestamp": from_unix(int(time.time())),
    }


def _post(path: str, bearer: str, body: Mapping[str, object]) -> bytes:
    return post(path, bearer, json.dumps(body).encode(), "application/json", VERSION)
