"""The warning about an account without usage."""

import time

import redis

from ledger.keys import ShardKeys
from metering.partition import partition_of
from metering.span import DAY_SECONDS, month_and_day
from ops.accounts.seen import unseen_note
from ops.logs.settings import TableSettings


async def test_an_account_without_usage_is_told_of(redis_url: str, redis_prefix: str) -> None:
    """There is no warning once the account has usage of this month or the last."""
    settings = TableSettings(redis_url=redis_url, redis_prefix=redis_prefix, partitions=3)
    keys = ShardKeys(redis_prefix, partition_of("acme", 3))
    assert "no usage of acme was counted" in (await unseen_note(settings, "acme") or "")
    with redis.Redis.from_url(redis_url) as client:
        client.hset(keys.days("acme", month_and_day(int(time.time()) // DAY_SECONDS - 31)[0]), "0", 1)
    assert await unseen_note(settings, "acme") is None


async def test_a_redis_that_is_away_tells_nothing() -> None:
    """Without Redis there is no warning; `wait_folded` reports the outage."""
    assert await unseen_note(TableSettings(redis_url="redis://127.0.0.1:1"), "acme") is None
