"""A customer with a Stripe customer, whose billing period is some days old, and what the logs tell of their usage."""

import time
from dataclasses import dataclass, field

from ledger.script import Script
from metering.account import Account
from metering.bucket import HOUR_SECONDS
from metering.period import Period, period_containing
from tests.api.folded import PARTITIONS, Folded

ACCOUNT = "acct_harbour"
DAY = 86_400
DAYS_OLD = 10
_UNMARK = Script("unmark", "return redis.call('HDEL', KEYS[1], 'ready')", "0" * 40)


def real_ms() -> int:
    """Now, in Unix milliseconds: browsers and servers alike live in real time here."""
    return int(time.time() * 1000)


@dataclass
class Customer:
    """The account's side of a ledger. `now` is a whole hour, less than an hour ago."""

    ledger: Folded
    now: int = field(default_factory=lambda: int(time.time()) // HOUR_SECONDS * HOUR_SECONDS)

    @property
    def period(self) -> Period:
        """The billing period that began `DAYS_OLD` days ago."""
        return period_containing(self.now, self.now - DAYS_OLD * DAY)

    async def key(self) -> str:
        """A new key of the account, whose facts are recorded as well."""
        await self.ledger.account(ACCOUNT, Account(customer="cus_1", anchor=self.now - DAYS_OLD * DAY))
        return await self.ledger.key(ACCOUNT)

    async def use(self, meter: str, quantity: int, days_ago: int = 0) -> None:
        """Units at the whole hour so many days ago. Call in the order of time."""
        await self.ledger.use(ACCOUNT, meter, quantity, self.now - days_ago * DAY)

    async def bill(self, meter: str, units: int, days_ago: int) -> None:
        """Stripe has accepted units that were used so many days ago."""
        used = self.now - days_ago * DAY
        await self.ledger.bill(ACCOUNT, meter, units, used=used, stamped=used)

    async def ready(self, *, as_of_ms: int | None = None) -> None:
        """All that was used is counted: by default as of now."""
        await self.ledger.ready(as_of_ms=real_ms() if as_of_ms is None else as_of_ms)

    async def recount(self) -> None:
        """No shard is ready any more, as after a failover: each is being folded again."""
        for number in range(PARTITIONS):
            await self.ledger.ledger.shard(number).run(_UNMARK, [], [])
