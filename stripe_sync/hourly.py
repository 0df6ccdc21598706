"""Beside each shard's worker: the hourly comparison, and the one that Stripe's error reports ask for."""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Protocol

import stripe
from aiokafka.errors import KafkaError
from redis.exceptions import RedisError

from ledger.hints import ALL_METERS, take_hints
from ledger.reading import NotReadyError
from ledger.shard import Shard
from runtime.clock import Clock
from stripe_sync.comparison import Difference
from stripe_sync.shard_comparison import Findings
from stripe_sync.tasks import end_tasks

log = logging.getLogger(__name__)

EVERY_SECONDS = 3600.0
AGAIN_SECONDS = 300.0  # after a comparison that could not be ended
HINT_SECONDS = 10.0  # between two looks for hints
SETTLING_SECONDS = 60.0  # after a shard came to this process: rebalances come in groups
TROUBLE = (KafkaError, RedisError, OSError, TimeoutError, NotReadyError, stripe.StripeError)
"""What passes. Anything else is a defect, or a log that this version can't read: it would only fail again soon."""


class Comparison(Protocol):
    """Compares a shard."""

    async def run(self, meters: Collection[str]) -> Findings:
        """What is missing of some meters."""
        ...


class Hourly:
    """Compares one shard again and again. No comparison stops billing: what fails is tried again later.

    `turn` is the process's: one shard at a time. `report` is told what is missing, of all meters, after each
    comparison: a hint's meter is compared by itself, and the others' shortages stay. None: it could not be ended.
    """

    def __init__(
        self,
        shard: Shard,
        comparison: Comparison,
        meter_ids: Mapping[str, str],
        clock: Clock,
        turn: asyncio.Lock,
        report: Callable[[int, Findings | None], None],
    ) -> None:
        self._shard = shard
        self._comparison = comparison
        self._names = {meter_id: name for name, meter_id in meter_ids.items()}
        self._clock = clock
        self._turn = turn
        self._report = report
        self._next = clock.monotonic() + SETTLING_SECONDS
        self._missing: list[Difference] = []  # of each meter, as it was compared last

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            await self._clock.sleep(HINT_SECONDS)
            try:
                await self.look()
            except TROUBLE as error:
                log.warning("shard %d: not compared: %s: %s", self._shard.number, type(error).__name__, error)
            except Exception:
                log.exception(
                    "shard %d: not compared, by a defect or a record of a newer version: run billing stripe reconcile, "
                    "and report this with what it says. Billing goes on; the next comparison is in an hour",
                    self._shard.number,
                )

    async def look(self) -> None:
        """Compares if it is time, or what hints name."""
        meters = self._hinted(await take_hints(self._shard))
        if self._clock.monotonic() >= self._next:
            meters = set(self._names.values())
        if meters:
            self._tell(meters, await self._compare(meters))

    async def _compare(self, meters: Collection[str]) -> Findings:
        everything, wait = len(meters) == len(self._names), EVERY_SECONDS
        try:
            async with self._turn:
                return await self._comparison.run(meters)
        except Exception as error:
            wait = AGAIN_SECONDS if isinstance(error, TROUBLE) else EVERY_SECONDS
            self._report(self._shard.number, None)
            raise
        finally:
            if everything:
                self._next = self._clock.monotonic() + wait

    def _hinted(self, hints: Collection[str]) -> set[str]:
        if ALL_METERS in hints:
            return set(self._names.values())
        return {self._names[hint] for hint in hints if hint in self._names}

    def _tell(self, meters: Collection[str], findings: Findings) -> None:
        others = [each for each in self._missing if each.lane.meter not in meters]
        self._missing = [*others, *findings.missing]
        for difference in findings.missing:
            log.error("accepted, but not billed: %s; %d units are missing", difference, difference.missing)
        for lane, detail in findings.silent:
            log.warning("customer %s, meter %s: not compared: %s", *lane, detail)
        self._report(self._shard.number, replace(findings, missing=self._missing))


class Runs(Protocol):
    """What a shard's owner runs."""

    async def run(self) -> None:
        """Runs until cancelled, or until it can't go on."""
        ...


class Accompanied:
    """A worker, and something that runs beside it as long as it does."""

    def __init__(self, worker: Runs, beside: Runs) -> None:
        self._worker = worker
        self._beside = beside

    async def run(self) -> None:
        """Ends as the worker ends, whatever becomes of the other."""
        beside = asyncio.create_task(self._beside.run())
        try:
            await self._worker.run()
        finally:
            await end_tasks([beside])
