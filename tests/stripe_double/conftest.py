"""A served double per test; what passed over the wire is held to Stripe's OpenAPI description when the test ends."""

from collections.abc import Iterator

import pytest
import stripe

from .openapi import problems
from .served import Host, Served


@pytest.fixture(scope="session")
def double_host() -> Iterator[Host]:
    """The HTTP server that the doubles take turns behind."""
    with Host().running() as host:
        yield host


@pytest.fixture
def double(double_host: Host) -> Iterator[Served]:
    """A double with an empty state in memory."""
    with double_host.serving() as served:
        yield served
    assert [problem for exchange in served.exchanges for problem in problems(exchange)] == []


@pytest.fixture
def client(double: Served) -> stripe.StripeClient:
    """stripe-python with a test key."""
    return double.client()
