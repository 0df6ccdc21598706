"""A served double per test; when the test ends, its HTTP exchanges are checked against Stripe's OpenAPI description."""

from collections.abc import Iterator

import pytest
import stripe

from .openapi import problems
from .served import Served


@pytest.fixture
def double(double: Served) -> Iterator[Served]:
    """A double with an empty state in memory."""
    yield double
    assert [problem for exchange in double.exchanges for problem in problems(exchange)] == []


@pytest.fixture
def client(double: Served) -> stripe.StripeClient:
    """stripe-python with a test key."""
    return double.client()
