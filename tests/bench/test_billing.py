"""The billing benchmark: it runs, and its load is as described."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from bench.billing import exactness
from bench.billing.exactness import Exactness
from bench.billing.results import BillingResults
from bench.billing.throughput import Throughput
from bench.billing.usage import BilledUsage
from bench.billing.world import new_world
from bench.servers import Servers
from local.servers.redis import RedisServer
from metering.event import read_event
from metering.usage_event import UsageEvent

NOW = 1_780_000_000
EXACT = Exactness(
    units=9,
    account_meters=1,
    differing=0,
    billed_units=9,
    calls=3,
    replies_lost=1,
    calls_limited=1,
    kills=1,
    two_bodies=0,
    most_at_once=1,
    resent=1,
    furthest_resend=3.0,
    parked=0,
    seconds=9.0,
)


@pytest.mark.timeout(110)
def test_it_bills_exactly_under_faults(
    kafka_bootstrap: str, topic_prefix: str, own_redis: RedisServer, tmp_path: Path
) -> None:
    """A tiny run with killed workers and lost replies: in the end Stripe has exactly the published units."""
    with new_world(Servers(kafka_bootstrap, own_redis.url, tmp_path), topic_prefix) as world:
        world.add_accounts(2)
        found = exactness.measure(world, units=120, kill_every=4.0, seed=1, say=lambda _: None)

    assert found.differing == 0
    assert found.units == found.billed_units >= 120
    assert found.kills > 0
    assert found.calls >= found.account_meters == 12


def test_the_load_says_what_must_be_billed() -> None:
    """Every account-meter has some; repetitions count once; the sum is the one asked for."""
    usage = BilledUsage({"acct_1": "cus_1", "acct_2": "cus_2"})
    values = [value for _, value in usage.events_of(1000, 2, now=NOW, seed=3)]

    distinct = set(values)
    events = [read_event(value.encode(), NOW * 1000) for value in distinct]
    sums: Counter[tuple[str, str]] = Counter()
    for value in distinct:
        event = json.loads(value)
        sums[usage.customers[event["subject"]], event["type"]] += event["data"]["quantity"]
    assert all(isinstance(event, UsageEvent) for event in events)
    assert len(distinct) == usage.events < len(values)
    assert sums == usage.units
    assert usage.units.total() == 1000
    assert len(usage.units) == 12


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (replace(EXACT, differing=1), "account-meters with another sum at Stripe: none"),
        (replace(EXACT, two_bodies=1), "identifiers with two bodies: none"),
        (replace(EXACT, most_at_once=2), "calls at once for a customer and meter: 1"),
        (replace(EXACT, furthest_resend=22 * 3600.0), "hours between two sendings of a row: below 22"),
    ],
)
def test_what_is_not_exact_is_said(found: Exactness, text: str) -> None:
    """One flaw misses one target; without it all are met."""
    assert [target.text for target in BillingResults(found, [], {}).targets() if not target.met] == [text]
    assert all(target.met for target in BillingResults(EXACT, [], {}).targets())


@pytest.mark.parametrize(("rate", "met"), [(450.0, True), (440.0, False)])
def test_a_worker_is_held_to_its_limit_or_to_what_the_double_takes(rate: float, met: bool) -> None:
    """Whichever is less."""
    found = Throughput("single", 1000, 500.0, 800.0, rate, 1.5, 0.5)

    judged = {target.text: target.met for target in BillingResults(None, [found], {}).targets()}

    assert judged == {"single: at least 90 % of the limit": met, "single: at most 2 appends per 100 rows": True}
