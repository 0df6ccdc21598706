"""Beside each shard's worker: the hourly comparison, and the one that Stripe's error reports ask for."""

import asyncio
import logging
from collections.abc import Callable, Collection
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Protocol

import stripe
from aiokafka.errors import KafkaError
from redis.exceptions import RedisError

from ledger.hints import ALL_METERS, take_hints
from ledger.reading import NotReadyError
from ledger.shard import Shard
from metering.meters import CATALOGUE
from runtime.clock import Clock
from stripe_sync.reconcile.difference import Difference
from stripe_sync.reconcile.invoicing import Uncovered
from stripe_sync.reconcile.shard import Findings
from stripe_sync.stripe_api.stripe_time import ClockFault, no_fault
from stripe_sync.tasks import end_tasks

log = logging.getLogger(__name__)

EVERY_METER = frozenset(meter.name for meter in CATALOGUE)
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

    `name_of` knows the names of Stripe's meters. `turn` is the process's: one shard at a time. `report` is told what is
    missing, of all meters, after each comparison: a hint's meter is compared by itself, and the others' shortages stay.
    Of one that could not be ended it is told why.
    """

    def __init__(
        self,
        shard: Shard,
        comparison: Comparison,
        name_of: Callable[[str], str | None],
        clock: Clock,
        turn: asyncio.Lock,
        report: Callable[[int, Findings | str], None],
        clock_fault: ClockFault = no_fault,
    ) -> None:
        self._clock_fault = clock_fault
        self._shard = shard
        self._comparison = comparison
        self._name_of = name_of
        self._clock = clock
        self._turn = turn
        self._report = report
        self._next = clock.monotonic() + SETTLING_SECONDS
        self._missing: list[Difference] = []  # of each meter, as it was compared last
        self._uncovered: list[Uncovered] = []  # likewise

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
        """Compares if it is time, or what hints name; what is fresh can't be told by a clock that is off."""
        if self._clock_fault() is not None:
            return
        meters = self._hinted(await take_hints(self._shard))
        if self._clock.monotonic() >= self._next:
            meters = EVERY_METER
        if meters:
            self._tell(meters, await self._compare(meters))

    async def _compare(self, meters: AbstractSet[str]) -> Findings:
        everything, wait = meters >= EVERY_METER, EVERY_SECONDS
        try:
            async with self._turn:
                return await self._comparison.run(meters)
        except Exception as error:
            wait = AGAIN_SECONDS if isinstance(error, TROUBLE) else EVERY_SECONDS
            self._report(self._shard.number, f"{type(error).__name__}: {error}")
            raise
        finally:
            if everything:
                self._next = self._clock.monotonic() + wait

    def _hinted(self, hints: Collection[str]) -> AbstractSet[str]:
        if ALL_METERS in hints:
            return EVERY_METER
        return {name for hint in hints if (name := self._name_of(hint)) is not None} & EVERY_METER

    def _tell(self, meters: Collection[str], findings: Findings) -> None:
        others = [each for each in self._missing if each.lane.meter not in meters]
        self._missing = [*others, *findings.missing]
        for difference in findings.missing:
            log.error("accepted, but not billed: %s; %d units are missing", difference, difference.missing)
        for lane, detail in findings.silent:
            log.warning("customer %s, meter %s: not compared: %s", *lane, detail)
        self._keep_uncovered(meters, findings)
        self._report(self._shard.number, replace(findings, missing=self._missing, uncovered=self._uncovered))

    def _keep_uncovered(self, meters: Collection[str], findings: Findings) -> None:
        """What was found is told until a comparison finds it mended: Stripe may not tell of all this time."""
        if findings.unread is not None:
            log.warning("whether all is on an invoice: Stripe does not tell: %s", findings.unread)
        stay = {each for each in self._uncovered if findings.unread is not None or each.meter not in meters}
        for each in set(findings.uncovered) - set(self._uncovered):
            log.error("accepted, but on no invoice: %s", each.finding(self._shard.number))
        self._uncovered = sorted(stay | set(findings.uncovered))


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
