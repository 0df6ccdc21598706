"""`billing rebuild`: shards are cleared and folded again by workers that were not told."""

import asyncio
import time

import pytest
from redis.asyncio import Redis

from ledger.clearing import clear_shard
from ledger.keys import ShardKeys
from ledger.redis_store import RedisStore
from ledger.shard import Ledger
from tests.ops.installation import ACCOUNTS, PARTITIONS, System
from tests.support.eventually import eventually


@pytest.mark.timeout(120)
def test_under_live_traffic_it_stays_exact_and_bills_nothing_twice(system: System) -> None:
    """All shards are rebuilt while events come in: Redis and Stripe end with exactly the published units."""
    with system.traffic():
        done = system.billing("rebuild", "--all", "--yes")
        beside = system.billing("verify")

    assert done.exit_code == 0, done.stderr
    assert done.stdout.count("no account has less than before") == PARTITIONS
    assert beside.exit_code == 0, beside.stdout + beside.stderr
    system.expect_exact()
    assert system.billing("verify").exit_code == 0


@pytest.mark.timeout(120)
def test_a_rebuild_that_died_is_seen_and_taken_up_again(system: System) -> None:
    """The shard stays closed until the next rebuild has cleared the rest."""
    asyncio.run(_clear_half_way(system, shard=1))
    fences = ShardKeys("", 1).fences

    phases = [shard["phase"] for shard in system.status("--shard", "1")["shards"]]
    assert phases == ["clearing"]
    assert set(system.redis.hkeys(fences)) == {b"clearing", b"clearing.since"}
    assert system.billing("verify", "--shard", "1").exit_code == 2

    # A rebalance meanwhile: whoever gets the closed shard waits for it, and folds the others.
    system.start("aggregator-2", "aggregator")
    eventually(lambda: "finding its position again" in system.log("aggregator-2") + system.log("aggregator"), 30)
    before = system.status()["totals"]["read"]
    system.publisher.publish(ACCOUNTS, 200)
    eventually(lambda: system.status()["totals"]["read"] > before, 30, "the other shards are folded")
    assert all(system.running().values())

    done = system.billing("rebuild", "--shard", "1", "--yes")
    system.end("aggregator-2")

    assert done.exit_code == 0, done.stderr
    assert "an earlier rebuild had begun to clear it" in done.stdout
    assert not system.redis.hexists(fences, "clearing")
    system.expect_exact()


@pytest.mark.timeout(120)
def test_it_mends_what_verify_found(system: System) -> None:
    """Verify names a changed counter with account and bucket; after a rebuild it is right."""
    key = next(system.redis.scan_iter(match="{p0}u:*"))
    field = next(iter(system.redis.hkeys(key)))
    account = key.decode().partition("}u:")[2].rpartition(":")[0]
    system.redis.hincrby(key, field, -1)  # less, so that a rebuild has nothing to complain of

    found = system.billing("verify")
    assert found.exit_code == 1, found.stdout + found.stderr
    assert account in found.stdout
    assert "DIFFERENT" in found.stdout
    other = next(name for name in system.customers if name != account)
    assert system.billing("verify", "--account", other).exit_code == 0
    assert system.billing("verify", "--account", account).exit_code == 1

    assert system.billing("rebuild", "--shard", "0", "--yes").exit_code == 0
    assert system.billing("verify").exit_code == 0


@pytest.mark.timeout(120)
def test_what_is_less_than_before_is_named(system: System) -> None:
    """If a rebuild ends with less, it names the accounts and the differences: exit code 1."""
    key = next(system.redis.scan_iter(match="{p0}u:*"))
    field = next(iter(system.redis.hkeys(key)))
    system.redis.hincrby(key, field, 5)

    done = system.billing("rebuild", "--shard", "0", "--yes")

    assert done.exit_code == 1
    assert "LESS than before" in done.stdout
    system.expect_exact()


def test_nobody_is_cleared_by_accident(system: System) -> None:
    """The person must name the shards, and confirm."""
    assert system.billing("rebuild", "--yes").exit_code == 1
    assert system.billing("rebuild", "--shard", "0", "--all", "--yes").exit_code == 1
    assert system.billing("rebuild", "--shard", "99", "--yes").exit_code == 1
    assert system.billing("rebuild", "--shard", "0").exit_code == 1
    assert system.troubles() == set()


async def _clear_half_way(system: System, shard: int) -> None:
    async with Redis.from_url(system.env["BILLING_REDIS_URL"]) as client:
        steps = clear_shard(
            Ledger(RedisStore(client), "", PARTITIONS).shard(shard),
            nonce="died",
            now_ms=time.time_ns() // 1_000_000,
        )
        async for _ in steps:
            break
        await steps.aclose()
