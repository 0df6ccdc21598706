"""Checks whether an account has usage: a mistyped id has none."""

import time
from collections.abc import Sequence

from redis.exceptions import RedisError

from ledger.keys import ShardKeys
from metering.partition import partition_of
from metering.span import DAY_SECONDS, month_and_day
from ops.logs.settings import TableSettings
from runtime.redis import connect

LOOKED_BACK_DAYS = (0, 31)  # days back from today: one day in this month, one in the month before


async def unseen_note(settings: TableSettings, account: str) -> str | None:
    """Returns a warning about an account without usage; None if it has usage or Redis does not answer."""
    keys = ShardKeys(settings.redis_prefix, partition_of(account, settings.partitions))
    today = int(time.time()) // DAY_SECONDS
    client = connect(settings)
    try:
        sizes: Sequence[int] = [
            await client.hlen(keys.days(account, month_and_day(today - back)[0])) for back in LOOKED_BACK_DAYS
        ]
    except (RedisError, OSError):
        return None
    finally:
        await client.aclose()
    if any(sizes):
        return None
    return f"no usage of {account} was counted this month or last: if its services publish already, check the id"
