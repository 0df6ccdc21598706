"""A ledger to read from and a client to read with."""

from collections.abc import AsyncIterator

import httpx
import pytest

from api.settings import ApiSettings
from tests.api.calling import calling, settings_of
from tests.api.folded import Folded, folding


@pytest.fixture
async def folded(redis_url: str, redis_prefix: str) -> AsyncIterator[Folded]:
    """A ledger whose shards are all ready and empty."""
    async with folding(redis_url, redis_prefix) as ledger:
        await ledger.ready()
        yield ledger


@pytest.fixture
async def unready(redis_url: str, redis_prefix: str) -> AsyncIterator[Folded]:
    """A ledger that is being folded: no shard is ready."""
    async with folding(redis_url, redis_prefix) as ledger:
        yield ledger


@pytest.fixture
def settings(redis_url: str, redis_prefix: str) -> ApiSettings:
    """The API on that ledger, without Stripe and CORS."""
    return settings_of(redis_url, redis_prefix)


@pytest.fixture
async def api(settings: ApiSettings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API at `NOW`."""
    async with calling(settings) as client:
        yield client
