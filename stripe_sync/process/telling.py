"""A stop is told where a person looks: in the shard's notices, which `billing status` shows."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import stripe
from redis.exceptions import RedisError

from ledger.notices import Author, post_notices
from ledger.shard import Ledger
from metering.troubles.finding import Finding
from metering.troubles.names import Trouble
from stripe_sync.errors import StripeStoppedError, WrongStripeError

log = logging.getLogger(__name__)


def shard_stopped(
    ledger: Ledger, beat: Callable[[], None], ring: Callable[[int, list[Finding]], None] = lambda _shard, _why: None
) -> Callable[[int, str], Awaitable[None]]:
    """What is told that a shard can't go on. The process is well, and `beat` says so: a restart would mend nothing."""

    async def tell(shard: int, why: str) -> None:
        beat()
        said = [Finding(Trouble.BILLING_STOPPED, shard, detail=why)]
        ring(shard, said)
        await post_notices(ledger.shard(shard), Author.STRIPE_WORKER, said)

    return tell


@asynccontextmanager
async def process_stops_are_told(ledger: Ledger) -> AsyncIterator[None]:
    """What ends the process is told in every shard: which of them others work on, it does not know."""
    try:
        yield
    except (StripeStoppedError, WrongStripeError) as error:
        refused = isinstance(error.__cause__, stripe.AuthenticationError | stripe.PermissionError)
        trouble = Trouble.STRIPE_KEY_REFUSED if refused else Trouble.STRIPE_WORKER_ENDED
        for number in range(ledger.partitions):
            said = [Finding(trouble, number, detail=str(error))]
            try:
                await post_notices(ledger.shard(number), Author.STRIPE_WORKER, said)
            except (RedisError, OSError) as failure:
                log.warning("can't say why the worker ends: %s", failure)
                break
        raise
