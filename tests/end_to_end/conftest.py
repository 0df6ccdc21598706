"""One stack for all end-to-end tests, started with the command that people start it with."""

from collections.abc import Iterator

import pytest

from tests.support.stack import Stack, booted


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two aggregators, two Stripe workers, no demo traffic."""
    directory = tmp_path_factory.mktemp("stack")
    with booted(directory, "--no-demo", "--aggregators", "2", "--stripe-workers", "2") as stack:
        yield stack
