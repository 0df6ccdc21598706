"""One shard's accepted units compared with Stripe's summaries."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from ledger.accepted import Lane, accepted_days, read_accepted_days
from ledger.shard import Shard
from metering.outcome import Ambiguous, Park, RetryLater, StopWorker
from metering.push_fold import QUIET_MS
from metering.span import DAY_SECONDS
from runtime.clock import Clock
from stripe_sync.push_log.history import PushHistory, Tail
from stripe_sync.reconcile.coverage import Coverage, CoverageLook
from stripe_sync.reconcile.difference import Difference, Slot, slots_of
from stripe_sync.reconcile.invoicing import Uncovered
from stripe_sync.reconcile.lane import LaneComparison
from stripe_sync.stripe_api.outcomes import FAILURES, outcome_of

LANES_AT_ONCE = 8  # an answer takes longer than the rate limit makes the next question wait
COMPARED_SECONDS = 70 * DAY_SECONDS  # like units

Look = Callable[[], Awaitable["list[Difference] | str"]]
"""Asks Stripe about one customer and meter: what differs, or why it does not answer."""


@dataclass(slots=True)
class Findings:
    """What a comparison found.

    Attributes:
        lanes: how many customers and meters were compared.
        missing: what Stripe must have and has not.
        silent: what Stripe did not answer.
        uncovered: what Stripe has and no invoice will have.
        unread: why Stripe did not tell all of that; None if it did.
    """

    lanes: int = 0
    missing: list[Difference] = field(default_factory=list)
    silent: list[tuple[Lane, str]] = field(default_factory=list)
    uncovered: list[Uncovered] = field(default_factory=list)
    unread: str | None = None


class ShardComparison:
    """Compares a whole shard, account by account, beside live traffic.

    Units of a minute count from three hours after their delivery on: the push log tells which are younger. It is read
    on after an account's sums were read, so that whatever is in the sums and young is known to be young.
    """

    def __init__(
        self,
        shard: Shard,
        history: PushHistory,
        lanes: LaneComparison,
        clock: Clock,
        coverage: Coverage,
    ) -> None:
        self._coverage = coverage
        self._shard = shard
        self._history = history
        self._lanes = lanes
        self._clock = clock

    async def run(self, meters: Collection[str]) -> Findings:
        """Compares some meters.

        Raises:
            NotReadyError: the push log is being folded: look again later.
            UnreadablePushLogError: a record of the push log has no known meaning.
        """
        tail = Tail(self._history, self._shard.number, self._clock.now_ms() - QUIET_MS)
        await tail.open()
        findings, group, covered = Findings(), list[tuple[Lane, Look]](), self._coverage.look()
        async for look in self._looks(tail, meters, covered):
            group.append(look)
            if len(group) == LANES_AT_ONCE:
                await self._take(findings, group)
                group.clear()
        await self._take(findings, group)
        return replace(findings, uncovered=covered.found, unread=covered.unread)

    async def _take(self, findings: Findings, group: list[tuple[Lane, Look]]) -> None:
        findings.lanes += len(group)
        for lane, answer in zip(group, await asyncio.gather(*(look() for _, look in group)), strict=True):
            if isinstance(answer, str):
                findings.silent.append((lane[0], answer))
            else:
                findings.missing += [each for each in answer if each.missing]

    async def _looks(
        self, tail: Tail, meters: Collection[str], covered: CoverageLook
    ) -> AsyncIterator[tuple[Lane, Look]]:
        oldest = (self._clock.now_ms() // 1000 - COMPARED_SECONDS) // DAY_SECONDS
        for account, all_days in (await accepted_days(self._shard)).items():
            days = [day for day in all_days if day >= oldest]
            if not days:
                continue
            accepted = await read_accepted_days(self._shard, account, days)
            await tail.advance()
            slots = slots_of(accepted.units, tail.deliveries.units, accepted.carried)
            for lane, minutes in sorted(slots.items()):
                if lane.meter in meters:
                    await covered.add(account, lane, minutes)
                    start, end = min(minutes) // DAY_SECONDS * DAY_SECONDS, (days[-1] + 1) * DAY_SECONDS
                    yield lane, partial(ask, self._lanes, lane, minutes, start, end)


async def ask(
    lanes: LaneComparison, lane: Lane, minutes: Mapping[int, Slot], start: int, end: int
) -> list[Difference] | str:
    """What differs, or why Stripe does not answer for this customer and meter.

    Raises:
        stripe.StripeError: it will answer for none, because it refuses the key.
    """
    try:
        return await lanes.differences(lane, minutes, start, end)
    except FAILURES as error:
        outcome = outcome_of(error)
        match outcome:
            case StopWorker():
                raise
            case Park(_, detail):
                return detail
            case RetryLater(reason) | Ambiguous(reason):
                return reason
        return str(error)
