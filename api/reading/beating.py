"""Writes to Redis that an API process runs, so that `billing status` notices if none does."""

import asyncio
import logging

from redis.exceptions import RedisError

from ledger.beats import BEAT_SECONDS, beat
from ledger.shard import Ledger

log = logging.getLogger(__name__)


async def keep_beating(ledger: Ledger) -> None:
    """Beats until cancelled. A beat that Redis does not take is not repeated: the next one follows soon."""
    while True:
        try:
            await beat(ledger.shard(0))
        except (RedisError, OSError, TimeoutError) as error:
            log.debug("not beaten, once more in %g s: %s", BEAT_SECONDS, error)
        await asyncio.sleep(BEAT_SECONDS)
