"""What people change beside what `operator` always does: keys that end, accounts whose facts change."""

import asyncio
from collections.abc import Callable
from random import Random

from metering.account import Account
from metering.retention import TOMBSTONE_SECONDS
from tests.simulation import names
from tests.simulation.operator import Operator
from tests.simulation.world import World

AFTER_SECONDS = (1.0, 4.0)
HOUR = 3600.0
DAY = 86_400


def keys_are_revoked(operator: Operator, random: Random) -> Callable[[], None]:
    """Keys come and go; tombstones grow old, and compaction takes them away."""
    revocations = Revocations(operator, random)

    def strike() -> None:
        asyncio.ensure_future(random.choice(revocations.kinds)())  # noqa: RUF006 - the loop keeps every task

    return strike


def facts_change(operator: Operator, random: Random) -> Callable[[], None]:
    """Anchors and subscription starts move, customers come back; rows on their way keep what they were made of."""

    def strike() -> None:
        account, now = random.choice(names.ACCOUNTS), operator.world.time.now_ms() // 1000
        anchor = now // 3600 * 3600 - random.randint(-10, 60) * DAY + random.choice((0, 3600, 1234))
        start = now - random.randint(-DAY, 6 * DAY)
        facts = Account(anchor=random.choice((None, anchor)), subscription_start=random.choice((None, start)))
        back = random.random() < 0.3
        change = operator.map_back(account, random) if back else operator.change_facts(account, facts)
        asyncio.ensure_future(change)  # noqa: RUF006

    return strike


class Revocations:
    """What may happen around the end of a key."""

    def __init__(self, operator: Operator, random: Random) -> None:
        self._operator = operator
        self._world: World = operator.world
        self._random = random
        self._rolled_back = False
        self.kinds = (self._create, self._revoke, self._compact, self._roll_back, self._roll_back)

    async def _create(self) -> None:
        await self._operator.create_key()

    async def _revoke(self) -> None:
        keys = [key for key in self._world.key_hashes if not self._world.shown.is_revoked(key)]
        if keys:
            await self._operator.revoke(self._random.choice(keys))

    async def _compact(self) -> None:
        old_ms = self._world.time.now_ms() - int(TOMBSTONE_SECONDS * 1000)
        for number in range(names.PARTITIONS):
            for topic in (names.ACCOUNT_TABLE, names.KEY_TABLE):
                log = self._world.kafka.logs[topic, number]
                log.compact(log.stable_end, tombstones_before_ms=old_ms)

    async def _roll_back(self) -> None:
        """A replica that has been cut off since before the revocation takes over once its tombstone is gone.

        Once in a seed: what is counted is kept for a while only.
        """
        if self._rolled_back:
            return
        self._rolled_back = True
        snapshot, voided = self._world.redis.snapshot(), self._world.voided
        await self._revoke()
        await asyncio.sleep(self._random.uniform(*AFTER_SECONDS))
        self._world.leap(TOMBSTONE_SECONDS + HOUR)
        await self._compact()
        self._world.mending.mend_all()
        if voided == self._world.voided:
            self._world.fail_over(snapshot)
