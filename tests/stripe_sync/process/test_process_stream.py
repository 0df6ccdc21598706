"""The service on Stripe's stream, as a process: real Kafka, real Redis, the double."""

import asyncio
import os
import signal

import pytest

from ledger.shard import Shard
from tests.stripe_double.served import control
from tests.stripe_sync.process.test_process import (
    EXIT_SECONDS,
    Surroundings,
    count_usage,
    exits,
    is_billed,
    shard,
    surroundings,
    taken,
)
from tests.support.eventually import eventually_async

__all__ = ["shard", "surroundings"]  # fixtures
STREAM = {"BILLING_STRIPE_TRANSPORT": "stream"}


@pytest.mark.timeout(110)
async def test_it_bills_by_the_stream_through_kill_9(surroundings: Surroundings, shard: Shard) -> None:
    """Killed once in the middle; the sums are exact in the end, in far fewer requests than rows."""
    _, expected = await count_usage(surroundings, shard)
    control(surroundings.stripe_url, "settings", {"stream_in_test_mode": True})
    with surroundings.service(**STREAM) as service:
        await eventually_async(lambda: taken(surroundings, 40), deadline=30)
        os.kill(service.pid, signal.SIGKILL)
    with surroundings.service(**STREAM) as service:
        await eventually_async(lambda: starts(surroundings, 2), deadline=40)  # the first may have billed everything
        await eventually_async(lambda: is_billed(surroundings, expected), deadline=40)
        service.terminate()
        assert await asyncio.to_thread(service.wait, EXIT_SECONDS) == 0
    assert "Traceback" not in surroundings.log.read_text()
    requests = control(surroundings.stripe_url, "requests")
    assert surroundings.calls() == {}
    assert sum(requests["POST /v2/billing/meter_event_stream"].values()) < 60


async def starts(surroundings: Surroundings, times: int) -> bool:
    """So many processes have taken up their shards."""
    return surroundings.log.read_text().count("shards: ") >= times


@pytest.mark.timeout(110)
def test_it_does_not_start_where_stripe_does_not_open_the_stream(surroundings: Surroundings) -> None:
    """A test key at a Stripe that takes live ones only: it says which key, and what else there is."""
    said = exits(surroundings, **STREAM)
    assert "Stripe gives this key no meter event session: livemode_required" in said
