"""One private Redis for all seeds."""

from collections.abc import Iterator

import pytest

from tests.simulation.redis_server import RedisMachine, private_redis


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisMachine]:
    """The server that the simulated one is: flushed by every seed."""
    with private_redis(tmp_path_factory.mktemp("simulation")) as machine:
        yield machine
