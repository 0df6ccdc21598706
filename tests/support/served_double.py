"""A Stripe double per test, served in this process. The root `conftest.py` makes these fixtures known."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # a test that asks for no double waits for no web server
    from tests.stripe_double.served import Host, Served


@pytest.fixture(scope="session")
def double_host() -> "Iterator[Host]":
    """The HTTP server that the doubles take turns behind."""
    from tests.stripe_double.served import Host

    with Host().running() as host:
        yield host


@pytest.fixture
def double(double_host: "Host") -> "Iterator[Served]":
    """A double with an empty state in memory."""
    with double_host.serving() as served:
        yield served
